package infer

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/inputs"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/models"
)

// subject is a model that is being described.
type subject struct {
	model  *Model
	graph  *onnxgraph.Model
	inputs []inputs.Input // that it must be given
}

func (s *subject) describe(ctx context.Context, known Description) (*Description, error) {
	p, err := s.probe(known)
	switch {
	case err != nil:
		return nil, err
	case known.Task == models.Generate:
		return p.describeGenerator(known)
	case known.OutputLayout != "":
		return p.complete(known)
	case known.Task == models.Forecast:
		return p.describeForecaster(ctx, known)
	}
	return p.describeClassifier(ctx, known)
}

// probe is a model in experiments. Its description grows with what they tell.
type probe struct {
	*sequences
	graph *onnxgraph.Model

	sample *trial // of manyRows
	few    *trial // of the first fewRows of these
}

// probe returns s with what is known of its inputs: the sequences go to the input that
// the caller names, or else to the only one with a time that is neither a state nor a
// constant.
func (s *subject) probe(known Description) (*probe, error) {
	d := known
	d.Layouts, d.Zeros = map[string]string{}, nil
	if known.Task == models.Classify {
		d.Window = 0 // which is the length of sequences in experiments
	}
	p := &probe{sequences: &sequences{Description: &d, model: s.model}, graph: s.graph}
	named := func(in inputs.Input) bool { return in.Name == known.Input }
	if known.Input != "" && !slices.ContainsFunc(s.inputs, named) {
		return nil, &models.FieldError{Field: "Input", Value: known.Input, Want: fmt.Sprintf("one of %v", s.infos())}
	}
	var found []inputs.Input
	for _, in := range s.inputs {
		d.Layouts[in.Name] = in.Layout
		_, constant := known.Constants[in.Name]
		switch {
		case named(in) || known.Input == "" && !in.State && !constant && in.Axis(inputs.Time) >= 0:
			found = append(found, in)
		case in.State && !constant:
			p.zeros = append(p.zeros, in)
			d.Zeros = append(d.Zeros, in.Name)
		case !constant:
			return nil, ambiguous("Constants", in.Name, "input %s is not fed", in.Info)
		}
	}
	if len(found) != 1 {
		return nil, ambiguous("Input", "", "several inputs, or none, may take the sequences: the model has %v", s.infos())
	}
	return p, p.setInput(found[0], known.Window)
}

func (s *subject) infos() (list []tensor.Info) {
	for _, in := range s.inputs {
		list = append(list, in.Info)
	}
	return list
}

// setInput sets what the input takes, given how many steps the caller says.
func (p *probe) setInput(in inputs.Input, steps int) error {
	p.input, p.Input, p.Steps = in, in.Name, in.Fixed(inputs.Time)
	switch {
	case in.Fixed(inputs.Batch) > 0:
		return ambiguous("", in.Name, "input %s has a fixed batch: make it symbolic with rnnkit repair", in.Info)
	case len(in.Layout) < 2 || len(in.Layout) > 3 || in.Axis(inputs.Batch) < 0 || in.Axis(inputs.Time) < 0:
		return ambiguous("Layouts", in.Name, "input %s has the layout %s: it must have a batch, a time and at most features", in.Info, in.Layout)
	case in.Other != "":
		return ambiguous("Layouts", in.Name, "input %s has the layout %s or %s: the graph and the names of its dimensions do not tell which", in.Info, in.Layout, in.Other)
	case p.Steps > 0 && steps > 0 && steps != p.Steps:
		return ambiguous("", in.Name, "input %s has %d steps, not %d", in.Info, p.Steps, steps)
	}
	at := in.Axis(inputs.Other)
	switch {
	case p.takesTokens():
		p.Features, p.Tokens = 0, cmp.Or(p.Tokens, int(in.Limit))
	case at < 0:
		p.Features = 1
	default:
		if p.Features = in.Info.Shape[at].Size; p.Features < 1 || in.Info.Shape[at].Symbol != "" {
			return ambiguous("", in.Name, "input %s does not say how many features it has", in.Info)
		}
	}
	return nil
}

// complete returns the description of a caller who knows the layout of the output, so
// that there is nothing to find out.
func (p *probe) complete(known Description) (*Description, error) {
	if known.Output == "" && len(p.model.Outputs()) == 1 {
		p.Output = p.model.Outputs()[0].Name
	}
	if err := p.checkOutput(p.Output); err != nil {
		return nil, err
	}
	p.Width, p.Horizon, p.Window = max(1, known.Width), max(1, known.Horizon), max(p.Steps, known.Window)
	switch known.Task {
	case models.Classify:
		p.Width, p.Window = cmp.Or(known.Width, len(known.Labels), 1), 0
		return p.nameClasses()
	case models.Forecast:
		return p.nameColumns()
	}
	return p.Description, nil
}

func (p *probe) checkOutput(name string) error {
	if indexOf(p.model.Outputs(), name) < 0 {
		return &models.FieldError{Field: "Output", Value: name, Want: fmt.Sprintf("one of %v", p.model.Outputs())}
	}
	return nil
}

// nameColumns checks the names of the columns that the caller gives.
func (p *probe) nameColumns() (*Description, error) {
	switch n := len(p.Columns); {
	case n > 0 && n != p.Features:
		return nil, &models.FieldError{Field: "Columns", Value: p.Columns, Want: fmt.Sprintf("of length %d, one name for each column that the model takes", p.Features)}
	case n > 0 && p.Target != "" && !slices.Contains(p.Columns, p.Target):
		return nil, &models.FieldError{Field: "Target", Value: p.Target, Want: fmt.Sprintf("one of the columns %q", p.Columns)}
	}
	return p.Description, nil
}

// nameClasses gives the classes their numbers as names where the caller gives none.
func (p *probe) nameClasses() (*Description, error) {
	classes := p.classes()
	if n := len(p.Labels); n > 0 && n != classes {
		return nil, ambiguous("Labels", p.Output, "output %q answers for %d classes, not %d", p.Output, classes, n)
	}
	for i := len(p.Labels); i < classes; i++ {
		p.Labels = append(p.Labels, fmt.Sprint(i))
	}
	return p.Description, nil
}

// describeGenerator describes a model of tokens, whose output has a logit for each.
func (p *probe) describeGenerator(known Description) (*Description, error) {
	names, err := p.candidates(known.Output)
	switch {
	case err != nil:
		return nil, err
	case !p.takesTokens():
		return nil, ambiguous("Input", p.Input, "input %s takes no integers, and a text is one of tokens", p.input.Info)
	case len(known.Vocabulary) == 0:
		return nil, ambiguous("Vocabulary", "", "nothing tells the texts of the tokens")
	case len(names) > 1:
		return nil, ambiguous("Output", "", "several outputs may be the answer: %q", names)
	}
	p.Output, p.Width, p.Tokens, p.Answers = names[0], len(known.Vocabulary), len(known.Vocabulary), Logits
	return p.Description, nil
}

// candidates returns the outputs that may be the answer: the one that the caller names,
// or those that are no states. Of these it returns those alone that more than recurrent
// nodes compute, if there are any.
func (p *probe) candidates(known string) ([]string, error) {
	if known != "" {
		return []string{known}, p.checkOutput(known)
	}
	var names []string
	for _, out := range p.graph.Graph.Outputs {
		names = append(names, out.Name)
	}
	for _, pair := range onnxgraph.StatePairs(p.graph) {
		names = slices.DeleteFunc(names, func(name string) bool { return name == pair.Output })
	}
	headless := func(name string) bool {
		return !slices.ContainsFunc(onnxgraph.ComputedBy(p.graph, name), func(op string) bool { return onnxgraph.KindOf("", op)&onnxgraph.Recurrent == 0 })
	}
	if heads := slices.DeleteFunc(slices.Clone(names), headless); len(heads) > 0 {
		return heads, nil
	}
	if len(names) == 0 {
		return nil, ambiguous("", "", "the model has no output but states")
	}
	return names, nil
}

// patience is how long experiments may take.
const patience = time.Minute

// describeOutput completes p's description for the output that it names, whose
// dimensions have these letters after the first experiments.
type describeOutput func(ctx context.Context, p *probe, letters string) error

// describeOutputs returns the descriptions of the outputs that may be the answer, of
// those that describe accepts. It is an error if it accepts none.
func (p *probe) describeOutputs(ctx context.Context, known Description, describe describeOutput) ([]*Description, error) {
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	found, err := p.tryOutputs(within, known, describe)
	if within.Err() != nil && ctx.Err() == nil {
		return nil, ambiguous("", "", "experiments that tell how the model is used took more than %v: the model may not end, or be too slow to be tried", patience)
	}
	return found, err
}

func (p *probe) tryOutputs(ctx context.Context, known Description, describe describeOutput) ([]*Description, error) {
	names, err := p.candidates(known.Output)
	if err != nil {
		return nil, err
	}
	letters, err := p.measure(ctx, max(p.Steps, known.Window), names)
	if err != nil {
		return nil, err
	}
	var found []*Description
	var first, unsure error
	for _, name := range names {
		one := p.withDescription(p.Description)
		one.Output = name
		err := describe(ctx, one, letters[name])
		switch {
		case ctx.Err() != nil:
			return nil, err
		case err == nil:
			found = append(found, one.Description)
			continue
		case isAmbiguous(err, "Answers", "Horizon"):
			unsure = err
		}
		first = cmp.Or(first, err)
	}
	switch {
	case len(found) == 0:
		return nil, first
	case unsure != nil && !slices.ContainsFunc(found, isCertain):
		return nil, ambiguous("Output", "", "several outputs may be the answer: %s, and %s", found[0].outputString(), reason(unsure))
	}
	return found, nil
}

// isCertain reports whether d says more of the answers than that they may be logits.
func isCertain(d *Description) bool { return d.Answers != "" && d.Answers != Logits }

// withDescription returns a copy of p with a copy of another description.
func (p *probe) withDescription(d *Description) *probe {
	one, runs, description := *p, *p.sequences, *d
	description.Labels, description.Layouts = slices.Clone(d.Labels), maps.Clone(d.Layouts)
	one.sequences, runs.Description = &runs, &description
	return &one
}

// reason returns what an AmbiguousError says without what to do.
func reason(err error) string {
	if a, ok := err.(*AmbiguousError); ok {
		return a.Reason
	}
	return err.Error()
}

// severalOutputs is the error of a model of which several outputs may be the answer.
func severalOutputs(found []*Description) error {
	var list []string
	for _, d := range found {
		list = append(list, d.outputString())
	}
	return ambiguous("Output", "", "several outputs may be the answer: %s", strings.Join(list, "; "))
}

// unfit is the error of an output that is no answer to a sequence.
func (p *probe) unfit() error {
	return ambiguous("Output", p.Output, "output %q has the shape %v for a batch of %d and %d steps, which is no answer to a sequence", p.Output, p.shape(), p.sample.batch, p.sample.time)
}

// shape returns the shape of the output in the experiments.
func (p *probe) shape() []int { return p.sample.outputs[p.Output].Shape }

// setLayout sets the layout of the output.
func (p *probe) setLayout(layout string) {
	p.OutputLayout, p.Width, p.Horizon = layout, 1, 1
	for i, letter := range layout {
		switch letter {
		case inputs.Other:
			p.Width = p.shape()[i]
		case ahead:
			p.Horizon = p.shape()[i]
		}
	}
}

// timeAxis returns the dimension of the output that goes with the time, or that has its
// size where that is fixed; -1 if there is none.
func (p *probe) timeAxis(layout string) int {
	if axis := strings.IndexByte(layout, inputs.Time); axis >= 0 || p.Steps < 2 {
		return axis
	}
	last := len(layout) - 1
	for i, size := range p.shape() {
		// A last dimension of as many values as the input has is one of columns.
		if layout[i] == inputs.Other && size == p.Steps && (i < last || size != p.Features) {
			return i
		}
	}
	return -1
}

func replace(layout string, axis int, letter byte) string {
	letters := []byte(layout)
	letters[axis] = letter
	return string(letters)
}
