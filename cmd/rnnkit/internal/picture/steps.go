package picture

import (
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
)

// Steps are curves of a number by the step ahead, one for each method.
type Steps struct {
	Title  string
	Names  []string
	Values [][]float64 // of each name, from step 1 on; NaN is left out
}

// curveColors are the colours of the curves.
var curveColors = []color.Color{
	accent, color.NRGBA{R: 0xe0, G: 0x7b, B: 0x1f, A: 0xff}, color.NRGBA{R: 0x2a, G: 0x9d, B: 0x57, A: 0xff},
	color.NRGBA{R: 0x8e, G: 0x5b, B: 0xc7, A: 0xff}, color.NRGBA{R: 0xc7, G: 0x3e, B: 0x76, A: 0xff}, slate,
}

// farAway is how many times as large as the least mean that of a curve is which would
// leave no room for the others.
const farAway = 3

// Far returns the names of the curves that are not drawn, since they lie far above the
// lowest.
func (s Steps) Far() (names []string) {
	for i, name := range s.Names {
		if s.far(i) {
			names = append(names, name)
		}
	}
	return names
}

func (s Steps) far(i int) bool {
	least := math.Inf(1)
	for _, values := range s.Values {
		if m := mean(values); m < least {
			least = m
		}
	}
	return mean(s.Values[i]) > farAway*least
}

// mean returns the mean of the values that are not missing.
func mean(values []float64) float64 {
	sum, n := 0.0, 0
	for _, v := range values {
		if v == v {
			sum, n = sum+v, n+1
		}
	}
	return sum / float64(n)
}

// SVG returns the picture as SVG without a background, width centimeters wide.
func (s Steps) SVG(width float64) ([]byte, error) {
	p := newPlot()
	p.X.Label.Text, p.X.Tick.Marker, p.Y.Min = "steps ahead", plot.TickerFunc(rowTicks), 0
	f := &figure{title: s.Title, plots: []*plot.Plot{p}, columns: 1}
	for i := len(s.Names) - 1; i >= 0; i-- { // the first on top
		line := points(s.Values[i], 0, 0)
		if len(line) == 0 || s.far(i) {
			continue
		}
		thickness := vg.Length(1.2)
		if i == 0 {
			thickness = 2
		}
		e, err := addLine(p, s.Names[i], line, curveColors[i%len(curveColors)], thickness)
		if err != nil {
			return nil, err
		}
		f.legend = append([]entry{e}, f.legend...)
	}
	return svg(f, vg.Length(width)*vg.Centimeter, 7*vg.Centimeter)
}
