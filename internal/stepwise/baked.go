package stepwise

import (
	"fmt"
	"math"
	"slices"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// checkBaked refuses arithmetic of g with a number that an exporter may have made of
// the number of steps, which is fixed: such a graph is right for that number only.
func checkBaked(g *onnxgraph.Graph, steps int64, numbers map[string]float64) error {
	for _, t := range g.Initializers {
		addNumber(numbers, t.Name, t)
	}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		if n.OpType == "Constant" && len(n.Attributes) == 1 && len(n.Outputs) == 1 {
			addNumber(numbers, n.Outputs[0], n.Attributes[0].Value)
		}
		for _, inner := range graphs(n) {
			if err := checkBaked(inner, steps, numbers); err != nil {
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

// addNumber notes a constant of one element.
func addNumber(numbers map[string]float64, name string, constant any) {
	switch v := constant.(type) {
	case onnxgraph.Tensor:
		if !slices.ContainsFunc(v.Shape, func(d int) bool { return d != 1 }) {
			addNumber(numbers, name, v.Data)
		}
	case []float32:
		numbers[name] = float64(v[0])
	case []float64:
		numbers[name] = v[0]
	case []int64:
		numbers[name] = float64(v[0])
	case []int32:
		numbers[name] = float64(v[0])
	case float32:
		numbers[name] = float64(v)
	case int64:
		numbers[name] = float64(v)
	}
}

// isOf tells whether x may be computed from the number of steps.
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
