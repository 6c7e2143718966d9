package testenv_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/internal/testenv"
)

// ended records how a test ended. Like a real one it ends its goroutine.
type ended struct {
	testing.TB
	how string
}

func (e *ended) Helper()           {}
func (e *ended) Fatal(args ...any) { e.end("fail: ", args) }
func (e *ended) Skip(args ...any)  { e.end("skip: ", args) }

func (e *ended) end(how string, args []any) {
	e.how = how + fmt.Sprintln(args...)
	panic(e)
}

// run tells how f ends, "" where it returns.
func run(t *testing.T, f func(testing.TB)) (how string) {
	e := &ended{TB: t}
	defer func() {
		if r := recover(); r != nil && r != any(e) {
			panic(r)
		}
		how = e.how
	}()
	f(e)
	return
}

// TestNeeds tries each need where it is not met, and where it is.
func TestNeeds(t *testing.T) {
	shared := t.TempDir()
	model := filepath.Join(shared, "models", "a", "model.onnx")
	browser := filepath.Join(shared, "chromium")
	if err := os.MkdirAll(filepath.Dir(model), 0o777); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{model, browser, browser + ".exe"} {
		if err := os.WriteFile(path, nil, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		need     testenv.Need
		variable string // where to look
		folder   string // that has it
		f        func(t testing.TB) string
		want     string
	}{
		{testenv.SharedData, "RNNKIT_SHARED", shared, func(t testing.TB) string { return testenv.Shared(t, "models", "a") }, filepath.Dir(model)},
		{
			testenv.SharedData, "RNNKIT_SHARED", shared,
			func(t testing.TB) string { return testenv.SharedModels(t, "models/*")[0] }, filepath.Dir(model),
		},
		{testenv.Browser, "PATH", shared, testenv.Chromium, browser},
	} {
		call := func(t testing.TB) {
			if got := strings.TrimSuffix(test.f(t), ".exe"); got != test.want {
				t.Errorf("%s is at %s, want %s", test.need, got, test.want)
			}
		}
		t.Setenv(test.variable, test.folder)
		if how := run(t, call); how != "" {
			t.Errorf("%s is here, and the test ends: %s", test.need, how)
		}
		t.Setenv(test.variable, filepath.Join(test.folder, "nothing"))
		for required, want := range map[string]string{"": "skip: ", "1": "fail: "} {
			t.Setenv("RNNKIT_REQUIRE_"+string(test.need), required)
			if how := run(t, call); !strings.HasPrefix(how, want) {
				t.Errorf("%s is absent and required %q: %q, want %q", test.need, required, how, want)
			}
		}
	}
}

// TestRoot finds the repository from a module that is nested in it, and resolves a
// relative RNNKIT_SHARED there.
func TestRoot(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	nested := filepath.Join(root, "infer", "nested")
	if err := os.MkdirAll(nested, 0o777); err != nil {
		t.Fatal(err)
	}
	for dir, path := range map[string]string{root: "github.com/rnnkit/rnnkit", nested: "github.com/rnnkit/rnnkit/infer/nested"} {
		if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module "+path+"\n\ngo 1.26\n"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(nested)
	if got := testenv.Root(t); got != root {
		t.Errorf("the root is %s, want %s", got, root)
	}
	for value, want := range map[string]string{"": filepath.Join(filepath.Dir(root), "shared"), "data": filepath.Join(root, "data")} {
		t.Setenv("RNNKIT_SHARED", value)
		if got := testenv.SharedRoot(t); got != want {
			t.Errorf("RNNKIT_SHARED=%q: %s, want %s", value, got, want)
		}
	}
	t.Chdir(filepath.Dir(root))
	if how := run(t, func(t testing.TB) { testenv.Root(t) }); !strings.HasPrefix(how, "fail: ") {
		t.Errorf("outside of the repository: %q", how)
	}
}
