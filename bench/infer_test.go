package main

import (
	"runtime"
	"testing"

	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/ort"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/models"
)

// inferred lists models and the sizes of their inputs.
var inferred = []struct {
	name        string
	spec        models.Spec
	batch, time int
}{
	{"window-32/batch=1", models.Spec{Cell: models.LSTM, Features: 1, Hidden: 32, Layers: 1, Readout: models.ReadLast, Outputs: 1}, 1, 50},
	{"window-32/batch=256", models.Spec{Cell: models.LSTM, Features: 1, Hidden: 32, Layers: 1, Readout: models.ReadLast, Outputs: 1}, 256, 50},
	{"lstm-256x2/batch=1", models.Spec{Cell: models.LSTM, Features: 64, Hidden: 256, Layers: 2, Readout: models.ReadLast, Outputs: 1}, 1, 100},
	{
		"lstm-256x2/batch=32",
		models.Spec{Cell: models.LSTM, Features: 64, Hidden: 256, Layers: 2, Readout: models.ReadLast, Outputs: 1}, 32,
		100,
	},
	{"gru-256x2/batch=1", models.Spec{Cell: models.GRU, Features: 64, Hidden: 256, Layers: 2, Readout: models.ReadLast, Outputs: 1}, 1, 100},
	{"gru-256x2/batch=32", models.Spec{Cell: models.GRU, Features: 64, Hidden: 256, Layers: 2, Readout: models.ReadLast, Outputs: 1}, 32, 100},
	{
		"bi-lstm-128/batch=8",
		models.Spec{Cell: models.LSTM, Features: 64, Hidden: 128, Layers: 1, Bidirectional: true, Readout: models.ReadLast, Outputs: 1},
		8, 64,
	},
}

// engines lists the engines to compare, each on one thread.
var engines = map[string]engine.Engine{"native": native.New(), "onnxruntime": ort.CPU()}

// exported returns the file of a model with the given spec and state.
func exported(b *testing.B, spec models.Spec, state ...models.StatePair) []byte {
	m, err := models.New(models.Metadata{Spec: spec, State: state}, 1)
	if err != nil {
		b.Fatal(err)
	}
	data, err := export.Marshal(m)
	if err != nil {
		b.Fatal(err)
	}
	return data
}

// onEngines runs f with a model on each available engine.
func onEngines(b *testing.B, data []byte, f func(b *testing.B, m *infer.Model)) {
	for name, e := range engines {
		b.Run(name, func(b *testing.B) {
			m, err := infer.OpenBytes(data, infer.With(e))
			if err != nil {
				b.Skip(err)
			}
			defer m.Close()
			b.ReportAllocs()
			f(b, m)
		})
	}
}

// BenchmarkInfer times a run on whole sequences.
func BenchmarkInfer(b *testing.B) {
	for _, c := range inferred {
		b.Run(c.name, func(b *testing.B) {
			onEngines(b, exported(b, c.spec), func(b *testing.B, m *infer.Model) {
				x := make([]float32, c.batch*c.time*c.spec.Features)
				for i := range x {
					x[i] = float32(i%7) - 3
				}
				inputs := map[string]tensor.Tensor{"input": tensor.Of(x, c.batch, c.time, c.spec.Features)}
				outputs := map[string]tensor.Tensor{"output": {}}
				for b.Loop() {
					if err := m.RunInto(b.Context(), inputs, outputs); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// BenchmarkRagged runs the bidirectional model on sequences of equal lengths, and of
// varying lengths with half as many steps in all. An element is a unit of a step.
func BenchmarkRagged(b *testing.B) {
	c := inferred[len(inferred)-1]
	m, err := onnxgraph.Unmarshal(exported(b, c.spec, c.spec.State()...))
	if err != nil {
		b.Fatal(err)
	}
	m.Graph.Inputs = append(m.Graph.Inputs, onnxgraph.Value{Name: "lengths", Type: onnxgraph.Int32, Shape: []onnxgraph.Dim{{Symbol: "batch"}}})
	for i := range m.Graph.Nodes {
		if n := &m.Graph.Nodes[i]; n.OpType == "LSTM" {
			n.Inputs[4] = "lengths"
		}
	}
	data, err := onnxgraph.Marshal(m)
	if err != nil {
		b.Fatal(err)
	}
	for name, lengths := range map[string][]int32{
		"even":   {64, 64, 64, 64, 64, 64, 64, 64},
		"ragged": {33, 64, 9, 51, 24, 40, 3, 32},
	} {
		b.Run(name, func(b *testing.B) {
			steps := 0
			for _, n := range lengths {
				steps += int(n)
			}
			onEngines(b, data, func(b *testing.B, m *infer.Model) {
				inputs := map[string]tensor.Tensor{
					"input":   tensor.Of(make([]float32, c.batch*c.time*c.spec.Features), c.batch, c.time, c.spec.Features),
					"lengths": tensor.Of(lengths, c.batch),
				}
				outputs := map[string]tensor.Tensor{"output": {}}
				for b.Loop() {
					if err := m.RunInto(b.Context(), inputs, outputs); err != nil {
						b.Fatal(err)
					}
				}
				elements := steps * c.spec.Hidden * c.spec.Directions()
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*elements), "ns/element")
			})
		})
	}
}

// BenchmarkStep times one token with the state fed back.
func BenchmarkStep(b *testing.B) {
	spec := models.Spec{Cell: models.LSTM, Vocabulary: 28, Embedding: 32, Hidden: 64, Layers: 1, Readout: models.ReadAll, Outputs: 28}
	onEngines(b, exported(b, spec, spec.State()...), func(b *testing.B, m *infer.Model) {
		s := m.NewState()
		for b.Loop() {
			if _, err := m.StepTokens(b.Context(), s, 3); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkOpen times the way from a model's bytes to its first answer.
func BenchmarkOpen(b *testing.B) {
	data := exported(b, inferred[0].spec)
	inputs := map[string]tensor.Tensor{"input": tensor.Of(make([]float32, 50), 1, 50, 1)}
	for name, e := range engines {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				m, err := infer.OpenBytes(data, infer.With(e))
				if err != nil {
					b.Skip(err)
				}
				if _, err := m.Run(b.Context(), inputs, "output"); err != nil {
					b.Fatal(err)
				}
				m.Close()
			}
		})
	}
}

// BenchmarkShared runs a model in one goroutine, or in eight with more than one
// processor (-cpu 1,2).
func BenchmarkShared(b *testing.B) {
	c := inferred[0]
	onEngines(b, exported(b, c.spec), func(b *testing.B, m *infer.Model) {
		if n := runtime.GOMAXPROCS(0); n > 1 {
			b.SetParallelism((8 + n - 1) / n)
		}
		b.RunParallel(func(pb *testing.PB) {
			inputs := map[string]tensor.Tensor{"input": tensor.Of(make([]float32, 50), 1, 50, 1)}
			outputs := map[string]tensor.Tensor{"output": {}}
			for pb.Next() {
				if err := m.RunInto(b.Context(), inputs, outputs); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}
