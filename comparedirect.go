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

// compareDirect is Compare for a direct forecaster. It compares the quantiles of each
// target from some origins, whose windows lack values where the series do.
func (j *Job) compareDirect(ctx context.Context, file []byte, exported *infer.Model) (c Comparison, err error) {
	list := j.forecaster.someOrigins(max(1, min(64, (1<<16)/j.Model.Window)))
	c.Examples = len(list)
	inputs := inputsAt(j.forecaster.panel, &j.Model.Metadata, list)
	answers, err := exported.Run(ctx, inputs, "quantiles")
	if err != nil {
		return c, fmt.Errorf("it does not run: %w", err)
	}
	for i, at := range list {
		if err := j.compareOrigin(ctx, &c, file, at, tensorRow(answers["quantiles"], i)); err != nil {
			return c, err
		}
	}
	return c, nil
}

// someOrigins returns the last origins of the series, then others at equal distances,
// at most so many. The first window of a series begins before it.
func (f *forecaster) someOrigins(limit int) (list []origin) {
	for i := range f.panel.Series {
		if n := f.panel.Series[i].Len(); n > 0 && len(list) < (limit+1)/2 {
			list = append(list, origin{i, n})
		}
	}
	each := max(1, (limit-len(list))/len(list))
	for _, last := range slices.Clone(list) {
		for k := range each {
			if row := 1 + k*(last.row-1)/each; row < last.row && len(list) < limit {
				list = append(list, origin{last.series, row})
			}
		}
	}
	return list
}

// tensorRow returns example i of a tensor, without the dimension of the batch.
func tensorRow(t tensor.Tensor, i int) []float32 {
	data := t.Data.([]float32)
	each := len(data) / t.Shape[0]
	return data[i*each:][:each]
}

// compareOrigin adds the comparison of what was answered from an origin, [horizon,
// targets, quantiles], to c.
func (j *Job) compareOrigin(ctx context.Context, c *Comparison, file []byte, at origin, answers []float32) error {
	batch := j.forecaster.batchAt(at)
	want, err := trainer.Forecast(j.Model, batch)
	if err != nil {
		return err
	}
	d, err := difference(j.Model, batch, want, answers, verify.Tolerance)
	c.Largest = max(c.Largest, d)
	if err == nil {
		return nil
	}
	c.Rounding = err
	return j.judgeOrigin(ctx, file, at, batch, answers)
}

// judgeOrigin is Job.judge for an origin.
func (j *Job) judgeOrigin(ctx context.Context, file []byte, at origin, batch *datasets.Batch, answers []float32) error {
	exact, err := trainer.ForecastExact(j.Model, batch)
	if err != nil {
		return err
	}
	graph, err := verify.OpenExact(file)
	if err != nil {
		return err
	}
	defer graph.Close()
	got, err := graph.Run(ctx, inputsAt(j.forecaster.panel, &j.Model.Metadata, []origin{at}), "quantiles")
	if err != nil {
		return fmt.Errorf("it does not run in float64: %w", err)
	}
	if _, err := difference(j.Model, batch, exact, got["quantiles"].Float64s(), exactTolerance); err != nil {
		return fmt.Errorf("in float64 %w", err)
	}
	if _, err := difference(j.Model, batch, exact, float64s(answers), roundingTolerance); err != nil {
		return fmt.Errorf("%w (if the losses are large, the weights have outgrown float32: lower the learning rate)", err)
	}
	return nil
}

// batchAt returns a batch of all targets of a series from an origin, as the trainer reads
// them.
func (f *forecaster) batchAt(at origin) *datasets.Batch {
	d, s := f.Spec.Direct, &f.panel.Series[at.series]
	b := &datasets.Batch{Size: len(s.Targets), Time: d.Window}
	targets := s.Targets
	if f.Missing == models.MissingInterpolate {
		targets = known(targets, min(at.row, s.Len()))
	}
	for _, values := range targets {
		columns := slices.Concat([][]float64{values}, s.Past, s.Future)
		b.Inputs = appendRows(b.Inputs, columns, at.row-d.Window, at.row)
		b.Ahead = appendRows(b.Ahead, s.Future, at.row, at.row+d.Horizon)
		b.Static = appendRows(b.Static, transposed(s.Static), 0, 1)
		for i, c := range f.meta.Forecast.Categories {
			b.Categories = append(b.Categories, int64(slices.Index(c.Values, s.Categories[i])+1))
		}
	}
	return b
}

// transposed returns values as columns of one row.
func transposed(values []float64) (columns [][]float64) {
	for i := range values {
		columns = append(columns, values[i:i+1])
	}
	return columns
}

// difference compares the answers of the trainer for the targets of a batch, [targets,
// horizon, quantiles], with those of an engine, [horizon, targets, quantiles]. The largest
// difference is in units of the deviation of the target's window. Whole numbers may lie one
// apart, since a half is rounded either way.
func difference[T float32 | float64](m *models.Model, b *datasets.Batch, want, answers []T, tolerance float64) (largest float64, err error) {
	d := m.Spec.Direct
	columns, levels := len(b.Inputs)/(b.Size*b.Time), len(d.Quantiles)
	for t := range b.Size {
		units := rawUnits(b.Inputs[t*b.Time*columns:][:b.Time*columns], columns, m.LogFloor() > 0)
		w, g := want[t*d.Horizon*levels:][:d.Horizon*levels], make([]T, 0, d.Horizon*levels)
		for h := range d.Horizon {
			g = append(g, answers[(h*b.Size+t)*levels:][:levels]...)
		}
		if m.Forecast.Integer {
			forgiveHalves(w, g)
		}
		one, err := verify.Difference(output(w), output(g), tolerance, units)
		if largest = max(largest, one/float64(units.Std[0])); err != nil {
			return largest, err
		}
	}
	return largest, nil
}

func output[T float32 | float64](values []T) map[string]tensor.Tensor {
	return map[string]tensor.Tensor{"output": tensor.Of(values, len(values))}
}

// forgiveHalves makes whole numbers that lie one apart equal.
func forgiveHalves[T float32 | float64](want, got []T) {
	for i := range want {
		if math.Abs(float64(want[i]-got[i])) == 1 {
			got[i] = want[i]
		}
	}
}

// rawUnits returns the mean and the deviation of a window in raw units. Where the model
// reads logarithms, the deviation is at least a share of the mean, since their rounding
// grows with the level and its logarithm.
func rawUnits(window []float32, columns int, logarithms bool) *models.Scale {
	var values []float64
	for t := 0; t < len(window); t += columns {
		values = append(values, float64(window[t]))
	}
	mean, deviation := moments(values)
	if math.IsNaN(mean) {
		mean, deviation = 0, 1
	}
	if logarithms && mean != 0 {
		deviation = max(deviation, math.Abs(mean)*(1+math.Abs(math.Log(math.Abs(mean))))/16)
	}
	return &models.Scale{Mean: []float32{float32(mean)}, Std: []float32{float32(max(deviation, 1e-6*math.Abs(mean)+1e-20))}}
}
