package export

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/models"
)

// LoadParams sets p, the parameters of s, to those of an ONNX file, to start
// training from. The file is one of ours, or one that PyTorch (torch.onnx.export
// with dynamo=True or False, of RNN, LSTM or GRU, Embedding and Linear) or Keras
// (tf2onnx, keras2onnx) exported. Its graph is followed from the output back to
// the input, and its constants become
//
//	Embedding  [vocabulary, embedding]  the table of the Gather before the layers
//	Layers     W, R and B               those of each RNN, LSTM or GRU node, or of
//	                                    a forward and a reverse one side by side
//	Head       [inputs, outputs]        the MatMul or Gemm after the layers
//
// A bias that the file leaves out is 0, and float64 is rounded to float32.
//
// The layers must be those of s. The error names each layer that has another cell or
// size, or a form that rnnkit's cells do not compute, and p is then unchanged. An
// embedding or head that the file lacks, or has in another size, stays as it is in p.
// left has a line for each of these, and for whatever the file computes that s cannot,
// such as a convolution before the layers, a second dense layer, another output or an
// initial state that is not zero. Scales of the input and output, which are constants
// added or multiplied, are not mentioned.
//
// A direct forecaster is loaded from a file of one that rnnkit wrote. Its other
// parameters too stay as they are where the file has them in another size. Of an
// ensemble p becomes the first member; [Unmarshal] returns all.
func LoadParams(p *models.Params[float32], s models.Spec, model []byte) (left []string, err error) {
	m := &models.Model{Metadata: metadataFor(s), Params: p}
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	file, err := onnxgraph.Unmarshal(model)
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	if s.Direct != nil {
		return loadDirect(m, file)
	}
	r := newReader(&file.Graph, len(model))
	net, err := r.network(&file.Graph)
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	layers, problems := net.layersOf(s)
	problems = append(problems, net.strays(&file.Graph)...)
	if err := misfit(problems); err != nil {
		return nil, err
	}
	for i, l := range layers {
		for d, from := range l {
			to := p.Layers[i].Direction(d, len(l))
			copy(to.W, from.W)
			copy(to.R, from.R)
			clear(to.B)
			copy(to.B, from.B)
		}
	}
	return slices.Concat(net.loadEmbedding(p, s), net.loadHead(p, s), net.beside(&file.Graph, s)), nil
}

// misfit returns the error of layers with those problems, nil if there are none.
func misfit(problems []string) error {
	if len(problems) == 0 {
		return nil
	}
	if more := len(problems) - maxProblems; more > 0 {
		problems = append(problems[:maxProblems], fmt.Sprintf("and %d more", more))
	}
	return fmt.Errorf("export: the layers of the file do not fit the Spec, set its sizes to theirs or start from another file: %s", strings.Join(problems, "; "))
}

// maxProblems keeps the error for a file of another kind to a readable length.
const maxProblems = 8

// network is what lies between the input and the output of a graph.
type network struct {
	reader *reader

	embedding *onnxgraph.Node // a Gather from table
	table     onnxgraph.Tensor

	layers []*value

	linear *value           // the first MatMul or Gemm after the layers
	head   onnxgraph.Tensor // its weights, [inputs, outputs]
	bias   []float32

	readout models.Readout // mean or max, or "" for others

	foreign []*onnxgraph.Node        // what no Spec has
	known   map[*onnxgraph.Node]bool // all that were looked at
}

// network follows the output with the most layers behind it back to the input.
func (r *reader) network(g *onnxgraph.Graph) (*network, error) {
	var output *value
	for _, o := range g.Outputs {
		v := r.values[o.Name]
		if v != nil && (output == nil || v.layers > output.layers || v.layers == output.layers && v.linear && !output.linear) {
			output = v
		}
	}
	if output == nil || output.layers == 0 {
		return nil, errors.New("no RNN, LSTM or GRU node lies between an input and an output of the graph: export PyTorch's nn.RNN with dynamo=False, and Keras layers without a loop")
	}
	var path []*value
	for v := output; v != nil; v = v.from {
		path = append(path, v)
	}
	net := &network{reader: r, known: make(map[*onnxgraph.Node]bool)}
	for _, v := range slices.Backward(path) {
		net.add(v)
	}
	return net, nil
}

// add takes the next value on the way from the input to the output.
func (net *network) add(v *value) {
	n, r := v.node, net.reader
	if n == nil {
		return
	}
	net.known[n] = true
	if readout := readouts[n.OpType]; readout != "" && len(net.layers) > 0 && net.linear == nil {
		net.readout = readout
	}
	switch {
	case v.layer != nil:
		net.readout = ""
		if net.linear != nil {
			net.foreign = append(net.foreign, net.linear.node)
			net.linear, net.bias = nil, nil
		}
		net.layers = append(net.layers, v)
	case r.isEmbedding(n) && len(net.layers) == 0:
		net.embedding, net.table = n, r.constants.Of(n, 0)
	case r.isLinear(n) && len(net.layers) > 0 && net.linear == nil:
		var ok bool
		if net.head, net.bias, ok = r.weights(n); ok {
			net.linear = v
		} else {
			net.foreign = append(net.foreign, n)
		}
	case net.linear != nil && net.bias == nil && v.from.source == net.linear && len(r.addend(n)) == net.head.Shape[1]:
		net.bias = r.addend(n)
	case layouts[n.OpType] || v.source != v || net.isScale(n):
	default:
		net.foreign = append(net.foreign, n)
	}
}

// readouts are the operators of those that are no choice of a step.
var readouts = map[string]models.Readout{"ReduceMean": models.ReadMean, "ReduceMax": models.ReadMax}

// isScale reports whether n scales the input, feature by feature, or the output.
func (net *network) isScale(n *onnxgraph.Node) bool {
	if !scales[n.OpType] || !net.reader.isScale(n) {
		return false
	}
	if net.linear != nil {
		return true
	}
	return len(net.layers) == 0 && net.embedding == nil && net.reader.isRow(n)
}

// layersOf returns the parameters of each layer's directions, and a line for
// each layer that is not as s wants it.
func (net *network) layersOf(s models.Spec) (layers [][]models.Layer[float32], problems []string) {
	if len(net.layers) != s.Layers {
		problems = append(problems, fmt.Sprintf("the number of layers is %d, the Spec's %d", len(net.layers), s.Layers))
	}
	for i, v := range net.layers {
		problem := func(format string, args ...any) {
			problems = append(problems, fmt.Sprintf("layer %d (%s) ", i, describe(v.layer...))+fmt.Sprintf(format, args...))
		}
		layer, size, err := net.reader.layer(v)
		switch {
		case err != nil:
			problem("%v", err)
		case i < s.Layers && size != wanted(s, i):
			problem("is %s, the Spec's %s", size, wanted(s, i))
		}
		layers = append(layers, layer)
	}
	return layers, problems
}

// strays returns a line for each recurrent node of g that is not of the layers.
func (net *network) strays(g *onnxgraph.Graph) (problems []string) {
	stacked := make(map[*onnxgraph.Node]bool)
	for _, v := range net.layers {
		for _, n := range v.layer {
			stacked[n] = true
		}
	}
	for i := range g.Nodes {
		if n := &g.Nodes[i]; n.Is(onnxgraph.Recurrent) && !stacked[n] {
			problems = append(problems, describe(n)+" is not one of a stack of layers")
		}
	}
	return problems
}

// layerSize is what a layer of a file and one of a Spec have to have in common.
type layerSize struct {
	cell                       models.Cell
	activation                 models.Activation // of an RNN
	inputs, hidden, directions int
}

func wanted(s models.Spec, layer int) layerSize {
	size := layerSize{cell: s.Cell, inputs: s.LayerInputs(layer), hidden: s.Hidden, directions: s.Directions()}
	if s.Cell == models.RNN {
		size.activation = cmp.Or(s.Activation, models.Tanh)
	}
	return size
}

func (l layerSize) String() string {
	name := string(l.cell)
	if l.cell == models.RNN {
		name = fmt.Sprintf("%s (%s)", name, l.activation)
	}
	if l.directions == 2 {
		name = "bidirectional " + name
	}
	return fmt.Sprintf("%s with inputs %d and hidden %d", name, l.inputs, l.hidden)
}

func (net *network) loadEmbedding(p *models.Params[float32], s models.Spec) (left []string) {
	want := []int{s.Vocabulary, s.Embedding}
	switch {
	case net.embedding == nil && s.Vocabulary == 0:
	case net.embedding == nil:
		return []string{"embedding: the file has none"}
	case s.Vocabulary == 0:
		return []string{fmt.Sprintf("embedding: the Spec has none, the file's (%s) is %v", describe(net.embedding), net.table.Shape)}
	case !slices.Equal(net.table.Shape, want):
		return []string{fmt.Sprintf("embedding: the file's (%s) is %v, the Spec's %v", describe(net.embedding), net.table.Shape, want)}
	default:
		copy(p.Embedding, net.table.Data.([]float32))
	}
	return nil
}

func (net *network) loadHead(p *models.Params[float32], s models.Spec) (left []string) {
	want := []int{s.Width(), s.Outputs}
	switch {
	case net.linear == nil:
		return []string{"head: the file has none"}
	case !slices.Equal(net.head.Shape, want):
		return []string{fmt.Sprintf("head: the file's (%s) is %v, the Spec's %v", describe(net.linear.node), net.head.Shape, want)}
	}
	copy(p.Head.W, net.head.Data.([]float32))
	clear(p.Head.B)
	copy(p.Head.B, net.bias)
	return nil
}

// describe names nodes as messages do.
func describe(nodes ...*onnxgraph.Node) string {
	var names []string
	for _, n := range nodes {
		name := n.Name
		if name == "" && len(n.Outputs) > 0 {
			name = n.Outputs[0]
		}
		names = append(names, fmt.Sprintf("%s %q", onnxgraph.Escape(n.OpType), name))
	}
	return strings.Join(names, ", ")
}

// value is a value of the graph that depends on its inputs.
type value struct {
	node     *onnxgraph.Node // writes it; nil for an input
	output   int             // which of the node's outputs it is
	from     *value          // what the node reads: of several, that with the most layers behind it
	source   *value          // what it is another layout of, itself if of nothing
	reversed bool            // in time, against the input

	layer    []*onnxgraph.Node // where it is what a layer writes: a node, or one for each direction
	backward bool              // the only direction of that layer

	layers int  // behind it
	linear bool // it lies behind a linear map of the last of them
}

// layouts are the operators that move elements and do not change them, and
// those of readouts.
var layouts = set("Identity", "Dropout", "Cast", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze",
	"Slice", "Split", "Gather", "Expand", "ReverseSequence", "ReduceMean", "ReduceMax")

// scales are the operators of a scale, where one of the operands is constant.
var scales = set("Add", "Sub", "Mul", "Div")

func set(names ...string) map[string]bool {
	m := make(map[string]bool)
	for _, name := range names {
		m[name] = true
	}
	return m
}

// reader follows the values of a graph, node by node.
type reader struct {
	constants *onnxgraph.Constants
	values    map[string]*value
	producers map[string]*onnxgraph.Node
}

// newReader follows the values of a graph that takes a number of bytes.
func newReader(g *onnxgraph.Graph, bytes int) *reader {
	// An exporter cuts and joins each weight a few times. A budget by the
	// size of the file keeps a small hostile one from asking for much more.
	r := &reader{constants: onnxgraph.NewConstants(2 * bytes), values: make(map[string]*value), producers: make(map[string]*onnxgraph.Node)}
	for _, in := range g.Inputs {
		r.define(in.Name, &value{})
	}
	for _, t := range g.Initializers {
		delete(r.values, t.Name) // one that is an input too is a default
		r.constants.Set(t.Name, t)
	}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		if n.Domain != "" {
			n.OpType = n.Domain + "." + n.OpType // not to be taken for a standard one
		}
		for _, name := range n.Outputs {
			r.producers[name] = n
		}
		r.read(n)
	}
	return r
}

func (r *reader) define(name string, v *value) {
	if v.source == nil {
		v.source = v
	}
	if name != "" { // an output that is left out, as an input may be
		r.values[name] = v
	}
}

func (r *reader) read(n *onnxgraph.Node) {
	var inputs []*value
	for _, name := range n.Inputs {
		if v := r.values[name]; v != nil {
			inputs = append(inputs, v)
		}
	}
	switch {
	case len(inputs) == 0:
		r.constants.Fold(n)
	case n.Is(onnxgraph.Recurrent):
		r.readRecurrent(n)
	case n.OpType == "Shape" || n.OpType == "Size":
		r.readOther(n, &value{node: n})
	default:
		from := inputs[0]
		for _, v := range inputs[1:] {
			if v.layers > from.layers {
				from = v
			}
		}
		v := &value{node: n, from: from, reversed: from.reversed, layers: from.layers}
		v.linear = from.linear || from.layers > 0 && r.isLinear(n)
		switch {
		case n.OpType == "Concat":
			v.join(inputs)
		case layouts[n.OpType]:
			v.source, v.output = from.source, from.output
			v.reversed = from.reversed != (n.OpType == "ReverseSequence")
		}
		r.readOther(n, v)
	}
}

// readOther gives all outputs of a node the same value.
func (r *reader) readOther(n *onnxgraph.Node, v *value) {
	for _, name := range n.Outputs {
		r.define(name, v)
	}
}

func (r *reader) readRecurrent(n *onnxgraph.Node) {
	x := r.values[n.Inputs[0]]
	if x == nil {
		return // it does not read the input of the graph
	}
	direction, _ := n.Attribute("direction")
	for i, name := range n.Outputs {
		r.define(name, &value{
			node: n, output: i, from: x, layers: x.layers + 1,
			reversed: i == 0 && x.reversed,
			layer:    []*onnxgraph.Node{n},
			backward: x.reversed != (direction == "reverse"),
		})
	}
}

// join makes v the concatenation of inputs: of the two directions of a layer, or
// of parts of what layers write, such as their final states.
func (v *value) join(inputs []*value) {
	if forward, backward := inputs[0].source, inputs[len(inputs)-1].source; len(inputs) == 2 &&
		len(forward.layer) == 1 && !forward.backward && !inputs[0].reversed &&
		len(backward.layer) == 1 && backward.backward && !inputs[1].reversed &&
		forward.from.source == backward.from.source && forward.output == backward.output {
		v.layer = slices.Concat(forward.layer, backward.layer)
		v.from, v.output, v.layers, v.linear = forward.from, forward.output, forward.layers, false
		return
	}
	if !slices.ContainsFunc(inputs, func(in *value) bool { return in.source.layer == nil }) {
		v.source, v.output = v.from.source, v.from.output
	}
}

// layer returns the parameters of a layer, one for each direction.
func (r *reader) layer(v *value) (layer []models.Layer[float32], size layerSize, err error) {
	switch before := v.from.source; {
	case v.backward:
		return nil, size, errors.New("runs backward only")
	case before.layer != nil && before.output != 0:
		return nil, size, errors.New("reads the final state of the layer before, not its outputs")
	}
	for i, n := range v.layer {
		l, s, err := r.parameters(n)
		switch {
		case err != nil:
			return nil, size, err
		case len(v.layer) == 2 && s.directions == 2:
			return nil, size, errors.New("has two directions in each node")
		case i == 1 && s != size:
			return nil, size, fmt.Errorf("has directions that differ: %s and %s", size, s)
		}
		size = s
		for d := range s.directions {
			layer = append(layer, l.Direction(d, s.directions))
		}
	}
	size.directions = len(layer)
	return layer, size, nil
}

// parameters returns what a recurrent node has for W, R and B, the last empty
// where it has none.
func (r *reader) parameters(n *onnxgraph.Node) (l models.Layer[float32], size layerSize, err error) {
	size = layerSize{cell: models.Cell(strings.ToLower(n.OpType)), directions: 1}
	if direction, _ := n.Attribute("direction"); direction == "bidirectional" {
		size.directions = 2
	}
	if size.activation, err = formOf(n, size.directions); err != nil {
		return l, size, err
	}
	var constants [3]onnxgraph.Tensor
	for i, name := range []string{"W", "R", "B"} {
		constants[i] = r.constants.Of(n, 1+i)
		if constants[i].Type() != onnxgraph.Float32 && (name != "B" || given(n, 3)) {
			return l, size, fmt.Errorf("has a %s that is not a constant of floats: export the model with constants folded", name)
		}
	}
	w, b := constants[0], constants[2]
	rec := constants[1]
	if len(w.Shape) != 3 || len(rec.Shape) != 3 {
		return l, size, fmt.Errorf("has W %v and R %v, which must have three dimensions", w.Shape, rec.Shape)
	}
	size.inputs, size.hidden = w.Shape[2], rec.Shape[2]
	rows := size.cell.Gates() * size.hidden
	if !slices.Equal(w.Shape[:2], []int{size.directions, rows}) || !slices.Equal(rec.Shape[:2], []int{size.directions, rows}) ||
		b.Data != nil && !slices.Equal(b.Shape, []int{size.directions, 2 * rows}) {
		return l, size, fmt.Errorf("has W %v, R %v and B %v, which do not fit each other", w.Shape, rec.Shape, b.Shape)
	}
	l.W, l.R = w.Data.([]float32), rec.Data.([]float32)
	l.B, _ = b.Data.([]float32)
	return l, size, nil
}

// activations are the functions of the cells, ONNX's defaults.
var activations = map[string][]string{
	"RNN":  {"Tanh"},
	"LSTM": {"Sigmoid", "Tanh", "Tanh"},
	"GRU":  {"Sigmoid", "Tanh"},
}

// formOf returns the activation of an RNN. It fails for a node that computes
// other than our cells.
func formOf(n *onnxgraph.Node, directions int) (activation models.Activation, err error) {
	if n.OpType == "RNN" {
		activation = models.Tanh
	}
	linear := n.OpType != "GRU"
	for _, a := range n.Attributes {
		ok := false
		switch a.Name {
		case "hidden_size", "activation_alpha", "activation_beta": // the shapes tell the size; Tanh and Sigmoid take no parameters
			ok = true
		case "direction":
			ok = a.Value == "forward" || a.Value == "reverse" || a.Value == "bidirectional"
		case "layout", "input_forget":
			ok = a.Value == int64(0)
		case "linear_before_reset":
			ok = a.Value == int64(1)
			linear = true
		case "activations":
			names, _ := a.Value.([]string)
			functions := activations[n.OpType]
			if n.OpType == "RNN" && len(names) > 0 && strings.EqualFold(names[0], "Relu") {
				functions, activation = []string{"Relu"}, models.ReLU
			}
			ok = slices.EqualFunc(names, slices.Repeat(functions, directions), strings.EqualFold)
		}
		if !ok {
			return "", fmt.Errorf("has %s %s, which our cells do not compute", onnxgraph.Escape(a.Name), describeValue(a.Value))
		}
	}
	if !linear {
		return "", errors.New("has linear_before_reset 0, which our cells do not compute: in Keras, set reset_after=True")
	}
	if given(n, 7) {
		return "", errors.New("has peepholes, which our cells do not compute")
	}
	return activation, nil
}

// describeValue shows the value of an attribute in a line.
func describeValue(v any) string {
	switch v := v.(type) {
	case string, []string:
		return onnxgraph.Escape(fmt.Sprint(v))
	case int64, float32, []int64, []float32:
		return fmt.Sprint(v)
	}
	return "of another type"
}

func given(n *onnxgraph.Node, input int) bool { return input < len(n.Inputs) && n.Inputs[input] != "" }

// isLinear reports whether n is a MatMul or Gemm by a constant matrix.
func (r *reader) isLinear(n *onnxgraph.Node) bool {
	return (n.OpType == "MatMul" || n.OpType == "Gemm") && r.isMatrix(n, 1) && r.values[n.Inputs[0]] != nil
}

// isEmbedding reports whether n looks rows up in a constant matrix.
func (r *reader) isEmbedding(n *onnxgraph.Node) bool {
	axis, ok := n.Attribute("axis")
	return n.OpType == "Gather" && r.isMatrix(n, 0) && (!ok || axis == int64(0))
}

func (r *reader) isMatrix(n *onnxgraph.Node, input int) bool {
	t := r.constants.Of(n, input)
	return t.Type() == onnxgraph.Float32 && len(t.Shape) == 2
}

// weights returns the W [inputs, outputs] and the bias, if it has one, of a
// linear node. It is not ok if the node computes more than xW + bias.
func (r *reader) weights(n *onnxgraph.Node) (w onnxgraph.Tensor, bias []float32, ok bool) {
	w = r.constants.Of(n, 1)
	if n.OpType == "MatMul" {
		return w, nil, true
	}
	for _, a := range n.Attributes {
		switch {
		case a.Name == "transB" && a.Value == int64(1):
			if w = r.constants.Transpose(w, []int64{1, 0}); w.Data == nil {
				return w, nil, false
			}
		case (a.Name == "alpha" || a.Name == "beta") && a.Value == float32(1):
		case (a.Name == "transA" || a.Name == "transB") && a.Value == int64(0):
		default:
			return w, nil, false
		}
	}
	if given(n, 2) {
		bias, _ = r.constants.Of(n, 2).Data.([]float32)
		return w, bias, len(bias) == w.Shape[1]
	}
	return w, nil, true
}

// isScale reports whether one of the two operands of n is constant.
func (r *reader) isScale(n *onnxgraph.Node) bool {
	return len(n.Inputs) == 2 && (r.values[n.Inputs[0]] == nil || r.values[n.Inputs[1]] == nil)
}

// isRow reports whether the constants among n's operands are known to have no more
// than one dimension that is not 1, the last, or are not known at all.
func (r *reader) isRow(n *onnxgraph.Node) bool {
	for i := range n.Inputs {
		shape := r.constants.Of(n, i).Shape
		if len(shape) > 0 && slices.ContainsFunc(shape[:len(shape)-1], func(d int) bool { return d != 1 }) {
			return false
		}
	}
	return true
}

// addend returns the constant floats that n adds to one value, if it does.
func (r *reader) addend(n *onnxgraph.Node) []float32 {
	if n.OpType != "Add" {
		return nil
	}
	for i := range n.Inputs {
		if x, ok := r.constants.Of(n, i).Data.([]float32); ok {
			return x
		}
	}
	return nil
}
