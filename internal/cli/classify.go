package cli

import (
	"context"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/engine"
)

// classify prints the label of every sequence.
func (o *inferOptions) classify(ctx context.Context, model *infer.Model) error {
	classifier, err := infer.NewClassifier(model)
	if err != nil {
		return fmt.Errorf("%s: %w", o.model, err)
	}
	o.greet()
	meta := model.Metadata()
	rows, err := datasets.ReadRows(o.In, stdinName, datasets.RowFormat{
		Features: meta.Spec.Features, Tokens: meta.Spec.Vocabulary, Vocabulary: meta.Vocabulary, Labels: meta.Labels,
	})
	if err != nil {
		return err
	}
	var sequences []infer.Tensor
	for _, tokens := range rows.Tokens {
		sequences = append(sequences, engine.Of(tokens, len(tokens)))
	}
	for _, values := range rows.Inputs {
		sequences = append(sequences, engine.Of(values, len(values)/rows.Features, rows.Features))
	}
	probabilities, err := classifier.ClassifyBatch(ctx, sequences)
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
		w.Write([]string{strconv.Itoa(i + 1), classifier.Labels()[likeliest], strconv.FormatFloat(p[likeliest], 'g', -1, 32)})
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return err
	}
	if rows.Labels == nil && endInLabels(rows.Inputs, meta.Labels) {
		fmt.Fprintln(o.Err, `note: the last value of every line is one of the model's labels: if it is the label, give the column the name "label" in a first line`)
	}
	if rows.Labels != nil {
		fmt.Fprintf(o.Err, "%d of %d labels right: accuracy %.4f\n", right, len(rows.Labels), float64(right)/float64(len(rows.Labels)))
	}
	return nil
}

// endInLabels tells whether the last value of every sequence is one of the labels,
// which are numbers, and other values are not.
func endInLabels(sequences [][]float32, labels []string) bool {
	values := make(map[float32]bool)
	for _, label := range labels {
		v, err := strconv.ParseFloat(label, 32)
		if err != nil {
			return false
		}
		values[float32(v)] = true
	}
	others := false
	for _, x := range sequences {
		if len(x) == 0 || !values[x[len(x)-1]] {
			return false
		}
		others = others || slices.ContainsFunc(x, func(v float32) bool { return !values[v] })
	}
	return others
}
