package onnxpb

import (
	"strings"
	"testing"
)

// A path or name that another ONNX package registers too would make a program
// that links both panic as it starts.
func TestRegisteredNamesAreOurs(t *testing.T) {
	file := File_rnnkit_onnx_proto
	if !strings.HasPrefix(file.Path(), "rnnkit/") {
		t.Errorf("registered path is %s, want one under rnnkit/", file.Path())
	}
	if !strings.HasPrefix(string(file.Package()), "rnnkit.") {
		t.Errorf("registered package is %s, want one under rnnkit.", file.Package())
	}
}
