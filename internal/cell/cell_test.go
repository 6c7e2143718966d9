package cell

import (
	"fmt"
	"math"
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

func packed(c Cell[float64], w Weights[float64]) *Packed[float64] {
	var p Packed[float64]
	c.Pack(&p, w)
	c.PackBackward(&p, w)
	return &p
}

func forward(c Cell[float64], w Weights[float64], s Sequences[float64]) { c.Forward(packed(c, w), s) }

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
				final := cell.Forward(packed(cell, w), Sequences[float64]{X: x, Y: want, First: first})
				final = State[float64]{copyOf(final.H), copyOf(final.C)}

				middle := cell.Forward(packed(cell, w), Sequences[float64]{X: x.Range(0, cut), Y: got.Range(0, cut), First: first})
				end := cell.Forward(packed(cell, w), Sequences[float64]{X: x.Range(cut, time), Y: got.Range(cut, time), First: middle})
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
			forward(c.new(hidden, false), w, Sequences[float64]{X: turned, Y: want, First: first})

			wide := Dense(time, batch, width, make([]float64, time*batch*width))
			forward(c.new(hidden, true), w, Sequences[float64]{X: x, Y: wide.Cols(2, 2+hidden), First: first})
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
				forward(c.new(hidden, reverse), w, Sequences[float64]{X: x, Y: y, First: first})
				for i := range y.Data {
					sum += y.Data[i] * dy.Data[i]
				}
				return sum
			}
			cell := c.new(hidden, reverse)
			cell.Forward(packed(cell, w), Sequences[float64]{X: x, Y: y, First: first})
			dw := Weights[float64]{make([]float64, len(w.W)), make([]float64, len(w.R)), make([]float64, len(w.B))}
			cell.Backward(packed(cell, w), Sequences[float64]{X: x, Y: y, First: first}, dy, dw, Steps[float64]{})
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

// TestLengths compares sequences of different lengths in one batch with each of
// them alone: outputs, final states and gradients. Padding is large, so that a
// trace of it anywhere shows.
func TestLengths(t *testing.T) {
	lengths := []int{6, 6, 4, 1, 0}
	const time, batch = 6, 5
	var counts Lengths
	for i := range time {
		n := 0
		for n < batch && lengths[n] > i {
			n++
		}
		counts = append(counts, n)
	}
	near := func(a, b []float64) bool {
		for i := range a {
			if !(math.Abs(a[i]-b[i]) <= 1e-12) {
				return false
			}
		}
		return len(a) == len(b)
	}
	for _, c := range cells {
		for _, reverse := range []bool{false, true} {
			t.Run(fmt.Sprint(c.name, " reverse=", reverse), func(t *testing.T) {
				w, first := randomWeights(c.gates), randomState(batch)
				x := Dense(time, batch, inputs, randoms(time*batch*inputs))
				dy := Dense(time, batch, hidden, randoms(time*batch*hidden))
				for i, n := range counts {
					for b := n; b < batch; b++ {
						for j := range x.At(i).Row(b) {
							x.At(i).Row(b)[j] = 1e6
						}
						clear(dy.At(i).Row(b))
					}
				}
				zeros := func() Weights[float64] {
					return Weights[float64]{make([]float64, len(w.W)), make([]float64, len(w.R)), make([]float64, len(w.B))}
				}
				together, apart := zeros(), zeros()
				cell := c.new(hidden, reverse)
				s := Sequences[float64]{X: x, Y: Dense(time, batch, hidden, make([]float64, time*batch*hidden)), Lengths: counts, First: first}
				final := cell.Forward(packed(cell, w), s)
				final = State[float64]{copyOf(final.H), copyOf(final.C)}
				dx := Dense(time, batch, inputs, make([]float64, time*batch*inputs))
				cell.Backward(packed(cell, w), s, dy, together, dx)

				for b, n := range lengths {
					one := func(from Steps[float64]) Steps[float64] {
						to := Dense(n, 1, from.Width, make([]float64, n*from.Width))
						for i := range n {
							copy(to.At(i).Row(0), from.At(i).Row(b))
						}
						return to
					}
					state := func(m kernels.Matrix[float64]) kernels.Matrix[float64] { return copyOf(m.RowRange(b, b+1)) }
					if n == 0 {
						if !near(state(final.H).Data, state(first.H).Data) || c.name == "lstm" && !near(state(final.C).Data, state(first.C).Data) {
							t.Error("an empty sequence changes the state")
						}
						continue
					}
					alone := Sequences[float64]{
						X: one(x), Y: Dense(n, 1, hidden, make([]float64, n*hidden)),
						First: State[float64]{state(first.H), state(first.C)},
					}
					end := cell.Forward(packed(cell, w), alone)
					if !near(one(s.Y).Data, alone.Y.Data) {
						t.Errorf("sequence %d: other outputs in the batch than alone", b)
					}
					if !near(state(final.H).Data, end.H.Data[:hidden]) || c.name == "lstm" && !near(state(final.C).Data, end.C.Data[:hidden]) {
						t.Errorf("sequence %d: another final state in the batch than alone", b)
					}
					dxAlone := Dense(n, 1, inputs, make([]float64, n*inputs))
					cell.Backward(packed(cell, w), alone, one(dy), apart, dxAlone)
					if !near(one(dx).Data, dxAlone.Data) {
						t.Errorf("sequence %d: another gradient of x in the batch than alone", b)
					}
				}
				if !near(together.W, apart.W) || !near(together.R, apart.R) || !near(together.B, apart.B) {
					t.Error("other gradients of the parameters in the batch than alone")
				}
				for i, n := range counts {
					for b := n; b < batch; b++ {
						if !near(dx.At(i).Row(b), make([]float64, inputs)) {
							t.Errorf("padding at step %d of sequence %d has a gradient", i, b)
						}
					}
				}
			})
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
