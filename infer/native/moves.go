package native

import (
	"fmt"
	"slices"
)

// The operators of this file copy elements to other places, of whatever type.

var moveOps = []op{
	{name: "Concat", since: 4, in: some, out: one, build: newConcat},
	{name: "Expand", since: 8, in: two, out: one, build: newExpand},
	{name: "Gather", since: 1, in: two, out: one, build: newGather},
	{name: "Split", since: 2, in: arity{1, 2}, out: some, build: newSplit},
	{name: "Tile", since: 6, in: two, out: one, build: newTile},
	{name: "Transpose", since: 1, in: one, out: one, build: newTranspose},
}

// mover is how elements of any type are copied, as long as the run goes on. The
// source has the type of the destination.
type mover interface {
	// copyStrided sets the elements to those of src from that place on, operand 0
	// of it.
	copyStrided(it *iterator, src value, from int) error
	// copyAt sets n elements from at on to those of src from that place on.
	copyAt(at int, src value, from, n int) error
	// take sets element i to element places[i] of src, or leaves it as it is
	// where that is negative.
	take(src value, places []int64) error
	// fill sets all elements to the one of src, or to zero if that is nil.
	fill(src value) error
	// convert sets the elements to those of src, which may have another type.
	convert(src value) error
}

func (a *array[T]) copyStrided(it *iterator, src value, start int) error {
	from := src.(*array[T]).data
	_, strides := it.inner()
	stride := strides[0]
	return it.rows(a.pool.memory, func(out, n int, at offsets) {
		row := a.data[out : out+n]
		if stride == 1 {
			copy(row, from[start+at[0]:])
			return
		}
		k := start + at[0]
		for i := range row {
			row[i] = from[k]
			k += stride
		}
	})
}

func (a *array[T]) copyAt(at int, src value, from, n int) error {
	data := src.(*array[T]).data
	for {
		part := min(n, checkInterval/copyCost)
		if err := a.pool.memory.spend(elementCost + part*copyCost); err != nil {
			return err
		}
		copy(a.data[at:at+part], data[from:from+part])
		if n -= part; n == 0 {
			return nil
		}
		at, from = at+part, from+part
	}
}

func (a *array[T]) take(src value, places []int64) error {
	from := src.(*array[T]).data
	return a.pool.memory.chunks(len(places), func(i, end int) {
		for ; i < end; i++ {
			if k := places[i]; k >= 0 {
				a.data[i] = from[k]
			}
		}
	})
}

func (a *array[T]) fill(src value) error {
	var v T
	if src != nil {
		v = src.(*array[T]).data[0]
	}
	return a.chunks(func(from, to int) {
		for i := from; i < to; i++ {
			a.data[i] = v
		}
	})
}

// stridesOf appends to dst how far apart elements lie along each dimension.
func stridesOf(dst []int, shape []int) []int {
	n := len(dst)
	dst = append(dst, shape...)
	step := 1
	for k := len(shape) - 1; k >= 0; k-- {
		dst[n+k] = step
		step *= shape[k]
	}
	return dst
}

// move is an operator with one input of any type and one output of the same,
// whose elements come from regular steps through the input.
type move struct {
	in, out value
	iter    iterator
	from    []int // strides of the input
}

func newMove(n *node) move { return move{in: n.inputs[0], out: outputLike(n, 0, n.inputs[0])} }

// begin makes the iterator ready for dimensions and returns the strides of the input.
func (op *move) begin() []int {
	op.iter.reset()
	op.from = stridesOf(op.from[:0], op.in.info().shape)
	return op.from
}

type transpose struct {
	move
	perm []int64 // nil for the reverse order
}

func newTranspose(n *node) kernel {
	op := &transpose{newMove(n), attribute[[]int64](n, "perm", nil)}
	if op.perm == nil && n.has("perm") {
		op.perm = []int64{}
	}
	for i := range min(len(op.perm), maxRank) { // a longer one fits no shape
		if !slices.Contains(op.perm, int64(i)) {
			n.fail("attribute \"perm\" is %v, and must have each of 0 to %d once", op.perm, len(op.perm)-1)
		}
	}
	return op
}

func (op *transpose) axis(k int) int {
	if op.perm == nil {
		return len(op.in.info().shape) - 1 - k
	}
	return int(op.perm[k])
}

func (op *transpose) shapes() error {
	in, out := op.in.info(), op.out.info()
	if op.perm != nil && len(op.perm) != len(in.shape) {
		return fmt.Errorf("perm %v does not fit shape %v", op.perm, in.shape)
	}
	out.shape = out.shape[:0]
	for k := range in.shape {
		out.shape = append(out.shape, in.shape[op.axis(k)])
	}
	return nil
}

func (op *transpose) run() error {
	from := op.begin()
	for k, d := range op.out.info().shape {
		op.iter.add(d, offsets{from[op.axis(k)]})
	}
	return op.out.copyStrided(&op.iter, op.in, 0)
}

type expand struct {
	move
	shape *intList
	dims  []int
}

func newExpand(n *node) kernel {
	return &expand{move: newMove(n), shape: intListOf(n, "shape", 1, 0)}
}

func (op *expand) shapes() (err error) {
	if op.dims, err = op.shape.sizes(op.dims[:0]); err != nil {
		return err
	}
	in, out := op.in.info(), op.out.info()
	var ok bool
	if out.shape, ok = broadcast(out.shape[:0], in.shape, op.dims); !ok {
		return fmt.Errorf("shape %v cannot be expanded to %v", in.shape, op.dims)
	}
	out.isView = slices.Equal(in.shape, out.shape)
	return nil
}

func (op *expand) run() error {
	if op.out.info().isView {
		op.out.share(op.in)
		return nil
	}
	op.iter.broadcast(op.out.info().shape, op.in.info().shape)
	return op.out.copyStrided(&op.iter, op.in, 0)
}

// tile repeats the input along each dimension.
type tile struct {
	move
	repeats *intList
	times   []int
}

func newTile(n *node) kernel {
	return &tile{move: newMove(n), repeats: intListOf(n, "repeats", 1, 0)}
}

func (op *tile) shapes() (err error) {
	if op.times, err = op.repeats.sizes(op.times[:0]); err != nil {
		return err
	}
	in, out := op.in.info(), op.out.info()
	if len(op.times) != len(in.shape) {
		return fmt.Errorf("repeats %v do not fit shape %v", op.times, in.shape)
	}
	out.shape = out.shape[:0]
	for k, d := range in.shape {
		size, ok := product(d, op.times[k])
		if !ok {
			return fmt.Errorf("shape %v cannot be repeated %v times", in.shape, op.times)
		}
		out.shape = append(out.shape, size)
	}
	return nil
}

func (op *tile) run() error {
	from := op.begin()
	for k, d := range op.in.info().shape {
		op.iter.add(op.times[k], offsets{0})
		op.iter.add(d, offsets{from[k]})
	}
	return op.out.copyStrided(&op.iter, op.in, 0)
}

// gather picks slices of the input along an axis.
type gather struct {
	in, out value
	indices *indices
	axis    int64
}

func newGather(n *node) kernel {
	return &gather{n.inputs[0], outputLike(n, 0, n.inputs[0]), indicesOf(n, 1), attribute(n, "axis", int64(0))}
}

func (op *gather) shapes() error {
	in, out := op.in.info().shape, op.out.info()
	axis, err := axisOf(op.axis, len(in))
	if err != nil {
		return err
	}
	out.setShape(in[:axis], op.indices.shape()...)
	out.shape = append(out.shape, in[axis+1:]...)
	return nil
}

func (op *gather) run() error {
	in := op.in.info().shape
	axis, _ := axisOf(op.axis, len(in))
	size := in[axis]
	outer, _ := product(in[:axis]...)
	inner, _ := product(in[axis+1:]...)
	at := 0
	for o := range outer {
		for i := range op.indices.len() {
			k, err := indexOf(op.indices.at(i), size)
			if err != nil {
				return fmt.Errorf("%w for axis %d of shape %v", err, axis, in)
			}
			if err := op.out.copyAt(at, op.in, (o*size+k)*inner, inner); err != nil {
				return err
			}
			at += inner
		}
	}
	return nil
}

// indexOf returns an index of a dimension of that size, which may count from
// the end.
func indexOf(i int64, size int) (int, error) {
	if i < -int64(size) || i >= int64(size) {
		return 0, fmt.Errorf("index %d is out of range", i)
	}
	if i < 0 {
		i += int64(size)
	}
	return int(i), nil
}

type concat struct {
	in   []value
	axis int64
	out  value
}

func newConcat(n *node) kernel {
	if !n.has("axis") {
		n.fail("attribute \"axis\" is missing")
	}
	op := &concat{in: n.inputs, axis: attribute(n, "axis", int64(0)), out: outputLike(n, 0, n.inputs[0])}
	for i, v := range n.inputs {
		if v == nil {
			n.fail("input %d is missing", i)
		} else if v.typ() != op.out.typ() {
			n.fail("input %d, %q, has type %s, and must have %s", i, n.Inputs[i], v.typ(), op.out.typ())
		}
	}
	return op
}

func (op *concat) shapes() error {
	first, out := op.in[0].info().shape, op.out.info()
	axis, err := axisOf(op.axis, len(first))
	if err != nil {
		return err
	}
	out.setShape(first)
	for _, v := range op.in[1:] {
		shape := v.info().shape
		if len(shape) != len(first) || !slices.Equal(shape[:axis], first[:axis]) || !slices.Equal(shape[axis+1:], first[axis+1:]) {
			return fmt.Errorf("shapes %v and %v cannot be joined along axis %d", first, shape, axis)
		}
		if out.shape[axis] += shape[axis]; out.shape[axis] < 0 {
			return fmt.Errorf("the joined dimension %d is too large", axis)
		}
	}
	return nil
}

func (op *concat) run() error {
	first := op.in[0].info().shape
	axis, _ := axisOf(op.axis, len(first))
	outer, _ := product(first[:axis]...)
	at := 0
	for o := range outer {
		for _, v := range op.in {
			n := v.len() / outer
			if err := op.out.copyAt(at, v, o*n, n); err != nil {
				return err
			}
			at += n
		}
	}
	return nil
}

// split cuts the input into parts along an axis.
type split struct {
	in    value
	sizes *intList // nil for equal parts
	axis  int64
	last  bool // the last part may be smaller
	out   []value
	parts []int
}

func newSplit(n *node) kernel {
	op := &split{in: n.inputs[0], sizes: intListOf(n, "split", 1, 13), axis: attribute(n, "axis", int64(0))}
	if n.opset >= 18 {
		op.last = true
		switch parts := attribute(n, "num_outputs", int64(0)); {
		case n.has("num_outputs") == op.sizes.given:
			n.fail("it must have either attribute \"num_outputs\" or input 1, the sizes")
		case !op.sizes.given && parts != int64(len(n.outputs)):
			n.fail("attribute \"num_outputs\" is %d, but it has %d outputs", parts, len(n.outputs))
		}
	}
	for i := range n.outputs {
		op.out = append(op.out, outputLike(n, i, op.in))
	}
	return op
}

func (op *split) shapes() error {
	in := op.in.info().shape
	axis, err := axisOf(op.axis, len(in))
	if err != nil {
		return err
	}
	if err := op.divide(in[axis]); err != nil {
		return fmt.Errorf("axis %d of shape %v: %w", axis, in, err)
	}
	for i, out := range op.out {
		h := out.info()
		h.setShape(in)
		h.shape[axis] = op.parts[i]
	}
	return nil
}

func (op *split) run() error {
	in := op.in.info().shape
	axis, _ := axisOf(op.axis, len(in))
	outer, _ := product(in[:axis]...)
	at := 0
	for o := range outer {
		for _, out := range op.out {
			n := out.len() / outer
			if err := out.copyAt(o*n, op.in, at, n); err != nil {
				return err
			}
			at += n
		}
	}
	return nil
}

// divide sets op.parts to the sizes that a dimension of that size is split into.
func (op *split) divide(size int) error {
	count := len(op.out)
	op.parts = op.parts[:0]
	if op.sizes.given {
		sizes, err := op.sizes.values()
		if err != nil {
			return err
		}
		left := int64(size)
		for _, n := range sizes {
			if n < 0 || n > left {
				return fmt.Errorf("it cannot be split into %v", sizes)
			}
			left -= n
			op.parts = append(op.parts, int(n))
		}
		if left != 0 || len(op.parts) != count {
			return fmt.Errorf("it cannot be split into %v for %d outputs", sizes, count)
		}
		return nil
	}
	part := (size + count - 1) / count
	last := size - part*(count-1)
	if last < 0 || last != part && !op.last {
		return fmt.Errorf("it cannot be split into %d equal parts", count)
	}
	for range count - 1 {
		op.parts = append(op.parts, part)
	}
	op.parts = append(op.parts, last)
	return nil
}
