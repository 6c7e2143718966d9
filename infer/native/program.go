package native

import (
	"fmt"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// program is a graph whose values have numbered slots. Each stage between [resolve]
// and a run makes a new one of that of the stage before, which it leaves as it is.
type program struct {
	inputs, outputs         []onnxgraph.Value // as the graph declares them
	inputSlots, outputSlots []int
	defaults                []*tensor.Tensor // of inputs that may be left out, else nil

	nested    bool // within a node of another graph
	captured  []capture
	nodes     []instruction
	opset     int64
	constants []value // of each slot, nil where it is no constant
}

// capture is a value of the graph around that a graph reads.
type capture struct{ slot, outer int }

// instruction is a node with its place among the slots; -1 where an input or output
// is left out.
type instruction struct {
	*onnxgraph.Node
	index           int // among the nodes of its graph
	op              *registered
	inputs, outputs []int
	reads           []int               // inputs, and what the node's graphs capture
	graphs          map[string]*program // of the attributes
	fused           fusion
}

// fusion is what a recurrent node does of the nodes around it.
type fusion struct {
	// transposeX is the perm of a Transpose that wrote X, nil for none: X is what that
	// read. transposeY is the perm of one that read Y.
	transposeX, transposeY []int
	embedding              *embedding
}

// embedding is what a recurrent node reads: rows of a constant table, by number.
type embedding struct{ table, tokens int }

// label names the node in errors.
func (in *instruction) label() string {
	return fmt.Sprintf("node %d (%s %q)", in.index, onnxgraph.Escape(in.OpType), in.Name)
}
