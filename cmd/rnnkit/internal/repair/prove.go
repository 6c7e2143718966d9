package repair

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// prover checks that a model is right at other times than the exported one. Running
// there is not enough: a loop that the exporter unrolled, or a constant derived from
// the time, gives wrong answers without an error. So each operator that reads the
// time needs a rule; prover returns an error for an operator without one.
type prover struct {
	ctx      context.Context
	trace    *trace
	original *onnxgraph.Graph // errors name its nodes
	time     size
	example  int // the time of the export, or 0 if the file does not say

	locals map[string]onnxgraph.Tensor // constants of the current subgraph
	summed map[string]bool             // sums over the time that are not yet divided by it
	made   map[string]bool             // values with a dimension that a constant made as long as the time
	reads  map[string]int              // number of products that use each weight
	seen   map[string]bool             // constants whose computation was checked
	visits int                         // values visited while following a padding
}

// prove returns an error that names the first node not known to be right at other
// times.
func (p *prover) prove() error {
	p.summed, p.made, p.reads, p.seen = map[string]bool{}, map[string]bool{}, map[string]int{}, map[string]bool{}
	nodes := p.trace.graph.Nodes
	for i := range nodes {
		n := &nodes[i]
		if err := p.ctx.Err(); err != nil {
			return err
		}
		if len(n.Outputs) == 0 || p.trace.constants[n.Outputs[0]] {
			continue
		}
		if err := p.node(n); err != nil {
			return fmt.Errorf("%s: %w", p.describe(i), err)
		}
	}
	for i := range nodes {
		if p.ctx.Err() != nil {
			return p.ctx.Err()
		}
		if times := p.reads[p.weight(&nodes[i])]; p.isUnrolled(times) {
			return fmt.Errorf("%s: its weights are read %d times, as by steps that are taken one by one", p.describe(i), times)
		}
	}
	return p.outputs()
}

// describe names a node by its index in the original.
func (p *prover) describe(i int) string {
	n := &p.trace.graph.Nodes[i]
	at := slices.IndexFunc(p.original.Nodes, func(o onnxgraph.Node) bool { return slices.Contains(o.Outputs, n.Outputs[0]) })
	if at < 0 {
		at = i
	}
	return describe(at, n)
}

// node applies the rules to a node of the main graph.
func (p *prover) node(n *onnxgraph.Node) error {
	if err := p.constants(n); err != nil {
		return err
	}
	p.follow(n)
	rule, known := rules[n.OpType]
	switch meets := p.meets(n); {
	case known && rule != nil && (meets || always[n.OpType]):
		return rule(p, n)
	case meets && (!known || n.Domain != "" && n.Domain != "ai.onnx"):
		return errors.New("how it treats the time is not known")
	}
	return nil
}

// always holds the operators that can make a dimension as long as the example's time.
// Their rules apply even if they do not read the time.
var always = set("Loop", "Scan", "If", "Expand", "Tile", "ConstantOfShape", "Concat", "RNN", "LSTM", "GRU")

// meets reports whether n reads or writes a value with a dimension that depends on
// the time.
func (p *prover) meets(n *onnxgraph.Node) bool {
	return slices.ContainsFunc(slices.Concat(n.Inputs, n.Outputs), p.varies)
}

func (p *prover) varies(name string) bool {
	return slices.ContainsFunc(p.trace.shapes[name], moves)
}

// moves reports whether a size depends on the time.
func moves(s size) bool { return s[0] != s[2] || s[1] != s[3] }

// ofTimeAlone reports whether a size does not depend on the batch.
func ofTimeAlone(s size) bool { return s[0] == s[1] && s[2] == s[3] }

// follow records what the outputs of n inherit from its inputs.
func (p *prover) follow(n *onnxgraph.Node) {
	if w := p.weight(n); w != "" {
		p.reads[w]++
	}
	given := slices.ContainsFunc(n.Inputs, func(name string) bool { // no constant makes it
		return !p.made[name] && name != "" && len(n.Outputs) > 0 && slices.Equal(p.trace.shapes[name], p.trace.shapes[n.Outputs[0]])
	})
	for k, name := range n.Inputs {
		if p.made[name] && !given && !n.Is(onnxgraph.Control) && !(n.Is(onnxgraph.Recurrent) && k >= 4) {
			p.note(p.made, n)
		}
		if p.summed[name] && isLinear(n) {
			p.note(p.summed, n)
		}
	}
}

func (p *prover) note(values map[string]bool, n *onnxgraph.Node) {
	for _, name := range named(n.Outputs) {
		values[name] = true
	}
}

// isLinear reports whether n passes a sum on, up to a factor.
func isLinear(n *onnxgraph.Node) bool {
	return n.Is(onnxgraph.Reshapes) || n.IsOp("Add", "Sub", "Mul", "Div", "Neg", "Sqrt", "Expand", "Transpose")
}

// weight returns the initializer that n multiplies by, or "".
func (p *prover) weight(n *onnxgraph.Node) string {
	if n.OpType != "MatMul" && n.OpType != "Gemm" || len(n.Inputs) < 2 {
		return ""
	}
	for _, name := range n.Inputs[:2] {
		if p.trace.constants[name] {
			return p.source(name)
		}
	}
	return ""
}

// source returns the constant that another constant is computed from.
func (p *prover) source(name string) string {
	for range len(p.trace.graph.Nodes) {
		n := p.producer(name)
		if n == nil || !n.Is(onnxgraph.Reshapes) && !n.IsOp("Transpose", "Slice") {
			break
		}
		name = n.Inputs[0]
	}
	return name
}

func (p *prover) producer(name string) *onnxgraph.Node { return p.trace.scope.Producer(name) }

// isUnrolled reports whether a number of reads of a weight suggests unrolled steps. Two
// reads may be two branches, unless the time was short.
func (p *prover) isUnrolled(times int) bool {
	return times > 2 || times == 2 && p.example > 0 && p.example <= 5
}

// outputs returns an error for an output with a dimension that a constant made as
// long as the time.
func (p *prover) outputs() error {
	for _, v := range p.trace.graph.Outputs {
		for axis, s := range p.trace.shapes[v.Name] {
			if p.made[v.Name] && s.isFixed() && p.isPart(s[0]) {
				return fmt.Errorf("output %q: dimension %d is %d whatever the time is, which was %d", v.Name, axis, s[0], p.example)
			}
		}
	}
	return nil
}

// isLength reports whether n may be a number of steps.
func (p *prover) isLength(n int64) bool {
	t := int64(p.example)
	return t > 1 && n > 1 && (n >= t-1 && n <= t+1 || n == 2*t)
}

// isPart reports whether n may be the time, a half or a third of it, or a multiple.
func (p *prover) isPart(n int) bool {
	t := p.example
	return t > 1 && n > 1 && (p.isLength(int64(n)) || n%t == 0 || n == t/2 || n == (t+1)/2 || n > 2 && t%n == 0)
}

// value returns the elements of a constant as numbers.
func (p *prover) value(name string) (onnxgraph.Tensor, []float64, bool) {
	tensor, ok := p.locals[name]
	if !ok {
		tensor, ok = p.trace.constant(p.ctx, name)
	}
	if !ok {
		return tensor, nil, false
	}
	return tensor, numbers(tensor.Tensor), true
}

// maxNumbers is the most elements of a constant that the prover examines.
const maxNumbers = 1 << 16

// numbers returns the elements of t. It returns nil for more than maxNumbers, and for
// quantized weights and booleans, which are never numbers of steps.
func numbers(t tensor.Tensor) []float64 {
	if t.Len() > maxNumbers || t.Type() == tensor.Uint8 || t.Type() == tensor.Bool {
		return nil
	}
	return t.Float64s()
}

// uniform returns the number that all elements of a value equal, and whether there is
// one. The shape of the value may depend on the input.
func (p *prover) uniform(name string) (float64, bool) {
	if _, list, ok := p.value(name); ok {
		if len(list) == 0 || slices.ContainsFunc(list, func(v float64) bool { return v != list[0] }) {
			return 0, false
		}
		return list[0], true
	}
	n := p.producer(name)
	switch {
	case n == nil:
		return 0, false
	case n.OpType == "ConstantOfShape":
		value, _ := n.Attribute("value")
		t, _ := value.(onnxgraph.Tensor)
		return slices.Concat(numbers(t.Tensor), []float64{0})[0], true
	case (n.Is(onnxgraph.Reshapes) || n.IsOp("Expand", "Tile")) && n.Inputs[0] != name:
		return p.uniform(n.Inputs[0])
	}
	return 0, false
}

// ints returns the constant integers of an input, or of the attribute that older
// opsets use.
func (p *prover) ints(n *onnxgraph.Node, input int, attribute string) (list []int64, constant bool) {
	if value, ok := n.Attribute(attribute); ok {
		list, constant = value.([]int64)
		return list, constant
	}
	if input >= len(n.Inputs) || n.Inputs[input] == "" {
		return nil, true
	}
	t, _, ok := p.value(n.Inputs[input])
	switch data := t.Data.(type) {
	case []int64:
		return data, ok
	case []int32:
		for _, v := range data {
			list = append(list, int64(v))
		}
	}
	return list, ok
}

func set(names ...string) map[string]bool {
	all := map[string]bool{}
	for _, name := range names {
		all[name] = true
	}
	return all
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-6*math.Abs(b) }
