package rnnkit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rnnkit/rnnkit"
	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

// seasonal returns a series with a season of 6, a trend and noise.
func seasonal(n int, level float64, seed uint64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 1))
	values := make([]float64, n)
	for i := range values {
		values[i] = level * (10 + 0.02*float64(i) + 2*math.Sin(float64(i)*math.Pi/3) + 0.3*rng.NormFloat64())
	}
	return values
}

// quick returns options of a training that takes a moment.
func quick() rnnkit.ForecasterOptions {
	o := rnnkit.DefaultForecasterOptions()
	o.Horizon, o.Updates, o.Ensemble, o.Spec.Hidden = 5, 40, 2, 8
	return o
}

// forecastOf trains on a panel and returns the job and its result.
func forecastOf(t *testing.T, p *datasets.Panel, o rnnkit.ForecasterOptions) (*rnnkit.Job, *rnnkit.Result) {
	t.Helper()
	job, err := rnnkit.NewForecaster(p, o)
	if err != nil {
		t.Fatal(err)
	}
	result, err := job.Train(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return job, result
}

func panel(t *testing.T, series ...[]float64) *datasets.Panel {
	t.Helper()
	p, err := datasets.NewPanel(series...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestForecaster learns a season that a seasonal naive forecast misses by its noise.
func TestForecaster(t *testing.T) {
	o := quick()
	o.Updates = 150
	_, result := forecastOf(t, panel(t, seasonal(150, 1, 1)), o)
	m := open(t, result)
	b, err := rnnkit.Backtest(ctx, m, panel(t, seasonal(190, 1, 1)), rnnkit.BacktestOptions{Cutoffs: 36, Every: 1})
	if err != nil {
		t.Fatal(err)
	}
	if got := result.Model.Forecast.Season; got != 6 {
		t.Errorf("season %d, want 6: %q", got, result.Model.Forecast.Rules)
	}
	for _, simple := range b.Reports[1:4] { // the naive ones
		if model := b.Reports[0]; !(model.All.MAE < simple.All.MAE) {
			t.Errorf("the model is off by %g, %s by %g", model.All.MAE, simple.Method, simple.All.MAE)
		}
	}
	if c := b.Reports[0].All.Intervals[1].Coverage; !(c > 0.85) {
		t.Errorf("the 95%% intervals hold %.0f%%", 100*c)
	}
}

// everything returns a panel with several series, targets and all kinds of covariates,
// with times, gaps and missing values.
func everything() *datasets.Panel {
	p := &datasets.Panel{
		Roles: datasets.Roles{
			Time: "day", Targets: []string{"units", "returns"}, Past: []string{"visits"}, Future: []string{"price"},
			Static: []string{"area"}, Categories: []string{"region"},
		},
		Frequency: must(models.ParseFrequency("1d")),
	}
	for i, name := range []string{"a", "b", "c"} {
		n := 90 + 10*i
		units, price := seasonal(n, float64(1+10*i), uint64(i)), seasonal(n+7, 1, 9)
		for k := range units {
			units[k] -= price[k]
		}
		units[20], units[n-1] = math.NaN(), math.NaN()
		p.Series = append(p.Series, datasets.PanelSeries{
			Name: name, Start: time.Date(2024, 1, 1+i, 0, 0, 0, 0, time.UTC),
			Targets: [][]float64{units, seasonal(n, 0.1, 7)}, Past: [][]float64{seasonal(n, 3, 5)}, Future: [][]float64{price},
			Static: []float64{float64(i)}, Categories: []string{"north", "south", "north"}[i : i+1],
		})
	}
	return p
}

// TestForecasterOfEverything trains a model of all kinds of columns: the file answers as
// the trainer does, with an ensemble, calibrated and bounded.
func TestForecasterOfEverything(t *testing.T) {
	o := quick()
	least := 0.0
	o.Min, o.Integer, o.Calendar = &least, true, []string{"dayofweek"}
	job, result := forecastOf(t, everything(), o)
	if result.Native.Examples < 10 {
		t.Errorf("%d examples were compared", result.Native.Examples)
	}
	if d := job.Model.Spec.Direct; d.Targets != 2 || d.Past != 1 || d.Future != 8 || d.Static != 1 || len(d.Categories) != 1 {
		t.Errorf("the model is %+v", d)
	}
	if len(job.Model.Ensemble) != 1 || len(job.Model.Forecast.Widths) != 5*5 {
		t.Errorf("%d further members, %d widths", len(job.Model.Ensemble), len(job.Model.Forecast.Widths))
	}
	scale := job.Model.Forecast.FutureScale // of the price, and of flags, which stay as they are
	if scale.Std[0] == 1 || scale.Mean[0] == 0 || scale.Std[3] != 1 || scale.Mean[3] != 0 {
		t.Errorf("the scale is %v", scale)
	}
	answers, err := open(t, result).Run(ctx, nil)
	if err == nil {
		t.Errorf("without inputs it answers %v", answers)
	}
}

// TestForecasterRepeats checks that the same seed gives the same bytes on any number of
// threads, and another seed others.
func TestForecasterRepeats(t *testing.T) {
	p := panel(t, seasonal(100, 1, 1), seasonal(60, 5, 2))
	bytesOf := func(threads int, seed uint64) []byte {
		o := quick()
		o.Fit.Threads, o.Fit.Seed = threads, seed
		_, result := forecastOf(t, p, o)
		return result.File
	}
	one := bytesOf(1, 3)
	if !bytes.Equal(one, bytesOf(3, 3)) {
		t.Error("three threads give other bytes than one")
	}
	if bytes.Equal(one, bytesOf(1, 4)) {
		t.Error("another seed gives the same bytes")
	}
}

// TestForecasterEnds ends trainings in both phases: what was trained is a model that
// answers.
func TestForecasterEnds(t *testing.T) {
	stop := errors.New("stop")
	for _, phase := range []int{1, 2} {
		ctx, cancel := context.WithCancelCause(ctx)
		o := quick()
		o.Fit.OnBatch = func(p trainer.Progress) {
			if p.Epochs != 2 || p.Batches != 2*40 {
				t.Errorf("progress %+v", p)
			}
			if p.Epoch == phase && p.Batch == 30 {
				cancel(stop)
			}
		}
		job, err := rnnkit.NewForecaster(panel(t, seasonal(100, 1, 1)), o)
		if err != nil {
			t.Fatal(err)
		}
		result, err := job.Train(ctx)
		if !errors.Is(err, stop) || result == nil {
			t.Fatalf("phase %d: %v, a result: %t", phase, err, result != nil)
		}
		if n := len(result.Epochs); n != phase {
			t.Errorf("phase %d: %d epochs", phase, n)
		}
		open(t, result)
	}
}

// TestForecasterResumes goes on from the checkpoints of a training that ended in its
// second phase, and ends with the same bytes.
func TestForecasterResumes(t *testing.T) {
	p := panel(t, seasonal(100, 1, 1))
	_, whole := forecastOf(t, p, quick())
	o := quick()
	o.Fit.Checkpoint = filepath.Join(t.TempDir(), "c")
	short, cancel := context.WithCancel(ctx)
	o.Fit.OnBatch = func(p trainer.Progress) {
		if p.Epoch == 2 && p.Batch == 50 {
			cancel()
		}
	}
	job, err := rnnkit.NewForecaster(p, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := job.Train(short); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	o.Fit.Resume, o.Fit.OnBatch = true, nil
	if _, result := forecastOf(t, p, o); !bytes.Equal(result.File, whole.File) {
		t.Error("the resumed training ends with other bytes")
	}
}

// TestForecasterGoesOn trains on from a model, which keeps its sizes and scales.
func TestForecasterGoesOn(t *testing.T) {
	_, first := forecastOf(t, everything(), quick())
	o := quick()
	o.Start, o.Horizon, o.Ensemble = first.Model, 0, 0
	_, second := forecastOf(t, everything(), o)
	if !slices.Equal(second.Model.Forecast.FutureScale.Mean, first.Model.Forecast.FutureScale.Mean) || second.Model.Horizon != 5 || len(second.Model.Ensemble) != 1 {
		t.Errorf("it became %+v", second.Model.Metadata)
	}
	if slices.Equal(second.Model.Params.Data, first.Model.Params.Data) {
		t.Error("it did not learn")
	}
	o.Horizon = 7
	if _, err := rnnkit.NewForecaster(everything(), o); !isField(err, "Horizon") {
		t.Errorf("another horizon: %v", err)
	}
	if _, err := rnnkit.NewForecaster(panel(t, seasonal(90, 1, 1)), o); !isField(err, "Horizon") && !isField(err, "panel.Targets") {
		t.Errorf("other columns: %v", err)
	}
}

func isField(err error, field string) bool {
	var e *models.FieldError
	return errors.As(err, &e) && e.Field == field
}

// TestForecasterRefuses has options that fit no data, or not these.
func TestForecasterRefuses(t *testing.T) {
	for field, change := range map[string]func(*rnnkit.ForecasterOptions){
		"Horizon":          func(o *rnnkit.ForecasterOptions) { o.Horizon = -1 },
		"Window":           func(o *rnnkit.ForecasterOptions) { o.Window, o.Segment = 10, 3 },
		"Ensemble":         func(o *rnnkit.ForecasterOptions) { o.Ensemble = 1000 },
		"Log":              func(o *rnnkit.ForecasterOptions) { o.Log = "maybe" },
		"Levels[1]":        func(o *rnnkit.ForecasterOptions) { o.Levels = []float64{0.8, 80} },
		"Min":              func(o *rnnkit.ForecasterOptions) { o.Min, o.Max = new(float64), new(float64) },
		"Max":              func(o *rnnkit.ForecasterOptions) { o.Max = ptr(math.NaN()) },
		"Missing":          func(o *rnnkit.ForecasterOptions) { o.Missing = "ignore" },
		"StateInput":       func(o *rnnkit.ForecasterOptions) { o.StateInput = true },
		"HeldOut":          func(o *rnnkit.ForecasterOptions) { o.HeldOut = 0.2 },
		"Fit.Epochs":       func(o *rnnkit.ForecasterOptions) { o.Fit.Epochs = 3 },
		"Fit.Loss":         func(o *rnnkit.ForecasterOptions) { o.Fit.Loss = trainer.MSE() },
		"Fit.LearningRate": func(o *rnnkit.ForecasterOptions) { o.Fit.LearningRate = -1 },
		"Spec.Cell":        func(o *rnnkit.ForecasterOptions) { o.Spec.Cell = "cnn" },
		"Spec.Hidden":      func(o *rnnkit.ForecasterOptions) { o.Spec.Hidden = -3 },
		"Calendar":         func(o *rnnkit.ForecasterOptions) { o.Calendar = []string{"hour"} },
		"Window ":          func(o *rnnkit.ForecasterOptions) { o.Window = 101 },
		"Linear":           func(o *rnnkit.ForecasterOptions) { o.Linear = 17 },
		"Trials":           func(o *rnnkit.ForecasterOptions) { o.Trials = 1 },
		"Season":           func(o *rnnkit.ForecasterOptions) { o.Season = 100 },
		"Min ":             func(o *rnnkit.ForecasterOptions) { o.Min = ptr(500.0) },
		"Max ":             func(o *rnnkit.ForecasterOptions) { o.Max = ptr(-500.0) },
		"Center":           func(o *rnnkit.ForecasterOptions) { o.Center = "middle" },
	} {
		o := quick()
		change(&o)
		if _, err := rnnkit.NewForecaster(panel(t, seasonal(100, 1, 1)), o); !isField(err, strings.TrimSpace(field)) {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, err := rnnkit.NewForecaster(nil, quick()); !isField(err, "panel") {
		t.Errorf("no panel: %v", err)
	}
	logarithms := quick()
	logarithms.Log = rnnkit.On
	if _, err := rnnkit.NewForecaster(panel(t, seasonal(100, -1, 1)), logarithms); !isField(err, "Log") {
		t.Errorf("logarithms of values below 0: %v", err)
	}
	far := seasonal(100, 1, 1)
	for i := range far {
		far[i] += 1e9
	}
	if _, err := rnnkit.NewForecaster(panel(t, far), quick()); !isField(err, "panel.Series[0].Targets[0]") {
		t.Errorf("values that float32 rounds together: %v", err)
	}
	refuse := quick()
	refuse.Missing = models.MissingRefuse
	if _, err := rnnkit.NewForecaster(everything(), refuse); !isField(err, "panel.Series[0].Targets[0][20]") {
		t.Errorf("missing values: %v", err)
	}
	short := quick()
	short.Horizon = 20
	if _, err := rnnkit.NewForecaster(panel(t, seasonal(15, 1, 1)), short); !errors.Is(err, datasets.ErrTooShort) {
		t.Errorf("a series that is too short: %v", err)
	}
}

func ptr[T any](v T) *T { return &v }

// TestTrials chooses among settings, the same with the same seed, and says so.
func TestTrials(t *testing.T) {
	p := panel(t, seasonal(160, 1, 1))
	o := quick()
	o.Trials = 5
	epochs := 0
	o.Fit.OnBatch = func(p trainer.Progress) { epochs = max(epochs, p.Epoch) }
	_, first := forecastOf(t, p, o)
	if epochs != 3 {
		t.Errorf("%d phases were told", epochs)
	}
	rules := first.Model.Forecast.Rules
	if last := rules[len(rules)-1]; !strings.HasPrefix(last, "the best of 5 settings") {
		t.Errorf("the rules end with %q", last)
	}
	o.Fit.OnBatch = nil
	if _, second := forecastOf(t, p, o); !bytes.Equal(first.File, second.File) {
		t.Error("the second time it chose otherwise")
	}
	o.Horizon = 35
	if _, err := rnnkit.NewForecaster(p, o); !isField(err, "Trials") {
		t.Errorf("without rows for the trials: %v", err)
	}
}

// TestBacktest forecasts from the origins that each way of telling them gives: the same
// answers from the same rows.
func TestBacktest(t *testing.T) {
	p := everything()
	o := quick()
	o.Levels = []float64{0.9}
	_, result := forecastOf(t, p.Until(20), o)
	m := open(t, result)
	given, err := rnnkit.Backtest(ctx, m, p, rnnkit.BacktestOptions{Origins: [][]int{{75, 80, 85}, {85, 90, 95}, {95, 100, 105}}})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(given.Forecasts); n != 3*3*2 {
		t.Fatalf("%d forecasts", n)
	}
	for name, o := range map[string]rnnkit.BacktestOptions{
		"last":  {Cutoffs: 3, Every: 5},
		"every": {Cutoffs: 3},
		"from":  {From: p.Time(0, 75), Every: 5, Cutoffs: 3, Origins: nil},
	} {
		b, err := rnnkit.Backtest(ctx, m, p, o)
		if err != nil {
			t.Fatal(err)
		}
		same := slices.EqualFunc(b.Forecasts, given.Forecasts, func(a, b rnnkit.Backcast) bool {
			return a.Series == b.Series && a.Origin == b.Origin && slices.Equal(a.Forecast, b.Forecast)
		})
		if name != "from" && !same {
			t.Errorf("%s: other forecasts", name)
		}
		if first := b.Forecasts[0]; first.Origin != 75 || first.Forecast[4] != given.Forecasts[0].Forecast[4] {
			t.Errorf("%s: the first is %+v", name, first)
		}
	}
	last := given.Forecasts[4] // of the first target of the first series, whose last value is missing
	if last.Origin != 85 || !math.IsNaN(last.Actual[4]) || last.Quantiles[0][0] > last.Forecast[0] || last.Quantiles[0][2] < last.Forecast[0] {
		t.Errorf("the last is %+v", last)
	}
	if r := given.Reports[0]; r.All.Missing != 3 || len(r.Steps) != 5 || r.All.Intervals[0].Level < 0.89 {
		t.Errorf("the report is %+v", r)
	}
	direct, err := must(infer.NewForecaster(m)).ForecastContext(ctx, contextAt(p, 1, 90), 5)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range given.Forecasts[8].Forecast {
		if !(math.Abs(v-direct.Median[0][i]) < 1e-4) {
			t.Errorf("step %d: %g, and package infer says %g", i, v, direct.Median[0][i])
		}
	}
}

// contextAt returns what package infer reads to forecast from a row.
func contextAt(p *datasets.Panel, series, row int) infer.Context {
	s := p.Series[series]
	heads := func(columns [][]float64, n int) (list [][]float64) {
		for _, values := range columns {
			list = append(list, values[:n])
		}
		return list
	}
	return infer.Context{
		Targets: heads(s.Targets, row), Past: heads(s.Past, row), Future: heads(s.Future, row+5),
		Static: s.Static, Categories: s.Categories, Last: p.Time(series, row-1),
	}
}

// TestBacktestRetrains trains anew on what came before each origin: what came after has no
// influence.
func TestBacktestRetrains(t *testing.T) {
	values := seasonal(100, 1, 1)
	p := panel(t, values)
	o := quick()
	o.Updates, o.Ensemble = 20, 1
	_, result := forecastOf(t, p, o)
	m := open(t, result)
	options := rnnkit.BacktestOptions{Cutoffs: 2, Every: 9, Retrain: &o, Alone: true}
	first, err := rnnkit.Backtest(ctx, m, p, options)
	if err != nil {
		t.Fatal(err)
	}
	for i := 95; i < 100; i++ {
		values[i] = 1000
	}
	second, err := rnnkit.Backtest(ctx, m, p, options)
	if err != nil {
		t.Fatal(err)
	}
	for i, origin := range []int{86, 95} {
		if a, b := first.Forecasts[i], second.Forecasts[i]; a.Origin != origin || !slices.Equal(a.Forecast, b.Forecast) {
			t.Errorf("from %d: %v and %v", origin, a.Forecast, b.Forecast)
		}
	}
	if slices.Equal(first.Forecasts[0].Forecast, first.Forecasts[1].Forecast) {
		t.Error("both models are the same")
	}
}

// TestBacktestRefuses has options that fit no data, and panels of other columns.
func TestBacktestRefuses(t *testing.T) {
	_, result := forecastOf(t, panel(t, seasonal(60, 1, 1)), quick())
	m, p := open(t, result), panel(t, seasonal(60, 1, 1))
	for field, o := range map[string]rnnkit.BacktestOptions{
		"Every":         {Every: -1},
		"Origins":       {Origins: [][]int{{5}, {6}}},
		"Origins[0][1]": {Origins: [][]int{{5, 60}}},
	} {
		if _, err := rnnkit.Backtest(ctx, m, p, o); !isField(err, field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, err := rnnkit.Backtest(ctx, m, everything(), rnnkit.BacktestOptions{}); !isField(err, "panel.Targets") {
		t.Errorf("other columns: %v", err)
	}
	if _, err := rnnkit.Backtest(ctx, nil, p, rnnkit.BacktestOptions{}); !isField(err, "m") {
		t.Errorf("no model: %v", err)
	}
	if _, err := rnnkit.Backtest(ctx, m, nil, rnnkit.BacktestOptions{}); !isField(err, "panel") {
		t.Errorf("no panel: %v", err)
	}
}

// TestForecasterInterpolates fills missing values in, in the training and where it
// forecasts: of what came after an origin it knows nothing.
func TestForecasterInterpolates(t *testing.T) {
	values := seasonal(100, 1, 1)
	values[40], values[90], values[91] = math.NaN(), math.NaN(), math.NaN()
	o := quick()
	o.Missing = models.MissingInterpolate
	p := panel(t, values)
	_, result := forecastOf(t, p, o)
	if !math.IsNaN(values[90]) {
		t.Error("the panel was changed")
	}
	m := open(t, result)
	at := func(row int) []float64 {
		b, err := rnnkit.Backtest(ctx, m, p, rnnkit.BacktestOptions{Origins: [][]int{{row}}, Alone: true})
		if err != nil {
			t.Fatal(err)
		}
		return b.Forecasts[0].Forecast
	}
	before := at(92)
	direct := must(must(infer.NewForecaster(m)).ForecastContext(ctx, infer.Context{Targets: [][]float64{values[:92]}}, 5))
	for i, v := range direct.Median[0] {
		if !(math.Abs(v-before[i]) < 1e-5) {
			t.Errorf("step %d: %g, and package infer says %g", i, before[i], v)
		}
	}
	values[92] = 1000
	if !slices.Equal(at(92), before) {
		t.Error("what came after the origin changes the forecast")
	}
}

// TestForecasterShortensHorizon leaves the horizon open for a series that is too short for
// one season, and gives it one that is too long.
func TestForecasterShortensHorizon(t *testing.T) {
	o := quick()
	o.Horizon, o.Season = 0, 12
	job, result := forecastOf(t, panel(t, seasonal(16, 1, 1)), o)
	if h := job.Model.Horizon; h < 1 || h > 4 || len(result.Model.Forecast.Widths) == 0 {
		t.Errorf("the horizon is %d, widths %v", h, result.Model.Forecast.Widths)
	}
	if said := fmt.Sprintf("horizon %d: the series are too short for 12", job.Model.Horizon); !slices.Contains(result.Model.Forecast.Rules, said) {
		t.Errorf("the rules do not say %s: %q", said, result.Model.Forecast.Rules)
	}
	o.Horizon = 12
	_, err := rnnkit.NewForecaster(panel(t, seasonal(16, 1, 1)), o)
	if want := fmt.Sprintf("it must be %d or less", job.Model.Horizon); !isField(err, "Horizon") || !strings.Contains(err.Error(), want) {
		t.Errorf("the error is %v, without %s", err, want)
	}
}

// TestForecasterOfShortSeries learns from a panel in which most series are too short, or
// have gaps in every window.
func TestForecasterOfShortSeries(t *testing.T) {
	gaps := seasonal(120, 1, 1)
	for i := 4; i < len(gaps); i += 9 {
		gaps[i] = math.NaN()
	}
	_, result := forecastOf(t, panel(t, gaps, seasonal(3, 1, 2), seasonal(9, 1, 3), []float64{5}, seasonal(12, 1, 4)), quick())
	if len(result.Model.Forecast.Widths) == 0 {
		t.Errorf("it is not calibrated: %q", result.Model.Forecast.Rules)
	}
}
