package native

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// resolver gives each value of a graph a slot and looks up each node's operator.
type resolver struct {
	*program
	outer   *resolver // of the graph around, nil for the model's
	names   map[string]int
	writers []writer // of each slot
}

// maxNodes is how many nodes a model may have, with those of its subgraphs.
const maxNodes = 1 << 17

// resolve checks a model and returns its program.
func resolve(m *onnxgraph.Model) (*program, error) {
	if n := countNodes(&m.Graph); n > maxNodes {
		return nil, fmt.Errorf("the model has %d nodes, and may have %d", n, maxNodes)
	}
	opset, err := opsetOf(m)
	if err != nil {
		return nil, err
	}
	if len(m.Graph.Outputs) == 0 {
		return nil, errors.New("the model has no outputs, so there is nothing to compute: export it again")
	}
	g := m.Graph
	if m.IRVersion < 4 { // every initializer had to be an input
		g.Inputs = withoutInitializers(&g)
	}
	return resolveGraph(&g, opset, nil)
}

func countNodes(g *onnxgraph.Graph) int {
	n := len(g.Nodes)
	for i := range g.Nodes {
		for _, sub := range g.Nodes[i].Subgraphs() {
			n += countNodes(sub)
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

// withoutInitializers returns the inputs of g that no initializer has the name of.
func withoutInitializers(g *onnxgraph.Graph) []onnxgraph.Value {
	constant := map[string]bool{}
	for _, t := range g.Initializers {
		constant[t.Name] = true
	}
	return slices.DeleteFunc(slices.Clone(g.Inputs), func(v onnxgraph.Value) bool { return constant[v.Name] })
}

// resolveGraph resolves a graph, which lies within that of outer unless this is nil.
func resolveGraph(g *onnxgraph.Graph, opset int64, outer *resolver) (*program, error) {
	r := &resolver{
		program: &program{inputs: g.Inputs, outputs: g.Outputs, nested: outer != nil, opset: opset},
		outer:   outer, names: make(map[string]int, len(g.Inputs)+len(g.Initializers)+len(g.Nodes)),
	}
	if err := r.resolveInputs(); err != nil {
		return nil, err
	}
	if err := r.resolveInitializers(g.Initializers); err != nil {
		return nil, err
	}
	r.nodes = make([]instruction, len(g.Nodes))
	for i := range g.Nodes {
		if err := r.resolveNode(i, &g.Nodes[i]); err != nil {
			return nil, err
		}
	}
	if err := r.resolveOutputs(); err != nil {
		return nil, err
	}
	return r.program, nil
}

// find returns the slot of a name, also of one of the graphs around.
func (r *resolver) find(name string) (int, bool) {
	slot, ok := r.names[name]
	if ok || r.outer == nil || name == "" {
		return slot, ok
	}
	outer, ok := r.outer.find(name)
	if !ok {
		return 0, false
	}
	slot = r.newSlot(name, writer{})
	r.captured = append(r.captured, capture{slot, outer})
	return slot, true
}

func (r *resolver) newSlot(name string, by writer) int {
	slot := len(r.constants)
	r.names[name] = slot
	r.writers, r.constants = append(r.writers, by), append(r.constants, nil)
	return slot
}

// writer says what defines a value: a node, or else the name of an input or initializer.
// It is zero for a value of the enclosing graph.
type writer struct {
	node *instruction
	name string
}

var graphInput, initializer = writer{name: "an input of the graph"}, writer{name: "an initializer"}

func (w writer) String() string {
	if w.node != nil {
		return w.node.label()
	}
	return w.name
}

// define gives a value its slot.
func (r *resolver) define(name string, by writer) (int, error) {
	slot, ok := r.names[name]
	switch {
	case !ok:
		return r.newSlot(name, by), nil
	case r.writers[slot] == writer{}:
		return 0, fmt.Errorf("%v writes %q, which the graph around has and this one has read", by, name)
	}
	return 0, fmt.Errorf("%v writes %q, which %v writes already", by, name, r.writers[slot])
}

func (r *resolver) resolveInputs() error {
	for i, v := range r.inputs {
		if v.Name == "" {
			return fmt.Errorf("input %d of the graph has no name", i)
		}
		slot, err := r.define(v.Name, graphInput)
		if err != nil {
			return err
		}
		r.inputSlots = append(r.inputSlots, slot)
	}
	return nil
}

// resolveInitializers gives the initializers their slots. One of the name of an input
// is the default of that.
func (r *resolver) resolveInitializers(initializers []onnxgraph.Tensor) error {
	r.defaults = make([]*tensor.Tensor, len(r.inputs))
	for _, t := range initializers {
		if slot, ok := r.names[t.Name]; ok && slot < len(r.inputs) && !r.nested && r.defaults[slot] == nil {
			r.defaults[slot] = &t.Tensor // inputs have the first slots
			continue
		}
		slot, err := r.define(t.Name, initializer)
		if err != nil {
			return err
		}
		if r.constants[slot], err = constant(t); err != nil {
			return fmt.Errorf("initializer %q %w", t.Name, err)
		}
	}
	return nil
}

func (r *resolver) resolveNode(i int, node *onnxgraph.Node) (err error) {
	in := &r.nodes[i]
	in.Node, in.index = node, i
	if in.op, err = lookUp(node, r.opset); err != nil {
		return fmt.Errorf("%s: %w", in.label(), err)
	}
	if err := r.resolveReads(in); err != nil {
		return err
	}
	if err := r.resolveGraphs(in); err != nil {
		return fmt.Errorf("%s: %w", in.label(), err)
	}
	in.outputs = make([]int, len(node.Outputs))
	for j, name := range node.Outputs {
		slot := -1
		if name != "" {
			if slot, err = r.define(name, writer{node: in}); err != nil {
				return err
			}
		}
		in.outputs[j] = slot
	}
	return nil
}

func (r *resolver) resolveReads(in *instruction) error {
	in.inputs, in.reads = make([]int, 0, len(in.Inputs)), make([]int, 0, len(in.Inputs))
	for _, name := range in.Inputs {
		slot, ok := r.find(name)
		switch {
		case name == "":
			slot = -1
		case !ok:
			return fmt.Errorf("%s reads %q, which nothing writes", in.label(), name)
		default:
			in.reads = append(in.reads, slot)
		}
		in.inputs = append(in.inputs, slot)
	}
	return nil
}

// resolveGraphs resolves the graphs that attributes hold.
func (r *resolver) resolveGraphs(in *instruction) error {
	for _, a := range in.Attributes {
		g, ok := a.Value.(*onnxgraph.Graph)
		if !ok {
			continue
		}
		sub, err := resolveGraph(g, r.opset, r)
		if err != nil {
			return fmt.Errorf("attribute %q: %w", a.Name, err)
		}
		if in.graphs == nil {
			in.graphs = map[string]*program{}
		}
		in.graphs[a.Name] = sub
		for _, c := range sub.captured {
			in.reads = append(in.reads, c.outer)
		}
	}
	return nil
}

func (r *resolver) resolveOutputs() error {
	seen := map[int]bool{}
	for _, v := range r.outputs {
		slot, ok := r.find(v.Name)
		if !ok {
			return fmt.Errorf("output %q of the graph is written by nothing", v.Name)
		}
		if !r.nested && seen[slot] {
			return fmt.Errorf("output %q of the graph is there twice", v.Name)
		}
		seen[slot] = true
		r.outputSlots = append(r.outputSlots, slot)
	}
	return nil
}
