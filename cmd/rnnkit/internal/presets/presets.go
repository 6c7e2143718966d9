// Package presets has the notebook's experiments as training jobs: their data, and the
// recipes that they are trained by.
package presets

import (
	"fmt"

	"github.com/rnnkit/rnnkit"
	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

// The recipes of a preset: how the notebook trains it, and how its claim comes true with
// the same data and sizes.
const (
	Notebook = "notebook"
	Best     = "best"
)

// Options are those of a preset, whose data are made and not read. A preset uses the
// fields that its task and its data have.
type Options struct {
	rnnkit.Options
	Task models.Task

	Window int  // steps that a prediction looks back, or of a sequence
	TBPTT  int  // of the sine, as rnnkit.StepForecasterOptions has it
	Scale  bool // of the echo: the model reads its bits as -1 and 1

	Samples     int     // points of a series, or sequences to train on
	TestSamples int     // sequences to test on
	Noise       float64 // standard deviation of the noise of a series
}

// generator returns the options of a preset that generates text.
func (o Options) generator() rnnkit.GeneratorOptions {
	return rnnkit.GeneratorOptions{Options: o.Options, Window: o.Window, Stride: 1}
}

// forecaster returns the options of a preset that forecasts.
func (o Options) forecaster() rnnkit.StepForecasterOptions {
	return rnnkit.StepForecasterOptions{Options: o.Options, Window: o.Window, Horizon: 1, TBPTT: o.TBPTT}
}

// classifier returns the options of a preset that classifies sequences.
func (o Options) classifier() rnnkit.ClassifierOptions {
	return rnnkit.ClassifierOptions{Options: o.Options}
}

// Validate returns the error of the Validate of the task, such as
// rnnkit.StepForecasterOptions has it.
func (o Options) Validate() error {
	switch o.Task {
	case models.Generate:
		return o.generator().Validate()
	case models.Forecast:
		return o.forecaster().Validate()
	}
	return o.classifier().Validate()
}

// Preset is one of the notebook's experiments.
type Preset struct {
	Name string

	// Options returns those of a recipe, for the given cell or, where that is empty, the
	// notebook's.
	Options func(recipe string, cell models.Cell) Options

	// New returns the job of the given options. Its data follow from their seed.
	New func(Options) (*rnnkit.Job, error)
}

// The presets.
var (
	Chars      = Preset{"chars", charsOptions, newChars}
	Sine       = Preset{"sine", sineOptions, newSine}
	Echo       = Preset{"echo", echoOptions, newEcho}
	Palindrome = Preset{"palindrome", palindromeOptions, newPalindrome}
)

// notebook returns options as all of the notebook's trainings have them: PyTorch's
// initialization, Adam at a constant rate, no clipping.
func notebook(name string, task models.Task, spec models.Spec, cell models.Cell, loss trainer.Loss, rate float64, batch, epochs int) Options {
	spec.Layers = 1
	if cell != "" {
		spec.Cell = cell
	}
	return Options{Task: task, Options: rnnkit.Options{
		Spec:     spec,
		DataName: name,
		Fit: trainer.Options{
			Loss:         loss,
			Optimizer:    trainer.Optimizer{Method: trainer.Adam},
			LearningRate: rate,
			Schedule:     trainer.Schedule{Shape: trainer.Constant},
			Batch:        batch,
			Epochs:       epochs,
		},
	}}
}

func charsOptions(recipe string, cell models.Cell) Options {
	o := notebook("chars", models.Generate, models.Spec{Cell: models.LSTM, Vocabulary: 30, Embedding: 32, Hidden: 64, Readout: models.ReadAll, Outputs: 30}, cell,
		trainer.CrossEntropy{}, 1e-3, 32, 20)
	o.StateInput, o.Window = true, 40
	if recipe == Best {
		o.Fit.LearningRate, o.Fit.ClipNorm, o.Fit.Epochs = 5e-3, 1, 200
	}
	return o
}

// newChars trains on all of the rhyme, without a test set.
func newChars(o Options) (*rnnkit.Job, error) {
	return rnnkit.NewGenerator(datasets.Rhyme(), o.generator())
}

func sineOptions(recipe string, cell models.Cell) Options {
	o := notebook("sine", models.Forecast, models.Forecaster("", 0).Spec, cell, trainer.MSE(), 1e-3, 32, 15)
	o.Window, o.HeldOut = 50, 0.2
	o.Samples, o.Noise = 1000, 0.1
	if recipe == Best {
		o.Fit.Optimizer = trainer.Optimizer{Method: trainer.AdamW, WeightDecay: 0.3}
		o.Fit.Schedule.Shape = trainer.OneCycle
		o.Fit.LearningRate, o.Fit.ClipNorm, o.Fit.Epochs = 5e-3, 1, 30
	}
	return o
}

func newSine(o Options) (*rnnkit.Job, error) {
	series := datasets.Column{Name: "y", Values: datasets.Sine(o.Samples, o.Noise, o.Fit.Seed)}
	return rnnkit.NewStepForecaster([]datasets.Column{series}, o.forecaster())
}

// EchoLabels and PalindromeLabels name the classes of these presets, and
// Digits the tokens of a palindrome.
var (
	EchoLabels       = []string{"0", "1"}
	PalindromeLabels = []string{"other", "palindrome"}
	Digits           = []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}
)

func echoOptions(recipe string, cell models.Cell) Options {
	o := notebook("echo", models.Classify, models.Spec{Cell: models.LSTM, Features: 1, Hidden: 16, Readout: models.ReadLast, Outputs: 1}, cell, trainer.BinaryCrossEntropy(), 1e-2, 64, 20)
	o.Window, o.Samples, o.TestSamples = 50, 2000, 500
	if recipe == Best {
		o.Scale = true
		o.Fit.LearningRate, o.Fit.Batch, o.Fit.ClipNorm = 5e-3, 16, 1
		if o.Spec.Cell != models.RNN {
			o.Init = []rnnkit.Init{rnnkit.Chrono}
		}
	}
	return o
}

func newEcho(o Options) (*rnnkit.Job, error) {
	j, err := puzzle(o, EchoLabels, datasets.Echo(o.Samples+o.TestSamples, o.Window, o.Fit.Seed))
	if err == nil && o.Scale {
		j.Model.InputScale = &models.Scale{Mean: []float32{0.5}, Std: []float32{0.5}}
	}
	return j, err
}

func palindromeOptions(recipe string, cell models.Cell) Options {
	o := notebook("palindrome", models.Classify, models.Spec{Cell: models.RNN, Vocabulary: 10, Embedding: 8, Hidden: 16, Readout: models.ReadLast, Outputs: 1}, cell, trainer.BinaryCrossEntropy(), 1e-2, 64, 15)
	o.Window, o.Samples, o.TestSamples = 7, 3000, 1000
	if recipe == Best {
		o.Spec.Readout = models.ReadFinal
		o.Fit.Schedule.Shape = trainer.Cosine
		o.Fit.ClipNorm, o.Fit.Epochs = 1, 30
	}
	return o
}

func newPalindrome(o Options) (*rnnkit.Job, error) {
	j, err := puzzle(o, PalindromeLabels, datasets.Palindromes(o.Samples+o.TestSamples, o.Window, o.Fit.Seed))
	if err == nil {
		j.Model.Vocabulary = Digits
	}
	return j, err
}

// puzzle returns the job of learning the first Samples of data, tested on the others.
func puzzle(o Options, labels []string, data *datasets.Sequences) (*rnnkit.Job, error) {
	if data.Len() < o.Samples+o.TestSamples || o.Samples < 1 || o.TestSamples < 1 {
		return nil, fmt.Errorf("%d sequences of %d steps to train on and %d to test: use at least 1 of each", o.Samples, o.Window, o.TestSamples)
	}
	return rnnkit.NewSequenceClassifier(data.Range(0, o.Samples), data.Range(o.Samples, data.Len()), labels, o.classifier())
}
