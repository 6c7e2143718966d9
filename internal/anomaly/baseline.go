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

// Baseline follows what a column usually is over a long time.
type Baseline struct {
	Values float64 // so far
	Level  float64 // running mean
	Spread float64 // running mean of the squared distances from it
}

// Strangeness returns how strange a value of one of several columns is, and takes it into
// the baseline. The mean over the columns is how strange an observation of all of them is.
//
// It is log(1+(d/10)²) of the distance from the level, in units of the deviation, and 0.3
// times the same of the distance from the forecast, in units of the changes in training: the
// logarithm of how unlikely such distances are under the heavy tails of Cauchy's
// distribution. So a column that is far away cannot outweigh all others. To begin with the
// deviation is that of the training. The level follows the values over about 10,000 of them,
// and the deviation ten times as slowly. A column that never changed in training is the less
// strange the more often it does.
//
// Distances are those in the direction d. One that is less than least counts as 0, and so do
// those of the first values.
func (b *Baseline) Strangeness(value, forecast float64, s models.Spread, least float64, d models.Direction) (strange float64) {
	if b.Values == 0 {
		b.Level, b.Spread = value, s.Level*s.Level
	}
	deviation, off := math.Sqrt(b.Spread), clip(value-b.Level, math.MaxFloat64)
	if b.Values >= believed {
		strange = strangeness(towards(d, off), deviation, least)
		if s.Change > 0 {
			strange += forecastWeight * strangeness(towards(d, value-forecast), s.Change, least)
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
	return strange
}

// strangeness returns log(1+(distance/10)²) in units of a deviation, 0 for a distance that is
// unknown or less than least.
func strangeness(distance, deviation, least float64) float64 {
	z := math.Min(distance/deviation, mostSpreads) / farAway
	if !(distance >= least) || math.IsNaN(z) {
		return 0
	}
	return math.Log1p(z * z)
}
