package ortlib

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/rnnkit/rnnkit/internal/atomicfile"
)

// Options says what [Install] installs.
type Options struct {
	// From is "go" (the default) for a pinned Go module, "npm" for a pinned npm
	// package, or the path of a library or of a release archive (.tgz, .tar.gz
	// or .zip) that contains one.
	From string
	// SHA256 is the expected hexadecimal sum of the file at the path From. The
	// sums of pinned packages are built in.
	SHA256 string
	// Log receives a line for each slow step. It may be nil.
	Log io.Writer
}

// Installed is the outcome of [Install].
type Installed struct {
	Path      string
	Version   string
	SHA256    string   // of the library, in hexadecimal
	Providers []string // names of the provider libraries beside it
	Already   bool     // the library was already there, and nothing was written
}

// Install copies a library and its provider libraries into the cache. [Find] then
// prefers it to any other in the cache. Install writes nothing if the same library is
// already there, and replaces a damaged one. It downloads with the go or npm command,
// which must be on the PATH.
func Install(ctx context.Context, o Options) (Installed, error) {
	if o.Log == nil {
		o.Log = io.Discard
	}
	done, err := install(ctx, o)
	if err != nil && ctx.Err() != nil {
		return Installed{}, context.Cause(ctx)
	}
	return done, err
}

func install(ctx context.Context, o Options) (Installed, error) {
	cache, err := cacheDir()
	if err != nil {
		return Installed{}, err
	}
	if o.From == "" {
		o.From = "go"
	}
	if o.From != "go" && o.From != "npm" {
		return installPath(ctx, cache, o)
	}
	if o.SHA256 != "" {
		return Installed{}, errors.New("a SHA-256 is only for a path: those of the go and npm packages are known")
	}
	for _, p := range pins {
		if p.from == o.From && p.platform == platform() {
			return installPin(ctx, cache, p, o.Log)
		}
	}
	return Installed{}, fmt.Errorf("the %s package has no library for %s: install from the path of a %s that is", o.From, platform(), FileName())
}

func installPin(ctx context.Context, cache string, p pin, log io.Writer) (Installed, error) {
	dest := filepath.Join(cache, p.version, platform())
	if done, ok := already(dest, p.version, p.sum); ok {
		return done, nil
	}
	stage, remove, err := newStage(cache)
	if err != nil {
		return Installed{}, err
	}
	defer remove()

	fmt.Fprintf(log, "fetching %s with %s\n", p.module, p.from)
	lib := filepath.Join(stage, FileName())
	if p.from == "go" {
		err = fetchGo(ctx, p, stage, lib)
	} else {
		err = fetchNPM(ctx, p, stage, lib)
	}
	if err != nil {
		return Installed{}, err
	}
	sum, err := fileSum(lib)
	if err != nil {
		return Installed{}, err
	}
	if sum != p.sum {
		return Installed{}, fmt.Errorf("%s of %s has SHA-256 %s, not %s: it was tampered with or damaged on its way: install from elsewhere (npm, go or a path)", p.file, p.module, sum, p.sum)
	}
	return place(dest, []string{lib}, p.version, sum)
}

// fetchGo copies the library from the Go module cache.
func fetchGo(ctx context.Context, p pin, stage, lib string) error {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", p.module)
	cmd.Dir = stage
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		return errors.New("the go command is not on the PATH: install Go, or install from npm or from the path of a library or release archive")
	}
	var module struct{ Dir, Error string }
	if jsonErr := json.Unmarshal(out, &module); err == nil {
		err = jsonErr
	}
	if err != nil {
		return fmt.Errorf("go mod download %s: %w: %s: look at the network and GOPROXY, or install from npm or a path", p.module, err, oneLine(module.Error+stderr.String()))
	}
	return copyFile(ctx, lib, filepath.Join(module.Dir, filepath.FromSlash(p.file)))
}

// fetchNPM unpacks the library from the npm package.
func fetchNPM(ctx context.Context, p pin, stage, lib string) error {
	cmd := exec.CommandContext(ctx, "npm", "pack", "--ignore-scripts", "--loglevel=error", p.module)
	cmd.Dir = stage
	out, err := cmd.CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return errors.New("the npm command is not on the PATH: install Node.js, or install from the go package or from the path of a library or release archive")
	}
	if err != nil {
		return fmt.Errorf("npm pack %s: %w: %s: look at the network and npm's registry setting, or install from go or a path", p.module, err, oneLine(string(out)))
	}
	packed, err := filepath.Glob(filepath.Join(stage, "*.tgz"))
	if err != nil || len(packed) != 1 {
		return fmt.Errorf("npm pack %s left %d archives, not one: install from go or a path", p.module, len(packed))
	}
	found := false
	err = eachMember(ctx, packed[0], func(name string, content io.Reader) error {
		if name != "package/"+p.file || found {
			return nil
		}
		found = true
		return writeFile(lib, content)
	})
	if err == nil && !found {
		err = fmt.Errorf("%s has no %s: install from go or a path", p.module, p.file)
	}
	return err
}

func installPath(ctx context.Context, cache string, o Options) (Installed, error) {
	if !isFile(o.From) {
		return Installed{}, fmt.Errorf("there is no file %q: give go, npm, or the path of a library or release archive", o.From)
	}
	if o.SHA256 != "" {
		sum, err := fileSum(o.From)
		if err != nil {
			return Installed{}, err
		}
		if !strings.EqualFold(sum, o.SHA256) {
			return Installed{}, fmt.Errorf("%s has SHA-256 %s, not %s: fetch it again from a source that you trust", o.From, sum, o.SHA256)
		}
	}
	stage, remove, err := newStage(cache)
	if err != nil {
		return Installed{}, err
	}
	defer remove()

	lib := filepath.Join(stage, filepath.Base(o.From))
	if isArchive(o.From) {
		fmt.Fprintf(o.Log, "unpacking %s\n", o.From)
		lib, err = unpack(ctx, o.From, stage)
	} else if err = checkPlatform(o.From); err == nil {
		err = copyWithProviders(ctx, stage, o.From)
	}
	if err != nil {
		return Installed{}, err
	}
	version, err := Check(lib)
	if err != nil {
		return Installed{}, err
	}
	if version == "" {
		return Installed{}, fmt.Errorf("cannot tell the version of %s: name the file libonnxruntime.1.N.P.dylib or libonnxruntime.so.1.N.P by its version", o.From)
	}
	sum, err := fileSum(lib)
	if err != nil {
		return Installed{}, err
	}
	files := append([]string{lib}, providersBeside(lib)...)
	dest := filepath.Join(cache, version, platform())
	if done, ok := already(dest, version, sum); ok && len(done.Providers) == len(files)-1 {
		return done, nil
	}
	return place(dest, files, version, sum)
}

// newStage makes a temporary directory in the cache, so that a rename stays within
// one file system. It removes the directories of killed processes.
func newStage(cache string) (dir string, remove func(), err error) {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", nil, unwritableCache(err)
	}
	removeStages(cache)
	dir = filepath.Join(cache, fmt.Sprintf("%s%08x", stagePrefix, rand.Uint32()))
	lock, err := atomicfile.LockPath(dir)
	if err != nil {
		return "", nil, unwritableCache(err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		lock.Unlock()
		return "", nil, unwritableCache(err)
	}
	return dir, func() {
		os.RemoveAll(dir)
		lock.Unlock()
	}, nil
}

const stagePrefix = ".install-"

// removeStages removes the temporary directories that no process has locked.
func removeStages(cache string) {
	entries, _ := os.ReadDir(cache)
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), stagePrefix) {
			continue
		}
		dir := filepath.Join(cache, e.Name())
		if lock, err := atomicfile.LockPath(dir); err == nil {
			os.RemoveAll(dir)
			lock.Unlock()
		}
	}
}

func unwritableCache(err error) error {
	return fmt.Errorf("the cache: %w: set RNNKIT_CACHE to a directory that can be written", err)
}

// already reports whether dest has the library with the sum. If so, it marks the
// library as the last one installed.
func already(dest, version, sum string) (Installed, bool) {
	lib := filepath.Join(dest, FileName())
	if got, err := fileSum(lib); err != nil || got != sum {
		return Installed{}, false
	}
	now := time.Now()
	if err := os.Chtimes(lib, now, now); err != nil {
		return Installed{}, false
	}
	return Installed{lib, version, sum, baseNames(providersBeside(lib)), true}, true
}

// place moves files, the library first in the list, into dest. It moves the library
// last, so that whoever finds the library finds the rest too.
func place(dest string, files []string, version, sum string) (Installed, error) {
	if err := os.MkdirAll(dest, 0o755); err != nil {
		return Installed{}, err
	}
	lib := filepath.Join(dest, FileName())
	for _, stale := range providersBeside(lib) {
		if err := os.Remove(stale); err != nil {
			return Installed{}, err
		}
	}
	for _, file := range files[1:] {
		if err := os.Rename(file, filepath.Join(dest, filepath.Base(file))); err != nil {
			return Installed{}, err
		}
	}
	record := files[0] + sumSuffix
	if err := writeFile(record, strings.NewReader(sum+"  "+FileName()+"\n")); err != nil {
		return Installed{}, err
	}
	if err := os.Rename(record, lib+sumSuffix); err != nil {
		return Installed{}, err
	}
	if err := os.Rename(files[0], lib); err != nil {
		return Installed{}, err
	}
	return Installed{lib, version, sum, baseNames(files[1:]), false}, nil
}

// copyWithProviders copies the library at path and the provider libraries beside it
// into dir, and keeps their names.
func copyWithProviders(ctx context.Context, dir, path string) error {
	for _, file := range append([]string{path}, providersBeside(path)...) {
		if err := copyFile(ctx, filepath.Join(dir, filepath.Base(file)), file); err != nil {
			return err
		}
	}
	return nil
}

func providersBeside(lib string) []string {
	name := FileName()
	ext := filepath.Ext(name)
	found, _ := filepath.Glob(filepath.Join(filepath.Dir(lib), strings.TrimSuffix(name, ext)+"_providers_*"+ext))
	return found
}

func baseNames(paths []string) []string {
	var names []string
	for _, p := range paths {
		names = append(names, filepath.Base(p))
	}
	return names
}

func copyFile(ctx context.Context, dst, src string) error {
	file, err := os.Open(src)
	if err != nil {
		return err
	}
	defer file.Close()
	return writeFile(dst, &boundedReader{ctx, file, maxMember})
}

// writeFile writes content to a new file and flushes it to disk.
func writeFile(path string, content io.Reader) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// oneLine joins the lines of a command's output and keeps the end, where commands
// report errors.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 300 {
		s = "..." + s[len(s)-300:]
	}
	return s
}
