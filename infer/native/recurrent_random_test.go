package native

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/ort"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/onnxref"
	"github.com/rnnkit/rnnkit/internal/orttest"
)

var seed = flag.Uint64("seed", 1, "the seed of TestRandomRecurrent and TestRandomOperators")

// TestRandomRecurrent draws recurrent nodes at random and compares them with
// the reference and, where it takes them, with ONNX Runtime.
func TestRandomRecurrent(t *testing.T) {
	withORT := orttest.Available(t)
	models, nodes := 40, 50
	if testing.Short() {
		models = 10
	}
	compared := 0
	for i := range uint64(models) {
		d := draw{rand.New(rand.NewPCG(*seed, i)), 0}
		d.opset = pick(d, int64(1), 3, 7, 7, 11, 11, 14, 14, 17, 17, 22, 22)
		var all, both []*randomNode
		for k := range nodes {
			n := d.node(fmt.Sprintf("m%d.n%d", i, k))
			all = append(all, n)
			if n.refused == "" {
				both = append(both, n)
			}
		}
		got := runNodes(t, New(), all, d.opset)
		for _, n := range all {
			n.compare(t, got, n.want, "the reference", n.tolerance())
		}
		if withORT && len(both) > 0 {
			compared += len(both)
			theirs := runNodes(t, ort.CPU(), both, d.opset)
			for _, n := range both {
				n.compare(t, got, theirs, "ONNX Runtime", n.tolerance())
			}
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	t.Logf("%d of %d nodes compared with ONNX Runtime", compared, models*nodes)
}

// randomNode is a node with its inputs and the answers of the reference.
type randomNode struct {
	onnxgraph.Node
	before    []onnxgraph.Node // a Transpose that writes X
	after     []onnxgraph.Node // one that reads Y
	inputs    tensors
	constants []onnxgraph.Tensor
	want      tensors
	refused   string // why ONNX Runtime cannot run the node as the pages have it
	typ       tensor.Type
}

func (n *randomNode) tolerance() float64 {
	switch n.typ {
	case tensor.Float16:
		return 1e-3
	case tensor.Float64:
		return 1e-12
	}
	return 2e-5
}

// compare compares the outputs of n in two results, relative to their size.
func (n *randomNode) compare(t *testing.T, got, want tensors, whose string, tolerance float64) {
	t.Helper()
	for name := range n.want {
		g, w := got[name], want[name]
		if g.Type() != n.typ || !slices.Equal(g.Shape, w.Shape) {
			t.Errorf("%v: output %s is %s%v, that of %s %s%v", n, name, g.Type(), g.Shape, whose, n.typ, w.Shape)
			continue
		}
		worst, size := difference(wide(g), wide(w))
		if !(worst <= tolerance*size) {
			t.Errorf("%v: output %s differs from that of %s by %g, and is as large as %g", n, name, whose, worst, size)
		}
	}
}

// String describes n without its data.
func (n *randomNode) String() string {
	s := fmt.Sprintf("%s %s %s%v", n.Name, n.typ, n.OpType, n.Attributes)
	for name, t := range n.inputs {
		s += fmt.Sprintf(" %s%v", name, t.Shape)
		if t.Type() == tensor.Int32 {
			s += fmt.Sprint(t.Data)
		}
	}
	for _, t := range n.constants {
		s += fmt.Sprintf(" %s%v", t.Name, t.Shape)
	}
	return s + fmt.Sprintf(" -> %q %v %v", n.Outputs, n.before, n.after)
}

// wide returns the elements of t as float64.
func wide(t tensor.Tensor) []float64 {
	var list []float64
	switch data := t.Data.(type) {
	case []tensor.Half:
		for _, v := range data {
			list = append(list, float64(v.Float32()))
		}
	case []float32:
		for _, v := range data {
			list = append(list, float64(v))
		}
	case []float64:
		list = data
	}
	return list
}

// runNodes runs all nodes as one model.
func runNodes(t *testing.T, e engine.Engine, nodes []*randomNode, opset int64) tensors {
	t.Helper()
	m := &onnxgraph.Model{IRVersion: 8, Opsets: []onnxgraph.Opset{{Version: opset}}, Graph: onnxgraph.Graph{Name: "g"}}
	inputs := tensors{}
	var names []string
	for _, n := range nodes {
		m.Graph.Nodes = slices.Concat(m.Graph.Nodes, n.before, []onnxgraph.Node{n.Node}, n.after)
		m.Graph.Initializers = append(m.Graph.Initializers, n.constants...)
		for name, t := range n.inputs {
			inputs[name] = t
			shape := make([]onnxgraph.Dim, len(t.Shape))
			for i := range shape {
				shape[i].Size = -1
			}
			m.Graph.Inputs = append(m.Graph.Inputs, onnxgraph.Value{Name: name, Type: t.Type(), Shape: shape})
		}
		for name := range n.want {
			names = append(names, name)
			m.Graph.Outputs = append(m.Graph.Outputs, onnxgraph.Value{Name: name, Type: n.typ})
		}
	}
	session, err := e.Open(marshal(t, m))
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	run(t, session, inputs, names...)
	return run(t, session, inputs, names...) // in memory that was used before
}

// draw draws nodes of an opset.
type draw struct {
	*rand.Rand
	opset int64
}

func (d draw) chance(percent int) bool { return d.IntN(100) < percent }

func pick[T any](d draw, list ...T) T { return list[d.IntN(len(list))] }

// node draws a node with answers that are not large and that, says the
// reference, roundings do not decide.
func (d draw) node(name string) *randomNode {
	for {
		n, ref := d.attempt(name)
		want := ref.Run()
		stable := ref.Jump > 1e-4
		for _, a := range []*onnxref.Array{ref.X, ref.W, ref.R} {
			for i := range a.Data {
				a.Data[i] += 1e-5 * (2*d.Float64() - 1)
			}
		}
		moved := ref.Run()
		n.want = tensors{}
		for i, w := range want {
			change, size := difference(moved[i].Data, w.Data)
			stable = stable && size < 10 && change <= 1e-4*size
			if i < len(n.Outputs) && n.Outputs[i] != "" {
				n.want[n.Outputs[i]] = tensor.Tensor{Shape: w.Shape, Data: w.Data}
			}
		}
		if !stable {
			continue
		}
		if d.chance(30) {
			n.readTransposed(pick(d, []int{1, 0, 2}, []int{2, 1, 0}, []int{0, 1, 2}))
		}
		if d.chance(30) && n.Outputs[0] != "" {
			n.writeTransposed(pick(d, []int{0, 2, 1, 3}, []int{2, 0, 1, 3}, []int{2, 0, 3, 1}))
		}
		return n
	}
}

// readTransposed lets n read X from a Transpose with that perm, its own inverse.
func (n *randomNode) readTransposed(perm []int) {
	name := n.Inputs[0]
	n.before = []onnxgraph.Node{permute(name+".t", name, perm)}
	n.inputs[name+".t"] = transposed(n.inputs[name], perm)
	delete(n.inputs, name)
}

// writeTransposed lets Y come out of a Transpose.
func (n *randomNode) writeTransposed(perm []int) {
	name := n.Outputs[0]
	n.after = []onnxgraph.Node{permute(name, name+".t", perm)}
	n.want[name+".t"] = transposed(n.want[name], perm)
	delete(n.want, name)
}

// permute returns a Transpose, which is called after what it writes.
func permute(from, to string, perm []int) onnxgraph.Node {
	axes := make([]int64, len(perm))
	for i, axis := range perm {
		axes[i] = int64(axis)
	}
	n := call("Transpose", []string{from}, []string{to}, "perm", axes)
	n.Name = to
	return n
}

// transposed returns what Transpose makes of t.
func transposed(t tensor.Tensor, perm []int) tensor.Tensor {
	shape := make([]int, len(perm))
	for k, from := range perm {
		shape[k] = t.Shape[from]
	}
	from := make([]int, t.Len()) // the element of t for each of the result
	for i := range from {
		index, rest := make([]int, len(perm)), i
		for k := len(perm) - 1; k >= 0; k-- {
			index[perm[k]] = rest % shape[k]
			rest /= shape[k]
		}
		for k, at := range index {
			from[i] = from[i]*t.Shape[k] + at
		}
	}
	switch data := t.Data.(type) {
	case []tensor.Half:
		return tensor.Of(choose(data, from), shape...)
	case []float32:
		return tensor.Of(choose(data, from), shape...)
	}
	return tensor.Of(choose(t.Data.([]float64), from), shape...)
}

func choose[T any](data []T, from []int) []T {
	list := make([]T, len(from))
	for i, k := range from {
		list[i] = data[k]
	}
	return list
}

// difference returns the largest difference between elements of a and of b, NaN
// where there is one, and the size of the largest of b, 1 where all are less.
func difference(a, b []float64) (worst, size float64) {
	size = 1
	for i := range b {
		size = max(size, math.Abs(b[i]))
		worst = max(worst, math.Abs(a[i]-b[i]))
	}
	return worst, size
}

func (d draw) attempt(name string) (*randomNode, *onnxref.Recurrent) {
	ref := &onnxref.Recurrent{
		Op:        pick(d, "RNN", "GRU", "LSTM"),
		Direction: pick(d, "forward", "reverse", "bidirectional"),
		Clip:      math.Inf(1),
	}
	gates := map[string]int{"RNN": 1, "GRU": 3, "LSTM": 4}[ref.Op]
	time, batch, inputs, hidden := 1+d.IntN(7), 1+d.IntN(5), 1+d.IntN(6), 1+d.IntN(7)
	switch d.IntN(10) {
	case 0: // more rows than a cell takes in one go
		time, batch = 15+d.IntN(15), 30+d.IntN(60)
	case 1:
		batch, inputs, hidden = 9, 19, 33
	}
	directions := 1
	if ref.Direction == "bidirectional" {
		directions = 2
	}
	n := &randomNode{
		Node: onnxgraph.Node{Name: name, OpType: ref.Op, Inputs: make([]string, 8)}, inputs: tensors{},
		typ: tensor.Float32,
	}
	if d.chance(15) {
		n.typ = pick(d, tensor.Float16, tensor.Float64)
		n.refused = "the type"
	}
	if d.opset < 7 {
		n.refused = "the opset"
	}
	set := func(name string, value any) {
		n.Attributes = append(n.Attributes, onnxgraph.Attribute{Name: name, Value: value})
	}
	if ref.Direction != "forward" || d.chance(30) {
		set("direction", ref.Direction)
	}
	if d.chance(95) {
		set("hidden_size", int64(hidden))
	} else {
		n.refused = "no hidden_size"
	}
	if d.opset < 7 && d.chance(30) {
		set("output_sequence", int64(d.IntN(2)))
	}
	if d.opset >= 14 && d.chance(20) {
		ref.BatchFirst = true
		n.refused = "layout 1"
		set("layout", int64(1))
	}
	if ref.Op == "LSTM" && d.chance(30) {
		ref.InputForget = true
		set("input_forget", int64(1))
	}
	if ref.Op == "GRU" && d.opset >= 3 && d.chance(50) {
		ref.LinearBeforeReset = true
		set("linear_before_reset", int64(1))
	}
	if d.chance(30) {
		clip := float32(0.05 + 2*d.Float64())
		ref.Clip = float64(clip)
		set("clip", clip)
	}
	if d.chance(60) {
		d.activations(n, ref, directions, set)
	}

	state := []int{directions, batch, hidden}
	x := []int{time, batch, inputs}
	if ref.BatchFirst {
		state, x = []int{batch, directions, hidden}, []int{batch, time, inputs}
	}
	in := func(i, percent int, to **onnxref.Array, shape ...int) {
		if d.chance(percent) {
			*to = d.input(n, i, shape)
		}
	}
	in(0, 100, &ref.X, x...)
	in(1, 100, &ref.W, directions, gates*hidden, inputs)
	in(2, 100, &ref.R, directions, gates*hidden, hidden)
	in(3, 70, &ref.B, directions, 2*gates*hidden)
	in(5, 50, &ref.InitialH, state...)
	if ref.Op == "LSTM" {
		in(6, 50, &ref.InitialC, state...)
		in(7, 40, &ref.P, directions, 3*hidden)
	}
	if d.chance(50) {
		lengths := make([]int32, batch)
		for b := range lengths {
			lengths[b] = int32(d.IntN(time + 1))
			ref.SequenceLens = append(ref.SequenceLens, int(lengths[b]))
		}
		n.Inputs[4] = name + ".lens"
		n.inputs[n.Inputs[4]] = tensor.Of(lengths, batch)
	}
	for n.Inputs[len(n.Inputs)-1] == "" {
		n.Inputs = n.Inputs[:len(n.Inputs)-1]
	}

	outputs := []string{"Y", "Yh", "Yc"}
	if ref.Op != "LSTM" {
		outputs = outputs[:2]
	}
	must := d.IntN(len(outputs))
	for i, out := range outputs {
		if i == must || d.chance(60) {
			n.Outputs = append(n.Outputs, name+"."+out)
		} else {
			n.Outputs = append(n.Outputs, "")
		}
	}
	return n, ref
}

// input draws input i of n, a constant or one of the graph.
func (d draw) input(n *randomNode, i int, shape []int) *onnxref.Array {
	a := onnxref.NewArray(shape...)
	t := onnxgraph.Tensor{Name: fmt.Sprintf("%s.%d", n.Name, i), Tensor: tensor.Tensor{Shape: shape}}
	n.Inputs[i] = t.Name
	scale := 1.0
	if i == 1 || i == 2 { // so that sums are of order 1
		scale = 2 / math.Sqrt(float64(shape[2]))
	}
	var halves []onnxgraph.Half
	var singles []float32
	for k := range a.Data {
		v := scale * (2*d.Float64() - 1)
		switch n.typ {
		case tensor.Float16:
			h := tensor.HalfOf(float32(v))
			halves, v = append(halves, onnxgraph.Half(h)), float64(h.Float32())
		case tensor.Float32:
			singles, v = append(singles, float32(v)), float64(float32(v))
		}
		a.Data[k] = v
	}
	switch n.typ {
	case tensor.Float16:
		t.Data = halves
	case tensor.Float32:
		t.Data = singles
	default:
		t.Data = slices.Clone(a.Data)
	}
	if i > 0 && d.chance(50) {
		n.constants = append(n.constants, t)
	} else {
		n.inputs[t.Name] = valueOf(t)
	}
	return a
}

// activations draws the functions and their scaling values, of which the last
// may be left out where there are defaults.
func (d draw) activations(n *randomNode, ref *onnxref.Recurrent, directions int, set func(string, any)) {
	count := directions * map[string]int{"RNN": 1, "GRU": 2, "LSTM": 3}[ref.Op]
	var alphas, betas []float32
	needAlphas, needBetas := 0, 0 // by ScaledTanh, which has no defaults
	ours := map[string]bool{}     // what takes an alpha that ONNX Runtime defaults otherwise
	for range count {
		name := pick(d, "Relu", "Tanh", "Sigmoid", "Affine", "LeakyRelu", "ThresholdedRelu", "ScaledTanh", "HardSigmoid", "Elu", "Softsign", "Softplus")
		ref.Activations = append(ref.Activations, name)
		switch name {
		case "Affine", "ScaledTanh", "HardSigmoid":
			betas = append(betas, d.Float32()-0.3)
			fallthrough
		case "LeakyRelu", "ThresholdedRelu", "Elu":
			alphas = append(alphas, d.Float32())
		}
		if name == "ScaledTanh" {
			needAlphas, needBetas = len(alphas), len(betas)
		}
		ours[name] = true
	}
	takers := [2]int{len(alphas), len(betas)}
	if d.chance(30) {
		keepAlphas := needAlphas + d.IntN(len(alphas)-needAlphas+1)
		keepBetas := needBetas + d.IntN(len(betas)-needBetas+1)
		if (keepAlphas < len(alphas) || keepBetas < len(betas)) && (ours["Affine"] || ours["ThresholdedRelu"]) {
			n.refused = "other defaults"
		}
		alphas, betas = alphas[:keepAlphas], betas[:keepBetas]
	} else if d.chance(10) { // which nothing takes
		alphas, betas = append(alphas, 9), append(betas, 9)
	}
	for i, values := range [][]float32{alphas, betas} {
		// ONNX Runtime's RNN does not consume the values: direction d has the
		// d-th, and 0 where there are none.
		if ref.Op == "RNN" && takers[i] > 0 && (takers[i] < count || len(values) < count) {
			n.refused = "values by direction"
		}
	}
	names := slices.Clone(ref.Activations)
	if d.chance(20) {
		for i, name := range names {
			names[i] = strings.ToLower(name)
		}
		if ref.Op == "RNN" {
			n.refused = "lower case"
		}
	}
	set("activations", names)
	for i, values := range [][]float32{alphas, betas} {
		for _, v := range values {
			if i == 0 {
				ref.Alpha = append(ref.Alpha, float64(v))
			} else {
				ref.Beta = append(ref.Beta, float64(v))
			}
		}
		if len(values) > 0 {
			set([]string{"activation_alpha", "activation_beta"}[i], values)
		}
	}
}
