package verify

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/models"
)

// Models returns the largest difference between the answers of two exports of one
// model, whose metadata is meta, to random sequences of so many steps. The sequences
// begin with a state of zeros and, where both exports take a state, with a random one.
// Outputs that b lacks do not count. It is an error if the difference is more than
// [Tolerance].
func Models(ctx context.Context, meta *models.Metadata, a, b *infer.Model, steps int) (largest float64, err error) {
	const batch = 3
	zeros, err := Inputs(meta, batch, steps, 1)
	if err != nil {
		return 0, err
	}
	runs := []map[string]tensor.Tensor{zeros}
	if len(a.State()) > 0 && len(b.State()) > 0 {
		random := maps.Clone(zeros)
		for i, pair := range a.State() {
			random[pair.Input] = randomState(meta.Spec, batch, uint64(i))
		}
		runs = append(runs, random)
	}
	for _, inputs := range runs {
		d, err := compare(ctx, meta, a, b, inputs)
		if err != nil {
			return 0, err
		}
		largest = max(largest, d)
	}
	return largest, nil
}

// compare returns the largest difference of the outputs that both models have.
func compare(ctx context.Context, meta *models.Metadata, a, b *infer.Model, inputs map[string]tensor.Tensor) (float64, error) {
	want, err := a.Run(ctx, inputs)
	if err != nil {
		return 0, err
	}
	got, err := b.Run(ctx, inputs)
	if err != nil {
		return 0, err
	}
	maps.DeleteFunc(want, func(name string, _ tensor.Tensor) bool {
		return !slices.ContainsFunc(b.Outputs(), func(o tensor.Info) bool { return o.Name == name })
	})
	return Difference(want, got, Tolerance, meta.OutputScale)
}

func randomState(spec models.Spec, batch int, seed uint64) tensor.Tensor {
	rng := rand.New(rand.NewPCG(seed, 1))
	h := make([]float32, spec.Layers*spec.Directions()*batch*spec.Hidden)
	for i := range h {
		h[i] = float32(rng.NormFloat64())
	}
	return tensor.Of(h, spec.Layers*spec.Directions(), batch, spec.Hidden)
}
