package native

import (
	"errors"
	"fmt"
	"slices"
)

// binary is an operator on pairs of elements, of arrays that are broadcast to
// one shape.
type binary[T element] struct {
	a, b, out *array[T]
	row       func(dst, a, b []T, stepA, stepB int)
	walk      walk
}

func newBinary[T element](n *node, row func(dst, a, b []T, stepA, stepB int)) *binary[T] {
	return &binary[T]{a: input[T](n, 0), b: input[T](n, 1), out: output[T](n, 0), row: row}
}

func newAdd[T element](n *node) operator { return newBinary(n, add[T]) }
func newSub[T element](n *node) operator { return newBinary(n, sub[T]) }
func newMul[T element](n *node) operator { return newBinary(n, mul[T]) }
func newDiv(n *node) operator            { return newBinary(n, div[float32]) }
func newIntDiv(n *node) operator         { return &intDiv{newBinary(n, div[int64])} }

func (op *binary[T]) run() error {
	var ok bool
	if op.out.shape, ok = broadcast(op.out.shape[:0], op.a.shape, op.b.shape); !ok {
		return fmt.Errorf("shapes %v and %v cannot be broadcast to one", op.a.shape, op.b.shape)
	}
	if err := op.out.resize(); err != nil || len(op.out.data) == 0 {
		return err
	}
	op.walk.broadcast(op.out.shape, op.a.shape, op.b.shape)
	n, stepA, stepB := op.walk.inner()
	op.walk.rows(func(out, a, b int) {
		op.row(op.out.data[out:out+n], op.a.data[a:], op.b.data[b:], stepA, stepB)
	})
	return nil
}

func add[T element](dst, a, b []T, stepA, stepB int) {
	for i := range dst {
		dst[i] = a[i*stepA] + b[i*stepB]
	}
}

func sub[T element](dst, a, b []T, stepA, stepB int) {
	for i := range dst {
		dst[i] = a[i*stepA] - b[i*stepB]
	}
}

func mul[T element](dst, a, b []T, stepA, stepB int) {
	for i := range dst {
		dst[i] = a[i*stepA] * b[i*stepB]
	}
}

func div[T element](dst, a, b []T, stepA, stepB int) {
	for i := range dst {
		dst[i] = a[i*stepA] / b[i*stepB]
	}
}

// intDiv divides integers, which have no quotient by 0.
type intDiv struct{ *binary[int64] }

func (op *intDiv) run() error {
	if slices.Contains(op.b.data, 0) {
		return errors.New("an integer is divided by 0")
	}
	return op.binary.run()
}
