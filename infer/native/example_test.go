package native_test

import (
	"context"
	"fmt"
	"log"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// A model that adds two lists, built here and usually read from a file.
func ExampleNew() {
	list := []onnxgraph.Dim{{Symbol: "n"}}
	model, err := onnxgraph.Marshal(&onnxgraph.Model{
		IRVersion: 8,
		Opsets:    []onnxgraph.Opset{{Version: 17}},
		Graph: onnxgraph.Graph{
			Name:    "sum",
			Nodes:   []onnxgraph.Node{{OpType: "Add", Inputs: []string{"a", "b"}, Outputs: []string{"sum"}}},
			Inputs:  []onnxgraph.Value{{Name: "a", Type: onnxgraph.Float32, Shape: list}, {Name: "b", Type: onnxgraph.Float32, Shape: list}},
			Outputs: []onnxgraph.Value{{Name: "sum", Type: onnxgraph.Float32, Shape: list}},
		},
	})
	if err != nil {
		log.Fatal(err)
	}

	session, err := native.New().Open(model)
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close()
	results, err := session.Run(context.Background(), map[string]engine.Tensor{
		"a": engine.Of([]float32{1, 2, 3}, 3),
		"b": engine.Of([]float32{10, 20, 30}, 3),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(session.Outputs()[0], results["sum"].Data)
	// Output: sum float32[n] [11 22 33]
}
