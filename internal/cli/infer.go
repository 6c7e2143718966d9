package cli

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
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

For a model that rnnkit did not export, --task says what it does, and the other
flags what its graph does not tell: the input that reads the sequence, the output
that answers, and the order of dimensions. A state begins as zeros. A classifier
answers with logits, or with probabilities from a Softmax or one Sigmoid.

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
	flags.StringVar(&o.column, "column", "", "the column, by name or number (default the one trained on, or the only one of values)")
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
		if _, err := plotFormat("--plot", o.plot); err != nil {
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
	for _, name := range []string{"task", "window", "labels", "layout", "input", "output"} {
		if model.Metadata() != nil && flags.Changed(name) {
			return usagef("--%s is for a model from elsewhere, or for --raw: %s says itself what it is for", name, o.model)
		}
	}
	if model.Metadata() == nil && o.task != "" {
		if model, err = o.adapt(ctx, model); err != nil {
			return fmt.Errorf("%s: %w", o.model, err)
		}
	}
	if model.Metadata() == nil {
		return usagef("%s has no rnnkit metadata, so its task is unknown: give --task forecast or classify, or --raw", o.model)
	}
	switch model.Metadata().Task {
	case models.Generate:
		return usagef("%s generates: use rnnkit generate %s", o.model, o.model)
	case models.Classify:
		for _, name := range []string{"column", "steps", "plot"} {
			if flags.Changed(name) {
				return usagef("--%s is for a forecaster, and %s classifies", name, o.model)
			}
		}
		return o.classify(ctx, model)
	}
	for _, name := range []string{"label", "unlabelled"} {
		if flags.Changed(name) {
			return usagef("--%s is for a classifier, and %s forecasts", name, o.model)
		}
	}
	return o.forecast(ctx, model)
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
	f := forecast{name: column.Name, series: column.Values}
	from := 0
	if o.steps > 0 {
		f.first = len(f.series)
		from = f.first
		f.predictions, err = forecaster.Forecast(ctx, f.series, o.steps)
	} else {
		f.first = forecaster.Window()
		f.predictions, err = forecaster.Predict(ctx, f.series)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", o.model, err)
	}
	if o.plot != "" {
		if err := f.draw(o.plot); err != nil {
			return err
		}
	}
	return f.print(o.Out, from)
}

// forecast is a series with predictions of its values from row first on,
// counted from 0, and beyond its end.
type forecast struct {
	name        string
	series      []float64
	first       int
	predictions []float64
}

// print writes the rows from the given one on as CSV, numbered from 1.
func (f *forecast) print(out io.Writer, from int) error {
	w := csv.NewWriter(out)
	w.Write([]string{"row", f.name, "prediction"})
	for row := from; row < f.first+len(f.predictions); row++ {
		record := []string{strconv.Itoa(row + 1), "", ""}
		if row < len(f.series) {
			record[1] = strconv.FormatFloat(f.series[row], 'g', -1, 64)
		}
		if row >= f.first {
			record[2] = strconv.FormatFloat(f.predictions[row-f.first], 'g', -1, 32)
		}
		w.Write(record)
	}
	w.Flush()
	return w.Error()
}
