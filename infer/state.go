package infer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/models"
)

// State is what a model carries from one step to the next. The zero State is
// the one before the first step. It belongs to one goroutine at a time.
type State struct {
	tensors map[string]Tensor // by the input that they are fed to; empty at first

	// What follows is memory that steps of one model use again.
	model   *Model
	x       Tensor
	inputs  map[string]Tensor
	outputs map[string]Tensor
}

// NewState returns the state before the first step.
func (m *Model) NewState() *State { return &State{} }

// Reset makes s the state before the first step.
func (s *State) Reset() { clear(s.tensors) }

// Clone returns a copy of s that goes its own way.
func (s *State) Clone() *State {
	c := &State{tensors: make(map[string]Tensor, len(s.tensors))}
	for name, t := range s.tensors {
		c.tensors[name] = t.Clone()
	}
	return c
}

// Step feeds the model one step, x, and returns its answer, which belongs to the
// caller. The state goes on from the step before; after an error it is what it was.
// Steps one by one give the answers that a whole sequence gives.
//
// A model of rnnkit reads x of [features] and answers [outputs]. Any other model
// that has a state must read float32, and nothing else besides the state, in a
// shape that x fills: a dimension of no fixed size is 1, or the last one what is
// left. Its answer is all of its first output that is no state.
//
// It is an error if the model takes no state, or cannot run step by step, as one
// that reads sequences from their end too: see [models.Spec.Stepwise].
func (m *Model) Step(ctx context.Context, s *State, x []float32) ([]float32, error) {
	if err := m.checkSteps(engine.Float32); err != nil {
		return nil, err
	}
	s.reuse(m)
	if s.x.Len() != len(x) || len(x) == 0 {
		shape, err := m.steps.shape(len(x))
		if err != nil {
			return nil, err
		}
		s.x = engine.Of(slices.Clone(x), shape...)
	}
	copy(s.x.Data.([]float32), x)
	return m.answer(ctx, s)
}

// StepTokens is [Model.Step] for a model of tokens, int64 of [batch, time]. It
// feeds the given tokens, at least one, in a single run, and returns the answer to
// the last of them.
func (m *Model) StepTokens(ctx context.Context, s *State, tokens ...int64) ([]float32, error) {
	if err := m.checkSteps(engine.Int64); err != nil {
		return nil, err
	}
	if len(tokens) == 0 {
		return nil, errors.New("there are no tokens: give the model one or more")
	}
	if m.meta != nil {
		if err := m.checkTokens(tokens); err != nil {
			return nil, err
		}
	}
	s.reuse(m)
	if s.x.Len() != len(tokens) {
		s.x = engine.Of(slices.Clone(tokens), 1, len(tokens))
	}
	copy(s.x.Data.([]int64), tokens)
	return m.answer(ctx, s)
}

// StepTensors is [Model.Run] with the inputs that carry the state fed from s, which
// goes on. It is for steps of several inputs, of several sequences at once, of any
// type and shape. An input that carries the state may be given too, and then goes
// before that of s: to begin with another state than zeros.
func (m *Model) StepTensors(ctx context.Context, s *State, inputs map[string]Tensor, outputs ...string) (map[string]Tensor, error) {
	if m.steps.err != nil {
		return nil, m.steps.err
	}
	if len(outputs) == 0 {
		for _, info := range m.Outputs() {
			outputs = append(outputs, info.Name)
		}
	}
	s.reuse(m)
	maps.Copy(s.inputs, inputs)
	if err := m.advance(ctx, s, outputs); err != nil {
		return nil, err
	}
	results := make(map[string]Tensor, len(outputs))
	for _, name := range outputs {
		results[name] = s.outputs[name]
		delete(s.outputs, name)
	}
	for _, pair := range m.steps.pairs {
		if _, ok := results[pair.Output]; ok {
			results[pair.Output] = s.tensors[pair.Input].Clone()
		}
	}
	return results, nil
}

// reuse prepares s for a step of m.
func (s *State) reuse(m *Model) {
	if s.model != m {
		*s = State{tensors: s.tensors, model: m, inputs: make(map[string]Tensor), outputs: make(map[string]Tensor)}
		if s.tensors == nil {
			s.tensors = make(map[string]Tensor)
		}
	}
	clear(s.inputs)
}

// answer feeds s.x, steps of one sequence, and returns the answer to the last if it
// is one of several tokens, else all of it.
func (m *Model) answer(ctx context.Context, s *State) ([]float32, error) {
	for name, t := range s.tensors {
		if m.meta != nil && (len(t.Shape) != 3 || t.Shape[1] != 1) {
			return nil, fmt.Errorf("state %q has shape %v, not [layers*directions, 1, hidden]: begin with NewState", name, t.Shape)
		}
	}
	s.inputs[m.steps.input.Name] = s.x
	if err := m.advance(ctx, s, m.steps.outputs); err != nil {
		return nil, err
	}
	name := m.steps.outputs[0]
	y, err := engine.Values[float32](s.outputs[name])
	if err != nil {
		return nil, fmt.Errorf("output %q: %w", name, err)
	}
	size := len(y)
	switch shape := s.outputs[name].Shape; {
	case m.meta != nil:
		size = m.meta.Spec.Outputs
	case m.steps.input.Type == engine.Int64 && len(shape) > 0:
		size = shape[len(shape)-1]
	}
	if len(y) < size {
		return nil, fmt.Errorf("output %q has %d values, where the metadata tells of %d: export the model again", name, len(y), size)
	}
	return slices.Clone(y[len(y)-size:]), nil
}

// advance runs m on s.inputs and the state, and computes s.outputs, those of the
// given names and the state, which becomes that of s.
func (m *Model) advance(ctx context.Context, s *State, outputs []string) error {
	if err := m.checkState(s); err != nil {
		return err
	}
	for name, t := range s.tensors {
		if _, given := s.inputs[name]; !given {
			s.inputs[name] = t
		}
	}
	if len(s.tensors) == 0 {
		if err := m.begin(s); err != nil {
			return err
		}
	}
	maps.DeleteFunc(s.outputs, func(name string, _ Tensor) bool {
		return !slices.Contains(outputs, name) && !slices.Contains(m.steps.outputs[1:], name)
	})
	for _, names := range [][]string{outputs, m.steps.outputs[1:]} {
		for _, name := range names {
			if _, ok := s.outputs[name]; !ok {
				s.outputs[name] = Tensor{}
			}
		}
	}
	if err := m.RunInto(ctx, s.inputs, s.outputs); err != nil {
		return err
	}
	for _, pair := range m.steps.pairs {
		s.tensors[pair.Input], s.outputs[pair.Output] = s.outputs[pair.Output], s.tensors[pair.Input]
	}
	return nil
}

// checkState returns an error unless s is a state of this model, as far as names
// tell. Engines check the rest.
func (m *Model) checkState(s *State) error {
	for name := range s.tensors {
		if !slices.ContainsFunc(m.steps.pairs, func(p models.StatePair) bool { return p.Input == name }) || len(s.tensors) != len(m.steps.pairs) {
			return fmt.Errorf("the state is not one of this model, which has %v: begin with NewState", m.steps.pairs)
		}
	}
	return nil
}

// maxState is how many elements an initial state may have that a file asks for.
const maxState = 1 << 26

// begin sets those inputs that carry the state, are not given and have no default
// to zeros. A dimension of no fixed size is that of the other inputs which has the
// same symbol, or 1.
func (m *Model) begin(s *State) error {
	sizes := make(map[string]int)
	for _, info := range m.Inputs() {
		if t, ok := s.inputs[info.Name]; ok && len(t.Shape) == len(info.Shape) {
			for i, d := range info.Shape {
				sizes[d.Symbol] = t.Shape[i]
			}
		}
	}
	delete(sizes, "")
	for _, info := range m.Inputs() {
		_, given := s.inputs[info.Name]
		if given || info.Optional || !slices.ContainsFunc(m.steps.pairs, func(p models.StatePair) bool { return p.Input == info.Name }) {
			continue
		}
		shape := make([]int, len(info.Shape))
		for i, d := range info.Shape {
			shape[i] = d.Size
			if size, ok := sizes[d.Symbol]; ok {
				shape[i] = size
			} else if d.Symbol != "" || d.Size < 0 {
				shape[i] = 1
			}
		}
		size, err := engine.Size(shape)
		if err != nil || size > maxState || info.Shape == nil {
			return fmt.Errorf("the first state cannot be made: input %s has no shape, or too large a one: give it to StepTensors", info)
		}
		s.inputs[info.Name] = engine.Zeros(info.Type, shape...)
	}
	return nil
}
