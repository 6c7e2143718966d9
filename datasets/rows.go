package datasets

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Rows holds sequences from a CSV file with one on each line.
type Rows struct {
	*Sequences // without Labels if the file has none

	Names []string // of the classes
	About string   // what was read, in one line
	Notes []string // what a person should know about it
}

// RowFormat says what the lines of a CSV file hold that a classifier is to read: the
// values of the steps, or tokens.
type RowFormat struct {
	Features   int      // values in a step
	Tokens     int      // instead of Features, the number of different tokens
	Vocabulary []string // the texts of the tokens; nil if lines hold their numbers, from 0
	Labels     []string // the names of the classes; nil if lines hold no labels
	Label      string   // the column of the labels, by name or number; "" to find it
	Longest    int      // steps of the longest sequence that the model was trained on, 0 if unknown
}

// ErrLabelOrValue is what a CSVError wraps if every line ends, or begins, with one of
// the Labels, and that may be its label or a value.
var ErrLabelOrValue = errors.New(`which may be its label or a value: if it is the label, give the file a first line that calls it "label"`)

// ReadRows reads sequences to be classified from CSV text, one on each line. Lines may
// have different lengths. Errors name the file as given; each is a *[CSVError].
//
// Separators, quotes, numbers and limits are those of [ReadTable], and all numbers of
// the file have one notation. The first line is a header if it would be one in a table,
// if it names a label, or if none of its fields is a token. Columns of dates, and
// columns that the header names id, index or nothing, are not read.
//
// A file may also hold labels. They are in the column that the format names, or that
// the header names label, class, target or the like, or at the end or the beginning of
// lines, if the first line has one of the Labels there that is no value. Otherwise the
// Sequences have no labels. Then it is an error if every line ends or begins with a
// value that may be a label: see [ErrLabelOrValue].
func ReadRows(r io.Reader, file string, f RowFormat) (*Rows, error) {
	lines, err := f.lines(r, file)
	if err != nil {
		return nil, err
	}
	if err := f.findLabel(lines); err != nil {
		return nil, err
	}
	if err := lines.findSkipped(f.Tokens > 0); err != nil {
		return nil, err
	}
	s, labels, err := f.sequences(lines)
	if err != nil {
		return nil, err
	}
	if err := f.unclear(lines); err != nil {
		return nil, err
	}
	for i, label := range labels {
		number := f.label(label)
		if number < 0 {
			_, _, place := lines.sequence(lines.first + i)
			return nil, lines.fieldErrorf(lines.first+i, place, "%.40q is none of the labels that the model knows: %.200q", label, f.Labels)
		}
		s.Labels = append(s.Labels, int64(number))
	}
	read := &Rows{Sequences: s, Names: f.Labels, About: lines.describe(s)}
	if longest := s.Longest(); f.Longest > 0 && longest > f.Longest {
		read.Notes = append(read.Notes, fmt.Sprintf("the model was trained on sequences of up to %d steps, and reads one of %d", f.Longest, longest))
	}
	return read, nil
}

// lines reads the records of a file, without lines of spaces.
func (f RowFormat) lines(r io.Reader, file string) (*rows, error) {
	s, err := readSheet(r, file, true)
	if err != nil {
		return nil, err
	}
	f.dropSpaces(s)
	none := s.errorf(0, 0, "no sequences; give it the values of one on each line")
	if len(s.records) == 0 {
		return nil, none
	}
	header, err := f.header(s)
	if err != nil {
		return nil, err
	}
	lines := &rows{sheet: s, label: noField}
	if header {
		lines.first = 1
	}
	if len(lines.data()) == 0 {
		return nil, none
	}
	return lines, nil
}

// dropSpaces drops the records of nothing but spaces, unless a space is a token.
func (f RowFormat) dropSpaces(s *sheet) {
	kept := 0
	for i, record := range s.records {
		if len(record) > 1 || strings.TrimSpace(record[0]) != "" || record[0] == "" || f.token(record[0]) >= 0 {
			s.records[kept], s.lines[kept] = record, s.lines[i]
			kept++
		}
	}
	s.records, s.lines = s.records[:kept], s.lines[:kept]
}

// header reports whether the first record is a header.
func (f RowFormat) header(s *sheet) (bool, error) {
	if f.Tokens == 0 {
		return s.firstLine()
	}
	first := s.records[0]
	ends := []string{first[0], first[len(first)-1]}
	if len(first) > 1 && slices.ContainsFunc(ends, func(name string) bool {
		return slices.Contains(labelWords, strings.ToLower(strings.TrimSpace(name))) && f.token(name) < 0
	}) {
		return true, nil
	}
	if len(s.records) > 2 && s.fromZero(firstNumbers(first)) {
		return false, s.errorf(s.lines[0], 0, "%w", errHeader)
	}
	if len(first) > 1 && first[0] == "" {
		first = first[1:] // above an index
	}
	return !slices.ContainsFunc(first, f.isStep), nil
}

// findLabel finds the label in lines that are to be classified.
func (f RowFormat) findLabel(lines *rows) error {
	if len(f.Labels) == 0 {
		return nil
	}
	if err := lines.findLabel(f.Label); err != nil || lines.label != noField {
		return err
	}
	record := lines.data()[0]
	for _, place := range []int{lastField, 0} {
		field := record[max(0, place)]
		if place == lastField {
			field = record[len(record)-1]
		}
		if f.label(field) >= 0 && !f.isStep(field) {
			lines.label = place
			return nil
		}
	}
	return nil
}

// unclear returns an error if the last or the first values of all lines may be labels.
func (f RowFormat) unclear(lines *rows) error {
	if lines.label != noField || f.Features > 1 {
		return nil // after steps of several values a label would be one too many
	}
	endsIn := func(end func([]string) string) bool {
		return !slices.ContainsFunc(lines.data(), func(record []string) bool { return len(record) < 2 || f.label(end(record)) < 0 })
	}
	switch {
	case endsIn(func(record []string) string { return record[len(record)-1] }):
		return lines.errorf(0, 0, "every line ends in one of the model's labels, %w", ErrLabelOrValue)
	case len(lines.data()) > 2 && f.Tokens == 0 && endsIn(func(record []string) string { return record[0] }):
		return lines.errorf(0, 0, "every line begins with one of the model's labels, %w", ErrLabelOrValue)
	}
	return nil
}

// sequences reads the sequences of lines and the texts of their labels, if there are
// any.
func (f RowFormat) sequences(lines *rows) (s *Sequences, labels []string, err error) {
	n, bad, problem := f.notation(lines)
	s = &Sequences{Features: f.Features}
	read := 0
	for i := lines.first; i < len(lines.records); i++ {
		fields, places, label := lines.sequence(i)
		if problem != nil && bad < read+len(fields) {
			return nil, nil, lines.fieldErrorf(i, places[bad-read], "%w", problem)
		}
		read += len(fields)
		at, err := f.add(s, fields, n)
		switch {
		case err != nil && at < 0:
			return nil, nil, lines.errorf(lines.lines[i], 0, "%w", err)
		case err != nil:
			return nil, nil, lines.fieldErrorf(i, places[at], "%w", f.adviseLabel(err, lines, i, places[at]))
		case label >= 0 && label >= len(lines.records[i]):
			return nil, nil, lines.errorf(lines.lines[i], 0, "%d fields, and the label is number %d; give it one", len(lines.records[i]), label+1)
		case label >= 0:
			labels = append(labels, strings.TrimSpace(lines.records[i][label]))
		}
	}
	return s, labels, nil
}

// adviseLabel adds advice to the error of a last field that may be meant as a label.
func (f RowFormat) adviseLabel(err error, lines *rows, record, place int) error {
	if lines.label == noField && len(f.Labels) > 0 && place == len(lines.records[record])-1 && !f.isStep(lines.records[record][place]) {
		return fmt.Errorf("%w, or end each line in one of the labels %.200q", err, f.Labels)
	}
	return err
}

// notation returns the notation of all values of lines.
func (f RowFormat) notation(lines *rows) (n notation, bad int, problem error) {
	var values []string
	plain := true
	for i := lines.first; i < len(lines.records); i++ {
		fields, _, _ := lines.sequence(i)
		values = append(values, fields...)
	}
	for _, field := range values {
		plain = plain && (isNumber(field) || isMissing(field)) && !hasEither(field)
	}
	if f.Tokens > 0 || plain {
		return notation{}, 0, nil
	}
	return readNotation(values, func() hint { return hint{semicolons: lines.comma == ';'} })
}

// isStep reports whether a field is, or is meant to be, part of a sequence.
func (f RowFormat) isStep(field string) bool {
	if f.Tokens > 0 && f.token(field) >= 0 {
		return true
	}
	_, err := parse(field)
	return err != errText
}

// label returns the number of the label in field, or -1.
func (f RowFormat) label(field string) int {
	field = strings.TrimSpace(field)
	if i := slices.Index(f.Labels, field); i >= 0 {
		return i
	}
	v, err := parse(field)
	if err != nil {
		return -1
	}
	return slices.IndexFunc(f.Labels, func(label string) bool {
		same, err := parse(label)
		return err == nil && same == v
	})
}

// token returns the number of the token in field, or -1. A space may be a token.
func (f RowFormat) token(field string) int {
	if i := slices.Index(f.Vocabulary, field); i >= 0 {
		return i
	}
	field = strings.TrimSpace(field)
	if len(f.Vocabulary) > 0 {
		return slices.Index(f.Vocabulary, field)
	}
	if n, err := strconv.Atoi(field); err == nil && n >= 0 && n < f.Tokens {
		return n
	}
	return -1
}

// add adds the sequence in fields to s. The error is about field number at, or about
// all fields if at is -1.
func (f RowFormat) add(s *Sequences, fields []string, n notation) (at int, err error) {
	if len(fields) == 0 {
		return -1, errors.New("a label and no values; write the values of the sequence beside it")
	}
	if f.Tokens > 0 {
		tokens := make([]int64, len(fields))
		for i, field := range fields {
			token := f.token(field)
			if token < 0 {
				return i, fmt.Errorf("%.40q is none of the model's %d tokens; write those that it was trained on", field, f.Tokens)
			}
			tokens[i] = int64(token)
		}
		s.Tokens = append(s.Tokens, tokens)
		return 0, nil
	}
	values := make([]float32, len(fields))
	for i, field := range fields {
		v, err := n.parse(field)
		if err != nil {
			return i, fmt.Errorf("%.40q is %w", field, err)
		}
		values[i] = float32(v)
	}
	if len(values)%f.Features != 0 {
		return -1, fmt.Errorf("%d values, and the model reads %d a step; write a multiple of that", len(values), f.Features)
	}
	s.Inputs = append(s.Inputs, values)
	return 0, nil
}
