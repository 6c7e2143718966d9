package rnnkit

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

// Options are the options that all tasks share. [ForecasterOptions],
// [StepForecasterOptions], [ClassifierOptions] and [GeneratorOptions] embed them beside
// those of their own task.
type Options struct {
	// Spec is the model. Its Features and Outputs follow from the data, and so does the
	// Vocabulary of a generator.
	Spec models.Spec

	// Init lists how the recurrent layers are initialized, one after the other. None
	// is PyTorch's default.
	Init []Init

	// Start is a model to go on training, such as export.ReadFile returns. Nil begins
	// with new parameters. So that its parameters keep their meaning, the job keeps the
	// sizes, scales, vocabulary, labels and state of Start, and ignores Spec, Scale and
	// StateInput of the options. It keeps the Window, Horizon and Target of Start too, and
	// refuses an option that is neither that of Start nor the default. The data must have
	// the columns or channels of Start, and no label or character that Start lacks.
	Start *models.Model

	// StateInput gives the file inputs and outputs for the state, so that any runtime
	// can go on from where a run ended. Without them every run begins with zeros. Package
	// infer steps through both kinds of files.
	StateInput bool

	// HeldOut is the share of the data that is held out from training, as the test set:
	// the end of a series or text, or sequences drawn by Fit.Seed. If Fit has a Patience
	// or the schedule trainer.Plateau, half of it is the validation set and the other
	// half the test set. 0 trains on all data.
	HeldOut float64

	DataName string // what the metadata call the data, such as the name of a file

	// Fit has the options of the training itself. Its LearningRate, Batch and Epochs must
	// be more than 0: the default options of the task have them, and the defaults of
	// trainer.Options are not used. A Loss of nil is the usual one of the task, see
	// [Losses]. Validation, Stateful and DataDigest follow from the other options. 0 in any
	// other field stands for the default of trainer.Options.
	Fit trainer.Options
}

// Init is a way to initialize the recurrent layers.
type Init string

// The ways to initialize.
const (
	Orthogonal Init = "orthogonal"  // see models.Orthogonal
	ForgetBias Init = "forget-bias" // of 1, see models.ForgetBias
	Chrono     Init = "chrono"      // for times up to three windows, see models.Chrono
)

// keepStart gives a field of the options the value that Start has. It refuses a value that
// was set to something else: neither that of Start, nor the standard one, nor zero.
func keepStart[T comparable](name string, field *T, start, standard T) error {
	var zero T
	if v := *field; v != start && v != standard && v != zero {
		return &models.FieldError{Field: name, Value: v, Want: fmt.Sprintf("%#v, as that of Start", start)}
	}
	*field = start
	return nil
}

// fitOptions are the options that all tasks begin with.
func fitOptions(rate float64, batch, epochs int) trainer.Options {
	return trainer.Options{
		Optimizer:    trainer.Optimizer{Method: trainer.Adam},
		LearningRate: rate,
		Schedule:     trainer.Schedule{Shape: trainer.Constant},
		Batch:        batch,
		Epochs:       epochs,
	}
}

// validate returns a *models.FieldError for the first field that does not fit the task.
func (o Options) validate(task models.Task) error {
	if !(o.HeldOut >= 0 && o.HeldOut < 1) {
		return &models.FieldError{Field: "HeldOut", Value: o.HeldOut, Want: "at least 0 and less than 1"}
	}
	if err := o.validateFit(task); err != nil {
		return err
	}
	spec := o.placeholder(task)
	if err := models.InField("Spec", spec.Validate()); err != nil {
		return err
	}
	if err := models.InField("Fit", o.Fit.Validate(spec)); err != nil {
		return err
	}
	if o.Fit.Loss != nil && !slices.Contains(losses[task], o.Fit.Loss.Name()) {
		return &models.FieldError{Field: "Fit.Loss", Value: o.Fit.Loss.Name(), Want: "one of " + strings.Join(losses[task], ", ")}
	}
	_, err := o.initializers(spec, 0)
	return err
}

// validateOneAnswer returns a *models.FieldError if the model answers at every step.
func (o Options) validateOneAnswer() error {
	if o.Spec.Readout == models.ReadAll {
		return &models.FieldError{Field: "Spec.Readout", Value: o.Spec.Readout, Want: "last, final, mean or max, since a sequence or window has one answer"}
	}
	return nil
}

// validateFit checks the options that trainer.Options would replace by defaults, and
// those that follow from other options.
func (o Options) validateFit(task models.Task) error {
	switch {
	case o.Fit.Stateful:
		return &models.FieldError{Field: "Fit.Stateful", Value: true, Want: "false: TBPTT makes training stateful"}
	case o.Fit.Validation != nil:
		return &models.FieldError{Field: "Fit.Validation", Value: "set", Want: "nil: a part of HeldOut validates"}
	case o.Fit.DataDigest != "":
		return &models.FieldError{Field: "Fit.DataDigest", Value: o.Fit.DataDigest, Want: "empty: it follows from the data"}
	}
	if o.Fit.LearningRate == 0 && o.Fit.Epochs == 0 && o.Fit.Batch == 0 {
		return &models.FieldError{Field: "Fit.LearningRate", Value: o.Fit.LearningRate, Want: "more than 0: begin with the options that " + defaults[task] + " returns"}
	}
	if !(o.Fit.LearningRate > 0) {
		return &models.FieldError{Field: "Fit.LearningRate", Value: o.Fit.LearningRate, Want: "more than 0"}
	}
	return atLeast(1, field{"Fit.Epochs", o.Fit.Epochs}, field{"Fit.Batch", o.Fit.Batch})
}

// field is a field that is a number.
type field struct {
	name  string
	value int
}

// atLeast returns an error for the first field that is less than least.
func atLeast(least int, fields ...field) error {
	for _, f := range fields {
		if f.value < least {
			return &models.FieldError{Field: f.name, Value: f.value, Want: fmt.Sprintf("%d or more", least)}
		}
	}
	return nil
}

// losses are the names of those that fit a task, the usual one first.
var losses = map[models.Task][]string{
	models.Forecast: {"mse", "mae", "huber", "pinball"},
	models.Classify: {"bce", "cross-entropy"},
	models.Generate: {"cross-entropy"},
}

// defaults are the functions that return good options for a task.
var defaults = map[models.Task]string{
	models.Forecast: "DefaultStepForecasterOptions",
	models.Classify: "DefaultClassifierOptions",
	models.Generate: "DefaultGeneratorOptions",
}

// Losses returns the names of the losses that fit a task, the usual one first, as
// [trainer.Loss] has them.
func Losses(task models.Task) []string { return slices.Clone(losses[task]) }

// placeholder is the Spec with the smallest sizes that data may give it.
func (o Options) placeholder(task models.Task) models.Spec {
	s := o.Spec
	s.Outputs = 1
	if loss, ok := o.Fit.Loss.(trainer.CrossEntropy); ok {
		s.Outputs = max(2, len(loss.Weights))
	}
	if task == models.Generate || s.Vocabulary > 0 || s.Embedding > 0 {
		s.Features, s.Vocabulary = 0, 2
	} else {
		s.Features, s.Vocabulary = 1, 0
	}
	return s
}

// initializers are those that Init lists, for a model of the given Spec and window.
func (o Options) initializers(small models.Spec, window int) (list []models.Recipe, err error) {
	for _, name := range o.Init {
		switch name {
		case Orthogonal:
			list = append(list, models.Orthogonal())
		case ForgetBias:
			list = append(list, models.ForgetBias(1))
		case Chrono:
			list = append(list, models.Chrono(max(3, 3*window)))
		default:
			return nil, &models.FieldError{Field: "Init", Value: name, Want: "orthogonal, forget-bias or chrono"}
		}
	}
	// What does not fit the cell shows on the smallest model of its kind.
	small.Hidden, small.Layers, small.Dropout = 1, 1, 0
	if _, err := models.Init(small, 0, list...); err != nil {
		return nil, models.InField("Spec", err)
	}
	return list, nil
}

// needsValidation reports whether the training looks at a validation set.
func (o Options) needsValidation() bool {
	return o.Fit.Patience > 0 && o.Fit.Patience < math.MaxInt || o.Fit.Schedule.Shape == trainer.Plateau
}
