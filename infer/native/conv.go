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
	memory        *memory
}

func convOps[T float]() []op {
	return []op{
		{name: "Conv", since: 1, in: arity{2, 3}, out: one, build: func(n *node) kernel { return newConv[T](n, false) }},
		{name: "ConvTranspose", since: 1, in: arity{2, 3}, out: one, build: func(n *node) kernel { return newConv[T](n, true) }},
	}
}

func newConv[T float](n *node, transposed bool) kernel {
	n.expensive = true
	op := &conv[T]{
		window: newWindow(n),
		x:      input[T](n, 0), w: input[T](n, 1), b: input[T](n, 2), out: output[T](n, 0),
		covered:    temp[T](n),
		answers:    temp[T](n),
		transposed: transposed,
		memory:     n.memory,
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
	if err := op.begin(outSize); err != nil {
		return err
	}
	if inSize == 0 || inputs == 0 {
		return nil
	}
	few := !op.transposed && outSize < outputs && op.w.constant
	columns, positions := inputs*taps, outSize
	if op.transposed {
		columns, positions = outputs*taps, inSize
	}
	if !few {
		positions = min(positions, max(1, convChunk/columns))
	} else if err := op.answers.resizeTo(outSize, outputs); err != nil {
		return err
	}
	if err := op.covered.resizeTo(positions, columns); err != nil {
		return err
	}
	for b := range batch {
		for g := range op.group {
			x := kernels.Dense(inputs, inSize, op.x.data[(b*op.group+g)*inputs*inSize:])
			out := kernels.Dense(outputs, outSize, op.out.data[(b*op.group+g)*outputs*outSize:])
			rows := len(op.w.data) / columns / op.group
			w := kernels.Dense(rows, columns, op.w.data[g*rows*columns:])
			var err error
			switch {
			case op.transposed:
				err = op.spreadTaps(out, x, w, positions)
			case few:
				err = op.byPosition(out, x, w, g)
			default:
				err = op.byTap(out, x, w, positions)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// begin sets each channel, of so many elements, to its bias.
func (op *conv[T]) begin(size int) error {
	if op.b == nil {
		return op.out.fill(nil)
	}
	for at := 0; at < len(op.out.data); at += size {
		bias := op.b.data[at/size%len(op.b.data)]
		err := op.memory.chunks(size, func(from, to int) {
			channel := op.out.data[at+from : at+to]
			for k := range channel {
				channel[k] = bias
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// coverCost is how many multiplications take as long as to find, for one element that
// is covered, where it is.
const coverCost = 16

// byTap adds the products of the weights with what each tap of the kernel meets
// at some positions at a time, which lies in lines of the input.
func (op *conv[T]) byTap(out, x, w kernels.Matrix[T], positions int) error {
	last, taps := len(op.in)-1, w.Cols/x.Rows
	clear(op.position)
	for at := 0; at < out.Cols; at += positions {
		n := min(positions, out.Cols-at)
		if err := op.memory.spend(n * w.Cols * (w.Rows + coverCost)); err != nil {
			return err
		}
		for done := 0; done < n; {
			part := min(n-done, op.window.out[last]-op.position[last])
			for tap := range taps {
				line, from := op.meet(tap, op.in)
				for c := range x.Rows {
					row := op.covered.data[(c*taps+tap)*n+done:]
					cover(row[:part], lineOf(x, c, line, op.in[last]), from, op.stride(last))
				}
			}
			op.advance(part, op.window.out)
			done += part
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
	last, taps := len(op.in)-1, w.Cols/x.Rows
	size := op.size[last]
	clear(op.position)
	for p := range out.Cols {
		if err := op.memory.spend(w.Cols * coverCost); err != nil {
			return err
		}
		row := op.covered.data[p*w.Cols:]
		for tap := 0; tap < taps; tap += size {
			line, from := op.meet(tap, op.in)
			for c := range x.Rows {
				cover(row[c*taps+tap:][:size], lineOf(x, c, line, op.in[last]), from, op.dilation(last))
			}
		}
		op.advance(1, op.window.out)
	}
	answers, covered := kernels.Dense(out.Cols, out.Rows, op.answers.data), kernels.Dense(out.Cols, w.Cols, op.covered.data)
	err := byRows[T](op.memory, out.Cols, len(w.Data), func(from, to int) {
		kernels.Mul(answers.RowRange(from, to), kernels.Matrix[T]{}, covered.RowRange(from, to), weights)
	})
	if err != nil {
		return err
	}
	for p := range out.Cols {
		for m, v := range answers.Row(p) {
			out.Data[m*out.Stride+p] += v
		}
	}
	return nil
}

// spreadTaps adds what the elements at some positions at a time of the input of a
// transposed convolution spread, by each tap, over lines of the output.
func (op *conv[T]) spreadTaps(out, x, w kernels.Matrix[T], positions int) error {
	last, taps := len(op.in)-1, w.Cols/out.Rows
	clear(op.position)
	for at := 0; at < x.Cols; at += positions {
		n := min(positions, x.Cols-at)
		if err := op.memory.spend(n * w.Cols * (w.Rows + coverCost)); err != nil {
			return err
		}
		spread := kernels.Dense(w.Cols, n, op.covered.data)
		spread.Zero()
		kernels.MulTN(spread, w, x.ColRange(at, at+n))
		for done := 0; done < n; {
			part := min(n-done, op.in[last]-op.position[last])
			for tap := range taps {
				line, from := op.meet(tap, op.window.out)
				for m := range out.Rows {
					uncover(lineOf(out, m, line, op.window.out[last]), spread.Row(m*taps + tap)[done:done+part], from, op.stride(last))
				}
			}
			op.advance(part, op.in)
			done += part
		}
	}
	return nil
}

// advance goes on by n positions of that shape, which lie in one line.
func (op *conv[T]) advance(n int, shape []int) {
	last := len(shape) - 1
	op.position[last] += n - 1
	increment(op.position, shape)
}

// meet returns where a tap of the kernel at op.position meets a shape: which of the
// lines along its last dimension, -1 outside, and the place in it, which may be
// outside too.
func (op *conv[T]) meet(tap int, shape []int) (line, place int) {
	for k := len(shape) - 1; k >= 0; k-- {
		op.tap[k] = tap % op.size[k]
		tap /= op.size[k]
	}
	for k, t := range op.tap {
		place = op.position[k]*op.stride(k) - op.before[k] + t*op.dilation(k)
		if k == len(shape)-1 {
			break
		}
		if place < 0 || place >= shape[k] {
			return -1, 0
		}
		line = line*shape[k] + place
	}
	return line, place
}

// lineOf returns that line, of n elements, of a channel, nil for -1.
func lineOf[T float](m kernels.Matrix[T], channel, line, n int) []T {
	if line < 0 {
		return nil
	}
	return m.Row(channel)[line*n : (line+1)*n]
}

// inside returns which of n places, a step apart from that on, lie in a line.
func inside(line, n, from, step int) (begin, end int) {
	if from < 0 {
		begin = min((step-1-from)/step, n)
	}
	return begin, min(max((line-from+step-1)/step, begin), n)
}

// cover sets dst to the elements of line that lie a step apart, from that place
// on, and 0 where there are none.
func cover[T float](dst, line []T, from, step int) {
	begin, end := inside(len(line), len(dst), from, step)
	clear(dst[:begin])
	clear(dst[end:])
	switch {
	case begin == end:
	case step == 1:
		copy(dst[begin:end], line[from+begin:])
	default:
		for k := begin; k < end; k++ {
			dst[k] = line[from+k*step]
		}
	}
}

// uncover adds src to the elements of line that lie a step apart, from that place
// on, as far as there are any.
func uncover[T float](line, src []T, from, step int) {
	begin, end := inside(len(line), len(src), from, step)
	for k := begin; k < end; k++ {
		line[from+k*step] += src[k]
	}
}
