package cli

import (
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
	"syscall"

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

	cell   string
	hidden int
	layers int
	window int

	epochs    int
	batch     int
	rate      float64
	seed      uint64
	noShuffle bool
	threads   int
}

func newTrainCmd(s *streams) *cobra.Command {
	return newGroupCmd("train", "Train a model and export it as ONNX", `Train a model and export it as one ONNX file, which is read back and must give
the trainer's answers before it is written. The first four fifths of the windows
train; the last fifth is held out and tests.

Ctrl-C ends the training after the current batch and saves what was trained; a
second one ends it at once.`, "job", newTrainSineCmd(s), newTrainForecastCmd(s))
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
	o.addFlags(cmd.Flags())
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
	flags.StringVar(&path, "data", "", "the CSV file, - for standard input")
	flags.StringVar(&column, "column", "", "its column, by name or number (default the only numeric one)")
	flags.StringVar(&scale, "scale", "standard", "standard: mean 0, deviation 1 over the training part, undone inside the graph; or none")
	o.addFlags(flags)
	return cmd
}

func (o *trainOptions) addFlags(flags *pflag.FlagSet) {
	flags.SortFlags = false
	flags.StringVarP(&o.output, "output", "o", "", "the ONNX file to write")
	flags.StringVar(&o.metrics, "metrics", "", "a JSONL file for the losses of every epoch")
	flags.StringVar(&o.cell, "cell", "lstm", "rnn, lstm or gru")
	flags.IntVar(&o.hidden, "hidden", 32, "size of the state")
	flags.IntVar(&o.layers, "layers", 1, "recurrent layers, one on the other")
	flags.IntVar(&o.window, "seq-len", 50, "values that a prediction looks back on")
	flags.IntVar(&o.epochs, "epochs", 15, "passes over the training data")
	flags.IntVar(&o.batch, "batch", 32, "windows between two updates")
	flags.Float64Var(&o.rate, "lr", 1e-3, "learning rate of Adam")
	flags.Uint64Var(&o.seed, "seed", 0, "seed of everything random: the same seed gives the same file")
	flags.BoolVar(&o.noShuffle, "no-shuffle", false, "take the windows in their order")
	flags.IntVar(&o.threads, "threads", 0, "threads to compute with, without effect on the result (default all)")
	flags.StringVar(&o.ortLib, "ort-lib", "", "path of libonnxruntime, to verify the file with")
}

// validate reports the first flag that cannot be used.
func (o *trainOptions) validate() error {
	if o.output == "" {
		return usagef("say where to write the model: -o FILE.onnx")
	}
	for _, f := range []struct {
		name  string
		value int
	}{{"seq-len", o.window}, {"epochs", o.epochs}, {"batch", o.batch}} {
		if f.value < 1 {
			return usagef("--%s is %d: it must be 1 or more", f.name, f.value)
		}
	}
	if o.threads < 0 || o.threads > trainer.MaxThreads {
		return usagef("--threads is %d: it must be from 1 to %d, or 0 for all", o.threads, trainer.MaxThreads)
	}
	if !(o.rate > 0) || math.IsInf(o.rate, 0) {
		return usagef("--lr is %g: it must be more than 0", o.rate)
	}
	if err := o.distinct(""); err != nil {
		return err
	}
	err := o.metadata(series{}).Spec.Validate()
	var field *models.FieldError
	if errors.As(err, &field) {
		flag := map[string]string{"Cell": "cell", "Hidden": "hidden", "Layers": "layers"}[field.Field]
		return usagef("--%s is %v: it must be %s", flag, field.Value, field.Want)
	}
	return err
}

// distinct reports two of the files that a training reads and writes that are
// the same.
func (o *trainOptions) distinct(data string) error {
	files := []struct{ flag, path string }{{"--data", data}, {"-o", o.output}, {"--metrics", o.metrics}}
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
	model, err := models.New(o.metadata(y), o.seed)
	if err != nil {
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

	fmt.Fprintf(o.Err, "training %s, %d layer(s) of %d, on %d windows of %d values of %s; %d windows test\n",
		o.cell, o.layers, o.hidden, train.Len(), o.window, y.data, test.Len())
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the next Ctrl-C ends the process at once
	history, interrupted, metricsErr, err := o.fit(ctx, model, train, test, metrics)
	if err != nil {
		return err
	}
	model.Training = o.training(y, history, train.Len())

	if data, err = export.Marshal(model); err != nil {
		return err
	}
	// Verifying takes no time, and an interrupted model is saved all the same.
	if err := o.verify(context.WithoutCancel(ctx), model, data, test, o.Err); err != nil {
		return err
	}
	if err := atomicfile.Write(o.output, data); err != nil {
		return err
	}
	how := "wrote"
	if interrupted {
		how = "interrupted: wrote what was trained to"
	}
	off := math.Sqrt(model.Training.TestLoss)
	if model.OutputScale != nil {
		off *= float64(model.OutputScale.Std[0])
	}
	fmt.Fprintf(o.Err, "%s %s: %d bytes; test loss %.4g: off by %.4g, where repeating the last value is off by %.4g (root mean square)\n",
		how, o.output, len(data), model.Training.TestLoss, off, persistence(test.Series(), o.window))
	return metricsErr
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
	progress := newProgress(o.Err)
	rows := json.NewEncoder(metrics)
	history, err = trainer.Fit(ctx, m, train, test, trainer.Options{
		Epochs:       o.epochs,
		Batch:        o.batch,
		LearningRate: o.rate,
		Seed:         o.seed,
		NoShuffle:    o.noShuffle,
		Threads:      o.threads,
		OnBatch:      progress.batch,
		OnEpoch: func(e trainer.Epoch) {
			progress.epoch(e)
			if e.Examples < train.Len() {
				return // cut short
			}
			if err := rows.Encode(e); err != nil && metricsErr == nil {
				metricsErr = fmt.Errorf("cannot write the metrics: %w: free some space or name another file", err)
			}
		},
	})
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

func (o *trainOptions) training(y series, history []trainer.Epoch, examples int) *models.Training {
	last := history[len(history)-1]
	epochs := len(history)
	if last.Examples < examples {
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
		LearningRate: o.rate,
		TrainLoss:    last.TrainLoss,
		TestLoss:     last.TestLoss,
	}
}
