package infer

import (
	"context"
	"fmt"
	"strings"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/inputs"
)

func (p *probe) describeForecaster(ctx context.Context, known Description) (*Description, error) {
	switch {
	case p.takesTokens():
		return nil, ambiguous("Input", p.Input, "input %s takes integers, and a series has numbers of any kind", p.input.Info)
	case p.Steps+known.Window == 0:
		return nil, ambiguous("Window", p.Input, "its graph does not say how many steps it looks back")
	}
	p.Window = max(p.Steps, known.Window)
	found, err := p.describeOutputs(ctx, known, func(ctx context.Context, p *probe, letters string) error {
		return p.describePredictions(ctx, known.Horizon, letters)
	})
	switch {
	case err != nil:
		return nil, err
	case len(found) > 1:
		return nil, severalOutputs(found)
	}
	return p.withDescription(found[0]).nameColumns()
}

// describePredictions describes the output of a forecaster.
func (p *probe) describePredictions(ctx context.Context, horizon int, letters string) error {
	typ := p.sample.outputs[p.Output].Type()
	float := typ == tensor.Float16 || typ == tensor.Float32 || typ == tensor.Float64
	if !float || strings.Count(letters, string(inputs.Batch)) != 1 || strings.Contains(letters, "?") {
		return p.unfit()
	}
	axis := p.timeAxis(letters)
	how, err := p.causality(ctx, axis)
	if err != nil {
		return err
	}
	if axis >= 0 {
		letters, err = p.stepsOrHorizon(letters, axis, horizon, how)
	}
	if err == nil {
		letters, err = p.columnsOrHorizon(letters, horizon)
	}
	if err != nil {
		return err
	}
	p.setLayout(letters)
	if p.Width != 1 && p.Width != p.Features {
		return p.unfit()
	}
	if horizon > 0 && p.Horizon != horizon {
		return p.openHorizon("%d steps ahead are not among its dimensions", horizon)
	}
	return p.checkRows()
}

// openHorizon is the error of an output of which nothing reports whether it has steps
// ahead.
func (p *probe) openHorizon(format string, args ...any) error {
	return ambiguous("Horizon", p.Output, "output %q has the shape %v for a batch of %d: %s", p.Output, p.shape(), p.sample.batch, fmt.Sprintf(format, args...))
}

// stepsOrHorizon reports whether a dimension that goes with the time, or has its size, is
// that of the steps of a sequence or of steps ahead.
func (p *probe) stepsOrHorizon(letters string, axis, horizon int, how causality) (string, error) {
	size := p.shape()[axis]
	varies := letters[axis] == inputs.Time
	switch {
	case horizon > 1 && !varies && horizon == size:
		return replace(letters, axis, ahead), nil
	case horizon == 1 || how == causal:
		return replace(letters, axis, inputs.Time), nil
	}
	return "", p.openHorizon("the %d may be steps ahead, or the steps of the sequence, of which each knows those after it", size)
}

// columnsOrHorizon tells which dimensions are columns, and which steps ahead.
func (p *probe) columnsOrHorizon(letters string, horizon int) (string, error) {
	var open []int
	for i, letter := range letters {
		if letter == inputs.Other {
			open = append(open, i)
		}
	}
	columns := func(at int) bool { return p.shape()[open[at]] == p.Features }
	switch len(open) {
	case 0:
		return letters, nil
	case 1:
		return p.oneOrHorizon(letters, open[0], horizon)
	case 2:
		channelsFirst := p.input.Axis(inputs.Other) < p.input.Axis(inputs.Time)
		switch {
		case strings.ContainsAny(letters, string(inputs.Time)+string(ahead)) || !columns(0) && !columns(1):
		case columns(0) && (!columns(1) || channelsFirst):
			return replace(letters, open[1], ahead), nil
		default:
			return replace(letters, open[0], ahead), nil
		}
	}
	return "", p.unfit()
}

// oneOrHorizon reports whether the only dimension of several values is of columns or of
// steps ahead.
func (p *probe) oneOrHorizon(letters string, axis, horizon int) (string, error) {
	size := p.shape()[axis]
	last := strings.LastIndexByte(letters, single) < axis
	reached := strings.ContainsRune(letters, ahead)
	switch {
	case size == p.Features && (reached || last && horizon != size || horizon == 1):
		return letters, nil
	case !reached && horizon == size && size > 1:
		return replace(letters, axis, ahead), nil
	case !reached && horizon == 0 && !last && size != p.Features && !strings.ContainsRune(letters, inputs.Time):
		return replace(letters, axis, ahead), nil
	case horizon > 0:
		return "", p.openHorizon("the %d are neither the columns, which are %d, nor steps ahead with a horizon of %d, but something else such as quantiles", size, p.Features, horizon)
	}
	return "", p.openHorizon("the %d may be steps ahead, or something else such as quantiles", size)
}
