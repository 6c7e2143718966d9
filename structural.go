package rnnkit

import (
	"math"

	"github.com/rnnkit/rnnkit/models"
)

// structure is a structural model of a series: a level that wanders, a slope, and a season
// that changes slowly, with the variances of their changes in units of that of the noise.
// Harvey, "Forecasting, Structural Time Series Models and the Kalman Filter" (1989).
type structure struct {
	level, slope, season float64
	memory               float64 // correlation of the season with that one before
	start                float64 // variance of the level in the beginning; a window has 1
}

// structures are those that the linear maps of a model begin as, the first ones first.
var structures = []structure{
	{0.01, 0, 1, 0.98, 4}, {0.1, 0, 1, 0.98, 4}, {1, 0, 1, 0.9, 4}, {0.05, 1e-4, 1, 0.98, 4},
	{0.3, 1e-3, 1, 0.95, 4}, {0.1, 0, 5, 0.8, 4}, {0.01, 1e-4, 5, 0.99, 4}, {0.02, 0, 0.05, 0.98, 4},
	{3, 0, 3, 0.98, 4}, {0, 1e-3, 5, 0.99, 4}, {1, 3e-3, 5, 0.9, 4}, {0.3, 0, 0.2, 0.98, 4},
	{0.1, 0, 20, 0.5, 4}, {0.003, 1e-5, 0.3, 1, 4}, {10, 0, 1, 0.98, 4}, {0, 0, 1, 0.95, 4},
}

// structuralMaps returns the linear maps of a direct forecaster, [window, maps, horizon],
// each the best forecast by one of the structures.
func structuralMaps(d *models.Direct, season int) []float32 {
	maps := make([]float32, d.Window*d.Linear*d.Horizon)
	for k, s := range structures[:d.Linear] {
		one := s.forecast(d.Window, d.Horizon, max(1, season))
		for t := range d.Window {
			for h, v := range one[t*d.Horizon:][:d.Horizon] {
				maps[(t*d.Linear+k)*d.Horizon+h] = float32(v)
			}
		}
	}
	return maps
}

// forecast returns the linear map [window, horizon] from a window to the expected values
// of what follows: the regression of a Gaussian process, Rasmussen and Williams,
// "Gaussian Processes for Machine Learning" (2006), equation 2.23.
func (s structure) forecast(window, horizon, season int) []float64 {
	within, ahead := make([]float64, window*window), make([]float64, window*horizon)
	for i := range window {
		for j := range window {
			within[i*window+j] = s.covariance(i, j, window, season)
		}
		within[i*window+i]++ // the noise
		for h := range horizon {
			ahead[i*horizon+h] = s.covariance(i, window+h, window, season)
		}
	}
	factorize(within, window)
	substitute(within, window, ahead, horizon)
	return ahead
}

// covariance returns that of the values at two steps, without the noise. The slope begins
// at the end of the window.
func (s structure) covariance(i, j, window, season int) float64 {
	c := s.start + s.level*float64(min(i, j)) + s.slope*float64(i-window)*float64(j-window)
	if apart := max(i, j) - min(i, j); apart%season == 0 {
		c += s.season * math.Pow(s.memory, float64(apart/season))
	}
	return c
}
