package rnnkit_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/rnnkit/rnnkit"
	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/models"
)

// daily returns a panel of series that repeat after 24 rows, so many apart in time as step
// says.
func daily(series, rows int, step string) *datasets.Panel {
	p := &datasets.Panel{Roles: datasets.Roles{Time: "time", Targets: []string{"load"}}, Frequency: must(models.ParseFrequency(step))}
	rng := rand.New(rand.NewPCG(1, 2))
	for range series {
		values := make([]float64, rows)
		for i := range values {
			values[i] = 3*math.Sin(float64(i)*math.Pi/12) + rng.NormFloat64()
		}
		p.Series = append(p.Series, datasets.PanelSeries{Start: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), Targets: [][]float64{values}})
	}
	return p
}

// TestRulesOfFewLongSeries has the hour of the day and windows around their last value for
// much data of few series.
func TestRulesOfFewLongSeries(t *testing.T) {
	for _, test := range []struct {
		panel    *datasets.Panel
		calendar []string
		center   models.Center
	}{
		{daily(1, 1200, "h"), []string{"hour_sin", "hour_cos"}, models.CenterLast},
		{daily(2, 1100, "h"), []string{"hour_sin", "hour_cos"}, models.CenterLast},
		{daily(1, 1200, "30min"), nil, models.CenterLast},
		{daily(1, 800, "h"), nil, models.CenterMean},
		{daily(2, 600, "h"), nil, models.CenterMean},
		{daily(20, 1100, "h"), nil, models.CenterMean},
	} {
		o := rnnkit.DefaultForecasterOptions()
		o.Horizon, o.Season = 12, 24
		job, err := rnnkit.NewForecaster(test.panel, o)
		if err != nil {
			t.Fatal(err)
		}
		if got := job.Model.Forecast.Calendar; !slices.Equal(got, test.calendar) || job.Model.Spec.Direct.Center != test.center {
			t.Errorf("%d series of %d rows: calendar %q, center %s", len(test.panel.Series), test.panel.Series[0].Len(), got, job.Model.Spec.Direct.Center)
		}
	}
}

// TestRulesOfShortSeries has horizons of which the last quarter of the rows holds one, to
// test on, as far as these are not too few for any.
func TestRulesOfShortSeries(t *testing.T) {
	for _, test := range []struct{ season, rows, horizon int }{
		{52, 157, 26}, {52, 209, 52}, {52, 60, 12}, {12, 60, 12}, {12, 36, 12}, {24, 96, 24}, {24, 95, 15}, {1, 200, 12}, {1, 50, 5},
	} {
		o := rnnkit.DefaultForecasterOptions()
		o.Season = test.season
		job, err := rnnkit.NewForecaster(daily(1, test.rows, "h"), o)
		if err != nil {
			t.Fatal(err)
		}
		if got := job.Model.Spec.Direct.Horizon; got != test.horizon {
			t.Errorf("%d rows with a season of %d: horizon %d, want %d", test.rows, test.season, got, test.horizon)
		}
	}
}
