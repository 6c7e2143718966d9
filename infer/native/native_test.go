package native

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/onnxtest"
)

var x23 = tensor.Of([]float32{1, 2, 3, 4, 5, 6}, 2, 3)

// TestOps runs single nodes on x, [[1 2 3] [4 5 6]], where ONNX's own tests
// leave something out.
func TestOps(t *testing.T) {
	list := func(t ...onnxgraph.Tensor) []onnxgraph.Tensor { return t }
	scalar := func(name string, v int64) onnxgraph.Tensor {
		return onnxgraph.Tensor{Name: name, Tensor: tensor.Of([]int64{v})}
	}
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	column := onnxgraph.Tensor{Name: "b", Tensor: tensor.Of([]float32{10, 20}, 2, 1)}
	for _, test := range []struct {
		name  string
		model *onnxgraph.Model
		want  tensor.Tensor
	}{
		{"Add column", oneNode("Add", list(column)), tensor.Of([]float32{11, 12, 13, 24, 25, 26}, 2, 3)},
		{
			"Sub scalar", oneNode("Sub", list(onnxgraph.Tensor{Name: "b", Tensor: tensor.Of([]float32{1})})),
			tensor.Of([]float32{0, 1, 2, 3, 4, 5}, 2, 3),
		},
		{
			"Mul more dimensions",
			oneNode("Mul", list(onnxgraph.Tensor{Name: "b", Tensor: tensor.Of([]float32{1, -1}, 2, 1, 1)})),
			tensor.Of([]float32{1, 2, 3, 4, 5, 6, -1, -2, -3, -4, -5, -6}, 2, 2, 3),
		},
		{
			"Add both ways",
			graph(
				call("Constant", nil, []string{"c"}, "value", onnxgraph.Tensor{Tensor: tensor.Of([]float32{0, 10, 20, 30}, 2, 1, 2, 1)}),
				call("Constant", nil, []string{"d"}, "value", onnxgraph.Tensor{Tensor: tensor.Of([]float32{1, 2, 3, 4}, 2, 1, 2)}),
				call("Add", []string{"c", "d"}, []string{"y"}),
			),
			tensor.Of([]float32{1, 2, 11, 12, 3, 4, 13, 14, 21, 22, 31, 32, 23, 24, 33, 34}, 2, 2, 2, 2),
		},
		{
			"Div row", oneNode("Div", list(onnxgraph.Tensor{Name: "b", Tensor: tensor.Of([]float32{1, 2, 3}, 3)})),
			tensor.Of([]float32{1, 1, 1, 4, 2.5, 2}, 2, 3),
		},
		{"Mul none", oneNode("Mul", list(onnxgraph.Tensor{Name: "b", Tensor: tensor.Of([]float32{}, 0, 1, 1)})), tensor.Of([]float32{}, 0, 2, 3)},
		{
			"MatMul with none", oneNode("MatMul", list(onnxgraph.Tensor{Name: "b", Tensor: tensor.Of([]float32{}, 3, 0)})),
			tensor.Of([]float32{}, 2, 0),
		},
		{
			"MatMul vector",
			oneNode("MatMul", list(onnxgraph.Tensor{Name: "b", Tensor: tensor.Of([]float32{1, 0, -1}, 3)})),
			tensor.Of([]float32{-2, -2}, 2),
		},
		{"Gather column", oneNode("Gather", list(scalar("i", -1)), "axis", int64(1)), tensor.Of([]float32{3, 6}, 2)},
		{
			"Gather matrix",
			oneNode("Gather", list(onnxgraph.Tensor{Name: "i", Tensor: tensor.Of([]int64{-3, 1}, 1, 2)}), "axis", int64(-1)),
			tensor.Of([]float32{1, 2, 4, 5}, 2, 1, 2),
		},
		{"Gather none", oneNode("Gather", list(ints64("i"))), tensor.Of([]float32{}, 0, 3)},
		{"Expand less", oneNode("Expand", list(ints64("s", 3))), x23},
		{"Expand more", oneNode("Expand", list(ints64("s", 2, 1, 1))), tensor.Of([]float32{1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6}, 2, 2, 3)},
		{"Expand none", oneNode("Expand", list(ints64("s", 0, 1, 1))), tensor.Of([]float32{}, 0, 2, 3)},
		{"Reshape", oneNode("Reshape", list(ints64("s", 0, -1, 1))), tensor.Of([]float32{1, 2, 3, 4, 5, 6}, 2, 3, 1)},
		{"Squeeze nothing", oneNode("Squeeze", list(ints64("a"))), x23},
		{"Unsqueeze", oneNode("Unsqueeze", list(ints64("a", -1, 0))), tensor.Of([]float32{1, 2, 3, 4, 5, 6}, 1, 2, 3, 1)},
		{
			"Concat self", graph(call("Concat", []string{"x", "x"}, []string{"y"}, "axis", int64(-1))),
			tensor.Of([]float32{1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6}, 2, 6),
		},
		{"Identity of an input", graph(call("Identity", []string{"x"}, []string{"y"})), x23},
		{"Shape", oneNode("Shape", nil, "start", int64(-1), "end", int64(9)), tensor.Of([]int64{3}, 1)},
		{"Constant int", graph(call("Constant", nil, []string{"y"}, "value_int", int64(7))), tensor.Of([]int64{7})},
		{"Constant floats", graph(call("Constant", nil, []string{"y"}, "value_floats", []float32{1, 2})), tensor.Of([]float32{1, 2}, 2)},
		{"Cast to float16", oneNode("Cast", nil, "to", onnxgraph.Number(onnxgraph.Float16)), halves(1, 2, 3, 4, 5, 6)},
		{
			"float16 is wide inside",
			graph(
				call("Cast", []string{"x"}, []string{"h"}, "to", onnxgraph.Number(onnxgraph.Float16)),
				call("Exp", []string{"h"}, []string{"e"}), call("Exp", []string{"e"}, []string{"big"}),
				call("Log", []string{"big"}, []string{"y"}),
			),
			halves(2.71828, 7.38906, 20.0855, 54.5982, inf, inf),
		},
		{
			"float16 overflows where it is cast",
			graph(
				call("Cast", []string{"x"}, []string{"h"}, "to", onnxgraph.Number(onnxgraph.Float16)),
				call("Exp", []string{"h"}, []string{"e"}), call("Exp", []string{"e"}, []string{"big"}),
				call("Cast", []string{"big"}, []string{"small"}, "to", onnxgraph.Number(onnxgraph.Float16)),
				call("Log", []string{"small"}, []string{"y"}),
			),
			halves(2.71828, 7.38906, inf, inf, inf, inf),
		},
		{
			"Max of NaN", oneNode("Max", list(onnxgraph.Tensor{Name: "b", Tensor: tensor.Of([]float32{nan, 5, 2}, 3)})),
			tensor.Of([]float32{nan, 5, 3, nan, 5, 6}, 2, 3),
		},
		{
			"ReduceMin of NaN",
			graph(
				call("Constant", nil, []string{"c"}, "value_floats", []float32{3, nan, 1}),
				call("ReduceMin", []string{"c"}, []string{"y"}, "keepdims", int64(0)),
			),
			tensor.Of([]float32{nan}),
		},
		{
			"ArgMax of NaN",
			graph(
				call("Constant", nil, []string{"c"}, "value_floats", []float32{3, nan, 7}),
				call("ArgMax", []string{"c"}, []string{"y"}, "keepdims", int64(0)),
			),
			tensor.Of([]int64{1}),
		},
		{
			"ArgMin of NaN",
			graph(
				call("Constant", nil, []string{"c"}, "value_floats", []float32{3, nan, 1}),
				call("ArgMin", []string{"c"}, []string{"y"}, "keepdims", int64(0)),
			),
			tensor.Of([]int64{1}),
		},
		{
			"TopK of equals",
			graph(
				call("Constant", nil, []string{"c"}, "value_floats", []float32{2, 7, 2, 7}),
				call("Constant", nil, []string{"k"}, "value_ints", []int64{3}),
				call("TopK", []string{"c", "k"}, []string{"v", "y"}),
			),
			tensor.Of([]int64{1, 3, 0}, 3),
		},
		{
			"TopK of least equals",
			graph(
				call("Constant", nil, []string{"c"}, "value_floats", []float32{2, 7, 2, 7}),
				call("Constant", nil, []string{"k"}, "value_ints", []int64{3}),
				call("TopK", []string{"c", "k"}, []string{"v", "y"}, "largest", int64(0)),
			),
			tensor.Of([]int64{0, 2, 1}, 3),
		},
		{
			"ReduceMax of none",
			graph(
				call("Constant", nil, []string{"c"}, "value", onnxgraph.Tensor{Tensor: tensor.Of([]float32{}, 2, 0)}),
				call("ReduceMax", []string{"c"}, []string{"y"}, "axes", []int64{-1}),
			),
			tensor.Of([]float32{-inf, -inf}, 2, 1),
		},
		{"ReduceSum of none", oneNode("ReduceSum", list(ints64("a")), "noop_with_empty_axes", int64(1)), x23},
		{
			"NonZero of a scalar",
			graph(call("Constant", nil, []string{"c"}, "value_float", float32(3)), call("NonZero", []string{"c"}, []string{"y"})),
			tensor.Of([]int64{}, 0, 1),
		},
		{
			"Slice backwards",
			oneNode("Slice", list(ints64("s", -1), ints64("e", math.MinInt64), ints64("a", 1), ints64("t", -2))),
			tensor.Of([]float32{3, 1, 6, 4}, 2, 2),
		},
		{
			"Slice of an end beyond", oneNode("Slice", list(ints64("s", 1), ints64("e", math.MaxInt64), ints64("a", -1))),
			tensor.Of([]float32{2, 3, 5, 6}, 2, 2),
		},
		{"Slice to nothing", oneNode("Slice", list(ints64("s", 2), ints64("e", 1), ints64("a", 0))), tensor.Of([]float32{}, 0, 3)},
		{
			"Mod of negative integers",
			graph(
				call("Constant", nil, []string{"c"}, "value_ints", []int64{-7, 7, -7, math.MinInt64}),
				call("Constant", nil, []string{"d"}, "value_ints", []int64{3, -3, -3, -1}),
				call("Mod", []string{"c", "d"}, []string{"y"}),
			),
			tensor.Of([]int64{2, -2, -1, 0}, 4),
		},
		{
			"Range backwards",
			graph(
				call("Constant", nil, []string{"a"}, "value_int", int64(5)),
				call("Constant", nil, []string{"b"}, "value_int", int64(-2)),
				call("Constant", nil, []string{"c"}, "value_int", int64(-3)),
				call("Range", []string{"a", "b", "c"}, []string{"y"}),
			),
			tensor.Of([]int64{5, 2, -1}, 3),
		},
		{
			"Gather nothing of nothing",
			graph(
				call("Constant", nil, []string{"c"}, "value", onnxgraph.Tensor{Tensor: tensor.Of([]float32{}, 0, 2)}),
				call("Constant", nil, []string{"i"}, "value", ints64("", []int64{}...)),
				call("Gather", []string{"c", "i"}, []string{"y"}),
			),
			tensor.Of([]float32{}, 0, 2),
		},
		{
			"MaxPool of infinities and NaN",
			graph(
				call("Constant", nil, []string{"c"}, "value", onnxgraph.Tensor{Tensor: tensor.Of([]float32{2, -inf, -inf, nan, 1, inf}, 1, 1, 6)}),
				call("MaxPool", []string{"c"}, []string{"y"}, "kernel_shape", []int64{2}, "strides", []int64{1}),
			),
			tensor.Of([]float32{2, -inf, nan, nan, inf}, 1, 1, 5),
		},
		{
			"where MaxPool found infinities and NaN",
			graph(
				call("Constant", nil, []string{"c"}, "value", onnxgraph.Tensor{Tensor: tensor.Of([]float32{2, -inf, -inf, nan, 1, inf}, 1, 1, 6)}),
				call("MaxPool", []string{"c"}, []string{"v", "y"}, "kernel_shape", []int64{2}, "strides", []int64{1}),
			),
			tensor.Of([]int64{0, 1, 3, 3, 5}, 1, 1, 5),
		},
		{
			"MaxPool of all",
			graph(
				call("Constant", nil, []string{"c"}, "value", onnxgraph.Tensor{Tensor: tensor.Of([]float32{-inf, nan, 3, -3, -1, -2}, 1, 2, 3)}),
				call("GlobalMaxPool", []string{"c"}, []string{"y"}),
			),
			tensor.Of([]float32{nan, -1}, 1, 2, 1),
		},
		{
			"AveragePool beyond the end",
			graph(
				call("Constant", nil, []string{"c"}, "value", onnxgraph.Tensor{Tensor: tensor.Of([]float32{1, 2, 3, 4}, 1, 1, 4)}),
				call(
					"AveragePool", []string{"c"}, []string{"y"}, "kernel_shape", []int64{3}, "strides", []int64{2}, "ceil_mode",
					int64(1), "count_include_pad", int64(1),
				),
			),
			tensor.Of([]float32{2, 3.5}, 1, 1, 2),
		},
		{
			"Hardmax of equals",
			graph(call("Constant", nil, []string{"c"}, "value_floats", []float32{2, 7, 7}), call("Hardmax", []string{"c"}, []string{"y"})),
			tensor.Of([]float32{0, 1, 0}, 3),
		},
		{
			"Softmax before opset 13",
			change(
				graph(
					call("Constant", nil, []string{"c"}, "value", onnxgraph.Tensor{Tensor: tensor.Of([]float32{0, 0, 0, 0}, 1, 2, 2)}),
					call("Softmax", []string{"c"}, []string{"y"}),
				),
				opset(12),
			),
			tensor.Of([]float32{0.25, 0.25, 0.25, 0.25}, 1, 2, 2),
		},
		{
			"If",
			branches(
				onnxgraph.Graph{
					Nodes:   []onnxgraph.Node{call("Neg", []string{"x"}, []string{"n"}), call("Neg", []string{"n"}, []string{"p"})},
					Outputs: []onnxgraph.Value{{Name: "p"}},
				},
				onnxgraph.Graph{Outputs: []onnxgraph.Value{{Name: "x"}}},
			),
			x23,
		},
		{"Loop", counting(), tensor.Of([]float32{4, 8, 12, 16, 20, 24}, 2, 3)},
		{
			"Div of integers",
			graph(
				call("Constant", nil, []string{"c"}, "value_ints", []int64{-2, math.MinInt64}),
				call("Constant", nil, []string{"d"}, "value_int", int64(-1)), call("Div", []string{"c", "d"}, []string{"y"}),
			),
			tensor.Of([]int64{2, math.MinInt64}, 2),
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			y := run(t, open(t, test.model), tensors{"x": x23})["y"]
			if err := onnxtest.Compare(y, test.want, 0, 0); err != nil {
				t.Error(err)
			}
		})
	}
}

// halves returns a tensor [2, 3] of float16.
func halves(values ...float32) tensor.Tensor {
	data := make([]tensor.Half, len(values))
	for i, v := range values {
		data[i] = tensor.HalfOf(v)
	}
	return tensor.Of(data, 2, 3)
}

// TestRunErrors runs nodes on shapes that do not fit and on indices out of
// range. Some of it shows already when the model is opened.
func TestRunErrors(t *testing.T) {
	list := func(t ...onnxgraph.Tensor) []onnxgraph.Tensor { return t }
	huge := ints64("s", 1<<20, 1<<20, 1<<20, 1, 1)
	uneven := graph(call("Split", []string{"x"}, []string{"y", "a", "b", "c"}, "num_outputs", int64(4)))
	opset(18)(uneven)
	many := make([]int64, 65)
	var axes []int64
	for i := range int64(62) {
		axes = append(axes, i)
	}
	tall := oneNode("Unsqueeze", list(ints64("a", axes...)))
	tall.Graph.Nodes = append(tall.Graph.Nodes,
		call("Constant", nil, []string{"i"}, "value", onnxgraph.Tensor{Tensor: tensor.Of([]int64{0}, 1, 1)}),
		call("Gather", []string{"y", "i"}, []string{"z"}))
	tall.Graph.Outputs[0].Name = "z"
	for _, test := range []struct {
		name  string
		model *onnxgraph.Model
		want  []string
	}{
		{"Add", oneNode("Add", list(floats("b", 2))), []string{"[2 3]", "[2]"}},
		{"MatMul", oneNode("MatMul", list(floats("b", 2, 3))), []string{"[2 3]"}},
		{
			"MatMul batch",
			graph(
				call("Constant", nil, []string{"c"}, "value", floats("c", 2, 1, 3)),
				call("Constant", nil, []string{"d"}, "value", floats("d", 3, 3, 1)),
				call("MatMul", []string{"c", "d"}, []string{"y"}),
			),
			[]string{"[2 1 3]", "[3 3 1]"},
		},
		{"MatMul scalar", oneNode("MatMul", list(onnxgraph.Tensor{Name: "b", Tensor: tensor.Of([]float32{1})})), []string{"scalar"}},
		{"Gather", oneNode("Gather", list(ints64("i", 0, 2))), []string{"index 2", "[2 3]"}},
		{"Gather negative", oneNode("Gather", list(ints64("i", math.MinInt64))), []string{"index -9223372036854775808"}},
		{"Gather axis", oneNode("Gather", list(ints64("i", 0)), "axis", int64(2)), []string{"axis 2"}},
		{"Concat axis", graph(call("Concat", []string{"x"}, []string{"y"}, "axis", int64(-3))), []string{"axis -3"}},
		{
			"Concat",
			graph(
				call("Constant", nil, []string{"c"}, "value", floats("c", 3, 3)),
				call("Concat", []string{"x", "c"}, []string{"y"}, "axis", int64(1)),
			),
			[]string{"[2 3]", "[3 3]"},
		},
		{"Transpose", oneNode("Transpose", nil, "perm", []int64{0}), []string{"[0]", "[2 3]"}},
		{"Transpose empty", oneNode("Transpose", nil, "perm", []int64{}), []string{"[]", "[2 3]"}},
		{"Expand", oneNode("Expand", list(ints64("s", 2, 2))), []string{"[2 3]", "[2 2]"}},
		{"Expand negative", oneNode("Expand", list(ints64("s", -1, 1, 1))), []string{"[-1 2 3]"}},
		{"Expand huge", oneNode("Expand", list(huge)), []string{"too large"}},
		{"Expand large", oneNode("Expand", list(ints64("s", 1<<28, 1, 1))), []string{"[268435456 2 3]", "MiB"}},
		{"Expand ranks", oneNode("Expand", list(ints64("s", many...))), []string{"65 dimensions"}},
		{"Unsqueeze ranks", oneNode("Unsqueeze", list(ints64("s", many...))), []string{"67"}},
		{"Gather ranks", tall, []string{"node 2", "too large"}},
		{"Unsqueeze twice", oneNode("Unsqueeze", list(ints64("a", 0, -4))), []string{"twice"}},
		{"Unsqueeze range", oneNode("Unsqueeze", list(ints64("a", 3))), []string{"axis 3"}},
		{"Squeeze", oneNode("Squeeze", list(ints64("a", 0))), []string{"[2 3]"}},
		{"Reshape", oneNode("Reshape", list(ints64("s", 4, -1))), []string{"[2 3]", "[4 -1]"}},
		{"Reshape twice", oneNode("Reshape", list(ints64("s", -1, -1))), []string{"[-1 -1]"}},
		{"Reshape zero", oneNode("Reshape", list(ints64("s", 2, 3, 0))), []string{"[2 3 0]"}},
		{"Reshape overflow", oneNode("Reshape", list(ints64("s", 1<<62, 1<<62, 6))), []string{"4611686018427387904"}},
		{"Reshape matrix", oneNode("Reshape", list(onnxgraph.Tensor{Name: "s", Tensor: tensor.Of([]int64{6}, 1, 1)})), []string{"[1 1]"}},
		{"Split", graph(call("Split", []string{"x"}, []string{"y", "z"}, "axis", int64(1))), []string{"2 equal parts", "[2 3]"}},
		{"Split into more", uneven, []string{"4 equal parts", "[2 3]"}},
		{"Split sizes", oneNode("Split", list(ints64("s", 3))), []string{"[3]", "[2 3]"}},
		{
			"Split negative",
			graph(call("Constant", nil, []string{"c"}, "value_ints", []int64{-1, 3}), call("Split", []string{"x", "c"}, []string{"y", "z"})),
			[]string{"[-1 3]"},
		},
		{
			"Mod by 0",
			graph(
				call("Shape", []string{"x"}, []string{"s"}), call("Constant", nil, []string{"c"}, "value_int", int64(0)),
				call("Mod", []string{"s", "c"}, []string{"y"}),
			),
			[]string{"by 0"},
		},
		{"Slice axes twice", oneNode("Slice", list(ints64("s", 0, 0), ints64("e", 1, 1), ints64("a", 0, -2))), []string{"axis 0", "twice"}},
		{"Slice step", oneNode("Slice", list(ints64("s", 0), ints64("e", 1), ints64("a", 0), ints64("t", 0))), []string{"step", "0"}},
		{"Pad away", oneNode("Pad", list(ints64("p", 0, -4, 0, 0))), []string{"-4", "[2 3]"}},
		{"Pad huge", oneNode("Pad", list(ints64("p", 0, 0, 0, math.MaxInt64))), []string{"out of range"}},
		{"Tile huge", oneNode("Tile", list(ints64("r", 1<<62, 1))), []string{"[2 3]"}},
		{
			"ConstantOfShape huge",
			graph(
				call("Shape", []string{"x"}, []string{"s"}),
				call("Constant", nil, []string{"c"}, "value_ints", []int64{1 << 40}),
				call("ConstantOfShape", []string{"c"}, []string{"y"}),
			),
			[]string{"MiB"},
		},
		{
			"Range without end",
			graph(
				call("Constant", nil, []string{"a"}, "value_int", int64(0)),
				call("Constant", nil, []string{"b"}, "value_int", int64(9)),
				call("Range", []string{"a", "b", "a"}, []string{"y"}),
			),
			[]string{"no end"},
		},
		{
			"GatherElements index",
			oneNode("GatherElements", list(onnxgraph.Tensor{Name: "i", Tensor: tensor.Of([]int64{2}, 1, 1)})),
			[]string{"index 2", "[2 3]"},
		},
		{"GatherND index", oneNode("GatherND", list(onnxgraph.Tensor{Name: "i", Tensor: tensor.Of([]int64{0, -4}, 1, 2)})), []string{"index -4"}},
		{
			"ScatterND updates",
			oneNode("ScatterND", list(onnxgraph.Tensor{Name: "i", Tensor: tensor.Of([]int64{0}, 1, 1)}, floats("u", 1, 2))),
			[]string{"[1 2]", "[2 3]"},
		},
		{"TopK", oneNode("TopK", list(ints64("k", 4))), []string{"[4]", "3"}},
		{"OneHot depth", oneNode("OneHot", list(ints64("d", -1), floats("v", 2))), []string{"depth", "-1"}},
		{"Conv", oneNode("Conv", list(floats("w", 1, 1, 2))), []string{"[1 1 2]", "[2 3]"}},
		{"MaxPool", oneNode("MaxPool", nil, "kernel_shape", []int64{2}), []string{"[2 3]"}},
		{"Einsum", oneNode("Einsum", nil, "equation", "ii->i"), []string{"2", "3"}},
		{
			"Einsum of too many",
			graph(
				call("Constant", nil, []string{"s"}, "value_ints", []int64{128, 128, 128}),
				call("ConstantOfShape", []string{"s"}, []string{"c"}),
				call("Einsum", []string{"c", "c", "c"}, []string{"y"}, "equation", "abc,def,ghi->"),
			),
			[]string{"[128 128 ", "too many"},
		},
		{
			"BatchNormalization",
			oneNode("BatchNormalization", list(floats("a", 2), floats("b", 3), floats("c", 3), floats("d", 3))),
			[]string{"[2]", "[3]"},
		},
		{
			"Div by 0",
			graph(
				call("Shape", []string{"x"}, []string{"s"}), call("Constant", nil, []string{"c"}, "value_int", int64(0)),
				call("Div", []string{"s", "c"}, []string{"y"}),
			),
			[]string{"by 0"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			session, err := New().Open(marshal(t, test.model))
			if err == nil {
				_, err = session.Run(context.Background(), tensors{"x": x23})
			}
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range append(test.want, "node") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error does not have %s: %v", want, err)
				}
			}
		})
	}
}

// TestEmpty runs layers on no steps, whose last state is the first, and on no
// rows.
func TestEmpty(t *testing.T) {
	h, c := floats("h", 1, 2, 2), floats("c", 1, 2, 2)
	session := open(t, layer("LSTM", setInput(5, h), setInput(6, c)))
	results := run(t, session, tensors{"x": tensor.Of([]float32{}, 0, 2, 3)})
	for name, want := range (tensors{"y": tensor.Of([]float32{}, 0, 1, 2, 2), "hn": valueOf(h), "cn": valueOf(c)}) {
		if err := onnxtest.Compare(results[name], want, 0, 0); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, op := range []string{"RNN", "GRU", "LSTM"} {
		results := run(t, open(t, layer(op)), tensors{"x": tensor.Of([]float32{}, 5, 0, 3)})
		if err := onnxtest.Compare(results["hn"], tensor.Of([]float32{}, 1, 0, 2), 0, 0); err != nil {
			t.Errorf("%s: %v", op, err)
		}
	}
}

// TestDirections holds the reverse and the bidirectional layer against forward
// layers, which ONNX's tests and ONNX Runtime prove: reverse is forward on the
// steps in reverse order.
func TestDirections(t *testing.T) {
	const time, batch = 5, 2
	x := valueOf(floats("x", time, batch, 3))
	for op, gates := range map[string]int{"RNN": 1, "GRU": 3, "LSTM": 4} {
		weights := []onnxgraph.Tensor{
			floats("W2", 2, gates*2, 3), floats("R2", 2, gates*2, 2), floats("B2", 2, gates*4), {},
			floats("h2", 2, batch, 2), floats("c2", 2, batch, 2),
		}
		if op != "LSTM" {
			weights = weights[:5]
		}
		build := func(part int, direction string) engine.Session { // part is -1 for both
			m := layer(op, set("direction", direction))
			m.Graph.Initializers = nil
			for i, w := range weights {
				if w.Data == nil {
					continue
				}
				if part >= 0 {
					n := len(w.Data.([]float32)) / 2
					w.Shape, w.Data = append([]int{1}, w.Shape[1:]...), w.Data.([]float32)[part*n:(part+1)*n]
				}
				setInput(i+1, w)(m)
			}
			return open(t, m)
		}
		both := run(t, build(-1, "bidirectional"), tensors{"x": x})
		forward := run(t, build(0, "forward"), tensors{"x": x})
		reverse := run(t, build(1, "reverse"), tensors{"x": x})
		flipped := run(t, build(1, "forward"), tensors{"x": flip(x, time)})
		flipped["y"] = flip(flipped["y"], time)
		for name := range forward {
			if err := onnxtest.Compare(reverse[name], flipped[name], 0, 0); err != nil {
				t.Errorf("%s reverse %s: %v", op, name, err)
			}
			steps := 1
			if name == "y" {
				steps = time
			}
			if err := onnxtest.Compare(both[name], join(forward[name], reverse[name], steps), 0, 0); err != nil {
				t.Errorf("%s bidirectional %s: %v", op, name, err)
			}
		}
	}
}

// flip returns t with its steps in reverse order.
func flip(t tensor.Tensor, time int) tensor.Tensor {
	var data []float32
	for _, step := range slices.Backward(slices.Collect(slices.Chunk(t.Data.([]float32), t.Len()/time))) {
		data = append(data, step...)
	}
	return tensor.Of(data, t.Shape...)
}

// join returns [steps, 2, ...] or [2, ...] of a and b, each with one direction.
func join(a, b tensor.Tensor, steps int) tensor.Tensor {
	var data []float32
	n := a.Len() / steps
	for i := range steps {
		data = append(data, a.Data.([]float32)[i*n:(i+1)*n]...)
		data = append(data, b.Data.([]float32)[i*n:(i+1)*n]...)
	}
	shape := slices.Clone(a.Shape)
	shape[len(shape)-3] = 2
	return tensor.Of(data, shape...)
}

// stateful returns an LSTM whose states are inputs that may be left out.
func stateful() *onnxgraph.Model {
	return layer("LSTM", setInput(5, floats("h0", 1, 1, 2)), setInput(6, floats("c0", 1, 1, 2)), func(m *onnxgraph.Model) {
		for _, name := range []string{"h0", "c0"} {
			m.Graph.Inputs = append(m.Graph.Inputs, onnxgraph.Value{
				Name: name, Type: onnxgraph.Float32, Shape: []onnxgraph.Dim{{Size: 1}, {Symbol: "batch"}, {Size: 2}},
			})
		}
	})
}

// TestState feeds the state back step by step, and leaves it out.
func TestState(t *testing.T) {
	const time = 4
	session := open(t, stateful())
	if in := session.Inputs(); in[0].Optional || !in[1].Optional || !in[2].Optional {
		t.Errorf("inputs are %+v", in)
	}
	x := floats("x", time, 1, 3)
	whole := run(t, session, tensors{"x": valueOf(x)})
	inputs := tensors{}
	for i := range time {
		inputs["x"] = tensor.Of(x.Data.([]float32)[3*i:3*i+3], 1, 1, 3)
		step := run(t, session, inputs)
		if err := onnxtest.Compare(step["hn"], tensor.Of(whole["y"].Data.([]float32)[2*i:2*i+2], 1, 1, 2), 1e-6, 0); err != nil {
			t.Errorf("step %d: %v", i, err)
		}
		inputs["h0"], inputs["c0"] = step["hn"], step["cn"]
	}
	if err := onnxtest.Compare(inputs["c0"], whole["cn"], 1e-6, 0); err != nil {
		t.Error(err)
	}
	again := run(t, session, tensors{"x": valueOf(x)})
	if err := onnxtest.Compare(again["y"], whole["y"], 0, 0); err != nil {
		t.Errorf("the state of an earlier run shows: %v", err)
	}
}

func TestSession(t *testing.T) {
	m := stateful()
	m.Metadata = []onnxgraph.Property{{Key: "k", Value: "v"}}
	// A node that cannot run, for an output that few ask for.
	m.Graph.Nodes = append(m.Graph.Nodes, call("Add", []string{"y", "W"}, []string{"bad"}))
	m.Graph.Outputs = append(m.Graph.Outputs, onnxgraph.Value{Name: "bad"}, onnxgraph.Value{Name: "x"}, onnxgraph.Value{Name: "W"})
	session := open(t, m)
	for what, test := range map[string]struct {
		got  any
		want string
	}{
		"the inputs":   {session.Inputs(), "[x float32[time, batch, 3] h0 float32[1, batch, 2] c0 float32[1, batch, 2]]"},
		"the metadata": {session.Metadata(), "map[k:v]"},
		"the engine":   {New(), "native"},
		"the outputs": {
			session.Outputs(),
			"[y float32[...] hn float32[...] cn float32[...] bad float32[...] x float32[...] W float32[1, 8, 3]]",
		},
	} {
		if got := fmt.Sprint(test.got); got != test.want {
			t.Errorf("%s: %s, want %s", what, got, test.want)
		}
	}

	x := valueOf(floats("x", 5, 1, 3))
	inputs := tensors{"x": x}
	results := run(t, session, inputs, "hn", "x", "W")
	if len(results) != 3 {
		t.Errorf("got %v", results)
	}
	if err := onnxtest.Compare(results["x"], x, 0, 0); err != nil {
		t.Error(err)
	}
	first := func(v tensor.Tensor) *float32 { return &v.Data.([]float32)[0] }
	*first(results["x"])++
	*first(results["W"])++
	again := run(t, session, inputs, "x", "W")
	if *first(x) == *first(results["x"]) || *first(again["x"]) != *first(x) {
		t.Error("a result shares memory with the input")
	}
	if *first(again["W"]) == *first(results["W"]) {
		t.Error("a result shares memory with the session")
	}

	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := session.Run(canceled, inputs, "y"); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	for _, test := range []struct {
		inputs  tensors
		outputs []string
		want    string
	}{
		{inputs, nil, `node 1 (Add "n")`},
		{inputs, []string{"z"}, `output "z"`},
		{tensors{}, nil, `"x" is missing`},
		{tensors{"x": x, "q": x}, nil, `"q"`},
		{tensors{"x": tensor.Of(make([]float32, 4), 1, 1, 4)}, nil, `"x"`},
		{tensors{"x": x, "h0": tensor.Of(make([]float32, 4), 1, 2, 2)}, nil, "initial_h"},
	} {
		if _, err := session.Run(context.Background(), test.inputs, test.outputs...); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error does not have %s: %v", test.want, err)
		}
	}

	for range 2 {
		if err := session.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := session.Run(context.Background(), inputs, "y"); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("after Close: %v", err)
	}
}

// TestRunInto writes to tensors of the caller, of which it keeps the memory where
// that is enough.
func TestRunInto(t *testing.T) {
	session := open(t, layer("LSTM"))
	outputs := tensors{"y": {}, "hn": tensor.Of([]int64{1})}
	for _, time := range []int{4, 6, 3} {
		x := tensors{"x": valueOf(floats("x", time, 2, 3))}
		before, _ := outputs["y"].Data.([]float32)
		if err := runInto(session, x, outputs); err != nil {
			t.Fatal(err)
		}
		want := run(t, session, x, "y", "hn")
		for name := range want {
			if err := onnxtest.Compare(outputs[name], want[name], 0, 0); err != nil {
				t.Errorf("%d steps: %s: %v", time, name, err)
			}
		}
		if after := outputs["y"].Data.([]float32); len(outputs) != 2 || cap(before) >= len(after) && &before[0] != &after[0] {
			t.Errorf("%d steps: new memory, or %d outputs", time, len(outputs))
		}
	}
	if err := runInto(session, tensors{}, outputs); err == nil {
		t.Error("an input is missing")
	}
	if err := runInto(session, tensors{"x": valueOf(floats("x", 1, 1, 3))}, tensors{"z": {}}); err == nil || !strings.Contains(err.Error(), `"z"`) {
		t.Errorf("the error is %v", err)
	}
}

// TestRunIntoSharedShape writes to a tensor that has its Shape in common with the
// input, which must keep its own.
func TestRunIntoSharedShape(t *testing.T) {
	session := open(t, oneNode("Transpose", nil))
	shape := []int{2, 3}
	x, y := tensor.Of([]float32{1, 2, 3, 4, 5, 6}, shape...), tensor.Of(make([]float32, 6), shape...)
	for range 2 {
		if err := session.(engine.Refiller).RunInto(t.Context(), []*tensor.Tensor{&x}, []*tensor.Tensor{&y}); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(x, y) != "{[2 3] [1 2 3 4 5 6]} {[3 2] [1 4 2 5 3 6]}" {
			t.Errorf("the tensors are %v, %v", x, y)
		}
	}
}

// TestAnyShape feeds an input that declares no shape, and one of an old file, in
// which every initializer is an input too.
func TestAnyShape(t *testing.T) {
	m := oneNode("Add", []onnxgraph.Tensor{floats("b", 3)})
	m.Graph.Inputs[0].Shape = nil
	m.IRVersion = 3
	m.Graph.Inputs = append(m.Graph.Inputs, onnxgraph.Value{Name: "b", Type: onnxgraph.Float32, Shape: []onnxgraph.Dim{{Size: 3}}})
	session := open(t, m)
	if s := fmt.Sprint(session.Inputs()); s != "[x float32[...]]" {
		t.Errorf("the inputs are %s", s)
	}
	for _, x := range []tensor.Tensor{x23, tensor.Of([]float32{1}), tensor.Of([]float32{}, 0, 1)} {
		if y := run(t, session, tensors{"x": x})["y"]; y.Len() != x.Len() && x.Len() != 1 {
			t.Errorf("%v gave %v", x, y)
		}
	}
}

// TestShapesByElements runs a session again on inputs of the same shapes, whose
// elements ask for other shapes: of a value directly, and of what is made of it.
func TestShapesByElements(t *testing.T) {
	m := graph(
		call("Reshape", []string{"x", "shape"}, []string{"r"}),
		call("Neg", []string{"r"}, []string{"n"}),
		call("Shape", []string{"n"}, []string{"s"}),
		call("Expand", []string{"zero", "s"}, []string{"e"}),
		call("Add", []string{"e", "n"}, []string{"y"}))
	m.Graph.Inputs = append(m.Graph.Inputs, onnxgraph.Value{Name: "shape", Type: onnxgraph.Int64, Shape: []onnxgraph.Dim{{Size: 2}}})
	m.Graph.Initializers = []onnxgraph.Tensor{{Name: "zero", Tensor: tensor.Of([]float32{0}, 1)}}
	session := open(t, m)
	for _, shape := range [][]int64{{2, 3}, {2, 3}, {3, 2}, {1, 6}, {1, 6}} {
		y := run(t, session, tensors{"x": x23, "shape": tensor.Of(shape, 2)})["y"]
		if fmt.Sprint(y.Shape) != fmt.Sprint(shape) {
			t.Errorf("the shape is %v, not %v", y.Shape, shape)
		}
	}
}

// TestMany opens and runs a graph with many of everything, in a time that does
// not grow with their square.
func TestMany(t *testing.T) {
	n := 60_000
	if testing.Short() {
		n = 20_000
	}
	m := graph()
	split := call("Split", []string{"wide"}, nil, "axis", int64(0))
	for i := range n {
		split.Outputs = append(split.Outputs, fmt.Sprint("s", i))
		m.Graph.Nodes = append(m.Graph.Nodes, call("Neg", []string{fmt.Sprint("s", i)}, []string{fmt.Sprint("n", i)}))
		m.Graph.Outputs = append(m.Graph.Outputs, onnxgraph.Value{Name: fmt.Sprint("n", i)})
		m.Graph.Initializers = append(m.Graph.Initializers, floats(fmt.Sprint("w", i), 1))
	}
	m.Graph.Nodes = append([]onnxgraph.Node{split, call("Identity", []string{"x"}, []string{"y"})}, m.Graph.Nodes...)
	m.Graph.Inputs = append(m.Graph.Inputs, onnxgraph.Value{Name: "wide", Type: onnxgraph.Float32, Shape: []onnxgraph.Dim{{Symbol: "n"}}})
	results := run(t, open(t, m), tensors{"x": x23, "wide": valueOf(floats("wide", n))})
	if len(results) != n+1 {
		t.Errorf("got %d results", len(results))
	}
	m.Graph.Nodes = slices.Repeat(m.Graph.Nodes, maxNodes/len(m.Graph.Nodes)+1)
	if _, err := New().Open(marshal(t, m)); err == nil || !strings.Contains(err.Error(), fmt.Sprint(len(m.Graph.Nodes))) {
		t.Errorf("the error is %v", err)
	}
}

// TestMemory runs a layer that stays within the limit, and then one that would
// not. What the steps of one go take does not grow with the time.
func TestMemory(t *testing.T) {
	m := layer("LSTM")
	m.Graph.Outputs = m.Graph.Outputs[1:] // without y
	session, err := New(MaxMemory(1 << 16)).Open(marshal(t, m))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		run(t, session, tensors{"x": valueOf(floats("x", 10_000, 2, 3))})
	}
	_, err = session.Run(context.Background(), tensors{"x": valueOf(floats("x", 1, 1000, 3))})
	if err == nil || !strings.Contains(err.Error(), "1000 rows for hidden_size 2 are too many") {
		t.Errorf("error is %v", err)
	}
}

// TestMemoryOfWeights runs models within a limit that has room for the weights of the
// file, but not for what is laid out of those that a run is given.
func TestMemoryOfWeights(t *testing.T) {
	const hidden, limit = 64, 1 << 16
	weights := func(gates int) edit {
		return func(m *onnxgraph.Model) {
			m.Graph.Initializers = []onnxgraph.Tensor{
				floats("W", 1, gates*hidden, 3), floats("R", 1, gates*hidden, hidden), floats("B", 1, 2*gates*hidden),
			}
		}
	}
	gemm := oneNode("Gemm", []onnxgraph.Tensor{floats("W", 200, 200)}, "transB", int64(1))
	gemm.Graph.Inputs[0].Shape = []onnxgraph.Dim{{Size: 1}, {Size: 200}}
	for name, m := range map[string]*onnxgraph.Model{
		"LSTM":        layer("LSTM", set("hidden_size", int64(hidden)), weights(4)),
		"general GRU": layer("GRU", set("hidden_size", int64(hidden)), set("linear_before_reset", int64(0)), weights(3)),
		"Gemm":        gemm,
	} {
		x := tensors{"x": valueOf(floats("x", 1, 1, 3))}
		if name == "Gemm" {
			x["x"] = valueOf(floats("x", 1, 200))
		}
		try := func(limit int) error {
			session, err := New(MaxMemory(limit)).Open(marshal(t, m))
			for i := 0; i < 3 && err == nil; i++ {
				_, err = session.Run(t.Context(), x)
			}
			return err
		}
		if err := try(limit); err != nil {
			t.Errorf("%s, weights of the file: %v", name, err)
		}
		m.Graph.Inputs = append(m.Graph.Inputs, onnxgraph.Value{Name: "W", Type: onnxgraph.Float32})
		if err := try(limit); err == nil || !strings.Contains(err.Error(), "allow more memory") {
			t.Errorf("%s, weights of the run: the error is %v", name, err)
		}
		if err := try(8 * limit); err != nil {
			t.Errorf("%s, weights of the run, with more memory: %v", name, err)
		}
	}
}

func TestConcurrentRuns(t *testing.T) {
	session := open(t, stateful())
	var wg sync.WaitGroup
	for i := range 8 {
		x := valueOf(floats(strings.Repeat("x", i+1), 3+i, 1, 3))
		want := run(t, open(t, stateful()), tensors{"x": x})
		wg.Go(func() {
			for range 50 {
				got, err := session.Run(context.Background(), tensors{"x": x})
				if err != nil {
					t.Error(err)
					return
				}
				for name := range want {
					if err := onnxtest.Compare(got[name], want[name], 0, 0); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
			}
		})
	}
	wg.Wait()
}

// everything returns a graph in which each operator is used once or more.
func everything() *onnxgraph.Model {
	m := stateful()
	g := &m.Graph
	g.Initializers = append(g.Initializers, ints64("zero", 0), ints64("one", 1), ints64("rows", 0, -1), floats("M", 2, 4), floats("b", 4))
	g.Nodes = slices.Concat([]onnxgraph.Node{
		call("Shape", []string{"x"}, []string{"shape"}),
		call("Gather", []string{"shape", "one"}, []string{"batch"}),
		call("Concat", []string{"one", "batch", "one"}, []string{"wide"}, "axis", int64(0)),
		call("Expand", []string{"h0", "wide"}, []string{"h"}),
		call("Expand", []string{"c0", "wide"}, []string{"c"}),
	}, g.Nodes, []onnxgraph.Node{
		call("Squeeze", []string{"y", "one"}, []string{"steps"}),
		call("Transpose", []string{"steps"}, []string{"hidden"}, "perm", []int64{1, 0, 2}),
		call("MatMul", []string{"hidden", "M"}, []string{"product"}),
		call("Add", []string{"product", "b"}, []string{"sum"}),
		call("Mul", []string{"sum", "b"}, []string{"scaled"}),
		call("Sub", []string{"scaled", "sum"}, []string{"less"}),
		call("Div", []string{"less", "b"}, []string{"quotient"}),
		call("Split", []string{"quotient"}, []string{"left", "right"}, "axis", int64(2)),
		call("Constant", nil, []string{"k"}, "value_float", float32(2)),
		call("Add", []string{"right", "k"}, []string{"more"}),
		call("Reshape", []string{"more", "rows"}, []string{"flat"}),
		call("Unsqueeze", []string{"flat", "zero"}, []string{"lifted"}),
		call("Softmax", []string{"lifted"}, []string{"shares"}, "axis", int64(1)),
		call("LogSoftmax", []string{"shares"}, []string{"logs"}),
		call("MaxPool", []string{"logs"}, []string{"highest"}, "kernel_shape", []int64{3}, "pads", []int64{1, 1}),
		call("AveragePool", []string{"highest"}, []string{"means"}, "kernel_shape", []int64{3}, "pads", []int64{1, 1}),
		call("Relu", []string{"means"}, []string{"positive"}),
		call("Sigmoid", []string{"positive"}, []string{"squashed"}),
		call("Tanh", []string{"squashed"}, []string{"squeezed"}),
		call("Identity", []string{"squeezed"}, []string{"out"}),
	})
	for i := range g.Nodes {
		if n := &g.Nodes[i]; n.OpType == "LSTM" {
			n.Inputs[5], n.Inputs[6] = "h", "c"
		}
	}
	g.Outputs = []onnxgraph.Value{{Name: "out"}, {Name: "hn"}, {Name: "left"}}
	return m
}

// TestAllocations runs twice on each shape, the second time without allocating.
func TestAllocations(t *testing.T) {
	r := runnerOf(t, everything())
	p, ctx := r.program, context.Background()
	for _, time := range []int{7, 4} {
		x, out := valueOf(floats("x", time, 3, 3)), tensor.Tensor{}
		inputs, outputs := make([]*tensor.Tensor, len(p.inputs)), make([]*tensor.Tensor, len(p.outputs))
		inputs[0], outputs[0] = &x, &out
		again := func() {
			if err := r.run(ctx, inputs, outputs); err != nil {
				t.Fatal(err)
			}
		}
		again()
		if n := testing.AllocsPerRun(20, again); n > 0 {
			t.Errorf("a run on %d steps allocates %v times", time, n)
		}
	}
	if r.inputs[0].(*array[float32]).data != nil {
		t.Error("the runner keeps the caller's input")
	}
}

// TestRunsLeaveNoTrace runs a session on one input after the other, of shapes old
// and new, with the state and without, for one output and for all, and compares
// with a session that is used once.
func TestRunsLeaveNoTrace(t *testing.T) {
	model, err := os.ReadFile("../testdata/sine.onnx")
	if err != nil {
		t.Fatal(err)
	}
	openModel := func() engine.Session {
		s, err := New().Open(model)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	session := openModel()
	rng := rand.New(rand.NewPCG(1, 2))
	values := func(shape ...int) tensor.Tensor {
		n, _ := product(shape...)
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		return tensor.Of(x, shape...)
	}
	for i := range 200 {
		batch, time := 1+rng.IntN(2), 1+rng.IntN(2)
		inputs := tensors{"input": values(batch, time, 1)}
		if rng.IntN(2) == 0 {
			inputs["h0"], inputs["c0"] = values(1, batch, 32), values(1, batch, 32)
		}
		var outputs []string
		if rng.IntN(2) == 0 {
			outputs = []string{"hn", "output"}
		}
		got := run(t, session, inputs, outputs...)
		want := run(t, openModel(), inputs, outputs...)
		for name, w := range want {
			if g := got[name]; !slices.Equal(g.Shape, w.Shape) || !slices.Equal(g.Data.([]float32), w.Data.([]float32)) {
				t.Fatalf("run %d: %s is %v, not %v", i, name, g, w)
			}
		}
	}
}

func BenchmarkLSTM(b *testing.B) {
	session := open(b, layer("LSTM", set("hidden_size", int64(32)), func(m *onnxgraph.Model) {
		m.Graph.Inputs[0].Shape[2].Size = 1
		m.Graph.Initializers = []onnxgraph.Tensor{floats("W", 1, 128, 1), floats("R", 1, 128, 32), floats("B", 1, 256)}
	}))
	for _, batch := range []int{1, 256} {
		b.Run(fmt.Sprint("batch=", batch), func(b *testing.B) {
			inputs := tensors{"x": valueOf(floats("x", 50, batch, 1))}
			b.ReportAllocs()
			for b.Loop() {
				run(b, session, inputs, "hn")
			}
		})
	}
}

// TestOpenEnds opens a model in a context that ends while its operators are built.
func TestOpenEnds(t *testing.T) {
	model := marshal(t, everything())
	for calls := range 3 {
		_, err := engine.Open(&canceledLater{Context: t.Context(), calls: calls}, New(), model)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("after %d looks at the context the error is %v", calls, err)
		}
	}
}
