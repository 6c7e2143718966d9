package kernels

import "math"

// AdamStep holds the scalars of one update by [Adam].
type AdamStep struct {
	LearningRate, Beta1, Beta2, Epsilon float64
	Step                                int // counts from 1
}

// Adam updates params by algorithm 1 of Kingma and Ba, "Adam: A Method for
// Stochastic Optimization" (2015). m and v are the running moments of grads.
func Adam[T Float](params, grads, m, v []T, s AdamStep) {
	beta1, beta2, epsilon := T(s.Beta1), T(s.Beta2), T(s.Epsilon)
	rest1, rest2 := T(1-s.Beta1), T(1-s.Beta2) // not of the rounded betas, which for 0.999 is off by 1e-5
	rate := T(s.LearningRate / (1 - math.Pow(s.Beta1, float64(s.Step))))
	unbias := T(1 / math.Sqrt(1-math.Pow(s.Beta2, float64(s.Step))))
	n := len(params)
	if s := simdFor[T](); s != nil {
		s.adam(n, start(params, n), start(grads, n), start(m, n), start(v, n), float32(beta1), float32(rest1), float32(beta2), float32(rest2), float32(rate), float32(unbias), float32(epsilon))
		return
	}
	grads, m, v = grads[:n], m[:n], v[:n]
	for i, g := range grads {
		m[i] = beta1*m[i] + rest1*g
		v[i] = beta2*v[i] + rest2*g*g
		params[i] -= rate * m[i] / (T(math.Sqrt(float64(v[i])))*unbias + epsilon)
	}
}

// Momentum sets velocity to momentum*velocity + grads and subtracts rate*velocity
// from params. With nesterov it subtracts rate*(grads + momentum*velocity) instead:
// Sutskever et al., "On the importance of initialization and momentum in deep
// learning" (2013), in PyTorch's form.
func Momentum[T Float](params, grads, velocity []T, rate, momentum float64, nesterov bool) {
	lr, mu := T(rate), T(momentum)
	grads, velocity = grads[:len(params)], velocity[:len(params)]
	for i, g := range grads {
		velocity[i] = mu*velocity[i] + g
		if nesterov {
			g += mu * velocity[i]
		} else {
			g = velocity[i]
		}
		params[i] -= lr * g
	}
}

// RMS sets square to alpha*square + (1-alpha)*grads², and divides grads by
// √square + epsilon: Tieleman and Hinton, RMSprop (lecture 6.5 of "Neural Networks
// for Machine Learning", 2012).
func RMS[T Float](grads, square []T, alpha, epsilon float64) {
	a, rest, eps := T(alpha), T(1-alpha), T(epsilon)
	square = square[:len(grads)]
	for i, g := range grads {
		square[i] = a*square[i] + rest*g*g
		grads[i] = g / (T(math.Sqrt(float64(square[i]))) + eps)
	}
}

// AddScaled adds a*x to dst.
func AddScaled[T Float](dst []T, a T, x []T) {
	if s := simdFor[T](); s != nil {
		s.addScaled(len(dst), start(dst, len(dst)), start(x, len(dst)), float32(a))
		return
	}
	axpy(dst, a, x)
}

// Scale multiplies x by a.
func Scale[T Float](x []T, a T) {
	if s := simdFor[T](); s != nil {
		s.scale(len(x), start(x, len(x)), float32(a))
		return
	}
	for i := range x {
		x[i] *= a
	}
}

// Norm returns the Euclidean norm of x. It sums in float64.
func Norm[T Float](x []T) float64 { return math.Sqrt(SumSquares(x, 0)) }

// SumSquares returns Σ (x - center)². It sums in float64.
func SumSquares[T Float](x []T, center float64) (sum float64) {
	if s := simdFor[T](); s != nil {
		n := len(x) &^ 15
		sum = s.sumSquares(n, start(x, n), center)
		x = x[n:]
	}
	for _, v := range x {
		d := float64(v) - center
		sum += d * d
	}
	return sum
}

// Sum returns the sum of x. It sums in float64.
func Sum[T Float](x []T) (sum float64) {
	if s := simdFor[T](); s != nil {
		n := len(x) &^ 15
		sum = s.sum(n, start(x, n))
		x = x[n:]
	}
	for _, v := range x {
		sum += float64(v)
	}
	return sum
}

// Normalize sets dst[i] to (x[i] - center) scale.
func Normalize[T Float](dst, x []T, center, scale T) {
	if s := simdFor[T](); s != nil {
		s.normalize(len(dst), start(dst, len(dst)), start(x, len(dst)), float32(center), float32(scale))
		return
	}
	x = x[:len(dst)]
	for i, v := range x {
		dst[i] = (v - center) * scale
	}
}
