package infer

import (
	"context"
	"fmt"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/inputs"
	"github.com/rnnkit/rnnkit/models"
)

// Forecaster predicts the values that follow those of a series, or of several columns.
// It is safe for concurrent use.
//
// A model of one column has the methods Predict and Forecast, which take a series. With
// PredictRows and ForecastRows any model takes rows, of a value for each column. A direct
// forecaster has ForecastContext too, for intervals, missing values, covariates and
// histories of any length.
type Forecaster struct {
	runs   *sequences
	direct *direct // nil for a model that is no direct forecaster
}

// NewForecaster returns a Forecaster that runs m. It is a [*TaskError] if m does not
// forecast, a [*models.FieldError] if m is nil, and an error if its graph is not what its metadata says.
func NewForecaster(m *Model) (*Forecaster, error) {
	d, err := m.task(models.Forecast)
	if err != nil {
		return nil, err
	}
	switch {
	case d.Window < 1:
		return nil, fmt.Errorf("the model has windows of %d steps: a Forecaster needs one step or more", d.Window)
	case m.meta != nil && m.meta.Spec.Direct == nil && m.meta.Spec.Outputs != d.Horizon*d.Width:
		return nil, fmt.Errorf("the model answers %d values: a Forecaster of %d columns and a horizon of %d needs %d", m.meta.Spec.Outputs, d.Width, d.Horizon, d.Horizon*d.Width)
	}
	s, err := newSequences(m, d)
	if err != nil {
		return nil, err
	}
	direct, err := newDirect(m)
	if err != nil {
		return nil, err
	}
	return &Forecaster{s, direct}, nil
}

// Model returns the model that f runs.
func (f *Forecaster) Model() *Model { return f.runs.model }

// Window returns the number of rows that a prediction looks back on.
func (f *Forecaster) Window() int { return f.runs.Window }

// Horizon returns the number of rows that the model predicts at once.
func (f *Forecaster) Horizon() int { return f.runs.Horizon }

// Predict returns a prediction for every value that follows a whole window of series:
// the first is of series[Window()], the last of the value after the end. A model with a
// horizon of several steps predicts those after the end too. It is an error if the model
// has several columns. A series that is shorter than a window, or a value that is not
// finite as a float32, is a [*models.FieldError] of "series" or, for example, "series[4]".
func (f *Forecaster) Predict(ctx context.Context, series []float64) ([]float64, error) {
	values, err := f.series(series)
	if err != nil {
		return nil, err
	}
	rows, err := f.predict(ctx, values)
	return column(rows), err
}

// Forecast returns the given number of values that follow the end of series. Where they
// are more than the horizon, the first predictions take their places in the window for
// the next. It fails where Predict does, and on fewer than 0 steps with a
// [*models.FieldError] of "steps".
func (f *Forecaster) Forecast(ctx context.Context, series []float64, steps int) ([]float64, error) {
	values, err := f.series(series)
	if err != nil {
		return nil, err
	}
	rows, err := f.forecast(ctx, values, steps)
	return column(rows), err
}

// PredictRows is Predict for rows of as many values as the model has columns. A
// prediction has a value for each column, or one if the model predicts a target alone.
// Rows that cannot be used are a [*models.FieldError] of "rows", of a row such as
// "rows[4]", or of a value such as "rows[4][0]", counted from 0.
func (f *Forecaster) PredictRows(ctx context.Context, rows [][]float64) ([][]float64, error) {
	values, err := f.rows(rows)
	if err != nil {
		return nil, err
	}
	return f.predict(ctx, values)
}

// ForecastRows is Forecast for rows. A model that predicts one of several columns
// forecasts no further than its horizon, since nobody knows the others: more steps are a
// [*models.FieldError] of "steps".
func (f *Forecaster) ForecastRows(ctx context.Context, rows [][]float64, steps int) ([][]float64, error) {
	values, err := f.rows(rows)
	if err != nil {
		return nil, err
	}
	return f.forecast(ctx, values, steps)
}

func column(rows [][]float64) (values []float64) {
	for _, row := range rows {
		values = append(values, row[0])
	}
	return values
}

// series returns the values of a series as float32.
func (f *Forecaster) series(series []float64) ([]float32, error) {
	if f.direct != nil && len(f.runs.Layouts) > 1 {
		return nil, errNeedsContext
	}
	if f.runs.Features != 1 {
		return nil, fmt.Errorf("the model takes %d columns: use PredictRows and ForecastRows", f.runs.Features)
	}
	if len(series) < f.Window() {
		return nil, f.tooShort("series", series)
	}
	values := make([]float32, len(series))
	for i, v := range series {
		if values[i] = float32(v); !finite(float64(values[i])) {
			return nil, notFinite(fmt.Sprintf("series[%d]", i), v)
		}
	}
	return values, nil
}

// rows returns the values of rows as float32, one row after the other.
func (f *Forecaster) rows(rows [][]float64) ([]float32, error) {
	if f.direct != nil && len(f.runs.Layouts) > 1 {
		return nil, errNeedsContext
	}
	if len(rows) < f.Window() {
		return nil, f.tooShort("rows", rows)
	}
	values := make([]float32, 0, len(rows)*f.runs.Features)
	for i, row := range rows {
		if len(row) != f.runs.Features {
			return nil, &models.FieldError{Field: fmt.Sprintf("rows[%d]", i), Value: row, Want: fmt.Sprintf("of length %d, a value for each column that the model takes", f.runs.Features)}
		}
		for k, v := range row {
			if !finite(float64(float32(v))) {
				return nil, notFinite(fmt.Sprintf("rows[%d][%d]", i, k), v)
			}
			values = append(values, float32(v))
		}
	}
	return values, nil
}

func (f *Forecaster) tooShort(argument string, value any) error {
	return &models.FieldError{Field: argument, Value: value, Want: fmt.Sprintf("longer: the model needs at least its window of %d", f.Window())}
}

func notFinite(path string, v any) error {
	return &models.FieldError{Field: path, Value: v, Want: "finite as a float32"}
}

// predict is PredictRows for the values of rows, one row after the other.
func (f *Forecaster) predict(ctx context.Context, values []float32) ([][]float64, error) {
	if f.direct != nil && f.direct.darts != nil && f.direct.darts.Stepwise {
		return nil, errStepwise
	}
	windows := len(values)/f.runs.Features - f.Window() + 1
	predictions := make([][]float64, 0, windows+f.Horizon()-1)
	length := f.Window() * f.runs.Features
	size := min(batchSize(f.Window()), windows)
	if f.runs.input.Fixed(inputs.Batch) == 1 {
		size = 1
	}
	buffer := make([]float32, size*length)
	for first := 0; first < windows; first += size {
		batch := min(size, windows-first)
		for i := range batch {
			copy(buffer[i*length:], values[(first+i)*f.runs.Features:][:length])
		}
		answers, err := f.run(ctx, buffer[:batch*length], batch, first)
		if err != nil {
			return nil, err
		}
		for _, answer := range answers {
			predictions = append(predictions, answer[:f.runs.Width:f.runs.Width])
		}
		if first+batch == windows {
			predictions = append(predictions, f.steps(answers[batch-1])[1:]...)
		}
	}
	return predictions, nil
}

// forecast is ForecastRows for the values of rows, one row after the other.
func (f *Forecaster) forecast(ctx context.Context, values []float32, steps int) ([][]float64, error) {
	switch {
	case steps < 0:
		return nil, &models.FieldError{Field: "steps", Value: steps, Want: "0 or more"}
	case steps > f.Horizon() && f.runs.Width != f.runs.Features:
		return nil, &models.FieldError{Field: "steps", Value: steps, Want: fmt.Sprintf("at most %d: the model takes %d columns and predicts %s, so it reaches no further ahead", f.Horizon(), f.runs.Features, oneOr(f.runs.Width))}
	}
	if f.direct != nil && f.direct.darts != nil && steps > 0 {
		return f.forecastColumns(ctx, values, steps)
	}
	length := f.Window() * f.runs.Features
	var predictions [][]float64
	for len(predictions) < steps {
		values = values[len(values)-length:]
		answers, err := f.run(ctx, values, 1, len(predictions))
		if err != nil {
			return nil, err
		}
		predictions = append(predictions, f.steps(answers[0])...)
		for _, v := range answers[0] {
			values = append(values, float32(v))
		}
	}
	return predictions[:steps], nil
}

func oneOr(n int) string {
	if n == 1 {
		return "one"
	}
	return fmt.Sprint(n)
}

// steps returns the rows of an answer, one for each step ahead.
func (f *Forecaster) steps(answer []float64) (rows [][]float64) {
	for h := range f.Horizon() {
		rows = append(rows, answer[h*f.runs.Width:][:f.runs.Width:f.runs.Width])
	}
	return rows
}

// run returns the answers to a batch of windows, of which the first gives the prediction
// of the given number.
func (f *Forecaster) run(ctx context.Context, windows []float32, batch, first int) ([][]float64, error) {
	answers, err := f.runs.answers(ctx, tensor.Of(windows, batch, f.Window(), f.runs.Features))
	if err != nil {
		return nil, err
	}
	for i, answer := range answers {
		for _, v := range answer {
			if !finite(v) {
				return nil, fmt.Errorf("prediction %d is %g: the series may lie far from what the model was trained on, or the model be damaged", first+i+1, v)
			}
		}
	}
	return answers, nil
}
