package native

import (
	"context"
	"strings"
	"testing"
	"unicode"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// hostile is a name that would forge a line and clear the screen.
const hostile = "x\nrnnkit: wrote it\x1b[2J\r\u0085"

// checkLine fails on an error that is not one line of what can be printed.
func checkLine(t testing.TB, err error) {
	t.Helper()
	if err != nil && strings.ContainsFunc(err.Error(), unicode.IsControl) {
		t.Errorf("the error is not one line that can be printed: %q", err)
	}
}

// TestErrorsAreLines gives each string of some models in turn a name that is no line, and
// looks at what is said of it.
func TestErrorsAreLines(t *testing.T) {
	broken := oneNode("Add", []onnxgraph.Tensor{floats("b", 7)}) // in a run
	failing := func(op string, attributes ...any) *onnxgraph.Model {
		return oneNode(op, []onnxgraph.Tensor{ints64("b", 7)}, attributes...)
	}
	for _, m := range []*onnxgraph.Model{
		everything(), counting(), layer("LSTM", set("direction", "sideways")), layer("RNN", set("activations", []string{"Tan"})),
		broken, failing("Pad", "mode", hostile), failing("Einsum", "equation", hostile),
		failing("ScatterND", "reduction", hostile), failing("Det"),
		layer("GRU", set("direction", hostile)), failing("Transpose", "perm", hostile), failing("Gelu", "approximate", hostile),
	} {
		m.Metadata = append(m.Metadata, onnxgraph.Property{Key: "k", Value: "v"})
		for _, s := range stringsOf(m) {
			before := *s
			*s = hostile
			said(t, marshal(t, m))
			*s = before
		}
	}
}

// said opens and runs a model, and looks at the errors.
func said(t *testing.T, model []byte) {
	session, err := New().Open(model)
	checkLine(t, err)
	if err != nil {
		return
	}
	inputs := tensors{}
	for _, v := range session.Inputs() {
		inputs[v.Name] = sample(v)
		_, err := session.Run(t.Context(), tensors{"no": sample(v)})
		checkLine(t, err)
	}
	_, err = session.Run(context.Background(), inputs)
	checkLine(t, err)
	for name := range inputs {
		inputs[name] = tensor.Zeros(tensor.Int32, 1)
	}
	_, err = session.Run(context.Background(), inputs)
	checkLine(t, err)
}

// stringsOf returns all names and string attributes of a model.
func stringsOf(m *onnxgraph.Model) []*string {
	list := stringsOfGraph(&m.Graph)
	for i := range m.Opsets {
		list = append(list, &m.Opsets[i].Domain)
	}
	for i := range m.Metadata {
		list = append(list, &m.Metadata[i].Key, &m.Metadata[i].Value)
	}
	return list
}

func stringsOfGraph(g *onnxgraph.Graph) []*string {
	list := []*string{&g.Name}
	for _, values := range [][]onnxgraph.Value{g.Inputs, g.Outputs} {
		for i := range values {
			list = append(list, &values[i].Name)
			for k := range values[i].Shape {
				list = append(list, &values[i].Shape[k].Symbol)
			}
		}
	}
	for i := range g.Initializers {
		list = append(list, &g.Initializers[i].Name)
	}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		list = append(list, &n.Name, &n.OpType, &n.Domain)
		for k := range n.Inputs {
			list = append(list, &n.Inputs[k])
		}
		for k := range n.Outputs {
			list = append(list, &n.Outputs[k])
		}
		for k := range n.Attributes {
			a := &n.Attributes[k]
			list = append(list, &a.Name)
			switch v := a.Value.(type) {
			case []string:
				for j := range v {
					list = append(list, &v[j])
				}
			case *onnxgraph.Graph:
				list = append(list, stringsOfGraph(v)...)
			}
		}
	}
	return list
}
