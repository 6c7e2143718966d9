package kernels

import "math"

// Sigmoids sets dst[i] to the sigmoid of x[i]. dst and x may be the same slice.
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

// Tanhs sets dst[i] to the hyperbolic tangent of x[i]. dst and x may be the same slice.
func Tanhs[T Float](dst, x []T) {
	n := len(dst)
	RNNForward(Dense(1, n, x), Dense(1, n, dst))
}

// ReLUs sets dst[i] to max(x[i], 0). dst and x may be the same slice.
func ReLUs[T Float](dst, x []T) {
	n := len(dst)
	ReLUForward(Dense(1, n, x), Dense(1, n, dst))
}

// MaxErrorLog bounds the error of the assembly variants of [Logs] in ulp. Measured over
// every 1021st float32, they are off by at most 0.77.
const MaxErrorLog = 1

// Logs sets dst[i] to the natural logarithm of x[i]. dst and x may be the same slice. A
// number must be more than 0 and not subnormal; infinity and NaN stay.
func Logs[T Float](dst, x []T) {
	n := len(dst)
	if s := simdFor[T](); s != nil {
		s.logs(n, start(dst, n), start(x, n))
		return
	}
	for i, v := range x[:n] {
		dst[i] = T(math.Log(float64(v)))
	}
}

// MaxErrorErf bounds the error of the assembly variants of [Erfs] in ulp. Measured
// over all float32, they are off by at most 3.16 ulp and by at most 8.9e-8.
const MaxErrorErf = 3.2

// Erfs sets dst[i] to the error function of x[i]. dst and x may be the same slice.
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
