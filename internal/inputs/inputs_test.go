package inputs

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/onnxtest"
	"github.com/rnnkit/rnnkit/internal/testenv"
)

// checkLayouts compares the layouts of a model's inputs with want, which marks states
// with a *.
func checkLayouts(t *testing.T, path string, want ...string) {
	t.Helper()
	list, err := Of(onnxtest.ReadModel(t, path), nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, in := range list {
		layout := in.Layout
		if in.State {
			layout += "*"
		}
		got = append(got, layout)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: layouts %v, not %v", path, got, want)
	}
}

// TestLayouts uses models whose layouts are known from the modules that exported
// them.
func TestLayouts(t *testing.T) {
	for name, want := range map[string][]string{
		"last_dynamo":           {"btf"},
		"all_bi_dynamo":         {"tbf"},
		"all_bi_torchscript":    {"tbf"},
		"tokens_torchscript":    {"bt"},
		"state_dynamo":          {"btf", "fbf*", "fbf*"},
		"state_torchscript":     {"btf", "fbf*", "fbf*"},
		"attention_torchscript": {"btf"},
	} {
		checkLayouts(t, filepath.Join("../../cmd/rnnkit/internal/repair/testdata", name+".onnx"), want...)
	}
}

func TestSharedLayouts(t *testing.T) {
	for name, want := range map[string][]string{
		"dtln_model_1":            {"btf", "bfff*"},
		"ecg_bilstm_keras":        {"btf"},
		"fairtalk_lstm_app":       {"btf"},
		"nnsplit_de":              {"bt"},
		"silero_vad_openvino_16k": {"bf", "fbf*"},
		"silero_vad_v4_legacy":    {"bt", "", "fbf*", "fbf*"},
	} {
		checkLayouts(t, testenv.Shared(t, "models", name, "model.onnx"), want...)
	}
	checkLayouts(t, testenv.Shared(t, "field/f13-state-of-unnamed-dims-taken-for-time/vadlike.onnx"), "bt", "fbf*", "")
	checkLayouts(t, testenv.Shared(t, "field/engine/classify_channels_first/model.onnx"), "bft")
}

func value(typ onnxgraph.DataType, dims ...onnxgraph.Dim) onnxgraph.Value {
	return onnxgraph.Value{Name: "x", Type: typ, Shape: dims}
}

func TestObvious(t *testing.T) {
	n, batch, open, three := onnxgraph.Dim{Symbol: "n"}, onnxgraph.Dim{Symbol: "batch"}, onnxgraph.Dim{Size: -1}, onnxgraph.Dim{Size: 3}
	for want, v := range map[string]onnxgraph.Value{
		"":     value(onnxgraph.Int64),
		"b":    value(onnxgraph.Float32, n),
		"bf":   value(onnxgraph.Float32, n, three),
		"bt":   value(onnxgraph.Float32, n, open),
		"btf":  value(onnxgraph.Float32, n, three, three),
		"btff": value(onnxgraph.Float32, three, three, three, three),
		"bfft": value(onnxgraph.Float32, n, three, three, onnxgraph.Dim{Symbol: "W"}), // an image of any width
		"bfff": value(onnxgraph.Float32, batch, three, three, three),
		"bft":  value(onnxgraph.Float32, batch, three, open),
		"tbf":  value(onnxgraph.Float32, onnxgraph.Dim{Symbol: "seq_len"}, onnxgraph.Dim{Symbol: "Batch"}, three),
		"fbf":  value(onnxgraph.Float32, three, onnxgraph.Dim{Symbol: "batch_size"}, three),
	} {
		if got := obvious(v); got != want {
			t.Errorf("%v: %q, not %q", v, got, want)
		}
	}
	if got := obvious(value(onnxgraph.Float32, n, open, three, open)); got != "btff" {
		t.Errorf("two open dimensions: %q", got)
	}
	if got := obvious(value(onnxgraph.Int64, three, three)); got != "bt" {
		t.Errorf("tokens: %q", got)
	}
}

// TestContradiction uses dimensions whose names contradict the graph.
func TestContradiction(t *testing.T) {
	n, three := onnxgraph.Dim{Symbol: "n"}, onnxgraph.Dim{Size: 3}
	batch, time := onnxgraph.Dim{Symbol: "batch_size"}, onnxgraph.Dim{Symbol: "seq_len"}
	for _, test := range []struct {
		dims  []onnxgraph.Dim
		other string
	}{
		{[]onnxgraph.Dim{time, batch, three}, ""},
		{[]onnxgraph.Dim{n, n, three}, ""},
		{[]onnxgraph.Dim{batch, time, three}, "btf"},
		{[]onnxgraph.Dim{batch, n, three}, "btf"},
		{[]onnxgraph.Dim{n, time, three}, "btf"},
	} {
		m := &onnxgraph.Model{Graph: onnxgraph.Graph{
			Inputs: []onnxgraph.Value{value(onnxgraph.Float32, test.dims...)}, Nodes: []onnxgraph.Node{node("LSTM", "x w r", "y")},
		}}
		list, err := Of(m, nil)
		if err != nil || list[0].Layout != "tbf" || list[0].Other != test.other {
			t.Errorf("%v: %+v, not tbf and %q (%v)", test.dims, list, test.other, err)
		}
	}
}

func node(op, inputs, outputs string, attributes ...onnxgraph.Attribute) onnxgraph.Node {
	return onnxgraph.Node{OpType: op, Inputs: strings.Fields(inputs), Outputs: strings.Fields(outputs), Attributes: attributes}
}

// TestWithin uses states with unnamed dimensions that only subgraphs read.
func TestWithin(t *testing.T) {
	open, two, four := onnxgraph.Dim{Size: -1}, onnxgraph.Dim{Size: 2}, onnxgraph.Dim{Size: 4}
	graph := func(inputs string, nodes ...onnxgraph.Node) *onnxgraph.Graph {
		g := &onnxgraph.Graph{Nodes: nodes}
		for _, name := range strings.Fields(inputs) {
			g.Inputs = append(g.Inputs, onnxgraph.Value{Name: name})
		}
		return g
	}
	body := func(g *onnxgraph.Graph) onnxgraph.Attribute { return onnxgraph.Attribute{Name: "body", Value: g} }
	branch := func(nodes ...onnxgraph.Node) onnxgraph.Attribute {
		return onnxgraph.Attribute{Name: "then_branch", Value: graph("", nodes...)}
	}
	batchFirst := onnxgraph.Attribute{Name: "perm", Value: []int64{1, 0, 2}}
	x := onnxgraph.Value{Name: "x", Type: onnxgraph.Float32, Shape: []onnxgraph.Dim{open, open}}
	state := onnxgraph.Value{Name: "s", Type: onnxgraph.Float32, Shape: []onnxgraph.Dim{two, open, four}}
	for _, test := range []struct {
		name  string
		state onnxgraph.Value
		nodes []onnxgraph.Node
		want  string // layout of the state
	}{
		{
			"If within If", state,
			[]onnxgraph.Node{node("If", "c", "y", branch(node("If", "c", "y", branch(node("GRU", "x w r b l s", "y")))))},
			"fbf",
		},
		{
			"Split in a branch", state,
			[]onnxgraph.Node{node("If", "c", "y", branch(node("Split", "s", "h k"), node("LSTM", "x w r b l h k", "y")))},
			"fbf",
		},
		{"batch first", onnxgraph.Value{Name: "s", Type: onnxgraph.Float32, Shape: []onnxgraph.Dim{open, two, four}},
			[]onnxgraph.Node{node("If", "c", "y", branch(node("Transpose", "s", "h", batchFirst), node("RNN", "x w r b l h", "y")))}, "bff"},
		{
			"carried by a Loop", state,
			[]onnxgraph.Node{node("Loop", "n c s", "z", body(graph("i c h", node("GRU", "x w r b l h", "y z"))))}, "fbf",
		},
		{"carried by a Scan", state, []onnxgraph.Node{node("Scan", "s x", "z y", onnxgraph.Attribute{Name: "num_scan_inputs", Value: int64(1)},
			body(graph("h part", node("GRU", "part w r b l h", "y z"))))}, "fbf"},
	} {
		m := &onnxgraph.Model{Graph: onnxgraph.Graph{Inputs: []onnxgraph.Value{x, test.state}, Nodes: test.nodes}}
		list, err := Of(m, nil)
		if err != nil {
			t.Fatal(err)
		}
		if s := list[1]; s.Layout != test.want || !s.State || list[0].State {
			t.Errorf("%s: layout %s, state %t, not %s", test.name, s.Layout, s.State, test.want)
		}
	}
}

// TestCache uses states that no recurrent node reads and that an output continues.
func TestCache(t *testing.T) {
	open, two, four := onnxgraph.Dim{Size: -1}, onnxgraph.Dim{Size: 2}, onnxgraph.Dim{Size: 4}
	batch := onnxgraph.Dim{Symbol: "Batch_size"}
	for want, shape := range map[string][]onnxgraph.Dim{"fbf": {two, open, four}, "ffbf": {two, open, batch, four}, "bff": {two, two, four}} {
		s := onnxgraph.Value{Name: "state", Type: onnxgraph.Float32, Shape: shape}
		m := &onnxgraph.Model{Graph: onnxgraph.Graph{
			Inputs: []onnxgraph.Value{{Name: "x", Type: onnxgraph.Float32, Shape: []onnxgraph.Dim{open, open}}, s},
			Outputs: []onnxgraph.Value{
				{Name: "y", Type: onnxgraph.Float32, Shape: []onnxgraph.Dim{open}},
				{Name: "stateN", Type: onnxgraph.Float32, Shape: shape},
			},
			Nodes: []onnxgraph.Node{node("Custom", "x state", "y stateN")},
		}}
		list, err := Of(m, nil)
		if err != nil || list[1].Layout != want || !list[1].State {
			t.Errorf("%v: %+v, not %s (%v)", shape, list, want, err)
		}
	}
}

// TestConvolutions infers the time from convolutions in models without recurrent
// nodes, and returns both layouts where two convolutions differ.
func TestConvolutions(t *testing.T) {
	n, three := onnxgraph.Dim{Symbol: "n"}, onnxgraph.Dim{Size: 3}
	axes := func(name string, list ...int64) onnxgraph.Attribute {
		return onnxgraph.Attribute{Name: name, Value: list}
	}
	weights := []onnxgraph.Tensor{
		{Name: "k4", Tensor: tensor.Tensor{Shape: []int{8, 3, 1, 5}, Data: make([]float32, 120)}},
		{Name: "k", Tensor: tensor.Tensor{Shape: []int{8, 3, 5}, Data: make([]float32, 120)}},
		{Name: "single", Tensor: tensor.Tensor{Shape: []int{8, 1, 1, 5}, Data: make([]float32, 40)}},
	}
	single := []onnxgraph.Node{
		node("Unsqueeze", "x", "u", axes("axes", 1)), node("Reshape", "u shape", "s"), node("Conv", "s single", "y"),
	} // tf2onnx moves a single channel like this
	for _, test := range []struct {
		nodes         []onnxgraph.Node
		layout, other string
	}{
		{[]onnxgraph.Node{node("BatchNormalization", "x s b m v", "z"), node("MaxPool", "z", "p"), node("Conv", "p k", "y")}, "bft", ""},
		{
			[]onnxgraph.Node{
				node("Conv", "x k", "y"),
				node("Transpose", "x", "z", onnxgraph.Attribute{Name: "perm", Value: []int64{1, 0, 2}}),
				node("LSTM", "z w r", "h"),
			},
			"btf", "bft",
		},
		{[]onnxgraph.Node{node("Conv", "x square", "y")}, "btf", "bft"},
		{
			[]onnxgraph.Node{
				node("Transpose", "x", "z", axes("perm", 0, 2, 1)), node("Unsqueeze", "z", "u", axes("axes", 2)),
				node("Conv", "u k4", "y"),
			},
			"btf", "",
		},
		{single, "btf", ""},
		{
			append(
				slices.Clone(single), node("Squeeze", "y", "q", axes("axes", 2)),
				node("Transpose", "q", "z", axes("perm", 2, 0, 1)), node("LSTM", "z w r", "h"),
			),
			"btf", "",
		},
		{[]onnxgraph.Node{node("Flatten", "x", "y")}, "btf", "bft"},
	} {
		m := &onnxgraph.Model{Graph: onnxgraph.Graph{
			Inputs: []onnxgraph.Value{value(onnxgraph.Float32, n, three, three)}, Nodes: test.nodes, Initializers: weights,
		}}
		list, err := Of(m, nil)
		if err != nil || list[0].Layout != test.layout || list[0].Other != test.other {
			t.Errorf("%v: %+v, not %s and %s (%v)", test.nodes, list, test.layout, test.other, err)
		}
	}
}

// TestQuantised follows the graph back through the nodes that quantization inserts.
func TestQuantised(t *testing.T) {
	m := &onnxgraph.Model{Graph: onnxgraph.Graph{
		Inputs: []onnxgraph.Value{
			value(onnxgraph.Float32, onnxgraph.Dim{Symbol: "n"}, onnxgraph.Dim{Symbol: "m"}, onnxgraph.Dim{Size: 3}),
			{Name: "tokens", Type: onnxgraph.Int64, Shape: []onnxgraph.Dim{{Symbol: "n"}, {Symbol: "m"}}},
		},
		Initializers: []onnxgraph.Tensor{
			{Name: "table", Tensor: tensor.Tensor{Shape: []int{40, 8}, Data: onnxgraph.Int8}},
			{Name: "w", Tensor: tensor.Tensor{Shape: []int{3, 3}, Data: onnxgraph.Int8}},
		},
		Nodes: []onnxgraph.Node{
			node("DynamicQuantizeLinear", "x", "q scale zero"),
			node("MatMulInteger", "q w zero", "product"),
			node("Cast", "product", "floats"),
			{Domain: "com.microsoft", OpType: "DynamicQuantizeLSTM", Inputs: []string{"floats", "w", "w"}, Outputs: []string{"y"}},
			node("Gather", "table tokens", "embedded"),
			node("DequantizeLinear", "embedded", "vectors"),
			node("GRU", "vectors w w", "z"),
		},
	}}
	list, err := Of(m, nil)
	if err != nil || len(list) != 2 {
		t.Fatal(list, err)
	}
	if x, tokens := list[0], list[1]; x.Layout != "tbf" || tokens.Layout != "tb" || tokens.Limit != 40 {
		t.Errorf("layouts %s and %s, not tbf and tb; tokens below %d, not 40", x.Layout, tokens.Layout, tokens.Limit)
	}
}

func TestOfRefuses(t *testing.T) {
	m := onnxtest.ReadModel(t, "../../cmd/rnnkit/internal/repair/testdata/last_dynamo.onnx")
	for layout, want := range map[string]string{
		"bt": "has 2 letters", "bbf": "b or t twice", "bxf": "other letters than b, t and f", "": "has 0 letters",
	} {
		if _, err := Of(m, map[string]string{"x": layout}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", layout, err, want)
		}
	}
	if _, err := Of(m, map[string]string{"y": "btf"}); err == nil || !strings.Contains(err.Error(), `no input "y"`) {
		t.Error(err)
	}
}

// TestRandom draws values of every type: integers stay below the limit, and the same
// seed gives the same values.
func TestRandom(t *testing.T) {
	for _, typ := range []tensor.Type{tensor.Float16, tensor.Float32, tensor.Float64, tensor.Int32, tensor.Int64, tensor.Uint8, tensor.Bool} {
		in := Input{Layout: "bt", Limit: 5}
		in.Name, in.Type, in.Shape = "x", typ, []tensor.Dim{{Symbol: "n"}, {Size: 9}}
		one, err := Random([]Input{in}, nil, 20, 3, 7)
		if err != nil {
			t.Fatal(err)
		}
		x := one["x"]
		if x.Type() != typ || !slices.Equal(x.Shape, []int{20, 9}) || x.Len() != 180 {
			t.Errorf("%s: %s of shape %v", typ, x.Type(), x.Shape)
		}
		if tokens, ok := x.Data.([]int64); ok && (slices.Min(tokens) != 0 || slices.Max(tokens) != 4) {
			t.Errorf("tokens from %d to %d, not 0 to 4", slices.Min(tokens), slices.Max(tokens))
		}
		again, _ := Random([]Input{in}, nil, 20, 3, 7)
		other, _ := Random([]Input{in}, nil, 20, 3, 8)
		if fmt.Sprint(again) != fmt.Sprint(one) || fmt.Sprint(other) == fmt.Sprint(one) {
			t.Errorf("%s: the seed does not decide", typ)
		}
		if _, err := in.Random([]int{1 << 30, 1 << 30}, nil); err == nil {
			t.Errorf("%s: a tensor of 2^60 elements", typ)
		}
	}
	given := map[string]tensor.Tensor{"x": tensor.Of([]float32{1})}
	all, err := Random([]Input{{Info: tensor.Info{Name: "x"}}}, given, 1, 1, 1)
	if err != nil || fmt.Sprint(all) != fmt.Sprint(given) {
		t.Errorf("%v, %v", all, err)
	}
}

// Example infers the layouts of a graph that transposes the input of its LSTM.
func Example() {
	three := onnxgraph.Dim{Size: 3}
	m := &onnxgraph.Model{Graph: onnxgraph.Graph{
		Inputs: []onnxgraph.Value{
			{Name: "x", Type: onnxgraph.Float32, Shape: []onnxgraph.Dim{{Symbol: "n"}, {Symbol: "m"}, three}},
			{Name: "h", Type: onnxgraph.Float32, Shape: []onnxgraph.Dim{{Size: 1}, {Symbol: "n"}, three}},
		},
		Nodes: []onnxgraph.Node{
			{
				OpType: "Transpose", Inputs: []string{"x"}, Outputs: []string{"xt"},
				Attributes: []onnxgraph.Attribute{{Name: "perm", Value: []int64{1, 0, 2}}},
			},
			{OpType: "LSTM", Inputs: []string{"xt", "w", "r", "", "", "h"}, Outputs: []string{"y"}},
		},
	}}
	list, err := Of(m, nil)
	for _, in := range list {
		fmt.Println(in.Name, in.Layout, in.State, in.Sizes(8, 50), err)
	}
	// Output:
	// x btf false [8 50 3] <nil>
	// h fbf true [1 8 3] <nil>
}

// TestCastLike has an initial state that takes only its type from the sequence.
func TestCastLike(t *testing.T) {
	open := onnxgraph.Dim{Size: -1}
	m := &onnxgraph.Model{Graph: onnxgraph.Graph{
		Inputs: []onnxgraph.Value{value(onnxgraph.Float32, open, open, onnxgraph.Dim{Size: 3})},
		Nodes:  []onnxgraph.Node{node("CastLike", "zeros x", "h"), {OpType: "LSTM", Inputs: []string{"x", "w", "r", "", "", "h"}, Outputs: []string{"y"}}},
	}}
	list, err := Of(m, nil)
	if err != nil || list[0].Layout != "tbf" || list[0].Other != "" || list[0].State {
		t.Errorf("%+v (%v), not tbf and no state", list, err)
	}
}
