// Package atomicfile writes files atomically: a file appears complete or not at all,
// even if the process is killed or the machine loses power. It also locks paths that
// only one process may use at a time.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"syscall"
)

// File is a file that is being written. Until Commit, its path still has the old file,
// or none.
type File struct {
	*os.File
	path string
}

// Create returns a new File for path. It fails if path cannot be written, so that a
// program can find that out before long work. It also removes temporary files that
// killed processes left for path.
func Create(path string) (*File, error) {
	path = resolve(path)
	old, err := os.Stat(path)
	if err == nil && !old.Mode().IsRegular() {
		return nil, fmt.Errorf("cannot write %s: it is not a regular file: name another one", path)
	}
	removeLeftovers(path)
	f, createErr := createTemporary(path)
	if createErr != nil {
		return nil, unwritable(path, createErr)
	}
	if err == nil {
		f.Chmod(old.Mode().Perm())
	}
	return &File{f, path}, nil
}

// resolve follows symbolic links. It returns path if there is no file yet.
func resolve(path string) string {
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		return resolved
	}
	return path
}

// createTemporary creates a file beside path and locks it. The lock tells it from the
// files of killed processes. os.CreateTemp would not do: only the owner can read its
// files.
func createTemporary(path string) (*os.File, error) {
	for {
		name := fmt.Sprintf(".%s.%08x.tmp", filepath.Base(path), rand.Uint32())
		f, err := os.OpenFile(filepath.Join(filepath.Dir(path), name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if err != nil {
			return nil, err
		}
		if own(f) == nil {
			return f, nil
		}
		f.Close() // another process removed it before it was locked
	}
}

// removeLeftovers removes the temporary files for path that no process has locked.
func removeLeftovers(path string) {
	entries, _ := os.ReadDir(filepath.Dir(path))
	temporary := regexp.MustCompile(`^\.` + regexp.QuoteMeta(filepath.Base(path)) + `\.[0-9a-f]{8}\.tmp$`)
	for _, e := range entries {
		if e.Type().IsRegular() && temporary.MatchString(e.Name()) {
			removeUnused(filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
}

// Commit renames the file to its path. The contents are on disk before, the name is on
// disk when Commit returns.
func (f *File) Commit() error {
	err := f.Sync()
	if err == nil {
		err = f.rename()
	}
	if err != nil {
		f.File.Close()
		os.Remove(f.Name())
		return unwritable(f.path, err)
	}
	return syncFolder(filepath.Dir(f.path))
}

// rename renames the file and closes it. It closes it last, so that the file stays
// locked until it has its name, but first on Windows, which cannot rename open files.
func (f *File) rename() error {
	if runtime.GOOS == "windows" {
		return errors.Join(f.File.Close(), os.Rename(f.Name(), f.path))
	}
	err := os.Rename(f.Name(), f.path)
	if err == nil {
		f.File.Close() // the contents are on disk
	}
	return err
}

// syncFolder waits until the names in a folder are on disk, if the system supports
// that.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	folder, err := os.Open(path)
	if err != nil {
		return nil // a folder may be writable but not readable
	}
	defer folder.Close()
	err = folder.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// Abort removes the temporary file. After Commit it does nothing, so it can be
// deferred.
func (f *File) Abort() {
	if f.File.Close() == nil {
		os.Remove(f.Name())
	}
}

// Write writes data to path atomically.
func Write(path string, data []byte) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	defer f.Abort()
	if _, err := f.Write(data); err != nil {
		return unwritable(path, err)
	}
	return f.Commit()
}

func unwritable(path string, err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		err = pathError.Err
	}
	return fmt.Errorf("cannot write %s: %w: check the folder or name another file", path, err)
}
