// Package trainer fits recurrent models to data by backpropagation through
// time, on the processor. It draws every random number from the seed it is
// given, so that the same call gives the same parameters, on any number of
// threads.
package trainer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/internal/atomicfile"
	"github.com/rnnkit/rnnkit/internal/kernels"
	"github.com/rnnkit/rnnkit/models"
)

// Options are the terms of a fit. A field of value 0 stands for the value in
// parentheses.
type Options struct {
	Loss         Loss      // what is minimised (MSE)
	Optimizer    Optimizer // how (Adam)
	LearningRate float64   // the largest, where a Schedule changes it (1e-3)
	Schedule     Schedule  // how the learning rate changes (not)
	ClipNorm     float64   // the largest Euclidean norm of all gradients together, which are scaled down to it (none)

	Epochs    int    // passes over the training examples (15)
	Batch     int    // examples between two updates; the last may have fewer (32)
	Patience  int    // epochs without a lower loss of Validation after which the fit ends; m then has the best parameters, also where it ends otherwise (none)
	Seed      uint64 // of the shuffling and of dropout; 0 is a seed like any other
	NoShuffle bool   // take the examples in the order of the source in every epoch
	Threads   int    // goroutines that compute (runtime.GOMAXPROCS)

	// Validation has the examples by whose loss Patience and the schedule plateau
	// go (those of test). With some of their own the test loss is one of examples
	// that nothing was chosen by.
	Validation datasets.Source

	// Carry makes the state after each example that before the one in the
	// same place of the next batch, which so goes on from it, however long
	// either is; gradients end between them. It is truncated backpropagation through time, for a
	// Source such as datasets.Streams. It implies NoShuffle.
	Carry bool

	// Checkpoint is the path of a file that holds all that the fit needs to go
	// on from where it is (none). It is written at the beginning, then after
	// a batch every CheckpointEvery (30 s), and when the fit ends or ctx is
	// cancelled; always as a whole, so that one that is killed leaves the
	// last. While the fit goes on no other may have the same Checkpoint. Resume
	// goes on from there, to the same parameters as a fit that was never
	// stopped: what the file holds replaces the parameters that Fit is given,
	// and everything else must be the same, but for Threads and the callbacks.
	// Epochs may also be more, or fewer but not less than were begun; a schedule
	// that ends with the last epoch then goes on as in a fit of that many.
	Checkpoint      string
	CheckpointEvery time.Duration
	Resume          bool

	// DataDigest says which data the examples are, as their SHA-256 does. Fit
	// does not look at it, but a fit resumes only with the DataDigest that the
	// checkpoint has, so that it does not go on with other data of the same
	// size ("").
	DataDigest string

	OnBatch func(Progress) // called after every update, if not nil
	OnEpoch func(Epoch)    // called after every epoch, and on a resume first for those before, if not nil
}

// MaxThreads is the most that Options.Threads may be.
const MaxThreads = 1024

// Progress is where a fit stands after an update.
type Progress struct {
	Epoch, Epochs  int // the current epoch, from 1, and how many there will be
	Batch, Batches int // the current batch, from 1, and how many an epoch has
	Loss           float64
	LearningRate   float64
	GradientNorm   float64 // before clipping
}

// Epoch is the result of a pass over the training examples. Losses are means
// over examples, or steps for a readout of all, in the scaled units of the
// model; the training loss is that of each example at the time that it was
// used.
type Epoch struct {
	Epoch     int     `json:"epoch"` // from 1
	TrainLoss float64 `json:"train_loss"`
	TestLoss  float64 `json:"test_loss"`

	ValidationLoss float64 `json:"validation_loss,omitempty"` // with Options.Validation

	// TestAccuracy is the part of the test rows whose most likely class, the
	// first of those, is their label, where the loss is one of classes.
	TestAccuracy float64 `json:"test_accuracy,omitempty"`

	Seconds float64 `json:"seconds"`

	Examples int `json:"-"` // how many were trained on, fewer than there are if interrupted
}

// Choosing is the loss that Patience and the schedule plateau go by in a fit with
// these options.
func (e Epoch) Choosing(o Options) float64 {
	if o.Validation != nil {
		return e.ValidationLoss
	}
	return e.TestLoss
}

// Validate returns a *models.FieldError for the first option that does not fit a
// model of the given Spec.
func (o Options) Validate(spec models.Spec) error {
	_, err := o.withDefaults(spec)
	return err
}

func (o Options) withDefaults(spec models.Spec) (Options, error) {
	if o.Loss == nil {
		o.Loss = MSE()
	}
	if o.LearningRate == 0 {
		o.LearningRate = 1e-3
	}
	if o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if o.CheckpointEvery == 0 {
		o.CheckpointEvery = 30 * time.Second
	}
	for _, f := range []struct {
		name     string
		value    *int
		standard int
	}{{"Epochs", &o.Epochs, 15}, {"Batch", &o.Batch, 32}, {"Patience", &o.Patience, math.MaxInt}, {"Threads", &o.Threads, 1}} {
		if *f.value < 0 {
			return o, &models.FieldError{Field: f.name, Value: *f.value, Want: "1 or more"}
		}
		if *f.value == 0 {
			*f.value = f.standard
		}
	}
	switch {
	case o.Threads > MaxThreads:
		return o, &models.FieldError{Field: "Threads", Value: o.Threads, Want: fmt.Sprintf("from 1 to %d", MaxThreads)}
	case !positive(o.LearningRate):
		return o, &models.FieldError{Field: "LearningRate", Value: o.LearningRate, Want: "more than 0 and finite as a float32"}
	case !(o.ClipNorm >= 0):
		return o, &models.FieldError{Field: "ClipNorm", Value: o.ClipNorm, Want: "more than 0, or 0 for none"}
	case o.CheckpointEvery < 0:
		return o, &models.FieldError{Field: "CheckpointEvery", Value: o.CheckpointEvery, Want: "more than 0"}
	case o.Resume && o.Checkpoint == "":
		return o, &models.FieldError{Field: "Resume", Value: true, Want: "false without a checkpoint to go on from"}
	case o.Carry && spec.Bidirectional:
		return o, &models.FieldError{Field: "Carry", Value: true, Want: "false for a bidirectional model, whose backward direction begins at the end"}
	}
	if _, err := lossSize(o.Loss, spec.Outputs); err != nil {
		return o, err
	}
	var err error
	if o.Optimizer, err = o.Optimizer.withDefaults(); err != nil {
		return o, models.InField("Optimizer", err)
	}
	o.Schedule, err = o.Schedule.withDefaults()
	return o, models.InField("Schedule", err)
}

// positive tells whether v, as the float32 that it is computed with, is more
// than 0 and finite.
func positive(v float64) bool {
	f := float32(v)
	return f > 0 && !math.IsInf(float64(f), 0)
}

// ErrDiverged is the error of a fit whose loss or gradients are no longer finite.
var ErrDiverged = errors.New("diverged")

// Fit trains m in place on the examples of train and measures it after each
// epoch on those of test, which may be empty or nil but for a Patience and the
// schedule plateau without Validation. It returns the results of the epochs, those before a checkpoint
// that it resumes from among them.
//
// The examples are in raw units: Fit applies the scales of m where it has any,
// and the series must not be scaled before.
//
// When ctx is cancelled, Fit ends after the current batch and returns the
// context's error; m then has the parameters trained so far, and an epoch cut
// short is the last of those returned. A loss or a gradient that is not finite is
// an [ErrDiverged], and leaves m as it was after the last epoch that was finished,
// or at the beginning. A checkpoint that cannot be written is an error too. With a
// Patience m has the best parameters however the fit ends, once an epoch is
// finished.
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
	if n := test.Len(); n < 0 {
		return nil, &models.FieldError{Field: "test.Len()", Value: n, Want: "0 or more"}
	}
	choosing := cmp.Or(opts.Validation, test)
	switch none := choosing.Len() == 0; {
	case none && opts.Patience < math.MaxInt:
		return nil, &models.FieldError{Field: "Patience", Value: opts.Patience, Want: "0 without examples to validate or test on, by whose loss it goes"}
	case none && opts.Schedule.Shape == Plateau:
		return nil, &models.FieldError{Field: "Schedule.Shape", Value: Plateau, Want: "another without examples to validate or test on, by whose loss it goes"}
	}
	f, err := newFit(&m.Metadata, m.Params, train, test, opts)
	if err != nil {
		return nil, err
	}
	defer f.close()
	return f.run(ctx)
}

// fit is the state of one call of Fit.
type fit[T models.Float] struct {
	*passes[T]
	opts        Options
	train, test datasets.Source
	order       []int // of the training examples in this epoch
	shuffle     *rand.PCG

	history []Epoch  // that are finished
	at      position // in the next
	saved   time.Time

	updates int
	grads   *models.Params[T]
	moments [][]T
	parts   []part[T] // of the parameters, with all that an update needs
	plateau plateau
	best    best[T]
	whole   []T     // the parameters after the last epoch, or at the beginning
	rate    float64 // of the last update
	norm    float64 // of its gradients
	scale   float64 // that they are clipped with

	addJob, changeJob func(i int) // made once, as making them takes memory
}

// position is where a fit stands in an epoch.
type position struct {
	Examples int     `json:"examples"` // of the order that were trained on
	Loss     float64 `json:"loss"`     // their weighted sum
	Weight   float64 `json:"weight"`
	Seconds  float64 `json:"seconds"` // spent
}

// best is the state of early stopping.
type best[T models.Float] struct {
	loss   float64
	since  int // epochs since
	params []T // nil without a Patience
}

// The streams keep the draws for different ends apart under the same seed.
const (
	shuffleStream = 0x73687566
	dropoutStream = 0x64726f70
)

// newFit takes options with their defaults.
func newFit[T models.Float](meta *models.Metadata, params *models.Params[T], train, test datasets.Source, opts Options) (*fit[T], error) {
	if train == nil {
		return nil, &models.FieldError{Field: "train", Value: nil, Want: "a source of examples"}
	}
	if n := train.Len(); n < 1 {
		return nil, &models.FieldError{Field: "train.Len()", Value: n, Want: "1 or more"}
	}
	if s, ok := train.(*datasets.Streams); ok && opts.Carry && s.Streams() != opts.Batch {
		return nil, &models.FieldError{Field: "Batch", Value: opts.Batch, Want: fmt.Sprintf("the number of streams, %d, or the state of one goes to another", s.Streams())}
	}
	passes, err := newPasses(meta, params, opts.Loss, opts.Seed, opts.Threads)
	if err != nil {
		return nil, err
	}
	passes.carry = opts.Carry
	f := &fit[T]{
		passes:  passes,
		opts:    opts,
		train:   train,
		test:    test,
		order:   make([]int, train.Len()),
		shuffle: rand.NewPCG(opts.Seed, shuffleStream),
		grads:   models.NewParams[T](meta.Spec),
		moments: make([][]T, opts.Optimizer.moments()),
		plateau: plateau{Factor: 1, Best: math.MaxFloat64},
		best:    best[T]{loss: math.MaxFloat64},
	}
	for i := range f.order {
		f.order[i] = i
	}
	f.reorder()
	for i := range f.moments {
		f.moments[i] = make([]T, len(params.Data))
	}
	if opts.Patience < math.MaxInt {
		f.best.params = make([]T, len(params.Data))
	}
	f.divide()
	return f, nil
}

// run makes the epochs that are left, and leaves the best parameters if they
// are kept.
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
	f.whole = slices.Clone(f.params.Data)
	err := f.epochs(ctx)
	if errors.Is(err, ErrDiverged) {
		copy(f.params.Data, f.whole)
	}
	if len(f.history) > 0 && f.best.params != nil {
		copy(f.params.Data, f.best.params)
	}
	return f.history, err
}

func (f *fit[T]) epochs(ctx context.Context) error {
	for len(f.history) < f.opts.Epochs && ctx.Err() == nil && f.best.since < f.opts.Patience {
		epoch, err := f.epoch(ctx)
		if err != nil {
			return err
		}
		if epoch.Examples == 0 {
			break
		}
		f.note(epoch)
		if f.opts.OnEpoch != nil {
			f.opts.OnEpoch(epoch)
		}
		if epoch.Examples < len(f.order) { // and saved
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

// reorder draws the order of the examples in the next epoch.
func (f *fit[T]) reorder() {
	if !f.opts.NoShuffle && !f.opts.Carry {
		rand.New(f.shuffle).Shuffle(len(f.order), func(i, j int) {
			f.order[i], f.order[j] = f.order[j], f.order[i]
		})
	}
}

// note draws the conclusions of an epoch and turns to the next.
func (f *fit[T]) note(e Epoch) {
	f.history = append(f.history, e)
	f.at = position{}
	f.reorder()
	if f.opts.Schedule.Shape == Plateau {
		f.plateau.after(f.opts.Schedule, f.opts.LearningRate, e.Choosing(f.opts))
	}
	copy(f.whole, f.params.Data)
	f.best.since++
	if loss := e.Choosing(f.opts); loss < f.best.loss {
		f.best.loss, f.best.since = loss, 0
		copy(f.best.params, f.params.Data)
	}
}

// epoch makes one update a batch, from where the fit is to the end of the
// epoch, and measures the model.
func (f *fit[T]) epoch(ctx context.Context) (Epoch, error) {
	start, spent := time.Now(), f.at.Seconds
	e := len(f.history) + 1
	for f.at.Examples < len(f.order) && ctx.Err() == nil {
		b := f.at.Examples/f.opts.Batch + 1
		part := f.order[f.at.Examples:min(f.at.Examples+f.opts.Batch, len(f.order))]
		if err := f.read(f.train, part); err != nil {
			return Epoch{}, err
		}
		loss := f.passes.run(training, uint64(f.updates))
		if err := f.update(e, b, loss); err != nil {
			return Epoch{}, err
		}
		f.at.Examples += len(part)
		f.at.Loss += loss * f.weight
		f.at.Weight += f.weight
		f.at.Seconds = spent + time.Since(start).Seconds()
		if f.opts.OnBatch != nil {
			f.opts.OnBatch(Progress{Epoch: e, Epochs: f.opts.Epochs, Batch: b, Batches: f.batches(), Loss: loss, LearningRate: f.rate, GradientNorm: f.norm})
		}
		if err := f.saveIfDue(); err != nil {
			return Epoch{}, err
		}
	}
	if f.at.Examples < len(f.order) {
		if err := f.save(); err != nil {
			return Epoch{}, err
		}
	}
	epoch := Epoch{Epoch: e, Examples: f.at.Examples, TrainLoss: mean(f.at.Loss, f.at.Weight)}
	err := f.measure(&epoch)
	epoch.Seconds = spent + time.Since(start).Seconds()
	return epoch, err
}

// measure sets what an epoch's parameters do on examples that do not train.
func (f *fit[T]) measure(e *Epoch) (err error) {
	if e.TestLoss, e.TestAccuracy, err = f.evaluate(f.test); err != nil {
		return err
	}
	if f.opts.Validation != nil {
		if e.ValidationLoss, _, err = f.evaluate(f.opts.Validation); err != nil {
			return err
		}
	}
	if bad := e.TestLoss + e.ValidationLoss; math.IsNaN(bad) || math.IsInf(bad, 0) {
		return fmt.Errorf("%w: the test loss is %g after epoch %d: lower the learning rate (%g), clip the gradients or scale the data", ErrDiverged, bad, e.Epoch, f.opts.LearningRate)
	}
	return nil
}

// batches is the number of updates in an epoch, and batchesOf for its first
// examples.
func (f *fit[T]) batches() int { return f.batchesOf(len(f.order)) }

func (f *fit[T]) batchesOf(examples int) int {
	return examples/f.opts.Batch + min(examples%f.opts.Batch, 1)
}

// update adds up the gradients of the shards, in their order, and lets the
// optimizer change the parameters.
func (f *fit[T]) update(epoch, batch int, loss float64) error {
	f.team.run(len(f.parts), f.addJob)
	var squares float64
	for i := range f.parts {
		squares += f.parts[i].norm * f.parts[i].norm
	}
	f.norm = math.Sqrt(squares)
	f.rate = f.opts.LearningRate * f.plateau.Factor * f.opts.Schedule.factor(f.updates, f.opts.Epochs*f.batches(), epoch-1)
	if bad := loss + f.norm; math.IsNaN(bad) || math.IsInf(bad, 0) {
		return fmt.Errorf("%w: the loss is %g and the norm of the gradients %g in epoch %d, batch %d: lower the learning rate (now %g), clip the gradients or scale the data",
			ErrDiverged, loss, f.norm, epoch, batch, f.rate)
	}
	if f.scale = 1; f.opts.ClipNorm > 0 {
		// Pascanu et al., "On the difficulty of training recurrent neural
		// networks" (2013), with PyTorch's guard against a norm of 0.
		f.scale = min(1, f.opts.ClipNorm/(f.norm+1e-6))
	}
	f.updates++
	f.team.run(len(f.parts), f.changeJob)
	return nil
}

// part is a range of the parameters, which one goroutine updates at a time.
type part[T models.Float] struct {
	first         int
	params, grads []T
	moments       [][]T
	norm          float64 // of grads
}

// partSize is how many parameters a part has, the last one fewer.
const partSize = 1 << 14

// divide sets parts.
func (f *fit[T]) divide() {
	for first := 0; first < len(f.params.Data); first += partSize {
		end := min(first+partSize, len(f.params.Data))
		p := part[T]{first: first, params: f.params.Data[first:end], grads: f.grads.Data[first:end]}
		for _, m := range f.moments {
			p.moments = append(p.moments, m[first:end])
		}
		f.parts = append(f.parts, p)
	}
	f.addJob, f.changeJob = f.addUp, f.change
}

// addUp adds up the gradients of the shards in their order.
func (f *fit[T]) addUp(i int) {
	p, shards := &f.parts[i], f.active()
	copy(p.grads, shards[0].grads.Data[p.first:])
	for _, s := range shards[1:] {
		kernels.AddScaled(p.grads, 1, s.grads.Data[p.first:])
	}
	p.norm = kernels.Norm(p.grads)
}

// change lets the optimizer change the parameters.
func (f *fit[T]) change(i int) {
	p := &f.parts[i]
	if f.scale != 1 {
		kernels.Scale(p.grads, T(f.scale))
	}
	update(f.opts.Optimizer, p.params, p.grads, p.moments, f.rate, f.updates)
}

// evaluate returns the mean loss over the examples of source and, for a loss of
// classes, the part of rows that are right; 0 if it is empty.
func (f *fit[T]) evaluate(source datasets.Source) (loss, accuracy float64, err error) {
	size := min(max(f.opts.Batch, 16), 256) // as large as in training, or memory would grow
	if f.carry {
		size = f.opts.Batch
		if s, ok := source.(*datasets.Streams); ok {
			size = s.Streams()
		}
	}
	f.forget()
	defer f.forget()
	var sum, weight float64
	var all score
	var examples []int
	for i := range source.Len() {
		examples = append(examples, i)
		if len(examples) < size && i < source.Len()-1 {
			continue
		}
		if err := f.read(source, examples); err != nil {
			return 0, 0, err
		}
		sum += f.passes.run(measuring, 0) * f.weight
		weight += f.weight
		for _, s := range f.active() {
			all.right += s.score.right
			all.rows += s.score.rows
		}
		examples = examples[:0]
	}
	return mean(sum, weight), mean(float64(all.right), float64(all.rows)), nil
}

func mean(sum, weight float64) float64 {
	if weight == 0 {
		return 0
	}
	return sum / weight
}

// Predict returns the answers of m for the examples of b, in raw units: [size,
// outputs], or [size, time, outputs] for a model with one answer a step, where
// padding is answered by zeros. It does not read the targets and labels of b.
func Predict(m *models.Model, b *datasets.Batch) ([]float32, error) {
	return predict(m, m.Params, b)
}

// PredictExact is Predict in float64, of parameters and inputs that are float32:
// it tells what the rounding of float32 makes of an answer.
func PredictExact(m *models.Model, b *datasets.Batch) ([]float64, error) {
	if err := m.Validate(); err != nil {
		return nil, models.InField("m", err)
	}
	params := models.NewParams[float64](m.Spec)
	kernels.Convert(params.Data, m.Params.Data)
	return predict(m, params, b)
}

func predict[T models.Float](m *models.Model, params *models.Params[T], b *datasets.Batch) ([]T, error) {
	if err := m.Validate(); err != nil {
		return nil, models.InField("m", err)
	}
	p, err := newPasses(&m.Metadata, params, MSE(), 0, 1)
	if err != nil {
		return nil, err
	}
	defer p.close()
	p.batch = *b
	if err := checkInputs(&p.batch, p.meta.Spec); err != nil {
		return nil, err
	}
	p.run(answering, 0)
	out := make([]T, b.Size*p.rowsEach()*m.Spec.Outputs)
	for _, s := range p.active() {
		s.answers(p, out)
	}
	return out, nil
}
