package rnnkit

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/models"
)

// TestStructuralMaps compares with what torch.linalg.solve gives in float64.
func TestStructuralMaps(t *testing.T) {
	const window, horizon, maps = 24, 5, 8
	got := structuralMaps(&models.Direct{Window: window, Horizon: horizon, Linear: maps}, 6)
	for h, want := range [horizon][maps]float64{ // of the first step of the window
		{0.15961, 0.13921, 0.07072, 0.14091, 0.09815, 0.01066, 0.16299, 0.04073},
		{-0.00934, -0.02505, -0.02298, -0.02536, -0.03349, 0.0009, -0.01855, 0.00333},
		{-0.00746, -0.01875, -0.01781, -0.02094, -0.0287, 0.00102, -0.01694, 0.00422},
		{-0.00562, -0.01272, -0.01151, -0.01669, -0.02391, 0.00125, -0.01531, 0.00499},
		{-0.00384, -0.00692, -0.0047, -0.01259, -0.01916, 0.00156, -0.01368, 0.00567},
	} {
		for k, w := range want {
			if g := float64(got[k*horizon+h]); !(math.Abs(g-w) < 6e-6) {
				t.Errorf("map %d, step %d: %g, want %g", k, h, g, w)
			}
		}
	}
}

// TestRidge compares the solution with gonum's, for windows with missing values and
// weights.
func TestRidge(t *testing.T) {
	values := make([]float64, 90)
	for i := range values {
		values[i] = 20 + 5*math.Sin(float64(i)) + 3*math.Cos(float64(i*i))
	}
	values[30] = math.NaN()
	p, err := datasets.NewPanel(values, values[:40])
	if err != nil {
		t.Fatal(err)
	}
	d := &models.Direct{Window: 7, Horizon: 3, Log: 2, Center: models.CenterMean}
	w, err := p.Windows(datasets.WindowOptions{Window: d.Window, Horizon: d.Horizon, MinHistory: 2, Errors: [][]float64{{2}, {0.5}}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := ridgePath(w, d, 0)
	if err != nil {
		t.Fatal(err)
	}
	var b datasets.Batch
	if err := w.Read(&b, firstOf(w.Len())); err != nil {
		t.Fatal(err)
	}
	var xs, ys []float64
	for i := range b.Size {
		if targets := b.Targets[i*3:][:3]; targets[0]+targets[1]+targets[2] == targets[0]+targets[1]+targets[2] {
			x, y := regressors(b.Inputs[i*7:][:7], targets, float64(b.Weights[i]))
			xs, ys = append(xs, x...), append(ys, y...)
		}
	}
	var squares, products, want mat.Dense
	x, y := mat.NewDense(len(xs)/7, 7, xs), mat.NewDense(len(ys)/3, 3, ys)
	squares.Mul(x.T(), x)
	products.Mul(x.T(), y)
	shrink := ridgeShrinkage*mat.Trace(&squares)/7 + 1e-12
	for i := range 7 {
		squares.Set(i, i, squares.At(i, i)+shrink)
	}
	if err := want.Solve(&squares, &products); err != nil {
		t.Fatal(err)
	}
	for i := range 7 {
		for h := range 3 {
			if g := float64(got[i*3+h]); !(math.Abs(g-want.At(i, h)) < 1e-6) {
				t.Errorf("from step %d to %d: %g, want %g", i, h, g, want.At(i, h))
			}
		}
	}
}

// regressors returns what a window of logarithms and what follows count in the loss, by
// the formulas of models.Direct.
func regressors(window, targets []float32, weight float64) (x, y []float64) {
	var sum, n, squares float64
	for _, v := range window {
		if v == v {
			sum += math.Log(float64(v))
			n++
		}
	}
	mean := sum / n
	for _, v := range window {
		d := math.Log(float64(v)) - mean
		if v != v {
			d = 0
		}
		squares += d * d
		x = append(x, d*weight*math.Exp(mean))
	}
	for _, v := range targets {
		y = append(y, (math.Log(float64(v))-mean)*weight*math.Exp(mean))
	}
	if squares == 0 {
		return nil, nil
	}
	return x, y
}
