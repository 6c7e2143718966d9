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
}

var ops = map[string]op{
	"Add":        {7, [2]int{2, 2}, [2]int{1, 1}, typed(newAdd[float32], newAdd[int64])},
	"Concat":     {4, [2]int{1, many}, [2]int{1, 1}, typed(newConcat[float32], newConcat[int64])},
	"Constant":   {1, [2]int{0, 0}, [2]int{1, 1}, newConstant},
	"Div":        {7, [2]int{2, 2}, [2]int{1, 1}, typed(newDiv, newIntDiv)},
	"Expand":     {8, [2]int{2, 2}, [2]int{1, 1}, typed(newExpand[float32], newExpand[int64])},
	"GRU":        {7, [2]int{3, 6}, [2]int{0, 2}, newGRU},
	"Gather":     {1, [2]int{2, 2}, [2]int{1, 1}, typed(newGather[float32], newGather[int64])},
	"Identity":   {1, [2]int{1, 1}, [2]int{1, 1}, typed(newIdentity[float32], newIdentity[int64])},
	"LSTM":       {7, [2]int{3, 8}, [2]int{0, 3}, newLSTM},
	"MatMul":     {1, [2]int{2, 2}, [2]int{1, 1}, newMatMul},
	"Mul":        {7, [2]int{2, 2}, [2]int{1, 1}, typed(newMul[float32], newMul[int64])},
	"RNN":        {7, [2]int{3, 6}, [2]int{0, 2}, newRNN},
	"ReduceMax":  {1, [2]int{1, 2}, [2]int{1, 1}, newReduceMax},
	"ReduceMean": {1, [2]int{1, 2}, [2]int{1, 1}, newReduceMean},
	"Reshape":    {5, [2]int{2, 2}, [2]int{1, 1}, typed(newReshape[float32], newReshape[int64])},
	"Shape":      {1, [2]int{1, 1}, [2]int{1, 1}, typed(newShape[float32], newShape[int64])},
	"Split":      {13, [2]int{1, 2}, [2]int{1, many}, typed(newSplit[float32], newSplit[int64])},
	"Squeeze":    {13, [2]int{1, 2}, [2]int{1, 1}, typed(newSqueeze[float32], newSqueeze[int64])},
	"Sub":        {7, [2]int{2, 2}, [2]int{1, 1}, typed(newSub[float32], newSub[int64])},
	"Transpose":  {1, [2]int{1, 1}, [2]int{1, 1}, typed(newTranspose[float32], newTranspose[int64])},
	"Unsqueeze":  {13, [2]int{2, 2}, [2]int{1, 1}, typed(newUnsqueeze[float32], newUnsqueeze[int64])},
}

// typed builds an operator for the type of its first input.
func typed(float32s, int64s func(*node) operator) func(*node) operator {
	return func(n *node) operator {
		if _, ok := n.inputs[0].(*array[int64]); ok {
			return int64s(n)
		}
		return float32s(n)
	}
}
