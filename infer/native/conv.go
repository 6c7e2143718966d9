package native

import (
	"fmt"
	"slices"

	"github.com/rnnkit/rnnkit/internal/kernels"
)

// window is how a convolution or a pooling goes over the spatial dimensions of
// [batch, channels, ...].
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

// fit checks the attributes against an input of that shape, and sets the sizes
// of the kernel, the pads and the input.
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
func resized(list []int, n int) []int {
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

// slide sets the size of the output to how often the kernel fits.
func (w *window) slide() error {
	w.out = resized(w.out, len(w.in))
	for k, size := range w.in {
		stride, extent := w.stride(k), w.extent(k)
		switch w.autoPad {
		case "SAME_UPPER", "SAME_LOWER":
			w.out[k] = (size + stride - 1) / stride
			w.share(k, max((w.out[k]-1)*stride+extent-size, 0))
			continue
		case "VALID":
			w.before[k], w.after[k] = 0, 0
		}
		room := size + w.before[k] + w.after[k] - extent
		if room < 0 {
			return fmt.Errorf("a kernel that reaches over %d does not fit a dimension of size %d with pads %d and %d", extent, size, w.before[k], w.after[k])
		}
		w.out[k] = room/stride + 1
		if w.ceil && room%stride > 0 && w.out[k]*stride < size+w.before[k] { // the last one starts within
			w.out[k]++
		}
	}
	return nil
}

// share splits the pads of a dimension between its ends.
func (w *window) share(k, pads int) {
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

// conv is a convolution of any number of dimensions, as matrix products for each
// member of the batch and each group of channels.
type conv[T float] struct {
	window
	group         int
	x, w, b       *array[T] // [batch, channels, ...], [outputs, channels/group, ...], [outputs]
	out           *array[T]
	covered       *array[T]           // what the kernel covers at some positions
	answers       *array[T]           // for byPosition
	laidOut       []kernels.Packed[T] // the weights of each group, transposed, for byPosition
	position, tap []int
	transposed    bool
	outputPadding []int
	outputShape   []int
}

func newConv(n *node) operator {
	return byType(n, 0, newConvOf[float32], newConvOf[float64], nil, nil, nil, nil)
}

func newConvOf[T float](n *node) operator {
	n.costly = true
	op := &conv[T]{
		window: newWindow(n),
		x:      input[T](n, 0), w: input[T](n, 1), b: input[T](n, 2), out: output[T](n, 0),
		covered:    temp[T](n),
		answers:    temp[T](n),
		transposed: n.OpType == "ConvTranspose",
	}
	op.dilations = positive(n, "dilations", 1)
	group := attribute(n, "group", int64(1))
	if group < 1 || group > maxWindow {
		n.fail("attribute \"group\" is %d, which is out of range", group)
		group = 1
	}
	op.group = int(group)
	if op.transposed {
		op.outputPadding = positive(n, "output_padding", 0)
		op.outputShape = positive(n, "output_shape", 1)
	}
	return op
}

func (op *conv[T]) shapes() error {
	x, w := op.x.shape, op.w.shape
	if len(w) != len(x) || len(w) < 3 {
		return fmt.Errorf("weights of shape %v do not fit an input of shape %v", w, x)
	}
	if slices.Contains(w, 0) {
		return fmt.Errorf("weights of shape %v have no elements", w)
	}
	if err := op.fit(x, w[2:]); err != nil {
		return err
	}
	outputs, inputs := w[0], w[1]*op.group
	if op.transposed {
		outputs, inputs = inputs, w[0]
	}
	switch {
	case x[1] != inputs || outputs%op.group != 0 || inputs%op.group != 0:
		return fmt.Errorf("weights of shape %v do not fit an input of shape %v in %d groups", w, x, op.group)
	case op.b != nil && !slices.Equal(op.b.shape, []int{outputs}):
		return fmt.Errorf("the bias has shape %v, and must have [%d]", op.b.shape, outputs)
	}
	spread := op.slide
	if op.transposed {
		spread = op.spread
	}
	if err := spread(); err != nil {
		return err
	}
	op.out.setShape(nil, x[0], outputs)
	op.out.shape = append(op.out.shape, op.window.out...)
	return nil
}

// spread sets the size of the output of a transposed convolution.
func (op *conv[T]) spread() error {
	w := &op.window
	rank := len(w.in)
	if op.outputPadding != nil && len(op.outputPadding) != rank || op.outputShape != nil && len(op.outputShape) != rank {
		return fmt.Errorf("attribute \"output_padding\" or \"output_shape\" does not have %d numbers for shape %v", rank, op.x.shape)
	}
	w.out = resized(w.out, rank)
	for k, size := range w.in {
		stride, more := w.stride(k), at(op.outputPadding, k, 0)
		whole := (size-1)*stride + w.extent(k) + more
		switch {
		case op.outputShape != nil:
			w.out[k] = op.outputShape[k]
		case w.autoPad == "SAME_UPPER" || w.autoPad == "SAME_LOWER":
			w.out[k] = min(size*stride, whole)
		default:
			w.out[k] = whole - w.before[k] - w.after[k]
			if w.out[k] < 1 {
				return fmt.Errorf("dimension %d of the output would have size %d", k, w.out[k])
			}
			continue
		}
		pads := max(whole-w.out[k], 0)
		w.before[k], w.after[k] = pads/2, pads-pads/2
		if w.autoPad == "SAME_LOWER" || op.outputShape != nil && w.autoPad != "SAME_UPPER" {
			w.before[k], w.after[k] = pads-pads/2, pads/2
		}
	}
	return nil
}

// convChunk is about how many elements of the input are laid out at a time.
const convChunk = 1 << 16

func (op *conv[T]) run() error {
	batch, inputs, outputs := op.x.shape[0], op.x.shape[1]/op.group, op.out.shape[1]/op.group
	op.position, op.tap = resized(op.position, len(op.in)), resized(op.tap, len(op.in))
	taps, _ := product(op.size...)
	inSize, _ := product(op.in...)
	outSize, _ := product(op.window.out...)
	for i := 0; i < len(op.out.data); i += outSize {
		channel := op.out.data[i : i+outSize]
		clear(channel)
		if op.b != nil {
			bias := op.b.data[i/outSize%len(op.b.data)]
			for k := range channel {
				channel[k] = bias
			}
		}
	}
	if inSize == 0 || inputs == 0 {
		return nil
	}
	few := outSize < outputs && op.w.constant
	for b := range batch {
		for g := range op.group {
			x := kernels.Dense(inputs, inSize, op.x.data[(b*op.group+g)*inputs*inSize:])
			out := kernels.Dense(outputs, outSize, op.out.data[(b*op.group+g)*outputs*outSize:])
			w := kernels.Dense(outputs, inputs*taps, op.w.data[g*outputs*inputs*taps:])
			var err error
			switch {
			case op.transposed:
				err = op.scatter(out, x, kernels.Dense(inputs, outputs*taps, op.w.data[g*outputs*inputs*taps:]))
			case few:
				err = op.byPosition(out, x, w, g)
			default:
				err = op.byTap(out, x, w)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// byTap adds the products of the weights with what each tap of the kernel meets,
// which lies in a row of the input.
func (op *conv[T]) byTap(out, x, w kernels.Matrix[T]) error {
	last := len(op.in) - 1
	inner := op.window.out[last]
	step := max(1, convChunk/w.Cols)
	clear(op.position)
	for at := 0; at < out.Cols; at += step {
		n := min(step, out.Cols-at)
		if err := op.covered.resizeTo(w.Cols, n); err != nil {
			return err
		}
		for done := 0; done < n; { // a row of positions, or what is left of it
			first := op.position[last]
			part := min(n-done, inner-first)
			for tap := range w.Cols / x.Rows {
				line := op.lineOf(tap / op.size[last])
				from := first*op.stride(last) - op.before[last] + tap%op.size[last]*op.dilation(last)
				for c := range x.Rows {
					row := op.covered.data[(c*w.Cols/x.Rows+tap)*n:]
					cover(row[done:done+part], op.row(x, c, line), from, op.stride(last))
				}
			}
			done += part
			if op.position[last] += part; op.position[last] == inner {
				op.position[last] = 0
				increment(op.position[:last], op.window.out[:last])
			}
		}
		kernels.MulNN(out.ColRange(at, at+n), w, kernels.Dense(w.Cols, n, op.covered.data))
	}
	return nil
}

// byPosition is byTap for few positions, of which each covers a row of numbers to
// be multiplied with all weights.
func (op *conv[T]) byPosition(out, x, w kernels.Matrix[T], group int) error {
	if op.laidOut == nil {
		op.laidOut = make([]kernels.Packed[T], op.group)
	}
	weights := &op.laidOut[group]
	if weights.Cols == 0 {
		weights.PackT(w)
	}
	if err := op.covered.resizeTo(out.Cols, w.Cols); err != nil {
		return err
	}
	last := len(op.in) - 1
	size := op.size[last]
	clear(op.position)
	for p := range out.Cols {
		row := op.covered.data[p*w.Cols:]
		from := op.position[last]*op.stride(last) - op.before[last]
		for tap := 0; tap < w.Cols/x.Rows; tap += size {
			line := op.lineOf(tap / size)
			for c := range x.Rows {
				at := c*w.Cols/x.Rows + tap
				cover(row[at:at+size], op.row(x, c, line), from, op.dilation(last))
			}
		}
		increment(op.position, op.window.out)
	}
	if err := op.answers.resizeTo(out.Cols, out.Rows); err != nil {
		return err
	}
	answers := kernels.Dense(out.Cols, out.Rows, op.answers.data)
	kernels.Mul(answers, kernels.Matrix[T]{}, kernels.Dense(out.Cols, w.Cols, op.covered.data), weights)
	for p := range out.Cols {
		for m, v := range answers.Row(p) {
			out.Data[m*out.Stride+p] += v
		}
	}
	return nil
}

// lineOf returns which line of the input, along its last dimension, a tap meets at
// op.position, by the dimensions before: -1 outside. It takes the taps in order.
func (op *conv[T]) lineOf(tap int) int {
	last := len(op.in) - 1
	at := op.tap[:last]
	for k := last - 1; k >= 0; k-- {
		at[k] = tap % op.size[k]
		tap /= op.size[k]
	}
	line := 0
	for k, t := range at {
		i := op.position[k]*op.stride(k) - op.before[k] + t*op.dilation(k)
		if i < 0 || i >= op.in[k] {
			return -1
		}
		line = line*op.in[k] + i
	}
	return line
}

// row returns that line of a channel of x, nil for -1.
func (op *conv[T]) row(x kernels.Matrix[T], channel, line int) []T {
	if line < 0 {
		return nil
	}
	n := op.in[len(op.in)-1]
	return x.Row(channel)[line*n : (line+1)*n]
}

// cover sets dst to the elements of line that lie a step apart, from that place
// on, and 0 where there are none.
func cover[T float](dst, line []T, from, step int) {
	begin, end := 0, len(dst)
	if from < 0 {
		begin = min((step-1-from)/step, end)
	}
	end = min(max((len(line)-from+step-1)/step, begin), end)
	clear(dst[:begin])
	clear(dst[end:])
	if begin == end {
		return
	}
	if step == 1 {
		copy(dst[begin:end], line[from+begin:])
		return
	}
	for k := begin; k < end; k++ {
		dst[k] = line[from+k*step]
	}
}

// scatter adds what each element of the input spreads over the output.
func (op *conv[T]) scatter(out, x, w kernels.Matrix[T]) error {
	taps := w.Cols / out.Rows
	step := max(1, convChunk/w.Cols)
	clear(op.position)
	for at := 0; at < x.Cols; at += step {
		n := min(step, x.Cols-at)
		if err := op.covered.resizeTo(n, w.Cols); err != nil {
			return err
		}
		clear(op.covered.data)
		spread := kernels.Dense(n, w.Cols, op.covered.data)
		kernels.MulTN(spread, x.ColRange(at, at+n), w)
		for i := range n {
			for t := range taps {
				place := op.target(t)
				for m := 0; m < out.Rows && place >= 0; m++ {
					out.Data[m*out.Stride+place] += spread.Row(i)[m*taps+t]
				}
			}
			increment(op.position, op.in)
		}
	}
	return nil
}

// target returns where in the output tap t lies of the element at op.position,
// -1 outside. It goes through the taps in order.
func (op *conv[T]) target(t int) int {
	if t == 0 {
		clear(op.tap)
	} else {
		increment(op.tap, op.size)
	}
	place := 0
	for k, p := range op.position {
		i := p*op.stride(k) - op.before[k] + op.tap[k]*op.dilation(k)
		if i < 0 || i >= op.window.out[k] {
			return -1
		}
		place = place*op.window.out[k] + i
	}
	return place
}
