package baselines_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/rnnkit/rnnkit/internal/baselines"
)

var nan = math.NaN()

var methods = map[string]baselines.Method{
	"naive":          baselines.Naive,
	"seasonal naive": baselines.SeasonalNaive,
	"drift":          baselines.Drift,
	"mean":           baselines.Mean,
	"seasonal mean":  baselines.SeasonalMean,
	"naive2":         baselines.Naive2,
	"theta":          baselines.Theta,
	"ets":            baselines.ETS,
}

func TestMissing(t *testing.T) {
	for _, c := range []struct {
		method string
		values []float64
		season int
		want   []float64
	}{
		{"naive", []float64{1, 2, nan}, 1, []float64{2, 2, 2}},
		{"seasonal naive", []float64{1, 2, 3, nan}, 2, []float64{3, 2, 3}},
		{"seasonal naive", []float64{1, nan, 3, nan}, 2, []float64{3, 3, 3}}, // a phase without values
		{"seasonal naive", []float64{4, 5}, 3, []float64{5, 5, 5}},
		{"seasonal naive", []float64{4, 5}, 0, []float64{5, 5, 5}},
		{"drift", []float64{nan, 1, nan, 3, nan}, 1, []float64{5, 6, 7}},
		{"mean", []float64{nan, 1, 3}, 1, []float64{2, 2, 2}},
		{"seasonal mean", []float64{1, 10, 3, nan, 5}, 2, []float64{10, 3, 10}},
		{"seasonal mean", []float64{1, nan, 3}, 2, []float64{2, 2, 2}},
		{"seasonal mean", []float64{1, 3}, 0, []float64{2, 2, 2}},
	} {
		f := methods[c.method](c.values, c.season, len(c.want))
		near(t, fmt.Sprint(c.method, c.values), f.Mean, c.want, 0)
	}
}

// The deviation grows with the time since the last known value.
func TestMissingDeviation(t *testing.T) {
	root := math.Sqrt
	for _, c := range []struct {
		method string
		values []float64
		season int
		want   []float64
	}{
		{"naive", []float64{0, 2, nan, nan}, 1, []float64{2 * root(3), 2 * root(4)}},
		{"seasonal naive", []float64{0, 0, 3, 1, nan}, 2, []float64{root(5), root(10), root(10)}},
		{"drift", []float64{0, 3, 4, nan}, 1, []float64{root(2 * (1 + 2.0/2)), root(3 * (1 + 3.0/2))}},
		{"seasonal mean", []float64{1, 10, 3, nan, nan, 10}, 2, []float64{root(1.5), root(1.5)}},
	} {
		f := methods[c.method](c.values, c.season, len(c.want))
		near(t, fmt.Sprint(c.method, c.values), f.Deviation, c.want, 1e-15)
	}
}

func TestSmall(t *testing.T) {
	for name, method := range methods {
		for _, c := range []struct {
			values     []float64
			mean, wide float64
		}{
			{nil, nan, 0},
			{[]float64{nan, nan}, nan, 0},
			{[]float64{7}, 7, 0},
			{[]float64{nan, 7}, 7, 0},
			{[]float64{7, 7, 7, 7, 7, 7, 7, 7, 7}, 7, 0},
			{[]float64{0, 0, 0, 0, 0}, 0, 0},
		} {
			f := method(c.values, 4, 6)
			for h := range f.Mean {
				if got := f.Mean[h]; got != c.mean && !(math.IsNaN(got) && math.IsNaN(c.mean)) || f.Deviation[h] != c.wide {
					t.Errorf("%s of %v forecasts %v ± %v", name, c.values, got, f.Deviation[h])
				}
			}
		}
	}
}

func Example() {
	sales := []float64{12, 30, 14, 31, 13, 32}
	f := baselines.SeasonalNaive(sales, 2, 3)
	for h, q := range f.Quantiles([]float64{0.1, 0.9}) {
		fmt.Printf("%.0f from %.1f to %.1f\n", f.Mean[h], q[0], q[1])
	}
	// Output:
	// 13 from 11.3 to 14.7
	// 32 from 30.3 to 33.7
	// 13 from 10.6 to 15.4
}
