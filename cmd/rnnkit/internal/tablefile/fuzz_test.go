package tablefile_test

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/tablefile"
	"github.com/rnnkit/rnnkit/datasets"
)

// Whatever a file holds, it is read or refused.
func FuzzOpen(f *testing.F) {
	for _, name := range []string{"split.parquet", "delta.parquet", "uuid.parquet", "spark.parquet", "twice.parquet", "no_rows.parquet", "fastparquet.parquet", "polars.arrows", "polars.arrow", "stream.arrows.gz"} {
		f.Add(golden(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := tablefile.Open("-", bytes.NewReader(data))
		if err != nil {
			return
		}
		defer table.Close()
		for range 10_000 { // a small file may hold many equal rows
			fields, _, err := table.Next()
			if err != nil {
				return
			}
			if len(fields) != len(table.Columns()) {
				t.Fatalf("%d fields for %d columns", len(fields), len(table.Columns()))
			}
			for _, f := range fields {
				if !utf8.ValidString(f.Text) {
					t.Fatalf("%q is not UTF-8", f.Text)
				}
			}
		}
	})
}

// An object is read as encoding/json reads it.
func FuzzJSONLines(f *testing.F) {
	for _, text := range []string{
		`{"y":1.5,"t":"2024-01-01"}`, `{"a":null,"b":true,"c":false,"":""}`, `{"é":"\u00e9\ud83d\ude00\n","b":-0e-5}`, ` { "a" : 12 , "b" : "\\" } `,
		`{"a":1,"a":2}`, `{"a":01}`, `{"a":.5}`, `{"a":+1}`, `{"a":1_0}`, `{"a":0x1}`, `{"a":Infinity}`, `{"a":9007199254740993}`, `{"a":1,}`, `{,}`, `{"a" 1}`, `{"a":"` + "\x01" + `"}`, "{\"a\":1\x00}", `{"a":tru}`, `{|6`, `{"a":"\x"}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !strings.HasPrefix(text, "{") || strings.ContainsAny(text, "\n") {
			return
		}
		table, err := tablefile.Open("-", strings.NewReader(text))
		var fields []datasets.Field
		if err == nil {
			defer table.Close()
			fields, _, err = table.Next()
		}
		if err == io.EOF {
			t.Fatal("no row and no error")
		}
		want, ok := decodeObject(text)
		if err == nil && !ok && table.Format == "CSV" {
			return // whose header may begin with a brace
		}
		if ok != (err == nil) {
			t.Fatalf("%q: %v, and encoding/json reads it: %v", text, err, ok)
		}
		if !ok {
			return
		}
		if len(fields) != len(want) {
			t.Fatalf("%q: %d fields, want %d", text, len(fields), len(want))
		}
		for i, name := range table.Columns() {
			if f, want := fields[i], want[name]; !sameValue(f, want) {
				t.Fatalf("%q, %q: %+v, want %v", text, name, f, want)
			}
		}
	})
}

// decodeObject returns the values of an object of plain values under different keys.
func decodeObject(text string) (values map[string]any, ok bool) {
	d := json.NewDecoder(strings.NewReader(text))
	if !utf8.ValidString(text) || !json.Valid([]byte(text)) {
		return nil, false
	}
	d.Token()
	values = map[string]any{}
	for d.More() {
		key, _ := d.Token()
		value, err := d.Token()
		if _, again := values[key.(string)]; again || err != nil {
			return nil, false
		}
		if _, nested := value.(json.Delim); nested {
			return nil, false
		}
		values[key.(string)] = value
	}
	return values, len(values) > 0
}

func sameValue(f datasets.Field, want any) bool {
	switch want := want.(type) {
	case nil:
		return f.Kind == datasets.MissingField
	case bool:
		return f.Kind == datasets.NumberField && (f.Number == 1) == want && (f.Number == 0) != want
	case string:
		return f.Kind == datasets.TextField && f.Text == want
	case float64:
		if f.Kind == datasets.TextField { // all digits of a large whole number
			return math.Abs(want) >= 1<<53 && strings.Trim(f.Text, "-0123456789") == ""
		}
		return f.Kind == datasets.NumberField && f.Number == want
	}
	return false
}
