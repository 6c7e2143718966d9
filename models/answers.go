package models

import "math"

// OrderQuantiles makes quantiles in ascending order of their levels monotone, outwards from
// the one in the middle.
func OrderQuantiles[T Float](q []T) {
	for i := len(q) / 2; i > 0; i-- {
		q[i-1] = min(q[i-1], q[i])
		q[len(q)-i] = max(q[len(q)-i], q[len(q)-i-1])
	}
}

// WidenQuantiles multiplies the distance of each quantile from the one in the middle by a
// factor, and then orders them.
func WidenQuantiles[T Float](q []T, factors []float32) {
	median := q[len(q)/2]
	for i := range q {
		q[i] = median + (q[i]-median)*T(factors[i])
	}
	OrderQuantiles(q)
}

// Bounds returns the least and the largest answer: infinities where there is no bound, and
// whole numbers where answers are whole.
func (f *Forecasting) Bounds() (least, most float64) {
	least, most = math.Inf(-1), math.Inf(1)
	if f.Min != nil {
		least = *f.Min
	}
	if f.Max != nil {
		most = *f.Max
	}
	if f.Integer {
		least, most = math.Ceil(least), math.Floor(most)
	}
	return least, most
}

// Bound returns v as an answer: rounded to a whole number, half to even, where answers are
// whole, and within the bounds.
func (f *Forecasting) Bound(v float64) float64 {
	if f.Integer {
		v = math.RoundToEven(v)
	}
	least, most := f.Bounds()
	return min(max(v, least), most)
}
