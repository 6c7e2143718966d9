package native

import (
	"fmt"
	"math"
	"slices"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// maxRank is how many dimensions a computed value may have.
const maxRank = 64

// value is a value of a graph: an *array of one of the element types, which is known when
// the model is opened.
type value interface {
	info() *header
	typ() tensor.Type
	len() int

	// resize allocates the elements of the shape, which are arbitrary.
	resize() error
	// share makes the value a view, in its own shape, of the elements of src, which has
	// its type.
	share(src value)
	// release releases the elements of a value that is not constant.
	release()
	// freeze returns a constant of the elements, which count as memory for good.
	freeze() value
	// bytes returns how large the elements are.
	bytes() int
	// like returns a new value of the same type.
	like(m *memory) value

	// bind makes the value a view of t, which has its type. export copies it to dst,
	// whose memory it uses if that is enough.
	bind(t *tensor.Tensor) error
	export(m *memory, dst *tensor.Tensor) error
	mover
}

// header is what arrays of all types have.
type header struct {
	shape    []int
	kind     *elementType
	fixed    bool // the shape is known when the model is opened
	constant bool // the elements are
	isView   bool // the elements are those of another value
	filled   bool // there are elements, which are to be released

	// In runs on inputs of the same shapes, the shape is the same, or the elements are.
	shapeInvariant, invariant bool
}

// array is a value: elements in row-major order.
type array[T element] struct {
	header
	data []T

	pool *pool[T]
	buf  *buffer[T] // where data lies, or lay last; nil for what is not ours
	owns bool       // the array is among the users of buf
}

func newArray[T element](m *memory) *array[T] { return arrayIn[T](elementTypeOf[T](), m) }

func arrayIn[T element](e *elementType, m *memory) *array[T] {
	a := &array[T]{header: header{kind: e}, pool: poolOf[T](m)}
	m.arrays = append(m.arrays, tracked{&a.header, a})
	return a
}

// constant returns a value with the elements of t, which it may share.
func constant(t onnxgraph.Tensor) (value, error) {
	e, err := findType(t.Type())
	if err != nil {
		return nil, err
	}
	return e.constant(e, t), nil
}

func constantOf[T element](shape []int, data []T) *array[T] {
	return constantArray(elementTypeOf[T](), shape, data)
}

func constantArray[T element](e *elementType, shape []int, data []T) *array[T] {
	return &array[T]{header: header{kind: e, shape: shape, constant: true, fixed: true, shapeInvariant: true, invariant: true}, data: data}
}

func (a *array[T]) info() *header { return &a.header }
func (a *array[T]) len() int      { return len(a.data) }

func (a *array[T]) typ() tensor.Type { return a.kind.typ }

func (a *array[T]) like(m *memory) value { return a.kind.newArray(a.kind, m) }

func (a *array[T]) resize() error {
	n, ok := product(a.shape...)
	if !ok || len(a.shape) > maxRank {
		return fmt.Errorf("a value of shape %v is too large", a.shape)
	}
	a.release()
	if n == 0 {
		a.data = []T{}
		return nil
	}
	b, err := a.pool.get(n, a.buf)
	if err != nil {
		return fmt.Errorf("a value of shape %v is too large: %w", a.shape, err)
	}
	a.buf, a.owns, a.data, a.filled = b, true, b.data[:n], true
	return nil
}

// resizeTo is setShape and resize.
func (a *array[T]) resizeTo(dims ...int) error {
	a.setShape(dims)
	return a.resize()
}

func (a *array[T]) share(src value) {
	a.release()
	from := src.(*array[T])
	a.data, a.filled = from.data, true
	if from.owns {
		a.buf, a.owns = from.buf, true
		a.buf.users++
	}
}

func (a *array[T]) release() {
	if a.constant {
		return
	}
	a.data, a.filled = nil, false
	if a.owns {
		a.pool.put(a.buf)
		a.owns = false
	}
}

// chunks calls f for all elements, a chunk after the other, as long as the run goes on.
func (a *array[T]) chunks(f func(from, to int)) error { return a.pool.memory.chunks(len(a.data), f) }

func (a *array[T]) bytes() int { return len(a.data) * size[T]() }

func (a *array[T]) freeze() value {
	c := constantArray(a.kind, slices.Clone(a.shape), a.data)
	if a.owns {
		c.data = slices.Clone(a.data)
		a.pool.memory.held += a.bytes()
	}
	return c
}

// setShape sets the shape to a copy of dims followed by more.
func (h *header) setShape(dims []int, more ...int) {
	h.shape = append(append(h.shape[:0], dims...), more...)
}

func (a *array[T]) bind(t *tensor.Tensor) error {
	a.setShape(t.Shape)
	if a.kind == halfType {
		if err := a.resize(); err != nil {
			return err
		}
		wide, halves := any(a.data).([]float32), t.Data.([]tensor.Half)
		return a.pool.memory.chunks(len(wide), func(from, to int) { widenHalves(wide[from:to], halves[from:to]) })
	}
	a.release()
	a.data, a.filled = t.Data.([]T), true
	return nil
}

func (a *array[T]) export(m *memory, dst *tensor.Tensor) error {
	if a.kind != halfType {
		to := tensor.Resize[T](dst, a.shape)
		return m.chunks(len(to), func(i, end int) { copy(to[i:end], a.data[i:end]) })
	}
	narrow, wide := tensor.Resize[tensor.Half](dst, a.shape), any(a.data).([]float32)
	return m.chunks(len(narrow), func(i, end int) {
		for ; i < end; i++ {
			narrow[i] = tensor.HalfOf(wide[i])
		}
	})
}

func widenHalves(dst []float32, src []tensor.Half) {
	for i, h := range src {
		dst[i] = h.Float32()
	}
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
