package verify

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

// Inputs returns random inputs of a model that rnnkit exported, in raw units, but for its
// states. A direct forecaster reads no other time than its window, and some of the values
// are missing.
func Inputs(meta *models.Metadata, batch, time int, seed uint64) (map[string]tensor.Tensor, error) {
	d := meta.Spec.Direct
	if d == nil {
		input, err := Input(meta, batch, time, seed)
		return map[string]tensor.Tensor{"input": input}, err
	}
	if size, err := tensor.Size([]int{batch, d.Window + d.Horizon, d.Columns()}); err != nil || size > maxInput || time != d.Window {
		return nil, fmt.Errorf("%d windows of %d steps of %d columns are too many, or no windows of the model, which has %d steps: take fewer", batch, time, d.Columns(), d.Window)
	}
	rng := rand.New(rand.NewPCG(seed, 2))
	inputs := map[string]tensor.Tensor{"input": windows(rng, meta, batch)}
	f := meta.Forecast
	if d.Future > 0 {
		inputs["future"] = tensor.Of(covariates(rng, f.FutureScale, batch*d.Horizon, d.Future), batch, d.Horizon, d.Future)
	}
	if d.Static > 0 {
		inputs["static"] = tensor.Of(covariates(rng, f.StaticScale, batch, d.Static), batch, d.Static)
	}
	if n := len(d.Categories); n > 0 {
		var numbers []int64
		for i := range batch * n {
			numbers = append(numbers, rng.Int64N(int64(d.Categories[i%n].Size)))
		}
		inputs["categories"] = tensor.Of(numbers, batch, n)
	}
	return inputs, nil
}

// windows returns random windows of a direct forecaster.
func windows(rng *rand.Rand, meta *models.Metadata, batch int) tensor.Tensor {
	d, rows := meta.Spec.Direct, batch*meta.Spec.Direct.Window
	past, future := covariates(rng, meta.Forecast.PastScale, rows, d.Past), covariates(rng, meta.Forecast.FutureScale, rows, d.Future)
	x := make([]float32, 0, rows*d.Columns())
	for row := range rows {
		for range d.Targets {
			v := 10 + 3*rng.NormFloat64()
			if rng.IntN(20) == 0 {
				v = math.NaN()
			}
			x = append(x, float32(v))
		}
		x = append(x, past[row*d.Past:][:d.Past]...)
		x = append(x, future[row*d.Future:][:d.Future]...)
	}
	return tensor.Of(x, batch, d.Window, d.Columns())
}

// covariates returns random rows of n columns, in raw units.
func covariates(rng *rand.Rand, scale *models.Scale, rows, n int) []float32 {
	x := make([]float32, rows*n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	scale.Invert(x, x)
	return x
}

// Forecasts returns what the trainer answers as the quantiles of a direct forecaster, in the
// order of the graph, [batch, horizon, targets, quantiles], to inputs of the graph.
func Forecasts(m *models.Model, inputs map[string]tensor.Tensor) ([]float32, error) {
	d, batch := m.Spec.Direct, inputs["input"].Shape[0]
	n := len(d.Quantiles)
	all := make([]float32, batch*d.Horizon*d.Targets*n)
	for target := range d.Targets {
		answers, err := trainer.Forecast(m, targetBatch(d, inputs, target))
		if err != nil {
			return nil, err
		}
		for row := range batch * d.Horizon {
			copy(all[(row*d.Targets+target)*n:], answers[row*n:][:n])
		}
	}
	return all, nil
}

// targetBatch returns inputs as the trainer reads them for one target.
func targetBatch(d *models.Direct, inputs map[string]tensor.Tensor, target int) *datasets.Batch {
	input := inputs["input"]
	b := &datasets.Batch{Size: input.Shape[0], Time: d.Window}
	for row := range slices.Chunk(input.Data.([]float32), d.Columns()) {
		b.Inputs = append(append(b.Inputs, row[target]), row[d.Targets:]...)
	}
	b.Ahead, _ = inputs["future"].Data.([]float32)
	b.Static, _ = inputs["static"].Data.([]float32)
	b.Categories, _ = inputs["categories"].Data.([]int64)
	return b
}
