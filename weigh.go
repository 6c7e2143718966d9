package rnnkit

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/rnnkit/rnnkit/models"
)

// weigh chooses how much of the second ensemble of m is mixed in, by the forecasts from
// origins that it has not seen. It sets the mixture of m and that of the metadata.
func (f *forecaster) weigh(ctx context.Context, m *models.Model, origins []origin) error {
	if f.mixLogs || f.structural || f.Start != nil || len(m.Mixture) == 0 {
		return nil
	}
	var parts [][]Backcast
	for _, g := range m.Groups() {
		one := f.mixed([]models.Group{g})
		b := &backtest{panel: f.panel, meta: &one.Metadata, origins: origins}
		if err := b.forecastBy(ctx, unbounded(one)); err != nil {
			return err
		}
		parts = append(parts, b.backcasts)
	}
	errors := f.panel.Until(f.calibration).SeasonalErrors(f.Season)
	weight, gain := mixedWeight(parts, errors)
	f.mix(m, weight, gain)
	return nil
}

// mixedWeight returns the weight of the second part with the smallest error, and by how
// much that is less than without the part; or 0 if no weight makes it much smaller.
func mixedWeight(parts [][]Backcast, errors [][]float64) (weight float32, gain float64) {
	alone := mixedError(parts, errors, 0)
	for _, w := range mixedWeights {
		if less := alone - mixedError(parts, errors, float64(w)); less >= mixedGain && less > gain {
			weight, gain = w, less
		}
	}
	return weight, gain
}

// mix gives the second ensemble a weight, by which the error is so much smaller, or takes
// it out.
func (f *forecaster) mix(m *models.Model, weight float32, gain float64) {
	forecast := *f.meta.Forecast
	f.weighed = "no mixture: an ensemble without linear maps makes the forecasts of the rows held back no better"
	if weight > 0 {
		c := m.Mixture[0]
		c.Weight = weight
		m.Mixture = []models.Component{c}
		f.weighed = fmt.Sprintf("mixture: %g of an ensemble of %d units without linear maps, by which the errors on the rows held back are %.1f%% smaller", weight, c.Spec.Hidden, 50*gain)
	} else {
		m.Mixture, m.Mixed = nil, nil
	}
	forecast.Rules = append(slices.Clone(forecast.Rules), f.weighed)
	f.meta.Mixture, f.meta.Forecast = m.Mixture, &forecast
	m.Forecast = &forecast
}

// mixedError returns the sum of the logarithms of the root of the mean squared error and of
// the mean absolute error, for a weight of the second part, in units of the given error of
// each series and target.
func mixedError(parts [][]Backcast, errors [][]float64, weight float64) float64 {
	var squares, sum, n float64
	for i, a := range parts[0] {
		b := parts[1][i]
		for h, actual := range a.Actual {
			e := (a.Forecast[h] + weight*(b.Forecast[h]-a.Forecast[h]) - actual) / errors[a.Series][a.Target]
			if !math.IsNaN(e) {
				squares += e * e
				sum += math.Abs(e)
				n++
			}
		}
	}
	return math.Log(math.Sqrt(squares/n)) + math.Log(sum/n)
}
