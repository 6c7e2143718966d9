package picture

import (
	"math"
	"strconv"
	"strings"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
)

// maxTicks is how many times a picture labels at most.
const maxTicks = 8

// letterRoom is how wide a character of a label is, about, and labelRoom that between two labels.
const (
	letterRoom = 0.55 * textSize
	labelRoom  = 12 * vg.Length(1)
)

// calendarStep is a distance of ticks in time, and how they are labelled.
type calendarStep struct {
	layout string
	of     func(t time.Time) int64 // what is the same for all times between two ticks
}

// calendarSteps are the distances of ticks, the shortest first.
func calendarSteps() (steps []calendarStep) {
	add := func(layout string, of func(t time.Time) int64) { steps = append(steps, calendarStep{layout, of}) }
	for _, n := range []int64{1, 2, 5, 10, 15, 30} {
		add("15:04:05", func(t time.Time) int64 { return wall(t) / n })
	}
	for _, n := range []int64{1, 2, 5, 10, 15, 30} {
		add("15:04", func(t time.Time) int64 { return wall(t) / 60 / n })
	}
	for _, n := range []int64{1, 2, 3, 6, 12} {
		add("01-02 15:04", func(t time.Time) int64 { return wall(t) / 3600 / n })
	}
	for _, n := range []int64{1, 2} {
		add("2006-01-02", func(t time.Time) int64 { return wall(t) / 86400 / n })
	}
	for _, n := range []int64{1, 2} {
		add("2006-01-02", func(t time.Time) int64 { return (wall(t)/86400 + 3) / 7 / n }) // Mondays
	}
	for _, n := range []int64{1, 2, 3, 6} {
		add("2006-01", func(t time.Time) int64 { return (12*int64(t.Year()) + int64(t.Month()) - 1) / n })
	}
	for _, n := range []int64{1, 2, 5, 10, 20, 50, 100} {
		add("2006", func(t time.Time) int64 { return int64(t.Year()) / n })
	}
	return steps
}

// wall returns the seconds from 1970 to what the clocks show at a time.
func wall(t time.Time) int64 {
	_, offset := t.Zone()
	return t.Unix() + int64(offset)
}

// timeTicks labels the first of the rows of each day, month, year or the like, as many as
// have room. Rows are numbered from 1 in a plot, and from 0 in at.
func timeTicks(at func(row int) time.Time, room vg.Length) plot.TickerFunc {
	return func(low, high float64) (ticks []plot.Tick) {
		from, to := int(math.Ceil(low))-1, int(math.Floor(high))-1
		for _, step := range calendarSteps() {
			ticks = step.ticks(at, from, to)
			if each := labelRoom + letterRoom*vg.Length(len(step.layout)); len(ticks) <= min(maxTicks, int(room/each)) {
				break
			}
		}
		if len(ticks) > 0 && strings.Contains(ticks[0].Label, ":") { // the first tells the day
			ticks[0].Label = at(int(ticks[0].Value) - 1).Format("2006-01-02 15:04")
		}
		return ticks
	}
}

// ticks returns those of rows, until they are too many.
func (s calendarStep) ticks(at func(row int) time.Time, from, to int) (ticks []plot.Tick) {
	before := s.of(at(from - 1))
	for row := from; row <= to && len(ticks) <= maxTicks; row++ {
		if now := s.of(at(row)); now != before {
			ticks = append(ticks, plot.Tick{Value: float64(row + 1), Label: at(row).Format(s.layout)})
			before = now
		}
	}
	return ticks
}

// rowTicks labels whole numbers of rows.
func rowTicks(low, high float64) (ticks []plot.Tick) {
	for _, t := range (plot.DefaultTicks{}).Ticks(low, high) {
		if !t.IsMinor() && t.Value == math.Trunc(t.Value) {
			ticks = append(ticks, t)
		}
	}
	return ticks
}

// valueTicks labels values shortly, such as 1.5k and 20M.
func valueTicks(low, high float64) (ticks []plot.Tick) {
	for _, t := range (plot.DefaultTicks{}).Ticks(low, high) {
		if !t.IsMinor() {
			ticks = append(ticks, plot.Tick{Value: t.Value, Label: short(t.Value, max(math.Abs(low), math.Abs(high)))})
		}
	}
	return ticks
}

// short returns a value of an axis that reaches up to most.
func short(v, most float64) string {
	for _, unit := range []struct {
		name string
		size float64
	}{{"G", 1e9}, {"M", 1e6}, {"k", 1e3}} {
		if v != 0 && most >= 10*unit.size && most < 1e13 {
			return trimmed(v/unit.size) + unit.name
		}
	}
	return trimmed(v)
}

// trimmed returns six digits of a number at most.
func trimmed(v float64) string {
	return strings.Replace(strconv.FormatFloat(v, 'g', 6, 64), "-", "−", 1)
}
