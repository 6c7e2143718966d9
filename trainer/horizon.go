package trainer

import (
	"github.com/rnnkit/rnnkit/internal/cell"
	"github.com/rnnkit/rnnkit/internal/kernels"
	"github.com/rnnkit/rnnkit/models"
)

// horizon is the last block of a direct forecaster. It reads the answers for the horizon,
// segment by segment or at once, and answers one step, [batch, horizon, quantiles]. To all quantiles of a
// step it adds the linear path from the normalized window, if there is one.
type horizon[T models.Float] struct {
	direct *models.Direct
	path   []T // [window, horizon], or empty
	packed *kernels.Packed[T]

	windows *windows[T]
	x       value[T]
	linear  []T // [batch, horizon]: the answers of the linear path, then their gradients
	y, dy   []T // [batch, horizon, quantiles]
}

func newHorizon[T models.Float](d *models.Direct, path []T, w *windows[T]) *horizon[T] {
	return &horizon[T]{direct: d, path: path, packed: new(kernels.Packed[T]), windows: w}
}

func (h *horizon[T]) share() block[T] {
	return &horizon[T]{direct: h.direct, path: h.path, packed: h.packed, windows: &windows[T]{direct: h.direct}}
}

func (h *horizon[T]) packTasks() int { return min(len(h.path), 1) }

func (h *horizon[T]) pack(int, bool) {
	h.packed.Pack(kernels.Dense(h.direct.Window, h.direct.Horizon, h.path))
}

func (h *horizon[T]) forward(x value[T], _ bool) value[T] {
	h.x = x
	batch, width := x.steps.Batch, h.direct.Horizon*len(h.direct.Quantiles)
	if h.atOnce() {
		h.y, h.dy = x.steps.Data, x.grad.Data
	} else {
		kernels.Grow(&h.y, batch*width)
		kernels.Grow(&h.dy, len(h.y))
		h.eachSegment(h.y, x.steps, func(y, x []T) { copy(y, x) })
	}
	if len(h.path) > 0 {
		h.addPath(batch)
	}
	return x.with(cell.Dense(1, batch, width, h.y), cell.Dense(1, batch, width, h.dy))
}

// atOnce reports whether what it reads are the answers for the whole horizon already.
func (h *horizon[T]) atOnce() bool {
	return h.x.steps.Time == 1 && h.x.steps.Width == h.direct.Horizon*len(h.direct.Quantiles)
}

// addPath adds the linear path.
func (h *horizon[T]) addPath(batch int) {
	q := len(h.direct.Quantiles)
	kernels.Grow(&h.linear, batch*h.direct.Horizon)
	z := kernels.Dense(batch, h.direct.Window, h.windows.z)
	kernels.Mul(kernels.Dense(batch, h.direct.Horizon, h.linear), kernels.Matrix[T]{}, z, h.packed)
	for i, v := range h.linear {
		for j := range h.y[i*q:][:q] {
			h.y[i*q+j] += v
		}
	}
}

func (h *horizon[T]) backward(grads *models.Params[T]) {
	if !h.atOnce() {
		h.x.grad.At(h.x.grad.Time - 1).Zero() // where it goes beyond the horizon
		h.eachSegment(h.dy, h.x.grad, func(dy, dx []T) { copy(dx, dy) })
	}
	if len(h.path) == 0 {
		return
	}
	q := len(h.direct.Quantiles)
	for i := range h.linear {
		var sum T
		for _, d := range h.dy[i*q:][:q] {
			sum += d
		}
		h.linear[i] = sum
	}
	z := kernels.Dense(h.x.grad.Batch, h.direct.Window, h.windows.z)
	dpath := kernels.Dense(h.direct.Window, h.direct.Horizon, grads.Path)
	kernels.MulTN(dpath, z, kernels.Dense(h.x.grad.Batch, h.direct.Horizon, h.linear))
}

// eachSegment calls do for the part of y, [batch, horizon, quantiles], and the part of
// steps that are answers for the same steps of the horizon.
func (h *horizon[T]) eachSegment(y []T, steps cell.Steps[T], do func(y, x []T)) {
	width := len(y) / steps.Batch
	for b := range steps.Batch {
		for t := range steps.Time {
			part := y[b*width:][t*steps.Width : min((t+1)*steps.Width, width)]
			do(part, steps.At(t).Row(b))
		}
	}
}
