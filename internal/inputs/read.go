package inputs

import (
	"math"
	"slices"
	"strings"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// reader follows a graph back from its recurrent nodes to its inputs. A subgraph has
// a reader of its own, which passes the values it captures on to the outer reader.
type reader struct {
	*onnxgraph.Scope
	outer   *reader
	initial map[string]string // the initial value of each variable of a Loop or a Scan

	layouts map[string][]string // of the inputs reached, without duplicates
	states  map[string]bool
	seen    map[string]bool
}

// newReader returns a reader that has followed the graph of m.
func newReader(m *onnxgraph.Model) *reader {
	r := &reader{Scope: onnxgraph.NewScope(&m.Graph), layouts: map[string][]string{}, states: map[string]bool{}, seen: map[string]bool{}}
	r.recurrent()
	for _, pair := range onnxgraph.StatePairs(m) {
		r.states[pair.Input] = true
	}
	r.convolutions()
	return r
}

// recurrent follows the inputs of all recurrent nodes, including those in subgraphs.
func (r *reader) recurrent() {
	r.each(func(r *reader, n *onnxgraph.Node) {
		if !n.Is(onnxgraph.Recurrent | onnxgraph.QuantizedRecurrent) {
			return
		}
		x, state := "tbf", "fbf"
		if _, time := n.RecurrentAxes(); time == 1 {
			x, state = "btf", "bff"
		}
		r.follow(n, onnxgraph.RecurrentX, x, false)
		r.follow(n, onnxgraph.RecurrentLengths, "b", false)
		r.follow(n, onnxgraph.RecurrentH, state, true)
		r.follow(n, onnxgraph.RecurrentC, state, true)
	})
}

// convolutions follows the inputs of convolutions over one dimension, which is the
// time. Keras adds a second dimension of size 1.
func (r *reader) convolutions() {
	r.each(func(r *reader, n *onnxgraph.Node) {
		if n.OpType != "Conv" || len(n.Inputs) < 2 {
			return
		}
		switch kernel := r.tensor(n.Inputs[1]).Shape; {
		case len(kernel) == 3:
			r.convolution(n, "bft", false)
		case len(kernel) == 4 && kernel[2] == 1 && kernel[3] > 1:
			r.convolution(n, "bfft", false)
		case len(kernel) == 4 && kernel[2] > 1 && kernel[3] == 1:
			r.convolution(n, "bftf", false)
		}
	})
}

// convolution follows the input of a Conv. For a single channel tf2onnx writes a
// Reshape in place of the Transpose that moves the channel to the front.
func (r *reader) convolution(n *onnxgraph.Node, layout string, state bool) {
	p, kernel := r.Producer(n.Inputs[0]), r.tensor(n.Inputs[1]).Shape
	one := len(kernel) == len(layout) && len(kernel) > 2 && kernel[1] == 1 && n.Int("group", 1) == 1
	if one && p != nil && p.OpType == "Reshape" && !r.seen[n.Inputs[0]] {
		r.seen[n.Inputs[0]] = true
		r.follow(p, 0, layout[:1]+layout[2:]+layout[1:2], state)
		return
	}
	r.follow(n, 0, layout, state)
}

// each calls f with every node and the reader of its graph.
func (r *reader) each(f func(r *reader, n *onnxgraph.Node)) {
	for i := range r.Graph.Nodes {
		n := &r.Graph.Nodes[i]
		f(r, n)
		for _, g := range n.Subgraphs() {
			r.within(n, g).each(f)
		}
	}
}

// within returns a reader of a subgraph of n.
func (r *reader) within(n *onnxgraph.Node, g *onnxgraph.Graph) *reader {
	inner := &reader{Scope: r.Inner(g), outer: r, initial: map[string]string{}, layouts: r.layouts, states: r.states, seen: map[string]bool{}}
	begin, end := 0, 0 // the range of inputs that are variables
	switch n.OpType {
	case "Loop":
		begin, end = 2, len(g.Inputs)
	case "Scan":
		count := n.Int("num_scan_inputs", 0)
		end = len(g.Inputs) - int(max(0, min(count, int64(len(g.Inputs)))))
	}
	for i := begin; i < min(end, len(n.Inputs)); i++ {
		inner.initial[g.Inputs[i].Name] = n.Inputs[i]
	}
	return inner
}

// tensor returns the constant of that name, or an empty tensor.
func (r *reader) tensor(name string) onnxgraph.Tensor {
	t, _ := r.Constant(name)
	return t
}

func (r *reader) isConstant(name string) bool {
	_, ok := r.Constant(name)
	return ok
}

// follow traces an input of a node, which has the given layout, back to the inputs of
// the graph.
func (r *reader) follow(n *onnxgraph.Node, input int, layout string, state bool) {
	if input < len(n.Inputs) {
		r.value(n.Inputs[input], layout, state)
	}
}

// value traces a value of the given layout back to the inputs of the graph.
func (r *reader) value(name, layout string, state bool) {
	p := r.Producer(name)
	initial, isVariable := r.initial[name]
	switch {
	case name == "" || p == nil && r.isConstant(name) || p != nil && p.OpType == "Constant":
	case p == nil && r.outer == nil:
		r.states[name] = r.states[name] || state
		if !slices.Contains(r.layouts[name], layout) {
			r.layouts[name] = append(r.layouts[name], layout)
		}
	case r.seen[name]:
	case isVariable:
		r.seen[name] = true
		r.outer.value(initial, layout, state)
	case p == nil:
		r.outer.value(name, layout, state)
	default:
		r.seen[name] = true
		r.back(p, layout, state)
	}
}

// back follows the inputs of a node whose output has the given layout.
func (r *reader) back(p *onnxgraph.Node, layout string, state bool) {
	switch p.OpType {
	case "Transpose":
		if before, ok := untranspose(layout, p.Ints("perm")); ok {
			r.follow(p, 0, before, state)
		}
	case "Squeeze":
		if axes, ok := r.axes(p, 1); ok {
			r.follow(p, 0, insert(layout, axes), state)
		}
	case "Unsqueeze":
		if axes, ok := r.axes(p, 1); ok {
			r.follow(p, 0, remove(layout, axes), state)
		}
	case "Gather":
		r.gather(p, layout, state)
	case "MatMul", "MatMulInteger":
		if len(layout) > 0 {
			r.follow(p, 0, layout[:len(layout)-1]+string(Other), state)
		}
	case "Conv":
		if len(p.Inputs) > 1 {
			r.convolution(p, layout, state)
		}
	case "Slice", "Identity", "Cast", "Split", "Pad", "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear":
		r.follow(p, 0, layout, state)
	case "Dropout", "MaxPool", "AveragePool", "BatchNormalization", "LayerNormalization", "InstanceNormalization", "GroupNormalization", "Concat", "Reshape":
		r.followAll(p, layout, state)
	default:
		switch {
		case p.Is(onnxgraph.Unary): // the second input of CastLike gives only the type
			r.follow(p, 0, layout, state)
		case p.Is(onnxgraph.Elementwise):
			r.followAll(p, layout, state)
		}
	}
}

// untranspose returns the layout before a Transpose. It reports false unless perm is
// a permutation of the dimensions.
func untranspose(layout string, perm []int64) (before string, ok bool) {
	if len(perm) != len(layout) {
		return "", false
	}
	letters := make([]byte, len(layout))
	for i, from := range perm {
		if from < 0 || from >= int64(len(layout)) {
			return "", false
		}
		letters[from] = layout[i]
	}
	return string(letters), true
}

// gather follows the input of a Gather that is an embedding or picks one index of a
// dimension.
func (r *reader) gather(p *onnxgraph.Node, layout string, state bool) {
	at := p.Int("axis", 0)
	switch {
	case len(p.Inputs) != 2:
	case r.isConstant(p.Inputs[0]):
		if at == 0 && len(layout) > 0 {
			r.follow(p, 1, layout[:len(layout)-1], state)
		}
	case len(r.tensor(p.Inputs[1]).Shape) == 0:
		r.follow(p, 0, insert(layout, []int64{at}), state)
	}
}

// followAll follows all inputs of a node as values of the given layout.
func (r *reader) followAll(n *onnxgraph.Node, layout string, state bool) {
	for i := range n.Inputs {
		r.follow(n, i, layout, state)
	}
}

// axes returns the axes of a Squeeze or Unsqueeze: an input, or before opset 13 an
// attribute.
func (r *reader) axes(n *onnxgraph.Node, input int) (axes []int64, ok bool) {
	if input < len(n.Inputs) {
		axes, ok = r.tensor(n.Inputs[input]).Data.([]int64)
		return axes, ok
	}
	axes = n.Ints("axes")
	return axes, axes != nil
}

// insert returns the layout before a Squeeze with the given axes.
func insert(layout string, axes []int64) string {
	rank := len(layout) + len(axes)
	if rank > 16 {
		return layout
	}
	rest := strings.NewReader(layout)
	var all []byte
	for i := range rank {
		if slices.Contains(axes, int64(i)) || slices.Contains(axes, int64(i-rank)) {
			all = append(all, Other)
			continue
		}
		letter, err := rest.ReadByte()
		if err != nil {
			return layout
		}
		all = append(all, letter)
	}
	return string(all)
}

// remove returns the layout before an Unsqueeze with the given axes.
func remove(layout string, axes []int64) string {
	var left []byte
	for i := range len(layout) {
		if !slices.Contains(axes, int64(i)) && !slices.Contains(axes, int64(i-len(layout))) {
			left = append(left, layout[i])
		}
	}
	return string(left)
}

// limit returns the exclusive upper bound of an integer input: the number of rows of
// the table that it indexes, or 0 if it indexes none.
func (r *reader) limit(name string) int64 {
	limit := int64(math.MaxInt64)
	reached := map[string]bool{name: true}
	for _, n := range r.Graph.Nodes {
		if len(n.Inputs) == 0 || len(n.Outputs) == 0 {
			continue
		}
		switch {
		case n.OpType == "Gather" && len(n.Inputs) == 2 && reached[n.Inputs[1]]:
			at := n.Int("axis", 0)
			if shape := r.tensor(n.Inputs[0]).Shape; at >= 0 && at < int64(len(shape)) && shape[at] > 0 {
				limit = min(limit, int64(shape[at]))
			}
		case reached[n.Inputs[0]] && (n.Is(onnxgraph.Reshapes) || n.IsOp("Transpose")):
			reached[n.Outputs[0]] = true
		}
	}
	if limit == math.MaxInt64 {
		return 0
	}
	return limit
}
