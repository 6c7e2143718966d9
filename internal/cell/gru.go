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
	return &gru[T]{base: base[T]{hidden: hidden, reverse: reverse, parts: []int{2 * hidden, hidden}}}
}

func (g *gru[T]) Forward(p *Packed[T], s Sequences[T]) State[T] {
	n := g.hidden
	gates := g.start(p, s)
	zr := gates.Cols(0, 2*n)
	u := g.padded(&g.u, n)

	h := s.First.H
	for i := range g.time {
		g.project(i, p, &s, &gates)
		t, rows := g.step(i)
		h.Rows = rows
		g.mulState(i, zr.Top(t, rows), zr.Top(t, rows), h, &p.rT[0])
		g.mulState(i, u.Top(t, rows), kernels.Repeat(p.apart, rows), h, &p.rT[1])
		y := s.Y.Top(t, rows)
		kernels.GRUForward(gates.Top(t, rows), u.Top(t, rows), h, y)
		h = y
	}
	return State[T]{H: g.last(s.Y, s.First.H, &g.hn)}
}

func (g *gru[T]) Backward(p *Packed[T], s Sequences[T], dy Steps[T], dw Weights[T], dx Steps[T]) {
	n := g.hidden
	gates := g.padded(&g.gates, 3*n)
	zr := gates.Cols(0, 2*n)
	u := g.padded(&g.u, n)

	all := zeroed(&g.dh, g.batch, n)
	for i := g.time - 1; i >= 0; i-- {
		t, rows := g.step(i)
		dh := all.RowRange(0, rows)
		kernels.GRUBackward(gates.Top(t, rows), u.Top(t, rows), g.before(i, &s.Y, s.First.H), dy.Top(t, rows), dh)
		if i > 0 {
			kernels.Mul(dh, dh, zr.Top(t, rows), &p.r[0])
			kernels.Mul(dh, dh, u.Top(t, rows), &p.r[1])
		}
	}
	g.clearPadding(gates)
	g.clearPadding(u)
	g.finish(p, s, gates, dw, dx)
	dR := kernels.Dense(3*n, n, dw.R)
	g.finishR(zr, s, dR.RowRange(0, 2*n))
	g.finishR(u, s, dR.RowRange(2*n, 3*n))
	kernels.SumRows(dw.B[5*n:], u.Flat(0, g.time))
}
