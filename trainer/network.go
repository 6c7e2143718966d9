package trainer

import (
	"math/rand/v2"

	"github.com/rnnkit/rnnkit/internal/cell"
	"github.com/rnnkit/rnnkit/internal/kernels"
	"github.com/rnnkit/rnnkit/models"
)

// network is a model's forward and backward pass over some sequences. Its
// buffers grow with the first passes and are then reused. It computes in
// float32 to train, and in float64 to have its gradients checked.
type network[T models.Float] struct {
	spec        models.Spec
	time, batch int

	tokens []int64 // [time, batch], for a model with a vocabulary
	input  []T     // [time, batch, inputs]: what the first layer reads
	dinput []T
	layers []layer[T]
	zero   []T // [batch, hidden]: the initial state

	read  []T // [rows, width]: what the head reads
	dread []T
	out   []T // [rows, outputs]
	dout  []T

	dropout rand.PCG
}

// layer is one recurrent layer, a cell for each direction. Both write to y,
// side by side.
type layer[T models.Float] struct {
	cells []cell.Cell[T]
	y     []T // [time, batch, width]
	dy    []T
	keep  []T // y is multiplied by keep on its way to the next layer; empty without dropout
	next  []T // what the next layer reads
}

func newNetwork[T models.Float](spec models.Spec) *network[T] {
	n := &network[T]{spec: spec, layers: make([]layer[T], spec.Layers)}
	newCell := map[models.Cell]func(hidden int, reverse bool) cell.Cell[T]{
		models.RNN:  cell.NewRNN[T],
		models.LSTM: cell.NewLSTM[T],
		models.GRU:  cell.NewGRU[T],
	}[spec.Cell]
	for i := range n.layers {
		for d := range spec.Directions() {
			n.layers[i].cells = append(n.layers[i].cells, newCell(spec.Hidden, d == 1))
		}
	}
	return n
}

// resize prepares the network for sequences of the given size, which the caller
// then writes to input or tokens.
func (n *network[T]) resize(time, batch int) {
	n.time, n.batch = time, batch
	kernels.Grow(&n.input, time*batch*n.spec.Inputs())
	if n.spec.Vocabulary > 0 {
		kernels.Grow(&n.tokens, time*batch)
		kernels.Grow(&n.dinput, len(n.input))
	}
	kernels.Grow(&n.zero, batch*n.spec.Hidden)
	for i := range n.layers {
		l := &n.layers[i]
		kernels.Grow(&l.y, time*batch*n.spec.Width())
		kernels.Grow(&l.dy, len(l.y))
		if n.spec.Dropout > 0 && i < len(n.layers)-1 {
			kernels.Grow(&l.keep, len(l.y))
			kernels.Grow(&l.next, len(l.y))
		}
	}
	kernels.Grow(&n.read, n.rows()*n.spec.Width())
	kernels.Grow(&n.dread, len(n.read))
	kernels.Grow(&n.out, n.rows()*n.spec.Outputs)
	kernels.Grow(&n.dout, len(n.out))
}

// rows is the number of rows that the head reads.
func (n *network[T]) rows() int {
	if n.spec.Readout == models.ReadAll {
		return n.time * n.batch
	}
	return n.batch
}

// forward computes out from input or tokens: [batch, outputs], or time-major
// [time, batch, outputs] for a readout of all steps.
func (n *network[T]) forward(p *models.Params[T], training bool) {
	n.embed(p.Embedding)
	x := n.input
	for i := range n.layers {
		l := &n.layers[i]
		for d, c := range l.cells {
			c.Forward(n.weights(p, i, d), n.steps(x, n.spec.LayerInputs(i)), n.direction(l.y, d), n.initial())
		}
		x = l.y
		if training && len(l.keep) > 0 {
			n.drop(l)
			x = l.next
		}
	}
	n.readout()
	out := kernels.Dense(n.rows(), n.spec.Outputs, n.out)
	kernels.FillRows(out, p.Head.B)
	kernels.MulNN(out, kernels.Dense(n.rows(), n.spec.Width(), n.read), kernels.Dense(n.spec.Width(), n.spec.Outputs, p.Head.W))
}

// backward adds to grads the gradients of the parameters, given dout and the
// forward pass in training before it.
func (n *network[T]) backward(p, grads *models.Params[T]) {
	width := n.spec.Width()
	dout := kernels.Dense(n.rows(), n.spec.Outputs, n.dout)
	kernels.SumRows(grads.Head.B, dout)
	kernels.MulTN(kernels.Dense(width, n.spec.Outputs, grads.Head.W), kernels.Dense(n.rows(), width, n.read), dout)
	clear(n.dread)
	kernels.MulNT(kernels.Dense(n.rows(), width, n.dread), dout, kernels.Dense(width, n.spec.Outputs, p.Head.W))
	n.readoutBackward()

	for i := len(n.layers) - 1; i >= 0; i-- {
		l := &n.layers[i]
		x, dx := n.input, n.dinput
		if i > 0 {
			below := &n.layers[i-1]
			x, dx = below.y, below.dy
			if len(below.keep) > 0 {
				x = below.next
			}
		}
		clear(dx)
		inputs := n.spec.LayerInputs(i)
		var dxSteps cell.Steps[T]
		if len(dx) > 0 {
			dxSteps = n.steps(dx, inputs)
		}
		for d, c := range l.cells {
			c.Backward(n.weights(p, i, d), n.steps(x, inputs), n.direction(l.y, d), n.initial(), n.direction(l.dy, d), n.weights(grads, i, d), dxSteps)
		}
		if i > 0 {
			for j, keep := range n.layers[i-1].keep {
				dx[j] *= keep
			}
		}
	}
	n.embedBackward(grads.Embedding)
}

// embed sets input to the rows of the table that tokens name.
func (n *network[T]) embed(table []T) {
	size := n.spec.Embedding
	for i, token := range n.tokens {
		copy(n.input[i*size:][:size], table[int(token)*size:])
	}
}

func (n *network[T]) embedBackward(table []T) {
	size := n.spec.Embedding
	for i, token := range n.tokens {
		row := table[int(token)*size:][:size]
		for j := range row {
			row[j] += n.dinput[i*size+j]
		}
	}
}

// drop zeroes each output of l with the probability of the spec, and scales
// the others so that their expectation stays: Srivastava et al., "Dropout"
// (2014), inverted as in PyTorch.
func (n *network[T]) drop(l *layer[T]) {
	p := n.spec.Dropout
	scale := T(1 / (1 - p))
	threshold := uint64(p * (1 << 32))
	for i := range l.keep {
		l.keep[i] = scale
		if n.dropout.Uint64()>>32 < threshold {
			l.keep[i] = 0
		}
		l.next[i] = l.y[i] * l.keep[i]
	}
}

// readout gathers from the last layer what the head reads.
func (n *network[T]) readout() {
	y := n.layers[len(n.layers)-1].y
	if n.spec.Readout == models.ReadAll {
		copy(n.read, y)
		return
	}
	for d := range n.spec.Directions() {
		kernels.Copy(n.readDirection(n.read, d), n.direction(y, d).At(n.readTime(d)))
	}
}

func (n *network[T]) readoutBackward() {
	dy := n.layers[len(n.layers)-1].dy
	if n.spec.Readout == models.ReadAll {
		copy(dy, n.dread)
		return
	}
	clear(dy)
	for d := range n.spec.Directions() {
		kernels.Copy(n.direction(dy, d).At(n.readTime(d)), n.readDirection(n.dread, d))
	}
}

// readTime is the step at which the head reads direction d.
func (n *network[T]) readTime(d int) int {
	if d == 1 && n.spec.Readout == models.ReadFinal {
		return 0
	}
	return n.time - 1
}

func (n *network[T]) readDirection(read []T, d int) kernels.Matrix[T] {
	h := n.spec.Hidden
	return kernels.Dense(n.batch, n.spec.Width(), read).ColRange(d*h, (d+1)*h)
}

func (n *network[T]) weights(p *models.Params[T], layer, d int) cell.Weights[T] {
	return cell.Weights[T](p.Layers[layer].Direction(d, n.spec.Directions()))
}

func (n *network[T]) steps(x []T, width int) cell.Steps[T] {
	return cell.Dense(n.time, n.batch, width, x)
}

// direction returns the columns of y, [time, batch, width], that belong to
// direction d.
func (n *network[T]) direction(y []T, d int) cell.Steps[T] {
	h := n.spec.Hidden
	return n.steps(y, n.spec.Width()).Cols(d*h, (d+1)*h)
}

func (n *network[T]) initial() cell.State[T] {
	zero := kernels.Dense(n.batch, n.spec.Hidden, n.zero)
	return cell.State[T]{H: zero, C: zero}
}
