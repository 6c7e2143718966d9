package baselines_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/rnnkit/rnnkit/internal/baselines"
)

func TestRobustZ(t *testing.T) {
	const season = 24
	r := rand.New(rand.NewPCG(2, 3))
	values := make([]float64, 2000)
	for i := range values {
		values[i] = 10*math.Sin(2*math.Pi*float64(i)/season) + r.NormFloat64()
	}
	values[1000], values[1500] = math.NaN(), values[1500]+20
	scores, scales := baselines.RobustZ(values, season)
	if !math.IsNaN(scores[season]) || !math.IsNaN(scores[1000]) || !(scores[1500] > 10) {
		t.Errorf("scores %g at the first season, %g where a value is missing, %g of a spike", scores[season], scores[1000], scores[1500])
	}
	// The median of five normal values has a variance of 0.287: Kendall and Stuart.
	mean, n := 0.0, 0.0
	for _, s := range scales[500:] {
		mean, n = mean+s, n+1
	}
	if want := math.Sqrt(1.287); !(math.Abs(mean/n/want-1) < 0.05) {
		t.Errorf("the scale is %g, not %g", mean/n, want)
	}
	without, _ := baselines.RobustZ(values, 1)
	if !(without[1500] < scores[1500]) {
		t.Errorf("without the season the spike has %g, with it %g", without[1500], scores[1500])
	}
}
