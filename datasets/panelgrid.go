package datasets

import (
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rnnkit/rnnkit/models"
)

// panel makes the panel of the rows that were read.
func (r *panelReader) panel() (*Panel, error) {
	if r.time != nil {
		if err := r.settleZone(); err != nil {
			return nil, err
		}
		if err := r.sort(); err != nil {
			return nil, err
		}
	}
	g, err := r.grid()
	if err != nil {
		return nil, err
	}
	if r.roles.Nearest && g.timed {
		r.nearest(g)
	}
	p := &Panel{Roles: r.roles, Frequency: g.frequency, format: r.format}
	for i, s := range r.series {
		if err := r.addSeries(p, g, s); err != nil {
			return nil, err
		}
		r.series[i] = nil // its memory is needed for the next
	}
	if err := g.checkSteps(r); err != nil {
		return nil, err
	}
	g.note(r)
	if r.trimmed > 0 {
		r.notef("%s at the end of series%s without a value of %s left out: a series ends with its last value", plural(r.trimmed, "row"), like(r.trimmedIn), quoted(r.roles.Targets))
	}
	r.noteMissing()
	if p.Notes = r.notes; len(p.Series) == 0 {
		return nil, r.rows.At(0, 0, fmt.Errorf("no values of %.200q, only missing ones", r.roles.Targets))
	}
	p.noteEnded()
	p.noteConstants()
	p.noteOutliers()
	p.noteTelltales()
	p.Calendar = nil
	return p, p.AddCalendar(0, r.roles.Calendar...)
}

// sort brings the rows of each series in order, and refuses two at the same time.
func (r *panelReader) sort() error {
	first, from := 0, ""
	for _, s := range r.series {
		if s.unsorted == 0 {
			continue
		}
		line := s.unsorted
		s.sort()
		if i, n := s.twice(); n > 0 && (!r.roles.Nearest || r.several(n, s.rows)) {
			return r.twiceError(s, i)
		}
		if first == 0 || line < first {
			first, from = line, s.of()
		}
	}
	if first > 0 {
		r.notef("rows are sorted by time: the first that comes too early or too late is in line %d%s", first, from)
	}
	return nil
}

// several reports whether n of so many rows, which have the time of another one, are those
// of other series rather than a clock's doing.
func (r *panelReader) several(n, rows int) bool {
	return 2*n >= rows || 10*n >= rows && r.untold() != nil
}

// twiceError is the error of a row at the same time as the one before.
func (r *panelReader) twiceError(s *seriesRows, row int) error {
	line, before := int(s.lines.at(row)), int(s.lines.at(row-1))
	advice := "give each time one row, for instance the mean of both"
	if at := r.time.at(s.ticks.at(row)); at.Weekday() == time.Sunday && at.Hour() < 4 && !r.time.named && !r.time.counts {
		advice += "; if that is the hour that comes twice when clocks go back, give the time zone"
	}
	problem := fmt.Sprintf("%s is there twice%s, in line %d too", r.time.format(s.ticks.at(row)), s.of(), before)
	err := fmt.Errorf("%s; %s", problem, advice)
	if c := r.untold(); c != nil {
		err = &RoleError{Role: "Series", Columns: []string{c.reference()}, Problem: fmt.Sprintf("%s, and %s may tell series apart", problem, c), Else: advice}
	}
	return r.rows.At(line, r.time.index+1, err)
}

// untold returns the first column of texts that has no role, or nil.
func (r *panelReader) untold() *Column {
	used := slices.Concat(r.roles.Series, r.roles.Static, r.roles.Categories, r.roles.Past, r.roles.Future, r.roles.Targets, []string{r.roles.Time})
	for i := range r.table.Columns {
		c := &r.table.Columns[i]
		if (c.Kind == Categories || c.Kind == Texts || c.Kind == Indices && named(c.Name, idWords)) && !slices.Contains(used, c.Title()) {
			return c
		}
	}
	return nil
}

// grid is how rows become regular in time.
type grid struct {
	frequency models.Frequency
	zone      *time.Location
	step      int64 // ticks from row to row, if that is always the same
	timed     bool

	steps         int    // from row to row
	gaps, missing int    // places where rows are missing, and how many those are
	firstGap      string // about the first one
}

// grid finds the frequency of the rows.
func (r *panelReader) grid() (*grid, error) {
	switch {
	case r.time == nil:
		return &grid{}, nil
	case r.time.counts:
		return &grid{step: usualTicks(r.series)}, nil
	}
	g := &grid{zone: r.time.zone, timed: true}
	if r.roles.Frequency != "" {
		g.frequency, _ = models.ParseFrequency(r.roles.Frequency)
	} else {
		g.frequency = r.findFrequency()
	}
	g.step = fixedStep(g.frequency, g.zone)
	return g, nil
}

// fixedStep returns the ticks of a step that is the same at all times, otherwise 0.
func fixedStep(f models.Frequency, zone *time.Location) int64 {
	year := time.Date(2024, 1, 31, 0, 0, 0, 0, zone)
	step := f.Add(year, 1).Sub(year)
	for n := 1; n < 366; n++ {
		if at := year.AddDate(0, 0, n); f.Add(at, 1).Sub(at) != step {
			return 0
		}
	}
	return step.Microseconds()
}

// place returns the row of a tick, counted from that of the first row of its series.
func (g *grid) place(first, tick int64) (row int, exact bool) {
	if g.step > 0 {
		return int((tick - first) / g.step), (tick-first)%g.step == 0
	}
	return g.frequency.Steps(time.UnixMicro(first).In(g.zone), time.UnixMicro(tick))
}

// A series may have maxGapFactor times as many missing rows as others, or maxGapRows. That
// is more than there are at night and at weekends where prices are taken in trading hours.
const (
	maxGapFactor = 10
	maxGapRows   = 1000
)

// gap is where rows of a series are missing: before one of its rows, counted from 0.
type gap struct{ row, missing int }

// gaps returns where rows are missing, and the number of rows with these. A row that does
// not lie whole steps after the first is an error.
func (r *panelReader) gaps(g *grid, s *seriesRows) (gaps []gap, n int, err error) {
	if g.frequency == (models.Frequency{}) && g.step == 0 {
		return nil, s.rows, nil
	}
	var first, before int64
	for i, tick := range s.ticks.all() {
		if i == 0 {
			first = tick
		} else {
			g.steps++
		}
		row, exact := g.place(first, tick)
		if !exact {
			return nil, 0, r.unevenError(g, s, i, tick)
		}
		if row > n {
			gaps = append(gaps, gap{i, row - n})
			if err := r.noteGap(g, s, gap{i, row - n}, before, tick, row-i); err != nil {
				return nil, 0, err
			}
		}
		n, before = row+1, tick
	}
	return gaps, n, nil
}

// fewSteps may all be gaps by chance.
const fewSteps = 3

// checkSteps returns an error if a given frequency is that of no two rows.
func (g *grid) checkSteps(r *panelReader) error {
	if r.roles.Frequency == "" || g.steps <= fewSteps || g.gaps < g.steps {
		return nil
	}
	return r.rows.At(0, r.time.index+1, fmt.Errorf("no two rows lie %s apart, as the frequency says; leave it out, or correct it", g.frequency.Span(1)))
}

func (r *panelReader) unevenError(g *grid, s *seriesRows, i int, tick int64) error {
	step := fmt.Sprint(g.step)
	if g.timed {
		step = g.frequency.String()
	}
	return r.rows.At(int(s.lines.at(i)), r.time.index+1, fmt.Errorf("%s is no whole number of steps of %s after %s, the first time%s; bring the rows to even steps, for instance by the mean of each, or give their frequency",
		r.time.format(tick), step, r.time.format(s.ticks.at(0)), s.of()))
}

// noteGap counts rows that are missing between two others. It is an error if those are
// refused, or if with those before they are too many.
func (r *panelReader) noteGap(g *grid, s *seriesRows, missing gap, before, tick int64, all int) error {
	between := fmt.Errorf("rows are missing between %s and %s%s", r.time.format(before), r.time.format(tick), s.of())
	g.gaps++
	g.missing += missing.missing
	if g.gaps == 1 {
		g.firstGap = fmt.Sprintf("%v (line %d)", between, s.lines.at(missing.row))
	}
	switch {
	case r.roles.Missing == models.MissingRefuse:
		return r.rows.At(int(s.lines.at(missing.row)), r.time.index+1, fmt.Errorf("%w; fill them in, or have missing values interpolated or masked", between))
	case all > maxGapRows && all > maxGapFactor*s.rows:
		if err := g.checkSteps(r); err != nil {
			return err
		}
		return r.rows.At(int(s.lines.at(missing.row)), r.time.index+1, fmt.Errorf("%w: with those before it, %d, where the series has %d; correct the time, or bring the rows to longer steps", between, all, s.rows))
	}
	return nil
}

// note adds what the grid says of gaps.
func (g *grid) note(r *panelReader) {
	if g.gaps > 0 {
		r.notef("%s, %s in all: they are missing values", g.firstGap, plural(g.missing, "row"))
	}
}

// at returns the time of a tick.
func (t *timeColumn) at(tick int64) time.Time { return time.UnixMicro(tick).In(t.zone) }

// format returns a tick as a text.
func (t *timeColumn) format(tick int64) string {
	if t.counts {
		return fmt.Sprint(tick)
	}
	return formatTime(t.at(tick))
}

// formatTime returns a time without a time of day where that is midnight.
func formatTime(at time.Time) string {
	switch {
	case at.Nanosecond() != 0:
		return at.Format("2006-01-02 15:04:05.999999")
	case at.Second() != 0:
		return at.Format("2006-01-02 15:04:05")
	case at.Hour() != 0 || at.Minute() != 0:
		return at.Format("2006-01-02 15:04")
	}
	return at.Format("2006-01-02")
}

// addSeries adds the rows of a series to the panel, or those of all series of a wide table.
func (r *panelReader) addSeries(p *Panel, g *grid, s *seriesRows) error {
	gaps, n, err := r.gaps(g, s)
	if err != nil {
		return err
	}
	out := PanelSeries{Name: s.name, Key: s.key}
	if len(r.keys) == 0 {
		out.Key = nil
	}
	if g.timed {
		out.Start = r.time.at(s.ticks.at(0))
	}
	r.setColumns(&out, s, gaps, n)
	r.setStatics(&out, s)
	if err := r.checkMissing(&out, s, gaps); err != nil {
		return err
	}
	if r.roles.Missing == models.MissingInterpolate {
		interpolate(out.Past)
		interpolate(heads(out.Future, n-aheadRows(&out)))
	}
	if r.roles.Wide {
		r.addWide(p, g, out)
	} else {
		r.addOne(p, out)
	}
	return nil
}

// setColumns sets the values of a series, which has n rows in the grid.
func (r *panelReader) setColumns(out *PanelSeries, s *seriesRows, gaps []gap, n int) {
	columns := make([][]float64, len(s.values))
	for c, values := range s.values {
		s.values[c] = nil
		columns[c] = r.onGrid(values, gaps, n)
	}
	targets := len(r.roles.Targets)
	past := targets + len(r.roles.Past)
	out.Targets, out.Past, out.Future = columns[:targets:targets], columns[targets:past:past], columns[past:]
}

// onGrid returns values as a slice of n, with missing ones in the gaps. The chunks are
// given up one by one.
func (r *panelReader) onGrid(values chunks, gaps []gap, n int) []float64 {
	list := make([]float64, 0, n)
	row := 0
	for i, chunk := range values {
		r.spend(8 * len(chunk))
		for len(chunk) > 0 {
			for ; len(gaps) > 0 && gaps[0].row == row; gaps = gaps[1:] {
				list = append(list, missingValues(gaps[0].missing)...)
			}
			next := len(chunk)
			if len(gaps) > 0 {
				next = min(next, gaps[0].row-row)
			}
			list = append(list, chunk[:next]...)
			chunk, row = chunk[next:], row+next
		}
		values[i] = nil
	}
	return list
}

func missingValues(n int) []float64 {
	return slices.Repeat([]float64{math.NaN()}, n)
}

// setStatics sets the numbers and categories of a series.
func (r *panelReader) setStatics(out *PanelSeries, s *seriesRows) {
	for i, c := range r.statics {
		switch {
		case c.number == nil:
			out.Categories = append(out.Categories, strings.TrimSpace(s.static[i]))
		default:
			v, _ := c.number.read(Field{Text: s.static[i]})
			out.Static = append(out.Static, v)
		}
	}
}

// addOne adds a series, unless it has no values.
func (r *panelReader) addOne(p *Panel, s PanelSeries) {
	rows := lastTarget(&s)
	if n := s.Len() - rows; rows > 0 && n > aheadRows(&s) {
		if r.trimmed += n; r.trimmed == n {
			r.trimmedIn = s.Name
		}
		s.Future = heads(s.Future, rows)
	}
	s.Targets, s.Past = heads(s.Targets, rows), heads(s.Past, rows)
	if !slices.ContainsFunc(s.Targets, func(values []float64) bool { return observedIn(values) > 0 }) {
		r.notef("series %.40q has no values and is left out", s.Name)
		return
	}
	if r.roles.Missing == models.MissingInterpolate {
		interpolate(s.Targets)
	}
	p.Series = append(p.Series, s)
}

// like gives the name of a series as an example, if it has one.
func like(name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf(" such as %.40q", name)
}

// lastTarget returns the number of rows up to the last one that has a target.
func lastTarget(s *PanelSeries) (rows int) {
	for _, values := range s.Targets {
		_, end := observedRange(values)
		rows = max(rows, end)
	}
	return rows
}

// aheadRows returns the number of rows after the last one that has a target. It is 0 if
// none of them has a covariate that is known ahead.
func aheadRows(s *PanelSeries) int {
	last := lastTarget(s)
	for _, values := range s.Future {
		if _, end := observedRange(values); end > last {
			return s.Len() - last
		}
	}
	return 0
}

// addWide adds each target as a series of its own, without the missing values before its
// first value and after its last.
func (r *panelReader) addWide(p *Panel, g *grid, s PanelSeries) {
	p.Targets = []string{"value"}
	for i, values := range s.Targets {
		first, end := observedRange(values)
		name := r.roles.Targets[i]
		one := PanelSeries{Name: name, Key: []string{name}, Start: s.Start, Static: s.Static, Categories: s.Categories}
		if g.timed {
			one.Start = g.frequency.Add(s.Start, first)
		}
		one.Targets = [][]float64{values[first:end]}
		for _, past := range s.Past {
			one.Past = append(one.Past, past[first:end])
		}
		for _, future := range s.Future {
			one.Future = append(one.Future, future[first:])
		}
		r.addOne(p, one)
	}
}

// observedRange returns the index of the first value that is not missing, and that after
// the last.
func observedRange(values []float64) (first, end int) {
	there := func(v float64) bool { return v == v }
	if first = slices.IndexFunc(values, there); first < 0 {
		return 0, 0
	}
	for end = len(values); !there(values[end-1]); {
		end--
	}
	return first, end
}

// interpolate sets missing values of columns to those on the line between their
// neighbours, and before the first value and after the last to these.
func interpolate(columns [][]float64) {
	for _, values := range columns {
		before := -1
		for i, v := range values {
			if v != v {
				continue
			}
			for k := before + 1; k < i; k++ {
				values[k] = v
				if before >= 0 {
					values[k] = values[before] + (v-values[before])*float64(k-before)/float64(i-before)
				}
			}
			before = i
		}
		for k := before + 1; before >= 0 && k < len(values); k++ {
			values[k] = values[before]
		}
	}
}

// checkMissing refuses missing values where they are to be refused, and otherwise counts
// those of targets. The series of a wide table may begin and end at different times. Values
// that are missing in the gaps are not told of here.
func (r *panelReader) checkMissing(out *PanelSeries, s *seriesRows, gaps []gap) error {
	end := out.Len() - aheadRows(out)
	for c, values := range slices.Concat(out.Targets, out.Past, out.Future) {
		from, to := 0, end
		if r.roles.Wide && c < len(out.Targets) {
			from, to = observedRange(values)
		}
		for i, row := range rowsBetween(gaps, s.rows) {
			if row < from || row >= to || values[row] == values[row] {
				continue
			}
			if r.roles.Missing == models.MissingRefuse {
				return r.rows.At(int(s.lines.at(i)), r.values[c].index+1, fmt.Errorf("a missing value%s; fill it in, or have missing values interpolated or masked", s.of()))
			}
			if c < len(out.Targets) {
				r.countMissing(s, i, c)
			}
		}
	}
	return r.checkStatics(s)
}

// rowsBetween returns for each of n rows of a table where it is with the gaps.
func rowsBetween(gaps []gap, n int) iter.Seq2[int, int] {
	return func(yield func(int, int) bool) {
		missing := 0
		for i := range n {
			for ; len(gaps) > 0 && gaps[0].row == i; gaps = gaps[1:] {
				missing += gaps[0].missing
			}
			if !yield(i, i+missing) {
				return
			}
		}
	}
}

// checkStatics refuses missing static values where they are to be refused.
func (r *panelReader) checkStatics(s *seriesRows) error {
	for i, text := range s.static {
		if r.roles.Missing == models.MissingRefuse && isMissing(text) {
			return r.rows.At(int(s.lines.at(0)), r.statics[i].index+1, fmt.Errorf("a missing value of %.40q%s; fill it in, or have missing values masked", r.statics[i].title, s.of()))
		}
	}
	return nil
}

// countMissing counts a missing value of a target.
func (r *panelReader) countMissing(s *seriesRows, row, target int) {
	if r.missing++; r.missing == 1 {
		r.firstMissing = fmt.Sprintf("of %.40q%s in line %d", r.roles.Targets[target], s.of(), s.lines.at(row))
	}
}

// noteMissing adds what was counted.
func (r *panelReader) noteMissing() {
	if r.missing > 0 {
		r.notef("%s missing, the first is that %s", plural(r.missing, "value"), r.firstMissing)
	}
}

// endedShare is the part of the longest series by which another ends before the rest, if
// that is told.
const endedShare = 0.1

// noteEnded adds a note about series that end long before others.
func (p *Panel) noteEnded() {
	if p.Frequency == (models.Frequency{}) {
		return
	}
	var last time.Time
	for i := range p.Series {
		if end := p.Time(i, p.Series[i].Len()-1); end.After(last) {
			last = end
		}
	}
	n, example, most := 0, "", max(1, int(endedShare*float64(p.longest().Len())))
	for i := range p.Series {
		s := &p.Series[i]
		if !p.Time(i, s.Len()-1+most).Before(last) {
			continue
		}
		if n++; n == 1 {
			example = fmt.Sprintf("%.40q at %s", s.Name, p.shortTime(p.Time(i, s.Len()-1)))
		}
	}
	if n > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("%d of %d series end before %s as the others do, such as %s: each is forecast from its own end", n, len(p.Series), p.shortTime(last), example))
	}
}

// noteConstants adds a note about targets that never change.
func (p *Panel) noteConstants() {
	n, first := 0, ""
	for _, s := range p.Series {
		for i, values := range s.Targets {
			if !isConstant(values) {
				continue
			}
			if n++; n == 1 {
				first = fmt.Sprintf("%.40q%s", p.Targets[i], ofSeries(s.Name))
			}
		}
	}
	switch {
	case n == 1:
		p.Notes = append(p.Notes, first+" never changes")
	case n > 1:
		p.Notes = append(p.Notes, fmt.Sprintf("%d series of values never change, the first is %s", n, first))
	}
}

// isConstant reports whether all values that are not missing are the same.
func isConstant(values []float64) bool {
	first := math.NaN()
	for _, v := range values {
		if first != first {
			first = v
		}
		if v == v && v != first {
			return false
		}
	}
	return first == first
}
