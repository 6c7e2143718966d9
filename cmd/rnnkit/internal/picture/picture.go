// Package picture draws forecasts and trajectories as .svg, .png or .pdf files.
package picture

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"

	"github.com/rnnkit/rnnkit/internal/atomicfile"
)

// CheckName returns an error for the path of a file whose ending is not that of a
// picture.
func CheckName(path string) error {
	switch format(path) {
	case "svg", "png", "pdf":
		return nil
	}
	return fmt.Errorf("%q: the name must end in .svg, .png or .pdf", path)
}

func format(path string) string {
	return strings.TrimPrefix(strings.ToLower(filepath.Ext(path)), ".")
}

// save writes p to the file at path, in the format that its ending names.
func save(p *plot.Plot, width, height vg.Length, path string) error {
	if err := CheckName(path); err != nil {
		return err
	}
	drawn, err := p.WriterTo(width, height, format(path))
	if err != nil {
		return fmt.Errorf("cannot draw %s: %w", path, err)
	}
	file, err := atomicfile.Create(path)
	if err != nil {
		return err
	}
	defer file.Abort()
	if _, err := drawn.WriteTo(file); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return file.Commit()
}

// svg returns p as SVG.
func svg(p *plot.Plot, width, height vg.Length) ([]byte, error) {
	drawn, err := p.WriterTo(width, height, "svg")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	_, err = drawn.WriteTo(&b)
	return b.Bytes(), err
}

// leaveRoom extends the plot upwards, so that the legend covers no data.
func leaveRoom(p *plot.Plot) { p.Y.Max += 0.15 * (p.Y.Max - p.Y.Min) }
