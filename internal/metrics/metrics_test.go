package metrics_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/rnnkit/rnnkit/internal/metrics"
)

// golden is testdata/golden.json, which golden.py writes.
type golden struct {
	Levels    []float64
	Season    int
	Train     [][]float64
	Actual    [][]float64
	Quantiles [][][]float64

	MAE, MSE, SMAPE, MASE, RMSSE, WQL float64

	Pinball   []float64
	Intervals []struct{ Level, Coverage, Score, MSIS float64 }
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

// answers returns the series of the golden, whose forecasts are the medians.
func (g golden) answers() []metrics.Answer {
	answers := make([]metrics.Answer, len(g.Actual))
	for i := range answers {
		a := metrics.Answer{Actual: g.Actual[i], Quantiles: g.Quantiles[i]}
		for _, q := range a.Quantiles {
			a.Forecast = append(a.Forecast, q[len(q)/2])
		}
		a.Scale, a.Square = metrics.SeasonalError(g.Train[i], g.Season)
		answers[i] = a
	}
	return answers
}

// compare fails on a NaN too.
func compare(t *testing.T, name string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-12*(1+math.Abs(want))) {
		t.Errorf("%s is %v, want %v", name, got, want)
	}
}

func (g golden) compare(t *testing.T, m metrics.Metrics) {
	t.Helper()
	compare(t, "MAE", m.MAE, g.MAE)
	compare(t, "MSE", m.MSE, g.MSE)
	compare(t, "RMSE", m.RMSE, math.Sqrt(g.MSE))
	compare(t, "SMAPE", m.SMAPE, g.SMAPE)
	compare(t, "MASE", m.MASE, g.MASE)
	compare(t, "RMSSE", m.RMSSE, g.RMSSE)
	compare(t, "WQL", m.WQL, g.WQL)
	for i, want := range g.Pinball {
		compare(t, fmt.Sprint("Pinball of ", g.Levels[i]), m.Pinball[i], want)
	}
	if len(m.Intervals) != len(g.Intervals) {
		t.Fatalf("%d intervals, want %d", len(m.Intervals), len(g.Intervals))
	}
	for i, want := range g.Intervals {
		got := m.Intervals[i]
		compare(t, "Level", got.Level, want.Level)
		compare(t, "Coverage", got.Coverage, want.Coverage)
		compare(t, "Score", got.Score, want.Score)
		compare(t, "MSIS", got.MSIS, want.MSIS)
	}
}

func TestGolden(t *testing.T) {
	g := readGolden(t)
	m := metrics.Evaluate(g.answers(), g.Levels).All
	if m.Compared != 14 || m.Missing != 0 || m.Unscaled != 0 {
		t.Errorf("%d compared, %d missing, %d unscaled", m.Compared, m.Missing, m.Unscaled)
	}
	g.compare(t, m)
}

// A missing value changes nothing, wherever it is.
func TestMissing(t *testing.T) {
	g := readGolden(t)
	answers := g.answers()
	for i := range answers {
		a := &answers[i]
		nothing := make([]float64, len(g.Levels))
		a.Actual = append([]float64{math.NaN()}, a.Actual...)
		a.Forecast = append([]float64{5}, a.Forecast...)
		a.Quantiles = append([][]float64{nothing}, a.Quantiles...)
	}
	r := metrics.Evaluate(answers, g.Levels)
	g.compare(t, r.All)
	if r.All.Missing != 2 || r.All.Compared != 14 {
		t.Errorf("%d missing, %d compared, want 2 and 14", r.All.Missing, r.All.Compared)
	}
	if first := r.Steps[0]; first.Missing != 2 || !math.IsNaN(first.MAE) || !math.IsNaN(first.Intervals[0].Coverage) {
		t.Errorf("the first step, of which nothing came, has %+v", first)
	}
}

// The steps are what is left if all others are missing.
func TestSteps(t *testing.T) {
	g := readGolden(t)
	r := metrics.Evaluate(g.answers(), g.Levels)
	for h, step := range r.Steps {
		only := g.answers()
		for i := range only {
			only[i].Actual = missingBut(only[i].Actual, h)
		}
		want := metrics.Evaluate(only, g.Levels).All
		want.Missing = 0
		if got := fmt.Sprintf("%v", step); got != fmt.Sprintf("%v", want) {
			t.Errorf("step %d has %v, want %v", h, got, want)
		}
	}
}

func missingBut(values []float64, keep int) []float64 {
	out := make([]float64, len(values))
	for i := range out {
		out[i] = math.NaN()
	}
	out[keep] = values[keep]
	return out
}

// A series whose scale is unknown leaves the metrics that need it, and no others.
func TestUnscaled(t *testing.T) {
	g := readGolden(t)
	answers := g.answers()
	one := metrics.Evaluate(answers[:1], g.Levels).All
	answers[1].Scale, answers[1].Square = metrics.SeasonalError([]float64{3, 3, 3, 3, 3}, 2)
	m := metrics.Evaluate(answers, g.Levels).All
	compare(t, "MAE", m.MAE, g.MAE)
	compare(t, "MASE", m.MASE, one.MASE)
	compare(t, "RMSSE", m.RMSSE, one.RMSSE)
	compare(t, "MSIS", m.Intervals[1].MSIS, one.Intervals[1].MSIS)
	if m.Unscaled != 7 {
		t.Errorf("%d values are unscaled, want 7", m.Unscaled)
	}
}

// A forecast of NaN is not left out.
func TestNaNForecast(t *testing.T) {
	nan := math.NaN()
	a := metrics.Answer{Actual: []float64{1, 2}, Forecast: []float64{1, nan}, Quantiles: [][]float64{{0, 1, 2}, {nan, nan, nan}}, Scale: 1, Square: 1}
	m := metrics.Evaluate([]metrics.Answer{a}, []float64{0.1, 0.5, 0.9}).All
	for name, v := range map[string]float64{
		"MAE": m.MAE, "RMSE": m.RMSE, "SMAPE": m.SMAPE, "MASE": m.MASE, "RMSSE": m.RMSSE, "WQL": m.WQL,
		"Coverage": m.Intervals[0].Coverage, "Score": m.Intervals[0].Score,
	} {
		if !math.IsNaN(v) {
			t.Errorf("%s is %v, want NaN", name, v)
		}
	}
}

func TestSeasonalError(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		values        []float64
		season        int
		scale, square float64
	}{
		{[]float64{1, 2, 4, 0}, 1, 7.0 / 3, 7},
		{[]float64{1, 2, 4, 0}, 2, 2.5, 6.5},
		{[]float64{1, nan, 4, 0}, 1, 4, 16},
		{[]float64{1, 2, 4}, 0, 1.5, 2.5},
	} {
		scale, square := metrics.SeasonalError(c.values, c.season)
		compare(t, "scale", scale, c.scale)
		compare(t, "square", square, c.square)
	}
	for _, none := range [][]float64{nil, {1}, {1, nan, 2}} {
		if scale, _ := metrics.SeasonalError(none, 1); !math.IsNaN(scale) {
			t.Errorf("the scale of %v is %v, want NaN", none, scale)
		}
	}
}

func TestEvaluatePanics(t *testing.T) {
	for _, a := range []metrics.Answer{
		{Actual: []float64{1}},
		{Actual: []float64{1}, Forecast: []float64{1}, Quantiles: [][]float64{{1}}},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("no panic for %+v", a)
				}
			}()
			metrics.Evaluate([]metrics.Answer{a}, []float64{0.1, 0.9})
		}()
	}
}

func ExampleEvaluate() {
	history := []float64{10, 20, 12, 21, 11, 19}
	scale, square := metrics.SeasonalError(history, 2)
	r := metrics.Evaluate([]metrics.Answer{{
		Actual:    []float64{12, 22},
		Forecast:  []float64{11, 20},
		Quantiles: [][]float64{{9, 11, 13}, {18, 20, 21}},
		Scale:     scale,
		Square:    square,
	}}, []float64{0.1, 0.5, 0.9})
	fmt.Printf("MAE %.2f, MASE %.2f\n", r.All.MAE, r.All.MASE)
	for _, i := range r.All.Intervals {
		fmt.Printf("the %.0f%% interval holds %.0f%%, score %.1f\n", 100*i.Level, 100*i.Coverage, i.Score)
	}
	fmt.Printf("two steps ahead: MAE %.2f\n", r.Steps[1].MAE)
	// Output:
	// MAE 1.50, MASE 1.00
	// the 80% interval holds 50%, score 8.5
	// two steps ahead: MAE 2.00
}
