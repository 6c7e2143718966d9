package cell

import "github.com/rnnkit/rnnkit/internal/kernels"

type gru[T Float] struct {
	base[T]
	u []T // [time, batch, hidden]: Rₕ hₜ₋₁ + Rbₕ, then its gradient
}

// NewGRU returns a direction of a GRU layer, with gates z, r, h and
// linear_before_reset = 1:
//
//	n = tanh(Wₕ xₜ + Wbₕ + r ⊙ (Rₕ hₜ₋₁ + Rbₕ)),  hₜ = (1 - z) ⊙ n + z ⊙ hₜ₋₁
func NewGRU[T Float](hidden int, reverse bool) Cell[T] {
	return &gru[T]{base: base[T]{hidden: hidden, reverse: reverse}}
}

func (g *gru[T]) Forward(w Weights[T], x, y Steps[T], first State[T]) State[T] {
	n := g.hidden
	W, R := w.matrices(3*n, x.Width, n)
	kernels.Grow(&g.bias, 3*n)
	copy(g.bias, w.B[:3*n])
	for i, b := range w.B[3*n : 5*n] {
		g.bias[i] += b
	}
	gates := g.start(W, x)
	zr := gates.Cols(0, 2*n)

	kernels.Grow(&g.u, g.time*g.batch*n)
	u := Dense(g.time, g.batch, n, g.u)
	kernels.FillRows(u.Flat(0, g.time), w.B[5*n:])

	h := first.H
	for i := range g.time {
		t := g.step(i)
		kernels.MulNT(zr.At(t), h, R.RowRange(0, 2*n))
		kernels.MulNT(u.At(t), h, R.RowRange(2*n, 3*n))
		kernels.GRUForward(gates.At(t), u.At(t), h, y.At(t))
		h = y.At(t)
	}
	return State[T]{H: h}
}

func (g *gru[T]) Backward(w Weights[T], x, y Steps[T], first State[T], dy Steps[T], dw Weights[T], dx Steps[T]) {
	n := g.hidden
	_, R := w.matrices(3*n, x.Width, n)
	_, dR := dw.matrices(3*n, x.Width, n)
	gates := Dense(g.time, g.batch, 3*n, g.gates)
	zr := gates.Cols(0, 2*n)
	u := Dense(g.time, g.batch, n, g.u)

	dh := zeroed(&g.dh, g.batch, n)
	for i := g.time - 1; i >= 0; i-- {
		t := g.step(i)
		hPrev := first.H
		if i > 0 {
			hPrev = y.At(g.step(i - 1))
		}
		kernels.Add(dh, dy.At(t))
		kernels.GRUBackward(gates.At(t), u.At(t), hPrev, dh)
		kernels.MulNN(dh, zr.At(t), R.RowRange(0, 2*n))
		kernels.MulNN(dh, u.At(t), R.RowRange(2*n, 3*n))
	}
	g.finish(w, x, gates, dw, dx)
	g.finishR(zr, y, first.H, dR.RowRange(0, 2*n), dw.B[3*n:5*n])
	g.finishR(u, y, first.H, dR.RowRange(2*n, 3*n), dw.B[5*n:])
}
