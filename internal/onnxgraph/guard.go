package onnxgraph

import (
	"bytes"
	"fmt"
	"math"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/rnnkit/rnnkit/internal/onnxpb"
)

// Guard makes the recurrent nodes of a serialized model safe on ONNX Runtime, which
// reads past the end of LSTM weights that are too small and aborts on an LSTM or GRU
// with an empty X. Guard returns an error that names the node if a weight is known to
// have the wrong shape. Where only a run knows a shape, Guard inserts a Reshape that
// fails before the node runs. The caller must check that the graph's inputs have
// elements and match their declared shapes; ONNX Runtime itself checks the states. If
// finite is set, a constant weight that is NaN or infinite is an error too. The
// result recurrent reports whether the model has recurrent nodes.
func Guard(model []byte, finite bool) (safe []byte, recurrent bool, err error) {
	if !mayBeRecurrent(model) {
		return model, false, nil
	}
	p, err := decode(model, proto.UnmarshalOptions{})
	if err != nil || p.Graph == nil {
		return model, false, nil // the next reader of the file reports the error
	}
	g := guard{finite: finite}
	if slices.ContainsFunc(p.Functions, func(f *onnxpb.FunctionProto) bool { return slices.ContainsFunc(f.Node, isRecurrent) }) {
		if err := inline(p, len(model)); err != nil {
			return nil, true, fmt.Errorf("a function has recurrent nodes: %w", err)
		}
		p.Functions = nil
		g.put = 1
	}
	s := newShapeScope(nil)
	s.declare(p)
	if err := g.graph(p.Graph, s, 1); err != nil {
		return nil, true, err
	}
	if g.put > 0 {
		model, err = proto.Marshal(p)
	}
	return model, g.recurrent > 0, err
}

const quantizedLSTM = "DynamicQuantizeLSTM"

// mayBeRecurrent reports whether a file contains the name of a recurrent operator.
// LSTM also finds DynamicQuantizeLSTM.
func mayBeRecurrent(model []byte) bool {
	return slices.ContainsFunc(OfKind(Recurrent), func(op string) bool { return bytes.Contains(model, []byte(op)) })
}

func isRecurrent(n *onnxpb.NodeProto) bool {
	return operatorKind(n)&(Recurrent|QuantizedRecurrent) != 0
}

func operatorKind(n *onnxpb.NodeProto) Kind { return KindOf(domain(n.GetDomain()), n.GetOpType()) }

type guard struct {
	finite    bool
	recurrent int // number of recurrent nodes
	put       int // number of names given to inserted values
}

// graph guards the nodes of a graph. s holds its outer and declared values.
func (g *guard) graph(p *onnxpb.GraphProto, s *shapeScope, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("graphs lie in one another more than %d deep, which is not supported", maxDepth)
	}
	for _, t := range p.Initializer {
		if _, declared := s.shapes[t.GetName()]; !declared {
			s.constant(t.GetName(), t)
		}
	}
	var nodes []*onnxpb.NodeProto
	for i, n := range p.Node {
		for _, a := range n.Attribute {
			if a.G == nil {
				continue
			}
			inner := newShapeScope(s)
			for _, v := range a.G.Input {
				inner.shapes[v.GetName()] = shape{}
			}
			if err := g.graph(a.G, inner, depth+1); err != nil {
				return err
			}
		}
		if isRecurrent(n) {
			g.recurrent++
			before, err := g.check(n, s)
			if err != nil {
				return fmt.Errorf("node %d (%s %q): %w", i, n.GetOpType(), n.GetName(), err)
			}
			nodes = append(nodes, before...)
		}
		s.infer(n)
		nodes = append(nodes, n)
	}
	p.Node = nodes
	return nil
}

// need is an input of a recurrent node and the shape it must have; -1 is any size.
type need struct {
	input int
	name  string
	dims  []int64
}

// check checks the inputs of n and returns the nodes to insert before it.
func (g *guard) check(n *onnxpb.NodeProto, s *shapeScope) (before []*onnxpb.NodeProto, err error) {
	gates := map[string]int64{"LSTM": 4, "GRU": 3, "RNN": 1, quantizedLSTM: 4}[n.GetOpType()]
	hidden, directions := recurrentSizes(n)
	if hidden < 1 || hidden > math.MaxInt32 {
		return nil, fmt.Errorf("attribute hidden_size is %d, and must be from 1 to %d", hidden, math.MaxInt32)
	}
	width := s.width(n)
	w := need{1, "W", []int64{directions, gates * hidden, width}}
	r := need{2, "R", []int64{directions, gates * hidden, hidden}}
	if n.GetOpType() == quantizedLSTM {
		w.dims = []int64{directions, width, gates * hidden}
		r.dims = []int64{directions, hidden, gates * hidden}
	}
	for _, need := range []need{
		{0, "X", []int64{-1, -1, width}}, w, r,
		{3, "B", []int64{directions, 2 * gates * hidden}},
		{7, "P", []int64{directions, 3 * hidden}},
	} {
		name := inputOf(n, need.input)
		if name == "" && need.input <= r.input {
			return nil, fmt.Errorf("input %s is missing: export the model again", need.name)
		}
		if g.finite {
			if err := s.checkFinite(name); err != nil {
				return nil, fmt.Errorf("input %s %w, of which ONNX Runtime makes numbers: train again, or use the native engine", need.name, err)
			}
		}
		if known := s.shapeOf(name); !known.fits(need.dims) {
			return nil, fmt.Errorf("input %s has shape %v, and must have %v for hidden_size %d: export the model again", need.name, known.dims, need.dims, hidden)
		}
	}
	switch n.GetOpType() {
	case "LSTM", quantizedLSTM:
		for _, need := range []need{w, r} {
			if width < 0 && need.input == w.input || !slices.Equal(s.shapeOf(inputOf(n, need.input)).dims, need.dims) {
				before = append(before, g.reshapeTo(n, need)...)
			}
		}
	case "RNN": // ONNX Runtime checks the weights of an RNN and accepts an empty X
		return nil, nil
	}
	if x := s.shapeOf(inputOf(n, 0)); !x.full || x.dims == nil || x.dims[2] < 0 {
		before = append(before, g.fullX(n, width)...)
	}
	return before, nil
}

// recurrentSizes returns the hidden size and the number of directions of a recurrent
// node.
func recurrentSizes(n *onnxpb.NodeProto) (hidden, directions int64) {
	directions = 1
	for _, a := range n.Attribute {
		switch {
		case a.GetName() == "hidden_size":
			hidden = a.GetI()
		case a.GetName() == "direction" && string(a.S) == "bidirectional":
			directions = 2
		}
	}
	return hidden, directions
}

// width returns the number of features that n reads per step, known from X or W, or
// -1.
func (s *shapeScope) width(n *onnxpb.NodeProto) int64 {
	if x := s.shapeOf(inputOf(n, 0)).dims; len(x) == 3 && x[2] >= 0 {
		return x[2]
	}
	w := s.shapeOf(inputOf(n, 1)).dims
	if len(w) != 3 {
		return -1
	}
	if n.GetOpType() == quantizedLSTM {
		return w[1]
	}
	return w[2]
}

// reshapeTo returns nodes that fail unless an input has as many elements as it needs.
// An unknown width is read from X.
func (g *guard) reshapeTo(n *onnxpb.NodeProto, need need) []*onnxpb.NodeProto {
	at := slices.Index(need.dims, -1)
	if at < 0 {
		return g.reshape(n, need.input, need.dims)
	}
	mask, base := make([]int64, len(need.dims)), slices.Clone(need.dims)
	mask[at], base[at] = 1, 0
	sizes, last, width, where, others, placed, target := g.name(), g.name(), g.name(), g.name(), g.name(), g.name(), g.name()
	// A Concat would match the pattern that ONNX Runtime replaces by a Reshape
	// to any shape.
	return []*onnxpb.NodeProto{
		newNode("Shape", sizes, n.Input[0]),
		constantNode(last, 2),
		newNode("Gather", width, sizes, last),
		constantNode(where, mask...),
		newNode("Mul", placed, width, where),
		constantNode(others, base...),
		newNode("Add", target, placed, others),
		g.reshapeBy(n, need.input, target),
	}
}

// fullX returns nodes that fail if X has a dimension of size 0 or the wrong width.
func (g *guard) fullX(n *onnxpb.NodeProto, width int64) []*onnxpb.NodeProto {
	if width < 0 {
		width = 0 // keep the width of X, which the weights must match
	}
	var nodes []*onnxpb.NodeProto
	for _, target := range [][]int64{{0, 0, width}, {-1, 0, width}, {0, -1, width}} {
		nodes = append(nodes, g.reshape(n, 0, target)...)
	}
	return nodes
}

// reshape returns nodes that reshape an input of n. A 0 in target keeps that
// dimension.
func (g *guard) reshape(n *onnxpb.NodeProto, input int, target []int64) []*onnxpb.NodeProto {
	name := g.name()
	return []*onnxpb.NodeProto{constantNode(name, target...), g.reshapeBy(n, input, name)}
}

func (g *guard) reshapeBy(n *onnxpb.NodeProto, input int, target string) *onnxpb.NodeProto {
	reshaped := newNode("Reshape", g.name(), n.Input[input], target)
	reshaped.Name = proto.String(fmt.Sprintf("shape of input %d of %s %q, guard %d", input, n.GetOpType(), n.GetName(), g.put))
	n.Input[input] = reshaped.Output[0]
	return reshaped
}

func (g *guard) name() string {
	g.put++
	return fmt.Sprintf("rnnkit guard %d", g.put)
}

func newNode(op, output string, inputs ...string) *onnxpb.NodeProto {
	return &onnxpb.NodeProto{OpType: proto.String(op), Input: inputs, Output: []string{output}}
}

// constantNode returns a Constant node of integers.
func constantNode(output string, values ...int64) *onnxpb.NodeProto {
	n := newNode("Constant", output)
	n.Attribute = []*onnxpb.AttributeProto{{
		Name: proto.String("value"), Type: onnxpb.AttributeProto_TENSOR.Enum(),
		T: &onnxpb.TensorProto{DataType: proto.Int32(int32(onnxpb.TensorProto_INT64)), Dims: []int64{int64(len(values))}, Int64Data: values},
	}}
	return n
}

// inputOf returns the name of an input, or "" if it is left out.
func inputOf(n *onnxpb.NodeProto, i int) string {
	if i < len(n.Input) {
		return n.Input[i]
	}
	return ""
}

// shape is what is known about a value before the model runs.
type shape struct {
	dims []int64 // -1 for an unknown size; nil if the number of dimensions is unknown
	full bool    // no dimension has size 0
}

// fits reports whether the shape may equal the one needed.
func (s shape) fits(need []int64) bool {
	if s.dims == nil {
		return true
	}
	if len(s.dims) != len(need) {
		return false
	}
	for i, d := range s.dims {
		if d == 0 || d > 0 && need[i] >= 0 && d != need[i] {
			return false
		}
	}
	return true
}

// shapeScope holds what is known about the values of a graph and of its outer graphs.
type shapeScope struct {
	outer     *shapeScope
	shapes    map[string]shape
	constants map[string]*onnxpb.TensorProto
}

func newShapeScope(outer *shapeScope) *shapeScope {
	return &shapeScope{outer, map[string]shape{}, map[string]*onnxpb.TensorProto{}}
}

func (s *shapeScope) shapeOf(name string) shape {
	for ; s != nil && name != ""; s = s.outer {
		if known, ok := s.shapes[name]; ok {
			return known
		}
	}
	return shape{}
}

// constantOf returns a constant. The result has no elements for any other value or if
// Tensor cannot hold its type.
func (s *shapeScope) constantOf(name string) Tensor {
	for ; s != nil; s = s.outer {
		if _, ok := s.shapes[name]; ok && s.constants[name] != nil {
			t, _ := reader{}.tensorFrom(s.constants[name])
			return t
		} else if ok {
			break
		}
	}
	return Tensor{}
}

// integers returns the elements of an int64 constant, or nil for any other value.
func (s *shapeScope) integers(name string) []int64 {
	list, _ := s.constantOf(name).Data.([]int64)
	return list
}

// checkFinite checks the elements of a constant and accepts any other value.
func (s *shapeScope) checkFinite(name string) error {
	t := s.constantOf(name)
	return t.CheckFinite()
}

// declare records the declared shapes of the model's inputs, which a run enforces.
func (s *shapeScope) declare(p *onnxpb.ModelProto) {
	weights := map[string]bool{}
	if p.GetIrVersion() < 4 { // older files list every weight as an input, and none could be fed
		for _, t := range p.Graph.Initializer {
			weights[t.GetName()] = true
		}
	}
	for _, input := range p.Graph.Input {
		v, err := valueFrom(input)
		if weights[v.Name] {
			continue
		}
		known := shape{full: true}
		if err == nil && v.Shape != nil {
			known.dims = make([]int64, len(v.Shape))
			for i, d := range v.Shape {
				if known.dims[i] = int64(d.Size); d.Symbol != "" {
					known.dims[i] = -1
				}
			}
		}
		s.shapes[v.Name] = known
	}
}

func (s *shapeScope) constant(name string, t *onnxpb.TensorProto) {
	s.shapes[name] = shape{append([]int64{}, t.GetDims()...), !slices.Contains(t.GetDims(), 0)}
	s.constants[name] = t
}

// infer records what is known about the outputs of n.
func (s *shapeScope) infer(n *onnxpb.NodeProto) {
	for _, name := range n.Output {
		s.shapes[name] = shape{}
	}
	if len(n.Output) == 0 || domain(n.GetDomain()) != "" {
		return
	}
	x := s.shapeOf(inputOf(n, 0))
	var y shape
	switch op := n.GetOpType(); {
	case op == "Constant":
		for _, a := range n.Attribute {
			if a.GetName() == "value" && a.T != nil {
				s.constant(n.Output[0], a.T)
			}
		}
		return
	case operatorKind(n)&Unary != 0, op == "DequantizeLinear", op == "Dropout":
		y = x
	case op == "Transpose":
		y = transposed(n, x)
	case op == "Reshape":
		y = reshaped(n, x, s.integers(inputOf(n, 1)))
	case op == "Gather":
		y = gathered(n, x, s.shapeOf(inputOf(n, 1)))
	case operatorKind(n)&Elementwise != 0:
		y = x
		for _, name := range n.Input[min(1, len(n.Input)):] {
			if name != "" { // an optional input, such as a bound of Clip, may be left out
				y = broadcast(y, s.shapeOf(name))
			}
		}
	case operatorKind(n)&Recurrent != 0:
		hidden, directions := recurrentSizes(n) // ONNX Runtime refuses layout 1
		y = shape{[]int64{-1, directions, -1, hidden}, x.full || n.GetOpType() != "RNN"}
	}
	s.shapes[n.Output[0]] = y
}

func transposed(n *onnxpb.NodeProto, x shape) shape {
	var perm []int64
	for i := range x.dims {
		perm = append(perm, int64(len(x.dims)-1-i))
	}
	for _, a := range n.Attribute {
		if a.GetName() == "perm" {
			perm = a.Ints
		}
	}
	y := shape{full: x.full}
	if len(perm) != len(x.dims) {
		return y
	}
	for _, axis := range perm {
		if axis < 0 || axis >= int64(len(x.dims)) {
			return shape{full: x.full}
		}
		y.dims = append(y.dims, x.dims[axis])
	}
	return y
}

// reshaped returns the shape after a Reshape whose target keeps dimensions with 0 and
// may end in -1.
func reshaped(n *onnxpb.NodeProto, x shape, target []int64) shape {
	y := shape{full: x.full}
	if len(n.Attribute) > 0 || target == nil {
		return y
	}
	rest := int64(1) // the size of the dimension that -1 stands for
	for i, d := range x.dims {
		if i >= len(target)-1 {
			if d < 0 || rest > math.MaxInt32 || d > math.MaxInt32 {
				rest = -1
				break
			}
			rest *= d
		}
	}
	for i, d := range target {
		switch {
		case d == 0 && i < len(x.dims):
			d = x.dims[i]
		case d == -1 && i == len(target)-1 && !slices.ContainsFunc(target[:i], func(d int64) bool { return d != 0 }):
			d = rest
		case d <= 0:
			d = -1
		}
		y.dims = append(y.dims, d)
	}
	return y
}

// gathered returns the shape of rows gathered from a table.
func gathered(n *onnxpb.NodeProto, table, indices shape) shape {
	y := shape{full: table.full && indices.full}
	if len(n.Attribute) > 0 && n.Attribute[0].GetI() != 0 || table.dims == nil || indices.dims == nil {
		return y
	}
	y.dims = slices.Concat(indices.dims, table.dims[min(1, len(table.dims)):])
	return y
}

func broadcast(a, b shape) shape {
	y := shape{full: a.full && b.full}
	if a.dims == nil || b.dims == nil {
		return y
	}
	if len(a.dims) < len(b.dims) {
		a, b = b, a
	}
	y.dims = slices.Clone(a.dims)
	offset := len(a.dims) - len(b.dims)
	for i, d := range b.dims {
		if at := &y.dims[offset+i]; *at == 1 || *at < 0 && d > 1 {
			*at = d
		}
	}
	return y
}
