package stepwise

import (
	"errors"
	"slices"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// turns is the symbol of the number of a turn of a Loop through the steps, and goOn
// that of a condition which is true in every turn but perhaps the last.
var (
	turns = size{factor: 1, symbols: "i"}
	goOn  = size{factor: 1, symbols: "g"}
)

var (
	errTurns = errors.New("goes around another number of times than there are steps")
	errBegun = errors.New("begins with what another node knows of the whole sequence")
)

// loop goes through the steps if it turns once for each, and each turn reads its step.
func loop(c *call) ([]value, error) {
	a, _ := c.Attribute("body")
	body, ok := a.(*onnxgraph.Graph)
	states := len(c.in) - 2
	if !ok || states < 0 || len(body.Inputs) != len(c.in) || len(body.Outputs) < states+1 {
		return nil, errUnknown
	}
	most, steps := still, false
	see := func(v value) {
		most, steps = max(most, v.kind), steps || v.kind == everyStep
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
		return nil, errBegun
	}
	if most != everyStep {
		return slices.Repeat([]value{{kind: most}}, len(c.Outputs)), nil
	}
	if !slices.Equal(c.in[0].ints, []size{stepCount}) {
		c.other = c.other || c.in[0].kind == still
		return nil, errTurns
	}
	c.read = true
	l := &turning{call: c, body: body, states: states}
	return l.outputs()
}

// turning is a Loop that turns once for each step.
type turning struct {
	*call
	body   *onnxgraph.Graph
	states int
}

// outputs follows one turn.
func (l *turning) outputs() ([]value, error) {
	f := l.inner()
	f.values[l.body.Inputs[0].Name] = value{kind: counting, type_: onnxgraph.Int64, dims: []size{}, ints: []size{turns}}
	f.values[l.body.Inputs[1].Name] = value{kind: still, type_: onnxgraph.Bool, dims: []size{}, ints: []size{one}}
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
	if !begins.missing && !isTrue(begins, one) || !isTrue(goes, one) && !isTrue(goes, goOn) {
		return nil, errTurns
	}
	var out []value
	var slots []slot
	for k := range len(l.body.Outputs) - 1 {
		v, carries, err := l.output(k, f.value(l.body.Outputs[1+k].Name))
		if err != nil {
			return nil, err
		}
		if carries && !l.isCarried(2+k) {
			slots = append(slots, slot{2 + k, k, l.in[2+k], true})
		}
		out = append(out, v)
	}
	return out, l.addCarrier(slots)
}

// passes tells whether a turn leaves a variable as it is.
func (l *turning) passes(k int) bool {
	name := l.body.Outputs[1+k].Name
	for i := len(l.body.Nodes) - 1; i >= 0; i-- {
		if n := &l.body.Nodes[i]; n.OpType == "Identity" && len(n.Inputs) == 1 && slices.Contains(n.Outputs, name) {
			name = n.Inputs[0]
		}
	}
	return name == l.body.Inputs[2+k].Name
}

// counter returns with what number a variable begins that counts turns.
func (l *turning) counter(k int) (size, bool) {
	v := l.in[2+k]
	if len(v.ints) != 1 || v.kind != still || v.type_ != onnxgraph.Int32 && v.type_ != onnxgraph.Int64 {
		return size{}, false
	}
	return turns.add(v.ints[0])
}

// begin returns what a turn sees of a variable.
func (l *turning) begin(k int) value {
	v := l.in[2+k]
	if l.passes(k) {
		return v
	}
	if n, ok := l.counter(k); ok {
		v.kind, v.ints = counting, []size{n}
		return v
	}
	v.kind, v.ints = still, nil
	return v
}

// output returns what the Loop gives of a variable, or of what it stacks, and whether
// it carries that from step to step.
func (l *turning) output(k int, v value) (value, bool, error) {
	switch {
	case k >= l.states && v.kind != still:
		return v, false, errMixes
	case k >= l.states:
		v.kind = everyStep
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
	case l.in[2+k].kind != still:
		return v, false, errBegun
	case v.kind != still:
		return v, false, errMixes
	}
	v = l.in[2+k]
	v.kind, v.ints = lastStep, nil
	return v, true, nil
}

// less compares numbers of turns and steps.
func less(c *call) ([]value, error) {
	out, err := c.join(c.in...)
	if err != nil || len(c.in) != 2 || len(out[0].dims) > 1 || len(c.in[0].ints) != 1 || len(c.in[1].ints) != 1 {
		return out, err
	}
	a, b := c.in[0].ints[0], c.in[1].ints[0]
	n, isNumber := a.fixed()
	m, isOther := b.fixed()
	turn := size{1, turns.symbols, a.plus}
	switch {
	case isNumber && isOther:
		out[0].ints = []size{truth(n < m)}
	case isNumber && n < 1 && b == stepCount, a == turn && b == stepCount && a.plus < 1:
		out[0].ints = []size{one}
	case a == turn && b == stepCount && a.plus == 1:
		out[0].ints = []size{goOn}
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
