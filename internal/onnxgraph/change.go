package onnxgraph

import (
	"fmt"

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

// rename gives nodes their new names and returns how many have some.
func (c *Change) rename(nodes []*onnxpb.NodeProto) (changed int) {
	for _, n := range nodes {
		for _, output := range n.Output {
			if names, ok := c.Nodes[output]; ok {
				n.Input, n.Output = names.put(n.Input, names.Inputs), names.put(n.Output, names.Outputs)
				changed++
				break
			}
		}
	}
	return changed
}

// put returns list with names at their places.
func (Names) put(list []string, names map[int]string) []string {
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
