package ranges_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/ranges"
)

// chain returns a graph in which x goes through the nodes one after the other to y.
func chain(nodes ...onnxgraph.Node) *onnxgraph.Model {
	value := "x"
	for i := range nodes {
		n := &nodes[i]
		n.Inputs = append([]string{value}, n.Inputs...)
		if value = fmt.Sprint("v", i); i == len(nodes)-1 {
			value = "y"
		}
		n.Outputs = []string{value}
	}
	scalar := func(name string, v float32) onnxgraph.Tensor {
		return onnxgraph.Tensor{Name: name, Tensor: tensor.Of([]float32{v})}
	}
	return &onnxgraph.Model{Graph: onnxgraph.Graph{
		Inputs:       []onnxgraph.Value{{Name: "x", Type: onnxgraph.Float32}},
		Outputs:      []onnxgraph.Value{{Name: "y", Type: onnxgraph.Float32}},
		Initializers: []onnxgraph.Tensor{scalar("two", 2), scalar("three", 3)},
		Nodes:        nodes,
	}}
}

func node(op string, inputs ...string) onnxgraph.Node {
	return onnxgraph.Node{OpType: op, Inputs: inputs}
}

func Example() {
	y := ranges.Of(chain(node("Tanh"), node("Mul", "two"), node("Add", "three")))["y"]
	fmt.Println(y.Low, y.High)
	// Output:
	// 1 5
}

// TestRanges has limits that follow from the definitions of the operators.
func TestRanges(t *testing.T) {
	inf := math.Inf(1)
	for _, test := range []struct {
		want  ranges.Range
		nodes []onnxgraph.Node
	}{
		{ranges.Range{Low: 0, High: 1}, []onnxgraph.Node{node("Sigmoid")}},
		{ranges.Range{Low: -3, High: 3}, []onnxgraph.Node{node("Tanh"), node("Mul", "three")}},
		{ranges.Range{Low: 2, High: 3}, []onnxgraph.Node{node("Clip", "two", "three")}},
		{ranges.Range{Low: 0, High: 9}, []onnxgraph.Node{node("Tanh"), node("Mul", "three"), node("Pow", "two")}},
		{ranges.Range{Low: 0, High: 1, Softmax: true}, []onnxgraph.Node{node("Softmax"), node("Identity")}},
		{ranges.Range{Low: 0, High: inf, Integer: true, Index: true}, []onnxgraph.Node{node("Softmax"), node("ArgMax")}},
		{ranges.Range{Low: -inf, High: inf, Linear: true}, []onnxgraph.Node{node("Relu"), node("MatMul", "two")}},
		{ranges.Range{Low: -1, High: 1, Extreme: true}, []onnxgraph.Node{node("LSTM", "two", "three"), node("ReduceMax")}},
		{ranges.Range{Low: -inf, High: inf}, []onnxgraph.Node{node("Sigmoid"), node("NoSuchOperator")}},
	} {
		if got := ranges.Of(chain(test.nodes...))["y"]; got != test.want {
			t.Errorf("%v: %+v, not %+v", test.nodes, got, test.want)
		}
	}
}
