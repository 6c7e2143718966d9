// Package trainer fits recurrent models to data by backpropagation through
// time, in float32 on the processor. It draws every random number from the
// seed it is given, so that the same call gives the same parameters, on any
// number of threads.
package trainer

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/internal/kernels"
	"github.com/rnnkit/rnnkit/models"
)

// Options are the terms of a fit. The zero value of a field without a remark
// means the value in parentheses.
type Options struct {
	Epochs       int     // passes over the training examples (15)
	Batch        int     // examples between two updates; the last may have fewer (32)
	LearningRate float64 // of Adam, whose other constants are 0.9, 0.999 and 1e-8 (1e-3)
	Seed         uint64  // of the shuffling and of dropout; 0 is a seed like any other
	NoShuffle    bool    // take the examples in the order of the source in every epoch
	Threads      int     // goroutines that compute (runtime.GOMAXPROCS)

	OnBatch func(Progress) // called after every update, if not nil
	OnEpoch func(Epoch)    // called after every epoch, if not nil
}

// MaxThreads is the most that Options.Threads may be.
const MaxThreads = 1024

// Progress is where a fit stands after an update.
type Progress struct {
	Epoch, Epochs  int // the current epoch, from 1, and how many there will be
	Batch, Batches int // the current batch, from 1, and how many an epoch has
	Loss           float64
}

// Epoch is the result of a pass over the training examples. Losses are mean
// squared errors over examples and outputs, in the scaled units of the model;
// the training loss is that of each example at the time that it was used.
type Epoch struct {
	Epoch     int     `json:"epoch"` // from 1
	TrainLoss float64 `json:"train_loss"`
	TestLoss  float64 `json:"test_loss"`
	Seconds   float64 `json:"seconds"`

	Examples int `json:"-"` // how many were trained on, fewer than there are if interrupted
}

func (o Options) withDefaults() (Options, error) {
	if o.Epochs == 0 {
		o.Epochs = 15
	}
	if o.Batch == 0 {
		o.Batch = 32
	}
	if o.LearningRate == 0 {
		o.LearningRate = 1e-3
	}
	if o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	switch {
	case o.Epochs < 0:
		return o, fmt.Errorf("trainer: Epochs is %d: it must be 1 or more", o.Epochs)
	case o.Batch < 0:
		return o, fmt.Errorf("trainer: Batch is %d: it must be 1 or more", o.Batch)
	case !(o.LearningRate > 0) || math.IsInf(o.LearningRate, 0):
		return o, fmt.Errorf("trainer: LearningRate is %g: it must be more than 0", o.LearningRate)
	case o.Threads < 0 || o.Threads > MaxThreads:
		return o, fmt.Errorf("trainer: Threads is %d: it must be from 1 to %d", o.Threads, MaxThreads)
	}
	return o, nil
}

// Fit trains m in place on the examples of train and measures it after each
// epoch on those of test, which may be empty. It returns the epochs' results.
//
// The examples are in raw units: Fit applies the scales of m where it has any,
// and the series must not be scaled before.
//
// When ctx is cancelled, Fit ends after the current batch and returns the
// context's error; m then has the parameters trained so far, and an epoch cut
// short is the last of those returned. A loss that is not
// finite is an error too, and leaves m as it was before that batch.
func Fit(ctx context.Context, m *models.Model, train, test datasets.Source, opts Options) ([]Epoch, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("trainer: %w", err)
	}
	if train.Len() == 0 {
		return nil, fmt.Errorf("trainer: there are no training examples")
	}
	f := newFit(m, opts)
	defer f.close()

	order := newOrder(train.Len(), opts.Seed)
	var history []Epoch
	for e := 1; e <= opts.Epochs && ctx.Err() == nil; e++ {
		start := time.Now()
		if !opts.NoShuffle {
			order.shuffle()
		}
		epoch := Epoch{Epoch: e}
		if epoch.TrainLoss, epoch.Examples, err = f.epoch(ctx, e, train, order.examples); err != nil {
			return history, err
		}
		if epoch.Examples == 0 {
			break
		}
		if epoch.TestLoss, err = f.evaluate(test); err != nil {
			return history, err
		}
		if math.IsNaN(epoch.TestLoss) || math.IsInf(epoch.TestLoss, 0) {
			return history, fmt.Errorf("trainer: the test loss is %g after epoch %d: lower the learning rate (%g) or scale the data", epoch.TestLoss, e, opts.LearningRate)
		}
		epoch.Seconds = time.Since(start).Seconds()
		history = append(history, epoch)
		if opts.OnEpoch != nil {
			opts.OnEpoch(epoch)
		}
	}
	return history, ctx.Err()
}

// fit is the state of one call of Fit.
type fit struct {
	*passes
	opts    Options
	updates int
	grads   *models.Params[float32]
	m, v    []float32 // Adam's moments
}

func newFit(m *models.Model, opts Options) *fit {
	return &fit{
		passes: newPasses(m, opts.Seed, opts.Threads),
		opts:   opts,
		grads:  models.NewParams[float32](m.Spec),
		m:      make([]float32, len(m.Params.Data)),
		v:      make([]float32, len(m.Params.Data)),
	}
}

// epoch makes one update a batch and returns the mean loss of the examples and
// their number.
func (f *fit) epoch(ctx context.Context, e int, train datasets.Source, examples []int) (loss float64, done int, err error) {
	size := min(f.opts.Batch, len(examples))
	batches := (len(examples) + size - 1) / size
	var sum float64
	for b := 1; b <= batches && ctx.Err() == nil; b++ {
		part := examples[done:min(done+size, len(examples))]
		if err := f.read(train, part); err != nil {
			return 0, 0, err
		}
		loss := f.run(training, uint64(f.updates))
		if math.IsNaN(loss) || math.IsInf(loss, 0) {
			return 0, 0, fmt.Errorf("trainer: the loss is %g in epoch %d, batch %d: lower the learning rate (%g) or scale the data", loss, e, b, f.opts.LearningRate)
		}
		f.update()
		sum += loss * float64(len(part))
		done += len(part)
		if f.opts.OnBatch != nil {
			f.opts.OnBatch(Progress{Epoch: e, Epochs: f.opts.Epochs, Batch: b, Batches: batches, Loss: loss})
		}
	}
	return sum / float64(max(done, 1)), done, nil
}

// update adds up the gradients of the shards, in their order, and lets Adam
// change the parameters.
func (f *fit) update() {
	f.updates++
	clear(f.grads.Data)
	total := kernels.Dense(1, len(f.grads.Data), f.grads.Data)
	for _, s := range f.active() {
		kernels.Add(total, kernels.Dense(1, len(s.grads.Data), s.grads.Data))
	}
	kernels.Adam(f.model.Params.Data, f.grads.Data, f.m, f.v, kernels.AdamStep{
		LearningRate: f.opts.LearningRate, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Step: f.updates,
	})
}

// evaluate returns the mean loss of the examples of test, 0 if there are none.
func (f *fit) evaluate(test datasets.Source) (float64, error) {
	const size = 256
	examples := make([]int, 0, size)
	var sum float64
	for i := range test.Len() {
		examples = append(examples, i)
		if len(examples) < size && i < test.Len()-1 {
			continue
		}
		if err := f.read(test, examples); err != nil {
			return 0, err
		}
		sum += f.run(measuring, 0) * float64(len(examples))
		examples = examples[:0]
	}
	return sum / float64(max(test.Len(), 1)), nil
}

// order is the order of the training examples.
type order struct {
	examples []int
	rng      *rand.Rand
}

// The streams keep the draws for different ends apart under the same seed.
const (
	shuffleStream = 0x73687566
	dropoutStream = 0x64726f70
)

func newOrder(n int, seed uint64) *order {
	o := &order{examples: make([]int, n), rng: rand.New(rand.NewPCG(seed, shuffleStream))}
	for i := range o.examples {
		o.examples[i] = i
	}
	return o
}

func (o *order) shuffle() {
	o.rng.Shuffle(len(o.examples), func(i, j int) {
		o.examples[i], o.examples[j] = o.examples[j], o.examples[i]
	})
}

// Predict returns the answers of m for the examples of b, in raw units: [size,
// outputs], or [size, time, outputs] for a model with one answer a step. It
// does not read b.Targets.
func Predict(m *models.Model, b *datasets.Batch) ([]float32, error) {
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("trainer: %w", err)
	}
	p := newPasses(m, 0, 1)
	defer p.close()
	p.batch = *b
	if err := p.check(); err != nil {
		return nil, err
	}
	p.run(answering, 0)
	var out []float32
	for _, s := range p.active() {
		out = s.answers(out)
	}
	return out, nil
}
