package onnxgraph

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/rnnkit/rnnkit/internal/onnxpb"
)

// chain returns a model of n nodes, each of which reads the previous one.
func chain(n int) *Model {
	m := &Model{IRVersion: 8, Opsets: []Opset{{Version: 17}}, Graph: Graph{
		Inputs:  []Value{{Name: "v0", Type: Float32}},
		Outputs: []Value{{Name: fmt.Sprint("v", n), Type: Float32}},
	}}
	for i := range n {
		m.Graph.Nodes = append(m.Graph.Nodes, Node{OpType: "Relu", Inputs: []string{fmt.Sprint("v", i)}, Outputs: []string{fmt.Sprint("v", i+1)}})
	}
	return m
}

// TestUnsorted reads nodes in any order and keeps the order of sorted nodes.
func TestUnsorted(t *testing.T) {
	want := chain(9)
	for seed := range 20 {
		m := chain(9)
		rand.New(rand.NewPCG(uint64(seed), 0)).Shuffle(9, func(i, j int) {
			m.Graph.Nodes[i], m.Graph.Nodes[j] = m.Graph.Nodes[j], m.Graph.Nodes[i]
		})
		got, err := Unmarshal(marshal(t, m))
		if err != nil {
			t.Fatal(err)
		}
		equalModels(t, got, want)
	}
}

// TestUnsortedWithin reads a graph with nested branches. One reads the output of a
// later outer node, and another is unsorted.
func TestUnsortedWithin(t *testing.T) {
	innermost := &Graph{Outputs: []Value{{Name: "late"}}}
	unsorted := chain(3).Graph
	unsorted.Inputs = nil
	slices.Reverse(unsorted.Nodes)
	branch := &Graph{
		Nodes: []Node{{
			OpType: "If", Inputs: []string{"c"}, Outputs: []string{"z"},
			Attributes: []Attribute{{"then_branch", innermost}, {"else_branch", &unsorted}},
		}},
		Outputs: []Value{{Name: "z"}},
	}
	m := chain(1)
	m.Graph.Nodes = []Node{
		{OpType: "If", Inputs: []string{"c"}, Outputs: []string{"v1"}, Attributes: []Attribute{{"then_branch", branch}, {"else_branch", branch}}},
		{OpType: "Relu", Inputs: []string{"v0"}, Outputs: []string{"late"}},
	}
	got, err := Unmarshal(marshal(t, m))
	if err != nil {
		t.Fatal(err)
	}
	if got.Graph.Nodes[0].OpType != "Relu" {
		t.Errorf("the first node is %v", got.Graph.Nodes[0])
	}
	inner := got.Graph.Nodes[1].Subgraphs()[0].Nodes[0].Subgraphs()[1]
	if reads := inner.Nodes[0].Inputs[0]; reads != "v0" {
		t.Errorf("the branch begins with what reads %s", reads)
	}
}

func TestCycles(t *testing.T) {
	m := chain(3)
	m.Graph.Nodes[0].Inputs[0] = "v3"
	_, err := Unmarshal(marshal(t, m))
	wantError(t, err, `node 1 (op "Relu", name "") reads what node 0 makes, ["v1"], of its outputs: the nodes form a cycle`)
	if _, err := UnmarshalAny(marshal(t, m)); err != nil {
		t.Errorf("for any engine: %v", err)
	}
	branch := &Graph{Outputs: []Value{{Name: "v3"}}}
	m = chain(3)
	m.Graph.Nodes[1] = Node{OpType: "If", Inputs: []string{"v1"}, Outputs: []string{"v2"}, Attributes: []Attribute{{"then_branch", branch}}}
	_, err = Unmarshal(marshal(t, m))
	wantError(t, err, "the nodes form a cycle")
}

// TestOpsets reads a model that imports the standard opset under both of its names.
func TestOpsets(t *testing.T) {
	m := chain(1)
	want := slices.Clone(m.Opsets)
	m.Opsets = append(m.Opsets, Opset{"ai.onnx", 17}, Opset{"", 17})
	got, err := Unmarshal(marshal(t, m))
	if err != nil || !slices.Equal(got.Opsets, want) {
		t.Errorf("%v, %v", got, err)
	}
	m.Opsets = append(m.Opsets, Opset{"", 13})
	_, err = Unmarshal(marshal(t, m))
	wantError(t, err, `domain "" in versions 17 and 13`)
	m.Opsets = []Opset{{"", 17}, {"com.microsoft", 1}, {"com.microsoft", 2}}
	_, err = Unmarshal(marshal(t, m))
	wantError(t, err, `domain "com.microsoft" in versions 1 and 2`)
}

// TestTooMany refuses files with many tiny messages before it allocates the messages.
func TestTooMany(t *testing.T) {
	const n = 1 << 19
	field := func(num byte, content []byte) []byte {
		size := len(content)
		return append([]byte{num<<3 | 2, byte(size) | 0x80, byte(size>>7) | 0x80, byte(size>>14) | 0x80, byte(size >> 21)}, content...)
	}
	for name, graph := range map[string][]byte{
		"nodes":                   bytes.Repeat([]byte{1<<3 | 2, 0}, n),
		"initializers":            bytes.Repeat([]byte{5<<3 | 2, 0}, n),
		"inputs":                  bytes.Repeat([]byte{11<<3 | 2, 0}, n),
		"names":                   field(1, bytes.Repeat([]byte{1<<3 | 2, 0}, 9*n)),
		"attributes":              field(1, bytes.Repeat([]byte{5<<3 | 2, 0}, n)),
		"nodes of a graph within": field(1, field(5, field(6, bytes.Repeat([]byte{1<<3 | 2, 0}, n)))),
	} {
		data := slices.Concat([]byte{8, 8}, field(7, graph), field(8, []byte{16, 17}))
		_, err := Unmarshal(data)
		if err == nil || !strings.Contains(err.Error(), "too many") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Whole(append(data, location...), External{}); err != nil || InOtherFiles(append(data, location...)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOtherKinds identifies other kinds of files that users mistake for models.
func TestOtherKinds(t *testing.T) {
	zip := func(names string) string { return "PK\x03\x04" + strings.Repeat("\x00", 26) + names }
	for want, data := range map[string]string{
		"empty":        "",
		"blank":        " \r\n",
		"git lfs pull": "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 123\n",
		"web page":     "\n<!DOCTYPE html>\n<html>",
		"XML":          `<?xml version="1.0"?><net name="m">`,
		"gzip":         "\x1f\x8b\x08\x00\x00\x00\x00\x00",
		"HDF5":         "\x89HDF\r\n\x1a\n\x00",
		"pickle":       "\x80\x02}q\x00(X\x06",
		"PyTorch":      zip("archive/data.pklFB"),
		"Keras":        zip("metadata.json{} config.json"),
		"zip file":     zip("readme.txt"),
		"Lite":         "\x1c\x00\x00\x00TFL3\x00\x00",
		"safetensors":  "\x02\x00\x00\x00\x00\x00\x00\x00{}",
		"JSON":         `{"model": 1}`,
		"zero byte":    "\x00\x00\x00\x00",
		"SavedModel":   "\x08\x01\x12\x1c\x0a\x05serve\x12\x13saved_model_main_op",
		"NumPy":        "\x93NUMPY\x01\x00",
	} {
		for _, read := range []func([]byte) (*Model, error){Unmarshal, UnmarshalAny, Outline} {
			_, err := read([]byte(data))
			wantError(t, err, "not an ONNX model")
			wantError(t, err, want)
		}
	}
}

// TestBroken refuses tensors that no engine should read, even where unsupported
// values are dropped.
func TestBroken(t *testing.T) {
	for want, tensor := range map[string]*onnxpb.TensorProto{
		"takes 4611686018427387903 elements, but the data has 1": {
			Dims: []int64{math.MaxInt64 / 2}, Int64Data: []int64{1},
			DataType: proto.Int32(int32(onnxpb.TensorProto_INT64)),
		},
		"takes 3 elements of 4 bytes, but raw_data has 8 bytes": {
			Dims: []int64{3}, RawData: make([]byte, 8), DataType: proto.Int32(int32(onnxpb.TensorProto_FLOAT)),
		},
		"out of range for uint8": {Dims: []int64{1}, Int32Data: []int32{256}, DataType: proto.Int32(int32(onnxpb.TensorProto_UINT8))},
		"negative":               {Dims: []int64{-1}, DataType: proto.Int32(int32(onnxpb.TensorProto_FLOAT))},
	} {
		p := &onnxpb.ModelProto{
			OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(17)}},
			Graph: &onnxpb.GraphProto{Node: []*onnxpb.NodeProto{{
				OpType: proto.String("Constant"), Output: []string{"y"},
				Attribute: []*onnxpb.AttributeProto{{Name: proto.String("value"), T: tensor}},
			}}},
		}
		for _, read := range []func([]byte) (*Model, error){Unmarshal, UnmarshalAny, Outline} {
			_, err := read(protobuf(t, p))
			wantError(t, err, want)
		}
	}
}
