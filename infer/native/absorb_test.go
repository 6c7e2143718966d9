package native

import (
	"slices"
	"testing"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/onnxtest"
)

// TestAbsorb runs layers with Transposes around them, once as exporters write
// them, and once with every value an output, which leaves the Transposes alone.
func TestAbsorb(t *testing.T) {
	const time, batch = 5, 3
	around := func(after ...onnxgraph.Node) edit {
		return func(m *onnxgraph.Model) {
			m.Graph.Inputs[0].Name = "batched"
			m.Graph.Inputs[0].Shape = []onnxgraph.Dim{{Symbol: "batch"}, {Symbol: "time"}, {Size: 3}}
			m.Graph.Initializers = append(m.Graph.Initializers, ints64("one", 1))
			m.Graph.Nodes = slices.Concat([]onnxgraph.Node{call("Transpose", []string{"batched"}, []string{"x"}, "perm", []int64{1, 0, 2})}, m.Graph.Nodes, after)
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
		"batch, then time":  layer("LSTM", set("direction", "reverse"), around(call("Transpose", []string{"y"}, []string{"z"}, "perm", []int64{2, 0, 1, 3}))),
		"nothing after":     layer("LSTM", around(call("Identity", []string{"y"}, []string{"z"}))),
	} {
		t.Run(name, func(t *testing.T) {
			inputs := tensors{"batched": tensor(floats("x", batch, time, 3))}
			opened := open(t, m)
			p := opened.(*session).program.Load()
			r, err := newRunner(p, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range r.planFor(tensors{"z": {}}).steps {
				if op := p.nodes[s.node].OpType; op == "Transpose" {
					t.Errorf("node %d, a Transpose, is computed", s.node)
				}
			}
			got := run(t, opened, inputs, "z")["z"]
			for _, n := range m.Graph.Nodes[:len(m.Graph.Nodes)-1] {
				m.Graph.Outputs = append(m.Graph.Outputs, onnxgraph.Value{Name: n.Outputs[0]})
			}
			want := run(t, open(t, m), inputs)["z"]
			if err := onnxtest.Compare(got, want, 0, 0); err != nil {
				t.Error(err)
			}
		})
	}
}
