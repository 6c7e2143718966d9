package native

import (
	"errors"
	"fmt"
	"slices"
)

// The operators of this file compute each element of the output from one element
// of each input, of shapes that are broadcast to one.

// pairs is what an operator does to two arrays of one length, In being the type
// of what it reads.
type pairs[In, Out element] func(dst []Out, a, b []In)

// binary is an operator on pairs of elements. With more inputs than two it does
// the same to the result and the next, with one nothing.
type binary[In, Out element] struct {
	a, b *array[In]
	out  *array[Out]
	pairs[In, Out]
	walk       walk
	bufA, bufB [chunk]In
}

// chunk is how many elements are brought side by side at a time.
const chunk = 128

func newBinary[In, Out element](n *node, f pairs[In, Out]) *binary[In, Out] {
	return &binary[In, Out]{a: input[In](n, 0), b: input[In](n, 1), out: output[Out](n, 0), pairs: f}
}

func (op *binary[In, Out]) shapes() error {
	var ok bool
	if op.out.shape, ok = broadcast(op.out.shape[:0], op.a.shape, op.b.shape); !ok {
		return fmt.Errorf("shapes %v and %v cannot be broadcast to one", op.a.shape, op.b.shape)
	}
	return nil
}

func (op *binary[In, Out]) run() error {
	op.walk.broadcast(op.out.shape, op.a.shape, op.b.shape)
	n, step := op.walk.inner()
	op.walk.rows(func(out int, at offsets) {
		dst := op.out.data[out : out+n]
		if step[0] == 1 && step[1] == 1 {
			op.pairs(dst, op.a.data[at[0]:][:n], op.b.data[at[1]:][:n])
			return
		}
		for i := 0; i < n; i += chunk {
			m := min(chunk, n-i)
			a := sideBySide(&op.bufA, op.a.data[at[0]+i*step[0]:], step[0], m)
			b := sideBySide(&op.bufB, op.b.data[at[1]+i*step[1]:], step[1], m)
			op.pairs(dst[i:i+m], a, b)
		}
	})
	return nil
}

// sideBySide returns n elements of src that lie a step apart, in buf if they do
// not lie so already.
func sideBySide[T element](buf *[chunk]T, src []T, step, n int) []T {
	if step == 1 {
		return src[:n]
	}
	row := buf[:n]
	if step == 0 {
		v := src[0]
		for i := range row {
			row[i] = v
		}
		return row
	}
	for i := range row {
		row[i] = src[i*step]
	}
	return row
}

func newArithmetic(n *node) operator {
	return byType(n, 0, newArithmeticOf[float32], newArithmeticOf[float64], newArithmeticOf[int32], newArithmeticOf[int64], newArithmeticOf[uint8], nil)
}

func newArithmeticOf[T number](n *node) operator {
	op := newBinary(n, map[string]pairs[T, T]{"Add": add[T], "Sub": sub[T], "Mul": mul[T], "Div": div[T]}[n.OpType])
	if _, ok := any(op).(*binary[float32, float32]); ok {
		return op
	}
	if _, ok := any(op).(*binary[float64, float64]); ok || n.OpType != "Div" {
		return op
	}
	return &intDiv[T]{op}
}

func add[T number](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}

func sub[T number](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] - b[i]
	}
}

func mul[T number](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] * b[i]
	}
}

func div[T number](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] / b[i]
	}
}

// intDiv divides integers, towards 0, which have no quotient by 0.
type intDiv[T number] struct{ *binary[T, T] }

func (op *intDiv[T]) run() error {
	if slices.Contains(op.b.data, 0) {
		return errors.New("an integer is divided by 0")
	}
	return op.binary.run()
}
