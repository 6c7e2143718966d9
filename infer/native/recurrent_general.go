package native

import (
	"fmt"
	"slices"

	"github.com/rnnkit/rnnkit/internal/cell"
	"github.com/rnnkit/rnnkit/internal/kernels"
)

// general computes one direction of an RNN, GRU or LSTM in all the forms that
// ONNX has, by the equations on the operators' pages, in the memory of a step.
// What package cell has, it does faster. It computes in float64: where a gate is
// 1 minus another, float32 loses too much.
type general[T cell.Float] struct {
	hidden            int
	reverse           bool
	activations       []func(float64) float64 // f, g, h of the pages
	clip              float64                 // of the gates' sums; +Inf for none
	inputForget       bool
	linearBeforeReset bool
	step              stepFunc[T]

	constant, isPacked bool // whether the weights are constant, and in w and r
	weightBytes        int  // what they take where they are not constant
	wide               []float64
	w                  kernels.Packed[float64]
	r                  [2]kernels.Packed[float64] // of all gates, or of a GRU's z and r, and h
}

// runGeneral runs a layer of any form.
func (op *recurrent[T]) runGeneral(lengths []int32) error {
	time, batch, inputs := op.chunk()
	rows, hidden := op.gates*op.hidden, op.hidden
	work, ok := product(batch, inputs+rows+3*hidden)
	if !ok {
		return fmt.Errorf("%d steps of %d rows are too many", time, batch)
	}
	if err := op.work.resizeTo(work + 2*rows); err != nil {
		return err
	}
	x, err := op.stepsOfX(false)
	if err != nil {
		return err
	}
	op.active = slices.Grow(op.active[:0], batch)
	defer func() { op.workspace = workspace[T]{} }() // which has slices of the caller
	for d := range op.directions {
		op.workspace = op.workspaceOf(d, x, lengths)
		if err := op.runDirection(d); err != nil {
			return err
		}
	}
	return nil
}

// workspaceOf returns the workspace of direction d, in the memory of op.work.
func (op *recurrent[T]) workspaceOf(d int, x cell.Steps[T], lengths []int32) workspace[T] {
	_, batch, inputs := op.chunk()
	rows, rest := op.gates*op.hidden, op.work.data
	matrix := func(rows, cols int) kernels.Matrix[float64] {
		m := kernels.Dense(rows, cols, rest)
		rest = rest[rows*cols:]
		return m
	}
	s := workspace[T]{
		x: x, y: op.stepsOfY(d), lengths: lengths, weights: op.weights(d),
		h: matrix(batch, op.hidden), c: matrix(batch, op.hidden),
		input: matrix(batch, inputs), gates: matrix(batch, rows), scratch: matrix(batch, op.hidden),
		bias: matrix(1, 2*rows).Data, active: op.active,
	}
	if op.p != nil {
		s.p = op.of(op.p, d)
	}
	return s
}

// runDirection runs direction d in op.workspace.
func (op *recurrent[T]) runDirection(d int) error {
	s, g := &op.workspace, &op.directions[d]
	copyAs(s.h, op.state(op.h0, d))
	copyAs(s.c, op.state(op.c0, d))
	g.hidden, g.constant = op.hidden, op.constant()
	if err := g.run(op.memory, s); err != nil {
		return err
	}
	copyAs(op.state(op.hn, d), s.h)
	if op.cn != nil {
		copyAs(op.state(op.cn, d), s.c)
	}
	return nil
}

// workspace is what a direction reads, where it writes and what it works with.
type workspace[T cell.Float] struct {
	x, y    cell.Steps[T] // y has no Data where it is left out
	lengths []int32       // [batch]; nil where all sequences last to the end
	weights cell.Weights[T]
	p       []T                     // [3*hidden], gates i, o, f; nil for none
	h, c    kernels.Matrix[float64] // [batch, hidden]: the first state, then the last

	input   kernels.Matrix[float64] // [batch, inputs]: x of one step
	gates   kernels.Matrix[float64] // [batch, gates*hidden]: the sums of one step
	scratch kernels.Matrix[float64] // [batch, hidden]
	bias    []float64               // [2*gates*hidden]: of W plus R where they are added first, and of R
	active  []int                   // the rows that take part in a step
}

// stepFunc computes one step of the rows in s.active. It finds in s.gates the sums of x
// and the biases.
type stepFunc[T cell.Float] func(g *general[T], s *workspace[T])

// run goes through the steps in the order of time, or against it. In both, a row
// takes part in those before its length. A row of length 0 has the last state 0,
// and y has 0 after a row's end, as in ONNX Runtime. Where x has no steps at all
// the last state is the first.
func (g *general[T]) run(m *memory, s *workspace[T]) error {
	if err := g.packWeights(m, s); err != nil {
		return err
	}
	g.addBiases(s)
	for i := range s.x.Time {
		if err := m.ctx.Err(); err != nil {
			return err
		}
		t := i
		if g.reverse {
			t = s.x.Time - 1 - i
		}
		g.runStep(t, s)
	}
	for b := range s.x.Batch {
		if s.lengths != nil && s.lengths[b] == 0 {
			clear(s.h.Row(b))
			clear(s.c.Row(b))
		}
	}
	return nil
}

// runStep computes step t.
func (g *general[T]) runStep(t int, s *workspace[T]) {
	s.active = s.active[:0]
	for b := range s.x.Batch {
		if s.lengths == nil || t < int(s.lengths[b]) {
			s.active = append(s.active, b)
		}
	}
	copyAs(s.input, s.x.At(t))
	kernels.Mul(s.gates, kernels.Repeat(s.bias[:s.gates.Cols], s.gates.Rows), s.input, &g.w)
	g.step(g, s)
	if s.y.Data == nil {
		return
	}
	y := s.y.At(t)
	y.Zero()
	for _, b := range s.active {
		kernels.Convert(y.Row(b), s.h.Row(b))
	}
}

// packWeights packs the weights for the products, once if they are constant.
func (g *general[T]) packWeights(m *memory, s *workspace[T]) error {
	if g.isPacked {
		return nil
	}
	g.isPacked = g.constant
	rows, first := s.gates.Cols, s.gates.Cols
	if !g.constant {
		n := weightsInPanels(rows, s.x.Width, g.hidden) + rows*max(s.x.Width, g.hidden)
		if err := m.reserveMore(&g.weightBytes, n, size[float64]()); err != nil {
			return fmt.Errorf("weights for hidden_size %d are too many: %w", g.hidden, err)
		}
	}
	if rows == 3*g.hidden {
		first = 2 * g.hidden
	}
	g.w.PackT(g.widened(rows, s.x.Width, s.weights.W))
	r := g.widened(rows, g.hidden, s.weights.R)
	g.r[0].PackT(r.RowRange(0, first))
	g.r[1].PackT(r.RowRange(first, rows))
	return nil
}

// widened returns x as a matrix of float64, until the next call.
func (g *general[T]) widened(rows, cols int, x []T) kernels.Matrix[float64] {
	kernels.Grow(&g.wide, rows*cols)
	kernels.Convert(g.wide, x)
	return kernels.Dense(rows, cols, g.wide)
}

// copyAs sets dst to src, of the same size, in the type of dst.
func copyAs[D, S cell.Float](dst kernels.Matrix[D], src kernels.Matrix[S]) {
	for i := range dst.Rows {
		kernels.Convert(dst.Row(i), src.Row(i))
	}
}

// addBiases sets s.bias to the biases of W plus those of R, without those of R
// for the gate h of a GRU that adds them before the reset.
func (g *general[T]) addBiases(s *workspace[T]) {
	kernels.Convert(s.bias, s.weights.B)
	rows := s.gates.Cols
	added := rows
	if g.linearBeforeReset {
		added -= g.hidden
	}
	for i := range added {
		s.bias[i] += s.bias[rows+i]
	}
}

// clipped returns the input of an activation.
func (g *general[T]) clipped(sum float64) float64 { return max(-g.clip, min(sum, g.clip)) }

func stepRNN[T cell.Float](g *general[T], s *workspace[T]) {
	f := g.activations[0]
	kernels.Mul(s.gates, s.gates, s.h, &g.r[0])
	for _, b := range s.active {
		h := s.h.Row(b)
		for j, sum := range s.gates.Row(b) {
			h[j] = f(g.clipped(sum))
		}
	}
}

// stepGRU has gates z, r, h.
func stepGRU[T cell.Float](g *general[T], s *workspace[T]) {
	f, last, n := g.activations[0], g.activations[1], g.hidden
	gates, sums := s.gates.ColRange(0, 2*n), s.gates.ColRange(2*n, 3*n)
	kernels.Mul(gates, gates, s.h, &g.r[0])
	if g.linearBeforeReset { // x Whᵀ + Wbh + r ⊙ (h Rhᵀ + Rbh)
		kernels.Mul(s.scratch, kernels.Repeat(s.bias[5*n:], s.scratch.Rows), s.h, &g.r[1])
		for _, b := range s.active {
			reset, linear, sum := s.gates.Row(b)[n:2*n], s.scratch.Row(b), sums.Row(b)
			for j := range sum {
				sum[j] += f(g.clipped(reset[j])) * linear[j]
			}
		}
	} else { // x Whᵀ + Wbh + (r ⊙ h) Rhᵀ + Rbh
		for _, b := range s.active {
			reset, h, product := s.gates.Row(b)[n:2*n], s.h.Row(b), s.scratch.Row(b)
			for j := range product {
				product[j] = f(g.clipped(reset[j])) * h[j]
			}
		}
		kernels.Mul(sums, sums, s.scratch, &g.r[1])
	}
	for _, b := range s.active {
		update, sum, h := s.gates.Row(b)[:n], sums.Row(b), s.h.Row(b)
		for j := range h {
			z := f(g.clipped(update[j]))
			h[j] = (1-z)*last(g.clipped(sum[j])) + z*h[j]
		}
	}
}

// stepLSTM has gates i, o, f, c. ONNX's page says that the clip is applied to
// the input of activations; as in ONNX Runtime it is to the gates' sums, and
// not to the cell's state, the input of h.
func stepLSTM[T cell.Float](g *general[T], s *workspace[T]) {
	f, cell, last, n := g.activations[0], g.activations[1], g.activations[2], g.hidden
	kernels.Mul(s.gates, s.gates, s.h, &g.r[0])
	for _, b := range s.active {
		sums, h, c := s.gates.Row(b), s.h.Row(b), s.c.Row(b)
		for j := range n {
			before := c[j]
			in := f(g.clipped(sums[j] + s.peephole(j, before)))
			forget := 1 - in
			if !g.inputForget {
				forget = f(g.clipped(sums[2*n+j] + s.peephole(2*n+j, before)))
			}
			after := forget*before + in*cell(g.clipped(sums[3*n+j]))
			out := f(g.clipped(sums[n+j] + s.peephole(n+j, after)))
			h[j], c[j] = out*last(after), after
		}
	}
}

// peephole returns what peephole k adds to a gate's sum.
func (s *workspace[T]) peephole(k int, c float64) float64 {
	if s.p == nil {
		return 0
	}
	return float64(s.p[k]) * c
}
