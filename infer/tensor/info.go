package tensor

import (
	"fmt"
	"strconv"
	"strings"
)

// Dim is one dimension of a shape: a fixed size, or a symbol that stands for
// any size. Without a symbol, a negative size is unknown.
type Dim struct {
	Size   int
	Symbol string
}

// String shows the size, the symbol, or "?" where neither is known.
func (d Dim) String() string {
	switch {
	case d.Symbol != "":
		return escaped(d.Symbol)
	case d.Size < 0:
		return "?"
	default:
		return fmt.Sprint(d.Size)
	}
}

// Info describes an input or an output of a graph.
type Info struct {
	Name string
	Type Type
	// Shape is nil where even the number of dimensions is unknown, and empty
	// for a scalar.
	Shape []Dim
	// Optional marks an input with a default in the file (an initializer of
	// the same name), such as the initial state in files of earlier
	// versions of rnnkit.
	Optional bool
}

// String returns "name float32[batch, time, 1]", or "name float32[...]" where the
// number of dimensions is unknown. Characters of the name that cannot be printed are
// escaped.
func (v Info) String() string {
	if v.Shape == nil {
		return fmt.Sprintf("%s %s[...]", escaped(v.Name), v.Type)
	}
	dims := make([]string, len(v.Shape))
	for i, d := range v.Shape {
		dims[i] = d.String()
	}
	return fmt.Sprintf("%s %s[%s]", escaped(v.Name), v.Type, strings.Join(dims, ", "))
}

// escaped returns name with what cannot be printed escaped, as a line break by \n.
func escaped(name string) string {
	quoted := strconv.Quote(name)
	return quoted[1 : len(quoted)-1]
}

// Check returns an error that tells how t differs from what v declares: another
// type, rank or fixed size, or too few or too many elements. The error continues a
// sentence that begins with the name.
func (v *Info) Check(t *Tensor) error {
	if t.Type() != v.Type {
		return fmt.Errorf("has type %q: the model needs %s", t.Type(), v)
	}
	size, err := Size(t.Shape)
	if err != nil {
		return err
	}
	if size != t.Len() {
		return fmt.Errorf("has %d elements for the shape %v", t.Len(), t.Shape)
	}
	if v.Shape != nil && !v.allows(t.Shape) {
		return fmt.Errorf("has shape %v: the model needs %s", t.Shape, v)
	}
	return nil
}

// allows reports whether shape has the rank and the fixed sizes of v.
func (v *Info) allows(shape []int) bool {
	if len(shape) != len(v.Shape) {
		return false
	}
	for i, d := range v.Shape {
		if d.Symbol == "" && d.Size >= 0 && d.Size != shape[i] {
			return false
		}
	}
	return true
}
