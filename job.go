package rnnkit

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/internal/atomicfile"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

// Job is a training that is ready to begin: a model, and the data that it learns from. It
// trains once. [NewForecaster], [NewStepForecaster], [NewDetector],
// [NewClassifier], [NewSequenceClassifier] and [NewGenerator] make one.
type Job struct {
	// Options are those that the job was made with, and what followed from the data:
	// the sizes of the Spec, and the Loss and Validation of Fit.
	Options

	Steps     int             // of a training example, the longest where they differ
	Model     *models.Model   // with the parameters to begin with
	TrainData datasets.Source // the training set
	TestData  datasets.Source // the test set, which may be empty

	digest     [sha256.Size]byte // of all data
	forecaster *forecaster       // nil but for a direct forecaster
	detector   *detector         // nil but for a detector
	summary    func() (string, error)
	begun      bool // the training
}

// examples are what a job learns from, and how they were cut from its data.
type examples struct {
	train, test   datasets.Source
	data          []byte // all that the examples were cut from
	tbptt, stride int    // 0 where the task has none
}

// newJob returns the job of training a model of meta on e.
func newJob(o Options, meta models.Metadata, e examples) (*Job, error) {
	meta.Spec = o.Spec
	if o.StateInput {
		meta.State = o.Spec.State()
	}
	m, err := o.newModel(meta)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(e.data)
	cut := sha256.Sum256(fmt.Append(digest[:], e.tbptt, e.stride))
	o.Fit.DataDigest = hex.EncodeToString(cut[:16])
	return &Job{
		Options: o, Steps: cmp.Or(e.tbptt, meta.Window),
		Model: m, TrainData: e.train, TestData: e.test,
		digest: digest,
	}, nil
}

// newModel returns a model of the given metadata, with the parameters of Start if there
// is one, which is left as it is.
func (o Options) newModel(meta models.Metadata) (*models.Model, error) {
	if o.Start == nil {
		initializers, err := o.initializers(meta.Spec, meta.Window)
		if err != nil {
			return nil, err
		}
		return models.New(meta, o.Fit.Seed, initializers...)
	}
	start := o.Start.Spec
	start.Readout = meta.Spec.Readout // has no parameters
	if err := sameSizes(start, meta.Spec); err != nil {
		return nil, err
	}
	m, err := models.New(meta, o.Fit.Seed)
	if err != nil {
		return nil, err
	}
	copy(m.Params.Data, o.Start.Params.Data)
	return m, nil
}

// sameSizes returns an error if the data give a model of other sizes than Start has.
func sameSizes(start, data models.Spec) error {
	for _, size := range []struct {
		name        string
		start, data int
	}{
		{"Features", start.Features, data.Features}, {"Vocabulary", start.Vocabulary, data.Vocabulary}, {"Outputs", start.Outputs, data.Outputs},
	} {
		if size.start != size.data {
			return &models.FieldError{Field: "Start.Spec." + size.name, Value: size.start, Want: fmt.Sprintf("%d, as the data have", size.data)}
		}
	}
	return nil
}

// useStart takes the Spec and the state of Start, a model of the given task, if there is
// one.
func (o *Options) useStart(task models.Task) error {
	if o.Start == nil {
		return nil
	}
	if err := models.InField("Start", o.Start.Validate()); err != nil {
		return err
	}
	if o.Start.Task != task {
		return &models.FieldError{Field: "Start.Task", Value: o.Start.Task, Want: fmt.Sprintf("%s, as that of the job", task)}
	}
	o.Spec, o.StateInput = o.Start.Spec, len(o.Start.State) > 0
	return nil
}

// Result is a trained model and the file that it was exported to.
type Result struct {
	Model   *models.Model
	Epochs  []trainer.Epoch
	File    []byte     // the ONNX file
	Native  Comparison // of the file, on the native engine, with the trainer; zero if it failed
	Summary string     // how good the model is on what was held out, in words
}

// WriteFile writes the ONNX file to path. It is there whole or not at all.
func (r *Result) WriteFile(path string) error { return atomicfile.Write(path, r.File) }

// Open opens the ONNX file as [infer.Open] does, without writing it.
func (r *Result) Open(opts ...infer.Option) (*infer.Model, error) {
	return infer.OpenBytes(r.File, opts...)
}

// Train trains j.Model, exports it, and checks that the file answers as the trainer does.
// It returns an error if the file does not, if the training diverges (a
// [trainer.ErrDiverged]), or if ctx ends before the training does (the cause of ctx).
//
// Train first exports and checks the untrained model, so that a model that cannot be
// exported is not trained. If the training fails or ends early after the first batch,
// Train returns both a result and an error.
//
// A job trains once, since j.Model is also the model of its result. To train anew, make
// another job; to train on, give that job the trained model as [Options.Start].
func (j *Job) Train(ctx context.Context) (*Result, error) {
	if j.begun {
		return nil, errors.New("the job has trained its model already: make a new job, with the model as Options.Start to train on")
	}
	_, err := j.export(ctx)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, err
	}
	j.begun = true
	history, ended := j.fit(ctx)
	if len(history) == 0 {
		return nil, ended
	}
	r, err := j.export(context.WithoutCancel(ctx))
	if r == nil {
		return nil, errors.Join(ended, err)
	}
	r.Epochs = history
	summary, summaryErr := j.Summary()
	r.Summary = summary
	return r, errors.Join(ended, err, summaryErr)
}

// Summary says in words how good the model is on what was held out, or where nothing
// was, on what trained. It is for a model that is trained.
func (j *Job) Summary() (string, error) { return j.summary() }

// export returns the model's file, and its comparison with the trainer. The result is
// not nil where only the comparison fails.
func (j *Job) export(ctx context.Context) (*Result, error) {
	file, err := export.Marshal(j.Model)
	if err != nil {
		return nil, err
	}
	r := &Result{Model: j.Model, File: file}
	m, err := r.Open()
	if err != nil {
		return r, fmt.Errorf("the exported model does not load: %w", err)
	}
	defer m.Close()
	if r.Native, err = j.Compare(ctx, file, m); err != nil {
		r.Native = Comparison{}
		return r, fmt.Errorf("the exported model does not answer as the trainer does: %s: %w", m.Engine(), err)
	}
	return r, nil
}

// fit trains the model and notes in its metadata how.
func (j *Job) fit(ctx context.Context) ([]trainer.Epoch, error) {
	if j.forecaster != nil {
		return j.forecaster.fit(ctx, j)
	}
	lowest := math.Inf(1)
	history, err := trainer.Fit(ctx, j.Model, j.TrainData, j.TestData, watchLoss(j.Fit, &lowest))
	if len(history) > 0 {
		j.note(history)
		if failed := j.calibrate(ctx); err == nil {
			err = failed
		}
	}
	field, ok := err.(*models.FieldError)
	switch {
	case err == nil:
		err = j.diverged(lowest)
	case errors.Is(err, ctx.Err()):
		err = context.Cause(ctx)
	case ok:
		err = models.InField("Fit", field)
	}
	return history, err
}

// calibrate sets the border of a detector, also of one whose training ended early.
func (j *Job) calibrate(ctx context.Context) error {
	if j.detector == nil {
		return nil
	}
	return j.detector.calibrate(context.WithoutCancel(ctx), j.Model)
}

// watchLoss returns the options with callbacks that also keep the lowest loss so far.
func watchLoss(opts trainer.Options, lowest *float64) trainer.Options {
	onBatch, onEpoch := opts.OnBatch, opts.OnEpoch
	opts.OnBatch = func(p trainer.Progress) {
		*lowest = min(*lowest, p.Loss)
		if onBatch != nil {
			onBatch(p)
		}
	}
	opts.OnEpoch = func(e trainer.Epoch) {
		*lowest = min(*lowest, e.TrainLoss)
		if onEpoch != nil {
			onEpoch(e)
		}
	}
	return opts
}

// note writes to the model's metadata how its parameters were trained. They are those
// of the last epoch, or with a Patience of the best.
func (j *Job) note(history []trainer.Epoch) {
	last := history[len(history)-1]
	if j.Fit.Patience > 0 {
		last = slices.MinFunc(history, func(a, b trainer.Epoch) int { return cmp.Compare(a.MonitoredLoss(j.Fit), b.MonitoredLoss(j.Fit)) })
	}
	epochs := len(history)
	if history[epochs-1].Examples < j.TrainData.Len() {
		epochs-- // the last was cut short
	}
	j.Model.Training = &models.Training{
		Data:         j.DataName,
		DataSHA256:   hex.EncodeToString(j.digest[:]),
		Seed:         j.Fit.Seed,
		Epochs:       epochs,
		Batch:        j.Fit.Batch,
		Loss:         j.Fit.Loss.Name(),
		Optimizer:    string(j.Fit.Optimizer.Method),
		LearningRate: j.Fit.LearningRate,
		Schedule:     string(j.Fit.Schedule.Shape),
		TrainLoss:    last.TrainLoss,
		TestLoss:     last.TestLoss,
		TestAccuracy: last.TestAccuracy,
	}
}

// maxLossRatio is how many times the lowest loss of a training, or 1 if that is more,
// its last loss may be. A model beyond that has learned nothing.
const maxLossRatio = 1000

// diverged returns a [trainer.ErrDiverged] if the loss of the trained model, though
// finite, is out of all proportion to the lowest that there was.
func (j *Job) diverged(lowest float64) error {
	if last := j.Model.Training.TrainLoss; last > maxLossRatio*max(lowest, 1) {
		return fmt.Errorf("%w: the loss is %.3g, and has been %.3g: lower the learning rate (now %g), clip the gradients or scale the data",
			trainer.ErrDiverged, last, lowest, j.Fit.LearningRate)
	}
	return nil
}

// Predict calls f with the examples of source, in order and some at a time, and with
// what the model answers to them: see [trainer.Predict].
func (j *Job) Predict(source datasets.Source, f func(b *datasets.Batch, answers []float32)) error {
	var b datasets.Batch
	for examples := range slices.Chunk(firstOf(source.Len()), 256) {
		if err := source.Read(&b, examples); err != nil {
			return err
		}
		answers, err := trainer.Predict(j.Model, &b)
		if err != nil {
			return err
		}
		f(&b, answers)
	}
	return nil
}

// firstOf returns the numbers from 0 to n, without n.
func firstOf(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}
