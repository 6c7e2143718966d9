package cell

import "github.com/rnnkit/rnnkit/internal/kernels"

type rnn[T Float] struct{ base[T] }

// NewRNN returns a direction of an RNN layer, hₜ = tanh(W xₜ + R hₜ₋₁ + b).
func NewRNN[T Float](hidden int, reverse bool) Cell[T] {
	return &rnn[T]{base[T]{hidden: hidden, reverse: reverse}}
}

func (c *rnn[T]) Forward(w Weights[T], x, y Steps[T], first State[T]) State[T] {
	W, R := w.matrices(c.hidden, x.Width, c.hidden)
	addBiases(&c.bias, w.B)
	gates := c.start(W, x)

	h := first.H
	for i := range c.time {
		t := c.step(i)
		kernels.MulNT(gates.At(t), h, R)
		kernels.RNNForward(gates.At(t), y.At(t))
		h = y.At(t)
	}
	return State[T]{H: h}
}

func (c *rnn[T]) Backward(w Weights[T], x, y Steps[T], first State[T], dy Steps[T], dw Weights[T], dx Steps[T]) {
	_, R := w.matrices(c.hidden, x.Width, c.hidden)
	_, dR := dw.matrices(c.hidden, x.Width, c.hidden)
	gates := Dense(c.time, c.batch, c.hidden, c.gates)

	dh := zeroed(&c.dh, c.batch, c.hidden)
	for i := c.time - 1; i >= 0; i-- {
		t := c.step(i)
		kernels.Add(dh, dy.At(t))
		kernels.RNNBackward(gates.At(t), y.At(t), dh)
		dh.Zero()
		kernels.MulNN(dh, gates.At(t), R)
	}
	c.finish(w, x, gates, dw, dx)
	c.finishR(gates, y, first.H, dR, dw.B[c.hidden:])
}

// addBiases sets sum to the two halves of b added up.
func addBiases[T Float](sum *[]T, b []T) {
	n := len(b) / 2
	kernels.Grow(sum, n)
	for i := range *sum {
		(*sum)[i] = b[i] + b[n+i]
	}
}
