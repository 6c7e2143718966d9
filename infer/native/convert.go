package native

import (
	"fmt"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

var convertOps = []op{
	{name: "Cast", since: 6, in: one, out: one, build: newCast},
	{name: "CastLike", since: 15, in: two, out: one, mixed: true, build: newCastLike},
}

// convert sets dst to src as in a Cast: fractions are cut off, and what is not
// zero is true.
func convert[T element](dst *array[T], src value) error {
	if err := dst.resizeTo(src.info().shape...); err != nil {
		return err
	}
	return dst.convert(src)
}

// convert sets the elements, of which there are as many as src has. Those of float16
// are rounded.
func (a *array[T]) convert(src value) error {
	return a.chunks(func(from, to int) {
		src.info().kind.convert(a, src, from, to)
		if a.kind == halfType {
			roundToHalf(any(a.data).([]float32)[from:to])
		}
	})
}

func roundToHalf(data []float32) {
	for i, v := range data {
		data[i] = tensor.HalfOf(v).Float32()
	}
}

// cast converts to another type.
type cast struct{ in, out value }

func newCast(n *node) kernel {
	to := onnxgraph.TypeOf(attribute(n, "to", int64(0)))
	readFloat8(n)
	e, err := findType(to)
	if err != nil {
		n.fail("what it casts to %w", err)
		return nil
	}
	out := e.newArray(e, n.memory)
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

func newCastLike(n *node) kernel {
	readFloat8(n)
	n.readsShapeOnly(1)
	return &cast{n.inputs[0], outputLike(n, 0, n.inputs[1])}
}

func (op *cast) shapes() error {
	op.out.info().setShape(op.in.info().shape)
	return nil
}

func (op *cast) run() error { return op.out.convert(op.in) }

// scalar returns the only element of v.
func scalar(v value) (float64, error) {
	if v.len() != 1 {
		return 0, fmt.Errorf("a value of shape %v must be a scalar", v.info().shape)
	}
	return v.info().kind.first(v), nil
}
