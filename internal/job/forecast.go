package job

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

// trainPart is the part of a series or of sequences that trains; the rest tests.
const trainPart = 0.8

// ForecastTerms are the notebook's for its sine, as a start for any series.
func ForecastTerms() Terms {
	return Terms{
		Spec:     models.Forecaster("", 0).Spec,
		Init:     "default",
		State:    StateNone,
		Window:   50,
		Loss:     "mse",
		Quantile: 0.5,
		Scale:    true,
		Fit: trainer.Options{
			Optimizer:    trainer.Optimizer{Method: trainer.Adam},
			LearningRate: 1e-3,
			Schedule:     trainer.Schedule{Shape: trainer.Constant},
			Batch:        32,
			Epochs:       15,
		},
	}
}

// Forecast is the job of telling the next value of a series. The first four
// fifths of its windows train.
func Forecast(t Terms, name, column string, series []float64) (*Job, error) {
	values, err := narrow(series)
	if err != nil {
		return nil, err
	}
	windows, err := datasets.NewWindows(values, t.Window)
	if err != nil {
		return nil, fmt.Errorf("%w (--seq-len)", err)
	}
	train, test, err := windows.Split(trainPart)
	if err != nil {
		return nil, fmt.Errorf("%w (--seq-len)", err)
	}
	var validation *datasets.Windows
	if t.chooses() {
		if validation, test, err = test.Split(0.5); err != nil {
			return nil, chosenBy(err)
		}
	}
	source, testSource, err := t.sources(train, validation, test)
	if err != nil {
		return nil, err
	}
	data, err := binary.Append(nil, binary.LittleEndian, series)
	if err != nil {
		return nil, err
	}
	j, err := newJob(t, name, models.Forecaster(column, t.Window), source, testSource, data)
	if err != nil {
		return nil, err
	}
	if t.Scale {
		scale := models.FitScale(train.Series(), 1)
		j.Model.InputScale, j.Model.OutputScale = scale, scale
	}
	j.Summary = func() (string, error) {
		loss := fmt.Sprintf("test loss %.4g", j.Model.Training.TestLoss)
		if t.Scale {
			loss += " of scaled values"
		}
		if t.Loss == "pinball" {
			share, err := below(j.Model, test)
			return fmt.Sprintf("%s: %.1f%% of the values lie below their forecast", loss, 100*share), err
		}
		off, err := offBy(j.Model, test)
		return fmt.Sprintf("%s: off by %.4g, where repeating the last value is off by %.4g (root mean square)",
			loss, off, persistence(test.Series(), t.Window)), err
	}
	return j, nil
}

// sources sets what the fit chooses by, unless validation is nil, and returns what it
// trains and tests on: the windows, or streams over their series.
func (t *Terms) sources(train, validation, test *datasets.Windows) (source, testSource datasets.Source, err error) {
	if t.TBPTT == 0 {
		if validation != nil {
			t.Fit.Validation = validation
		}
		return train, test, nil
	}
	t.Spec.Readout, t.Fit.Carry = models.ReadAll, true
	if source, err = datasets.NewStreams(train.Series(), t.Fit.Batch, t.TBPTT); err != nil {
		return nil, nil, fmt.Errorf("%w (--batch and --tbptt)", err)
	}
	if validation != nil {
		if t.Fit.Validation, err = datasets.NewStreams(validation.Series(), 1, t.TBPTT); err != nil {
			return nil, nil, chosenBy(err)
		}
	}
	if testSource, err = datasets.NewStreams(test.Series(), 1, t.TBPTT); err != nil {
		return nil, nil, fmt.Errorf("what is held out to test: %w (--tbptt)", err)
	}
	return source, testSource, nil
}

// narrow makes a series float32, unless that rounds away how its values differ.
func narrow(series []float64) ([]float32, error) {
	values := make([]float32, len(series))
	low, high, rounding := math.Inf(1), math.Inf(-1), 0.0
	for i, v := range series {
		values[i] = float32(v)
		low, high = min(low, v), max(high, v)
		rounding = max(rounding, math.Abs(v-float64(values[i])))
	}
	if spread := high - low; spread > 0 && rounding > spread/100 {
		return nil, fmt.Errorf("the values, from %.9g to %.9g, lie too close together for float32, which rounds them by up to %.3g: subtract their mean from each, or forecast the differences from one to the next", low, high, rounding)
	}
	return values, nil
}

// offBy is the root mean square error on the examples of test, in raw units.
func offBy(m *models.Model, test *datasets.Windows) (float64, error) {
	mean, err := meanOf(m, test, func(want, got float64) float64 { return (got - want) * (got - want) })
	return math.Sqrt(mean), err
}

// below is the share of the values of test that are less than their forecast.
func below(m *models.Model, test *datasets.Windows) (float64, error) {
	return meanOf(m, test, func(want, got float64) float64 {
		if want < got {
			return 1
		}
		return 0
	})
}

// meanOf is the mean of f over the examples of test, in raw units.
func meanOf(m *models.Model, test *datasets.Windows, f func(want, got float64) float64) (float64, error) {
	var sum float64
	err := Answers(m, test, func(b *datasets.Batch, answers []float32) {
		each := len(answers) / b.Size // where the model answers at every step, the last counts
		for i, want := range b.Targets {
			sum += f(float64(want), float64(answers[(i+1)*each-1]))
		}
	})
	return sum / float64(test.Len()), err
}

// persistence is the root mean square error of taking each value after a window
// for the same as the one before: what a forecaster has to beat.
func persistence(series []float32, window int) float64 {
	var sum float64
	for i := window; i < len(series); i++ {
		d := float64(series[i]) - float64(series[i-1])
		sum += d * d
	}
	return math.Sqrt(sum / float64(len(series)-window))
}
