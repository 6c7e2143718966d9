// Package anomaly has the arithmetic of a detector besides its network: what the network
// reads of a column, what its answer means in units of the column, and the anomaly score of
// an observation. All of it is relative to the column's own running level and usual change,
// so that no level is new to the network.
package anomaly

import "math"

// Inputs names what the network reads of a column for each observation. It answers the
// first of these for the next one.
var Inputs = []string{"change", "level_fast", "level_slow", "season_change", "season_value"}

const (
	fast       = 8.0   // observations that the fast running level looks back
	slow       = 64.0  // and the slow one
	usual      = 256.0 // observations over which the usual change is a mean
	mostChange = 8.0   // usual changes; a larger one counts as so many
	believed   = 16    // observations after which a column knows its usual change
	newSeason  = 0.2   // weight of a value in the running mean of its phase
	mostFilled = 64    // missing observations in a row that forecasts replace
)

// Column follows the values of one column of a series.
type Column struct {
	Running
	Season []float64 // running means of the values by their phase, less Offset, NaN where none is known; empty without a season
}

// Running holds the running figures of a column.
type Running struct {
	Count   float64 // values so far, without missing ones
	Missing float64 // missing values since the last one
	Base    float64 // the value that the next one is compared with
	Held    float64 // 1 if the last value was so far away that the base is still the one before it
	Fast    float64 // running levels
	Slow    float64
	Change  float64 // running mean of the absolute changes
	Last    float64 // the last change, in units of the usual one
	Latest  float64 // the last value
	Offset  float64 // running mean of the distance from Season, over about one season: a shift of the level
	Evidence
	Baseline Baseline // of the score together with other columns
}

// NewColumn returns a column that has no values yet.
func NewColumn(season int) Column {
	c := Column{}
	if season > 1 {
		c.Season = make([]float64, season)
		for i := range c.Season {
			c.Season[i] = math.NaN()
		}
	}
	return c
}

// ChangeTo returns the change from the base to a value in units of the usual change: what
// the network is to answer.
func (c *Column) ChangeTo(value float64) float64 {
	return clip(c.units(value-c.Base), mostChange)
}

// Forecast returns the value that an answer of the network stands for.
func (c *Column) Forecast(answer float64) float64 {
	if c.Missing > mostFilled {
		return c.Base // a forecast from forecasts would drift
	}
	return c.Base + c.Change*clip(answer, mostChange)
}

// Read writes what the network reads before the observation of the given phase of the
// season.
func (c *Column) Read(inputs []float32, phase int) {
	inputs[0] = float32(c.Last)
	inputs[1] = float32(math.Asinh(c.units(c.Fast - c.Base)))
	inputs[2] = float32(math.Asinh(c.units(c.Slow - c.Base)))
	inputs[3], inputs[4] = 0, 0
	if n := len(c.Season); n > 0 {
		next, last := c.usually(phase), c.usually((phase+n-1)%n)
		if !math.IsNaN(next) {
			inputs[4] = float32(math.Asinh(c.units(next - c.Base)))
		}
		if !math.IsNaN(next - last) {
			inputs[3] = float32(clip(c.units(next-last), mostChange))
		}
	}
}

// usually returns the running mean of a phase, NaN where that is not known.
func (c *Column) usually(phase int) float64 { return c.season(phase) + c.Offset }

// season returns the same without the running shift of the level, NaN where that is not known.
func (c *Column) season(phase int) float64 {
	if len(c.Season) == 0 {
		return math.NaN()
	}
	return c.Season[phase]
}

// Advance takes the value of the given phase of the season.
func (c *Column) Advance(value float64, phase int) {
	value = clip(value, mostValue)
	if len(c.Season) > 0 {
		c.learnSeason(value, phase)
	}
	c.Age++
	gap := c.Missing > 0
	c.Missing, c.Latest = 0, value
	if c.Count++; c.Count == 1 {
		c.Base, c.Fast, c.Slow = value, value, value
		return
	}
	change := value - c.Base
	c.Last = c.ChangeTo(value)
	c.hold(change, value, gap)
	if known := c.Count > believed; known && c.Change > 0 {
		change = clip(change, mostChange*c.Change)
	}
	c.Fast += (value - c.Fast) * weight(c.Count, fast)
	c.Slow += (value - c.Slow) * weight(c.Count, slow)
	c.Change += (math.Abs(change) - c.Change) * weight(c.Count-1, usual)
}

// learnSeason takes a value into the mean of its phase.
func (c *Column) learnSeason(value float64, phase int) {
	off := value - c.usually(phase)
	if math.IsNaN(off) {
		c.Season[phase] = value - c.Offset
		return
	}
	c.Offset += off / float64(len(c.Season))
	c.Season[phase] += newSeason * (value - c.usually(phase))
}

// hold makes a value the base of the next change, unless it is the first one that is far
// away: a single spike is no new level. After a gap it may be one.
func (c *Column) hold(change, value float64, gap bool) {
	far := c.Count > believed && math.Abs(change) > mostChange*c.Change
	if far && !gap && c.Held == 0 {
		c.Held = 1
		return
	}
	c.Base, c.Held = value, 0
}

// Fill takes a forecast for a missing value.
func (c *Column) Fill(forecast float64) {
	c.Age++
	if c.Missing++; c.Missing <= mostFilled && c.Count > 0 {
		c.Last = c.ChangeTo(forecast)
		c.Base, c.Held = forecast, 0
	}
}

// units returns a difference in units of the usual change. Where the column has never
// changed, any difference counts as the largest.
func (c *Column) units(difference float64) float64 {
	if u := difference / c.Change; !math.IsNaN(u) {
		return clip(u, math.MaxFloat32)
	}
	return 0
}

// weight is that of the n-th value in a mean over the last values: in the beginning it is
// the mean of all.
func weight(n, last float64) float64 { return max(1/n, 1/last) }

func clip(v, most float64) float64 { return max(-most, min(v, most)) }
