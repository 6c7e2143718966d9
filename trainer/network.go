package trainer

import (
	"math"
	"math/rand/v2"

	"github.com/rnnkit/rnnkit/internal/cell"
	"github.com/rnnkit/rnnkit/internal/kernels"
	"github.com/rnnkit/rnnkit/models"
)

// network computes the forward and the backward pass of a model over a batch of
// sequences. Its buffers grow in the first passes and are reused after that. It computes
// in float32 to train, and in float64 to be compared with others.
type network[T models.Float] struct {
	spec        models.Spec
	time, batch int
	lengths     []int // steps of each sequence, longest first
	counts      []int // at each step, the number of sequences that have it

	tokens   []int64 // [time, batch], for a model with a vocabulary
	distinct []int64 // the different ones of tokens
	pick     []int   // [time, batch]: the index in distinct of each token
	index    []int   // of every token of the vocabulary, its index in distinct plus 1, or 0

	input  []T // [time, batch, inputs] or [distinct, inputs]: input of the first layer
	dinput []T // its gradient
	layers []layer[T]

	initial, final state[T] // before the first step and, if keepFinal, after the last
	keepFinal      bool

	headInput  []T   // [rows, width]: for a readout of all steps the last layer's y
	dHeadInput []T   // its gradient
	argmax     []int // [batch, width]: the steps that the readout max has taken
	out        []T   // [rows, outputs]
	dout       []T   // its gradient

	dropout rand.PCG
}

// layer is one recurrent layer with a cell for each direction. Each writes its columns
// of y.
type layer[T models.Float] struct {
	cells   []cell.Cell[T]
	y       []T // [time, batch, width]
	dy      []T // its gradient
	mask    []T // factors of dropout for y; empty without dropout
	dropped []T // y times mask, which the next layer reads
}

// state holds the states of all layers and directions, each [layers*directions,
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

// resize prepares the network for a batch of sequences of the given lengths, longest
// first. The caller then sets input or tokens, and initial. The padding must be finite,
// or tokens of the vocabulary.
func (n *network[T]) resize(time int, lengths []int) {
	batch := len(lengths)
	n.time, n.batch, n.lengths = time, batch, lengths
	n.setCounts()
	if n.spec.Vocabulary > 0 {
		kernels.Grow(&n.tokens, time*batch)
		kernels.Grow(&n.pick, time*batch)
		kernels.Grow(&n.index, n.spec.Vocabulary)
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
			kernels.Grow(&l.mask, len(l.y))
			kernels.Grow(&l.dropped, len(l.y))
		}
	}
	if n.spec.Readout == models.ReadAll {
		last := &n.layers[len(n.layers)-1]
		n.headInput, n.dHeadInput = last.y, last.dy
	} else {
		kernels.Grow(&n.headInput, n.rows()*n.spec.Width())
		kernels.Grow(&n.dHeadInput, len(n.headInput))
	}
	kernels.Grow(&n.out, n.rows()*n.spec.Outputs)
	kernels.Grow(&n.dout, len(n.out))
}

// setCounts sets counts from lengths.
func (n *network[T]) setCounts() {
	kernels.Grow(&n.counts, n.time)
	b := n.batch
	for t := range n.time {
		for b > 0 && n.lengths[b-1] <= t {
			b--
		}
		n.counts[t] = b
	}
}

// rows returns the number of rows that the head reads.
func (n *network[T]) rows() int {
	if n.spec.Readout == models.ReadAll {
		return n.time * n.batch
	}
	return n.batch
}

// packed holds the parameters of a model in the layout that its products need.
type packed[T models.Float] struct {
	*models.Params[T]
	layers      [][]cell.Packed[T] // of each layer, its directions
	head, headT kernels.Packed[T]
}

// newPacked returns memory for the parameters of a network.
func newPacked[T models.Float](n *network[T]) packed[T] {
	p := packed[T]{layers: make([][]cell.Packed[T], len(n.layers))}
	for i, l := range n.layers {
		p.layers[i] = make([]cell.Packed[T], len(l.cells))
	}
	return p
}

// packTasks returns the number of tasks that pack is divided into.
func (n *network[T]) packTasks() int { return 2*n.spec.Layers*n.spec.Directions() + 1 }

// pack runs one of the tasks that store the current parameters in p. What only backward
// needs is stored only if training.
func (n *network[T]) pack(p *packed[T], task int, training bool) {
	cells, backward := n.spec.Layers*n.spec.Directions(), task%2 == 1
	switch i, d := task/2/n.spec.Directions(), task/2%n.spec.Directions(); {
	case task == 2*cells:
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
			if n.keepFinal {
				n.saveFinal(i, d, last)
			}
		}
		x = l.y
		if training && len(l.mask) > 0 {
			n.drop(l)
			x = l.dropped
		}
	}
	n.readout()
	rows, outputs := n.rows(), n.spec.Outputs
	kernels.Mul(kernels.Dense(rows, outputs, n.out), kernels.Repeat(p.Head.B, rows), kernels.Dense(rows, n.spec.Width(), n.headInput), &p.head)
}

// backward adds the gradients of the parameters to grads, given dout. It follows a
// forward in training.
func (n *network[T]) backward(p *packed[T], grads *models.Params[T]) {
	width := n.spec.Width()
	dout := kernels.Dense(n.rows(), n.spec.Outputs, n.dout)
	kernels.SumRows(grads.Head.B, dout)
	kernels.MulTN(kernels.Dense(width, n.spec.Outputs, grads.Head.W), kernels.Dense(n.rows(), width, n.headInput), dout)
	kernels.Mul(kernels.Dense(n.rows(), width, n.dHeadInput), kernels.Matrix[T]{}, dout, &p.headT)
	n.readoutBackward()
	for i := len(n.layers) - 1; i >= 0; i-- {
		n.layerBackward(i, p, grads)
	}
	n.embedBackward(grads.Embedding)
}

// layerBackward is the part of backward that goes from the gradient of the outputs of
// layer i to that of its input.
func (n *network[T]) layerBackward(i int, p *packed[T], grads *models.Params[T]) {
	l := &n.layers[i]
	x, dx := n.input, n.dinput
	var mask []T
	if i > 0 {
		below := &n.layers[i-1]
		x, dx, mask = below.y, below.dy, below.mask
		if len(mask) > 0 {
			x = below.dropped
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
	for j, m := range mask {
		dx[j] *= m
	}
}

// embed sets input to the rows of table for the distinct tokens.
func (n *network[T]) embed(table []T) {
	if n.spec.Vocabulary == 0 {
		return
	}
	n.distinct = n.distinct[:0]
	for i, token := range n.tokens {
		if n.index[token] == 0 {
			n.distinct = append(n.distinct, token)
			n.index[token] = len(n.distinct)
		}
		n.pick[i] = n.index[token] - 1
	}
	size := n.spec.Embedding
	kernels.Grow(&n.input, len(n.distinct)*size)
	kernels.Grow(&n.dinput, len(n.input))
	for i, token := range n.distinct {
		n.index[token] = 0
		copy(n.input[i*size:][:size], table[int(token)*size:])
	}
}

// embedBackward adds the gradient of input to the rows of table for the distinct tokens.
func (n *network[T]) embedBackward(table []T) {
	size := n.spec.Embedding
	for i, token := range n.distinct {
		kernels.AddScaled(table[int(token)*size:][:size], 1, n.dinput[i*size:])
	}
}

// drop zeroes each output of l with the probability Spec.Dropout and scales the others
// so that the expectation stays the same: Srivastava et al., "Dropout" (2014), inverted
// as in PyTorch.
func (n *network[T]) drop(l *layer[T]) {
	p := n.spec.Dropout
	scale := T(1 / (1 - p))
	threshold := uint64(p * (1 << 32))
	for i := range l.mask {
		l.mask[i] = scale
		if n.dropout.Uint64()>>32 < threshold {
			l.mask[i] = 0
		}
		l.dropped[i] = l.y[i] * l.mask[i]
	}
}

// readout sets headInput from the outputs of the last layer.
func (n *network[T]) readout() {
	y := n.steps(n.layers[len(n.layers)-1].y, n.spec.Width())
	read := kernels.Dense(n.rows(), n.spec.Width(), n.headInput)
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
				copy(n.directionOf(read.Row(b), d), n.directionOf(y.At(n.readStep(d, b)).Row(b), d))
			}
		}
	}
}

// readMax sets read to the largest outputs over all steps, and argmax to their steps. A
// NaN counts as the largest.
func (n *network[T]) readMax(read kernels.Matrix[T], y cell.Steps[T]) {
	kernels.Grow(&n.argmax, len(n.headInput))
	for i := range n.headInput {
		n.headInput[i] = T(math.Inf(-1))
	}
	for t := range n.time {
		for b := range n.counts[t] {
			row, argmax := read.Row(b), n.argmax[b*read.Cols:]
			for j, v := range y.At(t).Row(b) {
				if v > row[j] || v != v {
					row[j], argmax[j] = v, t
				}
			}
		}
	}
}

// readoutBackward sets the gradient of the last layer from dHeadInput.
func (n *network[T]) readoutBackward() {
	dy := n.steps(n.layers[len(n.layers)-1].dy, n.spec.Width())
	dread := kernels.Dense(n.rows(), n.spec.Width(), n.dHeadInput)
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
				dy.At(n.argmax[b*dread.Cols+j]).Row(b)[j] = d
			}
		}
	default:
		for d := range n.spec.Directions() {
			for b := range n.batch {
				copy(n.directionOf(dy.At(n.readStep(d, b)).Row(b), d), n.directionOf(dread.Row(b), d))
			}
		}
	}
}

// readStep returns the step at which the head reads direction d of sequence b.
func (n *network[T]) readStep(d, b int) int {
	if d == 1 && n.spec.Readout == models.ReadFinal {
		return 0
	}
	return n.lengths[b] - 1
}

// directionOf returns the columns of direction d in a row of the last layer.
func (n *network[T]) directionOf(row []T, d int) []T {
	return row[d*n.spec.Hidden:][:n.spec.Hidden]
}

// weights returns the parameters of direction d of a layer in p.
func (n *network[T]) weights(p *models.Params[T], layer, d int) cell.Weights[T] {
	return cell.Weights[T](p.Layers[layer].Direction(d, n.spec.Directions()))
}

// steps returns x as steps of the given width.
func (n *network[T]) steps(x []T, width int) cell.Steps[T] {
	return cell.Dense(n.time, n.batch, width, x)
}

// inputs returns x, the input of a layer or its gradient, as steps. The input of the
// first layer of a model of tokens is one step of the distinct tokens.
func (n *network[T]) inputs(x []T, layer int) cell.Steps[T] {
	if layer == 0 && n.spec.Vocabulary > 0 {
		return cell.Dense(1, len(n.distinct), n.spec.Embedding, x)
	}
	return n.steps(x, n.spec.LayerInputs(layer))
}

// direction returns the columns of direction d in y, [time, batch, width].
func (n *network[T]) direction(y []T, d int) cell.Steps[T] {
	h := n.spec.Hidden
	return n.steps(y, n.spec.Width()).Cols(d*h, (d+1)*h)
}

// sequences returns the input x and the output of direction d of a layer.
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

// stateOf returns the state of direction d of a layer in s.
func (n *network[T]) stateOf(s state[T], layer, d int) cell.State[T] {
	size := n.batch * n.spec.Hidden
	at := (layer*n.spec.Directions() + d) * size
	return cell.State[T]{
		H: kernels.Dense(n.batch, n.spec.Hidden, s.h[at:]),
		C: kernels.Dense(n.batch, n.spec.Hidden, s.c[at:]),
	}
}

// saveFinal copies the state after the last step of direction d of a layer to final.
func (n *network[T]) saveFinal(layer, d int, last cell.State[T]) {
	final := n.stateOf(n.final, layer, d)
	kernels.Copy(final.H, last.H)
	if n.spec.Cell == models.LSTM {
		kernels.Copy(final.C, last.C)
	}
}
