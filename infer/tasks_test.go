package infer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/models"
)

// nearly reports whether values differ by at most the tolerance, and are no NaN.
func nearly(got, want []float64, tolerance float64) bool {
	return slices.EqualFunc(got, want, func(a, b float64) bool { return math.Abs(a-b) <= tolerance })
}

// keras has the rows and the answers that make_keras.py wrote.
type keras struct {
	Rows          [][]float64
	Forecast      [][]float64
	Probabilities []float64
}

func readKeras(t *testing.T) (k keras) {
	t.Helper()
	data, err := os.ReadFile("testdata/foreign/keras.json")
	if err == nil {
		err = json.Unmarshal(data, &k)
	}
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (k keras) sequence() tensor.Tensor {
	var values []float32
	for _, row := range k.Rows {
		values = append(values, float32(row[0]), float32(row[1]))
	}
	return tensor.Of(values, len(k.Rows), 2)
}

func openFile(t *testing.T, path string, opts ...infer.Option) *infer.Model {
	t.Helper()
	m, err := infer.Open(path, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// TestKeras compares with the answers of Keras.
func TestKeras(t *testing.T) {
	want := readKeras(t)
	for _, e := range engines(t) {
		m := openFile(t, "testdata/foreign/keras_forecaster.onnx", infer.With(e))
		if err := m.Describe(t.Context(), infer.Description{Task: models.Forecast}); err != nil {
			t.Fatal(err)
		}
		f, err := infer.NewForecaster(m)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := f.ForecastRows(t.Context(), want.Rows, 3)
		if err != nil || f.Window() != 4 || !nearly(slices.Concat(rows...), slices.Concat(want.Forecast...), 1e-5) {
			t.Errorf("%s: %v (%v), not %v", e, rows, err, want.Forecast)
		}
		m = openFile(t, "testdata/foreign/keras_classifier.onnx", infer.With(e))
		known := infer.Description{Task: models.Classify, Labels: []string{"a", "b", "c"}, Window: 5}
		if err := m.Describe(t.Context(), known); err != nil || m.Description().Window != 0 {
			t.Fatalf("%v, a window of %d", err, m.Description().Window)
		}
		c, err := infer.NewClassifier(m)
		if err != nil {
			t.Fatal(err)
		}
		p, err := c.Classify(t.Context(), want.sequence())
		if err != nil || !nearly(p, want.Probabilities, 1e-5) {
			t.Errorf("%s: %v (%v), not %v", e, p, err, want.Probabilities)
		}
	}
}

// runs is an engine that counts the runs of its sessions.
type runs struct {
	engine.Engine
	count int
}

type countedRuns struct {
	engine.Session
	count *int
}

func (r *runs) Open(data []byte) (engine.Session, error) {
	s, err := r.Engine.Open(data)
	return countedRuns{s, &r.count}, err
}

func (s countedRuns) Run(ctx context.Context, inputs map[string]tensor.Tensor, outputs ...string) (map[string]tensor.Tensor, error) {
	*s.count++
	return s.Session.Run(ctx, inputs, outputs...)
}

// TestWholeDescription gives all that there is to know, so that nothing is tried.
func TestWholeDescription(t *testing.T) {
	want := readKeras(t)
	e := &runs{Engine: native.New()}
	m := openFile(t, "testdata/foreign/keras_forecaster.onnx", infer.With(e))
	known := infer.Description{Task: models.Forecast, OutputLayout: "bhf", Width: 2, Horizon: 3}
	if err := m.Describe(t.Context(), known); err != nil || e.count != 0 {
		t.Fatalf("%v, after %d runs", err, e.count)
	}
	f, err := infer.NewForecaster(m)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := f.ForecastRows(t.Context(), want.Rows, 3)
	if err != nil || !nearly(slices.Concat(rows...), slices.Concat(want.Forecast...), 1e-5) {
		t.Errorf("%v (%v), not %v", rows, err, want.Forecast)
	}
	m = openFile(t, "testdata/foreign/keras_classifier.onnx")
	known = infer.Description{Task: models.Classify, OutputLayout: "bf", Answers: infer.Probabilities, Labels: []string{"a", "b", "c"}}
	if err := m.Describe(t.Context(), known); err != nil {
		t.Fatal(err)
	}
	c, err := infer.NewClassifier(m)
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Classify(t.Context(), want.sequence())
	if err != nil || !nearly(p, want.Probabilities, 1e-5) {
		t.Errorf("%v (%v), not %v", p, err, want.Probabilities)
	}
}

// TestDescribeErrors names the field that cannot be used.
func TestDescribeErrors(t *testing.T) {
	m := openFile(t, "testdata/foreign/keras_forecaster.onnx")
	for field, known := range map[string]infer.Description{
		"Task":         {},
		"Window":       {Task: models.Forecast, Window: -1},
		"Horizon":      {Task: models.Forecast, Horizon: -1},
		"Answers":      {Task: models.Classify, Answers: "guesses"},
		"Labels[1]":    {Task: models.Classify, Labels: []string{"a", "a"}},
		"OutputLayout": {Task: models.Forecast, OutputLayout: "ff"},
		"Input":        {Task: models.Forecast, Input: "z"},
		"Output":       {Task: models.Forecast, Output: "z"},
		"Columns":      {Task: models.Forecast, Columns: []string{"a"}},
		"Target":       {Task: models.Forecast, Columns: []string{"a", "b"}, Target: "c"},
	} {
		var e *models.FieldError
		if err := m.Describe(t.Context(), known); !errors.As(err, &e) || e.Field != field {
			t.Errorf("%s: the error is %v", field, err)
		}
	}
	if m.Description() != nil {
		t.Errorf("after errors the description is %v", m.Description())
	}
	ours := untrained(t, floatSpec)
	if err := ours.Describe(t.Context(), infer.Description{Task: models.Forecast}); err == nil {
		t.Error("a model with metadata was described")
	}
}

// TestTaskErrors asks models for what they do not do.
func TestTaskErrors(t *testing.T) {
	_, f := sine(t)
	foreign := openFile(t, "testdata/foreign/keras_classifier.onnx")
	_, classify := infer.NewClassifier(f.Model())
	_, generate := infer.NewGenerator(f.Model())
	_, unknown := infer.NewForecaster(foreign)
	for _, test := range []struct {
		err        error
		task, want models.Task
	}{{classify, models.Forecast, models.Classify}, {generate, models.Forecast, models.Generate}, {unknown, "", models.Forecast}} {
		var e *infer.TaskError
		if !errors.As(test.err, &e) || e.Task != test.task || e.Want != test.want {
			t.Errorf("the error is %v", test.err)
		}
	}
}

// TestForecasterOfColumns compares forecasts of several columns and steps with what the
// model answers to the last window.
func TestForecasterOfColumns(t *testing.T) {
	columns := []string{"units", "price", "rain"}
	var rows [][]float64
	var last []float32
	for i := range 9 {
		row := []float64{math.Sin(float64(i)), float64(i) / 9, float64(i % 2)}
		rows = append(rows, row)
		if i >= 5 {
			last = append(last, float32(row[0]), float32(row[1]), float32(row[2]))
		}
	}
	for _, target := range []string{"", "price"} {
		for _, readout := range []models.Readout{models.ReadLast, models.ReadAll} {
			for _, horizon := range []int{1, 5} {
				name := fmt.Sprintf("target %q, readout %s, horizon %d", target, readout, horizon)
				f := columnsForecaster(t, columns, target, readout, horizon)
				results, err := f.Model().Run(t.Context(), map[string]tensor.Tensor{"input": tensor.Of(last, 1, 4, 3)}, "output")
				if err != nil {
					t.Fatal(err)
				}
				y := results["output"].Data.([]float32)
				width := 3
				if target != "" {
					width = 1
				}
				var want []float64
				for _, v := range y[len(y)-width*horizon:] {
					want = append(want, float64(v))
				}
				got, err := f.ForecastRows(t.Context(), rows, horizon)
				if err != nil || len(got) != horizon || len(got[0]) != width || !nearly(slices.Concat(got...), want, 1e-6) {
					t.Errorf("%s: %v (%v), not %v", name, got, err, want)
				}
				predicted, err := f.PredictRows(t.Context(), rows)
				if err != nil || len(predicted) != 9-4+horizon || !nearly(slices.Concat(predicted[5:]...), want, 1e-6) {
					t.Errorf("%s: predicted %v (%v), not %v at the end", name, predicted, err, want)
				}
				far, err := f.ForecastRows(t.Context(), rows, horizon+1)
				if target != "" && err == nil {
					t.Errorf("%s: one more step without the other columns: %v", name, far)
				}
				if target == "" && (err != nil || len(far) != horizon+1) {
					t.Errorf("%s: one more step: %v (%v)", name, far, err)
				}
				if _, err := f.Forecast(t.Context(), make([]float64, 9), 1); err == nil {
					t.Errorf("%s: took a series for rows", name)
				}
				if _, err := f.PredictRows(t.Context(), append(rows[:8:8], []float64{1})); err == nil {
					t.Errorf("%s: took a short row", name)
				}
			}
		}
	}
}

// columnsForecaster returns an untrained forecaster with windows of 4 rows.
func columnsForecaster(t *testing.T, columns []string, target string, readout models.Readout, horizon int) *infer.Forecaster {
	t.Helper()
	meta := models.Forecaster("", 4)
	meta.Columns, meta.Target, meta.Horizon = columns, target, horizon
	meta.Spec.Features, meta.Spec.Readout = len(columns), readout
	meta.Spec.Outputs = horizon * meta.Targets()
	m, err := models.New(meta, 1)
	if err != nil {
		t.Fatal(err)
	}
	data, err := export.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	f, err := infer.NewForecaster(open(t, data, native.New()))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestForeignGenerator describes the model of the rhyme, of which all names and the
// metadata are gone.
func TestForeignGenerator(t *testing.T) {
	opts := infer.GenerateOptions{Length: 40}
	want := generate(t, trained(t), "Twinkle", opts)
	vocabulary := trained(t).Model().Metadata().Vocabulary
	m := open(t, anonymous(t, rhymeModel, otherNames), native.New())
	var open *infer.AmbiguousError
	if err := m.Describe(t.Context(), infer.Description{Task: models.Generate}); !errors.As(err, &open) || open.Field != "Vocabulary" {
		t.Errorf("without a vocabulary the error is %v", err)
	}
	if err := m.Describe(t.Context(), infer.Description{Task: models.Generate, Vocabulary: vocabulary}); err != nil {
		t.Fatal(err)
	}
	g, err := infer.NewGenerator(m)
	if err != nil {
		t.Fatal(err)
	}
	if got := generate(t, g, "Twinkle", opts); got != want {
		t.Errorf("generated %q, not %q", got, want)
	}
}

// TestLiveForecaster swaps forecasters, of which the model of the first is closed.
func TestLiveForecaster(t *testing.T) {
	_, first := sine(t)
	_, second := sine(t)
	live := infer.NewLive(first)
	series := make([]float64, first.Window())
	use := func(want *infer.Forecaster) {
		t.Helper()
		err := live.Use(func(f *infer.Forecaster) error {
			if f != want {
				t.Error("another forecaster is current")
			}
			_, err := f.Forecast(t.Context(), series, 1)
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	use(first)
	if err := live.Swap(nil); err == nil {
		t.Error("swapped to nil")
	}
	if err := live.Swap(second); err != nil {
		t.Fatal(err)
	}
	use(second)
	if _, err := first.Forecast(t.Context(), series, 1); !errors.Is(err, infer.ErrClosed) {
		t.Errorf("the model before is not closed: %v", err)
	}
	if err := live.Close(); err != nil {
		t.Error(err)
	}
}
