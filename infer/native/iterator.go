package native

// iterator visits, in row-major order, a shape of which each element belongs to one of
// each of three operands. Each operand has a stride along each dimension.
type iterator struct{ dims []iterDim }

// offsets is where each operand of an iterator is.
type offsets [3]int

type iterDim struct {
	size   int
	stride offsets
	at     int
}

func (it *iterator) reset() { it.dims = append(it.dims[:0], iterDim{size: 1}) }

// add appends a dimension to the inner end. It merges it with the one before where the
// two have one stride.
func (it *iterator) add(size int, stride offsets) {
	last := &it.dims[len(it.dims)-1]
	merges := true
	for i, s := range stride {
		merges = merges && last.stride[i] == s*size
	}
	switch {
	case size == 1:
	case last.size == 1:
		*last = iterDim{size: size, stride: stride}
	case merges:
		*last = iterDim{size: last.size * size, stride: stride}
	default:
		it.dims = append(it.dims, iterDim{size: size, stride: stride})
	}
}

// broadcast sets the iterator to visit shape, without a dimension of size 0, by
// operands of shapes that are broadcast to it.
func (it *iterator) broadcast(shape []int, operands ...[]int) {
	it.reset()
	var left offsets
	for i, s := range operands {
		left[i], _ = product(s...)
	}
	for k, size := range shape {
		var strides offsets
		for i, s := range operands {
			strides[i] = stride(&left[i], s, k+len(s)-len(shape))
		}
		it.add(size, strides)
	}
}

// stride returns the stride along dimension k of shape, 0 where it is broadcast. left
// is the number of elements in one of dimension k-1, and becomes that in one of
// dimension k.
func stride(left *int, shape []int, k int) int {
	if k < 0 || shape[k] == 1 {
		return 0
	}
	*left /= shape[k]
	return *left
}

// inner returns the size and the strides of the innermost dimension.
func (it *iterator) inner() (n int, stride offsets) {
	last := &it.dims[len(it.dims)-1]
	return last.size, last.stride
}

// rows calls f for each row along the innermost dimension, a long one in chunks: with
// the place in the shape and the offsets at which n elements start. It goes on as long
// as the run does.
func (it *iterator) rows(m *memory, f func(out, n int, at offsets)) error {
	size, stride := it.inner()
	var at offsets
	for out := 0; ; out += size {
		if size > chunkSize {
			if err := m.longRow(size, stride, out, at, f); err != nil {
				return err
			}
		} else if err := m.spend(size * elementCost); err != nil {
			return err
		} else {
			f(out, size, at)
		}
		if !it.next(&at) {
			return nil
		}
	}
}

// next moves at on to the next row, and reports whether there is one.
func (it *iterator) next(at *offsets) bool {
	for k := len(it.dims) - 2; k >= 0; k-- {
		d := &it.dims[k]
		d.at++
		for i, s := range d.stride {
			at[i] += s
		}
		if d.at < d.size {
			return true
		}
		for i, s := range d.stride {
			at[i] -= s * d.size
		}
		d.at = 0
	}
	return false
}

// longRow calls f for the chunks of a row of so many elements.
func (m *memory) longRow(size int, stride offsets, out int, at offsets, f func(out, n int, at offsets)) error {
	return m.chunks(size, func(from, to int) {
		chunk := at
		for i, s := range stride {
			chunk[i] += from * s
		}
		f(out+from, to-from, chunk)
	})
}

// broadcast appends to dst the shape that shapes a and b are broadcast to, and
// reports whether there is one. dst may be a[:0].
func broadcast(dst, a, b []int) ([]int, bool) {
	rank := max(len(a), len(b))
	if len(a) < rank { // make room before dst, which may be a, is written
		a, b = b, a
	}
	for k, m := range a {
		n := 1
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
