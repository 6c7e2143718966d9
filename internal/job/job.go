// Package job puts a training together: what to learn from, the model, and how
// it is trained. It has the notebook's presets, and jobs over a person's own
// series, text and sequences.
package job

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

// Terms are what a person may change about a job.
type Terms struct {
	// Spec is the model. Features, Vocabulary and Outputs are what the data
	// say, and stand for them until those are read.
	Spec models.Spec
	Init string // "default", or a list of orthogonal, forget-bias, chrono

	State string // of the file: StateInput or StateNone

	Fit       trainer.Options // without a Loss
	Loss      string          // mse, mae, huber, pinball, bce, cross-entropy or AutoLoss
	Quantile  float64         // that pinball fits
	Smoothing float64         // of labels, for cross-entropy

	Window int // steps that the model looks back, or that a sequence has
	TBPTT  int // steps of an example of truncated backpropagation; 0 for windows

	Samples     int     // points of a series, or sequences to train on
	TestSamples int     // sequences to test on
	Noise       float64 // deviation of the noise of a series
	Stride      int     // characters from one window of a text to the next
	Scale       bool    // the values are to be standardised
}

// What State may be: the file takes the state and gives it back, or has none and
// every run begins with zeros.
const (
	StateInput = "input"
	StateNone  = "none"
)

// StateFor is the usual State for a task. Text is made step by step, and other
// answers are to whole sequences.
func StateFor(task models.Task) string {
	if task == models.Generate {
		return StateInput
	}
	return StateNone
}

// StatePairs are those of a model's Metadata for a State. It fails for a word that
// is none.
func StatePairs(state string, spec models.Spec) ([]models.StatePair, error) {
	switch state {
	case StateInput:
		return spec.State(), nil
	case StateNone:
		return nil, nil
	}
	return nil, fmt.Errorf("job: State is %q: it must be %s or %s", state, StateInput, StateNone)
}

// Job is a training that is ready to begin.
type Job struct {
	Terms
	Name        string          // of the preset or the file
	Model       *models.Model   // with the parameters to begin with
	Train, Test datasets.Source // beside Fit.Validation, where something is chosen

	digest [sha256.Size]byte

	// Summary says in words how good the model is on Test.
	Summary func() (string, error)
}

// chooses tells whether the fit looks at what is held out: half of that then is for
// it to choose by, and the other half tests what came of it.
func (t Terms) chooses() bool {
	return t.Fit.Patience > 0 || t.Fit.Schedule.Shape == trainer.Plateau
}

// chosenBy explains an error of halving what is held out.
func chosenBy(err error) error {
	return fmt.Errorf("half of what is held out is to choose by (--patience, --schedule plateau), the other half to test: %w", err)
}

// newJob returns the job without its Summary. The data are what the digest is
// of.
func newJob(t Terms, name string, meta models.Metadata, train, test datasets.Source, data []byte) (*Job, error) {
	meta.Spec = t.Spec
	meta.Window = t.Window
	var err error
	if meta.State, err = StatePairs(t.State, t.Spec); err != nil {
		return nil, err
	}
	recipes, err := t.Recipes()
	if err != nil {
		return nil, err
	}
	m, err := models.New(meta, t.Fit.Seed, recipes...)
	if err != nil {
		return nil, err
	}
	if t.Fit.Loss, err = t.loss(); err != nil {
		return nil, err
	}
	digest := sha256.Sum256(data)
	cut := sha256.Sum256(fmt.Append(digest[:], t.TBPTT, t.Stride))
	t.Fit.DataDigest = hex.EncodeToString(cut[:16])
	return &Job{Terms: t, Name: name, Model: m, Train: train, Test: test, digest: digest}, nil
}

func (t Terms) loss() (trainer.Loss, error) {
	switch t.Loss {
	case "mse":
		return trainer.MSE(), nil
	case "mae":
		return trainer.MAE(), nil
	case "huber":
		return trainer.Huber(1), nil
	case "pinball":
		return trainer.Pinball(t.Quantile), nil
	case "bce":
		return trainer.BinaryCrossEntropy(), nil
	case AutoLoss: // to be told by the data
		if t.Smoothing == 0 {
			return trainer.BinaryCrossEntropy(), nil
		}
		return trainer.CrossEntropy{Smoothing: t.Smoothing}, nil
	case "cross-entropy":
		return trainer.CrossEntropy{Smoothing: t.Smoothing}, nil
	}
	return nil, fmt.Errorf("job: unknown loss %q", t.Loss)
}

// Validate returns an error that names the first term that does not fit: a
// *models.FieldError for one of the Spec.
func (t Terms) Validate() error {
	if err := t.Spec.Validate(); err != nil {
		return err
	}
	var err error
	if t.Fit.Loss, err = t.loss(); err != nil {
		return err
	}
	t.Fit.Carry = t.TBPTT > 0
	if err := t.Fit.Validate(t.Spec); err != nil {
		return err
	}
	if _, err := StatePairs(t.State, t.Spec); err != nil {
		return err
	}
	_, err = t.Recipes()
	return err
}

// Recipes are those that Init lists. Chrono is for times up to three windows.
func (t Terms) Recipes() (list []models.Recipe, err error) {
	for name := range strings.SplitSeq(t.Init, ",") {
		switch strings.TrimSpace(name) {
		case "default":
		case "orthogonal":
			list = append(list, models.Orthogonal())
		case "forget-bias":
			list = append(list, models.ForgetBias(1))
		case "chrono":
			list = append(list, models.Chrono(3*t.Window))
		default:
			return nil, fmt.Errorf("job: Init is %q: it must be default or a list of orthogonal, forget-bias, chrono", t.Init)
		}
	}
	// What does not fit the cell shows on the smallest model of its kind.
	small := t.Spec
	small.Hidden, small.Layers, small.Dropout = 1, 1, 0
	if _, err := models.Init(small, 0, list...); err != nil {
		return nil, fmt.Errorf("job: Init is %q: %w", t.Init, err)
	}
	return list, nil
}

// Trained notes in the model how its parameters came about: those of the last
// epoch, or with a Patience of the best.
func (j *Job) Trained(history []trainer.Epoch) {
	last := history[len(history)-1]
	if j.Fit.Patience > 0 {
		last = slices.MinFunc(history, func(a, b trainer.Epoch) int { return cmp.Compare(a.Choosing(j.Fit), b.Choosing(j.Fit)) })
	}
	epochs := len(history)
	if history[epochs-1].Examples < j.Train.Len() {
		epochs--
	}
	j.Model.Training = &models.Training{
		Data:         j.Name,
		DataSHA256:   hex.EncodeToString(j.digest[:]),
		Seed:         j.Fit.Seed,
		Epochs:       epochs,
		Batch:        j.Fit.Batch,
		Loss:         j.Loss,
		Optimizer:    string(j.Fit.Optimizer.Method),
		LearningRate: j.Fit.LearningRate,
		Schedule:     string(j.Fit.Schedule.Shape),
		TrainLoss:    last.TrainLoss,
		TestLoss:     last.TestLoss,
		TestAccuracy: last.TestAccuracy,
	}
}

// divergence is how many times the lowest loss of a training, or 1 if that is more,
// its last is when it has learned nothing.
const divergence = 1000

// Diverged returns a [trainer.ErrDiverged] if the loss of the trained model, though
// finite, is out of all proportion to the lowest that there was.
func (j *Job) Diverged(lowest float64) error {
	if last := j.Model.Training.TrainLoss; last > divergence*max(lowest, 1) {
		return fmt.Errorf("%w: the loss is %.3g, and has been %.3g: lower the learning rate (now %g), clip the gradients or scale the data",
			trainer.ErrDiverged, last, lowest, j.Fit.LearningRate)
	}
	return nil
}

// Answers calls f with the examples of source, in order and some at a time, and
// with what m answers to them: see [trainer.Predict].
func Answers(m *models.Model, source datasets.Source, f func(b *datasets.Batch, answers []float32)) error {
	var b datasets.Batch
	for examples := range slices.Chunk(firstOf(source.Len()), 256) {
		if err := source.Read(&b, examples); err != nil {
			return err
		}
		answers, err := trainer.Predict(m, &b)
		if err != nil {
			return err
		}
		f(&b, answers)
	}
	return nil
}

// firstOf returns the numbers from 0 to n, without n.
func firstOf(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}
