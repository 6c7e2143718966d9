package native

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rnnkit/rnnkit/internal/cell"
	"github.com/rnnkit/rnnkit/internal/kernels"
)

// recurrent is an RNN, GRU or LSTM layer of one or two directions, by
// https://onnx.ai/onnx/operators/onnx__LSTM.html and the pages of the others.
// Package cell computes the forms that most models have, general all others.
// What the pages leave open is as in ONNX Runtime.
type recurrent[T cell.Float] struct {
	cellKind[T]
	hidden        int  // 0 where hidden_size is left out and R is not known yet
	given         bool // whether the node has hidden_size
	directions    []general[T]
	cells         []cell.Cell[T] // of the directions, where newCell is set
	packedWeights []cell.Packed[T]

	batchFirst     bool   // layout 1
	orderX, orderY []axis // how X and Y lie in memory

	x       *array[T] // [time, batch, inputs]
	table   *array[T] // where X is the rows of a table that tokens name, else nil
	tokens  *indices
	w, r, b *array[T]     // [directions, gates*hidden, inputs], [directions, gates*hidden, hidden], [directions, 2*gates*hidden]
	lengths *array[int32] // [batch]
	h0, c0  *array[T]     // [directions, batch, hidden]
	p       *array[T]     // [directions, 3*hidden]
	y       *array[T]     // [time, directions, batch, hidden]; nil where it is left out
	hn, cn  *array[T]     // [directions, batch, hidden]

	denseX, history *array[T]       // X and one direction of Y for package cell
	zeros           *array[T]       // stands for b, h0 and c0 where they are left out
	work            *array[float64] // the matrices of workspace
	pick            []int           // tokens in the order of steps; nil where there is no tabulated product
	tabulated       int             // elements of the product of table and W
	ragged          ragged[T]
	sorted          *array[T] // X in the order of ragged
	active          []int
	workspace       workspace[T]
	from, rows      int // the chunk of the batch that is computed
	memory          *memory

	stepBytes, weightBytes int // what the cells keep of steps, and of weights that are not constant
}

// cellKind is what sets RNN, GRU and LSTM apart.
type cellKind[T cell.Float] struct {
	gates       int
	activations []string // the defaults of a direction
	step        stepFunc[T]
	newCell     func(hidden int, reverse bool) cell.Cell[T] // nil where package cell lacks the form
	keeps       int                                         // how many [time, batch, hidden] a cell keeps for the backward pass
}

func recurrentOps[T cell.Float](t *typedOps) {
	t.add("RNN", 1, arity{3, 6}, arity{0, 2}, newRNN[T])
	t.add("GRU", 1, arity{3, 6}, arity{0, 2}, newGRU[T])
	t.add("LSTM", 1, arity{3, 8}, arity{0, 3}, newLSTM[T])
}

func newRNN[T cell.Float](n *node) kernel {
	return newRecurrent(n, cellKind[T]{1, []string{"Tanh"}, stepRNN[T], cell.NewRNN[T], 1})
}

func newGRU[T cell.Float](n *node) kernel {
	op := newRecurrent(n, cellKind[T]{3, []string{"Sigmoid", "Tanh"}, stepGRU[T], cell.NewGRU[T], 4})
	before := n.opset >= 3 && attribute(n, "linear_before_reset", int64(0)) != 0
	for d := range op.directions {
		op.directions[d].linearBeforeReset = before
	}
	if !before {
		op.newCell = nil
	}
	return op
}

func newLSTM[T cell.Float](n *node) kernel {
	op := newRecurrent(n, cellKind[T]{4, []string{"Sigmoid", "Tanh", "Tanh"}, stepLSTM[T], cell.NewLSTM[T], 6})
	op.cn = output[T](n, 2)
	forget := n.flag("input_forget", false)
	for d := range op.directions {
		op.directions[d].inputForget = forget
	}
	if forget || op.p != nil {
		op.newCell = nil
	}
	return op
}

func newRecurrent[T cell.Float](n *node, k cellKind[T]) *recurrent[T] {
	n.expensive = true
	op := &recurrent[T]{
		cellKind: k, memory: n.memory,
		x: input[T](n, 0), w: input[T](n, 1), r: input[T](n, 2), b: input[T](n, 3),
		lengths: input[int32](n, 4), h0: input[T](n, 5), c0: input[T](n, 6), p: input[T](n, 7),
		denseX: temp[T](n), history: temp[T](n), zeros: temp[T](n), work: temp[float64](n),
	}
	if op.lengths != nil {
		op.sorted, op.ragged.states = temp[T](n), temp[T](n)
	}
	if e := n.inst.fused.embedding; e != nil {
		op.table, _ = n.runner.slots[e.table].(*array[T])
		op.tokens = readIndices(n.runner.slots[e.tokens])
	}
	if n.wants(0) {
		op.y = output[T](n, 0)
	}
	op.hn = output[T](n, 1)
	op.readHiddenSize(n)
	op.readOrder(n)
	if n.opset < 7 {
		n.flag("output_sequence", false) // Y is there if the node names it
	}
	op.readForm(n)
	if err := op.check(-1, -1, true); err != nil {
		n.fail("%w", err)
	}
	if op.lengths != nil && op.lengths.constant {
		if err := op.checkLengths(math.MaxInt); err != nil {
			n.fail("%w", err)
		}
	}
	return op
}

func (op *recurrent[T]) readHiddenSize(n *node) {
	switch size := attribute(n, "hidden_size", int64(0)); {
	case n.has("hidden_size") && (size < 1 || size > math.MaxInt32):
		n.fail("attribute \"hidden_size\" is %d, and must be from 1 to %d", size, math.MaxInt32)
	case n.has("hidden_size"):
		op.hidden, op.given = int(size), true
	case op.r.constant && len(op.r.shape) == 3:
		op.hidden = op.r.shape[2]
	}
}

// axis is a dimension of X or Y.
type axis int

const (
	timeAxis axis = iota
	batchAxis
	directionAxis
	widthAxis
)

// readOrder reads the layout, and applies the Transposes that are fused with the layer.
func (op *recurrent[T]) readOrder(n *node) {
	op.orderX = []axis{timeAxis, batchAxis, widthAxis}
	op.orderY = []axis{timeAxis, directionAxis, batchAxis, widthAxis}
	if n.opset >= 14 && n.flag("layout", false) {
		op.batchFirst = true
		op.orderX = []axis{batchAxis, timeAxis, widthAxis}
		op.orderY = []axis{batchAxis, timeAxis, directionAxis, widthAxis}
	}
	if n.inst.fused.transposeX != nil {
		order := slices.Clone(op.orderX)
		for k, from := range n.inst.fused.transposeX {
			op.orderX[from] = order[k]
		}
	}
	if n.inst.fused.transposeY != nil {
		order := slices.Clone(op.orderY)
		for k, from := range n.inst.fused.transposeY {
			op.orderY[k] = order[from]
		}
	}
}

// readForm reads the attributes that say what is computed.
func (op *recurrent[T]) readForm(n *node) {
	form := general[T]{step: op.step, clip: math.Inf(1)}
	if n.has("clip") {
		clip := attribute(n, "clip", float32(0))
		if !(clip > 0) {
			n.fail("attribute \"clip\" is %v, and must be more than 0: leave it out for none", clip)
		}
		form.clip, op.newCell = float64(clip), nil
	}
	switch direction := attribute(n, "direction", "forward"); direction {
	case "forward", "reverse":
		form.reverse = direction == "reverse"
		op.directions = []general[T]{form}
	case "bidirectional":
		backward := form
		backward.reverse = true
		op.directions = []general[T]{form, backward}
	default:
		n.fail("attribute \"direction\" is %q, and must be forward, reverse or bidirectional", direction)
		return
	}
	functions, err := newActivations(op.readActivations(n), attribute(n, "activation_alpha", []float32(nil)), attribute(n, "activation_beta", []float32(nil)))
	if err != nil {
		n.fail("%w", err)
		return
	}
	for d := range op.directions {
		each := len(functions) / len(op.directions)
		op.directions[d].activations = functions[d*each : (d+1)*each]
	}
}

// readActivations returns the names of all directions' functions.
func (op *recurrent[T]) readActivations(n *node) []string {
	defaults := slices.Repeat(op.activations, len(op.directions))
	names := attribute(n, "activations", []string(nil))
	switch {
	case len(names) == 0:
		return defaults
	case slices.EqualFunc(names, defaults, strings.EqualFold):
	case n.OpType == "RNN" && slices.Equal(names, []string{"Tanh", "Tanh"}):
		return defaults // which is the attribute's default for any direction
	case len(names) != len(defaults):
		n.fail("attribute \"activations\" has %d names, %q, and must have %d, like %q", len(names), names, len(defaults), defaults)
		return defaults
	case n.OpType == "RNN" && !slices.ContainsFunc(names, func(s string) bool { return !strings.EqualFold(s, "Relu") }):
		if op.newCell != nil {
			op.newCell = cell.NewReLU[T]
		}
	default:
		op.newCell = nil
	}
	return names
}

// check reports an input that does not fit the others, with -1 for sizes that
// are not known yet. When loading it looks at constants only.
func (op *recurrent[T]) check(inputs, batch int, loading bool) error {
	directions, hidden, rows := len(op.directions), op.hidden, op.gates*op.hidden
	if hidden == 0 {
		hidden, rows = -1, -1
	}
	check := func(name string, a *array[T], want ...int) error {
		if a == nil || loading && !a.constant || fits(a.shape, want) {
			return nil
		}
		return fmt.Errorf("input %s has shape %v, and must have %v for hidden_size %d", name, a.shape, slices.Clone(want), hidden)
	}
	if err := check("W", op.w, directions, rows, inputs); err != nil {
		return err
	}
	if err := check("R", op.r, directions, rows, hidden); err != nil {
		return err
	}
	if err := check("B", op.b, directions, 2*rows); err != nil {
		return err
	}
	if err := check("P", op.p, directions, hidden*3); err != nil {
		return err
	}
	state := op.stateShape(batch, hidden)
	if err := check("initial_h", op.h0, state[:]...); err != nil {
		return err
	}
	if err := check("initial_c", op.c0, state[:]...); err != nil {
		return err
	}
	if op.lengths == nil || loading && !op.lengths.constant || fits(op.lengths.shape, []int{batch}) {
		return nil
	}
	return fmt.Errorf("input sequence_lens has shape %v, and must have %v", op.lengths.shape, []int{batch})
}

// fits reports whether shape is want, of which -1 is any size.
func fits(shape, want []int) bool {
	return slices.EqualFunc(shape, want, func(size, want int) bool { return size == want || want < 0 })
}

// stateShape returns the shape of initial_h, initial_c, Y_h and Y_c.
func (op *recurrent[T]) stateShape(batch, hidden int) [3]int {
	if op.batchFirst {
		return [3]int{batch, len(op.directions), hidden}
	}
	return [3]int{len(op.directions), batch, hidden}
}

// sizes returns the sizes of X by axis.
func (op *recurrent[T]) sizes() (time, batch, inputs int) {
	var sizes [4]int
	for k, a := range op.orderX {
		sizes[a] = op.x.shape[k]
	}
	return sizes[timeAxis], sizes[batchAxis], sizes[widthAxis]
}

// chunk returns those sizes for the chunk of the batch that is computed.
func (op *recurrent[T]) chunk() (time, rows, inputs int) {
	time, _, inputs = op.sizes()
	return time, op.rows, inputs
}

func (op *recurrent[T]) shapes() error {
	if len(op.x.shape) != 3 {
		return fmt.Errorf("input X has shape %v, and must have three dimensions", op.x.shape)
	}
	if !op.given {
		if len(op.r.shape) != 3 || op.r.shape[2] == 0 {
			return fmt.Errorf("input R has shape %v, and must have three dimensions, the last of which is hidden_size", op.r.shape)
		}
		op.setHidden(op.r.shape[2])
	}
	time, batch, inputs := op.sizes()
	if inputs == 0 {
		return fmt.Errorf("input X has shape %v, in which a step has no inputs", op.x.shape)
	}
	if err := op.check(inputs, batch, false); err != nil {
		return err
	}
	if op.lengths != nil && op.lengths.constant {
		if err := op.checkLengths(time); err != nil {
			return err
		}
	}
	state := op.stateShape(batch, op.hidden)
	op.hn.setShape(state[:])
	if op.cn != nil {
		op.cn.setShape(state[:])
	}
	if op.y != nil {
		op.y.setShape(nil)
		for _, a := range op.orderY {
			op.y.shape = append(op.y.shape, [4]int{time, batch, len(op.directions), op.hidden}[a])
		}
	}
	return nil
}

func (op *recurrent[T]) setHidden(size int) {
	if size != op.hidden {
		op.hidden, op.cells = size, nil
		for d := range op.directions {
			op.directions[d].isPacked = false
		}
	}
}

// checkLengths reports a length that no sequence of so many steps has.
func (op *recurrent[T]) checkLengths(time int) error {
	for b, n := range op.lengths.data {
		switch {
		case n < 0:
			return fmt.Errorf("input sequence_lens has %d for row %d, and a length is at least 0", n, b)
		case int(n) > time:
			return fmt.Errorf("input sequence_lens has %d for row %d, and X has only %d steps", n, b, time)
		}
	}
	return nil
}

func (op *recurrent[T]) run() error {
	time, batch, _ := op.sizes()
	var lengths []int32
	if op.lengths != nil {
		if err := op.checkLengths(time); err != nil {
			return err
		}
		if slices.ContainsFunc(op.lengths.data, func(n int32) bool { return int(n) < time }) {
			lengths = op.lengths.data
		}
	}
	if op.b == nil || op.h0 == nil || op.c0 == nil {
		if err := op.zeros.resizeTo(max(2*op.gates*op.hidden, batch*op.hidden)); err != nil {
			return err
		}
		if err := op.zeros.fill(nil); err != nil {
			return err
		}
	}
	chunk := op.maxRows()
	for op.from = 0; op.from == 0 || op.from < batch; op.from += chunk {
		op.rows = min(chunk, batch-op.from)
		var some []int32
		if lengths != nil {
			some = lengths[op.from : op.from+op.rows]
		}
		if err := op.runChunk(time, some); err != nil {
			return err
		}
	}
	return nil
}

// maxRows returns how many rows of the batch are computed together, in a step of which
// nothing looks at the context.
func (op *recurrent[T]) maxRows() int {
	const element = 64 // multiplications that take as long as a gate's function
	_, _, inputs := op.sizes()
	each := op.gates * op.hidden * (inputs + op.hidden + element)
	budget := 4 * checkInterval
	if op.newCell == nil || slow[T]() {
		budget = checkInterval / 2
	}
	return min(max(budget/each, 4), 1<<14)
}

// runChunk runs the layer for a chunk of the batch.
func (op *recurrent[T]) runChunk(time int, lengths []int32) error {
	switch {
	case op.newCell == nil || time == 0 || op.rows == 0:
		return op.runGeneral(lengths)
	case lengths != nil:
		return op.runRagged(lengths)
	}
	return op.runCells()
}

// constant reports whether the weights are.
func (op *recurrent[T]) constant() bool {
	return op.w.constant && op.r.constant && (op.b == nil || op.b.constant)
}

// strides returns, by axis, how far apart the elements of an array lie that
// has its dimensions in that order.
func strides(order []axis, shape []int) [4]int {
	var list [4]int
	n := 1
	for k := len(order) - 1; k >= 0; k-- {
		list[order[k]] = n
		n *= shape[k]
	}
	return list
}

// stepsOfX returns X as [time, batch, inputs], dense if it must be so that all
// steps are one matrix.
func (op *recurrent[T]) stepsOfX(dense bool) (cell.Steps[T], error) {
	time, batch, inputs := op.chunk()
	stride := strides(op.orderX, op.x.shape)
	data := op.x.data[min(op.from*stride[batchAxis], len(op.x.data)):]
	x := cell.Steps[T]{
		Time: time, Batch: batch, Width: inputs,
		StepStride: stride[timeAxis], RowStride: stride[batchAxis], Data: data,
	}
	switch {
	case batch == 1:
		x.RowStride = x.StepStride
	case time == 1:
		x.StepStride = x.RowStride * batch
	}
	if stride[widthAxis] == 1 && (!dense || x.StepStride == x.RowStride*batch) {
		return x, nil
	}
	if err := op.denseX.resizeTo(time, batch, inputs); err != nil {
		return x, err
	}
	rest := op.denseX.data
	for t := range time {
		for b := range batch {
			if err := op.memory.spend(inputs * elementCost); err != nil {
				return x, err
			}
			for i := range inputs {
				rest[0] = data[t*stride[timeAxis]+b*stride[batchAxis]+i*stride[widthAxis]]
				rest = rest[1:]
			}
		}
	}
	return cell.Dense(time, batch, inputs, op.denseX.data), nil
}

// stepsOfY returns what Y has for direction d, without Data where Y is left out.
func (op *recurrent[T]) stepsOfY(d int) cell.Steps[T] {
	if op.y == nil {
		return cell.Steps[T]{}
	}
	time, batch, _ := op.chunk()
	stride := strides(op.orderY, op.y.shape)
	return cell.Steps[T]{
		Time: time, Batch: batch, Width: op.hidden,
		StepStride: stride[timeAxis], RowStride: stride[batchAxis],
		Data: op.y.data[min(d*stride[directionAxis]+op.from*stride[batchAxis], len(op.y.data)):],
	}
}

// state returns what a state has for direction d, zeros where it is left out.
func (op *recurrent[T]) state(a *array[T], d int) kernels.Matrix[T] {
	m := kernels.Matrix[T]{Rows: op.rows, Cols: op.hidden, Stride: op.hidden}
	switch {
	case a == nil:
		m.Data = op.zeros.data
		return m
	case op.batchFirst:
		m.Stride, m.Data = len(op.directions)*op.hidden, a.data[d*op.hidden:]
	default:
		m.Data = op.of(a, d)
	}
	m.Data = m.Data[min(op.from*m.Stride, len(m.Data)):]
	return m
}

func (op *recurrent[T]) weights(d int) cell.Weights[T] {
	w := cell.Weights[T]{W: op.of(op.w, d), R: op.of(op.r, d), B: op.zeros.data}
	if op.b != nil {
		w.B = op.of(op.b, d)
	}
	return w
}

// of returns what a has for direction d, which is its first dimension.
func (op *recurrent[T]) of(a *array[T], d int) []T {
	n := len(a.data) / len(op.directions)
	return a.data[d*n : (d+1)*n]
}
