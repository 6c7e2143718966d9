//go:build !cgo

package ort_test

import (
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/infer/ort"
)

func TestWithoutCgo(t *testing.T) {
	for _, p := range ort.Providers() {
		if p.Err == nil || !strings.Contains(p.Err.Error(), "CGO_ENABLED=1") {
			t.Errorf("%s: got %v, want an error that says how to build", p.Name, p.Err)
		}
	}
}
