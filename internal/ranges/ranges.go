// Package ranges finds by interval arithmetic between which numbers the outputs of an
// ONNX graph lie, and what else its operators say about them: that a Softmax computes
// them, that they are whole numbers, that a linear layer does.
package ranges

import (
	"math"
	"slices"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// Range says what the operators of a graph tell about the elements of a value.
type Range struct {
	Low, High float64
	Constant  bool   // the same in each run
	Linear    bool   // computed by a linear layer, which has no limits by design
	Integer   bool   // whole numbers
	Index     bool   // the position of one element among several
	Softmax   bool   // computed by a Softmax, or from what one computes
	Extreme   bool   // each is the largest or smallest of several
	atLeast   string // the name of a value that is not negative and nowhere larger
}

// rounding is by how much a sum of weights may miss 1.
const rounding = 1e-4

var unknown = Range{Low: math.Inf(-1), High: math.Inf(1)}

// union returns the range of what is either a or b.
func union(a, b Range) Range {
	linear := (a.Linear || b.Linear) && (a.Linear || a.Constant) && (b.Linear || b.Constant)
	return Range{
		Low: min(a.Low, b.Low), High: max(a.High, b.High), Constant: a.Constant && b.Constant, Linear: linear,
		Integer: a.Integer && b.Integer, Index: a.Index && b.Index, Softmax: a.Softmax || b.Softmax, Extreme: a.Extreme || b.Extreme,
	}
}

// Of returns the ranges of the outputs of m, by name. An operator that it does not know
// has an unlimited range.
func Of(m *onnxgraph.Model) map[string]Range {
	s := newAnalysis(rules(), nil)
	s.graph(&m.Graph)
	found := map[string]Range{}
	for _, out := range m.Graph.Outputs {
		found[out.Name] = s.of(out.Name)
	}
	return found
}

// analysis holds the ranges of the values of a graph, from its first node to the one
// that it has reached.
type analysis struct {
	rules   map[string]rule
	known   map[string]Range
	weights map[string]onnxgraph.Tensor
	outer   *analysis // of the graph around this one, nil for none
}

func newAnalysis(rules map[string]rule, outer *analysis) *analysis {
	return &analysis{rules: rules, known: map[string]Range{}, weights: map[string]onnxgraph.Tensor{}, outer: outer}
}

func (s *analysis) of(name string) Range {
	for ; s != nil; s = s.outer {
		if b, ok := s.known[name]; ok {
			return b
		}
	}
	return unknown
}

func (s *analysis) weight(name string) onnxgraph.Tensor {
	for ; s != nil; s = s.outer {
		if t, ok := s.weights[name]; ok {
			return t
		}
	}
	return onnxgraph.Tensor{}
}

func (s *analysis) graph(g *onnxgraph.Graph) {
	for _, in := range g.Inputs {
		s.known[in.Name] = unknown
	}
	for _, t := range g.Initializers {
		s.constant(t.Name, t)
	}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		for k, name := range n.Outputs {
			if name != "" {
				s.known[name] = s.output(n, k)
			}
		}
		if t, ok := n.Constant(); ok && len(n.Outputs) == 1 {
			s.constant(n.Outputs[0], t)
		}
	}
}

// constant records the range of a constant.
func (s *analysis) constant(name string, t onnxgraph.Tensor) {
	s.weights[name] = t
	b := Range{Low: math.Inf(1), High: math.Inf(-1), Constant: true}
	for _, v := range t.Float64s() {
		b.Low, b.High = min(b.Low, v), max(b.High, v)
	}
	if !(b.Low <= b.High) {
		b.Low, b.High = unknown.Low, unknown.High
	}
	s.known[name] = b
}

// output returns the range of output k of a node.
func (s *analysis) output(n *onnxgraph.Node, k int) Range {
	ins := make([]Range, len(n.Inputs))
	for i, name := range n.Inputs {
		ins[i] = s.of(name)
		ins[i].Constant = ins[i].Constant || name == ""
	}
	rule, ok := s.rules[n.OpType]
	switch {
	case n.OpType == "If":
		return s.branches(n, k)
	case n.OpType == "TopK" && k == 1:
		return position(s, n, ins)
	case n.OpType == "DynamicQuantizeLinear" && k > 0:
		return Range{Low: 0, High: math.Inf(1), Constant: true} // the scale and the zero point, which cancel out
	case ok && len(ins) > 0 && (k == 0 || n.OpType == "Split" || n.Is(onnxgraph.Recurrent)):
		b := rule(s, n, ins)
		if math.IsNaN(b.Low) || math.IsNaN(b.High) {
			b.Low, b.High = unknown.Low, unknown.High
		}
		return b
	case n.OpType == "Constant":
		return Range{Low: unknown.Low, High: unknown.High, Constant: true} // where graph does not know its elements
	}
	return unknown
}

// branches returns the range of output k of an If.
func (s *analysis) branches(n *onnxgraph.Node, k int) Range {
	var all []Range
	for _, a := range n.Attributes {
		g, ok := a.Value.(*onnxgraph.Graph)
		if !ok || k >= len(g.Outputs) {
			continue
		}
		inner := newAnalysis(s.rules, s)
		inner.graph(g)
		all = append(all, inner.of(g.Outputs[k].Name))
	}
	if len(all) == 0 {
		return unknown
	}
	b := all[0]
	for _, other := range all[1:] {
		b = union(b, other)
	}
	return b
}

// isMean reports whether each column of a matrix has weights that are not negative and
// sum to 1, so that a product with it is a weighted mean.
func isMean(w []float64, rows, columns int, transposed bool) bool {
	if len(w) == 0 || len(w) != rows*columns || slices.Min(w) < 0 {
		return false
	}
	for j := range columns {
		sum := 0.0
		for i := range rows {
			if transposed {
				sum += w[j*rows+i]
			} else {
				sum += w[i*columns+j]
			}
		}
		if math.Abs(sum-1) > rounding {
			return false
		}
	}
	return true
}

// times returns a*b, where 0 times infinity is 0.
func times(a, b float64) float64 {
	if a == 0 || b == 0 {
		return 0
	}
	return a * b
}
