// Package picture draws forecasts and trajectories as .svg, .png or .pdf files.
package picture

import (
	"bytes"
	"fmt"
	"image/color"
	"io"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	_ "gonum.org/v1/plot/vg/vgimg" // .png
	_ "gonum.org/v1/plot/vg/vgpdf" // .pdf
	"gonum.org/v1/plot/vg/vgsvg"

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

// drawer is what can be drawn, such as a plot or a figure.
type drawer interface{ Draw(c draw.Canvas) }

// save draws d on white to the file at path, in the format that its ending names.
func save(d drawer, width, height vg.Length, path string) error {
	if err := CheckName(path); err != nil {
		return err
	}
	canvas, err := draw.NewFormattedCanvas(width, height, format(path))
	if err != nil {
		return fmt.Errorf("cannot draw %s: %w", path, err)
	}
	c := draw.New(canvas)
	c.SetColor(color.White)
	c.Fill(c.Rectangle.Path())
	d.Draw(c)
	file, err := atomicfile.Create(path)
	if err != nil {
		return err
	}
	defer file.Abort()
	if err := write(canvas, file, format(path)); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return file.Commit()
}

// svg returns d as SVG without a background.
func svg(d drawer, width, height vg.Length) ([]byte, error) {
	canvas := vgsvg.New(width, height)
	d.Draw(draw.New(canvas))
	var b bytes.Buffer
	err := write(canvas, &b, "svg")
	return b.Bytes(), err
}

// write writes what was drawn. An SVG has the font of the machine where the one that it was
// drawn with is not there.
func write(canvas io.WriterTo, to io.Writer, format string) error {
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return err
	}
	drawn := b.Bytes()
	if format == "svg" {
		drawn = bytes.ReplaceAll(drawn, []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Helvetica,Arial,sans-serif;"))
	}
	_, err := to.Write(drawn)
	return err
}
