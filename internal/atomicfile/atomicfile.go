// Package atomicfile writes files that are there whole or not at all, whatever
// ends the process or the machine, and locks paths that one process may use at
// a time.
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

// File is a file under construction. Until Commit nothing stands under its
// path, or still what stood there before.
type File struct {
	*os.File
	path string
}

// Create starts a file that will stand under path. It fails where a file could
// not be written in the end, so that it can be called before long work. It also
// removes what processes that were killed left under construction for path.
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

// resolve returns where path leads to, or path where there is nothing yet.
func resolve(path string) string {
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		return resolved
	}
	return path
}

// createTemporary creates a file beside path and locks it, which tells it from
// those that were left. Not with os.CreateTemp, whose files only their owner can
// read.
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
		f.Close() // another process took it for left over before it was locked
	}
}

// removeLeftovers removes the temporary files for path that no process holds.
func removeLeftovers(path string) {
	entries, _ := os.ReadDir(filepath.Dir(path))
	temporary := regexp.MustCompile(`^\.` + regexp.QuoteMeta(filepath.Base(path)) + `\.[0-9a-f]{8}\.tmp$`)
	for _, e := range entries {
		if e.Type().IsRegular() && temporary.MatchString(e.Name()) {
			removeUnused(filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
}

// Commit puts the file in its place, once its contents are on the disk, and
// returns when its name is there too.
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

// rename closes the file too: after it, so that the file is locked until it has
// its name, but on Windows, which renames no open file.
func (f *File) rename() error {
	if runtime.GOOS == "windows" {
		return errors.Join(f.File.Close(), os.Rename(f.Name(), f.path))
	}
	err := os.Rename(f.Name(), f.path)
	if err == nil {
		f.File.Close() // all is on the disk
	}
	return err
}

// syncFolder waits until the names in a folder are on the disk, where the system
// can do that.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	folder, err := os.Open(path)
	if err != nil {
		return nil // a folder may be written that may not be read
	}
	defer folder.Close()
	err = folder.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// Abort removes the file. It does nothing after Commit, so it can be deferred.
func (f *File) Abort() {
	if f.File.Close() == nil {
		os.Remove(f.Name())
	}
}

// Write writes data to path.
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
