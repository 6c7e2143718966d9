package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/rnnkit/rnnkit/datasets"
)

const stdinName = "standard input"

// readColumnFile reads a column of the CSV file at path, or of stdin for "-".
func readColumnFile(path, column string, stdin io.Reader) (datasets.Column, error) {
	return readData(path, stdin, func(r io.Reader, file string) (datasets.Column, error) {
		return datasets.ReadColumn(r, file, column)
	})
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

// readSeries reads from standard input the given column, or else one like that
// which the model was trained on. It says so where its name is another.
func (s *streams) readSeries(column string, trained []string) (datasets.Column, error) {
	s.greet()
	c, err := readColumnLike(s.In, column, trained)
	// A file without a header has no names to compare.
	named := !strings.HasPrefix(c.Name, "column ")
	if err == nil && column == "" && len(trained) == 1 && named && c.Name != trained[0] {
		fmt.Fprintf(s.Err, "note: the model was trained on %.40q and reads %.40q\n", trained[0], c.Name)
	}
	return c, err
}

// readColumnLike reads from stdin the given column, or else the one that the
// model was trained on, or else the only numeric one.
func readColumnLike(stdin io.Reader, column string, trained []string) (datasets.Column, error) {
	if column != "" || len(trained) != 1 {
		return datasets.ReadColumn(stdin, stdinName, column)
	}
	data, err := io.ReadAll(stdin)
	if err != nil {
		return datasets.Column{}, fmt.Errorf("cannot read standard input: %w", err)
	}
	c, err := datasets.ReadColumn(bytes.NewReader(data), stdinName, trained[0])
	if errors.Is(err, datasets.ErrNoColumn) {
		return datasets.ReadColumn(bytes.NewReader(data), stdinName, "")
	}
	return c, err
}
