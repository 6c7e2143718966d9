package atomicfile

import (
	"math"
	"os"

	"golang.org/x/sys/windows"
)

// tryLock locks f until it is closed. It does not wait. It locks a byte far beyond the
// end of any file, because on Windows a lock also prevents reading.
func tryLock(f *os.File) error {
	const how = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	end := &windows.Overlapped{Offset: math.MaxUint32, OffsetHigh: math.MaxInt32}
	err := windows.LockFileEx(windows.Handle(f.Fd()), how, 0, 1, 0, end)
	if err == windows.ERROR_LOCK_VIOLATION {
		return errLocked
	}
	return err
}
