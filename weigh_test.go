package rnnkit

import (
	"math"
	"slices"
	"testing"

	"github.com/rnnkit/rnnkit/models"
)

// backcasts returns one of a series for each forecast, with what came.
func backcasts(actual []float64, forecasts ...[]float64) (parts [][]Backcast) {
	for _, f := range forecasts {
		parts = append(parts, []Backcast{{Series: 1, Actual: actual, Forecast: f}})
	}
	return parts
}

// TestMixedWeight chooses weights for errors that cancel in part, and none where they add
// up, or where there is little to win.
func TestMixedWeight(t *testing.T) {
	errors := [][]float64{nil, {2}}
	actual := []float64{10, 10, math.NaN()}
	first := []float64{12, 14, 9}
	if e, want := mixedError(backcasts(actual, first, first), errors, 0.3), 0.5*math.Log((1+4)/2.)+math.Log(1.5); !(math.Abs(e-want) <= 1e-12) {
		t.Errorf("the error is %g, not %g", e, want)
	}
	for _, test := range []struct {
		second []float64
		want   float32
	}{
		{[]float64{8, 6, 0}, 0.5},
		{[]float64{2, -6, 0}, 0.2}, // at 0.2 nothing is left of the errors
		{[]float64{5.5, 0, math.NaN()}, 0.3},
		{[]float64{20, 30, 0}, 0},
		{[]float64{12.001, 13.999, 0}, 0},
	} {
		got, gain := mixedWeight(backcasts(actual, first, test.second), errors)
		if got != test.want || got > 0 != (gain >= mixedGain) {
			t.Errorf("for %v the weight is %g, with a gain of %g, not %g", test.second, got, gain, test.want)
		}
	}
	if !slices.IsSorted(mixedWeights) {
		t.Error("the weights are not in order")
	}
}

// TestWidenHalves widens each half of the forecasts by what the other asks for.
func TestWidenHalves(t *testing.T) {
	b := &backtest{meta: &models.Metadata{Spec: models.Spec{Direct: &models.Direct{Horizon: 1, Quantiles: []float64{0.1, 0.5, 0.9}}}}}
	add := func(origin, count int, error float64) {
		for range count {
			b.backcasts = append(b.backcasts, Backcast{Origin: origin, Actual: []float64{error}, Forecast: []float64{0}, Quantiles: [][]float64{{-1, 0, 1}}})
		}
	}
	add(1, 50, 2)
	add(9, 50, -5)
	later := func(c Backcast) bool { return c.Origin > 5 }
	if !b.widenHalves(later) {
		t.Fatal("there are no halves")
	}
	for i, c := range b.backcasts {
		want := math.Sqrt(1.2 * map[int]float64{1: 5, 9: 2}[c.Origin]) // those of one time count as one
		if low, high := c.Quantiles[0][0], c.Quantiles[0][2]; !(math.Abs(high-want) < 1e-6) || low != -high {
			t.Fatalf("forecast %d: from %g to %g, want %g", i, low, high, want)
		}
	}
	b.backcasts = nil
	add(9, 50, 3)
	if b.widenHalves(later) || !(math.Abs(b.backcasts[0].Quantiles[0][2]-math.Sqrt(1.2*3)) < 1e-6) {
		t.Errorf("one half: %v", b.backcasts[0].Quantiles)
	}
}

// TestApart counts forecasts of 3 rows that do not overlap.
func TestApart(t *testing.T) {
	var list []Backcast
	for _, c := range []struct{ series, target, origin, want int }{
		{0, 0, 9, 1}, {0, 0, 11, 1}, {0, 0, 12, 2}, {0, 1, 12, 3}, {1, 0, 12, 4}, {0, 0, 40, 5}, {1, 0, 13, 5},
	} {
		list = append(list, Backcast{Series: c.series, Target: c.target, Origin: c.origin})
		if got := apart(list, 3); got != c.want {
			t.Errorf("%d of %d forecasts lie apart, not %d", got, len(list), c.want)
		}
	}
}
