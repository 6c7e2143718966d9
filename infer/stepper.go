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
	pairs  []models.StatePair
	places []place
	input  int   // which input Step and StepTokens feed; -1 if there is none
	output int   // which is the answer; -1 if there is none
	err    error // why the model cannot run step by step
}

// place is where a pair's input and output stand among the model's.
type place struct{ input, output int }

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
		pairs:  meta.State,
		input:  indexOf(session.Inputs(), inputName),
		output: indexOf(session.Outputs(), outputName),
	}
	named := s.pairs
	placed := s.place(session)
	switch {
	case meta.Spec.Bidirectional:
		s.err = errBackward
	case !meta.Spec.Stepwise():
		s.err = fmt.Errorf("a model of readout %q cannot run step by step: it reads the outputs of all steps; use Run on the whole", meta.Spec.Readout)
	case len(meta.State) == 0:
		s.err = errors.New("the model's metadata names no state: export it again")
	case !placed:
		s.err = fmt.Errorf("the model's metadata names a state, %v, that the graph does not have: export it again", named)
	}
	return s
}

func foreignStepper(session engine.Session, data []byte) stepper {
	m, err := onnxgraph.Outline(data)
	if err != nil {
		return stepper{err: fmt.Errorf("the model cannot run step by step: it has no rnnkit metadata, and its graph cannot be read: %w", err)}
	}
	s := stepper{input: -1}
	for _, pair := range onnxgraph.StatePairs(m) {
		s.pairs = append(s.pairs, models.StatePair{Input: pair.Input, Output: pair.Output})
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
	if !s.place(session) && s.err == nil {
		s.err = errNoState
	}
	var others []int // inputs that must be fed, besides the state
	for i, info := range session.Inputs() {
		if !info.Optional && !slices.ContainsFunc(s.places, func(p place) bool { return p.input == i }) {
			others = append(others, i)
		}
	}
	if len(others) == 1 {
		s.input = others[0]
	}
	s.output = slices.IndexFunc(session.Outputs(), func(info engine.ValueInfo) bool {
		return !slices.ContainsFunc(s.pairs, func(p models.StatePair) bool { return p.Output == info.Name })
	})
	return s
}

// place sets s.places. It keeps those pairs of which the session has the input and
// the output, and none of them twice, and tells whether these are all.
func (s *stepper) place(session engine.Session) bool {
	inputs, outputs := map[int]bool{-1: true}, map[int]bool{-1: true}
	named := s.pairs
	s.pairs = nil
	for _, pair := range named {
		p := place{indexOf(session.Inputs(), pair.Input), indexOf(session.Outputs(), pair.Output)}
		if !inputs[p.input] && !outputs[p.output] {
			inputs[p.input], outputs[p.output] = true, true
			s.pairs, s.places = append(s.pairs, pair), append(s.places, p)
		}
	}
	return len(s.pairs) == len(named)
}

// indexOf returns the place of the value of that name, or -1.
func indexOf(infos []engine.ValueInfo, name string) int {
	return slices.IndexFunc(infos, func(info engine.ValueInfo) bool { return info.Name == name })
}

// checkSteps returns the reason why m cannot run step by step on steps of the given
// type, if there is one.
func (m *Model) checkSteps(t engine.Type) error {
	if m.steps.err != nil {
		return m.steps.err
	}
	if m.steps.input < 0 || m.steps.output < 0 {
		return fmt.Errorf("the model reads %v and answers %v, of which one each must be no state: use StepTensors", m.Inputs(), m.Outputs())
	}
	switch input := m.Inputs()[m.steps.input]; input.Type {
	case t:
		return nil
	case engine.Int64:
		return errors.New("the model reads tokens: use StepTokens")
	case engine.Float32:
		return errors.New("the model does not read tokens: use Step")
	default:
		return fmt.Errorf("the model reads %s: use StepTensors", input)
	}
}

// shapeOf returns the shape of one step of n values of that input.
func shapeOf(input engine.ValueInfo, n int) ([]int, error) {
	shape := make([]int, len(input.Shape))
	rest := n
	for i, d := range input.Shape {
		shape[i] = 1
		if d.Symbol == "" && d.Size > 0 {
			shape[i] = d.Size
			rest /= d.Size
		}
	}
	if last := len(shape) - 1; last >= 0 && (input.Shape[last].Symbol != "" || input.Shape[last].Size < 0) {
		shape[last] = rest
	}
	if size, err := engine.Size(shape); err != nil || size != n || n == 0 {
		return nil, fmt.Errorf("input %q: a step of %d values does not fit: the model needs %s", input.Name, n, input)
	}
	return shape, nil
}
