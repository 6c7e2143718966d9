package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// TestInspect shows a model that rnnkit did not make.
func TestInspect(t *testing.T) {
	branch := &onnxgraph.Graph{Name: "then", Nodes: []onnxgraph.Node{{OpType: "Relu"}, {OpType: "Gelu", Domain: "com.microsoft"}}}
	m := &onnxgraph.Model{
		IRVersion: 9, Producer: "tool", ProducerVersion: "2.1",
		Opsets:   []onnxgraph.Opset{{Version: 20}, {Domain: "com.microsoft", Version: 1}},
		Metadata: []onnxgraph.Property{{Key: "author", Value: "someone"}},
		Graph: onnxgraph.Graph{
			Inputs: []onnxgraph.Value{
				{Name: "x", Type: onnxgraph.Float32, Shape: []onnxgraph.Dim{{Symbol: "n"}, {Size: -1}, {Size: 3}}},
				{Name: "h", Type: onnxgraph.Float32, Shape: []onnxgraph.Dim{{Size: 2}}},
			},
			Outputs: []onnxgraph.Value{{Name: "y", Type: onnxgraph.Int64, Shape: []onnxgraph.Dim{}}},
			Nodes: []onnxgraph.Node{
				{OpType: "If", Attributes: []onnxgraph.Attribute{{Name: "then_branch", Value: branch}}}, {OpType: "Relu"},
			},
			Initializers: []onnxgraph.Tensor{
				{Name: "h", Tensor: tensor.Tensor{Shape: []int{2}, Data: make([]float32, 2)}},
				{Name: "w", Tensor: tensor.Tensor{Shape: []int{5}, Data: make([]float32, 5)}},
				{Name: "v", Tensor: tensor.Tensor{Shape: []int{3}, Data: make([]float64, 3)}},
				{Name: "half", Tensor: tensor.Tensor{Shape: []int{10, 2}, Data: make([]onnxgraph.Half, 20)}},
				{Name: "quantized", Tensor: tensor.Tensor{Shape: []int{10, 10}, Data: onnxgraph.Int8}},
				{Name: "huge", Tensor: tensor.Tensor{Shape: []int{1 << 40, 1 << 40}, Data: onnxgraph.Int8}},
				{Name: "i", Tensor: tensor.Of([]int64{1}, 1)},
			},
		},
	}
	var out bytes.Buffer
	if err := newInspection("m.onnx", 1234, m).print(&out); err != nil {
		t.Fatal(err)
	}
	want := `file        m.onnx, 1234 bytes
producer    tool 2.1
format      IR 9, opset 20, com.microsoft 1
inputs      x float32[n, ?, 3]
            h float32[2] (optional)
outputs     y int64[]
ops         Relu 2
            If 1
            com.microsoft.Gelu 1
parameters  128
baked in    not looked for, which takes runs of the model: --run
metadata author: "someone"
`
	if out.String() != want {
		t.Errorf("got\n%s\nnot\n%s", &out, strings.TrimSpace(want))
	}
}

// TestLostState shows a model of rnnkit's whose state a tool has folded away: c0 only.
func TestLostState(t *testing.T) {
	m := &onnxgraph.Model{
		Metadata: []onnxgraph.Property{{Key: "rnnkit", Value: `{"state":[{"input":"h0","output":"hn"},{"input":"c0","output":"cn"}]}`}},
		Graph:    onnxgraph.Graph{Inputs: []onnxgraph.Value{{Name: "input"}, {Name: "h0"}}},
	}
	var out bytes.Buffer
	if err := newInspection("m.onnx", 1, m).print(&out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "\nlost state  c0, which the metadata names: ") || strings.Contains(out.String(), "h0, which") {
		t.Errorf("got\n%s", &out)
	}
}

// TestPrintable has what a terminal would obey, and what it shows.
func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"größe 東京 x_1":          "größe 東京 x_1",
		"a\x1b[2Jb\r\nc\td\x7f": `a\x1b[2Jb\r\nc\td\x7f`,
		"\u009b31m\u202e\u2028": `\u009b31m\u202e\u2028`,
		"bad \xff utf-8 \ufffd": `bad \xff utf-8 ` + "\ufffd",
	} {
		if got := printable(text); got != want {
			t.Errorf("%q is printed %q, not %q", text, got, want)
		}
	}
	var out bytes.Buffer
	if err := printJSON(&out, map[string]string{"k": "\x1b\u009b\U000e0001é"}); err != nil {
		t.Fatal(err)
	}
	if want := "{\n  \"k\": \"\\u001b\\u009b\\udb40\\udc01é\"\n}\n"; out.String() != want {
		t.Errorf("got %q, not %q", &out, want)
	}
}
