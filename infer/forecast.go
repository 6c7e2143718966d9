package infer

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/models"
)

// Context is what is known of a series when a direct forecaster is asked to go on with it.
// A slice of Targets, Past and Future has the values of a column, the oldest first; the
// columns are those that [models.Forecasting] names, in that order. NaN is a missing value.
type Context struct {
	Targets [][]float64 // the columns that are forecast, all of the same length
	Past    [][]float64 // covariates up to now, as long as the targets

	// Future are the covariates that are known ahead, of which the values ahead follow
	// those of the past. The columns of the calendar, which come last among those of the
	// model, are computed from the time and not given.
	Future [][]float64

	Static     []float64 // the numbers of the series
	Categories []string  // its categories; a value that the model does not know counts as other
	Last       time.Time // of the last row, in the time zone of the calendar; zero if there are no times
}

// Forecast is what a direct forecaster answers for the steps after a [Context]. A model that
// reads logarithms takes targets below [models.Metadata.LogFloor] for that number, which
// NewForecaster of package rnnkit sets to a tenth of the least value that it learned from, or
// to the least above 0 where some are 0.
type Forecast struct {
	Times  []time.Time // of the steps; nil where the Context has no time or the model no frequency
	Median [][]float64 // [targets][steps]: the forecast itself

	// A value lies between Low and High with the probability of the level. Levels ascend.
	Levels    []float64
	Low, High [][][]float64 // [levels][targets][steps]

	// Padding is how many steps of the model's window lie before the first of the Context:
	// it forecasts all the same, from less than it was trained with.
	Padding int

	// Beyond is how many of the steps, the last ones, lie beyond the horizon. For these the
	// forecast goes on from its own medians, without past covariates, and the intervals
	// widen as the errors of one forecast after the other add up.
	Beyond int
}

// maxAhead limits the steps that a mistyped number can ask for.
const maxAhead = 1 << 20

// ForecastContext forecasts the given number of steps, 1 or more, that follow c. It is for
// direct forecasters and for models that darts exported, and an error for others. A model
// of darts takes no missing values and no history that is shorter than its window; beyond
// its horizon the last forecast ends with the last step, as in darts. A scaler that darts
// applied before the model is not in its file, and up to the caller. What cannot be used is a
// [*models.FieldError] of "steps" or of a path such as "c.Future[0]": columns that are missing
// or of another length, values that are infinite, a value of a covariate that is not known
// for a step ahead, a window without any value. The steps of a future covariate that lie
// within the horizon but after those that are asked for may be left out.
func (f *Forecaster) ForecastContext(ctx context.Context, c Context, steps int) (*Forecast, error) {
	r, err := f.begin(&c, steps)
	if err != nil {
		return nil, inArgument("c", err)
	}
	if err := f.advance(ctx, []*rollout{r}, steps); err != nil {
		return nil, err
	}
	return r.finish(steps), nil
}

// ForecastContexts is ForecastContext for several series at once, which is faster. The
// forecasts are in the order of the list, the paths of errors begin with "list[0]".
func (f *Forecaster) ForecastContexts(ctx context.Context, list []Context, steps int) ([]*Forecast, error) {
	rollouts := make([]*rollout, len(list))
	for i := range list {
		var err error
		if rollouts[i], err = f.begin(&list[i], steps); err != nil {
			return nil, inArgument(fmt.Sprintf("list[%d]", i), err)
		}
	}
	for part := range slices.Chunk(rollouts, batchSize(f.Window())) {
		if err := f.advance(ctx, part, steps); err != nil {
			return nil, err
		}
	}
	forecasts := make([]*Forecast, len(list))
	for i, r := range rollouts {
		forecasts[i] = r.finish(steps)
	}
	return forecasts, nil
}

// begin returns a rollout of so many steps after c.
func (f *Forecaster) begin(c *Context, steps int) (*rollout, error) {
	switch {
	case f.direct == nil:
		return nil, errNotDirect
	case steps < 1 || steps > maxAhead:
		return nil, &models.FieldError{Field: "steps", Value: steps, Want: fmt.Sprintf("from 1 to %d", maxAhead)}
	}
	return f.direct.begin(c, steps)
}

// inArgument returns err as one of that argument, unless it is of another one.
func inArgument(name string, err error) error {
	if field, ok := err.(*models.FieldError); ok && field.Field != "steps" {
		return models.InField(name, err)
	}
	return err
}

// advance lets rollouts go on until they have the given number of steps.
func (f *Forecaster) advance(ctx context.Context, list []*rollout, steps int) error {
	for _, first := range f.direct.starts(steps) {
		quantiles, err := f.direct.run(ctx, f.Model(), list, first)
		if err != nil {
			return err
		}
		size := len(quantiles) / len(list)
		for i, r := range list {
			if err := r.append(quantiles[i*size:][:size], first); err != nil {
				return err
			}
		}
	}
	return nil
}

// starts returns the steps from which the model forecasts its horizon. In darts the last
// forecast ends with the last step, and takes the place of what was there.
func (d *direct) starts(steps int) (list []int) {
	for first := 0; first < steps; first += d.Horizon {
		if d.darts != nil && first > 0 {
			first = min(first, steps-d.Horizon)
		}
		list = append(list, first)
	}
	return list
}

// rollout is a forecast in the making.
type rollout struct {
	*direct
	rows       []float32 // [window + steps, columns]: what is known, and the medians ahead
	static     []float32
	categories []int64
	last       time.Time
	padding    int
	quantiles  []float64       // [steps, targets, quantiles]
	states     []tensor.Tensor // of a model of darts, after the last step
}

// row returns the values of a step, counted from the first one ahead.
func (r *rollout) row(step int) []float32 {
	columns := r.Columns()
	return r.rows[(r.Window+step)*columns:][:columns]
}

// append adds the quantiles of a horizon from a step on, and its medians to the rows.
func (r *rollout) append(quantiles []float32, first int) error {
	r.quantiles = r.quantiles[:first*r.Targets*len(r.Quantiles)]
	for i, v := range quantiles {
		if !finite(float64(v)) {
			return fmt.Errorf("the forecast is %g: the series may lie far from what the model was trained on, or the model be damaged", v)
		}
		r.quantiles = append(r.quantiles, float64(v))
		n := len(r.Quantiles)
		if i%n == n/2 {
			r.row(first + i/(n*r.Targets))[i/n%r.Targets] = v
		}
	}
	return nil
}

// finish returns the forecast.
func (r *rollout) finish(steps int) *Forecast {
	f := &Forecast{Levels: r.Levels(), Padding: r.padding, Beyond: max(0, steps-r.Horizon)}
	if !r.last.IsZero() && r.frequency != (models.Frequency{}) {
		for i := range steps {
			f.Times = append(f.Times, r.frequency.Add(r.last, i+1))
		}
	}
	for t := range r.Targets {
		for k := range r.Quantiles {
			r.widen(t, k)
		}
	}
	middle := len(r.Quantiles) / 2
	f.Median = r.take(middle, steps)
	for i := range middle {
		f.Low, f.High = append(f.Low, r.take(middle-1-i, steps)), append(f.High, r.take(middle+1+i, steps))
	}
	return f
}

// at returns quantile k of a target at a step.
func (r *rollout) at(step, target, k int) *float64 {
	return &r.quantiles[(step*r.Targets+target)*len(r.Quantiles)+k]
}

// take returns quantile k, [targets][steps].
func (r *rollout) take(k, steps int) [][]float64 {
	values := make([][]float64, r.Targets)
	for t := range values {
		for step := range steps {
			values[t] = append(values[t], *r.at(step, t, k))
		}
	}
	return values
}

// widen moves quantile k of a target away from the median where it lies beyond the
// horizon. The errors of forecasts that follow each other add up as independent ones do:
// the squares of the distances at the ends of those before are added to its own. In a
// model that reads logarithms, the distances are of these.
func (r *rollout) widen(target, k int) {
	middle, before := len(r.Quantiles)/2, 0.0
	for step := range len(r.quantiles) / (r.Targets * len(r.Quantiles)) {
		v, median := r.at(step, target, k), r.units(*r.at(step, target, middle))
		distance := r.units(*v) - median
		if step >= r.Horizon && k != middle {
			wide := math.Copysign(math.Sqrt(distance*distance+before), float64(k-middle))
			*v = r.forecasting.Bound(r.raw(median + wide))
		}
		if (step+1)%r.Horizon == 0 {
			before += distance * distance
		}
	}
}

// units returns v as the model reads it.
func (d *direct) units(v float64) float64 {
	if d.Log > 0 {
		return math.Log(max(v, d.Log))
	}
	return v
}

// raw is the inverse of units.
func (d *direct) raw(v float64) float64 {
	if d.Log > 0 {
		return math.Exp(v)
	}
	return v
}
