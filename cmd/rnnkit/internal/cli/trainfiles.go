package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/rnnkit/rnnkit"
	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/presets"
	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/models"
)

func newTrainForecastCmd(s *streams) *cobra.Command {
	o := newTrainOptions(s, models.Forecast, presets.Options{Options: rnnkit.ForecasterOptions()})
	var path, column, scale string
	cmd := o.newFileCmd(&cobra.Command{
		Use:   "forecast",
		Short: "Forecast the next value of a column of your own CSV file",
		Example: `  rnnkit train forecast --data sunspots.csv -o sunspots.onnx
  rnnkit train forecast --data sales.csv --column revenue --seq-len 30 -o revenue.onnx`,
	}, &path, &scale, func(ctx context.Context) error {
		c, err := s.readColumnFile(path, column)
		if err != nil {
			return err
		}
		if column != "" {
			c.Name = c.Title() // by which infer finds it again in a file without names
		}
		j, err := rnnkit.NewForecaster([]datasets.Column{c}, o.Options.Options)
		return o.runNamed(ctx, j, err)
	})
	flags := cmd.Flags()
	flags.StringVar(&path, "data", "", "the CSV file, - for standard input")
	flags.StringVar(&column, "column", "", "its column, by name or number (default the only one of values)")
	flags.StringVar(&scale, "scale", "standard", "standard: mean 0, deviation 1 over the training part, undone inside the graph; or none")
	o.addFlags(cmd)
	return cmd
}

func newTrainTextCmd(s *streams) *cobra.Command {
	o := newTrainOptions(s, models.Generate, presets.Options{Options: rnnkit.GeneratorOptions()})
	var path string
	cmd := o.newFileCmd(&cobra.Command{
		Use:   "text",
		Short: "Learn to write like your own text",
		Example: `  rnnkit train text --data shakespeare.txt -o shakespeare.onnx
  rnnkit train text --data shakespeare.txt --cell gru --hidden 256 --layers 2 --dropout 0.2 -o m.onnx`,
	}, &path, nil, func(ctx context.Context) error {
		text, err := readData(path, s.In, datasets.ReadText)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.Err, "data: %d characters, %d different\n", utf8.RuneCountInString(text), len(datasets.Vocabulary(text)))
		j, err := rnnkit.NewGenerator(text, o.Options.Options)
		return o.runNamed(ctx, j, err)
	})
	flags := cmd.Flags()
	flags.StringVar(&path, "data", "", "the text file, in UTF-8; - for standard input")
	flags.IntVar(&o.Stride, "stride", o.Stride, "characters from one window to the next")
	o.addFlags(cmd)
	return cmd
}

func newTrainClassifyCmd(s *streams) *cobra.Command {
	o := newTrainOptions(s, models.Classify, presets.Options{Options: rnnkit.ClassifierOptions()})
	var path, label, scale string
	cmd := o.newFileCmd(&cobra.Command{
		Use:   "classify",
		Short: "Tell the label of the sequences in your own CSV file",
		Long: `Tell the label of the sequences in your own CSV file: one on each line, its
values and its label. Lines may have different lengths. The label is in the column
that the first line calls label, class or target, or else last; --label names
another. Columns of dates, and those that the first line calls id or index or not
at all, are not read. Equal sequences train together or test together.`,
		Example: `  rnnkit train classify --data gestures.csv -o gestures.onnx
  rnnkit train classify --data ucr.tsv --label 1 -o ucr.onnx`,
	}, &path, &scale, func(ctx context.Context) error {
		rows, err := s.readSequencesFile(path, label)
		if err != nil {
			return err
		}
		j, err := rnnkit.NewSequenceClassifier(rows.Sequences, nil, rows.Names, o.Options.Options)
		if err == nil {
			s.tellCopies(rows.Sequences, j)
		}
		return o.runNamed(ctx, j, err)
	})
	flags := cmd.Flags()
	flags.StringVar(&path, "data", "", "the CSV file, - for standard input")
	flags.StringVar(&label, "label", "", "the column of the labels, by name or number (default the one that is called so, or the last)")
	flags.StringVar(&scale, "scale", "standard", "standard: mean 0, deviation 1 over the training part, inside the graph; or none")
	o.addFlags(cmd)
	return cmd
}

// readSequencesFile reads labelled sequences from the CSV file at path, or from
// stdin for "-", and says what it read.
func (s *streams) readSequencesFile(path, label string) (*datasets.Rows, error) {
	rows, err := readData(path, s.In, func(r io.Reader, file string) (*datasets.Rows, error) {
		return datasets.ReadSequences(r, file, label)
	})
	if errors.Is(err, datasets.ErrWhichLabel) {
		return nil, fmt.Errorf("%w, or name it by --label", err)
	}
	if err != nil {
		return nil, err
	}
	s.tellRows(rows)
	return rows, nil
}

// tellCopies says which part of a job equal sequences come into.
func (s *streams) tellCopies(all *datasets.Sequences, j *rnnkit.Job) {
	train, test := j.TrainData.(*datasets.Sequences), j.TestData.(*datasets.Sequences)
	if n := test.Shared(train); n > 0 {
		fmt.Fprintf(s.Err, "note: %d of the %d sequences that test are equal to some that train, so the accuracy says little about others\n", n, test.Len())
	} else if n := all.Copies(); n > 0 {
		fmt.Fprintf(s.Err, "note: %d of %d sequences are equal to others; equal ones train together or test together\n", n, all.Len())
	}
}

// tellRows says what was read of sequences.
func (s *streams) tellRows(rows *datasets.Rows) {
	fmt.Fprintf(s.Err, "data: %s\n", printable(rows.About))
	for _, note := range rows.Notes {
		fmt.Fprintf(s.Err, "note: %s\n", printable(note))
	}
}

// runNamed runs a job over a file, or names the file in the error of making the job.
func (o *trainOptions) runNamed(ctx context.Context, j *rnnkit.Job, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", o.DataName, withFlag(err))
	}
	return o.run(ctx, j)
}

// newFileCmd completes the command of a job over the file that path names once flags
// are read. It calls run when all flags are known to be right.
func (o *trainOptions) newFileCmd(cmd *cobra.Command, path, scale *string, run func(ctx context.Context) error) *cobra.Command {
	cmd.Args = cobra.ArbitraryArgs
	cmd.Flags().SortFlags = false
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usagef("give the file as --data %s", args[0])
		}
		if *path == "" {
			return usagef("say what to learn from: --data FILE")
		}
		if scale != nil {
			if *scale != "standard" && *scale != "none" {
				return usagef("--scale is %q: it must be standard or none", *scale)
			}
			o.Scale = *scale == "standard"
		}
		if err := o.validate(); err != nil {
			return err
		}
		if err := o.distinct(*path); err != nil {
			return err
		}
		o.DataName = filepath.Base(*path)
		if *path == "-" {
			o.DataName = stdinName
		}
		return run(cmd.Context())
	}
	return cmd
}
