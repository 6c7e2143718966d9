package infer_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/onnxtest"
	"github.com/rnnkit/rnnkit/internal/orttest"
	"github.com/rnnkit/rnnkit/internal/testenv"
	"github.com/rnnkit/rnnkit/models"
)

// engines returns those that are on this machine.
func engines(t testing.TB) []engine.Engine {
	t.Helper()
	return orttest.Engines(t, native.New())
}

// stepping is a session that carries the state itself and ignores what is fed to it.
type stepping struct {
	engine.Session
	model *infer.Model
	state *infer.State
}

func (s stepping) Outputs() []tensor.Info { return s.model.Outputs() }

func (s stepping) Run(ctx context.Context, inputs map[string]tensor.Tensor, outputs ...string) (map[string]tensor.Tensor, error) {
	inputs = maps.Clone(inputs)
	for _, pair := range s.model.State() {
		delete(inputs, pair.Input)
	}
	return s.model.StepTensors(ctx, s.state, inputs, outputs...)
}

// TestStreams runs models from elsewhere frame by frame and compares with ONNX
// Runtime 1.30, which was told the state's inputs and outputs.
func TestStreams(t *testing.T) {
	for _, dir := range testenv.SharedModels(t, "models/*") {
		stream, err := onnxtest.ReadStream(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range engines(t) {
			t.Run(filepath.Base(dir)+"/"+e.String(), func(t *testing.T) {
				m, err := infer.Open(filepath.Join(dir, "model.onnx"), infer.With(e))
				if err != nil {
					t.Fatal(err)
				}
				defer m.Close()
				var pairs [][2]string
				for _, p := range m.State() {
					pairs = append(pairs, [2]string{p.Input, p.Output})
				}
				if !slices.Equal(pairs, stream.States) {
					t.Fatalf("the state is %v, not %v", pairs, stream.States)
				}
				if err := stream.Run(t.Context(), stepping{model: m, state: m.NewState()}, 1e-4, 1e-4); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// anonymous returns a model without metadata, and with other names for its inputs
// and outputs.
func anonymous(t *testing.T, data []byte, names map[string]string) []byte {
	t.Helper()
	m, err := onnxgraph.Unmarshal(data)
	if err != nil {
		t.Fatal(err)
	}
	m.Metadata = nil
	rename := func(name *string) {
		if other, ok := names[*name]; ok {
			*name = other
		}
	}
	for i := range m.Graph.Inputs {
		rename(&m.Graph.Inputs[i].Name)
	}
	for i := range m.Graph.Outputs {
		rename(&m.Graph.Outputs[i].Name)
	}
	for i := range m.Graph.Initializers {
		rename(&m.Graph.Initializers[i].Name)
	}
	for _, n := range m.Graph.Nodes {
		for _, list := range [][]string{n.Inputs, n.Outputs} {
			for i := range list {
				rename(&list[i])
			}
		}
	}
	if data, err = onnxgraph.Marshal(m); err != nil {
		t.Fatal(err)
	}
	return data
}

var otherNames = map[string]string{"input": "p", "h0": "q", "c0": "r", "output": "s", "hn": "u", "cn": "v"}

// TestStepWithoutMetadata steps models whose names say nothing, of numbers and of
// tokens, and compares with the same models as rnnkit exported them.
func TestStepWithoutMetadata(t *testing.T) {
	for _, e := range engines(t) {
		for _, spec := range []models.Spec{floatSpec, tokenSpec} {
			data := exported(t, spec)
			ours, theirs := open(t, data, e), open(t, anonymous(t, data, otherNames), e)
			if got := theirs.State(); len(got) != len(ours.State()) || got[0] != (models.StatePair{Input: "q", Output: "u"}) {
				t.Fatalf("%s: the state is %v", e, got)
			}
			s, other := ours.NewState(), theirs.NewState()
			for i := range 9 {
				var want, got []float32
				var err, errOther error
				if spec.Vocabulary > 0 {
					want, err = ours.StepTokens(t.Context(), s, int64(i%5), 3)
					got, errOther = theirs.StepTokens(t.Context(), other, int64(i%5), 3)
				} else {
					want, err = ours.Step(t.Context(), s, []float32{float32(i)})
					got, errOther = theirs.Step(t.Context(), other, []float32{float32(i)})
				}
				if err != nil || errOther != nil || !slices.Equal(got, want) {
					t.Fatalf("%s: step %d is %v (%v), not %v (%v)", e, i, got, errOther, want, err)
				}
				if i == 4 { // and on from what was saved
					var restored infer.State
					restore(t, &restored, save(t, other))
					other = &restored
				}
			}
		}
	}
}

// TestStepTensors has several sequences at once, all outputs, and a first state.
func TestStepTensors(t *testing.T) {
	for _, e := range engines(t) {
		m := open(t, anonymous(t, exported(t, floatSpec), otherNames), e)
		x := func(i int) tensor.Tensor { return tensor.Of([]float32{float32(i), 1, -float32(i)}, 3, 1, 1) }
		s := m.NewState()
		var results []map[string]tensor.Tensor
		var texts []string
		for i := range 4 {
			r, err := m.StepTensors(t.Context(), s, map[string]tensor.Tensor{"p": x(i)})
			if err != nil {
				t.Fatal(err)
			}
			results, texts = append(results, r), append(texts, fmt.Sprint(r))
		}
		for i := range 3 { // which may not write to what is the caller's
			if _, err := m.StepTensors(t.Context(), s, map[string]tensor.Tensor{"p": x(i)}, "s"); err != nil {
				t.Fatal(err)
			}
		}
		for i, r := range results {
			if got := fmt.Sprint(r); got != texts[i] {
				t.Errorf("%s: the results of step %d were %s and are %s", e, i, texts[i], got)
			}
		}
		given := map[string]tensor.Tensor{"p": x(3), "q": results[2]["u"], "r": results[2]["v"]}
		for name, state := range map[string]*infer.State{"fresh": m.NewState(), "used": s} {
			r, err := m.StepTensors(t.Context(), state, given, "s", "u")
			if err != nil {
				t.Fatal(err)
			}
			for _, out := range []string{"s", "u"} {
				if got, want := r[out].Data.([]float32), results[3][out].Data.([]float32); !slices.Equal(got, want) {
					t.Errorf("%s: from a %s state %s is %v, not %v", e, name, out, got, want)
				}
			}
			if len(r) != 2 {
				t.Errorf("%d outputs", len(r))
			}
		}
		whole := tensor.Of([]float32{0, 1, 2, 3, 1, 1, 1, 1, 0, -1, -2, -3}, 3, 4, 1)
		want, err := m.Run(t.Context(), map[string]tensor.Tensor{"p": whole}, "u")
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range want["u"].Data.([]float32) {
			if got := results[3]["u"].Data.([]float32)[i]; !(got-v <= 1e-6 && v-got <= 1e-6) {
				t.Errorf("%s: element %d of the last state is %g, of the whole %g", e, i, got, v)
			}
		}
	}
}

func TestForeignStepErrors(t *testing.T) {
	bidirectional := floatSpec
	bidirectional.Bidirectional = true
	float := anonymous(t, exported(t, floatSpec), otherNames)
	for want, run := range map[string]func() error{
		`node "layers.0.lstm" (LSTM) reads the sequence from its end too: its direction is bidirectional`: func() error {
			m := open(t, anonymous(t, exported(t, bidirectional), otherNames), native.New())
			_, err := m.StepTensors(t.Context(), m.NewState(), nil)
			return err
		},
		"of which one each must be no state: use StepTensors": func() error {
			m := open(t, withoutOutputs(t, float), native.New())
			_, err := m.Step(t.Context(), m.NewState(), []float32{1})
			return err
		},
		`x is of length 2: it must be a step of p float32[batch, time, 1]`: func() error {
			m := open(t, float, native.New())
			_, err := m.Step(t.Context(), m.NewState(), []float32{1, 2})
			return err
		},
		"takes no tokens: use Step": func() error {
			m := open(t, float, native.New())
			_, err := m.StepTokens(t.Context(), m.NewState(), 1)
			return err
		},
	} {
		if err := run(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, not %q", err, want)
		}
	}
}

// withoutOutputs returns a model that answers s alone.
func withoutOutputs(t *testing.T, data []byte) []byte {
	t.Helper()
	m, err := onnxgraph.Unmarshal(data)
	if err != nil {
		t.Fatal(err)
	}
	m.Graph.Outputs = slices.DeleteFunc(m.Graph.Outputs, func(v onnxgraph.Value) bool { return v.Name != "s" })
	if data, err = onnxgraph.Marshal(m); err != nil {
		t.Fatal(err)
	}
	return data
}
