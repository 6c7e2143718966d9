package export

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/models"
)

// What a file computes is tested in internal/verify, against the trainer and
// ONNX Runtime, and by make interop against Python's runtimes.

func newModel(t *testing.T) *models.Model {
	t.Helper()
	m, err := models.New(models.Forecaster("y", 50), 0)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// marshal returns m as the bytes of a file, and what these hold.
func marshal(t *testing.T, m *models.Model) ([]byte, *onnxgraph.Model) {
	t.Helper()
	data, err := Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	file, err := onnxgraph.Unmarshal(data)
	if err != nil {
		t.Fatal(err)
	}
	return data, file
}

func TestMetadata(t *testing.T) {
	m := newModel(t)
	m.InputScale = &models.Scale{Mean: []float32{3}, Std: []float32{2}}
	m.Training = &models.Training{Data: "sine", Seed: math.MaxUint64, Epochs: 15, TestLoss: 0.0116}
	data, file := marshal(t, m)
	if len(file.Metadata) != 1 || file.Metadata[0].Key != models.MetadataKey {
		t.Fatalf("metadata_props are %v", file.Metadata)
	}
	var got models.Metadata
	if err := json.Unmarshal([]byte(file.Metadata[0].Value), &got); err != nil {
		t.Fatal(err)
	}
	want := m.Metadata
	want.Format = models.MetadataFormat
	want.State = []models.StatePair{{Input: "h0", Output: "hn"}, {Input: "c0", Output: "cn"}}
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(want)
	if !bytes.Equal(a, b) {
		t.Errorf("the document is %s, not %s", a, b)
	}
	again, err := Marshal(m)
	if err != nil || !bytes.Equal(again, data) {
		t.Error("the same model gives other bytes")
	}
}

// TestWeightsAreCopied checks that the initializers are the parameters as they
// lie, under the names that docs promise.
func TestWeightsAreCopied(t *testing.T) {
	m := newModel(t)
	_, file := marshal(t, m)
	got := map[string][]float32{}
	for _, tensor := range file.Graph.Initializers {
		got[tensor.Name], _ = tensor.Data.([]float32)
	}
	for name, want := range map[string][]float32{
		"layers.0.W": m.Params.Layers[0].W,
		"layers.0.R": m.Params.Layers[0].R,
		"layers.0.B": m.Params.Layers[0].B,
		"head.W":     m.Params.Head.W,
		"head.B":     m.Params.Head.B,
		"h0":         make([]float32, 32),
		"c0":         make([]float32, 32),
	} {
		if len(got[name]) != len(want) {
			t.Errorf("%s has %d values, not %d", name, len(got[name]), len(want))
			continue
		}
		for i := range want {
			if math.Float32bits(got[name][i]) != math.Float32bits(want[i]) {
				t.Errorf("%s differs at %d", name, i)
				break
			}
		}
	}
}

func TestErrors(t *testing.T) {
	for _, test := range []struct {
		want   string
		change func(*models.Model)
	}{
		{"Hidden is 0", func(m *models.Model) { m.Spec.Hidden = 0 }},
		{"the parameters are not those of the Spec", func(m *models.Model) { m.Spec.Hidden++ }},
		{"the parameters are not those of the Spec", func(m *models.Model) { m.Params = nil }},
		{"InputScale has 1 means and 0 deviations", func(m *models.Model) { m.InputScale = &models.Scale{Mean: []float32{1}} }},
		{"metadata", func(m *models.Model) { m.Training = &models.Training{TestLoss: math.NaN()} }},
	} {
		m := newModel(t)
		test.change(m)
		path := filepath.Join(t.TempDir(), "m.onnx")
		err := WriteFile(path, m)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("the error is %v, not about %s", err, test.want)
		}
		if files, _ := os.ReadDir(filepath.Dir(path)); len(files) > 0 {
			t.Errorf("%v is left behind", files)
		}
	}
}

// TestOutputs checks what the package comment promises of the file.
func TestOutputs(t *testing.T) {
	for _, test := range []struct {
		change func(*models.Spec)
		want   []string
	}{
		{func(*models.Spec) {}, []string{"output batch 1", "hidden batch time 32", "hn 1 batch 32", "cn 1 batch 32"}},
		{func(s *models.Spec) {
			s.Cell, s.Readout, s.Layers, s.Bidirectional = models.GRU, models.ReadAll, 2, true
		},
			[]string{"output batch time 1", "hidden batch time 64", "hn 4 batch 32"}},
	} {
		meta := models.Forecaster("y", 50)
		test.change(&meta.Spec)
		m, err := models.New(meta, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, file := marshal(t, m)
		if file.Producer != "rnnkit" || file.IRVersion != 8 || fmt.Sprint(file.Opsets) != "[{ 17}]" {
			t.Errorf("producer %q, IR %d, opsets %v", file.Producer, file.IRVersion, file.Opsets)
		}
		var got []string
		for _, v := range file.Graph.Outputs {
			line := v.Name
			for _, d := range v.Shape {
				if d.Symbol != "" {
					line += " " + d.Symbol
				} else {
					line += fmt.Sprint(" ", d.Size)
				}
			}
			got = append(got, line)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("the outputs are %q, not %q", got, test.want)
		}
	}
}
