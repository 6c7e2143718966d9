package atomicfile

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestFolderIsSynced has strace tell which files and folders are on the disk when
// Write is done, and in which order.
func TestFolderIsSynced(t *testing.T) {
	if dir := os.Getenv("ATOMICFILE_WRITE"); dir != "" {
		if err := Write(filepath.Join(dir, "f"), []byte("whole")); err != nil {
			t.Fatal(err)
		}
		return
	}
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("needs strace: ", err)
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(strace, "-f", "-y", "-e", "trace=fsync,rename,renameat,renameat2", os.Args[0], "-test.run=^TestFolderIsSynced$")
	cmd.Env = append(os.Environ(), "ATOMICFILE_WRITE="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Skipf("strace cannot trace here: %v: %s", err, out)
	}
	trace := string(out)
	file := strings.Index(trace, ".tmp>")
	rename := strings.Index(trace, `"`+filepath.Join(dir, "f")+`"`)
	folder := strings.LastIndex(trace, "<"+dir+">")
	if !(0 <= file && file < rename && rename < folder) {
		t.Errorf("not the file, its name and the folder one after the other:\n%s", trace)
	}
}
