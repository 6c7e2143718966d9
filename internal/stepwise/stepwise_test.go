package stepwise_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/orttest"
	"github.com/rnnkit/rnnkit/internal/stepwise"
	"github.com/rnnkit/rnnkit/models"
)

// refused has why models of testdata cannot run step by step; all others can.
var refused = map[string]string{
	"attention_ts":     `node "/MatMul" (MatMul) combines the last step with those before it`,
	"bi_ts":            `node "/rnn/LSTM" (LSTM) reads the sequence from its end too`,
	"convcausal_ts":    `node "/Pad" (Pad) pads the steps`,
	"convno_ts":        `node "/c/Conv" (Conv) reads the steps around each step`,
	"convpad_ts":       `node "/c/Conv" (Conv) reads the steps around each step`,
	"cumsum_ts":        `node "/CumSum" (CumSum) mixes the steps`,
	"diff_ts":          `node "/Slice" (Slice) selects steps other than the last`,
	"divt_ts":          `node "/Div" (Div) computes with the number of steps`,
	"first_ts":         `node "/Gather" (Gather) selects steps other than the last`,
	"flip_ts":          `node "/Slice" (Slice) reads the steps in another order`,
	"flipout_ts":       `node "/Slice" (Slice) reads the steps in another order`,
	"lens_ts":          `node "/rnn/LSTM" (LSTM) takes the lengths of the sequences`,
	"max_ts":           `node "/ReduceMax" (ReduceMax) mixes the steps`,
	"mean_ts":          `node "/ReduceMean" (ReduceMean) mixes the steps`,
	"norm_ts":          `node "/ReduceMean" (ReduceMean) mixes the steps`,
	"position_ts":      `node "/Add" (Add) computes with the number of steps`,
	"selfatt_ts":       `node "/MatMul" (MatMul) mixes the steps`,
	"seq2seq_ts":       `node "/b/GRU" (GRU) starts from a value that depends on the whole sequence`,
	"softt_ts":         `node "/Softmax" (Softmax) mixes the steps`,
	"statefulmean_ts":  `node "/ReduceMean" (ReduceMean) mixes the steps`,
	"statefulconv_ts":  `node "/c/Conv" (Conv) reads the steps around each step`,
	"statefulcache_ts": `node "/Concat" (Concat) mixes the steps`, // whose cache has no output of its shape
	"sumlast_ts":       `node "/Add" (Add) combines the last step with those before it`,
	"keras_attend":     `(MatMul) mixes the steps`,
	"keras_back":       `(ReverseSequence) reads the steps in another order`,
	"keras_bi":         `(LSTM) reads the sequence from its end too: its direction is bidirectional`,
	"keras_causal":     `(Pad) pads the steps`,
	"keras_mask":       `strided_slice_4" (Slice) selects steps other than the last`,
	"keras_mean":       `(ReduceMean) mixes the steps`,
	"keras_timedist":   `(Loop) runs another number of iterations than there are steps`,
}

// engines returns those that are on this machine, ONNX Runtime first.
func engines(t *testing.T) []engine.Engine {
	t.Helper()
	list := orttest.Engines(t, native.New())
	slices.Reverse(list)
	return list
}

// TestForeignModels has models of PyTorch and Keras: their steps are the whole, or
// they are refused by node.
func TestForeignModels(t *testing.T) {
	files, err := filepath.Glob("testdata/*.onnx")
	if err != nil || len(files) < 80 {
		t.Fatal(len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".onnx")
		want, isRefused := refused[name]
		if !isRefused {
			t.Run(name, func(t *testing.T) { checkSteps(t, data) })
			continue
		}
		m := open(t, data, native.New())
		if err := m.Streams(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: the error is %v, not %q", name, err, want)
		}
		if _, err := m.StepTensors(t.Context(), m.NewState(), nil); err == nil || err.Error() != m.Streams().Error() {
			t.Errorf("%s: the error of a step is %v", name, err)
		}
	}
}

func open(t *testing.T, data []byte, e engine.Engine) *infer.Model {
	t.Helper()
	m, err := infer.OpenBytes(data, infer.With(e))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// checkSteps compares all outputs of a model, step by step on every engine, with the
// whole on the first of them.
func checkSteps(t *testing.T, data []byte) {
	t.Helper()
	outline, err := onnxgraph.Outline(data)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := stepwise.Of(outline, onnxgraph.StatePairs(outline))
	if err != nil {
		t.Fatal(err)
	}
	steps := 0
	var inputs, whole map[string]tensor.Tensor
	for _, e := range engines(t) {
		m := open(t, data, e)
		if whole == nil {
			inputs = randomInputs(t, m, plan)
			for name, x := range inputs {
				if axis, ok := plan.Axes[name]; ok {
					steps = x.Shape[axis]
				}
			}
			if whole, err = m.Run(t.Context(), inputs); err != nil {
				t.Fatal(err)
			}
		}
		s := m.NewState()
		for i := range steps {
			got, err := m.StepTensors(t.Context(), s, part(m, plan, inputs, i))
			if err != nil {
				t.Fatalf("%s, step %d: %v", e, i, err)
			}
			for _, out := range m.Outputs() {
				y, want := got[out.Name], whole[out.Name]
				if axis, ok := plan.Axes[out.Name]; ok {
					want = slice(want, axis, i)
				} else if i < steps-1 {
					continue
				}
				if d := distance(y, want); !(d <= 1e-5) {
					t.Errorf("%s: output %q of step %d differs by %g", e, out.Name, i, d)
				}
			}
		}
	}
}

// randomInputs returns sequences of three rows and six steps where the model leaves
// that open.
func randomInputs(t *testing.T, m *infer.Model, plan *stepwise.Plan) map[string]tensor.Tensor {
	t.Helper()
	rng := rand.New(rand.NewPCG(5, 6))
	inputs := map[string]tensor.Tensor{}
	for _, in := range m.Inputs() {
		if slices.ContainsFunc(m.State(), func(p models.StatePair) bool { return p.Input == in.Name }) {
			continue
		}
		shape := make([]int, len(in.Shape))
		for k, d := range in.Shape {
			if shape[k] = d.Size; d.Symbol != "" || d.Size < 0 {
				shape[k] = 3
			}
			if axis, ok := plan.Axes[in.Name]; ok && axis == k && (d.Symbol != "" || d.Size < 0) {
				shape[k] = 6
			}
		}
		x := tensor.Zeros(in.Type, shape...)
		switch data := x.Data.(type) {
		case []float32:
			for i := range data {
				data[i] = float32(rng.NormFloat64())
			}
		case []int64:
			for i := range data {
				data[i] = rng.Int64N(5)
			}
		case []int32:
			for i := range data {
				data[i] = rng.Int32N(5)
			}
		default:
			t.Fatalf("input %v", in)
		}
		inputs[in.Name] = x
	}
	return inputs
}

// part returns what is fed to step i.
func part(m *infer.Model, plan *stepwise.Plan, inputs map[string]tensor.Tensor, i int) map[string]tensor.Tensor {
	fed := map[string]tensor.Tensor{}
	for name, x := range inputs {
		fed[name] = x
		if axis, ok := plan.Axes[name]; ok {
			fed[name] = slice(x, axis, i)
		}
	}
	return fed
}

// slice returns step i of a tensor whose time is the given axis.
func slice(x tensor.Tensor, axis, i int) tensor.Tensor {
	shape := slices.Clone(x.Shape)
	shape[axis] = 1
	y := tensor.Zeros(x.Type(), shape...)
	from, to := reflect.ValueOf(x.Data), reflect.ValueOf(y.Data)
	after := 1
	for _, n := range shape[axis+1:] {
		after *= n
	}
	for k := range y.Len() {
		to.Index(k).Set(from.Index((k/after*x.Shape[axis]+i)*after + k%after))
	}
	return y
}

// distance is the largest difference of two tensors of one shape, infinite for
// integers that are not the same.
func distance(a, b tensor.Tensor) (largest float64) {
	x, ok := a.Data.([]float32)
	y, fine := b.Data.([]float32)
	switch {
	case !slices.Equal(a.Shape, b.Shape) || ok != fine:
		return math.Inf(1)
	case !ok && reflect.DeepEqual(a.Data, b.Data):
		return 0
	case !ok:
		return math.Inf(1)
	}
	for i := range x {
		if d := math.Abs(float64(x[i]) - float64(y[i])); !(d <= largest) {
			largest = d
		}
	}
	return largest
}

// TestAnyBytes plans for damaged models, which must not go wrong.
func TestAnyBytes(t *testing.T) {
	files, err := filepath.Glob("testdata/*.onnx")
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(7, 8))
	for _, file := range files {
		for range 10 {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for range 1 + rng.IntN(6) {
				data[rng.IntN(len(data))] = byte(rng.IntN(256))
			}
			m, err := onnxgraph.Outline(data)
			if err != nil {
				continue
			}
			plan, err := stepwise.Of(m, onnxgraph.StatePairs(m))
			if err != nil && strings.Contains(err.Error(), "a bug") {
				t.Errorf("%s: %v", file, err)
			}
			if err == nil {
				_, err = plan.Change(false).Apply(data)
				_, _ = plan.Change(true).Apply(data)
			}
			_ = fmt.Sprint(err)
		}
	}
}

// scanModel returns a model of a Scan over [batch, time, 2], which adds up what it
// reads, forgets half of it each step, and begins with 1.
func scanModel(t *testing.T, change func(*onnxgraph.Graph)) []byte {
	t.Helper()
	value := func(name string, symbols ...string) onnxgraph.Value {
		v := onnxgraph.Value{Name: name, Type: onnxgraph.Float32, Shape: []onnxgraph.Dim{}}
		for _, s := range symbols {
			v.Shape = append(v.Shape, onnxgraph.Dim{Symbol: s})
		}
		return v
	}
	number := func(name string, x float32) onnxgraph.Tensor {
		return onnxgraph.Tensor{Name: name, Tensor: tensor.Of([]float32{x})}
	}
	body := &onnxgraph.Graph{
		Name: "body", Inputs: []onnxgraph.Value{value("sum", "batch", "two"), value("x_t", "batch", "two")},
		Outputs: []onnxgraph.Value{value("next", "batch", "two"), value("y_t", "batch", "two")},
		Nodes: []onnxgraph.Node{
			{OpType: "Mul", Inputs: []string{"sum", "half"}, Outputs: []string{"kept"}},
			{OpType: "Add", Inputs: []string{"kept", "x_t"}, Outputs: []string{"next"}},
			{OpType: "Tanh", Inputs: []string{"next"}, Outputs: []string{"y_t"}},
		},
	}
	graph := onnxgraph.Graph{
		Name: "scan", Inputs: []onnxgraph.Value{value("x", "batch", "time", "two")}, Outputs: []onnxgraph.Value{
			value("y", "batch", "time", "two"), value("last", "batch", "two"),
		},
		Initializers: []onnxgraph.Tensor{number("half", 0.5), number("one", 1), {Name: "ends", Tensor: tensor.Of([]int64{0, 2}, 2)}},
		Nodes: []onnxgraph.Node{
			{OpType: "Shape", Inputs: []string{"x"}, Outputs: []string{"shape"}},
			{OpType: "Gather", Inputs: []string{"shape", "ends"}, Outputs: []string{"rows"}},
			{OpType: "Expand", Inputs: []string{"one", "rows"}, Outputs: []string{"begin"}},
			{
				Name: "scan", OpType: "Scan", Inputs: []string{"begin", "x"}, Outputs: []string{"last", "y"},
				Attributes: []onnxgraph.Attribute{
					{Name: "body", Value: body}, {Name: "num_scan_inputs", Value: int64(1)},
					{Name: "scan_input_axes", Value: []int64{1}}, {Name: "scan_output_axes", Value: []int64{1}},
				},
			},
		},
	}
	change(&graph)
	data, err := onnxgraph.Marshal(&onnxgraph.Model{IRVersion: 8, Opsets: []onnxgraph.Opset{{Version: 17}}, Graph: graph})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestScan has a Scan whose state begins with ones, and Scans that read the steps in
// another order or over another dimension.
func TestScan(t *testing.T) {
	checkSteps(t, scanModel(t, func(*onnxgraph.Graph) {}))
	attribute := func(name string, value any) func(*onnxgraph.Graph) {
		return func(g *onnxgraph.Graph) {
			n := &g.Nodes[3]
			n.Attributes = append(n.Attributes, onnxgraph.Attribute{Name: name, Value: value})
		}
	}
	for want, change := range map[string]func(*onnxgraph.Graph){
		`node "scan" (Scan) reads the steps in another order`: attribute("scan_input_directions", []int64{1}),
		"(Scan) reads the steps in another order":             attribute("scan_output_directions", []int64{1}),
		"(Scan) mixes the steps": func(g *onnxgraph.Graph) {
			g.Nodes[3].Attributes[0].Value.(*onnxgraph.Graph).Nodes[0].Inputs[0] = "x"
		},
	} {
		m, err := onnxgraph.Outline(scanModel(t, change))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stepwise.Of(m, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, not %q", err, want)
		}
	}
}

// cached returns a convolution over the steps that is given those before, as its
// state, and gives the last of them.
func cached(t *testing.T, pads []int64) []byte {
	t.Helper()
	value := func(name string, shape ...onnxgraph.Dim) onnxgraph.Value {
		return onnxgraph.Value{Name: name, Type: onnxgraph.Float32, Shape: shape}
	}
	batch, time, two := onnxgraph.Dim{Symbol: "batch"}, onnxgraph.Dim{Symbol: "time"}, onnxgraph.Dim{Size: 2}
	graph := onnxgraph.Graph{
		Name: "cached", Inputs: []onnxgraph.Value{
			value("x", batch, two, time), value("cache_in", batch, two, two),
			value("h_in", onnxgraph.Dim{Size: 1}, batch, two),
		},
		Outputs: []onnxgraph.Value{
			value("y", time, onnxgraph.Dim{Size: 1}, batch, two), value("cache_out", batch, two, two),
			value("h_out", onnxgraph.Dim{Size: 1}, batch, two),
		},
		Initializers: []onnxgraph.Tensor{
			{Name: "kernel", Tensor: tensor.Of([]float32{1, 2, 3, -1, 0.5, 0, 2, 1, -2, 0, 1, 0.25}, 2, 2, 3)},
			{
				Name: "w", Tensor: tensor.Of([]float32{1, 0.5, -0.5, 1}, 1, 2, 2),
			}, {Name: "r", Tensor: tensor.Of([]float32{0.5, 0.1, 0.2, 0.4}, 1, 2, 2)},
			{Name: "from", Tensor: tensor.Of([]int64{-2}, 1)}, {Name: "to", Tensor: tensor.Of([]int64{math.MaxInt64}, 1)},
			{Name: "axis", Tensor: tensor.Of([]int64{2}, 1)},
		},
		Nodes: []onnxgraph.Node{
			{
				OpType: "Concat", Inputs: []string{"cache_in", "x"}, Outputs: []string{"all"},
				Attributes: []onnxgraph.Attribute{{Name: "axis", Value: int64(2)}},
			},
			{OpType: "Slice", Inputs: []string{"all", "from", "to", "axis"}, Outputs: []string{"cache_out"}},
			{
				Name: "conv", OpType: "Conv", Inputs: []string{"all", "kernel"}, Outputs: []string{"mixed"},
				Attributes: []onnxgraph.Attribute{{Name: "pads", Value: pads}},
			},
			{
				OpType: "Transpose", Inputs: []string{"mixed"}, Outputs: []string{"steps"},
				Attributes: []onnxgraph.Attribute{{Name: "perm", Value: []int64{2, 0, 1}}},
			},
			{
				OpType: "RNN", Inputs: []string{"steps", "w", "r", "", "", "h_in"}, Outputs: []string{"y", "h_out"},
				Attributes: []onnxgraph.Attribute{{Name: "hidden_size", Value: int64(2)}},
			},
		},
	}
	data, err := onnxgraph.Marshal(&onnxgraph.Model{IRVersion: 8, Opsets: []onnxgraph.Opset{{Version: 17}}, Graph: graph})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestCache has a model that carries all its state itself, a convolution's too, and
// the same with steps padded.
func TestCache(t *testing.T) {
	checkSteps(t, cached(t, []int64{0, 0}))
	m := open(t, cached(t, []int64{1, 1}), native.New())
	if err := m.Streams(); err == nil || !strings.Contains(err.Error(), `node "conv" (Conv) reads the steps around each step`) {
		t.Errorf("the error is %v", err)
	}
}

// loopModel returns what scanModel does, as a Loop that picks its step.
func loopModel(t *testing.T, change func(g, body *onnxgraph.Graph)) []byte {
	t.Helper()
	scalar := func(name string, typ onnxgraph.DataType) onnxgraph.Value {
		return onnxgraph.Value{Name: name, Type: typ, Shape: []onnxgraph.Dim{}}
	}
	data := scanModel(t, func(g *onnxgraph.Graph) {
		scanned := g.Nodes[3].Attributes[0].Value.(*onnxgraph.Graph)
		body := &onnxgraph.Graph{
			Name:    "body",
			Inputs:  []onnxgraph.Value{scalar("turn", onnxgraph.Int64), scalar("go_in", onnxgraph.Bool), scanned.Inputs[0]},
			Outputs: []onnxgraph.Value{scalar("go_out", onnxgraph.Bool), scanned.Outputs[0], scanned.Outputs[1]},
			Nodes: append([]onnxgraph.Node{
				{OpType: "Identity", Inputs: []string{"go_in"}, Outputs: []string{"go_out"}},
				{
					OpType: "Gather", Inputs: []string{"x", "turn"}, Outputs: []string{"x_t"},
					Attributes: []onnxgraph.Attribute{{Name: "axis", Value: int64(1)}},
				},
			}, scanned.Nodes...),
		}
		g.Initializers = append(g.Initializers, onnxgraph.Tensor{Name: "second", Tensor: tensor.Of([]int64{1})})
		g.Nodes = append(g.Nodes[:3],
			onnxgraph.Node{Name: "steps", OpType: "Gather", Inputs: []string{"shape", "second"}, Outputs: []string{"steps"}},
			onnxgraph.Node{
				Name: "loop", OpType: "Loop", Inputs: []string{"steps", "", "begin"}, Outputs: []string{"last", "stacked"},
				Attributes: []onnxgraph.Attribute{{Name: "body", Value: body}},
			},
			onnxgraph.Node{
				OpType: "Transpose", Inputs: []string{"stacked"}, Outputs: []string{"y"},
				Attributes: []onnxgraph.Attribute{{Name: "perm", Value: []int64{1, 0, 2}}},
			})
		change(g, body)
	})
	return data
}

// TestLoop has a Loop that turns once for each step, and Loops that do not, or that
// know which step it is.
func TestLoop(t *testing.T) {
	checkSteps(t, loopModel(t, func(_, _ *onnxgraph.Graph) {}))
	for name, test := range map[string]struct {
		want   string
		change func(g, body *onnxgraph.Graph)
	}{
		"other turns": {"runs another number of iterations", func(g, _ *onnxgraph.Graph) { g.Nodes[4].Inputs[0] = "second" }},
		"a condition": {"runs another number of iterations", func(_, body *onnxgraph.Graph) {
			body.Nodes[0] = onnxgraph.Node{OpType: "Less", Inputs: []string{"turn", "second"}, Outputs: []string{"go_out"}}
		}},
		"the turn's number": {"mixes the steps", func(_, body *onnxgraph.Graph) {
			body.Nodes[4] = onnxgraph.Node{
				OpType: "Cast", Inputs: []string{"turn"}, Outputs: []string{"number"},
				Attributes: []onnxgraph.Attribute{{Name: "to", Value: int64(1)}},
			}
			body.Nodes = append(body.Nodes, onnxgraph.Node{OpType: "Add", Inputs: []string{"number", "next"}, Outputs: []string{"y_t"}})
		}},
		"the turn's number in the state": {"mixes the steps", func(_, body *onnxgraph.Graph) {
			body.Nodes[3].Inputs[0] = "number"
			body.Nodes = slices.Insert(
				body.Nodes, 0,
				onnxgraph.Node{
					OpType: "Cast", Inputs: []string{"turn"}, Outputs: []string{"number"},
					Attributes: []onnxgraph.Attribute{{Name: "to", Value: int64(1)}},
				},
			)
		}},
		"the first step": {"selects steps other than the last", func(_, body *onnxgraph.Graph) { body.Nodes[1].Inputs[1] = "second" }},
	} {
		m, err := onnxgraph.Outline(loopModel(t, test.change))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stepwise.Of(m, nil); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: the error is %v, not %q", name, err, test.want)
		}
	}
}

// TestRefusals has small graphs over x, [batch, time, 2], and z, of another time. Each
// ends in y, and most in an RNN that reads what is made of x.
func TestRefusals(t *testing.T) {
	node := func(op string, in, out []string, attributes ...onnxgraph.Attribute) onnxgraph.Node {
		return onnxgraph.Node{Name: out[0], OpType: op, Inputs: in, Outputs: out, Attributes: attributes}
	}
	list := func(names ...string) []string { return names }
	ints := func(name string, values ...int64) onnxgraph.Attribute {
		return onnxgraph.Attribute{Name: name, Value: values}
	}
	axis := func(n int64) onnxgraph.Attribute { return onnxgraph.Attribute{Name: "axis", Value: n} }
	rnn := func(in, out string) []onnxgraph.Node {
		return []onnxgraph.Node{
			node("Transpose", list(in), list(in+" by step"), ints("perm", 1, 0, 2)),
			node("RNN", list(in+" by step", "w", "r"), list(out+" all", out), onnxgraph.Attribute{Name: "hidden_size", Value: int64(2)}),
		}
	}
	sliced := []onnxgraph.Node{
		node("Shape", list("x"), list("shape")),
		node("Gather", list("shape", "one"), list("steps"), axis(0)),
		node("Slice", list("table", "zero", "steps", "one"), list("positions")),
	}
	for name, test := range map[string]struct {
		want  string
		nodes []onnxgraph.Node
	}{
		"nothing": {"", rnn("x", "y")},
		"positions": {
			`node "added" (Add) computes with the number of steps`,
			append(append(slices.Clone(sliced), node("Add", list("x", "positions"), list("added"))), rnn("added", "y")...),
		},
		"mean of positions": {`node "added" (Add) computes with the number of steps`, append(append(slices.Clone(sliced),
			node(
				"ReduceMean", list("positions"), list("mean"), ints("axes", 1),
			), node("Add", list("x", "mean"), list("added"))), rnn("added", "y")...)},
		"part of the features": {`node "part" (Slice) computes with the number of steps`, append(append(slices.Clone(sliced[:2]),
			node("Slice", list("x", "zero", "steps", "two"), list("part"))), rnn("part", "y")...)},
		"turned by Reshape": {`node "turned" (Reshape) has a shape in which the time cannot be followed`, []onnxgraph.Node{
			node("Shape", list("x"), list("shape")), node(
				"Gather", list("shape", "turned shape"), list("turned dims"), axis(0),
			), node("Reshape", list("x", "turned dims"), list("turned")),
			node("RNN", list("turned", "w", "r"), list("all", "y"), onnxgraph.Attribute{Name: "hidden_size", Value: int64(2)}),
		}},
		"two sequences": {
			"its inputs have two sequences, over time and over other",
			append(append(rnn("x", "a"), rnn("z", "b")...), node("Add", list("a", "b"), list("y"))),
		},
		"unknown": {
			`node "odd" (Det) is not known to treat each step alone`,
			append([]onnxgraph.Node{node("Det", list("x"), list("odd"))}, rnn("odd", "y")...),
		},
		"the length":    {`output "y" tells how many steps there are`, append(rnn("x", "last"), node("Shape", list("last all"), list("y")))},
		"no recurrence": {"no recurrent node", []onnxgraph.Node{node("Tanh", list("x"), list("y"))}},
		"lengths": {
			"takes the lengths",
			[]onnxgraph.Node{
				node("Transpose", list("x"), list("steps"), ints("perm", 1, 0, 2)),
				node("RNN", list("steps", "w", "r", "", "lengths"), list("y"), onnxgraph.Attribute{Name: "hidden_size", Value: int64(2)}),
			},
		},
	} {
		dims := func(symbols ...string) (shape []onnxgraph.Dim) {
			for _, s := range symbols {
				shape = append(shape, onnxgraph.Dim{Symbol: s})
			}
			return append(shape, onnxgraph.Dim{Size: 2})
		}
		constant := func(name string, values ...int64) onnxgraph.Tensor {
			return onnxgraph.Tensor{Name: name, Tensor: tensor.Tensor{Shape: []int{len(values)}, Data: values}}
		}
		m := &onnxgraph.Model{IRVersion: 8, Opsets: []onnxgraph.Opset{{Version: 17}}, Graph: onnxgraph.Graph{
			Name: name, Nodes: test.nodes,
			Inputs: []onnxgraph.Value{
				{Name: "x", Type: onnxgraph.Float32, Shape: dims("batch", "time")}, {Name: "z", Type: onnxgraph.Float32, Shape: dims("batch", "other")},
				{Name: "lengths", Type: onnxgraph.Int32, Shape: dims("batch")[:1]},
			},
			Outputs: []onnxgraph.Value{{Name: "y", Type: onnxgraph.Float32}},
			Initializers: []onnxgraph.Tensor{
				{
					Name: "w", Tensor: tensor.Tensor{Shape: []int{1, 2, 2}, Data: make([]float32, 4)},
				}, {Name: "r", Tensor: tensor.Tensor{Shape: []int{1, 2, 2}, Data: make([]float32, 4)}},
				{
					Name: "table", Tensor: tensor.Tensor{Shape: []int{1, 50, 2}, Data: make([]float32, 100)},
				}, constant("zero", 0), constant("one", 1), constant("two", 2), constant("turned shape", 1, 0, 2),
			},
		}}
		_, err := stepwise.Of(m, nil)
		if text := fmt.Sprint(err); test.want == "" && err != nil || !strings.Contains(text, test.want) {
			t.Errorf("%s: the error is %v, not %q", name, err, test.want)
		}
	}
}

// TestBakedNumbers has models of a fixed time with numbers that may be of it.
func TestBakedNumbers(t *testing.T) {
	for i, test := range []struct {
		op     string
		number float32
		ok     bool
	}{
		{"Mul", 7, false}, {"Mul", 1. / 7, false}, {"Div", 6, false}, {"Add", 3, false}, {"Mul", 2.6457513, false},
		{"Mul", 1 / 2.6457513, false}, {"Pow", 3.5, false},
		{"Mul", 5, true}, {"Mul", 0.25, true}, {"Add", 1, true}, {"Sub", 0, true}, {"Mul", -4.75, true},
	} {
		data := scanModel(t, func(g *onnxgraph.Graph) {
			for k := range g.Inputs[0].Shape {
				g.Inputs[0].Shape[k] = []onnxgraph.Dim{{Size: 3}, {Size: 7}, {Size: 5}}[k]
			}
			for k := range g.Outputs {
				g.Outputs[k].Shape = nil
			}
			g.Initializers = append(g.Initializers, onnxgraph.Tensor{Name: "number", Tensor: tensor.Of([]float32{test.number}, 1)})
			g.Nodes[3].Outputs[1] = "stacked"
			g.Nodes = append(g.Nodes, onnxgraph.Node{Name: "last", OpType: test.op, Inputs: []string{"stacked", "number"}, Outputs: []string{"y"}})
		})
		m, err := onnxgraph.Outline(data)
		if err != nil {
			t.Fatal(err)
		}
		_, err = stepwise.Of(m, nil)
		if test.ok && err != nil || !test.ok && (err == nil || !strings.Contains(err.Error(), `node "last" (`+test.op+") computes with")) {
			t.Errorf("%d: %s by %g: %v", i, test.op, test.number, err)
		}
		if test.ok && test.op == "Mul" {
			checkSteps(t, data)
		}
	}
}

// TestGivenStates has models that carry their state, and mix the steps before the node
// that reads them. One that makes frames of its input is taken at its word.
func TestGivenStates(t *testing.T) {
	node := func(op string, in []string, out string, attributes ...onnxgraph.Attribute) onnxgraph.Node {
		return onnxgraph.Node{Name: out, OpType: op, Inputs: in, Outputs: []string{out}, Attributes: attributes}
	}
	list := func(names ...string) []string { return names }
	ints := func(name string, values ...int64) onnxgraph.Attribute {
		return onnxgraph.Attribute{Name: name, Value: values}
	}
	axis := onnxgraph.Attribute{Name: "axis", Value: int64(2)}
	for name, test := range map[string]struct {
		want  string
		nodes []onnxgraph.Node
	}{
		"mean": {
			`node "mean" (ReduceMean) mixes the steps`,
			[]onnxgraph.Node{node("ReduceMean", list("x"), "mean", ints("axes", 2)), node("Sub", list("x", "mean"), "mixed")},
		},
		"softmax": {`node "mixed" (Softmax) mixes the steps`, []onnxgraph.Node{node("Softmax", list("x"), "mixed", axis)}},
		"sum":     {`node "mixed" (CumSum) mixes the steps`, []onnxgraph.Node{node("CumSum", list("x", "two"), "mixed")}},
		"instance": {
			`node "mixed" (InstanceNormalization) mixes the steps`,
			[]onnxgraph.Node{node("InstanceNormalization", list("x", "scale", "scale"), "mixed")},
		},
		"constant": {
			`node "mixed" (Add) reads a constant that has a value for each step`,
			[]onnxgraph.Node{node("Add", list("x", "table"), "mixed")},
		},
		"appended": {
			`node "longer" (Concat) mixes the steps`,
			[]onnxgraph.Node{node("Concat", list("x", "table"), "longer", axis), node("Slice", list("longer", "one", "many", "two"), "mixed")},
		},
		"turned": {
			`node "mixed" (Slice) reads the steps in another order`,
			[]onnxgraph.Node{node("Slice", list("x", "minus", "least", "two", "minus"), "mixed")},
		},
		"padded": {
			`node "mixed" (Conv) reads the steps around each step`,
			[]onnxgraph.Node{node("Conv", list("x", "kernel"), "mixed", ints("pads", 1, 1))},
		},
		"pooled": {
			`node "mixed" (MaxPool) reads the steps around each step`,
			[]onnxgraph.Node{node("MaxPool", list("x"), "mixed", ints("kernel_shape", 3), ints("pads", 1, 1))},
		},
		"frames": {"no recurrent node", []onnxgraph.Node{node("Conv", list("x", "kernel"), "mixed", ints("strides", 3))}},
		"clean":  {"<nil>", []onnxgraph.Node{node("Tanh", list("x"), "mixed")}},
	} {
		batch, time, two := onnxgraph.Dim{Symbol: "batch"}, onnxgraph.Dim{Symbol: "time"}, onnxgraph.Dim{Size: 2}
		value := func(name string, shape ...onnxgraph.Dim) onnxgraph.Value {
			return onnxgraph.Value{Name: name, Type: onnxgraph.Float32, Shape: shape}
		}
		floats := func(name string, shape ...int) onnxgraph.Tensor {
			size, _ := tensor.Size(shape)
			return onnxgraph.Tensor{Name: name, Tensor: tensor.Tensor{Shape: shape, Data: make([]float32, size)}}
		}
		at := func(name string, n int64) onnxgraph.Tensor {
			return onnxgraph.Tensor{Name: name, Tensor: tensor.Of([]int64{n}, 1)}
		}
		m := &onnxgraph.Model{IRVersion: 8, Opsets: []onnxgraph.Opset{{Version: 17}}, Graph: onnxgraph.Graph{
			Inputs:  []onnxgraph.Value{value("x", batch, two, time), value("h_in", onnxgraph.Dim{Size: 1}, batch, two)},
			Outputs: []onnxgraph.Value{value("y", time, onnxgraph.Dim{Size: 1}, batch, two), value("h_out", onnxgraph.Dim{Size: 1}, batch, two)},
			Initializers: []onnxgraph.Tensor{
				floats("w", 1, 2, 2), floats("r", 1, 2, 2), floats("scale", 2), floats("table", 1, 2, 5), floats("kernel", 2, 2, 3),
				at("one", 1), at("two", 2), at("many", math.MaxInt64), at("minus", -1), at("least", math.MinInt64),
			},
			Nodes: append(test.nodes,
				node("Transpose", list("mixed"), "steps", ints("perm", 2, 0, 1)),
				onnxgraph.Node{
					OpType: "RNN", Inputs: list("steps", "w", "r", "", "", "h_in"), Outputs: list("y", "h_out"),
					Attributes: []onnxgraph.Attribute{{Name: "hidden_size", Value: int64(2)}},
				}),
		}}
		_, err := stepwise.Of(m, []onnxgraph.StatePair{{Input: "h_in", Output: "h_out"}})
		if text := fmt.Sprint(err); !strings.Contains(text, test.want) {
			t.Errorf("%s: the error is %v, not %q", name, err, test.want)
		}
	}
}
