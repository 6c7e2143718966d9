package stepwise

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

var (
	errReversed = errors.New("reads the steps in another order")
	errPadded   = errors.New("pads the steps")
	errAround   = errors.New("reads the steps around each step")
)

func matMul(c *call) ([]value, error) {
	if len(c.in) < 2 || c.in[0].dims == nil || c.in[1].dims == nil {
		return nil, errShape
	}
	for _, v := range c.in[2:] {
		if v.kind != invariant {
			return nil, errMixes
		}
	}
	a, b := c.in[0], c.in[1]
	rows, columns := len(a.dims) > 1, len(b.dims) > 1
	if !rows || !columns { // a vector
		if a.kind == perStep && a.axis == len(a.dims)-1 || b.kind == perStep || !rows {
			return nil, errMixes
		}
		return []value{a.like(slices.Clone(a.dims[:len(a.dims)-1]), a.axis)}, nil
	}
	if a.isTime(len(a.dims)-1) || b.isTime(len(b.dims)-2) {
		return nil, errMixes
	}
	width := b.dims[len(b.dims)-1]
	if b.isTime(len(b.dims) - 1) {
		if a.kind != invariant {
			return nil, errMixes
		}
	}
	// As operands of one operator by elements, each is 1 where the other has its own.
	left, right := a, b
	left.dims, right.dims = slices.Clone(a.dims), slices.Clone(b.dims)
	left.dims[len(left.dims)-1], right.dims[len(right.dims)-2] = one, one
	left.ints, right.ints = nil, nil
	out, err := c.join(left, right)
	if err == nil && out[0].dims != nil {
		out[0].dims[len(out[0].dims)-1] = width
	}
	return out, err
}

// einsum treats each step alone if the letter of the time is one of the result's.
func einsum(c *call) ([]value, error) {
	left, right, ok := strings.Cut(strings.ReplaceAll(c.Text("equation", ""), " ", ""), "->")
	terms := strings.Split(left, ",")
	if !ok || len(terms) != len(c.in) || strings.Contains(left, ".") {
		return nil, errShape
	}
	out := value{kind: invariant, axis: -1}
	sizes := map[byte]size{}
	for i, v := range c.in {
		if len(terms[i]) != len(v.dims) {
			return nil, errShape
		}
		out.kind = max(out.kind, v.kind)
		for k, d := range v.dims {
			letter := terms[i][k]
			if old, ok := sizes[letter]; !ok || old == one {
				sizes[letter] = d
			}
			if v.isTime(k) {
				out.axis, out.outer = strings.IndexByte(right, letter), v.outer
			}
		}
	}
	for k := range len(right) {
		out.dims = append(out.dims, sizes[right[k]])
	}
	if out.kind != perStep {
		if slices.ContainsFunc(c.in, func(v value) bool { return v.kind == counting }) && out.kind == lastStep {
			return nil, errCount
		}
		return []value{out}, nil
	}
	if out.axis < 0 {
		return nil, errMixes
	}
	letter := right[out.axis]
	for i, v := range c.in {
		switch at := strings.IndexByte(terms[i], letter); {
		case v.kind == lastStep || v.kind == counting:
			return nil, errCombines
		case at < 0 && v.kind == perStep || at >= 0 && !v.isTime(at), at >= 0 && (v.outer != out.outer || v.dims[at] != sizes[letter]), strings.LastIndexByte(terms[i], letter) != at:
			return nil, errMixes
		}
	}
	return []value{out}, nil
}

func gemm(c *call) ([]value, error) {
	a, b, bias := c.input(0), c.input(1), c.input(2)
	if len(a.dims) != 2 || len(b.dims) != 2 {
		return nil, errShape
	}
	if c.Int("transA", 0) != 0 {
		a = a.like([]size{a.dims[1], a.dims[0]}, 1-a.axis)
	}
	if c.Int("transB", 0) != 0 {
		b = b.like([]size{b.dims[1], b.dims[0]}, 1-b.axis)
	}
	if a.isTime(1) || b.isTime(0) || a.kind == perStep && b.kind != invariant || b.kind == perStep && a.kind != invariant {
		return nil, errMixes
	}
	left, right := a.like([]size{a.dims[0], one}, a.axis), b.like([]size{one, b.dims[1]}, b.axis)
	if bias.missing {
		return c.join(left, right)
	}
	return c.join(left, right, bias)
}

func softmax(c *call) ([]value, error) {
	standard := int64(-1)
	if c.opset < 13 {
		standard = 1
	}
	return c.mixed(standard, func(x value, axis int) bool {
		return x.isTime(axis) || c.opset < 13 && x.kind == perStep && x.axis > axis
	})
}

func layerNormalization(c *call) ([]value, error) {
	return c.mixed(-1, func(x value, axis int) bool {
		return x.kind == perStep && x.axis >= axis || c.othersMove(1)
	})
}

// alongAxis is for operators that mix the elements of one axis.
func alongAxis(c *call) ([]value, error) { return c.mixed(-1, value.isTime) }

// mixed returns the output of a node that has the shape of its first input and mixes
// elements from its axis on. It is an error if steps reports that these are steps.
func (c *call) mixed(standard int64, steps func(x value, axis int) bool) ([]value, error) {
	x := c.input(0)
	if x.dims == nil {
		return nil, errShape
	}
	axis, err := c.axis(standard, len(x.dims))
	if err != nil {
		return nil, err
	}
	if steps(x, axis) {
		err = errMixes
	}
	return []value{x.like(x.dims, x.axis)}, err
}

// othersMove reports whether an input from that one on depends on the steps.
func (c *call) othersMove(from int) bool {
	for i := from; i < len(c.in); i++ {
		if c.in[i].kind != invariant {
			return true
		}
	}
	return false
}

func batchNormalization(c *call) ([]value, error) {
	x := c.input(0)
	if x.isTime(1) || c.othersMove(1) || c.Int("training_mode", 0) != 0 {
		return []value{x}, errMixes
	}
	return []value{x}, nil
}

func cumSum(c *call) ([]value, error) {
	x, at := c.input(0), c.input(1)
	if x.dims == nil || len(at.ints) != 1 {
		return nil, errShape
	}
	list, err := axes(at.ints, len(x.dims))
	if err != nil {
		return nil, err
	}
	if x.isTime(list[0]) {
		return []value{x.like(x.dims, x.axis)}, errMixes
	}
	return []value{x.like(x.dims, x.axis)}, nil
}

func topK(c *call) ([]value, error) {
	out, err := alongAxis(c)
	if err != nil {
		return nil, err
	}
	axis, _ := c.axis(-1, len(out[0].dims))
	if c.othersMove(1) {
		return nil, errMixes
	}
	dims := slices.Clone(out[0].dims)
	dims[axis] = c.fresh()
	if k := c.input(1).ints; len(k) == 1 {
		dims[axis] = k[0]
	}
	best := out[0].like(dims, out[0].axis)
	places := best
	places.type_ = onnxgraph.Int64
	return []value{best, places}, nil
}

// rowByRow is for operators that mix all but the first dimension, or the first two.
func rowByRow(c *call) ([]value, error) {
	x := c.input(0)
	last := 0
	if c.OpType == "GlobalAveragePool" || c.OpType == "GlobalMaxPool" {
		last = 1
	}
	var reason error
	if x.dims == nil || x.kind == perStep && x.axis > last || c.othersMove(1) {
		reason = errMixes
	}
	out := x.like(slices.Clone(x.dims), x.axis)
	if c.OpType == "GlobalAveragePool" || c.OpType == "GlobalMaxPool" {
		for k := 2; k < len(out.dims); k++ {
			out.dims[k] = one
		}
		if reason != nil { // the same for every step, as a mean over all of them is
			out.kind = invariant
		}
	}
	return []value{out}, reason
}

func reduce(c *call) ([]value, error) {
	x := c.input(0)
	if x.dims == nil {
		return nil, errShape
	}
	list, ok := c.list("axes", 1)
	arg := c.OpType == "ArgMax" || c.OpType == "ArgMin"
	if arg {
		list, ok = []size{fixed(c.Int("axis", 0))}, true
	}
	along, err := axes(list, len(x.dims))
	switch {
	case !ok || err != nil:
		return nil, errShape
	case len(list) == 0 && c.Int("noop_with_empty_axes", 0) != 0:
		return []value{x}, nil
	}
	reduced := func(k int) bool { return len(list) == 0 || slices.Contains(along, k) }
	var dims []size
	var reason error
	axis := x.axis
	for k, d := range x.dims {
		if reduced(k) && x.isTime(k) {
			reason = errMixes
		}
		switch {
		case reduced(k) && c.Int("keepdims", 1) != 0:
			dims = append(dims, one)
		case reduced(k) && k < x.axis:
			axis--
		case !reduced(k):
			dims = append(dims, d)
		}
	}
	out := x.like(append([]size{}, dims...), axis)
	if reason != nil { // the same for every step
		out.kind = invariant
	}
	if arg {
		out.type_ = onnxgraph.Int64
	}
	return []value{out}, reason
}

// window is for convolutions and pools. It treats each step alone where its kernel has
// one step.
func window(c *call) ([]value, error) {
	x, w := c.input(0), c.input(1)
	kernel := numbers(c.Ints("kernel_shape"))
	convolves := c.OpType == "Conv" || c.OpType == "FusedConv"
	if convolves && len(kernel) == 0 && len(w.dims) > 2 {
		kernel = w.dims[2:]
	}
	if len(x.dims) < 3 || len(kernel) != len(x.dims)-2 || c.othersMove(1) {
		return nil, errShape
	}
	if x.isTime(1) && convolves {
		return nil, errMixes
	}
	out := x.like(slices.Clone(x.dims), x.axis)
	if convolves && len(w.dims) > 0 {
		out.dims[1] = w.dims[0]
	}
	var reason error
	for s := range kernel {
		d, looks := c.slide(x.dims[s+2], kernel, s)
		if x.isTime(s+2) && looks {
			if x.before > 0 && d == (size{1, stepCount.symbols, d.plus}) && d.plus >= 0 && d.plus < x.before && !c.pads(s) {
				out.before = d.plus
			} else if reason = errAround; d != (size{1, stepCount.symbols, d.plus}) { // places are no steps any more
				return nil, reason
			}
		}
		out.dims[s+2] = d
	}
	return []value{out}, reason
}

// pads reports whether a window reaches beyond spatial dimension s.
func (c *call) pads(s int) bool {
	list := c.Ints("pads")
	auto := c.Text("auto_pad", "")
	return auto != "" && auto != "NOTSET" && auto != "VALID" || s < len(list) && list[s] != 0 || s+len(list)/2 < len(list) && list[s+len(list)/2] != 0
}

// slide returns how many places a window has along spatial dimension s. It reports
// whether the window reads more than one element there, or skips some.
func (c *call) slide(d size, kernel []size, s int) (size, bool) {
	at := func(name string, i int, standard int64) int64 {
		if list := c.Ints(name); i < len(list) {
			return list[i]
		}
		return standard
	}
	k, known := kernel[s].fixed()
	stride, dilation := at("strides", s, 1), at("dilations", s, 1)
	pads, ok := at("pads", s, 0), abs(k) <= limit && abs(dilation) <= limit
	end := at("pads", s+len(kernel), 0)
	same := c.Text("auto_pad", "") == "SAME_UPPER" || c.Text("auto_pad", "") == "SAME_LOWER"
	if known && k == 1 && stride == 1 && (pads == 0 && end == 0 || same) {
		return d, false
	}
	if !known || !ok || stride != 1 || abs(pads) > limit || abs(end) > limit {
		return c.fresh(), true
	}
	if same {
		return d, true
	}
	if d, ok = d.add(fixed(pads + end - (k-1)*dilation)); !ok {
		d = c.fresh()
	}
	return d, true
}

func quantize(c *call) ([]value, error) {
	x, scale := c.input(0), c.input(1)
	if x.dims == nil || scale.dims == nil || c.othersMove(1) {
		return nil, errMixes
	}
	axis, err := c.axis(1, len(x.dims))
	if len(scale.dims) > 0 && scale.dims[0] != one && (err != nil || x.isTime(axis) || len(scale.dims) > 1) {
		return nil, errFixed
	}
	out := x.like(x.dims, x.axis)
	if out.type_ = scale.type_; c.OpType == "QuantizeLinear" {
		out.type_ = c.input(2).type_
	}
	return []value{out}, nil
}

func reverse(c *call) ([]value, error) {
	x := c.input(0)
	if x.dims == nil || c.othersMove(1) {
		return []value{x}, errReversed
	}
	if at := int(c.Int("time_axis", 0)); x.kind == perStep && x.axis == at {
		return []value{x}, errReversed
	}
	return []value{x}, nil
}

func recurrent(c *call) ([]value, error) {
	x := c.input(0)
	first := c.Int("layout", 0) == 0
	along, rows := 0, 1
	if !first {
		along, rows = 1, 0
	}
	if len(x.dims) != 3 {
		return nil, errShape
	}
	for _, i := range []int{1, 2, 3, 7} {
		if c.input(i).kind != invariant {
			c.other = true
			return nil, errMixes
		}
	}
	stepping := x.isTime(along)
	c.other = c.other || x.kind == perStep && (x.isTime(2) || x.isTime(rows) && x.whole())
	reason := c.recurrentReason(x, along, rows)
	out := c.recurrentValues(x, first, rows)
	if !stepping {
		return out, reason
	}
	c.read = true
	if reason == nil {
		reason = c.addStates(out)
	}
	return out, reason
}

// recurrentReason returns why a recurrent node that reads x cannot run step by step.
func (c *call) recurrentReason(x value, along, rows int) error {
	lengths := c.input(4)
	direction := c.Text("direction", "")
	begins := max(c.input(5).kind, c.input(6).kind)
	switch {
	case x.kind != perStep:
		if !lengths.missing && lengths.kind != invariant || begins == perStep || x.kind == invariant && begins != invariant {
			return errMixes
		}
		return nil
	case x.isTime(rows) && (!lengths.missing && lengths.kind != invariant || begins == lastStep || begins == counting || !c.startsByRow(rows)):
		return errMixes
	case x.isTime(rows):
		return nil
	case !x.isTime(along) || !x.whole():
		return errShape
	case direction != "" && direction != "forward":
		return fmt.Errorf("reads the sequence from its end too: its direction is %s", direction)
	case !lengths.missing:
		return errors.New("takes the lengths of the sequences, which tell where they end")
	case begins == perStep || begins == lastStep:
		return errStart
	case begins == counting:
		return errCount
	}
	return nil
}

// startsByRow reports whether the initial states have one for each row, where the steps
// are rows.
func (c *call) startsByRow(rows int) bool {
	for i := 5; i < min(7, len(c.in)); i++ {
		v := c.in[i]
		if !v.missing && (v.kind != perStep || v.axis != rows || v.dims[v.axis] != c.in[0].dims[rows] || v.outer != c.in[0].outer) {
			return false
		}
	}
	return true
}

// recurrentValues returns Y, Y_h and Y_c of a recurrent node that reads x.
func (c *call) recurrentValues(x value, first bool, rows int) []value {
	directions := fixed(1)
	if c.Text("direction", "") == "bidirectional" {
		directions = fixed(2)
	}
	hidden := fixed(c.Int("hidden_size", 0))
	if hidden == fixed(0) {
		hidden = c.fresh()
	}
	last := []size{directions, x.dims[rows], hidden}
	all := []size{x.dims[0], directions, x.dims[1], hidden}
	batchAt, rowsAt := 1, 2
	if !first {
		last = []size{x.dims[rows], directions, hidden}
		all = []size{x.dims[0], x.dims[1], directions, hidden}
		batchAt, rowsAt = 0, 0
	}
	y, h := x.like(all, 0), x.like(last, 0)
	switch {
	case x.isTime(rows):
		y.axis, h.axis = rowsAt, batchAt
	case x.kind == perStep:
		y.axis, h.kind = rows^1, lastStep
	default:
		for i := 5; i < min(7, len(c.in)); i++ {
			y.kind = max(y.kind, c.in[i].kind)
		}
		h.kind = y.kind
	}
	return []value{y, h, h}
}

// addStates adds the states of a recurrent node, h and of an LSTM c, unless they are
// inputs of the graph already.
func (c *call) addStates(out []value) error {
	states := 1
	if c.OpType == "LSTM" {
		states = 2
	}
	var slots []slot
	for i := range states {
		if c.isState(5 + i) {
			continue
		}
		v := out[1+i]
		v.type_ = c.input(2).type_
		slots = append(slots, slot{5 + i, 1 + i, v, !c.input(5 + i).missing})
	}
	return c.addStateful(slots)
}

// isState reports whether an input comes from one of the graph's states.
func (c *call) isState(input int) bool {
	return input < len(c.Inputs) && c.fromState[c.Inputs[input]]
}

func (c *call) addStateful(slots []slot) error {
	if len(slots) == 0 {
		return nil
	}
	if c.outer != nil {
		return errors.New("keeps a state from step to step within a graph of another node")
	}
	c.stateful = append(c.stateful, statefulNode{c.Node, slots})
	return nil
}

// inner returns an analysis of a graph within the node, which sees what the node sees.
func (c *call) inner() *analysis {
	return &analysis{opset: c.opset, values: map[string]value{}, fromState: c.fromState, outer: c.analysis, next: c.next, symbols: c.symbols}
}

func conditional(c *call) ([]value, error) {
	condition := c.input(0)
	if condition.kind != invariant {
		return nil, errMixes
	}
	var branches [][]value
	for _, name := range []string{"then_branch", "else_branch"} {
		a, _ := c.Attribute(name)
		g, ok := a.(*onnxgraph.Graph)
		if !ok {
			return nil, errUnknown
		}
		if len(condition.ints) == 1 && (condition.ints[0] == one) != (name == "then_branch") {
			continue // it is never taken
		}
		f := c.inner()
		f.graph(g)
		c.next, c.read, c.other = f.next, c.read || f.read, c.other || f.other
		if f.err != nil {
			return nil, fmt.Errorf("holds a graph that cannot go step by step: %w", f.err)
		}
		var out []value
		for _, v := range g.Outputs {
			out = append(out, f.value(v.Name))
		}
		branches = append(branches, out)
	}
	out := branches[0]
	if len(branches) == 1 {
		return out, nil
	}
	if len(branches[1]) != len(out) {
		return nil, errShape
	}
	for i, v := range branches[1] {
		o := &out[i]
		if o.kind != v.kind || o.kind == perStep && (o.axis != v.axis || o.outer != v.outer) {
			return nil, errMixes
		}
		o.ints = nil
		if !slices.Equal(o.dims, v.dims) {
			if o.kind == perStep || len(o.dims) != len(v.dims) {
				o.dims = nil
			}
			for k := range o.dims {
				if o.dims[k] != v.dims[k] {
					o.dims = slices.Clone(o.dims)
					o.dims[k] = c.fresh()
				}
			}
		}
	}
	return out, nil
}

// scan is for a Scan. It runs over the steps if it reads them one by one.
func scan(c *call) ([]value, error) {
	a, _ := c.Attribute("body")
	body, ok := a.(*onnxgraph.Graph)
	n := int(c.Int("num_scan_inputs", 0))
	states := len(c.in) - n
	if !ok || n < 1 || states < 0 || len(body.Inputs) != len(c.in) || len(body.Outputs) < states || c.opset < 9 {
		return nil, errUnknown
	}
	kindOfX, err := c.scanReads(states)
	if err != nil {
		return nil, err
	}
	f := c.inner()
	for i, in := range body.Inputs {
		f.values[in.Name] = c.scanned(i, states)
	}
	for _, name := range body.Free() {
		if v := c.value(name); v.kind > invariant {
			return nil, errMixes
		}
	}
	f.graph(body)
	c.next = f.next
	out := make([]value, len(body.Outputs))
	for i, o := range body.Outputs {
		v := f.value(o.Name)
		if v.dims == nil && o.Shape != nil {
			v.dims = c.declared(o.Shape)
		}
		out[i] = value{kind: kindOfX, type_: v.type_, dims: v.dims}
		if i >= states {
			if out[i], err = c.stacked(out[i], i-states); err != nil {
				return nil, err
			}
		} else if kindOfX == perStep {
			out[i].kind, out[i].dims = lastStep, c.in[i].dims
		}
	}
	if kindOfX != perStep {
		return out, nil
	}
	c.read = true
	var slots []slot
	for i := range states {
		if c.in[i].kind != invariant {
			return nil, errStart
		}
		if !c.isState(i) {
			slots = append(slots, slot{i, i, c.in[i], true})
		}
	}
	return out, c.addStateful(slots)
}

// scanReads returns the kind of the sequences that a Scan runs over.
func (c *call) scanReads(states int) (kind, error) {
	kindOfX := invariant
	for _, v := range c.in {
		kindOfX = max(kindOfX, v.kind)
	}
	for i, v := range c.in[states:] {
		axis := 0
		if list := c.Ints("scan_input_axes"); i < len(list) {
			axis = int(list[i])
		}
		if list := c.Ints("scan_input_directions"); i < len(list) && list[i] != 0 && v.kind == perStep {
			return 0, errReversed
		}
		if len(v.dims) == 0 {
			return 0, errShape
		}
		if axis < 0 {
			axis += len(v.dims)
		}
		if kindOfX == perStep && (!v.isTime(axis) || !v.whole()) {
			c.other = c.other || v.kind == perStep && v.whole()
			return 0, errMixes
		}
	}
	if kindOfX == counting {
		return 0, errCount
	}
	return kindOfX, nil
}

// scanned returns what the body of a Scan sees of an input.
func (c *call) scanned(i, states int) value {
	v := c.in[i]
	v.kind, v.ints = invariant, nil
	if i < states || len(v.dims) == 0 {
		return v
	}
	axis := 0
	if list := c.Ints("scan_input_axes"); i-states < len(list) {
		axis = int(list[i-states])
	}
	if axis < 0 {
		axis += len(v.dims)
	}
	if axis < 0 || axis >= len(v.dims) {
		return value{kind: invariant}
	}
	v.dims = slices.Delete(slices.Clone(v.dims), axis, axis+1)
	return v
}

// stacked returns output i of a Scan, given that of its body; -1 is one of a Loop.
func (c *call) stacked(v value, i int) (value, error) {
	if list := c.Ints("scan_output_directions"); i >= 0 && i < len(list) && list[i] != 0 && v.kind == perStep {
		return v, errReversed
	}
	if v.dims == nil || len(v.dims) >= maxRank {
		return v, errShape
	}
	axis := 0
	if list := c.Ints("scan_output_axes"); i >= 0 && i < len(list) {
		axis = int(list[i])
	}
	if axis < 0 {
		axis += len(v.dims) + 1
	}
	if axis < 0 || axis > len(v.dims) {
		return v, errShape
	}
	length := stepCount
	if v.kind != perStep {
		length = c.fresh()
	}
	v.dims = slices.Insert(slices.Clone(v.dims), axis, length)
	v.axis, v.outer = axis, one
	return v, nil
}
