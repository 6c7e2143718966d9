// Package kernels holds the arithmetic in which training and inference spend their
// time: matrix products, the pointwise part of the recurrent cells (forward and
// backward), and the optimizers' updates.
//
// The Go loops of this package define what each kernel computes, for float32 and for
// float64. On amd64, float32 has faster variants in AVX2 and AVX-512 assembly, which
// the module in _asm generates. They differ from the loops by rounding only. The
// package picks the fastest variant that the processor supports; the environment
// variable [Variable] picks another one, and the build tag purego leaves the
// assembly out. No kernel allocates memory.
package kernels

//go:generate go run -C _asm . -out ../simd_amd64.s -stubs ../stubs_amd64.go -pkg kernels

// Float is the constraint of a kernel's element type.
type Float interface{ float32 | float64 }
