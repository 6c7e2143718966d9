package native

import (
	"context"
	"fmt"
	"slices"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// runner is a program with values in its slots and kernels that work on them. It
// serves one goroutine at a time.
type runner struct {
	program *program
	memory  *memory
	slots   []value
	inputs  []value // of the program's inputs
	steps   []step  // one for each node
	plans   []*plan // for the outputs that were asked for

	warm *plan // of the last run, whose invariant values are still there
	dims []int // the shapes of its inputs
}

// step is a node in a runner.
type step struct {
	kernel                    kernel // nil where the outputs are constants
	computed                  []value
	temps                     []value
	shapeInvariant, invariant bool // the outputs, as header has it
}

// newRunner builds the kernels of p. For a subgraph, outer is the runner of the enclosing
// graph, and inputs give the types that p does not declare. inf is set only while a
// model is opened: it infers shapes.
func newRunner(p *program, m *memory, outer *runner, inf *inference, inputs ...value) (*runner, error) {
	r := &runner{program: p, memory: m, slots: slices.Clone(p.constants), steps: make([]step, len(p.nodes))}
	for i, slot := range p.inputSlots {
		v, err := r.newInput(i, inputs)
		if err != nil {
			return nil, fmt.Errorf("input %q of the graph %w", p.inputs[i].Name, err)
		}
		r.slots[slot], r.inputs = v, append(r.inputs, v)
	}
	for _, c := range p.captured {
		r.slots[c.slot] = outer.slots[c.outer]
	}
	for i := range p.nodes {
		if err := m.ctx.Err(); err != nil {
			return nil, err
		}
		if err := r.build(i, inf); err != nil {
			return nil, fmt.Errorf("%s: %w", p.nodes[i].label(), err)
		}
	}
	return r, nil
}

// newInput returns the value of input i of the graph. One that declares no type has
// that of the value that goes into it.
func (r *runner) newInput(i int, inputs []value) (value, error) {
	declared := r.program.inputs[i]
	if declared.Type == onnxgraph.Undefined && i < len(inputs) {
		return inputs[i].like(r.memory), nil
	}
	e, err := findType(declared.Type)
	if err != nil {
		return nil, err
	}
	v := e.newArray(e, r.memory)
	if i < len(inputs) && inputs[i].typ() != v.typ() {
		return nil, fmt.Errorf("has type %s, and is given %s", v.typ(), inputs[i].typ())
	}
	if r.program.nested {
		return v, nil
	}
	h := v.info()
	h.shapeInvariant = true
	if declared.Shape != nil {
		h.fixed = true
		for _, d := range declared.Shape {
			h.fixed = h.fixed && d.Symbol == "" && d.Size >= 0
			h.shape = append(h.shape, d.Size)
		}
	}
	return v, nil
}

// build builds the kernel of node i.
func (r *runner) build(i int, inf *inference) error {
	in, s := &r.program.nodes[i], &r.steps[i]
	n := newNode(in, r, inf)
	n.checkHalves()
	if n.err == nil {
		s.kernel = in.op.construct(n)
	}
	s.computed, s.temps = n.computed, n.temps
	s.shapeInvariant, s.invariant = n.markInvariant()
	if err := n.finish(); err != nil {
		return err
	}
	if inf != nil && s.kernel != nil {
		if err := inf.follow(n, s); err != nil {
			return err
		}
	}
	for j, slot := range in.outputs {
		if slot >= 0 {
			r.slots[slot] = n.outputs[j]
		}
	}
	return nil
}

// run writes to those of the program's outputs that are not nil, from inputs that
// fit.
func (r *runner) run(ctx context.Context, inputs, outputs []*tensor.Tensor) error {
	defer r.memory.release()
	r.memory.ctx, r.memory.steps = ctx, 0
	plan := r.planFor(outputs)
	for i, t := range inputs {
		if t == nil {
			t = r.program.defaults[i]
		}
		if err := r.inputs[i].bind(t); err != nil {
			return fmt.Errorf("input %q: %w", r.program.inputs[i].Name, err)
		}
	}
	warm := r.sameShapes() && r.warm == plan
	r.warm = nil
	if !warm {
		r.memory.releaseInvariant()
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
	if err := r.memory.reserve(bytes, 1); err != nil {
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

// sameShapes notes the shapes of the inputs, and reports whether they are those of
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
// before: invariant outputs, and the shapes of the others.
func (r *runner) compute(p *plan, warm bool) error {
	for i := range p.steps {
		at := &p.steps[i]
		s := &r.steps[at.node]
		if warm && s.invariant {
			continue
		}
		if err := r.memory.step(); err != nil {
			return err
		}
		if err := s.run(warm && s.shapeInvariant); err != nil {
			return fmt.Errorf("%s: %w", r.program.nodes[at.node].label(), err)
		}
		for _, v := range at.last {
			v.release()
		}
	}
	return nil
}

// run computes the outputs of a node, whose shapes may be known already.
func (s *step) run(shaped bool) error {
	if !shaped {
		if err := s.kernel.shapes(); err != nil {
			return err
		}
	}
	elements := false
	for _, v := range s.computed {
		if v.info().isView {
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
	err := s.kernel.run()
	for _, v := range s.temps {
		v.release()
	}
	return err
}
