package onnxgo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/owulveryck/onnx-go"
	gorgonia "gorgonia.org/tensor"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// Engine returns an engine whose models onnx-go decodes and a [Backend] runs, one run
// at a time: to compare what comes of a file that way with other engines.
func Engine() engine.Engine { return onnxGo{} }

type onnxGo struct{}

func (onnxGo) String() string { return "onnx-go" }

func (onnxGo) Open(data []byte) (engine.Session, error) {
	description, err := native.New().Open(data)
	if err != nil {
		return nil, err
	}
	outline, err := onnxgraph.Outline(data)
	if err != nil {
		return nil, err
	}
	var opset int64
	for _, o := range outline.Opsets {
		if o.Domain == "" {
			opset = o.Version
		}
	}
	s := &session{Session: description, backend: NewBackend(Opset(int(opset)))}
	s.model = onnx.NewModel(s.backend)
	err = s.model.UnmarshalBinary(data)
	if missing := (*onnx.ErrNotImplemented)(nil); errors.As(err, &missing) { // its own text has the whole value in it
		return nil, fmt.Errorf("onnx-go does not decode the model: attribute %q: %s", missing.AttributeName, missing.Message)
	}
	if err != nil {
		return nil, fmt.Errorf("onnx-go does not decode the model: %w", err)
	}
	return s, nil
}

// session is a native one, of which Run alone goes another way.
type session struct {
	engine.Session
	mu      sync.Mutex
	model   *onnx.Model
	backend *Backend
}

func (s *session) Run(ctx context.Context, inputs map[string]tensor.Tensor, outputs ...string) (map[string]tensor.Tensor, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := engine.CheckInputs(s.Inputs(), inputs); err != nil {
		return nil, err
	}
	results := engine.Wanted(s, outputs)
	for name := range results {
		if !slices.ContainsFunc(s.Outputs(), func(v tensor.Info) bool { return v.Name == name }) {
			return nil, fmt.Errorf("output %q is not among the model's: %v", name, s.Outputs())
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, info := range s.Inputs() {
		var x gorgonia.Tensor // nil for the default
		if t, ok := inputs[info.Name]; ok {
			if t.Len() == 0 {
				return nil, fmt.Errorf("input %q is empty, which onnx-go's tensors are not", info.Name)
			}
			x = gorgonia.New(gorgonia.WithShape(t.Shape...), gorgonia.WithBacking(t.Data))
		}
		if err := s.node(info.Name).SetTensor(x); err != nil {
			return nil, err
		}
	}
	if err := s.backend.run(ctx); err != nil {
		return nil, err
	}
	for name := range results {
		y, err := tensorOf(s.node(name).GetTensor())
		if err != nil {
			return nil, fmt.Errorf("output %q: %w", name, err)
		}
		results[name] = y
	}
	return results, nil
}

// node returns the node of an input or an output.
func (s *session) node(name string) onnx.DataCarrier {
	n, _ := s.model.GetNodeByName(name)
	return n.(onnx.DataCarrier)
}
