package datasets

import (
	"fmt"
	"slices"

	"github.com/rnnkit/rnnkit/models"
)

// Series holds columns of values that were taken at the same times, and says which of
// them are to be forecast.
type Series struct {
	Values  []float32 // [steps, Columns], in raw units: the trainer applies the model's scales
	Columns int
	Targets []int // the columns to forecast, counted from 0; nil for all
}

// NewSeries returns the series of the given columns. There must be at least one, and
// all must have the same length.
func NewSeries(columns ...[]float32) (*Series, error) {
	if len(columns) == 0 {
		return nil, &models.FieldError{Field: "columns", Value: columns, Want: "of length 1 or more"}
	}
	steps := len(columns[0])
	s := &Series{Values: make([]float32, 0, steps*len(columns)), Columns: len(columns)}
	for i, c := range columns {
		if len(c) != steps {
			return nil, &models.FieldError{Field: fmt.Sprintf("columns[%d]", i), Value: models.Length(len(c)), Want: fmt.Sprintf("of length %d, as the first column", steps)}
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

// rows returns the steps in [i, j).
func (s *Series) rows(i, j int) []float32 { return s.Values[i*s.Columns : j*s.Columns] }

// Range returns the steps in [i, j), shared with s.
func (s *Series) Range(i, j int) *Series {
	return &Series{s.rows(i, j), s.Columns, s.Targets}
}

// appendTargets appends the targets in the steps [i, j).
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

// check returns a *models.FieldError if the fields do not fit each other.
func (s *Series) check() error {
	switch {
	case s.Columns < 1:
		return &models.FieldError{Field: "Columns", Value: s.Columns, Want: "1 or more"}
	case len(s.Values)%s.Columns != 0:
		return &models.FieldError{Field: "Values", Value: models.Length(len(s.Values)), Want: fmt.Sprintf("of a length that is a multiple of the %d columns", s.Columns)}
	case s.Targets != nil && len(s.Targets) == 0:
		return &models.FieldError{Field: "Targets", Value: s.Targets, Want: "of length 1 or more, or nil for all columns"}
	}
	for i, c := range s.Targets {
		field := models.FieldError{Field: fmt.Sprintf("Targets[%d]", i), Value: c}
		switch {
		case c < 0 || c >= s.Columns:
			field.Want = fmt.Sprintf("from 0 to %d", s.Columns-1)
			return &field
		case slices.Contains(s.Targets[:i], c):
			field.Want = "a column that is not among the targets yet"
			return &field
		}
	}
	return nil
}
