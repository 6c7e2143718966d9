package tablefile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"
	"unsafe"

	"github.com/rnnkit/rnnkit/datasets"
)

const (
	maxLine   = 1 << 20 // bytes in a line, as in a CSV file
	headRows  = 10_000  // objects that tell the columns
	headBytes = 1 << 26 // and how many bytes they may take

	fieldSize = int(unsafe.Sizeof(datasets.Field{}))
)

// jsonReader reads JSON Lines: an object on each line, which is a row.
type jsonReader struct {
	place
	lines  *bufio.Reader
	line   int            // the last one that was read
	number map[string]int // of a column, from 0
	texts  []texts        // of the columns
	filled []int          // the line in which a column had a value last

	head   []jsonRow // the first rows, before they are given out
	begun  bool      // all columns are known
	fields []datasets.Field
}

type jsonRow struct {
	line   int
	fields []datasets.Field // of the columns that were known by then
}

// newJSONReader reads the first rows, whose keys are the columns. A key that comes first
// further down is an error, since the rows before are gone by then.
func newJSONReader(r io.Reader, name string) (*jsonReader, error) {
	j := &jsonReader{place: place{file: name, unit: "line"}, lines: bufio.NewReaderSize(r, maxLine), number: map[string]int{}}
	if mark, _ := j.lines.Peek(3); string(mark) == "\ufeff" {
		j.lines.Discard(3)
	}
	for size := 0; len(j.head) < headRows && size < headBytes; {
		err := j.read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		size += len(j.fields) * fieldSize
		j.head = append(j.head, jsonRow{j.line, slices.Clone(j.fields)})
	}
	if len(j.columns) == 0 {
		return nil, j.errorf("no data; write an object such as {\"date\":\"2024-01-01\",\"y\":1.5} on each line")
	}
	j.begun = true
	return j, nil
}

// Next returns the next row. What an object lacks is missing.
func (j *jsonReader) Next() ([]datasets.Field, int, error) {
	if len(j.head) > 0 {
		row := j.head[0]
		j.head = j.head[1:]
		j.clear(copy(j.fields, row.fields))
		return j.fields, row.line, nil
	}
	if err := j.read(); err != nil {
		return nil, 0, err
	}
	return j.fields, j.line, nil
}

// clear makes the fields from the given one on missing.
func (j *jsonReader) clear(from int) {
	for i := from; i < len(j.fields); i++ {
		j.fields[i] = missing
	}
}

// read reads the next object into the fields. Blank lines are skipped.
func (j *jsonReader) read() error {
	for {
		line, err := j.lines.ReadSlice('\n')
		if len(line) > 0 {
			j.line++
		}
		text := bytes.TrimSpace(line)
		switch {
		case err == bufio.ErrBufferFull:
			return j.At(j.line, 0, fmt.Errorf("longer than %d bytes; write one object a line", maxLine))
		case err != nil && err != io.EOF:
			return j.errorf("%w", err)
		case len(text) == 0 && err == io.EOF:
			return io.EOF
		case len(text) == 0:
			continue
		case !utf8.Valid(text):
			return j.At(j.line, 0, errors.New("not UTF-8; write the file in that encoding"))
		}
		return j.object(&jsonScanner{text: text})
	}
}

// object reads an object into the fields.
func (j *jsonReader) object(s *jsonScanner) error {
	j.clear(0)
	if !s.skip('{') {
		return j.At(j.line, 0, errors.New("no object; write one such as {\"y\":1.5} on each line"))
	}
	for first := true; !s.skip('}'); first = false {
		if !first && !s.skip(',') {
			return j.At(j.line, 0, s.expected("a comma or a brace"))
		}
		key, err := s.quoted()
		if err != nil {
			return j.At(j.line, 0, err)
		}
		i, err := j.column(key)
		if err != nil {
			return err
		}
		if !s.skip(':') {
			return j.At(j.line, i+1, s.expected("a colon"))
		}
		if j.fields[i], err = s.value(j.texts[i]); err != nil {
			return j.At(j.line, i+1, err)
		}
	}
	if s.next() != 0 {
		return j.At(j.line, 0, errors.New("more text after the object; write one object a line"))
	}
	return nil
}

// column returns the number of the column of a key, from 0.
func (j *jsonReader) column(key []byte) (int, error) {
	i, known := j.number[string(key)]
	switch {
	case !known && j.begun:
		return 0, j.At(j.line, 0, fmt.Errorf("the key %.40q is new, and the columns are the keys of the first %d objects; write it into one of these, with null if it has no value", key, headRows))
	case !known && len(j.columns) == maxColumns:
		return 0, j.At(j.line, 0, fmt.Errorf("more than %d different keys; keep at most so many", maxColumns))
	case !known:
		i = len(j.columns)
		j.columns, j.number[string(key)] = append(j.columns, string(key)), i
		j.texts, j.filled, j.fields = append(j.texts, texts{}), append(j.filled, 0), append(j.fields, missing)
	case j.filled[i] == j.line:
		return 0, j.At(j.line, i+1, errors.New("the key comes twice in the object; write it once"))
	}
	j.filled[i] = j.line
	return i, nil
}
