package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/ort"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/inputs"
	"github.com/rnnkit/rnnkit/internal/verify"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

type verifyOptions struct {
	*streams
	graphFlags
	engines   []string
	rows      int
	time      int
	ortLib    string
	tolerance float64
	timeout   time.Duration
}

// cudaFactor is how much farther the answers of CUDA may lie apart than others.
const cudaFactor = 10

const verifyLong = `Run a model on every engine that is here, on random inputs, and compare all
outputs with those of the first engine that runs it: whole sequences at once, and
with the state fed back. For a model that rnnkit exported these are sequences in
the units that it was trained in, the trainer answers too, and steps with the
state fed back must give what the whole sequence gives; for another the inputs
are what the graph declares: normally distributed floats, and integers that index
its tables. The times are the median of a call, for one sequence and for 256, as far
as a call takes less than two seconds. Where an engine makes numbers of an input with
NaN, and another does not, that is said.

It fails if an engine does not run the model, or if a difference is larger than
the tolerance, which is multiplied by the largest output where that is more than 1
and, for CUDA, by 10, or if all is not done within --timeout. An engine that is not
installed is left out. ONNX Runtime opens the model in a process of its own first,
with the native engine's limit of memory.`

const verifyExample = `  rnnkit verify sine.onnx
  rnnkit verify exported.onnx --engine native,onnxruntime --rows 3 --time 20
  rnnkit verify vad.onnx --input sr=16000 --time 512`

func newVerifyCmd(s *streams) *cobra.Command {
	return newVerbCmd(&verifyOptions{streams: s}, &cobra.Command{
		Use:     "verify MODEL.onnx",
		Short:   "Run a model on every engine and compare the answers",
		Long:    verifyLong,
		Example: verifyExample,
		Args:    oneModel("rnnkit verify MODEL.onnx"),
	})
}

func (o *verifyOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringSliceVar(&o.engines, "engine", engineNames, "the engines to compare, the first being the judge")
	flags.IntVar(&o.rows, "rows", 7, "sequences to compare on")
	flags.IntVar(&o.time, "time", 0, "steps of a sequence (default the model's window, else 50)")
	flags.Float64Var(&o.tolerance, "tolerance", verify.Tolerance, "the largest difference that passes")
	flags.DurationVar(&o.timeout, "timeout", time.Minute, "how long it may take in all")
	o.add(flags)
	addOrtLib(flags, &o.ortLib)
}

func (o *verifyOptions) validate() error {
	switch {
	case !(o.tolerance > 0):
		return usagef("--tolerance is %g: it must be more than 0", o.tolerance)
	case o.rows < 1:
		return usagef("--rows is %d: it must be 1 or more", o.rows)
	case o.time < 0:
		return usagef("--time is %d: it must be 1 or more", o.time)
	case o.timeout <= 0:
		return usagef("--timeout is %v: it must be more than 0", o.timeout)
	}
	return checkEngines("--engine", o.engines)
}

func (o *verifyOptions) run(ctx context.Context, args []string) error {
	path := args[0]
	g, data, err := o.read(path)
	if err != nil {
		return err
	}
	ctx, cancel := withTimeout(ctx, o.timeout)
	defer cancel()
	all := tryAll(ctx, modelFile{data, g.model}, o.engines, o.ortLib, o.timeout)
	defer closeAll(all)
	at := slices.IndexFunc(all, func(c candidate) bool { return c.err == nil })
	if at < 0 {
		return fmt.Errorf("%s: no engine runs it: %w", path, all[0].err)
	}
	s, err := o.subject(g, all[at].model)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	want := make([]map[string]tensor.Tensor, len(s.runs))
	for i, run := range s.runs {
		if want[i], err = all[at].run(ctx, run); err != nil {
			return fmt.Errorf("%s: %s: %w", path, all[at].name, err)
		}
	}
	failures := o.printTable(ctx, s, data, all, want)
	failures = append(failures, o.compareNaN(ctx, s, all, all[at]))
	for i, err := range failures {
		if err != nil {
			failures[i] = fmt.Errorf("%s: %w", path, err)
		}
	}
	return errors.Join(failures...)
}

// printTable compares the trainer and each engine with the answers that are wanted, and
// prints a row for each.
func (o *verifyOptions) printTable(ctx context.Context, s *subject, data []byte, all []candidate, want []map[string]tensor.Tensor) (failures []error) {
	w := tabwriter.NewWriter(o.Out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "engine\tmax |difference|\tstep by step\tone sequence\t256 sequences")
	if s.meta != nil {
		row, err := o.trainerRow(ctx, s, data, want[0])
		if err != nil {
			failures = append(failures, fmt.Errorf("the trainer: %w", err))
		}
		fmt.Fprintf(w, "trainer\t%s\n", strings.Join(row, "\t"))
	}
	for i, c := range all {
		if c.err != nil {
			fmt.Fprintln(o.Err, printable("not compared: "+c.err.Error()))
			if o.mustRun(i, c.err) {
				failures = append(failures, c.err)
			}
			continue
		}
		row, err := o.row(ctx, s, c, want)
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", c.name, err))
		}
		fmt.Fprintf(w, "%s\t%s\n", c.name, strings.Join(row, "\t"))
	}
	return append(failures, w.Flush())
}

// compareNaN runs one sequence with a NaN in it, and says which engines make numbers
// of it where the judge does not, or the other way.
func (o *verifyOptions) compareNaN(ctx context.Context, s *subject, all []candidate, judge candidate) error {
	given, err := s.timed(1)
	if err != nil || !verify.PutNaN(given) {
		return err
	}
	run := func(ctx context.Context, m *infer.Model) (map[string]tensor.Tensor, error) { return m.Run(ctx, given) }
	want, err := judge.run(ctx, run)
	if err != nil {
		return nil // that it does not run on NaN is no difference
	}
	for _, c := range all {
		if c.err != nil || c.name == judge.name {
			continue
		}
		got, err := c.run(ctx, run)
		if err != nil {
			continue
		}
		for _, pair := range []struct {
			loses, keeps string
			lost         bool
		}{{c.name, judge.name, verify.LosesNaN(want, got)}, {judge.name, c.name, verify.LosesNaN(got, want)}} {
			if pair.lost {
				fmt.Fprintf(o.Out, "note: of an input with NaN %s makes numbers where %s answers NaN\n", pair.loses, pair.keeps)
			}
		}
	}
	return nil
}

// way is a way to run a model.
type way func(context.Context, *infer.Model) (map[string]tensor.Tensor, error)

// run runs the candidate's model in a way, as long as ctx allows.
func (c candidate) run(ctx context.Context, way way) (map[string]tensor.Tensor, error) {
	return waitFor(ctx, "the run", func() (map[string]tensor.Tensor, error) { return way(ctx, c.model) })
}

// mustRun reports whether it is a failure that engine i does not open the model:
// not if its library is not here, unless a path was given, and not for CUDA.
func (o *verifyOptions) mustRun(i int, err error) bool {
	installed := ort.Cgo && !errors.Is(err, ort.ErrNoLibrary)
	return o.engines[i] == "native" || o.engines[i] == "onnxruntime" && (installed || o.ortLib != "")
}

// subject is a model that is verified.
type subject struct {
	meta   *models.Metadata         // nil for a model from elsewhere
	scale  *models.Scale            // of the output named output
	inputs map[string]tensor.Tensor // with meta: what it is compared on

	// runs are the ways to run it that engines are compared on. With meta all
	// have the same answers.
	runs []way

	// timed returns the inputs of a call that is timed.
	timed   func(batch int) (map[string]tensor.Tensor, error)
	outputs []string // of such a call

	fixedBatch bool // no input leaves its batch open
}

// subject makes a subject of the model with that graph, as m runs it.
func (o *verifyOptions) subject(g *graph, m *infer.Model) (*subject, error) {
	meta := m.Metadata()
	if meta == nil || len(g.given) > 0 {
		return o.foreign(g, m)
	}
	length := cmp.Or(o.time, sequenceLength(meta))
	if d := meta.Spec.Direct; d != nil && length != d.Window {
		return nil, fmt.Errorf("--time is %d: it must be %d, the window of the model", o.time, d.Window)
	}
	s := &subject{meta: meta, scale: meta.OutputScale, outputs: []string{"output"}}
	var err error
	if s.inputs, err = verify.Inputs(meta, o.rows, length, o.seed); err != nil {
		return nil, err
	}
	s.timed = func(batch int) (map[string]tensor.Tensor, error) {
		return verify.Inputs(meta, batch, length, o.seed+1)
	}
	s.runs = append(s.runs, func(ctx context.Context, m *infer.Model) (map[string]tensor.Tensor, error) {
		return m.Run(ctx, s.inputs)
	})
	if meta.Spec.Stepwise() {
		s.runs = append(s.runs, func(ctx context.Context, m *infer.Model) (map[string]tensor.Tensor, error) {
			return verify.Stepped(ctx, m, s.inputs["input"])
		})
	}
	return s, nil
}

// fedBack is how many calls a model from elsewhere is run for with its state fed
// back.
const fedBack = 8

func (o *verifyOptions) foreign(g *graph, m *infer.Model) (*subject, error) {
	length := cmp.Or(o.time, defaultTime)
	s := &subject{fixedBatch: !slices.ContainsFunc(g.inputs, func(in inputs.Input) bool {
		return in.Axis(inputs.Batch) >= 0 && in.Fixed(inputs.Batch) == 0
	})}
	s.timed = func(batch int) (map[string]tensor.Tensor, error) { return g.random(batch, length, o.seed) }
	s.runs = append(s.runs, func(ctx context.Context, m *infer.Model) (map[string]tensor.Tensor, error) {
		given, err := s.timed(o.rows)
		if err != nil {
			return nil, err
		}
		return m.Run(ctx, given)
	})
	if pairs := m.State(); len(pairs) > 0 {
		s.runs = append(s.runs, func(ctx context.Context, m *infer.Model) (map[string]tensor.Tensor, error) {
			var given, outputs map[string]tensor.Tensor
			for call := range fedBack {
				next, err := g.random(o.rows, length, o.seed+uint64(call))
				if err != nil {
					return nil, err
				}
				for _, pair := range pairs {
					if call > 0 {
						next[pair.Input] = outputs[pair.Output]
					}
				}
				given = next
				if outputs, err = m.Run(ctx, given); err != nil {
					return nil, fmt.Errorf("call %d with the state fed back: %w", call+1, err)
				}
			}
			return outputs, nil
		})
	}
	return s, nil
}

// row returns the columns of an engine's row, as far as there is no error.
func (o *verifyOptions) row(ctx context.Context, s *subject, c candidate, want []map[string]tensor.Tensor) (row []string, err error) {
	tolerance := o.tolerance
	if strings.Contains(c.name, "cuda") {
		tolerance *= cudaFactor
	}
	for i, run := range s.runs {
		got, err := c.run(ctx, run)
		if err != nil {
			return append(row, "failed"), err
		}
		wanted := want[i]
		if s.meta != nil {
			wanted = want[0]
		}
		d, err := verify.Difference(wanted, got, tolerance, s.scale)
		row = append(row, fmt.Sprintf("%.1e", d))
		if err != nil {
			return row, err
		}
	}
	if len(s.runs) == 1 {
		row = append(row, "-")
	}
	for _, batch := range []int{1, 256} {
		if s.fixedBatch && batch > 1 {
			row = append(row, "-")
			continue
		}
		given, err := s.timed(batch)
		if err != nil {
			return row, err
		}
		t, err := timeCall(ctx, func(ctx context.Context) error {
			_, err := c.model.Run(ctx, given, s.outputs...)
			return err
		})
		if err != nil {
			return row, err
		}
		row = append(row, t)
	}
	return row, nil
}

// trainerRow compares the answers of the trainer, for the parameters in data,
// with those of the engine that judges.
func (o *verifyOptions) trainerRow(ctx context.Context, s *subject, data []byte, want map[string]tensor.Tensor) (row []string, err error) {
	predict, err := newPredictor(s.meta, data)
	if err != nil {
		return row, err
	}
	name, answers, err := predict(s.inputs)
	if err != nil {
		return row, err
	}
	got := tensor.Tensor{Shape: want[name].Shape, Data: answers}
	d, err := verify.Difference(map[string]tensor.Tensor{name: want[name]}, map[string]tensor.Tensor{name: got}, o.tolerance, s.scale)
	row = append(row, fmt.Sprintf("%.1e", d), "-")
	if err != nil {
		return row, err
	}
	for _, batch := range []int{1, 256} {
		given, err := s.timed(batch)
		if err != nil {
			return row, err
		}
		t, err := timeCall(ctx, func(context.Context) error {
			_, _, err := predict(given)
			return err
		})
		if err != nil {
			return row, err
		}
		row = append(row, t)
	}
	return row, nil
}

// predictor returns what the trainer answers to inputs of the graph, and the name of the
// output that should be the same.
type predictor func(inputs map[string]tensor.Tensor) (output string, answers []float32, err error)

// newPredictor returns the trainer's model of the parameters in data.
func newPredictor(meta *models.Metadata, data []byte) (predictor, error) {
	if meta.Spec.Direct != nil {
		m, err := export.Unmarshal(data)
		return func(inputs map[string]tensor.Tensor) (string, []float32, error) {
			answers, err := verify.Forecasts(m, inputs)
			return "quantiles", answers, err
		}, err
	}
	m, err := models.New(*meta, 0)
	if err == nil {
		_, err = export.LoadParams(m.Params, m.Spec, data)
	}
	return func(inputs map[string]tensor.Tensor) (string, []float32, error) {
		answers, err := trainer.Predict(m, batchOf(inputs["input"]))
		return "output", answers, err
	}, err
}

// batchOf returns sequences as the trainer reads them.
func batchOf(input tensor.Tensor) *datasets.Batch {
	b := &datasets.Batch{Size: input.Shape[0], Time: input.Shape[1]}
	if tokens, ok := input.Data.([]int64); ok {
		b.Tokens = tokens
	} else {
		b.Inputs = input.Data.([]float32)
	}
	return b
}

// defaultTime is how long the sequences are for a model that does not say.
const defaultTime = 50

// sequenceLength is how long the sequences are that engines are compared on:
// the model's window, within what engines take 256 sequences of.
func sequenceLength(meta *models.Metadata) int {
	if meta.Spec.Direct != nil {
		return meta.Window
	}
	if meta.Window > 0 {
		return min(meta.Window, 512)
	}
	return defaultTime
}

// maxTiming is how long the calls that are timed may take.
const maxTiming = 2 * time.Second

// timeCall returns the median time of a call, in words.
func timeCall(ctx context.Context, call func(context.Context) error) (string, error) {
	short, cancel := withTimeout(ctx, maxTiming)
	defer cancel()
	text, err := waitFor(short, "timing a call", func() (string, error) {
		var times []time.Duration
		for begin := time.Now(); len(times) < 5 || time.Since(begin) < 200*time.Millisecond; {
			start := time.Now()
			if err := call(short); err != nil {
				return "", err
			}
			times = append(times, time.Since(start))
		}
		slices.Sort(times)
		return times[len(times)/2].Round(100 * time.Nanosecond).String(), nil
	})
	if err != nil && short.Err() != nil && ctx.Err() == nil {
		return fmt.Sprintf("> %v", maxTiming/5), nil
	}
	return text, err
}
