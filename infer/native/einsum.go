package native

import (
	"fmt"
	"slices"
	"strings"
)

// einsum sums products of elements whose coordinates have the same labels, as in
// https://onnx.ai/onnx/operators/onnx__Einsum.html.
type einsum[T number] struct {
	in    []*array[T]
	out   *array[T]
	terms []string // of the inputs; an ellipsis is a single '.'
	to    string   // of the output
	iter  iterator

	labels  []byte // those of the output, then those that are summed over
	sizes   []int
	strides []offsets // along each label, of the inputs
}

func einsumOps[T number](t *typedOps) {
	t.add("Einsum", 12, some, one, newEinsum[T])
}

func newEinsum[T number](n *node) kernel {
	n.expensive = true
	op := &einsum[T]{out: output[T](n, 0)}
	for i := range n.inputs {
		if !n.given(i) {
			n.fail("input %d is missing", i)
		}
		op.in = append(op.in, input[T](n, i))
	}
	equation := attribute(n, "equation", "")
	terms, to, explicit := strings.Cut(strings.ReplaceAll(equation, " ", ""), "->")
	op.terms = strings.Split(terms, ",")
	for i, term := range op.terms {
		op.terms[i] = strings.Replace(term, "...", ".", 1)
	}
	op.to = strings.Replace(to, "...", ".", 1)
	if !explicit {
		op.to = implicit(op.terms)
	}
	switch {
	case len(op.terms) != len(op.in):
		n.fail("attribute \"equation\" is %q, with %d terms for %d inputs", equation, len(op.terms), len(op.in))
	case len(op.in) > len(offsets{}):
		n.fail("it has %d inputs, and at chunkSize %d are supported", len(op.in), len(offsets{}))
	case !op.valid():
		n.fail("attribute \"equation\" is %q, which is not one of letters and ellipses whose output has each letter once and no other than the inputs", equation)
	}
	return op
}

// implicit returns the output that an equation without one has: what is there
// once, in order.
func implicit(terms []string) string {
	all := strings.Join(terms, "")
	var once []byte
	if strings.Contains(all, ".") {
		once = append(once, '.')
	}
	var letters []byte
	for _, c := range []byte(all) {
		if c != '.' && strings.Count(all, string(c)) == 1 {
			letters = append(letters, c)
		}
	}
	slices.Sort(letters)
	return string(append(once, letters...))
}

func (op *einsum[T]) valid() bool {
	all := strings.Join(op.terms, "")
	for _, term := range append(op.terms, op.to) {
		if strings.Count(term, ".") > 1 || strings.Trim(term, ".abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			return false
		}
	}
	for _, c := range []byte(op.to) {
		if strings.Count(op.to, string(c)) > 1 || c != '.' && !strings.Contains(all, string(c)) {
			return false
		}
	}
	return true
}

// label adds a stride along a label for input i, of a dimension of that size. Of
// an ellipsis, the labels are 128 and up, the last dimension being 128.
func (op *einsum[T]) label(c byte, i, size, stride int) error {
	k := slices.Index(op.labels, c)
	if k < 0 {
		k = len(op.labels)
		op.labels = append(op.labels, c)
		op.sizes = append(op.sizes, 1)
		op.strides = append(op.strides, offsets{})
	}
	switch {
	case size == 1:
		return nil
	case op.sizes[k] == 1:
		op.sizes[k] = size
	case op.sizes[k] != size:
		return fmt.Errorf("one label of the equation stands for dimensions of size %d and %d", op.sizes[k], size)
	}
	op.strides[k][i] += stride
	return nil
}

func (op *einsum[T]) shapes() error {
	op.labels, op.sizes, op.strides = op.labels[:0], op.sizes[:0], op.strides[:0]
	more, err := op.ellipsis()
	if err != nil {
		return err
	}
	// The labels of the output come first, with whatever size.
	for _, c := range []byte(op.to) {
		if c != '.' {
			op.label(c, 0, 1, 0)
			continue
		}
		for k := range more {
			op.label(byte(128+more-1-k), 0, 1, 0)
		}
	}
	outputs := len(op.labels)
	for i, term := range op.terms {
		if err := op.read(i, term); err != nil {
			return err
		}
	}
	if _, ok := product(op.sizes...); !ok {
		return fmt.Errorf("the equation's labels stand for dimensions of size %v, which are too many products", op.sizes)
	}
	op.out.setShape(op.sizes[:outputs])
	if len(op.labels) == 0 { // products of scalars count as one step along a label
		return op.label('.', 0, 1, 0)
	}
	return nil
}

// ellipsis returns how many dimensions the ellipsis of the output has.
func (op *einsum[T]) ellipsis() (int, error) {
	most := 0
	for i, term := range op.terms {
		rank := len(op.in[i].shape) - len(term)
		if strings.Contains(term, ".") {
			rank++
			most = max(most, rank)
		} else if rank != 0 {
			rank = -1
		}
		if rank < 0 {
			return 0, fmt.Errorf("shape %v does not fit the term %q", op.in[i].shape, term)
		}
	}
	return most, nil
}

// read adds the labels of a term, from the last dimension to the first.
func (op *einsum[T]) read(i int, term string) error {
	shape := op.in[i].shape
	ellipsis := len(shape) - len(term) + 1
	k, stride := len(shape)-1, 1
	add := func(c byte) error {
		err := op.label(c, i, shape[k], stride)
		stride *= shape[k]
		k--
		return err
	}
	for _, c := range slices.Backward([]byte(term)) {
		n := 1
		if c == '.' {
			n = ellipsis
		}
		for j := range n {
			if c == '.' {
				c = 128
			}
			if c >= 128 {
				c = byte(128 + j)
			}
			if err := add(c); err != nil {
				return err
			}
		}
	}
	return nil
}

func (op *einsum[T]) run() error {
	if err := op.out.fill(nil); err != nil {
		return err
	}
	if slices.Contains(op.sizes, 0) {
		return nil
	}
	op.iter.reset()
	for k, size := range op.sizes {
		op.iter.add(size, op.strides[k])
	}
	inner, _ := product(op.sizes[len(op.out.shape):]...)
	_, stride := op.iter.inner()
	return op.iter.rows(op.out.pool.memory, func(at, n int, from offsets) {
		for i := range n {
			v := op.in[0].data[from[0]+i*stride[0]]
			for j := 1; j < len(op.in); j++ {
				v *= op.in[j].data[from[j]+i*stride[j]]
			}
			op.out.data[(at+i)/inner] += v
		}
	})
}
