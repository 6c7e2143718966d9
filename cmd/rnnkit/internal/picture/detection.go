package picture

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Detection is a series with the band in which its values are no anomalies. All lists have
// a value for each row; NaN is left out.
type Detection struct {
	Name                        string
	Values, Forecast, Low, High []float64
	Anomalies                   []bool
	Time                        func(row int) string // labels a row, counted from 0; "" for none
}

var (
	valueColor   = color.RGBA{R: 0x1f, G: 0x77, B: 0xb4, A: 0xff}
	anomalyColor = color.RGBA{R: 0xd6, G: 0x27, B: 0x28, A: 0xff}
	bandColor    = color.NRGBA{R: 0x7f, G: 0x7f, B: 0x7f, A: 0x50}
)

// Write draws the rows to the file at path.
func (d Detection) Write(path string) error {
	p, err := d.plot()
	if err != nil {
		return fmt.Errorf("cannot draw %s: %w", path, err)
	}
	return save(p, forecastWidth, forecastHeight, path)
}

func (d Detection) plot() (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = "Values, what was expected, and anomalies"
	p.X.Tick.Marker = plot.TickerFunc(d.ticks)
	p.Y.Label.Text = d.Name
	p.Legend.Top = true
	p.Legend.XOffs = -vg.Points(6)
	p.Add(plotter.NewGrid())
	if err := d.addBand(p); err != nil {
		return nil, err
	}
	if err := addLine(p, "value", points(d.Values, 0, 0), valueColor); err != nil {
		return nil, err
	}
	if err := d.addAnomalies(p); err != nil {
		return nil, err
	}
	leaveRoom(p)
	return p, nil
}

// ticks labels some rows by their time.
func (d Detection) ticks(low, high float64) []plot.Tick {
	ticks := plot.DefaultTicks{}.Ticks(low, high)
	for i := range ticks {
		if ticks[i].Label != "" {
			ticks[i].Label = d.Time(int(math.Round(ticks[i].Value)) - 1)
		}
	}
	return ticks
}

// addBand adds the band as an area for each stretch of rows that have one.
func (d Detection) addBand(p *plot.Plot) error {
	named := false
	for from := 0; from < len(d.Low); from++ {
		to := from
		for to < len(d.Low) && !math.IsNaN(d.Low[to]) && !math.IsNaN(d.High[to]) {
			to++
		}
		if to-from < 2 {
			continue
		}
		area, err := plotter.NewPolygon(band(d.Low, d.High, from, to))
		if err != nil {
			return err
		}
		area.Color, area.LineStyle.Width = bandColor, 0
		p.Add(area)
		if !named {
			p.Legend.Add("no anomaly", area)
			named = true
		}
		from = to
	}
	return nil
}

// band returns the outline of the band of some rows.
func band(low, high []float64, from, to int) (outline plotter.XYs) {
	for row := from; row < to; row++ {
		outline = append(outline, plotter.XY{X: float64(row + 1), Y: high[row]})
	}
	for row := to - 1; row >= from; row-- {
		outline = append(outline, plotter.XY{X: float64(row + 1), Y: low[row]})
	}
	return outline
}

// addAnomalies marks the values that are anomalies.
func (d Detection) addAnomalies(p *plot.Plot) error {
	var marked plotter.XYs
	for row, v := range d.Values {
		if d.Anomalies[row] && !math.IsNaN(v) {
			marked = append(marked, plotter.XY{X: float64(row + 1), Y: v})
		}
	}
	if len(marked) == 0 {
		return nil
	}
	marks, err := plotter.NewScatter(marked)
	if err != nil {
		return err
	}
	marks.GlyphStyle = draw.GlyphStyle{Color: anomalyColor, Radius: vg.Points(3), Shape: draw.CircleGlyph{}}
	p.Add(marks)
	p.Legend.Add("anomaly", marks)
	return nil
}
