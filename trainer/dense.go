package trainer

import (
	"github.com/rnnkit/rnnkit/internal/cell"
	"github.com/rnnkit/rnnkit/internal/kernels"
	"github.com/rnnkit/rnnkit/models"
)

// dense is the block y = x W + B, or max(x W + B, 0), at every step.
type dense[T models.Float] struct {
	of              func(*models.Params[T]) models.Linear[T] // the parameters that are its own
	linear          models.Linear[T]
	inputs, outputs int
	relu            bool
	packed          *struct{ w, wT kernels.Packed[T] }

	x     value[T]
	y, dy []T // [time, batch, outputs]
	zeros []T // [outputs]
}

func newDense[T models.Float](p *models.Params[T], of func(*models.Params[T]) models.Linear[T], relu bool) *dense[T] {
	linear := of(p)
	outputs := len(linear.B)
	return &dense[T]{
		of: of, linear: linear, inputs: len(linear.W) / outputs, outputs: outputs, relu: relu,
		packed: new(struct{ w, wT kernels.Packed[T] }), zeros: make([]T, outputs),
	}
}

func (d *dense[T]) share() block[T] {
	return &dense[T]{of: d.of, linear: d.linear, inputs: d.inputs, outputs: d.outputs, relu: d.relu, packed: d.packed, zeros: d.zeros}
}

func (d *dense[T]) packTasks() int { return 1 }

func (d *dense[T]) pack(_ int, training bool) {
	w := kernels.Dense(d.inputs, d.outputs, d.linear.W)
	d.packed.w.Pack(w)
	if training {
		d.packed.wT.PackT(w)
	}
}

func (d *dense[T]) forward(x value[T], _ bool) value[T] {
	d.x = x
	in := x.steps.Flat(0, x.steps.Time)
	kernels.Grow(&d.y, in.Rows*d.outputs)
	kernels.Grow(&d.dy, len(d.y))
	kernels.Mul(kernels.Dense(in.Rows, d.outputs, d.y), kernels.Repeat(d.linear.B, in.Rows), in, &d.packed.w)
	if d.relu {
		kernels.ReLUs(d.y, d.y)
	}
	return x.with(cell.Dense(x.steps.Time, x.steps.Batch, d.outputs, d.y), cell.Dense(x.steps.Time, x.steps.Batch, d.outputs, d.dy))
}

func (d *dense[T]) backward(grads *models.Params[T]) {
	in, own, dy := d.x.steps.Flat(0, d.x.steps.Time), d.of(grads), d.sumsGradient()
	kernels.SumRows(own.B, dy)
	kernels.MulTN(kernels.Dense(d.inputs, d.outputs, own.W), in, dy)
	d.inputGradient(dy)
}

// sumsGradient returns the gradient of x W + B.
func (d *dense[T]) sumsGradient() kernels.Matrix[T] {
	rows := len(d.dy) / d.outputs
	dy := kernels.Dense(rows, d.outputs, d.dy)
	if d.relu {
		kernels.ReLUBackward(dy, kernels.Dense(rows, d.outputs, d.y), dy, kernels.Repeat(d.zeros, rows))
	}
	return dy
}

// inputGradient sets the gradient of x, if that has one, from that of x W + B.
func (d *dense[T]) inputGradient(dy kernels.Matrix[T]) {
	if d.x.grad.Data != nil {
		kernels.Mul(d.x.grad.Flat(0, d.x.grad.Time), kernels.Matrix[T]{}, dy, &d.packed.wT)
	}
}
