// Package conformal calibrates prediction intervals, so that they hold the share of values
// that they claim to hold.
//
// It is split conformal prediction for quantiles: Romano, Patterson and Candès,
// "Conformalized Quantile Regression" (2019), with the distance from the median as the
// unit, as in Kivaranovic, Johnson and Leeb, "Adaptive, Distribution-Free Prediction
// Intervals for Deep Networks" (2020).
package conformal

import (
	"math"
	"slices"
)

const (
	// independent is as how many forecasts those of all steps of a row count, whose errors
	// go together.
	independent = 2

	// prior is the number of forecasts at which a step's own factor and that of all steps
	// have the same weight. The factor of n forecasts with normal errors has a standard
	// deviation of about 0.9/√n, so the two are equally far off where the factors of the
	// steps differ by about 0.14.
	prior = 40

	// usual is the factor that forecasts ask for on average, since a model is surer of what
	// it has learned from. It counts as much as one row.
	usual = 1.2

	largest = 1e30 // a needed factor, so that no factor is infinite
)

// Widths returns the factors by which the distance of each quantile from the median is to
// be multiplied, [steps, len(levels)], from forecasts of known values that the model was
// not fitted on.
//
// The levels are those of the quantiles, in ascending order, as many below 0.5 as above it
// and 0.5 in the middle; the quantiles of each step, forecasts[row][step], are ascending
// too. A row is a forecast from one origin of one series, and actuals[row] may have fewer
// steps. Values that are missing, NaN, are left out, and so are those between quantiles of
// which one equals the median but for rounding to float32, since no factor widens these.
//
// Both quantiles of a central interval have the same factor. It is the quantile (n+1)p/n
// of the least factors with which the interval of share p would have held each of n
// values. Where n is too small for p, the largest of these is extrapolated as if they had
// the tail of a normal distribution. A step with few rows borrows from all steps, and the
// factors of few rows are drawn to the usual one, 1.2; without any value they are 1. Few
// or not is told by apart: the number of rows whose steps lie in different times or series.
// Intervals of different factors may cross: the outer one is then to be extended to the
// inner one.
func Widths(levels []float64, forecasts [][][]float64, actuals [][]float64, apart int) []float32 {
	steps := 0
	for _, f := range forecasts {
		steps = max(steps, len(f))
	}
	widths := slices.Repeat([]float32{1}, steps*len(levels))
	for low := range len(levels) / 2 {
		high := len(levels) - 1 - low
		needed := neededFactors(forecasts, actuals, low, steps)
		for h, w := range stepFactors(needed, levels[high]-levels[low], apart) {
			widths[h*len(levels)+low], widths[h*len(levels)+high] = float32(w), float32(w)
		}
	}
	return widths
}

// neededFactors returns for each step the least factors with which the interval from
// quantile low would hold the values.
func neededFactors(forecasts [][][]float64, actuals [][]float64, low, steps int) [][]float64 {
	needed := make([][]float64, steps)
	for row, values := range actuals {
		for h, y := range values {
			q := forecasts[row][h]
			if f := neededFactor(y, q[low], q[len(q)/2], q[len(q)-1-low]); !math.IsNaN(f) {
				needed[h] = append(needed[h], f)
			}
		}
	}
	return needed
}

// neededFactor returns NaN for a missing value, and where a quantile equals the median.
func neededFactor(y, low, median, high float64) float64 {
	below, above := median-low, high-median
	if least := 1e-7 * math.Abs(median); !(below > least && above > least) {
		return math.NaN()
	}
	return min(largest, max((median-y)/below, (y-median)/above))
}

// stepFactors returns the factor of each step for intervals of the given share.
func stepFactors(needed [][]float64, share float64, apart int) []float64 {
	all := slices.Concat(needed...)
	if len(all) == 0 {
		return slices.Repeat([]float64{1}, len(needed))
	}
	rows := (len(all) + len(needed) - 1) / len(needed)
	pooled := factor(all, share, min(independent*rows, len(all)))
	factors := slices.Repeat([]float64{pooled}, len(needed))
	for h := range factors {
		if n := len(needed[h]); n > 0 {
			own, count := factor(needed[h], share, n), float64(min(n, apart))
			factors[h] += (own - pooled) * count / (count + prior)
		}
		factors[h] = draw(factors[h], float64(apart))
	}
	return factors
}

// draw returns the geometric mean of a factor from so many rows and of the usual one.
func draw(factor, rows float64) float64 {
	return math.Pow(factor, rows/(rows+1)) * math.Pow(usual, 1/(rows+1))
}

// factor returns the quantile (n+1)·share/n of needed factors. There are more of them than
// n where they are of several steps, whose errors go together.
func factor(needed []float64, share float64, n int) float64 {
	sorted := slices.Sorted(slices.Values(needed))
	rank := float64(n+1) * share / float64(n) * float64(len(sorted)) // of the least, 1
	below := int(rank)
	if below >= len(sorted) {
		reached := min(share, float64(n)/float64(n+1))
		return sorted[len(sorted)-1] * normalWidth(share) / normalWidth(reached)
	}
	low := 0.0
	if below > 0 {
		low = sorted[below-1]
	}
	return low + (rank-float64(below))*(sorted[below]-low)
}

// normalWidth returns how many standard deviations on both sides hold the given share of a
// normal distribution.
func normalWidth(share float64) float64 { return math.Sqrt2 * math.Erfinv(share) }
