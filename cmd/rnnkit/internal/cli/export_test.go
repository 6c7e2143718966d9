package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/models"
)

// TestExportKeeps writes a model again that has metadata of somebody else too.
func TestExportKeeps(t *testing.T) {
	path := changedFile(t, func(m *onnxgraph.Model) {
		m.Metadata = append(m.Metadata, onnxgraph.Property{Key: "author", Value: "Ada"})
	})
	again := filepath.Join(t.TempDir(), "again.onnx")
	if status, _, errOut := runMain("", "export", path, "-o", again); status != 0 {
		t.Fatalf("status %d: %s", status, errOut)
	}
	before, after := contents(t, path), contents(t, again)
	if !bytes.Equal(before, after) || !bytes.Contains(after, []byte("Ada")) {
		t.Errorf("%d bytes of %d, or other ones", len(after), len(before))
	}
}

// TestExportCompares refuses a model of ours whose graph somebody has changed where
// its metadata do not say so.
func TestExportCompares(t *testing.T) {
	for want, change := range map[string]func(*onnxgraph.Model){
		`output "output" differs`: func(m *onnxgraph.Model) {
			for i := range m.Graph.Initializers {
				if m.Graph.Initializers[i].Name == "output_mean" {
					m.Graph.Initializers[i].Data.([]float32)[0]++
				}
			}
		},
		"the graph is not that of its metadata: not in the Spec: Conv": func(m *onnxgraph.Model) {
			for i := range m.Graph.Nodes {
				if m.Graph.Nodes[i].Name == "input_scaled" {
					m.Graph.Nodes[i].OpType = "Conv"
				}
			}
		},
	} {
		again := filepath.Join(t.TempDir(), "again.onnx")
		status, _, errOut := runMain("", "export", changedFile(t, change), "-o", again, "--state", "input")
		if _, err := os.Stat(again); status != 1 || !strings.Contains(errOut, want) || err == nil {
			t.Errorf("status %d: %s, not %q", status, errOut, want)
		}
	}
}

// changedFile returns the path of a forecaster with scales after a change.
func changedFile(t *testing.T, change func(*onnxgraph.Model)) string {
	t.Helper()
	path := writeModel(t, func(m *models.Model) {
		m.InputScale = &models.Scale{Mean: []float32{3}, Std: []float32{2}}
		m.OutputScale = m.InputScale
	})
	m, err := onnxgraph.Unmarshal(contents(t, path))
	if err != nil {
		t.Fatal(err)
	}
	change(m)
	data, err := onnxgraph.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func contents(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
