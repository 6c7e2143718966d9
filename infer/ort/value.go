//go:build cgo

package ort

import (
	"encoding/binary"
	"fmt"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/rnnkit/rnnkit/infer/tensor"
)

// newValue wraps t for ONNX Runtime without copying its data. The caller must destroy
// the value.
func newValue(t tensor.Tensor) (ort.Value, error) {
	switch data := t.Data.(type) {
	case []tensor.Half:
		return halves(t.Shape, data)
	case []float32:
		return valueOf(t.Shape, data)
	case []float64:
		return valueOf(t.Shape, data)
	case []int32:
		return valueOf(t.Shape, data)
	case []int64:
		return valueOf(t.Shape, data)
	case []uint8:
		return valueOf(t.Shape, data)
	case []bool:
		return valueOf(t.Shape, data)
	}
	return nil, fmt.Errorf("a tensor of type %T is not supported", t.Data)
}

func valueOf[T tensor.Element](shape []int, data []T) (ort.Value, error) {
	if len(shape) == 0 {
		return ort.NewScalar(data[0])
	}
	return ort.NewTensor(dimsOf(shape), data)
}

func dimsOf(shape []int) ort.Shape {
	dims := make(ort.Shape, len(shape))
	for i, d := range shape {
		dims[i] = int64(d)
	}
	return dims
}

// halves copies float16 data to bytes, which the binding requires. It does not
// support scalars.
func halves(shape []int, data []tensor.Half) (ort.Value, error) {
	if len(shape) == 0 {
		return nil, fmt.Errorf("a scalar of type %q is not supported", tensor.Float16)
	}
	var bytes []byte
	for _, h := range data {
		bytes = binary.NativeEndian.AppendUint16(bytes, uint16(h))
	}
	return ort.NewCustomDataTensor(dimsOf(shape), bytes, ort.TensorElementDataTypeFloat16)
}

// newScalar returns a scalar for ONNX Runtime to write to.
func newScalar(t tensor.Type) (ort.Value, error) {
	switch t {
	case tensor.Float32:
		return ort.NewEmptyScalar[float32]()
	case tensor.Float64:
		return ort.NewEmptyScalar[float64]()
	case tensor.Int32:
		return ort.NewEmptyScalar[int32]()
	case tensor.Int64:
		return ort.NewEmptyScalar[int64]()
	case tensor.Uint8:
		return ort.NewEmptyScalar[uint8]()
	case tensor.Bool:
		return ort.NewEmptyScalar[bool]()
	}
	return nil, fmt.Errorf("a scalar of type %q is not supported", t)
}

// tensorOf returns the contents of v. A tensor shares the memory of v.
func tensorOf(v ort.Value) (tensor.Tensor, error) {
	switch v := v.(type) {
	case *ort.Tensor[float32]:
		return tensorWith(v.GetShape(), v.GetData()), nil
	case *ort.Tensor[float64]:
		return tensorWith(v.GetShape(), v.GetData()), nil
	case *ort.Tensor[int32]:
		return tensorWith(v.GetShape(), v.GetData()), nil
	case *ort.Tensor[int64]:
		return tensorWith(v.GetShape(), v.GetData()), nil
	case *ort.Tensor[uint8]:
		return tensorWith(v.GetShape(), v.GetData()), nil
	case *ort.Tensor[bool]:
		return tensorWith(v.GetShape(), v.GetData()), nil
	case *ort.Scalar[float32]:
		return tensor.Of([]float32{v.GetData()}), nil
	case *ort.Scalar[float64]:
		return tensor.Of([]float64{v.GetData()}), nil
	case *ort.Scalar[int32]:
		return tensor.Of([]int32{v.GetData()}), nil
	case *ort.Scalar[int64]:
		return tensor.Of([]int64{v.GetData()}), nil
	case *ort.Scalar[uint8]:
		return tensor.Of([]uint8{v.GetData()}), nil
	case *ort.Scalar[bool]:
		return tensor.Of([]bool{v.GetData()}), nil
	}
	return tensor.Tensor{}, fmt.Errorf("a value of type %T is not supported", v)
}

func tensorWith[T tensor.Element](shape ort.Shape, data []T) tensor.Tensor {
	t := tensor.Tensor{Shape: make([]int, len(shape)), Data: data}
	for i, d := range shape {
		t.Shape[i] = int(d)
	}
	return t
}
