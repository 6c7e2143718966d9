package repair

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/graphs"
	"github.com/rnnkit/rnnkit/internal/inputs"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/verify"
)

// Check is the result of [Repaired.Verify] for a batch and a time.
type Check struct {
	Batch, Time int
	Engine      string
	Difference  float64 // the largest difference

	// Against names the reference of the comparison.
	Against string

	// Refused says why an engine does not run the original. Apart from it, only
	// Engine is set.
	Refused error
}

// Verify runs the repaired model with several batches and times on random inputs, and
// compares the answers with the original's. The original gets the same rows, as many
// at a time as it accepts. At times that the original does not accept, Verify
// compares the engines with the first one. It returns an error if any answers differ
// or if the first engine does not run the original. It skips any other engine that
// does not.
func (r *Repaired) Verify(ctx context.Context, original *onnxgraph.Model, engines []engine.Engine, tolerance float64, seed uint64) ([]Check, error) {
	able, checks, err := r.able(ctx, original, engines, seed)
	if err != nil {
		return nil, err
	}
	before, err := openAll(ctx, original, able[:1])
	defer closeAll(before)
	if err != nil {
		return nil, fmt.Errorf("the model as it is: %w", err)
	}
	after, err := openAll(ctx, r.Model, able)
	defer closeAll(after)
	if err != nil {
		return nil, fmt.Errorf("the repaired model: %w", err)
	}
	times := []int{r.Time}
	if !r.sizes.time.isFixed() {
		times = []int{r.Time, r.Time + 1, 2*r.Time + 3}
	}
	for _, time := range times {
		for _, batch := range slices.Compact([]int{1, r.Batch, r.Batch + 1, 2*r.Batch + 3}) {
			given, err := inputs.Random(r.inputs, nil, batch, time, seed)
			if err != nil {
				return nil, err
			}
			found, err := r.compareEngines(ctx, before[0], after, given, batch, time, tolerance)
			if err != nil {
				return nil, fmt.Errorf("batch %d, time %d: %w", batch, time, err)
			}
			checks = append(checks, found...)
		}
	}
	return checks, nil
}

// able returns the engines that run the original, and a check for each other engine.
func (r *Repaired) able(ctx context.Context, original *onnxgraph.Model, engines []engine.Engine, seed uint64) (able []engine.Engine, checks []Check, err error) {
	for i, e := range engines {
		switch err := r.runs(ctx, original, e, seed); {
		case err == nil:
			able = append(able, e)
		case i == 0 || ctx.Err() != nil:
			return nil, nil, fmt.Errorf("the model as it is: %w", err)
		default:
			checks = append(checks, Check{Engine: e.String(), Refused: err})
		}
	}
	return able, checks, nil
}

// compareEngines runs the repaired model on each engine. It compares the answers with
// the original's or, at a time that the original does not accept, with the first
// engine's.
func (r *Repaired) compareEngines(ctx context.Context, original *infer.Model, repaired []*infer.Model, given map[string]tensor.Tensor, batch, time int, tolerance float64) ([]Check, error) {
	want, against, err := r.wanted(ctx, original, given, batch, time)
	if err != nil {
		return nil, err
	}
	var checks []Check
	for _, m := range repaired {
		got, err := m.Run(ctx, given)
		if err != nil {
			return nil, fmt.Errorf("%s does not run the repaired model: %w", m.Engine(), err)
		}
		if want == nil {
			want, against = got, m.Engine()
			continue
		}
		d, err := verify.Difference(want, got, tolerance, nil)
		if err != nil {
			return nil, fmt.Errorf("the repaired model does not answer as %s on %s: %w", against, m.Engine(), err)
		}
		checks = append(checks, Check{Batch: batch, Time: time, Engine: m.Engine(), Difference: d, Against: against})
	}
	return checks, nil
}

// runs returns an error if an engine does not run the original at its exported sizes.
func (r *Repaired) runs(ctx context.Context, original *onnxgraph.Model, e engine.Engine, seed uint64) error {
	given, err := inputs.Random(r.original, nil, r.Batch, r.Time, seed)
	if err != nil {
		return err
	}
	all, err := openAll(ctx, original, []engine.Engine{e})
	defer closeAll(all)
	if err == nil {
		_, err = all[0].Run(ctx, given)
	}
	return err
}

func openAll(ctx context.Context, m *onnxgraph.Model, engines []engine.Engine) ([]*infer.Model, error) {
	var all []*infer.Model
	for _, e := range engines {
		model, err := infer.OpenBytesContext(ctx, nil, infer.With(graphs.Loaded(e, m)))
		if err != nil {
			return all, err
		}
		all = append(all, model)
	}
	return all, nil
}

func closeAll(all []*infer.Model) {
	for _, m := range all {
		m.Close()
	}
}

// wanted returns the original's answers to the rows of given, or nil at a time that
// the original does not accept.
func (r *Repaired) wanted(ctx context.Context, original *infer.Model, given map[string]tensor.Tensor, batch, time int) (want map[string]tensor.Tensor, against string, err error) {
	if time != r.Time && slices.ContainsFunc(r.original, func(in inputs.Input) bool { return in.Fixed(inputs.Time) > 0 }) {
		return nil, "", nil
	}
	want, err = r.byRow(ctx, original, given, batch)
	switch {
	case errors.Is(err, errMixed), err == nil:
		return want, "the original", err
	case time != r.Time:
		return nil, "", nil // the original hard-codes its time elsewhere
	}
	return nil, "", fmt.Errorf("the model as it is does not run: %w", err)
}

var errMixed = errors.New("rows of several sequences in one dimension, so the answers cannot be told apart")

// byRow returns a model's answers to the rows of given. It fills each batch with the
// rows that follow.
func (r *Repaired) byRow(ctx context.Context, model *infer.Model, given map[string]tensor.Tensor, batch int) (map[string]tensor.Tensor, error) {
	parts := map[string][]tensor.Tensor{}
	for row := range batch {
		part := map[string]tensor.Tensor{}
		for _, in := range r.inputs {
			part[in.Name] = rows(given[in.Name], in.Axis(inputs.Batch), row, r.Batch)
		}
		answers, err := model.Run(ctx, part)
		if err != nil {
			return nil, err
		}
		for name, y := range answers {
			parts[name] = append(parts[name], y)
		}
	}
	all := map[string]tensor.Tensor{}
	for name, list := range parts {
		axis := slices.Index(r.outputs[name], r.sizes.batch)
		if axis < 0 && slices.ContainsFunc(r.outputs[name], func(s size) bool { return s[0] != s[1] }) {
			return nil, fmt.Errorf("output %q has %w", name, errMixed)
		}
		all[name] = join(list, axis)
	}
	return all, nil
}

// rows returns n rows of x along an axis, from row from on and wrapping around. It
// returns x for a negative axis.
func rows(x tensor.Tensor, axis, from, n int) tensor.Tensor {
	if axis < 0 {
		return x
	}
	parts := make([]tensor.Tensor, n)
	for k := range parts {
		parts[k] = x.At(axis, (from+k)%x.Shape[axis])
	}
	return tensor.Stack(parts, axis)
}

// join stacks the first row of each tensor of list along an axis.
func join(list []tensor.Tensor, axis int) tensor.Tensor {
	if axis < 0 {
		return list[0]
	}
	first := make([]tensor.Tensor, len(list))
	for k, y := range list {
		first[k] = y.At(axis, 0)
	}
	return tensor.Stack(first, axis)
}
