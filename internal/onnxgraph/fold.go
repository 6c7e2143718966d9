package onnxgraph

import (
	"slices"

	"github.com/rnnkit/rnnkit/infer/tensor"
)

// maxFoldedRank is more dimensions than any constant of a recurrent model has.
const maxFoldedRank = 8

// Constants computes the values of a graph that depend on no input, as far as the
// operators do that exporters put between a weight and the node that reads it.
// Elements are float32 or int64: float64 and int32 become these.
type Constants struct {
	values map[string]Tensor
	budget int // how many elements may yet be copied
}

// NewConstants returns constants that are computed with at most that many copies of an
// element. The bound keeps a small hostile file from asking for much memory.
func NewConstants(budget int) *Constants {
	return &Constants{make(map[string]Tensor), budget}
}

// Set sets a constant. Its elements stay unknown unless they are floats or integers.
func (c *Constants) Set(name string, t Tensor) { c.values[name] = narrow(t) }

// Named returns a constant, without Data where its elements are not known, and whether
// there is one. One with Data has no dimension of 0.
func (c *Constants) Named(name string) (Tensor, bool) {
	t, ok := c.values[name]
	return t, ok
}

// Of returns an input of n, without Data where it is not known.
func (c *Constants) Of(n *Node, input int) Tensor { return c.values[n.Input(input)] }

// Fold computes the outputs of a node that reads constants only.
func (c *Constants) Fold(n *Node) {
	t := c.compute(n)
	for _, name := range n.Outputs {
		c.values[name] = t
	}
}

// narrow returns t with data of float32 or int64, or without any where it is
// nothing that parameters or shapes are made of.
func narrow(t Tensor) Tensor {
	if len(t.Shape) > maxFoldedRank || slices.Contains(t.Shape, 0) {
		return Tensor{}
	}
	switch data := t.Data.(type) {
	case []float64:
		t.Data = convert[float32](data)
	case []int32:
		t.Data = convert[int64](data)
	case []float32, []int64:
	default:
		t.Data = nil
	}
	return t
}

func convert[To, From float32 | float64 | int32 | int64](x []From) []To {
	y := make([]To, len(x))
	for i, v := range x {
		y[i] = To(v)
	}
	return y
}

// integers returns what newer versions of an operator read as an input, and
// older ones have as an attribute.
func (c *Constants) integers(n *Node, input int, attribute string) (x []int64, ok bool) {
	if n.Input(input) != "" {
		x, ok = c.Of(n, input).Data.([]int64)
		return x, ok
	}
	x = n.Ints(attribute)
	return x, x != nil
}

// compute returns the output of a node that reads constants only, without data
// where it is none of the operators by which exporters put weights in order.
func (c *Constants) compute(n *Node) Tensor {
	x := c.Of(n, 0)
	if t, ok := n.Constant(); ok {
		return narrow(t)
	}
	if x.Data == nil {
		return x
	}
	switch n.OpType {
	case "Identity":
		return x
	case "Cast":
		return cast(x, n)
	case "Transpose":
		perm := n.Ints("perm")
		if perm == nil {
			for i := range x.Shape {
				perm = append(perm, int64(len(x.Shape)-1-i))
			}
		}
		return c.Transpose(x, perm)
	case "Reshape":
		shape, _ := c.integers(n, 1, "shape")
		return reshape(x, shape)
	case "Squeeze":
		axes, ok := c.integers(n, 1, "axes")
		return squeeze(x, axes, !ok)
	case "Unsqueeze":
		axes, _ := c.integers(n, 1, "axes")
		return unsqueeze(x, axes)
	case "Slice":
		return c.slice(x, n)
	case "Concat":
		return c.concat(n)
	}
	return Tensor{}
}

// cast returns x where the type that n casts to is one that narrow makes it.
func cast(x Tensor, n *Node) Tensor {
	switch TypeOf(n.Int("to", 0)) {
	case Float32, Float64:
		if x.Type() == Float32 {
			return x
		}
	case Int32, Int64:
		if x.Type() == Int64 {
			return x
		}
	}
	return Tensor{}
}

// Transpose returns x with its dimensions in another order, without Data where it does
// not know x or perm is no order.
func (c *Constants) Transpose(x Tensor, perm []int64) Tensor {
	strides := stridesOf(x.Shape)
	if len(perm) != len(x.Shape) {
		return Tensor{}
	}
	var shape, steps []int
	for i, p := range perm {
		if p < 0 || p >= int64(len(perm)) || slices.Contains(perm[:i], p) {
			return Tensor{}
		}
		shape = append(shape, x.Shape[p])
		steps = append(steps, strides[p])
	}
	return c.pick(x, shape, steps, 0)
}

// slice takes the elements that a Slice of steps forward takes.
func (c *Constants) slice(x Tensor, n *Node) Tensor {
	starts, _ := c.integers(n, 1, "starts")
	ends, _ := c.integers(n, 2, "ends")
	axes, ok := c.integers(n, 3, "axes")
	if !ok {
		for i := range starts {
			axes = append(axes, int64(i))
		}
	}
	steps, ok := c.integers(n, 4, "steps")
	if !ok {
		steps = slices.Repeat([]int64{1}, len(starts))
	}
	if len(starts) == 0 || len(ends) != len(starts) || len(axes) != len(starts) || len(steps) != len(starts) {
		return Tensor{}
	}
	shape, strides, offset := slices.Clone(x.Shape), stridesOf(x.Shape), 0
	for i, axis := range axes {
		a, ok := axisOf(axis, len(shape))
		if !ok || steps[i] < 1 || shape[a] != x.Shape[a] {
			return Tensor{}
		}
		size := int64(shape[a])
		within := func(at int64) int64 {
			if at < 0 {
				at += size
			}
			return min(max(at, 0), size)
		}
		start, end := within(starts[i]), within(ends[i])
		if start >= end {
			return Tensor{}
		}
		offset += int(start) * strides[a]
		shape[a] = int((end-start-1)/steps[i] + 1)
		if shape[a] > 1 {
			strides[a] *= int(steps[i])
		}
	}
	return c.pick(x, shape, strides, offset)
}

func (c *Constants) concat(n *Node) Tensor {
	axis := n.Int("axis", 0)
	first := c.Of(n, 0)
	at, ok := axisOf(axis, len(first.Shape))
	if !ok {
		return Tensor{}
	}
	shape := slices.Clone(first.Shape)
	shape[at] = 0
	var parts []Tensor
	for i := range n.Inputs {
		t := c.Of(n, i)
		if t.Type() != first.Type() || len(t.Shape) != len(shape) ||
			!slices.Equal(t.Shape[:at], shape[:at]) || !slices.Equal(t.Shape[at+1:], shape[at+1:]) {
			return Tensor{}
		}
		if !c.spend(sizeOf(t.Shape)) {
			return Tensor{}
		}
		shape[at] += t.Shape[at]
		parts = append(parts, t)
	}
	outer := sizeOf(shape[:at])
	if first.Type() == Float32 {
		return Tensor{Tensor: tensor.Tensor{Shape: shape, Data: concat[float32](parts, outer)}}
	}
	return Tensor{Tensor: tensor.Tensor{Shape: shape, Data: concat[int64](parts, outer)}}
}

func concat[T any](parts []Tensor, outer int) []T {
	var joined []T
	for o := range outer {
		for _, p := range parts {
			data := p.Data.([]T)
			n := len(data) / outer
			joined = append(joined, data[o*n:(o+1)*n]...)
		}
	}
	return joined
}

// reshape returns x in another shape, of which 0 is the dimension that x has
// there and -1 what is left over.
func reshape(x Tensor, dims []int64) Tensor {
	if len(dims) > maxFoldedRank {
		return Tensor{}
	}
	total, rest, unknown := sizeOf(x.Shape), 1, -1
	var shape []int
	for i, d := range dims {
		switch {
		case d == 0 && i < len(x.Shape):
			d = int64(x.Shape[i])
		case d == -1 && unknown < 0:
			unknown, d = i, 1
		}
		if d < 1 || d > int64(total/rest) {
			return Tensor{}
		}
		shape = append(shape, int(d))
		rest *= int(d)
	}
	if unknown >= 0 {
		shape[unknown] = total / rest
		rest *= shape[unknown]
	}
	if rest != total {
		return Tensor{}
	}
	x.Shape = shape
	return x
}

func squeeze(x Tensor, axes []int64, all bool) Tensor {
	drop := make([]bool, len(x.Shape))
	for i, d := range x.Shape {
		drop[i] = all && d == 1
	}
	for _, axis := range axes {
		a, ok := axisOf(axis, len(drop))
		if !ok || x.Shape[a] != 1 {
			return Tensor{}
		}
		drop[a] = true
	}
	var shape []int
	for i, d := range x.Shape {
		if !drop[i] {
			shape = append(shape, d)
		}
	}
	x.Shape = shape
	return x
}

func unsqueeze(x Tensor, axes []int64) Tensor {
	rank := len(x.Shape) + len(axes)
	if rank > maxFoldedRank {
		return Tensor{}
	}
	shape := make([]int, rank)
	for _, axis := range axes {
		a, ok := axisOf(axis, rank)
		if !ok || shape[a] == 1 {
			return Tensor{}
		}
		shape[a] = 1
	}
	rest := x.Shape
	for i := range shape {
		if shape[i] == 0 {
			shape[i], rest = rest[0], rest[1:]
		}
	}
	x.Shape = shape
	return x
}

// axisOf returns an axis of which -1 is the last.
func axisOf(axis int64, rank int) (a int, ok bool) {
	if axis < 0 {
		axis += int64(rank)
	}
	return int(axis), axis >= 0 && axis < int64(rank)
}

// sizeOf returns the product of a shape that is known to be right.
func sizeOf(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

func stridesOf(shape []int) []int {
	strides, n := make([]int, len(shape)), 1
	for i, d := range slices.Backward(shape) {
		strides[i] = n
		n *= d
	}
	return strides
}

// spend takes n elements from the budget, if there are as many.
func (c *Constants) spend(n int) bool {
	if n > c.budget {
		return false
	}
	c.budget -= n
	return true
}

// pick returns the elements of x that lie at offset and the given strides, in a
// new shape.
func (c *Constants) pick(x Tensor, shape, strides []int, offset int) Tensor {
	if !c.spend(sizeOf(shape)) {
		return Tensor{}
	}
	at := []int{offset}
	for i, size := range shape {
		var next []int
		for _, p := range at {
			for k := range size {
				next = append(next, p+k*strides[i])
			}
		}
		at = next
	}
	return Tensor{Tensor: x.Pick(at, shape...)}
}
