package datasets_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/datasets"
)

func ExampleNewObservations() {
	rows, err := datasets.NewCSVRows(strings.NewReader("host,time,load\na,2026-01-02 10:00,0.5\nb,2026-01-02 10:00,0.7\na,2026-01-02 10:01,\n"), "load.csv")
	if err != nil {
		log.Fatal(err)
	}
	observations, err := datasets.NewObservations(rows, datasets.Roles{Series: []string{"host"}, Targets: []string{"load"}})
	if err != nil {
		log.Fatal(err)
	}
	for {
		o, err := observations.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(o.Series, o.Time, o.Values)
	}
	// Output:
	// a 2026-01-02 10:00:00 +0000 UTC [0.5]
	// b 2026-01-02 10:00:00 +0000 UTC [0.7]
	// a 2026-01-02 10:01:00 +0000 UTC [NaN]
}

// All rows come, in any order of times, and those without times are numbered within their
// series.
func TestObservations(t *testing.T) {
	for _, test := range []struct {
		table string
		roles datasets.Roles
		want  string // stamps and sums of values
	}{
		{"t,a,b\n2026-01-03,1,2\n2026-01-01,3,\n2026-01-01,5,6\n", datasets.Roles{All: true}, "2026-01-03=3 2026-01-01=NaN 2026-01-01=11"},
		{"s,v\nx,1\ny,2\nx,3\n", datasets.Roles{Series: []string{"s"}}, "1=1 1=2 2=3"},
		{"v\n1\ninf\n-Inf\n", datasets.Roles{Infinite: true}, "1=1 2=NaN 3=NaN"},
		{"v,label\n1,0\n2,1\n", datasets.Roles{All: true}, "1=1 2=2"},
	} {
		rows, err := datasets.NewCSVRows(strings.NewReader(test.table), "t.csv")
		if err != nil {
			t.Fatal(err)
		}
		observations, err := datasets.NewObservations(rows, test.roles)
		if err != nil {
			t.Errorf("%q: %v", test.table, err)
			continue
		}
		var got []string
		for o, err := observations.Next(); err != io.EOF; o, err = observations.Next() {
			if err != nil {
				t.Fatal(err)
			}
			sum := 0.0
			for _, v := range o.Values {
				sum += v
			}
			got = append(got, fmt.Sprintf("%s=%g", o.Stamp, sum))
		}
		if got := strings.Join(got, " "); got != test.want {
			t.Errorf("%q: %s, not %s", test.table, got, test.want)
		}
	}
}

// A panel takes infinite values for missing ones where it is told to, and all columns of
// numbers but those that mark rows.
func TestPanelOfMetrics(t *testing.T) {
	rows, err := datasets.NewCSVRows(strings.NewReader("a,b,is_anomaly\n1,2,0\nInf,3,1\n4,5,0\n"), "t.csv")
	if err != nil {
		t.Fatal(err)
	}
	panel, err := datasets.ReadPanel(rows, datasets.Roles{All: true, Infinite: true})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(panel.Targets, []string{"a", "b"}) || !math.IsNaN(panel.Series[0].Targets[0][1]) || len(panel.Notes) == 0 {
		t.Errorf("targets %q, values %v, notes %q", panel.Targets, panel.Series[0].Targets, panel.Notes)
	}
}

// Rows of a step that jitters are brought to even steps, and the second of a step is left
// out.
func TestPanelNearest(t *testing.T) {
	const table = "time,v\n" +
		"2026-01-01 10:00:00.0,1\n2026-01-01 10:00:15.3,2\n2026-01-01 10:00:29.8,3\n2026-01-01 10:00:31.0,9\n" +
		"2026-01-01 10:01:00.2,5\n2026-01-01 10:01:15.1,6\n2026-01-01 10:01:15.1,9\n"
	rows, err := datasets.NewCSVRows(strings.NewReader(table), "t.csv")
	if err != nil {
		t.Fatal(err)
	}
	panel, err := datasets.ReadPanel(rows, datasets.Roles{Nearest: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(panel.Frequency, panel.Series[0].Targets); got != "15s [[1 2 3 NaN 5 6]]" {
		t.Error(got)
	}
	if notes := strings.Join(panel.Notes, "; "); !strings.Contains(notes, "4 rows brought to the nearest step of 15s") || !strings.Contains(notes, "2 rows left out") {
		t.Errorf("notes %q", notes)
	}
}

// Rows at the same times are those of several series, if there are many of them, and a
// clock that stepped back if there are few.
func TestPanelNearestTwice(t *testing.T) {
	read := func(table string) error {
		rows, err := datasets.NewCSVRows(strings.NewReader(table), "t.csv")
		if err == nil {
			_, err = datasets.ReadPanel(rows, datasets.Roles{Targets: []string{"v"}, Nearest: true})
		}
		return err
	}
	long, stepped := "time,host,v\n", "time,host,v\n"
	for i := range 30 {
		for _, host := range []string{"a", "b"} {
			long += fmt.Sprintf("2026-01-01 10:%02d:00,%s,%d\n", i, host, i%7)
		}
		stepped += fmt.Sprintf("2026-01-01 10:%02d:00,a,%d\n", max(i, i/20*(i-1)), i%7)
	}
	var role *datasets.RoleError
	if err := read(long); !errors.As(err, &role) || role.Role != "Series" || !slices.Contains(role.Columns, "host") {
		t.Errorf("two hosts: %v", err)
	}
	if err := read(strings.ReplaceAll(strings.ReplaceAll(long, ",a,", ",1,"), ",b,", ",1,")); err == nil || !strings.Contains(err.Error(), "line 3") || !strings.Contains(err.Error(), "there twice") {
		t.Errorf("each row twice: %v", err)
	}
	if err := read(stepped); err != nil {
		t.Errorf("one row twice: %v", err)
	}
}
