package onnxgraph

import "slices"

// Kind is what is known of an operator, whatever its inputs are: a set of the
// constants below.
type Kind uint16

const (
	// Elementwise operators compute each element from those at its place in the
	// inputs, which are broadcast.
	Elementwise Kind = 1 << iota
	// Unary operators compute each element from that at its place in the first input.
	// If there is a second input, it is the one of CastLike, which gives the type.
	Unary
	// Compares is the kind of Equal, Less and the like, whose output is bool.
	Compares
	// Logical operators take bool and give bool.
	Logical
	// Reduces is the kind of the operators that make one element of all along
	// some axes, such as ReduceSum and ArgMax.
	Reduces
	// Moves is the kind of the operators whose output holds nothing but elements of
	// inputs, in other places or of another type: see [Node.Moved].
	Moves
	// Reshapes is the kind of the operators whose output has the elements of the
	// first input in their order, in another shape or of another type.
	Reshapes
	// Recurrent is the kind of RNN, GRU and LSTM.
	Recurrent
	// QuantizedRecurrent is the kind of ONNX Runtime's DynamicQuantizeLSTM, whose
	// first inputs are those of an LSTM.
	QuantizedRecurrent
	// Control is the kind of If, Loop and Scan, which run the graphs in their
	// attributes.
	Control
	// Random operators write other values at each run.
	Random
)

// kinds has the operators of which something is known: by name, behind their domain
// where that is not ONNX's own.
var kinds = makeKinds()

func makeKinds() map[string]Kind {
	kinds := make(map[string]Kind)
	add := func(k Kind, names ...string) {
		for _, name := range names {
			kinds[name] |= k
		}
	}
	add(Elementwise|Unary, "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BitwiseNot", "Cast", "CastLike", "Ceil", "Celu", "Cos", "Cosh", "Elu", "Erf",
		"Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "Identity", "IsInf", "IsNaN", "LeakyRelu", "Log", "Mish", "Neg", "Not", "Reciprocal",
		"Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Swish", "Tan", "Tanh", "ThresholdedRelu",
		"com.microsoft.FastGelu", "com.microsoft.Gelu", "com.microsoft.QuickGelu")
	add(Elementwise, "Add", "And", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Clip", "Div", "Equal", "Greater", "GreaterOrEqual",
		"Less", "LessOrEqual", "Max", "Mean", "Min", "Mod", "Mul", "Or", "PRelu", "Pow", "Sub", "Sum", "Where", "Xor",
		"com.microsoft.BiasGelu")
	add(Compares, "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")
	add(Logical, "And", "Not", "Or", "Xor")
	add(Reduces, "ArgMax", "ArgMin", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin",
		"ReduceProd", "ReduceSum", "ReduceSumSquare")
	add(Moves|Reshapes, "Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze")
	add(Moves, "Concat", "Dropout", "Expand", "Gather", "GatherElements", "GatherND", "Pad", "ReverseSequence", "ScatterElements", "ScatterND",
		"Slice", "Split", "Tile", "Transpose", "Where")
	add(Recurrent, "GRU", "LSTM", "RNN")
	add(QuantizedRecurrent, "com.microsoft.DynamicQuantizeLSTM")
	add(Control, "If", "Loop", "Scan")
	add(Random, "Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike")
	return kinds
}

// KindOf returns what is known of an operator of a domain, 0 for nothing.
func KindOf(domain, op string) Kind {
	if domain != "" {
		op = domain + "." + op
	}
	return kinds[op]
}

// OfKind returns the names of ONNX's own operators of one of the kinds, in order.
func OfKind(k Kind) (names []string) {
	for name, kind := range kinds {
		if kind&k != 0 && !isQualified(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// isQualified reports whether a name of an operator has its domain before it.
func isQualified(name string) bool { return slices.Contains([]byte(name), '.') }

// Is reports whether the operator of n is of one of the kinds.
func (n *Node) Is(k Kind) bool { return KindOf(n.Domain, n.OpType)&k != 0 }

// IsOp reports whether n has one of ONNX's own operators, of those names.
func (n *Node) IsOp(names ...string) bool {
	return n.Domain == "" && slices.Contains(names, n.OpType)
}

// Moved returns the inputs whose elements the outputs of n consist of, and nil where n
// does not only move elements.
func (n *Node) Moved() []string {
	if !n.Is(Moves) {
		return nil
	}
	at := min(1, len(n.Inputs))
	switch n.OpType {
	case "Concat":
		return n.Inputs
	case "Where": // the first is the condition
		return n.Inputs[at:]
	case "ScatterElements", "ScatterND": // the second has the indices
		return slices.Concat(n.Inputs[:at], n.Inputs[min(2, len(n.Inputs)):])
	}
	return n.Inputs[:at]
}

// Inputs of a recurrent node, by their places.
const (
	RecurrentX = iota
	RecurrentW
	RecurrentR
	RecurrentB
	RecurrentLengths
	RecurrentH // the initial hidden state
	RecurrentC // the initial cell state of an LSTM
	RecurrentP // the peepholes of an LSTM
)

// RecurrentAxes returns which dimensions of a recurrent node's X are the batch and the
// time.
func (n *Node) RecurrentAxes() (batch, time int) {
	if n.Int("layout", 0) == 1 {
		return 0, 1
	}
	return 1, 0
}

// Backward reports whether n is a recurrent node that reads sequences from their end.
func (n *Node) Backward() bool {
	return n.Is(Recurrent) && n.Text("direction", "forward") != "forward"
}

// Input returns the name of an input of n, "" for one that is left out.
func (n *Node) Input(i int) string {
	if i < len(n.Inputs) {
		return n.Inputs[i]
	}
	return ""
}

// Subgraphs returns the graphs in the attributes of n.
func (n *Node) Subgraphs() (graphs []*Graph) {
	for _, a := range n.Attributes {
		if g, ok := a.Value.(*Graph); ok {
			graphs = append(graphs, g)
		}
	}
	return graphs
}

// Reads returns the names of what n reads: its inputs, and what the graphs within it
// read of those around them.
func (n *Node) Reads() []string {
	names := slices.Clone(n.Inputs)
	for _, g := range n.Subgraphs() {
		names = append(names, g.Free()...)
	}
	return names
}

// Free returns the names that g reads from the graphs around it.
func (g *Graph) Free() []string {
	own := make(map[string]bool)
	for _, v := range g.Inputs {
		own[v.Name] = true
	}
	for _, t := range g.Initializers {
		own[t.Name] = true
	}
	for _, n := range g.Nodes {
		for _, name := range n.Outputs {
			own[name] = true
		}
	}
	var names []string
	for i := range g.Nodes {
		names = append(names, g.Nodes[i].Reads()...)
	}
	for _, v := range g.Outputs {
		names = append(names, v.Name)
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == "" || own[name] })
}
