package rnnkit

import (
	"math"
	"slices"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/models"
)

// The fit of a structural model.
const (
	structuralWeight = 0.6  // of all structural models in a mixture
	stackedErrors    = 6000 // that the fit looks at, about
	stackingSteps    = 200
	stackingRate     = 0.3
	farError         = 7.5 // times the median: 5 deviations of a normal distribution
)

// structuralGrid returns the structures of which a structural model is made: levels that
// stay, wander or are the last value; no slope, one that is not trusted and one that is,
// whatever the length of the window; and seasons from none to one that is repeated.
func structuralGrid(window int) (list []structure) {
	square := float64(window * window)
	for _, level := range []float64{0, 0.02, 0.1, 0.5, 3, 30} {
		for _, slope := range []float64{0, 3 / square, 1000 / square} {
			for _, s := range []struct{ season, memory float64 }{{0, 1}, {0.3, 0.98}, {3, 0.98}, {10, 0.8}, {30, 0.99}} {
				list = append(list, structure{level, slope, s.season, s.memory, 100})
			}
		}
	}
	return list
}

// structuralSpec returns the architecture of a structural model that is mixed with models of
// another one: a linear map beside a network that answers nothing but how far the quantiles
// lie from the median.
func structuralSpec(s models.Spec, log float64) models.Spec {
	direct := *s.Direct
	direct.Linear, direct.Log = 1, log
	s.Cell, s.Activation, s.Hidden, s.Embedding, s.Layers, s.Dropout, s.Bidirectional = models.GRU, "", 1, 1, 1, 0, false
	s.Direct = &direct
	return s
}

// isStructural reports whether a component of a mixture has such an architecture.
func isStructural(s models.Spec) bool { return s.Hidden == 1 && s.Direct.Linear == 1 }

// fitStructural returns the parameters of a structural model. Its linear map is the mean of
// those of the structures, with the weights that are best on the windows of a source. Since
// no structure has learned from them, these are forecasts of what was not seen. The
// quantiles are those of a normal distribution that is as wide as the errors.
func fitStructural(source datasets.Source, spec models.Spec, season int) (*models.Params[float32], error) {
	d := spec.Direct
	s := newStacking(d, season)
	limit := max(minWindows, stackedErrors/d.Horizon)
	var b datasets.Batch
	for part := range slices.Chunk(drawn(source.Len(), limit, 0), 256) {
		if err := source.Read(&b, part); err != nil {
			return nil, err
		}
		s.addBatch(&b, d)
	}
	weights := s.weights()
	p := models.NewParams[float32](spec)
	for k, w := range weights {
		for i, v := range s.maps[k] {
			p.Path[i] += float32(w * v)
		}
	}
	quantiles := len(d.Quantiles)
	for h, deviation := range s.deviations(weights, spec.Outputs/quantiles) {
		for k, q := range d.Quantiles {
			p.Head.B[h*quantiles+k] = float32(math.Erfinv(2*q-1) * math.Sqrt2 * deviation)
		}
	}
	return p, nil
}

// stacking finds the weights of several forecasts: Wolpert, "Stacked Generalization" (1992).
type stacking struct {
	horizon int
	maps    [][]float64 // of each structure, [window, horizon]
	errors  [][]float64 // of each structure, [windows, horizon], in units of the loss
	scales  []float64   // of each window, of its deviation in these units
}

func newStacking(d *models.Direct, season int) *stacking {
	s := &stacking{horizon: d.Horizon}
	for _, one := range structuralGrid(d.Window) {
		s.maps = append(s.maps, one.forecast(d.Window, d.Horizon, max(1, season)))
	}
	s.errors = make([][]float64, len(s.maps))
	return s
}

// addBatch adds the errors from the windows of a batch. A step that is missing counts as
// one without an error.
func (s *stacking) addBatch(b *datasets.Batch, d *models.Direct) {
	columns := len(b.Inputs) / (b.Size * b.Time)
	z := make([]float64, d.Window)
	for i := range b.Size {
		center, deviation := normalize(z, b.Inputs[i*b.Time*columns:], columns, d)
		if !(deviation > 0) {
			continue
		}
		unit := float64(b.Weights[i])
		if d.Log > 0 {
			unit *= math.Exp(center)
		}
		s.scales = append(s.scales, deviation*unit)
		for k, m := range s.maps {
			errors := make([]float64, s.horizon)
			for t, v := range z {
				addScaled(errors, v*deviation*unit, m[t*s.horizon:][:s.horizon])
			}
			for h, y := range b.Targets[i*s.horizon:][:s.horizon] {
				if errors[h] += (center - read(y, d)) * unit; math.IsNaN(errors[h]) {
					errors[h] = 0
				}
			}
			s.errors[k] = append(s.errors[k], errors...)
		}
	}
}

// weights returns the weight of each structure, with which the mean absolute error is least,
// less the entropy of the weights divided by the number of windows: exponentiated gradient
// descent, Kivinen and Warmuth, "Exponentiated Gradient versus Gradient Descent for Linear
// Predictors" (1997).
func (s *stacking) weights() []float64 {
	count := len(s.maps)
	weights := slices.Repeat([]float64{1 / float64(count)}, count)
	if len(s.scales) == 0 {
		return weights
	}
	for step := range stackingSteps {
		slopes := s.slopes(weights)
		rate := stackingRate / (1 + float64(step)/30) / (maxAbs(slopes) + 1e-9)
		sum := 0.0
		for k := range weights {
			weights[k] *= math.Exp(-rate * slopes[k])
			sum += weights[k]
		}
		scale(weights, 1/sum)
	}
	return weights
}

// slopes returns the derivative of what weights makes least, by the logarithms of the
// weights, divided by these.
func (s *stacking) slopes(weights []float64) []float64 {
	mixed, windows := s.mixed(weights), float64(len(s.scales))
	slopes, mean := make([]float64, len(weights)), 0.0
	for k, errors := range s.errors {
		for i, e := range errors {
			slopes[k] += math.Copysign(1, mixed[i]) * e
		}
		slopes[k] = slopes[k]/float64(len(errors)) + math.Log(max(weights[k], 1e-12)*float64(len(weights)))/windows
		mean += weights[k] * slopes[k]
	}
	for k := range slopes {
		slopes[k] -= mean
	}
	return slopes
}

// mixed returns the errors with the given weights, [windows, horizon].
func (s *stacking) mixed(weights []float64) []float64 {
	mixed := make([]float64, len(s.errors[0]))
	for k, w := range weights {
		addScaled(mixed, w, s.errors[k])
	}
	return mixed
}

// deviations returns how far the values of each of the first steps of the horizon lie from
// the forecasts, in units of the window's deviation: the root of the mean square, of all
// steps that are a multiple of so many after it. An error of more than farError times the
// median of all counts as that, so that one outlier among few windows does not make the
// intervals wide.
func (s *stacking) deviations(weights []float64, steps int) []float64 {
	const unknown = 0.5
	if len(s.scales) == 0 {
		return slices.Repeat([]float64{unknown}, steps)
	}
	squares, units := make([]float64, steps), make([]float64, steps)
	mixed := s.mixed(weights)
	far := farError * s.medianError(mixed)
	for i, e := range mixed {
		step, unit := i%s.horizon%steps, s.scales[i/s.horizon]
		if most := far * unit; most > 0 {
			e = min(math.Abs(e), most)
		}
		squares[step] += e * e
		units[step] += unit * unit
	}
	for h := range squares {
		squares[h] = math.Sqrt(squares[h] / units[h])
	}
	return squares
}

// medianError returns the median of the errors, in units of the window's deviation.
func (s *stacking) medianError(mixed []float64) float64 {
	sizes := make([]float64, len(mixed))
	for i, e := range mixed {
		sizes[i] = math.Abs(e) / s.scales[i/s.horizon]
	}
	slices.Sort(sizes)
	return sizes[len(sizes)/2]
}

func maxAbs(x []float64) (largest float64) {
	for _, v := range x {
		largest = max(largest, math.Abs(v))
	}
	return largest
}
