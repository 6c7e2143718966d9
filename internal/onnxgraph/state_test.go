package onnxgraph_test

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/onnxtest"
	"github.com/rnnkit/rnnkit/internal/testenv"
)

// graphOf parses the inputs and outputs with their shapes, all float32, as in "x:2,3
// h:4 -> y:2,3 hn:4". One node per line follows: "Y, hn = GRU(x, w, r, , , h)".
func graphOf(t *testing.T, text string) *onnxgraph.Model {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(text), "\n")
	in, out, _ := strings.Cut(lines[0], "->")
	m := &onnxgraph.Model{IRVersion: 8, Graph: onnxgraph.Graph{Inputs: values(t, in), Outputs: values(t, out)}}
	for _, line := range lines[1:] {
		outputs, call, _ := strings.Cut(line, "=")
		op, arguments, _ := strings.Cut(strings.TrimSuffix(strings.TrimSpace(call), ")"), "(")
		n := onnxgraph.Node{OpType: op, Inputs: list(arguments), Outputs: list(outputs)}
		if op, ok := strings.CutPrefix(op, "bi"); ok {
			n.OpType, n.Attributes = op, []onnxgraph.Attribute{{Name: "direction", Value: "bidirectional"}}
		}
		m.Graph.Nodes = append(m.Graph.Nodes, n)
	}
	return m
}

func list(text string) (names []string) {
	for name := range strings.SplitSeq(text, ",") {
		names = append(names, strings.TrimSpace(name))
	}
	return names
}

func values(t *testing.T, text string) (values []onnxgraph.Value) {
	for _, field := range strings.Fields(text) {
		name, dims, _ := strings.Cut(field, ":")
		v := onnxgraph.Value{Name: name, Type: onnxgraph.Float32}
		for dim := range strings.SplitSeq(dims, ",") {
			var d onnxgraph.Dim
			if _, err := fmt.Sscan(dim, &d.Size); err != nil {
				d.Symbol = dim
			}
			v.Shape = append(v.Shape, d)
		}
		values = append(values, v)
	}
	return values
}

func TestStatePairs(t *testing.T) {
	for name, test := range map[string]struct{ graph, want string }{
		"names that say nothing": {`
			p:t,b,2 q:1,b,4 r:1,b,4 -> s:1,b,4 u:1,b,4 v:t,b,4
			v, u, s = LSTM(p, w, r0, b0, , r, q)`, "q=s r=u"},
		"two layers in one tensor": {`
			x:t,b,2 h:2,b,4 -> y:t,b,4 z:2,b,4
			h1 = Slice(h, k0, k1)
			h2 = Slice(h, k1, k2)
			y1, z1 = GRU(x, w, r, b, , h1)
			y, z2 = GRU(y1, w, r, b, , h2)
			z = Concat(z1, z2)`, "h=z"},
		"h and c in one tensor": {`
			x:t,b,4 s:2,1,b,4 -> m:t,b,4 n:2,1,b,4
			h = Gather(s, zero)
			c = Gather(s, one)
			m, h1, c1 = LSTM(x, w, r, b, , h, c)
			h2 = Unsqueeze(h1, axes)
			c2 = Unsqueeze(c1, axes)
			n = Concat(h2, c2)`, "s=n"},
		"the last state also goes into the answer": {`
			x:t,b,4 h1:1,b,4 h2:1,b,4 -> all:2,b,4 n1:1,b,4 n2:1,b,4
			y, n1 = GRU(x, w, r, b, , h1)
			z, n2 = GRU(y, w, r, b, , h2)
			all = Concat(n2, n1)`, "h1=n1 h2=n2"},
		"an answer of the input's shape": {`
			x:1,b,4 h:1,b,4 -> y:1,b,4 z:1,b,4
			y1, z = RNN(x, w, r, b, , h)
			y = Sigmoid(y1)`, "h=z"},
		"a cache that is shifted": {`
			x:b,1,4 a:b,3,4 -> y:b,1,4 e:b,3,4
			f = Concat(a, x)
			e = Slice(f, k0, k1)
			y = Conv(f, w)`, "a=e"},
		"two layers that begin alike": {`
			x:t,b,2 h:1,b,4 -> y:t,b,4 u:1,b,4 v:1,b,4
			z, u = GRU(x, w, r, b, , h)
			y, v = GRU(z, w, r, b, , h)`, ""},
		"copied is not shifted": {`
			x:b,1,4 a:b,3,4 -> y:b,1,4 e:b,3,4
			e = Identity(a)
			y = Conv(x, w)`, ""},
		"a sequence that goes on is no cache": {`
			x:b,t,4 a:b,u,4 -> y:b,1,4 e:b,v,4
			e = Concat(a, x)
			y = Conv(e, w)`, ""},
		"cells by hand, with names": {`
			x:b,2 prev_h:b,4 c_in:b,4 mask:b,4 -> y:b,2 new_c:b,4 mask_out:b,4 h:b,4
			h = Tanh(prev_h)
			new_c = Mul(c_in, x)`, "prev_h=h c_in=new_c"},
		"names of PyTorch's cells": {"x:b,2 hx:b,4 cx:b,4 -> y:b,2 hy:b,4 cy:b,4", "hx=hy cx=cy"},
		"names of times":           {"x:b,2 h_tm1:b,4 c_prev:b,4 -> y:b,2 c_t:b,4 h_t:b,4", "h_tm1=h_t c_prev=c_t"},
		"names without a state":    {"audio_in:1,8 input_3:1,8 -> audio_out:1,8 output_3:1,8", ""},
		"the only input":           {"state:1,8 -> state_out:1,8", ""},
		"another shape":            {"x:1 h0:1,4 -> y:1 hn:1,5", ""},
		"a weight of the state": {`
			x:t,b,2 -> y:t,b,4 z:1,b,4
			y, z = GRU(x, w, r, b, , h)`, ""},
		"both directions": {`
			x:t,b,2 h:2,b,4 -> y:t,b,4 z:2,b,4
			y, z = biGRU(x, w, r, b, , h)`, "h=z backward"},
	} {
		m := graphOf(t, strings.ReplaceAll(test.graph, "\t", ""))
		if got := describe(onnxgraph.StatePairs(m)); got != test.want {
			t.Errorf("%s: %q, not %q", name, got, test.want)
		}
		if m.Graph.Backward() != strings.Contains(test.want, "backward") {
			t.Errorf("%s: backward is %v", name, m.Graph.Backward())
		}
	}
}

func describe(pairs []onnxgraph.StatePair) string {
	var texts []string
	for _, p := range pairs {
		text := p.Input + "=" + p.Output
		if p.Backward {
			text += " backward"
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, " ")
}

// TestComputedBy follows values through moves and into both branches of an If.
func TestComputedBy(t *testing.T) {
	branch := func(op string) *onnxgraph.Graph {
		m := graphOf(t, "-> b:1\nb = "+op+"(l)")
		return &m.Graph
	}
	m := graphOf(t, `x:2,3 -> y:2,3
l = MatMul(x, w)
p = If(c)
s = Squeeze(p, axes)
y = Concat(s, l)`)
	m.Graph.Nodes[1].Attributes = []onnxgraph.Attribute{
		{Name: "then_branch", Value: branch("Sigmoid")}, {Name: "else_branch", Value: branch("Tanh")},
	}
	for output, want := range map[string]string{"l": "MatMul", "s": "Sigmoid Tanh", "y": "MatMul Sigmoid Tanh", "x": "", "nothing": ""} {
		got := onnxgraph.ComputedBy(m, output)
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("%s is computed by %v, not %s", output, got, want)
		}
	}
}

// TestWeightsAsInputs reads a file from before IR version 4, which lists weights as
// inputs too.
func TestWeightsAsInputs(t *testing.T) {
	m := graphOf(t, `x:t,b,2 h:1,1,4 -> y:t,b,4 z:1,1,4
y, z = GRU(x, w, r, b, , h)`)
	m.Graph.Initializers = []onnxgraph.Tensor{{Name: "h", Tensor: tensor.Tensor{Shape: []int{1, 1, 4}, Data: make([]float32, 4)}}}
	for version, want := range map[int64]string{3: "", 4: "h=z"} {
		m.IRVersion = version
		if got := describe(onnxgraph.StatePairs(m)); got != want {
			t.Errorf("IR %d: %q, not %q", version, got, want)
		}
	}
}

// TestStatePairsOfModels removes all names from models and compares the pairs found
// with the lists that come with the models.
func TestStatePairsOfModels(t *testing.T) {
	for _, dir := range testenv.SharedModels(t, "models/*") {
		stream, err := onnxtest.ReadStream(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := onnxtest.Model(dir)
		if err != nil {
			t.Fatal(err)
		}
		m, err := onnxgraph.Outline(data)
		if err != nil {
			t.Fatal(err)
		}
		if got := names(onnxgraph.StatePairs(m)); !slices.Equal(got, stream.States) {
			t.Errorf("%s: %v, not %v", dir, got, stream.States)
		}
		anonymous := map[string]string{}
		for i, v := range slices.Concat(m.Graph.Inputs, m.Graph.Outputs) {
			anonymous[v.Name] = fmt.Sprint("value", i)
		}
		rename(&m.Graph, func(name string) string { return cmp.Or(anonymous[name], name) })
		var want [][2]string
		for _, pair := range stream.States {
			want = append(want, [2]string{anonymous[pair[0]], anonymous[pair[1]]})
		}
		if got := names(onnxgraph.StatePairs(m)); !slices.Equal(got, want) {
			t.Errorf("%s without names: %v, not %v", dir, got, want)
		}
	}
}

func names(pairs []onnxgraph.StatePair) (names [][2]string) {
	for _, p := range pairs {
		names = append(names, [2]string{p.Input, p.Output})
	}
	return names
}

// rename changes the names of all values of g.
func rename(g *onnxgraph.Graph, to func(string) string) {
	for i := range g.Inputs {
		g.Inputs[i].Name = to(g.Inputs[i].Name)
	}
	for i := range g.Outputs {
		g.Outputs[i].Name = to(g.Outputs[i].Name)
	}
	for _, n := range g.Nodes {
		for _, names := range [][]string{n.Inputs, n.Outputs} {
			for i, name := range names {
				names[i] = to(name)
			}
		}
		for _, a := range n.Attributes {
			if g, ok := a.Value.(*onnxgraph.Graph); ok {
				rename(g, to)
			}
		}
	}
}

// TestStatePairsEnd searches graphs in which every output depends on every state in
// two ways. It finds all pairs of the small graph. The large graph would exceed the
// limit on visits, so the search gives up.
func TestStatePairsEnd(t *testing.T) {
	if pairs := onnxgraph.StatePairs(entangled(20)); len(pairs) != 20 {
		t.Errorf("%d pairs of 20 states", len(pairs))
	}
	if pairs := onnxgraph.StatePairs(entangled(3000)); len(pairs) > 0 {
		t.Errorf("%d pairs of 3000 states", len(pairs))
	}
}

// entangled returns a graph with n states and n outputs. Each output concatenates all
// last states, and one node reads its own output.
func entangled(n int) *onnxgraph.Model {
	m := &onnxgraph.Model{IRVersion: 8}
	var all []string
	for i := range n {
		name := fmt.Sprint("h", i)
		all = append(all, "n"+name)
		m.Graph.Inputs = append(m.Graph.Inputs, onnxgraph.Value{Name: name})
		m.Graph.Outputs = append(m.Graph.Outputs, onnxgraph.Value{Name: fmt.Sprint("y", i)})
		m.Graph.Nodes = append(m.Graph.Nodes, onnxgraph.Node{
			OpType: "GRU", Inputs: []string{"", "", "", "", "", name}, Outputs: []string{"", "n" + name},
		})
	}
	for i := range n {
		m.Graph.Nodes = append(m.Graph.Nodes, onnxgraph.Node{OpType: "Concat", Inputs: all, Outputs: []string{fmt.Sprint("y", i)}})
	}
	m.Graph.Nodes = append(m.Graph.Nodes, onnxgraph.Node{OpType: "Identity", Inputs: []string{"loop"}, Outputs: []string{"loop"}})
	m.Graph.Outputs = append(m.Graph.Outputs, onnxgraph.Value{Name: "loop"})
	return m
}

// TestOutline compares with the complete model. The outline lacks the elements of
// weights.
func TestOutline(t *testing.T) {
	data, err := os.ReadFile("../../infer/testdata/sine.onnx")
	if err != nil {
		t.Fatal(err)
	}
	outline, err := onnxgraph.Outline(data)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := onnxgraph.Unmarshal(data)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range whole.Graph.Initializers {
		if size, err := tensor.Size(w.Shape); err != nil || size > 64 {
			w.Data = w.Type()
		}
		if o := outline.Graph.Initializers[i]; !reflect.DeepEqual(o, w) {
			t.Errorf("initializer %d is %v, not %v", i, o, w)
		}
	}
	outline.Graph.Initializers, outline.Partial = whole.Graph.Initializers, false
	if !reflect.DeepEqual(outline, whole) {
		t.Error("the rest differs")
	}
	if _, err := onnxgraph.Outline(data[:100]); err == nil {
		t.Error("a part of it went through")
	}
}
