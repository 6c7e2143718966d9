// Package metrics says how far forecasts lie from what came.
//
// A value that did not come, NaN, is left out and counted. A forecast that is NaN makes
// the metrics NaN.
package metrics

import (
	"fmt"
	"math"
	"slices"
)

// Answer is what was forecast for a series from one origin, beside what came.
type Answer struct {
	Actual   []float64 // [steps], NaN where it is missing
	Forecast []float64 // [steps]

	// Quantiles has the quantiles of each step in ascending order, [steps][levels]. It is
	// nil without.
	Quantiles [][]float64

	// Scale is the mean absolute difference between values a season apart in what the
	// series' forecaster was trained on, and Square that of the squared ones: see
	// [SeasonalError]. Answers without a positive Scale or Square leave the metrics that
	// need it.
	Scale, Square float64
}

// Metrics are errors of forecasts. A metric of which nothing is known is NaN.
type Metrics struct {
	Compared int // values that came and were compared
	Missing  int // values that did not come
	Unscaled int // compared values without a positive Scale, which leave MASE, RMSSE and MSIS

	MAE  float64 // mean absolute error
	MSE  float64 // mean squared error
	RMSE float64 // its root

	// SMAPE is the mean of 200 |y-f| / (|y|+|f|), in percent, 0 where both are 0:
	// Makridakis, Spiliotis, Assimakopoulos, "The M4 Competition" (2020).
	SMAPE float64

	// MASE is the mean of |y-f| / Scale: Hyndman and Koehler, "Another look at measures of
	// forecast accuracy" (2006).
	MASE float64

	// RMSSE is the mean over answers of the root of the mean of (y-f)² / Square:
	// Makridakis, Spiliotis, Assimakopoulos, "The M5 accuracy competition" (2022).
	RMSSE float64

	// Pinball is the mean pinball loss of each quantile, [levels]: level (y-q) above the
	// quantile and (1-level) (q-y) below it.
	Pinball []float64

	// WQL is the weighted quantile loss: the mean over levels of twice the sum of the
	// pinball losses, divided by the sum of |y|.
	WQL float64

	Intervals []Interval // by level in ascending order
}

// Interval has the metrics of a central prediction interval, between the quantiles
// (1-Level)/2 and (1+Level)/2.
type Interval struct {
	Level    float64 // the share of values that it should hold
	Coverage float64 // the share that it does hold

	// Score is the mean of the width plus 2/(1-Level) times the distance by which a value
	// lies outside: Gneiting and Raftery, "Strictly Proper Scoring Rules, Prediction, and
	// Estimation" (2007).
	Score float64

	// MSIS is the mean of the same over Scale: Makridakis and others (2020).
	MSIS float64
}

// Report has the metrics over all steps, and those of each step ahead.
type Report struct {
	All   Metrics
	Steps []Metrics
}

// Evaluate returns the metrics of answers, whose quantiles have the given levels between
// 0 and 1 in ascending order. Two levels with the sum 1 make an interval.
//
// It panics if slices do not have the lengths that Answer says.
func Evaluate(answers []Answer, levels []float64) Report {
	total := newSums(levels)
	var steps []*sums
	for i := range answers {
		a := &answers[i]
		a.check(i, len(levels))
		total.startAnswer()
		for h := range a.Actual {
			if h == len(steps) {
				steps = append(steps, newSums(levels))
			}
			total.add(a, h)
			steps[h].startAnswer()
			steps[h].add(a, h)
		}
	}
	r := Report{All: total.metrics()}
	for _, s := range steps {
		r.Steps = append(r.Steps, s.metrics())
	}
	return r
}

func (a *Answer) check(i, levels int) {
	steps := len(a.Actual)
	if len(a.Forecast) != steps || a.Quantiles != nil && len(a.Quantiles) != steps {
		panic(fmt.Sprintf("metrics: answer %d has %d values, %d forecasts and %d steps of quantiles", i, steps, len(a.Forecast), len(a.Quantiles)))
	}
	for _, q := range a.Quantiles {
		if len(q) != levels {
			panic(fmt.Sprintf("metrics: answer %d has %d quantiles for %d levels", i, len(q), levels))
		}
	}
}

// mean is a mean in the making.
type mean struct {
	sum float64
	n   int
}

func (m *mean) add(v float64) {
	m.sum += v
	m.n++
}

// value returns NaN for nothing.
func (m mean) value() float64 { return m.sum / float64(m.n) }

// sums holds metrics in the making.
type sums struct {
	missing, unscaled                int
	absolute, squared, smape, scaled mean
	roots, answer                    mean // of RMSSE, and of the answer that is being added
	size                             mean // of |y| where there are quantiles
	levels                           []float64
	pinball                          []mean
	intervals                        []intervalSums
}

type intervalSums struct {
	low, high               int // indices of its quantiles
	level                   float64
	coverage, score, scaled mean
}

func newSums(levels []float64) *sums {
	s := &sums{levels: levels, pinball: make([]mean, len(levels))}
	for low := len(levels)/2 - 1; low >= 0; low-- {
		high := slices.IndexFunc(levels, func(l float64) bool { return math.Abs(levels[low]+l-1) < 1e-9 })
		if high > low {
			s.intervals = append(s.intervals, intervalSums{low: low, high: high, level: levels[high] - levels[low]})
		}
	}
	return s
}

// startAnswer ends the answer before, of which RMSSE takes the root.
func (s *sums) startAnswer() {
	if s.answer.n > 0 {
		s.roots.add(math.Sqrt(s.answer.value()))
	}
	s.answer = mean{}
}

// add adds step h of an answer.
func (s *sums) add(a *Answer, h int) {
	y, f := a.Actual[h], a.Forecast[h]
	if math.IsNaN(y) {
		s.missing++
		return
	}
	e := math.Abs(y - f)
	s.absolute.add(e)
	s.squared.add(e * e)
	s.smape.add(symmetric(y, f))
	if a.Scale > 0 {
		s.scaled.add(e / a.Scale)
	} else {
		s.unscaled++
	}
	if a.Square > 0 {
		s.answer.add(e * e / a.Square)
	}
	if a.Quantiles != nil {
		s.addQuantiles(y, a.Quantiles[h], a.Scale)
	}
}

// symmetric returns the percentage error of the M4 competition.
func symmetric(y, f float64) float64 {
	if y == 0 && f == 0 {
		return 0
	}
	return 200 * math.Abs(y-f) / (math.Abs(y) + math.Abs(f))
}

func (s *sums) addQuantiles(y float64, quantiles []float64, scale float64) {
	s.size.add(math.Abs(y))
	for i, q := range quantiles {
		s.pinball[i].add(max(s.levels[i]*(y-q), (s.levels[i]-1)*(y-q)))
	}
	for i := range s.intervals {
		s.intervals[i].add(y, quantiles, scale)
	}
}

func (s *intervalSums) add(y float64, quantiles []float64, scale float64) {
	low, high := quantiles[s.low], quantiles[s.high]
	outside := max(0, low-y, y-high)
	score := high - low + 2/(1-s.level)*outside
	s.score.add(score)
	if scale > 0 {
		s.scaled.add(score / scale)
	}
	switch {
	case math.IsNaN(outside):
		s.coverage.add(math.NaN())
	case outside > 0:
		s.coverage.add(0)
	default:
		s.coverage.add(1)
	}
}

func (s *sums) metrics() Metrics {
	s.startAnswer()
	m := Metrics{
		Compared: s.absolute.n, Missing: s.missing, Unscaled: s.unscaled,
		MAE: s.absolute.value(), MSE: s.squared.value(), RMSE: math.Sqrt(s.squared.value()),
		SMAPE: s.smape.value(), MASE: s.scaled.value(), RMSSE: s.roots.value(),
	}
	var loss mean
	for _, p := range s.pinball {
		m.Pinball = append(m.Pinball, p.value())
		loss.add(2 * p.sum / s.size.sum)
	}
	m.WQL = loss.value()
	for _, i := range s.intervals {
		m.Intervals = append(m.Intervals, Interval{i.level, i.coverage.value(), i.score.value(), i.scaled.value()})
	}
	return m
}

// SeasonalError returns the mean absolute difference between known values of a series
// that lie a season of so many steps apart, and the mean squared one: the Scale and the
// Square of an [Answer]. A season of 0 counts as 1. Both are NaN if there are no such
// values, and 0 if the differences are those of rounding.
func SeasonalError(values []float64, season int) (scale, square float64) {
	var absolute, squared, size mean
	season = max(1, season)
	for i := season; i < len(values); i++ {
		if d := values[i] - values[i-season]; !math.IsNaN(d) {
			absolute.add(math.Abs(d))
			squared.add(d * d)
			size.add(math.Abs(values[i]))
		}
	}
	if absolute.value() <= rounding*size.value() {
		return 0, 0
	}
	return absolute.value(), squared.value()
}

// rounding is what the rounding of float64 adds to a value at most, relative to it, in
// sums of a few.
const rounding = 1e-12
