// Package onnxgraph holds an ONNX model as plain Go values and turns it into
// the bytes of a file and back. It is the only package that knows of protobuf.
package onnxgraph

import (
	"strconv"

	"github.com/rnnkit/rnnkit/infer/tensor"
)

// Model is what an ONNX file holds (ModelProto).
type Model struct {
	IRVersion       int64
	Producer        string
	ProducerVersion string
	Opsets          []Opset
	Metadata        []Property
	Graph           Graph

	// External is how many bytes the tensors take that lay in other files.
	External int
	// Partial reports that [UnmarshalAny] left something out that [Unmarshal] refuses,
	// or that the model is an [Outline].
	Partial bool
}

// Opset is a set of operators that the model imports. The standard operators
// have the domain "".
type Opset struct {
	Domain  string
	Version int64
}

// Opset returns the version of a domain's operators that m imports, 0 if none. The
// standard operators have the domain "".
func (m *Model) Opset(domain string) int64 {
	for _, o := range m.Opsets {
		if o.Domain == domain {
			return o.Version
		}
	}
	return 0
}

// Property is an entry of the model's metadata_props.
type Property struct {
	Key, Value string
}

// Graph is a list of nodes in topological order (GraphProto).
type Graph struct {
	Name         string
	Nodes        []Node
	Inputs       []Value
	Outputs      []Value
	Initializers []Tensor
}

// Node is an operator with the names of what it reads and writes. An optional
// input or output that is left out has the name "".
type Node struct {
	Name       string
	OpType     string
	Domain     string
	Inputs     []string
	Outputs    []string
	Attributes []Attribute
}

// Escape returns what a file says as it may stand in a line: a line break as \n, and
// what cannot be printed as its number.
func Escape(s string) string {
	quoted := strconv.Quote(s)
	return quoted[1 : len(quoted)-1]
}

// Value describes an input or output of a graph. The graph of an attribute may leave
// out the Type of a value.
type Value = tensor.Info

// Dim is a dimension of a [Value].
type Dim = tensor.Dim

// Tensor is a named constant (TensorProto). Where [UnmarshalAny] and [Outline] leave
// out the elements, Data is their [tensor.Type].
type Tensor struct {
	Name string
	tensor.Tensor
}

// Half is a number of type [Float16].
type Half = tensor.Half

// Type returns the element type of t, Undefined where Data has none of the types that
// a Tensor may hold.
func (t *Tensor) Type() DataType {
	if missing, ok := t.Data.(DataType); ok {
		return missing
	}
	return t.Tensor.Type()
}
