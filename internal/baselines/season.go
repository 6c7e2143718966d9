package baselines

import (
	"math"
	"slices"
)

// HasSeason reports whether the values of a series repeat after season steps: the test of
// the M4 competition, whether the autocorrelation at that lag is beyond its 90% limit.
// Missing values count as the mean. A series with fewer known values than three seasons
// has none.
//
// It finds a season in most series that wander, too: see [FindSeason]. Makridakis,
// Spiliotis, Assimakopoulos, "The M4 Competition" (2020).
func HasSeason(values []float64, season int) bool {
	if season <= 1 || known(values) < 3*season {
		return false
	}
	r := autocorrelations(values, season)
	return math.Abs(r[season-1]) > autocorrelationLimit(r, season, known(values))
}

// known returns the number of known values.
func known(values []float64) int {
	n := 0
	for _, v := range values {
		if !math.IsNaN(v) {
			n++
		}
	}
	return n
}

// autocorrelations returns those of the lags from 1 to most. A series whose known values
// are all the same has none.
func autocorrelations(values []float64, most int) []float64 {
	means, _ := phaseMeans(values, 1)
	centered := make([]float64, len(values))
	square := 0.0
	for i, v := range values {
		if !math.IsNaN(v) {
			centered[i] = v - means[0]
			square += centered[i] * centered[i]
		}
	}
	r := make([]float64, most)
	if square == 0 {
		return r
	}
	for lag := range r {
		for i := lag + 1; i < len(centered); i++ {
			r[lag] += centered[i] * centered[i-lag-1]
		}
		r[lag] /= square
	}
	return r
}

// autocorrelationLimit returns the limit that the autocorrelation at the lag of a season
// exceeds by chance in 5% of all series of n values, whose autocorrelations at shorter lags
// are r: Bartlett's formula.
func autocorrelationLimit(r []float64, season, n int) float64 {
	sum := 0.0
	for _, v := range r[:season-1] {
		sum += v * v
	}
	return normalQuantile(0.95) * math.Sqrt((1+2*sum)/float64(n))
}

// interpolated returns the series, whose ends are known, with its missing values
// interpolated: between known ones of the same phase, or between their neighbours where a
// phase has none or the series has not two seasons.
func interpolated(values []float64, season int) []float64 {
	filled := slices.Clone(values)
	if len(filled) >= 2*season {
		for phase := range season {
			interpolate(filled[phase:], season)
		}
	}
	interpolate(filled, 1)
	return filled
}

// interpolate fills the missing ones among every step-th value. Those before the first and
// after the last known one are as that.
func interpolate(values []float64, step int) {
	before := -1
	for i := 0; i < len(values); i += step {
		if math.IsNaN(values[i]) {
			continue
		}
		fillGap(values, before, i, step)
		before = i
	}
	if before >= 0 {
		fillGap(values, before, -1, step)
	}
}

// fillGap fills what lies between two known values, -1 for none.
func fillGap(values []float64, before, after, step int) {
	for i := max(0, before+step); after < 0 && i < len(values) || i < after; i += step {
		switch {
		case before < 0:
			values[i] = values[after]
		case after < 0:
			values[i] = values[before]
		default:
			share := float64(i-before) / float64(after-before)
			values[i] = values[before] + share*(values[after]-values[before])
		}
	}
}

// pattern is what the season does to each phase, of which the first value of the series
// has phase 0: it multiplies values or adds to them.
type pattern struct {
	index    []float64
	multiply bool
}

// decompose returns the pattern of a series of at least two seasons by classical
// decomposition: the mean of what each phase is beside a centered moving average of one
// season. It multiplies if no value is negative and no phase is always 0.
func decompose(values []float64, season int) pattern {
	if slices.Min(values) >= 0 {
		p := decomposeAs(values, season, true)
		if slices.Min(p.index) > 0 { // and not NaN
			return p
		}
	}
	return decomposeAs(values, season, false)
}

func decomposeAs(values []float64, season int, multiply bool) pattern {
	p := pattern{make([]float64, season), multiply}
	counts := make([]float64, season)
	reach := season / 2
	for i := reach; i < len(values)-reach; i++ {
		if v := p.without(values[i], movingAverage(values, i, season)); !math.IsNaN(v) { // as 0/0 is
			p.index[i%season] += v
			counts[i%season]++
		}
	}
	total := 0.0
	for phase, n := range counts {
		p.index[phase] /= n
		total += p.index[phase] / float64(season)
	}
	for phase, v := range p.index {
		p.index[phase] = p.without(v, total)
	}
	return p
}

// movingAverage returns the mean of one season around values[i]. Of an even season the
// values at both ends count half.
func movingAverage(values []float64, i, season int) float64 {
	reach := season / 2
	sum := 0.0
	for _, v := range values[i-reach : i+reach+1] {
		sum += v
	}
	if season%2 == 0 {
		sum -= (values[i-reach] + values[i+reach]) / 2
	}
	return sum / float64(season)
}

// without takes what a season does from v.
func (p pattern) without(v, season float64) float64 {
	if p.multiply {
		return v / season
	}
	return v - season
}

// adjusted returns the values without their season.
func (p pattern) adjusted(values []float64) []float64 {
	adjusted := make([]float64, len(values))
	for i, v := range values {
		adjusted[i] = p.without(v, p.index[i%len(p.index)])
	}
	return adjusted
}

// restore puts the season back into a forecast of the steps after n values.
func (p pattern) restore(f Forecast, n int) {
	for h := range f.Mean {
		s := p.index[(n+h)%len(p.index)]
		if p.multiply {
			f.Mean[h] *= s
			f.Deviation[h] *= s
		} else {
			f.Mean[h] += s
		}
	}
}
