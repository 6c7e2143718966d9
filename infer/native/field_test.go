package native

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/onnxtest"
	"github.com/rnnkit/rnnkit/internal/testenv"
)

// TestField runs models from the field that were once refused, or gave another answer
// than ONNX Runtime.
func TestField(t *testing.T) {
	for _, pattern := range []string{
		"field/engine/unsorted_nodes", "field/engine/float16_converter_unsorted_casts",
		"field/engine/opset_imported_twice", "field/f18-small/ThresholdedRelu_sp__ort",
	} {
		for _, dir := range testenv.SharedModels(t, pattern) {
			t.Run(filepath.Base(dir), func(t *testing.T) {
				model, err := onnxtest.Model(dir)
				if err != nil {
					t.Fatal(err)
				}
				session, err := New().Open(model)
				if err != nil {
					t.Fatal(err)
				}
				sets, err := onnxtest.Sets(dir)
				if err != nil || len(sets) == 0 {
					t.Fatalf("%d sets: %v", len(sets), err)
				}
				for _, set := range sets {
					if err := set.Run(t.Context(), session, 1e-3, 1e-5); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
}

// TestLoopsCancel ends loops that do not end by themselves.
func TestLoopsCancel(t *testing.T) {
	body := func(condition string) *onnxgraph.Graph {
		return &onnxgraph.Graph{
			Inputs:  []onnxgraph.Value{{Name: "i"}, {Name: "go"}, {Name: "v"}},
			Outputs: []onnxgraph.Value{{Name: condition}, {Name: "v"}},
		}
	}
	for name, node := range map[string]onnxgraph.Node{
		"without trips":          call("Loop", []string{"", "", "x"}, []string{"y"}, "body", body("go")),
		"with many trips":        call("Loop", []string{"trips", "", "x"}, []string{"y"}, "body", body("go")),
		"on a condition outside": call("Loop", []string{"", "true", "x"}, []string{"y"}, "body", body("true")),
	} {
		m := graph(node)
		m.Graph.Initializers = []onnxgraph.Tensor{
			{Name: "trips", Tensor: tensor.Tensor{Data: []int64{1 << 62}}}, {Name: "true", Tensor: tensor.Tensor{Data: []bool{true}}},
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		_, err := open(t, m).Run(ctx, tensors{"x": valueOf(floats("x", 2, 3))})
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}

// TestNestedBranches runs Ifs in one another, as deep as may be.
func TestNestedBranches(t *testing.T) {
	const depth = 31
	g := &onnxgraph.Graph{Outputs: []onnxgraph.Value{{Name: "x"}}}
	for range depth {
		g = &onnxgraph.Graph{
			Nodes: []onnxgraph.Node{call(
				"If", []string{"c"}, []string{"z"}, "then_branch", g, "else_branch",
				&onnxgraph.Graph{Outputs: []onnxgraph.Value{{Name: "x"}}},
			)},
			Outputs: []onnxgraph.Value{{Name: "z"}},
		}
	}
	m := graph(g.Nodes[0])
	m.Graph.Nodes[0].Outputs[0] = "y"
	m.Graph.Initializers = []onnxgraph.Tensor{{Name: "c", Tensor: tensor.Tensor{Data: []bool{true}}}}
	x := valueOf(floats("x", 2, 3))
	if err := onnxtest.Compare(run(t, open(t, m), tensors{"x": x})["y"], x, 0, 0); err != nil {
		t.Error(err)
	}
}

// TestFoldingBudget opens models whose constants take long to compute. What is left of
// them is computed by the runs.
func TestFoldingBudget(t *testing.T) {
	for op, more := range map[string][]string{"TopK": {"one"}, "ArgMax": nil, "ReduceSum": nil} {
		m := graph()
		m.Graph.Initializers = []onnxgraph.Tensor{floats("w", 1<<16), ints64("one", 1)}
		const nodes = 300
		for i := range nodes {
			out := fmt.Sprint("y", i)
			m.Graph.Nodes = append(m.Graph.Nodes, call(op, append([]string{"w"}, more...), []string{out}))
		}
		m.Graph.Outputs[0].Name = fmt.Sprint("y", nodes-1)
		r := runnerOf(t, m)
		left := 0
		for _, s := range r.steps {
			if s.kernel != nil {
				left++
			}
		}
		if left < nodes/4 || left == nodes {
			t.Errorf("%s: %d of %d nodes are left to the runs", op, left, nodes)
		}
		x, y := valueOf(floats("x", 2, 3)), tensor.Tensor{}
		if err := r.run(t.Context(), []*tensor.Tensor{&x}, []*tensor.Tensor{&y}); err != nil || y.Len() != 1 {
			t.Errorf("%s: %v, %v", op, y, err)
		}
	}
}

// TestMemoryOfOpening keeps what is computed of constants within the limit.
func TestMemoryOfOpening(t *testing.T) {
	m := graph()
	m.Graph.Initializers = []onnxgraph.Tensor{floats("w", 1<<10)}
	for i := range 20 {
		out := string(rune('a' + i))
		m.Graph.Nodes = append(m.Graph.Nodes, call("Neg", []string{"w"}, []string{out}))
		m.Graph.Outputs = append(m.Graph.Outputs, onnxgraph.Value{Name: out})
	}
	m.Graph.Outputs = m.Graph.Outputs[1:]
	const limit = 1 << 14
	file, err := onnxgraph.Unmarshal(marshal(t, m))
	if err != nil {
		t.Fatal(err)
	}
	p, err := compile(t.Context(), file, limit, 0)
	if err != nil {
		t.Fatal(err)
	}
	if p.held == 0 || p.held > limit/2 {
		t.Errorf("%d bytes of %d are held", p.held, limit)
	}
}

// TestThresholdedNaN has a NaN that is not above the threshold, as an operator of its own
// and as the activation of an RNN: by ONNX's pages and in ONNX Runtime it becomes 0.
func TestThresholdedNaN(t *testing.T) {
	nan := float32(math.NaN())
	m := graph(call("ThresholdedRelu", []string{"x"}, []string{"y"}, "alpha", float32(-1)))
	got := run(t, open(t, m), tensors{"x": tensor.Of([]float32{nan, -0.5, -2, 3, nan, -1}, 2, 3)})["y"]
	if err := onnxtest.Compare(got, tensor.Of([]float32{0, -0.5, 0, 3, 0, 0}, 2, 3), 0, 0); err != nil {
		t.Error(err)
	}
	m = layer("RNN", set("activations", []string{"ThresholdedRelu"}))
	got = run(t, open(t, m), tensors{"x": tensor.Of([]float32{nan, 1, 2, 1, nan, 3}, 1, 2, 3)}, "hn")["hn"]
	if err := onnxtest.Compare(got, tensor.Zeros(tensor.Float32, 1, 2, 2), 0, 0); err != nil {
		t.Error(err)
	}
}

// TestHostileFiles opens and runs the files of the field that are made to harm, in little
// memory and time. Each may fail, by an error that is one line.
func TestHostileFiles(t *testing.T) {
	root := testenv.SharedRoot(t)
	var paths []string
	for _, pattern := range []string{"field/hostile/*.onnx", "field/f14-open-or-inspect-hangs/*.onnx"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, found...)
	}
	if len(paths) == 0 {
		testenv.Skip(t, testenv.SharedData, "no hostile files in", root)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			model, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			session, err := New(MaxMemory(64<<20), ExternalData(filepath.Dir(path))).Open(model)
			checkLine(t, err)
			if err != nil {
				return
			}
			inputs := tensors{}
			for _, v := range session.Inputs() {
				inputs[v.Name] = sample(v)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			_, err = session.Run(ctx, inputs)
			checkLine(t, err)
			if err != nil && strings.Contains(err.Error(), "which is a bug") {
				t.Error(err)
			}
		})
	}
}
