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
	counted, err := countedNodes(&m.Graph)
	if err != nil || len(counted) == 0 {
		return 0, err
	}
	shapes, err := shapesOf(ctx, m, e, inputs, counted)
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, n := range counted {
		operations, err := ofNode(n, shapes.all(n.Inputs), shapes.all(n.Outputs))
		if err != nil {
			return 0, fmt.Errorf("%s %q: %w", n.OpType, n.Name, err)
		}
		sum += operations
	}
	return sum, nil
}

// countedNodes returns the nodes of g whose operations are counted.
func countedNodes(g *onnxgraph.Graph) (counted []*onnxgraph.Node, err error) {
	for i := range g.Nodes {
		n := &g.Nodes[i]
		if within(n) {
			return nil, fmt.Errorf("%s %q has operators within, and how often they run is not known", n.OpType, n.Name)
		}
		if counts(n) {
			counted = append(counted, n)
		}
	}
	return counted, nil
}

// shapes has the shapes of values in a run.
type shapes map[string][]int64

// all returns the shapes of the values of those names.
func (s shapes) all(names []string) (list [][]int64) {
	for _, name := range names {
		list = append(list, s[name])
	}
	return list
}

// shapesOf runs m on e with a Shape for each value that nodes read or write, and returns
// what these answer.
func shapesOf(ctx context.Context, m *onnxgraph.Model, e engine.Engine, inputs map[string]tensor.Tensor, nodes []*onnxgraph.Node) (shapes, error) {
	shown := *m
	shown.Graph.Nodes = slices.Clone(m.Graph.Nodes)
	shown.Graph.Outputs = nil
	found := shapes{"": nil}
	for _, n := range nodes {
		for _, name := range slices.Concat(n.Inputs, n.Outputs) {
			if _, ok := found[name]; ok {
				continue
			}
			found[name] = nil
			shown.Graph.Nodes = append(shown.Graph.Nodes, onnxgraph.Node{OpType: "Shape", Inputs: []string{name}, Outputs: []string{shapeOf(name)}})
			shown.Graph.Outputs = append(shown.Graph.Outputs, onnxgraph.Value{Name: shapeOf(name), Type: onnxgraph.Int64})
		}
	}
	session, err := graphs.Open(ctx, e, &shown)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	results, err := session.Run(ctx, inputs)
	if err != nil {
		return nil, err
	}
	for name := range found {
		found[name], _ = results[shapeOf(name)].Data.([]int64)
	}
	return found, nil
}

// shapeOf returns the name of the output that is the shape of a value.
func shapeOf(name string) string { return "shape of " + name }

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
