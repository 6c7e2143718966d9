// Package infer runs recurrent models inside a Go program: those that rnnkit exports, and
// any other ONNX model that the engine knows.
//
// A task has a type of its own: [Forecaster], [Classifier] and [Generator]. They run a model
// of rnnkit as it is, and a model from elsewhere, as of PyTorch or Keras, after
// [Model.Describe]. [Model.Step] feeds a sequence step by step, with a [State].
// [Model.Run] takes and returns tensors by name. [Live] swaps the model of a service.
//
// The default engine is pure Go, so a program that imports this package needs no cgo and
// no shared library. Pass another engine with [With].
package infer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/graphs"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/stepwise"
	"github.com/rnnkit/rnnkit/models"
)

// Model is a loaded model. It is safe for concurrent use.
type Model struct {
	session engine.Session
	engine  string
	meta    *models.Metadata

	description atomic.Pointer[Description]
	graph       *onnxgraph.Model // without weights, of a model from elsewhere
	graphErr    error            // why there is none

	states                                 // of the graph itself
	plan    func() (*stepwise.Plan, error) // how the graph is changed to run step by step
	stepper func() (*stepper, error)       // its first call opens the sessions in opened
	opened  []engine.Session

	bindings sync.Pool // of *binding

	closed atomic.Bool
	users  atomic.Int64 // the runs in progress, and 1 until Close; the last one frees the session
	uses   atomic.Int64 // the calls of Live.Use in progress, which may run m after Close
}

// Option changes how a model is opened. A nil Option changes nothing.
type Option func(*options)

type options struct{ engine engine.Engine }

// With runs the model on the given engine instead of the native one, which nil
// stands for.
func With(e engine.Engine) Option {
	return func(o *options) {
		if e != nil {
			o.engine = e
		}
	}
}

// Open loads the ONNX model in the file at path, which must be no pipe and no device.
func Open(path string, opts ...Option) (*Model, error) {
	return OpenContext(context.Background(), path, opts...)
}

// OpenContext is Open, and returns when ctx is done: at once with the native engine, and
// with another if that is an [engine.ContextOpener].
func OpenContext(ctx context.Context, path string, opts ...Option) (*Model, error) {
	data, err := onnxgraph.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the model: %w", err)
	}
	m, err := open(ctx, data, true, opts)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// OpenBytes loads an ONNX model from the bytes of its file. The caller may reuse data when
// OpenBytes has returned. A model whose graph has to be changed to run step by step keeps
// a copy of data until its first step.
func OpenBytes(data []byte, opts ...Option) (*Model, error) {
	return OpenBytesContext(context.Background(), data, opts...)
}

// OpenBytesContext is OpenBytes, and returns when ctx is done as [OpenContext] does.
func OpenBytesContext(ctx context.Context, data []byte, opts ...Option) (*Model, error) {
	return open(ctx, data, false, opts)
}

// open opens a model from bytes that are its own, or which it may only read.
func open(ctx context.Context, data []byte, owned bool, opts []Option) (*Model, error) {
	o := options{engine: native.New()}
	for _, option := range opts {
		if option != nil {
			option(&o)
		}
	}
	source, err := graphs.NewSource(o.engine, data)
	if err != nil {
		return nil, err
	}
	session, err := source.Open(ctx)
	if err != nil {
		return nil, err
	}
	meta, err := readMetadata(session)
	if err == nil && len(session.Outputs()) == 0 {
		err = errors.New("the model has no outputs, so there is nothing to compute: export it again")
	}
	if err != nil {
		session.Close()
		return nil, err
	}
	m := &Model{session: session, engine: o.engine.String(), meta: meta}
	if meta != nil {
		m.description.Store(describe(meta))
	} else {
		m.graph, m.graphErr = source.Outline()
		if exported, err := readDarts(m); err == nil && exported != nil {
			m.description.Store(exported.describe(m))
		}
	}
	m.findStates(source, owned)
	m.users.Store(1)
	return m, nil
}

func readMetadata(s engine.Session) (*models.Metadata, error) {
	document, ok := s.Metadata()[models.MetadataKey]
	if !ok {
		return nil, nil
	}
	return models.ParseMetadata(document)
}

// Engine names the engine that runs the model, and where: "native",
// "onnxruntime/cpu".
func (m *Model) Engine() string { return m.engine }

// Metadata returns the metadata that rnnkit wrote to the file, or nil for a model from
// elsewhere. The caller must not change it.
func (m *Model) Metadata() *models.Metadata { return m.meta }

// Inputs describes the inputs of the graph.
func (m *Model) Inputs() []tensor.Info { return m.session.Inputs() }

// Outputs describes the outputs of the graph.
func (m *Model) Outputs() []tensor.Info { return m.session.Outputs() }

// State returns the inputs that take the model's state, each with the output that returns
// its value after the run. A model of rnnkit names them in its metadata; in any other
// they are found in the graph. The caller must not change it.
func (m *Model) State() []models.StatePair { return m.pairs }

// Streams returns nil if the Step methods can run m. Otherwise the error names the node
// that looks ahead, mixes the steps or is not known.
func (m *Model) Streams() error {
	_, err := m.plan()
	return err
}

// Run computes the named outputs, or all of them if none is named. Inputs that have a
// default may be left out. So may those of the [Model.State], which are then zeros, for as
// many sequences as the other inputs have. Run returns when ctx is done: the native
// engine within a recurrent layer too, ONNX Runtime between two operators, so run a long
// sequence in parts there.
func (m *Model) Run(ctx context.Context, inputs map[string]tensor.Tensor, outputs ...string) (map[string]tensor.Tensor, error) {
	results := engine.Wanted(m.session, outputs)
	if err := m.RunInto(ctx, inputs, results); err != nil {
		return nil, err
	}
	return results, nil
}

// binding is the memory of a run.
type binding struct {
	engine.Binding
	zeros []tensor.Tensor // for the states that are not given
}

// RunInto is Run for the outputs that are the keys of the given map, to which it writes.
// It reuses the memory of the tensors that it finds there if they are large enough, so
// repeated runs on inputs of the same shapes allocate nothing. The memory must not be
// that of an input.
func (m *Model) RunInto(ctx context.Context, inputs, outputs map[string]tensor.Tensor) error {
	b, ok := m.bindings.Get().(*binding)
	if !ok {
		b = &binding{zeros: make([]tensor.Tensor, len(m.places))}
	}
	defer m.bindings.Put(b)
	defer b.Release(m.session, outputs)
	if err := b.Bind(m.session, inputs, outputs); err != nil {
		return err
	}
	if err := m.begin(m.Inputs(), b.Inputs, b.zeros); err != nil {
		return err
	}
	return m.run(ctx, m.session, b.Inputs, b.Outputs)
}

// run is [engine.Refiller.RunInto], on any session.
func (m *Model) run(ctx context.Context, session engine.Session, inputs, outputs []*tensor.Tensor) error {
	if err := m.retain(); err != nil {
		return err
	}
	defer m.release()
	if r, ok := session.(engine.Refiller); ok {
		return r.RunInto(ctx, inputs, outputs)
	}
	named := make(map[string]tensor.Tensor, len(inputs))
	for i, t := range inputs {
		if t != nil {
			named[session.Inputs()[i].Name] = *t
		}
	}
	var names []string
	for i, t := range outputs {
		if t != nil {
			names = append(names, session.Outputs()[i].Name)
		}
	}
	results, err := session.Run(ctx, named, names...)
	if err != nil {
		return err
	}
	for i, t := range outputs {
		if t != nil {
			*t = results[session.Outputs()[i].Name]
		}
	}
	return nil
}

// ErrClosed is what a run of a closed [Model] or [Live] returns.
var ErrClosed = errors.New("the model is closed: open it again")

// Close frees what the model holds as soon as the runs in progress have returned. It does
// not wait for them. A later run returns [ErrClosed], unless it is within a [Live.Use]
// that was in progress. Close may be called more than once.
func (m *Model) Close() error {
	if m.closed.Swap(true) {
		return nil
	}
	return m.release()
}

// retain keeps the session open until release.
func (m *Model) retain() error {
	for n := m.users.Load(); n > 0 && (!m.closed.Load() || m.uses.Load() > 0); n = m.users.Load() {
		if m.users.CompareAndSwap(n, n+1) {
			return nil
		}
	}
	return ErrClosed
}

func (m *Model) release() error {
	if m.users.Add(-1) > 0 {
		return nil
	}
	err := m.session.Close()
	for _, s := range m.opened {
		err = errors.Join(err, s.Close())
	}
	return err
}

// The names of the exported graph's input and output.
const (
	inputName  = "input"
	outputName = "output"
)

// checkInputs returns an error unless the graph has the inputs that the metadata says, and
// no other that is required but those of its state.
func (m *Model) checkInputs() error {
	want := inputsOf(m.meta.Spec)
	for _, in := range m.Inputs() {
		at := indexOf(want, in.Name)
		isState := slices.ContainsFunc(m.pairs, func(p models.StatePair) bool { return p.Input == in.Name })
		if at < 0 && !in.Optional && !isState {
			at = 0
		}
		if at >= 0 && in.String() != want[at].String() {
			return fmt.Errorf("the model has the input %s, where its metadata says %s: export the model again", in, want[at])
		}
	}
	for _, in := range want[1:] {
		if indexOf(m.Inputs(), in.Name) < 0 {
			return fmt.Errorf("the model has no input %s, which its metadata tells of: export the model again", in)
		}
	}
	return nil
}

// checkTokens returns an error for the first of tokens, an argument of that name, that the
// model does not know, if its description tells how many it knows.
func (m *Model) checkTokens(argument string, tokens []int64) error {
	d := m.Description()
	if d == nil || d.Tokens == 0 {
		return nil
	}
	for i, token := range tokens {
		if token < 0 || token >= int64(d.Tokens) {
			return &models.FieldError{Field: fmt.Sprintf("%s[%d]", argument, i), Value: token, Want: fmt.Sprintf("a token of the model, from 0 to %d", d.Tokens-1)}
		}
	}
	return nil
}

// tensorShape is the value of a [models.FieldError] about a tensor.
type tensorShape struct {
	Type  tensor.Type
	Shape []int
	Len   int // of the Data
}

func tensorShapeOf(t tensor.Tensor) tensorShape {
	return tensorShape{t.Type(), t.Shape, t.Len()}
}

// String describes s in words, such as "float32 of shape [5 1]", with the number of
// elements if that is another than the shape has.
func (s tensorShape) String() string {
	text := fmt.Sprintf("%s of shape %v", s.Type, s.Shape)
	if size, err := tensor.Size(s.Shape); err != nil || size != s.Len {
		text += fmt.Sprintf(" and %d elements", s.Len)
	}
	return text
}
