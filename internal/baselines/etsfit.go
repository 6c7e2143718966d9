package baselines

import (
	"math"
	"slices"
)

// etsFit is a fit in the making. The minimizer moves unbounded numbers: the logits of the
// weights within their bounds, and by how much the first states differ from start. Those of
// what a model does not have change nothing.
type etsFit struct {
	model           etsModel
	y               []float64
	start           etsParams
	steps           []etsStep
	byError, byMean []float64
}

// Where the numbers are: after the logits come the states, the phases of the season last.
const (
	alphaLogit = iota
	betaLogit
	phiLogit
	gammaLogit
	levelShift
	trendShift
	seasonShift
)

// The bounds of the weights are those of the R package forecast.
const (
	leastWeight, mostWeight   = 1e-4, 0.9999
	leastDamping, mostDamping = 0.8, 0.98
)

// fitETS fits a model to a series whose changes are about 1. It starts once from a small
// weight of the level and once from a large one, since the likelihood often has two peaks.
func fitETS(m etsModel, y []float64) fittedETS {
	best := fittedETS{criterion: math.Inf(1)}
	n, k := known(y), m.parameters()
	if n-k-1 <= 0 {
		return best
	}
	fit := etsFit{m, y, m.start(y), make([]etsStep, len(y)), make([]float64, len(y)), make([]float64, len(y))}
	for _, level := range []float64{-1, 1.5} {
		x := fit.first(level)
		if c := akaike(minimize(fit.loss, x), n, k); c < best.criterion {
			p := fit.params(x)
			m.run(y, &p, fit.steps)
			best = fittedETS{m, p, m.squares(fit.steps) / float64(n-k), c}
		}
	}
	return best
}

// akaike returns the corrected criterion of k parameters that were fitted to n values.
func akaike(loss float64, n, k int) float64 {
	return loss + 2*float64(k) + float64(2*k*(k+1))/float64(n-k-1)
}

// start returns first states, without weights: those of estimate, or the first value alone
// where the model cannot follow the series from there.
func (m etsModel) start(y []float64) etsParams {
	fit := etsFit{model: m, y: y, start: m.estimate(y), steps: make([]etsStep, len(y))}
	p := fit.params(fit.first(-1))
	if m.run(y, &p, fit.steps) {
		return fit.start
	}
	neutral := 0.0
	if m.season == multiplies {
		neutral = 1
	}
	return etsParams{level: y[0], season: slices.Repeat([]float64{neutral}, m.period)}
}

// estimate returns first states by classical decomposition, and a straight line or a mean
// through what follows.
func (m etsModel) estimate(y []float64) etsParams {
	p := etsParams{season: make([]float64, m.period)}
	filled := interpolated(y, m.period)
	if m.season != none {
		s := decomposeAs(filled, m.period, m.season == multiplies)
		filled, p.season = s.adjusted(filled), s.index
	}
	begin := filled[:min(len(filled), max(10, 2*m.period))]
	means, _ := phaseMeans(begin, 1)
	p.level = means[0]
	if m.trend {
		base, slope := line(begin)
		p.level, p.trend = base-slope, slope
	}
	return p
}

// first returns what a search starts from, with the given logit of alpha.
func (f *etsFit) first(alpha float64) []float64 {
	x := make([]float64, seasonShift+f.model.period)
	x[alphaLogit], x[betaLogit], x[phiLogit], x[gammaLogit] = alpha, -2, 2, -2
	return x
}

// params returns the parameters that x stands for.
func (f *etsFit) params(x []float64) etsParams {
	m := f.model
	p := etsParams{phi: 1, season: slices.Clone(f.start.season)}
	p.alpha = leastWeight + (mostWeight-leastWeight)*sigmoid(x[alphaLogit])
	if m.trend {
		p.beta = leastWeight + (p.alpha-leastWeight)*sigmoid(x[betaLogit])
	}
	if m.damped {
		p.phi = leastDamping + (mostDamping-leastDamping)*sigmoid(x[phiLogit])
	}
	if m.season != none {
		p.gamma = leastWeight + (1-p.alpha-leastWeight)*sigmoid(x[gammaLogit])
	}
	trend, season := f.units()
	p.level = f.start.level + x[levelShift]
	p.trend = f.start.trend + trend*x[trendShift]
	for i := range p.season {
		p.season[i] += season * x[seasonShift+i]
	}
	return p
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// units returns by how much the first trend and seasons change with their numbers. A season
// that multiplies changes the first forecasts by about 1.
func (f *etsFit) units() (trend, season float64) {
	if f.model.trend {
		trend = 0.1
	}
	switch f.model.season {
	case adds:
		season = 1
	case multiplies:
		season = 1 / max(1, f.start.level)
	}
	return trend, season
}

// loss is what is minimized, and writes its gradient. It is +Inf where the model cannot
// follow the series.
func (f *etsFit) loss(x, gradient []float64) float64 {
	m, p := f.model, f.params(x)
	after := p
	after.season = slices.Clone(p.season)
	if !m.run(f.y, &after, f.steps) {
		return math.Inf(1)
	}
	loss := m.loss(f.steps, f.byError, f.byMean)
	f.chain(x, p, m.backward(p, f.steps, f.byError, f.byMean), gradient)
	return loss
}

// chain writes the gradient by x from the derivatives by the parameters.
func (f *etsFit) chain(x []float64, p, d etsParams, gradient []float64) {
	m := f.model
	slope := func(i int) float64 { return sigmoid(x[i]) * sigmoid(-x[i]) }
	clear(gradient)
	byAlpha := d.alpha
	if m.trend {
		byAlpha += d.beta * sigmoid(x[betaLogit])
		gradient[betaLogit] = d.beta * (p.alpha - leastWeight) * slope(betaLogit)
	}
	if m.damped {
		gradient[phiLogit] = d.phi * (mostDamping - leastDamping) * slope(phiLogit)
	}
	if m.season != none {
		byAlpha -= d.gamma * sigmoid(x[gammaLogit])
		gradient[gammaLogit] = d.gamma * (1 - p.alpha - leastWeight) * slope(gammaLogit)
	}
	gradient[alphaLogit] = byAlpha * (mostWeight - leastWeight) * slope(alphaLogit)
	trend, season := f.units()
	gradient[levelShift] = d.level
	gradient[trendShift] = d.trend * trend
	for i, v := range d.season {
		gradient[seasonShift+i] = v * season
	}
}
