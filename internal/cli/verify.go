package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/ort"
	"github.com/rnnkit/rnnkit/internal/job"
	"github.com/rnnkit/rnnkit/internal/verify"
	"github.com/rnnkit/rnnkit/models"
)

type verifyOptions struct {
	*streams
	ortLib    string
	tolerance float64
}

func newVerifyCmd(s *streams) *cobra.Command {
	o := &verifyOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "verify MODEL.onnx",
		Short: "Run a model on every engine and compare the answers",
		Long: `Run a model that rnnkit exported on every engine that is here, on random
sequences, and compare all outputs with those of the native engine: the whole
sequence at once, and step by step with the state fed back. The times are the
median of a call, for one sequence and for 256.

It fails if an engine cannot run the model, or if a difference is larger than the
tolerance: in the units that the model was trained in, and times the largest
output where that is more than 1. An engine that is not installed is left out.`,
		Example: "  rnnkit verify sine.onnx",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !(o.tolerance > 0) {
				return usagef("--tolerance is %g: it must be more than 0", o.tolerance)
			}
			return o.run(cmd.Context(), args[0])
		},
	}
	cmd.Flags().Float64Var(&o.tolerance, "tolerance", verify.Tolerance, "the largest difference that passes")
	addOrtLib(cmd.Flags(), &o.ortLib)
	return cmd
}

func (o *verifyOptions) run(ctx context.Context, path string) error {
	data, err := readModel(path)
	if err != nil {
		return err
	}
	cuda := ort.CUDA(0, ort.Library(o.ortLib))
	all := openAll(data, native.New(), ort.CPU(ort.Library(o.ortLib)), cuda)
	defer closeAll(all)
	first := all[0]
	if first.err != nil {
		return fmt.Errorf("%s: %w", path, first.err)
	}
	meta := first.model.Metadata()
	if meta == nil {
		return fmt.Errorf("%s has no rnnkit metadata, so there is no telling what it reads: verify a model that rnnkit exported", path)
	}
	input, err := verify.Input(meta, 7, sequenceLength(meta), 1)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	want, err := verify.Whole(ctx, first.model, input)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}

	w := tabwriter.NewWriter(o.Out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "engine\tmax |difference|\tstep by step\tone sequence\t256 sequences")
	var failures []error
	for _, c := range all {
		if c.err != nil {
			fmt.Fprintf(o.Err, "not compared: %v\n", c.err)
			installed := ort.Cgo && !errors.Is(c.err, ort.ErrNoLibrary)
			if c.name != cuda.String() && (installed || o.ortLib != "") {
				failures = append(failures, fmt.Errorf("%s: %w", path, c.err))
			}
			continue
		}
		row, err := o.row(ctx, c.model, input, want)
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %s: %w", path, c.name, err))
		}
		fmt.Fprintf(w, "%s\t%s\n", c.name, strings.Join(row, "\t"))
	}
	return errors.Join(append(failures, w.Flush())...)
}

// row returns the columns of an engine's row, as far as there is no error.
func (o *verifyOptions) row(ctx context.Context, m *infer.Model, input engine.Tensor, want map[string]engine.Tensor) (row []string, err error) {
	runs := []func(context.Context, *infer.Model, engine.Tensor) (map[string]engine.Tensor, error){verify.Whole}
	if verify.Steppable(m.Metadata()) {
		runs = append(runs, verify.Stepped)
	}
	for _, run := range runs {
		got, err := run(ctx, m, input)
		if err != nil {
			return append(row, "failed"), err
		}
		d, err := verify.Difference(want, got, o.tolerance, m.Metadata().OutputScale)
		row = append(row, fmt.Sprintf("%.1e", d))
		if err != nil {
			return row, err
		}
	}
	if len(runs) == 1 {
		row = append(row, "-")
	}
	for _, batch := range []int{1, 256} {
		t, err := timeCall(ctx, m, batch)
		if err != nil {
			return row, err
		}
		row = append(row, t.Round(100*time.Nanosecond).String())
	}
	return row, nil
}

// sequenceLength is how long the sequences are that engines are compared on:
// the model's window, within what engines take 256 sequences of.
func sequenceLength(meta *models.Metadata) int {
	if meta.Window > 0 {
		return min(meta.Window, 512)
	}
	return 50
}

// timeCall returns the median time of a call for output.
func timeCall(ctx context.Context, m *infer.Model, batch int) (time.Duration, error) {
	meta := m.Metadata()
	input, err := verify.Input(meta, batch, sequenceLength(meta), 2)
	if err != nil {
		return 0, err
	}
	inputs := map[string]engine.Tensor{"input": input}
	var times []time.Duration
	for begin := time.Now(); len(times) < 5 || time.Since(begin) < 200*time.Millisecond; {
		start := time.Now()
		if _, err := m.Run(ctx, inputs, "output"); err != nil {
			return 0, err
		}
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}

// verify compares the answers of every engine, given the bytes of the exported
// model, with those of the trainer.
func (o *trainOptions) verify(ctx context.Context, j *job.Job, data []byte, log io.Writer) error {
	engines := []engine.Engine{native.New()}
	if ort.Cgo || o.ortLib != "" { // in any build where the library was asked for
		engines = append(engines, ort.CPU(ort.Library(o.ortLib)))
	}
	all := openAll(data, engines...)
	defer closeAll(all)
	for _, c := range all {
		if errors.Is(c.err, ort.ErrNoLibrary) {
			continue
		}
		if c.err != nil {
			return fmt.Errorf("the exported model does not load: %w", c.err)
		}
		d, examples, err := j.Compare(ctx, c.model)
		if err != nil {
			return fmt.Errorf("the exported model does not answer as the trainer does: %s: %w (if the losses are large, the weights have outgrown float32: lower --lr)", c.name, err)
		}
		fmt.Fprintf(log, "verified: %s differs from the trainer by at most %.1e on %d test examples\n", c.name, d, examples)
	}
	return nil
}
