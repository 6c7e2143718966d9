package onnxgraph_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// engineHas reports whether the native engine has a standard operator.
func engineHas(name string) bool {
	return slices.ContainsFunc(native.Operators(), func(op native.Operator) bool { return op.Domain == "" && op.Name == name })
}

// once runs a node of that operator on x and reports whether the engine supports it.
func once(t *testing.T, op string, x tensor.Tensor) (tensor.Tensor, bool) {
	t.Helper()
	n := onnxgraph.Node{OpType: op, Inputs: []string{"x"}, Outputs: []string{"y"}}
	if op == "CastLike" {
		n.Inputs = []string{"x", "x"}
	}
	if op == "Cast" {
		n.Attributes = []onnxgraph.Attribute{{Name: "to", Value: onnxgraph.Number(onnxgraph.Int32)}}
	}
	data, err := onnxgraph.Marshal(&onnxgraph.Model{IRVersion: 8, Opsets: []onnxgraph.Opset{{Version: 24}}, Graph: onnxgraph.Graph{
		Nodes: []onnxgraph.Node{n}, Inputs: []onnxgraph.Value{{Name: "x", Type: x.Type()}}, Outputs: []onnxgraph.Value{{Name: "y"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := native.New().Open(data)
	if err != nil {
		return tensor.Tensor{}, false
	}
	defer s.Close()
	results, err := s.Run(context.Background(), map[string]tensor.Tensor{"x": x})
	if err != nil {
		t.Fatal(err)
	}
	return results["y"], true
}

// element returns one element of x.
func element(x tensor.Tensor, i int) tensor.Tensor {
	return tensor.Tensor{Shape: []int{1}, Data: reflect.ValueOf(x.Data).Slice(i, i+1).Interface()}
}

// TestUnary runs each unary operator on several elements and on each one alone. An
// operator that reads neighbouring elements would give other results.
func TestUnary(t *testing.T) {
	for _, op := range onnxgraph.OfKind(onnxgraph.Unary) {
		if !engineHas(op) {
			continue
		}
		ran := false
		for _, x := range []tensor.Tensor{
			tensor.Of([]float32{-1.5, 0.25, 0.75}, 3), tensor.Of([]bool{true, false, true}, 3),
			tensor.Of([]int64{-3, 0, 2}, 3),
		} {
			all, ok := once(t, op, x)
			if !ok {
				continue
			}
			ran = true
			for i := range 3 {
				one, _ := once(t, op, element(x, i))
				if want := element(all, i); fmt.Sprint(one) != fmt.Sprint(want) {
					t.Errorf("%s of element %d of %v is %v alone, and %v among others", op, i, x.Data, one.Data, want.Data)
				}
			}
		}
		if !ran {
			t.Errorf("%s takes none of the examples", op)
		}
	}
}
