package baselines

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"
)

func (m etsModel) String() string {
	name := map[bool]string{false: "A", true: "M"}[m.relative]
	name += map[bool]string{false: "N", true: "A"}[m.trend]
	if m.damped {
		name += "d"
	}
	return name + []string{"N", "A", "M"}[m.season]
}

// growing returns values that grow, with a season and noise.
func growing(n, season int) []float64 {
	rng := rand.New(rand.NewPCG(1, 2))
	values := make([]float64, n)
	for i := range values {
		wave := 1 + 0.3*math.Sin(2*math.Pi*float64(i)/float64(season))
		values[i] = (30 + 0.4*float64(i)) * wave * (1 + 0.05*rng.NormFloat64())
	}
	return values
}

func newFit(m etsModel, y []float64) *etsFit {
	return &etsFit{m, y, m.estimate(y), make([]etsStep, len(y)), make([]float64, len(y)), make([]float64, len(y))}
}

// The gradient of the loss is that of finite differences.
func TestGradient(t *testing.T) {
	y := growing(40, 5)
	y[7], y[8], y[23] = math.NaN(), math.NaN(), math.NaN()
	rng := rand.New(rand.NewPCG(1, 2))
	for _, m := range etsModels(y, 5) {
		f := newFit(m, y)
		x := f.first(0.3)
		for i := range x {
			x[i] += 0.3 * rng.NormFloat64()
		}
		gradient, unused := make([]float64, len(x)), make([]float64, len(x))
		if loss := f.loss(x, gradient); math.IsInf(loss, 0) || math.IsNaN(loss) {
			t.Fatalf("%v: loss %v", m, loss)
		}
		for i := range x {
			const step = 1e-5
			x[i] += step
			above := f.loss(x, unused)
			x[i] -= 2 * step
			below := f.loss(x, unused)
			x[i] += step
			if want := (above - below) / (2 * step); !(math.Abs(gradient[i]-want) <= 1e-5*(1+math.Abs(want))) {
				t.Errorf("%v: derivative %d is %v, want %v", m, i, gradient[i], want)
			}
		}
	}
}

// etsGolden is a model of testdata/golden.json with parameters that statsforecast found.
type etsGolden struct {
	Model                   string
	Alpha, Beta, Gamma, Phi float64
	Level, Trend            float64
	Season                  []float64
	Loss, AICc              float64
	Mean                    []float64
}

func readETS(t *testing.T) (y []float64, season int, golden []etsGolden) {
	t.Helper()
	data, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g struct {
		Series []struct {
			Season int
			Values []float64
			ETS    []etsGolden
		}
	}
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g.Series[0].Values, g.Series[0].Season, g.Series[0].ETS
}

func (g etsGolden) params(m etsModel) etsParams {
	p := etsParams{g.Alpha, g.Beta, g.Gamma, g.Phi, g.Level, g.Trend, make([]float64, m.period)}
	copy(p.season, g.Season)
	return p
}

// With the parameters that statsforecast found, likelihood and forecasts are the same.
func TestETSGolden(t *testing.T) {
	y, season, golden := readETS(t)
	want := make(map[string]etsGolden)
	for _, g := range golden {
		want[g.Model] = g
	}
	models := etsModels(y, season)
	if len(models) != 15 || len(want) != 15 {
		t.Fatalf("%d models, %d goldens", len(models), len(want))
	}
	for _, m := range models {
		g, f := want[m.String()], newFit(m, y)
		p := g.params(m)
		if !m.run(y, &p, f.steps) {
			t.Fatalf("%v cannot follow the series", m)
		}
		if loss := m.loss(f.steps, f.byError, f.byMean); !(math.Abs(loss-g.Loss) <= 1e-9*g.Loss) {
			t.Errorf("%v: loss %v, want %v", m, loss, g.Loss)
		}
		if c := akaike(g.Loss, len(y), m.parameters()); !(math.Abs(c-g.AICc) <= 1e-9*g.AICc) {
			t.Errorf("%v: criterion %v, want %v", m, c, g.AICc)
		}
		means := fittedETS{model: m, params: p}.forecast(len(y), len(g.Mean)).Mean
		for h, want := range g.Mean {
			if !(math.Abs(means[h]-want) <= 1e-9*want) {
				t.Errorf("%v: step %d is %v, want %v", m, h, means[h], want)
			}
		}
		if c := fitETS(m, y).criterion; !(c <= g.AICc+0.05) {
			t.Errorf("%v: the criterion is %v, statsforecast has found %v", m, c, g.AICc)
		}
	}
}

func TestETSModels(t *testing.T) {
	y := growing(40, 5)
	for name, c := range map[string]struct {
		y      []float64
		season int
		want   int
	}{
		"positive":         {y, 5, 15},
		"with a zero":      {append([]float64{0}, y...), 5, 6},
		"with a gap":       {append([]float64{math.NaN()}, y...), 5, 15},
		"without a season": {y, 0, 6},
		"season of 1":      {y, 1, 6},
		"two seasons":      {y, 20, 15},
		"fewer":            {y, 21, 6},
		"a long season":    {growing(900, 9), 400, 15},
		"too long a one":   {growing(900, 9), 401, 6},
	} {
		if got := etsModels(c.y, c.season); len(got) != c.want {
			t.Errorf("%s: %d models, want %d", name, len(got), c.want)
		}
	}
}

// The simplest model that explains a series is chosen.
func TestBestETS(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	series := func(value func(i int) float64) []float64 {
		y := make([]float64, 60)
		for i := range y {
			y[i] = value(i)
		}
		return y
	}
	wave := []float64{0.2, 1.8, 1, 0.5, 1.5}
	for want, y := range map[string][]float64{
		"ANN":  series(func(int) float64 { return rng.NormFloat64() }),
		"AAN":  series(func(i int) float64 { return 0.1*float64(i) + 0.3 }),
		"AAdN": series(func(i int) float64 { return -30 * math.Pow(0.9, float64(i)) }),
		"ANA":  series(func(i int) float64 { return 10*wave[i%5] - 8 + 0.3*rng.NormFloat64() }),
		"MAM":  series(func(i int) float64 { return (10 + 0.3*float64(i)) * wave[i%5] * (1 + 0.05*rng.NormFloat64()) }),
	} {
		if got := bestETS(y, 5).model.String(); got != want {
			t.Errorf("the model is %s, want %s", got, want)
		}
	}
}

// A model whose season multiplies starts from a level if it cannot from a straight line.
func TestETSStart(t *testing.T) {
	y := make([]float64, 60)
	for i := range y {
		y[i] = 0.1 + float64(max(0, i-7))*(10+math.Sin(float64(i)))
	}
	for _, m := range etsModelsOf(multiplies, 5, true) {
		if f := fitETS(m, y); math.IsInf(f.criterion, 0) {
			t.Errorf("%v was not fitted", m)
		}
	}
}

func TestETSDomain(t *testing.T) {
	y, steps := []float64{1, 1}, make([]etsStep, 2)
	for name, c := range map[string]struct {
		model  etsModel
		params etsParams
	}{
		"a mean of 0":         {etsModel{relative: true, period: 1}, etsParams{season: []float64{0}}},
		"a season of 0":       {etsModel{season: multiplies, period: 2}, etsParams{level: 1, season: []float64{1, 0}}},
		"a level of 0":        {etsModel{season: multiplies, period: 2}, etsParams{season: []float64{1, 1}}},
		"a level that is NaN": {etsModel{relative: true, period: 1}, etsParams{level: math.NaN(), season: []float64{0}}},
	} {
		if c.model.run(y, &c.params, steps) {
			t.Errorf("%s is in the domain", name)
		}
	}
}

// Means and deviations are those of simulated series.
func TestETSForecast(t *testing.T) {
	const horizon, paths = 13, 20_000
	rng := rand.New(rand.NewPCG(1, 2))
	for _, m := range etsModels(growing(40, 5), 5) {
		p := etsParams{alpha: 0.3, phi: 1, level: 10, season: make([]float64, m.period)}
		f := fittedETS{model: m, params: p, variance: 0.25}
		if m.trend {
			f.params.beta, f.params.trend = 0.05, 0.4
		}
		if m.damped {
			f.params.phi = 0.9
		}
		if m.season != none {
			f.params.gamma, f.params.season = 0.2, []float64{0.9, 1.2, 1, 0.7, 1.2}
		}
		if m.relative {
			f.variance = 0.0025
		}
		got, want := f.forecast(7, horizon), f.simulate(7, horizon, paths, rng)
		for h := range horizon {
			if !(math.Abs(got.Mean[h]-want.Mean[h]) <= 0.05*want.Deviation[h]) {
				t.Errorf("%v: the mean of step %d is %v, simulated %v", m, h, got.Mean[h], want.Mean[h])
			}
			if !(math.Abs(got.Deviation[h]-want.Deviation[h]) <= 0.03*want.Deviation[h]) {
				t.Errorf("%v: step %d deviates by %v, simulated by %v", m, h, got.Deviation[h], want.Deviation[h])
			}
		}
	}
}

// simulate returns what random paths have at the steps after n values.
func (f fittedETS) simulate(n, horizon, paths int, rng *rand.Rand) Forecast {
	sums, squares := make([]float64, horizon), make([]float64, horizon)
	for range paths {
		p := f.params
		p.season = append([]float64(nil), p.season...)
		for h := range horizon {
			phase := (n + h) % f.model.period
			s := etsStep{level: p.level, trend: p.trend, season: p.season[phase], base: p.level + p.phi*p.trend}
			s.mean = f.model.join(s.base, s.season)
			s.error = math.Sqrt(f.variance) * rng.NormFloat64()
			if f.model.relative {
				s.error *= s.mean
			}
			sums[h] += s.mean + s.error
			squares[h] += (s.mean + s.error) * (s.mean + s.error)
			f.model.update(&p, &s, phase)
		}
	}
	for h := range horizon {
		sums[h] /= float64(paths)
		squares[h] = math.Sqrt(squares[h]/float64(paths) - sums[h]*sums[h])
	}
	return Forecast{Mean: sums, Deviation: squares}
}

// Rosenbrock's valley, whose floor is curved.
func TestMinimize(t *testing.T) {
	x := []float64{-1.2, 1, -1.2, 1, 3}
	least := minimize(func(x, gradient []float64) float64 {
		clear(gradient)
		sum := 0.0
		for i := range len(x) - 1 {
			a, b := 1-x[i], x[i+1]-x[i]*x[i]
			sum += a*a + 100*b*b
			gradient[i] += -2*a - 400*b*x[i]
			gradient[i+1] += 200 * b
		}
		return sum
	}, x)
	if !(least <= 1e-6) {
		t.Errorf("the least value is %v at %v", least, x)
	}
	for i, v := range x {
		if !(math.Abs(v-1) <= 1e-2) {
			t.Errorf("x[%d] is %v, want 1", i, v)
		}
	}
}

// A domain that ends where the minimum is.
func TestMinimizeDomain(t *testing.T) {
	x := []float64{5}
	minimize(func(x, gradient []float64) float64 {
		gradient[0] = 1 - 0.01/x[0]
		return x[0] - 0.01*math.Log(x[0]) // NaN below 0
	}, x)
	if !(math.Abs(x[0]-0.01) < 1e-3) {
		t.Errorf("the minimum is at %v, want 0.01", x[0])
	}
	flat := []float64{1, 2}
	if v := minimize(func(_, gradient []float64) float64 { clear(gradient); return 3 }, flat); v != 3 || fmt.Sprint(flat) != "[1 2]" {
		t.Errorf("a constant has its minimum %v at %v", v, flat)
	}
}
