package reading

import (
	"cmp"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/inputs"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// open returns a model of testdata, which testdata/make.py makes.
func open(t *testing.T, name string) Source {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".onnx"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := onnxgraph.Unmarshal(data)
	if err != nil {
		t.Fatal(err)
	}
	list, err := inputs.Of(m, nil)
	if err != nil {
		t.Fatal(err)
	}
	runner, err := infer.OpenBytes(data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { runner.Close() })
	return Source{Graph: m, Inputs: list, Runner: runner}
}

func read(t *testing.T, name string, document any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
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

// classRows are the sequences of classes.json, and what is meant by the answers of
// each model: nothing where that is in doubt.
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

// TestClassifiers reads classifiers whose answers are computed in many ways: what
// is meant by them must come out, or the doubt be told.
func TestClassifiers(t *testing.T) {
	var rows classRows
	read(t, "classes.json", &rows)
	answers := map[string]Answers{
		"logit": Logits, "logits": Logits, "softmax": Probabilities, "sigmoid": Probabilities, "hard": Probabilities,
		"tanh": Probabilities, "noisy": Probabilities,
		"percent": Percent, "log": LogProbabilities, "argmax": Labels, "threshold": Labels,
		"steps": Probabilities, "channels": Probabilities, "label": Probabilities, "states": Probabilities,
	}
	topics := map[string]Topic{
		"steps_both_ways": AboutOutput, "two_heads": AboutOutput, "softmax_of_batch": AboutLayout,
		"logits_and_doubt": AboutOutput,
	}
	for name, model := range rows.Models {
		c, err := open(t, name).Classifier(t.Context(), Choice{})
		if model.Want == nil {
			topic := cmp.Or(topics[name], AboutAnswers)
			if !about(err, topic) {
				t.Errorf("%s: %v, %v, and not in doubt about %s", name, c, err, topic)
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
			for c.Answers == Labels && len(p) < len(model.Want[i]) {
				p = append(p, 0)
			}
			got[i] = p
		}
		kind, _, _ := strings.Cut(name, "_")
		want := answers[kind]
		if name == "sigmoid_percent" {
			want = Percent
		}
		if c.Answers != want || !near(flatten(got), flatten(model.Want), 1e-5) {
			t.Errorf("%s: %s\n%v, not\n%v", name, c, got, model.Want)
		}
	}
}

// TestChosen decides what is in doubt.
func TestChosen(t *testing.T) {
	var rows classRows
	read(t, "classes.json", &rows)
	for _, test := range []struct {
		name   string
		choice Choice
	}{
		{"tanh", Choice{Answers: Logits}},
		{"odds", Choice{Answers: Odds}},
		{"log_sigmoid", Choice{Answers: LogProbabilities}},
		{"sigmoids", Choice{Answers: Probabilities}},
		{"softmax_largest", Choice{Answers: Probabilities}},
		{"two_heads", Choice{Output: "n"}},
	} {
		s := open(t, test.name)
		c, err := s.Classifier(t.Context(), test.choice)
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
			y, err := s.Runner.Run(t.Context(), map[string]tensor.Tensor{"x": x})
			if err != nil {
				t.Fatal(err)
			}
			if want := meant(test.choice, y); !near(got[0], want, 1e-6) {
				t.Errorf("%s, row %d: %v, not %v", test.name, i, got[0], want)
			}
		}
	}
	for answers, name := range map[Answers]string{
		Probabilities: "logits", Percent: "logit", LogProbabilities: "odds", Odds: "logits", Labels: "logit",
	} {
		c, err := open(t, name).Classifier(t.Context(), Choice{Answers: answers})
		if err == nil {
			_, err = c.ClassifyBatch(t.Context(), rows.sequences())
		}
		if !about(err, AboutAnswers) {
			t.Errorf("%s as %s: %v", name, answers, err)
		}
	}
	if _, err := open(t, "softmax").Classifier(t.Context(), Choice{Labels: 4}); !about(err, AboutLabels) {
		t.Error(err)
	}
}

// meant is what the choice means by outputs of one sequence.
func meant(c Choice, outputs map[string]tensor.Tensor) []float64 {
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

// TestForecasters reads forecasters of one and of several columns, for one step and
// for several. Those of a horizon that is in doubt tell so until it is given.
func TestForecasters(t *testing.T) {
	var ahead struct {
		Series [][]float32
		Models map[string]struct {
			Columns, Window int
			Want            [][]float64
		}
	}
	read(t, "ahead.json", &ahead)
	doubtful := map[string]int{
		"horizon_flat": 5, "horizon_last": 5, "horizon_of_window": 6, "horizon_of_window_columns": 6,
		"horizon_of_columns": 3, "horizon_each_step": 4, "next_steps_both_ways": 1,
	}
	for name, model := range ahead.Models {
		var rows [][]float32
		for _, row := range ahead.Series {
			rows = append(rows, row[:model.Columns])
		}
		choice := Choice{Steps: model.Window}
		s := open(t, name)
		f, err := s.Forecaster(t.Context(), choice)
		if model.Want == nil {
			if err == nil {
				t.Errorf("%s: %s", name, f)
			}
			continue
		}
		if horizon, ok := doubtful[name]; ok {
			if !about(err, AboutHorizon) {
				t.Errorf("%s: %v, %v, and not in doubt", name, f, err)
			}
			choice.Horizon = horizon
			f, err = s.Forecaster(t.Context(), choice)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := f.Forecast(t.Context(), rows, f.Horizon)
		if err != nil || !near(flatten(got), flatten(model.Want), 1e-5) {
			t.Errorf("%s: %s\n%v (%v), not\n%v", name, f, got, err, model.Want)
		}
		checkWindows(t, name, f, rows)
	}
}

// TestHorizonOfColumns has as many values as columns, which are steps ahead where
// that is said.
func TestHorizonOfColumns(t *testing.T) {
	s := open(t, "columns_all")
	for horizon, want := range map[int][2]int{0: {1, 3}, 1: {1, 3}, 3: {3, 1}} {
		f, err := s.Forecaster(t.Context(), Choice{Steps: 6, Horizon: horizon})
		if err != nil || f.Horizon != want[0] || f.Width != want[1] {
			t.Errorf("horizon %d: %v (%v), not %v", horizon, f, err, want)
		}
	}
	if f, err := s.Forecaster(t.Context(), Choice{Steps: 6, Horizon: 2}); !about(err, AboutHorizon) {
		t.Errorf("horizon 2: %v, %v", f, err)
	}
	f, err := open(t, "horizon_flat").Forecaster(t.Context(), Choice{Steps: 6, Horizon: 1})
	if !about(err, AboutHorizon) || !strings.Contains(err.Error(), "nor steps ahead with a horizon of 1") {
		t.Errorf("several values and a horizon of 1: %v, %v", f, err)
	}
}

// checkWindows compares predictions from all windows with those from each alone,
// and steps beyond the horizon with those from the steps before.
func checkWindows(t *testing.T, name string, f *Forecaster, rows [][]float32) {
	t.Helper()
	all, err := f.Predict(t.Context(), rows)
	if err != nil || len(all) != len(rows)-f.Steps+f.Horizon {
		t.Errorf("%s: %d predictions: %v", name, len(all), err)
		return
	}
	for end := f.Steps; end <= len(rows); end++ {
		one, err := f.Forecast(t.Context(), rows[:end], 1)
		if err != nil || !near(one[0], all[end-f.Steps], 1e-6) {
			t.Errorf("%s, after %d rows: %v (%v), not %v", name, end, one, err, all[end-f.Steps])
		}
	}
	far, err := f.Forecast(t.Context(), rows, f.Horizon+1)
	if f.Width < f.Features {
		if err == nil {
			t.Errorf("%s: %d steps ahead without the other columns: %v", name, f.Horizon+1, far)
		}
		return
	}
	for _, row := range far[:f.Horizon] {
		var next []float32
		for _, v := range row {
			next = append(next, float32(v))
		}
		rows = append(rows[:len(rows):len(rows)], next)
	}
	last, err := f.Forecast(t.Context(), rows, 1)
	if err != nil || !near(far[f.Horizon], last[0], 1e-6) {
		t.Errorf("%s, %d steps ahead: %v (%v), not %v", name, f.Horizon+1, far[f.Horizon], err, last[0])
	}
}

// TestRefusesInputs has models of which nothing tells what reads the sequences.
func TestRefusesInputs(t *testing.T) {
	for _, test := range []struct {
		change func(*Source)
		choice Choice
		about  Topic
	}{
		{func(*Source) {}, Choice{Input: "z"}, AboutInput},
		{func(*Source) {}, Choice{Output: "z"}, AboutOutput},
		{func(s *Source) { s.Inputs = nil }, Choice{}, AboutInput},
		{func(s *Source) { s.Inputs = append(s.Inputs, s.Inputs[0]) }, Choice{}, AboutInput},
		{func(s *Source) {
			s.Inputs = append(s.Inputs, inputs.Input{Info: tensor.Info{Name: "rate"}})
		}, Choice{}, AboutValue},
		{func(s *Source) { s.Inputs[0].Layout = "bff" }, Choice{Input: "x"}, AboutLayout},
		{func(s *Source) { s.Inputs[0].Layout = "tbf" }, Choice{}, AboutOutput},
		{func(s *Source) { s.Inputs[0].Other = "bft" }, Choice{}, AboutLayout},
		{func(s *Source) { s.Inputs[0].Shape = []tensor.Dim{{Size: 1}, {Size: 4}, {Size: 2}} }, Choice{}, AboutNothing},
		{func(s *Source) { s.Inputs[0].Shape = []tensor.Dim{{Symbol: "b"}, {Size: 4}, {Symbol: "n"}} }, Choice{}, AboutNothing},
		{func(s *Source) { s.Inputs[0].Shape = []tensor.Dim{{Symbol: "b"}, {Size: 4}, {Size: 2}} }, Choice{Steps: 5}, AboutNothing},
	} {
		s := open(t, "logits")
		test.change(&s)
		if c, err := s.Classifier(t.Context(), test.choice); !about(err, test.about) {
			t.Errorf("%v, %v, and not in doubt about %s", c, err, test.about)
		}
	}
	s := open(t, "steps_both_ways")
	s.Inputs[0].Layout = "tbf"
	if c, err := s.Classifier(t.Context(), Choice{}); !about(err, AboutLayout) {
		t.Errorf("%v, %v: the batch is the time", c, err)
	}
	if f, err := open(t, "next_and_doubt").Forecaster(t.Context(), Choice{Steps: 6}); !about(err, AboutOutput) {
		t.Errorf("%v, %v: two outputs", f, err)
	}
	if f, err := open(t, "next").Forecaster(t.Context(), Choice{}); !about(err, AboutSteps) {
		t.Errorf("%v, %v", f, err)
	}
}
