package datasets

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

// TestCSVRowsAreThoseOfATable reads files of more rows than decide, and of fewer, as a
// table and row by row.
func TestCSVRowsAreThoseOfATable(t *testing.T) {
	many := strings.Repeat("1;2\n", headRows+7)
	for name, text := range map[string]string{
		"header":          "a;b\n" + many,
		"none":            many,
		"blank lines":     "a,b\n1,2\n\n3,4\n\n",
		"empty end":       "a,b\n1,2\n,\n3,4\n,\n , \n",
		"long empty end":  "a;b\n" + many + ";\n" + many + strings.Repeat(";\n", 30_000),
		"one column":      "y\n1\n2\n\n\n5\n\n",
		"long column":     "y\n" + strings.Repeat("1\n", headRows) + "\n\n2\n" + strings.Repeat("3\n", headRows) + "\n4\n\n",
		"quoted":          "a,b\n\"x\ny\",2\n\"\",\"\"\"3\"\n",
		"UTF-16":          "\xff\xfea\x00,\x00b\x00\n\x001\x00,\x002\x00\n\x00",
		"separator line":  "sep=|\r\na|b\r\n1|2\r\n",
		"separator after": "a,b\n1,2,\n3,4\n",
	} {
		table, err := ReadTable(strings.NewReader(text), "t.csv")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		rows, err := NewCSVRows(strings.NewReader(text), "t.csv")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i, column := range rows.Columns() {
			if column != table.Columns[i].Name {
				t.Errorf("%s: column %d is %q, want %q", name, i, column, table.Columns[i].Name)
			}
		}
		n := 0
		for ; ; n++ {
			fields, line, err := rows.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: row %d: %v", name, n, err)
			}
			want := table.sheet.records[table.record(n)]
			if !slices.EqualFunc(fields, want, func(f Field, text string) bool { return f == Field{Text: text} }) || line != table.sheet.lines[table.record(n)] {
				t.Fatalf("%s: row %d is %v in line %d, want %q in line %d", name, n, fields, line, want, table.sheet.lines[table.record(n)])
			}
		}
		if n != table.rows {
			t.Errorf("%s: %d rows, want %d", name, n, table.rows)
		}
	}
}

// TestCSVRowsRefuse compares the errors, the same line in a long file too.
func TestCSVRowsRefuse(t *testing.T) {
	long := strings.Repeat("1,2\n", headRows)
	for _, text := range []string{
		"", "\n\n", "a,b\n", "a,b\n,\n", "\xff\xfe", "a\xff,b\n1,2\n",
		"a,b\n1,2\n1,2,3\n", "a,b\n" + long + "1\n", "a,b\n" + long + "\"1,2\n", "a,b\n" + long + "1\x00,2\n",
		"x,0,1,2\na,1,2,3\nb,4,5,6\nc,7,8,9\n",
	} {
		_, want := ReadTable(strings.NewReader(text), "t.csv")
		rows, err := NewCSVRows(strings.NewReader(text), "t.csv")
		for err == nil {
			_, _, err = rows.Next()
		}
		if want == nil || fmt.Sprint(err) != want.Error() {
			t.Errorf("%.20q: the error is %v, want %v", text, err, want)
		}
	}
}
