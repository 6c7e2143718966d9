package reading

import (
	"fmt"
	"math"
	"slices"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/ranges"
)

// Answers is what the numbers are that a classifier answers with.
type Answers string

// What answers may be. One number a sequence speaks of the second of two classes.
const (
	Logits           Answers = "logits"
	Probabilities    Answers = "probabilities"
	LogProbabilities Answers = "log-probabilities" // natural logarithms of probabilities
	Percent          Answers = "percent"           // probabilities times 100
	Odds             Answers = "odds"              // numbers in the proportion of the probabilities; one: p/(1-p)
	Labels           Answers = "labels"            // the number of the class, from 0
)

// AllAnswers are the answers there are.
var AllAnswers = []Answers{Logits, Probabilities, LogProbabilities, Percent, Odds, Labels}

// rounding is by how much a number may lie beyond its bounds, or probabilities
// miss their sum.
const rounding = 1e-4

// Classes returns the probability of each class of an answer. Of a label it is 1.
func (a Answers) classes(answer []float64) ([]float64, error) {
	if slices.ContainsFunc(answer, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) && a != LogProbabilities }) {
		return nil, fmt.Errorf("the model answers %v: the values may lie far from what it was trained on, or the model be damaged", answer)
	}
	switch a {
	case Logits:
		return softmax(answer), nil
	case Odds:
		return a.odds(answer)
	case Labels:
		return a.label(answer)
	}
	p := make([]float64, len(answer))
	for i, v := range answer {
		switch a {
		case Percent:
			v /= 100
		case LogProbabilities:
			v = math.Exp(v)
		}
		if !(v >= -rounding && v <= 1+rounding) {
			return nil, doubt(AboutAnswers, "", "the model answers %v, which is not of %s", answer, a)
		}
		p[i] = min(max(v, 0), 1)
	}
	if len(p) == 1 {
		p = []float64{1 - p[0], p[0]}
	}
	return p, nil
}

func (a Answers) odds(answer []float64) ([]float64, error) {
	if len(answer) == 1 {
		answer = []float64{1, answer[0]}
	}
	sum := 0.0
	for _, v := range answer {
		if sum += v; v < 0 {
			return nil, doubt(AboutAnswers, "", "the model answers %v, which is not of %s", answer, a)
		}
	}
	p := make([]float64, len(answer))
	for i, v := range answer {
		p[i] = v / sum
	}
	if !(sum > 0) {
		return nil, fmt.Errorf("the model answers %v, which is in no proportion", answer)
	}
	return p, nil
}

// maxClasses is how many classes a label may be one of.
const maxClasses = 1 << 20

func (a Answers) label(answer []float64) ([]float64, error) {
	v := answer[0]
	if len(answer) != 1 || v != math.Trunc(v) || v < 0 || v >= maxClasses {
		return nil, doubt(AboutAnswers, "", "the model answers %v, which is not the number of a class", answer)
	}
	p := make([]float64, max(2, int(v)+1))
	p[int(v)] = 1
	return p, nil
}

// softmax returns the probabilities of classes with those logits, of which the
// first is 0 and left out where there is one.
func softmax(logits []float64) []float64 {
	if len(logits) == 1 {
		logits = []float64{0, logits[0]}
	}
	p := make([]float64, len(logits))
	largest, sum := slices.Max(logits), 0.0
	for i, z := range logits {
		p[i] = math.Exp(z - largest)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

// judge tells what the answers are that lie in those bounds, from examples of
// them, and by how much their sums may miss.
func judge(examples [][]float64, b ranges.Range) (a Answers, slack float64, err error) {
	if len(examples[0]) == 1 {
		a, err = judgeOne(examples, b)
		return a, 0, err
	}
	slack = rounding + roundedBy(examples)
	if b.Low >= 0 && b.High <= 1 {
		slack += float64(len(examples[0]))*b.Low + 1 - b.High
	}
	within := func(low, high float64) bool {
		return always(examples, func(v float64) bool { return v >= low && v <= high })
	}
	switch {
	case b.Index:
		return "", 0, fmt.Errorf("the numbers of several classes a sequence, such as the likeliest ones, and nothing tells which is the answer")
	case within(-rounding, 1+rounding) && sums(examples, slack, func(v float64) float64 { return v }):
		return Probabilities, slack, nil
	case within(-rounding, 100+100*rounding) && sums(examples, slack, func(v float64) float64 { return v / 100 }):
		return Percent, slack, nil
	case within(math.Inf(-1), rounding) && sums(examples, slack, math.Exp):
		return LogProbabilities, slack, nil
	case b.Softmax && b.Linear:
		return "", 0, fmt.Errorf("a linear layer after a Softmax, whose answers do not add up to 1")
	case b.Linear || free(b, examples):
		return Logits, 0, nil
	}
	return "", 0, refuse(b, examples)
}

// judgeOne is judge for one answer a sequence, of which examples prove little: a
// logit may never leave 0 to 1 either.
func judgeOne(examples [][]float64, b ranges.Range) (Answers, error) {
	switch {
	case b.Index || b.Integer && b.Low >= 0 && b.High <= 1:
		return Labels, nil
	case b.Integer:
		return "", refuse(b, examples)
	case b.Softmax:
		return "", fmt.Errorf("one of the values of a Softmax, or computed from them, and nothing tells of which class it speaks")
	case b.Extreme:
		return "", fmt.Errorf("the largest or smallest of several, and nothing tells of which class it speaks")
	case b.Linear:
		return Logits, nil
	case spans(b, 0, 1):
		return Probabilities, nil
	case spans(b, 0, 100):
		return Percent, nil
	case free(b, examples):
		return Logits, nil
	}
	return "", refuse(b, examples)
}

// roundedBy returns by how much sums may miss because the numbers went through
// float16, as all that it holds did.
func roundedBy(examples [][]float64) float64 {
	half := func(v float64) bool { return v == float64(tensor.HalfOf(float32(v)).Float32()) }
	if always(examples, half) {
		return 1.0 / (1 << 9)
	}
	return 0
}

// always tells whether all values of the examples are like that.
func always(examples [][]float64, like func(v float64) bool) bool {
	return !slices.ContainsFunc(examples, func(row []float64) bool {
		return slices.ContainsFunc(row, func(v float64) bool { return !like(v) })
	})
}

// sums tells whether the probabilities of each example add up to 1.
func sums(examples [][]float64, slack float64, probability func(v float64) float64) bool {
	return !slices.ContainsFunc(examples, func(row []float64) bool {
		sum := 0.0
		for _, v := range row {
			sum += probability(v)
		}
		return !(math.Abs(sum-1) <= slack)
	})
}

// spans reports whether b goes from low to high, give or take a tenth of the distance
// within.
func spans(b ranges.Range, low, high float64) bool {
	unit := high - low
	return b.Low >= low-rounding*unit && b.Low <= low+unit/10 && b.High <= high+rounding*unit && b.High >= high-unit/10
}

// free reports whether nothing limits the values, and examples have both signs and leave
// -1 to 1.
func free(b ranges.Range, examples [][]float64) bool {
	positive := func(v float64) bool { return v >= 0 }
	negative := func(v float64) bool { return v <= 0 }
	small := func(v float64) bool { return math.Abs(v) <= 1+rounding }
	return b.Low < -1-rounding && b.High > 1+rounding && !b.Integer &&
		!always(examples, positive) && !always(examples, negative) && !always(examples, small)
}

// refuse returns an error that says what the values are like.
func refuse(b ranges.Range, examples [][]float64) error {
	low, high := math.Inf(1), math.Inf(-1)
	for _, row := range examples {
		low, high = min(low, slices.Min(row)), max(high, slices.Max(row))
	}
	kind := "numbers"
	if b.Integer {
		kind = "whole numbers"
	}
	return fmt.Errorf("%s that lay between %.4g and %.4g in experiments, which may be logits or not", kind, low, high)
}
