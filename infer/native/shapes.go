package native

import (
	"context"
	"fmt"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// inference is what is known of a program's values before any run: their types, the
// shapes that are fixed, and the elements of those that are constant. Shapes may follow
// from constants that other nodes compute, so each node in turn is looked at for its
// shapes and then, in fold.go, for its elements.
type inference struct {
	*runner // whose slots have the values
	budget  *budget
	nested  map[*program]*inference // of the graphs within nodes
}

// infer builds the kernels of p, so that all that is wrong with a node on its own
// shows, and follows shapes and constants through it. They may take limit
// bytes, of which some are held already. It ends with ctx.
func infer(ctx context.Context, p *program, limit, held int) (*inference, error) {
	b := newBudget()
	b.allowAll(p.constants)
	m := &memory{limit: limit, held: held, ctx: ctx, budget: &b.work}
	inf := &inference{budget: b}
	var err error
	if inf.runner, err = newRunner(p, m, nil, inf); err != nil {
		return nil, err
	}
	m.trim()
	return inf, nil
}

// within infers a graph within a node of inf, whose inputs have the types of those
// values.
func (inf *inference) within(p *program, outer *runner, inputs []value) (*runner, error) {
	sub := &inference{budget: inf.budget}
	inf.budget.allowAll(p.constants)
	var err error
	sub.runner, err = newRunner(p, outer.memory, outer, sub, inputs...)
	if inf.nested == nil {
		inf.nested = map[*program]*inference{}
	}
	inf.nested[p] = sub
	return sub.runner, err
}

// follow sets the shapes of a node's outputs if they are known, and then computes them
// if all that they are made of is.
func (inf *inference) follow(n *node, s *step) error {
	if n.dataDependent || !allInputs(n, func(i int, h *header) bool { return h.fixed }) {
		return nil
	}
	if err := s.kernel.shapes(); err != nil {
		if n.runner.program.nested {
			return nil // the branch may never be taken
		}
		return err
	}
	for _, v := range s.computed {
		v.info().fixed = true
	}
	if n.expensive || !allInputs(n, func(i int, h *header) bool { return h.constant || n.shapeOnly[i] }) {
		return nil
	}
	return inf.budget.fold(n, s)
}

// allInputs reports whether f is true of all inputs that a node has.
func allInputs(n *node, f func(i int, h *header) bool) bool {
	for i, v := range n.inputs {
		if v != nil && !f(i, v.info()) {
			return false
		}
	}
	return true
}

// describeInputs returns what the program's inputs are, of which it checks the
// defaults.
func (inf *inference) describeInputs() ([]tensor.Info, error) {
	var infos []tensor.Info
	for i, v := range inf.program.inputs {
		info := tensor.Info{Name: v.Name, Type: inf.runner.inputs[i].typ(), Shape: v.Shape}
		if t := inf.program.defaults[i]; t != nil {
			info.Optional = true
			if err := engine.CheckTensors([]tensor.Info{info}, []*tensor.Tensor{t}); err != nil {
				return nil, fmt.Errorf("the initializer does not fit: %w", err)
			}
		}
		infos = append(infos, info)
	}
	return infos, nil
}

// describeOutputs returns what the program's outputs are, of which it checks the types
// that are declared.
func (inf *inference) describeOutputs() ([]tensor.Info, error) {
	var infos []tensor.Info
	for i, v := range inf.program.outputs {
		out := inf.slots[inf.program.outputSlots[i]]
		t := out.typ()
		if declared := v.Type; declared != onnxgraph.Undefined && declared != t {
			return nil, fmt.Errorf("output %q of the graph is declared as %v, but is %s", v.Name, declared, t)
		}
		shape := v.Shape
		if shape == nil && out.info().fixed {
			shape = []tensor.Dim{}
			for _, d := range out.info().shape {
				shape = append(shape, tensor.Dim{Size: d})
			}
		}
		infos = append(infos, tensor.Info{Name: v.Name, Type: t, Shape: shape})
	}
	return infos, nil
}
