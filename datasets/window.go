package datasets

import (
	"fmt"

	"github.com/rnnkit/rnnkit/models"
)

// Windows is the [Source] of a forecaster. The inputs of example i are the window of a
// [Series] that starts at step i, as [Size, window, columns]. Its targets are the
// target columns in the steps after the window, as [Size, horizon*targets].
type Windows struct {
	series          *Series
	window, horizon int
}

// NewWindows returns the windows over one column, with the value after each as its
// target: see [Series.Windows]. It does not copy the column.
func NewWindows(column []float32, window int) (*Windows, error) {
	return (&Series{Values: column, Columns: 1}).Windows(window, 1)
}

// Windows returns the windows of the given length over s, with the horizon steps after
// each as its targets. Both numbers must be 1 or more. The error is an [ErrTooShort] if
// the series has fewer than window + horizon steps.
func (s *Series) Windows(window, horizon int) (*Windows, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	switch {
	case window < 1:
		return nil, &models.FieldError{Field: "window", Value: window, Want: "1 or more"}
	case horizon < 1:
		return nil, &models.FieldError{Field: "horizon", Value: horizon, Want: "1 or more"}
	}
	w := &Windows{s, window, horizon}
	if horizon > s.Len() || window > s.Len()-horizon {
		return nil, fmt.Errorf("series of %d values is %w: %s, so use a longer series or a shorter window", s.Len(), ErrTooShort, w.needs())
	}
	return w, nil
}

// needs says how long a series must be.
func (w *Windows) needs() string {
	if w.horizon == 1 {
		return fmt.Sprintf("a window of %d needs more than %d", w.window, w.window)
	}
	return fmt.Sprintf("a window of %d and a horizon of %d need at least %d", w.window, w.horizon, w.window+w.horizon)
}

// Series returns the values that the windows cover, including targets, as [steps,
// columns]. For the training part of a Split these are the values to fit a scale on.
// They are shared with w.
func (w *Windows) Series() []float32 { return w.series.Values }

// Split divides the windows in two at the given fraction, rounded down: the first part
// trains and the rest tests. No value is a target in both parts, so the horizon-1
// windows between them are in neither. The fraction lies between 0 and 1. The error is
// an [ErrTooShort] if a part would be empty.
func (w *Windows) Split(fraction float64) (train, test *Windows, err error) {
	if !(fraction > 0 && fraction < 1) {
		return nil, nil, fractionError(fraction)
	}
	n := int(fraction * float64(w.Len()))
	first := n + w.horizon - 1 // of those that test
	if n == 0 || first >= w.Len() {
		return nil, nil, fmt.Errorf("series of %d values is %w to split at %v: %d of the %d windows would train and %d test, so use a longer series or a shorter window",
			w.series.Len(), ErrTooShort, fraction, n, w.Len(), max(0, w.Len()-first))
	}
	train = &Windows{w.series.Range(0, n+w.window+w.horizon-1), w.window, w.horizon}
	test = &Windows{w.series.Range(first, w.series.Len()), w.window, w.horizon}
	return train, test, nil
}

// Streams returns the [Streams] over the series of w.
func (w *Windows) Streams(streams, time int) (*Streams, error) {
	return w.series.Streams(streams, time)
}

// Len returns the number of windows.
func (w *Windows) Len() int { return w.series.Len() - w.window - w.horizon + 1 }

// Read implements [Source].
func (w *Windows) Read(b *Batch, examples []int) error {
	*b = Batch{Size: len(examples), Time: w.window, Inputs: b.Inputs[:0], Targets: b.Targets[:0]}
	for _, i := range examples {
		if err := checkExample(i, w.Len()); err != nil {
			return err
		}
		end := i + w.window
		b.Inputs = append(b.Inputs, w.series.rows(i, end)...)
		b.Targets = w.series.appendTargets(b.Targets, end, end+w.horizon)
	}
	return nil
}
