// Package cell runs the recurrent layers RNN, LSTM and GRU over batches of
// sequences, forward and backward, one direction at a time. The equations are
// those of the ONNX operators with their default activations.
//
// All sequences are time-major: a step is a matrix with one row per sequence of the
// batch.
package cell

import (
	"iter"

	"github.com/rnnkit/rnnkit/internal/kernels"
)

// Float is the constraint of a cell's element type.
type Float = kernels.Float

// Steps is a view of an array [time, batch, width]. Row b of step t starts at
// Data[t*StepStride + b*RowStride].
type Steps[T Float] struct {
	Time, Batch, Width    int
	StepStride, RowStride int
	Data                  []T
}

// Lengths describes a batch of sequences of different lengths, which must be sorted,
// longest first. At step t the first Lengths[t] rows belong to sequences that have not
// ended; the other rows are padding. A nil Lengths means that no sequence ends early.
type Lengths []int

// rows returns the number of rows of step t that are not padding.
func (l Lengths) rows(t, batch int) int {
	if l == nil {
		return batch
	}
	return l[t]
}

// Dense returns a view of data as a contiguous array [time, batch, width].
func Dense[T Float](time, batch, width int, data []T) Steps[T] {
	return Steps[T]{Time: time, Batch: batch, Width: width, StepStride: batch * width, RowStride: width, Data: data[:time*batch*width]}
}

// At returns step t as a matrix [batch, width].
func (s *Steps[T]) At(t int) kernels.Matrix[T] { return s.Top(t, s.Batch) }

// Top returns the first n rows of step t.
func (s *Steps[T]) Top(t, n int) kernels.Matrix[T] {
	return kernels.Matrix[T]{Rows: n, Cols: s.Width, Stride: s.RowStride, Data: s.Data[min(t*s.StepStride, len(s.Data)):]}
}

// Cols returns a view of the columns [i, j) of every step.
func (s Steps[T]) Cols(i, j int) Steps[T] {
	s.Width, s.Data = j-i, s.Data[min(i, len(s.Data)):]
	return s
}

// Range returns a view of the steps [i, j).
func (s Steps[T]) Range(i, j int) Steps[T] {
	s.Time, s.Data = j-i, s.Data[min(i*s.StepStride, len(s.Data)):]
	return s
}

// Flat returns the steps [i, j) as one matrix [(j-i)*batch, width]. It panics if
// there is a gap between one step and the next.
func (s Steps[T]) Flat(i, j int) kernels.Matrix[T] {
	if s.StepStride != s.Batch*s.RowStride {
		panic("cell: steps with gaps are no matrix")
	}
	return kernels.Matrix[T]{Rows: (j - i) * s.Batch, Cols: s.Width, Stride: s.RowStride, Data: s.Data[min(i*s.StepStride, len(s.Data)):]}
}

// Weights holds the parameters of one direction of a layer, or their
// gradients, with gates in ONNX order: W [gates*hidden, inputs], R
// [gates*hidden, hidden], B [2*gates*hidden], the biases of W and those of R.
type Weights[T Float] struct{ W, R, B []T }

// Packed holds the [Weights] of one direction in the layout that a [Cell] multiplies
// with. Any number of cells may share it.
type Packed[T Float] struct {
	bias   []T // [gates*hidden]: added to the pre-activations of every step
	apart  []T // the biases of R that are not part of bias
	wT, w  kernels.Packed[T]
	rT, r  [2]kernels.Packed[T] // one for each of base.parts
	table  []T                  // set by Tabulate, else empty
	inputs int
}

// Tabulate precomputes x Wᵀ + bias for every row of x. Until the next Pack, a Forward
// that picks rows of x looks the products up instead of computing them.
func (p *Packed[T]) Tabulate(x kernels.Matrix[T]) {
	kernels.Grow(&p.table, x.Rows*len(p.bias))
	kernels.Mul(kernels.Dense(x.Rows, len(p.bias), p.table), kernels.Repeat(p.bias, x.Rows), x, &p.wT)
}

// Forget drops what Tabulate computed.
func (p *Packed[T]) Forget() { p.table = nil }

// State is the state of one direction between two steps. H and C are [batch, hidden];
// only an LSTM has C.
type State[T Float] struct{ H, C kernels.Matrix[T] }

// Sequences holds the input of a [Cell] and the memory for its output.
type Sequences[T Float] struct {
	X, Y    Steps[T] // [time, batch, inputs] and [time, batch, hidden]
	Pick    []int    // [time, batch]: if not nil, the row of X's only step to read
	Lengths Lengths
	First   State[T] // the initial state
}

// Cell computes one direction of a recurrent layer. It records what Backward needs
// of the last Forward in buffers that it reuses, so only one goroutine may use it at a
// time.
type Cell[T Float] interface {
	// Pack stores in p what Forward needs of w, and PackBackward what Backward needs
	// in addition. Later changes to w have no effect on p.
	Pack(p *Packed[T], w Weights[T])
	PackBackward(p *Packed[T], w Weights[T])

	// Forward reads s.X, whose padding must be finite, and writes s.Y, including its
	// padding. It returns the state after the last step of each sequence. The
	// returned views stay valid until the next Forward, which may take them as First.
	Forward(p *Packed[T], s Sequences[T]) State[T]

	// Backward takes the gradient dy with respect to s.Y, which is zero in the
	// padding. It adds the gradients of the parameters to dw, and the gradient with
	// respect to s.X to dx unless dx has no Data. p and s must be those of the
	// preceding Forward, whose record Backward overwrites.
	Backward(p *Packed[T], s Sequences[T], dy Steps[T], dw Weights[T], dx Steps[T])
}

// base holds what the three cells have in common.
type base[T Float] struct {
	hidden  int
	reverse bool
	parts   []int // numbers of rows of the blocks of R that are multiplied separately

	time, batch int
	lengths     Lengths
	fromZero    bool // the initial state is all zeros
	projected   int  // number of steps, in processing order, already multiplied by Wᵀ
	gates       []T  // [time, batch, gates*hidden]: pre-activations, activations, then gradients
	picked      []T  // [rows of X, gates*hidden]: their products with Wᵀ, then the gradients
	table       []T  // these products, in picked or in Packed
	hn          []T  // [batch, hidden]: the final state of sequences of different lengths
	dh          []T  // [batch, hidden]
	db          []T  // [gates*hidden]
}

func (c *base[T]) Pack(p *Packed[T], w Weights[T]) {
	W, R := c.matrices(w)
	p.inputs, p.table = W.Cols, p.table[:0]
	p.wT.PackT(W)
	for i, part := range c.partsOf(R) {
		p.rT[i].PackT(part)
	}
	rows := W.Rows
	kernels.Grow(&p.bias, rows)
	copy(p.bias, w.B)
	kernels.AddScaled(p.bias[:c.parts[0]], 1, w.B[rows:])
	kernels.Grow(&p.apart, rows-c.parts[0])
	copy(p.apart, w.B[rows+c.parts[0]:])
}

func (c *base[T]) PackBackward(p *Packed[T], w Weights[T]) {
	W, R := c.matrices(w)
	p.w.Pack(W)
	for i, part := range c.partsOf(R) {
		p.r[i].Pack(part)
	}
}

// matrices returns the weights W and R of w as matrices.
func (c *base[T]) matrices(w Weights[T]) (W, R kernels.Matrix[T]) {
	rows := len(w.R) / c.hidden
	return kernels.Dense(rows, len(w.W)/rows, w.W), kernels.Dense(rows, c.hidden, w.R)
}

// partsOf yields the blocks of R with their indices.
func (c *base[T]) partsOf(R kernels.Matrix[T]) iter.Seq2[int, kernels.Matrix[T]] {
	return func(yield func(int, kernels.Matrix[T]) bool) {
		first := 0
		for i, n := range c.parts {
			if !yield(i, R.RowRange(first, first+n)) {
				return
			}
			first += n
		}
	}
}

// start resizes the buffers for s and returns the one for the pre-activations.
func (c *base[T]) start(p *Packed[T], s Sequences[T]) Steps[T] {
	c.time, c.batch, c.lengths, c.projected = s.Y.Time, s.Y.Batch, s.Lengths, 0
	c.fromZero = s.First.H.IsZero()
	if c.table = p.table; s.Pick != nil && len(c.table) == 0 {
		kernels.Grow(&c.picked, s.X.Batch*len(p.bias))
		c.table = c.picked
		kernels.Mul(kernels.Dense(s.X.Batch, len(p.bias), c.table), kernels.Repeat(p.bias, s.X.Batch), s.X.At(0), &p.wT)
	}
	c.fillPadding(s.Y, s.First.H)
	return c.padded(&c.gates, len(p.bias))
}

// padded resizes buf and returns it as [time, batch, width]. It leaves a gap after
// rows whose width is a multiple of 256. Without it, the elements of a column, which
// the products for dW and dR read, would compete for the same few cache sets.
func (c *base[T]) padded(buf *[]T, width int) Steps[T] {
	stride := width
	if width%256 == 0 {
		stride += 16
	}
	kernels.Grow(buf, c.time*c.batch*stride)
	return Steps[T]{Time: c.time, Batch: c.batch, Width: width, StepStride: c.batch * stride, RowStride: stride, Data: *buf}
}

// chunkRows is the number of rows of x that are multiplied by Wᵀ at a time: enough
// to amortize reading W, and few enough to stay in the cache until their steps come.
const chunkRows = 128

// project sets the pre-activations of the i-th step to x Wᵀ + bias. It computes a
// chunk of steps at a time.
func (c *base[T]) project(i int, p *Packed[T], s *Sequences[T], gates *Steps[T]) {
	if s.Pick != nil {
		t, _ := c.step(i)
		kernels.PickRows(gates.At(t), kernels.Dense(s.X.Batch, len(p.bias), c.table), s.Pick[t*c.batch:])
		return
	}
	if i < c.projected {
		return
	}
	from, to := i, min(i+max(1, chunkRows/max(1, c.batch)), c.time)
	c.projected = to
	if c.reverse {
		from, to = c.time-to, c.time-from
	}
	if c.lengths != nil && 2*c.lengths[from] < c.batch { // most rows are padding
		for t := from; t < to; t++ {
			rows := c.lengths[t]
			kernels.Mul(gates.Top(t, rows), kernels.Repeat(p.bias, rows), s.X.Top(t, rows), &p.wT)
		}
		return
	}
	sums := gates.Flat(from, to)
	kernels.Mul(sums, kernels.Repeat(p.bias, sums.Rows), s.X.Flat(from, to), &p.wT)
}

// mulState sets dst to init + h b, where h is the state before the i-th step. It skips
// the product with an initial state of zeros, so that an infinity or NaN in b shows
// only from the second step on.
func (c *base[T]) mulState(i int, dst, init, h kernels.Matrix[T], b *kernels.Packed[T]) {
	if i == 0 && c.fromZero {
		kernels.Copy(dst, init)
		return
	}
	kernels.Mul(dst, init, h, b)
}

// fillPadding sets the padding of y, the outputs or the cell states, to zeros. For a
// reverse direction it also copies the initial state of a sequence that begins at step
// t to step t+1, where the cell finds the previous state of all other sequences.
func (c *base[T]) fillPadding(y Steps[T], first kernels.Matrix[T]) {
	c.clearPadding(y)
	if !c.reverse || c.lengths == nil {
		return
	}
	for t := range c.time - 1 {
		kernels.Copy(y.At(t+1).RowRange(c.lengths[t+1], c.lengths[t]), first.RowRange(c.lengths[t+1], c.lengths[t]))
	}
}

// step returns the time of the i-th step in processing order, and its number of rows.
func (c *base[T]) step(i int) (t, rows int) {
	if c.reverse {
		i = c.time - 1 - i
	}
	return i, c.lengths.rows(i, c.batch)
}

// before returns the state before the i-th step in processing order. y holds the
// states after every step.
func (c *base[T]) before(i int, y *Steps[T], first kernels.Matrix[T]) kernels.Matrix[T] {
	_, rows := c.step(i)
	if i == 0 {
		return first.RowRange(0, rows)
	}
	t, _ := c.step(i - 1)
	return y.Top(t, rows)
}

// last returns the state after the last step of each sequence. y holds the states
// after every step. If the lengths differ, last gathers the states in buf.
func (c *base[T]) last(y Steps[T], first kernels.Matrix[T], buf *[]T) kernels.Matrix[T] {
	if c.time == 0 {
		return first
	}
	if c.lengths == nil {
		t, _ := c.step(c.time - 1)
		return y.At(t)
	}
	kernels.Grow(buf, c.batch*c.hidden)
	state := kernels.Dense(c.batch, c.hidden, *buf)
	kernels.Copy(state, first)
	for i := range c.time {
		t, rows := c.step(i)
		kernels.Copy(state.RowRange(0, rows), y.Top(t, rows))
	}
	return state
}

// clearPadding zeroes the rows of s after the ends of the sequences.
func (c *base[T]) clearPadding(s Steps[T]) {
	if c.lengths == nil {
		return
	}
	for t, rows := range c.lengths {
		s.At(t).RowRange(rows, c.batch).Zero()
	}
}

// finish adds the gradients that are products over all steps: those of W, of x, and
// of the biases that are part of Packed.bias. sums holds the gradients of the
// pre-activations.
func (c *base[T]) finish(p *Packed[T], s Sequences[T], sums Steps[T], dw Weights[T], dx Steps[T]) {
	all := sums.Flat(0, c.time)
	if s.Pick != nil {
		// Add up the gradients of the steps that picked the same row.
		picked := zeroed(&c.picked, s.X.Batch, all.Cols)
		kernels.AddRows(picked, all, s.Pick)
		all = picked
	}
	kernels.MulTN(kernels.Dense(all.Cols, p.inputs, dw.W), all, s.X.Flat(0, s.X.Time))
	n := all.Cols
	db := zeroed(&c.db, 1, n).Data
	kernels.SumRows(db, all)
	kernels.AddScaled(dw.B[:n], 1, db)
	kernels.AddScaled(dw.B[n:][:c.parts[0]], 1, db)
	if dx.Data != nil {
		to := dx.Flat(0, dx.Time)
		kernels.Mul(to, to, all, &p.w)
	}
}

// finishR adds the gradient of a block of recurrent weights to dR. sums holds the
// gradients of its pre-activations.
func (c *base[T]) finishR(sums Steps[T], s Sequences[T], dR kernels.Matrix[T]) {
	last := c.time - 1
	if begin, _ := c.step(0); !c.fromZero {
		kernels.MulTN(dR, sums.At(begin), s.First.H)
	}
	if c.reverse {
		kernels.MulTN(dR, sums.Flat(0, last), s.Y.Flat(1, c.time))
	} else {
		kernels.MulTN(dR, sums.Flat(1, c.time), s.Y.Flat(0, last))
	}
}

// zeroed resizes buf and returns it as a matrix of zeros.
func zeroed[T Float](buf *[]T, rows, cols int) kernels.Matrix[T] {
	kernels.Grow(buf, rows*cols)
	clear(*buf)
	return kernels.Dense(rows, cols, *buf)
}
