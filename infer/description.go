package infer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/inputs"
	"github.com/rnnkit/rnnkit/models"
)

// Description says how a model does its task: which input takes the sequences and in
// which layout, and what the output is. A model that rnnkit exported has one in its
// metadata; any other model gets one from [Model.Describe].
//
// A layout has a letter for each dimension: b is the batch, t the time, and f the
// features of a step. In the layout of the output, f are the values of an answer, h the
// steps ahead that a forecast reaches, x those steps with their values one after the
// other in one dimension, and 1 a dimension of size 1. An output with t has an answer at
// each step, of which the last one counts.
type Description struct {
	Task models.Task

	Input    string            // the name of the input that takes the sequences
	Layouts  map[string]string // of the inputs, by name
	Features int               // values of a step; 0 for a model of tokens
	Tokens   int               // how many tokens there are; 0 if that is not known
	Steps    int               // that every sequence must have; 0 for any number

	Constants map[string]tensor.Tensor // other inputs, which are the same in each run
	Zeros     []string                 // other inputs, which are zeros in each run

	Output       string // the name of the output
	OutputLayout string
	Width        int // values of an answer: one for each class, or each column that is forecast

	// Window is the number of steps that a forecaster looks back. For a classifier it is
	// that of the longest sequence in training, 0 if unknown, and what Describe is given
	// is the length of the sequences in its experiments.
	Window int

	// What follows is for a forecaster. It predicts the Horizon steps that follow a
	// window, of all columns or of the Target alone. Names may be missing.
	Horizon int
	Columns []string
	Target  string

	// What follows is for a classifier. An answer of one number is about the second of
	// two classes.
	Labels  []string // names of the classes; empty if nobody knows how many there are
	Answers Answers

	Vocabulary []string // for a generator, the text of each token

	tolerance float64 // by how much probabilities may miss a sum of 1; 0 if it is not checked
}

// AmbiguousError reports that neither the graph of a model nor experiments tell what a
// field of its [Description] is. The caller has to set the field.
type AmbiguousError struct {
	Field  string // the field's name; empty if no field helps
	Name   string // the input or output in question; empty if there are several
	Reason string // what the graph and the experiments tell
}

func (e *AmbiguousError) Error() string {
	if e.Field == "" {
		return e.Reason
	}
	return fmt.Sprintf("%s: set %s of the Description", e.Reason, e.Field)
}

func ambiguous(field, name, format string, args ...any) error {
	return &AmbiguousError{field, name, fmt.Sprintf(format, args...)}
}

// isAmbiguous reports whether err is an AmbiguousError about one of the fields.
func isAmbiguous(err error, fields ...string) bool {
	var a *AmbiguousError
	return errors.As(err, &a) && slices.Contains(fields, a.Field)
}

// TaskError reports that a model does another task than the one that is asked for.
type TaskError struct {
	Task models.Task // of the model; empty if nobody has described it
	Want models.Task
}

func (e *TaskError) Error() string {
	if e.Task == "" {
		return "the model has no rnnkit metadata, so its task is unknown: use Model.Describe first, or Model.Run"
	}
	return fmt.Sprintf("the model's task is %q, not %q: use what fits that task, or Model.Run", e.Task, e.Want)
}

// Description returns how m does its task, or nil for a model from elsewhere that has
// not been described. The caller must not change it.
func (m *Model) Description() *Description { return m.description.Load() }

// Describe finds out how m does a task, for NewForecaster, NewClassifier, NewGenerator
// and the Step methods. It is for a model that rnnkit did not export. Use it before
// those.
//
// The caller sets the fields that it knows, at least the Task and for a forecaster the
// Window, unless the graph fixes that. Describe reads the others off the graph, and
// finds by experiments what the graph does not tell: it runs the model on random
// sequences, for a minute at most. Where all of this leaves a field open the error is an
// [*AmbiguousError]. A field that cannot be used is a [*models.FieldError].
//
// With an OutputLayout there are no experiments: then Width and Horizon are 1 unless
// they are set, and a classifier needs the Answers.
func (m *Model) Describe(ctx context.Context, known Description) error {
	if m.meta != nil {
		return errors.New("the model has rnnkit metadata, which describes it: leave out Describe")
	}
	if err := known.Validate(); err != nil {
		return err
	}
	if known.Task == "" {
		return &models.FieldError{Field: "Task", Value: known.Task, Want: "forecast, classify or generate"}
	}
	if m.graph == nil {
		return fmt.Errorf("the model cannot be described: its graph cannot be read: %w", m.graphErr)
	}
	list, err := inputs.Of(m.graph, known.Layouts)
	if err != nil {
		return err
	}
	d, err := (&subject{model: m, graph: m.graph, inputs: list}).describe(ctx, known)
	if err != nil {
		return err
	}
	m.description.Store(d)
	return nil
}

var tasks = []models.Task{models.Forecast, models.Classify, models.Generate}

// Validate returns a [*models.FieldError] for the first field that cannot be used with any
// model. An empty Task is none.
func (d *Description) Validate() error {
	for i, label := range d.Labels {
		if slices.Contains(d.Labels[:i], label) {
			return &models.FieldError{Field: fmt.Sprintf("Labels[%d]", i), Value: label, Want: "a name that no other class has"}
		}
	}
	switch {
	case d.Task != "" && !slices.Contains(tasks, d.Task):
		return &models.FieldError{Field: "Task", Value: d.Task, Want: "forecast, classify or generate"}
	case d.Window < 0:
		return &models.FieldError{Field: "Window", Value: d.Window, Want: "1 or more, or 0 to find it out"}
	case d.Horizon < 0:
		return &models.FieldError{Field: "Horizon", Value: d.Horizon, Want: "1 or more, or 0 to find it out"}
	case d.Answers != "" && !slices.Contains(AllAnswers, d.Answers):
		return &models.FieldError{Field: "Answers", Value: d.Answers, Want: fmt.Sprintf("one of %q", AllAnswers)}
	case strings.Trim(d.OutputLayout, "btfhx1") != "" || d.OutputLayout != "" && strings.Count(d.OutputLayout, "b") != 1:
		return &models.FieldError{Field: "OutputLayout", Value: d.OutputLayout, Want: "letters of b, t, f, h, x and 1, with one b"}
	case d.Task == models.Classify && d.OutputLayout != "" && d.Answers == "":
		return &models.FieldError{Field: "Answers", Value: d.Answers, Want: fmt.Sprintf("one of %q, since there is an OutputLayout", AllAnswers)}
	}
	return nil
}

// describe returns the description in the metadata of a model that rnnkit exported.
func describe(meta *models.Metadata) *Description {
	d := &Description{
		Task: meta.Task, Input: inputName, Features: meta.Spec.Features, Tokens: meta.Spec.Vocabulary,
		Layouts: map[string]string{inputName: "btf"}, Output: outputName, OutputLayout: "bf", Width: meta.Spec.Outputs,
		Window: meta.Window, Columns: meta.Columns, Target: meta.Target, Labels: meta.Labels, Vocabulary: meta.Vocabulary,
	}
	if meta.Spec.Direct != nil {
		d.describeDirect(meta.Spec)
		return d
	}
	if d.Tokens > 0 {
		d.Features, d.Layouts[inputName] = 0, "bt"
	}
	switch meta.Task {
	case models.Classify:
		d.Answers = Logits
	case models.Forecast:
		d.Width, d.Horizon = meta.Targets(), max(1, meta.Horizon)
		if d.Horizon > 1 {
			d.OutputLayout = "bx"
		}
	}
	if meta.Spec.Readout == models.ReadAll {
		d.OutputLayout = "bt" + d.OutputLayout[1:]
	}
	return d
}

// describeDirect completes the description of a direct forecaster.
func (d *Description) describeDirect(spec models.Spec) {
	d.Steps, d.Horizon, d.Width, d.OutputLayout = spec.Direct.Window, spec.Direct.Horizon, spec.Direct.Targets, "bhf"
	for _, in := range inputsOf(spec)[1:] {
		d.Layouts[in.Name] = "btf"[:len(in.Shape)]
		if len(in.Shape) == 2 {
			d.Layouts[in.Name] = "bf"
		}
	}
}

// task returns how m does the given task. It is an error if m does another one, or if the
// graph is not what the metadata says.
func (m *Model) task(want models.Task) (*Description, error) {
	if m == nil {
		return nil, &models.FieldError{Field: "m", Value: nil, Want: "a model that Open returned"}
	}
	d := m.Description()
	switch {
	case d == nil:
		return nil, &TaskError{Want: want}
	case d.Task != want:
		return nil, &TaskError{Task: d.Task, Want: want}
	case m.meta != nil:
		return d, m.checkInputs()
	}
	return d, nil
}

// classes returns how many classes there are, or 0 if nobody knows.
func (d *Description) classes() int {
	if d.Answers == ClassNumbers {
		return len(d.Labels)
	}
	return max(2, d.Width)
}

// String describes the input and the output in a line.
func (d *Description) String() string {
	in := fmt.Sprintf("input %q %s", d.Input, dims(d.Layouts[d.Input], map[byte]int{inputs.Time: max(d.Window, d.Steps), inputs.Other: d.Features}))
	if d.Task == models.Classify {
		in = fmt.Sprintf("input %q %s", d.Input, dims(d.Layouts[d.Input], map[byte]int{inputs.Time: d.Steps, inputs.Other: d.Features}))
	}
	out := d.outputString()
	switch d.Task {
	case models.Forecast:
		return fmt.Sprintf("%s: %s; %s: %s", in, d.windows(), out, d.predictions())
	case models.Classify:
		return fmt.Sprintf("%s; %s: %s", in, out, d.meaning())
	}
	return fmt.Sprintf("%s; %s", in, out)
}

// outputString describes the output.
func (d *Description) outputString() string {
	sizes := map[byte]int{inputs.Time: d.Steps, inputs.Other: d.Width, ahead: d.Horizon, flat: d.Horizon * d.Width}
	if d.OutputLayout == "" {
		return fmt.Sprintf("output %q", d.Output)
	}
	text := fmt.Sprintf("output %q %s", d.Output, dims(d.OutputLayout, sizes))
	if strings.ContainsRune(d.OutputLayout, inputs.Time) {
		text += ", of which the last step counts"
	}
	return text
}

func (d *Description) windows() string {
	if d.Features > 1 {
		return fmt.Sprintf("windows of %d rows of %d columns", d.Window, d.Features)
	}
	return fmt.Sprintf("windows of %d values", d.Window)
}

// predictions says what a forecaster predicts, as in "the next 5 rows".
func (d *Description) predictions() string {
	next, s := "next", ""
	if d.Horizon > 1 {
		next, s = fmt.Sprintf("next %d", d.Horizon), "s"
	}
	switch {
	case d.Width > 1:
		return fmt.Sprintf("the %s row%s", next, s)
	case d.Features > 1:
		return fmt.Sprintf("the %s value%s of one of them", next, s)
	}
	return fmt.Sprintf("the %s value%s", next, s)
}

// meaning says what the answers of a classifier are.
func (d *Description) meaning() string {
	switch {
	case d.classes() == 0:
		return string(d.Answers)
	case d.Width == 1 && d.Answers != ClassNumbers:
		return fmt.Sprintf("%s of the second of two classes", d.Answers)
	}
	return fmt.Sprintf("%s of %d classes", d.Answers, d.classes())
}

// dims writes the dimensions of a layout, as in "[batch, time, 3]".
func dims(layout string, sizes map[byte]int) string {
	words := make([]string, len(layout))
	for i := range len(layout) {
		switch letter := layout[i]; {
		case letter == inputs.Batch:
			words[i] = "batch"
		case letter == inputs.Time && sizes[letter] == 0:
			words[i] = "time"
		case letter == single:
			words[i] = "1"
		default:
			words[i] = fmt.Sprint(sizes[letter])
		}
	}
	return "[" + strings.Join(words, ", ") + "]"
}

// finite reports whether v is neither infinite nor NaN.
func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
