package datasets_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rnnkit/rnnkit/datasets"
)

func ExampleReadTable() {
	text := "store;week;sales;price\nBern;2024-W01;1.250,5;2,40 €\nBern;2024-W02;980,25;2,50 €\nBern;2024-W03;1.002;2,50 €\n"
	t, err := datasets.ReadTable(strings.NewReader(text), "bern.csv")
	if err != nil {
		fmt.Println(err)
		return
	}
	columns, err := t.Select("sales", "price")
	fmt.Println(columns[0].Values, columns[1].Values, err)
	note, err := t.Check()
	fmt.Println(t.Describe(columns...), note, err)
	// Output:
	// [1250.5 980.25 1002] [2.4 2.5 2.5] <nil>
	// column 3 "sales", where "1.250,5" is 1250.5, column 4 "price", where "2,40 €" is 2.4, 3 weeks from 2024-W01 to 2024-W03  <nil>
}

// TestTablesOfPandas reads what pandas, Excel and R write, and finds the values
// and the frequency that pandas finds: testdata/tables.py.
func TestTablesOfPandas(t *testing.T) {
	data, err := os.ReadFile("testdata/tables.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name, Text, Column string
		Unit, From, To     *string
		Values             []float64
	}
	if err := json.Unmarshal(data, &cases); err != nil || len(cases) < 60 {
		t.Fatal(len(cases), err)
	}
	for _, test := range cases {
		table, err := datasets.ReadTable(strings.NewReader(test.Text), "f.csv")
		if err != nil {
			t.Errorf("%s: %v", test.Name, err)
			continue
		}
		c, err := table.Choose(test.Column)
		if err != nil || len(c.Values) != len(test.Values) {
			t.Errorf("%s: %d values, %v", test.Name, len(c.Values), err)
			continue
		}
		for i, want := range test.Values {
			if !(math.Abs(c.Values[i]-want) <= 1e-9*math.Abs(want)) {
				t.Errorf("%s: value %d is %v, not %v", test.Name, i, c.Values[i], want)
				break
			}
		}
		note, err := table.Check()
		if err != nil || note != "" {
			t.Errorf("%s: %q, %v", test.Name, note, err)
		}
		about := table.Describe(c)
		want := fmt.Sprintf("%d values", len(test.Values))
		if test.Unit != nil {
			want = fmt.Sprintf("%d %s from ", len(test.Values), *test.Unit)
		}
		if test.From != nil {
			want += fmt.Sprintf("%s to %s", *test.From, *test.To)
		}
		if !strings.Contains(about, want) {
			t.Errorf("%s: %q, not %q", test.Name, about, want)
		}
	}
}

// rowsOf repeats a line of CSV with numbers and dates in the place of verbs: the
// value i, the day i days after 2024-01-01.
func rowsOf(n int, line func(i int, day string) string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(line(i, time.Date(2024, 1, 1+i, 0, 0, 0, 0, time.UTC).Format("2006-01-02")) + "\n")
	}
	return b.String()
}

// TestTableRefuses: what may be read as something else is refused with the place,
// or said in a note.
func TestTableRefuses(t *testing.T) {
	day := func(i int, day string) string { return fmt.Sprintf("%s,%d.5", day, i*i) }
	lines := strings.SplitAfter(rowsOf(30, day), "\n")
	backwards := slices.Clone(lines[:30])
	slices.Reverse(backwards)
	without := func(from, to int) string {
		return "date,y\n" + strings.Join(lines[:from], "") + strings.Join(lines[to:], "")
	}
	stores := func(line func(i int, day string) string) string {
		return rowsOf(6, func(i int, d string) string { return "A," + line(i, d) }) + rowsOf(6, func(i int, d string) string { return "B," + line(i, d) })
	}
	for about, test := range map[string]struct{ text, want string }{
		"unit": {
			"id,y\n1,5 km\n2,7 km\n", `line 2, column 2: "5 km" is a number with a unit; write the unit into the header`,
		},
		"unit, no space": {
			"20240101;5.5kWh\n20240102;7.5kWh\n20240103;6kWh\n", `line 1, column 2: "5.5kWh" is a number with a unit`,
		},
		"brackets": {"id;y\n1;(1,5)\n2;(2,5)\n", `line 2, column 2: "(1,5)" is in brackets`},
		"code of a currency": {
			"id,y\n1,USD 1.50\n2,USD 2.25\n", `line 2, column 2: "USD 1.50" is a number with something around it`,
		},
		"kronor":              {"visits,y\n1,kr 5000\n5,kr 6000\n", `2 columns of numbers; choose one`},
		"a unit with a digit": {"id,y\n1,5 m2\n2,7 m2\n", `line 2, column 2: "5 m2" is a number with a unit`},
		"lakh": {
			"id,y\n1,\"12,34,567\"\n2,\"13,34,567\"\n",
			`line 2, column 2: "12,34,567" is not a number; write it like -12.5`,
		},
		"two currencies":         {"id,y\n1,$1.50\n2,€2.25\n", `line 3, column 2: "€2.25" is not written as "$1.50" is`},
		"percent here and there": {"id,y\n1,12%\n2,0.5\n3,15%\n", `line 3, column 2: "0.5" is not written as "12%" is`},
		"thousands or decimals":  {"id;y\n1;1,234\n2;5,678\n", `line 2, column 2: "1,234" may be a decimal comma or thousands`},
		"comma and point":        {"id;y\n1;1,5\n2;1.234\n", `line 3, column 2: "1.234" has another separator`},
		"two points":             {"id,y\n1,\"1,5\"\n2,2.5\n", `line 3, column 2: "2.5" has other separators`},
		"a bad group": {
			"id,y\n1,\"1,234.5\"\n2,\"12,34.5\"\n3,\"1,235.5\"\n", `line 3, column 2: "12,34.5" has other separators`,
		},
		"a value beside one that cannot be read": {
			"day,visits,price\na,1,5 €/h\nb,4,6 €/h\n",
			`2 columns of numbers; choose one by name or number: 2 "visits", 3 "price"`,
		},
		"mostly missing": {
			"date,y\n20240101,1\n20240102,\n20240103,NA\n20240104,\n",
			`line 3, column 2: "" is a missing value; fill it in`,
		},
		"ids alone": {
			"id,name\n7,a b\n5,c d\n9,e f\n",
			`no column of numbers; what is there tells the time or counts the rows; ` +
				`if one of these has the values, choose it by name or number: 1 "id"`,
		},
		"dates alone": {"date,name\n20240101,a b\n20240102,c d\n", `no column of numbers; what is there tells the time`},
		"a time":      {"date\n2024-01-01\n2024-01-02\n", `line 2, column 1: "2024-01-01" is a time, and no value`},
		"comma of one column": {
			"y\n1,5\n2,5\n",
			"line 2: 2 fields, but line 1 has 1; give both the same number, with quotes around text that contains ',', " +
				"and write a decimal comma as a point",
		},
		"thousands from 1000 on": {
			"date;y\n2024-01-01;980\n2024-01-02;1.000\n2024-01-03;1.020\n2024-01-04;1.045\n",
			`line 3, column 2: "1.000" may be a decimal point or thousands, and no other number tells which`,
		},
		"thousands between commas": {
			"name,y\na,980\nb,1.000\nc,1.020\nd,1.045\n", `line 3, column 2: "1.000" may be a decimal point or thousands`,
		},
		"points between semicolons": {
			"date;y\n2024-01-01;1.234\n2024-01-02;1.345\n2024-01-03;2.567\n",
			`line 2, column 2: "1.234" may be a decimal point or thousands`,
		},
		"an error of Excel":         {"name;y\na;1\nb;#DIV/0!\nc;5\n", `line 3, column 2: "#DIV/0!" is a missing value`},
		"empty line":                {"1\n2\n\n3\n", `line 3, column 1: "" is a missing value`},
		"line of spaces":            {"y\n1\n  \n3\n", `line 3, column 1: "  " is a missing value`},
		"empty lines after a break": {"y\n1\n\"2\n\"\n\n3\n", `line 5, column 1: "" is a missing value`},

		"header of pandas without names": {"0,1\n0.5,0.25\n0.75,1.5\n", "line 1: this line may hold names or values"},
		"header 0":                       {"0\n100.5\n102.25\n103.5\n", "line 1: this line may hold names or values"},
		"header of whole numbers":        {"0,1,2,3\n5,3,9,7\n6,2,2,1\n", "line 1: this line may hold names or values"},
		"text above numbers":             {"place,12\n5,3\n6,2\n", "line 1: this line may hold names or values"},
		"one year":                       {"Paris,2000\nLyon,3000\nNice,500\n", "line 1: this line may hold names or values"},

		"newest first": {
			"date,y\n" + strings.Join(backwards, ""),
			"line 3, column 1: 2024-01-29 comes after 2024-01-30: the newest row is first; sort",
		},
		"newest year first": {"year,y\n2003,1.5\n2002,2.5\n2001,4\n", "line 3, column 1: 2002 comes after 2003: the newest row is first"},
		"newest step first": {"t,y\n3,1.5\n2,2.5\n1,4\n", "line 3, column 1: 2 comes after 3: the newest row is first"},
		"newest id first":   {"id,y\n9,1.5\n7,2.5\n6,4\n", "line 3, column 1: 7 comes after 9: the newest row is first"},
		"newest time first": {"time,y\n10:30,1\n10:15,2\n10:00,4\n", "line 3, column 1: 10:15 comes after 10:30: the newest row is first"},
		"out of order": {
			"date,y\n" + strings.Join(lines[:5], "") + lines[6] + lines[5] + strings.Join(lines[7:], ""),
			"line 8, column 1: 2024-01-06 comes after 2024-01-07; sort",
		},
		"several series": {
			"store,date,y\n" + stores(day),
			`line 8, column 2: 2024-01-01 comes after 2024-01-06, where column 1 "store" changes: ` +
				`there are several series below each other; give one alone, as the lines where it is "A"`,
		},
		"several series, no name": {
			"date,y\n" + strings.Join(lines[:9], "") + strings.Join(lines[:9], ""),
			"line 11, column 1: 2024-01-01 comes after 2024-01-09, where the rows begin again: there are several series",
		},
		"several series of steps": {"unit,t,y\n1,1,5.5\n1,2,4.5\n1,3,3\n2,1,5.5\n2,2,4.5\n2,3,3\n", `2 columns of numbers; choose one`},
		"several series by date": {
			"date,store,y\n" + rowsOf(6, func(i int, d string) string { return fmt.Sprintf("%s,A,%d\n%s,B,%d", d, i, d, i*i) }),
			`line 3, column 1: 2024-01-01 is there twice, with another column 2 "store": there are several series`,
		},
		"each day twice": {
			"date,y\n" + rowsOf(9, func(i int, d string) string { return day(i, d) + "\n" + day(i, d) }),
			"line 3, column 1: 2024-01-01 is there twice, as in the row before; give each time one row",
		},
		"a gap": {
			without(10, 14),
			"line 12, column 1: rows are missing between 2024-01-10 and 2024-01-15, 4 in all (a row is a day); fill them in",
		},
		"a small gap": {
			without(10, 12),
			"note: f.csv: line 12, column 1: rows are missing between 2024-01-10 and 2024-01-13, 2 in all (a row is a day); " +
				"rows are taken as even all the same: fill them in",
		},
		"uneven": {
			"date,y\n2024-01-01,1\n2024-01-02,2\n2024-01-04,3\n2024-01-09,5\n2024-01-10,4\n2024-01-14,4\n",
			"note: f.csv: line 4, column 1: the times are uneven, as from 2024-01-02 to 2024-01-04",
		},
		"a market": {
			"time,y\n" + rowsOf(8, func(i int, d string) string { return fmt.Sprintf("%s 09:00,%d\n%s 10:00,2\n%s 11:00,3", d, i*i, d, d) }),
			"note: f.csv: line 5, column 1: the rows pause from 2024-01-01 11:00 to 2024-01-02 09:00 and 7 times in all",
		},
		"a total": {
			"date,y\n" + strings.Join(lines, "") + "Total,99\n",
			`line 32, column 1: "Total" is no time like "2024-01-30"; write all times alike, and leave out lines of totals`,
		},
		"a total of digits": {"day,y\n20240101,5\n20240102,4\n20240103,6\nTotal,15\n", `line 5, column 1: "Total" is no time like "20240103"`},
		"dates in words": {
			"date,y\n1. Januar 2024,5\n2. Januar 2024,6\n",
			`note: f.csv: line 2, column 1: "1. Januar 2024" is no time that is understood, so the order of the rows is not checked`,
		},
		"a header of two":   {"0,1\n5,7\n6,2\n", "line 1: this line may hold names or values"},
		"a header of steps": {"0.5,1.0,1.5,2.0,kind\n5,3,4,1,2\n6,2,4,1,3\n", "line 1: this line may hold names or values"},
		"a missing date": {
			"date,y\n" + strings.Join(lines[:5], "") + ",5\n" + strings.Join(lines[6:], ""),
			`line 7, column 1: "" is a missing time`,
		},
		"the day or the month": {
			"date,y\n01/02/2024,1\n02/02/2024,2\n03/02/2024,2\n",
			`note: f.csv: line 2, column 1: "01/02/2024" may have the day or the month first`,
		},
		"Latin-1": {"Gr\xf6\xdfe\n1\n2\n", "line 1: not UTF-8; save the file in that encoding"},
	} {
		table, err := datasets.ReadTable(strings.NewReader(test.text), "f.csv")
		note := ""
		if err == nil {
			_, err = table.Choose("")
		}
		if err == nil {
			note, err = table.Check()
		}
		got := fmt.Sprint(err)
		if note != "" {
			got = "note: " + note
		}
		if !strings.Contains(got, test.want) {
			t.Errorf("%s: %s, not %s", about, got, test.want)
		}
	}
	table, err := datasets.ReadTable(strings.NewReader("date,2,1\n2024-01-01,5,6\n2024-01-02,7,8\n"), "f.csv")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.Choose("2"); err != nil {
		t.Errorf("column 2 is called 2: %v", err)
	}
	if _, err := table.Choose("1"); err == nil || !strings.Contains(err.Error(), `"1" is the name of column 3 and the number of column 1 "date"`) {
		t.Errorf("column 1 or 3: %v", err)
	}
	if c, err := table.Named("1"); err != nil || c.Number != 3 {
		t.Errorf("the column called 1: %v, %v", c, err)
	}
}

// TestTableReads: what looks doubtful and is not.
func TestTableReads(t *testing.T) {
	for about, test := range map[string]struct{ text, want string }{
		"a first value of 0":   {"0\n0.1\n0.25\n0.5\n", "column 1, 4 values"},
		"a large first value":  {"500\n100.5\n102\n103.5\n", "column 1, 4 values"},
		"temperatures":         {"date,t\n2024-01-01,5\n2024-01-02,7\n2024-01-03,6\n", `column 2 "t", 3 days from 2024-01-01 to 2024-01-03`},
		"a lowest value":       {"date,min\n2024-01-01,5\n2024-01-02,7\n2024-01-03,6\n", `column 2 "min", 3 days`},
		"an even column":       {"month,sales\na,100\nb,110\nc,120\n", `column 2 "sales", 3 values`},
		"one column of counts": {"t\n1\n2\n3\n", `column 1 "t", 3 values`},
		"one column of years":  {"year\n1990\n1991\n1992\n", `column 1 "year", 3 values`},
		"codes":                {"sku,n\n12-A,5\n13-B,8\n14-C,6\n", `column 2 "n", 3 values`},
		"addresses":            {"ip,hits\n10.0.0.1,5\n10.0.0.2,8\n10.0.0.9,6\n", `column 2 "hits", 3 values`},
		"holidays": {
			"date,close\n2024-03-25,5\n2024-03-26,4\n2024-03-27,6\n2024-03-28,5.5\n2024-04-01,7\n2024-04-02,6\n",
			`column 2 "close", 6 business days from 2024-03-25`,
		},
		"decimal years":            {"time,value\n1749.000,5\n1749.083,4\n1749.167,6\n1749.250,7\n", `column 2 "value", 4 values`},
		"no header, decimal comma": {"20240101;1,50\n20240102;2,25\n20240103;1,75\n", `column 2, where "1,50" is 1.5, 3 days`},
		"no header, index":         {"0,1.5\n1,1.25\n2,7\n", "column 2, 3 values"},
		"a filtered series":        {",0\n7,1.5\n9,2.5\n", `column 2 "0", 2 values`},
		"an index and its squares": {"0,0\n1,1\n2,4\n3,9\n", "column 2, 4 values"},
		"date and hour": {
			"Date,Hour,price\n2024-01-01,22,5\n2024-01-01,23,7\n2024-01-02,0,6\n2024-01-02,1,4\n",
			`column 3 "price", 4 hours from 2024-01-01 22h to 2024-01-02 01h`,
		},
		"from and to": {
			"time;y\n01.01.2024 00:00 - 01.01.2024 01:00;5\n01.01.2024 01:00 - 01.01.2024 02:00;7\n01.01.2024 02:00 - 01.01.2024 03:00;6\n",
			`column 2 "y", 3 hours from 01.01.2024 00:00 - 01.01.2024 01:00 to`,
		},
		"names of years":    {"buurt,2023,2024\nNorth,5,a\nSouth,7,b\n", `column 2 "2023", 2 values`},
		"a name with zeros": {"buurt,0042\nNorth,100.50\nSouth,7.25\nWest,8.10\n", `column 2 "0042", 3 values`},
		"uneven by a little": {
			"time,y\n2024-01-01 00:00:00,1\n2024-01-01 00:05:01,2\n2024-01-01 00:10:00,4\n2024-01-01 00:15:02,3\n",
			`column 2 "y", 4 values from 2024-01-01 00:00:00`,
		},
		"ids of customers":       {"customer_id,y\n9,1.5\n7,2.5\n8,4\n", `column 2 "y", 3 values`},
		"thousands beside small": {"name,y\na,980\nb,\"1,000\"\nc,\"1,020\"\nd,\"1,045\"\n", `column 2 "y", where "1,000" is 1000, 4 values`},
		"a rest of decimal commas": {
			"date;y;share %\n2024-01-01;1.234;5,5%\n2024-01-02;1.345;7,25%\n2024-01-03;2.567;6%\n",
			`column 2 "y", where "1.234" is 1234, column 3 "share %", where "5,5%" is 5.5, 3 days`,
		},
		"a rest of points": {
			"name;y;date;z\na;1.234;;0.25\nb;1.345;;0.5\nc;2.567;;1.125\n",
			`column 2 "y", where "1.234" is 1.234, column 4 "z"`,
		},
		"a decimal comma for all": {
			"name;y;z\na;1,234;0,25\nb;1,345;0,5\n",
			`column 2 "y", where "1,234" is 1.234, column 3 "z", where "0,25" is 0.25, 2 values`,
		},
		"marks of missing values": {
			"name,y\na,19.5\nb,-999\nc,-20\nd,-999\n",
			`column 2 "y", where -999 comes 2 times and may stand for a missing value, 4 values`,
		},
		"a mark with decimals": {
			"name;y\na;19,5\nb;-99,99\nc;-20\n",
			`column 2 "y", where "19,5" is 19.5, where -99.99 comes 1 time and may stand`,
		},
		"nines of a range":      {"name,y\na,19.5\nb,-99\nc,-80\nd,-85\n", `column 2 "y", 4 values`},
		"years beside decimals": {"name,y\na,1980\nb,1.000\nc,1.020\nd,1.045\n", `column 2 "y", 4 values`},
		"three decimals":        {"name,y\na,1.980\nb,1.000\nc,1.020\nd,1.045\n", `column 2 "y", 4 values`},
		"an index of R":         {"\"\",\"y\"\n\"1\",1.5\n\"2\",2.5\n", `column 2 "y", 2 values`},
		"UTF-16":                {"\xff\xfed\x00;\x00y\x00\r\x00\n\x00a\x00;\x001\x00,\x005\x00", `column 2 "y", where "1,5" is 1.5, 1 value`},
		"UTF-16, big-endian":    {"\xfe\xff\x00y\x00\n\x002", `column 1 "y", 1 value`},
		"a typographic minus":   {"id,y\n1,−1.5\n2,2.5\n", `column 2 "y", where "−1.5" is -1.5, 2 values`},
	} {
		table, err := datasets.ReadTable(strings.NewReader(test.text), "f.csv")
		if err != nil {
			t.Errorf("%s: %v", about, err)
			continue
		}
		columns, err := table.Select()
		if len(table.Columns) == 1 {
			columns, err = table.Columns, nil
		}
		if got := table.Describe(columns...); err != nil || !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: %q, %v, not %q", about, got, err, test.want)
		}
		if note, err := table.Check(); err != nil || note != "" && about != "holidays" {
			t.Errorf("%s: %q, %v", about, note, err)
		}
	}
}

// TestSeriesOfNumbers: series that numbers tell apart, below or beside each other,
// are refused, and parts of a time are not.
func TestSeriesOfNumbers(t *testing.T) {
	for text, want := range map[string]string{
		"store,week,y\n1,1,5\n1,2,4\n1,3,6\n2,1,5\n2,2,9\n2,3,6\n": `line 5, column 2: 1 comes after 3, where column 1 "store" changes: ` +
			`there are several series below each other; give one alone, as the lines where it is "1"`,
		"unit,cycle,y\n1,1,5\n1,2,4\n2,1,6\n2,2,5\n": `line 4, column 2: 1 comes after 2, where column 1 "unit" changes`,
		"7,1,5\n7,2,4\n7,3,6\n9,1,5\n9,2,9\n9,3,6\n": `line 4, column 2: 1 comes after 3, where column 1 changes`,
		"week,store,y\n1,7,5\n1,9,4\n2,7,6\n2,9,5\n3,7,9\n3,9,6\n": `line 3, column 1: 1 is there twice, ` +
			`with another column 2 "store": there are several series`,
		"date,store,y\n2024-01-01,7,5\n2024-01-01,9,4\n2024-01-02,7,6\n2024-01-02,9,5\n": `line 3, column 1: 2024-01-01 is there twice, ` +
			`with another column 2 "store"`,
		"day,hour,y\n1,0,5\n1,1,4\n1,2,6\n2,0,5\n2,1,9\n2,2,6\n":   "<nil>",
		"weekday,n,y\n1,5,5\n2,5,4\n3,8,6\n1,9,5\n2,8,9\n3,5,6\n":  "<nil>",
		"count,home,y\n0,1,5\n0,0,4\n1,1,6\n1,1,5\n2,1,9\n2,0,6\n": "<nil>",
	} {
		table, err := datasets.ReadTable(strings.NewReader(text), "f.csv")
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if _, err = table.Choose("3"); err == nil {
			_, err = table.Check()
		}
		if !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%q: %v, not %s", text, err, want)
		}
	}
}

func TestNoColumnError(t *testing.T) {
	var missing *datasets.NoColumnError
	want := datasets.NoColumnError{Column: "z", Columns: []string{"day", "", "sales"}}
	_, err := datasets.ReadColumn(strings.NewReader("day,,sales\na,1,2\n"), "f", "z")
	if !errors.As(err, &missing) || missing.Column != want.Column || !slices.Equal(missing.Columns, want.Columns) {
		t.Errorf("of values: %v", err)
	}
	_, err = datasets.ReadSequences(strings.NewReader("day,,sales\na,1,2\n"), "f", "z")
	if !errors.As(err, &missing) || missing.Column != want.Column || !slices.Equal(missing.Columns, want.Columns) {
		t.Errorf("of labels: %v", err)
	}
}
