// Package trainer fits recurrent models to data by backpropagation through time, on the
// CPU. All random numbers follow from the seed, so the same call gives the same
// parameters on any number of threads.
package trainer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/internal/atomicfile"
	"github.com/rnnkit/rnnkit/models"
)

// Progress describes a fit after an update.
type Progress struct {
	Epoch, Epochs  int     // the current epoch, from 1, and their number
	Batch, Batches int     // the current batch, from 1, and the number of batches in an epoch
	Loss           float64 // of the batch, before the update
	LearningRate   float64
	GradientNorm   float64 // before clipping
}

// Epoch is the result of a pass over the training examples. Losses are means over rows
// of outputs, in the scaled units of the model, see [Loss]. The training loss of an
// example is its loss just before the update that it was used for.
type Epoch struct {
	Epoch     int     `json:"epoch"` // from 1
	TrainLoss float64 `json:"train_loss"`
	TestLoss  float64 `json:"test_loss"`

	ValidationLoss float64 `json:"validation_loss,omitempty"` // with Options.Validation

	// TestAccuracy is the share of test rows that are classified correctly, for
	// CrossEntropy and BinaryCrossEntropy. The class of a row is the first one with
	// the largest output.
	TestAccuracy float64 `json:"test_accuracy,omitempty"`

	Seconds float64 `json:"seconds"`

	Examples int `json:"-"` // training examples used; fewer than there are if interrupted
}

// MonitoredLoss returns the loss that Patience and the schedule Plateau use in a fit
// with these options.
func (e Epoch) MonitoredLoss(o Options) float64 {
	if o.Validation != nil {
		return e.ValidationLoss
	}
	return e.TestLoss
}

// ErrDiverged is the error of a fit whose loss or gradients are no longer finite.
var ErrDiverged = errors.New("diverged")

// Fit trains m in place on the examples of train and evaluates it after each epoch on
// those of test. The source test may be nil or empty, unless Patience or the schedule
// Plateau needs it. Fit returns the results of all epochs, including those before the
// checkpoint that it resumes from.
//
// The examples are in raw units: Fit applies the scales of m. An option or argument that
// does not fit is a *models.FieldError.
//
// When ctx is cancelled, Fit ends after the current batch and returns the context's
// error. Then m has the parameters trained so far, and the last epoch returned may be
// incomplete. If the loss or a gradient is not finite, the error is [ErrDiverged], and m
// has the parameters of the last complete epoch or, before that, the initial ones. If a
// checkpoint cannot be written, Fit ends with that error. With a Patience, m has the
// parameters of the best epoch in all these cases.
func Fit(ctx context.Context, m *models.Model, train, test datasets.Source, opts Options) ([]Epoch, error) {
	opts, err := opts.withDefaults(m.Spec)
	if err != nil {
		return nil, err
	}
	if err := m.Validate(); err != nil {
		return nil, models.InField("m", err)
	}
	if test == nil {
		test = &datasets.Sequences{}
	}
	if err := checkSources(train, test, opts); err != nil {
		return nil, err
	}
	f, err := newFit(&m.Metadata, m.Params, train, test, opts)
	if err != nil {
		return nil, err
	}
	defer f.close()
	if err := f.tryRead(test); err != nil {
		return nil, fmt.Errorf("test: %w", err)
	}
	if err := f.tryRead(opts.Validation); err != nil {
		return nil, fmt.Errorf("validation: %w", err)
	}
	return f.run(ctx)
}

// checkSources returns an error if the options need other examples. It reads none.
func checkSources(train, test datasets.Source, opts Options) error {
	if train == nil {
		return &models.FieldError{Field: "train", Value: nil, Want: "a source of examples"}
	}
	if n := train.Len(); n < 1 {
		return &models.FieldError{Field: "train.Len()", Value: n, Want: "1 or more"}
	}
	if n := test.Len(); n < 0 {
		return &models.FieldError{Field: "test.Len()", Value: n, Want: "0 or more"}
	}
	switch none := cmp.Or(opts.Validation, test).Len() == 0; {
	case none && opts.Patience < math.MaxInt:
		return &models.FieldError{Field: "Patience", Value: opts.Patience, Want: "0 without examples to validate or test on, whose loss it needs"}
	case none && opts.Schedule.Shape == Plateau:
		return &models.FieldError{Field: "Schedule.Shape", Value: Plateau, Want: "another without examples to validate or test on, whose loss it needs"}
	}
	if s, ok := train.(*datasets.Streams); ok && opts.Stateful && s.Streams() != opts.Batch {
		return &models.FieldError{Field: "Batch", Value: opts.Batch, Want: fmt.Sprintf("the number of streams, %d, so that each stream continues from its own state", s.Streams())}
	}
	return nil
}

// tryRead reads the first batch of source, if there is one, so that what does not fit the
// model is found before the first epoch.
func (f *fit[T]) tryRead(source datasets.Source) error {
	if source == nil || source.Len() == 0 {
		return nil
	}
	examples := make([]int, min(f.evaluationBatch(source), source.Len()))
	for i := range examples {
		examples[i] = i
	}
	return f.read(source, examples)
}

// fit is the state of one call of Fit.
type fit[T models.Float] struct {
	*runner[T]
	opts        Options
	train, test datasets.Source
	order       []int // of the training examples in the current epoch
	shuffle     *rand.PCG

	history  []Epoch       // the complete epochs
	progress epochProgress // in the current epoch
	saved    time.Time     // when the checkpoint was written

	updates  int
	moments  [][]T
	chunks   []chunk[T] // of the parameters
	plateau  plateau
	best     best[T]
	lastGood []T     // the parameters after the last complete epoch, or the initial ones
	rate     float64 // learning rate of the last update
	norm     float64 // of its gradients
	clip     float64 // the factor that clips them

	sumTask, updateTask func(i int) // created once, because creating a closure allocates
}

// epochProgress says how far an epoch has come.
type epochProgress struct {
	Examples int     `json:"examples"` // used so far
	Loss     float64 `json:"loss"`     // their weighted sum
	Weight   float64 `json:"weight"`   // the sum of their weights
	Seconds  float64 `json:"seconds"`
}

// best is the state of early stopping.
type best[T models.Float] struct {
	loss   float64
	epochs int // epochs since the best
	params []T // nil without a Patience
}

// These keep the random numbers for different purposes apart under the same seed.
const (
	shuffleStream = 0x73687566
	dropoutStream = 0x64726f70
)

// newFit expects options with their defaults.
func newFit[T models.Float](meta *models.Metadata, params *models.Params[T], train, test datasets.Source, opts Options) (*fit[T], error) {
	runner, err := newRunner(meta, params, opts.Loss, opts.Seed, opts.Threads)
	if err != nil {
		return nil, err
	}
	runner.stateful, runner.medianWeight = opts.Stateful, opts.MedianWeight
	f := &fit[T]{
		runner:  runner,
		opts:    opts,
		train:   train,
		test:    test,
		order:   make([]int, train.Len()),
		shuffle: rand.NewPCG(opts.Seed, shuffleStream),
		moments: make([][]T, opts.Optimizer.moments()),
		plateau: plateau{Factor: 1, Best: math.MaxFloat64},
		best:    best[T]{loss: math.MaxFloat64},
	}
	for i := range f.order {
		f.order[i] = i
	}
	f.shuffleOrder()
	for i := range f.moments {
		f.moments[i] = make([]T, len(params.Data))
	}
	if opts.Patience < math.MaxInt {
		f.best.params = make([]T, len(params.Data))
	}
	f.splitChunks()
	return f, nil
}

// run runs the remaining epochs. With a Patience it restores the best parameters.
func (f *fit[T]) run(ctx context.Context) ([]Epoch, error) {
	if f.opts.Checkpoint != "" {
		lock, err := atomicfile.LockPath(f.opts.Checkpoint)
		if err != nil {
			return nil, fmt.Errorf("checkpoint: %w", err)
		}
		defer lock.Unlock()
	}
	if err := f.start(); err != nil {
		return nil, err
	}
	f.lastGood = slices.Clone(f.params.Data)
	err := f.runEpochs(ctx)
	if errors.Is(err, ErrDiverged) {
		copy(f.params.Data, f.lastGood)
	}
	if len(f.history) > 0 && f.best.params != nil {
		copy(f.params.Data, f.best.params)
	}
	return f.history, err
}

// runEpochs runs epochs until the last, until early stopping, or until ctx is cancelled.
func (f *fit[T]) runEpochs(ctx context.Context) error {
	for len(f.history) < f.opts.Epochs && ctx.Err() == nil && f.best.epochs < f.opts.Patience {
		epoch, err := f.runEpoch(ctx)
		if err != nil {
			return err
		}
		if epoch.Examples == 0 {
			break
		}
		f.finishEpoch(epoch)
		if f.opts.OnEpoch != nil {
			f.opts.OnEpoch(epoch)
		}
		if epoch.Examples < len(f.order) { // interrupted, and saved
			return ctx.Err()
		}
		if err := f.saveIfDue(); err != nil {
			return err
		}
	}
	if err := f.save(); err != nil {
		return err
	}
	return ctx.Err()
}

// shuffleOrder draws the order of the examples in the next epoch.
func (f *fit[T]) shuffleOrder() {
	if !f.opts.NoShuffle && !f.opts.Stateful {
		rand.New(f.shuffle).Shuffle(len(f.order), func(i, j int) {
			f.order[i], f.order[j] = f.order[j], f.order[i]
		})
	}
}

// finishEpoch updates the history, the schedule and early stopping, and prepares the
// next epoch.
func (f *fit[T]) finishEpoch(e Epoch) {
	f.history = append(f.history, e)
	f.progress = epochProgress{}
	f.shuffleOrder()
	if f.opts.Schedule.Shape == Plateau {
		f.plateau.observe(f.opts.Schedule, f.opts.LearningRate, e.MonitoredLoss(f.opts))
	}
	copy(f.lastGood, f.params.Data)
	f.best.epochs++
	if loss := e.MonitoredLoss(f.opts); loss < f.best.loss {
		f.best.loss, f.best.epochs = loss, 0
		copy(f.best.params, f.params.Data)
	}
}

// runEpoch trains on the remaining batches of the current epoch and evaluates the model.
func (f *fit[T]) runEpoch(ctx context.Context) (Epoch, error) {
	start, before := time.Now(), f.progress.Seconds
	for f.progress.Examples < len(f.order) && ctx.Err() == nil {
		if err := f.trainBatch(); err != nil {
			return Epoch{}, err
		}
		f.progress.Seconds = before + time.Since(start).Seconds()
		if err := f.saveIfDue(); err != nil {
			return Epoch{}, err
		}
	}
	if f.progress.Examples < len(f.order) {
		if err := f.save(); err != nil {
			return Epoch{}, err
		}
	}
	epoch := Epoch{Epoch: len(f.history) + 1, Examples: f.progress.Examples, TrainLoss: mean(f.progress.Loss, f.progress.Weight)}
	err := f.evaluateEpoch(&epoch)
	epoch.Seconds = before + time.Since(start).Seconds()
	return epoch, err
}

// trainBatch makes one update.
func (f *fit[T]) trainBatch() error {
	first := f.progress.Examples
	examples := f.order[first:min(first+f.opts.Batch, len(f.order))]
	if err := f.read(f.train, examples); err != nil {
		return err
	}
	loss := f.runner.run(training, uint64(f.updates))
	epoch, batch := len(f.history)+1, first/f.opts.Batch+1
	if err := f.update(epoch, batch, loss); err != nil {
		return err
	}
	f.progress.Examples += len(examples)
	f.progress.Loss += loss * f.weight
	f.progress.Weight += f.weight
	if f.opts.OnBatch != nil {
		f.opts.OnBatch(Progress{Epoch: epoch, Epochs: f.opts.Epochs, Batch: batch, Batches: f.batches(), Loss: loss, LearningRate: f.rate, GradientNorm: f.norm})
	}
	return nil
}

// evaluateEpoch sets the losses on examples that are not trained on.
func (f *fit[T]) evaluateEpoch(e *Epoch) (err error) {
	if e.TestLoss, e.TestAccuracy, err = f.evaluate(f.test); err != nil {
		return err
	}
	if f.opts.Validation != nil {
		if e.ValidationLoss, _, err = f.evaluate(f.opts.Validation); err != nil {
			return err
		}
	}
	if sum := e.TestLoss + e.ValidationLoss; !finite(sum) {
		return fmt.Errorf("%w: the test loss is %g after epoch %d: lower the learning rate (%g), clip the gradients or scale the data", ErrDiverged, sum, e.Epoch, f.opts.LearningRate)
	}
	return nil
}

// batches returns the number of updates in an epoch.
func (f *fit[T]) batches() int { return f.batchesOf(len(f.order)) }

// batchesOf returns the number of updates for the given number of examples.
func (f *fit[T]) batchesOf(examples int) int {
	return examples/f.opts.Batch + min(examples%f.opts.Batch, 1)
}

// evaluate returns the mean loss over the examples of source and, for a classification,
// the share of rows that are correct. Both are 0 for an empty source.
func (f *fit[T]) evaluate(source datasets.Source) (loss, share float64, err error) {
	f.resetStates()
	defer f.resetStates()
	size := f.evaluationBatch(source)
	var sum, weight float64
	var total accuracy
	var examples []int
	for i := range source.Len() {
		examples = append(examples, i)
		if len(examples) < size && i < source.Len()-1 {
			continue
		}
		if err := f.read(source, examples); err != nil {
			return 0, 0, err
		}
		sum += f.runner.run(evaluating, 0) * f.weight
		weight += f.weight
		for _, s := range f.active() {
			total.correct += s.accuracy.correct
			total.rows += s.accuracy.rows
		}
		examples = examples[:0]
	}
	return mean(sum, weight), mean(float64(total.correct), float64(total.rows)), nil
}

// evaluationBatch returns the size of batches to evaluate: about that of training, so
// that buffers do not grow much, and for streams their number.
func (f *fit[T]) evaluationBatch(source datasets.Source) int {
	if !f.stateful {
		return min(max(f.opts.Batch, 16), 256)
	}
	if s, ok := source.(*datasets.Streams); ok {
		return s.Streams()
	}
	return f.opts.Batch
}

// mean returns sum / weight, or 0 for no weight.
func mean(sum, weight float64) float64 {
	if weight == 0 {
		return 0
	}
	return sum / weight
}
