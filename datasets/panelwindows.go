package datasets

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"

	"github.com/rnnkit/rnnkit/models"
)

// WindowOptions says which windows of a [Panel] are examples. Window and Horizon must be
// 1 or more, and the zero value of the others is their default.
type WindowOptions struct {
	Window  int // steps that the model looks back
	Horizon int // steps ahead that it answers for

	MinHistory int // values that a window must have, besides missing ones and padding; 0 for 1
	MinTargets int // steps of the horizon that the series must have; 0 for all
	Last       int // only so many origins at the end of each series; 0 for all

	// Count is the number of windows that are drawn. All series have as many of them, or
	// one more, whatever their lengths. Count 0 is every window once.
	Count int
	Seed  uint64 // of what is drawn

	Errors     [][]float64             // what Weights are 1 over: see SeasonalErrors; nil for none
	Categories []models.CategoryValues // the numbers of the categories; nil for CategoryValues
}

// PanelWindows is the [Source] of a direct forecaster. An example is one target of one
// series at an origin, the first step of the horizon: see [Batch]. Where the window
// begins before the series, it is padded with missing values.
type PanelWindows struct {
	panel   *Panel
	options WindowOptions
	runs    []run
	groups  []int       // the numbers of the first window of each series that has one, and of all windows
	numbers [][]int64   // of the categories of each series
	columns [][]float64 // those that an example has in its window, while it is read
}

// run is a range of origins of a target that are all examples.
type run struct {
	series, target int
	origin         int // the first
	number         int // of the window there
}

// Windows returns the windows of a panel. The error is a *models.FieldError for an option
// that does not fit, or that of [Panel.Check]. It is an [ErrTooShort] if no series has a
// window.
func (p *Panel) Windows(o WindowOptions) (*PanelWindows, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	o.MinHistory = max(o.MinHistory, 1)
	if o.MinTargets == 0 {
		o.MinTargets = o.Horizon
	}
	if o.Categories == nil {
		o.Categories = p.CategoryValues()
	}
	if err := o.check(p); err != nil {
		return nil, err
	}
	w := &PanelWindows{panel: p, options: o}
	count := 0
	for i, s := range p.Series {
		first := count
		for target, values := range s.Targets {
			count = w.addRuns(i, target, values, count)
		}
		if count > first {
			w.groups = append(w.groups, first)
		}
		w.numbers = append(w.numbers, categoryNumbers(s.Categories, o.Categories))
	}
	w.groups = append(w.groups, count)
	if count == 0 {
		return nil, fmt.Errorf("series are %w: %s", ErrTooShort, o.needs())
	}
	return w, nil
}

// check returns an error for the first option that does not fit.
func (o *WindowOptions) check(p *Panel) error {
	for _, f := range []struct {
		name               string
		value, least, most int
	}{
		{"Window", o.Window, 1, math.MaxInt32}, {"Horizon", o.Horizon, 1, math.MaxInt32},
		{"MinHistory", o.MinHistory, 1, o.Window}, {"MinTargets", o.MinTargets, 1, o.Horizon},
		{"Last", o.Last, 0, math.MaxInt}, {"Count", o.Count, 0, math.MaxInt32},
	} {
		if f.value < f.least || f.value > f.most {
			return &models.FieldError{Field: f.name, Value: f.value, Want: fmt.Sprintf("from %d to %d", f.least, f.most)}
		}
	}
	if o.Errors != nil && len(o.Errors) != len(p.Series) {
		return &models.FieldError{Field: "Errors", Value: o.Errors, Want: fmt.Sprintf("nil or of length %d, as Series", len(p.Series))}
	}
	for i, errors := range o.Errors {
		if len(errors) != len(p.Targets) || slices.ContainsFunc(errors, func(e float64) bool { return !(e > 0) }) {
			return &models.FieldError{Field: fmt.Sprintf("Errors[%d]", i), Value: errors, Want: fmt.Sprintf("%d numbers above 0", len(p.Targets))}
		}
	}
	if len(o.Categories) != len(p.Categories) {
		return &models.FieldError{Field: "Categories", Value: models.Length(len(o.Categories)), Want: fmt.Sprintf("of length %d, as Roles.Categories", len(p.Categories))}
	}
	return nil
}

// needs says what a series must have for a window.
func (o *WindowOptions) needs() string {
	return fmt.Sprintf("a window with %d values or more and %d steps after it need at least %d rows, so use a longer series or a shorter horizon",
		o.MinHistory, o.MinTargets, o.MinHistory+o.MinTargets)
}

// addRuns adds the runs of origins that are examples, and returns the number of windows
// up to there.
func (w *PanelWindows) addRuns(series, target int, values []float64, count int) int {
	o := w.options
	end := len(values) - o.MinTargets + 1 // of the origins
	inRun := false
	observed, ahead := 0, observedIn(values[:min(len(values), o.Horizon)])
	for origin := 1; origin < end; origin++ {
		observed += seen(values, origin-1) - seen(values, origin-1-o.Window)
		ahead += seen(values, origin-1+o.Horizon) - seen(values, origin-1)
		fits := observed >= o.MinHistory && ahead > 0 && (o.Last == 0 || origin >= end-o.Last)
		if fits && !inRun {
			w.runs = append(w.runs, run{series, target, origin, count})
		}
		if inRun = fits; fits {
			count++
		}
	}
	return count
}

// observedIn returns the number of values that are not missing.
func observedIn(values []float64) (n int) {
	for i := range values {
		n += seen(values, i)
	}
	return n
}

// seen returns 1 if there is a value with index i that is not missing, otherwise 0.
func seen(values []float64, i int) int {
	if i < 0 || i >= len(values) || values[i] != values[i] {
		return 0
	}
	return 1
}

// categoryNumbers returns the numbers of the categories of a series: 0 for a value that is not
// among the known ones.
func categoryNumbers(categories []string, known []models.CategoryValues) []int64 {
	numbers := make([]int64, len(categories))
	for i, value := range categories {
		numbers[i] = int64(slices.Index(known[i].Values, value) + 1)
	}
	return numbers
}

// Len returns the number of examples: Count, or that of all windows.
func (w *PanelWindows) Len() int {
	if w.options.Count > 0 {
		return w.options.Count
	}
	return w.groups[len(w.groups)-1]
}

// Example returns the series and the target of an example, and its origin: the row of the
// first step of the horizon.
func (w *PanelWindows) Example(i int) (series, target, origin int) {
	n := w.window(i)
	r := w.runs[sort.Search(len(w.runs), func(k int) bool { return w.runs[k].number > n })-1]
	return r.series, r.target, r.origin + n - r.number
}

// window returns the number of the window that is example i. With Count the series take
// turns, and the window of a series is drawn.
func (w *PanelWindows) window(i int) int {
	if w.options.Count == 0 {
		return i
	}
	groups := len(w.groups) - 1
	g := i % groups
	if w.options.Count < groups {
		g = i * groups / w.options.Count
	}
	var draw rand.PCG
	draw.Seed(w.options.Seed, uint64(i))
	from, to := w.groups[g], w.groups[g+1]
	return from + int(draw.Uint64()%uint64(to-from))
}

// Read implements [Source].
func (w *PanelWindows) Read(b *Batch, examples []int) error {
	*b = Batch{Size: len(examples), Time: w.options.Window, Inputs: b.Inputs[:0], Ahead: b.Ahead[:0],
		Static: b.Static[:0], Categories: b.Categories[:0], Targets: b.Targets[:0], Weights: b.Weights[:0]}
	for _, i := range examples {
		if err := checkExample(i, w.Len()); err != nil {
			return err
		}
		series, target, origin := w.Example(i)
		w.add(b, series, target, origin)
	}
	return nil
}

// add appends an example to a batch.
func (w *PanelWindows) add(b *Batch, series, target, origin int) {
	s, o := &w.panel.Series[series], w.options
	w.columns = append(append(append(w.columns[:0], s.Targets[target]), s.Past...), s.Future...)
	b.Inputs = appendRows(b.Inputs, w.columns, origin-o.Window, origin)
	b.Ahead = appendRows(b.Ahead, s.Future, origin, origin+o.Horizon)
	b.Targets = appendRows(b.Targets, s.Targets[target:target+1], origin, origin+o.Horizon)
	for _, v := range s.Static {
		b.Static = append(b.Static, float32(v))
	}
	b.Categories = append(b.Categories, w.numbers[series]...)
	if o.Errors != nil {
		b.Weights = append(b.Weights, float32(1/o.Errors[series][target]))
	}
}

// appendRows appends the rows from i up to but not including j, [rows, columns]. Those
// that a column does not have are missing.
func appendRows(list []float32, columns [][]float64, i, j int) []float32 {
	n := len(list)
	list = slices.Grow(list, (j-i)*len(columns))[:n+(j-i)*len(columns)]
	for c, values := range columns {
		for row, at := i, n+c; row < j; row, at = row+1, at+len(columns) {
			v := math.NaN()
			if row >= 0 && row < len(values) {
				v = values[row]
			}
			list[at] = float32(v)
		}
	}
	return list
}
