package trainer

import (
	"fmt"
	"math"
	"reflect"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/internal/kernels"
	"github.com/rnnkit/rnnkit/models"
)

// Loss is what training minimizes: the weighted mean of a function over all rows of
// outputs. A row is the output for an example, or for a step of it where the model has
// the readout [models.ReadAll].
//
// [CrossEntropy] reads the Labels of a [datasets.Batch], one for each row, and the model
// has an output for each class. All other losses read its Targets, and a row of targets
// is as long as a row of outputs, but for [Pinball]. Labels that a loss of targets is to
// read are made targets by [datasets.Sequences.AsTargets]. What does not fit the model is
// refused by [Options.Validate].
type Loss interface {
	// String names the loss with its parameters, such as huber(1).
	String() string

	// Name is mse, mae, huber, pinball, bce or cross-entropy.
	Name() string

	// size returns the number of targets in a row for a model with the given number
	// of outputs; 0 if a row has a label instead.
	size(outputs int) (int, error)

	// weight returns the weight of a row in the mean, 1 for a row of targets.
	weight(label int64) float64
}

// defaultLoss returns the loss of a fit without Options.Loss.
func defaultLoss(s models.Spec) Loss {
	if s.Direct != nil {
		return Pinball(s.Direct.Quantiles...)
	}
	return MSE()
}

// targetsPerRow returns the size of a loss of this package, and an error for any other.
func targetsPerRow(loss Loss, s models.Spec) (int, error) {
	if want := defaultLoss(s); s.Direct != nil && (loss == nil || loss.String() != want.String()) {
		return 0, &models.FieldError{Field: "Loss", Value: loss, Want: fmt.Sprintf("nil or %s for a direct forecaster of these quantiles", want)}
	}
	switch loss.(type) {
	case CrossEntropy, valueLoss:
		return loss.size(outputs(s))
	}
	return 0, &models.FieldError{Field: "Loss", Value: reflect.TypeOf(loss), Want: "a CrossEntropy, or what a function such as MSE returns"}
}

// valueLoss is a Loss of rows of targets.
type valueLoss interface {
	Loss

	// row returns the loss of a row of outputs and sets grad to its gradient.
	row(grad, out, targets []float64) float64
}

// classifier is a valueLoss whose rows are classified correctly or not.
type classifier interface {
	correct(out, targets []float64) bool
}

// accuracy counts the rows of a classification.
type accuracy struct{ correct, rows int }

func (a *accuracy) add(correct bool) {
	a.rows++
	if correct {
		a.correct++
	}
}

// pointwise is a Loss that is the mean over rows and outputs of a function of an
// output and its target. The function also returns the derivative.
type pointwise struct {
	name string
	of   func(out, target float64) (loss, derivative float64)
}

func (p pointwise) String() string { return p.name }

func (p pointwise) Name() string { return p.name }

func (pointwise) size(outputs int) (int, error) { return outputs, nil }

func (pointwise) weight(int64) float64 { return 1 }

func (p pointwise) row(grad, out, targets []float64) float64 {
	var sum float64
	n := float64(len(out))
	for i := range out {
		loss, derivative := p.of(out[i], targets[i])
		sum += loss
		grad[i] = derivative / n
	}
	return sum / n
}

// MSE is the mean squared error, (y - t)².
func MSE() Loss {
	return pointwise{"mse", func(y, t float64) (float64, float64) {
		d := y - t
		return d * d, 2 * d
	}}
}

// MAE is the mean absolute error, |y - t|. Its derivative at 0 is taken as 0.
func MAE() Loss {
	return pointwise{"mae", func(y, t float64) (float64, float64) {
		d := y - t
		return math.Abs(d), sign(d)
	}}
}

// Huber is (y - t)²/2 for differences up to delta, and linear beyond: Huber, "Robust
// Estimation of a Location Parameter" (1964). The delta must be more than 0.
func Huber(delta float64) Loss {
	return huber{delta, pointwise{fmt.Sprintf("huber(%g)", delta), func(y, t float64) (float64, float64) {
		d := y - t
		if math.Abs(d) <= delta {
			return d * d / 2, d
		}
		return delta * (math.Abs(d) - delta/2), delta * sign(d)
	}}}
}

type huber struct {
	delta float64
	pointwise
}

func (huber) Name() string { return "huber" }

func (h huber) size(outputs int) (int, error) {
	if !(float32(h.delta) > 0) {
		return 0, &models.FieldError{Field: "Loss.delta", Value: h.delta, Want: "more than 0 as a float32"}
	}
	return h.pointwise.size(outputs)
}

// BinaryCrossEntropy is -t log σ(y) - (1-t) log(1-σ(y)) for outputs y that are logits
// and targets t from 0 to 1. A row is classified correctly if each logit is more than 0
// where the target is more than 0.5.
func BinaryCrossEntropy() Loss {
	return binaryCrossEntropy{pointwise{"binary cross-entropy", func(y, t float64) (float64, float64) {
		// log(1+eʸ) and 1/(1+e⁻ʸ) without overflow where |y| is large.
		e := math.Exp(-math.Abs(y))
		sigmoid := 1 / (1 + e)
		if y < 0 {
			sigmoid *= e
		}
		return max(y, 0) - y*t + math.Log1p(e), sigmoid - t
	}}}
}

type binaryCrossEntropy struct{ pointwise }

func (binaryCrossEntropy) Name() string { return "bce" }

func (binaryCrossEntropy) correct(out, targets []float64) bool {
	for i, y := range out {
		if (y > 0) != (targets[i] > 0.5) {
			return false
		}
	}
	return true
}

func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return x // 0, or NaN
}

// Pinball fits quantiles, each between 0 and 1. The loss is q(t - y) where the output y
// for the quantile q is below the target t, and (1-q)(y - t) where it is above: Koenker
// and Bassett, "Regression Quantiles" (1978). The model has an output for each quantile
// of each target: all quantiles of the first target, then those of the second.
func Pinball(quantiles ...float64) Loss { return pinball(quantiles) }

type pinball []float64

func (q pinball) String() string { return fmt.Sprintf("pinball%v", []float64(q)) }

func (pinball) Name() string { return "pinball" }

func (q pinball) size(outputs int) (int, error) {
	if len(q) == 0 {
		return 0, &models.FieldError{Field: "Loss.quantiles", Value: []float64(q), Want: "of length 1 or more, such as 0.1, 0.5 and 0.9"}
	}
	for i, v := range q {
		if !(v > 0 && v < 1) {
			return 0, &models.FieldError{Field: fmt.Sprintf("Loss.quantiles[%d]", i), Value: v, Want: "more than 0 and less than 1"}
		}
	}
	if outputs%len(q) != 0 {
		return 0, &models.FieldError{Field: "Loss.quantiles", Value: []float64(q), Want: fmt.Sprintf("of a length that divides the %d outputs, of which each target has one a quantile", outputs)}
	}
	return outputs / len(q), nil
}

func (pinball) weight(int64) float64 { return 1 }

func (q pinball) row(grad, out, targets []float64) float64 {
	var sum float64
	n := float64(len(out))
	for i, y := range out {
		quantile, d := q[i%len(q)], targets[i/len(q)]-y
		if d >= 0 {
			sum += quantile * d
			grad[i] = -quantile / n
		} else {
			sum += (quantile - 1) * d
			grad[i] = (1 - quantile) / n
		}
	}
	return sum / n
}

// CrossEntropy is the negative log-likelihood of the label of a row under the softmax
// of its outputs, of which there is one for each class. A row whose label is
// [datasets.Ignore] does not count.
type CrossEntropy struct {
	Weights   []float64 // weight of each class, in the mean too; nil for equal weights
	Smoothing float64   // label smoothing: the share of the target that is spread over all classes, from 0 to less than 1
}

func (c CrossEntropy) String() string {
	return fmt.Sprintf("cross-entropy(weights %v, smoothing %g)", c.Weights, c.Smoothing)
}

// Name implements [Loss].
func (CrossEntropy) Name() string { return "cross-entropy" }

func (c CrossEntropy) size(outputs int) (int, error) {
	switch {
	case outputs < 2:
		return 0, &models.FieldError{Field: "Loss", Value: c, Want: "binary cross-entropy for a model of one output: cross-entropy needs an output for each class"}
	case c.Weights != nil && len(c.Weights) != outputs:
		return 0, &models.FieldError{Field: "Loss.Weights", Value: c.Weights, Want: fmt.Sprintf("of length %d, one for each output", outputs)}
	case !(c.Smoothing >= 0 && c.Smoothing < 1):
		return 0, &models.FieldError{Field: "Loss.Smoothing", Value: c.Smoothing, Want: "at least 0 and less than 1"}
	}
	for i, w := range c.Weights {
		if !(w >= 0) || math.IsInf(w, 0) {
			return 0, &models.FieldError{Field: fmt.Sprintf("Loss.Weights[%d]", i), Value: w, Want: "0 or more and finite"}
		}
	}
	return 0, nil
}

// class returns the weight of class i.
func (c CrossEntropy) class(i int) float64 {
	if c.Weights == nil {
		return 1
	}
	return c.Weights[i]
}

func (c CrossEntropy) weight(label int64) float64 {
	if label == datasets.Ignore {
		return 0
	}
	return c.class(int(label))
}

// crossEntropy replaces p, the softmax of a row of outputs, by the gradient of the loss
// of the row. The loss is mass·log(Σ exp(out)) - sum. Here mass is the sum of the target
// distribution times the class weights, and sum is the same weighted sum of the outputs.
// The target distribution is 1 at the label, smoothed.
func crossEntropy[T models.Float](c CrossEntropy, p, out []T, label int) (mass, sum float64) {
	if c.Smoothing == 0 {
		mass = c.class(label)
		if mass != 1 {
			kernels.Scale(p, T(mass))
		}
		p[label] -= T(mass)
		return mass, mass * float64(out[label])
	}
	spread := c.Smoothing / float64(len(out))
	target := func(i int) float64 {
		if i == label {
			return (spread + 1 - c.Smoothing) * c.class(i)
		}
		return spread * c.class(i)
	}
	for i := range out {
		mass += target(i)
		sum += target(i) * float64(out[i])
	}
	for i := range p {
		p[i] = T(mass*float64(p[i]) - target(i))
	}
	return mass, sum
}
