package datasets

import "time"

// RowReader reads a table row by row, so that the table may be larger than memory. There
// is one for each format of files.
type RowReader interface {
	// Columns returns the names of the columns from left to right, "" for one without a
	// name.
	Columns() []string

	// Next returns the fields of the next row, one for each column, and the line of the
	// file on which it begins, from 1. In a file without lines that is the number of the
	// row. The slice is valid until the next call, its texts for good. After the last
	// row the error is io.EOF.
	Next() (fields []Field, line int, err error)

	// At returns err as an error about a place in the file: a line as Next returns it,
	// and the number of a column, from 1. Each may be 0 for none. The error wraps err.
	At(line, column int, err error) error
}

// Field is a value of a row. Its Kind says which of the other fields holds it.
type Field struct {
	Kind   FieldKind
	Text   string
	Number float64   // an infinity is refused, NaN is a missing value
	Time   time.Time // in UTC where the file names no zone
}

// FieldKind is the kind of value in a Field.
type FieldKind int

// The kinds of fields. A format that does not tell numbers from texts, as CSV, has texts
// alone: what they mean is found out column by column, as [ReadTable] describes. A
// format with booleans gives them as the numbers 0 and 1.
const (
	TextField        FieldKind = iota // may be a number or a time in any notation, or stand for a missing value
	NumberField                       // a number
	TimeField                         // a point in time
	MissingField                      // no value
	UnsupportedField                  // a value that is none of these, such as a list; Text names its type
)
