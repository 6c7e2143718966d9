// Package layout_test holds the packages of this repository to docs/layout.md,
// which arranges them in storeys and lists what each may import.
package layout_test

import (
	"bytes"
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

// command is where the packages lie that only the command uses.
const command = "cmd/rnnkit"

// pkg is a package as go list describes it.
type pkg struct {
	ImportPath   string
	CgoFiles     []string
	Imports      []string
	TestImports  []string
	XTestImports []string
	Deps         []string // all that it links
	Module       *struct{ Path string }
}

// name is the path of a package within this repository, and "rnnkit" for the
// package at its root.
func (p pkg) name() string { return name(p.ImportPath) }

// ours says that the package is of this repository, whatever its module.
func (p pkg) ours() bool { return isOurs(p.ImportPath) }

func name(importPath string) string {
	if importPath == module {
		return "rnnkit"
	}
	return strings.TrimPrefix(importPath, module+"/")
}

func importPath(name string) string {
	if name == "rnnkit" {
		return module
	}
	return module + "/" + name
}

func isOurs(importPath string) bool {
	return importPath == module || strings.HasPrefix(importPath, module+"/")
}

// imports are the packages of this repository that p imports, sorted.
func (p pkg) imports() []string { return ours(p.Imports) }

func ours(importPaths []string) []string {
	var names []string
	for _, path := range importPaths {
		if isOurs(path) {
			names = append(names, name(path))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func TestEveryPackageHasALine(t *testing.T) {
	packages := listOurs(t)
	seen := make(map[string]bool)
	for _, e := range readLayout(t).packages {
		if _, ok := packages[e.name]; !ok {
			t.Errorf("%s:%d: there is no package %s: remove the line", document, e.line, e.name)
		}
		if seen[e.name] {
			t.Errorf("%s:%d: a second line for %s", document, e.line, e.name)
		}
		if e.purpose == "" {
			t.Errorf("%s:%d: say what %s is for", document, e.line, e.name)
		}
		seen[e.name] = true
	}
	for name := range packages {
		if !seen[name] {
			t.Errorf("package %s has no line in %s: add one to the lowest storey above all that it imports", name, document)
		}
	}
}

// TestImportsAreListed compares what each package imports with its line.
func TestImportsAreListed(t *testing.T) {
	packages := listOurs(t)
	for _, e := range readLayout(t).packages {
		p, ok := packages[e.name]
		if !ok || e.mayImportAll() {
			continue
		}
		for _, imported := range p.imports() {
			if !slices.Contains(e.imports(), imported) {
				t.Errorf("%s:%d: %s imports %s, which its line does not list", document, e.line, e.name, imported)
			}
		}
		for _, listed := range e.imports() {
			if !slices.Contains(p.imports(), listed) {
				t.Errorf("%s:%d: %s does not import %s: remove it from the line", document, e.line, e.name, listed)
			}
		}
	}
}

// TestImportsGoDown fails on an import of the same storey or a higher one. So
// there are no cycles.
func TestImportsGoDown(t *testing.T) {
	l := readLayout(t)
	for name, p := range listOurs(t) {
		e, ok := l.find(name)
		if !ok {
			continue
		}
		for _, imported := range p.imports() {
			to, ok := l.find(imported)
			if ok && to.storey >= e.storey {
				t.Errorf("%s:%d: %s is in storey %d and imports %s of storey %d: an import goes to a lower storey",
					document, e.line, name, e.storey, imported, to.storey)
			}
		}
	}
}

// TestInternalServesLibraries fails on a package under internal that only the
// command uses.
func TestInternalServesLibraries(t *testing.T) {
	packages := listOurs(t)
	usedBy := make(map[string][]string)
	for name, p := range packages {
		for _, imported := range ours(slices.Concat(p.Imports, p.TestImports, p.XTestImports)) {
			if imported != name {
				usedBy[imported] = append(usedBy[imported], name)
			}
		}
	}
	outside := func(name string) bool { return !strings.HasPrefix(name, command) }
	for name, users := range usedBy {
		if strings.HasPrefix(name, "internal/") && !slices.ContainsFunc(users, outside) {
			t.Errorf("only the command uses %s: move it to %s/internal", name, command)
		}
	}
}

// TestLinks checks what ends up in a program that imports a package.
func TestLinks(t *testing.T) {
	packages := list(t, "../..", "-deps", "./...")
	for _, e := range readLayout(t).links {
		deps := packages[importPath(e.name)].Deps
		if len(deps) == 0 {
			t.Errorf("%s:%d: package %s imports nothing, or is gone", document, e.line, e.name)
		}
		for _, never := range e.lists["never"] {
			if _, ok := packages[importPath(never)]; !ok {
				t.Errorf("%s:%d: there is no package %s: remove it from the line", document, e.line, never)
			}
		}
		checkLinks(t, e, deps, packages)
	}
}

// checkLinks compares the packages that a program links with an entry.
func checkLinks(t *testing.T, e entry, deps []string, packages map[string]pkg) {
	t.Helper()
	modules := make(map[string]string) // a package of each
	for _, path := range deps {
		p := packages[path]
		switch {
		case p.ours() && slices.Contains(e.lists["never"], p.name()):
			t.Errorf("a program that imports %s links %s", e.name, p.name())
		case len(p.CgoFiles) > 0:
			t.Errorf("a program that imports %s needs cgo for %s", e.name, path)
		case p.Module != nil && !p.ours():
			modules[p.Module.Path] = path
		}
	}
	for path, linked := range modules {
		if !slices.Contains(e.lists["modules"], path) {
			t.Errorf("a program that imports %s links %s of module %s", e.name, linked, path)
		}
	}
	for _, listed := range e.lists["modules"] {
		if modules[listed] == "" {
			t.Errorf("%s:%d: a program that imports %s does not link %s: remove it from the line", document, e.line, e.name, listed)
		}
	}
}

// listOurs returns the packages of all modules in this repository by their names.
func listOurs(t *testing.T) map[string]pkg {
	t.Helper()
	packages := make(map[string]pkg)
	for _, dir := range moduleDirs(t) {
		for _, p := range list(t, dir, "-e", "./...") { // -e: their dependencies may not have been downloaded
			packages[p.name()] = p
		}
	}
	return packages
}

// list returns the packages that go list finds in a folder, by path, as they are
// on a machine with cgo.
func list(t *testing.T, dir string, args ...string) map[string]pkg {
	t.Helper()
	args = append([]string{"list", "-json=ImportPath,CgoFiles,Imports,TestImports,XTestImports,Deps,Module"}, args...)
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := make(map[string]pkg)
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		if err != nil {
			t.Fatal(err)
		}
		packages[p.ImportPath] = p
	}
}

// moduleDirs returns the folders of the repository that have a go.mod. It reads
// every folder, so that the go command, which knows what a test reads but not what
// its children do, runs this one again after a change.
func moduleDirs(t *testing.T) []string {
	t.Helper()
	const root = "../.."
	var dirs []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules"):
			return filepath.SkipDir
		case d.Name() == "go.mod":
			dirs = append(dirs, filepath.Dir(path))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return dirs
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
	const limit = 7_500_000 // the largest is that of Windows
	t.Logf("%d bytes", info.Size())
	if info.Size() >= limit {
		t.Errorf("a program that imports infer has %d bytes, want less than %d", info.Size(), limit)
	}
}
