package repair

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// calculating holds the operators with constant operands that may derive from the
// time.
var calculating = set("Add", "Sub", "Mul", "Div", "Pow", "Mod", "Max", "Min", "Clip", "Where", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Concat", "Expand", "Gemm")

// constants returns an error for a constant operand of n that is a function of the
// exported time, or an unexplained factor.
func (p *prover) constants(n *onnxgraph.Node) error {
	if !calculating[n.OpType] {
		return nil
	}
	for _, attribute := range []string{"alpha", "beta", "min", "max"} {
		value, _ := n.Attribute(attribute)
		if v, ok := value.(float32); ok {
			if err := p.number(n, float64(v), true); err != nil {
				return err
			}
		}
	}
	for k, name := range n.Inputs {
		if n.OpType == "Expand" && k == 1 || n.OpType == "Gemm" || n.OpType == "Pow" && k == 1 && p.isCommonPower(name) {
			continue
		}
		t, list, ok := p.value(name)
		if v, same := p.uniform(name); !ok && same { // a broadcast constant
			t, list, ok = onnxgraph.Tensor{Tensor: tensor.Tensor{Data: []float32{float32(v)}}}, []float64{v}, n.OpType == "Mul" || n.OpType == "Div"
		}
		if ok && len(list) > 0 {
			if err := p.operand(n, name, t, list); err != nil {
				return err
			}
		}
	}
	return nil
}

// operand returns an error for a constant operand with the elements list, if it may
// derive from the time.
func (p *prover) operand(n *onnxgraph.Node, name string, t onnxgraph.Tensor, list []float64) error {
	v, same := p.uniform(name)
	switch {
	case isInteger(t) && (n.OpType == "Concat" || len(list) == 1 && p.isVocabulary(int(list[0]))): // a shape or tokens
		return nil
	case n.Is(onnxgraph.Compares) && slices.ContainsFunc(list, func(v float64) bool { return v == math.Trunc(v) && p.isLength(int64(v)) }):
		return fmt.Errorf("it compares with the constant %v, and the time was %d", list, p.example)
	case p.example == 1 && p.ofOneStep(n, t):
		return errors.New("its constant operand has a dimension of one step, as the time was")
	}
	if err := p.madeOf(n, name); err != nil {
		return err
	}
	const few = 64
	at := slices.IndexFunc(list, p.isWhole)
	switch {
	case same && !(isInteger(t) && math.Abs(v) <= 2) && !p.ofGelu(n, v):
		weight := (n.OpType == "Add" || n.OpType == "Sub") && len(t.Shape) > 0 || isInteger(t) // a bias or a number of tokens
		return p.number(n, v, len(list) == 1 && !weight)
	case !same && !isInteger(t) && len(list) <= few && at >= 0:
		return fmt.Errorf("its constant operand has the element %g, and the time was %d", list[at], p.example)
	}
	return nil
}

// isWhole reports whether v is an integer that may be a number of steps.
func (p *prover) isWhole(v float64) bool { return v > 2 && v == math.Trunc(v) && p.isLength(int64(v)) }

// ofOneStep reports whether an operand of n has a dimension at the time axis of the
// result.
func (p *prover) ofOneStep(n *onnxgraph.Node, operand onnxgraph.Tensor) bool {
	out := p.trace.shapes[n.Outputs[0]]
	for axis, s := range out {
		if at := axis - len(out) + len(operand.Shape); at >= 0 && moves(s) && n.OpType != "Concat" {
			return true
		}
	}
	return false
}

// isVocabulary reports whether tokens index a table with this number of rows.
func (p *prover) isVocabulary(rows int) bool {
	return slices.ContainsFunc(p.trace.graph.Nodes, func(n onnxgraph.Node) bool {
		if n.OpType != "Gather" || len(n.Inputs) != 2 || p.trace.constants[n.Inputs[1]] {
			return false
		}
		table, _, ok := p.value(n.Inputs[0])
		return ok && len(table.Shape) == 2 && table.Shape[0] == rows
	})
}

func isInteger(t onnxgraph.Tensor) bool {
	return t.Type() == onnxgraph.Int64 || t.Type() == onnxgraph.Int32
}

func (p *prover) isCommonPower(name string) bool {
	v, ok := p.uniform(name)
	return ok && slices.Contains([]float64{2, 3, 0.5}, v)
}

// ofGelu reports whether v is the 0.5 of a GELU, or of a sigmoid written with tanh.
// The product then has a factor 1 + erf or 1 + tanh.
func (p *prover) ofGelu(n *onnxgraph.Node, v float64) bool {
	if v != 0.5 && v != 2 || n.OpType != "Mul" && n.OpType != "Div" {
		return false
	}
	nearby := slices.Clone(n.Inputs)
	for _, reader := range p.trace.scope.Readers(n.Outputs[0]) {
		if reader.OpType == "Mul" {
			nearby = append(nearby, reader.Inputs...)
		}
	}
	for k := 0; k < len(nearby) && k < 16; k++ {
		switch from := p.producer(nearby[k]); {
		case from == nil:
		case from.OpType == "Mul":
			nearby = append(nearby, from.Inputs...)
		case from.OpType == "Add" && slices.ContainsFunc(from.Inputs, p.isOne) && slices.ContainsFunc(from.Inputs, p.isSquashed):
			return true
		}
	}
	return false
}

func (p *prover) isOne(name string) bool {
	v, ok := p.uniform(name)
	return ok && v == 1
}

func (p *prover) isSquashed(name string) bool {
	from := p.producer(name)
	return from != nil && (from.OpType == "Erf" || from.OpType == "Tanh")
}

// madeOf returns an error for a constant that nodes compute from a number equal to
// the time.
func (p *prover) madeOf(n *onnxgraph.Node, name string) error {
	from := p.producer(name)
	if p.seen[name] {
		return nil
	}
	p.seen[name] = true
	if from == nil || !slices.Contains([]string{"Mul", "Div", "Pow", "Sqrt", "Log", "Reciprocal", "Cast", "Exp", "Range", "Add", "Sub"}, from.OpType) {
		return nil
	}
	for _, input := range from.Inputs {
		if input == name {
			continue
		}
		if v, ok := p.uniform(input); ok && p.isLength(int64(v)) && v == math.Trunc(v) {
			return fmt.Errorf("its constant operand is computed of %g, and the time was %d", v, p.example)
		}
		if err := p.madeOf(n, input); err != nil {
			return err
		}
	}
	return nil
}

// number returns an error for an operand v that is or may be a function of the time.
// alone marks a scalar operand, which is no weight.
func (p *prover) number(n *onnxgraph.Node, v float64, alone bool) error {
	v = math.Abs(v)
	factor := n.OpType == "Mul" || n.OpType == "Div" || n.OpType == "Gemm"
	switch {
	case v == 0 || math.IsInf(v, 0) || math.IsNaN(v):
		return nil
	case v == 1 && (!factor || !alone || p.example < 1 || p.example > 2 || n.OpType == "Gemm"):
		return nil
	}
	if function := p.ofTime(v, factor); function != "" {
		return fmt.Errorf("its constant %.6g is %s of the time that was, %d", v, function, p.example)
	}
	summed := slices.ContainsFunc(n.Inputs, func(name string) bool { return p.summed[name] })
	switch {
	case factor && summed && (isCount(v) || isCount(1/v)):
		return fmt.Errorf("it divides a sum over the time by the constant %.6g", max(v, 1/v))
	case alone && p.example > 0 && n.OpType != "Gemm" && !p.explained(v) && (factor || v > smallest && v != 3 && v != 6): // 3 and 6 are from hard sigmoids
		return fmt.Errorf("its constant %.6g may have been a function of the time", v)
	}
	return nil
}

// smallest is the largest addend that counts as an epsilon, which keeps a sum above
// zero.
const smallest = 0.01

// isCount reports whether v may be a number of steps.
func isCount(v float64) bool { return v >= 2 && v < 1<<20 && near(v, math.Round(v)) }

// ofTime names the function of the example's time that gives v, or returns "".
func (p *prover) ofTime(v float64, factor bool) string {
	t := float64(p.example)
	if p.example == 0 {
		return ""
	}
	type function struct {
		name string
		of   float64
	}
	list := []function{
		{"the number", t}, {"one less", t - 1}, {"the root", math.Sqrt(t)}, {"one more", t + 1}, {"half", t / 2}, {"half", math.Floor(t / 2)}, {"a third", t / 3}, {"a quarter", t / 4},
		{"twice", 2 * t}, {"twice less one", 2*t - 1}, {"the square", t * t}, {"the root of one less", math.Sqrt(t - 1)},
		{"the logarithm", math.Log(t)}, {"the logarithm of one more", math.Log(t + 1)}, {"the logarithm", math.Log2(t)},
	}
	for power := -3; power <= 3; power++ {
		list = append(list, function{"a multiple", t * math.Pow10(power)})
	}
	if factor {
		for _, w := range p.trace.widths() {
			list = append(list, function{"a multiple", t * float64(w)}, function{"a multiple less one", t*float64(w) - 1})
		}
	}
	halved := v == 2 || v == 0.5
	common := p.example <= 3 && (v == 1 || halved || near(math.Pow10(int(math.Round(math.Log10(v)))), v))
	for k, f := range list {
		if common && k > 1 || halved && k > 5 {
			break
		}
		if f.of != 0 && (v != 1 || f.of == 1) && (near(v, f.of) || near(v, 1/f.of)) {
			return f.name
		}
	}
	return ""
}

// explained reports whether a number is common in models of any time: two or a power
// of ten, the root of a width, the maximum of a sample or pixel type, or a constant
// of an activation.
func (p *prover) explained(v float64) bool {
	v = max(v, 1/v)
	if near(v, 1) || near(v, 2) || near(math.Pow10(int(math.Round(math.Log10(v)))), v) {
		return true
	}
	for _, known := range []float64{
		127, 127.5, 255, 32767, 32768, math.Sqrt(math.Pi / 2), math.Sqrt(2/math.Pi) * 2, 1 / 0.044715, math.Pi,
		1 / math.Ln2, math.Ln10, 1.702, 1.0507009873554805, 1.6732632423543772,
	} {
		if near(v, known) {
			return true
		}
	}
	return slices.ContainsFunc(p.trace.widths(), func(width int) bool {
		return near(v, math.Sqrt(float64(width))) || near(v, math.Sqrt(math.Sqrt(float64(width))))
	})
}
