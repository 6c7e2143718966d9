package native

import (
	"slices"
	"testing"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/onnxtest"
)

// TestFuseTransposes runs layers with Transposes around them, once as exporters write
// them, and once with every value an output, which leaves the Transposes alone.
func TestFuseTransposes(t *testing.T) {
	const time, batch = 5, 3
	around := func(after ...onnxgraph.Node) edit {
		return func(m *onnxgraph.Model) {
			m.Graph.Inputs[0].Name = "batched"
			m.Graph.Inputs[0].Shape = []onnxgraph.Dim{{Symbol: "batch"}, {Symbol: "time"}, {Size: 3}}
			m.Graph.Initializers = append(m.Graph.Initializers, ints64("one", 1))
			m.Graph.Nodes = slices.Concat([]onnxgraph.Node{call(
				"Transpose", []string{"batched"}, []string{"x"}, "perm", []int64{1, 0, 2},
			)}, m.Graph.Nodes, after)
			m.Graph.Outputs = []onnxgraph.Value{{Name: "z"}}
		}
	}
	squeezed := []onnxgraph.Node{
		call("Squeeze", []string{"y", "one"}, []string{"s"}),
		call("Transpose", []string{"s"}, []string{"z"}, "perm", []int64{1, 0, 2}),
	}
	old := slices.Clone(squeezed)
	old[0] = call("Squeeze", []string{"y"}, []string{"s"}, "axes", []int64{1})
	for name, m := range map[string]*onnxgraph.Model{
		"PyTorch":           layer("LSTM", around(squeezed...)),
		"PyTorch, opset 11": layer("GRU", around(old...), opset(11)),
		"directions":        layer("RNN", around(call("Transpose", []string{"y"}, []string{"z"}, "perm", []int64{0, 2, 1, 3}))),
		"batch, then time": layer(
			"LSTM", set("direction", "reverse"),
			around(call("Transpose", []string{"y"}, []string{"z"}, "perm", []int64{2, 0, 1, 3})),
		),
		"nothing after": layer("LSTM", around(call("Identity", []string{"y"}, []string{"z"}))),
	} {
		t.Run(name, func(t *testing.T) {
			checkFused(t, m, "Transpose", "batched", floats("x", batch, time, 3), 0)
		})
	}
}

// TestFuseBetweenLayers runs two layers, the second over what is the batch of the first:
// the Transpose between them is what both would do without.
func TestFuseBetweenLayers(t *testing.T) {
	m := layer("LSTM", func(m *onnxgraph.Model) {
		m.Graph.Initializers = append(m.Graph.Initializers, ints64("one", 1), floats("W2", 1, 3, 2), floats("R2", 1, 3, 3))
		m.Graph.Nodes = append(m.Graph.Nodes,
			call("Squeeze", []string{"y", "one"}, []string{"s"}),
			call("Transpose", []string{"s"}, []string{"turned"}, "perm", []int64{1, 0, 2}),
			call("RNN", []string{"turned", "W2", "R2"}, []string{"z"}, "hidden_size", int64(3)))
		m.Graph.Outputs = []onnxgraph.Value{{Name: "z"}}
	})
	inputs := tensors{"x": valueOf(floats("x", 4, 3, 3))}
	got := run(t, open(t, m), inputs)["z"]
	m.Graph.Outputs = append(m.Graph.Outputs, onnxgraph.Value{Name: "y"}, onnxgraph.Value{Name: "s"}, onnxgraph.Value{Name: "turned"})
	if err := onnxtest.Compare(got, run(t, open(t, m), inputs)["z"], 0, 1e-6); err != nil {
		t.Error(err)
	}
}

// TestFuseBias runs a dense layer in the same two ways.
func TestFuseBias(t *testing.T) {
	for name, m := range map[string]*onnxgraph.Model{
		"product first": graph(call("MatMul", []string{"x", "W"}, []string{"p"}), call("Add", []string{"p", "b"}, []string{"z"})),
		"bias first":    graph(call("MatMul", []string{"x", "W"}, []string{"p"}), call("Add", []string{"b", "p"}, []string{"z"})),
	} {
		t.Run(name, func(t *testing.T) {
			m.Graph.Inputs[0].Shape = []onnxgraph.Dim{{Symbol: "batch"}, {Symbol: "time"}, {Size: 3}}
			m.Graph.Initializers = []onnxgraph.Tensor{floats("W", 3, 5), floats("b", 5)}
			m.Graph.Outputs = []onnxgraph.Value{{Name: "z"}}
			checkFused(t, m, "Add", "x", floats("x", 2, 4, 3), 1e-6)
		})
	}
}

// TestBiasOfIntegers adds to a product of integers, which stay two nodes.
func TestBiasOfIntegers(t *testing.T) {
	m := graph(call("MatMul", []string{"x", "W"}, []string{"p"}), call("Add", []string{"p", "b"}, []string{"y"}))
	m.Graph.Inputs[0].Type = onnxgraph.Int64
	m.Graph.Initializers = []onnxgraph.Tensor{{Name: "W", Tensor: tensor.Of([]int64{1, 2, 3, 4, 5, 6}, 3, 2)}, ints64("b", 10, 20)}
	got := run(t, open(t, m), tensors{"x": tensor.Of([]int64{1, 0, 0, 1, 1, 1}, 2, 3)})["y"]
	if want := []int64{11, 22, 19, 32}; !slices.Equal(got.Data.([]int64), want) {
		t.Errorf("the answer is %v, not %v", got.Data, want)
	}
}

// TestFuseEmbedding runs layers that read rows of a table, as a constant and as
// an input, of which nothing is known before a run.
func TestFuseEmbedding(t *testing.T) {
	const vocabulary = 5
	batchFirst := []onnxgraph.Node{
		call("Gather", []string{"table", "tokens"}, []string{"batched"}),
		call("Transpose", []string{"batched"}, []string{"x"}, "perm", []int64{1, 0, 2}),
	}
	timeFirst := []onnxgraph.Node{call("Gather", []string{"table", "tokens"}, []string{"x"}, "axis", int64(0))}
	reading := func(nodes []onnxgraph.Node) edit {
		return func(m *onnxgraph.Model) {
			m.Graph.Inputs = []onnxgraph.Value{{Name: "tokens", Type: onnxgraph.Int64, Shape: []onnxgraph.Dim{{Size: -1}, {Size: -1}}}}
			m.Graph.Initializers = append(m.Graph.Initializers, floats("table", vocabulary, 3))
			m.Graph.Nodes = slices.Concat(nodes, m.Graph.Nodes)
		}
	}
	int32s := func(m *onnxgraph.Model) { m.Graph.Inputs[0].Type = onnxgraph.Int32 }
	for name, m := range map[string]*onnxgraph.Model{
		"batch first": layer("LSTM", reading(batchFirst)),
		"time first":  layer("GRU", reading(timeFirst)),
		"int32":       layer("RNN", reading(batchFirst), int32s),
		"reverse":     layer("GRU", set("direction", "reverse"), reading(batchFirst)),
	} {
		t.Run(name, func(t *testing.T) {
			known, r := open(t, m), runnerOf(t, m)
			m.Graph.Inputs = append(m.Graph.Inputs, onnxgraph.Value{
				Name: "table", Type: onnxgraph.Float32, Shape: []onnxgraph.Dim{{Size: vocabulary}, {Size: 3}},
			})
			unknown := open(t, m)
			for _, shape := range [][]int{{2, 4}, {3, 2}, {1, 1}, {40, 40}, {3, 2}} {
				n, _ := product(shape...)
				tokens := make([]int64, n)
				for i := range tokens {
					tokens[i] = int64(i*7%(2*vocabulary) - vocabulary)
				}
				input := tensor.Of(tokens, shape...)
				if m.Graph.Inputs[0].Type == onnxgraph.Int32 {
					narrow := make([]int32, n)
					for i, token := range tokens {
						narrow[i] = int32(token)
					}
					input.Data = narrow
				}
				got, want := run(t, known, tensors{"tokens": input}), run(t, unknown, tensors{"tokens": input})
				for name := range want {
					if err := onnxtest.Compare(got[name], want[name], 0, 1e-6); err != nil {
						t.Errorf("shape %v: %s: %v", shape, name, err)
					}
				}
			}
			tokens := tensor.Of([]int64{1, 2}, 2, 1)
			if m.Graph.Inputs[0].Type == onnxgraph.Int32 {
				tokens.Data = []int32{1, 2}
			}
			outputs := make([]*tensor.Tensor, len(r.program.outputs))
			outputs[0] = new(tensor.Tensor)
			if err := r.run(t.Context(), []*tensor.Tensor{&tokens}, outputs); err != nil {
				t.Fatal(err)
			}
			if op := r.steps[len(r.steps)-1].kernel.(*recurrent[float32]); op.pick == nil {
				t.Error("nothing was tabulated")
			}
		})
	}
}

// checkFused runs m, in which no node of that operator must be computed, and
// compares its output z with that of the model in which every value is an output,
// so that all nodes are.
func checkFused(t *testing.T, m *onnxgraph.Model, operator, input string, x onnxgraph.Tensor, tolerance float64) {
	t.Helper()
	inputs := tensors{input: valueOf(x)}
	r := runnerOf(t, m)
	for _, s := range r.planFor([]*tensor.Tensor{{}}).steps {
		if r.program.nodes[s.node].OpType == operator {
			t.Errorf("node %d, of operator %s, is computed", s.node, operator)
		}
	}
	got := run(t, open(t, m), inputs, "z")["z"]
	for _, n := range m.Graph.Nodes[:len(m.Graph.Nodes)-1] {
		m.Graph.Outputs = append(m.Graph.Outputs, onnxgraph.Value{Name: n.Outputs[0]})
	}
	want := run(t, open(t, m), inputs)["z"]
	if err := onnxtest.Compare(got, want, 0, tolerance); err != nil {
		t.Error(err)
	}
}
