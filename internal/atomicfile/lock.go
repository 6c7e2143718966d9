package atomicfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

var (
	errLocked = errors.New("locked by another") // tryLock's, for a file that another holds
	errGone   = errors.New("removed by another")
)

// Lock is held on a path until Unlock, or until the process ends, however it
// does.
type Lock struct{ file *os.File }

// LockPath keeps others, in this process too, from locking the same path. It is
// an error if one of them holds it. The lock is an empty hidden file beside path,
// which Unlock removes. Where the file system has no locks everybody gets one.
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

// Unlock lets others have the path.
func (l *Lock) Unlock() { removeLocked(l.file) }

// own locks f. It is an error if another has it locked, or has just removed it.
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

// removeUnused removes a file unless a process has it locked.
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

// removeLocked removes a file before it gives up its lock, but on Windows, which
// removes no open file.
func removeLocked(f *os.File) {
	if runtime.GOOS == "windows" {
		f.Close()
		os.Remove(f.Name())
		return
	}
	os.Remove(f.Name())
	f.Close()
}
