package datasets

import (
	"math"
	"slices"
)

// At most seasonSeries series, evenly chosen, and their last rows tell the season:
// seasonRows of them, or four cycles.
const (
	seasonSeries = 200
	seasonRows   = 5000
	longestCycle = 400 // in rows, without times
	shortCycle   = 7   // in rows; a series that remembers a few rows is like a shorter one

	// longCycleParts is into how many parts a long cycle is cut. What changes slowly over it
	// shows in the differences of values that lie a part apart, while in those of
	// neighbours it may be less than the noise.
	longCycleParts = 8

	farDeviations = 5 // of the differences
)

// Seasons returns after how many rows the series repeat, the shortest season first, such
// as 24 and 168 for hours with days and weeks in them. It is empty for series without one.
//
// With times, the cycles of models.Frequency.Cycles are tried. A cycle of m rows is a
// season if the autocorrelation of the first differences at lag m stands out. That
// autocorrelation is the mean over the first targets of all series that hold three cycles.
// Its margin of error is 2/√n, for n differences in all. It stands out if it is
//
//   - more than 0.1 and more than the margin,
//   - more than that at half the lag, by more than the margin,
//   - more than twice that at some shorter lag, and
//   - not less than those at the lags beside it, by more than twice the margin.
//
// What lies far from the median of the differences counts as less far. A cycle of 24 rows or
// more that does not stand out in the differences of neighbours is looked for in those of
// values an eighth of the cycle apart, which tell a slow change from noise.
//
// For a longer cycle the differences are between values that lie the season before it
// apart, so that weeks must tell what days do not. If no series holds three of the shortest
// cycle, that cycle is the season if a series holds one.
//
// Without times, the cycle is one of 2 to 400 rows that stands out so. Lags are compared by
// the mean of the autocorrelations at the lag and at twice the lag. The cycle is the
// shortest whose mean is the largest among those from half to one and a half times as
// long, more than twice what lags up to twice as long have on average, more than 0.4 times
// the largest of all, and more than 0.3. For cycles of 7 rows or more in long series, 0.15
// and three times the margin suffice.
// Seven times that lag is tried too.
func (p *Panel) Seasons() (seasons []int) {
	cycles := p.Frequency.Cycles()
	rows := seasonRows
	if len(cycles) > 0 {
		rows = max(rows, 4*cycles[len(cycles)-1])
	}
	d := p.differences(1, rows)
	if p.Frequency.Count == 0 {
		cycles = d.cycles()
	}
	for _, m := range cycles {
		apart := m / longCycleParts
		if d.standsOut(m, 1) || apart > 2 && len(seasons) == 0 && p.differences(apart, rows).standsOut(m, apart) {
			seasons = append(seasons, m)
			d = p.differences(m, rows)
		}
	}
	longest := p.longest().Len()
	if len(cycles) > 0 && longest < 3*cycles[0] && longest > cycles[0] {
		return cycles[:1]
	}
	return seasons
}

// standsOut reports whether the autocorrelation at lag m does. Differences between values
// some rows apart overlap: n of those of a random walk tell as much as 3n/(2·apart) that do
// not.
func (d differences) standsOut(m, apart int) bool {
	rows := 3*m + 1 - apart
	r, margin := d.autocorrelation(m, rows)
	margin *= math.Sqrt(max(1, 2*float64(apart)/3))
	if r <= max(0.1, margin) {
		return false
	}
	half, _ := d.autocorrelation(m/2, rows)
	less, _ := d.autocorrelation(m-1, rows)
	more, _ := d.autocorrelation(m+1, rows)
	if r <= half+margin || r+2*margin < max(less, more) { // neighbours err in opposite ways
		return false
	}
	for lag := 1; lag < m; lag++ {
		if at, _ := d.autocorrelation(lag, rows); at < r/2 {
			return true
		}
	}
	return false
}

// differences holds those of series, each series with mean 0 and variance 1. Missing ones
// are 0.
type differences [][]float64

// differences returns those of values a lag apart, in the last rows of the series that
// tell the season.
func (p *Panel) differences(lag, rows int) (d differences) {
	for i := 0; i < len(p.Series); i += 1 + (len(p.Series)-1)/seasonSeries {
		values := p.Series[i].Targets[0]
		if one := standardizedDifferences(values[max(0, len(values)-rows):], lag); one != nil {
			d = append(d, one)
		}
	}
	return d
}

// standardizedDifferences returns nil for values that do not change.
func standardizedDifferences(values []float64, lag int) []float64 {
	d := make([]float64, max(0, len(values)-lag))
	for i := range d {
		d[i] = values[i+lag] - values[i]
	}
	clip(d)
	mean := meanOf(d, 0, func(a, _ float64) float64 { return a })
	std := math.Sqrt(meanOf(d, 0, func(a, _ float64) float64 { return (a - mean) * (a - mean) }))
	if !(std > 0) {
		return nil
	}
	for i, v := range d {
		if d[i] = (v - mean) / std; v != v {
			d[i] = 0
		}
	}
	return d
}

// clip takes what lies far from the median as farDeviations away from it, so that one outlier
// does not hide what all other values tell. A deviation is that of a normal distribution with
// as many values as near.
func clip(values []float64) {
	known := slices.DeleteFunc(slices.Clone(values), math.IsNaN)
	if len(known) == 0 {
		return
	}
	slices.Sort(known)
	median := known[len(known)/2]
	for i, v := range known {
		known[i] = math.Abs(v - median)
	}
	slices.Sort(known)
	far := farDeviations * 1.4826 * known[len(known)/2]
	if !(far > 0) { // most values are equal
		return
	}
	for i, v := range values {
		values[i] = max(median-far, min(v, median+far))
	}
}

// autocorrelation returns the mean autocorrelation at a lag of the series that had rows or
// more, and its margin of error: 2/√n, for n differences in all of these.
func (d differences) autocorrelation(lag, rows int) (mean, margin float64) {
	series, n := 0, 0
	for _, values := range d {
		if len(values)+1 < rows || len(values) <= lag {
			continue
		}
		values = values[max(0, len(values)-max(seasonRows, 4*lag)):]
		sum := 0.0
		for i := lag; i < len(values); i++ {
			sum += values[i] * values[i-lag]
		}
		mean += sum / float64(len(values)-lag)
		n += len(values)
		series++
	}
	return mean / float64(max(1, series)), 2 / math.Sqrt(float64(max(1, n)))
}

// cycles returns the cycle that series without times have, and seven of it.
func (d differences) cycles() []int {
	const from = 2
	var scores [longestCycle + 1]float64
	for lag := from; lag <= longestCycle; lag++ {
		one, _ := d.autocorrelation(lag, 3*lag)
		two, _ := d.autocorrelation(2*lag, 3*lag)
		scores[lag] = (one + two) / 2
	}
	_, margin := d.autocorrelation(from, 0)
	share := 0.4 * slices.Max(scores[:])
	for lag := from; lag <= longestCycle; lag++ {
		least := max(share, 0.3)
		if lag >= shortCycle {
			least = max(share, min(0.3, max(0.15, 3*margin)))
		}
		around := scores[lag/2 : min(3*lag/2, longestCycle)+1]
		if scores[lag] > least && scores[lag] == slices.Max(around) && meanBetween(scores[:], lag) < scores[lag]/2 && d.standsOut(lag, 1) {
			return []int{lag, 7 * lag}
		}
	}
	return nil
}

// meanBetween returns the mean of the scores of the lags between a lag and twice that. It is
// about 0 if the lag is a cycle, since differences over a cycle add up to nothing.
func meanBetween(scores []float64, lag int) float64 {
	between := scores[lag+1 : max(lag+1, min(2*lag, len(scores)))]
	return meanOf(between, 0, func(a, _ float64) float64 { return a })
}
