package repair

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// mend changes the first constant that hard-codes a batch or a time. It returns a
// description of the change, or "" for none. It returns an error if a node fails at
// another batch or time for any other reason.
func (r *repairer) mend(ctx context.Context, t *trace) (string, error) {
	for i := range t.graph.Nodes {
		n := &t.graph.Nodes[i]
		change, err := r.mendNode(ctx, t, i)
		if err != nil {
			return "", fmt.Errorf("%s: %w", describe(i, n), err)
		}
		if change != "" {
			return fmt.Sprintf("%s: %s", describe(i, n), change), nil
		}
		if i == t.failed {
			return "", fmt.Errorf("no constant was found whose change lets it run %w", t.err)
		}
	}
	return "", nil
}

func (r *repairer) mendNode(ctx context.Context, t *trace, i int) (string, error) {
	switch n := &t.graph.Nodes[i]; n.OpType {
	case "Reshape":
		return r.mendReshape(ctx, t, i), nil
	case "Expand":
		return r.mendExpand(ctx, t, i), nil
	case "LSTM", "GRU", "RNN":
		return r.mendRecurrent(ctx, t, i)
	case "Slice":
		return r.mendSlice(ctx, t, i), nil
	case "Gather":
		return r.mendGather(ctx, t, i), nil
	case "Concat":
		return r.mendConcat(ctx, t, i), nil
	case "Add", "Sub", "Mul", "Div", "Pow", "Min", "Max", "Where", "PRelu", "Equal", "Less", "Greater", "And", "Or", "MatMul":
		return r.mendOperands(ctx, t, i), nil
	}
	return "", nil
}

// source is a dimension of a value that gives a size at run time.
type source struct {
	size
	value string
	axis  int
}

// sources returns a source for each size that is symbolic before node i.
func (t *trace) sources(i int) []source {
	var list []source
	add := func(name string) {
		for axis, s := range t.shapes[name] {
			if !s.isFixed() && !slices.ContainsFunc(list, func(known source) bool { return known.size == s }) {
				list = append(list, source{s, name, axis})
			}
		}
	}
	for _, v := range t.graph.Inputs {
		add(v.Name)
	}
	for _, n := range t.graph.Nodes[:i] {
		for _, name := range named(n.Outputs) {
			add(name)
		}
	}
	return list
}

// mendReshape gives a constant target its likeliest meaning. It keeps the other
// meanings to try if the first leads to no repair.
func (r *repairer) mendReshape(ctx context.Context, t *trace, i int) string {
	n := &t.graph.Nodes[i]
	if len(n.Inputs) != 2 || r.settled[n.Outputs[0]] {
		return ""
	}
	target, _ := t.constant(ctx, n.Inputs[1])
	dims, ok := target.Data.([]int64)
	in, out := t.shapes[n.Inputs[0]], t.dims[0][n.Outputs[0]]
	if !ok || in == nil || out == nil {
		return ""
	}
	sources := t.sources(i)
	var known []size
	for _, s := range sources {
		known = append(known, s.size)
	}
	ways := align(in, out, r.sizes, known)
	now := t.shapes[n.Outputs[0]]
	r.settled[n.Outputs[0]] = true
	if len(ways) == 0 {
		return ""
	}
	for _, w := range slices.Backward(ways[1:]) {
		other := r.clone()
		if change := other.reshape(i, dims, w.sizes, now, in, sources); change != "" {
			other.changes = append(other.changes, fmt.Sprintf("%s: %s", describe(i, n), change))
		}
		r.others = append(r.others, other)
	}
	return r.reshape(i, dims, ways[0].sizes, now, in, sources)
}

// reshape makes a Reshape of in produce want. It returns the change, or "" if there
// is nothing to change.
func (r *repairer) reshape(i int, dims []int64, want, now, in []size, sources []source) string {
	if slices.Equal(want, now) {
		return ""
	}
	shape, nodes, ok := r.target(want, in, sources)
	if !ok {
		return ""
	}
	node := r.model.Graph.Nodes[i]
	node.Inputs = []string{node.Inputs[0], shape}
	node.Attributes = slices.DeleteFunc(slices.Clone(node.Attributes), func(a onnxgraph.Attribute) bool { return a.Name == "allowzero" })
	r.replace(i, append(nodes, node)...)
	return fmt.Sprintf("the target %v is %s", dims, r.texts(want))
}

// target returns the name of a shape that turns in into want, and the nodes that
// compute it. It writes 0 for a size that stays in place, and -1 for at most one
// size.
func (r *repairer) target(want, in []size, sources []source) (string, []onnxgraph.Node, bool) {
	var parts []part
	inferred := false
	for i, s := range want {
		switch {
		case s.isFixed():
			parts = append(parts, part{size: s[0]})
		case i < len(in) && in[i] == s:
			parts = append(parts, part{size: 0})
		case !inferred:
			inferred = true
			parts = append(parts, part{size: -1})
		default:
			at := slices.IndexFunc(sources, func(known source) bool { return known.size == s })
			if at < 0 {
				return "", nil, false
			}
			parts = append(parts, part{value: sources[at].value, axis: sources[at].axis})
		}
	}
	name, nodes := r.shape(parts)
	return name, nodes, true
}

// part is an element of a shape: a number, or the size of a dimension of a value.
type part struct {
	size  int
	value string
	axis  int
}

// shape returns the name of a tensor of those dimensions, and the nodes that compute
// it unless it is constant.
func (r *repairer) shape(parts []part) (string, []onnxgraph.Node) {
	var nodes []onnxgraph.Node
	var pieces []string
	var numbers []int64
	flush := func() {
		if len(numbers) > 0 {
			pieces = append(pieces, r.constant([]int{len(numbers)}, numbers))
			numbers = nil
		}
	}
	for _, p := range parts {
		if p.value == "" {
			numbers = append(numbers, int64(p.size))
			continue
		}
		flush()
		all, one := r.name(), r.name()
		nodes = append(nodes,
			onnxgraph.Node{OpType: "Shape", Inputs: []string{p.value}, Outputs: []string{all}},
			onnxgraph.Node{OpType: "Gather", Inputs: []string{all, r.constant([]int{1}, []int64{int64(p.axis)})}, Outputs: []string{one}})
		pieces = append(pieces, one)
	}
	flush()
	if len(pieces) == 1 {
		return pieces[0], nodes
	}
	joined := r.name()
	return joined, append(nodes, onnxgraph.Node{OpType: "Concat", Inputs: pieces, Outputs: []string{joined}, Attributes: []onnxgraph.Attribute{{Name: "axis", Value: int64(0)}}})
}

// name returns an unused value name.
func (r *repairer) name() string {
	for i := len(r.used); ; i++ {
		name := fmt.Sprintf("repaired_%d", i)
		if !r.used[name] {
			r.used[name] = true
			return name
		}
	}
}

// constant adds an initializer and returns its name.
func (r *repairer) constant(shape []int, data any) string {
	name := r.name()
	r.model.Graph.Initializers = append(r.model.Graph.Initializers, onnxgraph.Tensor{Name: name, Tensor: tensor.Tensor{Shape: shape, Data: data}})
	return name
}

// replace replaces node i by nodes.
func (r *repairer) replace(i int, nodes ...onnxgraph.Node) {
	r.model.Graph.Nodes = slices.Replace(slices.Clone(r.model.Graph.Nodes), i, i+1, nodes...)
}

// setInput makes node i read another value.
func (r *repairer) setInput(i, input int, name string, before ...onnxgraph.Node) {
	n := r.model.Graph.Nodes[i]
	n.Inputs = slices.Clone(n.Inputs)
	n.Inputs[input] = name
	r.replace(i, append(before, n)...)
}

// mendRecurrent gives constant lengths and initial states the batch of X.
func (r *repairer) mendRecurrent(ctx context.Context, t *trace, i int) (string, error) {
	n := &t.graph.Nodes[i]
	batch, _ := n.RecurrentAxes()
	x := t.shapes[n.Inputs[0]]
	if len(x) != 3 {
		return "", nil
	}
	for input := 4; input < min(len(n.Inputs), 7); input++ {
		what, axis := []string{"sequence_lens", "initial_h", "initial_c"}[input-4], batch
		if input == 4 {
			axis = 0
		}
		value, ok := t.constant(ctx, n.Inputs[input])
		if !ok || axis >= len(value.Shape) || fixed(value.Shape[axis]) == x[batch] {
			continue
		}
		if input > 4 && isZero(value) {
			r.setInput(i, input, "")
			return fmt.Sprintf("%s of zeros for a batch of %d is the default", what, value.Shape[axis]), nil
		}
		one, same := firstRow(value, axis)
		if !same {
			return "", fmt.Errorf("the constant %s has other values in each row of its batch, which is %d", what, value.Shape[axis])
		}
		parts := make([]part, len(value.Shape))
		for k, d := range value.Shape {
			parts[k] = part{size: d}
		}
		parts[axis] = part{value: n.Inputs[0], axis: batch}
		shape, nodes := r.shape(parts)
		wide := r.name()
		nodes = append(nodes, onnxgraph.Node{OpType: "Expand", Inputs: []string{r.constant(one.Shape, one.Data), shape}, Outputs: []string{wide}})
		r.setInput(i, input, wide, nodes...)
		return fmt.Sprintf("the constant %s for a batch of %d is widened", what, value.Shape[axis]), nil
	}
	return "", nil
}

// mendExpand removes a hard-coded size from an Expand. It keeps one of the equal rows
// of constant data, or drops a target size that broadcasts nothing.
func (r *repairer) mendExpand(ctx context.Context, t *trace, i int) string {
	n := &t.graph.Nodes[i]
	if i != t.failed || len(n.Inputs) != 2 {
		return ""
	}
	if data, ok := t.constant(ctx, n.Inputs[0]); ok {
		for axis, d := range data.Shape {
			if one, same := firstRow(data, axis); same && d > 1 && r.mayVary(d) {
				r.setInput(i, 0, r.constant(one.Shape, one.Data))
				return fmt.Sprintf("of its data, the same %d times along dimension %d, one is widened", d, axis)
			}
		}
		return ""
	}
	target, _ := t.constant(ctx, n.Inputs[1])
	dims, ok := target.Data.([]int64)
	in := t.shapes[n.Inputs[0]]
	if !ok || len(in) > len(dims) {
		return ""
	}
	open := slices.Clone(dims)
	for k, s := range in {
		if at := len(dims) - len(in) + k; !s.isFixed() && int64(s[0]) == dims[at] {
			open[at] = 1
		}
	}
	if slices.Equal(open, dims) {
		return ""
	}
	r.setInput(i, 1, r.constant([]int{len(open)}, open))
	return fmt.Sprintf("the target %v is %v, which keeps the sizes of its data", dims, open)
}

// mayVary reports whether a size is a multiple of the example's batch or time.
func (r *repairer) mayVary(d int) bool {
	return d%r.sizes.batch[0] == 0 || d%r.sizes.time[0] == 0
}

// mendOperands keeps one row of a constant operand whose rows are equal. It also
// reads an operand before the Expand that broadcast it to a hard-coded size. The
// operator broadcasts both.
func (r *repairer) mendOperands(ctx context.Context, t *trace, i int) string {
	n := &t.graph.Nodes[i]
	if i != t.failed {
		return ""
	}
	out := t.dims[0][n.Outputs[0]]
	for input, name := range n.Inputs {
		full := slices.ContainsFunc(n.Inputs, func(other string) bool { return other != name && slices.Equal(t.dims[0][other], out) })
		producer := slices.IndexFunc(t.graph.Nodes[:i], func(p onnxgraph.Node) bool { return p.OpType == "Expand" && slices.Contains(p.Outputs, name) })
		if full && producer >= 0 && n.OpType != "MatMul" && n.OpType != "PRelu" {
			r.setInput(i, input, t.graph.Nodes[producer].Inputs[0])
			return fmt.Sprintf("an operand that was expanded to %v is widened to the other", t.dims[0][name])
		}
		value, ok := t.constant(ctx, name)
		if !ok {
			continue
		}
		axes := len(value.Shape)
		if n.OpType == "MatMul" {
			axes -= 2 // the matrix dimensions stay
		}
		for axis := range max(axes, 0) {
			d := value.Shape[axis]
			if one, same := firstRow(value, axis); same && d > 1 && (d == r.sizes.batch[0] || d == r.sizes.time[0] || full && r.mayVary(d)) {
				r.setInput(i, input, r.constant(one.Shape, one.Data))
				return fmt.Sprintf("of its constant operand, the same %d times along dimension %d, one is left", d, axis)
			}
		}
	}
	return ""
}

// mendConcat expands constants to the batch or time of the other inputs.
func (r *repairer) mendConcat(ctx context.Context, t *trace, i int) string {
	n := &t.graph.Nodes[i]
	at, _ := n.Attribute("axis")
	joined, _ := at.(int64)
	var other string
	for _, name := range n.Inputs {
		if !t.constants[name] {
			other = name
		}
	}
	want := t.shapes[other]
	if joined < 0 {
		joined += int64(len(want))
	}
	for input, name := range n.Inputs {
		value, ok := t.constant(ctx, name)
		if !ok || len(value.Shape) != len(want) {
			continue
		}
		for axis, d := range value.Shape {
			one, same := firstRow(value, axis)
			if int64(axis) == joined || want[axis] == fixed(d) || !same {
				continue
			}
			parts := make([]part, len(value.Shape))
			for k := range parts {
				parts[k] = part{size: value.Shape[k]}
			}
			parts[axis] = part{value: other, axis: axis}
			shape, nodes := r.shape(parts)
			wide := r.name()
			nodes = append(nodes, onnxgraph.Node{OpType: "Expand", Inputs: []string{r.constant(one.Shape, one.Data), shape}, Outputs: []string{wide}})
			r.setInput(i, input, wide, nodes...)
			return fmt.Sprintf("its constant operand of %d is widened to %s", d, r.text(want[axis]))
		}
	}
	return ""
}

// mendSlice replaces a bound that is the size of the example or the index of its last
// step.
func (r *repairer) mendSlice(ctx context.Context, t *trace, i int) string {
	n := &t.graph.Nodes[i]
	if len(n.Inputs) < 3 {
		return ""
	}
	in, out := t.shapes[n.Inputs[0]], t.dims[0][n.Outputs[0]]
	starts, ends, axes, ok := r.bounds(ctx, t, n)
	if !ok || in == nil || len(out) != len(in) {
		return ""
	}
	for k, axis := range axes {
		if axis < 0 {
			axis += int64(len(in))
		}
		if axis < 0 || axis >= int64(len(in)) || in[axis].isFixed() || r.example == 0 && moves(in[axis]) {
			continue
		}
		length := int64(in[axis][0])
		switch {
		case starts[k] == 0 && ends[k] == length && in[axis] != fixed(int(length)):
			ends = slices.Clone(ends)
			ends[k] = math.MaxInt64
			r.setInput(i, 2, r.constant([]int{len(ends)}, ends))
			return fmt.Sprintf("the end %d of dimension %d is the end of the data", length, axis)
		case length > 2 && starts[k] == length-1 && ends[k] >= length:
			starts, ends = slices.Clone(starts), slices.Clone(ends)
			starts[k], ends[k] = -1, math.MaxInt64
			r.setInput(i, 1, r.constant([]int{len(starts)}, starts))
			r.setInput(i, 2, r.constant([]int{len(ends)}, ends))
			return fmt.Sprintf("the start %d of dimension %d is the last", length-1, axis)
		}
	}
	return ""
}

// bounds returns the bounds of a Slice if they are constant and its steps are 1.
func (r *repairer) bounds(ctx context.Context, t *trace, n *onnxgraph.Node) (starts, ends, axes []int64, ok bool) {
	var lists [5][]int64
	for k := 1; k < min(len(n.Inputs), 5); k++ {
		value, _ := t.constant(ctx, n.Inputs[k])
		switch data := value.Data.(type) {
		case []int64:
			lists[k] = data
		case []int32:
			for _, v := range data {
				lists[k] = append(lists[k], int64(v))
			}
		default:
			if n.Inputs[k] != "" {
				return nil, nil, nil, false
			}
		}
	}
	starts, ends, axes = lists[1], lists[2], lists[3]
	if axes == nil {
		for k := range starts {
			axes = append(axes, int64(k))
		}
	}
	ok = len(starts) == len(ends) && len(axes) == len(starts) && !slices.ContainsFunc(lists[4], func(step int64) bool { return step != 1 })
	return starts, ends, axes, ok
}

// mendGather replaces the index of the last step by -1.
func (r *repairer) mendGather(ctx context.Context, t *trace, i int) string {
	n := &t.graph.Nodes[i]
	if len(n.Inputs) != 2 {
		return ""
	}
	value, _ := t.constant(ctx, n.Inputs[1])
	index, ok := value.Data.([]int64)
	in := t.shapes[n.Inputs[0]]
	at, _ := n.Attribute("axis")
	axis, _ := at.(int64)
	if axis < 0 {
		axis += int64(len(in))
	}
	if !ok || len(index) != 1 || axis < 0 || axis >= int64(len(in)) || in[axis].isFixed() {
		return ""
	}
	if last := int64(in[axis][0]) - 1; last < 2 || r.example == 0 && moves(in[axis]) || index[0] != last { // of two steps it may be the middle
		return ""
	}
	r.setInput(i, 1, r.constant(value.Shape, []int64{-1}))
	return fmt.Sprintf("the index %d of dimension %d is the last", index[0], axis)
}

// isZero reports whether all elements are zero.
func isZero(t onnxgraph.Tensor) bool {
	data, ok := t.Data.([]float32)
	return ok && !slices.ContainsFunc(data, func(v float32) bool { return v != 0 })
}

// firstRow returns the first row of t along an axis, and whether all rows are equal.
func firstRow(t onnxgraph.Tensor, axis int) (onnxgraph.Tensor, bool) {
	switch data := t.Data.(type) {
	case []float32:
		return firstRowOf(t.Shape, data, axis)
	case []float64:
		return firstRowOf(t.Shape, data, axis)
	case []int64:
		return firstRowOf(t.Shape, data, axis)
	case []int32:
		return firstRowOf(t.Shape, data, axis)
	case []uint8:
		return firstRowOf(t.Shape, data, axis)
	case []bool:
		return firstRowOf(t.Shape, data, axis)
	}
	return t, false
}

func firstRowOf[T comparable](shape []int, data []T, axis int) (onnxgraph.Tensor, bool) {
	rows, width := shape[axis], 1
	for _, d := range shape[axis+1:] {
		width *= d
	}
	var first []T
	for outer := 0; rows*width > 0 && outer < len(data); outer += rows * width {
		row := data[outer:][:width]
		for k := range rows {
			if !slices.Equal(data[outer+k*width:][:width], row) {
				return onnxgraph.Tensor{}, false
			}
		}
		first = append(first, row...)
	}
	shape = slices.Clone(shape)
	shape[axis] = min(shape[axis], 1)
	return onnxgraph.Tensor{Tensor: tensor.Tensor{Shape: shape, Data: first}}, true
}
