package trainer

import (
	"math"
	"slices"
	"testing"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/internal/kernels"
	"github.com/rnnkit/rnnkit/models"
)

// TestVariants compares the losses of every variant of the kernels with those of the
// generic one, over 100 updates of models like those of the presets. Under -short there
// are 5 updates.
func TestVariants(t *testing.T) {
	epochs := 20 // of 5 updates
	if testing.Short() {
		epochs = 1
	}
	one := models.Spec{Cell: models.RNN, Features: 1, Hidden: 16, Layers: 1, Readout: models.ReadLast, Outputs: 1}
	chars := models.Spec{
		Cell: models.LSTM, Vocabulary: 30, Embedding: 32, Hidden: 64, Layers: 1, Readout: models.ReadAll, Outputs: 30,
	}
	gru := models.Spec{Cell: models.GRU, Features: 3, Hidden: 33, Layers: 2, Readout: models.ReadFinal, Outputs: 2}
	sine, echo, palindrome := one, one, one
	sine.Cell, sine.Hidden = models.LSTM, 32
	echo.Cell = models.LSTM
	palindrome.Features, palindrome.Vocabulary, palindrome.Embedding = 0, 10, 8
	both := palindrome
	both.Bidirectional = true
	for _, job := range []struct {
		name        string
		spec        models.Spec
		time, batch int
		loss        Loss
		rate        float64
	}{
		{"chars", chars, 40, 32, CrossEntropy{}, 1e-3},
		{"sine", sine, 50, 32, MSE(), 1e-3},
		{"echo rnn", one, 50, 64, BinaryCrossEntropy(), 1e-2},
		{"echo lstm", echo, 50, 64, BinaryCrossEntropy(), 1e-2},
		{"palindrome", palindrome, 7, 64, BinaryCrossEntropy(), 1e-2},
		{"palindrome, both", both, 7, 64, BinaryCrossEntropy(), 1e-2},
		{"gru", gru, 9, 21, Huber(1), 1e-3},
	} {
		t.Run(job.name, func(t *testing.T) {
			losses := make(map[string][]float64)
			defer kernels.Use(kernels.Variant())
			for _, variant := range kernels.Variants() {
				kernels.Use(variant)
				source := examples{spec: job.spec, count: 5 * job.batch, time: job.time, damage: targetsOf(job.loss)}
				_, err := Fit(t.Context(), newModel(t, job.spec), source, examples{}, Options{
					Loss: job.loss, LearningRate: job.rate, Epochs: epochs, Batch: job.batch,
					OnBatch: func(p Progress) { losses[variant] = append(losses[variant], p.Loss) },
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			for variant, got := range losses {
				for i, want := range losses["generic"] {
					if !(math.Abs(got[i]-want) <= 1e-5*math.Max(1, math.Abs(want))) {
						t.Fatalf("%s: the loss of update %d is %v, not %v", variant, i, got[i], want)
					}
				}
			}
		})
	}
}

// targetsOf returns a function that turns the random targets of a batch into what a loss
// needs: a label for each step, or 0 and 1.
func targetsOf(loss Loss) func(*datasets.Batch) {
	switch loss.(type) {
	case CrossEntropy:
		return func(b *datasets.Batch) {
			b.Targets, b.Labels = nil, slices.Clone(b.Tokens)
			slices.Reverse(b.Labels)
		}
	case binaryCrossEntropy:
		return func(b *datasets.Batch) {
			for i, v := range b.Targets {
				b.Targets[i] = float32(max(0, math.Copysign(1, float64(v))))
			}
		}
	}
	return nil
}
