package ranges

import (
	"math"
	"slices"
	"strings"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// A rule returns the range of what a node computes from inputs of the ranges ins.
type rule func(s *analysis, n *onnxgraph.Node, ins []Range) Range

// rules returns the rules by operator. It is a function and no variable, so that a
// program that never calls it does not link them.
func rules() map[string]rule {
	all := map[string]rule{
		"Add": arithmetic(func(a, b float64) float64 { return a + b }),
		"Sub": arithmetic(func(a, b float64) float64 { return a - b }),
		"Mul": product, "Div": quotient, "Neg": negative, "Reciprocal": inverse, "Pow": power,
		"Clip": clip, "Cast": cast, "MatMul": matmul, "Gemm": gemm,
		"Max": elementwise(math.Max), "Min": elementwise(math.Min),
		"Hardmax": whole(0, 1), "Sign": whole(-1, 1), "OneHot": whole(math.Inf(-1), math.Inf(1)),
		"ReduceProd": reduceProd, "ReduceSum": reduceSum, "Sum": sum,
		"Mean": anyOf(0), "Concat": anyOf(0), "Where": anyOf(1),
		"Softmax": softmax(0, 1), "LogSoftmax": softmax(math.Inf(-1), 0),
	}
	for _, g := range groups() {
		for _, op := range strings.Fields(g.ops) {
			all[op] = g.rule
		}
	}
	for kind, r := range map[onnxgraph.Kind]rule{onnxgraph.Compares | onnxgraph.Logical: whole(0, 1), onnxgraph.Recurrent: hidden} {
		for _, op := range onnxgraph.OfKind(kind) {
			all[op] = r
		}
	}
	for op, f := range increasing() {
		all[op] = curve(f, false)
	}
	for op, f := range map[string]func(float64) float64{"Floor": math.Floor, "Ceil": math.Ceil, "Round": math.RoundToEven} {
		all[op] = curve(f, true)
	}
	for op, b := range bounded() {
		all[op] = func(_ *analysis, _ *onnxgraph.Node, ins []Range) Range { return ins[0].of(b[0], b[1]) }
	}
	return all
}

// group is a rule with the operators that share it.
type group struct {
	rule
	ops string
}

func groups() []group {
	return []group{
		{same, "Identity Dropout Expand Flatten Gather GatherElements GatherND Reshape ReverseSequence Slice Split Squeeze Tile"},
		{same, "Transpose Unsqueeze ReduceMean GlobalAveragePool QuantizeLinear DequantizeLinear DynamicQuantizeLinear"},
		{extreme, "ReduceMax ReduceMin TopK MaxPool GlobalMaxPool"},
		{whole(0, 1), "IsNaN IsInf"},
		{layer, "Conv ConvTranspose ConvInteger Einsum BatchNormalization MatMulInteger QLinearMatMul QLinearConv"},
		{position, "ArgMax ArgMin Multinomial"},
		{withZero, "Pad AveragePool"},
	}
}

// increasing returns functions that never decrease.
func increasing() map[string]func(float64) float64 {
	return map[string]func(float64) float64{
		"Exp": math.Exp, "Sqrt": func(v float64) float64 { return math.Sqrt(max(v, 0)) }, "Log": func(v float64) float64 { return math.Log(max(v, 0)) },
		"Sigmoid": func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }, "Tanh": math.Tanh, "Erf": math.Erf, "Atan": math.Atan,
		"Softplus": func(v float64) float64 { return max(v, 0) + math.Log1p(math.Exp(-math.Abs(v))) },
		"Relu":     func(v float64) float64 { return max(v, 0) },
	}
}

// bounded returns functions with the limits of all that they return.
func bounded() map[string][2]float64 {
	return map[string][2]float64{
		"HardSigmoid": {0, 1}, "Softsign": {-1, 1}, "Sin": {-1, 1}, "Cos": {-1, 1}, "LpNormalization": {-1, 1},
		"Abs": {0, math.Inf(1)}, "ReduceL1": {0, math.Inf(1)}, "ReduceL2": {0, math.Inf(1)}, "ReduceSumSquare": {0, math.Inf(1)},
	}
}

// of returns the range from low to high for a function of values of range b.
func (b Range) of(low, high float64) Range {
	return Range{Low: low, High: high, Constant: b.Constant, Softmax: b.Softmax, Extreme: b.Extreme}
}

// same is the rule of an operator that moves elements and does not change them, or
// takes means of them.
func same(_ *analysis, _ *onnxgraph.Node, ins []Range) Range {
	b := ins[0]
	b.Constant = !slices.ContainsFunc(ins, func(in Range) bool { return !in.Constant })
	return b
}

// extreme is the rule of an operator that returns the largest or smallest elements.
func extreme(_ *analysis, _ *onnxgraph.Node, ins []Range) Range {
	b := ins[0]
	b.Extreme, b.Constant = true, false
	return b
}

// withZero is the rule of an operator that may add zeros to its elements.
func withZero(_ *analysis, _ *onnxgraph.Node, ins []Range) Range {
	b := ins[0]
	b.Low, b.High = min(b.Low, 0), max(b.High, 0)
	return b
}

// whole is the rule of an operator that returns whole numbers from low to high.
func whole(low, high float64) rule {
	return func(*analysis, *onnxgraph.Node, []Range) Range { return Range{Low: low, High: high, Integer: true} }
}

// position is the rule of an operator that returns the position of an element.
func position(*analysis, *onnxgraph.Node, []Range) Range {
	return Range{Low: 0, High: math.Inf(1), Integer: true, Index: true}
}

// curve is the rule of an increasing function.
func curve(f func(float64) float64, integer bool) rule {
	return func(_ *analysis, _ *onnxgraph.Node, ins []Range) Range {
		b := ins[0].of(f(ins[0].Low), f(ins[0].High))
		b.Integer = integer
		return b
	}
}

func negative(_ *analysis, _ *onnxgraph.Node, ins []Range) Range {
	b := ins[0]
	b.Low, b.High = -b.High, -b.Low
	return b
}

func cast(_ *analysis, n *onnxgraph.Node, ins []Range) Range {
	b := ins[0]
	to, _ := n.Attribute("to")
	number, _ := to.(int64)
	switch onnxgraph.TypeOf(number) {
	case onnxgraph.Float16, onnxgraph.Float32, onnxgraph.Float64, onnxgraph.BFloat16:
	case onnxgraph.Bool:
		return Range{Low: 0, High: 1, Integer: true}
	default:
		b.Integer, b.Linear = true, false
		b.Low, b.High = math.Trunc(b.Low), math.Trunc(b.High)
	}
	return b
}

// clip limits x to the second and third input, which were attributes before opset 11.
func clip(s *analysis, n *onnxgraph.Node, ins []Range) Range {
	low, high := unknown, unknown
	for name, limit := range map[string]*Range{"min": &low, "max": &high} {
		if v, _ := n.Attribute(name); v != nil {
			v, _ := v.(float32)
			*limit = Range{Low: float64(v), High: float64(v)}
		}
	}
	if len(ins) > 1 && n.Inputs[1] != "" {
		low = ins[1]
	}
	if len(ins) > 2 && n.Inputs[2] != "" {
		high = ins[2]
	}
	x := ins[0]
	b := x.of(min(max(x.Low, low.Low), high.High), min(max(x.High, low.Low), high.High))
	b.Linear = x.Linear && low.Low == unknown.Low && high.High == unknown.High
	return b
}

// arithmetic is the rule of a sum or a difference.
func arithmetic(f func(a, b float64) float64) rule {
	return func(_ *analysis, n *onnxgraph.Node, ins []Range) Range {
		if len(ins) != 2 {
			return unknown
		}
		a, b := ins[0], ins[1]
		out := combine(a, b)
		out.Low, out.High = f(a.Low, b.Low), f(a.High, b.High)
		if n.OpType == "Sub" {
			out.Low, out.High = f(a.Low, b.High), f(a.High, b.Low)
		}
		out.Linear = a.Linear || b.Linear
		switch {
		case n.OpType == "Sub":
		case a.Low >= 0 && b.Low >= 0 && b.Constant:
			out.atLeast = n.Inputs[0]
		case a.Low >= 0 && b.Low >= 0 && a.Constant:
			out.atLeast = n.Inputs[1]
		}
		return out
	}
}

// combine returns what is true of a value that is computed from a and b. It comes from a
// Softmax where one of them does and the other does too or is a constant.
func combine(a, b Range) Range {
	return Range{
		Constant: a.Constant && b.Constant, Integer: a.Integer && b.Integer,
		Softmax: (a.Softmax || a.Constant) && (b.Softmax || b.Constant) && (a.Softmax || b.Softmax),
		Extreme: a.Extreme || b.Extreme,
	}
}

func product(_ *analysis, n *onnxgraph.Node, ins []Range) Range {
	if len(ins) != 2 {
		return unknown
	}
	a, b := ins[0], ins[1]
	out := combine(a, b)
	ends := []float64{times(a.Low, b.Low), times(a.Low, b.High), times(a.High, b.Low), times(a.High, b.High)}
	out.Low, out.High = slices.Min(ends), slices.Max(ends)
	if n.Inputs[0] == n.Inputs[1] {
		out.Low = max(out.Low, 0)
	}
	out.Linear = a.Linear && b.Constant || a.Constant && b.Linear
	return out
}

func quotient(s *analysis, n *onnxgraph.Node, ins []Range) Range {
	if len(ins) != 2 {
		return unknown
	}
	if ins[1].atLeast == n.Inputs[0] && ins[0].Low >= 0 {
		return Range{Low: 0, High: 1, Softmax: ins[1].Softmax}
	}
	one := inverse(s, n, ins[1:])
	one.Constant = ins[1].Constant
	out := product(s, &onnxgraph.Node{Inputs: []string{"a", "b"}}, []Range{ins[0], one})
	out.Linear, out.Integer = ins[0].Linear && ins[1].Constant, false
	return out
}

// inverse is the rule of 1/x, where x is never 0.
func inverse(_ *analysis, _ *onnxgraph.Node, ins []Range) Range {
	x := ins[0]
	if x.Low >= 0 || x.High <= 0 {
		low, high := 1/x.High, 1/x.Low
		if x.Low == 0 {
			high = math.Inf(1)
		}
		if x.High == 0 {
			low = math.Inf(-1)
		}
		return x.of(low, high)
	}
	return x.of(unknown.Low, unknown.High)
}

// power is the rule of x to a constant: one that is even, or any where x is not
// negative.
func power(_ *analysis, _ *onnxgraph.Node, ins []Range) Range {
	if len(ins) != 2 {
		return unknown
	}
	x, p := ins[0], ins[1]
	switch {
	case p.Low == p.High && p.Low > 0 && x.Low >= 0:
		return x.of(math.Pow(x.Low, p.Low), math.Pow(x.High, p.Low))
	case p.Low == p.High && math.Mod(p.Low, 2) == 0:
		return x.of(0, max(math.Pow(x.Low, p.Low), math.Pow(x.High, p.Low)))
	}
	return x.of(unknown.Low, unknown.High)
}

// elementwise is the rule of Max and Min.
func elementwise(f func(a, b float64) float64) rule {
	return each(func(a, b Range) Range {
		return Range{Low: f(a.Low, b.Low), High: f(a.High, b.High), Extreme: !a.Constant && !b.Constant}
	})
}

// each is the rule of an operator that computes f of all its inputs, two at a time.
func each(f func(a, b Range) Range) rule {
	return func(_ *analysis, _ *onnxgraph.Node, ins []Range) Range {
		out := ins[0]
		for _, in := range ins[1:] {
			both := combine(out, in)
			b := f(out, in)
			both.Low, both.High, both.Extreme = b.Low, b.High, both.Extreme || b.Extreme
			both.Linear = out.Linear && in.Linear
			out = both
		}
		return out
	}
}

// anyOf is the rule of an operator whose outputs lie among its inputs from the given
// one on.
func anyOf(from int) rule {
	return func(_ *analysis, _ *onnxgraph.Node, ins []Range) Range {
		out := ins[min(from, len(ins)-1)]
		for _, in := range ins[min(from+1, len(ins)):] {
			out = union(out, in)
		}
		return out
	}
}

func sum(s *analysis, n *onnxgraph.Node, ins []Range) Range {
	add := each(func(a, b Range) Range { return Range{Low: a.Low + b.Low, High: a.High + b.High} })
	return add(s, n, ins)
}

// softmax is the rule of a Softmax or its logarithm.
func softmax(low, high float64) rule {
	return func(*analysis, *onnxgraph.Node, []Range) Range { return Range{Low: low, High: high, Softmax: true} }
}

func reduceSum(_ *analysis, n *onnxgraph.Node, ins []Range) Range {
	b := ins[0]
	b.Constant = false
	if b.Low >= 0 {
		b.atLeast, b.Softmax = n.Inputs[0], true
	}
	b.Low, b.High = times(b.Low, math.Inf(1)), times(b.High, math.Inf(1))
	if b.Low > 0 {
		b.Low = 0
	}
	if b.High < 0 {
		b.High = 0
	}
	return b
}

func reduceProd(_ *analysis, _ *onnxgraph.Node, ins []Range) Range {
	if b := ins[0]; b.Low >= 0 && b.High <= 1 {
		return b.of(0, 1)
	}
	return unknown
}

// hidden is the rule of a recurrent node. A Tanh keeps its hidden state between -1 and 1
// unless another activation is named.
func hidden(_ *analysis, n *onnxgraph.Node, _ []Range) Range {
	names, _ := n.Attribute("activations")
	list, _ := names.([]string)
	if slices.ContainsFunc(list, func(name string) bool { return name != "Tanh" && name != "Sigmoid" }) {
		return unknown
	}
	return Range{Low: -1, High: 1}
}

// layer is the rule of a linear layer. It has no limits, and is linear where its weights
// are constants.
func layer(_ *analysis, n *onnxgraph.Node, ins []Range) Range {
	out := unknown
	variable := slices.IndexFunc(ins, func(b Range) bool { return !b.Constant })
	if variable < 0 {
		out.Constant = true
		return out
	}
	others := slices.Delete(slices.Clone(ins), variable, variable+1)
	fixed := !slices.ContainsFunc(others, func(b Range) bool { return !b.Constant })
	out.Linear, out.Softmax, out.Extreme = fixed, fixed && ins[variable].Softmax, ins[variable].Extreme
	if n.OpType == "BatchNormalization" {
		out.Linear = fixed && ins[variable].Linear
	}
	return out
}

func matmul(s *analysis, n *onnxgraph.Node, ins []Range) Range {
	out := layer(s, n, ins)
	w := s.weight(n.Inputs[len(n.Inputs)-1])
	if out.Linear && len(w.Shape) == 2 && isMean(w.Float64s(), w.Shape[0], w.Shape[1], false) {
		return ins[0]
	}
	return out
}

func gemm(s *analysis, n *onnxgraph.Node, ins []Range) Range {
	out := layer(s, n, ins)
	alpha, scaled := n.Attribute("alpha")
	shifted := len(ins) == 3 && (ins[2].Low != 0 || ins[2].High != 0)
	if !out.Linear || shifted || scaled && alpha != float32(1) {
		return out
	}
	flag, _ := n.Attribute("transB")
	w, transposed := s.weight(n.Inputs[1]), flag == int64(1)
	if len(w.Shape) != 2 {
		return out
	}
	rows, columns := w.Shape[0], w.Shape[1]
	if transposed {
		rows, columns = columns, rows
	}
	if isMean(w.Float64s(), rows, columns, transposed) {
		return ins[0]
	}
	return out
}
