package picture

import (
	"fmt"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
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

	Bands []Band               // around the predictions, the narrowest first
	Time  func(row int) string // labels a row, counted from 0; nil numbers the rows from 1
}

// Band is a prediction interval of each prediction.
type Band struct {
	Name      string
	Low, High []float64
}

// Write draws the last rows to the file at path.
func (f Forecast) Write(path string) error {
	p, err := f.plot()
	if err != nil {
		return fmt.Errorf("cannot draw %s: %w", path, err)
	}
	return save(p, forecastWidth, forecastHeight, path)
}

// SVG returns the picture as SVG.
func (f Forecast) SVG() ([]byte, error) {
	p, err := f.plot()
	if err != nil {
		return nil, err
	}
	return svg(p, forecastWidth, forecastHeight)
}

const (
	forecastWidth  = 24 * vg.Centimeter
	forecastHeight = 10 * vg.Centimeter
)

func (f Forecast) plot() (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = "True against predicted"
	p.X.Label.Text = "row"
	if f.Time != nil {
		p.X.Label.Text = ""
		p.X.Tick.Marker = plot.TickerFunc(f.ticks)
	}
	p.Y.Label.Text = f.Name
	p.Legend.Top = true
	p.Legend.XOffs = -vg.Points(6)
	p.Add(plotter.NewGrid())

	end := f.First + len(f.Predictions)
	start := max(0, end-maxRows)
	if err := f.addBands(p, start); err != nil {
		return nil, err
	}
	blue, red := color.RGBA{R: 0x1f, G: 0x77, B: 0xb4, A: 0xff}, color.RGBA{R: 0xd6, G: 0x27, B: 0x28, A: 0xff}
	if err := addLine(p, "true", points(f.Values, 0, start), blue); err != nil {
		return nil, err
	}
	if err := addLine(p, "predicted", points(f.Predictions, f.First, start), red, vg.Points(4), vg.Points(2)); err != nil {
		return nil, err
	}
	leaveRoom(p)
	return p, nil
}

// ticks labels some rows by their time.
func (f Forecast) ticks(low, high float64) []plot.Tick {
	ticks := plot.DefaultTicks{}.Ticks(low, high)
	for i := range ticks {
		if ticks[i].Label != "" {
			ticks[i].Label = f.Time(int(math.Round(ticks[i].Value)) - 1)
		}
	}
	return ticks
}

// addBands adds the bands as areas, the widest first and palest.
func (f Forecast) addBands(p *plot.Plot, start int) error {
	for i := len(f.Bands) - 1; i >= 0; i-- {
		b := f.Bands[i]
		outline, below := points(b.High, f.First, start), points(b.Low, f.First, start)
		slices.Reverse(below)
		area, err := plotter.NewPolygon(append(outline, below...))
		if err != nil {
			return err
		}
		area.Color, area.LineStyle.Width = color.NRGBA{R: 0xd6, G: 0x27, B: 0x28, A: uint8(0x60 / (i + 1))}, 0
		p.Add(area)
		p.Legend.Add(b.Name, area)
	}
	return nil
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

// addLine adds a line through the points, if there are any, and its name to the
// legend.
func addLine(p *plot.Plot, name string, points plotter.XYs, c color.Color, dashes ...vg.Length) error {
	if len(points) == 0 {
		return nil
	}
	line, err := plotter.NewLine(points)
	if err != nil {
		return err
	}
	line.Color, line.Dashes, line.Width = c, dashes, vg.Points(1.2)
	p.Add(line)
	p.Legend.Add(name, line)
	return nil
}
