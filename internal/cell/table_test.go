package cell

import (
	"slices"
	"testing"

	"github.com/rnnkit/rnnkit/internal/kernels"
)

// TestSomeStatesAreZero begins sequences with zeros next to others that do not.
func TestSomeStatesAreZero(t *testing.T) {
	const time, batch, hidden, inputs = 3, 2, 2, 3
	w := Weights[float64]{W: randoms(4 * hidden * inputs), R: randoms(4 * hidden * hidden), B: randoms(8 * hidden)}
	x := Dense(time, batch, inputs, randoms(time*batch*inputs))
	h, c := randoms(batch*hidden), randoms(batch*hidden)
	clear(h[:hidden])
	run := func(from, n int) []float64 {
		y := Dense(time, n, hidden, make([]float64, time*n*hidden))
		part := x
		part.Batch, part.Data = n, x.Data[from*inputs:]
		l := NewLSTM[float64](hidden, false)
		flat := make([]float64, 0)
		for s := range time {
			for b := range n {
				flat = append(flat, x.At(s).Row(from+b)...)
			}
		}
		l.Forward(packed(l, w), Sequences[float64]{X: Dense(time, n, inputs, flat), Y: y, First: State[float64]{
			H: kernels.Dense(n, hidden, h[from*hidden:]), C: kernels.Dense(n, hidden, c[from*hidden:]),
		}})
		var last []float64
		for s := range time {
			last = append(last, y.At(s).Row(n-1)...)
		}
		return last
	}
	if together, alone := run(0, 2), run(1, 1); !slices.Equal(together, alone) {
		t.Errorf("beside a sequence that begins with zeros %v, alone %v", together, alone)
	}
}

// TestTable picks rows of a table, packs other weights, and picks again.
func TestTable(t *testing.T) {
	const rows, time, batch, hidden, inputs = 4, 3, 2, 2, 3
	pick := []int{3, 0, 1, 1, 2, 3}
	x := Dense(1, rows, inputs, randoms(rows*inputs))
	forward := func(p *Packed[float64]) []float64 {
		y := Dense(time, batch, hidden, make([]float64, time*batch*hidden))
		zeros := State[float64]{H: kernels.Dense(batch, hidden, make([]float64, batch*hidden))}
		NewGRU[float64](hidden, false).Forward(p, Sequences[float64]{X: x, Y: y, Pick: pick, First: zeros})
		return y.Data
	}
	var p Packed[float64]
	g := NewGRU[float64](hidden, false)
	for i := range 2 {
		w := Weights[float64]{
			W: randoms(3 * hidden * inputs * (i + 1))[:3*hidden*inputs], R: randoms(3 * hidden * hidden),
			B: randoms(6 * hidden),
		}
		if i > 0 {
			w.W[0]++
		}
		g.Pack(&p, w)
		want := forward(&p)
		if !slices.Equal(want, forward(packed(g, w))) {
			t.Errorf("weights %d: a table of other weights is used", i)
		}
		p.Tabulate(x.At(0))
		if got := forward(&p); !slices.Equal(got, want) {
			t.Errorf("weights %d: with a table %v, without %v", i, got, want)
		}
	}
}
