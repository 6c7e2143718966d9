//go:build !purego

package main

import "golang.org/x/sys/cpu"

// Each function makes n times 12 vector multiply-adds in 12 independent chains, since
// two units with a latency of 5 cycles need 10. Each multiply-add adds 1. sums
// receives the sum of the chains, by lane.

//go:noescape
func fmaAVX2(n int, sums *[8]float32)

//go:noescape
func fmaAVX512(n int, sums *[16]float32)

func runAVX2(n int) float64 {
	var sums [8]float32
	fmaAVX2(n, &sums)
	return sum(sums[:])
}

func runAVX512(n int) float64 {
	var sums [16]float32
	fmaAVX512(n, &sums)
	return sum(sums[:])
}

func kernels() []kernel {
	var list []kernel
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		list = append(list, kernel{"AVX2", runAVX2, 12 * 8 * 2})
	}
	if cpu.X86.HasAVX512F {
		list = append(list, kernel{"AVX-512", runAVX512, 12 * 16 * 2})
	}
	if len(list) == 0 {
		list = append(list, plain)
	}
	return list
}
