package anomaly

import (
	"math"

	"github.com/rnnkit/rnnkit/models"
)

const (
	near, far    = 32.0, 2000.0 // observations over which the level is a mean, and the level that it is compared with
	recent       = 50.0         // observations over which the change is a mean that is compared with that over far ones
	leastRecent  = 1e-3         // of the usual change: less counts as so much
	leastRange   = 200          // observations of which the range is known
	leastNovel   = 0.02         // of the range; what lies outside by less is no novelty
	rangeMemory  = 40_000       // observations; the range is that of once to twice as many
	leastSeasons = 1.5          // before anything but the forecast and the season is judged
	mostDistance = 1e3          // usual distances; a larger one counts as so many
)

// Evidence holds the running figures by which a column judges its values.
type Evidence struct {
	Age                             float64 // observations so far, with missing ones
	Residual, Seasonal, Level, Calm Tail

	Distance        float64 // running mean of the distance from the season's value
	Distances       float64 // that it is of
	Near, Far       float64 // running levels
	Recent, Usual   float64 // running means of the absolute change
	Changes         float64 // that they are of
	Low, High       float64 // range of the last values, no more than rangeMemory
	OldLow, OldHigh float64 // range of the rangeMemory values before these
	Ranged          float64 // values that Low and High are of
}

// Judge returns how surprising a value is beside the values before it, in the units of
// [Tail.Surprise], and how novel. It then takes the value into the tails, and must be
// followed by Advance.
//
// The surprise is that of the most surprising of four quantities. Each is judged by a tail
// of its own, so that it is self-normalised, as in Lavin and Ahmad, "Evaluating Real-Time
// Anomaly Detection Algorithms" (2015), and a column in which something happens often is
// not surprised by it:
//
//   - the distance from the forecast, divided by √(1+n) after n missing values, as that of
//     a random walk grows;
//   - the distance from the running mean of the same phase of the season, divided by the
//     usual one;
//   - the distance of the running level from that over a longer time;
//   - how much less the values change than they usually do, where both directions count.
//
// The novelty is 0 for a value within the range of the values before it. For one that lies
// outside by more than a fiftieth of the range it is 1 and as many ranges, and 2 at most. Of
// values that can be exchanged, the n-th is a new extreme with a probability of 2/n, so that
// novelties get rare with time.
func (c *Column) Judge(value, forecast float64, phase int, d models.Direction) (surprise, novelty float64) {
	e := &c.Evidence
	known := c.Count >= leastRange && e.Age >= leastSeasons*float64(len(c.Season))
	if c.Count > 0 && c.Missing <= mostFilled {
		surprise = e.Residual.judge(towards(d, value-forecast)/math.Sqrt(1+c.Missing), true)
	}
	if off := value - c.seasonal(phase); !math.IsNaN(off) {
		if e.Distances++; e.Distances > believed {
			surprise = math.Max(surprise, e.Seasonal.judge(math.Min(mostDistance, zeroIfNaN(towards(d, off)/e.Distance)), true))
		}
		e.Distance += (math.Abs(off) - e.Distance) * weight(e.Distances, far)
	}
	surprise = math.Max(surprise, e.level(value, c.Count, known, d))
	if c.Missing == 0 && c.Count > 0 {
		surprise = math.Max(surprise, e.calm(math.Abs(value-c.Latest), known && (d == "" || d == models.Both)))
	}
	if known {
		novelty = e.novelty(value, d)
	}
	e.extend(value, c.Count == 0)
	return surprise, novelty
}

// judge returns the surprise of v, 0 unless it is to be judged, and learns v.
func (t *Tail) judge(v float64, known bool) (surprise float64) {
	if known {
		surprise = t.Surprise(v)
	}
	t.Learn(v)
	return surprise
}

// level returns the surprise of the level with a value, after count others.
func (e *Evidence) level(value, count float64, known bool, d models.Direction) float64 {
	e.Near += (value - e.Near) * weight(count+1, near)
	e.Far += (value - e.Far) * weight(count+1, far)
	return e.Level.judge(towards(d, e.Near-e.Far), known)
}

// calm returns the surprise of so little change.
func (e *Evidence) calm(change float64, known bool) float64 {
	e.Changes++
	e.Recent += (change - e.Recent) * weight(e.Changes, recent)
	e.Usual += (change - e.Usual) * weight(e.Changes, far)
	if e.Changes < recent || !(e.Usual > 0) {
		return 0
	}
	return e.Calm.judge(math.Max(0, -math.Log(e.Recent/e.Usual+leastRecent)), known)
}

// novelty returns how far a value lies outside of the range, as Judge tells.
func (e *Evidence) novelty(value float64, d models.Direction) float64 {
	low, high := math.Min(e.Low, e.OldLow), math.Max(e.High, e.OldHigh)
	out := 0.0
	switch {
	case value > high:
		out = towards(d, value-high)
	case value < low:
		out = towards(d, value-low)
	}
	if share := out / (high - low); share > leastNovel {
		return 1 + math.Min(share, 1)
	}
	return 0
}

// extend takes a value into the range.
func (e *Evidence) extend(value float64, first bool) {
	if first {
		e.Low, e.High, e.OldLow, e.OldHigh = value, value, value, value
	}
	if e.Ranged++; e.Ranged > rangeMemory {
		e.OldLow, e.OldHigh = e.Low, e.High
		e.Low, e.High, e.Ranged = value, value, 1
	}
	e.Low, e.High = math.Min(e.Low, value), math.Max(e.High, value)
}

// towards returns how far a difference lies in a direction.
func towards(d models.Direction, difference float64) float64 {
	switch d {
	case models.Above:
		return math.Max(0, difference)
	case models.Below:
		return math.Max(0, -difference)
	}
	return math.Abs(difference)
}
