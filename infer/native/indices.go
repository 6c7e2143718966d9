package native

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// The operators of this file read or write elements at places that an input
// names.

var indexOps = []op{
	{name: "ConstantOfShape", since: 9, in: one, out: one, build: newConstantOfShape},
	{name: "GatherElements", since: 11, in: two, out: one, build: newGatherElements},
	{name: "GatherND", since: 11, in: two, out: one, build: newGatherND},
	{name: "OneHot", since: 9, in: three, out: one, typed: 2, mixed: true, build: newOneHot},
}

// elementOps registers the operators that look at elements of any type. combiner returns
// what a scattered element does to the one that is there, nil where there is no such
// reduction.
func elementOps[T element](t *typedOps, combiner func(reduction string) func(old, v T) T) {
	t.add("Equal", 7, two, one, binaryOf(eachPair(func(a, b T) bool { return a == b })))
	t.add("NonZero", 9, one, one, newNonZero[T])
	t.add("Scatter", 9, three, one, scatterElementsOf(replace[T]))
	t.add("ScatterElements", 11, three, one, scatterElementsOf(readReduction(combiner)))
	t.add("ScatterND", 11, three, one, scatterNDOf(readReduction(combiner)))
	t.add("Where", 9, three, one, newWhere[T]).typed = 1
}

// elementPlaces finds the places of gathered or scattered elements: each index
// replaces, in its own place, the coordinate along the axis.
type elementPlaces struct {
	indices *indices
	axis    int64
	places  *array[int64]
	iter    iterator
	from    []int
}

// check reports indices that do not fit data of that shape.
func (op *elementPlaces) check(data []int) error {
	shape := op.indices.shape()
	axis, err := axisOf(op.axis, len(data))
	if err != nil {
		return err
	}
	fits := len(shape) == len(data)
	for k := range shape {
		fits = fits && (k == axis || shape[k] <= data[k])
	}
	if !fits {
		return fmt.Errorf("indices of shape %v do not fit shape %v along axis %d", shape, data, axis)
	}
	return nil
}

// find sets op.places.
func (op *elementPlaces) find(data []int) error {
	shape := op.indices.shape()
	axis, _ := axisOf(op.axis, len(data))
	if err := op.places.resizeTo(shape...); err != nil {
		return err
	}
	op.from = stridesOf(op.from[:0], data)
	op.iter.reset()
	for k, size := range shape {
		stride := op.from[k]
		if k == axis {
			stride = 0
		}
		op.iter.add(size, offsets{stride})
	}
	_, stride := op.iter.inner()
	var bad error
	err := op.iter.rows(op.places.pool.memory, func(out, n int, at offsets) {
		for i := range n {
			k, err := indexOf(op.indices.at(out+i), data[axis])
			if err != nil && bad == nil {
				bad = fmt.Errorf("%w for axis %d of shape %v", err, axis, data)
			}
			op.places.data[out+i] = int64(at[0] + i*stride[0] + k*op.from[axis])
		}
	})
	return cmp.Or(err, bad)
}

type gatherElements struct {
	in, out value
	elementPlaces
}

func newGatherElements(n *node) kernel {
	return &gatherElements{
		n.inputs[0], outputLike(n, 0, n.inputs[0]),
		elementPlaces{indices: indicesOf(n, 1), axis: attribute(n, "axis", int64(0)), places: temp[int64](n)},
	}
}

func (op *gatherElements) shapes() error {
	op.out.info().setShape(op.indices.shape())
	return op.check(op.in.info().shape)
}

func (op *gatherElements) run() error {
	if err := op.find(op.in.info().shape); err != nil {
		return err
	}
	return op.out.take(op.in, op.places.data)
}

// reading returns what a scattered element does to the one that is there, as the
// attributes of a node say, or nil where it replaces that.
type reading[T element] func(n *node) func(old, v T) T

func replace[T element](*node) func(old, v T) T { return nil }

// readReduction reads the attribute "reduction".
//
//go:noinline
func readReduction[T element](combiner func(reduction string) func(old, v T) T) reading[T] {
	return func(n *node) func(old, v T) T {
		reduction := "none"
		if n.opset >= 16 {
			reduction = attribute(n, "reduction", reduction)
		}
		if reduction == "none" {
			return nil
		}
		if n.opset < 18 && (reduction == "max" || reduction == "min") {
			n.fail("attribute \"reduction\" is %q, which is supported from opset 18 on", reduction)
		}
		f := combiner(reduction)
		if f == nil {
			n.fail("attribute \"reduction\" is %q, which is not supported for elements of type %s", reduction, n.inputs[0].typ())
		}
		return f
	}
}

func noCombiner(string) func(old, v bool) bool { return nil }

func combiner[T number](reduction string) func(old, v T) T {
	switch reduction {
	case "add":
		return func(old, v T) T { return old + v }
	case "mul":
		return func(old, v T) T { return old * v }
	case "max":
		return func(old, v T) T { return max(old, v) }
	case "min":
		return func(old, v T) T { return min(old, v) }
	}
	return nil
}

type scatterElements[T element] struct {
	in, updates, out *array[T]
	combine          func(old, v T) T // nil to replace it
	elementPlaces
}

//go:noinline
func scatterElementsOf[T element](read reading[T]) func(*node) kernel {
	return func(n *node) kernel {
		return &scatterElements[T]{
			in: input[T](n, 0), updates: input[T](n, 2), out: output[T](n, 0),
			elementPlaces: elementPlaces{indices: indicesOf(n, 1), axis: attribute(n, "axis", int64(0)), places: temp[int64](n)},
			combine:       read(n),
		}
	}
}

func (op *scatterElements[T]) shapes() error {
	if shape := op.indices.shape(); !slices.Equal(op.updates.shape, shape) {
		return fmt.Errorf("updates of shape %v do not fit indices of shape %v", op.updates.shape, shape)
	}
	op.out.setShape(op.in.shape)
	return op.check(op.in.shape)
}

func (op *scatterElements[T]) run() error {
	if err := op.out.copyAt(0, op.in, 0, len(op.in.data)); err != nil || len(op.updates.data) == 0 {
		return err
	}
	if err := op.find(op.in.shape); err != nil {
		return err
	}
	return op.out.pool.memory.chunks(len(op.places.data), func(from, to int) {
		for i := from; i < to; i++ {
			v, at := op.updates.data[i], op.places.data[i]
			if op.combine != nil {
				v = op.combine(op.out.data[at], v)
			}
			op.out.data[at] = v
		}
	})
}

// slicePlace returns where the slice starts that a tuple of indices names in
// data of that shape, and of what size it is.
func slicePlace(tuple []int64, data []int) (at, size int, err error) {
	size, _ = product(data[len(tuple):]...)
	for k, i := range tuple {
		j, err := indexOf(i, data[k])
		if err != nil {
			return 0, 0, fmt.Errorf("%w for axis %d of shape %v", err, k, data)
		}
		at = at*data[k] + j
	}
	return at * size, size, nil
}

type scatterND[T element] struct {
	in, updates, out *array[T]
	indices          *array[int64]
	combine          func(old, v T) T // nil to replace it
}

//go:noinline
func scatterNDOf[T element](read reading[T]) func(*node) kernel {
	return func(n *node) kernel {
		return &scatterND[T]{in: input[T](n, 0), indices: input[int64](n, 1), updates: input[T](n, 2), out: output[T](n, 0), combine: read(n)}
	}
}

func (op *scatterND[T]) shapes() error {
	op.out.setShape(op.in.shape)
	rank, in := len(op.indices.shape), op.in.shape
	if rank == 0 || op.indices.shape[rank-1] > len(in) {
		return fmt.Errorf("indices of shape %v do not fit shape %v", op.indices.shape, in)
	}
	tuple := op.indices.shape[rank-1]
	if want := op.updates.shape; len(want) != rank-1+len(in)-tuple || !slices.Equal(want[:rank-1], op.indices.shape[:rank-1]) || !slices.Equal(want[rank-1:], in[tuple:]) {
		return fmt.Errorf("updates of shape %v do not fit indices of shape %v into shape %v", want, op.indices.shape, in)
	}
	return nil
}

func (op *scatterND[T]) run() error {
	if err := op.out.copyAt(0, op.in, 0, len(op.in.data)); err != nil {
		return err
	}
	tuple := op.indices.shape[len(op.indices.shape)-1]
	count, _ := product(op.indices.shape[:len(op.indices.shape)-1]...)
	for i := range count {
		at, size, err := slicePlace(op.indices.data[i*tuple:][:tuple], op.in.shape)
		if err != nil {
			return err
		}
		if err := op.update(at, i*size, size); err != nil {
			return err
		}
	}
	return nil
}

// update writes n of the updates, from that place on.
func (op *scatterND[T]) update(at, from, n int) error {
	if op.combine == nil {
		return op.out.copyAt(at, op.updates, from, n)
	}
	dst, src := op.out.data[at:at+n], op.updates.data[from:from+n]
	return op.out.pool.memory.chunks(n, func(i, end int) {
		for ; i < end; i++ {
			dst[i] = op.combine(dst[i], src[i])
		}
	})
}

// gatherND picks slices by tuples of indices, in each member of a batch.
type gatherND struct {
	in, out value
	indices *array[int64]
	batch   int
}

func newGatherND(n *node) kernel {
	op := &gatherND{in: n.inputs[0], indices: input[int64](n, 1), out: outputLike(n, 0, n.inputs[0])}
	if n.opset >= 12 {
		batch := attribute(n, "batch_dims", int64(0))
		if batch < 0 || batch > maxRank {
			n.fail("attribute \"batch_dims\" is %d, which is out of range", batch)
		}
		op.batch = int(batch)
	}
	return op
}

func (op *gatherND) shapes() error {
	in, at := op.in.info().shape, op.indices.shape
	rank := len(at)
	if rank <= op.batch || len(in) <= op.batch || at[rank-1] < 1 || at[rank-1] > len(in)-op.batch || !slices.Equal(in[:op.batch], at[:op.batch]) {
		return fmt.Errorf("indices of shape %v do not fit shape %v with %d dimensions of a batch", at, in, op.batch)
	}
	op.out.info().setShape(at[:rank-1], in[op.batch+at[rank-1]:]...)
	return nil
}

func (op *gatherND) run() error {
	in, shape := op.in.info().shape, op.indices.shape
	tuple := shape[len(shape)-1]
	batches, _ := product(shape[:op.batch]...)
	each, _ := product(in[op.batch:]...)
	count := len(op.indices.data) / (batches * tuple)
	to := 0
	for b := range batches {
		for i := range count {
			at, size, err := slicePlace(op.indices.data[(b*count+i)*tuple:][:tuple], in[op.batch:])
			if err != nil {
				return err
			}
			if err := op.out.copyAt(to, op.in, b*each+at, size); err != nil {
				return err
			}
			to += size
		}
	}
	return nil
}

// nonZero lists the coordinates of the elements that are not zero.
type nonZero[T element] struct {
	in    *array[T]
	out   *array[int64]
	index []int
}

func newNonZero[T element](n *node) kernel {
	n.shapeDependsOn(0)
	return &nonZero[T]{in: input[T](n, 0), out: output[int64](n, 0)}
}

func (op *nonZero[T]) shapes() error {
	count := 0
	err := op.out.pool.memory.chunks(len(op.in.data), func(from, to int) {
		for _, v := range op.in.data[from:to] {
			if v != *new(T) {
				count++
			}
		}
	})
	op.out.setShape(nil, len(op.in.shape), count)
	return err
}

func (op *nonZero[T]) run() error {
	shape, n := op.in.shape, op.out.shape[1]
	op.index = resized(op.index, len(shape))
	at := 0
	return op.out.pool.memory.chunks(len(op.in.data), func(from, to int) {
		for _, v := range op.in.data[from:to] {
			if v != *new(T) {
				for k, i := range op.index {
					op.out.data[k*n+at] = int64(i)
				}
				at++
			}
			increment(op.index, shape)
		}
	})
}

// oneHot sets the element that an index names to one value, and all others to
// another.
type oneHot struct {
	indices, depth value
	values         value // off and on
	axis           int64
	out            value
	at, places     *array[int64]
}

func newOneHot(n *node) kernel {
	n.mustBeNumber(0)
	n.mustBeNumber(1)
	n.shapeDependsOn(1)
	return &oneHot{
		indices: n.inputs[0], depth: n.inputs[1], values: n.inputs[2],
		axis: attribute(n, "axis", int64(-1)), out: outputLike(n, 0, n.inputs[2]),
		at: temp[int64](n), places: temp[int64](n),
	}
}

func (op *oneHot) shapes() error {
	if shape := op.values.info().shape; !slices.Equal(shape, []int{2}) {
		return fmt.Errorf("the values have shape %v, and must have [2]", shape)
	}
	depth, err := scalar(op.depth)
	if err != nil || !(depth >= 0 && depth < 1<<53) {
		return cmp.Or(err, fmt.Errorf("the depth is %v, which is out of range", depth))
	}
	in, out := op.indices.info().shape, op.out.info()
	k, err := axisOf(op.axis, len(in)+1)
	if err != nil {
		return err
	}
	out.setShape(in[:k], int(depth))
	out.shape = append(out.shape, in[k:]...)
	return nil
}

func (op *oneHot) run() error {
	if err := convert(op.at, op.indices); err != nil {
		return err
	}
	if err := op.places.resizeTo(op.out.info().shape...); err != nil {
		return err
	}
	depth, inner := alongAxis(op.out.info().shape, op.axis)
	if err := op.places.fill(nil); err != nil {
		return err
	}
	err := op.at.chunks(func(i, end int) {
		for ; i < end; i++ {
			if at := op.at.data[i]; at >= -int64(depth) && at < int64(depth) {
				j := (int(at) + depth) % depth
				op.places.data[(i/inner*depth+j)*inner+i%inner] = 1
			}
		}
	})
	if err != nil {
		return err
	}
	return op.out.take(op.values, op.places.data)
}

// constantOfShape fills a shape with one value.
type constantOfShape struct {
	shape *intList
	with  value
	out   value
}

func newConstantOfShape(n *node) kernel {
	with := attribute(n, "value", onnxgraph.Tensor{Tensor: tensor.Of([]float32{0}, 1)})
	value, err := constant(with)
	switch {
	case err != nil:
		n.fail("attribute \"value\" %w", err)
		return nil
	case value.len() != 1:
		n.fail("attribute \"value\" has shape %v, and must have one element", with.Shape)
		return nil
	}
	return &constantOfShape{intListOf(n, "input", 0, 0), value, outputLike(n, 0, value)}
}

func (op *constantOfShape) shapes() (err error) {
	out := op.out.info()
	out.shape, err = op.shape.sizes(out.shape[:0])
	return err
}

func (op *constantOfShape) run() error {
	return op.out.fill(op.with)
}

// sequence is the operator Range.
type sequence[T number] struct {
	start, limit, delta *array[T]
	out                 *array[T]
}

func rangeOps[T number](t *typedOps) {
	t.add("Range", 11, three, one, newRange[T])
}

func newRange[T number](n *node) kernel {
	return &sequence[T]{shapeArgument[T](n, 0), shapeArgument[T](n, 1), shapeArgument[T](n, 2), output[T](n, 0)}
}

func (op *sequence[T]) shapes() error {
	for _, a := range []*array[T]{op.start, op.limit, op.delta} {
		if len(a.data) != 1 {
			return fmt.Errorf("a bound has shape %v, and must be a scalar", a.shape)
		}
	}
	start, limit, delta := op.start.data[0], op.limit.data[0], op.delta.data[0]
	n := steps(start, limit, delta)
	if !(n >= 0 && n < 1<<62) {
		return fmt.Errorf("from %v to %v in steps of %v there is no end", start, limit, delta)
	}
	op.out.setShape(nil, int(n))
	return nil
}

// steps returns how many steps there are from start to limit, not included.
func steps[T number](start, limit, delta T) float64 {
	s, l, d := float64(start), float64(limit), float64(delta)
	if n := (l - s) / d; n > 0 || n != n || d == 0 {
		if d == 0 {
			return -1
		}
		whole := float64(int64(min(n, 1<<62)))
		if whole < n {
			whole++
		}
		return whole
	}
	return 0
}

func (op *sequence[T]) run() error {
	return op.out.chunks(func(from, to int) {
		for i := from; i < to; i++ {
			op.out.data[i] = op.start.data[0] + T(i)*op.delta.data[0]
		}
	})
}

// dropout is the identity, as outside of training.
type dropout struct {
	view
	mask, one value
}

func newDropout(n *node) kernel {
	op := &dropout{view: newView(n)}
	if n.opset < 12 {
		attribute(n, "ratio", float32(0.5))
		if n.given(1) || n.given(2) {
			n.fail("the ratio is an attribute before opset 12")
		}
	} else {
		attribute(n, "seed", int64(0))
		refuseTraining(n)
	}
	if n.wants(1) && n.opset < 10 {
		op.mask, op.one = outputLike(n, 1, n.inputs[0]), scalarLike(n, 1)
	} else if n.wants(1) {
		op.mask, op.one = output[bool](n, 1), constantOf(nil, []bool{true})
	}
	return op
}

// refuseTraining refuses what may be more than the identity: a training_mode
// that is not known to be false with a ratio that is not known to be 0.
func refuseTraining(n *node) {
	if !n.given(2) || n.inputs[2].info().constant && isZero(n.inputs[2]) || n.given(1) && n.inputs[1].info().constant && isZero(n.inputs[1]) {
		return
	}
	n.fail("input 2, the training_mode %q, is not known to be false, and training is not supported: export the model for inference", n.Inputs[2])
}

func isZero(v value) bool {
	x, err := scalar(v)
	return err == nil && x == 0
}

func (op *dropout) shapes() error {
	op.out.info().setShape(op.in.info().shape)
	if op.mask != nil {
		op.mask.info().setShape(op.in.info().shape)
	}
	return nil
}

func (op *dropout) run() error {
	op.out.share(op.in)
	if op.mask == nil {
		return nil
	}
	return op.mask.fill(op.one)
}
