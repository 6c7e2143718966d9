package onnxgraph

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxpb"
)

// maxDepth is the greatest depth of nested graphs.
const maxDepth = 32

// Unmarshal reads the bytes of an ONNX file. It drops what cannot change the model's
// answers, such as doc strings and the types of inner values, and inlines the model's
// functions. It returns an error that names what is not supported, such as sparse
// initializers and external data. Any bytes are safe: the memory used is proportional
// to len(data), plus 16 MiB for functions.
func Unmarshal(data []byte) (*Model, error) { return UnmarshalWith(data, new(External)) }

// UnmarshalWith is Unmarshal for a model whose tensors may store data in other files.
// It deducts the size of that data from external.Limit.
func UnmarshalWith(data []byte, external *External) (*Model, error) {
	p, err := parse(data)
	if err != nil {
		return nil, err
	}
	limit := external.Limit
	m, err := reader{external: external}.model(p, len(data))
	if err != nil {
		return nil, err
	}
	m.External = int(limit - external.Limit)
	return m, nil
}

// UnmarshalAny is Unmarshal for a model that any engine may run. It drops what a
// Model cannot hold except from the inputs and outputs of the model, and returns an
// error for a broken file. A tensor of an unsupported type, or one stored elsewhere,
// has its type as Data. An inner value that is not a tensor has no type. Sparse
// initializers and attributes of other kinds are dropped. Calls of functions that
// cannot be inlined stay.
func UnmarshalAny(data []byte) (*Model, error) {
	p, err := parse(data)
	if err != nil {
		return nil, err
	}
	return lenientModel(p, len(data))
}

// lenientModel returns the model of p and drops what a Model cannot hold.
func lenientModel(p *onnxpb.ModelProto, size int) (*Model, error) {
	r := reader{partial: new(bool)}
	m, err := r.model(p, size)
	if err != nil {
		return nil, err
	}
	m.Partial = *r.partial
	return m, nil
}

// Outline is UnmarshalAny without the elements of weights. It keeps the defaults of
// inputs, initializers of at most 64 elements, which may be shapes, limits or scales,
// and float32 matrices without a negative element, which may compute means.
func Outline(data []byte) (*Model, error) {
	p, err := parse(data)
	if err != nil {
		return nil, err
	}
	inputs := make(map[string]bool)
	for _, v := range p.Graph.Input {
		inputs[v.GetName()] = true
	}
	for _, t := range p.Graph.Initializer {
		if !inputs[t.GetName()] && !inOutline(typeOf(t), t.Dims, func() bool { return anyNegative(t) }) {
			t.DataLocation = onnxpb.TensorProto_EXTERNAL.Enum()
		}
	}
	return lenientModel(p, len(data))
}

// inOutline reports whether an Outline keeps the elements of an initializer.
func inOutline[T int | int64](typ DataType, shape []T, negative func() bool) bool {
	n := int64(1)
	for _, d := range shape {
		if n *= int64(d); n < 0 || n > 1<<31 {
			return false
		}
	}
	return n <= 64 || len(shape) == 2 && typ == Float32 && !negative()
}

// anyNegative reports whether any float32 has its sign bit set. It also reports true
// for elements in another file.
func anyNegative(t *onnxpb.TensorProto) bool {
	for i := 3; i < len(t.RawData); i += 4 {
		if t.RawData[i]&0x80 != 0 {
			return true
		}
	}
	return len(t.RawData)+len(t.FloatData) == 0 || slices.ContainsFunc(t.FloatData, isNegative)
}

func isNegative(v float32) bool { return v < 0 }

// Outline returns what [Outline] would read from the file of m. The two share
// everything else.
func (m *Model) Outline() *Model {
	outline := *m
	outline.Partial = true
	outline.Graph.Initializers = slices.Clone(m.Graph.Initializers)
	inputs := inputNames(&m.Graph)
	for i := range outline.Graph.Initializers {
		if t := &outline.Graph.Initializers[i]; !inputs[t.Name] && !inOutline(t.Type(), t.Shape, func() bool {
			values, ok := t.Data.([]float32)
			return !ok || slices.ContainsFunc(values, isNegative)
		}) {
			t.Data = t.Type()
		}
	}
	return &outline
}

// inputNames returns the names of the inputs of g.
func inputNames(g *Graph) map[string]bool {
	names := make(map[string]bool)
	for _, v := range g.Inputs {
		names[v.Name] = true
	}
	return names
}

func parse(data []byte) (*onnxpb.ModelProto, error) {
	if err := otherFormat(data); err != nil {
		return nil, err
	}
	p, err := decode(data, known)
	switch {
	case err != nil:
		return nil, err
	case p.Graph == nil && isSavedModel(data):
		return nil, errors.New("not an ONNX model: " + saved)
	case p.Graph == nil:
		return nil, errors.New("not an ONNX model: it has no graph: the file may be of another kind, or truncated")
	case len(p.OpsetImport) == 0:
		return nil, errors.New("not an ONNX model: it has no opset_import: the file may be of another kind, or truncated")
	}
	return p, nil
}

// reader converts protobuf messages to plain Go values.
type reader struct {
	partial  *bool     // set when something is dropped; nil to return an error instead
	external *External // nil for none
}

// leaveOut reports whether r drops what it cannot hold, and records that it did.
func (r reader) leaveOut() bool {
	if r.partial != nil {
		*r.partial = true
	}
	return r.partial != nil
}

// model returns the model of p, whose file has size bytes.
func (r reader) model(p *onnxpb.ModelProto, size int) (*Model, error) {
	if err := inline(p, size); err != nil && !r.leaveOut() {
		return nil, err
	}
	graph, err := r.graph(p.Graph, 1)
	if err != nil {
		return nil, err
	}
	m := &Model{
		IRVersion:       p.GetIrVersion(),
		Producer:        p.GetProducerName(),
		ProducerVersion: p.GetProducerVersion(),
		Graph:           *graph,
	}
	for _, o := range p.OpsetImport {
		if err := m.importOpset(Opset{domain(o.GetDomain()), o.GetVersion()}); err != nil && !r.leaveOut() {
			return nil, err
		}
	}
	keys := make(map[string]bool)
	for _, kv := range p.MetadataProps {
		if keys[kv.GetKey()] {
			return nil, fmt.Errorf("the metadata has the key %q twice: export the model again", kv.GetKey())
		}
		keys[kv.GetKey()] = true
		m.Metadata = append(m.Metadata, Property{kv.GetKey(), kv.GetValue()})
	}
	return m, nil
}

// importOpset adds an opset. It accepts a duplicate, which skl2onnx writes.
func (m *Model) importOpset(o Opset) error {
	for _, other := range m.Opsets {
		switch {
		case other == o:
			return nil
		case other.Domain == o.Domain:
			return fmt.Errorf("the model imports the opset of domain %q in versions %d and %d: save it with one", o.Domain, other.Version, o.Version)
		}
	}
	m.Opsets = append(m.Opsets, o)
	return nil
}

func (r reader) graph(p *onnxpb.GraphProto, depth int) (*Graph, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("graphs lie in one another more than %d deep, which is not supported", maxDepth)
	}
	if len(p.SparseInitializer) > 0 && !r.leaveOut() {
		return nil, fmt.Errorf("graph %q: sparse initializers are not supported: save them as dense tensors", p.GetName())
	}
	g := &Graph{Name: p.GetName()}
	for i, n := range p.Node {
		node, err := r.node(n, depth)
		if err != nil {
			return nil, fmt.Errorf("node %d (op %q, name %q): %w", i, n.GetOpType(), n.GetName(), err)
		}
		g.Nodes = append(g.Nodes, node)
	}
	for _, v := range p.Input {
		value, err := r.value(v, depth)
		if err != nil {
			return nil, fmt.Errorf("input %q: %w", v.GetName(), err)
		}
		g.Inputs = append(g.Inputs, value)
	}
	for _, v := range p.Output {
		value, err := r.value(v, depth)
		if err != nil {
			return nil, fmt.Errorf("output %q: %w", v.GetName(), err)
		}
		g.Outputs = append(g.Outputs, value)
	}
	for _, t := range p.Initializer {
		initializer, err := r.tensor(t)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.GetName(), err)
		}
		g.Initializers = append(g.Initializers, initializer)
	}
	if err := g.sortNodes(); err != nil && !r.leaveOut() {
		return nil, err
	}
	return g, nil
}

func (r reader) node(p *onnxpb.NodeProto, depth int) (Node, error) {
	n := Node{
		Name:    p.GetName(),
		OpType:  p.GetOpType(),
		Domain:  domain(p.GetDomain()),
		Inputs:  p.Input,
		Outputs: p.Output,
	}
	for _, a := range p.Attribute {
		value, err := r.attribute(a, depth)
		if err != nil && !errors.As(err, new(brokenError)) && r.leaveOut() {
			continue
		}
		if err != nil {
			return Node{}, fmt.Errorf("attribute %q: %w", a.GetName(), err)
		}
		n.Attributes = append(n.Attributes, Attribute{a.GetName(), value})
	}
	return n, nil
}

func (r reader) attribute(p *onnxpb.AttributeProto, depth int) (any, error) {
	if p.GetRefAttrName() != "" {
		return nil, errors.New("a reference to a function's attribute is not supported: inline the function before saving")
	}
	kind, err := attributeKind(p)
	if err != nil {
		return nil, err
	}
	switch kind {
	case onnxpb.AttributeProto_FLOAT:
		return p.GetF(), nil
	case onnxpb.AttributeProto_INT:
		return p.GetI(), nil
	case onnxpb.AttributeProto_STRING:
		return string(p.S), nil
	case onnxpb.AttributeProto_TENSOR:
		if p.T == nil {
			return nil, errors.New("the tensor is missing")
		}
		t, err := r.tensor(p.T)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", p.T.GetName(), err)
		}
		return t, nil
	case onnxpb.AttributeProto_GRAPH:
		if p.G == nil {
			return nil, errors.New("the graph is missing")
		}
		return r.graph(p.G, depth+1)
	case onnxpb.AttributeProto_FLOATS:
		return p.Floats, nil
	case onnxpb.AttributeProto_INTS:
		return p.Ints, nil
	case onnxpb.AttributeProto_STRINGS:
		var list []string
		for _, s := range p.Strings {
			list = append(list, string(s))
		}
		return list, nil
	}
	return nil, fmt.Errorf("a value of kind %v is not supported", kind)
}

// kindOf maps the value fields of AttributeProto to the kinds of attribute.
var kindOf = map[protoreflect.Name]onnxpb.AttributeProto_AttributeType{
	"f":              onnxpb.AttributeProto_FLOAT,
	"i":              onnxpb.AttributeProto_INT,
	"s":              onnxpb.AttributeProto_STRING,
	"t":              onnxpb.AttributeProto_TENSOR,
	"g":              onnxpb.AttributeProto_GRAPH,
	"floats":         onnxpb.AttributeProto_FLOATS,
	"ints":           onnxpb.AttributeProto_INTS,
	"strings":        onnxpb.AttributeProto_STRINGS,
	"tensors":        onnxpb.AttributeProto_TENSORS,
	"graphs":         onnxpb.AttributeProto_GRAPHS,
	"sparse_tensor":  onnxpb.AttributeProto_SPARSE_TENSOR,
	"sparse_tensors": onnxpb.AttributeProto_SPARSE_TENSORS,
	"tp":             onnxpb.AttributeProto_TYPE_PROTO,
	"type_protos":    onnxpb.AttributeProto_TYPE_PROTOS,
}

// attributeKind returns the declared kind. Old files declare none; for these it
// returns the kind of the only value present.
func attributeKind(p *onnxpb.AttributeProto) (onnxpb.AttributeProto_AttributeType, error) {
	kind := p.GetType()
	var held []onnxpb.AttributeProto_AttributeType
	p.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		if k, ok := kindOf[f.Name()]; ok {
			held = append(held, k)
		}
		return true
	})
	switch {
	case len(held) > 1:
		return kind, errors.New("it holds more than one value")
	case len(held) == 0 && kind == onnxpb.AttributeProto_UNDEFINED:
		return kind, errors.New("it has neither a type nor a value")
	case len(held) == 0: // an empty list, or a zero that the writer omitted
		return kind, nil
	case kind != onnxpb.AttributeProto_UNDEFINED && kind != held[0]:
		return kind, fmt.Errorf("its type is %v, but it holds %v", kind, held[0])
	}
	return held[0], nil
}

func (r reader) value(p *onnxpb.ValueInfoProto, depth int) (Value, error) {
	v, err := valueFrom(p)
	switch {
	case err == nil || depth == 1:
		return v, err
	case r.leaveOut():
		return Value{Name: p.GetName()}, nil
	}
	return v, fmt.Errorf("%w: run the model with ONNX Runtime", err)
}

func valueFrom(p *onnxpb.ValueInfoProto) (Value, error) {
	v := Value{Name: p.GetName()}
	if p.GetType().GetValue() == nil {
		return v, nil
	}
	declared := p.GetType().GetTensorType()
	if declared == nil {
		return Value{}, errors.New("only tensors are supported, no sequences, maps, optionals or sparse tensors")
	}
	v.Type = TypeOf(int64(declared.GetElemType()))
	if declared.Shape == nil {
		return v, nil
	}
	v.Shape = make([]Dim, len(declared.Shape.Dim))
	for i, d := range declared.Shape.Dim {
		v.Shape[i].Size = -1
		switch d := d.GetValue().(type) {
		case *onnxpb.TensorShapeProto_Dimension_DimValue:
			if d.DimValue > math.MaxInt {
				return Value{}, fmt.Errorf("dimension %d is too large", d.DimValue)
			}
			v.Shape[i].Size = int(max(d.DimValue, -1))
		case *onnxpb.TensorShapeProto_Dimension_DimParam:
			if d.DimParam != "" {
				v.Shape[i] = Dim{Symbol: d.DimParam}
			}
		}
	}
	return v, nil
}

func (r reader) tensor(p *onnxpb.TensorProto) (Tensor, error) {
	t, err := r.tensorFrom(p)
	if err == nil || errors.As(err, new(brokenError)) || !r.leaveOut() {
		return t, err
	}
	t = Tensor{Name: p.GetName(), Tensor: tensor.Tensor{Shape: make([]int, len(p.Dims)), Data: typeOf(p)}}
	for i, d := range p.Dims {
		t.Shape[i] = int(d)
	}
	return t, nil
}

// brokenError reports a tensor that no engine should read.
type brokenError struct{ error }

func broken(format string, args ...any) error { return brokenError{fmt.Errorf(format, args...)} }

// maxRank is the most dimensions that a tensor may have, as in NumPy.
const maxRank = 64

func (r reader) tensorFrom(p *onnxpb.TensorProto) (Tensor, error) {
	if p.Segment != nil {
		return Tensor{}, errors.New("a segment of a tensor is not supported: save the tensor whole")
	}
	if len(p.Dims) > maxRank {
		return Tensor{}, broken("it has %d dimensions, and %d are the most", len(p.Dims), maxRank)
	}
	shape := make([]int, len(p.Dims))
	for i, d := range p.Dims {
		if d > math.MaxInt {
			return Tensor{}, broken("dimension %d is too large", d)
		}
		shape[i] = int(d)
	}
	n, err := elements(shape)
	if err != nil {
		return Tensor{}, brokenError{err}
	}
	raw, err := r.raw(p)
	if err != nil {
		return Tensor{}, err
	}
	defer raw.Close()
	t := Tensor{Name: p.GetName(), Tensor: tensor.Tensor{Shape: shape}}
	if t.Data, err = raw.elements(p, n); err != nil {
		return Tensor{}, err
	}
	return t, nil
}

// raw returns the raw data of a tensor, from this file or another.
func (r reader) raw(p *onnxpb.TensorProto) (rawData, error) {
	switch {
	case !tensorOutside(p):
		return rawData{bytes.NewReader(p.RawData), int64(len(p.RawData)), io.NopCloser(nil)}, nil
	case r.external == nil || r.external.Dir == "":
		return rawData{}, errors.New("its data lies in another file: open the model with native.ExternalData, or save it as one file")
	}
	return r.external.open(p)
}

// rawData holds the little-endian elements of a tensor. It is empty if they are in a
// typed field.
type rawData struct {
	io.Reader
	size int64
	io.Closer
}

// elements returns the n elements of p.
func (raw rawData) elements(p *onnxpb.TensorProto, n int) (any, error) {
	for _, e := range elementTypes {
		if int32(e.number) == p.GetDataType() {
			return e.read(raw, p, n)
		}
	}
	return nil, fmt.Errorf("type %v is not supported, only %s: run the model with ONNX Runtime", typeOf(p), supported())
}

// typeOf returns the type of a tensor's elements.
func typeOf(p *onnxpb.TensorProto) DataType { return TypeOf(int64(p.GetDataType())) }

// truths returns the n elements of p, which has type bool.
func truths(raw rawData, p *onnxpb.TensorProto, n int) (any, error) {
	list := make([]bool, len(p.Int32Data))
	for i, v := range p.Int32Data {
		list[i] = v != 0
	}
	return values(raw, p, n, list)
}

// narrowed returns the n elements of p, whose typed field is int32_data.
func narrowed[T uint8 | Half](raw rawData, p *onnxpb.TensorProto, n int, limit int32) ([]T, error) {
	narrow := make([]T, len(p.Int32Data))
	for i, v := range p.Int32Data {
		if v < 0 || v > limit {
			return nil, broken("element %d is %d, out of range for %v", i, v, tensor.Tensor{Data: narrow}.Type())
		}
		narrow[i] = T(v)
	}
	return values(raw, p, n, narrow)
}

// values returns the n elements of p from the raw data, else from the typed field.
func values[T any](raw rawData, p *onnxpb.TensorProto, n int, typed []T) ([]T, error) {
	if raw.size == 0 {
		if len(typed) != n {
			return nil, broken("shape %v takes %d elements, but the data has %d", p.Dims, n, len(typed))
		}
		return typed, nil
	}
	if len(typed) > 0 {
		return nil, broken("it holds both raw_data and a typed field")
	}
	width := int64(binary.Size(*new(T)))
	if raw.size%width != 0 || raw.size/width != int64(n) {
		return nil, broken("shape %v takes %d elements of %d bytes, but raw_data has %d bytes", p.Dims, n, width, raw.size)
	}
	return decodeRaw[T](raw, n, int(width))
}

// decodeRaw reads n elements of width bytes each, a chunk at a time.
func decodeRaw[T any](r io.Reader, n, width int) ([]T, error) {
	data := make([]T, n)
	const most = 1 << 16
	piece := make([]byte, min(n, most)*width)
	for at := 0; at < n; at += most {
		part := data[at:min(at+most, n)]
		bytes := piece[:len(part)*width]
		if _, err := io.ReadFull(r, bytes); err != nil {
			return nil, err
		}
		if _, err := binary.Decode(bytes, binary.LittleEndian, part); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// domain normalizes the name of a domain: "ai.onnx" and "" both name the standard
// operators.
func domain(name string) string {
	if name == "ai.onnx" {
		return ""
	}
	return name
}
