package kernels

import "unsafe"

// Matrix is a view of Rows × Cols values. Row i starts at Data[i*Stride].
type Matrix[T Float] struct {
	Rows, Cols, Stride int
	Data               []T
}

// Dense returns a view of data as rows × cols values without gaps.
func Dense[T Float](rows, cols int, data []T) Matrix[T] {
	return Matrix[T]{Rows: rows, Cols: cols, Stride: cols, Data: data[:rows*cols]}
}

// Repeat returns a matrix of n rows that are all the given one, with Stride 0.
func Repeat[T Float](row []T, n int) Matrix[T] {
	return Matrix[T]{Rows: n, Cols: len(row), Data: row}
}

// Row returns row i without copying it.
func (m Matrix[T]) Row(i int) []T {
	return m.Data[i*m.Stride:][:m.Cols:m.Cols]
}

// RowRange returns a view of the rows from i up to but not including j.
func (m Matrix[T]) RowRange(i, j int) Matrix[T] {
	return Matrix[T]{Rows: j - i, Cols: m.Cols, Stride: m.Stride, Data: m.Data[min(i*m.Stride, len(m.Data)):]}
}

// ColRange returns a view of the columns from i up to but not including j.
func (m Matrix[T]) ColRange(i, j int) Matrix[T] {
	return Matrix[T]{Rows: m.Rows, Cols: j - i, Stride: m.Stride, Data: m.Data[min(i, len(m.Data)):]}
}

// Zero sets every value of m to 0.
func (m Matrix[T]) Zero() {
	for i := range m.Rows {
		clear(m.Row(i))
	}
}

// IsZero reports whether every value of m is 0.
func (m Matrix[T]) IsZero() bool {
	for i := range m.Rows {
		for _, v := range m.Row(i) {
			if v != 0 {
				return false
			}
		}
	}
	return true
}

// Copy copies src to dst, which has the same size.
func Copy[T Float](dst, src Matrix[T]) {
	for i := range dst.Rows {
		copy(dst.Row(i), src.Row(i))
	}
}

// Add adds src to dst, which has the same size.
func Add[T Float](dst, src Matrix[T]) {
	for i := range dst.Rows {
		AddScaled(dst.Row(i), 1, src.Row(i))
	}
}

// PickRows sets row i of dst to row pick[i] of src.
func PickRows[T Float](dst, src Matrix[T], pick []int) {
	checkPick(src, pick[:dst.Rows])
	if s := simdFor[T](); s != nil {
		s.pickRows(dst.Rows, dst.Cols, first(dst), dst.Stride, first(src), src.Stride, unsafe.SliceData(pick))
		return
	}
	for i := range dst.Rows {
		copy(dst.Row(i), src.Row(pick[i]))
	}
}

// AddRows adds row i of src to row pick[i] of dst.
func AddRows[T Float](dst, src Matrix[T], pick []int) {
	checkPick(dst, pick[:src.Rows])
	if s := simdFor[T](); s != nil {
		s.addRows(src.Rows, src.Cols, first(dst), dst.Stride, first(src), src.Stride, unsafe.SliceData(pick))
		return
	}
	for i := range src.Rows {
		axpy(dst.Row(pick[i]), 1, src.Row(i))
	}
}

func checkPick[T Float](m Matrix[T], pick []int) {
	for _, i := range pick {
		if uint(i) >= uint(m.Rows) {
			panic("kernels: a row is picked that the matrix does not have")
		}
	}
}

// SumRows adds the sum of the rows of m to dst, of length m.Cols.
func SumRows[T Float](dst []T, m Matrix[T]) {
	if s := simdFor[T](); s != nil {
		// The product of a row of ones with m.
		sums := narrow(Dense(1, m.Cols, dst))
		s.product(sums, sums, &one, 0, 0, first(m), m.Stride, s.panel, m.Rows)
		return
	}
	for i := range m.Rows {
		axpy(dst, 1, m.Row(i))
	}
}

var one float32 = 1

// Convert copies min(len(dst), len(src)) elements and converts them to the type of
// dst.
func Convert[D, S Float](dst []D, src []S) {
	if same, ok := any(dst).([]S); ok {
		copy(same, src)
		return
	}
	for i := range min(len(dst), len(src)) {
		dst[i] = D(src[i])
	}
}

// Grow sets the length of *buf to n. It reuses the memory if the capacity suffices,
// and does not clear it.
func Grow[T any](buf *[]T, n int) {
	if cap(*buf) < n {
		*buf = make([]T, n)
	}
	*buf = (*buf)[:n]
}
