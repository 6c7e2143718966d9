// Package pca finds the directions in which data varies most.
package pca

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// Result is a principal component analysis.
type Result struct {
	// Components has a row for each component, the one of largest variance
	// first: a direction of length 1 with a weight for each column of the data.
	// The weight of largest magnitude, the first of equals, is positive, as in
	// scikit-learn from version 1.5 on.
	Components *mat.Dense
	// Scores has the data less its mean along each component: a row for each
	// of the data's, a column for each component.
	Scores *mat.Dense
	// Variance is that of each column of Scores, divided by rows-1; Ratio is
	// its share of the variance of the data, 0 where that does not vary.
	Variance, Ratio []float64
}

// Fit returns the first components of x, which has a row for each observation.
// It is an error if x has fewer rows or columns than components, or a value that
// is not finite.
func Fit(x mat.Matrix, components int) (*Result, error) {
	rows, cols := x.Dims()
	if components < 1 || rows < max(2, components) || cols < components {
		return nil, fmt.Errorf("pca: %d components of %d rows and %d columns: there must be as many rows and columns as components, and two rows", components, rows, cols)
	}
	centred := mat.DenseCopyOf(x)
	for j := range cols {
		column := mat.Col(nil, j, x)
		mean := stat.Mean(column, nil)
		if floats.Max(column) == floats.Min(column) {
			mean = column[0] // without rounding
		}
		floats.AddConst(-mean, column)
		centred.SetCol(j, column)
	}
	if norm := mat.Norm(centred, 2); !(norm < 1e150) { // whose square is finite
		return nil, errors.New("pca: a value is not finite, or too large: leave it out")
	}
	var pc stat.PC
	if !pc.PrincipalComponents(centred, nil) {
		return nil, errors.New("pca: the singular value decomposition does not converge: scale the values")
	}
	variance := pc.VarsTo(nil)
	r := &Result{
		Components: mat.NewDense(components, cols, nil),
		Scores:     mat.NewDense(rows, components, nil),
		Variance:   variance[:components],
		Ratio:      make([]float64, components),
	}
	var vectors mat.Dense
	pc.VectorsTo(&vectors)
	sum := floats.Sum(variance)
	for k := range components {
		weights := mat.Col(nil, k, &vectors)
		if largest(weights) < 0 {
			floats.Scale(-1, weights)
		}
		r.Components.SetRow(k, weights)
		if sum > 0 {
			r.Ratio[k] = variance[k] / sum
		}
	}
	r.Scores.Mul(centred, r.Components.T())
	return r, nil
}

// largest returns the value of largest magnitude, the first of equals.
func largest(values []float64) float64 {
	found := values[0]
	for _, v := range values {
		if math.Abs(v) > math.Abs(found) {
			found = v
		}
	}
	return found
}
