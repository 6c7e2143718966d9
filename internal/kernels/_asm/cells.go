package main

import (
	"math"
	"slices"
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

// activationConstants are what activate uses.
func activationConstants() []uint32 {
	bits := []uint32{signBit, 127}
	for _, x := range append(append(polynomial[:], ln2[:]...), log2e, 1, 2, -104, -40) {
		bits = append(bits, math.Float32bits(float32(x)))
	}
	return bits
}

// group is registers to which the same is done.
type group []Op

func (s *instructions) group(n int) group {
	g := make(group, n)
	for i := range g {
		g[i] = s.vector()
	}
	return g
}

// each writes an instruction for every member of the groups among its operands,
// which are of one size and always the last operand, so that none waits for the
// result of the one before it.
func each(instruction func(...Op), operands ...any) {
	for i := range operands[len(operands)-1].(group) {
		var ops []Op
		for _, o := range operands {
			if g, ok := o.(group); ok {
				ops = append(ops, g[i])
			} else {
				ops = append(ops, o.(Op))
			}
		}
		instruction(ops...)
	}
}

// exp returns eˣ = (1 + q) 2ⁿ of x from limit to 0: n is a whole number, and q is
// r + r² p with r = x - n ln 2, which replaces x, and a minimax polynomial p, right
// to 1e-8. Below limit it takes x for it. NaN stays NaN.
func (s *instructions) exp(x, limit group) (n, q group) {
	n, q = s.group(len(x)), s.group(len(x))
	each(VMOVUPS, limit, n)
	each(VMAXPS, x, n, x) // of a NaN and a number, the one in x
	each(VMULPS, s.constant(log2e), x, n)
	each(s.round, n, n)
	each(VFNMADD231PS, s.constant(ln2[0]), n, x)
	each(VFNMADD231PS, s.constant(ln2[1]), n, x)
	each(VMOVUPS, s.constant(polynomial[0]), q)
	for _, c := range polynomial[1:] {
		each(VFMADD213PS, s.constant(c), x, q)
	}
	each(VMULPS, x, q, q)
	each(VFMADD213PS, x, x, q)
	return n, q
}

// round sets its second operand to the whole number next to the first.
func (s *instructions) round(x ...Op) {
	if s.wide() {
		VRNDSCALEPS(Imm(8), x[0], x[1])
	} else {
		VROUNDPS(Imm(8), x[0], x[1])
	}
}

// power replaces n from -126 to 127 by 2ⁿ.
func (s *instructions) power(n group) {
	each(VCVTPS2DQ, n, n)
	each(VPADDD, s.bits(127), n, n)
	each(VPSLLD, Imm(23), n, n)
}

// scale multiplies p by 2ⁿ, n from -151 to 0, which may be too small for a
// float32. It uses up n.
func (s *instructions) scale(p, n group) {
	if s.wide() {
		each(VSCALEFPS, n, p, p)
		return
	}
	half := s.group(len(n))
	each(VMULPS, s.constant(0.5), n, half)
	each(s.round, half, half)
	each(VSUBPS, half, n, n)
	s.power(half)
	s.power(n)
	each(VMULPS, half, p, p)
	each(VMULPS, n, p, p)
}

// activate replaces each x of sigmoids by 1 / (1 + e⁻ˣ), with z = e^-|x|: 1 / (1 + z)
// for a positive x, z / (1 + z) for a negative one. It replaces each x of tanhs by
// its hyperbolic tangent, with t = e^-2|x| - 1: -t / (t + 2), with the sign of x.
func (s *instructions) activate(sigmoids, tanhs group) {
	x := slices.Concat(sigmoids, tanhs)
	split := func(g group) (ofSigmoids, ofTanhs group) { return g[:len(sigmoids)], g[len(sigmoids):] }

	y := s.group(len(x))
	each(VORPS, s.bits(signBit), x, y)
	_, doubled := split(y)
	each(VADDPS, doubled, doubled, doubled)
	limit := slices.Concat(slices.Repeat(group{s.constant(-104)}, len(sigmoids)), slices.Repeat(group{s.constant(-40)}, len(tanhs)))
	n, q := s.exp(y, limit)
	zn, tn := split(n)
	z, t := split(q)

	divisor := s.group(len(x))
	zDivisor, tDivisor := split(divisor)
	each(VADDPS, s.constant(1), z, z)
	s.scale(z, zn)
	s.power(tn)
	each(VADDPS, s.constant(1), z, zDivisor)
	each(VSUBPS, s.one(), tn, tDivisor)
	each(VFMADD213PS, tDivisor, tn, t)
	each(VADDPS, s.constant(2), t, tDivisor)
	each(s.oneIfPositive, sigmoids, z)
	s.divide(q, divisor)
	each(VMOVAPS, z, sigmoids)
	each(s.withSign, t, tanhs)
}

// oneIfPositive replaces the lanes of the second operand where the first is
// positive by 1.
func (s *instructions) oneIfPositive(x ...Op) {
	one := s.one()
	if s.wide() {
		negative := K()
		VPMOVD2M(x[0], negative)
		VMOVAPS(x[1], negative, one)
		VMOVAPS(one, x[1])
	} else {
		VBLENDVPS(x[0], x[1], one, x[1])
	}
}

// withSign replaces the second operand by the first, except for the sign.
func (s *instructions) withSign(x ...Op) {
	if s.wide() {
		VPTERNLOGD(Imm(0xe4), s.bits(signBit), x[0], x[1]) // where the third has a bit the first's, else the second's
		return
	}
	VANDPS(s.bits(signBit^0xffffffff), x[0], x[0])
	VANDPS(s.bits(signBit), x[1], x[1])
	VORPS(x[0], x[1], x[1])
}

// divide divides x by y, from 1 to 2.
func (s *instructions) divide(x, y group) {
	if !s.wide() {
		each(VDIVPS, y, x, x)
		return
	}
	// A step of Newton's after an estimate to 14 bits, 1/y ≈ r (2 - y r), is
	// faster, and right but for rounding.
	r, e := s.group(len(x)), s.group(len(x))
	each(VRCP14PS, y, r)
	each(VMOVUPS, s.one(), e)
	each(VFNMADD231PS, y, r, e)
	each(VFMADD213PS, r, r, e)
	each(VMULPS, e, x, x)
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
		s.activate(nil, group{x})
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
	s.pointwise("reluBackward", "ReLUBackward", []string{"gates", "h", "dy", "dh"}, func(load loader, store storer) {
		d, negative := load("dh", 0), s.vector()
		VADDPS(load("dy", 0), d, d)
		s.zero(negative)
		VSUBPS(load("h", 0), negative, negative)
		VPSRAD(U8(31), negative, negative) // all ones where h > 0
		VANDPS(negative, d, d)
		store(d, "gates", 0)
	})
	s.pointwise("lstmForward", "LSTMForward", []string{"gates", "cPrev", "c", "tanhC", "h"}, func(load loader, store storer) {
		i, o, f, g := load("gates", 0), load("gates", 1), load("gates", 2), load("gates", 3)
		if s.wide() {
			s.activate(group{i, o, f}, group{g})
		} else {
			s.activate(group{i, f}, nil)
			s.activate(group{o}, group{g})
		}
		store(i, "gates", 0)
		store(o, "gates", 1)
		store(f, "gates", 2)
		store(g, "gates", 3)
		VMULPS(g, i, i)
		VFMADD231PS(load("cPrev", 0), f, i)
		store(i, "c", 0)
		s.activate(nil, group{i})
		store(i, "tanhC", 0)
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
		s.activate(group{z, r}, nil)
		store(z, "gates", 0)
		store(r, "gates", 1)
		VFMADD231PS(load("u", 0), r, n)
		s.activate(nil, group{n})
		store(n, "gates", 2)
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
