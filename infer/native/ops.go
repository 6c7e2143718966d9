package native

import "math"

// newestOpset is the newest version of the standard operators that was looked
// at: a later one may define an operator anew.
const newestOpset = 28

// many is the upper bound of inputs or outputs where there is none.
const many = math.MaxInt

// op is an operator of the standard domain.
type op struct {
	since   int64  // the first opset that defines it as it is built here
	inputs  [2]int // the least and greatest number of inputs,
	outputs [2]int // and of outputs
	build   func(*node) operator
	mixes   bool // the inputs may be float16 and float32
}

var ops map[string]op

func init() { // a table that the operators with graphs refer to
	ops = map[string]op{
		"Add":       {since: 7, inputs: [2]int{2, 2}, outputs: [2]int{1, 1}, build: newArithmetic},
		"Concat":    {since: 4, inputs: [2]int{1, many}, outputs: [2]int{1, 1}, build: newConcat},
		"Constant":  {since: 1, inputs: [2]int{0, 0}, outputs: [2]int{1, 1}, build: newConstant},
		"Div":       {since: 7, inputs: [2]int{2, 2}, outputs: [2]int{1, 1}, build: newArithmetic},
		"Expand":    {since: 8, inputs: [2]int{2, 2}, outputs: [2]int{1, 1}, build: newExpand},
		"Flatten":   {since: 1, inputs: [2]int{1, 1}, outputs: [2]int{1, 1}, build: newFlatten},
		"GRU":       {since: 7, inputs: [2]int{3, 6}, outputs: [2]int{0, 2}, build: newGRU},
		"Gather":    {since: 1, inputs: [2]int{2, 2}, outputs: [2]int{1, 1}, build: newGather},
		"Identity":  {since: 1, inputs: [2]int{1, 1}, outputs: [2]int{1, 1}, build: newIdentity},
		"LSTM":      {since: 7, inputs: [2]int{3, 8}, outputs: [2]int{0, 3}, build: newLSTM},
		"MatMul":    {since: 1, inputs: [2]int{2, 2}, outputs: [2]int{1, 1}, build: newMatMul},
		"Mul":       {since: 7, inputs: [2]int{2, 2}, outputs: [2]int{1, 1}, build: newArithmetic},
		"RNN":       {since: 7, inputs: [2]int{3, 6}, outputs: [2]int{0, 2}, build: newRNN},
		"Reshape":   {since: 5, inputs: [2]int{2, 2}, outputs: [2]int{1, 1}, build: newReshape},
		"Shape":     {since: 1, inputs: [2]int{1, 1}, outputs: [2]int{1, 1}, build: newShape},
		"Size":      {since: 1, inputs: [2]int{1, 1}, outputs: [2]int{1, 1}, build: newSize},
		"Split":     {since: 2, inputs: [2]int{1, 2}, outputs: [2]int{1, many}, build: newSplit},
		"Squeeze":   {since: 1, inputs: [2]int{1, 2}, outputs: [2]int{1, 1}, build: newSqueeze},
		"Sub":       {since: 7, inputs: [2]int{2, 2}, outputs: [2]int{1, 1}, build: newArithmetic},
		"Tile":      {since: 6, inputs: [2]int{2, 2}, outputs: [2]int{1, 1}, build: newTile},
		"Transpose": {since: 1, inputs: [2]int{1, 1}, outputs: [2]int{1, 1}, build: newTranspose},
		"Unsqueeze": {since: 1, inputs: [2]int{1, 2}, outputs: [2]int{1, 1}, build: newUnsqueeze},
	}
}
