package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func (s *instructions) functions() {
	s.function("sigmoids", "Sigmoids", func(x Register) { s.activate(group{x}, nil) })
	s.function("erfs", "Erfs", func(x Register) { s.erf(group{x}) })
	s.function("logs", "Logs", s.log)
}

// logarithm is the polynomial p of Cephes' logf, from the highest power on:
// ln(1+r) = r - r²/2 + r³ p(r), for 1+r from √½ to √2.
var logarithm = [9]float64{
	7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
	-1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
}

// log replaces x by n ln 2 + ln(1+r), where x = 2ⁿ (1+r) and 1+r is from √½ to √2.
func (s *instructions) log(x Register) {
	const sqrtHalf, fraction = 0x3f3504f3, 0x7fffff // the bits of √½, and of a fraction
	n, r, y, square := s.vector(), s.vector(), s.vector(), s.vector()
	VMOVUPS(x, r)
	VPSUBD(s.bits(sqrtHalf), r, r)
	VPSRAD(U8(23), r, n)
	VCVTDQ2PS(n, n)
	VANDPS(s.bits(fraction), r, r)
	VPADDD(s.bits(sqrtHalf), r, r)
	VSUBPS(s.constant(1), r, r)
	VMULPS(r, r, square)
	VMOVUPS(s.constant(logarithm[0]), y)
	for _, c := range logarithm[1:] {
		VFMADD213PS(s.constant(c), r, y)
	}
	VMULPS(r, y, y)
	VMULPS(square, y, y)
	VFMADD231PS(s.constant(ln2[1]), n, y)
	VFMADD231PS(s.constant(-0.5), square, y)
	VADDPS(r, y, y)
	VFMADD231PS(s.constant(ln2[0]), n, y)
	s.keepInfinite(x, y)
}

// keepInfinite sets x to y, but for lanes of infinity and NaN.
func (s *instructions) keepInfinite(x, y Register) {
	const greater = 6 // or not comparable
	if s.wide() {
		infinite := K()
		VCMPPS(Imm(greater), s.constant(math.MaxFloat32), x, infinite)
		VMOVAPS(x, infinite, y)
		VMOVAPS(y, x)
		return
	}
	infinite := s.vector()
	VCMPPS(Imm(greater), s.constant(math.MaxFloat32), x, infinite)
	VBLENDVPS(infinite, x, y, x)
}

// function writes a kernel that computes a function of each element of a vector;
// body replaces a register's worth.
func (s *instructions) function(name, doc string, body func(x Register)) {
	s.vectorwise(name, doc, []string{"dst", "x"}, nil, func(load func(string) Register, store func(Register, string), _ map[string]Register) {
		x := load("x")
		body(x)
		store(x, "dst")
	})
}

// erfcLog is a minimax polynomial, from the highest power on, of ln(erfc(-x)) / x for
// x from -4 to 0. By it erf is right to 4e-9 of itself.
var erfcLog = [9]float64{
	-9.256267333927586e-06, -0.00011764129013392549, -0.0006328369202185727, -0.0016670275772082514, -0.00016039618103322675,
	0.019153063839881263, 0.10277783049026348, -0.6366193819684124, 1.128379171611269,
}

// erf replaces each x by its error function, with e = erfc(|x|) - 1: -e, with the
// sign of x. Beyond 4 it is that of 4, which rounds to 1.
func (s *instructions) erf(x group) {
	y, p := s.group(len(x)), s.group(len(x))
	each(VORPS, s.bits(signBit), x, y)
	each(VMOVUPS, s.constant(-4), p)
	each(VMAXPS, y, p, y) // of a NaN and a number, the one in y
	each(VMOVUPS, s.constant(erfcLog[0]), p)
	for _, c := range erfcLog[1:] {
		each(VFMADD213PS, s.constant(c), y, p)
	}
	each(VMULPS, p, y, y)
	n, e := s.exp(y, group{s.constant(-40)})
	s.power(n)
	each(VSUBPS, s.constant(1), n, p)
	each(VFMADD213PS, p, n, e)
	each(s.withSign, e, x)
}
