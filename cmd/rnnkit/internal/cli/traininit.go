package cli

import (
	"fmt"
	"math"

	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/models"
)

// warmStart takes the parameters of the file that --init names.
func (o *trainOptions) warmStart(m *models.Model) error {
	if o.start == "" || o.Fit.Resume { // the checkpoint has the parameters
		return nil
	}
	data, err := readModel(o.start)
	if err != nil {
		return err
	}
	left, err := export.LoadParams(m.Params, m.Spec, data)
	if err != nil {
		return fmt.Errorf("%s: %w", o.start, err)
	}
	fmt.Fprintf(o.Err, "the parameters of %s\n", o.start)
	for _, line := range append(left, unlike(data, m)...) {
		fmt.Fprintf(o.Err, "but %s\n", printable(line))
	}
	return nil
}

// unlike returns a line for each thing that a file of ours says of its data and that
// the data of m, whose parameters it gives, does not have so.
func unlike(file []byte, m *models.Model) (lines []string) {
	from, err := infer.OpenBytes(file)
	if err != nil {
		return nil
	}
	defer from.Close()
	meta := from.Metadata()
	if meta == nil {
		return nil
	}
	scale := func(what string, theirs, ours *models.Scale) {
		if !alike(theirs, ours) {
			lines = append(lines, fmt.Sprintf("%s: the file's is %s, this data's %s, and its parameters are of other units", what, describeScale(theirs), describeScale(ours)))
		}
	}
	scale("scale of the input", meta.InputScale, m.InputScale)
	scale("scale of the output", meta.OutputScale, m.OutputScale)
	names := func(what string, theirs, ours []string) {
		for i := range min(len(theirs), len(ours)) {
			if theirs[i] != ours[i] {
				lines = append(lines, fmt.Sprintf("%s: number %d is %q in the file and %q in this data, and its parameters are of others", what, i, theirs[i], ours[i]))
				return
			}
		}
	}
	names("vocabulary", meta.Vocabulary, m.Vocabulary)
	names("labels", meta.Labels, m.Labels)
	return lines
}

// alike reports whether two scales differ by less than a tenth of a deviation.
func alike(a, b *models.Scale) bool {
	if a == nil || b == nil || len(a.Mean) != len(b.Mean) {
		return a == b
	}
	for i := range a.Mean {
		if std := b.Std[i]; math.Abs(float64((a.Mean[i]-b.Mean[i])/std)) > 0.1 || math.Abs(float64(a.Std[i]/std-1)) > 0.1 {
			return false
		}
	}
	return true
}

func describeScale(s *models.Scale) string {
	if s == nil {
		return "none"
	}
	return fmt.Sprintf("mean %.4g, deviation %.4g", s.Mean, s.Std)
}
