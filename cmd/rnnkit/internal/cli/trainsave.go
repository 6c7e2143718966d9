package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/rnnkit/rnnkit"
	"github.com/rnnkit/rnnkit/internal/atomicfile"
	"github.com/rnnkit/rnnkit/trainer"
)

// save verifies and writes the model of a training that ended with an error, or
// nil if it ended well. Only then does the file take its place; else it stands
// beside it under a name that says so.
func (o *trainOptions) save(ctx context.Context, j *rnnkit.Job, r *rnnkit.Result, ended error) error {
	if r.Native.Examples > 0 { // it answers as the trainer does
		tellComparison(o.Err, "native", r.Native)
		ended = errors.Join(ended, o.verify(ctx, j, r.File, o.Err))
	}
	path, how := o.output, "wrote"
	if ended != nil {
		var what string
		what, how = howEnded(ended)
		path = beside(o.output, what)
	}
	if err := atomicfile.Write(path, r.File); err != nil {
		return errors.Join(ended, err, rescue(path, r.File))
	}
	fmt.Fprintf(o.Err, "%s %s: %d bytes; %s\n", how, path, len(r.File), r.Summary)
	if ended != nil {
		return fmt.Errorf("%w: %s is as it was", ended, o.output)
	}
	return nil
}

// rescue writes to the temporary folder what could not be written to path, and says
// so in an error.
func rescue(path string, data []byte) error {
	instead := filepath.Join(os.TempDir(), filepath.Base(path))
	if err := atomicfile.Write(instead, data); err != nil {
		return err
	}
	return fmt.Errorf("what was trained is in %s", instead)
}

// The words in the names of files of trainings that did not end well.
const (
	interrupted = "interrupted"
	diverged    = "diverged"
	failed      = "failed"
)

var endings = []string{interrupted, diverged, failed}

// howEnded says in a word, for the name of a file, how a training ended that did
// not end well, and in a sentence.
func howEnded(ended error) (word, sentence string) {
	var s signalled
	switch {
	case errors.As(ended, &s):
		return interrupted, "interrupted: wrote what was trained to"
	case errors.Is(ended, trainer.ErrDiverged):
		return diverged, "diverged: wrote the parameters from before to"
	}
	return failed, "failed: wrote what was trained to"
}

// beside puts a word before the extension of a path.
func beside(path, word string) string {
	extension := filepath.Ext(path)
	return strings.TrimSuffix(path, extension) + "." + word + extension
}

func (o *trainOptions) createMetrics() (io.WriteCloser, error) {
	if o.metrics == "" {
		return discard{io.Discard}, nil
	}
	f, err := os.OpenFile(o.metrics, os.O_WRONLY|os.O_CREATE, 0o666)
	if err != nil {
		return nil, fmt.Errorf("cannot write the metrics: %w", err)
	}
	return &metricsFile{File: f}, nil
}

// metricsFile drops what the file has when the first row comes: a training that
// does not begin leaves it as it is.
type metricsFile struct {
	*os.File
	begun bool
}

func (m *metricsFile) Write(row []byte) (int, error) {
	if !m.begun {
		m.begun = true
		if info, err := m.Stat(); err == nil && info.Mode().IsRegular() {
			if err := m.Truncate(0); err != nil {
				return 0, err
			}
		}
	}
	return m.File.Write(row)
}

type discard struct{ io.Writer }

func (discard) Close() error { return nil }

// distinct reports two of the files that a training reads and writes that are
// the same.
func (o *trainOptions) distinct(data string) error {
	files := []struct{ flag, path string }{{"--data", data}, {"--init", o.start}, {"-o", o.output}, {"--metrics", o.metrics}, {"--checkpoint", o.Fit.Checkpoint}}
	for _, how := range endings {
		files = append(files, struct{ flag, path string }{"what a training that is " + how + " saves", beside(o.output, how)})
	}
	for i, a := range files {
		for _, b := range files[:i] {
			if b.flag == "--init" && a.flag != "--metrics" && a.flag != "--checkpoint" {
				continue // a training may go on in place: the file is replaced when it is done
			}
			if a.path != "" && b.path != "" && sameFile(a.path, b.path) {
				return usagef("%s and %s are the same file, %s: name another", b.flag, a.flag, a.path)
			}
		}
	}
	return nil
}

func sameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return filepath.Clean(a) == filepath.Clean(b) || errA == nil && errB == nil && os.SameFile(infoA, infoB)
}
