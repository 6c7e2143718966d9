package main

import (
	"bytes"
	"context"
	"debug/elf"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rnnkit/rnnkit/datasets"
)

// build returns the path of the program, built without cgo.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "service.exe")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// TestOneSmallFile builds the program.
func TestOneSmallFile(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	program := build(t)
	info, err := os.Stat(program)
	if err != nil {
		t.Fatal(err)
	}
	const limit = 15_000_000
	if t.Logf("%d bytes", info.Size()); info.Size() >= limit {
		t.Errorf("the program has %d bytes, want less than %d", info.Size(), limit)
	}
	if runtime.GOOS != "linux" {
		return
	}
	f, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if libraries, err := f.ImportedLibraries(); err != nil || len(libraries) > 0 || f.Section(".interp") != nil {
		t.Errorf("the program is not static: it needs %v (%v)", libraries, err)
	}
}

// TestSoak runs the program under load for the time of RNNKIT_SOAK, and swaps its
// model every second, or 1000 times in a short soak, in both ways. No request may fail or
// be answered by anything but one of the two models, and the memory of the end must be
// that of the start.
func TestSoak(t *testing.T) {
	duration, err := time.ParseDuration(os.Getenv("RNNKIT_SOAK"))
	if err != nil {
		t.Skip("RNNKIT_SOAK is no duration: run `make soak`")
	}
	if duration < 10*time.Second {
		t.Fatalf("RNNKIT_SOAK is %s: it must be 10s or more, since memory is compared over the time", duration)
	}
	every := min(time.Second, duration/1000)
	const steps = 5
	series := datasets.Sine(1000, 0.1, 0)[:200]
	file, otherAnswer := newer(t, series, steps)
	files := [][]byte{embedded, file}
	answers := [][]float64{answerOf(t, embedded, series, steps), otherAnswer}

	path := filepath.Join(t.TempDir(), "model.onnx")
	var said log
	cmd := exec.Command(build(t), "-addr", "127.0.0.1:0", "-model", path)
	cmd.Stderr = &said
	put := func(data []byte) {
		t.Helper()
		if err := os.WriteFile(path+".new", data, 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	put(embedded)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	url := said.wait(t, "listening on ")

	var done atomic.Bool
	var requests [2]atomic.Int64 // by the model that answered
	var load sync.WaitGroup
	defer load.Wait()
	defer done.Store(true)
	for range 8 {
		load.Go(func() {
			for !done.Load() {
				y, err := forecast(context.Background(), url, series, steps)
				model := slices.IndexFunc(answers, func(a []float64) bool { return slices.Equal(y, a) })
				if err != nil || model < 0 {
					t.Errorf("a request failed: %v, %v", y, err)
					return
				}
				requests[model].Add(1)
			}
		})
	}
	var memory []int // KiB, after each swap
	for start, i := time.Now(), 1; time.Since(start) < duration && !t.Failed(); i++ {
		if i%4 < 2 {
			put(files[i%2])
			err = cmd.Process.Signal(syscall.SIGHUP)
		} else {
			_, err = do(t.Context(), http.MethodPut, url+"/model", files[i%2], http.StatusNoContent)
		}
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Until(start.Add(time.Duration(i) * every)))
		memory = append(memory, resident(t, cmd.Process.Pid))
	}
	done.Store(true)
	load.Wait()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the service ended with %v: %s", err, &said)
	}
	if n := strings.Count(said.String(), "\n"); n != 1 {
		t.Errorf("the service said %s", &said)
	}

	// A quarter after a warm-up, and the last quarter.
	quarter := len(memory) / 4
	first, last := median(memory[len(memory)/10:][:quarter]), median(memory[len(memory)-quarter:])
	t.Logf("%d and %d requests, %d swaps, resident memory %d KiB at first and %d at last, %d at most",
		requests[0].Load(), requests[1].Load(), len(memory), first, last, slices.Max(memory))
	if requests[0].Load() == 0 || requests[1].Load() == 0 {
		t.Error("one of the models has answered no request")
	}
	if float64(last) > 1.1*float64(first) {
		t.Errorf("resident memory grew from %d to %d KiB", first, last)
	}
}

func median(values []int) int {
	values = slices.Sorted(slices.Values(values))
	return values[len(values)/2]
}

// resident returns the resident memory of a process in KiB.
func resident(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := bytes.Cut(status, []byte("VmRSS:"))
	var size int
	if _, err := fmt.Sscan(string(line), &size); err != nil {
		t.Fatal(err)
	}
	return size
}
