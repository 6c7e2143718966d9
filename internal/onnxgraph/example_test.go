package onnxgraph_test

import (
	"fmt"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

func Example() {
	data, err := onnxgraph.Marshal(&onnxgraph.Model{
		IRVersion: 8,
		Opsets:    []onnxgraph.Opset{{Domain: "", Version: 17}},
		Graph: onnxgraph.Graph{
			Name: "last",
			Nodes: []onnxgraph.Node{{
				OpType:     "Gather",
				Inputs:     []string{"x", "index"},
				Outputs:    []string{"y"},
				Attributes: []onnxgraph.Attribute{{Name: "axis", Value: int64(1)}},
			}},
			Inputs: []onnxgraph.Value{{
				Name:  "x",
				Type:  onnxgraph.Float32,
				Shape: []onnxgraph.Dim{{Symbol: "batch"}, {Symbol: "time"}},
			}},
			Outputs: []onnxgraph.Value{{
				Name:  "y",
				Type:  onnxgraph.Float32,
				Shape: []onnxgraph.Dim{{Symbol: "batch"}},
			}},
			Initializers: []onnxgraph.Tensor{{Name: "index", Tensor: tensor.Tensor{Shape: []int{}, Data: []int64{-1}}}},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := onnxgraph.Unmarshal(data)
	if err != nil {
		fmt.Println(err)
		return
	}
	node := &m.Graph.Nodes[0]
	axis, _ := node.Attribute("axis")
	index := m.Graph.Initializers[0]
	fmt.Println(node.OpType, node.Inputs, "axis", axis)
	fmt.Println(index.Name, index.Type(), index.Shape, index.Data)
	// Output:
	// Gather [x index] axis 1
	// index int64 [] [-1]
}
