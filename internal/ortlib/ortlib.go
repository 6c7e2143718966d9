// Package ortlib finds the shared library of ONNX Runtime on this machine, reads its
// version without loading it, and installs it into the user's cache.
//
// The cache is rnnkit/onnxruntime in [os.UserCacheDir], or the directory that
// RNNKIT_CACHE names. A library lies in <version>/<goos>-<goarch>, beside a file with
// its SHA-256 and its provider libraries, if any.
package ortlib

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// EnvPath is the environment variable that names the library to use.
const EnvPath = "ONNXRUNTIME_SHARED_LIBRARY_PATH"

// ErrNotFound means that this machine has no ONNX Runtime.
var ErrNotFound = errors.New("ONNX Runtime is not installed: run `rnnkit runtime install`")

// Library is an ONNX Runtime library and its origin.
type Library struct {
	Path   string // absolute
	Source string // its origin: "given path", [EnvPath], "cache" or "system"
}

// Find returns the library to use: the one at the path explicit, if set; else the one
// that [EnvPath] names; else the last one installed into the cache; else the first
// that the system's loader would find. It returns an error for a given path that is
// not a file, and [ErrNotFound] if there is no library.
func Find(explicit string) (Library, error) {
	if explicit != "" {
		return given(explicit, "given path")
	}
	if path := os.Getenv(EnvPath); path != "" {
		return given(path, EnvPath)
	}
	if path := cached(); path != "" {
		return Library{path, "cache"}, nil
	}
	for _, dir := range loaderDirs() {
		for _, name := range systemNames() {
			path, err := filepath.Abs(filepath.Join(dir, name))
			if err == nil && isFile(path) && checkPlatform(path) == nil {
				return Library{path, "system"}, nil
			}
		}
	}
	return Library{}, ErrNotFound
}

func given(path, source string) (Library, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a file")
	}
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return Library{}, fmt.Errorf("ONNX Runtime library %q (%s): %w: give the path of %s, or none and run `rnnkit runtime install`",
			path, source, pathless(err), FileName())
	}
	return Library{path, source}, nil
}

// pathless strips the path from an error of package os, for messages that already
// name it.
func pathless(err error) error {
	var pathErr *os.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}

// FileName returns the name of the library's file on this platform.
func FileName() string {
	switch runtime.GOOS {
	case "windows":
		return "onnxruntime.dll"
	case "darwin":
		return "libonnxruntime.dylib"
	}
	return "libonnxruntime.so"
}

// systemNames returns the names that the system's loader uses for the library.
func systemNames() []string {
	if runtime.GOOS == "linux" {
		return []string{FileName(), FileName() + ".1"}
	}
	return []string{FileName()}
}

func platform() string { return runtime.GOOS + "-" + runtime.GOARCH }

func cacheDir() (string, error) {
	if dir := os.Getenv("RNNKIT_CACHE"); dir != "" {
		dir, err := filepath.Abs(dir)
		return filepath.Join(dir, "onnxruntime"), err
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no place for a cache: %w: set RNNKIT_CACHE to a directory", err)
	}
	return filepath.Join(dir, "rnnkit", "onnxruntime"), nil
}

// cached returns the last library for this platform installed into the cache, or "".
func cached() string {
	dir, err := cacheDir()
	if err != nil {
		return ""
	}
	versions, err := os.ReadDir(dir)
	if err != nil {
		return ""
	}
	var newest string
	var installed time.Time
	for _, v := range versions {
		path := filepath.Join(dir, v.Name(), platform(), FileName())
		info, err := os.Stat(path)
		if err == nil && info.Mode().IsRegular() && !info.ModTime().Before(installed) {
			newest, installed = path, info.ModTime()
		}
	}
	return newest
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// loaderDirs lists the directories that the system's loader searches.
func loaderDirs() []string {
	var dirs []string
	switch runtime.GOOS {
	case "windows":
		dirs = append(filepath.SplitList(os.Getenv("PATH")), filepath.Join(os.Getenv("SystemRoot"), "System32"))
	case "darwin":
		dirs = filepath.SplitList(os.Getenv("DYLD_LIBRARY_PATH") + ":" + os.Getenv("DYLD_FALLBACK_LIBRARY_PATH"))
		dirs = append(dirs, "/opt/homebrew/lib", "/usr/local/lib", "/usr/lib")
	default:
		dirs = filepath.SplitList(os.Getenv("LD_LIBRARY_PATH"))
		dirs = append(dirs, confDirs("/etc/ld.so.conf", 0)...)
		dirs = append(dirs, "/lib64", "/usr/lib64", "/lib", "/usr/lib")
	}
	return slices.DeleteFunc(dirs, func(dir string) bool { return dir == "" })
}

// confDirs lists the directories in a file in the format of /etc/ld.so.conf and in
// the files that it includes.
func confDirs(path string, depth int) []string {
	if depth > 8 {
		return nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	var dirs []string
	for lines := bufio.NewScanner(file); lines.Scan(); {
		line, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0:
		case fields[0] != "include":
			dirs = append(dirs, fields[0])
		default:
			for _, pattern := range fields[1:] {
				if !filepath.IsAbs(pattern) {
					pattern = filepath.Join(filepath.Dir(path), pattern)
				}
				included, _ := filepath.Glob(pattern)
				for _, p := range included {
					dirs = append(dirs, confDirs(p, depth+1)...)
				}
			}
		}
	}
	return dirs
}
