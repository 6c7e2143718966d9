package picture

import (
	"fmt"
	"image/color"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/palette"
	"gonum.org/v1/plot/palette/moreland"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// maxNumbers is about how many steps of a trajectory are numbered at most.
const maxNumbers = 50

// Trajectory is a path in the plane of two principal components.
type Trajectory struct {
	Points    [][2]float64 // the scores of each step, at least two steps
	First     int          // the row of the first step, counted from 0
	Explained [2]float64   // how much of the variance each component explains, from 0 to 1
}

// Write draws the trajectory to the file at path. Its colour tells the time, and rows
// are numbered from 1.
func (t Trajectory) Write(path string) error {
	p := plot.New()
	p.Title.Text = "The path of the hidden state"
	p.X.Label.Text = fmt.Sprintf("component 1 (%.1f%% of the variance)", 100*t.Explained[0])
	p.Y.Label.Text = fmt.Sprintf("component 2 (%.1f%%)", 100*t.Explained[1])
	p.Add(plotter.NewGrid())
	if err := t.addSteps(p); err != nil {
		return fmt.Errorf("cannot draw %s: %w", path, err)
	}
	if err := t.addNumbers(p); err != nil {
		return fmt.Errorf("cannot draw %s: %w", path, err)
	}
	p.Legend.Top = true
	p.Y.Max += 0.15 * (p.Y.Max - p.Y.Min) // so that the legend covers no data
	return save(p, 16*vg.Centimeter, 14*vg.Centimeter, path)
}

func (t Trajectory) points() plotter.XYs {
	list := make(plotter.XYs, len(t.Points))
	for i, p := range t.Points {
		list[i] = plotter.XY{X: p[0], Y: p[1]}
	}
	return list
}

// addSteps adds a dot for each step and a line from the one before, and the first
// and the last step to the legend.
func (t Trajectory) addSteps(p *plot.Plot) error {
	points, colors := t.points(), colorsOf(len(t.Points))
	for i := range points {
		c, err := colors.At(float64(i))
		if err != nil {
			return err
		}
		if i > 0 {
			if err := addStroke(p, points[i-1:i+1], c); err != nil {
				return err
			}
		}
		dot, err := plotter.NewScatter(points[i : i+1])
		if err != nil {
			return err
		}
		dot.Shape, dot.Radius, dot.Color = draw.CircleGlyph{}, vg.Points(2), c
		p.Add(dot)
		if i == 0 || i == len(points)-1 {
			p.Legend.Add(fmt.Sprintf("step %d", t.First+i+1), dot)
		}
	}
	return nil
}

func addStroke(p *plot.Plot, points plotter.XYs, c color.Color) error {
	line, err := plotter.NewLine(points)
	if err != nil {
		return err
	}
	line.Color, line.Width = c, vg.Points(1)
	p.Add(line)
	return nil
}

// colorsOf returns the colours of n steps. The map runs from black to white, whose
// ends are left out.
func colorsOf(n int) palette.ColorMap {
	colors := moreland.Kindlmann()
	colors.SetMin(-0.25 * float64(n))
	colors.SetMax(1.25 * float64(n))
	return colors
}

// addNumbers adds the number of every fifth row, of fewer in a long trajectory.
func (t Trajectory) addNumbers(p *plot.Plot) error {
	numbers := plotter.XYLabels{}
	every := max(5, (len(t.Points)+maxNumbers-1)/maxNumbers)
	for i, point := range t.points() {
		if row := t.First + i + 1; row%every == 0 {
			numbers.XYs = append(numbers.XYs, point)
			numbers.Labels = append(numbers.Labels, strconv.Itoa(row))
		}
	}
	labels, err := plotter.NewLabels(numbers)
	if err != nil {
		return err
	}
	labels.Offset = vg.Point{X: vg.Points(3), Y: vg.Points(3)}
	p.Add(labels)
	return nil
}
