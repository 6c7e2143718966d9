package trainer

import (
	"math"

	"github.com/rnnkit/rnnkit/internal/cell"
	"github.com/rnnkit/rnnkit/internal/kernels"
	"github.com/rnnkit/rnnkit/models"
)

// readout is the block that chooses from the outputs of the recurrent layers what the
// head reads.
type readout[T models.Float] struct {
	unpacked
	kind   models.Readout
	last   int // if not 0, the last steps alone, for ReadAll
	hidden int // columns of a direction

	x      value[T]
	y, dy  []T   // [batch, width]
	argmax []int // [batch, width]: the steps that the readout max has taken
}

func (r *readout[T]) share() block[T] {
	return &readout[T]{kind: r.kind, last: r.last, hidden: r.hidden}
}

func (r *readout[T]) forward(x value[T], _ bool) value[T] {
	r.x = x
	time, batch, width := x.steps.Time, x.steps.Batch, x.steps.Width
	if r.kind == models.ReadAll {
		first := 0
		if r.last > 0 {
			first = time - r.last
		}
		return x.with(x.steps.Range(first, time), x.grad.Range(first, time))
	}
	kernels.Grow(&r.y, batch*width)
	kernels.Grow(&r.dy, len(r.y))
	switch y := kernels.Dense(batch, width, r.y); r.kind {
	case models.ReadMean:
		r.mean(y)
	case models.ReadMax:
		r.max(y)
	default:
		for row := range batch {
			for d := range width / r.hidden {
				copy(r.direction(y.Row(row), d), r.direction(x.steps.At(r.step(d, row)).Row(row), d))
			}
		}
	}
	return x.with(cell.Dense(1, batch, width, r.y), cell.Dense(1, batch, width, r.dy))
}

// mean sets y to the means of the outputs over all steps.
func (r *readout[T]) mean(y kernels.Matrix[T]) {
	y.Zero()
	for t, n := range r.x.counts {
		kernels.Add(y.RowRange(0, n), r.x.steps.Top(t, n))
	}
	for row, length := range r.x.lengths {
		kernels.Scale(y.Row(row), 1/T(length))
	}
}

// max sets y to the largest outputs over all steps, and argmax to their steps. A NaN
// counts as the largest.
func (r *readout[T]) max(y kernels.Matrix[T]) {
	kernels.Grow(&r.argmax, len(r.y))
	for i := range r.y {
		r.y[i] = T(math.Inf(-1))
	}
	for t, n := range r.x.counts {
		for b := range n {
			row, argmax := y.Row(b), r.argmax[b*y.Cols:]
			for j, v := range r.x.steps.At(t).Row(b) {
				if v > row[j] || v != v {
					row[j], argmax[j] = v, t
				}
			}
		}
	}
}

func (r *readout[T]) backward(*models.Params[T]) {
	dx := r.x.grad
	if r.kind == models.ReadAll { // the gradient of what was read is there already
		if r.last > 0 {
			dx.Flat(0, dx.Time-r.last).Zero()
		}
		return
	}
	clear(dx.Data)
	switch dy := kernels.Dense(dx.Batch, dx.Width, r.dy); r.kind {
	case models.ReadMean:
		for row, length := range r.x.lengths {
			kernels.Scale(dy.Row(row), 1/T(length))
			for t := range length {
				copy(dx.At(t).Row(row), dy.Row(row))
			}
		}
	case models.ReadMax:
		for row := range dx.Batch {
			for j, d := range dy.Row(row) {
				dx.At(r.argmax[row*dy.Cols+j]).Row(row)[j] = d
			}
		}
	default:
		for row := range dx.Batch {
			for d := range dx.Width / r.hidden {
				copy(r.direction(dx.At(r.step(d, row)).Row(row), d), r.direction(dy.Row(row), d))
			}
		}
	}
}

// step returns the step at which the head reads direction d of a sequence.
func (r *readout[T]) step(d, sequence int) int {
	if d == 1 && r.kind == models.ReadFinal {
		return 0
	}
	return r.x.lengths[sequence] - 1
}

// direction returns the columns of direction d in a row of the last layer.
func (r *readout[T]) direction(row []T, d int) []T { return row[d*r.hidden:][:r.hidden] }
