// Package datasets provides the examples that package trainer reads.
//
// A [Source] fills a [Batch] with examples. A [Panel] of many series with covariates is
// cut into [PanelWindows] for a direct forecaster, [Series] into [Windows] or [Streams] for
// others, a text into the windows of a [Text], and [Sequences] have a label each. They are
// made from Go values, read from files by [ReadTable], [ReadColumn], [ReadText] and
// [ReadSequences], or generated from a seed by [Sine], [Echo] and [Palindromes].
package datasets

import (
	"errors"
	"fmt"

	"github.com/rnnkit/rnnkit/models"
)

// Batch is a group of examples. Its slices are reused from one batch to the next. Those
// that do not apply are empty.
type Batch struct {
	Size int // number of examples
	Time int // steps of the longest example

	// Lengths holds the number of steps of each example, from 1 to Time. The steps
	// after them in the other fields are padding, of any value. Lengths is empty if
	// all examples have Time steps.
	Lengths []int

	Inputs []float32 // [Size, Time, features]
	Tokens []int64   // [Size, Time], instead of Inputs for a model of tokens

	// Targets or Labels are what the model should answer. They have a row for each
	// example, or [Size, Time] rows for a model that answers at every step. A row
	// of Targets has a value for each output of the model, unless the loss says
	// otherwise. A row of Labels is the number of a class, or Ignore. A loss reads
	// either Targets or Labels: see trainer.Loss.
	Targets []float32
	Labels  []int64

	// H0 and, for an LSTM, C0 are the states before the first step, [layers*
	// directions, Size, hidden]. If they are empty, the states are zero.
	H0, C0 []float32

	// Only a direct forecaster reads the fields below; see models.Direct. An example is
	// one target of one series at one time. Inputs are [Size, Time, 1 + past + future]:
	// the target, then the covariates, and Time is the window. Targets are [Size,
	// horizon]. All are in raw units, and NaN is a missing value: before the series
	// begins, too. A missing target does not count in the loss.
	Ahead      []float32 // [Size, horizon, future]: the covariates that are known ahead
	Static     []float32 // [Size, static]
	Categories []int64   // [Size, categories]: the number of each value; 0 stands for all others

	// Weights multiply the absolute errors of each example in the loss, [Size]. With 1
	// over the error of a simple method on the same series, series of all sizes count
	// alike. Empty Weights are all 1. A weight times the deviation of the window counts as
	// 10 if it is more.
	Weights []float32
}

// Ignore is the label of a row that does not count in the loss.
const Ignore = -1

// Source is a set of examples with random access. Only one goroutine reads it at a
// time.
type Source interface {
	// Len returns the number of examples.
	Len() int

	// Read fills b with the given examples in that order. They are numbered from 0
	// to Len()-1. It reuses the slices of b and grows them if necessary. After an
	// error the contents of b are undefined.
	Read(b *Batch, examples []int) error
}

// ErrTooShort is what an error wraps if a series, a text or a list of sequences is too
// short for the windows, the streams or the parts that it is to be divided into.
var ErrTooShort = errors.New("too short")

// checkExample returns an error unless i is the number of one of n examples.
func checkExample(i, n int) error {
	if i < 0 || i >= n {
		return &models.FieldError{Field: "examples", Value: i, Want: fmt.Sprintf("from 0 to %d", n-1)}
	}
	return nil
}

// fractionError is the error of a Split whose fraction is not between 0 and 1.
func fractionError(fraction float64) error {
	return &models.FieldError{Field: "fraction", Value: fraction, Want: "more than 0 and less than 1, such as 0.8"}
}
