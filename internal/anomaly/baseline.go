package anomaly

import (
	"math"

	"github.com/rnnkit/rnnkit/models"
)

const (
	baselineMemory = 10_000 // values over which the level of a baseline is a mean
	spreadPace     = 0.1    // of the deviation beside the level
	mostPull       = 3.0    // deviations; a value that lies further away pulls the level by so much
	farAway        = 10.0   // deviations, from about which on the logarithm of a distance counts
	mostSpreads    = 1e3    // deviations; a larger distance counts as so many
	forecastWeight = 0.3    // of the distance from the forecast beside that from the level
)

// Baseline is a running estimate of the level and the deviation of a column over a long time.
type Baseline struct {
	Values float64 // so far
	Level  float64 // running mean
	Spread float64 // running mean of the squared distances from it
}

// Score returns the anomaly score of a value of one of several columns, and takes the value
// into the baseline. The mean over the columns is the score of an observation.
//
// The score is the Cauchy loss log(1+(z/10)²) of the distance from the level, in standard
// deviations, and 0.3 times that of the distance from the forecast, in units of the changes
// in training. The loss is minus the logarithm of a density with heavy tails, up to a
// constant, so a column that is far away cannot outweigh all others. The first deviation is
// that of the training. The level is a running mean over about 10,000 values, and the
// deviation adapts ten times as slowly. A column that never changed in training scores less
// each time it changes.
//
// Distances are those in the direction d. A distance below least counts as 0, and so do
// those of the first 16 values.
func (b *Baseline) Score(value, forecast float64, s models.Spread, least float64, d models.Direction) (score float64) {
	if b.Values == 0 {
		b.Level, b.Spread = value, s.Level*s.Level
	}
	deviation, off := math.Sqrt(b.Spread), clip(value-b.Level, math.MaxFloat64)
	if b.Values >= believed {
		score = cauchyLoss(towards(d, off), deviation, least)
		if s.Change > 0 {
			score += forecastWeight * cauchyLoss(towards(d, value-forecast), s.Change, least)
			off = clip(off, mostPull*deviation)
		}
	}
	b.Values++
	b.Level += off * weight(b.Values, baselineMemory)
	w := weight(b.Values+float64(s.Rows), baselineMemory)
	if s.Change > 0 {
		w *= spreadPace
	}
	b.Spread += w * (math.Min(off*off, math.MaxFloat64) - b.Spread)
	return score
}

// cauchyLoss returns log(1+(z/10)²), where z is the distance in deviations. It is 0 for a
// distance that is NaN or less than least.
func cauchyLoss(distance, deviation, least float64) float64 {
	z := math.Min(distance/deviation, mostSpreads) / farAway
	if !(distance >= least) || math.IsNaN(z) {
		return 0
	}
	return math.Log1p(z * z)
}
