package native

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rnnkit/rnnkit/internal/cell"
	"github.com/rnnkit/rnnkit/internal/kernels"
)

// recurrent is an RNN, LSTM or GRU layer of one or two directions.
type recurrent struct {
	gates, hidden int
	cells         []cell.Cell[float32] // one for each direction
	packed        []cell.Packed[float32]
	scratch       int // what a cell keeps, in units of [time, batch, hidden]

	x       *array[float32] // [time, batch, inputs]
	w, r, b *array[float32] // [directions, gates*hidden, inputs], [directions, gates*hidden, hidden], [directions, 2*gates*hidden]
	h0, c0  *array[float32] // [directions, batch, hidden]
	y       *array[float32] // [time, directions, batch, hidden]
	hn, cn  *array[float32] // [directions, batch, hidden]
	zeros   []float32       // stands for b, h0 and c0 where they are left out
}

func newRNN(n *node) operator {
	if names := attribute[[]string](n, "activations", nil); len(names) > 0 && strings.EqualFold(names[0], "Relu") {
		return newRecurrent(n, 1, 1, cell.NewReLU[float32], "Relu")
	}
	return newRecurrent(n, 1, 1, cell.NewRNN[float32], "Tanh")
}

func newGRU(n *node) operator {
	if attribute(n, "linear_before_reset", int64(0)) != 1 {
		n.fail("attribute \"linear_before_reset\" is 0, and only 1 is supported")
	}
	return newRecurrent(n, 3, 4, cell.NewGRU[float32], "Sigmoid", "Tanh")
}

func newLSTM(n *node) operator {
	if attribute(n, "input_forget", int64(0)) != 0 {
		n.fail("attribute \"input_forget\" is not supported")
	}
	if len(n.inputs) > 7 && n.inputs[7] != nil {
		n.fail("input 7, the peepholes %q, is not supported", n.Inputs[7])
	}
	op := newRecurrent(n, 4, 6, cell.NewLSTM[float32], "Sigmoid", "Tanh", "Tanh")
	op.cn = output[float32](n, 2)
	return op
}

func newRecurrent(n *node, gates, scratch int, newCell func(hidden int, reverse bool) cell.Cell[float32], activations ...string) *recurrent {
	op := &recurrent{
		gates: gates, scratch: scratch,
		x: input[float32](n, 0), w: input[float32](n, 1), r: input[float32](n, 2), b: input[float32](n, 3),
		h0: input[float32](n, 5), c0: input[float32](n, 6),
		y: output[float32](n, 0), hn: output[float32](n, 1),
	}
	if len(n.inputs) > 4 && n.inputs[4] != nil {
		n.fail("input 4, the sequence_lens %q, is not supported", n.Inputs[4])
	}
	if n.opset >= 14 && attribute(n, "layout", int64(0)) != 0 {
		n.fail("attribute \"layout\" is 1, and only 0 is supported")
	}

	op.hidden = hiddenSize(n, op.r)
	reverse := directions(n)
	for _, r := range reverse {
		op.cells = append(op.cells, newCell(op.hidden, r))
	}
	op.packed = make([]cell.Packed[float32], len(op.cells))
	defaults := slices.Repeat(activations, len(reverse))
	if got := attribute(n, "activations", defaults); !slices.EqualFunc(got, defaults, strings.EqualFold) {
		n.fail("attribute \"activations\" is %q, and only %q is supported", got, defaults)
	}
	if err := op.check(-1, -1, true); err != nil {
		n.fail("%w", err)
	}
	return op
}

// hiddenSize returns the size that the attribute gives, or where there is none
// that of constant recurrent weights r.
func hiddenSize(n *node, r *array[float32]) int {
	size := attribute(n, "hidden_size", int64(0))
	if !n.has("hidden_size") && r.constant && len(r.shape) == 3 {
		size = int64(r.shape[2])
	}
	if size < 1 || size > maxMemory {
		n.fail("attribute \"hidden_size\" is missing or out of range: %d", size)
	}
	return int(size)
}

// directions returns, for each direction of the layer, whether it is reverse.
func directions(n *node) []bool {
	switch direction := attribute(n, "direction", "forward"); direction {
	case "forward":
		return []bool{false}
	case "reverse":
		return []bool{true}
	case "bidirectional":
		return []bool{false, true}
	default:
		n.fail("attribute \"direction\" is %q, and must be forward, reverse or bidirectional", direction)
		return nil
	}
}

// check reports an input that does not fit the others, with -1 for sizes that
// are not known yet. When loading it looks at constants only.
func (op *recurrent) check(inputs, batch int, loading bool) error {
	rows, directions := op.gates*op.hidden, len(op.cells)
	check := func(name string, a *array[float32], want ...int) error {
		if a == nil || loading && !a.constant || fits(a.shape, want) {
			return nil
		}
		return fmt.Errorf("input %s has shape %v, and must have %v for hidden_size %d", name, a.shape, slices.Clone(want), op.hidden)
	}
	if err := check("W", op.w, directions, rows, inputs); err != nil {
		return err
	}
	if err := check("R", op.r, directions, rows, op.hidden); err != nil {
		return err
	}
	if err := check("B", op.b, directions, 2*rows); err != nil {
		return err
	}
	if err := check("initial_h", op.h0, directions, batch, op.hidden); err != nil {
		return err
	}
	return check("initial_c", op.c0, directions, batch, op.hidden)
}

// fits reports whether shape is want, of which -1 is any size.
func fits(shape, want []int) bool {
	return slices.EqualFunc(shape, want, func(size, want int) bool { return size == want || want < 0 })
}

func (op *recurrent) run() error {
	if len(op.x.shape) != 3 {
		return fmt.Errorf("input X has shape %v, and must have three dimensions, [time, batch, inputs]", op.x.shape)
	}
	time, batch, inputs := op.x.shape[0], op.x.shape[1], op.x.shape[2]
	if err := op.check(inputs, batch, false); err != nil {
		return err
	}
	if err := op.resize(time, batch); err != nil || batch == 0 {
		return err
	}
	directions := len(op.cells)
	state := batch * op.hidden
	x := cell.Dense(time, batch, inputs, op.x.data)
	for d, c := range op.cells {
		c.Pack(&op.packed[d], cell.Weights[float32]{W: op.part(op.w, d), R: op.part(op.r, d), B: op.part(op.b, d)}, false)
		y := cell.Steps[float32]{
			Time: time, Batch: batch, Width: op.hidden,
			StepStride: directions * state, RowStride: op.hidden, Data: op.y.data[min(d*state, len(op.y.data)):],
		}
		last := cell.State[float32]{
			H: kernels.Dense(batch, op.hidden, op.part(op.h0, d)),
			C: kernels.Dense(batch, op.hidden, op.part(op.c0, d)),
		}
		if time > 0 {
			last = c.Forward(&op.packed[d], cell.Sequences[float32]{X: x, Y: y, First: last})
		}
		kernels.Copy(kernels.Dense(batch, op.hidden, op.part(op.hn, d)), last.H)
		if op.cn != nil {
			kernels.Copy(kernels.Dense(batch, op.hidden, op.part(op.cn, d)), last.C)
		}
	}
	return nil
}

// part returns what array a has for direction d, zeros where a is left out.
func (op *recurrent) part(a *array[float32], d int) []float32 {
	if a == nil {
		return op.zeros
	}
	n := len(a.data) / len(op.cells)
	return a.data[d*n : (d+1)*n]
}

// resize makes room for the outputs and for what the cells keep.
func (op *recurrent) resize(time, batch int) error {
	directions := len(op.cells)
	op.y.setShape(nil, time, directions, batch, op.hidden)
	op.hn.setShape(nil, directions, batch, op.hidden)
	if err := op.y.resize(); err != nil {
		return err
	}
	if err := op.hn.resize(); err != nil {
		return err
	}
	if op.cn != nil {
		op.cn.setShape(op.hn.shape)
		if err := op.cn.resize(); err != nil {
			return err
		}
	}
	scratch, ok := product(len(op.y.data), op.scratch)
	zeros := max(2*op.gates*op.hidden, len(op.hn.data))
	if !ok {
		return fmt.Errorf("%d steps of %d rows are too many", time, batch)
	}
	if err := op.y.memory.take(scratch+zeros, 4); err != nil {
		return fmt.Errorf("%d steps of %d rows are too many: %w", time, batch, err)
	}
	kernels.Grow(&op.zeros, zeros)
	return nil
}
