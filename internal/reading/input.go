package reading

import (
	"cmp"
	"math"
	"slices"

	"github.com/rnnkit/rnnkit/internal/inputs"
)

// begin returns a model of which it is known what reads the sequences: the input
// of that name, or the only one with a time that is neither a state nor given.
func (s Source) begin(c Choice) (*model, error) {
	m := &model{Source: s}
	named := func(in inputs.Input) bool { return in.Name == c.Input }
	if c.Input != "" && !slices.ContainsFunc(s.Inputs, named) {
		return nil, doubt(AboutInput, c.Input, "there is no input %q: the model reads %v", c.Input, s.infos())
	}
	var found []inputs.Input
	for _, in := range s.Inputs {
		_, given := s.Given[in.Name]
		switch {
		case named(in) || c.Input == "" && !in.State && !given && in.Axis(inputs.Time) >= 0:
			found = append(found, in)
		case in.State && !given:
			m.states = append(m.states, in)
			m.States = append(m.States, in.Name)
		case !given:
			return nil, doubt(AboutValue, in.Name, "input %s is not fed", in.Info)
		}
	}
	if len(found) != 1 {
		return nil, doubt(AboutInput, "", "there is no telling which input reads the sequence: the model reads %v", s.infos())
	}
	m.input = found[0]
	return m, m.readInput(c.Steps)
}

func (s Source) infos() (list []string) {
	for _, in := range s.Inputs {
		list = append(list, in.Info.String())
	}
	return list
}

// readInput sets what the input reads.
func (m *model) readInput(steps int) error {
	in := m.input
	m.Input, m.Layout, m.Steps, m.Features = in.Name, in.Layout, in.Fixed(inputs.Time), 1
	switch {
	case in.Fixed(inputs.Batch) > 0:
		return doubt(AboutNothing, in.Name, "input %s has a fixed batch: make it symbolic with rnnkit repair", in.Info)
	case len(in.Layout) < 2 || len(in.Layout) > 3 || in.Axis(inputs.Batch) < 0 || in.Axis(inputs.Time) < 0:
		return doubt(AboutLayout, in.Name, "input %s has the layout %s: it must have a batch, a time and at most features", in.Info, in.Layout)
	case in.Other != "":
		return doubt(AboutLayout, in.Name, "input %s has the layout %s or %s: the graph and the names of its dimensions do not tell which", in.Info, in.Layout, in.Other)
	case m.Steps > 0 && steps > 0 && steps != m.Steps:
		return doubt(AboutNothing, in.Name, "input %s has %d steps, not %d", in.Info, m.Steps, steps)
	}
	if m.tokens() {
		m.Tokens = int(cmp.Or(in.Limit, math.MaxInt16))
	}
	if at := in.Axis(inputs.Other); at >= 0 {
		if m.Features = in.Info.Shape[at].Size; m.Features < 1 || in.Info.Shape[at].Symbol != "" {
			return doubt(AboutNothing, in.Name, "input %s does not say how many features it has", in.Info)
		}
	}
	return nil
}
