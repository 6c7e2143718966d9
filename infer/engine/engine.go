// Package engine is the contract between package infer and whatever runs an
// ONNX graph for it: an [Engine] opens a model, a [Session] runs it on
// [Tensor] values.
//
// The engines of this project are infer/native (pure Go) and infer/ort (ONNX
// Runtime). Another one only has to satisfy these two interfaces.
package engine

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// An Engine opens ONNX models. It is safe for concurrent use.
type Engine interface {
	// String names the engine and where it computes, as it is shown to a
	// person: "native", "onnxruntime/cpu", "onnxruntime/cuda:0".
	String() string

	// Open loads a serialised ONNX model. It fails, with an error that names
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
	Inputs() []ValueInfo
	Outputs() []ValueInfo

	// Metadata returns the model's metadata_props. The caller must not
	// change it.
	Metadata() map[string]string

	// Run computes the named outputs, or all of them if none is named. Every
	// input that is not Optional must be there. A missing, unknown or misshapen
	// input is an error that names it. The tensors returned belong to the
	// caller; those passed in are only read, and only until Run returns.
	Run(ctx context.Context, inputs map[string]Tensor, outputs ...string) (map[string]Tensor, error)

	// Close frees what the session holds. It is idempotent; a Run after it
	// is an error.
	Close() error
}

// ValueInfo describes an input or an output of a graph.
type ValueInfo struct {
	Name string
	Type Type
	// Shape is nil where even the number of dimensions is unknown, and empty
	// for a scalar.
	Shape []Dim
	// Optional marks an input with a default in the file (an initializer of
	// the same name), such as the zero initial state of our own models.
	Optional bool
}

// String shows the value as "name float32[batch, time, 1]", one of any number
// of dimensions as "name float32[...]". What cannot be printed in a name is escaped.
func (v ValueInfo) String() string {
	if v.Shape == nil {
		return fmt.Sprintf("%s %s[...]", escaped(v.Name), v.Type)
	}
	dims := make([]string, len(v.Shape))
	for i, d := range v.Shape {
		dims[i] = d.String()
	}
	return fmt.Sprintf("%s %s[%s]", escaped(v.Name), v.Type, strings.Join(dims, ", "))
}

// escaped returns a name of a file as it may stand in a line: a line break in it as \n.
func escaped(name string) string {
	quoted := strconv.Quote(name)
	return quoted[1 : len(quoted)-1]
}

// A Refiller is a Session that can write to memory of the caller.
type Refiller interface {
	Session

	// RunInto is Run on tensors in the order of Inputs and Outputs: nil for an
	// input that is left out, and for an output that is not wanted. It writes
	// to the memory of an output's tensor, if its capacity is enough, so that a
	// caller who passes the same tensors again, with inputs of the same shapes, has
	// nothing allocated. The memory must not be that of an input.
	RunInto(ctx context.Context, inputs, outputs []*Tensor) error
}

// Dim is one dimension of a shape: a fixed size, or a symbol that stands for
// any size. Without a symbol, a negative size is unknown.
type Dim struct {
	Size   int
	Symbol string
}

// String shows the size, the symbol, or "?" where neither is known.
func (d Dim) String() string {
	switch {
	case d.Symbol != "":
		return escaped(d.Symbol)
	case d.Size < 0:
		return "?"
	default:
		return fmt.Sprint(d.Size)
	}
}

// CheckInputs reports the first of inputs that does not fit what a graph
// declares in infos: unknown, missing, of another type, rank or fixed size.
// Engines call it, or [CheckTensors], at the start of Run.
func CheckInputs(infos []ValueInfo, inputs map[string]Tensor) error {
	list := make([]*Tensor, len(infos))
	if err := place(infos, inputs, make([]Tensor, len(infos)), list, "input"); err != nil {
		return err
	}
	return CheckTensors(infos, list)
}

// CheckTensors is [CheckInputs] for a [Refiller]'s inputs.
func CheckTensors(infos []ValueInfo, inputs []*Tensor) error {
	if len(inputs) != len(infos) {
		return fmt.Errorf("there are %d inputs for the model's %v", len(inputs), infos)
	}
	for i := range infos {
		info, t := &infos[i], inputs[i]
		switch {
		case t != nil:
			if err := t.fits(info); err != nil {
				return fmt.Errorf("input %q %w", info.Name, err)
			}
		case !info.Optional:
			return fmt.Errorf("input %q is missing: the model needs %s", info.Name, info)
		}
	}
	return nil
}
