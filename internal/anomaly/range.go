package anomaly

import "github.com/rnnkit/rnnkit/models"

// rangeMemory is how many values a Range is at least of.
const rangeMemory = 40_000

// Range is between which numbers the last values lay: at least the last 40,000, and at most
// twice as many.
type Range struct {
	Low, High       float64 // of the last values
	OldLow, OldHigh float64 // of the rangeMemory values before these
	Count           float64 // of the last values
}

// take returns how far a value lies outside in a direction, as a share of the range, which
// may be infinite, and takes it into the range.
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
