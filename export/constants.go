package export

import (
	"slices"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// What exporters put between a weight and the node that reads it is computed
// here, as far as all of it is constant.

// maxRank is more dimensions than any constant of a recurrent model has.
const maxRank = 8

// known returns t with data of float32 or int64, or without any where it is
// nothing that parameters or shapes are made of.
func known(t onnxgraph.Tensor) onnxgraph.Tensor {
	if len(t.Shape) > maxRank || slices.Contains(t.Shape, 0) {
		return onnxgraph.Tensor{}
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

// constant returns an input of n, without data where it is not known. One with
// data has no dimension of 0.
func (r *reader) constant(n *onnxgraph.Node, input int) onnxgraph.Tensor {
	if !given(n, input) {
		return onnxgraph.Tensor{}
	}
	return r.constants[n.Inputs[input]]
}

// integers returns what newer versions of an operator read as an input, and
// older ones have as an attribute.
func (r *reader) integers(n *onnxgraph.Node, input int, attribute string) (x []int64, ok bool) {
	if given(n, input) {
		x, ok = r.constant(n, input).Data.([]int64)
		return x, ok
	}
	a, _ := n.Attribute(attribute)
	x, ok = a.([]int64)
	return x, ok
}

// compute returns the output of a node that reads constants only, without data
// where it is none of the operators by which exporters put weights in order.
func (r *reader) compute(n *onnxgraph.Node) onnxgraph.Tensor {
	x := r.constant(n, 0)
	if n.OpType == "Constant" {
		return constantOf(n)
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
		a, _ := n.Attribute("perm")
		perm, ok := a.([]int64)
		if !ok {
			for i := range x.Shape {
				perm = append(perm, int64(len(x.Shape)-1-i))
			}
		}
		return r.transpose(x, perm)
	case "Reshape":
		shape, _ := r.integers(n, 1, "shape")
		return reshape(x, shape)
	case "Squeeze":
		axes, ok := r.integers(n, 1, "axes")
		return squeeze(x, axes, !ok)
	case "Unsqueeze":
		axes, _ := r.integers(n, 1, "axes")
		return unsqueeze(x, axes)
	case "Slice":
		return r.slice(x, n)
	case "Concat":
		return r.concat(n)
	}
	return onnxgraph.Tensor{}
}

func constantOf(n *onnxgraph.Node) onnxgraph.Tensor {
	for _, a := range n.Attributes {
		switch v := a.Value.(type) {
		case onnxgraph.Tensor:
			return known(v)
		case float32:
			return onnxgraph.Tensor{Tensor: tensor.Of([]float32{v})}
		case int64:
			return onnxgraph.Tensor{Tensor: tensor.Of([]int64{v})}
		case []float32:
			return known(onnxgraph.Tensor{Tensor: tensor.Tensor{Shape: []int{len(v)}, Data: v}})
		case []int64:
			return known(onnxgraph.Tensor{Tensor: tensor.Tensor{Shape: []int{len(v)}, Data: v}})
		}
	}
	return onnxgraph.Tensor{}
}

// cast returns x where the type that n casts to is one that known makes it.
func cast(x onnxgraph.Tensor, n *onnxgraph.Node) onnxgraph.Tensor {
	a, _ := n.Attribute("to")
	to, _ := a.(int64)
	switch onnxgraph.TypeOf(to) {
	case onnxgraph.Float32, onnxgraph.Float64:
		if x.Type() == onnxgraph.Float32 {
			return x
		}
	case onnxgraph.Int32, onnxgraph.Int64:
		if x.Type() == onnxgraph.Int64 {
			return x
		}
	}
	return onnxgraph.Tensor{}
}

func (r *reader) transpose(x onnxgraph.Tensor, perm []int64) onnxgraph.Tensor {
	strides := stridesOf(x.Shape)
	if len(perm) != len(x.Shape) {
		return onnxgraph.Tensor{}
	}
	var shape, steps []int
	for i, p := range perm {
		if p < 0 || p >= int64(len(perm)) || slices.Contains(perm[:i], p) {
			return onnxgraph.Tensor{}
		}
		shape = append(shape, x.Shape[p])
		steps = append(steps, strides[p])
	}
	return r.pick(x, shape, steps, 0)
}

// slice takes the elements that a Slice of steps forward takes.
func (r *reader) slice(x onnxgraph.Tensor, n *onnxgraph.Node) onnxgraph.Tensor {
	starts, _ := r.integers(n, 1, "starts")
	ends, _ := r.integers(n, 2, "ends")
	axes, ok := r.integers(n, 3, "axes")
	if !ok {
		for i := range starts {
			axes = append(axes, int64(i))
		}
	}
	steps, ok := r.integers(n, 4, "steps")
	if !ok {
		steps = slices.Repeat([]int64{1}, len(starts))
	}
	if len(starts) == 0 || len(ends) != len(starts) || len(axes) != len(starts) || len(steps) != len(starts) {
		return onnxgraph.Tensor{}
	}
	shape, strides, offset := slices.Clone(x.Shape), stridesOf(x.Shape), 0
	for i, axis := range axes {
		a, ok := axisOf(axis, len(shape))
		if !ok || steps[i] < 1 || shape[a] != x.Shape[a] {
			return onnxgraph.Tensor{}
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
			return onnxgraph.Tensor{}
		}
		offset += int(start) * strides[a]
		shape[a] = int((end-start-1)/steps[i] + 1)
		if shape[a] > 1 {
			strides[a] *= int(steps[i])
		}
	}
	return r.pick(x, shape, strides, offset)
}

func (r *reader) concat(n *onnxgraph.Node) onnxgraph.Tensor {
	a, _ := n.Attribute("axis")
	axis, _ := a.(int64)
	first := r.constant(n, 0)
	at, ok := axisOf(axis, len(first.Shape))
	if !ok {
		return onnxgraph.Tensor{}
	}
	shape := slices.Clone(first.Shape)
	shape[at] = 0
	var parts []onnxgraph.Tensor
	for i := range n.Inputs {
		t := r.constant(n, i)
		if t.Type() != first.Type() || len(t.Shape) != len(shape) ||
			!slices.Equal(t.Shape[:at], shape[:at]) || !slices.Equal(t.Shape[at+1:], shape[at+1:]) {
			return onnxgraph.Tensor{}
		}
		if !r.spend(elements(t.Shape)) {
			return onnxgraph.Tensor{}
		}
		shape[at] += t.Shape[at]
		parts = append(parts, t)
	}
	outer := elements(shape[:at])
	if first.Type() == onnxgraph.Float32 {
		return onnxgraph.Tensor{Tensor: tensor.Tensor{Shape: shape, Data: concat[float32](parts, outer)}}
	}
	return onnxgraph.Tensor{Tensor: tensor.Tensor{Shape: shape, Data: concat[int64](parts, outer)}}
}

func concat[T any](parts []onnxgraph.Tensor, outer int) []T {
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
func reshape(x onnxgraph.Tensor, dims []int64) onnxgraph.Tensor {
	if len(dims) > maxRank {
		return onnxgraph.Tensor{}
	}
	total, rest, unknown := elements(x.Shape), 1, -1
	var shape []int
	for i, d := range dims {
		switch {
		case d == 0 && i < len(x.Shape):
			d = int64(x.Shape[i])
		case d == -1 && unknown < 0:
			unknown, d = i, 1
		}
		if d < 1 || d > int64(total/rest) {
			return onnxgraph.Tensor{}
		}
		shape = append(shape, int(d))
		rest *= int(d)
	}
	if unknown >= 0 {
		shape[unknown] = total / rest
		rest *= shape[unknown]
	}
	if rest != total {
		return onnxgraph.Tensor{}
	}
	x.Shape = shape
	return x
}

func squeeze(x onnxgraph.Tensor, axes []int64, all bool) onnxgraph.Tensor {
	drop := make([]bool, len(x.Shape))
	for i, d := range x.Shape {
		drop[i] = all && d == 1
	}
	for _, axis := range axes {
		a, ok := axisOf(axis, len(drop))
		if !ok || x.Shape[a] != 1 {
			return onnxgraph.Tensor{}
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

func unsqueeze(x onnxgraph.Tensor, axes []int64) onnxgraph.Tensor {
	rank := len(x.Shape) + len(axes)
	if rank > maxRank {
		return onnxgraph.Tensor{}
	}
	shape := make([]int, rank)
	for _, axis := range axes {
		a, ok := axisOf(axis, rank)
		if !ok || shape[a] == 1 {
			return onnxgraph.Tensor{}
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

func elements(shape []int) int {
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
func (r *reader) spend(n int) bool {
	if n > r.budget {
		return false
	}
	r.budget -= n
	return true
}

// pick returns the elements of x that lie at offset and the given strides, in a
// new shape.
func (r *reader) pick(x onnxgraph.Tensor, shape, strides []int, offset int) onnxgraph.Tensor {
	if !r.spend(elements(shape)) {
		return onnxgraph.Tensor{}
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
	if data, ok := x.Data.([]float32); ok {
		return onnxgraph.Tensor{Tensor: tensor.Tensor{Shape: shape, Data: gather(data, at)}}
	}
	return onnxgraph.Tensor{Tensor: tensor.Tensor{Shape: shape, Data: gather(x.Data.([]int64), at)}}
}

func gather[T any](x []T, at []int) []T {
	y := make([]T, len(at))
	for i, p := range at {
		y[i] = x[p]
	}
	return y
}
