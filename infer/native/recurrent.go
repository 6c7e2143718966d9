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
	kind[T]
	hidden     int  // 0 where it is left out and R is not known yet
	given      bool // hidden_size is
	directions []general[T]
	cells      []cell.Cell[T] // of the directions, where newCell is set
	laidOut    []cell.Packed[T]

	batchFirst     bool   // layout 1
	orderX, orderY []axis // how X and Y lie in memory

	x       *array[T] // [time, batch, inputs]
	table   *array[T] // X is rows of it, which tokens tell; nil where nothing is known of X
	tokens  *indices
	w, r, b *array[T]     // [directions, gates*hidden, inputs], [directions, gates*hidden, hidden], [directions, 2*gates*hidden]
	lengths *array[int32] // [batch]
	h0, c0  *array[T]     // [directions, batch, hidden]
	p       *array[T]     // [directions, 3*hidden]
	y       *array[T]     // [time, directions, batch, hidden]; nil where it is left out
	hn, cn  *array[T]     // [directions, batch, hidden]

	packed, history *array[T]       // X and one direction of Y for package cell
	zeros           *array[T]       // stands for b, h0 and c0 where they are left out
	work            *array[float64] // of general, in parts
	pick            []int           // tokens in the order of steps; nil where table is not used
	tabulated       int             // elements of the table of what tokens add to the sums
	ragged          ragged[T]
	sorted          *array[T] // X in the order of ragged
	live            []int
	passage         passage[T]
	from, rows      int // the part of the batch that is computed
	memory          *memory
	kept, weighs    int // bytes that the cells keep of steps, and of weights that are not constant
}

// kind is what sets RNN, GRU and LSTM apart.
type kind[T cell.Float] struct {
	gates       int
	activations []string // the defaults of a direction
	advance     advance[T]
	newCell     func(hidden int, reverse bool) cell.Cell[T] // nil where package cell lacks the form
	keeps       int                                         // what a cell keeps, in units of [time, batch, hidden]
}

func recurrentOps[T cell.Float]() []op {
	return []op{
		{name: "RNN", since: 1, in: arity{3, 6}, out: arity{0, 2}, build: newRNN[T]},
		{name: "GRU", since: 1, in: arity{3, 6}, out: arity{0, 2}, build: newGRU[T]},
		{name: "LSTM", since: 1, in: arity{3, 8}, out: arity{0, 3}, build: newLSTM[T]},
	}
}

func newRNN[T cell.Float](n *node) kernel {
	return newRecurrent(n, kind[T]{1, []string{"Tanh"}, stepRNN[T], cell.NewRNN[T], 1})
}

func newGRU[T cell.Float](n *node) kernel {
	op := newRecurrent(n, kind[T]{3, []string{"Sigmoid", "Tanh"}, stepGRU[T], cell.NewGRU[T], 4})
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
	op := newRecurrent(n, kind[T]{4, []string{"Sigmoid", "Tanh", "Tanh"}, stepLSTM[T], cell.NewLSTM[T], 6})
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

func newRecurrent[T cell.Float](n *node, k kind[T]) *recurrent[T] {
	n.expensive = true
	op := &recurrent[T]{
		kind: k, memory: n.memory,
		x: input[T](n, 0), w: input[T](n, 1), r: input[T](n, 2), b: input[T](n, 3),
		lengths: input[int32](n, 4), h0: input[T](n, 5), c0: input[T](n, 6), p: input[T](n, 7),
		packed: temp[T](n), history: temp[T](n), zeros: temp[T](n), work: temp[float64](n),
		sorted: temp[T](n), ragged: ragged[T]{states: temp[T](n)},
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

// readOrder reads the layout, and where the layer has taken in a Transpose, that.
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
	form := general[T]{advance: op.advance, clip: math.Inf(1)}
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

// part returns those sizes for the part of the batch that is computed.
func (op *recurrent[T]) part() (time, rows, inputs int) {
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
			op.directions[d].laidOut = false
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
	chunk := op.mostRows()
	for op.from = 0; op.from == 0 || op.from < batch; op.from += chunk {
		op.rows = min(chunk, batch-op.from)
		var part []int32
		if lengths != nil {
			part = lengths[op.from : op.from+op.rows]
		}
		if err := op.runPart(time, part); err != nil {
			return err
		}
	}
	return nil
}

// mostRows returns how many rows a step takes at most in one go, in which nothing
// looks at the context.
func (op *recurrent[T]) mostRows() int {
	const element = 64 // multiplications that take as long as a gate's function
	_, _, inputs := op.sizes()
	each := op.gates * op.hidden * (inputs + op.hidden + element)
	budget := 4 * checkInterval
	if op.newCell == nil || slow[T]() {
		budget = checkInterval / 2
	}
	return min(max(budget/each, 4), 1<<14)
}

// runPart runs the layer for the rows of a part of the batch.
func (op *recurrent[T]) runPart(time int, lengths []int32) error {
	switch {
	case op.newCell == nil || time == 0 || op.rows == 0:
		return op.runGeneral(lengths)
	case lengths != nil:
		return op.runRagged(lengths)
	}
	return op.runCells()
}

// runGeneral runs a layer of any form.
func (op *recurrent[T]) runGeneral(lengths []int32) error {
	time, batch, inputs := op.part()
	rows, hidden := op.gates*op.hidden, op.hidden
	work, ok := product(batch, inputs+rows+3*hidden)
	if !ok {
		return fmt.Errorf("%d steps of %d rows are too many", time, batch)
	}
	if err := op.work.resizeTo(work + 2*rows); err != nil {
		return err
	}
	x, err := op.stepsOfX(false)
	if err != nil {
		return err
	}
	op.live = slices.Grow(op.live[:0], batch)
	defer func() { op.passage = passage[T]{} }() // which has what is the caller's
	for d := range op.directions {
		rest := op.work.data
		matrix := func(rows, cols int) kernels.Matrix[float64] {
			m := kernels.Dense(rows, cols, rest)
			rest = rest[rows*cols:]
			return m
		}
		s := &op.passage
		*s = passage[T]{
			x: x, y: op.stepsOfY(d), lengths: lengths, weights: op.weights(d),
			h: matrix(batch, hidden), c: matrix(batch, hidden),
			input: matrix(batch, inputs), gates: matrix(batch, rows), scratch: matrix(batch, hidden),
			bias: matrix(1, 2*rows).Data, live: op.live,
		}
		if op.p != nil {
			s.p = op.of(op.p, d)
		}
		copyAs(s.h, op.state(op.h0, d))
		copyAs(s.c, op.state(op.c0, d))
		op.directions[d].hidden = hidden
		op.directions[d].constant = op.constant()
		if err := op.directions[d].run(op.memory, s); err != nil {
			return err
		}
		copyAs(op.state(op.hn, d), s.h)
		if op.cn != nil {
			copyAs(op.state(op.cn, d), s.c)
		}
	}
	return nil
}

// runCells runs a layer without padding that package cell has.
func (op *recurrent[T]) runCells() error {
	time, batch, _ := op.part()
	chunk := min(time, op.stretch())
	if err := op.keep(chunk, batch); err != nil {
		return err
	}
	op.layOut()
	if op.y == nil {
		if err := op.history.resizeTo(chunk, batch, op.hidden); err != nil {
			return err
		}
	}
	x, err := op.readX()
	if err != nil {
		return err
	}
	for d, c := range op.cells {
		y := op.stepsOfY(d)
		state := cell.State[T]{H: op.state(op.h0, d), C: op.state(op.c0, d)}
		for done := 0; done < time; done += chunk {
			if err := op.memory.ctx.Err(); err != nil {
				return err
			}
			from, to := op.span(d, done, min(done+chunk, time), time)
			s := cell.Sequences[T]{X: x, First: state}
			if op.pick == nil {
				s.X = x.Range(from, to)
				if to-from == 1 { // without a gap to the next
					s.X.StepStride = batch * s.X.RowStride
				}
			} else {
				s.Pick = op.pick[from*batch : to*batch]
			}
			if op.y == nil {
				s.Y = cell.Dense(to-from, batch, op.hidden, op.history.data)
			} else {
				s.Y = y.Range(from, to)
			}
			state = c.Forward(&op.laidOut[d], s)
		}
		kernels.Copy(op.state(op.hn, d), state.H)
		if op.cn != nil {
			kernels.Copy(op.state(op.cn, d), state.C)
		}
	}
	return nil
}

// stretch returns how many steps a cell takes in one go: it keeps what it computes of
// them, which shall stay in the cache, and looks at no context.
func (op *recurrent[T]) stretch() int { return max(1, min(512, op.mostRows())/op.rows) }

// span returns which of so many steps those from i to j are that direction d takes.
func (op *recurrent[T]) span(d, i, j, steps int) (from, to int) {
	if op.directions[d].reverse {
		return steps - j, steps - i
	}
	return i, j
}

// keep counts what the cells keep of so many steps, and of weights that are not
// constant.
func (op *recurrent[T]) keep(steps, batch int) error {
	if n, ok := product(len(op.directions)*op.keeps, steps, batch, op.hidden); !ok {
		return fmt.Errorf("%d rows for hidden_size %d are too many", batch, op.hidden)
	} else if err := op.memory.keep(&op.kept, n, size[T]()); err != nil {
		return fmt.Errorf("%d rows for hidden_size %d are too many: %w", batch, op.hidden, err)
	}
	if op.constant() {
		return nil
	}
	_, _, inputs := op.sizes()
	n := len(op.directions) * weightsInPanels(op.gates*op.hidden, inputs, op.hidden)
	if err := op.memory.keep(&op.weighs, n, size[T]()); err != nil {
		return fmt.Errorf("weights for hidden_size %d are too many: %w", op.hidden, err)
	}
	return nil
}

// weightsInPanels returns how many elements W and R of a direction have at most once
// they are laid out for products, of R in two parts.
func weightsInPanels(rows, inputs, hidden int) int {
	return inPanels(rows, inputs) + inPanels(rows, hidden) + inPanels(1, hidden)
}

// layOut makes the cells, and lays out their weights, once if they are constant.
func (op *recurrent[T]) layOut() {
	if op.cells == nil {
		op.laidOut = make([]cell.Packed[T], len(op.directions))
		for _, d := range op.directions {
			op.cells = append(op.cells, op.newCell(op.hidden, d.reverse))
		}
	} else if op.constant() {
		return
	}
	for d, c := range op.cells {
		c.Pack(&op.laidOut[d], op.weights(d))
	}
	op.tabulate()
}

// maxTable is how many elements a table of what tokens add to the sums may have.
const maxTable = 1 << 18

// tabulate finds what each token of a small vocabulary adds to the sums.
func (op *recurrent[T]) tabulate() {
	if op.table == nil || !op.constant() {
		return
	}
	rows := op.table.shape[0]
	n, ok := product(len(op.directions), rows, op.gates, op.hidden)
	if !ok || n > maxTable || op.memory.take(n, size[T]()) != nil {
		return
	}
	for d := range op.cells {
		op.laidOut[d].Tabulate(kernels.Dense(rows, op.table.shape[1], op.table.data))
	}
	op.pick, op.tabulated = []int{}, n
	op.memory.pools = append(op.memory.pools, op)
}

// trim drops the table, where a run needs the memory.
func (op *recurrent[T]) trim() {
	for d := range op.laidOut {
		op.laidOut[d].Forget()
	}
	op.memory.held -= op.tabulated * size[T]()
	op.pick, op.tabulated = nil, 0
}

// readX returns X, or where the sums of its rows are known the table, and sets
// op.pick.
func (op *recurrent[T]) readX() (cell.Steps[T], error) {
	if op.pick == nil {
		return op.stepsOfX(op.stretch() > 1)
	}
	time, batch, inputs := op.part()
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

// constant tells whether no run changes the weights.
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
	time, batch, inputs := op.part()
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
	if err := op.packed.resizeTo(time, batch, inputs); err != nil {
		return x, err
	}
	packed := op.packed.data
	for t := range time {
		for b := range batch {
			if err := op.memory.spend(inputs * elementCost); err != nil {
				return x, err
			}
			for i := range inputs {
				packed[0] = data[t*stride[timeAxis]+b*stride[batchAxis]+i*stride[widthAxis]]
				packed = packed[1:]
			}
		}
	}
	return cell.Dense(time, batch, inputs, op.packed.data), nil
}

// stepsOfY returns what Y has for direction d, without Data where Y is left out.
func (op *recurrent[T]) stepsOfY(d int) cell.Steps[T] {
	if op.y == nil {
		return cell.Steps[T]{}
	}
	time, batch, _ := op.part()
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
