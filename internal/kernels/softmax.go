package kernels

import "math"

// Softmax sets each row of dst to the softmax of the same row of x. It stores the
// largest element of each row in largest and Σ e^(x-largest) in sums, so that
// log Σ e^x is largest + log(sums). dst and x may be the same matrix and have at least
// one column; largest and sums have an element for each row.
func Softmax[T Float](dst, x Matrix[T], largest, sums []T) {
	if s := simdFor[T](); s != nil {
		s.softmax(x.Rows, x.Cols, first(dst), dst.Stride, first(x), x.Stride, start(largest, x.Rows), start(sums, x.Rows))
		return
	}
	for i := range x.Rows {
		d, y := dst.Row(i), x.Row(i)
		top, sum := y[0], T(0)
		for _, v := range y {
			top = max(top, v)
		}
		for j, v := range y {
			d[j] = T(math.Exp(float64(v - top)))
			sum += d[j]
		}
		Scale(d, 1/sum)
		largest[i], sums[i] = top, sum
	}
}
