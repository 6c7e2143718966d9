package anomaly

import "github.com/rnnkit/rnnkit/models"

// rangeMemory is the least number of values that a Range remembers.
const rangeMemory = 40_000

// Range has the least and the largest of the last values: of at least 40,000, and at most
// twice as many.
type Range struct {
	Low, High       float64 // of the last values
	OldLow, OldHigh float64 // of the rangeMemory values before these
	Count           float64 // of the last values
}

// take returns how far a value lies outside the range in a direction, in units of the
// range's width, and takes the value into it. It is infinite for a range of width 0.
func (r *Range) take(value float64, d models.Direction) float64 {
	low, high := min(r.Low, r.OldLow), max(r.High, r.OldHigh)
	if r.Count == 0 {
		low, high = value, value
		*r = Range{value, value, value, value, 0}
	}
	if r.Count++; r.Count > rangeMemory {
		*r = Range{value, value, r.Low, r.High, 1}
	}
	r.Low, r.High = min(r.Low, value), max(r.High, value)
	if inside := min(max(value, low), high); inside != value {
		return towards(d, value-inside) / (high - low)
	}
	return 0
}
