package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rnnkit/rnnkit"
	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/detectorstate"
	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/tablefile"
	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/models"
)

type detectOptions struct {
	*streams
	engineFlags
	model string
	state string
	plot  string
	json  bool

	server  prometheusFlags
	listen  string
	retrain time.Duration
}

const detectLong = `Score the rows of the table on standard input: CSV, JSON Lines, Parquet or Arrow, or what
Prometheus answers to a range query. The columns that the detector was trained on may
stand in any order, with others between them. With --prometheus the rows come from a
server.

Each row gives a line with anomaly_score: a row that reaches 1, the border, is an anomaly.
yhat is the forecast of the row, and a value from yhat_lower to yhat_upper is no anomaly by
itself; while a series is new, the band reaches to the row. A detector of several columns
prints the one that contributes most to the score, and --json prints all.

Missing values and gaps in time are no anomalies. A row that is not later than the one
before it of its series has no score. With --state the detector goes on where it ended:
the file keeps the state of each series.

With --listen the detector queries a Prometheus server at each step until a signal ends it,
and serves metrics: rnnkit_anomaly_score, rnnkit_y, rnnkit_yhat, rnnkit_yhat_lower and
rnnkit_yhat_upper, with the labels of each series. It first reads the last --range, or what
has come since --state was saved. With --retrain it trains in the background on the last
--range, and replaces the model's file.`

const detectExample = `  rnnkit detect latency.onnx < latency.csv
  rnnkit detect latency.onnx --plot band.svg < latency.csv > scores.csv
  rnnkit detect latency.onnx --state latency.state < today.csv
  rnnkit detect latency.onnx --prometheus http://localhost:9090 --range 2d > scores.csv
  rnnkit detect latency.onnx --prometheus http://localhost:9090 --listen :9101 --state latency.state --retrain 24h`

func newDetectCmd(s *streams) *cobra.Command {
	return newVerbCmd(&detectOptions{streams: s}, &cobra.Command{
		Use:     "detect MODEL.onnx < metrics.csv",
		Short:   "Find anomalies with a detector",
		Long:    detectLong,
		Example: detectExample,
		Args:    modelAndData("detect"),
	})
}

func (o *detectOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.state, "state", "", "a file that keeps the state of each series from one run to the next")
	flags.StringVar(&o.plot, "plot", "", "draw the rows with the highest score of the first series, the band and the anomalies to this file: .svg, .png or .pdf")
	flags.BoolVar(&o.json, "json", false, "print a JSON object for each row, with all columns")
	o.server.add(flags, true)
	flags.StringVar(&o.listen, "listen", "", "query at each step, and serve metrics at this address, such as 127.0.0.1:9101")
	flags.Var(&duration{&o.retrain}, "retrain", "train on after this time, such as 24h (default never)")
	o.engineFlags.add(flags)
}

func (o *detectOptions) validate() error {
	if o.plot != "" {
		if err := checkPicture("--plot", o.plot); err != nil {
			return err
		}
	}
	switch err := o.server.validate(); {
	case err != nil:
		return err
	case o.listen != "" && !o.server.given():
		return usagef("--listen follows a query: name the server by --prometheus")
	case o.listen != "" && (o.plot != "" || o.json):
		return usagef("--listen serves metrics, and prints no rows: leave out --plot and --json")
	case o.listen != "" && o.server.until != "":
		return usagef("--listen follows a query as time goes: leave out --until")
	case o.retrain > 0 && o.listen == "":
		return usagef("--retrain is for a detector that goes on: give --listen too")
	}
	return o.engineFlags.validate()
}

func (o *detectOptions) run(ctx context.Context, args []string) error {
	o.model = args[0]
	detector, err := o.openDetector(ctx, o.model, o.Err)
	if err != nil {
		return err
	}
	defer detector.Model().Close()
	ctx, stop := untilSignal(ctx)
	defer stop()
	if o.server.given() {
		if err := o.followDetection(detector.Detection()); err != nil {
			return err
		}
	}
	if o.listen != "" {
		return o.follow(ctx, detector)
	}
	return o.scoreRows(ctx, detector)
}

// scoreRows scores a table that has an end.
func (o *detectOptions) scoreRows(ctx context.Context, detector *infer.Detector) error {
	states, err := detectorstate.Open(o.state, detector)
	if err != nil {
		return err
	}
	defer states.Close()
	rows, err := o.rows(ctx)
	if err != nil {
		return err
	}
	defer rows.Close()
	w := o.newWatch(detector, states)
	err = w.run(ctx, rows)
	if w.tally.rows > 0 {
		err = errors.Join(err, states.Save(), w.finish())
	}
	return err
}

// rows opens what is scored.
func (o *detectOptions) rows(ctx context.Context) (*tablefile.Rows, error) {
	if !o.server.given() {
		o.greet()
		return tablefile.Open("-", o.In)
	}
	rows, err := o.server.rows(ctx)
	if err != nil {
		return nil, err
	}
	return &tablefile.Rows{RowReader: rows}, nil
}

// openDetector opens the detector at path, which the caller closes by its Model.
func (f *engineFlags) openDetector(ctx context.Context, path string, log io.Writer) (*infer.Detector, error) {
	model, err := f.open(ctx, path, log)
	if err != nil {
		return nil, err
	}
	d, err := infer.NewDetector(model)
	if err == nil {
		return d, nil
	}
	model.Close()
	if other, ok := errors.AsType[*infer.TaskError](err); ok {
		return nil, usagef("%s is no detector, such as rnnkit train detect writes, but for task %q", path, other.Task)
	}
	return nil, fmt.Errorf("%s: %w", path, err)
}

// lateNote says that rows of a table have no score.
const lateNote = "note: %d rows are not later than the one before of their series, and have no score\n"

// watch is a run of a detector over a table.
type watch struct {
	*detectOptions
	detector *infer.Detector
	states   *detectorstate.States
	lines    readingWriter
	tally    tally
	drawn    drawnSeries
}

func (o *detectOptions) newWatch(d *infer.Detector, states *detectorstate.States) *watch {
	w := &watch{detectOptions: o, detector: d, states: states}
	if o.json {
		w.lines = newReadingObjects(o.Out, d.Detection().Columns)
	} else {
		w.lines = newReadingTable(o.Out, d.Detection().Columns)
	}
	return w
}

// rolesOfDetection returns the roles of the columns that a detector was trained on.
func rolesOfDetection(d models.Detection) datasets.Roles {
	return datasets.Roles{Time: d.Time, Zone: d.Zone, Series: d.Series, Targets: d.Columns, Infinite: true}
}

// run scores the rows of a table.
func (w *watch) run(ctx context.Context, rows *tablefile.Rows) error {
	observations, err := datasets.NewObservations(rows, rows.Roles(rolesOfDetection(w.detector.Detection())))
	if err != nil {
		return err
	}
	for _, note := range rows.Notes() {
		fmt.Fprintf(w.Err, "note: %s\n", printable(note))
	}
	err = eachObservation(ctx, observations, w.score)
	return errors.Join(err, w.lines.flush())
}

// eachObservation calls score with each row of a table, until one fails or ctx ends.
func eachObservation(ctx context.Context, observations *datasets.Observations, score func(*datasets.Observation) error) error {
	for {
		row, err := observations.Next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = context.Cause(ctx)
		}
		if err == nil {
			err = score(row)
		}
		if err != nil {
			return err
		}
	}
}

// score scores a row and prints it.
func (w *watch) score(row *datasets.Observation) error {
	r, err := w.detector.Observe(w.states.Of(row.Series), row.Time, row.Values)
	if errors.Is(err, infer.ErrNotAfter) {
		w.tally.late++
		r, err = unknownReading(len(row.Values)), nil
	}
	if err != nil {
		return err
	}
	w.tally.add(r)
	if w.plot != "" {
		w.drawn.add(row, r)
	}
	return w.lines.write(row, r)
}

// unknownReading is that of a row that has no score.
func unknownReading(columns int) infer.Reading {
	none := make([]float64, columns)
	for i := range none {
		none[i] = math.NaN()
	}
	return infer.Reading{Score: math.NaN(), Forecast: none, Lower: none, Upper: none, Shares: make([]float64, columns)}
}

// tally counts rows for the line at the end.
type tally struct{ rows, anomalies, late, missed int }

func (t *tally) add(r infer.Reading) {
	t.rows++
	t.missed += r.Missed
	if r.Score >= 1 {
		t.anomalies++
	}
}

// finish prints the tally and draws the picture.
func (w *watch) finish() error {
	t, d := &w.tally, w.detector.Detection()
	frequency, _ := models.ParseFrequency(d.Frequency)
	fmt.Fprintf(w.Err, "%d of %d rows of %d series are anomalies, where about %.3g would be false; %s\n",
		t.anomalies, t.rows, w.states.Len(), d.Rate*float64(t.rows), rnnkit.FalseAlarms(d.Rate, frequency))
	if len(d.Columns) > 1 && t.anomalies > t.rows/10 {
		fmt.Fprintln(w.Err, "note: so many rows are unlike those that the detector learned from: train it again if they are what is usual now")
	}
	if t.missed > 0 {
		fmt.Fprintf(w.Err, "note: %d rows are missing between others; what is missing is no anomaly\n", t.missed)
	}
	if t.late > 0 {
		fmt.Fprintf(w.Err, lateNote, t.late)
	}
	if w.plot == "" {
		return nil
	}
	if w.drawn.others {
		fmt.Fprintf(w.Err, "note: --plot draws the first of %d series, %s\n", w.states.Len(), printable(w.drawn.series))
	}
	return w.drawn.draw(w.plot, d.Columns[0])
}
