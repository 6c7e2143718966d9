package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// mul writes the product of blocks of a given number of rows with all columns:
//
//	dst[r,n] = init[r,n] + Σₖ a[r,k] b[k,n]
//
// a[r,k] is at r*ars + k*aks. b lies in panels of two registers' columns, one
// every bps, whose rows are bks apart. A nil init stands for zeros.
func (s *instructions) mul(rows int) {
	TEXT(fmt.Sprintf("mul%d%s", rows, s.name), NOSPLIT,
		"func(dst *float32, ldd int, init *float32, ldi int, a *float32, ars, aks int, b *float32, bks, bps int, k, cols, blocks int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("mul%d%s is the product of blocks of %d rows.", rows, s.name, rows))

	t := tile{instructions: s, rows: rows, panels: 1}
	for t.panels < 4 && 2*(2*t.panels)*rows <= len(s.all)/2+4 && rows <= 4 {
		t.panels *= 2
	}
	Label("block")
	t.load()
	if t.panels > 1 {
		t.loop("wide", t.panels)
	}
	t.loop("panel", 1)

	TESTQ(t.cols, t.cols)
	JZ(LabelRef("done"))
	CMPQ(t.cols, Imm(uint64(s.width)))
	JG(LabelRef("two"))
	JE(LabelRef("one"))
	t.block("part", 1, 1, t.cols)
	JMP(LabelRef("done"))
	Label("one")
	t.block("one_full", 1, 1, nil)
	JMP(LabelRef("done"))
	Label("two")
	SUBQ(Imm(uint64(s.width)), t.cols)
	t.block("two_part", 1, 2, t.cols)
	Label("done")
	DECQ(parameter("blocks"))
	JZ(LabelRef("end"))
	t.advance("dst", "ldd")
	t.advance("a", "ars")
	CMPQ(parameter("init"), Imm(0))
	JE(LabelRef("block"))
	t.advance("init", "ldi")
	JMP(LabelRef("block"))
	Label("end")
	end()
}

// parameter is where the kernel's caller put it.
func parameter(name string) Mem {
	p, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return p.Addr
}

// advance moves the pointer parameter on to the next rows.
func (t *tile) advance(name, stride string) {
	step := bytesOf(stride)
	IMUL3Q(Imm(uint64(t.rows)), step, step)
	ADDQ(step, parameter(name))
}

// tile is what a product's blocks have in common.
type tile struct {
	*instructions
	rows, panels int

	dst, init, b, cols GPVirtual
	ars, ars3, aks     GPVirtual
	bks                GPVirtual
}

// bytesOf returns the parameter of that name, a number of floats, as bytes.
func bytesOf(name string) GPVirtual {
	r := Load(Param(name), GP64()).(GPVirtual)
	SHLQ(Imm(2), r)
	return r
}

func pointer(name string) GPVirtual { return Load(Param(name), GP64()).(GPVirtual) }

func (t *tile) load() {
	t.dst, t.init, t.b, t.cols = pointer("dst"), pointer("init"), pointer("b"), pointer("cols")
	t.ars, t.aks, t.bks = bytesOf("ars"), bytesOf("aks"), bytesOf("bks")
	t.ars3 = triple(t.ars)
}

func triple(r GPVirtual) GPVirtual {
	r3 := GP64()
	LEAQ(Mem{Base: r, Index: r, Scale: 2}, r3)
	return r3
}

// loop does blocks of so many panels while there are enough columns.
func (t *tile) loop(name string, panels int) {
	columns := 2 * t.width * panels
	Label(name)
	CMPQ(t.cols, U32(uint32(columns)))
	JL(LabelRef(name + "_end"))
	t.block(name, panels, 2, nil)
	// On to the next columns.
	ADDQ(U32(uint32(4*columns)), t.dst)
	TESTQ(t.init, t.init)
	JZ(LabelRef(name + "_noinit"))
	ADDQ(U32(uint32(4*columns)), t.init)
	Label(name + "_noinit")
	bps := bytesOf("bps")
	for range panels {
		ADDQ(bps, t.b)
	}
	SUBQ(U32(uint32(columns)), t.cols)
	JMP(LabelRef(name))
	Label(name + "_end")
}

// matrix addresses up to eight rows that are stride bytes apart.
type matrix struct{ first, second, stride, stride3 GPVirtual }

func newMatrix(first, stride, stride3 GPVirtual, rows int) matrix {
	m := matrix{first: first, stride: stride, stride3: stride3}
	if rows > 1 {
		m.second = GP64()
		LEAQ(Mem{Base: first, Index: stride, Scale: 1}, m.second)
	}
	return m
}

func (m matrix) row(r, offset int) Mem {
	at := Mem{Base: m.first, Disp: offset}
	if r == 1 || r == 5 || r == 7 {
		at.Base = m.second
	}
	switch r {
	case 2:
		at.Index, at.Scale = m.stride, 2
	case 3:
		at.Index, at.Scale = m.stride3, 1
	case 4, 5:
		at.Index, at.Scale = m.stride, 4
	case 6, 7:
		at.Index, at.Scale = m.stride3, 2
	}
	return at
}

// block writes the product of the tile's rows with the given number of panels,
// each of the given number of registers. Of the last, only the first part lanes
// are there, unless part is nil.
func (t *tile) block(name string, panels, vectors int, part Register) {
	free := t.all
	take := func() VecPhysical {
		v := free[0]
		free = free[1:]
		return v
	}
	sums := make([][]VecPhysical, t.rows) // of each row, its registers
	for r := range sums {
		for range panels * vectors {
			sums[r] = append(sums[r], take())
		}
	}
	var k mask
	switch {
	case part == nil:
	case t.wide():
		k = t.maskFor(part)
	default:
		k = t.maskIn(take(), part)
	}
	maskOf := func(v int) mask {
		if v == vectors-1 {
			return k
		}
		return mask{}
	}

	// The sums begin with init, or zeros.
	TESTQ(t.init, t.init)
	JZ(LabelRef(name + "_zero"))
	ldi := bytesOf("ldi")
	from := newMatrix(t.init, ldi, triple(ldi), t.rows)
	for r := range sums {
		for v, sum := range sums[r] {
			t.instructions.load(from.row(r, v*t.bytes()), maskOf(v%vectors), sum)
		}
	}
	JMP(LabelRef(name + "_start"))
	Label(name + "_zero")
	for r := range sums {
		for _, sum := range sums[r] {
			t.zero(sum)
		}
	}

	Label(name + "_start")
	count := pointer("k")
	TESTQ(count, count)
	JZ(LabelRef(name + "_store"))
	a := newMatrix(pointer("a"), t.ars, t.ars3, t.rows)
	b := GP64()
	MOVQ(t.b, b)
	panel := newMatrix(b, GPVirtual(nil), nil, 1)
	if panels > 1 {
		panel.stride = bytesOf("bps")
		panel.stride3 = triple(panel.stride)
	}
	panelAt := func(p, v int) Mem {
		at := Mem{Base: b, Disp: v * t.bytes()}
		switch p {
		case 1, 2:
			at.Index, at.Scale = panel.stride, uint8(p)
		case 3:
			at.Index, at.Scale = panel.stride3, 1
		}
		return at
	}

	Label(name + "_k")
	if panels == 1 {
		columns := make([]VecPhysical, vectors)
		for v := range columns {
			columns[v] = take()
			t.instructions.load(panelAt(0, v), maskOf(v), columns[v])
		}
		spread := []VecPhysical{take()}
		if len(free) > 0 {
			spread = append(spread, take())
		}
		for r := range t.rows {
			x := spread[r%len(spread)]
			VBROADCASTSS(a.row(r, 0), x)
			for v := range columns {
				VFMADD231PS(columns[v], x, sums[r][v])
			}
		}
	} else {
		spread := make([]VecPhysical, t.rows)
		for r := range spread {
			spread[r] = take()
			VBROADCASTSS(a.row(r, 0), spread[r])
		}
		for i := range panels * vectors {
			if t.rows == 1 {
				VFMADD231PS(panelAt(i/vectors, i%vectors), spread[0], sums[0][i])
				continue
			}
			column := free[i%len(free)]
			t.instructions.load(panelAt(i/vectors, i%vectors), mask{}, column)
			for r := range spread {
				VFMADD231PS(column, spread[r], sums[r][i])
			}
		}
	}
	ADDQ(t.aks, a.first)
	if t.rows > 1 {
		ADDQ(t.aks, a.second)
	}
	ADDQ(t.bks, b)
	DECQ(count)
	JNZ(LabelRef(name + "_k"))

	Label(name + "_store")
	ldd := bytesOf("ldd")
	to := newMatrix(t.dst, ldd, triple(ldd), t.rows)
	for r := range sums {
		for v, sum := range sums[r] {
			t.instructions.store(sum, maskOf(v%vectors), to.row(r, v*t.bytes()))
		}
	}
}
