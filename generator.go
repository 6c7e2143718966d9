package rnnkit

import (
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

// GeneratorOptions say how [NewGenerator] trains. [DefaultGeneratorOptions] returns good
// ones, whose fields a program changes.
type GeneratorOptions struct {
	Options

	Window int // characters of a training example, at least 1
	Stride int // characters from one example to the next, at least 1
}

// DefaultGeneratorOptions returns options for text of any kind: an LSTM of 128 over
// characters. Its file takes the state, since text is made step by step.
func DefaultGeneratorOptions() GeneratorOptions {
	fit := fitOptions(2e-3, 64, 10)
	fit.ClipNorm = 1
	return GeneratorOptions{
		Options: Options{
			Spec: models.Spec{
				Cell: models.LSTM, Vocabulary: 2, Embedding: 64, Hidden: 128, Layers: 1,
				Readout: models.ReadAll, Outputs: 2,
			},
			StateInput: true,
			HeldOut:    0.1,
			Fit:        fit,
		},
		Window: 64,
		Stride: 64,
	}
}

// Validate returns a *models.FieldError for the first field that no text can be learned
// with: a number out of its range, a Spec or Fit that is refused by their own Validate, a
// loss that is none of [Losses], a Readout other than all, or a bidirectional model.
// [NewGenerator] calls it before it looks at the text.
func (o GeneratorOptions) Validate() error {
	if err := o.validate(models.Generate); err != nil {
		return err
	}
	if err := atLeast(1, field{"Window", o.Window}, field{"Stride", o.Stride}); err != nil {
		return err
	}
	switch {
	case o.Spec.Readout != models.ReadAll:
		return &models.FieldError{Field: "Spec.Readout", Value: o.Spec.Readout, Want: "all, since a generator answers at every step"}
	case o.Spec.Bidirectional:
		return &models.FieldError{Field: "Spec.Bidirectional", Value: true, Want: "false, since a generator cannot see what follows"}
	}
	return nil
}

// NewGenerator returns the job of telling the next character of a text. The vocabulary
// of the model has the different characters of all of it.
//
// The error is a *models.FieldError if an option does not fit, the text is not UTF-8, or
// it has fewer than two different characters. It wraps a [datasets.ErrTooShort] if the
// text is too short for an option. With Start, a character that its vocabulary lacks is an
// error.
func NewGenerator(text string, o GeneratorOptions) (*Job, error) {
	if err := o.useStart(); err != nil {
		return nil, err
	}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if err := checkText(text); err != nil {
		return nil, err
	}
	vocabulary := datasets.Vocabulary(text)
	if o.Start != nil {
		vocabulary = o.Start.Vocabulary
	}
	if len(vocabulary) < 2 {
		return nil, &models.FieldError{Field: "text", Value: fmt.Sprintf("%.20s", text), Want: "of two different characters or more"}
	}
	train, test, err := o.splitText(text, vocabulary)
	if err != nil {
		return nil, err
	}
	return o.generator(text, vocabulary, train, test)
}

// checkText refuses a text that is empty or not UTF-8.
func checkText(text string) error {
	if text == "" {
		return &models.FieldError{Field: "text", Value: text, Want: "some characters to learn from"}
	}
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRuneInString(text[at:])
		if r == utf8.RuneError && size == 1 {
			return &models.FieldError{Field: fmt.Sprintf("text[%d]", at), Value: text[at], Want: "part of a character in UTF-8"}
		}
		at += size
	}
	return nil
}

// useStart takes what follows from Start, if there is one.
func (o *GeneratorOptions) useStart() error {
	if err := o.Options.useStart(models.Generate); err != nil || o.Start == nil {
		return err
	}
	return keepStart("Window", &o.Window, o.Start.Window, DefaultGeneratorOptions().Window)
}

// splitText divides a text into a training set and a test set, which may be empty.
func (o GeneratorOptions) splitText(text string, vocabulary []string) (train, test *datasets.Text, err error) {
	all, err := datasets.NewText(text, vocabulary, o.Window, o.Stride)
	switch {
	case err != nil && o.Start != nil: // the text may have characters that the model lacks
		return nil, nil, err
	case err == nil && o.HeldOut == 0:
		return all, &datasets.Text{}, nil
	case err == nil:
		train, test, err = all.Split(1 - o.HeldOut)
	}
	if err != nil {
		return nil, nil, o.tooShort("Window", o.Window, "shorter, or the text longer", fmt.Sprintf("the text has %d characters", utf8.RuneCountInString(text)), err)
	}
	return train, test, nil
}

// generator returns the job of learning the given parts of a text.
func (o GeneratorOptions) generator(text string, vocabulary []string, train, test *datasets.Text) (*Job, error) {
	o.Spec.Vocabulary, o.Spec.Outputs = len(vocabulary), len(vocabulary)
	if o.Fit.Loss == nil {
		o.Fit.Loss = trainer.CrossEntropy{}
	}
	if o.needsValidation() {
		validation, rest, err := test.Split(0.5)
		if err != nil {
			return nil, o.nothingValidates(err)
		}
		o.Fit.Validation, test = validation, rest
	}
	meta := models.Metadata{Task: models.Generate, Window: o.Window, Vocabulary: vocabulary}
	j, err := newJob(o.Options, meta, examples{train: train, test: test, data: []byte(text), stride: o.Stride})
	if err != nil {
		return nil, err
	}
	j.summary = func() (string, error) {
		loss, of := j.Model.Training.TestLoss, "unseen"
		if test.Len() == 0 {
			loss, of = j.Model.Training.TrainLoss, "learned"
		}
		return fmt.Sprintf("%.4f nats for each %s character, as many as a choice of %.2f (of %d)", loss, of, math.Exp(loss), len(vocabulary)), nil
	}
	return j, nil
}
