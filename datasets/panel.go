package datasets

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/rnnkit/rnnkit/models"
)

// Panel holds series with the same columns, from which one forecaster learns. [ReadPanel]
// reads one from a table, and [NewPanel] makes one from slices.
type Panel struct {
	Roles     // the names of the columns, in the order in which the series hold them
	Frequency models.Frequency
	Series    []PanelSeries
	Notes     []string // what a person should know about what was read, a sentence each

	format timeFormat
}

// Roles says what the columns of a table are for. All names are those of columns, exactly
// or else regardless of case, or their numbers from 1.
type Roles struct {
	Time    string   // the times of the rows; "" finds the first column of times
	Series  []string // the columns that together tell series apart; empty for a single series
	Targets []string // what is forecast; empty finds the only column of numbers left
	Past    []string // covariates that are known up to the last row
	Future  []string // covariates that are known ahead
	Static  []string // what a series has for all its rows: a number, or else a category

	// Categories are further columns that a series has one value of for all its rows, as
	// categories even if they are numbers. In a Panel they are all categories.
	Categories []string

	// Calendar holds features of models.CalendarColumns. In a Panel it holds their
	// columns, which are the last of Future.
	Calendar []string

	// All says that all columns of numbers left are targets, where Targets is empty.
	All bool

	// Wide says that each column of Targets, or of numbers if Targets is empty, is a
	// series of its own with the column's name.
	Wide bool

	Infinite   bool           // infinite values are missing ones, and no error
	Missing    models.Missing // what is done about missing values; "" is mask
	Nearest    bool           // rows that do not lie whole steps apart count for the nearest step, and no error is made of them
	TimeFormat string         // how times are written: see ReadPanel; "" finds it
	Zone       string         // the time zone of times that are written without one, such as Europe/Berlin; "" is UTC
	Frequency  string         // the step from row to row as models.ParseFrequency reads it; "" finds it
}

// PanelSeries is a series of a Panel. Its rows are regular in time. NaN is a missing
// value.
type PanelSeries struct {
	Name  string    // the fields of Key with / between them; "" for the only series
	Key   []string  // the values of the columns Roles.Series, or the name of the column of a wide table
	Start time.Time // of the first row; zero without times

	Targets [][]float64 // a slice of values for each of Roles.Targets, all of the same length
	Past    [][]float64 // likewise, of the same length
	Future  [][]float64 // likewise; longer where covariates are known for rows after the last

	Static     []float64 // for each of Roles.Static
	Categories []string  // for each of Roles.Categories, "" for a missing one
}

// Len returns the number of rows that have targets.
func (s *PanelSeries) Len() int {
	if len(s.Targets) == 0 {
		return 0
	}
	return len(s.Targets[0])
}

// Ahead returns the number of rows after the last for which the covariates are known.
func (s *PanelSeries) Ahead() int {
	if len(s.Future) == 0 {
		return 0
	}
	return len(s.Future[0]) - s.Len()
}

// NewPanel returns a panel of series with one target and no times. They are called by
// their numbers from 1, or "" if there is only one. A program that has more sets the
// fields of the Panel and its Series. The slices are shared. The error is that of
// [Panel.Check].
func NewPanel(series ...[]float64) (*Panel, error) {
	p := &Panel{Roles: Roles{Targets: []string{"value"}}}
	for i, values := range series {
		name := strconv.Itoa(i + 1)
		if len(series) == 1 {
			name = ""
		}
		p.Series = append(p.Series, PanelSeries{Name: name, Targets: [][]float64{values}})
	}
	return p, p.Check()
}

// Check returns a *models.FieldError if the series do not have the columns of the Roles,
// if their columns have different lengths, or if a value is infinite or too large for
// float32.
func (p *Panel) Check() error {
	switch {
	case len(p.Series) == 0:
		return &models.FieldError{Field: "Series", Value: p.Series, Want: "of length 1 or more"}
	case len(p.Targets) == 0:
		return &models.FieldError{Field: "Roles.Targets", Value: p.Targets, Want: "of length 1 or more"}
	}
	for i := range p.Series {
		if err := p.checkSeries(&p.Series[i]); err != nil {
			return models.InField(fmt.Sprintf("Series[%d]", i), err)
		}
	}
	return nil
}

func (p *Panel) checkSeries(s *PanelSeries) error {
	rows, ahead := s.Len(), s.Len()+s.Ahead()
	for _, c := range []struct {
		field      string
		have, want int
	}{
		{"Targets", len(s.Targets), len(p.Targets)}, {"Past", len(s.Past), len(p.Past)}, {"Future", len(s.Future), len(p.Future)},
		{"Static", len(s.Static), len(p.Static)}, {"Categories", len(s.Categories), len(p.Categories)},
	} {
		if c.have != c.want {
			return &models.FieldError{Field: c.field, Value: models.Length(c.have), Want: fmt.Sprintf("of length %d, as Roles.%s", c.want, c.field)}
		}
	}
	if ahead < rows {
		return &models.FieldError{Field: "Future[0]", Value: models.Length(ahead), Want: fmt.Sprintf("of length %d or more, as the targets", rows)}
	}
	for _, part := range []struct {
		field   string
		columns [][]float64
		rows    int
	}{{"Targets", s.Targets, rows}, {"Past", s.Past, rows}, {"Future", s.Future, ahead}, {"Static", [][]float64{s.Static}, len(s.Static)}} {
		if err := checkValues(part.field, part.columns, part.rows); err != nil {
			return err
		}
	}
	return nil
}

// checkValues returns an error if a column has another length or a value that no float32
// holds.
func checkValues(field string, columns [][]float64, rows int) error {
	for i, values := range columns {
		name := fmt.Sprintf("%s[%d]", field, i)
		if len(values) != rows {
			return &models.FieldError{Field: name, Value: models.Length(len(values)), Want: fmt.Sprintf("of length %d", rows)}
		}
		for row, v := range values {
			if math.IsInf(float64(float32(v)), 0) {
				return &models.FieldError{Field: fmt.Sprintf("%s[%d]", name, row), Value: v, Want: "a number that float32 holds, or NaN for a missing one"}
			}
		}
	}
	return nil
}

// Until returns the panel without the last rows of each series, as it was known then. The
// covariates that are known ahead stay, those of the last rows too. A series with no more
// rows than that is left with none, in its place. All values are shared with p.
func (p *Panel) Until(rows int) *Panel {
	before := *p
	before.Series = make([]PanelSeries, len(p.Series))
	for i, s := range p.Series {
		n := max(0, s.Len()-max(0, rows))
		s.Targets, s.Past = heads(s.Targets, n), heads(s.Past, n)
		before.Series[i] = s
	}
	return &before
}

// heads returns the first n values of each column.
func heads(columns [][]float64, n int) [][]float64 {
	list := make([][]float64, len(columns))
	for i, values := range columns {
		list[i] = values[:n]
	}
	return list
}

// Time returns the time of a row of a series, which may lie after the last one. It is
// the Start of the series without a frequency.
func (p *Panel) Time(series, row int) time.Time {
	if p.Frequency == (models.Frequency{}) {
		return p.Series[series].Start
	}
	return p.Frequency.Add(p.Series[series].Start, row)
}

// AddCalendar appends columns of a calendar to the covariates that are known ahead, in
// place of those that are there already: see [models.CalendarColumns]. They are known for
// all rows and the given number after the last. Where other covariates end before that,
// their values are missing. It is an error if the panel has no times.
func (p *Panel) AddCalendar(ahead int, features ...string) error {
	columns, err := models.CalendarColumns(features...)
	if err != nil || len(columns) == 0 {
		return err
	}
	if p.Frequency == (models.Frequency{}) {
		return &models.FieldError{Field: "Calendar", Value: features, Want: "empty for series without times"}
	}
	others := len(p.Future) - len(p.Calendar)
	known := map[time.Time][][]float64{} // by start: series often begin together
	for i := range p.Series {
		s := &p.Series[i]
		rows := s.Len() + max(ahead, s.Ahead())
		if have := known[s.Start]; len(have) == 0 || len(have[0]) < rows {
			known[s.Start] = p.calendar(s.Start, rows, columns)
		}
		future := make([][]float64, 0, others+len(columns))
		for _, values := range s.Future[:others] {
			future = append(future, extend(values, rows))
		}
		s.Future = append(future, heads(known[s.Start], rows)...)
	}
	p.Future = append(p.Future[:others:others], columns...)
	p.Calendar = columns
	return nil
}

// calendar returns columns of a calendar for rows from a start on.
func (p *Panel) calendar(start time.Time, rows int, columns []string) [][]float64 {
	list := make([][]float64, len(columns))
	for i := range list {
		list[i] = make([]float64, rows)
	}
	for row := range rows {
		for i, v := range models.CalendarFeatures(columns, p.Frequency.Add(start, row)) {
			list[i][row] = float64(v)
		}
	}
	return list
}

// extend returns values with NaN after them, so that there are n.
func extend(values []float64, n int) []float64 {
	if len(values) >= n {
		return values
	}
	longer := make([]float64, n)
	for i := copy(longer, values); i < n; i++ {
		longer[i] = math.NaN()
	}
	return longer
}

// SeasonalErrors returns for each target of each series, [series][targets], the mean
// absolute difference of values that lie a season apart, by which MASE divides an error:
// Hyndman and Koehler, "Another look at measures of forecast accuracy" (2006). A season of
// 0 or 1 compares each value with the one before.
//
// Where a series has no such pair, or all differences are 0, it is that of neighbours,
// else the mean of the absolute values, else 1. It is at least a thousandth of the mean
// absolute deviation, so that a series that nearly repeats itself does not outweigh all
// others in a loss.
func (p *Panel) SeasonalErrors(season int) [][]float64 {
	list := make([][]float64, len(p.Series))
	for i := range p.Series {
		for _, values := range p.Series[i].Targets {
			list[i] = append(list[i], seasonalError(values, max(1, season)))
		}
	}
	return list
}

func seasonalError(values []float64, season int) float64 {
	mean := meanOf(values, 0, func(a, _ float64) float64 { return a })
	least := meanOf(values, 0, func(a, _ float64) float64 { return math.Abs(a - mean) }) / 1000
	for _, lag := range []int{season, 1} {
		if e := meanOf(values, lag, func(a, b float64) float64 { return math.Abs(a - b) }); e > 0 {
			return max(e, least)
		}
	}
	if e := meanOf(values, 0, func(a, _ float64) float64 { return math.Abs(a) }); e > 0 {
		return e
	}
	return 1
}

// meanOf returns the mean of f over all values and those a lag before them, where neither
// is missing. It is 0 if there are none.
func meanOf(values []float64, lag int, f func(a, b float64) float64) float64 {
	sum, n := 0.0, 0
	for i := lag; i < len(values); i++ {
		if v := f(values[i], values[i-lag]); v == v {
			sum += v
			n++
		}
	}
	return sum / float64(max(1, n))
}

// CovariateScales returns the scales that give the covariates and the static numbers mean
// 0 and standard deviation 1 over all rows of all series, without missing values. Each is
// nil where there are none.
func (p *Panel) CovariateScales() (past, future, static *models.Scale) {
	var pasts, futures, statics [][][]float64
	for i := range p.Series {
		s := &p.Series[i]
		pasts, futures = append(pasts, s.Past), append(futures, s.Future)
		var numbers [][]float64
		for _, v := range s.Static {
			numbers = append(numbers, []float64{v})
		}
		statics = append(statics, numbers)
	}
	return scaleOf(pasts, len(p.Past)), scaleOf(futures, len(p.Future)), scaleOf(statics, len(p.Static))
}

// scaleOf returns the scale of columns of several series, [series][columns][rows].
func scaleOf(series [][][]float64, columns int) *models.Scale {
	if columns == 0 {
		return nil
	}
	scale := new(models.Scale)
	for c := range columns {
		var values []float32
		for _, s := range series {
			for _, v := range s[c] {
				if v == v {
					values = append(values, float32(v))
				}
			}
		}
		one := models.FitScale(values, 1)
		scale.Mean, scale.Std = append(scale.Mean, one.Mean...), append(scale.Std, one.Std...)
	}
	return scale
}

// CategoryValues returns the values of each category in the order in which the series
// have them first, without missing ones.
func (p *Panel) CategoryValues() []models.CategoryValues {
	list := make([]models.CategoryValues, len(p.Categories))
	for i, name := range p.Categories {
		list[i].Name = name
		seen := map[string]bool{"": true}
		for _, s := range p.Series {
			if value := s.Categories[i]; !seen[value] {
				seen[value] = true
				list[i].Values = append(list[i].Values, value)
			}
		}
	}
	return list
}
