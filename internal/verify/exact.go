package verify

import (
	"context"
	"fmt"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/graphs"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// Exact is a model that package export wrote, computed in float64: what its graph
// stands for, without the rounding of an engine that computes in float32.
type Exact struct{ session engine.Session }

// OpenExact opens an exported model in float64, on the native engine.
func OpenExact(model []byte) (*Exact, error) {
	m, err := onnxgraph.Unmarshal(model)
	if err != nil {
		return nil, err
	}
	widen(&m.Graph)
	session, err := graphs.Open(context.Background(), native.New(), m)
	if err != nil {
		return nil, err
	}
	return &Exact{session}, nil
}

// widen makes the float32 of a graph float64.
func widen(g *onnxgraph.Graph) {
	for _, values := range [][]onnxgraph.Value{g.Inputs, g.Outputs} {
		for i := range values {
			if values[i].Type == onnxgraph.Float32 {
				values[i].Type = onnxgraph.Float64
			}
		}
	}
	for i, t := range g.Initializers {
		g.Initializers[i].Data = widened(t.Tensor).Data
	}
}

// widened returns float32 as float64, and any other tensor as it is.
func widened(t tensor.Tensor) tensor.Tensor {
	if _, ok := t.Data.([]float32); ok {
		return tensor.Of(t.Float64s(), t.Shape...)
	}
	return t
}

// Close frees the model.
func (e *Exact) Close() error { return e.session.Close() }

// Run runs the model on inputs of float32 or integers. The outputs are float64.
func (e *Exact) Run(ctx context.Context, inputs map[string]tensor.Tensor, outputs ...string) (map[string]tensor.Tensor, error) {
	wide := make(map[string]tensor.Tensor, len(inputs))
	for name, t := range inputs {
		wide[name] = widened(t)
	}
	return e.session.Run(ctx, wide, outputs...)
}

// Output returns what the model answers to input, whole sequences of float32 or
// of tokens, from a state of zeros: float64 of the shape of its output.
func (e *Exact) Output(ctx context.Context, input tensor.Tensor) (map[string]tensor.Tensor, error) {
	inputs := map[string]tensor.Tensor{"input": widened(input)}
	for _, info := range e.session.Inputs() {
		if info.Name == "input" || info.Optional {
			continue
		}
		shape := make([]int, len(info.Shape))
		for i, d := range info.Shape {
			if shape[i] = d.Size; d.Symbol != "" {
				shape[i] = input.Shape[0] // of a state only the batch is open
			}
		}
		size, err := tensor.Size(shape)
		if err != nil {
			return nil, fmt.Errorf("input %q: %w", info.Name, err)
		}
		inputs[info.Name] = tensor.Of(make([]float64, size), shape...)
	}
	return e.session.Run(ctx, inputs, "output")
}
