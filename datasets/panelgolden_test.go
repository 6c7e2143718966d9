package datasets_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"
	"time"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/models"
)

// TestReadPanelIsThatOfPandas reads the tables of testdata/panel.py.
func TestReadPanelIsThatOfPandas(t *testing.T) {
	text, err := os.ReadFile("testdata/panel.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden []struct {
		Frequency, Zone, CSV string
		Series               []struct {
			Name   string
			Start  time.Time
			Values []*float64
			Filled []float64
		}
	}
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	for _, g := range golden {
		roles := datasets.Roles{Series: []string{"id"}}
		if g.Zone != "UTC" {
			roles.Zone = g.Zone
		}
		masked := mustRead(t, g.CSV, roles)
		roles.Missing = models.MissingInterpolate
		filled := mustRead(t, g.CSV, roles)
		if got := masked.Frequency.String(); got != g.Frequency {
			t.Errorf("the frequency is %s, want %s", got, g.Frequency)
		}
		for _, want := range g.Series {
			var values []float64
			for _, v := range want.Values {
				if v == nil {
					v = &nan
				}
				values = append(values, *v)
			}
			for math.IsNaN(values[len(values)-1]) { // pandas keeps rows after the last value
				values = values[:len(values)-1]
			}
			s := seriesNamed(t, masked, want.Name)
			if !s.Start.Equal(want.Start) || !equal(s.Targets[0], values) {
				t.Errorf("%s, series %s from %v: %v, want %v from %v", g.Frequency, s.Name, s.Start, s.Targets[0], values, want.Start)
			}
			s = seriesNamed(t, filled, want.Name)
			for i, v := range want.Filled[:len(values)] {
				if got := s.Targets[0][i]; !(math.Abs(got-v) < 1e-9) {
					t.Errorf("%s, series %s: row %d is filled with %v, want %v", g.Frequency, s.Name, i, got, v)
				}
			}
		}
	}
}

func seriesNamed(t *testing.T, p *datasets.Panel, name string) datasets.PanelSeries {
	t.Helper()
	for _, s := range p.Series {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no series %s", name)
	return datasets.PanelSeries{}
}
