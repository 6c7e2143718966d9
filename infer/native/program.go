package native

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// program is a graph whose names have been resolved to numbered slots, one for
// each value. Runners are made of it.
type program struct {
	inputs, outputs []tensor.Info
	outputSlots     []int
	metadata        map[string]string

	graph     *onnxgraph.Graph
	outer     *program // of the graph around, nil for the model's
	captured  []capture
	slots     map[string]int
	nodes     []planned
	opset     int64
	memory    int
	constants map[int]value // by slot: initializers, and what was computed of constants
	folding   *int          // how many more elements may be computed when the model is opened
	work      *int          // and how many multiplications spent on them; nil afterwards
	held      int           // bytes of what was computed
	idle      sync.Pool     // of *runner
}

// capture is a value of the graph around that a graph reads.
type capture struct{ slot, outer int }

// planned is a node with its place among the slots; -1 where an input or output
// is left out.
type planned struct {
	*onnxgraph.Node
	label           string // names the node in errors
	op              *registered
	inputs, outputs []int
	reads           []int               // inputs, and what the node's graphs capture
	graphs          map[string]*program // of the attributes
	folded          bool                // the outputs are constants
	permX, permY    []int               // of the node
	embedding       *embedding
}

// maxNodes is how many nodes a model may have, with those of its subgraphs.
const maxNodes = 1 << 17

// compile checks a model and returns its program, whose runs may take that many
// bytes of memory, of which some are held by the model already. It ends with ctx.
func compile(ctx context.Context, m *onnxgraph.Model, memory, held int) (*program, error) {
	if n := countNodes(&m.Graph); n > maxNodes {
		return nil, fmt.Errorf("the model has %d nodes, and may have %d", n, maxNodes)
	}
	p := &program{metadata: map[string]string{}, memory: memory, held: held, folding: new(int), work: new(int)}
	for _, kv := range m.Metadata {
		p.metadata[kv.Key] = kv.Value
	}
	var err error
	if p.opset, err = opsetOf(m); err != nil {
		return nil, err
	}
	if len(m.Graph.Outputs) == 0 {
		return nil, errors.New("the model has no outputs, so there is nothing to compute: export it again")
	}
	g := m.Graph
	if m.IRVersion < 4 { // every initializer had to be an input
		constant := map[string]bool{}
		for _, t := range g.Initializers {
			constant[t.Name] = true
		}
		g.Inputs = slices.DeleteFunc(slices.Clone(g.Inputs), func(v onnxgraph.Value) bool { return constant[v.Name] })
	}
	if err := p.resolve(&g); err != nil {
		return nil, err
	}
	*p.folding += 1 << 16
	*p.work += 20 * piece
	r, err := p.newRunner(ctx)
	if err != nil {
		return nil, err
	}
	r.memory.trim()
	*p.folding, p.work, p.held = -1, nil, r.memory.held // the runners to come share the constants
	if err := p.describe(r); err != nil {
		return nil, err
	}
	p.idle.Put(r)
	return p, nil
}

func countNodes(g *onnxgraph.Graph) int {
	n := len(g.Nodes)
	for _, node := range g.Nodes {
		for _, a := range node.Attributes {
			if g, ok := a.Value.(*onnxgraph.Graph); ok {
				n += countNodes(g)
			}
		}
	}
	return n
}

// opsetOf returns the version of the standard operators that m imports, 0
// where it imports none.
func opsetOf(m *onnxgraph.Model) (int64, error) {
	for _, o := range m.Opsets {
		switch {
		case o.Domain != "":
			// A node of another domain is refused where it stands.
		case o.Version < 1 || o.Version > NewestOpset:
			return 0, fmt.Errorf("opset %d is not supported, only 1 to %d: export the model again for one of these", o.Version, NewestOpset)
		default:
			return o.Version, nil
		}
	}
	return 0, nil
}

// within resolves a graph that an attribute of a node of p holds.
func (p *program) within(g *onnxgraph.Graph) (*program, error) {
	sub := &program{outer: p, opset: p.opset, memory: p.memory, folding: p.folding, work: p.work}
	return sub, sub.resolve(g)
}

// resolve gives each value of the graph a slot and looks up each node's
// operator.
func (p *program) resolve(g *onnxgraph.Graph) error {
	p.graph, p.slots, p.constants = g, map[string]int{}, map[int]value{}
	w := writers{}
	if err := p.resolveConstants(w); err != nil {
		return err
	}
	for i := range p.graph.Nodes {
		if err := p.resolveNode(i, w); err != nil {
			return err
		}
	}
	seen := map[int]bool{}
	for _, v := range p.graph.Outputs {
		slot, ok := p.find(v.Name)
		if !ok {
			return fmt.Errorf("output %q of the graph is written by nothing", v.Name)
		}
		if p.outer == nil && seen[slot] {
			return fmt.Errorf("output %q of the graph is there twice", v.Name)
		}
		seen[slot] = true
		p.outputSlots = append(p.outputSlots, slot)
	}
	p.absorb()
	return nil
}

// find returns the slot of a name, also of one of the graphs around.
func (p *program) find(name string) (int, bool) {
	slot, ok := p.slots[name]
	if ok || p.outer == nil || name == "" {
		return slot, ok
	}
	outer, ok := p.outer.find(name)
	if !ok {
		return 0, false
	}
	slot = len(p.slots)
	p.slots[name] = slot
	p.captured = append(p.captured, capture{slot, outer})
	return slot, true
}

// writers names, for errors, what writes each value of a graph.
type writers map[string]string

const graphInput = "an input of the graph"

// write gives a value its slot.
func (p *program) write(name string, w writers, writer string) error {
	if first, ok := w[name]; ok {
		return fmt.Errorf("%s writes %q, which %s writes already", writer, name, first)
	}
	if _, ok := p.slots[name]; ok {
		return fmt.Errorf("%s writes %q, which the graph around has and this one has read", writer, name)
	}
	w[name] = writer
	p.slots[name] = len(p.slots)
	return nil
}

// resolveConstants gives the inputs and initializers their slots. An
// initializer may share that of an input, whose default it is.
func (p *program) resolveConstants(w writers) error {
	for i, v := range p.graph.Inputs {
		if v.Name == "" {
			return fmt.Errorf("input %d of the graph has no name", i)
		}
		if err := p.write(v.Name, w, graphInput); err != nil {
			return err
		}
	}
	defaults := map[string]bool{}
	for _, t := range p.graph.Initializers {
		if w[t.Name] == graphInput && p.outer == nil && !defaults[t.Name] {
			defaults[t.Name] = true
			continue
		}
		if err := p.write(t.Name, w, "an initializer"); err != nil {
			return err
		}
		value, err := constant(t)
		if err != nil {
			return fmt.Errorf("initializer %q %w", t.Name, err)
		}
		p.constants[p.slots[t.Name]] = value
		p.allowFolding(value)
	}
	return nil
}

// allowFolding lets twice as many elements be computed when the model is opened as
// a constant of the file has: weights may be cut into gates and put together in
// another order.
func (p *program) allowFolding(constant value) {
	if *p.folding >= 0 {
		*p.folding += 2 * constant.len()
		*p.work += 16 * computed * constant.len()
	}
}

// resolveNode adds node i to p.nodes.
func (p *program) resolveNode(i int, w writers) (err error) {
	node := planned{Node: &p.graph.Nodes[i], label: label(i, &p.graph.Nodes[i])}
	if node.op, err = lookUp(node.Node, p.opset); err != nil {
		return fmt.Errorf("%s: %w", node.label, err)
	}
	for _, name := range node.Inputs {
		slot, ok := p.find(name)
		switch {
		case name == "":
			slot = -1
		case !ok:
			return fmt.Errorf("%s reads %q, which nothing writes", node.label, name)
		default:
			node.reads = append(node.reads, slot)
		}
		node.inputs = append(node.inputs, slot)
	}
	for _, a := range node.Attributes {
		g, ok := a.Value.(*onnxgraph.Graph)
		if !ok {
			continue
		}
		sub, err := p.within(g)
		if err != nil {
			return fmt.Errorf("%s: attribute %q: %w", node.label, a.Name, err)
		}
		if node.graphs == nil {
			node.graphs = map[string]*program{}
		}
		node.graphs[a.Name] = sub
		for _, c := range sub.captured {
			node.reads = append(node.reads, c.outer)
		}
	}
	for _, name := range node.Outputs {
		slot := -1
		if name != "" {
			if err := p.write(name, w, node.label); err != nil {
				return err
			}
			slot = p.slots[name]
		}
		node.outputs = append(node.outputs, slot)
	}
	p.nodes = append(p.nodes, node)
	return nil
}

func label(i int, n *onnxgraph.Node) string {
	return fmt.Sprintf("node %d (%s %q)", i, onnxgraph.Escape(n.OpType), n.Name)
}

// describe sets p.inputs and p.outputs, and checks the types of the outputs
// that r computes and the defaults of inputs.
func (p *program) describe(r *runner) error {
	for i, v := range p.graph.Inputs {
		slot := p.slots[v.Name]
		info := tensor.Info{Name: v.Name, Type: r.slots[slot].typ(), Shape: v.Shape}
		if t := r.defaults[i]; t != nil {
			info.Optional = true
			if err := engine.CheckTensors([]tensor.Info{info}, []*tensor.Tensor{t}); err != nil {
				return fmt.Errorf("the initializer does not fit: %w", err)
			}
		}
		p.inputs = append(p.inputs, info)
	}
	for _, v := range p.graph.Outputs {
		out := r.slots[p.slots[v.Name]]
		t := out.typ()
		if declared := v.Type; declared != onnxgraph.Undefined && declared != t {
			return fmt.Errorf("output %q of the graph is declared as %v, but is %s", v.Name, declared, t)
		}
		shape := v.Shape
		if shape == nil && out.info().fixed {
			shape = []tensor.Dim{}
			for _, d := range out.info().shape {
				shape = append(shape, tensor.Dim{Size: d})
			}
		}
		p.outputs = append(p.outputs, tensor.Info{Name: v.Name, Type: t, Shape: shape})
	}
	return nil
}
