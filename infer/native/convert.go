package native

import (
	"fmt"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// convert sets dst to src as in a Cast: fractions are cut off, and what is not
// zero is true.
func convert[T element](dst *array[T], src value) error {
	if err := dst.resizeTo(src.info().shape...); err != nil {
		return err
	}
	return convertAll(dst, src)
}

// convertAll sets the elements of dst, of which there are as many as src has.
func convertAll[T element](dst *array[T], src value) error {
	return dst.pool.memory.parts(len(dst.data), func(from, to int) { convertPart(dst.data[from:to], src, from) })
}

// convertPart sets dst to the elements of src from that place on.
func convertPart[T element](dst []T, src value, from int) {
	to := from + len(dst)
	switch src := src.(type) {
	case *array[float32]:
		convertFrom(dst, src.data[from:to])
	case *array[float64]:
		convertFrom(dst, src.data[from:to])
	case *array[int32]:
		convertFrom(dst, src.data[from:to])
	case *array[int64]:
		convertFrom(dst, src.data[from:to])
	case *array[uint8]:
		convertFrom(dst, src.data[from:to])
	case *array[bool]:
		convertBools(dst, src.data[from:to])
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
		if out.half {
			return castHalf(out, op.in)
		}
		return convertAll(out, op.in)
	case *array[float64]:
		return convertAll(out, op.in)
	case *array[int32]:
		return convertAll(out, op.in)
	case *array[int64]:
		return convertAll(out, op.in)
	case *array[uint8]:
		return convertAll(out, op.in)
	case *array[bool]:
		return convertAll(out, op.in)
	}
	return nil
}

// castHalf is convertAll, rounded to float16.
func castHalf(out *array[float32], in value) error {
	return out.pool.memory.parts(len(out.data), func(from, to int) {
		convertPart(out.data[from:to], in, from)
		for i := from; i < to; i++ {
			out.data[i] = tensor.HalfOf(out.data[i]).Float32()
		}
	})
}

// scalar returns the only element of v.
func scalar(v value) (float64, error) {
	if v.len() != 1 {
		return 0, fmt.Errorf("a value of shape %v must be a scalar", v.info().shape)
	}
	var x [1]float64
	convertPart(x[:], v, 0)
	return x[0], nil
}
