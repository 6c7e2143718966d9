package reading

import (
	"fmt"
	"math"
	"slices"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// bounds is what the operators of a graph tell of the elements of a value.
type bounds struct {
	low, high float64
	constant  bool // the same at each run
	linear    bool // a linear layer computes it, which has no bounds by design
	integer   bool
	index     bool   // the place of one among several
	softmax   bool   // a Softmax computes it, or what it is computed from
	picked    bool   // each is the largest or smallest of several
	above     string // a value that is not negative, and nowhere larger
}

var unknown = bounds{low: math.Inf(-1), high: math.Inf(1)}

// spans tells whether the bounds are low and high, but for a tenth of what lies
// between.
func (b bounds) spans(low, high float64) bool {
	unit := high - low
	return b.low >= low-rounding*unit && b.low <= low+unit/10 && b.high <= high+rounding*unit && b.high >= high-unit/10
}

// free tells whether nothing holds the values within bounds, and examples have
// both signs and leave -1 to 1.
func (b bounds) free(examples [][]float64) bool {
	positive := func(v float64) bool { return v >= 0 }
	negative := func(v float64) bool { return v <= 0 }
	small := func(v float64) bool { return math.Abs(v) <= 1+rounding }
	return b.low < -1-rounding && b.high > 1+rounding && !b.integer &&
		!always(examples, positive) && !always(examples, negative) && !always(examples, small)
}

// refuse says what the values are like.
func (b bounds) refuse(examples [][]float64) error {
	low, high := math.Inf(1), math.Inf(-1)
	for _, row := range examples {
		low, high = min(low, slices.Min(row)), max(high, slices.Max(row))
	}
	kind := "numbers"
	if b.integer {
		kind = "whole numbers"
	}
	return fmt.Errorf("%s that lay between %.4g and %.4g in experiments, which may be logits or not", kind, low, high)
}

// join returns bounds of what is either a or b.
func join(a, b bounds) bounds {
	linear := (a.linear || b.linear) && (a.linear || a.constant) && (b.linear || b.constant)
	return bounds{
		low: min(a.low, b.low), high: max(a.high, b.high), constant: a.constant && b.constant, linear: linear,
		integer: a.integer && b.integer, index: a.index && b.index, softmax: a.softmax || b.softmax, picked: a.picked || b.picked,
	}
}

// boundsOf returns the bounds of the outputs of m.
func boundsOf(m *onnxgraph.Model) map[string]bounds {
	s := &survey{known: map[string]bounds{}, weights: map[string]onnxgraph.Tensor{}}
	s.graph(&m.Graph)
	found := map[string]bounds{}
	for _, out := range m.Graph.Outputs {
		found[out.Name] = s.of(out.Name)
	}
	return found
}

// survey has the bounds of the values of a graph, as far as it has gone through
// the nodes.
type survey struct {
	known   map[string]bounds
	weights map[string]onnxgraph.Tensor
	outer   *survey
}

func (s *survey) of(name string) bounds {
	for ; s != nil; s = s.outer {
		if b, ok := s.known[name]; ok {
			return b
		}
	}
	return unknown
}

func (s *survey) weight(name string) onnxgraph.Tensor {
	for ; s != nil; s = s.outer {
		if t, ok := s.weights[name]; ok {
			return t
		}
	}
	return onnxgraph.Tensor{}
}

func (s *survey) graph(g *onnxgraph.Graph) {
	for _, in := range g.Inputs {
		s.known[in.Name] = unknown
	}
	for _, t := range g.Initializers {
		s.tensor(t.Name, t)
	}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		for k, name := range n.Outputs {
			if name != "" {
				s.known[name] = s.output(n, k)
			}
		}
		if value, _ := n.Attribute("value"); n.OpType == "Constant" && len(n.Outputs) == 1 {
			if t, ok := value.(onnxgraph.Tensor); ok {
				s.tensor(n.Outputs[0], t)
			}
		}
	}
}

// tensor notes a constant.
func (s *survey) tensor(name string, t onnxgraph.Tensor) {
	s.weights[name] = t
	b := bounds{low: math.Inf(1), high: math.Inf(-1), constant: true}
	for _, v := range numbers(t) {
		b.low, b.high = min(b.low, v), max(b.high, v)
	}
	if !(b.low <= b.high) {
		b.low, b.high = unknown.low, unknown.high
	}
	s.known[name] = b
}

// numbers returns the elements of a constant, none of types without numbers.
func numbers(t onnxgraph.Tensor) []float64 {
	switch data := t.Data.(type) {
	case []float32:
		return floats(data)
	case []float64:
		return data
	case []int64:
		return floats(data)
	case []int32:
		return floats(data)
	case []uint8:
		return floats(data)
	case []onnxgraph.Half:
		list := make([]float64, len(data))
		for i, v := range data {
			list[i] = float64(v.Float32())
		}
		return list
	}
	return nil
}

func floats[T float32 | int64 | int32 | uint8](data []T) []float64 {
	list := make([]float64, len(data))
	for i, v := range data {
		list[i] = float64(v)
	}
	return list
}

// output returns the bounds of an output of a node.
func (s *survey) output(n *onnxgraph.Node, k int) bounds {
	ins := make([]bounds, len(n.Inputs))
	for i, name := range n.Inputs {
		ins[i] = s.of(name)
		ins[i].constant = ins[i].constant || name == ""
	}
	rule, ok := rules[n.OpType]
	switch {
	case n.OpType == "If":
		return s.branches(n, k)
	case n.OpType == "TopK" && k == 1:
		return index(s, n, ins)
	case n.OpType == "DynamicQuantizeLinear" && k > 0:
		return bounds{low: 0, high: math.Inf(1), constant: true} // scale and zero point, of which answers have a multiple
	case ok && len(ins) > 0 && (k == 0 || n.OpType == "Split" || recurrent[n.OpType]):
		b := rule(s, n, ins)
		if math.IsNaN(b.low) || math.IsNaN(b.high) {
			b.low, b.high = unknown.low, unknown.high
		}
		return b
	case n.OpType == "Constant":
		return constantOf(n)
	}
	return unknown
}

// constantOf returns the bounds of a Constant that has no tensor.
func constantOf(n *onnxgraph.Node) bounds {
	for _, name := range []string{"value_float", "value_int"} {
		switch v, _ := n.Attribute(name); v := v.(type) {
		case float32:
			return bounds{low: float64(v), high: float64(v), constant: true}
		case int64:
			return bounds{low: float64(v), high: float64(v), constant: true}
		}
	}
	return bounds{low: unknown.low, high: unknown.high, constant: true}
}

// branches returns the bounds of an output of an If.
func (s *survey) branches(n *onnxgraph.Node, k int) bounds {
	var all []bounds
	for _, a := range n.Attributes {
		g, ok := a.Value.(*onnxgraph.Graph)
		if !ok || k >= len(g.Outputs) {
			continue
		}
		inner := &survey{known: map[string]bounds{}, weights: map[string]onnxgraph.Tensor{}, outer: s}
		inner.graph(g)
		all = append(all, inner.of(g.Outputs[k].Name))
	}
	if len(all) == 0 {
		return unknown
	}
	b := all[0]
	for _, other := range all[1:] {
		b = join(b, other)
	}
	return b
}

// isMean tells whether each column of a matrix takes a mean of the rows, with any
// weights.
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

// times is a product, in which 0 makes 0 of infinity.
func times(a, b float64) float64 {
	if a == 0 || b == 0 {
		return 0
	}
	return a * b
}
