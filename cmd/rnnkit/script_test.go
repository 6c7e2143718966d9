package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rnnkit/rnnkit/infer/ort"
	"github.com/rnnkit/rnnkit/internal/ortlib"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"rnnkit": main})
}

// TestScripts drives the command as a person does. The condition [ort] says
// that ONNX Runtime is here and that this build can use it.
func TestScripts(t *testing.T) {
	library, err := ortlib.Find("")
	if err != nil && os.Getenv("RNNKIT_REQUIRE_ORT") == "1" {
		t.Fatal(err)
	}
	if errors.Is(err, ortlib.ErrNotFound) {
		t.Log("scripts run without ONNX Runtime, which is not installed: rnnkit runtime install")
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			// A script has a cache of its own, and the library by its path.
			env.Setenv("RNNKIT_CACHE", filepath.Join(env.WorkDir, "cache"))
			env.Setenv("ONNXRUNTIME_SHARED_LIBRARY_PATH", "")
			env.Setenv("ORT", library.Path)
			env.Setenv("GOMODCACHE", os.Getenv("GOMODCACHE"))
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond == "ort" {
				return library.Path != "" && ort.Cgo, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
	})
}
