package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/detectorstate"
	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/tablefile"
	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/infer"
)

type evalOptions struct {
	*streams
	engineFlags
	model   string
	data    string
	windows string
	label   string
	json    bool
}

const evalLong = `Score a table with a detector, and compare its anomalies with those that people know of:
windows of time from a JSON file, or a column of the table that marks rows by 1 or true.
A robust seasonal z-score stands beside it, with a border that it reaches as often.

The file of windows is a list of pairs of times, [["2014-04-11 00:00", "2014-04-11 08:00"]],
or has such a list for each series, or for each file as that of the Numenta Anomaly
Benchmark. Without times the pairs are numbers of rows, from 1.

found        windows with an anomaly in them
false        anomalies outside of all windows
NAB          the benchmark's score at the border of the detector: 0 for no anomalies at all,
             100 for one at the beginning of each window and none elsewhere; best is at the
             border for which it is highest
VUS-PR       volume under the surface of precision and recall, which needs no border`

const evalExample = `  rnnkit eval latency.onnx --data latency.csv --windows incidents.json
  rnnkit eval latency.onnx --data latency.csv --label is_anomaly --json`

func newEvalCmd(s *streams) *cobra.Command {
	return newVerbCmd(&evalOptions{streams: s}, &cobra.Command{
		Use:     "eval MODEL.onnx --data metrics.csv --windows windows.json",
		Short:   "Compare a detector's anomalies with those that are known",
		Long:    evalLong,
		Example: evalExample,
		Args:    oneModel("rnnkit eval MODEL.onnx --data metrics.csv --windows windows.json"),
	})
}

func (o *evalOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.data, "data", "", "the table, - for standard input")
	flags.StringVar(&o.windows, "windows", "", "a JSON file of the windows in which there are anomalies")
	flags.StringVar(&o.label, "label", "", "the column that marks anomalies")
	flags.BoolVar(&o.json, "json", false, "print JSON")
	o.engineFlags.add(flags)
}

func (o *evalOptions) validate() error {
	switch {
	case o.data == "":
		return usagef("name the table: --data FILE")
	case o.windows == "" && o.label == "":
		return usagef("say where the anomalies are: --windows FILE.json or --label COLUMN")
	case o.windows != "" && o.label != "":
		return usagef("--windows and --label exclude each other: give one")
	}
	return o.engineFlags.validate()
}

func (o *evalOptions) run(ctx context.Context, args []string) error {
	o.model = args[0]
	detector, err := o.openDetector(ctx, o.model, o.Err)
	if err != nil {
		return err
	}
	defer detector.Model().Close()
	ctx, stop := untilSignal(ctx)
	defer stop()
	e, err := o.evaluate(ctx, detector)
	if err != nil {
		return err
	}
	season := detector.Detection().Season
	results := []evalResult{e.detected(o.model), e.robust(season)}
	if o.json {
		return printJSON(o.Out, results)
	}
	return printEvaluation(o.Out, results)
}

// evaluate scores the rows of the table.
func (o *evalOptions) evaluate(ctx context.Context, d *infer.Detector) (*evaluation, error) {
	rows, err := tablefile.Open(o.data, o.In)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	roles := rolesOfDetection(d.Detection())
	if o.label != "" {
		roles.Past = []string{o.label}
	}
	observations, err := datasets.NewObservations(rows, rows.Roles(roles))
	if err != nil {
		return nil, err
	}
	e := &evaluation{columns: len(d.Detection().Columns), byName: map[string]*evaluated{}}
	if err := e.score(ctx, d, observations); err != nil {
		return nil, err
	}
	if e.late > 0 {
		fmt.Fprintf(o.Err, lateNote, e.late)
	}
	if o.windows != "" {
		return e, e.readWindows(o.windows, o.data, observations)
	}
	return e, nil
}

// score scores all rows.
func (e *evaluation) score(ctx context.Context, d *infer.Detector, observations *datasets.Observations) error {
	states, err := detectorstate.Open("", d) // in memory
	if err != nil {
		return err
	}
	defer states.Close()
	return eachObservation(ctx, observations, func(row *datasets.Observation) error {
		r, err := d.Observe(states.Of(row.Series), row.Time, row.Values[:e.columns])
		switch {
		case errors.Is(err, infer.ErrNotAfter):
			e.late++
			return nil
		case err != nil:
			return err
		}
		e.add(row, r.Score)
		return nil
	})
}

// printEvaluation prints the results as a table.
func printEvaluation(out io.Writer, results []evalResult) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tfound\tfalse\tNAB\tlow FP\tlow FN\tbest NAB\tVUS-PR\t")
	for _, r := range results {
		fmt.Fprintf(w, "%s\t%d of %d\t%d\t%s\t%s\t%s\t%s\t%s\t\n", printable(r.Method), r.Found, r.Windows, r.False,
			tenths(r.NAB.Standard), tenths(r.NAB.LowFP), tenths(r.NAB.LowFN), tenths(r.NAB.Best), thousandths(r.VUSPR))
	}
	return w.Flush()
}

func tenths(v *float64) string { return rounded(v, 1) }

func thousandths(v *float64) string { return rounded(v, 3) }

// rounded returns a number with so many decimals, or - for none.
func rounded(v *float64, decimals int) string {
	if v == nil || math.IsNaN(*v) {
		return "-"
	}
	return strconv.FormatFloat(*v, 'f', decimals, 64)
}
