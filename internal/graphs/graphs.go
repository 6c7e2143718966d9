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
