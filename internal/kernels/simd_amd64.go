//go:build !purego

package kernels

import "golang.org/x/sys/cpu"

// variants returns the variants that this processor can run, fastest first. The last
// one, nil, is the generic kernels.
func variants() []*simd {
	list := []*simd{nil}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		list = append([]*simd{&avx2}, list...)
		if cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512BW {
			list = append([]*simd{&avx512}, list...)
		}
	}
	return list
}

type mulFunc = func(dst *float32, ldd int, init *float32, ldi int, a *float32, ars, aks int, b *float32, bks, bps int, k, cols, blocks int)

var avx2 = simd{
	name:         "avx2",
	panel:        16,
	mul:          []mulFunc{mul1AVX2, mul2AVX2, mul3AVX2, mul4AVX2, mul5AVX2, mul6AVX2},
	rnnForward:   rnnForwardAVX2,
	rnnBackward:  rnnBackwardAVX2,
	reluForward:  reluForwardAVX2,
	reluBackward: reluBackwardAVX2,
	lstmForward:  lstmForwardAVX2,
	lstmBackward: lstmBackwardAVX2,
	gruForward:   gruForwardAVX2,
	gruBackward:  gruBackwardAVX2,
	softmax:      softmaxAVX2,
	sigmoids:     sigmoidsAVX2,
	erfs:         erfsAVX2,
	logs:         logsAVX2,
	pickRows:     pickRowsAVX2,
	addRows:      addRowsAVX2,
	addScaled:    addScaledAVX2,
	scale:        scaleAVX2,
	adam:         adamAVX2,
	normalize:    normalizeAVX2,
	sum:          sumAVX2,
	sumSquares:   sumSquaresAVX2,
}

var avx512 = simd{
	name:         "avx512",
	panel:        32,
	mul:          []mulFunc{mul1AVX512, mul2AVX512, mul3AVX512, mul4AVX512, mul5AVX512, mul6AVX512, mul7AVX512, mul8AVX512},
	rnnForward:   rnnForwardAVX512,
	rnnBackward:  rnnBackwardAVX512,
	reluForward:  reluForwardAVX512,
	reluBackward: reluBackwardAVX512,
	lstmForward:  lstmForwardAVX512,
	lstmBackward: lstmBackwardAVX512,
	gruForward:   gruForwardAVX512,
	gruBackward:  gruBackwardAVX512,
	softmax:      softmaxAVX512,
	sigmoids:     sigmoidsAVX512,
	erfs:         erfsAVX512,
	logs:         logsAVX512,
	pickRows:     pickRowsAVX512,
	addRows:      addRowsAVX512,
	addScaled:    addScaledAVX512,
	scale:        scaleAVX512,
	adam:         adamAVX512,
	normalize:    normalizeAVX512,
	sum:          sumAVX512,
	sumSquares:   sumSquaresAVX512,
}
