package trainer

import (
	"math"
	"slices"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/models"
)

// Forecast returns what an exported file of the direct forecaster m answers as its
// quantiles, [size, horizon, quantiles]: the medians of what the members of each ensemble
// predict, summed with the weights of the mixture, ordered outwards from the quantile 0.5,
// with the widths and the bounds of m.Forecast. It reads b as Predict does, one target an
// example.
func Forecast(m *models.Model, b *datasets.Batch) ([]float32, error) {
	return forecast(m, b, Predict)
}

// ForecastExact is Forecast in float64, as PredictExact is Predict.
func ForecastExact(m *models.Model, b *datasets.Batch) ([]float64, error) {
	return forecast(m, b, PredictExact)
}

func forecast[T models.Float](m *models.Model, b *datasets.Batch, predict func(*models.Model, *datasets.Batch) ([]T, error)) ([]T, error) {
	if m.Spec.Direct == nil {
		return nil, &models.FieldError{Field: "m.Spec.Direct", Value: nil, Want: "set: only a direct forecaster has quantiles"}
	}
	if err := m.Validate(); err != nil {
		return nil, models.InField("m", err)
	}
	var y []T
	for _, group := range m.Groups() {
		answers, err := ensemble(m.Metadata, group, b, predict)
		if err != nil {
			return nil, err
		}
		if y == nil {
			y = make([]T, len(answers))
		}
		for i, v := range answers {
			y[i] += T(group.Weight) * v
		}
	}
	n := len(m.Spec.Direct.Quantiles)
	for i := 0; i < len(y); i += n {
		finish(y[i:][:n], m.Forecast, i/n%m.Horizon)
	}
	return y, nil
}

// ensemble returns the medians of what the members of a group predict.
func ensemble[T models.Float](meta models.Metadata, group models.Group, b *datasets.Batch, predict func(*models.Model, *datasets.Batch) ([]T, error)) ([]T, error) {
	meta.Spec, meta.Mixture = group.Spec, nil
	var members [][]T
	for _, params := range group.Members {
		y, err := predict(&models.Model{Metadata: meta, Params: params}, b)
		if err != nil {
			return nil, err
		}
		members = append(members, y)
	}
	return medians(members), nil
}

// medians returns the medians of the members, number by number: of an even number of
// members the mean of the two in the middle.
func medians[T models.Float](members [][]T) []T {
	y, sorted := members[0], make([]T, len(members))
	for i := range y {
		for k, m := range members {
			sorted[k] = m[i]
		}
		slices.Sort(sorted)
		y[i] = (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
	}
	return y
}

// finish takes the quantiles of a step to what m.Forecast says of them.
func finish[T models.Float](q []T, f *models.Forecasting, step int) {
	models.OrderQuantiles(q)
	if len(f.Widths) > 0 {
		models.WidenQuantiles(q, f.Widths[step*len(q):][:len(q)])
	}
	least, most := f.Bounds()
	for k, v := range q {
		if f.Integer {
			v = T(math.RoundToEven(float64(v)))
		}
		q[k] = min(max(v, T(float32(least))), T(float32(most)))
	}
}
