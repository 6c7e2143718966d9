package inputs

import (
	"math"
	"slices"
	"strings"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// reader follows a graph back from its recurrent nodes to its inputs.
type reader struct {
	graph     *onnxgraph.Graph
	producer  map[string]*onnxgraph.Node
	constants map[string]bool // initializers and the outputs of Constant
	tensors   map[string]onnxgraph.Tensor

	layouts map[string]string // of inputs that were reached
	states  map[string]bool
	seen    map[string]bool
}

func newReader(g *onnxgraph.Graph) *reader {
	r := &reader{
		graph: g, producer: map[string]*onnxgraph.Node{},
		constants: map[string]bool{}, tensors: map[string]onnxgraph.Tensor{},
		layouts: map[string]string{}, states: map[string]bool{}, seen: map[string]bool{},
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
			r.constants[n.Outputs[0]] = true
			if value, ok := n.Attribute("value"); ok {
				if t, ok := value.(onnxgraph.Tensor); ok {
					r.tensors[n.Outputs[0]] = t
				}
			}
			if value, ok := n.Attribute("value_int"); ok {
				if v, ok := value.(int64); ok {
					r.tensors[n.Outputs[0]] = onnxgraph.Tensor{Shape: []int{}, Data: []int64{v}}
				}
			}
		}
	}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		if !slices.Contains([]string{"LSTM", "GRU", "RNN", "DynamicQuantizeLSTM"}, n.OpType) {
			continue
		}
		x, state := "tbf", "fbf"
		if layout, _ := n.Attribute("layout"); layout == int64(1) {
			x, state = "btf", "bff"
		}
		r.follow(n, 0, x, false)
		r.follow(n, 4, "b", false)
		r.follow(n, 5, state, true)
		r.follow(n, 6, state, true)
	}
	return r
}

// follow goes back from an input of a node, which has that layout, to the
// inputs of the graph.
func (r *reader) follow(n *onnxgraph.Node, input int, layout string, state bool) {
	if input >= len(n.Inputs) || n.Inputs[input] == "" || r.constants[n.Inputs[input]] {
		return
	}
	name := n.Inputs[input]
	if r.seen[name] {
		return
	}
	r.seen[name] = true
	p := r.producer[name]
	if p == nil {
		r.layouts[name], r.states[name] = layout, state
		return
	}
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
		if len(p.Inputs) == 2 && r.constants[p.Inputs[0]] { // an embedding
			if at == 0 && len(layout) > 0 {
				r.follow(p, 1, layout[:len(layout)-1], state)
			}
			return
		}
		if len(p.Inputs) == 2 && len(r.tensors[p.Inputs[1]].Shape) == 0 { // one of a dimension
			r.follow(p, 0, insert(layout, []int64{at}), state)
		}
	case "MatMul", "MatMulInteger":
		if len(layout) > 0 {
			r.follow(p, 0, layout[:len(layout)-1]+string(Other), state)
		}
	case "Slice", "Identity", "Cast", "Split", "Pad", "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear":
		r.follow(p, 0, layout, state)
	case "Relu", "Tanh", "Sigmoid", "LeakyRelu", "Elu", "Selu", "PRelu", "Conv", "BatchNormalization", "LayerNormalization", "Dropout",
		"Add", "Sub", "Mul", "Div", "Concat", "Clip", "Reshape", "Where", "Max", "Min":
		for i := range p.Inputs {
			r.follow(p, i, layout, state)
		}
	}
}

// axes returns the axes of a Squeeze or Unsqueeze: its input of that number, or
// before opset 13 its attribute.
func (r *reader) axes(n *onnxgraph.Node, input int) (axes []int64, ok bool) {
	if input < len(n.Inputs) {
		axes, ok = r.tensors[n.Inputs[input]].Data.([]int64)
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
