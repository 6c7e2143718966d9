package native

// walk visits, in row-major order, a shape of which each element belongs to
// one of operand a and one of operand b, both at regular steps.
type walk struct{ dims []walkDim }

type walkDim struct {
	size int
	a, b int // what one step along the dimension adds to the offsets
	at   int
}

func (w *walk) reset() { w.dims = append(w.dims[:0], walkDim{size: 1}) }

// add appends a dimension to the inner end. It joins it to the one before
// where the two make one regular sequence.
func (w *walk) add(size, a, b int) {
	last := &w.dims[len(w.dims)-1]
	switch {
	case size == 1:
	case last.size == 1:
		*last = walkDim{size: size, a: a, b: b}
	case last.a == a*size && last.b == b*size:
		*last = walkDim{size: last.size * size, a: a, b: b}
	default:
		w.dims = append(w.dims, walkDim{size: size, a: a, b: b})
	}
}

// broadcast sets w to visit shape, without a dimension of size 0, by operands
// of shapes a and b that are broadcast to it.
func (w *walk) broadcast(shape, a, b []int) {
	w.reset()
	sizeA, _ := product(a...)
	sizeB, _ := product(b...)
	for k, size := range shape {
		w.add(size, step(&sizeA, a, k+len(a)-len(shape)), step(&sizeB, b, k+len(b)-len(shape)))
	}
}

// step returns what a step along dimension k of shape adds to the offset, 0
// where it is broadcast. left is the number of elements in one of dimension
// k-1, and becomes that in one of dimension k.
func step(left *int, shape []int, k int) int {
	if k < 0 || shape[k] == 1 {
		return 0
	}
	*left /= shape[k]
	return *left
}

// inner returns the innermost dimension, of size n at steps a and b.
func (w *walk) inner() (n, a, b int) {
	last := w.dims[len(w.dims)-1]
	return last.size, last.a, last.b
}

// rows calls f with the offsets at which each run along the innermost dimension
// starts.
func (w *walk) rows(f func(out, a, b int)) {
	n, _, _ := w.inner()
	outer := w.dims[:len(w.dims)-1]
	out, a, b := 0, 0, 0
	for {
		f(out, a, b)
		out += n
		k := len(outer) - 1
		for ; k >= 0; k-- {
			d := &outer[k]
			d.at++
			a += d.a
			b += d.b
			if d.at < d.size {
				break
			}
			a -= d.a * d.size
			b -= d.b * d.size
			d.at = 0
		}
		if k < 0 {
			return
		}
	}
}

// copyWalk sets the elements of dst to those of src as operand a of w.
func copyWalk[T any](w *walk, dst, src []T) {
	n, step, _ := w.inner()
	w.rows(func(out, a, _ int) {
		row := dst[out : out+n]
		if step == 1 {
			copy(row, src[a:])
			return
		}
		for i := range row {
			row[i] = src[a+i*step]
		}
	})
}

// broadcast appends to dst the shape that shapes a and b are broadcast to, and
// reports whether there is one.
func broadcast(dst, a, b []int) ([]int, bool) {
	rank := max(len(a), len(b))
	for k := range rank {
		m, n := 1, 1
		if i := k + len(a) - rank; i >= 0 {
			m = a[i]
		}
		if i := k + len(b) - rank; i >= 0 {
			n = b[i]
		}
		switch {
		case m == n || n == 1:
			dst = append(dst, m)
		case m == 1:
			dst = append(dst, n)
		default:
			return dst, false
		}
	}
	return dst, true
}
