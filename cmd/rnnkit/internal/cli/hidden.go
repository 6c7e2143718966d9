package cli

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"gonum.org/v1/gonum/mat"

	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/pca"
	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/picture"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/tensor"
)

type hiddenOptions struct {
	*streams
	engineFlags
	column  string
	last    int
	picture string
	csv     bool

	flags *pflag.FlagSet
}

const hiddenLong = `Run a model over the whole series on standard input and show the path that its
hidden state, the outputs of the last layer, takes: in the two directions in which
it varies most, by principal component analysis. It prints how much of the
variance these two explain. With --last the model still reads all of the series,
and what is shown and explained is the end.

The picture is coloured by time and has every fifth step numbered, fewer in a long
series.`

const hiddenExample = `  rnnkit data sine | rnnkit hidden sine.onnx --last 50 -o trajectory.svg
  rnnkit hidden sine.onnx --csv < series.csv > trajectory.csv`

func newHiddenCmd(s *streams) *cobra.Command {
	return newVerbCmd(&hiddenOptions{streams: s}, &cobra.Command{
		Use:     "hidden MODEL.onnx < series.csv",
		Short:   "Show the path of a model's hidden state",
		Long:    hiddenLong,
		Example: hiddenExample,
		Args:    modelAndData("hidden"),
	})
}

func (o *hiddenOptions) addFlags(flags *pflag.FlagSet) {
	o.flags = flags
	flags.StringVarP(&o.picture, "output", "o", "", "draw the path to this file: .svg, .png or .pdf")
	flags.BoolVar(&o.csv, "csv", false, "print the path as CSV, and what it explains on standard error")
	flags.IntVar(&o.last, "last", 0, "show only this many steps at the end (default all)")
	flags.StringVar(&o.column, "column", "", "the column, by name or number (default the one trained on, or the only one of values)")
	o.add(flags)
}

func (o *hiddenOptions) validate() error {
	if o.flags.Changed("last") && o.last < 2 {
		return usagef("--last is %d: it must be 2 or more", o.last)
	}
	if o.picture != "" {
		if err := checkPicture("-o", o.picture); err != nil {
			return err
		}
	}
	return o.engineFlags.validate()
}

func (o *hiddenOptions) run(ctx context.Context, args []string) error {
	t, err := o.trajectory(ctx, args[0])
	if err != nil {
		return err
	}
	if o.picture != "" {
		if err := t.draw(o.picture); err != nil {
			return err
		}
	}
	summary := o.Out
	if o.csv {
		summary = o.Err
		if err := t.print(csv.NewWriter(o.Out)); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(summary, "explained variance: component 1 %.4f, component 2 %.4f, together %.4f\n", t.Ratio[0], t.Ratio[1], t.Ratio[0]+t.Ratio[1])
	return err
}

// trajectory runs the model at path over the series on standard input.
func (o *hiddenOptions) trajectory(ctx context.Context, path string) (*trajectory, error) {
	model, err := o.open(ctx, path, o.Err)
	if err != nil {
		return nil, err
	}
	defer model.Close()
	meta := model.Metadata()
	switch {
	case meta == nil:
		return nil, fmt.Errorf("%s has no rnnkit metadata, so there is no telling what it reads: give a model that rnnkit exported", path)
	case meta.Spec.Features != 1:
		return nil, fmt.Errorf("%s does not read a series of one value a step: give a model that does", path)
	}
	column, err := o.readSeries(o.column, meta.Columns)
	if err != nil {
		return nil, err
	}
	if len(column.Values) < 2 {
		return nil, fmt.Errorf("%s: one value is no path: give it a series of two or more", stdinName)
	}
	hidden, err := hiddenStates(ctx, model, column.Values)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	rows, width := hidden.Dims()
	first := 0
	if o.last > 0 {
		first = max(0, rows-o.last)
	}
	components, err := pca.Fit(hidden.Slice(first, rows, 0, width), 2)
	if err != nil {
		return nil, fmt.Errorf("the hidden states of %s: %w", path, err)
	}
	return &trajectory{column.Title(), first, column.Values[first:], components}, nil
}

// hiddenStates runs m, which reads one value a step, over a series. It returns a row
// for each step: the outputs of the last layer.
func hiddenStates(ctx context.Context, m *infer.Model, series []float64) (*mat.Dense, error) {
	input := make([]float32, len(series))
	for i, y := range series {
		input[i] = float32(y)
	}
	const name = "hidden"
	results, err := m.Run(ctx, map[string]tensor.Tensor{"input": tensor.Of(input, 1, len(input), 1)}, name)
	if err != nil {
		return nil, err
	}
	values, err := tensor.Values[float32](results[name])
	if err != nil || len(values) == 0 || len(values)%len(series) != 0 {
		return nil, errors.New(`output "hidden" is not what the last layer answers at each step: export the model again`)
	}
	hidden := mat.NewDense(len(series), len(values)/len(series), nil)
	for i, v := range values {
		hidden.RawMatrix().Data[i] = float64(v)
	}
	return hidden, nil
}

// trajectory is the path of the hidden state over a series that begins at row first of
// the data, counted from 0. Its Scores have a row for each step.
type trajectory struct {
	name   string
	first  int
	series []float64
	*pca.Result
}

// print writes a line of CSV for every step. Rows are numbered from 1.
func (t *trajectory) print(w *csv.Writer) error {
	w.Write([]string{"row", t.name, "component 1", "component 2"})
	for i, y := range t.series {
		record := []string{strconv.Itoa(t.first + i + 1), strconv.FormatFloat(y, 'g', -1, 64)}
		for k := range 2 {
			record = append(record, strconv.FormatFloat(t.Scores.At(i, k), 'g', -1, 32))
		}
		w.Write(record)
	}
	w.Flush()
	return w.Error()
}

// draw writes a picture of the path to the file at that path.
func (t *trajectory) draw(path string) error {
	points := make([][2]float64, len(t.series))
	for i := range points {
		points[i] = [2]float64{t.Scores.At(i, 0), t.Scores.At(i, 1)}
	}
	return picture.Trajectory{Points: points, First: t.first, Explained: [2]float64(t.Ratio)}.Write(path)
}
