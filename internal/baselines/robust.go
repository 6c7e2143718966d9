package baselines

import (
	"math"
	"slices"
)

const (
	robustSeasons = 5   // seasons before whose values of the same phase are expected
	robustRows    = 60  // rows before that are, without a season
	robustScale   = 300 // rows before whose distances are usual
	robustLeast   = 20  // fewer of them tell nothing
)

// RobustZ returns a robust seasonal z-score of each value, from the values before it alone.
// The distance of a value is that from the median of the values of the same phase in the last
// five seasons, or of the last 60 values without a season. The score is the distance over a
// scale, 1.4826 times the median of the last 300 distances, which estimates the standard
// deviation of normal values. RobustZ returns the scales too. Both are NaN where a value is
// missing or fewer than 20 distances are known. A detector of anomalies is compared with it.
//
// The formula is that of Iglewicz and Hoaglin, "How to Detect and Handle Outliers" (1993).
func RobustZ(values []float64, season int) (scores, scales []float64) {
	scores, scales = make([]float64, len(values)), make([]float64, len(values))
	var distances, before []float64
	for i, v := range values {
		before = phaseBefore(before[:0], values, i, season)
		off := math.Abs(v - median(before))
		scales[i] = math.NaN()
		if len(distances) >= robustLeast {
			scales[i] = 1.4826 * median(distances[max(0, len(distances)-robustScale):])
		}
		scores[i] = off / scales[i]
		if !math.IsNaN(off) {
			distances = append(distances, off)
		}
	}
	return scores, scales
}

// phaseBefore appends the known values before row i that are expected there.
func phaseBefore(list, values []float64, i, season int) []float64 {
	step, rows := season, robustSeasons
	if season < 2 {
		step, rows = 1, robustRows
	}
	for n := 1; n <= rows && i-n*step >= 0; n++ {
		if v := values[i-n*step]; !math.IsNaN(v) {
			list = append(list, v)
		}
	}
	return list
}

// median returns the median of values, NaN without any.
func median(values []float64) float64 {
	n := len(values)
	if n == 0 {
		return math.NaN()
	}
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
