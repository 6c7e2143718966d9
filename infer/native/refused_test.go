package native

import (
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// TestRefused opens models that ask for what the engine does not have, or that
// are wrong. Each error names the node and the thing.
func TestRefused(t *testing.T) {
	change := func(m *onnxgraph.Model, edits ...edit) *onnxgraph.Model {
		for _, e := range edits {
			e(m)
		}
		return m
	}
	add := func(attributes ...any) *onnxgraph.Model {
		return one("Add", []onnxgraph.Tensor{floats("b", 3)}, attributes...)
	}
	changed := func(edits ...edit) *onnxgraph.Model { return change(add(), edits...) }
	const n = `node 0`
	for _, test := range []refusal{
		{"op", one("Relu", nil), []string{n, "Relu"}},
		{"domain", changed(func(m *onnxgraph.Model) { m.Graph.Nodes[0].Domain = "com.microsoft" }), []string{n, "com.microsoft"}},
		{"no opset", changed(func(m *onnxgraph.Model) { m.Opsets[0].Domain = "other" }), []string{n, "opset"}},
		{"opset twice", changed(func(m *onnxgraph.Model) {
			m.Opsets = append(m.Opsets, onnxgraph.Opset{Domain: "ai.onnx", Version: 13})
		}), []string{"opset", "twice"}},
		{"opset 0", changed(opset(0)), []string{"opset 0"}},
		{"opset of the future", changed(opset(newestOpset + 1)), []string{"opset 29"}},
		{"Add of old", changed(opset(6)), []string{n, "Add", "opset 7", "6"}},
		{"Split of old", change(one("Split", nil), opset(12)), []string{n, "Split", "opset 13"}},
		{"Squeeze of old", change(one("Squeeze", nil), opset(11)), []string{n, "Squeeze", "opset 13"}},

		{"attribute", add("axis", int64(1)), []string{n, "axis"}},
		{"type of an attribute", one("Transpose", nil, "perm", int64(1)), []string{n, "perm", "int64", "[]int64"}},
		{"attribute twice", one("Transpose", nil, "perm", []int64{1, 0}, "perm", []int64{1, 0}), []string{n, "perm", "twice"}},
		{"perm", one("Transpose", nil, "perm", []int64{1, 1}), []string{n, "perm", "[1 1]"}},
		{"no axis", one("Concat", nil), []string{n, "axis"}},
		{"allowzero", one("Reshape", []onnxgraph.Tensor{ints64("s", 6)}, "allowzero", int64(1)), []string{n, "allowzero"}},
		{"start before opset 15", change(one("Shape", nil, "start", int64(0)), opset(14)), []string{n, "start"}},
		{"num_outputs before opset 18", one("Split", nil, "num_outputs", int64(1)), []string{n, "num_outputs"}},
		{"num_outputs missing", change(one("Split", nil), opset(18)), []string{n, "num_outputs"}},
		{"num_outputs", change(one("Split", nil, "num_outputs", int64(2)), opset(18)), []string{n, "num_outputs", "2"}},
		{"value of a constant", graph(call("Constant", nil, []string{"y"}, "value_string", "s")), []string{n, "value_string"}},
		{"no value of a constant", graph(call("Constant", nil, []string{"y"})), []string{n, "value"}},
		{"type of a constant", graph(call("Constant", nil, []string{"y"}, "value", onnxgraph.Tensor{Data: []float64{1}, Shape: []int{1}})), []string{n, "float64"}},

		{"too few inputs", graph(call("Add", []string{"x"}, []string{"y"})), []string{n, "input 1"}},
		{"input left out", graph(call("Add", []string{"x", ""}, []string{"y"})), []string{n, "input 1"}},
		{"too many inputs", graph(call("Add", []string{"x", "x", "x"}, []string{"y"})), []string{n, "3 inputs"}},
		{"too many outputs", graph(call("Add", []string{"x", "x"}, []string{"y", "z"})), []string{n, "2 outputs"}},
		{"no output", graph(call("Add", []string{"x", "x"}, nil)), []string{n, "output 0"}},
		{"part of Concat left out", graph(call("Concat", []string{"x", ""}, []string{"y"}, "axis", int64(0))), []string{n, "input 1"}},

		{"nothing writes it", graph(call("Add", []string{"x", "z"}, []string{"y"})), []string{n, `"z"`, "nothing"}},
		{"written later", graph(call("Add", []string{"x", "z"}, []string{"y"}), call("Identity", []string{"x"}, []string{"z"})), []string{n, `"z"`, `node 1 (Identity "n")`}},
		{"cycle", graph(call("Add", []string{"x", "y"}, []string{"y"})), []string{n, `"y"`, "cycle"}},
		{"written twice", graph(call("Identity", []string{"x"}, []string{"y"}), call("Identity", []string{"x"}, []string{"y"})), []string{"node 1", `"y"`, "node 0"}},
		{"an input written", graph(call("Identity", []string{"x"}, []string{"x"})), []string{n, `"x"`, "input"}},
		{"initializer twice", changed(func(m *onnxgraph.Model) {
			m.Graph.Initializers = append(m.Graph.Initializers, floats("b", 3))
		}), []string{`"b"`, "initializer"}},
		{"input twice", changed(func(m *onnxgraph.Model) { m.Graph.Inputs = append(m.Graph.Inputs, m.Graph.Inputs[0]) }), []string{`"x"`, "input"}},
		{"input without a name", changed(func(m *onnxgraph.Model) { m.Graph.Inputs = append(m.Graph.Inputs, onnxgraph.Value{}) }), []string{"input 1"}},
		{"output that nothing writes", changed(func(m *onnxgraph.Model) { m.Graph.Outputs[0].Name = "z" }), []string{"output", `"z"`}},
		{"output twice", changed(func(m *onnxgraph.Model) { m.Graph.Outputs = append(m.Graph.Outputs, m.Graph.Outputs[0]) }), []string{"output", `"y"`, "twice"}},

		{"type of an input", changed(func(m *onnxgraph.Model) { m.Graph.Inputs[0].Type = onnxgraph.Float64 }), []string{`input "x"`, "float64"}},
		{"input without a type", changed(func(m *onnxgraph.Model) { m.Graph.Inputs[0].Type = 0 }), []string{`input "x"`, "undefined"}},
		{"input without a shape", changed(func(m *onnxgraph.Model) { m.Graph.Inputs[0].Shape = nil }), []string{`input "x"`, "shape"}},
		{"type of an initializer", one("Add", []onnxgraph.Tensor{{Name: "b", Shape: []int{1}, Data: []int32{1}}}), []string{`initializer "b"`, "int32"}},
		{"type of an output", changed(func(m *onnxgraph.Model) { m.Graph.Outputs[0].Type = onnxgraph.Int64 }), []string{`output "y"`, "int64", "float32"}},
		{"types of a node", one("Add", []onnxgraph.Tensor{ints64("b", 1)}), []string{n, "input 1", `"b"`, "int64", "float32"}},
		{"type of indices", one("Gather", []onnxgraph.Tensor{floats("i", 1)}), []string{n, `"i"`, "float32", "int64"}},
		{"MatMul of integers", graph(call("Shape", []string{"x"}, []string{"s"}), call("MatMul", []string{"s", "s"}, []string{"y"})), []string{"node 1", "int64", "float32"}},
		{"default of an input", changed(func(m *onnxgraph.Model) { m.Graph.Initializers = append(m.Graph.Initializers, floats("x", 3)) }), []string{`input "x"`, "[3]"}},
		{"type of a default", changed(func(m *onnxgraph.Model) { m.Graph.Initializers = append(m.Graph.Initializers, ints64("x", 3)) }), []string{`input "x"`, "int64"}},
		{"metadata", changed(func(m *onnxgraph.Model) { m.Metadata = []onnxgraph.Property{{Key: "k"}, {Key: "k"}} }), []string{"metadata", `"k"`}},
	} {
		test.check(t)
	}
	for name, data := range map[string][]byte{"empty": nil, "text": []byte("no model")} {
		if _, err := New().Open(data); err == nil {
			t.Errorf("%s: was opened", name)
		}
	}
}

// refusal is a model that must not open, and what the error must have.
type refusal struct {
	name  string
	model *onnxgraph.Model
	want  []string
}

func (r refusal) check(t *testing.T) {
	t.Run(r.name, func(t *testing.T) {
		_, err := New().Open(marshal(t, r.model))
		if err == nil {
			t.Fatal("the model was opened")
		}
		for _, want := range r.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error does not have %s: %v", want, err)
			}
		}
	})
}
