package trainer

import (
	"math"
	"slices"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/internal/kernels"
	"github.com/rnnkit/rnnkit/models"
)

// shard is a part of a batch, with a network of its own to run it.
type shard[T models.Float] struct {
	*network[T]
	first    int               // index in the batch of the shard's first example
	order    []int             // the shard's examples, longest first
	row      rowBuffer         // for a loss of values
	rowMax   []T               // the largest output of each row, for a loss of labels
	rowSums  []T               // the sum of exp(output - rowMax) of each row
	slopes   [][2]T            // of the pinball loss of each quantile, above and below it
	grads    *models.Params[T] // nil before the first training
	loss     float64           // weighted sum over rows
	accuracy accuracy
}

// rowBuffer holds a row of outputs in float64, its gradient and its targets.
type rowBuffer struct{ out, grad, targets []float64 }

// load copies the shard's examples from the batch: scaled, time-major, longest first.
// Padding becomes zeros, or token 0.
func (s *shard[T]) load(r *runner[T]) {
	s.sort(r, min(r.shardSize, r.batch.Size-s.first))
	for i, example := range s.order {
		first := (s.first + example) * s.time
		switch {
		case s.windows != nil:
			s.loadWindow(r, i)
		case s.tokens != nil:
			s.loadTokens(i, r.batch.Tokens[first:])
		default:
			s.loadValues(i, r.batch.Inputs[first*s.spec.Features:], r.meta.InputScale)
		}
	}
	s.loadStates(r)
}

// loadTokens copies the tokens of example order[i].
func (s *shard[T]) loadTokens(i int, tokens []int64) {
	for t := range s.time {
		to := &s.tokens.tokens[t*s.batch+i]
		if *to = 0; t < s.lengths[i] {
			*to = tokens[t]
		}
	}
}

// loadValues copies and scales the values of example order[i].
func (s *shard[T]) loadValues(i int, values []float32, scale *models.Scale) {
	features := s.spec.Features
	for t := range s.time {
		step := s.x[(t*s.batch+i)*features:][:features]
		if t >= s.lengths[i] {
			clear(step)
			continue
		}
		kernels.Convert(step, values[t*features:][:features])
		if scale != nil {
			scaleStep(step, scale)
		}
	}
}

// sort sets order and resizes the network for size examples.
func (s *shard[T]) sort(r *runner[T], size int) {
	kernels.Grow(&s.order, size)
	for i := range s.order {
		s.order[i] = i
	}
	slices.SortStableFunc(s.order, func(a, b int) int { return length(&r.batch, s.first+b) - length(&r.batch, s.first+a) })
	kernels.Grow(&s.lengths, size)
	time := r.batch.Time
	for i, example := range s.order {
		s.lengths[i] = length(&r.batch, s.first+example)
	}
	if d := s.spec.Direct; d != nil {
		time = d.WindowSegments()
		if s.spec.Readout == models.ReadAll {
			time += d.HorizonSegments()
		}
		for i := range s.lengths {
			s.lengths[i] = time
		}
	}
	s.resize(time, s.lengths)
}

// loadStates sets the initial states: those of the batch, those kept from the batch
// before, or zeros.
func (s *shard[T]) loadStates(r *runner[T]) {
	b := &r.batch
	if len(b.H0) == 0 {
		clear(s.recurrent.initial.h)
		clear(s.recurrent.initial.c)
		s.loadKeptStates(r)
		return
	}
	hidden := s.spec.Hidden
	for l := range s.spec.Layers * s.spec.Directions() {
		for i, example := range s.order {
			from, to := (l*b.Size+s.first+example)*hidden, (l*s.batch+i)*hidden
			kernels.Convert(s.recurrent.initial.h[to:], b.H0[from:][:hidden])
			if len(b.C0) > 0 {
				kernels.Convert(s.recurrent.initial.c[to:], b.C0[from:][:hidden])
			}
		}
	}
}

// loadKeptStates sets the initial states of the examples that have a kept state.
func (s *shard[T]) loadKeptStates(r *runner[T]) {
	for i, example := range s.order {
		if s.first+example >= r.kept {
			continue
		}
		for l := range s.spec.Layers {
			to, from := s.stateOffsets(l, i)
			copy(s.recurrent.initial.h[to:], r.final.h[from:][:s.spec.Hidden])
			copy(s.recurrent.initial.c[to:], r.final.c[from:][:s.spec.Hidden])
		}
	}
}

// saveStates keeps the final states for the next batch.
func (s *shard[T]) saveStates(r *runner[T]) {
	for i := range s.order {
		for l := range s.spec.Layers {
			from, to := s.stateOffsets(l, i)
			copy(r.final.h[to:], s.recurrent.final.h[from:][:s.spec.Hidden])
			copy(r.final.c[to:], s.recurrent.final.c[from:][:s.spec.Hidden])
		}
	}
}

// stateOffsets returns where the state of a layer and of example order[i] begins in the
// network and in the runner.
func (s *shard[T]) stateOffsets(layer, i int) (network, runner int) {
	example := s.first + s.order[i]
	return (layer*s.batch + i) * s.spec.Hidden, (example*s.spec.Layers + layer) * s.spec.Hidden
}

// computeLoss sets loss, accuracy and the gradient of the outputs.
func (s *shard[T]) computeLoss(r *runner[T]) {
	s.loss, s.accuracy = 0, accuracy{}
	switch loss := r.loss.(type) {
	case CrossEntropy:
		s.computeCrossEntropy(r, loss)
	case valueLoss:
		if s.windows != nil {
			s.computeQuantileLoss(r)
		} else {
			s.computeValueLoss(r, loss)
		}
	}
	if r.weight == 0 {
		clear(s.dout)
		return
	}
	kernels.Scale(s.dout, T(1/r.weight))
}

// computeValueLoss is computeLoss for targets that are values, row by row.
func (s *shard[T]) computeValueLoss(r *runner[T], loss valueLoss) {
	outputs, rows := s.spec.Outputs, r.rowsPerExample()
	b := &s.row
	kernels.Grow(&b.out, outputs)
	kernels.Grow(&b.grad, outputs)
	kernels.Grow(&b.targets, r.targets)
	clear(s.dout)
	for i, example := range s.order {
		for t := range r.rowsOf(s.first + example) {
			from, at := (s.first+example)*rows+t, (t*s.batch+i)*outputs
			r.scaleTargets(b.targets, r.batch.Targets[from*r.targets:])
			kernels.Convert(b.out, s.out[at:][:outputs])
			s.loss += loss.row(b.grad, b.out, b.targets)
			if c, ok := loss.(classifier); ok {
				s.accuracy.add(c.correct(b.out, b.targets))
			}
			kernels.Convert(s.dout[at:], b.grad)
		}
	}
}

// computeCrossEntropy is computeLoss for labels. It takes one logarithm of a product of
// many sums instead of one of each, as long as the product cannot overflow.
func (s *shard[T]) computeCrossEntropy(r *runner[T], loss CrossEntropy) {
	n := len(s.out) / s.spec.Outputs
	out, dout := kernels.Dense(n, s.spec.Outputs, s.out), kernels.Dense(n, s.spec.Outputs, s.dout)
	kernels.Grow(&s.rowMax, n)
	kernels.Grow(&s.rowSums, n)
	kernels.Softmax(dout, out, s.rowMax, s.rowSums)
	product := 1.0 // of the sums whose logarithm is not in the loss yet
	for row := range n {
		label := s.label(r, row)
		if label == datasets.Ignore {
			clear(dout.Row(row))
			continue
		}
		s.accuracy.add(slices.Index(out.Row(row), s.rowMax[row]) == int(label))
		mass, sum := crossEntropy(loss, dout.Row(row), out.Row(row), int(label))
		s.loss += mass*float64(s.rowMax[row]) - sum
		if mass != 1 {
			s.loss += mass * math.Log(float64(s.rowSums[row]))
		} else if product *= float64(s.rowSums[row]); product > 1e200 {
			s.loss += math.Log(product)
			product = 1
		}
	}
	s.loss += math.Log(product)
}

// label returns the label of a row of outputs. Padding has datasets.Ignore.
func (s *shard[T]) label(r *runner[T], row int) int64 {
	t, example := row/s.batch, s.first+s.order[row%s.batch]
	if t >= r.rowsOf(example) {
		return datasets.Ignore
	}
	return r.batch.Labels[example*r.rowsPerExample()+t]
}

// scaleTargets sets dst to the first len(dst) targets, each scaled as the first of the
// outputs that answer it.
func (r *runner[T]) scaleTargets(dst []float64, targets []float32) {
	scale, group := r.meta.OutputScale, r.meta.Spec.Outputs/r.targets
	for i := range dst {
		t := targets[i]
		if scale != nil {
			t = (t - scale.Mean[i*group]) / scale.Std[i*group]
		}
		dst[i] = float64(t)
	}
}

// scaleStep applies a scale to the values of a step.
func scaleStep[T models.Float](step []T, scale *models.Scale) {
	for i, v := range step {
		step[i] = (v - T(scale.Mean[i])) / T(scale.Std[i])
	}
}

// copyOutputs copies the shard's outputs, in raw units, to out, which is in the order
// of the batch. It leaves out padding.
func (s *shard[T]) copyOutputs(r *runner[T], out []T) {
	outputs, rows := outputs(s.spec), r.rowsPerExample()
	for i, example := range s.order {
		for t := range r.rowsOf(s.first + example) {
			row := out[((s.first+example)*rows+t)*outputs:][:outputs]
			copy(row, s.out[(t*s.batch+i)*outputs:])
			if scale := r.meta.OutputScale; scale != nil {
				for k, v := range row {
					row[k] = v*T(scale.Std[k]) + T(scale.Mean[k])
				}
			}
			if s.windows != nil {
				for k, v := range row {
					row[k] = s.windows.answer(i, v)
				}
			}
		}
	}
}
