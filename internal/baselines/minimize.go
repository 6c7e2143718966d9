package baselines

import "math"

// minimize looks for a local minimum of a smooth function from x on, which it moves there,
// and returns the value that it found. The function writes its gradient, and is +Inf or NaN
// outside its domain, in which x lies.
//
// It is the method of Broyden, Fletcher, Goldfarb and Shanno with backtracking: Nocedal and
// Wright, "Numerical Optimization" (2006), chapters 3 and 6.
func minimize(function func(x, gradient []float64) float64, x []float64) float64 {
	const (
		mostSteps = 200
		tolerance = 1e-5
		firstStep = 0.3 // length of the first step
	)
	n := len(x)
	s := search{function, make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)}
	inverse := newInverseHessian(n)
	gradient := make([]float64, n)
	value := function(x, gradient)
	inverse.scale(firstStep / math.Sqrt(dot(gradient, gradient)+1e-300))
	small := 0
	for i := 0; i < mostSteps && small < 2; i++ {
		next, ok := s.step(inverse, x, gradient, value)
		if !ok {
			break
		}
		inverse.update(s.moved, s.turned, i == 0)
		if value-next < tolerance {
			small++
		} else {
			small = 0
		}
		value = next
		copy(x, s.next)
		copy(gradient, s.gradient)
	}
	return value
}

// search goes along a line.
type search struct {
	function       func(x, gradient []float64) float64
	next, gradient []float64 // where it ended, and the gradient there
	moved, turned  []float64 // how far it went, and by how much the gradient changed
}

// step goes downhill from x, and reports false if it finds no lower value.
func (s *search) step(h inverseHessian, x, gradient []float64, value float64) (float64, bool) {
	h.direction(gradient, s.moved)
	slope := dot(gradient, s.moved)
	for range 30 {
		for i := range x {
			s.next[i] = x[i] + s.moved[i]
		}
		if next := s.function(s.next, s.gradient); next <= value+1e-4*slope && slope < 0 {
			for i := range x {
				s.turned[i] = s.gradient[i] - gradient[i]
			}
			return next, true
		}
		slope /= 2
		for i := range s.moved {
			s.moved[i] /= 2
		}
	}
	return 0, false
}

// inverseHessian approximates the inverse of the matrix of second derivatives.
type inverseHessian struct {
	n      int
	values []float64 // [n, n]
	turned []float64 // the matrix times turned, in update
}

func newInverseHessian(n int) inverseHessian {
	h := inverseHessian{n, make([]float64, n*n), make([]float64, n)}
	for i := range n {
		h.values[i*n+i] = 1
	}
	return h
}

func (h inverseHessian) row(i int) []float64 { return h.values[i*h.n : (i+1)*h.n] }

func (h inverseHessian) scale(factor float64) {
	for i := range h.values {
		h.values[i] *= factor
	}
}

// direction writes where to go.
func (h inverseHessian) direction(gradient, d []float64) {
	for i := range d {
		d[i] = -dot(h.row(i), gradient)
	}
}

// update learns from a step and from the change of the gradient. The first step also tells
// the scale.
func (h inverseHessian) update(moved, turned []float64, first bool) {
	curvature := dot(moved, turned)
	if !(curvature > 1e-12) {
		return
	}
	if first {
		h.scale(curvature / dot(turned, turned) / h.values[0])
	}
	for i := range h.turned {
		h.turned[i] = dot(h.row(i), turned)
	}
	outer := (1 + dot(turned, h.turned)/curvature) / curvature
	for i, a := range moved {
		row := h.row(i)
		for j, b := range moved {
			row[j] += outer*a*b - (h.turned[i]*b+a*h.turned[j])/curvature
		}
	}
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}
