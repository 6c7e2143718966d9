package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/rnnkit/rnnkit"
	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/presets"
	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/ort"
	"github.com/rnnkit/rnnkit/internal/atomicfile"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

func newTrainCmd(s *streams) *cobra.Command {
	return newGroupCmd("train", "Train a model and export it as ONNX", `Train a model and export it as one ONNX file, which is read back and must give
the trainer's answers before it is written. A part of the data is held out and
tests: the last fifth of a series, the last tenth of a text, a fifth of labelled
sequences drawn by the seed. With --patience or --schedule plateau the training goes
by one half of that part, and the other half tests.

Only a training that ends well writes its file. Ctrl-C and SIGTERM end it after
the current batch: what was trained is saved beside it, as m.interrupted.onnx for
m.onnx, and the exit status is 130 or 143; a second one ends it at once. Where the
loss or a gradient is no longer finite the training fails, and m.diverged.onnx has
the parameters after the last epoch before.`, "job",
		newTrainPresetCmd(s, presets.Chars, "Write a nursery rhyme, character by character"),
		newTrainPresetCmd(s, presets.Sine, "Forecast a noisy sine, for a first try"),
		newTrainPresetCmd(s, presets.Echo, "Remember the first of a sequence of bits"),
		newTrainPresetCmd(s, presets.Palindrome, "Tell palindromes from other digits"),
		newTrainForecastCmd(s), newTrainDetectCmd(s), newTrainTextCmd(s), newTrainClassifyCmd(s))
}

// trainOptions are the flags of every kind of training. A verb has the options of its own
// task, and the pointers here point into them.
type trainOptions struct {
	*streams
	task      models.Task
	validator interface{ Validate() error } // the options of the verb

	*rnnkit.Options       // what all tasks have
	window, tbptt   *int  // nil where the verb has no such flag
	scale           *bool // nil where the verb has no such flag
	fromData        bool  // what the flags of the model and the training leave open follows from the data

	words   trainWords
	usage   string // of the flags, in groups
	output  string
	metrics string
	start   string // the file with the parameters to begin with
	ortLib  string
}

// trainJob trains, verifies the export and writes it. The error is that of making the job.
func (o *trainOptions) trainJob(ctx context.Context, j *rnnkit.Job, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", o.DataName, withFlag(err))
	}
	if err := o.warmStart(j.Model); err != nil {
		return err
	}
	if err := o.tryFirst(ctx, j); err != nil {
		return err
	}
	metrics, err := o.createMetrics()
	if err != nil {
		return err
	}
	defer metrics.Close()

	held := fmt.Sprintf("; %d test", j.TestData.Len())
	switch {
	case j.Spec.Direct != nil:
		held = "" // the rules say it
	case j.Model.Detector != nil:
		held = "; the last rows test it"
	}
	if j.Fit.Validation != nil {
		held = fmt.Sprintf("; %d validate, %d more test", j.Fit.Validation.Len(), j.TestData.Len())
	}
	fmt.Fprintf(o.Err, "training %s, %d layer(s) of %d, on %d examples of %d steps of %s%s\n",
		j.Spec.Cell, j.Spec.Layers, j.Spec.Hidden, j.TrainData.Len(), j.Steps, j.DataName, held)
	ctx, stop := untilSignal(ctx)
	defer stop()
	result, metricsErr, ended := o.train(ctx, j, metrics)
	if result == nil {
		return ended
	}
	return errors.Join(o.save(context.WithoutCancel(ctx), j, result, ended), metricsErr)
}

// tryFirst tries before the training what would fail after it: the path, and the export
// of the model as it is.
func (o *trainOptions) tryFirst(ctx context.Context, j *rnnkit.Job) error {
	file, err := atomicfile.Create(o.output)
	if err != nil {
		return err
	}
	file.Abort()
	data, err := export.Marshal(j.Model)
	if err != nil {
		return err
	}
	return o.verify(ctx, j, data, io.Discard)
}

// train trains the model, with its progress on the error stream and a row an epoch in
// metrics. The error is a signalled if a signal ended it.
func (o *trainOptions) train(ctx context.Context, j *rnnkit.Job, metrics io.Writer) (r *rnnkit.Result, metricsErr, err error) {
	progress := newProgress(o.Err, j.Fit.Epochs, j.TestData.Len() > 0)
	if j.Spec.Direct != nil {
		progress = newFitProgress(o.Err)
	}
	rows := json.NewEncoder(metrics)
	j.Fit.OnBatch = progress.batch
	j.Fit.OnEpoch = func(e trainer.Epoch) {
		progress.epoch(e)
		if j.Spec.Direct == nil && e.Examples < j.TrainData.Len() {
			return // cut short
		}
		if err := rows.Encode(e); err != nil && metricsErr == nil {
			metricsErr = fmt.Errorf("cannot write the metrics: %w: free some space or name another file", err)
		}
	}
	r, err = j.Train(ctx)
	progress.finish()
	if r == nil && ctx.Err() != nil {
		err = fmt.Errorf("%w before the first batch: nothing was trained, nothing is saved", err)
	}
	return r, metricsErr, withFlag(err)
}

// verify compares the answers of ONNX Runtime, where it is there, with those of the
// trainer, given the bytes of the exported model.
func (o *trainOptions) verify(ctx context.Context, j *rnnkit.Job, data []byte, log io.Writer) error {
	if !ort.Cgo && o.ortLib == "" { // in any build where the library was asked for
		return nil
	}
	m, err := infer.OpenBytes(data, infer.With(ort.CPU(ort.Library(o.ortLib))))
	if errors.Is(err, ort.ErrNoLibrary) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the exported model does not load: %w", err)
	}
	defer m.Close()
	c, err := j.Compare(ctx, data, m)
	if err != nil {
		return fmt.Errorf("the exported model does not answer as the trainer does: %s: %w", m.Engine(), err)
	}
	tellComparison(log, m.Engine(), c)
	return nil
}

// tellComparison says how an engine compares with the trainer. One that rounds more than
// others, as float64 tells, is worth a remark and no error.
func tellComparison(log io.Writer, engine string, c rnnkit.Comparison) {
	rounding := ""
	if c.Rounding != nil {
		rounding = ", for the rounding of float32: in float64 the file answers as the trainer does"
	}
	fmt.Fprintf(log, "verified: %s differs from the trainer by at most %.1e on %d examples%s\n", engine, c.Largest, c.Examples, rounding)
}
