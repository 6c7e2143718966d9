package cell_test

import (
	"fmt"

	"github.com/rnnkit/rnnkit/internal/cell"
	"github.com/rnnkit/rnnkit/internal/kernels"
)

func ExampleNewRNN() {
	const time, batch, inputs, hidden = 3, 1, 1, 1
	w := cell.Weights[float64]{W: []float64{1}, R: []float64{0.5}, B: []float64{0, 0}}
	x := cell.Dense(time, batch, inputs, []float64{1, 0, 0})
	y := cell.Dense(time, batch, hidden, make([]float64, time))
	first := cell.State[float64]{H: kernels.Dense(batch, hidden, []float64{0})}
	rnn := cell.NewRNN[float64](hidden, false)
	var packed cell.Packed[float64]
	rnn.Pack(&packed, w)
	rnn.Forward(&packed, cell.Sequences[float64]{X: x, Y: y, First: first})
	fmt.Printf("%.3f\n", y.Data)
	// Output:
	// [0.762 0.363 0.180]
}
