package native

import (
	"fmt"
	"slices"
)

// window slides over the spatial dimensions of [batch, channels, ...], for convolutions
// and poolings.
type window struct {
	autoPad   string
	kernel    []int // nil where it is that of the weights
	strides   []int
	dilations []int
	pads      []int // all before, then all after
	ceil      bool

	size, in, out []int // of the kernel, the input and the output
	before, after []int // the pads
}

func newWindow(n *node) window {
	w := window{autoPad: attribute(n, "auto_pad", "NOTSET")}
	if !slices.Contains([]string{"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"}, w.autoPad) {
		n.fail("attribute \"auto_pad\" is %q, and must be NOTSET, SAME_UPPER, SAME_LOWER or VALID", w.autoPad)
	}
	w.kernel = positive(n, "kernel_shape", 1)
	w.strides = positive(n, "strides", 1)
	w.pads = positive(n, "pads", 0)
	if w.pads != nil && w.autoPad != "NOTSET" && slices.Max(append(w.pads, 0)) > 0 {
		n.fail("attribute \"pads\" is given beside \"auto_pad\" %s", w.autoPad)
	}
	return w
}

// maxWindow is the greatest number in the attributes of a window.
const maxWindow = 1 << 24

// positive returns a list of sizes of at least that much, nil where it is left out.
func positive(n *node, name string, least int64) []int {
	var sizes []int
	for _, v := range attribute[[]int64](n, name, nil) {
		if v < least || v > maxWindow {
			n.fail("attribute %q has %d, and must have numbers from %d to %d", name, v, least, maxWindow)
		}
		sizes = append(sizes, int(v))
	}
	return sizes
}

// fit checks the attributes against an input of that shape, and sets the sizes of the
// kernel, the pads and the input.
func (w *window) fit(shape, kernel []int) error {
	if len(shape) < 3 {
		return fmt.Errorf("shape %v has no dimensions after batch and channels", shape)
	}
	w.in = shape[2:]
	rank := len(w.in)
	w.size = kernel
	for _, list := range [...][]int{w.kernel, w.strides, w.dilations} {
		if list != nil && len(list) != rank {
			return fmt.Errorf("attribute \"kernel_shape\", \"strides\" or \"dilations\" is %v, and must have %d numbers for shape %v", list, rank, shape)
		}
	}
	if w.pads != nil && len(w.pads) != 2*rank {
		return fmt.Errorf("attribute \"pads\" has %d numbers, and must have %d for shape %v", len(w.pads), 2*rank, shape)
	}
	if len(w.size) != rank || w.kernel != nil && !slices.Equal(w.kernel, w.size) {
		return fmt.Errorf("weights of size %v do not fit shape %v and kernel_shape %v", w.size, shape, w.kernel)
	}
	w.before, w.after = resized(w.before, rank), resized(w.after, rank)
	if w.pads != nil {
		copy(w.before, w.pads)
		copy(w.after, w.pads[rank:])
	}
	return nil
}

// resized returns n zeros, in the memory of list if it is enough.
func resized[T int | bool](list []T, n int) []T {
	list = slices.Grow(list[:0], n)[:n]
	clear(list)
	return list
}

func at(list []int, k, def int) int {
	if list == nil {
		return def
	}
	return list[k]
}

func (w *window) stride(k int) int   { return at(w.strides, k, 1) }
func (w *window) dilation(k int) int { return at(w.dilations, k, 1) }

// extent returns how far the kernel reaches along a dimension.
func (w *window) extent(k int) int { return (w.size[k]-1)*w.dilation(k) + 1 }

// slideShape sets the size of the output to how often the kernel fits.
func (w *window) slideShape() error {
	w.out = resized(w.out, len(w.in))
	for k, size := range w.in {
		stride, extent := w.stride(k), w.extent(k)
		switch w.autoPad {
		case "SAME_UPPER", "SAME_LOWER":
			w.out[k] = (size + stride - 1) / stride
			w.splitPads(k, max((w.out[k]-1)*stride+extent-size, 0))
			continue
		case "VALID":
			w.before[k], w.after[k] = 0, 0
		}
		free := size + w.before[k] + w.after[k] - extent
		if free < 0 {
			return fmt.Errorf("a kernel that reaches over %d does not fit a dimension of size %d with pads %d and %d", extent, size, w.before[k], w.after[k])
		}
		w.out[k] = free/stride + 1
		if w.ceil && free%stride > 0 && w.out[k]*stride < size+w.before[k] { // the last one starts within
			w.out[k]++
		}
	}
	return nil
}

// splitPads splits the pads of a dimension between its ends.
func (w *window) splitPads(k, pads int) {
	w.before[k], w.after[k] = pads/2, pads-pads/2
	if w.autoPad == "SAME_LOWER" {
		w.before[k], w.after[k] = w.after[k], w.before[k]
	}
}

// increment steps an index of that shape to the next, and reports whether there
// is one.
func increment(index, shape []int) bool {
	for k := len(shape) - 1; k >= 0; k-- {
		if index[k]++; index[k] < shape[k] {
			return true
		}
		index[k] = 0
	}
	return false
}

// insideLine returns which of n places, a step apart from that on, lie in a line.
func insideLine(line, n, from, step int) (begin, end int) {
	if from < 0 {
		begin = min((step-1-from)/step, n)
	}
	return begin, min(max((line-from+step-1)/step, begin), n)
}
