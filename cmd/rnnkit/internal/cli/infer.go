package cli

import (
	"context"
	"encoding/csv"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

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
}

func newInferCmd(s *streams) *cobra.Command {
	o := &inferOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "infer MODEL.onnx < data.csv",
		Short: "Run a model on CSV data",
		Long: `Run a model on the CSV data on standard input, by what it was trained for.

A forecaster prints a line for every row with the value there and the one that
the window of rows before it predicts, and one line more for the value after the
last. The rows of the first window have no whole window before them, and so no
prediction. With --steps it prints the values beyond the end instead, each
predicted from a window that holds the predictions before it.

A classifier reads a sequence from each line, of any length, and prints a line
for it with the likeliest label and its probability. Where the header calls a column
label, class or target, or the lines end in labels as text, these are not read as a
part of the sequence; how many the model has right is said on standard error. Where
all lines end in numbers that are labels of the model, such a header, --label or
--unlabelled must say which they are.

For a model that rnnkit did not export, --task says what it does. Which input reads
the sequence, which output answers, the order of dimensions, and whether a
classifier answers with logits, probabilities or labels is read off the graph and
found by experiment, and said on standard error. What stays in doubt is refused, and
the flag named that decides it. A state begins as zeros. A forecaster of several
columns reads all columns of numbers, or those that --column lists, in that order;
one that reaches several steps ahead prints those beyond the end too.

With --raw, tensors go in and out as they are: --input NAME=VALUE feeds a .npy or
.json file, or JSON; what is not fed so is read from standard input, a JSON object
of nested lists by name, or a single .npy file. The outputs are printed as such an
object (for a single .npy file in, the only output as one); --output NAME=FILE
writes one to a .npy or .json file.`,
		Example: `  rnnkit infer sine.onnx < series.csv
  rnnkit infer sine.onnx --steps 20 < series.csv
  rnnkit infer sine.onnx --plot sine.svg < series.csv > predictions.csv
  rnnkit infer palindrome.onnx < sequences.csv
  rnnkit infer keras.onnx --task forecast --window 24 < series.csv
  rnnkit infer torch.onnx --raw --input x=x.npy --output y=y.npy`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch len(args) {
			case 0:
				return usagef("name the model: rnnkit infer MODEL.onnx < series.csv")
			case 1:
				o.model = args[0]
			default:
				return usagef("give the data on standard input: rnnkit infer %s < %s", args[0], args[1])
			}
			if cmd.Flags().Changed("steps") && (o.steps < 1 || o.steps > maxSteps) {
				return usagef("--steps is %d: it must be from 1 to %d", o.steps, maxSteps)
			}
			if err := o.validate(); err != nil {
				return err
			}
			return o.run(cmd.Context(), cmd.Flags())
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.column, "column", "", "the column, by name or number (default the one trained on, or the only one of values); of a model from elsewhere that reads several, a list like a,b,3")
	flags.IntVar(&o.steps, "steps", 0, "print this many values beyond the end")
	flags.StringVar(&o.plot, "plot", "", "draw the series and the predictions to this file: .svg, .png or .pdf")
	flags.StringVar(&o.label, "label", "", "the column of the labels in lines for a classifier, by name or number")
	flags.BoolVar(&o.unlabelled, "unlabelled", false, "the lines for a classifier hold no labels, though they end in values that could be some")
	flags.BoolVar(&o.raw, "raw", false, "feed and print tensors as they are")
	o.foreignFlags.add(flags)
	o.engineFlags.add(flags)
	return cmd
}

func (o *inferOptions) validate() error {
	if o.raw && (o.column != "" || o.steps != 0 || o.plot != "" || o.task != "" || o.label != "" || o.unlabelled) {
		return usagef("--raw goes with none of --task, --column, --steps, --plot, --label and --unlabelled: leave out one or the other")
	}
	if o.label != "" && o.unlabelled {
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

// maxSteps is how many values a forecast may have.
const maxSteps = 10_000_000

func (o *inferOptions) run(ctx context.Context, flags *pflag.FlagSet) error {
	model, err := o.open(ctx, o.model, o.Err)
	if err != nil {
		return err
	}
	defer model.Close()
	if o.raw {
		return o.runRaw(ctx, model)
	}
	for _, name := range []string{"task", "window", "horizon", "target", "answers", "labels", "layout", "input", "output"} {
		if model.Metadata() != nil && flags.Changed(name) {
			return usagef("--%s is for a model from elsewhere, or for --raw: %s says itself what it is for", name, o.model)
		}
	}
	task := models.Task(o.task)
	if model.Metadata() != nil {
		task = model.Metadata().Task
	}
	if err := o.checkTask(flags, task); err != nil {
		return err
	}
	switch {
	case model.Metadata() == nil:
		return o.inferForeign(ctx, model)
	case task == models.Classify:
		return o.classify(ctx, model)
	}
	return o.forecast(ctx, model)
}

// checkTask refuses what a model for that task does not do.
func (o *inferOptions) checkTask(flags *pflag.FlagSet, task models.Task) error {
	alien := map[models.Task][]string{
		models.Classify: {"column", "steps", "plot", "horizon", "target"},
		models.Forecast: {"label", "unlabelled", "answers", "labels"},
	}
	switch task {
	case "":
		return usagef("%s has no rnnkit metadata, so its task is unknown: give --task forecast or classify, or --raw", o.model)
	case models.Generate:
		return usagef("%s generates: use rnnkit generate %s", o.model, o.model)
	}
	for _, name := range alien[task] {
		if flags.Changed(name) {
			does := map[models.Task]string{models.Classify: "a forecaster, and %s classifies", models.Forecast: "a classifier, and %s forecasts"}
			return usagef("--%s is for "+does[task], name, o.model)
		}
	}
	return nil
}

// forecast prints the predictions of a series.
func (o *inferOptions) forecast(ctx context.Context, model *infer.Model) error {
	forecaster, err := infer.NewForecaster(model)
	if err != nil {
		return fmt.Errorf("%s: %w", o.model, err)
	}
	column, err := o.readSeries(o.column, model.Metadata().Columns)
	if err != nil {
		return err
	}
	f := forecast{name: column.Title(), series: column.Values}
	if o.steps > 0 {
		f.first = len(f.series)
		f.predictions, err = forecaster.Forecast(ctx, f.series, o.steps)
	} else {
		f.first = forecaster.Window()
		f.predictions, err = forecaster.Predict(ctx, f.series)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", o.model, err)
	}
	return o.printForecasts([]forecast{f})
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
			return usagef("--plot draws one column: leave it out, or name with --target the one that the model answers for")
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
