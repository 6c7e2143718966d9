package infer

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

// The batches of the experiments. That they differ tells which dimension is the batch.
const (
	manyRows = 3
	fewRows  = 2
)

// lengths are those that a sequence is tried with where any may do. One of twice the
// length tells which dimension is the time.
var lengths = []int{16, 64, 256, 1024}

// magnitudes are those of the values that a model is tried with.
var magnitudes = []float64{0, 0.1, 1, 10, 100}

// trial is a run with its outputs.
type trial struct {
	batch, time int
	outputs     map[string]tensor.Tensor
}

// try runs the model on random sequences.
func (p *probe) try(ctx context.Context, batch, time int, names []string) (*trial, error) {
	x, err := p.random(batch, time, 1, rand.New(rand.NewPCG(1, 0)))
	if err != nil {
		return nil, err
	}
	outputs, err := p.run(ctx, x, names...)
	return &trial{batch, time, outputs}, err
}

// random returns sequences [batch, time, features] of normally distributed values of
// that magnitude, or tokens [batch, time].
func (p *probe) random(batch, time int, magnitude float64, rng *rand.Rand) (tensor.Tensor, error) {
	in := p.input
	shape := []int{batch, time}
	in.Type = tensor.Int64
	if !p.takesTokens() {
		in.Type, shape = tensor.Float32, append(shape, p.Features)
	}
	x, err := in.Random(shape, rng)
	if values, ok := x.Data.([]float32); ok {
		for i, v := range values {
			values[i] = float32(float64(v) * magnitude)
		}
	}
	return x, err
}

// measure finds out with how many steps the model runs, and returns the letters of the
// dimensions of its outputs, as far as batch and time tell them.
func (p *probe) measure(ctx context.Context, steps int, names []string) (map[string]string, error) {
	many, err := p.firstTrial(ctx, steps, names)
	if err != nil {
		return nil, err
	}
	few, err := p.try(ctx, fewRows, many.time, names)
	if err != nil {
		return nil, err
	}
	long := many
	if p.Steps == 0 {
		if long, err = p.try(ctx, manyRows, 2*many.time, names); err != nil {
			p.Steps, long = many.time, many // the graph has a size that only these fit
		}
	}
	letters := map[string]string{}
	for _, name := range names {
		letters[name] = dimensions(name, many, few, long)
	}
	p.sample, p.few = many, few
	return letters, ctx.Err()
}

// firstTrial runs the model with the given number of steps, or for 0 with the first of
// lengths with which it runs.
func (p *probe) firstTrial(ctx context.Context, steps int, names []string) (t *trial, err error) {
	if steps > 0 {
		return p.try(ctx, manyRows, steps, names)
	}
	for _, time := range lengths {
		if t, err = p.try(ctx, manyRows, time, names); err == nil || ctx.Err() != nil {
			return t, err
		}
	}
	return nil, ambiguous("Window", p.Input, "%v", err)
}

// dimensions returns a letter for each dimension of an output: b where it goes with the
// batch, t with the time, 1 where it is always 1, f where it is always another number,
// and ? otherwise. It is "" for an output whose rank changes.
func dimensions(name string, many, few, long *trial) string {
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
			letters[i] = single
		default:
			letters[i] = inputs.Other
		}
	}
	return string(letters)
}

// checkRows returns an error if the answer to a sequence depends on the others of its
// batch: then what was taken for the batch is another dimension. Dynamic quantization
// finds a scale for all values of a run, so there the answers may differ a little.
func (p *probe) checkRows() error {
	tolerance := 10 * rounding
	for _, n := range p.graph.Graph.Nodes {
		if strings.HasPrefix(n.OpType, "DynamicQuantize") {
			tolerance = 0.1
		}
	}
	many, err := p.take(p.sample.outputs[p.Output], manyRows)
	if err != nil {
		return err
	}
	few, err := p.take(p.few.outputs[p.Output], fewRows)
	if err != nil {
		return err
	}
	for i, row := range few {
		for k, v := range row {
			if math.Abs(v-many[i][k]) > tolerance*max(1, math.Abs(v)) {
				return ambiguous("Layouts", p.Input, "the answer of output %q to a sequence depends on the others that are run with it, so %s may not be the layout of the input %q", p.Output, p.input.Layout, p.Input)
			}
		}
	}
	return nil
}

// causality is what experiments tell of a dimension that may be the time.
type causality int

const (
	unclear   causality = iota
	causal              // each step depends on the steps before it alone
	notCausal           // an earlier step depends on the last one too
)

// causality changes the last step of sequences, and looks which elements along a
// dimension of the output change with it; -1 is no dimension.
func (p *probe) causality(ctx context.Context, axis int) (causality, error) {
	found := unclear
	if axis < 0 {
		return found, nil
	}
	rng := rand.New(rand.NewPCG(2, 0))
	time := p.sample.time
	if p.Steps == 0 {
		time *= 2
	}
	for _, magnitude := range []float64{0.3, 1, 3} {
		one, err := p.random(manyRows, time, magnitude, rng)
		if err != nil {
			return unclear, err
		}
		other := one.Clone()
		if err := p.changeLast(&other, rng, magnitude); err != nil {
			return unclear, err
		}
		early, last, err := p.changes(ctx, one, other, axis)
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
func (p *probe) changeLast(x *tensor.Tensor, rng *rand.Rand, magnitude float64) error {
	fresh, err := p.random(x.Shape[0], 1, magnitude, rng)
	if err != nil {
		return err
	}
	time := x.Shape[1]
	switch data := x.Data.(type) {
	case []float32:
		setLast(data, fresh.Data.([]float32), x.Shape[0], time)
	case []int64:
		setLast(data, fresh.Data.([]int64), x.Shape[0], time)
	}
	return nil
}

// setLast overwrites the last step of each sequence.
func setLast[T any](data, last []T, batch, time int) {
	width := len(last) / batch
	for row := range batch {
		copy(data[(row*time+time-1)*width:][:width], last[row*width:])
	}
}

// changes returns how much the outputs for two inputs differ, in the last element along
// an axis and in those before.
func (p *probe) changes(ctx context.Context, one, other tensor.Tensor, axis int) (early, last float64, err error) {
	var values [2][]float64
	var shape []int
	for i, x := range []tensor.Tensor{one, other} {
		results, err := p.run(ctx, x, p.Output)
		if err != nil {
			return 0, 0, err
		}
		shape = results[p.Output].Shape
		if values[i], err = elements(results[p.Output]); err != nil {
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

// exampleRows is how many sequences of each magnitude a model is tried with.
const exampleRows = 12

// examples returns answers to inputs of all magnitudes that are finite, one in a row, in
// the layout that is known by now.
func (p *probe) examples(ctx context.Context) ([][]float64, error) {
	var list [][]float64
	rng := rand.New(rand.NewPCG(3, 0))
	for _, magnitude := range magnitudes {
		x, err := p.random(exampleRows, p.sample.time, magnitude, rng)
		if err != nil {
			return nil, err
		}
		answers, err := p.answers(ctx, x)
		if err != nil {
			return nil, err
		}
		for _, row := range answers {
			if !slices.ContainsFunc(row, func(v float64) bool { return !finite(v) }) {
				list = append(list, row)
			}
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("output %q: no answer to random inputs is a finite number", p.Output)
	}
	return list, nil
}
