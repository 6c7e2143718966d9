package repair

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// roundsOf names the output of a Loop whose length is its number of iterations.
func roundsOf(n *onnxgraph.Node) string { return "rounds of " + n.Outputs[0] }

// counted returns a Loop with an additional output that has an element per iteration.
func counted(n *onnxgraph.Node) (onnxgraph.Node, bool) {
	c := *n
	c.Attributes = slices.Clone(n.Attributes)
	for k, a := range c.Attributes {
		body, ok := a.Value.(*onnxgraph.Graph)
		if !ok || len(n.Outputs) == 0 || len(body.Inputs) == 0 || len(n.Outputs) > len(body.Outputs)-1 {
			continue
		}
		with := *body
		name := roundsOf(n)
		with.Nodes = append(slices.Clip(body.Nodes), onnxgraph.Node{OpType: "Identity", Inputs: []string{body.Inputs[0].Name}, Outputs: []string{name}})
		with.Outputs = append(slices.Clip(body.Outputs), onnxgraph.Value{Name: name, Type: onnxgraph.Int64, Shape: []onnxgraph.Dim{}})
		c.Attributes[k].Value = &with
		c.Outputs = slices.Clone(n.Outputs)
		for len(c.Outputs) < len(body.Outputs)-1 {
			c.Outputs = append(c.Outputs, "")
		}
		c.Outputs = append(c.Outputs, name)
		return c, true
	}
	return c, false
}

// loop requires as many iterations as there are steps.
func (p *prover) loop(n *onnxgraph.Node) error {
	rounds := p.trace.shapes[roundsOf(n)]
	switch {
	case len(rounds) != 1:
		return errors.New("how many rounds it has is not known")
	case !moves(rounds[0]):
		return fmt.Errorf("it has %d rounds whatever the time is", rounds[0][0])
	case !ofTimeAlone(rounds[0]) || rounds[0][2]-rounds[0][0] != p.time[2]-p.time[0]:
		return errors.New("its rounds are not those of the time")
	}
	return p.graphs(n)
}

// scan requires sequences whose length depends on the time.
func (p *prover) scan(n *onnxgraph.Node) error {
	count := int(n.Int("num_scan_inputs", 1))
	axes, _ := p.ints(n, len(n.Inputs), "scan_input_axes")
	for k := range min(count, len(n.Inputs)) {
		s := p.trace.shapes[n.Inputs[len(n.Inputs)-count+k]]
		if axis := place(at(axes, k, 0), s); axis < 0 || !moves(s[axis]) {
			return errors.New("it goes through a number of steps that does not depend on the time")
		}
	}
	return p.graphs(n)
}

// branch refuses a condition that may depend on the time or on the values of the
// input.
func (p *prover) branch(n *onnxgraph.Node) error {
	if !p.ofFixedSizes(n.Inputs[0], maxDepth) {
		return errors.New("which branch it takes may depend on the time")
	}
	return p.graphs(n)
}

// maxDepth bounds how far a condition is traced back.
const maxDepth = 8

// ofFixedSizes reports whether a value is computed only from constants and from sizes
// that do not depend on the time.
func (p *prover) ofFixedSizes(name string, depth int) bool {
	if _, _, constant := p.value(name); constant {
		return true
	}
	n := p.producer(name)
	if n == nil || depth == 0 {
		return false
	}
	switch {
	case n.IsOp("Gather"):
		return p.picksFixed(n)
	case n.Is(onnxgraph.Compares | onnxgraph.Logical | onnxgraph.Reshapes):
		return !slices.ContainsFunc(n.Inputs, func(input string) bool { return !p.ofFixedSizes(input, depth-1) })
	}
	return false
}

// picksFixed reports whether a Gather picks sizes from a shape that do not depend on
// the time.
func (p *prover) picksFixed(n *onnxgraph.Node) bool {
	shape := p.producer(n.Inputs[0])
	_, index, constant := p.value(n.Inputs[1])
	if shape == nil || shape.OpType != "Shape" || len(shape.Attributes) > 0 || !constant {
		return false
	}
	of := p.shape(shape.Inputs[0])
	return !slices.ContainsFunc(index, func(k float64) bool {
		axis := place(int64(k), of)
		return axis < 0 || moves(of[axis])
	})
}

// graphs applies the rules of constants to the subgraphs of a node. A subgraph must
// not pick steps of an outer sequence by number.
func (p *prover) graphs(n *onnxgraph.Node) error {
	for _, a := range n.Attributes {
		body, ok := a.Value.(*onnxgraph.Graph)
		if !ok {
			continue
		}
		before := p.locals
		p.locals = constantsOf(body, before)
		for i := range body.Nodes {
			if err := p.inner(&body.Nodes[i]); err != nil {
				return fmt.Errorf("in its graph %q, %s: %w", a.Name, describe(i, &body.Nodes[i]), err)
			}
		}
		p.locals = before
	}
	return nil
}

func (p *prover) inner(n *onnxgraph.Node) error {
	if n.OpType == "Loop" || n.OpType == "Scan" {
		return errors.New("how many rounds it has is not known")
	}
	if err := p.constants(n); err != nil {
		return err
	}
	if reads := slices.ContainsFunc(n.Inputs, p.varies); reads {
		switch n.OpType {
		case "Gather":
			if _, _, constant := p.value(n.Inputs[1]); constant {
				return errors.New("it takes a step by number")
			}
		case "Slice":
			if _, constant := p.ints(n, 1, "starts"); constant {
				return errors.New("it takes steps by number")
			}
		case "Split", "GatherND", "GatherElements", "SplitToSequence":
			return errors.New("it takes steps of a sequence around its graph")
		}
	}
	return p.graphs(n)
}

// constantsOf returns the constants of g and of its outer graphs.
func constantsOf(g *onnxgraph.Graph, around map[string]onnxgraph.Tensor) map[string]onnxgraph.Tensor {
	all := map[string]onnxgraph.Tensor{}
	maps.Copy(all, around)
	for _, t := range g.Initializers {
		all[t.Name] = t
	}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		if t, ok := n.Constant(); ok && len(n.Outputs) == 1 {
			all[n.Outputs[0]] = t
		}
	}
	return all
}
