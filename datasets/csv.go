package datasets

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	maxLine    = 1 << 20 // bytes in a line of a CSV file
	maxColumns = 1 << 14 // as in the widest spreadsheet
	maxListed  = 20      // columns listed in an error message
	headSize   = 1 << 16 // bytes searched for the end of the first line

	byteOrderMark = "\ufeff"
)

// CSVError says what is wrong with a CSV file, where, and what to do about it.
type CSVError struct {
	File   string // as given to the reader
	Line   int    // from 1; 0 for none
	Column int    // number of the field, from 1; 0 for none
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

// sheet holds the records of a CSV file.
type sheet struct {
	file    string
	comma   rune
	records [][]string
	lines   []int // on which each record starts
	ragged  bool  // records may have different lengths
}

// readSheet reads all records. They must have the same number of fields unless the
// sheet is ragged.
func readSheet(r io.Reader, file string, ragged bool) (*sheet, error) {
	records, err := newRecordReader(r, file)
	if err != nil {
		return nil, err
	}
	s := &sheet{file: file, comma: records.Comma, ragged: ragged}
	for {
		record, err := records.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, records.wrap(record, err)
		}
		line, _ := records.FieldPos(0)
		if err := s.add(record, line); err != nil {
			return nil, err
		}
	}
	s.dropEmptyEnd()
	if s.ragged {
		s.dropEmptyLast()
	}
	return s, nil
}

// add adds a record. A blank line is no record, except in a file of one column, where
// it is a missing value.
func (s *sheet) add(record []string, line int) error {
	blank := len(record) == 1 && record[0] != "" && strings.TrimSpace(record[0]) == ""
	first := len(s.records) == 0
	switch {
	case first && (blank || isSeparatorLine(record, s.comma)):
		return nil
	case s.ragged:
	case len(record) > maxColumns:
		return s.errorf(0, 0, "%d columns; keep at most %d", len(record), maxColumns)
	case first:
	case len(s.records[0]) == 1:
		last := len(s.records) - 1
		for missing := s.line(last, 0) + strings.Count(s.records[last][0], "\n") + 1; missing < line; missing++ {
			s.records, s.lines = append(s.records, []string{""}), append(s.lines, missing)
		}
	case blank:
		return nil
	}
	if !first && !s.ragged {
		var err error
		if record, err = s.fit(record, line); err != nil {
			return err
		}
	}
	s.records, s.lines = append(s.records, record), append(s.lines, line)
	return nil
}

// isSeparatorLine reports whether a record is a line such as sep=; that tells Excel the
// separator.
func isSeparatorLine(record []string, comma rune) bool {
	line := strings.Join(record, string(comma))
	return len(line) == 5 && strings.EqualFold(line[:4], "sep=")
}

// fit returns the record with as many fields as the first one. It may end in a
// separator where others do not.
func (s *sheet) fit(record []string, line int) ([]string, error) {
	first := s.records[0]
	n := len(first)
	switch {
	case len(record) == n:
		return record, nil
	case len(record) == n+1 && record[n] == "":
		return record[:n], nil
	case len(record) == n-1 && first[n-1] == "":
		return append(record, ""), nil
	}
	advice := fmt.Sprintf("give both the same number, with quotes around text that contains %q", s.comma)
	switch {
	case n == 1 && s.comma == ',' && len(record) == 2:
		advice += ", and write a decimal comma as a point"
	case n == 1:
		advice = "leave out what is above the header, or " + advice
	case len(record) == 1:
		advice += ", or leave the line out if it is no row"
	}
	return nil, s.errorf(line, 0, "%s, but line %d has %d; %s", plural(len(record), "field"), s.lines[0], n, advice)
}

// dropEmptyEnd drops the lines of nothing but separators that spreadsheets leave at the
// end.
func (s *sheet) dropEmptyEnd() {
	for n := len(s.records); n > 0 && s.emptyEnd(s.records[n-1]); n-- {
		s.records, s.lines = s.records[:n-1], s.lines[:n-1]
	}
}

// emptyEnd reports whether a record is one of those that are dropped at the end.
func (s *sheet) emptyEnd(record []string) bool {
	if len(record) == 1 && (record[0] == "" || s.ragged) {
		return false
	}
	return !slices.ContainsFunc(record, func(field string) bool { return strings.TrimSpace(field) != "" })
}

// dropEmptyLast drops the last field of all records if it is empty in all of them.
func (s *sheet) dropEmptyLast() {
	if slices.ContainsFunc(s.records, func(record []string) bool { return len(record) < 2 || record[len(record)-1] != "" }) {
		return
	}
	for i, record := range s.records {
		s.records[i] = record[:len(record)-1]
	}
}

// line returns the line on which a field of a record starts.
func (s *sheet) line(row, field int) int {
	line := s.lines[row]
	for _, text := range s.records[row][:field] {
		line += strings.Count(text, "\n")
	}
	return line
}

// errorf returns an error about a place in the file. The line and the column may be 0
// for none.
func (s *sheet) errorf(line, column int, format string, args ...any) error {
	return &CSVError{s.file, line, column, fmt.Errorf(format, args...)}
}

// fieldErrorf returns an error about a field of a record.
func (s *sheet) fieldErrorf(row, field int, format string, args ...any) error {
	return s.errorf(s.line(row, field), field+1, format, args...)
}

// recordReader reads records of any length.
type recordReader struct {
	*csv.Reader
	file string
}

func newRecordReader(r io.Reader, file string) (*recordReader, error) {
	text := bufio.NewReaderSize(&lineReader{r: decode(r), file: file, line: 1}, headSize)
	head, err := text.Peek(headSize)
	if err != nil && err != io.EOF {
		return nil, err
	}
	reader := csv.NewReader(text)
	reader.Comma = delimiter(head)
	reader.FieldsPerRecord = -1 // sheet counts them
	return &recordReader{reader, file}, nil
}

// wrap makes an error of Read say what to do. The record is as far as it was read.
func (r *recordReader) wrap(record []string, err error) error {
	if syntax := (*csv.ParseError)(nil); errors.As(err, &syntax) {
		return &CSVError{r.file, syntax.Line, len(record) + 1, fmt.Errorf(
			`a quote out of place or not closed, in the record that begins on line %d; put the whole field in quotes and write "" for a quote inside it`,
			syntax.StartLine)}
	}
	return err
}

// delimiter returns the separator of fields: the one that the first line names, or the
// one that it uses.
func delimiter(head []byte) rune {
	head = bytes.TrimLeft(head, "\n")
	if line, _, _ := bytes.Cut(head, []byte("\n")); isSeparatorLine([]string{strings.Trim(string(line), `"`)}, 0) {
		if comma := rune(bytes.Trim(line, `"`)[4]); strings.ContainsRune(",;\t|", comma) {
			return comma
		}
	}
	comma, quoted := ',', false
	for _, c := range head {
		switch {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '\n':
			return comma
		case c == '\t':
			return '\t'
		case c == ';' || c == '|' && comma == ',':
			comma = rune(c)
		}
	}
	return comma
}

// decode returns the text of r in UTF-8 without its byte order mark. The byte order
// mark of UTF-16 selects that encoding.
func decode(r io.Reader) io.Reader {
	text := bufio.NewReader(r)
	mark, _ := text.Peek(len(byteOrderMark))
	switch {
	case string(mark) == byteOrderMark:
		text.Discard(len(byteOrderMark))
	case bytes.HasPrefix(mark, []byte("\xff\xfe")):
		text.Discard(2)
		return &utf16Reader{r: text, order: binary.LittleEndian}
	case bytes.HasPrefix(mark, []byte("\xfe\xff")):
		text.Discard(2)
		return &utf16Reader{r: text, order: binary.BigEndian}
	}
	return text
}

// utf16Reader converts UTF-16 to UTF-8.
type utf16Reader struct {
	r     io.Reader
	order binary.ByteOrder
	rest  []byte // bytes of an incomplete character
}

func (u *utf16Reader) Read(p []byte) (int, error) {
	if len(u.rest) == 0 {
		c, err := u.unit()
		if err != nil {
			return 0, err
		}
		if utf16.IsSurrogate(c) {
			low, _ := u.unit()
			c = utf16.DecodeRune(c, low)
		}
		u.rest = utf8.AppendRune(u.rest, c)
	}
	n := copy(p, u.rest)
	u.rest = u.rest[n:]
	return n, nil
}

func (u *utf16Reader) unit() (rune, error) {
	var bytes [2]byte
	if _, err := io.ReadFull(u.r, bytes[:]); err != nil {
		return 0, err
	}
	return rune(u.order.Uint16(bytes[:])), nil
}

// lineReader converts the ends of lines, \r and \r\n too, to \n. It ends with a
// *CSVError if a line is too long or the text has a NUL byte.
type lineReader struct {
	r      io.Reader
	file   string
	line   int
	length int  // bytes of the line so far
	cr     bool // the last byte read was \r
	err    error
}

func (t *lineReader) Read(p []byte) (int, error) {
	if t.err != nil {
		return 0, t.err
	}
	n, err := t.r.Read(p)
	if err != nil && err != io.EOF {
		err = &CSVError{File: t.file, Err: err}
	}
	t.err = err
	kept := 0
	for _, c := range p[:n] {
		after := t.cr
		t.cr = c == '\r'
		if c == '\n' && after {
			continue
		}
		if t.cr {
			c = '\n'
		}
		if t.err = t.check(c); t.err != nil {
			return kept, t.err
		}
		p[kept] = c
		kept++
	}
	t.err = err
	return kept, err
}

// check counts a byte and returns an error if it cannot be part of a line.
func (t *lineReader) check(c byte) error {
	switch {
	case c == '\n':
		t.line++
		t.length = 0
	case c == 0:
		return &CSVError{t.file, t.line, 0, errors.New("a NUL byte; give it CSV text in UTF-8")}
	case t.length == maxLine:
		return &CSVError{t.file, t.line, 0, fmt.Errorf("longer than %d bytes; give it CSV text with one record a line", maxLine)}
	default:
		t.length++
	}
	return nil
}
