package native

import (
	"context"
	"sync"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// model is a compiled model: a program, and runners of it.
type model struct {
	inputs, outputs []tensor.Info
	metadata        map[string]string

	program *program
	memory  int       // bytes that the values of a run may take
	held    int       // bytes of them that are taken already
	idle    sync.Pool // of *runner
}

// compile checks a model and makes a program of it, whose runs may take memory bytes,
// of which some are held by the model already. It ends with ctx.
func compile(ctx context.Context, m *onnxgraph.Model, memory, held int) (*model, error) {
	resolved, err := resolve(m)
	if err != nil {
		return nil, err
	}
	inferred, err := infer(ctx, resolved, memory, held)
	if err != nil {
		return nil, err
	}
	compiled := &model{metadata: map[string]string{}, memory: memory, held: inferred.memory.held}
	for _, kv := range m.Metadata {
		compiled.metadata[kv.Key] = kv.Value
	}
	if compiled.inputs, err = inferred.describeInputs(); err != nil {
		return nil, err
	}
	if compiled.outputs, err = inferred.describeOutputs(); err != nil {
		return nil, err
	}
	compiled.program = fuse(fold(resolved, inferred))
	r, err := newRunner(compiled.program, inferred.memory.reused(), nil, nil)
	if err != nil {
		return nil, err
	}
	r.memory.ctx = nil
	compiled.idle.Put(r)
	return compiled, nil
}

// newRunner returns a runner of the model, for the pool. It ends with ctx.
func (c *model) newRunner(ctx context.Context) (*runner, error) {
	m := &memory{limit: c.memory, held: c.held, ctx: ctx}
	r, err := newRunner(c.program, m, nil, nil)
	m.ctx = nil
	return r, err
}
