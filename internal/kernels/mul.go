package kernels

// MulNT adds a bᵀ to dst: dst[m,n] += Σₖ a[m,k] b[n,k].
func MulNT[T Float](dst, a, b Matrix[T]) {
	checkProduct(dst, a.Rows, b.Rows, a.Cols, b.Cols)
	i := 0
	for ; i+2 <= a.Rows; i += 2 {
		a0, a1 := a.Row(i), a.Row(i+1)
		d0, d1 := dst.Row(i), dst.Row(i+1)
		j := 0
		for ; j+4 <= b.Rows; j += 4 {
			s := dot2x4(a0, a1, b.Row(j), b.Row(j+1), b.Row(j+2), b.Row(j+3))
			for q := range 4 {
				d0[j+q] += s[q]
				d1[j+q] += s[4+q]
			}
		}
		for ; j < b.Rows; j++ {
			d0[j] += dot(a0, b.Row(j))
			d1[j] += dot(a1, b.Row(j))
		}
	}
	for ; i < a.Rows; i++ {
		d := dst.Row(i)
		for j := range d {
			d[j] += dot(a.Row(i), b.Row(j))
		}
	}
}

// MulNN adds a b to dst: dst[m,n] += Σₖ a[m,k] b[k,n].
func MulNN[T Float](dst, a, b Matrix[T]) {
	checkProduct(dst, a.Rows, b.Cols, a.Cols, b.Rows)
	for i := range a.Rows {
		d, x := dst.Row(i), a.Row(i)
		k := 0
		for ; k+4 <= a.Cols; k += 4 {
			axpy4(d, x[k], x[k+1], x[k+2], x[k+3], b.Row(k), b.Row(k+1), b.Row(k+2), b.Row(k+3))
		}
		for ; k < a.Cols; k++ {
			axpy(d, x[k], b.Row(k))
		}
	}
}

// MulTN adds aᵀ b to dst: dst[m,n] += Σₖ a[k,m] b[k,n].
func MulTN[T Float](dst, a, b Matrix[T]) {
	checkProduct(dst, a.Cols, b.Cols, a.Rows, b.Rows)
	k := 0
	for ; k+4 <= a.Rows; k += 4 {
		x0, x1, x2, x3 := a.Row(k), a.Row(k+1), a.Row(k+2), a.Row(k+3)
		y0, y1, y2, y3 := b.Row(k), b.Row(k+1), b.Row(k+2), b.Row(k+3)
		for i := range a.Cols {
			axpy4(dst.Row(i), x0[i], x1[i], x2[i], x3[i], y0, y1, y2, y3)
		}
	}
	for ; k < a.Rows; k++ {
		for i, x := range a.Row(k) {
			axpy(dst.Row(i), x, b.Row(k))
		}
	}
}

func checkProduct[T Float](dst Matrix[T], rows, cols, aInner, bInner int) {
	if dst.Rows != rows || dst.Cols != cols || aInner != bInner {
		panic("kernels: sizes of a product do not match")
	}
}

func dot[T Float](x, y []T) T {
	var sum T
	y = y[:len(x)]
	for i := range x {
		sum += x[i] * y[i]
	}
	return sum
}

// dot2x4 returns the products of two rows with four.
func dot2x4[T Float](x0, x1, y0, y1, y2, y3 []T) [8]T {
	var s00, s01, s02, s03, s10, s11, s12, s13 T
	n := len(x0)
	x1, y0, y1, y2, y3 = x1[:n], y0[:n], y1[:n], y2[:n], y3[:n]
	for i := range x0 {
		p, q := x0[i], x1[i]
		a, b, c, d := y0[i], y1[i], y2[i], y3[i]
		s00 += p * a
		s01 += p * b
		s02 += p * c
		s03 += p * d
		s10 += q * a
		s11 += q * b
		s12 += q * c
		s13 += q * d
	}
	return [8]T{s00, s01, s02, s03, s10, s11, s12, s13}
}

// axpy adds x y to dst.
func axpy[T Float](dst []T, x T, y []T) {
	y = y[:len(dst)]
	for i := range dst {
		dst[i] += x * y[i]
	}
}

// axpy4 adds four multiples of rows to dst.
func axpy4[T Float](dst []T, x0, x1, x2, x3 T, y0, y1, y2, y3 []T) {
	n := len(dst)
	y0, y1, y2, y3 = y0[:n], y1[:n], y2[:n], y3[:n]
	for i := range dst {
		dst[i] += x0*y0[i] + x1*y1[i] + (x2*y2[i] + x3*y3[i])
	}
}
