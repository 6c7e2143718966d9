package models

import (
	"fmt"
	"math"
)

// Scale maps values from raw units to those that the parameters are trained in: feature f
// of x to (x - Mean[f]) / Std[f].
type Scale struct {
	Mean []float32 `json:"mean"`
	Std  []float32 `json:"std"`
}

// FitScale returns the scale that gives each feature mean 0 and standard deviation 1
// over values, which are [steps, features]. A feature whose values are all the same is
// only shifted.
func FitScale(values []float32, features int) *Scale {
	s := &Scale{Mean: make([]float32, features), Std: make([]float32, features)}
	for f := range features {
		s.Mean[f], s.Std[f] = meanAndStd(values, f, features)
	}
	return s
}

// meanAndStd returns the mean and the standard deviation of every step-th value from the
// first on. The deviation is 1 where there is nothing but rounding.
func meanAndStd(values []float32, first, step int) (mean, std float32) {
	n := float64(len(values) / step)
	var sum, variance float64
	for i := first; i < len(values); i += step {
		sum += float64(values[i]) / n
	}
	for i := first; i < len(values); i += step {
		d := float64(values[i]) - sum
		variance += d * d / n
	}
	mean, std = float32(sum), float32(math.Sqrt(variance))
	if mean+std == mean {
		std = 1
	}
	return mean, std
}

// validate returns a *FieldError if the scale is not one of the given number of values
// in a step. The scale may be nil.
func (s *Scale) validate(field string, values int) error {
	if s == nil {
		return nil
	}
	switch want := fmt.Sprintf("of length %d, one for each value of a step", values); {
	case len(s.Mean) != values:
		return &FieldError{Field: field + ".Mean", Value: s.Mean, Want: want}
	case len(s.Std) != values:
		return &FieldError{Field: field + ".Std", Value: s.Std, Want: want}
	}
	for i, std := range s.Std {
		if mean := float64(s.Mean[i]); math.IsNaN(mean) || math.IsInf(mean, 0) {
			return &FieldError{Field: fmt.Sprintf("%s.Mean[%d]", field, i), Value: s.Mean[i], Want: "finite"}
		}
		if !(std > 0) || math.IsInf(float64(std), 0) {
			return &FieldError{Field: fmt.Sprintf("%s.Std[%d]", field, i), Value: std, Want: "more than 0 and finite"}
		}
	}
	return nil
}

// Apply sets dst to the scaled src. Both are [steps, features]. A nil Scale copies.
func (s *Scale) Apply(dst, src []float32) {
	if s == nil {
		copy(dst, src)
		return
	}
	for i, v := range src {
		f := i % len(s.Mean)
		dst[i] = (v - s.Mean[f]) / s.Std[f]
	}
}

// Invert undoes Apply.
func (s *Scale) Invert(dst, src []float32) {
	if s == nil {
		copy(dst, src)
		return
	}
	for i, v := range src {
		f := i % len(s.Mean)
		dst[i] = v*s.Std[f] + s.Mean[f]
	}
}
