package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Every picture has the size 360 by 230, so that its letters are 12 units high
// and can be read on a phone. These are the edges of the part with the lines.
const left, right, top, bottom = 50.0, 344.0, 18.0, 190.0

// chart is a picture of lines over a common axis.
type chart struct {
	Title, XLabel string
	Log           bool // of the vertical axis, where it is long enough
	Lines         []line
}

// line is a line of a chart, with or without a band around it.
type line struct {
	Name  string
	Class string // of report.css: the colour c0, c1 or c2, and dashed or dots

	x, y, low, high []float64
}

// add appends a line that has a name, a colour and a kind, which is empty,
// dashed or dots.
func (c *chart) add(l line, color int, name, kind string) {
	l.Name = name
	l.Class = strings.TrimSpace(fmt.Sprintf("c%d %s", color%3, kind))
	c.Lines = append(c.Lines, l)
}

// Describe says in words what there is to see.
func (c *chart) Describe() string {
	words := []string{c.Title + ", by " + c.XLabel}
	for _, l := range c.Lines {
		last := len(l.y) - 1
		s := fmt.Sprintf("%s goes from %s to %s", l.Name, number(l.y[0]), number(l.y[last]))
		if l.low != nil {
			s += fmt.Sprintf(", the seeds from %s to %s", number(l.low[last]), number(l.high[last]))
		}
		words = append(words, s)
	}
	return strings.Join(words, "; ")
}

// Frame returns the axes, which hold all that the chart shows.
func (c *chart) Frame() frame {
	var x, y []float64
	for _, l := range c.Lines {
		x = append(x, l.x...)
		y = slices.Concat(y, l.y, l.low, l.high)
	}
	f := upright(x, y)
	if y, ok := logarithmic(y); c.Log && ok {
		f.y = y
	}
	f.XLabel = c.XLabel
	return f
}

// frame is a pair of axes with their labels.
type frame struct {
	x, y           axis
	XLabel, YLabel string
}

// upright returns axes for x as it is and y up to round numbers.
func upright(x, y []float64) frame {
	f := frame{x: span(x), y: span(y)}
	f.y.min, f.y.max = f.y.step*math.Floor(f.y.min/f.y.step), f.y.step*math.Ceil(f.y.max/f.y.step)
	return f.placed()
}

// square returns axes for x and y on which a unit has the same length, with room
// around them.
func square(x, y []float64) frame {
	f := frame{x: span(x), y: span(y)}
	unit := 1.15 * max((f.x.max-f.x.min)/(right-left), (f.y.max-f.y.min)/(bottom-top))
	f.x.widen(unit * (right - left))
	f.y.widen(unit * (bottom - top))
	f.x.step = f.y.step
	return f.placed()
}

func (f frame) placed() frame {
	f.x.from, f.x.to = left, right
	f.y.from, f.y.to = bottom, top
	return f
}

// XTicks and YTicks return where the axes have numbers.
func (f frame) XTicks() []tick { return f.x.ticks() }
func (f frame) YTicks() []tick { return f.y.ticks() }

// Path returns a line as the path of an SVG, without what is no finite number.
func (f frame) Path(l line) string { return f.path(l.x, l.y) }

// Band returns the band around a line as the path of an SVG, empty if it has none.
func (f frame) Band(l line) string {
	if l.low == nil {
		return ""
	}
	x, y := slices.Clone(l.x), slices.Clone(l.high)
	slices.Reverse(x)
	slices.Reverse(y)
	return f.path(append(slices.Clone(l.x), x...), append(slices.Clone(l.low), y...)) + "Z"
}

func (f frame) path(x, y []float64) string {
	var b strings.Builder
	to := "M"
	for i := range x {
		px, py := f.x.at(x[i]), f.y.at(y[i])
		if math.IsNaN(py) || math.IsInf(py, 0) {
			to = "M"
			continue
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", to, px, py)
		to = "L"
	}
	return b.String()
}

// axis maps the numbers from min to max to places in a picture.
type axis struct {
	min, max float64
	step     float64 // between its numbers; 0 for a logarithmic axis
	from, to float64
}

// tiny is the least number that an axis is made for.
const tiny = 1e-300

// span returns an axis from the least to the largest of the finite values.
func span(values []float64) axis {
	a := axis{min: math.Inf(1), max: math.Inf(-1)}
	for _, v := range values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			a.min, a.max = min(a.min, v), max(a.max, v)
		}
	}
	switch {
	case a.min > a.max:
		a.min, a.max = 0, 1
	case a.max-a.min <= 1e-12*max(math.Abs(a.min), math.Abs(a.max))+tiny:
		a.widen(max(1, math.Abs(a.min)))
	}
	a.step = nice((a.max - a.min) / 5)
	return a
}

// widen gives a the length around its middle.
func (a *axis) widen(length float64) {
	middle := (a.min + a.max) / 2
	a.min, a.max = middle-length/2, middle+length/2
	a.step = nice(length / 5)
}

// logarithmic returns an axis for the positive ones of values, up to numbers that
// it shows, if the largest is ten times the least.
func logarithmic(values []float64) (axis, bool) {
	positive := slices.DeleteFunc(slices.Clone(values), func(v float64) bool { return !(v > tiny) || math.IsInf(v, 1) })
	if len(positive) == 0 || slices.Max(positive) < 10*slices.Min(positive) {
		return axis{}, false
	}
	low := nice(slices.Min(positive))
	for low > slices.Min(positive) {
		low = nice(low / 2.5)
	}
	return axis{min: low, max: nice(slices.Max(positive)), from: bottom, to: top}, true
}

// at returns where v lies.
func (a axis) at(v float64) float64 {
	lo, hi := a.min, a.max
	if a.step == 0 {
		v, lo, hi = math.Log10(v), math.Log10(lo), math.Log10(hi)
	}
	return a.from + (v-lo)/(hi-lo)*(a.to-a.from)
}

// tick is a number on an axis.
type tick struct {
	At    float64
	Label string
}

// decades is how many powers of ten a logarithmic axis has at most with numbers
// between them.
const decades = 3

func (a axis) ticks() (list []tick) {
	add := func(v float64) { list = append(list, tick{a.at(v), number(v)}) }
	length := math.Log10(a.max / a.min)
	switch {
	case a.step > 0:
		for i := int(math.Ceil(a.min/a.step - 1e-9)); float64(i) <= a.max/a.step+1e-9; i++ {
			add(float64(i) * a.step)
		}
	case length < decades:
		for v := a.min; v <= a.max*(1+1e-9); v = nice(1.5 * v) {
			add(v)
		}
	default:
		step := max(1, int(nice(length/8)))
		for i := int(math.Ceil(math.Log10(a.min) - 1e-9)); float64(i) <= math.Log10(a.max)+1e-9; i++ {
			if i%step == 0 {
				add(math.Pow(10, float64(i)))
			}
		}
	}
	return list
}

// nice returns the least of 1, 2 and 5 times the powers of ten that is not less
// than v.
func nice(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= v*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

func floats(rows []int) []float64 {
	x := make([]float64, len(rows))
	for i, r := range rows {
		x[i] = float64(r)
	}
	return x
}
