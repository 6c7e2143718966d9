// Package native is an engine that runs ONNX models in pure Go. It has the recurrent
// operators in all their forms and those that models use around them, see [Operators]. A
// model that needs anything else is refused when it is opened, by the name of what it
// needs.
//
// Values are float16, float32, float64, int32, int64, uint8 and bool. A float16 is a
// float32 while the model runs: it is rounded to float16 only by a Cast to that type and
// where it leaves the model.
//
// A model file need not be trusted. What it asks for is checked when it is opened, and the
// sizes of what it computes before memory is allocated. The context that is passed to Run
// bounds how long a model computes: every operator looks at it in short intervals.
// Opening takes time and memory in proportion to the file.
package native

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// DefaultMemory is how many bytes the values of one run may take unless
// [MaxMemory] says otherwise.
const DefaultMemory = 1 << 30

// Option changes how the engine opens and runs models.
type Option func(*native)

// MaxMemory limits the memory of one run, in bytes. Outputs and folded constants count,
// the file's constants do not. A run that needs more fails.
func MaxMemory(bytes int) Option {
	return func(e *native) { e.memory = bytes }
}

// ExternalData allows a model's tensors to lie in other files, in that folder and
// nowhere else: give the model's own. They count as memory of [MaxMemory].
// Without it such a model is refused.
func ExternalData(dir string) Option {
	return func(e *native) { e.dir = dir }
}

// New returns the engine, an [engine.ContextOpener]. Its sessions run on the calling
// goroutine, and are [engine.Refiller]s.
func New(opts ...Option) engine.Engine {
	e := native{memory: DefaultMemory}
	for _, opt := range opts {
		opt(&e)
	}
	return e
}

type native struct {
	memory int
	dir    string // of external data, "" for none
}

func (native) String() string { return "native" }

func (e native) Open(model []byte) (engine.Session, error) {
	return e.OpenContext(context.Background(), model)
}

func (e native) OpenContext(ctx context.Context, model []byte) (_ engine.Session, err error) {
	m, err := e.ParseGraph(model)
	if err != nil {
		return nil, err
	}
	return e.OpenGraph(ctx, m)
}

// ParseGraph reads the bytes of a model's file. Package graphs calls it.
func (e native) ParseGraph(model []byte) (_ *onnxgraph.Model, err error) {
	defer recovered(&err)
	return onnxgraph.UnmarshalWith(model, &onnxgraph.External{Dir: e.dir, Limit: int64(e.memory)})
}

// OpenGraph opens a model that is in memory. The session shares its tensors, which must
// not change. Package graphs calls it.
func (e native) OpenGraph(ctx context.Context, m *onnxgraph.Model) (_ engine.Session, err error) {
	defer recovered(&err)
	c, err := compile(ctx, m, e.memory, m.External)
	if lacking := (*engine.UnsupportedError)(nil); errors.As(err, &lacking) {
		lacking.Opset = m.Opset(lacking.Domain)
	}
	if err != nil {
		return nil, err
	}
	s := &session{inputs: c.inputs, outputs: c.outputs, metadata: c.metadata}
	s.model.Store(c)
	return s, nil
}

// recovered makes a panic an error. None is known; this is for those that are
// not, so that a file cannot end the program.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("the native engine failed, which is a bug: %v: use ONNX Runtime and report it", p)
	}
}

type session struct {
	inputs, outputs []tensor.Info
	metadata        map[string]string
	model           atomic.Pointer[model] // nil once closed
}

func (s *session) Inputs() []tensor.Info       { return s.inputs }
func (s *session) Outputs() []tensor.Info      { return s.outputs }
func (s *session) Metadata() map[string]string { return s.metadata }

func (s *session) Close() error {
	s.model.Store(nil)
	return nil
}

func (s *session) Run(ctx context.Context, inputs map[string]tensor.Tensor, outputs ...string) (map[string]tensor.Tensor, error) {
	return engine.Run(ctx, s, inputs, outputs...)
}

// RunInto is as [engine.Refiller] says.
func (s *session) RunInto(ctx context.Context, inputs, outputs []*tensor.Tensor) (err error) {
	defer recovered(&err)
	c := s.model.Load()
	if c == nil {
		return errors.New("the session is closed")
	}
	if err := engine.CheckTensors(c.inputs, inputs); err != nil {
		return err
	}
	if len(outputs) != len(c.outputs) {
		return fmt.Errorf("there are %d outputs for the model's %v", len(outputs), c.outputs)
	}
	r, ok := c.idle.Get().(*runner)
	if !ok {
		if r, err = c.newRunner(ctx); err != nil {
			return err
		}
	}
	err = r.run(ctx, inputs, outputs) // a runner that panics is not used again
	c.idle.Put(r)
	return err
}
