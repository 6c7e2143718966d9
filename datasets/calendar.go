package datasets

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Up to fewMissing rows, or the part maxMissing of all, may be missing between others,
// as on holidays.
const (
	fewMissing = 3
	maxMissing = 0.1
)

// axis is the order of the rows of a table: a column of times, or one that counts.
type axis struct {
	column *Column
	fields []string // as written in the file
	clock  []string // the times of day beside dates
	marks  []int64  // the position of each row, in units called name
	unit   int64    // the usual step from one row to the next
	name   string
	steady bool // most steps are one unit
}

// axis returns the axis of the table, or nil.
func (t *Table) axis() *axis {
	for i := range t.Columns {
		if c := &t.Columns[i]; c.Kind == Times && c.times != nil && !c.clock {
			return t.timeAxis(c)
		}
	}
	for i := range t.Columns {
		c := &t.Columns[i]
		switch {
		case c.Kind == Indices && (!named(c.Name, idWords) || descends(c.Values)):
			return t.countAxis(c, math.Abs(c.Values[min(1, t.rows-1)]-c.Values[0]))
		case c.clock && c.err == nil && descends(clockMarks(c)):
			a := &axis{column: c, fields: t.fields(i)}
			a.measure(c.times)
			return a
		}
	}
	return t.seriesAxis()
}

// countAxis returns the axis of a column that counts by the given step.
func (t *Table) countAxis(c *Column, step float64) *axis {
	a := &axis{column: c, fields: t.fields(c.Number - 1), unit: 1, name: "row"}
	for _, v := range c.Values {
		a.marks = append(a.marks, int64(math.Round((v-c.Values[0])/max(step, 1e-9))))
	}
	return a
}

// descends reports whether three or more values are in descending order.
func descends(values []float64) bool {
	for i := 1; i < len(values); i++ {
		if values[i] >= values[i-1] {
			return false
		}
	}
	return len(values) > 2
}

// clockMarks returns the times of day of a column as numbers.
func clockMarks(c *Column) (marks []float64) {
	for _, at := range c.times {
		marks = append(marks, float64(at.UnixMicro()))
	}
	return marks
}

// seriesAxis returns the axis of a column that counts the rows of several series below
// each other, or nil. Another column tells the series apart.
func (t *Table) seriesAxis() *axis {
	for i := range t.Columns {
		c := &t.Columns[i]
		counts := c.Values != nil && !c.clock && whole(c.Values) && recounts(c.Values)
		if !counts || named(c.Name, idWords) {
			continue
		}
		a := t.countAxis(c, 1)
		back, same, _, _ := a.faults()
		rows := back
		if len(back) == 0 && named(c.Name, countWords) {
			rows = same
		}
		if key, _ := t.keyThatChanges(rows); len(rows) > 0 && key != nil && key != c && !tellsTime(key) {
			return a
		}
	}
	return nil
}

// tellsTime reports whether a column holds times or parts of them, judged by its name
// too.
func tellsTime(c *Column) bool {
	if c.Kind == Times || named(c.Name, timeWords) || named(c.Name, yearWords) {
		return true
	}
	return slices.ContainsFunc([]part{weekdayPart, hourPart, minutePart}, func(p part) bool { return named(c.Name, p.words) })
}

// timeAxis returns the axis of a column of times, together with a column of times of
// day.
func (t *Table) timeAxis(c *Column) *axis {
	a := &axis{column: c, fields: t.fields(c.Number - 1)}
	times := c.times
	if c.layout != "" {
		for row, at := range times {
			a.fields[row] = at.Format(c.layout)
		}
	}
	for i := range t.Columns {
		if clock := &t.Columns[i]; clock.clock && clock.times != nil && clock.err == nil && c.err == nil {
			a.clock = t.fields(i)
			midnight := time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
			times = slices.Clone(times)
			for row := range times {
				times[row] = times[row].Add(clock.times[row].Sub(midnight))
			}
			break
		}
	}
	a.measure(times)
	return a
}

// calendar is a way to count time.
type calendar struct {
	name string
	mark func(time.Time) int64
}

func months(t time.Time) int64 {
	return int64(t.Year())*12 + int64(t.Month())
}

func days(t time.Time) int64 {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC).Unix() / 86400
}

// weekdays counts the days from Monday to Friday.
func weekdays(t time.Time) int64 {
	monday := days(t) + 3 // 1970-01-01 was a Thursday
	return monday/7*5 + min(monday%7, 4)
}

// measure sets marks in the calendar in which the times are most evenly spaced.
func (a *axis) measure(times []time.Time) {
	typical := typicalStep(times)
	var calendars []calendar
	day := 24 * time.Hour
	switch {
	case typical >= 27*day:
		calendars = []calendar{{"month", months}}
	case typical >= day && typical%day == 0:
		calendars = []calendar{{"day", days}}
		if typical == day && skipsWeekends(times) {
			calendars = []calendar{{"business day", weekdays}, {"day", days}}
		}
	}
	calendars = append(calendars, calendar{"microsecond", time.Time.UnixMicro})
	best := -1.0
	for _, c := range calendars {
		b := axis{name: c.name}
		for _, t := range times {
			b.marks = append(b.marks, c.mark(t))
		}
		b.unit = usualStep(b.marks)
		if share := b.share(); share > best {
			best = share
			a.marks, a.unit, a.name = b.marks, b.unit, b.name
		}
	}
	a.steady = best >= 0.8
}

// skipsWeekends reports whether the times cover weekends but none is on one.
func skipsWeekends(times []time.Time) bool {
	weekend := func(t time.Time) bool { return t.Weekday() == time.Saturday || t.Weekday() == time.Sunday }
	between := false
	for i := 1; i < len(times); i++ {
		between = between || weekdays(times[i])-weekdays(times[i-1]) != days(times[i])-days(times[i-1])
	}
	return between && !slices.ContainsFunc(times, weekend)
}

// units names multiples of smaller units, largest first.
var units = []struct {
	of   string
	size int64
	name string
}{
	{"month", 12, "year"}, {"month", 3, "quarter"}, {"day", 7, "week"},
	{"microsecond", 604800e6, "week"}, {"microsecond", 86400e6, "day"}, {"microsecond", 3600e6, "hour"},
	{"microsecond", 60e6, "minute"}, {"microsecond", 1e6, "second"}, {"microsecond", 1e3, "millisecond"},
}

// typicalStep returns the median of the absolute steps between times.
func typicalStep(times []time.Time) time.Duration {
	var steps []time.Duration
	for i := 1; i < len(times); i++ {
		if d := times[i].Sub(times[i-1]).Abs(); d != 0 {
			steps = append(steps, d)
		}
	}
	if len(steps) == 0 {
		return 0
	}
	slices.Sort(steps)
	return steps[len(steps)/2]
}

// usualStep returns the most frequent absolute step between marks other than 0. Of
// equally frequent ones it returns the smallest.
func usualStep(marks []int64) int64 {
	counts := map[int64]int{}
	usual := int64(0)
	for i := 1; i < len(marks); i++ {
		d := marks[i] - marks[i-1]
		if d < 0 {
			d = -d
		}
		counts[d]++
	}
	for d, n := range counts {
		if d != 0 && (usual == 0 || n > counts[usual] || n == counts[usual] && d < usual) {
			usual = d
		}
	}
	return max(usual, 1)
}

// share returns the share of the steps that are one unit, forwards or backwards.
func (a *axis) share() float64 {
	n := 0
	for i := 1; i < len(a.marks); i++ {
		if d := a.marks[i] - a.marks[i-1]; d == a.unit || d == -a.unit {
			n++
		}
	}
	return float64(n) / max(1, float64(len(a.marks)-1))
}

// summerTime reports whether the clocks changed before a row: the step is an hour too
// long or too short, early on a Sunday.
func (a *axis) summerTime(row int) bool {
	const hour = 3600e6
	if a.name != "microsecond" || a.unit > hour {
		return false
	}
	off := a.marks[row] - a.marks[row-1] - a.unit
	t := time.UnixMicro(a.marks[row]).UTC()
	return (off == hour || off == -hour) && t.Weekday() == time.Sunday && t.Hour() < 5
}

// Check returns an error if the rows of the table are not one series from the oldest to
// the newest, or if many rows are missing. A column of times decides, or else one that
// counts. The note says what a person should know although it is no error, or is "".
func (t *Table) Check() (note string, err error) {
	a := t.axis()
	switch {
	case a == nil:
		return t.noteUntold(), nil
	case a.column.err != nil:
		return "", a.column.err
	}
	back, same, gaps, missing := a.faults()
	switch {
	case len(back) > 0:
		return "", t.backwards(a, back)
	case len(same)*100 > t.rows:
		return "", t.repeated(a, same)
	}
	return t.noteGaps(a, same, gaps, missing)
}

// faults returns the rows that are not one unit after the one before: those that go
// back, those at the same time, and those after a gap, with the number of rows that are
// missing.
func (a *axis) faults() (back, same, gaps []int, missing int64) {
	for row := 1; row < len(a.marks); row++ {
		step := a.marks[row] - a.marks[row-1]
		switch {
		case step == a.unit || a.summerTime(row):
		case step < 0:
			back = append(back, row)
		case step == 0:
			same = append(same, row)
		case (step+a.unit/2)/a.unit > 1:
			gaps = append(gaps, row)
			missing += (step+a.unit/2)/a.unit - 1
		}
	}
	return back, same, gaps, missing
}

// backwards is the error of rows that go back in time.
func (t *Table) backwards(a *axis, back []int) error {
	row := back[0]
	at, before := a.text(row), a.text(row-1)
	descends := slices.IsSortedFunc(a.marks, func(a, b int64) int { return cmp.Compare(b, a) })
	key, value := t.keyThatChanges(back)
	switch {
	case descends:
		return t.errorAt(row, a.column.Number-1, fmt.Errorf("%s comes after %s: the newest row is first; sort the rows from the oldest to the newest", at, before))
	case key != nil:
		return t.errorAt(row, a.column.Number-1, fmt.Errorf("%s comes after %s, where %s changes: there are several series below each other; give one alone, as the lines where it is %.40q", at, before, key, value))
	case a.marks[row] <= a.marks[0] && 4*len(back) < t.rows:
		return t.errorAt(row, a.column.Number-1, fmt.Errorf("%s comes after %s, where the rows begin again: there are several series below each other; give one alone", at, before))
	}
	return t.errorAt(row, a.column.Number-1, fmt.Errorf("%s comes after %s; sort the rows from the oldest to the newest", at, before))
}

// repeated is the error of rows with the same time.
func (t *Table) repeated(a *axis, same []int) error {
	row := same[0]
	if key, value := t.keyThatChanges(same); key != nil {
		return t.errorAt(row, a.column.Number-1, fmt.Errorf("%s is there twice, with another %s: there are several series; give one alone, as the lines where it is %.40q", a.text(row), key, value))
	}
	return t.errorAt(row, a.column.Number-1, fmt.Errorf("%s is there twice, as in the row before; give each time one row, for instance the mean of both", a.text(row)))
}

// noteGaps returns an error if many rows are missing, and otherwise a note about those
// that are.
func (t *Table) noteGaps(a *axis, same, gaps []int, missing int64) (note string, err error) {
	const advice = "fill them in, for instance by interpolation"
	switch {
	case a.column.times == nil || len(same)+len(gaps) == 0:
		return "", nil
	case a.pauses(gaps):
		return t.errorAt(gaps[0], a.column.Number-1, fmt.Errorf("the rows pause from %s to %s and %d times in all, and are taken as even all the same", a.text(gaps[0]-1), a.text(gaps[0]), len(gaps))).Error(), nil
	case !a.steady:
		row := slices.Min(append(same, gaps...))
		return t.errorAt(row, a.column.Number-1, fmt.Errorf("the times are uneven, as from %s to %s, and are taken as even; bring them to even steps, for instance by interpolation", a.text(row-1), a.text(row))).Error(), nil
	case len(gaps) == 0:
		return t.errorAt(same[0], a.column.Number-1, fmt.Errorf("%s is there twice, and %d times in all; give each time one row, for instance the mean of both", a.text(same[0]), len(same))).Error(), nil
	}
	what := fmt.Errorf("rows are missing between %s and %s, %d in all (a row is %s)", a.text(gaps[0]-1), a.text(gaps[0]), missing, a.span(1))
	if missing > fewMissing && float64(missing) > maxMissing*float64(missing+int64(t.rows)) {
		return "", t.errorAt(gaps[0], a.column.Number-1, fmt.Errorf("%w; %s", what, advice))
	}
	return t.errorAt(gaps[0], a.column.Number-1, fmt.Errorf("%w; rows are taken as even all the same: %s", what, advice)).Error(), nil
}

// pauses reports whether the gaps are regular, such as the nights between trading
// hours: most rows after them have the same time of day.
func (a *axis) pauses(gaps []int) bool {
	const day = 86400e6
	counts, most := map[int64]int{}, 0
	for _, row := range gaps {
		clock := a.marks[row] % day
		counts[clock]++
		most = max(most, counts[clock])
	}
	return a.name == "microsecond" && a.unit < day && most > 2 && 5*most >= 4*len(gaps)
}

// noteUntold returns a note about a column of dates whose order cannot be checked.
func (t *Table) noteUntold() string {
	for i := range t.Columns {
		c, first := &t.Columns[i], t.sheet.records[t.record(0)][i]
		digits := strings.ContainsFunc(first, unicode.IsDigit) && len(first) > 5
		switch {
		case c.Kind == Times && c.times == nil && c.Values == nil:
			return t.errorAt(0, i, fmt.Errorf("%.40q may have the day or the month first, and the other rows do not tell, so their order is not checked; write dates like 2024-12-31", first)).Error()
		case c.Kind == Texts && digits && slices.Contains(timeWords, strings.ToLower(c.Name)):
			return t.errorAt(0, i, fmt.Errorf("%.40q is no time that is understood, so the order of the rows is not checked; write times like 2024-12-31 23:59", first)).Error()
		}
	}
	return ""
}

// keyThatChanges returns a column that tells several series apart, and its first value.
// It is one of names that changes at each of those rows, or one of numbers that changes
// only there or repeats in each series.
func (t *Table) keyThatChanges(rows []int) (key *Column, value string) {
	for i := range t.Columns {
		c := &t.Columns[i]
		fields := t.fields(i)
		changes := 0
		for row := 1; row < len(fields); row++ {
			if fields[row] != fields[row-1] {
				changes++
			}
		}
		if repeats(fields, rows) {
			return c, fields[0]
		}
		named := c.Kind == Categories || c.Kind == Texts || c.Kind == Indices && named(c.Name, idWords) || changes == len(rows)
		if named && !slices.ContainsFunc(rows, func(row int) bool { return fields[row] == fields[row-1] }) {
			return c, fields[0]
		}
	}
	return nil, ""
}

// repeats reports whether the fields are different within each group of rows and the
// same in all groups. Those rows continue groups.
func repeats(fields []string, rows []int) bool {
	groups, place, first := 1, 0, map[string]bool{fields[0]: true}
	for row := 1; row < len(fields); row++ {
		if place++; !isAmong(rows, row) {
			groups, place = groups+1, 0
		}
		if groups == 1 && first[fields[row]] || fields[row] != fields[place] {
			return false
		}
		first[fields[row]] = true
	}
	return groups > 1 && len(rows) >= groups
}

// isAmong reports whether row is one of rows, which are sorted.
func isAmong(rows []int, row int) bool {
	_, found := slices.BinarySearch(rows, row)
	return found
}

// text returns the time of a row as it is written in the file.
func (a *axis) text(row int) string {
	text := strings.TrimSpace(a.fields[row])
	if a.clock != nil {
		text += " " + strings.TrimSpace(a.clock[row])
	}
	return fmt.Sprintf("%.40s", text)
}

// span returns n units in words.
func (a *axis) span(n int) string {
	unit, name := a.unit, a.name
	for _, known := range units {
		if known.of == name && unit%known.size == 0 {
			unit, name = unit/known.size, known.name
			break
		}
	}
	switch {
	case n == 1 && unit == 1 && name == "hour":
		return "an hour"
	case n == 1 && unit == 1:
		return "a " + name
	case unit == 1:
		return fmt.Sprintf("%d %ss", n, name)
	case n == 1:
		return fmt.Sprintf("%d %ss", unit, name)
	}
	return fmt.Sprintf("%d values every %d %ss", n, unit, name)
}

// String returns the number of the column and its name, if it has one: column 2 "sales".
func (c *Column) String() string {
	if c.Name == "" {
		return fmt.Sprintf("column %d", c.Number)
	}
	return fmt.Sprintf("column %d %.40q", c.Number, c.Name)
}

// Title returns the name of the column, or "column 2" for the second column if it has
// none.
func (c *Column) Title() string {
	return cmp.Or(c.Name, fmt.Sprintf("column %d", c.Number))
}

// Describe describes what was read in one line: some of the columns and the time that
// they cover.
func (t *Table) Describe(columns ...Column) string {
	var b strings.Builder
	for i := range columns {
		fmt.Fprintf(&b, "%s, ", &columns[i])
		for _, said := range []string{columns[i].example, columns[i].marks} {
			if said != "" {
				fmt.Fprintf(&b, "where %s, ", said)
			}
		}
	}
	a := t.axis()
	switch {
	case a == nil || a.column.times == nil || a.column.err != nil:
		b.WriteString(plural(t.rows, "value"))
	case !a.steady || t.rows < 3:
		fmt.Fprintf(&b, "%d values from %s to %s", t.rows, a.text(0), a.text(t.rows-1))
	default:
		fmt.Fprintf(&b, "%s from %s to %s", a.span(t.rows), a.text(0), a.text(t.rows-1))
	}
	return b.String()
}
