// Package onnxref computes the recurrent operators of ONNX in float64, by a plain and
// slow evaluation of the equations in ONNX's documentation. Tests compare the engines
// with it, so it shares no code with them.
//
// https://onnx.ai/onnx/operators/onnx__RNN.html, onnx__GRU.html and
// onnx__LSTM.html.
package onnxref

import "math"

// Array is a tensor in row-major order.
type Array struct {
	Shape []int
	Data  []float64
}

// NewArray returns an array of zeros.
func NewArray(shape ...int) *Array {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return &Array{shape, make([]float64, n)}
}

// at returns the element at an index, or 0 if the array is nil.
func (a *Array) at(index ...int) float64 {
	if a == nil {
		return 0
	}
	return *a.element(index...)
}

func (a *Array) element(index ...int) *float64 {
	n := 0
	for k, i := range index {
		n = n*a.Shape[k] + i
	}
	return &a.Data[n]
}

// Recurrent is a node with its inputs. The fields are named as in ONNX's
// documentation. Optional arrays may be nil.
type Recurrent struct {
	Op        string // RNN, GRU or LSTM
	Direction string // forward, reverse or bidirectional

	// Activations lists as many names as the documentation requires, or none for
	// the defaults. Alpha and Beta supply, in order, the activations that have
	// these parameters. An activation beyond the end of a list has its default.
	Activations []string
	Alpha, Beta []float64

	Clip              float64 // +Inf for none
	InputForget       bool
	LinearBeforeReset bool
	BatchFirst        bool // layout 1

	X, W, R, B         *Array
	SequenceLens       []int // nil if all sequences have the length of X
	InitialH, InitialC *Array
	P                  *Array

	// Jump is set by Run to the smallest distance of a ThresholdedRelu input
	// from alpha, where the function jumps. If it is small, rounding may change
	// the side.
	Jump float64
}

// Run returns Y, Y_h and Y_c. Y_c applies only to an LSTM. An empty sequence has
// a final state of zeros.
func (n *Recurrent) Run() [3]*Array {
	n.Jump = math.Inf(1)
	time, batch := n.X.Shape[0], n.X.Shape[1]
	directions, hidden := n.R.Shape[0], n.R.Shape[2]
	y := NewArray(time, directions, batch, hidden)
	yh, yc := NewArray(directions, batch, hidden), NewArray(directions, batch, hidden)
	if n.BatchFirst {
		time, batch = batch, time
		y = NewArray(batch, time, directions, hidden)
		yh, yc = NewArray(batch, directions, hidden), NewArray(batch, directions, hidden)
	}
	for d := range directions {
		for b := range batch {
			length := time
			if n.SequenceLens != nil {
				length = n.SequenceLens[b]
			}
			h, c := make([]float64, hidden), make([]float64, hidden)
			for j := range hidden {
				h[j] = n.InitialH.at(n.state(d, b, j)...)
				c[j] = n.InitialC.at(n.state(d, b, j)...)
			}
			for i := range length {
				t := i
				if n.Direction == "reverse" || d == 1 {
					t = length - 1 - i
				}
				h, c = n.step(d, b, t, h, c)
				for j := range hidden {
					if n.BatchFirst {
						*y.element(b, t, d, j) = h[j]
					} else {
						*y.element(t, d, b, j) = h[j]
					}
				}
			}
			if length == 0 {
				continue
			}
			for j := range hidden {
				*yh.element(n.state(d, b, j)...) = h[j]
				*yc.element(n.state(d, b, j)...) = c[j]
			}
		}
	}
	return [3]*Array{y, yh, yc}
}

// state returns the index of an element in initial_h, initial_c, Y_h and Y_c.
func (n *Recurrent) state(d, b, j int) []int {
	if n.BatchFirst {
		return []int{b, d, j}
	}
	return []int{d, b, j}
}

// step returns the state after one step.
func (n *Recurrent) step(d, b, t int, h, c []float64) (nextH, nextC []float64) {
	hidden := len(h)
	nextH, nextC = make([]float64, hidden), make([]float64, hidden)
	switch n.Op {
	case "RNN":
		f := n.activation(d, 0)
		for j := range hidden {
			nextH[j] = f(n.clip(n.fromX(d, b, t, 0, j) + n.fromH(d, 0, j, h)))
		}
	case "GRU": // gates z, r, h
		f, g := n.activation(d, 0), n.activation(d, 1)
		reset, resetH := make([]float64, hidden), make([]float64, hidden)
		for j := range hidden {
			reset[j] = f(n.clip(n.fromX(d, b, t, 1, j) + n.fromH(d, 1, j, h)))
			resetH[j] = reset[j] * h[j]
		}
		for j := range hidden {
			update := f(n.clip(n.fromX(d, b, t, 0, j) + n.fromH(d, 0, j, h)))
			sum := n.fromX(d, b, t, 2, j)
			if n.LinearBeforeReset {
				sum += reset[j] * n.fromH(d, 2, j, h)
			} else {
				sum += n.fromH(d, 2, j, resetH)
			}
			nextH[j] = (1-update)*g(n.clip(sum)) + update*h[j]
		}
	case "LSTM": // gates i, o, f, c, and peepholes i, o, f
		f, g, last := n.activation(d, 0), n.activation(d, 1), n.activation(d, 2)
		for j := range hidden {
			sum := func(gate int) float64 { return n.fromX(d, b, t, gate, j) + n.fromH(d, gate, j, h) }
			peephole := func(gate int) float64 { return n.P.at(d, gate*hidden+j) }
			in := f(n.clip(sum(0) + peephole(0)*c[j]))
			forget := f(n.clip(sum(2) + peephole(2)*c[j]))
			if n.InputForget {
				forget = 1 - in
			}
			nextC[j] = forget*c[j] + in*g(n.clip(sum(3)))
			out := f(n.clip(sum(1) + peephole(1)*nextC[j]))
			nextH[j] = out * last(nextC[j])
		}
	}
	return nextH, nextC
}

// fromX returns the contribution of step t of X to element j of a gate: x Wᵀ + Wb.
func (n *Recurrent) fromX(d, b, t, gate, j int) float64 {
	row := gate*n.R.Shape[2] + j
	sum := n.B.at(d, row)
	if n.BatchFirst {
		t, b = b, t
	}
	for k := range n.W.Shape[2] {
		sum += n.X.at(t, b, k) * n.W.at(d, row, k)
	}
	return sum
}

// fromH returns the contribution of the state to element j of a gate: h Rᵀ + Rb.
func (n *Recurrent) fromH(d, gate, j int, h []float64) float64 {
	row := gate*n.R.Shape[2] + j
	sum := n.B.at(d, n.R.Shape[1]+row)
	for k := range h {
		sum += h[k] * n.R.at(d, row, k)
	}
	return sum
}

func (n *Recurrent) clip(x float64) float64 { return max(-n.Clip, min(x, n.Clip)) }

// activation returns the i-th activation function of direction d. Earlier activations
// use up their elements of Alpha and Beta.
func (n *Recurrent) activation(d, i int) func(float64) float64 {
	names := n.Activations
	if len(names) == 0 {
		one := map[string][]string{"RNN": {"Tanh"}, "GRU": {"Sigmoid", "Tanh"}, "LSTM": {"Sigmoid", "Tanh", "Tanh"}}[n.Op]
		names = append(append(names, one...), one...)
	}
	at := d*map[string]int{"RNN": 1, "GRU": 2, "LSTM": 3}[n.Op] + i
	alphas, betas := n.Alpha, n.Beta
	for _, name := range names[:at] {
		switch name {
		case "LeakyRelu", "ThresholdedRelu", "Elu":
			alphas = rest(alphas)
		case "Affine", "ScaledTanh", "HardSigmoid":
			alphas, betas = rest(alphas), rest(betas)
		}
	}
	first := func(list []float64, def float64) float64 {
		if len(list) == 0 {
			return def
		}
		return list[0]
	}
	switch names[at] {
	case "Relu":
		return func(x float64) float64 { return math.Max(0, x) }
	case "Tanh":
		return math.Tanh
	case "Sigmoid":
		return func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	case "Affine":
		alpha, beta := first(alphas, 1), first(betas, 0)
		return func(x float64) float64 { return alpha*x + beta }
	case "LeakyRelu":
		alpha := first(alphas, 0.01)
		return func(x float64) float64 {
			if x >= 0 {
				return x
			}
			return alpha * x
		}
	case "ThresholdedRelu":
		alpha := first(alphas, 1)
		return func(x float64) float64 {
			n.Jump = math.Min(n.Jump, math.Abs(x-alpha))
			if x >= alpha {
				return x
			}
			return 0
		}
	case "ScaledTanh": // it has no documented defaults
		alpha, beta := alphas[0], betas[0]
		return func(x float64) float64 { return alpha * math.Tanh(beta*x) }
	case "HardSigmoid":
		alpha, beta := first(alphas, 0.2), first(betas, 0.5)
		return func(x float64) float64 { return math.Min(math.Max(alpha*x+beta, 0), 1) }
	case "Elu":
		alpha := first(alphas, 1)
		return func(x float64) float64 {
			if x >= 0 {
				return x
			}
			return alpha * (math.Exp(x) - 1)
		}
	case "Softsign":
		return func(x float64) float64 { return x / (1 + math.Abs(x)) }
	case "Softplus":
		return func(x float64) float64 { return math.Log(1 + math.Exp(x)) }
	}
	panic("onnxref: no activation " + names[at])
}

func rest(list []float64) []float64 { return list[min(1, len(list)):] }
