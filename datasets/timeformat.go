package datasets

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rnnkit/rnnkit/models"
)

// timeFormat is how the times of a panel are written in its file.
type timeFormat struct {
	column *timeColumn
	write  func(time.Time) string // nil if no format gives the times as they were written
	others []string               // the columns that hold parts of the times
}

// newTimeFormat finds the format that gives the first times as they are written.
func newTimeFormat(t *timeColumn, head []headRow) timeFormat {
	f := timeFormat{column: t}
	if len(t.parts) > 0 || head[0].fields[t.index].Kind == TimeField {
		return f
	}
	for _, write := range timeWriters() {
		if !slices.ContainsFunc(head, func(row headRow) bool { return !t.writtenBy(write, row.fields[t.index]) }) {
			f.write = write
			break
		}
	}
	return f
}

// writtenBy reports whether write gives a time as a field has it, or the field has none.
func (t *timeColumn) writtenBy(write func(time.Time) string, f Field) bool {
	w, err := t.wall(f)
	return err != nil || write(w.at) == strings.TrimSpace(f.text())
}

// timeWriters returns formats for all ways in which times are read, and of layouts first
// the one with two digits for months and days.
func timeWriters() (list []func(time.Time) string) {
	padded := strings.NewReplacer("2006", "2006", "15", "15", "04", "04", "05", "05", "06", "06", "07", "07", "1", "01", "2", "02", "3", "03")
	numbers := []string{"2006", "20060102", "200601", "2006010215", "200601021504", "20060102150405"}
	for _, layout := range slices.Concat(layouts, numbers) {
		for _, l := range []string{padded.Replace(layout), layout} {
			list = append(list, func(t time.Time) string { return t.Format(l) })
		}
	}
	for _, unit := range []time.Duration{time.Second, time.Millisecond, time.Microsecond, time.Nanosecond} {
		list = append(list, func(t time.Time) string { return strconv.FormatInt(t.UnixMicro()*1000/int64(unit), 10) })
	}
	list = append(list, func(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMicro())/1e6, 'f', -1, 64) })
	for _, format := range []string{"%dQ%d", "%d-Q%d", "%d Q%d"} {
		list = append(list, func(t time.Time) string { return fmt.Sprintf(format, t.Year(), (int(t.Month())+2)/3) })
	}
	for _, format := range []string{"Q%d %d", "Q%d-%d", "Q%d/%d"} {
		list = append(list, func(t time.Time) string { return fmt.Sprintf(format, (int(t.Month())+2)/3, t.Year()) })
	}
	for _, format := range []string{"%d-W%02d", "%dW%02d"} {
		list = append(list, func(t time.Time) string {
			year, week := t.ISOWeek()
			return fmt.Sprintf(format, year, week)
		})
	}
	return append(list, func(t time.Time) string { return t.Format("2006M01") })
}

// FormatTime returns a time as the file of the panel writes times. Where that is not known,
// it returns 1949-01 for months, 2024-12-31 for days, 2024-12-31 23:00 for hours and so on.
func (p *Panel) FormatTime(at time.Time) string {
	if p.format.write != nil {
		return p.format.write(at)
	}
	return p.shortTime(at)
}

// shortTime returns a time as precisely as the frequency of the panel asks for.
func (p *Panel) shortTime(at time.Time) string {
	switch p.Frequency.Unit {
	case models.Year:
		return at.Format("2006")
	case models.Quarter:
		if at.Month()%3 == 1 {
			return fmt.Sprintf("%dQ%d", at.Year(), (at.Month()+2)/3)
		}
		return at.Format("2006-01")
	case models.Month:
		return at.Format("2006-01")
	case models.Hour, models.Minute:
		if at.Second() == 0 && at.Nanosecond() == 0 {
			return at.Format("2006-01-02 15:04")
		}
	}
	return formatTime(at)
}

// ParseTime reads a time that is written as in the file of the panel, or in any other
// format that [ReadPanel] finds and that can be understood in one way only. A time without
// a time zone is in that of the panel.
func (p *Panel) ParseTime(text string) (time.Time, error) {
	return p.format.column.parse(text, func() string { return p.FormatTime(p.Series[0].Start) })
}

// parse reads a time that is written as in the column, which may be nil, or in another way.
// The example is one of a time that is understood.
func (t *timeColumn) parse(text string, example func() string) (time.Time, error) {
	zone := time.UTC
	if t != nil {
		zone = t.zone
		if w, err := t.wall(Field{Text: text}); err == nil {
			return inZone(w, zone), nil
		}
	}
	forms, clock := formsOf([]string{text})
	if clock || len(forms) == 0 {
		return time.Time{}, fmt.Errorf("%.40q is no time: write it like %s", text, example())
	}
	at, _ := forms[0].read(text)
	for _, form := range forms[1:] {
		if other, _ := form.read(text); !other.Equal(at) {
			return time.Time{}, fmt.Errorf("%.40q may have the day or the month first: write it like 2006-01-02", text)
		}
	}
	return inZone(wallTime{at, forms[0].zoned}, zone), nil
}

// inZone returns a time that may be written without a time zone.
func inZone(w wallTime, zone *time.Location) time.Time {
	if w.zoned {
		return w.at.In(zone)
	}
	y, m, d := w.at.Date()
	return time.Date(y, m, d, w.at.Hour(), w.at.Minute(), w.at.Second(), w.at.Nanosecond(), zone)
}

// Row returns the row of a series at a time, which may lie before its first or after its
// last. It is not exact if the time lies between rows; then the row is the one before.
func (p *Panel) Row(series int, at time.Time) (row int, exact bool) {
	return p.Frequency.Steps(p.Series[series].Start, at)
}
