package native

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/ort"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/onnxtest"
	"github.com/rnnkit/rnnkit/internal/orttest"
)

// TestRecurrentRefused opens recurrent layers that are wrong on their own.
func TestRecurrentRefused(t *testing.T) {
	ints32 := func(name string, data ...int32) onnxgraph.Tensor {
		return onnxgraph.Tensor{Name: name, Tensor: tensor.Tensor{Shape: []int{len(data)}, Data: data}}
	}
	names := func(list ...string) []string { return list }
	const n = `node 0 (LSTM "n")`
	for _, test := range []refusal{
		{"clip", layer("LSTM", set("clip", float32(0))), []string{n, `"clip"`, "0"}},
		{"negative clip", layer("GRU", set("clip", float32(-1.5))), []string{`"clip"`, "-1.5"}},
		{"clip of NaN", layer("RNN", set("clip", float32(math.NaN()))), []string{`"clip"`, "NaN"}},
		{"type of clip", layer("LSTM", set("clip", int64(1))), []string{n, `"clip"`, "int64"}},
		{
			"too few activations", layer("LSTM", set("activations", names("Sigmoid", "Tanh"))),
			[]string{n, `"activations"`, `["Sigmoid" "Tanh"]`, "3"},
		},
		{"too many activations", layer("GRU", set("activations", names("Sigmoid", "Tanh", "Tanh"))), []string{`"activations"`, "3", "2"}},
		{"activations of an RNN", layer("RNN", set("activations", names("Relu", "Tanh"))), []string{`"activations"`, `"Relu"`}},
		{
			"activations of one direction",
			layer("RNN", set("direction", "bidirectional"), set("activations", names("Tanh"))),
			[]string{`"activations"`, "2"},
		},
		{
			"activation", layer("LSTM", set("activations", names("Sigmoid", "Swish", "Tanh"))),
			[]string{n, `"activations"`, `"Swish"`, "ThresholdedRelu"},
		},
		{"type of activations", layer("LSTM", set("activations", "Tanh")), []string{n, `"activations"`, "string"}},
		{"activation_alpha", layer("LSTM", set("activation_alpha", float32(1))), []string{n, `"activation_alpha"`, "float32"}},
		{"activation_beta", layer("GRU", set("activation_beta", []int64{1})), []string{`"activation_beta"`, "[]int64"}},
		{"no alpha", layer("RNN", set("activations", names("ScaledTanh"))), []string{`"ScaledTanh"`, "activation_alpha"}},
		{
			"no beta", layer("RNN", set("activations", names("ScaledTanh")), set("activation_alpha", []float32{1})),
			[]string{`"ScaledTanh"`, "activation_beta"},
		},
		{"direction", layer("LSTM", set("direction", "backward")), []string{n, `"direction"`, `"backward"`}},
		{"type of direction", layer("LSTM", set("direction", int64(1))), []string{n, `"direction"`, "int64"}},
		{"input_forget", layer("LSTM", set("input_forget", int64(2))), []string{n, `"input_forget"`, "2"}},
		{"input_forget of a GRU", layer("GRU", set("input_forget", int64(0))), []string{`"input_forget"`}},
		{"layout", layer("LSTM", set("layout", int64(2))), []string{n, `"layout"`, "2"}},
		{"layout before 14", layer("LSTM", set("layout", int64(0)), opset(13)), []string{n, `"layout"`}},
		{"linear_before_reset of an LSTM", layer("LSTM", set("linear_before_reset", int64(1))), []string{n, `"linear_before_reset"`}},
		{"linear_before_reset before 3", layer("GRU", opset(2)), []string{`"linear_before_reset"`}},
		{"type of linear_before_reset", layer("GRU", set("linear_before_reset", float32(1))), []string{`"linear_before_reset"`, "float32"}},
		{"output_sequence", layer("RNN", set("output_sequence", int64(1)), opset(7)), []string{`"output_sequence"`}},
		{"output_sequence of 2", layer("RNN", set("output_sequence", int64(2)), opset(1)), []string{`"output_sequence"`, "2"}},

		{"hidden_size", layer("LSTM", set("hidden_size", int64(3))), []string{n, "W", "[1 8 3]", "[1 12 -1]", "hidden_size 3"}},
		{"hidden_size of 0", layer("LSTM", set("hidden_size", int64(0))), []string{n, `"hidden_size"`, "0"}},
		{"hidden_size too large", layer("LSTM", set("hidden_size", int64(1<<40))), []string{n, `"hidden_size"`, "1099511627776"}},
		{"type of hidden_size", layer("LSTM", set("hidden_size", float32(2))), []string{n, `"hidden_size"`, "float32"}},
		{"W", layer("GRU", setInput(1, floats("W2", 1, 8, 3))), []string{"W", "[1 8 3]", "[1 6 -1]"}},
		{"R", layer("LSTM", setInput(2, floats("R2", 1, 8, 3))), []string{n, "R", "[1 8 3]", "[1 8 2]"}},
		{
			"R without hidden_size", layer("LSTM", unset("hidden_size"), setInput(2, floats("R2", 1, 9, 2))),
			[]string{n, "R", "[1 9 2]", "[1 8 2]"},
		},
		{"B", layer("LSTM", setInput(3, floats("B2", 1, 8))), []string{n, "B", "[1 8]", "[1 16]"}},
		{"P", layer("LSTM", setInput(7, floats("P", 1, 8))), []string{n, "P", "[1 8]", "[1 6]"}},
		{"P of a GRU", layer("GRU", setInput(7, floats("P", 1, 6))), []string{"8 inputs", "6"}},
		{"initial_h", layer("LSTM", setInput(5, floats("h", 2, 1, 2))), []string{n, "initial_h", "[2 1 2]", "[1 -1 2]"}},
		{
			"initial_h of layout 1", layer("LSTM", set("layout", int64(1)), setInput(5, floats("h", 1, 2, 2))),
			[]string{n, "initial_h", "[1 2 2]", "[-1 1 2]"},
		},
		{"initial_c", layer("LSTM", setInput(6, floats("c", 1, 2))), []string{n, "initial_c", "[1 2]"}},
		{"one direction of weights", layer("LSTM", set("direction", "bidirectional")), []string{n, "W", "[1 8 3]", "[2 8 -1]"}},
		{
			"sequence_lens", layer("LSTM", setInput(4, onnxgraph.Tensor{Name: "l", Tensor: tensor.Of([]int32{1}, 1, 1)})),
			[]string{n, "sequence_lens", "[1 1]"},
		},
		{"type of sequence_lens", layer("GRU", setInput(4, ints64("l", 1))), []string{`"l"`, "int64", "int32"}},
		{"negative length", layer("LSTM", setInput(4, ints32("l", 1, -1))), []string{n, "sequence_lens", "-1", "row 1"}},
		{"too long", layer("LSTM", setInput(4, ints32("l", 5)), func(m *onnxgraph.Model) {
			m.Graph.Inputs[0].Shape = []onnxgraph.Dim{{Size: 4}, {Size: 1}, {Size: 3}}
		}), []string{n, "sequence_lens", "5", "row 0", "4"}},
		{"no float", layer("RNN", func(m *onnxgraph.Model) { m.Graph.Inputs[0].Type = onnxgraph.Int32 }), []string{`"x"`, "int32"}},
		{
			"two kinds of floats", layer("RNN", func(m *onnxgraph.Model) { m.Graph.Inputs[0].Type = onnxgraph.Float64 }),
			[]string{`"W"`, "float32", "float64"},
		},
	} {
		test.check(t)
	}
}

func unset(name string) edit {
	return func(m *onnxgraph.Model) {
		n := &m.Graph.Nodes[0]
		for i, a := range n.Attributes {
			if a.Name == name {
				n.Attributes = append(n.Attributes[:i:i], n.Attributes[i+1:]...)
			}
		}
	}
}

// TestRecurrentRunErrors runs layers whose weights and lengths are inputs.
func TestRecurrentRunErrors(t *testing.T) {
	open := func(edits ...edit) engine.Session {
		return open(t, layer("LSTM", append(edits, func(m *onnxgraph.Model) {
			n := &m.Graph.Nodes[0]
			n.Inputs = []string{"x", "W", "R", "", "l", "h", "c", "P"}
			m.Graph.Inputs, m.Graph.Initializers = nil, nil
			for i, rank := range []int{3, 3, 3, 0, 1, 3, 3, 2} {
				if name := n.Inputs[i]; name != "" {
					v := onnxgraph.Value{Name: name, Type: onnxgraph.Float32}
					if name == "l" {
						v.Type = onnxgraph.Int32
					}
					for range rank {
						v.Shape = append(v.Shape, onnxgraph.Dim{Size: -1})
					}
					m.Graph.Inputs = append(m.Graph.Inputs, v)
				}
			}
		})...))
	}
	given, derived := open(), open(unset("hidden_size"))
	fit := func() tensors {
		return tensors{
			"x": valueOf(floats("x", 4, 2, 3)), "W": valueOf(floats("W", 1, 8, 3)), "R": valueOf(floats("R", 1, 8, 2)),
			"l": tensor.Of([]int32{4, 0}, 2), "h": valueOf(floats("h", 1, 2, 2)), "c": valueOf(floats("c", 1, 2, 2)),
			"P": valueOf(floats("P", 1, 6)),
		}
	}
	want := run(t, given, fit())
	got := run(t, derived, fit())
	for name := range want {
		if err := onnxtest.Compare(got[name], want[name], 0, 0); err != nil {
			t.Errorf("without hidden_size, %s: %v", name, err)
		}
	}
	for _, test := range []struct {
		name    string
		session engine.Session
		input   string
		value   tensor.Tensor
		want    []string
	}{
		{"inputs", given, "x", valueOf(floats("x", 4, 2, 4)), []string{"W has shape [1 8 3]", "[1 8 4]"}},
		{"rows", given, "x", valueOf(floats("x", 4, 3, 3)), []string{"initial_h has shape [1 2 2]", "[1 3 2]"}},
		{"rows of no inputs", given, "x", tensor.Of([]float32{}, 1<<40, 1<<20, 0), []string{"X has shape", "no inputs"}},
		{"gates", given, "W", valueOf(floats("W", 1, 6, 3)), []string{"W has shape [1 6 3]", "[1 8 3]"}},
		{"R", given, "R", valueOf(floats("R", 1, 8, 3)), []string{"R has shape [1 8 3]"}},
		{"R decides", derived, "R", valueOf(floats("R", 1, 12, 3)), []string{"W has shape [1 8 3]", "hidden_size 3"}},
		{"R of nothing", derived, "R", tensor.Of([]float32{}, 1, 8, 0), []string{"R has shape [1 8 0]"}},
		{"directions", given, "R", valueOf(floats("R", 2, 8, 2)), []string{"R has shape [2 8 2]"}},
		{"initial_c", given, "c", valueOf(floats("c", 1, 1, 2)), []string{"initial_c has shape [1 1 2]"}},
		{"P", given, "P", valueOf(floats("P", 1, 2)), []string{"P has shape [1 2]", "[1 6]"}},
		{"lengths", given, "l", tensor.Of([]int32{1}, 1), []string{"sequence_lens has shape [1]", "[2]"}},
		{"too long", given, "l", tensor.Of([]int32{4, 5}, 2), []string{"sequence_lens has 5 for row 1", "4"}},
		{"negative", given, "l", tensor.Of([]int32{-1, 2}, 2), []string{"sequence_lens has -1 for row 0"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			inputs := fit()
			inputs[test.input] = test.value
			_, err := test.session.Run(context.Background(), inputs)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range append(test.want, `node 0 (LSTM "n")`) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error does not have %s: %v", want, err)
				}
			}
		})
	}
	if _, err := given.Run(context.Background(), tensors{
		"x": tensor.Of([]float32{}, 1<<40, 0, 3), "W": valueOf(floats("W", 1, 8, 3)), "R": valueOf(floats("R", 1, 8, 2)),
		"l": tensor.Of([]int32{}, 0), "h": tensor.Of([]float32{}, 1, 0, 2), "c": tensor.Of([]float32{}, 1, 0, 2), "P": valueOf(floats("P", 1, 6)),
	}); err != nil {
		t.Errorf("steps of no rows: %v", err)
	}
}

// TestDefaultActivationsOfRNN gives an RNN of one direction the default of its
// attribute, which has two functions.
func TestDefaultActivationsOfRNN(t *testing.T) {
	x := tensors{"x": valueOf(floats("x", 3, 2, 3))}
	want := run(t, open(t, layer("RNN")), x)
	got := run(t, open(t, layer("RNN", set("activations", []string{"Tanh", "Tanh"}))), x)
	if err := onnxtest.Compare(got["y"], want["y"], 0, 0); err != nil {
		t.Error(err)
	}
}

// TestRecurrentAllocations runs, warm, the forms that package cell does not have.
func TestRecurrentAllocations(t *testing.T) {
	lengths := onnxgraph.Tensor{Name: "l", Tensor: tensor.Of([]int32{3, 1}, 2)}
	for _, op := range []string{"RNN", "GRU", "LSTM"} {
		session := open(t, layer(op, set("layout", int64(1)), set("clip", float32(1)), setInput(4, lengths)))
		inputs := tensors{"x": valueOf(floats("x", 2, 3, 3))}
		outputs := tensors{"y": {}, "hn": {}}
		if n := allocations(again(t, session, inputs, outputs)); n > 0 {
			t.Errorf("a run of %s allocates %v times", op, n)
		}
	}
}

// TestCanceled breaks off a layer between its steps: one of the general form, and
// those of package cell, of sequences of the same length and of others.
func TestCanceled(t *testing.T) {
	lengths := onnxgraph.Tensor{Name: "l", Tensor: tensor.Of([]int32{3000, 5000}, 2)}
	for _, op := range []string{"RNN", "GRU", "LSTM"} {
		for i, form := range []edit{set("clip", float32(1)), set("direction", "forward"), setInput(4, lengths)} {
			ctx := &canceledLater{Context: t.Context(), calls: 10}
			_, err := open(t, layer(op, form)).Run(ctx, tensors{"x": valueOf(floats("x", 5000, 2, 3))})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s, form %d: error is %v", op, i, err)
			}
		}
	}
}

// canceledLater is a context that is canceled after some calls of Err.
type canceledLater struct {
	context.Context
	calls int
}

func (c *canceledLater) Err() error {
	if c.calls--; c.calls < 0 {
		return context.Canceled
	}
	return nil
}

// TestWhereONNXRuntimeDiffers has the nodes on which ONNX Runtime, here 1.28,
// departs from ONNX's pages, with its answer and ours.
//
// Beyond these it has no RNN, GRU and LSTM of float16 and float64 on the CPU,
// none before opset 7, none without hidden_size and none of layout 1, and an RNN
// whose activations take fewer values than it has directions reads beyond them.
func TestWhereONNXRuntimeDiffers(t *testing.T) {
	withORT := orttest.Available(t)
	rnn := func(attributes ...any) []any { return append([]any{"hidden_size", int64(1)}, attributes...) }
	names := func(list ...string) []string { return list }
	for _, test := range []struct {
		name       string
		x          float32 // the input of the activation
		attributes []any
		ours, ort  float32
	}{
		// The defaults of activation_alpha and activation_beta are those of the
		// operators of the same name.
		{"alpha of ThresholdedRelu", 0.5, rnn("activations", names("ThresholdedRelu")), 0, 0.5},
		{"alpha of Affine", 0.5, rnn("activations", names("Affine")), 0.5, 0},
		{"alpha of LeakyRelu", -1, rnn("activations", names("LeakyRelu")), -0.01, 0},
		{"alpha of Elu", -1, rnn("activations", names("Elu")), float32(math.Expm1(-1)), 0},
		{"alpha and beta of HardSigmoid", 1, rnn("activations", names("HardSigmoid")), 0.7, 0},
		// x if x >= alpha.
		{"ThresholdedRelu at alpha", 0.5, rnn("activations", names("ThresholdedRelu"), "activation_alpha", []float32{0.5}), 0.5, 0},
		// log(1 + e^x) is finite.
		{"Softplus", 100, rnn("activations", names("Softplus")), 100, float32(math.Inf(1))},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := graph(call("RNN", []string{"x", "W", "R"}, []string{"", "y"}, test.attributes...))
			m.Graph.Inputs[0].Shape = []onnxgraph.Dim{{Size: 1}, {Size: 1}, {Size: 1}}
			m.Graph.Outputs[0].Type = onnxgraph.Float32
			one := []float32{1}
			m.Graph.Initializers = []onnxgraph.Tensor{
				{Name: "W", Tensor: tensor.Tensor{Shape: []int{1, 1, 1}, Data: one}},
				{Name: "R", Tensor: tensor.Tensor{Shape: []int{1, 1, 1}, Data: one}},
			}
			x := tensors{"x": tensor.Of([]float32{test.x}, 1, 1, 1)}
			if y := run(t, open(t, m), x)["y"].Data.([]float32)[0]; y != test.ours {
				t.Errorf("ours is %v, want %v", y, test.ours)
			}
			if !withORT {
				return
			}
			session, err := ort.CPU().Open(marshal(t, m))
			if err != nil {
				t.Fatal(err)
			}
			defer session.Close()
			switch y := run(t, session, x, "y")["y"].Data.([]float32)[0]; y {
			case test.ort:
			case test.ours:
				t.Log("this ONNX Runtime agrees")
			default:
				t.Errorf("that of ONNX Runtime is %v, want %v", y, test.ort)
			}
		})
	}
}

// TestFusedTransposes runs layers that read X and write Y as a Transpose
// beside them would have it.
func TestFusedTransposes(t *testing.T) {
	for _, test := range []struct {
		name         string
		edits        []edit
		permX, permY []int
	}{
		{"plain", nil, []int{1, 0, 2}, []int{2, 0, 1, 3}},
		{"reverse", []edit{set("direction", "reverse")}, []int{1, 0, 2}, []int{0, 2, 1, 3}},
		{"last", nil, []int{2, 1, 0}, nil},
		{"general", []edit{set("clip", float32(0.5))}, []int{1, 0, 2}, []int{2, 0, 1, 3}},
		{"general, last", []edit{set("clip", float32(0.5))}, []int{1, 2, 0}, []int{1, 2, 0, 3}},
		{"layout 1", []edit{set("layout", int64(1))}, []int{1, 0, 2}, []int{2, 1, 0, 3}},
		{"layout 1, last", []edit{set("layout", int64(1)), set("clip", float32(0.5))}, []int{2, 0, 1}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			edits := append(test.edits, func(m *onnxgraph.Model) {
				m.Graph.Inputs[0].Shape = []onnxgraph.Dim{{Size: -1}, {Size: -1}, {Size: -1}}
			})
			m, err := onnxgraph.Unmarshal(marshal(t, layer("LSTM", edits...)))
			if err != nil {
				t.Fatal(err)
			}
			p, err := compile(t.Context(), m, DefaultMemory, 0)
			if err != nil {
				t.Fatal(err)
			}
			x := valueOf(floats("x", 4, 2, 3))
			inverse := make([]int, 3)
			for k, from := range test.permX {
				inverse[from] = k
			}
			z := transposed(x, inverse) // what the Transpose would read to write x
			want := run(t, open(t, layer("LSTM", edits...)), tensors{"x": x})
			if test.permY != nil {
				want["y"] = transposed(want["y"], test.permY)
			}
			p.program.nodes[0].fused = fusion{transposeX: test.permX, transposeY: test.permY}
			r, err := p.newRunner(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var y, hn, cn tensor.Tensor
			if err := r.run(context.Background(), []*tensor.Tensor{&z}, []*tensor.Tensor{&y, &hn, &cn}); err != nil {
				t.Fatal(err)
			}
			for name, got := range (tensors{"y": y, "hn": hn, "cn": cn}) {
				if err := onnxtest.Compare(got, want[name], 1e-6, 0); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
}
