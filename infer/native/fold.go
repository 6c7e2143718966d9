package native

import (
	"errors"
	"slices"
)

// budget bounds constant folding. What exceeds it is computed in each run.
type budget struct {
	elements int // that may still be computed
	work     int // multiplications that may still be spent on them
}

func newBudget() *budget { return &budget{elements: 1 << 16, work: 20 * checkInterval} }

// errBudget ends the computing of constants when a model is opened.
var errBudget = errors.New("the constants of the model take too long to compute")

// allow lets twice as many elements be computed as a constant of the file has: weights
// may be cut into gates and put together in another order.
func (b *budget) allow(constant value) {
	b.elements += 2 * constant.len()
	b.work += 16 * elementCost * constant.len()
}

func (b *budget) allowAll(constants []value) {
	for _, v := range constants {
		if v != nil {
			b.allow(v)
		}
	}
}

// fold computes the outputs of a node of constants, whose shapes are set, unless they
// are too large. Then the node needs no kernel any more.
func (b *budget) fold(n *node, s *step) error {
	elements := 0
	for _, v := range s.computed {
		if v.info().isView {
			continue
		}
		size, ok := product(v.info().shape...)
		if !ok || size > b.elements {
			return nil
		}
		elements += size
	}
	if elements > b.elements || elements > (n.memory.limit-n.memory.held)/16 {
		return nil
	}
	b.elements -= elements
	return b.compute(n, s)
}

func (b *budget) compute(n *node, s *step) error {
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
		s.kernel = nil
	case err == errBudget:
		b.elements = 0
	case !n.runner.program.nested:
		return err
	}
	return nil
}

// fold returns p without the nodes whose outputs are constants by that inference.
func fold(p *program, inf *inference) *program {
	folded := *p
	folded.constants, folded.nodes = slices.Clone(p.constants), make([]instruction, 0, len(p.nodes))
	for _, c := range p.captured {
		if v := inf.slots[c.slot]; v.info().constant {
			folded.constants[c.slot] = v
		}
	}
	for i, in := range p.nodes {
		if inf.steps[i].kernel == nil {
			for _, slot := range in.outputs {
				if slot >= 0 {
					folded.constants[slot] = inf.slots[slot]
				}
			}
			continue
		}
		in.graphs = mapGraphs(in.graphs, func(p *program) *program { return fold(p, inf.nested[p]) })
		folded.nodes = append(folded.nodes, in)
	}
	return &folded
}

// mapGraphs returns what f makes of each graph of a node, in a new map.
func mapGraphs(graphs map[string]*program, f func(*program) *program) map[string]*program {
	if graphs == nil {
		return nil
	}
	mapped := map[string]*program{}
	for name, p := range graphs {
		mapped[name] = f(p)
	}
	return mapped
}
