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

func init() { // operators with graphs refer to the table
	unary := func(since int64, build func(*node) operator) op {
		return op{since: since, inputs: [2]int{1, 1}, outputs: [2]int{1, 1}, build: build}
	}
	with := func(since int64, least, most int, build func(*node) operator) op {
		return op{since: since, inputs: [2]int{least, most}, outputs: [2]int{1, 1}, build: build}
	}
	mixed := func(o op) op {
		o.mixes = true
		return o
	}
	ops = map[string]op{
		"Abs":                   unary(6, newSigned),
		"Acos":                  unary(7, newFunction),
		"Acosh":                 unary(9, newFunction),
		"Add":                   with(7, 2, 2, newArithmetic),
		"And":                   with(7, 2, 2, newLogic),
		"ArgMax":                unary(1, newArgMax),
		"ArgMin":                unary(1, newArgMax),
		"Asin":                  unary(7, newFunction),
		"Asinh":                 unary(9, newFunction),
		"Atan":                  unary(7, newFunction),
		"Atanh":                 unary(9, newFunction),
		"AveragePool":           unary(7, newPool),
		"BatchNormalization":    {since: 7, inputs: [2]int{5, 5}, outputs: [2]int{1, 5}, build: newBatchNorm, mixes: true},
		"Cast":                  unary(6, newCast),
		"CastLike":              mixed(with(15, 2, 2, newCastLike)),
		"Ceil":                  unary(6, newFunction),
		"Celu":                  unary(12, newActivation),
		"Clip":                  with(6, 1, 3, newClip),
		"Concat":                with(4, 1, many, newConcat),
		"Constant":              {since: 1, outputs: [2]int{1, 1}, build: newConstant},
		"ConstantOfShape":       unary(9, newConstantOfShape),
		"Conv":                  with(1, 2, 3, newConv),
		"ConvTranspose":         with(1, 2, 3, newConv),
		"Cos":                   unary(7, newFunction),
		"Cosh":                  unary(9, newFunction),
		"CumSum":                with(11, 2, 2, newCumSum),
		"Div":                   with(7, 2, 2, newArithmetic),
		"Dropout":               {since: 7, inputs: [2]int{1, 3}, outputs: [2]int{1, 2}, build: newDropout, mixes: true},
		"Einsum":                with(12, 1, many, newEinsum),
		"Elu":                   unary(6, newActivation),
		"Equal":                 with(7, 2, 2, newEqual),
		"Erf":                   unary(9, newVector),
		"Exp":                   unary(6, newFunction),
		"Expand":                with(8, 2, 2, newExpand),
		"Flatten":               unary(1, newFlatten),
		"Floor":                 unary(6, newFunction),
		"GRU":                   {since: 1, inputs: [2]int{3, 6}, outputs: [2]int{0, 2}, build: newGRU},
		"Gather":                with(1, 2, 2, newGather),
		"GatherElements":        with(11, 2, 2, newGatherElements),
		"GatherND":              with(11, 2, 2, newGatherND),
		"Gelu":                  unary(20, newActivation),
		"Gemm":                  with(7, 2, 3, newGemm),
		"GlobalAveragePool":     unary(1, newPool),
		"GlobalMaxPool":         unary(1, newPool),
		"Greater":               with(7, 2, 2, newCompare),
		"GreaterOrEqual":        with(12, 2, 2, newCompare),
		"HardSigmoid":           unary(6, newActivation),
		"HardSwish":             unary(14, newFunction),
		"Hardmax":               unary(1, newSoftmax),
		"Identity":              unary(1, newIdentity),
		"If":                    {since: 1, inputs: [2]int{1, 1}, outputs: [2]int{1, many}, build: newIf},
		"InstanceNormalization": with(6, 3, 3, newInstanceNorm),
		"IsInf":                 unary(10, newIsInf),
		"IsNaN":                 unary(9, newIsNaN),
		"LSTM":                  {since: 1, inputs: [2]int{3, 8}, outputs: [2]int{0, 3}, build: newLSTM},
		"LayerNormalization":    {since: 17, inputs: [2]int{2, 3}, outputs: [2]int{1, 3}, build: newLayerNorm},
		"LeakyRelu":             unary(6, newActivation),
		"Less":                  with(7, 2, 2, newCompare),
		"LessOrEqual":           with(12, 2, 2, newCompare),
		"Log":                   unary(6, newFunction),
		"LogSoftmax":            unary(1, newSoftmax),
		"Loop":                  {since: 1, inputs: [2]int{0, many}, outputs: [2]int{1, many}, build: newLoop, mixes: true},
		"MatMul":                with(1, 2, 2, newMatMul),
		"Max":                   with(8, 1, many, newVariadic),
		"MaxPool":               {since: 1, inputs: [2]int{1, 1}, outputs: [2]int{1, 2}, build: newPool},
		"Mean":                  with(8, 1, many, newVariadic),
		"Min":                   with(8, 1, many, newVariadic),
		"Mish":                  unary(18, newFunction),
		"Mod":                   with(10, 2, 2, newMod),
		"Mul":                   with(7, 2, 2, newArithmetic),
		"Neg":                   unary(6, newSigned),
		"NonZero":               unary(9, newNonZero),
		"Not":                   unary(1, newNot),
		"OneHot":                mixed(with(9, 3, 3, newOneHot)),
		"Or":                    with(7, 2, 2, newLogic),
		"PRelu":                 with(7, 2, 2, newPRelu),
		"Pad":                   with(2, 1, 4, newPad),
		"Pow":                   mixed(with(7, 2, 2, newPow)),
		"RNN":                   {since: 1, inputs: [2]int{3, 6}, outputs: [2]int{0, 2}, build: newRNN},
		"Range":                 with(11, 3, 3, newRange),
		"Reciprocal":            unary(6, newFunction),
		"ReduceL1":              with(1, 1, 2, newReduce),
		"ReduceL2":              with(1, 1, 2, newReduce),
		"ReduceLogSum":          with(1, 1, 2, newReduce),
		"ReduceLogSumExp":       with(1, 1, 2, newReduce),
		"ReduceMax":             with(1, 1, 2, newReduce),
		"ReduceMean":            with(1, 1, 2, newReduce),
		"ReduceMin":             with(1, 1, 2, newReduce),
		"ReduceProd":            with(1, 1, 2, newReduce),
		"ReduceSum":             with(1, 1, 2, newReduce),
		"ReduceSumSquare":       with(1, 1, 2, newReduce),
		"Relu":                  unary(6, newSigned),
		"Reshape":               with(5, 2, 2, newReshape),
		"ReverseSequence":       with(10, 2, 2, newReverseSequence),
		"Round":                 unary(11, newFunction),
		"Scan":                  {since: 9, inputs: [2]int{1, many}, outputs: [2]int{1, many}, build: newScan, mixes: true},
		"Scatter":               with(9, 3, 3, newScatterElements),
		"ScatterElements":       with(11, 3, 3, newScatterElements),
		"ScatterND":             with(11, 3, 3, newScatterND),
		"Selu":                  unary(6, newActivation),
		"Shape":                 unary(1, newShape),
		"Shrink":                unary(9, newActivation),
		"Sigmoid":               unary(6, newVector),
		"Sign":                  unary(9, newSigned),
		"Sin":                   unary(7, newFunction),
		"Sinh":                  unary(9, newFunction),
		"Size":                  unary(1, newSize),
		"Slice":                 with(1, 1, 5, newSlice),
		"Softmax":               unary(1, newSoftmax),
		"Softplus":              unary(1, newFunction),
		"Softsign":              unary(1, newFunction),
		"Split":                 {since: 2, inputs: [2]int{1, 2}, outputs: [2]int{1, many}, build: newSplit},
		"Sqrt":                  unary(6, newFunction),
		"Squeeze":               with(1, 1, 2, newSqueeze),
		"Sub":                   with(7, 2, 2, newArithmetic),
		"Sum":                   with(8, 1, many, newVariadic),
		"Swish":                 unary(24, newActivation),
		"Tan":                   unary(7, newFunction),
		"Tanh":                  unary(6, newVector),
		"ThresholdedRelu":       unary(10, newActivation),
		"Tile":                  with(6, 2, 2, newTile),
		"TopK":                  {since: 1, inputs: [2]int{1, 2}, outputs: [2]int{1, 2}, build: newTopK},
		"Transpose":             unary(1, newTranspose),
		"Trilu":                 with(14, 1, 2, newTrilu),
		"Unsqueeze":             with(1, 1, 2, newUnsqueeze),
		"Where":                 with(9, 3, 3, newWhere),
		"Xor":                   with(7, 2, 2, newLogic),
	}
}
