package job

import (
	"fmt"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

// The recipes of a preset: how the notebook trains it, to the letter, and what
// makes its claim true, with the same data and sizes.
const (
	Notebook = "notebook"
	Best     = "best"
)

// Preset is one of the notebook's experiments.
type Preset struct {
	Name string

	// Terms returns those of a recipe, for the given cell or, where that is
	// empty, the notebook's.
	Terms func(recipe string, cell models.Cell) Terms

	// New returns the job of the given terms. Its data follow from their seed.
	New func(Terms) (*Job, error)
}

// The presets.
var (
	Chars      = Preset{"chars", charsTerms, newChars}
	Sine       = Preset{"sine", sineTerms, newSine}
	Echo       = Preset{"echo", echoTerms, newEcho}
	Palindrome = Preset{"palindrome", palindromeTerms, newPalindrome}
)

// notebook returns terms as all of the notebook's trainings have them: PyTorch's
// initialisation, Adam at a constant rate, no clipping.
func notebook(spec models.Spec, cell models.Cell, loss string, rate float64, batch, epochs int) Terms {
	spec.Layers = 1
	if cell != "" {
		spec.Cell = cell
	}
	return Terms{
		Spec:     spec,
		Init:     "default",
		State:    StateNone,
		Loss:     loss,
		Quantile: 0.5,
		Fit: trainer.Options{
			Optimizer:    trainer.Optimizer{Method: trainer.Adam},
			LearningRate: rate,
			Schedule:     trainer.Schedule{Shape: trainer.Constant},
			Batch:        batch,
			Epochs:       epochs,
		},
	}
}

func charsTerms(recipe string, cell models.Cell) Terms {
	t := notebook(models.Spec{Cell: models.LSTM, Vocabulary: 30, Embedding: 32, Hidden: 64, Readout: models.ReadAll, Outputs: 30}, cell,
		"cross-entropy", 1e-3, 32, 20)
	t.State, t.Window, t.Stride = StateInput, 40, 1
	if recipe == Best {
		t.Fit.LearningRate, t.Fit.ClipNorm, t.Fit.Epochs = 5e-3, 1, 200
	}
	return t
}

// newChars learns all of the rhyme, and tests on nothing.
func newChars(t Terms) (*Job, error) {
	text := datasets.Rhyme()
	vocabulary := datasets.Vocabulary(text)
	train, err := datasets.NewText(text, vocabulary, t.Window, t.Stride)
	if err != nil {
		return nil, err
	}
	return generator(t, "chars", text, vocabulary, train, &datasets.Text{})
}

func sineTerms(recipe string, cell models.Cell) Terms {
	t := notebook(models.Forecaster("", 0).Spec, cell, "mse", 1e-3, 32, 15)
	t.Window, t.Samples, t.Noise = 50, 1000, 0.1
	if recipe == Best {
		t.Fit.Optimizer = trainer.Optimizer{Method: trainer.AdamW, WeightDecay: 0.3}
		t.Fit.Schedule.Shape = trainer.OneCycle
		t.Fit.LearningRate, t.Fit.ClipNorm, t.Fit.Epochs = 5e-3, 1, 30
	}
	return t
}

func newSine(t Terms) (*Job, error) {
	return Forecast(t, "sine", "y", datasets.Sine(t.Samples, t.Noise, t.Fit.Seed))
}

// EchoLabels and PalindromeLabels name the classes of these presets, and
// Digits the tokens of a palindrome.
var (
	EchoLabels       = []string{"0", "1"}
	PalindromeLabels = []string{"other", "palindrome"}
	Digits           = []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}
)

func echoTerms(recipe string, cell models.Cell) Terms {
	t := notebook(models.Spec{Cell: models.LSTM, Features: 1, Hidden: 16, Readout: models.ReadLast, Outputs: 1}, cell, "bce", 1e-2, 64, 20)
	t.Window, t.Samples, t.TestSamples = 50, 2000, 500
	if recipe == Best {
		t.Scale = true
		t.Fit.LearningRate, t.Fit.Batch, t.Fit.ClipNorm = 5e-3, 16, 1
		if t.Spec.Cell != models.RNN {
			t.Init = "chrono"
		}
	}
	return t
}

func newEcho(t Terms) (*Job, error) {
	data := datasets.Echo(t.Samples+t.TestSamples, t.Window, t.Fit.Seed)
	meta := models.Metadata{Labels: EchoLabels}
	if t.Scale { // bits as -1 and 1
		meta.InputScale = &models.Scale{Mean: []float32{0.5}, Std: []float32{0.5}}
	}
	return puzzle(t, "echo", meta, data)
}

func palindromeTerms(recipe string, cell models.Cell) Terms {
	t := notebook(models.Spec{Cell: models.RNN, Vocabulary: 10, Embedding: 8, Hidden: 16, Readout: models.ReadLast, Outputs: 1}, cell, "bce", 1e-2, 64, 15)
	t.Window, t.Samples, t.TestSamples = 7, 3000, 1000
	if recipe == Best {
		t.Spec.Readout = models.ReadFinal
		t.Fit.Schedule.Shape = trainer.Cosine
		t.Fit.ClipNorm, t.Fit.Epochs = 1, 30
	}
	return t
}

func newPalindrome(t Terms) (*Job, error) {
	data := datasets.Palindromes(t.Samples+t.TestSamples, t.Window, t.Fit.Seed)
	return puzzle(t, "palindrome", models.Metadata{Labels: PalindromeLabels, Vocabulary: Digits}, data)
}

// puzzle learns the first Samples of data and tests on the others.
func puzzle(t Terms, name string, meta models.Metadata, data *datasets.Sequences) (*Job, error) {
	if data.Len() < t.Samples+t.TestSamples || t.Samples < 1 || t.TestSamples < 1 {
		return nil, fmt.Errorf("%d sequences of %d steps to train on and %d to test: use at least 1 of each", t.Samples, t.Window, t.TestSamples)
	}
	return classifier(t, name, meta, data.Range(0, t.Samples), data.Range(t.Samples, data.Len()))
}
