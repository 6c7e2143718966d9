package kernels

import (
	"os"
	"slices"
	"unsafe"
)

// simd holds one assembly variant of the float32 kernels. Each takes the arguments of
// the exported function of that name, with a matrix passed as the address of its
// first element and its stride.
type simd struct {
	name  string
	panel int // columns of a panel of Packed

	// mul[r-1] is the product of blocks of r rows each:
	//
	//	dst[r,n] = init[r,n] + Σₖ a[r,k] b[k,n]
	//
	// Element a[r,k] is at r*ars + k*aks. The panels of b are bps apart, the rows of a
	// panel bks. A nil init means zeros.
	mul []func(dst *float32, ldd int, init *float32, ldi int, a *float32, ars, aks int, b *float32, bks, bps int, k, cols, blocks int)

	rnnForward   func(rows, n int, gates *float32, gatesStride int, h *float32, hStride int)
	rnnBackward  func(rows, n int, gates *float32, gatesStride int, h *float32, hStride int, dy *float32, dyStride int, dh *float32, dhStride int)
	reluForward  func(rows, n int, gates *float32, gatesStride int, h *float32, hStride int)
	reluBackward func(rows, n int, gates *float32, gatesStride int, h *float32, hStride int, dy *float32, dyStride int, dh *float32, dhStride int)
	lstmForward  func(rows, n int, gates *float32, gatesStride int, cPrev *float32, cPrevStride int, c *float32, cStride int, tanhC *float32, tanhCStride int, h *float32, hStride int)
	lstmBackward func(rows, n int, gates *float32, gatesStride int, cPrev *float32, cPrevStride int, tanhC *float32, tanhCStride int, dy *float32, dyStride int, dh *float32, dhStride int, dc *float32, dcStride int)
	gruForward   func(rows, n int, gates *float32, gatesStride int, u *float32, uStride int, hPrev *float32, hPrevStride int, h *float32, hStride int)
	gruBackward  func(rows, n int, gates *float32, gatesStride int, u *float32, uStride int, hPrev *float32, hPrevStride int, dy *float32, dyStride int, dh *float32, dhStride int)

	softmax func(rows, n int, dst *float32, dstStride int, x *float32, xStride int, largest, sums *float32)

	sigmoids func(n int, dst, x *float32)
	erfs     func(n int, dst, x *float32)
	logs     func(n int, dst, x *float32)

	pickRows func(rows, n int, dst *float32, dstStride int, src *float32, srcStride int, pick *int)
	addRows  func(rows, n int, dst *float32, dstStride int, src *float32, srcStride int, pick *int)

	addScaled  func(n int, dst, x *float32, a float32)
	scale      func(n int, x *float32, a float32)
	adam       func(n int, params, grads, m, v *float32, beta1, beta1c, beta2, beta2c, rate, unbias, epsilon float32)
	normalize  func(n int, dst, x *float32, center, scale float32)
	sum        func(n int, x *float32) float64                 // n a multiple of 16
	sumSquares func(n int, x *float32, center float64) float64 // n a multiple of 16
}

// Variable names the environment variable that picks a variant of the kernels:
// avx512, avx2 or generic, which is plain Go.
const Variable = "RNNKIT_KERNELS"

// active is the variant in use, nil for the generic kernels.
var active = choose(os.Getenv(Variable))

// choose returns the variant of that name, or the fastest one if the processor or the
// build does not have it.
func choose(name string) *simd {
	all := variants()
	i := slices.IndexFunc(all, func(s *simd) bool { return s.variant() == name })
	return all[max(i, 0)]
}

// Variant returns the name of the variant in use, as [Variable] spells it.
func Variant() string { return active.variant() }

func (s *simd) variant() string {
	if s == nil {
		return "generic"
	}
	return s.name
}

// Variants returns the names of the variants that this processor can run, fastest
// first.
func Variants() (names []string) {
	for _, s := range variants() {
		names = append(names, s.variant())
	}
	return names
}

// Use selects the named variant, one of [Variants]. It is for tests: no kernel may
// run at the same time, and every [Packed] matrix must be packed again.
func Use(name string) { active = choose(name) }

// simdFor returns the variant for T, nil for the generic kernels.
func simdFor[T Float]() *simd {
	var x T
	if unsafe.Sizeof(x) != 4 {
		return nil
	}
	return active
}

// panelCols returns the number of columns of a panel of Packed.
func panelCols[T Float]() int {
	if s := simdFor[T](); s != nil {
		return s.panel
	}
	return 32
}

// first returns the address of the first element of a float32 matrix, or nil if it is
// empty. It panics if Data is too short.
func first[T Float](m Matrix[T]) *float32 {
	if m.Rows == 0 || m.Cols == 0 {
		return nil
	}
	_ = m.Data[(m.Rows-1)*m.Stride+m.Cols-1]
	return (*float32)(unsafe.Pointer(unsafe.SliceData(m.Data)))
}

// narrow converts m, whose T is float32, to a Matrix[float32].
func narrow[T Float](m Matrix[T]) Matrix[float32] { return any(m).(Matrix[float32]) }

// start returns the address of the first of n elements of a vector, as first does.
func start[T Float](x []T, n int) *float32 { return first(Dense(1, n, x)) }

// The block sizes of a product keep the part of b that is read at a time in the L2
// cache, and the part of a in the L1 cache.
const (
	blockK    = 512
	blockSize = 1 << 16
)

// product sets dst to init + a b, where a[m,k] is at m*ars + k*aks.
func (s *simd) product(dst, init Matrix[float32], a *float32, ars, aks int, b *float32, bks, bps int, k int) {
	if dst.Rows == 0 || dst.Cols == 0 {
		return
	}
	to, from := first(dst), first(init)
	rows := len(s.mul)
	for k0 := 0; k0 < k || k0 == 0; k0 += blockK {
		depth, width := min(blockK, k-k0), dst.Cols
		if depth*width > blockSize {
			width = max(1, blockSize/(depth*s.panel)) * s.panel
		}
		for j := 0; j < dst.Cols; j += width {
			cols := min(width, dst.Cols-j)
			for i, n := 0, rows; i < dst.Rows; {
				n = min(n, dst.Rows-i)
				blocks := (dst.Rows - i) / n
				s.mul[n-1](at(to, i*dst.Stride+j), dst.Stride, at(from, i*init.Stride+j), init.Stride,
					at(a, i*ars+k0*aks), ars, aks, at(b, j/s.panel*bps+k0*bks), bks, bps, depth, cols, blocks)
				i += blocks * n
			}
		}
		from, init = to, dst
	}
}

// at returns the address of element i after p, or nil if p is nil.
func at(p *float32, i int) *float32 {
	if p == nil {
		return nil
	}
	return (*float32)(unsafe.Add(unsafe.Pointer(p), 4*i))
}
