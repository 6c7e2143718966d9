package native

import (
	"fmt"
	"math"
	"strings"
)

// activation is an activation function of the operators RNN, GRU and LSTM, by
// the table on their pages. Its alpha and beta are the defaults: NaN where the
// function takes the value and has no default.
type activation struct {
	takes       int // how many of alpha and beta, in this order
	alpha, beta float64
	f           func(x, alpha, beta float64) float64
}

// activations has them by their name in lower case. The defaults are those of
// the operators of the same name; Affine's were given by its operator while
// ONNX had one.
var activations = map[string]activation{
	"affine":      {takes: 2, alpha: 1, beta: 0, f: func(x, alpha, beta float64) float64 { return alpha*x + beta }},
	"scaledtanh":  {takes: 2, alpha: math.NaN(), beta: math.NaN(), f: func(x, alpha, beta float64) float64 { return alpha * math.Tanh(beta*x) }},
	"hardsigmoid": {takes: 2, alpha: 0.2, beta: 0.5, f: func(x, alpha, beta float64) float64 { return min(max(alpha*x+beta, 0), 1) }},
	"relu":        {f: func(x, _, _ float64) float64 { return max(x, 0) }},
	"tanh":        {f: func(x, _, _ float64) float64 { return math.Tanh(x) }},
	"sigmoid":     {f: func(x, _, _ float64) float64 { return 1 / (1 + math.Exp(-x)) }},
	"softsign":    {f: func(x, _, _ float64) float64 { return x / (1 + math.Abs(x)) }},
	"softplus":    {f: func(x, _, _ float64) float64 { return softplus(x) }},
	"leakyrelu": {takes: 1, alpha: 0.01, f: func(x, alpha, _ float64) float64 {
		if x < 0 {
			return alpha * x
		}
		return x
	}},
	"thresholdedrelu": {takes: 1, alpha: 1, f: func(x, alpha, _ float64) float64 {
		if x >= alpha {
			return x
		}
		return 0 // of NaN too
	}},
	"elu": {takes: 1, alpha: 1, f: func(x, alpha, _ float64) float64 {
		if x < 0 {
			return alpha * math.Expm1(x)
		}
		return x
	}},
}

const activationNames = "Affine, Elu, HardSigmoid, LeakyRelu, Relu, ScaledTanh, Sigmoid, Softplus, Softsign, Tanh and ThresholdedRelu"

// newActivations returns the functions of those names. The values of alphas and
// betas go, in order, to the functions that take one, as in ONNX Runtime; what is
// left of them is ignored, and a function for which nothing is left has its
// default.
func newActivations(names []string, alphas, betas []float32) ([]func(float64) float64, error) {
	next := func(list *[]float32, def float64) float64 {
		if len(*list) == 0 {
			return def
		}
		v := float64((*list)[0])
		*list = (*list)[1:]
		return v
	}
	var list []func(float64) float64
	for _, name := range names {
		a, ok := activations[strings.ToLower(name)]
		if !ok {
			return nil, fmt.Errorf("attribute \"activations\" has %q, and there are only %s", name, activationNames)
		}
		if a.takes > 0 {
			a.alpha = next(&alphas, a.alpha)
		}
		if a.takes > 1 {
			a.beta = next(&betas, a.beta)
		}
		if a.takes > 1 && (math.IsNaN(a.alpha) || math.IsNaN(a.beta)) {
			return nil, fmt.Errorf("attribute \"activations\" has %q, which has no default for alpha and beta: give activation_alpha and activation_beta", name)
		}
		list = append(list, func(x float64) float64 { return a.f(x, a.alpha, a.beta) })
	}
	return list, nil
}
