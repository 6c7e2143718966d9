package trainer

import (
	"math/rand/v2"

	"github.com/rnnkit/rnnkit/internal/cell"
	"github.com/rnnkit/rnnkit/internal/kernels"
	"github.com/rnnkit/rnnkit/models"
)

// recurrent is the block of the recurrent layers, with dropout between them, and after the
// last one of a direct forecaster.
type recurrent[T models.Float] struct {
	spec   models.Spec
	params *models.Params[T]
	packed [][]cell.Packed[T] // of each layer, its directions

	x      value[T]
	layers []layer[T]

	initial, final state[T] // before the first step and, if keepFinal, after the last
	keepFinal      bool

	dropout rand.PCG
}

// layer is one recurrent layer with a cell for each direction. Each writes its columns
// of y.
type layer[T models.Float] struct {
	cells   []cell.Cell[T]
	y       []T // [time, batch, width]
	dy      []T // its gradient
	mask    []T // factors of dropout for y; empty without dropout
	dropped []T // y times mask, which the next layer or block reads
}

// state holds the states of all layers and directions, each [layers*directions,
// batch, hidden].
type state[T models.Float] struct{ h, c []T }

func newRecurrent[T models.Float](spec models.Spec, params *models.Params[T]) *recurrent[T] {
	packed := make([][]cell.Packed[T], spec.Layers)
	for i := range packed {
		packed[i] = make([]cell.Packed[T], spec.Directions())
	}
	return (&recurrent[T]{spec: spec, params: params, packed: packed}).withCells()
}

func (r *recurrent[T]) share() block[T] {
	return (&recurrent[T]{spec: r.spec, params: r.params, packed: r.packed}).withCells()
}

// withCells gives r the cells of its layers.
func (r *recurrent[T]) withCells() *recurrent[T] {
	newCell := map[models.Cell]func(hidden int, reverse bool) cell.Cell[T]{
		models.RNN:  cell.NewRNN[T],
		models.LSTM: cell.NewLSTM[T],
		models.GRU:  cell.NewGRU[T],
	}[r.spec.Cell]
	if r.spec.Activation == models.ReLU {
		newCell = cell.NewReLU[T]
	}
	r.layers = make([]layer[T], r.spec.Layers)
	for i := range r.layers {
		for d := range r.spec.Directions() {
			r.layers[i].cells = append(r.layers[i].cells, newCell(r.spec.Hidden, d == 1))
		}
	}
	return r
}

func (r *recurrent[T]) packTasks() int { return 2 * r.spec.Layers * r.spec.Directions() }

func (r *recurrent[T]) pack(task int, training bool) {
	i, d := task/2/r.spec.Directions(), task/2%r.spec.Directions()
	c, weights := r.layers[i].cells[d], r.weights(r.params, i, d)
	switch backward := task%2 == 1; {
	case !backward:
		c.Pack(&r.packed[i][d], weights)
	case training:
		c.PackBackward(&r.packed[i][d], weights)
	}
}

// resizeStates prepares the states for a batch. The caller then sets initial.
func (r *recurrent[T]) resizeStates(batch int) {
	n := r.spec.Layers * r.spec.Directions() * batch * r.spec.Hidden
	for _, s := range []*state[T]{&r.initial, &r.final} {
		kernels.Grow(&s.h, n)
		kernels.Grow(&s.c, n)
	}
}

func (r *recurrent[T]) forward(x value[T], training bool) value[T] {
	r.x = x
	r.resize()
	in := x.steps
	for i := range r.layers {
		l := &r.layers[i]
		for d, c := range l.cells {
			final := c.Forward(&r.packed[i][d], r.sequences(in, i, d))
			if r.keepFinal {
				r.saveFinal(i, d, final)
			}
		}
		in = r.steps(l.y)
		if training && len(l.mask) > 0 {
			r.drop(l)
			in = r.steps(l.dropped)
		}
	}
	return x.with(in, r.steps(r.layers[len(r.layers)-1].dy))
}

// resize grows the buffers of the layers.
func (r *recurrent[T]) resize() {
	for i := range r.layers {
		l := &r.layers[i]
		kernels.Grow(&l.y, len(r.x.counts)*len(r.x.lengths)*r.spec.Width())
		kernels.Grow(&l.dy, len(l.y))
		if r.spec.Dropout > 0 && (i < len(r.layers)-1 || r.spec.Direct != nil) {
			kernels.Grow(&l.mask, len(l.y))
			kernels.Grow(&l.dropped, len(l.y))
		}
	}
}

func (r *recurrent[T]) backward(grads *models.Params[T]) {
	for i := len(r.layers) - 1; i >= 0; i-- {
		r.layerBackward(i, grads)
	}
}

// layerBackward is the part of backward that goes from the gradient of the outputs of
// layer i to that of its input.
func (r *recurrent[T]) layerBackward(i int, grads *models.Params[T]) {
	l := &r.layers[i]
	for j, m := range l.mask {
		l.dy[j] *= m
	}
	x, dx := r.x.steps, r.x.grad
	if i > 0 {
		below := &r.layers[i-1]
		x, dx = r.steps(below.y), r.steps(below.dy)
		if len(below.mask) > 0 {
			x = r.steps(below.dropped)
		}
	}
	clear(dx.Data)
	for d, c := range l.cells {
		c.Backward(&r.packed[i][d], r.sequences(x, i, d), r.direction(l.dy, d), r.weights(grads, i, d), dx)
	}
}

// drop zeroes each output of l with the probability Spec.Dropout and scales the others
// so that the expectation stays the same: Srivastava et al., "Dropout" (2014), inverted
// as in PyTorch.
func (r *recurrent[T]) drop(l *layer[T]) {
	p := r.spec.Dropout
	scale := T(1 / (1 - p))
	threshold := uint64(p * (1 << 32))
	for i := range l.mask {
		l.mask[i] = scale
		if r.dropout.Uint64()>>32 < threshold {
			l.mask[i] = 0
		}
		l.dropped[i] = l.y[i] * l.mask[i]
	}
}

// weights returns the parameters of direction d of a layer in p.
func (r *recurrent[T]) weights(p *models.Params[T], layer, d int) cell.Weights[T] {
	return cell.Weights[T](p.Layers[layer].Direction(d, r.spec.Directions()))
}

// steps returns the outputs of a layer as steps.
func (r *recurrent[T]) steps(y []T) cell.Steps[T] {
	return cell.Dense(len(r.x.counts), len(r.x.lengths), r.spec.Width(), y)
}

// direction returns the columns of direction d in y, [time, batch, width].
func (r *recurrent[T]) direction(y []T, d int) cell.Steps[T] {
	h := r.spec.Hidden
	return r.steps(y).Cols(d*h, (d+1)*h)
}

// sequences returns the input x and the output of direction d of a layer.
func (r *recurrent[T]) sequences(x cell.Steps[T], layer, d int) cell.Sequences[T] {
	s := cell.Sequences[T]{
		X:     x,
		Y:     r.direction(r.layers[layer].y, d),
		First: r.stateOf(r.initial, layer, d),
	}
	if layer == 0 {
		s.Pick = r.x.pick
	}
	if r.x.lengths[len(r.x.lengths)-1] < len(r.x.counts) {
		s.Lengths = r.x.counts
	}
	return s
}

// stateOf returns the state of direction d of a layer in s.
func (r *recurrent[T]) stateOf(s state[T], layer, d int) cell.State[T] {
	batch, hidden := len(r.x.lengths), r.spec.Hidden
	at := (layer*r.spec.Directions() + d) * batch * hidden
	return cell.State[T]{H: kernels.Dense(batch, hidden, s.h[at:]), C: kernels.Dense(batch, hidden, s.c[at:])}
}

// saveFinal copies the state after the last step of direction d of a layer to final.
func (r *recurrent[T]) saveFinal(layer, d int, last cell.State[T]) {
	final := r.stateOf(r.final, layer, d)
	kernels.Copy(final.H, last.H)
	if r.spec.Cell == models.LSTM {
		kernels.Copy(final.C, last.C)
	}
}
