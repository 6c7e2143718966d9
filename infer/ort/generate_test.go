//go:build cgo

package ort_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/ort"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/orttest"
	"github.com/rnnkit/rnnkit/models"
)

// TestGeneratesTheSame generates text with untrained models. ONNX Runtime must give
// the same tokens as the native engine, and as a run without a state on the whole
// text for every character.
func TestGeneratesTheSame(t *testing.T) {
	orttest.Library(t)
	vocabulary := strings.Split("äbcdefghijklmnopqrstuvwxyz ,.\n😀", "")
	rng := rand.New(rand.NewPCG(11, 12))
	for _, cell := range []models.Cell{models.RNN, models.LSTM, models.GRU} {
		for _, readout := range []models.Readout{models.ReadAll, models.ReadLast} {
			layers := 1 + rng.IntN(2)
			meta := models.Metadata{
				Task: models.Generate,
				Spec: models.Spec{
					Cell: cell, Vocabulary: len(vocabulary), Embedding: 7, Hidden: 9, Layers: layers, Readout: readout,
					Outputs: len(vocabulary),
				},
				Vocabulary: vocabulary,
			}
			meta.State = meta.Spec.State()
			m, err := models.New(meta, rng.Uint64())
			if err != nil {
				t.Fatal(err)
			}
			for i := range m.Params.Head.W { // makes the text depend on what came before
				m.Params.Head.W[i] *= 8
			}
			data, err := export.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			native, err := infer.OpenBytes(data)
			if err != nil {
				t.Fatal(err)
			}
			defer native.Close()
			runtime, err := infer.OpenBytes(data, infer.With(ort.CPU()))
			if err != nil {
				t.Fatal(err)
			}
			defer runtime.Close()
			for _, prompt := range []string{"ä", "hello, world\n", "😀😀b"} {
				name := fmt.Sprintf("%s, %d layers, readout %s, %q", cell, layers, readout, prompt)
				for _, temperature := range []float64{0, 1} {
					opts := infer.GenerateOptions{Length: 60, Temperature: temperature, TopK: 20, TopP: 0.95, Seed: rng.Uint64()}
					a, b := generated(t, native, prompt, opts), generated(t, runtime, prompt, opts)
					if a != b {
						t.Errorf("%s: native %q, ONNX Runtime %q", name, a, b)
					}
					if temperature == 0 {
						if want := stateless(t, runtime, vocabulary, prompt, 60); a != want {
							t.Errorf("%s: with state %q, without %q", name, a, want)
						}
					}
				}
			}
		}
	}
}

func generated(t *testing.T, m *infer.Model, prompt string, opts infer.GenerateOptions) string {
	t.Helper()
	g, err := infer.NewGenerator(m)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for r, err := range g.Generate(t.Context(), prompt, opts) {
		if err != nil {
			t.Fatal(err)
		}
		text.WriteRune(r)
	}
	return text.String()
}

// stateless returns the likeliest continuation of prompt, computed without a state.
func stateless(t *testing.T, m *infer.Model, vocabulary []string, prompt string, length int) string {
	t.Helper()
	places := map[string]int64{}
	for i, s := range vocabulary {
		places[s] = int64(i)
	}
	var tokens []int64
	for _, s := range strings.Split(prompt, "") {
		tokens = append(tokens, places[s])
	}
	var text strings.Builder
	for range length {
		input := tensor.Tensor{Shape: []int{1, len(tokens)}, Data: tokens}
		results, err := m.Run(t.Context(), map[string]tensor.Tensor{"input": input}, "output")
		if err != nil {
			t.Fatal(err)
		}
		y := results["output"].Data.([]float32)
		y = y[len(y)-len(vocabulary):]
		best := 0
		for i, v := range y {
			if v > y[best] {
				best = i
			}
		}
		text.WriteString(vocabulary[best])
		tokens = append(tokens, int64(best))
	}
	return text.String()
}
