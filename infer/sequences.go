package infer

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/inputs"
)

// The letters of an output's layout, besides those of an input.
const (
	single = '1' // a dimension of size 1
	ahead  = 'h' // the steps of a horizon
	flat   = 'x' // the steps of a horizon, each with its values
)

// maxBatch and maxSteps are how many sequences, and steps of all of them, go through a
// model at once: enough for the matrix products, few enough for the cache and for what an
// engine takes.
const (
	maxBatch = 64
	maxSteps = 1 << 16
)

// batchSize returns how many sequences of the given length go through a model at once.
func batchSize(length int) int { return max(1, min(maxBatch, maxSteps/max(1, length))) }

// sequences runs sequences through a model as its description says.
type sequences struct {
	*Description
	model *Model
	input inputs.Input
	zeros []inputs.Input
}

func newSequences(m *Model, d *Description) (*sequences, error) {
	s := &sequences{Description: d, model: m}
	find := func(name string) (inputs.Input, error) {
		i := indexOf(m.Inputs(), name)
		if i < 0 {
			return inputs.Input{}, fmt.Errorf("the model has no input %q, which its description names: it has %v", name, m.Inputs())
		}
		return inputs.Input{Info: m.Inputs()[i], Layout: d.Layouts[name]}, nil
	}
	var err error
	if s.input, err = find(d.Input); err != nil {
		return nil, err
	}
	for _, name := range d.Zeros {
		in, err := find(name)
		if err != nil {
			return nil, err
		}
		s.zeros = append(s.zeros, in)
	}
	return s, nil
}

// takesTokens reports whether the input takes integers.
func (s *sequences) takesTokens() bool {
	return s.input.Type == tensor.Int64 || s.input.Type == tensor.Int32 || s.input.Type == tensor.Uint8
}

// run feeds sequences [batch, time, features], or tokens [batch, time].
func (s *sequences) run(ctx context.Context, x tensor.Tensor, outputs ...string) (map[string]tensor.Tensor, error) {
	fed := map[string]tensor.Tensor{s.Input: s.arrange(x)}
	maps.Copy(fed, s.Constants)
	for _, in := range s.zeros {
		shape := in.Sizes(x.Shape[0], x.Shape[1])
		if _, err := tensor.Size(shape); err != nil {
			return nil, err
		}
		fed[in.Name] = tensor.Zeros(in.Type, shape...)
	}
	return s.model.Run(ctx, fed, outputs...)
}

// arrange returns sequences in the layout and the type of the input.
func (s *sequences) arrange(x tensor.Tensor) tensor.Tensor {
	batch, time := x.Shape[0], x.Shape[1]
	width := x.Len() / max(1, batch*time)
	var shape, strides []int
	for _, letter := range s.input.Layout {
		switch letter {
		case inputs.Batch:
			shape, strides = append(shape, batch), append(strides, time*width)
		case inputs.Time:
			shape, strides = append(shape, time), append(strides, width)
		default:
			shape, strides = append(shape, width), append(strides, 1)
		}
	}
	if x.Type() == s.input.Type && slices.IsSortedFunc(strides, func(a, b int) int { return b - a }) {
		return tensor.Tensor{Shape: shape, Data: x.Data}
	}
	switch data := x.Data.(type) {
	case []float32:
		return convert(gather(data, shape, strides), s.input.Type, shape)
	case []int64:
		return convert(gather(data, shape, strides), s.input.Type, shape)
	}
	return x
}

// convert returns values as a tensor of that type.
func convert[T float32 | int64](data []T, want tensor.Type, shape []int) tensor.Tensor {
	t := tensor.Zeros(want, shape...)
	switch to := t.Data.(type) {
	case []float32:
		convertTo(to, data)
	case []float64:
		convertTo(to, data)
	case []int64:
		convertTo(to, data)
	case []int32:
		convertTo(to, data)
	case []uint8:
		convertTo(to, data)
	case []tensor.Half:
		for i, v := range data {
			to[i] = tensor.HalfOf(float32(v))
		}
	}
	return t
}

func convertTo[To float32 | float64 | int64 | int32 | uint8, From float32 | int64](to []To, data []From) {
	for i, v := range data {
		to[i] = To(v)
	}
}

// gather returns the elements of data in the order of shape, whose dimensions have those
// strides.
func gather[T any](data []T, shape, strides []int) []T {
	if len(shape) == 0 {
		return data[:1]
	}
	var out []T
	for i := range shape[0] {
		out = append(out, gather(data[i*strides[0]:], shape[1:], strides[1:])...)
	}
	return out
}

// answers returns what the model answers to each sequence: [horizon, width] in a row, of
// the last step where the output has steps.
func (s *sequences) answers(ctx context.Context, x tensor.Tensor) ([][]float64, error) {
	results, err := s.run(ctx, x, s.Output)
	if err != nil {
		return nil, err
	}
	return s.take(results[s.Output], x.Shape[0])
}

// take returns the answers in an output.
func (s *sequences) take(y tensor.Tensor, batch int) ([][]float64, error) {
	values, err := elements(y)
	if err != nil {
		return nil, fmt.Errorf("output %q: %w", s.Output, err)
	}
	strides, last, ok := s.strides(y.Shape, batch)
	if !ok {
		return nil, fmt.Errorf("output %q has the shape %v for %d sequences, not %s", s.Output, y.Shape, batch, s.outputString())
	}
	size := max(1, s.Horizon) * s.Width
	all := make([]float64, 0, batch*size)
	rows := make([][]float64, batch)
	for b := range rows {
		for h := range max(1, s.Horizon) {
			for f := range s.Width {
				all = append(all, values[last+b*strides.batch+h*strides.ahead+f*strides.value])
			}
		}
		rows[b] = all[b*size:][:size:size]
	}
	return rows, nil
}

// strides is how many elements the answers of two sequences, of two steps ahead, and two
// values of an answer are apart.
type strides struct{ batch, ahead, value int }

// strides returns those of an output of that shape, where its last step begins, and
// whether the shape has the layout.
func (s *sequences) strides(shape []int, batch int) (to strides, last int, ok bool) {
	if len(shape) != len(s.OutputLayout) {
		return to, 0, false
	}
	ok = true
	stride, horizon := 1, max(1, s.Horizon)
	for i := len(shape) - 1; i >= 0; i-- {
		want := 1
		switch s.OutputLayout[i] {
		case inputs.Batch:
			to.batch, want = stride, batch
		case inputs.Time:
			last, want = (shape[i]-1)*stride, max(1, shape[i])
		case ahead:
			to.ahead, want = stride, horizon
		case flat:
			to.ahead, to.value, want = s.Width*stride, stride, horizon*s.Width
		case inputs.Other:
			to.value, want = stride, s.Width
		}
		ok = ok && shape[i] == want
		stride *= shape[i]
	}
	return to, last, ok
}

// elements returns the elements of an output as float64.
func elements(t tensor.Tensor) ([]float64, error) {
	if list := t.Float64s(); list != nil {
		return list, nil
	}
	return nil, fmt.Errorf("no answer has the type %s", t.Type())
}
