package inputs

import (
	"math"
	"slices"
	"strings"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// reader follows a graph back from its recurrent nodes to its inputs. A graph
// within a node has a reader of its own, which hands what that graph does not
// compute to the one around.
type reader struct {
	graph     *onnxgraph.Graph
	outer     *reader
	first     map[string]string // of what a Loop or a Scan carries on, the value it begins with
	producer  map[string]*onnxgraph.Node
	constants map[string]bool // initializers and the outputs of Constant
	tensors   map[string]onnxgraph.Tensor

	layouts map[string][]string // of inputs that were reached, each once
	states  map[string]bool
	seen    map[string]bool
}

// newReader returns a reader of m, which has followed it.
func newReader(m *onnxgraph.Model) *reader {
	r := scopeOf(&m.Graph, nil)
	r.layouts, r.states = map[string][]string{}, map[string]bool{}
	r.recurrent()
	for _, pair := range onnxgraph.StatePairs(m) {
		r.states[pair.Input] = true
	}
	r.convolutions()
	return r
}

// scopeOf returns a reader of g, which is within a node of outer's graph.
func scopeOf(g *onnxgraph.Graph, outer *reader) *reader {
	r := &reader{
		graph: g, outer: outer, first: map[string]string{}, producer: map[string]*onnxgraph.Node{},
		constants: map[string]bool{}, tensors: map[string]onnxgraph.Tensor{}, seen: map[string]bool{},
	}
	if outer != nil {
		r.layouts, r.states = outer.layouts, outer.states
	}
	for _, t := range g.Initializers {
		r.constants[t.Name], r.tensors[t.Name] = true, t
	}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		for _, name := range n.Outputs {
			r.producer[name] = n
		}
		if n.OpType == "Constant" && len(n.Outputs) == 1 {
			r.constant(n)
		}
	}
	return r
}

// constant notes what a Constant holds.
func (r *reader) constant(n *onnxgraph.Node) {
	name := n.Outputs[0]
	r.constants[name] = true
	value, _ := n.Attribute("value")
	if t, ok := value.(onnxgraph.Tensor); ok {
		r.tensors[name] = t
	}
	value, _ = n.Attribute("value_int")
	if v, ok := value.(int64); ok {
		r.tensors[name] = onnxgraph.Tensor{Tensor: tensor.Of([]int64{v})}
	}
}

// recurrent follows the inputs of all recurrent nodes, those in graphs within
// nodes too.
func (r *reader) recurrent() {
	r.each(func(r *reader, n *onnxgraph.Node) {
		if !slices.Contains([]string{"LSTM", "GRU", "RNN", "DynamicQuantizeLSTM"}, n.OpType) {
			return
		}
		x, state := "tbf", "fbf"
		if layout, _ := n.Attribute("layout"); layout == int64(1) {
			x, state = "btf", "bff"
		}
		r.follow(n, 0, x, false)
		r.follow(n, 4, "b", false)
		r.follow(n, 5, state, true)
		r.follow(n, 6, state, true)
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
	p, kernel := r.producer[n.Inputs[0]], r.tensor(n.Inputs[1]).Shape
	groups, grouped := n.Attribute("group")
	one := len(kernel) == len(layout) && len(kernel) > 2 && kernel[1] == 1 && (!grouped || groups == int64(1))
	if one && p != nil && p.OpType == "Reshape" && !r.seen[n.Inputs[0]] {
		r.seen[n.Inputs[0]] = true
		r.follow(p, 0, layout[:1]+layout[2:]+layout[1:2], state)
		return
	}
	r.follow(n, 0, layout, state)
}

// each calls f with every node, and with the reader of its graph.
func (r *reader) each(f func(r *reader, n *onnxgraph.Node)) {
	for i := range r.graph.Nodes {
		n := &r.graph.Nodes[i]
		f(r, n)
		for _, a := range n.Attributes {
			if g, ok := a.Value.(*onnxgraph.Graph); ok {
				r.within(n, g).each(f)
			}
		}
	}
}

// within returns a reader of a graph within a node.
func (r *reader) within(n *onnxgraph.Node, g *onnxgraph.Graph) *reader {
	inner := scopeOf(g, r)
	begin, end := 0, 0 // of the inputs that are carried on
	switch n.OpType {
	case "Loop":
		begin, end = 2, len(g.Inputs)
	case "Scan":
		scanned, _ := n.Attribute("num_scan_inputs")
		count, _ := scanned.(int64)
		end = len(g.Inputs) - int(max(0, min(count, int64(len(g.Inputs)))))
	}
	for i := begin; i < min(end, len(n.Inputs)); i++ {
		inner.first[g.Inputs[i].Name] = n.Inputs[i]
	}
	return inner
}

// tensor returns the constant of that name, an empty one if there is none.
func (r *reader) tensor(name string) onnxgraph.Tensor {
	for ; r != nil; r = r.outer {
		if t, ok := r.tensors[name]; ok {
			return t
		}
	}
	return onnxgraph.Tensor{}
}

func (r *reader) isConstant(name string) bool {
	return r != nil && (r.constants[name] || r.producer[name] == nil && r.outer.isConstant(name))
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
	p := r.producer[name]
	first, carried := r.first[name]
	switch {
	case name == "" || r.constants[name]:
	case p == nil && r.outer == nil:
		r.states[name] = r.states[name] || state
		if !slices.Contains(r.layouts[name], layout) {
			r.layouts[name] = append(r.layouts[name], layout)
		}
	case r.seen[name]:
	case carried:
		r.seen[name] = true
		r.outer.value(first, layout, state)
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
		perm := ints(p, "perm")
		if len(perm) != len(layout) {
			return
		}
		before := make([]byte, len(layout))
		for i, from := range perm {
			if from < 0 || from >= int64(len(layout)) {
				return
			}
			before[from] = layout[i]
		}
		r.follow(p, 0, string(before), state)
	case "Squeeze":
		axes, ok := r.axes(p, 1)
		if !ok {
			return
		}
		r.follow(p, 0, insert(layout, axes), state)
	case "Unsqueeze":
		axes, ok := r.axes(p, 1)
		if !ok {
			return
		}
		r.follow(p, 0, remove(layout, axes), state)
	case "Gather":
		axis, _ := p.Attribute("axis")
		at, _ := axis.(int64)
		if len(p.Inputs) == 2 && r.isConstant(p.Inputs[0]) { // an embedding
			if at == 0 && len(layout) > 0 {
				r.follow(p, 1, layout[:len(layout)-1], state)
			}
			return
		}
		if len(p.Inputs) == 2 && len(r.tensor(p.Inputs[1]).Shape) == 0 { // one of a dimension
			r.follow(p, 0, insert(layout, []int64{at}), state)
		}
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
	case "Relu", "Tanh", "Sigmoid", "LeakyRelu", "Elu", "Selu", "PRelu", "HardSigmoid", "HardSwish", "Gelu", "Mish", "Softplus", "Softsign", "Erf",
		"Exp", "Log", "Sqrt", "Abs", "Neg", "Pow", "Clip", "Dropout", "MaxPool", "AveragePool",
		"BatchNormalization", "LayerNormalization", "InstanceNormalization", "GroupNormalization",
		"Add", "Sub", "Mul", "Div", "Concat", "Reshape", "Where", "Max", "Min":
		for i := range p.Inputs {
			r.follow(p, i, layout, state)
		}
	}
}

// axes returns the axes of a Squeeze or Unsqueeze: its input of that number, or
// before opset 13 its attribute.
func (r *reader) axes(n *onnxgraph.Node, input int) (axes []int64, ok bool) {
	if input < len(n.Inputs) {
		axes, ok = r.tensor(n.Inputs[input]).Data.([]int64)
		return axes, ok
	}
	axes = ints(n, "axes")
	return axes, axes != nil
}

func ints(n *onnxgraph.Node, name string) []int64 {
	value, _ := n.Attribute(name)
	list, _ := value.([]int64)
	return list
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
	for _, n := range r.graph.Nodes {
		if len(n.Inputs) == 0 || len(n.Outputs) == 0 {
			continue
		}
		switch {
		case n.OpType == "Gather" && len(n.Inputs) == 2 && reached[n.Inputs[1]]:
			axis, _ := n.Attribute("axis")
			at, _ := axis.(int64)
			if shape := r.tensors[n.Inputs[0]].Shape; at >= 0 && at < int64(len(shape)) && shape[at] > 0 {
				limit = min(limit, int64(shape[at]))
			}
		case reached[n.Inputs[0]] && slices.Contains([]string{"Cast", "Transpose", "Identity", "Squeeze", "Unsqueeze", "Reshape", "Flatten"}, n.OpType):
			reached[n.Outputs[0]] = true
		}
	}
	if limit == math.MaxInt64 {
		return 0
	}
	return limit
}
