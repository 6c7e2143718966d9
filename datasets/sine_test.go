package datasets_test

import (
	"math"
	"slices"
	"testing"

	"github.com/rnnkit/rnnkit/datasets"
)

// The values are those of numpy 2.4.6:
//
//	np.sin(np.linspace(0, 40*np.pi, n))[i]
//
// An x near 40π has a spacing of 1.4e-14 between floating-point numbers.
func TestSineAgreesWithNumpy(t *testing.T) {
	for _, test := range []struct {
		n, i int
		want float64
	}{
		{1, 0, 0},
		{2, 0, 0},
		{2, 1, -4.898587196589413e-15},
		{3, 1, -2.4492935982947065e-15},
		{7, 1, 0.8660254037844385},
		{7, 2, -0.866025403784439},
		{7, 5, -0.8660254037844414},
		{1000, 0, 0},
		{1000, 1, 0.12545803018029603},
		{1000, 2, 0.2489335544668916},
		{1000, 50, 0.006289433316067026},
		{1000, 499, -0.06285329004448847},
		{1000, 500, 0.06285329004447648},
		{1000, 998, -0.12545803018030902},
		{1000, 999, -4.898587196589413e-15},
	} {
		series := datasets.Sine(test.n, 0, 1)
		if len(series) != test.n {
			t.Fatalf("Sine(%d) has %d values", test.n, len(series))
		}
		if got := series[test.i]; !(math.Abs(got-test.want) <= 3e-14) {
			t.Errorf("Sine(%d)[%d] = %v, want %v", test.n, test.i, got, test.want)
		}
	}
}

func TestSineOfNoPoints(t *testing.T) {
	for _, n := range []int{0, -1, math.MinInt} {
		if got := datasets.Sine(n, 0.1, 0); len(got) != 0 {
			t.Errorf("Sine(%d) has %d values", n, len(got))
		}
	}
}

func TestSineSeed(t *testing.T) {
	a := datasets.Sine(100, 0.1, 7)
	if !slices.Equal(a, datasets.Sine(100, 0.1, 7)) {
		t.Error("the same seed gives another series")
	}
	for _, seed := range []uint64{0, 6, 8, math.MaxUint64} {
		if a[0] == datasets.Sine(100, 0.1, seed)[0] {
			t.Errorf("seeds 7 and %d begin alike", seed)
		}
	}
}

// The noise of 100,000 points has the moments of N(0, 0.1²), each within five
// standard errors, and no correlation from one point to the next.
func TestSineNoise(t *testing.T) {
	const n, sigma = 100_000, 0.1
	clean, noisy := datasets.Sine(n, 0, 3), datasets.Sine(n, sigma, 3)
	var mean, variance, kurtosis, lag, previous float64
	for i := range noisy {
		z := (noisy[i] - clean[i]) / sigma
		mean += z / n
		variance += z * z / n
		kurtosis += z * z * z * z / n
		lag += z * previous / n
		previous = z
	}
	for _, moment := range []struct {
		name             string
		got, want, bound float64
	}{
		{"mean", mean, 0, 5 * math.Sqrt(1.0/n)},
		{"variance", variance, 1, 5 * math.Sqrt(2.0/n)},
		{"fourth moment", kurtosis, 3, 5 * math.Sqrt(96.0/n)},
		{"correlation", lag, 0, 5 * math.Sqrt(1.0/n)},
	} {
		if !(math.Abs(moment.got-moment.want) <= moment.bound) {
			t.Errorf("%s %v, want %v ± %v", moment.name, moment.got, moment.want, moment.bound)
		}
	}
}
