package onnxref_test

import (
	"fmt"
	"math"

	"github.com/rnnkit/rnnkit/internal/onnxref"
)

// ExampleRecurrent runs two steps of an RNN with a linear activation: h = x + h/2.
func ExampleRecurrent() {
	node := onnxref.Recurrent{
		Op: "RNN", Direction: "forward", Clip: math.Inf(1),
		Activations: []string{"Affine"}, Alpha: []float64{1}, Beta: []float64{0},
		X: &onnxref.Array{Shape: []int{2, 1, 1}, Data: []float64{1, 3}},
		W: &onnxref.Array{Shape: []int{1, 1, 1}, Data: []float64{1}},
		R: &onnxref.Array{Shape: []int{1, 1, 1}, Data: []float64{0.5}},
	}
	out := node.Run()
	fmt.Println("Y", out[0].Shape, out[0].Data)
	fmt.Println("Y_h", out[1].Shape, out[1].Data)
	// Output:
	// Y [2 1 1 1] [1 3.5]
	// Y_h [1 1 1] [3.5]
}
