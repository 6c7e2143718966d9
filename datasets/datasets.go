// Package datasets feeds the trainer. [Source] and [Batch] are the whole
// contract; [Windows] cuts a series into examples, and a series comes from the
// seeded generator [Sine] or, by [ReadColumn], from a CSV file.
package datasets

// Batch is a group of examples of the same length, as the trainer reads them.
// Its slices are reused from one batch to the next.
type Batch struct {
	Size int // number of examples
	Time int // steps of each example

	Inputs  []float32 // [Size, Time, features]; empty where Tokens is used
	Tokens  []int64   // [Size, Time]; empty where Inputs is used
	Targets []float32 // [Size, outputs], or [Size, Time, outputs] for one target a step
}

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
