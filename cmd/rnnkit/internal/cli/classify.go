package cli

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/tensor"
)

// classify prints the label of every sequence.
func (o *inferOptions) classify(ctx context.Context, model *infer.Model) error {
	classifier, err := infer.NewClassifier(model)
	if err != nil {
		return fmt.Errorf("%s: %w", o.model, err)
	}
	meta := model.Metadata()
	format := datasets.RowFormat{Features: meta.Spec.Features, Tokens: meta.Spec.Vocabulary, Vocabulary: meta.Vocabulary, Longest: meta.Window}
	return o.classifyRows(ctx, classifier, meta.Labels, format, true)
}

// classifier tells how likely each sequence is to be of each class.
type classifier interface {
	ClassifyBatch(ctx context.Context, sequences []tensor.Tensor) ([][]float64, error)
}

// classifyRows prints the label of every sequence from standard input, with its
// probability where the classifier knows that.
func (o *inferOptions) classifyRows(ctx context.Context, c classifier, labels []string, format datasets.RowFormat, likely bool) error {
	o.greet()
	format.Labels, format.Label = labels, o.label
	if o.unlabelled {
		format.Labels = nil
	}
	rows, err := datasets.ReadRows(o.In, stdinName, format)
	switch {
	case errors.Is(err, datasets.ErrLabelOrValue):
		return fmt.Errorf("%w, or name its column by --label; if it is a value, give --unlabelled", err)
	case errors.Is(err, datasets.ErrWhichLabel):
		return fmt.Errorf("%w, or name it by --label, or give --unlabelled", err)
	case err != nil:
		return err
	}
	o.tellRows(rows)
	var sequences []tensor.Tensor
	for _, tokens := range rows.Tokens {
		sequences = append(sequences, tensor.Of(tokens, len(tokens)))
	}
	for _, values := range rows.Inputs {
		sequences = append(sequences, tensor.Of(values, len(values)/rows.Features, rows.Features))
	}
	probabilities, err := c.ClassifyBatch(ctx, sequences)
	if err != nil {
		return fmt.Errorf("%s: %w", o.model, err)
	}

	right := 0
	w := csv.NewWriter(o.Out)
	w.Write([]string{"row", "label", "probability"})
	for i, p := range probabilities {
		likeliest := slices.Index(p, slices.Max(p))
		if rows.Labels != nil && rows.Labels[i] == int64(likeliest) {
			right++
		}
		record := []string{strconv.Itoa(i + 1), strconv.Itoa(likeliest), ""}
		if likeliest < len(labels) {
			record[1] = labels[likeliest]
		}
		if likely {
			record[2] = strconv.FormatFloat(p[likeliest], 'g', -1, 32)
		}
		w.Write(record)
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return err
	}
	if rows.Labels != nil {
		fmt.Fprintf(o.Err, "%d of %d labels right: accuracy %.4f\n", right, len(rows.Labels), float64(right)/float64(len(rows.Labels)))
	}
	return nil
}
