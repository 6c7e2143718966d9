package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// instructions is an instruction set.
type instructions struct {
	name   string
	width  int // floats in a register
	rows   int // that a product's tile may have
	all    []VecPhysical
	vector func() VecVirtual
	held   map[uint32]Register // constants that the current kernel keeps in registers
}

var (
	avx2 = instructions{
		name: "AVX2", width: 8, rows: 6,
		all:    []VecPhysical{Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, Y8, Y9, Y10, Y11, Y12, Y13, Y14, Y15},
		vector: func() VecVirtual { return YMM() },
	}
	avx512 = instructions{
		name: "AVX512", width: 16, rows: 8,
		all: []VecPhysical{
			Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15,
			Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z24, Z25, Z26, Z27, Z28, Z29, Z30, Z31,
		},
		vector: func() VecVirtual { return ZMM() },
	}
)

func (s *instructions) wide() bool { return s.width == 16 }

// bytes is the size of a register.
func (s *instructions) bytes() int { return 4 * s.width }

// mask chooses the first lanes of a register; the zero mask chooses all.
type mask struct{ lanes Register }

// maskFor returns the mask of the first n lanes, 0 < n < width.
func (s *instructions) maskFor(n Register) mask {
	if s.wide() {
		bits, k := GP64(), K()
		MOVQ(n, RCX)
		MOVQ(U32(1), bits)
		SHLQ(CL, bits)
		DECQ(bits)
		KMOVW(bits.As32(), k)
		return mask{k}
	}
	return s.maskIn(s.vector(), n)
}

// maskIn is maskFor in a register of the caller's choice, for AVX2.
func (s *instructions) maskIn(v, n Register) mask {
	table, last := GP64(), GP64()
	LEAQ(maskTable(), table)
	MOVQ(U32(8), last)
	SUBQ(n, last)
	VMOVUPS(Mem{Base: table, Index: last, Scale: 4}, v)
	return mask{v}
}

func (s *instructions) load(m Mem, k mask, dst Register) {
	switch {
	case k.lanes == nil:
		VMOVUPS(m, dst)
	case s.wide():
		VMOVUPS_Z(m, k.lanes, dst)
	default:
		VMASKMOVPS(m, k.lanes, dst)
	}
}

func (s *instructions) store(src Register, k mask, m Mem) {
	switch {
	case k.lanes == nil:
		VMOVUPS(src, m)
	case s.wide():
		VMOVUPS(src, k.lanes, m)
	default:
		VMASKMOVPS(src, k.lanes, m)
	}
}

func (s *instructions) zero(v Register) {
	if s.wide() {
		VPXORD(v, v, v)
	} else {
		VXORPS(v, v, v)
	}
}

// end returns from a kernel.
func end() {
	VZEROUPPER() // or Go's SSE instructions would wait for the upper halves
	RET()
}

// The data sections, each made when it is first used.
var (
	masks     Mem
	constants = make(map[uint32]Mem)
)

// maskTable is 8 words of ones, then 8 of zeros.
func maskTable() Mem {
	if masks.Base == nil {
		masks = GLOBL("masks", NOPTR|RODATA)
		for i := range 16 {
			DATA(4*i, U32(uint32(0xffffffff*(1-i/8))))
		}
	}
	return masks
}

// constant is a register full of x, one that is held or in memory.
func (s *instructions) constant(x float64) Op { return s.bits(math.Float32bits(float32(x))) }

// bits is constant for the bits of a float32.
func (s *instructions) bits(b uint32) Op {
	if v, ok := s.held[b]; ok {
		return v
	}
	m, ok := constants[b]
	if !ok {
		m = GLOBL(fmt.Sprintf("constant%08x", b), NOPTR|RODATA)
		for i := range 16 {
			DATA(4*i, U32(b))
		}
		constants[b] = m
	}
	return m
}

// hold makes the kernel keep constants in registers from here on, if it has
// enough of them.
func (s *instructions) hold(bits ...uint32) {
	s.held = nil
	if !s.wide() {
		return
	}
	held := make(map[uint32]Register)
	for _, b := range bits {
		v := s.vector()
		VBROADCASTSS(s.bits(b), v)
		held[b] = v
	}
	s.held = held
}
