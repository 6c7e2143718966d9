// Package onnxgraph holds an ONNX model as plain Go values and turns it into
// the bytes of a file and back. It is the only package that knows of protobuf.
package onnxgraph

import (
	"strconv"
	"strings"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxpb"
)

// Model is what an ONNX file holds (ModelProto).
type Model struct {
	IRVersion       int64
	Producer        string
	ProducerVersion string
	Opsets          []Opset
	Metadata        []Property
	Graph           Graph
}

// Opset is a set of operators that the model imports. The standard operators
// have the domain "".
type Opset struct {
	Domain  string
	Version int64
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

// Attribute is a constant of a node. Value has one of the types int64,
// float32, string, Tensor, *Graph, []int64, []float32, []string.
type Attribute struct {
	Name  string
	Value any
}

// Value describes an input or output of a graph. A nil Shape means that even
// the number of dimensions is unknown; the Shape of a scalar is empty, not nil.
// The graph of an attribute may leave out the Type of a value too.
type Value struct {
	Name  string
	Type  DataType
	Shape []Dim
}

// Dim is a dimension: a size, or a symbol for any size. Without a symbol, a
// negative size is unknown.
type Dim struct {
	Size   int64
	Symbol string
}

// Tensor is a constant (TensorProto) in row-major order. Data has one of the
// types []Half, []float32, []float64, []int32, []int64, []uint8, []bool, and as many
// elements as the product of Shape, so one for a scalar, whose Shape is empty. Where
// [UnmarshalAny] and [Outline] leave out the elements it is their [DataType].
type Tensor struct {
	Name  string
	Shape []int
	Data  any
}

// Half is a number of type [Float16]: the bits of an IEEE 754 binary16.
type Half = tensor.Half

// Type returns the element type of t, Undefined where Data has none of the
// types that a Tensor may hold.
func (t *Tensor) Type() DataType {
	switch data := t.Data.(type) {
	case DataType:
		return data
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
	return Undefined
}

// DataType is an element type, by ONNX's number (TensorProto.DataType).
type DataType int32

// The element types that a Tensor can hold.
const (
	Undefined DataType = DataType(onnxpb.TensorProto_UNDEFINED)
	Float32   DataType = DataType(onnxpb.TensorProto_FLOAT)
	Float64   DataType = DataType(onnxpb.TensorProto_DOUBLE)
	Int32     DataType = DataType(onnxpb.TensorProto_INT32)
	Int64     DataType = DataType(onnxpb.TensorProto_INT64)
	Uint8     DataType = DataType(onnxpb.TensorProto_UINT8)
	Bool      DataType = DataType(onnxpb.TensorProto_BOOL)
	Float16   DataType = DataType(onnxpb.TensorProto_FLOAT16)
)

// Element types of weights that a Tensor cannot hold.
const (
	Int8     DataType = DataType(onnxpb.TensorProto_INT8)
	BFloat16 DataType = DataType(onnxpb.TensorProto_BFLOAT16)
)

// String returns Go's name of the type where there is one ("float32",
// "uint8"), else ONNX's in lower case ("bfloat16"), else the number.
func (t DataType) String() string {
	switch t {
	case Float32:
		return "float32"
	case Float64:
		return "float64"
	}
	return strings.ToLower(onnxpb.TensorProto_DataType(t).String())
}
