// Package native is an engine that runs ONNX models in pure Go. It has the
// operators of the models that this project exports; a model that asks for
// anything else is refused when it is opened, by the name of what it asks for.
//
// A model file need not be trusted: what it can ask for is checked when it is
// opened, the sizes of what it computes before memory is taken.
package native

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// maxMemory is how many bytes the values of one run may take.
const maxMemory = 1 << 30

// New returns the engine. Its sessions hold float32 and int64 values, and run
// on the calling goroutine.
func New() engine.Engine { return native{maxMemory} }

type native struct{ memory int }

func (native) String() string { return "native" }

func (e native) Open(model []byte) (engine.Session, error) {
	m, err := onnxgraph.Unmarshal(model)
	if err != nil {
		return nil, err
	}
	p, err := compile(m, e.memory)
	if err != nil {
		return nil, err
	}
	s := &session{inputs: p.inputs, outputs: p.outputs, metadata: p.metadata}
	s.program.Store(p)
	return s, nil
}

type session struct {
	inputs, outputs []engine.ValueInfo
	metadata        map[string]string
	program         atomic.Pointer[program] // nil once closed
}

func (s *session) Inputs() []engine.ValueInfo  { return s.inputs }
func (s *session) Outputs() []engine.ValueInfo { return s.outputs }
func (s *session) Metadata() map[string]string { return s.metadata }

func (s *session) Close() error {
	s.program.Store(nil)
	return nil
}

func (s *session) Run(ctx context.Context, inputs map[string]engine.Tensor, outputs ...string) (map[string]engine.Tensor, error) {
	p := s.program.Load()
	if p == nil {
		return nil, errors.New("the session is closed")
	}
	if err := engine.CheckInputs(p.inputs, inputs); err != nil {
		return nil, err
	}
	if len(outputs) == 0 {
		outputs = p.outputNames
	}
	for _, name := range outputs {
		if !slices.Contains(p.outputNames, name) {
			return nil, fmt.Errorf("output %q is not among the model's: %v", name, p.outputs)
		}
	}
	r, ok := p.idle.Get().(*runner)
	if !ok {
		var err error
		if r, err = newRunner(p); err != nil {
			return nil, err
		}
	}
	defer p.idle.Put(r)
	return r.run(ctx, inputs, outputs)
}
