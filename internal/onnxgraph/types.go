package onnxgraph

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxpb"
)

// DataType is the type of a value's elements. ONNX has more types than a [Tensor] can
// hold: the others have ONNX's names in lower case.
type DataType = tensor.Type

// The element types that a Tensor can hold, and Undefined for none.
const (
	Undefined DataType = ""
	Float16            = tensor.Float16
	Float32            = tensor.Float32
	Float64            = tensor.Float64
	Int32              = tensor.Int32
	Int64              = tensor.Int64
	Uint8              = tensor.Uint8
	Bool               = tensor.Bool
)

// Element types of weights that a Tensor cannot hold.
const (
	Int8     DataType = "int8"
	BFloat16 DataType = "bfloat16"
)

// elementTypes lists the element types that a Tensor can hold, with ONNX's number and
// the field of TensorProto that has the elements where raw_data does not. A new type
// is added here and to package tensor.
var elementTypes = []elementType{
	{Float16, onnxpb.TensorProto_FLOAT16, func(raw rawData, p *onnxpb.TensorProto, n int) (any, error) {
		return narrowed[Half](raw, p, n, math.MaxUint16)
	}},
	{Float32, onnxpb.TensorProto_FLOAT, func(raw rawData, p *onnxpb.TensorProto, n int) (any, error) {
		return values(raw, p, n, p.FloatData)
	}},
	{Float64, onnxpb.TensorProto_DOUBLE, func(raw rawData, p *onnxpb.TensorProto, n int) (any, error) {
		return values(raw, p, n, p.DoubleData)
	}},
	{Int32, onnxpb.TensorProto_INT32, func(raw rawData, p *onnxpb.TensorProto, n int) (any, error) {
		return values(raw, p, n, p.Int32Data)
	}},
	{Int64, onnxpb.TensorProto_INT64, func(raw rawData, p *onnxpb.TensorProto, n int) (any, error) {
		return values(raw, p, n, p.Int64Data)
	}},
	{Uint8, onnxpb.TensorProto_UINT8, func(raw rawData, p *onnxpb.TensorProto, n int) (any, error) {
		return narrowed[uint8](raw, p, n, math.MaxUint8)
	}},
	{Bool, onnxpb.TensorProto_BOOL, truths},
}

type elementType struct {
	name   DataType
	number onnxpb.TensorProto_DataType
	// read returns the n elements of p as a slice.
	read func(raw rawData, p *onnxpb.TensorProto, n int) (any, error)
}

// supported lists the names of the element types that a Tensor can hold.
func supported() string {
	var names []string
	for _, e := range elementTypes[:len(elementTypes)-1] {
		names = append(names, string(e.name))
	}
	return fmt.Sprintf("%s and %s", strings.Join(names, ", "), elementTypes[len(elementTypes)-1].name)
}

// TypeOf returns the element type that has that number in ONNX, as the attribute "to"
// of a Cast has it.
func TypeOf(number int64) DataType {
	for _, e := range elementTypes {
		if int64(e.number) == number {
			return e.name
		}
	}
	switch name, ok := onnxpb.TensorProto_DataType_name[int32(number)]; {
	case number == int64(onnxpb.TensorProto_UNDEFINED):
		return Undefined
	case ok && int64(int32(number)) == number:
		return DataType(strings.ToLower(name))
	}
	return DataType(strconv.FormatInt(number, 10))
}

// Number returns ONNX's number of an element type, 0 for Undefined and for a type
// that ONNX does not have.
func Number(t DataType) int64 {
	for _, e := range elementTypes {
		if e.name == t {
			return int64(e.number)
		}
	}
	if number, ok := onnxpb.TensorProto_DataType_value[strings.ToUpper(string(t))]; ok {
		return int64(number)
	}
	number, _ := strconv.ParseInt(string(t), 10, 32)
	return number
}
