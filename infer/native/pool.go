package native

import (
	"fmt"
	"math"
)

// pooling makes one value of those that a window covers: the greatest, or the mean.
type pooling[T number] struct {
	window
	x, out       *array[T]
	indices      *array[int64] // of the greatest; nil if nobody wants them
	columnMajor  bool          // the order of the indices
	mean         bool
	countPads    bool
	global       bool
	corner, stop []int // of the part of the window that is in the input
	index        []int
	position     []int
}

func newPool(n *node) operator {
	if n.OpType == "MaxPool" {
		return byType(n, 0, newPoolOf[float32], newPoolOf[float64], nil, nil, newPoolOf[uint8], nil)
	}
	return byType(n, 0, newPoolOf[float32], newPoolOf[float64], nil, nil, nil, nil)
}

func newPoolOf[T number](n *node) operator {
	n.costly = true
	op := &pooling[T]{x: input[T](n, 0), out: output[T](n, 0)}
	switch n.OpType {
	case "GlobalMaxPool":
		op.global = true
		return op
	case "GlobalAveragePool":
		op.global, op.mean = true, true
		return op
	}
	op.window = newWindow(n)
	if op.kernel == nil {
		n.fail("attribute \"kernel_shape\" is missing")
	}
	if n.opset >= 10 {
		op.ceil = n.flag("ceil_mode", false)
	}
	since := int64(10) // of dilations
	if op.mean = n.OpType == "AveragePool"; op.mean {
		since = 19
		op.countPads = n.flag("count_include_pad", false)
	} else if n.opset >= 8 {
		op.columnMajor = n.flag("storage_order", false)
	}
	if n.opset >= since {
		op.dilations = positive(n, "dilations", 1)
	}
	if n.wants(1) {
		op.indices = output[int64](n, 1)
	}
	return op
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
	} else if err := op.slide(); err != nil {
		return err
	}
	op.out.setShape(op.x.shape[:2], op.window.out...)
	if op.indices != nil {
		op.indices.setShape(op.out.shape)
	}
	return nil
}

func (op *pooling[T]) run() error {
	rank := len(op.in)
	op.position = resized(op.position, rank)
	op.corner, op.stop, op.index = resized(op.corner, rank), resized(op.stop, rank), resized(op.index, rank)
	inSize, _ := product(op.in...)
	outSize, _ := product(op.window.out...)
	for plane := range len(op.out.data) / outSize {
		x := op.x.data[plane*inSize:][:inSize]
		for i := range outSize {
			to := plane*outSize + i
			if covered := op.cover(); op.mean {
				op.out.data[to] = op.meanOf(x, covered)
			} else {
				v, at := op.greatest(x)
				op.out.data[to] = v
				if op.indices != nil {
					op.indices.data[to] = int64(plane*inSize + at)
				}
			}
			increment(op.position, op.window.out)
		}
	}
	return nil
}

// cover sets the part of the window at op.position that is in the input: where
// it begins and how many taps it has along each dimension. It returns how many
// elements count for a mean.
func (op *pooling[T]) cover() int {
	counted := 1
	for k, p := range op.position {
		dilation := op.dilation(k)
		first := p*op.stride(k) - op.before[k]
		skip := max(0, (-first+dilation-1)/dilation) // taps before the input
		end := min(op.size[k], max(0, (op.in[k]-first+dilation-1)/dilation))
		op.corner[k] = first + skip*dilation
		op.stop[k] = max(0, end-skip)
		if op.countPads {
			end = min(op.size[k], (op.in[k]+op.after[k]-first+dilation-1)/dilation)
			counted *= max(0, end)
		} else {
			counted *= op.stop[k]
		}
	}
	return counted
}

// each calls f with each place of the input that is covered.
func (op *pooling[T]) each(f func(place int)) {
	for _, n := range op.stop {
		if n == 0 {
			return
		}
	}
	clear(op.index)
	for {
		place := 0
		for k, i := range op.index {
			place = place*op.in[k] + op.corner[k] + i*op.dilation(k)
		}
		f(place)
		if !increment(op.index, op.stop) {
			return
		}
	}
}

func (op *pooling[T]) meanOf(x []T, counted int) T {
	sum := 0.0
	op.each(func(place int) { sum += float64(x[place]) })
	if counted == 0 {
		return T(math.NaN())
	}
	return T(sum / float64(counted))
}

// greatest returns the greatest value that is covered and its index within the
// plane.
func (op *pooling[T]) greatest(x []T) (T, int) {
	best, at := lowest[T](), -1
	op.each(func(place int) {
		if v := x[place]; at < 0 || v > best || v != v {
			best, at = v, place
		}
	})
	if op.columnMajor && at >= 0 {
		rest, step, place := at, 1, 0
		for k := range op.in {
			inner, _ := product(op.in[k+1:]...)
			place += rest / inner * step
			rest %= inner
			step *= op.in[k]
		}
		at = place
	}
	return best, max(at, 0)
}
