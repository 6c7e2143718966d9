package trainer

import (
	"math"
	"math/rand/v2"

	"github.com/rnnkit/rnnkit/internal/cell"
	"github.com/rnnkit/rnnkit/internal/kernels"
	"github.com/rnnkit/rnnkit/models"
)

// network is a model's forward and backward pass over some sequences. Its
// buffers grow with the first passes and are then reused. It computes in
// float32 to train, and in float64 to be compared with others.
type network[T models.Float] struct {
	spec        models.Spec
	time, batch int
	lengths     []int // steps of each sequence, the longest first
	counts      []int // sequences that have each step

	tokens   []int64 // [time, batch], for a model with a vocabulary
	distinct []int64 // the tokens among them, each once
	pick     []int   // [time, batch]: which of distinct each is
	known    []int   // of every token, its place in distinct and 1; 0 for the others

	input  []T // [time, batch, inputs] or [distinct, inputs]: what the first layer reads
	dinput []T
	layers []layer[T]

	initial, final state[T] // before the first step, and after the last if it is kept
	keepState      bool

	read    []T   // [rows, width]: what the head reads; of a readout of all steps the last layer's y
	dread   []T   // its gradient
	largest []int // [batch, width]: the steps that readout max has read
	out     []T   // [rows, outputs]
	dout    []T

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

// state is the state of all layers and directions, each [layers*directions,
// batch, hidden].
type state[T models.Float] struct{ h, c []T }

func newNetwork[T models.Float](spec models.Spec) *network[T] {
	n := &network[T]{spec: spec, layers: make([]layer[T], spec.Layers)}
	newCell := map[models.Cell]func(hidden int, reverse bool) cell.Cell[T]{
		models.RNN:  cell.NewRNN[T],
		models.LSTM: cell.NewLSTM[T],
		models.GRU:  cell.NewGRU[T],
	}[spec.Cell]
	if spec.Activation == models.ReLU {
		newCell = cell.NewReLU[T]
	}
	for i := range n.layers {
		for d := range spec.Directions() {
			n.layers[i].cells = append(n.layers[i].cells, newCell(spec.Hidden, d == 1))
		}
	}
	return n
}

// resize prepares the network for a batch of sequences of the given lengths,
// the longest first. The caller then writes to input or tokens, whose padding
// must be finite and known, and to initial.
func (n *network[T]) resize(time int, lengths []int) {
	batch := len(lengths)
	n.time, n.batch, n.lengths = time, batch, lengths
	n.count()
	if n.spec.Vocabulary > 0 {
		kernels.Grow(&n.tokens, time*batch)
		kernels.Grow(&n.pick, time*batch)
		kernels.Grow(&n.known, n.spec.Vocabulary)
	} else {
		kernels.Grow(&n.input, time*batch*n.spec.Features)
	}
	states := n.spec.Layers * n.spec.Directions() * batch * n.spec.Hidden
	for _, s := range []*state[T]{&n.initial, &n.final} {
		kernels.Grow(&s.h, states)
		kernels.Grow(&s.c, states)
	}
	for i := range n.layers {
		l := &n.layers[i]
		kernels.Grow(&l.y, time*batch*n.spec.Width())
		kernels.Grow(&l.dy, len(l.y))
		if n.spec.Dropout > 0 && i < len(n.layers)-1 {
			kernels.Grow(&l.keep, len(l.y))
			kernels.Grow(&l.next, len(l.y))
		}
	}
	if n.spec.Readout == models.ReadAll {
		last := &n.layers[len(n.layers)-1]
		n.read, n.dread = last.y, last.dy
	} else {
		kernels.Grow(&n.read, n.rows()*n.spec.Width())
		kernels.Grow(&n.dread, len(n.read))
	}
	kernels.Grow(&n.out, n.rows()*n.spec.Outputs)
	kernels.Grow(&n.dout, len(n.out))
}

// count sets counts from lengths.
func (n *network[T]) count() {
	kernels.Grow(&n.counts, n.time)
	b := n.batch
	for t := range n.time {
		for b > 0 && n.lengths[b-1] <= t {
			b--
		}
		n.counts[t] = b
	}
}

// rows is the number of rows that the head reads.
func (n *network[T]) rows() int {
	if n.spec.Readout == models.ReadAll {
		return n.time * n.batch
	}
	return n.batch
}

// packed is a model's parameters, laid out for the products of its passes.
type packed[T models.Float] struct {
	*models.Params[T]
	layers      [][]cell.Packed[T] // of each layer, its directions
	head, headT kernels.Packed[T]
}

// newPacked returns room for the parameters of a network.
func newPacked[T models.Float](n *network[T]) packed[T] {
	p := packed[T]{layers: make([][]cell.Packed[T], len(n.layers))}
	for i, l := range n.layers {
		p.layers[i] = make([]cell.Packed[T], len(l.cells))
	}
	return p
}

// packs is the number of jobs in which pack is done.
func (n *network[T]) packs() int { return 2*n.spec.Layers*n.spec.Directions() + 1 }

// pack does a job of taking the parameters of p as they are now, what backward
// needs only if training.
func (n *network[T]) pack(p *packed[T], job int, training bool) {
	cells, backward := n.spec.Layers*n.spec.Directions(), job%2 == 1
	switch i, d := job/2/n.spec.Directions(), job/2%n.spec.Directions(); {
	case job == 2*cells:
		head := kernels.Dense(n.spec.Width(), n.spec.Outputs, p.Head.W)
		p.head.Pack(head)
		if training {
			p.headT.PackT(head)
		}
	case !backward:
		n.layers[i].cells[d].Pack(&p.layers[i][d], n.weights(p.Params, i, d))
	case training:
		n.layers[i].cells[d].PackBackward(&p.layers[i][d], n.weights(p.Params, i, d))
	}
}

// forward computes out from input or tokens: [batch, outputs], or time-major
// [time, batch, outputs] for a readout of all steps.
func (n *network[T]) forward(p *packed[T], training bool) {
	n.embed(p.Embedding)
	x := n.input
	for i := range n.layers {
		l := &n.layers[i]
		for d, c := range l.cells {
			last := c.Forward(&p.layers[i][d], n.sequences(x, i, d))
			if n.keepState {
				n.keep(i, d, last)
			}
		}
		x = l.y
		if training && len(l.keep) > 0 {
			n.drop(l)
			x = l.next
		}
	}
	n.readout()
	rows, outputs := n.rows(), n.spec.Outputs
	kernels.Mul(kernels.Dense(rows, outputs, n.out), kernels.Repeat(p.Head.B, rows), kernels.Dense(rows, n.spec.Width(), n.read), &p.head)
}

// backward adds to grads the gradients of the parameters, given dout and the
// forward pass in training before it.
func (n *network[T]) backward(p *packed[T], grads *models.Params[T]) {
	width := n.spec.Width()
	dout := kernels.Dense(n.rows(), n.spec.Outputs, n.dout)
	kernels.SumRows(grads.Head.B, dout)
	kernels.MulTN(kernels.Dense(width, n.spec.Outputs, grads.Head.W), kernels.Dense(n.rows(), width, n.read), dout)
	kernels.Mul(kernels.Dense(n.rows(), width, n.dread), kernels.Matrix[T]{}, dout, &p.headT)
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
		var dxSteps cell.Steps[T]
		if len(dx) > 0 {
			dxSteps = n.inputs(dx, i)
		}
		for d, c := range l.cells {
			c.Backward(&p.layers[i][d], n.sequences(x, i, d), n.direction(l.dy, d), n.weights(grads, i, d), dxSteps)
		}
		if i > 0 {
			for j, keep := range n.layers[i-1].keep {
				dx[j] *= keep
			}
		}
	}
	n.embedBackward(grads.Embedding)
}

// embed sets input to the rows of the table that tokens name, each once.
func (n *network[T]) embed(table []T) {
	if n.spec.Vocabulary == 0 {
		return
	}
	n.distinct = n.distinct[:0]
	for i, token := range n.tokens {
		if n.known[token] == 0 {
			n.distinct = append(n.distinct, token)
			n.known[token] = len(n.distinct)
		}
		n.pick[i] = n.known[token] - 1
	}
	size := n.spec.Embedding
	kernels.Grow(&n.input, len(n.distinct)*size)
	kernels.Grow(&n.dinput, len(n.input))
	for i, token := range n.distinct {
		n.known[token] = 0
		copy(n.input[i*size:][:size], table[int(token)*size:])
	}
}

func (n *network[T]) embedBackward(table []T) {
	size := n.spec.Embedding
	for i, token := range n.distinct {
		kernels.AddScaled(table[int(token)*size:][:size], 1, n.dinput[i*size:])
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
	y := n.steps(n.layers[len(n.layers)-1].y, n.spec.Width())
	read := kernels.Dense(n.rows(), n.spec.Width(), n.read)
	switch n.spec.Readout {
	case models.ReadAll: // read is y
	case models.ReadMean:
		read.Zero()
		for t := range n.time {
			kernels.Add(read.RowRange(0, n.counts[t]), y.Top(t, n.counts[t]))
		}
		for b, length := range n.lengths {
			kernels.Scale(read.Row(b), 1/T(length))
		}
	case models.ReadMax:
		n.readMax(read, y)
	default:
		for d := range n.spec.Directions() {
			for b := range n.batch {
				copy(n.half(read.Row(b), d), n.half(y.At(n.readTime(d, b)).Row(b), d))
			}
		}
	}
}

func (n *network[T]) readMax(read kernels.Matrix[T], y cell.Steps[T]) {
	kernels.Grow(&n.largest, len(n.read))
	for i := range n.read {
		n.read[i] = T(math.Inf(-1))
	}
	for t := range n.time {
		for b := range n.counts[t] {
			row, largest := read.Row(b), n.largest[b*read.Cols:]
			for j, v := range y.At(t).Row(b) {
				if v > row[j] || v != v {
					row[j], largest[j] = v, t
				}
			}
		}
	}
}

func (n *network[T]) readoutBackward() {
	dy := n.steps(n.layers[len(n.layers)-1].dy, n.spec.Width())
	dread := kernels.Dense(n.rows(), n.spec.Width(), n.dread)
	if n.spec.Readout == models.ReadAll {
		return // dread is dy
	}
	clear(dy.Data)
	switch n.spec.Readout {
	case models.ReadMean:
		for b, length := range n.lengths {
			kernels.Scale(dread.Row(b), 1/T(length))
			for t := range length {
				copy(dy.At(t).Row(b), dread.Row(b))
			}
		}
	case models.ReadMax:
		for b := range n.batch {
			for j, d := range dread.Row(b) {
				dy.At(n.largest[b*dread.Cols+j]).Row(b)[j] = d
			}
		}
	default:
		for d := range n.spec.Directions() {
			for b := range n.batch {
				copy(n.half(dy.At(n.readTime(d, b)).Row(b), d), n.half(dread.Row(b), d))
			}
		}
	}
}

// readTime is the step at which the head reads direction d of sequence b.
func (n *network[T]) readTime(d, b int) int {
	if d == 1 && n.spec.Readout == models.ReadFinal {
		return 0
	}
	return n.lengths[b] - 1
}

// half returns the part of a row of the last layer that is direction d's.
func (n *network[T]) half(row []T, d int) []T {
	return row[d*n.spec.Hidden:][:n.spec.Hidden]
}

func (n *network[T]) weights(p *models.Params[T], layer, d int) cell.Weights[T] {
	return cell.Weights[T](p.Layers[layer].Direction(d, n.spec.Directions()))
}

func (n *network[T]) steps(x []T, width int) cell.Steps[T] {
	return cell.Dense(n.time, n.batch, width, x)
}

// inputs returns x, which the given layer reads, or its gradient: of tokens the
// distinct ones in one step.
func (n *network[T]) inputs(x []T, layer int) cell.Steps[T] {
	if layer == 0 && n.spec.Vocabulary > 0 {
		return cell.Dense(1, len(n.distinct), n.spec.Embedding, x)
	}
	return n.steps(x, n.spec.LayerInputs(layer))
}

// direction returns the columns of y, [time, batch, width], that belong to
// direction d.
func (n *network[T]) direction(y []T, d int) cell.Steps[T] {
	h := n.spec.Hidden
	return n.steps(y, n.spec.Width()).Cols(d*h, (d+1)*h)
}

// sequences is what direction d of a layer reads from x and writes.
func (n *network[T]) sequences(x []T, layer, d int) cell.Sequences[T] {
	s := cell.Sequences[T]{
		X:     n.inputs(x, layer),
		Y:     n.direction(n.layers[layer].y, d),
		First: n.stateOf(n.initial, layer, d),
	}
	if layer == 0 && n.spec.Vocabulary > 0 {
		s.Pick = n.pick
	}
	if n.lengths[n.batch-1] < n.time {
		s.Lengths = n.counts
	}
	return s
}

// stateOf returns the part of s that is direction d of a layer's.
func (n *network[T]) stateOf(s state[T], layer, d int) cell.State[T] {
	size := n.batch * n.spec.Hidden
	at := (layer*n.spec.Directions() + d) * size
	return cell.State[T]{
		H: kernels.Dense(n.batch, n.spec.Hidden, s.h[at:]),
		C: kernels.Dense(n.batch, n.spec.Hidden, s.c[at:]),
	}
}

func (n *network[T]) keep(layer, d int, last cell.State[T]) {
	final := n.stateOf(n.final, layer, d)
	kernels.Copy(final.H, last.H)
	if n.spec.Cell == models.LSTM {
		kernels.Copy(final.C, last.C)
	}
}
