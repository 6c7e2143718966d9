package repair

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/onnxtest"
	"github.com/rnnkit/rnnkit/internal/orttest"
	"github.com/rnnkit/rnnkit/internal/testenv"
	"github.com/rnnkit/rnnkit/internal/verify"
)

// golden holds PyTorch modules and their answers to inputs of several sizes.
type golden map[string]struct {
	Files []string
	Cases []struct{ Inputs, Outputs []array }
}

type array struct {
	Type  string
	Shape []int
	Data  []float64
}

func (a array) tensor() tensor.Tensor {
	if a.Type == "int64" {
		return tensor.Of(convert[int64](a.Data), a.Shape...)
	}
	return tensor.Of(convert[float32](a.Data), a.Shape...)
}

func convert[T int64 | float32](data []float64) []T {
	values := make([]T, len(data))
	for i, v := range data {
		values[i] = T(v)
	}
	return values
}

func readGolden(t *testing.T) golden {
	t.Helper()
	data, err := os.ReadFile("testdata/torch_baked.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// engines returns the native engine and, where available, ONNX Runtime.
func engines(t *testing.T) []engine.Engine {
	t.Helper()
	return orttest.Engines(t, native.New())
}

// TestTorch repairs the sizes that PyTorch's exporters hard-coded, and compares the
// result with PyTorch at other batches and times.
func TestTorch(t *testing.T) {
	const memory = 1 << 28
	for name, module := range readGolden(t) {
		for _, file := range module.Files {
			t.Run(file, func(t *testing.T) {
				m := onnxtest.ReadModel(t, filepath.Join("testdata", file+".onnx"))
				r, err := Repair(t.Context(), m, Options{Memory: memory})
				if name == "different" {
					if err == nil || !strings.Contains(err.Error(), "has other values in each row of its batch, which is 2") {
						t.Fatal(err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				for _, c := range r.Changes {
					t.Log(c)
				}
				if (r.KeptTime != nil) != (name == "flat") {
					t.Errorf("the time is kept: %v", r.KeptTime)
				}
				if _, err := r.Verify(t.Context(), m, engines(t), 1e-5, 1); err != nil {
					t.Error(err)
				}
				data, err := onnxgraph.Marshal(r.Model)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range engines(t) {
					model, err := infer.OpenBytes(data, infer.With(e))
					if err != nil {
						t.Fatal(err)
					}
					defer model.Close()
					for _, c := range module.Cases {
						given, want := map[string]tensor.Tensor{}, map[string]tensor.Tensor{}
						for i, in := range model.Inputs() {
							given[in.Name] = c.Inputs[i].tensor()
						}
						for i, out := range model.Outputs() {
							want[out.Name] = c.Outputs[i].tensor()
						}
						got, err := model.Run(t.Context(), given)
						if err != nil {
							t.Fatal(err)
						}
						if _, err := verify.Difference(want, got, 1e-6, nil); err != nil {
							t.Errorf("%s, input of shape %v: %v", e, c.Inputs[0].Shape, err)
						}
					}
				}
			})
		}
	}
}

// TestKeptTime finds a time that the weights fix, though the input declares it
// symbolic.
func TestKeptTime(t *testing.T) {
	m := onnxtest.ReadModel(t, "testdata/flat_torchscript.onnx")
	m.Graph.Inputs[0].Shape[1] = onnxgraph.Dim{Symbol: "steps"}
	r, err := Repair(t.Context(), m, Options{Time: 4, Memory: native.DefaultMemory})
	if err != nil {
		t.Fatal(err)
	}
	if r.KeptTime == nil || !strings.Contains(r.KeptTime.Error(), "a time of 11") || !r.Declared {
		t.Errorf("the time is kept: %v", r.KeptTime)
	}
	if d := r.Model.Graph.Inputs[0].Shape[1]; d != (onnxgraph.Dim{Size: 4}) {
		t.Errorf("the time is declared as %v", d)
	}
}

// TestDeclaredOpen keeps the declaration of a time that is symbolic only there.
func TestDeclaredOpen(t *testing.T) {
	m := onnxtest.ReadModel(t, "testdata/fixed/x_lstmcell_all_ts.onnx")
	steps := onnxgraph.Dim{Symbol: "steps"}
	m.Graph.Inputs[0].Shape[1], m.Graph.Outputs[0].Shape[1] = steps, steps
	r, err := Repair(t.Context(), m, Options{Memory: native.DefaultMemory})
	if err != nil {
		t.Fatal(err)
	}
	if r.KeptTime == nil || r.Declared || r.Model.Graph.Inputs[0].Shape[1] != steps || r.Model.Graph.Outputs[0].Shape[1] != steps {
		t.Errorf("%v: %v", r.KeptTime, r.Model.Graph.Outputs)
	}
}

func TestAlign(t *testing.T) {
	b, tm := size{1, 3, 1, 3}, size{5, 5, 13, 13}
	bt := b.times(tm)
	f := fixed
	for _, test := range []struct {
		in   []size
		out  []int
		want []size
	}{
		{[]size{b, tm, f(3)}, []int{5, 3}, []size{bt, f(3)}},
		{[]size{b, tm, f(3)}, []int{1, 15}, []size{b, tm.times(f(3))}},
		{[]size{bt, f(2)}, []int{1, 5, 2}, []size{b, tm, f(2)}},
		{[]size{tm, f(1), b, f(3)}, []int{5, 1, 3}, []size{tm, b, f(3)}},
		{[]size{tm, b, f(2), f(3)}, []int{5, 1, 6}, []size{tm, b, f(6)}},
		{[]size{f(6)}, []int{2, 3}, []size{f(2), f(3)}},
		{[]size{b}, []int{1, 1}, []size{b, f(1)}},
		{[]size{tm, b, f(3)}, []int{5, 3}, []size{bt, f(3)}},
		{[]size{f(1), b, f(1), f(3)}, []int{1, 1, 3}, []size{f(1), b, f(3)}},
		{[]size{tm, b, f(16)}, []int{5, 4, 4}, []size{tm, b.times(f(4)), f(4)}},
		{[]size{tm, b.times(f(4)), f(4)}, []int{5, 16}, []size{bt, f(16)}},
		{[]size{b, f(2), tm.times(f(4))}, []int{1, 8, 5}, []size{b, f(8), tm}},
		{[]size{f(6)}, []int{4}, nil},
	} {
		ways := align(test.in, test.out, sizes{b, tm}, nil)
		if (len(ways) > 0) != (test.want != nil) || len(ways) > 0 && !slices.Equal(ways[0].sizes, test.want) {
			t.Errorf("%v to %v: %v, not %v", test.in, test.out, ways, test.want)
		}
	}
}

// Example repairs a model exported for one sequence of five steps.
func Example() {
	data, err := os.ReadFile("testdata/folded_dynamo.onnx")
	if err != nil {
		panic(err)
	}
	m, err := onnxgraph.Unmarshal(data)
	if err != nil {
		panic(err)
	}
	r, err := Repair(context.Background(), m, Options{Memory: native.DefaultMemory})
	if err != nil {
		panic(err)
	}
	for _, change := range r.Changes {
		fmt.Println(change)
	}
	checks, err := r.Verify(context.Background(), m, []engine.Engine{native.New()}, 1e-5, 1)
	fmt.Println(len(checks), "checks", err)
	// Output:
	// input "x": dimension 0 was 1 and is batch
	// input "x": dimension 1 was 5 and is time
	// node 1 (LSTM "node_lstm__2"): initial_h of zeros for a batch of 1 is the default
	// node 1 (LSTM "node_lstm__2"): initial_c of zeros for a batch of 1 is the default
	// node 3 (Reshape "node_Reshape_78"): the target [5 1 3] is [time, batch, 3]
	// node 5 (Reshape "node_view"): the target [5 3] is [batch*time, 3]
	// node 8 (Reshape "node_view_1"): the target [1 5 -1] is [batch, time, 2]
	// output "view_1": dimension 0 was 1 and is batch
	// output "view_1": dimension 1 was 5 and is time
	// 3 checks <nil>
}

// TestVerify detects a wrong repair.
func TestVerify(t *testing.T) {
	m := onnxtest.ReadModel(t, "testdata/last_dynamo.onnx")
	r, err := Repair(t.Context(), m, Options{Memory: native.DefaultMemory})
	if err != nil {
		t.Fatal(err)
	}
	weights := func(m *onnxgraph.Model) []float32 {
		for _, w := range m.Graph.Initializers {
			if w.Name == "head.bias" {
				return w.Data.([]float32)
			}
		}
		t.Fatal("the model has no head.bias")
		return nil
	}
	before := onnxtest.ReadModel(t, "testdata/last_dynamo.onnx")
	weights(before)[1] += 1e-4
	if _, err := r.Verify(t.Context(), before, engines(t), 1e-5, 1); err == nil || !strings.Contains(err.Error(), "does not answer as the original") {
		t.Error(err)
	}
	if _, err := r.Verify(t.Context(), m, engines(t), 1e-5, 1); err != nil {
		t.Error(err)
	}
}

// refusing is an engine that opens no model.
type refusing struct{}

func (refusing) String() string { return "refusing" }
func (refusing) Open([]byte) (engine.Session, error) {
	return nil, errors.New("no double yet")
}

// TestRefused leaves out an engine that does not run the original, except for the
// first.
func TestRefused(t *testing.T) {
	m := onnxtest.ReadModel(t, "testdata/last_dynamo.onnx")
	r, err := Repair(t.Context(), m, Options{Memory: native.DefaultMemory})
	if err != nil {
		t.Fatal(err)
	}
	checks, err := r.Verify(t.Context(), m, []engine.Engine{native.New(), refusing{}}, 1e-5, 1)
	if err != nil || len(checks) != 4 {
		t.Fatalf("%d checks: %v", len(checks), err)
	}
	if checks[0].Engine != "refusing" || checks[0].Refused == nil || checks[1].Refused != nil {
		t.Errorf("the engine that refuses is none of the first two of %+v", checks)
	}
	if _, err := r.Verify(t.Context(), m, []engine.Engine{refusing{}}, 1e-5, 1); err == nil || !strings.Contains(err.Error(), "the model as it is: ") {
		t.Error(err)
	}
}

// TestShared repairs models from elsewhere.
func TestShared(t *testing.T) {
	for name, changes := range map[string]int{
		"dtln_model_1": 6, "fairtalk_lstm_app": 4, "iisc_lstm": 4, "keras_lstm_k1": 0, "silero_vad_openvino_16k": 4,
	} {
		m := onnxtest.ReadModel(t, testenv.Shared(t, "models", name, "model.onnx"))
		r, err := Repair(t.Context(), m, Options{Memory: native.DefaultMemory})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(r.Changes) != changes || r.KeptTime != nil {
			t.Errorf("%s: %d changes, not %d: %q; %v", name, len(r.Changes), changes, r.Changes, r.KeptTime)
		}
		if _, err := r.Verify(t.Context(), m, engines(t), 1e-5, 1); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzRepair repairs damaged files.
func FuzzRepair(f *testing.F) {
	files, err := filepath.Glob("testdata/*.onnx")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := onnxgraph.Unmarshal(data)
		if err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		r, err := Repair(ctx, m, Options{Memory: 1 << 22})
		if err != nil {
			return
		}
		if _, err := onnxgraph.Marshal(r.Model); err != nil {
			t.Error(err)
		}
		r.Verify(ctx, m, []engine.Engine{native.New(native.MaxMemory(1 << 22))}, 1e-5, 1)
	})
}
