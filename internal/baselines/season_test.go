package baselines_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rnnkit/rnnkit/internal/baselines"
	"github.com/rnnkit/rnnkit/internal/testenv"
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

// walk returns n values that add up normal noise.
func walk(n int, rng *rand.Rand) []float64 {
	values := make([]float64, n)
	sum := 0.0
	for i := range values {
		sum += rng.NormFloat64()
		values[i] = sum
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

func TestFindSeason(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	candidates := []int{168, 24, 7, 4, 12}
	var walks, waves [][]float64
	for range 40 {
		walks = append(walks, walk(200, rng))
		waves = append(waves, wave(100, 12, 2, rng), walk(100, rng))
	}
	weeks := wave(30*168, 24, 1, rng)
	for i := range weeks {
		if i/24%7 == 6 {
			weeks[i] += 2
		}
	}
	mixed := append(slices.Clone(waves[:20]), walks[:10]...)
	for name, c := range map[string]struct {
		series [][]float64
		want   int
	}{
		"a wave":            {[][]float64{wave(100, 12, 1, rng)}, 12},
		"a wave of 24":      {[][]float64{wave(600, 24, 3, rng)}, 24}, // and of 168
		"random walks":      {walks, 1},
		"a third are waves": {mixed, 12},
		"half are waves":    {waves, 12},
		"a slow wave":       {[][]float64{wave(200, 53, 0.01, rng)}, 1},
		"daily and weekly":  {[][]float64{weeks}, 24},
		"with a constant":   {[][]float64{wave(100, 12, 1, rng), make([]float64, 100)}, 12},
		"too short for any": {[][]float64{{1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3}}, 1},
		"constant":          {[][]float64{make([]float64, 100)}, 1},
		"nothing is known":  {[][]float64{{nan, nan, nan, nan}}, 1},
		"no series":         {nil, 1},
		"three seasons":     {[][]float64{pulses}, 7},
		"fewer":             {[][]float64{pulses[:20]}, 1},
	} {
		if got := baselines.FindSeason(c.series, candidates); got != c.want {
			t.Errorf("%s: season is %d, want %d", name, got, c.want)
		}
	}
}

func TestFindSeasonOfBenchmarks(t *testing.T) {
	testenv.Shared(t, "benchmarks")
	for _, b := range benchmarks(t) {
		var some [][]float64
		for i := 0; i < len(b.train); i += 1 + len(b.train)/100 {
			some = append(some, b.train[i])
		}
		if got := baselines.FindSeason(some, []int{4, 7, 12, 24, 52, 168}); got != b.season {
			t.Errorf("the season of %s is %d, want %d", b.name, got, b.season)
		}
	}
}
