package metrics

import (
	"fmt"
	"math"
	"slices"
)

// VUSPR returns the volume under the surface of precision and recall. It is the mean of the
// area under their curve over buffers of 0 to window rows around the anomalies, half of them
// on each side. A row of a buffer counts the less, the farther it lies from the anomaly. So a
// score that is a little early or late still counts. [Period] is the usual window.
//
// The formula is that of Paparrizos and others, "Volume Under the Surface" (2022), as the
// package vus and TSB-AD compute it.
//
// It is NaN if no row is an anomaly or a score is NaN, and panics if the lengths differ.
func VUSPR(anomalies []bool, scores []float64, window int) float64 {
	order := ranked(anomalies, scores)
	if count(anomalies) == 0 || slices.ContainsFunc(scores, math.IsNaN) {
		return math.NaN()
	}
	s := newSurface(anomalies, scores, order, window)
	volume := 0.0
	for buffer := range window + 1 {
		volume += s.area(buffer)
	}
	return volume / float64(window+1)
}

// ranked returns the rows by descending score.
func ranked(anomalies []bool, scores []float64) []int {
	if len(anomalies) != len(scores) {
		panic(fmt.Sprintf("metrics: %d rows and %d scores", len(anomalies), len(scores)))
	}
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case scores[a] > scores[b]:
			return -1
		case scores[a] < scores[b]:
			return 1
		}
		return 0
	})
	return order
}

func count(anomalies []bool) (n int) {
	for _, a := range anomalies {
		if a {
			n++
		}
	}
	return n
}

// surfaceLevels is how many thresholds a curve has.
const surfaceLevels = 250

// surface computes areas under curves of precision and recall.
type surface struct {
	anomalies []bool
	scores    []float64
	spans     []span
	order     []int     // rows by descending score
	reached   []int     // rows whose score reaches the threshold, for each
	levels    []float64 // thresholds, descending
	near      []bool    // rows that lie in the largest buffer
	soft      []float64 // how much a row in a buffer counts
}

// span is a run of anomalous rows.
type span struct{ first, last int }

func newSurface(anomalies []bool, scores []float64, order []int, window int) *surface {
	n := len(scores)
	s := &surface{anomalies: anomalies, scores: scores, order: order, spans: spansOf(anomalies), near: make([]bool, n), soft: make([]float64, n)}
	step := float64(n-1) / (surfaceLevels - 1)
	for i := range surfaceLevels {
		at := n - 1
		if i < surfaceLevels-1 {
			at = int(float64(i) * step)
		}
		level := scores[order[at]]
		for at < n && scores[order[at]] == level {
			at++
		}
		s.levels, s.reached = append(s.levels, level), append(s.reached, at)
	}
	for _, w := range widened(s.spans, window/2, n) {
		for row := w.first; row <= w.last; row++ {
			s.near[row] = !anomalies[row]
		}
	}
	return s
}

// spansOf returns the runs of anomalous rows.
func spansOf(anomalies []bool) (spans []span) {
	for i, a := range anomalies {
		switch {
		case !a:
		case i > 0 && anomalies[i-1]:
			spans[len(spans)-1].last = i
		default:
			spans = append(spans, span{i, i})
		}
	}
	return spans
}

// widened returns spans with so many rows more on each side, joined where they meet.
func widened(spans []span, half, rows int) (wide []span) {
	for _, s := range spans {
		s = span{max(0, s.first-half), min(rows-1, s.last+half)}
		if k := len(wide) - 1; k >= 0 && s.first <= wide[k].last {
			wide[k].last = s.last
		} else {
			wide = append(wide, s)
		}
	}
	return wide
}

// area returns the area under the curve for a buffer.
func (s *surface) area(buffer int) float64 {
	s.soften(buffer)
	tops := s.tops(buffer)
	positive := float64(count(s.anomalies))
	area, before, core, edge, at := 0.0, 0.0, 0.0, 0.0, 0
	for i, reached := range s.reached {
		for ; at < reached; at++ {
			switch row := s.order[at]; {
			case s.anomalies[row]:
				core++
			case s.near[row]:
				edge += min(s.soft[row], 1)
			}
		}
		recall := min((core+edge)/(positive+edge/2), 1) * reach(tops, s.levels[i])
		area += (recall - before) * (core + edge) / float64(reached)
		before = recall
	}
	return area
}

// soften sets how much the rows in a buffer count: the root of 1 less the distance to the
// anomaly over the buffer.
func (s *surface) soften(buffer int) {
	clear(s.soft)
	for _, p := range s.spans {
		for d := 1; d <= buffer/2; d++ {
			weight := math.Sqrt(1 - float64(d)/float64(buffer))
			if row := p.last + d; row < len(s.soft) {
				s.soft[row] += weight
			}
			if row := p.first - d; row >= 0 {
				s.soft[row] += weight
			}
		}
	}
}

// tops returns the highest score in each anomaly with its buffer.
func (s *surface) tops(buffer int) (tops []float64) {
	for _, w := range widened(s.spans, buffer/2, len(s.scores)) {
		tops = append(tops, slices.Max(s.scores[w.first:w.last+1]))
	}
	return tops
}

// reach returns the share of scores that reach a level.
func reach(scores []float64, level float64) float64 {
	n := 0
	for _, v := range scores {
		if v >= level {
			n++
		}
	}
	return float64(n) / float64(len(scores))
}

// The lags among which [Period] looks, those that it believes, and what it takes otherwise.
const (
	leastLag, mostLag       = 3, 400
	leastPeriod, mostPeriod = 6, 303
	otherPeriod             = 125
	periodRows              = 20000
)

// Period returns the lag at which the autocorrelation of values is highest among its local
// maxima, and 125 if there is none from 6 to 303 rows: the window of TSB-AD's measures. The
// values are the first column's, without missing ones; the first 20,000 count.
func Period(values []float64) int {
	values = centred(values[:min(len(values), periodRows)])
	var r []float64
	for lag := leastLag; lag <= min(mostLag, len(values)-1); lag++ {
		r = append(r, products(values, lag))
	}
	best := -1
	for i := 1; i < len(r)-1; i++ {
		if r[i] > r[i-1] && r[i] > r[i+1] && (best < 0 || r[i] >= r[best]) {
			best = i
		}
	}
	if p := best + leastLag; best >= 0 && p >= leastPeriod && p <= mostPeriod {
		return p
	}
	return otherPeriod
}

// centred returns values without their mean.
func centred(values []float64) []float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	off := slices.Clone(values)
	for i := range off {
		off[i] -= sum / float64(len(values))
	}
	return off
}

// products returns the sum of the products of values that lie lag rows apart.
func products(values []float64, lag int) (sum float64) {
	for i, v := range values[lag:] {
		sum += v * values[i]
	}
	return sum
}
