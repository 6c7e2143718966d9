package infer_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/models"
)

// edited returns a model's file after a change to its graph.
func edited(t testing.TB, data []byte, change func(*onnxgraph.Graph)) []byte {
	t.Helper()
	m, err := onnxgraph.Unmarshal(data)
	if err != nil {
		t.Fatal(err)
	}
	change(&m.Graph)
	if data, err = onnxgraph.Marshal(m); err != nil {
		t.Fatal(err)
	}
	return data
}

// required makes the inputs of a state required ones: without a default, and with as
// many sequences as the input.
func required(g *onnxgraph.Graph) {
	for i, in := range g.Inputs {
		if in.Name == "h0" || in.Name == "c0" {
			g.Inputs[i].Shape[1].Symbol = "batch"
		}
	}
	g.Initializers = slices.DeleteFunc(g.Initializers, func(t onnxgraph.Tensor) bool { return t.Name == "h0" || t.Name == "c0" })
}

// stateless makes the first state a constant, and takes away the last one.
func stateless(g *onnxgraph.Graph) {
	g.Inputs = slices.DeleteFunc(g.Inputs, func(v onnxgraph.Value) bool { return v.Name == "h0" || v.Name == "c0" })
	g.Outputs = slices.DeleteFunc(g.Outputs, func(v onnxgraph.Value) bool { return v.Name == "hn" || v.Name == "cn" })
}

// TestStateNotGiven runs models whose state is a required input, ours and nameless
// ones, without it: the answers are those to zeros that are given.
func TestStateNotGiven(t *testing.T) {
	bidirectional := models.Spec{
		Cell: models.LSTM, Features: 1, Hidden: 3, Layers: 2, Readout: models.ReadMean, Outputs: 2,
		Bidirectional: true,
	}
	for _, e := range engines(t) {
		for _, spec := range []models.Spec{floatSpec, tokenSpec, bidirectional} {
			data := exported(t, spec)
			ours := edited(t, data, required)
			theirs := edited(t, anonymous(t, data, nil), required)
			for _, batch := range []int{3, 1, 2} {
				x := tensor.Of(make([]int64, batch*5), batch, 5)
				if spec.Vocabulary == 0 {
					x = tensor.Of(make([]float32, batch*5), batch, 5, 1)
					for i := range batch * 5 {
						x.Data.([]float32)[i] = float32(i % 7)
					}
				}
				inputs := map[string]tensor.Tensor{"input": x}
				given := map[string]tensor.Tensor{"input": x}
				for _, pair := range spec.State() {
					given[pair.Input] = tensor.Zeros(tensor.Float32, spec.Layers*spec.Directions(), batch, spec.Hidden)
				}
				want, err := open(t, data, e).Run(t.Context(), given)
				if err != nil {
					t.Fatal(err)
				}
				for _, file := range [][]byte{ours, theirs} {
					m := open(t, file, e)
					for range 2 {
						got, err := m.Run(t.Context(), inputs)
						if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
							t.Errorf("%s, %d sequences: %v (%v), not %v", e, batch, got, err, want)
						}
						into := map[string]tensor.Tensor{"output": {}}
						if err := m.RunInto(t.Context(), inputs, into); err != nil || fmt.Sprint(into["output"]) != fmt.Sprint(want["output"]) {
							t.Errorf("%s, %d sequences: %v (%v), not %v", e, batch, into, err, want)
						}
					}
				}
			}
		}
	}
}

// TestHalfOfAStateGiven runs an LSTM that is given h and not c.
func TestHalfOfAStateGiven(t *testing.T) {
	for _, e := range engines(t) {
		data := exported(t, floatSpec)
		inputs := map[string]tensor.Tensor{
			"input": tensor.Of([]float32{1, 2, 3, 4}, 2, 2, 1),
			"h0":    tensor.Of(slices.Repeat([]float32{0.5, -1, 2}, 4), 2, 2, 3),
		}
		given := maps.Clone(inputs)
		given["c0"] = tensor.Zeros(tensor.Float32, 2, 2, 3)
		want, err := open(t, data, e).Run(t.Context(), given)
		if err != nil {
			t.Fatal(err)
		}
		got, err := open(t, edited(t, data, required), e).Run(t.Context(), inputs)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v (%v), not %v", e, got, err, want)
		}
	}
}

// TestOtherInputMissing names an input that is missing and is no state.
func TestOtherInputMissing(t *testing.T) {
	for _, e := range engines(t) {
		m := open(t, edited(t, exported(t, floatSpec), required), e)
		_, err := m.Run(t.Context(), map[string]tensor.Tensor{"h0": tensor.Of(make([]float32, 6), 2, 1, 3)})
		if err == nil || !strings.Contains(err.Error(), `input "input" is missing`) {
			t.Errorf("%s: the error is %v", e, err)
		}
	}
}

// TestTasksOfEveryForm runs a Generator, a Forecaster and a Classifier on models
// whose state is a required input, and on models without any.
func TestTasksOfEveryForm(t *testing.T) {
	for _, e := range engines(t) {
		for _, form := range []func(*onnxgraph.Graph){required, stateless, withoutState} {
			g, err := infer.NewGenerator(open(t, edited(t, rhymeModel, form), e))
			if err != nil {
				t.Fatal(err)
			}
			if got, want := generate(t, g, "Twinkle", infer.GenerateOptions{Length: 30}), rhyme[7:37]; got != want {
				t.Errorf("%s: generated %q, not %q", e, got, want)
			}
		}
		for _, form := range []func(*onnxgraph.Graph){required, func(g *onnxgraph.Graph) {}, stateless} {
			forecast, want := forecasts(t, edited(t, sineModel, form), e), forecasts(t, sineModel, e)
			if !slices.Equal(forecast, want) {
				t.Errorf("%s: %v, not %v", e, forecast, want)
			}
			classes, want := classification(t, edited(t, trendModel, form), e), classification(t, trendModel, e)
			if !slices.Equal(classes, want) {
				t.Errorf("%s: %v, not %v", e, classes, want)
			}
		}
	}
}

// forecasts returns the values that follow a straight line.
func forecasts(t *testing.T, data []byte, e engine.Engine) []float64 {
	t.Helper()
	f, err := infer.NewForecaster(open(t, data, e))
	if err != nil {
		t.Fatal(err)
	}
	y := make([]float64, f.Window()+70)
	for i := range y {
		y[i] = float64(i%9) / 9
	}
	values, err := f.Predict(t.Context(), y)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// classification returns the probabilities of the classes of a sequence.
func classification(t *testing.T, data []byte, e engine.Engine) []float64 {
	t.Helper()
	c, err := infer.NewClassifier(open(t, data, e))
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Classify(t.Context(), series(1, 2, 4, 3, 5))
	if err != nil {
		t.Fatal(err)
	}
	return p
}
