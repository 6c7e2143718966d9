package native

import (
	"slices"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// fuser lets nodes of a program do the work of nodes around them.
type fuser struct {
	*program
	writers []int     // of each slot, the node; -1 for none
	readers []readers // of each slot
	gone    []bool    // the nodes whose work others do
}

// readers is how many nodes and outputs of the graph read a slot, and the last node.
type readers struct{ count, last int }

// fuse returns p with nodes fused: a recurrent node with Transposes around it and the
// embedding that it reads, a product with the bias that is added to it.
func fuse(p *program) *program {
	f := newFuser(p)
	for i := range f.nodes {
		in := &f.nodes[i]
		in.graphs = mapGraphs(in.graphs, fuse)
		switch {
		case in.Is(onnxgraph.Recurrent):
			in.cloneSlots()
			f.fuseTransposes(i)
			f.fuseEmbedding(in)
			f.dropUnreadY(in)
		case in.IsOp("MatMul"):
			f.fuseBias(in)
		}
	}
	kept := f.nodes[:0]
	for i, in := range f.nodes {
		if !f.gone[i] {
			kept = append(kept, in)
		}
	}
	f.nodes = kept
	return f.program
}

// newFuser returns one that works on a copy of p.
func newFuser(p *program) *fuser {
	fused := *p
	fused.nodes, fused.constants = slices.Clone(p.nodes), slices.Clone(p.constants)
	slots := len(p.constants)
	f := &fuser{&fused, slices.Repeat([]int{-1}, slots), make([]readers, slots), make([]bool, len(p.nodes))}
	for i, in := range f.nodes {
		for _, slot := range in.outputs {
			if slot >= 0 {
				f.writers[slot] = i
			}
		}
		for _, slot := range in.reads {
			f.readers[slot] = readers{f.readers[slot].count + 1, i}
		}
	}
	for _, slot := range f.outputSlots {
		f.readers[slot].count += 2 // so that no node is the only reader
	}
	return f
}

// cloneSlots gives in slices of its own, to change them.
func (in *instruction) cloneSlots() {
	in.inputs, in.outputs, in.reads = slices.Clone(in.inputs), slices.Clone(in.outputs), slices.Clone(in.reads)
}

// onlyReader returns the node that alone reads the first of those outputs.
func (f *fuser) onlyReader(outputs []int) (int, bool) {
	if len(outputs) == 0 || outputs[0] < 0 || f.readers[outputs[0]].count != 1 {
		return 0, false
	}
	return f.readers[outputs[0]].last, true
}

// fuseTransposes lets a recurrent node read and write what Transposes around it would
// copy: what PyTorch and Keras export for layers with the batch first.
func (f *fuser) fuseTransposes(i int) {
	in := &f.nodes[i]
	if w := f.writers[in.inputs[0]]; w >= 0 {
		if perm := transposition(&f.nodes[w], 3); perm != nil {
			in.fused.transposeX, in.inputs[0] = perm, f.nodes[w].inputs[0]
			in.reads[0] = in.inputs[0]
		}
	}
	if next, ok := f.onlyReader(in.outputs); ok {
		f.fuseBehind(in, next)
	}
}

// fuseBehind fuses a recurrent node with what reads Y: a Transpose, or a Squeeze of the
// direction and then a Transpose.
func (f *fuser) fuseBehind(in *instruction, next int) {
	after := &f.nodes[next]
	if perm := transposition(after, 4); perm != nil {
		in.fused.transposeY, in.outputs[0] = perm, after.outputs[0]
		f.gone[next] = true
		return
	}
	last, ok := f.onlyReader(after.outputs)
	if !ok || !after.IsOp("Squeeze") || !f.squeezes(after, 1) {
		return
	}
	if perm := transposition(&f.nodes[last], 3); perm == nil || perm[0] != 1 || in.Int("layout", 0) != 0 { // Y has the batch first already
		return
	}
	// [time, direction, batch, hidden] becomes [batch, time, direction, hidden].
	in.fused.transposeY = []int{2, 0, 1, 3}
	f.squeeze(after, 2, f.nodes[last].outputs)
	f.writers[after.outputs[0]] = next
	f.gone[last] = true
}

// transposition returns the perm of a Transpose of so many dimensions that leaves the
// last where it is, nil for any other node.
func transposition(in *instruction, rank int) []int {
	list := in.Ints("perm")
	if !in.IsOp("Transpose") || len(in.Attributes) != 1 || len(list) != rank || list[rank-1] != int64(rank-1) {
		return nil
	}
	axes := make([]int, rank)
	for i, k := range list {
		if k < 0 || k >= int64(rank) || slices.Index(list, k) != i {
			return nil
		}
		axes[i] = int(k)
	}
	return axes
}

// squeezes reports whether a Squeeze is known to drop that axis alone.
func (f *fuser) squeezes(in *instruction, axis int64) bool {
	if f.opset < 13 {
		return slices.Equal(in.Ints("axes"), []int64{axis})
	}
	if len(in.inputs) < 2 || in.inputs[1] < 0 {
		return false
	}
	axes, ok := f.constants[in.inputs[1]].(*array[int64])
	return ok && slices.Equal(axes.data, []int64{axis})
}

// squeeze makes a Squeeze drop that axis and write those outputs.
func (f *fuser) squeeze(in *instruction, axis int64, outputs []int) {
	node := *in.Node
	in.Node, in.outputs = &node, outputs
	if f.opset < 13 {
		node.Attributes = []onnxgraph.Attribute{{Name: "axes", Value: []int64{axis}}}
		return
	}
	slot := len(f.constants)
	f.constants = append(f.constants, constantOf([]int{1}, []int64{axis}))
	in.inputs = []int{in.inputs[0], slot}
	in.reads = slices.Clone(in.inputs)
}

// fuseEmbedding gives a recurrent node the embedding whose rows are its X.
func (f *fuser) fuseEmbedding(in *instruction) {
	w := f.writers[in.inputs[onnxgraph.RecurrentX]]
	if w < 0 || !f.nodes[w].IsOp("Gather") || f.nodes[w].Int("axis", 0) != 0 {
		return
	}
	gather := &f.nodes[w]
	if table := f.constants[gather.inputs[0]]; table == nil || len(table.info().shape) != 2 {
		return
	}
	in.fused.embedding = &embedding{gather.inputs[0], gather.inputs[1]}
	in.reads = append(in.reads, gather.inputs[1])
}

// dropUnreadY leaves out the output Y of a recurrent node, which is as long as the
// time, where nothing reads it.
func (f *fuser) dropUnreadY(in *instruction) {
	if len(in.outputs) > 0 && in.outputs[0] >= 0 && f.readers[in.outputs[0]].count == 0 {
		in.outputs[0] = -1
	}
}

// fuseBias lets a product begin its sums with a constant vector that an Add would add
// to all its rows: a dense layer.
func (f *fuser) fuseBias(in *instruction) {
	next, ok := f.onlyReader(in.outputs)
	if !ok || !f.nodes[next].IsOp("Add") {
		return
	}
	add := &f.nodes[next]
	bias := add.inputs[0]
	if bias == in.outputs[0] {
		bias = add.inputs[1]
	}
	if !isBias(f.constants[bias], f.constants[in.inputs[1]]) {
		return
	}
	in.inputs, in.outputs = append(slices.Clone(in.inputs), bias), add.outputs
	f.gone[next] = true
}

// isBias reports whether b is a constant vector of floats, one for each column of the
// constant matrix weights.
func isBias(b, weights value) bool {
	if weights == nil || b == nil || weights.typ() != b.typ() || !slices.Contains([]tensor.Type{tensor.Float16, tensor.Float32, tensor.Float64}, b.typ()) {
		return false
	}
	shape := weights.info().shape
	return len(shape) == 2 && slices.Equal(b.info().shape, shape[1:])
}
