//go:build !purego

package main

import "golang.org/x/sys/cpu"

// Each makes n times 12 multiply-adds of vectors, in 12 independent chains: two
// units times a latency of 5 cycles need 10.

//go:noescape
func fmaAVX2(n int)

//go:noescape
func fmaAVX512(n int)

func kernels() []kernel {
	var list []kernel
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		list = append(list, kernel{"AVX2", fmaAVX2, 12 * 8 * 2})
	}
	if cpu.X86.HasAVX512F {
		list = append(list, kernel{"AVX-512", fmaAVX512, 12 * 16 * 2})
	}
	if len(list) == 0 {
		list = append(list, plain)
	}
	return list
}
