// Package kernels holds the arithmetic that training and inference spend their
// time in: matrix products, the pointwise part of the recurrent cells forward
// and backward, and the optimiser's update.
//
// The Go loops of this package define what a kernel computes, for float32 and
// float64 alike. Faster variants stand beside them and must agree with them.
// No kernel allocates.
package kernels

// Float is the constraint of what the kernels compute with.
type Float interface{ float32 | float64 }
