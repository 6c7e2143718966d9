package trainer

import (
	"github.com/rnnkit/rnnkit/internal/cell"
	"github.com/rnnkit/rnnkit/internal/kernels"
	"github.com/rnnkit/rnnkit/models"
)

// segments is the block of the dense layer with relu that reads the segments of a direct
// forecaster, y = max(x W + B, 0). The first columns of x are normalized values, and
// masks of what is known of them. After the window both are zeros. In a window that
// lacks nothing the masks are ones, and their product is the sum of their rows of W.
type segments[T models.Float] struct {
	dense[T]
	direct *models.Direct
	parts  *segmentParts[T]
	sums   []T // [outputs]
}

// segmentParts is W, packed in parts: the rows of the values, of the masks, and the rest.
type segmentParts[T models.Float] struct {
	values, masks, rest kernels.Packed[T]
	complete            []T // B plus the rows of the masks
}

func newSegments[T models.Float](d *models.Direct, p *models.Params[T]) *segments[T] {
	layer := newDense(p, func(p *models.Params[T]) models.Linear[T] { return p.Segment }, true)
	return &segments[T]{dense: *layer, direct: d, parts: new(segmentParts[T])}
}

func (s *segments[T]) share() block[T] {
	return &segments[T]{dense: *s.dense.share().(*dense[T]), direct: s.direct, parts: s.parts}
}

func (s *segments[T]) pack(_ int, training bool) {
	w, n := kernels.Dense(s.inputs, s.outputs, s.linear.W), s.direct.Segment
	masks := w.RowRange(n, 2*n)
	s.parts.values.Pack(w.RowRange(0, n))
	s.parts.masks.Pack(masks)
	s.parts.rest.Pack(w.RowRange(2*n, s.inputs))
	kernels.Grow(&s.parts.complete, s.outputs)
	copy(s.parts.complete, s.linear.B)
	kernels.SumRows(s.parts.complete, masks)
	if training {
		s.packed.wT.PackT(w)
	}
}

// columns returns the values, the masks and the rest of x. The first two are those of the
// window.
func (s *segments[T]) columns() (values, masks, rest kernels.Matrix[T]) {
	n, in := s.direct.Segment, s.x.steps.Flat(0, s.x.steps.Time)
	window := in.RowRange(0, s.windowRows())
	return window.ColRange(0, n), window.ColRange(n, 2*n), in.ColRange(2*n, s.inputs)
}

// windowRows returns the number of rows of x that are segments of the window.
func (s *segments[T]) windowRows() int { return s.direct.WindowSegments() * s.x.steps.Batch }

func (s *segments[T]) forward(x value[T], _ bool) value[T] {
	s.x = x
	values, masks, rest := s.columns()
	kernels.Grow(&s.y, rest.Rows*s.outputs)
	kernels.Grow(&s.dy, len(s.y))
	y := kernels.Dense(rest.Rows, s.outputs, s.y)
	window, ahead := y.RowRange(0, values.Rows), y.RowRange(values.Rows, y.Rows)
	if x.complete {
		kernels.Mul(window, kernels.Repeat(s.parts.complete, window.Rows), values, &s.parts.values)
	} else {
		kernels.Mul(window, kernels.Repeat(s.linear.B, window.Rows), values, &s.parts.values)
		kernels.Mul(window, window, masks, &s.parts.masks)
	}
	kernels.Copy(ahead, kernels.Repeat(s.linear.B, ahead.Rows))
	if rest.Cols > 0 {
		kernels.Mul(y, y, rest, &s.parts.rest)
	}
	kernels.ReLUs(s.y, s.y)
	return x.with(cell.Dense(x.steps.Time, x.steps.Batch, s.outputs, s.y), cell.Dense(x.steps.Time, x.steps.Batch, s.outputs, s.dy))
}

func (s *segments[T]) backward(grads *models.Params[T]) {
	values, masks, rest := s.columns()
	own, n := s.of(grads), s.direct.Segment
	dW, dy := kernels.Dense(s.inputs, s.outputs, own.W), s.sumsGradient()
	window := dy.RowRange(0, values.Rows)
	kernels.Grow(&s.sums, s.outputs)
	clear(s.sums)
	kernels.SumRows(s.sums, window)
	kernels.AddScaled(own.B, 1, s.sums)
	kernels.SumRows(own.B, dy.RowRange(values.Rows, dy.Rows))
	kernels.MulTN(dW.RowRange(0, n), values, window)
	if s.x.complete {
		kernels.Add(dW.RowRange(n, 2*n), kernels.Repeat(s.sums, n))
	} else {
		kernels.MulTN(dW.RowRange(n, 2*n), masks, window)
	}
	kernels.MulTN(dW.RowRange(2*n, s.inputs), rest, dy)
	s.inputGradient(dy)
}
