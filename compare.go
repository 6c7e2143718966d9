package rnnkit

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/tensor"
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

// Comparison is how the answers of an engine compare with those of the trainer.
type Comparison struct {
	Largest  float64 // difference, relative to the scale of the output
	Examples int     // that were compared

	// Rounding says where they lie further apart than 1e-5, if they do, and the same
	// computation in float64 shows that this is rounding alone. It is nil otherwise.
	Rounding error
}

// Compare compares the answers of exported, which is file on any engine, with those of
// the trainer, on the first examples of the test set, or of the training set if that is
// empty. Where they lie further apart than 1e-5, both are computed again in float64. It is
// an error if they differ there too, or if the engine is off by more than rounding
// explains.
func (j *Job) Compare(ctx context.Context, file []byte, exported *infer.Model) (c Comparison, err error) {
	if j.forecaster != nil {
		return j.compareDirect(ctx, file, exported)
	}
	source := j.TestData
	if source.Len() == 0 {
		source = j.TrainData
	}
	// As many examples as an engine takes at once, however long they are.
	c.Examples = min(source.Len(), max(1, min(64, (1<<16)/j.Model.Window)))
	var b datasets.Batch
	if err := source.Read(&b, firstOf(c.Examples)); err != nil {
		return c, err
	}
	each := c.Examples
	if len(b.Lengths) > 0 {
		each = 1 // an engine knows no padding
	}
	for part := range slices.Chunk(firstOf(c.Examples), each) {
		if err := j.comparePart(ctx, &c, source, part, file, exported); err != nil {
			return c, err
		}
	}
	return c, nil
}

// comparePart adds the comparison of the given examples to c.
func (j *Job) comparePart(ctx context.Context, c *Comparison, source datasets.Source, part []int, file []byte, exported *infer.Model) error {
	var b datasets.Batch
	if err := source.Read(&b, part); err != nil {
		return err
	}
	want, got, err := j.answers(ctx, &b, exported)
	if err != nil {
		return err
	}
	d, err := verify.Difference(outputOf(j.Model, &b, want), got, verify.Tolerance, j.Model.OutputScale)
	c.Largest = max(c.Largest, d)
	output, ok := got["output"].Data.([]float32)
	if err == nil || !ok || len(output) != len(want) {
		return err
	}
	c.Rounding = err
	worst, answers := farthest(want, output, b.Size)
	if err := source.Read(&b, part[worst:worst+1]); err != nil {
		return err
	}
	return j.judge(ctx, file, &b, answers)
}

// answers returns the trainer's answers and an engine's.
func (j *Job) answers(ctx context.Context, b *datasets.Batch, exported *infer.Model) (want []float32, got map[string]tensor.Tensor, err error) {
	if want, err = trainer.Predict(j.Model, b); err != nil {
		return nil, nil, err
	}
	if got, err = verify.Whole(ctx, exported, inputOf(j.Model, b)); err != nil {
		return nil, nil, fmt.Errorf("it does not run: %w", err)
	}
	return want, got, nil
}

// farthest returns the example, of size ones, whose answers lie the furthest apart, and
// its answers in got.
func farthest(want, got []float32, size int) (example int, answers []float32) {
	each := len(want) / size
	largest := -1.0
	for i := range want {
		d := math.Abs(float64(want[i]) - float64(got[i]))
		if math.IsNaN(d) {
			d = math.Inf(1)
		}
		if d > largest {
			largest, example = d, i/each
		}
	}
	return example, got[example*each:][:each]
}

// judge returns an error if the file does not answer the one example of b as the
// trainer does, both in float64, or if an engine's answers are off by more than
// rounding explains.
func (j *Job) judge(ctx context.Context, file []byte, b *datasets.Batch, answers []float32) error {
	exact, err := trainer.PredictExact(j.Model, b)
	if err != nil {
		return err
	}
	graph, err := verify.OpenExact(file)
	if err != nil {
		return err
	}
	defer graph.Close()
	got, err := graph.Output(ctx, inputOf(j.Model, b))
	if err != nil {
		return fmt.Errorf("it does not run in float64: %w", err)
	}
	if _, err := verify.Difference(outputOf(j.Model, b, exact), got, exactTolerance, j.Model.OutputScale); err != nil {
		return fmt.Errorf("in float64 %w", err)
	}
	rounded := make([]float32, len(exact))
	for i, v := range exact {
		rounded[i] = float32(v)
	}
	if _, err := verify.Difference(outputOf(j.Model, b, rounded), outputOf(j.Model, b, answers), roundingTolerance, j.Model.OutputScale); err != nil {
		return fmt.Errorf("%w (if the losses are large, the weights have outgrown float32: lower the learning rate)", err)
	}
	return nil
}

// inputOf returns the examples of b as an engine reads them.
func inputOf(m *models.Model, b *datasets.Batch) tensor.Tensor {
	if m.Spec.Vocabulary > 0 {
		return tensor.Of(b.Tokens, b.Size, b.Time)
	}
	return tensor.Of(b.Inputs, b.Size, b.Time, m.Spec.Features)
}

// outputOf returns answers of the trainer as an engine returns them.
func outputOf[T float32 | float64](m *models.Model, b *datasets.Batch, answers []T) map[string]tensor.Tensor {
	shape := []int{b.Size, m.Spec.Outputs}
	if m.Spec.Readout == models.ReadAll {
		shape = []int{b.Size, b.Time, m.Spec.Outputs}
	}
	return map[string]tensor.Tensor{"output": tensor.Of(answers, shape...)}
}
