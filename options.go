package rnnkit

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

// Options say what is trained and how. [ForecasterOptions], [ClassifierOptions] and
// [GeneratorOptions] return good defaults, whose fields a program changes. Fields that
// do not belong to the task stay 0.
type Options struct {
	// Spec is the model. Its Features and Outputs follow from the data, and so does the
	// Vocabulary of a generator.
	Spec models.Spec

	// Init lists how the recurrent layers are initialized, one after the other. None
	// is PyTorch's default.
	Init []Init

	// Start is a model to go on training, such as export.ReadFile returns. Nil begins
	// with new parameters. The job keeps the Spec, Window, Horizon, Target, scales,
	// vocabulary, labels and state of Start, so that its parameters keep their meaning,
	// and ignores those fields here. The data must fit them.
	Start *models.Model

	// StateInput gives the file inputs and outputs for the state, so that any runtime
	// can go on from where a run ended. Without them every run begins with zeros. Package
	// infer steps through both kinds of files.
	StateInput bool

	Window  int    // steps that a forecaster looks back, or characters of an example of text
	Horizon int    // steps ahead that a forecaster answers for
	Target  string // the column that a forecaster answers for; "" for all

	// TBPTT is the number of steps of truncated backpropagation through time. The series
	// is cut into Fit.Batch parallel streams, and the forecaster predicts the next value
	// at every step. Its state is kept from one batch to the next, and gradients are not.
	// With 0 the forecaster learns from windows, each with a state of zeros.
	TBPTT int

	Stride int // characters from one example of text to the next

	// Scale standardizes the values: each column or channel gets mean 0 and standard
	// deviation 1 over the training set. The scale becomes part of the file, which reads
	// and answers raw units.
	Scale bool

	// HeldOut is the share of the data that is held out from training, as the test set:
	// the end of a series or text, or sequences drawn by Fit.Seed. If Fit has a Patience
	// or the schedule trainer.Plateau, half of it is the validation set and the other
	// half the test set. 0 trains on all data.
	HeldOut float64

	DataName string // what the metadata call the data, such as the name of a file

	// Fit has the options of the training itself. Its LearningRate, Batch and Epochs must
	// be more than 0. A Loss of nil is the usual one of the task, see [Losses]. Validation,
	// Stateful and DataDigest follow from the fields above.
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

// Validate returns a *models.FieldError for the first field that does not fit the task.
// The functions that make a [Job] call it before they look at the data.
func (o Options) Validate(task models.Task) error {
	if err := o.validateData(task); err != nil {
		return err
	}
	if err := o.validateFit(); err != nil {
		return err
	}
	spec := o.placeholder(task)
	if err := models.InField("Spec", spec.Validate()); err != nil {
		return err
	}
	if err := models.InField("Fit", o.Fit.Validate(spec)); err != nil {
		return err
	}
	if err := o.validateTask(task); err != nil {
		return err
	}
	_, err := o.initializers(spec)
	return err
}

// validateData checks the fields that say how the data become examples.
func (o Options) validateData(task models.Task) error {
	if losses[task] == nil {
		return &models.FieldError{Field: "Task", Value: task, Want: "forecast, classify or generate"}
	}
	if !(o.HeldOut >= 0 && o.HeldOut < 1) {
		return &models.FieldError{Field: "HeldOut", Value: o.HeldOut, Want: "at least 0 and less than 1"}
	}
	if task == models.Forecast {
		return o.validateSeries()
	}
	least := 0
	if task == models.Generate {
		least = 1
	}
	switch {
	case o.Horizon > 0:
		return &models.FieldError{Field: "Horizon", Value: o.Horizon, Want: "0, since only a forecaster looks ahead"}
	case o.Target != "":
		return &models.FieldError{Field: "Target", Value: o.Target, Want: "empty, since only a forecaster has columns"}
	case o.TBPTT > 0:
		return &models.FieldError{Field: "TBPTT", Value: o.TBPTT, Want: "0, since only a forecaster learns from streams"}
	}
	return atLeast(least, field{"Window", o.Window}, field{"Stride", o.Stride})
}

// validateSeries is validateData for a forecaster.
func (o Options) validateSeries() error {
	if err := atLeast(1, field{"Window", o.Window}, field{"Horizon", o.Horizon}); err != nil {
		return err
	}
	if o.TBPTT > 0 && o.Horizon > 1 {
		return &models.FieldError{Field: "Horizon", Value: o.Horizon, Want: "1 with truncated backpropagation, which learns the next step at every step"}
	}
	return atLeast(0, field{"TBPTT", o.TBPTT})
}

// validateFit checks the options that trainer.Options would replace by defaults.
func (o Options) validateFit() error {
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

// Losses returns the names of the losses that fit a task, the usual one first, as
// [trainer.Loss] has them.
func Losses(task models.Task) []string { return slices.Clone(losses[task]) }

// validateTask checks the loss and the readout.
func (o Options) validateTask(task models.Task) error {
	if o.Fit.Loss != nil && !slices.Contains(losses[task], o.Fit.Loss.Name()) {
		return &models.FieldError{Field: "Fit.Loss", Value: o.Fit.Loss.Name(), Want: "one of " + strings.Join(losses[task], ", ")}
	}
	all := o.Spec.Readout == models.ReadAll
	switch {
	case task == models.Generate && !all:
		return &models.FieldError{Field: "Spec.Readout", Value: o.Spec.Readout, Want: "all, since a generator answers at every step"}
	case task == models.Generate && o.Spec.Bidirectional:
		return &models.FieldError{Field: "Spec.Bidirectional", Value: true, Want: "false, since a generator cannot see what follows"}
	case o.TBPTT > 0 && o.Spec.Bidirectional:
		return &models.FieldError{Field: "TBPTT", Value: o.TBPTT, Want: "0 for a bidirectional model, whose state cannot go on from batch to batch"}
	case o.TBPTT > 0 && !all && o.Spec.Readout != models.ReadLast:
		return &models.FieldError{Field: "Spec.Readout", Value: o.Spec.Readout, Want: "last or all with truncated backpropagation, which answers at every step"}
	case task != models.Generate && o.TBPTT == 0 && all:
		return &models.FieldError{Field: "Spec.Readout", Value: o.Spec.Readout, Want: "last, final, mean or max, since a sequence or window has one answer"}
	}
	return nil
}

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

// initializers are those that Init lists, for a model of the given Spec.
func (o Options) initializers(small models.Spec) (list []models.Recipe, err error) {
	for _, name := range o.Init {
		switch name {
		case Orthogonal:
			list = append(list, models.Orthogonal())
		case ForgetBias:
			list = append(list, models.ForgetBias(1))
		case Chrono:
			list = append(list, models.Chrono(max(3, 3*o.Window)))
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

// needsValidation tells whether the training looks at a validation set.
func (o Options) needsValidation() bool {
	return o.Fit.Patience > 0 && o.Fit.Patience < math.MaxInt || o.Fit.Schedule.Shape == trainer.Plateau
}
