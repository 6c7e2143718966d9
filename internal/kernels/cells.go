package kernels

import "math"

// Sigmoid returns 1 / (1 + e⁻ˣ).
func Sigmoid[T Float](x T) T { return T(1 / (1 + math.Exp(-float64(x)))) }

// Tanh returns the hyperbolic tangent of x.
func Tanh[T Float](x T) T { return T(math.Tanh(float64(x))) }

// The constants below bound the errors of the assembly variants' sigmoid, tanh and
// exponential, in units in the last place (ulp) of a float32. The exponential is only
// computed of numbers up to 0. Measured over all float32, AVX-512 is off by at most
// 2.83, 3.00 and 2.06 ulp, and AVX2 by at most 2.40, 2.50 and 2.06 ulp.
const (
	MaxErrorSigmoid = 2.9
	MaxErrorTanh    = 3.05
	MaxErrorExp     = 2.1 // from Softmax, which divides by the sum
)

// RNNForward computes the pointwise part of one RNN step, h = tanh(gates). Both
// matrices are [batch, hidden].
func RNNForward[T Float](gates, h Matrix[T]) {
	if s := simdFor[T](); s != nil {
		s.rnnForward(h.Rows, h.Cols, first(gates), gates.Stride, first(h), h.Stride)
		return
	}
	for b := range gates.Rows {
		g, h := gates.Row(b), h.Row(b)
		for j := range g {
			h[j] = Tanh(g[j])
		}
	}
}

// RNNBackward computes the gradient of [RNNForward] and stores it in gates. The
// gradient with respect to h is dy + dh: dy comes from the step's output, dh from
// later steps.
func RNNBackward[T Float](gates, h, dy, dh Matrix[T]) {
	if s := simdFor[T](); s != nil {
		s.rnnBackward(h.Rows, h.Cols, first(gates), gates.Stride, first(h), h.Stride, first(dy), dy.Stride, first(dh), dh.Stride)
		return
	}
	for b := range gates.Rows {
		g, h, dy, dh := gates.Row(b), h.Row(b), dy.Row(b), dh.Row(b)
		for j := range g {
			g[j] = (dy[j] + dh[j]) * (1 - h[j]*h[j])
		}
	}
}

// ReLUForward computes the pointwise part of one step of an RNN with relu,
// h = max(gates, 0).
func ReLUForward[T Float](gates, h Matrix[T]) {
	if s := simdFor[T](); s != nil {
		s.reluForward(h.Rows, h.Cols, first(gates), gates.Stride, first(h), h.Stride)
		return
	}
	for b := range gates.Rows {
		g, h := gates.Row(b), h.Row(b)
		for j := range g {
			h[j] = max(g[j], 0)
		}
	}
}

// ReLUBackward computes the gradient of [ReLUForward] as [RNNBackward] does that of
// [RNNForward]. The gradient at 0 is 0. The matrices gates and dy may be the same.
func ReLUBackward[T Float](gates, h, dy, dh Matrix[T]) {
	if s := simdFor[T](); s != nil {
		s.reluBackward(h.Rows, h.Cols, first(gates), gates.Stride, first(h), h.Stride, first(dy), dy.Stride, first(dh), dh.Stride)
		return
	}
	for b := range gates.Rows {
		g, h, dy, dh := gates.Row(b), h.Row(b), dy.Row(b), dh.Row(b)
		for j := range g {
			d := dy[j] + dh[j]
			if !(h[j] > 0) {
				d = 0
			}
			g[j] = d
		}
	}
}

// LSTMForward computes the pointwise part of one LSTM step:
//
//	c = f ⊙ cPrev + i ⊙ g,  h = o ⊙ tanh(c)
//
// gates is [batch, 4*hidden]. It holds the pre-activations of i, o, f and c, which
// LSTMForward replaces by their activations. The other matrices are [batch, hidden].
func LSTMForward[T Float](gates, cPrev, c, tanhC, h Matrix[T]) {
	if s := simdFor[T](); s != nil {
		s.lstmForward(h.Rows, h.Cols, first(gates), gates.Stride, first(cPrev), cPrev.Stride, first(c), c.Stride, first(tanhC), tanhC.Stride, first(h), h.Stride)
		return
	}
	n := c.Cols
	for b := range gates.Rows {
		g := gates.Row(b)
		i, o, f, g := g[:n], g[n:2*n], g[2*n:3*n], g[3*n:4*n]
		cPrev, c, tanhC, h := cPrev.Row(b), c.Row(b), tanhC.Row(b), h.Row(b)
		for j := range c {
			i[j], o[j], f[j], g[j] = Sigmoid(i[j]), Sigmoid(o[j]), Sigmoid(f[j]), Tanh(g[j])
			c[j] = f[j]*cPrev[j] + i[j]*g[j]
			tanhC[j] = Tanh(c[j])
			h[j] = o[j] * tanhC[j]
		}
	}
}

// LSTMBackward computes the gradient of [LSTMForward]. It replaces the activations
// in gates by the gradients of the pre-activations. The gradient with respect to h is
// dy + dh: dy comes from the step's output, dh from later steps. dc is the gradient
// with respect to c from later steps, and becomes the gradient with respect to cPrev.
func LSTMBackward[T Float](gates, cPrev, tanhC, dy, dh, dc Matrix[T]) {
	n := cPrev.Cols
	if s := simdFor[T](); s != nil {
		s.lstmBackward(dh.Rows, n, first(gates), gates.Stride, first(cPrev), cPrev.Stride, first(tanhC), tanhC.Stride, first(dy), dy.Stride, first(dh), dh.Stride, first(dc), dc.Stride)
		return
	}
	for b := range gates.Rows {
		g := gates.Row(b)
		i, o, f, g := g[:n], g[n:2*n], g[2*n:3*n], g[3*n:4*n]
		cPrev, tanhC, dy, dh, dc := cPrev.Row(b), tanhC.Row(b), dy.Row(b), dh.Row(b), dc.Row(b)
		for j := range dc {
			iv, ov, fv, gv, tc, dhv := i[j], o[j], f[j], g[j], tanhC[j], dy[j]+dh[j]
			d := dc[j] + dhv*ov*(1-tc*tc)
			i[j] = d * gv * iv * (1 - iv)
			o[j] = dhv * tc * ov * (1 - ov)
			f[j] = d * cPrev[j] * fv * (1 - fv)
			g[j] = d * iv * (1 - gv*gv)
			dc[j] = d * fv
		}
	}
}

// GRUForward computes the pointwise part of one GRU step:
//
//	n = tanh(gates.n + r ⊙ u),  h = (1 - z) ⊙ n + z ⊙ hPrev
//
// gates is [batch, 3*hidden]. It holds the pre-activations of z and r, and of n
// without the contribution of the state, which is u. GRUForward replaces them by the
// activations. The other matrices are [batch, hidden].
func GRUForward[T Float](gates, u, hPrev, h Matrix[T]) {
	k := h.Cols
	if s := simdFor[T](); s != nil {
		s.gruForward(h.Rows, k, first(gates), gates.Stride, first(u), u.Stride, first(hPrev), hPrev.Stride, first(h), h.Stride)
		return
	}
	for b := range gates.Rows {
		g := gates.Row(b)
		z, r, n := g[:k], g[k:2*k], g[2*k:3*k]
		u, hPrev, h := u.Row(b), hPrev.Row(b), h.Row(b)
		for j := range h {
			z[j], r[j] = Sigmoid(z[j]), Sigmoid(r[j])
			n[j] = Tanh(n[j] + r[j]*u[j])
			h[j] = (1-z[j])*n[j] + z[j]*hPrev[j]
		}
	}
}

// GRUBackward computes the gradient of [GRUForward]. It replaces the activations in
// gates by the gradients of the pre-activations, and u by its gradient. The gradient
// with respect to h is dy + dh: dy comes from the step's output, dh from later steps.
// dh becomes the part of the gradient with respect to hPrev that does not pass
// through the gates.
func GRUBackward[T Float](gates, u, hPrev, dy, dh Matrix[T]) {
	k := dh.Cols
	if s := simdFor[T](); s != nil {
		s.gruBackward(dh.Rows, k, first(gates), gates.Stride, first(u), u.Stride, first(hPrev), hPrev.Stride, first(dy), dy.Stride, first(dh), dh.Stride)
		return
	}
	for b := range gates.Rows {
		g := gates.Row(b)
		z, r, n := g[:k], g[k:2*k], g[2*k:3*k]
		u, hPrev, dy, dh := u.Row(b), hPrev.Row(b), dy.Row(b), dh.Row(b)
		for j := range dh {
			zv, rv, nv, d := z[j], r[j], n[j], dy[j]+dh[j]
			dn := d * (1 - zv) * (1 - nv*nv)
			z[j] = d * (hPrev[j] - nv) * zv * (1 - zv)
			r[j] = dn * u[j] * rv * (1 - rv)
			n[j] = dn
			u[j] = dn * rv
			dh[j] = d * zv
		}
	}
}
