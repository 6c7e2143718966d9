package infer_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

var nan = math.NaN()

// demand returns the metadata of a direct forecaster of two targets with everything that
// one can read.
func demand() models.Metadata {
	d := &models.Direct{
		Window: 6, Horizon: 4, Segment: 3, Targets: 2, Past: 1, Future: 1, Static: 1, Categories: []models.Category{{Size: 3, Embedding: 2}},
		Center: models.CenterLast, Linear: 1, Quantiles: []float64{0.025, 0.1, 0.5, 0.9, 0.975},
	}
	return models.Metadata{
		Task: models.Forecast, Window: d.Window, Horizon: d.Horizon,
		Spec: models.Spec{Cell: models.GRU, Features: d.Columns(), Embedding: 5, Hidden: 7, Layers: 1, Readout: models.ReadAll, Outputs: 3 * 5, Direct: d},
		Forecast: &models.Forecasting{
			Targets: []string{"load", "price"}, Past: []string{"wind"}, Future: []string{"temperature"},
			Static: []string{"area"}, Categories: []models.CategoryValues{{Name: "region", Values: []string{"north", "south"}}},
		},
	}
}

// univariate returns the metadata of a direct forecaster of one column and nothing else.
func univariate() models.Metadata {
	meta := demand()
	meta.Spec.Direct.Targets, meta.Spec.Direct.Past, meta.Spec.Direct.Future, meta.Spec.Direct.Static, meta.Spec.Direct.Categories = 1, 0, 0, 0, nil
	meta.Spec.Features, meta.Spec.Readout, meta.Spec.Outputs = 1, models.ReadLast, 4*5
	meta.Forecast = &models.Forecasting{Targets: []string{"load"}}
	return meta
}

func newDirect(t testing.TB, meta models.Metadata) (*infer.Forecaster, *models.Model) {
	t.Helper()
	m, err := models.New(meta, 3)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range m.Params.Path {
		m.Params.Path[i] = float32(rng.NormFloat64()) / 4
	}
	data, err := export.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := infer.OpenBytes(data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { opened.Close() })
	f, err := infer.NewForecaster(opened)
	if err != nil {
		t.Fatal(err)
	}
	return f, m
}

// randomContext returns one for demand, with n rows so far and the covariates of so many
// steps ahead.
func randomContext(seed uint64, n, ahead int) infer.Context {
	rng := rand.New(rand.NewPCG(seed, 2))
	column := func(n int, level float64) []float64 {
		values := make([]float64, n)
		for i := range values {
			values[i] = level + rng.NormFloat64()
		}
		return values
	}
	return infer.Context{
		Targets: [][]float64{column(n, 10), column(n, -100)}, Past: [][]float64{column(n, 0)}, Future: [][]float64{column(n+ahead, 0)},
		Static: []float64{rng.NormFloat64()}, Categories: []string{[]string{"north", "south", "east"}[rng.IntN(3)]},
	}
}

// answered returns what the trainer answers for the first horizon after c.
func answered(t *testing.T, m *models.Model, c infer.Context) []float32 {
	t.Helper()
	d, n := m.Spec.Direct, len(c.Targets[0])
	at := func(values []float64, i int) float32 {
		if i < 0 || i >= len(values) {
			return float32(nan)
		}
		return float32(values[i])
	}
	b := &datasets.Batch{Size: d.Targets, Time: d.Window}
	for _, target := range c.Targets {
		for step := range d.Window {
			for _, values := range slices.Concat([][]float64{target}, c.Past, c.Future) {
				b.Inputs = append(b.Inputs, at(values, n-d.Window+step))
			}
		}
		for step := range d.Horizon {
			for _, values := range c.Future {
				b.Ahead = append(b.Ahead, at(values, n+step))
			}
		}
		for _, v := range c.Static {
			b.Static = append(b.Static, float32(v))
		}
		for i, v := range c.Categories {
			b.Categories = append(b.Categories, int64(slices.Index(m.Forecast.Categories[i].Values, v)+1))
		}
	}
	y, err := trainer.Forecast(m, b)
	if err != nil {
		t.Fatal(err)
	}
	return y
}

func near(got, want float64) bool { return math.Abs(got-want) <= 1e-5*max(1, math.Abs(want)) }

// A forecast within the horizon is what the trainer answers, for histories that are longer
// than the window and shorter, with missing values.
func TestForecastContext(t *testing.T) {
	f, m := newDirect(t, demand())
	for seed := range uint64(12) {
		n := 1 + int(seed)
		c := randomContext(seed, n, 4)
		if n > 2 {
			c.Targets[1][n-2], c.Past[0][0], c.Future[0][n-1] = nan, nan, nan
		}
		got, err := f.ForecastContext(t.Context(), c, 3)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.Levels, []float64{0.8, 0.95}) || got.Padding != max(0, 6-n) || got.Beyond != 0 || got.Times != nil {
			t.Errorf("%d rows: levels %v, padding %d, beyond %d, times %v", n, got.Levels, got.Padding, got.Beyond, got.Times)
		}
		want := answered(t, m, c)
		for target := range 2 {
			for step := range 3 {
				q := want[(target*4+step)*5:][:5]
				have := []float64{got.Low[1][target][step], got.Low[0][target][step], got.Median[target][step], got.High[0][target][step], got.High[1][target][step]}
				for k := range q {
					if !near(have[k], float64(q[k])) {
						t.Fatalf("%d rows, target %d, step %d: %v, not %v", n, target, step, have, q)
					}
				}
			}
			if len(got.Median[target]) != 3 || len(got.Low[1][target]) != 3 {
				t.Fatalf("%d steps, not 3", len(got.Median[target]))
			}
		}
	}
}

// Several contexts at once have the forecasts of each alone.
func TestForecastContexts(t *testing.T) {
	f, _ := newDirect(t, demand())
	var list []infer.Context
	for seed := range uint64(70) { // more than go through the model at once
		list = append(list, randomContext(seed, 1+int(seed%9), 9))
	}
	all, err := f.ForecastContexts(t.Context(), list, 9)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range list {
		one, err := f.ForecastContext(t.Context(), c, 9)
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(*one) != fmt.Sprint(*all[i]) {
			t.Fatalf("context %d: %+v alone, %+v among others", i, one, all[i])
		}
	}
	if none, err := f.ForecastContexts(t.Context(), nil, 9); err != nil || len(none) != 0 {
		t.Errorf("no contexts: %v, %v", none, err)
	}
}

// Beyond the horizon the medians are those of a context with the medians before, and the
// squares of the distances at the ends of the forecasts add up.
func TestForecastBeyond(t *testing.T) {
	for _, log := range []float64{0, 1} {
		meta := demand()
		meta.Spec.Direct.Log = log
		f, m := newDirect(t, meta)
		const n, steps = 8, 11
		c := randomContext(5, n, steps)
		for i := range c.Targets[1] {
			c.Targets[1][i] += 150
		}
		got, err := f.ForecastContext(t.Context(), c, steps)
		if err != nil {
			t.Fatal(err)
		}
		if got.Beyond != steps-4 {
			t.Errorf("%d steps are beyond the horizon, not %d", got.Beyond, steps-4)
		}
		units := func(v float64) float64 {
			if log > 0 {
				return math.Log(max(v, log))
			}
			return v
		}
		var before [2][5]float64
		for first := 0; first < steps; first += 4 {
			want := answered(t, m, c)
			for target := range 2 {
				for step := first; step < min(steps, first+4); step++ {
					q := want[(target*4+step-first)*5:][:5]
					have := []float64{got.Low[1][target][step], got.Low[0][target][step], got.Median[target][step], got.High[0][target][step], got.High[1][target][step]}
					for k := range q {
						d := units(float64(q[k])) - units(float64(q[2]))
						distance := units(have[k]) - units(have[2])
						if !near(have[2], float64(q[2])) || !(math.Abs(distance*distance-d*d-before[target][k]) <= 1e-3*max(1, distance*distance)) || distance*float64(k-2) < 0 {
							t.Fatalf("log %g, target %d, step %d: %v, after %v of this horizon", log, target, step, have, q)
						}
					}
				}
				for k := range 5 {
					q := want[(target*4+3)*5:][:5]
					d := units(float64(q[k])) - units(float64(q[2]))
					before[target][k] += d * d
				}
				c.Targets[target] = append(c.Targets[target], got.Median[target][first:min(steps, first+4)]...)
			}
			for range 4 {
				c.Past[0] = append(c.Past[0], nan)
			}
		}
	}
}

// The bounds hold beyond the horizon too.
func TestForecastBounds(t *testing.T) {
	meta := univariate()
	least, most := 9.5, 12.0
	meta.Forecast.Min, meta.Forecast.Max, meta.Forecast.Integer = &least, &most, true
	f, _ := newDirect(t, meta)
	got, err := f.ForecastContext(t.Context(), infer.Context{Targets: [][]float64{{10, 13, 9, 11, 12, 10}}}, 20)
	if err != nil {
		t.Fatal(err)
	}
	for _, values := range [][]float64{got.Median[0], got.Low[0][0], got.Low[1][0], got.High[0][0], got.High[1][0]} {
		for _, v := range values {
			if v != math.Round(v) || !(v >= 10 && v <= 12) {
				t.Fatalf("a forecast of whole numbers from 9.5 to 12 is %v", values)
			}
		}
	}
	if slices.Min(got.Low[1][0]) != 10 || slices.Max(got.High[1][0]) != 12 {
		t.Errorf("the forecast %+v does not reach its bounds", got)
	}
}

// Columns of the calendar are those that a caller would have to give.
func TestForecastCalendar(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	columns, err := models.CalendarColumns("hour", "dayofweek")
	if err != nil {
		t.Fatal(err)
	}
	meta := demand()
	d := meta.Spec.Direct
	d.Future += len(columns)
	meta.Spec.Features = d.Columns()
	meta.Forecast.Future = append(meta.Forecast.Future, columns...)
	meta.Forecast.Frequency = "1h"
	given, _ := newDirect(t, meta)
	forecasting := *meta.Forecast
	forecasting.Calendar = columns
	meta.Forecast = &forecasting
	computed, _ := newDirect(t, meta)

	c := randomContext(1, 8, 6)
	c.Last = time.Date(2026, 3, 29, 0, 0, 0, 0, zone) // two hours before the clocks change
	got, err := computed.ForecastContext(t.Context(), c, 6)
	if err != nil {
		t.Fatal(err)
	}
	for k := range columns {
		var values []float64
		for i := range 8 + 8 { // two horizons
			values = append(values, float64(models.CalendarFeatures(columns, c.Last.Add(time.Duration(i-7)*time.Hour))[k]))
		}
		c.Future = append(c.Future, values)
	}
	want, err := given.ForecastContext(t.Context(), c, 6)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(*got) != fmt.Sprint(*want) {
		t.Errorf("the forecast is %+v, not %+v", got, want)
	}
	if len(got.Times) != 6 || got.Times[2].Hour() != 4 || got.Times[1].Hour() != 3 {
		t.Errorf("the times are %v", got.Times)
	}
	c.Last, c.Future = time.Time{}, c.Future[:1]
	if _, err := computed.ForecastContext(t.Context(), c, 6); err == nil || !strings.Contains(err.Error(), "c.Last is 0001-01-01 00:00:00 +0000 UTC: it must be the time of the last row: the model reads hour_sin") {
		t.Errorf("without a time: %v", err)
	}
}

// Missing values are refused or interpolated as in training.
func TestForecastMissing(t *testing.T) {
	meta := univariate()
	meta.Forecast.Missing = models.MissingInterpolate
	f, _ := newDirect(t, meta)
	forecast := func(values ...float64) string {
		t.Helper()
		got, err := f.ForecastContext(t.Context(), infer.Context{Targets: [][]float64{values}}, 4)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(got.Median, got.Low, got.High)
	}
	if got, want := forecast(1, nan, nan, nan, 3, 4, 6, nan), forecast(1, 1.5, 2, 2.5, 3, 4, 6, 6); got != want {
		t.Errorf("interpolated: %s, not %s", got, want)
	}
	if got, want := forecast(nan, nan, 3, nan, 5), forecast(3, 4, 5); got != want {
		t.Errorf("missing at the beginning: %s, not %s", got, want)
	}
	meta.Forecast.Missing = models.MissingRefuse
	f, _ = newDirect(t, meta)
	if got, want := forecast(nan, 1, 3, 2, 5, 4, 3), forecast(1, 3, 2, 5, 4, 3); got != want {
		t.Errorf("missing before the window: %s, not %s", got, want)
	}
	_, err := f.ForecastContext(t.Context(), infer.Context{Targets: [][]float64{{7, 1, 2, nan, 4, 5, 6}}}, 4)
	checkField(t, err, `c.Targets[0][3] is NaN: it must be a number: "load" had no missing values in training`)
}

func TestForecastContextErrors(t *testing.T) {
	f, _ := newDirect(t, demand())
	for want, change := range map[string]func(c *infer.Context){
		`c.Targets is of length 1: it must be of length 2, the columns that are forecast: ["load" "price"]`:                                      func(c *infer.Context) { c.Targets = c.Targets[:1] },
		`c.Past is of length 0: it must be of length 1, the covariates that are known up to now: ["wind"]`:                                       func(c *infer.Context) { c.Past = nil },
		`c.Future is of length 0: it must be of length 1, the covariates that are known ahead: ["temperature"]`:                                  func(c *infer.Context) { c.Future = nil },
		`c.Static is of length 2: it must be of length 1, the numbers of the series: ["area"]`:                                                   func(c *infer.Context) { c.Static = []float64{1, 2} },
		`c.Categories is of length 0: it must be of length 1, the categories of the series: ["region"]`:                                          func(c *infer.Context) { c.Categories = nil },
		`c.Targets[1] is of length 7: it must be of length 8, as the first target: it is "price"`:                                                func(c *infer.Context) { c.Targets[1] = c.Targets[1][1:] },
		`c.Past[0] is of length 9: it must be of length 8, as the first target: it is "wind"`:                                                    func(c *infer.Context) { c.Past[0] = append(c.Past[0], 1) },
		`c.Future[0] is of length 10: it must be of length 11, for 8 rows so far and 3 steps ahead: "temperature" must be known for all of them`: func(c *infer.Context) { c.Future[0] = c.Future[0][:10] },
		`c.Future[0][9] is NaN: it must be a number: "temperature" must be known for each step ahead`:                                            func(c *infer.Context) { c.Future[0][9] = nan },
		`c.Targets[0][7] is +Inf: it must be finite as a float32, or NaN where it is missing`:                                                    func(c *infer.Context) { c.Targets[0][7] = math.Inf(1) },
		`c.Future[0][10] is 1e+39: it must be finite as a float32, or NaN where it is missing`:                                                   func(c *infer.Context) { c.Future[0][10] = 1e39 },
		`c.Static[0] is -Inf: it must be finite as a float32`:                                                                                    func(c *infer.Context) { c.Static[0] = math.Inf(-1) },
		`c.Targets[1] is of length 8: it must be a series with a value among its last 6: "price" is forecast from these`: func(c *infer.Context) {
			for i := 2; i < 8; i++ {
				c.Targets[1][i] = nan
			}
		},
		`c.Targets[0] is of length 0: it must be a series with a value among its last 6: "load" is forecast from these`: func(c *infer.Context) {
			*c = randomContext(1, 0, 3)
		},
	} {
		c := randomContext(1, 8, 3)
		change(&c)
		_, err := f.ForecastContext(t.Context(), c, 3)
		checkField(t, err, want)
		_, err = f.ForecastContexts(t.Context(), []infer.Context{randomContext(2, 8, 3), c}, 3)
		checkField(t, err, strings.Replace(want, "c.", "list[1].", 1))
	}
	for _, steps := range []int{-1, 0, 1 << 30} {
		_, err := f.ForecastContext(t.Context(), randomContext(1, 8, 3), steps)
		checkField(t, err, fmt.Sprintf("steps is %d: it must be from 1 to 1048576", steps))
	}
	if _, err := f.PredictRows(t.Context(), make([][]float64, 9)); err == nil || !strings.Contains(err.Error(), "use ForecastContext") {
		t.Errorf("rows for a model of future covariates: %v", err)
	}
	m, err := infer.OpenBytes(sineModel)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	sine, err := infer.NewForecaster(m)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sine.ForecastContext(t.Context(), infer.Context{}, 1); err == nil || !strings.Contains(err.Error(), "no direct forecaster") {
		t.Errorf("a model that is no direct forecaster: %v", err)
	}
}

// A direct forecaster of one column takes a series and rows as any other forecaster.
func TestDirectSeries(t *testing.T) {
	f, _ := newDirect(t, univariate())
	series := []float64{3, 1, 4, 1, 5, 9, 2, 6, 5}
	predictions, err := f.Predict(t.Context(), series)
	if err != nil {
		t.Fatal(err)
	}
	for end := 6; end <= len(series); end++ {
		got, err := f.ForecastContext(t.Context(), infer.Context{Targets: [][]float64{series[:end]}}, 4)
		if err != nil {
			t.Fatal(err)
		}
		if !near(predictions[end-6], got.Median[0][0]) {
			t.Errorf("prediction %d is %g, not %g", end-6, predictions[end-6], got.Median[0][0])
		}
	}
	got, err := f.ForecastContext(t.Context(), infer.Context{Targets: [][]float64{series}}, 11)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := f.Forecast(t.Context(), series, 11)
	if err != nil {
		t.Fatal(err)
	}
	if len(predictions) != 3+4 || !slices.EqualFunc(steps, got.Median[0], near) {
		t.Errorf("the forecast is %v, not %v; %d predictions", steps, got.Median[0], len(predictions))
	}
}

func TestForecastContextCanceled(t *testing.T) {
	f, _ := newDirect(t, univariate())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.ForecastContext(ctx, infer.Context{Targets: [][]float64{{1, 2}}}, 4); err == nil {
		t.Error("a forecast with a context that is done")
	}
}
