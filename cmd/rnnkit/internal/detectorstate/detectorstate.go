// Package detectorstate keeps the states of a detector's series in a file, so that a
// detector goes on where it ended.
package detectorstate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"time"

	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/internal/atomicfile"
)

// States has a state for each series of a detector.
type States struct {
	detector *infer.Detector
	path     string
	lock     *atomicfile.Lock
	series   map[string]*infer.DetectorState
}

// file is the JSON document of a file of states.
type file struct {
	Format int               `json:"format"`
	Series map[string][]byte `json:"series"` // what DetectorState.MarshalBinary returns, by the name of the series
}

// format is the version of the document.
const format = 1

// Open reads the states in the file at path, or none if there is no file, and locks the path
// until Close. With an empty path the states are kept in memory alone. It is an error if
// the states are those of another model: an [infer.ErrOtherModel].
func Open(path string, d *infer.Detector) (*States, error) {
	s, err := Begin(path, d)
	if err != nil || path == "" {
		return s, err
	}
	if err := s.read(); err != nil {
		s.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// Begin locks the path and returns no states, whatever there is.
func Begin(path string, d *infer.Detector) (s *States, err error) {
	s = &States{detector: d, path: path, series: map[string]*infer.DetectorState{}}
	if path != "" {
		s.lock, err = atomicfile.LockPath(path)
	}
	return s, err
}

// For returns the states of another detector, as yet without series, for the same file.
func (s *States) For(d *infer.Detector) *States {
	return &States{detector: d, path: s.path, lock: s.lock, series: map[string]*infer.DetectorState{}}
}

// read reads the file.
func (s *States) read() error {
	data, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var f file
	if err := json.Unmarshal(data, &f); err != nil || f.Format != format {
		return errors.New("not the states of a detector: name another file")
	}
	for name, encoded := range f.Series {
		if err := s.Of(name).UnmarshalBinary(encoded); err != nil {
			return fmt.Errorf("series %q: %w: remove the file to begin anew", name, err)
		}
	}
	return nil
}

// Of returns the state of a series, which is new at first.
func (s *States) Of(series string) *infer.DetectorState {
	state, known := s.series[series]
	if !known {
		state = s.detector.NewState()
		s.series[series] = state
	}
	return state
}

// Last returns the time of the last observation of any series, zero if there was none.
func (s *States) Last() (last time.Time) {
	for _, state := range s.series {
		if state.Last().After(last) {
			last = state.Last()
		}
	}
	return last
}

// ForgetBefore removes the states of series whose last observation was before a time.
func (s *States) ForgetBefore(t time.Time) {
	maps.DeleteFunc(s.series, func(_ string, state *infer.DetectorState) bool { return state.Last().Before(t) })
}

// Len returns the number of series.
func (s *States) Len() int { return len(s.series) }

// Save writes the states to the file, which is there whole or as it was.
func (s *States) Save() error {
	if s.path == "" {
		return nil
	}
	f := file{Format: format, Series: map[string][]byte{}}
	for name, state := range s.series {
		encoded, err := state.MarshalBinary()
		if err != nil {
			return err
		}
		f.Series[name] = encoded
	}
	data, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return atomicfile.Write(s.path, append(data, '\n'))
}

// Close unlocks the path. It saves nothing.
func (s *States) Close() {
	if s.lock != nil {
		s.lock.Unlock()
	}
}
