package trainer

import (
	"fmt"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/models"
)

// checkInputs returns an error if the inputs of b do not fit the model.
func checkInputs(b *datasets.Batch, spec models.Spec) error {
	if b.Size < 1 || b.Time < 1 {
		return fmt.Errorf("a batch has %d examples of %d steps: it must have 1 or more of each", b.Size, b.Time)
	}
	if err := checkSizes(b, spec); err != nil {
		return err
	}
	if n := len(b.Lengths); n != 0 && n != b.Size {
		return fmt.Errorf("a batch of %d examples has %d lengths: it needs one each, or none", b.Size, n)
	}
	for i, n := range b.Lengths {
		if n < 1 || n > b.Time {
			return fmt.Errorf("example %d of the batch has length %d: it must be from 1 to its %d steps", i, n, b.Time)
		}
	}
	for i, token := range b.Tokens {
		if t := i % b.Time; t < length(b, i/b.Time) && (token < 0 || token >= int64(spec.Vocabulary)) {
			return fmt.Errorf("step %d of example %d has token %d: the model knows those from 0 to %d", t, i/b.Time, token, spec.Vocabulary-1)
		}
	}
	return nil
}

// checkSizes returns an error if a slice of b has not the length that the model
// needs. The products are in float64, where large sizes do not overflow.
func checkSizes(b *datasets.Batch, spec models.Spec) error {
	steps := float64(b.Size) * float64(b.Time)
	states, cells := float64(spec.Layers*spec.Directions()*spec.Hidden)*float64(b.Size), 0.0
	if spec.Cell == models.LSTM {
		cells = states
	}
	if len(b.H0) == 0 && len(b.C0) == 0 {
		states, cells = 0, 0
	}
	for _, f := range []struct {
		name string
		have int
		want float64
	}{
		{"inputs", len(b.Inputs), steps * float64(spec.Features)},
		{"tokens", len(b.Tokens), steps * float64(min(spec.Vocabulary, 1))},
		{"values of H0", len(b.H0), states},
		{"values of C0", len(b.C0), cells},
	} {
		if float64(f.have) != f.want {
			return fmt.Errorf("a batch of %d examples of %d steps has %d %s: the model needs %.0f", b.Size, b.Time, f.have, f.name, f.want)
		}
	}
	return nil
}

// checkTargets returns an error if the targets or labels of the batch do not fit the
// loss. It adds up the weight of the rows.
func (r *runner[T]) checkTargets() error {
	b := &r.batch
	rows := b.Size * r.rowsPerExample()
	labels := 0
	if r.targets == 0 {
		labels = rows
	}
	if len(b.Targets) != rows*r.targets || len(b.Labels) != labels {
		return r.targetsError(rows*r.targets, labels)
	}
	r.weight = 0
	for i := range b.Size {
		for t := range r.rowsOf(i) {
			row, label := i*r.rowsPerExample()+t, int64(0)
			if r.targets == 0 {
				label = b.Labels[row]
			}
			if label != datasets.Ignore && (label < 0 || label >= int64(r.meta.Spec.Outputs)) {
				return fmt.Errorf("row %d of the batch has label %d: the model knows those from 0 to %d", row, label, r.meta.Spec.Outputs-1)
			}
			r.weight += r.loss.weight(label)
		}
	}
	return nil
}

// targetsError is the error of a batch that does not have the given numbers of targets
// and labels. It names the field that is likely wrong.
func (r *runner[T]) targetsError(targets, labels int) error {
	b := &r.batch
	all := b.Time > 1 && r.rowsPerExample() == 1 && len(b.Targets) == targets*b.Time && len(b.Labels) == labels*b.Time
	switch {
	case labels > 0 && len(b.Labels) == 0 && len(b.Targets) > 0:
		return &models.FieldError{Field: "Loss", Value: r.loss, Want: "a loss of targets, such as MSE, for examples without labels"}
	case targets > 0 && len(b.Targets) == 0 && len(b.Labels) > 0:
		return &models.FieldError{Field: "Loss", Value: r.loss, Want: "CrossEntropy for examples with labels, unless these are read as targets"}
	case all:
		return &models.FieldError{Field: "m.Spec.Readout", Value: r.meta.Spec.Readout, Want: "all for examples with targets at every step"}
	}
	return fmt.Errorf("a batch of %d examples of %d steps has %d targets and %d labels: the loss needs %d and %d",
		b.Size, b.Time, len(b.Targets), len(b.Labels), targets, labels)
}

// length returns the number of steps of example i of b.
func length(b *datasets.Batch, i int) int {
	if len(b.Lengths) == 0 {
		return b.Time
	}
	return b.Lengths[i]
}
