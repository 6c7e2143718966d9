package trainer

import (
	"fmt"
	"math"
	"slices"

	"github.com/rnnkit/rnnkit/datasets"
)

// Loss is what training minimises: the mean of something over the rows that
// the model answers, which are examples, or steps for a readout of all.
type Loss interface {
	// String names the loss with its parameters, such as huber(1).
	String() string

	// size returns how many target values a row has for a model with the
	// given number of outputs; 0 if a row has a label instead.
	size(outputs int) (int, error)

	// weight returns what a row counts for in the mean.
	weight(t target) float64

	// row returns the loss of a row of outputs, times its weight, and sets
	// grad to its gradient.
	row(grad, out []float64, t target) float64
}

// classifier is a Loss whose rows are right or wrong: the most likely class is
// the label or not.
type classifier interface {
	right(out []float64, t target) bool
}

// score counts the rows of a classifier.
type score struct{ right, rows int }

func (s *score) add(loss Loss, out []float64, t target) {
	c, ok := loss.(classifier)
	if !ok || t.label == datasets.Ignore {
		return
	}
	s.rows++
	if c.right(out, t) {
		s.right++
	}
}

// target is what a row of outputs ought to be.
type target struct {
	values []float64
	label  int
}

// pointwise is a Loss that is a mean over rows and outputs of a function of an
// output and its target, which also returns the derivative.
type pointwise struct {
	name string
	of   func(out, target float64) (loss, derivative float64)
}

func (p pointwise) String() string { return p.name }

func (pointwise) size(outputs int) (int, error) { return outputs, nil }

func (pointwise) weight(t target) float64 { return 1 }

func (p pointwise) row(grad, out []float64, t target) float64 {
	var sum float64
	n := float64(len(out))
	for i := range out {
		loss, derivative := p.of(out[i], t.values[i])
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

// MAE is the mean absolute error, |y - t|. Its derivative at 0 is taken for 0.
func MAE() Loss {
	return pointwise{"mae", func(y, t float64) (float64, float64) {
		d := y - t
		return math.Abs(d), sign(d)
	}}
}

// Huber is (y - t)²/2 for differences up to delta, and goes on as a straight
// line beyond: Huber, "Robust Estimation of a Location Parameter" (1964).
func Huber(delta float64) Loss {
	return pointwise{fmt.Sprintf("huber(%g)", delta), func(y, t float64) (float64, float64) {
		d := y - t
		if math.Abs(d) <= delta {
			return d * d / 2, d
		}
		return delta * (math.Abs(d) - delta/2), delta * sign(d)
	}}
}

// BinaryCrossEntropy is -t log σ(y) - (1-t) log(1-σ(y)) for outputs y that are
// logits and targets from 0 to 1.
func BinaryCrossEntropy() Loss {
	return binaryCrossEntropy{pointwise{"binary cross-entropy", func(y, t float64) (float64, float64) {
		// log(1+e^y) without overflow for large y.
		loss := math.Max(y, 0) - y*t + math.Log1p(math.Exp(-math.Abs(y)))
		return loss, 1/(1+math.Exp(-y)) - t
	}}}
}

type binaryCrossEntropy struct{ pointwise }

func (binaryCrossEntropy) right(out []float64, t target) bool {
	for i, y := range out {
		if (y > 0) != (t.values[i] > 0.5) {
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

// Pinball fits quantiles: for each target value the model answers one output a
// quantile q, and the loss is q(t - y) where y is too low and (1-q)(y - t)
// where it is too high: Koenker and Bassett, "Regression Quantiles" (1978).
// Outputs lie target by target, each with its quantiles.
func Pinball(quantiles ...float64) Loss { return pinball(quantiles) }

type pinball []float64

func (q pinball) String() string { return fmt.Sprintf("pinball%v", []float64(q)) }

func (q pinball) size(outputs int) (int, error) {
	if len(q) == 0 {
		return 0, fmt.Errorf("trainer: pinball loss without quantiles: name some, such as 0.1, 0.5 and 0.9")
	}
	for _, v := range q {
		if !(v > 0 && v < 1) {
			return 0, fmt.Errorf("trainer: quantile %g: it must lie between 0 and 1", v)
		}
	}
	if outputs%len(q) != 0 {
		return 0, fmt.Errorf("trainer: %d outputs for %d quantiles: the model needs one a quantile for each target", outputs, len(q))
	}
	return outputs / len(q), nil
}

func (pinball) weight(t target) float64 { return 1 }

func (q pinball) row(grad, out []float64, t target) float64 {
	var sum float64
	n := float64(len(out))
	for i, y := range out {
		quantile, d := q[i%len(q)], t.values[i/len(q)]-y
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

// CrossEntropy is the negative log-likelihood of a row's label under the
// softmax of its outputs. A row whose label is [datasets.Ignore] does not count.
type CrossEntropy struct {
	Weights   []float64 // of each class, in the mean too; nil for all the same
	Smoothing float64   // share of the target that is spread over all classes
}

func (c CrossEntropy) String() string {
	return fmt.Sprintf("cross-entropy(weights %v, smoothing %g)", c.Weights, c.Smoothing)
}

func (c CrossEntropy) size(outputs int) (int, error) {
	switch {
	case outputs < 2:
		return 0, fmt.Errorf("trainer: cross-entropy over %d output: it needs one for each class, or use BinaryCrossEntropy", outputs)
	case c.Weights != nil && len(c.Weights) != outputs:
		return 0, fmt.Errorf("trainer: %d class weights for %d outputs: give one for each", len(c.Weights), outputs)
	case !(c.Smoothing >= 0 && c.Smoothing < 1):
		return 0, fmt.Errorf("trainer: Smoothing is %g: it must be at least 0 and less than 1", c.Smoothing)
	}
	for i, w := range c.Weights {
		if !(w >= 0) || math.IsInf(w, 0) {
			return 0, fmt.Errorf("trainer: the weight of class %d is %g: it must be 0 or more", i, w)
		}
	}
	return 0, nil
}

func (c CrossEntropy) class(i int) float64 {
	if c.Weights == nil {
		return 1
	}
	return c.Weights[i]
}

func (c CrossEntropy) weight(t target) float64 {
	if t.label == datasets.Ignore {
		return 0
	}
	return c.class(t.label)
}

func (CrossEntropy) right(out []float64, t target) bool {
	return t.label == slices.Index(out, slices.Max(out))
}

func (c CrossEntropy) row(grad, out []float64, t target) float64 {
	if t.label == datasets.Ignore {
		clear(grad)
		return 0
	}
	largest := out[0]
	for _, y := range out {
		largest = math.Max(largest, y)
	}
	var norm float64
	for i, y := range out {
		grad[i] = math.Exp(y - largest)
		norm += grad[i]
	}
	logNorm := largest + math.Log(norm)

	// The target is a distribution with the mass of the label's weight, and of
	// every class's, times the smoothing, spread evenly.
	var loss, mass float64
	spread := c.Smoothing / float64(len(out))
	for i := range out {
		want := spread * c.class(i)
		if i == t.label {
			want += (1 - c.Smoothing) * c.class(i)
		}
		mass += want
		loss += want * (logNorm - out[i])
	}
	for i := range out {
		want := spread * c.class(i)
		if i == t.label {
			want += (1 - c.Smoothing) * c.class(i)
		}
		grad[i] = mass*grad[i]/norm - want
	}
	return loss
}
