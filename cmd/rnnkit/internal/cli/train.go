package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

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
		newTrainForecastCmd(s), newTrainTextCmd(s), newTrainClassifyCmd(s))
}

// trainOptions are the flags of every kind of training.
type trainOptions struct {
	*streams
	presets.Options
	task    models.Task
	words   trainWords
	recipe  string // of a preset
	output  string
	metrics string
	start   string // the file with the parameters to begin with
	ortLib  string
}

// newTrainPresetCmd returns the command of one of the notebook's jobs. Its
// flags stand at what the recipe best says.
func newTrainPresetCmd(s *streams, preset presets.Preset, short string) *cobra.Command {
	o := newTrainOptions(s, preset.Task, preset.Options(presets.Best, ""))
	cmd := &cobra.Command{
		Use:   preset.Name,
		Short: short,
		Long: short + `.

The recipe best makes the notebook's claim true, with the notebook's data and
sizes; the recipe notebook trains as the notebook does. The flags below show what
best says. Those that are given hold for any recipe.`,
		Example: fmt.Sprintf("  rnnkit train %s -o %[1]s.onnx\n  rnnkit train %[1]s --recipe notebook --seed 3 -o notebook.onnx", preset.Name),
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.follow(preset, cmd.Flags()); err != nil {
				return err
			}
			if err := o.validate(); err != nil {
				return err
			}
			j, err := preset.New(o.Options)
			if err != nil {
				return fmt.Errorf("%s: %w", preset.Name, withFlag(err))
			}
			return o.run(cmd.Context(), j)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.recipe, "recipe", presets.Best, "best or notebook: what the flags that are not given stand at")
	switch preset.Name {
	case presets.Sine.Name:
		flags.IntVar(&o.Samples, "samples", o.Samples, "points from 0 to 40π")
		flags.Float64Var(&o.Noise, "noise", o.Noise, "standard deviation of the noise")
	case presets.Echo.Name, presets.Palindrome.Name:
		flags.IntVar(&o.Window, "length", o.Window, "steps of a sequence")
		flags.IntVar(&o.Samples, "samples", o.Samples, "sequences to train on")
		flags.IntVar(&o.TestSamples, "test-samples", o.TestSamples, "sequences to test on")
	}
	o.addFlags(cmd)
	return cmd
}

// run trains, verifies the export and writes it.
func (o *trainOptions) run(ctx context.Context, j *rnnkit.Job) error {
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

	held := fmt.Sprintf("%d test", j.TestData.Len())
	if j.Fit.Validation != nil {
		held = fmt.Sprintf("%d validate, %d more test", j.Fit.Validation.Len(), j.TestData.Len())
	}
	fmt.Fprintf(o.Err, "training %s, %d layer(s) of %d, on %d examples of %d steps of %s; %s\n",
		j.Spec.Cell, j.Spec.Layers, j.Spec.Hidden, j.TrainData.Len(), cmp.Or(j.TBPTT, j.Window), j.DataName, held)
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

// save verifies and writes the model of a training that ended with an error, or
// nil if it ended well. Only then does the file take its place; else it stands
// beside it under a name that says so.
func (o *trainOptions) save(ctx context.Context, j *rnnkit.Job, r *rnnkit.Result, ended error) error {
	if r.Native.Examples > 0 { // it answers as the trainer does
		tellComparison(o.Err, "native", r.Native)
		ended = errors.Join(ended, o.verify(ctx, j, r.File, o.Err))
	}
	path, how := o.output, "wrote"
	if ended != nil {
		var what string
		what, how = howEnded(ended)
		path = beside(o.output, what)
	}
	if err := atomicfile.Write(path, r.File); err != nil {
		return errors.Join(ended, err, rescue(path, r.File))
	}
	fmt.Fprintf(o.Err, "%s %s: %d bytes; %s\n", how, path, len(r.File), r.Summary)
	if ended != nil {
		return fmt.Errorf("%w: %s is as it was", ended, o.output)
	}
	return nil
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
	fmt.Fprintf(log, "verified: %s differs from the trainer by at most %.1e on %d examples\n", engine, c.Largest, c.Examples)
	if c.Rounding != nil {
		fmt.Fprintf(log, "but %s is off by more than others for its rounding: %v; in float64 the file answers as the trainer does\n", engine, c.Rounding)
	}
}

// rescue writes to the temporary folder what could not be written to path, and says
// so in an error.
func rescue(path string, data []byte) error {
	instead := filepath.Join(os.TempDir(), filepath.Base(path))
	if err := atomicfile.Write(instead, data); err != nil {
		return err
	}
	return fmt.Errorf("what was trained is in %s", instead)
}

// The words in the names of files of trainings that did not end well.
const (
	interrupted = "interrupted"
	diverged    = "diverged"
	failed      = "failed"
)

var endings = []string{interrupted, diverged, failed}

// howEnded says in a word, for the name of a file, how a training ended that did
// not end well, and in a sentence.
func howEnded(ended error) (word, sentence string) {
	var s signalled
	switch {
	case errors.As(ended, &s):
		return interrupted, "interrupted: wrote what was trained to"
	case errors.Is(ended, trainer.ErrDiverged):
		return diverged, "diverged: wrote the parameters from before to"
	}
	return failed, "failed: wrote what was trained to"
}

// beside puts a word before the extension of a path.
func beside(path, word string) string {
	extension := filepath.Ext(path)
	return strings.TrimSuffix(path, extension) + "." + word + extension
}

// train trains the model, with its progress on the error stream and a row an epoch in
// metrics. The error is a signalled if a signal ended it.
func (o *trainOptions) train(ctx context.Context, j *rnnkit.Job, metrics io.Writer) (r *rnnkit.Result, metricsErr, err error) {
	progress := newProgress(o.Err, j.Fit.Epochs, j.TestData.Len() > 0)
	rows := json.NewEncoder(metrics)
	j.Fit.OnBatch = progress.batch
	j.Fit.OnEpoch = func(e trainer.Epoch) {
		progress.epoch(e)
		if e.Examples < j.TrainData.Len() {
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

// warmStart takes the parameters of the file that --init names.
func (o *trainOptions) warmStart(m *models.Model) error {
	if o.start == "" || o.Fit.Resume { // the checkpoint has the parameters
		return nil
	}
	data, err := readModel(o.start)
	if err != nil {
		return err
	}
	left, err := export.LoadParams(m.Params, m.Spec, data)
	if err != nil {
		return fmt.Errorf("%s: %w", o.start, err)
	}
	fmt.Fprintf(o.Err, "the parameters of %s\n", o.start)
	for _, line := range append(left, unlike(data, m)...) {
		fmt.Fprintf(o.Err, "but %s\n", printable(line))
	}
	return nil
}

// unlike returns a line for each thing that a file of ours says of its data and that
// the data of m, whose parameters it gives, does not have so.
func unlike(file []byte, m *models.Model) (lines []string) {
	from, err := infer.OpenBytes(file)
	if err != nil {
		return nil
	}
	defer from.Close()
	meta := from.Metadata()
	if meta == nil {
		return nil
	}
	scale := func(what string, theirs, ours *models.Scale) {
		if !alike(theirs, ours) {
			lines = append(lines, fmt.Sprintf("%s: the file's is %s, this data's %s, and its parameters are of other units", what, describeScale(theirs), describeScale(ours)))
		}
	}
	scale("scale of the input", meta.InputScale, m.InputScale)
	scale("scale of the output", meta.OutputScale, m.OutputScale)
	names := func(what string, theirs, ours []string) {
		for i := range min(len(theirs), len(ours)) {
			if theirs[i] != ours[i] {
				lines = append(lines, fmt.Sprintf("%s: number %d is %q in the file and %q in this data, and its parameters are of others", what, i, theirs[i], ours[i]))
				return
			}
		}
	}
	names("vocabulary", meta.Vocabulary, m.Vocabulary)
	names("labels", meta.Labels, m.Labels)
	return lines
}

// alike tells whether two scales differ by less than a tenth of a deviation.
func alike(a, b *models.Scale) bool {
	if a == nil || b == nil || len(a.Mean) != len(b.Mean) {
		return a == b
	}
	for i := range a.Mean {
		if std := b.Std[i]; math.Abs(float64((a.Mean[i]-b.Mean[i])/std)) > 0.1 || math.Abs(float64(a.Std[i]/std-1)) > 0.1 {
			return false
		}
	}
	return true
}

func describeScale(s *models.Scale) string {
	if s == nil {
		return "none"
	}
	return fmt.Sprintf("mean %.4g, deviation %.4g", s.Mean, s.Std)
}

func (o *trainOptions) createMetrics() (io.WriteCloser, error) {
	if o.metrics == "" {
		return discard{io.Discard}, nil
	}
	f, err := os.OpenFile(o.metrics, os.O_WRONLY|os.O_CREATE, 0o666)
	if err != nil {
		return nil, fmt.Errorf("cannot write the metrics: %w", err)
	}
	return &metricsFile{File: f}, nil
}

// metricsFile drops what the file has when the first row comes: a training that
// does not begin leaves it as it is.
type metricsFile struct {
	*os.File
	begun bool
}

func (m *metricsFile) Write(row []byte) (int, error) {
	if !m.begun {
		m.begun = true
		if info, err := m.Stat(); err == nil && info.Mode().IsRegular() {
			if err := m.Truncate(0); err != nil {
				return 0, err
			}
		}
	}
	return m.File.Write(row)
}

type discard struct{ io.Writer }

func (discard) Close() error { return nil }

// distinct reports two of the files that a training reads and writes that are
// the same.
func (o *trainOptions) distinct(data string) error {
	files := []struct{ flag, path string }{{"--data", data}, {"--init", o.start}, {"-o", o.output}, {"--metrics", o.metrics}, {"--checkpoint", o.Fit.Checkpoint}}
	for _, how := range endings {
		files = append(files, struct{ flag, path string }{"what a training that is " + how + " saves", beside(o.output, how)})
	}
	for i, a := range files {
		for _, b := range files[:i] {
			if b.flag == "--init" && a.flag != "--metrics" && a.flag != "--checkpoint" {
				continue // a training may go on in place: the file is replaced when it is done
			}
			if a.path != "" && b.path != "" && sameFile(a.path, b.path) {
				return usagef("%s and %s are the same file, %s: name another", b.flag, a.flag, a.path)
			}
		}
	}
	return nil
}

func sameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return filepath.Clean(a) == filepath.Clean(b) || errA == nil && errB == nil && os.SameFile(infoA, infoB)
}
