package kernels

// Mul sets dst to init + a b: dst[m,n] = init[m,n] + Σₖ a[m,k] b[k,n]. An init
// without Data means zeros, one with Stride 0 adds the same row everywhere, and
// init may be dst itself.
func Mul[T Float](dst, init, a Matrix[T], b *Packed[T]) {
	if dst.Rows != a.Rows || dst.Cols != b.Cols || a.Cols != b.Rows || init.Data != nil && (init.Rows != dst.Rows || init.Cols != dst.Cols) {
		panic("kernels: sizes of a product do not match")
	}
	if s := simdFor[T](); s != nil && s.panel == b.panel {
		s.product(narrow(dst), narrow(init), first(a), a.Stride, 1, start(b.data, len(b.data)), b.panel, b.panel*b.Rows, b.Rows)
		return
	}
	for i := range dst.Rows {
		d, x := dst.Row(i), a.Row(i)
		if init.Data == nil {
			clear(d)
		} else {
			copy(d, init.Row(i))
		}
		for j := 0; j < len(d); j += b.panel {
			part := d[j:min(j+b.panel, len(d))]
			k := 0
			for ; k+4 <= len(x); k += 4 {
				axpy4(part, x[k], x[k+1], x[k+2], x[k+3], b.row(j, k), b.row(j, k+1), b.row(j, k+2), b.row(j, k+3))
			}
			for ; k < len(x); k++ {
				axpy(part, x[k], b.row(j, k))
			}
		}
	}
}

// MulNN adds a b to dst: dst[m,n] += Σₖ a[m,k] b[k,n].
func MulNN[T Float](dst, a, b Matrix[T]) { mulNN(dst, dst, a, b) }

// SetNN sets dst to a b.
func SetNN[T Float](dst, a, b Matrix[T]) { mulNN(dst, Matrix[T]{}, a, b) }

// mulNN sets dst to init + a b. init is dst, or without Data stands for zeros.
func mulNN[T Float](dst, init, a, b Matrix[T]) {
	if dst.Rows != a.Rows || dst.Cols != b.Cols || a.Cols != b.Rows {
		panic("kernels: sizes of a product do not match")
	}
	if s := simdFor[T](); s != nil {
		s.product(narrow(dst), narrow(init), first(a), a.Stride, 1, first(b), b.Stride, s.panel, a.Cols)
		return
	}
	if init.Data == nil {
		dst.Zero()
	}
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
func MulTN[T Float](dst, a, b Matrix[T]) { mulTN(dst, dst, a, b) }

// SetTN sets dst to aᵀ b.
func SetTN[T Float](dst, a, b Matrix[T]) { mulTN(dst, Matrix[T]{}, a, b) }

// mulTN sets dst to init + aᵀ b. init is dst, or without Data stands for zeros.
func mulTN[T Float](dst, init, a, b Matrix[T]) {
	if dst.Rows != a.Cols || dst.Cols != b.Cols || a.Rows != b.Rows {
		panic("kernels: sizes of a product do not match")
	}
	if s := simdFor[T](); s != nil {
		if b.Cols == 1 && dst.Stride == 1 { // a row of dstᵀ fills registers
			dst = Matrix[T]{Rows: 1, Cols: dst.Rows, Stride: dst.Rows, Data: dst.Data}
			if init.Data != nil {
				init = dst
			}
			a, b = b, a
		}
		s.product(narrow(dst), narrow(init), first(a), 1, a.Stride, first(b), b.Stride, s.panel, a.Rows)
		return
	}
	if init.Data == nil {
		dst.Zero()
	}
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

// axpy adds x y to dst.
func axpy[T Float](dst []T, x T, y []T) {
	y = y[:len(dst)]
	for i := range dst {
		dst[i] += x * y[i]
	}
}

// axpy4 adds x0 y0 + … + x3 y3 to dst.
func axpy4[T Float](dst []T, x0, x1, x2, x3 T, y0, y1, y2, y3 []T) {
	n := len(dst)
	y0, y1, y2, y3 = y0[:n], y1[:n], y2[:n], y3[:n]
	for i := range dst {
		dst[i] += x0*y0[i] + x1*y1[i] + x2*y2[i] + x3*y3[i]
	}
}
