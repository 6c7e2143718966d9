package infer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/inputs"
	"github.com/rnnkit/rnnkit/models"
)

// Classifier tells how likely a sequence is to be of each of a model's classes.
// It is safe for concurrent use.
type Classifier struct{ runs *sequences }

// NewClassifier returns a Classifier that runs m. It is a [*TaskError] if m does not
// classify, a [*models.FieldError] if m is nil, and an error if it does not name its classes or answers at every step.
func NewClassifier(m *Model) (*Classifier, error) {
	d, err := m.task(models.Classify)
	if err != nil {
		return nil, err
	}
	switch {
	case m.meta != nil && len(d.Labels) < 2:
		return nil, fmt.Errorf("the model names %d classes: a Classifier needs two or more Labels in the metadata", len(d.Labels))
	case m.meta != nil && m.meta.Spec.Readout == models.ReadAll:
		return nil, fmt.Errorf("the model answers at every step (readout %q): a Classifier needs one answer for a sequence; use Run", models.ReadAll)
	}
	s, err := newSequences(m, d)
	if err != nil {
		return nil, err
	}
	return &Classifier{s}, nil
}

// Model returns the model that c runs.
func (c *Classifier) Model() *Model { return c.runs.model }

// Labels returns the names of the classes, in the order of the probabilities. It is
// empty for a model from elsewhere that answers with the number of a class, if nobody has
// said how many there are. The caller must not change them.
func (c *Classifier) Labels() []string { return c.runs.Labels }

// Classify returns the probability of each of the Labels for one sequence, of at least
// one step: float32 [time, features], or int64 [time] for a model of tokens. If the model
// answers with the number of a class, the probability of that class is 1.
//
// A sequence that the model cannot take is a [*models.FieldError] of "sequence". A token
// that the model does not know is one of, for example, "sequence[4]", and a value that is
// not finite one of "sequence[4][0]": step 4, feature 0, counted from 0. An answer that
// the [Description] does not allow is an error too.
func (c *Classifier) Classify(ctx context.Context, sequence tensor.Tensor) ([]float64, error) {
	if err := c.check(sequence); err != nil {
		return nil, err
	}
	probabilities := make([][]float64, 1)
	if err := c.run(ctx, []tensor.Tensor{sequence}, []int{0}, probabilities); err != nil {
		return nil, err
	}
	return probabilities[0], nil
}

// ClassifyBatch returns what [Classifier.Classify] does for each of sequences. Those of
// the same length go through the model together. The path of a [*models.FieldError] begins
// with the sequence, such as "sequences[1]", counted from 0.
func (c *Classifier) ClassifyBatch(ctx context.Context, sequences []tensor.Tensor) ([][]float64, error) {
	byLength := make([]int, len(sequences))
	for i, s := range sequences {
		if err := c.check(s); err != nil {
			return nil, inSequence(i, err)
		}
		byLength[i] = i
	}
	slices.SortStableFunc(byLength, func(i, j int) int { return sequences[i].Shape[0] - sequences[j].Shape[0] })
	probabilities := make([][]float64, len(sequences))
	for len(byLength) > 0 {
		length := sequences[byLength[0]].Shape[0]
		most := min(len(byLength), batchSize(length))
		size := 1
		for size < most && sequences[byLength[size]].Shape[0] == length {
			size++
		}
		if err := c.run(ctx, sequences, byLength[:size], probabilities); err != nil {
			return nil, err
		}
		byLength = byLength[size:]
	}
	return probabilities, nil
}

// inSequence returns err as an error of the sequence of that index in a batch.
func inSequence(i int, err error) error {
	var a *AmbiguousError
	if errors.As(err, &a) {
		return &AmbiguousError{a.Field, a.Name, fmt.Sprintf("sequence %d: %s", i+1, a.Reason)}
	}
	if f, ok := err.(*models.FieldError); ok {
		inBatch := *f
		inBatch.Field = fmt.Sprintf("sequences[%d]%s", i, strings.TrimPrefix(f.Field, argument))
		return &inBatch
	}
	return fmt.Errorf("sequence %d: %w", i+1, err)
}

// argument is the name of what Classify takes, with which the paths of errors begin.
const argument = "sequence"

// cannotTake is the error of a sequence as a whole.
func cannotTake(sequence tensor.Tensor, want string) error {
	return &models.FieldError{Field: argument, Value: tensorShapeOf(sequence), Want: want}
}

// check returns an error if the model cannot take a sequence.
func (c *Classifier) check(sequence tensor.Tensor) error {
	size, err := tensor.Size(sequence.Shape)
	if err != nil || size != sequence.Len() {
		return cannotTake(sequence, "of a shape that its Data fills")
	}
	if c.runs.Features == 0 {
		err = c.checkTokens(sequence)
	} else {
		err = c.checkValues(sequence)
	}
	if err != nil {
		return err
	}
	return c.checkSteps(sequence)
}

const atLeastOneStep = "of one step or more"

func (c *Classifier) checkTokens(sequence tensor.Tensor) error {
	tokens, ok := sequence.Data.([]int64)
	switch {
	case !ok || len(sequence.Shape) != 1:
		return cannotTake(sequence, "int64 [time]")
	case len(tokens) == 0:
		return cannotTake(sequence, atLeastOneStep)
	}
	return c.Model().checkTokens(argument, tokens)
}

func (c *Classifier) checkValues(sequence tensor.Tensor) error {
	features := c.runs.Features
	values, ok := sequence.Data.([]float32)
	switch {
	case !ok || len(sequence.Shape) != 2 || sequence.Shape[1] != features:
		return cannotTake(sequence, fmt.Sprintf("float32 [time, %d]", features))
	case len(values) == 0:
		return cannotTake(sequence, atLeastOneStep)
	}
	if i := slices.IndexFunc(values, func(v float32) bool { return !finite(float64(v)) }); i >= 0 {
		return notFinite(fmt.Sprintf("%s[%d][%d]", argument, i/features, i%features), values[i])
	}
	return nil
}

func (c *Classifier) checkSteps(sequence tensor.Tensor) error {
	steps, want := sequence.Shape[0], c.runs.Steps
	switch {
	case want == 0 || steps == want:
		return nil
	case c.runs.input.Fixed(inputs.Time) == 0:
		return ambiguous("Window", c.runs.Input, "the sequence has %d steps, and in experiments the model ran with %d alone", steps, want)
	}
	return cannotTake(sequence, fmt.Sprintf("of %d steps, which input %q takes", want, c.runs.Input))
}

// run sets the probabilities of the sequences with the given indices, which have the
// same length.
func (c *Classifier) run(ctx context.Context, sequences []tensor.Tensor, indices []int, probabilities [][]float64) error {
	answers, err := c.runs.answers(ctx, stack(sequences, indices))
	if err != nil {
		return err
	}
	for row, i := range indices {
		p, err := c.runs.Answers.probabilities(answers[row], len(c.runs.Labels))
		if err == nil {
			err = c.checkAnswer(p)
		}
		if err != nil {
			return inSequence(i, err)
		}
		probabilities[i] = p
	}
	return nil
}

// checkAnswer returns an error if probabilities are not what the description allows.
func (c *Classifier) checkAnswer(p []float64) error {
	classes, tolerance := c.runs.classes(), c.runs.tolerance
	switch {
	case c.runs.Answers == ClassNumbers && classes > 0 && len(p) > max(2, classes):
		return ambiguous("Answers", c.runs.Output, "the model answers with the class %d of %d", len(p)-1, classes)
	case tolerance > 0 && !sumToOne([][]float64{p}, tolerance, func(v float64) float64 { return v }):
		return ambiguous("Answers", c.runs.Output, "the probabilities %v do not sum to 1, as they did in experiments", p)
	}
	return nil
}

// stack returns the sequences with the given indices, which have the same length, as one
// tensor.
func stack(sequences []tensor.Tensor, indices []int) tensor.Tensor {
	shape := append([]int{len(indices)}, sequences[indices[0]].Shape...)
	if _, ok := sequences[indices[0]].Data.([]int64); ok {
		return tensor.Of(concat[int64](sequences, indices), shape...)
	}
	return tensor.Of(concat[float32](sequences, indices), shape...)
}

// concat returns the values of the sequences with the given indices, one after the other.
func concat[T tensor.Element](sequences []tensor.Tensor, indices []int) []T {
	var all []T
	for _, i := range indices {
		all = append(all, sequences[i].Data.([]T)...)
	}
	return all
}
