package infer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/models"
)

// The inputs of the exported graph of a direct forecaster besides the one of any model,
// and the output with the quantiles.
const (
	futureName     = "future"
	staticName     = "static"
	categoriesName = "categories"
	quantilesName  = "quantiles"
)

var (
	errNotDirect    = errors.New("the model is no direct forecaster, which alone reads a Context: use Forecast or ForecastRows")
	errNeedsContext = errors.New("the model reads covariates that are known ahead, or properties of the series: use ForecastContext")
)

// direct is what a direct forecaster is.
type direct struct {
	*models.Direct
	forecasting *models.Forecasting
	frequency   models.Frequency
	darts       *darts // nil for a model of rnnkit
}

// newDirect returns nil for a model that is no direct forecaster.
func newDirect(m *Model) (*direct, error) {
	if m.meta == nil {
		exported, err := readDarts(m)
		if exported == nil || err != nil {
			return nil, err
		}
		return exported.direct(m)
	}
	if m.meta.Spec.Direct == nil {
		return nil, nil
	}
	d := &direct{Direct: m.meta.Spec.Direct, forecasting: m.meta.Forecast}
	want := tensor.Info{Name: quantilesName, Type: tensor.Float32, Shape: []tensor.Dim{{Symbol: "batch"}, {Size: d.Horizon}, {Size: d.Targets}, {Size: len(d.Quantiles)}}}
	if !slices.ContainsFunc(m.Outputs(), func(have tensor.Info) bool { return have.String() == want.String() }) {
		return nil, fmt.Errorf("the model has the outputs %v, where its metadata says %s: export the model again", m.Outputs(), want)
	}
	var err error
	if d.frequency, err = models.ParseFrequency(d.forecasting.Frequency); err != nil {
		return nil, err
	}
	return d, nil
}

// inputsOf returns the inputs of a model that rnnkit has exported, but for its states.
func inputsOf(spec models.Spec) []tensor.Info {
	batch := tensor.Dim{Symbol: "batch"}
	input := tensor.Info{Name: inputName, Type: tensor.Float32, Shape: []tensor.Dim{batch, {Symbol: "time"}, {Size: spec.Features}}}
	d := spec.Direct
	if d == nil {
		if spec.Vocabulary > 0 {
			input.Type, input.Shape = tensor.Int64, input.Shape[:2]
		}
		return []tensor.Info{input}
	}
	input.Shape[1] = tensor.Dim{Size: d.Window}
	list := []tensor.Info{input}
	if d.Future > 0 {
		list = append(list, tensor.Info{Name: futureName, Type: tensor.Float32, Shape: []tensor.Dim{batch, {Size: d.Horizon}, {Size: d.Future}}})
	}
	if d.Static > 0 {
		list = append(list, tensor.Info{Name: staticName, Type: tensor.Float32, Shape: []tensor.Dim{batch, {Size: d.Static}}})
	}
	if n := len(d.Categories); n > 0 {
		list = append(list, tensor.Info{Name: categoriesName, Type: tensor.Int64, Shape: []tensor.Dim{batch, {Size: n}}})
	}
	return list
}

// run returns the quantiles that the model answers from a step on, [rollouts, horizon,
// targets, quantiles].
func (d *direct) run(ctx context.Context, m *Model, list []*rollout, first int) ([]float32, error) {
	if d.darts != nil {
		return d.darts.runAll(ctx, m, list, first)
	}
	var input, future, static []float32
	var categories []int64
	for _, r := range list {
		for step := range d.Window {
			input = append(input, r.row(first+step-d.Window)...)
		}
		for step := range d.Horizon {
			future = append(future, r.row(first + step)[d.Targets+d.Past:]...)
		}
		static, categories = append(static, r.static...), append(categories, r.categories...)
	}
	inputs := map[string]tensor.Tensor{inputName: tensor.Of(input, len(list), d.Window, d.Columns())}
	if d.Future > 0 {
		inputs[futureName] = tensor.Of(future, len(list), d.Horizon, d.Future)
	}
	if d.Static > 0 {
		inputs[staticName] = tensor.Of(static, len(list), d.Static)
	}
	if n := len(d.Categories); n > 0 {
		inputs[categoriesName] = tensor.Of(categories, len(list), n)
	}
	outputs, err := m.Run(ctx, inputs, quantilesName)
	if err != nil {
		return nil, err
	}
	return tensor.Values[float32](outputs[quantilesName])
}

// begin returns a rollout after c, or a *models.FieldError.
func (d *direct) begin(c *Context, steps int) (*rollout, error) {
	if err := d.check(c, steps); err != nil {
		return nil, err
	}
	n := len(c.Targets[0])
	if d.darts != nil {
		if err := d.checkDarts(n, steps); err != nil {
			return nil, err
		}
	}
	blocks := (steps + d.Horizon - 1) / d.Horizon
	r := &rollout{direct: d, last: c.Last, padding: max(0, d.Window-n)}
	r.rows = slices.Repeat([]float32{float32(math.NaN())}, (d.Window+blocks*d.Horizon)*d.Columns())
	for i, values := range c.Targets {
		if d.forecasting.Missing == models.MissingInterpolate {
			values = interpolated(values)
		}
		r.set(i, values, n)
	}
	for i, values := range slices.Concat(c.Past, c.Future) {
		r.set(d.Targets+i, values, n)
	}
	r.setCalendar()
	for _, v := range c.Static {
		r.static = append(r.static, float32(v))
	}
	for i, v := range c.Categories {
		r.categories = append(r.categories, int64(slices.Index(d.forecasting.Categories[i].Values, v)+1))
	}
	return r, nil
}

// set sets a column to values, of which that with index n is the first one ahead.
func (r *rollout) set(column int, values []float64, n int) {
	steps := len(r.rows)/r.Columns() - r.Window
	for i := max(0, n-r.Window); i < min(len(values), n+steps); i++ {
		r.row(i - n)[column] = float32(values[i])
	}
}

// setCalendar sets the columns that are computed from the time.
func (r *rollout) setCalendar() {
	columns := r.forecasting.Calendar
	if len(columns) == 0 {
		return
	}
	first := r.Columns() - len(columns)
	for step := -r.Window; step < len(r.rows)/r.Columns()-r.Window; step++ {
		copy(r.row(step)[first:], models.CalendarFeatures(columns, r.frequency.Add(r.last, step+1)))
	}
}

// interpolated returns values with those that are missing on a line between their
// neighbours, and after the last one equal to it. Those before the first stay missing.
func interpolated(values []float64) []float64 {
	values = slices.Clone(values)
	last := -1 // the last one that is known
	for i, v := range values {
		if math.IsNaN(v) {
			continue
		}
		for k := last + 1; k < i && last >= 0; k++ {
			values[k] = values[last] + (v-values[last])*float64(k-last)/float64(i-last)
		}
		last = i
	}
	for k := last + 1; k < len(values) && last >= 0; k++ {
		values[k] = values[last]
	}
	return values
}

// check returns a *models.FieldError for what cannot be used to forecast so many steps.
func (d *direct) check(c *Context, steps int) error {
	if err := d.checkNumbers(c); err != nil {
		return err
	}
	n := len(c.Targets[0])
	for _, f := range []struct {
		field   string
		columns [][]float64
		names   []string
		steps   int
	}{{"Targets", c.Targets, d.forecasting.Targets, 0}, {"Past", c.Past, d.forecasting.Past, 0}, {"Future", c.Future, d.given(), steps}} {
		for i, values := range f.columns {
			if err := d.checkColumn(fmt.Sprintf("%s[%d]", f.field, i), f.names[i], values, n, f.steps); err != nil {
				return err
			}
		}
	}
	return d.checkTargets(c)
}

// given returns the names of the future covariates that a Context has.
func (d *direct) given() []string {
	return d.forecasting.Future[:d.Future-len(d.forecasting.Calendar)]
}

// checkNumbers checks how many columns and properties c has, and that it has a time if
// that is needed.
func (d *direct) checkNumbers(c *Context) error {
	var categories []string
	for _, v := range d.forecasting.Categories {
		categories = append(categories, v.Name)
	}
	for _, f := range []struct {
		field string
		have  int
		names []string
		what  string
	}{
		{"Targets", len(c.Targets), d.forecasting.Targets, "columns that are forecast"},
		{"Past", len(c.Past), d.forecasting.Past, "covariates that are known up to now"},
		{"Future", len(c.Future), d.given(), "covariates that are known ahead"},
		{"Static", len(c.Static), d.forecasting.Static, "numbers of the series"},
		{"Categories", len(c.Categories), categories, "categories of the series"},
	} {
		if f.have != len(f.names) {
			return &models.FieldError{Field: f.field, Value: models.Length(f.have), Want: fmt.Sprintf("of length %d, the %s%s", len(f.names), f.what, listed(f.names))}
		}
	}
	if len(d.forecasting.Calendar) > 0 && c.Last.IsZero() {
		return &models.FieldError{Field: "Last", Value: c.Last, Want: fmt.Sprintf("the time of the last row: the model reads %s", strings.Join(d.forecasting.Calendar, ", "))}
	}
	for i, v := range c.Static {
		if math.IsInf(float64(float32(v)), 0) {
			return notFinite(fmt.Sprintf("Static[%d]", i), v)
		}
	}
	return nil
}

// listed returns names as a list behind a colon, "" if there are none.
func listed(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf(": %.200q", names)
}

// checkColumn checks a column of n rows and so many steps ahead, which must be known.
func (d *direct) checkColumn(path, name string, values []float64, n, steps int) error {
	switch {
	case steps == 0 && len(values) != n:
		return &models.FieldError{Field: path, Value: models.Length(len(values)), Want: fmt.Sprintf("of length %d, as the first target: it is %q", n, name)}
	case len(values) < n+steps:
		return &models.FieldError{Field: path, Value: models.Length(len(values)), Want: fmt.Sprintf("of length %d, for %d rows so far and %d steps ahead: %q must be known for all of them", n+steps, n, steps, name)}
	}
	for i := max(0, n-d.Window); i < len(values); i++ {
		switch v := values[i]; {
		case math.IsInf(float64(float32(v)), 0):
			return &models.FieldError{Field: fmt.Sprintf("%s[%d]", path, i), Value: v, Want: "finite as a float32, or NaN where it is missing"}
		case math.IsNaN(v) && i >= n && i < n+steps:
			return &models.FieldError{Field: fmt.Sprintf("%s[%d]", path, i), Value: v, Want: fmt.Sprintf("a number: %q must be known for each step ahead", name)}
		}
	}
	return nil
}

// checkTargets checks that each target has values to forecast from, and all of them if
// the model was trained on such.
func (d *direct) checkTargets(c *Context) error {
	for t, values := range c.Targets {
		first := max(0, len(values)-d.Window)
		missing := slices.IndexFunc(values[first:], math.IsNaN)
		if d.forecasting.Missing == models.MissingRefuse && missing >= 0 {
			return &models.FieldError{Field: fmt.Sprintf("Targets[%d][%d]", t, first+missing), Value: math.NaN(), Want: fmt.Sprintf("a number: %q had no missing values in training", d.forecasting.Targets[t])}
		}
		if !slices.ContainsFunc(values[first:], func(v float64) bool { return !math.IsNaN(v) }) {
			return &models.FieldError{Field: fmt.Sprintf("Targets[%d]", t), Value: models.Length(len(values)), Want: fmt.Sprintf("a series with a value among its last %d: %q is forecast from these", d.Window, d.forecasting.Targets[t])}
		}
	}
	return nil
}
