package export

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/models"
)

// build lays out the graph from the input to the outputs.
func build(m *models.Model) onnxgraph.Graph {
	g := &graph{spec: m.Spec, params: m.Params}
	g.Name = "rnnkit"
	g.joined = g.shape("joined_shape", 0, 0, m.Spec.Width())
	x := g.readInput(m.InputScale)
	y, finalH := g.recurrent(x)
	read := g.readout(y, finalH)
	g.head(read, m.OutputScale)
	g.declareOutputs()
	return g.Graph
}

// graph is an ONNX graph under construction. Its values have the names of what
// they hold; every node bears the name of its first output.
type graph struct {
	onnxgraph.Graph
	spec   models.Spec
	params *models.Params[float32]
	joined string // the shape that puts directions side by side
}

var (
	batch = onnxgraph.Dim{Symbol: "batch"}
	time  = onnxgraph.Dim{Symbol: "time"}
)

func size(n int) onnxgraph.Dim { return onnxgraph.Dim{Size: int64(n)} }

// readInput declares the input and returns what the first layer reads, [time,
// batch, inputs].
func (g *graph) readInput(scale *models.Scale) string {
	x := "input"
	if g.spec.Vocabulary > 0 {
		g.input(x, onnxgraph.Int64, batch, time)
		table := g.floats("embedding", g.params.Embedding, g.spec.Vocabulary, g.spec.Embedding)
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

// recurrent runs x through the layers, with the state from h0 and c0 to hn and
// cn. It returns the outputs of the last layer, [time, directions, batch,
// hidden], and its final h, [directions, batch, hidden].
func (g *graph) recurrent(x string) (y, finalH string) {
	letters := stateNames(g.spec.Cell)
	initial, final := make([][]string, len(letters)), make([][]string, len(letters))
	shape := g.stateShape()
	for s, letter := range letters {
		initial[s] = g.initialState(letter, shape)
	}
	dirs, rows := g.spec.Directions(), g.spec.Cell.Gates()*g.spec.Hidden
	for i, l := range g.params.Layers {
		if i > 0 {
			sideBySide := g.node("Transpose", layer(i-1, "by_batch"), []string{y}, ints("perm", 0, 2, 1, 3))
			x = g.node("Reshape", layer(i-1, "joined"), []string{sideBySide, g.joined})
		}
		inputs := []string{
			x,
			g.floats(layer(i, "W"), l.W, dirs, rows, g.spec.LayerInputs(i)),
			g.floats(layer(i, "R"), l.R, dirs, rows, g.spec.Hidden),
			g.floats(layer(i, "B"), l.B, dirs, 2*rows),
			"", // sequence_lens
		}
		y = layer(i, "Y")
		outputs := []string{y}
		for s, letter := range letters {
			last := layer(i, letter)
			if g.spec.Layers == 1 {
				last = letter + "n"
			}
			inputs = append(inputs, initial[s][i])
			outputs = append(outputs, last)
			final[s] = append(final[s], last)
		}
		attributes := []onnxgraph.Attribute{{Name: "hidden_size", Value: int64(g.spec.Hidden)}}
		if g.spec.Bidirectional {
			attributes = append(attributes, onnxgraph.Attribute{Name: "direction", Value: "bidirectional"})
		}
		if g.spec.Activation == models.ReLU {
			attributes = append(attributes, onnxgraph.Attribute{Name: "activations", Value: slices.Repeat([]string{"Relu"}, dirs)})
		}
		if g.spec.Cell == models.GRU {
			attributes = append(attributes, onnxgraph.Attribute{Name: "linear_before_reset", Value: int64(1)})
		}
		g.Nodes = append(g.Nodes, onnxgraph.Node{
			Name: layer(i, string(g.spec.Cell)), OpType: strings.ToUpper(string(g.spec.Cell)),
			Inputs: inputs, Outputs: outputs, Attributes: attributes,
		})
	}
	if g.spec.Layers > 1 {
		for s, letter := range letters {
			g.node("Concat", letter+"n", final[s], axis(0))
		}
	}
	return y, final[0][g.spec.Layers-1]
}

// initialState declares the optional input of a letter of the state and
// returns the part of each layer, [directions, batch, hidden].
func (g *graph) initialState(letter, shape string) []string {
	name, states := letter+"0", g.spec.Layers*g.spec.Directions()
	// The default is a state of batch 1, which Expand widens, so the dimension
	// must not share the symbol of the input's batch.
	g.input(name, onnxgraph.Float32, size(states), onnxgraph.Dim{Symbol: "state_batch"}, size(g.spec.Hidden))
	g.floats(name, make([]float32, states*g.spec.Hidden), states, 1, g.spec.Hidden)
	wide := g.node("Expand", letter+"0_wide", []string{name, shape})
	if g.spec.Layers == 1 {
		return []string{wide}
	}
	parts := make([]string, g.spec.Layers)
	for i := range parts {
		parts[i] = layer(i, letter+"0")
	}
	g.Nodes = append(g.Nodes, onnxgraph.Node{
		Name: letter + "0_split", OpType: "Split", Inputs: []string{wide}, Outputs: parts,
		Attributes: []onnxgraph.Attribute{axis(0)},
	})
	return parts
}

// stateShape returns a value that holds [layers*directions, batch, hidden].
func (g *graph) stateShape() string {
	shape := g.node("Shape", "input_shape", []string{"input"})
	actual := g.node("Gather", "input_batch", []string{shape, g.shape("batch_axis", 0)}, axis(0))
	states := g.shape("state_count", g.spec.Layers*g.spec.Directions())
	return g.node("Concat", "state_shape", []string{states, actual, g.shape("state_size", g.spec.Hidden)}, axis(0))
}

// readout returns what the head reads. The outputs of all steps are there under
// the name hidden, [batch, time, directions*hidden].
func (g *graph) readout(y, finalH string) string {
	byBatch := g.node("Transpose", "hidden_by_batch", []string{y}, ints("perm", 2, 0, 1, 3))
	hidden := g.node("Reshape", "hidden", []string{byBatch, g.joined})
	switch g.spec.Readout {
	case models.ReadLast:
		g.Initializers = append(g.Initializers, onnxgraph.Tensor{Name: "last_step", Shape: []int{}, Data: []int64{-1}})
		return g.node("Gather", "last", []string{hidden, "last_step"}, axis(1))
	case models.ReadMean:
		return g.node("ReduceMean", "mean", []string{hidden}, ints("axes", 1), onnxgraph.Attribute{Name: "keepdims", Value: int64(0)})
	case models.ReadMax:
		return g.node("ReduceMax", "max", []string{hidden}, ints("axes", 1), onnxgraph.Attribute{Name: "keepdims", Value: int64(0)})
	case models.ReadFinal:
		final := g.node("Transpose", "final_by_batch", []string{finalH}, ints("perm", 1, 0, 2))
		return g.node("Reshape", "final", []string{final, g.shape("final_shape", 0, g.spec.Width())})
	}
	return hidden
}

// head turns what it reads into output, in raw units.
func (g *graph) head(read string, scale *models.Scale) {
	outputs := g.spec.Outputs
	product := g.node("MatMul", "head_product", []string{read, g.floats("head.W", g.params.Head.W, g.spec.Width(), outputs)})
	bias := g.floats("head.B", g.params.Head.B, outputs)
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
	for _, letter := range stateNames(g.spec.Cell) {
		g.output(letter+"n", size(g.spec.Layers*g.spec.Directions()), batch, size(g.spec.Hidden))
	}
}

func (g *graph) input(name string, t onnxgraph.DataType, shape ...onnxgraph.Dim) {
	g.Inputs = append(g.Inputs, onnxgraph.Value{Name: name, Type: t, Shape: shape})
}

func (g *graph) output(name string, shape ...onnxgraph.Dim) {
	g.Outputs = append(g.Outputs, onnxgraph.Value{Name: name, Type: onnxgraph.Float32, Shape: shape})
}

// node adds a node of one output and returns its name.
func (g *graph) node(op, output string, inputs []string, attributes ...onnxgraph.Attribute) string {
	g.Nodes = append(g.Nodes, onnxgraph.Node{Name: output, OpType: op, Inputs: inputs, Outputs: []string{output}, Attributes: attributes})
	return output
}

// floats adds a constant and returns its name.
func (g *graph) floats(name string, data []float32, shape ...int) string {
	g.Initializers = append(g.Initializers, onnxgraph.Tensor{Name: name, Shape: shape, Data: data})
	return name
}

// shape adds a constant of dimensions and returns its name.
func (g *graph) shape(name string, dims ...int) string {
	data := make([]int64, len(dims))
	for i, d := range dims {
		data[i] = int64(d)
	}
	g.Initializers = append(g.Initializers, onnxgraph.Tensor{Name: name, Shape: []int{len(dims)}, Data: data})
	return name
}

func layer(i int, part string) string { return fmt.Sprintf("layers.%d.%s", i, part) }

func ints(name string, values ...int64) onnxgraph.Attribute {
	return onnxgraph.Attribute{Name: name, Value: values}
}

func axis(i int64) onnxgraph.Attribute { return onnxgraph.Attribute{Name: "axis", Value: i} }
