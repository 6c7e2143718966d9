package metrics_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/rnnkit/rnnkit/internal/metrics"
)

func ExampleNAB() {
	scores := make([]float64, 100)
	scores[42] = 1.5
	series := []metrics.Windows{{Scores: scores, Windows: [][2]int{{40, 60}}}}
	fmt.Printf("%.1f", metrics.NAB(series, 1, metrics.NABStandard))
	// Output: 99.6
}

// TestNAB compares with NAB's own scores, as testdata/nab.py has them.
func TestNAB(t *testing.T) {
	data, err := os.ReadFile("testdata/nab.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Series           []metrics.Windows
		Best, Border, At []float64
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		for k, profile := range []metrics.NABProfile{metrics.NABStandard, metrics.NABLowFP, metrics.NABLowFN} {
			at := metrics.NAB(c.Series, 0.9, profile)
			best, border := metrics.BestNAB(c.Series, profile)
			if !(math.Abs(at-c.At[k]) < 1e-9) || !(math.Abs(best-c.Best[k]) < 1e-9) || c.Border[k] > 0 && !(math.Abs(border-c.Border[k]) < 1e-12) {
				t.Errorf("case %d, profile %d: %.9g at 0.9 and %.9g at %.9g, not %.9g and %.9g at %.9g", i, k, at, best, border, c.At[k], c.Best[k], c.Border[k])
			}
		}
	}
	if s := metrics.NAB([]metrics.Windows{{Scores: []float64{1}}}, 1, metrics.NABStandard); !math.IsNaN(s) {
		t.Errorf("without windows the score is %g", s)
	}
}
