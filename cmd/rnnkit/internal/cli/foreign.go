package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/reading"
	"github.com/rnnkit/rnnkit/models"
)

// foreignFlags say of a model from elsewhere what it is for, and what neither its
// graph nor experiments tell.
type foreignFlags struct {
	task    string
	inputs  []string // NAME, or NAME=VALUE
	outputs []string // NAME, or NAME=FILE
	layouts []string
	window  int
	horizon int
	target  string
	answers string
	labels  []string
}

func (f *foreignFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.task, "task", "", "forecast or classify: what a model from elsewhere is for")
	flags.StringArrayVar(&f.inputs, "input", nil, "NAME of the input that reads the sequence, or NAME=VALUE of another: a .npy or .json file, or JSON")
	flags.StringArrayVar(&f.outputs, "output", nil, "NAME of the output that answers (default the only one that can), or with --raw NAME=FILE")
	flags.StringArrayVar(&f.layouts, "layout", nil, "NAME=LETTERS: what the dimensions of an input are: b batch, t time, f features, as tbf")
	flags.IntVar(&f.window, "window", 0, "steps that a forecaster from elsewhere looks back, or with which experiments try a classifier (default what its graph fixes)")
	flags.IntVar(&f.horizon, "horizon", 0, "steps ahead that a forecaster from elsewhere answers for: 1 where it answers for the next, or at every step")
	flags.StringVar(&f.target, "target", "", "the column that a forecaster from elsewhere answers for, if it reads several: only to print and draw it")
	flags.StringVar(&f.answers, "answers", "", "what a classifier from elsewhere answers with: "+orList(answerNames())+" (default what experiments tell)")
	flags.StringSliceVar(&f.labels, "labels", nil, "names of the classes of a model from elsewhere (default 0, 1, ...)")
}

func answerNames() (names []string) {
	for _, a := range reading.AllAnswers {
		names = append(names, string(a))
	}
	return names
}

func (f *foreignFlags) validate() error {
	switch {
	case f.task != "" && f.task != string(models.Forecast) && f.task != string(models.Classify):
		return usagef("--task is %q: it must be forecast or classify", f.task)
	case f.window < 0:
		return usagef("--window is %d: it must be 1 or more", f.window)
	case f.horizon < 0:
		return usagef("--horizon is %d: it must be 1 or more", f.horizon)
	case f.answers != "" && !slices.Contains(answerNames(), f.answers):
		return usagef("--answers is %q: it must be %s", f.answers, orList(answerNames()))
	}
	for i, label := range f.labels {
		if slices.Contains(f.labels[:i], label) {
			return usagef("--labels has %q twice: give each class a name of its own", label)
		}
	}
	return nil
}

// inferForeign runs a model from elsewhere by what it is said to be for.
func (o *inferOptions) inferForeign(ctx context.Context, model *infer.Model) error {
	source, choice, err := o.source(model)
	if err != nil {
		return fmt.Errorf("%s: %w", o.model, err)
	}
	if o.task == string(models.Classify) {
		c, err := source.Classifier(ctx, choice)
		if err != nil {
			return fmt.Errorf("%s: %w", o.model, advise(err))
		}
		fmt.Fprintln(o.Err, printable(c.String()))
		return advise(o.classifyForeign(ctx, c))
	}
	f, err := source.Forecaster(ctx, choice)
	if err != nil {
		return fmt.Errorf("%s: %w", o.model, advise(err))
	}
	fmt.Fprintln(o.Err, printable(f.String()))
	return advise(o.forecastForeign(ctx, f))
}

// source returns the model as one to be read, and what the flags say of it.
func (o *inferOptions) source(model *infer.Model) (s reading.Source, c reading.Choice, err error) {
	data, err := readModel(o.model)
	if err != nil {
		return s, c, err
	}
	m, err := onnxgraph.UnmarshalAny(data)
	if err != nil {
		return s, c, err
	}
	c = reading.Choice{Steps: o.window, Horizon: o.horizon, Answers: reading.Answers(o.answers), Labels: len(o.labels)}
	values := graphFlags{layouts: o.layouts}
	for _, text := range o.inputs {
		switch {
		case strings.Contains(text, "="):
			values.given = append(values.given, text)
		case c.Input != "":
			return s, c, usagef("--input %s and --input %s: one input reads the sequence; feed the others as NAME=VALUE", c.Input, text)
		default:
			c.Input = text
		}
	}
	switch n := len(o.outputs); {
	case n > 1:
		return s, c, usagef("--output is given %d times: a task has one answer; --raw prints several", n)
	case n == 1:
		c.Output = o.outputs[0]
	}
	g, err := values.graphOf(m)
	if err != nil {
		return s, c, err
	}
	return reading.Source{Graph: m, Inputs: g.inputs, Given: g.given, Runner: model}, c, nil
}

// remedies are what to do about what is in doubt.
var remedies = map[reading.Topic]string{
	reading.AboutInput:   "name it with --input NAME, and its dimensions with --layout NAME=btf (b batch, t time, f features), or use --raw",
	reading.AboutValue:   "give --input NAME=VALUE, or if it reads the sequence, name its dimensions with --layout NAME=btf (b batch, t time, f features)",
	reading.AboutLayout:  "give --layout NAME=LETTERS, such as btf or bft (b batch, t time, f features), or use --raw",
	reading.AboutOutput:  "choose one with --output NAME, say with --layout which dimensions of the input are batch and time, or use --raw",
	reading.AboutSteps:   "give --window N",
	reading.AboutHorizon: "give --horizon N if it answers for N steps ahead, --horizon 1 if for the next step alone or at every step; or choose another with --output, or use --raw",
	reading.AboutAnswers: "say what they are with --answers: logits, probabilities, log-probabilities, percent, odds or labels; or choose another with --output, or use --raw",
	reading.AboutLabels:  "name as many classes with --labels, or choose another with --output, or use --raw",
	reading.AboutNothing: "or use --raw", // what to do has been said
}

// advise adds to an error about what is in doubt the flags that decide it.
func advise(err error) error {
	var d *reading.Doubt
	if !errors.As(err, &d) {
		return err
	}
	remedy := remedies[d.About]
	if d.Name != "" {
		remedy = strings.ReplaceAll(remedy, "NAME=", d.Name+"=")
	}
	if d.About == reading.AboutNothing {
		return fmt.Errorf("%w, %s", err, remedy)
	}
	return fmt.Errorf("%w: %s", err, remedy)
}

// classifyForeign prints the label of every sequence.
func (o *inferOptions) classifyForeign(ctx context.Context, c *reading.Classifier) error {
	labels := o.labels
	for i := range cmp.Or(c.Classes, anyLabels) {
		if len(o.labels) == 0 {
			labels = append(labels, fmt.Sprint(i))
		}
	}
	return o.classifyRows(ctx, c, labels, datasets.RowFormat{Features: c.Features, Tokens: c.Tokens}, c.Answers != reading.Labels)
}

// anyLabels is how many numbers are taken for labels at the end of a line, where
// nobody says how many classes there are.
const anyLabels = 100

// forecastForeign prints the predictions of one or more series.
func (o *inferOptions) forecastForeign(ctx context.Context, f *reading.Forecaster) error {
	columns, err := o.readColumns(o.column, f.Features)
	if err != nil {
		return err
	}
	rows := make([][]float32, len(columns[0].Values))
	for i := range rows {
		for _, c := range columns {
			rows[i] = append(rows[i], float32(c.Values[i]))
		}
	}
	first, predict := f.Steps, f.Predict
	if o.steps > 0 {
		first = len(rows)
		predict = func(ctx context.Context, rows [][]float32) ([][]float64, error) {
			return f.Forecast(ctx, rows, o.steps)
		}
	}
	predictions, err := predict(ctx, rows)
	if err != nil {
		return err
	}
	list, err := o.forecasts(columns, first, predictions)
	if err != nil {
		return err
	}
	return o.printForecasts(list)
}

// forecasts returns the predictions, a row for each from the first on, by column:
// of one value a row, where several are read, of the column that --target names.
func (o *inferOptions) forecasts(columns []datasets.Column, first int, predictions [][]float64) ([]forecast, error) {
	width := len(predictions[0])
	switch {
	case o.target != "" && width == len(columns):
		return nil, usagef("--target is for a model that reads several columns and answers for one, and this one answers for %d of %d", width, len(columns))
	case o.target != "":
		target, err := find(columns, o.target)
		if err != nil {
			return nil, err
		}
		columns = []datasets.Column{target}
	case width < len(columns):
		columns = nil // which of them is not known
	}
	list := make([]forecast, width)
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

// find returns the column of that name, or of that number among columns.
func find(columns []datasets.Column, target string) (datasets.Column, error) {
	var names []string
	for i, c := range columns {
		if c.Name == target || fmt.Sprint(i+1) == target {
			return c, nil
		}
		names = append(names, c.Title())
	}
	return datasets.Column{}, usagef("--target is %q: it must be one of the columns that the model reads, by name or number: %q", target, names)
}
