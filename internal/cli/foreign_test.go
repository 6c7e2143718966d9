package cli

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// TestForeignTasks strips our own models of their metadata: told what they are
// for, they must answer as before.
func TestForeignTasks(t *testing.T) {
	var series, rows strings.Builder
	for i := range 80 {
		fmt.Fprintf(&series, "%g\n", float64(i%25)/25)
	}
	for i := range 9 {
		fmt.Fprintf(&rows, "%d,%d,3,2.5,%d\n", i, 5-i, 2*i)
	}
	for _, test := range []struct {
		name, data string
		flags      func(m *infer.Model) []string
	}{
		{"sine", series.String(), func(m *infer.Model) []string {
			return []string{"--task", "forecast", "--window", fmt.Sprint(m.Metadata().Window)}
		}},
		{"trend", rows.String(), func(m *infer.Model) []string {
			return []string{"--task", "classify", "--labels", strings.Join(m.Metadata().Labels, ",")}
		}},
	} {
		path := filepath.Join("../../infer/testdata", test.name+".onnx")
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		model, err := infer.OpenBytes(data)
		if err != nil {
			t.Fatal(err)
		}
		defer model.Close()
		m, err := onnxgraph.Unmarshal(data)
		if err != nil {
			t.Fatal(err)
		}
		m.Metadata = nil
		if data, err = onnxgraph.Marshal(m); err != nil {
			t.Fatal(err)
		}
		stripped := filepath.Join(t.TempDir(), "m.onnx")
		if err := os.WriteFile(stripped, data, 0o666); err != nil {
			t.Fatal(err)
		}
		_, want, _ := runMain(test.data, "infer", path, "--engine", "native")
		status, got, errOut := runMain(test.data, append([]string{"infer", stripped, "--engine", "native"}, test.flags(model)...)...)
		if status != 0 || len(want) < 50 || got != want {
			t.Errorf("%s: status %d: %s\n%s, not\n%s", test.name, status, errOut, got, want)
		}
	}
}

// TestForeignAnswers: a model whose input goes through one operator, and through
// others that only move what that computes.
func TestForeignAnswers(t *testing.T) {
	const classes = "1,2,3,0.5,-1,2\n4,-1,0\n"
	three := []string{"1,2,0.7855", "2,0,0.9755"} // exp(2) / (exp(0.5) + exp(-1) + exp(2)), and the like
	for _, test := range []struct {
		features int
		data     string
		task     string
		nodes    string   // from x to y
		want     []string // how the lines after the header begin, or the error
	}{
		{3, classes, "classify", "Tanh Identity", []string{"1,2,0.5607", "2,0,0.6493"}},
		{3, classes, "classify", "Identity", three},
		{3, classes, "classify", "Softmax", three},
		{3, classes, "classify", "LogSoftmax", three},
		{3, classes, "classify", "Softmax Log", three},
		{3, classes, "classify", "Softmax Identity", three},
		{3, classes, "classify", "LogSoftmax Identity", three},
		{3, classes, "classify", "Softmax Cast", three},
		{3, classes, "classify", "Softmax Reshape", three},
		{3, classes, "classify", "Softmax Gather", three},
		{3, classes, "classify", "Softmax Gather Flatten", three},
		{3, classes, "classify", "Softmax Slice Squeeze", three},
		{3, classes, "classify", "Softmax Transpose GatherND", three},
		{3, classes, "classify", "Softmax Unsqueeze Squeeze", three},
		{3, classes, "classify", "Softmax Transpose Transpose", three},
		{1, "9,2\n-1\n", "classify", "Sigmoid", []string{"1,1,0.8807", "2,0,0.7310"}},
		{1, "9,2\n-1\n", "classify", "Sigmoid Slice Squeeze Squeeze", []string{"1,1,0.8807", "2,0,0.7310"}},
		{1, "9,2\n-1\n", "classify", "HardSigmoid Identity", []string{"1,1,0.9", "2,0,0.7"}},
		{1, "0\n1\n2\n", "forecast", "Sigmoid", []string{"1,0,", "2,1,0.5", "3,2,0.7310", "4,,0.8807"}},
		{3, classes, "classify", "Sigmoid Identity", []string{`output "y" comes from Sigmoid and is 3 wide`}},
		{1, "9,2\n-1\n", "classify", "Softmax", []string{`output "y" comes from Softmax and is 1 wide`}},
	} {
		path := writeChain(t, test.features, strings.Fields(test.nodes)...)
		status, got, errOut := runMain(test.data, "infer", path, "--task", test.task, "--layout", "x=btf", "--window", "1", "--engine", "native")
		_, got, _ = strings.Cut(got, "\n")
		if status != 0 {
			_, got, _ = strings.Cut(errOut, path+": ")
		}
		lines := strings.Split(strings.TrimSpace(got), "\n")
		if !slices.EqualFunc(lines, test.want, strings.HasPrefix) {
			t.Errorf("%s %s: status %d: %q, where lines must begin as %q", test.task, test.nodes, status, lines, test.want)
		}
	}
}

// writeChain writes a model that has x [batch, time, features] go through those
// operators, and returns its path.
func writeChain(t *testing.T, features int, operators ...string) string {
	t.Helper()
	x := onnxgraph.Value{Name: "x", Type: onnxgraph.Float32, Shape: []onnxgraph.Dim{{Symbol: "batch"}, {Symbol: "time"}, {Size: int64(features)}}}
	ints := func(name string, values ...int64) onnxgraph.Tensor {
		return onnxgraph.Tensor{Name: name, Shape: []int{len(values)}, Data: values}
	}
	constants := map[string][]string{
		"Gather": {"last"}, "GatherND": {"start"}, "Reshape": {"shape"}, "Slice": {"start", "end", "axis"}, "Squeeze": {"axis"}, "Unsqueeze": {"axis"},
	}
	attributes := map[string][]onnxgraph.Attribute{
		"Cast":      {{Name: "to", Value: int64(onnxgraph.Float32)}},
		"Gather":    {{Name: "axis", Value: int64(1)}},
		"Transpose": {{Name: "perm", Value: []int64{1, 0, 2}}},
	}
	g := onnxgraph.Graph{
		Name: "g", Inputs: []onnxgraph.Value{x}, Outputs: []onnxgraph.Value{{Name: "y", Type: onnxgraph.Float32}},
		Initializers: []onnxgraph.Tensor{
			ints("axis", 1), ints("start", -1), ints("end", math.MaxInt64), ints("shape", 0, -1, int64(features)),
			{Name: "last", Shape: []int{}, Data: []int64{-1}},
		},
	}
	value := "x"
	for i, op := range operators {
		next := fmt.Sprint("v", i)
		if i == len(operators)-1 {
			next = "y"
		}
		g.Nodes = append(g.Nodes, onnxgraph.Node{
			Name: next, OpType: op, Inputs: append([]string{value}, constants[op]...), Outputs: []string{next}, Attributes: attributes[op],
		})
		value = next
	}
	data, err := onnxgraph.Marshal(&onnxgraph.Model{IRVersion: 8, Opsets: []onnxgraph.Opset{{Version: 17}}, Graph: g})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}
