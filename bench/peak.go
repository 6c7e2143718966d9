package main

import (
	"sync"
	"time"
)

// peak is the highest floating-point rate of the processor.
type peak struct {
	Instructions string  `json:"instructions"`
	FLOPS        float64 `json:"flops"` // float32 operations per second; a multiply-add counts as two
}

// kernel keeps the arithmetic units busy with multiply-adds that wait neither for
// memory nor for each other.
type kernel struct {
	instructions string
	run          func(n int) float64 // returns the number of multiply-adds for small n
	operations   int                 // per unit of n
}

func sum(values []float32) (total float64) {
	for _, v := range values {
		total += float64(v)
	}
	return total
}

// measurePeak returns the best of some short runs on that many threads, with the
// fastest instructions.
func measurePeak(threads int) peak {
	var best peak
	for _, k := range kernels() {
		const each = 2e9 // number of operations, about 20 ms
		n := each / k.operations
		for range 20 {
			var done sync.WaitGroup
			start := time.Now()
			for range threads {
				done.Go(func() { k.run(n) })
			}
			done.Wait()
			flops := float64(threads*n*k.operations) / time.Since(start).Seconds()
			if flops > best.FLOPS {
				best = peak{k.instructions, flops}
			}
		}
	}
	return best
}
