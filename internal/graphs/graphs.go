// Package graphs opens models that are in memory on engines, without the bytes of a file
// in between where the engine can do without.
package graphs

import (
	"context"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// An Opener is an engine that opens a model in memory, as that of infer/native does.
type Opener interface {
	engine.Engine

	// ParseGraph reads the bytes of a model's file as Open would.
	ParseGraph(data []byte) (*onnxgraph.Model, error)

	// OpenGraph returns a session that shares the tensors of m, which must not change.
	// The nodes of m must be in topological order.
	OpenGraph(ctx context.Context, m *onnxgraph.Model) (engine.Session, error)
}

// Open opens m with e: as it is where e is an [Opener], else by the bytes of its file.
func Open(ctx context.Context, e engine.Engine, m *onnxgraph.Model) (engine.Session, error) {
	if e, ok := e.(Opener); ok {
		return e.OpenGraph(ctx, m)
	}
	data, err := onnxgraph.Marshal(m)
	if err != nil {
		return nil, err
	}
	return engine.Open(ctx, e, data)
}

// Loaded returns an engine that opens m with e, whatever bytes it is given. It is for
// functions that take an engine and the bytes of a model.
func Loaded(e engine.Engine, m *onnxgraph.Model) Opener { return loaded{e, m} }

type loaded struct {
	engine.Engine
	model *onnxgraph.Model
}

func (l loaded) Open([]byte) (engine.Session, error) {
	return l.OpenGraph(context.Background(), l.model)
}

func (l loaded) ParseGraph([]byte) (*onnxgraph.Model, error) { return l.model, nil }

func (l loaded) OpenGraph(ctx context.Context, m *onnxgraph.Model) (engine.Session, error) {
	return Open(ctx, l.Engine, m)
}

// A Source is a model that an engine opens, and opens again after a change of its graph:
// as a graph where the engine is an [Opener], so that it is parsed once, else as bytes.
type Source struct {
	engine engine.Engine
	graph  *onnxgraph.Model // nil for another engine
	data   []byte           // of the file, nil with graph
}

// NewSource returns the source of a model that e opens. It keeps data where e is no
// [Opener].
func NewSource(e engine.Engine, data []byte) (*Source, error) {
	o, ok := e.(Opener)
	if !ok {
		return &Source{engine: e, data: data}, nil
	}
	graph, err := o.ParseGraph(data)
	if err != nil {
		return nil, err
	}
	return &Source{engine: e, graph: graph}, nil
}

// Open opens the model.
func (s *Source) Open(ctx context.Context) (engine.Session, error) {
	if s.graph != nil {
		return Open(ctx, s.engine, s.graph)
	}
	return engine.Open(ctx, s.engine, s.data)
}

// OpenChanged opens the model as it is after a change.
func (s *Source) OpenChanged(ctx context.Context, c *onnxgraph.Change) (engine.Session, error) {
	if s.graph != nil {
		changed, err := c.ApplyTo(s.graph)
		if err != nil {
			return nil, err
		}
		return Open(ctx, s.engine, changed)
	}
	changed, err := c.Apply(s.data)
	if err != nil {
		return nil, err
	}
	return engine.Open(ctx, s.engine, changed)
}

// Outline returns the model as [onnxgraph.Outline] does.
func (s *Source) Outline() (*onnxgraph.Model, error) {
	if s.graph != nil {
		return s.graph.Outline(), nil
	}
	return onnxgraph.Outline(s.data)
}

// Own makes s independent of the bytes that it was made of.
func (s *Source) Own() { s.data = append([]byte(nil), s.data...) }
