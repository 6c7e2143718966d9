// Package tensor holds the values that ONNX models read and write: dense arrays of
// one element type, and what a model declares about them.
package tensor

import (
	"fmt"
	"slices"
)

// Tensor is a dense array in row-major order. The zero Tensor has no type.
type Tensor struct {
	// Shape has the size of each dimension. It is empty for a scalar.
	Shape []int
	// Data is a slice of one of the [Element] types, with as many elements as the
	// product of Shape.
	Data any
}

// Of returns a tensor of data and shape, which it keeps and does not copy. It panics
// if the length of data is not the product of shape.
func Of[T Element](data []T, shape ...int) Tensor {
	if size, err := Size(shape); err != nil || size != len(data) {
		panic(fmt.Sprintf("tensor: %d elements do not fill the shape %v", len(data), shape))
	}
	return Tensor{Shape: shape, Data: data}
}

// Zeros returns a tensor of the given type whose elements are zero, or false. It
// panics where [Of] does, and for an unknown type.
func Zeros(t Type, shape ...int) Tensor {
	size, err := Size(shape)
	if err != nil {
		panic("tensor: " + err.Error())
	}
	for _, e := range types {
		if e.typ() == t {
			return Tensor{Shape: shape, Data: e.make(size)}
		}
	}
	panic(fmt.Sprintf("tensor: unknown element type %q", t))
}

// Values returns the elements of t without copying them, or an error if they are of
// another type.
func Values[T Element](t Tensor) ([]T, error) {
	if data, ok := t.Data.([]T); ok {
		return data, nil
	}
	return nil, fmt.Errorf("tensor holds %s, not %s", t.Type(), Tensor{Data: []T{}}.Type())
}

// Type returns the type of the elements, or "" for a tensor without any.
func (t Tensor) Type() Type {
	if e := elementsOf(t.Data); e != nil {
		return e.typ()
	}
	return ""
}

// Len returns the number of elements that Data holds.
func (t Tensor) Len() int {
	if e := elementsOf(t.Data); e != nil {
		return e.len(t.Data)
	}
	return 0
}

// Float64s returns the elements of t as numbers: true is 1 and false is 0. It returns nil
// for a tensor without a type.
func (t Tensor) Float64s() []float64 {
	if e := elementsOf(t.Data); e != nil {
		return e.float64s(t.Data)
	}
	return nil
}

// Pick returns a tensor of the given shape whose elements are those of t.Data at the
// given places. It panics if a place is out of range. The caller makes sure that there
// are as many places as the shape has elements.
func (t Tensor) Pick(places []int, shape ...int) Tensor {
	picked := Tensor{Shape: shape}
	if e := elementsOf(t.Data); e != nil {
		picked.Data = e.pick(t.Data, places)
	}
	return picked
}

// At returns the part of t at the given index of an axis. The axis stays, with size 1. At
// panics if t has no such axis or the axis no such index.
func (t Tensor) At(axis, index int) Tensor {
	shape := slices.Clone(t.Shape)
	width, size := 1, shape[axis]
	for _, d := range shape[axis+1:] {
		width *= d
	}
	shape[axis] = 1
	var places []int
	for outer := 0; outer < t.Len(); outer += size * width {
		for k := range width {
			places = append(places, outer+index*width+k)
		}
	}
	return t.Pick(places, shape...)
}

// Stack concatenates tensors along an axis in which each has size 1, as At returns them.
// All must have the same type and shape. Stack panics if there are none.
func Stack(parts []Tensor, axis int) Tensor {
	shape := slices.Clone(parts[0].Shape)
	shape[axis] = len(parts)
	width := 1
	for _, d := range shape[axis+1:] {
		width *= d
	}
	stacked := Tensor{Shape: shape}
	if e := elementsOf(parts[0].Data); e != nil {
		stacked.Data = e.concat(parts, width)
	}
	return stacked
}

// Clone returns a copy of t with memory of its own.
func (t Tensor) Clone() Tensor {
	c := Tensor{Shape: slices.Clone(t.Shape)}
	if e := elementsOf(t.Data); e != nil {
		c.Data = e.clone(t.Data)
	}
	return c
}

// Assign sets t to a copy of from. It reuses the memory of t where that is enough.
func (t *Tensor) Assign(from Tensor) {
	if e := elementsOf(from.Data); e != nil {
		e.assign(t, from)
	}
}

// Resize gives t the given shape and returns its elements, which the caller is to
// set. It reuses the memory of t if that is of the type and large enough. It panics
// where [Of] does.
func Resize[T Element](t *Tensor, shape []int) []T {
	n, err := Size(shape)
	if err != nil {
		panic("tensor: " + err.Error())
	}
	if t.Shape == nil || !slices.Equal(t.Shape, shape) {
		t.Shape = append([]int{}, shape...) // other tensors may share the old slice
	}
	data, ok := t.Data.([]T)
	switch {
	case ok && len(data) == n:
		return data
	case ok && cap(data) >= n:
		data = data[:n]
	default:
		data = make([]T, n)
	}
	t.Data = data
	return data
}

// Overwrite copies the elements of from to t and returns true, if both have the same
// type and shape.
func (t Tensor) Overwrite(from Tensor) bool {
	e := elementsOf(t.Data)
	if e == nil || !e.hold(from.Data) || t.Len() != from.Len() || !slices.Equal(t.Shape, from.Shape) {
		return false
	}
	e.copy(t.Data, from.Data)
	return true
}

// Size returns the product of shape, or an error if a dimension is negative or the
// product does not fit an int.
func Size(shape []int) (int, error) {
	const maxInt = int(^uint(0) >> 1)
	size := 1
	for _, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("shape %v has a negative dimension", shape)
		}
		if d != 0 && size > maxInt/d {
			return 0, fmt.Errorf("shape %v is too large", shape)
		}
		size *= d
	}
	return size, nil
}
