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
	with := *f.meta.Forecast
	with.Widths = b.widths(b.backcasts)
	f.meta.Forecast = &with
	f.keepQuantiles(m)
	f.calibrated = len(b.backcasts)
	f.halved = b.widenHalves(f.later)
	b.thin((f.origins + comparedOrigins - 1) / comparedOrigins)
	b.bound()
	var err error
	f.test, err = b.result(ctx)
	return err
}

// keepQuantiles keeps how far the quantiles of the structural models of m lie from their
// medians. The errors of the rows held back have made the widths, and would count twice if
// they widened these too.
func (f *forecaster) keepQuantiles(m *models.Model) {
	f.calibratedHeads = map[int][]float32{}
	for i, g := range m.Groups() {
		if i > 0 && isStructural(g.Spec) {
			f.calibratedHeads[i] = g.Members[0].Head.B
		}
	}
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

// widths returns the factors of conformal calibration by some backcasts.
func (b *backtest) widths(backcasts []Backcast) []float32 {
	var forecasts [][][]float64
	var actuals [][]float64
	for _, c := range backcasts {
		forecasts, actuals = append(forecasts, c.Quantiles), append(actuals, c.Actual)
	}
	return conformal.Widths(b.meta.Spec.Direct.Quantiles, forecasts, actuals, apart(backcasts, b.meta.Spec.Direct.Horizon))
}

// apart returns how many of some backcasts of a horizon do not overlap, about: those whose
// origins lie in different parts, each as long as the horizon, of their series.
func apart(backcasts []Backcast, horizon int) int {
	parts := map[[3]int]bool{}
	for _, c := range backcasts {
		parts[[3]int{c.Series, c.Target, c.Origin / horizon}] = true
	}
	return len(parts)
}

// later reports whether a backcast counts to the later half: by its origin, or by its
// series where each has one origin.
func (f *forecaster) later(c Backcast) bool {
	if f.origins < 2 {
		return (c.Series*len(f.panel.Targets)+c.Target)%2 == 0
	}
	ahead := f.panel.Series[c.Series].Len() - f.Horizon - c.Origin
	return 2*ahead < f.calibration-f.Horizon
}

// widenHalves makes the intervals of each half of the backcasts as wide as the other half
// asks for, so that what they hold is not what made them wide. It reports whether there is
// another half; else all are as wide as they ask for themselves.
func (b *backtest) widenHalves(later func(Backcast) bool) bool {
	var halves [2][]Backcast
	for _, c := range b.backcasts {
		if later(c) {
			halves[1] = append(halves[1], c)
		} else {
			halves[0] = append(halves[0], c)
		}
	}
	if len(halves[0]) == 0 || len(halves[1]) == 0 {
		widen(b.backcasts, b.widths(b.backcasts))
		return false
	}
	first, second := b.widths(halves[0]), b.widths(halves[1])
	widen(halves[0], second)
	widen(halves[1], first)
	return true
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
func widen(backcasts []Backcast, widths []float32) {
	for _, c := range backcasts {
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
		return "not tested: the series are too short to hold rows back; the intervals are not calibrated, and may be too narrow"
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
		fmt.Sprintf("%s of %s: %s", f.tested(), count(f.Horizon, "step"), f.errorWords(model.All)),
		"simple methods: " + strings.Join(beside, ", "),
	}
	if !f.halved && len(model.All.Intervals) > 0 {
		lines = append(lines, "the intervals are as wide as the errors of this forecast ask for, and not tested")
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

// errorWords says the errors of a model, and how many values its intervals hold if these
// were made by other forecasts.
func (f *forecaster) errorWords(m metrics.Metrics) string {
	words := fmt.Sprintf("MAE %.4g, RMSE %.4g", m.MAE, m.RMSE)
	if !math.IsNaN(m.MASE) {
		words = fmt.Sprintf("MASE %.3f, ", m.MASE) + words
	}
	if !f.halved {
		return words
	}
	for _, i := range m.Intervals {
		words += fmt.Sprintf("; %g%% intervals hold %.0f%%", 100*i.Level, 100*i.Coverage)
	}
	return words
}
