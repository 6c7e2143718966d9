package baselines

import "math"

// etsModel is a model of exponential smoothing in the taxonomy of Hyndman, Koehler, Ord and
// Snyder, "Forecasting with Exponential Smoothing" (2008), without those whose trend
// multiplies.
type etsModel struct {
	relative bool // errors are in proportion to the forecast
	trend    bool
	damped   bool // only with a trend
	season   part
	period   int // steps of a season; 1 without one
}

// part is how a component enters a forecast.
type part int

const (
	none part = iota
	adds
	multiplies
)

// parameters returns how many numbers are estimated, the variance among them. Seasons have
// one less than they have phases, since a level can take what they have in common.
func (m etsModel) parameters() int {
	n := 3 // weight and first value of the level, variance
	if m.trend {
		n += 2
	}
	if m.damped {
		n++
	}
	if m.season != none {
		n += m.period
	}
	return n
}

// etsParams are the parameters of a model: the weights of the newest error in the level,
// the trend and the season, the damping of the trend, and the states before the first value.
// What a model does not have is 0, but for a damping of 1 and a season of one phase.
type etsParams struct {
	alpha, beta, gamma, phi float64
	level, trend            float64
	season                  []float64 // by phase, of which the first value has the first
}

// etsStep is what a model has at one value of the series.
type etsStep struct {
	level, trend, season float64 // the states before
	base                 float64 // the level that they predict
	mean                 float64 // what they predict
	error                float64 // the value less that, and 0 if it is missing
	known                bool
}

// run writes the steps of a model over a series, and turns the states of p into those after
// it. It reports false where a state has left its domain: nothing may become 0 that is
// divided by.
func (m etsModel) run(y []float64, p *etsParams, steps []etsStep) bool {
	phase := 0
	for t, v := range y {
		s := &steps[t]
		s.level, s.trend, s.season = p.level, p.trend, p.season[phase]
		s.base = p.level + p.phi*p.trend
		s.mean = m.join(s.base, s.season)
		s.known = !math.IsNaN(v)
		s.error = 0
		if s.known {
			s.error = v - s.mean
		}
		if m.relative && !(s.mean > 0) || m.season == multiplies && !(s.base > 0 && s.season > 0) {
			return false
		}
		m.update(p, s, phase)
		if phase++; phase == m.period {
			phase = 0
		}
	}
	return true
}

// join joins a season to a level.
func (m etsModel) join(base, season float64) float64 {
	switch m.season {
	case adds:
		return base + season
	case multiplies:
		return base * season
	}
	return base
}

// update turns the states of p into those after a step.
func (m etsModel) update(p *etsParams, s *etsStep, phase int) {
	change, turn := m.changes(s)
	p.level = s.base + p.alpha*change
	p.trend = p.phi*s.trend + p.beta*change
	p.season[phase] = s.season + p.gamma*turn
}

// changes returns what the error of a step says of the level and of the season.
func (m etsModel) changes(s *etsStep) (level, season float64) {
	if m.season == multiplies {
		return s.error / s.season, s.error / s.base
	}
	return s.error, s.error
}

// residual returns the error of a step as the model has it.
func (m etsModel) residual(s *etsStep) float64 {
	if m.relative {
		return s.error / s.mean
	}
	return s.error
}

// squares returns the sum of the squared residuals.
func (m etsModel) squares(steps []etsStep) float64 {
	sum := 0.0
	for t := range steps {
		e := m.residual(&steps[t])
		sum += e * e
	}
	return sum
}

// loss returns -2 times the logarithm of the likelihood of the steps, but for a constant,
// and writes its derivatives by the errors and means.
func (m etsModel) loss(steps []etsStep, byError, byMean []float64) float64 {
	const exact = 1e-20 // the mean square of a series that fits, whose changes are about 1
	n, logs := 0.0, 0.0
	for t := range steps {
		if s := &steps[t]; s.known {
			n++
			if m.relative {
				logs += math.Log(s.mean)
			}
		}
	}
	squares := max(m.squares(steps), n*exact)
	for t := range steps {
		s := &steps[t]
		byError[t], byMean[t] = 2*n*s.error/squares, 0
		if m.relative && s.known {
			byError[t] /= s.mean * s.mean
			byMean[t] = 2/s.mean - byError[t]*s.error/s.mean
		}
	}
	return n*math.Log(squares) + 2*logs
}

// backward returns the derivatives of the loss by the parameters, from those by the errors
// and means of the steps.
func (m etsModel) backward(p etsParams, steps []etsStep, byError, byMean []float64) etsParams {
	d := etsParams{season: make([]float64, m.period)} // so far by the states after a step
	for t := len(steps) - 1; t >= 0; t-- {
		s, phase := &steps[t], t%m.period
		change, turn := m.changes(s)
		d.alpha += d.level * change
		d.beta += d.trend * change
		d.gamma += d.season[phase] * turn
		d.phi += d.trend * s.trend

		byChange, byTurn := d.level*p.alpha+d.trend*p.beta, d.season[phase]*p.gamma
		byBase, bySeason := d.level, d.season[phase]
		mean, err := byMean[t], byError[t]
		if m.season == multiplies {
			bySeason -= byChange * change / s.season
			byBase -= byTurn * turn / s.base
			byChange, byTurn = byChange/s.season, byTurn/s.base
		}
		if s.known {
			err += byChange + byTurn
			mean -= err
		}
		switch m.season {
		case adds:
			bySeason += mean
		case multiplies:
			bySeason += mean * s.base
			mean *= s.season
		}
		byBase += mean
		d.phi += byBase * s.trend
		d.level = byBase
		d.trend = (d.trend + byBase) * p.phi
		d.season[phase] = bySeason
	}
	return d
}
