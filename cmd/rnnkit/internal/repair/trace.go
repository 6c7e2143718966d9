package repair

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/graphs"
	"github.com/rnnkit/rnnkit/internal/inputs"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// size holds a dimension's size in each probe. The first probe uses the batch and the
// time of the export.
type size [probes]int

// probes is the number of runs that show how shapes depend on batch and time.
const probes = 4

func fixed(n int) size { return size{n, n, n, n} }

func (s size) isFixed() bool { return s == fixed(s[0]) }

func (s size) times(o size) size {
	for i := range s {
		s[i] *= o[i]
	}
	return s
}

// sizes holds the batch and the time of every probe.
type sizes struct{ batch, time size }

// trace records how the shapes of a model depend on batch and time.
type trace struct {
	graph  *onnxgraph.Graph
	shapes map[string][]size // of the inputs and the outputs of nodes before failed
	failed int               // the first node that does not run in all probes, or len(graph.Nodes)
	err    error             // the error of that node

	constants map[string]bool // values that depend on no input
	session   engine.Session
	inputs    map[string]tensor.Tensor // inputs of the first probe
	dims      [probes]map[string][]int // shapes in each probe
	scope     *onnxgraph.Scope
	fixed     []int
}

// shapeOf names the output that holds the shape of a value.
func shapeOf(name string) string { return "shape of " + name }

// newTrace runs m on the native engine in every probe. It returns an error if the
// engine does not open the model. The caller must close the trace.
func newTrace(ctx context.Context, m *onnxgraph.Model, list []inputs.Input, s sizes, memory int) (*trace, error) {
	t := &trace{graph: &m.Graph, scope: onnxgraph.NewScope(&m.Graph), shapes: map[string][]size{}, constants: map[string]bool{}}
	for _, tensor := range m.Graph.Initializers {
		t.constants[tensor.Name] = true
	}
	shown := *m
	shown.Graph.Nodes = slices.Clone(m.Graph.Nodes)
	shown.Graph.Outputs = nil
	show := func(name string) {
		shown.Graph.Outputs = append(shown.Graph.Outputs, onnxgraph.Value{Name: name})
	}
	for i := range m.Graph.Nodes {
		n := &m.Graph.Nodes[i]
		constant := isConstant(n, t.constants)
		if c, ok := counted(n); ok && n.OpType == "Loop" {
			shown.Graph.Nodes[i] = c
			shown.Graph.Nodes = append(shown.Graph.Nodes, onnxgraph.Node{OpType: "Shape", Inputs: []string{roundsOf(n)}, Outputs: []string{shapeOf(roundsOf(n))}})
			show(shapeOf(roundsOf(n)))
		}
		for _, name := range named(n.Outputs) {
			shown.Graph.Nodes = append(shown.Graph.Nodes, onnxgraph.Node{OpType: "Shape", Inputs: []string{name}, Outputs: []string{shapeOf(name)}})
			show(shapeOf(name))
			if constant {
				t.constants[name] = true
				show(name)
			}
		}
	}
	var err error
	if t.session, err = graphs.Open(ctx, native.New(native.MaxMemory(memory)), &shown); err != nil {
		return nil, err
	}
	if err := t.probe(ctx, list, s); err != nil {
		t.session.Close()
		return nil, err
	}
	return t, nil
}

// shownOf returns the outputs of n whose shapes the trace records.
func shownOf(n *onnxgraph.Node) []string {
	names := named(n.Outputs)
	if _, ok := counted(n); ok && n.OpType == "Loop" {
		names = append(names, roundsOf(n))
	}
	return names
}

// widths returns the dimension sizes that do not depend on batch and time.
func (t *trace) widths() []int {
	if t.fixed == nil {
		found := map[int]bool{2: true, 3: true}
		for _, shape := range t.shapes {
			for _, s := range shape {
				if s.isFixed() && s[0] > 1 {
					found[s[0]] = true
				}
			}
		}
		t.fixed = slices.Sorted(maps.Keys(found))
	}
	return t.fixed
}

func named(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == "" })
}

// isConstant reports whether the outputs of n are constant, given the constants
// before it.
func isConstant(n *onnxgraph.Node, constants map[string]bool) bool {
	return !n.Is(onnxgraph.Random|onnxgraph.Control) && !slices.ContainsFunc(named(n.Inputs), func(name string) bool { return !constants[name] })
}

func (t *trace) probe(ctx context.Context, list []inputs.Input, s sizes) error {
	t.failed = len(t.graph.Nodes)
	for p := range probes {
		t.dims[p] = map[string][]int{}
		for _, tensor := range t.graph.Initializers {
			t.dims[p][tensor.Name] = tensor.Shape
		}
		given, err := inputs.Random(list, nil, s.batch[p], s.time[p], 1)
		if err != nil {
			return err
		}
		for name, x := range given {
			t.dims[p][name] = x.Shape
		}
		if p == 0 {
			t.inputs = given
		}
		before := t.failed
		if err := t.runAsFar(ctx, given, p); err != nil {
			return err
		}
		if t.failed < before {
			t.err = fmt.Errorf("with a batch of %d and a time of %d: %w", s.batch[p], s.time[p], t.err)
		}
	}
	for name, dims := range t.dims[0] {
		t.shapes[name] = make([]size, len(dims))
	}
	for p, all := range t.dims {
		for name, shape := range t.shapes {
			dims, ok := all[name]
			if !ok || len(dims) != len(shape) {
				delete(t.shapes, name)
				continue
			}
			for i, d := range dims {
				shape[i][p] = d
			}
		}
	}
	return nil
}

// runAsFar runs the nodes before failed and records their shapes. If a node fails, it
// becomes the new failed. The error is that of ctx.
func (t *trace) runAsFar(ctx context.Context, given map[string]tensor.Tensor, p int) error {
	results, err := t.run(ctx, given, t.failed)
	if err != nil && ctx.Err() == nil {
		t.failed = sort.Search(t.failed, func(n int) bool {
			_, err := t.run(ctx, given, n+1)
			return err != nil
		})
		_, t.err = t.run(ctx, given, t.failed+1)
		results, err = t.run(ctx, given, t.failed)
	}
	for i := range t.graph.Nodes[:t.failed] {
		for _, name := range shownOf(&t.graph.Nodes[i]) {
			dims, ok := results[shapeOf(name)].Data.([]int64)
			if !ok {
				continue
			}
			t.dims[p][name] = make([]int, len(dims))
			for i, d := range dims {
				t.dims[p][name][i] = int(d)
			}
		}
	}
	return errors.Join(err, ctx.Err())
}

// run returns the shapes of the outputs of the first n nodes.
func (t *trace) run(ctx context.Context, given map[string]tensor.Tensor, n int) (map[string]tensor.Tensor, error) {
	var outputs []string
	for i := range t.graph.Nodes[:n] {
		for _, name := range shownOf(&t.graph.Nodes[i]) {
			outputs = append(outputs, shapeOf(name))
		}
	}
	if len(outputs) == 0 {
		return nil, nil
	}
	return t.session.Run(ctx, given, outputs...)
}

// constant returns the elements of a value that depends on no input.
func (t *trace) constant(ctx context.Context, name string) (onnxgraph.Tensor, bool) {
	if !t.constants[name] {
		return onnxgraph.Tensor{}, false
	}
	if tensor, ok := t.scope.Constant(name); ok {
		return tensor, true
	}
	results, err := t.session.Run(ctx, t.inputs, name)
	if err != nil {
		return onnxgraph.Tensor{}, false
	}
	tensor := onnxgraph.Tensor{Tensor: tensor.Tensor{Shape: results[name].Shape, Data: results[name].Data}}
	return tensor, tensor.Type() != onnxgraph.Undefined
}

func (t *trace) close() { t.session.Close() }
