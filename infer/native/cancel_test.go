package native

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// large returns nodes of each operator that computes or copies, with inputs of so many
// elements, a power of 4.
func large(n int) map[string]largeNode {
	side := 1
	for side*side < n {
		side *= 2
	}
	row, square := tensor.Zeros(tensor.Float32, n), tensor.Zeros(tensor.Float32, side, side)
	truth, places := tensor.Zeros(tensor.Bool, n), tensor.Zeros(tensor.Int64, n)
	image := tensor.Zeros(tensor.Float32, 1, 4, n/4)
	number := func(list ...int64) tensor.Tensor { return tensor.Of(list, len(list)) }
	scalar := func(v int64) tensor.Tensor { return tensor.Of([]int64{v}) }
	small := func(shape ...int) tensor.Tensor { return tensor.Zeros(tensor.Float32, shape...) }
	nodes := map[string]largeNode{
		"Cast": of(row).with("to", onnxgraph.Number(onnxgraph.Int32)), "CastLike": of(row, tensor.Zeros(tensor.Float16, 1)),
		"Clip": of(row), "NonZero": of(row), "Transpose": of(square), "Trilu": of(square), "Not": of(truth),
		"Mod": of(row, row).with("fmod", int64(1)), "Where": of(truth, row, row),
		"BatchNormalization":    of(image, small(4), small(4), small(4), small(4)),
		"InstanceNormalization": of(image, small(4), small(4)),
		"LayerNormalization":    of(row, small(1)),
		"Concat":                of(row, row, row, row, row, row, row, row).with("axis", int64(0)),
		"Split":                 of(tensor.Zeros(tensor.Float32, 8*n)).with("num_outputs", int64(1)),
		"Gather":                of(row, places), "GatherElements": of(row, places),
		"GatherND":        of(row, tensor.Zeros(tensor.Int64, n, 1)),
		"Scatter":         of(row, places, row),
		"ScatterElements": of(row, places, row),
		"ScatterND":       of(row, tensor.Zeros(tensor.Int64, n, 1), row).with("reduction", "add"),
		"OneHot":          of(places, scalar(2), small(2)),
		"ConstantOfShape": of(number(int64(n))),
		"Range":           of(scalar(0), scalar(int64(n)), scalar(1)),
		"Expand":          of(small(1), number(int64(n))), "Tile": of(small(1), number(int64(n))),
		"Pad":             of(row, number(1, 1)).with("mode", "reflect"),
		"Slice":           of(row, number(1), number(int64(n))),
		"ReverseSequence": of(tensor.Zeros(tensor.Float32, side, 8*side), tensor.Of(slices.Repeat([]int64{int64(side)}, 8*side), 8*side)),
		"CumSum":          of(row, scalar(0)), "TopK": of(row, number(1)),
		"Einsum": of(row, row).with("equation", "i,i->"),
		"MatMul": of(square, square), "Gemm": of(square, square).with("transB", int64(1)),
		"Conv": of(image, small(8, 4, 25)), "ConvTranspose": of(image, small(4, 8, 25)),
		"AveragePool": of(image).with("kernel_shape", []int64{4}), "MaxPool": of(image).with("kernel_shape", []int64{4}),
		"GlobalAveragePool": of(image), "GlobalMaxPool": of(image),
	}
	for _, op := range strings.Fields(`Abs Acos Acosh Asin Asinh Atan Atanh Ceil Celu Cos Cosh Elu Erf Exp Floor Gelu
		HardSigmoid HardSwish Hardmax IsInf IsNaN LeakyRelu Log LogSoftmax Mish Neg Reciprocal Relu Round Selu
		Shrink Sigmoid Sign Sin Sinh Softmax Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu
		ArgMax ArgMin ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd
		ReduceSum ReduceSumSquare`) {
		nodes[op] = of(row)
	}
	for _, op := range strings.Fields("Add Sub Mul Div Pow Equal Greater GreaterOrEqual Less LessOrEqual Max Min Sum Mean PRelu") {
		nodes[op] = of(row, row)
	}
	for _, op := range strings.Fields("And Or Xor") {
		nodes[op] = of(truth, truth)
	}
	for op, gates := range map[string]int{"RNN": 1, "GRU": 3, "LSTM": 4} {
		nodes[op] = of(tensor.Zeros(tensor.Float32, n, 1, 1), small(1, gates*2, 1), small(1, gates*2, 2)).with("hidden_size", int64(2))
	}
	return nodes
}

// looping returns a node of each operator that computes a graph.
func looping(n int64) map[string]largeNode {
	branch := &onnxgraph.Graph{
		Nodes:   []onnxgraph.Node{call("Constant", nil, []string{"c"}, "value_float", float32(1))},
		Outputs: []onnxgraph.Value{{Name: "c"}},
	}
	body := &onnxgraph.Graph{
		Inputs: []onnxgraph.Value{{Name: "i"}, {Name: "go"}}, Outputs: []onnxgraph.Value{{Name: "go"}, {Name: "i"}},
	}
	scanned := &onnxgraph.Graph{Inputs: []onnxgraph.Value{{Name: "s"}}, Outputs: []onnxgraph.Value{{Name: "s"}}}
	return map[string]largeNode{
		"If":   of(tensor.Of([]bool{true})).with("then_branch", branch, "else_branch", branch),
		"Loop": of(tensor.Of([]int64{n}), tensor.Of([]bool{true})).with("body", body),
		"Scan": of(tensor.Zeros(tensor.Float32, int(n))).with("body", scanned, "num_scan_inputs", int64(1)),
	}
}

// largeNode is a node's inputs and attributes.
type largeNode struct {
	inputs     []tensor.Tensor
	attributes []any
}

func of(inputs ...tensor.Tensor) largeNode { return largeNode{inputs: inputs} }

func (n largeNode) with(attributes ...any) largeNode {
	n.attributes = attributes
	return n
}

// open returns a session of the node, and its inputs.
func (n largeNode) open(t *testing.T, op string) (engine.Session, tensors) {
	t.Helper()
	m, in := n.model(op), tensors{}
	for i, v := range m.Graph.Inputs {
		in[v.Name] = n.inputs[i]
	}
	return open(t, m), in
}

// model returns a model of the node alone.
func (n largeNode) model(op string) *onnxgraph.Model {
	m, names := graph(), []string(nil)
	m.Opsets[0].Version = NewestOpset
	m.Graph.Inputs = nil
	for i, x := range n.inputs {
		names = append(names, fmt.Sprint("x", i))
		m.Graph.Inputs = append(m.Graph.Inputs, onnxgraph.Value{Name: names[i], Type: dataType(x)})
	}
	m.Graph.Nodes = []onnxgraph.Node{call(op, names, []string{"y"}, n.attributes...)}
	return m
}

func dataType(x tensor.Tensor) onnxgraph.DataType {
	return (&onnxgraph.Tensor{Tensor: tensor.Tensor{Data: x.Data}}).Type()
}

// views are the operators that show the elements of their input, or compute but a few.
var views = []string{"Constant", "Dropout", "Flatten", "Identity", "Reshape", "Shape", "Size", "Squeeze", "Unsqueeze"}

// TestEveryOperatorCancels breaks each operator off at the first look at the context
// that it takes while it computes.
func TestEveryOperatorCancels(t *testing.T) {
	nodes := large(1 << 20)
	maps.Copy(nodes, looping(3))
	for op := range operators() {
		node, ok := nodes[op]
		if !ok && !slices.Contains(views, op) {
			t.Errorf("%s: add it to this test", op)
		}
		if !ok {
			continue
		}
		session, in := node.open(t, op)
		var err error
		// A pool may have lost its runner, as the race detector makes it do, and a new
		// one takes that look.
		for tries := 0; tries < 20 && (err == nil || err.Error() == context.Canceled.Error()); tries++ {
			_, err = session.Run(&canceledLater{Context: t.Context(), calls: 1}, in)
		}
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "node 0 ("+op) {
			t.Errorf("%s: the error is %v", op, err)
		}
	}
}

// TestLooksAtContext measures how long each operator goes on between two looks at the
// context. Set RNNKIT_EXHAUSTIVE=1 on a machine that has nothing else to do.
func TestLooksAtContext(t *testing.T) {
	if os.Getenv("RNNKIT_EXHAUSTIVE") != "1" {
		t.Skip("set RNNKIT_EXHAUSTIVE=1")
	}
	for op, node := range large(1 << 24) {
		session, in := node.open(t, op)
		ctx := &watched{Context: t.Context(), last: time.Now(), start: time.Now()}
		_, err := session.Run(ctx, in)
		t.Logf("%s: at most %v of %v, %v", op, ctx.longest, time.Since(ctx.start), err)
		if ctx.longest > 200*time.Millisecond {
			t.Errorf("%s goes on for %v without a look at the context", op, ctx.longest)
		}
	}
}

// watched is a context that notes the longest time between two looks at it, and ends
// after some seconds.
type watched struct {
	context.Context
	start, last time.Time
	longest     time.Duration
}

func (c *watched) Err() error {
	now := time.Now()
	c.longest = max(c.longest, now.Sub(c.last))
	c.last = now
	if now.Sub(c.start) > 3*time.Second {
		return context.DeadlineExceeded
	}
	return nil
}
