package trainer

import (
	"fmt"
	"math"

	"github.com/rnnkit/rnnkit/internal/kernels"
	"github.com/rnnkit/rnnkit/models"
)

// Optimizer says how gradients update the parameters. A Method uses the fields that its
// comment names; setting another one is an error. A field of value 0 stands for PyTorch's
// default, in parentheses.
type Optimizer struct {
	Method      Method  `json:"method"`                 // (Adam)
	Momentum    float64 `json:"momentum,omitempty"`     // the share of the last update that is added to the next (0)
	Nesterov    bool    `json:"nesterov,omitempty"`     // Nesterov momentum, which looks one step ahead
	Alpha       float64 `json:"alpha,omitempty"`        // decay of the running mean of RMSprop (0.99)
	Beta1       float64 `json:"beta1,omitempty"`        // decay of the first moment of Adam (0.9)
	Beta2       float64 `json:"beta2,omitempty"`        // decay of the second moment of Adam (0.999)
	Epsilon     float64 `json:"epsilon,omitempty"`      // added to the root that divides a gradient (1e-8)
	WeightDecay float64 `json:"weight_decay,omitempty"` // (0, or 0.01 for AdamW)
}

// Method is the kind of an [Optimizer].
type Method string

// The methods, and the fields of Optimizer that they use.
const (
	// SGD is stochastic gradient descent. It uses Momentum, Nesterov and
	// WeightDecay. The gradients are increased by WeightDecay times the parameters.
	SGD Method = "sgd"

	// RMSprop divides gradients by their running root mean square: Tieleman and
	// Hinton (2012). It uses Alpha, Epsilon, Momentum and, as SGD, WeightDecay.
	RMSprop Method = "rmsprop"

	// Adam is the method of Kingma and Ba (2015). It uses Beta1, Beta2, Epsilon and,
	// as SGD, WeightDecay.
	Adam Method = "adam"

	// AdamW is Adam with a weight decay that does not enter the moments: Loshchilov
	// and Hutter (2019).
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
	for _, n := range []optimizerNumber{
		{"Momentum", &o.Momentum, !adam, 0, 1},
		{"Alpha", &o.Alpha, o.Method == RMSprop, 0.99, 1},
		{"Beta1", &o.Beta1, adam, 0.9, 1},
		{"Beta2", &o.Beta2, adam, 0.999, 1},
		{"Epsilon", &o.Epsilon, o.Method != SGD, 1e-8, math.Inf(1)},
		{"WeightDecay", &o.WeightDecay, true, map[Method]float64{AdamW: 0.01}[o.Method], math.Inf(1)},
	} {
		if want := n.wants(o.Method); want != "" {
			return o, &models.FieldError{Field: n.field, Value: *n.value, Want: want}
		}
		if *n.value == 0 && n.used {
			*n.value = n.standard
		}
	}
	return o, nil
}

// optimizerNumber is a field of an Optimizer.
type optimizerNumber struct {
	field    string
	value    *float64
	used     bool    // by the method
	standard float64 // for 0
	limit    float64 // the value must be less
}

// wants returns what the value must be, or "" if it can be used.
func (n optimizerNumber) wants(method Method) string {
	switch v := *n.value; {
	case v != 0 && !n.used:
		return fmt.Sprintf("0 for %s, which does not use it", method)
	case !(v >= 0 && v < n.limit):
		return fmt.Sprintf("at least 0 and less than %g", n.limit)
	case v > 0 && !positive(v):
		return "more than 0 and finite as a float32"
	}
	return ""
}

// moments returns the number of vectors that the optimizer keeps from step to step, each
// as long as the parameters.
func (o Optimizer) moments() int {
	switch {
	case o.Method == Adam || o.Method == AdamW || o.Method == RMSprop && o.Momentum > 0:
		return 2
	case o.Method == SGD && o.Momentum == 0:
		return 0
	}
	return 1
}

// update updates params in the given step, from 1. It overwrites grads.
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
