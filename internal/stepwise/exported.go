package stepwise

import (
	"fmt"
	"math"
	"slices"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// checkExportedSteps refuses arithmetic with a constant that an exporter may have
// computed from the number of steps. Such a graph is right for that number only.
func checkExportedSteps(g *onnxgraph.Graph, steps int64, numbers map[string]float64) error {
	for _, t := range g.Initializers {
		addNumber(numbers, t.Name, t)
	}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		if t, ok := n.Constant(); ok && len(n.Outputs) == 1 {
			addNumber(numbers, n.Outputs[0], t)
		}
		for _, inner := range n.Subgraphs() {
			if err := checkExportedSteps(inner, steps, numbers); err != nil {
				return err
			}
		}
		if !slices.Contains([]string{"Add", "Sub", "Mul", "Div", "Pow", "Mod", "Max", "Min", "Sqrt", "Log", "Reciprocal", "Equal", "Less", "Greater", "Where", "Clip"}, n.OpType) {
			continue
		}
		for _, name := range n.Inputs {
			if x, ok := numbers[name]; ok && isOf(x, float64(steps)) {
				return fmt.Errorf("node %q (%s) computes with %g, which may be of the number of steps", nameOf(n), n.OpType, x)
			}
		}
	}
	return nil
}

// addNumber adds a constant that has one element.
func addNumber(numbers map[string]float64, name string, t onnxgraph.Tensor) {
	if t.Len() == 1 && t.Type() != onnxgraph.Bool {
		numbers[name] = t.Float64s()[0]
	}
}

// isOf reports whether x may be computed from the number of steps.
func isOf(x, steps float64) bool {
	x = math.Abs(x)
	if x == 0 || x == 1 {
		return false
	}
	for _, f := range []float64{steps, steps - 1, steps + 1, steps / 2, math.Floor(steps / 2), math.Sqrt(steps), math.Log(steps), steps * steps} {
		if f != 0 && f != 1 && (math.Abs(x-f) <= 1e-6*f || math.Abs(x-1/f) <= 1e-6/f) {
			return true
		}
	}
	return false
}
