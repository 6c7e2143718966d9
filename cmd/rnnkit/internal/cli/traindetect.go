package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rnnkit/rnnkit"
	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/models"
)

// trainDetect is the verb that trains a detector of anomalies.
type trainDetect struct {
	trainFile
	options         rnnkit.DetectorOptions
	roles           datasets.Roles
	series, targets string // lists of columns
	falseAlarm      string // a time or a number of rows
	server          prometheusFlags
	flags           *pflag.FlagSet
}

const allColumns = "all"

func newTrainDetectCmd(s *streams) *cobra.Command {
	v := &trainDetect{}
	o := &v.options
	v.trainOptions = &trainOptions{streams: s, task: models.Detect, validator: o, Options: &o.Options}
	return newTrainVerbCmd(v, v.trainOptions, &cobra.Command{
		Use:   "detect",
		Short: "Find anomalies in your own metrics",
		Long: `Find anomalies in the series of your own table: CSV, JSON Lines, Parquet or Arrow, with
one row a time, or what Prometheus answers to a range query, as a file or from a server.
The columns are watched together, and a network learns to forecast the next row of them.
What no flag says follows from the data, by rules that are printed.

A row is scored by how rare such values are among those before it (docs/detect.md): how far
it lies from its forecast and from the season, how the level has moved, whether it stands
still. The scores that the rows themselves got calibrate the border, which is
reached about as rarely as --false-alarm says.`,
		Example: `  rnnkit train detect --data latency.csv -o latency.onnx
  rnnkit train detect --data cpu.csv --time ts --series instance --target user,system --direction above -o cpu.onnx
  rnnkit train detect --prometheus http://localhost:9090 --query 'rate(errors_total[5m])' --range 14d --step 1m -o errors.onnx
  rnnkit detect latency.onnx < latency.csv`,
		Args: dataByFlag,
	})
}

func (v *trainDetect) addFlags(f *pflag.FlagSet) {
	v.flags = f
	v.addGroups(f, []flagGroup{{"Data", v.addDataFlags}, {"Prometheus", v.addServerFlags}, {"Anomalies", v.addDetectFlags}, {"Files", v.addDetectFileFlags}, {"Training", v.addDetectFitFlags}})
}

func (v *trainDetect) addDataFlags(f *pflag.FlagSet) {
	r := &v.roles
	f.StringVar(&v.path, "data", "", "the table, - for standard input")
	f.StringVar(&r.Time, "time", "", "the column of times, by name or number (default the first that has times)")
	f.StringVar(&v.series, "series", "", "the columns that tell series apart")
	f.StringVar(&v.targets, "target", allColumns, "the columns to watch together")
	f.StringVar(&r.TimeFormat, "time-format", "", "how times are written, such as %d/%m/%Y, or unix, unix-ms (default as found)")
	f.StringVar(&r.Zone, "zone", "", "the time zone of times without one, such as Europe/Berlin (default UTC)")
	f.StringVar(&r.Frequency, "frequency", "", "from row to row, such as 1min, 15s, 1h (default as found)")
}

func (v *trainDetect) addServerFlags(f *pflag.FlagSet) { v.server.add(f, false) }

func (v *trainDetect) addDetectFlags(f *pflag.FlagSet) {
	o := &v.options
	f.StringVar((*string)(&o.Direction), "direction", string(models.Both), "on which side of the forecast an anomaly lies: above, below or both")
	f.Float64Var(&o.MinDeviation, "min-deviation", 0, "what lies nearer to its forecast is no anomaly, in units of the column")
	f.Float64Var(&o.MinRelative, "min-relative", 0, "the same as a share of the forecast, such as 0.1")
	f.IntVar(&o.Consecutive, "consecutive", 1, "rows in a row that must reach the border")
	f.IntVar(&o.Refractory, "refractory", 0, "rows after an alarm in which there is no other, but for one whose score is half as large again (default 60 with one column)")
	f.StringVar(&v.falseAlarm, "false-alarm", "", "how long it is from one false alarm to the next, such as 10d or 12h, or in rows (default 5d, and at least 1000 rows)")
	f.IntVar(&o.Season, "season", 0, "rows after which the series repeat, 1 for none (default as found)")
}

func (v *trainDetect) addDetectFileFlags(f *pflag.FlagSet) {
	f.StringVarP(&v.output, "output", "o", "", "the ONNX file to write")
	f.StringVar(&v.start, "init", "", "learn on from this detector")
	f.StringVar(&v.metrics, "metrics", "", "a JSONL file for the loss of every epoch")
	addOrtLib(f, &v.ortLib)
}

func (v *trainDetect) addDetectFitFlags(f *pflag.FlagSet) {
	s, t := &v.options.Spec, &v.options.Fit
	f.StringVar((*string)(&s.Cell), "cell", "", "rnn, lstm or gru (default gru)")
	f.IntVar(&s.Hidden, "hidden", 0, "size of the state (default from the data)")
	f.IntVar(&s.Layers, "layers", 0, "recurrent layers, one on the other (default 1)")
	f.IntVar(&t.Epochs, "epochs", 0, "passes over the rows (default from the data)")
	f.IntVar(&t.Batch, "batch", 0, "streams that are learned from at once (default from the data)")
	f.Float64Var(&t.LearningRate, "lr", 0, "learning rate, the largest of the schedule (default from the data)")
	f.Uint64Var(&t.Seed, "seed", 0, "seed of everything random: the same seed gives the same file")
	f.IntVar(&t.Threads, "threads", 0, "threads to compute with, without effect on the result (default all)")
}

func (v *trainDetect) validate() (err error) {
	if v.flags.Changed("refractory") && v.options.Refractory == 0 { // which the library takes for its default
		return usagef("--refractory is 0: it must be 1 or more")
	}
	if v.roles.Series, err = listed("series", v.series); err != nil {
		return err
	}
	v.roles.Infinite, v.roles.Nearest = true, true
	if v.roles.All = v.targets == allColumns; !v.roles.All {
		if v.roles.Targets, err = listed("target", v.targets); err != nil {
			return err
		}
	}
	if _, err = v.rate(models.Frequency{Count: 1, Unit: models.Nanosecond}); err != nil {
		return err
	}
	if err := v.server.validate(); err != nil {
		return err
	}
	if v.server.given() {
		return v.validateServer()
	}
	return v.trainFile.validate()
}

// validateServer is the rest of validate for data of a server.
func (v *trainDetect) validateServer() error {
	if v.path != "" {
		return usagef("--data and --prometheus are both given: leave out one of them")
	}
	if _, err := v.server.query(); err != nil {
		return err
	}
	if err := v.validateTrain(); err != nil {
		return err
	}
	v.DataName = v.server.expression
	return v.distinct("")
}

// rate returns the false alarms for each row that --false-alarm asks for, 0 for the default.
func (v *trainDetect) rate(step models.Frequency) (float64, error) {
	if v.falseAlarm == "" {
		return 0, nil
	}
	rows, err := strconv.ParseFloat(v.falseAlarm, 64)
	if err != nil {
		between, err := models.ParseFrequency(v.falseAlarm)
		if err != nil {
			return 0, usagef("--false-alarm is %q: it must be a time such as 10d or 12h, or a number of rows", v.falseAlarm)
		}
		if step.Count == 0 {
			return 0, usagef("--false-alarm is %s: the table has no times, so give a number of rows", v.falseAlarm)
		}
		rows = between.Seconds() / step.Seconds()
	}
	if !(rows > 1) {
		return 0, usagef("--false-alarm is %s: it must be more than one row", v.falseAlarm)
	}
	return 1 / rows, nil
}

func (v *trainDetect) run(ctx context.Context, _ []string) error {
	if err := v.readStart(); err != nil {
		return err
	}
	panel, err := v.readPanel(ctx)
	if role, ok := errors.AsType[*models.FieldError](err); ok {
		return usageError{withFlag(role)}
	}
	if err != nil {
		return err
	}
	if v.options.Rate, err = v.rate(panel.Frequency); err != nil {
		return err
	}
	j, err := rnnkit.NewDetector(panel, v.options)
	if err == nil {
		j.Model.Detector.Query = v.server.expression
		for _, rule := range j.Model.Detector.Rules {
			fmt.Fprintf(v.Err, "  %s\n", printable(rule))
		}
	}
	return v.trainJob(ctx, j, err)
}

// readPanel reads what is learned from, and says what it is.
func (v *trainDetect) readPanel(ctx context.Context) (*datasets.Panel, error) {
	if !v.server.given() {
		panel, err := v.readPanelFile(v.path, v.roles)
		return panel, withRoleFlag(err)
	}
	ctx, stop := untilSignal(ctx)
	defer stop()
	rows, err := v.server.rows(ctx)
	if err != nil {
		return nil, err
	}
	return v.readPanelRows(rows, v.roles)
}

// readStart makes the file of --init the Start.
func (v *trainDetect) readStart() error {
	if v.start == "" {
		return nil
	}
	data, err := readModel(v.start)
	if err != nil {
		return err
	}
	m, err := export.Unmarshal(data)
	if err != nil {
		return fmt.Errorf("%s: %w", v.start, err)
	}
	if m.Detector == nil {
		return usagef("--init is %s, which is no detector: leave it out", v.start)
	}
	v.options.Start, v.start = m, ""
	return nil
}
