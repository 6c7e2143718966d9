package onnxgraph

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/rnnkit/rnnkit/internal/onnxpb"
)

// Change is what is changed in the graph of a file. All else stays as it is, also
// what a [Model] cannot hold, but that calls of functions become nodes.
type Change struct {
	Inputs, Outputs []Value // that come after those of the graph
	First, Last     []Node  // that come before and after those of the graph

	// Nodes has new names for inputs and outputs of nodes of the graph. A node is
	// known by one of its outputs.
	Nodes map[string]Names
	// Shapes has what the inputs and outputs of those names declare instead.
	Shapes map[string][]Dim
}

// Names are new names for what a node reads and writes, by their places.
type Names struct{ Inputs, Outputs map[int]string }

// Apply returns the bytes of a file, given those before the change.
func (c *Change) Apply(data []byte) ([]byte, error) {
	p, err := parse(data)
	if err != nil {
		return nil, err
	}
	_ = inline(p, len(data)) // where that fails, calls stay calls, as in an Outline
	added, err := graphProto(&Graph{Inputs: c.Inputs, Outputs: c.Outputs, Nodes: append(append([]Node{}, c.First...), c.Last...)})
	if err != nil {
		return nil, err
	}
	if changed := c.rename(p.Graph.Node); changed != len(c.Nodes) {
		return nil, fmt.Errorf("of %d nodes to change the graph has %d", len(c.Nodes), changed)
	}
	c.reshape(p.Graph.Input)
	c.reshape(p.Graph.Output)
	p.Graph.Input = append(p.Graph.Input, added.Input...)
	p.Graph.Output = append(p.Graph.Output, added.Output...)
	nodes := append([]*onnxpb.NodeProto{}, added.Node[:len(c.First)]...)
	p.Graph.Node = append(append(nodes, p.Graph.Node...), added.Node[len(c.First):]...)
	return proto.MarshalOptions{Deterministic: true}.Marshal(p)
}

// ApplyTo returns m after the change. It shares all else with m, which stays as it is.
func (c *Change) ApplyTo(m *Model) (*Model, error) {
	changed := *m
	g := &changed.Graph
	g.Nodes = slices.Concat(c.First, m.Graph.Nodes, c.Last)
	nodes := g.Nodes[len(c.First):][:len(m.Graph.Nodes)]
	n := 0
	for i := range nodes {
		n += c.renameNode(&nodes[i].Inputs, &nodes[i].Outputs)
	}
	if n != len(c.Nodes) {
		return nil, fmt.Errorf("of %d nodes to change the graph has %d", len(c.Nodes), n)
	}
	g.Inputs = append(c.declare(m.Graph.Inputs), c.Inputs...)
	g.Outputs = append(c.declare(m.Graph.Outputs), c.Outputs...)
	return &changed, nil
}

// declare returns values with the shapes that they declare after the change.
func (c *Change) declare(values []Value) []Value {
	values = slices.Clone(values)
	for i := range values {
		if shape, ok := c.Shapes[values[i].Name]; ok {
			values[i].Shape = shape
		}
	}
	return values
}

// rename gives nodes their new names and returns how many have some.
func (c *Change) rename(nodes []*onnxpb.NodeProto) (changed int) {
	for _, n := range nodes {
		changed += c.renameNode(&n.Input, &n.Output)
	}
	return changed
}

// renameNode gives the inputs and outputs of a node their new names and returns 1, or 0
// where it has none.
func (c *Change) renameNode(inputs, outputs *[]string) int {
	for _, output := range *outputs {
		if names, ok := c.Nodes[output]; ok {
			*inputs, *outputs = names.put(*inputs, names.Inputs), names.put(*outputs, names.Outputs)
			return 1
		}
	}
	return 0
}

// put returns a copy of list with names at their places.
func (Names) put(list []string, names map[int]string) []string {
	list = slices.Clone(list)
	for at, name := range names {
		for len(list) <= at {
			list = append(list, "")
		}
		list[at] = name
	}
	return list
}

func (c *Change) reshape(values []*onnxpb.ValueInfoProto) {
	for i, p := range values {
		if shape, ok := c.Shapes[p.GetName()]; ok {
			v := Value{Name: p.GetName(), Type: TypeOf(int64(p.GetType().GetTensorType().GetElemType())), Shape: shape}
			values[i] = valueProto(v)
		}
	}
}
