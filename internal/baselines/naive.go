package baselines

import "math"

// Naive repeats the last known value. The variance of its error grows in proportion to
// the time since: Hyndman and Athanasopoulos, "Forecasting: Principles and Practice"
// (3rd edition, 2021), section 5.5.
func Naive(values []float64, _, horizon int) Forecast { return repeat(values, 1, horizon) }

// SeasonalNaive repeats the last season: each step is forecast by the last known value of
// its phase. The variance of its error grows in proportion to the seasons since. A series
// shorter than a season is forecast as by [Naive].
func SeasonalNaive(values []float64, season, horizon int) Forecast {
	if len(values) < season {
		season = 1
	}
	return repeat(values, max(1, season), horizon)
}

// repeat forecasts each step by the last known value of its phase, or by the last known
// value of all where its phase has none.
func repeat(values []float64, season, horizon int) Forecast {
	n := len(values)
	f := newForecast(horizon)
	deviation := math.Sqrt(meanSquaredDifference(values, season, 0))
	for h := range horizon {
		i := lastKnown(values, n-season+h%season, season)
		if i < 0 {
			i = lastKnown(values, n-1, 1)
		}
		f.Mean[h] = at(values, i)
		seasons := (n + h - i + season - 1) / season
		f.Deviation[h] = deviation * math.Sqrt(float64(seasons))
	}
	return f
}

// lastKnown returns the first index of i, i-step, i-2·step and so on whose value is known,
// and -1 if none is.
func lastKnown(values []float64, i, step int) int {
	for ; i >= 0; i -= step {
		if !math.IsNaN(values[i]) {
			return i
		}
	}
	return -1
}

// at returns a value, and NaN for the index -1.
func at(values []float64, i int) float64 {
	if i < 0 {
		return math.NaN()
	}
	return values[i]
}

// meanSquaredDifference returns the mean square of what the differences of known values
// that lie lag steps apart have in excess of an expected one, and 0 if there are none.
func meanSquaredDifference(values []float64, lag int, expected float64) float64 {
	sum, n := 0.0, 0
	for i := lag; i < len(values); i++ {
		if d := values[i] - values[i-lag] - expected; !math.IsNaN(d) {
			sum += d * d
			n++
		}
	}
	return sum / float64(max(1, n))
}

// Drift continues the straight line from the first known value to the last: the last value
// plus the mean change. Its intervals are those of Hyndman and Athanasopoulos,
// "Forecasting: Principles and Practice" (3rd edition, 2021), section 5.5.
func Drift(values []float64, _, horizon int) Forecast {
	first, last := knownEnds(values)
	if first == last {
		return Naive(values, 1, horizon)
	}
	span := float64(last - first)
	slope := (values[last] - values[first]) / span
	deviation := math.Sqrt(meanSquaredDifference(values, 1, slope))
	f := newForecast(horizon)
	for h := range horizon {
		steps := float64(len(values) + h - last)
		f.Mean[h] = values[last] + slope*steps
		f.Deviation[h] = deviation * math.Sqrt(steps*(1+steps/span))
	}
	return f
}

// knownEnds returns the indices of the first and the last known value, and twice the same
// if there are none.
func knownEnds(values []float64) (first, last int) {
	last = lastKnown(values, len(values)-1, 1)
	for first < last && math.IsNaN(values[first]) {
		first++
	}
	if last < 0 {
		return last, last
	}
	return first, last
}

// Mean forecasts every step by the mean of all known values.
func Mean(values []float64, _, horizon int) Forecast { return SeasonalMean(values, 1, horizon) }

// SeasonalMean forecasts each step by the mean of the known values of its phase. A phase
// without any is forecast by the mean of all.
func SeasonalMean(values []float64, season, horizon int) Forecast {
	season = max(1, season)
	means, counts := phaseMeans(values, season)
	deviation := math.Sqrt(phaseVariance(values, means))
	f := newForecast(horizon)
	for h := range horizon {
		phase := (len(values) + h) % season
		f.Mean[h] = means[phase]
		f.Deviation[h] = deviation * math.Sqrt(1+1/float64(max(1, counts[phase])))
	}
	return f
}

// phaseMeans returns the mean of the known values of each phase, of which the first value
// has phase 0, and their number. The mean of a phase without any is that of all.
func phaseMeans(values []float64, season int) (means []float64, counts []int) {
	means, counts = make([]float64, season), make([]int, season)
	sum, n := 0.0, 0
	for i, v := range values {
		if !math.IsNaN(v) {
			means[i%season] += v
			counts[i%season]++
			sum += v
			n++
		}
	}
	for phase, count := range counts {
		if count > 0 {
			means[phase] /= float64(count)
		} else {
			means[phase] = sum / float64(n) // NaN if no value is known
		}
	}
	return means, counts
}

// phaseVariance returns the variance of the known values about the means of their phases,
// and 0 if there are no more values than phases.
func phaseVariance(values, means []float64) float64 {
	sum, n := 0.0, 0
	for i, v := range values {
		if d := v - means[i%len(means)]; !math.IsNaN(d) {
			sum += d * d
			n++
		}
	}
	return sum / float64(max(1, n-len(means)))
}
