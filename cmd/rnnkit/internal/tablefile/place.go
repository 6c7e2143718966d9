package tablefile

import "fmt"

// place says where in a file something is.
type place struct {
	file    string
	unit    string // line or row
	columns []string
}

// Columns returns the names of the columns from left to right.
func (p *place) Columns() []string { return p.columns }

// At returns err as an error about a line or row and the number of a column, from 1. Each
// may be 0 for none.
func (p *place) At(line, column int, err error) error {
	where := p.file
	if line > 0 {
		where += fmt.Sprintf(": %s %d", p.unit, line)
	}
	if column > 0 {
		separator := ":"
		if line > 0 {
			separator = ","
		}
		where += fmt.Sprintf("%s column %d", separator, column)
		if name := p.columns[column-1]; name != "" {
			where += fmt.Sprintf(" %.40q", name)
		}
	}
	return fmt.Errorf("%s: %w", where, err)
}

// errorf returns an error about the file.
func (p *place) errorf(format string, args ...any) error {
	return p.At(0, 0, fmt.Errorf(format, args...))
}
