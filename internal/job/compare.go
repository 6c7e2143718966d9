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

// Compare returns how far the answers of exported, the model as an engine runs
// it, lie from the trainer's at most, and on how many examples: the first of
// those that test, or of those that train where none test. It is an error if
// they lie further apart than [verify.Tolerance].
func (j *Job) Compare(ctx context.Context, exported *infer.Model) (largest float64, examples int, err error) {
	source := j.Test
	if source.Len() == 0 {
		source = j.Train
	}
	// As many examples as an engine takes at once, however long they are.
	examples = min(source.Len(), max(1, min(64, (1<<16)/j.Window)))
	var b datasets.Batch
	if err := source.Read(&b, firstOf(examples)); err != nil {
		return 0, 0, err
	}
	each := examples
	if len(b.Lengths) > 0 {
		each = 1 // an engine knows no padding
	}
	for part := range slices.Chunk(firstOf(examples), each) {
		if err := source.Read(&b, part); err != nil {
			return 0, 0, err
		}
		d, err := compare(ctx, j.Model, exported, &b)
		if err != nil {
			return 0, 0, err
		}
		largest = max(largest, d)
	}
	return largest, examples, nil
}

func compare(ctx context.Context, m *models.Model, exported *infer.Model, b *datasets.Batch) (float64, error) {
	answers, err := trainer.Predict(m, b)
	if err != nil {
		return 0, err
	}
	shape := []int{b.Size, m.Spec.Outputs}
	if m.Spec.Readout == models.ReadAll {
		shape = []int{b.Size, b.Time, m.Spec.Outputs}
	}
	input := engine.Of(b.Inputs, b.Size, b.Time, m.Spec.Features)
	if m.Spec.Vocabulary > 0 {
		input = engine.Of(b.Tokens, b.Size, b.Time)
	}
	got, err := verify.Whole(ctx, exported, input)
	if err != nil {
		return 0, fmt.Errorf("it does not run: %w", err)
	}
	d, err := verify.Difference(map[string]engine.Tensor{"output": engine.Of(answers, shape...)}, got, verify.Tolerance, m.OutputScale)
	if err != nil {
		return d, fmt.Errorf("%w (if the losses are large, the weights have outgrown float32: lower the learning rate)", err)
	}
	return d, nil
}
