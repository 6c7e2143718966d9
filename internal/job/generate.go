package job

import (
	"fmt"
	"math"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

// textTrainPart is the part of a text that trains; the rest tests.
const textTrainPart = 0.9

// TextTerms are a start for any text.
func TextTerms() Terms {
	return Terms{
		Spec: models.Spec{
			Cell: models.LSTM, Vocabulary: 2, Embedding: 64, Hidden: 128, Layers: 1,
			Readout: models.ReadAll, Outputs: 2,
		},
		Init:   "default",
		State:  StateInput,
		Window: 64,
		Stride: 64,
		Loss:   "cross-entropy",
		Fit: trainer.Options{
			Optimizer:    trainer.Optimizer{Method: trainer.Adam},
			LearningRate: 2e-3,
			Schedule:     trainer.Schedule{Shape: trainer.Constant},
			ClipNorm:     1,
			Batch:        64,
			Epochs:       10,
		},
	}
}

// Text is the job of telling the next character of a text. The first nine
// tenths of it train.
func Text(t Terms, name, text string) (*Job, error) {
	vocabulary := datasets.Vocabulary(text)
	if len(vocabulary) < 2 {
		return nil, fmt.Errorf("all characters of the text are %q: use one with two or more", vocabulary[0])
	}
	all, err := datasets.NewText(text, vocabulary, t.Window, t.Stride)
	if err != nil {
		return nil, err
	}
	train, test, err := all.Split(textTrainPart)
	if err != nil {
		return nil, err
	}
	return generator(t, name, text, vocabulary, train, test)
}

func generator(t Terms, name, text string, vocabulary []string, train, test *datasets.Text) (*Job, error) {
	t.Spec.Vocabulary, t.Spec.Outputs = len(vocabulary), len(vocabulary)
	if t.chooses() && test.Len() > 0 {
		validation, rest, err := test.Split(0.5)
		if err != nil {
			return nil, chosenBy(err)
		}
		t.Fit.Validation, test = validation, rest
	}
	j, err := newJob(t, name, models.Metadata{Task: models.Generate, Vocabulary: vocabulary}, train, test, []byte(text))
	if err != nil {
		return nil, err
	}
	j.Summary = func() (string, error) {
		loss, of := j.Model.Training.TestLoss, "unseen"
		if test.Len() == 0 {
			loss, of = j.Model.Training.TrainLoss, "learned"
		}
		return fmt.Sprintf("%.4f nats for each %s character, as many as a choice of %.2f (of %d)", loss, of, math.Exp(loss), len(vocabulary)), nil
	}
	return j, nil
}
