package baselines

import "math"

// ETS is exponential smoothing with the model that suits the series: errors that add or are
// in proportion to the forecast, no trend, a straight or a damped one, no season, one that
// adds or one that multiplies. Weights and first states are those of the greatest
// likelihood, and the model is that with the least corrected Akaike criterion. Errors in
// proportion are for positive series only, and seasons that multiply come with them. A
// series shorter than two seasons has none, and seasons of more than 400 steps are none. Of
// a long series the last 5,000 values are read.
//
// Nothing is learned from missing values, and the intervals grow over those at the end. A
// series of fewer than 5 known values, or of equal ones, is forecast as by [Naive].
//
// Hyndman, Koehler, Ord and Snyder, "Forecasting with Exponential Smoothing" (2008). The
// weights are from what the book calls the usual region.
func ETS(values []float64, season, horizon int) Forecast {
	return trimmed(values, horizon, func(y []float64, horizon int) Forecast {
		y = y[max(0, len(y)-mostValues):]
		first, _ := knownEnds(y)
		y = y[first:]
		unit := math.Sqrt(meanSquaredDifference(interpolated(y, 1), 1, 0))
		if unit == 0 {
			return Naive(y, 1, horizon)
		}
		best := bestETS(scaled(y, 1/unit), season)
		if math.IsInf(best.criterion, 1) {
			return Naive(y, 1, horizon)
		}
		f := best.forecast(len(y), horizon)
		return Forecast{Mean: scaled(f.Mean, unit), Deviation: scaled(f.Deviation, unit)}
	})
}

// The limits of what a fit takes: a step for each value, and a matrix of the phases.
const (
	mostValues    = 5000
	longestSeason = 400
)

func scaled(values []float64, factor float64) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = v * factor
	}
	return out
}

// bestETS returns the model with the least criterion.
func bestETS(y []float64, season int) fittedETS {
	best := fittedETS{criterion: math.Inf(1)}
	for _, m := range etsModels(y, season) {
		if f := fitETS(m, y); f.criterion < best.criterion {
			best = f
		}
	}
	return best
}

// etsModels returns the models that a series may have.
func etsModels(y []float64, season int) []etsModel {
	models := etsModelsOf(none, 1, false)
	seasonal := season > 1 && season <= longestSeason && len(y) >= 2*season
	if seasonal {
		models = append(models, etsModelsOf(adds, season, false)...)
	}
	if !positive(y) {
		return models
	}
	models = append(models, etsModelsOf(none, 1, true)...)
	if seasonal {
		models = append(models, etsModelsOf(adds, season, true)...)
		models = append(models, etsModelsOf(multiplies, season, true)...)
	}
	return models
}

// etsModelsOf returns the models of all trends.
func etsModelsOf(season part, period int, relative bool) []etsModel {
	m := etsModel{season: season, period: period, relative: relative}
	straight, damped := m, m
	straight.trend, damped.trend, damped.damped = true, true, true
	return []etsModel{m, straight, damped}
}

func positive(values []float64) bool {
	for _, v := range values {
		if v <= 0 {
			return false
		}
	}
	return true
}

// fittedETS is a model that was fitted to a series.
type fittedETS struct {
	model     etsModel
	params    etsParams // with the states after the series
	variance  float64   // of an error, or of one in proportion to the forecast
	criterion float64   // Akaike's, corrected, but for a constant; +Inf if nothing fits
}

// forecast forecasts the steps after n values.
func (f fittedETS) forecast(n, horizon int) Forecast {
	m, p := f.model, f.params
	out := newForecast(horizon)
	bases := make([]float64, horizon) // what a season multiplies
	for h, sum := range p.trendSums(horizon + 1)[1:] {
		bases[h] = p.level + sum*p.trend
		out.Mean[h] = m.join(bases[h], p.season[(n+h)%m.period])
	}
	if m.season != multiplies {
		bases = out.Mean
	}
	for h, v := range f.variances(bases) {
		out.Deviation[h] = math.Sqrt(v)
		if m.season == multiplies {
			out.Deviation[h] *= p.season[(n+h)%m.period]
		}
	}
	return out
}

// trendSums returns how many times the trend is in the forecasts of the steps from 0 on.
func (p etsParams) trendSums(steps int) []float64 {
	sums := make([]float64, steps)
	damping := 1.0
	for h := 1; h < steps; h++ {
		damping *= p.phi
		sums[h] = sums[h-1] + damping
	}
	return sums
}

// variances returns those of the errors of forecasts: Hyndman and others (2008), tables 6.1
// and 6.2. A season that multiplies is left out of the forecasts, and learns as one that
// adds would.
func (f fittedETS) variances(means []float64) []float64 {
	weights := f.errorWeights(len(means))
	variances := make([]float64, len(means))
	sizes := make([]float64, len(means)) // the expected squares of what errors are in proportion to
	for h, mean := range means {
		spread := 0.0 // the variance of what the forecast will be
		for j := 1; j <= h; j++ {
			spread += f.variance * weights[j] * weights[j] * sizes[h-j]
		}
		sizes[h] = 1
		if f.model.relative {
			sizes[h] = mean*mean + spread
		}
		variances[h] = spread + f.variance*sizes[h]
	}
	return variances
}

// errorWeights returns how much of an error is in the forecasts of the steps after it.
func (f fittedETS) errorWeights(horizon int) []float64 {
	weights := f.params.trendSums(horizon)
	for j, sum := range weights {
		weights[j] = f.params.alpha + f.params.beta*sum
		if f.model.season != none && j%f.model.period == 0 {
			weights[j] += f.params.gamma
		}
	}
	return weights
}
