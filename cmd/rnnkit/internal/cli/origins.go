package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/rnnkit/rnnkit/datasets"
)

// originColumn is the name of the column of origins in a file that lists them.
const originColumn = "origin"

// readOrigins reads which rows of each series of a panel are forecast first.
func readOrigins(path string, panel *datasets.Panel) ([][]int, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the origins: %w", err)
	}
	defer file.Close()
	rows, err := datasets.NewCSVRows(file, path)
	if err != nil {
		return nil, err
	}
	r := &originReader{rows: rows, panel: panel, origins: make([][]int, len(panel.Series))}
	if err := r.findColumns(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for {
		fields, line, err := rows.Next()
		if errors.Is(err, io.EOF) {
			return r.origins, nil
		}
		if err != nil {
			return nil, err
		}
		if err := r.add(fields, line); err != nil {
			return nil, err
		}
	}
}

// originReader reads the origins of the series of a panel.
type originReader struct {
	rows    datasets.RowReader
	panel   *datasets.Panel
	origin  int   // index of the column of origins
	keys    []int // indices of the columns that tell series apart
	origins [][]int
}

// findColumns finds the columns of origins and of series.
func (r *originReader) findColumns() error {
	names := r.rows.Columns()
	if r.origin = slices.Index(names, originColumn); r.origin < 0 {
		return fmt.Errorf("no column %q, with the time of the last row before each forecast; here are %q", originColumn, names)
	}
	if len(r.panel.Series) == 1 {
		return nil
	}
	for _, name := range r.panel.Roles.Series {
		i := slices.Index(names, name)
		if i < 0 {
			return fmt.Errorf("no column %q, which tells the series apart; here are %q", name, names)
		}
		r.keys = append(r.keys, i)
	}
	return nil
}

// add adds the origin in a line: to all series if the file does not tell them apart.
func (r *originReader) add(fields []datasets.Field, line int) error {
	var key []string
	for _, i := range r.keys {
		key = append(key, fields[i].Text)
	}
	found := false
	for i := range r.panel.Series {
		if len(r.keys) > 0 && !slices.Equal(r.panel.Series[i].Key, key) {
			continue
		}
		found = true
		row, err := r.rowOf(i, fields[r.origin].Text)
		if err != nil {
			return r.rows.At(line, r.origin+1, err)
		}
		r.origins[i] = append(r.origins[i], row)
	}
	if !found {
		return r.rows.At(line, r.keys[0]+1, fmt.Errorf("the table has no series %.40q", strings.Join(key, "/")))
	}
	return nil
}

// rowOf returns the row after the one that a text names, by its time or its number.
func (r *originReader) rowOf(series int, text string) (int, error) {
	if r.panel.Frequency.Count == 0 {
		row, err := strconv.Atoi(text)
		if err != nil || row < 1 || row > r.panel.Series[series].Len() {
			return 0, fmt.Errorf("%.40q is no number of a row, from 1 to %d", text, r.panel.Series[series].Len())
		}
		return row, nil
	}
	at, err := r.panel.ParseTime(text)
	if err != nil {
		return 0, err
	}
	row, exact := r.panel.Row(series, at)
	if !exact || row < 0 || row >= r.panel.Series[series].Len() {
		return 0, fmt.Errorf("%.40q is not the time of a row", text)
	}
	return row + 1, nil
}
