package datasets

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rnnkit/rnnkit/models"
)

// timeColumn reads the times of a column as ticks: microseconds since 1970, or the numbers
// themselves if they count.
type timeColumn struct {
	index   int
	counts  bool
	form    timeForm    // of texts
	numeric numericForm // of numbers
	parts   []timePart  // in other columns
	example string      // of what is read, for messages
	zone    *time.Location
	named   bool // the zone was given

	text string // the one that was read last, and what it means
	last wallTime

	offset  int      // of the zone that the last time was written with
	offsets []change // of that zone, in the order of the rows; the first one too
}

// wallTime is a time as it is written. If it has no time zone, it is in UTC.
type wallTime struct {
	at    time.Time
	zoned bool
}

// change is a time from which on another offset from UTC is written.
type change struct {
	at     time.Time
	offset int // in seconds
}

const maxChanges = 1000

var errUnclearTimes = errors.New("a time that may have the day or the month first, and the other rows do not tell; say how times are written, as 2/1/2006 or 1/2/2006")

// timeColumn returns how the times of a column are read.
func (r *panelReader) timeColumn(c *Column) (t *timeColumn, err error) {
	t = &timeColumn{index: c.Number - 1, form: c.form, numeric: c.numeric, example: r.firstField(c), named: r.roles.Zone != ""}
	if t.zone, err = time.LoadLocation(r.roles.Zone); err != nil {
		return nil, err
	}
	switch typed := r.head[0].fields[t.index].Kind == TimeField; {
	case r.roles.TimeFormat != "":
		t.form, t.numeric = formOf(r.roles.TimeFormat)
		return t, nil
	case typed, c.Kind == Times && c.times != nil:
		t.parts = r.partsOf(c)
		return t, nil
	case c.Kind == Times && c.Values == nil:
		return nil, r.rows.At(r.head[0].line, c.Number, fmt.Errorf("%.40q is %w", t.example, errUnclearTimes))
	case c.Values != nil && c.Kind != Indices:
		_, t.numeric = numericTimes("year", c.Values) // whatever its name is
	}
	switch {
	case t.numeric.read != nil:
		t.parts = r.partsOf(c)
		return t, nil
	case c.Values != nil && allWhole(c.Values):
		t.counts = true
		return t, nil
	}
	return nil, r.rows.At(r.head[0].line, c.Number, fmt.Errorf("%.40q is no time that is understood; write times like 2024-12-31 23:59, or say how they are written", t.example))
}

// allWhole reports whether all values that are not missing are whole, and few enough bits
// to count with.
func allWhole(values []float64) bool {
	for _, v := range values {
		if v == v && (v != math.Trunc(v) || math.Abs(v) > 1<<53) {
			return false
		}
	}
	return true
}

// unixForms are the formats of times that are numbers.
var unixForms = map[string]float64{"unix": 1, "unix-ms": 1e3, "unix-us": 1e6, "unix-ns": 1e9}

// strftime has the verbs of C's strftime that a layout of package time can say.
var strftime = strings.NewReplacer("%Y", "2006", "%y", "06", "%m", "01", "%-m", "1", "%d", "02", "%-d", "2", "%H", "15", "%I", "03", "%M", "04", "%S", "05",
	"%f", "000000", "%p", "PM", "%b", "Jan", "%B", "January", "%a", "Mon", "%A", "Monday", "%z", "-0700", "%Z", "MST", "%j", "002",
	"%F", "2006-01-02", "%T", "15:04:05", "%%", "%")

// formOf returns the format that Roles.TimeFormat names.
func formOf(format string) (timeForm, numericForm) {
	if second, numeric := unixForms[format]; numeric {
		return timeForm{}, numericForm{zoned: true, read: func(v float64) (time.Time, bool) {
			return sinceEpoch(v / second), math.Abs(v/second) < 1e11
		}}
	}
	return layoutForm(strftime.Replace(format)), numericForm{}
}

// checkTimeFormat returns an error for a format in which two times are written alike.
func checkTimeFormat(format string) error {
	form, _ := formOf(format)
	if format == "" || form.read == nil {
		return nil
	}
	layout := strftime.Replace(format)
	if _, err := time.Parse(layout, time.Unix(0, 0).UTC().Format(layout)); err != nil || !strings.Contains(layout, "06") || strings.Contains(layout, "%") {
		return &models.FieldError{Field: "TimeFormat", Value: format, Want: "a layout of a date as 2006-01-02 or %Y-%m-%d, or unix, unix-ms, unix-us or unix-ns"}
	}
	return nil
}

// timePart is a column that holds a part of the times, such as the time of day.
type timePart struct {
	index int
	add   func(to time.Time, field string) (time.Time, bool)
}

// partsOf returns the columns that hold the parts of the times that column c does not:
// month, day, hour and minute, or the time of day.
func (r *panelReader) partsOf(c *Column) (parts []timePart) {
	for _, p := range c.parts {
		parts = append(parts, timePart{p.index, func(to time.Time, field string) (time.Time, bool) {
			v, err := parse(field)
			if numbers := monthNumbers([]string{field}); err != nil && p.layout == monthPart.layout && numbers != nil {
				v, err = numbers[0], nil
			}
			return p.part.add(to, int(v)), err == nil && p.fits([]float64{v})
		}})
	}
	for i := range r.table.Columns {
		if clock := &r.table.Columns[i]; clock.clock && clock.form.read != nil && !slices.ContainsFunc(c.times, hasClock) {
			return append(parts, timePart{i, func(to time.Time, field string) (time.Time, bool) {
				at, ok := clock.form.read(stampOf(field))
				return to.Add(at.Sub(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC))), ok
			}})
		}
	}
	return parts
}

// hasClock reports whether a time is not midnight.
func hasClock(t time.Time) bool { return t.Hour()+t.Minute()+t.Second() > 0 }

// tick returns the tick of a row of a series.
func (t *timeColumn) tick(fields []Field, s *seriesRows) (int64, error) {
	f := fields[t.index]
	if t.counts {
		v, err := (&numberColumn{}).read(f)
		if err != nil || v != math.Trunc(v) || math.Abs(v) > 1<<53 {
			return 0, errors.New("not a whole number, as the others that count the rows are")
		}
		return int64(v), nil
	}
	w, err := t.wall(f)
	if err != nil {
		return 0, err
	}
	for _, p := range t.parts {
		ok := false
		if w.at, ok = p.add(w.at, fields[p.index].text()); !ok {
			return 0, fmt.Errorf("a time whose part in column %d, %.40q, is not understood", p.index+1, fields[p.index].text())
		}
	}
	if w.zoned {
		t.noteOffset(w.at)
		return w.at.UnixMicro(), nil
	}
	return t.inZone(w.at, s)
}

// wall returns the time in a field.
func (t *timeColumn) wall(f Field) (w wallTime, err error) {
	switch {
	case f.Kind == TimeField:
		return wallTime{f.Time, f.Time.Location() != time.UTC}, nil
	case f.Kind == MissingField:
		return w, t.notATime("")
	case f.Kind == TextField && f.Text == t.text && t.text != "":
		return t.last, nil
	}
	ok := false
	if t.numeric.read != nil {
		var v float64
		v, err = (&numberColumn{written: notation{decimal: "."}}).read(f)
		w.zoned = t.numeric.zoned
		if err == nil {
			w.at, ok = t.numeric.read(v)
		}
	} else {
		w.at, ok = t.form.read(stampOf(f.text()))
		w.zoned = t.form.zoned
	}
	if !ok {
		return w, t.notATime(f.text())
	}
	if name, offset := w.at.Zone(); w.zoned && offset == 0 && name != "UTC" && name != "GMT" && name != "" {
		if w.zoned = false; !t.named {
			return w, fmt.Errorf("in a time zone, %s, whose name is not certain; give the zone of the times, such as Europe/Berlin", name)
		}
	}
	t.text, t.last = f.Text, w
	return w, nil
}

// notATime returns the error of a field that is no time, to follow the field and "is".
func (t *timeColumn) notATime(field string) error {
	if isMissing(field) {
		return errors.New("a missing time; fill it in")
	}
	return fmt.Errorf("no time like %.40q; write all times alike, and leave out lines of totals", t.example)
}

// noteOffset keeps where the offset from UTC that times are written with changes.
func (t *timeColumn) noteOffset(at time.Time) {
	_, offset := at.Zone()
	if len(t.offsets) > 0 && offset == t.offset || len(t.offsets) == maxChanges {
		return
	}
	t.offset = offset
	t.offsets = append(t.offsets, change{at, offset})
}

// inZone returns the tick of a time that is written without a zone. Of the two times that
// an hour has where the clocks go back, it is the first unless that is not after the row
// before.
func (t *timeColumn) inZone(wall time.Time, s *seriesRows) (int64, error) {
	if t.zone == time.UTC {
		return wall.UnixMicro(), nil
	}
	first, second, ok := timesInZone(wall, t.zone)
	switch {
	case !ok:
		return 0, fmt.Errorf("a time that %s does not have, because the clocks go forward; give the zone in which the times are", t.zone)
	case s.rows > 0 && first.UnixMicro() <= s.latest:
		return second.UnixMicro(), nil
	}
	return first.UnixMicro(), nil
}

// timesInZone returns the first and the last time at which the clocks of a zone show the
// date and the time of day of wall, which is in UTC. They differ where clocks go back.
func timesInZone(wall time.Time, zone *time.Location) (first, second time.Time, ok bool) {
	wall = time.UnixMicro(wall.UnixMicro()).UTC()
	for _, near := range []time.Duration{-24 * time.Hour, 24 * time.Hour} {
		_, offset := wall.Add(near).In(zone).Zone()
		at := wall.Add(-time.Duration(offset) * time.Second)
		if _, there := at.In(zone).Zone(); there != offset {
			continue
		}
		if !ok {
			first = at
		}
		second, ok = at, true
	}
	if second.Before(first) {
		first, second = second, first
	}
	return first, second, ok
}
