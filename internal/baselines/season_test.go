package baselines_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rnnkit/rnnkit/internal/baselines"
)

// pulses are three seasons of 7.
var pulses = []float64{9, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0}

// wave returns n values that repeat after season steps, with normal noise.
func wave(n, season int, noise float64, rng *rand.Rand) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = 100 + 10*math.Sin(2*math.Pi*float64(i)/float64(season)) + noise*rng.NormFloat64()
	}
	return values
}

func TestHasSeason(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	yes := wave(50, 7, 3, rng)
	gaps := slices.Clone(yes)
	for i := 0; i < len(gaps); i += 5 {
		gaps[i] = nan
	}
	for name, c := range map[string]struct {
		values []float64
		season int
		want   bool
	}{
		"a wave":           {yes, 7, true},
		"with gaps":        {gaps, 7, true},
		"another lag":      {yes, 2, false},
		"noise":            {wave(50, 7, 300, rng), 7, false},
		"a slow wave":      {wave(50, 40, 1, rng), 7, false},
		"no season":        {yes, 1, false},
		"season 0":         {yes, 0, false},
		"under 3 seasons":  {pulses[:20], 7, false},
		"exactly 3":        {pulses, 7, true},
		"constant":         {make([]float64, 50), 7, false},
		"nothing known":    {[]float64{nan, nan, nan, nan, nan, nan}, 2, false},
		"opposite phases":  {wave(50, 14, 0, rng), 7, true}, // M4 takes the absolute value
		"the empty series": {nil, 7, false},
	} {
		if got := baselines.HasSeason(c.values, c.season); got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
