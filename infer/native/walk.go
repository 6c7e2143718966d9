package native

// walk visits, in row-major order, a shape of which each element belongs to
// one of each of three operands, all at regular steps.
type walk struct{ dims []walkDim }

// offsets is where each operand of a walk is.
type offsets [3]int

type walkDim struct {
	size int
	step offsets // what one step along the dimension adds to the offsets
	at   int
}

func (w *walk) reset() { w.dims = append(w.dims[:0], walkDim{size: 1}) }

// add appends a dimension to the inner end. It joins it to the one before
// where the two make one regular sequence.
func (w *walk) add(size int, step offsets) {
	last := &w.dims[len(w.dims)-1]
	joins := true
	for i, s := range step {
		joins = joins && last.step[i] == s*size
	}
	switch {
	case size == 1:
	case last.size == 1:
		*last = walkDim{size: size, step: step}
	case joins:
		*last = walkDim{size: last.size * size, step: step}
	default:
		w.dims = append(w.dims, walkDim{size: size, step: step})
	}
}

// broadcast sets w to visit shape, without a dimension of size 0, by operands
// of shapes that are broadcast to it.
func (w *walk) broadcast(shape []int, operands ...[]int) {
	w.reset()
	var left offsets
	for i, s := range operands {
		left[i], _ = product(s...)
	}
	for k, size := range shape {
		var steps offsets
		for i, s := range operands {
			steps[i] = stride(&left[i], s, k+len(s)-len(shape))
		}
		w.add(size, steps)
	}
}

// stride returns what a step along dimension k of shape adds to the offset, 0
// where it is broadcast. left is the number of elements in one of dimension
// k-1, and becomes that in one of dimension k.
func stride(left *int, shape []int, k int) int {
	if k < 0 || shape[k] == 1 {
		return 0
	}
	*left /= shape[k]
	return *left
}

// inner returns the innermost dimension, of size n at those steps.
func (w *walk) inner() (n int, step offsets) {
	last := &w.dims[len(w.dims)-1]
	return last.size, last.step
}

// rows calls f for each run along the innermost dimension, a long one in parts: with
// the place in the shape and the offsets at which n elements start. It goes on as
// long as the run does.
func (w *walk) rows(m *memory, f func(out, n int, at offsets)) error {
	size, step := w.inner()
	outer := w.dims[:len(w.dims)-1]
	var at offsets
	for out := 0; ; out += size {
		if size > most {
			if err := m.long(size, step, out, at, f); err != nil {
				return err
			}
		} else if err := m.spend(size * computed); err != nil {
			return err
		} else {
			f(out, size, at)
		}
		k := len(outer) - 1
		for ; k >= 0; k-- {
			d := &outer[k]
			d.at++
			for i, s := range d.step {
				at[i] += s
			}
			if d.at < d.size {
				break
			}
			for i, s := range d.step {
				at[i] -= s * d.size
			}
			d.at = 0
		}
		if k < 0 {
			return nil
		}
	}
}

// long calls f for parts of a run of so many elements.
func (m *memory) long(size int, step offsets, out int, at offsets, f func(out, n int, at offsets)) error {
	return m.parts(size, func(from, to int) {
		part := at
		for i, s := range step {
			part[i] += from * s
		}
		f(out+from, to-from, part)
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
