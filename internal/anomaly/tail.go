package anomaly

import "math"

const (
	tailShare     = 0.02   // of the values lie beyond a tail's quantile
	tailMemory    = 2000.0 // values over which a tail is running
	tailStart     = 50     // values of which the largest is the first quantile: about one in 50 lies beyond it
	tailGain      = 30.0   // of the steps of the quantile, in units of the mean excess
	leastExcess   = 5.0    // excesses that the mean is of, in the beginning
	mostExcess    = 10.0   // mean excesses; a larger one counts as so many
	mostSurprisal = 100.0
)

// Tail is a running model of the large values of a quantity that is 0 or more: which value
// one in 50 exceeds, and by how much on average. It follows the quantity, so that what is
// large is large beside the last few thousand values.
//
// Beyond the quantile the tail is taken to be exponential, the middle one of the tails that
// excesses over a high threshold have: Pickands, "Statistical Inference Using Extreme Order
// Statistics" (1975); Siffer et al., "Anomaly Detection in Streams with Extreme Value
// Theory" (2017). The quantile is found by stochastic approximation: Tierney, "A
// Space-Efficient Recursive Procedure for Estimating a Quantile of an Unknown Distribution"
// (1983).
type Tail struct {
	Seen     float64 // values so far
	Quantile float64
	Excess   float64 // running mean of how far the values beyond the quantile exceed it
}

// Ready reports whether the tail has learned enough values to score another one.
func (t *Tail) Ready() bool { return t.Seen >= tailStart }

// Surprisal returns minus the decimal logarithm of the tail probability of v, which is the
// share of values as large as v: 3 for one in 1000. It grows with v, is less than 1.7 for
// values within the quantile, whose share is not modelled, and 100 at most. It is 0 until
// the tail is ready. After n equal values the tail probability of another one is 1/(n+1), by
// Laplace's rule of succession.
func (t *Tail) Surprisal(v float64) float64 {
	const least = 1.6989700043360187 // -log10(tailShare)
	switch {
	case !t.Ready():
		return 0
	case v <= t.Quantile:
		return least * zeroIfNaN(v/t.Quantile)
	case t.Excess == 0: // the next of n equal values differs with a probability of about 1/n
		return math.Log10(t.Seen + 1)
	}
	return min(mostSurprisal, least+(v-t.Quantile)/(t.Excess*math.Ln10))
}

// Reach returns the value that has a surprisal, which must be that of a value beyond the
// quantile.
func (t *Tail) Reach(surprisal float64) float64 {
	return t.Quantile + t.Excess*(surprisal*math.Ln10+math.Log(tailShare))
}

// Learn takes a value into the tail.
func (t *Tail) Learn(v float64) {
	t.Seen++
	if t.Seen <= tailStart {
		t.Quantile = max(t.Quantile, v)
		t.Excess += (v/2 - t.Excess) / t.Seen // that of values between normal and exponential ones
		return
	}
	n := min(t.Seen, tailMemory)
	step, excess := tailGain*t.Excess/n, v-t.Quantile
	if excess <= 0 {
		t.Quantile = max(0, t.Quantile-step*tailShare)
		return
	}
	t.Quantile += step * (1 - tailShare)
	if t.Excess > 0 {
		excess = min(excess, mostExcess*t.Excess)
	}
	t.Excess += (excess - t.Excess) / max(leastExcess, n*tailShare)
}

func zeroIfNaN(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return v
}
