package rnnkit

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/models"
)

// structuralOf fits a structural model to series, with a window of 12 and a horizon of 3.
func structuralOf(t *testing.T, d models.Direct, season int, series ...[]float64) (*models.Params[float32], *datasets.PanelWindows, models.Spec) {
	t.Helper()
	d.Window, d.Horizon, d.Segment, d.Targets, d.Center, d.Quantiles = 12, 3, 4, 1, models.CenterMean, []float64{0.1, 0.5, 0.9}
	p, err := datasets.NewPanel(series...)
	if err != nil {
		t.Fatal(err)
	}
	w, err := p.Windows(datasets.WindowOptions{Window: d.Window, Horizon: d.Horizon, MinHistory: d.Window, Errors: p.SeasonalErrors(season)})
	if err != nil {
		t.Fatal(err)
	}
	spec := structuralSpec(models.Spec{Features: 1, Readout: models.ReadLast, Outputs: 9, Direct: &d}, d.Log)
	if err := spec.Validate(); err != nil {
		t.Fatal(err)
	}
	params, err := fitStructural(w, spec, season)
	if err != nil {
		t.Fatal(err)
	}
	return params, w, spec
}

// ahead returns what the linear map of params makes of a window.
func ahead(params *models.Params[float32], window []float64) (answers [3]float64) {
	z := make([]float64, len(window))
	center, deviation := moments(window)
	for t, v := range window {
		z[t] = (v - center) / deviation
		for h := range answers {
			answers[h] += z[t] * deviation * float64(params.Path[t*3+h])
		}
	}
	for h := range answers {
		answers[h] += center
	}
	return answers
}

// TestStructuralSeries goes on with series that are known.
func TestStructuralSeries(t *testing.T) {
	line, season, rng := make([]float64, 60), make([]float64, 60), rand.New(rand.NewPCG(1, 2))
	walk := make([]float64, 400)
	for i := range line {
		line[i] = 8 + float64(i) + 0.3*rng.NormFloat64()
		season[i] = []float64{5, 9, 4, -2}[i%4] + 0.1*rng.NormFloat64()
	}
	for i := range walk[1:] {
		walk[i+1] = walk[i] + rng.NormFloat64()
	}
	for name, test := range map[string]struct {
		values []float64
		season int
		want   [3]float64
		within float64
	}{
		"line":   {line, 1, [3]float64{68, 69, 70}, 0.6},
		"season": {season, 4, [3]float64{5, 9, 4}, 0.4},
		"walk":   {walk, 1, [3]float64{walk[399], walk[399], walk[399]}, 0.5},
	} {
		params, _, _ := structuralOf(t, models.Direct{}, test.season, test.values)
		got := ahead(params, test.values[len(test.values)-12:])
		for h, want := range test.want {
			if !(math.Abs(got[h]-want) <= test.within) {
				t.Errorf("%s, step %d: %g, want %g", name, h+1, got[h], want)
			}
		}
	}
}

// TestStructuralWidths has intervals as wide as the errors of noise are.
func TestStructuralWidths(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	series := make([][]float64, 3)
	for i := range series {
		for range 600 {
			series[i] = append(series[i], 50+math.Pow(10, float64(i))*rng.NormFloat64())
		}
	}
	params, _, _ := structuralOf(t, models.Direct{}, 1, series...)
	for h := range 3 {
		low, median, high := params.Head.B[h*3], params.Head.B[h*3+1], params.Head.B[h*3+2]
		if median != 0 || low != -high || !(high > 1.3 && high < 1.5) { // 1.28, and what the mean and the deviation of 12 values are off by
			t.Errorf("step %d: quantiles at %g, %g and %g deviations", h+1, low, median, high)
		}
	}
}

// TestStructuralOutlier has one outlier among the last of few windows, which is no sign of how
// far other values lie from the forecasts.
func TestStructuralOutlier(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	values := make([]float64, 40)
	for i := range values {
		values[i] = 50 + rng.NormFloat64()
	}
	values[39] = 1000
	params, _, _ := structuralOf(t, models.Direct{}, 1, values)
	if first, last := params.Head.B[2], params.Head.B[8]; !(first > 1 && last < 2*first) {
		t.Errorf("the upper quantiles of the first and the last step are %g and %g deviations", first, last)
	}
}

// TestStackedWeights are better than those of every structure, and than equal ones.
func TestStackedWeights(t *testing.T) {
	values := make([]float64, 150)
	rng := rand.New(rand.NewPCG(5, 6))
	for i := range values {
		values[i] = 100 + 0.2*float64(i) + 5*math.Sin(float64(i)*math.Pi/2) + 3*rng.NormFloat64()
	}
	values[80] = math.NaN()
	_, w, spec := structuralOf(t, models.Direct{Log: 1}, 4, values)
	s := newStacking(spec.Direct, 4)
	var b datasets.Batch
	if err := w.Read(&b, firstOf(w.Len())); err != nil {
		t.Fatal(err)
	}
	s.addBatch(&b, spec.Direct)
	mean := func(weights []float64) (sum float64) {
		for _, e := range s.mixed(weights) {
			sum += math.Abs(e)
		}
		return sum
	}
	weights, equal, sum := s.weights(), make([]float64, len(s.maps)), 0.0
	for k, v := range weights {
		if sum += v; !(v >= 0) {
			t.Errorf("the weight of structure %d is %g", k, v)
		}
		one := make([]float64, len(weights))
		one[k], equal[k] = 1, 1/float64(len(weights))
		if !(mean(weights) <= mean(one)) {
			t.Errorf("structure %d alone has errors of %g, all with their weights %g", k, mean(one), mean(weights))
		}
	}
	if !(math.Abs(sum-1) < 1e-9) || !(mean(weights) < 0.98*mean(equal)) {
		t.Errorf("weights of sum %g, errors of %g, with equal weights %g", sum, mean(weights), mean(equal))
	}
}

// TestStructuralConstant has no errors to go by.
func TestStructuralConstant(t *testing.T) {
	params, _, _ := structuralOf(t, models.Direct{}, 1, make([]float64, 40))
	if low, high := params.Head.B[0], params.Head.B[2]; !(low < 0 && high > 0 && high < 1) {
		t.Errorf("quantiles at %g and %g", low, high)
	}
}
