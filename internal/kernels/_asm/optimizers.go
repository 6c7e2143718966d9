package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// vectorwise writes a kernel over vectors of length n, which also takes some
// numbers; body computes one register's worth, as for pointwise.
func (s *instructions) vectorwise(name, doc string, vectors, numbers []string, body func(load func(string) Register, store func(Register, string), number map[string]Register)) {
	params := ""
	for _, v := range vectors {
		params += ", " + v + " *float32"
	}
	for _, x := range numbers {
		params += ", " + x + " float32"
	}
	TEXT(name+s.name, NOSPLIT, "func(n int"+params+")")
	Pragma("noescape")
	Doc(name + s.name + " is " + doc + ".")

	s.hold()
	n, at, number := bytesOf("n"), make(map[string]GPVirtual), make(map[string]Register)
	for _, v := range vectors {
		at[v] = pointer(v)
	}
	for _, x := range numbers {
		number[x] = s.vector()
		VBROADCASTSS(parameter(x), number[x])
	}
	i := GP64()
	XORQ(i, i)
	part := func(k mask) {
		body(func(name string) Register {
			v := s.vector()
			s.load(Mem{Base: at[name], Index: i, Scale: 1}, k, v)
			return v
		}, func(v Register, name string) {
			s.store(v, k, Mem{Base: at[name], Index: i, Scale: 1})
		}, number)
	}
	Label("loop")
	SUBQ(Imm(uint64(s.bytes())), n)
	JL(LabelRef("tail"))
	part(mask{})
	ADDQ(Imm(uint64(s.bytes())), i)
	JMP(LabelRef("loop"))
	Label("tail")
	ADDQ(Imm(uint64(s.bytes())), n)
	JZ(LabelRef("end"))
	SHRQ(Imm(2), n)
	part(s.maskFor(n))
	Label("end")
	end()
}

func (s *instructions) optimizers() {
	s.vectorwise("addScaled", "AddScaled", []string{"dst", "x"}, []string{"a"}, func(load func(string) Register, store func(Register, string), number map[string]Register) {
		d := load("dst")
		VFMADD231PS(load("x"), number["a"], d)
		store(d, "dst")
	})
	s.vectorwise("scale", "Scale", []string{"x"}, []string{"a"}, func(load func(string) Register, store func(Register, string), number map[string]Register) {
		x := load("x")
		VMULPS(number["a"], x, x)
		store(x, "x")
	})
	s.vectorwise("adam", "Adam", []string{"params", "grads", "m", "v"}, []string{"beta1", "beta1c", "beta2", "beta2c", "rate", "unbias", "epsilon"},
		func(load func(string) Register, store func(Register, string), number map[string]Register) {
			g, m, v, p := load("grads"), load("m"), load("v"), load("params")
			VMULPS(number["beta1"], m, m)
			VFMADD231PS(number["beta1c"], g, m)
			store(m, "m")
			VMULPS(g, g, g)
			VMULPS(number["beta2"], v, v)
			VFMADD231PS(number["beta2c"], g, v)
			store(v, "v")
			VSQRTPS(v, v)
			VMULPS(number["unbias"], v, v)
			VADDPS(number["epsilon"], v, v)
			VMULPS(number["rate"], m, m)
			VDIVPS(v, m, m)
			VSUBPS(m, p, p)
			store(p, "params")
		})
	s.vectorwise("normalize", "Normalize", []string{"dst", "x"}, []string{"center", "scale"}, func(load func(string) Register, store func(Register, string), number map[string]Register) {
		x := load("x")
		VSUBPS(number["center"], x, x)
		VMULPS(number["scale"], x, x)
		store(x, "dst")
	})
	s.sum("sum", "values", "", func() func(v, sum Register) {
		return func(v, sum Register) { VADDPD(v, sum, sum) }
	})
	s.sum("sumSquares", "squared differences from center", ", center float64", func() func(v, sum Register) {
		center := YMM()
		VBROADCASTSD(parameter("center"), center)
		return func(v, sum Register) {
			VSUBPD(center, v, v)
			VFMADD231PD(v, v, sum)
		}
	})
}

// sum writes a sum over a vector in float64. What begin returns adds four values to
// four sums.
func (s *instructions) sum(name, of, params string, begin func() func(v, sum Register)) {
	TEXT(name+s.name, NOSPLIT, "func(n int, x *float32"+params+") float64")
	Pragma("noescape")
	Doc(name + s.name + " returns the sum of the " + of + " of the first n values of x, n a multiple of 16.")

	n, x, add := pointer("n"), pointer("x"), begin()
	sums := make([]Register, 4)
	for i := range sums {
		sums[i] = YMM()
		VXORPS(sums[i], sums[i], sums[i])
	}
	Label("loop")
	SUBQ(Imm(16), n)
	JL(LabelRef("end"))
	for i, sum := range sums {
		v := YMM()
		VCVTPS2PD(Mem{Base: x, Disp: 16 * i}, v)
		add(v, sum)
	}
	ADDQ(Imm(64), x)
	JMP(LabelRef("loop"))
	Label("end")
	for i := len(sums) - 1; i > 0; i-- {
		VADDPD(sums[i], sums[i-1], sums[i-1])
	}
	low, high := sums[0].(VecVirtual).AsX(), XMM()
	VEXTRACTF128(Imm(1), sums[0], high)
	VADDPD(high, low, low)
	VHADDPD(low, low, low)
	Store(low, ReturnIndex(0))
	end()
}
