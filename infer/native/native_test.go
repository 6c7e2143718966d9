package native

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/onnxtest"
)

var x23 = engine.Of([]float32{1, 2, 3, 4, 5, 6}, 2, 3)

// TestOps runs single nodes on x, [[1 2 3] [4 5 6]], where ONNX's own tests
// leave something out.
func TestOps(t *testing.T) {
	list := func(t ...onnxgraph.Tensor) []onnxgraph.Tensor { return t }
	scalar := func(name string, v int64) onnxgraph.Tensor {
		return onnxgraph.Tensor{Name: name, Shape: []int{}, Data: []int64{v}}
	}
	column := onnxgraph.Tensor{Name: "b", Shape: []int{2, 1}, Data: []float32{10, 20}}
	for _, test := range []struct {
		name  string
		model *onnxgraph.Model
		want  engine.Tensor
	}{
		{"Add column", one("Add", list(column)), engine.Of([]float32{11, 12, 13, 24, 25, 26}, 2, 3)},
		{"Sub scalar", one("Sub", list(onnxgraph.Tensor{Name: "b", Shape: []int{}, Data: []float32{1}})), engine.Of([]float32{0, 1, 2, 3, 4, 5}, 2, 3)},
		{"Mul more dimensions", one("Mul", list(onnxgraph.Tensor{Name: "b", Shape: []int{2, 1, 1}, Data: []float32{1, -1}})), engine.Of([]float32{1, 2, 3, 4, 5, 6, -1, -2, -3, -4, -5, -6}, 2, 2, 3)},
		{"Add both ways", graph(call("Constant", nil, []string{"c"}, "value", onnxgraph.Tensor{Shape: []int{2, 1, 2, 1}, Data: []float32{0, 10, 20, 30}}), call("Constant", nil, []string{"d"}, "value", onnxgraph.Tensor{Shape: []int{2, 1, 2}, Data: []float32{1, 2, 3, 4}}), call("Add", []string{"c", "d"}, []string{"y"})), engine.Of([]float32{1, 2, 11, 12, 3, 4, 13, 14, 21, 22, 31, 32, 23, 24, 33, 34}, 2, 2, 2, 2)},
		{"Div row", one("Div", list(onnxgraph.Tensor{Name: "b", Shape: []int{3}, Data: []float32{1, 2, 3}})), engine.Of([]float32{1, 1, 1, 4, 2.5, 2}, 2, 3)},
		{"Mul none", one("Mul", list(onnxgraph.Tensor{Name: "b", Shape: []int{0, 1, 1}, Data: []float32{}})), engine.Of([]float32{}, 0, 2, 3)},
		{"MatMul with none", one("MatMul", list(onnxgraph.Tensor{Name: "b", Shape: []int{3, 0}, Data: []float32{}})), engine.Of([]float32{}, 2, 0)},
		{"MatMul vector", one("MatMul", list(onnxgraph.Tensor{Name: "b", Shape: []int{3}, Data: []float32{1, 0, -1}})), engine.Of([]float32{-2, -2}, 2)},
		{"Gather column", one("Gather", list(scalar("i", -1)), "axis", int64(1)), engine.Of([]float32{3, 6}, 2)},
		{"Gather matrix", one("Gather", list(onnxgraph.Tensor{Name: "i", Shape: []int{1, 2}, Data: []int64{-3, 1}}), "axis", int64(-1)), engine.Of([]float32{1, 2, 4, 5}, 2, 1, 2)},
		{"Gather none", one("Gather", list(ints64("i"))), engine.Of([]float32{}, 0, 3)},
		{"Expand less", one("Expand", list(ints64("s", 3))), x23},
		{"Expand more", one("Expand", list(ints64("s", 2, 1, 1))), engine.Of([]float32{1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6}, 2, 2, 3)},
		{"Expand none", one("Expand", list(ints64("s", 0, 1, 1))), engine.Of([]float32{}, 0, 2, 3)},
		{"Reshape", one("Reshape", list(ints64("s", 0, -1, 1))), engine.Of([]float32{1, 2, 3, 4, 5, 6}, 2, 3, 1)},
		{"Squeeze nothing", one("Squeeze", list(ints64("a"))), x23},
		{"Unsqueeze", one("Unsqueeze", list(ints64("a", -1, 0))), engine.Of([]float32{1, 2, 3, 4, 5, 6}, 1, 2, 3, 1)},
		{"Concat self", graph(call("Concat", []string{"x", "x"}, []string{"y"}, "axis", int64(-1))), engine.Of([]float32{1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6}, 2, 6)},
		{"Identity of an input", graph(call("Identity", []string{"x"}, []string{"y"})), x23},
		{"Shape", one("Shape", nil, "start", int64(-1), "end", int64(9)), engine.Of([]int64{3}, 1)},
		{"Constant int", graph(call("Constant", nil, []string{"y"}, "value_int", int64(7))), engine.Of([]int64{7})},
		{"Constant floats", graph(call("Constant", nil, []string{"y"}, "value_floats", []float32{1, 2})), engine.Of([]float32{1, 2}, 2)},
		{"Div of integers", graph(call("Constant", nil, []string{"c"}, "value_ints", []int64{-2, math.MinInt64}), call("Constant", nil, []string{"d"}, "value_int", int64(-1)), call("Div", []string{"c", "d"}, []string{"y"})), engine.Of([]int64{2, math.MinInt64}, 2)},
	} {
		t.Run(test.name, func(t *testing.T) {
			y := run(t, open(t, test.model), tensors{"x": x23})["y"]
			if err := onnxtest.Compare(y, test.want, 0, 0); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestRunErrors runs nodes on shapes that do not fit and on indices out of
// range. Some of it shows already when the model is opened.
func TestRunErrors(t *testing.T) {
	list := func(t ...onnxgraph.Tensor) []onnxgraph.Tensor { return t }
	huge := ints64("s", 1<<20, 1<<20, 1<<20, 1, 1)
	uneven := graph(call("Split", []string{"x"}, []string{"y", "a", "b", "c"}, "num_outputs", int64(4)))
	opset(18)(uneven)
	many := make([]int64, 65)
	var axes []int64
	for i := range int64(62) {
		axes = append(axes, i)
	}
	tall := one("Unsqueeze", list(ints64("a", axes...)))
	tall.Graph.Nodes = append(tall.Graph.Nodes,
		call("Constant", nil, []string{"i"}, "value", onnxgraph.Tensor{Shape: []int{1, 1}, Data: []int64{0}}),
		call("Gather", []string{"y", "i"}, []string{"z"}))
	tall.Graph.Outputs[0].Name = "z"
	for _, test := range []struct {
		name  string
		model *onnxgraph.Model
		want  []string
	}{
		{"Add", one("Add", list(floats("b", 2))), []string{"[2 3]", "[2]"}},
		{"MatMul", one("MatMul", list(floats("b", 2, 3))), []string{"[2 3]"}},
		{"MatMul batch", graph(call("Constant", nil, []string{"c"}, "value", floats("c", 2, 1, 3)), call("Constant", nil, []string{"d"}, "value", floats("d", 3, 3, 1)), call("MatMul", []string{"c", "d"}, []string{"y"})), []string{"[2 1 3]", "[3 3 1]"}},
		{"MatMul scalar", one("MatMul", list(onnxgraph.Tensor{Name: "b", Shape: []int{}, Data: []float32{1}})), []string{"scalar"}},
		{"Gather", one("Gather", list(ints64("i", 0, 2))), []string{"index 2", "[2 3]"}},
		{"Gather negative", one("Gather", list(ints64("i", math.MinInt64))), []string{"index -9223372036854775808"}},
		{"Gather axis", one("Gather", list(ints64("i", 0)), "axis", int64(2)), []string{"axis 2"}},
		{"Concat axis", graph(call("Concat", []string{"x"}, []string{"y"}, "axis", int64(-3))), []string{"axis -3"}},
		{"Concat", graph(call("Constant", nil, []string{"c"}, "value", floats("c", 3, 3)), call("Concat", []string{"x", "c"}, []string{"y"}, "axis", int64(1))), []string{"[2 3]", "[3 3]"}},
		{"Transpose", one("Transpose", nil, "perm", []int64{0}), []string{"[0]", "[2 3]"}},
		{"Transpose empty", one("Transpose", nil, "perm", []int64{}), []string{"[]", "[2 3]"}},
		{"Expand", one("Expand", list(ints64("s", 2, 2))), []string{"[2 3]", "[2 2]"}},
		{"Expand negative", one("Expand", list(ints64("s", -1, 1, 1))), []string{"[-1 2 3]"}},
		{"Expand huge", one("Expand", list(huge)), []string{"too large"}},
		{"Expand large", one("Expand", list(ints64("s", 1<<28, 1, 1))), []string{"[268435456 2 3]", "MiB"}},
		{"Expand ranks", one("Expand", list(ints64("s", many...))), []string{"65 dimensions"}},
		{"Unsqueeze ranks", one("Unsqueeze", list(ints64("s", many...))), []string{"67"}},
		{"Gather ranks", tall, []string{"node 2", "too large"}},
		{"Unsqueeze twice", one("Unsqueeze", list(ints64("a", 0, -4))), []string{"twice"}},
		{"Unsqueeze range", one("Unsqueeze", list(ints64("a", 3))), []string{"axis 3"}},
		{"Squeeze", one("Squeeze", list(ints64("a", 0))), []string{"[2 3]"}},
		{"Reshape", one("Reshape", list(ints64("s", 4, -1))), []string{"[2 3]", "[4 -1]"}},
		{"Reshape twice", one("Reshape", list(ints64("s", -1, -1))), []string{"[-1 -1]"}},
		{"Reshape zero", one("Reshape", list(ints64("s", 2, 3, 0))), []string{"[2 3 0]"}},
		{"Reshape overflow", one("Reshape", list(ints64("s", 1<<62, 1<<62, 6))), []string{"4611686018427387904"}},
		{"Reshape matrix", one("Reshape", list(onnxgraph.Tensor{Name: "s", Shape: []int{1, 1}, Data: []int64{6}})), []string{"[1 1]"}},
		{"Split", graph(call("Split", []string{"x"}, []string{"y", "z"}, "axis", int64(1))), []string{"2 equal parts", "[2 3]"}},
		{"Split into more", uneven, []string{"4 equal parts", "[2 3]"}},
		{"Split sizes", one("Split", list(ints64("s", 3))), []string{"[3]", "[2 3]"}},
		{"Split negative", graph(call("Constant", nil, []string{"c"}, "value_ints", []int64{-1, 3}), call("Split", []string{"x", "c"}, []string{"y", "z"})), []string{"[-1 3]"}},
		{"Div by 0", graph(call("Shape", []string{"x"}, []string{"s"}), call("Constant", nil, []string{"c"}, "value_int", int64(0)), call("Div", []string{"s", "c"}, []string{"y"})), []string{"by 0"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			session, err := New().Open(marshal(t, test.model))
			if err == nil {
				_, err = session.Run(context.Background(), tensors{"x": x23})
			}
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range append(test.want, "node") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error does not have %s: %v", want, err)
				}
			}
		})
	}
}

// TestEmpty runs layers on no steps, whose last state is the first, and on no
// rows.
func TestEmpty(t *testing.T) {
	h, c := floats("h", 1, 2, 2), floats("c", 1, 2, 2)
	session := open(t, layer("LSTM", setInput(5, h), setInput(6, c)))
	results := run(t, session, tensors{"x": engine.Of([]float32{}, 0, 2, 3)})
	for name, want := range (tensors{"y": engine.Of([]float32{}, 0, 1, 2, 2), "hn": tensor(h), "cn": tensor(c)}) {
		if err := onnxtest.Compare(results[name], want, 0, 0); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, op := range []string{"RNN", "GRU", "LSTM"} {
		results := run(t, open(t, layer(op)), tensors{"x": engine.Of([]float32{}, 5, 0, 3)})
		if err := onnxtest.Compare(results["hn"], engine.Of([]float32{}, 1, 0, 2), 0, 0); err != nil {
			t.Errorf("%s: %v", op, err)
		}
	}
}

// TestDirections holds the reverse and the bidirectional layer against forward
// layers, which ONNX's tests and ONNX Runtime prove: reverse is forward on the
// steps in reverse order.
func TestDirections(t *testing.T) {
	const time, batch = 5, 2
	x := tensor(floats("x", time, batch, 3))
	for op, gates := range map[string]int{"RNN": 1, "GRU": 3, "LSTM": 4} {
		weights := []onnxgraph.Tensor{floats("W2", 2, gates*2, 3), floats("R2", 2, gates*2, 2), floats("B2", 2, gates*4), {}, floats("h2", 2, batch, 2), floats("c2", 2, batch, 2)}
		if op != "LSTM" {
			weights = weights[:5]
		}
		build := func(part int, direction string) engine.Session { // part is -1 for both
			m := layer(op, set("direction", direction))
			m.Graph.Initializers = nil
			for i, w := range weights {
				if w.Data == nil {
					continue
				}
				if part >= 0 {
					n := len(w.Data.([]float32)) / 2
					w.Shape, w.Data = append([]int{1}, w.Shape[1:]...), w.Data.([]float32)[part*n:(part+1)*n]
				}
				setInput(i+1, w)(m)
			}
			return open(t, m)
		}
		both := run(t, build(-1, "bidirectional"), tensors{"x": x})
		forward := run(t, build(0, "forward"), tensors{"x": x})
		reverse := run(t, build(1, "reverse"), tensors{"x": x})
		flipped := run(t, build(1, "forward"), tensors{"x": flip(x, time)})
		flipped["y"] = flip(flipped["y"], time)
		for name := range forward {
			if err := onnxtest.Compare(reverse[name], flipped[name], 0, 0); err != nil {
				t.Errorf("%s reverse %s: %v", op, name, err)
			}
			steps := 1
			if name == "y" {
				steps = time
			}
			if err := onnxtest.Compare(both[name], join(forward[name], reverse[name], steps), 0, 0); err != nil {
				t.Errorf("%s bidirectional %s: %v", op, name, err)
			}
		}
	}
}

// flip returns t with its steps in reverse order.
func flip(t engine.Tensor, time int) engine.Tensor {
	var data []float32
	for _, step := range slices.Backward(slices.Collect(slices.Chunk(t.Data.([]float32), t.Len()/time))) {
		data = append(data, step...)
	}
	return engine.Of(data, t.Shape...)
}

// join returns [steps, 2, ...] or [2, ...] of a and b, each with one direction.
func join(a, b engine.Tensor, steps int) engine.Tensor {
	var data []float32
	n := a.Len() / steps
	for i := range steps {
		data = append(data, a.Data.([]float32)[i*n:(i+1)*n]...)
		data = append(data, b.Data.([]float32)[i*n:(i+1)*n]...)
	}
	shape := slices.Clone(a.Shape)
	shape[len(shape)-3] = 2
	return engine.Of(data, shape...)
}

// stateful returns an LSTM whose states are inputs that may be left out.
func stateful() *onnxgraph.Model {
	return layer("LSTM", setInput(5, floats("h0", 1, 1, 2)), setInput(6, floats("c0", 1, 1, 2)), func(m *onnxgraph.Model) {
		for _, name := range []string{"h0", "c0"} {
			m.Graph.Inputs = append(m.Graph.Inputs, onnxgraph.Value{Name: name, Type: onnxgraph.Float32, Shape: []onnxgraph.Dim{{Size: 1}, {Symbol: "batch"}, {Size: 2}}})
		}
	})
}

// TestState feeds the state back step by step, and leaves it out.
func TestState(t *testing.T) {
	const time = 4
	session := open(t, stateful())
	if in := session.Inputs(); in[0].Optional || !in[1].Optional || !in[2].Optional {
		t.Errorf("inputs are %+v", in)
	}
	x := floats("x", time, 1, 3)
	whole := run(t, session, tensors{"x": tensor(x)})
	inputs := tensors{}
	for i := range time {
		inputs["x"] = engine.Of(x.Data.([]float32)[3*i:3*i+3], 1, 1, 3)
		step := run(t, session, inputs)
		if err := onnxtest.Compare(step["hn"], engine.Of(whole["y"].Data.([]float32)[2*i:2*i+2], 1, 1, 2), 1e-6, 0); err != nil {
			t.Errorf("step %d: %v", i, err)
		}
		inputs["h0"], inputs["c0"] = step["hn"], step["cn"]
	}
	if err := onnxtest.Compare(inputs["c0"], whole["cn"], 1e-6, 0); err != nil {
		t.Error(err)
	}
	again := run(t, session, tensors{"x": tensor(x)})
	if err := onnxtest.Compare(again["y"], whole["y"], 0, 0); err != nil {
		t.Errorf("the state of an earlier run shows: %v", err)
	}
}

func TestSession(t *testing.T) {
	m := stateful()
	m.Metadata = []onnxgraph.Property{{Key: "k", Value: "v"}}
	// A node that cannot run, for an output that few ask for.
	m.Graph.Nodes = append(m.Graph.Nodes, call("Add", []string{"y", "W"}, []string{"bad"}))
	m.Graph.Outputs = append(m.Graph.Outputs, onnxgraph.Value{Name: "bad"}, onnxgraph.Value{Name: "x"}, onnxgraph.Value{Name: "W"})
	session := open(t, m)
	if s := fmt.Sprint(session.Inputs(), session.Outputs(), session.Metadata(), New()); s != "[x float32[time, batch, 3] h0 float32[1, batch, 2] c0 float32[1, batch, 2]] [y float32[...] hn float32[...] cn float32[...] bad float32[...] x float32[...] W float32[1, 8, 3]] map[k:v] native" {
		t.Error(s)
	}

	x := tensor(floats("x", 5, 1, 3))
	inputs := tensors{"x": x}
	results := run(t, session, inputs, "hn", "x", "W")
	if len(results) != 3 {
		t.Errorf("got %v", results)
	}
	if err := onnxtest.Compare(results["x"], x, 0, 0); err != nil {
		t.Error(err)
	}
	results["x"].Data.([]float32)[0]++
	results["W"].Data.([]float32)[0]++
	if again := run(t, session, inputs, "x", "W"); again["x"].Data.([]float32)[0] != x.Data.([]float32)[0] || x.Data.([]float32)[0] == results["x"].Data.([]float32)[0] || again["W"].Data.([]float32)[0] == results["W"].Data.([]float32)[0] {
		t.Error("a result shares memory with the session or the input")
	}

	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := session.Run(canceled, inputs, "y"); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	for _, test := range []struct {
		inputs  tensors
		outputs []string
		want    string
	}{
		{inputs, nil, `node 1 (Add "n")`},
		{inputs, []string{"z"}, `output "z"`},
		{tensors{}, nil, `"x" is missing`},
		{tensors{"x": x, "q": x}, nil, `"q"`},
		{tensors{"x": engine.Of(make([]float32, 4), 1, 1, 4)}, nil, `"x"`},
		{tensors{"x": x, "h0": engine.Of(make([]float32, 4), 1, 2, 2)}, nil, "initial_h"},
	} {
		if _, err := session.Run(context.Background(), test.inputs, test.outputs...); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error does not have %s: %v", test.want, err)
		}
	}

	for range 2 {
		if err := session.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := session.Run(context.Background(), inputs, "y"); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("after Close: %v", err)
	}
}

// TestMemory runs a layer that stays within the limit, and then one that would
// not.
func TestMemory(t *testing.T) {
	session, err := New(MaxMemory(1 << 16)).Open(marshal(t, layer("LSTM")))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		run(t, session, tensors{"x": tensor(floats("x", 500, 2, 3))})
	}
	_, err = session.Run(context.Background(), tensors{"x": tensor(floats("x", 600, 2, 3))})
	if err == nil || !strings.Contains(err.Error(), "600 steps of 2 rows") {
		t.Errorf("error is %v", err)
	}
}

func TestConcurrentRuns(t *testing.T) {
	session := open(t, stateful())
	var wg sync.WaitGroup
	for i := range 8 {
		x := tensor(floats(strings.Repeat("x", i+1), 3+i, 1, 3))
		want := run(t, open(t, stateful()), tensors{"x": x})
		wg.Go(func() {
			for range 50 {
				got, err := session.Run(context.Background(), tensors{"x": x})
				if err != nil {
					t.Error(err)
					return
				}
				for name := range want {
					if err := onnxtest.Compare(got[name], want[name], 0, 0); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
			}
		})
	}
	wg.Wait()
}

// everything returns a graph in which each operator is used once or more.
func everything() *onnxgraph.Model {
	m := stateful()
	g := &m.Graph
	g.Initializers = append(g.Initializers, ints64("zero", 0), ints64("one", 1), ints64("rows", 0, -1), floats("M", 2, 4), floats("b", 4))
	g.Nodes = slices.Concat([]onnxgraph.Node{
		call("Shape", []string{"x"}, []string{"shape"}),
		call("Gather", []string{"shape", "one"}, []string{"batch"}),
		call("Concat", []string{"one", "batch", "one"}, []string{"wide"}, "axis", int64(0)),
		call("Expand", []string{"h0", "wide"}, []string{"h"}),
		call("Expand", []string{"c0", "wide"}, []string{"c"}),
	}, g.Nodes, []onnxgraph.Node{
		call("Squeeze", []string{"y", "one"}, []string{"steps"}),
		call("Transpose", []string{"steps"}, []string{"hidden"}, "perm", []int64{1, 0, 2}),
		call("MatMul", []string{"hidden", "M"}, []string{"product"}),
		call("Add", []string{"product", "b"}, []string{"sum"}),
		call("Mul", []string{"sum", "b"}, []string{"scaled"}),
		call("Sub", []string{"scaled", "sum"}, []string{"less"}),
		call("Div", []string{"less", "b"}, []string{"quotient"}),
		call("Split", []string{"quotient"}, []string{"left", "right"}, "axis", int64(2)),
		call("Constant", nil, []string{"k"}, "value_float", float32(2)),
		call("Add", []string{"right", "k"}, []string{"more"}),
		call("Reshape", []string{"more", "rows"}, []string{"flat"}),
		call("Unsqueeze", []string{"flat", "zero"}, []string{"lifted"}),
		call("Identity", []string{"lifted"}, []string{"out"}),
	})
	for i := range g.Nodes {
		if n := &g.Nodes[i]; n.OpType == "LSTM" {
			n.Inputs[5], n.Inputs[6] = "h", "c"
		}
	}
	g.Outputs = []onnxgraph.Value{{Name: "out"}, {Name: "hn"}, {Name: "left"}}
	return m
}

// TestAllocations runs twice on each shape, the second time without allocating.
func TestAllocations(t *testing.T) {
	m, err := onnxgraph.Unmarshal(marshal(t, everything()))
	if err != nil {
		t.Fatal(err)
	}
	p, err := compile(m, DefaultMemory)
	if err != nil {
		t.Fatal(err)
	}
	r, err := newRunner(p, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	for _, time := range []int{7, 4} {
		inputs := tensors{"x": tensor(floats("x", time, 3, 3))}
		results := tensors{"out": {}}
		again := func() {
			if err := r.run(ctx, inputs, results); err != nil {
				t.Fatal(err)
			}
		}
		again()
		if n := testing.AllocsPerRun(20, again); n > 0 {
			t.Errorf("a run on %d steps allocates %v times", time, n)
		}
	}
	if r.slots[p.slots["x"]].(*array[float32]).data != nil {
		t.Error("the runner keeps the caller's input")
	}
}

func BenchmarkLSTM(b *testing.B) {
	session := open(b, layer("LSTM", set("hidden_size", int64(32)), func(m *onnxgraph.Model) {
		m.Graph.Inputs[0].Shape[2].Size = 1
		m.Graph.Initializers = []onnxgraph.Tensor{floats("W", 1, 128, 1), floats("R", 1, 128, 32), floats("B", 1, 256)}
	}))
	for _, batch := range []int{1, 256} {
		b.Run(fmt.Sprint("batch=", batch), func(b *testing.B) {
			inputs := tensors{"x": tensor(floats("x", 50, batch, 1))}
			b.ReportAllocs()
			for b.Loop() {
				run(b, session, inputs, "hn")
			}
		})
	}
}
