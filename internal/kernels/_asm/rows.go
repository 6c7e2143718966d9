package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// rowsByNumber writes a kernel that goes through the rows of one matrix and for
// each through the row of another that pick names; body does one register's
// worth.
func (s *instructions) rowsByNumber(name, doc string, body func(dst, src Mem, k mask)) {
	TEXT(name+s.name, NOSPLIT, "func(rows, n int, dst *float32, dstStride int, src *float32, srcStride int, pick *int)")
	Pragma("noescape")
	Doc(name + s.name + " is " + doc + ".")

	s.hold()
	rows, n, dst, src, pick := pointer("rows"), pointer("n"), pointer("dst"), pointer("src"), pointer("pick")
	picks, walks, stride := src, dst, "srcStride" // PickRows picks from src
	walkStride := "dstStride"
	if name == "addRows" {
		picks, walks, stride, walkStride = dst, src, "dstStride", "srcStride"
	}
	pickStride, step := bytesOf(stride), bytesOf(walkStride)

	TESTQ(rows, rows)
	JZ(LabelRef("end"))
	Label("row")
	at, walk, left := GP64(), GP64(), GP64()
	MOVQ(Mem{Base: pick}, at)
	IMULQ(pickStride, at)
	ADDQ(picks, at)
	MOVQ(walks, walk)
	MOVQ(n, left)
	d, x := Mem{Base: walk}, Mem{Base: at}
	if name == "addRows" {
		d, x = x, d
	}
	Label("column")
	SUBQ(Imm(uint64(s.width)), left)
	JL(LabelRef("tail"))
	body(d, x, mask{})
	ADDQ(Imm(uint64(s.bytes())), at)
	ADDQ(Imm(uint64(s.bytes())), walk)
	JMP(LabelRef("column"))
	Label("tail")
	ADDQ(Imm(uint64(s.width)), left)
	JZ(LabelRef("next"))
	body(d, x, s.maskFor(left))
	Label("next")
	ADDQ(step, walks)
	ADDQ(Imm(8), pick)
	DECQ(rows)
	JNZ(LabelRef("row"))
	Label("end")
	end()
}

func (s *instructions) rowKernels() {
	s.rowsByNumber("pickRows", "PickRows", func(dst, src Mem, k mask) {
		v := s.vector()
		s.load(src, k, v)
		s.store(v, k, dst)
	})
	s.rowsByNumber("addRows", "AddRows", func(dst, src Mem, k mask) {
		v, d := s.vector(), s.vector()
		s.load(src, k, v)
		s.load(dst, k, d)
		VADDPS(v, d, d)
		s.store(d, k, dst)
	})
}
