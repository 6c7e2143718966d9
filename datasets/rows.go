package datasets

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// RowFormat says what the lines of a CSV file hold that a classifier is to read:
// the values of its steps, or tokens.
type RowFormat struct {
	Features   int      // values a step, of which a line has a multiple
	Tokens     int      // in place of Features, how many tokens there are
	Vocabulary []string // their texts; none where lines hold their numbers, from 0
	Labels     []string // the names of the classes; none where lines hold no labels
}

// ErrLabelOrValue is what a CSVError wraps where every line ends in one of the
// Labels, and that may be its label or its last value.
var ErrLabelOrValue = errors.New(`every line ends in one of the model's labels, which may be its label or its last value: if it is the label, give the file a first line whose last name is "label"`)

// ReadRows reads sequences to be classified from CSV text, one a line. Lines may
// have different lengths. The file is what errors call it; each is a *[CSVError].
//
// Separators, quotes and limits are those of [ReadColumn]. The first line is a
// header if its last field is label, or if none of its fields is a number, a token
// or a missing value. A file may hold the labels too, as the last field of each
// line: it does where the header says label, or where the first line ends in what
// is no step but one of the Labels. Else the Sequences have none, and it is an
// error if every line ends in a value that could be one: see [ErrLabelOrValue].
func ReadRows(r io.Reader, file string, f RowFormat) (*Sequences, error) {
	records, err := newRecordReader(r, file)
	if err != nil {
		return nil, err
	}
	records.ragged = true
	record, labelled, err := f.begin(records)
	labelled = labelled && len(f.Labels) > 0
	if err == nil && !labelled {
		last := record[len(record)-1]
		labelled = !f.isStep(last) && f.label(last) >= 0
	}
	// After steps of several values a label would be one value too many.
	unclear := !labelled && f.Features <= 1
	s := &Sequences{Features: f.Features}
	for ; err == nil; record, err = records.next() {
		line, _ := records.FieldPos(0)
		if last := len(record) - 1; labelled {
			label := f.label(record[last])
			if label < 0 {
				return nil, &CSVError{file, line, last + 1, fmt.Errorf("%.40q is none of the labels that the model knows; end each line in one of %.200q", record[last], f.Labels)}
			}
			s.Labels = append(s.Labels, int64(label))
			record = record[:last]
		}
		unclear = unclear && len(record) > 1 && f.label(record[len(record)-1]) >= 0
		if column, err := f.add(s, record); err != nil {
			if !labelled && len(f.Labels) > 0 && column == len(record) && !f.isStep(record[column-1]) {
				err = fmt.Errorf("%w, or end each line in one of the labels %.200q", err, f.Labels)
			}
			return nil, &CSVError{file, line, column, err}
		}
	}
	if err != io.EOF {
		return nil, err
	}
	if len(s.Inputs)+len(s.Tokens) == 0 {
		return nil, &CSVError{File: file, Err: errors.New("no sequences; give it the values of one on each line")}
	}
	if unclear {
		return nil, &CSVError{File: file, Err: ErrLabelOrValue}
	}
	return s, nil
}

// begin returns the first record after the header, if there is one, and whether
// that ends in label.
func (f RowFormat) begin(records *recordReader) (record []string, labelled bool, err error) {
	if record, err = records.next(); err != nil {
		return nil, false, err
	}
	labelled = strings.EqualFold(strings.TrimSpace(record[len(record)-1]), "label")
	if labelled || !slices.ContainsFunc(record, f.isStep) {
		record, err = records.next()
	}
	return record, labelled, err
}

// isStep tells whether a field is, or is meant to be, a part of a sequence.
func (f RowFormat) isStep(field string) bool {
	_, err := parse(field)
	return err != errText || f.token(field) >= 0
}

// label returns the number of the label in field, -1 for none.
func (f RowFormat) label(field string) int {
	return slices.Index(f.Labels, strings.TrimSpace(field))
}

// token returns the number of the token in field, -1 for none.
func (f RowFormat) token(field string) int {
	field = strings.TrimSpace(field)
	if len(f.Vocabulary) > 0 {
		return slices.Index(f.Vocabulary, field)
	}
	if n, err := strconv.Atoi(field); err == nil && n >= 0 && n < f.Tokens {
		return n
	}
	return -1
}

// add adds the sequence in fields to s. It returns what is wrong with it, and
// with which column, 0 for all together.
func (f RowFormat) add(s *Sequences, fields []string) (column int, err error) {
	if len(fields) == 0 {
		return 0, errors.New("a label and no values; write the values of the sequence before it")
	}
	if f.Tokens > 0 {
		tokens := make([]int64, len(fields))
		for i, field := range fields {
			token := f.token(field)
			if token < 0 {
				return i + 1, fmt.Errorf("%.40q is none of the model's %d tokens; write those that it was trained on", field, f.Tokens)
			}
			tokens[i] = int64(token)
		}
		s.Tokens = append(s.Tokens, tokens)
		return 0, nil
	}
	values := make([]float32, len(fields))
	for i, field := range fields {
		v, err := parse(field)
		if err != nil {
			return i + 1, fmt.Errorf("%.40q is %w", field, err)
		}
		values[i] = float32(v)
	}
	if len(values)%f.Features != 0 {
		return 0, fmt.Errorf("%d values, and the model reads %d a step; write a multiple of that", len(values), f.Features)
	}
	s.Inputs = append(s.Inputs, values)
	return 0, nil
}
