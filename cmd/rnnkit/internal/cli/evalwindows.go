package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/internal/baselines"
	"github.com/rnnkit/rnnkit/internal/metrics"
)

// evaluation is what was scored of a table, and where anomalies are known.
type evaluation struct {
	columns int
	series  []*evaluated
	byName  map[string]*evaluated
	late    int // rows without a score
}

// evaluated is a series that was scored.
type evaluated struct {
	name    string
	times   []time.Time
	scores  []float64
	values  [][]float64 // of each column
	windows [][2]int    // first and last row
}

// add adds a row, which a label after the columns may mark.
func (e *evaluation) add(row *datasets.Observation, score float64) {
	s := e.byName[row.Series]
	if s == nil {
		s = &evaluated{name: row.Series, values: make([][]float64, e.columns)}
		e.byName[row.Series], e.series = s, append(e.series, s)
	}
	s.times, s.scores = append(s.times, row.Time), append(s.scores, score)
	for i := range s.values {
		s.values[i] = append(s.values[i], row.Values[i])
	}
	if len(row.Values) > e.columns && row.Values[e.columns] > 0 {
		s.mark(len(s.scores) - 1)
	}
}

// mark makes a row the next one of the last window, or the first of a new one.
func (s *evaluated) mark(row int) {
	if last := len(s.windows) - 1; last >= 0 && s.windows[last][1] == row-1 {
		s.windows[last][1] = row
		return
	}
	s.windows = append(s.windows, [2]int{row, row})
}

// readWindows reads the windows of all series from a JSON file.
func (e *evaluation) readWindows(path, data string, observations *datasets.Observations) error {
	byName, err := windowsByName(path)
	if err != nil {
		return err
	}
	named := false
	for _, s := range e.series {
		key, found := windowsKey(byName, s.name, data)
		named = named || found
		for i, pair := range byName[key] {
			if err := s.addWindow(pair, observations); err != nil {
				return fmt.Errorf("%s: window %d of %.40q: %w", path, i+1, key, err)
			}
		}
	}
	if !named {
		keys := slices.Sorted(maps.Keys(byName))
		return fmt.Errorf("%s: there are no windows of %s, but of %d others, such as %q: name them by the series or the file", path, data, len(keys), keys[:min(3, len(keys))])
	}
	return nil
}

// windowsByName reads the pairs of times in a JSON file, those of all series by the name "".
func windowsByName(path string) (byName map[string][][]any, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the windows: %w", err)
	}
	var all [][]any
	if json.Unmarshal(text, &all) == nil {
		return map[string][][]any{"": all}, nil
	}
	if err := json.Unmarshal(text, &byName); err != nil {
		return nil, fmt.Errorf("%s: neither a list of pairs of times nor an object with such a list for each series: %w", path, err)
	}
	return byName, nil
}

// windowsKey returns the key of the windows of a series in a file: its name, or else the
// longest end of the file's path, or "" for all series.
func windowsKey(byName map[string][][]any, series, data string) (key string, found bool) {
	if _, found = byName[series]; found && series != "" {
		return series, true
	}
	path := "/" + filepath.ToSlash(data)
	bare := strings.TrimSuffix(path, filepath.Ext(path))
	_, found = byName[""]
	for other := range byName {
		if len(other) > len(key) && (strings.HasSuffix(path, "/"+other) || strings.HasSuffix(bare, "/"+other)) {
			key, found = other, true
		}
	}
	return key, found
}

// addWindow adds the rows from one time to another.
func (s *evaluated) addWindow(pair []any, observations *datasets.Observations) error {
	if len(pair) != 2 {
		return fmt.Errorf("%d times, where there are two: its first and its last", len(pair))
	}
	first, _, err := s.rowsAt(pair[0], observations)
	if err != nil {
		return err
	}
	_, after, err := s.rowsAt(pair[1], observations)
	if err != nil {
		return err
	}
	if after <= first {
		return fmt.Errorf("no rows from %v to %v", pair[0], pair[1])
	}
	if k := len(s.windows) - 1; k >= 0 && first <= s.windows[k][1] {
		return fmt.Errorf("it begins before the end of the one before: write them in order, without overlaps")
	}
	s.windows = append(s.windows, [2]int{first, after - 1})
	return nil
}

// rowsAt returns the first row at a time or after it, and the first one after it. The time
// may be the number of a row, from 1.
func (s *evaluated) rowsAt(at any, observations *datasets.Observations) (first, after int, err error) {
	if n, ok := at.(float64); ok {
		if n < 1 || n > float64(len(s.times)) || n != math.Trunc(n) {
			return 0, 0, fmt.Errorf("%v is no row: there are %d", n, len(s.times))
		}
		return int(n) - 1, int(n), nil
	}
	t, err := observations.ParseTime(fmt.Sprint(at))
	if err != nil {
		return 0, 0, err
	}
	first, found := slices.BinarySearchFunc(s.times, t, time.Time.Compare)
	if found {
		return first, first + 1, nil
	}
	return first, first, nil
}

// evalResult says how well a method found the windows.
type evalResult struct {
	Method  string    `json:"method"`
	Rows    int       `json:"rows"`
	Windows int       `json:"windows"`
	Found   int       `json:"found"`
	False   int       `json:"false_anomalies"`
	NAB     nabResult `json:"nab"`
	VUSPR   *float64  `json:"vus_pr"`
}

type nabResult struct {
	Standard *float64 `json:"standard"`
	LowFP    *float64 `json:"low_fp"`
	LowFN    *float64 `json:"low_fn"`
	Best     *float64 `json:"best_standard"`
	Border   *float64 `json:"best_border"`
}

// detected returns the result of the detector.
func (e *evaluation) detected(model string) evalResult {
	return e.result(filepath.Base(model), 1, func(s *evaluated) []float64 { return s.scores })
}

// robust returns that of robust z-scores, with a border that as many rows reach.
func (e *evaluation) robust(season int) evalResult {
	scores, all := map[*evaluated][]float64{}, []float64{}
	anomalies := 0
	for _, s := range e.series {
		scores[s] = s.robust(season)
		all = append(all, scores[s]...)
		for _, v := range s.scores {
			if v >= 1 {
				anomalies++
			}
		}
	}
	slices.Sort(all)
	border := math.Inf(1)
	if anomalies > 0 {
		border = max(all[len(all)-anomalies], math.SmallestNonzeroFloat64) // 0 is unknown
	}
	return e.result("robust z-score", border, func(s *evaluated) []float64 { return scores[s] })
}

// robust returns the largest robust z-score of the columns for each row, 0 where none is
// known.
func (s *evaluated) robust(season int) []float64 {
	largest := make([]float64, len(s.scores))
	for _, values := range s.values {
		scores, _ := baselines.RobustZ(values, season)
		for i, v := range scores {
			if v > largest[i] {
				largest[i] = min(v, math.MaxFloat32)
			}
		}
	}
	return largest
}

// result compares scores with the windows.
func (e *evaluation) result(method string, border float64, scoresOf func(*evaluated) []float64) evalResult {
	r := evalResult{Method: method}
	var list []metrics.Windows
	volume, series := 0.0, 0.0
	for _, s := range e.series {
		scores := scoresOf(s)
		r.count(s, scores, border)
		list = append(list, metrics.Windows{Scores: scores, Windows: s.windows})
		if len(s.windows) > 0 {
			volume, series = volume+metrics.VUSPR(s.marked(), scores, metrics.Period(withoutMissing(s.values[0]))), series+1
		}
	}
	r.VUSPR = known(volume / series)
	r.NAB.Standard = known(metrics.NAB(list, border, metrics.NABStandard))
	r.NAB.LowFP, r.NAB.LowFN = known(metrics.NAB(list, border, metrics.NABLowFP)), known(metrics.NAB(list, border, metrics.NABLowFN))
	best, at := metrics.BestNAB(list, metrics.NABStandard)
	r.NAB.Best, r.NAB.Border = known(best), known(at)
	return r
}

// count counts the windows that were found, and the anomalies outside.
func (r *evalResult) count(s *evaluated, scores []float64, border float64) {
	r.Rows += len(scores)
	r.Windows += len(s.windows)
	found := map[int]bool{}
	for i, v := range scores {
		if v < border {
			continue
		}
		if k := slices.IndexFunc(s.windows, func(w [2]int) bool { return i >= w[0] && i <= w[1] }); k >= 0 {
			found[k] = true
		} else {
			r.False++
		}
	}
	r.Found += len(found)
}

// marked returns for each row whether it lies in a window.
func (s *evaluated) marked() []bool {
	marked := make([]bool, len(s.scores))
	for _, w := range s.windows {
		for i := w[0]; i <= w[1]; i++ {
			marked[i] = true
		}
	}
	return marked
}

func withoutMissing(values []float64) []float64 {
	return slices.DeleteFunc(slices.Clone(values), math.IsNaN)
}
