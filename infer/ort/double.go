package ort

import "github.com/rnnkit/rnnkit/internal/onnxgraph"

// doubleRecurrent returns a recurrent node of g with weights in float64, nil where
// there is none. ONNX Runtime opens such a model, and the CPU then fails to run it.
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
		const weights = 1
		switch n.OpType {
		case "LSTM", "GRU", "RNN":
			if len(n.Inputs) > weights && types[n.Inputs[weights]] == onnxgraph.Float64 {
				return n
			}
		}
		for _, name := range n.Outputs {
			types[name] = typeOf(n, types)
		}
	}
	return nil
}

// typeOf returns the type of what a node makes of weights: that of the first input,
// but for a Constant and a Cast.
func typeOf(n *onnxgraph.Node, types map[string]onnxgraph.DataType) onnxgraph.DataType {
	switch value, _ := n.Attribute("value"); t := value.(type) {
	case onnxgraph.Tensor:
		return t.Type()
	}
	if to, ok := n.Attribute("to"); ok {
		number, _ := to.(int64)
		return onnxgraph.TypeOf(number)
	}
	if len(n.Inputs) == 0 {
		return onnxgraph.Undefined
	}
	return types[n.Inputs[0]]
}
