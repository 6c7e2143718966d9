package tensor

import (
	"fmt"
	"math"
)

// CheckFinite returns an error that tells the first element of t that is NaN or an
// infinity, and its place.
func (t Tensor) CheckFinite() error {
	at, value := -1, 0.0
	switch data := t.Data.(type) {
	case []Half:
		at, value = firstNotFinite(data, func(v Half) float64 { return float64(v.Float32()) })
	case []float32:
		at, value = firstNotFinite(data, func(v float32) float64 { return float64(v) })
	case []float64:
		at, value = firstNotFinite(data, func(v float64) float64 { return v })
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

// firstNotFinite returns the place and value of an element, -1 where there is none.
func firstNotFinite[T any](data []T, number func(T) float64) (int, float64) {
	for i, v := range data {
		if f := number(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return i, f
		}
	}
	return -1, 0
}
