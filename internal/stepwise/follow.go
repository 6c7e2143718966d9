package stepwise

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// kind is how a value depends on the steps of the sequence.
type kind int

const (
	unknown   kind = iota // it depends on a node that is refused
	invariant             // it is the same for every step
	counting              // it depends on how many steps there are, and on nothing else of them
	perStep               // it has a part for each step, which knows that step and those before
	lastStep              // it knows the last step, and those before
)

// value is what is known of a value of a graph.
type value struct {
	kind    kind
	type_   onnxgraph.DataType
	dims    []size // nil if not even their number is known
	axis    int    // the dimension that is the time, of a value for every step
	outer   size   // what comes before the time within that dimension
	before  int64  // how many steps of a state come before those of the sequence
	ints    []size // the elements of a small tensor of integers or truths, nil if not known
	missing bool   // it is an input that is left out
}

// maxRank and maxInts limit what is kept of a value.
const (
	maxRank = 16
	maxInts = 64
)

// analysis follows the steps of a sequence through a graph.
type analysis struct {
	opset     int64
	values    map[string]value
	fromState map[string]bool // values that are computed from input states
	outer     *analysis       // of the graph around, of a graph of a node
	next      rune            // the next symbol
	symbols   map[string]rune
	stateful  []statefulNode
	read      bool  // a recurrent node reads the steps
	other     bool  // one reads them as something else: rows, features or weights
	err       error // why the graph cannot go step by step, the first reason
}

// statefulNode is a node that keeps a state from step to step.
type statefulNode struct {
	node  *onnxgraph.Node
	slots []slot
}

// slot is a state of a stateful node.
type slot struct {
	input, output int // the places of the state before the steps and after them
	value         value
	begins        bool // the graph says what it is before the first step
}

// fresh returns a size that is not known to equal any other.
func (f *analysis) fresh() size {
	f.next++
	return size{factor: 1, symbols: string(f.next)}
}

// symbol returns the size that a graph calls by that name.
func (f *analysis) symbol(name string) size {
	r, ok := f.symbols[name]
	if !ok {
		f.next++
		r = f.next
		f.symbols[name] = r
	}
	return size{factor: 1, symbols: string(r)}
}

// refuse keeps the first reason why the graph cannot run step by step.
func (f *analysis) refuse(n *onnxgraph.Node, why error) {
	if f.err == nil {
		f.err = fmt.Errorf("node %q (%s) %w", nameOf(n), n.OpType, why)
	}
}

// nameOf returns the name of a node, or of its first output if it has none.
func nameOf(n *onnxgraph.Node) string {
	if n.Name == "" && len(n.Outputs) > 0 {
		return n.Outputs[0]
	}
	return n.Name
}

// graph follows the nodes of g that outputs depend on.
func (f *analysis) graph(g *onnxgraph.Graph) {
	for i := range g.Initializers {
		if t := &g.Initializers[i]; f.values[t.Name].kind == unknown { // else it is the default of an input
			f.values[t.Name] = constant(*t)
		}
	}
	needed := neededNodes(g)
	for i := range g.Nodes {
		if needed[i] {
			f.node(&g.Nodes[i])
		}
	}
}

// neededNodes reports which nodes the outputs of g depend on.
func neededNodes(g *onnxgraph.Graph) []bool {
	wanted := map[string]bool{}
	for _, v := range g.Outputs {
		wanted[v.Name] = true
	}
	needed := make([]bool, len(g.Nodes))
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		n := &g.Nodes[i]
		if slices.ContainsFunc(n.Outputs, func(name string) bool { return name != "" && wanted[name] }) {
			needed[i] = true
			for _, name := range n.Reads() {
				wanted[name] = true
			}
		}
	}
	return needed
}

// constant returns the value of a tensor of the file.
func constant(t onnxgraph.Tensor) value {
	v := value{kind: invariant, type_: t.Type(), dims: []size{}}
	for _, d := range t.Shape {
		v.dims = append(v.dims, fixed(int64(d)))
	}
	if len(t.Shape) > 1 {
		return v
	}
	switch data := t.Data.(type) {
	case []int64:
		v.ints = numbers(data)
	case []int32:
		v.ints = numbers(data)
	case []float32:
		if len(data) == 1 && data[0] == float32(int32(data[0])) {
			v.ints = numbers([]int32{int32(data[0])})
		}
	case []bool:
		ones := make([]int32, len(data))
		for i := range data {
			if data[i] {
				ones[i] = 1
			}
		}
		v.ints = numbers(ones)
	}
	return v
}

func numbers[T int64 | int32](data []T) []size {
	if len(data) > maxInts {
		return nil
	}
	sizes := make([]size, len(data))
	for i, n := range data {
		sizes[i] = fixed(int64(n))
	}
	return sizes
}

// node sets what is known of the outputs of n.
func (f *analysis) node(n *onnxgraph.Node) {
	in := make([]value, len(n.Inputs))
	most := invariant
	for i, name := range n.Inputs {
		in[i] = f.value(name)
		if name == "" {
			in[i] = value{kind: invariant, missing: true}
		}
		if in[i].kind == unknown {
			return
		}
		most = max(most, in[i].kind)
	}
	c := &call{analysis: f, Node: n, in: in}
	var out []value
	err := errUnknown
	if rule := ruleOf(n); rule != nil {
		out, err = rule(c)
	}
	if len(n.Subgraphs()) == 0 && most <= counting {
		if err != nil { // nothing in it can be mixed
			out, err = nil, nil
		}
		for len(out) < len(n.Outputs) {
			out = append(out, value{kind: most})
		}
		for i := range out {
			if out[i].ints == nil { // else the elements tell
				out[i].kind = max(out[i].kind, most)
			}
		}
	}
	if err != nil {
		f.refuse(n, err)
	}
	for i, name := range n.Outputs {
		switch {
		case name == "" || i >= len(out):
		case out[i].kind == perStep && out[i].axis >= len(out[i].dims):
			f.refuse(n, errShape)
		default:
			f.set(name, c.finish(out[i]))
		}
	}
}

// value returns what is known of the value of that name, in f's graph or one around.
func (f *analysis) value(name string) value {
	for ; f != nil; f = f.outer {
		if v, ok := f.values[name]; ok {
			return v
		}
	}
	return value{}
}

func (f *analysis) set(name string, v value) {
	if len(v.dims) > maxRank {
		v = value{}
	}
	if len(v.ints) > maxInts {
		v.ints = nil
	}
	f.values[name] = v
}

var errUnknown = errors.New("is not known to treat each step alone")

// call is a node with what is known of its inputs.
type call struct {
	*analysis
	*onnxgraph.Node
	in []value
}

// finish sets the type of an output.
func (c *call) finish(v value) value {
	if v.type_ != onnxgraph.Undefined {
		return v
	}
	from := 0
	switch c.OpType {
	case "Cast":
		v.type_ = onnxgraph.TypeOf(c.Int("to", 0))
		return v
	case "Where", "DequantizeLinear", "DynamicQuantizeLSTM":
		from = 1
	}
	if from < len(c.in) {
		v.type_ = c.in[from].type_
	}
	return v
}

// input returns the value of an input, which may be left out.
func (c *call) input(i int) value {
	if i < len(c.in) {
		return c.in[i]
	}
	return value{kind: invariant, missing: true}
}

// list returns integers that are an attribute in older opsets and now an input. It
// is not ok if they are not known, and nil if there are none.
func (c *call) list(name string, input int) (list []size, ok bool) {
	if v := c.input(input); !v.missing {
		return v.ints, v.ints != nil
	}
	return numbers(c.Ints(name)), true
}

// axes returns axes of a value of that rank, from 0.
func axes(list []size, rank int) ([]int, error) {
	var all []int
	for _, s := range list {
		axis, ok := s.fixed()
		if axis < 0 {
			axis += int64(rank)
		}
		if !ok || axis < 0 || axis >= int64(rank) {
			return nil, errShape
		}
		all = append(all, int(axis))
	}
	return all, nil
}

// axis returns the axis that an attribute names, from 0.
func (c *call) axis(standard int64, rank int) (int, error) {
	all, err := axes([]size{fixed(c.Int("axis", standard))}, rank)
	if err != nil {
		return 0, err
	}
	return all[0], nil
}

var (
	errShape    = errors.New("has a shape in which the time cannot be followed")
	errCount    = errors.New("computes with the number of steps")
	errCombines = errors.New("combines the last step with those before it")
	errMixes    = errors.New("mixes the steps")
	errSelects  = errors.New("selects steps other than the last")
	errFixed    = errors.New("reads a constant that has a value for each step")
)

// like returns a value like v with other dimensions, of which axis is the time.
func (v value) like(dims []size, axis int) value {
	return value{kind: v.kind, type_: v.type_, dims: dims, axis: axis, outer: v.outer, before: v.before}
}

// isTime reports whether an axis is the time of v.
func (v value) isTime(axis int) bool { return v.kind == perStep && v.axis == axis }

// whole reports whether the time is a dimension by itself.
func (v value) whole() bool { return v.dims[v.axis] == stepCount }
