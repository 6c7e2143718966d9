package repair

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/inputs"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/verify"
)

const (
	fewDraws  = 3 // changes of a step that must all move an answer to show that it depends on the step
	mostDraws = 6 // changes tried before a step counts as without effect
	mostSteps = 12
)

// behave runs the repaired model at times that the original does not accept. It
// returns an error if its answers show a fault:
//   - a row depends on other rows;
//   - a step has no effect, though every step of the original had one;
//   - the first answers differ from the original's, though no later step affects
//     them;
//   - the last steps, run from a saved state, give other answers than in the whole
//     sequence.
func (r *Repaired) behave(ctx context.Context, original *onnxgraph.Model, memory int) error {
	engines := []engine.Engine{native.New(native.MaxMemory(memory))}
	before, err := openAll(ctx, original, engines)
	defer closeAll(before)
	if err != nil {
		return err
	}
	after, err := openAll(ctx, r.Model, engines)
	defer closeAll(after)
	if err != nil {
		return err
	}
	want, err := r.influence(ctx, before[0], r.original, r.Time, fewDraws)
	if err != nil {
		return err
	}
	if err := r.readsMost(want); err != nil {
		return err
	}
	for _, time := range []int{r.Time + 1, r.Time + 3} {
		if err := r.sameRows(ctx, after[0], time); err != nil {
			return fmt.Errorf("at a time of %d %w", time, err)
		}
		got, err := r.influence(ctx, after[0], r.inputs, time, 1)
		if err == nil && r.compareAll(want, got) != nil {
			got, err = r.influence(ctx, after[0], r.inputs, time, mostDraws)
		}
		if err != nil {
			return err
		}
		if err := r.compareAll(want, got); err != nil {
			return fmt.Errorf("at a time of %d %w", time, err)
		}
		if err := r.sameFirst(ctx, before[0], after[0], time, want, got); err != nil {
			return fmt.Errorf("at a time of %d %w", time, err)
		}
		if err := r.sameFromState(ctx, after[0], time); err != nil {
			return fmt.Errorf("at a time of %d %w", time, err)
		}
	}
	return nil
}

// sameRows returns an error if a batch and its single rows give different answers.
func (r *Repaired) sameRows(ctx context.Context, m *infer.Model, time int) error {
	batch := r.Batch + 1
	given, err := inputs.Random(r.inputs, nil, batch, time, 1)
	if err != nil {
		return err
	}
	whole, err := m.Run(ctx, given)
	if err != nil {
		return fmt.Errorf("the repaired model does not run: %w", err)
	}
	rows, err := r.byRow(ctx, m, given, batch)
	if err != nil {
		return err
	}
	if _, err := verify.Difference(rows, whole, verify.Tolerance, nil); err != nil {
		return fmt.Errorf("a batch has other answers than its rows: %w", err)
	}
	return nil
}

// moved holds how far changes of some steps move an output: the maximum and the
// minimum over all draws. The first index is the change and the second the step of
// the output, or 0 for an output without a time.
type moved struct {
	steps     []int
	by, least [][]float64
}

// influence changes the steps of random inputs one at a time, each draws times.
func (r *Repaired) influence(ctx context.Context, m *infer.Model, list []inputs.Input, time, draws int) (map[string]moved, error) {
	given, err := inputs.Random(list, nil, r.Batch, time, 1)
	if err != nil {
		return nil, err
	}
	base, err := m.Run(ctx, given)
	if err != nil {
		return nil, err
	}
	all := map[string]moved{}
	for _, step := range r.sampled(time) {
		by, least := map[string][]float64{}, map[string][]float64{}
		for draw := range draws {
			changed, err := changeStep(list, given, r.Batch, time, step, uint64(draw+2))
			if err != nil {
				return nil, err
			}
			answers, err := m.Run(ctx, changed)
			if err != nil {
				return nil, err
			}
			for name, y := range answers {
				far := distances(base[name], y, slices.Index(r.outputs[name], r.sizes.time))
				by[name], least[name] = each(by[name], far, math.Max), each(least[name], far, math.Min)
			}
		}
		for name, list := range by {
			one := all[name]
			all[name] = moved{append(one.steps, step), append(one.by, list), append(one.least, least[name])}
		}
	}
	return all, nil
}

// readsMost returns an error for a model that reads less than half of its steps,
// since its choice of steps may depend on the time. It accepts any model with an
// input of lengths.
func (r *Repaired) readsMost(all map[string]moved) error {
	for _, in := range r.inputs {
		if in.Axis(inputs.Time) < 0 && !in.State {
			return nil
		}
	}
	read := map[int]bool{}
	steps := 0
	for _, m := range all {
		steps = len(m.steps)
		for k, t := range m.steps {
			if slices.ContainsFunc(m.by[k], func(by float64) bool { return by > 0 }) {
				read[t] = true
			}
		}
	}
	if 2*len(read) < steps {
		return fmt.Errorf("the model reads %d of %d steps", len(read), steps)
	}
	return nil
}

// sampled returns the steps to change: all of a short time, else some at both ends
// and around the last step of the original.
func (r *Repaired) sampled(time int) []int {
	var steps []int
	for t := range time {
		if time <= mostSteps || t < 3 || t >= r.Time-3 || t%(2*time/mostSteps) == 0 {
			steps = append(steps, t)
		}
	}
	return steps
}

// changeStep returns given with new values at one step of every input with a time.
func changeStep(list []inputs.Input, given map[string]tensor.Tensor, batch, time, step int, seed uint64) (map[string]tensor.Tensor, error) {
	others, err := inputs.Random(list, nil, batch, time, seed)
	if err != nil {
		return nil, err
	}
	changed := map[string]tensor.Tensor{}
	for _, in := range list {
		x := given[in.Name]
		axis := in.Axis(inputs.Time)
		if axis < 0 {
			changed[in.Name] = x
			continue
		}
		parts := make([]tensor.Tensor, time)
		for t := range parts {
			from := x
			if t == step {
				from = scaled(others[in.Name], float32(seed-1))
			}
			parts[t] = from.At(axis, t)
		}
		changed[in.Name] = tensor.Stack(parts, axis)
	}
	return changed, nil
}

// scaled multiplies x by a factor, so that a change shows even behind a maximum.
func scaled(x tensor.Tensor, by float32) tensor.Tensor {
	data, ok := x.Data.([]float32)
	if !ok {
		return x
	}
	list := make([]float32, len(data))
	for k, v := range data {
		list[k] = by * v
	}
	return tensor.Of(list, x.Shape...)
}

// distances returns the distance of y from x at each index of an axis, or in all if x
// lacks the axis.
func distances(x, y tensor.Tensor, axis int) []float64 {
	if axis < 0 || axis >= len(x.Shape) {
		return []float64{distance(x, y)}
	}
	list := make([]float64, x.Shape[axis])
	for k := range list {
		list[k] = distance(x.At(axis, k), y.At(axis, k))
	}
	return list
}

func distance(x, y tensor.Tensor) (far float64) {
	a, b := numbers(x), numbers(y)
	for k := range min(len(a), len(b)) {
		if d := math.Abs(a[k] - b[k]); d > far {
			far = d
		}
	}
	return far
}

// each combines a and b element by element. A nil a yields b.
func each(a, b []float64, of func(a, b float64) float64) []float64 {
	if a == nil {
		return b
	}
	list := make([]float64, min(len(a), len(b)))
	for k := range list {
		list[k] = of(a[k], b[k])
	}
	return list
}

// relation reports whether step t of the input may change step s of an output. An
// output without a time has one step.
type relation func(t, s int) bool

var (
	anywhere relation = func(t, s int) bool { return true }
	before   relation = func(t, s int) bool { return t <= s }
	after    relation = func(t, s int) bool { return t >= s }
	same     relation = func(t, s int) bool { return t == s }
)

// all reports whether every change clearly moves all steps in relation to it.
func (m moved) all(rel relation) bool {
	largest, least := 0.0, math.Inf(1)
	for k, t := range m.steps {
		for s, by := range m.by[k] {
			if largest = max(largest, by); rel(t, s) {
				least = min(least, m.least[k][s])
			}
		}
	}
	return largest > 0 && least > 1e-5*largest
}

// find returns a pair in relation whose movement is as wanted.
func (m moved) find(rel relation, moves bool) (t, s int, found bool) {
	for k, t := range m.steps {
		for s, by := range m.by[k] {
			if rel(t, s) && (by > 0) == moves {
				return t, s, true
			}
		}
	}
	return 0, 0, false
}

// compareAll calls compare for every output.
func (r *Repaired) compareAll(was, is map[string]moved) error {
	for _, name := range slices.Sorted(maps.Keys(is)) {
		if err := r.compare(was[name], is[name], slices.Contains(r.outputs[name], r.sizes.time)); err != nil {
			return fmt.Errorf("output %q %w", name, err)
		}
	}
	return nil
}

// compare returns an error if the steps move an output differently than they did in
// the original.
func (r *Repaired) compare(was, is moved, timed bool) error {
	if len(was.by) == 0 || len(is.by) == 0 {
		return nil
	}
	relations := []relation{anywhere, before, after}
	switch {
	case !timed:
		relations = []relation{anywhere}
	case r.Time == 1: // a single step shows only its effect on itself
		relations = []relation{same}
	}
	for _, rel := range relations {
		if was.all(rel) {
			if t, _, found := is.find(rel, false); found {
				return fmt.Errorf("does not depend on step %d, and each step of the %d of the original moved it", t, r.Time)
			}
		}
	}
	if !timed || r.Time == 1 {
		return nil
	}
	for _, rel := range []relation{before, after} {
		not := relation(func(t, s int) bool { return !rel(t, s) })
		if _, _, found := was.find(not, true); !found {
			if t, s, found := is.find(not, true); found {
				return fmt.Errorf("depends at step %d on step %d, as it did not in the original", s, t)
			}
		}
	}
	return nil
}

// sameFirst compares the first steps of the outputs with the original's, for outputs
// that no later step moves.
func (r *Repaired) sameFirst(ctx context.Context, original, repaired *infer.Model, time int, was, is map[string]moved) error {
	later := relation(func(t, s int) bool { return t > s })
	given, err := inputs.Random(r.inputs, nil, r.Batch, time, 1)
	if err != nil {
		return err
	}
	want, err := original.Run(ctx, r.stretch(given, 0, r.Time))
	if err != nil {
		return err
	}
	got, err := repaired.Run(ctx, given)
	if err != nil {
		return err
	}
	for name, y := range want {
		axis := slices.Index(r.outputs[name], r.sizes.time)
		_, _, ahead := was[name].find(later, true)
		if _, _, now := is[name].find(later, true); axis < 0 || ahead || now {
			delete(want, name)
			delete(got, name)
			continue
		}
		want[name], got[name] = y, rows(got[name], axis, 0, r.Time)
	}
	if _, err := verify.Difference(want, got, verify.Tolerance, nil); err != nil {
		return fmt.Errorf("the first %d steps have other answers than in the original: %w", r.Time, err)
	}
	return nil
}

// sameFromState runs the first steps, then the last ones from the state, and compares
// the answers with those to the whole sequence. It skips a model that does not read
// the time forward.
func (r *Repaired) sameFromState(ctx context.Context, m *infer.Model, time int) error {
	if m.Streams() != nil {
		return nil
	}
	given, err := inputs.Random(r.inputs, nil, r.Batch, time, 1)
	if err != nil {
		return err
	}
	want, err := m.Run(ctx, given)
	if err != nil {
		return err
	}
	state := m.NewState()
	got, err := m.StepTensors(ctx, state, r.stretch(given, 0, r.Time))
	for from := r.Time; err == nil && from < time; from++ {
		next := r.stretch(given, from, 1)
		for _, pair := range m.State() {
			delete(next, pair.Input)
		}
		got, err = m.StepTensors(ctx, state, next)
	}
	if err != nil {
		return ctx.Err() // the model does not run step by step, as with a wide window
	}
	for name, y := range want {
		if axis := slices.Index(r.outputs[name], r.sizes.time); axis >= 0 {
			want[name] = rows(y, axis, time-1, 1)
		}
	}
	if _, err := verify.Difference(want, got, verify.Tolerance, nil); err != nil {
		return fmt.Errorf("it answers from the state after %d steps otherwise than to the whole: %w", r.Time, err)
	}
	return nil
}

// stretch returns a range of steps of the inputs with a time, and the other inputs
// unchanged.
func (r *Repaired) stretch(given map[string]tensor.Tensor, from, steps int) map[string]tensor.Tensor {
	part := map[string]tensor.Tensor{}
	for _, in := range r.inputs {
		part[in.Name] = rows(given[in.Name], in.Axis(inputs.Time), from, steps)
	}
	return part
}
