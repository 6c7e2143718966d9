package native

import (
	"fmt"
	"math"
	"slices"
	"unsafe"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/internal/kernels"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// maxRank is how many dimensions a computed value may have.
const maxRank = 64

// element is the constraint of what the values of a graph hold.
type element interface{ float32 | int64 }

// A value of a graph is an *array of one of the element types, which is known
// when the graph is compiled.
type value interface {
	elements() engine.Type
	bind(engine.Tensor)
	export() engine.Tensor
	release()
}

// array is a value: elements in row-major order. An operator that computes an
// array keeps it, and its buffer, from run to run.
type array[T element] struct {
	shape    []int
	data     []T
	constant bool

	memory *memory
	buf    []T
}

// newValue returns an array for elements of that type.
func newValue(t onnxgraph.DataType, m *memory) (value, error) {
	switch t {
	case onnxgraph.Float32:
		return &array[float32]{memory: m}, nil
	case onnxgraph.Int64:
		return &array[int64]{memory: m}, nil
	}
	return nil, fmt.Errorf("has type %v, and the native engine holds only float32 and int64", t)
}

// constant returns a value with the elements of t, which it shares.
func constant(t onnxgraph.Tensor) (value, error) {
	switch data := t.Data.(type) {
	case []float32:
		return &array[float32]{shape: t.Shape, data: data, constant: true}, nil
	case []int64:
		return &array[int64]{shape: t.Shape, data: data, constant: true}, nil
	}
	return newValue(t.Type(), nil)
}

func (a *array[T]) elements() engine.Type { return engine.Tensor{Data: a.data}.Type() }

// resize makes room, in the array's own buffer, for the elements of a.shape.
// Their values are arbitrary.
func (a *array[T]) resize() error {
	n, ok := product(a.shape...)
	if !ok || len(a.shape) > maxRank {
		return fmt.Errorf("a value of shape %v is too large", a.shape)
	}
	if err := a.memory.take(n, int(unsafe.Sizeof(*new(T)))); err != nil {
		return fmt.Errorf("a value of shape %v is too large: %w", a.shape, err)
	}
	kernels.Grow(&a.buf, n)
	a.data = a.buf
	return nil
}

// setShape sets a.shape to a copy of dims followed by more.
func (a *array[T]) setShape(dims []int, more ...int) {
	a.shape = append(append(a.shape[:0], dims...), more...)
}

// view makes a show data, which it does not copy, in that shape.
func (a *array[T]) view(shape []int, data []T) {
	a.setShape(shape)
	a.data = data
}

// bind makes a a view of t, which has elements of its type.
func (a *array[T]) bind(t engine.Tensor) { a.view(t.Shape, t.Data.([]T)) }

// export returns a copy of a.
func (a *array[T]) export() engine.Tensor {
	data := make([]T, len(a.data))
	copy(data, a.data)
	return engine.Of(data, slices.Clone(a.shape)...)
}

// release drops the elements, which may be the caller's, after a run.
func (a *array[T]) release() {
	if !a.constant {
		a.data = nil
	}
}

// memory is what one run may still take, in bytes.
type memory struct{ left, limit int }

// take takes memory for n elements of some bytes each.
func (m *memory) take(n, bytes int) error {
	if n > m.left/bytes {
		return fmt.Errorf("a run may take %d MiB: run it on less at a time", m.limit>>20)
	}
	m.left -= n * bytes
	return nil
}

// product returns the product of dims, and whether it fits an int.
func product(dims ...int) (int, bool) {
	n := 1
	for _, d := range dims {
		if d < 0 || d > 0 && n > math.MaxInt/d {
			return 0, false
		}
		n *= d
	}
	return n, true
}

// ints appends the elements of a, a list of sizes that a node was given, to dst.
func ints(dst []int, a *array[int64]) ([]int, error) {
	if len(a.shape) != 1 || len(a.data) > maxRank {
		return nil, fmt.Errorf("a list of sizes has shape %v, and must have one dimension of at most %d", a.shape, maxRank)
	}
	for _, v := range a.data {
		if int64(int(v)) != v {
			return nil, fmt.Errorf("%d is too large for a size", v)
		}
		dst = append(dst, int(v))
	}
	return dst, nil
}

// axisOf returns axis, which counts from the end where it is negative, as an
// index of rank dimensions.
func axisOf(axis int64, rank int) (int, error) {
	if axis < -int64(rank) || axis >= int64(rank) {
		return 0, fmt.Errorf("axis %d is out of range for %d dimensions", axis, rank)
	}
	if axis < 0 {
		axis += int64(rank)
	}
	return int(axis), nil
}
