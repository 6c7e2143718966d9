package native

import (
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// TestRefused opens models that ask for what the engine does not have, or that
// are wrong. Each error names the node and the thing.
func TestRefused(t *testing.T) {
	add := func(attributes ...any) *onnxgraph.Model {
		return oneNode("Add", []onnxgraph.Tensor{floats("b", 3)}, attributes...)
	}
	changed := func(edits ...edit) *onnxgraph.Model { return change(add(), edits...) }
	const n = `node 0`
	for _, test := range []refusal{
		{"op", oneNode("Det", nil), []string{n, "Det"}},
		{"domain", changed(func(m *onnxgraph.Model) { m.Graph.Nodes[0].Domain = "com.microsoft" }), []string{n, "com.microsoft"}},
		{"no opset", changed(func(m *onnxgraph.Model) { m.Opsets[0].Domain = "other" }), []string{n, "opset"}},
		{"opset twice", changed(func(m *onnxgraph.Model) {
			m.Opsets = append(m.Opsets, onnxgraph.Opset{Domain: "ai.onnx", Version: 13})
		}), []string{"opset", "17", "13"}},
		{"no outputs", changed(func(m *onnxgraph.Model) { m.Graph.Outputs = nil }), []string{"no outputs", "export"}},
		{
			"metadata",
			changed(func(m *onnxgraph.Model) { m.Metadata = []onnxgraph.Property{{Key: "k"}, {Key: "k", Value: "v"}} }),
			[]string{"metadata", `"k"`, "twice"},
		},
		{"opset 0", changed(opset(0)), []string{"opset 0"}},
		{"opset of the future", changed(opset(NewestOpset + 1)), []string{"opset 29"}},
		{"Add of old", changed(opset(6)), []string{n, "Add", "opset 7", "6"}},
		{"Split of old", change(oneNode("Split", nil), opset(1)), []string{n, "Split", "opset 2"}},
		{
			"axes before opset 13", change(oneNode("Squeeze", []onnxgraph.Tensor{ints64("a", 0)}), opset(12)),
			[]string{n, `"a"`, "attribute", "axes", "opset 13"},
		},
		{"axes from opset 13 on", oneNode("Squeeze", nil, "axes", []int64{0}), []string{n, "axes"}},
		{
			"axes before opset 18", change(oneNode("ReduceMax", []onnxgraph.Tensor{ints64("a", 0)}), opset(17)),
			[]string{n, `"a"`, "axes", "opset 18"},
		},
		{"bounds before opset 11", change(oneNode("Clip", []onnxgraph.Tensor{floats("b", 1)}), opset(10)), []string{n, "opset 11"}},
		{
			"training",
			oneNode("Dropout", []onnxgraph.Tensor{{Name: "r", Tensor: tensor.Of([]float32{0.5})}, {Name: "t", Tensor: tensor.Of([]bool{true})}}),
			[]string{n, "training_mode", `"t"`},
		},
		{
			"BatchNormalization in training",
			oneNode(
				"BatchNormalization", []onnxgraph.Tensor{floats("a", 3), floats("b", 3), floats("c", 3), floats("d", 3)},
				"training_mode", int64(1),
			),
			[]string{n, "training_mode"},
		},
		{
			"reduction", oneNode("ScatterElements", []onnxgraph.Tensor{ints64("i"), floats("u", 0)}, "reduction", "max"),
			[]string{n, "reduction", "max", "opset 18"},
		},
		{"equation", oneNode("Einsum", nil, "equation", "ij->k"), []string{n, "equation", "ij->k"}},
		{"terms of an equation", oneNode("Einsum", nil, "equation", "ij,jk->ik"), []string{n, "2 terms", "1 inputs"}},
		{"auto_pad", oneNode("MaxPool", nil, "kernel_shape", []int64{1}, "auto_pad", "HALF"), []string{n, "auto_pad", "HALF"}},
		{"strides", oneNode("MaxPool", nil, "kernel_shape", []int64{1}, "strides", []int64{0}), []string{n, "strides", "0"}},
		{"mode", oneNode("Pad", []onnxgraph.Tensor{ints64("p", 0, 0, 0, 0)}, "mode", "wrap"), []string{n, "mode", "wrap", "opset 19"}},
		{"fmod", oneNode("Mod", []onnxgraph.Tensor{floats("b", 3)}, "fmod", int64(2)), []string{n, "fmod", "2"}},
		{"type of a Cast", oneNode("Cast", nil, "to", int64(8)), []string{n, "string"}},
		{"no branch", graph(call("If", []string{"x"}, []string{"y"})), []string{n, "float32", "bool"}},
		{
			"types of branches",
			branches(onnxgraph.Graph{Outputs: []onnxgraph.Value{{Name: "x"}}}, onnxgraph.Graph{Outputs: []onnxgraph.Value{{Name: "c"}}}),
			[]string{"node 1", "output 0", "float32", "bool"},
		},
		{
			"outputs of branches", branches(onnxgraph.Graph{Outputs: []onnxgraph.Value{{Name: "x"}}}, onnxgraph.Graph{}),
			[]string{"node 1", "1 outputs", "1 and 0"},
		},
		{
			"node of a branch",
			branches(
				onnxgraph.Graph{Outputs: []onnxgraph.Value{{Name: "x"}}},
				onnxgraph.Graph{Nodes: []onnxgraph.Node{call("Det", []string{"x"}, []string{"z"})}, Outputs: []onnxgraph.Value{{Name: "z"}}},
			),
			[]string{"node 1", "else_branch", `node 0 (Det "n")`},
		},
		{
			"what a branch reads",
			branches(onnxgraph.Graph{Outputs: []onnxgraph.Value{{Name: "x"}}}, onnxgraph.Graph{Outputs: []onnxgraph.Value{{Name: "y"}}}),
			[]string{"node 1", "cycle", `"y"`},
		},

		{"attribute", add("axis", int64(1)), []string{n, "axis"}},
		{"type of an attribute", oneNode("Transpose", nil, "perm", int64(1)), []string{n, "perm", "int64", "[]int64"}},
		{"attribute twice", oneNode("Transpose", nil, "perm", []int64{1, 0}, "perm", []int64{1, 0}), []string{n, "perm", "twice"}},
		{"perm", oneNode("Transpose", nil, "perm", []int64{1, 1}), []string{n, "perm", "[1 1]"}},
		{"no axis", oneNode("Concat", nil), []string{n, "axis"}},
		{"allowzero", oneNode("Reshape", []onnxgraph.Tensor{ints64("s", 6)}, "allowzero", int64(2)), []string{n, "allowzero"}},
		{"start before opset 15", change(oneNode("Shape", nil, "start", int64(0)), opset(14)), []string{n, "start"}},
		{"num_outputs before opset 18", oneNode("Split", nil, "num_outputs", int64(1)), []string{n, "num_outputs"}},
		{"num_outputs missing", change(oneNode("Split", nil), opset(18)), []string{n, "num_outputs"}},
		{"num_outputs", change(oneNode("Split", nil, "num_outputs", int64(2)), opset(18)), []string{n, "num_outputs", "2"}},
		{"value of a constant", graph(call("Constant", nil, []string{"y"}, "value_string", "s")), []string{n, "value_string"}},
		{"no value of a constant", graph(call("Constant", nil, []string{"y"})), []string{n, "value"}},

		{"too few inputs", graph(call("Add", []string{"x"}, []string{"y"})), []string{n, "input 1"}},
		{"input left out", graph(call("Add", []string{"x", ""}, []string{"y"})), []string{n, "input 1"}},
		{"too many inputs", graph(call("Add", []string{"x", "x", "x"}, []string{"y"})), []string{n, "3 inputs"}},
		{"too many outputs", graph(call("Add", []string{"x", "x"}, []string{"y", "z"})), []string{n, "2 outputs"}},
		{"no output", graph(call("Add", []string{"x", "x"}, nil)), []string{n, "output 0"}},
		{"part of Concat left out", graph(call("Concat", []string{"x", ""}, []string{"y"}, "axis", int64(0))), []string{n, "input 1"}},

		{"nothing writes it", graph(call("Add", []string{"x", "z"}, []string{"y"})), []string{n, `"z"`, "nothing"}},
		{"cycle", graph(call("Add", []string{"x", "y"}, []string{"y"})), []string{n, `"y"`, "cycle"}},
		{
			"written twice",
			graph(call("Identity", []string{"x"}, []string{"y"}), call("Identity", []string{"x"}, []string{"y"})),
			[]string{"node 1", `"y"`, "node 0"},
		},
		{"an input written", graph(call("Identity", []string{"x"}, []string{"x"})), []string{n, `"x"`, "input"}},
		{"initializer twice", changed(func(m *onnxgraph.Model) {
			m.Graph.Initializers = append(m.Graph.Initializers, floats("b", 3))
		}), []string{`"b"`, "initializer"}},
		{
			"input twice",
			changed(func(m *onnxgraph.Model) { m.Graph.Inputs = append(m.Graph.Inputs, m.Graph.Inputs[0]) }),
			[]string{`"x"`, "input"},
		},
		{
			"input without a name",
			changed(func(m *onnxgraph.Model) { m.Graph.Inputs = append(m.Graph.Inputs, onnxgraph.Value{}) }),
			[]string{"input 1"},
		},
		{"output that nothing writes", changed(func(m *onnxgraph.Model) { m.Graph.Outputs[0].Name = "z" }), []string{"output", `"z"`}},
		{
			"output twice",
			changed(func(m *onnxgraph.Model) { m.Graph.Outputs = append(m.Graph.Outputs, m.Graph.Outputs[0]) }),
			[]string{"output", `"y"`, "twice"},
		},

		{"type of an input", changed(func(m *onnxgraph.Model) { m.Graph.Inputs[0].Type = onnxgraph.Int8 }), []string{`input "x"`, "int8"}},
		{
			"input without a type", changed(func(m *onnxgraph.Model) { m.Graph.Inputs[0].Type = onnxgraph.Undefined }),
			[]string{`input "x"`, "undefined"},
		},
		{
			"type of an initializer", oneNode("Add", []onnxgraph.Tensor{{Name: "b", Tensor: tensor.Of([]int32{1}, 1)}}),
			[]string{n, `"b"`, "int32", "float32"},
		},
		{
			"type of an output", changed(func(m *onnxgraph.Model) { m.Graph.Outputs[0].Type = onnxgraph.Int64 }),
			[]string{`output "y"`, "int64", "float32"},
		},
		{"types of a node", oneNode("Add", []onnxgraph.Tensor{ints64("b", 1)}), []string{n, "input 1", `"b"`, "int64", "float32"}},
		{"type of indices", oneNode("Gather", []onnxgraph.Tensor{floats("i", 1)}), []string{n, `"i"`, "float32", "int64"}},
		{
			"Softmax of integers",
			graph(call("Shape", []string{"x"}, []string{"s"}), call("Softmax", []string{"s"}, []string{"y"})),
			[]string{"node 1", `"s"`, "int64"},
		},
		{
			"default of an input",
			changed(func(m *onnxgraph.Model) { m.Graph.Initializers = append(m.Graph.Initializers, floats("x", 3)) }),
			[]string{`input "x"`, "[3]"},
		},
		{
			"type of a default",
			changed(func(m *onnxgraph.Model) { m.Graph.Initializers = append(m.Graph.Initializers, ints64("x", 3)) }),
			[]string{`input "x"`, "int64"},
		},
		{
			"metadata", changed(func(m *onnxgraph.Model) { m.Metadata = []onnxgraph.Property{{Key: "k"}, {Key: "k"}} }),
			[]string{"metadata", `"k"`},
		},
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
