package native

import (
	"slices"

	"github.com/rnnkit/rnnkit/internal/cell"
	"github.com/rnnkit/rnnkit/internal/kernels"
)

// ragged is the workspace of a layer whose sequences have different lengths.
type ragged[T cell.Float] struct {
	order  []int        // of the rows, the longest first, as cells want them
	counts cell.Lengths // of each step of the longest, how many rows have it
	states *array[T]    // [2, batch, hidden]: the first, in that order
}

// sort sets order and counts.
func (r *ragged[T]) sort(lengths []int32) {
	r.order = r.order[:0]
	for b := range lengths {
		r.order = append(r.order, b)
	}
	slices.SortStableFunc(r.order, func(a, b int) int { return int(lengths[b]) - int(lengths[a]) })
	r.counts = r.counts[:0]
	rows := len(lengths)
	for t := range int(lengths[r.order[0]]) {
		for int(lengths[r.order[rows-1]]) <= t {
			rows--
		}
		r.counts = append(r.counts, rows)
	}
}

// sortRows sets the rows of dst to those of src, in the order.
func (r *ragged[T]) sortRows(dst, src kernels.Matrix[T]) {
	for i, b := range r.order {
		copy(dst.Row(i), src.Row(b))
	}
}

// restore undoes sortRows, for the first n rows of src; the others of dst are 0.
func (r *ragged[T]) restore(dst, src kernels.Matrix[T], n int) {
	for i, b := range r.order {
		if i < n {
			copy(dst.Row(b), src.Row(i))
		} else {
			clear(dst.Row(b))
		}
	}
}

// runRagged runs a layer that package cell has, of sequences of different lengths.
func (op *recurrent[T]) runRagged(lengths []int32) error {
	_, batch, inputs := op.chunk()
	r := &op.ragged
	r.sort(lengths)
	steps := min(len(r.counts), op.chunkSteps())
	if err := op.reserve(steps, batch); err != nil {
		return err
	}
	x, err := op.stepsOfX(false)
	if err != nil {
		return err
	}
	if err := op.sorted.resizeTo(steps, batch, inputs); err != nil {
		return err
	}
	if err := op.history.resizeTo(steps, batch, op.hidden); err != nil {
		return err
	}
	if err := r.states.resizeTo(2, batch, op.hidden); err != nil {
		return err
	}
	op.packWeights()
	for d := range op.cells {
		if err := op.runRaggedCell(d, x, steps); err != nil {
			return err
		}
	}
	return nil
}

// runRaggedCell runs direction d of the layer, so many steps at a time.
func (op *recurrent[T]) runRaggedCell(d int, x cell.Steps[T], steps int) error {
	time, batch, _ := op.chunk()
	r, y := &op.ragged, op.stepsOfY(d)
	longest, nonEmpty := len(r.counts), 0
	if longest > 0 {
		nonEmpty = r.counts[0]
	}
	state := cell.State[T]{
		H: kernels.Dense(batch, op.hidden, r.states.data),
		C: kernels.Dense(batch, op.hidden, r.states.data[batch*op.hidden:]),
	}
	r.sortRows(state.H, op.state(op.h0, d))
	r.sortRows(state.C, op.state(op.c0, d))
	for done := 0; done < longest; done += steps {
		if err := op.memory.ctx.Err(); err != nil {
			return err
		}
		from, to := op.span(d, done, min(done+steps, longest), longest)
		state = op.forwardRagged(d, &x, &y, from, to, state)
	}
	r.restore(op.state(op.hn, d), state.H, nonEmpty)
	if op.cn != nil {
		r.restore(op.state(op.cn, d), state.C, nonEmpty)
	}
	for t := longest; t < time && op.y != nil; t++ {
		y.At(t).Zero()
	}
	return nil
}

// forwardRagged runs direction d through some of the steps, and returns the state after
// them.
func (op *recurrent[T]) forwardRagged(d int, x, y *cell.Steps[T], from, to int, first cell.State[T]) cell.State[T] {
	_, batch, inputs := op.chunk()
	r := &op.ragged
	s := cell.Sequences[T]{
		X:       cell.Dense(to-from, batch, inputs, op.sorted.data),
		Y:       cell.Dense(to-from, batch, op.hidden, op.history.data),
		Lengths: r.counts[from:to], First: first,
	}
	for t, rows := range s.Lengths {
		r.sortRows(s.X.At(t), x.At(from+t))
		s.X.At(t).RowRange(rows, batch).Zero()
	}
	state := op.cells[d].Forward(&op.packedWeights[d], s)
	for t, rows := range s.Lengths {
		if op.y != nil {
			r.restore(y.At(from+t), s.Y.At(t), rows)
		}
	}
	return state
}
