package kernels

// Packed is a matrix [k, n] in the layout that [Mul] reads fastest: panels of a few
// columns each, the last one padded with zeros. Packing pays off for a matrix that
// takes part in many products.
type Packed[T Float] struct {
	Rows, Cols int
	panel      int // columns of a panel
	data       []T // [panels, rows, panel]
}

// Pack sets p to m.
func (p *Packed[T]) Pack(m Matrix[T]) {
	p.resize(m.Rows, m.Cols)
	for k := range m.Rows {
		row := m.Row(k)
		for j := 0; j < len(row); j += p.panel {
			dst := p.row(j, k)
			clear(dst[copy(dst, row[j:]):])
		}
	}
}

// PackT sets p to mᵀ.
func (p *Packed[T]) PackT(m Matrix[T]) {
	p.resize(m.Cols, m.Rows)
	for j := 0; j < m.Rows && m.Cols > 0; j += p.panel {
		panel := p.data[j*p.Rows:][:p.Rows*p.panel]
		n := min(p.panel, m.Rows-j)
		if n < p.panel {
			clear(panel)
		}
		c := 0
		for ; c+8 <= n; c += 8 {
			transpose8(panel[c:], p.panel, m.RowRange(j+c, j+c+8))
		}
		for ; c < n; c++ {
			for k, v := range m.Row(j + c) {
				panel[k*p.panel+c] = v
			}
		}
	}
}

// transpose8 sets the columns of dst to the eight rows of m.
func transpose8[T Float](dst []T, stride int, m Matrix[T]) {
	n := m.Cols
	r0, r1, r2, r3 := m.Row(0)[:n], m.Row(1)[:n], m.Row(2)[:n], m.Row(3)[:n]
	r4, r5, r6, r7 := m.Row(4)[:n], m.Row(5)[:n], m.Row(6)[:n], m.Row(7)[:n]
	for k := range n {
		d := (*[8]T)(dst[k*stride:])
		d[0], d[1], d[2], d[3] = r0[k], r1[k], r2[k], r3[k]
		d[4], d[5], d[6], d[7] = r4[k], r5[k], r6[k], r7[k]
	}
}

func (p *Packed[T]) resize(rows, cols int) {
	p.Rows, p.Cols, p.panel = rows, cols, panelCols[T]()
	panels := (cols + p.panel - 1) / p.panel
	Grow(&p.data, panels*rows*p.panel)
}

// row returns row k of the panel that starts at column j.
func (p *Packed[T]) row(j, k int) []T {
	return p.data[j*p.Rows+k*p.panel:][:p.panel]
}
