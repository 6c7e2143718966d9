//go:build cgo

package ort

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/ortlib"
)

// Cgo reports whether this build has cgo, which opening a model requires.
const Cgo = true

// loaded is the library that this package loaded into the process.
var loaded struct {
	sync.Mutex
	path string
}

// loadLibrary loads the library that ortlib.Find finds, unless one is loaded. It
// returns the path of the loaded library.
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
	if err := ortlib.Verify(lib); err != nil {
		return "", err
	}
	if _, err := ortlib.Check(lib.Path); err != nil {
		return "", err
	}
	ort.SetSharedLibraryPath(lib.Path)
	if err := ort.InitializeEnvironment(ort.WithLogLevelFatal()); err != nil {
		return "", fmt.Errorf("cannot load %s: %w: the binding onnxruntime_go %s needs ONNX Runtime 1.%d or later: run `rnnkit runtime install`", lib.Path, err, ortlib.Binding, ortlib.NeedAPI)
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
	spinning := "0"
	if e.spinning {
		spinning = "1"
	}
	err = errors.Join(
		options.SetIntraOpNumThreads(e.threads),
		options.SetInterOpNumThreads(1),
		options.AddSessionConfigEntry("session.intra_op.allow_spinning", spinning),
		options.AddSessionConfigEntry("session.inter_op.allow_spinning", spinning),
		options.SetCpuMemArena(e.arena),
		options.SetMemPattern(e.pattern),
		options.SetGraphOptimizationLevel([]ort.GraphOptimizationLevel{
			NoOptimization: ort.GraphOptimizationLevelDisableAll,
			Basic:          ort.GraphOptimizationLevelEnableBasic,
			Extended:       ort.GraphOptimizationLevelEnableExtended,
			All:            ort.GraphOptimizationLevelEnableAll,
		}[e.level]),
	)
	if err == nil && e.profile != "" {
		err = errors.Join(checkWritable(e.profile), options.EnableProfiling(e.profile))
	}
	if err == nil && e.cuda {
		err = e.appendCUDA(options, library)
	}
	if err != nil {
		options.Destroy()
		return nil, err
	}
	return options, nil
}

// checkWritable creates and removes a file whose name begins with prefix, since ONNX
// Runtime does not report that it cannot write its profile.
func checkWritable(prefix string) error {
	f, err := os.CreateTemp(filepath.Dir(prefix), filepath.Base(prefix)+"*")
	if err != nil {
		return fmt.Errorf("the profile cannot be written: %w", err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

func (e *ortEngine) appendCUDA(options *ort.SessionOptions, library string) error {
	if err := ortlib.CUDA(library); err != nil {
		return err
	}
	cuda, err := ort.NewCUDAProviderOptions()
	if err != nil {
		return fmt.Errorf("CUDA: %w", err)
	}
	defer cuda.Destroy()
	settings := map[string]string{"device_id": strconv.Itoa(e.device), "use_tf32": "0"}
	if e.tf32 {
		settings["use_tf32"] = "1"
	}
	if e.limited {
		settings["gpu_mem_limit"] = strconv.Itoa(e.memory)
	}
	err = cuda.Update(settings)
	if err == nil {
		err = options.AppendExecutionProviderCUDA(cuda)
	}
	if err != nil {
		return fmt.Errorf("CUDA device %d: %w", e.device, oneLine(err))
	}
	return nil
}

func names(infos []tensor.Info) []string {
	list := make([]string, len(infos))
	for i, info := range infos {
		list[i] = info.Name
	}
	return list
}

// session feeds every input and computes every output of the graph on each Run,
// because the binding fixes their names when it makes the session. It feeds the
// defaults of inputs that are left out.
type session struct {
	*graph
	session  *ort.DynamicAdvancedSession
	defaults map[string]ort.Value
	varying  atomic.Bool // output shapes vary for the same input shapes

	mu     sync.Mutex
	closed bool
	idle   []*call // at most one per processor
}

func (s *session) Inputs() []tensor.Info       { return s.inputs }
func (s *session) Outputs() []tensor.Info      { return s.outputs }
func (s *session) Metadata() map[string]string { return s.metadata }

func (s *session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	for _, c := range s.idle {
		c.destroy()
	}
	for _, v := range s.defaults {
		v.Destroy()
	}
	if s.session == nil {
		return nil
	}
	return s.session.Destroy()
}

func (s *session) Run(ctx context.Context, inputs map[string]tensor.Tensor, outputs ...string) (map[string]tensor.Tensor, error) {
	return engine.Run(ctx, s, inputs, outputs...)
}

// RunInto implements [engine.Refiller].
func (s *session) RunInto(ctx context.Context, inputs, outputs []*tensor.Tensor) error {
	if err := s.runInto(ctx, inputs, outputs); err != nil {
		return fmt.Errorf("onnxruntime: %w", err)
	}
	return nil
}

func (s *session) runInto(ctx context.Context, inputs, outputs []*tensor.Tensor) error {
	if err := s.checkInputs(inputs); err != nil {
		return err
	}
	if len(outputs) != len(s.outputs) {
		return fmt.Errorf("there are %d outputs for the model's %v", len(outputs), s.outputs)
	}
	c, err := s.take()
	if err != nil {
		return err
	}
	defer s.put(c)
	if err := c.feed(s, inputs); err != nil {
		return err
	}
	err = c.run(ctx, s)
	if err != nil && ctx.Err() == nil && c.used {
		s.varying.Store(true) // any other error recurs in the second run
		c.dropOutputs()
		err = c.run(ctx, s)
	}
	if err != nil {
		c.dropOutputs()
		return err
	}
	if err := c.copyOutputs(s, outputs); err != nil {
		return err
	}
	if s.varying.Load() {
		c.dropOutputs()
	}
	return nil
}

// checkInputs returns an error for inputs that do not match their declarations, and
// for values that ONNX Runtime would process wrongly.
func (s *session) checkInputs(inputs []*tensor.Tensor) error {
	if err := engine.CheckTensors(s.inputs, inputs); err != nil {
		return err
	}
	for i, t := range inputs {
		if t != nil && t.Len() == 0 { // ONNX Runtime aborts the process on an LSTM with an empty batch
			return fmt.Errorf("input %q is empty: shape %v has no elements", s.inputs[i].Name, t.Shape)
		}
		if t != nil && s.checks != nil {
			if err := s.checks[i](*t); err != nil {
				return fmt.Errorf("input %q %w, of which the recurrent operators of ONNX Runtime make numbers: use the native engine, or let it pass", s.inputs[i].Name, err)
			}
		}
	}
	return nil
}

// take returns a call for exclusive use.
func (s *session) take() (*call, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errors.New("the session is closed: open the model again")
	}
	if last := len(s.idle) - 1; last >= 0 {
		c := s.idle[last]
		s.idle = s.idle[:last]
		return c, nil
	}
	return &call{
		in: make([]ort.Value, len(s.inputs)), args: make([]ort.Value, len(s.inputs)), fed: make([]tensor.Tensor, len(s.inputs)),
		out: make([]ort.Value, len(s.outputs)), got: make([]tensor.Tensor, len(s.outputs)),
	}, nil
}

func (s *session) put(c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.idle) >= runtime.GOMAXPROCS(0) {
		c.destroy()
		return
	}
	s.idle = append(s.idle, c)
}

// call holds the values of a run. Later runs with the same shapes reuse it.
type call struct {
	in      []ort.Value     // fed inputs, nil for defaults
	fed     []tensor.Tensor // the memory of in
	args    []ort.Value     // in and the defaults
	out     []ort.Value
	got     []tensor.Tensor // the memory of out
	used    bool            // out holds the values of an earlier run
	options *ort.RunOptions
}

// feed copies inputs to c. It drops the outputs if a new input may change their
// shapes: if its type or shape changed, or if the binding copies its value.
func (c *call) feed(s *session, inputs []*tensor.Tensor) error {
	for i, t := range inputs {
		if (t != nil) != (c.in[i] != nil) {
			c.dropOutputs()
		}
		switch {
		case t == nil:
			destroy(c.in[i : i+1])
			c.fed[i], c.args[i] = tensor.Tensor{}, s.defaults[s.inputs[i].Name]
		case len(t.Shape) == 0 || t.Type() == tensor.Float16 || !c.fed[i].Overwrite(*t):
			c.dropOutputs()
			destroy(c.in[i : i+1])
			c.fed[i] = t.Clone()
			v, err := newValue(c.fed[i])
			if err != nil {
				return fmt.Errorf("input %q: %w", s.inputs[i].Name, err)
			}
			c.in[i], c.args[i] = v, v
		}
	}
	return nil
}

// run runs the session. It stops between two operators when ctx is done.
func (c *call) run(ctx context.Context, s *session) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for i, info := range s.outputs {
		if c.out[i] == nil && info.Shape != nil && len(info.Shape) == 0 { // the binding cannot allocate a scalar output
			v, err := newScalar(info.Type)
			if err != nil {
				return fmt.Errorf("output %q: %w", info.Name, err)
			}
			c.out[i] = v
		}
	}
	if ctx.Done() == nil {
		return c.done(s.session.Run(c.args, c.out))
	}
	if c.options == nil {
		var err error
		if c.options, err = ort.NewRunOptions(); err != nil {
			return err
		}
	}
	terminated := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		c.options.Terminate()
		close(terminated)
	})
	err := s.session.RunWithOptions(c.args, c.out, c.options)
	if !stop() {
		<-terminated
		c.options.UnsetTerminate()
	}
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return c.done(err)
}

func (c *call) done(err error) error {
	if err == nil {
		c.used = true
	}
	return oneLine(err)
}

// copyOutputs copies the requested outputs.
func (c *call) copyOutputs(s *session, outputs []*tensor.Tensor) error {
	for i, t := range outputs {
		if t == nil {
			continue
		}
		y, err := c.output(i)
		if err != nil {
			return fmt.Errorf("output %q: %w", s.outputs[i].Name, err)
		}
		t.Assign(y)
	}
	return nil
}

// output returns the contents of an output, which are valid until the next run.
func (c *call) output(i int) (_ tensor.Tensor, err error) {
	if len(c.got[i].Shape) == 0 {
		c.got[i], err = tensorOf(c.out[i])
	}
	return c.got[i], err
}

func (c *call) dropOutputs() {
	destroy(c.out)
	clear(c.got)
	c.used = false
}

func (c *call) destroy() {
	destroy(c.in)
	destroy(c.out)
	if c.options != nil {
		c.options.Destroy()
	}
}

// destroy destroys values and sets them to nil.
func destroy(values []ort.Value) {
	for i, v := range values {
		// After an error the binding leaves nil pointers in the interface.
		if v != nil && !reflect.ValueOf(v).IsNil() {
			v.Destroy()
		}
		values[i] = nil
	}
}

// guarded matches the failure of a node that onnxgraph.Guard inserted.
var guarded = regexp.MustCompile(`Name:'shape of input (\d) of (\w+ ".*"), guard \d+'.*?(Input shape:\{[\d,]*\}|$)`)

// oneLine joins the lines of an error of ONNX Runtime.
func oneLine(err error) error {
	if err == nil {
		return nil
	}
	text := strings.Join(strings.Fields(err.Error()), " ")
	if found := guarded.FindStringSubmatch(text); found != nil {
		input := map[string]string{"0": "X", "1": "W", "2": "R"}[found[1]]
		return fmt.Errorf("%s: input %s has another shape than the node needs, or no elements (%s): the native engine says which", found[2], input, found[3])
	}
	return errors.New(text)
}
