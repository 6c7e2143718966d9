package rnnkit

import (
	"context"
	"errors"
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

// TestExportsAgree trains every kind of job for an epoch and compares its
// exported file with the trainer on every engine that is here.
func TestExportsAgree(t *testing.T) {
	engines := orttest.Engines(t, native.New())
	jobs := ownJobs(t)
	for _, j := range jobs {
		j.Fit.Epochs = 1
		if _, err := trainer.Fit(t.Context(), j.Model, first{j.TrainData, min(100, j.TrainData.Len())}, first{}, j.Fit); err != nil {
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
			if err != nil || c.Rounding != nil || c.Examples < 2 || !(c.Largest <= 1e-5) {
				t.Errorf("%s on %s: %+v, %v", j.DataName, e, c, err)
			}
			j.Model.Params.Data[0] += 1
			j.Model.Params.Head.B[0] += 1
			if _, err := j.Compare(t.Context(), data, m); err == nil || !strings.HasPrefix(err.Error(), "in float64 output") {
				t.Errorf("%s on %s: another model: %v", j.DataName, e, err)
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
	j, err := NewSequenceClassifier(datasets.Echo(200, 50, 1), nil, bits, DefaultClassifierOptions())
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
		if err == nil && (c.Rounding != nil) != test.beyond || (err != nil) != test.fault {
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
	text := DefaultGeneratorOptions()
	text.DataName, text.Window, text.Stride = "own text", 5, 1
	add(NewGenerator(strings.Repeat("Falsches Üben von Xylophonmusik quält jeden größeren Zwerg. ", 3), text))
	three := &datasets.Sequences{Features: 1}
	for i := range 200 {
		three.Inputs = append(three.Inputs, make([]float32, 1+i%4))
		three.Inputs[i][0] = float32(1000 * (i % 3))
		three.Labels = append(three.Labels, int64(i%3))
	}
	add(NewSequenceClassifier(three, nil, []string{"a", "b", "c"}, DefaultClassifierOptions()))
	add(NewSequenceClassifier(datasets.Echo(200, 6, 1), nil, []string{"a", "b"}, DefaultClassifierOptions()))
	series := DefaultStepForecasterOptions()
	series.TBPTT, series.Fit.Batch = 7, 4
	values := make([]float64, 300)
	for i := range values {
		values[i] = 1e4 + 100*math.Sin(float64(i)/5)
	}
	add(NewStepForecaster([]datasets.Column{{Name: "sales", Values: values}}, series))
	for _, target := range []string{"", "price"} {
		ahead := DefaultStepForecasterOptions()
		ahead.Window, ahead.Horizon, ahead.Target, ahead.StateInput = 12, 3, target, true
		add(NewStepForecaster(twoColumns(200), ahead))
	}
	series.Target = "units"
	add(NewStepForecaster(twoColumns(300), series))
	return jobs
}

// TestClassifyScales fits the scale on what trains.
func TestClassifyScales(t *testing.T) {
	jobs := ownJobs(t)
	three := jobs[1]
	if three.Fit.Loss.Name() != "cross-entropy" || three.Model.Spec.Outputs != 3 || three.Model.InputScale == nil || three.Model.Window != 4 {
		t.Errorf("%+v", three.Model.Metadata)
	}
	if two := jobs[2]; two.Fit.Loss.Name() != "bce" || two.Model.Spec.Outputs != 1 || !slices.Equal(two.Model.Labels, []string{"a", "b"}) {
		t.Errorf("%+v", two.Model.Metadata)
	}
}

// TestSteps has an example of text, sequences, windows and streams.
func TestSteps(t *testing.T) {
	var steps []int
	for _, j := range ownJobs(t) {
		steps = append(steps, j.Steps)
	}
	if want := []int{5, 4, 6, 7, 12, 12, 7}; !slices.Equal(steps, want) {
		t.Errorf("the examples have %v steps, not %v", steps, want)
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
			"columns[0].Values is from 331899988 to 331900012: it must be further apart, since float32 rounds these values by up to 12: subtract"},
		{func(i float64) float64 { return 1e5 + 0.1*math.Sin(i/5) }, "rounds these values by up to 0.00"}, // by 2% of 0.2
		{func(i float64) float64 { return 1e5 + 2*math.Sin(i/5) }, ""},                                    // by 0.1%
		{func(i float64) float64 { return 331900000 + 32*math.Mod(i, 7) }, ""},                            // float32 has all of them
		{func(i float64) float64 { return 0.1 }, ""},
	} {
		series := make([]float64, 600)
		for i := range series {
			series[i] = test.value(float64(i))
		}
		_, err := NewStepForecaster([]datasets.Column{{Name: "n", Values: series}}, DefaultStepForecasterOptions())
		if field := (*models.FieldError)(nil); !strings.Contains(fmt.Sprint(err), test.want) || (err == nil) != (test.want == "") || err != nil && !errors.As(err, &field) {
			t.Errorf("values such as %v: the error is %v, not %q", series[1], err, test.want)
		}
	}
}

func TestTrained(t *testing.T) {
	j := &Job{
		Options: Options{DataName: "x", Fit: trainer.Options{Loss: trainer.MSE()}}, Model: &models.Model{},
		TrainData: datasets.Echo(100, 2, 1),
	}
	history := []trainer.Epoch{{Epoch: 1, Examples: 100, TestLoss: 1}, {Epoch: 2, Examples: 100, TestLoss: 2, TestAccuracy: 0.5}}
	if j.note(history); j.Model.Training.Epochs != 2 || j.Model.Training.TestLoss != 2 || j.Model.Training.TestAccuracy != 0.5 {
		t.Errorf("%+v", j.Model.Training)
	}
	history[1].Examples = 64 // interrupted
	if j.note(history); j.Model.Training.Epochs != 1 || j.Model.Training.TestLoss != 2 {
		t.Errorf("%+v", j.Model.Training)
	}
	j.Fit.Patience = 3
	if j.note(history); j.Model.Training.TestLoss != 1 {
		t.Errorf("%+v", j.Model.Training)
	}
}

// TestWhatValidatesDoesNotTest halves what is held out, for every kind of job, where
// Patience or the plateau look at it, and not otherwise.
func TestWhatValidatesDoesNotTest(t *testing.T) {
	series := make([]float64, 121)
	for i := range series {
		series[i] = float64(i)
	}
	sequences := datasets.Echo(43, 6, 1)
	kinds := map[string]func(change func(*trainer.Options)) (*Job, error){
		"forecast": func(change func(*trainer.Options)) (*Job, error) {
			o := DefaultStepForecasterOptions()
			o.Window = 10
			change(&o.Fit)
			return NewStepForecaster([]datasets.Column{{Name: "y", Values: series}}, o)
		},
		"streams": func(change func(*trainer.Options)) (*Job, error) {
			o := DefaultStepForecasterOptions()
			o.Window, o.TBPTT, o.Fit.Batch = 4, 3, 2
			change(&o.Fit)
			return NewStepForecaster([]datasets.Column{{Name: "y", Values: series}}, o)
		},
		"classify": func(change func(*trainer.Options)) (*Job, error) {
			o := DefaultClassifierOptions()
			change(&o.Fit)
			return NewSequenceClassifier(sequences, nil, bits, o)
		},
		"text": func(change func(*trainer.Options)) (*Job, error) {
			o := DefaultGeneratorOptions()
			o.Window, o.Stride = 4, 1
			change(&o.Fit)
			return NewGenerator(strings.Repeat("abcd", 60), o)
		},
	}
	plateau := func(o *trainer.Options) { o.Schedule.Shape = trainer.Plateau }
	patient := func(o *trainer.Options) { o.Patience = 2 }
	for name, kind := range kinds {
		plain, err := kind(func(*trainer.Options) {})
		if err != nil {
			t.Fatal(name, err)
		}
		if plain.Fit.Validation != nil {
			t.Errorf("%s: examples to validate, and nothing looks at them", name)
		}
		for _, change := range []func(*trainer.Options){plateau, patient} {
			j, err := kind(change)
			if err != nil {
				t.Fatal(name, err)
			}
			validation := examplesOf(t, j.Fit.Validation)
			test := examplesOf(t, j.TestData)
			if n := len(examplesOf(t, plain.TestData)); !(len(validation) > 0 && len(test) > 0 && (len(validation)+len(test) <= n || name == "streams")) || j.TrainData.Len() != plain.TrainData.Len() {
				t.Errorf("%s: %d validate and %d test, of %d", name, len(validation), len(test), n)
			}
			if name == "forecast" && validation[len(validation)-1] == test[0] {
				t.Errorf("%s: %s validates and tests", name, test[0])
			}
			if j.Model.Training != nil || j.digest != plain.digest {
				t.Errorf("%s: the digest of the data depends on what chooses", name)
			}
		}
	}
	few := DefaultClassifierOptions()
	few.Fit.Patience = 1
	if _, err := NewSequenceClassifier(sequences.Range(0, 5), nil, bits, few); err == nil || !strings.Contains(err.Error(), "half of it validates and half tests") {
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
	j := &Job{
		Options: Options{DataName: "x", Fit: trainer.Options{Loss: trainer.MSE()}}, Model: &models.Model{},
		TrainData: datasets.Echo(100, 2, 1),
	}
	j.Fit.Patience, j.Fit.Validation = 3, datasets.Echo(10, 2, 1)
	j.note([]trainer.Epoch{
		{Epoch: 1, Examples: 100, ValidationLoss: 3, TestLoss: 1},
		{Epoch: 2, Examples: 100, ValidationLoss: 2, TestLoss: 5},
		{Epoch: 3, Examples: 100, ValidationLoss: 4, TestLoss: 2},
	})
	if j.Model.Training.TestLoss != 5 {
		t.Errorf("%+v", j.Model.Training)
	}
}

// TestValidateNamesTheField refuses what no job of a task can have.
func TestValidateNamesTheField(t *testing.T) {
	forecast := func(change func(*StepForecasterOptions)) error {
		o := DefaultStepForecasterOptions()
		change(&o)
		return o.Validate()
	}
	classify := func(change func(*ClassifierOptions)) error {
		o := DefaultClassifierOptions()
		change(&o)
		return o.Validate()
	}
	generate := func(change func(*GeneratorOptions)) error {
		o := DefaultGeneratorOptions()
		change(&o)
		return o.Validate()
	}
	for _, err := range []error{forecast(func(*StepForecasterOptions) {}), classify(func(*ClassifierOptions) {}), generate(func(*GeneratorOptions) {})} {
		if err != nil {
			t.Errorf("the default options: %v", err)
		}
	}
	for _, test := range []struct {
		field string
		err   error
	}{
		{"Spec.Cell", classify(func(o *ClassifierOptions) { o.Spec.Cell = "x" })},
		{"Fit.Stateful", forecast(func(o *StepForecasterOptions) { o.Fit.Stateful = true })},
		{"Fit.Validation", classify(func(o *ClassifierOptions) { o.Fit.Validation = &datasets.Sequences{} })},
		{"Fit.DataDigest", generate(func(o *GeneratorOptions) { o.Fit.DataDigest = "x" })},
		{"Init", classify(func(o *ClassifierOptions) { o.Init = []Init{"glorot"} })},
		{"Spec.Cell", classify(func(o *ClassifierOptions) { o.Spec.Cell, o.Init = models.RNN, []Init{Chrono} })},
		{"Fit.Loss", classify(func(o *ClassifierOptions) { o.Fit.Loss = trainer.MSE() })},
		{"Fit.Loss", classify(func(o *ClassifierOptions) { o.Fit.Loss = (*trainer.CrossEntropy)(nil) })},
		{"Fit.Loss", forecast(func(o *StepForecasterOptions) { o.Fit.Loss = trainer.CrossEntropy{} })},
		{"Fit.Loss.quantiles", forecast(func(o *StepForecasterOptions) { o.Fit.Loss = trainer.Pinball(0.1, 0.9) })},
		{"Fit.Loss", generate(func(o *GeneratorOptions) { o.Fit.Loss = trainer.BinaryCrossEntropy() })},
		{"Fit.Loss.Smoothing", classify(func(o *ClassifierOptions) { o.Fit.Loss = trainer.CrossEntropy{Smoothing: 1} })},
		{"Fit.LearningRate", classify(func(o *ClassifierOptions) { o.Fit.LearningRate = -1 })},
		{"Fit.LearningRate", classify(func(o *ClassifierOptions) { o.Fit.LearningRate = math.NaN() })},
		{"Fit.Epochs", classify(func(o *ClassifierOptions) { o.Fit.Epochs = 0 })},
		{"Fit.Batch", classify(func(o *ClassifierOptions) { o.Fit.Batch = 0 })},
		{"HeldOut", classify(func(o *ClassifierOptions) { o.HeldOut = 1 })},
		{"Window", generate(func(o *GeneratorOptions) { o.Window = 0 })},
		{"Stride", generate(func(o *GeneratorOptions) { o.Stride = 0 })},
		{"Spec.Readout", generate(func(o *GeneratorOptions) { o.Spec.Readout = models.ReadLast })},
		{"Spec.Bidirectional", generate(func(o *GeneratorOptions) { o.Spec.Bidirectional = true })},
		{"Horizon", forecast(func(o *StepForecasterOptions) { o.Horizon = 0 })},
		{"Horizon", forecast(func(o *StepForecasterOptions) { o.TBPTT, o.Horizon = 5, 2 })},
		{"TBPTT", forecast(func(o *StepForecasterOptions) { o.TBPTT, o.Spec.Bidirectional = 5, true })},
		{"Spec.Readout", forecast(func(o *StepForecasterOptions) { o.TBPTT, o.Spec.Readout = 5, models.ReadMean })},
		{"Spec.Readout", forecast(func(o *StepForecasterOptions) { o.Spec.Readout = models.ReadAll })},
		{"Window", forecast(func(o *StepForecasterOptions) { o.Window = 0 })},
		{"TBPTT", forecast(func(o *StepForecasterOptions) { o.TBPTT = -1 })},
		{"HeldOut", forecast(func(o *StepForecasterOptions) { o.HeldOut = math.NaN() })},
		{"HeldOut", generate(func(o *GeneratorOptions) { o.HeldOut = -0.1 })},
		{"Spec.Readout", classify(func(o *ClassifierOptions) { o.Spec.Readout = models.ReadAll })},
	} {
		var field *models.FieldError
		if !errors.As(test.err, &field) || field.Field != test.field {
			t.Errorf("the error is %v, not about %s", test.err, test.field)
		}
	}
}

// TestZeroOptions names the function that returns good options.
func TestZeroOptions(t *testing.T) {
	for want, err := range map[string]error{
		"DefaultStepForecasterOptions": StepForecasterOptions{}.Validate(),
		"DefaultClassifierOptions":     ClassifierOptions{}.Validate(),
		"DefaultGeneratorOptions":      GeneratorOptions{}.Validate(),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), "Fit.LearningRate is 0") || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, not about %s", err, want)
		}
	}
}

// bits are the labels of datasets.Echo.
var bits = []string{"0", "1"}

// twoColumns are units that follow the price of three steps before.
func twoColumns(n int) []datasets.Column {
	units, price := make([]float64, n), make([]float64, n)
	for i := range units {
		price[i] = 2 + math.Sin(float64(i)/4)/2
		units[i] = 10 - 3*price[max(0, i-3)]
	}
	return []datasets.Column{{Name: "units", Values: units}, {Name: "price", Values: price}}
}

// TestDivergedThoughFinite tells a loss that has grown a thousandfold from one that has
// always been large.
func TestDivergedThoughFinite(t *testing.T) {
	j := &Job{Model: &models.Model{Metadata: models.Metadata{Training: &models.Training{TrainLoss: 5000}}}}
	if err := j.diverged(2); !errors.Is(err, trainer.ErrDiverged) || !strings.Contains(err.Error(), "the loss is 5e+03, and has been 2") {
		t.Errorf("from 2 to 5000: %v", err)
	}
	if err := j.diverged(10); err != nil {
		t.Errorf("from 10 to 5000: %v", err)
	}
}

// TestLossFollowsTheLabels chooses a loss by the number of labels, and keeps one that is
// given.
func TestLossFollowsTheLabels(t *testing.T) {
	two, three := datasets.Echo(60, 4, 1), datasets.Echo(60, 4, 1)
	for i := range three.Labels {
		three.Labels[i] = int64(i % 3)
	}
	for _, test := range []struct {
		sequences *datasets.Sequences
		labels    []string
		loss      trainer.Loss
		want      string
		outputs   int
	}{
		{two, bits, nil, "bce", 1},
		{two, bits, trainer.CrossEntropy{Smoothing: 0.1}, "cross-entropy", 2},
		{three, []string{"a", "b", "c"}, nil, "cross-entropy", 3},
		{three, []string{"a", "b", "c"}, trainer.BinaryCrossEntropy(), "", 0},
	} {
		o := DefaultClassifierOptions()
		o.Fit.Loss = test.loss
		j, err := NewSequenceClassifier(test.sequences, nil, test.labels, o)
		var field *models.FieldError
		if test.want == "" {
			if !errors.As(err, &field) || field.Field != "Fit.Loss" {
				t.Errorf("%v for %q: %v", test.loss, test.labels, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if j.Fit.Loss.Name() != test.want || j.Model.Spec.Outputs != test.outputs {
			t.Errorf("%q: %s with %d outputs", test.labels, j.Fit.Loss.Name(), j.Model.Spec.Outputs)
		}
	}
	if want := []string{"bce", "cross-entropy"}; !slices.Equal(Losses(models.Classify), want) {
		t.Errorf("the losses of classes are %q", Losses(models.Classify))
	}
}

// TestTokens trains a classifier of tokens, whose number the Spec has.
func TestTokens(t *testing.T) {
	o := DefaultClassifierOptions()
	o.Spec.Features, o.Spec.Vocabulary, o.Spec.Embedding, o.Fit.Epochs = 0, 10, 4, 1
	j, err := NewSequenceClassifier(datasets.Palindromes(50, 5, 1), datasets.Palindromes(20, 5, 2), []string{"other", "palindrome"}, o)
	if err != nil {
		t.Fatal(err)
	}
	r, err := j.Train(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Model.InputScale != nil || j.TestData.Len() != 20 || r.Model.Window != 5 || !strings.Contains(r.Summary, "on 20 sequences") {
		t.Errorf("%s: %+v", r.Summary, r.Model.Metadata)
	}
}

// TestQuantileSummary says which share of the values lies below a quantile.
func TestQuantileSummary(t *testing.T) {
	o := DefaultStepForecasterOptions()
	o.Window, o.Fit.Loss, o.Fit.Epochs, o.Init = 5, trainer.Pinball(0.9), 30, []Init{Orthogonal, ForgetBias}
	j, err := NewStepForecaster([]datasets.Column{{Values: datasets.Sine(400, 0.3, 1)}}, o)
	if err != nil {
		t.Fatal(err)
	}
	r, err := j.Train(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var loss, share float64
	if _, err := fmt.Sscanf(r.Summary, "test loss %g of scaled values: %f%%", &loss, &share); err != nil || !(share > 75 && share < 100) {
		t.Errorf("%s: %v", r.Summary, err)
	}
}

// TestStreamsTooShort names what is too short: what trains, validates or tests.
func TestStreamsTooShort(t *testing.T) {
	column := []datasets.Column{{Values: datasets.Sine(200, 0, 0)}}
	for want, change := range map[string]func(*StepForecasterOptions){
		"TBPTT is 100: it must be less, or the batch smaller":        func(o *StepForecasterOptions) { o.TBPTT, o.Fit.Batch = 100, 2 },
		"TBPTT is 60: it must be less, or more held out to test":     func(o *StepForecasterOptions) { o.TBPTT, o.Fit.Batch = 60, 1 },
		"Fit.Patience is 3: it must be 0, or more data held out: ha": func(o *StepForecasterOptions) { o.TBPTT, o.Fit.Batch, o.Fit.Patience = 30, 1, 3 },
	} {
		o := DefaultStepForecasterOptions()
		o.Window = 5
		change(&o)
		if _, err := NewStepForecaster(column, o); !errors.Is(err, datasets.ErrTooShort) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("the error is %v, not %q", err, want)
		}
	}
}

// TestSequencesThatDoNotFit names what no model can learn.
func TestSequencesThatDoNotFit(t *testing.T) {
	good, wrong := datasets.Echo(50, 4, 1), datasets.Echo(50, 4, 1)
	wrong.Labels[7] = 2
	same := &datasets.Sequences{Inputs: [][]float32{{1}, {2}, {3}}, Labels: []int64{1, 1, 1}, Features: 1}
	for want, make := range map[string]func() (*Job, error){
		"train":           func() (*Job, error) { return NewSequenceClassifier(nil, nil, bits, DefaultClassifierOptions()) },
		"train.Labels":    func() (*Job, error) { return NewSequenceClassifier(same, good, bits, DefaultClassifierOptions()) },
		"train.Labels[7]": func() (*Job, error) { return NewSequenceClassifier(wrong, nil, bits, DefaultClassifierOptions()) },
		"test.Labels[7]":  func() (*Job, error) { return NewSequenceClassifier(good, wrong, bits, DefaultClassifierOptions()) },
		"Spec.Vocabulary": func() (*Job, error) {
			return NewSequenceClassifier(datasets.Palindromes(50, 4, 1), nil, bits, DefaultClassifierOptions())
		},
	} {
		_, err := make()
		var field *models.FieldError
		if !errors.As(err, &field) || field.Field != want {
			t.Errorf("the error is %v, not about %s", err, want)
		}
	}
}
