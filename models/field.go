package models

import (
	"fmt"
	"reflect"
)

// FieldError reports a field or an argument that cannot be used. All packages of
// rnnkit that check a Spec, Metadata, options or arguments return it, so that a
// program can translate Field to what its users know, such as a flag.
type FieldError struct {
	// Field is the name of the field or argument. A field of a field has a
	// path, such as "Spec.Hidden" in Metadata or "Optimizer.Momentum" in
	// trainer.Options.
	Field string

	Value any    // what the field is, or the Length of a long slice
	Want  string // what it must be, to follow the words "it must be"

	// Err is the cause, which errors.Is and errors.As find, or nil. Error does not print
	// it: Want says in words what the cause asks for.
	Err error
}

// Length is the Value of a FieldError about the length of a slice that may be long, such
// as all values of a series.
type Length int

func (n Length) String() string { return fmt.Sprintf("of length %d", int(n)) }

// Error returns one line, in which a string is quoted, a slice given by its length
// and a pointer by its type.
func (e *FieldError) Error() string {
	return fmt.Sprintf("%s is %s: it must be %s", e.Field, e.value(), e.Want)
}

// Unwrap returns e.Err.
func (e *FieldError) Unwrap() error { return e.Err }

func (e *FieldError) value() string {
	if _, ok := e.Value.(fmt.Stringer); ok {
		return fmt.Sprint(e.Value)
	}
	switch v := reflect.ValueOf(e.Value); v.Kind() {
	case reflect.String:
		return fmt.Sprintf("%q", v)
	case reflect.Slice:
		return fmt.Sprintf("of length %d", v.Len())
	case reflect.Pointer:
		if !v.IsNil() {
			return fmt.Sprintf("a %T", e.Value)
		}
		return "nil"
	case reflect.Invalid:
		return "nil"
	}
	return fmt.Sprint(e.Value)
}

// InField returns err as an error of the field that holds what was checked. The path of
// a *FieldError then begins with that field. Any other error, even if it wraps a
// *FieldError, is wrapped in one that begins with the field, and nil stays nil.
func InField(field string, err error) error {
	if err == nil {
		return nil
	}
	if inner, ok := err.(*FieldError); ok {
		outer := *inner
		outer.Field = field + "." + inner.Field
		return &outer
	}
	return fmt.Errorf("%s: %w", field, err)
}
