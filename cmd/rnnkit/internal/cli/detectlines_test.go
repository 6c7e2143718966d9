package cli

import (
	"math"
	"testing"

	"github.com/rnnkit/rnnkit/infer"
)

func TestBandOf(t *testing.T) {
	none := math.NaN()
	for _, test := range []struct{ y, score, yhat, lower, upper, wantYhat, wantLower, wantUpper float64 }{
		{5, 0.5, 4, 3, 6, 4, 3, 6},
		{5, 0, none, none, none, 5, 5, 5},
		{5, 0, 4, none, none, 4, 4, 5},
		{3, 0, 4, none, none, 4, 3, 4},
		{none, 0, 4, none, none, 4, 4, 4},
		{none, 0, none, none, none, none, none, none},
		{5, none, none, none, none, none, none, none},
	} {
		r := infer.Reading{Score: test.score, Forecast: []float64{test.yhat}, Lower: []float64{test.lower}, Upper: []float64{test.upper}}
		yhat, lower, upper := bandOf(test.y, r, 0)
		same := func(a, b float64) bool { return a == b || a != a && b != b }
		if !same(yhat, test.wantYhat) || !same(lower, test.wantLower) || !same(upper, test.wantUpper) {
			t.Errorf("%+v: it is %g, %g, %g", test, yhat, lower, upper)
		}
	}
}
