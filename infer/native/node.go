package native

import (
	"fmt"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// operator runs one node of a graph on the values that it was built with. It
// serves one goroutine at a time.
type operator interface{ run() error }

// node is what an operator is built from. It keeps the first error and
// remembers which attributes were read, so that none is dropped silently.
type node struct {
	*onnxgraph.Node
	opset   int64
	inputs  []value // nil where left out
	outputs []value // set by output
	memory  *memory

	read map[string]bool
	err  error
}

func (n *node) fail(format string, args ...any) {
	if n.err == nil {
		n.err = fmt.Errorf(format, args...)
	}
}

// finish returns the first error of building the operator, or one that names
// an attribute that it did not read.
func (n *node) finish() error {
	seen := map[string]bool{}
	for _, a := range n.Attributes {
		if !n.read[a.Name] {
			n.fail("attribute %q is not supported", a.Name)
		}
		if seen[a.Name] {
			n.fail("attribute %q is given twice", a.Name)
		}
		seen[a.Name] = true
	}
	return n.err
}

// has reports whether the node has an attribute of that name.
func (n *node) has(name string) bool {
	_, ok := n.Attribute(name)
	return ok
}

// attribute returns the value of an attribute, or def where there is none.
func attribute[T any](n *node, name string, def T) T {
	n.read[name] = true
	v, ok := n.Attribute(name)
	if !ok {
		return def
	}
	t, ok := v.(T)
	if !ok {
		n.fail("attribute %q has type %T, and must have %T", name, v, def)
	}
	return t
}

// input returns input i, nil where it is left out.
func input[T element](n *node, i int) *array[T] {
	if i >= len(n.inputs) || n.inputs[i] == nil {
		return nil
	}
	a, ok := n.inputs[i].(*array[T])
	if !ok {
		a = new(array[T])
		n.fail("input %d, %q, has type %s, and must have %s", i, n.Inputs[i], n.inputs[i].elements(), a.elements())
	}
	return a
}

// output returns a new array for output i, also where it is left out.
func output[T element](n *node, i int) *array[T] {
	a := &array[T]{memory: n.memory}
	if i < len(n.outputs) {
		n.outputs[i] = a
	}
	return a
}
