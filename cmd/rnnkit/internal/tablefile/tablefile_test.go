package tablefile_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/tablefile"
	"github.com/rnnkit/rnnkit/datasets"
)

// Files of pyarrow, pandas, polars and fastparquet hold what testdata/golden.py put
// into them, whatever the encoding and compression.
func TestTypes(t *testing.T) {
	var want map[string][]any
	data, err := os.ReadFile("testdata/types.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		file    string
		columns int
		utc     string // columns whose zone the file does not have
	}{
		{"pyarrow.parquet", 33, ""},
		{"pyarrow_v2.parquet", 33, ""},
		{"pyarrow_v1.parquet", 24, "us berlin"},
		{"spark.parquet", 2, ""},
		{"split.parquet", 5, ""},
		{"delta.parquet", 2, ""},
		{"uuid.parquet", 1, ""},
		{"pandas.parquet", 20, ""},
		{"fastparquet.parquet", 6, ""},
		{"polars.parquet", 23, ""},
		{"pyarrow.arrow", 37, ""},
		{"lz4.arrow", 37, ""},
		{"zstd.arrow", 37, ""},
		{"pyarrow.arrows", 37, ""},
		{"stream.arrows.gz", 37, ""},
		{"pandas.feather", 20, ""},
		{"polars.arrow", 23, ""},
		{"polars.arrows", 23, ""},
	}
	for _, test := range tests {
		t.Run(test.file, func(t *testing.T) {
			rows, err := tablefile.Open(filepath.Join("testdata", test.file), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			if got := len(rows.Columns()); got != test.columns {
				t.Errorf("%d columns, want %d: %q", got, test.columns, rows.Columns())
			}
			n := 0
			for {
				fields, row, err := rows.Next()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				n++
				if row != n {
					t.Fatalf("row %d has the number %d", n, row)
				}
				for i, name := range rows.Columns() {
					expected, ok := want[name]
					if !ok {
						t.Fatalf("column %q is not expected", name)
					}
					if problem := differs(fields[i], expected[n-1], name == test.utc); problem != "" {
						t.Errorf("row %d, %q: %s", n, name, problem)
					}
				}
			}
			if n != 13 {
				t.Errorf("%d rows, want 13", n)
			}
		})
	}
}

// differs says how a field differs from what types.json has of it.
func differs(got datasets.Field, want any, utc bool) string {
	same := false
	switch want := want.(type) {
	case nil:
		same = got.Kind == datasets.MissingField || got.Kind == datasets.NumberField && math.IsNaN(got.Number)
	case float64:
		same = got.Kind == datasets.NumberField && got.Number == want
	case string:
		same = got.Kind == datasets.TextField && got.Text == want ||
			got.Kind == datasets.NumberField && strings.TrimPrefix(fmt.Sprint(got.Number), "+") == strings.TrimPrefix(want, "+")
	case []any:
		if len(want) == 0 {
			same = got.Kind == datasets.UnsupportedField && got.Text != ""
			break
		}
		at, err := time.Parse(time.RFC3339Nano, want[0].(string))
		if err != nil {
			return err.Error()
		}
		if utc {
			at = at.UTC()
		}
		same = got.Kind == datasets.TimeField && got.Time.Format(time.RFC3339Nano) == at.Format(time.RFC3339Nano)
	}
	if same {
		return ""
	}
	return fmt.Sprintf("%+v, want %v", got, want)
}
