package trainer

import (
	"fmt"
	"math"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/models"
)

// checkInputs returns a *models.FieldError if a field of b does not fit the model.
func checkInputs(b *datasets.Batch, spec models.Spec) error {
	switch {
	case b.Size < 1:
		return &models.FieldError{Field: "Size", Value: b.Size, Want: "1 or more"}
	case b.Time < 1:
		return &models.FieldError{Field: "Time", Value: b.Time, Want: "1 or more"}
	case spec.Direct != nil && b.Time != spec.Direct.Window:
		return &models.FieldError{Field: "Time", Value: b.Time, Want: fmt.Sprintf("%d, the window of the model", spec.Direct.Window)}
	case spec.Direct != nil && len(b.Lengths) > 0:
		return &models.FieldError{Field: "Lengths", Value: models.Length(len(b.Lengths)), Want: "empty for a direct forecaster: what a window lacks is NaN"}
	}
	if err := checkSizes(b, spec); err != nil {
		return err
	}
	if n := len(b.Lengths); n != 0 && n != b.Size {
		return &models.FieldError{Field: "Lengths", Value: models.Length(len(b.Lengths)), Want: fmt.Sprintf("empty or of length %d, one for each example", b.Size)}
	}
	for i, n := range b.Lengths {
		if n < 1 || n > b.Time {
			return &models.FieldError{Field: fmt.Sprintf("Lengths[%d]", i), Value: n, Want: fmt.Sprintf("from 1 to the %d steps of the batch", b.Time)}
		}
	}
	if err := checkCategories(b, spec.Direct); err != nil {
		return err
	}
	for i, token := range b.Tokens {
		if t := i % b.Time; t < length(b, i/b.Time) && (token < 0 || token >= int64(spec.Vocabulary)) {
			return &models.FieldError{
				Field: fmt.Sprintf("Tokens[%d]", i),
				Value: token,
				Want:  fmt.Sprintf("from 0 to %d, the tokens of the model (step %d of example %d)", spec.Vocabulary-1, t, i/b.Time),
			}
		}
	}
	return nil
}

// checkSizes returns a *models.FieldError if a slice of b has not the length that the
// model needs. The products are in float64, where large sizes do not overflow.
func checkSizes(b *datasets.Batch, spec models.Spec) error {
	steps := float64(b.Size) * float64(b.Time)
	states, cells := float64(spec.Layers*spec.Directions()*spec.Hidden)*float64(b.Size), 0.0
	if spec.Cell == models.LSTM {
		cells = states
	}
	if len(b.H0) == 0 && len(b.C0) == 0 || spec.Direct != nil {
		states, cells = 0, 0
	}
	var direct models.Direct
	features := float64(spec.Features)
	if spec.Direct != nil {
		direct = *spec.Direct
		features = float64(1 + direct.Past + direct.Future)
	}
	size := float64(b.Size)
	for _, f := range []struct {
		field string
		have  int
		want  float64
	}{
		{"Inputs", len(b.Inputs), steps * features},
		{"Tokens", len(b.Tokens), steps * float64(min(spec.Vocabulary, 1))},
		{"H0", len(b.H0), states},
		{"C0", len(b.C0), cells},
		{"Ahead", len(b.Ahead), size * float64(direct.Horizon) * float64(direct.Future)},
		{"Static", len(b.Static), size * float64(direct.Static)},
		{"Categories", len(b.Categories), size * float64(len(direct.Categories))},
	} {
		if float64(f.have) != f.want {
			return &models.FieldError{
				Field: f.field,
				Value: models.Length(f.have),
				Want:  fmt.Sprintf("of length %.0f, for %d examples of %d steps", f.want, b.Size, b.Time),
			}
		}
	}
	return nil
}

// checkCategories returns a *models.FieldError for a category that the model does not
// have.
func checkCategories(b *datasets.Batch, d *models.Direct) error {
	for i, number := range b.Categories {
		if c := d.Categories[i%len(d.Categories)]; number < 0 || number >= int64(c.Size) {
			return &models.FieldError{Field: fmt.Sprintf("Categories[%d]", i), Value: number, Want: fmt.Sprintf("from 0 to %d, the values of the category", c.Size-1)}
		}
	}
	return nil
}

// checkTargets returns a *models.FieldError if the targets or labels of the batch do not
// fit the loss. It adds up the weight of the rows.
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
	if r.meta.Spec.Direct != nil {
		return r.checkForecastTargets()
	}
	for i := range b.Size {
		for t := range r.rowsOf(i) {
			row, label := i*r.rowsPerExample()+t, int64(0)
			if r.targets == 0 {
				label = b.Labels[row]
			}
			if label != datasets.Ignore && (label < 0 || label >= int64(r.meta.Spec.Outputs)) {
				return &models.FieldError{
					Field: fmt.Sprintf("batch.Labels[%d]", row), Value: label,
					Want: fmt.Sprintf("from 0 to %d, the classes of the model, or Ignore", r.meta.Spec.Outputs-1),
				}
			}
			r.weight += r.loss.weight(label)
		}
	}
	return nil
}

// checkForecastTargets is the rest of checkTargets for a direct forecaster. The weight is
// the number of targets that are not missing.
func (r *runner[T]) checkForecastTargets() error {
	b := &r.batch
	if n := len(b.Weights); n != 0 && n != b.Size {
		return &models.FieldError{Field: "batch.Weights", Value: models.Length(n), Want: fmt.Sprintf("empty or of length %d, one for each example", b.Size)}
	}
	for i, w := range b.Weights {
		if !(w >= 0) || math.IsInf(float64(w), 0) {
			return &models.FieldError{Field: fmt.Sprintf("batch.Weights[%d]", i), Value: w, Want: "0 or more and finite"}
		}
	}
	known := 0
	for _, t := range b.Targets {
		if t == t {
			known++
		}
	}
	r.weight = float64(known)
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
	if len(b.Targets) != targets {
		return &models.FieldError{Field: "batch.Targets", Value: models.Length(len(b.Targets)), Want: fmt.Sprintf("of length %d, for %d examples of %d steps", targets, b.Size, b.Time)}
	}
	return &models.FieldError{Field: "batch.Labels", Value: models.Length(len(b.Labels)), Want: fmt.Sprintf("of length %d, for %d examples of %d steps", labels, b.Size, b.Time)}
}

// length returns the number of steps of example i of b.
func length(b *datasets.Batch, i int) int {
	if len(b.Lengths) == 0 {
		return b.Time
	}
	return b.Lengths[i]
}
