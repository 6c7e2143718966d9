package native

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// The operators of this file copy no elements: what they write is constant, a
// shape, or a view of what they read.

// newConstant sets the output and needs no operator.
func newConstant(n *node) operator {
	if len(n.Attributes) != 1 {
		n.fail("it has %d attributes, and must have one, its value", len(n.Attributes))
		return nil
	}
	var t onnxgraph.Tensor
	switch name := n.Attributes[0].Name; name {
	case "value":
		t = attribute(n, name, t)
	case "value_float":
		t.Data = []float32{attribute(n, name, float32(0))}
	case "value_int":
		t.Data = []int64{attribute(n, name, int64(0))}
	case "value_floats":
		list := attribute(n, name, []float32{})
		t.Shape, t.Data = []int{len(list)}, list
	case "value_ints":
		list := attribute(n, name, []int64{})
		t.Shape, t.Data = []int{len(list)}, list
	}
	if n.err != nil || t.Data == nil {
		return nil // finish names the attribute
	}
	value, err := constant(t)
	if err != nil {
		n.fail("its value %w", err)
		return nil
	}
	n.outputs[0] = value
	return nil
}

type identity[T element] struct{ in, out *array[T] }

func newIdentity[T element](n *node) operator {
	return &identity[T]{input[T](n, 0), output[T](n, 0)}
}

func (op *identity[T]) run() error {
	op.out.view(op.in.shape, op.in.data)
	return nil
}

type shape[T element] struct {
	in         *array[T]
	start, end int64
	toEnd      bool
	out        *array[int64]
}

func newShape[T element](n *node) operator {
	op := &shape[T]{in: input[T](n, 0), toEnd: true, out: output[int64](n, 0)}
	if n.opset >= 15 {
		op.start = attribute(n, "start", int64(0))
		op.end, op.toEnd = attribute(n, "end", int64(0)), !n.has("end")
	}
	return op
}

func (op *shape[T]) run() error {
	rank := int64(len(op.in.shape))
	start, end := clampAxis(op.start, rank), rank
	if !op.toEnd {
		end = clampAxis(op.end, rank)
	}
	dims := op.in.shape[start:max(start, end)]
	op.out.setShape(nil, len(dims))
	if err := op.out.resize(); err != nil {
		return err
	}
	for i, d := range dims {
		op.out.data[i] = int64(d)
	}
	return nil
}

// clampAxis returns an axis that may count from the end and lie outside.
func clampAxis(axis, rank int64) int64 {
	if axis < 0 {
		axis += rank
	}
	return min(max(axis, 0), rank)
}

type reshape[T element] struct {
	in, out *array[T]
	shape   *array[int64]
	dims    []int
}

func newReshape[T element](n *node) operator {
	if n.opset >= 14 && attribute(n, "allowzero", int64(0)) != 0 {
		n.fail("attribute \"allowzero\" is supported only as 0")
	}
	return &reshape[T]{in: input[T](n, 0), shape: input[int64](n, 1), out: output[T](n, 0)}
}

func (op *reshape[T]) run() (err error) {
	if op.dims, err = ints(op.dims[:0], op.shape); err != nil {
		return err
	}
	rest := -1 // the dimension that is -1
	for i, d := range op.dims {
		switch {
		case d == 0 && i < len(op.in.shape):
			op.dims[i] = op.in.shape[i]
		case d == -1 && rest < 0:
			rest = i
			op.dims[i] = 1
		}
	}
	size, ok := product(op.dims...)
	if ok && rest >= 0 && size > 0 {
		op.dims[rest] = len(op.in.data) / size
		size *= op.dims[rest]
	}
	if !ok || size != len(op.in.data) {
		return fmt.Errorf("shape %v cannot be reshaped to %v", op.in.shape, op.shape.data)
	}
	op.out.view(op.dims, op.in.data)
	return nil
}

type squeeze[T element] struct {
	in, out *array[T]
	axes    *array[int64] // nil for all that can be
	drop    []bool
	dims    []int
}

func newSqueeze[T element](n *node) operator {
	return &squeeze[T]{in: input[T](n, 0), axes: input[int64](n, 1), out: output[T](n, 0)}
}

func (op *squeeze[T]) run() (err error) {
	if op.axes == nil {
		op.dims = op.dims[:0]
		for _, d := range op.in.shape {
			if d != 1 {
				op.dims = append(op.dims, d)
			}
		}
		op.out.view(op.dims, op.in.data)
		return nil
	}
	if op.drop, err = axisSet(op.drop, op.axes, len(op.in.shape)); err != nil {
		return err
	}
	op.dims = op.dims[:0]
	for k, d := range op.in.shape {
		switch {
		case !op.drop[k]:
			op.dims = append(op.dims, d)
		case d != 1:
			return fmt.Errorf("dimension %d of shape %v is not 1 and cannot be dropped", k, op.in.shape)
		}
	}
	op.out.view(op.dims, op.in.data)
	return nil
}

type unsqueeze[T element] struct {
	in, out *array[T]
	axes    *array[int64]
	insert  []bool
	dims    []int
}

func newUnsqueeze[T element](n *node) operator {
	return &unsqueeze[T]{in: input[T](n, 0), axes: input[int64](n, 1), out: output[T](n, 0)}
}

func (op *unsqueeze[T]) run() (err error) {
	rank := len(op.in.shape) + len(op.axes.data)
	if rank > maxRank {
		return fmt.Errorf("a value of %d dimensions is not supported", rank)
	}
	if op.insert, err = axisSet(op.insert, op.axes, rank); err != nil {
		return err
	}
	op.dims = op.dims[:0]
	old := op.in.shape
	for _, insert := range op.insert {
		if insert {
			op.dims = append(op.dims, 1)
		} else {
			op.dims, old = append(op.dims, old[0]), old[1:]
		}
	}
	op.out.view(op.dims, op.in.data)
	return nil
}

// axisSet returns which of rank dimensions are among axes. It reuses set.
func axisSet(set []bool, axes *array[int64], rank int) ([]bool, error) {
	if len(axes.shape) > 1 {
		return set, fmt.Errorf("the axes have shape %v, and must have one dimension", axes.shape)
	}
	set = slices.Grow(set[:0], rank)[:rank]
	clear(set)
	for _, axis := range axes.data {
		k, err := axisOf(axis, rank)
		if err != nil {
			return set, err
		}
		if set[k] {
			return set, errors.New("an axis is there twice")
		}
		set[k] = true
	}
	return set, nil
}
