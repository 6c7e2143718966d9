package anomaly_test

import (
	"math"
	"testing"

	"github.com/rnnkit/rnnkit/internal/anomaly"
	"github.com/rnnkit/rnnkit/models"
)

// settled returns a baseline after 100 values of 9 and 11 in turn.
func settled(s models.Spread) (b anomaly.Baseline) {
	for i := range 100 {
		b.Score(float64(9+2*(i%2)), 10, s, 0, models.Both)
	}
	return b
}

func TestBaselineScore(t *testing.T) {
	s := models.Spread{Level: 1, Change: 2, Rows: 900}
	nan := math.NaN()
	for _, test := range []struct {
		value, forecast, least float64
		d                      models.Direction
		want                   float64
	}{
		{30, nan, 0, models.Both, math.Log(5)},                  // 20 spreads from the level
		{-10, nan, 0, "", math.Log(5)},                          // on the other side
		{30, 10, 0, models.Both, math.Log(5) + 0.3*math.Log(2)}, // 10 spreads of changes from the forecast
		{-10, 10, 0, models.Above, 0},
		{-10, 10, 0, models.Below, math.Log(5) + 0.3*math.Log(2)},
		{-10, -10, 15, models.Below, math.Log(5)},
		{30, 28, 25, models.Both, 0},                    // both are nearer
		{1e300, 1e300, 0, models.Both, math.Log(10001)}, // no more than 1000 spreads
		{-1e308, 1e308, 0, models.Both, 1.3 * math.Log(10001)},
		{10, 10, 0, models.Both, 0},
	} {
		b := settled(s)
		got := b.Score(test.value, test.forecast, s, test.least, test.d)
		if !(math.Abs(got-test.want) < 0.02*test.want+1e-12) {
			t.Errorf("%+v: the score is %g", test, got)
		}
		for range 3 { // it lives on
			if next := b.Score(1e308, -1e308, s, 0, models.Both); !(next > 1) {
				t.Errorf("%+v: then the score is %g", test, next)
			}
		}
	}
}

// The first values tell nothing, and a single one does not move the level, but what stays
// becomes usual.
func TestBaseline(t *testing.T) {
	s := models.Spread{Level: 1, Change: 1, Rows: 100}
	var b anomaly.Baseline
	for i := range 16 {
		if got := b.Score(float64(100*i), 0, s, 0, models.Both); got != 0 {
			t.Fatalf("value %d has a score of %g", i, got)
		}
	}
	b = settled(s)
	b.Score(1000, 1000, s, 0, models.Both)
	if !(math.Abs(b.Level-10) < 0.05) {
		t.Errorf("a single value moves the level to %g", b.Level)
	}
	first, last := b.Score(30, 30, s, 0, models.Both), 0.0
	for range 3000 {
		last = b.Score(30, 30, s, 0, models.Both)
	}
	if !(first > 1.4 && last < first/3) {
		t.Errorf("a new level has a score of %g, and of %g after 3000 values", first, last)
	}
}

// A column that never changed in training has a high score when it does, and a lower one each time.
func TestBaselineOfConstant(t *testing.T) {
	s := models.Spread{Rows: 1000}
	var b anomaly.Baseline
	last := math.Inf(1)
	for i := range 500 {
		v := 0.0
		if i%100 == 99 {
			v = 0.001
		}
		got := b.Score(v, 0, s, 0, models.Both)
		switch {
		case i < 99 && got != 0:
			t.Fatalf("value %d has a score of %g", i, got)
		case v > 0 && !(got > 0.5 && got < last):
			t.Errorf("value %d has a score of %g, after %g", i, got, last)
		}
		if v > 0 {
			last = got
		}
	}
}
