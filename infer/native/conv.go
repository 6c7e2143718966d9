package native

import (
	"fmt"
	"slices"

	"github.com/rnnkit/rnnkit/internal/kernels"
)

// conv is a convolution of any number of dimensions, as matrix products for each
// example of the batch and each group of channels.
type conv[T float] struct {
	window
	group         int
	x, w, b       *array[T] // [batch, channels, ...], [outputs, channels/group, ...], [outputs]
	out           *array[T]
	columns       *array[T]           // the im2col matrix, for some positions
	products      *array[T]           // of im2row
	packedWeights []kernels.Packed[T] // the weights of each group, transposed, for im2row
	position, tap []int
	transposed    bool
	byRows        bool // few positions: see multiplyRows
	outputPadding []int
	outputShape   []int
	memory        *memory
}

func convOps[T float](t *typedOps) {
	t.add("Conv", 1, arity{2, 3}, one, func(n *node) kernel { return newConv[T](n, false) })
	t.add("ConvTranspose", 1, arity{2, 3}, one, func(n *node) kernel { return newConv[T](n, true) })
}

func newConv[T float](n *node, transposed bool) kernel {
	n.expensive = true
	op := &conv[T]{
		window: newWindow(n),
		x:      input[T](n, 0), w: input[T](n, 1), b: input[T](n, 2), out: output[T](n, 0),
		columns:    temp[T](n),
		products:   temp[T](n),
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
	setShape := op.slideShape
	if op.transposed {
		setShape = op.transposedShape
	}
	if err := setShape(); err != nil {
		return err
	}
	op.out.setShape(nil, x[0], outputs)
	op.out.shape = append(op.out.shape, op.window.out...)
	return nil
}

// transposedShape sets the size of the output of a transposed convolution.
func (op *conv[T]) transposedShape() error {
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

// convChunk is about how many elements the im2col matrix has.
const convChunk = 1 << 16

func (op *conv[T]) run() error {
	op.position, op.tap = resized(op.position, len(op.in)), resized(op.tap, len(op.in))
	outSize, _ := product(op.window.out...)
	if err := op.begin(outSize); err != nil {
		return err
	}
	inSize, _ := product(op.in...)
	inputs, outputs := op.x.shape[1]/op.group, op.out.shape[1]/op.group
	if inSize == 0 || inputs == 0 {
		return nil
	}
	columns, err := op.allocate(inSize, outSize)
	if err != nil {
		return err
	}
	rows := len(op.w.data) / columns / op.group
	for i := range op.x.shape[0] * op.group {
		x := kernels.Dense(inputs, inSize, op.x.data[i*inputs*inSize:])
		out := kernels.Dense(outputs, outSize, op.out.data[i*outputs*outSize:])
		group := i % op.group
		w := kernels.Dense(rows, columns, op.w.data[group*rows*columns:])
		if err := op.multiply(out, x, w, group); err != nil {
			return err
		}
	}
	return nil
}

// allocate makes memory for what op.multiply works with, and returns how many columns
// the im2col matrix has.
func (op *conv[T]) allocate(inSize, outSize int) (columns int, err error) {
	taps, _ := product(op.size...)
	outputs := op.out.shape[1] / op.group
	columns, positions := op.x.shape[1]/op.group*taps, outSize
	if op.transposed {
		columns, positions = outputs*taps, inSize
	}
	if op.byRows = !op.transposed && outSize < outputs && op.w.constant; op.byRows {
		err = op.products.resizeTo(outSize, outputs)
	} else {
		positions = min(positions, max(1, convChunk/columns))
	}
	if err == nil {
		err = op.columns.resizeTo(positions, columns)
	}
	return columns, err
}

// multiply adds the products for an example and a group.
func (op *conv[T]) multiply(out, x, w kernels.Matrix[T], group int) error {
	switch {
	case op.transposed:
		return op.multiplyTransposed(out, x, w)
	case op.byRows:
		return op.multiplyRows(out, x, w, group)
	}
	return op.multiplyColumns(out, x, w)
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

// im2colCost is how many multiplications take as long as it takes to find an element of
// the im2col matrix.
const im2colCost = 16

// multiplyColumns adds the products of the weights and im2col, some positions at a time.
func (op *conv[T]) multiplyColumns(out, x, w kernels.Matrix[T]) error {
	positions := op.columns.shape[0]
	clear(op.position)
	for at := 0; at < out.Cols; at += positions {
		n := min(positions, out.Cols-at)
		if err := op.memory.spend(n * w.Cols * (w.Rows + im2colCost)); err != nil {
			return err
		}
		columns := kernels.Dense(w.Cols, n, op.columns.data)
		op.im2col(columns, x)
		kernels.MulNN(out.ColRange(at, at+n), w, columns)
	}
	return nil
}

// im2col sets each column to what the kernel covers at the next position.
func (op *conv[T]) im2col(columns, x kernels.Matrix[T]) {
	last, taps := len(op.in)-1, columns.Rows/x.Rows
	for done := 0; done < columns.Cols; {
		n := min(columns.Cols-done, op.window.out[last]-op.position[last])
		for tap := range taps {
			line, from := op.lineOfTap(tap, op.in)
			for c := range x.Rows {
				row := columns.Row(c*taps + tap)[done : done+n]
				copyFromLine(row, lineOf(x, c, line, op.in[last]), from, op.stride(last))
			}
		}
		op.skip(n, op.window.out)
		done += n
	}
}

// multiplyRows is multiplyColumns for few positions, whose im2col matrix is transposed:
// the weights are packed for its rows.
func (op *conv[T]) multiplyRows(out, x, w kernels.Matrix[T], group int) error {
	if op.packedWeights == nil {
		op.packedWeights = make([]kernels.Packed[T], op.group)
	}
	weights := &op.packedWeights[group]
	if weights.Cols == 0 {
		weights.PackT(w)
	}
	rows := kernels.Dense(out.Cols, w.Cols, op.columns.data)
	if err := op.im2row(rows, x); err != nil {
		return err
	}
	products := kernels.Dense(out.Cols, out.Rows, op.products.data)
	err := byRows[T](op.memory, out.Cols, len(w.Data), func(from, to int) {
		kernels.Mul(products.RowRange(from, to), kernels.Matrix[T]{}, rows.RowRange(from, to), weights)
	})
	if err != nil {
		return err
	}
	for p := range out.Cols {
		for m, v := range products.Row(p) {
			out.Data[m*out.Stride+p] += v
		}
	}
	return nil
}

// im2row sets each row to what the kernel covers at the next position.
func (op *conv[T]) im2row(rows, x kernels.Matrix[T]) error {
	last, taps := len(op.in)-1, rows.Cols/x.Rows
	size := op.size[last]
	clear(op.position)
	for p := range rows.Rows {
		if err := op.memory.spend(rows.Cols * im2colCost); err != nil {
			return err
		}
		row := rows.Row(p)
		for tap := 0; tap < taps; tap += size {
			line, from := op.lineOfTap(tap, op.in)
			for c := range x.Rows {
				copyFromLine(row[c*taps+tap:][:size], lineOf(x, c, line, op.in[last]), from, op.dilation(last))
			}
		}
		op.skip(1, op.window.out)
	}
	return nil
}

// multiplyTransposed multiplies the weights and the elements at some positions of the
// input at a time, and adds the products to the output by col2im.
func (op *conv[T]) multiplyTransposed(out, x, w kernels.Matrix[T]) error {
	positions := op.columns.shape[0]
	clear(op.position)
	for at := 0; at < x.Cols; at += positions {
		n := min(positions, x.Cols-at)
		if err := op.memory.spend(n * w.Cols * (w.Rows + im2colCost)); err != nil {
			return err
		}
		columns := kernels.Dense(w.Cols, n, op.columns.data)
		columns.Zero()
		kernels.MulTN(columns, w, x.ColRange(at, at+n))
		op.col2im(out, columns)
	}
	return nil
}

// col2im adds each column to what the kernel covers of the output at the next position
// of the input.
func (op *conv[T]) col2im(out, columns kernels.Matrix[T]) {
	last, taps := len(op.in)-1, columns.Rows/out.Rows
	for done := 0; done < columns.Cols; {
		n := min(columns.Cols-done, op.in[last]-op.position[last])
		for tap := range taps {
			line, from := op.lineOfTap(tap, op.window.out)
			for m := range out.Rows {
				row := columns.Row(m*taps + tap)[done : done+n]
				addToLine(lineOf(out, m, line, op.window.out[last]), row, from, op.stride(last))
			}
		}
		op.skip(n, op.in)
		done += n
	}
}

// skip moves on by n positions of that shape, which lie in one line.
func (op *conv[T]) skip(n int, shape []int) {
	last := len(shape) - 1
	op.position[last] += n - 1
	increment(op.position, shape)
}

// lineOfTap returns where a tap of the kernel at op.position lies in a shape: in which of
// the lines along its last dimension, -1 outside, and where in it, which may be outside
// too.
func (op *conv[T]) lineOfTap(tap int, shape []int) (line, place int) {
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

// copyFromLine sets dst to the elements of line that lie a step apart, from that place
// on, and 0 where there are none.
func copyFromLine[T float](dst, line []T, from, step int) {
	begin, end := insideLine(len(line), len(dst), from, step)
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

// addToLine adds src to the elements of line that lie a step apart, from that place
// on, as far as there are any.
func addToLine[T float](line, src []T, from, step int) {
	begin, end := insideLine(len(line), len(src), from, step)
	for k := begin; k < end; k++ {
		line[from+k*step] += src[k]
	}
}
