package native

import (
	"fmt"

	"github.com/rnnkit/rnnkit/internal/cell"
	"github.com/rnnkit/rnnkit/internal/kernels"
)

// runCells runs a layer without padding that package cell has.
func (op *recurrent[T]) runCells() error {
	time, batch, _ := op.chunk()
	steps := min(time, op.chunkSteps())
	if err := op.reserve(steps, batch); err != nil {
		return err
	}
	op.packWeights()
	if op.y == nil {
		if err := op.history.resizeTo(steps, batch, op.hidden); err != nil {
			return err
		}
	}
	x, err := op.readX()
	if err != nil {
		return err
	}
	for d := range op.cells {
		if err := op.runCell(d, &x, steps); err != nil {
			return err
		}
	}
	return nil
}

// runCell runs direction d of a layer, so many steps at a time.
func (op *recurrent[T]) runCell(d int, x *cell.Steps[T], steps int) error {
	time, _, _ := op.chunk()
	y := op.stepsOfY(d)
	state := cell.State[T]{H: op.state(op.h0, d), C: op.state(op.c0, d)}
	for done := 0; done < time; done += steps {
		if err := op.memory.ctx.Err(); err != nil {
			return err
		}
		from, to := op.span(d, done, min(done+steps, time), time)
		s := cell.Sequences[T]{First: state}
		op.setSteps(&s, x, &y, from, to)
		state = op.cells[d].Forward(&op.packedWeights[d], s)
	}
	kernels.Copy(op.state(op.hn, d), state.H)
	if op.cn != nil {
		kernels.Copy(op.state(op.cn, d), state.C)
	}
	return nil
}

// setSteps sets what a cell reads and writes in some of the steps.
func (op *recurrent[T]) setSteps(s *cell.Sequences[T], x, y *cell.Steps[T], from, to int) {
	if op.pick == nil {
		s.X = x.Range(from, to)
		if to-from == 1 { // without a gap to the next
			s.X.StepStride = op.rows * s.X.RowStride
		}
	} else {
		s.X = *x
		s.Pick = op.pick[from*op.rows : to*op.rows]
	}
	if op.y == nil {
		s.Y = cell.Dense(to-from, op.rows, op.hidden, op.history.data)
	} else {
		s.Y = y.Range(from, to)
	}
}

// chunkSteps returns how many steps a cell computes together: what it keeps of them stays
// in the processor's cache, and it looks at no context.
func (op *recurrent[T]) chunkSteps() int { return max(1, min(512, op.maxRows())/op.rows) }

// span returns the time steps that steps i to j of direction d stand for.
func (op *recurrent[T]) span(d, i, j, steps int) (from, to int) {
	if op.directions[d].reverse {
		return steps - j, steps - i
	}
	return i, j
}

// reserve counts the memory that the cells keep of so many steps, and of weights that
// are not constant.
func (op *recurrent[T]) reserve(steps, batch int) error {
	if n, ok := product(len(op.directions)*op.keeps, steps, batch, op.hidden); !ok {
		return fmt.Errorf("%d rows for hidden_size %d are too many", batch, op.hidden)
	} else if err := op.memory.reserveMore(&op.stepBytes, n, size[T]()); err != nil {
		return fmt.Errorf("%d rows for hidden_size %d are too many: %w", batch, op.hidden, err)
	}
	if op.constant() {
		return nil
	}
	_, _, inputs := op.sizes()
	n := len(op.directions) * weightsInPanels(op.gates*op.hidden, inputs, op.hidden)
	if err := op.memory.reserveMore(&op.weightBytes, n, size[T]()); err != nil {
		return fmt.Errorf("weights for hidden_size %d are too many: %w", op.hidden, err)
	}
	return nil
}

// weightsInPanels returns how many elements the packed W and R of a direction have at
// most, of R in two parts.
func weightsInPanels(rows, inputs, hidden int) int {
	return inPanels(rows, inputs) + inPanels(rows, hidden) + inPanels(1, hidden)
}

// packWeights makes the cells and packs their weights, once if they are constant.
func (op *recurrent[T]) packWeights() {
	if op.cells == nil {
		op.packedWeights = make([]cell.Packed[T], len(op.directions))
		for _, d := range op.directions {
			op.cells = append(op.cells, op.newCell(op.hidden, d.reverse))
		}
	} else if op.constant() {
		return
	}
	for d, c := range op.cells {
		c.Pack(&op.packedWeights[d], op.weights(d))
	}
	op.tabulate()
}

// maxTable is how many elements the product of an embedding and W may have.
const maxTable = 1 << 18

// tabulate precomputes the product of the embedding of a small vocabulary and W, so that
// a token only picks a row of it.
func (op *recurrent[T]) tabulate() {
	if op.table == nil || !op.constant() {
		return
	}
	rows := op.table.shape[0]
	n, ok := product(len(op.directions), rows, op.gates, op.hidden)
	if !ok || n > maxTable || op.memory.reserve(n, size[T]()) != nil {
		return
	}
	for d := range op.cells {
		op.packedWeights[d].Tabulate(kernels.Dense(rows, op.table.shape[1], op.table.data))
	}
	op.pick, op.tabulated = []int{}, n
	op.memory.pools = append(op.memory.pools, op)
}

// trim drops the product that tabulate computed, where a run needs the memory.
func (op *recurrent[T]) trim() {
	for d := range op.packedWeights {
		op.packedWeights[d].Forget()
	}
	op.memory.held -= op.tabulated * size[T]()
	op.pick, op.tabulated = nil, 0
}

// readX returns X. Where its product is tabulated it returns the table, and sets op.pick
// to the rows.
func (op *recurrent[T]) readX() (cell.Steps[T], error) {
	if op.pick == nil {
		return op.stepsOfX(op.chunkSteps() > 1)
	}
	time, batch, inputs := op.chunk()
	rows := op.table.shape[0]
	stride := strides(op.orderX, op.x.shape)
	op.pick = op.pick[:0]
	for t := range time {
		if err := op.memory.spend(batch * elementCost); err != nil {
			return cell.Steps[T]{}, err
		}
		for b := range batch {
			at := (t*stride[timeAxis] + (op.from+b)*stride[batchAxis]) / inputs
			token, err := indexOf(op.tokens.at(at), rows)
			if err != nil {
				return cell.Steps[T]{}, err
			}
			op.pick = append(op.pick, token)
		}
	}
	return cell.Dense(1, rows, inputs, op.table.data), nil
}
