package native

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxtest"
	"github.com/rnnkit/rnnkit/internal/testenv"
)

var update = flag.Bool("update", false, "write testdata/refused.txt")

// TestONNX runs ONNX's own tests of operators, and tests of recurrent operators
// from elsewhere. Each passes, or is refused for
// the reason that testdata/refused.txt gives.
func TestONNX(t *testing.T) {
	reasons := readRefused(t)
	var refused []string
	for _, dir := range onnxTests(t) {
		name := testName(dir)
		t.Run(name, func(t *testing.T) {
			model, err := onnxtest.Model(dir)
			if err != nil {
				t.Fatal(err)
			}
			session, err := New().Open(model)
			if err != nil {
				refused = append(refused, fmt.Sprintf("%s\t%v\n", name, err))
				if reason, ok := reasons[name]; !ok || !strings.Contains(err.Error(), reason) {
					t.Errorf("refused: %v", err)
				}
				return
			}
			if reason, ok := reasons[name]; ok {
				t.Errorf("it is no longer refused for %q: drop it from testdata/refused.txt", reason)
			}
			sets, err := onnxtest.Sets(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, set := range sets {
				runSet(t, session, set)
			}
		})
		delete(reasons, name)
	}
	for name := range reasons {
		t.Errorf("testdata/refused.txt names %s, and there is no such test", name)
	}
	if *update {
		slices.Sort(refused)
		if err := os.WriteFile("testdata/refused.txt", []byte(strings.Join(refused, "")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func runSet(t *testing.T, session engine.Session, set onnxtest.Set) {
	inputs := map[string]tensor.Tensor{}
	for i, v := range session.Inputs() {
		inputs[v.Name] = set.Inputs[i]
	}
	outputs, err := session.Run(context.Background(), inputs)
	if err != nil {
		t.Fatal(err)
	}
	if len(outputs) != len(set.Outputs) {
		t.Fatalf("got %d outputs, want %d", len(outputs), len(set.Outputs))
	}
	for i, v := range session.Outputs() {
		if err := onnxtest.Compare(outputs[v.Name], set.Outputs[i], 1e-3, 1e-7); err != nil {
			t.Errorf("output %s: %v", v.Name, err)
		}
	}
}

// onnxTests returns the folders of ONNX's node tests and of the recurrent tests.
func onnxTests(t *testing.T) []string {
	return append(testenv.SharedModels(t, "onnx-tests/node/*/*"), testenv.SharedModels(t, "onnx-tests/recurrent/*/*")...)
}

// testName returns the last two elements of the path of a test's folder.
func testName(dir string) string {
	return filepath.Base(filepath.Dir(dir)) + "/" + filepath.Base(dir)
}

// readRefused reads testdata/refused.txt: on each line a test, a tab, and part
// of the error with which its model is refused.
func readRefused(t *testing.T) map[string]string {
	file, err := os.Open("testdata/refused.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	reasons := map[string]string{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		name, reason, ok := strings.Cut(lines.Text(), "\t")
		if !ok || reason == "" {
			t.Fatalf("testdata/refused.txt: no reason for %q", name)
		}
		reasons[name] = reason
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return reasons
}

// TestMalformed opens recurrent models that break the specification, all of them
// by their clip, some also by their number of activations.
func TestMalformed(t *testing.T) {
	for _, dir := range testenv.SharedModels(t, "malformed/*") {
		model, err := onnxtest.Model(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := New().Open(model); err == nil || !strings.Contains(err.Error(), `attribute "clip"`) {
			t.Errorf("%s: error does not name the clip: %v", filepath.Base(dir), err)
		}
	}
}
