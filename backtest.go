package rnnkit

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/baselines"
	"github.com/rnnkit/rnnkit/internal/metrics"
	"github.com/rnnkit/rnnkit/models"
)

// BacktestOptions say from where [Backtest] forecasts. The zero value is from the last
// origin that each series has the whole horizon after.
type BacktestOptions struct {
	// Cutoffs is the number of origins in each series, the last ones that are Every rows
	// apart; 0 is 1, or with From all of them. Every is the number of rows from one origin to the
	// next; 0 is the horizon.
	Cutoffs, Every int

	// From is the time of the first origin. It is zero for no such limit.
	From time.Time

	// Origins lists the origins of each series of the panel as rows, instead of the fields
	// above. An origin is the first row that is forecast.
	Origins [][]int

	// Retrain trains a model anew on what came before each origin, with these options. Nil
	// forecasts with the model as it is.
	Retrain *ForecasterOptions

	// Alone leaves out the simple methods. Limit is the time that one of them may take, as
	// estimated, on one processor; 0 is two minutes. Theta and ETS see the last 500 rows
	// before an origin, or four seasons.
	Alone bool
	Limit time.Duration

	OnOrigins func(done, all int) // called from time to time, if not nil
}

// Metrics are the errors of forecasts: see [BacktestResult].
type Metrics = metrics.Metrics

// Interval has the metrics of a prediction interval.
type Interval = metrics.Interval

// Report has the metrics of a method over all steps, and those of each step ahead.
type Report struct {
	Method string // "model", or the name of a simple method
	metrics.Report
}

// BacktestResult is what a backtest found.
type BacktestResult struct {
	// Reports has the model's first, then those of the simple methods, each on the same
	// values.
	Reports []Report

	Quantiles []float64  // those that the model answers, in ascending order
	Forecasts []Backcast // of the model
	Notes     []string   // what a person should know about the result, a sentence each
}

// Backcast is what a model forecast for a target of a series from an origin.
type Backcast struct {
	Series, Target int       // indices in the panel
	Origin         int       // the first row that is forecast
	Actual         []float64 // what came, [steps]; NaN where it is missing. Rows after the last are left out.
	Forecast       []float64 // the median, [steps]
	Quantiles      [][]float64
}

// Backtest forecasts from origins in the past of a panel, and compares the forecasts with
// what came and with those of simple methods. From an origin the model sees the rows before
// it, and of the covariates that are known ahead those after it too.
//
// MASE and MSIS are in units of the error of the seasonal naive forecast, with the model's
// season, on the rows before the first origin of each series. The model is a direct
// forecaster, and must have the columns of the panel: the error is a *models.FieldError
// otherwise.
func Backtest(ctx context.Context, m *infer.Model, panel *datasets.Panel, o BacktestOptions) (*BacktestResult, error) {
	meta, err := directMetadata(m)
	if err != nil {
		return nil, err
	}
	if panel == nil {
		return nil, &models.FieldError{Field: "panel", Value: nil, Want: "a panel of series"}
	}
	if panel, err = withCalendar(panel, meta.Horizon, meta.Forecast.Calendar); err != nil {
		return nil, err
	}
	if err := checkRoles(panel, meta.Forecast); err != nil {
		return nil, err
	}
	list, err := o.origins(panel, meta.Horizon)
	if err != nil {
		return nil, err
	}
	b := &backtest{panel: panel, meta: meta, options: o, origins: list}
	if o.Retrain != nil {
		err = b.retrain(ctx)
	} else {
		err = b.forecast(ctx, m, list)
	}
	if err != nil {
		return nil, err
	}
	return b.result(ctx)
}

// directMetadata returns the metadata of a direct forecaster.
func directMetadata(m *infer.Model) (*models.Metadata, error) {
	if m == nil {
		return nil, &models.FieldError{Field: "m", Value: nil, Want: "a model"}
	}
	meta := m.Metadata()
	if meta == nil || meta.Forecast == nil {
		return nil, &models.FieldError{Field: "m", Value: "another model", Want: "a direct forecaster, such as NewForecaster trains"}
	}
	return meta, nil
}

// checkRoles refuses a panel whose columns are not those of the model.
func checkRoles(panel *datasets.Panel, f *models.Forecasting) error {
	if err := models.InField("panel", panel.Check()); err != nil {
		return err
	}
	var categories []string
	for _, c := range f.Categories {
		categories = append(categories, c.Name)
	}
	for _, role := range []struct {
		field      string
		have, want []string
	}{
		{"Targets", panel.Targets, f.Targets}, {"Past", panel.Past, f.Past}, {"Future", panel.Future, f.Future},
		{"Static", panel.Static, f.Static}, {"Categories", panel.Categories, categories},
	} {
		if !slices.Equal(role.have, role.want) {
			return &models.FieldError{Field: "panel." + role.field, Value: fmt.Sprintf("%q", role.have), Want: fmt.Sprintf("%q, as the model has them", role.want)}
		}
	}
	return nil
}

// origin is the row of a series at which a forecast begins.
type origin struct{ series, row int }

// origins returns those that the options ask for.
func (o BacktestOptions) origins(panel *datasets.Panel, horizon int) (list []origin, err error) {
	if o.Origins != nil {
		return o.given(panel)
	}
	if err := atLeast(0, field{"Cutoffs", o.Cutoffs}, field{"Every", o.Every}); err != nil {
		return nil, err
	}
	if o.Every == 0 {
		o.Every = horizon
	}
	for i := range panel.Series {
		for _, row := range o.rows(panel, i, horizon) {
			list = append(list, origin{i, row})
		}
	}
	switch {
	case len(list) == 0 && !o.From.IsZero():
		return nil, &models.FieldError{Field: "From", Value: o.From.Format(time.DateTime), Want: fmt.Sprintf("earlier: no series has %d rows from there on", horizon), Err: datasets.ErrTooShort}
	case len(list) == 0:
		return nil, &models.FieldError{Field: "panel", Value: models.Length(len(panel.Series)), Want: fmt.Sprintf("of longer series: none has an origin with %d rows after it", horizon), Err: datasets.ErrTooShort}
	}
	return list, nil
}

// rows returns the origins of a series, which have the horizon after them.
func (o BacktestOptions) rows(panel *datasets.Panel, series, horizon int) (rows []int) {
	s := &panel.Series[series]
	if !o.From.IsZero() {
		for row := firstRow(panel, series, o.From); row+horizon <= s.Len() && (o.Cutoffs == 0 || len(rows) < o.Cutoffs); row += o.Every {
			rows = append(rows, row)
		}
		return rows
	}
	for row := s.Len() - horizon; row > 0 && len(rows) < max(1, o.Cutoffs); row -= o.Every {
		rows = append(rows, row)
	}
	slices.Reverse(rows)
	return rows
}

// firstRow returns the first row of a series, from 1 on, whose time is not before t.
func firstRow(panel *datasets.Panel, series int, t time.Time) int {
	start := panel.Series[series].Start
	row, exact := panel.Frequency.Steps(start, t)
	if !exact {
		row++
	}
	return max(1, row)
}

// given returns the origins that the options list.
func (o BacktestOptions) given(panel *datasets.Panel) (list []origin, err error) {
	if len(o.Origins) != len(panel.Series) {
		return nil, &models.FieldError{Field: "Origins", Value: models.Length(len(o.Origins)), Want: fmt.Sprintf("of length %d, as panel.Series", len(panel.Series))}
	}
	for i, rows := range o.Origins {
		for k, row := range rows {
			if row < 1 || row >= panel.Series[i].Len() {
				return nil, &models.FieldError{Field: fmt.Sprintf("Origins[%d][%d]", i, k), Value: row, Want: fmt.Sprintf("from 1 to %d, a row of the series that has others before it", panel.Series[i].Len()-1)}
			}
			list = append(list, origin{i, row})
		}
	}
	if len(list) == 0 {
		return nil, &models.FieldError{Field: "Origins", Value: models.Length(0), Want: "rows of at least one series"}
	}
	return list, nil
}

// backtest is a backtest in the making.
type backtest struct {
	panel     *datasets.Panel
	meta      *models.Metadata
	options   BacktestOptions
	origins   []origin
	backcasts []Backcast
}

// chunk is how many origins a model forecasts from at once.
const chunk = 256

// forecast adds what m answers from some origins to the backcasts.
func (b *backtest) forecast(ctx context.Context, m *infer.Model, list []origin) error {
	for part := range slices.Chunk(list, chunk) {
		answers, err := m.Run(ctx, inputsAt(b.panel, b.meta, part), "quantiles")
		if err != nil {
			return err
		}
		b.add(part, answers["quantiles"].Data.([]float32))
		if b.options.OnOrigins != nil {
			b.options.OnOrigins(len(b.backcasts)/len(b.panel.Targets), len(b.origins))
		}
	}
	return nil
}

// retrain trains a model for each round of origins, the last of all series, then those
// before and so on, on the rows before these, and forecasts from them.
func (b *backtest) retrain(ctx context.Context) error {
	for left := b.bySeries(); ; {
		var round []origin
		for i, rows := range left {
			if n := len(rows); n > 0 {
				round = append(round, origin{i, rows[n-1]})
				left[i] = rows[:n-1]
			}
		}
		if len(round) == 0 {
			break
		}
		if err := b.retrainOn(ctx, round); err != nil {
			return err
		}
	}
	slices.SortStableFunc(b.backcasts, func(x, y Backcast) int {
		return cmp.Or(cmp.Compare(x.Series, y.Series), cmp.Compare(x.Origin, y.Origin), cmp.Compare(x.Target, y.Target))
	})
	return nil
}

// bySeries returns the origins of each series, ascending.
func (b *backtest) bySeries() [][]int {
	list := make([][]int, len(b.panel.Series))
	for _, at := range b.origins {
		list[at.series] = append(list[at.series], at.row)
	}
	for _, rows := range list {
		slices.Sort(rows)
	}
	return list
}

// retrainOn trains on what came before the origins of a round, and forecasts from them. A
// series that has none counts up to its first origin of all.
func (b *backtest) retrainOn(ctx context.Context, round []origin) error {
	before := *b.panel
	before.Series = slices.Clone(b.panel.Series)
	for i, rows := range b.bySeries() {
		end := before.Series[i].Len()
		if len(rows) > 0 {
			end = rows[0]
		}
		if k := slices.IndexFunc(round, func(at origin) bool { return at.series == i }); k >= 0 {
			end = round[k].row
		}
		before.Series[i] = until(before.Series[i], end)
	}
	job, err := NewForecaster(&before, b.retrainOptions())
	if err != nil {
		return models.InField("Retrain", err)
	}
	result, err := job.Train(ctx)
	if err != nil {
		return err
	}
	m, err := result.Open()
	if err != nil {
		return err
	}
	defer m.Close()
	return b.forecast(ctx, m, round)
}

// retrainOptions are those of a model that answers for the same steps and quantiles.
func (b *backtest) retrainOptions() ForecasterOptions {
	o, d := *b.options.Retrain, b.meta.Spec.Direct
	o.Horizon, o.Season, o.Levels = d.Horizon, max(1, b.meta.Forecast.Season), d.Levels()
	if o.Calendar == nil {
		o.Calendar = b.meta.Forecast.Calendar
	}
	return o
}

// until returns a series without the rows from the given one on, but for the covariates
// that are known ahead.
func until(s datasets.PanelSeries, row int) datasets.PanelSeries {
	s.Targets, s.Past = slices.Clone(s.Targets), slices.Clone(s.Past)
	for _, columns := range [][][]float64{s.Targets, s.Past} {
		for i, values := range columns {
			columns[i] = values[:row]
		}
	}
	return s
}

// add adds the answers for some origins, [origins, horizon, targets, quantiles].
func (b *backtest) add(list []origin, answers []float32) {
	targets, levels := len(b.panel.Targets), len(b.meta.Spec.Direct.Quantiles)
	for i, at := range list {
		for t, values := range b.panel.Series[at.series].Targets {
			c := Backcast{Series: at.series, Target: t, Origin: at.row, Actual: values[at.row:min(len(values), at.row+b.meta.Horizon)]}
			for h := range c.Actual {
				q := float64s(answers[((i*b.meta.Horizon+h)*targets+t)*levels:][:levels])
				c.Quantiles, c.Forecast = append(c.Quantiles, q), append(c.Forecast, q[levels/2])
			}
			b.backcasts = append(b.backcasts, c)
		}
	}
}

func float64s(x []float32) []float64 {
	list := make([]float64, len(x))
	for i, v := range x {
		list[i] = float64(v)
	}
	return list
}

// inputsAt returns what a model reads to forecast from origins of a panel.
func inputsAt(p *datasets.Panel, meta *models.Metadata, list []origin) map[string]tensor.Tensor {
	d := meta.Spec.Direct
	var input, future, static []float32
	var categories []int64
	for _, at := range list {
		s := &p.Series[at.series]
		targets := s.Targets
		if meta.Forecast.Missing == models.MissingInterpolate {
			targets = known(targets, at.row)
		}
		input = appendRows(input, slices.Concat(targets, s.Past, s.Future), at.row-d.Window, at.row)
		future = appendRows(future, s.Future, at.row, at.row+d.Horizon)
		for _, v := range s.Static {
			static = append(static, float32(v))
		}
		for i, c := range meta.Forecast.Categories {
			categories = append(categories, int64(slices.Index(c.Values, s.Categories[i])+1))
		}
	}
	inputs := map[string]tensor.Tensor{"input": tensor.Of(input, len(list), d.Window, d.Columns())}
	if d.Future > 0 {
		inputs["future"] = tensor.Of(future, len(list), d.Horizon, d.Future)
	}
	if d.Static > 0 {
		inputs["static"] = tensor.Of(static, len(list), d.Static)
	}
	if n := len(d.Categories); n > 0 {
		inputs["categories"] = tensor.Of(categories, len(list), n)
	}
	return inputs
}

// known returns the columns before a row with missing values filled in, those at the end
// by the last one that is known.
func known(columns [][]float64, row int) (filled [][]float64) {
	for _, values := range columns {
		values = values[:row]
		if slices.ContainsFunc(values, math.IsNaN) {
			values = interpolated(values)
			for i := 1; i < len(values); i++ {
				if math.IsNaN(values[i]) {
					values[i] = values[i-1]
				}
			}
		}
		filled = append(filled, values)
	}
	return filled
}

// appendRows appends the rows of columns from one to another, [rows, columns]. Those that
// a column does not have are missing.
func appendRows(list []float32, columns [][]float64, from, to int) []float32 {
	for row := from; row < to; row++ {
		for _, values := range columns {
			v := math.NaN()
			if row >= 0 && row < len(values) {
				v = values[row]
			}
			list = append(list, float32(v))
		}
	}
	return list
}

// result compares the backcasts with what came.
func (b *backtest) result(ctx context.Context) (*BacktestResult, error) {
	r := &BacktestResult{Quantiles: b.meta.Spec.Direct.Quantiles, Forecasts: b.backcasts}
	r.Reports = append(r.Reports, Report{"model", metrics.Evaluate(b.answers(b.backcasts), r.Quantiles)})
	if b.options.Alone {
		return r, nil
	}
	for _, method := range b.methods() {
		if t := b.time(method); t > b.limit() {
			r.Notes = append(r.Notes, fmt.Sprintf("%s is left out: it would take about %s", method.name, t.Round(time.Second)))
			continue
		}
		backcasts, err := b.simple(ctx, method)
		if err != nil {
			return nil, err
		}
		r.Reports = append(r.Reports, Report{method.name, metrics.Evaluate(b.answers(backcasts), r.Quantiles)})
	}
	return r, nil
}

// methods returns the simple methods. The seasonal naive one is there for each season of
// the panel, as far as it is longer than that of the model.
func (b *backtest) methods() (list []simpleMethod) {
	season := max(1, b.meta.Forecast.Season)
	for _, m := range simpleMethods {
		if m.name != "seasonal naive" {
			list = append(list, m)
			continue
		}
		if season > 1 {
			list = append(list, m)
		}
		for _, other := range b.panel.Seasons() {
			if other > season {
				m.name, m.season = fmt.Sprintf("naive of %d rows before", other), other
				list = append(list, m)
			}
		}
	}
	return list
}

// limit returns how long a simple method may take.
func (b *backtest) limit() time.Duration {
	if b.options.Limit > 0 {
		return b.options.Limit
	}
	return 2 * time.Minute
}

// answers returns backcasts as package metrics reads them.
func (b *backtest) answers(backcasts []Backcast) []metrics.Answer {
	type target struct{ series, target int }
	type unit struct{ scale, square float64 }
	units := map[target]unit{}
	list := make([]metrics.Answer, len(backcasts))
	for i, c := range backcasts {
		key := target{c.Series, c.Target}
		u, ok := units[key]
		if !ok { // the first origin of the series
			u.scale, u.square = metrics.SeasonalError(b.panel.Series[c.Series].Targets[c.Target][:c.Origin], b.meta.Forecast.Season)
			units[key] = u
		}
		list[i] = metrics.Answer{Actual: c.Actual, Forecast: c.Forecast, Quantiles: c.Quantiles, Scale: u.scale, Square: u.square}
	}
	return list
}

// simpleMethod is a method that a model must be better than.
type simpleMethod struct {
	name     string
	forecast baselines.Method
	season   int           // 0 for that of the model
	history  int           // rows that it sees at most, or four seasons; 0 for all
	cost     time.Duration // for each row and step of the season, about
}

var simpleMethods = []simpleMethod{
	{name: "naive", forecast: baselines.Naive},
	{name: "seasonal naive", forecast: baselines.SeasonalNaive},
	{name: "drift", forecast: baselines.Drift},
	{name: "Theta", forecast: baselines.Theta, history: 500},
	{name: "ETS", forecast: baselines.ETS, history: 500, cost: 10 * time.Microsecond},
}

// values returns what a method sees of a series before an origin.
func (m simpleMethod) values(values []float64, season int) []float64 {
	if limit := max(m.history, 4*season); m.history > 0 && len(values) > limit {
		return values[len(values)-limit:]
	}
	return values
}

// time returns about how long a method takes on one processor.
func (b *backtest) time(m simpleMethod) (sum time.Duration) {
	season := b.meta.Forecast.Season
	for _, c := range b.backcasts {
		rows := len(m.values(b.panel.Series[c.Series].Targets[c.Target][:c.Origin], season))
		sum += m.cost * time.Duration(rows*max(4, season))
	}
	return sum
}

// simple returns what a simple method forecasts from the same origins.
func (b *backtest) simple(ctx context.Context, method simpleMethod) ([]Backcast, error) {
	list := make([]Backcast, len(b.backcasts))
	season := cmp.Or(method.season, b.meta.Forecast.Season)
	err := inParallel(ctx, len(list), func(i int) {
		c := b.backcasts[i]
		values := method.values(b.panel.Series[c.Series].Targets[c.Target][:c.Origin], season)
		f := method.forecast(values, season, len(c.Actual))
		c.Forecast, c.Quantiles = f.Mean, f.Quantiles(b.meta.Spec.Direct.Quantiles)
		list[i] = c
	})
	return list, err
}

// inParallel calls do with the numbers up to n, on all processors, until ctx ends.
func inParallel(ctx context.Context, n int, do func(i int)) error {
	var next atomic.Int64
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	group.Wait()
	return context.Cause(ctx)
}
