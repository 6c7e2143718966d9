package native

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// The operators of this file copy no elements: what they write is constant, a
// shape, or a view of what they read.

var viewOps = []op{
	{name: "Constant", since: 1, in: none, out: one, build: newConstant},
	{name: "Dropout", since: 7, in: arity{1, 3}, out: arity{1, 2}, mixed: true, build: newDropout},
	{name: "Flatten", since: 1, in: one, out: one, build: newFlatten},
	{name: "Identity", since: 1, in: one, out: one, build: newIdentity},
	{name: "Reshape", since: 5, in: two, out: one, build: newReshape},
	{name: "Shape", since: 1, in: one, out: one, build: newShape},
	{name: "Size", since: 1, in: one, out: one, build: newSize},
	{name: "Squeeze", since: 1, in: arity{1, 2}, out: one, build: newSqueeze},
	{name: "Unsqueeze", since: 1, in: arity{1, 2}, out: one, build: newUnsqueeze},
}

// newConstant sets the output and needs no operator.
func newConstant(n *node) kernel {
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
	if n.infer != nil {
		n.infer.budget.allow(value)
	}
	return nil
}

// view is an operator whose outputs show the elements of its input.
type view struct{ in, out value }

func newView(n *node) view { return view{n.inputs[0], viewOf(n, 0, n.inputs[0])} }

func (op *view) run() error {
	op.out.share(op.in)
	return nil
}

type identity struct{ view }

func newIdentity(n *node) kernel { return &identity{newView(n)} }

func (op *identity) shapes() error {
	op.out.info().setShape(op.in.info().shape)
	return nil
}

type shape struct {
	in         value
	start, end int64
	toEnd      bool
	out        *array[int64]
}

func newShape(n *node) kernel {
	op := &shape{in: n.inputs[0], toEnd: true, out: output[int64](n, 0)}
	n.readsShapeOnly(0)
	if n.opset >= 15 {
		op.start = attribute(n, "start", int64(0))
		op.end, op.toEnd = attribute(n, "end", int64(0)), !n.has("end")
	}
	return op
}

// dims returns the part of the input's shape that is asked for.
func (op *shape) dims() []int {
	in := op.in.info().shape
	rank := int64(len(in))
	start, end := clampAxis(op.start, rank), rank
	if !op.toEnd {
		end = clampAxis(op.end, rank)
	}
	return in[start:max(start, end)]
}

func (op *shape) shapes() error {
	op.out.setShape(nil, len(op.dims()))
	return nil
}

func (op *shape) run() error {
	for i, d := range op.dims() {
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

// count is the operator Size.
type count struct {
	in  value
	out *array[int64]
}

func newSize(n *node) kernel {
	n.readsShapeOnly(0)
	return &count{n.inputs[0], output[int64](n, 0)}
}

func (op *count) shapes() error {
	op.out.setShape(nil)
	return nil
}

func (op *count) run() error {
	size, _ := product(op.in.info().shape...)
	op.out.data[0] = int64(size)
	return nil
}

type reshape struct {
	view
	shape     *intList
	allowZero bool // a 0 is a size and does not copy the input's
	dims      []int
}

func newReshape(n *node) kernel {
	op := &reshape{view: newView(n), shape: intListOf(n, "shape", 1, 5)}
	if n.opset >= 14 {
		op.allowZero = n.flag("allowzero", false)
	}
	return op
}

func (op *reshape) shapes() (err error) {
	if op.dims, err = op.shape.sizes(op.dims[:0]); err != nil {
		return err
	}
	in := op.in.info().shape
	fail := func() error { return fmt.Errorf("shape %v cannot be reshaped to %v", in, op.dims) }
	out := op.out.info()
	out.setShape(op.dims)
	rest := -1 // the dimension that is -1
	for i, d := range op.dims {
		switch {
		case d == 0 && !op.allowZero:
			if i >= len(in) {
				return fail()
			}
			out.shape[i] = in[i]
		case d == -1 && rest < 0:
			rest = i
			out.shape[i] = 1
		}
	}
	elements, _ := product(in...)
	size, ok := product(out.shape...)
	if ok && rest >= 0 && size > 0 {
		out.shape[rest] = elements / size
		size *= out.shape[rest]
	}
	if !ok || size != elements || rest >= 0 && op.allowZero && slices.Contains(op.dims, 0) {
		return fail()
	}
	return nil
}

type flatten struct {
	view
	axis int64
}

func newFlatten(n *node) kernel { return &flatten{newView(n), attribute(n, "axis", int64(1))} }

func (op *flatten) shapes() error {
	in := op.in.info().shape
	rank := int64(len(in))
	axis := op.axis
	if axis < 0 {
		axis += rank
	}
	if axis < 0 || axis > rank {
		return fmt.Errorf("axis %d is out of range for %d dimensions", op.axis, rank)
	}
	rows, _ := product(in[:axis]...)
	cols, _ := product(in[axis:]...)
	op.out.info().setShape(nil, rows, cols)
	return nil
}

type squeeze struct {
	view
	axes *intList // not given for all that can be
	drop []bool
}

func newSqueeze(n *node) kernel {
	return &squeeze{view: newView(n), axes: intListOf(n, "axes", 1, 13)}
}

func (op *squeeze) shapes() error {
	in, out := op.in.info().shape, op.out.info()
	out.shape = out.shape[:0]
	if !op.axes.given {
		for _, d := range in {
			if d != 1 {
				out.shape = append(out.shape, d)
			}
		}
		return nil
	}
	if err := axisSet(&op.drop, op.axes, len(in)); err != nil {
		return err
	}
	for k, d := range in {
		switch {
		case !op.drop[k]:
			out.shape = append(out.shape, d)
		case d != 1:
			return fmt.Errorf("dimension %d of shape %v is not 1 and cannot be dropped", k, in)
		}
	}
	return nil
}

type unsqueeze struct {
	view
	axes   *intList
	insert []bool
}

func newUnsqueeze(n *node) kernel {
	op := &unsqueeze{view: newView(n), axes: intListOf(n, "axes", 1, 13)}
	if !op.axes.given {
		n.fail("the axes are missing")
	}
	return op
}

func (op *unsqueeze) shapes() error {
	axes, err := op.axes.values()
	if err != nil {
		return err
	}
	in, out := op.in.info().shape, op.out.info()
	rank := len(in) + len(axes)
	if rank > maxRank {
		return fmt.Errorf("a value of %d dimensions is not supported", rank)
	}
	if err := axisSet(&op.insert, op.axes, rank); err != nil {
		return err
	}
	out.shape = out.shape[:0]
	for _, insert := range op.insert {
		if insert {
			out.shape = append(out.shape, 1)
		} else {
			out.shape, in = append(out.shape, in[0]), in[1:]
		}
	}
	return nil
}

// axisSet sets which of rank dimensions are among axes.
func axisSet(set *[]bool, axes *intList, rank int) error {
	*set = resized(*set, rank)
	values, err := axes.values()
	if err != nil {
		return err
	}
	for _, axis := range values {
		k, err := axisOf(axis, rank)
		if err != nil {
			return err
		}
		if (*set)[k] {
			return errors.New("an axis is there twice")
		}
		(*set)[k] = true
	}
	return nil
}
