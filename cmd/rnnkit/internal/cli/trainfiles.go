package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rnnkit/rnnkit"
	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/models"
)

// trainFile has the flags of a training on a file.
type trainFile struct {
	*trainOptions
	path string
}

func (v *trainFile) addScaleFlag(f *pflag.FlagSet, where string) {
	f.StringVar(&v.words.scale, "scale", v.words.scale, "standard: mean 0, deviation 1 over the training part, "+where+"; or none")
}

func (v *trainFile) validate() error {
	if v.path == "" {
		return usagef("say what to learn from: --data FILE")
	}
	if err := v.validateTrain(); err != nil {
		return err
	}
	v.DataName = filepath.Base(v.path)
	if v.path == "-" {
		v.DataName = stdinName
	}
	return v.distinct(v.path)
}

// dataByFlag refuses arguments.
func dataByFlag(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("give the file as --data %s", args[0])
	}
	return nil
}

// trainText is the verb that trains a generator.
type trainText struct {
	trainFile
	options rnnkit.GeneratorOptions
}

func newTrainTextCmd(s *streams) *cobra.Command {
	v := &trainText{options: rnnkit.DefaultGeneratorOptions()}
	o := &v.options
	v.trainOptions = newTrainOptions(trainOptions{streams: s, task: models.Generate, validator: o, Options: &o.Options, window: &o.Window})
	return newTrainVerbCmd(v, v.trainOptions, &cobra.Command{
		Use:   "text",
		Short: "Learn to write like your own text",
		Example: `  rnnkit train text --data shakespeare.txt -o shakespeare.onnx
  rnnkit train text --data shakespeare.txt --cell gru --hidden 256 --layers 2 --dropout 0.2 -o m.onnx`,
		Args: dataByFlag,
	})
}

func (v *trainText) addFlags(f *pflag.FlagSet) {
	f.StringVar(&v.path, "data", "", "the text file, in UTF-8; - for standard input")
	f.IntVar(&v.options.Stride, "stride", v.options.Stride, "characters from one window to the next")
	v.addTrainFlags(f)
}

func (v *trainText) run(ctx context.Context, _ []string) error {
	text, err := readData(v.path, v.In, datasets.ReadText)
	if err != nil {
		return err
	}
	fmt.Fprintf(v.Err, "data: %d characters, %d different\n", utf8.RuneCountInString(text), len(datasets.Vocabulary(text)))
	j, err := rnnkit.NewGenerator(text, v.options)
	return v.trainJob(ctx, j, err)
}

// trainClassify is the verb that trains a classifier.
type trainClassify struct {
	trainFile
	options rnnkit.ClassifierOptions
	label   string
}

func newTrainClassifyCmd(s *streams) *cobra.Command {
	v := &trainClassify{options: rnnkit.DefaultClassifierOptions()}
	o := &v.options
	v.trainOptions = newTrainOptions(trainOptions{streams: s, task: models.Classify, validator: o, Options: &o.Options, scale: &o.Scale})
	return newTrainVerbCmd(v, v.trainOptions, &cobra.Command{
		Use:   "classify",
		Short: "Tell the label of the sequences in your own CSV file",
		Long: `Tell the label of the sequences in your own CSV file: one on each line, its
values and its label. Lines may have different lengths. The label is in the column
that the first line calls label, class or target, or else last; --label names
another. Columns of dates, and those that the first line calls id or index or not
at all, are not read. Equal sequences train together or test together.`,
		Example: `  rnnkit train classify --data gestures.csv -o gestures.onnx
  rnnkit train classify --data ucr.tsv --label 1 -o ucr.onnx`,
		Args: dataByFlag,
	})
}

func (v *trainClassify) addFlags(f *pflag.FlagSet) {
	f.StringVar(&v.path, "data", "", "the CSV file, - for standard input")
	f.StringVar(&v.label, "label", "", "the column of the labels, by name or number (default the one that is called so, or the last)")
	v.addScaleFlag(f, "inside the graph")
	v.addTrainFlags(f)
}

func (v *trainClassify) run(ctx context.Context, _ []string) error {
	rows, err := v.readSequencesFile(v.path, v.label)
	if err != nil {
		return err
	}
	j, err := rnnkit.NewSequenceClassifier(rows.Sequences, nil, rows.Names, v.options)
	if err == nil {
		v.tellCopies(rows.Sequences, j)
	}
	return v.trainJob(ctx, j, err)
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
