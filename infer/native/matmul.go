package native

import (
	"errors"
	"fmt"

	"github.com/rnnkit/rnnkit/internal/kernels"
)

// matMul multiplies matrices, the last two dimensions of its inputs, of which
// the dimensions before are broadcast.
type matMul struct {
	a, b, out *array[float32]
	walk      walk
}

func newMatMul(n *node) operator {
	return &matMul{a: input[float32](n, 0), b: input[float32](n, 1), out: output[float32](n, 0)}
}

func (op *matMul) run() error {
	a, b := op.a.shape, op.b.shape
	if len(a) == 0 || len(b) == 0 {
		return errors.New("a scalar is no factor of a matrix product")
	}
	// A single dimension is a row on the left and a column on the right.
	batchA, m, k := a[:max(len(a)-2, 0)], 1, a[len(a)-1]
	if len(a) > 1 {
		m = a[len(a)-2]
	}
	batchB, inner, n := b[:max(len(b)-2, 0)], b[0], 1
	if len(b) > 1 {
		inner, n = b[len(b)-2], b[len(b)-1]
	}
	batch, ok := broadcast(op.out.shape[:0], batchA, batchB)
	if !ok || k != inner {
		return fmt.Errorf("matrices of shapes %v and %v cannot be multiplied", a, b)
	}
	op.out.shape = batch
	if len(a) > 1 {
		op.out.shape = append(op.out.shape, m)
	}
	if len(b) > 1 {
		op.out.shape = append(op.out.shape, n)
	}
	if err := op.out.resize(); err != nil || len(op.out.data) == 0 {
		return err
	}
	clear(op.out.data)
	if len(batchB) == 0 { // one product for the whole batch
		m = len(op.out.data) / n
		batch, batchA = nil, nil
	}
	op.walk.broadcast(batch, batchA, batchB)
	size, stepA, stepB := op.walk.inner()
	op.walk.rows(func(out, a, b int) {
		for i := range size {
			kernels.MulNN(
				kernels.Dense(m, n, op.out.data[(out+i)*m*n:]),
				kernels.Dense(m, k, op.a.data[(a+i*stepA)*m*k:]),
				kernels.Dense(k, n, op.b.data[(b+i*stepB)*k*n:]))
		}
	})
	return nil
}
