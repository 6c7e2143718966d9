package infer

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/rnnkit/rnnkit/infer/engine"
)

// State is what a model carries from one step to the next. The zero State is
// the one before the first step. It belongs to one goroutine at a time.
type State struct {
	tensors map[string]Tensor // by the input that they are fed to; empty at first
}

// NewState returns the state before the first step.
func (m *Model) NewState() *State { return &State{} }

// Reset makes s the state before the first step.
func (s *State) Reset() { clear(s.tensors) }

// Clone returns a copy of s that goes its own way.
func (s *State) Clone() *State { return &State{maps.Clone(s.tensors)} }

// Step feeds the model one step, x of [features], and returns its answer,
// [outputs]. The state goes on from the step before; after an error it is what
// it was. Steps one by one give the answers that a whole sequence gives.
//
// It is an error if the model takes no state, or cannot run step by step: see
// [models.Spec.Stepwise].
func (m *Model) Step(ctx context.Context, s *State, x []float32) ([]float32, error) {
	if err := m.checkStepwise(); err != nil {
		return nil, err
	}
	if m.meta.Spec.Vocabulary > 0 {
		return nil, errors.New("the model reads tokens: use StepTokens")
	}
	return m.advance(ctx, s, engine.Of(x, 1, 1, len(x)))
}

// StepTokens is [Model.Step] for a model of tokens. It feeds the given tokens,
// at least one, in a single run, and returns the answer to the last of them.
func (m *Model) StepTokens(ctx context.Context, s *State, tokens ...int64) ([]float32, error) {
	if err := m.checkStepwise(); err != nil {
		return nil, err
	}
	switch {
	case m.meta.Spec.Vocabulary == 0:
		return nil, errors.New("the model does not read tokens: use Step")
	case len(tokens) == 0:
		return nil, errors.New("there are no tokens: give the model one or more")
	}
	if err := m.checkTokens(tokens); err != nil {
		return nil, err
	}
	return m.advance(ctx, s, engine.Of(tokens, 1, len(tokens)))
}

// checkStepwise returns the reason why m cannot run step by step, if there is one.
func (m *Model) checkStepwise() error {
	switch {
	case m.meta == nil:
		return errNoMetadata
	case m.meta.Spec.Bidirectional:
		return errors.New("a bidirectional model cannot run step by step: it reads the sequence from its end too; use Run on the whole")
	case !m.meta.Spec.Stepwise():
		return fmt.Errorf("a model of readout %q cannot run step by step: it reads the outputs of all steps; use Run on the whole", m.meta.Spec.Readout)
	case len(m.meta.State) == 0:
		return errors.New("the model's metadata names no state: export it again")
	}
	return nil
}

// advance feeds steps of one sequence to the model and returns its answer to the
// last.
func (m *Model) advance(ctx context.Context, s *State, steps Tensor) ([]float32, error) {
	if s.tensors == nil {
		s.tensors = make(map[string]Tensor, len(m.meta.State)+1)
	}
	if err := m.checkState(s); err != nil {
		return nil, err
	}
	s.tensors[inputName] = steps
	results, err := m.Run(ctx, s.tensors, m.stepOutputs...)
	delete(s.tensors, inputName)
	if err != nil {
		return nil, err
	}
	y, err := engine.Values[float32](results[outputName])
	if err != nil {
		return nil, fmt.Errorf("output %q: %w", outputName, err)
	}
	outputs := m.meta.Spec.Outputs
	if len(y) < outputs {
		return nil, fmt.Errorf("output %q has %d values, where the metadata tells of %d: export the model again", outputName, len(y), outputs)
	}
	for _, pair := range m.meta.State {
		s.tensors[pair.Input] = results[pair.Output]
	}
	return y[len(y)-outputs:], nil
}

// checkState returns an error unless s is the state of one sequence of this
// model, as far as names and the batch tell. Engines check the rest.
func (m *Model) checkState(s *State) error {
	if len(s.tensors) == 0 {
		return nil
	}
	for _, pair := range m.meta.State {
		t, ok := s.tensors[pair.Input]
		if !ok || len(s.tensors) != len(m.meta.State) {
			return fmt.Errorf("the state is not one of this model, which has %v: begin with NewState", m.meta.State)
		}
		if len(t.Shape) != 3 || t.Shape[1] != 1 {
			return fmt.Errorf("state %q has shape %v, not [layers*directions, 1, hidden]: begin with NewState", pair.Input, t.Shape)
		}
	}
	return nil
}
