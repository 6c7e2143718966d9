package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/repair"
	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/ort"
	"github.com/rnnkit/rnnkit/internal/atomicfile"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/ortlib"
	"github.com/rnnkit/rnnkit/internal/verify"
)

type repairOptions struct {
	*streams
	graphFlags
	output    string
	time      int
	timeout   time.Duration
	ortLib    string
	tolerance float64
}

const repairLong = `Make the batch and the time of a model symbolic again, where an exporter baked the
sizes of its example into the graph: into the shapes that it declares, the initial
states, the targets of Reshape and Expand, or the index of the last step. What is
changed is listed.

The time is made symbolic only where each node's part in it is known, and where the
answers at other times depend on every step as the model's do. Where a node takes
steps by number, a loop has a constant count, or a constant may have been computed of
the time, the time stays as it is, and the node is named.

The fixed model is run with several batches and times on the native engine and,
where it is installed, on ONNX Runtime, and must give the answers that the model
as it is gives to the same rows. Where that takes no other time there is nothing
to compare with but the other engine, which is said. The file is written only if
all agree; an engine that does not run the model as it is, as ONNX Runtime with
float64, is left out, which is said. Where a node stands in the way of a batch, it is
named and nothing is written.`

const repairExample = `  rnnkit repair exported.onnx -o fixed.onnx
  rnnkit repair exported.onnx -o fixed.onnx --layout x=tbf`

func newRepairCmd(s *streams) *cobra.Command {
	return newVerbCmd(&repairOptions{streams: s}, &cobra.Command{
		Use:     "repair MODEL.onnx -o FIXED.onnx",
		Short:   "Make the batch and time of a model symbolic again",
		Long:    repairLong,
		Example: repairExample,
		Args:    oneModel("rnnkit repair MODEL.onnx -o FIXED.onnx"),
	})
}

func (o *repairOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVarP(&o.output, "output", "o", "", "the ONNX file to write")
	o.addLayout(flags)
	flags.IntVar(&o.time, "time", 0, "the time of the export, where the file leaves that open (default: one that it takes)")
	flags.DurationVar(&o.timeout, "timeout", time.Minute, "how long it may take in all")
	flags.Float64Var(&o.tolerance, "tolerance", verify.Tolerance, "the largest difference that passes")
	flags.Uint64Var(&o.seed, "seed", 1, "seed of the random inputs")
	addOrtLib(flags, &o.ortLib)
}

func (o *repairOptions) validate() error {
	switch {
	case o.output == "":
		return usagef("say where to write the model: -o FILE.onnx")
	case o.time < 0:
		return usagef("--time is %d: it must be 1 or more", o.time)
	case o.timeout <= 0:
		return usagef("--timeout is %v: it must be more than 0", o.timeout)
	case !(o.tolerance > 0):
		return usagef("--tolerance is %g: it must be more than 0", o.tolerance)
	}
	return nil
}

func (o *repairOptions) run(ctx context.Context, args []string) error {
	path := args[0]
	if sameFile(path, o.output) {
		return usagef("%s and -o are the same file: name another, to keep the original", path)
	}
	data, err := readModel(path)
	if err != nil {
		return err
	}
	m, err := onnxgraph.Unmarshal(data)
	if err != nil {
		return fmt.Errorf("%s cannot be repaired: %w", path, err)
	}
	ctx, cancel := withTimeout(ctx, o.timeout)
	defer cancel()
	r, err := o.repair(ctx, path, m)
	if err != nil {
		return err
	}
	printChanges(o.Out, r)
	if err := o.compare(ctx, path, m, r); err != nil {
		return err
	}
	fixed, err := onnxgraph.Marshal(r.Model)
	if err != nil {
		return err
	}
	if err := atomicfile.Write(o.output, fixed); err != nil {
		return err
	}
	fmt.Fprintf(o.Err, "wrote %s: %d bytes\n", o.output, len(fixed))
	return nil
}

func (o *repairOptions) repair(ctx context.Context, path string, m *onnxgraph.Model) (*repair.Repaired, error) {
	layouts, err := assignments("--layout", o.layouts, m)
	if err != nil {
		return nil, err
	}
	r, err := waitFor(ctx, "the repair", func() (*repair.Repaired, error) {
		return repair.Repair(ctx, m, repair.Options{Layouts: layouts, Time: o.time, Memory: native.DefaultMemory})
	})
	if errors.Is(err, repair.ErrDoesNotRun) && o.time == 0 {
		err = fmt.Errorf("%w: if its time is only declared open, say with --time which one it was exported with", err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s cannot be repaired: %w", path, err)
	}
	return r, nil
}

// printChanges lists what was repaired, and what was not.
func printChanges(out io.Writer, r *repair.Repaired) {
	for _, change := range r.Changes {
		fmt.Fprintln(out, printable(change))
	}
	switch {
	case r.KeptTime != nil:
		fmt.Fprintln(out, printable(keptTime(r)))
	case len(r.Changes) == 0 && r.Timeless:
		fmt.Fprintln(out, "nothing to repair: the batch is symbolic, and no input has a time")
	case len(r.Changes) == 0:
		fmt.Fprintln(out, "nothing to repair: batch and time are symbolic")
	}
}

// compare runs the repaired model and the one before on the engines, and says how far
// the answers lie apart.
func (o *repairOptions) compare(ctx context.Context, path string, m *onnxgraph.Model, r *repair.Repaired) error {
	engines, err := o.engines()
	if err != nil {
		return err
	}
	checks, err := waitFor(ctx, "the comparison", func() ([]repair.Check, error) {
		return r.Verify(ctx, m, engines, o.tolerance, o.seed)
	})
	if err != nil {
		return fmt.Errorf("%s cannot be repaired: %w", path, err)
	}
	for _, c := range checks {
		if c.Refused != nil {
			fmt.Fprintf(o.Out, "not compared with %s, which does not run the model as it is: %s\n", c.Engine, printable(oneLine(c.Refused)))
			continue
		}
		fmt.Fprintf(o.Out, "batch %d, time %d: %s differs from %s by at most %.1e\n", c.Batch, c.Time, c.Engine, c.Against, c.Difference)
	}
	return nil
}

// engines are the native one and, where it is here, ONNX Runtime.
func (o *repairOptions) engines() ([]engine.Engine, error) {
	_, err := ortlib.Find(o.ortLib)
	switch {
	case errors.Is(err, ortlib.ErrNotFound) && o.ortLib == "" || !ort.Cgo:
		fmt.Fprintln(o.Err, "not compared with ONNX Runtime, which is not here: rnnkit runtime install")
		return []engine.Engine{native.New()}, nil
	case err != nil:
		return nil, err
	}
	return []engine.Engine{native.New(), ort.CPU(ort.Library(o.ortLib))}, nil
}

// keptTime says which time a model keeps, and why.
func keptTime(r *repair.Repaired) string {
	if r.Declared {
		return fmt.Sprintf("the time stays %d: %v", r.Time, r.KeptTime)
	}
	return fmt.Sprintf("the time is declared open, but may be fixed: %v", r.KeptTime)
}

// baked says what an exporter has baked into a model, as far as it can be told.
func baked(ctx context.Context, m *onnxgraph.Model) []string {
	r, err := repair.Repair(ctx, m, repair.Options{Memory: native.DefaultMemory})
	if err != nil {
		return []string{"cannot be told: " + oneLine(err)}
	}
	if r.KeptTime != nil {
		return append(r.Changes, keptTime(r))
	}
	return r.Changes
}
