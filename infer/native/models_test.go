package native

import (
	"context"
	"testing"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// Models for the tests are built small and then changed: a graph that reads x
// and writes y, with nodes of which the first is changed by edits.

type edit func(*onnxgraph.Model)

func change(m *onnxgraph.Model, edits ...edit) *onnxgraph.Model {
	for _, e := range edits {
		e(m)
	}
	return m
}

// layer returns a model of one recurrent node, of 3 inputs and 2 hidden units.
func layer(op string, edits ...edit) *onnxgraph.Model {
	gates := map[string]int{"RNN": 1, "GRU": 3, "LSTM": 4}[op]
	outputs := []string{"y", "hn", "cn"}
	if op != "LSTM" {
		outputs = outputs[:2]
	}
	m := graph(call(op, []string{"x", "W", "R", "B"}, outputs, "hidden_size", int64(2)))
	m.Graph.Inputs[0].Shape = []onnxgraph.Dim{{Symbol: "time"}, {Symbol: "batch"}, {Size: 3}}
	m.Graph.Outputs = nil
	for _, name := range outputs {
		m.Graph.Outputs = append(m.Graph.Outputs, onnxgraph.Value{Name: name, Type: onnxgraph.Float32})
	}
	m.Graph.Initializers = []onnxgraph.Tensor{
		floats("W", 1, gates*2, 3), floats("R", 1, gates*2, 2), floats("B", 1, gates*4),
	}
	if op == "GRU" {
		set("linear_before_reset", int64(1))(m)
	}
	for _, e := range edits {
		e(m)
	}
	return m
}

// graph returns a model of opset 17 of those nodes. Its input x is float32
// [2, 3].
func graph(nodes ...onnxgraph.Node) *onnxgraph.Model {
	return &onnxgraph.Model{
		IRVersion: 8,
		Opsets:    []onnxgraph.Opset{{Version: 17}},
		Graph: onnxgraph.Graph{
			Name:    "g",
			Inputs:  []onnxgraph.Value{{Name: "x", Type: onnxgraph.Float32, Shape: []onnxgraph.Dim{{Size: 2}, {Size: 3}}}},
			Outputs: []onnxgraph.Value{{Name: "y"}},
			Nodes:   nodes,
		},
	}
}

// one returns a model of one node that reads x and constants, and writes y.
func oneNode(op string, constants []onnxgraph.Tensor, attributes ...any) *onnxgraph.Model {
	inputs := []string{"x"}
	for _, t := range constants {
		inputs = append(inputs, t.Name)
	}
	m := graph(call(op, inputs, []string{"y"}, attributes...))
	m.Graph.Initializers = constants
	return m
}

// call returns a node named "n" with attributes given as names and values.
func call(op string, inputs, outputs []string, attributes ...any) onnxgraph.Node {
	n := onnxgraph.Node{Name: "n", OpType: op, Inputs: inputs, Outputs: outputs}
	for i := 0; i < len(attributes); i += 2 {
		n.Attributes = append(n.Attributes, onnxgraph.Attribute{Name: attributes[i].(string), Value: attributes[i+1]})
	}
	return n
}

// branches returns a model that writes y with one of two graphs.
func branches(then, els onnxgraph.Graph) *onnxgraph.Model {
	return graph(
		call("Constant", nil, []string{"c"}, "value", onnxgraph.Tensor{Tensor: tensor.Of([]bool{true})}),
		call("If", []string{"c"}, []string{"y"}, "then_branch", &then, "else_branch", &els))
}

// counting returns a model of a Loop that adds x to itself three times, and
// lists what it has each time.
func counting() *onnxgraph.Model {
	body := &onnxgraph.Graph{
		Inputs:  []onnxgraph.Value{{Name: "i"}, {Name: "go"}, {Name: "sum"}},
		Outputs: []onnxgraph.Value{{Name: "on"}, {Name: "more"}, {Name: "each"}},
		Nodes: []onnxgraph.Node{
			call("Identity", []string{"go"}, []string{"on"}),
			call("Add", []string{"sum", "x"}, []string{"more"}),
			call("Mul", []string{"more", "x"}, []string{"each"}),
		},
	}
	return graph(
		call("Constant", nil, []string{"n"}, "value_int", int64(3)),
		call("Loop", []string{"n", "", "x"}, []string{"y", "all"}, "body", body))
}

// set gives the first node an attribute, or the one it has another value.
func set(name string, value any) edit {
	return func(m *onnxgraph.Model) {
		n := &m.Graph.Nodes[0]
		for i, a := range n.Attributes {
			if a.Name == name {
				n.Attributes[i].Value = value
				return
			}
		}
		n.Attributes = append(n.Attributes, onnxgraph.Attribute{Name: name, Value: value})
	}
}

// setInput makes a constant input i of the first node.
func setInput(i int, t onnxgraph.Tensor) edit {
	return func(m *onnxgraph.Model) {
		n := &m.Graph.Nodes[0]
		for len(n.Inputs) <= i {
			n.Inputs = append(n.Inputs, "")
		}
		n.Inputs[i] = t.Name
		m.Graph.Initializers = append(m.Graph.Initializers, t)
	}
}

func opset(version int64) edit {
	return func(m *onnxgraph.Model) { m.Opsets[0].Version = version }
}

// floats returns a tensor of small values that differ.
func floats(name string, shape ...int) onnxgraph.Tensor {
	n, _ := product(shape...)
	data := make([]float32, n)
	for i := range data {
		data[i] = float32((i*37+len(name)*11+int(name[0]))%101)/101 - 0.5
	}
	return onnxgraph.Tensor{Name: name, Tensor: tensor.Tensor{Shape: shape, Data: data}}
}

func ints64(name string, data ...int64) onnxgraph.Tensor {
	return onnxgraph.Tensor{Name: name, Tensor: tensor.Tensor{Shape: []int{len(data)}, Data: data}}
}

func valueOf(t onnxgraph.Tensor) tensor.Tensor { return t.Tensor }

func marshal(t testing.TB, m *onnxgraph.Model) []byte {
	t.Helper()
	data, err := onnxgraph.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func open(t testing.TB, m *onnxgraph.Model) engine.Session {
	t.Helper()
	session, err := New().Open(marshal(t, m))
	if err != nil {
		t.Fatal(err)
	}
	return session
}

// runnerOf returns a runner of m, of which a session would have a pool.
func runnerOf(t testing.TB, m *onnxgraph.Model) *runner {
	t.Helper()
	m, err := onnxgraph.Unmarshal(marshal(t, m))
	if err != nil {
		t.Fatal(err)
	}
	p, err := compile(t.Context(), m, DefaultMemory, 0)
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.newRunner(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

type tensors = map[string]tensor.Tensor

func run(t testing.TB, session engine.Session, inputs tensors, outputs ...string) tensors {
	t.Helper()
	results, err := session.Run(context.Background(), inputs, outputs...)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

// runInto runs a session on tensors by name.
func runInto(session engine.Session, inputs, outputs tensors) error {
	var b engine.Binding
	if err := b.Bind(session, inputs, outputs); err != nil {
		return err
	}
	defer b.Release(session, outputs)
	return session.(engine.Refiller).RunInto(context.Background(), b.Inputs, b.Outputs)
}

// again returns a run of a session that should allocate nothing.
func again(t *testing.T, session engine.Session, inputs, outputs tensors) func() {
	t.Helper()
	var b engine.Binding
	if err := b.Bind(session, inputs, outputs); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := session.(engine.Refiller).RunInto(context.Background(), b.Inputs, b.Outputs); err != nil {
			t.Fatal(err)
		}
	}
}
