package onnxgraph

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/rnnkit/rnnkit/internal/onnxpb"
)

func nodeProtoOf(op, domain string, inputs, outputs []string, attributes ...*onnxpb.AttributeProto) *onnxpb.NodeProto {
	return &onnxpb.NodeProto{Name: proto.String("n"), OpType: &op, Domain: &domain, Input: inputs, Output: outputs, Attribute: attributes}
}

func number(name string, v int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_INT.Enum(), I: &v}
}

func reference(name, to string) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_INT.Enum(), RefAttrName: &to}
}

// withFunctions returns a model whose graph calls functions. outer calls inner twice,
// passes an input through, and has a subgraph that reads outer values.
func withFunctions(change func(m *onnxpb.ModelProto)) ([]byte, error) {
	branch := &onnxpb.GraphProto{
		Node:   []*onnxpb.NodeProto{nodeProtoOf("Neg", "", []string{"t"}, []string{"b"})},
		Output: []*onnxpb.ValueInfoProto{{Name: proto.String("b")}},
	}
	m := &onnxpb.ModelProto{
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Domain: proto.String(""), Version: proto.Int64(17)}},
		Functions: []*onnxpb.FunctionProto{
			{
				Name: proto.String("outer"), Domain: proto.String("ours"),
				Input: []string{"a", "left out"}, Output: []string{"r", "a"}, Attribute: []string{"axis"},
				Node: []*onnxpb.NodeProto{
					nodeProtoOf("inner", "ours", []string{"a", "left out"}, []string{"t"}, reference("k", "axis")),
					nodeProtoOf("inner", "ours", []string{"t"}, []string{"u"}),
					nodeProtoOf(
						"If", "", []string{"u"}, []string{"r"},
						&onnxpb.AttributeProto{Name: proto.String("then"), Type: onnxpb.AttributeProto_GRAPH.Enum(), G: branch},
					),
				},
			},
			{
				Name: proto.String("inner"), Domain: proto.String("ours"),
				Input: []string{"x", "y"}, Output: []string{"t"}, AttributeProto: []*onnxpb.AttributeProto{number("k", 7)}, Attribute: []string{"none"},
				Node: []*onnxpb.NodeProto{
					nodeProtoOf("Op", "", []string{"x", "y"}, []string{"v"}, reference("k", "k"), reference("gone", "none")),
					nodeProtoOf("Op", "", []string{"v"}, []string{"t"}),
				},
			},
		},
		Graph: &onnxpb.GraphProto{Node: []*onnxpb.NodeProto{
			nodeProtoOf("outer", "ours", []string{"x"}, []string{"y", "z"}, number("axis", 3)),
		}},
	}
	if change != nil {
		change(m)
	}
	return proto.Marshal(m)
}

func TestInline(t *testing.T) {
	data, err := withFunctions(nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Unmarshal(data)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range m.Graph.Nodes {
		text := fmt.Sprint(n.OpType, n.Inputs, n.Outputs)
		for _, a := range n.Attributes {
			if g, ok := a.Value.(*Graph); ok {
				text += fmt.Sprint(" ", g.Nodes[0].OpType, g.Nodes[0].Inputs, g.Nodes[0].Outputs, g.Outputs[0].Name)
			} else {
				text += fmt.Sprint(" ", a)
			}
		}
		got = append(got, text)
	}
	want := []string{
		"Identity[x] [z]",
		"Op[x ] [call 2/v] {k 3}", // inner's k is outer's axis
		"Op[call 2/v] [call 1/t]",
		"Op[call 1/t ] [call 3/v] {k 7}", // the default
		"Op[call 3/v] [call 1/u]",
		"If[call 1/u] [y] Neg[call 1/t] [call 1/b]call 1/b",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}

func TestInlineRefuses(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(m *onnxpb.ModelProto)
		want   string
	}{
		{"twice", func(m *onnxpb.ModelProto) { m.Functions = append(m.Functions, m.Functions[0]) }, `"outer" of domain "ours" twice`},
		{"itself", func(m *onnxpb.ModelProto) {
			m.Functions[1].Node[0] = nodeProtoOf("outer", "ours", []string{"x"}, []string{"v"})
		}, "more than 32 deep"},
		{"inputs", func(m *onnxpb.ModelProto) { m.Graph.Node[0].Input = []string{"a", "b", "c"} }, "3 inputs"},
		{
			"attribute",
			func(m *onnxpb.ModelProto) { m.Graph.Node[0].Attribute = []*onnxpb.AttributeProto{number("size", 1)} },
			`no attribute "size"`,
		},
		{"opset", func(m *onnxpb.ModelProto) {
			m.Functions[0].OpsetImport = []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(18)}}
		}, "opset 18, and the model in 17"},
		{"billion laughs", func(m *onnxpb.ModelProto) {
			for i := range 20 {
				f := &onnxpb.FunctionProto{Name: proto.String(fmt.Sprint("f", i)), Domain: proto.String("ours")}
				for range 10 {
					f.Node = append(f.Node, nodeProtoOf(fmt.Sprint("f", i+1), "ours", nil, nil))
				}
				m.Functions = append(m.Functions, f)
			}
			m.Graph.Node = append(m.Graph.Node, nodeProtoOf("f0", "ours", nil, nil))
		}, "too large"},
		{"large attributes", func(m *onnxpb.ModelProto) {
			m.Graph.Node[0].Attribute[0] = &onnxpb.AttributeProto{
				Name: proto.String("axis"), S: make([]byte, 1<<20), Type: onnxpb.AttributeProto_STRING.Enum(),
			}
			for range 1000 {
				m.Functions[0].Node = append(m.Functions[0].Node, nodeProtoOf("Op", "", nil, nil, reference("k", "axis")))
			}
		}, "too large"},
	} {
		t.Run(test.name, func(t *testing.T) {
			data, err := withFunctions(test.change)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Unmarshal(data); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, not %q", err, test.want)
			}
		})
	}
}
