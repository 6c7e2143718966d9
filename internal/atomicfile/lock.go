package atomicfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

var (
	errLocked = errors.New("locked by another") // the error of tryLock if the file is locked
	errGone   = errors.New("removed by another")
)

// Lock is a lock on a path. It lasts until Unlock or until the process ends.
type Lock struct{ file *os.File }

// LockPath locks path against other callers, also in this process. It fails if the
// path is locked. The lock is an empty hidden file beside path, which Unlock removes.
// On a file system without locks, LockPath always succeeds.
func LockPath(path string) (*Lock, error) {
	path = resolve(path)
	name := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".lock")
	for {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			return nil, unwritable(path, err)
		}
		if err = own(f); err == nil {
			return &Lock{f}, nil
		}
		f.Close()
		if err == errLocked {
			return nil, fmt.Errorf("%s is in use by another process: wait until that ends, or name another file", path)
		}
	}
}

// Unlock releases the path.
func (l *Lock) Unlock() { removeLocked(l.file) }

// own locks f. It fails if another caller has locked or just removed it.
func own(f *os.File) error {
	if err := tryLock(f); err == errLocked {
		return err
	}
	here, err := f.Stat()
	if err != nil {
		return err
	}
	if there, err := os.Stat(f.Name()); err != nil || !os.SameFile(here, there) {
		return errGone
	}
	return nil
}

// removeUnused removes a file unless it is locked.
func removeUnused(path string) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return
	}
	if tryLock(f) == nil {
		removeLocked(f)
		return
	}
	f.Close()
}

// removeLocked removes a locked file and then unlocks it. On Windows, which cannot
// remove open files, it unlocks it first.
func removeLocked(f *os.File) {
	if runtime.GOOS == "windows" {
		f.Close()
		os.Remove(f.Name())
		return
	}
	os.Remove(f.Name())
	f.Close()
}
