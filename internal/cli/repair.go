package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/ort"
	"github.com/rnnkit/rnnkit/internal/atomicfile"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/ortlib"
	"github.com/rnnkit/rnnkit/internal/repair"
	"github.com/rnnkit/rnnkit/internal/verify"
)

type repairOptions struct {
	*streams
	graphFlags
	output    string
	time      int
	ortLib    string
	tolerance float64
}

func newRepairCmd(s *streams) *cobra.Command {
	o := &repairOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "repair MODEL.onnx -o FIXED.onnx",
		Short: "Make the batch and time of a model symbolic again",
		Long: `Make the batch and the time of a model symbolic again, where an exporter baked the
sizes of its example into the graph: into the shapes that it declares, the initial
states, the targets of Reshape and Expand, or the index of the last step. What is
changed is listed.

The fixed model is run with several batches and times on the native engine and,
where it is installed, on ONNX Runtime, and must give the answers that the model
as it is gives to the same rows. Where that takes no other time there is nothing
to compare with but the other engine, which is said. The file is written only if
all agree; an engine that does not run the model as it is, as ONNX Runtime with
float64, is left out, which is said. Where a node stands in the way of a batch, it is named and nothing is
written.`,
		Example: `  rnnkit repair exported.onnx -o fixed.onnx
  rnnkit repair exported.onnx -o fixed.onnx --layout x=tbf`,
		Args: oneModel("rnnkit repair MODEL.onnx -o FIXED.onnx"),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case o.output == "":
				return usagef("say where to write the model: -o FILE.onnx")
			case sameFile(args[0], o.output):
				return usagef("%s and -o are the same file: name another, to keep the original", args[0])
			case o.time < 0:
				return usagef("--time is %d: it must be 1 or more", o.time)
			case !(o.tolerance > 0):
				return usagef("--tolerance is %g: it must be more than 0", o.tolerance)
			}
			return o.run(cmd.Context(), args[0])
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVarP(&o.output, "output", "o", "", "the ONNX file to write")
	o.addLayout(flags)
	flags.IntVar(&o.time, "time", 0, "the time to run the model with where it leaves that open (default 4)")
	flags.Float64Var(&o.tolerance, "tolerance", verify.Tolerance, "the largest difference that passes")
	flags.Uint64Var(&o.seed, "seed", 1, "seed of the random inputs")
	addOrtLib(flags, &o.ortLib)
	return cmd
}

func (o *repairOptions) run(ctx context.Context, path string) error {
	data, err := readModel(path)
	if err != nil {
		return err
	}
	m, err := onnxgraph.Unmarshal(data)
	if err != nil {
		return fmt.Errorf("%s cannot be repaired: %w", path, err)
	}
	layouts, err := assignments("--layout", o.layouts, m)
	if err != nil {
		return err
	}
	r, err := repair.Repair(ctx, m, repair.Options{Layouts: layouts, Time: o.time, Memory: native.DefaultMemory})
	if err != nil {
		return fmt.Errorf("%s cannot be repaired: %w", path, err)
	}
	for _, change := range r.Changes {
		fmt.Fprintln(o.Out, change)
	}
	switch {
	case len(r.Changes) == 0 && r.KeptTime == nil:
		fmt.Fprintln(o.Out, "nothing to repair: batch and time are symbolic")
	case r.KeptTime != nil:
		fmt.Fprintf(o.Out, "the time stays %d: %v\n", r.Time, r.KeptTime)
	}
	engines, err := o.engines()
	if err != nil {
		return err
	}
	checks, err := r.Verify(ctx, m, engines, o.tolerance, o.seed)
	if err != nil {
		return fmt.Errorf("%s cannot be repaired: %w", path, err)
	}
	for _, c := range checks {
		if c.Refused != nil {
			fmt.Fprintf(o.Out, "not compared with %s, which does not run the model as it is: %s\n", c.Engine, oneLine(c.Refused))
			continue
		}
		fmt.Fprintf(o.Out, "batch %d, time %d: %s differs from %s by at most %.1e\n", c.Batch, c.Time, c.Engine, c.Against, c.Difference)
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

// bakedTime bounds how long inspect looks for what is baked in.
const bakedTime = 20 * time.Second

// baked says what an exporter has baked into a model, as far as it can be told.
func baked(ctx context.Context, m *onnxgraph.Model) []string {
	ctx, cancel := context.WithTimeout(ctx, bakedTime)
	defer cancel()
	r, err := repair.Repair(ctx, m, repair.Options{Memory: native.DefaultMemory})
	if err != nil {
		return []string{"cannot be told: " + oneLine(err)}
	}
	if r.KeptTime != nil {
		return append(r.Changes, fmt.Sprintf("the time, which is %d: %v", r.Time, r.KeptTime))
	}
	return r.Changes
}
