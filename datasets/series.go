package datasets

import (
	"fmt"
	"slices"
)

// Series are columns of values that were taken at the same times, and which of them
// are to be forecast.
type Series struct {
	Values  []float32 // [steps, Columns], in raw units: the trainer applies the model's scales
	Columns int
	Targets []int // the columns to forecast, counted from 0; nil for all
}

// NewSeries returns the series of the given columns. It is an error if there is none,
// or if they have different lengths.
func NewSeries(columns ...[]float32) (*Series, error) {
	if len(columns) == 0 {
		return nil, fmt.Errorf("no columns: give one or more")
	}
	steps := len(columns[0])
	s := &Series{Values: make([]float32, 0, steps*len(columns)), Columns: len(columns)}
	for i, c := range columns {
		if len(c) != steps {
			return nil, fmt.Errorf("column %d has %d values and the first has %d: give as many", i+1, len(c), steps)
		}
	}
	for step := range steps {
		for _, c := range columns {
			s.Values = append(s.Values, c[step])
		}
	}
	return s, nil
}

// Len returns the number of steps.
func (s *Series) Len() int { return len(s.Values) / s.Columns }

// rows returns the steps from i to j, without j.
func (s *Series) rows(i, j int) []float32 { return s.Values[i*s.Columns : j*s.Columns] }

// Range returns the steps from i to j, without j, shared with s.
func (s *Series) Range(i, j int) *Series {
	return &Series{s.rows(i, j), s.Columns, s.Targets}
}

// appendTargets appends the values of the targets in the steps from i to j, without j.
func (s *Series) appendTargets(list []float32, i, j int) []float32 {
	if s.Targets == nil {
		return append(list, s.rows(i, j)...)
	}
	for ; i < j; i++ {
		for _, c := range s.Targets {
			list = append(list, s.Values[i*s.Columns+c])
		}
	}
	return list
}

// check reports fields that do not go together.
func (s *Series) check() error {
	if s.Columns < 1 || len(s.Values)%s.Columns != 0 {
		return fmt.Errorf("%d values in %d columns: give each column as many", len(s.Values), s.Columns)
	}
	for _, c := range s.Targets {
		if c < 0 || c >= s.Columns {
			return fmt.Errorf("target %d of %d columns: use one from 0 to %d", c, s.Columns, s.Columns-1)
		}
	}
	if s.Targets != nil && (len(s.Targets) == 0 || len(slices.Compact(slices.Sorted(slices.Values(s.Targets)))) < len(s.Targets)) {
		return fmt.Errorf("the targets are %v: name one or more, each once, or nil for all", s.Targets)
	}
	return nil
}
