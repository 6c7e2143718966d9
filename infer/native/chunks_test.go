package native

import (
	"context"
	"errors"
	"testing"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/onnxtest"
)

// TestChunks makes products in chunks: it cancels each where the third begins,
// and compares the whole with a plain loop.
func TestChunks(t *testing.T) {
	gemm := func(transA, transB int64) onnxgraph.Node {
		return call("Gemm", []string{"a", "b"}, []string{"p"}, "transA", transA, "transB", transB)
	}
	matMul := call("MatMul", []string{"a", "b"}, []string{"p"})
	einsum := call("Einsum", []string{"b", "a"}, []string{"p"}, "equation", "bjk,ij->bik")
	large, small := [3]int{1100, 400, 500}, [3]int{200, 300, 300}
	type key struct {
		sizes [3]int
		batch int
	}
	made := map[key][]tensor.Tensor{}
	factors := func(sizes [3]int, batch int) (a, b, product tensor.Tensor) {
		k := key{sizes, batch}
		if made[k] == nil {
			a, b, product := factors(sizes, batch)
			made[k] = []tensor.Tensor{a, b, product}
		}
		return made[k][0], made[k][1], made[k][2]
	}
	for _, c := range []struct {
		name  string
		node  onnxgraph.Node
		typ   onnxgraph.DataType
		sizes [3]int
		batch int // of b; 0 for a single matrix
	}{
		{"MatMul", matMul, onnxgraph.Float32, large, 0},
		{"MatMul of a batch", matMul, onnxgraph.Float32, [3]int{500, 400, 500}, 3},
		{"MatMul of float64", matMul, onnxgraph.Float64, large, 0},
		{"MatMul of integers", matMul, onnxgraph.Int64, large, 0},
		{"Gemm", gemm(0, 0), onnxgraph.Float64, large, 0},
		{"Gemm with transA", gemm(1, 0), onnxgraph.Float32, large, 0},
		{"Gemm with transB", gemm(0, 1), onnxgraph.Float32, large, 0},
		{"Gemm with both", gemm(1, 1), onnxgraph.Float32, large, 0},
		{"Gemm with transB in blocks", gemm(0, 1), onnxgraph.Float32, [3]int{3, 2100, 2100}, 0},
		{"Einsum", einsum, onnxgraph.Float32, small, 1},
		{"Einsum of a batch", einsum, onnxgraph.Int32, small, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b, want := factors(c.sizes, c.batch)
			for i, swap := range []*tensor.Tensor{&a, &b} {
				if len(c.node.Attributes) == 2 && c.node.Attributes[i].Value == int64(1) {
					*swap = transposed(*swap, []int{1, 0})
				}
			}
			m := graph(
				call("Cast", []string{"x"}, []string{"a"}, "to", onnxgraph.Number(c.typ)),
				call("Cast", []string{"w"}, []string{"b"}, "to", onnxgraph.Number(c.typ)),
				c.node,
				call("Cast", []string{"p"}, []string{"y"}, "to", onnxgraph.Number(onnxgraph.Float32)))
			m.Graph.Inputs = []onnxgraph.Value{{Name: "x", Type: onnxgraph.Float32}, {Name: "w", Type: onnxgraph.Float32}}
			session, inputs := open(t, m), tensors{"x": a, "w": b}

			const nodes, chunks = 3, 1 // that ask and go on
			_, err := session.Run(&canceledLater{Context: t.Context(), calls: nodes + chunks}, inputs)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("the error is %v", err)
			}
			if err := onnxtest.Compare(run(t, session, inputs)["y"], want, 0, 0); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestWindowsInChunks breaks off convolutions and a pool on their way.
func TestWindowsInChunks(t *testing.T) {
	for _, node := range []onnxgraph.Node{
		call("Conv", []string{"x", "w"}, []string{"y"}),
		call("ConvTranspose", []string{"x", "w"}, []string{"y"}),
		call("MaxPool", []string{"x"}, []string{"y"}, "kernel_shape", []int64{20, 20}),
		call("AveragePool", []string{"x"}, []string{"y"}, "kernel_shape", []int64{20, 20}),
	} {
		m := graph(node)
		m.Graph.Inputs = []onnxgraph.Value{{Name: "x", Type: onnxgraph.Float32}}
		m.Graph.Initializers = []onnxgraph.Tensor{floats("w", 16, 16, 5, 5)}
		inputs := tensors{"x": valueOf(floats("x", 1, 16, 200, 200))}
		_, err := open(t, m).Run(&canceledLater{Context: t.Context(), calls: 2}, inputs) // of the node, and of its first chunk
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: the error is %v", node.OpType, err)
		}
	}
}

// factors returns matrices of small integers, [m, k] and [k, n], of the latter as
// many as batch says, and their products.
func factors(sizes [3]int, batch int) (a, b, product tensor.Tensor) {
	m, k, n := sizes[0], sizes[1], sizes[2]
	matrices := max(1, batch)
	a, b = tensor.Zeros(tensor.Float32, m, k), tensor.Zeros(tensor.Float32, matrices, k, n)
	product = tensor.Zeros(tensor.Float32, matrices, m, n)
	x, w, y := a.Data.([]float32), b.Data.([]float32), product.Data.([]float32)
	for i := range x {
		x[i] = float32(i*i%7 - 3)
	}
	for i := range w {
		w[i] = float32(i*i%11 - 5)
	}
	for i := range matrices * m {
		row := y[i*n:][:n]
		for p, v := range x[i%m*k:][:k] {
			for j, u := range w[(i/m*k+p)*n:][:n] {
				row[j] += v * u
			}
		}
	}
	if batch == 0 {
		b.Shape, product.Shape = b.Shape[1:], product.Shape[1:]
	}
	return a, b, product
}
