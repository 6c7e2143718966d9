package datasets_test

import (
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/models"
)

func readPanel(text string, roles datasets.Roles) (*datasets.Panel, error) {
	rows, err := datasets.NewCSVRows(strings.NewReader(text), "t.csv")
	if err != nil {
		return nil, err
	}
	return datasets.ReadPanel(rows, roles)
}

func mustRead(t *testing.T, text string, roles datasets.Roles) *datasets.Panel {
	t.Helper()
	p, err := readPanel(text, roles)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	return p
}

// show writes the series of a panel in one line each.
func show(p *datasets.Panel) string {
	var b strings.Builder
	for _, s := range p.Series {
		start := s.Start.Format(time.RFC3339)
		if s.Start.IsZero() {
			start = "-"
		}
		fmt.Fprintf(&b, "%s %q %s %v %v %v %v %q\n", s.Name, s.Key, start, s.Targets, s.Past, s.Future, s.Static, s.Categories)
	}
	return b.String()
}

func TestReadPanelLong(t *testing.T) {
	p := mustRead(t, `date,store,item,price,units,promo,size,region
2024-01-01,A,x,1,10,0,5,north
2024-01-02,A,x,2,11,1,5,north
2024-01-03,A,x,3,12,0,5,north
2024-01-04,A,x,4,,1,5,north
2024-01-03,B,y,7,21,0,6,south
2024-01-02,B,y,8,20,0,6,
`, datasets.Roles{Series: []string{"store", "ITEM"}, Targets: []string{"units"}, Past: []string{"4"}, Future: []string{"promo"}, Static: []string{"size", "region"}})
	want := `A/x ["A" "x"] 2024-01-01T00:00:00Z [[10 11 12]] [[1 2 3]] [[0 1 0 1]] [5] ["north"]
B/y ["B" "y"] 2024-01-02T00:00:00Z [[20 21]] [[8 7]] [[0 0]] [6] ["south"]
`
	if got := show(p); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if want := (datasets.Roles{Time: "date", Series: []string{"store", "item"}, Targets: []string{"units"}, Past: []string{"price"}, Future: []string{"promo"},
		Static: []string{"size"}, Categories: []string{"region"}}); !reflect.DeepEqual(p.Roles, want) {
		t.Errorf("the roles are %+v", p.Roles)
	}
	if p.Frequency != (models.Frequency{Count: 1, Unit: models.Day}) || p.Series[0].Ahead() != 1 {
		t.Errorf("%v, %d ahead", p.Frequency, p.Series[0].Ahead())
	}
	wantNotes(t, p, "sorted by time", "line 7", `in series "B/y"`)
}

// wantNotes fails unless a note has each of the words.
func wantNotes(t *testing.T, p *datasets.Panel, words ...string) {
	t.Helper()
	for _, word := range words {
		if !slices.ContainsFunc(p.Notes, func(note string) bool { return strings.Contains(note, word) }) {
			t.Errorf("no note has %q: %q", word, p.Notes)
		}
	}
}

func TestReadPanelWide(t *testing.T) {
	p := mustRead(t, `day;holiday;a;b;c
2024-01-29;0;1,5;;
2024-01-30;1;2,5;;
2024-01-31;0;;7;
2024-02-01;0;4,5;8;
2024-02-02;1;;;
`, datasets.Roles{Wide: true, Future: []string{"holiday"}})
	want := `a ["a"] 2024-01-29T00:00:00Z [[1.5 2.5 NaN 4.5]] [] [[0 1 0 0 1]] [] []
b ["b"] 2024-01-31T00:00:00Z [[7 8]] [] [[0 0 1]] [] []
`
	if got := show(p); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	wantNotes(t, p, `"c" has no values`, `"1,5" is 1.5`)
	if p = mustRead(t, "x,y\n1,2\n3,4\n5,6\n", datasets.Roles{Wide: true, Targets: []string{"y"}}); show(p) != "y [\"y\"] - [[2 4 6]] [] [] [] []\n" {
		t.Error(show(p))
	}
}

func TestReadPanelSeveralTargets(t *testing.T) {
	p := mustRead(t, "t,u,v\n1,2,3\n2,4,5\n4,6,7\n", datasets.Roles{Time: "t", Targets: []string{"v", "u"}})
	if want := " [] - [[3 5 NaN 7] [2 4 NaN 6]] [] [] [] []\n"; show(p) != want {
		t.Errorf("%s, want %s", show(p), want)
	}
	if p.Frequency != (models.Frequency{}) || p.Roles.Time != "t" {
		t.Errorf("%v, %q", p.Frequency, p.Roles.Time)
	}
	wantNotes(t, p, "missing between 2 and 4")
}

// times writes a table of times and the numbers from 1.
func timesTable(times ...string) string {
	var b strings.Builder
	b.WriteString("when,y\n")
	for i, at := range times {
		fmt.Fprintf(&b, "%s,%d\n", at, i+1)
	}
	return b.String()
}

func TestReadPanelTimes(t *testing.T) {
	for _, test := range []struct {
		times     string // separated by bars
		roles     datasets.Roles
		frequency string
		start     string
		values    string
	}{
		{"1949-01|1949-02|1949-03|1949-05", datasets.Roles{}, "1mo", "1949-01-01T00:00:00Z", "[1 2 3 NaN 4]"},
		{"2024-01-31|2024-02-29|2024-03-31|2024-04-30", datasets.Roles{}, "1me", "2024-01-31T00:00:00Z", "[1 2 3 4]"},
		{"2024-01-30|2024-02-29|2024-03-30", datasets.Roles{}, "1mo", "2024-01-30T00:00:00Z", "[1 2 3]"},
		{"2023Q3|2023Q4|2024Q1", datasets.Roles{}, "1q", "2023-07-01T00:00:00Z", "[1 2 3]"},
		{"2023-06-30|2023-09-30|2023-12-31", datasets.Roles{}, "1qe", "2023-06-30T00:00:00Z", "[1 2 3]"},
		{"2021|2022|2023|2025", datasets.Roles{Time: "when"}, "1y", "2021-01-01T00:00:00Z", "[1 2 3 NaN 4]"},
		{"2024-W51|2024-W52|2025-W01|2025-W02", datasets.Roles{}, "1w", "2024-12-16T00:00:00Z", "[1 2 3 4]"},
		{"2024-03-28|2024-03-29|2024-04-01|2024-04-02|2024-04-03|2024-04-05", datasets.Roles{}, "1b", "2024-03-28T00:00:00Z", "[1 2 3 4 5 NaN 6]"},
		{"2024-03-30|2024-03-31|2024-04-01|2024-04-03", datasets.Roles{}, "1d", "2024-03-30T00:00:00Z", "[1 2 3 NaN 4]"},
		{"2024-03-01 10:00|2024-03-01 10:15|2024-03-01 10:30|2024-03-01 11:00", datasets.Roles{}, "15min", "2024-03-01T10:00:00Z", "[1 2 3 NaN 4]"},
		{"2024-03-01T10:00:00.25Z|2024-03-01T10:00:00.5Z|2024-03-01T10:00:00.75Z", datasets.Roles{}, "250ms", "2024-03-01T10:00:00Z", "[1 2 3]"},
		// Clocks in Berlin go forward on 31 March 2024 and back on 27 October.
		{"2024-03-31T01:00:00+01:00|2024-03-31T03:00:00+02:00|2024-03-31T04:00:00+02:00", datasets.Roles{}, "1h", "2024-03-31T01:00:00+01:00", "[1 2 3]"},
		{"2024-03-30T00:00:00+01:00|2024-03-31T00:00:00+01:00|2024-04-01T00:00:00+02:00|2024-04-02T00:00:00+02:00", datasets.Roles{}, "1d", "2024-03-30T00:00:00+01:00", "[1 2 3 4]"},
		{"2024-10-27 01:00|2024-10-27 02:00|2024-10-27 02:00|2024-10-27 03:00", datasets.Roles{}, "1h", "2024-10-27T01:00:00+02:00", "[1 2 3 4]"},
		{"2024-10-27 02:00|2024-10-27 02:30|2024-10-27 02:00|2024-10-27 02:30|2024-10-27 03:00", datasets.Roles{}, "30min", "2024-10-27T02:00:00+02:00", "[1 2 3 4 5]"},
		{"2024-11-03 00:00|2024-11-03 01:00|2024-11-03 01:00|2024-11-03 02:00", datasets.Roles{}, "1h", "2024-11-03T00:00:00-04:00", "[1 2 3 4]"},
		{"2024-10-27 01:00|2024-10-27 02:00|2024-10-27 02:00|2024-10-27 03:00", datasets.Roles{Zone: "Europe/Berlin"}, "1h", "2024-10-27T01:00:00+02:00", "[1 2 3 4]"},
		{"2024-03-31 01:00|2024-03-31 03:00|2024-03-31 04:00", datasets.Roles{Zone: "Europe/Berlin"}, "1h", "2024-03-31T01:00:00+01:00", "[1 2 3]"},
		{"2024-03-30T23:00:00Z|2024-03-31T22:00:00Z|2024-04-01T22:00:00Z|2024-04-02T22:00:00Z", datasets.Roles{Zone: "Europe/Berlin"}, "1d", "2024-03-31T00:00:00+01:00", "[1 2 3 4]"},
		{"2024-01-01T00:00:00+05:30|2024-01-02T00:00:00+05:30|2024-01-03T00:00:00+05:30", datasets.Roles{}, "1d", "2024-01-01T00:00:00+05:30", "[1 2 3]"},
		{"1700000000|1700000060|1700000120", datasets.Roles{Time: "when", TimeFormat: "unix"}, "1min", "2023-11-14T22:13:20Z", "[1 2 3]"},
		{"1700000000.825|1700000060.825|1700000120.825", datasets.Roles{Time: "when", TimeFormat: "unix"}, "1min", "2023-11-14T22:13:20Z", "[1 2 3]"},
		{"1700000000.001|1700000060.001|1700000180.001", datasets.Roles{Time: "when"}, "1min", "2023-11-14T22:13:20Z", "[1 2 NaN 3]"},
		{"1700000000000|1700000001500|1700000003000", datasets.Roles{Time: "when", TimeFormat: "unix-ms"}, "1500ms", "2023-11-14T22:13:20Z", "[1 2 3]"},
		{"1700000000000000|1700000060000000|1700000120000000", datasets.Roles{Time: "when", TimeFormat: "unix-us"}, "1min", "2023-11-14T22:13:20Z", "[1 2 3]"},
		{"1700000000000000000|1700000060000000000|1700000120000000000", datasets.Roles{Time: "when", TimeFormat: "unix-ns"}, "1min", "2023-11-14T22:13:20Z", "[1 2 3]"},
		{"03/04/2024|04/04/2024|05/04/2024", datasets.Roles{TimeFormat: "%d/%m/%Y"}, "1d", "2024-04-03T00:00:00Z", "[1 2 3]"},
		{"03/04/2024|04/04/2024|05/04/2024", datasets.Roles{TimeFormat: "1/2/2006", Time: "1"}, "1mo", "2024-03-04T00:00:00Z", "[1 2 3]"},
		{"20240130|20240131|20240201", datasets.Roles{}, "1d", "2024-01-30T00:00:00Z", "[1 2 3]"},
		{"2024-01-01|2024-01-03|2024-01-04|2024-01-05", datasets.Roles{Frequency: "1d", Missing: models.MissingInterpolate}, "1d", "2024-01-01T00:00:00Z", "[1 1.5 2 3 4]"},
		{"2024-01-01", datasets.Roles{}, "", "2024-01-01T00:00:00Z", "[1]"},
	} {
		p, err := readPanel(timesTable(strings.Split(test.times, "|")...), test.roles)
		if err != nil {
			t.Errorf("%s: %v", test.times, err)
			continue
		}
		s := p.Series[0]
		got := []string{p.Frequency.String(), s.Start.Format(time.RFC3339), fmt.Sprint(s.Targets[0])}
		if want := []string{test.frequency, test.start, test.values}; !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q; %q", test.times, got, want, p.Notes)
		}
	}
}

// TestReadPanelDays has one series without weekends and one with them.
func TestReadPanelDays(t *testing.T) {
	p := mustRead(t, `day,id,y
2024-03-28,a,1
2024-03-29,a,2
2024-04-01,a,3
2024-04-02,a,4
2024-03-30,b,1
2024-03-31,b,2
2024-04-01,b,3
`, datasets.Roles{Series: []string{"id"}})
	if p.Frequency != (models.Frequency{Count: 1, Unit: models.Day}) || p.Series[0].Len() != 6 {
		t.Errorf("%v: %s", p.Frequency, show(p))
	}
}

func TestReadPanelTimesInParts(t *testing.T) {
	for _, test := range []struct{ text, frequency, start, values string }{
		{"Year,Month,y\n1949,11,1\n1949,12,2\n1950,1,3\n1950,2,4\n", "1mo", "1949-11-01T00:00:00Z", "[1 2 3 4]"},
		{"Year,Month,y\n1949,Nov,1\n1949,Dec,2\n1950,Jan,3\n1950,Feb,4\n", "1mo", "1949-11-01T00:00:00Z", "[1 2 3 4]"},
		{"year,month,day,hour,y\n2010,1,1,22,1\n2010,1,1,23,2\n2010,1,2,0,3\n2010,1,2,1,4\n", "1h", "2010-01-01T22:00:00Z", "[1 2 3 4]"},
		{"year,quarter,y\n2010,3,1\n2010,4,2\n2011,1,3\n2011,2,4\n", "1q", "2010-07-01T00:00:00Z", "[1 2 3 4]"},
		{"Date;Time;y\n16/12/2006;23:58:00;1\n16/12/2006;23:59:00;2\n17/12/2006;00:00:00;3\n17/12/2006;00:01:00;4\n", "1min", "2006-12-16T23:58:00Z", "[1 2 3 4]"},
		{"date,hour,y\n2010-01-01,22,1\n2010-01-01,23,2\n2010-01-02,0,3\n2010-01-02,1,4\n", "1h", "2010-01-01T22:00:00Z", "[1 2 3 4]"},
	} {
		p, err := readPanel(test.text, datasets.Roles{})
		if err != nil {
			t.Errorf("%s: %v", test.text, err)
			continue
		}
		s := p.Series[0]
		got := []string{p.Frequency.String(), s.Start.Format(time.RFC3339), fmt.Sprint(s.Targets[0])}
		if want := []string{test.frequency, test.start, test.values}; !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q; %q", test.text, got, want, p.Notes)
		}
	}
	_, err := readPanel("Year,Month,y\n"+strings.Repeat("1949,11,1\n", 10_000)+"1949,13,2\n", datasets.Roles{})
	if err == nil || !strings.Contains(err.Error(), "line 10002") || !strings.Contains(err.Error(), `"13"`) {
		t.Errorf("the error is %v", err)
	}
}

func TestReadPanelRefuses(t *testing.T) {
	refuse := datasets.Roles{Missing: models.MissingRefuse}
	for _, test := range []struct {
		text  string
		roles datasets.Roles
		words []string
	}{
		{"when,y\n2024-01-01,1\n2024-01-02,2\n2024-01-02,3\n", datasets.Roles{}, []string{"line 4, column 1", "2024-01-02 is there twice", "line 3"}},
		{"when,store,y\n2024-01-01,A,1\n2024-01-01,B,2\n2024-01-02,A,3\n", datasets.Roles{}, []string{"line 3", "twice", `column 2 "store" may tell series apart; say which in Roles.Series`}},
		{"when,store,y\n2024-01-01,A,1\n2024-01-01,B,2\n2024-01-02,A,3\n2024-01-01,A,4\n", datasets.Roles{Series: []string{"store"}}, []string{"line 5", "twice", "line 2", `series "A"`}},
		{timesTable("2024-01-01", "2024-01-02", "2024-01-03 07:00", "2024-01-04"), datasets.Roles{}, []string{"line 4", "no time like"}},
		{timesTable("2024-01-01 00:00", "2024-01-01 01:00", "2024-01-01 01:40", "2024-01-01 02:00", "2024-01-01 03:00"), datasets.Roles{}, []string{"line 4", "no whole number of steps of 1h"}},
		{timesTable("2024-01-01", "2024-01-02", "2204-01-03"), datasets.Roles{}, []string{"line 4", "rows are missing between 2024-01-02 and 2204-01-03"}},
		{timesTable("2024-01-01", "", "2024-01-03"), datasets.Roles{}, []string{"line 3", "missing time"}},
		{timesTable("03/04/2024", "04/05/2024"), datasets.Roles{Time: "when"}, []string{"line 2", "day or the month first"}},
		{timesTable("2024-03-31 01:00", "2024-03-31 02:00"), datasets.Roles{Zone: "Europe/Berlin"}, []string{"line 3", "does not have"}},
		{timesTable("2024-03-31 01:00:00 CET", "2024-03-31 02:00:00 CET"), datasets.Roles{}, []string{"line 2", "CET", "zone"}},
		{timesTable("a", "b"), datasets.Roles{Time: "when"}, []string{"line 2, column 1", `"a" is no time`}},
		{timesTable("2024-01-01", "Total", "", "2024-01-03"), datasets.Roles{}, []string{"line 3, column 1", `"Total" is no time like "2024-01-01"`}},
		{timesTable("2024-01-01", "2024-02-01", "2024-03-01", "2024-04-01", "2024-05-01"), datasets.Roles{Frequency: "1d"}, []string{"no two rows lie 1 day apart"}},
		{"store,2024-01,2024-02,2024-03\nA,1,2,3\nB,4,5,6\n", datasets.Roles{}, []string{`the times are in the header, "2024-01" and 2 more; turn the table`}},
		{"Sales of 2024\n\nwhen,store,y\n2024-01-01,A,1\n", datasets.Roles{}, []string{"line 3: 3 fields", "leave out what is above the header"}},
		{timesTable("2024-01-01", "2024-01-02", "2024-01-04"), refuse, []string{"line 4", "missing between 2024-01-02 and 2024-01-04"}},
		{"y\n1\n\n3\n", refuse, []string{"line 3, column 1", "missing value"}},
		{"y\n1\nNaN\n3\n", refuse, []string{"line 3, column 1", "missing value"}},
		{"y,x\n1,2\n2,\n3,2\n", datasets.Roles{Targets: []string{"y"}, Past: []string{"x"}, Missing: models.MissingRefuse}, []string{"line 3, column 2", "missing value"}},
		{"y,s\n1,2\n2,2\n", datasets.Roles{Targets: []string{"y"}, Static: []string{"s"}, Series: []string{"s"}}, []string{"column 2", "series and static"}},
		{"y\n1\n2\n+Inf\n", datasets.Roles{}, []string{"line 4", "infinite"}},
		{"y\n1\n1e39\n", datasets.Roles{}, []string{"line 3", "too large"}},
		{"y\ntrue\nfalse\n", datasets.Roles{Targets: []string{"y"}}, []string{"line 2", "not a number"}},
		{"y\n1\n2\n3 kg\n", datasets.Roles{}, []string{"line 4", "unit"}},
		{"y\nNaN\nNaN\n", datasets.Roles{Targets: []string{"y"}}, []string{`no values of ["y"]`}},
		{"when,y,z\n2024-01-01,1,2\n", datasets.Roles{}, []string{"2 columns of numbers", `2 "y", 3 "z"`, "say which in Roles.Targets; else set Roles.Wide"}},
		{"when,y\n2024-01-01,1\n", datasets.Roles{Targets: []string{"sales"}}, []string{`no column "sales"`, `2 "y"`}},
		{"when,y\n2024-01-01,1\n", datasets.Roles{Past: []string{"y"}}, []string{"no column of numbers is left"}},
		{"when,y\n2024-01-01,1\n", datasets.Roles{Targets: []string{"y", "2"}}, []string{"a target and a target"}},
		{"when,y\n2024-01-01,1\n2024-01-02,2\n", datasets.Roles{Targets: []string{"when"}}, []string{"2024-01-01", "not a number"}},
		{"id,y,size\nA,1,5\nA,2,6\n", datasets.Roles{Series: []string{"id"}, Targets: []string{"y"}, Static: []string{"size"}}, []string{"line 3, column 3", `"6"`, `"5"`, `series "A"`}},
		{"id,y,c\nA,1,u\nB,1,w\nA,2,v\n", datasets.Roles{Series: []string{"id"}, Static: []string{"c"}}, []string{"line 4, column 3", `"v"`, `"u"`}},
		{"id,y\nA,1\n,2\n", datasets.Roles{Series: []string{"id"}, Targets: []string{"y"}}, []string{"line 3, column 1", "name of the series"}},
		{"id,y,c\nA,1,\nA,2,\n", datasets.Roles{Series: []string{"id"}, Categories: []string{"c"}, Missing: models.MissingRefuse}, []string{"line 2, column 3", "missing value"}},
		{"y\n1,5\n2,5\n", datasets.Roles{}, []string{"line 2", "2 fields"}},
		{"when;y\n2024-01-01;1,234\n2024-01-02;2,345\n", datasets.Roles{}, []string{"line 2, column 2", "decimal comma or thousands"}},
		{"when,y\n2024-01-01,1\n", datasets.Roles{Calendar: []string{"hour"}}, []string{"without times"}},
		{"k,y\na,1\nb,2\n", datasets.Roles{Zone: "Europe/Berlin"}, []string{"no column of times", `1 "k"`}},
		{"k,y\n2024-01-01,1\n2024-01-02,2\n", datasets.Roles{TimeFormat: "%d.%m.%Y"}, []string{"no column of times", `1 "k"`}},
		{"step,y\n1,1\n2,2\n3,4\n", datasets.Roles{Frequency: "1h"}, []string{"column 1", "no frequency"}},
	} {
		_, err := readPanel(test.text, test.roles)
		for _, word := range test.words {
			if err == nil || !strings.Contains(err.Error(), word) {
				t.Errorf("%q, %+v: the error is %v, without %q", test.text, test.roles, err, word)
			}
		}
	}
}

// TestReadPanelContradictions has numbers and times after the rows that decide how they are
// written.
func TestReadPanelContradictions(t *testing.T) {
	head := func(number string) string {
		var b strings.Builder
		at := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
		b.WriteString("when;y\n")
		for i := range 10_000 {
			fmt.Fprintf(&b, "%s;%s\n", at.AddDate(0, 0, i).Format(time.DateOnly), number)
		}
		return b.String()
	}
	for _, test := range []struct{ number, last, want string }{
		{"1,5", "2027-05-19;1.234", "line 10002, column 2"},
		{"1.5", "2027-05-19;1,5", "line 10002, column 2"},
		{"15", "2027-05-19;1.020", "line 10002, column 2"},
		{"1,020.5", "2027-05-19;1.020,5", "line 10002, column 2"},
		{"15", "2027-05-19;€ 15", "line 10002, column 2"},
		{"1,5", "2027-05-19;€ 2,5", "line 10002, column 2"},
		{"15", "19.05.2027;15", "line 10002, column 1"},
		{"15", "2027-05-19;x", `"x" is not a number`},
	} {
		if _, err := readPanel(head(test.number)+test.last+"\n", datasets.Roles{}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s after %s: the error is %v", test.last, test.number, err)
		}
	}
	for _, test := range []struct {
		number, last string
		want         float64
	}{{"1,5", "2,25", 2.25}, {"1,5", "1.020,5", 1020.5}, {"15", "2.5", 2.5}, {"15", "2,25", 2.25}, {"1.5", "1.020", 1.02}, {"1,020.5", "3,000", 3000}} {
		p := mustRead(t, head(test.number)+"2027-05-19;"+test.last+"\n", datasets.Roles{})
		if values := p.Series[0].Targets[0]; values[10_000] != test.want {
			t.Errorf("%s after %s is %v, want %v", test.last, test.number, values[10_000], test.want)
		}
	}
}

// TestReadPanelBursts has values each second for a while, with long pauses between.
func TestReadPanelBursts(t *testing.T) {
	var times []string
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 1000 {
		if at = at.Add(time.Second); i%10 == 0 {
			at = at.Add(999 * time.Second)
		}
		times = append(times, at.Format(time.DateTime))
	}
	_, err := readPanel(timesTable(times...), datasets.Roles{})
	if err == nil || !strings.Contains(err.Error(), "line 112, column 1: rows are missing") || !strings.Contains(err.Error(), "10989, where the series has 1000") {
		t.Errorf("the error is %v", err)
	}
}

func TestReadPanelRoles(t *testing.T) {
	for field, roles := range map[string]datasets.Roles{
		"Missing":     {Missing: "drop"},
		"Series":      {Series: []string{"a"}, Wide: true},
		"Frequency":   {Frequency: "often"},
		"Zone":        {Zone: "Europe/Atlantis"},
		"Calendar[0]": {Calendar: []string{"moon"}},
		"TimeFormat":  {TimeFormat: "%d.%m."},
	} {
		_, err := readPanel("y\n1\n", roles)
		wantField(t, err, field)
	}
	_, err := readPanel("y\n1\n", datasets.Roles{Targets: []string{"z"}})
	var none *datasets.NoColumnError
	if !errors.As(err, &none) || none.Column != "z" {
		t.Errorf("the error is %v", err)
	}
}

func TestReadPanelMissing(t *testing.T) {
	wide := mustRead(t, "p,a,b\n1,2,\n,4,5\n3,,6\n4,,\n", datasets.Roles{Wide: true, Past: []string{"p"}, Missing: models.MissingInterpolate})
	if got, want := show(wide), "a [\"a\"] - [[2 4]] [[1 2]] [] [] []\nb [\"b\"] - [[5 6]] [[2 3]] [] [] []\n"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	text := "y,p,z\n,1,0\n2,,0\n,3,0\n5,,0\n,,0\n"
	for missing, want := range map[models.Missing]string{
		"":                        "[[NaN 2 NaN 5]] [[1 NaN 3 NaN]]",
		models.MissingMask:        "[[NaN 2 NaN 5]] [[1 NaN 3 NaN]]",
		models.MissingInterpolate: "[[2 2 3.5 5]] [[1 2 3 3]]",
	} {
		p := mustRead(t, text, datasets.Roles{Targets: []string{"y"}, Past: []string{"p"}, Missing: missing})
		if got := fmt.Sprint(p.Series[0].Targets, p.Series[0].Past); got != want {
			t.Errorf("%s: %s, want %s", missing, got, want)
		}
		if note := "1 row at the end of series without a value of \"y\" left out: a series ends with its last value"; !slices.Contains(p.Notes, note) {
			t.Errorf("%s: the notes are %q", missing, p.Notes)
		}
	}
	truths := mustRead(t, "y,f\n1,true\n2,FALSE\n3,True\n", datasets.Roles{Targets: []string{"y"}, Future: []string{"f"}})
	if got := fmt.Sprint(truths.Series[0].Future); got != "[[1 0 1]]" {
		t.Errorf("true and false are %s", got)
	}
	masked := mustRead(t, "y,f,z\n1,1,0\n2,2,0\n,,0\n", datasets.Roles{Targets: []string{"y"}, Future: []string{"f"}})
	if got, want := fmt.Sprint(masked.Series[0].Targets, masked.Series[0].Future), "[[1 2]] [[1 2]]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	p := mustRead(t, "y,f\n1,1\n,2\n3,\n,5\n,\n,6\n", datasets.Roles{Targets: []string{"y"}, Future: []string{"f"}, Missing: models.MissingInterpolate})
	if got, want := fmt.Sprint(p.Series[0].Targets, p.Series[0].Future), "[[1 2 3]] [[1 2 2 5 NaN 6]]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// typedRows is a table whose format tells what its fields are.
type typedRows struct {
	columns []string
	rows    [][]datasets.Field
	next    int
}

func (r *typedRows) Columns() []string { return r.columns }

func (r *typedRows) Next() ([]datasets.Field, int, error) {
	if r.next == len(r.rows) {
		return nil, 0, io.EOF
	}
	r.next++
	return r.rows[r.next-1], r.next, nil
}

func (r *typedRows) At(line, column int, err error) error {
	return fmt.Errorf("row %d, column %d: %w", line, column, err)
}

func TestReadPanelTyped(t *testing.T) {
	number := func(v float64) datasets.Field { return datasets.Field{Kind: datasets.NumberField, Number: v} }
	at := func(day int) datasets.Field {
		return datasets.Field{Kind: datasets.TimeField, Time: time.Date(2024, 5, day, 0, 0, 0, 0, time.UTC)}
	}
	text := func(s string) datasets.Field { return datasets.Field{Text: s} }
	none := datasets.Field{Kind: datasets.MissingField}
	rows := [][]datasets.Field{
		{at(1), text("a"), number(1), number(3)}, {at(2), text("a"), none, number(3)}, {at(3), text("a"), text("2.5"), number(3)},
		{at(2), text("b"), number(nan), none}, {at(1), text("b"), number(7), number(4)},
	}
	roles := datasets.Roles{Series: []string{"s"}, Targets: []string{"y"}, Static: []string{"z"}}
	p, err := datasets.ReadPanel(&typedRows{columns: []string{"ds", "s", "y", "z"}, rows: rows}, roles)
	if err != nil {
		t.Fatal(err)
	}
	want := "a [\"a\"] 2024-05-01T00:00:00Z [[1 NaN 2.5]] [] [] [3] []\nb [\"b\"] 2024-05-01T00:00:00Z [[7]] [] [] [4] []\n"
	if got := show(p); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	for want, bad := range map[string][]datasets.Field{
		"row 6, column 3: \"+Inf\" is infinite":                                      {at(3), text("b"), number(math.Inf(1)), none},
		"row 6, column 3: \"1000000000000000000000000000000000000000\" is too large": {at(3), text("b"), number(1e39), none},
		"row 6, column 3: \"2024-05-01T00:00:00Z\" is not a number":                  {at(3), text("b"), at(1), none},
		"row 6, column 1: \"\" is a missing time":                                    {none, text("b"), number(1), none},
		"row 6, column 2: ":      {at(3), none, number(1), none},
		"row 6, column 4: \"5\"": {at(3), text("b"), number(1), number(5)},
	} {
		_, err := datasets.ReadPanel(&typedRows{columns: []string{"ds", "s", "y", "z"}, rows: append(rows[:5:5], bad)}, roles)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("the error is %v, want %s", err, want)
		}
	}
}

// TestReadPanelFrame has lines above and below the rows that are no rows.
func TestReadPanelFrame(t *testing.T) {
	for text, want := range map[string]string{
		"when,y,z\n,MW,°C\n2024-01-01,1,4\n2024-01-02,2,5\n":               `line 2 is no row and is left out, since it has no digit: "", "MW", "°C"`,
		"Price,y,z\nTicker,A,B\nDate,,\n2024-01-01,1,4\n2024-01-02,2,5\n":  `line 3 is no row and is left out, since it has no digit: "Date", "", ""`,
		"when,y,z\n2024-01-01,1,4\n2024-01-02,2,5\nTotal,3,9\n":            `line 4 is no row and is left out, since "Total" is no time`,
		"when,y,z\n2024-01-01,1,4\n2024-01-02,2,5\n,3,9\nSource: us,,\n":   `2 lines at the end are no rows and are left out, since "" in line 4 is no time`,
		"when;y;z\n01.01.2024;1;4\n02.01.2024;2;5\nSumme;1.000.000,50;9\n": `line 4 is no row and is left out, since "Summe" is no time`,
	} {
		p := mustRead(t, text, datasets.Roles{Targets: []string{"y", "z"}})
		if got := fmt.Sprint(p.Series[0].Targets); got != "[[1 2] [4 5]]" {
			t.Errorf("%q: got %s", text, got)
		}
		if !slices.Contains(p.Notes, want) {
			t.Errorf("%q: no note %s in %q", text, want, p.Notes)
		}
	}
}

// TestReadPanelForeign has months and weeks as other languages write them.
func TestReadPanelForeign(t *testing.T) {
	for _, test := range []struct{ text, start, frequency string }{
		{"Monat;y\nDezember 2023;1\nJanuar 2024;2\nFebruar 2024;3\nMärz 2024;4\n", "2023-12-01", "1mo"},
		{"mois;y\njuin 2023;1\njuillet 2023;2\naoût 2023;3\nseptembre 2023;4\n", "2023-06-01", "1mo"},
		{"mes;y\n1 mayo 2023;1\n1 junio 2023;2\n1 julio 2023;3\n1 agosto 2023;4\n", "2023-05-01", "1mo"},
		{"mese;y\naprile 2023;1\nmaggio 2023;2\ngiugno 2023;3\nluglio 2023;4\n", "2023-04-01", "1mo"},
		{"Woche;y\nKW 52/2023;1\nKW 01/2024;2\nKW 02/2024;3\n", "2023-12-25", "1w"},
	} {
		p := mustRead(t, test.text, datasets.Roles{})
		if start := p.Series[0].Start.Format("2006-01-02"); start != test.start || p.Frequency.String() != test.frequency {
			t.Errorf("%q: from %s on by %s", test.text, start, p.Frequency)
		}
	}
	p := mustRead(t, "Woche;y\nW3 of May;1\nW4 of May;2\n", datasets.Roles{})
	if want := `column 1 "Woche" is not read, since "W3 of May" is no time that is understood: the rows are taken to be in order, one step apart`; !slices.Contains(p.Notes, want) {
		t.Errorf("the notes are %q, without %s", p.Notes, want)
	}
}

// TestReadPanelMonthFirst has dates that tell what a comma in numbers is.
func TestReadPanelMonthFirst(t *testing.T) {
	p := mustRead(t, "Date,Visits\n12/30/2023,\"10,045\"\n12/31/2023,\"9,104\"\n", datasets.Roles{})
	if got := fmt.Sprint(p.Series[0].Targets); got != "[[10045 9104]]" {
		t.Errorf("got %s", got)
	}
}

// TestReadPanelEnded has a series that ends long before the others.
func TestReadPanelEnded(t *testing.T) {
	var b strings.Builder
	b.WriteString("year,id,y\n")
	for i := range 40 {
		fmt.Fprintf(&b, "%d,A,%d\n", 1980+i, i)
		if i < 37 {
			fmt.Fprintf(&b, "%d,B,%d\n", 1980+i, i)
		}
		if i < 30 {
			fmt.Fprintf(&b, "%d,C,%d\n", 1980+i, i)
		}
	}
	want := `1 of 3 series end before 2019 as the others do, such as "C" at 2009: each is forecast from its own end`
	if p := mustRead(t, b.String(), datasets.Roles{Series: []string{"id"}, Targets: []string{"y"}}); !slices.Contains(p.Notes, want) {
		t.Errorf("no note %s in %q", want, p.Notes)
	}
}

// TestReadPanelTypedLater has numbers that cannot be used after the rows that decide how
// columns are written.
func TestReadPanelTypedLater(t *testing.T) {
	rows := make([][]datasets.Field, 10_001)
	for i := range rows {
		rows[i] = []datasets.Field{{Kind: datasets.NumberField, Number: float64(i % 5)}}
	}
	for v, want := range map[float64]string{math.Inf(-1): "infinite", -1e39: "too large for float32"} {
		rows[10_000] = []datasets.Field{{Kind: datasets.NumberField, Number: v}}
		_, err := datasets.ReadPanel(&typedRows{columns: []string{"y"}, rows: rows}, datasets.Roles{})
		if err == nil || !strings.HasPrefix(err.Error(), "row 10001, column 1: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, without %q", err, want)
		}
	}
}

func TestReadPanelUnsupported(t *testing.T) {
	list := datasets.Field{Kind: datasets.UnsupportedField, Text: "list<int64>"}
	row := []datasets.Field{{Kind: datasets.NumberField, Number: 1}, list}
	read := func(roles datasets.Roles) (*datasets.Panel, error) {
		return datasets.ReadPanel(&typedRows{columns: []string{"y", "tags"}, rows: [][]datasets.Field{row, row}}, roles)
	}
	if p, err := read(datasets.Roles{}); err != nil || len(p.Targets) != 1 || p.Targets[0] != "y" {
		t.Errorf("a column without a role: %v, %v", p, err)
	}
	want := "row 0, column 2: values of the type list<int64>, which can be neither numbers nor texts; choose another column"
	for _, roles := range []datasets.Roles{
		{Targets: []string{"tags"}}, {Time: "tags"}, {Series: []string{"tags"}}, {Past: []string{"tags"}}, {Future: []string{"tags"}}, {Static: []string{"tags"}}, {Categories: []string{"tags"}},
	} {
		if _, err := read(roles); err == nil || err.Error() != want {
			t.Errorf("%+v: the error is %v, want %s", roles, err, want)
		}
	}
}

func TestReadPanelNotes(t *testing.T) {
	var same, shifted, steady strings.Builder
	for i := range 40 {
		y := (i*37 + 11) % 101
		next := ((i+2)*37 + 11) % 101
		fmt.Fprintf(&same, "%d,%d\n", y, 3-2*y)
		fmt.Fprintf(&shifted, "%d,%d\n", y, next)
		fmt.Fprintf(&steady, "%d,%d\n", i, i%7)
	}
	past := datasets.Roles{Targets: []string{"y"}, Past: []string{"x"}}
	wantNotes(t, mustRead(t, "y,x\n"+same.String(), past), `"x" tells "y"`, "a linear function of it.")
	wantNotes(t, mustRead(t, "y,x\n"+shifted.String(), datasets.Roles{Targets: []string{"y"}, Future: []string{"x"}}), `"x" tells "y"`, "2 rows earlier")
	if p := mustRead(t, "y,x\n"+steady.String(), past); len(p.Notes) > 0 {
		t.Errorf("%q", p.Notes)
	}
	wantNotes(t, mustRead(t, "id,y\na,3\na,3\nb,1\nb,2\nc,\nc,\nd,4\nd,4\n", datasets.Roles{Series: []string{"id"}, Targets: []string{"y"}}),
		`series "c" has no values`, `2 series of values never change, the first is "y" in series "a"`)
	wantNotes(t, mustRead(t, "y\n5\n5\n5\n", datasets.Roles{}), `"y" never changes`)
	wantNotes(t, mustRead(t, "y,z\n5,0\n,0\n-999,0\n6,0\n", datasets.Roles{Targets: []string{"y"}}), "-999 comes 1 time", `1 value missing, the first is that of "y" in line 3`)
}

// TestNoteOutliers has values that are far from all others, on both sides, and series that
// have few large values by nature.
func TestNoteOutliers(t *testing.T) {
	read := func(n int, value func(i int) float64) *datasets.Panel {
		var b strings.Builder
		b.WriteString("day,y\n")
		for i := range n {
			fmt.Fprintf(&b, "%s,%g\n", time.Date(2024, 1, 1+i, 0, 0, 0, 0, time.UTC).Format(time.DateOnly), value(i))
		}
		return mustRead(t, b.String(), datasets.Roles{})
	}
	usual := func(i int) float64 { return float64(20 + i*7%11) }
	wantNotes(t, read(60, func(i int) float64 {
		if i == 31 {
			return 500
		}
		return usual(i)
	}), `"y" is 500 at 2024-02-01, while all others are 20 to 30: if that is a mistake, leave it empty`)
	wantNotes(t, read(60, func(i int) float64 {
		if i == 31 || i == 59 {
			return 0
		}
		return usual(i)
	}), `2 values lie far from all others: "y" is 0 at 2024-02-01, while all others are 20 to 30; if these are mistakes, leave them empty`)
	for name, value := range map[string]func(i int) float64{
		"closed on Sundays": func(i int) float64 { return usual(i) * float64(min(1, i%7)) },
		"mostly none":       func(i int) float64 { return float64(i / 20 * max(0, i%20-18)) },
		"growing":           func(i int) float64 { return math.Exp(float64(i) / 4) },
		"few rows":          func(i int) float64 { return usual(i) + float64(i/18*1000) },
	} {
		n := 60
		if name == "few rows" {
			n = 19
		}
		if p := read(n, value); strings.Contains(strings.Join(p.Notes, "\n"), "mistake") {
			t.Errorf("%s: %q", name, p.Notes)
		}
	}
}
