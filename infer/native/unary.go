package native

import (
	"fmt"
	"math"
	"slices"

	"github.com/rnnkit/rnnkit/internal/kernels"
)

// The operators of this file compute each element of the output from that of the
// input.

type unary[In, Out element] struct {
	in  *array[In]
	out *array[Out]
	f   func(dst []Out, src []In)
}

func newUnary[In, Out element](n *node, f func(dst []Out, src []In)) kernel {
	return &unary[In, Out]{input[In](n, 0), output[Out](n, 0), f}
}

func (op *unary[In, Out]) shapes() error {
	op.out.setShape(op.in.shape)
	return nil
}

func (op *unary[In, Out]) run() error {
	return op.out.chunks(func(from, to int) {
		op.f(op.out.data[from:to], op.in.data[from:to])
	})
}

// each returns the function of slices that calls f for each element.
func each[In, Out element](f func(In) Out) func(dst []Out, src []In) {
	return func(dst []Out, src []In) {
		for i, v := range src {
			dst[i] = f(v)
		}
	}
}

// functionOps registers the operators that compute a function of a real number.
func functionOps[T float](t *typedOps) {
	t.add("Acos", 7, one, one, functionOf[T](math.Acos))
	t.add("Acosh", 9, one, one, functionOf[T](math.Acosh))
	t.add("Asin", 7, one, one, functionOf[T](math.Asin))
	t.add("Asinh", 9, one, one, functionOf[T](math.Asinh))
	t.add("Atan", 7, one, one, functionOf[T](math.Atan))
	t.add("Atanh", 9, one, one, functionOf[T](math.Atanh))
	t.add("Ceil", 6, one, one, functionOf[T](math.Ceil))
	t.add("Celu", 12, one, one, newCelu[T])
	t.add("Cos", 7, one, one, functionOf[T](math.Cos))
	t.add("Cosh", 9, one, one, functionOf[T](math.Cosh))
	t.add("Elu", 6, one, one, newElu[T])
	t.add("Erf", 9, one, one, unaryOf(kernels.Erfs[T]))
	t.add("Exp", 6, one, one, functionOf[T](math.Exp))
	t.add("Floor", 6, one, one, functionOf[T](math.Floor))
	t.add("Gelu", 20, one, one, newGelu[T])
	t.add("HardSigmoid", 6, one, one, newHardSigmoid[T])
	t.add("HardSwish", 14, one, one, functionOf[T](func(x float64) float64 { return x * max(0, min(1, x/6+0.5)) }))
	t.add("IsInf", 10, one, one, newIsInf[T])
	t.add("IsNaN", 9, one, one, unaryOf(each(func(x T) bool { return x != x })))
	t.add("LeakyRelu", 6, one, one, newLeakyRelu[T])
	t.add("Log", 6, one, one, functionOf[T](math.Log))
	t.add("Mish", 18, one, one, functionOf[T](func(x float64) float64 { return x * math.Tanh(softplus(x)) }))
	t.add("Reciprocal", 6, one, one, functionOf[T](func(x float64) float64 { return 1 / x }))
	t.add("Round", 11, one, one, functionOf[T](math.RoundToEven))
	t.add("Selu", 6, one, one, newSelu[T])
	t.add("Shrink", 9, one, one, newShrink[T])
	t.add("Sigmoid", 6, one, one, unaryOf(kernels.Sigmoids[T]))
	t.add("Sin", 7, one, one, functionOf[T](math.Sin))
	t.add("Sinh", 9, one, one, functionOf[T](math.Sinh))
	t.add("Softplus", 1, one, one, functionOf[T](softplus))
	t.add("Softsign", 1, one, one, functionOf[T](func(x float64) float64 { return x / (1 + math.Abs(x)) }))
	// Called by its name, math.Sqrt is an instruction.
	t.add("Sqrt", 6, one, one, unaryOf(each(func(x T) T { return T(math.Sqrt(float64(x))) })))
	t.add("Swish", 24, one, one, newSwish[T])
	t.add("Tan", 7, one, one, functionOf[T](math.Tan))
	t.add("Tanh", 6, one, one, unaryOf(kernels.Tanhs[T]))
	t.add("ThresholdedRelu", 10, one, one, newThresholdedRelu[T])
}

// signOps registers the functions that integers have too.
func signOps[T number](t *typedOps) {
	t.add("Abs", 6, one, one, unaryOf(each(absolute[T])))
	t.add("Clip", 6, arity{1, 3}, one, newClip[T])
	t.add("Neg", 6, one, one, unaryOf(each(func(x T) T { return -x })))
	t.add("Relu", 6, one, one, unaryOf(relus[T]))
	t.add("Sign", 9, one, one, unaryOf(each(sign[T])))
}

// unaryOf returns the constructor of an operator on single elements.
//
//go:noinline
func unaryOf[In, Out element](f func(dst []Out, src []In)) func(*node) kernel {
	return func(n *node) kernel { return newUnary(n, f) }
}

// functionOf returns the constructor of an operator that computes f in float64.
//
//go:noinline
func functionOf[T float](f func(float64) float64) func(*node) kernel {
	return unaryOf(func(dst, src []T) {
		for i, v := range src {
			dst[i] = T(f(float64(v)))
		}
	})
}

func softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

// The functions that follow have parameters, which are attributes.

func newLeakyRelu[T float](n *node) kernel {
	alpha := parameter[T](n, "alpha", 0.01)
	return newUnary(n, each(func(x T) T { return max(x, 0) + alpha*min(x, 0) }))
}

func newThresholdedRelu[T float](n *node) kernel {
	alpha := parameter[T](n, "alpha", 1)
	return newUnary(n, each(func(x T) T {
		if x > alpha {
			return x
		}
		return 0 // of NaN too
	}))
}

func newHardSigmoid[T float](n *node) kernel {
	alpha, beta := parameter[T](n, "alpha", 0.2), parameter[T](n, "beta", 0.5)
	return newUnary(n, each(func(x T) T { return max(0, min(1, alpha*x+beta)) }))
}

func newElu[T float](n *node) kernel {
	alpha := parameter[T](n, "alpha", 1)
	return newUnary(n, each(func(x T) T { return max(x, 0) + alpha*expm1(min(x, 0)) }))
}

func newCelu[T float](n *node) kernel {
	alpha := parameter[T](n, "alpha", 1)
	return newUnary(n, each(func(x T) T { return max(x, 0) + alpha*expm1(min(x, 0)/alpha) }))
}

func newSelu[T float](n *node) kernel {
	alpha, gamma := parameter[T](n, "alpha", 1.67326319217681884765625), parameter[T](n, "gamma", 1.05070102214813232421875)
	return newUnary(n, each(func(x T) T { return gamma * (max(x, 0) + alpha*expm1(min(x, 0))) }))
}

func newSwish[T float](n *node) kernel {
	alpha := parameter[T](n, "alpha", 1)
	return newUnary(n, each(func(x T) T { return x * kernels.Sigmoid(alpha*x) }))
}

func newShrink[T float](n *node) kernel {
	bias, lambda := parameter[T](n, "bias", 0), parameter[T](n, "lambd", 0.5)
	return newUnary(n, each(func(x T) T {
		switch {
		case x < -lambda:
			return x + bias
		case x > lambda:
			return x - bias
		}
		return 0
	}))
}

func parameter[T float](n *node, name string, def float32) T { return T(attribute(n, name, def)) }

func expm1[T float](x T) T { return T(math.Expm1(float64(x))) }

func newGelu[T float](n *node) kernel {
	scale, squash := func(x T) T { return x / math.Sqrt2 }, kernels.Erfs[T]
	switch approximate := attribute(n, "approximate", "none"); approximate {
	case "none":
	case "tanh":
		scale, squash = func(x T) T { return T(math.Sqrt(2/math.Pi)) * (x + 0.044715*x*x*x) }, kernels.Tanhs[T]
	default:
		n.fail("attribute \"approximate\" is %q, and must be none or tanh", approximate)
	}
	return newUnary(n, func(dst, src []T) {
		for i, x := range src {
			dst[i] = scale(x)
		}
		squash(dst, dst)
		for i, x := range src {
			dst[i] = 0.5 * x * (1 + dst[i])
		}
	})
}

func absolute[T number](x T) T {
	if x < 0 || x == 0 { // also -0
		return 0 - x
	}
	return x
}

func sign[T number](x T) T {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return T(0) - 1
	}
	return x // 0 or NaN
}

func relus[T number](dst, src []T) {
	if dst, ok := any(dst).([]float32); ok {
		kernels.ReLUs(dst, any(src).([]float32))
		return
	}
	for i, v := range src {
		dst[i] = max(v, 0)
	}
}

func newIsInf[T float](n *node) kernel {
	negative, positive := n.flag("detect_negative", true), n.flag("detect_positive", true)
	return newUnary(n, each(func(x T) bool {
		return positive && math.IsInf(float64(x), 1) || negative && math.IsInf(float64(x), -1)
	}))
}

// clip keeps elements between two bounds, which are attributes before opset 11.
type clip[T number] struct {
	unary    unary[T, T]
	low, top *array[T]
	min, max T
	has      [2]bool
}

func newClip[T number](n *node) kernel {
	op := &clip[T]{}
	switch {
	case n.opset >= 11:
		op.low, op.top = input[T](n, 1), input[T](n, 2)
	case isInteger[T]():
		n.failType(0)
	case n.given(1) || n.given(2):
		n.fail("the bounds are attributes before opset 11")
	default:
		op.min, op.max = T(attribute(n, "min", float32(0))), T(attribute(n, "max", float32(0)))
		op.has = [2]bool{n.has("min"), n.has("max")}
	}
	op.unary = unary[T, T]{input[T](n, 0), output[T](n, 0), op.bound}
	return op
}

func (op *clip[T]) shapes() error { return op.unary.shapes() }

func (op *clip[T]) run() error {
	for i, bound := range []*array[T]{op.low, op.top} {
		if bound == nil {
			continue
		}
		if len(bound.data) != 1 {
			return fmt.Errorf("a bound has shape %v, and must be a scalar", bound.shape)
		}
		op.has[i] = true
		*[]*T{&op.min, &op.max}[i] = bound.data[0]
	}
	return op.unary.run()
}

// bound sets dst to src between the bounds.
func (op *clip[T]) bound(dst, src []T) {
	for i, v := range src {
		if op.has[0] {
			v = max(v, op.min)
		}
		if op.has[1] {
			v = min(v, op.max)
		}
		dst[i] = v
	}
}

// softmax works along one axis, or before opset 13 along all from there on.
type softmax[T float] struct {
	unary  unary[T, T]
	axis   int64
	old    bool
	f      func(op *softmax[T], dst, x []T) error
	column *array[T] // and what becomes of it, where the axis is not the last
	memory *memory

	tops, sums []T // of the parts of a row: the greatest value, and the sum of the powers
}

func softmaxOps[T float](t *typedOps) {
	t.add("Hardmax", 1, one, one, softmaxOf((*softmax[T]).hardmax))
	t.add("LogSoftmax", 1, one, one, softmaxOf((*softmax[T]).logSoftmax))
	t.add("Softmax", 1, one, one, softmaxOf((*softmax[T]).softmax))
}

func softmaxOf[T float](f func(op *softmax[T], dst, x []T) error) func(*node) kernel {
	return func(n *node) kernel { return newSoftmax(n, f) }
}

func newSoftmax[T float](n *node, f func(op *softmax[T], dst, x []T) error) kernel {
	op := &softmax[T]{
		f: f, unary: unary[T, T]{in: input[T](n, 0), out: output[T](n, 0)},
		old: n.opset < 13, column: temp[T](n), memory: n.memory,
	}
	def := int64(-1)
	if op.old {
		def = 1
	}
	op.axis = attribute(n, "axis", def)
	return op
}

func (op *softmax[T]) shapes() error {
	if _, err := axisOf(op.axis, max(len(op.unary.in.shape), 1)); err != nil {
		return err
	}
	return op.unary.shapes()
}

func (op *softmax[T]) run() error {
	x, out := op.unary.in.data, op.unary.out.data
	size, inner := alongAxis(op.unary.in.shape, op.axis)
	if op.old {
		size, inner = size*inner, 1
	}
	if inner > 1 {
		return op.columns(out, x, size, inner)
	}
	for at := 0; at < len(out); at += size {
		if err := op.f(op, out[at:at+size], x[at:at+size]); err != nil {
			return err
		}
	}
	return nil
}

// columns works on rows whose elements lie apart.
func (op *softmax[T]) columns(out, x []T, size, inner int) error {
	if err := op.column.resizeTo(2, size); err != nil {
		return err
	}
	column, dst := op.column.data[:size], op.column.data[size:]
	for at := 0; at < len(out); at += size * inner {
		for i := at; i < at+inner; i++ {
			err := op.memory.chunks(size, func(from, to int) {
				for k := from; k < to; k++ {
					column[k] = x[i+k*inner]
				}
			})
			if err == nil {
				err = op.f(op, dst, column)
			}
			if err != nil {
				return err
			}
			for k, v := range dst {
				out[i+k*inner] = v
			}
		}
	}
	return nil
}

// softmax makes that of each part of a row, and of these the row's. It leaves the
// greatest value and the sum of the powers in op.tops[0] and op.sums[0].
func (op *softmax[T]) softmax(dst, x []T) error {
	count := (len(x) + chunkSize - 1) / chunkSize
	kernels.Grow(&op.tops, count)
	kernels.Grow(&op.sums, count)
	err := op.memory.chunks(len(x), func(from, to int) {
		p, n := from/chunkSize, to-from
		kernels.Softmax(kernels.Dense(1, n, dst[from:]), kernels.Dense(1, n, x[from:]), op.tops[p:], op.sums[p:])
	})
	if count == 1 || err != nil {
		return err
	}
	top, sum := slices.Max(op.tops), 0.0
	weight := func(p int) float64 { // of part p in the sum of the row
		if lowest := T(math.Inf(-1)); op.tops[p] == lowest && top > lowest {
			return 0
		}
		return float64(op.sums[p]) * math.Exp(float64(op.tops[p]-top))
	}
	for p := range op.sums {
		sum += weight(p)
	}
	err = op.memory.chunks(len(x), func(from, to int) {
		if w := weight(from / chunkSize); w == 0 && sum > 0 {
			clear(dst[from:to]) // which may be NaN
		} else {
			kernels.Scale(dst[from:to], T(w/sum))
		}
	})
	op.tops[0], op.sums[0] = top, T(sum)
	return err
}

func (op *softmax[T]) logSoftmax(dst, x []T) error {
	if err := op.softmax(dst, x); err != nil {
		return err
	}
	top, log := op.tops[0], T(math.Log(float64(op.sums[0])))
	return op.memory.chunks(len(x), func(from, to int) {
		for i, v := range x[from:to] {
			dst[from+i] = v - top - log
		}
	})
}

func (op *softmax[T]) hardmax(dst, x []T) error {
	at := 0
	err := op.memory.chunks(len(x), func(from, to int) {
		for i, v := range x[from:to] {
			if v > x[at] || v != v && x[at] == x[at] {
				at = from + i
			}
		}
		clear(dst[from:to])
	})
	dst[at] = 1
	return err
}
