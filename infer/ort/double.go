package ort

import "github.com/rnnkit/rnnkit/internal/onnxgraph"

// doubleRecurrent returns a recurrent node of g with float64 weights, or nil. ONNX
// Runtime opens such a model but cannot run it on the CPU.
func doubleRecurrent(g *onnxgraph.Graph) *onnxgraph.Node {
	types := make(map[string]onnxgraph.DataType)
	for _, v := range g.Inputs {
		types[v.Name] = v.Type
	}
	for _, t := range g.Initializers {
		types[t.Name] = t.Type()
	}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		if n.Is(onnxgraph.Recurrent) && types[n.Input(onnxgraph.RecurrentW)] == onnxgraph.Float64 {
			return n
		}
		for _, name := range n.Outputs {
			types[name] = typeOf(n, types)
		}
	}
	return nil
}

// typeOf returns the type of a node's output. It is the type of the first input,
// except for a Constant or a Cast.
func typeOf(n *onnxgraph.Node, types map[string]onnxgraph.DataType) onnxgraph.DataType {
	if t, ok := n.Constant(); ok {
		return t.Type()
	}
	if to := onnxgraph.TypeOf(n.Int("to", 0)); to != onnxgraph.Undefined {
		return to
	}
	return types[n.Input(0)]
}
