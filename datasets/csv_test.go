package datasets_test

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/internal/testenv"
)

func TestReadColumn(t *testing.T) {
	wide := strings.Repeat("0,", 1<<14-1) + "7\n"
	for _, test := range []struct {
		about, text, column string
		name                string
		values              []float64
	}{
		{"header", "month,y\n1949-01,1\n1949-02,2.5\n", "", "y", []float64{1, 2.5}},
		{"no header", "1949-01,1\n1949-02,2.5\n", "", "column 2", []float64{1, 2.5}},
		{"one column", "1\n2\n", "", "column 1", []float64{1, 2}},
		{"one column, header", "y\n1\n", "", "y", []float64{1}},
		{"no newline at the end", "y\n1\n2", "", "y", []float64{1, 2}},
		{"carriage returns", "month,y\r\na,1\r\nb,2\r\n", "", "y", []float64{1, 2}},
		{"byte order mark", "\ufeffy,month\n1,a\n", "y", "y", []float64{1}},
		{"byte order mark before a number", "\ufeff1\n2\n", "", "column 1", []float64{1, 2}},
		{"byte order mark before a quote", "\ufeff\"y\"\n2\n", "", "y", []float64{2}},
		{"blank lines at the ends", "\n\r\ny\n1\n2\n \t\n\n", "", "y", []float64{1, 2}},
		{"blank lines between records of several fields", "m,y\n\na,1\n  \nb,2\n", "", "y", []float64{1, 2}},
		{"semicolons", "month;y\na,b;1\n", "", "y", []float64{1}},
		{"semicolons after a blank line", "\r\n\nmonth;y\na,b;1\n", "", "y", []float64{1}},
		{"semicolons after a byte order mark and a blank line", "\ufeff\nmonth;y\na,b;1\n", "", "y", []float64{1}},
		{"semicolons beside commas", "a,b,c;y\n1,5;2\n", "y", "y", []float64{2}},
		{"tabs", "month\ty\na;b\t1\n", "", "y", []float64{1}},
		{"tabs, first name empty", "\ty\nmay\t1\n", "", "y", []float64{1}},
		{"separators in quotes", "\"a;b\tc\",y\nx,1\n", "", "y", []float64{1}},
		{"separators in later lines", "m,y\na;b\tc,1\n", "", "y", []float64{1}},
		{"separator after a name over two lines", "\"a,\nb\";y\nx;1\n", "", "y", []float64{1}},
		{"numbers in quotes", "m,y\na,\"1\"\nb,\"2\"\n", "", "y", []float64{1, 2}},
		{"spaces", " m , y \na, 1 \nb,2\u00a0\n", "y", "y", []float64{1, 2}},
		{"forms of numbers", "y\n-1.5e3\n+.5\n5.\n-0\n1e-400\n", "", "y", []float64{-1500, .5, 5, 0, 0}},
		{"largest float32", "y\n3.4028235e38\n-3.4028235e38\n", "", "y", []float64{3.4028235e38, -3.4028235e38}},
		{"mostly numbers, all of them good", "y,z\n1,a\n2,3\n3,b\n", "", "y", []float64{1, 2, 3}},
		{"half numbers do not make a column of numbers", "y,z\n1,a\n2,3\n", "", "y", []float64{1, 2}},

		{"by name", "a,b\n1,2\n", "b", "b", []float64{2}},
		{"by number", "a,b\n1,2\n", "2", "b", []float64{2}},
		{"by name in another case", "a,B\n1,2\n", "b", "B", []float64{2}},
		{"exact name before another case", "B,b\n1,2\n", "b", "b", []float64{2}},
		{"by number without a header", "1,2\n3,4\n", "2", "column 2", []float64{2, 4}},
		{"by a name that is the title of another", ",column 1\n1,2\n3,4\n", "column 1", "column 1", []float64{2, 4}},
		{"name empty", ",y\n0,5\n1,6\n", "1", "column 1", []float64{0, 1}},
		{"name in quotes", "\"a \"\"b\"\"\",c\n1,x\n", `a "b"`, `a "b"`, []float64{1}},
		{"bad fields in another column", "a,b\n1,\n2,inf\n3,x\n", "a", "a", []float64{1, 2, 3}},

		{"NaN is no number in the first record", "NaN,y\n1,2\n", "y", "y", []float64{2}},
		{"nor is an infinity", "inf,y\n1,2\n", "y", "y", []float64{2}},
		{"a number and a missing value are data", ",5\nx,6\n", "2", "column 2", []float64{5, 6}},
		{"a number that is too large is data", "1e99,5\n1,6\n", "2", "column 2", []float64{5, 6}},
		{"widest", wide, "16384", "column 16384", []float64{7}},
		{"longest line", "y,m\n1," + strings.Repeat("x", 1<<20-2) + "\n", "", "y", []float64{1}},
	} {
		got, err := datasets.ReadColumn(strings.NewReader(test.text), "f.csv", test.column)
		if err != nil {
			t.Errorf("%s: %v", test.about, err)
		} else if got.Title() != test.name || !slices.Equal(got.Values, test.values) {
			t.Errorf("%s: got %q %v, want %q %v", test.about, got.Title(), got.Values, test.name, test.values)
		}
	}
}

func TestReadColumnErrors(t *testing.T) {
	many := "x0"
	for i := range 29 {
		many += fmt.Sprintf(",x%d", i+1)
	}
	for _, test := range []struct {
		about, text, column string
		line, field         int
		want                string
	}{
		{"empty", "", "", 0, 0, "no data"},
		{"byte order mark alone", "\ufeff", "", 0, 0, "no data"},
		{"blank", "\n \r\n\n", "y", 0, 0, "no data"},
		{"header alone", "month,y\n", "y", 0, 0, "a header and no data"},
		{"header alone, no column given", "month,y\n\n", "", 0, 0, "a header and no data"},

		{"text", "m,y\na,1\nb,two\nc,3\n", "", 3, 2, `"two" is not a number; write it like -12.5`},
		{"text in the only column", "y\ntwo\n", "", 2, 1, `"two" is not a number`},
		{"thousands", "m,y\na,\"1,500\"\n", "y", 2, 2, `"1,500" may be a decimal comma or thousands`},
		{"two numbers", "y\n1 2\n", "", 2, 1, `"1 2" is not a number`},
		{"two signs", "y\n--1\n", "", 2, 1, `"--1" is not a number`},
		{"long text", "y\n" + strings.Repeat("x", 999) + "\n", "", 2, 1, `"` + strings.Repeat("x", 40) + `" is not`},
		{"missing", "m,y\na,\n", "y", 2, 2, `"" is a missing value; fill it in`},
		{"missing, spaces", "m,y\na,  \n", "y", 2, 2, "is a missing value"},
		{"missing, in quotes", "y\n1\n\"\"\n", "", 3, 1, "is a missing value"},
		{"missing, first record", "x,\n1,2\n1,\n", "2", 3, 2, "is a missing value"},
		{"NA", "m,y\na,NA\n", "y", 2, 2, `"NA" is a missing value`},
		{"NaN", "m,y\na,NaN\n", "y", 2, 2, `"NaN" is a missing value`},
		{"null", "m,y\na,null\n", "y", 2, 2, `"null" is a missing value`},
		{"question mark", "m,y\na,?\n", "y", 2, 2, `"?" is a missing value`},
		{"infinity", "m,y\na,-Inf\n", "y", 2, 2, `"-Inf" is infinite`},
		{"infinity in full", "m,y\na,infinity\n", "y", 2, 2, `"infinity" is infinite`},
		{"beyond float32", "m,y\na,3.5e38\n", "", 2, 2, `"3.5e38" is too large for float32`},
		{"beyond float64", "m,y\na,-1e999\n", "", 2, 2, `"-1e999" is too large for float32`},
		{"beyond float32, first record", "1e39,a\n1,b\n", "", 1, 1, `"1e39" is too large for float32`},
		{"after a field over three lines", "m,y\n\"a\nb\nc\",1\nd,x\n", "y", 5, 2, `"x" is not`},
		{"on the line where the field begins", "m,y\n\"a\nb\",x\n", "y", 3, 2, `"x" is not`},
		{"after blank lines and a byte order mark", "\ufeff\n\nm,y\r\n\r\na,x\r\n", "y", 5, 2, `"x" is not`},
		{"the first of two", "m,y\na,1\nb,x\nc,1\nd,z\ne,1\n", "", 3, 2, `"x" is not`},

		{"fewer fields", "m,y\na,1\nb\n", "y", 3, 0, "1 field, but line 1 has 2"},
		{
			"more fields", "\nm,y\na,1\nb,2,3\n", "", 4, 0,
			`3 fields, but line 2 has 2; give both the same number, with quotes around text that contains ','`,
		},
		{"more fields in data than in the header", "y\n1,2\n", "y", 2, 0, "2 fields, but line 1 has 1"},
		{"quote inside a field", "m,y\na\"b,1\n", "y", 2, 1, "a quote out of place"},
		{"quote after blanks", "m,y\n  ,\"1\"2\n", "y", 2, 2, "begins on line 2"},
		{"quote that ends early", "m,y\na,\"1\"2\n", "y", 2, 2, "a quote out of place"},
		{"quote that does not end", "m,y\na,1\nb,\"2\nc,3\n", "y", 4, 2, "the record that begins on line 3"},

		{"NUL", "m,y\na,1\nb,\x002\n", "y", 3, 0, "a NUL byte; give it CSV text in UTF-8"},
		{"NUL in quotes", "m,y\n\"a\nb\x00\",1\n", "y", 3, 0, "a NUL byte"},
		{"UTF-16 without its mark", "y\x00\n\x001\x00", "", 1, 0, "a NUL byte"},
		{"NUL beyond the buffer", "m,y\n" + strings.Repeat("a,1\n", 1<<16) + "\x00", "y", 1<<16 + 2, 0, "a NUL byte"},
		{"long line", "m,y\na," + strings.Repeat("1", 1<<20) + "\n", "y", 2, 0, "longer than 1048576 bytes"},
		{"many columns", strings.Repeat("0,", 1<<14) + "7\n", "1", 0, 0, "16385 columns; keep at most 16384"},

		{"no such name", "m,y\na,1\n", "z", 0, 0, `no column "z"; choose one by name or number: 1 "m", 2 "y"`},
		{"no such name, no header", "1,2\n", "z", 0, 0, `no column "z"; choose one by name or number: 1, 2`},
		{"the title of a column without a name", "1,2\n3,4\n", "column 2", 0, 0, `no column "column 2"; choose one by name or number: 1, 2`},
		{"number too large", "m,y\na,1\n", "3", 0, 0, `no column "3"; choose one`},
		{"number zero", "m,y\na,1\n", "0", 0, 0, `no column "0"; choose one`},
		{"number negative", "m,y\na,1\n", "-1", 0, 0, `no column "-1"; choose one`},
		{"number beyond an int", "m,y\na,1\n", "99999999999999999999", 0, 0, "no column"},
		{"spaces for a name", "m,y\na,1\n", " ", 0, 0, `no column " "`},
		{"name twice", "y,m,y\n1,a,2\n", "y", 0, 0, `2 columns are called "y"; choose one by number: 1 "y", 3 "y"`},
		{"name twice but for case", "Y,m,y\n1,a,2\n", "Y", 0, 0, ""},
		{"name in two other cases", "Ya,m,yA\n1,a,2\n", "ya", 0, 0, `2 columns are called "ya"; choose one by number: 1 "Ya", 3 "yA"`},
		{"name over two lines", "\"a\nb\",c\n1,2\n", "d", 0, 0, `1 "a\nb", 2 "c"`},
		{"thirty names", many + "\n" + strings.Repeat(",", 29) + "1\n", "z", 0, 0, `19 "x18", 20 "x19" and 10 more`},
		{"two columns of numbers", "m,x,y\na,1,2\n", "", 0, 0, `2 columns of numbers; choose one by name or number: 2 "x", 3 "y"`},
		{"no column of numbers", "m,y\na,b\n1,2\n", "", 0, 0, "no column of numbers; write numbers like -12.5"},
		{"missing values alone", "m,y\na,\nb,NaN\n", "", 0, 0, "no column of numbers"},
	} {
		got, err := datasets.ReadColumn(strings.NewReader(test.text), "a.csv", test.column)
		if test.want == "" {
			if err != nil {
				t.Errorf("%s: %v", test.about, err)
			}
			continue
		}
		if err == nil {
			t.Errorf("%s: no error, but %q %v", test.about, got.Name, got.Values)
			continue
		}
		checkError(t, test.about, got, err)
		var csvErr *datasets.CSVError
		if errors.As(err, &csvErr) && (csvErr.File != "a.csv" || csvErr.Line != test.line || csvErr.Column != test.field) {
			t.Errorf("%s: at line %d, column %d, want %d, %d: %v", test.about, csvErr.Line, csvErr.Column, test.line, test.field, err)
		}
		place := "a.csv: "
		if test.line > 0 {
			place = fmt.Sprintf("a.csv: line %d: ", test.line)
		}
		if test.field > 0 {
			place = fmt.Sprintf("a.csv: line %d, column %d: ", test.line, test.field)
		}
		if !strings.HasPrefix(err.Error(), place) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %q, want %q and %q", test.about, err, place, test.want)
		}
	}
}

// checkError holds what is true of every error: a *CSVError, one line, no
// values beside it.
func checkError(t *testing.T, about string, got datasets.Column, err error) {
	t.Helper()
	var csvErr *datasets.CSVError
	if !errors.As(err, &csvErr) {
		t.Errorf("%s: %T, want *CSVError: %v", about, err, err)
	}
	if strings.ContainsAny(err.Error(), "\n\r") {
		t.Errorf("%s: more than one line: %q", about, err)
	}
	if got.Name != "" || got.Values != nil {
		t.Errorf("%s: %v beside the error %v", about, got, err)
	}
}

// An error of the reader comes through, wherever it happens.
func TestReadColumnReaderError(t *testing.T) {
	broken := errors.New("broken")
	for _, text := range []string{"", "m,y\na,1\n", "m,y\na,\"1", strings.Repeat("a,1\n", 1<<15)} {
		r := io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken))
		got, err := datasets.ReadColumn(r, "standard input", "2")
		if !errors.Is(err, broken) {
			t.Fatalf("after %d bytes: %v", len(text), err)
		}
		checkError(t, "broken", got, err)
		if want := "standard input: broken"; err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
	}
}

// endless gives the same text for ever.
type endless struct{ text string }

func (e endless) Read(p []byte) (int, error) { return copy(p, e.text), nil }

// Input that is no CSV file is given up on early, however long it is.
func TestReadColumnEndless(t *testing.T) {
	for _, text := range []string{"\x00", "x", ",", "1,", "\x7fELF\x02\x01\x01\x00"} {
		got, err := datasets.ReadColumn(endless{text}, "/dev/zero", "")
		if err == nil {
			t.Fatalf("%q: no error", text)
		}
		checkError(t, text, got, err)
	}
}

// once fails the test when it is read after its end, which on a terminal would
// wait for more input.
type once struct {
	t *testing.T
	r io.Reader
	n int
}

func (o *once) Read(p []byte) (int, error) {
	n, err := o.r.Read(p)
	if err == io.EOF {
		if o.n++; o.n > 1 {
			o.t.Error("read again after the end")
		}
	}
	return n, err
}

func TestReadColumnEndsOnce(t *testing.T) {
	if _, err := datasets.ReadColumn(&once{t: t, r: strings.NewReader("y\n1\n")}, "standard input", ""); err != nil {
		t.Error(err)
	}
}

// shared opens a file of the shared test data.
func shared(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.Open(testenv.Shared(t, "data", name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// The sums are those of Python's csv module.
func TestReadColumnOfRealFiles(t *testing.T) {
	for _, test := range []struct {
		file, column, name string
		n                  int
		first, last, sum   float64
	}{
		{"airpassengers/AirPassengers.csv", "", "#Passengers", 144, 112, 432, 40363},
		{"sunspots/monthly-sunspots.csv", "", "Sunspots", 2820, 58, 33.4, 144570},
		{"sunspots/monthly-sunspots.csv", "sunspots", "Sunspots", 2820, 58, 33.4, 144570},
		{"ett/ETTh1.csv", "OT", "OT", 17420, 30.5310001373291, 9.56700038909912, 232115.77909573913},
		{"ett/ETTh1.csv", "8", "OT", 17420, 30.5310001373291, 9.56700038909912, 232115.77909573913},
	} {
		t.Run(test.file+" "+test.column, func(t *testing.T) {
			got, err := datasets.ReadColumn(shared(t, test.file), test.file, test.column)
			if err != nil {
				t.Fatal(err)
			}
			if got.Name != test.name || len(got.Values) != test.n {
				t.Fatalf("%q, %d values", got.Name, len(got.Values))
			}
			sum := 0.0
			for _, v := range got.Values {
				sum += v
			}
			if got.Values[0] != test.first || got.Values[test.n-1] != test.last || !(math.Abs(sum-test.sum) <= 1e-6) {
				t.Errorf("first %v, last %v, sum %v", got.Values[0], got.Values[test.n-1], sum)
			}
		})
	}
}

func TestReadColumnOfSeveralColumns(t *testing.T) {
	_, err := datasets.ReadColumn(shared(t, "ett/ETTh1.csv"), "ETTh1.csv", "")
	want := `ETTh1.csv: 7 columns of numbers; choose one by name or number: ` +
		`2 "HUFL", 3 "HULL", 4 "MUFL", 5 "MULL", 6 "LUFL", 7 "LULL", 8 "OT"`
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func FuzzReadColumn(f *testing.F) {
	for _, text := range []string{
		"", "y", "y\n1\n", "month,y\n1949-01,1\n", "\ufeffa;b\r\n\"x\"\"\ny\";1,5\r\n", "a\tb\n\t1e99\n", "1,2\n3\n",
		"a,\"b\n", "\"\"\n", " \n\x00", "NaN,inf\n1,2\n", "y\n0x1p-2\n1_0\n", "a,A\n1,2\n", ",\n,\n",
		"1\r2\r", "sep=;\ny;d\n1.234,5 €;1.2.2024\n", "\xff\xfe1\x00", "year,month,y\n2024,1,5%\n2024,2,6%\n",
	} {
		f.Add(text, "")
		f.Add(text, "2")
		f.Add(text, "a")
	}
	f.Fuzz(func(t *testing.T, text, column string) {
		got, err := datasets.ReadColumn(strings.NewReader(text), "f", column)
		slow, slowErr := datasets.ReadColumn(iotest.OneByteReader(strings.NewReader(text)), "f", column)
		if got.Name != slow.Name || !slices.Equal(got.Values, slow.Values) || fmt.Sprint(err) != fmt.Sprint(slowErr) {
			t.Errorf("byte by byte %v, %v; at once %v, %v", slow, slowErr, got, err)
		}
		if err != nil {
			checkError(t, "fuzz", got, err)
			return
		}
		if got.Number < 1 || len(got.Values) == 0 || len(got.Values) > strings.Count(text, "\n")+strings.Count(text, "\r")+1 {
			t.Errorf("%s, %d values", got.Title(), len(got.Values))
		}
		for _, v := range got.Values {
			if !(math.Abs(float64(float32(v))) <= math.MaxFloat32) {
				t.Errorf("value %v", v)
			}
		}
	})
}
