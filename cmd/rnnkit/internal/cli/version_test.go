package cli

import (
	"runtime/debug"
	"testing"
)

// built is what `go version -m` prints of a program that was built in a clone.
const built = `go	go1.26.0
path	github.com/rnnkit/rnnkit/cmd/rnnkit
mod	github.com/rnnkit/rnnkit	v0.3.1-0.20261127211500-0123456789ab+dirty
build	vcs=git
build	vcs.revision=0123456789abcdef0123456789abcdef01234567
build	vcs.time=2026-11-27T21:15:00Z
build	vcs.modified=true
`

func TestBuildOf(t *testing.T) {
	info, err := debug.ParseBuildInfo(built)
	if err != nil {
		t.Fatal(err)
	}
	b := buildOf(info)
	b.Go, b.Platform, b.Kernels = "go1.26.0", "plan9/amd64", "generic"
	const want = `rnnkit    v0.3.1-0.20261127211500-0123456789ab+dirty
revision  0123456789abcdef0123456789abcdef01234567 (modified)
time      2026-11-27T21:15:00Z
go        go1.26.0
platform  plan9/amd64
kernels   generic
`
	if b.String() != want {
		t.Errorf("printed %q, want %q", b.String(), want)
	}
}

// TestBuildOfNothing has a build without a version, as that of a test.
func TestBuildOfNothing(t *testing.T) {
	if b := buildOf(&debug.BuildInfo{}); b != (build{Version: "(unknown)"}) {
		t.Errorf("%+v, want only an unknown version", b)
	}
}
