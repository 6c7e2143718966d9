package native

import (
	"context"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/testenv"
)

// FuzzOpen opens and runs mutated models in little memory: the bytes of a file
// and, where it still parses, what it says, by edits. Each may fail; none may
// panic, nor return a value without as many elements as its shape.
func FuzzOpen(f *testing.F) {
	models := []*onnxgraph.Model{everything(), stateful(), layer("RNN"), layer("GRU", set("direction", "reverse"))}
	for _, op := range []string{"Add", "Div", "MatMul", "Gather", "Expand", "Reshape", "Squeeze", "Unsqueeze", "Concat", "Split"} {
		models = append(models, oneNode(op, []onnxgraph.Tensor{ints64("a", 1, 0)}), oneNode(op, []onnxgraph.Tensor{floats("b", 2, 3)}))
	}
	for _, m := range models {
		f.Add(marshal(f, m), []byte{})
		for i := range 24 {
			f.Add(marshal(f, m), []byte{byte(i), byte(i / 3), byte(i * 7)})
		}
	}
	for op := range operators() {
		f.Add(marshal(f, oneNode(op, nil)), []byte{})
		f.Add(marshal(f, oneNode(op, []onnxgraph.Tensor{ints64("i", 0, 1)})), []byte{1, 0, 3})
		f.Add(marshal(f, oneNode(op, []onnxgraph.Tensor{floats("b", 2, 3), ints64("i", 1)}, "axis", int64(1))), []byte{0, 0, 8})
		f.Add(marshal(f, oneNode(op, []onnxgraph.Tensor{floats("b", 3, 3, 2)}, "kernel_shape", []int64{2})), []byte{3, 0, 1})
	}
	f.Add(marshal(f, branches(onnxgraph.Graph{Outputs: []onnxgraph.Value{{Name: "x"}}}, onnxgraph.Graph{Outputs: []onnxgraph.Value{{Name: "x"}}})), []byte{})
	f.Add(marshal(f, counting()), []byte{})
	for _, path := range sharedModels(f) {
		if data, err := os.ReadFile(path); err == nil && len(data) < 1<<16 {
			f.Add(data, []byte{})
		}
	}
	f.Fuzz(func(t *testing.T, data, edits []byte) {
		m, err := onnxgraph.Unmarshal(data)
		if err != nil {
			return
		}
		for ; len(edits) >= 3; edits = edits[3:] {
			mutate(&m.Graph, int(edits[0]), int(edits[1]), int(edits[2]))
		}
		data, err = onnxgraph.Marshal(m)
		if err != nil {
			return
		}
		try(t, data, func(s engine.Session) tensors {
			inputs := tensors{}
			for _, v := range s.Inputs() {
				if !v.Optional {
					inputs[v.Name] = sample(v)
				}
			}
			return inputs
		})
	})
}

// try opens a model and runs it twice in little memory. It may fail, but not by
// what would be a panic without [recovered], and must not return a value without
// as many elements as its shape.
func try(t *testing.T, model []byte, inputs func(engine.Session) tensors) {
	failed := func(err error) bool {
		checkLine(t, err)
		if err != nil && strings.Contains(err.Error(), "which is a bug") {
			t.Error(err)
		}
		return err != nil
	}
	session, err := New(MaxMemory(1 << 16)).Open(model)
	if failed(err) {
		return
	}
	in := inputs(session)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second) // of loops without an end
	defer cancel()
	for range 2 {
		results, err := session.Run(ctx, in)
		if failed(err) {
			return
		}
		for name, r := range results {
			if size, err := tensor.Size(r.Shape); err != nil || size != r.Len() {
				t.Errorf("%s has %d elements and shape %v: %v", name, r.Len(), r.Shape, err)
			}
		}
	}
}

// sharedModels returns the paths of the shared models, if they are here.
func sharedModels(t testing.TB) []string {
	paths, _ := filepath.Glob(filepath.Join(testenv.SharedRoot(t), "*", "*", "*", "*", "model.onnx"))
	return paths
}

// mutate changes one thing of g: an element of an integer constant, an attribute,
// a name that a node reads, a dimension of an input, or the op.
func mutate(g *onnxgraph.Graph, i, j, k int) {
	numbers := []int64{0, 1, 2, 3, -1, -2, 7, 1 << 31, 1 << 40, math.MinInt64, math.MaxInt64}
	number := numbers[k%len(numbers)]
	if len(g.Nodes) == 0 || len(g.Inputs) == 0 {
		return
	}
	n := &g.Nodes[j%len(g.Nodes)]
	switch i % 5 {
	case 0:
		var lists [][]int64
		for _, t := range g.Initializers {
			if list, ok := t.Data.([]int64); ok && len(list) > 0 {
				lists = append(lists, list)
			}
		}
		if len(lists) > 0 {
			list := lists[j%len(lists)]
			list[k/len(numbers)%len(list)] = number
		}
	case 1:
		if len(n.Attributes) > 0 {
			n.Attributes[k%len(n.Attributes)].Value = number
		}
	case 2:
		if len(n.Inputs) > 0 && len(g.Initializers) > 0 {
			n.Inputs[k%len(n.Inputs)] = g.Initializers[k/len(n.Inputs)%len(g.Initializers)].Name
		}
	case 3:
		if shape := g.Inputs[j%len(g.Inputs)].Shape; len(shape) > 0 {
			shape[k%len(shape)] = onnxgraph.Dim{Size: k % 5}
		}
	case 4:
		names := slices.Sorted(maps.Keys(operators()))
		n.OpType = names[k%len(names)]
	}
}

// sample returns a small tensor that fits v where there is one.
func sample(v tensor.Info) tensor.Tensor {
	shape := make([]int, len(v.Shape))
	size := 1
	for i, d := range v.Shape {
		if shape[i] = 2; d.Symbol == "" && d.Size >= 0 {
			shape[i] = min(d.Size, 8)
		}
		size = min(size*shape[i], 1<<12)
	}
	t := tensor.Tensor{Shape: shape}
	switch v.Type {
	case tensor.Float16:
		t.Data = make([]tensor.Half, size)
	case tensor.Float64:
		t.Data = make([]float64, size)
	case tensor.Int32:
		t.Data = make([]int32, size)
	case tensor.Int64:
		t.Data = make([]int64, size)
	case tensor.Uint8:
		t.Data = make([]uint8, size)
	case tensor.Bool:
		t.Data = make([]bool, size)
	default:
		t.Data = make([]float32, size)
	}
	return t
}
