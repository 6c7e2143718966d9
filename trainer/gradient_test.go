package trainer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/rnnkit/rnnkit/models"
)

// TestGradients compares the gradient of every parameter of every kind of model with
// central differences, in float64. The sequences have one length or several, and start
// from a random state.
func TestGradients(t *testing.T) {
	cells := []models.Spec{{Cell: models.RNN}, {Cell: models.RNN, Activation: models.ReLU}, {Cell: models.LSTM}, {Cell: models.GRU}}
	for _, c := range cells {
		for _, readout := range []models.Readout{models.ReadLast, models.ReadFinal, models.ReadMean, models.ReadMax, models.ReadAll} {
			for layers := 1; layers <= 2; layers++ {
				for _, bidirectional := range []bool{false, true} {
					for _, vocabulary := range []int{0, 5} {
						spec := models.Spec{
							Cell: c.Cell, Activation: c.Activation, Hidden: 3, Layers: layers, Bidirectional: bidirectional,
							Readout: readout, Outputs: 2,
						}
						if layers > 1 {
							spec.Dropout = 0.3
						}
						if spec.Features = 2; vocabulary > 0 {
							spec.Features, spec.Vocabulary, spec.Embedding = 0, vocabulary, 2
						}
						name := fmt.Sprintf("%s%s-%s-%d-bi=%t-vocabulary=%d", c.Cell, c.Activation, readout, layers, bidirectional, vocabulary)
						t.Run(name, func(t *testing.T) {
							checkGradients(t, spec, []int{4, 4, 4})
							checkGradients(t, spec, []int{4, 3, 1})
						})
					}
				}
			}
		}
	}
	t.Run("one step, one sequence", func(t *testing.T) {
		checkGradients(t, models.Spec{
			Cell: models.LSTM, Features: 1, Hidden: 3, Layers: 2, Bidirectional: true, Readout: models.ReadLast,
			Outputs: 1,
		}, []int{1})
	})
}

func checkGradients(t *testing.T, spec models.Spec, lengths []int) {
	t.Helper()
	if err := spec.Validate(); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	normal := func(x []float64, scale float64) {
		for i := range x {
			x[i] = scale * rng.NormFloat64()
		}
	}
	params, grads := models.NewParams[float64](spec), models.NewParams[float64](spec)
	size := 0.5
	if spec.Activation == models.ReLU {
		size = 0.3 // or the loss grows until a difference has few digits left
	}
	normal(params.Data, size)
	n := newNetwork(spec, params)
	n.resize(lengths[0], lengths)
	normal(n.x, 1)
	normal(n.recurrent.initial.h, 1)
	normal(n.recurrent.initial.c, 1)
	if spec.Vocabulary > 0 {
		for i := range n.tokens.tokens {
			n.tokens.tokens[i] = rng.Int64N(int64(spec.Vocabulary))
		}
	}
	rows := len(lengths)
	if spec.Readout == models.ReadAll {
		rows *= lengths[0]
	}
	targets := make([]float64, rows*spec.Outputs)
	normal(targets, 1)

	// The squared error over the rows that are not padding.
	loss := func() (sum float64) {
		n.recurrent.dropout.Seed(3, 4)
		for i := range n.packTasks() {
			n.pack(i, true)
		}
		n.forward(true)
		clear(n.dout)
		for row := range rows {
			if row/n.batch >= n.lengths[row%n.batch] {
				continue
			}
			for j := range spec.Outputs {
				i := row*spec.Outputs + j
				d := n.out[i] - targets[i]
				sum += d * d
				n.dout[i] = 2 * d
			}
		}
		return sum
	}
	loss()
	n.backward(grads)
	const h = 1e-6
	for i, x := range params.Data {
		params.Data[i] = x + h
		up := loss()
		params.Data[i] = x - h
		down := loss()
		params.Data[i] = x
		want := (up - down) / (2 * h)
		if diff := math.Abs(grads.Data[i] - want); !(diff <= 1e-7*(1+math.Abs(want))) {
			t.Errorf("lengths %v, parameter %d of %d: gradient %g, central difference %g", lengths, i, len(params.Data), grads.Data[i], want)
		}
	}
}
