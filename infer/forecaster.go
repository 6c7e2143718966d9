package infer

import (
	"context"
	"fmt"
	"math"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/models"
)

// Forecaster tells the values that follow those of a series. It is safe for
// concurrent use.
type Forecaster struct {
	model  *Model
	window int
}

// NewForecaster returns a Forecaster that runs m. It is an error if m was not
// trained to forecast one series.
func NewForecaster(m *Model) (*Forecaster, error) {
	if err := m.checkTask(models.Forecast); err != nil {
		return nil, err
	}
	if m.meta.Window < 1 || m.meta.Spec.Features != 1 || m.meta.Spec.Outputs != 1 {
		return nil, fmt.Errorf("the model reads windows of %d steps of %d values and answers %d: a Forecaster needs one value in and one out", m.meta.Window, m.meta.Spec.Features, m.meta.Spec.Outputs)
	}
	if err := m.checkInput(); err != nil {
		return nil, err
	}
	return &Forecaster{model: m, window: m.meta.Window}, nil
}

// Window returns the number of values that a prediction looks back on.
func (f *Forecaster) Window() int { return f.window }

// maxBatch and maxSteps are how many windows, and steps of all of them, go
// through the model at once: enough for the matrix products, few enough for the
// cache and for what an engine takes.
const (
	maxBatch = 64
	maxSteps = 1 << 16
)

// Predict returns a prediction for every value that follows a whole window of
// series: the first is of series[Window()], the last of the value after the
// end. It is an error if the series is shorter than a window or holds a value
// that is not a finite float32.
func (f *Forecaster) Predict(ctx context.Context, series []float64) ([]float64, error) {
	values, err := f.values(series)
	if err != nil {
		return nil, err
	}
	windows := len(values) - f.window + 1
	predictions := make([]float64, 0, windows)
	size := max(1, min(maxBatch, maxSteps/f.window, windows))
	buffer := make([]float32, size*f.window)
	for first := 0; first < windows; first += size {
		batch := min(size, windows-first)
		input := buffer[:batch*f.window]
		for i := range batch {
			copy(input[i*f.window:], values[first+i:][:f.window])
		}
		if predictions, err = f.run(ctx, predictions, input, batch); err != nil {
			return nil, err
		}
	}
	return predictions, nil
}

// Forecast returns the given number of values that follow the end of series.
// Each is predicted from the window before it, which holds the predictions
// before that. It fails where Predict does.
func (f *Forecaster) Forecast(ctx context.Context, series []float64, steps int) ([]float64, error) {
	if steps < 0 {
		return nil, fmt.Errorf("%d steps to forecast: ask for 0 or more", steps)
	}
	values, err := f.values(series)
	if err != nil {
		return nil, err
	}
	values = values[len(values)-f.window:]
	var predictions []float64
	for range steps {
		if predictions, err = f.run(ctx, predictions, values, 1); err != nil {
			return nil, err
		}
		values = append(values[1:], float32(predictions[len(predictions)-1]))
	}
	return predictions, nil
}

// values returns series as the model reads it.
func (f *Forecaster) values(series []float64) ([]float32, error) {
	if len(series) < f.window {
		return nil, fmt.Errorf("the series has %d values: the model needs at least its window of %d", len(series), f.window)
	}
	values := make([]float32, len(series))
	for i, y := range series {
		values[i] = float32(y)
		if v := float64(values[i]); math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("value %d of the series is %g: it must be a finite float32", i+1, y)
		}
	}
	return values, nil
}

// run appends to predictions the answers to a batch of windows, the last of each
// where the model answers at every step.
func (f *Forecaster) run(ctx context.Context, predictions []float64, windows []float32, batch int) ([]float64, error) {
	inputs := map[string]tensor.Tensor{inputName: tensor.Of(windows, batch, f.window, 1)}
	results, err := f.model.Run(ctx, inputs, outputName)
	if err != nil {
		return nil, err
	}
	y, err := tensor.Values[float32](results[outputName])
	if err != nil {
		return nil, fmt.Errorf("output %q: %w", outputName, err)
	}
	each := 1
	if f.model.meta.Spec.Readout == models.ReadAll {
		each = f.window
	}
	if len(y) != batch*each {
		return nil, fmt.Errorf("output %q has %d values for %d windows: a Forecaster needs %d each", outputName, len(y), batch, each)
	}
	for i := each - 1; i < len(y); i += each {
		v := y[i]
		if p := float64(v); math.IsNaN(p) || math.IsInf(p, 0) {
			return nil, fmt.Errorf("prediction %d is %g: the series may lie far from what the model was trained on, or the model be damaged", len(predictions)+1, p)
		}
		predictions = append(predictions, float64(v))
	}
	return predictions, nil
}
