package baselines_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rnnkit/rnnkit/internal/baselines"
)

// trending returns n positive values with a trend, a season and noise.
func trending(n, season int, rng *rand.Rand) []float64 {
	values := wave(n, season, 1, rng)
	for i := range values {
		values[i] += 0.5 * float64(i)
	}
	return values
}

// The forecasts have the unit of the series, and go on from it.
func TestETSUnits(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	values := trending(70, 7, rng)
	want := baselines.ETS(values, 7, 9)
	for h, v := range want.Mean {
		truth := 100 + 0.5*float64(70+h) + 10*math.Sin(2*math.Pi*float64(h)/7)
		if !(math.Abs(v-truth) < 2) || !(want.Deviation[h] > 0.7 && want.Deviation[h] < 2) {
			t.Errorf("step %d is %.2f ± %.2f, want about %.2f ± 1", h, v, want.Deviation[h], truth)
		}
	}
	for _, unit := range []float64{1e-12, 1e9} {
		scaled := slices.Clone(values)
		for i := range scaled {
			scaled[i] *= unit
		}
		got := baselines.ETS(scaled, 7, 9)
		for h := range got.Mean {
			got.Mean[h] /= unit
			got.Deviation[h] /= unit
		}
		near(t, fmt.Sprint("Mean in units of ", unit), got.Mean, want.Mean, 1e-6)
		near(t, fmt.Sprint("Deviation in units of ", unit), got.Deviation, want.Deviation, 1e-6)
	}
}

// Missing values at the end are steps of the horizon, and those at the start are nothing.
func TestETSMissingEnds(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	values := trending(50, 5, rng)
	want := baselines.ETS(values, 5, 9)
	padded := append([]float64{nan, nan, nan}, values...)
	got := baselines.ETS(append(padded, nan, nan), 5, 7)
	near(t, "Mean", got.Mean, want.Mean[2:], 0)
	near(t, "Deviation", got.Deviation, want.Deviation[2:], 0)
}

// Of a long series the end is read.
func TestETSLong(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	values := wave(9000, 1000, 1, rng)
	values[4000] = nan // the first of the last 5,000
	got, want := baselines.ETS(values, 1000, 5), baselines.ETS(values[4001:], 0, 5)
	near(t, "Mean", got.Mean, want.Mean, 0)
	near(t, "Deviation", got.Deviation, want.Deviation, 0)
}

// A tenth of missing values changes little.
func TestETSMissing(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	values := trending(80, 5, rng)
	want := baselines.ETS(values, 5, 9)
	for i := 3; i < 80; i += 11 {
		values[i] = nan
	}
	near(t, "Mean", baselines.ETS(values, 5, 9).Mean, want.Mean, 0.02)
}

// Every series has a finite forecast, whatever its length, its signs and its gaps.
func TestETSAnySeries(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := 1; n <= 40; n++ {
		series := map[string][]float64{
			"noise":      make([]float64, n),
			"mostly 0":   make([]float64, n),
			"a line":     make([]float64, n),
			"one step":   make([]float64, n),
			"huge":       make([]float64, n),
			"with gaps":  wave(n, 5, 1, rng),
			"pure waves": wave(n, 5, 0, rng),
			"positive":   make([]float64, n),
		}
		for i := range n {
			series["noise"][i] = rng.NormFloat64()
			series["mostly 0"][i] = float64(max(0, rng.IntN(8)-6))
			series["a line"][i] = 3 + 2*float64(i)
			series["one step"][i] = float64(2 * i / n)
			series["huge"][i] = 1e140 * rng.Float64()
			series["positive"][i] = math.Exp(3 * rng.NormFloat64())
			if i%3 == 1 {
				series["with gaps"][i] = nan
			}
		}
		for name, values := range series {
			f := baselines.ETS(values, 5, 12)
			for h, v := range f.Mean {
				if math.IsNaN(v-v) || !(f.Deviation[h] >= 0) || math.IsInf(f.Deviation[h], 1) {
					t.Fatalf("%s of %d values: step %d is %v ± %v", name, n, h, v, f.Deviation[h])
				}
			}
		}
	}
}
