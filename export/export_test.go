package export

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
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
	m.State = m.Spec.State()
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
		{"Params", func(m *models.Model) { m.Spec.Hidden++ }},
		{"Params", func(m *models.Model) { m.Params = nil }},
		{"InputScale.Std is of length 0", func(m *models.Model) { m.InputScale = &models.Scale{Mean: []float32{1}} }},
		{"State is [{h0 hn}]: it must be [{h0 hn} {c0 cn}], or empty", func(m *models.Model) { m.State = m.Spec.State()[:1] }},
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

// TestGraph checks what the package comment promises of the file, and that it is
// easy on what reads it: a state is an ordinary input, no node reads an output, and
// the only Gather is an embedding.
func TestGraph(t *testing.T) {
	deep := func(m *models.Metadata) {
		m.Spec.Cell, m.Spec.Readout, m.Spec.Layers, m.Spec.Bidirectional = models.GRU, models.ReadAll, 2, true
	}
	stateful := func(m *models.Metadata) { m.State = m.Spec.State() }
	for _, test := range []struct {
		changes []func(*models.Metadata)
		inputs  []string
		outputs []string
	}{
		{nil, []string{"input batch time 1"}, []string{"output batch 1", "hidden batch time 32"}},
		{[]func(*models.Metadata){stateful},
			[]string{"input batch time 1", "h0 1 batch 32", "c0 1 batch 32"},
			[]string{"output batch 1", "hidden batch time 32", "hn 1 batch 32", "cn 1 batch 32"}},
		{[]func(*models.Metadata){deep}, []string{"input batch time 1"}, []string{"output batch time 1", "hidden batch time 64"}},
		{[]func(*models.Metadata){deep, stateful},
			[]string{"input batch time 1", "h0 4 batch 32"},
			[]string{"output batch time 1", "hidden batch time 64", "hn 4 batch 32"}},
	} {
		meta := models.Forecaster("y", 50)
		for _, change := range test.changes {
			change(&meta)
		}
		m, err := models.New(meta, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, file := marshal(t, m)
		if file.Producer != "rnnkit" || file.IRVersion != 8 || fmt.Sprint(file.Opsets) != "[{ 17}]" {
			t.Errorf("producer %q, IR %d, opsets %v", file.Producer, file.IRVersion, file.Opsets)
		}
		lines(t, described(file.Graph.Inputs), test.inputs...)
		lines(t, described(file.Graph.Outputs), test.outputs...)
	}

	for _, s := range allSpecs() {
		for _, state := range [][]models.StatePair{nil, s.State()} {
			_, file := marshal(t, &models.Model{Metadata: models.Metadata{Spec: s, State: state}, Params: drawn(s, 1)})
			plain(t, &file.Graph, s)
		}
	}
}

// plain checks that nothing in a graph asks more of a runtime than it must.
func plain(t *testing.T, g *onnxgraph.Graph, s models.Spec) {
	t.Helper()
	for _, in := range g.Inputs {
		if slices.ContainsFunc(g.Initializers, func(i onnxgraph.Tensor) bool { return i.Name == in.Name }) {
			t.Errorf("%+v: input %s has a default", s, in.Name)
		}
	}
	for _, n := range g.Nodes {
		if n.OpType == "Gather" && n.Name != "embedded" {
			t.Errorf("%+v: node %s is a Gather", s, n.Name)
		}
		if n.Inputs[len(n.Inputs)-1] == "" {
			t.Errorf("%+v: node %s leaves its last input out", s, n.Name)
		}
		for _, out := range g.Outputs {
			if slices.Contains(n.Inputs, out.Name) {
				t.Errorf("%+v: node %s reads output %s", s, n.Name, out.Name)
			}
		}
	}
}

func described(values []onnxgraph.Value) (list []string) {
	for _, v := range values {
		line := v.Name
		for _, d := range v.Shape {
			if d.Symbol != "" {
				line += " " + d.Symbol
			} else {
				line += fmt.Sprint(" ", d.Size)
			}
		}
		list = append(list, line)
	}
	return list
}

// TestUnmarshal reads what Marshal wrote, and files of an earlier form, whose state
// is an input with a default.
func TestUnmarshal(t *testing.T) {
	for _, s := range allSpecs() {
		for _, state := range [][]models.StatePair{nil, s.State()} {
			m := &models.Model{
				Metadata: models.Metadata{Task: models.Classify, Spec: s, State: state, Labels: []string{"no", "yes"}},
				Params:   drawn(s, 3),
			}
			same(t, m)
		}
	}
	for _, name := range []string{"optional_state_lstm2_tokens", "optional_state_gru2_bi"} {
		old, err := Unmarshal(readTestdata(t, name))
		if err != nil {
			t.Fatal(err)
		}
		again, err := models.New(old.Metadata, 11) // as the file was made
		if err != nil {
			t.Fatal(err)
		}
		equal(t, name, old.Params.Data, again.Params.Data)
		if !slices.Equal(old.State, old.Spec.State()) || old.Task == "" {
			t.Errorf("%s: %+v", name, old.Metadata)
		}
		same(t, old)
	}
}

// same checks that a model comes back from its bytes.
func same(t *testing.T, m *models.Model) {
	t.Helper()
	data, _ := marshal(t, m)
	got, err := Unmarshal(data)
	if err != nil {
		t.Fatalf("%+v: %v", m.Spec, err)
	}
	equal(t, fmt.Sprintf("%+v", m.Spec), got.Params.Data, m.Params.Data)
	again, _ := marshal(t, got)
	if !bytes.Equal(again, data) {
		t.Errorf("%+v: the model that is read gives other bytes", m.Spec)
	}
}

func TestUnmarshalErrors(t *testing.T) {
	m := newModel(t)
	m.Labels, m.Horizon = nil, 0
	change := func(f func(*onnxgraph.Model)) []byte {
		_, file := marshal(t, m)
		f(file)
		return marshalFile(t, file)
	}
	property := func(from, to string) []byte {
		return change(func(f *onnxgraph.Model) { f.Metadata[0].Value = strings.Replace(f.Metadata[0].Value, from, to, 1) })
	}
	for want, data := range map[string][]byte{
		"not an ONNX model":                           []byte("time,value\n"),
		`the file has no metadata "rnnkit"`:           change(func(f *onnxgraph.Model) { f.Metadata[0].Key = "other" }),
		`metadata "rnnkit" is damaged`:                property(`"format"`, `"`),
		"use a newer rnnkit":                          property(`"format":1`, `"format":2`),
		"Hidden is 0":                                 property(`"hidden":32`, `"hidden":0`),
		"bytes, fewer than the":                       property(`"hidden":32`, `"hidden":8000`),
		"do not fit the Spec":                         property(`"hidden":32`, `"hidden":31`),
		"the graph is not that of its metadata: head": property(`"outputs":1`, `"outputs":2`),
	} {
		if _, err := Unmarshal(data); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, not %q", err, want)
		}
	}
}

// TestReadFile reads back what WriteFile wrote, and names the file that it cannot read.
func TestReadFile(t *testing.T) {
	m, err := models.New(models.Forecaster("y", 5), 3)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := WriteFile(path, m); err != nil {
		t.Fatal(err)
	}
	read, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if read.Spec != m.Spec || read.Window != 5 || !slices.Equal(read.Params.Data, m.Params.Data) {
		t.Errorf("read back: %+v", read.Metadata)
	}
	if err := os.WriteFile(path, []byte("no model"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(path); err == nil || !strings.HasPrefix(err.Error(), path+": ") {
		t.Errorf("no model: %v", err)
	}
	if _, err := ReadFile(path + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
