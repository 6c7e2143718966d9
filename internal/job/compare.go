package job

import (
	"context"
	"fmt"
	"slices"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/internal/verify"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

// How far answers may lie apart, as verify.Tolerance says: those of the exported
// graph and of the trainer, both in float64, and those of an engine, which rounds.
const (
	exactTolerance    = verify.Tolerance / 100
	roundingTolerance = verify.Tolerance * 1000
)

// CheckExport returns an error if the exported model stands for other answers
// than the model: both are computed in float64, on the examples of [Job.Compare].
func (j *Job) CheckExport(ctx context.Context, exported []byte) error {
	exact, err := verify.OpenExact(exported)
	if err != nil {
		return err
	}
	defer exact.Close()
	_, err = j.eachPart(func(b *datasets.Batch) error {
		answers, err := trainer.PredictExact(j.Model, b)
		if err != nil {
			return err
		}
		got, err := exact.Output(ctx, inputOf(j.Model, b))
		if err != nil {
			return fmt.Errorf("it does not run: %w", err)
		}
		_, err = verify.Difference(outputOf(j.Model, b, answers), got, exactTolerance, j.Model.OutputScale)
		return err
	})
	return err
}

// Comparison is how an engine's answers compare with the trainer's, those computed
// in float64 and rounded once.
type Comparison struct {
	Largest  float64 // difference
	Examples int     // that were compared

	// Beyond says where they lie further apart than [verify.Tolerance], if they
	// do. By so much an engine may be off that rounds every step.
	Beyond error
}

// Compare compares the answers of exported, the model as an engine runs it, with
// the trainer's: on the first of the examples that test, or of those that train
// where none test. It is an error if they lie further apart than rounding brings
// them.
func (j *Job) Compare(ctx context.Context, exported *infer.Model) (c Comparison, err error) {
	c.Examples, err = j.eachPart(func(b *datasets.Batch) error {
		answers, err := trainer.PredictExact(j.Model, b)
		if err != nil {
			return err
		}
		rounded := make([]float32, len(answers))
		for i, v := range answers {
			rounded[i] = float32(v)
		}
		got, err := verify.Whole(ctx, exported, inputOf(j.Model, b))
		if err != nil {
			return fmt.Errorf("it does not run: %w", err)
		}
		want := outputOf(j.Model, b, rounded)
		d, err := verify.Difference(want, got, roundingTolerance, j.Model.OutputScale)
		if err != nil {
			return fmt.Errorf("%w (if the losses are large, the weights have outgrown float32: lower the learning rate)", err)
		}
		if _, err := verify.Difference(want, got, verify.Tolerance, j.Model.OutputScale); err != nil && c.Beyond == nil {
			c.Beyond = err
		}
		c.Largest = max(c.Largest, d)
		return nil
	})
	return c, err
}

// eachPart calls compare with the examples to compare on, as many at once as an
// engine takes. It returns how many they are.
func (j *Job) eachPart(compare func(b *datasets.Batch) error) (examples int, err error) {
	source := j.Test
	if source.Len() == 0 {
		source = j.Train
	}
	// As many examples as an engine takes at once, however long they are.
	examples = min(source.Len(), max(1, min(64, (1<<16)/j.Window)))
	var b datasets.Batch
	if err := source.Read(&b, firstOf(examples)); err != nil {
		return 0, err
	}
	each := examples
	if len(b.Lengths) > 0 {
		each = 1 // an engine knows no padding
	}
	for part := range slices.Chunk(firstOf(examples), each) {
		if err := source.Read(&b, part); err != nil {
			return 0, err
		}
		if err := compare(&b); err != nil {
			return 0, err
		}
	}
	return examples, nil
}

// inputOf is what an engine is to be asked for the examples of b.
func inputOf(m *models.Model, b *datasets.Batch) engine.Tensor {
	if m.Spec.Vocabulary > 0 {
		return engine.Of(b.Tokens, b.Size, b.Time)
	}
	return engine.Of(b.Inputs, b.Size, b.Time, m.Spec.Features)
}

// outputOf is what an engine is to say where the trainer's answers are these.
func outputOf[T float32 | float64](m *models.Model, b *datasets.Batch, answers []T) map[string]engine.Tensor {
	shape := []int{b.Size, m.Spec.Outputs}
	if m.Spec.Readout == models.ReadAll {
		shape = []int{b.Size, b.Time, m.Spec.Outputs}
	}
	return map[string]engine.Tensor{"output": engine.Of(answers, shape...)}
}
