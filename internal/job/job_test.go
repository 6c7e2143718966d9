package job

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/orttest"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

func Example() {
	terms := Echo.Terms(Best, models.GRU)
	terms.Window, terms.Samples, terms.TestSamples, terms.Fit.Epochs = 5, 200, 50, 20
	j, err := Echo.New(terms)
	if err != nil {
		fmt.Println(err)
		return
	}
	history, err := trainer.Fit(context.Background(), j.Model, j.Train, j.Test, j.Fit)
	if err != nil {
		fmt.Println(err)
		return
	}
	j.Trained(history)
	fmt.Println(j.Summary())
	// Output: accuracy 1.0000 on 50 sequences, where always "1" is right for 0.5400 <nil>
}

var presets = []Preset{Chars, Sine, Echo, Palindrome}

// TestNotebook holds the recipe to the notebook's numbers.
func TestNotebook(t *testing.T) {
	for _, test := range []struct {
		preset      Preset
		params      int // as PyTorch counts them
		rate        float64
		batch       int
		epochs      int
		train, test int
	}{
		{Chars, 27998, 1e-3, 32, 20, 73, 0},
		{Sine, 4513, 1e-3, 32, 15, 760, 190},
		{Echo, 1233, 1e-2, 64, 20, 2000, 500},
		{Palindrome, 513, 1e-2, 64, 15, 3000, 1000},
	} {
		terms := test.preset.Terms(Notebook, "")
		j, err := test.preset.New(terms)
		if err != nil {
			t.Fatal(err)
		}
		f := j.Fit
		if len(j.Model.Params.Data) != test.params || f.LearningRate != test.rate || f.Batch != test.batch || f.Epochs != test.epochs ||
			j.Train.Len() != test.train || j.Test.Len() != test.test {
			t.Errorf("%s: %d parameters, %d and %d examples, %+v", test.preset.Name, len(j.Model.Params.Data), j.Train.Len(), j.Test.Len(), f)
		}
		if f.ClipNorm != 0 || f.Optimizer != (trainer.Optimizer{Method: trainer.Adam}) || f.Schedule.Shape != trainer.Constant || terms.Init != "default" || j.Model.InputScale != nil {
			t.Errorf("%s: %+v", test.preset.Name, j)
		}
	}
}

// TestBestIsTheSameModel: data and sizes are those of the notebook.
func TestBestIsTheSameModel(t *testing.T) {
	for _, p := range presets {
		for _, cell := range []models.Cell{"", models.RNN, models.GRU} {
			a, b := p.Terms(Notebook, cell), p.Terms(Best, cell)
			a.Spec.Readout = b.Spec.Readout
			if a.Spec != b.Spec || a.Window != b.Window || a.Samples != b.Samples || a.TestSamples != b.TestSamples || a.Noise != b.Noise || cell != "" && b.Spec.Cell != cell {
				t.Errorf("%s: %+v and %+v", p.Name, a, b)
			}
			if err := b.Validate(); err != nil {
				t.Errorf("%s %s: %v", p.Name, cell, err)
			}
		}
	}
}

// TestExportsAgree trains every kind of job for an epoch and compares its
// exported file with the trainer on every engine that is here.
func TestExportsAgree(t *testing.T) {
	engines := orttest.Engines(t, native.New())
	jobs := ownJobs(t)
	for _, p := range presets {
		for _, recipe := range []string{Notebook, Best} {
			terms := p.Terms(recipe, "")
			terms.Spec.Bidirectional = p.Name == Palindrome.Name
			j, err := p.New(terms)
			if err != nil {
				t.Fatal(err)
			}
			jobs = append(jobs, j)
		}
	}
	for _, j := range jobs {
		j.Fit.Epochs = 1
		if _, err := trainer.Fit(t.Context(), j.Model, first{j.Train, min(100, j.Train.Len())}, first{}, j.Fit); err != nil {
			t.Fatal(err)
		}
		data, err := export.Marshal(j.Model)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range engines {
			m, err := infer.OpenBytes(data, infer.With(e))
			if err != nil {
				t.Fatal(err)
			}
			c, err := j.Compare(t.Context(), data, m)
			if err != nil || c.Beyond != nil || c.Examples < 2 || !(c.Largest <= 1e-5) {
				t.Errorf("%s on %s: %+v, %v", j.Name, e, c, err)
			}
			j.Model.Params.Data[0] += 1
			j.Model.Params.Head.B[0] += 1
			if _, err := j.Compare(t.Context(), data, m); err == nil || !strings.HasPrefix(err.Error(), "in float64 output") {
				t.Errorf("%s on %s: another model: %v", j.Name, e, err)
			}
			j.Model.Params.Data[0] -= 1
			j.Model.Params.Head.B[0] -= 1
			m.Close()
		}
	}
}

// skewed is the native engine, off by a number.
type skewed struct {
	engine.Engine
	by float32
}

func (e skewed) Open(model []byte) (engine.Session, error) {
	s, err := e.Engine.Open(model)
	return skewedSession{s, e.by}, err
}

type skewedSession struct {
	engine.Session
	by float32
}

func (s skewedSession) Run(ctx context.Context, inputs map[string]tensor.Tensor, outputs ...string) (map[string]tensor.Tensor, error) {
	results, err := s.Session.Run(ctx, inputs, outputs...)
	if err == nil {
		data := results["output"].Data.([]float32)
		data[len(data)-1] += s.by
	}
	return results, err
}

// TestCompareTellsRoundingFromFaults compares engines that are off by more and more.
func TestCompareTellsRoundingFromFaults(t *testing.T) {
	j, err := Echo.New(Echo.Terms(Best, ""))
	if err != nil {
		t.Fatal(err)
	}
	data, err := export.Marshal(j.Model)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		by            float64
		beyond, fault bool
	}{{0, false, false}, {5e-6, false, false}, {2e-5, true, false}, {1e-3, true, false}, {0.1, false, true}, {math.NaN(), false, true}} {
		m, err := infer.OpenBytes(data, infer.With(skewed{native.New(), float32(test.by)}))
		if err != nil {
			t.Fatal(err)
		}
		c, err := j.Compare(t.Context(), data, m)
		if err == nil && (c.Beyond != nil) != test.beyond || (err != nil) != test.fault {
			t.Errorf("off by %g: %+v, %v", test.by, c, err)
		}
		m.Close()
	}
}

// first are the first examples of a Source.
type first struct {
	datasets.Source
	n int
}

func (f first) Len() int { return f.n }

// ownJobs are jobs over a person's own data.
func ownJobs(t *testing.T) (jobs []*Job) {
	t.Helper()
	add := func(j *Job, err error) {
		if err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, j)
	}
	text := TextTerms()
	text.Window, text.Stride = 5, 1
	add(Text(text, "own text", strings.Repeat("Falsches Üben von Xylophonmusik quält jeden größeren Zwerg. ", 3)))
	three := &datasets.Sequences{Features: 1}
	for i := range 200 {
		three.Inputs = append(three.Inputs, make([]float32, 1+i%4))
		three.Inputs[i][0] = float32(1000 * (i % 3))
		three.Labels = append(three.Labels, int64(i%3))
	}
	add(Classify(ClassifyTerms(), "three classes", three, []string{"a", "b", "c"}))
	add(Classify(ClassifyTerms(), "two classes", datasets.Echo(200, 6, 1), []string{"a", "b"}))
	series := ForecastTerms()
	series.TBPTT, series.Fit.Batch = 7, 4
	values := make([]float64, 300)
	for i := range values {
		values[i] = 1e4 + 100*math.Sin(float64(i)/5)
	}
	add(Forecast(series, "own series", "sales", values))
	return jobs
}

// TestClassifyScales fits the scale on what trains.
func TestClassifyScales(t *testing.T) {
	jobs := ownJobs(t)
	three := jobs[1]
	if three.Loss != "cross-entropy" || three.Model.Spec.Outputs != 3 || three.Model.InputScale == nil || three.Model.Window != 4 {
		t.Errorf("%+v", three.Model.Metadata)
	}
	if two := jobs[2]; two.Loss != "bce" || two.Model.Spec.Outputs != 1 || !slices.Equal(two.Model.Labels, []string{"a", "b"}) {
		t.Errorf("%+v", two.Model.Metadata)
	}
}

// TestForecastTellsValuesApart refuses a series that float32 makes steps of, and
// no other.
func TestForecastTellsValuesApart(t *testing.T) {
	for _, test := range []struct {
		value func(i float64) float64
		want  string
	}{
		{func(i float64) float64 { return 331900000 + math.Round(12*math.Sin(i/5)) },
			"the values, from 331899988 to 331900012, lie too close together for float32, which rounds them by up to 12: subtract"},
		{func(i float64) float64 { return 1e5 + 0.1*math.Sin(i/5) }, "rounds them by up to 0.00"}, // by 2% of 0.2
		{func(i float64) float64 { return 1e5 + 2*math.Sin(i/5) }, ""},                            // by 0.1%
		{func(i float64) float64 { return 331900000 + 32*math.Mod(i, 7) }, ""},                    // float32 has all of them
		{func(i float64) float64 { return 0.1 }, ""},
	} {
		series := make([]float64, 600)
		for i := range series {
			series[i] = test.value(float64(i))
		}
		if _, err := Forecast(ForecastTerms(), "pop.csv", "n", series); !strings.Contains(fmt.Sprint(err), test.want) || (err == nil) != (test.want == "") {
			t.Errorf("values such as %v: the error is %v, not %q", series[1], err, test.want)
		}
	}
}

func TestTrained(t *testing.T) {
	j := &Job{Name: "x", Model: &models.Model{}, Train: datasets.Echo(100, 2, 1)}
	history := []trainer.Epoch{{Epoch: 1, Examples: 100, TestLoss: 1}, {Epoch: 2, Examples: 100, TestLoss: 2, TestAccuracy: 0.5}}
	if j.Trained(history); j.Model.Training.Epochs != 2 || j.Model.Training.TestLoss != 2 || j.Model.Training.TestAccuracy != 0.5 {
		t.Errorf("%+v", j.Model.Training)
	}
	history[1].Examples = 64 // interrupted
	if j.Trained(history); j.Model.Training.Epochs != 1 || j.Model.Training.TestLoss != 2 {
		t.Errorf("%+v", j.Model.Training)
	}
	j.Fit.Patience = 3
	if j.Trained(history); j.Model.Training.TestLoss != 1 {
		t.Errorf("%+v", j.Model.Training)
	}
}

// TestWhatChoosesDoesNotTest halves what is held out, for every kind of job, where
// Patience or the plateau look at it, and not otherwise.
func TestWhatChoosesDoesNotTest(t *testing.T) {
	series := make([]float64, 121)
	for i := range series {
		series[i] = float64(i)
	}
	sequences := datasets.Echo(43, 6, 1)
	kinds := map[string]struct {
		terms Terms
		make  func(Terms) (*Job, error)
	}{
		"forecast": {ForecastTerms(), func(t Terms) (*Job, error) { t.Window = 10; return Forecast(t, "", "y", series) }},
		"streams": {ForecastTerms(), func(t Terms) (*Job, error) {
			t.Window, t.TBPTT, t.Fit.Batch = 4, 3, 2
			return Forecast(t, "", "y", series)
		}},
		"classify": {ClassifyTerms(), func(t Terms) (*Job, error) { return Classify(t, "", sequences, EchoLabels) }},
		"text":     {TextTerms(), func(t Terms) (*Job, error) { t.Window, t.Stride = 4, 1; return Text(t, "", strings.Repeat("abcd", 60)) }},
		"puzzle":   {Echo.Terms(Best, ""), func(t Terms) (*Job, error) { t.Samples, t.TestSamples = 20, 10; return Echo.New(t) }},
	}
	for name, kind := range kinds {
		plain, err := kind.make(kind.terms)
		if err != nil {
			t.Fatal(name, err)
		}
		if plain.Fit.Validation != nil {
			t.Errorf("%s: examples to choose by, and nothing chooses", name)
		}
		plateau := kind.terms
		plateau.Fit.Schedule.Shape = trainer.Plateau
		patient := kind.terms
		patient.Fit.Patience = 2
		for _, terms := range []Terms{plateau, patient} {
			j, err := kind.make(terms)
			if err != nil {
				t.Fatal(name, err)
			}
			validation := examplesOf(t, j.Fit.Validation)
			test := examplesOf(t, j.Test)
			if n := len(examplesOf(t, plain.Test)); !(len(validation) > 0 && len(test) > 0 && (len(validation)+len(test) <= n || name == "streams")) || j.Train.Len() != plain.Train.Len() {
				t.Errorf("%s: %d to choose by and %d test, of %d", name, len(validation), len(test), n)
			}
			if name == "forecast" && validation[len(validation)-1] == test[0] {
				t.Errorf("%s: %s chooses and tests", name, test[0])
			}
			if j.Model.Training != nil || j.digest != plain.digest {
				t.Errorf("%s: the digest of the data depends on what chooses", name)
			}
		}
	}
	few := ClassifyTerms()
	few.Fit.Patience = 1
	if _, err := Classify(few, "", sequences.Range(0, 5), EchoLabels); err == nil || !strings.Contains(err.Error(), "half of what is held out is to choose by") {
		t.Errorf("one held out: %v", err)
	}
}

// examplesOf lists the examples of a source in words.
func examplesOf(t *testing.T, source datasets.Source) (list []string) {
	t.Helper()
	for i := range source.Len() {
		var b datasets.Batch
		if err := source.Read(&b, []int{i}); err != nil {
			t.Fatal(err)
		}
		list = append(list, fmt.Sprint(b))
	}
	return list
}

// TestTrainedIsChosenByValidation reports the test loss of the epoch that another
// loss chose.
func TestTrainedIsChosenByValidation(t *testing.T) {
	j := &Job{Name: "x", Model: &models.Model{}, Train: datasets.Echo(100, 2, 1)}
	j.Fit.Patience, j.Fit.Validation = 3, datasets.Echo(10, 2, 1)
	j.Trained([]trainer.Epoch{
		{Epoch: 1, Examples: 100, ValidationLoss: 3, TestLoss: 1}, {Epoch: 2, Examples: 100, ValidationLoss: 2, TestLoss: 5}, {Epoch: 3, Examples: 100, ValidationLoss: 4, TestLoss: 2},
	})
	if j.Model.Training.TestLoss != 5 {
		t.Errorf("%+v", j.Model.Training)
	}
}

func TestErrors(t *testing.T) {
	for want, change := range map[string]func(*Terms){
		"Cell":                                  func(t *Terms) { t.Spec.Cell = "x" },
		"Init is \"glorot\"":                    func(t *Terms) { t.Init = "glorot" },
		"lstm or gru for chrono initialisation": func(t *Terms) { t.Init = "default, chrono" },
		"unknown loss \"hinge\"":                func(t *Terms) { t.Loss = "hinge" },
		"cross-entropy needs an output for each class": func(t *Terms) { t.Loss = "cross-entropy" },
		"Carry is true":     func(t *Terms) { t.TBPTT, t.Spec.Bidirectional = 2, true },
		"LearningRate":      func(t *Terms) { t.Fit.LearningRate = -1 },
		"State is \"both\"": func(t *Terms) { t.State = "both" },
	} {
		terms := Palindrome.Terms(Best, "")
		change(&terms)
		if err := terms.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, not %q", err, want)
		}
	}
	terms := Palindrome.Terms(Best, "")
	terms.Samples = 0
	if _, err := Palindrome.New(terms); err == nil || !strings.Contains(err.Error(), "use at least 1 of each") {
		t.Errorf("the error is %v", err)
	}
}
