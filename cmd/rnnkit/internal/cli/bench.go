package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/flops"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/ort"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/inputs"
	"github.com/rnnkit/rnnkit/models"
)

type benchOptions struct {
	*streams
	graphFlags
	batches  []int
	times    []int
	engines  []string
	duration time.Duration
	json     bool
	ortLib   string

	flags *pflag.FlagSet
}

const benchLong = `Time calls of a model on each engine, for each batch and time, in one process: the
engines take turns, call by call, so that whatever else the machine does falls on all
of them alike. ONNX Runtime computes with one thread, as the native engine does. With
a time of 1, a model with a state is timed again as a stream, with the state of each
call fed to the next.

A row of the table has the median of the calls, the 99th percentile, sequences a
second, GFLOP/s (two operations for each multiplication of MatMul, Gemm, Conv and
the recurrent operators, over the median) and allocations of Go memory. Where a
model fixes the batch or the time, that one is timed. ONNX Runtime is left out where
it is not installed, unless --engines names it.`

const benchExample = `  rnnkit bench sine.onnx
  rnnkit bench sine.onnx --batch 1,32,256 --time 1,50 --engines native,onnxruntime --json`

func newBenchCmd(s *streams) *cobra.Command {
	return newVerbCmd(&benchOptions{streams: s}, &cobra.Command{
		Use:     "bench MODEL.onnx",
		Short:   "Time a model on the engines",
		Long:    benchLong,
		Example: benchExample,
		Args:    oneModel("rnnkit bench MODEL.onnx"),
	})
}

func (o *benchOptions) addFlags(flags *pflag.FlagSet) {
	o.flags = flags
	flags.IntSliceVar(&o.batches, "batch", []int{1, 32, 256}, "sequences of a call")
	flags.IntSliceVar(&o.times, "time", []int{1, 50}, "steps of a sequence")
	flags.StringSliceVar(&o.engines, "engines", []string{"native", "onnxruntime"}, "the engines to time: some of "+strings.Join(engineNames, ", "))
	flags.DurationVar(&o.duration, "duration", time.Second, "how long to time each engine for each batch and time")
	flags.BoolVar(&o.json, "json", false, "print a JSON list")
	o.add(flags)
	addOrtLib(flags, &o.ortLib)
}

func (o *benchOptions) validate() error {
	for flag, list := range map[string][]int{"--batch": o.batches, "--time": o.times} {
		for _, n := range list {
			if n < 1 {
				return usagef("%s has %d: it must be 1 or more", flag, n)
			}
		}
		if len(list) == 0 {
			return usagef("%s is empty: give one or more numbers", flag)
		}
	}
	if o.duration < 0 {
		return usagef("--duration is %v: it must be 0 or more", o.duration)
	}
	return checkEngines("--engines", o.engines)
}

func (o *benchOptions) run(ctx context.Context, args []string) error {
	path := args[0]
	g, data, err := o.read(path)
	if err != nil {
		return err
	}
	all, err := o.open(ctx, path, modelFile{data, g.model})
	if err != nil {
		return err
	}
	defer closeAll(all)
	list := []measurement{}
	for _, c := range o.cases(g, all[0].model) {
		measured, err := o.measure(ctx, g, all, c)
		if err != nil {
			return fmt.Errorf("%s: batch %d, time %d: %w", path, c.batch, c.time, err)
		}
		list = append(list, measured...)
	}
	if o.json {
		return printJSON(o.Out, list)
	}
	return printMeasurements(o.Out, list)
}

// benchCase is what each engine is timed on: whole sequences, or steps of a stream.
type benchCase struct {
	batch, time int
	stream      bool
}

// cases lists the sizes that the options ask for and the model leaves open.
func (o *benchOptions) cases(g *graph, m *infer.Model) []benchCase {
	var list []benchCase
	for _, batch := range g.sizes(inputs.Batch, o.batches) {
		for _, time := range g.sizes(inputs.Time, o.times) {
			list = append(list, benchCase{batch, time, false})
			if time == 1 && len(m.State()) > 0 {
				list = append(list, benchCase{batch, time, true})
			}
		}
	}
	return list
}

// measurement is an element of what `rnnkit bench --json` prints.
type measurement struct {
	Engine        string   `json:"engine"`
	Provider      string   `json:"provider"`
	Batch         int      `json:"batch"`
	Time          int      `json:"time"`
	State         bool     `json:"state"` // a stream of calls whose state is fed back
	MedianUS      float64  `json:"median_us"`
	P99US         float64  `json:"p99_us"`
	RowsPerSecond float64  `json:"rows_per_second"`
	GFLOPS        *float64 `json:"gflops"` // null where the operations cannot be counted
	Allocs        float64  `json:"allocs"` // a call's
}

// open opens the model on the engines. It leaves ONNX Runtime out where that is not
// installed, unless --engines names it.
func (o *benchOptions) open(ctx context.Context, path string, file modelFile) ([]candidate, error) {
	all := tryAll(ctx, file, o.engines, o.ortLib, maxOpen)
	var open []candidate
	for _, c := range all {
		switch {
		case c.err == nil:
			open = append(open, c)
		case !o.flags.Changed("engines") && (errors.Is(c.err, ort.ErrNoLibrary) || !ort.Cgo && c.name != "native"):
			fmt.Fprintln(o.Err, printable(fmt.Sprintf("not timed: %v", c.err)))
		default:
			closeAll(all)
			return nil, fmt.Errorf("%s: %w", path, c.err)
		}
	}
	return open, nil
}

// sizes returns the wanted sizes of a dimension, Batch or Time, or the only one that
// the inputs allow.
func (g *graph) sizes(letter byte, wanted []int) []int {
	for _, in := range g.inputs {
		if declared := in.Fixed(letter); declared > 0 {
			return []int{declared}
		}
	}
	if !slices.ContainsFunc(g.inputs, func(in inputs.Input) bool { return in.Axis(letter) >= 0 }) {
		return []int{1}
	}
	return wanted
}

// measure times the engines in turn.
func (o *benchOptions) measure(ctx context.Context, g *graph, all []candidate, c benchCase) ([]measurement, error) {
	given, err := g.random(c.batch, c.time, o.seed)
	if err != nil {
		return nil, err
	}
	operations, uncounted := flops.Count(ctx, g.model, native.New(), given)
	if uncounted != nil {
		operations = 0
	}
	calls := make([]func() error, len(all))
	for i, e := range all {
		calls[i] = newCall(ctx, e.model, given, c.stream)
	}
	times, err := takeTurns(ctx, calls, o.duration)
	if err != nil {
		return nil, err
	}
	list := make([]measurement, len(all))
	for i, e := range all {
		allocs, err := allocations(calls[i])
		if err != nil {
			return nil, err
		}
		list[i] = newMeasurement(e.name, c, times[i], operations, allocs)
	}
	return list, nil
}

// newMeasurement sums up the times of an engine's calls, which take so many
// operations each, 0 if that is not known.
func newMeasurement(engine string, c benchCase, times []time.Duration, operations int64, allocs float64) measurement {
	name, provider, _ := strings.Cut(engine, "/")
	median := quantile(times, 50)
	m := measurement{
		Engine: name, Provider: cmp.Or(provider, "cpu"), Batch: c.batch, Time: c.time, State: c.stream,
		MedianUS: microseconds(median), P99US: microseconds(quantile(times, 99)),
		RowsPerSecond: float64(c.batch) / median.Seconds(),
		Allocs:        allocs,
	}
	if operations > 0 {
		gflops := float64(operations) / median.Seconds() / 1e9
		m.GFLOPS = &gflops
	}
	return m
}

// newCall returns a call of m for its first output. The calls share the memory of
// their outputs where the engine can, and feed the state back for a stream.
func newCall(ctx context.Context, m *infer.Model, given map[string]tensor.Tensor, stream bool) func() error {
	given = maps.Clone(given)
	outputs := map[string]tensor.Tensor{m.Outputs()[0].Name: {}}
	var pairs []models.StatePair
	if stream {
		pairs = m.State()
	}
	for _, pair := range pairs {
		outputs[pair.Output] = tensor.Tensor{}
	}
	return func() error {
		if err := m.RunInto(ctx, given, outputs); err != nil {
			return err
		}
		for _, pair := range pairs {
			given[pair.Input], outputs[pair.Output] = outputs[pair.Output], given[pair.Input]
		}
		return nil
	}
}

// warmUp is how many rounds come before those that are timed.
const warmUp = 20

// takeTurns times each call in turn, at least 20 times, until they have taken the
// duration for each of them.
func takeTurns(ctx context.Context, calls []func() error, duration time.Duration) ([][]time.Duration, error) {
	times := make([][]time.Duration, len(calls))
	var begin time.Time
	for round := 0; ; round++ {
		if round == warmUp {
			begin = time.Now()
		}
		if round >= 2*warmUp && time.Since(begin) >= duration*time.Duration(len(calls)) {
			return times, nil
		}
		for i, call := range calls {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			start := time.Now()
			if err := call(); err != nil {
				return nil, err
			}
			if took := time.Since(start); round >= warmUp {
				times[i] = append(times[i], took)
			}
		}
	}
}

// quantile sorts the times and returns the one that so many percent of them do not
// exceed.
func quantile(times []time.Duration, percent int) time.Duration {
	slices.Sort(times)
	return times[min(len(times)-1, len(times)*percent/100)]
}

func microseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

// allocations returns the mean number of allocations of Go memory in a call.
func allocations(call func() error) (float64, error) {
	const calls = 20
	var before, after runtime.MemStats
	var failed error
	runtime.ReadMemStats(&before)
	for range calls {
		failed = errors.Join(failed, call())
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / calls, failed
}

func printMeasurements(out io.Writer, list []measurement) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "engine\tbatch\ttime\tstate\tmedian\tp99\trows/s\tGFLOP/s\tallocs")
	for _, m := range list {
		state, gflops := "-", "-"
		if m.State {
			state = "fed back"
		}
		if m.GFLOPS != nil {
			gflops = fmt.Sprintf("%.1f", *m.GFLOPS)
		}
		fmt.Fprintf(w, "%s/%s\t%d\t%d\t%s\t%.1fµs\t%.1fµs\t%.0f\t%s\t%.1f\n",
			m.Engine, m.Provider, m.Batch, m.Time, state, m.MedianUS, m.P99US, m.RowsPerSecond, gflops, m.Allocs)
	}
	return w.Flush()
}
