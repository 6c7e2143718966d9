package ortlib

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
)

const (
	maxMember  = 4 << 30  // bytes of one file; a CUDA provider has almost 1 GiB
	maxArchive = 32 << 30 // bytes of an archive when unpacked
	maxMembers = 64       // files extracted from an archive
)

// wanted matches the names of the library and of its provider libraries.
var wanted = map[string]*regexp.Regexp{
	"linux":   regexp.MustCompile(`^libonnxruntime(_providers_\w+)?\.so(\.\d+)*$`),
	"darwin":  regexp.MustCompile(`^libonnxruntime(_providers_\w+)?(\.\d+)*\.dylib$`),
	"windows": regexp.MustCompile(`^onnxruntime(_providers_\w+)?\.dll$`),
}

func isArchive(name string) bool {
	name = strings.ToLower(name)
	return strings.HasSuffix(name, ".tgz") || strings.HasSuffix(name, ".tar.gz") || strings.HasSuffix(name, ".zip")
}

// unpack writes the libraries in an archive to directories below stage, one for each
// directory in the archive. It returns the path of the first ONNX Runtime library for
// this platform.
func unpack(ctx context.Context, archive, stage string) (string, error) {
	pattern := wanted[runtime.GOOS]
	if pattern == nil {
		return "", fmt.Errorf("archives for %s are not known: install from the path of the library itself", runtime.GOOS)
	}
	dirs := make(map[string]string)
	var libs []string
	count := 0
	err := eachMember(ctx, archive, func(name string, content io.Reader) error {
		dir, base := path.Split(name)
		match := pattern.FindStringSubmatch(base)
		if match == nil {
			return nil
		}
		if count++; count > maxMembers {
			return fmt.Errorf("it has more than %d libraries", maxMembers)
		}
		if dirs[dir] == "" {
			dirs[dir] = filepath.Join(stage, strconv.Itoa(len(dirs)))
			if err := os.Mkdir(dirs[dir], 0o755); err != nil {
				return err
			}
		}
		file := filepath.Join(dirs[dir], base)
		if match[1] == "" {
			libs = append(libs, file)
		}
		return writeFile(file, content)
	})
	if err != nil {
		return "", fmt.Errorf("archive %s: %w: fetch it again from a source that you trust", archive, err)
	}
	for _, lib := range libs {
		if checkPlatform(lib) == nil {
			return lib, nil
		}
	}
	return "", fmt.Errorf("archive %s has %d files of the name %s and none is a library for %s: get the archive for this platform", archive, len(libs), FileName(), platform())
}

// eachMember calls f with the name and content of every regular file in a .tgz,
// .tar.gz or .zip file.
func eachMember(ctx context.Context, archive string, f func(name string, content io.Reader) error) error {
	if strings.HasSuffix(strings.ToLower(archive), ".zip") {
		return eachZipped(ctx, archive, f)
	}
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return err
	}
	members := tar.NewReader(&boundedReader{ctx, unzipped, maxArchive})
	for {
		header, err := members.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		if err := f(header.Name, &boundedReader{ctx, members, maxMember}); err != nil {
			return err
		}
	}
}

func eachZipped(ctx context.Context, archive string, f func(name string, content io.Reader) error) error {
	members, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer members.Close()
	for _, m := range members.File {
		if !m.Mode().IsRegular() {
			continue
		}
		content, err := m.Open()
		if err != nil {
			return err
		}
		err = f(m.Name, &boundedReader{ctx, content, maxMember})
		content.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// boundedReader reads at most n bytes and then fails. It also fails when its context
// is done.
type boundedReader struct {
	ctx context.Context
	r   io.Reader
	n   int64
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := b.r.Read(p)
	if b.n -= int64(n); b.n < 0 {
		return 0, errors.New("it is too large")
	}
	return n, err
}
