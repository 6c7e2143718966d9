package repair

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/onnxtest"
	"github.com/rnnkit/rnnkit/internal/testenv"
)

// TestFixed keeps the time of models that a loop, unrolled steps or a constant fix.
// corpus_torch.py, corpus_keras.py and corpus_jax.py made them. At other times the
// frameworks' own answers differ from the files'.
func TestFixed(t *testing.T) {
	files, err := filepath.Glob("testdata/fixed/*.onnx")
	if err != nil || len(files) < 30 {
		t.Fatal(len(files), err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".onnx"), func(t *testing.T) { keepsTime(t, path) })
	}
}

// keepsTime repairs a model, checks that it keeps its time, and returns the reason.
func keepsTime(t *testing.T, path string) string {
	t.Helper()
	m := onnxtest.ReadModel(t, path)
	r, err := Repair(t.Context(), m, Options{Memory: 1 << 28})
	if err != nil {
		t.Fatal(err)
	}
	if r.KeptTime == nil {
		t.Fatalf("its time is symbolic: %q", r.Changes)
	}
	was, is := m.Graph.Inputs[0].Shape, r.Model.Graph.Inputs[0].Shape
	if is[1] != was[1] {
		t.Errorf("it reads %v, and did read %v", is, was)
	}
	if _, err := r.Verify(t.Context(), m, engines(t), 1e-5, 1); err != nil {
		t.Error(err)
	}
	return r.KeptTime.Error()
}

// TestField keeps the time of models that other people exported, and names the node.
func TestField(t *testing.T) {
	const f10 = "f10-repair-makes-time-symbolic-where-the-graph-depends-on-it"
	for file, why := range map[string]string{
		f10 + "/cell_dyn.onnx":                             `node 13 (Gather "node_select_1"): it takes step 1 by number`,
		f10 + "/cell_ts.onnx":                              `it takes step 1 by number`,
		f10 + "/lens_ts.onnx":                              `(Div "/Div"): its constant 6 is the number of the time that was, 6`,
		f10 + "/scaleT_ts.onnx":                            `its constant operand is computed of 6`,
		f10 + "/summean_dyn.onnx":                          `(Div "node_div"): its constant 6 is`,
		f10 + "/summean_ts.onnx":                           `(Div "/Div"): its constant 6 is`,
		"engine/repair_loop_fixed_trip_count/model.onnx":   `(Loop): it has 4 rounds whatever the time is`,
		"engine/repair_unrolled_steps/model.onnx":          `(Gather): it takes step 1 by number`,
		"engine/repair_says_symbolic_but_fixed/model.onnx": `(Split`,
	} {
		t.Run(file, func(t *testing.T) {
			if got := keepsTime(t, testenv.Shared(t, "field", file)); !strings.Contains(got, why) {
				t.Errorf("%s: not %q", got, why)
			}
		})
	}
}

// TestHostile checks that a repair ends with its context.
func TestHostile(t *testing.T) {
	m := onnxtest.ReadModel(t, testenv.Shared(t, "field", "hostile", "repair-hang-13920.onnx"))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := Repair(ctx, m, Options{Memory: 1 << 26}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// net is a GRU that reads x [2, 6, 3]. nodes compute y from its last state.
func net(nodes []onnxgraph.Node, constants ...onnxgraph.Tensor) *onnxgraph.Model {
	perm := []onnxgraph.Attribute{{Name: "perm", Value: []int64{1, 0, 2}}}
	before := []onnxgraph.Node{
		{OpType: "Transpose", Inputs: []string{"x"}, Outputs: []string{"xt"}, Attributes: perm},
		{
			OpType: "GRU", Inputs: []string{"xt", "W", "R"}, Outputs: []string{"all", "last"},
			Attributes: []onnxgraph.Attribute{{Name: "hidden_size", Value: int64(4)}},
		},
		{OpType: "Squeeze", Inputs: []string{"all", "one"}, Outputs: []string{"steps"}}, // [6, 2, 4]
		{OpType: "Squeeze", Inputs: []string{"last", "zero"}, Outputs: []string{"h"}},
	}
	return &onnxgraph.Model{
		IRVersion: 8, Opsets: []onnxgraph.Opset{{Version: 17}},
		Graph: onnxgraph.Graph{
			Name:    "net",
			Nodes:   append(before, nodes...),
			Inputs:  []onnxgraph.Value{{Name: "x", Type: onnxgraph.Float32, Shape: []onnxgraph.Dim{{Size: 2}, {Size: 6}, {Size: 3}}}},
			Outputs: []onnxgraph.Value{{Name: "y", Type: onnxgraph.Float32}},
			Initializers: append([]onnxgraph.Tensor{
				weights("W", 1, 12, 3), weights("R", 1, 12, 4), int64s("zero", 0), int64s("one", 1),
			}, constants...),
		},
	}
}

func int64s(name string, list ...int64) onnxgraph.Tensor {
	return onnxgraph.Tensor{Name: name, Tensor: tensor.Tensor{Shape: []int{len(list)}, Data: list}}
}

func number(name string, v float32) onnxgraph.Tensor {
	return onnxgraph.Tensor{Name: name, Tensor: tensor.Of([]float32{v})}
}

// op returns a node that writes y, and to a node that writes another output.
func op(name, inputs string, attributes ...onnxgraph.Attribute) onnxgraph.Node {
	return to("y", name, inputs, attributes...)
}

func to(output, name, inputs string, attributes ...onnxgraph.Attribute) onnxgraph.Node {
	return onnxgraph.Node{OpType: name, Inputs: strings.Fields(inputs), Outputs: []string{output}, Attributes: attributes}
}

func weights(name string, shape ...int) onnxgraph.Tensor {
	size := 1
	for _, d := range shape {
		size *= d
	}
	data := make([]float32, size)
	for i := range data {
		data[i] = float32((i*7)%11-5) / 10
	}
	return onnxgraph.Tensor{Name: name, Tensor: tensor.Tensor{Shape: shape, Data: data}}
}

// TestRules lists what each rule accepts and refuses in a model whose time was 6.
func TestRules(t *testing.T) {
	axis := func(v int64) onnxgraph.Attribute { return onnxgraph.Attribute{Name: "axis", Value: v} }
	axes := onnxgraph.Attribute{Name: "axes", Value: []int64{0}}
	perm := onnxgraph.Attribute{Name: "perm", Value: []int64{1, 0, 2}}
	float := onnxgraph.Attribute{Name: "to", Value: onnxgraph.Number(onnxgraph.Float32)}
	hidden := []onnxgraph.Attribute{{Name: "hidden_size", Value: int64(4)}}
	sum := to("sum", "ReduceSum", "steps zero")
	channels := to("ch", "Transpose", "steps", onnxgraph.Attribute{Name: "perm", Value: []int64{1, 2, 0}})
	length := []onnxgraph.Node{to("shape", "Shape", "steps"), to("length", "Gather", "shape zero")}
	inner := func(name string, n onnxgraph.Node) onnxgraph.Attribute {
		return onnxgraph.Attribute{
			Name: name,
			Value: &onnxgraph.Graph{
				Name: name, Nodes: []onnxgraph.Node{n},
				Outputs: []onnxgraph.Value{{Name: n.Outputs[0], Type: onnxgraph.Float32}},
			},
		}
	}
	scanned := inner("body", to("o", "Tanh", "in"))
	scanned.Value.(*onnxgraph.Graph).Inputs = []onnxgraph.Value{{Name: "in", Type: onnxgraph.Float32}}
	for _, test := range []struct {
		name      string
		nodes     []onnxgraph.Node
		constants []onnxgraph.Tensor
		why       string // "" for a symbolic time
	}{
		{"last state", []onnxgraph.Node{op("Identity", "h")}, nil, ""},
		{"mean", []onnxgraph.Node{op("ReduceMean", "steps", axes)}, nil, ""},
		{"sum", []onnxgraph.Node{op("ReduceSum", "steps zero")}, nil, ""},
		{"last", []onnxgraph.Node{op("Gather", "steps k", axis(0))}, []onnxgraph.Tensor{int64s("k", -1)}, ""},
		{"first", []onnxgraph.Node{op("Gather", "steps k", axis(0))}, []onnxgraph.Tensor{int64s("k", 0)}, "reads 1 of 6 steps"},
		{
			"first and last",
			[]onnxgraph.Node{to("a", "Gather", "steps k", axis(0)), to("b", "Squeeze", "a zero"), op("Add", "b h")},
			[]onnxgraph.Tensor{int64s("k", 0)}, "",
		},
		{"last by number", []onnxgraph.Node{op("Gather", "steps k", axis(0))}, []onnxgraph.Tensor{int64s("k", 5)}, ""},
		{"middle", []onnxgraph.Node{op("Gather", "steps k", axis(0))}, []onnxgraph.Tensor{int64s("k", 3)}, "takes step 3"},
		{"last but one", []onnxgraph.Node{op("Gather", "steps k", axis(0))}, []onnxgraph.Tensor{int64s("k", -2)}, "takes step -2"},
		{"two", []onnxgraph.Node{op("Gather", "steps k", axis(0))}, []onnxgraph.Tensor{int64s("k", 0, -1)}, "takes 2 steps"},
		{"but the first", []onnxgraph.Node{op("Slice", "steps a b zero")}, []onnxgraph.Tensor{int64s("a", 1), int64s("b", 1<<62)}, ""},
		{"but three", []onnxgraph.Node{op("Slice", "steps a b zero")}, []onnxgraph.Tensor{int64s("a", 3), int64s("b", 1<<62)}, "takes steps 3"},
		{
			"last three", []onnxgraph.Node{op("Slice", "steps a b zero")},
			[]onnxgraph.Tensor{int64s("a", -3), int64s("b", 1<<62)}, "takes steps -3",
		},
		{"first five", []onnxgraph.Node{op("Slice", "steps a b zero")}, []onnxgraph.Tensor{int64s("a", 0), int64s("b", 5)}, "takes steps 0 to 5"},
		{
			"every other", []onnxgraph.Node{op("Slice", "steps a b zero c")},
			[]onnxgraph.Tensor{int64s("a", 0), int64s("b", 1<<62), int64s("c", 2)}, "by 2",
		},
		{
			"flipped", []onnxgraph.Node{op("Slice", "steps a b zero c")},
			[]onnxgraph.Tensor{int64s("a", -1), int64s("b", -1<<62), int64s("c", -1)}, "",
		},
		{"sum of six", []onnxgraph.Node{sum, op("Div", "sum k")}, []onnxgraph.Tensor{number("k", 6)}, "is the number of the time"},
		{"sum of seven", []onnxgraph.Node{sum, op("Div", "sum k")}, []onnxgraph.Tensor{number("k", 7)}, "is one more"},
		{"sum of eleven", []onnxgraph.Node{sum, op("Div", "sum k")}, []onnxgraph.Tensor{number("k", 13)}, "divides a sum over the time"},
		{"root", []onnxgraph.Node{sum, op("Mul", "sum k")}, []onnxgraph.Tensor{number("k", 0.40824829)}, "is the root"},
		{"odd factor", []onnxgraph.Node{op("Mul", "h k")}, []onnxgraph.Tensor{number("k", 0.4782969)}, "may have been a function"},
		{"tenth", []onnxgraph.Node{op("Mul", "h k")}, []onnxgraph.Tensor{number("k", 0.6)}, "is a multiple"},
		{"added tenth", []onnxgraph.Node{op("Add", "h k")}, []onnxgraph.Tensor{number("k", 0.6)}, "is a multiple"},
		{"odd addend", []onnxgraph.Node{op("Add", "h k")}, []onnxgraph.Tensor{number("k", 0.4782969)}, "may have been a function"},
		{"odd bound", []onnxgraph.Node{op("Min", "h k")}, []onnxgraph.Tensor{number("k", 0.4782969)}, "may have been a function"},
		{"odd bias", []onnxgraph.Node{op("Add", "h k")}, []onnxgraph.Tensor{{Name: "k", Tensor: tensor.Of([]float32{0.4782969}, 1)}}, ""},
		{"percent", []onnxgraph.Node{op("Mul", "h k")}, []onnxgraph.Tensor{number("k", 100)}, ""},
		{"root of a width", []onnxgraph.Node{op("Div", "h k")}, []onnxgraph.Tensor{number("k", 3.4641016)}, ""},
		{"root of no width", []onnxgraph.Node{op("Div", "h k")}, []onnxgraph.Tensor{number("k", 3.3166248)}, "may have been a function"},
		{"softmax", []onnxgraph.Node{op("Softmax", "steps", axis(0))}, nil, ""},
		{"padded", []onnxgraph.Node{op("Pad", "steps p")}, []onnxgraph.Tensor{int64s("p", 0, 0, 0, 2, 0, 0)}, "lengthens the time by 2"},
		{"joined zeros", []onnxgraph.Node{
			{OpType: "ReduceMax", Inputs: []string{"steps"}, Outputs: []string{"m"}, Attributes: []onnxgraph.Attribute{axes}},
			{
				OpType: "Mul", Inputs: []string{"m", "k"}, Outputs: []string{"z"},
			}, {OpType: "Expand", Inputs: []string{"z", "e"}, Outputs: []string{"zz"}}, op("Concat", "steps zz", axis(0)),
		}, []onnxgraph.Tensor{number("k", 0), int64s("e", 2, 1, 1)}, "as a padding"},
		{"two products", []onnxgraph.Node{to("a", "MatMul", "h M"), op("MatMul", "a M")}, []onnxgraph.Tensor{weights("M", 4, 4)}, ""},
		{
			"three products", []onnxgraph.Node{to("a", "MatMul", "h M"), to("b", "MatMul", "a M"), op("MatMul", "b M")},
			[]onnxgraph.Tensor{weights("M", 4, 4)}, "its weights are read 3 times",
		},
		{
			"split", []onnxgraph.Node{{OpType: "Split", Inputs: []string{"steps"}, Outputs: []string{"y", "b", "c"}}}, nil,
			"splits the time into 3",
		},
		{
			"compared", append(length, to("less", "Less", "length k"), to("c", "Cast", "less", float), op("Mul", "h c")),
			[]onnxgraph.Tensor{int64s("k", 6)}, "compares with the constant [6]",
		},
		{
			"repeated", []onnxgraph.Node{to("u", "Unsqueeze", "h zero"), op("Expand", "u e")},
			[]onnxgraph.Tensor{int64s("e", 6, 1, 1)}, `output "y": dimension 0 is 6`,
		},
		{"repeated and read", []onnxgraph.Node{
			to("u", "Unsqueeze", "h zero"), to("rep", "Expand", "u e"),
			{OpType: "GRU", Inputs: []string{"rep", "W2", "R"}, Outputs: []string{"y"}, Attributes: hidden},
		},
			[]onnxgraph.Tensor{int64s("e", 6, 1, 1), weights("W2", 1, 12, 4)}, "takes 6 steps whatever the time is"},
		{
			"joined pieces",
			[]onnxgraph.Node{
				to("t", "Tanh", "h"), to("e", "Exp", "h"), to("a", "Unsqueeze", "h zero"), to("b", "Unsqueeze", "t zero"),
				to("c", "Unsqueeze", "e zero"), op("Concat", "a b c", axis(0)),
			},
			nil, "joins 3 pieces",
		},
		{
			"lengths",
			[]onnxgraph.Node{{OpType: "GRU", Inputs: []string{"xt", "W", "R", "", "k"}, Outputs: []string{"y"}, Attributes: hidden}},
			[]onnxgraph.Tensor{{Name: "k", Tensor: tensor.Of([]int32{4, 4}, 2)}}, "its sequence_lens are constant",
		},
		{
			"state",
			[]onnxgraph.Node{{OpType: "GRU", Inputs: []string{"xt", "W", "R", "", "", "k"}, Outputs: []string{"y"}, Attributes: hidden}},
			[]onnxgraph.Tensor{{Name: "k", Tensor: tensor.Tensor{Shape: []int{1, 2, 4}, Data: slices.Repeat([]float32{6}, 8)}}},
			"its constant 6 is the number",
		},
		{
			"whole window", []onnxgraph.Node{channels, op("Conv", "ch K")}, []onnxgraph.Tensor{weights("K", 4, 4, 6)},
			"window of 6 steps is the whole time",
		},
		{"window", []onnxgraph.Node{channels, op("Conv", "ch K")}, []onnxgraph.Tensor{weights("K", 4, 4, 3)}, ""},
		{
			"padded window", []onnxgraph.Node{channels, to("p", "Pad", "ch k"), op("Conv", "p K")},
			[]onnxgraph.Tensor{weights("K", 4, 4, 3), int64s("k", 0, 0, 2, 0, 0, 0)}, "",
		},
		{
			"thirds",
			[]onnxgraph.Node{
				channels,
				op(
					"AveragePool", "ch", onnxgraph.Attribute{Name: "kernel_shape", Value: []int64{2}},
					onnxgraph.Attribute{Name: "strides", Value: []int64{2}},
				),
			},
			nil, "may be a part of the time",
		},
		{
			"stacked", []onnxgraph.Node{to("bt", "Transpose", "steps", perm), op("Reshape", "bt k")},
			[]onnxgraph.Tensor{int64s("k", 0, -1, 12)}, "begins within the time",
		},
		{
			"branch",
			append(
				length, to("less", "Less", "length k"),
				op("If", "less", inner("then_branch", to("i", "Identity", "h")), inner("else_branch", to("i", "Neg", "h"))),
			),
			[]onnxgraph.Tensor{int64s("k", 100)}, "which branch it takes",
		},
		{"branch of a width", []onnxgraph.Node{
			to("shape", "Shape", "steps"), to("width", "Gather", "shape k"), to("four", "Equal", "width f"),
			to("is", "Squeeze", "four zero"),
			op("If", "is", inner("then_branch", to("i", "Identity", "h")), inner("else_branch", to("i", "Neg", "h"))),
		},
			[]onnxgraph.Tensor{int64s("k", 2), int64s("f", 4)}, ""},
		{"step in a branch", []onnxgraph.Node{op(
			"If", "yes", inner("then_branch", to("i", "Gather", "steps k")), inner("else_branch", to("i", "Neg", "h")),
		)},
			[]onnxgraph.Tensor{
				{Name: "yes", Tensor: tensor.Of([]bool{true})}, {Name: "k", Tensor: tensor.Of([]int64{2})},
			}, "takes a step by number"},
		{
			"scan of columns",
			[]onnxgraph.Node{
				to("columns", "Transpose", "h"),
				{
					OpType: "Scan", Inputs: []string{"columns"}, Outputs: []string{"y"},
					Attributes: []onnxgraph.Attribute{{Name: "num_scan_inputs", Value: int64(1)}, scanned},
				},
			},
			nil, "goes through a number of steps",
		},
		{
			"scan of steps",
			[]onnxgraph.Node{{
				OpType: "Scan", Inputs: []string{"steps"}, Outputs: []string{"y"},
				Attributes: []onnxgraph.Attribute{{Name: "num_scan_inputs", Value: int64(1)}, scanned},
			}},
			nil, "",
		},
		{
			"element", []onnxgraph.Node{op("Sub", "h k")},
			[]onnxgraph.Tensor{{Name: "k", Tensor: tensor.Of([]float32{0.1, 6, 0.2, 0.3}, 4)}}, "has the element 6",
		},
		{"unknown", []onnxgraph.Node{op("TopK", "steps k", axis(0))}, []onnxgraph.Tensor{int64s("k", 3)}, "is not known"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := Repair(t.Context(), net(test.nodes, test.constants...), Options{Memory: native.DefaultMemory})
			switch {
			case err != nil:
				t.Error(err)
			case (r.KeptTime == nil) != (test.why == ""):
				t.Errorf("the time is kept: %v, not %q", r.KeptTime, test.why)
			case test.why != "" && !strings.Contains(r.KeptTime.Error(), test.why):
				t.Errorf("%v: not %q", r.KeptTime, test.why)
			}
		})
	}
}

// TestOneStep keeps a time of one step if a constant of one may be a part of it.
func TestOneStep(t *testing.T) {
	for why, nodes := range map[string][]onnxgraph.Node{
		"":                          {op("Add", "steps b")},
		"a dimension of one step":   {op("Add", "steps k")},
		"that may have been a mean": {op("ReduceSum", "steps zero")},
	} {
		m := net(nodes, weights("k", 1, 1, 4), weights("b", 4))
		m.Graph.Inputs[0].Shape[1].Size = 1
		r, err := Repair(t.Context(), m, Options{Memory: native.DefaultMemory})
		if err != nil {
			t.Fatal(err)
		}
		if (r.KeptTime == nil) != (why == "") || why != "" && !strings.Contains(r.KeptTime.Error(), why) {
			t.Errorf("%v: not %q", r.KeptTime, why)
		}
	}
}

// TestTwoProducts takes two products with the same weights for unrolled steps if the
// time was short.
func TestTwoProducts(t *testing.T) {
	m := net([]onnxgraph.Node{to("a", "MatMul", "h M"), op("MatMul", "a M")}, weights("M", 4, 4))
	m.Graph.Inputs[0].Shape[1].Size = 4
	r, err := Repair(t.Context(), m, Options{Memory: native.DefaultMemory})
	if err != nil {
		t.Fatal(err)
	}
	if r.KeptTime == nil || !strings.Contains(r.KeptTime.Error(), "its weights are read 2 times") {
		t.Error(r.KeptTime)
	}
}

// TestOpen keeps a time that is symbolic only in its declaration.
func TestOpen(t *testing.T) {
	for why, nodes := range map[string][]onnxgraph.Node{
		"":              {op("ReduceMean", "steps", onnxgraph.Attribute{Name: "axes", Value: []int64{0}})},
		"divides a sum": {to("sum", "ReduceSum", "steps zero"), op("Div", "sum k")},
		"by the constant 13, widened": {
			to("sum", "ReduceSum", "steps zero"), to("e", "Shape", "h"), to("wide", "Expand", "k e"),
			op("Div", "sum wide"),
		},
		"takes step 3 by number": {op("Gather", "steps three")},
		"takes steps 0 to 3":     {op("Slice", "steps zero three zero")},
	} {
		m := net(nodes, number("k", 13), int64s("three", 3))
		m.Graph.Inputs[0].Shape[1] = onnxgraph.Dim{Symbol: "steps"}
		r, err := Repair(t.Context(), m, Options{Memory: native.DefaultMemory})
		if err != nil {
			t.Fatal(err)
		}
		why, _, _ = strings.Cut(why, ",")
		if (r.KeptTime == nil) != (why == "") || why != "" && !strings.Contains(r.KeptTime.Error(), why) {
			t.Errorf("%v: not %q", r.KeptTime, why)
		}
	}
}

// TestLoop makes the time symbolic if a loop has as many iterations, and keeps it if
// their number is constant.
func TestLoop(t *testing.T) {
	body := &onnxgraph.Graph{
		Name: "body",
		Nodes: []onnxgraph.Node{
			{OpType: "Gather", Inputs: []string{"steps", "i"}, Outputs: []string{"step"}},
			{OpType: "Add", Inputs: []string{"sum", "step"}, Outputs: []string{"more"}},
			{OpType: "Identity", Inputs: []string{"go"}, Outputs: []string{"on"}},
		},
		Inputs: []onnxgraph.Value{
			{Name: "i", Type: onnxgraph.Int64, Shape: []onnxgraph.Dim{}},
			{Name: "go", Type: onnxgraph.Bool, Shape: []onnxgraph.Dim{}}, {Name: "sum", Type: onnxgraph.Float32},
		},
		Outputs: []onnxgraph.Value{{Name: "on", Type: onnxgraph.Bool}, {Name: "more", Type: onnxgraph.Float32}},
	}
	always := onnxgraph.Tensor{Name: "always", Tensor: tensor.Of([]bool{true})}
	loop := func(count string) onnxgraph.Node {
		return op("Loop", count+" always h", onnxgraph.Attribute{Name: "body", Value: body})
	}
	shape := onnxgraph.Node{OpType: "Shape", Inputs: []string{"steps"}, Outputs: []string{"shape"}}
	length := onnxgraph.Node{OpType: "Gather", Inputs: []string{"shape", "k"}, Outputs: []string{"length"}}
	scalar := func(v int64) onnxgraph.Tensor { return onnxgraph.Tensor{Name: "k", Tensor: tensor.Of([]int64{v})} }
	for why, m := range map[string]*onnxgraph.Model{
		"":                net([]onnxgraph.Node{shape, length, loop("length")}, always, scalar(0)),
		"it has 6 rounds": net([]onnxgraph.Node{loop("k")}, always, scalar(6)),
		"it has 4 rounds whatever": net(
			[]onnxgraph.Node{shape, {OpType: "Gather", Inputs: []string{"shape", "two"}, Outputs: []string{"length"}}, loop("length")},
			always, onnxgraph.Tensor{Name: "two", Tensor: tensor.Of([]int64{2})},
		),
	} {
		r, err := Repair(t.Context(), m, Options{Memory: native.DefaultMemory})
		if err != nil {
			t.Fatal(why, err)
		}
		if (r.KeptTime == nil) != (why == "") || why != "" && !strings.Contains(r.KeptTime.Error(), why) {
			t.Errorf("%v: not %q", r.KeptTime, why)
		}
	}
}

// TestBehave detects repaired models that behave differently than their original.
func TestBehave(t *testing.T) {
	m := onnxtest.ReadModel(t, "testdata/folded_dynamo.onnx")
	r, err := Repair(t.Context(), m, Options{Memory: native.DefaultMemory})
	if err != nil || r.KeptTime != nil {
		t.Fatal(err, r.KeptTime)
	}
	if err := r.behave(t.Context(), m, native.DefaultMemory); err != nil {
		t.Error(err)
	}
	right := r.Model
	for why, nodes := range map[string][]onnxgraph.Node{
		// The model adds the maximum over the batch.
		"a batch has other answers than its rows": {
			{OpType: "ReduceMax", Inputs: []string{"x", "from"}, Outputs: []string{"m"}},
			{OpType: "Add", Inputs: []string{"x", "m"}, Outputs: []string{"new"}},
		},
		// The model reads as many steps as the example had.
		"depend": {
			{OpType: "Slice", Inputs: []string{"x", "from", "to", "at"}, Outputs: []string{"a"}},
			{OpType: "Slice", Inputs: []string{"x", "to", "end", "at"}, Outputs: []string{"b"}},
			{OpType: "Sub", Inputs: []string{"b", "b"}, Outputs: []string{"nothing"}},
			{
				OpType: "Concat", Inputs: []string{"a", "nothing"}, Outputs: []string{"new"},
				Attributes: []onnxgraph.Attribute{{Name: "axis", Value: int64(1)}},
			},
		},
		// The model multiplies its input by the time.
		"the first 5 steps have other answers": {
			{OpType: "Shape", Inputs: []string{"x"}, Outputs: []string{"s"}},
			{OpType: "Gather", Inputs: []string{"s", "at"}, Outputs: []string{"t"}},
			{OpType: "Cast", Inputs: []string{"t"}, Outputs: []string{"f"}, Attributes: []onnxgraph.Attribute{{Name: "to", Value: int64(1)}}},
			{OpType: "Mul", Inputs: []string{"x", "f"}, Outputs: []string{"new"}},
		},
	} {
		wrong := *right
		wrong.Graph.Initializers = append(slices.Clip(wrong.Graph.Initializers), int64s("from", 0), int64s("to", 5), int64s("end", 1<<62), int64s("at", 1))
		wrong.Graph.Nodes = nodes
		for _, n := range right.Graph.Nodes {
			n.Inputs = append([]string{}, n.Inputs...)
			for k, name := range n.Inputs {
				if name == "x" && n.OpType == "Transpose" {
					n.Inputs[k] = "new"
				}
			}
			wrong.Graph.Nodes = append(wrong.Graph.Nodes, n)
		}
		r.Model = &wrong
		if err := r.behave(t.Context(), m, native.DefaultMemory); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%v: not %q", err, why)
		}
	}
}
