package infer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/graphs"
	"github.com/rnnkit/rnnkit/internal/inputs"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/stepwise"
	"github.com/rnnkit/rnnkit/models"
)

// states lists the inputs and outputs of a session that carry the state.
type states struct {
	pairs  []models.StatePair
	places []place
	batch  []int // the dimension of each input that is the batch, -1 for none; nil for a model of rnnkit, whose symbols tell it
}

// place has the indices of a pair's input and output in the session.
type place struct{ input, output int }

// stepper has the sessions that run a model step by step.
type stepper struct {
	states
	session engine.Session
	first   engine.Session // for the first step; nil if session runs it, with zeros

	input  int // the index of the input that Step and StepTokens feed; -1 if there is none
	output int // the index of the answer; -1 if there is none

	// inputTime and outputTime are the dimensions that are the time, -1 if that is not
	// known.
	inputTime, outputTime int
}

const useRun = "; use Run on the whole"

var (
	errBackward = errors.New("a bidirectional model cannot run step by step: it reads the sequence from its end too" + useRun)
	errDirect   = errors.New("a direct forecaster cannot run step by step: it reads a whole window" + useRun)
	errNoState  = errors.New("the model cannot run step by step: it has no rnnkit metadata, no input that is a state which an output gives, and no recurrent node that reads an input" + useRun)
)

// findStates sets what carries m's state, and how m is made to run step by step. Only
// where it must be changed for that it keeps its source, until the first step: a copy
// of the bytes unless they are its own.
func (m *Model) findStates(source *graphs.Source, owned bool) {
	m.plan = sync.OnceValues(func() (*stepwise.Plan, error) { return m.planOurs(source) })
	if m.meta == nil {
		plan, err := m.planForeign()
		m.plan = func() (*stepwise.Plan, error) { return plan, err }
		if err != nil || !plan.Changes() {
			source = nil
		}
	} else if m.states.find(m.session, m.meta.State); m.hasAllStates() || !m.meta.Spec.Stepwise() {
		source = nil
	}
	if source != nil && !owned {
		source.Own()
	}
	m.stepper = sync.OnceValues(func() (*stepper, error) { return m.newStepper(source) })
}

// hasAllStates reports whether the graph of a model of rnnkit has inputs and outputs for
// all of its state.
func (m *Model) hasAllStates() bool {
	return len(m.states.pairs) > 0 && len(m.states.pairs) == len(m.meta.State)
}

// planOurs plans for a model of rnnkit. Its states get their usual names.
func (m *Model) planOurs(source *graphs.Source) (*stepwise.Plan, error) {
	spec := m.meta.Spec
	switch {
	case spec.Bidirectional:
		return nil, errBackward
	case spec.Direct != nil:
		return nil, errDirect
	case !spec.Stepwise():
		return nil, fmt.Errorf("a model of readout %q cannot run step by step: it reads the outputs of all steps"+useRun, spec.Readout)
	case m.hasAllStates():
		return &stepwise.Plan{}, nil
	}
	plan, err := m.planGraph(source)
	if err == nil {
		plan.Join(graphPairs(spec.State()))
	}
	return plan, err
}

// planForeign plans for a model from elsewhere, and finds its states.
func (m *Model) planForeign() (*stepwise.Plan, error) {
	graph := m.graph
	if graph == nil {
		return nil, fmt.Errorf("the model cannot run step by step: it has no rnnkit metadata, and its graph cannot be read: %w", m.graphErr)
	}
	var pairs []models.StatePair
	backward := false
	for _, pair := range onnxgraph.StatePairs(graph) {
		pairs = append(pairs, models.StatePair{Input: pair.Input, Output: pair.Output})
		backward = backward || pair.Backward
	}
	if !m.states.find(m.session, pairs) {
		return nil, errNoState
	}
	if len(pairs) > 0 {
		m.batch = batchOf(graph, m.Inputs())
	}
	plan, err := m.planOutline(graph)
	if err == nil && backward {
		return nil, errBackward
	}
	return plan, err
}

// batchOf returns the dimension of each input that is the batch, -1 if that is not known.
func batchOf(graph *onnxgraph.Model, infos []tensor.Info) []int {
	const most = 1 << 16 // nodes; a larger graph is not analysed
	batch := slices.Repeat([]int{-1}, len(infos))
	if len(graph.Graph.Nodes) > most {
		return batch
	}
	list, err := inputs.Of(graph, nil)
	if err != nil {
		return batch
	}
	for _, in := range list {
		if i := indexOf(infos, in.Name); i >= 0 {
			batch[i] = in.Axis(inputs.Batch)
		}
	}
	return batch
}

func (m *Model) planGraph(source *graphs.Source) (*stepwise.Plan, error) {
	graph, err := source.Outline()
	if err != nil {
		return nil, fmt.Errorf("the model cannot run step by step: its graph cannot be read: %w", err)
	}
	return m.planOutline(graph)
}

func (m *Model) planOutline(graph *onnxgraph.Model) (*stepwise.Plan, error) {
	plan, err := stepwise.Of(graph, graphPairs(m.states.pairs))
	switch {
	case err == nil:
		return plan, nil
	case errors.Is(err, stepwise.ErrNoRecurrence) && len(m.states.pairs) > 0:
		return &stepwise.Plan{}, nil // whoever gave it a state knows its steps
	case errors.Is(err, stepwise.ErrNoRecurrence):
		return nil, errNoState
	}
	return nil, fmt.Errorf("the model cannot run step by step: %w"+useRun, err)
}

func graphPairs(pairs []models.StatePair) (list []onnxgraph.StatePair) {
	for _, p := range pairs {
		list = append(list, onnxgraph.StatePair{Input: p.Input, Output: p.Output})
	}
	return list
}

// newStepper opens what m runs step by step with, given its source.
func (m *Model) newStepper(source *graphs.Source) (*stepper, error) {
	plan, err := m.plan()
	if err != nil {
		return nil, err
	}
	s := &stepper{states: m.states, session: m.session}
	s.choose(m)
	if plan.Changes() {
		if err := m.openSteps(s, plan, source); err != nil {
			return nil, fmt.Errorf("the model cannot run step by step: with its state as inputs and outputs: %w", err)
		}
	}
	s.inputTime, s.outputTime = axisOf(plan, m.Inputs(), s.input), axisOf(plan, m.Outputs(), s.output)
	return s, nil
}

// axisOf returns the dimension of a value that is the time, or -1.
func axisOf(plan *stepwise.Plan, infos []tensor.Info, at int) int {
	if at >= 0 {
		if axis, ok := plan.Axes[infos[at].Name]; ok {
			return axis
		}
	}
	return -1
}

// choose sets the input that Step and StepTokens feed and the output that they return.
func (s *stepper) choose(m *Model) {
	if d := m.Description(); d != nil {
		s.input, s.output = indexOf(m.Inputs(), d.Input), indexOf(m.Outputs(), d.Output)
		return
	}
	s.input = -1
	var others []int // required inputs besides the state
	for i, info := range m.Inputs() {
		if !info.Optional && !slices.ContainsFunc(s.places, func(p place) bool { return p.input == i }) {
			others = append(others, i)
		}
	}
	if len(others) == 1 {
		s.input = others[0]
	}
	s.output = slices.IndexFunc(m.Outputs(), func(info tensor.Info) bool {
		return !slices.ContainsFunc(s.pairs, func(p models.StatePair) bool { return p.Output == info.Name })
	})
}

// openSteps opens the sessions of a model to which states are added.
func (m *Model) openSteps(s *stepper, plan *stepwise.Plan, source *graphs.Source) error {
	open := func(first bool) (engine.Session, error) {
		session, err := source.OpenChanged(context.Background(), plan.Change(first))
		if err == nil {
			m.opened = append(m.opened, session)
		}
		return session, err
	}
	var err error
	if s.session, err = open(false); err != nil {
		return err
	}
	if plan.Begins {
		if s.first, err = open(true); err != nil {
			return err
		}
	}
	pairs := slices.Clone(m.states.pairs)
	for _, p := range plan.States {
		pairs = append(pairs, models.StatePair{Input: p.Input, Output: p.Output})
	}
	if !s.states.find(s.session, pairs) || !startsWith(s.session.Inputs(), m.Inputs()) || !startsWith(s.session.Outputs(), m.Outputs()) {
		return fmt.Errorf("the engine has the inputs %v and outputs %v", s.session.Inputs(), s.session.Outputs())
	}
	return nil
}

// startsWith reports whether the first of infos have the names of those given.
func startsWith(infos, first []tensor.Info) bool {
	return len(infos) >= len(first) && slices.EqualFunc(infos[:len(first)], first, func(a, b tensor.Info) bool { return a.Name == b.Name })
}

// find keeps the pairs whose input and output the session has, each once, and reports
// whether these are all.
func (s *states) find(session engine.Session, pairs []models.StatePair) bool {
	inputs, outputs := map[int]bool{-1: true}, map[int]bool{-1: true}
	*s = states{batch: s.batch}
	for _, pair := range pairs {
		p := place{indexOf(session.Inputs(), pair.Input), indexOf(session.Outputs(), pair.Output)}
		if !inputs[p.input] && !outputs[p.output] {
			inputs[p.input], outputs[p.output] = true, true
			s.pairs, s.places = append(s.pairs, pair), append(s.places, p)
		}
	}
	return len(s.pairs) == len(pairs)
}

// indexOf returns the index of the value of that name, or -1.
func indexOf(infos []tensor.Info, name string) int {
	return slices.IndexFunc(infos, func(info tensor.Info) bool { return info.Name == name })
}

// steps returns the stepper of m, or the reason why there is none.
func (m *Model) steps() (*stepper, error) {
	if err := m.retain(); err != nil { // what is opened is closed with m
		return nil, err
	}
	defer m.release()
	return m.stepper()
}

// stepsOf is steps for steps of the given type.
func (m *Model) stepsOf(t tensor.Type) (*stepper, error) {
	s, err := m.steps()
	if err != nil {
		return nil, err
	}
	if s.input < 0 || s.output < 0 {
		return nil, fmt.Errorf("the model has the inputs %v and outputs %v, of which one each must be no state: use StepTensors or Describe", m.Inputs(), m.Outputs())
	}
	switch input := m.Inputs()[s.input]; input.Type {
	case t:
		return s, nil
	case tensor.Int64:
		return nil, errors.New("the model takes tokens: use StepTokens")
	case tensor.Float32:
		return nil, errors.New("the model takes no tokens: use Step")
	default:
		return nil, fmt.Errorf("the model takes %s: use StepTensors", input)
	}
}

// tokens returns the shape of n tokens.
func (s *stepper) tokens(n int) []int {
	shape := slices.Repeat([]int{1}, len(s.session.Inputs()[s.input].Shape))
	if s.inputTime < 0 {
		return []int{1, n}
	}
	shape[s.inputTime] = n
	return shape
}

// shapeOf returns the shape of x, one step.
func (s *stepper) shapeOf(x []float32) ([]int, error) {
	input, n := s.session.Inputs()[s.input], len(x)
	shape := make([]int, len(input.Shape))
	rest, open := n, -1
	for i, d := range input.Shape {
		shape[i] = 1
		switch {
		case i == s.inputTime:
		case d.Symbol != "" || d.Size < 0:
			open = i
		case d.Size > 0:
			shape[i] = d.Size
			rest /= d.Size
		}
	}
	if last := len(shape) - 1; open == last || s.inputTime == last && open == last-1 && open >= 0 {
		shape[open] = rest
	}
	if size, err := tensor.Size(shape); err != nil || size != n || n == 0 {
		return nil, &models.FieldError{Field: "x", Value: x, Want: fmt.Sprintf("a step of %s", input)}
	}
	return shape, nil
}
