// Package verify compares what engines answer for an exported model.
package verify

import (
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/models"
)

// Tolerance is how far two answers may lie apart where they are of order 1.
const Tolerance = 1e-5

// maxInput bounds the values of an Input, whose sizes come out of a file.
const maxInput = 1 << 26

// Input returns random sequences such as a model reads, in raw units: [batch,
// time, features], or [batch, time] tokens.
func Input(meta *models.Metadata, batch, time int, seed uint64) (tensor.Tensor, error) {
	rng := rand.New(rand.NewPCG(seed, 0))
	shape := []int{batch, time, max(meta.Spec.Features, 1)}
	size, err := tensor.Size(shape)
	if err != nil || size > maxInput {
		return tensor.Tensor{}, fmt.Errorf("%d sequences of %d steps of %d values are too many: take fewer, or shorter ones (or the metadata is damaged)", batch, time, meta.Spec.Features)
	}
	if vocabulary := meta.Spec.Vocabulary; vocabulary > 0 {
		tokens := make([]int64, size)
		for i := range tokens {
			tokens[i] = rng.Int64N(int64(vocabulary))
		}
		return tensor.Of(tokens, batch, time), nil
	}
	x := make([]float32, size)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	meta.InputScale.Invert(x, x)
	return tensor.Of(x, shape...), nil
}

// Whole runs m on whole sequences. It returns all outputs.
func Whole(ctx context.Context, m *infer.Model, input tensor.Tensor) (map[string]tensor.Tensor, error) {
	return m.Run(ctx, map[string]tensor.Tensor{"input": input})
}

// Stepped runs m on one step of the sequences after the other, with the state
// fed back. It returns what Whole does.
func Stepped(ctx context.Context, m *infer.Model, input tensor.Tensor) (map[string]tensor.Tensor, error) {
	var all []map[string]tensor.Tensor
	state := m.NewState()
	for t := range input.Shape[1] {
		outputs, err := m.StepTensors(ctx, state, map[string]tensor.Tensor{"input": step(input, t)})
		if err != nil {
			return nil, fmt.Errorf("step %d: %w", t+1, err)
		}
		all = append(all, outputs)
	}
	result := map[string]tensor.Tensor{}
	for _, info := range m.Outputs() {
		steps := make([]tensor.Tensor, len(all))
		for t, outputs := range all {
			steps[t] = outputs[info.Name]
		}
		result[info.Name] = steps[len(steps)-1]
		if len(info.Shape) > 1 && info.Shape[1].Symbol == "time" {
			joined, err := join(steps)
			if err != nil {
				return nil, fmt.Errorf("output %q: %w", info.Name, err)
			}
			result[info.Name] = joined
		}
	}
	return result, nil
}

// step returns step t of x, as a sequence of its own.
func step(x tensor.Tensor, t int) tensor.Tensor {
	shape := append([]int{x.Shape[0], 1}, x.Shape[2:]...)
	if tokens, ok := x.Data.([]int64); ok {
		return tensor.Of(stepOf(tokens, x.Shape, t), shape...)
	}
	return tensor.Of(stepOf(x.Data.([]float32), x.Shape, t), shape...)
}

func stepOf[T any](data []T, shape []int, t int) []T {
	time := shape[1]
	width := len(data) / (shape[0] * time)
	var out []T
	for b := range shape[0] {
		out = append(out, data[(b*time+t)*width:][:width]...)
	}
	return out
}

// join puts float32 steps [batch, 1, width] together as [batch, time, width].
func join(steps []tensor.Tensor) (tensor.Tensor, error) {
	shape := steps[0].Shape
	data := make([][]float32, len(steps))
	for t, s := range steps {
		var ok bool
		if data[t], ok = s.Data.([]float32); !ok || len(shape) != 3 || shape[1] != 1 || !slices.Equal(s.Shape, shape) {
			return tensor.Tensor{}, fmt.Errorf("has %s of shape %v at step %d, not float32 of one step: export the model again", s.Type(), s.Shape, t+1)
		}
	}
	batch, width := shape[0], shape[2]
	var out []float32
	for b := range batch {
		for _, x := range data {
			out = append(out, x[b*width:][:width]...)
		}
	}
	return tensor.Of(out, batch, len(steps), width), nil
}

// Difference returns the largest difference of any output in want from that in
// got. It is an error if an output is missing or of another shape, or if the
// difference is not finite or larger than tolerance, times the largest finite value
// of that output where that is more than 1. The same infinity in both is no difference. The output named output is looked at in
// the units that the model was trained in, which scale gives unless it is nil,
// but no closer than float32 can tell its raw values apart.
func Difference(want, got map[string]tensor.Tensor, tolerance float64, scale *models.Scale) (float64, error) {
	var largest float64
	for _, name := range slices.Sorted(maps.Keys(want)) {
		units := scale
		if name != "output" || scale == nil {
			units = &models.Scale{Mean: []float32{0}, Std: []float32{1}}
		}
		d, err := difference(want[name], got[name], tolerance, units)
		if err != nil {
			return d, fmt.Errorf("output %q %w", name, err)
		}
		largest = max(largest, d)
	}
	return largest, nil
}

func difference(want, got tensor.Tensor, tolerance float64, units *models.Scale) (largest float64, err error) {
	if got.Type() != want.Type() {
		return 0, fmt.Errorf("has type %q, not %q", got.Type(), want.Type())
	}
	w, g := want.Float64s(), got.Float64s()
	if fmt.Sprint(got.Shape) != fmt.Sprint(want.Shape) {
		return 0, fmt.Errorf("has shape %v, not %v", got.Shape, want.Shape)
	}
	size := 1.0 // of the largest value, in units
	for i, v := range w {
		k := i % len(units.Std)
		if !math.IsInf(v, 0) {
			size = max(size, math.Abs((v-float64(units.Mean[k]))/float64(units.Std[k])))
		}
	}
	for i := range w {
		if math.IsInf(w[i], 0) && g[i] == w[i] {
			continue
		}
		d := math.Abs(w[i] - g[i])
		const resolution = 1.0 / (1 << 22) // two steps of a float32, relative to it
		allowed := max(tolerance*size*float64(units.Std[i%len(units.Std)]), resolution*math.Abs(w[i]))
		if !(d <= allowed) || math.IsInf(d, 0) {
			if math.IsNaN(w[i]) && math.IsNaN(g[i]) {
				return d, fmt.Errorf("cannot be compared: value %d is NaN in both", i)
			}
			return d, fmt.Errorf("differs: value %d is %g, not %g: the tolerance is %g", i, g[i], w[i], allowed)
		}
		largest = max(largest, d)
	}
	return largest, nil
}

// PutNaN sets one element in the middle of each float32 and float64 of inputs to NaN,
// in copies, and reports whether there is one.
func PutNaN(inputs map[string]tensor.Tensor) bool {
	found := false
	for name, t := range inputs {
		t = t.Clone()
		switch data := t.Data.(type) {
		case []float32:
			if len(data) > 0 {
				data[len(data)/2], found = float32(math.NaN()), true
			}
		case []float64:
			if len(data) > 0 {
				data[len(data)/2], found = math.NaN(), true
			}
		}
		inputs[name] = t
	}
	return found
}

// LosesNaN reports whether got has a number where want has NaN.
func LosesNaN(want, got map[string]tensor.Tensor) bool {
	for name, t := range want {
		w, g := t.Float64s(), got[name].Float64s()
		for i := range min(len(w), len(g)) {
			if math.IsNaN(w[i]) && !math.IsNaN(g[i]) {
				return true
			}
		}
	}
	return false
}
