package native

import (
	"context"
	"fmt"

	"github.com/rnnkit/rnnkit/infer/engine"
)

// runner is a program with values in its slots and operators that work on
// them. It serves one goroutine at a time.
type runner struct {
	program  *program
	memory   *memory
	slots    []value
	defaults map[int]engine.Tensor // of inputs that may be left out, by slot
	ops      []operator            // nil where there is nothing to run
	needed   []bool                // the slots that the outputs of this run need
}

// newRunner builds the operators of p. All that is wrong with a node on its own
// shows here.
func newRunner(p *program) (*runner, error) {
	r := &runner{
		program:  p,
		memory:   &memory{limit: p.memory},
		slots:    make([]value, len(p.slots)),
		defaults: map[int]engine.Tensor{},
		ops:      make([]operator, len(p.nodes)),
		needed:   make([]bool, len(p.slots)),
	}
	for _, v := range p.graph.Inputs {
		value, err := newValue(v.Type, nil)
		if err != nil {
			return nil, fmt.Errorf("input %q of the graph %w", v.Name, err)
		}
		r.slots[p.slots[v.Name]] = value
	}
	for _, t := range p.graph.Initializers {
		slot := p.slots[t.Name]
		if r.slots[slot] != nil {
			r.defaults[slot] = engine.Tensor{Shape: t.Shape, Data: t.Data}
			continue
		}
		value, err := constant(t)
		if err != nil {
			return nil, fmt.Errorf("initializer %q %w", t.Name, err)
		}
		r.slots[slot] = value
	}
	for i := range p.nodes {
		if err := r.build(i); err != nil {
			return nil, fmt.Errorf("%s: %w", p.nodes[i].label, err)
		}
	}
	return r, nil
}

func (r *runner) build(i int) error {
	planned := &r.program.nodes[i]
	n := &node{
		Node:    planned.Node,
		opset:   r.program.opset,
		inputs:  make([]value, len(planned.inputs)),
		outputs: make([]value, len(planned.outputs)),
		memory:  r.memory,
		read:    map[string]bool{},
	}
	for j, slot := range planned.inputs {
		if slot >= 0 {
			n.inputs[j] = r.slots[slot]
		}
	}
	r.ops[i] = planned.op.build(n)
	for j, slot := range planned.outputs {
		if slot >= 0 {
			r.slots[slot] = n.outputs[j]
		}
	}
	return n.finish()
}

// run computes the named outputs, which exist, from inputs that fit.
func (r *runner) run(ctx context.Context, inputs map[string]engine.Tensor, outputs []string) (map[string]engine.Tensor, error) {
	defer r.release()
	for _, info := range r.program.inputs {
		slot := r.program.slots[info.Name]
		t, ok := inputs[info.Name]
		if !ok {
			t = r.defaults[slot]
		}
		r.slots[slot].bind(t)
	}
	if err := r.compute(ctx, outputs); err != nil {
		return nil, err
	}
	results := make(map[string]engine.Tensor, len(outputs))
	for _, name := range outputs {
		results[name] = r.slots[r.program.slots[name]].export()
	}
	return results, nil
}

// compute runs the nodes that the outputs need.
func (r *runner) compute(ctx context.Context, outputs []string) error {
	r.memory.left = r.memory.limit
	clear(r.needed)
	for _, name := range outputs {
		r.needed[r.program.slots[name]] = true
	}
	for i := len(r.ops) - 1; i >= 0; i-- {
		if n := &r.program.nodes[i]; r.anyNeeded(n.outputs) {
			for _, slot := range n.inputs {
				if slot >= 0 {
					r.needed[slot] = true
				}
			}
		}
	}
	for i, op := range r.ops {
		n := &r.program.nodes[i]
		if op == nil || !r.anyNeeded(n.outputs) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := op.run(); err != nil {
			return fmt.Errorf("%s: %w", n.label, err)
		}
	}
	return nil
}

func (r *runner) anyNeeded(slots []int) bool {
	for _, slot := range slots {
		if slot >= 0 && r.needed[slot] {
			return true
		}
	}
	return false
}

func (r *runner) release() {
	for _, v := range r.slots {
		v.release()
	}
}
