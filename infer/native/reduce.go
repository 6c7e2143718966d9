package native

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// The operators of this file make one value of all those along some axes.

// reducer makes one value of many.
type reducer[T number] struct {
	initial   T
	row       func(sum T, src []T) T // adds a row to a sum
	rows      func(sums, src []T)    // adds to each sum its element
	transform func(x, sum T) T       // what is added instead of x; nil for x
	merge     func(top, sum T) T     // of a pass of x and one of what transform makes of it; nil for one pass
	finish    func(sum T, n int) T   // of n elements; nil for the sum
}

type reduce[T number] struct {
	in, out  *array[T]
	axes     *intList
	keepDims bool
	noop     bool // without axes, reduce nothing instead of all
	reducer[T]

	drop   []bool
	inner  int // how many elements make one
	iter   iterator
	sums   *array[T]
	mapped *[scratchSize]T
}

// reduceOps registers the reductions of numbers that may be negative.
func reduceOps[T number](t *typedOps) {
	t.add("CumSum", 11, two, one, newCumSum[T])
	t.add("ReduceL1", 1, arity{1, 2}, one, reduceOf(summed(magnitude[T], nil)))
	t.add("ReduceL2", 1, arity{1, 2}, one, reduceOf(summed(square[T], root[T])))
	t.add("ReduceLogSum", 1, arity{1, 2}, one, reduceOf(summed(nil, logarithm[T])))
	t.add("ReduceLogSumExp", 1, arity{1, 2}, one, reduceOf(logSumExp[T]()))
	t.add("ReduceMean", 1, arity{1, 2}, one, reduceOf(summed(nil, mean[T])))
	t.add("ReduceProd", 1, arity{1, 2}, one, reduceOf(multiplied[T]()))
	t.add("ReduceSum", 1, arity{1, 2}, one, newReduceSum[T])
	t.add("ReduceSumSquare", 1, arity{1, 2}, one, reduceOf(summed(square[T], nil)))
}

// orderOps registers the operators that look for the greatest or the least number.
func orderOps[T number](t *typedOps) {
	t.add("ArgMax", 1, one, one, argMaxOf[T](1))
	t.add("ArgMin", 1, one, one, argMaxOf[T](-1))
	t.build(&reduceMax, reduceOf(largest[T]()))
	t.build(&reduceMin, reduceOf(smallest[T]()))
	t.add("TopK", 1, arity{1, 2}, arity{1, 2}, newTopK[T])
}

var (
	reduceMax = op{name: "ReduceMax", since: 1, in: arity{1, 2}, out: one}
	reduceMin = op{name: "ReduceMin", since: 1, in: arity{1, 2}, out: one}
)

// reduceOf returns the constructor of a reduction whose axes are an input from opset
// 18 on.
//
//go:noinline
func reduceOf[T number](r reducer[T]) func(*node) kernel {
	return func(n *node) kernel { return newReduce(n, r, 18, input[T](n, 0), output[T](n, 0)) }
}

// newReduceSum has the axes as an input from opset 13 on.
func newReduceSum[T number](n *node) kernel {
	return newReduce(n, summed[T](nil, nil), 13, input[T](n, 0), output[T](n, 0))
}

func newReduce[T number](n *node, r reducer[T], since int64, in, out *array[T]) *reduce[T] {
	op := &reduce[T]{
		in: in, out: out, sums: temp[T](n), mapped: &poolOf[T](n.memory).scratch[0],
		axes:     intListOf(n, "axes", 1, since),
		keepDims: n.flag("keepdims", true),
		reducer:  r,
	}
	if n.opset >= since {
		op.noop = n.flag("noop_with_empty_axes", false)
	}
	return op
}

// summed is the sum of what transform makes of the elements, after finish; nil for either
// leaves it out.
func summed[T number](transform func(x, sum T) T, finish func(sum T, n int) T) reducer[T] {
	return reducer[T]{row: sumOf[T], rows: addRow[T], transform: transform, finish: finish}
}

func addRow[T number](sums, src []T) { add(sums, sums, src) }

func magnitude[T number](x, _ T) T { return max(x, 0) - min(x, 0) }

func square[T number](x, _ T) T { return x * x }

func root[T number](sum T, _ int) T { return T(math.Sqrt(float64(sum))) }

func logarithm[T number](sum T, _ int) T { return T(math.Log(float64(sum))) }

func mean[T number](sum T, n int) T {
	if n == 0 && isInteger[T]() {
		return 0
	}
	return sum / T(n)
}

func largest[T number]() reducer[T] {
	return reducer[T]{
		initial: lowest[T](),
		row: func(best T, src []T) T {
			for _, v := range src {
				best = max(best, v)
			}
			return best
		},
		rows: func(sums, src []T) { maxima(sums, sums, src) },
	}
}

func smallest[T number]() reducer[T] {
	return reducer[T]{
		initial: highest[T](),
		row: func(best T, src []T) T {
			for _, v := range src {
				best = min(best, v)
			}
			return best
		},
		rows: func(sums, src []T) { minima(sums, sums, src) },
	}
}

func multiplied[T number]() reducer[T] {
	return reducer[T]{
		initial: 1,
		row: func(product T, src []T) T {
			for _, v := range src {
				product *= v
			}
			return product
		},
		rows: func(sums, src []T) { mul(sums, sums, src) },
	}
}

func logSumExp[T number]() reducer[T] {
	r := largest[T]()
	r.transform = func(x, top T) T { return T(math.Exp(float64(x) - finite(top))) }
	r.merge = func(top, sum T) T { return T(math.Log(float64(sum)) + finite(top)) }
	return r
}

// finite returns v, or 0 for an infinity, which is no use as the greatest of
// the values that are subtracted from.
func finite[T number](v T) float64 {
	if math.IsInf(float64(v), 0) {
		return 0
	}
	return float64(v)
}

// sumOf adds a row of numbers, fractions in float64.
func sumOf[T number](sum T, src []T) T {
	if isInteger[T]() {
		for _, v := range src {
			sum += v
		}
		return sum
	}
	s := float64(sum)
	for _, v := range src {
		s += float64(v)
	}
	return T(s)
}

func (op *reduce[T]) shapes() (err error) {
	op.inner, err = reducedShape(&op.out.header, op.in.shape, op.axes, &op.drop, op.noop, op.keepDims)
	return err
}

// reducedShape sets the shape of what is left of in, and drop to which of its
// dimensions are not. It returns the product of those.
func reducedShape(out *header, in []int, axes *intList, drop *[]bool, noop, keepDims bool) (int, error) {
	*drop = resized(*drop, len(in))
	values, err := axes.values()
	if err != nil {
		return 0, err
	}
	for _, axis := range values {
		k, err := axisOf(axis, len(in))
		if err != nil {
			return 0, err
		}
		(*drop)[k] = true
	}
	inner := 1
	out.shape = out.shape[:0]
	for k, size := range in {
		if len(values) == 0 && !noop {
			(*drop)[k] = true
		}
		if !(*drop)[k] {
			out.shape = append(out.shape, size)
			continue
		}
		if keepDims {
			out.shape = append(out.shape, 1)
		}
		inner *= size
	}
	return inner, nil
}

func (op *reduce[T]) run() error {
	if err := op.eachOutput(func(int) T { return op.initial }); err != nil {
		return err
	}
	if op.merge != nil {
		if err := op.twoPasses(); err != nil {
			return err
		}
	} else if err := op.pass(op.out.data, op.transform != nil); err != nil {
		return err
	}
	if op.finish == nil {
		return nil
	}
	return op.eachOutput(func(i int) T { return op.finish(op.out.data[i], op.inner) })
}

// eachOutput sets each element of the output to f of its place.
func (op *reduce[T]) eachOutput(f func(i int) T) error {
	return op.out.chunks(func(from, to int) {
		for i := from; i < to; i++ {
			op.out.data[i] = f(i)
		}
	})
}

// twoPasses makes a second pass, for the sums of what op.transform makes of the elements.
func (op *reduce[T]) twoPasses() error {
	if err := op.pass(op.out.data, false); err != nil {
		return err
	}
	if err := op.sums.resizeTo(op.out.shape...); err != nil {
		return err
	}
	if err := op.sums.fill(nil); err != nil {
		return err
	}
	top := op.reducer
	op.reducer.row, op.reducer.rows = sumOf[T], addRow[T]
	err := op.pass(op.sums.data, true)
	op.reducer = top
	if err != nil {
		return err
	}
	return op.eachOutput(func(i int) T { return op.merge(op.out.data[i], op.sums.data[i]) })
}

// pass adds the elements to sums, or what op.transform makes of them.
func (op *reduce[T]) pass(sums []T, transform bool) error {
	if len(op.in.data) == 0 {
		return nil
	}
	op.iter.reset()
	to := len(sums)
	for k, size := range op.in.shape {
		stride := 0
		if !op.drop[k] {
			to /= size
			stride = to
		}
		op.iter.add(size, offsets{stride})
	}
	_, stride := op.iter.inner()
	return op.iter.rows(op.out.pool.memory, func(from, n int, at offsets) {
		for i := 0; i < n; i += scratchSize {
			src := op.in.data[from+i : from+min(n, i+scratchSize)]
			k := at[0] + i*stride[0]
			if transform {
				for j, x := range src {
					op.mapped[j] = op.transform(x, op.out.data[k+j*stride[0]])
				}
				src = op.mapped[:len(src)]
			}
			op.addTo(sums[k:], stride[0], src)
		}
	})
}

// addTo adds the elements of src to sums that lie a stride apart, 0 for all to the first.
func (op *reduce[T]) addTo(sums []T, stride int, src []T) {
	switch stride {
	case 0:
		sums[0] = op.row(sums[0], src)
	case 1:
		op.rows(sums[:len(src)], src)
	default:
		for j := range src {
			sums[j*stride] = op.row(sums[j*stride], src[j:j+1])
		}
	}
}

// reduceBools is ReduceMax or ReduceMin of truth values.
type reduceBools struct {
	in, out *array[bool]
	*reduce[uint8]
}

func reduceBoolsOf(r reducer[uint8]) func(*node) kernel {
	return func(n *node) kernel {
		if n.opset < 20 {
			n.failType(0)
		}
		op := &reduceBools{in: input[bool](n, 0), out: output[bool](n, 0)}
		op.reduce = newReduce(n, r, 18, temp[uint8](n), temp[uint8](n))
		return op
	}
}

func (op *reduceBools) shapes() error {
	op.reduce.in.setShape(op.in.shape)
	err := op.reduce.shapes()
	op.out.setShape(op.reduce.out.shape)
	return err
}

func (op *reduceBools) run() error {
	if err := convert(op.reduce.in, op.in); err != nil {
		return err
	}
	if err := op.reduce.out.resize(); err != nil {
		return err
	}
	if err := op.reduce.run(); err != nil {
		return err
	}
	return op.out.convert(op.reduce.out) // of nothing, the greatest is 0 and the least 255
}

// argMax finds where the greatest or least element along an axis is. A NaN is
// both.
type argMax[T number] struct {
	in       *array[T]
	out      *array[int64]
	axis     int64
	keepDims bool
	better   func(a, b T) bool
}

// argMaxOf returns the constructor of ArgMax for sign 1, and of ArgMin for -1.
//
//go:noinline
func argMaxOf[T number](sign int) func(*node) kernel {
	return func(n *node) kernel {
		op := &argMax[T]{
			in: input[T](n, 0), out: output[int64](n, 0),
			axis: attribute(n, "axis", int64(0)), keepDims: n.flag("keepdims", true),
		}
		last := n.opset >= 12 && n.flag("select_last_index", false)
		op.better = func(a, b T) bool {
			order := sign * cmp.Compare(a, b)
			if a != a || b != b { // the NaN
				order = -cmp.Compare(a, b)
			}
			return order > 0 || last && order == 0
		}
		return op
	}
}

func (op *argMax[T]) shapes() error {
	in := op.in.shape
	k, err := axisOf(op.axis, max(len(in), 1))
	if err != nil {
		return err
	}
	op.out.setShape(in)
	switch {
	case len(in) == 0:
		return nil
	case in[k] == 0:
		return fmt.Errorf("axis %d of shape %v has no elements", k, in)
	case op.keepDims:
		op.out.shape[k] = 1
	default:
		op.out.shape = slices.Delete(op.out.shape, k, k+1)
	}
	return nil
}

func (op *argMax[T]) run() error {
	size, inner := alongAxis(op.in.shape, op.axis)
	for i := range op.out.data {
		first := i/inner*inner*size + i%inner
		best, at := op.in.data[first], 0
		err := op.out.pool.memory.chunks(size, func(k, end int) {
			for ; k < end; k++ {
				if v := op.in.data[first+k*inner]; op.better(v, best) {
					best, at = v, k
				}
			}
		})
		if err != nil {
			return err
		}
		op.out.data[i] = int64(at)
	}
	return nil
}

// alongAxis returns the size of an axis, which is in range, and how far its
// elements lie apart. A scalar has one of size 1.
func alongAxis(shape []int, axis int64) (size, inner int) {
	if len(shape) == 0 {
		return 1, 1
	}
	k, _ := axisOf(axis, len(shape))
	inner, _ = product(shape[k+1:]...)
	return shape[k], inner
}

// topK finds the greatest or least elements along an axis, in order, of equal
// ones the first. A NaN is greater than all numbers.
type topK[T number] struct {
	in      *array[T]
	k       *intList
	axis    int64
	least   bool
	values  *array[T]
	indices *array[int64]

	order, merged *array[int64]
}

func newTopK[T number](n *node) kernel {
	op := &topK[T]{
		in: input[T](n, 0), axis: attribute(n, "axis", int64(-1)),
		values: output[T](n, 0), indices: output[int64](n, 1), order: temp[int64](n), merged: temp[int64](n),
	}
	if n.opset < 10 {
		op.k = &intList{fixed: []int64{attribute(n, "k", int64(-1))}}
	} else {
		op.k = intListOf(n, "k", 1, 10)
	}
	if n.opset >= 11 {
		op.least = !n.flag("largest", true)
		n.flag("sorted", true) // they always are
	}
	return op
}

func (op *topK[T]) shapes() error {
	axis, err := axisOf(op.axis, len(op.in.shape))
	if err != nil {
		return err
	}
	k, err := op.k.values()
	if err != nil {
		return err
	}
	if size := op.in.shape[axis]; len(k) != 1 || k[0] < 0 || k[0] > int64(size) {
		return fmt.Errorf("k is %v, and must be one number from 0 to %d, the size of axis %d", k, size, axis)
	}
	op.values.setShape(op.in.shape)
	op.values.shape[axis] = int(k[0])
	op.indices.setShape(op.values.shape)
	return nil
}

func (op *topK[T]) run() error {
	size, inner := alongAxis(op.in.shape, op.axis)
	k, _ := alongAxis(op.values.shape, op.axis)
	if err := op.order.resizeTo(size); err != nil {
		return err
	}
	if err := op.merged.resizeTo(size); err != nil {
		return err
	}
	for o := range len(op.in.data) / (size * inner) {
		for i := range inner {
			src := op.in.data[o*size*inner+i:]
			order, err := op.sort(src, inner, k)
			if err != nil {
				return err
			}
			err = op.values.pool.memory.chunks(k, func(j, end int) {
				for ; j < end; j++ {
					to := (o*k+j)*inner + i
					op.values.data[to], op.indices.data[to] = src[int(order[j])*inner], order[j]
				}
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// sort returns the places of the first k of the elements that lie that far apart, in
// order. It sorts some at a time and merges those, of which no more than k are kept.
func (op *topK[T]) sort(src []T, inner, k int) ([]int64, error) {
	before := func(a, b int64) int { return op.compare(src[int(a)*inner], src[int(b)*inner], a, b) }
	order, merged := op.order.data, op.merged.data
	const some = chunkSize / 4 // each takes several comparisons
	for from := 0; from < len(order); from += some {
		part := order[from:min(from+some, len(order))]
		if err := op.values.pool.memory.spend(len(part) * 16 * elementCost); err != nil {
			return nil, err
		}
		for j := range part {
			part[j] = int64(from + j)
		}
		slices.SortFunc(part, before)
	}
	for width := some; width < len(order); width *= 2 {
		for from := 0; from < len(order); from += 2 * width {
			middle, to := min(from+width, len(order)), min(from+2*width, len(order))
			a, b := order[from:min(middle, from+k)], order[middle:min(to, middle+k)]
			if err := op.merge(merged[from:min(to, from+k)], a, b, before); err != nil {
				return nil, err
			}
		}
		order, merged = merged, order
	}
	return order, nil
}

// compare orders two elements, the places of which are a and b.
func (op *topK[T]) compare(x, y T, a, b int64) int {
	order := cmp.Compare(y, x)
	if x != x || y != y { // cmp has NaN as the least
		order = cmp.Compare(x, y)
	}
	if op.least {
		order = -order
	}
	return cmp.Or(order, cmp.Compare(a, b))
}

// merge sets dst to the first of a and b, both in order.
func (op *topK[T]) merge(dst, a, b []int64, before func(a, b int64) int) error {
	return op.values.pool.memory.chunks(len(dst), func(i, end int) {
		for ; i < end; i++ {
			if len(b) == 0 || len(a) > 0 && before(a[0], b[0]) < 0 {
				dst[i], a = a[0], a[1:]
			} else {
				dst[i], b = b[0], b[1:]
			}
		}
	})
}

// cumSum adds up along an axis.
type cumSum[T number] struct {
	in, out            *array[T]
	axis               *indices
	exclusive, reverse bool
}

func newCumSum[T number](n *node) kernel {
	return &cumSum[T]{
		in: input[T](n, 0), axis: indicesOf(n, 1), out: output[T](n, 0),
		exclusive: n.flag("exclusive", false), reverse: n.flag("reverse", false),
	}
}

func (op *cumSum[T]) shapes() error {
	op.out.setShape(op.in.shape)
	return nil
}

func (op *cumSum[T]) run() error {
	if op.axis.len() != 1 {
		return fmt.Errorf("the axis has shape %v, and must be a scalar", op.axis.shape())
	}
	if _, err := axisOf(op.axis.at(0), len(op.in.shape)); err != nil {
		return err
	}
	size, inner := alongAxis(op.in.shape, op.axis.at(0))
	for o := range len(op.in.data) / (size * inner) {
		for i := range inner {
			first, stride := o*size*inner+i, inner
			if op.reverse {
				first, stride = first+(size-1)*inner, -inner
			}
			if err := op.addUp(first, stride, size); err != nil {
				return err
			}
		}
	}
	return nil
}

// addUp adds up n elements from the first on, a stride apart.
func (op *cumSum[T]) addUp(first, stride, n int) error {
	var sum T
	return op.out.pool.memory.chunks(n, func(k, end int) {
		for ; k < end; k++ {
			at := first + k*stride
			v := op.in.data[at]
			op.out.data[at] = sum
			if sum += v; !op.exclusive {
				op.out.data[at] = sum
			}
		}
	})
}
