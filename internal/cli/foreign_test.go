package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// TestForeignTasks strips our own models of their metadata: told what they are
// for, they must answer as before.
func TestForeignTasks(t *testing.T) {
	var series, rows strings.Builder
	for i := range 80 {
		fmt.Fprintf(&series, "%g\n", float64(i%25)/25)
	}
	for i := range 9 {
		fmt.Fprintf(&rows, "%d,%d,3,2.5,%d\n", i, 5-i, 2*i)
	}
	for _, test := range []struct {
		name, data string
		flags      func(m *infer.Model) []string
	}{
		{"sine", series.String(), func(m *infer.Model) []string {
			return []string{"--task", "forecast", "--window", fmt.Sprint(m.Metadata().Window)}
		}},
		{"trend", rows.String(), func(m *infer.Model) []string {
			return []string{"--task", "classify", "--labels", strings.Join(m.Metadata().Labels, ",")}
		}},
	} {
		path := filepath.Join("../../infer/testdata", test.name+".onnx")
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		model, err := infer.OpenBytes(data)
		if err != nil {
			t.Fatal(err)
		}
		defer model.Close()
		m, err := onnxgraph.Unmarshal(data)
		if err != nil {
			t.Fatal(err)
		}
		m.Metadata = nil
		if data, err = onnxgraph.Marshal(m); err != nil {
			t.Fatal(err)
		}
		stripped := filepath.Join(t.TempDir(), "m.onnx")
		if err := os.WriteFile(stripped, data, 0o666); err != nil {
			t.Fatal(err)
		}
		_, want, _ := runMain(test.data, "infer", path, "--engine", "native")
		status, got, errOut := runMain(test.data, append([]string{"infer", stripped, "--engine", "native"}, test.flags(model)...)...)
		if status != 0 || len(want) < 50 || got != want {
			t.Errorf("%s: status %d: %s\n%s, not\n%s", test.name, status, errOut, got, want)
		}
	}
}
