package inputs

import (
	"math"
	"slices"
	"strings"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// reader follows a graph back from its recurrent nodes to its inputs. A graph
// within a node has a reader of its own, which hands what that graph does not
// compute to the one around.
type reader struct {
	*onnxgraph.Scope
	outer   *reader
	initial map[string]string // the value that a variable of a Loop or a Scan starts from

	layouts map[string][]string // of inputs that were reached, each once
	states  map[string]bool
	seen    map[string]bool
}

// newReader returns a reader of m, which has followed it.
func newReader(m *onnxgraph.Model) *reader {
	r := &reader{Scope: onnxgraph.NewScope(&m.Graph), layouts: map[string][]string{}, states: map[string]bool{}, seen: map[string]bool{}}
	r.recurrent()
	for _, pair := range onnxgraph.StatePairs(m) {
		r.states[pair.Input] = true
	}
	r.convolutions()
	return r
}

// recurrent follows the inputs of all recurrent nodes, those in graphs within
// nodes too.
func (r *reader) recurrent() {
	r.each(func(r *reader, n *onnxgraph.Node) {
		if !n.Is(onnxgraph.Recurrent) && n.OpType != "DynamicQuantizeLSTM" {
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

// convolutions follows what convolutions over one dimension read, as that is
// the time; Keras has another one of size 1 beside it.
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

// convolution goes back from what a Conv reads. A Reshape before one of a single
// channel stands for the Transpose that moves it from the end, as tf2onnx writes.
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

// each calls f with every node, and with the reader of its graph.
func (r *reader) each(f func(r *reader, n *onnxgraph.Node)) {
	for i := range r.Graph.Nodes {
		n := &r.Graph.Nodes[i]
		f(r, n)
		for _, g := range n.Subgraphs() {
			r.within(n, g).each(f)
		}
	}
}

// within returns a reader of a graph within a node.
func (r *reader) within(n *onnxgraph.Node, g *onnxgraph.Graph) *reader {
	inner := &reader{Scope: r.Inner(g), outer: r, initial: map[string]string{}, layouts: r.layouts, states: r.states, seen: map[string]bool{}}
	begin, end := 0, 0 // of the inputs that are variables
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

// tensor returns the constant of that name, an empty one if there is none.
func (r *reader) tensor(name string) onnxgraph.Tensor {
	t, _ := r.Constant(name)
	return t
}

func (r *reader) isConstant(name string) bool {
	_, ok := r.Constant(name)
	return ok
}

// follow goes back from an input of a node, which has that layout, to the
// inputs of the graph.
func (r *reader) follow(n *onnxgraph.Node, input int, layout string, state bool) {
	if input < len(n.Inputs) {
		r.value(n.Inputs[input], layout, state)
	}
}

// value goes back from a value of that layout.
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

// back goes back from the output of a node, which has that layout.
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
		if p.Is(onnxgraph.Elementwise) {
			r.followAll(p, layout, state)
		}
	}
}

// untranspose returns the layout before a Transpose. It is not ok if perm is no order of
// as many dimensions.
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

// gather goes back from a Gather: an embedding, or one element of a dimension.
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

// followAll goes back from all inputs of a node, as from one of that layout.
func (r *reader) followAll(n *onnxgraph.Node, layout string, state bool) {
	for i := range n.Inputs {
		r.follow(n, i, layout, state)
	}
}

// axes returns the axes of a Squeeze or Unsqueeze: its input of that number, or
// before opset 13 its attribute.
func (r *reader) axes(n *onnxgraph.Node, input int) (axes []int64, ok bool) {
	if input < len(n.Inputs) {
		axes, ok = r.tensor(n.Inputs[input]).Data.([]int64)
		return axes, ok
	}
	axes = n.Ints("axes")
	return axes, axes != nil
}

// insert returns the layout before a Squeeze of axes.
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

// remove returns the layout before an Unsqueeze of axes.
func remove(layout string, axes []int64) string {
	var left []byte
	for i := range len(layout) {
		if !slices.Contains(axes, int64(i)) && !slices.Contains(axes, int64(i-len(layout))) {
			left = append(left, layout[i])
		}
	}
	return string(left)
}

// limit returns what integers of the input must be below: the rows of a table
// that they index; 0 if they index none.
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
