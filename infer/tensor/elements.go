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
	slice[float32]{Float32, func(v float32) float64 { return float64(v) }},
	slice[int64]{Int64, func(v int64) float64 { return float64(v) }},
	slice[float64]{Float64, func(v float64) float64 { return v }},
	slice[int32]{Int32, func(v int32) float64 { return float64(v) }},
	slice[uint8]{Uint8, func(v uint8) float64 { return float64(v) }},
	slice[bool]{Bool, truth},
	slice[Half]{Float16, func(v Half) float64 { return float64(v.Float32()) }},
}

// Known reports whether a [Tensor] can hold elements of type t.
func (t Type) Known() bool {
	return slices.ContainsFunc(types, func(e elements) bool { return e.typ() == t })
}

// truth returns 1 for true and 0 for false.
func truth(v bool) float64 {
	if v {
		return 1
	}
	return 0
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
	float64s(data any) []float64
	pick(data any, places []int) any
	concat(parts []Tensor, width int) any
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
type slice[T Element] struct {
	name   Type
	number func(T) float64
}

func (s slice[T]) typ() Type        { return s.name }
func (slice[T]) hold(data any) bool { _, ok := data.([]T); return ok }
func (slice[T]) len(data any) int   { return len(data.([]T)) }
func (slice[T]) make(n int) any     { return make([]T, n) }
func (slice[T]) clone(data any) any { return slices.Clone(data.([]T)) }
func (slice[T]) copy(dst, src any)  { copy(dst.([]T), src.([]T)) }
func (slice[T]) assign(t *Tensor, from Tensor) {
	copy(Resize[T](t, from.Shape), from.Data.([]T))
}

func (s slice[T]) float64s(data any) []float64 {
	numbers := make([]float64, len(data.([]T)))
	for i, v := range data.([]T) {
		numbers[i] = s.number(v)
	}
	return numbers
}

func (slice[T]) pick(data any, places []int) any {
	picked := make([]T, len(places))
	for i, at := range places {
		picked[i] = data.([]T)[at]
	}
	return picked
}

func (slice[T]) concat(parts []Tensor, width int) any {
	var joined []T
	for at := 0; at < parts[0].Len(); at += width {
		for _, p := range parts {
			joined = append(joined, p.Data.([]T)[at:][:width]...)
		}
	}
	return joined
}
