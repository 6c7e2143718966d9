// Package datasets feeds the trainer. [Source] and [Batch] are the whole
// contract. [Windows] cuts a series into examples, [Text] a text, and
// [Sequences] have a label each. They come from files, by [ReadTable] or
// [ReadColumn], [ReadText] and [ReadSequences], or from seeded generators: [Sine],
// [Rhyme], [Echo] and [Palindromes].
package datasets

import (
	"errors"
	"fmt"

	"github.com/rnnkit/rnnkit/models"
)

// Batch is a group of examples, as the trainer reads them. Its slices are
// reused from one batch to the next; those that do not apply are empty.
type Batch struct {
	Size int // number of examples
	Time int // steps of the longest example

	// Lengths has the steps of each example, from 1 to Time. What lies beyond
	// them in the other fields is padding, of any value. It is empty where
	// all have Time steps.
	Lengths []int

	Inputs []float32 // [Size, Time, features]
	Tokens []int64   // [Size, Time], in place of Inputs for a model of tokens

	// Targets or Labels are what the answers ought to be, one row an example,
	// or [Size, Time] rows for one answer a step. A row of Targets has as
	// many values as the model's outputs, unless the loss says otherwise. A
	// label is the number of a class, or Ignore.
	Targets []float32
	Labels  []int64

	// H0, and C0 for an LSTM, are the state before the first step, [layers*
	// directions, Size, hidden]. Where they are empty it is zero.
	H0, C0 []float32
}

// Ignore is the label of an example or step that takes no part in the loss.
const Ignore = -1

// Source is a set of examples with random access. It is read by one goroutine
// at a time.
type Source interface {
	// Len returns the number of examples.
	Len() int

	// Read fills b with the given examples, each from 0 to Len()-1, in that
	// order. It grows the slices of b where they are too short and otherwise
	// reuses them. After an error the contents of b are undefined.
	Read(b *Batch, examples []int) error
}

// ErrTooShort is what an error wraps if a series, a text or a list of sequences is too
// short for the windows, the streams or the parts that it is to be divided into.
var ErrTooShort = errors.New("too short")

// checkExample returns an error if i is not the number of one of n examples.
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
