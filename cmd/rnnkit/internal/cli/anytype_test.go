package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/onnxpb"
	"github.com/rnnkit/rnnkit/internal/orttest"
)

// checkLines runs commands on a model, each with parts of what it must print on
// standard output and standard error together.
func checkLines(t *testing.T, path, stdin string, tests map[string]string) {
	t.Helper()
	for command, want := range tests {
		args := strings.Fields(command)
		_, out, errOut := runMain(stdin, append([]string{args[0], path}, args[1:]...)...)
		for _, line := range strings.Split(want, "\n") {
			if !regexp.MustCompile("(?m)" + strings.TrimSpace(line)).MatchString(errOut + out) {
				t.Errorf("%s: no line %q in\n%s%s", command, line, errOut, out)
			}
		}
	}
}

// TestQuantised has a model with weights in int8, which ONNX Runtime alone runs, in
// every verb that runs models.
func TestQuantised(t *testing.T) {
	orttest.Library(t)
	dims := []onnxgraph.Dim{{Symbol: "n"}, {Symbol: "m"}, {Size: 2}}
	data, err := onnxgraph.Marshal(&onnxgraph.Model{IRVersion: 8, Opsets: []onnxgraph.Opset{{Version: 17}}, Graph: onnxgraph.Graph{
		Name:    "g",
		Inputs:  []onnxgraph.Value{{Name: "x", Type: onnxgraph.Float32, Shape: dims}},
		Outputs: []onnxgraph.Value{{Name: "y", Type: onnxgraph.Float32, Shape: dims}},
		Initializers: []onnxgraph.Tensor{
			{Name: "w", Tensor: tensor.Of([]uint8{2, 0xfc}, 2)}, // as int8 2, -4
			{Name: "scale", Tensor: tensor.Of([]float32{0.5})},
		},
		Nodes: []onnxgraph.Node{
			{OpType: "DequantizeLinear", Inputs: []string{"w", "scale"}, Outputs: []string{"v"}},
			{OpType: "Mul", Inputs: []string{"x", "v"}, Outputs: []string{"y"}},
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	p := new(onnxpb.ModelProto)
	if err := proto.Unmarshal(data, p); err != nil {
		t.Fatal(err)
	}
	p.Graph.Initializer[0].DataType = proto.Int32(int32(onnxgraph.Number(onnxgraph.Int8)))
	if data, err = proto.Marshal(p); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	const refused = `tensor "w": type int8 is not supported, .*: run the model with ONNX Runtime$`
	checkLines(t, path, "1,2,3,-1\n", map[string]string{
		"inspect --run": "^parameters +3$\n^engines +native does not: " + refused + "\n^ +onnxruntime/cpu runs it$\n" +
			"^baked in +cannot be told: the native engine does not run",
		"inspect --dot": `label="DequantizeLinear"`,
		"infer --raw --input x=[[[1,2]]]": "^engine: onnxruntime/cpu \\(native: tensor \"w\": type int8 .*\\)$\n" +
			`^{"y":\[\[\[1,-4\]\]\]}$`,
		"infer --raw --engine native":                   refused,
		"infer --task classify":                         "^1,0,0.7310", // of 3 and 2
		"infer --task classify --engine native":         refused,
		"verify --engine onnxruntime":                   `^onnxruntime/cpu +0.0e\+00`,
		"verify --engine onnxruntime,native":            "^not compared: " + refused,
		"bench --engines onnxruntime --duration 1ms":    `^onnxruntime/cpu +32 +50 +- .*µs`,
		"bench --engines native":                        refused,
		"repair -o " + filepath.Join(t.TempDir(), "no"): "cannot be repaired: " + refused,
	})
}

// TestDoubleRecurrent has a recurrent node in float64, which ONNX Runtime does not run.
func TestDoubleRecurrent(t *testing.T) {
	orttest.Library(t)
	weights := func(name string) onnxgraph.Tensor {
		return onnxgraph.Tensor{Name: name, Tensor: tensor.Of([]float64{1, 1, 1, 1}, 1, 4, 1)}
	}
	data, err := onnxgraph.Marshal(&onnxgraph.Model{IRVersion: 8, Opsets: []onnxgraph.Opset{{Version: 17}}, Graph: onnxgraph.Graph{
		Name: "g",
		Inputs: []onnxgraph.Value{{
			Name: "x", Type: onnxgraph.Float64, Shape: []onnxgraph.Dim{{Symbol: "time"}, {Symbol: "batch"}, {Size: 1}},
		}},
		Outputs:      []onnxgraph.Value{{Name: "y", Type: onnxgraph.Float64}},
		Initializers: []onnxgraph.Tensor{weights("W"), weights("R")},
		Nodes: []onnxgraph.Node{{
			Name: "cell", OpType: "LSTM", Inputs: []string{"x", "W", "R"}, Outputs: []string{"y"},
			Attributes: []onnxgraph.Attribute{{Name: "hidden_size", Value: int64(1)}},
		}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	const refused = `onnxruntime/cpu: LSTM "cell" computes in float64`
	checkLines(t, path, "", map[string]string{
		"inspect":                         "^engines +native runs it$\n^ +onnxruntime/cpu does not: " + refused,
		"infer --raw --input x=[[[0.5]]]": "^engine: native$\n" + `^{"y":\[\[\[\[0.174`,
		"infer --raw --engine onnxruntime --input x=[[[0.5]]]": refused,
		"verify": "^not compared: " + refused + "\n" + `^native +0.0e\+00`,
		"repair -o " + filepath.Join(t.TempDir(), "o"): "^wrote \n" +
			"^not compared with onnxruntime/cpu, which does not run the model as it is: .*" + refused,
	})
}
