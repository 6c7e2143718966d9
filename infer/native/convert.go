package native

import (
	"fmt"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// convert sets dst to src as in a Cast: fractions are cut off, and what is not
// zero is true.
func convert[T element](dst *array[T], src value) error {
	if err := dst.resizeTo(src.info().shape...); err != nil {
		return err
	}
	convertTo(dst.data, src)
	return nil
}

func convertTo[T element](dst []T, src value) {
	switch src := src.(type) {
	case *array[float32]:
		convertFrom(any(dst), src.data)
	case *array[float64]:
		convertFrom(any(dst), src.data)
	case *array[int32]:
		convertFrom(any(dst), src.data)
	case *array[int64]:
		convertFrom(any(dst), src.data)
	case *array[uint8]:
		convertFrom(any(dst), src.data)
	case *array[bool]:
		convertBools(any(dst), src.data)
	}
}

func convertFrom[S number](dst any, src []S) {
	switch dst := dst.(type) {
	case []float32:
		convertNumbers(dst, src)
	case []float64:
		convertNumbers(dst, src)
	case []int32:
		convertNumbers(dst, src)
	case []int64:
		convertNumbers(dst, src)
	case []uint8:
		for i, v := range src {
			dst[i] = uint8(int64(v))
		}
	case []bool:
		for i, v := range src {
			dst[i] = v != 0
		}
	}
}

func convertNumbers[D, S number](dst []D, src []S) {
	for i, v := range src {
		dst[i] = D(v)
	}
}

func convertBools(dst any, src []bool) {
	switch dst := dst.(type) {
	case []float32:
		countBools(dst, src)
	case []float64:
		countBools(dst, src)
	case []int32:
		countBools(dst, src)
	case []int64:
		countBools(dst, src)
	case []uint8:
		countBools(dst, src)
	case []bool:
		copy(dst, src)
	}
}

func countBools[D number](dst []D, src []bool) {
	for i, v := range src {
		dst[i] = 0
		if v {
			dst[i] = 1
		}
	}
}

// cast converts to another type.
type cast struct{ in, out value }

func newCast(n *node) operator {
	to := onnxgraph.DataType(attribute(n, "to", int64(0)))
	readFloat8(n)
	out, err := newValue(to, n.memory)
	if err != nil {
		n.fail("what it casts to %w", err)
		return nil
	}
	n.setOutput(0, out)
	return &cast{n.inputs[0], out}
}

// readFloat8 reads the attributes that are for float8, which is not supported.
func readFloat8(n *node) {
	if n.opset >= 19 {
		n.flag("saturate", true)
	}
	if n.opset >= 24 {
		attribute(n, "round_mode", "up")
	}
}

func newCastLike(n *node) operator {
	readFloat8(n)
	n.shapeOnly(1)
	return &cast{n.inputs[0], outputLike(n, 0, n.inputs[1])}
}

func (op *cast) shapes() error {
	op.out.info().setShape(op.in.info().shape)
	return nil
}

func (op *cast) run() error {
	switch out := op.out.(type) {
	case *array[float32]:
		convertTo(out.data, op.in)
		if out.half {
			for i, v := range out.data {
				out.data[i] = engine.HalfOf(v).Float32()
			}
		}
	case *array[float64]:
		convertTo(out.data, op.in)
	case *array[int32]:
		convertTo(out.data, op.in)
	case *array[int64]:
		convertTo(out.data, op.in)
	case *array[uint8]:
		convertTo(out.data, op.in)
	case *array[bool]:
		convertTo(out.data, op.in)
	}
	return nil
}

// scalar returns the only element of v.
func scalar(v value) (float64, error) {
	if v.len() != 1 {
		return 0, fmt.Errorf("a value of shape %v must be a scalar", v.info().shape)
	}
	var x [1]float64
	convertTo(x[:], v)
	return x[0], nil
}
