package native

import (
	"fmt"
	"math"
	"slices"
)

// The operators of this file make one value of all those along some axes.

type reduce struct {
	in, out  *array[float32]
	axes     *array[int64] // from opset 18 on; nil for all
	fixed    []int64       // before
	keepDims bool
	noop     bool // without axes, reduce nothing instead of all

	begin  float32
	add    func(sum, v float32) float32
	finish func(sum float32, n int) float32

	list []int
	walk walk
}

func newReduceMean(n *node) operator {
	return newReduce(n, 0, func(sum, v float32) float32 { return sum + v }, func(sum float32, n int) float32 { return sum / float32(n) })
}

func newReduceMax(n *node) operator {
	return newReduce(n, float32(math.Inf(-1)), func(sum, v float32) float32 { return max(sum, v) }, func(sum float32, _ int) float32 { return sum })
}

func newReduce(n *node, begin float32, add func(sum, v float32) float32, finish func(sum float32, n int) float32) operator {
	op := &reduce{
		in: input[float32](n, 0), out: output[float32](n, 0),
		keepDims: attribute(n, "keepdims", int64(1)) != 0,
		begin:    begin, add: add, finish: finish,
	}
	if n.opset >= 18 {
		op.axes = input[int64](n, 1)
		op.noop = attribute(n, "noop_with_empty_axes", int64(0)) != 0
	} else {
		op.fixed = attribute[[]int64](n, "axes", nil)
		if len(n.inputs) > 1 {
			n.fail("input 1, the axes, is an attribute before opset 18")
		}
	}
	return op
}

func (op *reduce) run() (err error) {
	axes := op.fixed
	if op.axes != nil {
		axes = op.axes.data
	}
	rank := len(op.in.shape)
	op.list = op.list[:0]
	for _, axis := range axes {
		if axis < -int64(rank) || axis >= int64(rank) {
			return fmt.Errorf("axis %d is out of range for shape %v", axis, op.in.shape)
		}
		op.list = append(op.list, int((axis+int64(rank))%int64(rank)))
	}
	all := len(axes) == 0 && !op.noop

	// Walk the output, and for each of its elements the reduced ones.
	op.out.shape = op.out.shape[:0]
	inner := 1
	for k, size := range op.in.shape {
		switch {
		case !all && !slices.Contains(op.list, k):
			op.out.shape = append(op.out.shape, size)
			continue
		case op.keepDims:
			op.out.shape = append(op.out.shape, 1)
		}
		inner *= size
	}
	if err := op.out.resize(); err != nil || len(op.out.data) == 0 {
		return err
	}
	for i := range op.out.data {
		op.out.data[i] = op.begin
	}
	if len(op.in.data) > 0 {
		op.walk.reset()
		to, _ := product(op.out.shape...)
		for k, size := range op.in.shape {
			step := 0
			if !all && !slices.Contains(op.list, k) {
				to /= size
				step = to
			}
			op.walk.add(size, step, 0)
		}
		n, step, _ := op.walk.inner()
		op.walk.rows(func(from, to, _ int) {
			for i, v := range op.in.data[from : from+n] {
				at := &op.out.data[to+i*step]
				*at = op.add(*at, v)
			}
		})
	}
	for i, v := range op.out.data {
		op.out.data[i] = op.finish(v, inner)
	}
	return nil
}
