package trainer

import (
	"math"
	"slices"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/models"
)

// Forecast returns what an exported file of the direct forecaster m answers as its
// quantiles, [size, horizon, quantiles]: the medians of what the members of the ensemble
// predict, ordered outwards from the quantile 0.5, with the widths and the bounds of
// m.Forecast. It reads b as Predict does, one target an example.
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
	var members [][]T
	for _, params := range slices.Concat([]*models.Params[float32]{m.Params}, m.Ensemble) {
		y, err := predict(&models.Model{Metadata: m.Metadata, Params: params}, b)
		if err != nil {
			return nil, err
		}
		members = append(members, y)
	}
	y := medians(members)
	n := len(m.Spec.Direct.Quantiles)
	for i := 0; i < len(y); i += n {
		finish(y[i:][:n], m.Forecast, i/n%m.Horizon)
	}
	return y, nil
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
	order(q)
	if len(f.Widths) > 0 {
		median := q[len(q)/2]
		for k, w := range f.Widths[step*len(q):][:len(q)] {
			q[k] = median + (q[k]-median)*T(w)
		}
		order(q)
	}
	least, most := bounds(f)
	for k, v := range q {
		if f.Integer {
			v = T(math.RoundToEven(float64(v)))
		}
		q[k] = min(max(v, T(least)), T(most))
	}
}

// order makes quantiles monotone, outwards from the one in the middle.
func order[T models.Float](q []T) {
	for i := len(q) / 2; i > 0; i-- {
		q[i-1] = min(q[i-1], q[i])
		q[len(q)-i] = max(q[len(q)-i], q[len(q)-i-1])
	}
}

// bounds returns the bounds of the answers: of whole numbers, whole ones.
func bounds(f *models.Forecasting) (least, most float64) {
	least, most = math.Inf(-1), math.Inf(1)
	if f.Min != nil {
		least = *f.Min
	}
	if f.Max != nil {
		most = *f.Max
	}
	if f.Integer {
		least, most = math.Ceil(least), math.Floor(most)
	}
	return float64(float32(least)), float64(float32(most))
}
