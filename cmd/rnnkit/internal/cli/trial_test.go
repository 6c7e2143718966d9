package cli

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/orttest"
)

// TestMain is the command where a test has it start itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == tryVerb {
		os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// nestedIf returns a model whose branches both hold one of the next level, which some
// versions of ONNX Runtime open in a time that doubles with each level.
func nestedIf(t *testing.T, levels int) []byte {
	t.Helper()
	scalar := []onnxgraph.Value{{Name: "y", Type: onnxgraph.Float32, Shape: []onnxgraph.Dim{}}}
	branch := func(level int, inner *onnxgraph.Graph) *onnxgraph.Graph {
		name := "y" + strings.Repeat("i", level)
		g := &onnxgraph.Graph{Name: name, Outputs: []onnxgraph.Value{{Name: name, Type: onnxgraph.Float32, Shape: []onnxgraph.Dim{}}}}
		if inner == nil {
			g.Nodes = []onnxgraph.Node{{OpType: "Identity", Inputs: []string{"x"}, Outputs: []string{name}}}
			return g
		}
		g.Nodes = []onnxgraph.Node{{OpType: "If", Inputs: []string{"c"}, Outputs: []string{name}, Attributes: []onnxgraph.Attribute{
			{Name: "then_branch", Value: inner}, {Name: "else_branch", Value: inner},
		}}}
		return g
	}
	var inner *onnxgraph.Graph
	for level := levels; level > 0; level-- {
		inner = branch(level, inner)
	}
	g := *branch(0, inner)
	g.Outputs, g.Nodes[0].Outputs = scalar, []string{"y"}
	g.Inputs = []onnxgraph.Value{
		{Name: "c", Type: onnxgraph.Bool, Shape: []onnxgraph.Dim{}},
		{Name: "x", Type: onnxgraph.Float32, Shape: []onnxgraph.Dim{}},
	}
	data, err := onnxgraph.Marshal(&onnxgraph.Model{IRVersion: 8, Opsets: []onnxgraph.Opset{{Version: 17}}, Graph: g})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestTrial has ONNX Runtime open a model in a process of its own: one that goes, one
// that needs more memory than there is, and one for which there is no time.
func TestTrial(t *testing.T) {
	orttest.Library(t)
	data := nestedIf(t, 2)
	good := trial{engine: "onnxruntime", memory: native.DefaultMemory}
	if _, err := good.run(t.Context(), data); err != nil {
		t.Error(err)
	}
	short, cancel := withTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := good.run(short, data); err == nil || !strings.Contains(err.Error(), "broken off: it takes longer than 1ms") {
		t.Errorf("without time the error is %v", err)
	}
	if _, err := good.run(t.Context(), []byte("no model")); err == nil || !strings.Contains(err.Error(), "onnxruntime/cpu: not an ONNX model") {
		t.Errorf("for no model the error is %v", err)
	}
	if runtime.GOOS == "linux" {
		little := trial{engine: "onnxruntime", memory: -200 << 20} // of the 256 MiB that there are for ONNX Runtime
		if _, err := little.run(t.Context(), data); err == nil {
			t.Error("it was opened without memory")
		}
		asked := engineFlags{engine: "onnxruntime", provider: "cpu", maxMemory: -200}
		if _, _, err := asked.choose(t.Context(), data); err == nil {
			t.Error("--engine onnxruntime opened it without memory")
		}
	}
}

func TestWaitFor(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	hold := make(chan int)
	defer close(hold)
	cancel()
	if _, err := waitFor(ctx, "the call", func() (int, error) { return <-hold, nil }); err == nil || err.Error() != "the call is broken off: context canceled" {
		t.Errorf("the error is %v", err)
	}
	done, end := context.WithTimeoutCause(t.Context(), 0, errors.New("it takes too long"))
	defer end()
	for range 20 { // whichever is seen first, the end of the context or what it ended
		if _, err := waitFor(done, "the call", func() (int, error) { return 0, done.Err() }); err == nil || err.Error() != "the call is broken off: it takes too long" {
			t.Fatalf("the error is %v", err)
		}
	}
	if n, err := waitFor(t.Context(), "the call", func() (int, error) { return 3, nil }); n != 3 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
}
