package kernels

import "math"

// AdamStep is what an update by Adam needs besides the vectors.
type AdamStep struct {
	LearningRate, Beta1, Beta2, Epsilon float64
	Step                                int // counts from 1
}

// Adam updates params by algorithm 1 of Kingma and Ba, "Adam: A Method for
// Stochastic Optimization" (2015). m and v are the running moments of grads.
func Adam[T Float](params, grads, m, v []T, s AdamStep) {
	beta1, beta2, epsilon := T(s.Beta1), T(s.Beta2), T(s.Epsilon)
	rate := T(s.LearningRate / (1 - math.Pow(s.Beta1, float64(s.Step))))
	unbias := T(1 / math.Sqrt(1-math.Pow(s.Beta2, float64(s.Step))))
	grads, m, v = grads[:len(params)], m[:len(params)], v[:len(params)]
	for i, g := range grads {
		m[i] = beta1*m[i] + (1-beta1)*g
		v[i] = beta2*v[i] + (1-beta2)*g*g
		params[i] -= rate * m[i] / (T(math.Sqrt(float64(v[i])))*unbias + epsilon)
	}
}
