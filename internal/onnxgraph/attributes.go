package onnxgraph

// Attribute is a constant of a node. Value has one of the types int64,
// float32, string, Tensor, *Graph, []int64, []float32, []string.
type Attribute struct {
	Name  string
	Value any
}

// Attribute returns the value of the attribute with that name, and whether the
// node has one.
func (n *Node) Attribute(name string) (any, bool) {
	for _, a := range n.Attributes {
		if a.Name == name {
			return a.Value, true
		}
	}
	return nil, false
}

// Int returns an attribute that is an integer, and otherwise where n has none.
func (n *Node) Int(name string, otherwise int64) int64 {
	return attributeOr(n, name, otherwise)
}

// Text returns an attribute that is a string, and otherwise where n has none.
func (n *Node) Text(name, otherwise string) string {
	return attributeOr(n, name, otherwise)
}

// Ints returns an attribute that is a list of integers, nil where n has none.
func (n *Node) Ints(name string) []int64 {
	return attributeOr[[]int64](n, name, nil)
}

func attributeOr[T any](n *Node, name string, otherwise T) T {
	value, _ := n.Attribute(name)
	if v, ok := value.(T); ok {
		return v
	}
	return otherwise
}
