package cli

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/tensor"
)

// classify prints the label of every sequence from standard input.
func (o *inferOptions) classify(ctx context.Context, model *infer.Model) error {
	classifier, err := infer.NewClassifier(model)
	if err != nil {
		return fmt.Errorf("%s: %w", o.model, err)
	}
	labels := labelsOf(classifier)
	rows, err := o.readRows(model.Description(), labels)
	if err != nil {
		return err
	}
	probabilities, err := classifier.ClassifyBatch(ctx, tensors(rows))
	if err != nil {
		return fmt.Errorf("%s: %w", o.model, inData(advise(err)))
	}
	likeliest := make([]int, len(probabilities))
	for i, p := range probabilities {
		likeliest[i] = slices.Index(p, slices.Max(p))
	}
	if err := o.printLabels(model.Description(), labels, likeliest, probabilities); err != nil {
		return err
	}
	o.tellAccuracy(rows.Labels, likeliest)
	return nil
}

// anyLabels is how many numbers are taken for labels at the end of a line, where nobody
// says how many classes there are.
const anyLabels = 100

func labelsOf(c *infer.Classifier) []string {
	labels := c.Labels()
	for i := 0; len(c.Labels()) == 0 && i < anyLabels; i++ {
		labels = append(labels, strconv.Itoa(i))
	}
	return labels
}

// readRows reads sequences, and their labels if the lines have them.
func (o *inferOptions) readRows(d *infer.Description, labels []string) (*datasets.Rows, error) {
	o.greet()
	format := datasets.RowFormat{Features: d.Features, Tokens: d.Tokens, Vocabulary: d.Vocabulary, Labels: labels, Label: o.label, Longest: d.Window}
	if d.Features == 0 && d.Tokens == 0 {
		format.Tokens = math.MaxInt16
	}
	if o.unlabelled {
		format.Labels = nil
	}
	rows, err := datasets.ReadRows(o.In, stdinName, format)
	switch {
	case errors.Is(err, datasets.ErrLabelOrValue):
		return nil, fmt.Errorf("%w, or name its column by --label; if it is a value, give --unlabelled", err)
	case errors.Is(err, datasets.ErrWhichLabel):
		return nil, fmt.Errorf("%w, or name it by --label, or give --unlabelled", err)
	case err != nil:
		return nil, err
	}
	o.tellRows(rows)
	return rows, nil
}

// tensors returns the sequences of rows.
func tensors(rows *datasets.Rows) (sequences []tensor.Tensor) {
	for _, tokens := range rows.Tokens {
		sequences = append(sequences, tensor.Of(tokens, len(tokens)))
	}
	for _, values := range rows.Inputs {
		sequences = append(sequences, tensor.Of(values, len(values)/rows.Features, rows.Features))
	}
	return sequences
}

// printLabels prints the likeliest label of each sequence, with its probability if the
// model tells that.
func (o *inferOptions) printLabels(d *infer.Description, labels []string, likeliest []int, probabilities [][]float64) error {
	w := csv.NewWriter(o.Out)
	w.Write([]string{"row", "label", "probability"})
	for i, class := range likeliest {
		record := []string{strconv.Itoa(i + 1), strconv.Itoa(class), ""}
		if class < len(labels) {
			record[1] = labels[class]
		}
		if d.Answers != infer.ClassNumbers {
			record[2] = strconv.FormatFloat(probabilities[i][class], 'g', -1, 32)
		}
		w.Write(record)
	}
	w.Flush()
	return w.Error()
}

// tellAccuracy says how many of the labels the model has right, if there are any.
func (o *inferOptions) tellAccuracy(labels []int64, likeliest []int) {
	if labels == nil {
		return
	}
	right := 0
	for i, class := range likeliest {
		if labels[i] == int64(class) {
			right++
		}
	}
	fmt.Fprintf(o.Err, "%d of %d labels right: accuracy %.4f\n", right, len(labels), float64(right)/float64(len(labels)))
}
