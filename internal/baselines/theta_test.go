package baselines_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rnnkit/rnnkit/internal/baselines"
)

// The Theta method goes on with half the slope of a straight line.
func TestThetaLine(t *testing.T) {
	values := make([]float64, 30)
	for i := range values {
		values[i] = 50 - 2*float64(i) // down to -8
	}
	f := baselines.Theta(values, 1, 3)
	near(t, "Mean", f.Mean, []float64{-9, -10, -11}, 1e-4)
}

func TestThetaNotNegative(t *testing.T) {
	values := []float64{50, 40, 30, 20, 10, 0, 10, 0}
	for h, v := range baselines.Theta(values, 1, 20).Mean {
		if !(v >= 0) {
			t.Errorf("step %d is %v", h, v)
		}
	}
}

// A season multiplies the deviation too, unless it adds.
func TestSeasonalDeviation(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	level := []float64{1, 2, 4, 3}
	values := make([]float64, 60)
	for i := range values {
		values[i] = 100 * level[i%4] * (1 + 0.01*rng.NormFloat64())
	}
	for less, ratio := range map[float64]float64{0: 4, 99: 1, 350: 1} { // some values less 99 are negative
		shifted := slices.Clone(values)
		for i := range shifted {
			shifted[i] -= less
		}
		f := baselines.Naive2(shifted, 4, 4)
		for h, want := range level {
			if !(math.Abs(f.Mean[h]-(100*want-less)) < 10) {
				t.Errorf("less %v, step %d is %v, want about %v", less, h, f.Mean[h], 100*want-less)
			}
		}
		if got := f.Deviation[2] / f.Deviation[0] / math.Sqrt(3); !(math.Abs(got-ratio) < 0.1) {
			t.Errorf("less %v, the third phase deviates %v times as much as the first, want %v", less, got, ratio)
		}
	}
}

// Seasons of zeros say nothing about how it multiplies.
func TestSeasonsOfZeros(t *testing.T) {
	values := make([]float64, 12)
	for range 12 {
		values = append(values, 1, 5, 9, 5)
	}
	f := baselines.Naive2(values, 4, 4)
	if !(f.Deviation[2] > 3*f.Deviation[0]) {
		t.Errorf("deviations %v, want those of a season that multiplies", f.Deviation)
	}
}

// A phase that is always zero is forecast as zero.
func TestSeasonWithZeros(t *testing.T) {
	var values []float64
	for range 12 {
		values = append(values, 0, 5, 9, 5)
	}
	for name, method := range map[string]baselines.Method{"theta": baselines.Theta, "naive2": baselines.Naive2} {
		f := method(values, 4, 5)
		near(t, name, f.Mean, []float64{0, 5, 9, 5, 0}, 1e-9)
	}
}

// Gaps in what repeats exactly change no forecast.
func TestGaps(t *testing.T) {
	var values []float64
	for range 12 {
		values = append(values, 2, 5, 9, 5, 3)
	}
	gaps := slices.Clone(values)
	for i := 7; i < 30; i++ {
		gaps[i] = nan
	}
	gaps[0], gaps[58], gaps[59] = nan, nan, nan
	for name, method := range map[string]baselines.Method{"theta": baselines.Theta, "naive2": baselines.Naive2} {
		want := method(values, 5, 7).Mean
		near(t, name, method(gaps, 5, 7).Mean, want, 1e-9)
	}
}

// Between neighbours, where a phase has no value.
func TestGapInPhase(t *testing.T) {
	values := []float64{1, nan, 3, 4, nan, 6, 7, nan, 9, 10, nan, 12}
	near(t, "Mean", baselines.Theta(values, 3, 1).Mean, []float64{12.5}, 0.01)
}
