// Package stepwise makes the graph of a model that reads whole sequences one that
// goes on from step to step. It follows the steps from an input to the outputs,
// operator by operator: where each keeps them apart, the recurrent nodes are all that
// carries something from one to the next, and their states become inputs and outputs.
// A node that looks ahead, mixes steps or is not known is refused by its name.
package stepwise

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// Plan is how a graph is made to go step by step.
type Plan struct {
	// States has those that are added, with the names that they get.
	States []onnxgraph.StatePair
	// Begins tells that the graph says what a state is before the first step. Then
	// that step is one of Rewrite with first set.
	Begins bool
	// Axes has, by the names of the inputs and outputs that have a part for each
	// step, which of their dimensions is the time.
	Axes map[string]int

	shapes   map[string][]onnxgraph.Dim
	carriers []carrier
	joined   bool
	taken    map[string]bool // names
	opset    int64
	symbols  map[size]onnxgraph.Dim // that the inputs declare
}

// Changes tells whether the graph goes step by step only after a change.
func (p *Plan) Changes() bool { return len(p.States) > 0 || len(p.shapes) > 0 }

// ErrNoRecurrence is the reason where nothing in a graph carries a state.
var ErrNoRecurrence = errors.New("no recurrent node of it reads an input step by step")

// Of returns how a model is made to go step by step. What comes from the inputs that
// carry its states already stays as it is. The error names the node that does not let
// it.
func Of(m *onnxgraph.Model, states []onnxgraph.StatePair) (_ *Plan, err error) {
	defer func() {
		if p := recover(); p != nil { // none is known
			err = fmt.Errorf("its graph cannot be followed, which is a bug: %v", p)
		}
	}()
	list := candidates(m, states)
	if reading(&m.Graph)*len(list) > maxReading {
		return nil, errors.New("its graph is too large to be followed")
	}
	s := search{given: len(states) > 0, likeliest: -1, reason: ErrNoRecurrence}
	for _, c := range list {
		f := newFollower(m, states, c)
		f.graph(&m.Graph)
		f.checkOutputs(&m.Graph)
		if f.err == nil && f.read && !c.open() {
			f.err = checkBaked(&m.Graph, int64(c.dim.Size), map[string]float64{})
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

// search looks for the time among candidates.
type search struct {
	given bool // the graph carries states; then a size that is fixed is its author's

	found     *follower // of the time
	time      candidate
	closed    bool // another dimension may be the time, so that none after it is taken for it
	likeliest int
	reason    error
}

// weigh takes c for the time if f followed it well. It is an error if two may be it.
func (s *search) weigh(c candidate, f *follower) error {
	steps := f.err == nil && f.read
	switch {
	case s.found != nil && (!steps || s.time.open() && !c.open()):
		return nil
	case s.found != nil:
		return fmt.Errorf("its inputs have two sequences, over %s and over %s, of which each may be the one that goes on", s.time, c)
	case steps && !s.closed && (!s.given || c.open() || len(f.carriers) == 0):
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

// maxReading bounds how many names are read in following graphs, which takes about a
// microsecond each.
const maxReading = 1 << 18

// reading returns how many names the nodes of a graph read and write.
func reading(g *onnxgraph.Graph) (n int) {
	for i := range g.Nodes {
		n += 1 + len(g.Nodes[i].Inputs) + len(g.Nodes[i].Outputs)
		for _, inner := range g.Nodes[i].Subgraphs() {
			n += reading(inner)
		}
	}
	return n
}

// candidate is what may be the time: those dimensions of inputs that have one symbol
// or, without one, are at one place and of one size.
type candidate struct {
	dim   onnxgraph.Dim
	place int // of the first such dimension
}

// String tells of the dimension.
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

// likelihood ranks what may be the time where nothing can go step by step.
func (c candidate) likelihood(f *follower) (n int) {
	for i, says := range []bool{c.place == 1, c.open(), !f.other, f.read} {
		if says {
			n += 1 << i
		}
	}
	return n
}

// open tells whether the dimension may have any size.
func (c candidate) open() bool { return c.dim.Symbol != "" || c.dim.Size < 0 }

// candidates returns those of the inputs that carry no state, open ones first.
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

// isConstant tells whether a graph has a default for an input.
func isConstant(m *onnxgraph.Model, name string) bool {
	return slices.ContainsFunc(m.Graph.Initializers, func(t onnxgraph.Tensor) bool { return t.Name == name })
}

// newFollower returns one that knows the inputs of a model.
func newFollower(m *onnxgraph.Model, states []onnxgraph.StatePair, c candidate) *follower {
	f := &follower{opset: m.Opset(""), values: map[string]value{}, symbols: map[string]rune{}, next: 'z', carried: map[string]bool{}}
	for _, v := range m.Graph.Inputs {
		if m.IRVersion < 4 && isConstant(m, v.Name) { // a weight, as every one was an input
			continue
		}
		carries := slices.ContainsFunc(states, func(p onnxgraph.StatePair) bool { return p.Input == v.Name })
		f.carried[v.Name] = carries
		in := value{kind: still, type_: v.Type}
		if v.Shape != nil {
			in.dims = f.declared(v.Shape)
		}
		for axis, d := range v.Shape {
			if !carries && !isConstant(m, v.Name) && c.is(d, axis) {
				if in.kind == everyStep { // two dimensions are of the time
					in.kind = unknown
					continue
				}
				in.kind, in.axis, in.outer, in.dims[axis] = everyStep, axis, one, stepCount
			}
		}
		f.set(v.Name, in)
	}
	f.followStates(&m.Graph)
	return f
}

// declared returns the sizes that a graph declares.
func (f *follower) declared(shape []onnxgraph.Dim) []size {
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

// followStates sets what comes from the inputs that carry states, up to the nodes
// that begin with them.
func (f *follower) followStates(g *onnxgraph.Graph) {
	for i := range g.Nodes {
		n := &g.Nodes[i]
		for _, inner := range n.Subgraphs() {
			f.followStates(inner)
		}
		if n.Is(onnxgraph.Recurrent) || n.IsOp("Scan") {
			continue
		}
		if slices.ContainsFunc(n.Inputs, func(name string) bool { return f.carried[name] }) {
			for _, name := range n.Outputs {
				f.carried[name] = true
			}
		}
	}
}

// checkOutputs refuses outputs that tell of the number of steps.
func (f *follower) checkOutputs(g *onnxgraph.Graph) {
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

// plan returns what is added for the nodes that carry states.
func (f *follower) plan(m *onnxgraph.Model) *Plan {
	p := &Plan{carriers: f.carriers, opset: f.opset, Axes: map[string]int{}, shapes: map[string][]onnxgraph.Dim{}, symbols: map[size]onnxgraph.Dim{}}
	for _, in := range m.Graph.Inputs {
		for _, d := range in.Shape {
			if d.Symbol != "" {
				p.symbols[f.symbol(d.Symbol)] = d
			}
		}
	}
	p.openTime(f, m)
	p.taken = allNames(&m.Graph, map[string]bool{})
	for _, carrier := range p.carriers {
		for _, s := range carrier.slots {
			p.Begins = p.Begins || s.begins || s.value.dims == nil || slices.ContainsFunc(p.declaredAs(s.value.dims), func(d onnxgraph.Dim) bool { return d.Symbol == "" && d.Size < 0 })
			p.States = append(p.States, onnxgraph.StatePair{
				Input:  free(fmt.Sprintf("state %d in", len(p.States)), p.taken),
				Output: free(fmt.Sprintf("state %d out", len(p.States)), p.taken),
			})
		}
	}
	return p
}

// openTime opens the declared time of inputs and outputs, and forgets other sizes of
// outputs that depend on it.
func (p *Plan) openTime(f *follower, m *onnxgraph.Model) {
	for _, v := range slices.Concat(m.Graph.Inputs, m.Graph.Outputs) {
		got := f.value(v.Name)
		if got.kind != everyStep {
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

// allNames adds all names in a graph to those that are taken.
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

// free returns a name that is not taken, and takes it.
func free(name string, taken map[string]bool) string {
	for taken[name] {
		name += "_"
	}
	taken[name] = true
	return name
}
