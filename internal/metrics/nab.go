package metrics

import (
	"cmp"
	"math"
	"slices"
)

// Windows are the scores of a series, and the windows in which an alarm is right.
type Windows struct {
	Scores  []float64
	Windows [][2]int // the first and the last row of each, in order
}

// NABProfile says how much false alarms and missed windows count.
type NABProfile struct{ FalseAlarm, Missed float64 }

// The profiles of NAB.
var (
	NABStandard = NABProfile{0.11, 1}
	NABLowFP    = NABProfile{0.22, 1}
	NABLowFN    = NABProfile{0.11, 2}
)

// NAB returns the score of the Numenta Anomaly Benchmark 1.1 over all series, where rows
// whose score reaches the border are alarms: 100 for an alarm at the beginning of each
// window and none elsewhere, 0 for no alarms at all. The first 15% of a series, at most 750
// rows, do not count. Lavin and Ahmad, "Evaluating Real-Time Anomaly Detection Algorithms"
// (2015). It is NaN without windows.
func NAB(series []Windows, border float64, profile NABProfile) float64 {
	score, _ := nab(series, profile, func(level float64) bool { return level >= border })
	return score
}

// BestNAB returns the score with the border at which it is highest, as NAB itself does, and
// that border.
func BestNAB(series []Windows, profile NABProfile) (score, border float64) {
	return nab(series, profile, nil)
}

// nabRow is a row that counts.
type nabRow struct {
	score, worth float64
	window       int // -1 for none
}

// nab returns the score of the lowest border that is allowed, or of the best one.
func nab(series []Windows, profile NABProfile, allowed func(level float64) bool) (score, border float64) {
	rows, windows := nabRows(series)
	if windows == 0 {
		return math.NaN(), math.NaN()
	}
	slices.SortStableFunc(rows, func(a, b nabRow) int { return cmp.Compare(b.score, a.score) })
	best, silent := missedWindows(rows, profile)
	total, chosen := silent, silent
	border = math.Inf(1)
	for i, r := range rows {
		switch worth, in := best[r.window]; {
		case !in:
			total += r.worth * profile.FalseAlarm
		case r.worth > worth:
			total += r.worth - worth
			best[r.window] = r.worth
		}
		if i+1 < len(rows) && rows[i+1].score == r.score {
			continue
		}
		if allowed != nil && allowed(r.score) || allowed == nil && total > chosen {
			chosen, border = total, r.score
		}
	}
	return 100 * (chosen - silent) / (float64(windows) - silent), border
}

// missedWindows returns the worth of each window if there is no alarm, and the sum of them.
func missedWindows(rows []nabRow, profile NABProfile) (worth map[int]float64, sum float64) {
	worth = map[int]float64{}
	for _, r := range rows {
		if _, seen := worth[r.window]; r.window >= 0 && !seen {
			worth[r.window] = -profile.Missed
			sum -= profile.Missed
		}
	}
	return worth, sum
}

// nabRows returns the rows of all series that count, and the number of all windows.
func nabRows(series []Windows) (rows []nabRow, windows int) {
	for _, s := range series {
		n := len(s.Scores)
		worth, window := nabWorth(n, s.Windows)
		for i := min(n*15/100, 750); i < n; i++ {
			r := nabRow{s.Scores[i], worth[i], -1}
			if window[i] >= 0 {
				r.window = windows + window[i]
			}
			rows = append(rows, r)
		}
		windows += len(s.Windows)
	}
	return rows, windows
}

// nabWorth returns what an alarm in each row is worth before it is weighted, from -1 to 1,
// and the window that the row lies in, -1 for none.
func nabWorth(n int, windows [][2]int) (worth []float64, window []int) {
	worth, window = make([]float64, n), make([]int, n)
	for i := range worth {
		worth[i], window[i] = -1, -1
	}
	best := nabSigmoid(-1)
	for k, w := range windows {
		next := n
		if k+1 < len(windows) {
			next = windows[k+1][0]
		}
		for i := w[0]; i < next; i++ {
			if i <= w[1] {
				worth[i], window[i] = nabSigmoid(-float64(w[1]-i+1)/float64(w[1]-w[0]+1))/best, k
			} else {
				worth[i] = nabSigmoid(float64(i-w[1]) / math.Max(float64(w[1]-w[0]), 1e-9))
			}
		}
	}
	return worth, window
}

// nabSigmoid falls from 1 before a window's end, at 0, to -1 after it.
func nabSigmoid(x float64) float64 {
	if x > 3 {
		return -1
	}
	return 2/(1+math.Exp(5*x)) - 1
}
