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

// runRagged runs a layer that package cell has, of sequences of different
// lengths.
func (op *recurrent[T]) runRagged(lengths []int32) error {
	time, batch, inputs := op.chunk()
	r := &op.ragged
	r.sort(lengths)
	longest := len(r.counts)
	chunk := min(longest, op.chunkSteps())
	if err := op.reserve(chunk, batch); err != nil {
		return err
	}
	from, err := op.stepsOfX(false)
	if err != nil {
		return err
	}
	if err := op.sorted.resizeTo(chunk, batch, inputs); err != nil {
		return err
	}
	if err := op.history.resizeTo(chunk, batch, op.hidden); err != nil {
		return err
	}
	if err := r.states.resizeTo(2, batch, op.hidden); err != nil {
		return err
	}
	alive := 0 // rows that have a step
	if longest > 0 {
		alive = r.counts[0]
	}
	op.packWeights()
	for d, c := range op.cells {
		to := op.stepsOfY(d)
		states := r.states.data
		state := cell.State[T]{
			H: kernels.Dense(batch, op.hidden, states),
			C: kernels.Dense(batch, op.hidden, states[batch*op.hidden:]),
		}
		r.sortRows(state.H, op.state(op.h0, d))
		r.sortRows(state.C, op.state(op.c0, d))
		for done := 0; done < longest; done += chunk {
			if err := op.memory.ctx.Err(); err != nil {
				return err
			}
			i, j := op.span(d, done, min(done+chunk, longest), longest)
			s := cell.Sequences[T]{
				X:       cell.Dense(j-i, batch, inputs, op.sorted.data),
				Y:       cell.Dense(j-i, batch, op.hidden, op.history.data),
				Lengths: r.counts[i:j], First: state,
			}
			for t, rows := range s.Lengths {
				r.sortRows(s.X.At(t), from.At(i+t))
				s.X.At(t).RowRange(rows, batch).Zero()
			}
			state = c.Forward(&op.packedWeights[d], s)
			for t, rows := range s.Lengths {
				if op.y != nil {
					r.restore(to.At(i+t), s.Y.At(t), rows)
				}
			}
		}
		r.restore(op.state(op.hn, d), state.H, alive)
		if op.cn != nil {
			r.restore(op.state(op.cn, d), state.C, alive)
		}
		for t := longest; t < time && op.y != nil; t++ {
			to.At(t).Zero()
		}
	}
	return nil
}
