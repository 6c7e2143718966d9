// Package atomicfile writes files that are there whole or not at all.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// File is a file under construction. Until Commit nothing stands under its
// path, or still what stood there before.
type File struct {
	*os.File
	path string
}

// Create starts a file that will stand under path. It fails where a file could
// not be written in the end, so that it can be called before long work.
func Create(path string) (*File, error) {
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		path = resolved
	}
	old, err := os.Stat(path)
	if err == nil && !old.Mode().IsRegular() {
		return nil, fmt.Errorf("cannot write %s: it is not a regular file: name another one", path)
	}
	// Not os.CreateTemp, whose files only their owner can read.
	temporary := fmt.Sprintf(".%s.%08x.tmp", filepath.Base(path), rand.Uint32())
	f, openErr := os.OpenFile(filepath.Join(filepath.Dir(path), temporary), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if openErr != nil {
		return nil, unwritable(path, openErr)
	}
	if err == nil {
		f.Chmod(old.Mode().Perm())
	}
	return &File{f, path}, nil
}

// Commit puts the file in its place, once its contents are on the disk.
func (f *File) Commit() error {
	err := errors.Join(f.Sync(), f.File.Close())
	if err == nil {
		err = os.Rename(f.Name(), f.path)
	}
	if err != nil {
		os.Remove(f.Name())
		return unwritable(f.path, err)
	}
	return nil
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
