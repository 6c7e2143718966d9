package picture

import (
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
)

// Steps are curves of a number by the step ahead, one for each method.
type Steps struct {
	Label  string // of the numbers
	Names  []string
	Values [][]float64 // of each name, from step 1 on; NaN is left out
}

// curveColors are the colours of the curves.
var curveColors = []color.Color{
	color.RGBA{R: 0xd6, G: 0x27, B: 0x28, A: 0xff}, color.RGBA{R: 0x1f, G: 0x77, B: 0xb4, A: 0xff}, color.RGBA{R: 0x2c, G: 0xa0, B: 0x2c, A: 0xff},
	color.RGBA{R: 0xff, G: 0x7f, B: 0x0e, A: 0xff}, color.RGBA{R: 0x94, G: 0x67, B: 0xbd, A: 0xff}, color.RGBA{R: 0x7f, G: 0x7f, B: 0x7f, A: 0xff},
}

// SVG returns the picture as SVG.
func (s Steps) SVG() ([]byte, error) {
	p := plot.New()
	p.X.Label.Text = "steps ahead"
	p.Y.Label.Text = s.Label
	p.Legend.Top = true
	p.Legend.Left = true
	for i, name := range s.Names {
		if err := addLine(p, name, points(s.Values[i], 0, 0), curveColors[i%len(curveColors)]); err != nil {
			return nil, err
		}
	}
	leaveRoom(p)
	return svg(p, 24*vg.Centimeter, 8*vg.Centimeter)
}
