package cli

import (
	"context"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/models"
)

type inferOptions struct {
	*streams
	engineFlags
	foreignFlags
	model      string
	column     string
	steps      int
	plot       string
	raw        bool
	label      string
	unlabelled bool

	flags *pflag.FlagSet
}

const inferLong = `Run a model on the CSV data on standard input, by what it was trained for.

A forecaster of whole horizons, such as rnnkit train forecast writes, reads a table of
series: CSV, JSON Lines, Parquet or Arrow, with the columns that it was trained on in any
order. It prints the steps after the last row of each series, with intervals: as many as
it was trained for, or --horizon (--steps is the same). Where it reads columns that are
known ahead, the table ends in rows with these alone.

A forecaster that reads step by step prints a line for every row with the value there
and the one that the window of rows before it predicts, and one line more for the value
after the last. The rows of the first window have no whole window before them, and so no
prediction. With --steps it prints the values beyond the end instead, each
predicted from a window that holds the predictions before it.

A classifier reads a sequence from each line, of any length, and prints a line
for it with the likeliest label and its probability. Where the header calls a column
label, class or target, or the lines end in labels as text, these are not read as a
part of the sequence; how many the model has right is said on standard error. Where
all lines end in numbers that are labels of the model, such a header, --label or
--unlabelled must say which they are.

For a model that rnnkit did not export, --task says what it does. Which input takes
the sequence, which output is the answer, the order of dimensions, and whether a
classifier answers with logits, probabilities or labels is read off the graph and
found by experiment, and said on standard error. Where that leaves something open, it
is an error that names the flag to set. A state begins as zeros. A forecaster of
several columns takes all columns of numbers, or those that --column lists, in that
order; one that reaches several steps ahead prints those beyond the end too.

With --raw, tensors go in and out as they are: --input NAME=VALUE feeds a .npy or
.json file, or JSON; what is not fed so is read from standard input, a JSON object
of nested lists by name, or a single .npy file. The outputs are printed as such an
object (for a single .npy file in, the only output as one); --output NAME=FILE
writes one to a .npy or .json file.`

const inferExample = `  rnnkit infer sine.onnx < series.csv
  rnnkit infer sine.onnx --steps 20 < series.csv
  rnnkit infer sine.onnx --plot sine.svg < series.csv > predictions.csv
  rnnkit infer palindrome.onnx < sequences.csv
  rnnkit infer keras.onnx --task forecast --window 24 < series.csv
  rnnkit infer torch.onnx --raw --input x=x.npy --output y=y.npy`

func newInferCmd(s *streams) *cobra.Command {
	return newVerbCmd(&inferOptions{streams: s}, &cobra.Command{
		Use:     "infer MODEL.onnx < data.csv",
		Short:   "Run a model on CSV data",
		Long:    inferLong,
		Example: inferExample,
		Args:    modelAndData("infer"),
	})
}

func (o *inferOptions) addFlags(flags *pflag.FlagSet) {
	o.flags = flags
	flags.StringVar(&o.column, "column", "", "the column, by name or number (default the one trained on, or the only one of values); for a model of several columns, a list like a,b,3")
	flags.IntVar(&o.steps, "steps", 0, "print this many values beyond the end")
	flags.StringVar(&o.plot, "plot", "", "draw the series and the predictions to this file: .svg, .png or .pdf")
	flags.StringVar(&o.label, "label", "", "the column of the labels in lines for a classifier, by name or number")
	flags.BoolVar(&o.unlabelled, "unlabelled", false, "the lines for a classifier hold no labels, though they end in values that could be some")
	flags.BoolVar(&o.raw, "raw", false, "feed and print tensors as they are")
	o.foreignFlags.add(flags)
	o.engineFlags.add(flags)
}

// maxSteps is how many values a forecast may have.
const maxSteps = 10_000_000

func (o *inferOptions) validate() error {
	switch {
	case o.flags.Changed("steps") && (o.steps < 1 || o.steps > maxSteps):
		return usagef("--steps is %d: it must be from 1 to %d", o.steps, maxSteps)
	case o.raw && (o.column != "" || o.steps != 0 || o.plot != "" || o.task != "" || o.label != "" || o.unlabelled):
		return usagef("--raw goes with none of --task, --column, --steps, --plot, --label and --unlabelled: leave out one or the other")
	case o.label != "" && o.unlabelled:
		return usagef("--label and --unlabelled exclude each other: give one")
	}
	if err := o.foreignFlags.validate(); err != nil {
		return err
	}
	if o.plot != "" {
		if err := checkPicture("--plot", o.plot); err != nil {
			return err
		}
	}
	return o.engineFlags.validate()
}

func (o *inferOptions) run(ctx context.Context, args []string) error {
	o.model = args[0]
	model, err := o.open(ctx, o.model, o.Err)
	if err != nil {
		return err
	}
	defer model.Close()
	if o.raw {
		return o.runRaw(ctx, model)
	}
	task, err := o.taskOf(model)
	if err != nil {
		return err
	}
	if model.Description() == nil {
		if err := o.describe(ctx, model); err != nil {
			return err
		}
	}
	switch {
	case task == models.Classify:
		return o.classify(ctx, model)
	case isDirect(model):
		return o.forecastPanel(ctx, model)
	}
	return o.forecast(ctx, model)
}

// isDirect reports whether a model is a direct forecaster.
func isDirect(m *infer.Model) bool { return m.Metadata() != nil && m.Metadata().Spec.Direct != nil }

// taskOf returns the task of the model, and refuses the flags that it has no use for.
func (o *inferOptions) taskOf(model *infer.Model) (models.Task, error) {
	task := models.Task(o.task)
	if d := model.Description(); d != nil {
		task = d.Task
		for _, name := range foreignFlagNames {
			if o.flags.Changed(name) && !(name == "horizon" && isDirect(model)) {
				return "", usagef("--%s is for a model from elsewhere, or for --raw: %s says itself what it is for", name, o.model)
			}
		}
	}
	var others []string
	var does string
	switch task {
	case "":
		return "", usagef("%s has no rnnkit metadata, so its task is unknown: give --task forecast or classify, or --raw", o.model)
	case models.Generate:
		return "", usagef("%s generates: use rnnkit generate %s", o.model, o.model)
	case models.Detect:
		return "", usagef("%s finds anomalies: use rnnkit detect %s", o.model, o.model)
	case models.Classify:
		others, does = []string{"column", "steps", "plot", "horizon", "target"}, "a forecaster, and %s classifies"
	case models.Forecast:
		others, does = []string{"label", "unlabelled", "answers", "labels"}, "a classifier, and %s forecasts"
	}
	for _, name := range others {
		if o.flags.Changed(name) {
			return "", usagef("--%s is for "+does, name, o.model)
		}
	}
	return task, nil
}

// forecast prints the predictions of one or more columns.
func (o *inferOptions) forecast(ctx context.Context, model *infer.Model) error {
	forecaster, err := infer.NewForecaster(model)
	if err != nil {
		return fmt.Errorf("%s: %w", o.model, err)
	}
	columns, err := o.readColumns(o.column, model.Description())
	if err != nil {
		return err
	}
	first, rows := forecaster.Window(), rowsOf(columns)
	var predictions [][]float64
	if o.steps > 0 {
		first = len(rows)
		predictions, err = forecaster.ForecastRows(ctx, rows, o.steps)
	} else {
		predictions, err = forecaster.PredictRows(ctx, rows)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", o.model, inData(advise(err)))
	}
	list, err := o.forecasts(model.Description(), columns, first, predictions)
	if err != nil {
		return err
	}
	return o.printForecasts(list)
}

// forecasts returns the predictions, a row for each from the first on, by column.
func (o *inferOptions) forecasts(d *infer.Description, columns []datasets.Column, first int, predictions [][]float64) ([]forecast, error) {
	if d.Width < len(columns) || o.target != "" {
		var err error
		if columns, err = o.targetOf(d, columns); err != nil {
			return nil, err
		}
	}
	list := make([]forecast, d.Width)
	for i := range list {
		list[i].first = first
		if columns != nil {
			list[i].name, list[i].series = columns[i].Title(), columns[i].Values
		}
		for _, row := range predictions {
			list[i].predictions = append(list[i].predictions, row[i])
		}
	}
	return list, nil
}

// targetOf returns the one of several columns that the model predicts, or none if nobody
// knows which that is.
func (o *inferOptions) targetOf(d *infer.Description, columns []datasets.Column) ([]datasets.Column, error) {
	switch {
	case d.Width == len(columns):
		return nil, usagef("--target is for a model that takes several columns and predicts one, and this one predicts %d of %d", d.Width, len(columns))
	case o.target != "":
		target, err := find(columns, o.target)
		return []datasets.Column{target}, err
	case d.Target != "":
		return columns[slices.Index(d.Columns, d.Target):][:1], nil
	}
	return nil, nil
}

// find returns the column of that name, or of that number among columns.
func find(columns []datasets.Column, target string) (datasets.Column, error) {
	var names []string
	for i, c := range columns {
		if c.Name == target || fmt.Sprint(i+1) == target {
			return c, nil
		}
		names = append(names, c.Title())
	}
	return datasets.Column{}, usagef("--target is %q: it must be one of the columns that the model takes, by name or number: %q", target, names)
}

// forecast is a series with predictions of its values from row first on,
// counted from 0, and beyond its end.
type forecast struct {
	name        string
	series      []float64
	first       int
	predictions []float64
}

// printForecasts draws the forecasts and prints them as CSV, a line for each row,
// numbered from 1: of those beyond the end alone where so many are asked for.
func (o *inferOptions) printForecasts(list []forecast) error {
	if o.plot != "" {
		if len(list) > 1 || list[0].name == "" {
			return usagef("--plot draws one column: leave it out, or name with --target the one that the model predicts")
		}
		if err := list[0].draw(o.plot); err != nil {
			return err
		}
	}
	row := 0
	if o.steps > 0 {
		row = list[0].first
	}
	w := csv.NewWriter(o.Out)
	header := []string{"row"}
	for _, f := range list {
		header = append(header, f.header(len(list))...)
	}
	w.Write(header)
	for ; row < list[0].first+len(list[0].predictions); row++ {
		record := []string{strconv.Itoa(row + 1)}
		for _, f := range list {
			record = append(record, f.record(row)...)
		}
		w.Write(record)
	}
	w.Flush()
	return w.Error()
}

// header returns the names of the fields of one of so many forecasts: the value
// there, unless the column has no name, and the prediction.
func (f forecast) header(of int) []string {
	switch {
	case f.name == "":
		return []string{"prediction"}
	case of == 1:
		return []string{f.name, "prediction"}
	}
	return []string{f.name, f.name + " prediction"}
}

// record returns the fields of a row.
func (f forecast) record(row int) []string {
	record := []string{"", ""}
	if row < len(f.series) {
		record[0] = strconv.FormatFloat(f.series[row], 'g', -1, 64)
	}
	if row >= f.first {
		record[1] = strconv.FormatFloat(f.predictions[row-f.first], 'g', -1, 32)
	}
	if f.name == "" {
		return record[1:]
	}
	return record
}
