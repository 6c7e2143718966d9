package prometheus

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"github.com/rnnkit/rnnkit/datasets"
)

// The columns of a Matrix as a table, beside one for each label.
const (
	seriesColumn = "series"
	timeColumn   = "time"
	valueColumn  = "value"
)

// Rows reads a Matrix as a table, series by series. It is a datasets.RowReader.
type Rows struct {
	matrix  *Matrix
	file    string
	labels  []string // all that a series has
	columns []string

	series, point int // the next row
	row           int // its number, from 0
	fields        []datasets.Field
}

// Rows returns the series as a table with a row for each point. Its columns are the name of
// the series, all labels, the time in seconds since 1970 and the value. What is infinite is
// missing. A label that has the name of another column is called exported_ and its name, as
// Prometheus calls it. Errors name the file.
func (m *Matrix) Rows(file string) *Rows {
	names := map[string]bool{}
	for _, s := range m.Series {
		for label := range s.Labels {
			names[label] = true
		}
	}
	r := &Rows{matrix: m, file: file, labels: slices.Sorted(maps.Keys(names)), columns: []string{seriesColumn}}
	for _, label := range r.labels {
		if slices.Contains([]string{seriesColumn, timeColumn, valueColumn}, label) {
			label = "exported_" + label
		}
		r.columns = append(r.columns, label)
	}
	r.columns = append(r.columns, timeColumn, valueColumn)
	r.fields = make([]datasets.Field, len(r.columns))
	return r
}

// Notes returns what a person should know about the answer, a sentence each.
func (r *Rows) Notes() []string {
	infinite, first := 0, ""
	for _, s := range r.matrix.Series {
		for _, p := range s.Points {
			if math.IsInf(p.Value, 0) {
				if infinite++; infinite == 1 {
					first = fmt.Sprintf("%g of %.80s at %s", p.Value, Name(s.Labels), formatTime(p.Time))
				}
			}
		}
	}
	if infinite == 0 {
		return r.matrix.Notes
	}
	return append(slices.Clip(r.matrix.Notes), fmt.Sprintf("infinite values are missing ones: %d, the first is %s", infinite, first))
}

// Columns returns the names of the columns.
func (r *Rows) Columns() []string { return r.columns }

// Next returns the next row and its number.
func (r *Rows) Next() ([]datasets.Field, int, error) {
	for r.series < len(r.matrix.Series) && r.point == len(r.matrix.Series[r.series].Points) {
		r.series, r.point = r.series+1, 0
	}
	if r.series == len(r.matrix.Series) {
		return nil, 0, io.EOF
	}
	s := r.matrix.Series[r.series]
	if r.point == 0 {
		r.setLabels(s)
	}
	p := s.Points[r.point]
	n := len(r.fields)
	r.fields[n-2] = datasets.Field{Kind: datasets.NumberField, Number: float64(p.Time) / 1000}
	r.fields[n-1] = datasets.Field{Kind: datasets.NumberField, Number: p.Value}
	if math.IsNaN(p.Value) || math.IsInf(p.Value, 0) {
		r.fields[n-1] = datasets.Field{Kind: datasets.MissingField}
	}
	r.point++
	r.row++
	return r.fields, r.row, nil
}

// setLabels sets the fields that a series has in all rows.
func (r *Rows) setLabels(s *Series) {
	r.fields[0] = datasets.Field{Text: Name(s.Labels)}
	for i, label := range r.labels {
		r.fields[i+1] = datasets.Field{Kind: datasets.MissingField}
		if value := s.Labels[label]; value != "" {
			r.fields[i+1] = datasets.Field{Text: value}
		}
	}
}

// At returns err as an error about a row and the number of a column, which may be 0.
func (r *Rows) At(row, column int, err error) error {
	where := r.file
	for _, s := range r.matrix.Series {
		if row > 0 && row <= len(s.Points) {
			where += fmt.Sprintf(": %.80s at %s", Name(s.Labels), formatTime(s.Points[row-1].Time))
		}
		row -= len(s.Points)
	}
	if column > 0 && column <= len(r.columns) {
		where += fmt.Sprintf(", %.40q", r.columns[column-1])
	}
	return fmt.Errorf("%s: %w", where, err)
}

// Roles returns what the columns are for: as given, and what that leaves open as in any
// answer of Prometheus. Targets of other names are its values, if there is only one.
func (r *Rows) Roles(given datasets.Roles) datasets.Roles {
	if given.Time == "" || !slices.Contains(r.columns, given.Time) {
		given.Time = timeColumn
	}
	if given.Time == timeColumn && given.TimeFormat == "" {
		given.TimeFormat = "unix"
	}
	if len(given.Series) == 0 {
		given.Series = []string{seriesColumn}
	}
	if len(given.Targets) == 0 || len(given.Targets) == 1 && !slices.Contains(r.columns, given.Targets[0]) {
		given.Targets, given.All = []string{valueColumn}, false
	}
	return given
}
