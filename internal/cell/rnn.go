package cell

import "github.com/rnnkit/rnnkit/internal/kernels"

type rnn[T Float] struct {
	base[T]
	forward  func(gates, h kernels.Matrix[T])
	backward func(gates, h, dh kernels.Matrix[T])
}

// NewRNN returns a direction of an RNN layer, hₜ = tanh(W xₜ + R hₜ₋₁ + b).
func NewRNN[T Float](hidden int, reverse bool) Cell[T] {
	return &rnn[T]{base[T]{hidden: hidden, reverse: reverse}, kernels.RNNForward[T], kernels.RNNBackward[T]}
}

// NewReLU returns a direction of an RNN layer with relu in place of tanh.
func NewReLU[T Float](hidden int, reverse bool) Cell[T] {
	return &rnn[T]{base[T]{hidden: hidden, reverse: reverse}, kernels.ReLUForward[T], kernels.ReLUBackward[T]}
}

func (c *rnn[T]) Forward(w Weights[T], s Sequences[T]) State[T] {
	W, R := w.matrices(c.hidden, s.X.Width, c.hidden)
	addBiases(&c.bias, w.B)
	gates := c.start(W, s)

	for i := range c.time {
		t, rows := c.step(i)
		g := gates.Top(t, rows)
		kernels.MulNT(g, c.before(i, s.Y, s.First.H), R)
		c.forward(g, s.Y.Top(t, rows))
	}
	return State[T]{H: c.last(s.Y, s.First.H, &c.hn)}
}

func (c *rnn[T]) Backward(w Weights[T], s Sequences[T], dy Steps[T], dw Weights[T], dx Steps[T]) {
	_, R := w.matrices(c.hidden, s.X.Width, c.hidden)
	_, dR := dw.matrices(c.hidden, s.X.Width, c.hidden)
	gates := Dense(c.time, c.batch, c.hidden, c.gates)

	all := zeroed(&c.dh, c.batch, c.hidden)
	for i := c.time - 1; i >= 0; i-- {
		t, rows := c.step(i)
		g, dh := gates.Top(t, rows), all.RowRange(0, rows)
		kernels.Add(dh, dy.Top(t, rows))
		c.backward(g, s.Y.Top(t, rows), dh)
		dh.Zero()
		kernels.MulNN(dh, g, R)
	}
	c.clearPadding(gates)
	c.finish(w, s.X, gates, dw, dx)
	c.finishR(gates, s, dR, dw.B[c.hidden:])
}

// addBiases sets sum to the two halves of b added up.
func addBiases[T Float](sum *[]T, b []T) {
	n := len(b) / 2
	kernels.Grow(sum, n)
	for i := range *sum {
		(*sum)[i] = b[i] + b[n+i]
	}
}
