// Package inputs infers the layouts of an ONNX model's inputs and makes random
// inputs. It serves models from elsewhere, which do not say which dimension is the
// batch, which the time, and how large a vocabulary is.
package inputs

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// The letters of a layout: b for the batch, t for the time, and f for any other
// dimension.
const (
	Batch = 'b'
	Time  = 't'
	Other = 'f'
)

// maxElements bounds a random tensor, whose sizes come from a file.
const maxElements = 1 << 26

// Input is an input that a caller must feed.
type Input struct {
	tensor.Info
	Layout string // one letter per dimension: "btf", "tbf", "bt"
	Other  string // a second possible layout, from another part of the graph or the dimension names; "" for none
	Limit  int64  // exclusive upper bound of integers, 0 if unknown
	State  bool   // it starts as zeros, and an output holds its next value
}

// Of returns the inputs of m that have no default, in order. It infers layouts from
// the recurrent nodes, whose X is [time, batch, features] and whose states are
// [directions, batch, hidden], by following the graph back from them. Next it tries
// the convolutions over one dimension, whose X is [batch, features, time]. For an
// input that neither reaches, the dimension names decide. Failing these, the layout
// is [batch, time, ...], except that floats of two dimensions are [batch, features]
// and a state has no time. The layouts in given take precedence.
func Of(m *onnxgraph.Model, given map[string]string) ([]Input, error) {
	r := newReader(m)
	var list []Input
	for _, v := range m.Graph.Inputs {
		if r.IsDefault(v.Name) {
			continue
		}
		in := Input{Info: v, Limit: r.limit(v.Name), State: r.states[v.Name]}
		in.Layout, in.Other = r.layoutOf(v)
		if layout, ok := given[v.Name]; ok {
			in.Layout, in.Other = layout, ""
		}
		if err := in.check(); err != nil {
			return nil, err
		}
		list = append(list, in)
	}
	for name := range given {
		if !slices.ContainsFunc(list, func(in Input) bool { return in.Name == name }) {
			return nil, fmt.Errorf("there is no input %q to give a layout: the model reads %v", name, infos(list))
		}
	}
	return list, nil
}

func infos(list []Input) []tensor.Info {
	var all []tensor.Info
	for _, in := range list {
		all = append(all, in.Info)
	}
	return all
}

func (in Input) check() error {
	switch {
	case len(in.Layout) != len(in.Info.Shape):
		return fmt.Errorf("input %s has %d dimensions, and the layout %q has %d letters: give it one for each", in.Info, len(in.Info.Shape), in.Layout, len(in.Layout))
	case strings.Trim(in.Layout, "btf") != "":
		return fmt.Errorf("input %s: the layout %q has other letters than b, t and f: name the batch b, the time t, and the others f", in.Info, in.Layout)
	case strings.Count(in.Layout, string(Batch)) > 1 || strings.Count(in.Layout, string(Time)) > 1:
		return fmt.Errorf("input %s: the layout %q has b or t twice: name one dimension each, and the others f", in.Info, in.Layout)
	}
	return nil
}

// layoutOf returns the layout of an input and a second one that is also possible.
func (r *reader) layoutOf(v onnxgraph.Value) (layout, other string) {
	fits := slices.DeleteFunc(slices.Clone(r.layouts[v.Name]), func(l string) bool { return len(l) != len(v.Shape) })
	switch {
	case len(fits) > 1:
		return fits[0], fits[1]
	case len(fits) == 1 && contradict(v, fits[0]):
		return fits[0], obvious(v)
	case len(fits) == 1:
		return fits[0], ""
	case r.states[v.Name]:
		return ofState(v), ""
	}
	layout = obvious(v)
	if layout == "btf" && v.Shape[1].Size > 1 && v.Shape[2].Size > 1 {
		return layout, "bft" // either dimension may be the time
	}
	return layout, ""
}

// contradict reports whether the dimension names swap the batch and the time of a
// layout.
func contradict(v onnxgraph.Value, layout string) bool {
	for i, d := range v.Shape {
		if layout[i] == Time && isBatch(d) || layout[i] == Batch && isTime(d) {
			return true
		}
	}
	return false
}

func isBatch(d onnxgraph.Dim) bool { return strings.Contains(strings.ToLower(d.Symbol), "batch") }

func isTime(d onnxgraph.Dim) bool {
	symbol := strings.ToLower(d.Symbol)
	return slices.ContainsFunc([]string{"time", "seq", "length", "step"}, func(word string) bool { return strings.Contains(symbol, word) })
}

// ofState returns the layout of a state that no recurrent node reads. The batch is
// the dimension of that name, else the first open dimension, else the first.
func ofState(v onnxgraph.Value) string {
	at := slices.IndexFunc(v.Shape, isBatch)
	if at < 0 {
		at = slices.IndexFunc(v.Shape, func(d onnxgraph.Dim) bool { return d.Symbol != "" || d.Size < 0 })
	}
	letters := []byte(strings.Repeat(string(Other), len(v.Shape)))
	if len(letters) > 0 {
		letters[max(at, 0)] = Batch
	}
	return string(letters)
}

// obvious returns the layout of an input that no recurrent node reads. The batch is
// the dimension of that name, else the first. The time is the dimension of that name,
// else the only open dimension, else the second.
func obvious(v onnxgraph.Value) string {
	letters := []byte(strings.Repeat(string(Other), len(v.Shape)))
	for i, d := range v.Shape {
		switch {
		case isBatch(d) && !slices.Contains(letters, Batch):
			letters[i] = Batch
		case isTime(d) && !slices.Contains(letters, Time):
			letters[i] = Time
		}
	}
	named := slices.Contains(letters, Batch)
	if !named && len(letters) > 0 {
		letters = []byte(string(Batch) + strings.Repeat(string(Other), len(letters)-1))
	}
	if slices.Contains(letters, Time) {
		return string(letters)
	}
	var open []int
	for i, d := range v.Shape {
		if letters[i] != Batch && (d.Symbol != "" || d.Size < 0) {
			open = append(open, i)
		}
	}
	float := v.Type == onnxgraph.Float32 || v.Type == onnxgraph.Float64 || v.Type == onnxgraph.Float16
	switch {
	case len(open) == 1:
		letters[open[0]] = Time
	case !named && (len(letters) > 2 || len(letters) == 2 && !float):
		letters[1] = Time
	case len(open) == 0 && (len(letters) == 3 || len(letters) == 2 && !float) && letters[0] == Batch: // an image has no time
		letters[1] = Time
	}
	return string(letters)
}

// Axis returns the index of the dimension that a letter stands for, or -1.
func (in Input) Axis(letter byte) int { return strings.IndexByte(in.Layout, letter) }

// Fixed returns the declared size of the dimension with that letter, or 0 if it is
// open or absent.
func (in Input) Fixed(letter byte) int {
	if i := in.Axis(letter); i >= 0 && in.Info.Shape[i].Symbol == "" {
		return max(0, in.Info.Shape[i].Size)
	}
	return 0
}

// Sizes returns the shape of the input with its open dimensions filled in: the batch,
// the time, and 1 for any other.
func (in Input) Sizes(batch, time int) []int {
	shape := make([]int, len(in.Info.Shape))
	for i, d := range in.Info.Shape {
		switch {
		case d.Symbol == "" && d.Size >= 0:
			shape[i] = d.Size
		case in.Layout[i] == Batch:
			shape[i] = batch
		case in.Layout[i] == Time:
			shape[i] = time
		default:
			shape[i] = 1
		}
	}
	return shape
}

// Random returns random values of the input's type. Floats are normally distributed,
// and small for a state. Integers are from 0 to 255 and below Limit, or 0 and 1 if
// Limit is unknown.
func (in Input) Random(shape []int, rng *rand.Rand) (tensor.Tensor, error) {
	size, err := tensor.Size(shape)
	if err != nil || size > maxElements {
		return tensor.Tensor{}, fmt.Errorf("input %q: the shape %v is too large: give a smaller batch or time", in.Name, shape)
	}
	normal := func() float64 { return rng.NormFloat64() }
	if in.State {
		normal = func() float64 { return 0.1 * rng.NormFloat64() }
	}
	limit := min(cmp.Or(in.Limit, 2), math.MaxUint8+1)
	integer := func() int64 { return rng.Int64N(limit) }
	switch in.Type {
	case tensor.Float16:
		return fill(shape, size, func() tensor.Half { return tensor.HalfOf(float32(normal())) }), nil
	case tensor.Float32:
		return fill(shape, size, func() float32 { return float32(normal()) }), nil
	case tensor.Float64:
		return fill(shape, size, normal), nil
	case tensor.Int32:
		return fill(shape, size, func() int32 { return int32(integer()) }), nil
	case tensor.Int64:
		return fill(shape, size, integer), nil
	case tensor.Uint8:
		return fill(shape, size, func() uint8 { return uint8(integer()) }), nil
	case tensor.Bool:
		return fill(shape, size, func() bool { return integer() == 1 }), nil
	}
	return tensor.Tensor{}, fmt.Errorf("input %s: its type is not supported: cast it in the model", in.Info)
}

func fill[T tensor.Element](shape []int, size int, next func() T) tensor.Tensor {
	data := make([]T, size)
	for i := range data {
		data[i] = next()
	}
	return tensor.Of(data, shape...)
}

// Random returns a tensor for each input of list: the one in given, or a random one
// with the shape that [Input.Sizes] returns.
func Random(list []Input, given map[string]tensor.Tensor, batch, time int, seed uint64) (map[string]tensor.Tensor, error) {
	rng := rand.New(rand.NewPCG(seed, 0))
	all := maps.Clone(given)
	if all == nil {
		all = map[string]tensor.Tensor{}
	}
	for _, in := range list {
		if _, ok := given[in.Name]; ok {
			continue
		}
		t, err := in.Random(in.Sizes(batch, time), rng)
		if err != nil {
			return nil, err
		}
		all[in.Name] = t
	}
	return all, nil
}
