package engine

import (
	"fmt"
	"math"
	"slices"
)

// Type is the type of a tensor's elements.
type Type string

// The element types that a [Tensor] can hold.
const (
	Float16 Type = "float16"
	Float32 Type = "float32"
	Float64 Type = "float64"
	Int32   Type = "int32"
	Int64   Type = "int64"
	Uint8   Type = "uint8"
	Bool    Type = "bool"
)

// Element is the constraint of the Go types behind [Type].
type Element interface {
	Half | float32 | float64 | int32 | int64 | uint8 | bool
}

// Half is a number of type [Float16], for which Go has no type: the bits of an
// IEEE 754 binary16.
type Half uint16

// HalfOf returns the Half nearest to v, of two the even one, and an infinity
// for what is too large.
func HalfOf(v float32) Half {
	bits := math.Float32bits(v)
	sign := Half(bits >> 16 & 0x8000)
	switch abs := bits & 0x7fffffff; {
	case abs > 0x7f800000: // NaN
		return sign | 0x7e00
	case abs >= 0x47800000: // 65536 and more
		return sign | 0x7c00
	case abs >= 0x38800000: // normal: the exponent's bias goes from 127 to 15
		abs -= 112 << 23
		return sign + Half((abs+0xfff+abs>>13&1)>>13)
	default: // subnormal: a multiple of 2^-24
		return sign | Half(math.RoundToEven(float64(math.Float32frombits(abs))*(1<<24)))
	}
}

// Float32 returns h exactly.
func (h Half) Float32() float32 {
	sign, exponent, fraction := uint32(h)>>15<<31, uint32(h)>>10&31, uint32(h)&1023
	switch exponent {
	case 0:
		v := float32(fraction) / (1 << 24)
		return math.Float32frombits(math.Float32bits(v) | sign)
	case 31:
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
}

// Tensor is a dense array in row-major order. The zero Tensor has no type.
type Tensor struct {
	// Shape has the size of each dimension; empty for a scalar.
	Shape []int
	// Data is a slice of one of the Element types, with as many elements as
	// the product of Shape.
	Data any
}

// Of makes a tensor of data and shape, which it keeps and does not copy. It panics
// if the length of data is not the product of shape.
func Of[T Element](data []T, shape ...int) Tensor {
	if size, err := Size(shape); err != nil || size != len(data) {
		panic(fmt.Sprintf("engine: %d elements do not fill the shape %v", len(data), shape))
	}
	return Tensor{Shape: shape, Data: data}
}

// Values returns the elements of t, not a copy, or an error where they are of
// another type.
func Values[T Element](t Tensor) ([]T, error) {
	if data, ok := t.Data.([]T); ok {
		return data, nil
	}
	return nil, fmt.Errorf("tensor holds %s, not %s", t.Type(), Tensor{Data: []T{}}.Type())
}

// Type returns the type of the elements, or "" for a tensor without any.
func (t Tensor) Type() Type {
	switch t.Data.(type) {
	case []Half:
		return Float16
	case []float32:
		return Float32
	case []float64:
		return Float64
	case []int32:
		return Int32
	case []int64:
		return Int64
	case []uint8:
		return Uint8
	case []bool:
		return Bool
	}
	return ""
}

// Len returns the number of elements that Data holds.
func (t Tensor) Len() int {
	switch data := t.Data.(type) {
	case []Half:
		return len(data)
	case []float32:
		return len(data)
	case []float64:
		return len(data)
	case []int32:
		return len(data)
	case []int64:
		return len(data)
	case []uint8:
		return len(data)
	case []bool:
		return len(data)
	}
	return 0
}

// Zeros makes a tensor of the given type whose elements are zero, or false. It
// panics where [Of] does, and for a type that is none.
func Zeros(t Type, shape ...int) Tensor {
	size, err := Size(shape)
	if err != nil {
		panic("engine: " + err.Error())
	}
	switch t {
	case Float16:
		return Of(make([]Half, size), shape...)
	case Float32:
		return Of(make([]float32, size), shape...)
	case Float64:
		return Of(make([]float64, size), shape...)
	case Int32:
		return Of(make([]int32, size), shape...)
	case Int64:
		return Of(make([]int64, size), shape...)
	case Uint8:
		return Of(make([]uint8, size), shape...)
	case Bool:
		return Of(make([]bool, size), shape...)
	}
	panic(fmt.Sprintf("engine: there is no type %q", t))
}

// Clone returns a copy of t with memory of its own.
func (t Tensor) Clone() Tensor {
	c := Tensor{Shape: slices.Clone(t.Shape)}
	switch data := t.Data.(type) {
	case []Half:
		c.Data = slices.Clone(data)
	case []float32:
		c.Data = slices.Clone(data)
	case []float64:
		c.Data = slices.Clone(data)
	case []int32:
		c.Data = slices.Clone(data)
	case []int64:
		c.Data = slices.Clone(data)
	case []uint8:
		c.Data = slices.Clone(data)
	case []bool:
		c.Data = slices.Clone(data)
	}
	return c
}

// Assign sets t to a copy of from, in the memory that t has where it is enough.
func (t *Tensor) Assign(from Tensor) {
	switch data := from.Data.(type) {
	case []Half:
		copy(Room[Half](t, from.Shape), data)
	case []float32:
		copy(Room[float32](t, from.Shape), data)
	case []float64:
		copy(Room[float64](t, from.Shape), data)
	case []int32:
		copy(Room[int32](t, from.Shape), data)
	case []int64:
		copy(Room[int64](t, from.Shape), data)
	case []uint8:
		copy(Room[uint8](t, from.Shape), data)
	case []bool:
		copy(Room[bool](t, from.Shape), data)
	}
}

// Room gives t that shape and returns its elements, to be set, in the memory that t
// has if it is of that type and enough. It panics where [Of] does.
func Room[T Element](t *Tensor, shape []int) []T {
	n, err := Size(shape)
	if err != nil {
		panic("engine: " + err.Error())
	}
	if t.Shape == nil || !slices.Equal(t.Shape, shape) {
		t.Shape = append([]int{}, shape...) // the slice may be that of another tensor too
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

// Overwrite copies the elements of from to t and returns true, if both are of the
// same type and shape.
func (t Tensor) Overwrite(from Tensor) bool {
	if t.Type() != from.Type() || t.Len() != from.Len() || !slices.Equal(t.Shape, from.Shape) {
		return false
	}
	switch data := t.Data.(type) {
	case []Half:
		copy(data, from.Data.([]Half))
	case []float32:
		copy(data, from.Data.([]float32))
	case []float64:
		copy(data, from.Data.([]float64))
	case []int32:
		copy(data, from.Data.([]int32))
	case []int64:
		copy(data, from.Data.([]int64))
	case []uint8:
		copy(data, from.Data.([]uint8))
	case []bool:
		copy(data, from.Data.([]bool))
	default:
		return false
	}
	return true
}

// fits reports how t differs from what info asks for.
func (t *Tensor) fits(info *ValueInfo) error {
	if t.Type() != info.Type {
		return fmt.Errorf("has type %q: the model needs %s", t.Type(), info)
	}
	size, err := Size(t.Shape)
	if err != nil {
		return err
	}
	if size != t.Len() {
		return fmt.Errorf("has %d elements for the shape %v", t.Len(), t.Shape)
	}
	if info.Shape == nil {
		return nil
	}
	if len(t.Shape) != len(info.Shape) {
		return fmt.Errorf("has shape %v: the model needs %s", t.Shape, info)
	}
	for i, d := range info.Shape {
		if d.Symbol == "" && d.Size >= 0 && d.Size != t.Shape[i] {
			return fmt.Errorf("has shape %v: the model needs %s", t.Shape, info)
		}
	}
	return nil
}

// Size returns the product of shape, or an error if a dimension is negative or
// the product does not fit an int.
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
