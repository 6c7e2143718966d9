package datasets

import (
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Kind is the kind of values in a column of a table.
type Kind int

// The kinds of columns.
const (
	Texts      Kind = iota // anything else
	Numbers                // values
	Times                  // the times of the rows
	Indices                // numbers that count or name the rows
	Categories             // texts that repeat
	Empty                  // only missing values
)

// Column is a column of a table.
type Column struct {
	Number int    // from 1
	Name   string // as in the header; "" where that has none
	Kind   Kind

	// Values holds the numbers, all of them finite as float32. It has at least one
	// number if the Kind is Numbers or Indices, or if the times are numbers.
	Values []float64

	times   []time.Time // for the kind Times; zero for a missing one; nil if they are ambiguous
	form    timeForm    // how the times are written
	numeric numericForm // the same, of times that are numbers
	written notation    // how the numbers are written
	clock   bool        // the times are times of day
	layout  string      // of times that several columns hold together
	parts   []partOf    // the other columns of these
	example string      // a field that is not in Go's notation, and its value
	marks   string      // a remark about values that may stand for missing ones
	err     error       // about the first field that cannot be used
}

// Table is a CSV file with the kinds of its columns. All readers of series use it.
type Table struct {
	File    string
	Columns []Column
	Header  bool // the first line holds the names

	sheet *sheet
	rows  int
	gaps  bool // missing values are NaN, not errors
}

// NoColumnError is what a CSVError wraps if the file has no column of the name or
// number asked for.
type NoColumnError struct {
	Column  string   // the name or number asked for
	Columns []string // the names of all columns in order, "" for one without a name
}

func (e *NoColumnError) Error() string {
	columns := make([]*Column, len(e.Columns))
	for i, name := range e.Columns {
		columns[i] = &Column{Number: i + 1, Name: name}
	}
	return fmt.Sprintf("no column %.40q; choose one by name or number: %s", e.Column, list(columns))
}

var (
	errNoData     = errors.New("no data; give it a line for each value")
	errOnlyHeader = errors.New("a header and no data; give it a line for each value")
	errEncoding   = errors.New("not UTF-8; save the file in that encoding, which spreadsheets call CSV UTF-8")
)

// ReadTable reads CSV text. Errors name the file as given; each is a *[CSVError].
//
// The text is UTF-8, or UTF-16 with a byte order mark. Lines end in \n, \r\n or \r. A
// first line such as sep=; names the separator of fields. Otherwise fields are
// separated by tabs if the first line has one outside quotes, or by semicolons, bars or
// commas. Blank lines are skipped, but in a file of one column a blank line between
// others is a missing value.
//
// The first line is a header if none of its fields is a number or a time. It is also a
// header if its fields look like names: 0, 1, 2 or years above other numbers, a whole
// number above numbers with decimals, or the word date above dates. A first line that
// may be either is an error.
//
// Numbers are written like -12.5. A column may also have a decimal comma, thousands
// separators, a currency sign or a %, if all its numbers have one notation and can be
// read in one way only. The other columns help to decide what a comma or a point means.
// A column of numbers that cannot be read still has the kind Numbers, and choosing it
// is an error.
//
// Every record has as many fields as the first, a line has at most 1 MiB, and there are
// at most 16,384 columns. Anything else is an error.
func ReadTable(r io.Reader, file string) (*Table, error) {
	s, err := readSheet(r, file, false)
	if err != nil {
		return nil, err
	}
	if len(s.records) == 0 {
		return nil, s.errorf(0, 0, "%w", errNoData)
	}
	t := &Table{File: file, sheet: s}
	if t.Header, err = s.firstLine(); err != nil {
		return nil, err
	}
	if t.Header && !utf8.ValidString(strings.Join(s.records[0], "")) {
		return nil, s.errorf(s.lines[0], 0, "%w", errEncoding)
	}
	t.rows = len(s.records)
	if t.Header {
		t.rows--
	}
	if t.rows == 0 {
		return nil, s.errorf(0, 0, "%w", errOnlyHeader)
	}
	t.readColumns()
	return t, nil
}

// readColumns reads all columns.
func (t *Table) readColumns() {
	for i := range t.sheet.records[0] {
		t.Columns = append(t.Columns, t.column(i))
	}
	t.findIndices()
}

// record returns the index of the record of a row.
func (t *Table) record(row int) int { return len(t.sheet.records) - t.rows + row }

// fields returns the fields of a column, from top to bottom.
func (t *Table) fields(column int) []string {
	list := make([]string, t.rows)
	for i := range list {
		list[i] = t.sheet.records[t.record(i)][column]
	}
	return list
}

// column reads column i, from 0.
func (t *Table) column(i int) Column {
	c := Column{Number: i + 1}
	if t.Header {
		c.Name = strings.TrimSpace(t.sheet.records[0][i])
	}
	t.readFields(&c, t.fields(i))
	return c
}

// readFields sets the kind of a column, and reads its numbers or times.
func (t *Table) readFields(c *Column, fields []string) {
	there := len(fields) - count(fields, isMissing)
	switch {
	case there == 0:
		c.Kind = Empty
		return
	case 2*count(fields, isNumber) > there:
		t.readNumbers(c, fields)
		return
	}
	answers, clock := readTimes(fields, there)
	switch {
	case len(answers) > 0:
		c.Kind, c.clock = Times, clock
		t.settleTimes(c, fields, answers)
	case valuesAmong(fields, there):
		t.readNumbers(c, fields)
	case distinct(fields)*2 <= there:
		c.Kind = Categories
	}
}

func count(fields []string, is func(string) bool) (n int) {
	for _, field := range fields {
		if is(field) {
			n++
		}
	}
	return n
}

// valuesAmong reports whether more than half of the fields that are not missing look
// like values of the same unit to a person, even if they cannot be parsed as numbers.
func valuesAmong(fields []string, there int) bool {
	units := map[string]int{}
	for _, field := range fields {
		if unit, ok := looksLikeValue(field); ok {
			units[unit]++
		}
	}
	for _, n := range units {
		if 2*n > there {
			return true
		}
	}
	return false
}

func distinct(fields []string) int {
	seen := map[string]bool{}
	for _, field := range fields {
		seen[strings.TrimSpace(field)] = true
	}
	return len(seen)
}

// readNumbers reads a column of numbers.
func (t *Table) readNumbers(c *Column, fields []string) {
	c.Kind = Numbers
	n, bad, problem := notation{}, -1, error(nil)
	if slices.ContainsFunc(fields, func(field string) bool { return !isNumber(field) && !isMissing(field) || hasEither(field) }) {
		n, bad, problem = readNotation(fields, func() hint { return t.hint(c) })
	}
	for row, field := range fields {
		v, err := n.parse(field)
		if err == errMissing && t.gaps {
			v, err = math.NaN(), nil
		}
		if err != nil {
			err = fmt.Errorf("%.40q is %w", field, err)
		}
		if row == bad && problem != nil {
			err = problem
		}
		if err != nil {
			t.spoil(c, fields, row, err)
			return
		}
		if plain, _ := parse(field); c.example == "" && v == v && (v != plain || !isNumber(field) || t.sheet.comma == ';' && separatorsOf(strings.TrimSpace(field)).either != "") {
			c.example = fmt.Sprintf("%.40q is %s", field, strconv.FormatFloat(v, 'f', -1, 64))
		}
		c.Values = append(c.Values, v)
	}
	c.written = n
	if times, form := numericTimes(c.Name, c.Values); times != nil {
		c.Kind, c.times, c.numeric = Times, times, form
		return
	}
	if mark, n := missingMark(c.Values); n > 0 {
		c.marks = fmt.Sprintf("%v comes %s and may stand for a missing value", mark, plural(n, "time"))
	}
}

// missingMark returns a negative number of nines, such as -999, that is far below all
// other values, and how often it occurs. Such a number often stands for a missing
// value.
func missingMark(values []float64) (mark float64, n int) {
	mark = math.Inf(1)
	for _, v := range values {
		if v == v {
			mark = min(mark, v)
		}
	}
	digits := strings.Replace(strconv.FormatFloat(mark, 'f', -1, 64), ".", "", 1)
	if len(digits) < 3 || strings.Trim(digits, "9") != "-" {
		return 0, 0
	}
	for _, v := range values {
		switch {
		case v == mark:
			n++
		case v < mark/2:
			return 0, 0
		}
	}
	return mark, n
}

// hint returns what the other columns say about the notation of numbers: the decimal
// separator, if all of them have the same, or a point where dates such as 12/31/2024 are.
func (t *Table) hint(c *Column) hint {
	h := hint{semicolons: t.sheet.comma == ';'}
	for i := range t.sheet.records[0] {
		if i == c.Number-1 {
			continue
		}
		for _, field := range t.fields(i) {
			if d := decimalOf(field); !agree(&h.decimal, d) {
				return hint{semicolons: h.semicolons}
			} else if d != "" {
				break // for the column
			}
		}
		if h.decimal == "" && monthFirst(t.fields(i)) {
			h.decimal = "."
		}
	}
	return h
}

var monthFirstForm = regexp.MustCompile(`^(0?[1-9]|1[0-2])/(1[3-9]|2\d|3[01])/(\d{2}|\d{4})\b`)

// monthFirst reports whether fields are dates as they are written where a point has the
// decimals: the month first, with slashes.
func monthFirst(fields []string) bool { return slices.ContainsFunc(fields, monthFirstForm.MatchString) }

// spoil records why a column of numbers cannot be used. If the numbers before the row
// are times, it is a column of times.
func (t *Table) spoil(c *Column, fields []string, row int, err error) {
	if times, form := numericTimes(c.Name, c.Values); times != nil {
		c.Kind, c.times, c.numeric = Times, times, form
		err = notATime(fields, row)
	}
	c.err, c.Values = t.errorAt(row, c.Number-1, err), nil
}

// notATime returns the error of a field in a column of times that is no time.
func notATime(fields []string, row int) error {
	if isMissing(fields[row]) {
		return fmt.Errorf("%.40q is a missing time; fill it in", fields[row])
	}
	return fmt.Errorf("%.40q is no time like %.40q; write all times alike, and leave out lines of totals", fields[row], fields[max(0, row-1)])
}

func (t *Table) errorAt(row, field int, err error) error {
	return t.sheet.fieldErrorf(t.record(row), field, "%w", err)
}

// settleTimes chooses among the possible meanings of a column of times the one in which
// the rows are in order and most evenly spaced. It chooses none if two are equally
// good.
func (t *Table) settleTimes(c *Column, fields []string, answers []timeAnswer) {
	best, again := -1.0, false
	for _, answer := range answers {
		a := axis{column: c}
		a.measure(answer.times)
		order := a.share()
		if slices.IsSortedFunc(answer.times, time.Time.Compare) {
			order++
		}
		again = order == best
		if order > best {
			best, c.times, c.form = order, answer.times, answer.form
		}
	}
	if again {
		c.times = nil
		return
	}
	for row, at := range c.times {
		if !at.IsZero() {
			continue
		}
		c.err = t.errorAt(row, c.Number-1, notATime(fields, row))
		return
	}
}

// findIndices finds the columns of numbers that count or name the rows. A single column
// is no index.
func (t *Table) findIndices() {
	if len(t.Columns) == 1 {
		if c := &t.Columns[0]; c.Kind == Times && c.Values != nil {
			c.Kind = Numbers
		}
		return
	}
	for i := range t.Columns {
		c := &t.Columns[i]
		switch name := c.Name; {
		case c.Kind != Numbers || c.err != nil:
		case isCycle(name, c.Values):
			c.Kind = Times
		case isIndex(name, i == 0, t.Header, c.Values):
			c.Kind = Indices
		}
	}
	t.findParts()
}

// isIndex reports whether a column counts the rows. The steps between its values and
// its name tell, or that it is the first column and has no name.
func isIndex(name string, first, header bool, values []float64) bool {
	step, even := stepOf(values, 1e-6)
	_, nearly := stepOf(values, 0.05) // years may be written as 1949.083
	fromStart := values[0] == 0 || values[0] == 1
	switch {
	case name == "" && header || strings.HasPrefix(name, "Unnamed: "):
		return first && whole(values) && (len(values) > 1 || fromStart)
	case name == "":
		return first && fromStart && even && step == 1 && len(values) > 2
	case named(name, idWords) && whole(values):
		return true
	case !named(name, countWords):
		return false
	}
	return nearly || whole(values) && recounts(values)
}

func whole(values []float64) bool {
	return !slices.ContainsFunc(values, func(v float64) bool { return v != math.Trunc(v) })
}

// recounts reports whether values count by ones, where they may start again or repeat.
func recounts(values []float64) bool {
	lowest := slices.Min(values)
	for i := 1; i < len(values); i++ {
		if d := values[i] - values[i-1]; d != 1 && d != 0 && values[i] != lowest {
			return false
		}
	}
	return len(values) > 2
}

// part is a part of a time in a column of its own, such as the month beside a year.
type part struct {
	words   []string
	highest float64
	layout  string // of the time down to this part
	add     func(t time.Time, n int) time.Time
}

// partOf is a part of a time and the index of its column.
type partOf struct {
	part
	index int
}

var (
	monthPart   = part{[]string{"month", "mon", "mo", "monat", "mois", "mes"}, 12, "2006-01", func(t time.Time, n int) time.Time { return t.AddDate(0, n-1, 0) }}
	quarterPart = part{[]string{"quarter", "quartal", "qtr"}, 4, "2006-01", func(t time.Time, n int) time.Time { return t.AddDate(0, 3*(n-1), 0) }}
	weekPart    = part{[]string{"week", "woche", "semaine"}, 53, "2006-01-02", func(t time.Time, n int) time.Time { return t.AddDate(0, 0, 7*(n-1)) }}
	dayPart     = part{[]string{"day", "dd", "tag", "jour"}, 31, "2006-01-02", func(t time.Time, n int) time.Time { return t.AddDate(0, 0, n-1) }}
	weekdayPart = part{words: []string{"weekday", "dayofweek"}, highest: 7}
	hourPart    = part{[]string{"hour", "hr", "hh", "stunde"}, 24, "2006-01-02 15h", func(t time.Time, n int) time.Time { return t.Add(time.Duration(n) * time.Hour) }}
	minutePart  = part{[]string{"minute"}, 59, "2006-01-02 15:04", func(t time.Time, n int) time.Time { return t.Add(time.Duration(n) * time.Minute) }}
)

// partsOfYear lists the parts that may stand beside a column of years.
var partsOfYear = [][]part{{monthPart, dayPart, hourPart, minutePart}, {quarterPart}, {weekPart}}

// isCycle reports whether values count months, hours or the like, and start again.
func isCycle(name string, values []float64) bool {
	for _, p := range []part{monthPart, quarterPart, weekPart, dayPart, weekdayPart, hourPart, minutePart} {
		if named(name, p.words) {
			_, even := stepOf(values, 0)
			return !even && recounts(values) && p.fits(values)
		}
	}
	return false
}

func (p part) fits(values []float64) bool {
	return whole(values) && slices.Min(values) >= 0 && slices.Max(values) <= p.highest
}

// findParts finds a year, a month and so on in columns of their own, or a date and an
// hour. It sets the times of the first of these columns to what they say together.
func (t *Table) findParts() {
	year := slices.IndexFunc(t.Columns, func(c Column) bool { return c.times != nil && c.Values != nil && named(c.Name, yearWords) })
	date := slices.IndexFunc(t.Columns, func(c Column) bool { return c.times != nil && !c.clock && c.err == nil })
	for _, parts := range partsOfYear {
		if year >= 0 && t.addParts(&t.Columns[year], parts) {
			return
		}
	}
	if date >= 0 {
		t.addParts(&t.Columns[date], []part{hourPart, minutePart})
	}
}

// addParts adds the parts that are there, in their order, to the times of a column. It
// reports whether there are any.
func (t *Table) addParts(whole *Column, parts []part) bool {
	times := slices.Clone(whole.times)
	for _, p := range parts {
		c, values := t.findPart(p)
		if c == nil {
			break
		}
		for row, v := range values {
			times[row] = p.add(times[row], int(v))
		}
		c.Kind, whole.layout = Times, p.layout
		whole.parts = append(whole.parts, partOf{p, c.Number - 1})
	}
	whole.times = times
	return whole.layout != ""
}

// findPart returns the column of a part of a time, and its numbers.
func (t *Table) findPart(p part) (*Column, []float64) {
	for i := range t.Columns {
		c := &t.Columns[i]
		if !named(c.Name, p.words) || c.err != nil {
			continue
		}
		values := c.Values
		if values == nil && p.layout == monthPart.layout {
			values = monthNumbers(t.fields(i))
		}
		if values != nil && p.fits(values) {
			return c, values
		}
	}
	return nil, nil
}

// monthNumbers returns the numbers of months given by their English names, or nil.
func monthNumbers(fields []string) (numbers []float64) {
	for _, field := range fields {
		month, err := time.Parse("January", strings.TrimSpace(field))
		if err != nil {
			month, err = time.Parse("Jan", strings.TrimSpace(field))
		}
		if err != nil {
			return nil
		}
		numbers = append(numbers, float64(month.Month()))
	}
	return numbers
}

// Choose returns the column of numbers of the given name or number. A name matches
// exactly or else regardless of case, and numbers count from 1. The empty string
// chooses the only column of numbers. The error wraps a *[NoColumnError] if there is no
// such column.
func (t *Table) Choose(column string) (Column, error) {
	chosen := t.values()
	if column != "" {
		c, err := t.find(column)
		if err != nil {
			return Column{}, err
		}
		chosen = []*Column{c}
	} else if len(t.Columns) == 1 {
		chosen = []*Column{&t.Columns[0]}
	}
	switch len(chosen) {
	case 0:
		if c := t.unreadable(); c != nil {
			return t.checked(c)
		}
		return Column{}, t.noValues()
	case 1:
		return t.checked(chosen[0])
	}
	return Column{}, t.sheet.errorf(0, 0, "%d columns of numbers; choose one by name or number: %s", len(chosen), list(chosen))
}

// Select returns the columns of numbers of the given names or numbers, as
// [Table.Choose] does. Without any it returns all columns of numbers.
func (t *Table) Select(columns ...string) (list []Column, err error) {
	chosen := t.values()
	if len(columns) > 0 {
		chosen = nil
	}
	for _, column := range columns {
		c, err := t.find(column)
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, c)
	}
	if len(chosen) == 0 {
		return nil, t.noValues()
	}
	for _, c := range chosen {
		if err := t.check(c); err != nil {
			return nil, err
		}
		list = append(list, *c)
	}
	return list, nil
}

// values returns the columns of numbers, including those that cannot be read.
func (t *Table) values() (list []*Column) {
	for i := range t.Columns {
		if c := &t.Columns[i]; c.Kind == Numbers {
			list = append(list, c)
		}
	}
	return list
}

// unreadable returns the only column of text that has digits, which may be meant as
// numbers, or nil.
func (t *Table) unreadable() (only *Column) {
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.Kind != Texts && c.Kind != Categories || !strings.ContainsFunc(t.sheet.records[t.record(0)][i], unicode.IsDigit) {
			continue
		}
		if only != nil {
			return nil
		}
		only = c
	}
	return only
}

// noValues is the error of a table without a column of numbers.
func (t *Table) noValues() error {
	var others []*Column
	for i := range t.Columns {
		if c := &t.Columns[i]; c.Values != nil {
			others = append(others, c)
		}
	}
	advice := "write numbers like -12.5, and separate them by commas, semicolons or tabs"
	if len(others) > 0 {
		advice = "what is there tells the time or counts the rows; if one of these has the values, choose it by name or number: " + list(others)
	}
	return t.sheet.errorf(0, 0, "no column of numbers; %s", advice)
}

// checked returns c if it can be used as a column of numbers.
func (t *Table) checked(c *Column) (Column, error) {
	if err := t.check(c); err != nil {
		return Column{}, err
	}
	return *c, nil
}

// check returns the reason why c cannot be used as a column of numbers, or nil.
func (t *Table) check(c *Column) error {
	if c.err != nil || c.Values != nil {
		return c.err
	}
	for row, field := range t.fields(c.Number - 1) {
		_, err := notation{}.parse(field)
		if err == nil {
			continue
		}
		if c.Kind == Times {
			err = errors.New("a time, and no value; choose another column")
		}
		return t.errorAt(row, c.Number-1, fmt.Errorf("%.40q is %w", field, err))
	}
	return nil
}

// find returns the column of the given name or number.
func (t *Table) find(column string) (*Column, error) {
	named, err := t.findName(column)
	if n, notNumber := strconv.Atoi(column); notNumber == nil && n >= 1 && n <= len(t.Columns) {
		if named != nil && named.Number != n {
			return nil, t.sheet.errorf(0, 0, "%.40q is the name of column %d and the number of %s; give the columns names that are no numbers", column, named.Number, &t.Columns[n-1])
		}
		return &t.Columns[n-1], nil
	}
	return named, err
}

// findName returns the column of the given name, exactly or else regardless of case. It
// does not find columns without a name.
func (t *Table) findName(name string) (*Column, error) {
	for _, same := range []func(a, b string) bool{
		func(a, b string) bool { return a == b },
		strings.EqualFold,
	} {
		var found []*Column
		for i := range t.Columns {
			if c := &t.Columns[i]; c.Name != "" && same(c.Name, name) {
				found = append(found, c)
			}
		}
		switch len(found) {
		case 0:
		case 1:
			return found[0], nil
		default:
			return nil, t.sheet.errorf(0, 0, "%d columns are called %.40q; choose one by number: %s", len(found), name, list(found))
		}
	}
	names := make([]string, len(t.Columns))
	for i := range t.Columns {
		names[i] = t.Columns[i].Name
	}
	return nil, t.sheet.errorf(0, 0, "%w", &NoColumnError{name, names})
}

// Named returns the column of numbers of the given name, exactly or else regardless of
// case. The error wraps a *[NoColumnError] if there is no such column.
func (t *Table) Named(name string) (Column, error) {
	c, err := t.findName(name)
	if err != nil {
		return Column{}, err
	}
	return t.checked(c)
}

// list returns the numbers and names of at most maxListed columns.
func list(columns []*Column) string {
	var b strings.Builder
	for i, c := range columns {
		if i == maxListed {
			fmt.Fprintf(&b, " and %d more", len(columns)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%d", c.Number)
		if c.Name != "" {
			fmt.Fprintf(&b, " %.40q", c.Name)
		}
	}
	return b.String()
}

// ReadColumn reads CSV text as [ReadTable] does and returns the column that
// [Table.Choose] chooses. It returns the errors of both, and that of [Table.Check].
func ReadColumn(r io.Reader, file, column string) (Column, error) {
	t, err := ReadTable(r, file)
	if err != nil {
		return Column{}, err
	}
	c, err := t.Choose(column)
	if err != nil {
		return Column{}, err
	}
	if _, err := t.Check(); err != nil {
		return Column{}, err
	}
	return c, nil
}
