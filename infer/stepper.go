package infer

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/models"
)

// stepper is what a model needs to run step by step.
type stepper struct {
	pairs   []models.StatePair
	input   engine.ValueInfo // that Step and StepTokens feed; without a name if there is none
	outputs []string         // the answer, and then the state
	err     error            // why the model cannot run step by step
}

var (
	errBackward = errors.New("a bidirectional model cannot run step by step: it reads the sequence from its end too; use Run on the whole")
	errNoState  = errors.New("the model cannot run step by step: it has no rnnkit metadata, and no input that is a state which an output gives; use Run on the whole")
)

// newStepper reads what rnnkit's metadata says, or else the graph in a model's file.
func newStepper(session engine.Session, meta *models.Metadata, data []byte) stepper {
	if meta == nil {
		return foreignStepper(session, data)
	}
	s := stepper{
		pairs:   meta.State,
		input:   inputOf(meta.Spec),
		outputs: []string{outputName},
	}
	switch {
	case meta.Spec.Bidirectional:
		s.err = errBackward
	case !meta.Spec.Stepwise():
		s.err = fmt.Errorf("a model of readout %q cannot run step by step: it reads the outputs of all steps; use Run on the whole", meta.Spec.Readout)
	case len(meta.State) == 0:
		s.err = errors.New("the model's metadata names no state: export it again")
	}
	for _, pair := range s.pairs {
		s.outputs = append(s.outputs, pair.Output)
	}
	return s
}

func foreignStepper(session engine.Session, data []byte) stepper {
	m, err := onnxgraph.Outline(data)
	if err != nil {
		return stepper{err: fmt.Errorf("the model cannot run step by step: it has no rnnkit metadata, and its graph cannot be read: %w", err)}
	}
	s := stepper{outputs: []string{""}}
	for _, pair := range onnxgraph.StatePairs(m) {
		s.pairs = append(s.pairs, models.StatePair{Input: pair.Input, Output: pair.Output})
		s.outputs = append(s.outputs, pair.Output)
		if pair.Backward {
			s.err = errBackward
		}
	}
	switch {
	case len(s.pairs) > 0:
	case m.Graph.Backward():
		s.err = errBackward
	default:
		s.err = errNoState
	}
	var others []engine.ValueInfo // inputs that must be fed, besides the state
	for _, info := range session.Inputs() {
		if !info.Optional && !slices.ContainsFunc(s.pairs, func(p models.StatePair) bool { return p.Input == info.Name }) {
			others = append(others, info)
		}
	}
	if len(others) == 1 {
		s.input = others[0]
	}
	for _, info := range session.Outputs() {
		if !slices.Contains(s.outputs[1:], info.Name) {
			s.outputs[0] = info.Name
			break
		}
	}
	return s
}

// checkSteps returns the reason why m cannot run step by step on steps of the given
// type, if there is one.
func (m *Model) checkSteps(t engine.Type) error {
	tokens := m.steps.input.Type == engine.Int64
	switch {
	case m.steps.err != nil:
		return m.steps.err
	case m.steps.input.Name == "" || m.steps.outputs[0] == "":
		return fmt.Errorf("the model reads %v and answers %v, of which one each must be no state: use StepTensors", m.Inputs(), m.Outputs())
	case m.steps.input.Type == t:
		return nil
	case tokens:
		return errors.New("the model reads tokens: use StepTokens")
	case m.steps.input.Type == engine.Float32:
		return errors.New("the model does not read tokens: use Step")
	}
	return fmt.Errorf("the model reads %s: use StepTensors", m.steps.input)
}

// shape returns the shape of one step of n values.
func (s *stepper) shape(n int) ([]int, error) {
	shape := make([]int, len(s.input.Shape))
	rest := n
	for i, d := range s.input.Shape {
		shape[i] = 1
		if d.Symbol == "" && d.Size > 0 {
			shape[i] = d.Size
			rest /= d.Size
		}
	}
	if last := len(shape) - 1; last >= 0 && (s.input.Shape[last].Symbol != "" || s.input.Shape[last].Size < 0) {
		shape[last] = rest
	}
	if size, err := engine.Size(shape); err != nil || size != n || n == 0 {
		return nil, fmt.Errorf("input %q: a step of %d values does not fit: the model needs %s", s.input.Name, n, s.input)
	}
	return shape, nil
}
