package cell

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rnnkit/rnnkit/internal/kernels"
)

// The equations are held to ONNX Runtime's answers in internal/verify, and the
// gradients to central differences in trainer. Here are the properties that a
// Cell promises besides.

var cells = []struct {
	name  string
	gates int
	new   func(hidden int, reverse bool) Cell[float64]
}{
	{"rnn", 1, NewRNN[float64]},
	{"lstm", 4, NewLSTM[float64]},
	{"gru", 3, NewGRU[float64]},
}

const (
	inputs = 3
	hidden = 5
)

func randoms(n int) []float64 {
	rng := rand.New(rand.NewPCG(uint64(n), 1))
	x := make([]float64, n)
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	return x
}

func randomWeights(gates int) Weights[float64] {
	return Weights[float64]{randoms(gates * hidden * inputs), randoms(gates * hidden * hidden), randoms(2 * gates * hidden)}
}

func randomState(batch int) State[float64] {
	return State[float64]{kernels.Dense(batch, hidden, randoms(batch*hidden)), kernels.Dense(batch, hidden, randoms(2*batch*hidden))}
}

func copyOf(m kernels.Matrix[float64]) kernels.Matrix[float64] {
	c := kernels.Dense(m.Rows, m.Cols, make([]float64, m.Rows*m.Cols))
	kernels.Copy(c, m)
	return c
}

// TestStateGoesOn checks that a sequence in two parts, with the state passed
// on, gives what the whole gives, to the bit, in buffers that had held larger
// sequences before.
func TestStateGoesOn(t *testing.T) {
	for _, c := range cells {
		for _, batch := range []int{1, 2, 3} {
			t.Run(fmt.Sprint(c.name, batch), func(t *testing.T) {
				w, first := randomWeights(c.gates), randomState(batch)
				const time, cut = 7, 3
				x := Dense(time, batch, inputs, randoms(time*batch*inputs))
				want := Dense(time, batch, hidden, make([]float64, time*batch*hidden))
				got := Dense(time, batch, hidden, make([]float64, time*batch*hidden))
				cell := c.new(hidden, false)
				final := cell.Forward(w, x, want, first)
				final = State[float64]{copyOf(final.H), copyOf(final.C)}

				part := func(s Steps[float64], i, j int) Steps[float64] {
					return Dense(j-i, batch, s.Width, s.Data[i*s.StepStride:])
				}
				middle := cell.Forward(w, part(x, 0, cut), part(got, 0, cut), first)
				middle = State[float64]{copyOf(middle.H), copyOf(middle.C)}
				end := cell.Forward(w, part(x, cut, time), part(got, cut, time), middle)
				if !slices.Equal(got.Data, want.Data) {
					t.Error("the parts give other outputs than the whole")
				}
				if !slices.Equal(copyOf(end.H).Data, final.H.Data) || !slices.Equal(copyOf(end.C).Data, final.C.Data) {
					t.Error("the parts give another state than the whole")
				}
			})
		}
	}
}

// TestReverse checks that the reverse direction is the forward one on the
// sequence turned round, and that outputs may lie side by side with others.
func TestReverse(t *testing.T) {
	const time, batch, width = 4, 2, hidden + 3
	for _, c := range cells {
		t.Run(c.name, func(t *testing.T) {
			w, first := randomWeights(c.gates), randomState(batch)
			x := Dense(time, batch, inputs, randoms(time*batch*inputs))
			turned := Dense(time, batch, inputs, make([]float64, time*batch*inputs))
			for i := range time {
				kernels.Copy(turned.At(i), x.At(time-1-i))
			}
			want := Dense(time, batch, hidden, make([]float64, time*batch*hidden))
			c.new(hidden, false).Forward(w, turned, want, first)

			wide := Dense(time, batch, width, make([]float64, time*batch*width))
			c.new(hidden, true).Forward(w, x, wide.Cols(2, 2+hidden), first)
			for i := range time {
				for b := range batch {
					row := wide.At(i).Row(b)
					if !slices.Equal(row[2:2+hidden], want.At(time-1-i).Row(b)) {
						t.Errorf("step %d, row %d differs", i, b)
					}
					if row[0] != 0 || row[1] != 0 || row[2+hidden] != 0 {
						t.Errorf("step %d, row %d: wrote outside its columns", i, b)
					}
				}
			}
		})
	}
}

// TestInitialStateGradient checks dR for its share of the initial state: with
// one step, R sees nothing else.
func TestInitialStateGradient(t *testing.T) {
	const batch = 3
	for _, c := range cells {
		for _, reverse := range []bool{false, true} {
			w, first := randomWeights(c.gates), randomState(batch)
			x := Dense(1, batch, inputs, randoms(batch*inputs))
			y := Dense(1, batch, hidden, make([]float64, batch*hidden))
			dy := Dense(1, batch, hidden, randoms(batch*hidden))
			loss := func() (sum float64) {
				c.new(hidden, reverse).Forward(w, x, y, first)
				for i := range y.Data {
					sum += y.Data[i] * dy.Data[i]
				}
				return sum
			}
			cell := c.new(hidden, reverse)
			cell.Forward(w, x, y, first)
			dw := Weights[float64]{make([]float64, len(w.W)), make([]float64, len(w.R)), make([]float64, len(w.B))}
			cell.Backward(w, x, y, first, dy, dw, Steps[float64]{})
			const h = 1e-6
			for i, r := range w.R {
				w.R[i] = r + h
				up := loss()
				w.R[i] = r - h
				down := loss()
				w.R[i] = r
				if want := (up - down) / (2 * h); !(max(dw.R[i]-want, want-dw.R[i]) <= 1e-6) {
					t.Errorf("%s: gradient of R[%d] is %g, central difference %g", c.name, i, dw.R[i], want)
				}
			}
		}
	}
}

func TestStepsWithGapsAreNoMatrix(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("steps with gaps became a matrix")
		}
	}()
	s := Dense(3, 2, 4, make([]float64, 24))
	s.StepStride = 12
	s.Flat(0, 2)
}
