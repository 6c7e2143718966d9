package trainer

import (
	"fmt"
	"math"

	"github.com/rnnkit/rnnkit/internal/kernels"
	"github.com/rnnkit/rnnkit/models"
)

// Optimizer says how gradients change the parameters. A Method reads the
// fields that its comment names; another one that is set is an error. A field
// of value 0 stands for PyTorch's default, in parentheses.
type Optimizer struct {
	Method      Method  `json:"method"`                 // (Adam)
	Momentum    float64 `json:"momentum,omitempty"`     // share of the last update that goes on (0)
	Nesterov    bool    `json:"nesterov,omitempty"`     // look one step ahead along the momentum
	Alpha       float64 `json:"alpha,omitempty"`        // of RMSprop's running mean (0.99)
	Beta1       float64 `json:"beta1,omitempty"`        // of Adam's first moment (0.9)
	Beta2       float64 `json:"beta2,omitempty"`        // and its second (0.999)
	Epsilon     float64 `json:"epsilon,omitempty"`      // (1e-8)
	WeightDecay float64 `json:"weight_decay,omitempty"` // (0, and 0.01 for AdamW)
}

// Method is the kind of an [Optimizer].
type Method string

// The methods, and the fields of Optimizer that they read.
const (
	// SGD is gradient descent. It reads Momentum, Nesterov and WeightDecay,
	// which is times the parameters added to their gradients.
	SGD Method = "sgd"

	// RMSprop divides gradients by a running root mean square of them:
	// Tieleman and Hinton (2012). It reads Alpha, Epsilon, Momentum and
	// WeightDecay, as SGD does.
	RMSprop Method = "rmsprop"

	// Adam is that of Kingma and Ba (2015). It reads Beta1, Beta2, Epsilon
	// and WeightDecay, as SGD does.
	Adam Method = "adam"

	// AdamW is Adam with a weight decay that does not pass through the
	// moments: Loshchilov and Hutter (2019).
	AdamW Method = "adamw"
)

// withDefaults returns o with its defaults, or a *models.FieldError.
func (o Optimizer) withDefaults() (Optimizer, error) {
	if o.Method == "" {
		o.Method = Adam
	}
	adam := o.Method == Adam || o.Method == AdamW
	switch {
	case !adam && o.Method != SGD && o.Method != RMSprop:
		return o, &models.FieldError{Field: "Method", Value: o.Method, Want: "sgd, rmsprop, adam or adamw"}
	case o.Nesterov && o.Method != SGD:
		return o, &models.FieldError{Field: "Nesterov", Value: true, Want: fmt.Sprintf("false for %s: only sgd uses it", o.Method)}
	case o.Nesterov && o.Momentum == 0:
		return o, &models.FieldError{Field: "Nesterov", Value: true, Want: "false without a momentum"}
	}
	for _, f := range []struct {
		name     string
		value    *float64
		read     bool    // by the method
		standard float64 // for 0
		limit    float64 // which the value must stay below
	}{
		{"Momentum", &o.Momentum, !adam, 0, 1},
		{"Alpha", &o.Alpha, o.Method == RMSprop, 0.99, 1},
		{"Beta1", &o.Beta1, adam, 0.9, 1},
		{"Beta2", &o.Beta2, adam, 0.999, 1},
		{"Epsilon", &o.Epsilon, o.Method != SGD, 1e-8, math.Inf(1)},
		{"WeightDecay", &o.WeightDecay, true, map[Method]float64{AdamW: 0.01}[o.Method], math.Inf(1)},
	} {
		field := models.FieldError{Field: f.name, Value: *f.value}
		switch {
		case *f.value != 0 && !f.read:
			field.Want = fmt.Sprintf("0 for %s, which does not use it", o.Method)
			return o, &field
		case !(*f.value >= 0 && *f.value < f.limit):
			field.Want = fmt.Sprintf("at least 0 and less than %g", f.limit)
			return o, &field
		case *f.value > 0 && !positive(*f.value):
			field.Want = "more than 0 and finite as a float32"
			return o, &field
		case *f.value == 0 && f.read:
			*f.value = f.standard
		}
	}
	return o, nil
}

// moments is the number of vectors, each of the size of the parameters, that
// the optimizer keeps from step to step.
func (o Optimizer) moments() int {
	switch {
	case o.Method == Adam || o.Method == AdamW || o.Method == RMSprop && o.Momentum > 0:
		return 2
	case o.Method == SGD && o.Momentum == 0:
		return 0
	}
	return 1
}

// update makes the given step, counted from 1, of params against grads, which
// it uses up.
func update[T kernels.Float](o Optimizer, params, grads []T, moments [][]T, rate float64, step int) {
	switch {
	case o.Method == AdamW:
		kernels.Scale(params, T(1-rate*o.WeightDecay))
	case o.WeightDecay > 0:
		kernels.AddScaled(grads, T(o.WeightDecay), params)
	}
	if o.Method == Adam || o.Method == AdamW {
		kernels.Adam(params, grads, moments[0], moments[1], kernels.AdamStep{
			LearningRate: rate, Beta1: o.Beta1, Beta2: o.Beta2, Epsilon: o.Epsilon, Step: step,
		})
		return
	}
	if o.Method == RMSprop {
		kernels.RMS(grads, moments[0], o.Alpha, o.Epsilon)
	}
	if o.Momentum > 0 {
		kernels.Momentum(params, grads, moments[len(moments)-1], rate, o.Momentum, o.Nesterov)
		return
	}
	kernels.AddScaled(params, T(-rate), grads)
}
