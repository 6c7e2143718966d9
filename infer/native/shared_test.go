package native

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxtest"
	"github.com/rnnkit/rnnkit/internal/orttest"
	"github.com/rnnkit/rnnkit/internal/testenv"
)

// TestModels holds models trained elsewhere against the answers that ONNX Runtime
// gave, also to streams of frames with their states fed back, in this engine and
// in ONNX Runtime here. Its logistic function is off by some 1e-7, so atol is not
// the 1e-7 of single operators. Over a stream differences grow: input that differs
// by 6e-8 of itself changes ONNX Runtime's last hn of silero_vad_v4_legacy by 2e-4.
func TestModels(t *testing.T) {
	const rtol, atol, streamAtol = 1e-3, 2e-6, 1e-4
	engines := orttest.Engines(t, New())
	for _, dir := range testenv.SharedModels(t, "models/*") {
		model, err := onnxtest.Model(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range engines {
			t.Run(filepath.Base(dir)+"/"+e.String(), func(t *testing.T) {
				session, err := e.Open(model)
				if err != nil {
					t.Fatal(err)
				}
				defer session.Close()
				sets, err := onnxtest.Sets(dir)
				if err != nil {
					t.Fatal(err)
				}
				for _, set := range sets {
					if err := set.Run(context.Background(), session, rtol, atol); err != nil {
						t.Error(err)
					}
				}
				if _, err := os.Stat(filepath.Join(dir, "stream_ortref.npz")); err != nil {
					return
				}
				stream, err := onnxtest.ReadStream(dir)
				if err != nil {
					t.Fatal(err)
				}
				if err := stream.Run(context.Background(), session, rtol, streamAtol); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestModelsAllocate runs the models again and again into the same outputs: from
// the second time on, nothing is allocated.
func TestModelsAllocate(t *testing.T) {
	for _, dir := range testenv.SharedModels(t, "models/*") {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			session, inputs := openShared(t, New(), dir)
			outputs := tensors{}
			for _, v := range session.Outputs() {
				outputs[v.Name] = tensor.Tensor{}
			}
			if n := allocations(again(t, session, inputs, outputs)); n > 0 {
				t.Errorf("a run allocates %v times", n)
			}
		})
	}
}

// allocations returns how often f allocates, once it is warm. The pool of a session
// may drop a runner, which is then made anew: the least of several times counts.
func allocations(f func()) float64 {
	least := testing.AllocsPerRun(1, f)
	for range 20 {
		least = min(least, testing.AllocsPerRun(1, f))
	}
	return least
}

func BenchmarkModels(b *testing.B) {
	engines := orttest.Engines(b, New())
	for _, dir := range testenv.SharedModels(b, "models/*") {
		for _, e := range engines {
			b.Run(filepath.Base(dir)+"/"+e.String(), func(b *testing.B) {
				session, inputs := openShared(b, e, dir)
				defer session.Close()
				var outputs []string
				for _, v := range session.Outputs() {
					outputs = append(outputs, v.Name)
				}
				b.ReportAllocs()
				for b.Loop() {
					run(b, session, inputs, outputs...)
				}
			})
		}
	}
}

// openShared opens the model in a folder and reads the inputs of its first test.
func openShared(t testing.TB, e engine.Engine, dir string) (engine.Session, tensors) {
	t.Helper()
	model, err := onnxtest.Model(dir)
	if err != nil {
		t.Fatal(err)
	}
	session, err := e.Open(model)
	if err != nil {
		t.Fatal(err)
	}
	sets, err := onnxtest.Sets(dir)
	if err != nil {
		t.Fatal(err)
	}
	inputs := tensors{}
	for i, v := range session.Inputs() {
		inputs[v.Name] = sets[0].Inputs[i]
	}
	return session, inputs
}
