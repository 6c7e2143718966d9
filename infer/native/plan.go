package native

import (
	"slices"

	"github.com/rnnkit/rnnkit/infer/tensor"
)

// plan is which nodes to compute for some outputs, and when a value has been read for
// the last time.
type plan struct {
	wanted []bool // of the program's outputs
	steps  []planStep
}

type planStep struct {
	node int
	last []value // the values that no later node reads, except those kept for the next run
}

// plan returns the plan for the outputs that are wanted.
func (r *runner) plan(wanted []bool) *plan {
	p, plan := r.program, &plan{wanted: wanted}
	needed := make([]bool, len(r.slots)) // after the node at hand
	for i, slot := range p.outputSlots {
		if wanted[i] {
			needed[slot] = true
		}
	}
	for _, c := range p.captured { // belongs to the graph around
		needed[c.slot] = true
	}
	for i, n := range slices.Backward(p.nodes) {
		if !slices.ContainsFunc(n.outputs, func(slot int) bool { return slot >= 0 && needed[slot] }) {
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
		s.last = slices.DeleteFunc(s.last, func(v value) bool { return v.info().constant || v.info().invariant })
		plan.steps = append(plan.steps, s)
	}
	slices.Reverse(plan.steps)
	return plan
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
	var wanted []bool
	for _, t := range outputs {
		wanted = append(wanted, t != nil)
	}
	p := r.plan(wanted)
	if len(r.plans) == maxPlans {
		r.plans = r.plans[1:]
	}
	r.plans = append(r.plans, p)
	return p
}

// markInvariant marks the outputs that come out the same as long as the graph's inputs
// have the same shapes, or whose shapes do. A run on the shapes of the one before
// leaves them as they are.
func (n *node) markInvariant() (shapeInvariant, invariant bool) {
	shapeInvariant = len(n.inst.graphs) == 0 && !n.runner.program.nested
	invariant = shapeInvariant
	for _, i := range n.shapeInputs {
		shapeInvariant = shapeInvariant && n.inputs[i].info().invariant
	}
	for i, v := range n.inputs {
		if v == nil {
			continue
		}
		h := v.info()
		shapeInvariant = shapeInvariant && h.shapeInvariant
		invariant = invariant && (h.invariant || n.shapeOnly[i] && h.shapeInvariant)
	}
	shapeInvariant = shapeInvariant || invariant
	for _, v := range n.outputs {
		if v != nil {
			v.info().shapeInvariant, v.info().invariant = shapeInvariant, invariant
		}
	}
	return shapeInvariant, invariant
}
