package trainer

import (
	"github.com/rnnkit/rnnkit/internal/cell"
	"github.com/rnnkit/rnnkit/models"
)

// block is a part of a network. It computes in buffers that it reuses, and keeps what
// backward needs of the last forward.
type block[T models.Float] interface {
	// forward returns what the block answers to x.
	forward(x value[T], training bool) value[T]

	// backward follows a forward in training, and expects the gradient of what that
	// returned. It adds the gradients of the parameters to grads, but sets those of
	// linear maps, and sets the gradient of what forward read, if that has one.
	backward(grads *models.Params[T])

	// pack runs one of the tasks that lay out the current parameters for the products.
	// What only backward needs is laid out only if training.
	pack(task int, training bool)
	packTasks() int

	// share returns a block with the same packed parameters and with buffers of its
	// own, for another goroutine.
	share() block[T]
}

// value is what one block hands to the next: steps of a batch of sequences.
type value[T models.Float] struct {
	steps   cell.Steps[T]
	grad    cell.Steps[T] // without Data where nothing before needs the gradient
	pick    []int         // see cell.Sequences
	lengths []int         // steps of each sequence, longest first
	counts  []int         // at each step, the number of sequences that have it

	complete bool // no window of a direct forecaster lacks a value
}

// with returns a value of the same sequences that has other steps.
func (v value[T]) with(steps, grad cell.Steps[T]) value[T] {
	v.steps, v.grad, v.pick = steps, grad, nil
	return v
}

// unpacked is part of a block that has nothing to pack.
type unpacked struct{}

func (unpacked) pack(int, bool) {}

func (unpacked) packTasks() int { return 0 }
