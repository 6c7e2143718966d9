package onnxgraph_test

import (
	"fmt"
	"testing"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// TestScope looks up values of a graph and of a branch in it.
func TestScope(t *testing.T) {
	branch := &onnxgraph.Graph{
		Nodes: []onnxgraph.Node{
			{OpType: "Constant", Outputs: []string{"three"}, Attributes: []onnxgraph.Attribute{{Name: "value_int", Value: int64(3)}}},
			{OpType: "Mul", Inputs: []string{"h", "two"}, Outputs: []string{"z"}},
		},
		Outputs: []onnxgraph.Value{{Name: "z"}},
	}
	g := &onnxgraph.Graph{
		Nodes: []onnxgraph.Node{
			{OpType: "Tanh", Inputs: []string{"x"}, Outputs: []string{"h"}},
			{OpType: "If", Inputs: []string{"c"}, Outputs: []string{"", "y"}, Attributes: []onnxgraph.Attribute{{Name: "then_branch", Value: branch}}},
			{OpType: "Neg", Inputs: []string{"h"}, Outputs: []string{"n"}},
		},
		Inputs:       []onnxgraph.Value{{Name: "x"}, {Name: "c"}},
		Outputs:      []onnxgraph.Value{{Name: "y"}},
		Initializers: []onnxgraph.Tensor{{Name: "two", Tensor: tensor.Of([]float32{2})}, {Name: "c", Tensor: tensor.Of([]bool{true})}},
	}
	s := onnxgraph.NewScope(g)
	inner := s.Inner(branch)
	var ops []string
	for scope, n := range s.All() {
		ops = append(ops, n.OpType)
		if (scope == inner) != (n.OpType == "Mul" || n.OpType == "Constant") {
			t.Errorf("%s has the scope of another graph", n.OpType)
		}
	}
	var readers []string
	for _, n := range s.Readers("h") {
		readers = append(readers, n.OpType)
	}
	three, _ := inner.Constant("three")
	two, _ := inner.Constant("two")
	_, ofBranch := s.Constant("three")
	_, computed := inner.Constant("h")
	got := fmt.Sprint(ops, readers, s.Writer("y").Index, s.Producer("x") == nil, inner.Producer("h") == nil, three.Data, two.Data, ofBranch, computed,
		s.IsInput("x"), s.IsDefault("x"), s.IsDefault("c"))
	want := "[Tanh If Constant Mul Neg] [If Neg] 1 true true [3] [2] false false true false true"
	if got != want {
		t.Errorf("the scope is %s, want %s", got, want)
	}
}
