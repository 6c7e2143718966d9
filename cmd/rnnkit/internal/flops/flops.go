// Package flops counts the floating-point operations of a run of an ONNX model:
// two for each multiplication and addition in MatMul, Gemm, Conv, ConvTranspose,
// RNN, GRU and LSTM. All that is pointwise is left out.
package flops

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/graphs"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// Count returns the operations of a run of m on inputs. It runs the model on e to
// learn the shapes. It is an error if graphs within nodes have operators that
// count: how often these run is not known.
func Count(ctx context.Context, m *onnxgraph.Model, e engine.Engine, inputs map[string]tensor.Tensor) (int64, error) {
	shown := *m
	shown.Graph.Nodes = slices.Clone(m.Graph.Nodes)
	shown.Graph.Outputs = nil
	shape := func(name string) string { return "shape of " + name }
	seen := map[string]bool{"": true}
	var counted []onnxgraph.Node
	for _, n := range m.Graph.Nodes {
		if within(&n) {
			return 0, fmt.Errorf("%s %q has operators within, and how often they run is not known", n.OpType, n.Name)
		}
		if !counts(&n) {
			continue
		}
		counted = append(counted, n)
		for _, name := range slices.Concat(n.Inputs, n.Outputs) {
			if seen[name] {
				continue
			}
			seen[name] = true
			shown.Graph.Nodes = append(shown.Graph.Nodes, onnxgraph.Node{OpType: "Shape", Inputs: []string{name}, Outputs: []string{shape(name)}})
			shown.Graph.Outputs = append(shown.Graph.Outputs, onnxgraph.Value{Name: shape(name), Type: onnxgraph.Int64})
		}
	}
	if len(counted) == 0 {
		return 0, nil
	}
	session, err := graphs.Open(ctx, e, &shown)
	if err != nil {
		return 0, err
	}
	defer session.Close()
	var names []string
	for _, v := range shown.Graph.Outputs {
		names = append(names, v.Name)
	}
	results, err := session.Run(ctx, inputs, names...)
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, n := range counted {
		var in, out [][]int64
		for _, name := range n.Inputs {
			dims, _ := results[shape(name)].Data.([]int64)
			in = append(in, dims)
		}
		for _, name := range n.Outputs {
			dims, _ := results[shape(name)].Data.([]int64)
			out = append(out, dims)
		}
		operations, err := ofNode(&n, in, out)
		if err != nil {
			return 0, fmt.Errorf("%s %q: %w", n.OpType, n.Name, err)
		}
		sum += operations
	}
	return sum, nil
}

// counts reports whether the operations of n are counted.
func counts(n *onnxgraph.Node) bool {
	return n.Is(onnxgraph.Recurrent) || n.IsOp("MatMul", "Gemm", "Conv", "ConvTranspose")
}

// within reports whether a graph of n has an operator that counts.
func within(n *onnxgraph.Node) bool {
	return slices.ContainsFunc(n.Subgraphs(), func(g *onnxgraph.Graph) bool {
		return slices.ContainsFunc(g.Nodes, func(sub onnxgraph.Node) bool { return counts(&sub) || within(&sub) })
	})
}

var errShapes = errors.New("its shapes are not those of the operator")

// ofNode returns the operations of n, whose inputs and outputs have the given
// shapes.
func ofNode(n *onnxgraph.Node, in, out [][]int64) (int64, error) {
	if len(in) < 2 || len(in[0]) == 0 || len(in[1]) == 0 {
		return 0, errShapes
	}
	switch n.OpType {
	case "MatMul":
		return 2 * size(out[0]) * in[0][len(in[0])-1], nil
	case "Gemm":
		k := in[0][len(in[0])-1]
		if n.Int("transA", 0) == 1 {
			k = in[0][0]
		}
		return 2 * size(out[0]) * k, nil
	case "Conv": // each output reads a window of all channels of its group
		return 2 * size(out[0]) * size(in[1][1:]), nil
	case "ConvTranspose": // each input goes to a window of all channels of its group
		return 2 * size(in[0]) * size(in[1][1:]), nil
	default: // each step of each sequence is multiplied by W and by R
		if len(in) < 3 || len(in[0]) != 3 {
			return 0, errShapes
		}
		return 2 * in[0][0] * in[0][1] * (size(in[1]) + size(in[2])), nil
	}
}

func size(shape []int64) int64 {
	product := int64(1)
	for _, d := range shape {
		product *= d
	}
	return product
}
