package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/trainer"
)

// TestWorkloads trains each workload on a few short examples.
func TestWorkloads(t *testing.T) {
	for _, w := range workloads {
		t.Run(w.Name, func(t *testing.T) {
			if testing.Short() && w.Spec.Hidden > 128 {
				t.Skip("trains a large model")
			}
			w.Examples, w.Batch = 5, 2
			if w.Spec.Direct == nil {
				w.Time = 3
			}
			f, err := w.newFit()
			if err != nil {
				t.Fatal(err)
			}
			epochs, err := f.run(t.Context(), w.warmup()+1, nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(epochs) != w.warmup()+1 || !(epochs[w.warmup()].TrainLoss < epochs[0].TrainLoss) {
				t.Errorf("%d epochs do not lower the loss: %+v", w.warmup()+1, epochs)
			}
		})
	}
}

func TestOperations(t *testing.T) {
	for name, want := range map[string]int{
		// Each figure is 2 operations per multiply-add × examples ×
		// multiply-adds per example: per layer those with W and with R,
		// then those of the head.
		"chars":         2 * 73 * (3*4*64*32*40 + 3*4*64*64*39 + 3*40*64*30),
		"sine":          2 * 760 * (2*4*32*1*50 + 3*4*32*32*49 + 3*32),
		"palindrome-bi": 2 * 3000 * (2*(3*16*8*7+3*16*16*6) + 3*32),
		"gru-256":       2 * 128 * (2*3*256*128*64 + 3*3*256*256*63 + 3*256),
		"m4-hourly":     2 * 1024 * (2*(14*48*64+336*8*48) + 3*64*8 + 3*64*240 + 3*3*64*64*14 + 3*3*64*64*13),
		"lstm-512x2":    2 * 128 * (2*4*512*64*100 + 3*4*512*512*99 + 3*4*512*512*100 + 3*4*512*512*99 + 3*512),
	} {
		w, err := find(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.operations(); got != want {
			t.Errorf("%s has %d operations, want %d", name, got, want)
		}
	}
}

// TestData reads a workload in the same way as bench/torch/fit.py.
func TestData(t *testing.T) {
	for name, size := range map[string]int{
		"chars": 4*27998 + 8*73*40 + 8*73*40,
		"sine":  4*4513 + 4*760*50 + 4*760,
	} {
		var out bytes.Buffer
		if err := run(&out, []string{"data", name}); err != nil {
			t.Fatal(err)
		}
		line, err := out.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		var got workload
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatal(err)
		}
		if want, _ := find(name); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if out.Len() != size {
			t.Errorf("%s has %d bytes of data, want %d", name, out.Len(), size)
		}
	}
}

func TestRefusals(t *testing.T) {
	if err := run(io.Discard, []string{"fit", "tides"}); err == nil || !strings.Contains(err.Error(), "chars, sine") {
		t.Errorf("an unknown workload: %v", err)
	}
	for _, args := range [][]string{{}, {"fit"}, {"data", "sine", "chars"}, {"list", "sine"}, {"race"}} {
		if err := run(io.Discard, args); !errors.Is(err, errUsage) {
			t.Errorf("%q: %v", args, err)
		}
	}
}

// TestKernels counts the multiply-adds of each kernel. Each multiply-add is two
// operations.
func TestKernels(t *testing.T) {
	for _, k := range append(kernels(), plain) {
		const n = 1000
		if got, want := 2*k.run(n), float64(n*k.operations); got != want {
			t.Errorf("%s makes %v operations and states %v", k.instructions, got, want)
		}
	}
}

// BenchmarkFit times an epoch of each workload. The flag -cpu sets the number of
// threads.
func BenchmarkFit(b *testing.B) {
	for _, w := range workloads {
		b.Run(w.Name, func(b *testing.B) {
			f, err := w.newFit()
			if err != nil {
				b.Fatal(err)
			}
			ctx, stop := context.WithCancel(b.Context())
			defer stop()
			_, err = f.run(ctx, math.MaxInt, func(e trainer.Epoch) {
				if e.Epoch >= f.warmup() && !b.Loop() {
					stop()
				}
			})
			if !errors.Is(err, context.Canceled) {
				b.Fatal(err)
			}
			seconds := b.Elapsed().Seconds() / float64(b.N)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(seconds*1e3, "ms/epoch")
			b.ReportMetric(float64(w.operations())/seconds/1e9, "GFLOP/s")
			b.ReportMetric(f.allocations, "allocs/step")
		})
	}
}
