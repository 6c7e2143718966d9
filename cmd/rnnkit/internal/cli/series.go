package cli

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/infer"
)

const stdinName = "standard input"

// readColumnFile reads a column of the CSV file at path, or of stdin for "-", and
// says what it read.
func (s *streams) readColumnFile(path, column string) (datasets.Column, error) {
	t, err := readData(path, s.In, datasets.ReadTable)
	if err != nil {
		return datasets.Column{}, err
	}
	c, err := t.Choose(column)
	if err != nil {
		return datasets.Column{}, err
	}
	return c, s.tell(t, c)
}

// tell says what was read of a table, unless that is no series.
func (s *streams) tell(t *datasets.Table, columns ...datasets.Column) error {
	note, err := t.Check()
	if err != nil {
		return err
	}
	fmt.Fprintf(s.Err, "data: %s\n", printable(t.Describe(columns...)))
	if note != "" {
		fmt.Fprintf(s.Err, "note: %s\n", printable(note))
	}
	return nil
}

// readData reads the file at path, or stdin for "-".
func readData[T any](path string, stdin io.Reader, read func(r io.Reader, file string) (T, error)) (data T, err error) {
	if path == "-" {
		return read(stdin, stdinName)
	}
	f, err := os.Open(path)
	if err != nil {
		return data, fmt.Errorf("cannot read the data: %w", err)
	}
	defer f.Close()
	return read(f, path)
}

// greet tells a person who gives no file that the command waits for one.
func (s *streams) greet() {
	if isTerminal(s.In) {
		fmt.Fprintln(s.Err, "reading from the terminal; end it with Ctrl-D")
	}
}

// readSeries reads from standard input the given column, or else the one that the
// model was trained on, or else the only one of values, and says what it read.
func (s *streams) readSeries(column string, trained []string) (datasets.Column, error) {
	s.greet()
	t, err := datasets.ReadTable(s.In, stdinName)
	if err != nil {
		return datasets.Column{}, err
	}
	c, err := chooseLike(t, column, trained)
	if err != nil {
		return datasets.Column{}, err
	}
	if column == "" && len(trained) == 1 && t.Header && c.Name != trained[0] {
		fmt.Fprintf(s.Err, "note: the model was trained on %.40q and is given %.40q\n", trained[0], c.Title())
	}
	return c, s.tell(t, c)
}

// readColumns reads from standard input the columns that a model takes: those of a list
// of names or numbers, or else those that it was trained on, or else all of values. It
// says what it read.
func (s *streams) readColumns(list string, d *infer.Description) ([]datasets.Column, error) {
	if d.Features == 1 {
		c, err := s.readSeries(list, d.Columns)
		return []datasets.Column{c}, err
	}
	s.greet()
	var names []string
	if list != "" {
		var err error
		if names, err = csv.NewReader(strings.NewReader(list)).Read(); err != nil {
			return nil, usagef("--column is %q: it must be a list of columns like a,b,3", list)
		}
	}
	t, err := datasets.ReadTable(s.In, stdinName)
	if err != nil {
		return nil, err
	}
	if list == "" && t.Header {
		names = d.Columns
	}
	columns, err := t.Select(names...)
	if err != nil {
		return nil, err
	}
	if err := checkColumns(columns, list, d.Features); err != nil {
		return nil, err
	}
	return columns, s.tell(t, columns...)
}

// checkColumns returns an error unless there are so many columns, all different.
func checkColumns(columns []datasets.Column, list string, count int) error {
	var found []string
	for i, c := range columns {
		if slices.ContainsFunc(columns[:i], func(d datasets.Column) bool { return d.Number == c.Number }) {
			return usagef("--column is %q: it names the column %q twice", list, c.Title())
		}
		found = append(found, c.Title())
	}
	if len(columns) != count {
		return fmt.Errorf("%s: the model takes %d columns, and here are %d: %q: choose them with --column A,B,..., in the model's order", stdinName, count, len(columns), found)
	}
	return nil
}

// rowsOf returns the values of columns, a row for each.
func rowsOf(columns []datasets.Column) [][]float64 {
	rows := make([][]float64, len(columns[0].Values))
	for i := range rows {
		for _, c := range columns {
			rows[i] = append(rows[i], c.Values[i])
		}
	}
	return rows
}

// chooseLike chooses the given column, or else the one that the model was trained
// on, or else the only one of values.
func chooseLike(t *datasets.Table, column string, trained []string) (datasets.Column, error) {
	if column != "" || len(trained) != 1 {
		return t.Choose(column)
	}
	c, err := t.Named(trained[0])
	if missing := (*datasets.NoColumnError)(nil); !errors.As(err, &missing) {
		return c, err
	}
	for i := range t.Columns {
		if c := &t.Columns[i]; c.Name == "" && c.Title() == trained[0] {
			return t.Choose(fmt.Sprint(c.Number))
		}
	}
	return t.Choose("")
}
