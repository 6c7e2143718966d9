package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/internal/inputs"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/models"
)

// foreignFlags say of a model from elsewhere what it is for.
type foreignFlags struct {
	task    string
	inputs  []string // NAME, or NAME=VALUE
	outputs []string // NAME, or NAME=FILE
	layouts []string
	window  int
	labels  []string
}

func (f *foreignFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.task, "task", "", "forecast or classify: what a model from elsewhere is for")
	flags.StringArrayVar(&f.inputs, "input", nil, "NAME of the input that reads the sequence, or NAME=VALUE of another: a .npy or .json file, or JSON")
	flags.StringArrayVar(&f.outputs, "output", nil, "NAME of the output that answers (default the first), or with --raw NAME=FILE")
	flags.StringArrayVar(&f.layouts, "layout", nil, "NAME=LETTERS: what the dimensions of an input are: b batch, t time, f features, as tbf")
	flags.IntVar(&f.window, "window", 0, "steps that a forecaster from elsewhere looks back (default what its graph fixes)")
	flags.StringSliceVar(&f.labels, "labels", nil, "names of the classes of a model from elsewhere (default 0, 1, ...)")
}

func (f *foreignFlags) validate() error {
	switch {
	case f.task != "" && f.task != string(models.Forecast) && f.task != string(models.Classify):
		return usagef("--task is %q: it must be forecast or classify", f.task)
	case f.window < 0:
		return usagef("--window is %d: it must be 1 or more", f.window)
	}
	for i, label := range f.labels {
		if slices.Contains(f.labels[:i], label) {
			return usagef("--labels has %q twice: give each class a name of its own", label)
		}
	}
	return nil
}

// adapter presents a model from elsewhere as one that rnnkit exported: it is an
// engine, of that one model, and a session of it.
type adapter struct {
	model  *infer.Model
	input  inputs.Input            // that reads the sequences
	others []inputs.Input          // states, which begin as zeros
	given  map[string]infer.Tensor // the rest
	output string
	logit  func(p float64) float64 // of an answer, nil for one that is no probability
	meta   models.Metadata
}

// adapt returns model as one of ours.
func (o *inferOptions) adapt(ctx context.Context, model *infer.Model) (*infer.Model, error) {
	data, err := readModel(o.model)
	if err != nil {
		return nil, err
	}
	m, err := onnxgraph.UnmarshalAny(data)
	if err != nil {
		return nil, err
	}
	values := graphFlags{layouts: o.layouts}
	var sequence string
	for _, text := range o.inputs {
		switch {
		case strings.Contains(text, "="):
			values.given = append(values.given, text)
		case sequence != "":
			return nil, usagef("--input %s and --input %s: one input reads the sequence; feed the others as NAME=VALUE", sequence, text)
		default:
			sequence = text
		}
	}
	if n := len(o.outputs); n > 1 {
		return nil, usagef("--output is given %d times: a task has one answer; --raw prints several", n)
	}
	g, err := values.graphOf(m)
	if err != nil {
		return nil, err
	}
	a := &adapter{model: model, given: g.given, output: g.model.Graph.Outputs[0].Name}
	if len(o.outputs) > 0 {
		a.output = o.outputs[0]
	}
	if err := a.choose(g, sequence); err != nil {
		return nil, err
	}
	if err := a.describe(ctx, &o.foreignFlags, onnxgraph.ComputedBy(m, a.output)); err != nil {
		return nil, err
	}
	return infer.OpenBytes(nil, infer.With(a))
}

// choose finds the input that reads the sequences, the one of that name unless
// it is "".
func (a *adapter) choose(g *graph, sequence string) error {
	named := func(in inputs.Input) bool { return in.Name == sequence }
	if sequence != "" && !slices.ContainsFunc(g.inputs, named) {
		return usagef("--input %s: the model has no such input: it reads %v", sequence, a.model.Inputs())
	}
	var found []inputs.Input
	for _, in := range g.inputs {
		_, given := g.given[in.Name]
		switch {
		case named(in) || sequence == "" && !in.State && !given && in.Axis(inputs.Time) >= 0:
			found = append(found, in)
		case in.State && !given:
			a.others = append(a.others, in)
		case !given:
			return fmt.Errorf("input %s is not fed: give --input %s=VALUE", in.ValueInfo, in.Name)
		}
	}
	if len(found) != 1 {
		return fmt.Errorf("there is no telling which input reads the sequence: name it with --input, and its dimensions with --layout: the model reads %v", a.model.Inputs())
	}
	a.input = found[0]
	switch layout := a.input.Layout; {
	case a.input.Fixed(inputs.Batch) > 0:
		return fmt.Errorf("input %s has a fixed batch: make it symbolic with rnnkit repair", a.input.ValueInfo)
	case len(layout) < 2 || len(layout) > 3 || a.input.Axis(inputs.Batch) < 0 || a.input.Axis(inputs.Time) < 0:
		return fmt.Errorf("input %s has the layout %s: it must have a batch, a time and at most features: give --layout %s=btf, or use --raw", a.input.ValueInfo, layout, a.input.Name)
	}
	return nil
}

// describe sets the metadata, for which it runs the model once, and what makes
// logits of the answers that those operators compute.
func (a *adapter) describe(ctx context.Context, f *foreignFlags, operators []string) error {
	window := a.input.Fixed(inputs.Time)
	if window == 0 {
		window = f.window
	}
	spec := models.Spec{Cell: models.RNN, Hidden: 1, Layers: 1, Readout: models.ReadLast}
	width := 1
	if len(a.input.Layout) == 3 {
		at := slices.IndexFunc([]byte(a.input.Layout), func(letter byte) bool { return letter != inputs.Batch && letter != inputs.Time })
		if width = a.input.Shape[at].Size; width < 1 {
			return fmt.Errorf("input %s does not say how many features it has: use --raw", a.input.ValueInfo)
		}
	}
	probe := engine.Of(make([]float32, max(window, 1)*width), 1, max(window, 1), width)
	if a.integers() {
		spec.Vocabulary, spec.Embedding = math.MaxInt16, 1
		if a.input.Limit > 0 {
			spec.Vocabulary = int(a.input.Limit)
		}
		probe = engine.Of(make([]int64, max(window, 1)), 1, max(window, 1))
	} else {
		spec.Features = width
	}
	results, err := a.Run(ctx, map[string]infer.Tensor{"input": probe}, "output")
	if err != nil {
		return err
	}
	spec.Outputs = results["output"].Shape[1]
	a.meta = models.Metadata{Task: models.Task(f.task), Spec: spec, Window: window}
	switch a.meta.Task {
	case models.Forecast:
		if window == 0 {
			return errors.New("its graph does not say how many steps it looks back: give --window N")
		}
	case models.Classify:
		if a.logit, err = logitOf(operators, spec.Outputs); err != nil {
			return fmt.Errorf("output %q %w", a.output, err)
		}
		classes := max(spec.Outputs, 2)
		a.meta.Labels = f.labels
		for i := range classes {
			if len(f.labels) == 0 {
				a.meta.Labels = append(a.meta.Labels, fmt.Sprint(i))
			}
		}
		if len(a.meta.Labels) != classes {
			return fmt.Errorf("--labels names %d classes, and the model answers for %d: name as many", len(a.meta.Labels), classes)
		}
	}
	return nil
}

func (a *adapter) integers() bool {
	return a.input.Type == engine.Int64 || a.input.Type == engine.Int32 || a.input.Type == engine.Uint8
}

func (a *adapter) String() string                      { return a.model.Engine() }
func (a *adapter) Open([]byte) (engine.Session, error) { return a, nil }
func (a *adapter) Close() error                        { return a.model.Close() }

func (a *adapter) Inputs() []engine.ValueInfo {
	in := engine.ValueInfo{Name: "input", Type: engine.Float32, Shape: []engine.Dim{{Symbol: "batch"}, {Symbol: "time"}, {Size: a.meta.Spec.Features}}}
	if a.integers() {
		in.Type, in.Shape = engine.Int64, in.Shape[:2]
	}
	return []engine.ValueInfo{in}
}

func (a *adapter) Outputs() []engine.ValueInfo {
	return []engine.ValueInfo{{Name: "output", Type: engine.Float32, Shape: []engine.Dim{{Symbol: "batch"}, {Size: a.meta.Spec.Outputs}}}}
}

func (a *adapter) Metadata() map[string]string {
	document, err := json.Marshal(a.meta)
	if err != nil {
		return nil
	}
	return map[string]string{models.MetadataKey: string(document)}
}

// logitOf returns what makes logits of a classifier's answers, so many a sequence,
// that those operators compute: nil where they are logits.
func logitOf(operators []string, answers int) (func(p float64) float64, error) {
	slices.Sort(operators)
	by := strings.Join(slices.Compact(operators), " and ")
	switch {
	case !strings.Contains(by, "Softmax") && !strings.Contains(by, "Sigmoid"):
		return nil, nil
	case by == "LogSoftmax" && answers > 1:
		return nil, nil
	case by == "Softmax" && answers > 1:
		return func(p float64) float64 { return math.Log(math.Max(p, math.SmallestNonzeroFloat32)) }, nil
	case (by == "Sigmoid" || by == "HardSigmoid") && answers == 1:
		return func(p float64) float64 {
			p = math.Min(math.Max(p, math.SmallestNonzeroFloat32), 1-1e-7)
			return math.Log(p / (1 - p))
		}, nil
	}
	return nil, fmt.Errorf("comes from %s and is %d wide, so it is not the probabilities of classes: those come from a Softmax over all, or from a Sigmoid 1 wide: choose another with --output, or use --raw", by, answers)
}

// Run answers to sequences [batch, time, features], or [batch, time] tokens, with
// [batch, outputs]: values of a forecaster, logits of a classifier.
func (a *adapter) Run(ctx context.Context, in map[string]infer.Tensor, _ ...string) (map[string]infer.Tensor, error) {
	x := in["input"]
	batch, length := x.Shape[0], x.Shape[1]
	fed := maps.Clone(a.given)
	for _, state := range a.others {
		shape := state.Sizes(batch, length)
		if _, err := engine.Size(shape); err != nil {
			return nil, err
		}
		fed[state.Name] = engine.Zeros(state.Type, shape...)
	}
	var err error
	if fed[a.input.Name], err = a.arrange(x); err != nil {
		return nil, err
	}
	results, err := a.model.Run(ctx, fed, a.output)
	if err != nil {
		return nil, err
	}
	y, err := a.answers(results[a.output], batch)
	if err != nil {
		return nil, fmt.Errorf("output %q: %w", a.output, err)
	}
	return map[string]infer.Tensor{"output": y}, nil
}

// arrange returns sequences in the layout and the type of the input.
func (a *adapter) arrange(x infer.Tensor) (infer.Tensor, error) {
	tokens, _ := x.Data.([]int64)
	values, _ := x.Data.([]float32)
	batch, length := x.Shape[0], x.Shape[1]
	width := x.Len() / (batch * length)
	sizes := map[byte]int{inputs.Batch: batch, inputs.Time: length}
	strides := map[byte]int{inputs.Batch: length * width, inputs.Time: width}
	var shape, steps []int
	for i := range len(a.input.Layout) {
		letter := a.input.Layout[i]
		size, step := width, 1
		if n, ok := sizes[letter]; ok {
			size, step = n, strides[letter]
		}
		shape, steps = append(shape, size), append(steps, step)
	}
	if a.integers() {
		return convertTensor(engine.Of(gather(tokens, shape, steps), shape...), a.input.Type)
	}
	t := engine.Of(gather(values, shape, steps), shape...)
	if a.input.Type == engine.Float64 {
		t.Data = narrow[float64](t.Data.([]float32))
	}
	return t, nil
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

// answers returns [batch, outputs] of an output: those of the last step, where it
// has steps, and logits where a classifier has probabilities.
func (a *adapter) answers(y infer.Tensor, batch int) (infer.Tensor, error) {
	values, err := engine.Values[float32](y)
	if err != nil {
		return y, fmt.Errorf("output %q: %w: choose another with --output, or use --raw", a.output, err)
	}
	rank := len(y.Shape)
	timeMajor := a.input.Axis(inputs.Time) < a.input.Axis(inputs.Batch)
	width := 0
	switch {
	case rank == 1 && len(values) == batch:
		width = 1
	case rank == 2 && y.Shape[0] == batch:
		width = y.Shape[1]
	case rank == 3 && timeMajor && y.Shape[1] == batch && y.Shape[0] > 0:
		width = y.Shape[2]
		values = values[len(values)-batch*width:]
	case rank == 3 && !timeMajor && y.Shape[0] == batch && y.Shape[1] > 0:
		width = y.Shape[2]
		each := y.Shape[1] * width
		var last []float32
		for row := range batch {
			last = append(last, values[(row+1)*each-width:(row+1)*each]...)
		}
		values = last
	}
	if width == 0 {
		return y, fmt.Errorf("has shape %v for a batch of %d, which is no answer a sequence: choose another with --output, or use --raw", y.Shape, batch)
	}
	values = slices.Clone(values)
	for i, p := range values {
		if a.logit != nil {
			values[i] = float32(a.logit(float64(p)))
		}
	}
	return engine.Of(values, batch, width), nil
}
