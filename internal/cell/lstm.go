package cell

import "github.com/rnnkit/rnnkit/internal/kernels"

type lstm[T Float] struct {
	base[T]
	c     []T // [time, batch, hidden]
	tanhC []T // [time, batch, hidden]
	dc    []T // [batch, hidden]
}

// NewLSTM returns a direction of an LSTM layer, with gates i, o, f, c:
//
//	cₜ = f ⊙ cₜ₋₁ + i ⊙ g,  hₜ = o ⊙ tanh(cₜ)
func NewLSTM[T Float](hidden int, reverse bool) Cell[T] {
	return &lstm[T]{base: base[T]{hidden: hidden, reverse: reverse}}
}

func (l *lstm[T]) Forward(w Weights[T], x, y Steps[T], first State[T]) State[T] {
	W, R := w.matrices(4*l.hidden, x.Width, l.hidden)
	addBiases(&l.bias, w.B)
	gates := l.start(W, x)
	kernels.Grow(&l.c, l.time*l.batch*l.hidden)
	kernels.Grow(&l.tanhC, l.time*l.batch*l.hidden)
	cells, tanhC := l.cells()

	h, c := first.H, first.C
	for i := range l.time {
		t := l.step(i)
		kernels.MulNT(gates.At(t), h, R)
		kernels.LSTMForward(gates.At(t), c, cells.At(t), tanhC.At(t), y.At(t))
		h, c = y.At(t), cells.At(t)
	}
	return State[T]{h, c}
}

func (l *lstm[T]) Backward(w Weights[T], x, y Steps[T], first State[T], dy Steps[T], dw Weights[T], dx Steps[T]) {
	_, R := w.matrices(4*l.hidden, x.Width, l.hidden)
	_, dR := dw.matrices(4*l.hidden, x.Width, l.hidden)
	gates := Dense(l.time, l.batch, 4*l.hidden, l.gates)
	cells, tanhC := l.cells()

	dh := zeroed(&l.dh, l.batch, l.hidden)
	dc := zeroed(&l.dc, l.batch, l.hidden)
	for i := l.time - 1; i >= 0; i-- {
		t := l.step(i)
		cPrev := first.C
		if i > 0 {
			cPrev = cells.At(l.step(i - 1))
		}
		kernels.Add(dh, dy.At(t))
		kernels.LSTMBackward(gates.At(t), cPrev, tanhC.At(t), dh, dc)
		dh.Zero()
		kernels.MulNN(dh, gates.At(t), R)
	}
	l.finish(w, x, gates, dw, dx)
	l.finishR(gates, y, first.H, dR, dw.B[4*l.hidden:])
}

func (l *lstm[T]) cells() (c, tanhC Steps[T]) {
	return Dense(l.time, l.batch, l.hidden, l.c), Dense(l.time, l.batch, l.hidden, l.tanhC)
}
