package main

import (
	"math"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

const signBit = 0x80000000

// The constants of exp.
var (
	log2e      = 1.442695
	ln2        = [2]float64{0.693359375, -0.00021219444} // their sum
	polynomial = [5]float64{0.0013926175888627768, 0.008363173343241215, 0.041666556149721146, 0.16666577756404877, 0.5}
)

// activationConstants are what exp, sigmoid and tanh use.
func activationConstants() []uint32 {
	bits := []uint32{signBit, signBit ^ 0xffffffff, 127}
	for _, x := range append(append(polynomial[:], ln2[:]...), log2e, 1, 2, -104, -40) {
		bits = append(bits, math.Float32bits(float32(x)))
	}
	return bits
}

// exp returns eˣ = p * 2ⁿ of x from limit to 0: n is a whole number, and p is
// 1 + r + r² q with r = x - n ln 2 and a minimax polynomial q, right to 1e-8.
// Below limit it takes x for it. NaN stays NaN.
func (s *instructions) exp(x Register, limit float64) (n, r, q Register) {
	n, r, q = s.vector(), s.vector(), s.vector()
	VMOVUPS(s.constant(limit), r)
	VMAXPS(x, r, r) // of a NaN and a number, the one in x
	VMULPS(s.constant(log2e), r, n)
	if s.wide() {
		VRNDSCALEPS(Imm(8), n, n)
	} else {
		VROUNDPS(Imm(8), n, n)
	}
	VFNMADD231PS(s.constant(ln2[0]), n, r)
	VFNMADD231PS(s.constant(ln2[1]), n, r)
	VMOVUPS(s.constant(polynomial[0]), q)
	for _, c := range polynomial[1:] {
		VFMADD213PS(s.constant(c), r, q)
	}
	VMULPS(r, r, x) // x has done its work
	VMULPS(x, q, q)
	return n, r, q
}

// power returns 2ⁿ for n from -126 to 127.
func (s *instructions) power(n Register) Register {
	p := s.vector()
	VCVTPS2DQ(n, p)
	VPADDD(s.bits(127), p, p)
	VPSLLD(Imm(23), p, p)
	return p
}

// scale multiplies p by 2ⁿ, n from -151 to 0, which may be too small for a
// float32.
func (s *instructions) scale(p, n Register) {
	if s.wide() {
		VSCALEFPS(n, p, p)
		return
	}
	half := s.vector()
	VMULPS(s.constant(0.5), n, half)
	VROUNDPS(Imm(8), half, half)
	VSUBPS(half, n, n)
	VMULPS(s.power(half), p, p)
	VMULPS(s.power(n), p, p)
}

// sigmoid replaces x by 1 / (1 + e⁻ˣ), with z = e^-|x|: 1 / (1 + z) for a
// positive x, z / (1 + z) for a negative one.
func (s *instructions) sigmoid(x Register) {
	z, y := s.vector(), s.vector()
	VORPS(s.bits(signBit), x, y)
	n, r, q := s.exp(y, -104)
	VADDPS(r, q, z)
	VADDPS(s.constant(1), z, z)
	s.scale(z, n)
	VADDPS(s.one(), z, y)
	if s.wide() {
		negative := K()
		VPMOVD2M(x, negative)
		VMOVUPS(s.constant(1), x)
		VMOVAPS(z, negative, x)
	} else {
		one := s.vector()
		VMOVUPS(s.constant(1), one)
		VBLENDVPS(x, z, one, x)
	}
	s.divide(x, y)
}

// divide divides x by y, from 1 to 2.
func (s *instructions) divide(x, y Register) {
	if !s.wide() {
		VDIVPS(y, x, x)
		return
	}
	// A step of Newton's after an estimate to 14 bits, 1/y ≈ r (2 - y r), is
	// faster, and right but for rounding.
	r, e := s.vector(), s.one()
	VRCP14PS(y, r)
	VFNMADD231PS(y, r, e)
	VFMADD213PS(r, r, e)
	VMULPS(e, x, x)
}

// tanh replaces x by its hyperbolic tangent: with t = e^-2|x| - 1, it is
// -t / (t + 2), with the sign of x.
func (s *instructions) tanh(x Register) {
	t, y := s.vector(), s.vector()
	VORPS(s.bits(signBit), x, y)
	VADDPS(y, y, y)
	n, r, q := s.exp(y, -40)
	VADDPS(r, q, t)
	p := s.power(n)
	VSUBPS(s.one(), p, y)
	VFMADD213PS(y, p, t)
	VADDPS(s.constant(2), t, y)
	s.divide(t, y)
	VANDPS(s.bits(signBit^0xffffffff), t, t)
	VANDPS(s.bits(signBit), x, x)
	VORPS(t, x, x)
}

func (s *instructions) one() Register {
	v := s.vector()
	VMOVUPS(s.constant(1), v)
	return v
}

// pointwise writes a kernel that does the same for every element: of the given
// matrices, a row after the other, body computes one register's worth. load
// and store address register's worth of a block of a matrix.
func (s *instructions) pointwise(name, doc string, matrices []string, body func(load func(m string, block int) Register, store func(v Register, m string, block int))) {
	params := ""
	for _, m := range matrices {
		params += ", " + m + " *float32, " + m + "Stride int"
	}
	TEXT(name+s.name, NOSPLIT, "func(rows, n int"+params+")")
	Pragma("noescape")
	Doc(name + s.name + " is " + doc + ".")

	s.hold()
	if strings.HasSuffix(name, "Forward") {
		s.hold(activationConstants()...)
	}
	rows, n := pointer("rows"), bytesOf("n")
	at := make(map[string]GPVirtual)
	for _, m := range matrices {
		at[m] = pointer(m)
	}
	j := GP64()
	part := func(k mask) {
		address := func(m string, block int) Mem {
			a := Mem{Base: at[m], Index: j, Scale: 1}
			if block > 0 {
				base := GP64()
				MOVQ(at[m], base)
				for range block {
					ADDQ(n, base)
				}
				a.Base = base
			}
			return a
		}
		body(func(m string, block int) Register {
			v := s.vector()
			s.load(address(m, block), k, v)
			return v
		}, func(v Register, m string, block int) {
			s.store(v, k, address(m, block))
		})
	}

	full, rest := GP64(), GP64()
	MOVQ(n, full)
	ANDQ(I32(-s.bytes()), full)
	MOVQ(n, rest)
	SUBQ(full, rest)
	SHRQ(Imm(2), rest)

	TESTQ(rows, rows)
	JZ(LabelRef("end"))
	Label("row")
	XORQ(j, j)
	CMPQ(j, full)
	JE(LabelRef("tail"))
	Label("column")
	part(mask{})
	ADDQ(Imm(uint64(s.bytes())), j)
	CMPQ(j, full)
	JL(LabelRef("column"))
	Label("tail")
	TESTQ(rest, rest)
	JZ(LabelRef("next"))
	part(s.maskFor(rest))
	Label("next")
	for _, m := range matrices {
		stride := bytesOf(m + "Stride")
		ADDQ(stride, at[m])
	}
	DECQ(rows)
	JNZ(LabelRef("row"))
	Label("end")
	end()
}

type (
	loader = func(m string, block int) Register
	storer = func(v Register, m string, block int)
)

func (s *instructions) cells() {
	s.pointwise("rnnForward", "RNNForward", []string{"gates", "h"}, func(load loader, store storer) {
		x := load("gates", 0)
		s.tanh(x)
		store(x, "h", 0)
	})
	s.pointwise("rnnBackward", "RNNBackward", []string{"gates", "h", "dy", "dh"}, func(load loader, store storer) {
		h, d, f := load("h", 0), load("dh", 0), s.one()
		VADDPS(load("dy", 0), d, d)
		VFNMADD231PS(h, h, f)
		VMULPS(f, d, d)
		store(d, "gates", 0)
	})
	s.pointwise("reluForward", "ReLUForward", []string{"gates", "h"}, func(load loader, store storer) {
		zero := s.vector()
		s.zero(zero)
		x := load("gates", 0)
		VMAXPS(x, zero, x)
		store(x, "h", 0)
	})
	s.pointwise("lstmForward", "LSTMForward", []string{"gates", "cPrev", "c", "tanhC", "h"}, func(load loader, store storer) {
		i, f, g := load("gates", 0), load("gates", 2), load("gates", 3)
		s.sigmoid(i)
		store(i, "gates", 0)
		s.sigmoid(f)
		store(f, "gates", 2)
		s.tanh(g)
		store(g, "gates", 3)
		VMULPS(g, i, i)
		VFMADD231PS(load("cPrev", 0), f, i)
		store(i, "c", 0)
		s.tanh(i)
		store(i, "tanhC", 0)
		o := load("gates", 1)
		s.sigmoid(o)
		store(o, "gates", 1)
		VMULPS(i, o, o)
		store(o, "h", 0)
	})
	s.pointwise("lstmBackward", "LSTMBackward", []string{"gates", "cPrev", "tanhC", "dy", "dh", "dc"}, func(load loader, store storer) {
		i, o, f, g := load("gates", 0), load("gates", 1), load("gates", 2), load("gates", 3)
		t, dh, d, x := load("tanhC", 0), load("dh", 0), load("dc", 0), s.one()
		VADDPS(load("dy", 0), dh, dh)

		// d = dc + dh o (1 - t²)
		VFNMADD231PS(t, t, x)
		VMULPS(o, x, x)
		VFMADD231PS(dh, x, d)
		// o' = dh t o (1 - o)
		VMULPS(t, dh, dh)
		s.timesSlope(dh, o)
		store(dh, "gates", 1)
		// g' = d i (1 - g²), i' = d g i (1 - i)
		x = s.one()
		VFNMADD231PS(g, g, x)
		VMULPS(i, x, x)
		VMULPS(d, x, x)
		store(x, "gates", 3)
		VMULPS(d, g, g)
		s.timesSlope(g, i)
		store(g, "gates", 0)
		// dc' = d f, f' = d cPrev f (1 - f)
		x = s.vector()
		VMULPS(d, f, x)
		store(x, "dc", 0)
		VMULPS(load("cPrev", 0), d, d)
		s.timesSlope(d, f)
		store(d, "gates", 2)
	})
	s.pointwise("gruForward", "GRUForward", []string{"gates", "u", "hPrev", "h"}, func(load loader, store storer) {
		z, r, n := load("gates", 0), load("gates", 1), load("gates", 2)
		s.sigmoid(r)
		store(r, "gates", 1)
		VFMADD231PS(load("u", 0), r, n)
		s.tanh(n)
		store(n, "gates", 2)
		s.sigmoid(z)
		store(z, "gates", 0)
		h := load("hPrev", 0)
		VSUBPS(n, h, h)
		VFMADD213PS(n, z, h)
		store(h, "h", 0)
	})
	s.pointwise("gruBackward", "GRUBackward", []string{"gates", "u", "hPrev", "dy", "dh"}, func(load loader, store storer) {
		z, r, n, d := load("gates", 0), load("gates", 1), load("gates", 2), load("dh", 0)
		VADDPS(load("dy", 0), d, d)
		// dh' = d z
		x := s.vector()
		VMULPS(z, d, x)
		store(x, "dh", 0)
		// n' = d (1 - z) (1 - n²)
		dn, y := s.one(), s.one()
		VSUBPS(z, dn, dn)
		VMULPS(d, dn, dn)
		VFNMADD231PS(n, n, y)
		VMULPS(y, dn, dn)
		store(dn, "gates", 2)
		// z' = d (hPrev - n) z (1 - z)
		h := load("hPrev", 0)
		VSUBPS(n, h, h)
		VMULPS(h, d, d)
		s.timesSlope(d, z)
		store(d, "gates", 0)
		// r' = n' u r (1 - r), u' = n' r
		u := load("u", 0)
		VMULPS(dn, u, u)
		VMULPS(r, dn, dn)
		store(dn, "u", 0)
		s.timesSlope(u, r)
		store(u, "gates", 1)
	})
}

// timesSlope multiplies d by y (1 - y), the slope of a sigmoid where it is y.
func (s *instructions) timesSlope(d, y Register) {
	x := s.one()
	VSUBPS(y, x, x)
	VMULPS(y, x, x)
	VMULPS(x, d, d)
}
