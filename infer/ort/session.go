//go:build cgo

package ort

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/internal/ortlib"
)

// Cgo tells whether this build has cgo, without which no model can be opened.
const Cgo = true

// loaded is the library that this package has loaded into the process.
var loaded struct {
	sync.Mutex
	path string
}

// loadLibrary loads the library that ortlib.Find finds, unless one is loaded already,
// and returns the path of the one that is loaded.
func loadLibrary(explicit string) (string, error) {
	loaded.Lock()
	defer loaded.Unlock()
	if ort.IsInitialized() && explicit == "" {
		return loaded.path, nil
	}
	lib, err := ortlib.Find(explicit)
	if err != nil {
		return "", err
	}
	if ort.IsInitialized() {
		if !sameFile(lib.Path, loaded.path) {
			return "", fmt.Errorf("cannot load %s: a process can use one library, and this one has loaded %q: give every engine the same", lib.Path, loaded.path)
		}
		return loaded.path, nil
	}
	if _, err := ortlib.Check(lib.Path); err != nil {
		return "", err
	}
	ort.SetSharedLibraryPath(lib.Path)
	if err := ort.InitializeEnvironment(ort.WithLogLevelFatal()); err != nil {
		return "", fmt.Errorf("cannot load %s: %w: ONNX Runtime from 1.%d on is needed: run `rnnkit runtime install`", lib.Path, err, ortlib.NeedAPI)
	}
	loaded.path = lib.Path
	return lib.Path, ort.DisableTelemetry()
}

func sameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

func (e *ortEngine) open(model []byte, g *graph) (_ engine.Session, err error) {
	path, err := loadLibrary(e.library)
	if err != nil {
		return nil, err
	}
	options, err := e.options(path)
	if err != nil {
		return nil, err
	}
	defer options.Destroy()

	s := &session{graph: g, defaults: make(map[string]ort.Value)}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	for name, t := range g.defaults {
		v, err := newValue(t)
		if err != nil {
			return nil, fmt.Errorf("input %q: its default: %w", name, err)
		}
		s.defaults[name] = v
	}
	s.session, err = ort.NewDynamicAdvancedSessionWithONNXData(model, names(g.inputs), names(g.outputs), options)
	if err != nil {
		return nil, fmt.Errorf("the model was refused: %w", oneLine(err))
	}
	return s, nil
}

// options returns session options, which the caller must destroy.
func (e *ortEngine) options(library string) (*ort.SessionOptions, error) {
	options, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		options.SetIntraOpNumThreads(e.threads),
		options.SetInterOpNumThreads(1),
		options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0"),
		options.AddSessionConfigEntry("session.inter_op.allow_spinning", "0"),
	)
	if err == nil && e.cuda {
		err = appendCUDA(options, e.device, library)
	}
	if err != nil {
		options.Destroy()
		return nil, err
	}
	return options, nil
}

func appendCUDA(options *ort.SessionOptions, device int, library string) error {
	if err := ortlib.CUDA(library); err != nil {
		return err
	}
	cuda, err := ort.NewCUDAProviderOptions()
	if err != nil {
		return fmt.Errorf("CUDA: %w", err)
	}
	defer cuda.Destroy()
	err = cuda.Update(map[string]string{"device_id": strconv.Itoa(device), "use_tf32": "0"})
	if err == nil {
		err = options.AppendExecutionProviderCUDA(cuda)
	}
	if err != nil {
		return fmt.Errorf("CUDA device %d: %w", device, oneLine(err))
	}
	return nil
}

func names(infos []engine.ValueInfo) []string {
	list := make([]string, len(infos))
	for i, info := range infos {
		list[i] = info.Name
	}
	return list
}

// session feeds every input and computes every output of the graph on each
// Run, because the binding fixes their names when the session is made: inputs
// that are left out get their default from here.
type session struct {
	*graph
	session  *ort.DynamicAdvancedSession
	defaults map[string]ort.Value
	closed   atomic.Bool
}

func (s *session) Inputs() []engine.ValueInfo  { return s.inputs }
func (s *session) Outputs() []engine.ValueInfo { return s.outputs }
func (s *session) Metadata() map[string]string { return s.metadata }

func (s *session) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	for _, v := range s.defaults {
		v.Destroy()
	}
	if s.session == nil {
		return nil
	}
	return s.session.Destroy()
}

func (s *session) Run(ctx context.Context, inputs map[string]engine.Tensor, outputs ...string) (map[string]engine.Tensor, error) {
	if s.closed.Load() {
		return nil, errors.New("onnxruntime: the session is closed: open the model again")
	}
	if err := engine.CheckInputs(s.inputs, inputs); err != nil {
		return nil, fmt.Errorf("onnxruntime: %w", err)
	}
	for name, t := range inputs {
		if t.Len() == 0 { // ONNX Runtime aborts the process on an LSTM with an empty batch
			return nil, fmt.Errorf("onnxruntime: input %q is empty: shape %v has no elements", name, t.Shape)
		}
	}
	for _, name := range outputs {
		if !slices.ContainsFunc(s.outputs, func(v engine.ValueInfo) bool { return v.Name == name }) {
			return nil, fmt.Errorf("onnxruntime: output %q is not among the model's: %v", name, s.outputs)
		}
	}
	result, err := s.run(ctx, inputs, outputs)
	if err != nil {
		return nil, fmt.Errorf("onnxruntime: %w", err)
	}
	return result, nil
}

func (s *session) run(ctx context.Context, inputs map[string]engine.Tensor, outputs []string) (map[string]engine.Tensor, error) {
	in := make([]ort.Value, len(s.inputs))
	for i, info := range s.inputs {
		t, ok := inputs[info.Name]
		if !ok {
			in[i] = s.defaults[info.Name]
			continue
		}
		v, err := newValue(t)
		if err != nil {
			return nil, fmt.Errorf("input %q: %w", info.Name, err)
		}
		defer v.Destroy()
		in[i] = v
	}
	out := make([]ort.Value, len(s.outputs))
	defer func() {
		for _, v := range out {
			// After an error the binding leaves nil pointers in the interface.
			if v != nil && !reflect.ValueOf(v).IsNil() {
				v.Destroy()
			}
		}
	}()
	for i, info := range s.outputs {
		if info.Shape != nil && len(info.Shape) == 0 { // the binding cannot make a scalar of an output by itself
			v, err := newScalar(info.Type)
			if err != nil {
				return nil, fmt.Errorf("output %q: %w", info.Name, err)
			}
			out[i] = v
		}
	}
	if err := s.runUntilDone(ctx, in, out); err != nil {
		return nil, err
	}
	result := make(map[string]engine.Tensor, len(outputs))
	for i, info := range s.outputs {
		if !slices.Contains(outputs, info.Name) {
			continue
		}
		t, err := tensorOf(out[i])
		if err != nil {
			return nil, fmt.Errorf("output %q: %w", info.Name, err)
		}
		result[info.Name] = t
	}
	return result, nil
}

// runUntilDone runs the session and breaks off, between two operators, when ctx
// is done.
func (s *session) runUntilDone(ctx context.Context, in, out []ort.Value) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if ctx.Done() == nil {
		return oneLine(s.session.Run(in, out))
	}
	options, err := ort.NewRunOptions()
	if err != nil {
		return err
	}
	defer options.Destroy()
	terminated := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		options.Terminate()
		close(terminated)
	})
	err = s.session.RunWithOptions(in, out, options)
	if !stop() {
		<-terminated // options must outlive the call
	}
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return oneLine(err)
}

// oneLine joins the lines of an error of ONNX Runtime.
func oneLine(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(strings.Join(strings.Fields(err.Error()), " "))
}
