// Package cell runs the recurrent layers RNN, LSTM and GRU over batches of
// sequences, forward and backward, one direction at a time. The equations are
// those of the ONNX operators with their default activations.
//
// All sequences are time-major, so that a step is a matrix of one row for each
// member of the batch.
package cell

import "github.com/rnnkit/rnnkit/internal/kernels"

// Float is the constraint of what cells compute with.
type Float = kernels.Float

// Steps is a view of a sequence of matrices [time, batch, width]. Step t
// starts at Data[t*StepStride], its row b at b*RowStride from there.
type Steps[T Float] struct {
	Time, Batch, Width    int
	StepStride, RowStride int
	Data                  []T
}

// Dense returns a view of data as [time, batch, width] without gaps.
func Dense[T Float](time, batch, width int, data []T) Steps[T] {
	return Steps[T]{time, batch, width, batch * width, width, data[:time*batch*width]}
}

// At returns step t as a matrix [batch, width].
func (s Steps[T]) At(t int) kernels.Matrix[T] {
	return kernels.Matrix[T]{Rows: s.Batch, Cols: s.Width, Stride: s.RowStride, Data: s.Data[t*s.StepStride:]}
}

// Cols returns a view of the columns from i to j of every step, without j.
func (s Steps[T]) Cols(i, j int) Steps[T] {
	s.Width, s.Data = j-i, s.Data[min(i, len(s.Data)):]
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

func (w Weights[T]) matrices(rows, inputs, hidden int) (W, R kernels.Matrix[T]) {
	return kernels.Dense(rows, inputs, w.W), kernels.Dense(rows, hidden, w.R)
}

// State is what a direction carries from step to step, each [batch, hidden].
// Only an LSTM has C.
type State[T Float] struct{ H, C kernels.Matrix[T] }

// Cell is one direction of a recurrent layer. It keeps what Backward needs of
// the last Forward, in buffers that grow and are then reused, so a Cell serves
// one goroutine at a time.
type Cell[T Float] interface {
	// Forward reads x [time, batch, inputs] from the state first on and
	// writes the outputs y [time, batch, hidden]. It returns the state
	// after the last step, as views of y and of the Cell's own buffers that
	// hold until the next Forward.
	Forward(w Weights[T], x, y Steps[T], first State[T]) State[T]

	// Backward takes the gradient dy of y and adds those of the parameters
	// to dw and that of x to dx, which is skipped if it has no Data. The
	// other arguments are those of the Forward before it, whose record it
	// uses up.
	Backward(w Weights[T], x, y Steps[T], first State[T], dy Steps[T], dw Weights[T], dx Steps[T])
}

// base is what the three cells have in common.
type base[T Float] struct {
	hidden  int
	reverse bool

	time, batch int
	gates       []T // [time, batch, gates*hidden]: sums, activations, then gradients
	bias        []T // [gates*hidden]: what is added to every step's sums
	dh          []T // [batch, hidden]
}

// start sizes the buffers for x and sets the sums of the gates to x Wᵀ + bias,
// the only part of the work that needs no earlier step.
func (c *base[T]) start(W kernels.Matrix[T], x Steps[T]) Steps[T] {
	c.time, c.batch = x.Time, x.Batch
	kernels.Grow(&c.gates, x.Time*x.Batch*W.Rows)
	gates := Dense(x.Time, x.Batch, W.Rows, c.gates)
	all := gates.Flat(0, x.Time)
	kernels.FillRows(all, c.bias)
	kernels.MulNT(all, x.Flat(0, x.Time), W)
	return gates
}

// step returns the time of the i-th step that the cell takes.
func (c *base[T]) step(i int) int {
	if c.reverse {
		return c.time - 1 - i
	}
	return i
}

// finish adds the gradients that are one product over all steps: with sums the
// gradients of the gates' sums, those of W, of x and of the biases of W.
func (c *base[T]) finish(w Weights[T], x Steps[T], sums Steps[T], dw Weights[T], dx Steps[T]) {
	rows := sums.Width
	W, _ := w.matrices(rows, x.Width, c.hidden)
	dW, _ := dw.matrices(rows, x.Width, c.hidden)
	all := sums.Flat(0, c.time)
	kernels.MulTN(dW, all, x.Flat(0, c.time))
	kernels.SumRows(dw.B[:rows], all)
	if dx.Data != nil {
		kernels.MulNN(dx.Flat(0, c.time), all, W)
	}
}

// finishR adds to dR and dB the gradients of a block of recurrent weights and
// biases, given those of its sums.
func (c *base[T]) finishR(sums, y Steps[T], first kernels.Matrix[T], dR kernels.Matrix[T], dB []T) {
	last := c.time - 1
	kernels.SumRows(dB, sums.Flat(0, c.time))
	kernels.MulTN(dR, sums.At(c.step(0)), first)
	if c.reverse {
		kernels.MulTN(dR, sums.Flat(0, last), y.Flat(1, c.time))
	} else {
		kernels.MulTN(dR, sums.Flat(1, c.time), y.Flat(0, last))
	}
}

// zeroed returns buf, grown where needed, as a matrix of zeros.
func zeroed[T Float](buf *[]T, rows, cols int) kernels.Matrix[T] {
	kernels.Grow(buf, rows*cols)
	clear(*buf)
	return kernels.Dense(rows, cols, *buf)
}
