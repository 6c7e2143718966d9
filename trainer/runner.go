package trainer

import (
	"fmt"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/internal/kernels"
	"github.com/rnnkit/rnnkit/models"
)

// runner runs batches through a model, each in shards on a worker pool.
type runner[T models.Float] struct {
	meta    *models.Metadata
	params  *models.Params[T]
	loss    Loss
	targets int // values in a row of targets; 0 for a loss of labels
	seed    uint64

	stateful bool     // a batch starts from the final states of the batch before
	kept     int      // number of final states that are kept
	final    state[T] // the final states, each [kept, layers, hidden]

	medianWeight float64 // of a direct forecaster

	batch  datasets.Batch
	weight float64 // of all rows of the batch
	mode   mode
	step   uint64 // selects the random numbers of dropout

	shards    []*shard[T] // as many as the largest batch needed
	shardSize int         // examples in a shard; the last may have fewer
	pool      *pool

	shardTask, packTask func(i int) // created once, because creating a closure allocates
}

// mode is what a run computes.
type mode int

const (
	predicting mode = iota // the outputs
	evaluating             // also the loss
	training               // also the gradients, with dropout
)

// newRunner fails if the loss does not fit the model.
func newRunner[T models.Float](meta *models.Metadata, params *models.Params[T], loss Loss, seed uint64, threads int) (*runner[T], error) {
	r := &runner[T]{meta: meta, params: params, loss: loss, medianWeight: 1, seed: seed}
	var err error
	if r.targets, err = targetsPerRow(loss, meta.Spec); err != nil {
		return nil, err
	}
	if meta.OutputScale != nil && r.targets == 0 {
		return nil, &models.FieldError{Field: "m.OutputScale", Value: meta.OutputScale, Want: "nil for a loss of labels"}
	}
	r.pool = newPool(threads)
	r.shardTask = r.runShard
	r.packTask = func(i int) { r.shards[0].pack(i, r.mode == training) }
	return r, nil
}

func (r *runner[T]) close() { r.pool.close() }

// read makes the given examples of source the batch.
func (r *runner[T]) read(source datasets.Source, examples []int) error {
	if err := source.Read(&r.batch, examples); err != nil {
		return fmt.Errorf("reading examples: %w", err)
	}
	if r.batch.Size != len(examples) {
		return fmt.Errorf("the source read %d examples when asked for %d: it must read those", r.batch.Size, len(examples))
	}
	if err := checkInputs(&r.batch, r.meta.Spec); err != nil {
		return models.InField("batch", err)
	}
	return r.checkTargets()
}

// run runs the batch through the model and returns the mean loss, or 0 when
// predicting.
func (r *runner[T]) run(mode mode, step uint64) float64 {
	r.mode, r.step = mode, step
	r.shardSize = shardSize(r.meta.Spec, r.batch.Size)
	for len(r.shards)*r.shardSize < r.batch.Size {
		r.addShard()
	}
	shards := r.active()
	if r.stateful {
		kernels.Grow(&r.final.h, r.stateSize(r.batch.Size))
		kernels.Grow(&r.final.c, r.stateSize(r.batch.Size))
	}
	r.pool.run(shards[0].packTasks(), r.packTask)
	r.pool.run(len(shards), r.shardTask)
	if r.stateful {
		r.kept = r.batch.Size
	}
	var sum float64
	for _, s := range shards {
		sum += s.loss
	}
	return mean(sum, r.weight)
}

// shardSize returns the number of examples of a batch that one goroutine takes at a
// time. It does not depend on the number of goroutines, and the results of the shards
// are added in order, so the number of goroutines does not change a result.
//
// A shard has at least the rows of two tiles of a matrix product, so that registers are
// used well, unless the batch is smaller. In a small model larger shards share the work
// around the products. A direct forecaster reads few steps and has many parameters, whose
// gradients are added up once a shard, so it has half the batch in a shard.
func shardSize(spec models.Spec, batch int) int {
	switch {
	case batch < 8:
		return batch
	case batch <= 16:
		return (batch + 1) / 2
	case spec.Direct != nil:
		return min(max(16, (batch+1)/2), 64)
	case batch >= 64 && spec.Hidden < 64:
		return 32
	}
	return 16
}

func (r *runner[T]) addShard() *shard[T] {
	s := new(shard[T])
	if len(r.shards) == 0 {
		s.network = newNetwork(r.meta.Spec, r.params)
	} else {
		s.network = r.shards[0].share()
	}
	if d := r.meta.Spec.Direct; d != nil {
		s.slopes = slopes[T](d.Quantiles, r.medianWeight)
	}
	r.shards = append(r.shards, s)
	return s
}

// slopes returns those of the pinball losses of quantiles, above and below each, weighted:
// the weights have the mean 1, and that of the median is so many times that of another.
func slopes[T models.Float](quantiles []float64, medianWeight float64) (list [][2]T) {
	n := float64(len(quantiles))
	other := n / (n - 1 + medianWeight)
	for i, q := range quantiles {
		weight := other
		if i == len(quantiles)/2 {
			weight *= medianWeight
		}
		list = append(list, [2]T{T(weight * q), T(weight * (q - 1))})
	}
	return list
}

// active returns the shards that the current batch fills.
func (r *runner[T]) active() []*shard[T] {
	return r.shards[:(r.batch.Size+r.shardSize-1)/r.shardSize]
}

// runShard runs shard i in the current mode.
func (r *runner[T]) runShard(i int) {
	s := r.shards[i]
	s.first = i * r.shardSize
	s.load(r)
	if r.mode == training {
		s.recurrent.dropout.Seed(r.seed+dropoutStream, r.step<<32+uint64(s.first))
	}
	s.recurrent.keepFinal = r.stateful
	s.forward(r.mode == training)
	if r.stateful {
		s.saveStates(r)
	}
	if r.mode == predicting {
		return
	}
	s.computeLoss(r)
	if r.mode == training {
		if s.grads == nil {
			s.grads = models.NewParams[T](r.meta.Spec)
		}
		clearGradients(s.grads)
		s.backward(s.grads)
	}
}

// clearGradients clears all but the gradients of the linear maps, which backward sets.
func clearGradients[T models.Float](p *models.Params[T]) {
	maps := len(p.Embedding) + len(p.Segment.W) + len(p.Segment.B)
	for _, table := range p.Categories {
		maps += len(table)
	}
	clear(p.Data[:maps])
	clear(p.Data[maps+len(p.Path):])
}

// resetStates makes the next batch of a stateful run start from zero.
func (r *runner[T]) resetStates() { r.kept = 0 }

// stateSize returns the number of values of h, and of c, for the given number of
// examples.
func (r *runner[T]) stateSize(examples int) int {
	return examples * r.meta.Spec.Layers * r.meta.Spec.Hidden
}

// rowsPerExample returns the number of output rows of an example, including padding.
func (r *runner[T]) rowsPerExample() int {
	if r.meta.Spec.Readout == models.ReadAll && r.meta.Spec.Direct == nil {
		return r.batch.Time
	}
	return 1
}

// rowsOf returns the number of output rows of example i, without padding.
func (r *runner[T]) rowsOf(i int) int {
	return min(r.rowsPerExample(), length(&r.batch, i))
}
