package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/reg"
)

func (s *instructions) functions() {
	s.function("sigmoids", "Sigmoids", func(x Register) { s.activate(group{x}, nil) })
	s.function("erfs", "Erfs", func(x Register) { s.erf(group{x}) })
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
