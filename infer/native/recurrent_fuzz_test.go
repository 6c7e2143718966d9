package native

import (
	"fmt"
	"testing"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

func FuzzRNN(f *testing.F)  { fuzzRecurrent(f, "RNN", 1) }
func FuzzGRU(f *testing.F)  { fuzzRecurrent(f, "GRU", 3) }
func FuzzLSTM(f *testing.F) { fuzzRecurrent(f, "LSTM", 4) }

// fuzzRecurrent opens and runs a layer that is put together from bytes:
// attributes with values of all kinds, shapes that fit or do not, any lengths.
func fuzzRecurrent(f *testing.F, op string, gates int) {
	f.Add([]byte{})
	for i := range 64 {
		seed := make([]byte, 48)
		for k := range seed {
			seed[k] = byte(i * (k + 1) * 37)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b := source(data)
		m, inputs := b.layer(op, gates)
		model, err := onnxgraph.Marshal(m)
		if err != nil {
			return
		}
		try(t, model, func(engine.Session) tensors { return inputs })
	})
}

// source gives the bytes of a fuzzer as choices, 0 after the last.
type source []byte

func (b *source) below(n int) int {
	if len(*b) == 0 {
		return 0
	}
	v := int((*b)[0]) % n
	*b = (*b)[1:]
	return v
}

// size returns want or, now and then, another.
func (b *source) size(want int) int {
	if b.below(16) < 15 {
		return want
	}
	return []int{0, 1, 2, 3, 7, 1 << 10, 1 << 31, 1 << 40, -1}[b.below(9)]
}

func (b *source) layer(op string, gates int) (*onnxgraph.Model, tensors) {
	hidden, width, time, batch := 1+b.below(4), 1+b.below(3), b.below(5), b.below(4)
	direction := []string{"forward", "reverse", "bidirectional"}[b.below(3)]
	directions := 1
	if direction == "bidirectional" {
		directions = 2
	}
	n := call(op, nil, nil)
	set := func(name string, value any) {
		other := []any{
			int64(0), int64(1), int64(-1), int64(1) << 40, float32(0), float32(0.5), "Tanh", []int64{1}, []float32{0.5},
			[]string{"Relu"}, []string{"Swish"},
		}
		switch kind := b.below(32); {
		case kind < 8: // leave it out
		case kind == 31:
			n.Attributes = append(n.Attributes, onnxgraph.Attribute{Name: name, Value: other[b.below(len(other))]})
		default:
			n.Attributes = append(n.Attributes, onnxgraph.Attribute{Name: name, Value: value})
		}
	}
	set("direction", direction)
	set("hidden_size", int64(b.size(hidden)))
	set("clip", float32(1+b.below(5))/4)
	functions := []string{
		"Relu", "tanh", "Sigmoid", "Affine", "LeakyRelu", "ThresholdedRelu", "ScaledTanh", "HardSigmoid", "Elu",
		"Softsign", "Softplus",
	}
	var names []string
	for range b.size(directions*map[int]int{1: 1, 3: 2, 4: 3}[gates]) & 15 {
		names = append(names, functions[b.below(len(functions))])
	}
	set("activations", names)
	set("activation_alpha", make([]float32, b.below(8)))
	set("activation_beta", make([]float32, b.below(8)))
	version := []int64{1, 3, 7, 14, 17, 22}[b.below(6)]
	for _, flag := range []struct {
		name string
		here bool
	}{
		{"layout", version >= 14},
		{"output_sequence", version < 7},
		{"linear_before_reset", version >= 3 && op == "GRU"},
		{"input_forget", op == "LSTM"},
	} {
		if flag.here != (b.below(32) == 31) {
			set(flag.name, int64(b.below(2)))
		}
	}

	m := graph(n)
	m.Opsets[0].Version = version
	m.Graph.Inputs, m.Graph.Outputs = nil, nil
	inputs := tensors{}
	shapes := [][]int{
		{time, batch, width}, {directions, gates * hidden, width}, {directions, gates * hidden, hidden},
		{directions, 2 * gates * hidden}, {batch}, {directions, batch, hidden}, {directions, batch, hidden},
		{directions, 3 * hidden},
	}
	outputs := 3
	if op != "LSTM" {
		shapes, outputs = shapes[:6], 2
	}
	for i, shape := range shapes {
		if i > 2 && b.below(2) == 0 {
			m.Graph.Nodes[0].Inputs = append(m.Graph.Nodes[0].Inputs, "")
			continue
		}
		if b.below(16) == 15 {
			shape = shape[:b.below(len(shape)+1)]
		}
		elements := 1
		for k := range shape {
			shape[k] = b.size(shape[k])
			elements = min(elements*max(shape[k], 0), 1<<12)
		}
		name := fmt.Sprint("i", i)
		m.Graph.Nodes[0].Inputs = append(m.Graph.Nodes[0].Inputs, name)
		floats := make([]float32, elements)
		for k := range floats {
			floats[k] = float32(b.below(256)-128) / 64
		}
		var values any = floats
		if i == 4 {
			lengths := make([]int32, elements)
			for k := range lengths {
				lengths[k] = int32(b.size(b.below(5)))
			}
			values = lengths
		}
		v := onnxgraph.Tensor{Name: name, Tensor: tensor.Tensor{Shape: shape, Data: values}}
		if b.below(2) == 1 {
			m.Graph.Initializers = append(m.Graph.Initializers, v)
			continue
		}
		inputs[name] = valueOf(v)
		declared := onnxgraph.Value{Name: name, Type: v.Type(), Shape: []onnxgraph.Dim{}}
		for _, size := range shape {
			if b.below(4) == 3 {
				size = -1
			}
			declared.Shape = append(declared.Shape, onnxgraph.Dim{Size: int(size)})
		}
		m.Graph.Inputs = append(m.Graph.Inputs, declared)
	}
	for i := range outputs {
		if b.below(4) > 0 {
			name := fmt.Sprint("o", i)
			m.Graph.Nodes[0].Outputs = append(m.Graph.Nodes[0].Outputs, name)
			m.Graph.Outputs = append(m.Graph.Outputs, onnxgraph.Value{Name: name})
		} else {
			m.Graph.Nodes[0].Outputs = append(m.Graph.Nodes[0].Outputs, "")
		}
	}
	return m, inputs
}
