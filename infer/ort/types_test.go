//go:build cgo

package ort_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/ort"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/onnxpb"
	"github.com/rnnkit/rnnkit/internal/orttest"
)

// foreignTypes is y = x·W + b, where W is int8 and branches return sequences. Package
// onnxgraph cannot hold values of these types. b is optional.
func foreignTypes(t *testing.T) *onnxpb.ModelProto {
	t.Helper()
	branch := func(name string) onnxgraph.Attribute {
		return onnxgraph.Attribute{Name: name, Value: &onnxgraph.Graph{
			Name: name, Nodes: []onnxgraph.Node{node("SequenceConstruct", "xw", name)}, Outputs: []onnxgraph.Value{{Name: name}},
		}}
	}
	data := marshal(t, onnxgraph.Graph{
		Inputs:  []onnxgraph.Value{value("x", onnxgraph.Float32, "batch", "2"), value("b", onnxgraph.Float32, "3")},
		Outputs: []onnxgraph.Value{value("y", onnxgraph.Float32, "batch", "3")},
		Initializers: []onnxgraph.Tensor{
			{Name: "W", Tensor: tensor.Of([]uint8{2, 4, 6, 0xfe, 0xfc, 0xfa}, 2, 3)}, // in int8: 2, 4, 6, -2, -4, -6
			{Name: "zero", Tensor: tensor.Of([]uint8{0})},
			{Name: "scale", Tensor: tensor.Of([]float32{0.5})},
			{Name: "yes", Tensor: tensor.Of([]bool{true})},
			{Name: "first", Tensor: tensor.Of([]int64{0})},
			{Name: "b", Tensor: tensor.Of([]float32{10, 20, 30}, 3)},
		},
		Nodes: []onnxgraph.Node{
			node("DequantizeLinear", "W scale zero", "w"),
			node("MatMul", "x w", "xw"),
			node("If", "yes", "list", branch("then_branch"), branch("else_branch")),
			node("SequenceAt", "list first", "item"),
			node("Add", "item b", "y"),
		},
	})
	p := new(onnxpb.ModelProto)
	if err := proto.Unmarshal(data, p); err != nil {
		t.Fatal(err)
	}
	p.MetadataProps = nil // they would mark the model as rnnkit's
	for _, tensor := range p.Graph.Initializer[:2] {
		tensor.DataType = proto.Int32(int32(onnxgraph.Number(onnxgraph.Int8)))
	}
	for _, branch := range p.Graph.Node[2].Attribute {
		branch.G.Output[0].Type = sequence
	}
	return p
}

// sequence is the type of a sequence of float32 tensors.
var sequence = &onnxpb.TypeProto{Value: &onnxpb.TypeProto_SequenceType{SequenceType: []byte("\x0a\x04\x0a\x02\x08\x01")}}

func protobuf(t *testing.T, p *onnxpb.ModelProto) []byte {
	t.Helper()
	data, err := proto.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestForeignTypes runs a model whose inner values the native engine cannot hold. The
// native engine must refuse it and name an engine that runs it.
func TestForeignTypes(t *testing.T) {
	orttest.Library(t)
	data := protobuf(t, foreignTypes(t))
	model, err := infer.OpenBytes(data, infer.With(ort.CPU()))
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	x := tensor.Of([]float32{1, 2, 3, 5}, 2, 2)
	for _, test := range []struct {
		inputs map[string]tensor.Tensor
		want   []float32
	}{
		{map[string]tensor.Tensor{"x": x}, []float32{9, 18, 27, 8, 16, 24}},
		{map[string]tensor.Tensor{"x": x, "b": tensor.Of([]float32{1, 2, 3}, 3)}, []float32{0, 0, 0, -1, -2, -3}},
	} {
		got, err := model.Run(t.Context(), test.inputs)
		if err != nil {
			t.Fatal(err)
		}
		checkClose(t, "y", got["y"], tensor.Of(test.want, 2, 3), 0.05) // ONNX Runtime may also round x to 8 bits
	}
	if _, err := native.New().Open(data); err == nil || !strings.Contains(err.Error(), "ONNX Runtime") {
		t.Errorf("the native engine says %v", err)
	}
}

// TestForeignTypesOutside uses inputs and outputs that no tensor.Tensor can hold, and
// a default outside the model's file.
func TestForeignTypesOutside(t *testing.T) {
	orttest.Library(t)
	int8s := &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: &onnxpb.TypeProto_Tensor{ElemType: proto.Int32(int32(onnxgraph.Number(onnxgraph.Int8)))}}}
	for _, test := range []struct {
		change func(g *onnxpb.GraphProto)
		want   string
	}{
		{func(g *onnxpb.GraphProto) { g.Input[0].Type = int8s }, `input "x" has type int8, which is not supported`},
		{func(g *onnxpb.GraphProto) { g.Output[0].Type = int8s }, `output "y" has type int8, which is not supported`},
		{func(g *onnxpb.GraphProto) { g.Input[0].Type = sequence }, `input "x": only tensors are supported, no sequences`},
		{func(g *onnxpb.GraphProto) { g.Output[0].Type = sequence }, `output "y": only tensors are supported, no sequences`},
		{func(g *onnxpb.GraphProto) {
			g.Initializer[5].DataLocation = onnxpb.TensorProto_EXTERNAL.Enum()
		}, `input "b": its default cannot be read: save it in the model's file`},
	} {
		p := foreignTypes(t)
		test.change(p.Graph)
		if _, err := ort.CPU().Open(protobuf(t, p)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
}

// TestOtherFiles stores a tensor of the model, at any depth, in another file. ONNX
// Runtime would look for it in the working directory.
func TestOtherFiles(t *testing.T) {
	orttest.Library(t)
	key, file := "location", "types_test.go"
	entry, err := proto.Marshal(&onnxpb.StringStringEntryProto{Key: &key, Value: &file})
	if err != nil {
		t.Fatal(err)
	}
	tensor := &onnxpb.TensorProto{
		Name: proto.String("far"), DataType: proto.Int32(int32(onnxgraph.Number(onnxgraph.Uint8))), Dims: []int64{1},
		DataLocation: onnxpb.TensorProto_EXTERNAL.Enum(), ExternalData: [][]byte{entry},
	}
	data, err := proto.Marshal(tensor)
	if err != nil {
		t.Fatal(err)
	}
	attribute := func(a *onnxpb.AttributeProto) func(p *onnxpb.ModelProto) {
		return func(p *onnxpb.ModelProto) { p.Graph.Node[0].Attribute = append(p.Graph.Node[0].Attribute, a) }
	}
	for i, add := range []func(p *onnxpb.ModelProto){
		func(p *onnxpb.ModelProto) { p.Graph.Initializer = append(p.Graph.Initializer, tensor) },
		func(p *onnxpb.ModelProto) { p.Graph.SparseInitializer = [][]byte{data} },
		attribute(&onnxpb.AttributeProto{T: tensor}),
		attribute(&onnxpb.AttributeProto{G: &onnxpb.GraphProto{Initializer: []*onnxpb.TensorProto{tensor}}}),
		attribute(&onnxpb.AttributeProto{SparseTensor: data}),
		attribute(&onnxpb.AttributeProto{Tensors: [][]byte{data}}),
		attribute(&onnxpb.AttributeProto{Graphs: [][]byte{data}}),
		attribute(&onnxpb.AttributeProto{SparseTensors: [][]byte{data}}),
		func(p *onnxpb.ModelProto) {
			p.Functions = []*onnxpb.FunctionProto{{AttributeProto: []*onnxpb.AttributeProto{{T: tensor}}}}
		},
		func(p *onnxpb.ModelProto) {
			p.Functions = []*onnxpb.FunctionProto{{Node: []*onnxpb.NodeProto{{Attribute: []*onnxpb.AttributeProto{{T: tensor}}}}}}
		},
	} {
		p := foreignTypes(t)
		add(p)
		if _, err := ort.CPU().Open(protobuf(t, p)); err == nil || !strings.Contains(err.Error(), "tensors of the model lie in other files: save it as one") {
			t.Errorf("%d: got %v", i, err)
		}
	}
	p := foreignTypes(t)
	p.Graph.Name = &key // a name does not count
	open(t, protobuf(t, p))
}

// TestDouble uses recurrent nodes in float64, whose weights arise in several ways.
// ONNX Runtime would open them and fail in Run.
func TestDouble(t *testing.T) {
	orttest.Library(t)
	shape := map[string]int{"RNN": 1, "GRU": 3, "LSTM": 4}
	for _, test := range []struct {
		op      string
		typ     onnxgraph.DataType // of x
		weights onnxgraph.DataType // their type in the file
		how     []onnxgraph.Node   // the nodes that compute W from w
	}{
		{"RNN", onnxgraph.Float64, onnxgraph.Float64, nil},
		{"GRU", onnxgraph.Float64, onnxgraph.Float64, nil},
		{"LSTM", onnxgraph.Float64, onnxgraph.Float64, nil},
		{
			"LSTM", onnxgraph.Float64, onnxgraph.Float64,
			[]onnxgraph.Node{node("Identity", "w", "v"), node("Concat", "v", "W", onnxgraph.Attribute{Name: "axis", Value: int64(0)})},
		},
		{
			"LSTM", onnxgraph.Float64, onnxgraph.Float32,
			[]onnxgraph.Node{node("Cast", "w", "W", onnxgraph.Attribute{Name: "to", Value: onnxgraph.Number(onnxgraph.Float64)})},
		},
		{
			"LSTM", onnxgraph.Float32, onnxgraph.Float64,
			[]onnxgraph.Node{node("Cast", "w", "W", onnxgraph.Attribute{Name: "to", Value: onnxgraph.Number(onnxgraph.Float32)})},
		},
		{"LSTM", onnxgraph.Float32, onnxgraph.Float32, nil},
	} {
		weights := func(name string, typ onnxgraph.DataType) onnxgraph.Tensor {
			tensor := onnxgraph.Tensor{Name: name, Tensor: tensor.Tensor{Shape: []int{1, shape[test.op], 1}, Data: make([]float32, shape[test.op])}}
			if typ == onnxgraph.Float64 {
				tensor.Data = make([]float64, shape[test.op])
			}
			return tensor
		}
		g := onnxgraph.Graph{
			Inputs:       []onnxgraph.Value{value("x", test.typ, "time", "batch", "1")},
			Outputs:      []onnxgraph.Value{value("y", test.typ, "time", "1", "batch", "1")},
			Initializers: []onnxgraph.Tensor{weights("w", test.weights), weights("R", test.typ)},
			Nodes:        test.how,
		}
		if len(test.how) == 0 {
			g.Initializers[0].Name = "W"
		}
		recurrent := node(test.op, "x W R", "y", onnxgraph.Attribute{Name: "hidden_size", Value: int64(1)})
		recurrent.Name = "cell"
		g.Nodes = append(g.Nodes, recurrent)
		data := marshal(t, g)
		s, err := ort.CPU().Open(data)
		if err == nil {
			s.Close()
		}
		if test.typ == onnxgraph.Float32 && err != nil {
			t.Errorf("%s %v: %v", test.op, test.weights, err)
		}
		if want := test.op + ` "cell" computes in float64`; test.typ == onnxgraph.Float64 && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s with %d nodes before: got %v, want %s", test.op, len(test.how), err, want)
		}
		if _, err := ort.CUDA(0).Open(data); err != nil && strings.Contains(err.Error(), "computes in float64") {
			t.Errorf("CUDA, which has float64: %v", err)
		}
	}
}
