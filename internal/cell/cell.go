// Package cell runs the recurrent layers RNN, LSTM and GRU over batches of
// sequences, forward and backward, one direction at a time. The equations are
// those of the ONNX operators with their default activations.
//
// All sequences are time-major, so that a step is a matrix of one row for each
// member of the batch.
package cell

import (
	"iter"

	"github.com/rnnkit/rnnkit/internal/kernels"
)

// Float is the constraint of what cells compute with.
type Float = kernels.Float

// Steps is a view of a sequence of matrices [time, batch, width]. Step t
// starts at Data[t*StepStride], its row b at b*RowStride from there.
type Steps[T Float] struct {
	Time, Batch, Width    int
	StepStride, RowStride int
	Data                  []T
}

// Lengths says, of sequences that end at different steps, how many rows step t
// has: they must lie in order of length, the longest first, so that these are
// the first Lengths[t]. The others are padding. It is nil where all sequences
// last to the end.
type Lengths []int

// rows returns how many of batch rows step t has.
func (l Lengths) rows(t, batch int) int {
	if l == nil {
		return batch
	}
	return l[t]
}

// Dense returns a view of data as [time, batch, width] without gaps.
func Dense[T Float](time, batch, width int, data []T) Steps[T] {
	return Steps[T]{Time: time, Batch: batch, Width: width, StepStride: batch * width, RowStride: width, Data: data[:time*batch*width]}
}

// At returns step t as a matrix [batch, width].
func (s *Steps[T]) At(t int) kernels.Matrix[T] { return s.Top(t, s.Batch) }

// Top returns the first n rows of step t.
func (s *Steps[T]) Top(t, n int) kernels.Matrix[T] {
	return kernels.Matrix[T]{Rows: n, Cols: s.Width, Stride: s.RowStride, Data: s.Data[min(t*s.StepStride, len(s.Data)):]}
}

// Cols returns a view of the columns from i to j of every step, without j.
func (s Steps[T]) Cols(i, j int) Steps[T] {
	s.Width, s.Data = j-i, s.Data[min(i, len(s.Data)):]
	return s
}

// Range returns a view of the steps from i to j, without j.
func (s Steps[T]) Range(i, j int) Steps[T] {
	s.Time, s.Data = j-i, s.Data[min(i*s.StepStride, len(s.Data)):]
	return s
}

// Flat returns the steps from i to j, without j, as one matrix [(j-i)*batch,
// width]. It takes steps that follow each other without a gap.
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

// Packed is the Weights of a direction laid out for the products of a Cell, any
// number of which may share it.
type Packed[T Float] struct {
	bias   []T // [gates*hidden]: what is added to the sums of every step
	apart  []T // the biases of R that are not in bias
	wT, w  kernels.Packed[T]
	rT, r  [2]kernels.Packed[T] // of each of base.parts
	table  []T                  // of Tabulate; empty without
	inputs int
}

// Tabulate keeps what each row of x adds to the sums, so that a Forward that
// picks rows of x, until the next Pack, need not find it again.
func (p *Packed[T]) Tabulate(x kernels.Matrix[T]) {
	kernels.Grow(&p.table, x.Rows*len(p.bias))
	kernels.Mul(kernels.Dense(x.Rows, len(p.bias), p.table), kernels.Repeat(p.bias, x.Rows), x, &p.wT)
}

// Forget undoes Tabulate.
func (p *Packed[T]) Forget() { p.table = nil }

// State is what a direction carries from step to step, each [batch, hidden].
// Only an LSTM has C.
type State[T Float] struct{ H, C kernels.Matrix[T] }

// Sequences is what a Cell reads and where it writes.
type Sequences[T Float] struct {
	X, Y    Steps[T] // [time, batch, inputs] and [time, batch, hidden]
	Pick    []int    // [time, batch]: if not nil, which row of X's only step is read
	Lengths Lengths
	First   State[T] // before each sequence's first step
}

// Cell is one direction of a recurrent layer. It keeps what Backward needs of
// the last Forward, in buffers that grow and are then reused, so a Cell serves
// one goroutine at a time.
type Cell[T Float] interface {
	// Pack sets what Forward needs of p to w, and PackBackward what Backward needs
	// besides. They do not see a change to w after it.
	Pack(p *Packed[T], w Weights[T])
	PackBackward(p *Packed[T], w Weights[T])

	// Forward reads s.X, whose padding must be finite, and writes s.Y, whose
	// padding it uses. It returns the state after each sequence's last step,
	// as views that hold until the next Forward, whose First they may be.
	Forward(p *Packed[T], s Sequences[T]) State[T]

	// Backward takes the gradient dy of s.Y, with zeros in the padding, and
	// adds those of the parameters to dw and that of s.X to dx, which is
	// skipped if it has no Data. The other arguments are those of the Forward
	// before it, whose record it uses up.
	Backward(p *Packed[T], s Sequences[T], dy Steps[T], dw Weights[T], dx Steps[T])
}

// base is what the three cells have in common.
type base[T Float] struct {
	hidden  int
	reverse bool
	parts   []int // rows of the blocks of R whose products with h are kept apart

	time, batch int
	lengths     Lengths
	fromZero    bool // the state before the first step is all zeros
	projected   int  // steps, in the order that the cell takes them, whose x is in the sums
	gates       []T  // [time, batch, gates*hidden]: sums, activations, then gradients
	picked      []T  // [rows of X, gates*hidden]: their part of the sums, then its gradient
	table       []T  // that part, here or in Packed
	hn          []T  // [batch, hidden]: the state after sequences of different lengths
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

// matrices returns W and R of w.
func (c *base[T]) matrices(w Weights[T]) (W, R kernels.Matrix[T]) {
	rows := len(w.R) / c.hidden
	return kernels.Dense(rows, len(w.W)/rows, w.W), kernels.Dense(rows, c.hidden, w.R)
}

// partsOf yields the blocks of R, by number.
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

// start sizes the buffers for s and returns those of the gates' sums.
func (c *base[T]) start(p *Packed[T], s Sequences[T]) Steps[T] {
	c.time, c.batch, c.lengths, c.projected = s.Y.Time, s.Y.Batch, s.Lengths, 0
	c.fromZero = s.First.H.IsZero()
	if c.table = p.table; s.Pick != nil && len(c.table) == 0 {
		kernels.Grow(&c.picked, s.X.Batch*len(p.bias))
		c.table = c.picked
		kernels.Mul(kernels.Dense(s.X.Batch, len(p.bias), c.table), kernels.Repeat(p.bias, s.X.Batch), s.X.At(0), &p.wT)
	}
	c.seed(s.Y, s.First.H)
	return c.padded(&c.gates, len(p.bias))
}

// padded returns buf, grown where needed, as [time, batch, width]. Rows whose
// length is a multiple of some power of 2 get a gap after them: their columns,
// which the products for dW and dR read, would share few places in the caches.
func (c *base[T]) padded(buf *[]T, width int) Steps[T] {
	stride := width
	if width%256 == 0 {
		stride += 16
	}
	kernels.Grow(buf, c.time*c.batch*stride)
	return Steps[T]{Time: c.time, Batch: c.batch, Width: width, StepStride: c.batch * stride, RowStride: stride, Data: *buf}
}

// chunkRows is how many rows of x are multiplied by Wᵀ in one go: enough to
// make up for reading W, few enough to be in the cache when their steps come.
const chunkRows = 128

// project sets the sums of the i-th step to x Wᵀ + bias, together with those of
// some steps after it.
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

// recur sets dst to init + h b, with h the state before the i-th step. Most
// sequences begin with zeros, whose product is not computed: an infinity or NaN in b
// then shows from the second step on.
func (c *base[T]) recur(i int, dst, init, h kernels.Matrix[T], b *kernels.Packed[T]) {
	if i == 0 && c.fromZero {
		kernels.Copy(dst, init)
		return
	}
	kernels.Mul(dst, init, h, b)
}

// seed fills the padding of y, or the like: with zeros, and for a reverse
// direction with first where a sequence begins. One that begins at step t then
// finds its state before that where the others do, in step t+1.
func (c *base[T]) seed(y Steps[T], first kernels.Matrix[T]) {
	c.clearPadding(y)
	if !c.reverse || c.lengths == nil {
		return
	}
	for t := range c.time - 1 {
		kernels.Copy(y.At(t+1).RowRange(c.lengths[t+1], c.lengths[t]), first.RowRange(c.lengths[t+1], c.lengths[t]))
	}
}

// step returns the time of the i-th step that the cell takes, and the number of
// its rows.
func (c *base[T]) step(i int) (t, rows int) {
	if c.reverse {
		i = c.time - 1 - i
	}
	return i, c.lengths.rows(i, c.batch)
}

// before returns the state, of y or the like, before the i-th step that the
// cell takes.
func (c *base[T]) before(i int, y *Steps[T], first kernels.Matrix[T]) kernels.Matrix[T] {
	_, rows := c.step(i)
	if i == 0 {
		return first.RowRange(0, rows)
	}
	t, _ := c.step(i - 1)
	return y.Top(t, rows)
}

// last returns the state, of y or the like, after each sequence's last step,
// which for sequences of different lengths it gathers in buf.
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

// clearPadding zeroes the rows of s beyond the sequences' ends.
func (c *base[T]) clearPadding(s Steps[T]) {
	if c.lengths == nil {
		return
	}
	for t, rows := range c.lengths {
		s.At(t).RowRange(rows, c.batch).Zero()
	}
}

// finish adds the gradients that are products over all steps: with sums the
// gradients of the gates' sums, those of W, of x, and of the biases that are
// added to the sums.
func (c *base[T]) finish(p *Packed[T], s Sequences[T], sums Steps[T], dw Weights[T], dx Steps[T]) {
	all := sums.Flat(0, c.time)
	if s.Pick != nil {
		// Rows of the same input count together.
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

// finishR adds to dR the gradients of a block of recurrent weights, given those of
// its sums.
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

// zeroed returns buf, grown where needed, as a matrix of zeros.
func zeroed[T Float](buf *[]T, rows, cols int) kernels.Matrix[T] {
	kernels.Grow(buf, rows*cols)
	clear(*buf)
	return kernels.Dense(rows, cols, *buf)
}
