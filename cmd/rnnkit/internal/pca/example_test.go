package pca_test

import (
	"fmt"
	"log"

	"gonum.org/v1/gonum/mat"

	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/pca"
)

func ExampleFit() {
	points := mat.NewDense(4, 2, []float64{
		1, 2,
		2, 4,
		3, 6,
		4, 8,
	})
	r, err := pca.Fit(points, 1)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.3f explains %.0f%%\n", r.Components.RawRowView(0), 100*r.Ratio[0])
	// Output:
	// [0.447 0.894] explains 100%
}
