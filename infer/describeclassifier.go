package infer

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/inputs"
	"github.com/rnnkit/rnnkit/internal/ranges"
)

func (p *probe) describeClassifier(ctx context.Context, known Description) (*Description, error) {
	limits := ranges.Of(p.graph)
	found, err := p.describeOutputs(ctx, known, func(ctx context.Context, p *probe, letters string) error {
		return p.describeClasses(ctx, known, letters, limits[p.Output])
	})
	if err != nil {
		return nil, err
	}
	d, err := p.sameAnswers(ctx, found)
	if err != nil {
		return nil, err
	}
	return p.withDescription(d).nameClasses()
}

// describeClasses describes the output of a classifier.
func (p *probe) describeClasses(ctx context.Context, known Description, letters string, limits ranges.Range) error {
	if strings.Count(letters, string(inputs.Batch)) != 1 || strings.Contains(letters, "?") {
		return p.unfit()
	}
	letters, err := p.stepsOrClasses(ctx, letters, len(known.Labels))
	if err != nil {
		return err
	}
	if strings.Count(letters, string(inputs.Other)) > 1 {
		return p.unfit()
	}
	p.setLayout(letters)
	if err := p.checkRows(); err != nil {
		return err
	}
	if err := p.describeAnswers(ctx, known.Answers, limits); err != nil {
		return err
	}
	if p.Answers == ClassNumbers && p.Width > 1 {
		return ambiguous("Answers", p.Output, "output %q has %d values, so it is not one label", p.Output, p.Width)
	}
	_, err = p.withDescription(p.Description).nameClasses()
	return err
}

// stepsOrClasses reports whether a dimension that goes with the time, or has its size, is
// that of the steps, of which the last one counts, or of so many classes.
func (p *probe) stepsOrClasses(ctx context.Context, letters string, classes int) (string, error) {
	axis := p.timeAxis(letters)
	how, err := p.causality(ctx, axis)
	switch {
	case err != nil:
		return "", err
	case how == causal:
		return replace(letters, axis, inputs.Time), nil
	case axis >= 0 && letters[axis] == inputs.Time:
		return "", ambiguous("Output", p.Output, "output %q has an answer at each step, and that of the last one may not be of the whole sequence", p.Output)
	case axis >= 0 && classes != p.Steps:
		return "", ambiguous("Labels", p.Output, "output %q has the shape %v for a batch of %d: the %d may be classes, or the steps of a sequence", p.Output, p.shape(), p.sample.batch, p.Steps)
	}
	return letters, nil
}

// describeAnswers finds out what the answers are, unless the caller knows.
func (p *probe) describeAnswers(ctx context.Context, known Answers, limits ranges.Range) error {
	if p.Answers = known; known != "" {
		return nil
	}
	examples, err := p.examples(ctx)
	if err != nil {
		return err
	}
	switch p.sample.outputs[p.Output].Data.(type) {
	case []float32, []float64, []tensor.Half:
	default:
		limits.Integer = true
	}
	if p.Answers, p.tolerance, err = judge(examples, limits); err != nil {
		return ambiguous("Answers", p.Output, "output %q answers with %v", p.Output, err)
	}
	return nil
}

// sameAnswers returns the first of the descriptions if all give the same answers: the
// first of those with probabilities where some have class numbers alone.
func (p *probe) sameAnswers(ctx context.Context, found []*Description) (*Description, error) {
	best := slices.IndexFunc(found, func(d *Description) bool { return d.Answers != ClassNumbers })
	best = max(best, 0)
	if len(found) == 1 {
		return found[0], nil
	}
	want, err := p.exampleProbabilities(ctx, found[best])
	if err != nil {
		return nil, err
	}
	for _, d := range found {
		got, err := p.exampleProbabilities(ctx, d)
		if err != nil || !agree(want, got, d.Answers == ClassNumbers) {
			return nil, severalOutputs(found)
		}
	}
	return found[best], nil
}

// exampleProbabilities returns the probabilities of random sequences by a description.
func (p *probe) exampleProbabilities(ctx context.Context, d *Description) (list [][]float64, err error) {
	examples, err := p.withDescription(d).examples(ctx)
	for _, row := range examples {
		probabilities, err := d.Answers.probabilities(row, 0)
		if err != nil {
			return nil, err
		}
		list = append(list, probabilities)
	}
	return list, err
}

// agree reports whether two descriptions give the same probabilities, or the same
// likeliest class.
func agree(a, b [][]float64, likeliest bool) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if likeliest {
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

// judge tells what answers in that range are, from examples of them, and by how much
// their sums may miss 1.
func judge(examples [][]float64, r ranges.Range) (a Answers, tolerance float64, err error) {
	if len(examples[0]) == 1 {
		a, err = judgeOne(examples, r)
		return a, 0, err
	}
	tolerance = rounding + halfRounding(examples)
	if r.Low >= 0 && r.High <= 1 { // probabilities that are kept off 0 and 1
		tolerance += float64(len(examples[0]))*r.Low + 1 - r.High
	}
	within := func(low, high float64) bool {
		return all(examples, func(v float64) bool { return v >= low && v <= high })
	}
	switch {
	case r.Index:
		return "", 0, fmt.Errorf("the numbers of several classes a sequence, such as the likeliest ones, and nothing tells which is the answer")
	case within(-rounding, 1+rounding) && sumToOne(examples, tolerance, func(v float64) float64 { return v }):
		return Probabilities, tolerance, nil
	case within(-rounding, 100+100*rounding) && sumToOne(examples, tolerance, func(v float64) float64 { return v / 100 }):
		return Percent, tolerance, nil
	case within(math.Inf(-1), rounding) && sumToOne(examples, tolerance, math.Exp):
		return LogProbabilities, tolerance, nil
	case r.Softmax && r.Linear:
		return "", 0, fmt.Errorf("a linear layer after a Softmax, whose answers do not sum to 1")
	case r.Linear || unlimited(r, examples):
		return Logits, 0, nil
	}
	return "", 0, notJudged(r, examples)
}

// judgeOne is judge for one answer to a sequence, of which examples prove little: a logit
// may never leave 0 to 1 either.
func judgeOne(examples [][]float64, r ranges.Range) (Answers, error) {
	switch {
	case r.Index || r.Integer && r.Low >= 0 && r.High <= 1:
		return ClassNumbers, nil
	case r.Integer:
		return "", notJudged(r, examples)
	case r.Softmax:
		return "", fmt.Errorf("one of the values of a Softmax, or computed from them, and nothing tells of which class it speaks")
	case r.Extreme:
		return "", fmt.Errorf("the largest or smallest of several, and nothing tells of which class it speaks")
	case r.Linear:
		return Logits, nil
	case spans(r, 0, 1):
		return Probabilities, nil
	case spans(r, 0, 100):
		return Percent, nil
	case unlimited(r, examples):
		return Logits, nil
	}
	return "", notJudged(r, examples)
}

// halfRounding returns by how much sums may miss 1 because the numbers went through
// float16, if that holds all of them.
func halfRounding(examples [][]float64) float64 {
	half := func(v float64) bool { return v == float64(tensor.HalfOf(float32(v)).Float32()) }
	if all(examples, half) {
		return 1.0 / (1 << 9)
	}
	return 0
}

// all reports whether ok holds for all values of the examples.
func all(examples [][]float64, ok func(v float64) bool) bool {
	return !slices.ContainsFunc(examples, func(row []float64) bool {
		return slices.ContainsFunc(row, func(v float64) bool { return !ok(v) })
	})
}

// spans reports whether r goes from low to high, give or take a tenth of the distance
// within.
func spans(r ranges.Range, low, high float64) bool {
	unit := high - low
	return r.Low >= low-rounding*unit && r.Low <= low+unit/10 && r.High <= high+rounding*unit && r.High >= high-unit/10
}

// unlimited reports whether nothing limits the values, and examples have both signs and
// leave -1 to 1.
func unlimited(r ranges.Range, examples [][]float64) bool {
	positive := func(v float64) bool { return v >= 0 }
	negative := func(v float64) bool { return v <= 0 }
	small := func(v float64) bool { return math.Abs(v) <= 1+rounding }
	return r.Low < -1-rounding && r.High > 1+rounding && !r.Integer &&
		!all(examples, positive) && !all(examples, negative) && !all(examples, small)
}

// notJudged is the error of answers that may be several things.
func notJudged(r ranges.Range, examples [][]float64) error {
	low, high := math.Inf(1), math.Inf(-1)
	for _, row := range examples {
		low, high = min(low, slices.Min(row)), max(high, slices.Max(row))
	}
	kind := "numbers"
	if r.Integer {
		kind = "whole numbers"
	}
	return fmt.Errorf("%s that lay between %.4g and %.4g in experiments, which may be logits or not", kind, low, high)
}
