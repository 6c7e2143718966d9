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

var bandColor = color.NRGBA{R: accent.R, G: accent.G, B: accent.B, A: 0x38}

// Write draws the rows to the file at path.
func (d Detection) Write(path string) error {
	f, err := d.figure()
	if err != nil {
		return fmt.Errorf("cannot draw %s: %w", path, err)
	}
	return save(f, forecastWidth, forecastHeight, path)
}

func (d Detection) figure() (*figure, error) {
	p := newPlot()
	p.X.Tick.Marker = plot.TickerFunc(d.ticks)
	f := &figure{title: d.Name, plots: []*plot.Plot{p}, columns: 1}
	if err := d.addBand(f); err != nil {
		return nil, err
	}
	if line := points(d.Values, 0, 0); len(line) > 0 {
		e, err := addLine(p, "value", line, slate, 1)
		if err != nil {
			return nil, err
		}
		f.legend = append([]entry{e}, f.legend...)
	}
	pad(p)
	return f, d.addAnomalies(f)
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
func (d Detection) addBand(f *figure) error {
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
		f.plots[0].Add(area)
		if !named {
			f.legend = append(f.legend, entry{"no anomaly", area})
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
func (d Detection) addAnomalies(f *figure) error {
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
	marks.GlyphStyle = draw.GlyphStyle{Color: alarm, Radius: vg.Points(3), Shape: draw.CircleGlyph{}}
	f.plots[0].Add(marks)
	f.legend = append(f.legend, entry{"anomaly", marks})
	return nil
}
