package infer

import (
	"fmt"
	"math"
	"slices"
)

// Answers says what the numbers are that a classifier answers with.
type Answers string

// What answers may be. One number is about the second of two classes.
const (
	Logits           Answers = "logits"
	Probabilities    Answers = "probabilities"
	LogProbabilities Answers = "log-probabilities" // natural logarithms of probabilities
	Percent          Answers = "percent"           // probabilities times 100
	Odds             Answers = "odds"              // in the proportion of the probabilities; one number is p/(1-p)
	ClassNumbers     Answers = "labels"            // the number of the class, from 0
)

// AllAnswers lists what answers may be.
var AllAnswers = []Answers{Logits, Probabilities, LogProbabilities, Percent, Odds, ClassNumbers}

// rounding is by how much a number may lie beyond its limits, or probabilities miss their
// sum.
const rounding = 1e-4

// probabilities returns the probability of each class, of at least so many classes,
// given an answer.
func (a Answers) probabilities(answer []float64, classes int) ([]float64, error) {
	if slices.ContainsFunc(answer, func(v float64) bool { return !finite(v) && (a != LogProbabilities || math.IsNaN(v)) }) {
		return nil, fmt.Errorf("the model answers %v: the values may lie far from what it was trained on, or the model be damaged", answer)
	}
	switch a {
	case Logits:
		return softmax(answer), nil
	case Odds:
		return fromOdds(answer)
	case ClassNumbers:
		return fromClassNumber(answer, classes)
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
			return nil, a.notThese(answer)
		}
		p[i] = min(max(v, 0), 1)
	}
	if len(p) == 1 {
		p = []float64{1 - p[0], p[0]}
	}
	return p, nil
}

// notThese is the error of an answer that is none of a.
func (a Answers) notThese(answer []float64) error {
	return ambiguous("Answers", "", "the model answers %v, which are no %s", answer, a)
}

func fromOdds(answer []float64) ([]float64, error) {
	if len(answer) == 1 {
		answer = []float64{1, answer[0]}
	}
	sum := 0.0
	for _, v := range answer {
		if sum += v; v < 0 {
			return nil, Odds.notThese(answer)
		}
	}
	if !(sum > 0) {
		return nil, fmt.Errorf("the model answers %v, which is in no proportion", answer)
	}
	p := make([]float64, len(answer))
	for i, v := range answer {
		p[i] = v / sum
	}
	return p, nil
}

// maxClasses is how many classes there may be.
const maxClasses = 1 << 20

func fromClassNumber(answer []float64, classes int) ([]float64, error) {
	v := answer[0]
	if len(answer) != 1 || v != math.Trunc(v) || v < 0 || v >= maxClasses {
		return nil, ambiguous("Answers", "", "the model answers %v, which is not the number of a class", answer)
	}
	p := make([]float64, max(2, int(v)+1, classes))
	p[int(v)] = 1
	return p, nil
}

// softmax returns the probabilities of classes with those logits. One logit is that of
// the second of two classes, where the first has 0.
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

// sumToOne reports whether the probabilities in each of the rows do, within tolerance.
func sumToOne(rows [][]float64, tolerance float64, probability func(v float64) float64) bool {
	return !slices.ContainsFunc(rows, func(row []float64) bool {
		sum := 0.0
		for _, v := range row {
			sum += probability(v)
		}
		return !(math.Abs(sum-1) <= tolerance)
	})
}
