package native

import (
	"fmt"
	"slices"
)

// The operators of this file copy elements to other places.

type transpose[T element] struct {
	in, out *array[T]
	perm    []int64 // nil for the reverse order
	walk    walk
}

func newTranspose[T element](n *node) operator {
	op := &transpose[T]{in: input[T](n, 0), perm: attribute[[]int64](n, "perm", nil), out: output[T](n, 0)}
	if op.perm == nil && n.has("perm") {
		op.perm = []int64{}
	}
	sorted := slices.Sorted(slices.Values(op.perm))
	for i, k := range sorted {
		if k != int64(i) {
			n.fail("attribute \"perm\" is %v, and must have each of 0 to %d once", op.perm, len(op.perm)-1)
		}
	}
	return op
}

func (op *transpose[T]) run() error {
	rank := len(op.in.shape)
	if op.perm != nil && len(op.perm) != rank {
		return fmt.Errorf("perm %v does not fit shape %v", op.perm, op.in.shape)
	}
	axis := func(k int) int {
		if op.perm == nil {
			return rank - 1 - k
		}
		return int(op.perm[k])
	}
	op.out.shape = op.out.shape[:0]
	for k := range rank {
		op.out.shape = append(op.out.shape, op.in.shape[axis(k)])
	}
	if err := op.out.resize(); err != nil || len(op.out.data) == 0 {
		return err
	}
	op.walk.reset()
	for k := range rank {
		step, _ := product(op.in.shape[axis(k)+1:]...)
		op.walk.add(op.out.shape[k], step, 0)
	}
	copyWalk(&op.walk, op.out.data, op.in.data)
	return nil
}

type expand[T element] struct {
	in, out *array[T]
	shape   *array[int64]
	dims    []int
	walk    walk
}

func newExpand[T element](n *node) operator {
	return &expand[T]{in: input[T](n, 0), shape: input[int64](n, 1), out: output[T](n, 0)}
}

func (op *expand[T]) run() (err error) {
	if op.dims, err = ints(op.dims[:0], op.shape); err != nil {
		return err
	}
	var ok bool
	if op.out.shape, ok = broadcast(op.out.shape[:0], op.in.shape, op.dims); !ok {
		return fmt.Errorf("shape %v cannot be expanded to %v", op.in.shape, op.dims)
	}
	if err := op.out.resize(); err != nil || len(op.out.data) == 0 {
		return err
	}
	op.walk.broadcast(op.out.shape, op.in.shape, nil)
	copyWalk(&op.walk, op.out.data, op.in.data)
	return nil
}

type gather[T element] struct {
	in, out *array[T]
	indices *array[int64]
	axis    int64
}

func newGather[T element](n *node) operator {
	return &gather[T]{
		in: input[T](n, 0), indices: input[int64](n, 1), out: output[T](n, 0),
		axis: attribute(n, "axis", int64(0)),
	}
}

func (op *gather[T]) run() error {
	in := op.in.shape
	axis, err := axisOf(op.axis, len(in))
	if err != nil {
		return err
	}
	size := in[axis]
	for _, i := range op.indices.data {
		if i < int64(-size) || i >= int64(size) {
			return fmt.Errorf("index %d is out of range for axis %d of shape %v", i, axis, in)
		}
	}
	op.out.setShape(in[:axis], op.indices.shape...)
	op.out.shape = append(op.out.shape, in[axis+1:]...)
	if err := op.out.resize(); err != nil || len(op.out.data) == 0 {
		return err
	}
	outer, _ := product(in[:axis]...)
	inner, _ := product(in[axis+1:]...)
	dst := op.out.data
	for o := range outer {
		block := op.in.data[o*size*inner:]
		for _, i := range op.indices.data {
			if i < 0 {
				i += int64(size)
			}
			dst = dst[copy(dst, block[int(i)*inner:][:inner]):]
		}
	}
	return nil
}

type concat[T element] struct {
	in   []*array[T]
	axis int64
	out  *array[T]
}

func newConcat[T element](n *node) operator {
	if !n.has("axis") {
		n.fail("attribute \"axis\" is missing")
	}
	op := &concat[T]{axis: attribute(n, "axis", int64(0)), out: output[T](n, 0)}
	for i := range n.inputs {
		a := input[T](n, i)
		if a == nil {
			n.fail("input %d is missing", i)
		}
		op.in = append(op.in, a)
	}
	return op
}

func (op *concat[T]) run() error {
	first := op.in[0].shape
	axis, err := axisOf(op.axis, len(first))
	if err != nil {
		return err
	}
	op.out.setShape(first)
	for _, a := range op.in[1:] {
		if len(a.shape) != len(first) || !slices.Equal(a.shape[:axis], first[:axis]) || !slices.Equal(a.shape[axis+1:], first[axis+1:]) {
			return fmt.Errorf("shapes %v and %v cannot be joined along axis %d", first, a.shape, axis)
		}
		op.out.shape[axis] += a.shape[axis]
	}
	if err := op.out.resize(); err != nil || len(op.out.data) == 0 {
		return err
	}
	outer, _ := product(first[:axis]...)
	dst := op.out.data
	for o := range outer {
		for _, a := range op.in {
			n := len(a.data) / outer
			dst = dst[copy(dst, a.data[o*n:][:n]):]
		}
	}
	return nil
}

type split[T element] struct {
	in    *array[T]
	sizes *array[int64] // nil for equal parts
	axis  int64
	last  bool // the last part may be smaller
	out   []*array[T]
	parts []int
}

func newSplit[T element](n *node) operator {
	op := &split[T]{in: input[T](n, 0), sizes: input[int64](n, 1), axis: attribute(n, "axis", int64(0))}
	if n.opset >= 18 {
		op.last = true
		switch parts := attribute(n, "num_outputs", int64(0)); {
		case n.has("num_outputs") == (op.sizes != nil):
			n.fail("it must have either attribute \"num_outputs\" or input 1, the sizes")
		case op.sizes == nil && parts != int64(len(n.outputs)):
			n.fail("attribute \"num_outputs\" is %d, but it has %d outputs", parts, len(n.outputs))
		}
	}
	for i := range n.outputs {
		op.out = append(op.out, output[T](n, i))
	}
	return op
}

func (op *split[T]) run() error {
	in := op.in.shape
	axis, err := axisOf(op.axis, len(in))
	if err != nil {
		return err
	}
	if err := op.divide(in[axis]); err != nil {
		return fmt.Errorf("axis %d of shape %v: %w", axis, in, err)
	}
	for i, out := range op.out {
		out.setShape(in)
		out.shape[axis] = op.parts[i]
		if err := out.resize(); err != nil {
			return err
		}
	}
	if len(op.in.data) == 0 {
		return nil
	}
	outer, _ := product(in[:axis]...)
	src := op.in.data
	for o := range outer {
		for _, out := range op.out {
			n := len(out.data) / outer
			src = src[copy(out.data[o*n:][:n], src):]
		}
	}
	return nil
}

// divide sets op.parts to the sizes that a dimension of that size is split into.
func (op *split[T]) divide(size int) error {
	count := len(op.out)
	op.parts = op.parts[:0]
	if op.sizes != nil {
		var left = int64(size)
		for _, n := range op.sizes.data {
			if n < 0 || n > left {
				return fmt.Errorf("it cannot be split into %v", op.sizes.data)
			}
			left -= n
			op.parts = append(op.parts, int(n))
		}
		if left != 0 || len(op.parts) != count {
			return fmt.Errorf("it cannot be split into %v for %d outputs", op.sizes.data, count)
		}
		return nil
	}
	part := (size + count - 1) / count
	last := size - part*(count-1)
	if last < 0 || last != part && !op.last {
		return fmt.Errorf("it cannot be split into %d equal parts", count)
	}
	for range count - 1 {
		op.parts = append(op.parts, part)
	}
	op.parts = append(op.parts, last)
	return nil
}
