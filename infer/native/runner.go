package native

import (
	"context"
	"fmt"
	"slices"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// runner is a program with values in its slots and operators that work on
// them. It serves one goroutine at a time.
type runner struct {
	program  *program
	memory   *memory
	slots    []value
	inputs   []value          // of the program's inputs
	defaults []*tensor.Tensor // of inputs that may be left out, else nil
	steps    []stage          // one for each node
	plans    []*plan          // for the outputs that were asked for

	warm *plan // of the last run, whose steady values are still there
	dims []int // the shapes of its inputs
}

// stage is a node in a runner.
type stage struct {
	op            kernel // nil where the outputs are constants
	computed      []value
	temps         []value
	sized, steady bool // the outputs, as header has it
}

// newRunner builds the operators of p, until ctx ends. All that is wrong with a node
// on its own shows here. The first runner of a program also computes its constants.
func (p *program) newRunner(ctx context.Context) (*runner, error) {
	m := &memory{limit: p.memory, held: p.held, ctx: ctx, left: p.work}
	r, err := newRunner(p, m, nil)
	m.ctx, m.left = nil, nil
	return r, err
}

// newRunner returns a runner in that memory. Of a graph within another, outer is the
// runner of that, and the types of the inputs that it does not declare are those of
// inputs.
func newRunner(p *program, m *memory, outer *runner, inputs ...value) (*runner, error) {
	r := &runner{
		program: p,
		memory:  m,
		slots:   make([]value, len(p.slots)),
		steps:   make([]stage, len(p.nodes)),
	}
	for i, v := range p.graph.Inputs {
		value, err := r.newInput(v, i, inputs)
		if err != nil {
			return nil, fmt.Errorf("input %q of the graph %w", v.Name, err)
		}
		value.info().sized = outer == nil
		r.slots[p.slots[v.Name]] = value
	}
	for _, c := range p.captured {
		r.slots[c.slot] = outer.slots[c.outer]
	}
	for slot, value := range p.constants {
		r.slots[slot] = value
	}
	if outer == nil {
		defaults := map[string]*tensor.Tensor{}
		for _, t := range p.graph.Initializers {
			if slot := p.slots[t.Name]; p.constants[slot] == nil {
				defaults[t.Name] = &t.Tensor
			}
		}
		for _, v := range p.graph.Inputs {
			r.inputs = append(r.inputs, r.slots[p.slots[v.Name]])
			r.defaults = append(r.defaults, defaults[v.Name])
		}
	}
	for i := range p.nodes {
		if p.nodes[i].folded {
			continue
		}
		if err := m.ctx.Err(); err != nil {
			return nil, err
		}
		if err := r.build(i); err != nil {
			return nil, fmt.Errorf("%s: %w", p.nodes[i].label, err)
		}
	}
	return r, nil
}

// newInput returns the value of input i of the graph. One that declares no type
// has that of the value that goes into it.
func (r *runner) newInput(v onnxgraph.Value, i int, inputs []value) (value, error) {
	if v.Type == onnxgraph.Undefined && i < len(inputs) {
		return inputs[i].like(r.memory), nil
	}
	e, err := findType(v.Type)
	if err != nil {
		return nil, err
	}
	value := e.newArray(e, r.memory)
	if i < len(inputs) && inputs[i].typ() != value.typ() {
		return nil, fmt.Errorf("has type %s, and is given %s", value.typ(), inputs[i].typ())
	}
	if h := value.info(); v.Shape != nil && len(inputs) == 0 {
		h.fixed = true
		for _, d := range v.Shape {
			h.fixed = h.fixed && d.Symbol == "" && d.Size >= 0
			h.shape = append(h.shape, d.Size)
		}
	}
	return value, nil
}

func (r *runner) build(i int) error {
	planned := &r.program.nodes[i]
	n := &node{
		Node:    planned.Node,
		opset:   r.program.opset,
		inputs:  make([]value, len(planned.inputs)),
		outputs: make([]value, len(planned.outputs)),
		memory:  r.memory,
		runner:  r,
		planned: planned,
		permX:   planned.permX,
		permY:   planned.permY,
		shapely: make([]bool, len(planned.inputs)),
		read:    map[string]bool{},
	}
	for j, slot := range planned.inputs {
		if slot >= 0 {
			n.inputs[j] = r.slots[slot]
		}
	}
	n.checkHalves()
	s := &r.steps[i]
	if n.err == nil {
		s.op = planned.op.construct(n)
	}
	s.computed, s.temps = n.computed, n.temps
	s.sized, s.steady = n.markSteady()
	if err := n.finish(); err != nil {
		return err
	}
	if s.op != nil {
		if err := r.follow(n, s); err != nil {
			return err
		}
	}
	for j, slot := range planned.outputs {
		if slot < 0 {
			continue
		}
		r.slots[slot] = n.outputs[j]
		if n.outputs[j].info().constant {
			r.program.constants[slot] = n.outputs[j]
			planned.folded = true
		}
	}
	return nil
}

// follow sets the shapes of the outputs where they are known before a run, and
// computes them where all that they are made of is constant.
func (r *runner) follow(n *node, s *stage) error {
	fixed, fold := !n.dynamic, !n.dynamic && !n.costly
	for i, v := range n.inputs {
		if v == nil {
			continue
		}
		h := v.info()
		fixed = fixed && h.fixed
		fold = fold && (h.constant || n.shapely[i])
	}
	if !fixed {
		return nil
	}
	if err := s.op.shapes(); err != nil {
		if r.program.outer != nil {
			return nil // of a branch that may never be taken
		}
		return err
	}
	elements := 0
	for _, v := range s.computed {
		h := v.info()
		h.fixed = true
		if h.shared {
			continue
		}
		n, ok := product(h.shape...)
		fold = fold && ok && n <= *r.program.folding
		elements += n
	}
	if !fold || elements > *r.program.folding || elements > (r.memory.limit-r.memory.held)/16 {
		return nil
	}
	*r.program.folding -= elements
	return r.fold(n, s)
}

// fold computes the outputs of a node that are constant. What would take too long is
// left to the runs.
func (r *runner) fold(n *node, s *stage) error {
	err := s.run(true)
	for i, v := range n.outputs {
		if v != nil && err == nil {
			n.outputs[i] = v.freeze()
		}
	}
	for _, v := range s.computed {
		v.release()
	}
	switch {
	case err == nil:
		s.op = nil
	case err == errBudget:
		*r.program.folding = 0
	case r.program.outer == nil:
		return err
	}
	return nil
}

// markSteady marks the outputs that come out the same as long as the graph's
// inputs have the same shapes, or whose shapes do.
func (n *node) markSteady() (sized, steady bool) {
	sized = len(n.planned.graphs) == 0 && n.runner.program.outer == nil
	steady = sized
	for _, i := range n.deciding {
		sized = sized && n.inputs[i].info().steady
	}
	for i, v := range n.inputs {
		if v == nil {
			continue
		}
		h := v.info()
		sized = sized && h.sized
		steady = steady && (h.steady || n.shapely[i] && h.sized)
	}
	sized = sized || steady
	for _, v := range n.outputs {
		if v != nil {
			v.info().sized, v.info().steady = sized, steady
		}
	}
	return sized, steady
}

// run writes to those of the program's outputs that are not nil, from inputs that
// fit.
func (r *runner) run(ctx context.Context, inputs, outputs []*tensor.Tensor) error {
	defer r.memory.release()
	r.memory.ctx, r.memory.steps = ctx, 0
	plan := r.planFor(outputs)
	for i, t := range inputs {
		if t == nil {
			t = r.defaults[i]
		}
		if err := r.inputs[i].bind(t); err != nil {
			return fmt.Errorf("input %q: %w", r.program.inputs[i].Name, err)
		}
	}
	warm := r.sameShapes() && r.warm == plan
	r.warm = nil
	if !warm {
		r.memory.drop()
	}
	if err := r.compute(plan, warm); err != nil {
		return err
	}
	r.warm = plan
	return r.export(outputs)
}

// export writes to those outputs that are not nil. They count as memory too.
func (r *runner) export(outputs []*tensor.Tensor) error {
	bytes := 0
	for i, t := range outputs {
		if t != nil {
			bytes += r.slots[r.program.outputSlots[i]].bytes()
		}
	}
	if err := r.memory.take(bytes, 1); err != nil {
		return fmt.Errorf("the outputs are too large: %w", err)
	}
	r.memory.held -= bytes
	for i, t := range outputs {
		if t == nil {
			continue
		}
		if err := r.slots[r.program.outputSlots[i]].export(r.memory, t); err != nil {
			return err
		}
	}
	return nil
}

// sameShapes notes the shapes of the inputs, and tells whether they are those of
// the run before.
func (r *runner) sameShapes() bool {
	same, at := true, 0
	note := func(n int) {
		if at == len(r.dims) {
			r.dims, same = append(r.dims, n), false
		}
		same = same && r.dims[at] == n
		r.dims[at] = n
		at++
	}
	for _, v := range r.inputs {
		h := v.info()
		note(len(h.shape))
		for _, n := range h.shape {
			note(n)
		}
	}
	return same
}

// compute runs the nodes of a plan. If warm it leaves out what is there from the run
// before: steady outputs, and the shapes of the others.
func (r *runner) compute(p *plan, warm bool) error {
	for i := range p.steps {
		planned := &p.steps[i]
		s := &r.steps[planned.node]
		if warm && s.steady {
			continue
		}
		if err := r.memory.step(); err != nil {
			return err
		}
		if err := s.run(warm && s.sized); err != nil {
			return fmt.Errorf("%s: %w", r.program.nodes[planned.node].label, err)
		}
		for _, v := range planned.last {
			v.release()
		}
	}
	return nil
}

// run computes the outputs of a node, whose shapes may be known already.
func (s *stage) run(shaped bool) error {
	if !shaped {
		if err := s.op.shapes(); err != nil {
			return err
		}
	}
	elements := false
	for _, v := range s.computed {
		if v.info().shared {
			elements = true
			continue
		}
		if err := v.resize(); err != nil {
			return err
		}
		elements = elements || v.len() > 0
	}
	if !elements {
		return nil
	}
	err := s.op.run()
	for _, v := range s.temps {
		v.release()
	}
	return err
}

// plan is which nodes to compute for some outputs, and when a value has been
// read for the last time.
type plan struct {
	wanted []bool // of the program's outputs
	steps  []planStep
}

type planStep struct {
	node int
	last []value // given back after the node
}

// maxPlans is how many plans a runner keeps.
const maxPlans = 16

// planFor returns the plan for the outputs that are not nil.
func (r *runner) planFor(outputs []*tensor.Tensor) *plan {
	for _, p := range r.plans {
		if slices.EqualFunc(p.wanted, outputs, func(wanted bool, t *tensor.Tensor) bool { return wanted == (t != nil) }) {
			return p
		}
	}
	p := &plan{}
	for _, t := range outputs {
		p.wanted = append(p.wanted, t != nil)
	}
	r.layOut(p)
	if len(r.plans) == maxPlans {
		r.plans = r.plans[1:]
	}
	r.plans = append(r.plans, p)
	return p
}

// layOut sets the steps of a plan: the nodes that its outputs need.
func (r *runner) layOut(p *plan) {
	needed := make([]bool, len(r.slots)) // after the node at hand
	for i, slot := range r.program.outputSlots {
		if p.wanted[i] {
			needed[slot] = true
		}
	}
	for _, c := range r.program.captured { // belongs to the graph around
		needed[c.slot] = true
	}
	for i, n := range slices.Backward(r.program.nodes) {
		used := slices.ContainsFunc(n.outputs, func(slot int) bool { return slot >= 0 && needed[slot] })
		if !used || r.steps[i].op == nil {
			continue
		}
		s := planStep{node: i}
		for _, slot := range n.outputs {
			if slot >= 0 && !needed[slot] {
				s.last = append(s.last, r.slots[slot])
			}
		}
		for _, slot := range n.reads {
			if !needed[slot] {
				needed[slot] = true
				s.last = append(s.last, r.slots[slot])
			}
		}
		s.last = slices.DeleteFunc(s.last, func(v value) bool { return v.info().steady })
		p.steps = append(p.steps, s)
	}
	slices.Reverse(p.steps)
}
