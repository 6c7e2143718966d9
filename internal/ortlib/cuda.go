package ortlib

import (
	"debug/elf"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// CUDA returns an error that lists everything the library at path lacks on this
// machine to compute with CUDA: its provider libraries, the NVIDIA driver, a device,
// and (on Linux) the CUDA and cuDNN libraries that its provider needs. It loads
// nothing, so nil does not prove that CUDA works.
func CUDA(path string) error {
	var missing []string
	switch runtime.GOOS {
	case "linux":
		missing = missingOnLinux(filepath.Dir(path))
	case "windows":
		missing = missingOnWindows(filepath.Dir(path))
	default:
		return fmt.Errorf("there is no CUDA on %s: use the provider cpu", runtime.GOOS)
	}
	if len(missing) > 0 {
		return errors.New("CUDA is missing " + strings.Join(missing, "; "))
	}
	return nil
}

func missingOnLinux(dir string) (missing []string) {
	const cuda, shared = "libonnxruntime_providers_cuda.so", "libonnxruntime_providers_shared.so"
	missing = missingProviders(dir, cuda, shared)
	if !onPath("libcuda.so.1", loaderDirs()) {
		missing = append(missing, "libcuda.so.1 (install the NVIDIA driver)")
	}
	if !slices.ContainsFunc([]string{"/dev/nvidia[0-9]*", "/dev/dxg", "/dev/nvhost-gpu"}, exists) {
		missing = append(missing, "a device /dev/nvidia* (there is no NVIDIA GPU here, or the container was not given it)")
	}
	f, err := elf.Open(filepath.Join(dir, cuda))
	if err != nil {
		return missing
	}
	defer f.Close()
	needed, err := f.ImportedLibraries()
	if err != nil {
		return append(missing, fmt.Sprintf("an intact %s (%v: install it again)", cuda, err))
	}
	dirs := append(runPath(f, dir), loaderDirs()...)
	var libs []string
	for _, lib := range needed {
		if lib != "libcuda.so.1" && !strings.HasPrefix(lib, "libonnxruntime") && !onPath(lib, dirs) {
			libs = append(libs, lib)
		}
	}
	// From 1.29 on the provider itself loads any version of cuDNN.
	cudnn := func(dir string) bool { return exists(filepath.Join(dir, "libcudnn.so*")) }
	needsCuDNN := func(lib string) bool { return strings.HasPrefix(lib, "libcudnn") }
	if !slices.ContainsFunc(needed, needsCuDNN) && !slices.ContainsFunc(dirs, cudnn) {
		libs = append(libs, "libcudnn.so.9")
	}
	if len(libs) > 0 {
		missing = append(missing, strings.Join(libs, ", ")+" (install CUDA and cuDNN of these versions, or add their directories to LD_LIBRARY_PATH)")
	}
	return missing
}

func missingOnWindows(dir string) (missing []string) {
	missing = missingProviders(dir, "onnxruntime_providers_cuda.dll", "onnxruntime_providers_shared.dll")
	if !onPath("nvcuda.dll", loaderDirs()) {
		missing = append(missing, "nvcuda.dll (install the NVIDIA driver)")
	}
	return missing
}

func missingProviders(dir string, names ...string) []string {
	names = slices.DeleteFunc(names, func(name string) bool { return onPath(name, []string{dir}) })
	if len(names) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s in %s (run `rnnkit runtime install --from` with the path of a GPU build's archive)", strings.Join(names, ", "), dir)}
}

func onPath(name string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return isFile(filepath.Join(dir, name)) })
}

// exists reports whether any file matches the pattern.
func exists(pattern string) bool {
	found, _ := filepath.Glob(pattern)
	return len(found) > 0
}

// runPath lists the directories that f, a file in dir, tells the loader to search
// first.
func runPath(f *elf.File, dir string) (dirs []string) {
	for _, tag := range []elf.DynTag{elf.DT_RPATH, elf.DT_RUNPATH} {
		paths, _ := f.DynString(tag)
		for _, p := range paths {
			dirs = append(dirs, filepath.SplitList(strings.ReplaceAll(p, "$ORIGIN", dir))...)
		}
	}
	return dirs
}
