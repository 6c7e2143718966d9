package atomicfile

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestMain makes the test's program one that writes the file ATOMICFILE_HOLD until it is
// killed, and has it locked.
func TestMain(m *testing.M) {
	path := os.Getenv("ATOMICFILE_HOLD")
	if path == "" {
		os.Exit(m.Run())
	}
	f, err := Create(path)
	if err == nil {
		_, err = f.WriteString("half")
	}
	var lock *Lock
	if err == nil {
		lock, err = LockPath(path)
	}
	if err != nil {
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
	os.Stdout.WriteString("ready\n")
	time.Sleep(time.Hour)
	lock.Unlock()
	f.Abort()
}

// hold starts a process that holds path, and returns what kills it.
func hold(t *testing.T, path string) (kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "ATOMICFILE_HOLD="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	t.Cleanup(kill)
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatal(line, err)
	}
	return kill
}

// skipWithoutLocks skips where files cannot be locked.
func skipWithoutLocks(t *testing.T, dir string) {
	f, err := os.CreateTemp(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := tryLock(f); errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
}

// TestLeftoversOfKilled are removed by the next that writes the same path, and by
// no other; nobody removes those of a process that lives.
func TestLeftoversOfKilled(t *testing.T) {
	dir := t.TempDir()
	skipWithoutLocks(t, dir)
	path := filepath.Join(dir, "m[1].onnx")
	kill := hold(t, path)
	others := []string{".m[1].onnx.tmp", ".m[1].onnx.0123456g.tmp", ".m1.onnx.01234567.tmp"}
	for _, name := range others {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	left := func() (names []string) {
		list, err := filepath.Glob(filepath.Join(dir, ".m?1?.onnx.????????.tmp"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range list {
			if name := filepath.Base(path); name != others[1] {
				names = append(names, name)
			}
		}
		return names
	}
	if err := Write(path, nil); err != nil {
		t.Fatal(err)
	}
	if n := left(); len(n) != 1 {
		t.Errorf("while the other writes, there is %q", n)
	}
	kill()
	if err := Write(filepath.Join(dir, "m"), nil); err != nil {
		t.Fatal(err)
	}
	if n := left(); len(n) != 1 {
		t.Errorf("after another path was written, there is %q", n)
	}
	if err := Write(path, nil); err != nil {
		t.Fatal(err)
	}
	if n := left(); len(n) != 0 {
		t.Errorf("there is still %q", n)
	}
	for _, name := range others {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

func TestLockPath(t *testing.T) {
	dir := t.TempDir()
	skipWithoutLocks(t, dir)
	path := filepath.Join(dir, "f")
	kill := hold(t, path)
	if _, err := LockPath(path); err == nil || !strings.Contains(err.Error(), path+" is in use by another process: wait") {
		t.Errorf("the error is %v", err)
	}
	kill()
	lock, err := LockPath(path) // though the lock file of the other is there
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LockPath(path); err == nil {
		t.Error("one process locked it twice")
	}
	lock.Unlock()
	if err := Write(path, nil); err != nil { // and what the other was writing goes
		t.Fatal(err)
	}
	wantFiles(t, dir, "f")
	if _, err := LockPath(filepath.Join(dir, "nowhere", "f")); err == nil || !strings.Contains(err.Error(), "check the folder") {
		t.Errorf("the error is %v", err)
	}
}

// TestLockIsOneAtATime has many lock, and unlock, the same path at once.
func TestLockIsOneAtATime(t *testing.T) {
	dir := t.TempDir()
	skipWithoutLocks(t, dir)
	var all sync.WaitGroup
	var held sync.Mutex
	for range 8 {
		all.Go(func() {
			for range 200 {
				lock, err := LockPath(filepath.Join(dir, "f"))
				if err != nil {
					continue
				}
				if held.TryLock() {
					runtime.Gosched()
					held.Unlock()
				} else {
					t.Error("two hold it")
				}
				lock.Unlock()
			}
		})
	}
	all.Wait()
	wantFiles(t, dir)
}
