package infer_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/models"
)

// fake is an engine whose models answer twice the last value of a window less
// the first, which continues any straight line.
type fake struct {
	meta    *models.Metadata
	damaged string // metadata that is not a document
	inputs  []tensor.Info
	outputs int  // values for each window, 1 if not set
	every   bool // answer at every step: the step's number, and at the last as always
	most    int  // values that a run may have, if not 0
}

func (f *fake) String() string                      { return "fake" }
func (f *fake) Open([]byte) (engine.Session, error) { return f, nil }
func (f *fake) Close() error                        { return nil }
func (f *fake) Outputs() []tensor.Info              { return []tensor.Info{{Name: "output"}} }

func (f *fake) Inputs() []tensor.Info {
	if f.inputs != nil {
		return f.inputs
	}
	return []tensor.Info{{Name: "input", Type: tensor.Float32, Shape: []tensor.Dim{{Symbol: "batch"}, {Symbol: "time"}, {Size: 1}}}}
}

func (f *fake) Metadata() map[string]string {
	if f.meta == nil && f.damaged == "" {
		return nil
	}
	if f.damaged != "" {
		return map[string]string{models.MetadataKey: f.damaged}
	}
	document, err := json.Marshal(f.meta)
	if err != nil {
		panic(err)
	}
	return map[string]string{models.MetadataKey: string(document)}
}

func (f *fake) Run(ctx context.Context, inputs map[string]tensor.Tensor, outputs ...string) (map[string]tensor.Tensor, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !slices.Equal(outputs, []string{"output"}) {
		return nil, errors.New("the outputs asked for are " + strings.Join(outputs, ", "))
	}
	in := inputs["input"]
	x := in.Data.([]float32)
	batch, time := in.Shape[0], in.Shape[1]
	if f.most > 0 && len(x) > f.most {
		return nil, errors.New("too many values")
	}
	var y []float32
	for b := range batch {
		window := x[b*time:][:time]
		for step := range time - 1 {
			if f.every {
				y = append(y, float32(step))
			}
		}
		for range max(f.outputs, 1) {
			y = append(y, 2*window[time-1]-window[time-2])
		}
	}
	shape := []int{batch, len(y) / batch}
	if f.every {
		shape = append(shape, 1)
	}
	return map[string]tensor.Tensor{"output": tensor.Of(y, shape...)}, nil
}

func forecaster(t *testing.T, f *fake) *infer.Forecaster {
	t.Helper()
	m, err := infer.OpenBytes(nil, infer.With(f))
	if err != nil {
		t.Fatal(err)
	}
	forecaster, err := infer.NewForecaster(m)
	if err != nil {
		t.Fatal(err)
	}
	return forecaster
}

func line(n int) []float64 {
	y := make([]float64, n)
	for i := range y {
		y[i] = float64(3 * i)
	}
	return y
}

func TestForecaster(t *testing.T) {
	meta := models.Forecaster("y", 5)
	f := forecaster(t, &fake{meta: &meta})
	if f.Window() != 5 {
		t.Errorf("the window is %d", f.Window())
	}
	for _, n := range []int{5, 6, 68, 69, 70, 300} { // batches are of 64 windows
		got, err := f.Predict(t.Context(), line(n))
		if err != nil {
			t.Fatal(err)
		}
		if want := line(n + 1)[5:]; !slices.Equal(got, want) {
			t.Errorf("%d values: predicted %v, not %v", n, got, want)
		}
		if got, err = f.Forecast(t.Context(), line(n), 12); err != nil {
			t.Fatal(err)
		}
		if want := line(n + 12)[n:]; !slices.Equal(got, want) {
			t.Errorf("%d values: forecast %v, not %v", n, got, want)
		}
	}
	if got, err := f.Forecast(t.Context(), line(5), 0); err != nil || len(got) != 0 {
		t.Errorf("no steps give %v, %v", got, err)
	}
}

// TestForecasterOfEveryStep takes the last answer of a model that answers at
// every step.
func TestForecasterOfEveryStep(t *testing.T) {
	meta := models.Forecaster("y", 5)
	meta.Spec.Readout = models.ReadAll
	f := forecaster(t, &fake{meta: &meta, every: true})
	got, err := f.Predict(t.Context(), line(80))
	if want := line(81)[5:]; err != nil || !slices.Equal(got, want) {
		t.Errorf("predicted %v (%v), not %v", got, err, want)
	}
	if _, err := forecaster(t, &fake{meta: &meta}).Predict(t.Context(), line(9)); err == nil || !strings.Contains(err.Error(), "not output \"output\" [batch, time, 1]") {
		t.Errorf("one answer a window: %v", err)
	}
}

func TestForecasterErrors(t *testing.T) {
	meta := models.Forecaster("y", 5)
	f := forecaster(t, &fake{meta: &meta})
	with := func(v float64) []float64 { y := line(9); y[7] = v; return y }
	for want, series := range map[string][]float64{
		"series is of length 4: it must be longer: the model needs at least its window of 5": line(4),
		"series is of length 0":                               nil,
		"series[7] is NaN: it must be finite as a float32":    with(math.NaN()),
		"series[7] is -Inf: it must be finite as a float32":   with(math.Inf(-1)),
		"series[7] is 1e+300: it must be finite as a float32": with(1e300),
	} {
		_, err := f.Predict(t.Context(), series)
		checkField(t, err, want)
		_, err = f.Forecast(t.Context(), series, 1)
		checkField(t, err, want)
	}
	_, err := f.Forecast(t.Context(), line(9), -1)
	checkField(t, err, "steps is -1: it must be 0 or more")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Predict(cancelled, line(9)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := forecaster(t, &fake{meta: &meta, outputs: 2}).Predict(t.Context(), line(9)); err == nil || !strings.Contains(err.Error(), "has the shape [5 2] for 5 sequences") {
		t.Errorf("two answers a window: %v", err)
	}
}

// checkField checks that err is a FieldError whose text contains want.
func checkField(t *testing.T, err error, want string) {
	t.Helper()
	var field *models.FieldError
	if !errors.As(err, &field) || !strings.Contains(err.Error(), want) {
		t.Errorf("the error is %v (%T), not a FieldError: %q", err, err, want)
	}
}

func TestRowsErrors(t *testing.T) {
	f := columnsForecaster(t, []string{"units", "price", "rain"}, "price", models.ReadLast, 2)
	rows := func(change func(rows [][]float64) [][]float64) [][]float64 {
		return change([][]float64{{1, 2, 3}, {1, 2, 3}, {1, 2, 3}, {1, 2, 3}, {1, 2, 3}})
	}
	for want, rows := range map[string][][]float64{
		"rows is of length 3: it must be longer: the model needs at least its window of 4": rows(func(r [][]float64) [][]float64 { return r[:3] }),
		"rows[4] is of length 2: it must be of length 3, a value for each column":          rows(func(r [][]float64) [][]float64 { r[4] = r[4][:2]; return r }),
		"rows[1][2] is NaN: it must be finite":                                             rows(func(r [][]float64) [][]float64 { r[1][2] = math.NaN(); return r }),
	} {
		_, err := f.PredictRows(t.Context(), rows)
		checkField(t, err, want)
		_, err = f.ForecastRows(t.Context(), rows, 1)
		checkField(t, err, want)
	}
	good := rows(func(r [][]float64) [][]float64 { return r })
	_, err := f.ForecastRows(t.Context(), good, 3)
	checkField(t, err, "steps is 3: it must be at most 2: the model takes 3 columns and predicts one")
}

// TestNilArguments gives nil where a program may have forgotten something.
func TestNilArguments(t *testing.T) {
	meta := models.Forecaster("y", 5)
	if _, err := infer.OpenBytes(nil, nil, infer.With(&fake{meta: &meta}), nil); err != nil {
		t.Errorf("nil options: %v", err)
	}
	_, forecaster := infer.NewForecaster(nil)
	_, classifier := infer.NewClassifier(nil)
	_, generator := infer.NewGenerator(nil)
	for _, err := range []error{forecaster, classifier, generator} {
		checkField(t, err, "m is nil: it must be a model that Open returned")
	}
}

func TestNewForecasterErrors(t *testing.T) {
	change := func(change func(*models.Metadata)) *fake {
		meta := models.Forecaster("y", 5)
		change(&meta)
		return &fake{meta: &meta}
	}
	unfit := change(func(*models.Metadata) {})
	unfit.inputs = []tensor.Info{{Name: "image", Type: tensor.Float32, Shape: []tensor.Dim{{Size: 1}, {Size: 3}}}}
	flat := change(func(*models.Metadata) {})
	flat.inputs = []tensor.Info{{Name: "input", Type: tensor.Int64, Shape: []tensor.Dim{{Symbol: "batch"}}}}
	for want, f := range map[string]*fake{
		"no rnnkit metadata": {},
		`task is "classify"`: change(func(m *models.Metadata) { m.Task = "classify" }),
		"windows of 0 steps": change(func(m *models.Metadata) { m.Window = 0 }),
		"answers 3":          change(func(m *models.Metadata) { m.Spec.Outputs, m.Horizon = 3, 0 }),
		"the model has the input image float32[1, 3]":       unfit,
		"the model has the input input int64[batch], where": flat,
	} {
		m, err := infer.OpenBytes(nil, infer.With(f))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := infer.NewForecaster(m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, not %q", err, want)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	newer := models.Forecaster("y", 5)
	newer.Format = models.MetadataFormat + 1
	invalid := models.Forecaster("y", 5)
	invalid.Spec.Hidden = 0
	for want, f := range map[string]*fake{
		"is damaged":         {damaged: "{"},
		"use a newer rnnkit": {meta: &newer},
		"Hidden is 0":        {meta: &invalid},
	} {
		if _, err := infer.OpenBytes(nil, infer.With(f)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, not %q", err, want)
		}
	}
	path := filepath.Join(t.TempDir(), "nowhere.onnx")
	if _, err := infer.Open(path); err == nil || !strings.Contains(err.Error(), "nowhere.onnx: "+syscall.ENOENT.Error()) {
		t.Errorf("the error is %v", err)
	}
}

func TestStepErrors(t *testing.T) {
	bidirectional := models.Forecaster("y", 5)
	bidirectional.Spec.Bidirectional = true
	stateless := models.Forecaster("y", 5)
	pooled := models.Forecaster("y", 5)
	pooled.Spec.Readout = models.ReadMean
	for want, f := range map[string]*fake{
		"no rnnkit metadata":         {},
		"bidirectional model cannot": {meta: &bidirectional},
		"its graph cannot be read":   {meta: &stateless},
		`readout "mean" cannot`:      {meta: &pooled},
	} {
		m, err := infer.OpenBytes(nil, infer.With(f))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Step(t.Context(), m.NewState(), []float32{1}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, not %q", err, want)
		}
	}
}

// sine returns the trained model of the examples.
func sine(t *testing.T) (*infer.Model, *infer.Forecaster) {
	t.Helper()
	m, err := infer.OpenBytes(sineModel)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	f, err := infer.NewForecaster(m)
	if err != nil {
		t.Fatal(err)
	}
	return m, f
}

// TestStepsMatchSequence feeds a trained model value by value.
func TestStepsMatchSequence(t *testing.T) {
	m, f := sine(t)
	series := line(50)
	for i := range series {
		series[i] = math.Sin(series[i])
	}
	want, err := f.Predict(t.Context(), series)
	if err != nil {
		t.Fatal(err)
	}
	s := m.NewState()
	var got []float32
	for _, y := range series {
		if got, err = m.Step(t.Context(), s, []float32{float32(y)}); err != nil {
			t.Fatal(err)
		}
	}
	if !(math.Abs(float64(got[0])-want[0]) <= 1e-6) {
		t.Errorf("steps give %g, the whole %g", got[0], want[0])
	}
	_, err = m.Step(t.Context(), s, []float32{1, 2})
	checkField(t, err, "x is of length 2: it must be a step of input float32[batch, time, 1]")
}

func TestModelIsSafeForConcurrentUse(t *testing.T) {
	_, f := sine(t)
	want, err := f.Predict(t.Context(), line(80))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				if got, err := f.Predict(t.Context(), line(80)); err != nil || !slices.Equal(got, want) {
					t.Errorf("beside others: %v, %v", got, err)
				}
			}
		})
	}
	wg.Wait()
}
