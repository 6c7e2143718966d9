package conformal_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/rnnkit/rnnkit/internal/conformal"
)

// The border of values of a known distribution is their quantile, where it lies within the
// values and where it does not.
func TestBorder(t *testing.T) {
	for _, test := range []struct {
		name  string
		draw  func(*rand.Rand) float64
		rate  float64
		n     int
		exact float64
	}{
		{"normal", func(r *rand.Rand) float64 { return math.Abs(r.NormFloat64()) }, 1e-2, 10000, 2.576},
		{"normal", func(r *rand.Rand) float64 { return math.Abs(r.NormFloat64()) }, 1e-4, 4000, 3.891},
		{"exponential", (*rand.Rand).ExpFloat64, 1e-4, 4000, 9.21},
	} {
		mean, r := 0.0, rand.New(rand.NewPCG(3, 4))
		const repeats = 20
		for range repeats {
			values := make([]float64, test.n)
			for i := range values {
				values[i] = test.draw(r)
			}
			mean += conformal.Border(values, test.rate, test.exact) / repeats
		}
		if !(math.Abs(mean/test.exact-1) < 0.06) {
			t.Errorf("%d %s values: the border of a rate of %g is %.4g, not %.4g", test.n, test.name, test.rate, mean, test.exact)
		}
	}
}

// Any values have a border that is finite and more than 0.
func TestBorderOfAny(t *testing.T) {
	for _, values := range [][]float64{nil, {0}, {1}, make([]float64, 500), {0, 0, 1e9}, append(make([]float64, 500), 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)} {
		if b := conformal.Border(values, 1e-3, 4); !(b > 0) || math.IsInf(b, 0) {
			t.Errorf("the border of %d values is %g", len(values), b)
		}
	}
}

// Without a tail the border is what was expected, and a small tail moves it little.
func TestBorderOfFew(t *testing.T) {
	if b := conformal.Border(make([]float64, 100), 1e-3, 4); b != 4 {
		t.Errorf("the border of zeros is %g", b)
	}
	values := make([]float64, 100)
	for i := range values {
		values[i] = -3 * math.Log10(1-float64(i)/100) // that of a rate of 1e-3 is 9
	}
	if b := conformal.Border(values, 1e-3, 4); !(b > 4.2 && b < 6) {
		t.Errorf("the border of 100 values is %g", b)
	}
}
