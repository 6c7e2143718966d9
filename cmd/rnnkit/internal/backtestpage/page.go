// Package backtestpage writes the result of a backtest as one HTML page: the metrics of
// the model and of simple methods, the errors by the step ahead, and pictures of forecasts
// beside what came.
package backtestpage

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/rnnkit/rnnkit"
	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/picture"
	"github.com/rnnkit/rnnkit/datasets"
)

// Page is a page about a backtest.
type Page struct {
	Model  string // name of the model's file
	Data   string // name of the table
	Panel  *datasets.Panel
	Result *rnnkit.BacktestResult
	Levels []float64 // of the intervals, the narrowest first
	Rules  []string  // what was chosen for the data and why
}

// maxPictures is how many forecasts a page shows, so that a browser opens it at once.
const maxPictures = 24

//go:embed page.html
var source string

var page = template.Must(template.New("page").Funcs(template.FuncMap{"short": short, "percent": percent}).Parse(source))

// Write writes the page to w.
func (p *Page) Write(w io.Writer) error { return page.Execute(w, p) }

// short returns four digits of a metric, or a dash for one that no value has.
func short(v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	return fmt.Sprintf("%.4g", v)
}

// percent returns a share such as 0.975 as 97.5%.
func percent(share float64) string { return strconv.FormatFloat(100*share, 'g', 3, 64) + "%" }

// About returns what the table is, line by line.
func (p *Page) About() []string { return strings.Split(strings.TrimSpace(p.Panel.Describe()), "\n") }

// Origins returns the number of forecasts.
func (p *Page) Origins() int { return len(p.Result.Forecasts) }

// Best reports whether no method has a lower mean absolute error than the one with the
// given index.
func (p *Page) Best(method int) bool {
	for _, r := range p.Result.Reports {
		if r.All.MAE < p.Result.Reports[method].All.MAE {
			return false
		}
	}
	return true
}

// drawing is a picture as a part of the page, for a wide screen and for a narrow one.
type drawing struct{ Wide, Narrow template.HTML }

// The widths of a picture, in centimeters.
const (
	wideCentimeters   = 22
	narrowCentimeters = 10.5
)

// draw returns a picture in both widths.
func draw(svg func(width float64) ([]byte, error)) (d drawing, err error) {
	wide, err := svg(wideCentimeters)
	if err != nil {
		return d, err
	}
	narrow, err := svg(narrowCentimeters)
	return drawing{inline(wide), inline(narrow)}, err
}

// inline returns an SVG without what comes before its element.
func inline(svg []byte) template.HTML {
	return template.HTML(svg[bytes.Index(svg, []byte("<svg")):]) //nolint:gosec // texts in it are escaped by the package that draws
}

// Errors is the picture of the mean absolute error by the step ahead.
type Errors struct {
	drawing
	Far string // the methods that are not drawn, since they lie far above the lowest
}

// Errors returns the picture of the mean absolute error by the step ahead.
func (p *Page) Errors() (e Errors, err error) {
	s := picture.Steps{Title: "Mean absolute error by the step ahead"}
	for _, r := range p.Result.Reports {
		var values []float64
		for _, step := range r.Steps {
			values = append(values, step.MAE)
		}
		s.Names, s.Values = append(s.Names, r.Method), append(s.Values, values)
	}
	e.Far = strings.Join(s.Far(), ", ")
	e.drawing, err = draw(s.SVG)
	return e, err
}

// Steps returns the number of steps ahead.
func (p *Page) Steps() int { return len(p.Result.Reports[0].Steps) }

// Drawn returns of how many series and targets the page shows forecasts, and Series how
// many there are.
func (p *Page) Drawn() int  { return min(maxPictures, len(p.last())) }
func (p *Page) Series() int { return len(p.last()) }

// Pictures returns the forecasts of the first series and targets.
func (p *Page) Pictures() (list []drawing, err error) {
	for _, last := range p.last()[:p.Drawn()] {
		d, err := draw(p.forecast(last).SVG)
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, nil
}

// last returns the index of the last forecast of each series and target.
func (p *Page) last() (list []int) {
	type target struct{ series, target int }
	at := map[target]int{}
	for i, c := range p.Result.Forecasts {
		key := target{c.Series, c.Target}
		if k, ok := at[key]; ok {
			list[k] = i
			continue
		}
		at[key] = len(list)
		list = append(list, i)
	}
	return list
}

// forecast returns the picture of the forecast with the given index, and of those of the
// same target before it that end where it begins.
func (p *Page) forecast(last int) picture.Forecast {
	list := []rnnkit.Backcast{p.Result.Forecasts[last]}
	for i := last - 1; i >= 0; i-- {
		c := p.Result.Forecasts[i]
		if c.Series == list[0].Series && c.Target == list[0].Target && c.Origin+len(c.Forecast) == list[0].Origin {
			list = append([]rnnkit.Backcast{c}, list...)
		}
	}
	series := list[0].Series
	f := picture.Forecast{Name: p.title(list[0]), Values: p.Panel.Series[series].Targets[list[0].Target], First: list[0].Origin}
	for _, level := range p.Levels {
		f.Bands = append(f.Bands, picture.Band{Name: percent(level) + " interval"})
	}
	for _, c := range list {
		f.Origins = append(f.Origins, c.Origin)
		f.Predictions = append(f.Predictions, c.Forecast...)
		for i := range f.Bands {
			b, middle := &f.Bands[i], len(p.Levels)
			for _, q := range c.Quantiles {
				b.Low, b.High = append(b.Low, q[middle-1-i]), append(b.High, q[middle+1+i])
			}
		}
	}
	f.History = max(30, min(len(f.Predictions), 3*p.Steps()))
	if p.Panel.Frequency.Count > 0 {
		f.Time = func(row int) time.Time { return p.Panel.Time(series, row) }
	}
	return f
}

// title names a target of a series.
func (p *Page) title(c rnnkit.Backcast) string {
	name := p.Panel.Targets[c.Target]
	if series := p.Panel.Series[c.Series].Name; series != "" {
		name += ", " + series
	}
	return name
}
