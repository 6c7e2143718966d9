package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/tensorfile"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/models"
)

// foreignFlags say what a model from elsewhere is for, and what neither its graph nor
// experiments tell.
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

var foreignFlagNames = []string{"task", "window", "horizon", "target", "answers", "labels", "layout", "input", "output"}

func (f *foreignFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.task, "task", "", "forecast or classify: what a model from elsewhere is for")
	flags.StringArrayVar(&f.inputs, "input", nil, "NAME of the input that takes the sequence, or NAME=VALUE of another: a .npy or .json file, or JSON")
	flags.StringArrayVar(&f.outputs, "output", nil, "NAME of the output that is the answer (default the only one that can be), or with --raw NAME=FILE")
	flags.StringArrayVar(&f.layouts, "layout", nil, "NAME=LETTERS: what the dimensions of an input are: b batch, t time, f features, as tbf")
	flags.IntVar(&f.window, "window", 0, "steps that a forecaster from elsewhere looks back, or with which experiments try a classifier (default what its graph fixes)")
	flags.IntVar(&f.horizon, "horizon", 0, "steps ahead to forecast (default what the model was trained for); for a forecaster from elsewhere, the steps that it predicts: 1 where it predicts the next, or one at every step")
	flags.StringVar(&f.target, "target", "", "the column that a forecaster from elsewhere predicts, if it takes several: only to print and draw it")
	flags.StringVar(&f.answers, "answers", "", "what a classifier from elsewhere answers with: "+orList(answerNames())+" (default what experiments tell)")
	flags.StringSliceVar(&f.labels, "labels", nil, "names of the classes of a model from elsewhere (default 0, 1, ...)")
}

func answerNames() (names []string) {
	for _, a := range infer.AllAnswers {
		names = append(names, string(a))
	}
	return names
}

func (f *foreignFlags) validate() error {
	if f.task != "" && f.task != string(models.Forecast) && f.task != string(models.Classify) {
		return usagef("--task is %q: it must be forecast or classify", f.task)
	}
	d := f.description()
	if err := advise(d.Validate()); err != nil {
		return usageError{err}
	}
	return nil
}

// description returns what the flags say that need no model.
func (f *foreignFlags) description() infer.Description {
	return infer.Description{Task: models.Task(f.task), Window: f.window, Horizon: f.horizon, Answers: infer.Answers(f.answers), Labels: f.labels}
}

// describe finds out how a model from elsewhere is used, and says it.
func (o *inferOptions) describe(ctx context.Context, model *infer.Model) error {
	known, err := o.known(model)
	if err != nil {
		return fmt.Errorf("%s: %w", o.model, err)
	}
	if err := model.Describe(ctx, known); err != nil {
		return fmt.Errorf("%s: %w", o.model, advise(err))
	}
	fmt.Fprintln(o.Err, printable(model.Description().String()))
	return nil
}

// known returns what the flags say of the model.
func (o *inferOptions) known(model *infer.Model) (infer.Description, error) {
	d := o.description()
	d.Layouts, d.Constants = map[string]string{}, map[string]tensor.Tensor{}
	for _, text := range o.layouts {
		in, letters, err := inputValue("--layout", text, model)
		if err != nil {
			return d, err
		}
		d.Layouts[in.Name] = letters
	}
	for _, text := range o.inputs {
		if err := setInput(&d, text, model); err != nil {
			return d, err
		}
	}
	switch n := len(o.outputs); {
	case n > 1:
		return d, usagef("--output is given %d times: a task has one answer; --raw prints several", n)
	case n == 1:
		d.Output = o.outputs[0]
	}
	return d, nil
}

// setInput sets the input that takes the sequence, or the value of another.
func setInput(d *infer.Description, text string, model *infer.Model) error {
	switch {
	case !strings.Contains(text, "=") && d.Input != "":
		return usagef("--input %s and --input %s: one input takes the sequence; feed the others as NAME=VALUE", d.Input, text)
	case !strings.Contains(text, "="):
		d.Input = text
		return nil
	}
	in, value, err := inputValue("--input", text, model)
	if err != nil {
		return err
	}
	if d.Constants[in.Name], err = tensorfile.Read(value, in.Type); err != nil {
		return fmt.Errorf("--input %s: %w", in.Name, err)
	}
	return nil
}

// inputValue splits NAME=VALUE, where the name of a model's only input may be left out.
func inputValue(flag, text string, model *infer.Model) (in tensor.Info, value string, err error) {
	in, value, err = nameOf(flag, text, model.Inputs())
	if err != nil && len(model.Inputs()) == 1 && !strings.Contains(text, "=") {
		return model.Inputs()[0], text, nil
	}
	return in, value, err
}

// advise adds to an error about a field of a description the flag that sets it.
func advise(err error) error {
	var open *infer.AmbiguousError
	switch {
	case errors.As(err, &open) && open.Field == "":
		return fmt.Errorf("%s, or use --raw", open.Reason)
	case errors.As(err, &open):
		return fmt.Errorf("%s: %s", open.Reason, remedy(open.Field, open.Name))
	}
	return withFieldFlag(err, func(field string) string { return descriptionFlags[field] })
}

// descriptionFlags has the flags that set the fields of a description.
var descriptionFlags = map[string]string{
	"Task": "--task", "Input": "--input", "Layouts": "--layout", "Output": "--output", "Window": "--window",
	"Horizon": "--horizon", "Target": "--target", "Answers": "--answers", "Labels": "--labels",
}

// remedy says which flag sets a field that is open, of an input or output.
func remedy(field, name string) string {
	const letters = "(b batch, t time, f features)"
	name = cmp.Or(name, "NAME")
	switch field {
	case "Input":
		return "name it with --input NAME, and its dimensions with --layout " + name + "=btf " + letters + ", or use --raw"
	case "Constants":
		return "give --input " + name + "=VALUE, or if it takes the sequence, name its dimensions with --layout " + name + "=btf " + letters
	case "Layouts":
		return "give --layout " + name + "=LETTERS, such as btf or bft " + letters + ", or use --raw"
	case "Output":
		return "choose one with --output NAME, say with --layout which dimensions of the input are batch and time, or use --raw"
	case "Window":
		return "give --window N"
	case "Horizon":
		return "give --horizon N if it predicts N steps ahead, --horizon 1 if the next step alone or one at every step; or choose another with --output, or use --raw"
	case "Answers":
		return "say what they are with --answers: " + orList(answerNames()) + "; or choose another with --output, or use --raw"
	case "Labels":
		return "name as many classes with --labels, or choose another with --output, or use --raw"
	}
	return "use --raw"
}
