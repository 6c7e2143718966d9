package datasets

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rnnkit/rnnkit/models"
)

// ReadPanel reads the series of a table. The table is not kept: a value takes 8 bytes, and
// the time and the line of a row about two.
//
// Rows of several series may come in any order, those of one series too: they are sorted by
// time. Without a column of times the rows of a series are in order. Two rows of a series
// at the same time are an error. So is a category, or a number for all rows of a series,
// that changes within it.
//
// The first 10,000 rows decide how numbers and times are written, as in [ReadTable]; what
// later contradicts is an error. Times may be dates, months, quarters, RFC 3339 and the
// like, numbers as 20240131, or seconds, milliseconds, microseconds or nanoseconds since
// 1970. Roles.TimeFormat says how they are written where that is not found or not certain:
// a layout of package time, one of strftime such as %d/%m/%Y, or unix, unix-ms, unix-us or
// unix-ns. A column of whole numbers that count may stand for times; the Panel then has
// none.
//
// The frequency is the step that most rows have from the one before. Rows that are missing
// between others are added with missing values, which the Notes say. All other rows must
// lie whole steps apart.
//
// What [Roles.Missing] refuses is an error. Infinite values always are. Series without a
// value of a target are left out, with a note. Where covariates are known ahead, the last
// rows of a series may have those alone: see [PanelSeries.Ahead].
//
// Lines without a time at the end, such as totals, and lines without a digit right below
// the header, such as units, are no rows. They are left out, with a note.
//
// Errors are those that rows make of places in the file. They wrap a *[NoColumnError] if
// there is no column of a name, and a *[RoleError] if columns need a role that only a person
// can give. They are a *models.FieldError if a role cannot be used whatever the table.
func ReadPanel(rows RowReader, roles Roles) (*Panel, error) {
	r, err := newPanelReader(rows, roles)
	if err != nil {
		return nil, err
	}
	if r.time != nil && !r.time.counts {
		r.format = newTimeFormat(r.time, r.head)
		for _, part := range r.time.parts {
			r.format.others = append(r.format.others, r.table.Columns[part.index].Title())
		}
	}
	for {
		fields, line, err := r.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if err := r.addUnlessFooter(fields, line); err != nil {
			return nil, err
		}
	}
	r.footer.note(r)
	return r.panel()
}

// newPanelReader finds the columns of a table.
func newPanelReader(rows RowReader, roles Roles) (*panelReader, error) {
	if err := roles.check(); err != nil {
		return nil, err
	}
	r := &panelReader{rows: rows, roles: roles, used: map[*Column]string{}, byKey: map[string]*seriesRows{}}
	if err := r.readHead(); err != nil {
		return nil, err
	}
	return r, r.assign()
}

// check returns a *models.FieldError for the first role that no table can have.
func (r *Roles) check() error {
	switch r.Missing {
	case "", models.MissingRefuse, models.MissingInterpolate, models.MissingMask:
	default:
		return &models.FieldError{Field: "Missing", Value: r.Missing, Want: "refuse, interpolate or mask"}
	}
	if r.Wide && len(r.Series) > 0 {
		return &models.FieldError{Field: "Series", Value: r.Series, Want: "empty in a wide table, whose columns are the series"}
	}
	if _, err := models.ParseFrequency(r.Frequency); err != nil {
		return err
	}
	if _, err := time.LoadLocation(r.Zone); err != nil {
		return &models.FieldError{Field: "Zone", Value: r.Zone, Want: "the name of a time zone, such as Europe/Berlin", Err: err}
	}
	if _, err := models.CalendarColumns(r.Calendar...); err != nil {
		return err
	}
	return checkTimeFormat(r.TimeFormat)
}

// panelReader reads the rows of a table and sorts them by series.
type panelReader struct {
	rows  RowReader
	roles Roles
	head  []headRow          // the first rows, until they are read
	table *Table             // of these
	used  map[*Column]string // the roles of its columns, in words

	time    *timeColumn // nil without times
	format  timeFormat
	keys    []int // the columns of Roles.Series
	values  []*numberColumn
	statics []staticColumn // numbers, then categories

	byKey  map[string]*seriesRows
	series []*seriesRows
	key    []byte // of the row
	notes  []string
	spent  int // bytes of garbage, about

	trimmed      int    // rows at the ends of series without a target
	trimmedIn    string // the first such series
	footer       footer
	missing      int    // values of targets, in rows of the table
	firstMissing string // where the first of them is
}

type headRow struct {
	fields []Field
	line   int
}

// staticColumn is a column that has one value for all rows of a series.
type staticColumn struct {
	index  int
	title  string
	number *numberColumn // nil for a category
}

// readHead reads the rows that decide how columns are written.
func (r *panelReader) readHead() error {
	names := r.rows.Columns()
	s := &sheet{records: [][]string{names}, lines: []int{1}}
	if csv, ok := r.rows.(*CSVRows); ok {
		s.comma = csv.sheet.comma
	}
	for size := 0; len(r.head) < headRows && size < headBytes; {
		fields, line, err := r.rows.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		r.head = append(r.head, headRow{slices.Clone(fields), line})
		record := make([]string, len(fields))
		for i, f := range fields {
			if record[i] = f.text(); f.Kind == NumberField && hasEither(record[i]) {
				record[i] += "0" // no thousands
			} else if _, err := parse(record[i]); err == errInfinite && r.roles.Infinite {
				record[i] = ""
			}
			size += len(record[i])
		}
		s.records, s.lines = append(s.records, record), append(s.lines, line)
	}
	if len(r.head) == 0 {
		return r.rows.At(0, 0, errNoData)
	}
	r.dropUnits(s)
	r.table = &Table{sheet: s, Header: true, rows: len(r.head), gaps: true}
	r.table.readColumns()
	return nil
}

// text returns the field as a text that means the same in a column of texts.
func (f Field) text() string {
	switch f.Kind {
	case TextField:
		return f.Text
	case NumberField:
		return strconv.FormatFloat(f.Number, 'f', -1, 64)
	case TimeField:
		return f.Time.Format(time.RFC3339Nano)
	}
	return ""
}

// next returns the next row, of the head at first.
func (r *panelReader) next() ([]Field, int, error) {
	r.spend(32 * len(r.table.Columns))
	if len(r.head) == 0 {
		return r.rows.Next()
	}
	row := r.head[0]
	r.head = r.head[1:]
	return row.fields, row.line, nil
}

// spendable is how many bytes may become garbage before they are given back.
const spendable = 64 << 20

// spend counts bytes that are garbage now or soon. A table that is large beside the
// memory must not wait until garbage has grown as large as the values.
func (r *panelReader) spend(bytes int) {
	if r.spent += bytes; r.spent >= spendable {
		r.spent = 0
		debug.FreeOSMemory()
	}
}

// inFile returns an error of the table as one about the file.
func (r *panelReader) inFile(err error) error {
	if csv, ok := errors.AsType[*CSVError](err); ok {
		return r.rows.At(csv.Line, csv.Column, csv.Err)
	}
	return err
}

// assign finds the columns of all roles.
func (r *panelReader) assign() error {
	named, err := r.namedColumns()
	if err != nil {
		return err
	}
	if err := r.assignTime(named.time); err != nil {
		return err
	}
	r.noteUnreadTimes()
	if len(named.targets) == 0 {
		if named.targets, err = r.findTargets(); err != nil {
			return err
		}
	}
	r.roles.Targets, r.roles.Past, r.roles.Future = titles(named.targets), titles(named.past), titles(named.future)
	r.assignKeys(named.keys)
	r.assignStatics(named.static, named.categories)
	return r.assignValues(named.targets, named.past, named.future)
}

// roleColumns holds the columns of each role.
type roleColumns struct {
	keys, static, categories, past, future, targets, time []*Column
}

// namedColumns finds the columns that the roles name.
func (r *panelReader) namedColumns() (found roleColumns, err error) {
	var times []string
	if r.roles.Time != "" {
		times = []string{r.roles.Time}
	}
	for _, role := range []struct {
		name    string
		columns []string
		found   *[]*Column
	}{
		{"the series", r.roles.Series, &found.keys}, {"static", r.roles.Static, &found.static}, {"a category", r.roles.Categories, &found.categories},
		{"a past covariate", r.roles.Past, &found.past}, {"known ahead", r.roles.Future, &found.future}, {"a target", r.roles.Targets, &found.targets},
		{"the time", times, &found.time},
	} {
		for _, name := range role.columns {
			c, err := r.claim(name, role.name)
			if err != nil {
				return found, err
			}
			*role.found = append(*role.found, c)
		}
	}
	return found, nil
}

// claim returns the column of a name, which must not have a role yet.
func (r *panelReader) claim(name, role string) (*Column, error) {
	c, err := r.find(name)
	if err != nil {
		return nil, err
	}
	if before, again := r.used[c]; again {
		return nil, r.rows.At(0, c.Number, fmt.Errorf("%s is to be %s and %s; give a column one role", c, before, role))
	}
	if f := r.head[0].fields[c.Number-1]; f.Kind == UnsupportedField {
		return nil, r.rows.At(0, c.Number, fmt.Errorf("values of the type %.60s, which can be neither numbers nor texts; choose another column", f.Text))
	}
	r.used[c] = role
	return c, nil
}

// find returns the column of the given name or number, or without a name by its title.
func (r *panelReader) find(name string) (*Column, error) {
	c, err := r.table.find(name)
	if err == nil {
		return c, nil
	}
	for i := range r.table.Columns {
		if c := &r.table.Columns[i]; c.Name == "" && c.Title() == name {
			return c, nil
		}
	}
	return nil, r.inFile(err)
}

// titles returns the names of columns, or what stands for a name.
func titles(columns []*Column) (list []string) {
	for _, c := range columns {
		list = append(list, c.Title())
	}
	return list
}

// assignTime finds the column of times: the one named, else the first with times, in the
// format if there is one, that has no other role, else the first that counts.
func (r *panelReader) assignTime(named []*Column) error {
	times := named
	for _, is := range r.timeTests() {
		for i := range r.table.Columns {
			if c := &r.table.Columns[i]; len(times) == 0 && r.used[c] == "" && is(c) {
				times, r.used[c] = []*Column{c}, "the time"
			}
		}
	}
	if len(times) == 0 {
		r.roles.Time = ""
		if r.roles.TimeFormat != "" || r.roles.Zone != "" || r.roles.Frequency != "" {
			return r.rows.At(0, 0, errors.New("no column of times, for which a format, a time zone or a frequency is given; choose it by name or number: "+list(r.table.all())))
		}
		return nil
	}
	c := times[0]
	r.roles.Time = c.Title()
	var err error
	if r.time, err = r.timeColumn(c); err == nil && r.time.counts && r.roles.Frequency != "" {
		err = r.rows.At(r.head[0].line, c.Number, fmt.Errorf("%.40q counts the rows, and has no frequency; leave that out", r.time.example))
	}
	return err
}

// noteUnreadTimes adds a note about a column that seems to hold times, if the rows have none.
func (r *panelReader) noteUnreadTimes() {
	for i := range r.table.Columns {
		c := &r.table.Columns[i]
		text := r.firstField(c)
		if r.time == nil && r.used[c] == "" && c.Kind == Texts && named(c.Name, timeWords) {
			r.notef("%s is not read, since %.40q is no time that is understood: the rows are taken to be in order, one step apart", c, text)
			return
		}
	}
}

// timeTests returns what a column of times may be, the most certain first.
func (r *panelReader) timeTests() []func(c *Column) bool {
	if r.roles.TimeFormat != "" {
		form, numeric := formOf(r.roles.TimeFormat)
		return []func(c *Column) bool{func(c *Column) bool {
			f := r.firstField(c)
			return numeric.read == nil && readsTime(form, f) || numeric.read != nil && named(c.Name, timeWords) && isNumber(f)
		}}
	}
	return []func(c *Column) bool{
		func(c *Column) bool {
			return c.Kind == Times && !c.clock && (c.form.read != nil || c.numeric.read != nil)
		},
		func(c *Column) bool { return c.Kind == Indices && isCount(c) },
	}
}

func readsTime(form timeForm, field string) bool {
	_, ok := form.read(stampOf(field))
	return ok
}

// firstField returns the first field of a column that is not missing, or the last.
func (r *panelReader) firstField(c *Column) (field string) {
	for _, field = range r.table.fields(c.Number - 1) {
		if !isMissing(field) {
			break
		}
	}
	return field
}

// isCount reports whether a column is one that counts the rows by its name.
func isCount(c *Column) bool { return named(c.Name, countWords) && !named(c.Name, idWords) }

// findTargets returns the only column of numbers that has no role, or all where the table is
// wide or the roles ask for all.
func (r *panelReader) findTargets() ([]*Column, error) {
	var left []*Column
	for _, c := range r.table.all() {
		if r.used[c] == "" && (c.Kind == Numbers || c.Kind == Empty && r.roles.Wide) {
			left = append(left, c)
		}
	}
	if r.roles.All {
		left = r.withoutMarks(left)
	}
	switch {
	case len(left) == 0 && len(r.used) > 0:
		return nil, r.rows.At(0, 0, errors.New("no column of numbers is left to forecast; choose the targets by name or number: "+list(r.table.all())))
	case len(left) == 0:
		return nil, r.inFile(r.table.noValues())
	case len(left) > 1 && !r.roles.Wide && !r.roles.All:
		return nil, r.rows.At(0, 0, untoldTargets(left))
	}
	return left, nil
}

// markWords are names of columns that say which rows are anomalies.
var markWords = []string{"label", "labels", "anomaly", "anomalies", "anomalous", "outlier", "outliers", "is_anomaly", "is_outlier", "ground_truth"}

// withoutMarks returns columns without those that mark rows.
func (r *panelReader) withoutMarks(columns []*Column) []*Column {
	marks := func(c *Column) bool {
		return named(c.Name, markWords) && !slices.ContainsFunc(c.Values, func(v float64) bool { return v != 0 && v != 1 })
	}
	return slices.DeleteFunc(columns, func(c *Column) bool {
		if marks(c) {
			r.notef("%s marks rows and is no target; choose it by name if it is one", c)
			return true
		}
		return false
	})
}

// all returns all columns.
func (t *Table) all() []*Column {
	columns := make([]*Column, len(t.Columns))
	for i := range columns {
		columns[i] = &t.Columns[i]
	}
	return columns
}

func (r *panelReader) assignKeys(keys []*Column) {
	r.roles.Series = titles(keys)
	for _, c := range keys {
		r.keys = append(r.keys, c.Number-1)
	}
}

// assignStatics tells numbers and categories apart.
func (r *panelReader) assignStatics(static, categories []*Column) {
	r.roles.Static = nil
	for _, c := range static {
		if c.Kind != Numbers && c.Kind != Indices {
			categories = append(categories, c)
			continue
		}
		r.roles.Static = append(r.roles.Static, c.Title())
		r.statics = append(r.statics, staticColumn{c.Number - 1, c.Title(), &numberColumn{index: c.Number - 1, written: c.written}})
	}
	r.roles.Categories = titles(categories)
	for _, c := range categories {
		r.statics = append(r.statics, staticColumn{index: c.Number - 1, title: c.Title()})
	}
}

// assignValues sets the columns of values. Those of numbers that cannot be read are errors.
func (r *panelReader) assignValues(targets, past, future []*Column) error {
	for i, c := range slices.Concat(targets, past, future) {
		if c.Kind == Numbers && c.err != nil {
			return r.inFile(c.err)
		}
		for _, said := range []string{c.example, c.marks} {
			if said != "" {
				r.notef("%s: %s", c, said)
			}
		}
		r.values = append(r.values, &numberColumn{index: c.Number - 1, written: c.written, truths: i >= len(targets), infinite: r.roles.Infinite})
	}
	return nil
}

// notef adds a note.
func (r *panelReader) notef(format string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

// numberColumn reads the numbers of a column.
type numberColumn struct {
	index   int
	written notation // as far as it is known from the rows so far
	truths  bool     // true and false are 1 and 0

	infinite bool // values are missing ones
}

var errTimeValue = errors.New("a time, and no value; choose another column")

// read returns the number in a field, NaN for a missing one.
func (c *numberColumn) read(f Field) (float64, error) {
	v, err := c.readField(f)
	if err == errInfinite && c.infinite {
		return math.NaN(), nil
	}
	return v, err
}

func (c *numberColumn) readField(f Field) (float64, error) {
	switch f.Kind {
	case MissingField:
		return math.NaN(), nil
	case TimeField:
		return 0, errTimeValue
	case NumberField:
		return f.Number, checkFinite(f.Number)
	}
	v, err := parse(f.Text)
	plain := c.written == notation{} || c.written == notation{decimal: "."}
	switch {
	case err == errMissing:
		return math.NaN(), nil
	case err == nil && plain && !strings.Contains(f.Text, "."):
		return v, nil
	case err == nil && plain && !(c.written.decimal == "" && hasEither(f.Text)):
		c.written.decimal = "."
		return v, nil
	case c.truths && err == errText:
		if v, ok := truth(f.Text); ok {
			return v, nil
		}
	}
	return c.readNotation(f.Text)
}

// truth returns 1 for true and 0 for false.
func truth(field string) (v float64, ok bool) {
	field = strings.TrimSpace(field)
	if strings.EqualFold(field, "true") {
		return 1, true
	}
	return 0, strings.EqualFold(field, "false")
}

// readNotation reads a number that must be written as those before it.
func (c *numberColumn) readNotation(field string) (float64, error) {
	number, ok := readNumeral(field)
	if !ok {
		return c.written.parse(field)
	}
	s, n := separatorsOf(number.digits), &c.written
	agrees := s.ok && agree(&n.decimal, s.decimal) && agree(&n.group, s.group) && (n.decimal == "" || n.decimal != n.group)
	settled := s.either == "" || s.either == n.decimal || s.either == n.group
	if !agrees || !settled || number.before != n.before || number.after != n.after {
		return 0, errors.New("not written as the numbers before it; write all numbers alike, as -12.5")
	}
	return n.parse(field)
}

// add adds a row to its series.
func (r *panelReader) add(fields []Field, line int) error {
	s, err := r.seriesOf(fields, line)
	if err != nil {
		return err
	}
	if r.time != nil {
		tick, err := r.time.tick(fields, s)
		if err != nil {
			return r.fieldError(fields, line, r.time.index, err)
		}
		s.ticks.add(tick)
		if s.rows > 0 && tick <= s.latest {
			s.unsorted = cmp.Or(s.unsorted, line)
		}
		s.latest = tick
	}
	s.lines.add(int64(line))
	for i, c := range r.values {
		v, err := c.read(fields[c.index])
		if err != nil {
			return r.fieldError(fields, line, c.index, err)
		}
		s.values[i].add(v)
	}
	s.rows++
	return r.addStatics(s, fields, line)
}

// fieldError returns an error about a field.
func (r *panelReader) fieldError(fields []Field, line, index int, err error) error {
	return r.rows.At(line, index+1, fmt.Errorf("%.40q is %w", fields[index].text(), err))
}

// seriesOf returns the series of a row.
func (r *panelReader) seriesOf(fields []Field, line int) (*seriesRows, error) {
	r.key = r.key[:0]
	for i, index := range r.keys {
		if i > 0 {
			r.key = append(r.key, 0)
		}
		before := len(r.key)
		if f := fields[index]; f.Kind == TextField {
			r.key = append(r.key, strings.TrimSpace(f.Text)...)
		} else {
			r.key = append(r.key, f.text()...)
		}
		if len(r.key) == before {
			return nil, r.rows.At(line, index+1, errors.New("a missing value, where the name of the series should be; fill it in"))
		}
	}
	if s, known := r.byKey[string(r.key)]; known {
		return s, nil
	}
	key := strings.Split(string(r.key), "\x00")
	s := &seriesRows{key: key, name: strings.Join(key, "/"), values: make([]chunks, len(r.values)), static: make([]string, len(r.statics))}
	r.byKey[string(r.key)] = s
	r.series = append(r.series, s)
	return s, nil
}

// addStatics refuses a row whose static columns differ from those of the rows before.
func (r *panelReader) addStatics(s *seriesRows, fields []Field, line int) error {
	for i, c := range r.statics {
		text := fields[c.index].text()
		switch have := s.static[i]; {
		case text == have || isMissing(text):
		case have == "":
			s.static[i] = strings.Clone(text)
		case strings.TrimSpace(have) != strings.TrimSpace(text):
			return r.rows.At(line, c.index+1, fmt.Errorf("%.40q, where series %.40q had %.40q before: %s must be the same in all rows of a series", text, s.name, have, c.title))
		}
		if c.number == nil || s.rows > 1 && s.static[i] != text {
			continue
		}
		if _, err := c.number.read(fields[c.index]); err != nil {
			return r.fieldError(fields, line, c.index, err)
		}
	}
	return nil
}
