package infer

import (
	"cmp"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/inputs"
	"github.com/rnnkit/rnnkit/models"
)

// openForeign returns a model of testdata/foreign, which make.py there makes.
func openForeign(t *testing.T, name string) *Model {
	t.Helper()
	m, err := Open(filepath.Join("testdata/foreign", name+".onnx"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// foreignClassifier describes a model as a classifier.
func foreignClassifier(t *testing.T, name string, known Description) (*Classifier, error) {
	t.Helper()
	m := openForeign(t, name)
	known.Task = models.Classify
	if err := m.Describe(t.Context(), known); err != nil {
		return nil, err
	}
	return NewClassifier(m)
}

// foreignForecaster describes a model as a forecaster.
func foreignForecaster(t *testing.T, name string, known Description) (*Forecaster, error) {
	t.Helper()
	m := openForeign(t, name)
	known.Task = models.Forecast
	if err := m.Describe(t.Context(), known); err != nil {
		return nil, err
	}
	return NewForecaster(m)
}

// wrongField reports whether err is about that field: one that is open, or that cannot be
// used.
func wrongField(err error, field string) bool {
	var e *models.FieldError
	return isAmbiguous(err, field) || errors.As(err, &e) && e.Field == field
}

func readJSON(t *testing.T, name string, document any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata/foreign", name))
	if err == nil {
		err = json.Unmarshal(data, document)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func flatten(rows [][]float64) (all []float64) {
	for _, row := range rows {
		all = append(all, row...)
	}
	return all
}

func near(a, b []float64, tolerance float64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !(math.Abs(a[i]-b[i]) <= tolerance) {
			return false
		}
	}
	return true
}

// classRows has the sequences of classes.json, and for each model the probabilities that
// its answers mean: none where that is ambiguous.
type classRows struct {
	Rows   [][][]float32
	Models map[string]struct{ Want [][]float64 }
}

func (c classRows) sequences() (list []tensor.Tensor) {
	for _, row := range c.Rows {
		var data []float32
		for _, step := range row {
			data = append(data, step...)
		}
		list = append(list, tensor.Of(data, len(row), len(row[0])))
	}
	return list
}

// TestClassifiers has classifiers that compute their answers in many ways. The result
// must be what they mean, or an AmbiguousError.
func TestClassifiers(t *testing.T) {
	var rows classRows
	readJSON(t, "classes.json", &rows)
	answers := map[string]Answers{
		"logit": Logits, "logits": Logits, "softmax": Probabilities, "sigmoid": Probabilities, "hard": Probabilities,
		"tanh": Probabilities, "noisy": Probabilities,
		"percent": Percent, "log": LogProbabilities, "argmax": ClassNumbers, "threshold": ClassNumbers,
		"steps": Probabilities, "channels": Probabilities, "label": Probabilities, "states": Probabilities,
	}
	fields := map[string]string{
		"steps_both_ways": "Output", "two_heads": "Output", "softmax_of_batch": "Layouts", "logits_and_doubt": "Output",
	}
	for name, model := range rows.Models {
		c, err := foreignClassifier(t, name, Description{})
		if model.Want == nil {
			if field := cmp.Or(fields[name], "Answers"); !isAmbiguous(err, field) {
				t.Errorf("%s: %v, %v, and %s is not ambiguous", name, c, err, field)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := c.ClassifyBatch(t.Context(), rows.sequences())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i, p := range got {
			for c.runs.Answers == ClassNumbers && len(p) < len(model.Want[i]) {
				p = append(p, 0)
			}
			got[i] = p
		}
		kind, _, _ := strings.Cut(name, "_")
		want := answers[kind]
		if name == "sigmoid_percent" {
			want = Percent
		}
		if d := c.Model().Description(); d.Answers != want || !near(flatten(got), flatten(model.Want), 1e-5) {
			t.Errorf("%s: %s\n%v, not\n%v", name, d, got, model.Want)
		}
	}
}

// TestKnown gives what is ambiguous.
func TestKnown(t *testing.T) {
	var rows classRows
	readJSON(t, "classes.json", &rows)
	for _, test := range []struct {
		name  string
		known Description
	}{
		{"tanh", Description{Answers: Logits}},
		{"odds", Description{Answers: Odds}},
		{"log_sigmoid", Description{Answers: LogProbabilities}},
		{"sigmoids", Description{Answers: Probabilities}},
		{"softmax_largest", Description{Answers: Probabilities}},
		{"two_heads", Description{Output: "n"}},
	} {
		c, err := foreignClassifier(t, test.name, test.known)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		for i, x := range rows.sequences() {
			got, err := c.ClassifyBatch(t.Context(), []tensor.Tensor{x})
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
				break
			}
			x.Shape = append([]int{1}, x.Shape...)
			y, err := c.Model().Run(t.Context(), map[string]tensor.Tensor{"x": x})
			if err != nil {
				t.Fatal(err)
			}
			if want := meant(test.known, y); !near(got[0], want, 1e-6) {
				t.Errorf("%s, row %d: %v, not %v", test.name, i, got[0], want)
			}
		}
	}
	for answers, name := range map[Answers]string{
		Probabilities: "logits", Percent: "logit", LogProbabilities: "odds", Odds: "logits", ClassNumbers: "logit",
	} {
		c, err := foreignClassifier(t, name, Description{Answers: answers})
		if err == nil {
			_, err = c.ClassifyBatch(t.Context(), rows.sequences())
		}
		if !isAmbiguous(err, "Answers") {
			t.Errorf("%s as %s: %v", name, answers, err)
		}
	}
	if _, err := foreignClassifier(t, "softmax", Description{Labels: []string{"a", "b", "c", "d"}}); !isAmbiguous(err, "Labels") {
		t.Error(err)
	}
}

// meant returns the probabilities that the outputs for one sequence mean.
func meant(c Description, outputs map[string]tensor.Tensor) []float64 {
	y, _ := elements(outputs["y"])
	sum := 0.0
	var p []float64
	switch {
	case c.Output == "n":
		n, _ := elements(outputs["n"])
		for _, v := range n {
			p = append(p, math.Exp(v))
		}
	case c.Answers == Logits:
		p = []float64{1, math.Exp(y[0])}
	case c.Answers == LogProbabilities:
		return []float64{1 - math.Exp(y[0]), math.Exp(y[0])}
	case c.Answers == Probabilities && len(y) == 1:
		return []float64{1 - y[0], y[0]}
	case c.Answers == Probabilities:
		return y
	default:
		p = append(p, y...)
	}
	for _, v := range p {
		sum += v
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

// TestForecasters has forecasters of one and of several columns, for one step and for
// several. An ambiguous horizon is an error until it is given.
func TestForecasters(t *testing.T) {
	var ahead struct {
		Series [][]float64
		Models map[string]struct {
			Columns, Window int
			Want            [][]float64
		}
	}
	readJSON(t, "ahead.json", &ahead)
	horizons := map[string]int{
		"horizon_flat": 5, "horizon_last": 5, "horizon_of_window": 6, "horizon_of_window_columns": 6,
		"horizon_of_columns": 3, "horizon_each_step": 4, "next_steps_both_ways": 1,
	}
	for name, model := range ahead.Models {
		var rows [][]float64
		for _, row := range ahead.Series {
			rows = append(rows, row[:model.Columns])
		}
		known := Description{Window: model.Window}
		f, err := foreignForecaster(t, name, known)
		if model.Want == nil {
			if err == nil {
				t.Errorf("%s: %s", name, f.Model().Description())
			}
			continue
		}
		if horizon, ok := horizons[name]; ok {
			if !isAmbiguous(err, "Horizon") {
				t.Errorf("%s: %v, %v, and the horizon is not ambiguous", name, f, err)
			}
			known.Horizon = horizon
			f, err = foreignForecaster(t, name, known)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := f.ForecastRows(t.Context(), rows, f.Horizon())
		if err != nil || !near(flatten(got), flatten(model.Want), 1e-5) {
			t.Errorf("%s: %s\n%v (%v), not\n%v", name, f.Model().Description(), got, err, model.Want)
		}
		checkWindows(t, name, f, rows)
	}
}

// TestHorizonOfColumns has as many values as columns, which are steps ahead where
// that is said.
func TestHorizonOfColumns(t *testing.T) {
	for horizon, want := range map[int][2]int{0: {1, 3}, 1: {1, 3}, 3: {3, 1}} {
		f, err := foreignForecaster(t, "columns_all", Description{Window: 6, Horizon: horizon})
		if err != nil || f.Horizon() != want[0] || f.runs.Width != want[1] {
			t.Errorf("horizon %d: %v (%v), not %v", horizon, f, err, want)
		}
	}
	if f, err := foreignForecaster(t, "columns_all", Description{Window: 6, Horizon: 2}); !isAmbiguous(err, "Horizon") {
		t.Errorf("horizon 2: %v, %v", f, err)
	}
	f, err := foreignForecaster(t, "horizon_flat", Description{Window: 6, Horizon: 1})
	if !isAmbiguous(err, "Horizon") || !strings.Contains(err.Error(), "nor steps ahead with a horizon of 1") {
		t.Errorf("several values and a horizon of 1: %v, %v", f, err)
	}
}

// checkWindows compares predictions from all windows with those from each alone,
// and steps beyond the horizon with those from the steps before.
func checkWindows(t *testing.T, name string, f *Forecaster, rows [][]float64) {
	t.Helper()
	all, err := f.PredictRows(t.Context(), rows)
	if err != nil || len(all) != len(rows)-f.Window()+f.Horizon() {
		t.Errorf("%s: %d predictions: %v", name, len(all), err)
		return
	}
	for end := f.Window(); end <= len(rows); end++ {
		one, err := f.ForecastRows(t.Context(), rows[:end], 1)
		if err != nil || !near(one[0], all[end-f.Window()], 1e-6) {
			t.Errorf("%s, after %d rows: %v (%v), not %v", name, end, one, err, all[end-f.Window()])
		}
	}
	far, err := f.ForecastRows(t.Context(), rows, f.Horizon()+1)
	if f.runs.Width < f.runs.Features {
		if err == nil {
			t.Errorf("%s: %d steps ahead without the other columns: %v", name, f.Horizon()+1, far)
		}
		return
	}
	rows = append(rows[:len(rows):len(rows)], far[:f.Horizon()]...)
	last, err := f.ForecastRows(t.Context(), rows, 1)
	if err != nil || !near(far[f.Horizon()], last[0], 1e-6) {
		t.Errorf("%s, %d steps ahead: %v (%v), not %v", name, f.Horizon()+1, far[f.Horizon()], err, last[0])
	}
}

// TestInputErrors has models of which nothing tells which input takes the sequences, or
// how.
func TestInputErrors(t *testing.T) {
	for _, test := range []struct {
		change func(*subject)
		known  Description
		field  string
	}{
		{func(*subject) {}, Description{Input: "z"}, "Input"},
		{func(*subject) {}, Description{Output: "z"}, "Output"},
		{func(s *subject) { s.inputs = nil }, Description{}, "Input"},
		{func(s *subject) { s.inputs = append(s.inputs, s.inputs[0]) }, Description{}, "Input"},
		{func(s *subject) {
			s.inputs = append(s.inputs, inputs.Input{Info: tensor.Info{Name: "rate"}})
		}, Description{}, "Constants"},
		{func(s *subject) { s.inputs[0].Layout = "bff" }, Description{Input: "x"}, "Layouts"},
		{func(s *subject) { s.inputs[0].Layout = "tbf" }, Description{}, "Output"},
		{func(s *subject) { s.inputs[0].Other = "bft" }, Description{}, "Layouts"},
		{func(s *subject) { s.inputs[0].Shape = []tensor.Dim{{Size: 1}, {Size: 4}, {Size: 2}} }, Description{}, ""},
		{func(s *subject) { s.inputs[0].Shape = []tensor.Dim{{Symbol: "b"}, {Size: 4}, {Symbol: "n"}} }, Description{}, ""},
		{func(s *subject) { s.inputs[0].Shape = []tensor.Dim{{Symbol: "b"}, {Size: 4}, {Size: 2}} }, Description{Window: 5}, ""},
	} {
		s := subjectOf(t, "logits")
		test.change(s)
		test.known.Task = models.Classify
		if d, err := s.describe(t.Context(), test.known); !wrongField(err, test.field) {
			t.Errorf("%v, %v, and the error is not about %q", d, err, test.field)
		}
	}
	s := subjectOf(t, "steps_both_ways")
	s.inputs[0].Layout = "tbf"
	if d, err := s.describe(t.Context(), Description{Task: models.Classify}); !isAmbiguous(err, "Layouts") {
		t.Errorf("%v, %v: the batch is the time", d, err)
	}
	if f, err := foreignForecaster(t, "next_and_doubt", Description{Window: 6}); !isAmbiguous(err, "Output") {
		t.Errorf("%v, %v: two outputs", f, err)
	}
	if f, err := foreignForecaster(t, "next", Description{}); !isAmbiguous(err, "Window") {
		t.Errorf("%v, %v", f, err)
	}
}

func subjectOf(t *testing.T, name string) *subject {
	t.Helper()
	m := openForeign(t, name)
	list, err := inputs.Of(m.graph, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &subject{model: m, graph: m.graph, inputs: list}
}

// TestStringOfGenerator describes an output whose layout nobody asked for.
func TestStringOfGenerator(t *testing.T) {
	d := Description{Task: models.Generate, Input: "tokens", Layouts: map[string]string{"tokens": "bt"}, Output: "logits"}
	if got := d.String(); !strings.HasSuffix(got, `; output "logits"`) {
		t.Error(got)
	}
}
