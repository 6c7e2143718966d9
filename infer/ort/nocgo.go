//go:build !cgo

package ort

import (
	"errors"

	"github.com/rnnkit/rnnkit/infer/engine"
)

// Cgo reports whether this build has cgo, which opening a model requires.
const Cgo = false

func (e *ortEngine) open([]byte, *graph) (engine.Session, error) {
	return nil, errors.New("this build has no cgo: rebuild with CGO_ENABLED=1 and a C compiler, or use the native engine")
}
