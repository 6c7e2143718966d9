// Package engine is the contract between package infer and whatever runs an
// ONNX graph for it: an [Engine] opens a model, a [Session] runs it on
// [tensor.Tensor] values.
//
// The engines of this project are infer/native (pure Go) and infer/ort (ONNX
// Runtime). Another one only has to satisfy these two interfaces.
package engine

import (
	"context"
	"fmt"

	"github.com/rnnkit/rnnkit/infer/tensor"
)

// An Engine opens ONNX models. It is safe for concurrent use.
type Engine interface {
	// String names the engine and where it computes, as it is shown to a
	// person: "native", "onnxruntime/cpu", "onnxruntime/cuda:0".
	String() string

	// Open loads a serialized ONNX model. It fails, with an error that names
	// the node and the reason, on a model that the engine cannot run. The
	// bytes may be reused once Open has returned.
	Open(model []byte) (Session, error)
}

// A ContextOpener is an Engine whose Open can be ended.
type ContextOpener interface {
	Engine

	// OpenContext is Open, and fails with the context's error soon after that is
	// done.
	OpenContext(ctx context.Context, model []byte) (Session, error)
}

// Open opens a model with e, and ends with ctx where e is a [ContextOpener].
func Open(ctx context.Context, e Engine, model []byte) (Session, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if e, ok := e.(ContextOpener); ok {
		return e.OpenContext(ctx, model)
	}
	return e.Open(model)
}

// A Session is one loaded model. It is safe for concurrent use; Close waits
// for no one, so it must come after the last Run has returned.
type Session interface {
	// Inputs and Outputs describe the graph's inputs and outputs in the
	// graph's order. The caller must not change them.
	Inputs() []tensor.Info
	Outputs() []tensor.Info

	// Metadata returns the model's metadata_props. The caller must not
	// change it.
	Metadata() map[string]string

	// Run computes the named outputs, or all of them if none is named. Every
	// input that is not Optional must be there. A missing, unknown or misshapen
	// input is an error that names it. The tensors returned belong to the
	// caller; those passed in are only read, and only until Run returns.
	Run(ctx context.Context, inputs map[string]tensor.Tensor, outputs ...string) (map[string]tensor.Tensor, error)

	// Close frees what the session holds. It is idempotent; a Run after it
	// is an error.
	Close() error
}

// A Refiller is a Session that can write to memory of the caller.
type Refiller interface {
	Session

	// RunInto is Run on tensors in the order of Inputs and Outputs: nil for an
	// input that is left out, and for an output that is not wanted. It writes
	// to the memory of an output's tensor, if its capacity is enough, so that a
	// caller who passes the same tensors again, with inputs of the same shapes, has
	// nothing allocated. The memory must not be that of an input.
	RunInto(ctx context.Context, inputs, outputs []*tensor.Tensor) error
}

// CheckInputs reports the first of inputs that does not fit what a graph
// declares in infos: unknown, missing, of another type, rank or fixed size.
// Engines call it, or [CheckTensors], at the start of Run.
func CheckInputs(infos []tensor.Info, inputs map[string]tensor.Tensor) error {
	list := make([]*tensor.Tensor, len(infos))
	if err := place(infos, inputs, make([]tensor.Tensor, len(infos)), list, "input"); err != nil {
		return err
	}
	return CheckTensors(infos, list)
}

// CheckTensors is [CheckInputs] for a [Refiller]'s inputs.
func CheckTensors(infos []tensor.Info, inputs []*tensor.Tensor) error {
	if len(inputs) != len(infos) {
		return fmt.Errorf("there are %d inputs for the model's %v", len(inputs), infos)
	}
	for i := range infos {
		info, t := &infos[i], inputs[i]
		switch {
		case t != nil:
			if err := info.Check(t); err != nil {
				return fmt.Errorf("input %q %w", info.Name, err)
			}
		case !info.Optional:
			return fmt.Errorf("input %q is missing: the model needs %s", info.Name, info)
		}
	}
	return nil
}
