package ortlib

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
)

// Binding is the version of github.com/yalue/onnxruntime_go that this module
// requires, and NeedAPI is the version of ONNX Runtime's C API that the binding uses.
// A library 1.N offers versions up to N.
const (
	Binding = "v1.27.0"
	NeedAPI = 24
)

// API returns the C API version that the library of a version offers. It returns 0
// unless the version has the form 1.N.P.
func API(version string) int {
	fields := strings.Split(version, ".")
	if len(fields) != 3 || fields[0] != "1" {
		return 0
	}
	api, _ := strconv.Atoi(fields[1])
	return api
}

// Check returns the version of the library at path, or "" if only loading it would
// show the version. It returns an error if the file is not a library for this
// platform or is known to be too old for the binding.
func Check(path string) (version string, err error) {
	if err := checkPlatform(path); err != nil {
		return "", err
	}
	version, err = Version(path)
	if err != nil {
		return "", err
	}
	if version != "" && API(version) < NeedAPI {
		return version, TooOld(path, version)
	}
	return version, nil
}

// TooOld returns the error for a library whose version is below 1.[NeedAPI].
func TooOld(path, version string) error {
	return fmt.Errorf("%s is ONNX Runtime %s, and the binding onnxruntime_go %s needs 1.%d or later: run `rnnkit runtime install`", path, version, Binding, NeedAPI)
}

var (
	symbolVersion = regexp.MustCompile(`^VERS_(\d+\.\d+\.\d+)`)
	nameVersion   = regexp.MustCompile(`^libonnxruntime\.(?:so\.)?(\d+\.\d+\.\d+)(?:\.dylib)?$`)
)

// Version returns the version of the library at path, such as "1.28.2", without
// loading it. It takes the version from the library's own headers, else from its
// SHA-256 if [Install] knows it, else from the name of the file. If all fail, it
// returns "".
func Version(path string) (string, error) {
	if version := headerVersion(path); version != "" {
		return version, nil
	}
	sum, err := fileSum(path)
	if err != nil {
		return "", err
	}
	if p, ok := pinOf(sum); ok {
		return p.version, nil
	}
	if m := nameVersion.FindStringSubmatch(filepath.Base(path)); m != nil {
		return m[1], nil
	}
	return "", nil
}

// headerVersion reads the version from the exported symbols of an ELF file, the
// install name of a Mach-O file, or the resources of a PE file.
func headerVersion(path string) string {
	switch runtime.GOOS {
	case "windows":
		if f, err := pe.Open(path); err == nil {
			defer f.Close()
			return peVersion(f)
		}
	case "darwin":
		if f, err := macho.Open(path); err == nil {
			defer f.Close()
			return machoVersion(f)
		}
	default:
		if f, err := elf.Open(path); err == nil {
			defer f.Close()
			return elfVersion(f)
		}
	}
	return ""
}

func elfVersion(f *elf.File) string {
	versions, err := f.DynamicVersions()
	if err != nil {
		return ""
	}
	for _, v := range versions {
		if m := symbolVersion.FindStringSubmatch(v.Name); m != nil {
			return m[1]
		}
	}
	return ""
}

func machoVersion(f *macho.File) string {
	const idDylib = 0xd // LC_ID_DYLIB: command, size, name, time, current version, ...
	for _, load := range f.Loads {
		raw := load.Raw()
		if len(raw) < 20 || f.ByteOrder.Uint32(raw) != idDylib {
			continue
		}
		if v := f.ByteOrder.Uint32(raw[16:]); v != 0 {
			return fmt.Sprintf("%d.%d.%d", v>>16, v>>8&0xff, v&0xff)
		}
	}
	return ""
}

func peVersion(f *pe.File) string {
	section := f.Section(".rsrc")
	if section == nil {
		return ""
	}
	data, err := section.Data()
	if err != nil {
		return ""
	}
	// VS_FIXEDFILEINFO: signature, structure version, file version, ...
	_, info, found := bytes.Cut(data, []byte{0xbd, 0x04, 0xef, 0xfe})
	if !found || len(info) < 12 {
		return ""
	}
	high, low := binary.LittleEndian.Uint32(info[4:]), binary.LittleEndian.Uint32(info[8:])
	return fmt.Sprintf("%d.%d.%d", high>>16, high&0xffff, low>>16)
}

// checkPlatform returns an error unless the file at path is a shared library that
// this program could load.
func checkPlatform(path string) error {
	found, err := platformOf(path)
	if err != nil {
		return fmt.Errorf("%s is not a shared library for %s: %w: give the path of %s", path, platform(), err, FileName())
	}
	if found != runtime.GOARCH {
		return fmt.Errorf("%s is a shared library for %s-%s, not for %s: get the one for this platform", path, runtime.GOOS, found, platform())
	}
	return nil
}

// platformOf returns the architecture, by Go's name, of a shared library for this
// operating system.
func platformOf(path string) (goarch string, err error) {
	switch runtime.GOOS {
	case "windows":
		f, err := pe.Open(path)
		if err != nil {
			return "", err
		}
		defer f.Close()
		return archOf(map[uint16]string{
			pe.IMAGE_FILE_MACHINE_AMD64: "amd64",
			pe.IMAGE_FILE_MACHINE_ARM64: "arm64",
			pe.IMAGE_FILE_MACHINE_I386:  "386",
		}, f.Machine), nil
	case "darwin":
		if f, err := macho.OpenFat(path); err == nil {
			defer f.Close()
			return runtime.GOARCH, nil // universal: the loader takes the matching part
		}
		f, err := macho.Open(path)
		if err != nil {
			return "", err
		}
		defer f.Close()
		return archOf(map[macho.Cpu]string{macho.CpuAmd64: "amd64", macho.CpuArm64: "arm64"}, f.Cpu), nil
	}
	f, err := elf.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if f.Type != elf.ET_DYN {
		return "", fmt.Errorf("it is of type %v", f.Type)
	}
	return archOf(map[elf.Machine]string{
		elf.EM_X86_64:  "amd64",
		elf.EM_AARCH64: "arm64",
		elf.EM_ARM:     "arm",
		elf.EM_386:     "386",
		elf.EM_RISCV:   "riscv64",
		elf.EM_S390:    "s390x",
		elf.EM_PPC64:   "ppc64le",
	}, f.Machine), nil
}

func archOf[M comparable](names map[M]string, machine M) string {
	if name, ok := names[machine]; ok {
		return name
	}
	return fmt.Sprint(machine)
}

// fileSum returns the SHA-256 of a file in hexadecimal.
func fileSum(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// Sum returns the SHA-256 of the library at path and the origin of that sum: the
// package that contains it, "recorded at installation", or "" if unknown. It returns
// an error if an installed library has changed.
func Sum(path string) (sum, known string, err error) {
	sum, err = fileSum(path)
	if err != nil {
		return "", "", err
	}
	if p, ok := pinOf(sum); ok {
		return sum, p.module, nil
	}
	recorded, err := os.ReadFile(path + sumSuffix)
	switch {
	case err != nil:
		return sum, "", nil
	case !bytes.HasPrefix(recorded, []byte(sum)):
		return sum, "", fmt.Errorf("%s has changed since it was installed: run `rnnkit runtime install`", path)
	}
	return sum, "recorded at installation", nil
}

// sumSuffix is the suffix of the file that holds a cached library's SHA-256 in the
// format of sha256sum.
const sumSuffix = ".sha256"

// Verify returns an error if a library in the cache has changed since its
// installation. Its SHA-256 must be that of a known package or the recorded one.
// Verify accepts any library from elsewhere, which is the user's own choice.
func Verify(lib Library) error {
	if lib.Source != "cache" {
		return nil
	}
	_, known, err := Sum(lib.Path)
	if err == nil && known == "" {
		err = fmt.Errorf("%s was not installed by rnnkit, or its record is lost: run `rnnkit runtime install`, or name it by its path", lib.Path)
	}
	return err
}
