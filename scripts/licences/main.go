// Command licences writes the list of all modules that this repository depends on,
// with the licence of each, in Markdown:
//
//	go -C scripts/licences run . >docs/licences.md
//
// It fails if a module states no licence, or one that it cannot name.
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

const (
	root = "../.." // the repository, from the folder of this command
	ours = "github.com/rnnkit/rnnkit"
)

// named has the licences of modules whose own files do not tell licensecheck, each
// with the reason.
var named = map[string]string{
	"github.com/golang/freetype": "FTL or GPL-2.0-or-later", // its LICENSE names the files of both
}

// programs are what the list says of a module that it is linked by. A module that
// none of them links serves tests, benchmarks or generators.
var programs = []program{
	{"`infer`", root, "./infer"},
	{"`trainer`", root, "./trainer"},
	{"`cmd/rnnkit`", root, "./cmd/rnnkit"},
	{"`infer/onnxgo`", root + "/infer/onnxgo", "."},
}

// program is a package, in a folder with a go.mod.
type program struct{ name, dir, pkg string }

// module is one that the repository depends on.
type module struct{ Path, Version, Dir string }

func main() {
	if err := write(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
}

// header begins the list.
const header = `# Licences of the dependencies

` + "`make licences`" + ` writes this list, and ` + "`make check`" + ` fails where it is not current. A
module that no program links serves tests, benchmarks or generators.

| module | version | licence | linked by |
|---|---|---|---|
`

// write writes the list, or returns an error that names each module whose licence is
// not known.
func write(w io.Writer) error {
	modules, err := dependencies()
	if err != nil {
		return err
	}
	users, err := linkedBy()
	if err != nil {
		return err
	}
	out := bytes.NewBufferString(header)
	var unknown error
	for _, m := range modules {
		licence, err := licenceOf(m)
		unknown = errors.Join(unknown, err)
		fmt.Fprintf(out, "| %s | %s | %s | %s |\n", m.Path, m.Version, licence, strings.Join(users[m], ", "))
	}
	if unknown != nil {
		return unknown
	}
	_, err = out.WriteTo(w)
	return err
}

// linkedBy returns the names of the programs that link each module.
func linkedBy() (map[module][]string, error) {
	users := make(map[module][]string)
	for _, p := range programs {
		modules := make(map[module]bool)
		if err := list(modules, p.dir, p.pkg); err != nil {
			return nil, err
		}
		for m := range modules {
			users[m] = append(users[m], p.name)
		}
	}
	return users, nil
}

// dependencies returns what the packages and tests of all modules of the repository
// are built from, sorted.
func dependencies() ([]module, error) {
	modules := make(map[module]bool)
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules"):
			return filepath.SkipDir
		case d.Name() != "go.mod":
			return nil
		}
		return list(modules, filepath.Dir(path), "-test", "./...")
	})
	byPath := func(a, b module) int { return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Version, b.Version)) }
	return slices.SortedFunc(maps.Keys(modules), byPath), err
}

// list adds to modules those of other repositories that packages in a folder are
// built from on any system.
func list(modules map[module]bool, dir string, args ...string) error {
	for _, system := range []string{"linux", "darwin", "windows"} {
		cmd := exec.Command("go", append([]string{"list", "-deps", "-json=Module"}, args...)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH=amd64", "CGO_ENABLED=1")
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("go list in %s: %w", dir, err)
		}
		for decoder := json.NewDecoder(bytes.NewReader(out)); decoder.More(); {
			var pkg struct{ Module *module }
			if err := decoder.Decode(&pkg); err != nil {
				return err
			}
			if pkg.Module != nil && pkg.Module.Version != "" && pkg.Module.Path != ours {
				modules[*pkg.Module] = true
			}
		}
	}
	return nil
}

// licenceOf names the licences that the files in a module's folder state.
func licenceOf(m module) (string, error) {
	names, err := stated(m.Dir)
	known, ok := named[m.Path]
	switch {
	case err != nil:
		return "", err
	case len(names) > 0 && ok:
		return "", fmt.Errorf("%s %s states its licence, %s: remove it from named", m.Path, m.Version, strings.Join(names, ", "))
	case len(names) > 0:
		return strings.Join(names, ", "), nil
	case ok:
		return known, nil
	}
	return "", fmt.Errorf("%s %s states no licence that licensecheck knows: do without it, or add it to named with the reason", m.Path, m.Version)
}

// stated returns the SPDX names of the licences whose text is in a folder's files.
func stated(dir string) ([]string, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, f := range files {
		lower := strings.ToLower(f.Name())
		if f.IsDir() || !strings.HasPrefix(lower, "licen") && !strings.HasPrefix(lower, "copying") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return nil, err
		}
		for _, match := range licensecheck.Scan(text).Match {
			names = append(names, match.ID)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
