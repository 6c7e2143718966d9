package trainer

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/models"
)

// oneBatch is a source of the examples of a batch.
type oneBatch struct{ datasets.Batch }

func (s oneBatch) Len() int { return s.Size }

func (s oneBatch) Read(b *datasets.Batch, _ []int) error {
	*b = s.Batch
	return nil
}

// TestMedianWeight compares the loss of an update with the pinball losses of what the
// model answers, weighted by definition.
func TestMedianWeight(t *testing.T) {
	meta := directModel(nil)
	params, err := models.Init(meta.Spec, 1)
	if err != nil {
		t.Fatal(err)
	}
	m := &models.Model{Metadata: *meta, Params: params}
	b := directBatch(meta.Spec.Direct, 7, rand.New(rand.NewPCG(1, 2)))
	answers, err := Predict(m, &b)
	if err != nil {
		t.Fatal(err)
	}
	const weight = 4.0
	var want, known float64
	for i, target := range b.Targets {
		if target != target {
			continue
		}
		known++
		for k, q := range meta.Spec.Direct.Quantiles {
			d := float64(target) - float64(answers[3*i+k])
			loss := max(q*d, (q-1)*d) * float64(b.Weights[i/meta.Horizon]) / (2 + weight)
			if k == 1 {
				loss *= weight
			}
			want += loss
		}
	}
	want /= known
	var got float64
	o := Options{MedianWeight: weight, LearningRate: 1e-9, Epochs: 1, Batch: 7, NoShuffle: true, OnBatch: func(p Progress) { got = p.Loss }}
	if _, err := Fit(context.Background(), m, oneBatch{b}, nil, o); err != nil {
		t.Fatal(err)
	}
	if !(math.Abs(got-want) < 1e-6*want) {
		t.Errorf("the loss is %g, not %g", got, want)
	}

	for _, o := range []Options{{MedianWeight: -1}, {MedianWeight: math.NaN()}, {MedianWeight: 2}} {
		spec := meta.Spec
		if o.MedianWeight == 2 {
			spec = models.Forecaster("", 3).Spec
		}
		var field *models.FieldError
		if err := o.Validate(spec); !errors.As(err, &field) || field.Field != "MedianWeight" {
			t.Errorf("%g: %v", o.MedianWeight, err)
		}
	}
}
