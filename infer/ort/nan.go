package ort

import (
	"slices"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// inputCheck returns an error for values of an input that ONNX Runtime would process
// wrongly.
type inputCheck func(tensor.Tensor) error

// inputChecks returns the check of each input of a graph with recurrent nodes. NaN passes
// where the graph replaces it before these nodes.
func inputChecks(g *onnxgraph.Graph, inputs []tensor.Info) []inputCheck {
	checks := make([]inputCheck, len(inputs))
	for i, in := range inputs {
		checks[i] = tensor.Tensor.CheckFinite
		if replacesNaN(g, in.Name) {
			checks[i] = tensor.Tensor.CheckInfinity
		}
	}
	return checks
}

// replacesNaN reports whether the graph is seen to replace a NaN in an input before it
// reaches a recurrent node, by Where(IsNaN(x), other, x).
func replacesNaN(g *onnxgraph.Graph, input string) bool {
	f := nanFlow{spread: map[string]bool{input: true}, writers: make(map[string]*onnxgraph.Node)}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		for _, name := range n.Outputs {
			f.writers[name] = n
		}
		if n.Is(onnxgraph.Control) || n.Is(onnxgraph.Recurrent) && slices.ContainsFunc(n.Inputs, f.has) {
			return false
		}
		if slices.ContainsFunc(n.Inputs, f.has) && !n.IsOp("IsNaN", "Shape") && !f.replaces(n) {
			for _, name := range n.Outputs {
				f.spread[name] = true
			}
		}
	}
	return true
}

// nanFlow follows a NaN through a graph.
type nanFlow struct {
	spread  map[string]bool            // the values that may have it
	writers map[string]*onnxgraph.Node // of the values so far
}

func (f nanFlow) has(name string) bool { return f.spread[name] }

// replaces reports whether n puts values without NaN in the places of those where IsNaN
// finds one, and elsewhere what is computed from these element by element.
func (f nanFlow) replaces(n *onnxgraph.Node) bool {
	if !n.IsOp("Where") || len(n.Inputs) != 3 || f.has(n.Inputs[1]) {
		return false
	}
	asks := f.writers[n.Inputs[0]]
	return asks != nil && asks.IsOp("IsNaN") && f.follows(n.Inputs[2], asks.Inputs[0])
}

// follows reports whether a value is computed element by element from another one, and
// from nothing else that may have NaN.
func (f nanFlow) follows(value, from string) bool {
	for value != from {
		n := f.writers[value]
		if n == nil || !n.Is(onnxgraph.Elementwise) {
			return false
		}
		inputs := slices.DeleteFunc(slices.Clone(n.Inputs), func(name string) bool { return !f.has(name) })
		if len(inputs) != 1 {
			return false
		}
		value = inputs[0]
	}
	return true
}
