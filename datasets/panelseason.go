package datasets

import "math"

// At most seasonSeries series, evenly chosen, and their last rows tell the season:
// seasonRows of them, or four cycles.
const (
	seasonSeries = 200
	seasonRows   = 5000
	longestCycle = 400 // in rows, without times
)

// Seasons returns after how many rows the series repeat, the shortest season first, such
// as 24 and 168 for hours with days and weeks in them. It is empty for series without one.
//
// With times, the cycles of models.Frequency.Cycles are tried. A cycle of m rows is a
// season if the autocorrelation of first differences at lag m, the mean over the first
// targets of all series with three cycles or more, is not less than at the lags beside it,
// more than 0.1, and significant: more than 1.645/√n for n differences in all. A longer
// cycle must exceed the season before it by 1.645/√n: weeks must tell more than days. If
// no series has three of the shortest cycle, that is the season if a series has one.
//
// Without times, the cycle is the lag with the highest such autocorrelation of those from
// 2 to 400, or the shortest one with at least nine tenths of that, if it is above 0.3. Seven
// times that lag is tried too.
func (p *Panel) Seasons() (seasons []int) {
	cycles := p.Frequency.Cycles()
	rows := seasonRows
	if len(cycles) > 0 {
		rows = max(rows, 4*cycles[len(cycles)-1])
	}
	d := p.changes(rows)
	if p.Frequency.Count == 0 {
		cycles = d.cycles()
	}
	least, longest := 0.1, 0
	for i := range p.Series {
		longest = max(longest, p.Series[i].Len())
	}
	for _, m := range cycles {
		r, n := d.autocorrelation(m)
		significant := 1.645 / math.Sqrt(float64(n))
		before, _ := d.autocorrelation(m - 1)
		after, _ := d.autocorrelation(m + 1)
		if r >= max(before, after) && r > max(least, significant) {
			seasons = append(seasons, m)
			least = r + significant
		}
	}
	if len(cycles) > 0 && longest < 3*cycles[0] && longest > cycles[0] {
		return cycles[:1]
	}
	return seasons
}

// changes holds the first differences of series, each with mean 0 and variance 1. Missing
// ones are 0.
type changes [][]float64

// changes returns the differences in the last rows of the series that tell the season.
func (p *Panel) changes(rows int) (d changes) {
	for i := 0; i < len(p.Series); i += 1 + (len(p.Series)-1)/seasonSeries {
		values := p.Series[i].Targets[0]
		if one := standardizedDifferences(values[max(0, len(values)-rows):]); one != nil {
			d = append(d, one)
		}
	}
	return d
}

// standardizedDifferences returns nil for values that do not change.
func standardizedDifferences(values []float64) []float64 {
	d := make([]float64, max(0, len(values)-1))
	for i := range d {
		d[i] = values[i+1] - values[i]
	}
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

// autocorrelation returns the mean autocorrelation at a lag of the series with three times
// as many rows, and the number of their rows.
func (d changes) autocorrelation(lag int) (mean float64, n int) {
	series := 0
	for _, values := range d {
		if len(values) < 3*lag-1 {
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
	return mean / float64(max(1, series)), n
}

// cycles returns the cycle that series without times have, and seven of it.
func (d changes) cycles() []int {
	list := make([]float64, longestCycle+2)
	highest := 0.3
	for lag := range list {
		list[lag], _ = d.autocorrelation(lag)
		if lag >= 2 && lag <= longestCycle {
			highest = max(highest, list[lag])
		}
	}
	for lag := 2; lag <= longestCycle; lag++ {
		if r := list[lag]; r > 0.3 && r >= 0.9*highest && r >= max(list[lag-1], list[lag+1]) {
			return []int{lag, 7 * lag}
		}
	}
	return nil
}
