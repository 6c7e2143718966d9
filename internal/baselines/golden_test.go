package baselines_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/rnnkit/rnnkit/internal/baselines"
)

// golden is testdata/golden.json, which golden.py writes with statsforecast.
type golden struct {
	Level  float64
	Series []struct {
		Season    int
		Values    []float64
		Forecasts map[string]struct{ Mean, Low, High []float64 }
	}
}

func readGolden(t *testing.T) golden {
	t.Helper()
	data, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// near fails on a NaN too.
func near(t *testing.T, name string, got, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s has %d values, want %d", name, len(got), len(want))
	}
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= tolerance*(1+math.Abs(want[i]))) {
			t.Errorf("%s[%d] is %v, want %v", name, i, got[i], want[i])
		}
	}
}

func column(rows [][]float64, i int) []float64 {
	values := make([]float64, len(rows))
	for j, row := range rows {
		values[j] = row[i]
	}
	return values
}

func TestGolden(t *testing.T) {
	g := readGolden(t)
	levels := []float64{(1 - g.Level) / 2, (1 + g.Level) / 2}
	for name, method := range map[string]baselines.Method{
		"naive":          baselines.Naive,
		"seasonal naive": baselines.SeasonalNaive,
		"drift":          baselines.Drift,
		"mean":           baselines.Mean,
	} {
		t.Run(name, func(t *testing.T) {
			for _, s := range g.Series {
				want := s.Forecasts[name]
				f := method(s.Values, s.Season, len(want.Mean))
				q := f.Quantiles(levels)
				near(t, "Mean", f.Mean, want.Mean, 1e-12)
				near(t, "low", column(q, 0), want.Low, 1e-12)
				near(t, "high", column(q, 1), want.High, 1e-12)
			}
		})
	}
}

// The Theta method of statsforecast finds weight and first level by another criterion.
func TestThetaGolden(t *testing.T) {
	for _, s := range readGolden(t).Series {
		want := s.Forecasts["theta"]
		f := baselines.Theta(s.Values, s.Season, len(want.Mean))
		near(t, "Mean", f.Mean, want.Mean, 0.06)
	}
}

// statsforecast simulates the intervals, of series that add a season with an error.
func TestThetaIntervals(t *testing.T) {
	g := readGolden(t)
	s := g.Series[0]
	want := s.Forecasts["theta"]
	f := baselines.Theta(s.Values, s.Season, len(want.Mean))
	for h, q := range f.Quantiles([]float64{(1 - g.Level) / 2, (1 + g.Level) / 2}) {
		if ratio := (q[1] - q[0]) / (want.High[h] - want.Low[h]); !(ratio > 0.8 && ratio < 1.25) {
			t.Errorf("step %d: the interval is %.2f times as wide as that of statsforecast", h, ratio)
		}
	}
}
