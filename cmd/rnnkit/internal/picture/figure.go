package picture

import (
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// The colours of all pictures. They keep their hue where a dark page inverts them.
var (
	slate  = color.NRGBA{R: 0x40, G: 0x4a, B: 0x5c, A: 0xff} // what came
	accent = color.NRGBA{R: 0x1d, G: 0x6f, B: 0xd6, A: 0xff} // what is forecast
	alarm  = color.NRGBA{R: 0xd6, G: 0x27, B: 0x28, A: 0xff}
	quiet  = color.NRGBA{R: 0x6b, G: 0x72, B: 0x80, A: 0xff} // text of axes
	hair   = color.NRGBA{R: 0xe3, G: 0xe6, B: 0xea, A: 0xff} // grids
)

// figure is plots in a grid, with a title and a legend above them.
type figure struct {
	title   string
	legend  []entry
	plots   []*plot.Plot
	columns int
}

// entry is a name in a legend, with a small picture.
type entry struct {
	name  string
	thumb plot.Thumbnailer
}

const (
	margin     = 10 * vg.Length(1) // around a figure
	thumbWidth = 18 * vg.Length(1)
	titleSize  = 11 * vg.Length(1)
	textSize   = 9 * vg.Length(1)
)

// newPlot returns a plot without frame, title and legend, on a grid.
func newPlot() *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.LineStyle.Width, a.Tick.LineStyle.Width, a.Padding = 0, 0, 2
		a.Tick.Length = 2
		sans(&a.Tick.Label, textSize, quiet)
		sans(&a.Label.TextStyle, textSize, quiet)
	}
	sans(&p.Title.TextStyle, textSize, slate)
	p.Title.Padding = 4
	p.Y.Tick.Marker = plot.TickerFunc(valueTicks)
	grid := plotter.NewGrid()
	grid.Vertical.Width, grid.Horizontal.Color, grid.Horizontal.Width = 0, hair, 0.75
	p.Add(grid)
	return p
}

// sans sets the font of a text.
func sans(s *text.Style, size vg.Length, c color.Color) {
	s.Font.Typeface, s.Font.Variant, s.Font.Size, s.Color = "Liberation", "Sans", size, c
}

// Draw draws the figure.
func (f *figure) Draw(c draw.Canvas) {
	c = draw.Crop(c, margin, -margin, margin, -margin)
	c.Max.Y -= f.drawTitle(c)
	c.Max.Y -= f.drawLegend(c)
	rows := (len(f.plots) + f.columns - 1) / f.columns
	tiles := draw.Tiles{Rows: rows, Cols: f.columns, PadX: 2 * margin, PadY: margin}
	for i, p := range f.plots {
		p.Draw(tiles.At(c, i%f.columns, i/f.columns))
	}
}

// drawTitle returns the height that the title takes.
func (f *figure) drawTitle(c draw.Canvas) vg.Length {
	if f.title == "" {
		return 0
	}
	style := text.Style{Handler: plot.DefaultTextHandler, YAlign: text.YTop}
	sans(&style, titleSize, slate)
	c.FillText(style, vg.Point{X: c.Min.X, Y: c.Max.Y}, f.title)
	return 1.6 * titleSize
}

// drawLegend draws the entries in as many rows as they need, and returns the height that it
// takes.
func (f *figure) drawLegend(c draw.Canvas) vg.Length {
	style := text.Style{Handler: plot.DefaultTextHandler, YAlign: text.YCenter}
	sans(&style, textSize, quiet)
	x, y := c.Min.X, c.Max.Y-textSize/2
	for i, e := range f.legend {
		width := thumbWidth + 5 + style.Width(e.name)
		if i > 0 && x+width > c.Max.X {
			x, y = c.Min.X, y-1.5*textSize
		}
		e.thumb.Thumbnail(&draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{
			Min: vg.Point{X: x, Y: y - textSize/2}, Max: vg.Point{X: x + thumbWidth, Y: y + textSize/2},
		}})
		c.FillText(style, vg.Point{X: x + thumbWidth + 5, Y: y}, e.name)
		x += width + 14
	}
	if len(f.legend) == 0 {
		return 0
	}
	return c.Max.Y - y + 1.5*textSize
}

// pad gives the values room above and below.
func pad(p *plot.Plot) {
	room := 0.04 * (p.Y.Max - p.Y.Min)
	p.Y.Min, p.Y.Max = p.Y.Min-room, p.Y.Max+room
}

// addLine adds a line through the points, and returns its entry of the legend.
func addLine(p *plot.Plot, name string, points plotter.XYs, c color.Color, width vg.Length) (entry, error) {
	line, err := plotter.NewLine(points)
	if err != nil {
		return entry{}, err
	}
	line.Color, line.Width = c, width
	p.Add(line)
	return entry{name, line}, nil
}
