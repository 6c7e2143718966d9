package rnnkit

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

// ClassifierOptions say how [NewClassifier] and [NewSequenceClassifier] train.
// [DefaultClassifierOptions] returns good ones, whose fields a program changes.
type ClassifierOptions struct {
	Options

	// Scale standardizes the values: each channel gets mean 0 and standard deviation 1 over
	// the training set. The scale becomes part of the file, which reads raw units. Tokens
	// have none.
	Scale bool
}

// DefaultClassifierOptions returns options for sequences of any kind: an LSTM of 32 that
// reads a sequence to its end.
func DefaultClassifierOptions() ClassifierOptions {
	fit := fitOptions(5e-3, 32, 50)
	fit.ClipNorm = 1
	return ClassifierOptions{
		Options: Options{
			Spec:    models.Spec{Cell: models.LSTM, Features: 1, Hidden: 32, Layers: 1, Readout: models.ReadFinal, Outputs: 1},
			HeldOut: 0.2,
			Fit:     fit,
		},
		Scale: true,
	}
}

// Validate returns a *models.FieldError for the first field that no sequences can be
// learned with: a number out of its range, a Spec or Fit that is refused by their own
// Validate, a loss that is none of [Losses], or a Readout of all. The functions that make
// a classifier call it before they look at the data.
func (o ClassifierOptions) Validate() error {
	if err := o.validate(models.Classify); err != nil {
		return err
	}
	return o.validateOneAnswer()
}

// Sequence is a sequence of numbers, one a step, or of steps that have a number for each
// channel.
type Sequence interface{ ~[]float64 | ~[][]float64 }

// NewClassifier returns the job of telling the label of a sequence from its values, one
// label for each sequence. Sequences may have different lengths, and all steps have the
// same channels. The labels of the model are sorted. With two labels it has one output,
// the logit of the second label. With more labels, or if Fit.Loss is a
// trainer.CrossEntropy, it has an output for each.
//
// The error is a *models.FieldError if an option does not fit, a value is not finite, a
// label is empty, or there are fewer than two different labels. It wraps a
// [datasets.ErrTooShort] if the sequences are too few to hold some out: of each label one
// or more must be left to train on.
func NewClassifier[S Sequence](sequences []S, labels []string, o ClassifierOptions) (*Job, error) {
	data, err := newSequences(sequences)
	if err != nil {
		return nil, err
	}
	names := slices.Compact(slices.Sorted(slices.Values(labels)))
	if o.Start != nil && o.Start.Task == models.Classify {
		names = o.Start.Labels
	}
	if len(labels) != len(sequences) {
		return nil, &models.FieldError{Field: "labels", Value: models.Length(len(labels)), Want: fmt.Sprintf("of length %d, one for each sequence", len(sequences))}
	}
	if data.Labels, err = placesOf(labels, names); err != nil {
		return nil, err
	}
	return NewSequenceClassifier(data, nil, names, o)
}

// placesOf returns the places of labels in names, which has those of all sequences or of
// Start.
func placesOf(labels, names []string) (places []int64, err error) {
	for i, label := range labels {
		at := slices.Index(names, label)
		switch field := fmt.Sprintf("labels[%d]", i); {
		case label == "":
			return nil, &models.FieldError{Field: field, Value: label, Want: "a label that is not empty"}
		case at < 0:
			return nil, &models.FieldError{Field: field, Value: label, Want: fmt.Sprintf("one of %q, the labels of Start", names)}
		}
		places = append(places, int64(at))
	}
	return places, nil
}

// newSequences returns sequences in float32, without labels.
func newSequences[S Sequence](sequences []S) (*datasets.Sequences, error) {
	data := &datasets.Sequences{Features: 1}
	for i, s := range sequences {
		steps := stepsOf(s)
		if i == 0 && len(steps) > 0 {
			data.Features = len(steps[0])
		}
		if len(steps) == 0 {
			return nil, &models.FieldError{Field: fmt.Sprintf("sequences[%d]", i), Value: models.Length(0), Want: "of length 1 or more"}
		}
		values := make([]float32, 0, len(steps)*data.Features)
		for t, step := range steps {
			field := fmt.Sprintf("sequences[%d][%d]", i, t)
			if len(step) == 0 || len(step) != data.Features {
				return nil, &models.FieldError{Field: field, Value: models.Length(len(step)), Want: fmt.Sprintf("of length %d, one number for each channel", max(1, data.Features))}
			}
			for _, v := range step {
				if !finite(float32(v)) {
					return nil, &models.FieldError{Field: field, Value: v, Want: "finite as a float32"}
				}
				values = append(values, float32(v))
			}
		}
		data.Inputs = append(data.Inputs, values)
	}
	return data, nil
}

// stepsOf returns the steps of a sequence, each with its channels.
func stepsOf[S Sequence](s S) [][]float64 {
	v := reflect.ValueOf(s)
	if several := reflect.TypeFor[[][]float64](); v.CanConvert(several) {
		return v.Convert(several).Interface().([][]float64)
	}
	values := v.Convert(reflect.TypeFor[[]float64]()).Interface().([]float64)
	return slices.Collect(slices.Chunk(values, 1))
}

// NewSequenceClassifier is NewClassifier for sequences as datasets.ReadSequences reads
// them, and for sequences of tokens. The labels of the sequences are places in names.
// Without Start, train has two different labels or more. If test is nil, some of train are
// held out as the test set, equal sequences together; else HeldOut is not used.
func NewSequenceClassifier(train, test *datasets.Sequences, names []string, o ClassifierOptions) (*Job, error) {
	if err := o.useStart(models.Classify); err != nil {
		return nil, err
	}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if err := o.checkLabels(names); err != nil {
		return nil, err
	}
	if err := o.checkSequences("train", train, names); err != nil {
		return nil, err
	}
	if least := slices.Min(train.Labels); o.Start == nil && least == slices.Max(train.Labels) {
		return nil, &models.FieldError{Field: "train.Labels", Value: least, Want: "two different labels or more, not the same for all"}
	}
	if test == nil {
		var err error
		if train, test, err = o.holdOut(train, names); err != nil {
			return nil, err
		}
	}
	if err := o.checkSequences("test", test, names); test.Len() > 0 && err != nil {
		return nil, err
	}
	return o.classifier(*train, *test, names)
}

// checkSequences refuses sequences that no model of the given labels can learn.
func (o Options) checkSequences(field string, s *datasets.Sequences, names []string) error {
	if s == nil || s.Len() == 0 {
		return &models.FieldError{Field: field, Value: nil, Want: "one sequence or more"}
	}
	if s.Tokens != nil && o.Spec.Vocabulary == 0 {
		return &models.FieldError{Field: "Spec.Vocabulary", Value: 0, Want: "the number of different tokens"}
	}
	for i, label := range s.Labels {
		if label < 0 || label >= int64(len(names)) {
			return &models.FieldError{Field: fmt.Sprintf("%s.Labels[%d]", field, i), Value: label, Want: fmt.Sprintf("from 0 to %d, the place of its label", len(names)-1)}
		}
	}
	return nil
}

// checkLabels sets the loss that the labels ask for, and refuses one that does not fit.
func (o *Options) checkLabels(names []string) error {
	switch {
	case len(names) < 2:
		return &models.FieldError{Field: "labels", Value: strings.Join(names, ""), Want: "two different labels or more, not the same for all"}
	case o.Start != nil && !slices.Equal(names, o.Start.Labels):
		return &models.FieldError{Field: "labels", Value: names, Want: fmt.Sprintf("%q, as those of Start", o.Start.Labels)}
	case o.Fit.Loss == nil && len(names) == 2 && (o.Start == nil || o.Start.Spec.Outputs == 1):
		o.Fit.Loss = trainer.BinaryCrossEntropy()
	case o.Fit.Loss == nil:
		o.Fit.Loss = trainer.CrossEntropy{}
	case o.Fit.Loss.Name() == "bce" && len(names) > 2:
		return &models.FieldError{Field: "Fit.Loss", Value: "bce", Want: fmt.Sprintf("cross-entropy for %d labels, since bce tells two apart", len(names))}
	}
	return nil
}

// holdOut divides sequences into a training set, which has all their labels, and a test
// set.
func (o Options) holdOut(all *datasets.Sequences, names []string) (train, test *datasets.Sequences, err error) {
	if o.HeldOut == 0 {
		return all, all.Range(0, 0), nil
	}
	if train, test, err = all.Split(1-o.HeldOut, o.Fit.Seed); err != nil {
		return nil, nil, err
	}
	for i, name := range names {
		if slices.Contains(test.Labels, int64(i)) && !slices.Contains(train.Labels, int64(i)) {
			return nil, nil, fmt.Errorf("list of %d sequences is %w to hold %g%% out: none of the label %.40q would train, so use more of them", all.Len(), datasets.ErrTooShort, 100*o.HeldOut, name)
		}
	}
	return train, test, nil
}

// classifier returns the job of telling the given sequences apart.
func (o ClassifierOptions) classifier(train, test datasets.Sequences, names []string) (*Job, error) {
	meta := models.Metadata{Task: models.Classify, Labels: names, Window: max(train.Longest(), test.Longest())}
	o.describeSequences(&meta, &train)
	train.AsTargets = o.Fit.Loss.Name() == "bce"
	test.AsTargets = train.AsTargets
	data := append(sequenceBytes(&train), sequenceBytes(&test)...)
	held := &test
	if o.needsValidation() {
		validation, rest, err := test.Split(0.5, o.Fit.Seed)
		if err != nil {
			return nil, o.nothingValidates(err)
		}
		o.Fit.Validation, held = validation, rest
	}
	j, err := newJob(o.Options, meta, examples{train: &train, test: held, data: data})
	if err != nil {
		return nil, err
	}
	j.summary = func() (string, error) { return classifierSummary(j, &train, held) }
	return j, nil
}

// describeSequences sets the sizes of the model, and the scale of its input.
func (o *ClassifierOptions) describeSequences(meta *models.Metadata, train *datasets.Sequences) {
	o.Spec.Outputs = len(meta.Labels)
	if o.Fit.Loss.Name() == "bce" {
		o.Spec.Outputs = 1
	}
	if train.Tokens == nil {
		o.Spec.Features = train.Features
	}
	switch {
	case o.Start != nil:
		meta.InputScale, meta.Vocabulary = o.Start.InputScale, o.Start.Vocabulary
	case o.Scale && train.Tokens == nil:
		meta.InputScale = models.FitScale(slices.Concat(train.Inputs...), train.Features)
	}
}

// classifierSummary says how often the model of j is right.
func classifierSummary(j *Job, train, test *datasets.Sequences) (string, error) {
	if test.Len() == 0 {
		return fmt.Sprintf("training loss %.4g on %d sequences", j.Model.Training.TrainLoss, train.Len()), nil
	}
	label, share := mostFrequent(test.Labels)
	return fmt.Sprintf("accuracy %.4f on %d sequences, where always %q is right for %.4f",
		j.Model.Training.TestAccuracy, test.Len(), j.Model.Labels[label], share), nil
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
