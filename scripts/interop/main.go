// Command interop writes a model of every kind that rnnkit exports to a folder, each
// with inputs and our answers for interop.py and js/main.mjs to check:
//
//	go run ./scripts/interop FOLDER
//
// It also writes cases for models that are already in the folder. They lack the
// trainer's answers, which need more than the file.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/verify"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

// testCase is a run of a model: its inputs, and its outputs by the program that
// computed them.
type testCase struct {
	Inputs  map[string]tensor.Tensor            `json:"inputs"`
	Answers map[string]map[string]tensor.Tensor `json:"answers"`

	// Stepwise means that running step by step, with the state fed back, gives
	// the same answers.
	Stepwise bool `json:"stepwise"`
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: go run ./scripts/interop FOLDER")
	}
	if err := run(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(folder string) error {
	rng := rand.New(rand.NewPCG(1, 2))
	found, err := filepath.Glob(filepath.Join(folder, "*.onnx"))
	if err != nil {
		return err
	}
	for _, path := range found {
		if err := writeCases(rng, path, nil); err != nil {
			return err
		}
	}
	for _, meta := range kinds(rng) {
		m, err := models.New(meta, rng.Uint64())
		if err != nil {
			return err
		}
		if meta.Spec.Activation != models.ReLU { // ReLU outputs would grow beyond order 1
			saturate(m.Params)
		}
		path := filepath.Join(folder, name(m)+".onnx")
		if err := export.WriteFile(path, m); err != nil {
			return err
		}
		if err := writeCases(rng, path, m); err != nil {
			return err
		}
	}
	return nil
}

// kinds returns the metadata of every kind of model. Their sizes and whether they
// have a state are random.
func kinds(rng *rand.Rand) []models.Metadata {
	var list []models.Metadata
	for _, kind := range []models.Spec{{Cell: models.RNN}, {Cell: models.RNN, Activation: models.ReLU}, {Cell: models.LSTM}, {Cell: models.GRU}} {
		for layers := 1; layers <= 2; layers++ {
			for _, bidirectional := range []bool{false, true} {
				for _, readout := range []models.Readout{models.ReadLast, models.ReadFinal, models.ReadMean, models.ReadMax, models.ReadAll} {
					for _, tokens := range []bool{false, true} {
						for _, scaled := range []bool{false, true} {
							meta := models.Metadata{Spec: models.Spec{
								Cell: kind.Cell, Activation: kind.Activation, Layers: layers, Bidirectional: bidirectional, Readout: readout,
								Hidden: 1 + rng.IntN(20), Outputs: 1 + rng.IntN(4),
							}}
							if tokens {
								meta.Spec.Vocabulary, meta.Spec.Embedding = 2+rng.IntN(30), 1+rng.IntN(8)
							} else {
								meta.Spec.Features = 1 + rng.IntN(5)
							}
							if rng.IntN(2) == 0 {
								meta.State = meta.Spec.State()
							}
							if scaled {
								meta.OutputScale = randomScale(rng, meta.Spec.Outputs)
							}
							if scaled && !tokens {
								meta.InputScale = randomScale(rng, meta.Spec.Features)
							}
							list = append(list, meta)
						}
					}
				}
			}
		}
	}
	return list
}

func randomScale(rng *rand.Rand, size int) *models.Scale {
	s := &models.Scale{Mean: normal(rng, size), Std: make([]float32, size)}
	for i := range s.Std {
		s.Std[i] = 0.5 + 1.5*rng.Float32()
	}
	return s
}

// saturate enlarges the parameters so that many gates are almost open or shut. It
// leaves the recurrent weights alone, since large ones make a model chaotic, and then
// no two programs agree.
func saturate(p *models.Params[float32]) {
	for _, l := range p.Layers {
		for _, part := range [][]float32{l.W, l.B} {
			for i := range part {
				part[i] *= 4
			}
		}
	}
}

func name(m *models.Model) string {
	parts := []string{string(m.Spec.Cell) + string(m.Spec.Activation), fmt.Sprint(m.Spec.Layers), "uni", string(m.Spec.Readout), "features", "raw"}
	if m.Spec.Bidirectional {
		parts[2] = "bi"
	}
	if m.Spec.Vocabulary > 0 {
		parts[4] = "tokens"
	}
	if m.OutputScale != nil {
		parts[5] = "scaled"
	}
	return strings.Join(parts, "-")
}

// writeCases runs the model at path on several inputs. If m is not nil, the trainer
// computes the cases that begin with zeros too. A state with a default, as in files
// of earlier versions, may be left out or have batch 1.
func writeCases(rng *rand.Rand, path string, m *models.Model) error {
	loaded, err := infer.Open(path)
	if err != nil {
		return err
	}
	defer loaded.Close()
	cases, err := casesOf(rng, loaded, m)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	data, err := json.Marshal(cases) // refuses NaN
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(strings.TrimSuffix(path, ".onnx")+".json", data, 0o666)
}

// casesOf returns cases of a model.
func casesOf(rng *rand.Rand, loaded *infer.Model, m *models.Model) (cases []testCase, err error) {
	if loaded.Metadata().Spec.Direct != nil {
		return directCases(rng, loaded)
	}
	size := func() int { return 2 + rng.IntN(15) }
	for _, c := range []struct {
		batch, time, stateBatch int
		states                  []string
	}{
		{batch: 1, time: 1},
		{batch: 20 + size(), time: size()},
		{batch: 1, time: size(), stateBatch: 1, states: []string{"h0", "c0"}},
		{batch: 4, time: size(), stateBatch: 4, states: []string{"h0", "c0"}},
		{batch: 3, time: size(), stateBatch: 1, states: []string{"h0"}},
		{batch: 2, time: 1, stateBatch: 2, states: []string{"c0"}},
	} {
		input, err := verify.Input(loaded.Metadata(), c.batch, c.time, rng.Uint64())
		if err != nil {
			return nil, err
		}
		inputs := map[string]tensor.Tensor{"input": input}
		for _, info := range loaded.Inputs() {
			batch := c.stateBatch
			if !info.Optional {
				batch = c.batch
			}
			states, hidden := info.Shape[0].Size, info.Shape[len(info.Shape)-1].Size
			switch {
			case info.Name == "input":
			case slices.Contains(c.states, info.Name):
				inputs[info.Name] = tensor.Of(normal(rng, states*batch*hidden), states, batch, hidden)
			case !info.Optional:
				inputs[info.Name] = tensor.Zeros(tensor.Float32, states, batch, hidden)
			}
		}
		native, err := loaded.Run(context.Background(), inputs)
		if err != nil {
			return nil, err
		}
		answers := map[string]map[string]tensor.Tensor{"native": native}
		if m != nil && len(c.states) == 0 {
			output, err := predict(m, input, native["output"].Shape)
			if err != nil {
				return nil, err
			}
			answers["trainer"] = map[string]tensor.Tensor{"output": output}
		}
		meta := loaded.Metadata()
		stepwise := meta.Spec.Stepwise() && len(meta.State) > 0 && len(inputs) == len(loaded.Inputs())
		cases = append(cases, testCase{inputs, answers, stepwise})
	}
	return cases, nil
}

// directCases returns cases of a direct forecaster. JSON has no NaN, so no value is missing.
func directCases(rng *rand.Rand, loaded *infer.Model) (cases []testCase, err error) {
	for _, batch := range []int{1, 2 + rng.IntN(15)} {
		inputs, err := verify.Inputs(loaded.Metadata(), batch, loaded.Metadata().Window, rng.Uint64())
		if err != nil {
			return nil, err
		}
		values := inputs["input"].Data.([]float32)
		for i, v := range values {
			if v != v {
				values[i] = 0
			}
		}
		native, err := loaded.Run(context.Background(), inputs)
		if err != nil {
			return nil, err
		}
		cases = append(cases, testCase{Inputs: inputs, Answers: map[string]map[string]tensor.Tensor{"native": native}})
	}
	return cases, nil
}

func predict(m *models.Model, input tensor.Tensor, shape []int) (tensor.Tensor, error) {
	b := &datasets.Batch{Size: input.Shape[0], Time: input.Shape[1]}
	switch data := input.Data.(type) {
	case []float32:
		b.Inputs = data
	case []int64:
		b.Tokens = data
	}
	y, err := trainer.Predict(m, b)
	return tensor.Tensor{Shape: shape, Data: y}, err
}

func normal(rng *rand.Rand, size int) []float32 {
	x := make([]float32, size)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}
