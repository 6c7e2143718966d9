// Package kernels holds the arithmetic that training and inference spend their
// time in: matrix products, the pointwise part of the recurrent cells forward
// and backward, and the optimiser's update.
//
// The Go loops of this package define what a kernel computes, for float32 and
// float64 alike. For float32 there are faster ones, in assembly that _asm
// writes, of which the processor chooses one; they differ from the loops by
// rounding only. The tag purego leaves them out, and the environment variable
// [Variable] chooses another. No kernel allocates.
package kernels

//go:generate go run -C _asm . -out ../simd_amd64.s -stubs ../stubs_amd64.go -pkg kernels

// Float is the constraint of what the kernels compute with.
type Float interface{ float32 | float64 }
