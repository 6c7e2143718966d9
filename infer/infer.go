// Package infer runs recurrent models inside a Go program: those that rnnkit
// exports, and through [Model.Run] any ONNX model that the engine knows. What a
// model was trained for has a type of its own: [Forecaster], [Generator] and
// [Classifier].
//
// The default engine is pure Go, so a program that imports this package needs
// no cgo and no shared library. Pass another with [With].
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
	plan    func() (*stepwise.Plan, error) // how m is made to run step by step
	stepper func() (*stepper, error)       // which the first call opens
	opened  []engine.Session               // by that

	bindings sync.Pool // of *binding

	closed atomic.Bool
	users  atomic.Int64 // the runs under way, and 1 until Close; the last one frees the session
	uses   atomic.Int64 // the uses of a Live under way, in which runs go on after Close
}

// Option changes how a model is opened.
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

// Open loads the ONNX model in the file of the given path, which is no pipe and no
// device.
func Open(path string, opts ...Option) (*Model, error) {
	return OpenContext(context.Background(), path, opts...)
}

// OpenContext is Open, and ends with ctx: at once with the native engine, with
// another where that is an [engine.ContextOpener].
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

// OpenBytes loads an ONNX model from the bytes of its file, which may be
// reused afterwards: of a model that streams without inputs for its state, it keeps a
// copy until the first step.
func OpenBytes(data []byte, opts ...Option) (*Model, error) {
	return OpenBytesContext(context.Background(), data, opts...)
}

// OpenBytesContext is OpenBytes, and ends with ctx as [OpenContext] does.
func OpenBytesContext(ctx context.Context, data []byte, opts ...Option) (*Model, error) {
	return open(ctx, data, false, opts)
}

// open opens a model from bytes that are its own, or which it may only read.
func open(ctx context.Context, data []byte, owned bool, opts []Option) (*Model, error) {
	o := options{engine: native.New()}
	for _, option := range opts {
		option(&o)
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

// Metadata returns the document that rnnkit put into the file, or nil for a
// model from elsewhere. The caller must not change it.
func (m *Model) Metadata() *models.Metadata { return m.meta }

// Inputs describes the inputs of the graph.
func (m *Model) Inputs() []tensor.Info { return m.session.Inputs() }

// Outputs describes the outputs of the graph.
func (m *Model) Outputs() []tensor.Info { return m.session.Outputs() }

// State returns the inputs that carry the model's state, each with the output that
// is its value for the next run: as the metadata of rnnkit names them, in a model
// from elsewhere those that its graph tells of. The caller must not change it.
func (m *Model) State() []models.StatePair { return m.pairs }

// Streams returns nil if [Model.Step] and its like can run m, and else why they
// cannot: which node looks ahead, mixes the steps or is not known.
func (m *Model) Streams() error {
	_, err := m.plan()
	return err
}

// Run computes the named outputs, or all of them if none is named. Inputs that
// have a default may be left out, and those that carry the model's [Model.State],
// which are then zeros, for as many sequences as the other inputs have. It ends with
// ctx: the native engine within a recurrent layer too, ONNX Runtime between two
// operators, so that a long sequence is better run in parts there.
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

// RunInto is Run for the outputs that are named in the given map, to which it
// writes: to the memory of the tensors that it finds there, where it is enough, so
// that runs again and again, on inputs of the same shapes, allocate nothing. The
// memory must not be that of an input.
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

// Close frees what the model holds, as soon as the runs under way have returned,
// for which it does not wait. A run after it is [ErrClosed], but within a [Live.Use]
// that is under way. It may be called more than once.
func (m *Model) Close() error {
	if m.closed.Swap(true) {
		return nil
	}
	return m.release()
}

// retain keeps the session until release.
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

// checkInput returns an error unless the graph reads what the metadata says, and
// needs nothing else but its state.
func (m *Model) checkInput() error {
	want := inputOf(m.meta.Spec)
	for _, in := range m.Inputs() {
		isState := slices.ContainsFunc(m.pairs, func(p models.StatePair) bool { return p.Input == in.Name })
		if in.Name == want.Name && in.String() != want.String() || in.Name != want.Name && !in.Optional && !isState {
			return fmt.Errorf("the model has the input %s, where its metadata says %s: export the model again", in, want)
		}
	}
	return nil
}

// inputOf returns the input of a model that rnnkit has exported.
func inputOf(spec models.Spec) tensor.Info {
	input := tensor.Info{Name: inputName, Type: tensor.Float32, Shape: []tensor.Dim{{Symbol: "batch"}, {Symbol: "time"}, {Size: spec.Features}}}
	if spec.Vocabulary > 0 {
		input.Type, input.Shape = tensor.Int64, input.Shape[:2]
	}
	return input
}

// checkTokens returns an error that names the first of tokens that the model does not
// know, if its description tells how many it knows.
func (m *Model) checkTokens(tokens []int64) error {
	d := m.Description()
	if d == nil || d.Tokens == 0 {
		return nil
	}
	for i, token := range tokens {
		if token < 0 || token >= int64(d.Tokens) {
			return fmt.Errorf("token %d, at step %d, is unknown: the model's are from 0 to %d", token, i+1, d.Tokens-1)
		}
	}
	return nil
}
