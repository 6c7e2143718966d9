package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/onnxpb"
	"github.com/rnnkit/rnnkit/models"
)

// outside writes a model as PyTorch does, with its weights in a file beside it, and
// returns its path and the bytes of the model in one.
func outside(t *testing.T) (path string, whole []byte) {
	t.Helper()
	m, err := models.New(models.Metadata{Spec: models.Spec{
		Cell: models.LSTM, Features: 2, Hidden: 5, Layers: 1, Readout: models.ReadLast, Outputs: 1,
	}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if whole, err = export.Marshal(m); err != nil {
		t.Fatal(err)
	}
	p := new(onnxpb.ModelProto)
	if err := proto.Unmarshal(whole, p); err != nil {
		t.Fatal(err)
	}
	var weights []byte
	for _, tensor := range p.Graph.Initializer {
		if len(tensor.RawData) < 64 {
			continue
		}
		for key, value := range map[string]string{
			"location": "model.onnx.data", "offset": strconv.Itoa(len(weights)),
			"length": strconv.Itoa(len(tensor.RawData)),
		} {
			entry, err := proto.Marshal(&onnxpb.StringStringEntryProto{Key: &key, Value: &value})
			if err != nil {
				t.Fatal(err)
			}
			tensor.ExternalData = append(tensor.ExternalData, entry)
		}
		weights = append(weights, tensor.RawData...)
		tensor.RawData, tensor.DataLocation = nil, onnxpb.TensorProto_EXTERNAL.Enum()
	}
	data, err := proto.Marshal(p)
	if err != nil || len(weights) == 0 {
		t.Fatal(err, len(weights))
	}
	path = filepath.Join(t.TempDir(), "model.onnx")
	for name, data := range map[string][]byte{path: data, path + ".data": weights} {
		if err := os.WriteFile(name, data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return path, whole
}

// TestExternalData reads a model with its weights in another file, which every verb
// does by way of readModel.
func TestExternalData(t *testing.T) {
	path, whole := outside(t)
	m, data, err := readGraph(path)
	if err != nil {
		t.Fatal(err)
	}
	want, err := onnxgraph.Unmarshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Graph.Initializers) != len(want.Graph.Initializers) || bytes.Contains(data, []byte("model.onnx.data")) {
		t.Errorf("%d initializers, not %d", len(m.Graph.Initializers), len(want.Graph.Initializers))
	}
	var out, log bytes.Buffer
	if code := Main([]string{"inspect", path}, nil, &out, &log); code != 0 || !strings.Contains(out.String(), "native runs it") {
		t.Errorf("status %d: %s%s", code, out.String(), log.String())
	}
	os.Remove(path + ".data")
	if _, err := readModel(path); err == nil || !strings.Contains(err.Error(), "model.onnx.data") {
		t.Errorf("the error is %v", err)
	}
}
