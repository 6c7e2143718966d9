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
	"path/filepath"

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
	cmd := &cobra.Command{
		Use:   "train",
		Short: "Train a model and export it as ONNX",
		Long: `Train a model and export it as one ONNX file, which is read back and must give
the trainer's answers before it is written.

Ctrl-C ends the training after the current batch and saves what was trained; a
second one ends it at once.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return usagef("name what to train: sine or forecast") },
	}
	cmd.AddCommand(newTrainSineCmd(s), newTrainForecastCmd(s))
	return cmd
}

func newTrainSineCmd(s *streams) *cobra.Command {
	o := &trainOptions{streams: s}
	cmd := &cobra.Command{
		Use:     "sine",
		Short:   "Forecast a noisy sine, the notebook's first experiment",
		Example: "  rnnkit train sine -o sine.onnx",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
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
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if path == "" {
				return usagef("say what to learn from: --data FILE.csv")
			}
			if scale != "standard" && scale != "none" {
				return usagef("--scale is %q: it must be standard or none", scale)
			}
			if err := o.validate(); err != nil {
				return err
			}
			c, err := readColumnFile(path, column, s.In)
			if err != nil {
				return err
			}
			return o.run(cmd.Context(), series{
				data:   filepath.Base(path),
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
	if o.threads < 0 {
		return usagef("--threads is %d: it must be 1 or more, or 0 for all", o.threads)
	}
	if !(o.rate > 0) || math.IsInf(o.rate, 0) {
		return usagef("--lr is %g: it must be more than 0", o.rate)
	}
	err := o.metadata(series{}).Spec.Validate()
	var field *models.FieldError
	if errors.As(err, &field) {
		flag := map[string]string{"Cell": "cell", "Hidden": "hidden", "Layers": "layers"}[field.Field]
		return usagef("--%s is %v: it must be %s", flag, field.Value, field.Want)
	}
	return err
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
	if err := o.validate(); err != nil {
		return err
	}
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

	// Both files are begun now, so that a path that cannot be written is
	// known before the training and not after it.
	file, err := atomicfile.Create(o.output)
	if err != nil {
		return err
	}
	defer file.Abort()
	metrics, err := o.createMetrics()
	if err != nil {
		return err
	}
	defer metrics.Close()

	fmt.Fprintf(o.Err, "training %s, %d layer(s) of %d, on %d windows of %d values of %s; %d windows test\n",
		o.cell, o.layers, o.hidden, train.Len(), o.window, y.data, test.Len())
	history, interrupted, err := o.fit(ctx, model, train, test, metrics)
	if err != nil {
		return err
	}
	model.Training = o.training(y, history, train.Len())

	data, err := export.Marshal(model)
	if err != nil {
		return err
	}
	// Verifying takes no time, and an interrupted model is saved all the same.
	if err := o.verify(context.WithoutCancel(ctx), model, data, test); err != nil {
		return err
	}
	if _, err := file.Write(data); err != nil {
		return err
	}
	if err := file.Commit(); err != nil {
		return err
	}
	how := "wrote"
	if interrupted {
		how = "interrupted: wrote what was trained to"
	}
	loss := fmt.Sprintf("test loss %.4g", model.Training.TestLoss)
	if model.OutputScale != nil {
		rmse := math.Sqrt(model.Training.TestLoss) * float64(model.OutputScale.Std[0])
		loss += fmt.Sprintf(", off by %.4g %s (root mean square)", rmse, y.column)
	}
	fmt.Fprintf(o.Err, "%s %s: %d bytes, %s\n", how, o.output, len(data), loss)
	return nil
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
func (o *trainOptions) fit(ctx context.Context, m *models.Model, train, test datasets.Source, metrics io.Writer) (history []trainer.Epoch, interrupted bool, err error) {
	progress := newProgress(o.Err)
	rows := json.NewEncoder(metrics)
	var metricsErr error
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
			metricsErr = errors.Join(metricsErr, rows.Encode(e))
		},
	})
	progress.finish()
	interrupted = err != nil && errors.Is(err, ctx.Err())
	switch {
	case interrupted && len(history) == 0:
		return nil, true, errors.New("interrupted before the first batch: nothing was trained, nothing is saved")
	case interrupted:
		err = nil
	}
	return history, interrupted, errors.Join(err, metricsErr)
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
