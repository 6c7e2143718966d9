// Package stepwise turns the graph of a model that reads whole sequences into one that
// reads them step by step. It follows the time dimension from an input to the outputs,
// operator by operator. If each operator treats each step alone, only the recurrent
// nodes keep a state between steps, and their states become inputs and outputs of the
// graph. A node that looks ahead, mixes steps or is not known is an error that names it.
package stepwise

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// Plan is what has to change in a graph so that it runs step by step.
type Plan struct {
	// States lists the states that are added, with their names.
	States []onnxgraph.StatePair
	// Begins reports that the graph computes an initial state. Then the first step
	// runs on the graph of Change with first set.
	Begins bool
	// Axes maps the inputs and outputs that have a time dimension to that dimension.
	Axes map[string]int

	shapes   map[string][]onnxgraph.Dim
	stateful []statefulNode
	joined   bool
	taken    map[string]bool // names
	opset    int64
	symbols  map[size]onnxgraph.Dim // that the inputs declare
}

// Changes reports whether the graph must change to run step by step.
func (p *Plan) Changes() bool { return len(p.States) > 0 || len(p.shapes) > 0 }

// ErrNoRecurrence is the error for a graph without a node that keeps a state.
var ErrNoRecurrence = errors.New("no recurrent node of it reads an input step by step")

// Of plans how a model can run step by step. States that are inputs already stay as
// they are. The error names the node that stands in the way.
func Of(m *onnxgraph.Model, states []onnxgraph.StatePair) (_ *Plan, err error) {
	defer func() {
		if p := recover(); p != nil { // none is known
			err = fmt.Errorf("its graph cannot be followed, which is a bug: %v", p)
		}
	}()
	list := candidates(m, states)
	if countNames(&m.Graph)*len(list) > maxNames {
		return nil, errors.New("its graph is too large to be followed")
	}
	s := search{given: len(states) > 0, likeliest: -1, reason: ErrNoRecurrence}
	for _, c := range list {
		f := newAnalysis(m, states, c)
		f.graph(&m.Graph)
		f.checkOutputs(&m.Graph)
		if f.err == nil && f.read && !c.open() {
			f.err = checkExportedSteps(&m.Graph, int64(c.dim.Size), map[string]float64{})
		}
		if err := s.weigh(c, f); err != nil {
			return nil, err
		}
	}
	if s.found == nil {
		return nil, s.reason
	}
	return s.found.plan(m), nil
}

// search finds the time dimension among candidates.
type search struct {
	given bool // the graph has states as inputs; then a fixed size is what its author wants

	found     *analysis // of the time
	time      candidate
	closed    bool // another dimension may be the time, so that no later candidate is
	likeliest int
	reason    error
}

// weigh takes c as the time if f found no error. Two such candidates are an error.
func (s *search) weigh(c candidate, f *analysis) error {
	steps := f.err == nil && f.read
	switch {
	case s.found != nil && (!steps || s.time.open() && !c.open()):
		return nil
	case s.found != nil:
		return fmt.Errorf("its inputs have two sequences, over %s and over %s, of which each may be the one that goes on", s.time, c)
	case steps && !s.closed && (!s.given || c.open() || len(f.stateful) == 0):
		s.found, s.time = f, c
		return nil
	case f.err == nil || s.given && (!f.read || !c.open()):
		return nil
	}
	if !c.open() {
		f.err = fmt.Errorf("%w; the time that its input declares is fixed at %d: make it symbolic first", f.err, c.dim.Size)
	}
	if n := c.likelihood(f); n > s.likeliest {
		s.likeliest, s.reason = n, f.err
	}
	s.closed = s.closed || f.read || !f.other
	return nil
}

// maxNames limits how many names an analysis reads, which takes about a microsecond each.
const maxNames = 1 << 18

// countNames returns how many names the nodes of a graph read and write.
func countNames(g *onnxgraph.Graph) (n int) {
	for i := range g.Nodes {
		n += 1 + len(g.Nodes[i].Inputs) + len(g.Nodes[i].Outputs)
		for _, inner := range g.Nodes[i].Subgraphs() {
			n += countNames(inner)
		}
	}
	return n
}

// candidate is what may be the time: all dimensions of inputs that share a symbol or,
// without a symbol, a place and a size.
type candidate struct {
	dim   onnxgraph.Dim
	place int // of the first such dimension
}

// String describes the dimension.
func (c candidate) String() string {
	switch {
	case c.dim.Symbol != "":
		return c.dim.Symbol
	case c.dim.Size < 0:
		return fmt.Sprintf("the open dimension %d", c.place)
	}
	return fmt.Sprintf("dimension %d of %d", c.place, c.dim.Size)
}

func (c candidate) is(d onnxgraph.Dim, axis int) bool {
	return d == c.dim && (d.Symbol != "" || axis == c.place)
}

// likelihood ranks the candidates of a model that cannot run step by step.
func (c candidate) likelihood(f *analysis) (n int) {
	for i, says := range []bool{c.place == 1, c.open(), !f.other, f.read} {
		if says {
			n += 1 << i
		}
	}
	return n
}

// open reports whether the dimension may have any size.
func (c candidate) open() bool { return c.dim.Symbol != "" || c.dim.Size < 0 }

// candidates returns the candidates of all inputs that are no states, open ones first.
func candidates(m *onnxgraph.Model, states []onnxgraph.StatePair) (list []candidate) {
	const most = 8
	for _, v := range m.Graph.Inputs {
		if slices.ContainsFunc(states, func(p onnxgraph.StatePair) bool { return p.Input == v.Name }) || isConstant(m, v.Name) {
			continue
		}
		for axis, d := range v.Shape {
			c := candidate{d, axis}
			known := slices.ContainsFunc(list, func(o candidate) bool { return o.is(d, axis) })
			if !known && len(list) < most {
				list = append(list, c)
			}
		}
	}
	slices.SortStableFunc(list, func(a, b candidate) int {
		switch {
		case a.open() == b.open():
			return 0
		case a.open():
			return -1
		}
		return 1
	})
	return list
}

// isConstant reports whether a graph has a default for an input.
func isConstant(m *onnxgraph.Model, name string) bool {
	return slices.ContainsFunc(m.Graph.Initializers, func(t onnxgraph.Tensor) bool { return t.Name == name })
}

// newAnalysis returns an analysis that knows the inputs of a model.
func newAnalysis(m *onnxgraph.Model, states []onnxgraph.StatePair, c candidate) *analysis {
	f := &analysis{opset: m.Opset(""), values: map[string]value{}, symbols: map[string]rune{}, next: 'z', fromState: map[string]bool{}}
	for _, v := range m.Graph.Inputs {
		if m.IRVersion < 4 && isConstant(m, v.Name) { // a weight, as every one was an input
			continue
		}
		isState := slices.ContainsFunc(states, func(p onnxgraph.StatePair) bool { return p.Input == v.Name })
		f.fromState[v.Name] = isState
		in := value{kind: invariant, type_: v.Type}
		if v.Shape != nil {
			in.dims = f.declared(v.Shape)
		}
		for axis, d := range v.Shape {
			if !isState && !isConstant(m, v.Name) && c.is(d, axis) {
				if in.kind == perStep { // two dimensions are of the time
					in.kind = unknown
					continue
				}
				in.kind, in.axis, in.outer, in.dims[axis] = perStep, axis, one, stepCount
			}
		}
		f.set(v.Name, in)
	}
	f.markStates(&m.Graph)
	return f
}

// declared returns the sizes that a graph declares.
func (f *analysis) declared(shape []onnxgraph.Dim) []size {
	dims := make([]size, len(shape))
	for i, d := range shape {
		switch {
		case d.Symbol != "":
			dims[i] = f.symbol(d.Symbol)
		case d.Size < 0:
			dims[i] = f.fresh()
		default:
			dims[i] = fixed(int64(d.Size))
		}
	}
	return dims
}

// markStates marks the values that are computed from input states, up to the nodes
// that start from them.
func (f *analysis) markStates(g *onnxgraph.Graph) {
	for i := range g.Nodes {
		n := &g.Nodes[i]
		for _, inner := range n.Subgraphs() {
			f.markStates(inner)
		}
		if n.Is(onnxgraph.Recurrent) || n.IsOp("Scan") {
			continue
		}
		if slices.ContainsFunc(n.Inputs, func(name string) bool { return f.fromState[name] }) {
			for _, name := range n.Outputs {
				f.fromState[name] = true
			}
		}
	}
}

// checkOutputs refuses outputs that depend on the number of steps.
func (f *analysis) checkOutputs(g *onnxgraph.Graph) {
	for _, o := range g.Outputs {
		v := f.value(o.Name)
		switch {
		case f.err != nil:
		case v.kind == unknown:
			f.err = fmt.Errorf("output %q cannot be followed", o.Name)
		case v.kind == counting:
			f.err = fmt.Errorf("output %q tells how many steps there are", o.Name)
		}
	}
}

// plan returns the plan that adds the states of the stateful nodes.
func (f *analysis) plan(m *onnxgraph.Model) *Plan {
	p := &Plan{stateful: f.stateful, opset: f.opset, Axes: map[string]int{}, shapes: map[string][]onnxgraph.Dim{}, symbols: map[size]onnxgraph.Dim{}}
	for _, in := range m.Graph.Inputs {
		for _, d := range in.Shape {
			if d.Symbol != "" {
				p.symbols[f.symbol(d.Symbol)] = d
			}
		}
	}
	p.freeTime(f, m)
	p.taken = allNames(&m.Graph, map[string]bool{})
	for _, n := range p.stateful {
		for _, s := range n.slots {
			p.Begins = p.Begins || s.begins || s.value.dims == nil || slices.ContainsFunc(p.declaredAs(s.value.dims), func(d onnxgraph.Dim) bool { return d.Symbol == "" && d.Size < 0 })
			p.States = append(p.States, onnxgraph.StatePair{
				Input:  free(fmt.Sprintf("state %d in", len(p.States)), p.taken),
				Output: free(fmt.Sprintf("state %d out", len(p.States)), p.taken),
			})
		}
	}
	return p
}

// freeTime makes the declared time of inputs and outputs symbolic, and the sizes of
// outputs that depend on it unknown.
func (p *Plan) freeTime(f *analysis, m *onnxgraph.Model) {
	for _, v := range slices.Concat(m.Graph.Inputs, m.Graph.Outputs) {
		got := f.value(v.Name)
		if got.kind != perStep {
			continue
		}
		if got.whole() {
			p.Axes[v.Name] = got.axis
		}
		if len(v.Shape) != len(got.dims) {
			continue
		}
		shape := slices.Clone(v.Shape)
		if shape[got.axis].Symbol == "" {
			shape[got.axis] = onnxgraph.Dim{Size: -1}
			if got.whole() {
				shape[got.axis] = onnxgraph.Dim{Symbol: "steps"}
			}
			p.shapes[v.Name] = shape
		}
	}
}

// allNames adds all names in a graph to taken.
func allNames(g *onnxgraph.Graph, taken map[string]bool) map[string]bool {
	for _, v := range slices.Concat(g.Inputs, g.Outputs) {
		taken[v.Name] = true
	}
	for _, t := range g.Initializers {
		taken[t.Name] = true
	}
	for i := range g.Nodes {
		for _, name := range slices.Concat(g.Nodes[i].Inputs, g.Nodes[i].Outputs) {
			taken[name] = true
		}
		for _, inner := range g.Nodes[i].Subgraphs() {
			allNames(inner, taken)
		}
	}
	return taken
}

// free returns a name that is not in taken, and adds it.
func free(name string, taken map[string]bool) string {
	for taken[name] {
		name += "_"
	}
	taken[name] = true
	return name
}
