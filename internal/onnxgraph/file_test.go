package onnxgraph

import (
	"os"
	"path/filepath"
	"testing"
)

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "m.onnx")
	if err := os.WriteFile(path, []byte("model"), 0o644); err != nil {
		t.Fatal(err)
	}
	if data, err := ReadFile(path); err != nil || string(data) != "model" {
		t.Errorf("%q, %v", data, err)
	}
	large := filepath.Join(dir, "large.onnx")
	if err := os.WriteFile(large, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, maxFile+1); err != nil {
		t.Skip(err) // the system has no sparse files
	}
	for name, want := range map[string]string{
		dir: "is a folder", large: "more than the 2147483647", os.DevNull: "is a pipe or a device", filepath.Join(dir, "none"): "no",
	} {
		_, err := ReadFile(name)
		wantError(t, err, want)
	}
}
