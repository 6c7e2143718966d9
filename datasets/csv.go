package datasets

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

const (
	maxLine    = 1 << 20 // bytes in a line of a CSV file
	maxColumns = 1 << 14 // as in the widest spreadsheet
	maxListed  = 20      // columns listed in an error message
	headSize   = 1 << 16 // bytes searched for the end of the first line

	byteOrderMark = "\ufeff"
)

// Column is a column of numbers from top to bottom: at least one, and all of
// them finite as float32.
type Column struct {
	Name   string // as in the header, or "column N" where that has none
	Values []float64
}

// CSVError says where a CSV file cannot be used, why, and what to do about it.
type CSVError struct {
	File   string // as given to ReadColumn
	Line   int    // from 1; 0 where no single line is to blame
	Column int    // number of the field, from 1; 0 where no single field is
	Err    error
}

func (e *CSVError) Error() string {
	switch {
	case e.Line == 0:
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	case e.Column == 0:
		return fmt.Sprintf("%s: line %d: %v", e.File, e.Line, e.Err)
	}
	return fmt.Sprintf("%s: line %d, column %d: %v", e.File, e.Line, e.Column, e.Err)
}

func (e *CSVError) Unwrap() error { return e.Err }

// ErrNoColumn is what a CSVError wraps where the file has no column of the
// name or number asked for.
var ErrNoColumn = errors.New("no column")

// ReadColumn reads one column of numbers from CSV text. The file is what
// errors call it; each is a *[CSVError].
//
// The column is chosen by its name, exactly or else regardless of case, or by
// its number from 1. The empty string chooses the only column, or the only one
// in which most fields are numbers.
//
// Fields are separated by tabs if the first line has one outside quotes, else
// by semicolons if it has one, else by commas. A byte order mark and blank
// lines are skipped. The first record is a header unless one of its fields is
// a number; NaN, infinities and empty fields are not numbers here. So a header
// has no name like 1990, and in a file without one a first record that has
// no number at all is taken for the header.
//
// Every record has as many fields as the first, every field of the column is a
// number within the range of float32, no line is longer than 1 MiB, and there
// are at most 16,384 columns; anything else is an error.
func ReadColumn(r io.Reader, file, column string) (Column, error) {
	fail := func(format string, args ...any) (Column, error) {
		return Column{}, &CSVError{File: file, Err: fmt.Errorf(format, args...)}
	}

	records, err := newRecordReader(r, file)
	if err != nil {
		return Column{}, err
	}
	record, err := records.next()
	if err == io.EOF {
		return fail("no data; give it a line for each value")
	}
	if err != nil {
		return Column{}, err
	}

	if len(record) > maxColumns {
		return fail("%d columns; keep at most %d", len(record), maxColumns)
	}
	columns, header := newColumns(record)
	if column != "" {
		if columns, err = find(columns, column); err != nil {
			return fail("%w", err)
		}
	}
	if header {
		record, err = records.next()
	}

	rows := 0
	for ; err == nil; record, err = records.next() {
		rows++
		for i := range columns {
			c := &columns[i]
			problem := c.add(record[c.field])
			if problem == nil || c.err != nil {
				continue
			}
			line, _ := records.FieldPos(c.field)
			c.err = &CSVError{file, line, c.field + 1, fmt.Errorf("%.40q is %w", record[c.field], problem)}
			if len(columns) == 1 {
				return Column{}, c.err
			}
		}
	}
	if err != io.EOF {
		return Column{}, err
	}
	if rows == 0 {
		return fail("a header and no data; give it a line for each value")
	}

	columns = slices.DeleteFunc(columns, func(c numbers) bool { return 2*c.count <= rows })
	switch len(columns) {
	case 0:
		return fail("no column of numbers; write numbers like -12.5, with a point, and separate them by commas, semicolons or tabs")
	case 1:
		if err := columns[0].err; err != nil {
			return Column{}, err
		}
		return columns[0].Column, nil
	}
	return fail("%d columns of numbers; choose one by name or number: %s", len(columns), list(columns))
}

// numbers is a column as far as it was read.
type numbers struct {
	Column
	field int   // index in the record
	count int   // fields that are numbers
	err   error // of the first field that cannot be used
}

// newColumns returns the columns that the first record of a file announces, and
// whether it is a header.
func newColumns(first []string) (columns []numbers, header bool) {
	header = !slices.ContainsFunc(first, isNumber)
	columns = make([]numbers, len(first))
	for i, name := range first {
		columns[i].field = i
		columns[i].Name = strings.TrimSpace(name)
		if !header || columns[i].Name == "" {
			columns[i].Name = fmt.Sprintf("column %d", i+1)
		}
	}
	return columns, header
}

// add appends the number in field to c. It returns why the field cannot be
// used.
func (c *numbers) add(field string) error {
	v, err := parse(field)
	if err == nil || err == errRange {
		c.count++
	}
	if err == nil {
		c.Values = append(c.Values, v)
	}
	return err
}

var (
	errText     = errors.New("not a number; write it like -12.5 or remove the line")
	errMissing  = errors.New("a missing value; fill it in or remove the line")
	errInfinite = errors.New("infinite; replace it or remove the line")
	errRange    = errors.New("too large for float32, which ends at 3.4e38; use a larger unit or remove the line")
)

func parse(field string) (float64, error) {
	field = strings.TrimSpace(field)
	switch strings.ToLower(field) {
	case "", "na", "nan", "null", "?":
		return 0, errMissing
	}
	v, err := strconv.ParseFloat(field, 64)
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange):
		return 0, errText
	case err == nil && math.IsInf(v, 0):
		return 0, errInfinite
	case math.IsInf(float64(float32(v)), 0):
		return 0, errRange
	}
	return v, nil
}

func isNumber(field string) bool {
	_, err := parse(field)
	return err == nil || err == errRange
}

// find returns the one of columns that has the given name or number.
func find(columns []numbers, column string) ([]numbers, error) {
	if n, err := strconv.Atoi(column); err == nil && n >= 1 && n <= len(columns) {
		return columns[n-1 : n], nil
	}
	for _, same := range []func(a, b string) bool{
		func(a, b string) bool { return a == b },
		strings.EqualFold,
	} {
		var found []numbers
		for _, c := range columns {
			if same(c.Name, column) {
				found = append(found, c)
			}
		}
		switch len(found) {
		case 0:
		case 1:
			return found, nil
		default:
			return nil, fmt.Errorf("%d columns are called %.40q; choose one by number: %s", len(found), column, list(found))
		}
	}
	return nil, fmt.Errorf("%w %.40q; choose one by name or number: %s", ErrNoColumn, column, list(columns))
}

// list returns the numbers and names of columns.
func list(columns []numbers) string {
	var b strings.Builder
	for i, c := range columns {
		if i == maxListed {
			fmt.Fprintf(&b, " and %d more", len(columns)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%d %.40q", c.field+1, c.Name)
	}
	return b.String()
}

// recordReader reads records, of equal length unless ragged, and reports what is wrong as
// *CSVError.
type recordReader struct {
	*csv.Reader
	file   string
	ragged bool // records may have different lengths
	fields int  // in the first record
	line   int  // of the first record
}

func newRecordReader(r io.Reader, file string) (*recordReader, error) {
	text := bufio.NewReaderSize(&textReader{r: r, file: file, line: 1}, headSize)
	head, err := text.Peek(headSize)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if bytes.HasPrefix(head, []byte(byteOrderMark)) {
		text.Discard(len(byteOrderMark))
		head = head[len(byteOrderMark):]
	}
	reader := csv.NewReader(text)
	reader.Comma = delimiter(head)
	reader.FieldsPerRecord = -1 // next counts them
	reader.ReuseRecord = true
	return &recordReader{Reader: reader, file: file}, nil
}

// delimiter returns what separates the fields of the first line of head.
func delimiter(head []byte) rune {
	comma, quoted := ',', false
	for _, c := range bytes.TrimLeft(head, "\r\n") {
		switch {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '\n':
			return comma
		case c == '\t':
			return '\t'
		case c == ';':
			comma = ';'
		}
	}
	return comma
}

// next returns the next record that is not blank, or io.EOF. The slice is
// valid until the following call.
func (r *recordReader) next() ([]string, error) {
	for {
		record, err := r.Read()
		if syntax := (*csv.ParseError)(nil); errors.As(err, &syntax) {
			return nil, &CSVError{r.file, syntax.Line, len(record) + 1, fmt.Errorf(
				`a quote out of place or not closed, in the record that begins on line %d; put the whole field in quotes and write "" for a quote inside it`,
				syntax.StartLine)}
		}
		if err != nil {
			return nil, err
		}
		if len(record) == 1 && record[0] != "" && strings.TrimSpace(record[0]) == "" {
			continue // spaces alone; an empty field in quotes is a missing value
		}
		line, _ := r.FieldPos(0)
		if r.fields == 0 {
			r.fields, r.line = len(record), line
		}
		if len(record) != r.fields && !r.ragged {
			return nil, &CSVError{r.file, line, 0, fmt.Errorf("%d fields, but line %d has %d; give both the same number, with quotes around text that contains %q",
				len(record), r.line, r.fields, r.Comma)}
		}
		return record, nil
	}
}

// textReader hands on what r holds, and ends with a *CSVError where that is
// not text in lines.
type textReader struct {
	r      io.Reader
	file   string
	line   int
	length int // bytes of the line so far
	err    error
}

func (t *textReader) Read(p []byte) (int, error) {
	if t.err != nil {
		return 0, t.err
	}
	n, err := t.r.Read(p)
	if err != nil && err != io.EOF {
		err = &CSVError{File: t.file, Err: err}
	}
	t.err = err
	for i, c := range p[:n] {
		switch {
		case c == '\n':
			t.line++
			t.length = 0
		case c == 0:
			t.err = &CSVError{t.file, t.line, 0, errors.New("a NUL byte; give it CSV text in UTF-8")}
			return i, t.err
		case t.length == maxLine:
			t.err = &CSVError{t.file, t.line, 0, fmt.Errorf("longer than %d bytes; give it CSV text with one record a line", maxLine)}
			return i, t.err
		default:
			t.length++
		}
	}
	return n, err
}
