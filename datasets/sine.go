package datasets

import (
	"math"
	"math/rand/v2"
)

// sineStream keeps the noise apart from other random numbers of the same seed.
const sineStream = 0x73696e65

// Sine returns sin(x) + noise·N(0,1) at n evenly spaced points of x from 0 to 40π, both
// included, which are twenty periods. A single point is at 0. The same seed gives the
// same series. The series is empty if n is less than 1.
func Sine(n int, noise float64, seed uint64) []float64 {
	rng := rand.New(rand.NewPCG(seed, sineStream))
	series := make([]float64, max(n, 0))
	for i := range series {
		x := 40 * math.Pi * float64(i) / float64(max(n-1, 1))
		// The conversion rules out a fused multiply-add, which not every
		// architecture has.
		series[i] = math.Sin(x) + float64(noise*rng.NormFloat64())
	}
	return series
}
