package tablefile_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/tablefile"
)

// readAll reads a table of a file with the given name and contents to the end.
func readAll(t *testing.T, name string, contents []byte) (rows int, err error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, contents, 0o600); err != nil {
		t.Fatal(err)
	}
	table, err := tablefile.Open(path, nil)
	if err != nil {
		return 0, err
	}
	defer table.Close()
	for {
		if _, _, err = table.Next(); err != nil {
			break
		}
		rows++
	}
	if err == io.EOF {
		err = nil
	}
	return rows, err
}

func golden(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func gzipped(text string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, text)
	z.Close()
	return b.Bytes()
}

func zstandard(text string) string {
	z, _ := zstd.NewWriter(nil)
	return string(z.EncodeAll([]byte(text), nil))
}

func TestBadFiles(t *testing.T) {
	parquet, arrow, stream := golden(t, "pyarrow.parquet"), golden(t, "pyarrow.arrow"), golden(t, "pyarrow.arrows")
	object := `{"t":"2024-01-01","y":1.5}` + "\n"
	tests := []struct {
		name     string
		contents string
		want     string // part of the error
	}{
		{"a.csv", string(parquet), "called .csv, and its contents are Parquet"},
		{"a.parquet", "t,y\n1,2\n", "called .parquet, and its contents are CSV"},
		{"a.parquet", "PAR1,y\n1,2\n", "called .parquet, and its contents are CSV"},
		{"a.parquet", string(stream), "called .parquet, and its contents are a stream of Arrow"},
		{"a.jsonl", "t,y\n1,2\n", "called .jsonl, and its contents are CSV"},
		{"a.csv", object, "called .csv, and its contents are JSON Lines"},
		{"a.arrow", object, "called .arrow, and its contents are JSON Lines"},
		{"a.csv.gz", "t,y\n1,2\n", "called .gz, and its contents are not compressed"},
		{"a.csv", string(gzipped("t,y\n1,2\n")), "called .csv, and its contents are compressed with gzip"},
		{"a.jsonl.gz", string(gzipped("t,y\n1,2\n")), "called .jsonl, and its contents are CSV"},
		{"a.csv.zst", string(gzipped("t,y\n1,2\n")), "called .zst, and its contents are compressed with gzip"},
		{"a.gz", string(gzipped(string(gzipped("y\n1\n")))), "compressed twice"},
		{"a.csv.gz", string(gzipped("t,y\n1,2\n")[:20]), "damaged or cut off"},
		{"a.csv.gz", string(gzipped("t,y\n1,2\n")) + "more", "damaged or cut off"},
		{"a.csv.zst", "\x28\xb5\x2f\xfd\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "damaged or cut off"},
		{"a.xlsx", "PK\x03\x04\x14\x00", "a ZIP archive, as spreadsheets are"},
		{"a.feather", "FEA1\x00\x00\x00\x00", "Feather version 1"},
		{"a.parquet", "", "no data"},
		{"a.jsonl", "", "no data"},
		{"a.arrow", "", "no data"},
		{"a.csv", "", "no data"},
		{"a.csv.gz", string(gzipped("")), "no data"},

		{"a.parquet", string(parquet[:8]), "file too small"},
		{"a.parquet", strings.Repeat("\x00", 100), "neither text nor Parquet nor Arrow"},
		{"a.parquet", string(parquet[:len(parquet)/2]), "damaged"},
		{"a.parquet", string(parquet[:len(parquet)-1]), "damaged"},
		{"a.parquet", string(parquet) + "x", "damaged"},
		{"a.parquet", "PAR1\x15\x04" + strings.Repeat("\x00", 50) + "\xff\xff\xff\xffPAR1", "damaged"},
		{"a.parquet", "PAR1\x15\x04" + strings.Repeat("\xff", 100) + "\x20\x00\x00\x00PAR1", "damaged"},
		{"a.parquet", string(golden(t, "late.parquet")), `row 2, column 1 "t": a time out of the years 1 to 9999`},

		{"a.arrow", string(arrow[:len(arrow)/2]), "cut off: it does not end in ARROW1"},
		{"a.arrow", string(arrow[:len(arrow)-1]), "cut off: it does not end in ARROW1"},
		{"a.arrows", string(stream[:len(stream)/2]), "cut off"},
		{"a.arrows", string(stream[:len(stream)-8]), "the mark of its end is missing"},
		{"a.arrows", string(stream) + "x", "1 bytes after the end"},
		{"a.arrows", "\xff\xff\xff\xff\xff\xff\xff\x7f", "damaged"},
		{"a.csv", "t,y\n1,\x00", "neither text nor Parquet nor Arrow"},
		{"a.arrows", "\xff\xff\xff\xff\x00\x00\x00\x00", "cut off"},

		{"a.jsonl", object + `{"y":{"a":1}}`, `line 2, column 2 "y": an object`},
		{"a.jsonl", object + "\n" + `{"y":[1]}`, `line 3, column 2 "y": a list`},
		{"a.jsonl", object + `[1,2]`, "line 2: no object"},
		{"a.jsonl", object + `{"y":1} {"y":2}`, "line 2: more text after the object"},
		{"a.jsonl", object + `{"y":1,"y":2}`, `line 2, column 2 "y": the key comes twice`},
		{"a.jsonl", object + `{"y":NaN}`, `line 2, column 2 "y": not JSON: "NaN}", where a number`},
		{"a.jsonl", object + `{"y":1,}`, `line 2: not JSON: "}", where a text`},
		{"a.jsonl", object + `{"y":1`, "line 2: an object that does not end"},
		{"a.jsonl", "{\n\"y\":1}\n", "line 1: an object that does not end"},
		{"a.jsonl", object + `{"y":1e400}`, `line 2, column 2 "y": 1e400 is too large`},
		{"a.jsonl", object + "{\"t\":\"\xff\"}", "line 2: not UTF-8"},
		{"a.jsonl", object + `{"t":"` + strings.Repeat("x", 1<<20) + `"}`, "line 2: longer than 1048576 bytes"},
		{"a.jsonl", strings.Repeat(object, 10_000) + `{"y":1,"new":2}`, `line 10001: the key "new" is new`},
		{"a.jsonl", "{}\n{}\n", "no data"},
		{"a.json", "[\n" + object + "]", "a JSON list; write one object on each line"},
	}
	for _, test := range tests {
		_, err := readAll(t, test.name, []byte(test.contents))
		switch {
		case err == nil:
			t.Errorf("%s, %.30q…: no error, want %q", test.name, test.contents, test.want)
		case !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.name) || strings.Contains(err.Error(), "\n"):
			t.Errorf("%s, %.30q…: %v, want %q", test.name, test.contents, err, test.want)
		}
	}
}

// Files that are unusual and right.
func TestGoodFiles(t *testing.T) {
	tests := []struct {
		name     string
		contents string
		rows     int
	}{
		{"a.parquet", string(golden(t, "no_rows.parquet")), 0},
		{"a", string(golden(t, "twice.parquet")), 2},
		{"a.data", string(golden(t, "pyarrow.arrows")), 13},
		{"a.arrow", string(golden(t, "pyarrow.arrows")), 13},
		{"a.json", "\ufeff\r\n{\"y\": 1}\r\n\r\n {\"x\": null} \n{}", 3},
		{"a.NDJSON", `{"a":true}`, 1},
		{"a.parquet.gz", string(gzipped(string(golden(t, "no_rows.parquet")))), 0},
		{"a.gz", string(gzipped("{\"a\":1}\n{\"a\":2}\n")), 2},
		{"a.JSONL.GZ", string(gzipped("{\"a\":1}\n{\"a\":2}\n")), 2},
		{"a.csv.zst", zstandard("t,y\n1,2\n"), 1},
	}
	for _, test := range tests {
		if rows, err := readAll(t, test.name, []byte(test.contents)); err != nil || rows != test.rows {
			t.Errorf("%s, %.30q…: %d rows, %v, want %d", test.name, test.contents, rows, err, test.rows)
		}
	}
	for _, name := range []string{"a.csv", "a.tsv", "a.txt", "a"} {
		for _, text := range []string{"PARE,y\n1,2\n", "ARROW1,y\n1,2\n", "{a},b\n1,2\n", "\xff\xfey\x00\n\x001\x00", "ORC\n1\n", "[x],y\n1,2\n"} {
			if rows, err := readAll(t, name, []byte(text)); err != nil || rows != 1 {
				t.Errorf("%s, %q: %d rows, %v, want 1", name, text, rows, err)
			}
		}
	}
	if rows, err := readAll(t, "a.csv.gz", gzipped("t,y\n1,2\n")); err != nil || rows != 1 {
		t.Errorf("%d rows, %v, want 1", rows, err)
	}
}

// A number in a description may state any length: the library for Arrow allocates by some
// of them, and a program that asks for too much memory is ended.
func TestStatedLengths(t *testing.T) {
	const described = 1024 // bytes
	for _, name := range []string{"pyarrow.arrows", "polars.arrows", "polars.arrow", "split.parquet"} {
		contents := golden(t, name)
		for at := 0; at < len(contents); at += 4 {
			if at == described && len(contents) > 2*described {
				at = len(contents) - described&^3
			}
			changed := slices.Clone(contents)
			copy(changed[at:], "\xff\xff\xff\x7f")
			table, err := tablefile.Open("-", bytes.NewReader(changed))
			for rows := 0; err == nil && rows < 100; rows++ {
				_, _, err = table.Next()
			}
			if table != nil {
				table.Close()
			}
		}
	}
}
