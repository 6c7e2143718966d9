package trainer

import (
	"github.com/rnnkit/rnnkit/internal/cell"
	"github.com/rnnkit/rnnkit/internal/kernels"
	"github.com/rnnkit/rnnkit/models"
)

// paths is the block of the linear maps from the normalized windows to the horizon. It
// reads the outputs of the recurrent layers, of which the gate reads those after the
// window, and hands them on; the block horizon adds the answers.
type paths[T models.Float] struct {
	direct  *models.Direct
	maps    []T       // [window, maps, horizon]
	gate    *dense[T] // nil with one map
	windows *windows[T]

	x           value[T]
	y, dy       []T // [batch, horizon]
	each, dEach []T // [batch, maps, horizon]: what each map answers; y and dy with one map

	shares, dShares []T // [batch, maps]: the softmax of what the gate answers
	dState          []T // [batch, width]: the gradient of what the gate reads
	largest, sums   []T // [batch]: see kernels.Softmax
}

func newPaths[T models.Float](d *models.Direct, p *models.Params[T], w *windows[T]) *paths[T] {
	n := &paths[T]{direct: d, maps: p.Path, windows: w}
	if d.Linear > 1 {
		n.gate = newDense(p, func(p *models.Params[T]) models.Linear[T] { return p.Gate }, false)
	}
	return n
}

func (p *paths[T]) share() block[T] {
	s := &paths[T]{direct: p.direct, maps: p.maps, windows: &windows[T]{direct: p.direct}}
	if p.gate != nil {
		s.gate = p.gate.share().(*dense[T])
	}
	return s
}

// packTasks counts the gate alone: products read the maps as fast where they are.
func (p *paths[T]) packTasks() int { return min(max(p.direct.Linear-1, 0), 1) }

func (p *paths[T]) pack(task int, training bool) { p.gate.pack(task, training) }

func (p *paths[T]) forward(x value[T], training bool) value[T] {
	p.x = x
	maps, batch := p.direct.Linear, x.steps.Batch
	if maps == 0 {
		return x
	}
	kernels.Grow(&p.each, batch*maps*p.direct.Horizon)
	kernels.Grow(&p.dEach, len(p.each))
	kernels.SetNN(p.product(p.each), p.inputs(), p.matrix(p.maps))
	if maps == 1 {
		p.y, p.dy = p.each, p.dEach
	} else {
		p.mix(training)
	}
	return x
}

// inputs returns the normalized windows, [batch, window].
func (p *paths[T]) inputs() kernels.Matrix[T] {
	return kernels.Dense(p.x.steps.Batch, p.direct.Window, p.windows.z)
}

// product returns what the maps answer, or its gradient, [batch, maps*horizon].
func (p *paths[T]) product(each []T) kernels.Matrix[T] {
	return kernels.Dense(p.x.steps.Batch, p.direct.Linear*p.direct.Horizon, each)
}

// mix sets y to the sum of each, weighted by the shares.
func (p *paths[T]) mix(training bool) {
	maps, horizon, batch := p.direct.Linear, p.direct.Horizon, p.x.steps.Batch
	kernels.Grow(&p.dState, batch*p.x.steps.Width)
	last := p.direct.WindowSegments()
	state := p.x.with(p.x.steps.Range(last-1, last), cell.Dense(1, batch, p.x.steps.Width, p.dState))
	p.gate.forward(state, training)
	kernels.Grow(&p.shares, batch*maps)
	kernels.Grow(&p.dShares, batch*maps)
	kernels.Grow(&p.largest, batch)
	kernels.Grow(&p.sums, batch)
	kernels.Softmax(kernels.Dense(batch, maps, p.shares), kernels.Dense(batch, maps, p.gate.y), p.largest, p.sums)
	kernels.Grow(&p.y, batch*horizon)
	kernels.Grow(&p.dy, len(p.y))
	for b := range batch {
		y, shares := kernels.Dense(1, horizon, p.y[b*horizon:]), kernels.Dense(1, maps, p.shares[b*maps:])
		kernels.SetNN(y, shares, kernels.Dense(maps, horizon, p.each[b*maps*horizon:]))
	}
}

// backward expects the gradient of y in dy.
func (p *paths[T]) backward(grads *models.Params[T]) {
	if p.direct.Linear == 0 {
		return
	}
	if p.direct.Linear > 1 {
		p.mixBackward(grads)
	}
	kernels.SetTN(p.matrix(grads.Path), p.inputs(), p.product(p.dEach))
}

// matrix returns maps as a matrix, [window, maps*horizon].
func (p *paths[T]) matrix(maps []T) kernels.Matrix[T] {
	return kernels.Dense(p.direct.Window, p.direct.Linear*p.direct.Horizon, maps)
}

// mixBackward sets dEach from dy, and adds the gradient of what the gate reads.
func (p *paths[T]) mixBackward(grads *models.Params[T]) {
	maps, horizon := p.direct.Linear, p.direct.Horizon
	for b := range p.x.steps.Batch {
		dy, at := p.dy[b*horizon:], b*maps*horizon
		shares, dShares := p.shares[b*maps:][:maps], p.dShares[b*maps:][:maps]
		kernels.SetTN(kernels.Dense(maps, horizon, p.dEach[at:]), kernels.Dense(1, maps, shares), kernels.Dense(1, horizon, dy))
		kernels.SetNN(kernels.Dense(maps, 1, dShares), kernels.Dense(maps, horizon, p.each[at:]), kernels.Dense(horizon, 1, dy))
		var mean T
		for k, share := range shares {
			mean += share * dShares[k]
		}
		for k, share := range shares {
			p.gate.dy[b*maps+k] = share * (dShares[k] - mean)
		}
	}
	p.gate.backward(grads)
	kernels.Add(p.x.grad.At(p.direct.WindowSegments()-1), kernels.Dense(p.x.grad.Batch, p.x.grad.Width, p.dState))
}
