package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// guard stands round everything that a kernel may not touch.
const guard = -12345

// guarded returns a random matrix whose gaps, start and end hold guards, and a
// function that reports a guard that is gone.
func guarded[T Float](t *testing.T, rng *rand.Rand, rows, cols int) (Matrix[T], func()) {
	stride := cols + rng.IntN(4)
	before := rng.IntN(5)
	data := make([]T, before+rows*stride+8)
	for i := range data {
		data[i] = guard
	}
	m := Matrix[T]{Rows: rows, Cols: cols, Stride: stride, Data: data[before:]}
	for i := range rows {
		for j := range cols {
			m.Row(i)[j] = T(rng.NormFloat64())
		}
	}
	return m, func() {
		t.Helper()
		for i, v := range data {
			k := i - before
			inside := k >= 0 && k < rows*stride && k%stride < cols
			if !inside && v != guard {
				t.Errorf("a kernel wrote %v at %d, outside its %d×%d matrix", v, k, rows, cols)
			}
		}
	}
}

// TestMul compares the products with those of gonum's BLAS in float64.
func TestMul(t *testing.T) {
	t.Run("float32", func(t *testing.T) { testMul[float32](t, 1e-5) })
	t.Run("float64", func(t *testing.T) { testMul[float64](t, 1e-13) })
}

func testMul[T Float](t *testing.T, tolerance float64) {
	rng := rand.New(rand.NewPCG(1, 2))
	products := []struct {
		name   string
		mul    func(dst, a, b Matrix[T])
		ta, tb blas.Transpose
	}{
		{"NT", MulNT[T], blas.NoTrans, blas.Trans},
		{"NN", MulNN[T], blas.NoTrans, blas.NoTrans},
		{"TN", MulTN[T], blas.Trans, blas.NoTrans},
	}
	sizes := []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33}
	for _, p := range products {
		for range 300 {
			m, n, k := sizes[rng.IntN(len(sizes))], sizes[rng.IntN(len(sizes))], sizes[rng.IntN(len(sizes))]
			ar, ac, br, bc := m, k, k, n
			if p.ta == blas.Trans {
				ar, ac = k, m
			}
			if p.tb == blas.Trans {
				br, bc = n, k
			}
			a, checkA := guarded[T](t, rng, ar, ac)
			b, checkB := guarded[T](t, rng, br, bc)
			dst, checkDst := guarded[T](t, rng, m, n)
			want := general(dst)
			if m > 0 && n > 0 {
				blas64.Gemm(p.ta, p.tb, 1, general(a), general(b), 1, want)
			}
			p.mul(dst, a, b)
			for i := range m {
				for j, got := range dst.Row(i) {
					if w := want.Data[i*want.Stride+j]; !(math.Abs(float64(got)-w) <= tolerance*(1+math.Abs(w))) {
						t.Fatalf("%s %d×%d×%d: [%d,%d] is %v, not %v", p.name, m, n, k, i, j, got, w)
					}
				}
			}
			checkA()
			checkB()
			checkDst()
		}
	}
}

func general[T Float](m Matrix[T]) blas64.General {
	g := blas64.General{Rows: m.Rows, Cols: m.Cols, Stride: max(m.Cols, 1), Data: make([]float64, m.Rows*max(m.Cols, 1))}
	for i := range m.Rows {
		for j, v := range m.Row(i) {
			g.Data[i*g.Stride+j] = float64(v)
		}
	}
	return g
}

func TestMulPassesNaNOn(t *testing.T) {
	nan := float32(math.NaN())
	for name, mul := range map[string]func(dst, a, b Matrix[float32]){"NT": MulNT[float32], "NN": MulNN[float32], "TN": MulTN[float32]} {
		a, b := Dense(5, 5, make([]float32, 25)), Dense(5, 5, make([]float32, 25))
		a.Row(2)[2] = nan
		dst := Dense(5, 5, make([]float32, 25))
		mul(dst, a, b)
		for j, v := range dst.Row(2) {
			if v == v {
				t.Errorf("%s: 0 times NaN gives %v in column %d", name, v, j)
			}
		}
	}
}

func TestMulRefusesSizes(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a product of matrices that do not match went through")
		}
	}()
	MulNN(Dense(2, 2, make([]float32, 4)), Dense(2, 3, make([]float32, 6)), Dense(2, 2, make([]float32, 4)))
}

// TestCells runs the pointwise kernels between guards and compares the forward
// ones with the formulas; the backward ones are held to central differences in
// package trainer.
func TestCells(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	sigmoid := func(x float32) float64 { return 1 / (1 + math.Exp(-float64(x))) }
	tanh := func(x float32) float64 { return math.Tanh(float64(x)) }
	for _, hidden := range []int{1, 3, 8, 17} {
		const batch = 3
		var checks []func()
		matrix := func(cols int) Matrix[float32] {
			m, check := guarded[float32](t, rng, batch, cols)
			checks = append(checks, check)
			return m
		}
		near := func(what string, got float32, want float64) {
			t.Helper()
			if !(math.Abs(float64(got)-want) <= 1e-6) {
				t.Errorf("hidden %d: %s is %v, not %v", hidden, what, got, want)
			}
		}
		copyOf := func(m Matrix[float32]) Matrix[float32] {
			c := Dense(m.Rows, m.Cols, make([]float32, m.Rows*m.Cols))
			Copy(c, m)
			return c
		}

		gates, h := matrix(hidden), matrix(hidden)
		RNNForward(gates, h)
		for b := range batch {
			for j := range hidden {
				near("an RNN's h", h.Row(b)[j], tanh(gates.Row(b)[j]))
			}
		}
		RNNBackward(gates, h, matrix(hidden))

		gates, h = matrix(4*hidden), matrix(hidden)
		cPrev, c, tanhC := matrix(hidden), matrix(hidden), matrix(hidden)
		sums := copyOf(gates)
		LSTMForward(gates, cPrev, c, tanhC, h)
		for b := range batch {
			for j := range hidden {
				s := sums.Row(b)
				i, o, f, g := sigmoid(s[j]), sigmoid(s[hidden+j]), sigmoid(s[2*hidden+j]), tanh(s[3*hidden+j])
				want := f*float64(cPrev.Row(b)[j]) + i*g
				near("an LSTM's c", c.Row(b)[j], want)
				near("an LSTM's h", h.Row(b)[j], o*math.Tanh(want))
			}
		}
		LSTMBackward(gates, cPrev, tanhC, matrix(hidden), matrix(hidden))

		gates, h = matrix(3*hidden), matrix(hidden)
		u, hPrev := matrix(hidden), matrix(hidden)
		sums = copyOf(gates)
		GRUForward(gates, u, hPrev, h)
		for b := range batch {
			for j := range hidden {
				s := sums.Row(b)
				z, r := sigmoid(s[j]), sigmoid(s[hidden+j])
				n := math.Tanh(float64(s[2*hidden+j]) + r*float64(u.Row(b)[j]))
				near("a GRU's h", h.Row(b)[j], (1-z)*n+z*float64(hPrev.Row(b)[j]))
			}
		}
		GRUBackward(gates, u, hPrev, matrix(hidden))
		for _, check := range checks {
			check()
		}
	}
}

func TestCellsPassNaNAndInfinityOn(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, test := range []struct{ x, sigmoid, tanh float64 }{{nan, nan, nan}, {inf, 1, 1}, {-inf, 0, -1}, {1000, 1, 1}, {-1000, 0, -1}} {
		if s, th := Sigmoid(float32(test.x)), Tanh(float32(test.x)); fmt.Sprint(s, th) != fmt.Sprint(test.sigmoid, test.tanh) {
			t.Errorf("at %v: sigmoid %v, tanh %v", test.x, s, th)
		}
	}
}

// TestAdam uses that under a constant gradient both moments, once unbiased,
// are exact from the first step on, so that every step has the length
// rate·|g|/(|g|+ε).
func TestAdam(t *testing.T) {
	grads := []float64{3, -0.5, 1e-8, 0}
	params, m, v := make([]float64, 4), make([]float64, 4), make([]float64, 4)
	for step := 1; step <= 20; step++ {
		Adam(params, grads, m, v, AdamStep{LearningRate: 0.1, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Step: step})
		for i, g := range grads {
			want := -0.1 * float64(step) * g / (math.Abs(g) + 1e-8)
			if !(math.Abs(params[i]-want) <= 1e-12*float64(step)) {
				t.Errorf("after step %d under gradient %g: %v, not %v", step, g, params[i], want)
			}
		}
	}
}

func BenchmarkMul(b *testing.B) {
	const batch, hidden = 16, 32
	x, y := make([]float32, 800*4*hidden), make([]float32, 800*4*hidden)
	for i := range x {
		x[i] = float32(i%13) - 6
	}
	for _, p := range []struct {
		name      string
		mul       func(dst, a, b Matrix[float32])
		dst, l, r Matrix[float32]
		flops     float64
	}{
		{"NT", MulNT[float32], Dense(batch, 4*hidden, y), Dense(batch, hidden, x), Dense(4*hidden, hidden, x), 2 * batch * 4 * hidden * hidden},
		{"NN", MulNN[float32], Dense(batch, hidden, y), Dense(batch, 4*hidden, x), Dense(4*hidden, hidden, x), 2 * batch * 4 * hidden * hidden},
		{"TN", MulTN[float32], Dense(4*hidden, hidden, y), Dense(800, 4*hidden, x), Dense(800, hidden, x), 2 * 800 * 4 * hidden * hidden},
	} {
		b.Run(p.name, func(b *testing.B) {
			for b.Loop() {
				p.mul(p.dst, p.l, p.r)
			}
			b.ReportMetric(p.flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}

func BenchmarkLSTMForward(b *testing.B) {
	const batch, hidden = 16, 32
	gates, c := Dense(batch, 4*hidden, make([]float32, batch*4*hidden)), Dense(batch, hidden, make([]float32, batch*hidden))
	for b.Loop() {
		LSTMForward(gates, c, c, c, c)
	}
}
