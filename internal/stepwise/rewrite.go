package stepwise

import (
	"fmt"
	"slices"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// Join replaces the states of the layers by one each for h and c of all layers, stacked
// along the first dimension, as models of rnnkit have them. names are their names. Join
// does nothing where the graph has other states.
func (p *Plan) Join(names []onnxgraph.StatePair) {
	if p.Begins || len(p.stateful) == 0 {
		return
	}
	for _, c := range p.stateful {
		if len(c.slots) != len(names) {
			return
		}
		for i, s := range c.slots {
			first := p.stateful[0].slots[i].value
			if s.value.type_ == onnxgraph.Float16 || s.value.type_ != first.type_ || s.value.dims[0] != one || !slices.Equal(s.value.dims, first.dims) {
				return
			}
		}
	}
	p.joined, p.States = true, nil
	for _, name := range names {
		p.States = append(p.States, onnxgraph.StatePair{Input: free(name.Input, p.taken), Output: free(name.Output, p.taken)})
	}
}

// Change returns the change that makes the model run step by step: the states of the
// plan become inputs and outputs, which come after its own. With first it adds only the
// outputs, and the model starts from its own initial states.
func (p *Plan) Change(first bool) *onnxgraph.Change {
	w := &writer{Change: onnxgraph.Change{Nodes: map[string]onnxgraph.Names{}, Shapes: p.shapes}, Plan: p, first: first}
	if p.joined {
		w.writeJoined()
	} else {
		w.write()
	}
	return &w.Change
}

type writer struct {
	onnxgraph.Change
	*Plan
	first bool
}

func (w *writer) write() {
	k := 0
	for _, c := range w.stateful {
		for _, s := range c.slots {
			w.declare(w.States[k], s.value)
			w.begin(c.node, s, w.States[k].Input)
			w.end(c.node, s, w.States[k].Output)
			k++
		}
	}
}

// writeJoined splits one input into the states of the layers, and joins their final
// states to one output.
func (w *writer) writeJoined() {
	layers := len(w.stateful)
	for i, pair := range w.States {
		v := w.stateful[0].slots[i].value
		if layers == 1 {
			w.declare(pair, v)
			w.begin(w.stateful[0].node, w.stateful[0].slots[i], pair.Input)
			w.end(w.stateful[0].node, w.stateful[0].slots[i], pair.Output)
			continue
		}
		v.dims = slices.Clone(v.dims)
		v.dims[0] = fixed(int64(layers))
		w.declare(pair, v)
		axis := onnxgraph.Attribute{Name: "axis", Value: int64(0)}
		split := onnxgraph.Node{OpType: "Split", Inputs: []string{pair.Input}, Attributes: []onnxgraph.Attribute{axis}}
		if w.opset >= 18 {
			split.Attributes = append(split.Attributes, onnxgraph.Attribute{Name: "num_outputs", Value: int64(layers)})
		}
		joined := onnxgraph.Node{OpType: "Concat", Outputs: []string{pair.Output}, Attributes: []onnxgraph.Attribute{axis}}
		for k, c := range w.stateful {
			in, out := free(fmt.Sprintf("%s of layer %d", pair.Input, k), w.taken), free(fmt.Sprintf("%s of layer %d", pair.Output, k), w.taken)
			w.begin(c.node, c.slots[i], in)
			split.Outputs, joined.Inputs = append(split.Outputs, in), append(joined.Inputs, w.last(c.node, c.slots[i], out))
		}
		w.First, w.Last = append(w.First, split), append(w.Last, joined)
	}
}

// declare adds an input and an output for a state. A state of float16 is float32
// outside, as not every engine returns float16.
func (w *writer) declare(pair onnxgraph.StatePair, v value) {
	if v.type_ == onnxgraph.Undefined || v.type_ == onnxgraph.Float16 {
		v.type_ = onnxgraph.Float32
	}
	shape := w.declaredAs(v.dims)
	if !w.first {
		w.Inputs = append(w.Inputs, onnxgraph.Value{Name: pair.Input, Type: v.type_, Shape: shape})
	}
	w.Outputs = append(w.Outputs, onnxgraph.Value{Name: pair.Output, Type: v.type_, Shape: shape})
}

// names returns the new names of a node.
func (w *writer) names(n *onnxgraph.Node) onnxgraph.Names {
	key := n.Outputs[slices.IndexFunc(n.Outputs, func(name string) bool { return name != "" })]
	names, ok := w.Nodes[key]
	if !ok {
		names = onnxgraph.Names{Inputs: map[int]string{}, Outputs: map[int]string{}}
		w.Nodes[key] = names
	}
	return names
}

// begin makes a node start from the state of that name.
func (w *writer) begin(n *onnxgraph.Node, s slot, name string) {
	if w.first {
		return
	}
	if s.value.type_ == onnxgraph.Float16 {
		half := free(name+" half", w.taken)
		w.First = append(w.First, castNode(name, half, onnxgraph.Float16))
		name = half
	}
	w.names(n).Inputs[s.input] = name
}

func castNode(from, to string, t onnxgraph.DataType) onnxgraph.Node {
	return onnxgraph.Node{OpType: "Cast", Inputs: []string{from}, Outputs: []string{to}, Attributes: []onnxgraph.Attribute{{Name: "to", Value: onnxgraph.Number(t)}}}
}

// last returns the name of a node's final state: that which it has, or else the given
// name.
func (w *writer) last(n *onnxgraph.Node, s slot, name string) string {
	if s.output < len(n.Outputs) && n.Outputs[s.output] != "" {
		return n.Outputs[s.output]
	}
	w.names(n).Outputs[s.output] = name
	return name
}

// end makes the final state of a node the output of that name.
func (w *writer) end(n *onnxgraph.Node, s slot, name string) {
	if s.value.type_ == onnxgraph.Float16 {
		w.Last = append(w.Last, castNode(w.last(n, s, free(name+" half", w.taken)), name, onnxgraph.Float32))
		return
	}
	if now := w.last(n, s, name); now != name {
		w.Last = append(w.Last, onnxgraph.Node{OpType: "Identity", Inputs: []string{now}, Outputs: []string{name}})
	}
}

// declaredAs returns a shape as a graph declares it, nil if it is not known.
func (p *Plan) declaredAs(dims []size) []onnxgraph.Dim {
	if dims == nil {
		return nil
	}
	shape := make([]onnxgraph.Dim, len(dims))
	for i, d := range dims {
		shape[i] = p.symbols[d]
		if n, ok := d.fixed(); ok {
			shape[i] = onnxgraph.Dim{Size: int(n)}
		} else if shape[i].Symbol == "" {
			shape[i].Size = -1
		}
	}
	return shape
}
