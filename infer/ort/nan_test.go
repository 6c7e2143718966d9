package ort

import (
	"testing"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

func TestReplacesNaN(t *testing.T) {
	node := func(op, output string, inputs ...string) onnxgraph.Node {
		return onnxgraph.Node{OpType: op, Inputs: inputs, Outputs: []string{output}}
	}
	isNaN, lstm := node("IsNaN", "missing", "input"), node("LSTM", "Y", "x", "W", "R")
	for name, c := range map[string]struct {
		want  bool
		nodes []onnxgraph.Node
	}{
		"replaced":               {true, []onnxgraph.Node{isNaN, node("Where", "x", "missing", "zero", "input"), lstm}},
		"of its logarithm":       {true, []onnxgraph.Node{isNaN, node("Log", "log", "input"), node("Where", "x", "missing", "zero", "log"), lstm}},
		"not read":               {true, []onnxgraph.Node{node("Relu", "x", "other"), lstm}},
		"read as it is":          {false, []onnxgraph.Node{isNaN, node("Relu", "x", "input"), lstm}},
		"by itself":              {false, []onnxgraph.Node{isNaN, node("Where", "x", "missing", "input", "zero"), lstm}},
		"where it is none":       {false, []onnxgraph.Node{isNaN, node("Not", "known", "missing"), node("Where", "x", "known", "zero", "input"), lstm}},
		"elsewhere":              {false, []onnxgraph.Node{isNaN, node("Transpose", "moved", "input"), node("Where", "x", "missing", "zero", "moved"), lstm}},
		"and by another way":     {false, []onnxgraph.Node{isNaN, node("Where", "y", "missing", "zero", "input"), node("Add", "x", "y", "input"), lstm}},
		"with a graph in a node": {false, []onnxgraph.Node{isNaN, node("Where", "x", "missing", "zero", "input"), lstm, node("If", "z", "condition")}},
	} {
		if got := replacesNaN(&onnxgraph.Graph{Nodes: c.nodes}, "input"); got != c.want {
			t.Errorf("a NaN that is %s: %v", name, got)
		}
	}
}
