//go:build cgo

package ort_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/ort"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/onnxtest"
	"github.com/rnnkit/rnnkit/internal/ortlib"
	"github.com/rnnkit/rnnkit/internal/orttest"
	"github.com/rnnkit/rnnkit/internal/testenv"
)

func open(t testing.TB, model []byte) engine.Session {
	t.Helper()
	s, err := ort.CPU().Open(model)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func run(t testing.TB, s engine.Session, inputs map[string]tensor.Tensor, outputs ...string) map[string]tensor.Tensor {
	t.Helper()
	got, err := s.Run(context.Background(), inputs, outputs...)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func checkClose(t testing.TB, what string, got, want tensor.Tensor, tolerance float64) {
	t.Helper()
	if err := onnxtest.Compare(got, want, 0, tolerance); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// TestSharedModels runs models that were trained elsewhere, and ONNX's own recurrent
// tests. It compares with answers from other programs.
func TestSharedModels(t *testing.T) {
	orttest.Library(t)
	var dirs []string
	for _, pattern := range []string{
		"models/*", "onnx-tests/node/lstm/*", "onnx-tests/node/gru/*", "onnx-tests/node/rnn/*",
		"onnx-tests/recurrent/*/*",
	} {
		dirs = append(dirs, testenv.SharedModels(t, pattern)...)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(filepath.Dir(dir))+"/"+filepath.Base(dir), func(t *testing.T) {
			model, err := onnxtest.Model(dir)
			if err != nil {
				t.Fatal(err)
			}
			sets, err := onnxtest.Sets(dir)
			if err != nil {
				t.Fatal(err)
			}
			s, err := ort.CPU().Open(model)
			if err != nil && strings.Contains(err.Error(), "layout_ == 0 was false") {
				t.Skip("ONNX Runtime has no layout 1 on the CPU")
			}
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for _, set := range sets {
				inputs := make(map[string]tensor.Tensor)
				for i, tensor := range set.Inputs {
					inputs[s.Inputs()[i].Name] = tensor
				}
				var names []string
				for _, out := range s.Outputs() {
					names = append(names, out.Name)
				}
				got := run(t, s, inputs, names...)
				for i, want := range set.Outputs {
					if err := onnxtest.Compare(got[names[i]], want, 1e-4, 1e-4); err != nil {
						t.Errorf("%s: %v", names[i], err)
					}
				}
			}
		})
	}
}

func TestMalformed(t *testing.T) {
	orttest.Library(t)
	for _, dir := range testenv.SharedModels(t, "malformed/*") {
		model, err := onnxtest.Model(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ort.CPU().Open(model); err == nil || !strings.Contains(err.Error(), "refused") {
			t.Errorf("%s: got %v, want ONNX Runtime's refusal", dir, err)
		}
	}
	valid := lstm(t, 3)
	for _, n := range []int{0, 1, 10, len(valid) / 2, len(valid) - 1} {
		if _, err := ort.CPU().Open(valid[:n]); err == nil {
			t.Errorf("the first %d of %d bytes were opened", n, len(valid))
		}
	}
}

func value(name string, typ onnxgraph.DataType, symbols ...string) onnxgraph.Value {
	v := onnxgraph.Value{Name: name, Type: typ, Shape: []onnxgraph.Dim{}}
	for _, s := range symbols {
		if size, err := strconv.Atoi(s); err == nil {
			v.Shape = append(v.Shape, onnxgraph.Dim{Size: int(size)})
		} else {
			v.Shape = append(v.Shape, onnxgraph.Dim{Symbol: s})
		}
	}
	return v
}

func node(op string, inputs, outputs string, attributes ...onnxgraph.Attribute) onnxgraph.Node {
	return onnxgraph.Node{
		OpType: op, Inputs: strings.Split(inputs, " "), Outputs: strings.Split(outputs, " "), Attributes: attributes,
	}
}

func marshal(t testing.TB, g onnxgraph.Graph) []byte {
	t.Helper()
	g.Name = "test"
	model, err := onnxgraph.Marshal(&onnxgraph.Model{
		IRVersion: 8,
		Opsets:    []onnxgraph.Opset{{Version: 17}},
		Metadata:  []onnxgraph.Property{{Key: "rnnkit", Value: `{"task":"test"}`}},
		Graph:     g,
	})
	if err != nil {
		t.Fatal(err)
	}
	return model
}

// lstm is a model with optional states, as package export writes it, but with nonzero
// defaults that differ.
func lstm(t testing.TB, hidden int) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	random := func(name string, shape ...int) onnxgraph.Tensor {
		size, _ := tensor.Size(shape)
		data := make([]float32, size)
		for i := range data {
			data[i] = float32(rng.Float64()*2 - 1)
		}
		return onnxgraph.Tensor{Name: name, Tensor: tensor.Tensor{Shape: shape, Data: data}}
	}
	ints := func(name string, data ...int64) onnxgraph.Tensor {
		return onnxgraph.Tensor{Name: name, Tensor: tensor.Tensor{Shape: []int{len(data)}, Data: data}}
	}
	h := strconv.Itoa(hidden)
	return marshal(t, onnxgraph.Graph{
		Inputs: []onnxgraph.Value{
			value("input", onnxgraph.Float32, "batch", "time", "1"),
			value("h0", onnxgraph.Float32, "1", "batch", h),
			value("c0", onnxgraph.Float32, "1", "batch", h),
		},
		Outputs: []onnxgraph.Value{
			value("hidden", onnxgraph.Float32, "batch", "time", h),
			value("hn", onnxgraph.Float32, "1", "batch", h),
			value("cn", onnxgraph.Float32, "1", "batch", h),
		},
		Initializers: []onnxgraph.Tensor{
			random("h0", 1, 1, hidden), random("c0", 1, 1, hidden),
			random("W", 1, 4*hidden, 1), random("R", 1, 4*hidden, hidden), random("B", 1, 8*hidden),
			ints("first", 0), ints("one", 1), ints("size", int64(hidden)), ints("axis", 1),
		},
		Nodes: []onnxgraph.Node{
			node("Shape", "input", "shape"),
			node("Gather", "shape first", "batch"),
			node("Concat", "one batch size", "state", onnxgraph.Attribute{Name: "axis", Value: int64(0)}),
			node("Expand", "h0 state", "h"),
			node("Expand", "c0 state", "c"),
			node("Transpose", "input", "x", onnxgraph.Attribute{Name: "perm", Value: []int64{1, 0, 2}}),
			node("LSTM", "x W R B  h c", "y hn cn", onnxgraph.Attribute{Name: "hidden_size", Value: int64(hidden)}),
			node("Squeeze", "y axis", "z"),
			node("Transpose", "z", "hidden", onnxgraph.Attribute{Name: "perm", Value: []int64{1, 0, 2}}),
		},
	})
}

func series(batch, time int) tensor.Tensor {
	rng := rand.New(rand.NewPCG(uint64(batch), uint64(time)))
	data := make([]float32, batch*time)
	for i := range data {
		data[i] = float32(rng.NormFloat64())
	}
	return tensor.Of(data, batch, time, 1)
}

func TestDescription(t *testing.T) {
	orttest.Library(t)
	s := open(t, lstm(t, 3))
	want := []string{"input float32[batch, time, 1]", "h0 float32[1, batch, 3]", "c0 float32[1, batch, 3]"}
	for i, info := range s.Inputs() {
		if info.String() != want[i] || info.Optional != (i > 0) {
			t.Errorf("input %d is %v, optional %v", i, info, info.Optional)
		}
	}
	if got := s.Outputs()[0].String(); got != "hidden float32[batch, time, 3]" {
		t.Errorf("output 0 is %s", got)
	}
	if got := s.Metadata()["rnnkit"]; got != `{"task":"test"}` {
		t.Errorf("metadata is %q", got)
	}
}

// TestOldFiles opens a model from before IR version 4, which lists every weight as an
// input. No weight can be fed.
func TestOldFiles(t *testing.T) {
	orttest.Library(t)
	m, err := onnxgraph.Unmarshal(lstm(t, 3))
	if err != nil {
		t.Fatal(err)
	}
	m.IRVersion = 3
	for _, c := range m.Graph.Initializers[2:] {
		v := onnxgraph.Value{Name: c.Name, Type: c.Type()}
		for _, d := range c.Shape {
			v.Shape = append(v.Shape, onnxgraph.Dim{Size: int(d)})
		}
		m.Graph.Inputs = append(m.Graph.Inputs, v)
	}
	model, err := onnxgraph.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, model)
	if got := s.Inputs(); len(got) != 1 || got[0].Name != "input" {
		t.Errorf("inputs are %v, want only input", got)
	}
	inputs := map[string]tensor.Tensor{"input": series(1, 4)}
	checkClose(t, "hidden", run(t, s, inputs, "hidden")["hidden"], run(t, open(t, lstm(t, 3)), inputs, "hidden")["hidden"], 0)
}

// TestOptionalState alternates between omitting and feeding the state on one session.
// Steps with the state fed back must equal the whole window.
func TestOptionalState(t *testing.T) {
	orttest.Library(t)
	const hidden = 5
	model := lstm(t, hidden)
	m, err := onnxgraph.Unmarshal(model)
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, model)
	for _, size := range [][2]int{{1, 1}, {1, 7}, {3, 5}, {17, 2}} {
		batch, time := size[0], size[1]
		input := series(batch, time)
		whole := run(t, s, map[string]tensor.Tensor{"input": input}, "hidden", "hn", "cn")
		if len(whole) != 3 {
			t.Fatalf("%d outputs, want 3", len(whole))
		}
		all, _ := tensor.Values[float32](whole["hidden"])
		x, _ := tensor.Values[float32](input)
		state := make(map[string]tensor.Tensor)
		for i := range time {
			step := make([]float32, batch)
			for b := range step {
				step[b] = x[b*time+i]
			}
			state["input"] = tensor.Of(step, batch, 1, 1)
			out := run(t, s, state, "hidden", "hn", "cn")
			at := make([]float32, 0, batch*hidden)
			for b := range batch {
				at = append(at, all[(b*time+i)*hidden:][:hidden]...)
			}
			checkClose(t, "hidden", out["hidden"], tensor.Of(at, batch, 1, hidden), 1e-6)
			state["h0"], state["c0"] = out["hn"], out["cn"]
		}
		checkClose(t, "hn", state["h0"], whole["hn"], 1e-6)
		checkClose(t, "cn", state["c0"], whole["cn"], 1e-6)

		// Feed only one of the two states and request one output.
		for _, name := range []string{"h0", "c0"} {
			inputs := map[string]tensor.Tensor{"input": input, name: state[name]}
			half := run(t, s, inputs, "cn")
			if len(half) != 1 {
				t.Errorf("%d outputs, want only cn", len(half))
			}
			for _, c := range m.Graph.Initializers[:2] {
				if c.Name != name {
					inputs[c.Name] = tensor.Of(slices.Repeat(c.Data.([]float32), batch), 1, batch, hidden)
				}
			}
			checkClose(t, "cn", half["cn"], run(t, s, inputs, "cn")["cn"], 0)
		}
	}
}

// TestTypes runs every type through Identity, as a scalar and as a vector.
func TestTypes(t *testing.T) {
	orttest.Library(t)
	for _, want := range []tensor.Tensor{
		tensor.Of([]float32{1.5}), tensor.Of([]float64{-2}), tensor.Of([]int32{-3}),
		tensor.Of([]int64{1 << 40}), tensor.Of([]uint8{200}), tensor.Of([]bool{true}),
		tensor.Of([]float32{1, 2}, 2), tensor.Of([]float64{1, 2}, 2), tensor.Of([]int32{1, 2}, 2),
		tensor.Of([]int64{1, 2}, 2), tensor.Of([]uint8{1, 2}, 2), tensor.Of([]bool{false, true}, 2),
	} {
		typ := want.Type()
		symbols := []string{"n"}[:len(want.Shape)]
		s := open(t, marshal(t, onnxgraph.Graph{
			Inputs:  []onnxgraph.Value{value("x", typ, symbols...)},
			Outputs: []onnxgraph.Value{value("y", typ, symbols...)},
			Nodes:   []onnxgraph.Node{node("Identity", "x", "y")},
		}))
		got := run(t, s, map[string]tensor.Tensor{"x": want}, "y")["y"]
		if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
			t.Errorf("%s: got %s, want %s", want.Type(), g, w)
		}
	}
}

func TestRunErrors(t *testing.T) {
	orttest.Library(t)
	s := open(t, lstm(t, 3))
	input := series(2, 4)
	for _, test := range []struct {
		name   string
		inputs map[string]tensor.Tensor
		output string
		want   string
	}{
		{"missing", nil, "hidden", `"input" is missing`},
		{"unknown input", map[string]tensor.Tensor{"input": input, "x": input}, "hidden", `"x"`},
		{"wrong type", map[string]tensor.Tensor{"input": tensor.Of([]int64{1}, 1, 1, 1)}, "hidden", `"input" has type`},
		{"wrong size", map[string]tensor.Tensor{"input": tensor.Of([]float32{1, 2}, 1, 1, 2)}, "hidden", `"input" has shape`},
		{"empty batch", map[string]tensor.Tensor{"input": tensor.Of([]float32{}, 0, 3, 1)}, "hidden", `"input" is empty`},
		{"no steps", map[string]tensor.Tensor{"input": tensor.Of([]float32{}, 3, 0, 1)}, "hidden", `"input" is empty`},
		{"unknown output", map[string]tensor.Tensor{"input": input}, "y", `output "y"`},
		{"wrong batch of the state", map[string]tensor.Tensor{"input": input, "h0": tensor.Of(make([]float32, 9), 1, 3, 3)}, "hidden", "Expand"},
	} {
		got, err := s.Run(context.Background(), test.inputs, test.output)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, error %v, want one line with %q", test.name, got, err, test.want)
		}
	}
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Run(canceled, map[string]tensor.Tensor{"input": input}, "hidden"); !errors.Is(err, context.Canceled) {
		t.Errorf("with a canceled context: %v", err)
	}
	run(t, s, map[string]tensor.Tensor{"input": input}, "hidden")
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if _, err := s.Run(context.Background(), map[string]tensor.Tensor{"input": input}, "hidden"); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("a run after Close: %v", err)
	}
}

// TestScalarWithoutShape requests an output that the binding cannot make, for which
// it leaves a partial value.
func TestScalarWithoutShape(t *testing.T) {
	orttest.Library(t)
	s := open(t, marshal(t, onnxgraph.Graph{
		Inputs:  []onnxgraph.Value{value("x", onnxgraph.Float32, "n")},
		Outputs: []onnxgraph.Value{{Name: "y", Type: onnxgraph.Float32}},
		Nodes:   []onnxgraph.Node{node("ReduceMean", "x", "y", onnxgraph.Attribute{Name: "keepdims", Value: int64(0)})},
	}))
	got, err := s.Run(context.Background(), map[string]tensor.Tensor{"x": tensor.Of([]float32{1, 2}, 2)}, "y")
	if err == nil {
		t.Errorf("got %v", got)
	}
}

// TestErrorsAreOneLine uses names with a line break in a model that fails.
func TestErrorsAreOneLine(t *testing.T) {
	orttest.Library(t)
	failing := node("Reshape", "x shape", "y")
	failing.Name = "a\nb"
	g := onnxgraph.Graph{
		Inputs:       []onnxgraph.Value{value("x", onnxgraph.Float32, "n")},
		Outputs:      []onnxgraph.Value{value("y", onnxgraph.Float32, "3")},
		Initializers: []onnxgraph.Tensor{{Name: "shape", Tensor: tensor.Of([]int64{3}, 1)}},
		Nodes:        []onnxgraph.Node{failing},
	}
	_, err := open(t, marshal(t, g)).Run(context.Background(), map[string]tensor.Tensor{"x": tensor.Of([]float32{1, 2}, 2)}, "y")
	g.Nodes[0].Inputs[0] = "a\nb"
	_, openErr := ort.CPU().Open(marshal(t, g))
	for _, err := range []error{err, openErr} {
		if err == nil || !strings.Contains(err.Error(), "a b") {
			t.Errorf("got %q, want one line with the name", err)
		}
	}
}

// TestCancel cancels a run that would take far longer than its deadline.
func TestCancel(t *testing.T) {
	orttest.Library(t)
	g := onnxgraph.Graph{
		Inputs:  []onnxgraph.Value{value("x0", onnxgraph.Float32, "n")},
		Outputs: []onnxgraph.Value{value("x2000", onnxgraph.Float32, "n")},
	}
	for i := range 2000 {
		g.Nodes = append(g.Nodes, node("Cos", "x"+strconv.Itoa(i), "x"+strconv.Itoa(i+1)))
	}
	s := open(t, marshal(t, g))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err := s.Run(ctx, map[string]tensor.Tensor{"x0": tensor.Of(make([]float32, 1<<18), 1<<18)}, "x2000")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
}

func TestConcurrentRuns(t *testing.T) {
	orttest.Library(t)
	s := open(t, lstm(t, 8))
	var wg sync.WaitGroup
	for i := range 8 {
		input := series(1+i, 3+i)
		want := run(t, s, map[string]tensor.Tensor{"input": input}, "hidden")
		wg.Go(func() {
			for range 50 {
				got, err := s.Run(t.Context(), map[string]tensor.Tensor{"input": input}, "hidden")
				if err != nil {
					t.Error(err)
					return
				}
				checkClose(t, "hidden", got["hidden"], want["hidden"], 0)
			}
		})
	}
	wg.Wait()
}

// TestMemory opens, runs and fails many times, and checks that no memory leaks.
func TestMemory(t *testing.T) {
	orttest.Library(t)
	if runtime.GOOS != "linux" {
		t.Skip("/proc/self/statm is Linux's")
	}
	if testing.Short() {
		t.Skip("opens thousands of models")
	}
	big := lstm(t, 64)
	g := onnxgraph.Graph{
		Inputs:  []onnxgraph.Value{value("x", onnxgraph.Float32, "n")},
		Outputs: []onnxgraph.Value{value("y", onnxgraph.Float32, "n")},
		Nodes:   []onnxgraph.Node{node("Add", "x shift0", "y")},
	}
	for i := range 10 {
		shift := "shift" + strconv.Itoa(i)
		g.Inputs = append(g.Inputs, value(shift, onnxgraph.Float32, "n"))
		g.Initializers = append(g.Initializers, onnxgraph.Tensor{Name: shift, Tensor: tensor.Of([]float32{1, 2}, 2)})
	}
	small := marshal(t, g)
	truncated := small[:len(small)-1]
	openAndClose := func(model []byte, n int) {
		for range n {
			s, err := ort.CPU().Open(model)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := ort.CPU().Open(truncated); err == nil {
				t.Fatal("a truncated model was opened")
			}
		}
	}
	series := map[string]tensor.Tensor{"input": series(16, 20)}
	good := map[string]tensor.Tensor{"x": tensor.Of([]float32{1, 2}, 2)}
	bad := map[string]tensor.Tensor{"x": tensor.Of([]float32{1, 2, 3}, 3)}
	work := func(n int) {
		openAndClose(big, n)
		openAndClose(small, 20*n)
		s := open(t, big)
		for range 2 * n {
			run(t, s, series, "hidden", "hn", "cn")
		}
		s = open(t, small)
		for range 200 * n {
			if _, err := s.Run(t.Context(), good, "y"); err != nil {
				t.Fatal(err)
			}
		}
		for range 50 * n {
			if _, err := s.Run(t.Context(), bad, "y"); err == nil {
				t.Fatal("inputs that do not match were accepted")
			}
		}
	}
	work(20)
	before := resident(t)
	work(200)
	if grown := resident(t) - before; grown > 4<<20 {
		t.Errorf("memory has grown by %d KiB", grown>>10)
	}
}

// resident returns the resident memory of the process in bytes.
func resident(t *testing.T) int {
	debug.FreeOSMemory()
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(data))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

func TestOneLibraryPerProcess(t *testing.T) {
	lib := orttest.Library(t)
	model := lstm(t, 3)
	open(t, model)
	s, err := ort.CPU(ort.Library(lib.Path)).Open(model)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	content, err := os.ReadFile(lib.Path)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), ortlib.FileName())
	if err := os.WriteFile(other, content, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = ort.CPU(ort.Library(other)).Open(model)
	if err == nil || !strings.Contains(err.Error(), other) || !strings.Contains(err.Error(), lib.Path) {
		t.Errorf("got %v, want an error that names both libraries", err)
	}
}

func TestEngines(t *testing.T) {
	if got := ort.CPU().String() + " " + ort.CUDA(1).String(); got != "onnxruntime/cpu onnxruntime/cuda:1" {
		t.Errorf("engines are %s", got)
	}
	for want, e := range map[string]engine.Engine{
		"0 threads":                    ort.CPU(ort.Threads(0)),
		"4294967304 threads":           ort.CPU(ort.Threads(1<<32 + 8)),
		"optimization level 4":         ort.CPU(ort.Optimization(ort.All + 1)),
		"the first is cuda:0":          ort.CUDA(-1),
		"a memory limit of 0 bytes":    ort.CUDA(0, ort.MemoryLimit(0)),
		"options of CUDA: leave them":  ort.CPU(ort.TF32(true)),
		"RequireProvider are options":  ort.CPU(ort.RequireProvider()),
		"TF32, MemoryLimit and Requir": ort.CPU(ort.MemoryLimit(1 << 20)),
	} {
		if _, err := e.Open(lstm(t, 3)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: the error is %v, not %q", e, err, want)
		}
	}
	s, err := ort.CPU(ort.Library(filepath.Join(t.TempDir(), "none.so"))).Open(lstm(t, 3))
	if err == nil || !strings.Contains(err.Error(), "none.so") {
		t.Errorf("a library that is not there: %v, %v", s, err)
	}
}

// TestCUDA runs on the GPU if there is one, and otherwise expects an error that names
// what is missing.
func TestCUDA(t *testing.T) {
	lib := orttest.Library(t)
	model := lstm(t, 8)
	missing := ortlib.CUDA(lib.Path)
	e := ort.CUDA(0, ort.TF32(false), ort.MemoryLimit(1<<30), ort.RequireProvider())
	s, err := e.Open(model)
	if missing != nil {
		_, errPlacements := ort.Placements(e, model)
		for _, err := range []error{err, errPlacements} {
			if err == nil || !strings.Contains(err.Error(), missing.Error()) {
				t.Fatalf("got %v, want %v", err, missing)
			}
		}
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	inputs := map[string]tensor.Tensor{"input": series(3, 20)}
	want := run(t, open(t, model), inputs, "hidden", "hn", "cn")
	for name, got := range run(t, s, inputs, "hidden", "hn", "cn") {
		checkClose(t, name, got, want[name], 1e-4)
	}
	if _, err := ort.CUDA(99).Open(model); err == nil {
		t.Error("CUDA device 99 was opened")
	}
}

// TestQuiet checks that ONNX Runtime prints nothing to stderr, even on errors.
func TestQuiet(t *testing.T) {
	orttest.Library(t)
	cmd := exec.Command(os.Args[0], "-test.run=^(TestRunErrors|TestMalformed|TestTypes)$")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if out, err := cmd.Output(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if stderr.Len() > 0 {
		t.Errorf("stderr has %q", stderr.String())
	}
}

func TestProviders(t *testing.T) {
	orttest.Library(t)
	for _, p := range ort.Providers() {
		if p.Name == "cpu" && p.Err != nil {
			t.Error(p.Err)
		}
		if p.Name == "cuda" && p.Err != nil && !strings.Contains(p.Err.Error(), "CUDA") {
			t.Error(p.Err)
		}
	}
}

// TestVaryingOutputs uses outputs whose shapes do not follow from the input shapes.
func TestVaryingOutputs(t *testing.T) {
	orttest.Library(t)
	s := open(t, marshal(t, onnxgraph.Graph{
		Inputs:  []onnxgraph.Value{value("x", onnxgraph.Float32, "n")},
		Outputs: []onnxgraph.Value{value("y", onnxgraph.Int64, "rank", "m"), value("z", onnxgraph.Float32, "n")},
		Nodes:   []onnxgraph.Node{node("NonZero", "x", "y"), node("Neg", "x", "z")},
	}))
	for _, x := range [][]float32{{1, 0, 2}, {1, 0, 2}, {0, 0, 3}, {4, 5, 6}, {0, 0, 0}, {7, 8}, {0, 1}} {
		var want []int64
		for i, v := range x {
			if v != 0 {
				want = append(want, int64(i))
			}
		}
		got := run(t, s, map[string]tensor.Tensor{"x": tensor.Of(x, len(x))}, "y", "z")
		if y := got["y"]; !slices.Equal(y.Data.([]int64), want) || !slices.Equal(y.Shape, []int{1, len(want)}) {
			t.Errorf("%v: not zero are %v, want %v", x, y, want)
		}
		for i, z := range got["z"].Data.([]float32) {
			if z != -x[i] {
				t.Errorf("%v: element %d is %g", x, i, z)
			}
		}
	}
}

// TestRunInto feeds varying shapes, with and without the state, and checks that
// earlier answers of the same calls stay intact.
func TestRunInto(t *testing.T) {
	orttest.Library(t)
	s := open(t, lstm(t, 8)).(engine.Refiller)
	type answer map[string]tensor.Tensor
	var kept, copies []answer
	for i := range 12 {
		inputs := map[string]tensor.Tensor{"input": series(1+i/2%2, 3+i/4)}
		if i%4 == 1 {
			inputs["h0"] = tensor.Of(slices.Repeat([]float32{float32(i)}, 8*(1+i/2%2)), 1, 1+i/2%2, 8)
		}
		fresh := open(t, lstm(t, 8))
		want := run(t, fresh, inputs, "hidden", "hn")
		into := answer{"hidden": {}, "hn": {}}
		if i > 0 && i%3 == 0 {
			into, kept = kept[len(kept)-1], kept[:len(kept)-1]
			copies = copies[:len(kept)]
		}
		var b engine.Binding
		if err := b.Bind(s, inputs, into); err != nil {
			t.Fatal(err)
		}
		if err := s.RunInto(t.Context(), b.Inputs, b.Outputs); err != nil {
			t.Fatal(err)
		}
		b.Release(s, into)
		copied := answer{}
		for name, y := range into {
			checkClose(t, name, y, want[name], 0)
			copied[name] = y.Clone()
		}
		kept, copies = append(kept, into), append(copies, copied)
	}
	for i := range copies {
		for name := range kept[i] {
			checkClose(t, name, kept[i][name], copies[i][name], 0)
		}
	}
	inputs, outputs := map[string]tensor.Tensor{"input": series(1, 5)}, map[string]tensor.Tensor{"hidden": {}}
	var answers []string
	for i := range 2 { // the same shapes with other values
		inputs["h0"] = tensor.Of(slices.Repeat([]float32{float32(i)}, 8), 1, 1, 8)
		y := run(t, s, inputs, "hidden")["hidden"]
		kept = append(kept, answer{"hidden": y})
		answers = append(answers, fmt.Sprint(y))
	}
	if first := fmt.Sprint(kept[len(kept)-2]["hidden"]); first != answers[0] || answers[0] == answers[1] {
		t.Errorf("the first answer was %s and is %s after %s", answers[0], first, answers[1])
	}
	var b engine.Binding
	if err := b.Bind(s, inputs, outputs); err != nil {
		t.Fatal(err)
	}
	allocations := testing.AllocsPerRun(10, func() {
		if err := s.RunInto(context.Background(), b.Inputs, b.Outputs); err != nil {
			t.Fatal(err)
		}
	})
	if allocations > 8 { // the binding makes one per value, 6 in all, and 2 more
		t.Errorf("a run allocates %v times", allocations)
	}
}

// TestDefaultOfAnotherShape leaves out an input after feeding it, then feeds it
// again.
func TestDefaultOfAnotherShape(t *testing.T) {
	orttest.Library(t)
	s := open(t, marshal(t, onnxgraph.Graph{
		Inputs:       []onnxgraph.Value{value("x", onnxgraph.Float32, "n")},
		Outputs:      []onnxgraph.Value{value("y", onnxgraph.Float32, "n")},
		Initializers: []onnxgraph.Tensor{{Name: "x", Tensor: tensor.Of([]float32{7}, 1)}},
		Nodes:        []onnxgraph.Node{node("Neg", "x", "y")},
	}))
	three, two := []float32{1, 2, 3}, []float32{4, 5}
	for _, x := range [][]float32{three, nil, three, nil, two} {
		inputs, want := map[string]tensor.Tensor{}, []float32{-7}
		if x != nil {
			inputs["x"], want = tensor.Of(x, len(x)), nil
			for _, v := range x {
				want = append(want, -v)
			}
		}
		checkClose(t, "y", run(t, s, inputs, "y")["y"], tensor.Of(want, len(want)), 0)
	}
}

func BenchmarkStep(b *testing.B) {
	s := open(b, lstm(b, 64))
	inputs := map[string]tensor.Tensor{"input": series(1, 1)}
	b.ReportAllocs()
	for b.Loop() {
		run(b, s, inputs, "hidden", "hn", "cn")
	}
}

// TestOptions expects the same answers with every option, apart from rounding by
// graph optimizations.
func TestOptions(t *testing.T) {
	orttest.Library(t)
	model := lstm(t, 8)
	inputs := map[string]tensor.Tensor{"input": series(3, 20)}
	want := run(t, open(t, model), inputs, "hidden", "hn", "cn")
	for name, option := range map[string]ort.Option{
		"threads":         ort.Threads(2),
		"spinning":        ort.Spinning(true),
		"no arena":        ort.Arena(false),
		"memory pattern":  ort.MemoryPattern(true),
		"no optimization": ort.Optimization(ort.NoOptimization),
		"basic":           ort.Optimization(ort.Basic),
		"extended":        ort.Optimization(ort.Extended),
	} {
		s, err := ort.CPU(option).Open(model)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for range 3 {
			for output, got := range run(t, s, inputs, "hidden", "hn", "cn") {
				checkClose(t, name+": "+output, got, want[output], 1e-6)
			}
		}
		s.Close()
	}
}

func TestProfile(t *testing.T) {
	orttest.Library(t)
	dir := t.TempDir()
	s, err := ort.CPU(ort.Profile(filepath.Join(dir, "profile"))).Open(lstm(t, 3))
	if err != nil {
		t.Fatal(err)
	}
	run(t, s, map[string]tensor.Tensor{"input": series(1, 2)}, "hn")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	if data, err := os.ReadFile(filepath.Join(dir, files[0].Name())); err != nil || !strings.Contains(string(data), `"op_name" : "LSTM"`) {
		t.Errorf("the profile is %s (%v)", data, err)
	}
	if _, err := ort.CPU(ort.Profile(filepath.Join(dir, "nowhere", "profile"))).Open(lstm(t, 3)); err == nil || !strings.Contains(err.Error(), "the profile cannot be written") {
		t.Errorf("the error is %v", err)
	}
}

// TestPlacements lists the operators that remain at each level of optimization.
func TestPlacements(t *testing.T) {
	orttest.Library(t)
	model := marshal(t, onnxgraph.Graph{
		Inputs:  []onnxgraph.Value{value("x", onnxgraph.Float32, "batch", "n")},
		Outputs: []onnxgraph.Value{value("y", onnxgraph.Float32, "batch", "n"), value("z", onnxgraph.Int64, "rank")},
		Nodes:   []onnxgraph.Node{node("Identity", "x", "i"), node("Neg", "i", "y"), node("Shape", "y", "z")},
	})
	for level, want := range map[ort.Level]string{
		ort.NoOptimization: "Identity CPUExecutionProvider false, Neg CPUExecutionProvider false, Shape CPUExecutionProvider true",
		ort.All:            "Neg CPUExecutionProvider false, Shape CPUExecutionProvider true",
	} {
		placements, err := ort.Placements(ort.CPU(ort.Optimization(level)), model)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range placements {
			got = append(got, fmt.Sprint(p.Op, " ", p.Provider, " ", p.Shapes))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("level %d: %v, not %s", level, got, want)
		}
	}
	if _, err := ort.Placements(native.New(), model); err == nil || !strings.Contains(err.Error(), "native is no engine of ONNX Runtime") {
		t.Errorf("the error is %v", err)
	}
}
