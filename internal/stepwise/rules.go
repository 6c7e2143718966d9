package stepwise

import (
	"slices"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// rule returns what is known of the outputs of a node, or why it does not treat each
// step alone. With an error it may return outputs too, to follow the steps beyond it.
type rule func(c *call) ([]value, error)

var rules map[string]rule

func init() { // rules of If and Scan come back to rules
	rules = map[string]rule{
		"Constant": constantNode, "Identity": unary, "Cast": cast, "CastLike": castLike, "Dropout": dropout,
		"Shape": shape, "Size": shape, "ConstantOfShape": constantOfShape, "Expand": expand, "Tile": tile,
		"Add": arithmetic, "Sub": arithmetic, "Mul": arithmetic, "Div": arithmetic, "Equal": arithmetic, "Where": where,
		"Reshape": reshape, "Flatten": flatten, "Squeeze": squeeze, "Unsqueeze": unsqueeze, "Transpose": transpose,
		"Concat": concat, "Split": split, "Slice": slice, "Gather": gather, "OneHot": oneHot, "Pad": pad,
		"Einsum": einsum, "MatMul": matMul, "MatMulInteger": matMul, "Gemm": gemm,
		"Softmax": softmax, "LogSoftmax": softmax, "Hardmax": softmax,
		"LayerNormalization": layerNormalization, "RMSNormalization": layerNormalization, "SimplifiedLayerNormalization": layerNormalization,
		"BatchNormalization": batchNormalization, "LpNormalization": alongAxis, "CumSum": cumSum, "TopK": topK,
		"InstanceNormalization": rowByRow, "GroupNormalization": rowByRow, "GlobalAveragePool": rowByRow, "GlobalMaxPool": rowByRow,
		"Conv": window, "AveragePool": window, "MaxPool": window, "LpPool": window,
		"QuantizeLinear": quantize, "DequantizeLinear": quantize,
		"ReverseSequence": reverse,
		"RNN":             recurrent, "GRU": recurrent, "LSTM": recurrent, "If": conditional, "Scan": scan, "Loop": loop, "Less": less, "And": and,
	}
}

// ruleOf returns the rule of a node's operator, nil where there is none.
func ruleOf(n *onnxgraph.Node) rule {
	switch {
	case n.Domain == "" && rules[n.OpType] != nil:
		return rules[n.OpType]
	case n.Domain == "com.microsoft" && contributed[n.OpType] != nil:
		return contributed[n.OpType]
	case n.Is(onnxgraph.Unary):
		return unary
	case n.Is(onnxgraph.Elementwise):
		return byElements
	case n.Is(onnxgraph.Reduces):
		return reduce
	}
	return nil
}

// contributed has the rules of ONNX Runtime's own operators.
var contributed = map[string]rule{"FusedGemm": gemm, "FusedConv": window}

func constantNode(c *call) ([]value, error) {
	if t, ok := c.Constant(); ok {
		return []value{constant(t)}, nil
	}
	return []value{{kind: invariant}}, nil
}

func unary(c *call) ([]value, error) {
	v := c.input(0)
	if c.OpType != "Identity" {
		v.ints = nil
	}
	return []value{v}, nil
}

func cast(c *call) ([]value, error) {
	v := c.input(0)
	v.type_ = onnxgraph.Undefined
	if onnxgraph.TypeOf(c.Int("to", 0)) == onnxgraph.Bool {
		v.ints = nil
	}
	return []value{v}, nil
}

func castLike(c *call) ([]value, error) {
	v := c.input(0)
	v.type_, v.ints = c.input(1).type_, nil
	return []value{v}, nil
}

func dropout(c *call) ([]value, error) {
	if training := c.input(2); !training.missing && !slices.Equal(training.ints, []size{fixed(0)}) {
		return nil, errUnknown
	}
	return []value{c.input(0)}, nil
}

// counts returns a value of sizes.
func counts(sizes []size, rank int) value {
	v := value{kind: invariant, type_: onnxgraph.Int64, dims: []size{fixed(int64(len(sizes)))}[:rank], ints: sizes}
	if slices.ContainsFunc(sizes, size.hasTime) {
		v.kind = counting
	}
	return v
}

func shape(c *call) ([]value, error) {
	x := c.input(0)
	if x.dims == nil {
		return nil, errShape
	}
	if c.OpType == "Size" {
		n, ok := product(x.dims)
		if !ok {
			return nil, errShape
		}
		return []value{counts([]size{n}, 0)}, nil
	}
	rank := int64(len(x.dims))
	place := func(name string, standard int64) int64 {
		at := c.Int(name, standard)
		if at < 0 {
			at += rank
		}
		return min(max(at, 0), rank)
	}
	start, end := place("start", 0), place("end", rank)
	return []value{counts(slices.Clone(x.dims[start:max(start, end)]), 1)}, nil
}

// filled returns a value of those dimensions whose elements are all the same. It is not
// ok if the time is in more than one of them.
func filled(dims []size) (v value, ok bool) {
	v = value{kind: invariant, dims: dims}
	for k, d := range dims {
		if d.hasTime() {
			if v.kind == perStep {
				return v, false
			}
			v.kind, v.axis = perStep, k
			if v.outer, ok = d.over(stepCount); !ok {
				return v, false
			}
		}
	}
	return v, true
}

func constantOfShape(c *call) ([]value, error) {
	dims := c.input(0).ints
	if dims == nil {
		return nil, errShape
	}
	v, ok := filled(slices.Clone(dims))
	if !ok {
		return nil, errShape
	}
	v.type_ = onnxgraph.Float32
	if a, ok := c.Attribute("value"); ok {
		if t, ok := a.(onnxgraph.Tensor); ok {
			v.type_ = t.Type()
			n, known := int64(0), false
			if len(dims) == 1 {
				n, known = dims[0].fixed()
			}
			if element := constant(onnxgraph.Tensor{Tensor: tensor.Tensor{Data: t.Data}}).ints; known && n >= 0 && n <= maxInts && len(element) == 1 {
				v.ints = slices.Repeat(element, int(n))
			}
		}
	}
	return []value{v}, nil
}

func expand(c *call) ([]value, error) {
	x, dims := c.input(0), c.input(1).ints
	if dims == nil || x.dims == nil {
		if x.kind == invariant && c.input(1).kind == invariant {
			return []value{{kind: invariant}}, nil
		}
		return nil, errShape
	}
	shape, ok := filled(dims)
	if !ok {
		return nil, errShape
	}
	return c.join(x, shape)
}

// join returns the output of an elementwise operator, with broadcasting. With an error
// the output is as if the operator kept the steps as they are.
func (c *call) join(operands ...value) ([]value, error) {
	out, err := c.broadcast(operands)
	if err == nil {
		return out, nil
	}
	rank := 0
	for _, v := range operands {
		rank = max(rank, len(v.dims))
	}
	for _, v := range operands {
		if v.kind == perStep && len(v.dims) == rank {
			return []value{v.like(v.dims, v.axis)}, err
		}
	}
	return nil, err
}

func (c *call) broadcast(operands []value) ([]value, error) {
	out := value{kind: invariant, outer: one, dims: []size{}}
	for _, v := range operands {
		if v.missing {
			continue
		}
		out.kind = max(out.kind, v.kind)
		out.dims = append(out.dims, make([]size, max(0, len(v.dims)-len(out.dims)))...)
	}
	has := func(k kind) bool {
		return slices.ContainsFunc(operands, func(v value) bool { return v.kind == k && !v.missing })
	}
	switch {
	case has(perStep) && has(lastStep):
		return nil, errCombines
	case (has(perStep) || has(lastStep)) && has(counting):
		return nil, errCount
	}
	unknownRank := slices.ContainsFunc(operands, func(v value) bool { return !v.missing && v.dims == nil })
	if unknownRank {
		if out.kind == perStep {
			return nil, errShape
		}
		return []value{{kind: out.kind}}, nil
	}
	rank := len(out.dims)
	out.axis = -1
	for _, v := range operands {
		if v.kind != perStep {
			continue
		}
		at := v.axis + rank - len(v.dims)
		if out.axis >= 0 && (out.axis != at || out.outer != v.outer) {
			return nil, errMixes
		}
		out.axis, out.outer, out.before = at, v.outer, v.before
	}
	for k := range out.dims {
		d, err := c.meet(operands, k, rank, out.axis)
		if err != nil {
			return nil, err
		}
		out.dims[k] = d
	}
	return []value{out}, nil
}

// meet returns dimension k of what operands are broadcast to, whose time is the given
// axis.
func (c *call) meet(operands []value, k, rank, time int) (size, error) {
	d := one
	for _, v := range operands {
		at := k - (rank - len(v.dims))
		if v.missing || at < 0 {
			continue
		}
		switch s := v.dims[at]; {
		case s == one || s == d:
		case k == time && !v.isTime(at):
			return d, errFixed
		case d == one:
			d = s
		case k == time:
			return d, errMixes
		default:
			if _, known := d.fixed(); !known {
				d = s // the one is the other, or 1
			}
		}
	}
	return d, nil
}

func byElements(c *call) ([]value, error) { return c.join(c.in...) }

// arithmetic also computes shapes.
func arithmetic(c *call) ([]value, error) {
	out, err := c.join(c.in...)
	if err != nil || len(out) != 1 || len(c.in) != 2 {
		return out, err
	}
	v := &out[0]
	if c.OpType == "Equal" {
		v.type_ = onnxgraph.Bool
	}
	a, b := c.in[0].ints, c.in[1].ints
	if a == nil || b == nil || len(a) != len(b) && len(a) != 1 && len(b) != 1 || len(v.dims) > 1 {
		return out, nil
	}
	ints := make([]size, max(len(a), len(b)))
	if len(a) == 0 || len(b) == 0 {
		return out, nil
	}
	for i := range ints {
		s, ok := compute(c.OpType, a[i%len(a)], b[i%len(b)])
		if !ok {
			return out, nil
		}
		ints[i] = s
	}
	v.ints = ints
	if !slices.ContainsFunc(ints, size.hasTime) {
		v.kind = invariant
	}
	return out, nil
}

func compute(op string, a, b size) (size, bool) {
	switch op {
	case "Add":
		return a.add(b)
	case "Sub":
		negative, ok := b.times(fixed(-1))
		if !ok {
			return size{}, false
		}
		return a.add(negative)
	case "Mul":
		return a.times(b)
	case "Div":
		return a.over(b)
	}
	_, isNumber := a.fixed()
	n, isOther := b.fixed()
	if isNumber && isOther || a == b { // Equal
		return truth(a == b), true
	}
	if isNumber {
		a, b = b, a
		n, isOther = b.fixed()
	}
	if isOther && n < 0 && a.plus == 0 && a.factor > 0 {
		return truth(false), true // a dimension is not negative
	}
	return size{}, false
}

func truth(b bool) size {
	if b {
		return one
	}
	return fixed(0)
}

func where(c *call) ([]value, error) {
	if len(c.in) != 3 {
		return nil, errShape
	}
	chosen, a, b := c.in[0].ints, c.in[1].ints, c.in[2].ints
	if chosen == nil || len(a) == 0 || len(b) == 0 || len(chosen) == 0 {
		return c.join(c.in...)
	}
	n := max(len(chosen), len(a), len(b))
	ints := make([]size, n)
	for i := range ints {
		ints[i] = b[i%len(b)]
		if chosen[i%len(chosen)] == one {
			ints[i] = a[i%len(a)]
		}
	}
	return []value{counts(ints, 1)}, nil
}

func tile(c *call) ([]value, error) {
	x, repeats := c.input(0), c.input(1).ints
	if x.dims == nil || len(repeats) != len(x.dims) {
		return nil, errShape
	}
	dims := slices.Clone(x.dims)
	out := x.like(dims, x.axis)
	for k, n := range repeats {
		d, ok := dims[k].times(n)
		switch {
		case n == one:
		case x.isTime(k):
			return nil, errMixes
		case !ok:
			return nil, errShape
		case n.hasTime():
			if n != stepCount || dims[k] != one || x.kind != invariant {
				return nil, errCombines
			}
			out.kind, out.axis, out.outer = perStep, k, one
		}
		dims[k] = d
	}
	return []value{out}, nil
}

// reshape treats each step alone if as many elements come before the time as did.
func reshape(c *call) ([]value, error) {
	x, target := c.input(0), c.input(1).ints
	if c.input(1).missing {
		target = numbers(c.Ints("shape"))
	}
	if target == nil || x.dims == nil {
		if x.kind == invariant && c.input(1).kind == invariant {
			return []value{{kind: invariant}}, nil
		}
		return nil, errShape
	}
	dims, err := c.targetDims(x, target)
	if err != nil {
		return nil, err
	}
	out, err := x.reshaped(dims)
	if err != nil {
		return nil, err
	}
	if len(dims) <= 1 && len(x.dims) <= 1 {
		out.ints = x.ints
	}
	return []value{out}, nil
}

// targetDims returns the dimensions that a Reshape asks for.
func (c *call) targetDims(x value, target []size) ([]size, error) {
	dims := slices.Clone(target)
	open := -1
	rest, ok := product(x.dims)
	for k, d := range dims {
		if d == fixed(0) && c.Int("allowzero", 0) == 0 {
			if k >= len(x.dims) {
				return nil, errShape
			}
			dims[k] = x.dims[k]
		}
		if d == fixed(-1) {
			open = k
			continue
		}
		if ok {
			if quotient, divides := rest.over(dims[k]); divides {
				rest = quotient
				continue
			}
			ok = false
		}
	}
	switch {
	case open >= 0 && ok:
		dims[open] = rest
	case open >= 0 && x.kind == perStep:
		return nil, errShape
	case open >= 0:
		dims[open] = c.fresh()
	}
	return dims, nil
}

// reshaped returns v in other dimensions.
func (v value) reshaped(dims []size) (value, error) {
	if v.kind != perStep {
		if slices.ContainsFunc(dims, size.hasTime) {
			return v, errCount
		}
		return v.like(dims, v.axis), nil
	}
	before, ok := product(append(slices.Clone(v.dims[:v.axis]), v.outer))
	axis := slices.IndexFunc(dims, size.hasTime)
	if !ok || axis < 0 {
		return v, errShape
	}
	prefix, ok := product(dims[:axis])
	if !ok {
		return v, errShape
	}
	outer, ok := before.over(prefix)
	if !ok {
		return v, errShape
	}
	if _, ok := dims[axis].over(stepCount); !ok {
		return v, errShape
	}
	if unit, ok := outer.times(stepCount); !ok {
		return v, errShape
	} else if _, ok := dims[axis].over(unit); !ok {
		return v, errShape
	}
	all, ok := product(v.dims)
	now, fine := product(dims)
	if !ok || !fine || all != now {
		return v, errShape
	}
	out := v.like(dims, axis)
	out.outer = outer
	return out, nil
}

func flatten(c *call) ([]value, error) {
	x := c.input(0)
	if x.dims == nil {
		return nil, errShape
	}
	axis := c.Int("axis", 1)
	if axis < 0 {
		axis += int64(len(x.dims))
	}
	if axis < 0 || axis > int64(len(x.dims)) {
		return nil, errShape
	}
	rows, ok := product(x.dims[:axis])
	columns, fine := product(x.dims[axis:])
	if !ok || !fine {
		return nil, errShape
	}
	out, err := x.reshaped([]size{rows, columns})
	return []value{out}, err
}

func squeeze(c *call) ([]value, error) {
	x := c.input(0)
	list, ok := c.list("axes", 1)
	if !ok || x.dims == nil {
		return nil, errShape
	}
	drop, err := axes(list, len(x.dims))
	if err != nil {
		return nil, err
	}
	if len(list) == 0 { // all dimensions of 1, which may be those that the file leaves open
		for k, d := range x.dims {
			if _, known := d.fixed(); !known {
				return nil, errShape
			}
			if d == one {
				drop = append(drop, k)
			}
		}
	}
	var dims []size
	axis := x.axis
	for k, d := range x.dims {
		switch {
		case !slices.Contains(drop, k):
			dims = append(dims, d)
		case x.isTime(k):
			return nil, errShape
		case k < x.axis:
			axis--
		}
	}
	out := x.like(append([]size{}, dims...), axis)
	out.ints = x.ints
	return []value{out}, nil
}

func unsqueeze(c *call) ([]value, error) {
	x := c.input(0)
	list, ok := c.list("axes", 1)
	if !ok || x.dims == nil || len(x.dims)+len(list) > maxRank {
		return nil, errShape
	}
	add, err := axes(list, len(x.dims)+len(list))
	if err != nil {
		return nil, err
	}
	dims := make([]size, 0, len(x.dims)+len(add))
	axis, from := x.axis, 0
	for k := range len(x.dims) + len(add) {
		switch {
		case slices.Contains(add, k):
			dims = append(dims, one)
			continue
		case from == len(x.dims): // an axis was there twice
			return nil, errShape
		case from == x.axis:
			axis = k
		}
		dims = append(dims, x.dims[from])
		from++
	}
	out := x.like(dims, axis)
	if len(dims) == 1 {
		out.ints = x.ints
	}
	return []value{out}, nil
}

func transpose(c *call) ([]value, error) {
	x := c.input(0)
	if x.dims == nil {
		return nil, errShape
	}
	perm := c.Ints("perm")
	if perm == nil {
		for k := range x.dims {
			perm = append(perm, int64(len(x.dims)-1-k))
		}
	}
	from, err := axes(numbers(perm), len(x.dims))
	if err != nil || len(from) != len(x.dims) {
		return nil, errShape
	}
	dims := make([]size, len(from))
	for k, at := range from {
		dims[k] = x.dims[at]
	}
	return []value{x.like(dims, slices.Index(from, x.axis))}, nil
}

func concat(c *call) ([]value, error) {
	if len(c.in) == 0 || c.in[0].dims == nil {
		return nil, errShape
	}
	rank := len(c.in[0].dims)
	axis, err := c.axis(1, rank)
	if err != nil {
		return nil, err
	}
	width, known := fixed(0), true
	var ints []size
	parts := make([]value, len(c.in))
	for i, v := range c.in {
		if len(v.dims) != rank {
			return nil, errShape
		}
		if v.isTime(axis) {
			return c.concatTime(axis)
		}
		var ok bool
		if width, ok = width.add(v.dims[axis]); !ok {
			width, known = fixed(0), false
		}
		parts[i] = v
		parts[i].dims = slices.Clone(v.dims)
		parts[i].dims[axis] = one
		ints = append(ints, v.ints...)
	}
	if n, ok := width.fixed(); rank == 1 && known && ok && int(n) == len(ints) {
		return []value{counts(ints, 1)}, nil
	}
	out, err := c.join(parts...)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(c.in, func(v value) bool { return v.kind == perStep }); i >= 0 {
		at := c.in[i].axis
		if slices.ContainsFunc(c.in, func(v value) bool { return !v.isTime(at) }) {
			return nil, errFixed
		}
	}
	if !known {
		width = c.fresh()
	}
	out[0].dims[axis] = width
	return out, nil
}

// concatTime is for a Concat along the time. It is right only where the other part is a
// state that holds earlier steps.
func (c *call) concatTime(axis int) ([]value, error) {
	last := c.in[len(c.in)-1]
	for _, v := range c.in {
		if v.isTime(axis) {
			last = v
		}
	}
	out := last.like(slices.Clone(last.dims), axis)
	if len(c.in) != 2 || !c.isState(0) || !c.in[1].isTime(axis) || !last.whole() || len(c.in[0].dims) != len(last.dims) {
		return []value{out}, errMixes
	}
	n, known := c.in[0].dims[axis].fixed()
	sum, ok := last.dims[axis].add(fixed(n))
	if !known || !ok {
		return []value{out}, errMixes
	}
	out.dims[axis], out.before = sum, n
	return []value{out}, nil
}

func split(c *call) ([]value, error) {
	x := c.input(0)
	if x.dims == nil {
		return nil, errShape
	}
	axis, err := c.axis(0, len(x.dims))
	if err != nil {
		return nil, err
	}
	if x.isTime(axis) {
		return nil, errSelects
	}
	if c.input(1).kind == counting {
		return nil, errCount
	}
	sizes, ok := c.list("split", 1)
	out := make([]value, len(c.Outputs))
	for i := range out {
		dims := slices.Clone(x.dims)
		n, known := dims[axis].fixed()
		switch {
		case ok && i < len(sizes):
			dims[axis] = sizes[i]
		case known && ok && n%int64(len(out)) == 0:
			dims[axis] = fixed(n / int64(len(out)))
		default:
			dims[axis] = c.fresh()
		}
		out[i] = x.like(dims, x.axis)
	}
	return out, nil
}

// far is more than any dimension, as exporters write for an end.
const far = int64(limit)

func slice(c *call) ([]value, error) {
	x := c.input(0)
	starts, ok := c.list("starts", 1)
	ends, fine := c.list("ends", 2)
	along, given := c.list("axes", 3)
	strides, known := c.list("steps", 4)
	if x.dims == nil || !ok || !fine || !given || !known || len(starts) != len(ends) {
		return nil, errShape
	}
	if len(along) == 0 {
		for k := range starts {
			along = append(along, fixed(int64(k)))
		}
	}
	list, err := axes(along, len(x.dims))
	if err != nil || len(list) != len(starts) {
		return nil, errShape
	}
	out := x.like(slices.Clone(x.dims), x.axis)
	out.ints = nil
	for i, axis := range list {
		stride := int64(1)
		if i < len(strides) {
			if stride, ok = strides[i].fixed(); !ok {
				return nil, errShape
			}
		}
		if x.isTime(axis) {
			if err := out.sliceTime(starts[i], ends[i], stride); err != nil {
				return []value{out}, err
			}
			continue
		}
		if c.counts(1, starts[i]) || c.counts(2, ends[i]) {
			return nil, errCount
		}
		out.dims[axis] = c.sliced(x.dims[axis], starts[i], ends[i], stride)
		if len(x.dims) == 1 && x.ints != nil {
			out = x.sliceInts(out, starts[i], ends[i], stride)
		}
	}
	return []value{out}, nil
}

// counts reports whether an element of that input depends on the number of steps.
func (c *call) counts(input int, s size) bool {
	_, known := s.fixed()
	return !known && c.input(input).kind == counting
}

// sliceTime makes v what a Slice takes of its steps, which must be all or the last.
func (v *value) sliceTime(start, end size, stride int64) error {
	from, known := start.fixed()
	to, ends := end.fixed()
	toEnd := ends && to >= far || end == stepCount
	last := known && from == -1 || start == size{1, stepCount.symbols, -1}
	switch {
	case stride < 0:
		return errReversed
	case stride == 1 && start == iteration && end == size{1, iteration.symbols, 1} && v.whole(): // the step of an iteration
		v.dims[v.axis], v.kind = one, invariant
		return nil
	case stride == 1 && known && from == 0 && (toEnd || v.dims[v.axis] == end):
		return nil
	case stride == 1 && known && from < 0 && from == -v.before && toEnd: // which is the state's next
		v.dims[v.axis], v.kind = fixed(v.before), lastStep
		return nil
	case stride > 0 && last && toEnd && v.whole():
		v.dims[v.axis], v.kind = one, lastStep
		return nil
	}
	return errSelects
}

// sliced returns the dimension of a Slice.
func (c *call) sliced(d, start, end size, stride int64) size {
	n, known := d.fixed()
	from, starts := start.fixed()
	to, ends := end.fixed()
	if !starts || !ends || stride == 0 {
		return c.fresh()
	}
	if from == 0 && to >= far && stride == 1 {
		return d
	}
	if !known {
		if from == -1 && to >= far && stride == 1 {
			return one
		}
		return c.fresh()
	}
	return fixed(int64(len(picks(n, from, to, stride))))
}

// picks returns the indices that a Slice takes of n.
func picks(n, from, to, stride int64) (list []int64) {
	clamp := func(at int64) int64 {
		if at < 0 {
			at += n
		}
		if stride < 0 {
			return min(max(at, -1), n-1)
		}
		return min(max(at, 0), n)
	}
	if stride < 0 && to < -n {
		to = -1 - n
	}
	start, end := clamp(from), clamp(to)
	for at := start; (stride > 0 && at < end || stride < 0 && at > end) && len(list) <= 1<<16; at += stride {
		list = append(list, at)
	}
	return list
}

func (v value) sliceInts(out value, start, end size, stride int64) value {
	from, starts := start.fixed()
	to, ends := end.fixed()
	if !starts || !ends || stride == 0 {
		return out
	}
	ints := []size{}
	for _, at := range picks(int64(len(v.ints)), from, to, stride) {
		ints = append(ints, v.ints[at])
	}
	return counts(ints, 1)
}

func gather(c *call) ([]value, error) {
	x, at := c.input(0), c.input(1)
	if x.dims == nil || at.dims == nil {
		return nil, errShape
	}
	axis, err := c.axis(0, len(x.dims))
	if err != nil {
		return nil, err
	}
	dims := slices.Concat(x.dims[:axis], at.dims, x.dims[axis+1:])
	switch {
	case x.isTime(axis):
		return x.gatherTime(at, dims)
	case x.ints != nil && at.ints != nil && len(at.dims) <= 1:
		return x.gatherInts(at)
	case x.kind == perStep && at.kind != invariant || x.kind == lastStep && at.kind == perStep:
		return nil, errMixes
	case at.kind == counting && x.kind != invariant || x.kind == counting && at.kind > counting:
		return nil, errCount
	case at.kind == perStep: // an embedding of each step
		return []value{{kind: perStep, type_: x.type_, dims: dims, axis: axis + at.axis, outer: at.outer}}, nil
	case x.kind == perStep && x.axis > axis:
		return []value{x.like(dims, x.axis+len(at.dims)-1)}, nil
	}
	out := x.like(dims, x.axis)
	out.kind = max(x.kind, at.kind)
	return []value{out}, nil
}

// gatherTime takes the last step.
func (v value) gatherTime(at value, dims []size) ([]value, error) {
	if len(at.ints) != 1 || !v.whole() || at.ints[0] != fixed(-1) && at.ints[0] != (size{1, stepCount.symbols, -1}) && at.ints[0] != iteration {
		if len(at.ints) > 1 {
			return []value{v}, errReversed
		}
		return nil, errSelects
	}
	out := v.like(dims, 0)
	if out.kind = lastStep; at.ints[0] == iteration {
		out.kind = invariant // each iteration has its own
	}
	return []value{out}, nil
}

func (v value) gatherInts(at value) ([]value, error) {
	ints := make([]size, len(at.ints))
	for i, s := range at.ints {
		k, ok := s.fixed()
		if k < 0 {
			k += int64(len(v.ints))
		}
		if !ok || k < 0 || k >= int64(len(v.ints)) {
			return nil, errShape
		}
		ints[i] = v.ints[k]
	}
	return []value{counts(ints, len(at.dims))}, nil
}

func oneHot(c *call) ([]value, error) {
	x, depth := c.input(0), c.input(1)
	if x.dims == nil || depth.kind != invariant || c.input(2).kind != invariant {
		return nil, errShape
	}
	at, err := c.axis(-1, len(x.dims)+1)
	if err != nil {
		return nil, err
	}
	width := c.fresh()
	if len(depth.ints) == 1 {
		width = depth.ints[0]
	}
	axis := x.axis
	if at <= axis {
		axis++
	}
	out := x.like(slices.Insert(slices.Clone(x.dims), at, width), axis)
	out.type_ = c.input(2).type_
	return []value{out}, nil
}

func pad(c *call) ([]value, error) {
	x := c.input(0)
	pads, ok := c.list("pads", 1)
	along, known := c.list("axes", 3)
	switch {
	case x.dims == nil || !known:
		return nil, errShape
	case !ok || len(pads) == 0 || len(pads)%2 != 0:
		return []value{x}, errPadded
	}
	if len(along) == 0 {
		for k := range len(pads) / 2 {
			along = append(along, fixed(int64(k)))
		}
	}
	list, err := axes(along, len(x.dims))
	if err != nil || len(list) != len(pads)/2 {
		return nil, errShape
	}
	out := x.like(slices.Clone(x.dims), x.axis)
	var reason error
	for i, axis := range list {
		if c.counts(1, pads[i]) || c.counts(1, pads[i+len(list)]) {
			return nil, errCount
		}
		sum, ok := pads[i].add(pads[i+len(list)])
		if ok {
			sum, ok = sum.add(out.dims[axis])
		}
		if x.isTime(axis) && (pads[i] != fixed(0) || pads[i+len(list)] != fixed(0)) {
			if reason = errPadded; !ok {
				return nil, reason
			}
		}
		if !ok {
			sum = c.fresh()
		}
		out.dims[axis] = sum
	}
	return []value{out}, reason
}
