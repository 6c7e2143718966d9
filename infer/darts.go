package infer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/models"
)

// dartsKey is the entry of metadata_props in which darts describes a model that it
// exported: OnnxModelSpec in darts.utils.onnx, whose prepare_onnx_inputs and
// run_onnx_prediction say how to run it. What normalizes windows is in the graph; the
// scaler of a pipeline before the model is not, nor in the file.
const dartsKey = "darts.onnx_spec"

// darts is what that entry says.
type darts struct {
	Window     int      `json:"input_chunk_length"`
	Horizon    int      `json:"output_chunk_length"`
	Shift      int      `json:"output_chunk_shift"`
	Likelihood []string `json:"likelihood_parameter_names"`
	Features   []string `json:"feature_input_names"`
	StatesIn   []string `json:"state_input_names"`
	StatesOut  []string `json:"state_output_names"`
	Stepwise   bool     `json:"stepwise_state"` // the graph reads one step, and the states go on
}

// The features and the output of a graph of darts.
const (
	dartsTarget   = "past_target"
	dartsPast     = "past_covariates"
	dartsHistoric = "historic_future_covariates"
	dartsFuture   = "future_covariates"
	dartsStatic   = "static_covariates"
	dartsOutput   = "prediction"
)

// readDarts returns what darts says of a model, nil if it did not export it.
func readDarts(m *Model) (*darts, error) {
	document, ok := m.session.Metadata()[dartsKey]
	if !ok {
		return nil, nil
	}
	d := new(darts)
	if err := json.Unmarshal([]byte(document), d); err != nil {
		return nil, fmt.Errorf("metadata %q is damaged: %w: export the model again", dartsKey, err)
	}
	if d.Window < 1 || d.Horizon < 1 || d.Window > maxAhead || d.Horizon > maxAhead || len(d.StatesIn) != len(d.StatesOut) {
		return nil, fmt.Errorf("metadata %q tells of windows of %d steps, a horizon of %d, and %d states that become %d: export the model again", dartsKey, d.Window, d.Horizon, len(d.StatesIn), len(d.StatesOut))
	}
	return d, nil
}

// describe returns the description of a model that darts exported.
func (d *darts) describe(m *Model) *Description {
	description := &Description{
		Task: models.Forecast, Input: dartsTarget, Layouts: map[string]string{}, Steps: d.Window, Window: d.Window, Horizon: d.Horizon,
		Output: dartsOutput, OutputLayout: "bhf1", Features: d.width(m, dartsTarget), Width: d.width(m, dartsTarget),
	}
	for _, name := range d.Features {
		description.Layouts[name] = "btf"
	}
	return description
}

// width returns the number of columns of a feature, 0 if the model does not read it.
func (d *darts) width(m *Model, name string) int {
	i := indexOf(m.Inputs(), name)
	if i < 0 || len(m.Inputs()[i].Shape) != 3 {
		return 0
	}
	return m.Inputs()[i].Shape[2].Size
}

// direct returns how the model answers a Context.
func (d *darts) direct(m *Model) (*direct, error) {
	if d.Shift != 0 {
		return nil, fmt.Errorf("the model forecasts from %d steps ahead on, and a Forecaster begins with the next: use Run", d.Shift)
	}
	quantiles, err := d.quantiles()
	if err != nil {
		return nil, err
	}
	shape := models.Direct{
		Window: d.Window, Horizon: d.Horizon, Targets: d.width(m, dartsTarget), Past: d.width(m, dartsPast),
		Future: max(d.width(m, dartsHistoric), d.width(m, dartsFuture)), Quantiles: quantiles,
	}
	if i := indexOf(m.Inputs(), dartsStatic); i >= 0 && len(m.Inputs()[i].Shape) == 3 {
		shape.Static = m.Inputs()[i].Shape[1].Size * m.Inputs()[i].Shape[2].Size
	}
	if shape.Targets < 1 || indexOf(m.Outputs(), dartsOutput) < 0 {
		return nil, fmt.Errorf("the model has the inputs %v and the outputs %v, where darts says %q and %q: export it again", m.Inputs(), m.Outputs(), dartsTarget, dartsOutput)
	}
	direct := &direct{Direct: &shape, darts: d, forecasting: &models.Forecasting{
		Targets: make([]string, shape.Targets), Past: make([]string, shape.Past), Future: make([]string, shape.Future),
		Static: make([]string, shape.Static),
	}}
	return direct, nil
}

// quantiles returns the quantiles that the model answers: 0.5 alone where it answers one
// number, else those that the parameters of its likelihood name.
func (d *darts) quantiles() ([]float64, error) {
	if d.Likelihood == nil {
		return []float64{0.5}, nil
	}
	quantiles := make([]float64, len(d.Likelihood))
	for i, name := range d.Likelihood {
		var err error
		if quantiles[i], err = strconv.ParseFloat(strings.TrimPrefix(name, "q"), 64); err != nil {
			return nil, fmt.Errorf("the model answers %q of a distribution, and a Forecaster needs quantiles: use Run", d.Likelihood)
		}
	}
	if n := len(quantiles); n%2 == 0 || quantiles[n/2] != 0.5 {
		return nil, fmt.Errorf("the model answers the quantiles %v, of which 0.5 is not in the middle: use Run", quantiles)
	}
	return quantiles, nil
}

var errDartsMissing = errors.New("a model of darts knows no missing values: give series and covariates without gaps")

// checkDarts returns an error for what a model of darts is not asked for: a window that is
// not whole, and steps beyond the horizon from covariates that nobody knows.
func (d *direct) checkDarts(n, steps int) error {
	switch {
	case n < d.Window:
		return &models.FieldError{Field: "Targets[0]", Value: models.Length(n), Want: fmt.Sprintf("of length %d or more, the window of a model of darts", d.Window)}
	case d.Past > 0 && steps > d.Horizon:
		return &models.FieldError{Field: "steps", Value: steps, Want: fmt.Sprintf("at most %d: the model reads covariates that are not known ahead", d.Horizon)}
	}
	return nil
}

// runAll returns the answers to all rollouts, of which the graph takes one at a time.
func (d *darts) runAll(ctx context.Context, m *Model, list []*rollout, first int) ([]float32, error) {
	var all []float32
	for _, r := range list {
		answer, err := d.run(ctx, m, r, first)
		if err != nil {
			return nil, err
		}
		if want := r.Horizon * r.Targets * len(r.Quantiles); len(answer) != want {
			return nil, fmt.Errorf("the model answers %d values, where %d steps of %d columns have %d", len(answer), r.Horizon, r.Targets, want)
		}
		all = append(all, answer...)
	}
	return all, nil
}

// run returns what the model answers from a step on, [horizon, targets, quantiles]. A
// graph of a single step reads the whole window first, and then its own answers.
func (d *darts) run(ctx context.Context, m *Model, r *rollout, first int) ([]float32, error) {
	if !d.Stepwise {
		return d.call(ctx, m, r, first-d.Window, d.Window, first, d.Horizon)
	}
	from := first - 1
	if first == 0 {
		from, r.states = -d.Window, nil
	}
	var answer []float32
	for step := from; step < first; step++ {
		var err error
		if answer, err = d.call(ctx, m, r, step, 1, step+1, 1); err != nil {
			return nil, err
		}
	}
	return answer, nil
}

// call runs the graph on so many steps of the past and of the future.
func (d *darts) call(ctx context.Context, m *Model, r *rollout, past, n, future, ahead int) ([]float32, error) {
	inputs := make(map[string]tensor.Tensor)
	for _, name := range d.Features {
		switch name {
		case dartsTarget:
			inputs[name] = r.columns(past, n, 0, r.Targets)
		case dartsPast:
			inputs[name] = r.columns(past, n, r.Targets, r.Targets+r.Past)
		case dartsHistoric:
			inputs[name] = r.columns(past, n, r.Targets+r.Past, r.Columns())
		case dartsFuture:
			inputs[name] = r.columns(future, ahead, r.Targets+r.Past, r.Columns())
		case dartsStatic:
			shape := m.Inputs()[indexOf(m.Inputs(), dartsStatic)].Shape
			inputs[name] = tensor.Of(r.static, 1, shape[1].Size, shape[2].Size)
		}
		if inputs[name].CheckFinite() != nil {
			return nil, errDartsMissing
		}
	}
	for i, state := range r.states {
		inputs[d.StatesIn[i]] = state
	}
	outputs, err := m.Run(ctx, inputs, append([]string{dartsOutput}, d.StatesOut...)...)
	if err != nil {
		return nil, err
	}
	r.states = nil
	for _, name := range d.StatesOut {
		r.states = append(r.states, outputs[name])
	}
	return tensor.Values[float32](outputs[dartsOutput])
}

// columns returns some columns of so many steps, [1, steps, columns].
func (r *rollout) columns(first, n, from, to int) tensor.Tensor {
	var values []float32
	for step := first; step < first+n; step++ {
		values = append(values, r.row(step)[from:to]...)
	}
	return tensor.Of(values, 1, n, to-from)
}

var errStepwise = errors.New("the model of darts reads one step at a time, and each prediction would read a window anew: use Forecast")

// forecastColumns is forecast by way of a Context.
func (f *Forecaster) forecastColumns(ctx context.Context, values []float32, steps int) ([][]float64, error) {
	c := Context{Targets: make([][]float64, f.runs.Features)}
	for i, v := range values {
		k := i % f.runs.Features
		c.Targets[k] = append(c.Targets[k], float64(v))
	}
	forecast, err := f.ForecastContext(ctx, c, steps)
	if err != nil {
		return nil, err
	}
	rows := make([][]float64, steps)
	for i := range rows {
		for _, column := range forecast.Median {
			rows[i] = append(rows[i], column[i])
		}
	}
	return rows, nil
}
