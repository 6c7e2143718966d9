// Package onnxgo runs models that github.com/owulveryck/onnx-go v0.5.0 has decoded on
// the native engine, so that its users get RNN, LSTM and GRU, which its own backends
// have not:
//
//	backend := onnxgo.NewBackend()
//	model := onnx.NewModel(backend)
//	err := model.UnmarshalBinary(data)
//	err = model.SetInput(0, x)
//	err = backend.Run()
//	y, err := model.GetOutputTensors()
//
// The decoder of onnx-go has limits that no backend can lift: it hands on no opset,
// see [Opset], no If, Loop and Scan, no metadata, and no constant of float16 or uint8. An
// input with a default in the file, such as the h0 of our own older models, has no number
// for SetInput, but can be had from GetNodeByName.
//
// The package is a module of its own, so that only its users link onnx-go.
// TestFile compares what comes of a file through onnx-go with the native engine, and
// BenchmarkFile times both; from the root of the repository:
//
//	go -C infer/onnxgo test -run TestFile -bench File . -model /path/of/model.onnx
package onnxgo

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/owulveryck/onnx-go"
	"gonum.org/v1/gonum/graph"
	"gonum.org/v1/gonum/graph/simple"
	gorgonia "gorgonia.org/tensor"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// Backend is an [onnx.Backend] that computes on the native engine. It holds one model
// and is for one goroutine.
type Backend struct {
	graph.Directed // of the model's values: an edge goes to what a value is computed from

	graph   *simple.WeightedDirectedGraph
	opset   int64
	values  []*value // by ID
	nodes   []onnxgraph.Node
	session engine.Session
	takes   string // the inputs of session
}

var _ onnx.Backend = (*Backend)(nil)

// Option changes how a Backend runs its model.
type Option func(*Backend)

// Opset sets the version of ONNX's standard operators that the model is of, which
// onnx-go does not hand on. It is 17, that of rnnkit's own models, if not set.
func Opset(version int) Option {
	return func(b *Backend) { b.opset = int64(version) }
}

// NewBackend returns a Backend for [onnx.NewModel].
func NewBackend(opts ...Option) *Backend {
	g := simple.NewWeightedDirectedGraph(0, 0)
	b := &Backend{Directed: g, graph: g, opset: 17}
	for _, opt := range opts {
		opt(b)
	}
	return b
}

// value is a node of onnx-go's graph, which is a value of ONNX's.
type value struct {
	backend  *Backend
	id       int64
	name     string
	tensor   gorgonia.Tensor
	initial  gorgonia.Tensor // of the file
	sets     int             // tensors that it was given while the model was decoded
	fed      bool            // with one since
	from     []*value        // the inputs of the operator that computes it
	produced bool            // by an operator
}

func (v *value) ID() int64                  { return v.id }
func (v *value) SetName(name string)        { v.name = name }
func (v *value) GetName() string            { return v.name }
func (v *value) GetTensor() gorgonia.Tensor { return v.tensor }

// SetTensor sets the value of an input, or with nil the one that the file gives it.
func (v *value) SetTensor(t gorgonia.Tensor) error {
	if len(v.backend.nodes) == 0 { // while the model is decoded
		v.sets++
		v.initial = t
	}
	v.fed = len(v.backend.nodes) > 0 && t != nil
	if v.tensor = t; t == nil {
		v.tensor = v.initial
	}
	return nil
}

// NewNode returns a node for a value. onnx-go takes the IDs of the first ones for the
// numbers of the model's inputs.
func (b *Backend) NewNode() graph.Node {
	v := &value{backend: b, id: int64(len(b.values))}
	b.values = append(b.values, v)
	return v
}

// AddNode adds a node of NewNode to the graph.
func (b *Backend) AddNode(n graph.Node) { b.graph.AddNode(n) }

// NewWeightedEdge returns an edge from a value to the input of the given number of the
// operator that computes it.
func (b *Backend) NewWeightedEdge(from, to graph.Node, number float64) graph.WeightedEdge {
	return b.graph.NewWeightedEdge(from, to, number)
}

// SetWeightedEdge adds an edge.
func (b *Backend) SetWeightedEdge(e graph.WeightedEdge) {
	from, to := e.From().(*value), e.To().(*value)
	from.from = append(from.from, to) // onnx-go sets them by number
	if from != to {
		b.graph.SetWeightedEdge(e)
	}
}

// WeightedEdge and Weight tell of the edges as [graph.Weighted] does.
func (b *Backend) WeightedEdge(uid, vid int64) graph.WeightedEdge {
	return b.graph.WeightedEdge(uid, vid)
}

// Weight returns the number of the input that the edge stands for.
func (b *Backend) Weight(uid, vid int64) (float64, bool) { return b.graph.Weight(uid, vid) }

// ApplyOperation adds the operator that computes the given values.
func (b *Backend) ApplyOperation(op onnx.Operation, outputs ...graph.Node) error {
	n := onnxgraph.Node{OpType: op.Name}
	for _, output := range outputs {
		v := output.(*value)
		inputs := v.from
		if v.name == "" { // left out, as others may be
			v.from = nil
		}
		if v.produced {
			return fmt.Errorf("onnxgo: value %q is computed twice", v.name)
		}
		v.produced = v.name != ""
		n.Outputs = append(n.Outputs, v.name)
		n.Inputs = nil
		for _, input := range inputs {
			n.Inputs = append(n.Inputs, input.name)
		}
	}
	if op.Name == "Constant" {
		n.Inputs = nil // onnx-go invents one
	}
	for name, a := range op.Attributes {
		if t, ok := a.(gorgonia.Tensor); ok {
			x, err := tensorOf(t)
			if err != nil {
				return fmt.Errorf("onnxgo: operator %s: attribute %q: %w", op.Name, name, err)
			}
			a = onnxgraph.Tensor{Tensor: x}
		}
		n.Attributes = append(n.Attributes, onnxgraph.Attribute{Name: name, Value: a})
	}
	b.nodes = append(b.nodes, n)
	return nil
}

// Run computes the outputs of the model from its inputs, which must have been set. The
// shapes of the inputs may be others than those of the last Run, but not their number
// of dimensions.
func (b *Backend) Run() error { return b.run(context.Background()) }

func (b *Backend) run(ctx context.Context) error {
	inputs, err := b.inputs()
	if err == nil {
		err = b.compile(inputs)
	}
	if err != nil {
		return fmt.Errorf("onnxgo: %w", err)
	}
	results, err := b.session.Run(ctx, inputs)
	if err != nil {
		return fmt.Errorf("onnxgo: %w", err)
	}
	for _, v := range b.outputs() {
		y := results[v.name]
		if y.Len() == 0 {
			return fmt.Errorf("onnxgo: output %q is empty: it has shape %v, which onnx-go's tensors cannot have", v.name, y.Shape)
		}
		v.tensor = gorgonia.New(gorgonia.WithShape(y.Shape...), gorgonia.WithBacking(y.Data))
	}
	return nil
}

// outputs returns the outputs of the graph, and the inner values that the file describes.
func (b *Backend) outputs() []*value {
	return slices.DeleteFunc(slices.Clone(b.values), func(v *value) bool { return !v.produced || v.sets == 0 })
}

// inputs returns the tensors that were set. onnx-go makes the nodes of the inputs
// before those of the outputs, and gives to each a tensor that fits as far as its
// shape is fixed.
func (b *Backend) inputs() (map[string]tensor.Tensor, error) {
	outputs := b.outputs()
	if len(outputs) == 0 {
		return nil, errors.New("there is no model: decode one into onnx.NewModel of this backend")
	}
	inputs := make(map[string]tensor.Tensor)
	for _, v := range b.values {
		switch {
		case v.fed:
			t, err := tensorOf(v.tensor)
			if err != nil {
				return nil, fmt.Errorf("input %q: %w", v.name, err)
			}
			inputs[v.name] = t
		case v.id < outputs[0].id && v.sets == 1:
			return nil, fmt.Errorf("input %q is not set: give it with SetInput", v.name)
		}
	}
	return inputs, nil
}

// compile opens a session that takes inputs, unless there is one.
func (b *Backend) compile(inputs map[string]tensor.Tensor) error {
	m := &onnxgraph.Model{IRVersion: 8, Opsets: []onnxgraph.Opset{{Version: b.opset}}}
	m.Graph.Nodes = b.nodes
	takes := ""
	for _, v := range b.values {
		t, ok := inputs[v.name]
		if !ok {
			continue
		}
		shape := slices.Repeat([]onnxgraph.Dim{{Size: -1}}, len(t.Shape))
		typ := (&onnxgraph.Tensor{Tensor: tensor.Tensor{Data: t.Data}}).Type()
		m.Graph.Inputs = append(m.Graph.Inputs, onnxgraph.Value{Name: v.name, Type: typ, Shape: shape})
		takes += fmt.Sprintf("%q %s %d\n", v.name, typ, len(shape))
	}
	if b.session != nil && b.takes == takes {
		return nil
	}
	for _, v := range b.values {
		if v.produced || v.fed || v.sets == 0 {
			continue
		}
		t, err := tensorOf(v.tensor)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", v.name, err)
		}
		m.Graph.Initializers = append(m.Graph.Initializers, onnxgraph.Tensor{Name: v.name, Tensor: t})
	}
	for _, v := range b.outputs() {
		typ, err := typeOf(v.tensor.Dtype())
		if err != nil {
			return fmt.Errorf("output %q: %w", v.name, err)
		}
		m.Graph.Outputs = append(m.Graph.Outputs, onnxgraph.Value{Name: v.name, Type: typ})
	}
	data, err := onnxgraph.Marshal(m)
	if err != nil {
		return err
	}
	session, err := native.New().Open(data)
	if err != nil {
		return err
	}
	b.session, b.takes = session, takes
	return nil
}

func typeOf(t gorgonia.Dtype) (onnxgraph.DataType, error) {
	types := map[gorgonia.Dtype]onnxgraph.DataType{
		gorgonia.Float32: onnxgraph.Float32,
		gorgonia.Float64: onnxgraph.Float64,
		gorgonia.Int32:   onnxgraph.Int32,
		gorgonia.Int64:   onnxgraph.Int64,
		gorgonia.Uint8:   onnxgraph.Uint8,
		gorgonia.Bool:    onnxgraph.Bool,
	}
	if typ, ok := types[t]; ok {
		return typ, nil
	}
	return onnxgraph.Undefined, fmt.Errorf("type %v is not supported: use float32, float64, int32, int64, uint8 or bool", t)
}

// tensorOf returns t in row-major order, in its own memory where it is in that.
func tensorOf(t gorgonia.Tensor) (tensor.Tensor, error) {
	if view, ok := t.(gorgonia.View); ok && view.IsMaterializable() {
		t = view.Materialize()
	}
	if t.DataOrder().IsColMajor() {
		return tensor.Tensor{}, errors.New("the tensor is in column-major order: give it in row-major order")
	}
	x := tensor.Tensor{Shape: slices.Clone(t.Shape()), Data: t.Data()}
	switch v := x.Data.(type) { // of a scalar
	case float32:
		x.Data = []float32{v}
	case float64:
		x.Data = []float64{v}
	case int32:
		x.Data = []int32{v}
	case int64:
		x.Data = []int64{v}
	case uint8:
		x.Data = []uint8{v}
	case bool:
		x.Data = []bool{v}
	}
	if x.Type() == "" {
		_, err := typeOf(t.Dtype())
		return x, err
	}
	if size, err := tensor.Size(x.Shape); err != nil || size != x.Len() {
		return x, fmt.Errorf("%d elements do not fill the shape %v", x.Len(), x.Shape)
	}
	return x, nil
}
