package native

import (
	"slices"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// absorb lets nodes do the work of nodes around them.
func (p *program) absorb() {
	g := p.uses()
	var gone []int
	for i := range p.nodes {
		switch n := &p.nodes[i]; n.OpType {
		case "LSTM", "GRU", "RNN":
			gone = append(gone, p.absorbTransposes(n, g)...)
			p.absorbEmbedding(n, g)
			if len(n.outputs) > 0 && len(g.readers[n.outputs[0]]) == 0 {
				n.outputs[0] = -1 // Y is as long as the time
			}
		case "MatMul":
			gone = append(gone, p.absorbBias(n, g)...)
		}
	}
	slices.Sort(gone)
	kept := p.nodes[:0]
	for i, n := range p.nodes {
		if _, ok := slices.BinarySearch(gone, i); !ok {
			kept = append(kept, n)
		}
	}
	p.nodes = kept
}

// absorbTransposes lets a recurrent node read and write what Transposes around it
// would copy: what PyTorch and Keras export for layers with the batch first. It
// returns the nodes that are gone.
func (p *program) absorbTransposes(n *planned, g uses) []int {
	if w, ok := g.writers[n.inputs[0]]; ok {
		if perm := transposition(&p.nodes[w], 3); perm != nil {
			n.permX, n.inputs[0] = perm, p.nodes[w].inputs[0]
			n.reads[0] = n.inputs[0]
		}
	}
	if next, ok := g.onlyReader(n.outputs); ok {
		return p.absorbBehind(n, next, g)
	}
	return nil
}

// embedding is what a recurrent node reads: rows of a constant table, by number.
type embedding struct{ table, tokens int }

// absorbEmbedding tells a recurrent node of an embedding that is its X.
func (p *program) absorbEmbedding(n *planned, g uses) {
	w, ok := g.writers[n.inputs[0]]
	if !ok || p.nodes[w].OpType != "Gather" {
		return
	}
	gather := &p.nodes[w]
	table := p.constants[gather.inputs[0]]
	if axis, ok := gather.Attribute("axis"); ok && axis != int64(0) || table == nil || len(table.info().shape) != 2 {
		return
	}
	n.embedding = &embedding{gather.inputs[0], gather.inputs[1]}
	n.reads = append(n.reads, n.embedding.tokens)
}

// absorbBias lets a product begin its sums with a constant vector that an Add
// would add to all its rows: a dense layer.
func (p *program) absorbBias(n *planned, g uses) []int {
	next, ok := g.onlyReader(n.outputs)
	if !ok || p.nodes[next].OpType != "Add" {
		return nil
	}
	add := &p.nodes[next]
	if len(add.Attributes) > 0 { // which it must not have
		return nil
	}
	bias := add.inputs[0]
	if bias == n.outputs[0] {
		bias = add.inputs[1]
	}
	weights, b := p.constants[n.inputs[1]], p.constants[bias]
	if weights == nil || b == nil || weights.typ() != b.typ() || !slices.Contains([]tensor.Type{tensor.Float16, tensor.Float32, tensor.Float64}, b.typ()) {
		return nil
	}
	if shape := weights.info().shape; len(shape) != 2 || !slices.Equal(b.info().shape, shape[1:]) {
		return nil
	}
	n.inputs, n.outputs = append(n.inputs, bias), add.outputs
	return []int{next}
}

// uses says which nodes of a graph write and read its slots.
type uses struct {
	writers map[int]int
	readers map[int][]int // -1 for an output of the graph
}

func (p *program) uses() uses {
	g := uses{map[int]int{}, map[int][]int{}}
	for i := range p.nodes {
		for _, slot := range p.nodes[i].outputs {
			g.writers[slot] = i
		}
		for _, slot := range p.nodes[i].reads {
			g.readers[slot] = append(g.readers[slot], i)
		}
	}
	for _, slot := range p.outputSlots {
		g.readers[slot] = append(g.readers[slot], -1)
	}
	return g
}

// onlyReader returns the node that alone reads the first of those outputs.
func (g uses) onlyReader(outputs []int) (int, bool) {
	if len(outputs) == 0 || outputs[0] < 0 || len(g.readers[outputs[0]]) != 1 {
		return 0, false
	}
	reader := g.readers[outputs[0]][0]
	return reader, reader >= 0
}

// transposition returns the perm of a Transpose of so many dimensions that
// leaves the last where it is, nil for any other node.
func transposition(n *planned, rank int) []int {
	perm, _ := n.Attribute("perm")
	list, _ := perm.([]int64)
	if n.OpType != "Transpose" || len(n.Attributes) != 1 || len(list) != rank || list[rank-1] != int64(rank-1) {
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

// absorbBehind takes in what comes after Y: a Transpose, or a Squeeze of the
// direction and then a Transpose. It returns the nodes that are gone.
func (p *program) absorbBehind(n *planned, next int, g uses) []int {
	after := &p.nodes[next]
	if perm := transposition(after, 4); perm != nil {
		n.permY, n.outputs[0] = perm, after.outputs[0]
		return []int{next}
	}
	last, ok := g.onlyReader(after.outputs)
	if !ok || after.OpType != "Squeeze" || !p.squeezes(after, 1, g) {
		return nil
	}
	if perm := transposition(&p.nodes[last], 3); perm == nil || perm[0] != 1 || p.hasLayout(n) {
		return nil
	}
	// [time, direction, batch, hidden] becomes [batch, time, direction, hidden].
	n.permY = []int{2, 0, 1, 3}
	p.squeeze(after, 2, p.nodes[last].outputs)
	g.writers[after.outputs[0]] = next
	return []int{last}
}

// hasLayout reports whether Y has the batch first already.
func (p *program) hasLayout(n *planned) bool {
	layout, ok := n.Attribute("layout")
	return ok && layout != int64(0)
}

// squeezes reports whether a Squeeze is known to drop that axis alone.
func (p *program) squeezes(n *planned, axis int64, g uses) bool {
	if p.opset < 13 {
		axes, _ := n.Attribute("axes")
		list, _ := axes.([]int64)
		return slices.Equal(list, []int64{axis})
	}
	if len(n.inputs) < 2 || n.inputs[1] < 0 {
		return false
	}
	if axes, ok := p.constants[n.inputs[1]].(*array[int64]); ok {
		return slices.Equal(axes.data, []int64{axis})
	}
	w, ok := g.writers[n.inputs[1]]
	if !ok || p.nodes[w].OpType != "Constant" {
		return false
	}
	v, _ := p.nodes[w].Attribute("value")
	t, _ := v.(onnxgraph.Tensor)
	list, _ := t.Data.([]int64)
	if ints, ok := p.nodes[w].Attribute("value_ints"); ok {
		list, _ = ints.([]int64)
	}
	return slices.Equal(list, []int64{axis})
}

// squeeze makes n drop that axis and write those outputs.
func (p *program) squeeze(n *planned, axis int64, outputs []int) {
	node := *n.Node
	n.Node, n.outputs = &node, outputs
	if p.opset < 13 {
		node.Attributes = []onnxgraph.Attribute{{Name: "axes", Value: []int64{axis}}}
		return
	}
	slot := len(p.slots)
	p.slots["axes of "+n.label] = slot
	p.constants[slot] = constantOf([]int{1}, []int64{axis})
	n.inputs = []int{n.inputs[0], slot}
	n.reads = slices.Clone(n.inputs)
}
