// Package layout_test holds the packages of this module to the arrows of
// docs/layout.md.
package layout_test

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/rnnkit/rnnkit"

// everything is for commands, which may import any package.
const everything = "everything"

// mayImport lists, for every package of the module, which of the others it may
// import. Tests may import what they like.
var mayImport = map[string][]string{
	"bench":                      {"models", "datasets", "trainer"},
	"models":                     {},
	"datasets":                   {},
	"trainer":                    {"models", "datasets", "internal/atomicfile", "internal/cell", "internal/kernels"},
	"examples/service":           {"infer", "infer/native"},
	"export":                     {"models", "internal/onnxgraph", "internal/atomicfile"},
	"infer":                      {"models", "infer/engine", "infer/native", "internal/inputs", "internal/onnxgraph", "internal/stepwise"},
	"infer/engine":               {},
	"infer/native":               {"infer/engine", "internal/onnxgraph", "internal/cell", "internal/kernels"},
	"infer/onnxgo":               {"infer/engine", "infer/native", "internal/onnxgraph"},
	"infer/ort":                  {"infer/engine", "internal/onnxgraph", "internal/ortlib"},
	"internal/atomicfile":        {},
	"internal/cell":              {"internal/kernels"},
	"cmd/rnnkit/internal/cli":    {everything},
	"cmd/rnnkit/internal/flops":  {"infer/engine", "internal/onnxgraph"},
	"internal/inputs":            {"infer/engine", "internal/onnxgraph"},
	"internal/job":               {"models", "datasets", "trainer", "infer", "infer/engine", "internal/verify"},
	"internal/kernels":           {},
	"cmd/rnnkit/internal/lab":    {"models", "datasets", "trainer", "export", "infer", "infer/engine", "internal/atomicfile", "internal/job", "cmd/rnnkit/internal/pca"},
	"internal/layout":            {},
	"internal/npy":               {"infer/engine"},
	"internal/onnxgraph":         {"infer/engine", "internal/onnxpb"},
	"internal/onnxpb":            {},
	"internal/onnxref":           {},
	"internal/onnxtest":          {"infer/engine", "internal/npy", "internal/onnxgraph", "internal/onnxpb"},
	"internal/ortlib":            {"internal/atomicfile"},
	"cmd/rnnkit/internal/pca":    {},
	"internal/reading":           {"infer/engine", "internal/inputs", "internal/onnxgraph"},
	"cmd/rnnkit/internal/repair": {"infer", "infer/engine", "infer/native", "internal/inputs", "internal/onnxgraph", "internal/verify"},
	"cmd/rnnkit/internal/report": {"trainer", "internal/atomicfile", "cmd/rnnkit/internal/lab"},
	"internal/stepwise":          {"internal/onnxgraph"},
	"internal/verify":            {"models", "infer", "infer/engine", "infer/native", "internal/onnxgraph"},
	"cmd/rnnkit":                 {"cmd/rnnkit/internal/cli"},
	"scripts/interop":            {everything},
}

// links lists what ends up in a program that imports a package. It must hold
// whatever mayImport says.
var links = map[string]struct {
	never   []string // packages of this module
	modules []string // the only other modules
}{
	"infer": {
		never:   []string{"trainer", "export", "datasets", "infer/ort", "cmd/rnnkit/internal/cli", "internal/ortlib"},
		modules: []string{"google.golang.org/protobuf", "golang.org/x/sys"},
	},
	"trainer": {
		never:   []string{"infer", "export", "internal/onnxgraph", "internal/onnxpb"},
		modules: []string{"golang.org/x/sys"},
	},
}

// pkg is a package as go list describes it.
type pkg struct {
	ImportPath string
	CgoFiles   []string
	Imports    []string
	Deps       []string // all that it links
	Module     *struct{ Path string }
}

// name is the path of a package within this module.
func (p pkg) name() string { return strings.TrimPrefix(p.ImportPath, module+"/") }

func (p pkg) ours() bool { return p.Module != nil && p.Module.Path == module }

func TestArrows(t *testing.T) {
	unused := make(map[string]bool)
	for name := range mayImport {
		unused[name] = true
	}
	packages := list(t)
	for _, p := range packages {
		if !p.ours() {
			continue
		}
		allowed, ok := mayImport[p.name()]
		if !ok {
			t.Errorf("package %s is in no rule: add it to mayImport in internal/layout/layout_test.go and to docs/layout.md", p.name())
		}
		delete(unused, p.name())
		for _, path := range p.Imports {
			imported := packages[path]
			if imported.ours() && !slices.Contains(allowed, imported.name()) && !slices.Contains(allowed, everything) {
				t.Errorf("package %s imports %s, which no arrow allows: it may import %q", p.name(), imported.name(), allowed)
			}
		}
	}
	for name := range unused {
		t.Errorf("there is no package %s: remove it from mayImport in internal/layout/layout_test.go", name)
	}
}

func TestLinks(t *testing.T) {
	packages := list(t)
	for name, rule := range links {
		deps := packages[module+"/"+name].Deps
		if len(deps) == 0 {
			t.Errorf("package %s imports nothing, or is gone: mend links in internal/layout/layout_test.go", name)
		}
		reported := make(map[string]bool) // modules
		for _, path := range deps {
			p := packages[path]
			switch {
			case p.ours() && slices.Contains(rule.never, p.name()):
				t.Errorf("a program that imports %s links %s", name, p.name())
			case p.Module != nil && !p.ours() && !slices.Contains(rule.modules, p.Module.Path):
				if !reported[p.Module.Path] {
					t.Errorf("a program that imports %s links %s of module %s", name, path, p.Module.Path)
				}
				reported[p.Module.Path] = true
			case len(p.CgoFiles) > 0:
				t.Errorf("a program that imports %s needs cgo for %s", name, path)
			}
		}
	}
}

// list returns the packages of the module and all that they import, by path, as
// they are on a machine with cgo.
func list(t *testing.T) map[string]pkg {
	t.Helper()
	readTree(t)
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,CgoFiles,Imports,Deps,Module", module+"/...")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	packages := make(map[string]pkg)
	for decoder := json.NewDecoder(out); ; {
		var p pkg
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		packages[p.ImportPath] = p
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return packages
}

// readTree reads the module's folders, so that the go command, which knows what
// a test reads but not what its children do, runs this one again after a change.
func readTree(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != "../.." {
			return filepath.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestEmbeddingIsSmall builds a service that embeds a model.
func TestEmbeddingIsSmall(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	const source = `package main

import (
	"fmt"
	"os"

	"` + module + `/infer"
)

func main() {
	fmt.Println(infer.Open(os.Args[1]))
}
`
	dir := t.TempDir()
	file, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "service")
	if err := os.WriteFile(file, []byte(source), 0o666); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", program, file)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	info, err := os.Stat(program)
	if err != nil {
		t.Fatal(err)
	}
	const limit = 15_000_000
	t.Logf("%d bytes", info.Size())
	if info.Size() >= limit {
		t.Errorf("a program that imports infer has %d bytes, want less than %d", info.Size(), limit)
	}
}
