// Package ort runs ONNX models with ONNX Runtime, through its C API (cgo). A
// program chooses it by passing [CPU] or [CUDA] to package infer:
//
//	model, err := infer.Open("sine.onnx", infer.With(ort.CPU()))
//
// The first Open loads the library libonnxruntime, which stays loaded; a process can
// use one. Goroutines share a session, and each run reuses the tensors of an earlier
// one. `rnnkit runtime install` installs the library, and `rnnkit runtime status`
// shows what is installed and what is missing.
//
// Without cgo the package builds, and Open fails with an error that says so.
//
// ONNX Runtime's recurrent operators on the CPU turn NaN into numbers and do not
// treat infinities as the ONNX standard requires. So Open refuses a model whose
// recurrent nodes have a weight that is NaN or infinite, and Run refuses such inputs
// of a model with recurrent nodes, but for a NaN that the graph replaces before these, by
// IsNaN and Where. [PassNaN] lets all pass. A NaN that arises within
// the model goes unnoticed.
//
// The binding is github.com/yalue/onnxruntime_go. Only session.go and value.go use
// it. A replacement must open a session from bytes, with options, and run it on
// tensors.
package ort

import (
	"errors"
	"fmt"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/ortlib"
)

// ErrNoLibrary is wrapped by the error of Open if this machine has no ONNX Runtime
// library.
var ErrNoLibrary = ortlib.ErrNotFound

// CPU returns an engine that computes on the CPU.
func CPU(opts ...Option) engine.Engine {
	return newEngine(ortEngine{}, opts)
}

// CUDA returns an engine that computes on an NVIDIA GPU in float32 without TF32.
// Devices are numbered from 0. If the GPU cannot be used, the error of Open names
// what is missing. Operators without a CUDA version, and those that only compute
// shapes, stay on the CPU: [Placements] lists them.
func CUDA(device int, opts ...Option) engine.Engine {
	return newEngine(ortEngine{cuda: true, device: device}, opts)
}

type ortEngine struct {
	library  string
	threads  int
	spinning bool
	arena    bool
	pattern  bool
	level    Level
	passNaN  bool
	profile  string // a prefix of paths, or "" for none

	cuda     bool
	device   int
	tf32     bool
	limited  bool
	memory   int // used if limited
	required bool
}

func newEngine(e ortEngine, opts []Option) *ortEngine {
	e.threads, e.arena, e.level = 1, true, All
	for _, opt := range opts {
		opt(&e)
	}
	return &e
}

func (e *ortEngine) String() string {
	if e.cuda {
		return fmt.Sprintf("onnxruntime/cuda:%d", e.device)
	}
	return "onnxruntime/cpu"
}

func (e *ortEngine) Open(model []byte) (engine.Session, error) {
	s, err := e.load(model)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e, err)
	}
	return s, nil
}

func (e *ortEngine) load(model []byte) (engine.Session, error) {
	if err := e.validate(); err != nil {
		return nil, err
	}
	outline, err := onnxgraph.Outline(model)
	if err != nil {
		return nil, err
	}
	if n := doubleRecurrent(&outline.Graph); n != nil && !e.cuda {
		return nil, fmt.Errorf("%s %q computes in float64, and ONNX Runtime's CPU code only in float32: use the native engine", n.OpType, n.Name)
	}
	if onnxgraph.InOtherFiles(model) { // ONNX Runtime would look for them in the working directory
		return nil, errors.New("tensors of the model lie in other files: save it as one file")
	}
	checked := !e.cuda && !e.passNaN
	model, recurrent, err := onnxgraph.Guard(model, checked)
	if err != nil {
		return nil, err
	}
	g, err := describe(outline)
	if err != nil {
		return nil, err
	}
	if recurrent && checked {
		g.checks = inputChecks(&outline.Graph, g.inputs)
	}
	if e.required {
		if err := e.checkPlacements(model); err != nil {
			return nil, err
		}
	}
	s, err := e.open(model, g)
	if err != nil {
		return nil, e.unsupported(outline, err)
	}
	return s, nil
}

// Provider is a kind of processor that ONNX Runtime can compute on.
type Provider struct {
	Name string // "cpu" or "cuda"
	Err  error  // why this machine cannot use it; nil if it can
}

// Providers tries every provider with a small model and reports which ones work.
func Providers(opts ...Option) []Provider {
	probe, err := onnxgraph.Marshal(&onnxgraph.Model{
		IRVersion: 8,
		Opsets:    []onnxgraph.Opset{{Version: 17}},
		Graph: onnxgraph.Graph{
			Name:    "probe",
			Nodes:   []onnxgraph.Node{{OpType: "Identity", Inputs: []string{"x"}, Outputs: []string{"y"}}},
			Inputs:  []onnxgraph.Value{{Name: "x", Type: onnxgraph.Float32, Shape: []onnxgraph.Dim{{Size: 1}}}},
			Outputs: []onnxgraph.Value{{Name: "y", Type: onnxgraph.Float32, Shape: []onnxgraph.Dim{{Size: 1}}}},
		},
	})
	try := func(e *ortEngine) error {
		if err != nil {
			return err
		}
		s, err := e.load(probe)
		if err != nil {
			return err
		}
		return s.Close()
	}
	return []Provider{
		{"cpu", try(newEngine(ortEngine{}, opts))},
		{"cuda", try(newEngine(ortEngine{cuda: true}, opts))},
	}
}

// graph describes the inputs and outputs of a model.
type graph struct {
	inputs   []tensor.Info
	outputs  []tensor.Info
	defaults map[string]tensor.Tensor // of the optional inputs
	metadata map[string]string
	checks   []inputCheck // of the values of each input; nil for none
}

func describe(m *onnxgraph.Model) (*graph, error) {
	g := &graph{defaults: make(map[string]tensor.Tensor), metadata: make(map[string]string)}
	for _, p := range m.Metadata {
		g.metadata[p.Key] = p.Value
	}
	defaults := make(map[string]onnxgraph.Tensor)
	for _, t := range m.Graph.Initializers {
		defaults[t.Name] = t
	}
	for _, v := range m.Graph.Inputs {
		info, err := valueInfo(v)
		if err != nil {
			return nil, fmt.Errorf("input %w", err)
		}
		t, ok := defaults[v.Name]
		switch {
		case !ok:
			g.inputs = append(g.inputs, info)
		case m.IRVersion >= 4: // older files list every weight as an input, and none could be fed
			if _, missing := t.Data.(onnxgraph.DataType); missing {
				return nil, fmt.Errorf("input %q: its default cannot be read: save it in the model's file", v.Name)
			}
			info.Optional = true
			g.inputs = append(g.inputs, info)
			g.defaults[v.Name] = t.Tensor
		}
	}
	for _, v := range m.Graph.Outputs {
		info, err := valueInfo(v)
		if err != nil {
			return nil, fmt.Errorf("output %w", err)
		}
		if v.Type == onnxgraph.Float16 { // the binding accepts them only as inputs
			return nil, fmt.Errorf("output %q has type float16, which is not supported as an output: cast it in the model to %s", v.Name, tensor.Float32)
		}
		g.outputs = append(g.outputs, info)
	}
	if len(g.inputs) == 0 || len(g.outputs) == 0 {
		return nil, errors.New("the model has no inputs or no outputs, so there is nothing to run")
	}
	return g, nil
}

func valueInfo(v onnxgraph.Value) (tensor.Info, error) {
	if !v.Type.Known() {
		return v, fmt.Errorf("%q has type %v, which is not supported: cast it in the model to %s", v.Name, v.Type, tensor.Float32)
	}
	return v, nil
}
