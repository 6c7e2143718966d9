package native

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/rnnkit/rnnkit/internal/kernels"
)

// matMul multiplies matrices, the last two dimensions of its inputs; the dimensions before
// are broadcast. A bias may be fused with it, as third input.
type matMul[T float] struct {
	a, b, bias, out *array[T]
	iter            iterator
	batch           []int
	memory          *memory
}

var multiply = op{name: "MatMul", since: 1, in: two, out: one}

// productOps registers the products of matrices of floats.
func productOps[T float](t *typedOps) {
	t.add("Gemm", 7, arity{2, 3}, one, newGemm[T])
	t.build(&multiply, newMatMul[T])
}

func newMatMul[T float](n *node) kernel {
	n.expensive = true
	op := &matMul[T]{a: input[T](n, 0), b: input[T](n, 1), out: output[T](n, 0), memory: n.memory}
	if n.err == nil { // a bias has the type of b
		op.bias = input[T](n, 2)
	}
	return op
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
	batchA, m, k := matrixOf(op.a.shape, true)
	batchB, _, n := matrixOf(op.b.shape, false)
	if err := op.begin(); err != nil {
		return err
	}
	batch := op.batch
	if elements, _ := product(batchB...); elements == 1 && len(batchB) <= len(batchA) { // one product for the whole batch
		m = len(op.out.data) / n
		batch, batchA, batchB = nil, nil, nil
	}
	op.iter.broadcast(batch, batchA, batchB)
	_, stride := op.iter.inner()
	var err error
	ended := op.iter.rows(op.memory, func(out, size int, at offsets) {
		for i := 0; i < size && err == nil; i++ {
			dst := kernels.Dense(m, n, op.out.data[(out+i)*m*n:])
			a := kernels.Dense(m, k, op.a.data[(at[0]+i*stride[0])*m*k:])
			b := kernels.Dense(k, n, op.b.data[(at[1]+i*stride[1])*k*n:])
			err = byRows[T](op.memory, m, k*n, func(from, to int) {
				kernels.MulNN(dst.RowRange(from, to), a.RowRange(from, to), b)
			})
		}
	})
	return cmp.Or(err, ended)
}

// begin sets the output to what the products are added to.
func (op *matMul[T]) begin() error {
	if op.bias == nil {
		return op.out.fill(nil)
	}
	op.iter.broadcast(op.out.shape, op.bias.shape)
	return op.out.copyStrided(&op.iter, op.bias, 0)
}

// byRows calls multiply for blocks of rows, so that the context is checked about every
// checkInterval multiplications. A row takes each multiplications. Kernels that read the
// right factor once per block get larger blocks.
func byRows[T float](m *memory, rows, each int, multiply func(from, to int)) error {
	const long = 8 * checkInterval // what these kernels make in a few hundredths of a second
	least := min(256, long/max(1, each))
	if slow[T]() {
		least = 4
	}
	some := max(1, least, checkInterval/max(1, each))
	for from := 0; from < rows; from += some {
		to := min(from+some, rows)
		if err := m.spend((to - from) * each); err != nil {
			return err
		}
		multiply(from, to)
	}
	return nil
}

// slow reports whether products of T are made without the kernels in assembly.
func slow[T float]() bool { return size[T]() > 4 || kernels.Variant() == "generic" }

// intMatMul is matMul of integers.
type intMatMul[T integer] struct {
	a, b, out *array[T]
	iter      iterator
	batch     []int
	memory    *memory
}

func newIntMatMul[T integer](n *node) kernel {
	n.expensive = true
	return &intMatMul[T]{a: input[T](n, 0), b: input[T](n, 1), out: output[T](n, 0), memory: n.memory}
}

func (op *intMatMul[T]) shapes() (err error) {
	op.batch, err = matMulShape(op.batch, op.a.shape, op.b.shape, &op.out.header)
	return err
}

func (op *intMatMul[T]) run() error {
	batchA, m, k := matrixOf(op.a.shape, true)
	batchB, _, n := matrixOf(op.b.shape, false)
	op.iter.broadcast(op.batch, batchA, batchB)
	_, stride := op.iter.inner()
	var err error
	ended := op.iter.rows(op.memory, func(out, size int, at offsets) {
		for i := 0; i < size && err == nil; i++ {
			dst := op.out.data[(out+i)*m*n:][:m*n]
			a := op.a.data[(at[0]+i*stride[0])*m*k:][:m*k]
			b := op.b.data[(at[1]+i*stride[1])*k*n:][:k*n]
			err = mulInts(op.memory, dst, a, b, m, k, n)
		}
	})
	return cmp.Or(err, ended)
}

// mulInts sets dst [m, n] to a b, of a [m, k] and b [k, n].
func mulInts[T integer](memory *memory, dst, a, b []T, m, k, n int) error {
	clear(dst)
	for i := range m {
		if err := memory.spend(k * n); err != nil {
			return err
		}
		row := dst[i*n:][:n]
		for p, x := range a[i*k:][:k] {
			for j, y := range b[p*n:][:n] {
				row[j] += x * y
			}
		}
	}
	return nil
}

// gemm is alpha a b + beta c, of matrices that may be transposed.
type gemm[T float] struct {
	a, b, c, out   *array[T]
	alpha, beta    T
	transA, transB bool
	iter           iterator
	mul            *array[T]
	packed         kernels.Packed[T] // bᵀ
	packedBytes    int               // bytes of it, where b is not constant
	memory         *memory
}

func newGemm[T float](n *node) kernel {
	n.expensive = true
	if n.opset < 11 && !n.given(2) {
		n.fail("input 2 is missing, which may be left out from opset 11 on")
	}
	return &gemm[T]{
		a: input[T](n, 0), b: input[T](n, 1), c: input[T](n, 2), out: output[T](n, 0),
		alpha: T(attribute(n, "alpha", float32(1))), beta: T(attribute(n, "beta", float32(1))),
		transA: attribute(n, "transA", int64(0)) != 0, transB: attribute(n, "transB", int64(0)) != 0,
		mul: temp[T](n), memory: n.memory,
	}
}

// sizes returns those of the product [m, k] [k, n].
func (op *gemm[T]) sizes() (m, k, inner, n int) {
	m, k = op.a.shape[0], op.a.shape[1]
	if op.transA {
		m, k = k, m
	}
	inner, n = op.b.shape[0], op.b.shape[1]
	if op.transB {
		inner, n = n, inner
	}
	return m, k, inner, n
}

func (op *gemm[T]) shapes() error {
	if len(op.a.shape) != 2 || len(op.b.shape) != 2 {
		return fmt.Errorf("factors of shapes %v and %v are not both matrices", op.a.shape, op.b.shape)
	}
	m, k, inner, n := op.sizes()
	if k != inner {
		return fmt.Errorf("matrices of shapes %v and %v cannot be multiplied", op.a.shape, op.b.shape)
	}
	op.out.setShape(nil, m, n)
	if op.c == nil {
		return nil
	}
	fits := len(op.c.shape) <= 2
	for i, d := range op.c.shape {
		fits = fits && (d == 1 || d == op.out.shape[2-len(op.c.shape)+i])
	}
	if !fits {
		return fmt.Errorf("input C of shape %v cannot be broadcast to shape %v", op.c.shape, op.out.shape)
	}
	return nil
}

func (op *gemm[T]) run() error {
	m, k, _, n := op.sizes()
	out := op.out.data
	if err := op.begin(); err != nil {
		return err
	}
	product := out
	if op.alpha != 1 {
		if err := op.mul.resizeTo(m, n); err != nil {
			return err
		}
		if err := op.mul.fill(nil); err != nil {
			return err
		}
		product = op.mul.data
	}
	if k > 0 {
		if err := op.multiply(kernels.Dense(m, n, product)); err != nil {
			return err
		}
	}
	if op.alpha == 1 {
		return nil
	}
	return op.memory.chunks(len(out), func(from, to int) {
		for i := from; i < to; i++ {
			out[i] += op.alpha * product[i]
		}
	})
}

// begin sets the output to what the product is added to.
func (op *gemm[T]) begin() error {
	if op.c == nil || op.beta == 0 {
		return op.out.fill(nil)
	}
	op.iter.broadcast(op.out.shape, op.c.shape)
	if err := op.out.copyStrided(&op.iter, op.c, 0); err != nil || op.beta == 1 {
		return err
	}
	return op.memory.chunks(len(op.out.data), func(from, to int) {
		for i := from; i < to; i++ {
			op.out.data[i] *= op.beta
		}
	})
}

// multiply adds the product of the factors to dst.
func (op *gemm[T]) multiply(dst kernels.Matrix[T]) error {
	a := kernels.Dense(op.a.shape[0], op.a.shape[1], op.a.data)
	b := kernels.Dense(op.b.shape[0], op.b.shape[1], op.b.data)
	switch {
	case op.transA && op.transB:
		return mulTT(op.memory, dst, a, b)
	case op.transB && !op.b.constant:
		return op.byBlocks(dst, a, b)
	case op.transB && op.packed.Cols == 0:
		op.packed.PackT(b)
	}
	return byRows[T](op.memory, dst.Rows, b.Rows*b.Cols, func(from, to int) {
		dst := dst.RowRange(from, to)
		switch {
		case op.transA:
			kernels.MulTN(dst, a.ColRange(from, to), b)
		case op.transB:
			kernels.Mul(dst, dst, a.RowRange(from, to), &op.packed)
		default:
			kernels.MulNN(dst, a.RowRange(from, to), b)
		}
	})
}

// byBlocks adds the product with bᵀ, some rows of b at a time, which it packs.
func (op *gemm[T]) byBlocks(dst, a, b kernels.Matrix[T]) error {
	const block = 1 << 22 // elements
	some := min(max(block/max(b.Cols, 1), 32), b.Rows)
	if err := op.memory.reserveMore(&op.packedBytes, inPanels(some, b.Cols), size[T]()); err != nil {
		return fmt.Errorf("a factor of shape %v is too large: %w", op.b.shape, err)
	}
	for from := 0; from < b.Rows; from += some {
		part := b.RowRange(from, min(from+some, b.Rows))
		if err := op.memory.spend(part.Rows * part.Cols * copyCost); err != nil {
			return err
		}
		op.packed.PackT(part)
		err := byRows[T](op.memory, dst.Rows, part.Rows*part.Cols, func(i, end int) {
			to := dst.RowRange(i, end).ColRange(from, from+part.Rows)
			kernels.Mul(to, to, a.RowRange(i, end), &op.packed)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// inPanels returns how many elements a matrix of weights, [rows, cols], has at most
// once it is packed for products.
func inPanels(rows, cols int) int {
	const panel = 32
	return (rows + panel - 1) / panel * panel * cols
}

// mulTT adds aᵀ bᵀ to dst, which is rare, and slow.
func mulTT[T float](m *memory, dst, a, b kernels.Matrix[T]) error {
	for i := range dst.Rows {
		if err := m.spend(b.Rows * b.Cols * copyCost); err != nil { // of a, each lies elsewhere
			return err
		}
		for j := range dst.Cols {
			sum := dst.Row(i)[j]
			for p, v := range b.Row(j) {
				sum += a.Row(p)[i] * v
			}
			dst.Row(i)[j] = sum
		}
	}
	return nil
}
