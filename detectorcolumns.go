package rnnkit

import (
	"math"
	"slices"

	"github.com/rnnkit/rnnkit/internal/conformal"
	"github.com/rnnkit/rnnkit/models"
)

// leastTogether is the least border of several columns, the score of an observation whose
// columns all lie three deviations from their levels.
var leastTogether = math.Log1p(0.09)

// borderTogether returns the border of several columns: the score that a share rate of the
// observations reached, or the largest where these are few.
func borderTogether(scores []float64, rate float64) float64 {
	if len(scores) == 0 {
		return leastTogether
	}
	return max(leastTogether, conformal.Border(scores, rate, slices.Max(scores)))
}

// settleColumns sets what a detector needs to score several columns together: their
// spreads, pooled over the series, in the rows that the network learns from.
func (d *detector) settleColumns() {
	d.spreads = make([]models.Spread, len(d.panel.Targets))
	for k := range d.spreads {
		var level, change pooled
		for i := range d.panel.Series {
			s := &d.panel.Series[i]
			values := s.Targets[k][:d.trained(s)]
			mean, _ := moments(values)
			for row, v := range values {
				level.add(v - mean)
				if row > 0 {
					change.add(v - values[row-1])
				}
			}
		}
		if change.sum == 0 {
			level.sum = 0 // but for rounding
		}
		d.spreads[k] = models.Spread{Level: level.root(), Change: change.root(), Rows: level.n}
	}
}

// pooled is the mean of squares in the making.
type pooled struct {
	sum float64
	n   int
}

// add takes a distance, unless it is unknown.
func (p *pooled) add(distance float64) {
	if !math.IsNaN(distance) {
		p.sum += distance * distance
		p.n++
	}
}

// root returns the root of the mean square, 0 of nothing.
func (p *pooled) root() float64 { return math.Sqrt(p.sum / float64(max(1, p.n))) }
