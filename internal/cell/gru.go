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

func (g *gru[T]) Forward(w Weights[T], s Sequences[T]) State[T] {
	n := g.hidden
	W, R := w.matrices(3*n, s.X.Width, n)
	kernels.Grow(&g.bias, 3*n)
	copy(g.bias, w.B[:3*n])
	for i, b := range w.B[3*n : 5*n] {
		g.bias[i] += b
	}
	gates := g.start(W, s)
	zr := gates.Cols(0, 2*n)

	kernels.Grow(&g.u, g.time*g.batch*n)
	u := Dense(g.time, g.batch, n, g.u)
	kernels.FillRows(u.Flat(0, g.time), w.B[5*n:])

	for i := range g.time {
		t, rows := g.step(i)
		h := g.before(i, s.Y, s.First.H)
		kernels.MulNT(zr.Top(t, rows), h, R.RowRange(0, 2*n))
		kernels.MulNT(u.Top(t, rows), h, R.RowRange(2*n, 3*n))
		kernels.GRUForward(gates.Top(t, rows), u.Top(t, rows), h, s.Y.Top(t, rows))
	}
	return State[T]{H: g.last(s.Y, s.First.H, &g.hn)}
}

func (g *gru[T]) Backward(w Weights[T], s Sequences[T], dy Steps[T], dw Weights[T], dx Steps[T]) {
	n := g.hidden
	_, R := w.matrices(3*n, s.X.Width, n)
	_, dR := dw.matrices(3*n, s.X.Width, n)
	gates := Dense(g.time, g.batch, 3*n, g.gates)
	zr := gates.Cols(0, 2*n)
	u := Dense(g.time, g.batch, n, g.u)

	all := zeroed(&g.dh, g.batch, n)
	for i := g.time - 1; i >= 0; i-- {
		t, rows := g.step(i)
		dh := all.RowRange(0, rows)
		kernels.Add(dh, dy.Top(t, rows))
		kernels.GRUBackward(gates.Top(t, rows), u.Top(t, rows), g.before(i, s.Y, s.First.H), dh)
		kernels.MulNN(dh, zr.Top(t, rows), R.RowRange(0, 2*n))
		kernels.MulNN(dh, u.Top(t, rows), R.RowRange(2*n, 3*n))
	}
	g.clearPadding(gates)
	g.clearPadding(u)
	g.finish(w, s.X, gates, dw, dx)
	g.finishR(zr, s, dR.RowRange(0, 2*n), dw.B[3*n:5*n])
	g.finishR(u, s, dR.RowRange(2*n, 3*n), dw.B[5*n:])
}
