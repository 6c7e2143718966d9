package kernels

// Packed is a matrix [k, n] laid out for [Mul], which reads it again and again:
// in panels of some columns each, the last filled up with zeros.
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
	for j := 0; j < m.Rows; j += p.panel {
		panel := p.data[j*p.Rows:][:p.Rows*p.panel]
		for c := range p.panel {
			if j+c >= m.Rows {
				for k := range p.Rows {
					panel[k*p.panel+c] = 0
				}
				continue
			}
			for k, v := range m.Row(j + c) {
				panel[k*p.panel+c] = v
			}
		}
	}
}

func (p *Packed[T]) resize(rows, cols int) {
	p.Rows, p.Cols, p.panel = rows, cols, panelCols[T]()
	panels := (cols + p.panel - 1) / p.panel
	Grow(&p.data, panels*rows*p.panel)
}

// row returns row k of the panel that begins with column j.
func (p *Packed[T]) row(j, k int) []T {
	return p.data[j*p.Rows+k*p.panel:][:p.panel]
}
