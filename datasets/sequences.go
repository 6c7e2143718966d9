package datasets

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
)

// Sequences is the [Source] of a classifier: sequences of numbers or of tokens,
// each with a label. They may have different lengths; a batch is padded with
// zeros to its longest.
type Sequences struct {
	Inputs   [][]float32 // of each sequence, [length, Features]
	Features int         // values a step
	Tokens   [][]int64   // in place of Inputs, of each sequence [length]
	Labels   []int64     // of each sequence, its class

	// AsTargets hands on labels as Targets, which a model of two classes and
	// one output wants: see trainer.BinaryCrossEntropy.
	AsTargets bool
}

// Len returns the number of sequences.
func (s *Sequences) Len() int { return len(s.Labels) }

// Range returns the sequences from i to j, without j, shared with s.
func (s *Sequences) Range(i, j int) *Sequences {
	part := *s
	part.Labels = s.Labels[i:j]
	if s.Tokens != nil {
		part.Tokens = s.Tokens[i:j]
	} else {
		part.Inputs = s.Inputs[i:j]
	}
	return &part
}

// Split divides the sequences in two at the given fraction, rounded down, in an
// order that is drawn from seed: the first part trains and the rest tests. It is
// an error if either would be empty.
func (s *Sequences) Split(fraction float64, seed uint64) (train, test *Sequences, err error) {
	if err := s.check(); err != nil {
		return nil, nil, err
	}
	n := int(fraction * float64(s.Len()))
	if !(fraction > 0 && fraction < 1) || n == 0 {
		return nil, nil, fmt.Errorf("split at %v of %d sequences: %d would train, so use more sequences and a fraction such as 0.8", fraction, s.Len(), n)
	}
	shuffled := *s
	shuffled.Labels = slices.Clone(s.Labels)
	shuffled.Inputs, shuffled.Tokens = slices.Clone(s.Inputs), slices.Clone(s.Tokens)
	rand.New(rand.NewPCG(seed, splitStream)).Shuffle(s.Len(), func(i, j int) {
		swap(shuffled.Labels, i, j)
		if s.Tokens != nil {
			swap(shuffled.Tokens, i, j)
		} else {
			swap(shuffled.Inputs, i, j)
		}
	})
	return shuffled.Range(0, n), shuffled.Range(n, s.Len()), nil
}

// splitStream keeps the draws of Split apart from others of the same seed.
const splitStream = 0x73706c69

func swap[T any](x []T, i, j int) { x[i], x[j] = x[j], x[i] }

// length returns the number of steps of sequence i.
func (s *Sequences) length(i int) int {
	if s.Tokens != nil {
		return len(s.Tokens[i])
	}
	return len(s.Inputs[i]) / s.Features
}

// check reports fields that do not go together.
func (s *Sequences) check() error {
	switch {
	case s.Tokens != nil && len(s.Tokens) != s.Len():
		return fmt.Errorf("%d sequences of tokens and %d labels: give as many", len(s.Tokens), s.Len())
	case s.Tokens == nil && len(s.Inputs) != s.Len():
		return fmt.Errorf("%d sequences of numbers and %d labels: give as many", len(s.Inputs), s.Len())
	case s.Tokens == nil && s.Features < 1 && s.Len() > 0:
		return fmt.Errorf("steps of %d values: Features must be 1 or more", s.Features)
	}
	return nil
}

// Read implements [Source].
func (s *Sequences) Read(b *Batch, examples []int) error {
	if err := s.check(); err != nil {
		return err
	}
	*b = Batch{Size: len(examples), Lengths: b.Lengths[:0], Inputs: b.Inputs[:0], Tokens: b.Tokens[:0], Targets: b.Targets[:0], Labels: b.Labels[:0]}
	for _, i := range examples {
		if i < 0 || i >= s.Len() {
			return fmt.Errorf("example %d: use one from 0 to %d", i, s.Len()-1)
		}
		b.Lengths = append(b.Lengths, s.length(i))
		if s.AsTargets {
			b.Targets = append(b.Targets, float32(s.Labels[i]))
		} else {
			b.Labels = append(b.Labels, s.Labels[i])
		}
	}
	if len(examples) > 0 {
		b.Time = slices.Max(b.Lengths)
	}
	for _, i := range examples {
		padding := b.Time - s.length(i)
		if s.Tokens != nil {
			b.Tokens = append(append(b.Tokens, s.Tokens[i]...), make([]int64, padding)...)
		} else {
			b.Inputs = append(append(b.Inputs, s.Inputs[i]...), make([]float32, padding*s.Features)...)
		}
	}
	if !slices.ContainsFunc(b.Lengths, func(n int) bool { return n < b.Time }) {
		b.Lengths = b.Lengths[:0]
	}
	return nil
}

// ReadSequences reads labelled sequences of numbers from CSV text, one a line:
// the values of its steps, and last the label. Lines may have different lengths.
// It returns the labels' names, in order; [Sequences.Labels] are places in them.
// The file is what errors call it; each is a *[CSVError].
//
// Separators, quotes, limits and headers are those of [ReadRows].
func ReadSequences(r io.Reader, file string) (s *Sequences, labels []string, err error) {
	records, err := newRecordReader(r, file)
	if err != nil {
		return nil, nil, err
	}
	records.ragged = true
	format := RowFormat{Features: 1}
	s = &Sequences{Features: format.Features}
	var names []string // of each sequence's label
	record, _, err := format.begin(records)
	for ; err == nil; record, err = records.next() {
		line, _ := records.FieldPos(0)
		last := len(record) - 1
		name := strings.TrimSpace(record[last])
		if name == "" {
			return nil, nil, &CSVError{file, line, last + 1, errors.New("no label; write one as the last field")}
		}
		names = append(names, name)
		if column, err := format.add(s, record[:last]); err != nil {
			return nil, nil, &CSVError{file, line, column, err}
		}
	}
	if err != io.EOF {
		return nil, nil, err
	}
	if labels, err = s.label(names); err != nil {
		return nil, nil, &CSVError{File: file, Err: err}
	}
	return s, labels, nil
}

// label gives the sequences the labels of those names. It returns the different
// ones.
func (s *Sequences) label(names []string) (labels []string, err error) {
	labels = slices.Compact(slices.Sorted(slices.Values(names)))
	switch n := len(labels); {
	case n == 0:
		return nil, errors.New("no sequences; give it a line for each, with its label last")
	case n == 1:
		return nil, fmt.Errorf("all labels are %.40q; a classifier needs two or more", labels[0])
	case n > 2 && 2*n > len(names):
		return nil, fmt.Errorf("%d different labels on %d lines, such as %.40q; the last field must be the label", n, len(names), labels[0])
	}
	s.Labels = make([]int64, len(names))
	for i, name := range names {
		at, _ := slices.BinarySearch(labels, name)
		s.Labels[i] = int64(at)
	}
	return labels, nil
}
