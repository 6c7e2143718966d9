package reading

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/inputs"
	"github.com/rnnkit/rnnkit/internal/ranges"
)

// Classifier tells how likely sequences are to be of each class.
type Classifier struct {
	*model
	chosen bool // what the answers are, by a person
}

// String says how the model is read.
func (c *Classifier) String() string {
	what := fmt.Sprintf("%s of %d classes", c.Answers, c.Classes)
	switch {
	case c.Classes == 0:
		what = "labels"
	case c.Width == 1 && c.Answers != Labels:
		what = fmt.Sprintf("%s of the second of two classes", c.Answers)
	}
	return fmt.Sprintf("reads %s, answers %s: %s", c.inputDims(), c.outputDims(), what)
}

// ClassifyBatch returns the probability of each class for each of sequences,
// float32 [time, features] or int64 [time]. Those of the same length go through
// the model together.
func (c *Classifier) ClassifyBatch(ctx context.Context, sequences []tensor.Tensor) ([][]float64, error) {
	all := make([][]float64, len(sequences))
	byLength := map[int][]int{}
	for i, s := range sequences {
		steps := s.Shape[0]
		if c.Steps > 0 && steps != c.Steps && c.input.Fixed(inputs.Time) == 0 {
			return nil, doubt(AboutSteps, c.Input, "sequence %d has %d steps, and in experiments the model ran with %d alone", i+1, steps, c.Steps)
		}
		if c.Steps > 0 && steps != c.Steps {
			return nil, fmt.Errorf("sequence %d has %d steps, and input %q reads %d: give each line as many", i+1, steps, c.Input, c.Steps)
		}
		byLength[steps] = append(byLength[steps], i)
	}
	for _, steps := range slices.Sorted(maps.Keys(byLength)) {
		size := max(1, min(maxBatch, maxSteps/max(1, steps)))
		for rows := range slices.Chunk(byLength[steps], size) {
			if err := c.classify(ctx, sequences, rows, all); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// maxBatch and maxSteps are how many sequences, and steps of all of them, go
// through the model at once.
const (
	maxBatch = 64
	maxSteps = 1 << 16
)

// classify sets the probabilities of those sequences, which have one length.
func (c *Classifier) classify(ctx context.Context, sequences []tensor.Tensor, rows []int, all [][]float64) error {
	answers, err := c.ask(ctx, stack(sequences, rows))
	if err != nil {
		return err
	}
	for i, row := range rows {
		if all[row], err = c.Answers.classes(answers[i]); err != nil {
			return fmt.Errorf("sequence %d: %w", row+1, err)
		}
		if err := c.check(all[row]); err != nil {
			return doubt(AboutAnswers, c.Output, "sequence %d: %w", row+1, err)
		}
	}
	return nil
}

// check tells whether probabilities are such as those in experiments were.
func (c *Classifier) check(p []float64) error {
	switch {
	case c.Answers == Labels && c.Classes > 0 && len(p) > max(2, c.Classes):
		return fmt.Errorf("the model answers with the label %d of %d classes", len(p)-1, c.Classes)
	case c.chosen || c.Width == 1 || c.Answers == Logits:
		return nil
	case !sums([][]float64{p}, c.Slack, func(v float64) float64 { return v }):
		return fmt.Errorf("the probabilities %v do not add up to 1, as they did in experiments", p)
	}
	return nil
}

// stack returns those sequences, which have one length, as one tensor.
func stack(sequences []tensor.Tensor, rows []int) tensor.Tensor {
	shape := append([]int{len(rows)}, sequences[rows[0]].Shape...)
	if _, tokens := sequences[rows[0]].Data.([]int64); tokens {
		return tensor.Of(joinRows[int64](sequences, rows), shape...)
	}
	return tensor.Of(joinRows[float32](sequences, rows), shape...)
}

func joinRows[T tensor.Element](sequences []tensor.Tensor, rows []int) (all []T) {
	for _, i := range rows {
		all = append(all, sequences[i].Data.([]T)...)
	}
	return all
}

// Classifier reads a classifier.
func (s Source) Classifier(ctx context.Context, c Choice) (*Classifier, error) {
	m, err := s.begin(c)
	if err != nil {
		return nil, err
	}
	limits := ranges.Of(s.Graph)
	found, err := m.find(ctx, c, func(ctx context.Context, m *model, dimensions string) error {
		return m.readClasses(ctx, c, dimensions, limits[m.Output])
	})
	if err != nil {
		return nil, err
	}
	if m.Reading, err = m.sameAnswers(ctx, found); err != nil {
		return nil, err
	}
	return &Classifier{m, c.Answers != ""}, nil
}

// readClasses reads an output as that of a classifier.
func (m *model) readClasses(ctx context.Context, c Choice, dimensions string, limits ranges.Range) error {
	if strings.Count(dimensions, string(inputs.Batch)) != 1 || strings.Contains(dimensions, "?") {
		return m.unfit()
	}
	dimensions, err := m.stepsOrClasses(ctx, dimensions, c.Labels)
	if err != nil {
		return err
	}
	if strings.Count(dimensions, string(inputs.Other)) > 1 {
		return m.unfit()
	}
	m.set(dimensions)
	if err := m.alone(); err != nil {
		return err
	}
	if err := m.readAnswers(ctx, c.Answers, limits); err != nil {
		return err
	}
	switch m.Classes = max(2, m.Width); {
	case m.Answers == Labels && m.Width > 1:
		return doubt(AboutAnswers, m.Output, "output %q has %d values, so it is not one label", m.Output, m.Width)
	case m.Answers == Labels:
		m.Classes = c.Labels
	case c.Labels > 0 && m.Classes != c.Labels:
		return doubt(AboutLabels, m.Output, "output %q answers for %d classes, not %d", m.Output, m.Classes, c.Labels)
	}
	return nil
}

// stepsOrClasses tells whether a dimension, that goes with the time or has its size,
// is that of the steps, of which the last one counts, or of so many labels.
func (m *model) stepsOrClasses(ctx context.Context, dimensions string, labels int) (string, error) {
	axis := m.timeAxis(dimensions)
	how, err := m.perStep(ctx, axis)
	switch {
	case err != nil:
		return "", err
	case how == causal:
		return replace(dimensions, axis, inputs.Time), nil
	case axis >= 0 && dimensions[axis] == inputs.Time:
		return "", doubt(AboutOutput, m.Output, "output %q has an answer at each step, and that of the last one may not be of the whole sequence", m.Output)
	case axis >= 0 && labels != m.Steps:
		shape := m.sample.outputs[m.Output].Shape
		return "", doubt(AboutLabels, m.Output, "output %q has the shape %v for a batch of %d: the %d may be classes, or the steps of a sequence", m.Output, shape, m.sample.batch, m.Steps)
	}
	return dimensions, nil
}

// readAnswers finds out what the answers are, unless that is said.
func (m *model) readAnswers(ctx context.Context, said Answers, limits ranges.Range) error {
	if m.Answers = said; said != "" {
		return nil
	}
	examples, err := m.examples(ctx)
	if err != nil {
		return err
	}
	switch m.sample.outputs[m.Output].Data.(type) {
	case []float32, []float64, []tensor.Half:
	default:
		limits.Integer = true
	}
	if m.Answers, m.Slack, err = judge(examples, limits); err != nil {
		return doubt(AboutAnswers, m.Output, "output %q answers with %w", m.Output, err)
	}
	return nil
}

// sameAnswers returns the first of the readings if all give the same answers, the
// first of those with probabilities where some have labels alone.
func (m *model) sameAnswers(ctx context.Context, found []Reading) (Reading, error) {
	best := slices.IndexFunc(found, func(r Reading) bool { return r.Answers != Labels })
	best = max(best, 0)
	if len(found) == 1 {
		return found[0], nil
	}
	want, err := m.likelihoods(ctx, found[best])
	if err != nil {
		return Reading{}, err
	}
	for _, r := range found {
		got, err := m.likelihoods(ctx, r)
		if err != nil || !agree(want, got, r.Answers == Labels) {
			return Reading{}, severalAnswers(found)
		}
	}
	return found[best], nil
}

// likelihoods returns the probabilities of random sequences by a reading.
func (m *model) likelihoods(ctx context.Context, r Reading) (list [][]float64, err error) {
	one := *m
	one.Reading = r
	examples, err := one.examples(ctx)
	for _, row := range examples {
		p, err := r.Answers.classes(row)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, err
}

// agree tells whether two readings give the same probabilities, or the same label.
func agree(a, b [][]float64, label bool) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if label {
			if slices.Index(a[i], slices.Max(a[i])) != slices.Index(b[i], slices.Max(b[i])) {
				return false
			}
			continue
		}
		near := func(p, q float64) bool { return math.Abs(p-q) <= 10*rounding }
		if !slices.EqualFunc(a[i], b[i], near) {
			return false
		}
	}
	return true
}
