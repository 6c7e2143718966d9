package reading

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/inputs"
)

// Forecaster tells the values that follow those of one or more series.
type Forecaster struct{ *model }

// String says how the model is read.
func (f *Forecaster) String() string {
	from := fmt.Sprintf("windows of %d values", f.Steps)
	if f.Features > 1 {
		from = fmt.Sprintf("windows of %d rows of %d columns", f.Steps, f.Features)
	}
	what := "the next value"
	switch {
	case f.Width > 1:
		what = "the next row"
	case f.Features > 1:
		what = "the next value of one of them"
	}
	if f.Horizon > 1 {
		what = strings.Replace(what, "next ", fmt.Sprintf("next %d ", f.Horizon), 1)
		what = strings.NewReplacer("value", "values", "row", "rows").Replace(what)
	}
	return fmt.Sprintf("reads %s, %s, answers %s: %s", f.inputDims(), from, f.outputDims(), what)
}

// Predict returns predictions from each window of rows, which all have Features
// values: for each row that follows a whole window, the first one after it, Width
// values, and from the last window as many rows as the Horizon has.
func (f *Forecaster) Predict(ctx context.Context, rows [][]float32) ([][]float64, error) {
	windows := len(rows) - f.Steps + 1
	if windows < 1 {
		return nil, fmt.Errorf("the data has %d rows: the model needs at least its window of %d", len(rows), f.Steps)
	}
	var all [][]float64
	size := max(1, min(maxBatch, maxSteps/f.Steps, windows))
	for first := 0; first < windows; first += size {
		batch := min(size, windows-first)
		answers, err := f.ahead(ctx, rows, first, batch)
		if err != nil {
			return nil, err
		}
		for _, answer := range answers {
			all = append(all, answer[0])
		}
		if first+batch == windows {
			all = append(all, answers[batch-1][1:]...)
		}
	}
	return all, nil
}

// Forecast returns that many rows of predictions beyond the end of rows. Where
// they are more than the Horizon, those before take their places in the window, for
// which there must be as many as the model reads.
func (f *Forecaster) Forecast(ctx context.Context, rows [][]float32, steps int) ([][]float64, error) {
	if len(rows) < f.Steps {
		return nil, fmt.Errorf("the data has %d rows: the model needs at least its window of %d", len(rows), f.Steps)
	}
	if steps > f.Horizon && f.Width != f.Features {
		return nil, fmt.Errorf("%d steps ahead: the model reads %d columns and answers for one, so that it reaches no further ahead than %d", steps, f.Features, f.Horizon)
	}
	window := append([][]float32(nil), rows[len(rows)-f.Steps:]...)
	var all [][]float64
	for len(all) < steps {
		answers, err := f.ahead(ctx, window, 0, 1)
		if err != nil {
			return nil, err
		}
		for _, row := range answers[0] {
			all = append(all, row)
			next := make([]float32, len(row))
			for i, v := range row {
				next[i] = float32(v)
			}
			window = append(window, next)
		}
		window = window[len(window)-f.Steps:]
	}
	return all[:steps], nil
}

// ahead returns the answers, [horizon] rows of [width] values, to that many windows
// from the first on.
func (f *Forecaster) ahead(ctx context.Context, rows [][]float32, first, batch int) ([][][]float64, error) {
	var data []float32
	for i := range batch {
		for _, row := range rows[first+i:][:f.Steps] {
			data = append(data, row...)
		}
	}
	answers, err := f.ask(ctx, tensor.Of(data, batch, f.Steps, f.Features))
	if err != nil {
		return nil, err
	}
	all := make([][][]float64, batch)
	for i, answer := range answers {
		for _, v := range answer {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("the prediction from row %d on is %g: the values may lie far from what the model was trained on, or the model be damaged", first+i+1, v)
			}
		}
		for h := range f.Horizon {
			all[i] = append(all[i], answer[h*f.Width:][:f.Width])
		}
	}
	return all, nil
}

// Forecaster reads a forecaster.
func (s Source) Forecaster(ctx context.Context, c Choice) (*Forecaster, error) {
	m, err := s.begin(c)
	if err != nil {
		return nil, err
	}
	switch {
	case m.tokens():
		return nil, doubt(AboutInput, m.Input, "input %s reads integers, and a series has numbers of any kind", m.input.Info)
	case m.Steps+c.Steps == 0:
		return nil, doubt(AboutSteps, m.Input, "its graph does not say how many steps it looks back")
	}
	window := max(m.Steps, c.Steps)
	found, err := m.find(ctx, c, func(ctx context.Context, m *model, dimensions string) error {
		return m.readAhead(ctx, c.Horizon, dimensions)
	})
	if err != nil {
		return nil, err
	}
	if len(found) > 1 {
		return nil, severalAnswers(found)
	}
	m.Reading = found[0]
	m.Steps = window
	return &Forecaster{m}, nil
}

// readAhead reads an output as that of a forecaster.
func (m *model) readAhead(ctx context.Context, horizon int, dimensions string) error {
	float := m.sample.outputs[m.Output].Type()
	fits := float == tensor.Float16 || float == tensor.Float32 || float == tensor.Float64
	if !fits || strings.Count(dimensions, string(inputs.Batch)) != 1 || strings.Contains(dimensions, "?") {
		return m.unfit()
	}
	axis := m.timeAxis(dimensions)
	how, err := m.perStep(ctx, axis)
	if err != nil {
		return err
	}
	if axis >= 0 {
		dimensions, err = m.stepsOrAhead(dimensions, axis, horizon, how)
	}
	if err == nil {
		dimensions, err = m.columnsOrAhead(dimensions, horizon)
	}
	if err != nil {
		return err
	}
	m.set(dimensions)
	if m.Width != 1 && m.Width != m.Features {
		return m.unfit()
	}
	if horizon > 0 && m.Horizon != horizon {
		return m.inDoubt("%d steps ahead are not among its dimensions", horizon)
	}
	return m.alone()
}

func (m *model) inDoubt(format string, args ...any) error {
	shape := m.sample.outputs[m.Output].Shape
	return doubt(AboutHorizon, m.Output, "output %q has the shape %v for a batch of %d: %s", m.Output, shape, m.sample.batch, fmt.Sprintf(format, args...))
}

// stepsOrAhead tells whether a dimension, that goes with the time or has its size,
// is that of the steps that were read, or of steps ahead.
func (m *model) stepsOrAhead(dimensions string, axis, horizon int, how perStep) (string, error) {
	size := m.sample.outputs[m.Output].Shape[axis]
	varies := dimensions[axis] == inputs.Time
	switch {
	case horizon > 1 && !varies && horizon == size:
		return replace(dimensions, axis, Ahead), nil
	case horizon == 1 || how == causal:
		return replace(dimensions, axis, inputs.Time), nil
	}
	return "", m.inDoubt("the %d may be steps ahead, or the steps that were read, of which each knows those after it", size)
}

// columnsOrAhead tells which dimensions are columns, and which steps ahead.
func (m *model) columnsOrAhead(dimensions string, horizon int) (string, error) {
	shape := m.sample.outputs[m.Output].Shape
	var open []int
	for i, letter := range dimensions {
		if letter == inputs.Other {
			open = append(open, i)
		}
	}
	columns := func(at int) bool { return shape[open[at]] == m.Features }
	switch len(open) {
	case 0:
		return dimensions, nil
	case 1:
		return m.oneOrAhead(dimensions, open[0], horizon)
	case 2:
		channelsFirst := m.input.Axis(inputs.Other) < m.input.Axis(inputs.Time)
		switch {
		case strings.ContainsAny(dimensions, string(inputs.Time)+string(Ahead)) || !columns(0) && !columns(1):
		case columns(0) && (!columns(1) || channelsFirst):
			return replace(dimensions, open[1], Ahead), nil
		default:
			return replace(dimensions, open[0], Ahead), nil
		}
	}
	return "", m.unfit()
}

// oneOrAhead tells whether the only dimension of several values is of columns or
// of steps ahead.
func (m *model) oneOrAhead(dimensions string, axis, horizon int) (string, error) {
	size := m.sample.outputs[m.Output].Shape[axis]
	last := strings.LastIndexByte(dimensions, One) < axis
	reached := strings.ContainsRune(dimensions, Ahead)
	switch {
	case size == m.Features && (reached || last && horizon != size || horizon == 1):
		return dimensions, nil
	case !reached && horizon == size && size > 1:
		return replace(dimensions, axis, Ahead), nil
	case !reached && horizon == 0 && !last && size != m.Features && !strings.ContainsRune(dimensions, inputs.Time):
		return replace(dimensions, axis, Ahead), nil
	case horizon > 0:
		return "", m.inDoubt("the %d are neither the columns, which are %d, nor steps ahead with a horizon of %d, but something else such as quantiles", size, m.Features, horizon)
	}
	return "", m.inDoubt("the %d may be steps ahead, or something else such as quantiles", size)
}
