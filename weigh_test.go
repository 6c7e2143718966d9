package rnnkit

import (
	"math"
	"slices"
	"testing"
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
