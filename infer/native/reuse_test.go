package native

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/onnxtest"
)

// picking returns a model whose first node fails on an index out of range, before
// what depends on shapes alone is computed.
func picking() *onnxgraph.Model {
	m := graph(
		call("Identity", []string{"x"}, []string{"same"}),
		call("Gather", []string{"x", "rows"}, []string{"picked"}),
		call("Shape", []string{"x"}, []string{"s"}),
		call("ConstantOfShape", []string{"s"}, []string{"zeros"}),
		call("Add", []string{"picked", "zeros"}, []string{"sum"}),
		call("Add", []string{"same", "sum"}, []string{"y"}),
		call("Neg", []string{"x"}, []string{"z"}))
	m.Graph.Inputs[0].Shape[0] = onnxgraph.Dim{Symbol: "n"}
	m.Graph.Inputs = append(m.Graph.Inputs,
		onnxgraph.Value{Name: "rows", Type: onnxgraph.Int64, Shape: []onnxgraph.Dim{{Symbol: "n"}}},
		onnxgraph.Value{Name: "unread", Type: onnxgraph.Float32, Shape: []onnxgraph.Dim{{Size: 2}}})
	m.Graph.Outputs = append(m.Graph.Outputs, onnxgraph.Value{Name: "z"})
	return m
}

func pickingInputs(rows ...int64) tensors {
	return tensors{"x": valueOf(floats("x", len(rows), 3)), "rows": tensor.Of(rows, len(rows)), "unread": tensor.Of([]float32{1, 2}, 2)}
}

// TestRunAfterError runs a session on new shapes with an error, and then without.
func TestRunAfterError(t *testing.T) {
	session := open(t, picking())
	run(t, session, pickingInputs(1, 0))
	if _, err := session.Run(context.Background(), pickingInputs(0, 1, 2, 9)); err == nil {
		t.Fatal("an index out of range is no error")
	}
	got, want := run(t, session, pickingInputs(0, 1, 2, 3)), run(t, open(t, picking()), pickingInputs(0, 1, 2, 3))
	for name := range want {
		if err := onnxtest.Compare(got[name], want[name], 0, 0); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOnlyWhatIsWanted runs for all outputs, and then for one that the others'
// error does not concern.
func TestOnlyWhatIsWanted(t *testing.T) {
	session := open(t, picking())
	run(t, session, pickingInputs(1, 0))
	run(t, session, pickingInputs(9, 9), "z")
}

// TestNothingIsKept looks for values that are still there after runs, with and
// without an error.
func TestNothingIsKept(t *testing.T) {
	r := runnerOf(t, picking())
	for _, rows := range [][]int64{{1, 0}, {1, 9}, {0, 0}} {
		named := pickingInputs(rows...)
		var inputs []*tensor.Tensor
		for _, info := range r.program.inputs {
			in := named[info.Name]
			inputs = append(inputs, &in)
		}
		err := r.run(context.Background(), inputs, []*tensor.Tensor{{}, {}})
		if (err != nil) != slices.Contains(rows, 9) {
			t.Fatal(err)
		}
		for slot, v := range r.slots {
			if h := v.info(); v.len() > 0 && !h.constant && !h.invariant {
				t.Errorf("rows %v: slot %d still has %d elements", rows, slot, v.len())
			}
		}
	}
}

// TestBranchesOfOtherShapes takes one branch and then the other, on inputs of the
// same shapes.
func TestBranchesOfOtherShapes(t *testing.T) {
	branch := func(nodes ...onnxgraph.Node) *onnxgraph.Graph {
		return &onnxgraph.Graph{Outputs: []onnxgraph.Value{{Name: nodes[0].Outputs[0]}}, Nodes: nodes}
	}
	m := graph(
		call("If", []string{"c"}, []string{"v"},
			"then_branch", branch(call("Identity", []string{"x"}, []string{"a"})),
			"else_branch", branch(call("Transpose", []string{"x"}, []string{"b"}))),
		call("Neg", []string{"v"}, []string{"y"}))
	m.Graph.Inputs = append(m.Graph.Inputs, onnxgraph.Value{Name: "c", Type: onnxgraph.Bool, Shape: []onnxgraph.Dim{}})
	session := open(t, m)
	for _, c := range []bool{true, true, false, false, true} {
		want := []int{2, 3}
		if !c {
			want = []int{3, 2}
		}
		if y := run(t, session, tensors{"x": x23, "c": tensor.Of([]bool{c})})["y"]; !slices.Equal(y.Shape, want) {
			t.Errorf("the shape is %v, not %v", y.Shape, want)
		}
	}
}

// TestOtherSums adds constants to products that are no biases of a dense layer.
func TestOtherSums(t *testing.T) {
	for name, c := range map[string]struct{ w, b, want []int }{
		"one number for all columns": {[]int{3, 5}, []int{1}, []int{2, 5}},
		"a number":                   {[]int{3, 5}, []int{}, []int{2, 5}},
		"a row of more dimensions":   {[]int{3, 5}, []int{1, 1, 5}, []int{1, 2, 5}},
		"a matrix":                   {[]int{3, 5}, []int{2, 5}, []int{2, 5}},
		"product with a vector":      {[]int{3}, []int{3}, nil},
		"product of many":            {[]int{4, 3, 5}, []int{5}, []int{4, 2, 5}},
		"one column":                 {[]int{3, 1}, []int{5}, []int{2, 5}},
	} {
		m := graph(call("MatMul", []string{"x", "W"}, []string{"p"}), call("Add", []string{"p", "b"}, []string{"y"}))
		if name == "product with a vector" {
			m.Graph.Inputs[0].Shape = []onnxgraph.Dim{{Size: 3}, {Size: 3}}
			c.want = []int{3}
		}
		m.Graph.Initializers = []onnxgraph.Tensor{floats("W", c.w...), floats("b", c.b...)}
		x := tensors{"x": valueOf(floats("x", int(m.Graph.Inputs[0].Shape[0].Size), 3))}
		got := run(t, open(t, m), x)["y"]
		m.Graph.Outputs = append(m.Graph.Outputs, onnxgraph.Value{Name: "p"}) // leaves the nodes alone
		want := run(t, open(t, m), x)["y"]
		if err := onnxtest.Compare(got, want, 0, 1e-6); err != nil || !slices.Equal(got.Shape, c.want) {
			t.Errorf("%s: %v, of shape %v", name, err, got.Shape)
		}
	}
}

// TestBiasErrors has products and sums that do not go together.
func TestBiasErrors(t *testing.T) {
	doubles := onnxgraph.Tensor{Name: "b", Tensor: tensor.Of([]float64{1, 2}, 2)}
	for want, edit := range map[string]edit{
		`node 0 (MatMul "n"): input 1, "W", has type float32, and must have float64`: func(m *onnxgraph.Model) {
			m.Graph.Inputs[0].Type = onnxgraph.Float64
		},
		`node 1 (Add "n"): input 1, "b", has type float64, and must have float32`: func(m *onnxgraph.Model) { m.Graph.Initializers[1] = doubles },
		`node 1 (Add "n"): attribute "axis" is not supported`: func(m *onnxgraph.Model) {
			m.Graph.Nodes[1].Attributes = []onnxgraph.Attribute{{Name: "axis", Value: int64(0)}}
		},
	} {
		m := graph(call("MatMul", []string{"x", "W"}, []string{"p"}), call("Add", []string{"p", "b"}, []string{"y"}))
		m.Graph.Initializers = []onnxgraph.Tensor{floats("W", 3, 2), floats("b", 2)}
		edit(m)
		if _, err := New().Open(marshal(t, m)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, not %q", err, want)
		}
	}
}

// TestOtherGathers has layers whose X is gathered, but is no rows of a table.
func TestOtherGathers(t *testing.T) {
	for name, c := range map[string]struct {
		table, tokens []int
		axis          int64
	}{
		"columns":               {[]int{5, 3}, []int{2, 3}, 1},
		"columns, from the end": {[]int{5, 3}, []int{2, 3}, -1},
		"rows, from the end":    {[]int{5, 3}, []int{4, 2}, -2},
		"whole steps":           {[]int{5, 2, 3}, []int{4}, 0},
	} {
		m := layer("GRU", func(m *onnxgraph.Model) {
			m.Graph.Inputs = []onnxgraph.Value{{Name: "tokens", Type: onnxgraph.Int64}}
			m.Graph.Initializers = append(m.Graph.Initializers, floats("table", c.table...))
			m.Graph.Nodes = slices.Concat([]onnxgraph.Node{call(
				"Gather", []string{"table", "tokens"}, []string{"x"}, "axis", c.axis,
			)}, m.Graph.Nodes)
		})
		n, _ := product(c.tokens...)
		tokens := make([]int64, n)
		for i := range tokens {
			tokens[i] = int64(i*7%3 - 1)
		}
		in := tensors{"tokens": tensor.Of(tokens, c.tokens...)}
		known := open(t, m)
		m.Graph.Inputs = append(m.Graph.Inputs, onnxgraph.Value{Name: "table", Type: onnxgraph.Float32})
		got, want := run(t, known, in), run(t, open(t, m), in)
		for out := range want {
			if err := onnxtest.Compare(got[out], want[out], 0, 1e-6); err != nil {
				t.Errorf("%s: %s: %v", name, out, err)
			}
		}
	}
}

// embedded returns a layer of tokens of that vocabulary.
func embedded(vocabulary int, edits ...edit) *onnxgraph.Model {
	return layer("LSTM", append([]edit{func(m *onnxgraph.Model) {
		m.Graph.Inputs = []onnxgraph.Value{{Name: "tokens", Type: onnxgraph.Int64, Shape: []onnxgraph.Dim{{Size: -1}, {Size: -1}}}}
		m.Graph.Initializers = append(m.Graph.Initializers, floats("table", vocabulary, 3))
		m.Graph.Nodes = slices.Concat([]onnxgraph.Node{call("Gather", []string{"table", "tokens"}, []string{"x"})}, m.Graph.Nodes)
	}}, edits...)...)
}

// TestSteadyMemory asks in turn for outputs that depend on shapes alone, each of
// which fits the limit and both of which do not.
func TestSteadyMemory(t *testing.T) {
	m := graph(
		call("Shape", []string{"x"}, []string{"s"}),
		call("ConstantOfShape", []string{"s"}, []string{"a"}),
		call("ConstantOfShape", []string{"s"}, []string{"b"}))
	m.Graph.Inputs[0].Shape = []onnxgraph.Dim{{Symbol: "n"}}
	m.Graph.Outputs = []onnxgraph.Value{{Name: "a"}, {Name: "b"}}
	session, err := New(MaxMemory(1<<20 + 1<<10)).Open(marshal(t, m))
	if err != nil {
		t.Fatal(err)
	}
	x := tensors{"x": valueOf(floats("x", 1<<17))}
	for _, name := range []string{"a", "b", "a"} {
		run(t, session, x, name)
	}
}

// TestTableTakesNoMemoryOfRuns runs a layer within a limit, on few tokens first.
func TestTableTakesNoMemoryOfRuns(t *testing.T) {
	session, err := New(MaxMemory(1 << 17)).Open(marshal(t, embedded(2000)))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 1500} {
		run(t, session, tensors{"tokens": tensor.Of(make([]int64, n), n, 1)})
	}
}

// TestTabulated says which layers have a table.
func TestTabulated(t *testing.T) {
	given := func(m *onnxgraph.Model) {
		m.Graph.Inputs = append(m.Graph.Inputs, onnxgraph.Value{Name: "W", Type: onnxgraph.Float32})
	}
	for name, c := range map[string]struct {
		m    *onnxgraph.Model
		want bool
	}{
		"small":              {embedded(50), true},
		"as large as may be": {embedded(maxTable / 8), true},
		"two directions": {embedded(maxTable/16+1, func(m *onnxgraph.Model) {
			n := &m.Graph.Nodes[1]
			n.Attributes = append(n.Attributes, onnxgraph.Attribute{Name: "direction", Value: "bidirectional"})
			m.Graph.Initializers = append(m.Graph.Initializers[3:], floats("W", 2, 8, 3), floats("R", 2, 8, 2), floats("B", 2, 16))
		}), false},
		"large":         {embedded(maxTable/8 + 1), false},
		"weights given": {embedded(50, given), false},
	} {
		r := runnerOf(t, c.m)
		p := r.program
		tokens := tensor.Of([]int64{1, 2, 1}, 3, 1)
		held := 0
		for i := range 3 {
			inputs := make([]*tensor.Tensor, len(p.inputs))
			inputs[0] = &tokens
			if err := r.run(context.Background(), inputs, make([]*tensor.Tensor, len(p.outputs))); err != nil {
				t.Fatal(err)
			}
			out := tensor.Tensor{}
			outputs := make([]*tensor.Tensor, len(p.outputs))
			outputs[0] = &out
			if err := r.run(context.Background(), inputs, outputs); err != nil {
				t.Fatal(err)
			}
			if i == 1 {
				held = r.memory.held
			} else if i > 1 && r.memory.held != held {
				t.Errorf("%s: a run on the same takes more memory: %d bytes, then %d", name, held, r.memory.held)
			}
		}
		if op := r.steps[len(r.steps)-1].kernel.(*recurrent[float32]); (op.pick != nil) != c.want {
			t.Errorf("%s: tabulated is %v", name, op.pick != nil)
		}
	}
}

// TestStatesButNoBias runs a layer that is given all but B.
func TestStatesButNoBias(t *testing.T) {
	m := layer("LSTM", func(m *onnxgraph.Model) {
		m.Graph.Nodes[0].Inputs = []string{"x", "W", "R", "", "", "h0", "c0"}
		m.Graph.Initializers = append(m.Graph.Initializers, floats("h0", 1, 2, 2), floats("c0", 1, 2, 2))
	})
	in := tensors{"x": valueOf(floats("x", 4, 2, 3))}
	got := run(t, open(t, m), in)
	m.Graph.Nodes[0].Inputs[3] = "zero"
	m.Graph.Initializers = append(m.Graph.Initializers, onnxgraph.Tensor{
		Name: "zero", Tensor: tensor.Tensor{Shape: []int{1, 16}, Data: make([]float32, 16)},
	})
	want := run(t, open(t, m), in)
	for out := range want {
		if err := onnxtest.Compare(got[out], want[out], 0, 0); err != nil {
			t.Errorf("%s: %v", out, err)
		}
	}
}
