package main

import (
	"sync"
	"time"
)

// peak is the most that the processor can do.
type peak struct {
	Instructions string  `json:"instructions"`
	FLOPS        float64 `json:"flops"` // float32 operations a second, a multiply-add being two
}

// kernel keeps the arithmetic units busy with multiply-adds that do not wait
// for memory or for each other.
type kernel struct {
	instructions string
	run          func(n int) float64 // returns how many multiply-adds it has made, while n is small
	operations   int                 // for each of the n
}

func sum(values []float32) (total float64) {
	for _, v := range values {
		total += float64(v)
	}
	return total
}

// measurePeak returns the fastest of some short runs, on that many threads at
// once, with whatever instructions do best.
func measurePeak(threads int) peak {
	var best peak
	for _, k := range kernels() {
		const each = 2e9 // operations, about 20 ms
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
