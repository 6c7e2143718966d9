package reading

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/inputs"
)

// Batches of the experiments; that they differ tells which dimension is the batch.
const (
	manyRows = 3
	fewRows  = 2
)

// lengths are those that a sequence is tried with where any may do. One of twice the
// length tells which dimension is the time.
var lengths = []int{16, 64, 256, 1024}

// magnitudes are those of the values that a model is tried with.
var magnitudes = []float64{0, 0.1, 1, 10, 100}

// trial is what the model answered once.
type trial struct {
	batch, time int
	outputs     map[string]tensor.Tensor
}

// try runs the model on random sequences.
func (m *model) try(ctx context.Context, batch, time int, names []string) (*trial, error) {
	x, err := m.random(batch, time, 1, rand.New(rand.NewPCG(1, 0)))
	if err != nil {
		return nil, err
	}
	outputs, err := m.run(ctx, x, names...)
	return &trial{batch, time, outputs}, err
}

// random returns sequences [batch, time, features] of normally distributed values
// of that magnitude, or tokens [batch, time].
func (m *model) random(batch, time int, magnitude float64, rng *rand.Rand) (tensor.Tensor, error) {
	in := m.input
	shape := []int{batch, time}
	in.Type = tensor.Int64
	if !m.tokens() {
		in.Type, shape = tensor.Float32, append(shape, m.Features)
	}
	x, err := in.Random(shape, rng)
	if values, ok := x.Data.([]float32); ok {
		for i, v := range values {
			values[i] = float32(float64(v) * magnitude)
		}
	}
	return x, err
}

// tokens tells whether the model reads integers.
func (m *model) tokens() bool {
	return m.input.Type == tensor.Int64 || m.input.Type == tensor.Int32 || m.input.Type == tensor.Uint8
}

// run feeds sequences [batch, time, features], or tokens [batch, time].
func (m *model) run(ctx context.Context, x tensor.Tensor, outputs ...string) (map[string]tensor.Tensor, error) {
	batch, time := x.Shape[0], x.Shape[1]
	fed := map[string]tensor.Tensor{}
	for name, t := range m.Given {
		fed[name] = t
	}
	for _, state := range m.states {
		shape := state.Sizes(batch, time)
		if _, err := tensor.Size(shape); err != nil {
			return nil, err
		}
		fed[state.Name] = tensor.Zeros(state.Type, shape...)
	}
	fed[m.input.Name] = m.arrange(x)
	return m.Runner.Run(ctx, fed, outputs...)
}

// arrange returns sequences in the layout and the type of the input.
func (m *model) arrange(x tensor.Tensor) tensor.Tensor {
	batch, time := x.Shape[0], x.Shape[1]
	width := x.Len() / max(1, batch*time)
	var shape, steps []int
	for _, letter := range m.input.Layout {
		switch letter {
		case inputs.Batch:
			shape, steps = append(shape, batch), append(steps, time*width)
		case inputs.Time:
			shape, steps = append(shape, time), append(steps, width)
		default:
			shape, steps = append(shape, width), append(steps, 1)
		}
	}
	switch data := x.Data.(type) {
	case []float32:
		return convert(gather(data, shape, steps), m.input.Type, shape)
	case []int64:
		return convert(gather(data, shape, steps), m.input.Type, shape)
	}
	return x
}

// convert returns values as a tensor of that type.
func convert[T float32 | int64](data []T, want tensor.Type, shape []int) tensor.Tensor {
	t := tensor.Zeros(want, shape...)
	switch to := t.Data.(type) {
	case []float32:
		fill(to, data)
	case []float64:
		fill(to, data)
	case []int64:
		fill(to, data)
	case []int32:
		fill(to, data)
	case []uint8:
		fill(to, data)
	case []tensor.Half:
		for i, v := range data {
			to[i] = tensor.HalfOf(float32(v))
		}
	}
	return t
}

func fill[To float32 | float64 | int64 | int32 | uint8, From float32 | int64](to []To, data []From) {
	for i, v := range data {
		to[i] = To(v)
	}
}

// gather returns the elements of data in the order of shape, whose dimensions
// are so many elements apart.
func gather[T any](data []T, shape, steps []int) []T {
	if len(shape) == 0 {
		return data[:1]
	}
	var out []T
	for i := range shape[0] {
		out = append(out, gather(data[i*steps[0]:], shape[1:], steps[1:])...)
	}
	return out
}

// elements returns the elements of an output as float64.
func elements(t tensor.Tensor) ([]float64, error) {
	switch data := t.Data.(type) {
	case []float32:
		return wide(data), nil
	case []float64:
		return data, nil
	case []int64:
		return wide(data), nil
	case []int32:
		return wide(data), nil
	case []uint8:
		return wide(data), nil
	case []tensor.Half:
		list := make([]float64, len(data))
		for i, v := range data {
			list[i] = float64(v.Float32())
		}
		return list, nil
	case []bool:
		list := make([]float64, len(data))
		for i, v := range data {
			if v {
				list[i] = 1
			}
		}
		return list, nil
	}
	return nil, fmt.Errorf("it has the type %s, which no answer has", t.Type())
}

func wide[T float32 | int64 | int32 | uint8](data []T) []float64 {
	list := make([]float64, len(data))
	for i, v := range data {
		list[i] = float64(v)
	}
	return list
}

// measure finds out with which number of steps the model runs, and which
// dimensions of its outputs are batch and time.
func (m *model) measure(ctx context.Context, steps int, names []string) (map[string]string, error) {
	many, err := m.firstTrial(ctx, steps, names)
	if err != nil {
		return nil, err
	}
	few, err := m.try(ctx, fewRows, many.time, names)
	if err != nil {
		return nil, err
	}
	long := many
	if m.Steps == 0 {
		if long, err = m.try(ctx, manyRows, 2*many.time, names); err != nil {
			m.Steps, long = many.time, many // the graph has a size that only these fit
		}
	}
	dimensions := map[string]string{}
	for _, name := range names {
		dimensions[name] = roles(name, many, few, long)
	}
	m.sample, m.few = many, few
	return dimensions, ctx.Err()
}

// firstTrial runs the model with so many steps, or if 0 with the first number of
// lengths with which it runs.
func (m *model) firstTrial(ctx context.Context, steps int, names []string) (t *trial, err error) {
	if steps > 0 {
		return m.try(ctx, manyRows, steps, names)
	}
	for _, time := range lengths {
		if t, err = m.try(ctx, manyRows, time, names); err == nil || ctx.Err() != nil {
			return t, err
		}
	}
	return nil, doubt(AboutSteps, m.Input, "%w", err)
}

// roles has a letter for each dimension of an output: b where it goes with the
// batch, t with the time, 1 where it is always 1, f where it is always more, and ?
// where it goes otherwise. It is "" for an output of different dimensions.
func roles(name string, many, few, long *trial) string {
	a, b, c := many.outputs[name].Shape, few.outputs[name].Shape, long.outputs[name].Shape
	if len(a) != len(b) || len(a) != len(c) {
		return ""
	}
	letters := make([]byte, len(a))
	for i := range a {
		switch {
		case a[i] == manyRows && b[i] == fewRows && c[i] == manyRows:
			letters[i] = inputs.Batch
		case a[i] == many.time && b[i] == many.time && c[i] == long.time && long.time > many.time:
			letters[i] = inputs.Time
		case a[i] != b[i] || a[i] != c[i] || a[i] == 0:
			letters[i] = '?'
		case a[i] == 1:
			letters[i] = One
		default:
			letters[i] = inputs.Other
		}
	}
	return string(letters)
}

// alone tells whether the answers to sequences are the same without others beside
// them: else what was taken for the batch is not. Where a scale is found for all
// values of a run, as in dynamic quantisation, they are nearly the same.
func (m *model) alone() error {
	tolerance := 10 * rounding
	for _, n := range m.Graph.Graph.Nodes {
		if strings.HasPrefix(n.OpType, "DynamicQuantize") {
			tolerance = 0.1
		}
	}
	many, err := m.take(m.sample.outputs[m.Output], manyRows)
	if err != nil {
		return err
	}
	few, err := m.take(m.few.outputs[m.Output], fewRows)
	if err != nil {
		return err
	}
	for i, row := range few {
		for k, v := range row {
			if math.Abs(v-many[i][k]) > tolerance*max(1, math.Abs(v)) {
				return doubt(AboutLayout, m.Input, "what output %q answers to a sequence depends on the others that are run with it, so that %s may not be the layout of the input %q", m.Output, m.Layout, m.Input)
			}
		}
	}
	return nil
}

// perStep is what experiments tell of a dimension that may be the time.
type perStep int

const (
	unclear   perStep = iota
	causal            // each step depends on the steps before it alone
	notCausal         // an earlier step depends on the last one too
)

// perStep changes the last step of sequences, and looks which places of a dimension
// of the output change with it; -1 is none.
func (m *model) perStep(ctx context.Context, axis int) (perStep, error) {
	found := unclear
	if axis < 0 {
		return found, nil
	}
	rng := rand.New(rand.NewPCG(2, 0))
	time := m.sample.time
	if m.Steps == 0 {
		time *= 2
	}
	for _, magnitude := range []float64{0.3, 1, 3} {
		one, err := m.random(manyRows, time, magnitude, rng)
		if err != nil {
			return unclear, err
		}
		other := one.Clone()
		if err := m.changeLast(&other, rng, magnitude); err != nil {
			return unclear, err
		}
		early, last, err := m.changes(ctx, one, other, axis)
		switch {
		case err != nil:
			return unclear, err
		case early > 1e-6*max(1, last):
			return notCausal, nil
		case last > 1e-4:
			found = causal
		}
	}
	return found, nil
}

// changeLast gives sequences another last step.
func (m *model) changeLast(x *tensor.Tensor, rng *rand.Rand, magnitude float64) error {
	fresh, err := m.random(x.Shape[0], 1, magnitude, rng)
	if err != nil {
		return err
	}
	time := x.Shape[1]
	switch data := x.Data.(type) {
	case []float32:
		putLast(data, fresh.Data.([]float32), x.Shape[0], time)
	case []int64:
		putLast(data, fresh.Data.([]int64), x.Shape[0], time)
	}
	return nil
}

// putLast overwrites the last step of each sequence.
func putLast[T any](data, last []T, batch, time int) {
	width := len(last) / batch
	for row := range batch {
		copy(data[(row*time+time-1)*width:][:width], last[row*width:])
	}
}

// changes returns how much the answers to two inputs differ, at the last place of
// an axis and at those before.
func (m *model) changes(ctx context.Context, one, other tensor.Tensor, axis int) (early, last float64, err error) {
	var values [2][]float64
	var shape []int
	for i, x := range []tensor.Tensor{one, other} {
		results, err := m.run(ctx, x, m.Output)
		if err != nil {
			return 0, 0, err
		}
		shape = results[m.Output].Shape
		if values[i], err = elements(results[m.Output]); err != nil {
			return 0, 0, err
		}
	}
	inner := 1
	for _, size := range shape[axis+1:] {
		inner *= size
	}
	for i := range values[0] {
		change := math.Abs(values[0][i] - values[1][i])
		if i/inner%shape[axis] == shape[axis]-1 {
			last = max(last, change)
		} else {
			early = max(early, change)
		}
	}
	return early, last, nil
}

// examples returns answers to inputs of all magnitudes, one a row, in the layout
// that is known by now.
func (m *model) examples(ctx context.Context) ([][]float64, error) {
	var list [][]float64
	rng := rand.New(rand.NewPCG(3, 0))
	for _, magnitude := range magnitudes {
		x, err := m.random(exampleRows, m.sample.time, magnitude, rng)
		if err != nil {
			return nil, err
		}
		answers, err := m.ask(ctx, x)
		if err != nil {
			return nil, err
		}
		for _, row := range answers {
			if !slices.ContainsFunc(row, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }) {
				list = append(list, row)
			}
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("output %q: no answer to random inputs is a finite number", m.Output)
	}
	return list, nil
}

// exampleRows is how many sequences of each magnitude a model is tried with.
const exampleRows = 12

// ask returns what the model answers to each sequence: [horizon, width] in a
// row, of the last step where there are steps.
func (m *model) ask(ctx context.Context, x tensor.Tensor) ([][]float64, error) {
	results, err := m.run(ctx, x, m.Output)
	if err != nil {
		return nil, err
	}
	return m.take(results[m.Output], x.Shape[0])
}

// take takes the answers out of an output.
func (m *model) take(y tensor.Tensor, batch int) ([][]float64, error) {
	values, err := elements(y)
	if err != nil {
		return nil, fmt.Errorf("output %q: %w", m.Output, err)
	}
	strides, last, ok := m.strides(y.Shape, batch)
	if !ok {
		return nil, fmt.Errorf("output %q has the shape %v for a batch of %d, where it was %s before", m.Output, y.Shape, batch, m.outputDims())
	}
	rows := make([][]float64, batch)
	for b := range rows {
		for h := range m.Horizon {
			for f := range m.Width {
				rows[b] = append(rows[b], values[last+b*strides[inputs.Batch]+h*strides[Ahead]+f*strides[inputs.Other]])
			}
		}
	}
	return rows, nil
}

// strides returns how many elements the dimensions of a shape are apart, by their
// letters, where its last step begins, and whether it is such as the layout says.
func (m *model) strides(shape []int, batch int) (strides map[byte]int, last int, ok bool) {
	if len(shape) != len(m.Answer) {
		return nil, 0, false
	}
	sizes := map[byte]int{inputs.Batch: batch, Ahead: m.Horizon, inputs.Other: m.Width, One: 1}
	strides, ok = map[byte]int{}, true
	size := 1
	for i := len(shape) - 1; i >= 0; i-- {
		letter := m.Answer[i]
		if letter == inputs.Time {
			last = (shape[i] - 1) * size
			ok = ok && shape[i] > 0
		} else {
			ok = ok && shape[i] == sizes[letter]
		}
		strides[letter] = size
		size *= shape[i]
	}
	return strides, last, ok
}
