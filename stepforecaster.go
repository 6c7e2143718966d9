package rnnkit

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

// StepForecasterOptions say how [NewStepForecaster] trains. [DefaultStepForecasterOptions]
// returns good ones, whose fields a program changes.
type StepForecasterOptions struct {
	Options

	Window  int    // steps that the model looks back, at least 1
	Horizon int    // steps ahead that it answers for, at least 1; 1 with TBPTT
	Target  string // the name of the column that it answers for; "" for all

	// TBPTT is the number of steps of truncated backpropagation through time. The series
	// is cut into Fit.Batch parallel streams, and the model predicts the next value at
	// every step. Its state is kept from one batch to the next, and gradients are not.
	// With 0 the model learns from windows, each with a state of zeros.
	TBPTT int

	// Scale standardizes the values: each column gets mean 0 and standard deviation 1 over
	// the training set. The scale becomes part of the file, which reads and answers raw
	// units.
	Scale bool
}

// DefaultStepForecasterOptions returns options for series of any kind: an LSTM of 32 that
// looks back 50 steps and answers for the next.
func DefaultStepForecasterOptions() StepForecasterOptions {
	return StepForecasterOptions{
		Options: Options{
			Spec:    models.Forecaster("", 0).Spec,
			HeldOut: 0.2,
			Fit:     fitOptions(1e-3, 32, 15),
		},
		Window:  50,
		Horizon: 1,
		Scale:   true,
	}
}

// Validate returns a *models.FieldError for the first field that no series can be learned
// with: a number out of its range, a Spec or Fit that is refused by their own Validate, a
// loss that is none of [Losses], a Readout of all for windows, or, with TBPTT, a Horizon
// other than 1, a bidirectional model or a Readout other than last and all.
// [NewStepForecaster] calls it before it looks at the data.
func (o StepForecasterOptions) Validate() error {
	if err := o.validate(models.Forecast); err != nil {
		return err
	}
	if err := atLeast(1, field{"Window", o.Window}, field{"Horizon", o.Horizon}); err != nil {
		return err
	}
	if err := atLeast(0, field{"TBPTT", o.TBPTT}); err != nil {
		return err
	}
	if o.TBPTT == 0 {
		return o.validateOneAnswer()
	}
	return o.validateStreams()
}

// validateStreams checks what truncated backpropagation needs.
func (o StepForecasterOptions) validateStreams() error {
	switch {
	case o.Horizon > 1:
		return &models.FieldError{Field: "Horizon", Value: o.Horizon, Want: "1 with truncated backpropagation, which learns the next step at every step"}
	case o.Spec.Bidirectional:
		return &models.FieldError{Field: "TBPTT", Value: o.TBPTT, Want: "0 for a bidirectional model, whose state cannot go on from batch to batch"}
	case o.Spec.Readout != models.ReadAll && o.Spec.Readout != models.ReadLast:
		return &models.FieldError{Field: "Spec.Readout", Value: o.Spec.Readout, Want: "last or all with truncated backpropagation, which answers at every step"}
	}
	return nil
}

// NewStepForecaster returns the job of telling the next Horizon values of the column Target
// from the last Window values of every column, or of all columns where Target is "". The
// columns have the same length, the oldest value first, and different names. A single
// one needs no name.
//
// The error is a *models.FieldError if an option does not fit, a column has no numbers or
// another length than the first, a value is not finite, or the values of a column lie too
// close together for float32. It wraps a [datasets.ErrTooShort] if the series is too short
// for an option.
//
// The model reads its window step by step. With TBPTT and StateInput it keeps a state from
// one step to the next, so it suits a stream that has no end.
func NewStepForecaster(columns []datasets.Column, o StepForecasterOptions) (*Job, error) {
	if err := o.useStart(); err != nil {
		return nil, err
	}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if err := checkColumns(columns); err != nil {
		return nil, err
	}
	meta, err := o.describeColumns(columns)
	if err != nil {
		return nil, err
	}
	series, err := newSeries(columns, o.Target)
	if err != nil {
		return nil, err
	}
	f, err := o.splitSeries(series)
	if err != nil {
		return nil, err
	}
	return f.job(meta, columns)
}

// useStart takes what follows from Start, if there is one.
func (o *StepForecasterOptions) useStart() error {
	if err := o.Options.useStart(models.Forecast); err != nil || o.Start == nil {
		return err
	}
	if o.TBPTT == 0 && o.Spec.Readout == models.ReadAll {
		o.Spec.Readout = models.ReadLast // the last answer of all
	}
	standard := DefaultStepForecasterOptions()
	return cmp.Or(
		keepStart("Window", &o.Window, o.Start.Window, standard.Window),
		keepStart("Horizon", &o.Horizon, max(1, o.Start.Horizon), standard.Horizon),
		keepStart("Target", &o.Target, o.Start.Target, standard.Target),
	)
}

// checkColumns refuses columns without numbers and those of different lengths.
func checkColumns(columns []datasets.Column) error {
	for i, c := range columns {
		name := cmp.Or(c.Name, fmt.Sprintf("column %d", i+1))
		switch n := len(columns[0].Values); {
		case len(c.Values) == 0:
			return &models.FieldError{Field: fmt.Sprintf("columns[%d].Values", i), Value: models.Length(0), Want: fmt.Sprintf("numbers, and %q has none", name)}
		case len(c.Values) != n:
			return &models.FieldError{Field: fmt.Sprintf("columns[%d].Values", i), Value: models.Length(len(c.Values)), Want: fmt.Sprintf("of length %d, as the first column, for %q too", n, name)}
		}
	}
	return nil
}

// describeColumns returns the metadata of a forecaster of the given columns.
func (o *StepForecasterOptions) describeColumns(columns []datasets.Column) (meta models.Metadata, err error) {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	for i, name := range names {
		if len(names) > 1 && (name == "" || slices.Contains(names[:i], name)) {
			return meta, &models.FieldError{Field: fmt.Sprintf("columns[%d].Name", i), Value: name, Want: "a name that no other column has"}
		}
	}
	switch {
	case len(columns) == 0:
		return meta, &models.FieldError{Field: "columns", Value: names, Want: "of length 1 or more"}
	case o.Target != "" && !slices.Contains(names, o.Target):
		return meta, &models.FieldError{Field: "Target", Value: o.Target, Want: fmt.Sprintf("one of the columns %q", names)}
	}
	if names[0] == "" {
		names = nil
	}
	if o.Start != nil && len(o.Start.Columns) > 0 && names != nil && !slices.Equal(names, o.Start.Columns) {
		return meta, &models.FieldError{Field: "columns", Value: names, Want: fmt.Sprintf("%q, as those of Start: these are %q", o.Start.Columns, names)}
	}
	o.Spec.Features = len(columns)
	meta = models.Metadata{Task: models.Forecast, Spec: o.Spec, Window: o.Window, Horizon: o.Horizon, Columns: names, Target: o.Target}
	o.Spec.Outputs = o.Horizon * meta.Targets()
	return meta, nil
}

// newSeries returns the columns in float32, of which target, or all, are forecast.
func newSeries(columns []datasets.Column, target string) (*datasets.Series, error) {
	var lists [][]float32
	var targets []int
	for i, c := range columns {
		values, err := narrow(fmt.Sprintf("columns[%d].Values", i), c.Values)
		if err != nil && len(columns) > 1 {
			err = fmt.Errorf("column %q: %w", c.Name, err)
		}
		if err != nil {
			return nil, err
		}
		lists = append(lists, values)
		if target != "" && c.Name == target {
			targets = []int{i}
		}
	}
	s, err := datasets.NewSeries(lists...)
	if err != nil {
		return nil, err
	}
	s.Targets = targets
	return s, nil
}

// narrow makes a column float32, unless that rounds away how its values differ.
func narrow(field string, column []float64) ([]float32, error) {
	values := make([]float32, len(column))
	for i, v := range column {
		if values[i] = float32(v); !finite(values[i]) {
			return nil, &models.FieldError{Field: fmt.Sprintf("%s[%d]", field, i), Value: v, Want: "finite as a float32"}
		}
	}
	return values, precise(field, column)
}

// precise returns an error if float32 rounds away how values differ, of which NaN are
// missing.
func precise(field string, column []float64) error {
	low, high, rounding := math.Inf(1), math.Inf(-1), 0.0
	for _, v := range column {
		if !math.IsNaN(v) {
			low, high = min(low, v), max(high, v)
			rounding = max(rounding, math.Abs(v-float64(float32(v))))
		}
	}
	if spread := high - low; spread > 0 && rounding > spread/100 {
		return &models.FieldError{
			Field: field, Value: interval{low, high},
			Want: fmt.Sprintf("further apart, since float32 rounds these values by up to %.3g: subtract their mean from each, or forecast the differences from one to the next", rounding),
		}
	}
	return nil
}

// interval has the lowest and the highest of some values.
type interval struct{ low, high float64 }

func (v interval) String() string { return fmt.Sprintf("from %.9g to %.9g", v.low, v.high) }

func finite(v float32) bool { return !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0) }

// columnBytes lists the values of columns as little-endian float64.
func columnBytes(columns []datasets.Column) (data []byte) {
	for _, c := range columns {
		data, _ = binary.Append(data, binary.LittleEndian, c.Values)
	}
	return data
}

// forecast is a series that is divided into a training, a validation and a test set.
type forecast struct {
	StepForecasterOptions
	series                  *datasets.Series
	train, validation, test *datasets.Windows // the last two are nil where there are none
}

// splitSeries divides the windows of a series. The first of them train.
func (o StepForecasterOptions) splitSeries(series *datasets.Series) (*forecast, error) {
	all, err := series.Windows(o.Window, o.Horizon)
	f := &forecast{StepForecasterOptions: o, series: series, train: all}
	if err == nil && o.HeldOut > 0 {
		f.train, f.test, err = all.Split(1 - o.HeldOut)
	}
	if err != nil {
		return nil, o.tooShort("Window", o.Window, "shorter, or the series longer", series, err)
	}
	if o.needsValidation() {
		if f.test == nil {
			return nil, o.nothingValidates(nil)
		}
		if f.validation, f.test, err = f.test.Split(0.5); err != nil {
			return nil, o.nothingValidates(err)
		}
	}
	return f, nil
}

// tooShort is the error of a field that series is too short for.
func (o StepForecasterOptions) tooShort(field string, value int, want string, series *datasets.Series, err error) error {
	data := fmt.Sprintf("the series has %d values", series.Len())
	if o.Horizon > 1 {
		want += fmt.Sprintf(", for a horizon of %d", o.Horizon)
	}
	return o.Options.tooShort(field, value, want, data, err)
}

// tooShort is the error of a field that data, which are described in words, are too short
// for. It wraps err.
func (o Options) tooShort(field string, value int, want, data string, err error) error {
	if o.HeldOut > 0 {
		data += fmt.Sprintf(", of which %g%% are held out", 100*o.HeldOut)
	}
	return &models.FieldError{Field: field, Value: value, Want: want + ": " + data, Err: err}
}

// nothingValidates is the error where what is held out cannot be halved. It wraps err.
func (o Options) nothingValidates(err error) error {
	const want = "more data held out: half of it validates and half tests"
	if o.Fit.Schedule.Shape == trainer.Plateau {
		return &models.FieldError{Field: "Fit.Schedule.Shape", Value: o.Fit.Schedule.Shape, Want: "another, or " + want, Err: err}
	}
	return &models.FieldError{Field: "Fit.Patience", Value: o.Fit.Patience, Want: "0, or " + want, Err: err}
}

// job returns the job of f.
func (f *forecast) job(meta models.Metadata, columns []datasets.Column) (*Job, error) {
	if f.Fit.Loss == nil {
		f.Fit.Loss = trainer.MSE()
	}
	train, test, err := f.sources()
	if err != nil {
		return nil, err
	}
	f.setScales(&meta)
	j, err := newJob(f.Options, meta, examples{train: train, test: test, data: columnBytes(columns), tbptt: f.TBPTT})
	if err != nil {
		return nil, err
	}
	j.summary = func() (string, error) { return f.summary(j, meta) }
	return j, nil
}

// setScales sets the scales of the model's input and output.
func (f *forecast) setScales(meta *models.Metadata) {
	switch {
	case f.Start != nil:
		meta.InputScale, meta.OutputScale = f.Start.InputScale, f.Start.OutputScale
	case f.Scale:
		scale := models.FitScale(f.train.Series(), f.series.Columns)
		meta.InputScale, meta.OutputScale = scale, new(models.Scale)
		for range f.Horizon {
			for _, c := range f.targets() {
				meta.OutputScale.Mean = append(meta.OutputScale.Mean, scale.Mean[c])
				meta.OutputScale.Std = append(meta.OutputScale.Std, scale.Std[c])
			}
		}
	}
}

// targets are the columns that are forecast.
func (f *forecast) targets() []int {
	if f.series.Targets != nil {
		return f.series.Targets
	}
	return firstOf(f.series.Columns)
}

// sources returns the training and the test set, as windows or as streams over their
// series, and sets the validation set, if there is one.
func (f *forecast) sources() (train, test datasets.Source, err error) {
	if f.TBPTT > 0 {
		return f.streams()
	}
	if f.validation != nil {
		f.Fit.Validation = f.validation
	}
	if f.test == nil {
		return f.train, &datasets.Sequences{}, nil
	}
	return f.train, f.test, nil
}

// streams is sources for truncated backpropagation.
func (f *forecast) streams() (train, test datasets.Source, err error) {
	f.Spec.Readout, f.Fit.Stateful = models.ReadAll, true
	if train, err = f.train.Streams(f.Fit.Batch, f.TBPTT); err != nil {
		return nil, nil, f.tooShort("TBPTT", f.TBPTT, "less, or the batch smaller", f.series, err)
	}
	if f.validation != nil {
		if f.Fit.Validation, err = f.validation.Streams(1, f.TBPTT); err != nil {
			return nil, nil, f.nothingValidates(err)
		}
	}
	if f.test == nil {
		return train, &datasets.Sequences{}, nil
	}
	if test, err = f.test.Streams(1, f.TBPTT); err != nil {
		return nil, nil, f.tooShort("TBPTT", f.TBPTT, "less, or more held out to test", f.series, err)
	}
	return train, test, nil
}

// summary says how good the model of j is.
func (f *forecast) summary(j *Job, meta models.Metadata) (string, error) {
	windows, loss := f.test, fmt.Sprintf("test loss %.4g", j.Model.Training.TestLoss)
	if windows == nil {
		windows, loss = f.train, fmt.Sprintf("training loss %.4g", j.Model.Training.TrainLoss)
	}
	if j.Model.OutputScale != nil {
		loss += " of scaled values"
	}
	if f.TBPTT > 0 { // the loss of streams counts the first steps after the state of zeros too
		loss += fmt.Sprintf(" over every step; after a window of %d steps", f.Window)
	}
	e, err := f.measure(j, windows)
	if err != nil {
		return "", err
	}
	if f.Fit.Loss.Name() == "pinball" {
		return fmt.Sprintf("%s: %.1f%% of the values lie below their forecast", loss, 100*e.below), nil
	}
	lines := make([]string, len(e.off))
	for i := range e.off {
		lines[i] = fmt.Sprintf("off by %.4g, where repeating the last value is off by %.4g (root mean square)", e.off[i], e.repeating[i])
		if len(e.off) > 1 {
			lines[i] = meta.Columns[i] + " " + lines[i]
		}
	}
	return loss + ": " + strings.Join(lines, "; "), nil
}

// forecastErrors are how far forecasts lie from what came, in raw units.
type forecastErrors struct {
	off, repeating []float64 // root mean squares by target: of the model, and of the last value before
	below          float64   // the share of values that are less than their forecast
}

// measure compares the forecasts of the model of j with what came in windows.
func (f *forecast) measure(j *Job, windows *datasets.Windows) (forecastErrors, error) {
	targets := f.targets()
	e := forecastErrors{off: make([]float64, len(targets)), repeating: make([]float64, len(targets))}
	outputs := f.Horizon * len(targets)
	err := j.Predict(windows, func(b *datasets.Batch, answers []float32) {
		each, columns := len(answers)/b.Size, f.series.Columns
		for i := range b.Size {
			want := b.Targets[i*outputs:][:outputs]
			got := answers[(i+1)*each-outputs:] // where the model answers at every step, the last counts
			last := b.Inputs[((i+1)*b.Time-1)*columns:]
			for k, w := range want {
				t := k % len(targets)
				e.off[t] += square(float64(got[k]) - float64(w))
				e.repeating[t] += square(float64(w) - float64(last[targets[t]]))
				if w < got[k] {
					e.below++
				}
			}
		}
	})
	for t := range targets {
		e.off[t] = math.Sqrt(e.off[t] / float64(windows.Len()*f.Horizon))
		e.repeating[t] = math.Sqrt(e.repeating[t] / float64(windows.Len()*f.Horizon))
	}
	e.below /= float64(windows.Len() * outputs)
	return e, err
}

func square(x float64) float64 { return x * x }
