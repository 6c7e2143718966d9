package models

import "math"

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
	std := math.Sqrt(variance)
	if !(float32(std) > 0) {
		std = 1
	}
	return &Scale{Mean: []float32{float32(mean)}, Std: []float32{float32(std)}}
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
