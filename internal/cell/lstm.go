package cell

import "github.com/rnnkit/rnnkit/internal/kernels"

type lstm[T Float] struct {
	base[T]
	c     []T // [time, batch, hidden]
	tanhC []T // [time, batch, hidden]
	cn    []T // [batch, hidden]
	dc    []T // [batch, hidden]
}

// NewLSTM returns a direction of an LSTM layer, with gates i, o, f, c:
//
//	cₜ = f ⊙ cₜ₋₁ + i ⊙ g,  hₜ = o ⊙ tanh(cₜ)
func NewLSTM[T Float](hidden int, reverse bool) Cell[T] {
	return &lstm[T]{base: base[T]{hidden: hidden, reverse: reverse, parts: []int{4 * hidden}}}
}

func (l *lstm[T]) Forward(p *Packed[T], s Sequences[T]) State[T] {
	gates := l.start(p, s)
	kernels.Grow(&l.c, l.time*l.batch*l.hidden)
	kernels.Grow(&l.tanhC, l.time*l.batch*l.hidden)
	c, tanhC := l.cells()
	l.fillPadding(c, s.First.C)

	before := s.First
	for i := range l.time {
		l.project(i, p, &s, &gates)
		t, rows := l.step(i)
		before.H.Rows, before.C.Rows = rows, rows
		g, after := gates.Top(t, rows), State[T]{s.Y.Top(t, rows), c.Top(t, rows)}
		l.mulState(i, g, g, before.H, &p.rT[0])
		kernels.LSTMForward(g, before.C, after.C, tanhC.Top(t, rows), after.H)
		before = after
	}
	return State[T]{l.last(s.Y, s.First.H, &l.hn), l.last(c, s.First.C, &l.cn)}
}

func (l *lstm[T]) Backward(p *Packed[T], s Sequences[T], dy Steps[T], dw Weights[T], dx Steps[T]) {
	gates := l.padded(&l.gates, 4*l.hidden)
	c, tanhC := l.cells()

	allH := zeroed(&l.dh, l.batch, l.hidden)
	allC := zeroed(&l.dc, l.batch, l.hidden)
	for i := l.time - 1; i >= 0; i-- {
		t, rows := l.step(i)
		g, dh := gates.Top(t, rows), allH.RowRange(0, rows)
		kernels.LSTMBackward(g, l.before(i, &c, s.First.C), tanhC.Top(t, rows), dy.Top(t, rows), dh, allC.RowRange(0, rows))
		if i > 0 {
			kernels.Mul(dh, kernels.Matrix[T]{}, g, &p.r[0])
		}
	}
	l.clearPadding(gates)
	l.finish(p, s, gates, dw, dx)
	l.finishR(gates, s, kernels.Dense(4*l.hidden, l.hidden, dw.R))
}

func (l *lstm[T]) cells() (c, tanhC Steps[T]) {
	return Dense(l.time, l.batch, l.hidden, l.c), Dense(l.time, l.batch, l.hidden, l.tanhC)
}
