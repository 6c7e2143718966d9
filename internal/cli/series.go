package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

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
