// Command bench measures the speed of the trainer. It trains one of a table of
// workloads, measures the floating-point peak of the machine, and passes its models
// and data to other trainers for the same work. docs/performance.md explains its use.
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"runtime"
	"strings"
)

const usage = `usage: bench [-threads N] list | data WORKLOAD | fit WORKLOAD | peak

  list   the workloads, as a JSON list
  data   a workload as a line of JSON, then in binary, little-endian, its
         parameters (float32), inputs (float32, tokens int64) and targets
         (float32, labels int64), and the covariates known ahead (float32)
  fit    trains a workload; prints what was measured, as JSON
  peak   the most multiply-adds that the threads can do, as JSON

`

var errUsage = errors.New("wrong command line")

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), usage)
		flag.PrintDefaults()
	}
	threads := flag.Int("threads", runtime.GOMAXPROCS(0), "threads that compute")
	flag.Parse()
	runtime.GOMAXPROCS(*threads)
	err := run(os.Stdout, flag.Args())
	if errors.Is(err, errUsage) {
		flag.Usage()
		os.Exit(2)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func run(out io.Writer, args []string) error {
	verb, names := "", args
	if len(args) > 0 {
		verb, names = args[0], args[1:]
	}
	print := json.NewEncoder(out).Encode
	switch {
	case verb == "list" && len(names) == 0:
		return print(workloads)
	case verb == "peak" && len(names) == 0:
		return print(measurePeak(runtime.GOMAXPROCS(0)))
	case verb == "data" && len(names) == 1:
		return writeData(out, names[0])
	case verb == "fit" && len(names) == 1:
		result, err := measureFit(names[0])
		if err != nil {
			return err
		}
		return print(result)
	}
	return errUsage
}

func writeData(out io.Writer, name string) error {
	w, err := find(name)
	if err != nil {
		return err
	}
	m, data, err := w.setUp()
	if err != nil {
		return err
	}
	if err := json.NewEncoder(out).Encode(w); err != nil {
		return err
	}
	for _, x := range []any{m.Params.Data, data.Inputs, data.Tokens, data.Targets, data.Labels, data.Ahead} {
		if err := binary.Write(out, binary.LittleEndian, x); err != nil {
			return err
		}
	}
	return nil
}

// fitted is the result of measuring a fit.
type fitted struct {
	Seconds     []float64 `json:"seconds"`    // of each epoch after the warm-up
	FirstLoss   float64   `json:"first_loss"` // the training loss of the very first epoch
	LastLoss    float64   `json:"last_loss"`
	Allocations float64   `json:"allocations"` // per step
	BytesBefore int       `json:"bytes_before"`
	BytesPeak   int       `json:"bytes_peak"` // resident memory
	Version     string    `json:"version"`
}

func measureFit(name string) (*fitted, error) {
	w, err := find(name)
	if err != nil {
		return nil, err
	}
	f, err := w.newFit()
	if err != nil {
		return nil, err
	}
	before := peakMemory()
	// The system may take half a second to give each thread its own core.
	// PyTorch's warm-up epochs take longer in every workload.
	measurePeak(runtime.GOMAXPROCS(0))
	epochs, err := f.run(context.Background(), w.warmup()+w.Epochs, nil)
	if err != nil {
		return nil, err
	}
	result := &fitted{
		FirstLoss:   epochs[0].TrainLoss,
		LastLoss:    epochs[len(epochs)-1].TrainLoss,
		Allocations: f.allocations,
		BytesBefore: before,
		BytesPeak:   peakMemory(),
		Version:     runtime.Version(),
	}
	for _, e := range epochs[w.warmup():] {
		result.Seconds = append(result.Seconds, e.Seconds)
	}
	return result, nil
}

// peakMemory returns the peak resident memory of the process in bytes, or 0 if /proc
// does not report it.
func peakMemory() int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	var kilobytes int
	for line := range strings.Lines(string(status)) {
		fmt.Sscanf(line, "VmHWM: %d kB", &kilobytes)
	}
	return kilobytes << 10
}
