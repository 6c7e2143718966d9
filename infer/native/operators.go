package native

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// NewestOpset is the newest version of ONNX's operators that the engine knows: a
// later one may define an operator anew, and is refused.
const NewestOpset = 28

// Operator describes an operator that the engine has.
type Operator struct {
	Name string
	// Domain is "" for ONNX's own operators.
	Domain string
	// Since is the first opset whose definition of the operator the engine has.
	Since int64
	// Types lists the element types of the values that the operator computes with or
	// moves, in the order of the constants of package tensor. Indices, shapes and
	// conditions have types of their own, which ONNX fixes.
	Types []tensor.Type
}

// Operators lists the operators that the engine has, by name.
func Operators() []Operator {
	var list []Operator
	for _, o := range operators() {
		list = append(list, Operator{Name: o.name, Since: int64(o.since), Types: o.types()})
	}
	slices.SortFunc(list, func(a, b Operator) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// op is an operator, for one element type or for all of them.
type op struct {
	name    string
	since   int32 // the first opset that defines it as it is built here
	typed   int16 // the input whose element type selects build
	mixed   bool  // the inputs may be float16 and float32
	in, out arity
	build   func(*node) kernel // for elements of any type, or of the type of its table
}

// arity bounds the number of inputs or outputs.
type arity struct{ min, max int32 }

const unbounded = math.MaxInt32

var none, one, two, three, some = arity{0, 0}, arity{1, 1}, arity{2, 2}, arity{3, 3}, arity{1, unbounded}

// Functions that return a constructor, such as binaryOf, are not inlined: the compiler
// would make a copy of the constructor for every operator and element type.

// registered is an operator with its constructor for each element type. Where byType
// is nil the one of op is for all.
type registered struct {
	op
	byType map[tensor.Type]func(*node) kernel
}

// types returns the element types that the operator has a constructor for.
func (r *registered) types() []tensor.Type {
	var list []tensor.Type
	for _, t := range elementTypes {
		if r.byType == nil || r.byType[t.typ] != nil {
			list = append(list, t.typ)
		}
	}
	return list
}

// construct builds the kernel of a node for the element type of its input.
func (r *registered) construct(n *node) kernel {
	if r.byType == nil {
		return r.build(n)
	}
	build := r.byType[n.inputs[r.typed].typ()]
	if build == nil {
		n.failType(int(r.typed))
		return nil
	}
	return build(n)
}

// operators has all operators by name. To add one, add it to a table of its file; to
// add an element type, add a line here and one to elementTypes.
var operators = sync.OnceValue(func() map[string]*registered {
	all := map[string]*registered{}
	for _, o := range slices.Concat(viewOps, moveOps, sliceOps, indexOps, convertOps, controlOps) {
		all[o.name] = &registered{op: o}
	}
	floatOps[float32](&typedOps{all, tensor.Float16})
	floatOps[float32](&typedOps{all, tensor.Float32})
	floatOps[float64](&typedOps{all, tensor.Float64})
	signedOps[int32](&typedOps{all, tensor.Int32})
	signedOps[int64](&typedOps{all, tensor.Int64})
	unsignedOps[uint8](&typedOps{all, tensor.Uint8})
	boolOps(&typedOps{all, tensor.Bool})
	return all
})

// typedOps registers operators for one element type.
type typedOps struct {
	all map[string]*registered
	typ tensor.Type
}

// add registers an operator and returns it, for the fields that few operators set.
//
//go:noinline
func (t *typedOps) add(name string, since int32, in, out arity, build func(*node) kernel) *op {
	return t.build(&op{name: name, since: since, in: in, out: out}, build)
}

// build registers the constructor of an operator.
func (t *typedOps) build(o *op, build func(*node) kernel) *op {
	r := t.all[o.name]
	if r == nil {
		r = &registered{op: *o, byType: map[tensor.Type]func(*node) kernel{}}
		t.all[o.name] = r
	}
	r.byType[t.typ] = build
	return &r.op
}

// floatOps registers the operators on numbers with fractions.
func floatOps[T float](t *typedOps) {
	numberOps[T](t)
	sumOps[T](t)
	t.build(&divide, binaryOf(div[T]))
	t.build(&modulo, newFloatMod[T])
	functionOps[T](t)
	softmaxOps[T](t)
	recurrentOps[T](t)
	productOps[T](t)
	convOps[T](t)
	poolOps[T](t)
	normOps[T](t)
}

// signedOps registers the operators on signed integers.
func signedOps[T int32 | int64](t *typedOps) {
	numberOps[T](t)
	integerOps[T](t)
	sumOps[T](t)
}

// unsignedOps registers the operators on unsigned integers.
func unsignedOps[T uint8](t *typedOps) {
	numberOps[T](t)
	integerOps[T](t)
	t.build(&maxPool, newMaxPool[T])
}

// numberOps registers the operators that all numbers have.
func numberOps[T number](t *typedOps) {
	elementOps(t, combiner[T])
	arithmeticOps[T](t)
	signOps[T](t)
	orderOps[T](t)
}

// sumOps registers the operators on numbers that may be negative.
func sumOps[T number](t *typedOps) {
	reduceOps[T](t)
	einsumOps[T](t)
	rangeOps[T](t)
	t.build(&pRelu, newPRelu[T])
}

// integerOps registers the operators that compute otherwise on integers.
func integerOps[T integer](t *typedOps) {
	t.build(&divide, newIntDiv[T])
	t.build(&modulo, newIntMod[T])
	t.build(&multiply, newIntMatMul[T])
}

// boolOps registers the operators on truth values.
func boolOps(t *typedOps) {
	elementOps(t, noCombiner)
	logicOps(t)
	t.build(&reduceMax, reduceBoolsOf(largest[uint8]()))
	t.build(&reduceMin, reduceBoolsOf(smallest[uint8]()))
}

// lookUp returns the operator of n, of which it checks the number of inputs and
// outputs.
func lookUp(n *onnxgraph.Node, opset int64) (*registered, error) {
	if n.Domain != "" {
		return nil, lacking(n, fmt.Errorf("op %s of domain %q is not supported by the native engine: use ONNX Runtime", onnxgraph.Escape(n.OpType), n.Domain))
	}
	o, ok := operators()[n.OpType]
	switch {
	case !ok:
		return nil, lacking(n, fmt.Errorf("op %s is not supported by the native engine: use ONNX Runtime", onnxgraph.Escape(n.OpType)))
	case opset == 0:
		return nil, errors.New("the model imports no standard opset")
	case opset < int64(o.since):
		return nil, lacking(n, fmt.Errorf("op %s is supported from opset %d on, not in %d: export the model again for opset 13 or later, or use ONNX Runtime", n.OpType, o.since, opset))
	}
	if err := o.in.check("input", n.Inputs); err != nil {
		return nil, err
	}
	return o, o.out.check("output", n.Outputs)
}

// lacking returns the error for a node whose operator this engine lacks.
func lacking(n *onnxgraph.Node, err error) error {
	return &engine.UnsupportedError{Engine: "native", Node: n.Name, Op: n.OpType, Domain: n.Domain, Err: err}
}

// check reports names of inputs or outputs that are too many or too few.
func (a arity) check(what string, names []string) error {
	if len(names) > int(a.max) {
		return fmt.Errorf("it has %d %ss, and may have %d", len(names), what, a.max)
	}
	for i := range int(a.min) {
		if i >= len(names) || names[i] == "" {
			return fmt.Errorf("%s %d is missing", what, i)
		}
	}
	return nil
}
