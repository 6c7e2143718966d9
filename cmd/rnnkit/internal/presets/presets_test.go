package presets

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/internal/orttest"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

func Example() {
	o := Echo.Options(Best, models.GRU)
	o.Window, o.Samples, o.TestSamples, o.Fit.Epochs = 5, 200, 50, 20
	j, err := Echo.New(o)
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := j.Train(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Summary)
	// Output: accuracy 1.0000 on 50 sequences, where always "1" is right for 0.5400
}

var all = []Preset{Chars, Sine, Echo, Palindrome}

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
		o := test.preset.Options(Notebook, "")
		j, err := test.preset.New(o)
		if err != nil {
			t.Fatal(err)
		}
		f := j.Fit
		if n := len(j.Model.Params.Data); n != test.params {
			t.Errorf("%s: %d parameters, not %d", test.preset.Name, n, test.params)
		}
		if train, held := j.TrainData.Len(), j.TestData.Len(); train != test.train || held != test.test {
			t.Errorf("%s: %d and %d examples, not %d and %d", test.preset.Name, train, held, test.train, test.test)
		}
		if f.LearningRate != test.rate || f.Batch != test.batch || f.Epochs != test.epochs {
			t.Errorf("%s: the rate, batch and epochs are those of %+v", test.preset.Name, f)
		}
		if f.ClipNorm != 0 || f.Optimizer != (trainer.Optimizer{Method: trainer.Adam}) || f.Schedule.Shape != trainer.Constant {
			t.Errorf("%s: the steps are those of %+v", test.preset.Name, f)
		}
		if len(o.Init) != 0 || j.Model.InputScale != nil {
			t.Errorf("%s: initialization %v, scale %v", test.preset.Name, o.Init, j.Model.InputScale)
		}
	}
}

// TestBestIsTheSameModel: data and sizes are those of the notebook.
func TestBestIsTheSameModel(t *testing.T) {
	for _, p := range all {
		for _, cell := range []models.Cell{"", models.RNN, models.GRU} {
			a, b := p.Options(Notebook, cell), p.Options(Best, cell)
			a.Spec.Readout = b.Spec.Readout
			if a.Spec != b.Spec || cell != "" && b.Spec.Cell != cell {
				t.Errorf("%s %s: the models are %+v and %+v", p.Name, cell, a.Spec, b.Spec)
			}
			if a.Window != b.Window || a.Samples != b.Samples || a.TestSamples != b.TestSamples || a.Noise != b.Noise {
				t.Errorf("%s %s: the data are those of %+v and %+v", p.Name, cell, a, b)
			}
			if err := b.Validate(); err != nil {
				t.Errorf("%s %s: %v", p.Name, cell, err)
			}
		}
	}
}

// TestExportsAgree trains every preset for an epoch and compares its exported file with
// the trainer on every engine that is here.
func TestExportsAgree(t *testing.T) {
	engines := orttest.Engines(t, native.New())
	for _, p := range all {
		for _, recipe := range []string{Notebook, Best} {
			o := p.Options(recipe, "")
			o.Spec.Bidirectional = p.Name == Palindrome.Name
			o.Fit.Epochs = 1
			if p.Name != Chars.Name && p.Name != Sine.Name {
				o.Samples, o.TestSamples = 100, 20
			}
			j, err := p.New(o)
			if err != nil {
				t.Fatal(err)
			}
			result, err := j.Train(t.Context())
			if err != nil {
				t.Fatalf("%s, %s: %v", p.Name, recipe, err)
			}
			for _, e := range engines {
				compareOn(t, j, result, e)
			}
		}
	}
}

// compareOn compares a file on an engine with the trainer.
func compareOn(t *testing.T, j *rnnkit.Job, r *rnnkit.Result, e engine.Engine) {
	t.Helper()
	m, err := r.Open(infer.With(e))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	c, err := j.Compare(t.Context(), r.File, m)
	if err != nil || c.Rounding != nil || c.Examples < 2 || !(c.Largest <= 1e-5) {
		t.Errorf("%s on %s: %+v, %v", j.DataName, e, c, err)
	}
}

// TestWhatValidatesDoesNotTest halves the sequences that test where Patience looks at
// them.
func TestWhatValidatesDoesNotTest(t *testing.T) {
	o := Echo.Options(Best, "")
	o.Samples, o.TestSamples, o.Fit.Patience = 20, 10, 2
	j, err := Echo.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if j.TrainData.Len() != 20 || j.Fit.Validation.Len() != 5 || j.TestData.Len() != 5 {
		t.Errorf("%d train, %d validate, %d test", j.TrainData.Len(), j.Fit.Validation.Len(), j.TestData.Len())
	}
}

func TestErrors(t *testing.T) {
	o := Palindrome.Options(Best, "")
	o.Samples = 0
	if _, err := Palindrome.New(o); err == nil || !strings.Contains(err.Error(), "use at least 1 of each") {
		t.Errorf("the error is %v", err)
	}
}
