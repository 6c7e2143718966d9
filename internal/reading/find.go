package reading

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/rnnkit/rnnkit/internal/inputs"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// candidates returns the outputs that may answer: the one that is chosen, or those
// that are no states, and of these those that more than recurrent nodes compute.
func (s Source) candidates(chosen string) ([]string, error) {
	var names []string
	for _, out := range s.Graph.Graph.Outputs {
		names = append(names, out.Name)
	}
	if chosen != "" {
		if !slices.Contains(names, chosen) {
			return nil, doubt(AboutOutput, chosen, "there is no output %q: the model has %q", chosen, names)
		}
		return []string{chosen}, nil
	}
	for _, pair := range onnxgraph.StatePairs(s.Graph) {
		names = slices.DeleteFunc(names, func(name string) bool { return name == pair.Output })
	}
	headless := func(name string) bool {
		return !slices.ContainsFunc(onnxgraph.ComputedBy(s.Graph, name), func(op string) bool { return op != "LSTM" && op != "GRU" && op != "RNN" })
	}
	if heads := slices.DeleteFunc(slices.Clone(names), headless); len(heads) > 0 {
		return heads, nil
	}
	if len(names) == 0 {
		return nil, doubt(AboutNothing, "", "the model has no output that answers")
	}
	return names, nil
}

// patience is how long experiments may take.
const patience = time.Minute

// find reads all outputs that may answer by read, and returns the readings that
// hold. It is an error if there is none.
func (m *model) find(ctx context.Context, c Choice, read func(ctx context.Context, m *model, dimensions string) error) ([]Reading, error) {
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	found, err := m.readings(within, c, read)
	if within.Err() != nil && ctx.Err() == nil {
		return nil, doubt(AboutNothing, "", "experiments that tell how the model is read took more than %v: the model may not end, or be too slow to be tried", patience)
	}
	return found, err
}

func (m *model) readings(ctx context.Context, c Choice, read func(ctx context.Context, m *model, dimensions string) error) ([]Reading, error) {
	names, err := m.candidates(c.Output)
	if err != nil {
		return nil, err
	}
	dimensions, err := m.measure(ctx, max(m.Steps, c.Steps), names)
	if err != nil {
		return nil, err
	}
	var found []Reading
	var first, unsure error
	for _, name := range names {
		one := *m
		one.Output = name
		err := read(ctx, &one, dimensions[name])
		switch {
		case ctx.Err() != nil:
			return nil, err
		case err == nil:
			found = append(found, one.Reading)
			continue
		case about(err, AboutAnswers) || about(err, AboutHorizon):
			unsure = err
		}
		first = cmp.Or(first, err)
	}
	certain := slices.ContainsFunc(found, func(r Reading) bool { return r.Answers != "" && r.Answers != Logits })
	switch {
	case len(found) == 0:
		return nil, first
	case unsure != nil && !certain:
		return nil, doubt(AboutOutput, "", "several outputs may answer: %s, and %w", found[0].outputDims(), unsure)
	}
	return found, nil
}

// unfit is the error of an output that is no answer a sequence.
func (m *model) unfit() error {
	return doubt(AboutOutput, m.Output, "output %q has the shape %v for a batch of %d and %d steps, which is no answer a sequence", m.Output, m.sample.outputs[m.Output].Shape, m.sample.batch, m.sample.time)
}

// set takes dimensions as the layout of the answer.
func (m *model) set(dimensions string) {
	m.Answer, m.Width, m.Horizon = dimensions, 1, 1
	for i, letter := range dimensions {
		switch size := m.sample.outputs[m.Output].Shape[i]; letter {
		case inputs.Other:
			m.Width = size
		case Ahead:
			m.Horizon = size
		}
	}
}

// timeAxis returns the dimension of an output that goes with the time, or that has
// its size where that is fixed; -1 if there is none.
func (m *model) timeAxis(dimensions string) int {
	if axis := strings.IndexByte(dimensions, inputs.Time); axis >= 0 || m.Steps < 2 {
		return axis
	}
	shape := m.sample.outputs[m.Output].Shape
	last := len(shape) - 1
	for i, size := range shape {
		// A last dimension of as many values as the input has is one of columns.
		if dimensions[i] == inputs.Other && size == m.Steps && (i < last || size != m.Features) {
			return i
		}
	}
	return -1
}

func replace(dimensions string, axis int, letter byte) string {
	letters := []byte(dimensions)
	letters[axis] = letter
	return string(letters)
}

// severalAnswers is the error of a model with several outputs that may answer.
func severalAnswers(found []Reading) error {
	var list []string
	for _, r := range found {
		list = append(list, r.outputDims())
	}
	return doubt(AboutOutput, "", "several outputs may answer: %s", strings.Join(list, "; "))
}
