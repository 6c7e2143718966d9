package infer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/models"
)

// Classifier tells how likely a sequence is to be of each of a model's classes.
// It is safe for concurrent use.
type Classifier struct {
	model  *Model
	labels []string
}

// NewClassifier returns a Classifier that runs m. It is an error if m was not
// trained to classify whole sequences, or does not name its classes.
func NewClassifier(m *Model) (*Classifier, error) {
	if err := m.checkTask(models.Classify); err != nil {
		return nil, err
	}
	if err := m.checkInput(); err != nil {
		return nil, err
	}
	switch labels := m.meta.Labels; {
	case len(labels) < 2:
		return nil, fmt.Errorf("the model names %d classes: a Classifier needs two or more Labels in the metadata", len(labels))
	case m.meta.Spec.Readout == models.ReadAll:
		return nil, fmt.Errorf("the model answers at every step (readout %q): a Classifier needs one answer a sequence; use Run", models.ReadAll)
	default:
		return &Classifier{m, labels}, nil
	}
}

// Labels returns the names of the classes, in the order of the probabilities.
// The caller must not change them.
func (c *Classifier) Labels() []string { return c.labels }

// Classify returns the probability of each of the Labels for one sequence, of
// at least one step: float32 [time, features], or int64 [time] for a model of
// tokens. It is the softmax of the model's answers; of a model with one answer
// for two classes that answer's sigmoid is the second probability.
//
// A value that is not finite, or a token that the model does not know, is an
// error.
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

// ClassifyBatch returns what [Classifier.Classify] does for each of sequences.
// Those of the same length go through the model together.
func (c *Classifier) ClassifyBatch(ctx context.Context, sequences []tensor.Tensor) ([][]float64, error) {
	byLength := make([]int, len(sequences))
	for i, s := range sequences {
		if err := c.check(s); err != nil {
			return nil, fmt.Errorf("sequence %d: %w", i+1, err)
		}
		byLength[i] = i
	}
	slices.SortStableFunc(byLength, func(i, j int) int { return sequences[i].Shape[0] - sequences[j].Shape[0] })
	probabilities := make([][]float64, len(sequences))
	for len(byLength) > 0 {
		length := sequences[byLength[0]].Shape[0]
		most := min(len(byLength), max(1, min(maxBatch, maxSteps/length)))
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

// check returns the reason why the model cannot read s, if there is one.
func (c *Classifier) check(s tensor.Tensor) error {
	spec := c.model.meta.Spec
	if size, err := tensor.Size(s.Shape); err != nil || size != s.Len() {
		return fmt.Errorf("it has %d values for the shape %v", s.Len(), s.Shape)
	}
	if spec.Vocabulary > 0 {
		tokens, ok := s.Data.([]int64)
		switch {
		case !ok || len(s.Shape) != 1:
			return fmt.Errorf("it is %s of shape %v: the model reads int64 [time]", s.Type(), s.Shape)
		case len(tokens) == 0:
			return errNoSteps
		}
		return c.model.checkTokens(tokens)
	}
	values, ok := s.Data.([]float32)
	switch {
	case !ok || len(s.Shape) != 2 || s.Shape[1] != spec.Features:
		return fmt.Errorf("it is %s of shape %v: the model reads float32 [time, %d]", s.Type(), s.Shape, spec.Features)
	case len(values) == 0:
		return errNoSteps
	}
	for i, v := range values {
		if x := float64(v); math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("step %d has the value %g: it must be finite", i/spec.Features+1, v)
		}
	}
	return nil
}

var errNoSteps = errors.New("it is empty: give it one step or more")

// run sets the probabilities of those sequences, which have the same length, that
// have the given indices.
func (c *Classifier) run(ctx context.Context, sequences []tensor.Tensor, indices []int, probabilities [][]float64) error {
	shape := append([]int{len(indices)}, sequences[indices[0]].Shape...)
	var input tensor.Tensor
	if c.model.meta.Spec.Vocabulary > 0 {
		input = tensor.Of(join[int64](sequences, indices), shape...)
	} else {
		input = tensor.Of(join[float32](sequences, indices), shape...)
	}
	results, err := c.model.Run(ctx, map[string]tensor.Tensor{inputName: input}, outputName)
	if err != nil {
		return err
	}
	y, err := tensor.Values[float32](results[outputName])
	if err != nil {
		return fmt.Errorf("output %q: %w", outputName, err)
	}
	outputs := c.model.meta.Spec.Outputs
	if len(y) != len(indices)*outputs {
		return fmt.Errorf("output %q has %d values for %d sequences: a Classifier needs %d each", outputName, len(y), len(indices), outputs)
	}
	for row, i := range indices {
		logits := y[row*outputs:][:outputs]
		for _, z := range logits {
			if v := float64(z); math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Errorf("sequence %d: the model answers %g: the values may lie far from what it was trained on, or the model be damaged", i+1, z)
			}
		}
		probabilities[i] = softmax(logits)
	}
	return nil
}

// join returns the values of the sequences with the given indices, one after the
// other.
func join[T tensor.Element](sequences []tensor.Tensor, indices []int) []T {
	var joined []T
	for _, i := range indices {
		joined = append(joined, sequences[i].Data.([]T)...)
	}
	return joined
}

// softmax returns the probabilities of classes with the given logits, of which
// the first is 0 and left out where there is one.
func softmax(logits []float32) []float64 {
	p := make([]float64, 0, len(logits)+1)
	if len(logits) == 1 {
		p = append(p, 0)
	}
	for _, z := range logits {
		p = append(p, float64(z))
	}
	largest, sum := slices.Max(p), 0.0
	for i, z := range p {
		p[i] = math.Exp(z - largest)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}
