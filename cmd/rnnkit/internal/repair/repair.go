// Package repair makes the batch and time dimensions of an ONNX model symbolic again,
// where an exporter hard-coded the sizes of its example input: in the declared shapes,
// the initial states, the targets of Reshape and Expand, the bounds of Slice and the
// index of the last step.
//
// The package runs the model on the native engine with several batches and times, and
// records how each shape depends on them. It then changes the first constant that makes
// a node fail, and starts again until no node fails. A size of the example becomes the
// batch or the time only where the graph says so, never because the numbers are equal.
//
// A model that runs at other times need not be right there. The time becomes symbolic
// only if every operator that reads it has a rule, no constant may have been computed
// from it, and experiments that change each step find nothing wrong. Otherwise the time
// stays fixed, and the error names the node. For other batches, [Repaired.Verify]
// compares the answers with those of the original.
package repair

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/inputs"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/verify"
)

// ErrDoesNotRun means that a model does not run at its declared batch and time, or at
// any that Repair tried for symbolic ones.
var ErrDoesNotRun = errors.New("the model as it is does not run")

// openTimes are the times to try for a model with a symbolic time, until one runs.
var openTimes = []int{4, 16, 64}

// Options supply what the file lacks. The zero Options take everything from the file.
type Options struct {
	Layouts map[string]string // layouts of inputs by name, as in package inputs
	Time    int               // the time to run with if the file leaves it symbolic; 0 to find one
	Memory  int               // the most bytes that a run may use
}

// Repaired is a model with a symbolic batch and, if possible, a symbolic time.
type Repaired struct {
	Model   *onnxgraph.Model
	Changes []string // descriptions of the changes
	Batch   int      // the batch of the exported example
	Time    int

	// Declared means that the file, or Options.Time, gives the time.
	Declared bool

	// Timeless means that no input has a time.
	Timeless bool

	// KeptTime is why the time stays fixed, even if the inputs declare a symbolic one.
	// It is nil if the time is symbolic, or if no input has a time.
	KeptTime error

	original []inputs.Input
	inputs   []inputs.Input
	outputs  map[string][]size
	sizes    sizes
}

// Repair returns m with a symbolic batch and, unless the model fixes it, a symbolic
// time. It does not change m. The error names the node that prevents a symbolic batch.
func Repair(ctx context.Context, m *onnxgraph.Model, o Options) (*Repaired, error) {
	list, err := inputs.Of(m, o.Layouts)
	if err != nil {
		return nil, err
	}
	batch, time, err := example(ctx, m, list, o)
	if err != nil {
		return nil, err
	}
	has := func(letter byte) bool {
		return slices.ContainsFunc(list, func(in inputs.Input) bool { return in.Axis(letter) >= 0 })
	}
	if !has(inputs.Batch) {
		return nil, errors.New("no input has a batch: say which dimension it is with a layout")
	}
	probe := sizes{
		batch: size{batch, 2*batch + 1, batch, 2*batch + 1},
		time:  size{time, time, 2*time + 3, 2*time + 3},
	}
	exported := exportedTime(list, o)
	var kept error
	if has(inputs.Time) {
		r, err := repair(ctx, m, list, probe, o)
		if err == nil || ctx.Err() != nil {
			return r, err
		}
		kept = err
	}
	probe.time = fixed(time)
	r, err := repair(ctx, m, list, probe, o)
	if err != nil {
		return nil, err
	}
	r.KeptTime, r.Timeless, r.Declared = kept, !has(inputs.Time), exported > 0
	return r, nil
}

// exportedTime returns the time that a model was exported with, or 0 if neither the
// file nor o gives it.
func exportedTime(list []inputs.Input, o Options) int {
	time := 0
	for _, in := range list {
		time = max(time, in.Fixed(inputs.Time))
	}
	return cmp.Or(time, o.Time)
}

// example returns a batch and a time at which m runs, preferably those of the export.
func example(ctx context.Context, m *onnxgraph.Model, list []inputs.Input, o Options) (batch, time int, err error) {
	for _, in := range list {
		for letter, n := range map[byte]*int{inputs.Batch: &batch, inputs.Time: &time} {
			declared := in.Fixed(letter)
			if *n != 0 && declared != 0 && *n != declared {
				return 0, 0, fmt.Errorf("input %s: its layout %s gives a %s of %d, and that of another input %d: give the right layouts", in.Info, in.Layout, map[byte]string{inputs.Batch: "batch", inputs.Time: "time"}[letter], declared, *n)
			}
			*n = max(*n, declared)
		}
	}
	times := []int{cmp.Or(time, o.Time)}
	if times[0] == 0 {
		times = openTimes
	}
	batches := []int{batch}
	if batch == 0 {
		batches = append([]int{1}, batchesOf(&m.Graph)...)
	}
	var first error
	for _, time := range times {
		for _, b := range batches {
			t, err := newTrace(ctx, m, list, sizes{fixed(b), fixed(time)}, o.Memory)
			if err == nil {
				t.close()
				err = t.err
			}
			if err == nil || ctx.Err() != nil {
				return b, time, err
			}
			first = cmp.Or(first, err)
		}
	}
	return 0, 0, fmt.Errorf("%w: %w", ErrDoesNotRun, first)
}

// batchesOf returns the batch sizes of constants that may be initial states.
func batchesOf(g *onnxgraph.Graph) []int {
	found := map[int]bool{}
	add := func(value any) {
		t, ok := value.(onnxgraph.Tensor)
		if ok && len(t.Shape) == 3 && t.Shape[1] > 1 {
			found[t.Shape[1]] = true
		}
	}
	for _, t := range g.Initializers {
		add(t)
	}
	for _, n := range g.Nodes {
		for _, a := range n.Attributes {
			add(a.Value)
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// repairer changes a model until it runs in all probes.
type repairer struct {
	original *onnxgraph.Model
	example  int // the time of the export, or 0 if the file does not say
	model    *onnxgraph.Model
	sizes    sizes
	changes  []string
	used     map[string]bool // names of values
	settled  map[string]bool // values whose shape is decided
	others   []*repairer     // repairers with the alternative decisions
}

// clone returns an independent repairer in the same state.
func (r *repairer) clone() *repairer {
	model := *r.model
	model.Graph.Initializers = slices.Clip(model.Graph.Initializers)
	return &repairer{original: r.original, example: r.example, model: &model, sizes: r.sizes, changes: slices.Clip(r.changes), used: maps.Clone(r.used), settled: maps.Clone(r.settled)}
}

// mostTries bounds the number of combinations of Reshape targets to try.
const mostTries = 8

// repair returns m with a symbolic batch and, unless it is fixed in probe, a symbolic
// time. For a target with several meanings, repair prefers one that answers as m
// does, then the likeliest.
func repair(ctx context.Context, m *onnxgraph.Model, list []inputs.Input, probe sizes, o Options) (*Repaired, error) {
	model := *m
	model.Graph.Initializers = slices.Clip(m.Graph.Initializers)
	r := &repairer{original: m, model: &model, sizes: probe, used: map[string]bool{}, settled: map[string]bool{}}
	for _, v := range m.Graph.Inputs {
		r.used[v.Name] = true
	}
	for _, t := range m.Graph.Initializers {
		r.used[t.Name] = true
	}
	for _, n := range m.Graph.Nodes {
		for _, name := range n.Outputs {
			r.used[name] = true
		}
	}
	r.example = exportedTime(list, o)
	symbols := r.symbols(list)
	open := r.openInputs(list, symbols)
	var why error // the error of the likeliest try
	tries := []*repairer{r}
	for k := 0; k < mostTries && len(tries) > 0 && ctx.Err() == nil; k++ {
		next := tries[len(tries)-1] // the latest decision, since failures are mostly near it
		done, err := next.finish(ctx, list, open, symbols, o.Memory)
		tries = append(tries[:len(tries)-1], next.others...)
		if err == nil && k+len(tries) > 0 {
			_, err = done.Verify(ctx, m, []engine.Engine{native.New(native.MaxMemory(o.Memory))}, verify.Tolerance, 1)
		}
		if err == nil && !probe.time.isFixed() {
			err = done.behave(ctx, m, o.Memory)
		}
		if err == nil {
			return done, nil
		}
		why = cmp.Or(why, err)
	}
	return nil, cmp.Or(why, ctx.Err())
}

// finish makes all remaining changes.
func (r *repairer) finish(ctx context.Context, list, open []inputs.Input, symbols symbols, memory int) (*Repaired, error) {
	for range 2*len(r.model.Graph.Nodes) + 8 {
		t, err := newTrace(ctx, r.model, open, r.sizes, memory)
		if err != nil {
			return nil, err
		}
		defer t.close()
		change, err := r.mend(ctx, t)
		if err != nil {
			return nil, err
		}
		if change != "" {
			r.changes = append(r.changes, change)
			continue
		}
		if err := r.check(t); err != nil {
			return nil, err
		}
		if err := r.prove(ctx, t); err != nil {
			return nil, err
		}
		outputs := r.openOutputs(t, symbols)
		prune(&r.model.Graph)
		return &Repaired{
			Model: r.model, Changes: r.changes, Batch: r.sizes.batch[0], Time: r.sizes.time[0],
			original: list, inputs: open, outputs: outputs, sizes: r.sizes,
		}, nil
	}
	return nil, errors.New("repairs do not come to an end, which is a bug: report it with the model")
}

// prove returns an error that says why a symbolic time may be wrong.
func (r *repairer) prove(ctx context.Context, t *trace) error {
	if r.sizes.time.isFixed() {
		return nil
	}
	p := prover{ctx: ctx, trace: t, original: &r.original.Graph, time: r.sizes.time, example: r.example}
	return p.prove()
}

// symbols are the names of the batch and the time.
type symbols struct{ batch, time string }

// symbols returns the symbols that the inputs use, or defaults.
func (r *repairer) symbols(list []inputs.Input) symbols {
	s := symbols{}
	for _, in := range list {
		for i, d := range in.Shape {
			switch in.Layout[i] {
			case inputs.Batch:
				s.batch = cmp.Or(s.batch, d.Symbol)
			case inputs.Time:
				s.time = cmp.Or(s.time, d.Symbol)
			}
		}
	}
	return symbols{cmp.Or(s.batch, "batch"), cmp.Or(s.time, "time")}
}

// openInputs makes the batch and the time of the inputs symbolic and returns the
// changed inputs.
func (r *repairer) openInputs(list []inputs.Input, s symbols) []inputs.Input {
	open := slices.Clone(list)
	r.model.Graph.Inputs = slices.Clone(r.model.Graph.Inputs)
	for k, in := range list {
		at := slices.IndexFunc(r.model.Graph.Inputs, func(v onnxgraph.Value) bool { return v.Name == in.Name })
		v := &r.model.Graph.Inputs[at]
		v.Shape = slices.Clone(v.Shape)
		open[k].Shape = slices.Clone(in.Shape)
		for i, d := range in.Shape {
			symbol := s.batch
			switch {
			case in.Layout[i] == inputs.Time && !r.sizes.time.isFixed():
				symbol = s.time
			case in.Layout[i] == inputs.Time && r.example > 0 && (d.Symbol != "" || d.Size < 0):
				r.changes = append(r.changes, fmt.Sprintf("input %q: dimension %d was open and is %d", in.Name, i, r.example))
				v.Shape[i] = onnxgraph.Dim{Size: r.example}
				open[k].Shape[i] = tensor.Dim{Size: r.example}
				continue
			case in.Layout[i] != inputs.Batch:
				continue
			}
			if d.Symbol != "" {
				continue
			}
			if d.Size >= 0 {
				r.changes = append(r.changes, fmt.Sprintf("input %q: dimension %d was %d and is %s", in.Name, i, d.Size, symbol))
			}
			v.Shape[i] = onnxgraph.Dim{Symbol: symbol}
			open[k].Shape[i].Symbol = symbol
		}
	}
	return open
}

// openOutputs declares the outputs with the shapes that the probes found, and returns
// the shapes.
func (r *repairer) openOutputs(t *trace, s symbols) map[string][]size {
	outputs := map[string][]size{}
	r.model.Graph.Outputs = slices.Clone(r.model.Graph.Outputs)
	for k, v := range r.model.Graph.Outputs {
		shape := t.shapes[v.Name]
		outputs[v.Name] = shape
		dims := make([]onnxgraph.Dim, len(shape))
		for i, d := range shape {
			was := onnxgraph.Dim{Size: -1}
			if i < len(v.Shape) {
				was = v.Shape[i]
			}
			switch {
			case d.isFixed() && r.example == 0 && r.sizes.time.isFixed() && i < len(v.Shape) && (was.Symbol != "" || was.Size < 0):
				dims[i] = was // a time of unknown length, for example
			case d.isFixed():
				dims[i] = onnxgraph.Dim{Size: d[0]}
			case d == r.sizes.batch:
				dims[i] = onnxgraph.Dim{Symbol: s.batch}
			case d == r.sizes.time:
				dims[i] = onnxgraph.Dim{Symbol: s.time}
			case was.Symbol != "":
				dims[i] = was
			default:
				dims[i] = onnxgraph.Dim{Size: -1}
			}
			if was.Symbol == "" && was.Size >= 0 && !d.isFixed() {
				r.changes = append(r.changes, fmt.Sprintf("output %q: dimension %d was %d and is %s", v.Name, i, was.Size, r.text(d)))
			}
		}
		r.model.Graph.Outputs[k].Shape = dims
	}
	return outputs
}

// check returns an error for a recurrent node that reads another dimension as its
// batch.
func (r *repairer) check(t *trace) error {
	reached := false
	for i := range r.model.Graph.Nodes {
		n := &r.model.Graph.Nodes[i]
		if !n.Is(onnxgraph.Recurrent) {
			continue
		}
		x := t.shapes[n.Inputs[0]]
		batch, time := n.RecurrentAxes()
		if len(x) != 3 || x[batch][0] == x[batch][1] {
			return fmt.Errorf("%s: the batch that it reads does not follow that of the inputs: give their layouts", describe(i, n))
		}
		reached = reached || x[time][0] != x[time][2]
	}
	if hasRecurrent := slices.ContainsFunc(r.model.Graph.Nodes, func(n onnxgraph.Node) bool { return n.Is(onnxgraph.Recurrent) }); hasRecurrent && !reached && !r.sizes.time.isFixed() {
		return errors.New("the time of the inputs reaches no recurrent node: give their layouts")
	}
	return nil
}

// text returns the name of a size.
func (r *repairer) text(s size) string {
	switch {
	case s.isFixed():
		return fmt.Sprint(s[0])
	case s == r.sizes.batch:
		return "batch"
	case s == r.sizes.time:
		return "time"
	case s == r.sizes.batch.times(r.sizes.time):
		return "batch*time"
	}
	return "open"
}

func (r *repairer) texts(shape []size) string {
	var words []string
	for _, s := range shape {
		words = append(words, r.text(s))
	}
	return "[" + strings.Join(words, ", ") + "]"
}

func describe(i int, n *onnxgraph.Node) string {
	if n.Name == "" {
		return fmt.Sprintf("node %d (%s)", i, n.OpType)
	}
	return fmt.Sprintf("node %d (%s %q)", i, n.OpType, n.Name)
}

// prune drops unused nodes and initializers.
func prune(g *onnxgraph.Graph) {
	needed := map[string]bool{}
	for _, v := range slices.Concat(g.Outputs, g.Inputs) {
		needed[v.Name] = true // keeps an input's default too
	}
	kept := slices.Clone(g.Nodes)
	for i := len(kept) - 1; i >= 0; i-- {
		n := kept[i]
		if !slices.ContainsFunc(n.Outputs, func(name string) bool { return needed[name] }) {
			kept = slices.Delete(kept, i, i+1)
			continue
		}
		need(&n, needed)
	}
	g.Nodes = kept
	g.Initializers = slices.DeleteFunc(slices.Clone(g.Initializers), func(t onnxgraph.Tensor) bool { return !needed[t.Name] })
}

// need adds the inputs of n and the values that its subgraphs may read.
func need(n *onnxgraph.Node, needed map[string]bool) {
	for _, name := range n.Inputs {
		needed[name] = true
	}
	for _, a := range n.Attributes {
		sub, ok := a.Value.(*onnxgraph.Graph)
		if !ok {
			continue
		}
		for i := range sub.Nodes {
			need(&sub.Nodes[i], needed)
		}
		for _, v := range sub.Outputs {
			needed[v.Name] = true
		}
	}
}
