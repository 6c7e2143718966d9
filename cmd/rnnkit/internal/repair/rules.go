package repair

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// rules maps operators to the checks of how they treat the time. A nil rule marks an
// operator that treats all steps alike or reads any number of them.
var rules = map[string]func(*prover, *onnxgraph.Node) error{}

func init() {
	for _, name := range []string{
		"ArgMax", "ArgMin", "BatchNormalization", "CumSum", "Dropout", "Einsum", "Flatten", "Gemm", "GlobalAveragePool", "GlobalMaxPool", "GroupNormalization",
		"Hardmax", "InstanceNormalization", "LayerNormalization", "LogSoftmax", "LpNormalization", "MatMul", "MeanVarianceNormalization",
		"OneHot", "Range", "RMSNormalization", "Shape", "SimplifiedLayerNormalization", "Size", "Softmax", "Squeeze", "Transpose", "Trilu", "Unsqueeze", "EyeLike",
		"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger",
		"ReduceMean", "ReduceMax", "ReduceMin", "ReduceLogSumExp",
	} {
		rules[name] = nil
	}
	for _, name := range onnxgraph.OfKind(onnxgraph.Elementwise | onnxgraph.Reshapes) {
		rules[name] = nil
	}
	for _, name := range []string{"ReduceSum", "ReduceSumSquare", "ReduceL1", "ReduceL2", "ReduceProd", "ReduceLogSum"} {
		rules[name] = (*prover).sum
	}
	for _, name := range []string{"GatherElements", "GatherND", "ScatterElements", "ScatterND"} {
		rules[name] = (*prover).byIndex
	}
	for _, name := range []string{"Conv", "MaxPool", "AveragePool", "LpPool"} {
		rules[name] = (*prover).convolution
	}
	for _, name := range []string{"Expand", "Tile", "ConstantOfShape"} {
		rules[name] = (*prover).expand
	}
	for _, name := range onnxgraph.OfKind(onnxgraph.Recurrent) {
		rules[name] = (*prover).recurrent
	}
	rules["Gather"] = (*prover).gather
	rules["Slice"] = (*prover).slice
	rules["Split"] = (*prover).split
	rules["Concat"] = (*prover).concat
	rules["Reshape"] = (*prover).reshape
	rules["Pad"] = (*prover).pad
	rules["ReverseSequence"] = (*prover).reverse
	rules["Loop"] = (*prover).loop
	rules["Scan"] = (*prover).scan
	rules["If"] = (*prover).branch
}

// sum records a sum over the time.
func (p *prover) sum(n *onnxgraph.Node) error {
	count := func(name string) (k int) {
		for _, s := range p.trace.shapes[name] {
			if moves(s) {
				k++
			}
		}
		return k
	}
	if count(n.Outputs[0]) < count(n.Inputs[0]) || slices.ContainsFunc(p.trace.shapes[n.Inputs[0]], moves) && n.Int("keepdims", 1) == 1 && count(n.Outputs[0]) == 0 {
		if p.example == 1 {
			return errors.New("it sums over the time, and of one step that may have been a mean")
		}
		p.note(p.summed, n)
	}
	return nil
}

// gather allows only the first or the last step.
func (p *prover) gather(n *onnxgraph.Node) error {
	shape := p.trace.shapes[n.Inputs[0]]
	axis := place(n.Int("axis", 0), shape)
	if axis < 0 || !moves(shape[axis]) {
		return nil
	}
	_, index, constant := p.value(n.Inputs[1])
	switch {
	case !constant:
		return nil
	case len(index) != 1:
		return fmt.Errorf("it takes %d steps by number", len(index))
	case index[0] != 0 && index[0] != -1:
		return fmt.Errorf("it takes step %g by number", index[0])
	case !ofTimeAlone(shape[axis]):
		return fmt.Errorf("dimension %d, of which it takes number %g, is not the time alone", axis, index[0])
	}
	return nil
}

// slice allows cutting off, or keeping, one step at either end.
func (p *prover) slice(n *onnxgraph.Node) error {
	shape := p.trace.shapes[n.Inputs[0]]
	starts, _ := p.ints(n, 1, "starts")
	ends, _ := p.ints(n, 2, "ends")
	axes, ok1 := p.ints(n, 3, "axes")
	steps, ok2 := p.ints(n, 4, "steps")
	if !ok1 || !ok2 {
		return errors.New("its axes or steps are computed")
	}
	for k := range max(len(starts), len(ends), len(axes)) {
		axis := place(at(axes, k, int64(k)), shape)
		if axis < 0 || !moves(shape[axis]) {
			continue
		}
		start, end, step := at(starts, k, 0), at(ends, k, math.MaxInt64), at(steps, k, 1)
		if err := p.cut(start, end, step); err != nil {
			return fmt.Errorf("%w of dimension %d", err, axis)
		}
		if (start != 0 || end < math.MaxInt32) && step == 1 && !ofTimeAlone(shape[axis]) {
			return fmt.Errorf("dimension %d, of which it takes a part, is not the time alone", axis)
		}
	}
	return nil
}

// at returns element k of a list, or otherwise for a shorter list.
func at(list []int64, k int, otherwise int64) int64 {
	if k < len(list) {
		return list[k]
	}
	return otherwise
}

// place returns the index of the dimension that an axis names, or -1.
func place(axis int64, shape []size) int {
	if axis < 0 {
		axis += int64(len(shape))
	}
	if axis < 0 || axis >= int64(len(shape)) {
		return -1
	}
	return int(axis)
}

// cut returns an error for bounds that may derive from the time. A computed bound
// arrives as 0 or the end.
func (p *prover) cut(start, end, step int64) error {
	if step != 1 {
		if step == -1 && (start == -1 || start >= math.MaxInt32) && end <= math.MinInt32 {
			return nil
		}
		return fmt.Errorf("it takes steps from %d to %d by %d", start, end, step)
	}
	early := p.example == 2 || p.example == 3 // 1 may be the middle
	whole := end >= math.MaxInt32
	switch {
	case whole && start <= 0 && start >= -1, start == 0 && end == -1:
		return nil
	case (whole && start == 1 || start == 0 && end == 1) && !early:
		return nil
	case whole && start < 0 && p.example > 0 && p.ofTime(float64(-start), false) == "":
		return nil
	case start == 0 && end < 0 && p.example > 0 && p.ofTime(float64(-end), false) == "":
		return nil
	}
	return fmt.Errorf("it takes steps %d to %d", start, end)
}

// split requires that the time stays whole.
func (p *prover) split(n *onnxgraph.Node) error {
	shape := p.trace.shapes[n.Inputs[0]]
	if axis := place(n.Int("axis", 0), shape); axis < 0 || moves(shape[axis]) {
		return fmt.Errorf("it splits the time into %d", len(n.Outputs))
	}
	return nil
}

// concat allows joining sequences, or adding one learned step.
func (p *prover) concat(n *onnxgraph.Node) error {
	out := p.trace.shapes[n.Outputs[0]]
	axis := place(n.Int("axis", 0), out)
	if axis < 0 || !moves(out[axis]) {
		return p.stack(n, axis)
	}
	for _, name := range n.Inputs {
		part := p.shape(name)
		if axis >= len(part) || moves(part[axis]) {
			continue
		}
		if _, same := p.uniform(name); same || part[axis] != fixed(1) {
			return fmt.Errorf("it lengthens the time by %d steps, as a padding does", part[axis][0])
		}
	}
	return nil
}

// stack returns an error if the number of parts may be the number of steps.
func (p *prover) stack(n *onnxgraph.Node, axis int) error {
	if len(p.trace.shapes[n.Outputs[0]]) < 2 { // a shape
		return nil
	}
	for _, name := range n.Inputs {
		if s := p.trace.shapes[name]; axis < 0 || axis >= len(s) || s[axis] != fixed(1) {
			return nil
		}
		if from := p.producer(name); from != nil && from.Is(onnxgraph.Recurrent) { // states of layers
			return nil
		}
	}
	if p.isPart(len(n.Inputs)) {
		return fmt.Errorf("it joins %d pieces, and the time was %d", len(n.Inputs), p.example)
	}
	return nil
}

// reshape returns an error if a new dimension begins within the time.
func (p *prover) reshape(n *onnxgraph.Node) error {
	in, out := within(p.trace.shapes[n.Inputs[0]]), within(p.trace.shapes[n.Outputs[0]])
	for axis := 1; axis < len(out)-1; axis++ {
		if !slices.Contains(in, out[axis]) && partsTime(in, out[axis]) {
			return fmt.Errorf("dimension %d of what it makes begins within the time", axis)
		}
	}
	return nil
}

// within returns the number of elements from each dimension of a shape to its end,
// and a final 1.
func within(shape []size) []size {
	all := []size{fixed(1)}
	for _, s := range slices.Backward(shape) {
		all = append(all, all[len(all)-1].times(s))
	}
	slices.Reverse(all)
	return all
}

// partsTime reports whether a place lies within a dimension that depends on the time.
// Splitting rows into their sequences does not count.
func partsTime(in []size, at size) bool {
	for k := range len(in) - 1 {
		before, ok1 := quotient(in[k], at)
		after, ok2 := quotient(at, in[k+1])
		if whole, _ := quotient(in[k], in[k+1]); ok1 && ok2 {
			return moves(whole) && (before.isFixed() || after.isFixed())
		}
	}
	return slices.ContainsFunc(in, moves)
}

// pad allows longer sequences only for windows that shorten them again by as much.
func (p *prover) pad(n *onnxgraph.Node) error {
	shape := p.trace.shapes[n.Inputs[0]]
	pads, constant := p.ints(n, 1, "pads")
	axes, ok := p.ints(n, 3, "axes")
	if !constant {
		return nil
	}
	if !ok {
		return errors.New("its axes are computed")
	}
	half := len(pads) / 2
	for k := range half {
		axis := place(at(axes, k, int64(k)), shape)
		total := pads[k] + pads[k+half]
		if axis < 0 || !moves(shape[axis]) || pads[k] == 0 && pads[k+half] == 0 {
			continue
		}
		if !p.windowed(n.Outputs[0], axis, int(total)) {
			return fmt.Errorf("it lengthens the time by %d steps", total)
		}
	}
	return nil
}

// windowed reports whether every reader of a value is a window that shortens the axis
// by total steps.
func (p *prover) windowed(name string, axis, total int) bool {
	const mostVisits = 64
	if p.visits++; p.visits > mostVisits {
		return false
	}
	readers := p.trace.scope.Readers(name)
	for _, n := range readers {
		if !p.takesOff(n, p.trace.shapes[name], axis, total) {
			return false
		}
	}
	return len(readers) > 0
}

// takesOff reports whether n is a window that shortens the axis by total steps. It
// looks through nodes that only move dimensions.
func (p *prover) takesOff(n *onnxgraph.Node, shape []size, axis, total int) bool {
	switch n.OpType {
	case "Squeeze", "Unsqueeze", "Transpose": // TensorFlow writes these before a Conv
		to := slices.Index(p.trace.shapes[n.Outputs[0]], shape[axis])
		return to >= 0 && p.windowed(n.Outputs[0], to, total)
	case "Conv", "MaxPool", "AveragePool":
		if axis < 2 {
			return false
		}
		w := p.window(n, axis-2)
		return w.reach == total+1 && w.stride == 1 && w.before == 0 && w.after == 0
	}
	return false
}

// window is the part of a dimension that a convolution or pooling reads for one
// output.
type window struct{ kernel, reach, stride, before, after int }

func (p *prover) window(n *onnxgraph.Node, k int) window {
	of := func(name string, k int, otherwise int64) int {
		value, _ := n.Attribute(name)
		list, _ := value.([]int64)
		return int(at(list, k, otherwise))
	}
	kernel := int64(1)
	if n.OpType == "Conv" {
		if w := p.shape(n.Inputs[1]); k+2 < len(w) {
			kernel = int64(w[k+2][0])
		}
	}
	rank := len(p.trace.shapes[n.Inputs[0]]) - 2
	w := window{kernel: of("kernel_shape", k, kernel), stride: of("strides", k, 1), before: of("pads", k, 0), after: of("pads", k+rank, 0)}
	w.reach = (w.kernel-1)*of("dilations", k, 1) + 1
	return w
}

// shape returns the shape of a value, which may be a constant.
func (p *prover) shape(name string) []size {
	shape, ok := p.trace.shapes[name]
	if t, _, constant := p.value(name); !ok && constant {
		for _, d := range t.Shape {
			shape = append(shape, fixed(d))
		}
	}
	return shape
}

// convolution requires a window shorter than the time.
func (p *prover) convolution(n *onnxgraph.Node) error {
	shape := p.trace.shapes[n.Inputs[0]]
	for axis := 2; axis < len(shape); axis++ {
		if !moves(shape[axis]) {
			continue
		}
		w := p.window(n, axis-2)
		length := shape[axis][0]
		switch {
		case w.stride > 1 && w.before != w.after:
			return fmt.Errorf("it begins with %d steps of padding and ends with %d, which depends on the time", w.before, w.after)
		case n.OpType == "Conv" && (p.example == 0 || w.reach < length+w.before+w.after):
		case p.example > 0 && w.kernel > 1 && w.reach >= length:
			return fmt.Errorf("its window of %d steps is the whole time", w.reach)
		case n.OpType == "Conv":
		case p.example > 0 && w.kernel > 1 && (w.stride == w.kernel && length%w.kernel == 0 || p.ofTime(float64(w.kernel), false) != ""):
			return fmt.Errorf("its window of %d steps may be a part of the time, which was %d", w.kernel, p.example)
		}
	}
	return nil
}

// byIndex returns an error for constant indices.
func (p *prover) byIndex(n *onnxgraph.Node) error {
	if _, _, constant := p.value(n.Inputs[1]); constant {
		return errors.New("its indices are constant")
	}
	return nil
}

// expand records a dimension that a constant makes as long as the time.
func (p *prover) expand(n *onnxgraph.Node) error {
	out := p.trace.shapes[n.Outputs[0]]
	in := p.shape(n.Inputs[0])
	if n.OpType == "ConstantOfShape" {
		in = nil
	}
	for axis, s := range out {
		at := axis - len(out) + len(in)
		if (at < 0 || in[at] != s) && s.isFixed() && p.isPart(s[0]) {
			p.note(p.made, n)
		}
	}
	return nil
}

// recurrent returns an error for a node whose number of steps is constant.
func (p *prover) recurrent(n *onnxgraph.Node) error {
	x := p.trace.shapes[n.Inputs[0]]
	_, time := n.RecurrentAxes()
	for _, state := range n.Inputs[min(5, len(n.Inputs)):min(7, len(n.Inputs))] {
		if v, ok := p.uniform(state); ok && v != 0 {
			if err := p.number(n, v, true); err != nil {
				return err
			}
		}
	}
	switch {
	case len(x) != 3:
	case !moves(x[time]) && p.made[n.Inputs[0]]:
		return fmt.Errorf("it takes %d steps whatever the time is", x[time][0])
	case len(n.Inputs) > 4 && n.Inputs[4] != "" && moves(x[time]):
		if _, same := p.uniform(n.Inputs[4]); same || p.trace.constants[n.Inputs[4]] {
			return errors.New("its sequence_lens are constant")
		}
	}
	return nil
}

func (p *prover) reverse(n *onnxgraph.Node) error {
	if _, same := p.uniform(n.Inputs[1]); same || p.trace.constants[n.Inputs[1]] {
		return errors.New("its sequence_lens are constant")
	}
	return nil
}
