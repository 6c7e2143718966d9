package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
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

// onVariants runs f with every variant of the kernels that this processor has.
func onVariants(t *testing.T, f func(t *testing.T)) {
	defer Use(Variant())
	for _, name := range Variants() {
		Use(name)
		t.Run(name, f)
	}
}

// products are all ways to add a product to dst.
func products[T Float]() map[string]struct {
	mul    func(dst, a, b Matrix[T])
	ta, tb blas.Transpose
} {
	return map[string]struct {
		mul    func(dst, a, b Matrix[T])
		ta, tb blas.Transpose
	}{
		"NN":    {MulNN[T], blas.NoTrans, blas.NoTrans},
		"TN":    {MulTN[T], blas.Trans, blas.NoTrans},
		"SetNN": {func(dst, a, b Matrix[T]) { set(dst, a, b, SetNN[T]) }, blas.NoTrans, blas.NoTrans},
		"SetTN": {func(dst, a, b Matrix[T]) { set(dst, a, b, SetTN[T]) }, blas.Trans, blas.NoTrans},
		"Pack": {func(dst, a, b Matrix[T]) {
			var p Packed[T]
			p.Pack(b)
			Mul(dst, dst, a, &p)
		}, blas.NoTrans, blas.NoTrans},
		"PackT": {func(dst, a, b Matrix[T]) {
			var p Packed[T]
			p.PackT(b)
			Mul(dst, dst, a, &p)
		}, blas.NoTrans, blas.Trans},
	}
}

// set adds to dst what mul sets a matrix to.
func set[T Float](dst, a, b Matrix[T], mul func(dst, a, b Matrix[T])) {
	product := Dense(dst.Rows, dst.Cols, slices.Repeat([]T{guard}, dst.Rows*dst.Cols))
	mul(product, a, b)
	Add(dst, product)
}

// TestMul compares the products with those of gonum's BLAS in float64.
func TestMul(t *testing.T) {
	onVariants(t, func(t *testing.T) {
		t.Run("float32", func(t *testing.T) { testMul[float32](t, 1e-6) })
		t.Run("float64", func(t *testing.T) { testMul[float64](t, 1e-14) })
	})
}

func testMul[T Float](t *testing.T, tolerance float64) {
	rng := rand.New(rand.NewPCG(1, 2))
	for name, p := range products[T]() {
		for i := range 500 {
			// Sizes small and odd; some inner ones of more than one block.
			m, n, k := rng.IntN(20), rng.IntN(150), rng.IntN(40)
			if i%50 == 0 {
				k = blockK - 1 + rng.IntN(2*blockK)
			}
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
					if w := want.Data[i*want.Stride+j]; !(math.Abs(float64(got)-w) <= tolerance*(1+float64(k))) {
						t.Fatalf("%s %d×%d×%d: [%d,%d] is %v, not %v", name, m, n, k, i, j, got, w)
					}
				}
			}
			checkA()
			checkB()
			checkDst()
		}
	}
}

// TestMulBegins tries the matrices that a product can begin with.
func TestMulBegins(t *testing.T) {
	onVariants(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(5, 6))
		for range 300 {
			m, n, k := 1+rng.IntN(20), 1+rng.IntN(150), rng.IntN(3)
			a, _ := guarded[float32](t, rng, m, k)
			b, _ := guarded[float32](t, rng, k, n)
			init, _ := guarded[float32](t, rng, m, n)
			var p Packed[float32]
			p.Pack(b)
			repeated := init
			repeated.Stride = 0
			for _, init := range []Matrix[float32]{init, repeated, {}} {
				dst, check := guarded[float32](t, rng, m, n)
				Mul(dst, init, a, &p)
				check()
				for i := range m {
					for j, got := range dst.Row(i) {
						want := 0.0
						if init.Data != nil {
							want = float64(init.Row(i)[j])
						}
						for l := range k {
							want += float64(a.Row(i)[l]) * float64(b.Row(l)[j])
						}
						if !(math.Abs(float64(got)-want) <= 1e-5) {
							t.Fatalf("%d×%d×%d beginning with %d×%d: [%d,%d] is %v, not %v", m, n, k, init.Rows, init.Cols, i, j, got, want)
						}
					}
				}
			}
		}
	})
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

// TestMulPassesNaNOn checks that a zero in one factor hides no NaN in the
// other.
func TestMulPassesNaNOn(t *testing.T) {
	const n = 5
	onVariants(t, func(t *testing.T) {
		for name, p := range products[float32]() {
			for at := range n * n {
				for _, left := range []bool{true, false} {
					a, b, dst := Dense(n, n, make([]float32, n*n)), Dense(n, n, make([]float32, n*n)), Dense(n, n, make([]float32, n*n))
					factor := b
					if left {
						factor = a
					}
					factor.Data[at] = float32(math.NaN())
					p.mul(dst, a, b)
					nans := 0
					for _, v := range dst.Data {
						if v != v {
							nans++
						}
					}
					if nans != n {
						t.Errorf("%s: a NaN at %d of the left factor (%t) gives %d, not %d", name, at, left, nans, n)
					}
				}
			}
		}
	})
}

func TestMulRefusesSizes(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a product of matrices that do not match went through")
		}
	}()
	MulNN(Dense(2, 2, make([]float32, 4)), Dense(2, 3, make([]float32, 6)), Dense(2, 2, make([]float32, 4)))
}

// pointwise are the kernels that do the same for every element of matrices:
// how many columns each has for one of the state, and which may be written.
func pointwise[T Float]() map[string]struct {
	widths  []int
	compute func(m []Matrix[T])
} {
	return map[string]struct {
		widths  []int
		compute func(m []Matrix[T])
	}{
		"RNNForward":  {[]int{1, 1}, func(m []Matrix[T]) { RNNForward(m[0], m[1]) }},
		"RNNBackward": {[]int{1, 1, 1, 1}, func(m []Matrix[T]) { RNNBackward(m[0], m[1], m[2], m[3]) }},
		"ReLUForward": {[]int{1, 1}, func(m []Matrix[T]) { ReLUForward(m[0], m[1]) }},
		"ReLUBackward": {[]int{1, 1, 1, 1}, func(m []Matrix[T]) {
			ReLUForward(m[1], m[1]) // half of the outputs are 0
			ReLUBackward(m[0], m[1], m[2], m[3])
		}},
		"LSTMForward":  {[]int{4, 1, 1, 1, 1}, func(m []Matrix[T]) { LSTMForward(m[0], m[1], m[2], m[3], m[4]) }},
		"LSTMBackward": {[]int{4, 1, 1, 1, 1, 1}, func(m []Matrix[T]) { LSTMBackward(m[0], m[1], m[2], m[3], m[4], m[5]) }},
		"GRUForward":   {[]int{3, 1, 1, 1}, func(m []Matrix[T]) { GRUForward(m[0], m[1], m[2], m[3]) }},
		"GRUBackward":  {[]int{3, 1, 1, 1, 1}, func(m []Matrix[T]) { GRUBackward(m[0], m[1], m[2], m[3], m[4]) }},
	}
}

// TestPointwise compares the kernels in float32 with their definition in
// float64, which PyTorch's gradients hold in package trainer, in all that they
// may write.
func TestPointwise(t *testing.T) {
	definitions := pointwise[float64]()
	onVariants(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(3, 4))
		for name, kernel := range pointwise[float32]() {
			for range 200 {
				batch, hidden := rng.IntN(5), rng.IntN(70)
				var matrices []Matrix[float32]
				var exact []Matrix[float64]
				var checks []func()
				for _, width := range kernel.widths {
					m, check := guarded[float32](t, rng, batch, width*hidden)
					e := Dense(batch, width*hidden, make([]float64, batch*width*hidden))
					for i := range batch {
						for j, v := range m.Row(i) {
							e.Row(i)[j] = float64(v)
						}
					}
					matrices, exact, checks = append(matrices, m), append(exact, e), append(checks, check)
				}
				kernel.compute(matrices)
				definitions[name].compute(exact)
				for k, m := range matrices {
					checks[k]()
					for i := range batch {
						for j, got := range m.Row(i) {
							if want := exact[k].Row(i)[j]; !(math.Abs(float64(got)-want) <= 2e-6*(1+math.Abs(want))) {
								t.Fatalf("%s of %d×%d: matrix %d has %v at [%d,%d], not %v", name, batch, hidden, k, got, i, j, want)
							}
						}
					}
				}
			}
		}
	})
}

func TestRowsByNumber(t *testing.T) {
	onVariants(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(11, 12))
		for n := range 70 {
			many, few := 1+rng.IntN(9), 1+rng.IntN(4)
			pick := make([]int, many)
			for i := range pick {
				pick[i] = rng.IntN(few)
			}
			long, checkLong := guarded[float32](t, rng, many, n)
			short, checkShort := guarded[float32](t, rng, few, n)
			want := make([]float32, few*n)
			for k := range few {
				copy(want[k*n:], short.Row(k))
			}
			for i, k := range pick {
				for j, v := range long.Row(i) {
					want[k*n+j] += v
				}
			}
			AddRows(short, long, pick)
			for k := range few {
				if got := short.Row(k); !slices.Equal(got, want[k*n:][:n]) {
					t.Fatalf("row %d of %d values is %v, not %v", k, n, got, want[k*n:][:n])
				}
			}
			PickRows(long, short, pick)
			for i, k := range pick {
				if got := long.Row(i); !slices.Equal(got, want[k*n:][:n]) {
					t.Fatalf("picked row %d of %d values is %v, not %v", i, n, got, want[k*n:][:n])
				}
			}
			checkLong()
			checkShort()
		}
	})
}

// TestSoftmax compares it with the definition in float64, for values that are
// far apart too.
func TestSoftmax(t *testing.T) {
	onVariants(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(9, 10))
		for n := 1; n < 70; n++ {
			const rows = 3
			x, _ := guarded[float32](t, rng, rows, n)
			dst, check := guarded[float32](t, rng, rows, n)
			largest, sums := make([]float32, rows), make([]float32, rows)
			for i := range rows {
				for j := range x.Row(i) {
					x.Row(i)[j] *= float32(math.Pow(10, float64(i)))
				}
			}
			Softmax(dst, x, largest, sums)
			check()
			for i := range rows {
				top, sum := math.Inf(-1), 0.0
				for _, v := range x.Row(i) {
					top = max(top, float64(v))
				}
				for _, v := range x.Row(i) {
					sum += math.Exp(float64(v - float32(top)))
				}
				if !(float64(largest[i]) == top && math.Abs(float64(sums[i])-sum) <= 1e-6*sum) {
					t.Errorf("%d values: the largest is %v and the sum %v, not %v and %v", n, largest[i], sums[i], top, sum)
				}
				for j, v := range x.Row(i) {
					want := math.Exp(float64(v-float32(top))) / sum
					if got := float64(dst.Row(i)[j]); !(math.Abs(got-want) <= 1e-6*want+1e-44) {
						t.Fatalf("%d values: [%d,%d] is %v, not %v", n, i, j, got, want)
					}
				}
			}

			x.Row(1)[n/2] = float32(math.NaN())
			Softmax(dst, x, largest, sums)
			if s := sums[1]; s == s {
				t.Errorf("%d values with a NaN: the sum is %v", n, s)
			}
		}
	})
}

// activations returns tanh(x), sigmoid(x), e^-|x| and erf(x) of a variant, the first
// three by way of the cells and of the softmax of -|x| and 0.
func activations(x []float32) (tanh, sigmoid, exp, erf []float32) {
	n := len(x)
	erf = make([]float32, n)
	Erfs(erf, x)
	tanh, exp, gates := make([]float32, n), make([]float32, n), make([]float32, 3*n)
	pairs, top, sums := make([]float32, 2*n), make([]float32, n), make([]float32, n)
	for i, v := range x {
		pairs[2*i] = -float32(math.Abs(float64(v)))
	}
	Softmax(Dense(n, 2, pairs), Dense(n, 2, pairs), top, sums)
	for i := range exp {
		exp[i] = pairs[2*i] * sums[i]
	}
	RNNForward(Dense(1, n, x), Dense(1, n, tanh))
	copy(gates, x)
	zeros := Dense(1, n, make([]float32, n))
	GRUForward(Dense(1, 3*n, gates), zeros, zeros, Dense(1, n, make([]float32, n)))
	return tanh, gates[:n], exp, erf
}

func TestActivationsAtTheEdges(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	tests := []struct{ x, sigmoid, tanh, erf float64 }{
		{nan, nan, nan, nan}, {-nan, nan, nan, nan}, {inf, 1, 1, 1}, {-inf, 0, -1, -1}, {1000, 1, 1, 1}, {-1000, 0, -1, -1}, {0, 0.5, 0, 0},
		{math.MaxFloat32, 1, 1, 1}, {-math.MaxFloat32, 0, -1, -1}, {math.Copysign(0, -1), 0.5, math.Copysign(0, -1), math.Copysign(0, -1)},
		{math.SmallestNonzeroFloat32, 0.5, math.SmallestNonzeroFloat32, math.SmallestNonzeroFloat32},
		{-math.SmallestNonzeroFloat32, 0.5, -math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32},
	}
	var x []float32
	for _, test := range tests {
		x = append(x, float32(test.x))
	}
	onVariants(t, func(t *testing.T) {
		tanh, gate, _, erf := activations(slices.Clone(x))
		sigmoid := make([]float32, len(x))
		Sigmoids(sigmoid, x)
		for i, test := range tests {
			if got, want := fmt.Sprint(sigmoid[i], gate[i], tanh[i], erf[i]), fmt.Sprint(float32(test.sigmoid), float32(test.sigmoid), float32(test.tanh), float32(test.erf)); got != want {
				t.Errorf("at %v: sigmoid, that of a gate, tanh and erf are %s, not %s", test.x, got, want)
			}
		}
	})
}

// TestActivationsToTheLastPlace bounds the errors of sigmoid, tanh, e^-|x| and erf, in
// units in the last place, over every 4099th float32, or all of them with
// RNNKIT_EXHAUSTIVE=1 (a quarter of an hour).
func TestActivationsToTheLastPlace(t *testing.T) {
	step := uint64(4099)
	if os.Getenv("RNNKIT_EXHAUSTIVE") == "1" {
		step = 1
	}
	onVariants(t, func(t *testing.T) {
		var worstTanh, worstSigmoid, worstExp, worstErf, atTanh, atSigmoid, atExp, atErf float64
		x := make([]float32, 0, 1<<12)
		for bits := uint64(0); bits < 1<<32; {
			x = x[:0]
			for ; bits < 1<<32 && len(x) < cap(x); bits += step {
				if v := math.Float32frombits(uint32(bits)); v == v {
					x = append(x, v)
				}
			}
			tanh, sigmoid, exp, erf := activations(slices.Clone(x))
			for i, v := range x {
				v := float64(v)
				if e := ulps(tanh[i], math.Tanh(v)); !(e <= worstTanh) {
					worstTanh, atTanh = e, v
				}
				if e := ulps(sigmoid[i], 1/(1+math.Exp(-v))); !(e <= worstSigmoid) {
					worstSigmoid, atSigmoid = e, v
				}
				if e := ulps(exp[i], math.Exp(-math.Abs(v))); !(e <= worstExp) {
					worstExp, atExp = e, v
				}
				if e := ulps(erf[i], math.Erf(v)); !(e <= worstErf) {
					worstErf, atErf = e, v
				}
			}
		}
		t.Logf("tanh is at most %.2f units off, at %v; sigmoid %.2f, at %v; exp %.2f, at %v; erf %.2f, at %v", worstTanh, atTanh, worstSigmoid, atSigmoid, worstExp, atExp, worstErf, atErf)
		if !(worstTanh <= MaxErrorTanh && worstSigmoid <= MaxErrorSigmoid && worstExp <= MaxErrorExp && worstErf <= MaxErrorErf) {
			t.Errorf("that is more than %v, %v, %v and %v", MaxErrorTanh, MaxErrorSigmoid, MaxErrorExp, MaxErrorErf)
		}
	})
}

// TestLogsToTheLastPlace bounds the error of Logs in units in the last place, over every
// 1021st number that it takes, or all of them with RNNKIT_EXHAUSTIVE=1.
func TestLogsToTheLastPlace(t *testing.T) {
	step := uint32(1021)
	if os.Getenv("RNNKIT_EXHAUSTIVE") == "1" {
		step = 1
	}
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	onVariants(t, func(t *testing.T) {
		worst, at := 0.0, float32(0)
		x, y := make([]float32, 1<<12), make([]float32, 1<<12)
		for bits := uint32(1 << 23); bits < math.Float32bits(inf); {
			n := 0
			for ; n < len(x) && bits < math.Float32bits(inf); bits += step {
				x[n] = math.Float32frombits(bits)
				n++
			}
			Logs(y[:n], x[:n])
			for i, v := range x[:n] {
				if e := ulps(y[i], math.Log(float64(v))); !(e <= worst) {
					worst, at = e, v
				}
			}
		}
		t.Logf("at most %.2f units off, at %v", worst, at)
		if !(worst <= MaxErrorLog) {
			t.Errorf("that is more than %v", MaxErrorLog)
		}
		edges := []float32{inf, nan, 1, math.Float32frombits(0x7fc00123)}
		Logs(edges, edges)
		if got := fmt.Sprint(edges); got != "[+Inf NaN 0 NaN]" {
			t.Errorf("of infinity, NaN, 1 and another NaN it is %s", got)
		}
	})
}

// TestLogsOfAllSizes compares the logarithms of vectors with those of single numbers.
func TestLogsOfAllSizes(t *testing.T) {
	onVariants(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(15, 16))
		for n := range 70 {
			x, checkX := guarded[float32](t, rng, 1, n)
			dst, checkDst := guarded[float32](t, rng, 1, n)
			for i := range x.Row(0) {
				x.Row(0)[i] = rng.Float32() + 0.01
			}
			was := slices.Clone(x.Row(0))
			Logs(dst.Row(0), x.Row(0))
			Logs(x.Row(0), x.Row(0))
			checkX()
			checkDst()
			for i, v := range was {
				one := []float32{v}
				Logs(one, one)
				if got, inPlace := dst.Row(0)[i], x.Row(0)[i]; got != one[0] || inPlace != got {
					t.Fatalf("of %d values: of %v it is %v, and %v in place, not %v", n, v, got, inPlace, one[0])
				}
			}
		}
	})
}

// TestFunctions compares what computes a function of each element, elsewhere and in
// place, with the function in float64.
func TestFunctions(t *testing.T) {
	for name, f := range map[string]struct {
		compute func(dst, x []float32)
		exact   func(float64) float64
	}{
		"Sigmoids": {Sigmoids[float32], Sigmoid[float64]},
		"Tanhs":    {Tanhs[float32], math.Tanh},
		"ReLUs":    {ReLUs[float32], func(x float64) float64 { return max(x, 0) }},
		"Erfs":     {Erfs[float32], math.Erf},
	} {
		onVariants(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(13, 14))
			for n := range 70 {
				x, checkX := guarded[float32](t, rng, 1, n)
				dst, checkDst := guarded[float32](t, rng, 1, n)
				was := slices.Clone(x.Row(0))
				f.compute(dst.Row(0), x.Row(0))
				f.compute(x.Row(0), x.Row(0))
				checkX()
				checkDst()
				for i, v := range was {
					got, inPlace, want := float64(dst.Row(0)[i]), float64(x.Row(0)[i]), f.exact(float64(v))
					if !(math.Abs(got-want) <= 3e-7*math.Abs(want)) || inPlace != got {
						t.Fatalf("%s of %d values: of %v it is %v, and %v in place, not %v", name, n, v, got, inPlace, want)
					}
				}
			}
		})
	}
}

// ulps returns how far got is from want in units of the last place of the
// float32 next to want.
func ulps(got float32, want float64) float64 {
	near := math.Abs(float64(float32(want)))
	unit := float64(math.Nextafter32(float32(near), math.MaxFloat32)) - near
	return math.Abs(float64(got)-want) / unit
}

// TestVectors compares what works on vectors in float32 with the same in
// float64.
func TestVectors(t *testing.T) {
	onVariants(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(7, 8))
		for n := range 70 {
			var short []Matrix[float32]
			var long [][]float64
			var checks []func()
			for range 4 {
				m, check := guarded[float32](t, rng, 1, n)
				x := make([]float64, n)
				for i, v := range m.Row(0) {
					x[i] = float64(v)
				}
				short, long, checks = append(short, m), append(long, x), append(checks, check)
			}
			p, g, m, v := short[0].Row(0), short[1].Row(0), short[2].Row(0), short[3].Row(0)
			for i := range v {
				v[i], long[3][i] = v[i]*v[i], long[3][i]*long[3][i]
			}
			near := func(what string, got, want float64) {
				t.Helper()
				if !(math.Abs(got-want) <= 1e-5*(1+math.Abs(want))) {
					t.Fatalf("%s of %d values: %v, not %v", what, n, got, want)
				}
			}
			all := func(what string) {
				t.Helper()
				for k := range short {
					checks[k]()
					for i, got := range short[k].Row(0) {
						near(what, float64(got), long[k][i])
					}
				}
			}
			near("Norm", Norm(p), Norm(long[0]))
			near("SumSquares", SumSquares(p, 0.7), SumSquares(long[0], 0.7))
			near("Sum", Sum(p), Sum(long[0]))
			Normalize(p, g, 0.3, 2)
			Normalize(long[0], long[1], 0.3, 2)
			all("Normalize")
			step := AdamStep{LearningRate: 0.1, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Step: 3}
			Adam(p, g, m, v, step)
			Adam(long[0], long[1], long[2], long[3], step)
			all("Adam")
			AddScaled(p, 0.3, g)
			AddScaled(long[0], 0.3, long[1])
			all("AddScaled")
			Scale(m, 0.7)
			Scale(long[2], 0.7)
			all("Scale")
			SumRows(p, Dense(1, n, g))
			SumRows(long[0], Dense(1, n, long[1]))
			all("SumRows")
		}
	})
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

// TestShareOfTheGradient makes first steps in float32, in which the moments are
// 1-β times the gradient and its square, for a β that rounds off by as much.
func TestShareOfTheGradient(t *testing.T) {
	const beta = 0.999
	want := func(t *testing.T, name string, got float32, want float64) {
		t.Helper()
		if !(math.Abs(float64(got)-want) <= 1e-7*want) {
			t.Fatalf("%s: %.9g, not %.9g", name, got, want)
		}
	}
	onVariants(t, func(t *testing.T) {
		params, m, v := make([]float32, 35), make([]float32, 35), make([]float32, 35)
		Adam(params, slices.Repeat([]float32{1}, 35), m, v, AdamStep{LearningRate: 1, Beta1: beta, Beta2: beta, Epsilon: 1e-8, Step: 1})
		for i := range params {
			want(t, "Adam's first moment", m[i], 1-beta)
			want(t, "Adam's second moment", v[i], 1-beta)
		}
	})
	square := []float32{0}
	RMS([]float32{1}, square, beta, 1e-8)
	want(t, "RMSprop's mean square", square[0], 1-beta)
}

func BenchmarkMul(b *testing.B) {
	for _, hidden := range []int{16, 32, 64, 128, 512} {
		const batch, steps = 16, 50
		x, y := make([]float32, steps*batch*4*hidden), make([]float32, max(steps*batch, 4*hidden)*4*hidden)
		for i := range x {
			x[i] = float32(i%13) - 6
		}
		var rT, r Packed[float32]
		rT.PackT(Dense(4*hidden, hidden, x))
		r.Pack(Dense(4*hidden, hidden, x))
		gates, h := Dense(batch, 4*hidden, y), Dense(batch, hidden, x)
		flops := 2 * float64(batch*4*hidden*hidden)
		for _, p := range []struct {
			name  string
			mul   func()
			flops float64
		}{
			{"forward", func() { Mul(gates, gates, h, &rT) }, flops},
			{"backward", func() { Mul(h, Matrix[float32]{}, gates, &r) }, flops},
			{"weights", func() {
				MulTN(Dense(4*hidden, hidden, y), Dense(steps*batch, 4*hidden, x), Dense(steps*batch, hidden, x))
			}, steps * flops},
		} {
			b.Run(fmt.Sprintf("%s/%d", p.name, hidden), func(b *testing.B) {
				for b.Loop() {
					p.mul()
				}
				b.ReportMetric(p.flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}

func BenchmarkPointwise(b *testing.B) {
	const batch, hidden = 16, 32
	for name, kernel := range pointwise[float32]() {
		var matrices []Matrix[float32]
		for _, width := range kernel.widths {
			matrices = append(matrices, Dense(batch, width*hidden, make([]float32, batch*width*hidden)))
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				kernel.compute(matrices)
			}
		})
	}
}
