package native

import (
	"errors"
	"fmt"

	"github.com/rnnkit/rnnkit/internal/kernels"
)

// matMul multiplies matrices, the last two dimensions of its inputs, of which
// the dimensions before are broadcast.
type matMul[T float] struct {
	a, b, out *array[T]
	walk      walk
	batch     []int
}

func newMatMul(n *node) operator {
	n.costly = true
	return byType(n, 0, newMatMulOf[float32], newMatMulOf[float64], newIntMatMul[int32], newIntMatMul[int64], newIntMatMul[uint8], nil)
}

func newMatMulOf[T float](n *node) operator {
	return &matMul[T]{a: input[T](n, 0), b: input[T](n, 1), out: output[T](n, 0)}
}

// matrixOf returns the dimensions of a factor: those of the batch, and those of
// its matrices. A single dimension is a row on the left and a column on the right.
func matrixOf(shape []int, left bool) (batch []int, rows, cols int) {
	switch k := len(shape); {
	case k > 1:
		return shape[:k-2], shape[k-2], shape[k-1]
	case left:
		return nil, 1, shape[0]
	default:
		return nil, shape[0], 1
	}
}

func (op *matMul[T]) shapes() (err error) {
	op.batch, err = matMulShape(op.batch, op.a.shape, op.b.shape, &op.out.header)
	return err
}

// matMulShape sets the shape of a product and returns that of its batch, in the
// memory of batch.
func matMulShape(batch, a, b []int, out *header) ([]int, error) {
	if len(a) == 0 || len(b) == 0 {
		return batch, errors.New("a scalar is no factor of a matrix product")
	}
	batchA, m, k := matrixOf(a, true)
	batchB, inner, n := matrixOf(b, false)
	batch, ok := broadcast(batch[:0], batchA, batchB)
	if !ok || k != inner {
		return batch, fmt.Errorf("matrices of shapes %v and %v cannot be multiplied", a, b)
	}
	out.setShape(batch)
	if len(a) > 1 {
		out.shape = append(out.shape, m)
	}
	if len(b) > 1 {
		out.shape = append(out.shape, n)
	}
	return batch, nil
}

func (op *matMul[T]) run() error {
	clear(op.out.data)
	batchA, m, k := matrixOf(op.a.shape, true)
	batchB, _, n := matrixOf(op.b.shape, false)
	batch := op.batch
	if elements, _ := product(batchB...); elements == 1 && len(batchB) <= len(batchA) { // one product for the whole batch
		m = len(op.out.data) / n
		batch, batchA, batchB = nil, nil, nil
	}
	op.walk.broadcast(batch, batchA, batchB)
	size, step := op.walk.inner()
	op.walk.rows(func(out int, at offsets) {
		for i := range size {
			kernels.MulNN(
				kernels.Dense(m, n, op.out.data[(out+i)*m*n:]),
				kernels.Dense(m, k, op.a.data[(at[0]+i*step[0])*m*k:]),
				kernels.Dense(k, n, op.b.data[(at[1]+i*step[1])*k*n:]))
		}
	})
	return nil
}

// intMatMul is matMul of integers.
type intMatMul[T int32 | int64 | uint8] struct {
	a, b, out *array[T]
	walk      walk
	batch     []int
}

func newIntMatMul[T int32 | int64 | uint8](n *node) operator {
	return &intMatMul[T]{a: input[T](n, 0), b: input[T](n, 1), out: output[T](n, 0)}
}

func (op *intMatMul[T]) shapes() (err error) {
	op.batch, err = matMulShape(op.batch, op.a.shape, op.b.shape, &op.out.header)
	return err
}

func (op *intMatMul[T]) run() error {
	batchA, m, k := matrixOf(op.a.shape, true)
	batchB, _, n := matrixOf(op.b.shape, false)
	op.walk.broadcast(op.batch, batchA, batchB)
	size, step := op.walk.inner()
	op.walk.rows(func(out int, at offsets) {
		for i := range size {
			dst := op.out.data[(out+i)*m*n:][:m*n]
			a := op.a.data[(at[0]+i*step[0])*m*k:][:m*k]
			b := op.b.data[(at[1]+i*step[1])*k*n:][:k*n]
			mulInts(dst, a, b, m, k, n)
		}
	})
	return nil
}

// mulInts sets dst [m, n] to a b, of a [m, k] and b [k, n].
func mulInts[T int32 | int64 | uint8](dst, a, b []T, m, k, n int) {
	clear(dst)
	for i := range m {
		row := dst[i*n:][:n]
		for p, x := range a[i*k:][:k] {
			for j, y := range b[p*n:][:n] {
				row[j] += x * y
			}
		}
	}
}
