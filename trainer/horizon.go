package trainer

import (
	"github.com/rnnkit/rnnkit/internal/cell"
	"github.com/rnnkit/rnnkit/internal/kernels"
	"github.com/rnnkit/rnnkit/models"
)

// horizon is the last block of a direct forecaster. It reads the answers for the horizon,
// segment by segment or at once, and answers one step, [batch, horizon, quantiles]. To all
// quantiles of a step it adds the answer of the linear maps.
type horizon[T models.Float] struct {
	unpacked
	direct *models.Direct
	paths  *paths[T]

	x     value[T]
	y, dy []T // [batch, horizon, quantiles]
}

// share leaves out the paths, which are a block of their own.
func (h *horizon[T]) share() block[T] { return &horizon[T]{direct: h.direct} }

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
	if h.direct.Linear > 0 {
		q := len(h.direct.Quantiles)
		for i, v := range h.paths.y {
			step := h.y[i*q:][:q]
			for j := range step {
				step[j] += v
			}
		}
	}
	return x.with(cell.Dense(1, batch, width, h.y), cell.Dense(1, batch, width, h.dy))
}

func (h *horizon[T]) backward(*models.Params[T]) {
	if !h.atOnce() {
		h.x.grad.At(h.x.grad.Time - 1).Zero() // where it goes beyond the horizon
		h.eachSegment(h.dy, h.x.grad, func(dy, dx []T) { copy(dx, dy) })
	}
	if h.direct.Linear > 0 {
		q := len(h.direct.Quantiles)
		for i := range h.paths.dy {
			var sum T
			for _, d := range h.dy[i*q:][:q] {
				sum += d
			}
			h.paths.dy[i] = sum
		}
	}
}

// atOnce reports whether what it reads are the answers for the whole horizon already.
func (h *horizon[T]) atOnce() bool {
	return h.x.steps.Time == 1 && h.x.steps.Width == h.direct.Horizon*len(h.direct.Quantiles)
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
