package tensor

import (
	"fmt"
	"math"
)

// CheckFinite returns an error that tells the first element of t that is NaN or an
// infinity, and its place.
func (t Tensor) CheckFinite() error {
	return t.check(func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
}

// CheckInfinity is [Tensor.CheckFinite] for infinities alone.
func (t Tensor) CheckInfinity() error {
	return t.check(func(v float64) bool { return math.IsInf(v, 0) })
}

// check returns an error that tells the first element that is bad, and its place.
func (t Tensor) check(bad func(float64) bool) error {
	at, value := -1, 0.0
	switch data := t.Data.(type) {
	case []Half:
		at, value = first(data, func(v Half) float64 { return float64(v.Float32()) }, bad)
	case []float32:
		at, value = first(data, func(v float32) float64 { return float64(v) }, bad)
	case []float64:
		at, value = first(data, func(v float64) float64 { return v }, bad)
	}
	if at < 0 {
		return nil
	}
	place := make([]int, len(t.Shape))
	for axis := len(place) - 1; axis >= 0; axis-- {
		size := max(t.Shape[axis], 1)
		place[axis], at = at%size, at/size
	}
	if math.IsNaN(value) {
		return fmt.Errorf("has NaN at %v", place)
	}
	return fmt.Errorf("has an infinity at %v", place)
}

// first returns the place and value of the first element that is bad, -1 where there is
// none.
func first[T any](data []T, number func(T) float64, bad func(float64) bool) (int, float64) {
	for i, v := range data {
		if f := number(v); bad(f) {
			return i, f
		}
	}
	return -1, 0
}
