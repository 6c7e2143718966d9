package models

import (
	"fmt"
	"math"
)

// FitScale returns the scale that gives values, of a single feature, mean 0 and
// standard deviation 1. Values that are all the same are only shifted.
func FitScale(values []float32) *Scale {
	n := float64(len(values))
	var mean, variance float64
	for _, v := range values {
		mean += float64(v) / n
	}
	for _, v := range values {
		variance += (float64(v) - mean) * (float64(v) - mean) / n
	}
	m, std := float32(mean), float32(math.Sqrt(variance))
	if m+std == m { // nothing but rounding
		std = 1
	}
	return &Scale{Mean: []float32{m}, Std: []float32{std}}
}

// validate reports a scale that is not one of the given number of values.
func (s *Scale) validate(field string, values int) error {
	if s == nil {
		return nil
	}
	if len(s.Mean) != values || len(s.Std) != values {
		return fmt.Errorf("models: %s has %d means and %d deviations: the model has %d values a step", field, len(s.Mean), len(s.Std), values)
	}
	for i, std := range s.Std {
		if mean := float64(s.Mean[i]); !(std > 0) || math.IsInf(float64(std), 0) || math.IsNaN(mean) || math.IsInf(mean, 0) {
			return fmt.Errorf("models: %s has mean %g and deviation %g: they must be finite, and the deviation more than 0", field, mean, std)
		}
	}
	return nil
}

// Apply sets dst to the scaled src; both hold the features of one step after
// those of another. A nil Scale copies.
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
