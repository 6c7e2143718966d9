// Package orttest finds ONNX Runtime for tests, as package testenv finds the rest of
// what they need.
package orttest

import (
	"errors"
	"testing"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/ort"
	"github.com/rnnkit/rnnkit/internal/ortlib"
	"github.com/rnnkit/rnnkit/internal/testenv"
)

// find returns the library, and an error where this program cannot use it.
func find() (ortlib.Library, error) {
	lib, err := ortlib.Find("")
	if !ort.Cgo {
		err = errors.Join(err, errors.New("the test is built without cgo"))
	}
	return lib, err
}

// Library returns ONNX Runtime's library. It skips the test where there is none.
func Library(t testing.TB) ortlib.Library {
	t.Helper()
	lib, err := find()
	if err != nil {
		testenv.Skip(t, testenv.ONNXRuntime, "the test needs ONNX Runtime:", err)
	}
	return lib
}

// Available reports whether ONNX Runtime can be used. Where it cannot, the test goes
// on without it and says so, or fails if RNNKIT_REQUIRE_ORT is 1.
func Available(t testing.TB) bool {
	t.Helper()
	_, err := find()
	if err != nil && testenv.Required(testenv.ONNXRuntime) {
		t.Fatal("the test needs ONNX Runtime:", err)
	}
	if err != nil {
		t.Log("the test goes on without ONNX Runtime:", err)
	}
	return err == nil
}

// Engines returns the engines that it is given and, where it is [Available], ONNX
// Runtime on the CPU after them.
func Engines(t testing.TB, engines ...engine.Engine) []engine.Engine {
	t.Helper()
	if Available(t) {
		engines = append(engines, ort.CPU())
	}
	return engines
}
