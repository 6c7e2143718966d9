package native

import (
	"slices"

	"github.com/rnnkit/rnnkit/internal/cell"
	"github.com/rnnkit/rnnkit/internal/kernels"
)

// ragged is what a layer of sequences of different lengths works with.
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

// pick sets the rows of dst to those of src, in order.
func (r *ragged[T]) pick(dst, src kernels.Matrix[T]) {
	for i, b := range r.order {
		copy(dst.Row(i), src.Row(b))
	}
}

// unpick undoes pick, for the first n rows of src; the others of dst are 0.
func (r *ragged[T]) unpick(dst, src kernels.Matrix[T], n int) {
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
	time, batch, inputs := op.sizes()
	op.ragged.sort(lengths)
	longest := len(op.ragged.counts)
	if err := op.keep(longest, batch); err != nil {
		return err
	}
	from, err := op.stepsOfX(false)
	if err != nil {
		return err
	}
	if err := op.sorted.resizeTo(longest, batch, inputs); err != nil {
		return err
	}
	if err := op.history.resizeTo(longest, batch, op.hidden); err != nil {
		return err
	}
	if err := op.ragged.states.resizeTo(2, batch, op.hidden); err != nil {
		return err
	}
	x := cell.Dense(longest, batch, inputs, op.sorted.data)
	for t, rows := range op.ragged.counts {
		op.ragged.pick(x.At(t), from.At(t))
		x.At(t).RowRange(rows, batch).Zero()
	}
	y := cell.Dense(longest, batch, op.hidden, op.history.data)
	alive := 0 // rows that have a step
	if longest > 0 {
		alive = op.ragged.counts[0]
	}
	op.layOut()
	for d, c := range op.cells {
		states := op.ragged.states.data
		first := cell.State[T]{
			H: kernels.Dense(batch, op.hidden, states),
			C: kernels.Dense(batch, op.hidden, states[batch*op.hidden:]),
		}
		op.ragged.pick(first.H, op.state(op.h0, d))
		op.ragged.pick(first.C, op.state(op.c0, d))
		last := c.Forward(&op.laidOut[d], cell.Sequences[T]{X: x, Y: y, Lengths: op.ragged.counts, First: first})
		op.ragged.unpick(op.state(op.hn, d), last.H, alive)
		if op.cn != nil {
			op.ragged.unpick(op.state(op.cn, d), last.C, alive)
		}
		if op.y == nil {
			continue
		}
		to := op.stepsOfY(d)
		for t := range time {
			if t < longest {
				op.ragged.unpick(to.At(t), y.At(t), op.ragged.counts[t])
			} else {
				to.At(t).Zero()
			}
		}
	}
	return nil
}
