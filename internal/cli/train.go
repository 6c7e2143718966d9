package cli

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/internal/atomicfile"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

// trainSplit is the part of the windows that trains; the rest tests.
const trainSplit = 0.8

// trainOptions are the flags of every kind of training.
type trainOptions struct {
	*streams
	output  string
	metrics string
	ortLib  string

	checkpoint      string
	checkpointEvery time.Duration
	resume          bool

	cell, activation string
	hidden, layers   int
	bidirectional    bool
	dropout          float64
	readout          string
	window           int
	init, recipe     string

	loss                  string
	optimizer             string
	rate                  float64
	momentum, weightDecay float64
	nesterov              bool
	schedule              string
	warmup                int
	clip                  float64
	epochs, batch         int
	patience              int
	tbptt                 int
	noShuffle             bool
	seed                  uint64
	threads               int
}

func newTrainCmd(s *streams) *cobra.Command {
	return newGroupCmd("train", "Train a model and export it as ONNX", `Train a model and export it as one ONNX file, which is read back and must give
the trainer's answers before it is written. The first four fifths of the windows
train; the last fifth is held out and tests.

Ctrl-C ends the training after the current batch and saves what was trained; a
second one ends it at once. Where the loss or a gradient is no longer finite, the
training fails, and the parameters from before are saved if there was an epoch.`, "job", newTrainSineCmd(s), newTrainForecastCmd(s))
}

func newTrainSineCmd(s *streams) *cobra.Command {
	o := &trainOptions{streams: s}
	cmd := &cobra.Command{
		Use:     "sine",
		Short:   "Forecast a noisy sine, for a first try",
		Example: "  rnnkit train sine -o sine.onnx",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.validate(); err != nil {
				return err
			}
			return o.run(cmd.Context(), series{
				data:   "sine",
				column: "y",
				values: datasets.Sine(sinePoints, sineNoise, o.seed),
			})
		},
	}
	o.addFlags(cmd)
	return cmd
}

func newTrainForecastCmd(s *streams) *cobra.Command {
	o := &trainOptions{streams: s}
	var path, column, scale string
	cmd := &cobra.Command{
		Use:   "forecast",
		Short: "Forecast the next value of a column of your own CSV file",
		Example: `  rnnkit train forecast --data sunspots.csv -o sunspots.onnx
  rnnkit train forecast --data sales.csv --column revenue --seq-len 30 -o revenue.onnx`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("give the file as --data %s", args[0])
			}
			if path == "" {
				return usagef("say what to learn from: --data FILE.csv")
			}
			if scale != "standard" && scale != "none" {
				return usagef("--scale is %q: it must be standard or none", scale)
			}
			if err := o.validate(); err != nil {
				return err
			}
			if err := o.distinct(path); err != nil {
				return err
			}
			c, err := readColumnFile(path, column, s.In)
			if err != nil {
				return err
			}
			name := filepath.Base(path)
			if path == "-" {
				name = stdinName
			}
			return o.run(cmd.Context(), series{
				data:   name,
				column: c.Name,
				values: c.Values,
				scale:  scale == "standard",
			})
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&path, "data", "", "the CSV file, - for standard input")
	flags.StringVar(&column, "column", "", "its column, by name or number (default the only numeric one)")
	flags.StringVar(&scale, "scale", "standard", "standard: mean 0, deviation 1 over the training part, undone inside the graph; or none")
	o.addFlags(cmd)
	return cmd
}

// addFlags adds the flags that every job has to cmd, after those of its own,
// and shows them in groups.
func (o *trainOptions) addFlags(cmd *cobra.Command) {
	groups := []struct {
		title string
		add   func(*pflag.FlagSet)
	}{
		{"Files", func(f *pflag.FlagSet) {
			f.StringVarP(&o.output, "output", "o", "", "the ONNX file to write")
			f.StringVar(&o.metrics, "metrics", "", "a JSONL file for the losses of every epoch")
			f.StringVar(&o.checkpoint, "checkpoint", "", "a file that holds all that is needed to go on")
			f.DurationVar(&o.checkpointEvery, "checkpoint-every", 30*time.Second, "how often to write it")
			f.BoolVar(&o.resume, "resume", false, "go on from the checkpoint, which is otherwise begun anew")
			addOrtLib(f, &o.ortLib)
		}},
		{"Model", func(f *pflag.FlagSet) {
			f.StringVar(&o.cell, "cell", "lstm", "rnn, lstm or gru")
			f.StringVar(&o.activation, "activation", "tanh", "of an rnn: tanh or relu")
			f.IntVar(&o.hidden, "hidden", 32, "size of the state")
			f.IntVar(&o.layers, "layers", 1, "recurrent layers, one on the other")
			f.BoolVar(&o.bidirectional, "bidirectional", false, "read the window from its end too")
			f.Float64Var(&o.dropout, "dropout", 0, "probability of dropping a value between layers")
			f.StringVar(&o.readout, "readout", "last", "what the answer is made of: last, final, mean or max")
			f.IntVar(&o.window, "seq-len", 50, "values that a prediction looks back on")
			f.StringVar(&o.init, "init", "", "begin with the parameters of this ONNX file, ours or PyTorch's or Keras's")
			f.StringVar(&o.recipe, "init-recipe", "default", "PyTorch's default, or a list of orthogonal, forget-bias, chrono")
		}},
		{"Training", func(f *pflag.FlagSet) {
			f.StringVar(&o.loss, "loss", "mse", "mse, mae or huber")
			f.StringVar(&o.optimizer, "optimizer", "adam", "sgd, rmsprop, adam or adamw")
			f.Float64Var(&o.rate, "lr", 1e-3, "learning rate, the largest of the schedule")
			f.Float64Var(&o.momentum, "momentum", 0, "of sgd and rmsprop")
			f.BoolVar(&o.nesterov, "nesterov", false, "let sgd look one step ahead along the momentum")
			f.Float64Var(&o.weightDecay, "weight-decay", 0, "of the weights (default 0.01 for adamw)")
			f.StringVar(&o.schedule, "schedule", "constant", "of the learning rate: constant, step, cosine, onecycle or plateau")
			f.IntVar(&o.warmup, "warmup", 0, "updates over which the learning rate rises")
			f.Float64Var(&o.clip, "clip", 0, "largest norm of all gradients together (default none)")
			f.IntVar(&o.epochs, "epochs", 15, "passes over the training data")
			f.IntVar(&o.batch, "batch", 32, "windows between two updates")
			f.IntVar(&o.patience, "patience", 0, "epochs without a lower test loss after which to stop, with the best model (default never)")
			f.IntVar(&o.tbptt, "tbptt", 0, "learn from every step of --batch parallel streams, cutting gradients every so many steps but not the state (default from windows)")
			f.BoolVar(&o.noShuffle, "no-shuffle", false, "take the windows in their order")
			f.Uint64Var(&o.seed, "seed", 0, "seed of everything random: the same seed gives the same file")
			f.IntVar(&o.threads, "threads", 0, "threads to compute with, without effect on the result (default all)")
		}},
	}
	var usages strings.Builder
	if cmd.Flags().HasFlags() {
		fmt.Fprintf(&usages, "Data:\n%s\n", cmd.Flags().FlagUsages())
	}
	for _, g := range groups {
		set := pflag.NewFlagSet(g.title, pflag.ContinueOnError)
		set.SortFlags = false
		g.add(set)
		fmt.Fprintf(&usages, "%s:\n%s\n", g.title, set.FlagUsages())
		cmd.Flags().AddFlagSet(set)
	}
	const all = "Flags:\n{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}"
	cmd.SetUsageTemplate(strings.Replace(cmd.UsageTemplate(), all, strings.TrimSpace(usages.String()), 1))
}

// validate reports the first flag that cannot be used.
func (o *trainOptions) validate() error {
	if o.output == "" {
		return usagef("say where to write the model: -o FILE.onnx")
	}
	for _, f := range []struct {
		name  string
		value int
		least int
	}{{"seq-len", o.window, 1}, {"epochs", o.epochs, 1}, {"batch", o.batch, 1}, {"patience", o.patience, 0}, {"tbptt", o.tbptt, 0}} {
		if f.value < f.least {
			return usagef("--%s is %d: it must be %d or more", f.name, f.value, f.least)
		}
	}
	if o.threads < 0 || o.threads > trainer.MaxThreads {
		return usagef("--threads is %d: it must be from 1 to %d, or 0 for all", o.threads, trainer.MaxThreads)
	}
	if !(o.rate > 0) || math.IsInf(o.rate, 0) {
		return usagef("--lr is %g: it must be more than 0", o.rate)
	}
	if !(o.clip >= 0) {
		return usagef("--clip is %g: it must be more than 0", o.clip)
	}
	if err := o.distinct(""); err != nil {
		return err
	}
	switch {
	case o.readout == string(models.ReadAll):
		return usagef("--readout is \"all\": a forecast has one answer, so it must be last, final, mean or max")
	case o.tbptt > 0 && o.readout != string(models.ReadLast):
		return usagef("--readout is %q: with --tbptt the model answers at every step", o.readout)
	}
	if err := o.validateSpec(); err != nil {
		return err
	}
	opts, err := o.options()
	if err == nil {
		err = opts.Validate(o.metadata(series{}).Spec)
	}
	if err != nil {
		return usageError{errors.New(flagNames.Replace(err.Error()))}
	}
	_, err = o.recipes()
	return err
}

// flagNames puts flags for the trainer's options in its errors.
var flagNames = strings.NewReplacer(
	"trainer: ", "",
	"Optimizer.Method", "--optimizer",
	"Optimizer.Momentum", "--momentum",
	"Optimizer.Nesterov", "--nesterov",
	"Optimizer.WeightDecay", "--weight-decay",
	"Schedule.Shape", "--schedule",
	"Schedule.Warmup", "--warmup",
	"CheckpointEvery", "--checkpoint-every",
	"Checkpoint", "--checkpoint",
	"Resume", "--resume",
	"Carry is set", "--tbptt is set",
)

// validateSpec names the flag behind a field of the Spec that does not fit.
func (o *trainOptions) validateSpec() error {
	err := o.metadata(series{}).Spec.Validate()
	var field *models.FieldError
	if errors.As(err, &field) {
		return usagef("--%s is %v: it must be %s", strings.ToLower(field.Field), field.Value, field.Want)
	}
	return err
}

// options are the flags in the trainer's terms.
func (o *trainOptions) options() (trainer.Options, error) {
	loss, ok := map[string]trainer.Loss{"mse": trainer.MSE(), "mae": trainer.MAE(), "huber": trainer.Huber(1)}[o.loss]
	if !ok {
		return trainer.Options{}, usagef("--loss is %q: it must be mse, mae or huber", o.loss)
	}
	return trainer.Options{
		Loss: loss,
		Optimizer: trainer.Optimizer{
			Method:      trainer.Method(o.optimizer),
			Momentum:    o.momentum,
			Nesterov:    o.nesterov,
			WeightDecay: o.weightDecay,
		},
		LearningRate: o.rate,
		Schedule:     trainer.Schedule{Shape: trainer.Shape(o.schedule), Warmup: o.warmup},
		ClipNorm:     o.clip,
		Epochs:       o.epochs,
		Batch:        o.batch,
		Patience:     o.patience,
		Seed:         o.seed,
		NoShuffle:    o.noShuffle,
		Threads:      o.threads,
		Carry:        o.tbptt > 0,

		Checkpoint:      o.checkpoint,
		CheckpointEvery: o.checkpointEvery,
		Resume:          o.resume,
	}, nil
}

// recipes are those that --init-recipe lists. Chrono is for times up to three
// windows.
func (o *trainOptions) recipes() (list []models.Recipe, err error) {
	for name := range strings.SplitSeq(o.recipe, ",") {
		switch strings.TrimSpace(name) {
		case "default":
		case "orthogonal":
			list = append(list, models.Orthogonal())
		case "forget-bias":
			list = append(list, models.ForgetBias(1))
		case "chrono":
			list = append(list, models.Chrono(3*o.window))
		default:
			return nil, usagef("--init-recipe is %q: it must be default or a list of orthogonal, forget-bias, chrono", o.recipe)
		}
	}
	// What does not fit the cell shows on the smallest model of its kind.
	small := o.metadata(series{}).Spec
	small.Hidden, small.Layers, small.Dropout = 1, 1, 0
	if _, err := models.Init(small, 0, list...); err != nil {
		return nil, usagef("--init-recipe is %q: %w", o.recipe, err)
	}
	return list, nil
}

// distinct reports two of the files that a training reads and writes that are
// the same.
func (o *trainOptions) distinct(data string) error {
	files := []struct{ flag, path string }{{"--data", data}, {"-o", o.output}, {"--metrics", o.metrics}, {"--checkpoint", o.checkpoint}}
	for i, a := range files {
		for _, b := range files[:i] {
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

// warmStart takes the parameters of the file that --init names.
func (o *trainOptions) warmStart(m *models.Model) error {
	if o.init == "" {
		return nil
	}
	data, err := readModel(o.init)
	if err != nil {
		return err
	}
	left, err := export.LoadParams(m.Params, m.Spec, data)
	if err != nil {
		return fmt.Errorf("%s: %w", o.init, err)
	}
	fmt.Fprintf(o.Err, "the parameters of %s\n", o.init)
	for _, line := range left {
		fmt.Fprintf(o.Err, "but %s\n", line)
	}
	return nil
}

// series is what a forecaster learns from.
type series struct {
	data   string // the name of the preset or file
	column string
	values []float64
	scale  bool
}

func (o *trainOptions) metadata(y series) models.Metadata {
	meta := models.Forecaster(y.column, o.window)
	meta.Spec.Cell = models.Cell(o.cell)
	meta.Spec.Hidden = o.hidden
	meta.Spec.Layers = o.layers
	meta.Spec.Bidirectional = o.bidirectional
	meta.Spec.Dropout = o.dropout
	meta.Spec.Readout = models.Readout(o.readout)
	if o.tbptt > 0 {
		meta.Spec.Readout = models.ReadAll
	}
	if o.activation != string(models.Tanh) {
		meta.Spec.Activation = models.Activation(o.activation)
	}
	return meta
}

// run trains on y, verifies the export and writes it.
func (o *trainOptions) run(ctx context.Context, y series) error {
	values := make([]float32, len(y.values))
	for i, v := range y.values {
		values[i] = float32(v)
	}
	windows, err := datasets.NewWindows(values, o.window)
	if err != nil {
		return fmt.Errorf("%s: %w (--seq-len)", y.data, err)
	}
	train, test, err := windows.Split(trainSplit)
	if err != nil {
		return fmt.Errorf("%s: %w (--seq-len)", y.data, err)
	}
	source, testSource, err := o.sources(train, test)
	if err != nil {
		return fmt.Errorf("%s: %w", y.data, err)
	}
	recipes, err := o.recipes()
	if err != nil {
		return err
	}
	model, err := models.New(o.metadata(y), o.seed, recipes...)
	if err != nil {
		return err
	}
	if err := o.warmStart(model); err != nil {
		return err
	}
	if y.scale {
		scale := models.FitScale(train.Series())
		model.InputScale, model.OutputScale = scale, scale
	}

	// What would fail after the training is tried before it: the path, and the
	// verification, with the model as it is.
	file, err := atomicfile.Create(o.output)
	if err != nil {
		return err
	}
	file.Abort()
	data, err := export.Marshal(model)
	if err != nil {
		return err
	}
	if err := o.verify(ctx, model, data, test, io.Discard); err != nil {
		return err
	}
	metrics, err := o.createMetrics()
	if err != nil {
		return err
	}
	defer metrics.Close()

	fmt.Fprintf(o.Err, "training %s, %d layer(s) of %d, on %d examples of %d values of %s; %d test\n",
		o.cell, o.layers, o.hidden, source.Len(), cmp.Or(o.tbptt, o.window), y.data, testSource.Len())
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the next Ctrl-C ends the process at once
	history, interrupted, metricsErr, fitErr := o.fit(ctx, model, source, testSource, metrics)
	how := "wrote"
	switch {
	case fitErr != nil && len(history) == 0:
		return fitErr
	case fitErr != nil:
		how = "failed: wrote the parameters from before to"
	case interrupted:
		how = "interrupted: wrote what was trained to"
	}
	model.Training = o.training(y, history, source.Len())

	if data, err = export.Marshal(model); err != nil {
		return err
	}
	// Verifying takes no time, and an interrupted model is saved all the same.
	if err := o.verify(context.WithoutCancel(ctx), model, data, test, o.Err); err != nil {
		return cmp.Or(fitErr, err)
	}
	if err := atomicfile.Write(o.output, data); err != nil {
		return err
	}
	off, err := offBy(model, test)
	if err != nil {
		return err
	}
	fmt.Fprintf(o.Err, "%s %s: %d bytes; test loss %.4g: off by %.4g, where repeating the last value is off by %.4g (root mean square)\n",
		how, o.output, len(data), model.Training.TestLoss, off, persistence(test.Series(), o.window))
	return errors.Join(fitErr, metricsErr)
}

// sources returns what the fit learns from and is measured on: the windows, or
// with --tbptt streams over the same values.
func (o *trainOptions) sources(train, test *datasets.Windows) (source, testSource datasets.Source, err error) {
	if o.tbptt == 0 {
		return train, test, nil
	}
	streams, err := datasets.NewStreams(train.Series(), o.batch, o.tbptt)
	if err != nil {
		return nil, nil, fmt.Errorf("%w (--batch, --tbptt)", err)
	}
	testStreams, err := datasets.NewStreams(test.Series(), 1, o.tbptt)
	if err != nil {
		return nil, nil, fmt.Errorf("%w (--tbptt, in the last fifth)", err)
	}
	return streams, testStreams, nil
}

// offBy is the root mean square error on the examples of test, in raw units.
func offBy(m *models.Model, test *datasets.Windows) (float64, error) {
	var sum float64
	var b datasets.Batch
	all := make([]int, test.Len())
	for i := range all {
		all[i] = i
	}
	for examples := range slices.Chunk(all, 256) {
		if err := test.Read(&b, examples); err != nil {
			return 0, err
		}
		answers, err := trainer.Predict(m, &b)
		if err != nil {
			return 0, err
		}
		each := len(answers) / b.Size // where the model answers at every step, the last counts
		for i, want := range b.Targets {
			d := float64(answers[(i+1)*each-1]) - float64(want)
			sum += d * d
		}
	}
	return math.Sqrt(sum / float64(test.Len())), nil
}

// persistence is the root mean square error of taking each value after a window
// for the same as the one before: what a forecaster has to beat.
func persistence(series []float32, window int) float64 {
	var sum float64
	for i := window; i < len(series); i++ {
		d := float64(series[i]) - float64(series[i-1])
		sum += d * d
	}
	return math.Sqrt(sum / float64(len(series)-window))
}

func (o *trainOptions) createMetrics() (io.WriteCloser, error) {
	if o.metrics == "" {
		return discard{io.Discard}, nil
	}
	f, err := os.Create(o.metrics)
	if err != nil {
		return nil, fmt.Errorf("cannot write the metrics: %w", err)
	}
	return f, nil
}

type discard struct{ io.Writer }

func (discard) Close() error { return nil }

// fit trains the model, with its progress on the error stream and a row an
// epoch in metrics.
func (o *trainOptions) fit(ctx context.Context, m *models.Model, train, test datasets.Source, metrics io.Writer) (history []trainer.Epoch, interrupted bool, metricsErr, err error) {
	progress := newProgress(o.Err, o.epochs)
	rows := json.NewEncoder(metrics)
	opts, err := o.options()
	if err != nil {
		return nil, false, nil, err
	}
	opts.OnBatch = progress.batch
	opts.OnEpoch = func(e trainer.Epoch) {
		progress.epoch(e)
		if e.Examples < train.Len() {
			return // cut short
		}
		if err := rows.Encode(e); err != nil && metricsErr == nil {
			metricsErr = fmt.Errorf("cannot write the metrics: %w: free some space or name another file", err)
		}
	}
	history, err = trainer.Fit(ctx, m, train, test, opts)
	progress.finish()
	interrupted = err != nil && errors.Is(err, ctx.Err())
	switch {
	case interrupted && len(history) == 0:
		return nil, true, nil, errors.New("interrupted before the first batch: nothing was trained, nothing is saved")
	case interrupted:
		err = nil
	}
	return history, interrupted, metricsErr, err
}

// training describes how the parameters came about: those of the last epoch, or
// with --patience of the best.
func (o *trainOptions) training(y series, history []trainer.Epoch, examples int) *models.Training {
	last := history[len(history)-1]
	if o.patience > 0 {
		last = slices.MinFunc(history, func(a, b trainer.Epoch) int { return cmp.Compare(a.TestLoss, b.TestLoss) })
	}
	epochs := len(history)
	if history[epochs-1].Examples < examples {
		epochs--
	}
	digest := sha256.New()
	binary.Write(digest, binary.LittleEndian, y.values)
	return &models.Training{
		Data:         y.data,
		DataSHA256:   hex.EncodeToString(digest.Sum(nil)),
		Seed:         o.seed,
		Epochs:       epochs,
		Batch:        o.batch,
		Loss:         o.loss,
		Optimizer:    o.optimizer,
		LearningRate: o.rate,
		Schedule:     o.schedule,
		TrainLoss:    last.TrainLoss,
		TestLoss:     last.TestLoss,
	}
}
