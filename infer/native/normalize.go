package native

import (
	"fmt"
	"math"
	"slices"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// batchNorm normalizes each channel of [batch, channels, ...] by a mean and a
// variance that are given, as outside of training.
type batchNorm[T float] struct {
	x, out                   *array[T]
	scale, b, mean, variance *array[T]
	epsilon                  float64
}

func normOps[T float](t *typedOps) {
	t.add("BatchNormalization", 7, arity{5, 5}, arity{1, 5}, newBatchNorm[T]).mixed = true
	t.add("InstanceNormalization", 6, three, one, newInstanceNorm[T])
	t.add("LayerNormalization", 17, arity{2, 3}, arity{1, 3}, newLayerNorm[T])
}

func newBatchNorm[T float](n *node) kernel {
	op := &batchNorm[T]{
		x: input[T](n, 0), out: output[T](n, 0),
		scale: input[T](n, 1), b: input[T](n, 2), mean: input[T](n, 3), variance: input[T](n, 4),
		epsilon: float64(attribute(n, "epsilon", float32(1e-5))),
	}
	attribute(n, "momentum", float32(0.9)) // of training
	if n.opset < 9 && !n.flag("spatial", true) {
		n.fail("attribute \"spatial\" is 0, and only 1 is supported")
	}
	if n.opset >= 14 && n.flag("training_mode", false) {
		n.fail("attribute \"training_mode\" is 1, which is not supported: export the model for inference")
	}
	for i := 1; i < 5; i++ {
		if n.wants(i) {
			n.fail("output %d, %q, is one of training, which is not supported: export the model for inference", i, n.Outputs[i])
		}
	}
	return op
}

func (op *batchNorm[T]) shapes() error {
	channels := 1
	if len(op.x.shape) > 1 {
		channels = op.x.shape[1]
	}
	for _, a := range []*array[T]{op.scale, op.b, op.mean, op.variance} {
		if !slices.Equal(a.shape, []int{channels}) {
			return fmt.Errorf("a parameter has shape %v, and must have [%d] for shape %v", a.shape, channels, op.x.shape)
		}
	}
	op.out.setShape(op.x.shape)
	return nil
}

func (op *batchNorm[T]) run() error {
	channels := len(op.scale.data)
	inner := 1
	if len(op.x.shape) > 2 {
		inner, _ = product(op.x.shape[2:]...)
	}
	for at := 0; at < len(op.x.data); at += inner {
		c := at / inner % channels
		scale := float64(op.scale.data[c]) / math.Sqrt(float64(op.variance.data[c])+op.epsilon)
		mean, b := float64(op.mean.data[c]), float64(op.b.data[c])
		err := op.out.pool.memory.chunks(inner, func(from, to int) {
			for i := at + from; i < at+to; i++ {
				op.out.data[i] = T((float64(op.x.data[i])-mean)*scale + b)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// instanceNorm normalizes each channel of each member of [batch, channels, ...].
type instanceNorm[T float] struct {
	x, scale, b, out *array[T]
	epsilon          float64
}

func newInstanceNorm[T float](n *node) kernel {
	return &instanceNorm[T]{
		x: input[T](n, 0), scale: input[T](n, 1), b: input[T](n, 2), out: output[T](n, 0),
		epsilon: float64(attribute(n, "epsilon", float32(1e-5))),
	}
}

func (op *instanceNorm[T]) shapes() error {
	if len(op.x.shape) < 3 {
		return fmt.Errorf("shape %v has no dimensions after batch and channels", op.x.shape)
	}
	for _, a := range []*array[T]{op.scale, op.b} {
		if !slices.Equal(a.shape, op.x.shape[1:2]) {
			return fmt.Errorf("a parameter has shape %v, and must have [%d]", a.shape, op.x.shape[1])
		}
	}
	op.out.setShape(op.x.shape)
	return nil
}

func (op *instanceNorm[T]) run() error {
	inner, _ := product(op.x.shape[2:]...)
	for at := 0; at < len(op.x.data); at += inner {
		c := at / inner % len(op.scale.data)
		mean, scale, err := moments(op.out.pool.memory, op.x.data[at:at+inner], op.epsilon)
		if err != nil {
			return err
		}
		err = op.out.pool.memory.chunks(inner, func(from, to int) {
			for i := at + from; i < at+to; i++ {
				op.out.data[i] = T((float64(op.x.data[i])-mean)*scale*float64(op.scale.data[c]) + float64(op.b.data[c]))
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// moments returns the mean of a row and the inverse of its standard deviation.
func moments[T float](m *memory, row []T, epsilon float64) (mean, inverse float64, err error) {
	err = m.chunks(len(row), func(from, to int) {
		for _, v := range row[from:to] {
			mean += float64(v)
		}
	})
	if err != nil {
		return 0, 0, err
	}
	mean /= float64(len(row))
	variance := 0.0
	err = m.chunks(len(row), func(from, to int) {
		for _, v := range row[from:to] {
			d := float64(v) - mean
			variance += d * d
		}
	})
	return mean, 1 / math.Sqrt(variance/float64(len(row))+epsilon), err
}

// layerNorm normalizes over the dimensions from an axis on.
type layerNorm[T float] struct {
	x, scale, b, out *array[T]
	mean, inverse    *array[float32]
	axis             int64
	epsilon          float64
	iter             iterator
	inner            []int
}

func newLayerNorm[T float](n *node) kernel {
	op := &layerNorm[T]{
		x: input[T](n, 0), scale: input[T](n, 1), b: input[T](n, 2), out: output[T](n, 0),
		axis: attribute(n, "axis", int64(-1)), epsilon: float64(attribute(n, "epsilon", float32(1e-5))),
	}
	if t := onnxgraph.TypeOf(attribute(n, "stash_type", onnxgraph.Number(onnxgraph.Float32))); t != onnxgraph.Float32 {
		n.fail("attribute \"stash_type\" is %v, and only float32 is supported", t)
	}
	if n.wants(1) {
		op.mean = output[float32](n, 1)
		op.mean.kind = elementTypeOf[float32]()
	}
	if n.wants(2) {
		op.inverse = output[float32](n, 2)
		op.inverse.kind = elementTypeOf[float32]()
	}
	return op
}

func (op *layerNorm[T]) shapes() error {
	x := op.x.shape
	k, err := axisOf(op.axis, len(x))
	if err != nil {
		return err
	}
	op.inner = x[k:]
	op.out.setShape(x)
	for _, a := range []*array[T]{op.scale, op.b} {
		if a == nil {
			continue
		}
		var ok bool
		op.out.shape, ok = broadcast(op.out.shape[:0], x, a.shape)
		if !ok || !slices.Equal(op.out.shape, x) || len(a.shape) > len(x)-k {
			return fmt.Errorf("a parameter of shape %v cannot be broadcast to %v", a.shape, op.inner)
		}
	}
	for _, a := range []*array[float32]{op.mean, op.inverse} {
		if a != nil {
			a.setShape(x)
			for i := k; i < len(x); i++ {
				a.shape[i] = 1
			}
		}
	}
	return nil
}

func (op *layerNorm[T]) run() error {
	size, _ := product(op.inner...)
	if size == 0 {
		return nil
	}
	var b []int
	if op.b != nil {
		b = op.b.shape
	}
	op.iter.broadcast(op.inner, op.scale.shape, b)
	for at := 0; at < len(op.x.data); at += size {
		row, out := op.x.data[at:at+size], op.out.data[at:at+size]
		mean, inverse, err := moments(op.out.pool.memory, row, op.epsilon)
		if err != nil {
			return err
		}
		if op.mean != nil {
			op.mean.data[at/size] = float32(mean)
		}
		if op.inverse != nil {
			op.inverse.data[at/size] = float32(inverse)
		}
		if err := op.normalize(out, row, mean, inverse); err != nil {
			return err
		}
	}
	return nil
}

// normalize sets out to row with that mean and inverse of the standard deviation taken
// out, by the scale and the bias.
func (op *layerNorm[T]) normalize(out, row []T, mean, inverse float64) error {
	_, stride := op.iter.inner()
	return op.iter.rows(op.out.pool.memory, func(to, n int, from offsets) {
		for i := range n {
			v := (float64(row[to+i]) - mean) * inverse * float64(op.scale.data[from[0]+i*stride[0]])
			if op.b != nil {
				v += float64(op.b.data[from[1]+i*stride[1]])
			}
			out[to+i] = T(v)
		}
	})
}
