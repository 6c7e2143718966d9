package infer

import (
	"context"
	"errors"
	"fmt"

	"github.com/rnnkit/rnnkit/infer/engine"
)

// State is what a model carries from one [Model.Step] to the next. It belongs
// to one goroutine at a time.
type State struct {
	tensors map[string]Tensor // by the input that they are fed to; empty at first
}

// NewState returns the state before the first step.
func (m *Model) NewState() *State { return &State{} }

// Step feeds the model one step, x of [features], and returns its answer,
// [outputs]. The state goes on from the step before. Steps one by one give the
// answers that a whole sequence gives.
//
// It is an error if the model takes no state, or cannot run step by step: see
// [models.Spec.Stepwise].
func (m *Model) Step(ctx context.Context, s *State, x []float32) ([]float32, error) {
	switch {
	case m.meta == nil:
		return nil, errNoMetadata
	case m.meta.Spec.Bidirectional:
		return nil, errors.New("a bidirectional model cannot run step by step: it reads the sequence from its end too; use Run on the whole")
	case !m.meta.Spec.Stepwise():
		return nil, fmt.Errorf("a model of readout %q cannot run step by step: it reads the outputs of all steps; use Run on the whole", m.meta.Spec.Readout)
	case len(m.meta.State) == 0:
		return nil, errors.New("the model's metadata names no state: export it again")
	}
	inputs := map[string]Tensor{inputName: engine.Of(x, 1, 1, len(x))}
	outputs := []string{outputName}
	for _, pair := range m.meta.State {
		if t, ok := s.tensors[pair.Input]; ok {
			inputs[pair.Input] = t
		}
		outputs = append(outputs, pair.Output)
	}
	results, err := m.Run(ctx, inputs, outputs...)
	if err != nil {
		return nil, err
	}
	s.tensors = make(map[string]Tensor, len(m.meta.State))
	for _, pair := range m.meta.State {
		s.tensors[pair.Input] = results[pair.Output]
	}
	y, err := engine.Values[float32](results[outputName])
	if err != nil {
		return nil, fmt.Errorf("output %q: %w", outputName, err)
	}
	return y, nil
}
