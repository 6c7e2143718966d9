package metrics_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/rnnkit/rnnkit/internal/metrics"
)

// ranking is testdata/ranking.json, which ranking.py writes: it says what the fields mean.
type ranking struct {
	Cases []struct {
		Rows, Factor, Modulus, Bonus, Window int
		Spans                                [][2]int
		VUSPR                                float64
	}
	Periods []struct{ Rows, Factor, Modulus, Lift, Every, Period int }
}

func readRanking(t *testing.T) (r ranking) {
	t.Helper()
	data, err := os.ReadFile("testdata/ranking.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRanking(t *testing.T) {
	for i, c := range readRanking(t).Cases {
		anomalies, scores := make([]bool, c.Rows), make([]float64, c.Rows)
		for row := range scores {
			scores[row] = float64(row * c.Factor % c.Modulus)
		}
		for _, s := range c.Spans {
			for row := s[0]; row <= s[1]; row++ {
				anomalies[row] = true
			}
			for row := s[0] + 1; row <= min(s[1]+2, c.Rows-1); row++ {
				scores[row] += float64(c.Bonus)
			}
		}
		compare(t, fmt.Sprintf("case %d: VUS-PR", i), metrics.VUSPR(anomalies, scores, c.Window), c.VUSPR)
	}
}

// Rows without an anomaly, and scores that are none, have no figures.
func TestUnranked(t *testing.T) {
	for _, c := range []struct {
		anomalies []bool
		scores    []float64
	}{{nil, nil}, {[]bool{false, false}, []float64{1, 2}}, {[]bool{true, false}, []float64{1, math.NaN()}}} {
		if v := metrics.VUSPR(c.anomalies, c.scores, 5); !math.IsNaN(v) {
			t.Errorf("VUS-PR of %v is %g", c, v)
		}
	}
}

func TestPeriod(t *testing.T) {
	for i, c := range readRanking(t).Periods {
		values := make([]float64, c.Rows)
		for row := range values {
			values[row] = float64(row*c.Factor%c.Modulus + c.Lift*(row%c.Every))
		}
		if got := metrics.Period(values); got != c.Period {
			t.Errorf("case %d: the period is %d, want %d", i, got, c.Period)
		}
	}
}

func ExampleVUSPR() {
	anomalies := []bool{false, false, false, true, true, false, false, false}
	late := []float64{0, 0, 0, 0, 1, 1, 0, 0} // by a row
	fmt.Printf("%.3f, without buffers %.3f", metrics.VUSPR(anomalies, late, 4), metrics.VUSPR(anomalies, late, 0))
	// Output: 0.630, without buffers 0.375
}
