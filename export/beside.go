package export

import (
	"fmt"
	"slices"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/models"
)

// What a file computes that no Spec has: without it the parameters that were
// loaded give other answers than the file.

// beside returns a line for each thing that the file computes beside s.
func (net *network) beside(g *onnxgraph.Graph, s models.Spec) (left []string) {
	for i, v := range net.layers {
		for _, n := range v.layer {
			left = append(left, net.reader.beginning(i, n)...)
		}
	}
	if net.readout != "" && net.readout != s.Readout {
		left = append(left, fmt.Sprintf("readout: the file's is %s, the Spec's %s", net.readout, s.Readout))
	}
	if nodes := slices.Concat(net.foreign, net.branches(g)); len(nodes) > 0 {
		if more := len(nodes) - maxProblems; more > 0 {
			return append(left, fmt.Sprintf("not in the Spec: %s, and %d more", describe(nodes[:maxProblems]...), more))
		}
		left = append(left, "not in the Spec: "+describe(nodes...))
	}
	return left
}

// branches returns the nodes that work with constants of floats for an output of
// the graph, by another way than the one that was followed.
func (net *network) branches(g *onnxgraph.Graph) (nodes []*onnxgraph.Node) {
	wanted := make(map[string]bool)
	for _, o := range g.Outputs {
		wanted[o.Name] = true
	}
	for i := range slices.Backward(g.Nodes) {
		n := &g.Nodes[i]
		if !slices.ContainsFunc(n.Outputs, func(name string) bool { return wanted[name] }) {
			continue
		}
		for _, name := range n.Inputs {
			wanted[name] = true
		}
		if !net.known[n] && !n.Is(onnxgraph.Recurrent) && !layouts[n.OpType] && net.reader.isWeighted(n) {
			nodes = append(nodes, n)
		}
	}
	slices.Reverse(nodes)
	return nodes
}

// isWeighted reports whether n computes with a value of the graph and with floats
// that are constant and not all zero.
func (r *reader) isWeighted(n *onnxgraph.Node) bool {
	reads, weighted := false, false
	for i, name := range n.Inputs {
		reads = reads || r.values[name] != nil
		weighted = weighted || isFloats(r.constants.Of(n, i)) && !isZero(r.constants.Of(n, i))
	}
	return reads && weighted
}

// beginning returns a line for each thing but X and the weights that the recurrent
// node of a layer is given and no Spec has.
func (r *reader) beginning(layer int, n *onnxgraph.Node) (left []string) {
	add := func(format string, args ...any) {
		left = append(left, fmt.Sprintf("layer %d (%s) ", layer, describe(n))+fmt.Sprintf(format, args...))
	}
	if given(n, 4) && r.values[n.Inputs[4]] == nil {
		add("reads no further than constant sequence_lens")
	}
	for i, name := range []string{"initial_h", "initial_c"} {
		if !given(n, 5+i) {
			continue
		}
		if what := r.stateOf(n.Inputs[5+i], make(map[string]bool)); what != "" {
			add("begins with an %s that is %s, the Spec with zeros", name, what)
		}
	}
	return left
}

// stateOf says what a value that a recurrent node begins with is made of, or "" for
// zeros and inputs of the graph. It looks at each value once.
func (r *reader) stateOf(name string, seen map[string]bool) string {
	t, constant := r.constants.Named(name)
	n := r.producers[name]
	switch {
	case seen[name] || name == "":
		return ""
	case isFloats(t) && isZero(t):
		return ""
	case isFloats(t):
		return "a constant other than zero"
	case n == nil && constant:
		return "a constant of no floats"
	case n == nil:
		return ""
	case n.OpType == "ConstantOfShape":
		value, _ := n.Attribute("value")
		if t, ok := value.(onnxgraph.Tensor); ok && slices.ContainsFunc(t.Float64s(), func(v float64) bool { return v != 0 }) {
			return "a constant other than zero"
		}
		return ""
	}
	seen[name] = true
	inputs := n.Inputs[:min(1, len(n.Inputs))]
	switch {
	case n.OpType == "Concat":
		inputs = n.Inputs
	case !layouts[n.OpType] && n.OpType != "Tile":
		return fmt.Sprintf("computed (%s)", describe(n))
	}
	for _, input := range inputs {
		if what := r.stateOf(input, seen); what != "" {
			return what
		}
	}
	return ""
}

func isFloats(t onnxgraph.Tensor) bool {
	_, ok := t.Data.([]float32)
	return ok
}

// isZero reports whether all numbers of a constant are known to be 0.
func isZero(t onnxgraph.Tensor) bool {
	switch data := t.Data.(type) {
	case []float32:
		return !slices.ContainsFunc(data, func(v float32) bool { return v != 0 })
	case []int64:
		return !slices.ContainsFunc(data, func(v int64) bool { return v != 0 })
	}
	return false
}
