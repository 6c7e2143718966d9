package tablefile

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rnnkit/rnnkit/datasets"
)

const (
	maxLine   = 1 << 20 // bytes in a line, as in a CSV file
	headRows  = 1000    // objects that tell the columns
	headBytes = 1 << 24 // and how many bytes they may take
)

// jsonReader reads JSON Lines: an object on each line, which is a row.
type jsonReader struct {
	place
	lines  *bufio.Reader
	line   int            // number of the last line that was read
	head   []jsonRow      // the first rows, before they are given out
	number map[string]int // of a column, from 0
	fields []datasets.Field
	rows   int
	filled []int // the row in which a column had a value last, from 1
}

type jsonRow struct {
	line  int
	pairs []pair
}

type pair struct {
	key   string
	field datasets.Field
}

// newJSONReader reads the first rows, whose keys are the columns. A key that comes first
// further down is an error, since the rows before may be gone by then.
func newJSONReader(r io.Reader, name string) (*jsonReader, error) {
	j := &jsonReader{place: place{file: name, unit: "line"}, lines: bufio.NewReaderSize(r, maxLine), number: map[string]int{}}
	if mark, _ := j.lines.Peek(3); string(mark) == "\ufeff" {
		j.lines.Discard(3)
	}
	for size := 0; len(j.head) < headRows && size < headBytes; {
		row, n, err := j.read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		size += n
		j.head = append(j.head, row)
		if err := j.addColumns(row); err != nil {
			return nil, err
		}
	}
	if len(j.columns) == 0 {
		return nil, j.errorf("no data; write an object such as {\"date\":\"2024-01-01\",\"y\":1.5} on each line")
	}
	j.fields, j.filled = make([]datasets.Field, len(j.columns)), make([]int, len(j.columns))
	return j, nil
}

func (j *jsonReader) addColumns(row jsonRow) error {
	for _, p := range row.pairs {
		if _, known := j.number[p.key]; !known {
			j.number[p.key] = len(j.columns)
			j.columns = append(j.columns, p.key)
		}
	}
	if len(j.columns) > maxColumns {
		return j.At(row.line, 0, fmt.Errorf("%d different keys up to here; keep at most %d", len(j.columns), maxColumns))
	}
	return nil
}

// Next returns the next row. What an object lacks is missing.
func (j *jsonReader) Next() ([]datasets.Field, int, error) {
	row, err := j.nextRow()
	if err != nil {
		return nil, 0, err
	}
	j.rows++
	for i := range j.fields {
		j.fields[i] = missing
	}
	for _, p := range row.pairs {
		i, known := j.number[p.key]
		switch {
		case !known:
			return nil, 0, j.At(row.line, 0, fmt.Errorf("the key %.40q is new, and the columns are the keys of the first %d objects; write it into one of these, with null if it has no value", p.key, headRows))
		case j.filled[i] == j.rows:
			return nil, 0, j.At(row.line, i+1, errors.New("the key comes twice in the object; write it once"))
		}
		j.fields[i], j.filled[i] = p.field, j.rows
	}
	return j.fields, row.line, nil
}

func (j *jsonReader) nextRow() (jsonRow, error) {
	if len(j.head) > 0 {
		row := j.head[0]
		j.head = j.head[1:]
		return row, nil
	}
	row, _, err := j.read()
	return row, err
}

// read reads the next object, and the size of its line in bytes. Blank lines are skipped.
func (j *jsonReader) read() (row jsonRow, size int, err error) {
	for {
		line, err := j.lines.ReadSlice('\n')
		if len(line) > 0 {
			j.line++
		}
		switch {
		case err == bufio.ErrBufferFull:
			return row, 0, j.At(j.line, 0, fmt.Errorf("longer than %d bytes; write one object a line", maxLine))
		case err != nil && err != io.EOF:
			return row, 0, j.At(0, 0, err)
		case len(bytes.TrimSpace(line)) == 0 && err == nil:
			continue
		case len(bytes.TrimSpace(line)) == 0:
			return row, 0, io.EOF
		}
		pairs, err := readObject(line)
		if err != nil {
			return row, 0, j.At(j.line, 0, err)
		}
		return jsonRow{j.line, pairs}, len(line), nil
	}
}

// readObject returns the keys and values of a line with one object.
func readObject(line []byte) (pairs []pair, err error) {
	if !utf8.Valid(line) {
		return nil, errors.New("not UTF-8; write the file in that encoding")
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if first, err := d.Token(); err != nil {
		return nil, syntax(err)
	} else if first != json.Delim('{') {
		return nil, errors.New("no object; write one such as {\"y\":1.5} on each line")
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, syntax(err)
		}
		value, err := d.Token()
		if err != nil {
			return nil, syntax(err)
		}
		field, err := jsonField(value)
		if err != nil {
			return nil, fmt.Errorf("the value of %.40q is %w", key, err)
		}
		pairs = append(pairs, pair{key.(string), field})
	}
	if _, err := d.Token(); err != nil { // the closing brace
		return nil, syntax(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("more text after the object; write one object a line")
	}
	return pairs, nil
}

// syntax says what is wrong with a line that is not JSON.
func syntax(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("an object that does not end; write each object on one line")
	}
	text := strings.TrimPrefix(err.Error(), "json: ")
	return fmt.Errorf("not JSON: %s; write texts in double quotes, and null for a missing value", text)
}

func jsonField(value json.Token) (datasets.Field, error) {
	switch value := value.(type) {
	case nil:
		return missing, nil
	case bool:
		return boolean(value), nil
	case string:
		return datasets.Field{Text: value}, nil
	case json.Number:
		return jsonNumber(string(value))
	case json.Delim:
		if value == '[' {
			return datasets.Field{}, errors.New("a list; write each of its values under a key of its own")
		}
	}
	return datasets.Field{}, errors.New("an object; write each of its values under a key of its own")
}

// jsonNumber returns a number, as text where float64 would change a whole one.
func jsonNumber(text string) (datasets.Field, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return datasets.Field{}, fmt.Errorf("%.40s, too large for float64; use a larger unit", text)
	}
	if math.Abs(v) > maxExact && !strings.ContainsAny(text, ".eE") {
		return datasets.Field{Text: text}, nil
	}
	return number(v), nil
}
