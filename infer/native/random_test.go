package native

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/ort"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/onnxtest"
	"github.com/rnnkit/rnnkit/internal/orttest"
)

// TestRandomOperators draws nodes at random, of all operators but the recurrent
// and those with graphs, and compares them with ONNX Runtime where it has them.
func TestRandomOperators(t *testing.T) {
	orttest.Library(t)
	cases := 4000
	if testing.Short() {
		cases = 1000
	}
	compared := map[string]int{}
	for i := range uint64(cases) {
		d := &drawOp{draw: draw{
			rand.New(rand.NewPCG(*seed, i)),
			pick(draw{rand.New(rand.NewPCG(i, *seed)), 0}, int64(8), 9, 11, 12, 13, 17, 18, 21),
		}}
		families[int(i)%len(families)](d)
		theirs, ours := d.run()
		switch {
		case theirs.err == nil && ours.err != nil:
			t.Errorf("case %d: %v: %v", i, d, ours.err)
		case theirs.err == nil:
			compared[d.node.OpType]++
			for name, want := range theirs.outputs {
				if err := onnxtest.Compare(ours.outputs[name], want, 1e-4, 2e-5); err != nil {
					t.Errorf("case %d: %v: output %s: %v", i, d, name, err)
				}
			}
		}
	}
	total := 0
	for _, n := range compared {
		total += n
	}
	t.Logf("%d nodes of %d operators compared: %v", total, len(compared), compared)
	if total < cases/2 {
		t.Errorf("only %d of %d nodes were compared", total, cases)
	}
}

// TestLargeConvolutions runs what the random ones are too small for: inputs that are
// laid out in several parts, which begin within lines, and few positions of many
// channels.
func TestLargeConvolutions(t *testing.T) {
	orttest.Library(t)
	for i, test := range []struct {
		name       string
		x, w       []int
		attributes []any
	}{
		{"Conv", []int{2, 3, 40, 50}, []int{4, 3, 5, 5}, nil},
		{"Conv", []int{1, 4, 9000}, []int{6, 2, 8}, []any{"group", int64(2), "strides", []int64{2}, "pads", []int64{5, 3}}},
		{
			"Conv", []int{2, 8, 13}, []int{40, 4, 3},
			[]any{"group", int64(2), "strides", []int64{3}, "dilations", []int64{2}, "pads", []int64{4, 1}},
		},
		{"Conv", []int{1, 2, 5, 6}, []int{64, 2, 3, 2}, []any{"strides", []int64{2, 1}, "pads", []int64{2, 0, 0, 1}}},
		{"Conv", []int{1, 2, 4, 5, 7}, []int{3, 2, 2, 3, 2}, []any{"pads", []int64{1, 0, 1, 0, 1, 0}}},
		{"ConvTranspose", []int{1, 2, 4, 5, 7}, []int{2, 3, 2, 3, 2}, []any{"strides", []int64{1, 2, 1}}},
		{"ConvTranspose", []int{2, 4, 30, 41}, []int{4, 3, 5, 7}, []any{"strides", []int64{2, 3}, "pads", []int64{1, 2, 3, 4}}},
		{"ConvTranspose", []int{1, 6, 3000}, []int{6, 2, 16}, []any{"group", int64(3), "dilations", []int64{2}}},
	} {
		d := &drawOp{draw: draw{rand.New(rand.NewPCG(1, uint64(i))), 17}}
		d.add(onnxgraph.Float32, test.x...)
		d.add(onnxgraph.Float32, test.w...)
		d.op(test.name, 1, test.attributes...)
		for range 4 { // the weights are constant, or an input
			theirs, ours := d.run()
			if theirs.err != nil || ours.err != nil {
				t.Fatalf("%v: %v, %v", d, theirs.err, ours.err)
			}
			if err := onnxtest.Compare(ours.outputs["y0"], theirs.outputs["y0"], 1e-4, 1e-4); err != nil {
				t.Errorf("%v: %v", d, err)
			}
		}
	}
}

// drawOp is a node at random, with its inputs.
type drawOp struct {
	draw
	node   onnxgraph.Node
	values []onnxgraph.Tensor
	empty  bool // dimensions may have size 0, on which ONNX Runtime fails in some operators
}

func (d *drawOp) String() string {
	s := fmt.Sprintf("opset %d %s %v", d.opset, d.node.OpType, d.node.Attributes)
	for _, v := range d.values {
		s += fmt.Sprintf(" %v%v", v.Type(), v.Shape)
		if v.Type() == onnxgraph.Int64 {
			s += fmt.Sprint(v.Data)
		}
	}
	return s
}

type result struct {
	outputs tensors
	err     error
}

// run runs the node in ONNX Runtime and here.
func (d *drawOp) run() (theirs, ours result) {
	m := graph(d.node)
	m.Opsets[0].Version = d.opset
	m.Graph.Inputs, m.Graph.Outputs = nil, nil
	inputs := tensors{}
	names := map[string]bool{}
	for i, v := range d.values {
		if v.Data == nil || names[v.Name] {
			continue
		}
		names[v.Name] = true
		x := v.Tensor
		if i > 0 && d.chance(50) || x.Len() == 0 || i > 0 && len(m.Graph.Inputs) == 0 && i == len(d.values)-1 {
			m.Graph.Initializers = append(m.Graph.Initializers, v)
			continue
		}
		shape := make([]onnxgraph.Dim, len(v.Shape))
		for k, size := range v.Shape {
			if shape[k].Size = size; d.chance(50) {
				shape[k] = onnxgraph.Dim{Size: -1}
			}
		}
		m.Graph.Inputs = append(m.Graph.Inputs, onnxgraph.Value{Name: v.Name, Type: v.Type(), Shape: shape})
		inputs[v.Name] = x
	}
	if len(m.Graph.Inputs) == 0 { // ONNX Runtime's binding needs one
		m.Graph.Inputs = []onnxgraph.Value{{Name: "unused", Type: onnxgraph.Float32, Shape: []onnxgraph.Dim{{Size: 1}}}}
		inputs["unused"] = tensor.Of([]float32{0}, 1)
	}
	for _, name := range d.node.Outputs {
		m.Graph.Outputs = append(m.Graph.Outputs, onnxgraph.Value{Name: name})
	}
	ours = runModel(New(), m, inputs)
	if ours.err != nil { // what it would be, ONNX Runtime may still know
		return result{err: ours.err}, ours
	}
	for i, v := range m.Graph.Outputs {
		out := ours.outputs[v.Name]
		m.Graph.Outputs[i].Type = (&onnxgraph.Tensor{Tensor: tensor.Tensor{Data: out.Data}}).Type()
		m.Graph.Outputs[i].Shape = make([]onnxgraph.Dim, len(out.Shape))
		for k := range out.Shape {
			m.Graph.Outputs[i].Shape[k].Size = -1
		}
	}
	return runModel(ort.CPU(), m, inputs), ours
}

func runModel(e engine.Engine, m *onnxgraph.Model, inputs tensors) result {
	data, err := onnxgraph.Marshal(m)
	if err != nil {
		return result{err: err}
	}
	session, err := e.Open(data)
	if err != nil {
		return result{err: err}
	}
	defer session.Close()
	var names []string
	for _, v := range session.Outputs() {
		names = append(names, v.Name)
	}
	outputs, err := session.Run(context.Background(), inputs, names...)
	return result{outputs, err}
}

// op sets the node, with attributes given as names and values.
func (d *drawOp) op(name string, outputs int, attributes ...any) {
	var inputs, names []string
	for _, v := range d.values {
		inputs = append(inputs, v.Name)
	}
	for i := range outputs {
		names = append(names, fmt.Sprint("y", i))
	}
	d.node = call(name, inputs, names, attributes...)
}

// add appends an input.
func (d *drawOp) add(t onnxgraph.DataType, shape ...int) onnxgraph.Tensor {
	n, _ := product(shape...)
	v := onnxgraph.Tensor{Name: fmt.Sprint("x", len(d.values)), Tensor: tensor.Tensor{Shape: shape}}
	switch t {
	case onnxgraph.Float32:
		v.Data = drawn(n, func() float32 { return float32(d.NormFloat64()) })
	case onnxgraph.Float64:
		v.Data = drawn(n, d.NormFloat64)
	case onnxgraph.Int32:
		v.Data = drawn(n, func() int32 { return int32(d.IntN(11) - 5) })
	case onnxgraph.Int64:
		v.Data = drawn(n, func() int64 { return int64(d.IntN(11) - 5) })
	case onnxgraph.Uint8:
		v.Data = drawn(n, func() uint8 { return uint8(d.IntN(9)) })
	case onnxgraph.Bool:
		v.Data = drawn(n, func() bool { return d.IntN(2) == 0 })
	}
	d.values = append(d.values, v)
	return v
}

func drawn[T any](n int, f func() T) []T {
	list := make([]T, n)
	for i := range list {
		list[i] = f()
	}
	return list
}

// ints appends an input of int64, a list.
func (d *drawOp) ints(list ...int64) {
	d.values = append(d.values, onnxgraph.Tensor{
		Name:   fmt.Sprint("x", len(d.values)),
		Tensor: tensor.Tensor{Shape: []int{len(list)}, Data: append([]int64{}, list...)},
	})
}

// leaveOut appends an input that is not there.
func (d *drawOp) leaveOut() { d.values = append(d.values, onnxgraph.Tensor{}) }

func (d *drawOp) shape(least, most, size int) []int {
	shape := make([]int, least+d.IntN(most-least+1))
	for i := range shape {
		if shape[i] = 1 + d.IntN(size); d.empty && d.chance(3) {
			shape[i] = 0
		}
	}
	return shape
}

// long makes the last dimension of some shapes several registers long.
func (d *drawOp) long(shape []int) []int {
	if len(shape) > 0 && d.chance(30) {
		shape[len(shape)-1] *= 1 + d.IntN(30)
	}
	return shape
}

// special puts values of all magnitudes into some tensors, infinities and NaN too.
func (d *drawOp) special(v onnxgraph.Tensor) {
	x, ok := v.Data.([]float32)
	if !ok || d.chance(60) {
		return
	}
	for i := range x {
		if d.chance(10) {
			x[i] = pick(d.draw, float32(math.Inf(-1)), float32(math.Inf(1)), float32(math.NaN()), 0, 1e-30, -50, 100, -1e9, math.MaxFloat32)
		}
	}
}

// narrower returns a shape that can be broadcast with that one.
func (d *drawOp) narrower(shape []int) []int {
	shape = slices.Clone(shape[d.IntN(len(shape)+1):])
	for i := range shape {
		if d.chance(30) {
			shape[i] = 1
		}
	}
	return shape
}

// axis returns an axis of so many dimensions, which may count from the end.
func (d *drawOp) axis(rank int) int64 {
	if rank == 0 {
		return 0
	}
	return int64(d.IntN(2*rank) - rank)
}

// list adds a list that is an attribute before some opset and an input from then on.
func (d *drawOp) list(attributes *[]any, name string, since int64, list []int64) {
	if d.opset < since {
		*attributes = append(*attributes, name, list)
	} else {
		d.ints(list...)
	}
}

var (
	floatTypes  = []onnxgraph.DataType{onnxgraph.Float32, onnxgraph.Float32, onnxgraph.Float64}
	numberTypes = []onnxgraph.DataType{onnxgraph.Float32, onnxgraph.Float32, onnxgraph.Float64, onnxgraph.Int32, onnxgraph.Int64}
	allTypes    = append([]onnxgraph.DataType{onnxgraph.Uint8, onnxgraph.Bool}, numberTypes...)
)

var families = []func(*drawOp){
	func(d *drawOp) { // arithmetic and comparison
		d.empty = true
		name := pick(d.draw, "Add", "Sub", "Mul", "Div", "Min", "Max", "Less", "Greater", "Equal", "LessOrEqual", "GreaterOrEqual", "Pow", "Mod")
		t := pick(d.draw, numberTypes...)
		s := d.shape(0, 4, 4)
		a, b := d.narrower(s), s
		if d.chance(50) {
			a, b = b, a
		}
		d.add(t, a...)
		y := d.add(t, b...)
		if name == "Div" || name == "Mod" { // nothing is divided by 0
			switch data := y.Data.(type) {
			case []int32:
				for i := range data {
					data[i] = data[i]*2 + 1
				}
			case []int64:
				for i := range data {
					data[i] = data[i]*2 + 1
				}
			}
		}
		if d.op(name, 1); name == "Mod" && t != onnxgraph.Int32 && t != onnxgraph.Int64 {
			d.op(name, 1, "fmod", int64(1))
		}
	},
	func(d *drawOp) { // functions
		d.empty = true
		x := d.add(pick(d.draw, floatTypes...), d.long(d.shape(0, 3, 5))...)
		name := pick(
			d.draw, "Relu", "Sigmoid", "Tanh", "Exp", "Log", "Sqrt", "Abs", "Neg", "Floor", "Ceil", "Round", "Sign", "Erf",
			"Reciprocal", "Softplus", "Softsign", "Sin", "Cos", "Elu", "Selu", "LeakyRelu", "HardSigmoid",
			"ThresholdedRelu", "Celu", "HardSwish", "Not", "IsNaN",
		)
		d.special(x)
		d.op(name, 1)
	},
	func(d *drawOp) { // Gelu
		d.opset = 21
		d.special(d.add(onnxgraph.Float32, d.long(d.shape(0, 3, 5))...))
		d.op("Gelu", 1, "approximate", pick(d.draw, "none", "tanh"))
	},
	func(d *drawOp) { // Where
		d.empty = true
		s := d.shape(0, 3, 4)
		d.add(onnxgraph.Bool, d.narrower(s)...)
		t := pick(d.draw, numberTypes...)
		d.add(t, d.narrower(s)...)
		d.add(t, s...)
		d.op("Where", 1)
	},
	func(d *drawOp) { // reductions
		name := pick(
			d.draw, "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
			"ReduceSumSquare", "ReduceLogSumExp",
		)
		s, t := d.shape(0, 4, 4), pick(d.draw, numberTypes...)
		if name == "ReduceProd" && !slices.Contains(floatTypes, t) {
			s = d.shape(0, 2, 3) // the page leaves open what too large a product is
		}
		d.add(t, s...)
		attributes := []any{"keepdims", int64(d.IntN(2))}
		since := int64(18)
		if name == "ReduceSum" {
			since = 13
		}
		var axes []int64
		for k := range s {
			if d.chance(40) {
				axes = append(axes, int64(k-len(s)*d.IntN(2)))
			}
		}
		if axes != nil {
			d.list(&attributes, "axes", since, axes)
		}
		if d.opset >= since {
			attributes = append(attributes, "noop_with_empty_axes", int64(d.IntN(2)))
		}
		d.op(name, 1, attributes...)
	},
	func(d *drawOp) { // ArgMax and ArgMin
		s := d.shape(1, 4, 4)
		d.add(pick(d.draw, onnxgraph.Float32, onnxgraph.Int32, onnxgraph.Float64), s...)
		attributes := []any{"axis", d.axis(len(s)), "keepdims", int64(d.IntN(2))}
		if d.opset >= 12 {
			attributes = append(attributes, "select_last_index", int64(d.IntN(2)))
		}
		d.op(pick(d.draw, "ArgMax", "ArgMin"), 1, attributes...)
	},
	func(d *drawOp) { // TopK
		s := d.shape(1, 3, 5)
		d.add(pick(d.draw, onnxgraph.Float32, onnxgraph.Int64), s...)
		axis := d.axis(len(s))
		k, _ := axisOf(axis, len(s))
		attributes := []any{"axis", axis}
		n := int64(d.IntN(s[k] + 1))
		if d.list(&attributes, "k", 10, []int64{n}); d.opset < 10 {
			attributes[3] = n
		}
		if d.opset >= 11 {
			attributes = append(attributes, "largest", int64(d.IntN(2)))
		}
		d.op("TopK", 2, attributes...)
	},
	func(d *drawOp) { // CumSum
		s := d.shape(1, 3, 5)
		d.add(pick(d.draw, numberTypes...), s...)
		d.ints(d.axis(len(s)))
		d.op("CumSum", 1, "exclusive", int64(d.IntN(2)), "reverse", int64(d.IntN(2)))
	},
	func(d *drawOp) { // Slice
		d.empty = true
		s := d.shape(1, 4, 6)
		d.add(pick(d.draw, allTypes...), s...)
		bound := func() int64 {
			return pick(d.draw, int64(d.IntN(17)-8), int64(d.IntN(9)-4), math.MinInt64, math.MaxInt64)
		}
		var starts, ends, axes, steps []int64
		for k := range s {
			if d.chance(60) {
				starts, ends = append(starts, bound()), append(ends, bound())
				axes = append(axes, int64(k-len(s)*d.IntN(2)))
				steps = append(steps, pick(d.draw, int64(1), 2, 3, -1, -2, 100, -100))
			}
		}
		if d.opset < 10 {
			d.op("Slice", 1, "starts", starts, "ends", ends, "axes", axes)
			return
		}
		d.ints(starts...)
		d.ints(ends...)
		d.ints(axes...)
		if d.chance(80) {
			d.ints(steps...)
		}
		d.op("Slice", 1)
	},
	func(d *drawOp) { // Pad
		s := d.shape(1, 4, 5)
		d.add(pick(d.draw, onnxgraph.Float32, onnxgraph.Float64), s...)
		mode := pick(d.draw, "constant", "edge", "reflect")
		pads := make([]int64, 2*len(s))
		for i := range pads {
			if pads[i] = int64(d.IntN(4)); mode == "reflect" {
				pads[i] = min(pads[i], int64(max(0, s[i%len(s)]-1)))
			} else if mode == "constant" && d.chance(20) {
				pads[i] = -1
			}
		}
		attributes := []any{"mode", mode}
		d.list(&attributes, "pads", 11, pads)
		if d.opset >= 11 && mode == "constant" && d.chance(50) {
			d.add(d.values[0].Type())
		}
		d.op("Pad", 1, attributes...)
	},
	func(d *drawOp) { // Trilu
		d.empty = true
		d.add(pick(d.draw, onnxgraph.Float32, onnxgraph.Float64, onnxgraph.Int64, onnxgraph.Bool), d.shape(2, 4, 5)...)
		if d.chance(60) {
			d.ints(int64(d.IntN(11) - 5))
		}
		d.op("Trilu", 1, "upper", int64(d.IntN(2)))
	},
	func(d *drawOp) { // Concat
		d.empty = true
		s := d.shape(1, 4, 3)
		axis := d.axis(len(s))
		k, _ := axisOf(axis, len(s))
		t := pick(d.draw, allTypes...)
		for range 1 + d.IntN(4) {
			s = slices.Clone(s)
			s[k] = d.IntN(4)
			d.add(t, s...)
		}
		d.op("Concat", 1, "axis", axis)
	},
	func(d *drawOp) { // Split
		d.empty = true
		s := d.shape(1, 3, 6)
		axis := d.axis(len(s))
		k, _ := axisOf(axis, len(s))
		d.add(pick(d.draw, onnxgraph.Float32, onnxgraph.Int64, onnxgraph.Bool), s...)
		attributes := []any{"axis", axis}
		if d.opset >= 18 && d.chance(50) {
			n := 1 + d.IntN(max(1, s[k]))
			d.op("Split", n, append(attributes, "num_outputs", int64(n))...)
			return
		}
		first := int64(d.IntN(s[k] + 1))
		d.list(&attributes, "split", 13, []int64{first, int64(s[k]) - first})
		d.op("Split", 2, attributes...)
	},
	func(d *drawOp) { // Gather
		s := d.shape(1, 3, 5)
		axis := d.axis(len(s))
		k, _ := axisOf(axis, len(s))
		d.add(pick(d.draw, allTypes...), s...)
		d.indices(s[k], d.shape(0, 2, 4)...)
		d.op("Gather", 1, "axis", axis)
	},
	func(d *drawOp) { // GatherElements and ScatterElements
		s := d.shape(1, 3, 5)
		axis := d.axis(len(s))
		k, _ := axisOf(axis, len(s))
		t := pick(d.draw, numberTypes...)
		d.add(t, s...)
		at := slices.Clone(s)
		for i := range at {
			at[i] = d.IntN(at[i] + 1)
		}
		if d.chance(50) {
			d.indices(s[k], at...)
			d.op("GatherElements", 1, "axis", axis)
			return
		}
		at[k] = min(at[k], 1) // no place twice
		d.indices(s[k], at...)
		d.add(t, at...)
		attributes := []any{"axis", axis}
		if d.opset >= 18 {
			attributes = append(attributes, "reduction", pick(d.draw, "none", "add", "mul", "max", "min"))
		}
		d.op("ScatterElements", 1, attributes...)
	},
	func(d *drawOp) { // GatherND and ScatterND
		s := []int{1 + d.IntN(4), 1 + d.IntN(4), 1 + d.IntN(4)}
		t := pick(d.draw, numberTypes...)
		d.add(t, s...)
		tuple := 1 + d.IntN(3)
		d.indices(slices.Min(s[:tuple]), 1, tuple)
		if d.chance(50) {
			d.op("GatherND", 1)
			return
		}
		d.add(t, append([]int{1}, s[tuple:]...)...)
		d.op("ScatterND", 1)
	},
	func(d *drawOp) { // OneHot
		d.indices(5, d.shape(0, 3, 4)...)
		d.ints(int64(1 + d.IntN(6)))
		d.add(pick(d.draw, onnxgraph.Float32, onnxgraph.Int64), 2)
		d.op("OneHot", 1, "axis", pick(d.draw, int64(-1), 0))
	},
	func(d *drawOp) { // what changes no elements
		d.empty = true
		s := d.shape(0, 4, 3)
		d.add(pick(d.draw, allTypes...), s...)
		name := pick(d.draw, "Shape", "Size", "NonZero", "Identity", "Flatten", "Transpose", "Unsqueeze", "Squeeze", "Reshape", "Tile", "Expand")
		var attributes []any
		switch name {
		case "NonZero":
			if len(s) == 0 { // by the page [0, n], in ONNX Runtime [1, n]
				name = "Identity"
			}
		case "Flatten":
			attributes = append(attributes, "axis", d.axis(len(s)))
		case "Transpose":
			perm := []int64{}
			for _, k := range d.Perm(len(s)) {
				perm = append(perm, int64(k))
			}
			if d.chance(70) {
				attributes = append(attributes, "perm", perm)
			}
		case "Unsqueeze":
			d.list(&attributes, "axes", 13, []int64{0, d.axis(len(s)+2)/2*2 + 1})
		case "Squeeze":
			axes := []int64{}
			for k, size := range s {
				if size == 1 && d.chance(60) {
					axes = append(axes, int64(k))
				}
			}
			if len(axes) > 0 {
				d.list(&attributes, "axes", 13, axes)
			}
		case "Reshape":
			n, _ := product(s...)
			d.ints(pick(d.draw, [][]int64{{-1}, {0, -1}, {int64(n)}, {1, -1, 1}}...)...)
		case "Tile":
			repeats := []int64{}
			for range s {
				repeats = append(repeats, int64(d.IntN(4)))
			}
			d.ints(repeats...)
		case "Expand":
			shape := []int64{}
			for _, size := range append(d.shape(0, 1, 3), d.narrower(s)...) {
				shape = append(shape, int64(size))
			}
			d.ints(shape...)
		}
		d.op(name, 1, attributes...)
	},
	func(d *drawOp) { // MatMul
		m, k, n := 1+d.IntN(9), 1+d.IntN(9), 1+d.IntN(9)
		batch := d.shape(0, 2, 3)
		t := pick(d.draw, numberTypes...)
		d.add(t, pick(d.draw, append(d.narrower(batch), m, k), []int{k}, append(slices.Clone(batch), m, k))...)
		d.add(t, pick(d.draw, append(d.narrower(batch), k, n), []int{k}, append(slices.Clone(batch), k, n))...)
		d.op("MatMul", 1)
	},
	func(d *drawOp) { // Gemm
		m, k, n := 1+d.IntN(9), 1+d.IntN(9), 1+d.IntN(9)
		transA, transB := d.IntN(2), d.IntN(2)
		a, b := []int{m, k}, []int{k, n}
		if transA == 1 {
			slices.Reverse(a)
		}
		if transB == 1 {
			slices.Reverse(b)
		}
		t := pick(d.draw, floatTypes...)
		d.add(t, a...)
		d.add(t, b...)
		d.add(t, pick(d.draw, [][]int{{}, {n}, {1, n}, {m, 1}, {m, n}}...)...)
		d.op("Gemm", 1, "transA", int64(transA), "transB", int64(transB), "alpha", float32(d.IntN(3)), "beta", float32(d.IntN(3)))
	},
	func(d *drawOp) { // Einsum
		t := pick(d.draw, onnxgraph.Float32, onnxgraph.Float64, onnxgraph.Int64)
		size := map[rune]int{'b': 2, 'i': 3, 'j': 4, 'k': 1 + d.IntN(5)}
		terms := pick(
			d.draw, []string{"ij,jk->ik", "ij", "k"}, []string{"bij,bjk->bik"}, []string{"ij->ji"}, []string{"ij->"},
			[]string{"bij,kj->bik"}, []string{"ij,ij->i"}, []string{"i,j->ij"}, []string{"bi,bi"},
		)
		equation := terms[0]
		term := []int{}
		for _, c := range equation + "," {
			switch {
			case c == ',' || c == '-':
				d.add(t, term...)
				term = []int{}
				if c == '-' {
					d.op("Einsum", 1, "equation", equation)
					return
				}
			default:
				term = append(term, size[c])
			}
		}
		d.op("Einsum", 1, "equation", equation)
	},
	func(d *drawOp) { // Conv and ConvTranspose
		spatial, group := 1+d.IntN(2), 1+d.IntN(2)
		channels, outputs := group*(1+d.IntN(3)), group*(1+d.IntN(3))
		name := pick(d.draw, "Conv", "ConvTranspose")
		x, w := []int{1 + d.IntN(2), channels}, []int{outputs, channels / group}
		if name == "ConvTranspose" {
			w = []int{channels, outputs / group}
		}
		for range spatial {
			x, w = append(x, 5+d.IntN(5)), append(w, 1+d.IntN(3))
		}
		d.add(onnxgraph.Float32, x...)
		d.add(onnxgraph.Float32, w...)
		if d.chance(50) {
			d.add(onnxgraph.Float32, outputs)
		}
		attributes := append(d.window(spatial), "group", int64(group), "dilations", d.sizes(spatial, 1, 2))
		d.op(name, 1, attributes...)
	},
	func(d *drawOp) { // pooling
		spatial := 1 + d.IntN(3)
		x := []int{1 + d.IntN(2), 1 + d.IntN(2)}
		for range spatial {
			x = append(x, 5+d.IntN(5))
		}
		d.add(onnxgraph.Float32, x...)
		switch name := pick(d.draw, "MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool"); name {
		case "MaxPool", "AveragePool":
			attributes := append(d.window(spatial), "kernel_shape", d.sizes(spatial, 2, 5))
			ceil, outputs := d.IntN(2), 1
			if d.opset >= 10 {
				attributes = append(attributes, "ceil_mode", int64(ceil))
			}
			dilates := name == "MaxPool" && d.opset >= 10 || d.opset >= 19
			if dilates && !slices.Contains(attributes, any("auto_pad")) { // ONNX Runtime pads as if there were no dilations
				attributes = append(attributes, "dilations", d.sizes(spatial, 1, 2))
			}
			if name == "MaxPool" {
				if outputs += d.IntN(2); outputs == 2 && d.chance(50) {
					attributes = append(attributes, "storage_order", int64(1))
				}
			} else if ceil == 0 || d.opset >= 19 { // before, ONNX Runtime counts what lies behind the pads
				attributes = append(attributes, "count_include_pad", int64(d.IntN(2)))
			}
			d.op(name, outputs, attributes...)
		default:
			d.op(name, 1)
		}
	},
	func(d *drawOp) { // normalization
		x := []int{1 + d.IntN(3), 1 + d.IntN(3), 2 + d.IntN(4)}
		d.add(onnxgraph.Float32, x...)
		switch pick(d.draw, 0, 1, 2) {
		case 0:
			for range 4 {
				d.add(onnxgraph.Float32, x[1])
			}
			for i, v := range d.values[4].Data.([]float32) {
				d.values[4].Data.([]float32)[i] = v*v + 0.1
			}
			d.op("BatchNormalization", 1, "epsilon", float32(1e-3))
		case 1:
			d.add(onnxgraph.Float32, x[1])
			d.add(onnxgraph.Float32, x[1])
			d.op("InstanceNormalization", 1)
		case 2:
			axis := d.axis(3)
			k, _ := axisOf(axis, 3)
			d.add(onnxgraph.Float32, x[k:]...)
			d.add(onnxgraph.Float32, x[k:]...)
			d.op("LayerNormalization", 1+2*d.IntN(2), "axis", axis)
		}
	},
	func(d *drawOp) { // Softmax and the like
		s := d.long(d.shape(1, 4, 4))
		x, name := d.add(pick(d.draw, floatTypes...), s...), pick(d.draw, "Softmax", "LogSoftmax", "Hardmax")
		if name != "Hardmax" { // in ONNX Runtime it goes by a NaN or not, as it lies
			d.special(x)
		}
		d.op(name, 1, "axis", d.axis(len(s)))
	},
	func(d *drawOp) { // Cast
		d.empty = true
		d.add(pick(d.draw, allTypes...), d.shape(0, 3, 4)...)
		to := pick(d.draw, onnxgraph.Float32, onnxgraph.Float64, onnxgraph.Int32, onnxgraph.Int64, onnxgraph.Bool)
		d.op("Cast", 1, "to", onnxgraph.Number(to))
	},
	func(d *drawOp) { // Clip and PRelu
		s := d.shape(1, 3, 4)
		d.add(onnxgraph.Float32, s...)
		if d.chance(50) {
			d.add(onnxgraph.Float32, d.narrower(s)...)
			d.op("PRelu", 1)
			return
		}
		if d.opset < 11 {
			d.op("Clip", 1, "min", float32(-0.5), "max", float32(0.5))
			return
		}
		if d.chance(50) {
			d.leaveOut()
		} else {
			d.add(onnxgraph.Float32)
		}
		if d.chance(50) {
			d.add(onnxgraph.Float32)
		}
		d.op("Clip", 1)
	},
	func(d *drawOp) { // Range and ConstantOfShape
		if d.chance(50) {
			d.ints(int64(d.IntN(4)), int64(d.IntN(4)))
			d.op("ConstantOfShape", 1, "value", onnxgraph.Tensor{Tensor: tensor.Of([]int64{7}, 1)})
			return
		}
		t := pick(d.draw, numberTypes...)
		for range 3 {
			d.add(t)
		}
		d.op("Range", 1)
	},
	func(d *drawOp) { // ReverseSequence
		time, batch := 1+d.IntN(5), 1+d.IntN(4)
		first := d.IntN(2)
		s := []int{time, batch, 1 + d.IntN(3)}
		if first == 1 {
			s[0], s[1] = s[1], s[0]
		}
		d.add(pick(d.draw, allTypes...), s...)
		lengths := drawn(batch, func() int64 { return int64(1 + d.IntN(time)) })
		d.ints(lengths...)
		d.op("ReverseSequence", 1, "time_axis", int64(first), "batch_axis", int64(1-first))
	},
}

// indices appends an input of indices of a dimension of that size.
func (d *drawOp) indices(size int, shape ...int) {
	v := d.add(onnxgraph.Int64, shape...)
	for i := range v.Data.([]int64) {
		v.Data.([]int64)[i] = int64(d.IntN(max(1, 2*size)) - size)
	}
}

// sizes returns so many numbers between two bounds.
func (d *drawOp) sizes(n, low, high int) []int64 {
	return drawn(n, func() int64 { return int64(low + d.IntN(high-low+1)) })
}

// window returns attributes of a convolution or a pooling.
func (d *drawOp) window(spatial int) []any {
	attributes := []any{"strides", d.sizes(spatial, 1, 3)}
	switch pad := pick(d.draw, "", "pads", "SAME_UPPER", "SAME_LOWER", "VALID"); pad {
	case "":
	case "pads":
		attributes = append(attributes, "pads", d.sizes(2*spatial, 0, 1))
	default:
		attributes = append(attributes, "auto_pad", pad)
	}
	return attributes
}
