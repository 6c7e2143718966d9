package native

import (
	"fmt"
	"math"
	"strings"
	"unsafe"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// number is the constraint of what can be computed with.
type number interface{ float | integer }

// float is the constraint of the numbers that have fractions.
type float interface{ float32 | float64 }

// integer is the constraint of the numbers that have none.
type integer interface{ int32 | int64 | uint8 }

// element is the constraint of what the values of a graph hold. Elements of
// float16 are held as float32.
type element interface{ number | bool }

// elementTypes lists the element types, in the order of the constants of package
// tensor. To add one, add it here, to a constraint above, to [convertNumbers], and to
// the operators that take it ([operators]).
var elementTypes = []*elementType{
	halfType,
	numberType[float32](tensor.Float32),
	numberType[float64](tensor.Float64),
	numberType[int32](tensor.Int32),
	numberType[int64](tensor.Int64),
	numberType[uint8](tensor.Uint8),
	boolType,
}

// halfType is held as float32.
var halfType = func() *elementType {
	e := numberType[float32](tensor.Float16)
	e.constant = func(e *elementType, t onnxgraph.Tensor) value {
		halves := t.Data.([]tensor.Half)
		wide := make([]float32, len(halves))
		widenHalves(wide, halves)
		return constantArray(e, t.Shape, wide)
	}
	return e
}()

var boolType = func() *elementType {
	e := typeOf[bool](tensor.Bool)
	e.convert = func(dst, src value, from, to int) {
		// A bool is a byte that is 0 or 1.
		data := src.(*array[bool]).data[from:to]
		convertTo(dst, unsafe.Slice((*uint8)(unsafe.Pointer(unsafe.SliceData(data))), len(data)), from)
	}
	e.first = func(v value) float64 {
		if v.(*array[bool]).data[0] {
			return 1
		}
		return 0
	}
	return e
}()

// elementType is an element type of ONNX, and how values of it are made.
type elementType struct {
	typ  tensor.Type
	zero any // of the Go type of the elements

	// newArray returns a value for elements that it takes from m.
	newArray func(e *elementType, m *memory) value
	// constant returns a value with the elements of t, which it may share.
	constant func(e *elementType, t onnxgraph.Tensor) value
	// convert sets the elements of dst, from one place to another, to those of src,
	// which is of this type.
	convert func(dst, src value, from, to int)
	// first returns the first element of v, which is of this type.
	first func(v value) float64
	// scalar returns a constant. It is nil for a type without numbers.
	scalar func(e *elementType, v float64) value
}

func typeOf[T element](t tensor.Type) *elementType {
	return &elementType{
		typ: t, zero: *new(T),
		newArray: func(e *elementType, m *memory) value { return arrayIn[T](e, m) },
		constant: func(e *elementType, t onnxgraph.Tensor) value { return constantArray(e, t.Shape, t.Data.([]T)) },
	}
}

func numberType[T number](t tensor.Type) *elementType {
	e := typeOf[T](t)
	e.convert = func(dst, src value, from, to int) { convertTo(dst, src.(*array[T]).data[from:to], from) }
	e.first = func(v value) float64 { return float64(v.(*array[T]).data[0]) }
	e.scalar = func(e *elementType, v float64) value { return constantArray(e, nil, []T{T(v)}) }
	return e
}

// elementTypeOf returns the element type that T is held as; float32 is not float16.
func elementTypeOf[T element]() *elementType {
	for _, e := range elementTypes {
		if _, ok := e.zero.(T); ok && e != halfType {
			return e
		}
	}
	panic("an element type is missing in elementTypes")
}

// findType returns the element type of that name.
func findType(t tensor.Type) (*elementType, error) {
	var names []string
	for _, e := range elementTypes {
		if e.typ == t {
			return e, nil
		}
		names = append(names, string(e.typ))
	}
	last := len(names) - 1
	return nil, fmt.Errorf("has type %v, which the native engine does not support: use %s or %s", t, strings.Join(names[:last], ", "), names[last])
}

// convertTo sets the elements of dst from that place on to those of src, as in a Cast:
// fractions are cut off, and what is not zero is true.
func convertTo[S number](dst value, src []S, from int) {
	switch dst := dst.(type) {
	case *array[float32]:
		convertNumbers(dst.data[from:], src)
	case *array[float64]:
		convertNumbers(dst.data[from:], src)
	case *array[int32]:
		convertNumbers(dst.data[from:], src)
	case *array[int64]:
		convertNumbers(dst.data[from:], src)
	case *array[uint8]:
		for i, v := range src {
			dst.data[from+i] = uint8(int64(v))
		}
	case *array[bool]:
		for i, v := range src {
			dst.data[from+i] = v != 0
		}
	}
}

func convertNumbers[D, S number](dst []D, src []S) {
	for i, v := range src {
		dst[i] = D(v)
	}
}

// lowest returns the least value of a type.
func lowest[T number]() T {
	if isInteger[T]() {
		return T(0) - highest[T]() - 1
	}
	return T(math.Inf(-1))
}

// highest returns the greatest value of a type.
func highest[T number]() T {
	if !isInteger[T]() {
		return T(math.Inf(1))
	}
	v, next := T(1), T(3)
	for next > v { // until it overflows
		v, next = next, 2*next+1
	}
	return v
}

func isInteger[T number]() bool { return T(1)/2 == 0 }
