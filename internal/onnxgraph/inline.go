package onnxgraph

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/rnnkit/rnnkit/internal/onnxpb"
)

// inliner replaces calls of a model's functions by the functions' nodes.
type inliner struct {
	functions map[functionName]*onnxpb.FunctionProto
	opset     int64 // of the standard operators
	calls     int
	nodes     int // how many more nodes may be added
	bytes     int // how many more bytes they may take
}

var errTooLarge = errors.New("the functions of the model make it too large: inline them before saving, and share what they repeat")

type functionName struct{ domain, name, overload string }

// inline replaces every call in a model of size bytes. It bounds the size of the
// result.
func inline(p *onnxpb.ModelProto, size int) error {
	in := &inliner{functions: make(map[functionName]*onnxpb.FunctionProto), opset: standardOpset(p.OpsetImport), nodes: 1 << 17, bytes: 1<<24 + 4*size}
	for _, f := range p.Functions {
		name := functionName{f.GetDomain(), f.GetName(), f.GetOverload()}
		if in.functions[name] != nil {
			return fmt.Errorf("the model has function %q of domain %q twice", f.GetName(), f.GetDomain())
		}
		in.functions[name] = f
	}
	if len(in.functions) == 0 {
		return nil
	}
	return in.graph(p.Graph, 1)
}

func standardOpset(imports []*onnxpb.OperatorSetIdProto) int64 {
	for _, o := range imports {
		if domain(o.GetDomain()) == "" {
			return o.GetVersion()
		}
	}
	return 0
}

func (in *inliner) graph(g *onnxpb.GraphProto, depth int) error {
	nodes, err := in.expand(nil, g.Node, depth)
	if err == nil {
		g.Node = nodes
	}
	return err
}

// expand appends nodes to dst and replaces calls by the nodes of their functions.
func (in *inliner) expand(dst, nodes []*onnxpb.NodeProto, depth int) ([]*onnxpb.NodeProto, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("functions or graphs lie in one another more than %d deep, which is not supported", maxDepth)
	}
	for i, n := range nodes {
		for _, a := range n.Attribute {
			if a.G == nil {
				continue
			}
			if err := in.graph(a.G, depth+1); err != nil {
				return nil, err
			}
		}
		f := in.functions[functionName{n.GetDomain(), n.GetOpType(), n.GetOverload()}]
		if f == nil {
			dst = append(dst, n)
			continue
		}
		body, err := in.body(f, n)
		if err == nil {
			dst, err = in.expand(dst, body, depth+1)
		}
		if err != nil {
			return nil, fmt.Errorf("node %d (op %q, name %q), a function: %w", i, n.GetOpType(), n.GetName(), err)
		}
	}
	return dst, nil
}

// call maps a function's names and attributes to those of one call.
type call struct {
	*onnxpb.NodeProto
	function *onnxpb.FunctionProto
	names    map[string]string // of the function's inputs and outputs
	prefix   string            // of all other values
	bytes    *int              // how many more bytes may be added
}

// body returns the nodes of a function with the names and attributes of a call.
func (in *inliner) body(f *onnxpb.FunctionProto, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
	if len(n.Input) > len(f.Input) || len(n.Output) > len(f.Output) {
		return nil, fmt.Errorf("it has %d inputs and %d outputs, and may have %d and %d", len(n.Input), len(n.Output), len(f.Input), len(f.Output))
	}
	if opset := standardOpset(f.OpsetImport); opset != 0 && opset != in.opset {
		return nil, fmt.Errorf("it is written in opset %d, and the model in %d, which is not supported: inline it before saving (onnx.inliner.inline_local_functions)", opset, in.opset)
	}
	for _, a := range n.Attribute {
		if !slices.Contains(f.Attribute, a.GetName()) && attributeOf(f.AttributeProto, a.GetName()) == nil {
			return nil, fmt.Errorf("it has no attribute %q", a.GetName())
		}
	}
	in.calls++
	c := call{n, f, make(map[string]string), fmt.Sprintf("call %d/", in.calls), &in.bytes}
	for i, name := range f.Input {
		c.names[name] = ""
		if i < len(n.Input) {
			c.names[name] = n.Input[i]
		}
	}
	var nodes []*onnxpb.NodeProto
	for i, name := range f.Output {
		if i >= len(n.Output) || n.Output[i] == "" {
			continue
		}
		if input, ok := c.names[name]; ok { // the output is an input passed through
			nodes = append(nodes, &onnxpb.NodeProto{OpType: proto.String("Identity"), Input: []string{input}, Output: []string{n.Output[i]}})
			continue
		}
		c.names[name] = n.Output[i]
	}
	for _, node := range f.Node {
		in.nodes--
		if in.bytes -= proto.Size(node) + len(n.GetName()); in.nodes < 0 || in.bytes < 0 {
			return nil, errTooLarge
		}
		node = proto.Clone(node).(*onnxpb.NodeProto)
		node.Name = proto.String(n.GetName() + "/" + node.GetName())
		if c.node(node); in.bytes < 0 {
			return nil, errTooLarge
		}
		nodes = append(nodes, node)
	}
	return nodes, nil
}

func attributeOf(list []*onnxpb.AttributeProto, name string) *onnxpb.AttributeProto {
	for _, a := range list {
		if a.GetName() == name {
			return a
		}
	}
	return nil
}

func (c *call) rename(names []string) {
	for i, name := range names {
		names[i] = c.nameOf(name)
	}
}

func (c *call) nameOf(name string) string {
	if outside, ok := c.names[name]; ok || name == "" {
		return outside
	}
	return c.prefix + name
}

// node renames the inputs and outputs of a node and resolves its references to
// attributes of the call. It drops a reference to an unset attribute.
func (c *call) node(n *onnxpb.NodeProto) {
	c.rename(n.Input)
	c.rename(n.Output)
	kept := n.Attribute[:0]
	for _, a := range n.Attribute {
		if ref := a.GetRefAttrName(); ref != "" {
			given := attributeOf(c.Attribute, ref)
			if given == nil {
				given = attributeOf(c.function.AttributeProto, ref)
			}
			if given == nil {
				continue
			}
			if *c.bytes -= proto.Size(given); *c.bytes < 0 {
				return
			}
			name := a.Name
			a = proto.Clone(given).(*onnxpb.AttributeProto)
			a.Name = name
		} else if a.G != nil {
			c.graph(a.G)
		}
		kept = append(kept, a)
	}
	n.Attribute = kept
}

func (c *call) graph(g *onnxpb.GraphProto) {
	for _, n := range g.Node {
		c.node(n)
	}
	for _, t := range g.Initializer {
		t.Name = proto.String(c.nameOf(t.GetName()))
	}
	for _, values := range [][]*onnxpb.ValueInfoProto{g.Input, g.Output} {
		for _, v := range values {
			v.Name = proto.String(c.nameOf(v.GetName()))
		}
	}
}
