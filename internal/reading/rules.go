package reading

import (
	"math"
	"slices"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// rule returns the bounds of what a node computes from inputs with those bounds.
type rule func(s *survey, n *onnxgraph.Node, ins []bounds) bounds

var recurrent = map[string]bool{"LSTM": true, "GRU": true, "RNN": true}

// rules has the operators that tell something of the bounds of their outputs.
var rules = func() map[string]rule {
	all := map[string]rule{
		"Add": arithmetic(func(a, b float64) float64 { return a + b }),
		"Sub": arithmetic(func(a, b float64) float64 { return a - b }),
		"Mul": product, "Div": quotient, "Neg": negative, "Reciprocal": inverse, "Pow": power,
		"Clip": clip, "Cast": cast, "Pad": withZero, "AveragePool": withZero,
		"MatMul": matmul, "Gemm": gemm, "Conv": layer, "ConvTranspose": layer, "Einsum": layer, "BatchNormalization": layer,
		"MatMulInteger": layer, "QLinearMatMul": layer, "QLinearConv": layer, "ConvInteger": layer,
		"Max": extremes(math.Max), "Min": extremes(math.Min),
		"LSTM": state, "GRU": state, "RNN": state,
		"ArgMax": index, "ArgMin": index, "Multinomial": index,
		"Hardmax": whole(0, 1), "Sign": whole(-1, 1), "OneHot": whole(math.Inf(-1), math.Inf(1)),
		"ReduceProd": reduceProd, "ReduceSum": reduceSum, "Sum": each(func(a, b bounds) bounds { return bounds{low: a.low + b.low, high: a.high + b.high} }),
		"Mean": joined(0), "Concat": joined(0), "Where": joined(1),
		"Softmax":    func(*survey, *onnxgraph.Node, []bounds) bounds { return bounds{low: 0, high: 1, softmax: true} },
		"LogSoftmax": func(*survey, *onnxgraph.Node, []bounds) bounds { return bounds{low: math.Inf(-1), softmax: true} },
	}
	for _, op := range []string{
		"Identity", "Dropout", "Expand", "Flatten", "Gather", "GatherElements", "GatherND", "Reshape", "ReverseSequence", "Slice", "Split",
		"Squeeze", "Tile", "Transpose", "Unsqueeze", "ReduceMean", "GlobalAveragePool", "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear",
	} {
		all[op] = same
	}
	for _, op := range []string{"ReduceMax", "ReduceMin", "TopK", "MaxPool", "GlobalMaxPool"} {
		all[op] = picked
	}
	for _, op := range []string{"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Not", "And", "Or", "Xor", "IsNaN", "IsInf"} {
		all[op] = whole(0, 1)
	}
	for op, f := range increasing {
		all[op] = curve(f, false)
	}
	for op, f := range map[string]func(float64) float64{"Floor": math.Floor, "Ceil": math.Ceil, "Round": math.RoundToEven} {
		all[op] = curve(f, true)
	}
	for op, b := range bounded {
		all[op] = func(_ *survey, _ *onnxgraph.Node, ins []bounds) bounds { return ins[0].of(b[0], b[1]) }
	}
	return all
}()

// increasing has functions that are larger for what is larger.
var increasing = map[string]func(float64) float64{
	"Exp": math.Exp, "Sqrt": func(v float64) float64 { return math.Sqrt(max(v, 0)) }, "Log": func(v float64) float64 { return math.Log(max(v, 0)) },
	"Sigmoid": func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }, "Tanh": math.Tanh, "Erf": math.Erf, "Atan": math.Atan,
	"Softplus": func(v float64) float64 { return max(v, 0) + math.Log1p(math.Exp(-math.Abs(v))) },
	"Relu":     func(v float64) float64 { return max(v, 0) },
}

// bounded has functions with the bounds of all that they return.
var bounded = map[string][2]float64{
	"HardSigmoid": {0, 1}, "Softsign": {-1, 1}, "Sin": {-1, 1}, "Cos": {-1, 1}, "LpNormalization": {-1, 1},
	"Abs": {0, math.Inf(1)}, "ReduceL1": {0, math.Inf(1)}, "ReduceL2": {0, math.Inf(1)}, "ReduceSumSquare": {0, math.Inf(1)},
}

// of returns bounds of what a function makes of x.
func (b bounds) of(low, high float64) bounds {
	return bounds{low: low, high: high, constant: b.constant, softmax: b.softmax, picked: b.picked}
}

func same(_ *survey, _ *onnxgraph.Node, ins []bounds) bounds {
	b := ins[0]
	b.constant = !slices.ContainsFunc(ins, func(in bounds) bool { return !in.constant })
	return b
}

func picked(_ *survey, _ *onnxgraph.Node, ins []bounds) bounds {
	b := ins[0]
	b.picked, b.constant = true, false
	return b
}

func withZero(_ *survey, _ *onnxgraph.Node, ins []bounds) bounds {
	b := ins[0]
	b.low, b.high = min(b.low, 0), max(b.high, 0)
	return b
}

func whole(low, high float64) rule {
	return func(*survey, *onnxgraph.Node, []bounds) bounds { return bounds{low: low, high: high, integer: true} }
}

func index(*survey, *onnxgraph.Node, []bounds) bounds {
	return bounds{low: 0, high: math.Inf(1), integer: true, index: true}
}

func curve(f func(float64) float64, integer bool) rule {
	return func(_ *survey, _ *onnxgraph.Node, ins []bounds) bounds {
		b := ins[0].of(f(ins[0].low), f(ins[0].high))
		b.integer = integer
		return b
	}
}

func negative(_ *survey, _ *onnxgraph.Node, ins []bounds) bounds {
	b := ins[0]
	b.low, b.high = -b.high, -b.low
	return b
}

func cast(_ *survey, n *onnxgraph.Node, ins []bounds) bounds {
	b := ins[0]
	to, _ := n.Attribute("to")
	number, _ := to.(int64)
	switch onnxgraph.DataType(number) {
	case onnxgraph.Float16, onnxgraph.Float32, onnxgraph.Float64, onnxgraph.BFloat16:
	case onnxgraph.Bool:
		return bounds{low: 0, high: 1, integer: true}
	default:
		b.integer, b.linear = true, false
		b.low, b.high = math.Trunc(b.low), math.Trunc(b.high)
	}
	return b
}

// clip holds x within its bounds, attributes before opset 11.
func clip(s *survey, n *onnxgraph.Node, ins []bounds) bounds {
	low, high := unknown, unknown
	for name, limit := range map[string]*bounds{"min": &low, "max": &high} {
		if v, _ := n.Attribute(name); v != nil {
			v, _ := v.(float32)
			*limit = bounds{low: float64(v), high: float64(v)}
		}
	}
	if len(ins) > 1 && n.Inputs[1] != "" {
		low = ins[1]
	}
	if len(ins) > 2 && n.Inputs[2] != "" {
		high = ins[2]
	}
	x := ins[0]
	b := x.of(min(max(x.low, low.low), high.high), min(max(x.high, low.low), high.high))
	b.linear = x.linear && low.low == unknown.low && high.high == unknown.high
	return b
}

// arithmetic is a sum or a difference.
func arithmetic(f func(a, b float64) float64) rule {
	return func(_ *survey, n *onnxgraph.Node, ins []bounds) bounds {
		if len(ins) != 2 {
			return unknown
		}
		a, b := ins[0], ins[1]
		out := combine(a, b)
		out.low, out.high = f(a.low, b.low), f(a.high, b.high)
		if n.OpType == "Sub" {
			out.low, out.high = f(a.low, b.high), f(a.high, b.low)
		}
		out.linear = a.linear || b.linear
		switch {
		case n.OpType == "Sub":
		case a.low >= 0 && b.low >= 0 && b.constant:
			out.above = n.Inputs[0]
		case a.low >= 0 && b.low >= 0 && a.constant:
			out.above = n.Inputs[1]
		}
		return out
	}
}

// combine returns what two values hand on to what is computed from both: of a
// Softmax, only where the other is a constant or from one too.
func combine(a, b bounds) bounds {
	return bounds{
		constant: a.constant && b.constant, integer: a.integer && b.integer,
		softmax: (a.softmax || a.constant) && (b.softmax || b.constant) && (a.softmax || b.softmax),
		picked:  a.picked || b.picked,
	}
}

func product(_ *survey, n *onnxgraph.Node, ins []bounds) bounds {
	if len(ins) != 2 {
		return unknown
	}
	a, b := ins[0], ins[1]
	out := combine(a, b)
	ends := []float64{times(a.low, b.low), times(a.low, b.high), times(a.high, b.low), times(a.high, b.high)}
	out.low, out.high = slices.Min(ends), slices.Max(ends)
	if n.Inputs[0] == n.Inputs[1] {
		out.low = max(out.low, 0)
	}
	out.linear = a.linear && b.constant || a.constant && b.linear
	return out
}

func quotient(s *survey, n *onnxgraph.Node, ins []bounds) bounds {
	if len(ins) != 2 {
		return unknown
	}
	if ins[1].above == n.Inputs[0] && ins[0].low >= 0 {
		return bounds{low: 0, high: 1, softmax: ins[1].softmax}
	}
	one := inverse(s, n, ins[1:])
	one.constant = ins[1].constant
	out := product(s, &onnxgraph.Node{Inputs: []string{"a", "b"}}, []bounds{ins[0], one})
	out.linear, out.integer = ins[0].linear && ins[1].constant, false
	return out
}

// inverse is 1/x, of an x that is not 0.
func inverse(_ *survey, _ *onnxgraph.Node, ins []bounds) bounds {
	x := ins[0]
	if x.low >= 0 || x.high <= 0 {
		low, high := 1/x.high, 1/x.low
		if x.low == 0 {
			high = math.Inf(1)
		}
		if x.high == 0 {
			low = math.Inf(-1)
		}
		return x.of(low, high)
	}
	return x.of(unknown.low, unknown.high)
}

// power is x to a whole number that is even, or x that is not negative to any.
func power(_ *survey, _ *onnxgraph.Node, ins []bounds) bounds {
	if len(ins) != 2 {
		return unknown
	}
	x, p := ins[0], ins[1]
	switch {
	case p.low == p.high && p.low > 0 && x.low >= 0:
		return x.of(math.Pow(x.low, p.low), math.Pow(x.high, p.low))
	case p.low == p.high && math.Mod(p.low, 2) == 0:
		return x.of(0, max(math.Pow(x.low, p.low), math.Pow(x.high, p.low)))
	}
	return x.of(unknown.low, unknown.high)
}

func extremes(f func(a, b float64) float64) rule {
	return each(func(a, b bounds) bounds {
		return bounds{low: f(a.low, b.low), high: f(a.high, b.high), picked: !a.constant && !b.constant}
	})
}

// each combines the bounds of all inputs.
func each(f func(a, b bounds) bounds) rule {
	return func(_ *survey, _ *onnxgraph.Node, ins []bounds) bounds {
		out := ins[0]
		for _, in := range ins[1:] {
			both := combine(out, in)
			b := f(out, in)
			both.low, both.high, both.picked = b.low, b.high, both.picked || b.picked
			both.linear = out.linear && in.linear
			out = both
		}
		return out
	}
}

// joined is any of the inputs from that one on.
func joined(from int) rule {
	return func(_ *survey, _ *onnxgraph.Node, ins []bounds) bounds {
		out := ins[min(from, len(ins)-1)]
		for _, in := range ins[min(from+1, len(ins)):] {
			out = join(out, in)
		}
		return out
	}
}

func reduceSum(_ *survey, n *onnxgraph.Node, ins []bounds) bounds {
	b := ins[0]
	b.constant = false
	if b.low >= 0 {
		b.above, b.softmax = n.Inputs[0], true
	}
	b.low, b.high = times(b.low, math.Inf(1)), times(b.high, math.Inf(1))
	if b.low > 0 {
		b.low = 0
	}
	if b.high < 0 {
		b.high = 0
	}
	return b
}

func reduceProd(_ *survey, _ *onnxgraph.Node, ins []bounds) bounds {
	if b := ins[0]; b.low >= 0 && b.high <= 1 {
		return b.of(0, 1)
	}
	return unknown
}

// state is the output of a recurrent node, which a Tanh bounds where no other
// activation is named.
func state(_ *survey, n *onnxgraph.Node, _ []bounds) bounds {
	names, _ := n.Attribute("activations")
	list, _ := names.([]string)
	if slices.ContainsFunc(list, func(name string) bool { return name != "Tanh" && name != "Sigmoid" }) {
		return unknown
	}
	return bounds{low: -1, high: 1}
}

// layer is a linear layer with constant weights, of unknown bounds.
func layer(_ *survey, n *onnxgraph.Node, ins []bounds) bounds {
	out := unknown
	variable := slices.IndexFunc(ins, func(b bounds) bool { return !b.constant })
	if variable < 0 {
		out.constant = true
		return out
	}
	others := slices.Delete(slices.Clone(ins), variable, variable+1)
	fixed := !slices.ContainsFunc(others, func(b bounds) bool { return !b.constant })
	out.linear, out.softmax, out.picked = fixed, fixed && ins[variable].softmax, ins[variable].picked
	if n.OpType == "BatchNormalization" {
		out.linear = fixed && ins[variable].linear
	}
	return out
}

func matmul(s *survey, n *onnxgraph.Node, ins []bounds) bounds {
	out := layer(s, n, ins)
	w := s.weight(n.Inputs[len(n.Inputs)-1])
	if out.linear && len(w.Shape) == 2 && isMean(numbers(w), w.Shape[0], w.Shape[1], false) {
		return ins[0]
	}
	return out
}

func gemm(s *survey, n *onnxgraph.Node, ins []bounds) bounds {
	out := layer(s, n, ins)
	alpha, scaled := n.Attribute("alpha")
	shifted := len(ins) == 3 && (ins[2].low != 0 || ins[2].high != 0)
	if !out.linear || shifted || scaled && alpha != float32(1) {
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
	if isMean(numbers(w), rows, columns, transposed) {
		return ins[0]
	}
	return out
}
