package tensor

import (
	"cmp"
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

// String returns the name of the type, and "undefined" for none.
func (t Type) String() string { return cmp.Or(string(t), "undefined") }

// Element is the constraint of the Go types behind [Type].
type Element interface {
	Half | float32 | float64 | int32 | int64 | uint8 | bool
}

// types lists the element types. A new one is added here, to [Element] and to the
// constants.
var types = []elements{
	slice[float32]{Float32},
	slice[int64]{Int64},
	slice[float64]{Float64},
	slice[int32]{Int32},
	slice[uint8]{Uint8},
	slice[bool]{Bool},
	slice[Half]{Float16},
}

// Known reports whether a [Tensor] can hold elements of type t.
func (t Type) Known() bool {
	return slices.ContainsFunc(types, func(e elements) bool { return e.typ() == t })
}

// elements works on slices of one element type.
type elements interface {
	typ() Type
	hold(data any) bool // whether data is such a slice
	len(data any) int
	make(n int) any
	clone(data any) any
	copy(dst, src any)
	assign(t *Tensor, from Tensor)
}

// elementsOf returns the elements that data holds, or nil if it is no such slice.
func elementsOf(data any) elements {
	for _, e := range types {
		if e.hold(data) {
			return e
		}
	}
	return nil
}

// slice implements elements for the slices of T.
type slice[T Element] struct{ name Type }

func (s slice[T]) typ() Type        { return s.name }
func (slice[T]) hold(data any) bool { _, ok := data.([]T); return ok }
func (slice[T]) len(data any) int   { return len(data.([]T)) }
func (slice[T]) make(n int) any     { return make([]T, n) }
func (slice[T]) clone(data any) any { return slices.Clone(data.([]T)) }
func (slice[T]) copy(dst, src any)  { copy(dst.([]T), src.([]T)) }
func (slice[T]) assign(t *Tensor, from Tensor) {
	copy(Resize[T](t, from.Shape), from.Data.([]T))
}
