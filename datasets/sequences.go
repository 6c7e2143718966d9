package datasets

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"

	"github.com/rnnkit/rnnkit/models"
)

// Sequences is the [Source] of a classifier: sequences of numbers or of tokens, each
// with a label. They may have different lengths. A batch is padded with zeros to the
// longest of its sequences.
type Sequences struct {
	Inputs   [][]float32 // the sequences, each [length, Features]
	Features int         // values in a step
	Tokens   [][]int64   // instead of Inputs, the sequences of tokens
	Labels   []int64     // the number of the class of each sequence

	// AsTargets makes Read set the labels as Targets instead of Labels, as
	// trainer.BinaryCrossEntropy needs them for a model of two classes and one
	// output.
	AsTargets bool
}

// Len returns the number of sequences.
func (s *Sequences) Len() int { return len(s.Labels) }

// Range returns the sequences in [i, j), shared with s.
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

// Split divides the sequences in two at the given fraction, rounded down, in a random
// order that follows from seed: the first part trains and the rest tests. The fraction
// lies between 0 and 1. Equal sequences come into the same part, unless that would
// leave nothing to test or no example of a class to train on. The error is an
// [ErrTooShort] if nothing would train.
func (s *Sequences) Split(fraction float64, seed uint64) (train, test *Sequences, err error) {
	if err := s.check(); err != nil {
		return nil, nil, err
	}
	if !(fraction > 0 && fraction < 1) {
		return nil, nil, fractionError(fraction)
	}
	n := int(fraction * float64(s.Len()))
	if n == 0 {
		return nil, nil, fmt.Errorf("list of %d sequences is %w to split at %v: none would train, so use more sequences", s.Len(), ErrTooShort, fraction)
	}
	order := make([]int, s.Len())
	for i := range order {
		order[i] = i
	}
	rand.New(rand.NewPCG(seed, splitStream)).Shuffle(s.Len(), func(i, j int) { order[i], order[j] = order[j], order[i] })
	train, test = s.pick(order[:n]), s.pick(order[n:])
	if together, cut := s.together(order, n); cut < len(order) {
		if part := s.pick(together[:cut]); len(part.classes()) >= len(train.classes()) {
			train, test = part, s.pick(together[cut:])
		}
	}
	return train, test, nil
}

// pick returns the given sequences, shared with s.
func (s *Sequences) pick(examples []int) *Sequences {
	part := *s
	part.Labels, part.Inputs, part.Tokens = nil, nil, nil
	for _, i := range examples {
		part.Labels = append(part.Labels, s.Labels[i])
		if s.Tokens != nil {
			part.Tokens = append(part.Tokens, s.Tokens[i])
		} else {
			part.Inputs = append(part.Inputs, s.Inputs[i])
		}
	}
	return &part
}

// together returns the order with equal sequences next to each other, and the first
// index from n on that does not separate equal ones.
func (s *Sequences) together(order []int, n int) (sorted []int, cut int) {
	groups := map[string][]int{}
	for _, i := range order {
		key := s.key(i)
		groups[key] = append(groups[key], i)
	}
	for _, i := range order {
		group := groups[s.key(i)]
		if group[0] != i {
			continue
		}
		if len(sorted) < n {
			cut = len(sorted) + len(group)
		}
		sorted = append(sorted, group...)
	}
	return sorted, cut
}

// Copies returns the number of sequences that are equal to an earlier one.
func (s *Sequences) Copies() int {
	seen := map[string]bool{}
	for i := range s.Len() {
		seen[s.key(i)] = true
	}
	return s.Len() - len(seen)
}

// Shared returns the number of sequences that are equal to one of others.
func (s *Sequences) Shared(others *Sequences) (n int) {
	seen := map[string]bool{}
	for i := range others.Len() {
		seen[others.key(i)] = true
	}
	for i := range s.Len() {
		if seen[s.key(i)] {
			n++
		}
	}
	return n
}

// key returns a string that is the same for equal sequences only.
func (s *Sequences) key(i int) string {
	var data []byte
	if s.Tokens != nil {
		data, _ = binary.Append(data, binary.LittleEndian, s.Tokens[i])
	} else {
		data, _ = binary.Append(data, binary.LittleEndian, s.Inputs[i])
	}
	return string(data)
}

// classes returns the set of labels.
func (s *Sequences) classes() map[int64]bool {
	classes := map[int64]bool{}
	for _, label := range s.Labels {
		classes[label] = true
	}
	return classes
}

// splitStream keeps the random numbers of Split apart from others of the same seed.
const splitStream = 0x73706c69

// length returns the number of steps of sequence i.
func (s *Sequences) length(i int) int {
	if s.Tokens != nil {
		return len(s.Tokens[i])
	}
	return len(s.Inputs[i]) / s.Features
}

// Longest returns the number of steps of the longest sequence.
func (s *Sequences) Longest() (steps int) {
	for i := range max(len(s.Inputs), len(s.Tokens)) {
		steps = max(steps, s.length(i))
	}
	return steps
}

// check returns a *models.FieldError if the fields do not fit each other.
func (s *Sequences) check() error {
	switch {
	case s.Tokens != nil && len(s.Tokens) != s.Len():
		return &models.FieldError{Field: "Tokens", Value: models.Length(len(s.Tokens)), Want: fmt.Sprintf("of length %d, one sequence for each label", s.Len())}
	case s.Tokens == nil && len(s.Inputs) != s.Len():
		return &models.FieldError{Field: "Inputs", Value: models.Length(len(s.Inputs)), Want: fmt.Sprintf("of length %d, one sequence for each label", s.Len())}
	case s.Tokens == nil && s.Features < 1 && s.Len() > 0:
		return &models.FieldError{Field: "Features", Value: s.Features, Want: "1 or more"}
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
		if err := checkExample(i, s.Len()); err != nil {
			return err
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

// ReadSequences reads labelled sequences of numbers from CSV text, one on each line.
// Lines may have different lengths. Errors name the file as given; each is a
// *[CSVError].
//
// The label is in the column of the given name or number. If label is "", the header
// decides: the label is in the column named label, class, target or the like, or in the
// first or last column if that is named y. Without such a name it is the last field, or
// the first one if only that is text.
//
// Separators, quotes, numbers, limits and headers are those of [ReadRows]. It is an
// error if a label is missing.
func ReadSequences(r io.Reader, file, label string) (*Rows, error) {
	format := RowFormat{Features: 1}
	lines, err := format.lines(r, file)
	if err != nil {
		return nil, err
	}
	if err := lines.findLabel(label); err != nil {
		return nil, err
	}
	if lines.label == noField {
		if err := lines.guessLabel(); err != nil {
			return nil, err
		}
	}
	if err := lines.findSkipped(false); err != nil {
		return nil, err
	}
	s, names, err := format.sequences(lines)
	if err != nil {
		return nil, err
	}
	if err := lines.missingLabel(names); err != nil {
		return nil, err
	}
	rows := &Rows{Sequences: s}
	if rows.Names, err = s.label(names); err != nil {
		return nil, lines.errorf(0, 0, "%w", err)
	}
	rows.About = lines.describe(s)
	if note := noteAlike(rows.Names); note != "" {
		rows.Notes = append(rows.Notes, note)
	}
	return rows, nil
}

// label sets the labels to the numbers of the given names. It returns the different
// names, sorted.
func (s *Sequences) label(names []string) (labels []string, err error) {
	labels = slices.Compact(slices.Sorted(slices.Values(names)))
	switch n := len(labels); {
	case n == 0:
		return nil, errors.New("no sequences; give it a line for each, with its label")
	case n == 1:
		return nil, fmt.Errorf("all labels are %.40q; a classifier needs two or more", labels[0])
	case n > 2 && 2*n > len(names):
		return nil, fmt.Errorf("%d different labels on %d lines, such as %.40q, which are too many: %w", n, len(names), labels[0], ErrWhichLabel)
	}
	s.Labels = make([]int64, len(names))
	for i, name := range names {
		at, _ := slices.BinarySearch(labels, name)
		s.Labels[i] = int64(at)
	}
	return labels, nil
}
