// Package testenv tells tests what is on this machine: the shared test data, ONNX
// Runtime, Chromium, Prometheus. A test that needs what is absent skips and says why. Where
// the gate sets RNNKIT_REQUIRE_SHARED, RNNKIT_REQUIRE_ORT or RNNKIT_REQUIRE_CHROMIUM
// to 1, the test fails instead. [Eventually] waits for what must come about.
package testenv

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"testing"
	"time"
)

// Need is what a test needs and not every machine has.
type Need string

// The needs, each the end of the name of the variable that requires it.
const (
	SharedData  Need = "SHARED"
	ONNXRuntime Need = "ORT"
	Browser     Need = "CHROMIUM"
	Prometheus  Need = "PROMETHEUS"
)

// Required reports whether tests must fail where the need is not met.
func Required(need Need) bool { return os.Getenv("RNNKIT_REQUIRE_"+string(need)) == "1" }

// Skip ends the test because a need is not met: it skips it, or fails it where the
// need is [Required].
func Skip(t testing.TB, need Need, why ...any) {
	t.Helper()
	if Required(need) {
		t.Fatal(why...)
	}
	t.Skip(why...)
}

// CoarseClock reports whether a short run may take no time, as the clock tells it.
const CoarseClock = runtime.GOOS == "windows"

// module is the first line of the go.mod at the repository's root. Modules that are
// nested in it have another.
var module = regexp.MustCompile(`(?m)^module github\.com/rnnkit/rnnkit$`)

// Root returns the repository's root folder, from any module in it.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if mod, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil && module.Match(mod) {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("the test does not run within the repository")
		}
		dir = parent
	}
}

// SharedRoot returns the folder of the shared test data, which need not exist:
// RNNKIT_SHARED, or ../shared. A relative path is taken from the repository's root.
func SharedRoot(t testing.TB) string {
	t.Helper()
	root := os.Getenv("RNNKIT_SHARED")
	if root == "" {
		root = filepath.Join("..", "shared")
	}
	if filepath.IsAbs(root) {
		return root
	}
	return filepath.Join(Root(t), root)
}

// Shared returns the path of a file or folder of the shared test data. It skips the
// test where there is none.
func Shared(t testing.TB, elem ...string) string {
	t.Helper()
	path := filepath.Join(append([]string{SharedRoot(t)}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		Skip(t, SharedData, "the test needs shared test data, which RNNKIT_SHARED names (../shared by default):", err)
	}
	return path
}

// SharedModels returns the folders of the shared test data that hold a model.onnx
// and match a pattern of [filepath.Match], such as "onnx-tests/*/*/*". It skips the
// test where none does.
func SharedModels(t testing.TB, pattern string) []string {
	t.Helper()
	models, err := filepath.Glob(filepath.Join(SharedRoot(t), filepath.FromSlash(pattern), "model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	if len(models) == 0 {
		Skip(t, SharedData, "no model in the shared test data, which RNNKIT_SHARED names (../shared by default), matches", pattern)
	}
	for i, m := range models {
		models[i] = filepath.Dir(m)
	}
	return models
}

// Chromium returns the path of the browser. It skips the test where there is none.
func Chromium(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	Skip(t, Browser, "the test needs Chromium: apt-get install chromium")
	return ""
}

// Eventually waits until done returns true. If half a minute passes before that, the
// test fails; if the test fails while it waits, it waits no longer.
func Eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done() && !t.Failed(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			t.Errorf("for half a minute it is not so that %s", what)
		}
	}
}
