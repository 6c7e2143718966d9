//go:build unix

package main

import (
	"io"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestPipe reads a model from a pipe that nobody writes to.
func TestPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o666); err != nil {
		t.Skip(err)
	}
	if err := run(t.Context(), nil, []string{"-model", path}, io.Discard); err == nil || !strings.Contains(err.Error(), "a pipe or a device") {
		t.Errorf("the error is %v", err)
	}
}
