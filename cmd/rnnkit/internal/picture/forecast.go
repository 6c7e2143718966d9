package picture

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// maxRows is how many of the last rows a picture of a forecast shows: enough to see
// the shape of the series, few enough to see a prediction beside its value.
const maxRows = 250

// Forecast is a series with predictions of its values.
type Forecast struct {
	Name        string
	Values      []float64 // NaN is left out
	Predictions []float64 // of the rows from First on
	First       int       // counted from 0

	Bands   []Band                  // around the predictions, the narrowest first
	Origins []int                   // rows from which the predictions were made, which a line marks
	History int                     // rows before First that are shown; 0 for as many as have room
	Time    func(row int) time.Time // of a row, counted from 0; nil numbers the rows from 1
}

// Band is a prediction interval of each prediction.
type Band struct {
	Name      string
	Low, High []float64
}

// Write draws the forecast to the file at path.
func (f Forecast) Write(path string) error {
	return Forecasts{Title: f.Name, List: []Forecast{f}}.Write(path)
}

// SVG returns the forecast as SVG without a background, width centimeters wide.
func (f Forecast) SVG(width float64) ([]byte, error) {
	w := vg.Length(width) * vg.Centimeter
	figure, err := Forecasts{Title: f.Name, List: []Forecast{f}}.figure(w)
	if err != nil {
		return nil, err
	}
	return svg(figure, w, forecastHeight-2*vg.Centimeter)
}

// Forecasts are pictures of several series beside each other.
type Forecasts struct {
	Title string
	List  []Forecast
}

const (
	forecastWidth  = 24 * vg.Centimeter
	forecastHeight = 10 * vg.Centimeter
)

// Write draws the forecasts to the file at path.
func (f Forecasts) Write(path string) error {
	figure, err := f.figure(forecastWidth)
	if err != nil {
		return fmt.Errorf("cannot draw %s: %w", path, err)
	}
	height := forecastHeight
	if rows := (len(f.List) + 1) / figure.columns; rows > 1 {
		height = vg.Length(rows) * 6.5 * vg.Centimeter
	}
	return save(figure, forecastWidth, height, path)
}

// figure returns the forecasts in two columns, if there are several.
func (f Forecasts) figure(width vg.Length) (*figure, error) {
	all := &figure{title: f.Title, columns: min(2, len(f.List))}
	for _, one := range f.List {
		p, legend, err := one.plot(width / vg.Length(all.columns))
		if err != nil {
			return nil, err
		}
		if len(f.List) > 1 {
			p.Title.Text = one.Name
		}
		all.legend, all.plots = legend, append(all.plots, p)
	}
	return all, nil
}

// plot returns the plot of the series, about so wide, and its legend.
func (f Forecast) plot(width vg.Length) (p *plot.Plot, legend []entry, err error) {
	p = newPlot()
	p.X.Tick.Marker = plot.TickerFunc(rowTicks)
	if f.Time != nil {
		p.X.Tick.Marker = timeTicks(f.Time, width-5*margin)
	}
	start, end := f.shown()
	bands, err := f.addBands(p, start)
	if err != nil {
		return nil, nil, err
	}
	f.addOrigins(p)
	add := func(name string, line plotter.XYs, c color.Color, width vg.Length) {
		if e, failed := addLine(p, name, line, c, width); failed != nil {
			err = failed
		} else if len(line) > 0 {
			legend = append(legend, e)
		}
	}
	add("value", points(f.Values[:min(end, len(f.Values))], 0, start), slate, 1.2)
	add("forecast", points(f.joined(f.Predictions), f.First-f.join(), start), accent, 1.6)
	p.X.Min, p.X.Max = float64(start+1), float64(end)
	pad(p)
	return p, append(legend, bands...), err
}

// shown returns the first row that the picture shows, and that after the last.
func (f Forecast) shown() (start, end int) {
	end = f.First + len(f.Predictions)
	if f.History > 0 {
		return max(0, f.First-f.History), end
	}
	return max(0, end-maxRows), end
}

// join returns 1 if the predictions go on from the value before them, otherwise 0.
func (f Forecast) join() int {
	if f.First == 0 || f.First > len(f.Values) || math.IsNaN(f.Values[f.First-1]) {
		return 0
	}
	return 1
}

// joined returns predictions after the last value before them.
func (f Forecast) joined(predictions []float64) []float64 {
	return append(slices.Clone(f.Values[f.First-f.join():f.First]), predictions...)
}

// addBands adds the bands as areas, the widest first and palest, and returns their legend.
func (f Forecast) addBands(p *plot.Plot, start int) (legend []entry, err error) {
	for i := len(f.Bands) - 1; i >= 0; i-- {
		b := f.Bands[i]
		outline, below := points(f.joined(b.High), f.First-f.join(), start), points(f.joined(b.Low), f.First-f.join(), start)
		slices.Reverse(below)
		area, err := plotter.NewPolygon(append(outline, below...))
		if err != nil {
			return nil, err
		}
		area.Color, area.LineStyle.Width = color.NRGBA{R: accent.R, G: accent.G, B: accent.B, A: uint8(0x50 / (i + 1))}, 0
		p.Add(area)
		legend = slices.Insert(legend, 0, entry{b.Name, area})
	}
	return legend, nil
}

// addOrigins marks where the predictions begin.
func (f Forecast) addOrigins(p *plot.Plot) {
	p.Add(originLines(f.Origins))
}

// originLines is a plotter of vertical lines before rows.
type originLines []int

// Plot implements plot.Plotter.
func (o originLines) Plot(c draw.Canvas, p *plot.Plot) {
	style := draw.LineStyle{Color: quiet, Width: 0.6, Dashes: []vg.Length{2, 3}}
	x, _ := p.Transforms(&c)
	for _, row := range o {
		c.StrokeLine2(style, x(float64(row)), c.Min.Y, x(float64(row)), c.Max.Y)
	}
}

// points returns the values of rows from start on, where values begin at row first.
func points(values []float64, first, start int) plotter.XYs {
	var list plotter.XYs
	for i, y := range values {
		if row := first + i; row >= start && !math.IsNaN(y) {
			list = append(list, plotter.XY{X: float64(row + 1), Y: y})
		}
	}
	return list
}
