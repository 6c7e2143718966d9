package native

import (
	"fmt"
	"math"
	"slices"

	"github.com/rnnkit/rnnkit/infer/tensor"
)

// The operators of this file take parts of their input, or add to its sides.

var sliceOps = []op{
	{name: "Pad", since: 2, in: arity{1, 4}, out: one, build: newPad},
	{name: "ReverseSequence", since: 10, in: two, out: one, build: newReverseSequence},
	{name: "Slice", since: 1, in: arity{1, 5}, out: one, build: newSlice},
	{name: "Trilu", since: 14, in: arity{1, 2}, out: one, build: newTrilu},
}

// slice takes regular steps along some axes.
type slice struct {
	move
	starts, ends, axes, steps *intList

	seen        []bool
	first, step []int // for each dimension
}

func newSlice(n *node) kernel {
	op := &slice{
		move:   newMove(n),
		starts: intListOf(n, "starts", 1, 10), ends: intListOf(n, "ends", 2, 10), axes: intListOf(n, "axes", 3, 10),
		steps: &intList{},
	}
	if n.opset >= 10 {
		op.steps = intListOf(n, "steps", 4, 10)
	}
	if !op.starts.given || !op.ends.given {
		n.fail("the starts or the ends are missing")
	}
	return op
}

func (op *slice) shapes() error {
	lists, err := op.lists()
	if err != nil {
		return err
	}
	starts, ends, axes, steps := lists[0], lists[1], lists[2], lists[3]
	in := op.in.info().shape
	op.out.info().setShape(in)
	op.seen = resized(op.seen, len(in))
	op.first = resized(op.first, len(in))
	op.step = op.step[:0]
	for range in {
		op.step = append(op.step, 1)
	}
	for i, start := range starts {
		axis, step := int64(i), int64(1)
		if op.axes.given {
			axis = axes[i]
		}
		if op.steps.given {
			step = max(steps[i], -math.MaxInt64)
		}
		if err := op.cut(axis, start, ends[i], step); err != nil {
			return err
		}
	}
	return nil
}

// lists returns the starts, the ends, the axes and the steps.
func (op *slice) lists() (lists [4][]int64, err error) {
	for i, l := range []*intList{op.starts, op.ends, op.axes, op.steps} {
		if lists[i], err = l.values(); err != nil {
			return lists, err
		}
		if n := len(lists[i]); n != len(lists[0]) && (l.given || i < 2) {
			return lists, fmt.Errorf("there are %d starts, but %d of the ends, axes or steps", len(lists[0]), n)
		}
	}
	return lists, nil
}

// cut sets what is left of an axis.
func (op *slice) cut(axis, start, end, step int64) error {
	in := op.in.info().shape
	k, err := axisOf(axis, len(in))
	switch {
	case err != nil:
		return err
	case op.seen[k]:
		return fmt.Errorf("axis %d is there twice", k)
	case step == 0:
		return fmt.Errorf("the step along axis %d is 0", k)
	}
	op.seen[k], op.step[k] = true, int(step)
	op.first[k], op.out.info().shape[k] = sliceOf(start, end, step, int64(in[k]))
	return nil
}

// sliceOf returns the first index of a slice of a dimension of that size and
// how many there are. The bounds may count from the end and lie outside; an end
// of the greatest integer is the last that there is, whatever the direction, as
// in ONNX Runtime.
func sliceOf(start, end, step, size int64) (first, n int) {
	low, high := int64(0), size // of the end
	if step < 0 {
		low, high = -1, size-1
	}
	if start < 0 {
		start += size
	}
	switch {
	case step < 0 && (end == math.MaxInt64 || end == math.MaxInt32):
		end = low
	case end < 0:
		end += size
	}
	start, end = min(max(start, 0), high), min(max(end, low), high)
	switch {
	case step > 0 && start < end:
		return int(start), int((end-start-1)/step + 1)
	case step < 0 && start > end:
		return int(start), int((start-end-1)/-step + 1)
	}
	return 0, 0
}

func (op *slice) run() error {
	from := op.begin()
	start := 0
	for k, size := range op.out.info().shape {
		start += op.first[k] * from[k]
		op.iter.add(size, offsets{op.step[k] * from[k]})
	}
	return op.out.copyStrided(&op.iter, op.in, start)
}

// pad adds elements at both ends of dimensions, or takes some away.
type pad struct {
	in, out value
	mode    string
	pads    *intList
	axes    *intList
	with    value // nil for zero

	before []int
	places *array[int64]
	index  []int
	from   []int
}

func newPad(n *node) kernel {
	in := n.inputs[0]
	op := &pad{in: in, out: outputLike(n, 0, in), mode: attribute(n, "mode", "constant"), axes: &intList{}, places: temp[int64](n)}
	op.pads = intListOf(n, "pads", 1, 11)
	switch {
	case op.mode != "constant" && op.mode != "reflect" && op.mode != "edge" && (op.mode != "wrap" || n.opset < 19):
		n.fail("attribute \"mode\" is %q, and must be constant, reflect, edge or from opset 19 on wrap", op.mode)
	case !op.pads.given:
		n.fail("the pads are missing")
	case n.opset < 11:
		op.with = scalarLike(n, attribute(n, "value", float32(0)))
	case n.given(2):
		op.with = n.inputs[2]
		if op.with.typ() != in.typ() {
			n.fail("input 2, %q, has type %s, and must have %s", n.Inputs[2], op.with.typ(), in.typ())
		}
	}
	if n.opset >= 18 {
		op.axes = intListOf(n, "axes", 3, 18)
	}
	return op
}

// scalarLike returns a constant of the type of input 0, as old opsets have them.
func scalarLike(n *node, v float32) value {
	e := n.inputs[0].info().kind
	if !slices.Contains([]tensor.Type{tensor.Float16, tensor.Float32, tensor.Float64}, e.typ) {
		n.fail("input 0, %q, has type %s, and before opset 11 must have float16, float32 or float64", n.Inputs[0], e.typ)
		return nil
	}
	return e.scalar(e, float64(v))
}

func (op *pad) shapes() error {
	in := op.in.info().shape
	pads, err := op.pads.values()
	if err != nil {
		return err
	}
	axes, err := op.axes.values()
	if err != nil {
		return err
	}
	count := len(in)
	if op.axes.given {
		count = len(axes)
	}
	if len(pads) != 2*count {
		return fmt.Errorf("%d pads do not fit %d axes", len(pads), count)
	}
	op.out.info().setShape(in)
	op.before = resized(op.before, len(in))
	for i := range count {
		axis := int64(i)
		if op.axes.given {
			axis = axes[i]
		}
		if err := op.padAxis(axis, pads[i], pads[count+i]); err != nil {
			return err
		}
	}
	return nil
}

// padAxis sets the size of an axis with so many elements more at its ends.
func (op *pad) padAxis(axis, before, after int64) error {
	in, out := op.in.info().shape, op.out.info().shape
	k, err := axisOf(axis, len(in))
	if err != nil {
		return err
	}
	if limit := int64(math.MaxInt32); before < -limit || before > limit || after < -limit || after > limit {
		return fmt.Errorf("pads %d and %d are out of range", before, after)
	}
	op.before[k] = int(before)
	if out[k] = in[k] + int(before) + int(after); out[k] < 0 {
		return fmt.Errorf("pads %d and %d take more than there is of axis %d of shape %v", before, after, k, in)
	}
	if out[k] > 0 && in[k] == 0 && op.mode != "constant" {
		return fmt.Errorf("axis %d of shape %v has no elements to pad with", k, in)
	}
	return nil
}

func (op *pad) run() error {
	if op.with != nil && op.with.len() != 1 {
		return fmt.Errorf("the value to pad with has shape %v, and must be a scalar", op.with.info().shape)
	}
	if op.mode == "constant" {
		if err := op.out.fill(op.with); err != nil {
			return err
		}
	}
	in, out := op.in.info().shape, op.out.info().shape
	if err := op.places.resizeTo(out...); err != nil {
		return err
	}
	op.from = stridesOf(op.from[:0], in)
	op.index = resized(op.index, len(out))
	err := op.places.chunks(func(from, to int) {
		for at := from; at < to; at++ {
			op.places.data[at] = op.place(in)
			increment(op.index, out)
		}
	})
	if err != nil {
		return err
	}
	return op.out.take(op.in, op.places.data)
}

// place returns the place in the input of the element at op.index, -1 for none.
func (op *pad) place(in []int) int64 {
	place := 0
	for k, i := range op.index {
		if i = op.source(i-op.before[k], in[k]); i < 0 {
			return -1
		}
		place += i * op.from[k]
	}
	return int64(place)
}

// source returns which element of a dimension of that size stands at index i,
// which may lie outside, or -1 for none.
func (op *pad) source(i, size int) int {
	switch {
	case i >= 0 && i < size:
		return i
	case op.mode == "edge":
		return min(max(i, 0), size-1)
	case op.mode == "wrap":
		return (i%size + size) % size
	case op.mode == "reflect" && size == 1:
		return 0
	case op.mode == "reflect":
		period := 2 * (size - 1)
		i = (i%period + period) % period
		return min(i, period-i)
	}
	return -1
}

// reverseSequence turns the first elements of each sequence around.
type reverseSequence struct {
	in, out   value
	lengths   *array[int64]
	timeFirst bool
}

func newReverseSequence(n *node) kernel {
	op := &reverseSequence{in: n.inputs[0], out: outputLike(n, 0, n.inputs[0]), lengths: input[int64](n, 1)}
	time, batch := attribute(n, "time_axis", int64(0)), attribute(n, "batch_axis", int64(1))
	if time != 0 && time != 1 || batch != 1-time {
		n.fail("attributes \"time_axis\" and \"batch_axis\" are %d and %d, and must be 0 and 1, or 1 and 0", time, batch)
	}
	op.timeFirst = time == 0
	return op
}

func (op *reverseSequence) shapes() error {
	if shape := op.in.info().shape; len(shape) < 2 {
		return fmt.Errorf("shape %v has less than two dimensions", shape)
	}
	op.out.info().setShape(op.in.info().shape)
	return nil
}

func (op *reverseSequence) run() error {
	shape := op.in.info().shape
	inner, _ := product(shape[2:]...)
	time, batch := shape[0], shape[1]
	stepTime, stepBatch := batch*inner, inner
	if !op.timeFirst {
		time, batch = batch, time
		stepTime, stepBatch = inner, time*inner
	}
	if !slices.Equal(op.lengths.shape, []int{batch}) {
		return fmt.Errorf("the lengths have shape %v, and must have [%d]", op.lengths.shape, batch)
	}
	for b, n := range op.lengths.data {
		if n < 0 || n > int64(time) {
			return fmt.Errorf("length %d is %d, and must be from 0 to %d", b, n, time)
		}
		for t := range time {
			from := t
			if t < int(n) {
				from = int(n) - 1 - t
			}
			if err := op.out.copyAt(t*stepTime+b*stepBatch, op.in, from*stepTime+b*stepBatch, inner); err != nil {
				return err
			}
		}
	}
	return nil
}

// trilu keeps the elements on and above a diagonal of each matrix, or on and below
// it, and makes the others 0.
type trilu struct {
	in, out value
	k       *indices // how far the diagonal lies above the main one; nil for 0
	upper   bool
	places  *array[int64]
}

func newTrilu(n *node) kernel {
	op := &trilu{in: n.inputs[0], out: outputLike(n, 0, n.inputs[0]), upper: n.flag("upper", true), places: temp[int64](n)}
	if n.given(1) {
		op.k = indicesOf(n, 1)
	}
	return op
}

func (op *trilu) shapes() error {
	shape := op.in.info().shape
	if len(shape) < 2 {
		return fmt.Errorf("the shape is %v, and must have two dimensions or more", shape)
	}
	op.out.info().setShape(shape)
	return nil
}

func (op *trilu) run() error {
	k := int64(0)
	if op.k != nil {
		if op.k.len() != 1 {
			return fmt.Errorf("the diagonal has shape %v, and must be a scalar", op.k.shape())
		}
		k = op.k.at(0)
	}
	shape := op.in.info().shape
	if err := op.places.resizeTo(shape...); err != nil {
		return err
	}
	rows, cols := shape[len(shape)-2], shape[len(shape)-1]
	err := op.places.chunks(func(from, to int) {
		for at := from; at < to; at++ {
			op.places.data[at] = int64(at)
			if above := int64(at%cols - at/cols%rows); op.upper && above < k || !op.upper && above > k {
				op.places.data[at] = -1
			}
		}
	})
	if err == nil {
		err = op.out.fill(nil)
	}
	if err != nil {
		return err
	}
	return op.out.take(op.in, op.places.data)
}
