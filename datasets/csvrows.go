package datasets

import (
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// The first rows of a table, up to headRows of them or headBytes of text, decide how its
// columns are written. What comes later has to agree.
const (
	headRows  = 10_000
	headBytes = 16 << 20
)

// CSVRows is the [RowReader] of CSV text. All fields are texts.
type CSVRows struct {
	records *recordReader
	sheet   *sheet // the first rows at first, then the first and the last
	columns []string
	fields  []Field

	rows    []csvRow // that were read
	next    int      // the row that Next returns
	settled int      // the rows from here on are empty, and dropped if the file ends
	err     error    // of reading further
}

type csvRow struct {
	fields []string
	line   int
}

// NewCSVRows returns a reader of CSV text, which [ReadTable] describes. The first 10,000
// rows decide whether there is a header. Errors name the file as given; each is a
// *[CSVError].
func NewCSVRows(r io.Reader, file string) (*CSVRows, error) {
	records, err := newRecordReader(r, file)
	if err != nil {
		return nil, err
	}
	c := &CSVRows{records: records, sheet: &sheet{file: file, comma: records.Comma}}
	size := 0
	for c.err == nil && len(c.rows) < headRows && size < headBytes {
		size += c.read()
	}
	if len(c.rows) == 0 && c.err != io.EOF {
		return nil, c.err
	}
	return c, c.readHeader()
}

// readHeader sets the names of the columns.
func (c *CSVRows) readHeader() error {
	c.sheet.records, c.sheet.lines = c.sheet.records[:c.settled], c.sheet.lines[:c.settled]
	if c.settled == 0 {
		return c.At(0, 0, errNoData)
	}
	header, err := c.sheet.firstLine()
	if err != nil {
		return err
	}
	c.columns = make([]string, len(c.rows[0].fields))
	c.fields = make([]Field, len(c.columns))
	if !header {
		return nil
	}
	for i, name := range c.rows[0].fields {
		c.columns[i] = strings.TrimSpace(name)
	}
	if !utf8.ValidString(strings.Join(c.columns, "")) {
		return c.At(c.rows[0].line, 0, errEncoding)
	}
	if c.next = 1; c.settled == 1 && c.err == io.EOF {
		return c.At(0, 0, errOnlyHeader)
	}
	return nil
}

// read reads a record and returns the length of its text.
func (c *CSVRows) read() (size int) {
	record, err := c.records.Read()
	if err != nil {
		if c.err = err; err != io.EOF {
			c.err = c.records.wrap(record, err)
		}
		return 0
	}
	line, _ := c.records.FieldPos(0)
	known := len(c.sheet.records)
	if c.err = c.sheet.add(record, line); c.err != nil {
		return 0
	}
	for i := known; i < len(c.sheet.records); i++ {
		c.rows = append(c.rows, csvRow{c.sheet.records[i], c.sheet.lines[i]})
		if !c.sheet.emptyEnd(c.sheet.records[i]) {
			c.settled = len(c.rows)
		}
		for _, field := range c.sheet.records[i] {
			size += len(field)
		}
	}
	return size
}

// Columns implements [RowReader].
func (c *CSVRows) Columns() []string { return slices.Clone(c.columns) }

// Next implements [RowReader].
func (c *CSVRows) Next() ([]Field, int, error) {
	for c.next == c.settled {
		if c.err != nil {
			return nil, 0, c.err
		}
		c.forget()
		c.read()
	}
	row := c.rows[c.next]
	c.next++
	for i, text := range row.fields {
		c.fields[i] = Field{Text: text}
	}
	return c.fields, row.line, nil
}

// forget drops the rows that were returned, and all of the sheet but the first and the
// last, which those to come are compared with.
func (c *CSVRows) forget() {
	s := c.sheet
	if last := len(s.records) - 1; last > 1 {
		s.records[1], s.lines[1] = s.records[last], s.lines[last]
		clear(s.records[2:])
		s.records, s.lines = s.records[:2], s.lines[:2]
	}
	if c.next == len(c.rows) {
		clear(c.rows)
		c.rows, c.next, c.settled = c.rows[:0], 0, 0
	}
}

// At implements [RowReader]. The error is a *[CSVError].
func (c *CSVRows) At(line, column int, err error) error {
	return &CSVError{c.sheet.file, line, column, err}
}
