package rnnkit_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit"
	"github.com/rnnkit/rnnkit/datasets"
)

// TestForecasterMixesLogs trains an ensemble that reads the values and one that reads
// their logarithms, and goes on from the file with both.
func TestForecasterMixesLogs(t *testing.T) {
	p := panel(t, seasonal(100, 1, 1), seasonal(60, 5, 2))
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
	below := slices.Clone(seasonal(100, 1, 1))
	below[50] = -1
	if o.Mixture = rnnkit.Auto; !isField(newForecaster(panel(t, below), o), "Start") {
		t.Error("values below 0 are taken for logarithms")
	}
}

// TestForecasterMixture chooses how much of an ensemble without linear maps is mixed in,
// on series with values below 0.
func TestForecasterMixture(t *testing.T) {
	values := seasonal(150, 1, 1)
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
	o.Horizon = 40 // so that nothing is held back
	if job, err := rnnkit.NewForecaster(panel(t, values[:90]), o); err != nil || len(job.Model.Mixture) != 0 {
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
