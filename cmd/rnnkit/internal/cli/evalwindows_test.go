package cli

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWindowsKey(t *testing.T) {
	byName := map[string][][]any{"": nil, "a": nil, "b.csv": nil, "data/b.csv": nil, "other/new/b": nil}
	for _, test := range []struct{ series, data, want string }{
		{"a", "data/b.csv", "a"},
		{"c", "data/b.csv", "data/b.csv"},
		{"", "old/b.csv", "b.csv"},
		{"", "other/new/b.csv", "other/new/b"},
		{"c", "ab.csv", ""},
	} {
		for range 10 { // in any order of the map
			if key, found := windowsKey(byName, test.series, test.data); key != test.want || !found {
				t.Fatalf("%+v: %q, %v", test, key, found)
			}
		}
	}
}

// Windows of none of the series are refused, and not taken for none.
func TestWindowsOfOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "windows.json")
	if err := os.WriteFile(path, []byte(`{"c": []}`), 0o666); err != nil {
		t.Fatal(err)
	}
	e := &evaluation{series: []*evaluated{{name: "a"}, {name: "b"}}}
	if err := e.readWindows(path, "x.csv", nil); err == nil || !strings.Contains(err.Error(), `there are no windows of x.csv, but of 1 others, such as ["c"]`) {
		t.Error(err)
	}
}

// Rows of which the robust z-score knows nothing are no anomalies of it.
func TestRobustBorder(t *testing.T) {
	s := &evaluated{values: [][]float64{make([]float64, 50)}, scores: make([]float64, 50)}
	for i := range s.scores {
		s.values[0][i] = math.Sin(float64(i * i))
		s.scores[i] = 2
	}
	e := &evaluation{columns: 1, series: []*evaluated{s}}
	if r := e.robust(1); r.False == 0 || r.False > 30 {
		t.Errorf("%d of 50 rows are anomalies", r.False)
	}
}
