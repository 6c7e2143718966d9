package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// checkNames reports Go files and exported names that a page has and the code does not.
func (p *page) checkNames(t *testing.T, text string, files []string) {
	t.Helper()
	for _, name := range fileForm.FindAllStringSubmatch(text, -1) {
		if !slices.ContainsFunc(files, func(file string) bool { return strings.HasSuffix(file, "/"+name[1]) }) {
			t.Errorf("%s names %s, which is not there", p.path, name[1])
		}
	}
	for _, name := range exportedForm.FindAllStringSubmatch(text, -1) {
		declared := exported(t, p.root, name[1])
		for _, part := range strings.Split(name[2], ".") {
			if declared != nil && !declared[part] {
				t.Errorf("%s names %s.%s, and package %s has no %s", p.path, name[1], name[2], name[1], part)
			}
		}
	}
}

var (
	fileForm     = regexp.MustCompile("`([\\w/]+\\.go)`")
	exportedForm = regexp.MustCompile("`\\*?([a-z]+)\\.([A-Z]\\w*(?:\\.[A-Z]\\w*)?)")
)

// exported returns the names that a package declares, with its methods and
// fields, or nil where there is no such package.
func exported(t *testing.T, root, name string) map[string]bool {
	t.Helper()
	dir := map[string]string{
		"rnnkit": "", "datasets": "datasets", "models": "models", "trainer": "trainer", "export": "export",
		"infer": "infer", "engine": "infer/engine", "tensor": "infer/tensor", "native": "infer/native", "ort": "infer/ort",
		"cell": "internal/cell", "kernels": "internal/kernels", "onnxgraph": "internal/onnxgraph", "atomicfile": "internal/atomicfile",
	}
	if _, ok := dir[name]; !ok {
		return nil
	}
	paths, err := filepath.Glob(filepath.Join(root, dir[name], "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				names[n.Name.Name] = true
				return false
			case *ast.TypeSpec:
				names[n.Name.Name] = true
			case *ast.ValueSpec:
				addNames(names, n.Names)
			case *ast.Field:
				addNames(names, n.Names)
			}
			return true
		})
	}
	return names
}

func addNames(names map[string]bool, list []*ast.Ident) {
	for _, name := range list {
		names[name.Name] = true
	}
}

// goFiles lists the Go files of the repository.
func goFiles(t *testing.T, root string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err == nil && d.Name() == "node_modules":
			return fs.SkipDir
		case filepath.Ext(path) == ".go":
			files = append(files, filepath.ToSlash(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// checkLinks reports links to files that are not there.
func (p *page) checkLinks(t *testing.T, text string) {
	t.Helper()
	for _, link := range linkForm.FindAllStringSubmatch(text, -1) {
		path, _, _ := strings.Cut(link[1], "#")
		if path == "" || strings.Contains(path, "://") {
			continue
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(p.path), path)); err != nil {
			t.Errorf("%s links to %s, which is not there", p.path, link[1])
		}
	}
}

var linkForm = regexp.MustCompile(`\]\(([^)\s]+)\)`)
