package trainer

import (
	"fmt"
	"math"
	"runtime"
	"time"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/models"
)

// Options configure a fit. A field of value 0 stands for the default in parentheses.
type Options struct {
	Loss         Loss      // what is minimized (MSE, and for a direct forecaster the Pinball of its quantiles)
	MedianWeight float64   // how many times the median of a direct forecaster counts as much as another of its quantiles (1)
	Optimizer    Optimizer // how (Adam)
	LearningRate float64   // the largest learning rate, if a Schedule changes it (1e-3)
	Schedule     Schedule  // how the learning rate changes (not at all)
	ClipNorm     float64   // the largest Euclidean norm of all gradients together; larger gradients are scaled down (none)

	Epochs    int    // passes over the training examples (15)
	Batch     int    // examples in an update; the last one of an epoch may have fewer (32)
	Seed      uint64 // of the shuffling and of dropout; 0 is a seed like any other
	NoShuffle bool   // keep the order of the source in every epoch
	Threads   int    // goroutines that compute, up to MaxThreads; any number gives the same result (runtime.GOMAXPROCS)

	// Patience turns on early stopping: the fit ends after that many epochs
	// without a lower loss on Validation. The model then has the parameters of the
	// best epoch, also if the fit ends for another reason (no early stopping).
	Patience int

	// Validation holds the examples whose loss Patience and the schedule Plateau use
	// (those of test). With examples of its own here, the test loss is an honest
	// estimate, since nothing was chosen by it.
	Validation datasets.Source

	// Stateful makes training stateful: example i of a batch starts from the final
	// state of example i of the batch before. Gradients do not flow from one batch
	// to the other, so this is truncated backpropagation through time. It is for a
	// Source such as datasets.Streams, whose batches continue each other, and it
	// implies NoShuffle. The model must run step by step, see [models.Spec.Stepwise]:
	// it is not bidirectional, and its readout is last, final or all. Streams have
	// targets at every step, which the readout all answers.
	Stateful bool

	// Checkpoint is the path of a file that holds all that a fit needs to continue
	// (none). It is written at the beginning, after a batch every CheckpointEvery
	// (30 s), and when the fit ends or ctx is cancelled. It is replaced as a whole,
	// so a process that is killed leaves the last one. A fit locks its Checkpoint
	// while it runs.
	Checkpoint      string
	CheckpointEvery time.Duration

	// Resume continues from the Checkpoint and ends with the same parameters as a
	// fit that was never interrupted. The file replaces the parameters that Fit is
	// given. Everything else must be the same as before, except Threads and the
	// callbacks. Epochs may differ too, but not be less than were begun; a schedule
	// that depends on the number of updates then continues as in a fit of the new
	// number of Epochs. Fit returns a *CheckpointError if it cannot resume.
	Resume bool

	// DataDigest identifies the data, for instance by its SHA-256. Fit only compares
	// it with that of the checkpoint, so that it does not resume with other data of
	// the same size ("").
	DataDigest string

	OnBatch func(Progress) // called after every update, if not nil
	OnEpoch func(Epoch)    // called after every epoch, if not nil; a resumed fit first reports the epochs before
}

// MaxThreads is the most that Options.Threads may be.
const MaxThreads = 1024

// Validate returns a *models.FieldError for the first option that does not fit a
// model of the given Spec.
func (o Options) Validate(spec models.Spec) error {
	_, err := o.withDefaults(spec)
	return err
}

// withDefaults returns o with its defaults, or a *models.FieldError.
func (o Options) withDefaults(spec models.Spec) (Options, error) {
	o, err := o.withDefaultNumbers()
	if err != nil {
		return o, err
	}
	if o.Loss == nil {
		o.Loss = defaultLoss(spec)
	}
	if _, err := targetsPerRow(o.Loss, spec); err != nil {
		return o, err
	}
	switch {
	case o.MedianWeight != 1 && spec.Direct == nil:
		return o, &models.FieldError{Field: "MedianWeight", Value: o.MedianWeight, Want: "1 for a model that is no direct forecaster"}
	case o.Resume && o.Checkpoint == "":
		return o, &models.FieldError{Field: "Resume", Value: true, Want: "false without a checkpoint to resume from"}
	case o.Stateful && spec.Direct != nil:
		return o, &models.FieldError{Field: "Stateful", Value: true, Want: "false for a direct forecaster, which reads whole windows"}
	case o.Stateful && spec.Bidirectional:
		return o, &models.FieldError{Field: "Stateful", Value: true, Want: "false for a bidirectional model, whose backward direction starts at the end"}
	case o.Stateful && !spec.Stepwise():
		return o, &models.FieldError{Field: "Stateful", Value: true, Want: fmt.Sprintf("false for the readout %s, which needs all steps at once: use last, final or all", spec.Readout)}
	}
	if o.Optimizer, err = o.Optimizer.withDefaults(); err != nil {
		return o, models.InField("Optimizer", err)
	}
	o.Schedule, err = o.Schedule.withDefaults()
	return o, models.InField("Schedule", err)
}

// withDefaultNumbers is withDefaults for the fields that are numbers.
func (o Options) withDefaultNumbers() (Options, error) {
	for _, f := range []struct {
		name     string
		value    *int
		standard int
	}{
		{"Epochs", &o.Epochs, 15},
		{"Batch", &o.Batch, 32},
		{"Patience", &o.Patience, math.MaxInt},
		{"Threads", &o.Threads, runtime.GOMAXPROCS(0)},
	} {
		if *f.value < 0 {
			return o, &models.FieldError{Field: f.name, Value: *f.value, Want: "1 or more"}
		}
		if *f.value == 0 {
			*f.value = f.standard
		}
	}
	if o.LearningRate == 0 {
		o.LearningRate = 1e-3
	}
	if o.MedianWeight == 0 {
		o.MedianWeight = 1
	}
	if o.CheckpointEvery == 0 {
		o.CheckpointEvery = 30 * time.Second
	}
	switch {
	case o.Threads > MaxThreads:
		return o, &models.FieldError{Field: "Threads", Value: o.Threads, Want: fmt.Sprintf("from 1 to %d", MaxThreads)}
	case !positive(o.LearningRate):
		return o, &models.FieldError{Field: "LearningRate", Value: o.LearningRate, Want: "more than 0 and finite as a float32"}
	case !positive(o.MedianWeight):
		return o, &models.FieldError{Field: "MedianWeight", Value: o.MedianWeight, Want: "more than 0 and finite as a float32"}
	case !(o.ClipNorm >= 0):
		return o, &models.FieldError{Field: "ClipNorm", Value: o.ClipNorm, Want: "more than 0, or 0 for none"}
	case o.CheckpointEvery < 0:
		return o, &models.FieldError{Field: "CheckpointEvery", Value: o.CheckpointEvery, Want: "more than 0"}
	}
	return o, nil
}

// positive reports whether v, as the float32 that it is computed with, is more than 0
// and finite.
func positive(v float64) bool {
	f := float32(v)
	return f > 0 && !math.IsInf(float64(f), 0)
}
