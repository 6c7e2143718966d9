package native

import "fmt"

// pooling makes one value of those that a window covers: the greatest, or the mean.
type pooling[T number] struct {
	window
	x, out      *array[T]
	lowest      T             // of the element type
	indices     *array[int64] // of the greatest; nil if nobody wants them
	columnMajor bool          // the order of the indices
	mean        bool
	sums        *array[float64] // for the means of a line
	countPads   bool
	global      bool

	// Of all dimensions but the last: the position, where in the input the part of the
	// window begins that is in it, how many taps it has, and one of these.
	position, corner, stop, tap []int

	memory *memory
}

var maxPool = op{name: "MaxPool", since: 1, in: one, out: arity{1, 2}}

func poolOps[T float](t *typedOps) {
	t.add("AveragePool", 7, one, one, newAveragePool[T])
	t.add("GlobalAveragePool", 1, one, one, func(n *node) kernel { return newGlobalPool[T](n, true) })
	t.add("GlobalMaxPool", 1, one, one, func(n *node) kernel { return newGlobalPool[T](n, false) })
	t.build(&maxPool, newMaxPool[T])
}

func newPool[T number](n *node) *pooling[T] {
	n.expensive = true
	return &pooling[T]{x: input[T](n, 0), out: output[T](n, 0), sums: temp[float64](n), memory: n.memory, lowest: lowest[T]()}
}

func newGlobalPool[T float](n *node, mean bool) kernel {
	op := newPool[T](n)
	op.global, op.mean = true, mean
	return op
}

func newMaxPool[T number](n *node) kernel {
	op := newPool[T](n)
	op.readWindow(n, 10)
	if n.opset >= 8 {
		op.columnMajor = n.flag("storage_order", false)
	}
	if n.wants(1) {
		op.indices = output[int64](n, 1)
	}
	return op
}

func newAveragePool[T float](n *node) kernel {
	op := newPool[T](n)
	op.readWindow(n, 19)
	op.mean, op.countPads = true, n.flag("count_include_pad", false)
	return op
}

// readWindow reads the attributes of the window, which has dilations from an opset on.
func (op *pooling[T]) readWindow(n *node, dilations int64) {
	op.window = newWindow(n)
	if op.kernel == nil {
		n.fail("attribute \"kernel_shape\" is missing")
	}
	if n.opset >= 10 {
		op.ceil = n.flag("ceil_mode", false)
	}
	if n.opset >= dilations {
		op.dilations = positive(n, "dilations", 1)
	}
}

func (op *pooling[T]) shapes() error {
	kernel := op.kernel
	if op.global {
		if len(op.x.shape) < 3 {
			return fmt.Errorf("shape %v has no dimensions after batch and channels", op.x.shape)
		}
		kernel = op.x.shape[2:]
	}
	if err := op.fit(op.x.shape, kernel); err != nil {
		return err
	}
	if op.global {
		op.window.out = resized(op.window.out, len(kernel))
		for k, size := range kernel {
			if op.window.out[k] = 1; size == 0 {
				return fmt.Errorf("shape %v has nothing to make one value of", op.x.shape)
			}
		}
	} else if err := op.slideShape(); err != nil {
		return err
	}
	op.out.setShape(op.x.shape[:2], op.window.out...)
	if op.indices != nil {
		op.indices.setShape(op.out.shape)
	}
	return nil
}

// run makes a line of the output of one line of the input after the other.
func (op *pooling[T]) run() error {
	last := len(op.in) - 1
	width := op.window.out[last]
	if op.mean {
		if err := op.sums.resizeTo(min(width, chunkSize)); err != nil {
			return err
		}
	}
	inSize, _ := product(op.in...)
	outSize, _ := product(op.window.out...)
	op.position, op.tap = resized(op.position, last), resized(op.tap, last)
	op.corner, op.stop = resized(op.corner, last), resized(op.stop, last)
	for at := 0; at < len(op.out.data); at += width {
		begin := at / outSize * inSize
		for from := 0; from < width; from += chunkSize {
			if err := op.runLine(at, from, min(chunkSize, width-from), begin, inSize); err != nil {
				return err
			}
		}
		increment(op.position, op.window.out[:last])
	}
	return nil
}

// runLine makes n elements, from that one on, of the line of the output at that place,
// of a plane of the input that begins there and has that size.
func (op *pooling[T]) runLine(at, from, n, begin, size int) error {
	to := op.lineAt(at+from, from, n)
	clear(op.tap)
	for more := op.placeWindow(); more; more = increment(op.tap, op.stop) {
		if err := to.reduceLine(op.memory, &op.window, op.x.data[begin:begin+size], op.line()); err != nil {
			return err
		}
	}
	op.finish(to, at+from, begin)
	return nil
}

// placeWindow sets the part of the window that is in the input, and reports whether there
// is any.
func (op *pooling[T]) placeWindow() bool {
	some := true
	for k, p := range op.position {
		first := p*op.stride(k) - op.before[k]
		begin, end := insideLine(op.in[k], op.size[k], first, op.dilation(k))
		op.corner[k], op.stop[k] = first+begin*op.dilation(k), end-begin
		some = some && begin < end
	}
	return some
}

// line returns where in a plane the line of op.tap begins.
func (op *pooling[T]) line() int {
	line := 0
	for k, i := range op.tap {
		line = line*op.in[k] + op.corner[k] + i*op.dilation(k)
	}
	return line * op.in[len(op.tap)]
}

// pooled is a line of the output: the greatest values and where they are in the
// plane of the input, -1 for none yet, or else the sums. What is not wanted is nil.
type pooled[T number] struct {
	first, n int // which positions along the line these are
	greatest []T
	places   []int64
	sums     []float64
}

// lineAt returns n positions, from the first on, of a line of the output, which are at
// that place of it, without any element yet.
func (op *pooling[T]) lineAt(at, first, n int) pooled[T] {
	to := pooled[T]{first: first, n: n}
	if op.mean {
		to.sums = op.sums.data[:n]
		clear(to.sums)
		return to
	}
	to.greatest = op.out.data[at:][:n]
	for p := range to.greatest {
		to.greatest[p] = op.lowest
	}
	if op.indices != nil {
		to.places = op.indices.data[at:][:n]
		for p := range to.places {
			to.places[p] = -1
		}
	}
	return to
}

// reduceLine adds the line of a plane that begins there to the positions. It goes by taps
// or by positions, whichever are fewer.
func (to pooled[T]) reduceLine(m *memory, w *window, plane []T, line int) error {
	last := len(w.in) - 1
	taps := w.size[last]
	stride, dilation := w.stride(last), w.dilation(last)
	from := to.first*stride - w.before[last] // where the first tap meets the line
	if to.n < taps {
		for p := range to.n {
			begin, end := insideLine(w.in[last], taps, from, dilation)
			for ; begin < end; begin += chunkSize {
				n := min(chunkSize, end-begin)
				if err := m.spend(n * elementCost); err != nil {
					return err
				}
				to.reduceRow(p, 0, plane, line+from+begin*dilation, dilation, n)
			}
			from += stride
		}
		return nil
	}
	for range taps {
		if err := m.spend(to.n * elementCost); err != nil {
			return err
		}
		begin, end := insideLine(w.in[last], to.n, from, stride)
		to.reduceRow(begin, 1, plane, line+from+begin*stride, stride, end-begin)
		from += dilation
	}
	return nil
}

// reduceRow adds n elements from that place on, a step apart, each to the position
// that is next by its own step.
func (to pooled[T]) reduceRow(p, next int, plane []T, at, step, n int) {
	switch {
	case to.sums != nil:
		for range n {
			to.sums[p] += float64(plane[at])
			p, at = p+next, at+step
		}
	case to.places != nil:
		for range n {
			if v := plane[at]; to.places[p] < 0 || v > to.greatest[p] || v != v {
				to.greatest[p], to.places[p] = v, int64(at)
			}
			p, at = p+next, at+step
		}
	default:
		for range n {
			to.greatest[p] = max(to.greatest[p], plane[at])
			p, at = p+next, at+step
		}
	}
}

// finish makes means of sums, and of places indices in the input, whose plane
// begins there.
func (op *pooling[T]) finish(to pooled[T], at, begin int) {
	last := len(op.in) - 1
	if op.mean {
		counted := 1
		for k, p := range op.position {
			counted *= op.counted(k, p)
		}
		for p, sum := range to.sums {
			op.out.data[at+p] = T(sum / float64(counted*op.counted(last, to.first+p)))
		}
	}
	for i, place := range to.places {
		to.places[i] = int64(begin + op.index(int(max(place, 0))))
	}
}

// counted returns how many taps count for a mean along a dimension.
func (op *pooling[T]) counted(k, position int) int {
	before, size := op.before[k], op.in[k]
	if op.countPads {
		before, size = 0, op.before[k]+size+op.after[k]
	}
	begin, end := insideLine(size, op.size[k], position*op.stride(k)-before, op.dilation(k))
	return end - begin
}

// index returns the index of a place in a plane, in the order that is asked for.
func (op *pooling[T]) index(place int) int {
	if !op.columnMajor {
		return place
	}
	index, step := 0, 1
	for k := range op.in {
		inner, _ := product(op.in[k+1:]...)
		index += place / inner * step
		place %= inner
		step *= op.in[k]
	}
	return index
}
