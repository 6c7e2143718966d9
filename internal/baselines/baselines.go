// Package baselines forecasts a series from its own past by the simple methods beside
// which a model is judged: the last value, the last season, a straight line, the mean, the
// Theta method and exponential smoothing.
//
// A missing value of a series is NaN. A series without any known value is forecast as
// NaN. Nothing in a method is random.
package baselines

import "math"

// A Method forecasts the values of the next horizon steps of a series, whose season is
// the given number of steps (0 or 1 for none). The horizon is at least 1. What follows is
// forecast from the end of the values, even where the last of them are missing.
type Method func(values []float64, season, horizon int) Forecast

// Forecast holds the forecasts of a horizon's steps.
type Forecast struct {
	// Mean has the expected values, [horizon].
	Mean []float64

	// Deviation has the standard deviations of the errors to be expected, [horizon]. They
	// are 0 where the series is constant, or too short to tell.
	Deviation []float64
}

// trimmed forecasts a series by a method that needs its first and last value. The steps that
// the missing values at the end stand for are forecast too, and left out.
func trimmed(values []float64, horizon int, method func([]float64, int) Forecast) Forecast {
	first, last := knownEnds(values)
	if last < 0 {
		return Naive(values, 1, horizon)
	}
	missing := len(values) - 1 - last
	f := method(values[first:last+1], missing+horizon)
	return Forecast{Mean: f.Mean[missing:], Deviation: f.Deviation[missing:]}
}

// Quantiles returns the quantiles of each step, [horizon][len(levels)], as if the errors
// had a normal distribution. The levels lie between 0 and 1.
func (f Forecast) Quantiles(levels []float64) [][]float64 {
	quantiles := make([][]float64, len(f.Mean))
	for h := range quantiles {
		quantiles[h] = make([]float64, len(levels))
		for i, level := range levels {
			quantiles[h][i] = f.Mean[h] + f.Deviation[h]*normalQuantile(level)
		}
	}
	return quantiles
}

// normalQuantile returns the quantile of the standard normal distribution.
func normalQuantile(level float64) float64 { return math.Sqrt2 * math.Erfinv(2*level-1) }

// newForecast returns a forecast of zeros.
func newForecast(horizon int) Forecast {
	return Forecast{Mean: make([]float64, horizon), Deviation: make([]float64, horizon)}
}
