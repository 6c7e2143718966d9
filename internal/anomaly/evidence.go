package anomaly

import (
	"math"

	"github.com/rnnkit/rnnkit/models"
)

const (
	near, far    = 32.0, 2000.0 // observations over which the level is a mean, and the level that it is compared with
	nearSeason   = 8.0          // observations over which the distance from the season is a mean
	recent       = 50.0         // observations over which the change is a mean that is compared with that over far ones
	leastRecent  = 1e-3         // of the usual change: less counts as so much
	leastRange   = 200          // observations of which the range is known
	leastNovel   = 0.02         // of the range; what lies outside by less is no novelty
	leastSeasons = 1.5          // before the level, the change and the range are scored
	mostDistance = 1e3          // usual distances; a larger one counts as so many
	mostValue    = 1e300        // so that differences are finite
)

// Evidence holds the running estimates that a column scores its values by.
type Evidence struct {
	Age                                    float64 // observations so far, with missing ones
	Residual, Seasonal, Shift, Level, Calm Tail

	Distance             float64 // running mean of the distance from the season's value
	Distances            float64 // that it is of, and NearSeason and OfSeason
	Near, Far            float64 // running levels
	NearSeason, OfSeason float64 // likewise, of the values less those of the season
	Recent, Usual        float64 // running means of the absolute change
	Changes              float64 // that they are of
	Values, Offs         Range   // of the values, and of their distances from the season's
}

// Score returns the surprisal of a value, as [Tail.Surprisal] does, and its novelty, both by
// the values before it. It then takes the value into the tails, and must be followed by
// Advance.
//
// The surprisal is the largest of those of five quantities. Each has a tail of its own, so
// that it is self-normalised, as in Lavin and Ahmad, "Evaluating Real-Time Anomaly Detection
// Algorithms" (2015): what happens often in a column has a small surprisal there.
//
//   - the distance from the forecast, divided by √(1+n) after n missing values, as that of
//     a random walk grows;
//   - the distance from the running mean of the same phase of the season, divided by the
//     usual one;
//   - the distance of the running level from that over a longer time, of the values less
//     those of the season;
//   - the same of the values themselves, over more of them;
//   - how much less the values change than they usually do, where both directions count.
//
// The novelty is 0 for a value within the range of the values before it, or as far from the
// season's as others were. For one that lies outside of both ranges by more than a fiftieth
// it is 1 and as many ranges, and 2 at most. Of values that can be exchanged, the n-th is a
// new extreme with a probability of 2/n, so that novelties get rare with time.
func (c *Column) Score(value, forecast float64, phase int, d models.Direction) (surprisal, novelty float64) {
	value = clip(value, mostValue)
	e, off := &c.Evidence, value-c.usually(phase)
	known := c.Count >= leastRange && e.Age >= leastSeasons*float64(len(c.Season))
	surprisal = max(
		c.residual(value-forecast, d),
		e.seasonal(off, d),
		e.shift(value-c.season(phase), known, d),
		e.level(value, c.Count, known, d),
		c.calm(value-c.Latest, known && (d == "" || d == models.Both)),
	)
	novelty = e.novelty(value, off, d)
	if !known {
		novelty = 0
	}
	return surprisal, novelty
}

// residual returns the surprisal of the distance from the forecast.
func (c *Column) residual(off float64, d models.Direction) float64 {
	if c.Count == 0 || c.Missing > mostFilled {
		return 0
	}
	return c.Residual.observe(towards(d, off)/math.Sqrt(1+c.Missing), true)
}

// seasonal returns the surprisal of the distance from the running mean of the phase.
func (e *Evidence) seasonal(off float64, d models.Direction) (surprisal float64) {
	if math.IsNaN(off) {
		return 0
	}
	if e.Distances++; e.Distances > believed {
		surprisal = e.Seasonal.observe(min(mostDistance, zeroIfNaN(towards(d, off)/e.Distance)), true)
	}
	e.Distance += (math.Abs(off) - e.Distance) * weight(e.Distances, far)
	return surprisal
}

// shift returns the surprisal of the level beside the season's, with a value that is so far
// off it, NaN without one, and that seasonal has counted.
func (e *Evidence) shift(off float64, known bool, d models.Direction) float64 {
	if math.IsNaN(off) {
		return 0
	}
	e.NearSeason += (off - e.NearSeason) * weight(e.Distances, nearSeason)
	e.OfSeason += (off - e.OfSeason) * weight(e.Distances, far)
	return e.Shift.observe(towards(d, e.NearSeason-e.OfSeason), known)
}

// observe returns the surprisal of v, 0 unless enough is known, and learns v.
func (t *Tail) observe(v float64, known bool) (surprisal float64) {
	if known {
		surprisal = t.Surprisal(v)
	}
	t.Learn(v)
	return surprisal
}

// level returns the surprisal of the running level after a value and count others.
func (e *Evidence) level(value, count float64, known bool, d models.Direction) float64 {
	e.Near += (value - e.Near) * weight(count+1, near)
	e.Far += (value - e.Far) * weight(count+1, far)
	return e.Level.observe(towards(d, e.Near-e.Far), known)
}

// calm returns the surprisal of how little the values change.
func (c *Column) calm(change float64, known bool) float64 {
	e := &c.Evidence
	if c.Count == 0 || c.Missing > 0 {
		return 0
	}
	e.Changes++
	e.Recent += (math.Abs(change) - e.Recent) * weight(e.Changes, recent)
	e.Usual += (math.Abs(change) - e.Usual) * weight(e.Changes, far)
	if e.Changes < recent || !(e.Usual > 0) {
		return 0
	}
	return e.Calm.observe(max(0, -math.Log(e.Recent/e.Usual+leastRecent)), known)
}

// novelty returns the novelty of a value and takes it into the ranges. Its distance from the
// season's value is NaN without one.
func (e *Evidence) novelty(value, off float64, d models.Direction) float64 {
	beyond := e.Values.take(value, d)
	if !math.IsNaN(off) && !(e.Offs.take(off, d) > 0) || !(beyond > leastNovel) {
		return 0
	}
	return 1 + min(beyond, 1)
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
