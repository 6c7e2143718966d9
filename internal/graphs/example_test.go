package graphs_test

import (
	"context"
	"fmt"

	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/graphs"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

func Example() {
	m := &onnxgraph.Model{IRVersion: 8, Opsets: []onnxgraph.Opset{{Version: 17}}, Graph: onnxgraph.Graph{
		Nodes:        []onnxgraph.Node{{OpType: "Mul", Inputs: []string{"x", "two"}, Outputs: []string{"y"}}},
		Inputs:       []onnxgraph.Value{{Name: "x", Type: tensor.Float32, Shape: []onnxgraph.Dim{{Symbol: "n"}}}},
		Outputs:      []onnxgraph.Value{{Name: "y", Type: tensor.Float32}},
		Initializers: []onnxgraph.Tensor{{Name: "two", Tensor: tensor.Of([]float32{2})}},
	}}
	s, err := graphs.Open(context.Background(), native.New(), m)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	results, err := s.Run(context.Background(), map[string]tensor.Tensor{"x": tensor.Of([]float32{1, 2, 3}, 3)})
	fmt.Println(results["y"].Data, err)
	// Output: [2 4 6] <nil>
}
