package baselines

import (
	"math"
	"slices"
)

// Theta is the classic Theta method, as the M4 competition had it among its benchmarks:
// the mean of a straight line and of simple exponential smoothing of twice the series less
// that line, after seasonal adjustment where [HasSeason] finds a season. The season
// multiplies if no value is negative and no phase is always 0, and adds otherwise. A series
// without negative values has no negative forecasts. Missing values are interpolated.
//
// Assimakopoulos and Nikolopoulos, "The theta model: a decomposition approach to
// forecasting" (2000). The intervals are those of simple exponential smoothing with drift,
// which it equals: Hyndman and Billah, "Unmasking the Theta method" (2003).
func Theta(values []float64, season, horizon int) Forecast {
	return adjusting(values, season, horizon, thetaLines)
}

// Naive2 is [Naive] after the seasonal adjustment of [Theta], the benchmark of the M4
// competition.
func Naive2(values []float64, season, horizon int) Forecast {
	return adjusting(values, season, horizon, func(values []float64, horizon int) Forecast {
		return Naive(values, 1, horizon)
	})
}

// adjusting forecasts a series by a method that knows no season.
func adjusting(values []float64, season, horizon int, method func([]float64, int) Forecast) Forecast {
	return trimmed(values, horizon, func(y []float64, horizon int) Forecast {
		filled := interpolated(y, season)
		if !HasSeason(y, season) {
			return method(filled, horizon)
		}
		p := decompose(filled, season)
		f := method(p.adjusted(filled), horizon)
		p.restore(f, len(filled))
		return f
	})
}

func thetaLines(values []float64, horizon int) Forecast {
	n := len(values)
	base, slope := line(values)
	bent := make([]float64, n)
	for i, v := range values {
		bent[i] = 2*v - (base + slope*float64(i))
	}
	s := smooth(bent)
	deviation := 0.5 * math.Sqrt(s.squares/float64(n))
	least := math.Inf(-1)
	if slices.Min(values) >= 0 {
		least = 0
	}
	f := newForecast(horizon)
	for h := range horizon {
		f.Mean[h] = max(least, 0.5*(base+slope*float64(n+h)+s.level))
		f.Deviation[h] = deviation * math.Sqrt(1+float64(h)*s.weight*s.weight)
	}
	return f
}

// line returns the straight line through values by least squares: base + slope·i.
func line(values []float64) (base, slope float64) {
	n := float64(len(values))
	middle := (n - 1) / 2
	sum, moment, square := 0.0, 0.0, 0.0
	for i, v := range values {
		t := float64(i) - middle
		sum += v
		moment += t * v
		square += t * t
	}
	if square > 0 {
		slope = moment / square
	}
	return sum/n - slope*middle, slope
}

// smoothing is simple exponential smoothing of a series.
type smoothing struct {
	weight  float64 // of the newest value
	level   float64 // at the end
	squares float64 // the sum of the squared errors one step ahead
}

// smooth returns the smoothing with the least squared errors, over weights and first
// levels. It looks for the weight on a grid that it makes finer three times.
func smooth(values []float64) smoothing {
	const points = 21
	least, most := 1e-4, 0.9999
	var best smoothing
	for range 4 {
		step := (most - least) / (points - 1)
		best = smoothWith(values, least)
		for i := 1; i < points; i++ {
			if s := smoothWith(values, least+float64(i)*step); s.squares < best.squares {
				best = s
			}
		}
		least, most = max(least, best.weight-step), min(most, best.weight+step)
	}
	return best
}

// smoothWith returns the smoothing of a given weight with the best first level. All errors
// are linear in that level, by powers of 1-weight, so that it has a closed form.
func smoothWith(values []float64, weight float64) smoothing {
	level, power := 0.0, 1.0
	product, square, squares := 0.0, 0.0, 0.0
	for _, v := range values {
		e := v - level
		product += e * power
		square += power * power
		squares += e * e
		level += weight * e
		power *= 1 - weight
	}
	first := product / square
	return smoothing{weight: weight, level: level + power*first, squares: max(0, squares-product*first)}
}
