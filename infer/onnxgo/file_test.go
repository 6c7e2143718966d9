package onnxgo_test

import (
	"flag"
	"fmt"
	"maps"
	"testing"

	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/onnxgo"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/inputs"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/verify"
	"github.com/rnnkit/rnnkit/models"
)

// modelFile is what TestFile compares and BenchmarkFile times.
var modelFile = flag.String("model", "../testdata/sine.onnx", "an ONNX file")

// engines are those compared.
var engines = []engine.Engine{native.New(), onnxgo.Engine()}

// readFile returns the bytes of modelFile, and its inputs.
func readFile(t testing.TB) ([]byte, []inputs.Input) {
	t.Helper()
	data, err := onnxgraph.ReadFile(*modelFile)
	if err != nil {
		t.Fatal(err)
	}
	graph, err := onnxgraph.UnmarshalAny(data)
	if err != nil {
		t.Fatal(err)
	}
	list, err := inputs.Of(graph, nil)
	if err != nil {
		t.Fatal(err)
	}
	return data, list
}

func openOn(t testing.TB, e engine.Engine, data []byte) *infer.Model {
	t.Helper()
	m, err := infer.OpenBytes(data, infer.With(e))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func random(t testing.TB, list []inputs.Input, batch, time int) map[string]tensor.Tensor {
	t.Helper()
	given, err := inputs.Random(list, nil, batch, time, 1)
	if err != nil {
		t.Fatal(err)
	}
	return given
}

// TestFile compares all outputs of a file.
func TestFile(t *testing.T) {
	data, list := readFile(t)
	for _, size := range [][2]int{{1, 1}, {3, 7}} {
		given := random(t, list, size[0], size[1])
		var answers []map[string]tensor.Tensor
		for _, e := range engines {
			y, err := openOn(t, e, data).Run(t.Context(), given)
			if err != nil {
				t.Fatal(err)
			}
			answers = append(answers, y)
		}
		if d, err := verify.Difference(answers[0], answers[1], verify.Tolerance, nil); err != nil {
			t.Errorf("batch %d, time %d: they differ by %g: %v", size[0], size[1], d, err)
		}
	}
}

// BenchmarkFile times runs of a file for its first output. With one step it times
// the file as a stream as well, with the state of each run fed to the next.
func BenchmarkFile(b *testing.B) {
	data, list := readFile(b)
	for _, batch := range []int{1, 32, 256} {
		for _, time := range []int{1, 50} {
			given := random(b, list, batch, time)
			for _, e := range engines {
				m := openOn(b, e, data)
				name := fmt.Sprintf("batch=%d/time=%d/%s", batch, time, e)
				b.Run(name, func(b *testing.B) { benchmark(b, m, given, nil) })
				if time == 1 && len(m.State()) > 0 {
					b.Run(name+"/stream", func(b *testing.B) { benchmark(b, m, given, m.State()) })
				}
			}
		}
	}
}

// benchmark times runs, each of which begins with the state that the one before ended
// with, for the given pairs.
func benchmark(b *testing.B, m *infer.Model, given map[string]tensor.Tensor, pairs []models.StatePair) {
	given = maps.Clone(given)
	outputs := map[string]tensor.Tensor{m.Outputs()[0].Name: {}}
	for _, pair := range pairs {
		outputs[pair.Output] = tensor.Tensor{}
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := m.RunInto(b.Context(), given, outputs); err != nil {
			b.Fatal(err)
		}
		for _, pair := range pairs {
			given[pair.Input], outputs[pair.Output] = outputs[pair.Output], given[pair.Input]
		}
	}
}
