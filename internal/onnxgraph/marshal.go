package onnxgraph

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"

	"google.golang.org/protobuf/proto"

	"github.com/rnnkit/rnnkit/internal/onnxpb"
)

// Marshal returns the bytes of the ONNX file that holds m. Equal models give
// equal bytes. It fails where a tensor has another number of elements than its
// shape says, or where a tensor's or an attribute's value has a type that is
// not listed at [Tensor] and [Attribute].
func Marshal(m *Model) ([]byte, error) {
	graph, err := graphProto(&m.Graph)
	if err != nil {
		return nil, err
	}
	p := &onnxpb.ModelProto{
		IrVersion:       &m.IRVersion,
		ProducerName:    &m.Producer,
		ProducerVersion: &m.ProducerVersion,
		Graph:           graph,
	}
	for _, o := range m.Opsets {
		p.OpsetImport = append(p.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: &o.Domain, Version: &o.Version})
	}
	for _, kv := range m.Metadata {
		p.MetadataProps = append(p.MetadataProps, &onnxpb.StringStringEntryProto{Key: &kv.Key, Value: &kv.Value})
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(p)
}

func graphProto(g *Graph) (*onnxpb.GraphProto, error) {
	p := &onnxpb.GraphProto{Name: &g.Name}
	for i := range g.Nodes {
		n, err := nodeProto(&g.Nodes[i])
		if err != nil {
			return nil, fmt.Errorf("node %d (op %q, name %q): %w", i, g.Nodes[i].OpType, g.Nodes[i].Name, err)
		}
		p.Node = append(p.Node, n)
	}
	for i := range g.Initializers {
		t, err := tensorProto(&g.Initializers[i])
		if err != nil {
			return nil, err
		}
		p.Initializer = append(p.Initializer, t)
	}
	for _, v := range g.Inputs {
		p.Input = append(p.Input, valueProto(v))
	}
	for _, v := range g.Outputs {
		p.Output = append(p.Output, valueProto(v))
	}
	return p, nil
}

func nodeProto(n *Node) (*onnxpb.NodeProto, error) {
	p := &onnxpb.NodeProto{
		Input:  n.Inputs,
		Output: n.Outputs,
		Name:   &n.Name,
		OpType: &n.OpType,
		Domain: &n.Domain,
	}
	for _, a := range n.Attributes {
		attr, err := attributeProto(a)
		if err != nil {
			return nil, fmt.Errorf("attribute %q: %w", a.Name, err)
		}
		p.Attribute = append(p.Attribute, attr)
	}
	return p, nil
}

func attributeProto(a Attribute) (*onnxpb.AttributeProto, error) {
	p := &onnxpb.AttributeProto{Name: &a.Name}
	var err error
	switch v := a.Value.(type) {
	case float32:
		p.Type, p.F = onnxpb.AttributeProto_FLOAT.Enum(), &v
	case int64:
		p.Type, p.I = onnxpb.AttributeProto_INT.Enum(), &v
	case string:
		p.Type, p.S = onnxpb.AttributeProto_STRING.Enum(), []byte(v)
	case Tensor:
		p.Type = onnxpb.AttributeProto_TENSOR.Enum()
		p.T, err = tensorProto(&v)
	case *Graph:
		p.Type = onnxpb.AttributeProto_GRAPH.Enum()
		p.G, err = graphProto(v)
	case []float32:
		p.Type, p.Floats = onnxpb.AttributeProto_FLOATS.Enum(), v
	case []int64:
		p.Type, p.Ints = onnxpb.AttributeProto_INTS.Enum(), v
	case []string:
		p.Type = onnxpb.AttributeProto_STRINGS.Enum()
		for _, s := range v {
			p.Strings = append(p.Strings, []byte(s))
		}
	default:
		err = fmt.Errorf("a value of type %T is not supported: use one of the types of Attribute.Value", v)
	}
	return p, err
}

func tensorProto(t *Tensor) (*onnxpb.TensorProto, error) {
	if t.Type() == Undefined {
		return nil, fmt.Errorf("tensor %q: data of type %T is not supported: use one of the types of Tensor.Data", t.Name, t.Data)
	}
	if typ, ok := t.Data.(DataType); ok {
		return nil, fmt.Errorf("tensor %q: its elements, of type %v, were left out when the model was read", t.Name, typ)
	}
	n, err := elements(t.Shape)
	if err != nil {
		return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	if have := reflect.ValueOf(t.Data).Len(); have != n {
		return nil, fmt.Errorf("tensor %q: shape %v takes %d elements, but the data has %d", t.Name, t.Shape, n, have)
	}
	raw, err := binary.Append([]byte{}, binary.LittleEndian, t.Data)
	if err != nil {
		return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	p := &onnxpb.TensorProto{
		DataType: proto.Int32(int32(Number(t.Type()))),
		Name:     &t.Name,
		RawData:  raw,
	}
	for _, d := range t.Shape {
		p.Dims = append(p.Dims, int64(d))
	}
	return p, nil
}

// elements returns the product of the dimensions. It counts a 0 as a 1 when it
// looks for overflow, so that no part of the product can overflow either.
func elements(shape []int) (int, error) {
	n, empty := 1, false
	for _, d := range shape {
		switch {
		case d < 0:
			return 0, fmt.Errorf("shape %v has a negative dimension", shape)
		case d == 0:
			empty = true
		case n > math.MaxInt/d:
			return 0, fmt.Errorf("shape %v has too many elements", shape)
		default:
			n *= d
		}
	}
	if empty {
		return 0, nil
	}
	return n, nil
}

func valueProto(v Value) *onnxpb.ValueInfoProto {
	p := &onnxpb.ValueInfoProto{Name: &v.Name}
	if v.Type == Undefined && v.Shape == nil {
		return p
	}
	declared := &onnxpb.TypeProto_Tensor{ElemType: proto.Int32(int32(Number(v.Type)))}
	if v.Shape != nil {
		declared.Shape = new(onnxpb.TensorShapeProto)
	}
	for _, d := range v.Shape {
		dim := new(onnxpb.TensorShapeProto_Dimension)
		switch {
		case d.Symbol != "":
			dim.Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: d.Symbol}
		case d.Size >= 0:
			dim.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(d.Size)}
		}
		declared.Shape.Dim = append(declared.Shape.Dim, dim)
	}
	p.Type = &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: declared}}
	return p
}
