package native

import (
	"fmt"
	"slices"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// kernel computes one node of a graph on the values that it was built with. It serves
// one goroutine at a time.
type kernel interface {
	// shapes sets the shapes of the outputs, from those of the inputs and from the
	// elements that they depend on. It is called before a run, and when the model is
	// opened if all this is known then.
	shapes() error

	// run computes the outputs, which are allocated. It is not called where they have no
	// elements at all.
	run() error
}

// node is what a kernel is built from. It keeps the first error, and remembers which
// attributes were read, so that none is ignored.
type node struct {
	*onnxgraph.Node
	opset   int64
	inputs  []value // nil where left out
	outputs []value // set by output; nil where left out
	memory  *memory
	runner  *runner
	inst    *instruction
	infer   *inference // while the model is opened, else nil

	computed      []value // what is allocated before a run: outputs, also those that are left out
	temps         []value // what is released after each run
	dataDependent bool    // the shapes of the outputs depend on elements that are not constant
	expensive     bool    // it may take long, and is not folded
	shapeOnly     []bool  // the inputs of which only the shape is read
	shapeInputs   []int   // the inputs whose elements the shapes of the outputs depend on

	read []bool // the attributes that were
	err  error
}

// newNode returns what the kernel of an instruction is built from, on the values of r.
func newNode(in *instruction, r *runner, inf *inference) *node {
	inputs := len(in.inputs)
	values := make([]value, inputs+len(in.outputs))
	flags := make([]bool, inputs+len(in.Attributes))
	n := &node{
		Node:      in.Node,
		opset:     r.program.opset,
		inputs:    values[:inputs:inputs],
		outputs:   values[inputs:],
		memory:    r.memory,
		runner:    r,
		inst:      in,
		infer:     inf,
		shapeOnly: flags[:inputs:inputs],
		read:      flags[inputs:],
	}
	for i, slot := range in.inputs {
		if slot >= 0 {
			n.inputs[i] = r.slots[slot]
		}
	}
	return n
}

func (n *node) fail(format string, args ...any) {
	if n.err == nil {
		n.err = fmt.Errorf(format, args...)
	}
}

// finish returns the first error of building the kernel, or one that names an
// attribute that it did not read.
func (n *node) finish() error {
	i := slices.Index(n.read, false)
	switch {
	case i < 0:
	case n.attributeIndex(n.Attributes[i].Name) < i:
		n.fail("attribute %q is given twice", n.Attributes[i].Name)
	default:
		n.fail("attribute %q is not supported", n.Attributes[i].Name)
	}
	return n.err
}

// attributeIndex returns which attribute has that name, -1 for none.
func (n *node) attributeIndex(name string) int {
	return slices.IndexFunc(n.Attributes, func(a onnxgraph.Attribute) bool { return a.Name == name })
}

// has reports whether the node has an attribute of that name.
func (n *node) has(name string) bool { return n.attributeIndex(name) >= 0 }

// given reports whether the node has input i.
func (n *node) given(i int) bool { return i < len(n.inputs) && n.inputs[i] != nil }

// wants reports whether the node has output i.
func (n *node) wants(i int) bool { return i < len(n.inst.outputs) && n.inst.outputs[i] >= 0 }

// attribute returns the value of an attribute, or def where there is none.
func attribute[T any](n *node, name string, def T) T {
	i := n.attributeIndex(name)
	if i < 0 {
		return def
	}
	n.read[i] = true
	t, ok := n.Attributes[i].Value.(T)
	if !ok {
		n.fail("attribute %q has type %T, and must have %T", name, n.Attributes[i].Value, def)
	}
	return t
}

// flag returns an attribute that is 0 or 1.
func (n *node) flag(name string, def bool) bool {
	number := int64(0)
	if def {
		number = 1
	}
	number = attribute(n, name, number)
	if number != 0 && number != 1 {
		n.fail("attribute %q is %d, and must be 0 or 1", name, number)
	}
	return number != 0
}

// input returns input i, nil where it is left out.
func input[T element](n *node, i int) *array[T] {
	if !n.given(i) {
		return nil
	}
	a, ok := n.inputs[i].(*array[T])
	if !ok {
		a = newArray[T](n.memory)
		n.fail("input %d, %q, has type %s, and must have %s", i, n.Inputs[i], n.inputs[i].typ(), a.typ())
	}
	return a
}

// shapeArgument returns input i, on whose elements the shapes of the outputs depend.
func shapeArgument[T element](n *node, i int) *array[T] {
	a := input[T](n, i)
	n.shapeDependsOn(i)
	return a
}

// shapeDependsOn notes that the shapes of the outputs depend on the elements of input i.
func (n *node) shapeDependsOn(i int) {
	if n.given(i) && !n.inputs[i].info().constant {
		n.dataDependent = true
		n.shapeInputs = append(n.shapeInputs, i)
	}
}

// readsShapeOnly notes that nothing but the shape is read of input i.
func (n *node) readsShapeOnly(i int) { n.shapeOnly[i] = true }

// output returns a new array for output i, also where it is left out. It is
// float16 if input 0 is.
func output[T element](n *node, i int) *array[T] {
	a := newArray[T](n.memory)
	if _, wide := any(a).(*array[float32]); wide && n.given(0) && n.inputs[0].info().kind == halfType {
		a.kind = halfType
	}
	n.setOutput(i, a)
	return a
}

// outputLike returns a new value of the type of v for output i.
func outputLike(n *node, i int, v value) value {
	out := v.like(n.memory)
	n.setOutput(i, out)
	return out
}

// viewOf returns a new value for output i that will share the elements of v.
func viewOf(n *node, i int, v value) value {
	out := outputLike(n, i, v)
	out.info().isView = true
	return out
}

func (n *node) setOutput(i int, v value) {
	n.computed = append(n.computed, v)
	if n.wants(i) {
		n.outputs[i] = v
	} else {
		n.temps = append(n.temps, v)
	}
}

// temp returns a new array that the kernel resizes in a run and that is released after
// it.
func temp[T element](n *node) *array[T] {
	a := newArray[T](n.memory)
	n.temps = append(n.temps, a)
	return a
}

// failType refuses the type of input i.
func (n *node) failType(i int) {
	n.fail("input %d, %q, has type %s, which is not supported here", i, n.Inputs[i], n.inputs[i].typ())
}

// mustBeNumber refuses truth values as input i.
func (n *node) mustBeNumber(i int) {
	if n.inputs[i].info().kind == boolType {
		n.failType(i)
	}
}

// indices is an input of type int32 or int64.
type indices struct {
	int32s *array[int32]
	int64s *array[int64]
}

// indicesOf returns input i, nil where it is left out.
func indicesOf(n *node, i int) *indices {
	switch {
	case !n.given(i):
		return nil
	case n.inputs[i].typ() == "int32":
		return &indices{int32s: input[int32](n, i)}
	}
	return &indices{int64s: input[int64](n, i)}
}

// readIndices returns the indices of a value that another node reads as such.
func readIndices(v value) *indices {
	int32s, _ := v.(*array[int32])
	int64s, _ := v.(*array[int64])
	return &indices{int32s, int64s}
}

func (x *indices) shape() []int {
	if x.int32s != nil {
		return x.int32s.shape
	}
	return x.int64s.shape
}

func (x *indices) len() int {
	if x.int32s != nil {
		return len(x.int32s.data)
	}
	return len(x.int64s.data)
}

func (x *indices) at(i int) int64 {
	if x.int32s != nil {
		return int64(x.int32s.data[i])
	}
	return x.int64s.data[i]
}

// intList is a list of integers that is an attribute in old opsets. In new ones it is an
// input, on which the shapes of the outputs depend.
type intList struct {
	given bool
	fixed []int64
	in    *indices
	buf   []int64
}

// intListOf returns the list that is input i from that opset on and an attribute before.
func intListOf(n *node, name string, i int, since int64) *intList {
	if n.opset < since {
		if n.given(i) {
			n.fail("input %d, %q, is an attribute, %q, before opset %d", i, n.Inputs[i], name, since)
		}
		return &intList{given: n.has(name), fixed: attribute[[]int64](n, name, nil)}
	}
	n.shapeDependsOn(i)
	return &intList{given: n.given(i), in: indicesOf(n, i)}
}

// values returns the elements of the list, which hold until the next call.
func (l *intList) values() ([]int64, error) {
	if l.in == nil {
		return l.fixed, nil
	}
	if shape := l.in.shape(); len(shape) > 1 || l.in.len() > maxList {
		return nil, fmt.Errorf("a list of integers has shape %v, and must have one dimension of at chunkSize %d", shape, maxList)
	}
	l.buf = l.buf[:0]
	for i := range l.in.len() {
		l.buf = append(l.buf, l.in.at(i))
	}
	return l.buf, nil
}

// maxList is how many integers a list may have.
const maxList = 2 * maxRank

// sizes appends the elements of the list to dst, as sizes of dimensions.
func (l *intList) sizes(dst []int) ([]int, error) {
	values, err := l.values()
	if err != nil {
		return dst, err
	}
	if len(values) > maxRank {
		return dst, fmt.Errorf("%d dimensions are too many: there may be %d", len(values), maxRank)
	}
	for _, v := range values {
		if int64(int(v)) != v {
			return dst, fmt.Errorf("%d is too large for a size", v)
		}
		dst = append(dst, int(v))
	}
	return dst, nil
}

// checkHalves refuses inputs of float16 and float32 in one node, which only a
// few operators take.
func (n *node) checkHalves() {
	if n.inst.op.mixed {
		return
	}
	first := -1
	for i, v := range n.inputs {
		if _, ok := v.(*array[float32]); !ok {
			continue
		}
		if first >= 0 && n.inputs[first].info().kind != v.info().kind {
			n.fail("input %d, %q, has type %s, and must have %s", i, n.Inputs[i], v.typ(), n.inputs[first].typ())
		}
		first = i
	}
}
