package pca_test

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/pca"
)

// TestGolden compares with scikit-learn, signs included: the convention is its
// own.
func TestGolden(t *testing.T) {
	data, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden map[string]struct {
		X, Components, Scores [][]float64
		Variance              []float64
		Ratio                 []float64
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	if len(golden) != 8 {
		t.Errorf("there are %d cases", len(golden))
	}
	for name, g := range golden {
		got, err := pca.Fit(dense(g.X), len(g.Components))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		k := len(g.Variance)
		for what, pair := range map[string][2]*mat.Dense{
			"components": {got.Components, dense(g.Components)},
			"scores":     {got.Scores, dense(g.Scores)},
			"variance":   {mat.NewDense(1, k, got.Variance), mat.NewDense(1, k, g.Variance)},
			"ratio":      {mat.NewDense(1, k, got.Ratio), mat.NewDense(1, k, g.Ratio)},
		} {
			var d mat.Dense
			d.Sub(pair[0], pair[1])
			if off := mat.Norm(&d, 2); !(off <= 1e-9) {
				t.Errorf("%s: %s differ by %g", name, what, off)
			}
		}
	}
}

func dense(rows [][]float64) *mat.Dense {
	m := mat.NewDense(len(rows), len(rows[0]), nil)
	for i, row := range rows {
		m.SetRow(i, row)
	}
	return m
}

func TestNoVariance(t *testing.T) {
	constant := mat.NewDense(7, 3, nil)
	for i := range 7 {
		constant.SetRow(i, []float64{0.1, 1e9 / 3, -2})
	}
	r, err := pca.Fit(constant, 2)
	if err != nil {
		t.Fatal(err)
	}
	for k := range 2 {
		if r.Variance[k] != 0 || r.Ratio[k] != 0 || !(mat.Norm(r.Scores, 2) == 0) {
			t.Errorf("component %d of constant data: variance %g, ratio %g, scores %v", k+1, r.Variance[k], r.Ratio[k], r.Scores)
		}
	}
}

// TestSign turns data around, which changes the scores and not the components.
func TestSign(t *testing.T) {
	x := dense([][]float64{{1, -5, 2}, {2, -9, 1}, {4, -30, 0}, {3, -11, 1}})
	a, err := pca.Fit(x, 2)
	if err != nil {
		t.Fatal(err)
	}
	x.Scale(-1, x)
	b, err := pca.Fit(x, 2)
	if err != nil {
		t.Fatal(err)
	}
	b.Scores.Scale(-1, b.Scores)
	if !mat.EqualApprox(a.Components, b.Components, 1e-12) || !mat.EqualApprox(a.Scores, b.Scores, 1e-12) || !(a.Components.At(0, 1) > 0.9) {
		t.Errorf("%v and %v", mat.Formatted(a.Components), mat.Formatted(b.Components))
	}
}

func TestErrors(t *testing.T) {
	for _, test := range []struct {
		rows, cols, components int
		value                  float64
		want                   string
	}{
		{3, 1, 2, 0, "2 components of 3 rows and 1 columns"},
		{1, 3, 2, 0, "2 components of 1 rows"},
		{1, 1, 1, 0, "two rows"},
		{4, 4, 0, 0, "0 components"},
		{4, 4, 2, math.NaN(), "not finite"},
		{4, 4, 2, math.Inf(-1), "not finite"},
		{4, 4, 2, 1e300, "too large"},
	} {
		x := mat.NewDense(test.rows, test.cols, nil)
		x.Set(0, 0, test.value)
		if _, err := pca.Fit(x, test.components); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: the error is %v", test, err)
		}
	}
}
