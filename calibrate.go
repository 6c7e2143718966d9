package rnnkit

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/internal/conformal"
	"github.com/rnnkit/rnnkit/internal/metrics"
	"github.com/rnnkit/rnnkit/models"
)

// simpleLimit is how long a simple method may take beside a training.
const simpleLimit = 20 * time.Second

// comparedOrigins is from how many origins of a series a training compares its model with
// simple methods, at most.
const comparedOrigins = 30

// calibrate forecasts the last rows by a model that has not seen them. It sets the Widths
// of the metadata, and the result of the test.
func (f *forecaster) calibrate(ctx context.Context, m *models.Model) error {
	b := &backtest{panel: f.panel, meta: &f.meta, origins: f.calibrationOrigins(), options: BacktestOptions{Limit: simpleLimit}}
	if err := f.weigh(ctx, m, b.origins); err != nil || len(b.origins) == 0 {
		return err
	}
	if err := b.forecastBy(ctx, unbounded(m)); err != nil {
		return err
	}
	widths := b.widths()
	with := *f.meta.Forecast
	with.Widths = widths
	f.meta.Forecast = &with
	f.calibrated = len(b.backcasts)
	b.thin((f.origins + comparedOrigins - 1) / comparedOrigins)
	b.widen(widths)
	b.bound()
	var err error
	f.test, err = b.result(ctx)
	return err
}

// unbounded returns m without bounds and whole numbers, which would hide how wide the
// intervals must be.
func unbounded(m *models.Model) *models.Model {
	plain, forecast := *m, *m.Forecast
	forecast.Min, forecast.Max, forecast.Integer = nil, nil, false
	plain.Forecast = &forecast
	return &plain
}

// calibrationOrigins are the origins of the calibration, at equal distances over its rows.
func (f *forecaster) calibrationOrigins() (list []origin) {
	for i := range f.panel.Series {
		first, final := f.panel.Series[i].Len()-f.calibration, f.panel.Series[i].Len()-f.Horizon
		for k := range f.origins {
			row := final - k*(final-first)/max(1, f.origins-1)
			if row >= f.historyRows() {
				list = append(list, origin{i, row})
			}
		}
	}
	return list
}

// forecastBy sets the backcasts to what the file of a model answers.
func (b *backtest) forecastBy(ctx context.Context, model *models.Model) error {
	file, err := export.Marshal(model)
	if err != nil {
		return err
	}
	m, err := infer.OpenBytes(file)
	if err != nil {
		return err
	}
	defer m.Close()
	return b.forecast(ctx, m, b.origins)
}

// widths returns the factors of conformal calibration.
func (b *backtest) widths() []float32 {
	var forecasts [][][]float64
	var actuals [][]float64
	for _, c := range b.backcasts {
		forecasts, actuals = append(forecasts, c.Quantiles), append(actuals, c.Actual)
	}
	return conformal.Widths(b.meta.Spec.Direct.Quantiles, forecasts, actuals)
}

// thin keeps the backcasts from every so many origins.
func (b *backtest) thin(every int) {
	targets := len(b.panel.Targets)
	kept := b.backcasts[:0]
	for i, c := range b.backcasts {
		if i/targets%every == 0 {
			kept = append(kept, c)
		}
	}
	b.backcasts = kept
}

// widen multiplies the distances of the quantiles from the median by widths.
func (b *backtest) widen(widths []float32) {
	for _, c := range b.backcasts {
		for h, q := range c.Quantiles {
			models.WidenQuantiles(q, widths[h*len(q):][:len(q)])
		}
	}
}

// bound rounds and bounds the backcasts as the graph does.
func (b *backtest) bound() {
	for _, c := range b.backcasts {
		for _, values := range append(c.Quantiles, c.Forecast) {
			for i, v := range values {
				values[i] = b.meta.Forecast.Bound(v)
			}
		}
	}
}

// summary says how good the model was on the rows that the first fit did not see.
func (f *forecaster) summary() string {
	if f.test == nil {
		return "not tested: the series are too short to hold rows back"
	}
	model, others := f.test.Reports[0], slices.Clone(f.test.Reports[1:])
	if model.All.Compared == 0 {
		return fmt.Sprintf("not tested: there are only missing values where it forecasts, in the last %d rows", f.calibration)
	}
	slices.SortStableFunc(others, func(a, b Report) int { return compareErrors(a.All, b.All) })
	var beside []string
	for _, r := range others {
		beside = append(beside, r.Method+" "+errorOf(r.All))
	}
	seen := ""
	if f.Start != nil {
		seen = " (which what it goes on from may have seen)"
	}
	lines := []string{
		fmt.Sprintf("tested on the last %d rows%s before it learned from all", f.calibration, seen),
		fmt.Sprintf("%s of %s: %s", f.tested(), count(f.Horizon, "step"), errorWords(model.All)),
		"simple methods: " + strings.Join(beside, ", "),
	}
	if f.weighed != "" {
		lines = append(lines, f.weighed)
	}
	if best := others[0]; compareErrors(best.All, model.All) < 0 {
		lines = append(lines, fmt.Sprintf("%s is better than the model (%s to %s): use that, or give the model more data", best.Method, errorOf(best.All), errorOf(model.All)))
	}
	return strings.Join(lines, "\n")
}

// tested says how many forecasts are compared with what came, of those that calibrate.
func (f *forecaster) tested() string {
	n := len(f.test.Forecasts)
	if n == f.calibrated {
		return count(n, "forecast")
	}
	return fmt.Sprintf("%d of %s", n, count(f.calibrated, "forecast"))
}

// compareErrors compares two methods by their MASE, or by their MAE where that is not
// known.
func compareErrors(a, b Metrics) int {
	if math.IsNaN(a.MASE) || math.IsNaN(b.MASE) {
		return cmp.Compare(a.MAE, b.MAE)
	}
	return cmp.Compare(a.MASE, b.MASE)
}

func errorOf(m metrics.Metrics) string {
	if math.IsNaN(m.MASE) {
		return fmt.Sprintf("%.4g", m.MAE)
	}
	return fmt.Sprintf("%.3f", m.MASE)
}

// errorWords says the errors of a model, and how many values its intervals hold.
func errorWords(m metrics.Metrics) string {
	words := fmt.Sprintf("MAE %.4g, RMSE %.4g", m.MAE, m.RMSE)
	if !math.IsNaN(m.MASE) {
		words = fmt.Sprintf("MASE %.3f, ", m.MASE) + words
	}
	for _, i := range m.Intervals {
		words += fmt.Sprintf("; %g%% intervals hold %.0f%%", 100*i.Level, 100*i.Coverage)
	}
	return words
}
