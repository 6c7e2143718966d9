package rnnkit_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit"
	"github.com/rnnkit/rnnkit/datasets"
)

// TestForecasterMixesLogs trains an ensemble that reads the values and one that reads
// their logarithms, and goes on from the file with both.
func TestForecasterMixesLogs(t *testing.T) {
	p := panel(t, seasonal(1000, 1, 1), seasonal(60, 5, 2))
	o := quick()
	o.Mixture = rnnkit.On
	_, result := forecastOf(t, p, o)
	m := result.Model
	if len(m.Mixture) != 1 || m.Mixture[0].Weight != 0.5 || m.Spec.Direct.Log != 0 || m.Mixture[0].Spec.Direct.Log == 0 || len(m.Ensemble) != 1 || len(m.Mixed[0]) != 2 {
		t.Fatalf("the mixture is %+v with %d members", m.Mixture, len(m.Mixed[0]))
	}
	if result.Native.Examples == 0 || !strings.Contains(strings.Join(m.Forecast.Rules, "\n"), "mixture: half of") {
		t.Errorf("%d examples compared; rules: %q", result.Native.Examples, m.Forecast.Rules)
	}
	o = quick()
	o.Start = m
	_, second := forecastOf(t, p, o)
	for i, group := range second.Model.Groups() {
		for k, members := range group.Members {
			if slices.Equal(members.Data, m.Groups()[i].Members[k].Data) {
				t.Errorf("member %d of ensemble %d did not learn", k, i)
			}
		}
	}
	if len(second.Model.Mixture) != 1 || len(second.Model.Mixed[0]) != 2 || second.Model.Mixture[0].Weight != 0.5 {
		t.Errorf("the mixture became %+v", second.Model.Mixture)
	}
	o.Mixture = rnnkit.Off
	if _, err := rnnkit.NewForecaster(p, o); !isField(err, "Mixture") {
		t.Errorf("a mixture that is to be none: %v", err)
	}
	below := slices.Clone(seasonal(1000, 1, 1))
	below[50] = -1
	if o.Mixture = rnnkit.Auto; !isField(newForecaster(panel(t, below), o), "Start") {
		t.Error("values below 0 are taken for logarithms")
	}
}

// TestForecasterMixture chooses how much of an ensemble without linear maps is mixed in,
// on series with values below 0.
func TestForecasterMixture(t *testing.T) {
	values := seasonal(1100, 1, 1)
	for i := range values {
		values[i] -= 11
	}
	o := quick()
	o.Mixture = rnnkit.On
	job, result := forecastOf(t, panel(t, values), o)
	m := result.Model
	said := strings.Join(m.Forecast.Rules, "\n")
	switch {
	case len(m.Mixture) == 0 && !strings.Contains(said, "no mixture: "):
		t.Errorf("there is no mixture, and it is said %q", said)
	case len(m.Mixture) > 0:
		s := m.Mixture[0].Spec
		if s.Direct.Linear != 0 || s.Hidden != 16 || s.Dropout != 0.5 || len(m.Mixed[0]) != 2 || !strings.Contains(said, "without linear maps, by which") {
			t.Errorf("the second ensemble is %+v, and it is said %q", s, said)
		}
	}
	if len(job.Model.Forecast.Widths) == 0 || result.Native.Examples == 0 {
		t.Errorf("%d widths, %d examples compared", len(job.Model.Forecast.Widths), result.Native.Examples)
	}
	o.Horizon = 400 // so that nothing is held back
	if job, err := rnnkit.NewForecaster(panel(t, values, values), o); err != nil || len(job.Model.Mixture) != 0 {
		t.Errorf("a mixture without rows to choose it on: %v", err)
	}
	o.Mixture = "half"
	if !isField(newForecaster(panel(t, values), o), "Mixture") {
		t.Error("half a mixture is taken")
	}
}

func newForecaster(p *datasets.Panel, o rnnkit.ForecasterOptions) error {
	_, err := rnnkit.NewForecaster(p, o)
	return err
}

// TestForecasterStructural mixes structural models with an ensemble that learns from few
// windows, and fits them anew when it goes on.
func TestForecasterStructural(t *testing.T) {
	p := panel(t, seasonal(90, 1, 1), seasonal(70, 5, 2))
	_, result := forecastOf(t, p, quick())
	m := result.Model
	if len(m.Mixture) != 2 || m.Mixture[0].Spec.Direct.Log != 0 || m.Mixture[1].Spec.Direct.Log == 0 || len(m.Ensemble) != 1 || len(m.Mixed[0]) != 1 {
		t.Fatalf("the mixture is %+v with %d members", m.Mixture, len(m.Mixed[0]))
	}
	if result.Native.Examples == 0 || !strings.Contains(strings.Join(m.Forecast.Rules, "\n"), "structural models") {
		t.Errorf("%d examples compared; rules: %q", result.Native.Examples, m.Forecast.Rules)
	}
	o := quick()
	o.Start = m
	other := panel(t, seasonal(90, 3, 3), seasonal(70, 2, 2))
	_, second := forecastOf(t, other, o)
	_, alone := forecastOf(t, other, quick())
	if len(second.Model.Mixture) != 2 || !slices.Equal(second.Model.Mixed[0][0].Data, alone.Model.Mixed[0][0].Data) || slices.Equal(second.Model.Params.Data, m.Params.Data) {
		t.Error("it did not learn anew")
	}
	o = quick()
	o.Mixture = rnnkit.Off
	if job, _ := forecastOf(t, p, o); len(job.Model.Mixture) != 0 {
		t.Error("there is a mixture where there is to be none")
	}
}

// TestForecasterStructuralBeside has structural models beside networks that read a covariate
// up to the last row, and none beside those that read one ahead.
func TestForecasterStructuralBeside(t *testing.T) {
	p := panel(t, seasonal(60, 2, 1))
	p.Roles.Past, p.Series[0].Past = []string{"visits"}, [][]float64{seasonal(60, 3, 2)}
	_, result := forecastOf(t, p, quick())
	if rules := strings.Join(result.Model.Forecast.Rules, "\n"); !strings.Contains(rules, "0.6 of structural models") || result.Native.Examples == 0 {
		t.Errorf("%d examples compared; rules: %s", result.Native.Examples, rules)
	}
	p.Roles.Future, p.Series[0].Future = p.Roles.Past, p.Series[0].Past
	p.Roles.Past, p.Series[0].Past = nil, nil
	job, err := rnnkit.NewForecaster(p, quick())
	if err != nil {
		t.Fatal(err)
	}
	if len(job.Model.Mixture) > 0 {
		t.Errorf("the mixture is %+v", job.Model.Mixture)
	}
}

// TestForecasterBeginsAtZero bounds the forecasts of values that are not negative.
func TestForecasterBeginsAtZero(t *testing.T) {
	none, zero := math.Inf(-1), 0.0
	values := seasonal(60, 1, 1)
	values[3] = 0
	below := slices.Clone(values)
	below[3] = -1
	for name, test := range map[string]struct {
		values    []float64
		min, want *float64
	}{
		"by rule": {values, nil, &zero}, "off": {values, &none, nil}, "negative": {below, nil, nil}, "constant": {make([]float64, 60), nil, nil},
	} {
		o := quick()
		o.Season, o.Min = 6, test.min
		job, err := rnnkit.NewForecaster(panel(t, test.values), o)
		if err != nil {
			t.Fatal(err)
		}
		if got := job.Model.Forecast.Min; (got == nil) != (test.want == nil) || got != nil && *got != *test.want {
			t.Errorf("%s: the least answer is %v", name, got)
		}
	}
	o := quick()
	o.Max = &zero // then it is no bound
	if job, err := rnnkit.NewForecaster(panel(t, values), o); err != nil || job.Model.Forecast.Min != nil {
		t.Errorf("bounded on both sides: %v", err)
	}
}

// TestForecasterLogFloor leaves room for values that are less than all known ones.
func TestForecasterLogFloor(t *testing.T) {
	values := seasonal(60, 1, 1)
	least := slices.Min(values)
	o := quick()
	o.Log = rnnkit.On
	if got := must(rnnkit.NewForecaster(panel(t, values), o)).Model.Spec.Direct.Log; got != least/10 {
		t.Errorf("the least logarithm is of %g, not of a tenth of %g", got, least)
	}
	values[7] = 0
	if got := must(rnnkit.NewForecaster(panel(t, values), o)).Model.Spec.Direct.Log; got != least {
		t.Errorf("beside 0 the least logarithm is of %g, not of %g", got, least)
	}
}
