package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// softmax writes Softmax, a row after the other in three passes: the largest
// value, the powers and their sum, the division by it.
func (s *instructions) softmax() {
	TEXT("softmax"+s.name, NOSPLIT, "func(rows, n int, dst *float32, dstStride int, x *float32, xStride int, largest, sums *float32)")
	Pragma("noescape")
	Doc("softmax" + s.name + " is Softmax, which leaves each row's largest value and sum of powers. n is not 0.")

	s.hold()
	rows, n, dst, x, largest, sums := pointer("rows"), bytesOf("n"), pointer("dst"), pointer("x"), pointer("largest"), pointer("sums")
	full, rest, j := GP64(), GP64(), GP64()
	MOVQ(n, full)
	ANDQ(I32(-s.bytes()), full)
	SUBQ(full, n)
	MOVQ(n, rest)
	SHRQ(Imm(2), rest)

	// pass does the same for every register's worth of a row.
	pass := func(name string, body func(at Register, k mask)) {
		XORQ(j, j)
		Label(name)
		CMPQ(j, full)
		JE(LabelRef(name + "_tail"))
		body(j, mask{})
		ADDQ(Imm(uint64(s.bytes())), j)
		JMP(LabelRef(name))
		Label(name + "_tail")
		TESTQ(rest, rest)
		JZ(LabelRef(name + "_end"))
		body(j, s.maskFor(rest))
		Label(name + "_end")
	}
	at := func(base, j Register) Mem { return Mem{Base: base, Index: j, Scale: 1} }

	TESTQ(rows, rows)
	JZ(LabelRef("end"))
	Label("row")
	top, sum := s.vector(), s.vector()
	VBROADCASTSS(Mem{Base: x}, top)
	pass("largest", func(j Register, k mask) {
		v := s.vector()
		VBROADCASTSS(Mem{Base: x}, v) // for the lanes that are not there
		s.loadOver(at(x, j), k, v)
		VMAXPS(top, v, top) // a NaN in v gives way to top, but not to the powers
	})
	s.reduce(top, func(a, b Register) { VMAXPS(a, b, b) })
	MOVSS(low(top), Mem{Base: largest})
	s.spread(top)

	s.zero(sum)
	pass("powers", func(j Register, k mask) {
		v := s.vector()
		s.load(at(x, j), k, v)
		VSUBPS(top, v, v)
		n, q := s.exp(group{v}, group{s.constant(-104)})
		p := q[0].(Register)
		VADDPS(s.constant(1), p, p)
		s.scale(q, n)
		s.store(p, k, at(dst, j))
		s.keep(p, k)
		VADDPS(p, sum, sum)
	})
	s.reduce(sum, func(a, b Register) { VADDPS(a, b, b) })
	MOVSS(low(sum), Mem{Base: sums})
	s.spread(sum)

	inverse := s.one()
	VDIVPS(sum, inverse, inverse)
	pass("divide", func(j Register, k mask) {
		v := s.vector()
		s.load(at(dst, j), k, v)
		VMULPS(inverse, v, v)
		s.store(v, k, at(dst, j))
	})

	ADDQ(bytesOf("dstStride"), dst)
	ADDQ(bytesOf("xStride"), x)
	ADDQ(Imm(4), largest)
	ADDQ(Imm(4), sums)
	DECQ(rows)
	JNZ(LabelRef("row"))
	Label("end")
	end()
}

// loadOver loads the lanes of k and leaves the others of dst.
func (s *instructions) loadOver(m Mem, k mask, dst Register) {
	switch {
	case k.lanes == nil:
		VMOVUPS(m, dst)
	case s.wide():
		VMOVUPS(m, k.lanes, dst)
	default:
		v := s.vector()
		VMASKMOVPS(m, k.lanes, v)
		VBLENDVPS(k.lanes, v, dst, dst)
	}
}

// keep zeroes the lanes of v that are not in k.
func (s *instructions) keep(v Register, k mask) {
	switch {
	case k.lanes == nil:
	case s.wide():
		VMOVAPS_Z(v, k.lanes, v)
	default:
		VANDPS(k.lanes, v, v)
	}
}

// low is the first four lanes of v.
func low(v Register) Register { return v.(VecVirtual).AsX() }

// reduce leaves in v's first lane what op makes of all its lanes.
func (s *instructions) reduce(v Register, op func(a, b Register)) {
	if s.wide() {
		half := YMM()
		VEXTRACTF64X4(Imm(1), v, half)
		op(half, v.(VecVirtual).AsY())
	}
	half := XMM()
	VEXTRACTF128(Imm(1), v.(VecVirtual).AsY(), half)
	op(half, low(v))
	VMOVHLPS(low(v), low(v), half)
	op(half, low(v))
	VMOVSHDUP(low(v), half)
	op(half, low(v))
}

// spread sets all lanes of v to its first.
func (s *instructions) spread(v Register) { VBROADCASTSS(low(v), v) }
