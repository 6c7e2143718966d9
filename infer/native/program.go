package native

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// program is a graph whose names have been resolved to numbered slots, one for
// each value. Runners are made of it.
type program struct {
	inputs, outputs []engine.ValueInfo
	outputNames     []string
	metadata        map[string]string

	graph  *onnxgraph.Graph
	slots  map[string]int
	nodes  []planned
	opset  int64
	memory int
	idle   sync.Pool // of *runner
}

// planned is a node with its place among the slots; -1 where an input or output
// is left out.
type planned struct {
	*onnxgraph.Node
	label           string // names the node in errors
	op              op
	inputs, outputs []int
}

// compile checks a model and returns its program, whose runs may take that many
// bytes of memory.
func compile(m *onnxgraph.Model, memory int) (*program, error) {
	p := &program{graph: &m.Graph, slots: map[string]int{}, metadata: map[string]string{}, memory: memory}
	for _, kv := range m.Metadata {
		if _, ok := p.metadata[kv.Key]; ok {
			return nil, fmt.Errorf("the metadata has the key %q twice", kv.Key)
		}
		p.metadata[kv.Key] = kv.Value
	}
	var err error
	if p.opset, err = opsetOf(m); err != nil {
		return nil, err
	}
	if err := p.resolve(); err != nil {
		return nil, err
	}
	r, err := newRunner(p)
	if err != nil {
		return nil, err
	}
	if err := p.describe(r); err != nil {
		return nil, err
	}
	p.idle.Put(r)
	return p, nil
}

// opsetOf returns the version of the standard operators that m imports, 0
// where it imports none.
func opsetOf(m *onnxgraph.Model) (int64, error) {
	var version int64
	for _, o := range m.Opsets {
		switch {
		case !standard(o.Domain):
			// A node of another domain is refused where it stands.
		case version != 0:
			return 0, errors.New("the model imports the standard opset twice")
		case o.Version < 1 || o.Version > newestOpset:
			return 0, fmt.Errorf("opset %d is not supported, only 1 to %d: convert the model (onnx.version_converter)", o.Version, newestOpset)
		default:
			version = o.Version
		}
	}
	return version, nil
}

func standard(domain string) bool { return domain == "" || domain == "ai.onnx" }

// resolve gives each value of the graph a slot and looks up each node's
// operator.
func (p *program) resolve() error {
	w := writers{}
	if err := p.resolveConstants(w); err != nil {
		return err
	}
	later := map[string]string{}
	for i := range p.graph.Nodes {
		n := &p.graph.Nodes[i]
		for _, name := range n.Outputs {
			later[name] = label(i, n)
		}
	}
	for i := range p.graph.Nodes {
		if err := p.resolveNode(i, w, later); err != nil {
			return err
		}
	}
	for _, v := range p.graph.Outputs {
		if _, ok := p.slots[v.Name]; !ok {
			return fmt.Errorf("output %q of the graph is written by nothing", v.Name)
		}
		if slices.Contains(p.outputNames, v.Name) {
			return fmt.Errorf("output %q of the graph is there twice", v.Name)
		}
		p.outputNames = append(p.outputNames, v.Name)
	}
	return nil
}

// writers names, for errors, what writes each value of a graph.
type writers map[string]string

const graphInput = "an input of the graph"

// write gives a value its slot.
func (p *program) write(name string, w writers, writer string) error {
	if first, ok := w[name]; ok {
		return fmt.Errorf("%s writes %q, which %s writes already", writer, name, first)
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
		if w[t.Name] == graphInput && !defaults[t.Name] {
			defaults[t.Name] = true
			continue
		}
		if err := p.write(t.Name, w, "an initializer"); err != nil {
			return err
		}
	}
	return nil
}

// resolveNode adds node i to p.nodes. Of a name that has no slot, later says
// which node writes it.
func (p *program) resolveNode(i int, w writers, later map[string]string) (err error) {
	node := planned{Node: &p.graph.Nodes[i], label: label(i, &p.graph.Nodes[i])}
	if node.op, err = lookUp(node.Node, p.opset); err != nil {
		return fmt.Errorf("%s: %w", node.label, err)
	}
	for _, name := range node.Inputs {
		slot, ok := p.slots[name]
		switch {
		case name == "":
			slot = -1
		case !ok && later[name] != "":
			return fmt.Errorf("%s reads %q before %s writes it: the nodes are out of order or form a cycle", node.label, name, later[name])
		case !ok:
			return fmt.Errorf("%s reads %q, which nothing writes", node.label, name)
		}
		node.inputs = append(node.inputs, slot)
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
	return fmt.Sprintf("node %d (%s %q)", i, n.OpType, n.Name)
}

// lookUp returns the operator of n, of which it checks the number of inputs and
// outputs.
func lookUp(n *onnxgraph.Node, opset int64) (op, error) {
	if !standard(n.Domain) {
		return op{}, fmt.Errorf("domain %q is not supported by the native engine: use ONNX Runtime", n.Domain)
	}
	o, ok := ops[n.OpType]
	switch {
	case !ok:
		return op{}, fmt.Errorf("op %s is not supported by the native engine: use ONNX Runtime", n.OpType)
	case opset == 0:
		return op{}, errors.New("the model imports no standard opset")
	case opset < o.since:
		return op{}, fmt.Errorf("op %s is supported from opset %d on, not in %d: convert the model (onnx.version_converter)", n.OpType, o.since, opset)
	}
	if err := checkCount("input", n.Inputs, o.inputs); err != nil {
		return op{}, err
	}
	return o, checkCount("output", n.Outputs, o.outputs)
}

func checkCount(what string, names []string, bounds [2]int) error {
	if len(names) > bounds[1] {
		return fmt.Errorf("it has %d %ss, and may have %d", len(names), what, bounds[1])
	}
	for i := range bounds[0] {
		if i >= len(names) || names[i] == "" {
			return fmt.Errorf("%s %d is missing", what, i)
		}
	}
	return nil
}

// describe sets p.inputs and p.outputs, and checks the types of the outputs
// that r computes and the defaults of inputs.
func (p *program) describe(r *runner) error {
	for _, v := range p.graph.Inputs {
		slot := p.slots[v.Name]
		if v.Shape == nil {
			return fmt.Errorf("input %q of the graph has no shape: declare its dimensions", v.Name)
		}
		info := engine.ValueInfo{Name: v.Name, Type: r.slots[slot].elements(), Shape: dims(v.Shape)}
		if t, ok := r.defaults[slot]; ok {
			info.Optional = true
			if err := engine.CheckInputs([]engine.ValueInfo{info}, map[string]engine.Tensor{v.Name: t}); err != nil {
				return fmt.Errorf("the initializer does not fit: %w", err)
			}
		}
		p.inputs = append(p.inputs, info)
	}
	for _, v := range p.graph.Outputs {
		t := r.slots[p.slots[v.Name]].elements()
		if declared := v.Type; declared != onnxgraph.Undefined && declared.String() != string(t) {
			return fmt.Errorf("output %q of the graph is declared as %v, but is %s", v.Name, declared, t)
		}
		p.outputs = append(p.outputs, engine.ValueInfo{Name: v.Name, Type: t, Shape: dims(v.Shape)})
	}
	return nil
}

func dims(shape []onnxgraph.Dim) []engine.Dim {
	list := make([]engine.Dim, len(shape))
	for i, d := range shape {
		list[i] = engine.Dim{Size: int(max(d.Size, -1)), Symbol: d.Symbol}
	}
	return list
}
