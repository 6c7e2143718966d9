package kernels

import "math"

// Sigmoids sets each element of dst to the sigmoid of that of x, which may be dst.
func Sigmoids[T Float](dst, x []T) {
	n := len(dst)
	if s := simdFor[T](); s != nil {
		s.sigmoids(n, start(dst, n), start(x, n))
		return
	}
	for i, v := range x[:n] {
		dst[i] = Sigmoid(v)
	}
}

// Tanhs is Sigmoids for the hyperbolic tangent.
func Tanhs[T Float](dst, x []T) {
	n := len(dst)
	RNNForward(Dense(1, n, x), Dense(1, n, dst))
}

// ReLUs is Sigmoids for the greater of x and 0.
func ReLUs[T Float](dst, x []T) {
	n := len(dst)
	ReLUForward(Dense(1, n, x), Dense(1, n, dst))
}

// MaxErrorErf is for Erfs what MaxErrorTanh is for tanh: over all float32 it is up to
// 3.16 off, and 8.9e-8 at most.
const MaxErrorErf = 3.2

// Erfs is Sigmoids for the error function.
func Erfs[T Float](dst, x []T) {
	n := len(dst)
	if s := simdFor[T](); s != nil {
		s.erfs(n, start(dst, n), start(x, n))
		return
	}
	for i, v := range x[:n] {
		dst[i] = T(math.Erf(float64(v)))
	}
}
