package cell

import "github.com/rnnkit/rnnkit/internal/kernels"

type rnn[T Float] struct {
	base[T]
	forward  func(gates, h kernels.Matrix[T])
	backward func(gates, h, dy, dh kernels.Matrix[T])
}

// NewRNN returns a direction of an RNN layer, hₜ = tanh(W xₜ + R hₜ₋₁ + b).
func NewRNN[T Float](hidden int, reverse bool) Cell[T] {
	return newRNN(hidden, reverse, kernels.RNNForward[T], kernels.RNNBackward[T])
}

// NewReLU returns a direction of an RNN layer with relu in place of tanh.
func NewReLU[T Float](hidden int, reverse bool) Cell[T] {
	return newRNN(hidden, reverse, kernels.ReLUForward[T], kernels.ReLUBackward[T])
}

func newRNN[T Float](hidden int, reverse bool, forward func(gates, h kernels.Matrix[T]), backward func(gates, h, dy, dh kernels.Matrix[T])) Cell[T] {
	return &rnn[T]{base[T]{hidden: hidden, reverse: reverse, parts: []int{hidden}}, forward, backward}
}

func (c *rnn[T]) Forward(p *Packed[T], s Sequences[T]) State[T] {
	gates := c.start(p, s)
	h := s.First.H
	for i := range c.time {
		c.project(i, p, &s, &gates)
		t, rows := c.step(i)
		h.Rows = rows
		g, y := gates.Top(t, rows), s.Y.Top(t, rows)
		c.mulState(i, g, g, h, &p.rT[0])
		c.forward(g, y)
		h = y
	}
	return State[T]{H: c.last(s.Y, s.First.H, &c.hn)}
}

func (c *rnn[T]) Backward(p *Packed[T], s Sequences[T], dy Steps[T], dw Weights[T], dx Steps[T]) {
	gates := c.padded(&c.gates, c.hidden)
	all := zeroed(&c.dh, c.batch, c.hidden)
	for i := c.time - 1; i >= 0; i-- {
		t, rows := c.step(i)
		g, dh := gates.Top(t, rows), all.RowRange(0, rows)
		c.backward(g, s.Y.Top(t, rows), dy.Top(t, rows), dh)
		if i > 0 {
			kernels.Mul(dh, kernels.Matrix[T]{}, g, &p.r[0])
		}
	}
	c.clearPadding(gates)
	c.finish(p, s, gates, dw, dx)
	c.finishR(gates, s, kernels.Dense(c.hidden, c.hidden, dw.R))
}
