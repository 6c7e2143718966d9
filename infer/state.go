package infer

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/models"
)

// State is what a model keeps from one step to the next. The zero State is the one before
// the first step. A State must not be used by several goroutines at once, and not be
// copied: use [State.Clone].
//
// A step compares the names, types and shapes of a state with those of the model, not
// where the state comes from. The state of another model with the same sizes is taken, and
// the answers are wrong. Keep a state together with the file of its model, for example by
// the digest of the file.
type State struct {
	_ noCopy

	names   []string        // of the inputs that take the tensors
	tensors []tensor.Tensor // none at first

	// What follows is workspace that the steps of one model reuse.
	model           *Model
	x, y            tensor.Tensor
	next            []tensor.Tensor  // that the model writes the state to
	inputs, outputs []*tensor.Tensor // of a run
}

// noCopy makes go vet report a copy of the struct that holds it, as of a lock. The copy of
// a State would share its workspace.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// NewState returns the state before the first step.
func (m *Model) NewState() *State { return &State{} }

// Reset makes s the state before the first step.
func (s *State) Reset() { s.tensors = s.tensors[:0] }

// Clone returns an independent copy of s.
func (s *State) Clone() *State {
	c := &State{names: s.names}
	for _, t := range s.tensors {
		c.tensors = append(c.tensors, t.Clone())
	}
	return c
}

// Step feeds the model one step, x, and returns the answer, which belongs to the caller.
// It updates s, and after an error leaves it as it was. The answers are those that the
// model gives to the whole sequence.
//
// A model of rnnkit takes x of [features] and answers [outputs]. Any other model must take
// float32, and no other required input besides its state, in a shape that x fills: a
// dimension of no fixed size is 1, or for the last one what is left. The answer is all of
// its first output that is no state. [Model.Describe] chooses another input or output.
//
// The graph need not have inputs and outputs for the state. If it has none, the first step
// opens the model again with them added, and a third time if the graph sets the initial
// state itself. It is an error if a node reads later steps or mixes steps, as a backward
// layer or a mean or a convolution over the time does, or if that is not known:
// [Model.Streams] names the node.
//
// A forecaster that was trained on windows has only seen states as old as a window. For
// longer series use [Forecaster], which feeds a window each time, or train it on
// streams (TBPTT of rnnkit.StepForecasterOptions).
//
// An x of a wrong length is a [*models.FieldError] of "x", and a state of another model
// one of "s".
//
// On the native engine a NaN in x enters the state and stays there. ONNX Runtime turns it
// into numbers, so check x if it may have one.
func (m *Model) Step(ctx context.Context, s *State, x []float32) ([]float32, error) {
	steps, err := m.stepsOf(tensor.Float32)
	if err != nil {
		return nil, err
	}
	if err := s.join(m, steps); err != nil {
		return nil, err
	}
	if s.x.Len() != len(x) || len(x) == 0 {
		shape, err := steps.shapeOf(x)
		if err != nil {
			return nil, err
		}
		s.x = tensor.Of(slices.Clone(x), shape...)
	}
	copy(s.x.Data.([]float32), x)
	return m.answer(ctx, steps, s)
}

// StepTokens is [Model.Step] for a model of tokens, int64 of [batch, time]. It feeds the
// given tokens, at least one, in a single run, and returns the answer to the last of them.
// A model from elsewhere may have the time first. No tokens are a [*models.FieldError] of
// "tokens", and one that the model does not know is one of, for example, "tokens[4]".
func (m *Model) StepTokens(ctx context.Context, s *State, tokens ...int64) ([]float32, error) {
	steps, err := m.stepsOf(tensor.Int64)
	if err != nil {
		return nil, err
	}
	if len(tokens) == 0 {
		return nil, &models.FieldError{Field: "tokens", Value: tokens, Want: "of length 1 or more"}
	}
	if err := m.checkTokens("tokens", tokens); err != nil {
		return nil, err
	}
	if err := s.join(m, steps); err != nil {
		return nil, err
	}
	if s.x.Len() != len(tokens) {
		s.x = tensor.Of(slices.Clone(tokens), steps.tokens(len(tokens))...)
	}
	copy(s.x.Data.([]int64), tokens)
	return m.answer(ctx, steps, s)
}

// StepTensors is [Model.Run] with the inputs of the state taken from s, which it updates.
// It is for steps of several inputs, of several sequences at once, of any type and shape.
// Give inputs that are the same for every step each time. An input of the state may be
// given too, for example to begin with another state than zeros; it replaces that of s.
// An input that does not fit is a [*models.FieldError] of, for example, inputs["x"].
func (m *Model) StepTensors(ctx context.Context, s *State, inputs map[string]tensor.Tensor, outputs ...string) (map[string]tensor.Tensor, error) {
	steps, err := m.steps()
	if err != nil {
		return nil, err
	}
	if err := s.join(m, steps); err != nil {
		return nil, err
	}
	var b engine.Binding
	results := engine.Wanted(m.session, outputs)
	if err := b.Bind(steps.session, inputs, results); err != nil {
		return nil, cmp.Or(m.unfit(steps.session.Inputs(), inputs), err)
	}
	copy(s.inputs, b.Inputs)
	copy(s.outputs, b.Outputs)
	if err := m.advance(ctx, steps, s); err != nil {
		return nil, cmp.Or(m.unfit(steps.session.Inputs(), inputs), err)
	}
	s.advance()
	for i, p := range steps.places {
		if t := b.Outputs[p.output]; t != nil {
			*t = s.tensors[i].Clone()
		}
	}
	b.Release(steps.session, results)
	return results, nil
}

// unfit returns a *models.FieldError for one of the given tensors that the model cannot
// take, or nil.
func (m *Model) unfit(infos []tensor.Info, given map[string]tensor.Tensor) error {
	for _, name := range slices.Sorted(maps.Keys(given)) {
		t, field := given[name], fmt.Sprintf("inputs[%q]", name)
		i := indexOf(infos, name)
		switch {
		case i < 0:
			return &models.FieldError{Field: field, Value: tensorShapeOf(t), Want: fmt.Sprintf("left out: the model takes %v", infos)}
		case infos[i].Check(&t) != nil:
			return &models.FieldError{Field: field, Value: tensorShapeOf(t), Want: infos[i].String()}
		}
		if tokens, ok := t.Data.([]int64); ok && name == inputName {
			if err := m.checkTokens(field+".Data", tokens); err != nil {
				return err
			}
		}
	}
	return nil
}

// join prepares s for a step of m.
func (s *State) join(m *Model, steps *stepper) error {
	if s == nil {
		return &models.FieldError{Field: "s", Value: nil, Want: "a state: begin with NewState"}
	}
	if s.model == m {
		clear(s.inputs)
		clear(s.outputs)
		return nil
	}
	names := make([]string, len(steps.pairs))
	var tensors []tensor.Tensor
	for i, pair := range steps.pairs {
		names[i] = pair.Input
		if at := slices.Index(s.names, pair.Input); at >= 0 && at < len(s.tensors) {
			tensors = append(tensors, s.tensors[at])
		}
	}
	if len(s.tensors) > 0 && (len(s.tensors) != len(names) || len(tensors) != len(names)) {
		return s.unfit("a state of this model, which has %v", steps.pairs)
	}
	for i, t := range tensors {
		if info := steps.session.Inputs()[steps.places[i].input]; info.Check(&t) != nil {
			return s.unfit("a state of this model, which takes %s, not %s", info, tensorShapeOf(t))
		}
	}
	*s = State{
		names: names, tensors: tensors, model: m, next: make([]tensor.Tensor, len(names)),
		inputs: make([]*tensor.Tensor, len(steps.session.Inputs())), outputs: make([]*tensor.Tensor, len(steps.session.Outputs())),
	}
	return nil
}

// unfit returns the error of a state that cannot be used.
func (s *State) unfit(want string, args ...any) error {
	return &models.FieldError{Field: "s", Value: s, Want: fmt.Sprintf(want, args...) + ": begin with NewState"}
}

// answer feeds s.x, steps of one sequence, and returns the answer to the last one if they
// are tokens, and otherwise all of the output.
func (m *Model) answer(ctx context.Context, steps *stepper, s *State) ([]float32, error) {
	for i, t := range s.tensors {
		if m.meta != nil && (len(t.Shape) != 3 || t.Shape[1] != 1) {
			return nil, s.unfit("a state whose %s has the shape [layers*directions, 1, hidden], not %v", s.names[i], t.Shape)
		}
	}
	s.inputs[steps.input], s.outputs[steps.output] = &s.x, &s.y
	if err := m.advance(ctx, steps, s); err != nil {
		return nil, err
	}
	name := m.Outputs()[steps.output].Name
	y, err := tensor.Values[float32](s.y)
	if err != nil {
		return nil, fmt.Errorf("output %q: %w", name, err)
	}
	shape, tokens := s.y.Shape, s.x.Type() == tensor.Int64
	size := len(y)
	switch {
	case m.meta != nil:
		size = m.meta.Spec.Outputs
	case tokens && steps.outputTime >= 0 && steps.outputTime < len(shape):
		y = lastStep(y, shape, steps.outputTime)
		size = len(y)
	case tokens && len(shape) > 0:
		size = shape[len(shape)-1]
	}
	if len(y) < size {
		return nil, fmt.Errorf("output %q has %d values, where the metadata tells of %d: export the model again", name, len(y), size)
	}
	s.advance()
	return slices.Clone(y[len(y)-size:]), nil
}

// lastStep returns the part of y, of that shape, for the last step.
func lastStep(y []float32, shape []int, time int) []float32 {
	after := 1
	for _, n := range shape[time+1:] {
		after *= n
	}
	var last []float32
	for part := range slices.Chunk(y, max(1, shape[time]*after)) {
		last = append(last, part[len(part)-after:]...)
	}
	return last
}

// advance runs m on s.inputs and the state, and writes s.outputs and s.next.
func (m *Model) advance(ctx context.Context, steps *stepper, s *State) error {
	for i, p := range steps.places {
		s.outputs[p.output] = &s.next[i]
		if s.inputs[p.input] == nil && len(s.tensors) > 0 {
			s.inputs[p.input] = &s.tensors[i]
		}
	}
	if len(s.tensors) > 0 {
		return m.run(ctx, steps.session, s.inputs, s.outputs)
	}
	given, err := steps.given(s.inputs[len(m.Inputs()):])
	if err != nil {
		return err
	}
	if steps.first == nil || given {
		if err := steps.begin(steps.session.Inputs(), s.inputs, make([]tensor.Tensor, len(steps.places))); err != nil {
			return err
		}
		return m.run(ctx, steps.session, s.inputs, s.outputs)
	}
	own := s.inputs[:len(m.Inputs())]
	if err := m.begin(m.Inputs(), own, make([]tensor.Tensor, len(m.places))); err != nil {
		return err
	}
	return m.run(ctx, steps.first, own, s.outputs)
}

// given reports whether the caller gives the states that were added to the graph: all of
// them, or none.
func (s *stepper) given(inputs []*tensor.Tensor) (bool, error) {
	n := 0
	for _, t := range inputs {
		if t != nil {
			n++
		}
	}
	if s.first != nil && n > 0 && n < len(inputs) {
		return false, fmt.Errorf("%d of the %d inputs that the model's state was given are there: give all of them or none, then the model begins with its own", n, len(inputs))
	}
	return n > 0, nil
}

// advance makes the state that the model has written the current one.
func (s *State) advance() {
	if cap(s.tensors) == 0 {
		s.tensors = make([]tensor.Tensor, len(s.next))
	}
	s.tensors, s.next = s.next, s.tensors[:len(s.next)]
}

// maxState is how many elements an initial state may have.
const maxState = 1 << 26

// begin sets those inputs of the state to zeros that are not given and have no default. It
// reuses the memory of zeros, which has a tensor for each state.
func (s *states) begin(infos []tensor.Info, inputs []*tensor.Tensor, zeros []tensor.Tensor) error {
	for i, p := range s.places {
		info := &infos[p.input]
		if inputs[p.input] != nil || info.Optional {
			continue
		}
		shape := zeros[i].Shape[:0]
		for k := range info.Shape {
			shape = append(shape, s.sizeOf(p.input, k, infos, inputs))
		}
		size, err := tensor.Size(shape)
		if err != nil || size > maxState || info.Shape == nil {
			return fmt.Errorf("the first state cannot be made: input %s has no shape, or too large a one: give it", info)
		}
		if zeros[i].Shape = shape; zeros[i].Data == nil || zeros[i].Len() != size {
			zeros[i] = tensor.Zeros(info.Type, shape...)
		}
		inputs[p.input] = &zeros[i]
	}
	return nil
}

// sizeOf returns the size of dimension k of an input. If the input declares none, it is
// that of a given input's dimension with the same symbol, or the batch of the given inputs
// if it is a batch, or 1.
func (s *states) sizeOf(input, k int, infos []tensor.Info, inputs []*tensor.Tensor) int {
	d := infos[input].Shape[k]
	if d.Symbol == "" && d.Size >= 0 {
		return d.Size
	}
	for i, t := range inputs {
		if t == nil || d.Symbol == "" || len(t.Shape) != len(infos[i].Shape) {
			continue
		}
		for axis, other := range infos[i].Shape {
			if other.Symbol == d.Symbol {
				return t.Shape[axis]
			}
		}
	}
	if input >= len(s.batch) || s.batch[input] != k {
		return 1
	}
	for i, axis := range s.batch {
		if t := inputs[i]; t != nil && axis >= 0 && axis < len(t.Shape) {
			return t.Shape[axis]
		}
	}
	return 1
}
