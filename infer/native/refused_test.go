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
	const recurrent, n = `node 0 (LSTM "n")`, `node 0`
	for _, test := range []struct {
		name  string
		model *onnxgraph.Model
		want  []string
	}{
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

		{"sequence_lens", layer("LSTM", setInput(4, ints64("lens", 1))), []string{recurrent, "sequence_lens", "lens"}},
		{"sequence_lens of a GRU", layer("GRU", setInput(4, ints64("lens", 1))), []string{`(GRU "n")`, "sequence_lens"}},
		{"peepholes", layer("LSTM", setInput(7, floats("P", 1, 6))), []string{recurrent, "peepholes", `"P"`}},
		{"clip", layer("LSTM", set("clip", float32(9))), []string{recurrent, "clip"}},
		{"clip of an RNN", layer("RNN", set("clip", float32(9))), []string{`(RNN "n")`, "clip"}},
		{"activations", layer("LSTM", set("activations", []string{"Relu", "Tanh", "Tanh"})), []string{recurrent, "activations", "Relu"}},
		{"activations of an RNN", layer("RNN", set("activations", []string{"Softsign"})), []string{"activations", "Softsign"}},
		{"too few activations", layer("GRU", set("activations", []string{"Sigmoid"})), []string{"activations"}},
		{"activation_alpha", layer("LSTM", set("activation_alpha", []float32{1})), []string{recurrent, "activation_alpha"}},
		{"activation_beta", layer("LSTM", set("activation_beta", []float32{1})), []string{recurrent, "activation_beta"}},
		{"input_forget", layer("LSTM", set("input_forget", int64(1))), []string{recurrent, "input_forget"}},
		{"layout", layer("LSTM", set("layout", int64(1))), []string{recurrent, "layout"}},
		{"layout before 14", layer("LSTM", set("layout", int64(0)), opset(13)), []string{recurrent, "layout"}},
		{"linear_before_reset", layer("GRU", set("linear_before_reset", int64(0))), []string{"linear_before_reset"}},
		{"linear_before_reset of an LSTM", layer("LSTM", set("linear_before_reset", int64(1))), []string{"linear_before_reset"}},
		{"output_sequence", layer("RNN", set("output_sequence", int64(1))), []string{"output_sequence"}},
		{"direction", layer("LSTM", set("direction", "backward")), []string{recurrent, "direction", "backward"}},
		{"hidden_size", layer("LSTM", set("hidden_size", int64(3))), []string{recurrent, "W", "[1 8 3]", "[1 12 -1]"}},
		{"hidden_size of 0", layer("LSTM", set("hidden_size", int64(0))), []string{recurrent, "hidden_size", "0"}},
		{"hidden_size too large", layer("LSTM", set("hidden_size", int64(1<<40))), []string{recurrent, "hidden_size"}},
		{"R", layer("LSTM", setInput(2, floats("R2", 1, 8, 3))), []string{recurrent, "R", "[1 8 3]", "[1 8 2]"}},
		{"B", layer("LSTM", setInput(3, floats("B2", 1, 8))), []string{recurrent, "B", "[1 8]", "[1 16]"}},
		{"one direction of weights", layer("LSTM", set("direction", "bidirectional")), []string{recurrent, "W", "[1 8 3]"}},
		{"initial_h", layer("LSTM", setInput(5, floats("h", 2, 1, 2))), []string{recurrent, "initial_h", "[2 1 2]"}},
		{"initial_c", layer("LSTM", setInput(6, floats("c", 1, 2))), []string{recurrent, "initial_c", "[1 2]"}},

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
		t.Run(test.name, func(t *testing.T) {
			_, err := New().Open(marshal(t, test.model))
			if err == nil {
				t.Fatal("the model was opened")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error does not have %s: %v", want, err)
				}
			}
		})
	}
	for name, data := range map[string][]byte{"empty": nil, "text": []byte("no model")} {
		if _, err := New().Open(data); err == nil {
			t.Errorf("%s: was opened", name)
		}
	}
}
