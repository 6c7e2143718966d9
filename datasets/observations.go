package datasets

import (
	"errors"
	"fmt"
	"time"
)

// Observations reads a table of series row by row, as a stream that may have no end.
// [ReadPanel] says how tables are written. The rows stay as they come: none is added,
// sorted or left out.
type Observations struct {
	reader *panelReader
	fields Observation
}

// Observation is a row of a table.
type Observation struct {
	Series string    // the values of the columns Roles.Series with / between them; "" for the only series
	Time   time.Time // zero without times
	Stamp  string    // the time as the file writes it, or the number of the row, from 1, without times
	Values []float64 // of the targets, then of the past covariates; NaN for a missing value
	Line   int       // of the file
}

// NewObservations returns a reader of the rows. The roles are those of [ReadPanel], of which
// only Time, Series, Targets and Past name columns. Errors are those of ReadPanel.
func NewObservations(rows RowReader, roles Roles) (*Observations, error) {
	r, err := newPanelReader(rows, roles)
	if err != nil {
		return nil, err
	}
	return &Observations{reader: r}, nil
}

// Roles returns the names of the columns that were found.
func (o *Observations) Roles() Roles { return o.reader.roles }

// ParseTime reads a time that is written as in the table, or in another way: see
// [Panel.ParseTime]. It is an error without times.
func (o *Observations) ParseTime(text string) (time.Time, error) {
	t := o.reader.time
	if t == nil || t.counts {
		return time.Time{}, errors.New("the table has no times")
	}
	return t.parse(text, func() string { return t.example })
}

// Next returns the next row. Its slice is valid until the next call. After the last row the
// error is io.EOF.
func (o *Observations) Next() (*Observation, error) {
	r := o.reader
	fields, line, err := r.next()
	if err != nil {
		return nil, err
	}
	s, err := r.seriesOf(fields, line)
	if err != nil {
		return nil, err
	}
	o.fields.Series, o.fields.Line = s.name, line
	s.rows++
	if err := o.readTime(fields, line, s); err != nil {
		return nil, err
	}
	o.fields.Values = o.fields.Values[:0]
	for _, c := range r.values {
		v, err := c.read(fields[c.index])
		if err != nil {
			return nil, r.fieldError(fields, line, c.index, err)
		}
		o.fields.Values = append(o.fields.Values, v)
	}
	return &o.fields, nil
}

// readTime reads the time of a row of a series.
func (o *Observations) readTime(fields []Field, line int, s *seriesRows) error {
	t := o.reader.time
	if t == nil || t.counts {
		o.fields.Time, o.fields.Stamp = time.Time{}, fmt.Sprint(s.rows)
		return nil
	}
	tick, err := t.tick(fields, s)
	if err != nil {
		return o.reader.fieldError(fields, line, t.index, err)
	}
	s.latest = max(s.latest, tick)
	o.fields.Time, o.fields.Stamp = time.UnixMicro(tick).In(t.zone), fields[t.index].text()
	return nil
}
