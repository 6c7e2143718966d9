package onnxtest_test

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/onnxpb"
	"github.com/rnnkit/rnnkit/internal/onnxtest"
	"github.com/rnnkit/rnnkit/internal/testenv"
)

func TestSets(t *testing.T) {
	for _, dir := range testenv.SharedModels(t, "onnx-tests/node/gather/test_gather_negative_indices") {
		sets, err := onnxtest.Sets(dir)
		if err != nil {
			t.Fatal(err)
		}
		if len(sets) != 1 || len(sets[0].Inputs) != 2 || len(sets[0].Outputs) != 1 {
			t.Fatalf("sets are %v", sets)
		}
		if err := onnxtest.Compare(sets[0].Outputs[0], tensor.Of([]float32{0, 1, 0}, 3), 0, 0); err != nil {
			t.Error(err)
		}
	}
}

func TestCompare(t *testing.T) {
	nan := float32(math.NaN())
	inf := float32(math.Inf(1))
	for _, test := range []struct {
		got, want tensor.Tensor
		equal     bool
	}{
		{tensor.Of([]float32{1, 2}, 2), tensor.Of([]float32{1, 2.1}, 2), true},
		{tensor.Of([]float32{1, 2}, 2), tensor.Of([]float32{1, 2.3}, 2), false},
		{tensor.Of([]float32{1, 2}, 2), tensor.Of([]float32{1, 2}, 1, 2), false},
		{tensor.Of([]float32{1}, 1), tensor.Of([]int64{1}, 1), false},
		{tensor.Of([]float32{nan}, 1), tensor.Of([]float32{0}, 1), false},
		{tensor.Of([]float32{0}, 1), tensor.Of([]float32{nan}, 1), false},
		{tensor.Of([]float32{nan}, 1), tensor.Of([]float32{nan}, 1), true},
		{tensor.Of([]float32{inf}, 1), tensor.Of([]float32{inf}, 1), true},
		{tensor.Of([]float32{-inf}, 1), tensor.Of([]float32{inf}, 1), false},
		{tensor.Of([]float32{1}, 1), tensor.Of([]float32{inf}, 1), false},
		{tensor.Of([]int64{100}, 1), tensor.Of([]int64{101}, 1), false},
		{tensor.Of([]bool{true}, 1), tensor.Of([]bool{false}, 1), false},
		{tensor.Tensor{}, tensor.Tensor{}, false},
	} {
		if err := onnxtest.Compare(test.got, test.want, 0.1, 0); (err == nil) != test.equal {
			t.Errorf("Compare(%v, %v): %v", test.got, test.want, err)
		}
	}
}

// TestExternal reads models whose tensor is a part of another file, in the model's
// folder or outside it.
func TestExternal(t *testing.T) {
	dir := t.TempDir()
	model := func(location string) ([]byte, error) {
		entry := func(key, value string) []byte {
			b, err := proto.Marshal(&onnxpb.StringStringEntryProto{Key: proto.String(key), Value: proto.String(value)})
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		data, err := proto.Marshal(&onnxpb.ModelProto{
			OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(17)}},
			Graph: &onnxpb.GraphProto{Initializer: []*onnxpb.TensorProto{{
				Name: proto.String("w"), Dims: []int64{2}, DataType: proto.Int32(int32(onnxpb.TensorProto_FLOAT)),
				DataLocation: onnxpb.TensorProto_EXTERNAL.Enum(), ExternalData: [][]byte{
					entry("location", location), entry("offset", "4"), entry("length", "8"),
				},
			}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "model.onnx"), data, 0o666); err != nil {
			t.Fatal(err)
		}
		return onnxtest.Model(dir)
	}
	if err := os.WriteFile(filepath.Join(dir, "weights"), []byte{9, 9, 9, 9, 0, 0, 0x80, 0x3f, 0, 0, 0, 0x40, 9, 9, 9, 9}, 0o666); err != nil {
		t.Fatal(err)
	}
	data, err := model("weights")
	if err != nil {
		t.Fatal(err)
	}
	m, err := onnxgraph.Unmarshal(data)
	if err != nil {
		t.Fatal(err)
	}
	if w, _ := m.Graph.Initializers[0].Data.([]float32); !slices.Equal(w, []float32{1, 2}) {
		t.Errorf("the tensor is %v", m.Graph.Initializers[0])
	}
	for _, location := range []string{"nowhere", "../weights", "/etc/hostname"} {
		if _, err := model(location); err == nil {
			t.Errorf("%s was read", location)
		}
	}
}
