package stepwise

import (
	"errors"
	"slices"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// iteration is the symbol of the number of an iteration of a Loop over the steps.
// notLast is that of a condition that holds in every iteration but perhaps the last.
var (
	iteration = size{factor: 1, symbols: "i"}
	notLast   = size{factor: 1, symbols: "g"}
)

var (
	errIterations = errors.New("runs another number of iterations than there are steps")
	errStart      = errors.New("starts from a value that depends on the whole sequence")
)

// loop is for a Loop. It runs over the steps if it has an iteration for each, which reads
// that step.
func loop(c *call) ([]value, error) {
	a, _ := c.Attribute("body")
	body, ok := a.(*onnxgraph.Graph)
	states := len(c.in) - 2
	if !ok || states < 0 || len(body.Inputs) != len(c.in) || len(body.Outputs) < states+1 {
		return nil, errUnknown
	}
	most, steps := invariant, false
	see := func(v value) {
		most, steps = max(most, v.kind), steps || v.kind == perStep
	}
	for _, v := range c.in {
		see(v)
	}
	for _, name := range body.Free() {
		v := c.value(name)
		if v.kind == unknown {
			return nil, errUnknown
		}
		see(v)
	}
	if most == lastStep && steps {
		return nil, errStart
	}
	if most != perStep {
		return slices.Repeat([]value{{kind: most}}, len(c.Outputs)), nil
	}
	if !slices.Equal(c.in[0].ints, []size{stepCount}) {
		c.other = c.other || c.in[0].kind == invariant
		return nil, errIterations
	}
	c.read = true
	l := &stepLoop{call: c, body: body, states: states}
	return l.outputs()
}

// stepLoop is a Loop with one iteration for each step.
type stepLoop struct {
	*call
	body   *onnxgraph.Graph
	states int
}

// outputs follows one iteration.
func (l *stepLoop) outputs() ([]value, error) {
	f := l.inner()
	f.values[l.body.Inputs[0].Name] = value{kind: counting, type_: onnxgraph.Int64, dims: []size{}, ints: []size{iteration}}
	f.values[l.body.Inputs[1].Name] = value{kind: invariant, type_: onnxgraph.Bool, dims: []size{}, ints: []size{one}}
	for k := range l.states {
		f.values[l.body.Inputs[2+k].Name] = l.begin(k)
	}
	f.graph(l.body)
	l.next = f.next
	if f.err != nil {
		return nil, f.err
	}
	begins, goes := l.in[1], f.value(l.body.Outputs[0].Name)
	isTrue := func(v value, s size) bool { return slices.Equal(v.ints, []size{s}) }
	if !begins.missing && !isTrue(begins, one) || !isTrue(goes, one) && !isTrue(goes, notLast) {
		return nil, errIterations
	}
	var out []value
	var slots []slot
	for k := range len(l.body.Outputs) - 1 {
		v, isState, err := l.output(k, f.value(l.body.Outputs[1+k].Name))
		if err != nil {
			return nil, err
		}
		if isState && !l.isState(2+k) {
			slots = append(slots, slot{2 + k, k, l.in[2+k], true})
		}
		out = append(out, v)
	}
	return out, l.addStateful(slots)
}

// passes reports whether an iteration leaves a variable as it is.
func (l *stepLoop) passes(k int) bool {
	name := l.body.Outputs[1+k].Name
	for i := len(l.body.Nodes) - 1; i >= 0; i-- {
		if n := &l.body.Nodes[i]; n.OpType == "Identity" && len(n.Inputs) == 1 && slices.Contains(n.Outputs, name) {
			name = n.Inputs[0]
		}
	}
	return name == l.body.Inputs[2+k].Name
}

// counter returns the first value of a variable that counts iterations.
func (l *stepLoop) counter(k int) (size, bool) {
	v := l.in[2+k]
	if len(v.ints) != 1 || v.kind != invariant || v.type_ != onnxgraph.Int32 && v.type_ != onnxgraph.Int64 {
		return size{}, false
	}
	return iteration.add(v.ints[0])
}

// begin returns what an iteration sees of a variable.
func (l *stepLoop) begin(k int) value {
	v := l.in[2+k]
	if l.passes(k) {
		return v
	}
	if n, ok := l.counter(k); ok {
		v.kind, v.ints = counting, []size{n}
		return v
	}
	v.kind, v.ints = invariant, nil
	return v
}

// output returns the output of the Loop for a variable, or for what it stacks. It
// reports whether the variable is a state.
func (l *stepLoop) output(k int, v value) (value, bool, error) {
	switch {
	case k >= l.states && v.kind != invariant:
		return v, false, errMixes
	case k >= l.states:
		v.kind = perStep
		v, err := l.stacked(v, -1)
		return v, false, err
	case l.passes(k):
		return l.in[2+k], false, nil
	}
	if n, ok := l.counter(k); ok {
		if next, _ := n.add(one); !slices.Equal(v.ints, []size{next}) {
			return v, false, errCount
		}
		last, _ := stepCount.add(l.in[2+k].ints[0])
		return counts([]size{last}, len(l.in[2+k].dims)), false, nil
	}
	switch {
	case l.in[2+k].kind != invariant:
		return v, false, errStart
	case v.kind != invariant:
		return v, false, errMixes
	}
	v = l.in[2+k]
	v.kind, v.ints = lastStep, nil
	return v, true, nil
}

// less compares the numbers of iterations and steps.
func less(c *call) ([]value, error) {
	out, err := c.join(c.in...)
	if err != nil || len(c.in) != 2 || len(out[0].dims) > 1 || len(c.in[0].ints) != 1 || len(c.in[1].ints) != 1 {
		return out, err
	}
	a, b := c.in[0].ints[0], c.in[1].ints[0]
	n, isNumber := a.fixed()
	m, isOther := b.fixed()
	turn := size{1, iteration.symbols, a.plus}
	switch {
	case isNumber && isOther:
		out[0].ints = []size{truth(n < m)}
	case isNumber && n < 1 && b == stepCount, a == turn && b == stepCount && a.plus < 1:
		out[0].ints = []size{one}
	case a == turn && b == stepCount && a.plus == 1:
		out[0].ints = []size{notLast}
	}
	out[0].type_ = onnxgraph.Bool
	return out, nil
}

// and joins conditions.
func and(c *call) ([]value, error) {
	out, err := c.join(c.in...)
	if err != nil || len(c.in) != 2 || len(c.in[0].ints) != 1 || len(c.in[1].ints) != 1 {
		return out, err
	}
	switch a, b := c.in[0].ints[0], c.in[1].ints[0]; {
	case a == fixed(0) || b == fixed(0):
		out[0].ints = []size{fixed(0)}
	case a == one:
		out[0].ints = []size{b}
	case b == one || a == b:
		out[0].ints = []size{a}
	}
	return out, nil
}
