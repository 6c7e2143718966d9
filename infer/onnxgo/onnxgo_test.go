package onnxgo_test

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/owulveryck/onnx-go"
	gorgonia "gorgonia.org/tensor"

	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/onnxgo"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/onnxtest"
	"github.com/rnnkit/rnnkit/internal/orttest"
	"github.com/rnnkit/rnnkit/internal/testenv"
	"github.com/rnnkit/rnnkit/models"
)

// oracle is ONNX Runtime, or the native engine where that is not installed.
func oracle(t *testing.T) engine.Engine {
	t.Helper()
	engines := orttest.Engines(t, native.New())
	return engines[len(engines)-1]
}

func decode(t testing.TB, data []byte, opts ...onnxgo.Option) (*onnx.Model, *onnxgo.Backend) {
	t.Helper()
	backend := onnxgo.NewBackend(opts...)
	model := onnx.NewModel(backend)
	if err := model.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	return model, backend
}

func marshal(t testing.TB, m *models.Model) []byte {
	t.Helper()
	data, err := export.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// tensorOf returns t as onnx-go has it.
func tensorOf(t tensor.Tensor) gorgonia.Tensor {
	return gorgonia.New(gorgonia.WithShape(t.Shape...), gorgonia.WithBacking(t.Data))
}

// check runs an exported model on random inputs of several shapes, from zeros and
// where it takes a state from a random one, and compares every output with the oracle's.
func check(t *testing.T, data []byte, spec models.Spec) {
	t.Helper()
	session, err := oracle(t).Open(data)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	model, backend := decode(t, data)
	rng := rand.New(rand.NewPCG(1, 2))
	for i, shape := range [][2]int{{1, 1}, {3, 7}, {2, 4}, {5, 4}} {
		batch, time := shape[0], shape[1]
		x := tensor.Zeros(tensor.Float32, batch, time, max(spec.Features, 1))
		for i := range x.Data.([]float32) {
			x.Data.([]float32)[i] = float32(rng.NormFloat64())
		}
		if spec.Vocabulary > 0 {
			x = tensor.Zeros(tensor.Int64, batch, time)
			for i := range x.Data.([]int64) {
				x.Data.([]int64)[i] = rng.Int64N(int64(spec.Vocabulary))
			}
		}
		inputs := map[string]tensor.Tensor{"input": x}
		if err := model.SetInput(0, tensorOf(x)); err != nil {
			t.Fatal(err)
		}
		for k, info := range session.Inputs()[1:] { // the state, zeros at first
			h := tensor.Zeros(tensor.Float32, spec.Layers*spec.Directions(), batch, spec.Hidden)
			for j := range h.Data.([]float32) {
				h.Data.([]float32)[j] = float32(i/2) * float32(rng.NormFloat64())
			}
			inputs[info.Name] = h
			if err := model.SetInput(1+k, tensorOf(h)); err != nil {
				t.Fatal(err)
			}
		}
		if err := backend.Run(); err != nil {
			t.Fatal(err)
		}
		got, err := model.GetOutputTensors()
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, v := range session.Outputs() {
			names = append(names, v.Name)
		}
		want, err := session.Run(t.Context(), inputs, names...)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%d outputs, want %d (%v)", len(got), len(want), err)
		}
		for i, name := range names {
			y, want := got[i].Data().([]float32), want[name]
			if fmt.Sprint([]int(got[i].Shape())) != fmt.Sprint(want.Shape) {
				t.Fatalf("%v: %s has shape %v, not %v", shape, name, got[i].Shape(), want.Shape)
			}
			for j, v := range want.Data.([]float32) {
				if d := math.Abs(float64(y[j] - v)); !(d <= 1e-5) {
					t.Fatalf("%v: %s differs by %g", shape, name, d)
				}
			}
		}
	}
}

// presets are models as those that `rnnkit train` makes of its presets.
var presets = map[string]models.Metadata{
	"chars": {
		Spec: models.Spec{Vocabulary: 30, Embedding: 32, Hidden: 64, Layers: 1, Readout: models.ReadAll, Outputs: 30},
	},
	"sine": {
		Spec:        models.Forecaster("", 0).Spec,
		InputScale:  &models.Scale{Mean: []float32{0.1}, Std: []float32{0.7}},
		OutputScale: &models.Scale{Mean: []float32{0.1}, Std: []float32{0.7}},
	},
	"echo": {
		Spec:       models.Spec{Features: 1, Hidden: 16, Layers: 1, Readout: models.ReadLast, Outputs: 1},
		InputScale: &models.Scale{Mean: []float32{0.5}, Std: []float32{0.5}},
	},
	"palindrome": {
		Spec: models.Spec{Vocabulary: 10, Embedding: 8, Hidden: 16, Layers: 1, Readout: models.ReadFinal, Outputs: 1},
	},
}

// TestPresets decodes and runs the presets, with every cell.
func TestPresets(t *testing.T) {
	for name, meta := range presets {
		for _, cell := range []models.Cell{models.RNN, models.GRU, models.LSTM} {
			t.Run(name+"/"+string(cell), func(t *testing.T) {
				meta := meta
				meta.Spec.Cell = cell
				if name == "chars" {
					meta.State = meta.Spec.State()
				}
				m, err := models.New(meta, 1)
				if err != nil {
					t.Fatal(err)
				}
				check(t, marshal(t, m), meta.Spec)
			})
		}
	}
}

// TestSpecs decodes and runs every form of model that rnnkit exports.
func TestSpecs(t *testing.T) {
	for _, cell := range []models.Cell{models.RNN, models.GRU, models.LSTM} {
		for _, readout := range []models.Readout{models.ReadLast, models.ReadFinal, models.ReadMean, models.ReadMax, models.ReadAll} {
			for i := range 4 {
				spec := models.Spec{Cell: cell, Features: 3, Hidden: 5, Layers: 1 + i%2, Bidirectional: i >= 2, Readout: readout, Outputs: 2}
				meta := models.Metadata{}
				if i%2 == 0 {
					spec.Features, spec.Vocabulary, spec.Embedding = 0, 7, 4
				} else {
					meta.InputScale = &models.Scale{Mean: []float32{1, 2, 3}, Std: []float32{2, 3, 4}}
					meta.OutputScale = &models.Scale{Mean: []float32{1, 2}, Std: []float32{3, 4}}
				}
				meta.Spec = spec
				if i != 1 {
					meta.State = spec.State()
				}
				m, err := models.New(meta, uint64(i))
				if err != nil {
					t.Fatal(err)
				}
				t.Run(fmt.Sprintf("%s/%s/%d", cell, readout, i), func(t *testing.T) { check(t, marshal(t, m), spec) })
			}
		}
	}
}

// TestOpset has an operator whose axes were an attribute before opset 13, a constant
// within the graph, and outputs that are left out.
func TestOpset(t *testing.T) {
	value := func(name string, dims ...int) onnxgraph.Value {
		v := onnxgraph.Value{Name: name, Type: onnxgraph.Float32}
		for _, d := range dims {
			v.Shape = append(v.Shape, onnxgraph.Dim{Size: d})
		}
		return v
	}
	w := onnxgraph.Tensor{Name: "w", Tensor: tensor.Of([]float32{1, -1}, 1, 2, 1)}
	data, err := onnxgraph.Marshal(&onnxgraph.Model{IRVersion: 6, Opsets: []onnxgraph.Opset{{Version: 11}}, Graph: onnxgraph.Graph{
		Inputs:  []onnxgraph.Value{value("x", 3, 2, 1)},
		Outputs: []onnxgraph.Value{value("y", 2, 2)},
		Nodes: []onnxgraph.Node{
			{
				OpType: "Constant", Outputs: []string{"r"},
				Attributes: []onnxgraph.Attribute{{Name: "value", Value: onnxgraph.Tensor{Tensor: tensor.Of([]float32{0, 0, 0, 0}, 1, 2, 2)}}},
			},
			{
				OpType: "RNN", Inputs: []string{"x", "w", "r", "", ""}, Outputs: []string{"", "h"},
				Attributes: []onnxgraph.Attribute{{Name: "hidden_size", Value: int64(2)}, {Name: "activations", Value: []string{"Relu"}}},
			},
			{OpType: "Squeeze", Inputs: []string{"h"}, Outputs: []string{"y"}, Attributes: []onnxgraph.Attribute{{Name: "axes", Value: []int64{0}}}},
		},
		Initializers: []onnxgraph.Tensor{w},
	}})
	if err != nil {
		t.Fatal(err)
	}
	run := func(opts ...onnxgo.Option) (*onnx.Model, error) {
		model, backend := decode(t, data, opts...)
		if err := model.SetInput(0, tensorOf(tensor.Of([]float32{0, 0, 0, 0, 3, -4}, 3, 2, 1))); err != nil {
			t.Fatal(err)
		}
		return model, backend.Run()
	}
	model, err := run(onnxgo.Opset(11))
	if err != nil {
		t.Fatal(err)
	}
	if y, err := model.GetOutputTensors(); err != nil || fmt.Sprint(y[0].Data(), y[0].Shape()) != "[3 0 0 4] (2, 2)" {
		t.Errorf("the answer is %v (%v)", y, err)
	}
	if _, err := run(); err == nil || !strings.Contains(err.Error(), "Squeeze") {
		t.Errorf("with opset 17: %v", err)
	}
}

func TestErrors(t *testing.T) {
	m, err := models.New(models.Metadata{Spec: models.Spec{
		Cell: models.GRU, Features: 2, Hidden: 3, Layers: 1, Readout: models.ReadAll, Outputs: 1,
	}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	data := marshal(t, m)
	model, backend := decode(t, data)
	set := func(x gorgonia.Tensor) error {
		if err := model.SetInput(0, x); err != nil {
			t.Fatal(err)
		}
		return backend.Run()
	}
	transposed := gorgonia.New(gorgonia.WithShape(2, 3, 2), gorgonia.WithBacking(gorgonia.Range(gorgonia.Float32, 0, 12)))
	if err := transposed.T(1, 0, 2); err != nil {
		t.Fatal(err)
	}
	for want, run := range map[string]func() error{
		"there is no model":        func() error { return onnxgo.NewBackend().Run() },
		`input "input" is not set`: func() error { _, b := decode(t, data); return b.Run() },
		"type string is not supported": func() error {
			return set(gorgonia.New(gorgonia.WithShape(1, 1, 1), gorgonia.WithBacking([]string{"a"})))
		},
		"column-major": func() error {
			return set(gorgonia.New(gorgonia.WithShape(1, 2, 2), gorgonia.Of(gorgonia.Float32), gorgonia.AsFortran(nil)))
		},
		`onnxgo: node`: func() error { return set(tensorOf(tensor.Of(make([]float32, 6), 1, 2, 3))) },
	} {
		if err := run(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, not %q", err, want)
		}
	}
	// A view is as good as a copy.
	if err := set(transposed); err != nil {
		t.Fatal(err)
	}
	first, _ := model.GetOutputTensors()
	if err := set(tensorOf(tensor.Of([]float32{0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11}, 3, 2, 2))); err != nil {
		t.Fatal(err)
	}
	if second, _ := model.GetOutputTensors(); fmt.Sprint(first[0].Data()) != fmt.Sprint(second[0].Data()) {
		t.Errorf("a view gives %v, a copy %v", first[0].Data(), second[0].Data())
	}
}

// TestEngine compares runs of the engine, one after the other, with the native
// engine: of a file whose state is an input with a default.
func TestEngine(t *testing.T) {
	data, err := os.ReadFile("../testdata/sine.onnx")
	if err != nil {
		t.Fatal(err)
	}
	graph, err := onnxgraph.Outline(data)
	if err != nil {
		t.Fatal(err)
	}
	inner := graph.Graph.Nodes[0].Outputs[0]
	var sessions []engine.Session
	for _, e := range []engine.Engine{onnxgo.Engine(), native.New()} {
		s, err := e.Open(data)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		sessions = append(sessions, s)
	}
	x := tensor.Of([]float32{1, 2, 3, 4, 5, 6, 7, 8}, 2, 4, 1)
	h := tensor.Of(slices.Repeat([]float32{1, -0.5}, 32), 1, 2, 32)
	names := []string{"output", "cn"}
	for i, inputs := range []map[string]tensor.Tensor{{"input": x}, {"input": x, "h0": h}, {"input": x}, {"input": x, "c0": h}} {
		if i == 3 {
			names = nil // all outputs
		}
		got, err := sessions[0].Run(t.Context(), inputs, names...)
		if err != nil {
			t.Fatal(err)
		}
		want, err := sessions[1].Run(t.Context(), inputs, names...)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("run %d: %v, not %v (%v)", i, got, want, err)
		}
	}
	long := tensor.Of(make([]float32, 20_000), 1, 20_000, 1)
	if _, err := sessions[0].Run(&canceledLater{t.Context(), 5}, map[string]tensor.Tensor{"input": long}, "cn"); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v, not that of the context", err)
	}
	for _, test := range []struct {
		inputs       map[string]tensor.Tensor
		output, want string
	}{
		{map[string]tensor.Tensor{}, "output", `input "input" is missing`},
		{map[string]tensor.Tensor{"input": tensor.Of([]float32{}, 0, 2, 1)}, "output", `input "input" is empty`},
		{map[string]tensor.Tensor{"input": x}, "y", `output "y" is not among`},
		{map[string]tensor.Tensor{"input": x}, "input", `output "input" is not among`},
		{map[string]tensor.Tensor{"input": x}, inner, fmt.Sprintf("output %q is not among", inner)},
	} {
		if _, err := sessions[0].Run(t.Context(), test.inputs, test.output); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("the error is %v, not %q", err, test.want)
		}
	}
}

// canceledLater is a context that is canceled after some calls of Err.
type canceledLater struct {
	context.Context
	calls int
}

func (c *canceledLater) Err() error {
	if c.calls--; c.calls < 0 {
		return context.Canceled
	}
	return nil
}

// TestElsewhere runs models from elsewhere, but for one with an If.
func TestElsewhere(t *testing.T) {
	for _, dir := range testenv.SharedModels(t, "models/*") {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			data, err := onnxtest.Model(dir)
			if err != nil {
				t.Fatal(err)
			}
			s, err := onnxgo.Engine().Open(data)
			if filepath.Base(dir) == "silero_vad_v4_legacy" {
				if want := `attribute "else_branch": ir.AttributeProto_GRAPH not handled yet`; err == nil || !strings.HasSuffix(err.Error(), want) {
					t.Errorf("the error is %v, not %q", err, want)
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
				if err := set.Run(t.Context(), s, 1e-3, 2e-6); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
