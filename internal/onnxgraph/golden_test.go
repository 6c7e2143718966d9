package onnxgraph

import (
	"math"
	"os"
	"testing"

	"github.com/rnnkit/rnnkit/infer/tensor"
)

// ONNX's own Python package wrote testdata/golden.onnx: see golden.py.
func TestGolden(t *testing.T) {
	data, err := os.ReadFile("testdata/golden.onnx")
	if err != nil {
		t.Fatal(err)
	}
	got, err := Unmarshal(data)
	if err != nil {
		t.Fatal(err)
	}
	equalModels(t, got, golden())
}

// golden is the model of testdata/golden.py.
func golden() *Model {
	negZero := math.Copysign(0, -1)
	both := func(name string, data any) []Tensor {
		return []Tensor{
			{name + "_typed", tensor.Tensor{Shape: []int{1, 3}, Data: data}},
			{name + "_raw", tensor.Tensor{Shape: []int{1, 3}, Data: data}},
		}
	}
	var initializers []Tensor
	for _, pair := range [][]Tensor{
		both("float32", []float32{1.5, float32(negZero), 3e38}),
		both("float64", []float64{0.1, negZero, 1e300}),
		both("int32", []int32{math.MinInt32, 0, math.MaxInt32}),
		both("int64", []int64{math.MinInt64, 0, math.MaxInt64}),
		both("uint8", []uint8{0, 7, 255}),
		both("bool", []bool{true, false, true}),
		{{"scalar", tensor.Of([]float32{2.5}, []int{}...)}, {"empty", tensor.Of([]float32(nil), 0, 3)}},
	} {
		initializers = append(initializers, pair...)
	}
	branch := &Graph{
		Name:    "branch",
		Nodes:   []Node{{OpType: "Identity", Inputs: []string{"x"}, Outputs: []string{"y"}}},
		Outputs: []Value{{Name: "y", Type: Float32}},
	}
	return &Model{
		IRVersion:       8,
		Producer:        "golden.py",
		ProducerVersion: "1",
		Opsets:          []Opset{{"", 17}, {"test.rnnkit", 1}},
		Metadata:        []Property{{"rnnkit", `{"task": "forecast"}`}},
		Graph: Graph{
			Name: "golden",
			Nodes: []Node{
				{
					Name:    "all_kinds",
					OpType:  "Custom",
					Domain:  "test.rnnkit",
					Inputs:  []string{"x", "", "scalar"},
					Outputs: []string{"y", ""},
					Attributes: []Attribute{
						{"f", float32(-0.5)},
						{"floats", []float32{1, -2.5}},
						{"g", branch},
						{"i", int64(-7)},
						{"ints", []int64{1, -1, 1 << 40}},
						{"s", "grün"},
						{"strings", []string{"Tanh", ""}},
						{"t", Tensor{"constant", tensor.Of([]int64{3, -4}, 2)}},
						{"zero", int64(0)},
					},
				},
				{
					OpType:     "Custom",
					Domain:     "test.rnnkit",
					Inputs:     []string{"y"},
					Outputs:    []string{"z"},
					Attributes: []Attribute{{"axis", int64(2)}},
				},
			},
			Inputs: []Value{
				{Name: "x", Type: Float32, Shape: []Dim{{Symbol: "batch"}, {Size: -1}, {Size: 4}}},
				{Name: "h", Type: Float16, Shape: []Dim{}},
			},
			Outputs:      []Value{{Name: "z", Type: Int64, Shape: []Dim{{Size: 0}}}},
			Initializers: initializers,
		},
	}
}
