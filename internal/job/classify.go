package job

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

// AutoLoss is bce for two labels, and cross-entropy for more or smoothed ones.
const AutoLoss = "auto"

// ClassifyTerms are a start for any sequences of numbers.
func ClassifyTerms() Terms {
	return Terms{
		Spec:   models.Spec{Cell: models.LSTM, Features: 1, Hidden: 32, Layers: 1, Readout: models.ReadFinal, Outputs: 1},
		Init:   "default",
		State:  StateNone,
		Loss:   AutoLoss,
		Scale:  true,
		Window: 1,
		Fit: trainer.Options{
			Optimizer:    trainer.Optimizer{Method: trainer.Adam},
			LearningRate: 5e-3,
			Schedule:     trainer.Schedule{Shape: trainer.Constant},
			ClipNorm:     1,
			Batch:        32,
			Epochs:       50,
		},
	}
}

// Classify is the job of telling the label of sequences of numbers. Four fifths
// of them, drawn by the seed, train.
func Classify(t Terms, name string, sequences *datasets.Sequences, labels []string) (*Job, error) {
	train, test, err := sequences.Split(trainPart, t.Fit.Seed)
	if err != nil {
		return nil, err
	}
	switch {
	case t.Loss == AutoLoss && len(labels) == 2 && t.Smoothing == 0:
		t.Loss = "bce"
	case t.Loss == AutoLoss:
		t.Loss = "cross-entropy"
	case t.Loss == "bce" && len(labels) > 2:
		return nil, fmt.Errorf("--loss bce tells two labels apart, and the data has %d: use cross-entropy", len(labels))
	}
	for _, x := range sequences.Inputs {
		t.Window = max(t.Window, len(x)/sequences.Features)
	}
	meta := models.Metadata{Labels: labels}
	if t.Scale {
		meta.InputScale = models.FitScale(slices.Concat(train.Inputs...), sequences.Features)
	}
	return classifier(t, name, meta, train, test)
}

// classifier completes meta. A loss of bce takes one output, the logit of the
// second label.
func classifier(t Terms, name string, meta models.Metadata, train, test *datasets.Sequences) (*Job, error) {
	t.Spec.Outputs = len(meta.Labels)
	if t.Loss == "bce" {
		t.Spec.Outputs = 1
		train.AsTargets, test.AsTargets = true, true
	}
	meta.Task = models.Classify
	data := append(sequenceBytes(train), sequenceBytes(test)...)
	if t.chooses() {
		validation, rest, err := test.Split(0.5, t.Fit.Seed)
		if err != nil {
			return nil, chosenBy(err)
		}
		t.Fit.Validation, test = validation, rest
	}
	j, err := newJob(t, name, meta, train, test, data)
	if err != nil {
		return nil, err
	}
	j.Summary = func() (string, error) {
		label, share := mostFrequent(test.Labels)
		return fmt.Sprintf("accuracy %.4f on %d sequences, where always %q is right for %.4f",
			j.Model.Training.TestAccuracy, test.Len(), meta.Labels[label], share), nil
	}
	return j, nil
}

// sequenceBytes lists each sequence's length, values or tokens, and label, as
// little-endian float64.
func sequenceBytes(s *datasets.Sequences) (data []byte) {
	add := func(v float64) { data = binary.LittleEndian.AppendUint64(data, math.Float64bits(v)) }
	for i, label := range s.Labels {
		if s.Tokens != nil {
			add(float64(len(s.Tokens[i])))
			for _, v := range s.Tokens[i] {
				add(float64(v))
			}
		} else {
			add(float64(len(s.Inputs[i])))
			for _, v := range s.Inputs[i] {
				add(float64(v))
			}
		}
		add(float64(label))
	}
	return data
}

// mostFrequent returns the most frequent label and its share.
func mostFrequent(labels []int64) (label int64, share float64) {
	counts := make([]int, slices.Max(labels)+1)
	for _, l := range labels {
		counts[l]++
	}
	most := slices.Max(counts)
	return int64(slices.Index(counts, most)), float64(most) / float64(len(labels))
}
