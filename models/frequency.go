package models

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Frequency is the step in time from one row of a series to the next: Count units. The
// zero value is that of a series without times.
type Frequency struct {
	Count int
	Unit  TimeUnit
}

// TimeUnit is a unit of time. Units up to the hour have a fixed length. Longer ones keep
// the time of day, so that a day is an hour shorter or longer when the clocks change.
type TimeUnit string

// The units of time, as a Frequency is written with them.
const (
	Nanosecond  TimeUnit = "ns"
	Microsecond TimeUnit = "us"
	Millisecond TimeUnit = "ms"
	Second      TimeUnit = "s"
	Minute      TimeUnit = "min"
	Hour        TimeUnit = "h"
	Day         TimeUnit = "d"
	BusinessDay TimeUnit = "b" // Monday to Friday
	Week        TimeUnit = "w"
	Month       TimeUnit = "mo" // the same day of each month, or the last one of a shorter month
	MonthEnd    TimeUnit = "me" // the last day of each month
	Quarter     TimeUnit = "q"
	QuarterEnd  TimeUnit = "qe"
	Year        TimeUnit = "y"
	YearEnd     TimeUnit = "ye"
)

// timeUnits holds what a unit is: nanoseconds, days or months, or else business days.
var timeUnits = map[TimeUnit]struct {
	name   string // of one
	length time.Duration
	days   int
	months int
	end    bool // of months
}{
	Nanosecond:  {name: "nanosecond", length: 1},
	Microsecond: {name: "microsecond", length: time.Microsecond},
	Millisecond: {name: "millisecond", length: time.Millisecond},
	Second:      {name: "second", length: time.Second},
	Minute:      {name: "minute", length: time.Minute},
	Hour:        {name: "hour", length: time.Hour},
	Day:         {name: "day", days: 1},
	BusinessDay: {name: "business day"},
	Week:        {name: "week", days: 7},
	Month:       {name: "month", months: 1},
	MonthEnd:    {name: "month", months: 1, end: true},
	Quarter:     {name: "quarter", months: 3},
	QuarterEnd:  {name: "quarter", months: 3, end: true},
	Year:        {name: "year", months: 12},
	YearEnd:     {name: "year", months: 12, end: true},
}

// ParseFrequency reads a frequency as String writes it: a unit such as h, after a whole
// number from 1 on, as in 15min. Without a number it is one unit. The empty string is the
// frequency of a series without times.
func ParseFrequency(s string) (Frequency, error) {
	if s == "" {
		return Frequency{}, nil
	}
	digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
	f := Frequency{Count: 1, Unit: TimeUnit(strings.ToLower(s[digits:]))}
	var err error
	if digits > 0 {
		f.Count, err = strconv.Atoi(s[:digits])
	}
	if err != nil || f.validate() != nil {
		return Frequency{}, &FieldError{Field: "Frequency", Value: s, Want: "a number and a unit such as 15min, 1h, 1d, 1b (business days), 1w, 1mo, 1q or 1y"}
	}
	return f, nil
}

// maxCount limits a frequency, so that a step can be added.
const maxCount = 1 << 20

// validate returns a *FieldError if the frequency is neither zero nor a number of units.
func (f Frequency) validate() error {
	_, known := timeUnits[f.Unit]
	if f != (Frequency{}) && (!known || f.Count < 1 || f.Count > maxCount) {
		return &FieldError{Field: "Frequency", Value: f, Want: fmt.Sprintf("from 1 to %d units of time, or zero", maxCount)}
	}
	return nil
}

// String returns a number and a unit, such as 15min, or "" for the zero Frequency.
func (f Frequency) String() string {
	if f == (Frequency{}) {
		return ""
	}
	return fmt.Sprintf("%d%s", f.Count, f.Unit)
}

// Span returns n steps in words, such as "144 months" or "96 steps of 15 minutes". Without
// times the steps are called rows.
func (f Frequency) Span(n int) string {
	name := timeUnits[f.Unit].name
	switch {
	case name == "":
		name = "row"
	case f.Count > 1 && n != 1:
		return fmt.Sprintf("%d steps of %d %ss", n, f.Count, name)
	case f.Count > 1:
		n = f.Count
	}
	if n == 1 {
		return "1 " + name
	}
	return fmt.Sprintf("%d %ss", n, name)
}

// Add returns the time n steps after t, or before it where n is negative. Days, weeks and
// months are counted in the time zone of t. From a weekend, business days are counted from
// the Monday after it. The zero Frequency returns t.
func (f Frequency) Add(t time.Time, n int) time.Time {
	unit := timeUnits[f.Unit]
	n *= f.Count
	switch {
	case unit.length >= time.Second:
		return time.Unix(t.Unix()+int64(n)*int64(unit.length/time.Second), int64(t.Nanosecond())).In(t.Location())
	case unit.length > 0:
		return t.Add(time.Duration(n) * unit.length)
	case unit.days > 0:
		return t.AddDate(0, 0, n*unit.days)
	case unit.months > 0:
		return addMonths(t, n*unit.months, unit.end)
	case f.Unit == BusinessDay:
		return t.AddDate(0, 0, dayOfBusiness(businessDays(t)+n)-dayNumber(t))
	}
	return t
}

// Seconds returns how long a step is, of months and years on average, or 0 for the zero
// Frequency.
func (f Frequency) Seconds() float64 {
	const many = 100
	start := time.Unix(0, 0).UTC()
	return f.Add(start, many).Sub(start).Seconds() / many
}

// Steps returns how many steps lie between two times, rounded down. It reports whether
// that is exact: whether Add(from, n) is to.
func (f Frequency) Steps(from, to time.Time) (n int, exact bool) {
	if f.Count < 1 {
		return 0, from.Equal(to)
	}
	to = to.In(from.Location())
	unit := timeUnits[f.Unit]
	switch {
	case unit.length >= time.Second:
		n = int((to.Unix() - from.Unix()) / int64(unit.length/time.Second))
	case unit.length > 0:
		apart := to.Sub(from)
		if n = int(apart / unit.length); !from.Add(apart).Equal(to) {
			return n / f.Count, false // more than 292 years
		}
	case unit.days > 0:
		n = (dayNumber(to) - dayNumber(from)) / unit.days
	case unit.months > 0:
		n = (monthNumber(to) - monthNumber(from)) / unit.months
	default:
		n = businessDays(to) - businessDays(from)
	}
	n /= f.Count
	for f.Add(from, n).After(to) { // n is never too small
		n--
	}
	return n, f.Add(from, n).Equal(to)
}

// addMonths adds months to the day of t. With end it is the last day of a month.
func addMonths(t time.Time, n int, end bool) time.Time {
	first := time.Date(t.Year(), t.Month()+time.Month(n), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location())
	last := first.AddDate(0, 1, -1).Day()
	if end {
		return first.AddDate(0, 0, last-1)
	}
	return first.AddDate(0, 0, min(t.Day(), last)-1)
}

func monthNumber(t time.Time) int { return t.Year()*12 + int(t.Month()) }

// dayNumber returns the number of days from 1970 to the date of t in its time zone.
func dayNumber(t time.Time) int {
	return int(time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// businessDays returns how many days from Monday to Friday lie between Monday, 29
// December 1969, and t.
func businessDays(t time.Time) int {
	week, day := divide(dayNumber(t)+3, 7) // 1970-01-01 was a Thursday
	return 5*week + min(day, 5)
}

// dayOfBusiness returns the dayNumber of a business day.
func dayOfBusiness(n int) int {
	week, day := divide(n, 5)
	return 7*week + day - 3
}

// divide returns the quotient of a and b, rounded down, and the remainder.
func divide(a, b int) (quotient, rest int) {
	rest = (a%b + b) % b
	return (a - rest) / b, rest
}

// Cycles returns after how many steps the minute, the hour, the day, the week and the
// year repeat, as far as these are 2 steps or more: 24 and 168 for hours, 12 for months.
// A year is left out where its steps are shorter than a day, or not a whole number.
func (f Frequency) Cycles() (steps []int) {
	unit := timeUnits[f.Unit]
	if unit.length > 0 {
		step := time.Duration(f.Count) * unit.length
		for _, cycle := range []time.Duration{time.Minute, time.Hour, 24 * time.Hour, 7 * 24 * time.Hour} {
			steps = append(steps, whole(int(cycle), int(step)))
		}
	}
	switch {
	case unit.days == 1:
		steps = []int{whole(7, f.Count)}
	case unit.days == 7:
		steps = []int{whole(52, f.Count)}
	case unit.months > 0:
		steps = []int{whole(12, unit.months*f.Count)}
	case f.Unit == BusinessDay:
		steps = []int{whole(5, f.Count)}
	}
	return slices.DeleteFunc(steps, func(n int) bool { return n < 2 })
}

// whole returns a/b, or 0 if that is no whole number.
func whole(a, b int) int {
	if a%b != 0 {
		return 0
	}
	return a / b
}
