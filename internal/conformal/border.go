package conformal

import (
	"math"
	"slices"
)

const (
	enough      = 20   // values beyond a border, which then needs no model of the tail
	tailShare   = 0.01 // of the values are the tail
	leastTail   = 10
	leastSlope  = 0.05
	borderPrior = 100 // values in a tail at which it counts as much as what was expected
)

// Border returns an estimate of the value that a share rate of values like these reaches.
// The values are not negative, and the expected value is a guess before any was seen. Where
// fewer than 20 values lie beyond the border, it is extrapolated from the largest ones by a
// Weibull tail, which normal and exponential values have too: Gardes and Girard, "Estimation
// of the Weibull tail-coefficient with linear combination of upper order statistics" (2008).
// The fewer these are, the nearer it is to the expected value.
func Border(values []float64, rate, expected float64) float64 {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	n := len(sorted)
	if beyond := int(rate * float64(n+1)); beyond >= enough && sorted[n-beyond] > 0 {
		return sorted[n-beyond]
	}
	tail := max(leastTail, int(tailShare*float64(n)))
	if tail+1 >= n || !(sorted[n-tail-1] > 0) {
		return expected
	}
	trust := float64(tail) / float64(tail+borderPrior)
	found := extrapolate(sorted[n-tail-1:], float64(n), rate)
	return math.Pow(found, trust) * math.Pow(expected, 1-trust)
}

// extrapolate returns the border from the largest of n values, in ascending order.
func extrapolate(top []float64, n, rate float64) float64 {
	k := float64(len(top) - 1)
	logs, spread := 0.0, 0.0
	for i, v := range top[1:] {
		rank := k - float64(i)
		logs += math.Log(v / top[0])
		spread += math.Log(math.Log(n/rank)) - math.Log(math.Log(n/k))
	}
	slope := math.Max(leastSlope, logs/spread)
	return top[0] * math.Pow(math.Log(1/rate)/math.Log(n/k), slope)
}
