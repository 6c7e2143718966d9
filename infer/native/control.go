package native

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// The operators of this file compute graphs that are their attributes.

var controlOps = []op{
	{name: "If", since: 1, in: one, out: some, build: newIf},
	{name: "Loop", since: 1, in: arity{0, unbounded}, out: some, mixed: true, build: newLoop},
	{name: "Scan", since: 9, in: some, out: some, mixed: true, build: newScan},
}

// subgraph is a graph within a node, and what goes in and comes out.
type subgraph struct {
	*runner
	plan    *plan
	in, out []value
}

// newSubgraph returns the graph of an attribute, whose inputs have the types of
// those values.
func newSubgraph(n *node, name string, inputs ...value) *subgraph {
	g := attribute[*onnxgraph.Graph](n, name, nil)
	if g == nil {
		n.fail("attribute %q, a graph, is missing", name)
		return nil
	}
	if len(g.Inputs) != len(inputs) {
		n.fail("attribute %q: the graph has %d inputs, and must have %d", name, len(g.Inputs), len(inputs))
		return nil
	}
	r, err := n.newRunner(n.inst.graphs[name], inputs)
	if err != nil {
		n.fail("attribute %q: %w", name, err)
		return nil
	}
	s := &subgraph{runner: r, plan: r.plan(slices.Repeat([]bool{true}, len(g.Outputs))), in: r.inputs}
	for _, slot := range r.program.outputSlots {
		s.out = append(s.out, r.slots[slot])
	}
	return s
}

// newRunner returns a runner of a graph within the node.
func (n *node) newRunner(p *program, inputs []value) (*runner, error) {
	if n.infer != nil {
		return n.infer.within(p, n.runner, inputs)
	}
	return newRunner(p, n.memory, n.runner, nil, inputs...)
}

func (s *subgraph) compute() error {
	if err := s.memory.step(); err != nil {
		return err
	}
	return s.runner.compute(s.plan, false)
}

// releaseAll releases what the graph still holds of its own.
func (s *subgraph) releaseAll() {
	for _, v := range s.in {
		v.release()
	}
	for i, v := range s.out {
		slot := s.program.outputSlots[i]
		if !slices.ContainsFunc(s.program.captured, func(c capture) bool { return c.slot == slot }) {
			v.release()
		}
	}
}

// shareWith makes v a view of src, which has its type.
func shareWith(v, src value) {
	v.info().setShape(src.info().shape)
	v.share(src)
}

// conditional is the operator If.
type conditional struct {
	cond            *array[bool]
	then, otherwise *subgraph
	out             []value
}

func newIf(n *node) kernel {
	n.dataDependent = true
	op := &conditional{cond: input[bool](n, 0), then: newSubgraph(n, "then_branch"), otherwise: newSubgraph(n, "else_branch")}
	if n.err != nil {
		return nil
	}
	if len(op.then.out) != len(n.outputs) || len(op.otherwise.out) != len(n.outputs) {
		n.fail("it has %d outputs, but its graphs have %d and %d", len(n.outputs), len(op.then.out), len(op.otherwise.out))
		return nil
	}
	for i, v := range op.then.out {
		if other := op.otherwise.out[i]; v.typ() != other.typ() {
			n.fail("output %d is %s in one graph and %s in the other", i, v.typ(), other.typ())
		}
		op.out = append(op.out, viewOf(n, i, v))
	}
	return op
}

func (op *conditional) shapes() error {
	if len(op.cond.data) != 1 {
		return fmt.Errorf("the condition has shape %v, and must be a scalar", op.cond.shape)
	}
	return nil
}

func (op *conditional) run() error {
	branch, name := op.then, "then_branch"
	if !op.cond.data[0] {
		branch, name = op.otherwise, "else_branch"
	}
	if err := branch.compute(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for i, v := range branch.out {
		shareWith(op.out[i], v)
	}
	branch.releaseAll()
	return nil
}

// loop computes a graph again and again: some of its outputs are inputs of the next
// iteration, the others are stacked.
type loop struct {
	trips  *array[int64] // nil for no limit
	cond   *array[bool]  // nil for true
	first  []value
	body   *subgraph
	state  []value
	out    []value // of the state, then of the stacks
	stacks []stack
}

// stack is a growing list of values of one shape.
type stack struct {
	items, spare value
	shape        []int // of one value
	count        int
}

func newLoop(n *node) kernel {
	n.dataDependent, n.expensive = true, true
	op := &loop{trips: input[int64](n, 0), cond: input[bool](n, 1)}
	if len(n.inputs) > 2 {
		op.first = n.inputs[2:]
	}
	if slices.Contains(op.first, nil) {
		n.fail("the first value of a loop variable is missing")
		return nil
	}
	op.body = newSubgraph(n, "body", append([]value{newArray[int64](n.memory), newArray[bool](n.memory)}, op.first...)...)
	if n.err != nil {
		return nil
	}
	stacks := len(n.outputs) - len(op.first)
	if got, want := len(op.body.out), 1+len(n.outputs); got != want || stacks < 0 {
		n.fail("its graph has %d outputs, and must have %d for %d outputs of the node and %d loop variables", got, want, len(n.outputs), len(op.first))
		return nil
	}
	if t := op.body.out[0].typ(); t != "bool" {
		n.fail("output 0 of its graph, the condition, has type %s, and must have bool", t)
	}
	for i, v := range op.body.out[1:] {
		if i < len(op.first) {
			if t := op.first[i].typ(); v.typ() != t {
				n.fail("output %d of its graph has type %s, and must have %s as loop variable %d", i+1, v.typ(), t, i)
			}
			op.state = append(op.state, v.like(n.memory))
		} else {
			op.stacks = append(op.stacks, stack{items: v.like(n.memory), spare: v.like(n.memory)})
		}
		op.out = append(op.out, viewOf(n, i, v))
	}
	return op
}

func (op *loop) shapes() error { return nil }

func (op *loop) run() error {
	limit, goOn, err := op.conditions()
	if err != nil {
		return err
	}
	for i, v := range op.first {
		shareWith(op.state[i], v)
	}
	for i := range op.stacks {
		op.stacks[i].count = 0
	}
	for i := int64(0); i < limit && goOn; i++ {
		if goOn, err = op.iterate(i); err != nil {
			return fmt.Errorf("body, iteration %d: %w", i, err)
		}
	}
	for i, v := range op.state {
		shareWith(op.out[i], v)
		v.release()
	}
	for i := range op.stacks {
		declared := op.body.program.outputs[1+len(op.state)+i].Shape
		if err := op.stacks[i].finish(op.out[len(op.state)+i], declared); err != nil {
			return err
		}
	}
	return nil
}

// conditions returns the trip count and the first condition.
func (op *loop) conditions() (limit int64, goOn bool, err error) {
	limit, goOn = math.MaxInt64, true
	if op.trips != nil {
		if len(op.trips.data) != 1 {
			return 0, false, fmt.Errorf("the trip count has shape %v, and must be a scalar", op.trips.shape)
		}
		limit = op.trips.data[0]
	}
	if op.cond != nil {
		if len(op.cond.data) != 1 {
			return 0, false, fmt.Errorf("the condition has shape %v, and must be a scalar", op.cond.shape)
		}
		goOn = op.cond.data[0]
	}
	return limit, goOn, nil
}

// iterate computes the graph once and returns its condition.
func (op *loop) iterate(i int64) (goOn bool, err error) {
	count, cond := op.body.in[0].(*array[int64]), op.body.in[1].(*array[bool])
	if err := errors.Join(count.resizeTo(), cond.resizeTo()); err != nil {
		return false, err
	}
	count.data[0], cond.data[0] = i, true
	for j, v := range op.state {
		shareWith(op.body.in[2+j], v)
		v.release()
	}
	if err := op.body.compute(); err != nil {
		return false, err
	}
	out := op.body.out
	if c := out[0].(*array[bool]); len(c.data) != 1 {
		return false, fmt.Errorf("the condition has shape %v, and must be a scalar", c.shape)
	} else {
		goOn = c.data[0]
	}
	for j := range op.state {
		shareWith(op.state[j], out[1+j])
	}
	for j := range op.stacks {
		if err := op.stacks[j].add(out[1+len(op.state)+j]); err != nil {
			return false, err
		}
	}
	op.body.releaseAll()
	return goOn, nil
}

// add appends a copy of v.
func (p *stack) add(v value) error {
	shape := v.info().shape
	if p.count == 0 {
		p.shape = append(p.shape[:0], shape...)
		p.items.info().setShape([]int{4}, shape...)
		if err := p.items.resize(); err != nil {
			return err
		}
	}
	if !slices.Equal(shape, p.shape) {
		return fmt.Errorf("values of shapes %v and %v cannot be stacked", p.shape, shape)
	}
	if items := p.items.info(); p.count == items.shape[0] {
		p.spare.info().setShape([]int{2 * p.count}, shape...)
		if err := p.spare.resize(); err != nil {
			return err
		}
		if err := p.spare.copyAt(0, p.items, 0, p.items.len()); err != nil {
			return err
		}
		p.items.release()
		p.items, p.spare = p.spare, p.items
	}
	p.count++
	return p.items.copyAt((p.count-1)*v.len(), v, 0, v.len())
}

// finish moves the stack to out. An empty one has the shape that is declared, with 0
// for what is not known.
func (p *stack) finish(out value, declared []onnxgraph.Dim) error {
	h := out.info()
	if p.count > 0 {
		h.setShape([]int{p.count}, p.shape...)
	} else {
		h.setShape([]int{0})
		for _, d := range declared {
			h.shape = append(h.shape, int(max(0, d.Size)))
		}
	}
	if err := out.resize(); err != nil {
		return err
	}
	defer p.items.release()
	if p.count == 0 {
		return nil
	}
	return out.copyAt(0, p.items, 0, out.len())
}

// scan computes a graph once for each slice of its scanned inputs.
type scan struct {
	body    *subgraph
	first   []value // of the state
	state   []value
	in      []scanned // whose slices the graph reads
	out     []value   // of the state
	stacked []scanned // whose slices the graph writes
}

// scanned is a value that a scan reads or writes slice by slice along an axis.
type scanned struct {
	value
	axis    int64
	reverse bool
}

func newScan(n *node) kernel {
	n.dataDependent, n.expensive = true, true
	count := attribute(n, "num_scan_inputs", int64(0))
	if count < 1 || count > int64(len(n.inputs)) || slices.Contains(n.inputs, nil) {
		n.fail("attribute \"num_scan_inputs\" is %d for %d inputs, or an input is missing", count, len(n.inputs))
		return nil
	}
	states := len(n.inputs) - int(count)
	op := &scan{first: n.inputs[:states], in: readScanned(n, "input", n.inputs[states:])}
	op.body = newSubgraph(n, "body", n.inputs...)
	if n.err != nil {
		return nil
	}
	if len(op.body.out) != len(n.outputs) || len(n.outputs) < states {
		n.fail("its graph has %d outputs, and must have %d, at least %d of them states", len(op.body.out), len(n.outputs), states)
		return nil
	}
	var stacked []value
	for i, v := range op.body.out {
		out := viewOf(n, i, v)
		if i >= states {
			stacked = append(stacked, out)
			continue
		}
		if t := op.first[i].typ(); v.typ() != t {
			n.fail("output %d of its graph has type %s, and must have %s as state %d", i, v.typ(), t, i)
		}
		op.out = append(op.out, out)
		op.state = append(op.state, v.like(n.memory))
	}
	op.stacked = readScanned(n, "output", stacked)
	return op
}

// readScanned reads the axes and directions of scanned inputs or outputs.
func readScanned(n *node, what string, values []value) []scanned {
	axes := attribute(n, "scan_"+what+"_axes", make([]int64, len(values)))
	directions := attribute(n, "scan_"+what+"_directions", make([]int64, len(values)))
	if len(axes) != len(values) || len(directions) != len(values) {
		n.fail("attributes \"scan_%s_axes\" and \"scan_%s_directions\" have %d and %d numbers, and must have %d", what, what, len(axes), len(directions), len(values))
		return nil
	}
	list := make([]scanned, len(values))
	for i, v := range values {
		list[i] = scanned{v, axes[i], directions[i] != 0}
	}
	return list
}

func (op *scan) shapes() error { return nil }

func (op *scan) run() error {
	time, err := op.slices()
	if err != nil {
		return err
	}
	for i, v := range op.first {
		shareWith(op.state[i], v)
	}
	for t := range time {
		if err := op.iterate(t, time); err != nil {
			return fmt.Errorf("body, iteration %d: %w", t, err)
		}
	}
	for i, v := range op.state {
		shareWith(op.out[i], v)
		v.release()
	}
	for i, s := range op.stacked {
		if time > 0 {
			break
		}
		if err := s.empty(op.body.program.outputs[len(op.state)+i].Shape); err != nil {
			return err
		}
	}
	return nil
}

// slices returns how many slices the scanned inputs have.
func (op *scan) slices() (int, error) {
	count := -1
	for _, s := range op.in {
		shape := s.info().shape
		k, err := axisOf(s.axis, len(shape))
		if err != nil {
			return 0, err
		}
		if count >= 0 && shape[k] != count {
			return 0, fmt.Errorf("scanned inputs have %d and %d slices, and must have as many", count, shape[k])
		}
		count = shape[k]
	}
	return count, nil
}

func (op *scan) iterate(t, time int) error {
	for i, v := range op.state {
		shareWith(op.body.in[i], v)
		v.release()
	}
	for i, in := range op.in {
		if err := in.slice(op.body.in[len(op.state)+i], t); err != nil {
			return err
		}
	}
	if err := op.body.compute(); err != nil {
		return err
	}
	for i := range op.state {
		shareWith(op.state[i], op.body.out[i])
	}
	for i, p := range op.stacked {
		if err := p.store(op.body.out[len(op.state)+i], t, time); err != nil {
			return err
		}
	}
	op.body.releaseAll()
	return nil
}

// empty makes an output of no slices, each of which has the shape that is declared, with
// 0 for what is not known.
func (s scanned) empty(declared []onnxgraph.Dim) error {
	h := s.info()
	h.setShape(nil)
	for _, d := range declared {
		h.shape = append(h.shape, int(max(0, d.Size)))
	}
	k, err := axisOf(s.axis, len(h.shape)+1)
	if err != nil {
		return err
	}
	h.shape = slices.Insert(h.shape, k, 0)
	return s.resize()
}

// slice copies slice t to dst.
func (s scanned) slice(dst value, t int) error {
	shape := s.info().shape
	k, _ := axisOf(s.axis, len(shape))
	dst.info().setShape(shape[:k], shape[k+1:]...)
	if err := dst.resize(); err != nil {
		return err
	}
	if s.reverse {
		t = shape[k] - 1 - t
	}
	outer, _ := product(shape[:k]...)
	inner, _ := product(shape[k+1:]...)
	for o := range outer {
		if err := dst.copyAt(o*inner, s.value, (o*shape[k]+t)*inner, inner); err != nil {
			return err
		}
	}
	return nil
}

// store copies src to slice t of that many. The first call allocates all.
func (s scanned) store(src value, t, time int) error {
	from, h := src.info().shape, s.info()
	k, err := axisOf(s.axis, len(from)+1)
	if err != nil {
		return err
	}
	if t == 0 {
		h.setShape(from[:k], time)
		h.shape = append(h.shape, from[k:]...)
		if err := s.resize(); err != nil {
			return err
		}
	}
	if len(from)+1 != len(h.shape) || !slices.Equal(from[:k], h.shape[:k]) || !slices.Equal(from[k:], h.shape[k+1:]) {
		return fmt.Errorf("a slice of shape %v does not fit the output of shape %v", from, h.shape)
	}
	if s.reverse {
		t = time - 1 - t
	}
	outer, _ := product(from[:k]...)
	inner, _ := product(from[k:]...)
	for o := range outer {
		if err := s.copyAt((o*time+t)*inner, src, o*inner, inner); err != nil {
			return err
		}
	}
	return nil
}
