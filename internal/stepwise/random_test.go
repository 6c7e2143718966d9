package stepwise_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/stepwise"
)

// randomGraph makes graphs of operators that keep steps apart, mix them, or do not run
// at all, over x of [b, t, 4].
type randomGraph struct {
	onnxgraph.Graph
	*rand.Rand
	values []string
	names  int
}

func (g *randomGraph) name() string {
	g.names++
	return fmt.Sprint("v", g.names)
}

func (g *randomGraph) constant(data any, shape ...int) string {
	t := onnxgraph.Tensor{Name: g.name(), Tensor: tensor.Tensor{Shape: append([]int{}, shape...), Data: data}}
	g.Initializers = append(g.Initializers, t)
	return t.Name
}

func (g *randomGraph) ints(values ...int64) string { return g.constant(values, len(values)) }
func (g *randomGraph) oneOf(values ...int64) int64 { return values[g.IntN(len(values))] }
func (g *randomGraph) axis() int64                 { return g.Int64N(4) - 1 }
func (g *randomGraph) width() int                  { return 3 + g.IntN(2) }

func (g *randomGraph) floats(shape ...int) string {
	size, _ := tensor.Size(shape)
	data := make([]float32, size)
	for i := range data {
		data[i] = float32(g.NormFloat64()) / 2
	}
	return g.constant(data, shape...)
}

// node adds a node of that many outputs and returns one of them.
func (g *randomGraph) node(op string, outputs int, inputs []string, attributes ...onnxgraph.Attribute) string {
	n := onnxgraph.Node{OpType: op, Inputs: inputs, Attributes: attributes}
	for range outputs {
		n.Outputs = append(n.Outputs, g.name())
	}
	g.Nodes = append(g.Nodes, n)
	return n.Outputs[g.IntN(outputs)]
}

// rnn adds a recurrent node, of which one in some is reversed or begins elsewhere.
func (g *randomGraph) rnn(x string) string {
	inputs := []string{x, g.floats(1, 3, g.width()), g.floats(1, 3, 3)}
	if g.IntN(3) == 0 {
		inputs = append(inputs, "", "", g.floats(1, 2, 3))
	}
	direction := "forward"
	if g.IntN(12) == 0 {
		direction = "reverse"
	}
	g.node("RNN", 2, inputs, onnxgraph.Attribute{Name: "hidden_size", Value: int64(3)}, onnxgraph.Attribute{Name: "direction", Value: direction})
	outputs := g.Nodes[len(g.Nodes)-1].Outputs
	if g.IntN(4) == 0 {
		return outputs[1]
	}
	return g.node("Squeeze", 1, []string{outputs[0], g.ints(1)})
}

// pick returns the last value, or any other.
func (g *randomGraph) pick() string {
	if g.IntN(3) > 0 {
		return g.values[len(g.values)-1]
	}
	return g.values[g.IntN(len(g.values))]
}

func axisOf(n int64) onnxgraph.Attribute { return onnxgraph.Attribute{Name: "axis", Value: n} }

// step adds any operator.
func (g *randomGraph) step() string {
	x := g.pick()
	either := func(ops ...string) string { return ops[g.IntN(len(ops))] }
	switch g.IntN(22) {
	case 0:
		perms := [][]int64{{1, 0, 2}, {0, 2, 1}, {2, 1, 0}, {1, 2, 0}, {2, 0, 1}, {1, 0}, {0, 2, 1, 3}}
		return g.node("Transpose", 1, []string{x}, onnxgraph.Attribute{Name: "perm", Value: perms[g.IntN(len(perms))]})
	case 1:
		targets := [][]int64{
			{0, 0, -1}, {-1, 4}, {0, -1}, {-1, 3}, {2, -1, 4}, {0, -1, 3}, {2, -1, 3}, {0, 2, -1}, {-1, 2, 4},
			{0, 0, 2, -1}, {2, 6, -1}, {-1},
		}
		return g.node("Reshape", 1, []string{x, g.ints(targets[g.IntN(len(targets))]...)})
	case 2:
		return g.node(either("Softmax", "LogSoftmax"), 1, []string{x}, axisOf(g.axis()))
	case 3:
		return g.node(either("ReduceMean", "ReduceMax"), 1, []string{x},
			onnxgraph.Attribute{Name: "axes", Value: []int64{g.axis()}}, onnxgraph.Attribute{Name: "keepdims", Value: g.Int64N(2)})
	case 4:
		shapes := [][]int{{4}, {3}, {1}, {2, 1, 4}, {6, 1}, {2, 1, 1}, {1, 3}, {6, 4}}
		return g.node(either("Add", "Mul"), 1, []string{x, g.floats(shapes[g.IntN(len(shapes))]...)})
	case 5:
		return g.node("MatMul", 1, []string{x, g.floats(g.width(), g.width())})
	case 6:
		return g.node("Slice", 1, []string{
			x, g.ints(g.oneOf(0, -1, 1, -2)), g.ints(g.oneOf(1<<40, 2, -1, 3, 6)), g.ints(g.axis()),
			g.ints(g.oneOf(1, 1, 1, 2, -1)),
		})
	case 7:
		return g.node("Concat", 1, []string{x, g.pick()}, axisOf(g.axis()))
	case 8:
		return g.node("Gather", 1, []string{x, g.constant([]int64{g.oneOf(-1, 0, 1, -1)})}, axisOf(g.axis()))
	case 9:
		return g.node(either("Unsqueeze", "Squeeze"), 1, []string{x, g.ints(g.axis())})
	case 10:
		return g.node("Flatten", 1, []string{x}, axisOf(g.Int64N(3)))
	case 11:
		return g.node("CumSum", 1, []string{x, g.constant([]int64{g.axis()})})
	case 12, 13:
		return g.node(either("Add", "Mul", "MatMul"), 1, []string{x, g.pick()})
	case 14:
		return g.node("Split", 2, []string{x}, axisOf(g.axis()))
	case 15:
		return g.node("Tile", 1, []string{x, g.ints([][]int64{{1, 1, 2}, {1, 2, 1}, {2, 1, 1}, {1, 2}}[g.IntN(4)]...)})
	case 16, 17:
		return g.shaped(x)
	}
	return g.rnn(x)
}

// shaped adds operators that use a size of x.
func (g *randomGraph) shaped(x string) string {
	size := g.node("Gather", 1, []string{g.node("Shape", 1, []string{x}), g.ints(g.Int64N(3))}, axisOf(0))
	switch g.IntN(3) {
	case 0:
		return g.node("Reshape", 1, []string{g.pick(), g.node("Concat", 1, []string{size, g.ints(-1)}, axisOf(0))})
	case 1:
		return g.node("Expand", 1, []string{g.pick(), g.node("Concat", 1, []string{g.ints(2), size, g.ints(1)}, axisOf(0))})
	}
	return g.node("Mul", 1, []string{
		g.pick(),
		g.node("Cast", 1, []string{size}, onnxgraph.Attribute{Name: "to", Value: onnxgraph.Number(onnxgraph.Float32)}),
	})
}

// TestRandomGraphs steps all random graphs that are not refused, of two rows and six
// steps or the other way round: the steps must be the whole.
func TestRandomGraphs(t *testing.T) {
	tries := 20_000
	if testing.Short() {
		tries = 4000
	}
	rng, streamed := rand.New(rand.NewPCG(11, 12)), 0
	for range tries {
		g := &randomGraph{Rand: rng, values: []string{"x"}}
		g.Inputs = []onnxgraph.Value{{Name: "x", Type: onnxgraph.Float32, Shape: []onnxgraph.Dim{{Symbol: "b"}, {Symbol: "t"}, {Size: 4}}}}
		for range 2 + rng.IntN(8) {
			g.values = append(g.values, g.step())
		}
		out := g.values[len(g.values)-1]
		g.Outputs = []onnxgraph.Value{{Name: out, Type: onnxgraph.Float32}}
		m := &onnxgraph.Model{IRVersion: 8, Opsets: []onnxgraph.Opset{{Version: 17}}, Graph: g.Graph}
		if plan, err := stepwise.Of(m, nil); err == nil && checkRandom(t, m, plan, out, rng) {
			streamed++
		}
	}
	if streamed < tries/100 {
		t.Errorf("only %d graphs of %d were streamed", streamed, tries)
	}
}

// checkRandom compares steps with the whole, and reports whether that ran.
func checkRandom(t *testing.T, graph *onnxgraph.Model, plan *stepwise.Plan, out string, rng *rand.Rand) bool {
	t.Helper()
	data, err := onnxgraph.Marshal(graph)
	if err != nil {
		t.Fatal(err)
	}
	m, err := infer.OpenBytes(data, infer.With(native.New()))
	if err != nil {
		return false
	}
	defer m.Close()
	x := tensor.Of(make([]float32, 2*6*4), 2, 6, 4)
	for i := range x.Len() {
		x.Data.([]float32)[i] = float32(rng.NormFloat64())
	}
	whole, err := m.Run(t.Context(), map[string]tensor.Tensor{"x": x})
	if err != nil {
		return false
	}
	s, axis := m.NewState(), plan.Axes["x"]
	for i := range x.Shape[axis] {
		got, err := m.StepTensors(t.Context(), s, map[string]tensor.Tensor{"x": slice(x, axis, i)})
		if err != nil {
			t.Errorf("step %d of %v: %v", i, graph.Graph.Nodes, err)
			return true
		}
		y, want := got[out], whole[out]
		if time, ok := plan.Axes[out]; ok {
			want = slice(want, time, i)
		} else if i < x.Shape[axis]-1 || y.Len() != want.Len() || y.Len() == 0 { // one that has rows and steps in one dimension
			continue
		}
		if d := distance(y, want); !(d <= 1e-4) && fmt.Sprint(y) != fmt.Sprint(want) { // an infinity is one
			t.Errorf("step %d of %v differs by %g", i, graph.Graph.Nodes, d)
		}
	}
	return true
}
