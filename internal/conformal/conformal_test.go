package conformal_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rnnkit/rnnkit/internal/conformal"
)

var levels = []float64{0.025, 0.1, 0.5, 0.9, 0.975}

// process draws series whose errors add up from step to step, in units of their own, and
// forecasts of them whose quantiles are those of a normal distribution times a factor that
// differs from step to step.
type process struct {
	rng   *rand.Rand
	steps int
	heavy bool // errors have Student's t distribution with 4 degrees of freedom
}

func (p process) draw() (quantiles [][]float64, actual []float64) {
	unit, sum := math.Exp(p.rng.NormFloat64()), 0.0
	for h := range p.steps {
		sum += p.error()
		deviation := unit * math.Sqrt(float64(h+1)) * p.factor(h)
		actual = append(actual, 100+unit*sum)
		quantiles = append(quantiles, []float64{100 - 1.96*deviation, 100 - 1.28*deviation, 100, 100 + 1.28*deviation, 100 + 1.96*deviation})
	}
	return quantiles, actual
}

func (p process) factor(h int) float64 { return 0.8 + 0.03*float64(h) }

func (p process) error() float64 {
	e := p.rng.NormFloat64()
	if !p.heavy {
		return e
	}
	squares := 0.0
	for range 4 {
		g := p.rng.NormFloat64()
		squares += g * g
	}
	return e / math.Sqrt(squares/4)
}

func (p process) drawRows(n int) (forecasts [][][]float64, actuals [][]float64) {
	for range n {
		q, y := p.draw()
		forecasts, actuals = append(forecasts, q), append(actuals, y)
	}
	return forecasts, actuals
}

// coverage returns the share of new values in the intervals of 80% and 95% at each step,
// over trials with calibrations on n rows each.
func (p process) coverage(n, trials, draws int) (inner, outer []float64) {
	inner, outer = make([]float64, p.steps), make([]float64, p.steps)
	one := 1 / float64(trials*draws)
	for range trials {
		forecasts, actuals := p.drawRows(n)
		widths := conformal.Widths(levels, forecasts, actuals, n)
		for range draws {
			quantiles, actual := p.draw()
			for h, y := range actual {
				w := widths[h*len(levels):]
				off := math.Abs(y - 100)
				narrow := float64(w[3]) * (quantiles[h][3] - 100)
				wide := max(narrow, float64(w[4])*(quantiles[h][4]-100))
				if off <= narrow {
					inner[h] += one
				}
				if off <= wide {
					outer[h] += one
				}
			}
		}
	}
	return inner, outer
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

func TestCoverage(t *testing.T) {
	for _, c := range []struct {
		n, trials, draws int
		more, step       float64 // how much more than its level an interval may hold over all steps, and off it at one
	}{
		{5, 400, 20, 0.06, 0.13},
		{20, 200, 50, 0.03, 0.10},
		{100, 60, 100, 0.02, 0.07},
		{414, 20, 400, 0.015, 0.04},
		{10_000, 1, 8000, 0.012, 0.02},
	} {
		for _, heavy := range []bool{false, true} {
			p := process{rand.New(rand.NewPCG(1, 2)), 12, heavy}
			inner, outer := p.coverage(c.n, c.trials, c.draws)
			for level, got := range map[float64][]float64{0.8: inner, 0.95: outer} {
				if m := mean(got); !(m >= level-0.01 && m <= level+c.more) {
					t.Errorf("after %d rows intervals of %v hold %.3f", c.n, level, m)
				}
				for h, share := range got {
					if !(math.Abs(share-level) <= c.step) {
						t.Errorf("after %d rows intervals of %v hold %.3f at step %d", c.n, level, share, h+1)
					}
				}
			}
		}
	}
}

// many rows are not drawn to the usual factor.
const many = 1e9

// unit returns forecasts of one step with quantiles -1, 0 and 1 for each value.
func unit(values ...float64) (forecasts [][][]float64, actuals [][]float64) {
	for _, v := range values {
		forecasts = append(forecasts, [][]float64{{-1, 0, 1}})
		actuals = append(actuals, []float64{v})
	}
	return forecasts, actuals
}

func TestWidths(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name   string
		share  float64
		values []float64
		want   float64
	}{
		{"the 4th of 4", 0.8, []float64{3, -9, 0, 1}, 9},
		{"between the 3rd and the 4th of 5", 0.6, []float64{3, -9, 0, 1, -4}, 3.6},
		{"below the 1st", 0.1, []float64{2, 3, 4, 5}, 1},
		{"missing values", 0.8, []float64{nan, 3, -9, nan, 0, 1}, 9},
		// 4 of 5 lie below the largest: 1.2816 standard deviations, and 95% are 1.96.
		{"more than the largest", 0.95, []float64{3, -9, 0, 1}, 9 * 1.959964 / 1.281552},
		{"none", 0.8, []float64{nan}, 1},
		{"exact forecasts", 0.8, []float64{0, 0, 0, 0, 0}, 0},
	} {
		forecasts, actuals := unit(c.values...)
		w := conformal.Widths([]float64{(1 - c.share) / 2, 0.5, (1 + c.share) / 2}, forecasts, actuals, many)
		if len(w) != 3 || w[0] != w[2] || w[1] != 1 || !(math.Abs(float64(w[0])-c.want) <= 1e-5*(1+c.want)) {
			t.Errorf("%s: widths are %v, want %v", c.name, w, c.want)
		}
	}
}

// Quantiles that equal the median say nothing, whatever came.
func TestZeroWidth(t *testing.T) {
	forecasts, actuals := unit(3, -9, 0, 1)
	for _, y := range []float64{-1000, 0, 1000} {
		forecasts = append(forecasts, [][]float64{{0, 0, 0}}, [][]float64{{0, 0, 5}}, [][]float64{{-5, 0, 0}})
		actuals = append(actuals, []float64{y}, []float64{y}, []float64{y})
		forecasts = append(forecasts, [][]float64{{500 - 1e-5, 500, 500 + 1e-5}}) // rounded
		actuals = append(actuals, []float64{y})
	}
	if w := conformal.Widths([]float64{0.1, 0.5, 0.9}, forecasts, actuals, many); w[0] != 9 {
		t.Errorf("widths are %v, want 9 at both sides", w)
	}
}

// A step without values has the factor of all steps.
func TestStepWithoutValues(t *testing.T) {
	forecasts, actuals := unit(3, -9, 0, 1)
	for i := range actuals {
		actuals[i] = append(actuals[i], math.NaN())
		forecasts[i] = append(forecasts[i], []float64{-1, 0, 1})
	}
	actuals[1] = actuals[1][:1] // the series ends
	w := conformal.Widths([]float64{0.1, 0.5, 0.9}, forecasts, actuals, many)
	for _, i := range []int{0, 2, 3, 5} {
		if !(w[i] > 5 && w[i] <= 9) {
			t.Errorf("widths are %v", w)
		}
	}
}

// A step of 40 rows lies halfway between its own factor and that of all steps.
func TestSteps(t *testing.T) {
	forecasts, actuals := unit(make([]float64, 40)...)
	for i := range actuals {
		actuals[i] = []float64{1, 3}
		forecasts[i] = append(forecasts[i], forecasts[i][0])
	}
	w := conformal.Widths([]float64{0.1, 0.5, 0.9}, forecasts, actuals, many)
	if want := []float32{2, 1, 2, 3, 1, 3}; !slices.Equal(w, want) {
		t.Errorf("widths are %v, want %v", w, want)
	}
}

// The fewer rows lie apart, the nearer are the factors to the usual one, and the less does a
// step's own factor count.
func TestApart(t *testing.T) {
	forecasts, actuals := unit(make([]float64, 40)...)
	for i := range actuals {
		actuals[i] = []float64{2}
	}
	for apart, want := range map[int]float64{1: math.Sqrt(2 * 1.2), 4: math.Pow(16*1.2, 1.0/5), 1e9: 2} {
		w := conformal.Widths([]float64{0.1, 0.5, 0.9}, forecasts, actuals, apart)
		if !(math.Abs(float64(w[0])-want) < 1e-6 && w[1] == 1 && w[2] == w[0]) {
			t.Errorf("widths of %d rows apart are %v, want %v", apart, w, want)
		}
	}
	for i := range actuals {
		actuals[i] = []float64{1, 3}
		forecasts[i] = append(forecasts[i], forecasts[i][0])
	}
	w := conformal.Widths([]float64{0.1, 0.5, 0.9}, forecasts, actuals, 10)
	for i, factor := range map[int]float64{0: 3 - 2.0/5, 3: 3} {
		if want := math.Pow(math.Pow(factor, 10)*1.2, 1.0/11); !(math.Abs(float64(w[i])-want) < 1e-6) {
			t.Errorf("widths of 10 rows apart are %v, want %v at %d", w, want, i)
		}
	}
}

// A factor is finite, so that zero times it is zero.
func TestFinite(t *testing.T) {
	forecasts, actuals := [][][]float64{{{-1e-300, 0, 1e-300}}}, [][]float64{{1e10}}
	if w := conformal.Widths([]float64{0.1, 0.5, 0.9}, forecasts, actuals, many); !(w[0] <= math.MaxFloat32) {
		t.Errorf("widths are %v", w)
	}
}

func TestNoRows(t *testing.T) {
	if w := conformal.Widths(levels, nil, nil, 0); len(w) != 0 {
		t.Errorf("widths are %v", w)
	}
}

func ExampleWidths() {
	// A model whose 80% interval is 10 wide on either side was off by up to 25.
	var forecasts [][][]float64
	var actuals [][]float64
	for _, off := range []float64{3, -14, 8, 25, -11, 2, -20, 17, 5, -6} {
		forecasts = append(forecasts, [][]float64{{90, 100, 110}})
		actuals = append(actuals, []float64{100 + off})
	}
	fmt.Printf("%.2f\n", conformal.Widths([]float64{0.1, 0.5, 0.9}, forecasts, actuals, many))
	// Output:
	// [1.94 1.00 1.94]
}
