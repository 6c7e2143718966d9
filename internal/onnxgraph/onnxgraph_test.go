package onnxgraph

import (
	"bytes"
	"image"
	"image/png"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxpb"
	"github.com/rnnkit/rnnkit/internal/testenv"
)

func TestRoundTrip(t *testing.T) {
	want := golden()
	want.Graph.Inputs = append(want.Graph.Inputs, Value{Name: "untyped"}, Value{Name: "unknown", Shape: []Dim{}})
	want.Graph.Nodes[0].Attributes = append(want.Graph.Nodes[0].Attributes,
		Attribute{"empty_s", ""},
		Attribute{"empty_ints", []int64(nil)},
		Attribute{"empty_floats", []float32(nil)},
		Attribute{"empty_strings", []string(nil)},
		Attribute{"nested", nested(maxDepth - 1)},
	)
	for name, m := range map[string]*Model{
		"all kinds": want,
		"empty":     {Opsets: []Opset{{}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Unmarshal(marshal(t, m))
			if err != nil {
				t.Fatal(err)
			}
			equalModels(t, got, m)
		})
	}
}

func TestRoundTripKeepsBits(t *testing.T) {
	bits32 := []uint32{0x80000000, 0x7fc00001, 0xffc12345, 0x7f800000, 0x00000001, 0x3f800000, 0xff7fffff}
	bits64 := []uint64{1 << 63, 0x7ff8000000000001, 0xfff8123456789abc, 0x7ff0000000000000, 1}
	f32 := make([]float32, len(bits32))
	for i, b := range bits32 {
		f32[i] = math.Float32frombits(b)
	}
	f64 := make([]float64, len(bits64))
	for i, b := range bits64 {
		f64[i] = math.Float64frombits(b)
	}
	m := &Model{Opsets: []Opset{{"", 17}}}
	m.Graph.Nodes = []Node{{Attributes: []Attribute{{"floats", f32}, {"t", Tensor{Tensor: tensor.Of(f32, 1, 7)}}}}}
	m.Graph.Initializers = []Tensor{{"w", tensor.Of(f64, 5)}}
	got, err := Unmarshal(marshal(t, m))
	if err != nil {
		t.Fatal(err)
	}
	floats, _ := got.Graph.Nodes[0].Attribute("floats")
	constant, _ := got.Graph.Nodes[0].Attribute("t")
	for i, b := range bits32 {
		if g := math.Float32bits(floats.([]float32)[i]); g != b {
			t.Errorf("floats[%d] = %#x, want %#x", i, g, b)
		}
		if g := math.Float32bits(constant.(Tensor).Data.([]float32)[i]); g != b {
			t.Errorf("t[%d] = %#x, want %#x", i, g, b)
		}
	}
	for i, b := range bits64 {
		if g := math.Float64bits(got.Graph.Initializers[0].Data.([]float64)[i]); g != b {
			t.Errorf("w[%d] = %#x, want %#x", i, g, b)
		}
	}
}

func TestMarshalRefuses(t *testing.T) {
	tests := []struct {
		name   string
		change func(g *Graph)
		want   string
	}{
		{"too few elements", func(g *Graph) {
			g.Initializers = []Tensor{{"W", tensor.Tensor{Shape: []int{2, 3}, Data: make([]float32, 5)}}}
		},
			`tensor "W": shape [2 3] takes 6 elements, but the data has 5`},
		{"negative dimension", func(g *Graph) {
			g.Initializers = []Tensor{{"W", tensor.Tensor{Shape: []int{-1, -5}, Data: make([]float32, 5)}}}
		},
			`tensor "W": shape [-1 -5] has a negative dimension`},
		{"type of a tensor", func(g *Graph) { g.Initializers = []Tensor{{"W", tensor.Tensor{Shape: []int{1}, Data: []int8{1}}}} },
			`tensor "W": data of type []int8 is not supported`},
		{"no data", func(g *Graph) { g.Initializers = []Tensor{{Name: "W"}} },
			`tensor "W": data of type <nil> is not supported`},
		{"type of an attribute", func(g *Graph) {
			g.Nodes = []Node{{Name: "n", OpType: "LSTM", Attributes: []Attribute{{"hidden_size", 3}}}}
		}, `node 0 (op "LSTM", name "n"): attribute "hidden_size": a value of type int is not supported`},
		{"tensor of a graph of an attribute", func(g *Graph) {
			g.Nodes = []Node{{OpType: "If", Attributes: []Attribute{{"then_branch", &Graph{Initializers: []Tensor{{Name: "W"}}}}}}}
		}, `node 0 (op "If", name ""): attribute "then_branch": tensor "W": data of type <nil>`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := new(Model)
			tt.change(&m.Graph)
			_, err := Marshal(m)
			wantError(t, err, tt.want)
		})
	}
}

func TestUnmarshalNotAModel(t *testing.T) {
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 9, 9))); err != nil {
		t.Fatal(err)
	}
	model := marshal(t, golden())
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"nil", nil, "not an ONNX model: the file is empty"},
		{"empty", []byte{}, "not an ONNX model: the file is empty"},
		{"text", []byte("date,passengers\n1949-01,112\n"), "not an ONNX model: "},
		{"CSV", []byte("x,y\n1,2"), "not an ONNX model: "},
		{"text from a newline on", []byte("\nhello, world\n"), "not an ONNX model: "},
		{"JSON", []byte(`{"ir_version": 8}`), "not an ONNX model: "},
		{"PNG", picture.Bytes(), "not an ONNX model: "},
		{"zeros", make([]byte, 100), "not an ONNX model: "},
		{"no graph", protobuf(t, &onnxpb.ModelProto{IrVersion: proto.Int64(8)}), "not an ONNX model: it has no graph"},
		{"no opset", protobuf(t, &onnxpb.ModelProto{Graph: &onnxpb.GraphProto{}}), "not an ONNX model: it has no opset_import"},
		{
			"a tensor",
			protobuf(t, &onnxpb.TensorProto{Dims: []int64{1}, DataType: proto.Int32(1), FloatData: []float32{1}}),
			"not an ONNX model: it has no graph",
		},
		{"one byte", model[:1], "the file may be truncated"},
		{"half", model[:len(model)/2], "the file may be truncated"},
		{"all but one byte", model[:len(model)-1], "the file may be truncated"},
		{"length beyond the end", append([]byte{8, 8, 0x3a}, protowire.AppendVarint(nil, 1<<62)...), "the file may be truncated"},
		{"damaged inside", []byte{8, 8, 0x3a, 1, 0xff}, "not an ONNX model: the file cannot be parsed as protobuf"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Unmarshal(tt.data)
			wantError(t, err, tt.want)
		})
	}
}

func TestUnmarshalPrefixes(t *testing.T) {
	data := marshal(t, golden())
	for n := range data {
		_, err := Unmarshal(data[:n])
		// The metadata comes last, so the model is complete without it.
		if err != nil && n > 0 && !strings.Contains(err.Error(), "truncated") {
			t.Errorf("%d of %d bytes: %v; want an error that says truncated", n, len(data), err)
		}
	}
}

func TestUnmarshalRefuses(t *testing.T) {
	float := proto.Int32(int32(onnxpb.TensorProto_FLOAT))
	floats := onnxpb.AttributeProto_FLOATS.Enum()
	tensor := func(p *onnxpb.TensorProto) func(m *onnxpb.ModelProto) {
		p.Name = proto.String("W")
		return func(m *onnxpb.ModelProto) { m.Graph.Initializer = []*onnxpb.TensorProto{p} }
	}
	attribute := func(p *onnxpb.AttributeProto) func(m *onnxpb.ModelProto) {
		p.Name = proto.String("a")
		return func(m *onnxpb.ModelProto) {
			m.Graph.Node = []*onnxpb.NodeProto{{OpType: proto.String("Op"), Attribute: []*onnxpb.AttributeProto{p}}}
		}
	}
	tests := []struct {
		name   string
		change func(m *onnxpb.ModelProto)
		want   string
	}{
		{"sparse initializer", func(m *onnxpb.ModelProto) { m.Graph.SparseInitializer = [][]byte{{}} },
			`graph "g": sparse initializers are not supported`},
		{"depth", func(m *onnxpb.ModelProto) {
			m.Graph.Node = []*onnxpb.NodeProto{{Attribute: []*onnxpb.AttributeProto{deep(maxDepth)}}}
		}, "graphs lie in one another more than 32 deep"},
		{"sequence", func(m *onnxpb.ModelProto) {
			m.Graph.Input = []*onnxpb.ValueInfoProto{{Name: proto.String("x"), Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_SequenceType{}}}}
		}, `input "x": only tensors are supported`},
		{"map", func(m *onnxpb.ModelProto) {
			m.Graph.Output = []*onnxpb.ValueInfoProto{{Name: proto.String("y"), Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_MapType{}}}}
		}, `output "y": only tensors are supported`},

		{"sequence within", attribute(&onnxpb.AttributeProto{G: &onnxpb.GraphProto{
			Output: []*onnxpb.ValueInfoProto{{Name: proto.String("list"), Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_SequenceType{}}}},
		}}), `output "list": only tensors are supported, no sequences, maps, optionals or sparse tensors: run the model with ONNX Runtime`},

		{"external data", tensor(&onnxpb.TensorProto{DataType: float, Dims: []int64{1}, ExternalData: [][]byte{{}}}),
			`tensor "W": its data lies in another file: open the model with native.ExternalData`},
		{"data location", tensor(&onnxpb.TensorProto{DataType: float, Dims: []int64{0}, DataLocation: onnxpb.TensorProto_EXTERNAL.Enum()}),
			`tensor "W": its data lies in another file`},
		{"segment", tensor(&onnxpb.TensorProto{DataType: float, Dims: []int64{0}, Segment: []byte{}}),
			`tensor "W": a segment of a tensor is not supported`},
		{"no type", tensor(&onnxpb.TensorProto{}), `tensor "W": type undefined is not supported`},
		{"bfloat16", tensor(&onnxpb.TensorProto{DataType: proto.Int32(16), RawData: []byte{0, 0}}),
			`tensor "W": type bfloat16 is not supported`},
		{"int8", tensor(&onnxpb.TensorProto{DataType: proto.Int32(3), RawData: []byte{0}}),
			`tensor "W": type int8 is not supported, only float16, float32, float64, int32, int64, uint8 and bool: run the model with ONNX Runtime`},
		{"string", tensor(&onnxpb.TensorProto{DataType: proto.Int32(8), StringData: [][]byte{{}}}),
			`tensor "W": type string is not supported`},
		{"type from the future", tensor(&onnxpb.TensorProto{DataType: proto.Int32(99)}),
			`tensor "W": type 99 is not supported`},
		{"negative dimension", tensor(&onnxpb.TensorProto{DataType: float, Dims: []int64{-1, -1}, FloatData: []float32{1}}),
			`tensor "W": shape [-1 -1] has a negative dimension`},
		{"too many dimensions", tensor(&onnxpb.TensorProto{DataType: float, Dims: slices.Repeat([]int64{1}, 65), FloatData: []float32{1}}),
			`tensor "W": it has 65 dimensions, and 64 are the most`},
		{"product overflows to 0", tensor(&onnxpb.TensorProto{DataType: float, Dims: []int64{1 << 32, 1 << 32}}),
			`tensor "W": shape [4294967296 4294967296] has too many elements`},
		{"product overflows beside a 0", tensor(&onnxpb.TensorProto{DataType: float, Dims: []int64{0, 1 << 32, 1 << 32}}),
			`tensor "W": shape [0 4294967296 4294967296] has too many elements`},
		{"byte size overflows to 4", tensor(&onnxpb.TensorProto{DataType: float, Dims: []int64{1<<62 + 1}, RawData: make([]byte, 4)}),
			`tensor "W": shape [4611686018427387905] takes 4611686018427387905 elements of 4 bytes, but raw_data has 4 bytes`},
		{"no data", tensor(&onnxpb.TensorProto{DataType: float, Dims: []int64{2}}),
			`tensor "W": shape [2] takes 2 elements, but the data has 0`},
		{"scalar of two", tensor(&onnxpb.TensorProto{DataType: float, FloatData: []float32{1, 2}}),
			`tensor "W": shape [] takes 1 elements, but the data has 2`},
		{"wrong typed field", tensor(&onnxpb.TensorProto{DataType: float, DoubleData: []float64{1}}),
			`tensor "W": shape [] takes 1 elements, but the data has 0`},
		{"uneven raw data", tensor(&onnxpb.TensorProto{DataType: float, Dims: []int64{1}, RawData: make([]byte, 5)}),
			`tensor "W": shape [1] takes 1 elements of 4 bytes, but raw_data has 5 bytes`},
		{"raw and typed data", tensor(&onnxpb.TensorProto{DataType: float, Dims: []int64{1}, RawData: make([]byte, 4), FloatData: []float32{1}}),
			`tensor "W": it holds both raw_data and a typed field`},
		{"uint8 of 256", tensor(&onnxpb.TensorProto{DataType: proto.Int32(2), Dims: []int64{2}, Int32Data: []int32{255, 256}}),
			`tensor "W": element 1 is 256, out of range for uint8`},

		{"reference", attribute(&onnxpb.AttributeProto{RefAttrName: proto.String("b"), Type: floats}),
			`node 0 (op "Op", name ""): attribute "a": a reference to a function's attribute is not supported`},
		{"newline in a name", func(m *onnxpb.ModelProto) {
			m.Graph.Node = []*onnxpb.NodeProto{{OpType: proto.String("O\np"), Attribute: []*onnxpb.AttributeProto{{}}}}
		}, `node 0 (op "O\np", name ""): attribute "": it has neither`},
		{"no type, no value", attribute(&onnxpb.AttributeProto{}),
			`attribute "a": it has neither a type nor a value`},
		{"two values", attribute(&onnxpb.AttributeProto{F: proto.Float32(1), I: proto.Int64(1)}),
			`attribute "a": it holds more than one value`},
		{"another value than the type", attribute(&onnxpb.AttributeProto{Type: floats, Ints: []int64{1}}),
			`attribute "a": its type is FLOATS, but it holds INTS`},
		{"tensors", attribute(&onnxpb.AttributeProto{Tensors: [][]byte{{}}}),
			`attribute "a": a value of kind TENSORS is not supported`},
		{"empty graphs", attribute(&onnxpb.AttributeProto{Type: onnxpb.AttributeProto_GRAPHS.Enum()}),
			`attribute "a": a value of kind GRAPHS is not supported`},
		{"kind from the future", attribute(&onnxpb.AttributeProto{Type: onnxpb.AttributeProto_AttributeType(77).Enum()}),
			`attribute "a": a value of kind 77 is not supported`},
		{"sparse tensor", attribute(&onnxpb.AttributeProto{SparseTensor: []byte{}}),
			`attribute "a": a value of kind SPARSE_TENSOR is not supported`},
		{"type", attribute(&onnxpb.AttributeProto{Tp: []byte{}}),
			`attribute "a": a value of kind TYPE_PROTO is not supported`},
		{"tensor missing", attribute(&onnxpb.AttributeProto{Type: onnxpb.AttributeProto_TENSOR.Enum()}),
			`attribute "a": the tensor is missing`},
		{"graph missing", attribute(&onnxpb.AttributeProto{Type: onnxpb.AttributeProto_GRAPH.Enum()}),
			`attribute "a": the graph is missing`},
		{"tensor of an attribute", attribute(&onnxpb.AttributeProto{T: &onnxpb.TensorProto{Name: proto.String("c")}}),
			`attribute "a": tensor "c": type undefined is not supported`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := &onnxpb.ModelProto{
				OpsetImport: []*onnxpb.OperatorSetIdProto{{}},
				Graph:       &onnxpb.GraphProto{Name: proto.String("g")},
			}
			tt.change(m)
			_, err := Unmarshal(protobuf(t, m))
			wantError(t, err, tt.want)
		})
	}
}

// TestUnmarshalAny reads a model with several features that Unmarshal refuses.
func TestUnmarshalAny(t *testing.T) {
	int8s := func(name string) *onnxpb.TensorProto {
		return &onnxpb.TensorProto{Name: &name, DataType: proto.Int32(int32(onnxpb.TensorProto_INT8)), Dims: []int64{2, 1}, RawData: []byte{1, 2}}
	}
	name := proto.String
	graph := onnxpb.AttributeProto_GRAPH.Enum()
	p := &onnxpb.ModelProto{
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(17)}},
		Functions:   []*onnxpb.FunctionProto{{Name: name("Old"), OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(9)}}}},
		Graph: &onnxpb.GraphProto{
			SparseInitializer: [][]byte{{}},
			Initializer: []*onnxpb.TensorProto{
				int8s("W"),
				{Name: name("far"), DataType: proto.Int32(1), Dims: []int64{3}, DataLocation: onnxpb.TensorProto_EXTERNAL.Enum()},
				{Name: name("near"), DataType: proto.Int32(1), Dims: []int64{1}, FloatData: []float32{7}},
			},
			Node: []*onnxpb.NodeProto{
				{OpType: name("Old")},
				{OpType: name("Constant"), Attribute: []*onnxpb.AttributeProto{{Name: name("value"), T: int8s("")}}},
				{
					OpType:    name("Optional"),
					Attribute: []*onnxpb.AttributeProto{{Name: name("type"), Tp: []byte{}}, {Name: name("i"), I: proto.Int64(3)}},
				},
				{OpType: name("Loop"), Attribute: []*onnxpb.AttributeProto{{Name: name("body"), Type: graph, G: &onnxpb.GraphProto{
					Input: []*onnxpb.ValueInfoProto{{Name: name("list"), Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_SequenceType{}}}},
				}}}},
			},
		},
	}
	got, err := UnmarshalAny(protobuf(t, p))
	if err != nil {
		t.Fatal(err)
	}
	want := Graph{
		Initializers: []Tensor{
			{"W", tensor.Tensor{Shape: []int{2, 1}, Data: Int8}}, {"far", tensor.Tensor{Shape: []int{3}, Data: Float32}},
			{"near", tensor.Of([]float32{7}, 1)},
		},
		Nodes: []Node{
			{OpType: "Old"},
			{OpType: "Constant", Attributes: []Attribute{{"value", Tensor{Tensor: tensor.Tensor{Shape: []int{2, 1}, Data: Int8}}}}},
			{OpType: "Optional", Attributes: []Attribute{{"i", int64(3)}}},
			{OpType: "Loop", Attributes: []Attribute{{"body", &Graph{Inputs: []Value{{Name: "list"}}}}}},
		},
	}
	if !reflect.DeepEqual(got.Graph, want) {
		t.Errorf("got\n%+v\nnot\n%+v", got.Graph, want)
	}
	_, err = Marshal(got)
	wantError(t, err, `its elements, of type int8, were left out when the model was read`)

	p.Graph.Input = []*onnxpb.ValueInfoProto{{Name: name("x"), Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_SequenceType{}}}}
	_, err = UnmarshalAny(protobuf(t, p))
	wantError(t, err, `input "x": only tensors are supported`)
}

func TestUnmarshalEmptySymbol(t *testing.T) {
	m, err := Unmarshal(protobuf(t, &onnxpb.ModelProto{
		OpsetImport: []*onnxpb.OperatorSetIdProto{{}},
		Graph: &onnxpb.GraphProto{Input: []*onnxpb.ValueInfoProto{{
			Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: &onnxpb.TypeProto_Tensor{
				Shape: &onnxpb.TensorShapeProto{Dim: []*onnxpb.TensorShapeProto_Dimension{
					{Value: &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: ""}},
				}},
			}}},
		}}},
	}))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := m.Graph.Inputs[0].Shape, []Dim{{Size: -1}}; !reflect.DeepEqual(got, want) {
		t.Errorf("shape %v, want %v: a symbol without a name is an unknown size", got, want)
	}
}

func TestKindOfCoversAllValues(t *testing.T) {
	values := onnxpb.AttributeProto_UNDEFINED.Descriptor().Values()
	if len(kindOf) != values.Len()-1 {
		t.Errorf("kindOf has %d kinds, want all %d but UNDEFINED", len(kindOf), values.Len())
	}
	fields := new(onnxpb.AttributeProto).ProtoReflect().Descriptor().Fields()
	for name := range kindOf {
		if fields.ByName(name) == nil {
			t.Errorf("AttributeProto has no field %s", name)
		}
	}
}

// TestTypeOf checks the numbers of onnx.proto.
func TestTypeOf(t *testing.T) {
	for number, want := range map[int64]DataType{
		0: Undefined, 1: Float32, 11: Float64, 6: Int32, 7: Int64, 2: Uint8, 9: Bool, 3: Int8,
		8: "string", 10: Float16, 16: BFloat16, 17: "float8e4m3fn", 1000: "1000", -1: "-1",
	} {
		if got := TypeOf(number); got != want {
			t.Errorf("type %d is %q, want %q", number, got, want)
		}
		if got := Number(want); got != number {
			t.Errorf("type %q has number %d, want %d", want, got, number)
		}
	}
	if got := TypeOf(1<<32 + 1); got == Float32 {
		t.Errorf("type %d is %q", int64(1<<32+1), got)
	}
}

// TestSharedModels reads models of ONNX and of other people. Each must parse or fail
// with an error about a documented limit.
func TestSharedModels(t *testing.T) {
	paths := sharedModels(t)
	if len(paths) == 0 {
		testenv.Skip(t, testenv.SharedData, "no models in", testenv.SharedRoot(t))
	}
	refused := 0
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		m, err := Unmarshal(data)
		if err != nil {
			if !strings.Contains(err.Error(), "supported") {
				t.Errorf("%s: %v", path, err)
			}
			t.Logf("%s: %v", path, err)
			refused++
			continue
		}
		if anyEngine, err := UnmarshalAny(data); err != nil || !bytes.Equal(marshal(t, anyEngine), marshal(t, m)) {
			t.Errorf("%s: for any engine it is another model: %v", path, err)
		}
		again, err := Unmarshal(marshal(t, m))
		if err != nil {
			t.Errorf("%s: marshalled and read again: %v", path, err)
			continue
		}
		if !bytes.Equal(marshal(t, again), marshal(t, m)) {
			t.Errorf("%s: marshalled and read again, it is another model", path)
		}
	}
	t.Logf("%d models read, %d refused by name", len(paths)-refused, refused)
}

func FuzzUnmarshal(f *testing.F) {
	f.Add(marshal(f, golden()))
	if data, err := os.ReadFile("testdata/golden.onnx"); err == nil {
		f.Add(data)
	}
	for _, path := range sharedModels(f) {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		if len(data) < 1<<14 {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		anyEngine, anyErr := UnmarshalAny(data)
		m, err := Unmarshal(data)
		if err != nil {
			if strings.ContainsFunc(err.Error(), unicode.IsControl) {
				t.Errorf("error that is not one line that can be printed: %q", err)
			}
			return
		}
		if anyErr != nil || !bytes.Equal(marshal(t, anyEngine), marshal(t, m)) {
			t.Errorf("for any engine it is another model: %v", anyErr)
		}
		first := marshal(t, m)
		again, err := Unmarshal(first)
		if err != nil {
			t.Fatalf("marshalled and read again: %v", err)
		}
		if !bytes.Equal(marshal(t, again), first) {
			t.Error("marshalled and read again, it is another model")
		}
	})
}

// equalModels fails if the models differ. It compares their bytes, which distinguish
// -0 from 0.
func equalModels(t *testing.T, got, want *Model) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	if !bytes.Equal(marshal(t, got), marshal(t, want)) {
		t.Error("the models give different bytes")
	}
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q in it", err, want)
	}
}

func marshal(t testing.TB, m *Model) []byte {
	t.Helper()
	data, err := Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func protobuf(t *testing.T, m proto.Message) []byte {
	t.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// nested returns n nested graphs, each an attribute of a node in the outer graph.
func nested(n int) *Graph {
	g := new(Graph)
	for range n - 1 {
		g = &Graph{Nodes: []Node{{OpType: "If", Attributes: []Attribute{{"then_branch", g}}}}}
	}
	return g
}

// deep returns [nested] as an attribute in protobuf.
func deep(n int) *onnxpb.AttributeProto {
	g, err := graphProto(nested(n))
	if err != nil {
		panic(err)
	}
	return &onnxpb.AttributeProto{G: g}
}

// sharedModels lists the ONNX files of the shared test data, if present.
func sharedModels(t testing.TB) []string {
	root := testenv.SharedRoot(t)
	var paths []string
	for _, dir := range []string{"onnx-tests/node", "onnx-tests/recurrent", "malformed", "models"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, _ fs.DirEntry, err error) error {
			if filepath.Ext(path) == ".onnx" {
				paths = append(paths, path)
			}
			return err
		})
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	return paths
}
