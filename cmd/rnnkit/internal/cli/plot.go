package cli

import (
	"fmt"
	"image/color"
	"math"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"github.com/rnnkit/rnnkit/internal/atomicfile"
)

// plotRows is how many of the last rows a plot shows: enough to see the shape
// of the series, few enough to see a prediction beside its value.
const plotRows = 250

// plotFormat returns the format that the ending of path, given to a flag, names.
func plotFormat(flag, path string) (string, error) {
	format := strings.TrimPrefix(strings.ToLower(filepath.Ext(path)), ".")
	switch format {
	case "svg", "png", "pdf":
		return format, nil
	}
	return "", usagef("%s is %q: the name must end in .svg, .png or .pdf", flag, path)
}

// draw writes a picture of the last rows and their predictions to path.
func (f *forecast) draw(path string) error {
	end := f.first + len(f.predictions)
	start := max(0, end-plotRows)
	p := plot.New()
	p.Title.Text = "True against predicted"
	p.X.Label.Text = "row"
	p.Y.Label.Text = f.name
	p.Legend.Top = true
	p.Legend.XOffs = -vg.Points(6)
	p.Add(plotter.NewGrid())

	lines := []struct {
		name   string
		color  color.Color
		dashes []vg.Length
		first  int
		values []float64
	}{
		{"true", color.RGBA{R: 0x1f, G: 0x77, B: 0xb4, A: 0xff}, nil, 0, f.series},
		{"predicted", color.RGBA{R: 0xd6, G: 0x27, B: 0x28, A: 0xff}, []vg.Length{vg.Points(4), vg.Points(2)}, f.first, f.predictions},
	}
	for _, l := range lines {
		var points plotter.XYs
		for i, y := range l.values {
			if row := l.first + i; row >= start && !math.IsNaN(y) {
				points = append(points, plotter.XY{X: float64(row + 1), Y: y})
			}
		}
		if len(points) == 0 {
			continue
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return fmt.Errorf("cannot draw %s: %w", path, err)
		}
		line.Color, line.Dashes, line.Width = l.color, l.dashes, vg.Points(1.2)
		p.Add(line)
		p.Legend.Add(l.name, line)
	}
	// Room above the lines for the legend.
	p.Y.Max += 0.15 * (p.Y.Max - p.Y.Min)

	return savePlot(p, 24*vg.Centimeter, 10*vg.Centimeter, path)
}

// savePlot writes p to path, whose ending is a format.
func savePlot(p *plot.Plot, width, height vg.Length, path string) error {
	format, err := plotFormat("the picture", path)
	if err != nil {
		return err
	}
	picture, err := p.WriterTo(width, height, format)
	if err != nil {
		return fmt.Errorf("cannot draw %s: %w", path, err)
	}
	file, err := atomicfile.Create(path)
	if err != nil {
		return err
	}
	defer file.Abort()
	if _, err := picture.WriteTo(file); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return file.Commit()
}
