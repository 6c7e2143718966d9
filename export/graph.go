package export

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/models"
)

// build returns the graph of m.
func build(m *models.Model) onnxgraph.Graph {
	if m.Spec.Direct != nil {
		return buildDirect(m).Graph
	}
	g := &graph{spec: m.Spec, params: m.Params, state: m.State}
	g.Name = "rnnkit"
	g.joined = g.shape("joined_shape", 0, 0, m.Spec.Width())
	y := g.recurrent(g.readInput(m.InputScale))
	g.head(g.readout(y), m.OutputScale)
	g.declareOutputs()
	return g.Graph
}

// graph is an ONNX graph under construction. Every node has the name of its first
// output.
type graph struct {
	onnxgraph.Graph
	prefix string // of the names of nodes and constants: which member of an ensemble they are of
	spec   models.Spec
	params *models.Params[float32]
	loaded []onnxgraph.Tensor // the initializers that are parameters
	state  []models.StatePair // empty if each run starts from zeros
	joined string             // the name of the shape [0, 0, directions*hidden]
}

var (
	batch = onnxgraph.Dim{Symbol: "batch"}
	time  = onnxgraph.Dim{Symbol: "time"}
)

func size(n int) onnxgraph.Dim { return onnxgraph.Dim{Size: n} }

// readInput declares the input and returns the value that the first layer reads,
// [time, batch, inputs].
func (g *graph) readInput(scale *models.Scale) string {
	x := "input"
	if g.spec.Vocabulary > 0 {
		g.input(x, onnxgraph.Int64, batch, time)
		table := g.weights("embedding", g.params.Embedding, g.spec.Vocabulary, g.spec.Embedding)
		x = g.node("Gather", "embedded", []string{table, x})
	} else {
		g.input(x, onnxgraph.Float32, batch, time, size(g.spec.Features))
		if scale != nil {
			shifted := g.node("Sub", "input_shifted", []string{x, g.floats("input_mean", scale.Mean, g.spec.Features)})
			x = g.node("Div", "input_scaled", []string{shifted, g.floats("input_std", scale.Std, g.spec.Features)})
		}
	}
	return g.node("Transpose", "steps", []string{x}, ints("perm", 1, 0, 2))
}

// recurrent adds the layers, which read x, and returns the outputs of the last one,
// [time, directions, batch, hidden]. It connects the state inputs and outputs.
func (g *graph) recurrent(x string) (y string) {
	for _, pair := range g.state {
		g.initialState(pair.Input)
	}
	for i := range g.params.Layers {
		if i > 0 {
			sideBySide := g.node("Transpose", layer(i-1, "by_batch"), []string{y}, ints("perm", 0, 2, 1, 3))
			x = g.node("Reshape", layer(i-1, "joined"), []string{sideBySide, g.joined})
		}
		y = g.layer(i, x)
	}
	for _, pair := range g.state {
		g.finalState(pair.Output)
	}
	return y
}

// layer adds the recurrent node of layer i, which reads x, and returns its output.
func (g *graph) layer(i int, x string) (y string) {
	l, dirs, rows := g.params.Layers[i], g.spec.Directions(), g.spec.Cell.Gates()*g.spec.Hidden
	n := onnxgraph.Node{
		Name: g.prefix + layer(i, string(g.spec.Cell)), OpType: strings.ToUpper(string(g.spec.Cell)),
		Inputs: []string{
			x,
			g.weights(layer(i, "W"), l.W, dirs, rows, g.spec.LayerInputs(i)),
			g.weights(layer(i, "R"), l.R, dirs, rows, g.spec.Hidden),
			g.weights(layer(i, "B"), l.B, dirs, 2*rows),
		},
		Outputs:    []string{g.prefix + layer(i, "Y")},
		Attributes: g.cellAttributes(),
	}
	if len(g.state) > 0 {
		n.Inputs = append(n.Inputs, "") // no sequence_lens
	}
	for _, pair := range g.state {
		initial := pair.Input
		if g.spec.Layers > 1 {
			initial = layer(i, initial)
		}
		n.Inputs = append(n.Inputs, initial)
	}
	for _, pair := range g.spec.State() {
		n.Outputs = append(n.Outputs, g.prefix+layer(i, pair.Output))
	}
	g.Nodes = append(g.Nodes, n)
	return n.Outputs[0]
}

func (g *graph) cellAttributes() []onnxgraph.Attribute {
	attributes := []onnxgraph.Attribute{{Name: "hidden_size", Value: int64(g.spec.Hidden)}}
	if g.spec.Bidirectional {
		attributes = append(attributes, onnxgraph.Attribute{Name: "direction", Value: "bidirectional"})
	}
	if g.spec.Activation == models.ReLU {
		attributes = append(attributes, onnxgraph.Attribute{Name: "activations", Value: slices.Repeat([]string{"Relu"}, g.spec.Directions())})
	}
	if g.spec.Cell == models.GRU {
		attributes = append(attributes, onnxgraph.Attribute{Name: "linear_before_reset", Value: int64(1)})
	}
	return attributes
}

// initialState declares a state input and splits it into one part per layer,
// [directions, batch, hidden].
func (g *graph) initialState(name string) {
	g.input(name, onnxgraph.Float32, g.stateShape()...)
	if g.spec.Layers > 1 {
		g.Nodes = append(g.Nodes, onnxgraph.Node{
			Name: name + "_split", OpType: "Split", Inputs: []string{name}, Outputs: g.parts(name),
			Attributes: []onnxgraph.Attribute{axis(0)},
		})
	}
}

// finalState adds a state output, the concatenation of the layers' final states. The
// head may read a final state too, so the output is always a value of its own.
func (g *graph) finalState(name string) {
	if parts := g.parts(name); len(parts) == 1 {
		g.node("Identity", name, parts)
	} else {
		g.node("Concat", name, parts, axis(0))
	}
}

// parts returns the names of the layers' parts of a state input or output.
func (g *graph) parts(name string) []string {
	parts := make([]string, g.spec.Layers)
	for i := range parts {
		parts[i] = layer(i, name)
	}
	return parts
}

func (g *graph) stateShape() []onnxgraph.Dim {
	return []onnxgraph.Dim{size(g.spec.Layers * g.spec.Directions()), batch, size(g.spec.Hidden)}
}

// readout returns the value that the head reads. It adds the output hidden, [batch,
// time, directions*hidden].
func (g *graph) readout(y string) string {
	byBatch := g.node("Transpose", "hidden_by_batch", []string{y}, ints("perm", 2, 0, 1, 3))
	hidden := g.node("Reshape", "hidden_joined", []string{byBatch, g.joined})
	g.node("Identity", "hidden", []string{hidden}) // not the value that the head reads: converters rename outputs
	switch g.spec.Readout {
	case models.ReadLast, models.ReadFinal:
		return g.last(y)
	case models.ReadMean:
		return g.node("ReduceMean", "mean", []string{hidden}, ints("axes", 1), onnxgraph.Attribute{Name: "keepdims", Value: int64(0)})
	case models.ReadMax:
		return g.node("ReduceMax", "max", []string{hidden}, ints("axes", 1), onnxgraph.Attribute{Name: "keepdims", Value: int64(0)})
	}
	return hidden
}

// last returns the last step of y, [batch, directions*hidden]. That is the final state,
// except for a backward direction, of which it takes a Slice. A Gather with the index
// -1 would do, but some engines read it as 0.
func (g *graph) last(y string) string {
	step, perm := g.prefix+layer(g.spec.Layers-1, "hn"), []int64{1, 0, 2}
	if g.spec.Readout == models.ReadLast && g.spec.Bidirectional {
		step, perm = g.node("Slice", "last_step", []string{y, g.shape("last_start", -1), g.shape("last_end", math.MaxInt64), g.shape("time_axis", 0)}), []int64{2, 0, 1, 3}
	}
	byBatch := g.node("Transpose", "last_by_batch", []string{step}, ints("perm", perm...))
	return g.node("Reshape", "last", []string{byBatch, g.shape("last_shape", 0, g.spec.Width())})
}

// head adds the linear head, which turns read into output, in raw units.
func (g *graph) head(read string, scale *models.Scale) {
	outputs := g.spec.Outputs
	product := g.node("MatMul", "head_product", []string{read, g.weights("head.W", g.params.Head.W, g.spec.Width(), outputs)})
	bias := g.weights("head.B", g.params.Head.B, outputs)
	if scale == nil {
		g.node("Add", "output", []string{product, bias})
	} else {
		scaled := g.node("Add", "output_scaled", []string{product, bias})
		spread := g.node("Mul", "output_spread", []string{scaled, g.floats("output_std", scale.Std, outputs)})
		g.node("Add", "output", []string{spread, g.floats("output_mean", scale.Mean, outputs)})
	}
}

func (g *graph) declareOutputs() {
	if g.spec.Readout == models.ReadAll {
		g.output("output", batch, time, size(g.spec.Outputs))
	} else {
		g.output("output", batch, size(g.spec.Outputs))
	}
	g.output("hidden", batch, time, size(g.spec.Width()))
	for _, pair := range g.state {
		g.output(pair.Output, g.stateShape()...)
	}
}

func (g *graph) input(name string, t onnxgraph.DataType, shape ...onnxgraph.Dim) {
	g.Inputs = append(g.Inputs, onnxgraph.Value{Name: name, Type: t, Shape: shape})
}

func (g *graph) output(name string, shape ...onnxgraph.Dim) {
	g.Outputs = append(g.Outputs, onnxgraph.Value{Name: name, Type: onnxgraph.Float32, Shape: shape})
}

// node adds a node with one output and returns the output's name.
func (g *graph) node(op, output string, inputs []string, attributes ...onnxgraph.Attribute) string {
	output = g.prefix + output
	g.Nodes = append(g.Nodes, onnxgraph.Node{Name: output, OpType: op, Inputs: inputs, Outputs: []string{output}, Attributes: attributes})
	return output
}

// floats adds a float32 constant and returns its name.
func (g *graph) floats(name string, data []float32, shape ...int) string {
	name = g.prefix + name
	g.Initializers = append(g.Initializers, onnxgraph.Tensor{Name: name, Tensor: tensor.Tensor{Shape: shape, Data: data}})
	return name
}

// weights adds a parameter and returns its name.
func (g *graph) weights(name string, data []float32, shape ...int) string {
	name = g.floats(name, data, shape...)
	g.loaded = append(g.loaded, g.Initializers[len(g.Initializers)-1])
	return name
}

// shape adds a constant shape and returns its name.
func (g *graph) shape(name string, dims ...int) string {
	name = g.prefix + name
	data := make([]int64, len(dims))
	for i, d := range dims {
		data[i] = int64(d)
	}
	g.Initializers = append(g.Initializers, onnxgraph.Tensor{Name: name, Tensor: tensor.Tensor{Shape: []int{len(dims)}, Data: data}})
	return name
}

// index adds a constant index without dimensions and returns its name.
func (g *graph) index(name string, i int) string {
	name = g.prefix + name
	g.Initializers = append(g.Initializers, onnxgraph.Tensor{Name: name, Tensor: tensor.Tensor{Data: []int64{int64(i)}}})
	return name
}

func layer(i int, part string) string { return fmt.Sprintf("layers.%d.%s", i, part) }

func ints(name string, values ...int64) onnxgraph.Attribute {
	return onnxgraph.Attribute{Name: name, Value: values}
}

func axis(i int64) onnxgraph.Attribute { return onnxgraph.Attribute{Name: "axis", Value: i} }
