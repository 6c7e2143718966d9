package flops

import (
	"context"
	"fmt"
	"testing"

	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/models"
)

// TestNodes counts by hand.
func TestNodes(t *testing.T) {
	for _, test := range []struct {
		node    onnxgraph.Node
		in, out [][]int64
		want    int64
	}{
		{onnxgraph.Node{OpType: "MatMul"}, [][]int64{{7, 2, 3}, {3, 5}}, [][]int64{{7, 2, 5}}, 2 * 7 * 2 * 3 * 5},
		{onnxgraph.Node{OpType: "Gemm"}, [][]int64{{2, 3}, {3, 5}}, [][]int64{{2, 5}}, 2 * 2 * 3 * 5},
		{
			onnxgraph.Node{OpType: "Gemm", Attributes: []onnxgraph.Attribute{{Name: "transA", Value: int64(1)}}},
			[][]int64{{3, 2}, {3, 5}}, [][]int64{{2, 5}}, 2 * 2 * 3 * 5,
		},
		{onnxgraph.Node{OpType: "Conv"}, [][]int64{{1, 4, 10}, {6, 2, 3}}, [][]int64{{1, 6, 8}}, 2 * 6 * 8 * 2 * 3},
		{onnxgraph.Node{OpType: "ConvTranspose"}, [][]int64{{1, 4, 10}, {4, 2, 3}}, [][]int64{{1, 2, 12}}, 2 * 4 * 10 * 2 * 3},
		// Two directions, hidden 3, input 2: each step 4 gates of 3, each of 2+3 products.
		{onnxgraph.Node{OpType: "LSTM"}, [][]int64{{7, 5, 2}, {2, 12, 2}, {2, 12, 3}}, [][]int64{{7, 2, 5, 3}}, 2 * 7 * 5 * 2 * 12 * (2 + 3)},
	} {
		if got, err := ofNode(&test.node, test.in, test.out); err != nil || got != test.want {
			t.Errorf("%s: %d, not %d (%v)", test.node.OpType, got, test.want, err)
		}
		if _, err := ofNode(&test.node, nil, test.out); err == nil {
			t.Errorf("%s without inputs is counted", test.node.OpType)
		}
	}
}

func TestWithin(t *testing.T) {
	body := &onnxgraph.Graph{Nodes: []onnxgraph.Node{{OpType: "MatMul"}}}
	m := &onnxgraph.Model{Graph: onnxgraph.Graph{Nodes: []onnxgraph.Node{{
		OpType: "Loop", Attributes: []onnxgraph.Attribute{{Name: "body", Value: body}},
	}}}}
	if n, err := Count(t.Context(), m, native.New(), nil); err == nil {
		t.Errorf("a MatMul in a loop is %d operations", n)
	}
}

// Example counts an LSTM of 32 that reads a window of 50 and the line after it.
func Example() {
	model, err := models.New(models.Metadata{Spec: models.Spec{
		Cell: models.LSTM, Features: 1, Hidden: 32, Layers: 1, Readout: models.ReadLast, Outputs: 1,
	}}, 1)
	if err != nil {
		panic(err)
	}
	data, err := export.Marshal(model)
	if err != nil {
		panic(err)
	}
	m, err := onnxgraph.Unmarshal(data)
	if err != nil {
		panic(err)
	}
	n, err := Count(context.Background(), m, native.New(), map[string]tensor.Tensor{"input": tensor.Of(make([]float32, 50), 1, 50, 1)})
	fmt.Println(n, 2*50*4*32*(1+32)+2*32, err)
	// Output: 422464 422464 <nil>
}
