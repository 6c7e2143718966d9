package native

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// The operators of this file compute each element of the output from one element
// of each input, of shapes that are broadcast to one.

// pairFunc computes each element of dst from those of a and b at its place.
type pairFunc[In, Out element] func(dst []Out, a, b []In)

// binary is an operator on pairs of elements.
type binary[In, Out element] struct {
	a, b *array[In]
	out  *array[Out]
	f    pairFunc[In, Out]
	pairwise[In, Out]
}

func newBinary[In, Out element](n *node, f pairFunc[In, Out]) *binary[In, Out] {
	return &binary[In, Out]{a: input[In](n, 0), b: input[In](n, 1), out: output[Out](n, 0), f: f, pairwise: newPairwise[In, Out](n)}
}

func (op *binary[In, Out]) shapes() error {
	var ok bool
	if op.out.shape, ok = broadcast(op.out.shape[:0], op.a.shape, op.b.shape); !ok {
		return fmt.Errorf("shapes %v and %v cannot be broadcast to one", op.a.shape, op.b.shape)
	}
	return nil
}

func (op *binary[In, Out]) run() error {
	return op.apply(op.f, op.out, op.a, op.b)
}

// pairwise applies a pairFunc to two arrays of any strides.
type pairwise[In, Out element] struct {
	iter    iterator
	scratch *[2][scratchSize]In
}

func newPairwise[In, Out element](n *node) pairwise[In, Out] {
	return pairwise[In, Out]{scratch: &poolOf[In](n.memory).scratch}
}

// scratchSize is how many elements with a stride are copied side by side at a time.
const scratchSize = 128

// apply sets out, of the shape that a and b are broadcast to, to f of them.
func (p *pairwise[In, Out]) apply(f pairFunc[In, Out], out *array[Out], a, b *array[In]) error {
	p.iter.broadcast(out.shape, a.shape, b.shape)
	_, stride := p.iter.inner()
	return p.iter.rows(out.pool.memory, func(to, n int, at offsets) {
		dst := out.data[to : to+n]
		if stride[0] == 1 && stride[1] == 1 {
			f(dst, a.data[at[0]:][:n], b.data[at[1]:][:n])
			return
		}
		for i := 0; i < n; i += scratchSize {
			m := min(scratchSize, n-i)
			f(dst[i:i+m],
				contiguous(&p.scratch[0], a.data[at[0]+i*stride[0]:], stride[0], m),
				contiguous(&p.scratch[1], b.data[at[1]+i*stride[1]:], stride[1], m))
		}
	})
}

// contiguous returns n elements of src that lie a stride apart, in buf if they do
// not lie so already.
func contiguous[T element](buf *[scratchSize]T, src []T, stride, n int) []T {
	if stride == 1 {
		return src[:n]
	}
	row := buf[:n]
	for i := range row {
		row[i] = src[i*stride]
	}
	return row
}

// arithmeticOps registers the operators on pairs of numbers.
func arithmeticOps[T number](t *typedOps) {
	t.add("Add", 7, two, one, binaryOf(add[T]))
	t.add("Sub", 7, two, one, binaryOf(sub[T]))
	t.add("Mul", 7, two, one, binaryOf(mul[T]))
	t.add("Pow", 7, two, one, newPow[T]).mixed = true
	t.add("Less", 7, two, one, binaryOf(eachPair(func(a, b T) bool { return a < b })))
	t.add("LessOrEqual", 12, two, one, binaryOf(eachPair(func(a, b T) bool { return a <= b })))
	t.add("Greater", 7, two, one, binaryOf(eachPair(func(a, b T) bool { return a > b })))
	t.add("GreaterOrEqual", 12, two, one, binaryOf(eachPair(func(a, b T) bool { return a >= b })))
	t.add("Sum", 8, some, one, variadicOf(add[T], false))
	t.add("Mean", 8, some, one, variadicOf(add[T], true))
	t.add("Max", 8, some, one, variadicOf(maxima[T], false))
	t.add("Min", 8, some, one, variadicOf(minima[T], false))
}

// The operators that compute otherwise on integers.
var (
	divide = op{name: "Div", since: 7, in: two, out: one}
	modulo = op{name: "Mod", since: 10, in: two, out: one}
)

// logicOps registers the operators on truth values alone.
func logicOps(t *typedOps) {
	t.add("And", 7, two, one, binaryOf(eachPair(func(a, b bool) bool { return a && b })))
	t.add("Or", 7, two, one, binaryOf(eachPair(func(a, b bool) bool { return a || b })))
	t.add("Xor", 7, two, one, binaryOf(eachPair(func(a, b bool) bool { return a != b })))
	t.add("Not", 1, one, one, unaryOf(each(func(x bool) bool { return !x })))
}

// binaryOf returns the constructor of an operator on pairs of elements.
//
//go:noinline
func binaryOf[In, Out element](f pairFunc[In, Out]) func(*node) kernel {
	return func(n *node) kernel { return newBinary(n, f) }
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

func maxima[T number](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = max(a[i], b[i])
	}
}

func minima[T number](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = min(a[i], b[i])
	}
}

// intDiv divides integers, towards 0, which have no quotient by 0.
type intDiv[T integer] struct{ *binary[T, T] }

func (op *intDiv[T]) run() error {
	zero := false
	err := op.out.pool.memory.chunks(len(op.b.data), func(from, to int) {
		zero = zero || slices.Contains(op.b.data[from:to], 0)
	})
	switch {
	case err != nil:
		return err
	case zero:
		return errors.New("an integer is divided by 0")
	}
	return op.binary.run()
}

// newFloatMod takes the sign from the divisor, or with fmod from the dividend.
func newFloatMod[T float](n *node) kernel {
	fmod := n.flag("fmod", false)
	return newBinary(n, eachPair(func(a, b T) T {
		r := math.Mod(float64(a), float64(b))
		if !fmod && r != 0 && r < 0 != (b < 0) {
			r += float64(b)
		}
		return T(r)
	}))
}

// newIntMod takes the sign as newFloatMod does.
func newIntMod[T integer](n *node) kernel {
	fmod := n.flag("fmod", false)
	return &intDiv[T]{newBinary(n, eachPair(func(a, b T) T {
		r := a % b
		if !fmod && r != 0 && r < 0 != (b < 0) {
			r += b
		}
		return r
	}))}
}

func newIntDiv[T integer](n *node) kernel { return &intDiv[T]{newBinary(n, div[T])} }

// pow computes in float64, whatever the types of base and exponent.
type pow[T number] struct {
	base, exponent value
	a, b           *array[float64]
	out            *array[T]
	pairwise       pairwise[float64, T]
}

func newPow[T number](n *node) kernel {
	if n.opset < 12 && n.inputs[0].typ() != n.inputs[1].typ() {
		n.fail("input 1, %q, has type %s, and must have %s before opset 12", n.Inputs[1], n.inputs[1].typ(), n.inputs[0].typ())
	}
	n.mustBeNumber(1)
	return &pow[T]{
		base: n.inputs[0], exponent: n.inputs[1], a: temp[float64](n), b: temp[float64](n),
		out: output[T](n, 0), pairwise: newPairwise[float64, T](n),
	}
}

func (op *pow[T]) shapes() error {
	a, b := op.base.info().shape, op.exponent.info().shape
	var ok bool
	if op.out.shape, ok = broadcast(op.out.shape[:0], a, b); !ok {
		return fmt.Errorf("shapes %v and %v cannot be broadcast to one", a, b)
	}
	return nil
}

func (op *pow[T]) run() error {
	if err := convert(op.a, op.base); err != nil {
		return err
	}
	if err := convert(op.b, op.exponent); err != nil {
		return err
	}
	return op.pairwise.apply(power[T], op.out, op.a, op.b)
}

func power[T number](dst []T, a, b []float64) {
	for i := range dst {
		if b[i] == 2 {
			dst[i] = T(a[i] * a[i])
		} else {
			dst[i] = T(math.Pow(a[i], b[i]))
		}
	}
}

// eachPair returns the pairFunc that calls f.
func eachPair[In, Out element](f func(a, b In) Out) pairFunc[In, Out] {
	return func(dst []Out, a, b []In) {
		for i := range dst {
			dst[i] = f(a[i], b[i])
		}
	}
}

// prelu scales what is negative by the slope, which is broadcast to the input.
type prelu[T number] struct{ *binary[T, T] }

var pRelu = op{name: "PRelu", since: 7, in: two, out: one}

func newPRelu[T number](n *node) kernel {
	return &prelu[T]{newBinary(n, func(dst, a, b []T) {
		a, b = a[:len(dst)], b[:len(dst)]
		for i, v := range a {
			if v < 0 {
				v *= b[i]
			}
			dst[i] = v
		}
	})}
}

func (op *prelu[T]) shapes() error {
	if err := op.binary.shapes(); err != nil {
		return err
	}
	if !slices.Equal(op.out.shape, op.a.shape) {
		return fmt.Errorf("a slope of shape %v cannot be broadcast to shape %v", op.b.shape, op.a.shape)
	}
	return nil
}

// variadic is an operator on any number of inputs, such as Max.
type variadic[T number] struct {
	in    []*array[T]
	out   *array[T]
	f     pairFunc[T, T]
	mean  bool
	first iterator
	pairwise[T, T]
}

// variadicOf returns the constructor of an operator that combines its inputs by f.
//
//go:noinline
func variadicOf[T number](f pairFunc[T, T], mean bool) func(*node) kernel {
	return func(n *node) kernel {
		op := &variadic[T]{f: f, mean: mean, out: output[T](n, 0), pairwise: newPairwise[T, T](n)}
		for i, v := range n.inputs {
			if v == nil {
				n.fail("input %d is missing", i)
			}
			op.in = append(op.in, input[T](n, i))
		}
		return op
	}
}

func (op *variadic[T]) shapes() error {
	op.out.setShape(op.in[0].shape)
	for _, a := range op.in[1:] {
		var ok bool
		before := len(op.out.shape)
		if op.out.shape, ok = widen(op.out.shape, a.shape); !ok {
			return fmt.Errorf("shape %v cannot be broadcast to one with the %d dimensions %v of those before", a.shape, before, op.out.shape)
		}
	}
	return nil
}

// widen returns the shape that shape and other are broadcast to, in the memory
// of shape.
func widen(shape, other []int) ([]int, bool) {
	for len(shape) < len(other) {
		shape = slices.Insert(shape, 0, 1)
	}
	for k, d := range other {
		at := &shape[len(shape)-len(other)+k]
		switch {
		case *at == 1:
			*at = d
		case d != 1 && d != *at:
			return shape, false
		}
	}
	return shape, true
}

func (op *variadic[T]) run() error {
	op.first.broadcast(op.out.shape, op.in[0].shape)
	if err := op.out.copyStrided(&op.first, op.in[0], 0); err != nil {
		return err
	}
	for _, a := range op.in[1:] {
		if err := op.apply(op.f, op.out, op.out, a); err != nil {
			return err
		}
	}
	if !op.mean {
		return nil
	}
	return op.out.chunks(func(from, to int) {
		for i := from; i < to; i++ {
			op.out.data[i] /= T(len(op.in))
		}
	})
}

// where picks from two inputs by a third.
type where[T element] struct {
	cond *array[bool]
	a, b *array[T]
	out  *array[T]
	iter iterator
}

func newWhere[T element](n *node) kernel {
	op := &where[T]{cond: input[bool](n, 0), a: input[T](n, 1), b: input[T](n, 2), out: output[T](n, 0)}
	op.out.kind = op.a.kind
	return op
}

func (op *where[T]) shapes() error {
	op.out.setShape(op.cond.shape)
	ok := true
	for _, other := range [][]int{op.a.shape, op.b.shape} {
		fits := false
		op.out.shape, fits = widen(op.out.shape, other)
		ok = ok && fits
	}
	if !ok {
		return fmt.Errorf("shapes %v, %v and %v cannot be broadcast to one", op.cond.shape, op.a.shape, op.b.shape)
	}
	return nil
}

func (op *where[T]) run() error {
	op.iter.broadcast(op.out.shape, op.cond.shape, op.a.shape, op.b.shape)
	_, stride := op.iter.inner()
	return op.iter.rows(op.out.pool.memory, func(out, n int, at offsets) {
		cond, a, b := op.cond.data[at[0]:], op.a.data[at[1]:], op.b.data[at[2]:]
		for i := range op.out.data[out : out+n] {
			v := b[i*stride[2]]
			if cond[i*stride[0]] {
				v = a[i*stride[1]]
			}
			op.out.data[out+i] = v
		}
	})
}
