package native

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxpb"
	"github.com/rnnkit/rnnkit/internal/onnxtest"
	"github.com/rnnkit/rnnkit/internal/testenv"
)

// TestONNX runs ONNX's own tests of operators, and tests of recurrent operators from
// elsewhere. Each passes, or is refused where its file has what this engine does not
// support, by an error that names one such thing.
func TestONNX(t *testing.T) {
	for _, dir := range onnxTests(t) {
		t.Run(testName(dir), func(t *testing.T) {
			model, err := onnxtest.Model(dir)
			if err != nil {
				t.Fatal(err)
			}
			lacks := unsupported(t, model)
			session, err := New().Open(model)
			if len(lacks) > 0 {
				if err == nil || !slices.ContainsFunc(lacks, func(why string) bool { return strings.Contains(err.Error(), why) }) {
					t.Errorf("the error is %v, and names none of %q", err, lacks)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			sets, err := onnxtest.Sets(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, set := range sets {
				runSet(t, session, set)
			}
		})
	}
}

// unsupported lists what a file has that this engine does not support, as it says so
// in its errors: element types, values that are no tensors, and training.
func unsupported(t *testing.T, model []byte) (lacks []string) {
	t.Helper()
	var m onnxpb.ModelProto
	if err := proto.Unmarshal(model, &m); err != nil {
		t.Fatal(err)
	}
	element := func(typ int32) {
		switch typ := onnxpb.TensorProto_DataType(typ); typ {
		case onnxpb.TensorProto_FLOAT16, onnxpb.TensorProto_FLOAT, onnxpb.TensorProto_DOUBLE, onnxpb.TensorProto_BOOL,
			onnxpb.TensorProto_UINT8, onnxpb.TensorProto_INT32, onnxpb.TensorProto_INT64:
		default:
			lacks = append(lacks, "type "+strings.ToLower(typ.String())+", which")
		}
	}
	for _, v := range slices.Concat(m.Graph.Input, m.Graph.Output) {
		if v.GetType().GetTensorType() == nil {
			lacks = append(lacks, "only tensors are supported")
			continue
		}
		element(v.Type.GetTensorType().GetElemType())
	}
	for _, n := range m.Graph.Node {
		if n.GetOpType() == "Dropout" && len(n.Input) > 2 {
			lacks = append(lacks, "training is not supported")
		}
		for _, a := range n.Attribute {
			if n.GetOpType() == "Cast" && a.GetName() == "to" {
				element(int32(a.GetI()))
			}
		}
	}
	return lacks
}

func runSet(t *testing.T, session engine.Session, set onnxtest.Set) {
	inputs := map[string]tensor.Tensor{}
	for i, v := range session.Inputs() {
		inputs[v.Name] = set.Inputs[i]
	}
	outputs, err := session.Run(context.Background(), inputs)
	if err != nil {
		t.Fatal(err)
	}
	if len(outputs) != len(set.Outputs) {
		t.Fatalf("got %d outputs, want %d", len(outputs), len(set.Outputs))
	}
	for i, v := range session.Outputs() {
		if err := onnxtest.Compare(outputs[v.Name], set.Outputs[i], 1e-3, 1e-7); err != nil {
			t.Errorf("output %s: %v", v.Name, err)
		}
	}
}

// onnxTests returns the folders of ONNX's node tests and of the recurrent tests.
func onnxTests(t *testing.T) []string {
	return append(testenv.SharedModels(t, "onnx-tests/node/*/*"), testenv.SharedModels(t, "onnx-tests/recurrent/*/*")...)
}

// testName returns the last two elements of the path of a test's folder.
func testName(dir string) string {
	return filepath.Base(filepath.Dir(dir)) + "/" + filepath.Base(dir)
}

// TestMalformed opens recurrent models that break the specification, all of them
// by their clip, some also by their number of activations.
func TestMalformed(t *testing.T) {
	for _, dir := range testenv.SharedModels(t, "malformed/*") {
		model, err := onnxtest.Model(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := New().Open(model); err == nil || !strings.Contains(err.Error(), `attribute "clip"`) {
			t.Errorf("%s: error does not name the clip: %v", filepath.Base(dir), err)
		}
	}
}
