package datasets

import (
	"fmt"
)

// Windows is the [Source] of a one-step forecaster over one series. The inputs
// of example i are series[i:i+window], as [Size, window, 1], and its target is
// the value after, series[i+window], as [Size, 1].
type Windows struct {
	series []float32
	window int
}

// NewWindows returns the windows of the given length over series, which is
// kept and not copied. The trainer wants raw units and applies the model's
// scales itself. It is an error
// if window is less than 1 or the series has fewer than window+1 values.
func NewWindows(series []float32, window int) (*Windows, error) {
	if window < 1 {
		return nil, fmt.Errorf("window of %d values: use at least 1", window)
	}
	if len(series) <= window {
		return nil, fmt.Errorf("series of %d values: a window of %d needs more than %d, so use a longer series or a shorter window",
			len(series), window, window)
	}
	return &Windows{series, window}, nil
}

// Series returns the values that the windows cover, targets included. For the
// training part of a Split these are the values that a scaler may be fitted
// on. They are shared with w, not copied.
func (w *Windows) Series() []float32 { return w.series }

// Split divides the windows in two at the given fraction, rounded down to a
// whole window: the first part trains and the rest tests. It is an error if
// either would be empty.
func (w *Windows) Split(fraction float64) (train, test *Windows, err error) {
	if !(fraction > 0 && fraction < 1) {
		return nil, nil, fmt.Errorf("split at %v: use a fraction between 0 and 1, such as 0.8", fraction)
	}
	n := int(fraction * float64(w.Len()))
	if n == 0 || n == w.Len() {
		return nil, nil, fmt.Errorf("split at %v: %d of the %d windows would train and %d test, so use a longer series or a shorter window",
			fraction, n, w.Len(), w.Len()-n)
	}
	train = &Windows{w.series[:n+w.window], w.window}
	test = &Windows{w.series[n:], w.window}
	return train, test, nil
}

// Len returns the number of windows that have a value after them.
func (w *Windows) Len() int { return len(w.series) - w.window }

// Read implements [Source].
func (w *Windows) Read(b *Batch, examples []int) error {
	*b = Batch{Size: len(examples), Time: w.window, Inputs: b.Inputs[:0], Targets: b.Targets[:0]}
	for _, i := range examples {
		if i < 0 || i >= w.Len() {
			return fmt.Errorf("example %d: use one from 0 to %d", i, w.Len()-1)
		}
		b.Inputs = append(b.Inputs, w.series[i:i+w.window]...)
		b.Targets = append(b.Targets, w.series[i+w.window])
	}
	return nil
}
