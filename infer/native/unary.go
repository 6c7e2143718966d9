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

func newUnary[In, Out element](n *node, f func(dst []Out, src []In)) operator {
	return &unary[In, Out]{input[In](n, 0), output[Out](n, 0), f}
}

func (op *unary[In, Out]) shapes() error {
	op.out.setShape(op.in.shape)
	return nil
}

func (op *unary[In, Out]) run() error {
	return op.out.pool.memory.parts(len(op.out.data), func(from, to int) {
		op.f(op.out.data[from:to], op.in.data[from:to])
	})
}

// elements does f to each element.
func elements[In, Out element](f func(In) Out) func(dst []Out, src []In) {
	return func(dst []Out, src []In) {
		for i, v := range src {
			dst[i] = f(v)
		}
	}
}

// functions are the operators that compute a function of real numbers.
var functions = map[string]func(float64) float64{
	"Acos": math.Acos, "Acosh": math.Acosh, "Asin": math.Asin, "Asinh": math.Asinh,
	"Atan": math.Atan, "Atanh": math.Atanh, "Cos": math.Cos, "Cosh": math.Cosh,
	"Sin": math.Sin, "Sinh": math.Sinh, "Tan": math.Tan,
	"Ceil": math.Ceil, "Floor": math.Floor, "Round": math.RoundToEven,
	"Exp": math.Exp, "Log": math.Log, "Sqrt": math.Sqrt,
	"Reciprocal": func(x float64) float64 { return 1 / x },
	"Softplus":   softplus,
	"Softsign":   func(x float64) float64 { return x / (1 + math.Abs(x)) },
	"HardSwish":  func(x float64) float64 { return x * max(0, min(1, x/6+0.5)) },
	"Mish":       func(x float64) float64 { return x * math.Tanh(softplus(x)) },
}

func softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

func newFunction(n *node) operator {
	return byType(n, 0, newFunctionOf[float32], newFunctionOf[float64], nil, nil, nil, nil)
}

func newFunctionOf[T float](n *node) operator {
	f := functions[n.OpType]
	if n.OpType == "Sqrt" { // an instruction, where it is called by its name
		return newUnary(n, elements(func(x T) T { return T(math.Sqrt(float64(x))) }))
	}
	return newUnary(n, func(dst, src []T) {
		for i, v := range src {
			dst[i] = T(f(float64(v)))
		}
	})
}

// newVector builds the functions that kernels compute for vectors.
func newVector(n *node) operator {
	return byType(n, 0, newVectorOf[float32], newVectorOf[float64], nil, nil, nil, nil)
}

func newVectorOf[T float](n *node) operator {
	return newUnary(n, map[string]func(dst, src []T){"Sigmoid": kernels.Sigmoids[T], "Tanh": kernels.Tanhs[T], "Erf": kernels.Erfs[T]}[n.OpType])
}

// newActivation builds the functions that have parameters.
func newActivation(n *node) operator {
	return byType(n, 0, newActivationOf[float32], newActivationOf[float64], nil, nil, nil, nil)
}

func newActivationOf[T float](n *node) operator {
	parameter := func(name string, def float32) T { return T(attribute(n, name, def)) }
	var f func(T) T
	switch n.OpType {
	case "LeakyRelu":
		alpha := parameter("alpha", 0.01)
		f = func(x T) T { return max(x, 0) + alpha*min(x, 0) }
	case "ThresholdedRelu":
		alpha := parameter("alpha", 1)
		f = func(x T) T {
			if x > alpha {
				return x
			}
			return 0 // of NaN too
		}
	case "HardSigmoid":
		alpha, beta := parameter("alpha", 0.2), parameter("beta", 0.5)
		f = func(x T) T { return max(0, min(1, alpha*x+beta)) }
	case "Elu":
		alpha := parameter("alpha", 1)
		f = func(x T) T { return max(x, 0) + alpha*expm1(min(x, 0)) }
	case "Celu":
		alpha := parameter("alpha", 1)
		f = func(x T) T { return max(x, 0) + alpha*expm1(min(x, 0)/alpha) }
	case "Selu":
		alpha, gamma := parameter("alpha", 1.67326319217681884765625), parameter("gamma", 1.05070102214813232421875)
		f = func(x T) T { return gamma * (max(x, 0) + alpha*expm1(min(x, 0))) }
	case "Swish":
		alpha := parameter("alpha", 1)
		f = func(x T) T { return x * kernels.Sigmoid(alpha*x) }
	case "Shrink":
		bias, lambda := parameter("bias", 0), parameter("lambd", 0.5)
		f = func(x T) T {
			switch {
			case x < -lambda:
				return x + bias
			case x > lambda:
				return x - bias
			}
			return 0
		}
	case "Gelu":
		return newUnary(n, gelu[T](n))
	}
	return newUnary(n, elements(f))
}

func expm1[T float](x T) T { return T(math.Expm1(float64(x))) }

func gelu[T float](n *node) func(dst, src []T) {
	scale, squash := func(x T) T { return x / math.Sqrt2 }, kernels.Erfs[T]
	switch approximate := attribute(n, "approximate", "none"); approximate {
	case "none":
	case "tanh":
		scale, squash = func(x T) T { return T(math.Sqrt(2/math.Pi)) * (x + 0.044715*x*x*x) }, kernels.Tanhs[T]
	default:
		n.fail("attribute \"approximate\" is %q, and must be none or tanh", approximate)
	}
	return func(dst, src []T) {
		for i, x := range src {
			dst[i] = scale(x)
		}
		squash(dst, dst)
		for i, x := range src {
			dst[i] = 0.5 * x * (1 + dst[i])
		}
	}
}

// newSigned builds the functions that integers have too.
func newSigned(n *node) operator {
	return byType(n, 0, newSignedOf[float32], newSignedOf[float64], newSignedOf[int32], newSignedOf[int64], newSignedOf[uint8], nil)
}

func newSignedOf[T number](n *node) operator {
	return newUnary(n, map[string]func(dst, src []T){
		"Abs": elements(func(x T) T {
			if x < 0 || x == 0 { // also -0
				return 0 - x
			}
			return x
		}),
		"Neg":  elements(func(x T) T { return -x }),
		"Relu": relus[T],
		"Sign": elements(func(x T) T {
			switch {
			case x > 0:
				return 1
			case x < 0:
				return T(0) - 1
			}
			return x // 0 or NaN
		}),
	}[n.OpType])
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

func newNot(n *node) operator { return newUnary(n, elements(func(x bool) bool { return !x })) }

func newIsNaN(n *node) operator {
	return byType(n, 0, newIsNaNOf[float32], newIsNaNOf[float64], nil, nil, nil, nil)
}

func newIsNaNOf[T float](n *node) operator {
	return newUnary(n, elements(func(x T) bool { return x != x }))
}

func newIsInf(n *node) operator {
	return byType(n, 0, newIsInfOf[float32], newIsInfOf[float64], nil, nil, nil, nil)
}

func newIsInfOf[T float](n *node) operator {
	negative, positive := n.flag("detect_negative", true), n.flag("detect_positive", true)
	return newUnary(n, elements(func(x T) bool {
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

func newClip(n *node) operator {
	if n.opset < 11 {
		return byType(n, 0, newOldClip[float32], newOldClip[float64], nil, nil, nil, nil)
	}
	return byType(n, 0, newClipOf[float32], newClipOf[float64], newClipOf[int32], newClipOf[int64], newClipOf[uint8], nil)
}

func newOldClip[T number](n *node) operator {
	op := &clip[T]{min: T(attribute(n, "min", float32(0))), max: T(attribute(n, "max", float32(0)))}
	op.has = [2]bool{n.has("min"), n.has("max")}
	if n.given(1) || n.given(2) {
		n.fail("the bounds are attributes before opset 11")
	}
	op.unary = unary[T, T]{input[T](n, 0), output[T](n, 0), op.bound}
	return op
}

func newClipOf[T number](n *node) operator {
	op := &clip[T]{low: input[T](n, 1), top: input[T](n, 2)}
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

func newSoftmax(n *node) operator {
	return byType(n, 0, newSoftmaxOf[float32], newSoftmaxOf[float64], nil, nil, nil, nil)
}

func newSoftmaxOf[T float](n *node) operator {
	op := &softmax[T]{
		unary: unary[T, T]{in: input[T](n, 0), out: output[T](n, 0)},
		old:   n.opset < 13, column: temp[T](n), memory: n.memory,
	}
	def := int64(-1)
	if op.old {
		def = 1
	}
	op.axis = attribute(n, "axis", def)
	op.f = map[string]func(op *softmax[T], dst, x []T) error{
		"Softmax": (*softmax[T]).softmax, "LogSoftmax": (*softmax[T]).logSoftmax, "Hardmax": (*softmax[T]).hardmax,
	}[n.OpType]
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
			err := op.memory.parts(size, func(from, to int) {
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
	count := (len(x) + most - 1) / most
	kernels.Grow(&op.tops, count)
	kernels.Grow(&op.sums, count)
	err := op.memory.parts(len(x), func(from, to int) {
		p, n := from/most, to-from
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
	err = op.memory.parts(len(x), func(from, to int) {
		if w := weight(from / most); w == 0 && sum > 0 {
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
	return op.memory.parts(len(x), func(from, to int) {
		for i, v := range x[from:to] {
			dst[from+i] = v - top - log
		}
	})
}

func (op *softmax[T]) hardmax(dst, x []T) error {
	at := 0
	err := op.memory.parts(len(x), func(from, to int) {
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
