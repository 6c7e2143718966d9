package trainer

import (
	"github.com/rnnkit/rnnkit/internal/cell"
	"github.com/rnnkit/rnnkit/internal/kernels"
	"github.com/rnnkit/rnnkit/models"
)

// network computes the forward and the backward pass of a model over a batch of
// sequences, block by block. Its buffers grow in the first passes and are reused after
// that. It computes in float32 to train, and in float64 to be compared with others.
type network[T models.Float] struct {
	spec        models.Spec
	time, batch int
	lengths     []int // steps of each sequence, longest first
	counts      []int // at each step, the number of sequences that have it

	input     value[T] // without tokens, [time, batch, features]
	inputGrad bool     // backward sets the gradient of the input
	x, dx     []T      // the input, and its gradient

	blocks     []block[T]
	recurrent  *recurrent[T]
	tokens     *embedding[T]  // nil without a vocabulary
	categories *categories[T] // nil without categories
	paths      *paths[T]      // these two are nil but for a direct forecaster
	windows    *windows[T]

	out  []T // [rows, outputs]
	dout []T // its gradient
}

func newNetwork[T models.Float](spec models.Spec, params *models.Params[T]) *network[T] {
	n := &network[T]{spec: spec}
	head := newDense(params, func(p *models.Params[T]) models.Linear[T] { return p.Head }, false)
	read := &readout[T]{kind: spec.Readout, hidden: spec.Hidden}
	switch d := spec.Direct; {
	case d != nil:
		if spec.Readout == models.ReadAll {
			read.last = d.HorizonSegments()
		}
		if len(d.Categories) > 0 {
			n.add(&categories[T]{sizes: d.Categories, tables: params.Categories})
		}
		n.add(newSegments(d, params), newRecurrent(spec, params), newPaths(d, params, &windows[T]{direct: d}), read, head, &horizon[T]{direct: d})
		return n
	case spec.Vocabulary > 0:
		n.add(&embedding[T]{table: params.Embedding, size: spec.Embedding})
	}
	n.add(newRecurrent(spec, params), read, head)
	return n
}

// share returns a network with the same packed parameters, for another goroutine.
func (n *network[T]) share() *network[T] {
	s := &network[T]{spec: n.spec}
	for _, b := range n.blocks {
		s.add(b.share())
	}
	return s
}

// add appends blocks, and keeps those that a shard loads examples or states into.
func (n *network[T]) add(blocks ...block[T]) {
	n.blocks = append(n.blocks, blocks...)
	for _, b := range blocks {
		switch b := b.(type) {
		case *recurrent[T]:
			n.recurrent = b
		case *embedding[T]:
			n.tokens = b
		case *categories[T]:
			n.categories, n.inputGrad = b, true
		case *paths[T]:
			n.paths, n.windows = b, b.windows
		case *horizon[T]:
			b.paths = n.paths
		}
	}
}

// resize prepares the network for a batch of sequences of the given lengths, longest
// first. The caller then loads the examples and the initial states. The padding must be
// finite, or tokens of the vocabulary.
func (n *network[T]) resize(time int, lengths []int) {
	n.time, n.batch, n.lengths = time, len(lengths), lengths
	n.setCounts()
	n.input = value[T]{lengths: n.lengths, counts: n.counts}
	n.recurrent.resizeStates(n.batch)
	if n.tokens != nil {
		n.tokens.resize(time * n.batch)
		return
	}
	features := n.spec.Features
	if n.windows != nil {
		features = n.spec.Direct.Features()
		n.windows.resize(n.batch)
	}
	if n.categories != nil {
		kernels.Grow(&n.categories.numbers, n.batch*len(n.spec.Direct.Categories))
	}
	kernels.Grow(&n.x, time*n.batch*features)
	n.input.steps = cell.Dense(time, n.batch, features, n.x)
	if n.inputGrad {
		kernels.Grow(&n.dx, len(n.x))
		n.input.grad = cell.Dense(time, n.batch, features, n.dx)
	}
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

// packTasks returns the number of tasks that pack is divided into.
func (n *network[T]) packTasks() (tasks int) {
	for _, b := range n.blocks {
		tasks += b.packTasks()
	}
	return tasks
}

// pack runs one of the tasks that lay out the current parameters for the products, for
// all networks that share them.
func (n *network[T]) pack(task int, training bool) {
	for _, b := range n.blocks {
		if task < b.packTasks() {
			b.pack(task, training)
			return
		}
		task -= b.packTasks()
	}
}

// forward computes out: [batch, outputs], or time-major [time, batch, outputs] for a
// readout of all steps. For a direct forecaster it is [batch, horizon, quantiles].
func (n *network[T]) forward(training bool) {
	v := n.input
	v.complete = n.windows != nil && !n.windows.missing
	for _, b := range n.blocks {
		v = b.forward(v, training)
	}
	n.out, n.dout = v.steps.Data, v.grad.Data
}

// backward adds the gradients of the parameters to grads, given dout. It follows a
// forward in training.
func (n *network[T]) backward(grads *models.Params[T]) {
	for i := len(n.blocks) - 1; i >= 0; i-- {
		n.blocks[i].backward(grads)
	}
}
