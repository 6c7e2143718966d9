package models

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// calendar holds the features of a calendar, in the order in which messages list them.
// The place of a time in its cycle is a number from 0 up to but not including 1.
var calendar = []struct {
	name  string
	place func(t time.Time) float64
	days  bool // a column for each day of the week
}{
	{name: "minute", place: func(t time.Time) float64 { return (float64(t.Minute()) + float64(t.Second())/60) / 60 }},
	{name: "hour", place: func(t time.Time) float64 { return secondOfDay(t) / 86400 }},
	{name: "dayofweek", days: true},
	{name: "dayofmonth", place: func(t time.Time) float64 { return float64(t.Day()-1) / float64(daysIn(t)) }},
	{name: "dayofyear", place: func(t time.Time) float64 { return float64(t.YearDay()-1) / 366 }},
	{name: "month", place: func(t time.Time) float64 { return float64(t.Month()-1) / 12 }},
}

var weekdays = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

func secondOfDay(t time.Time) float64 {
	return float64(t.Hour()*3600 + t.Minute()*60 + t.Second())
}

// daysIn returns the number of days in the month of t.
func daysIn(t time.Time) int {
	return time.Date(t.Year(), t.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// CalendarColumns returns the columns of the given features of a calendar, in that order.
// The features minute, hour, dayofmonth, dayofyear and month are two columns each, such
// as hour_sin and hour_cos; dayofweek is seven, from dayofweek_mon on. A column may be
// given as well, and is itself. The error is a *FieldError for anything else.
func CalendarColumns(features ...string) (columns []string, err error) {
	for i, name := range features {
		of := columnsOf(name)
		if of == nil {
			return nil, &FieldError{Field: fmt.Sprintf("Calendar[%d]", i), Value: name, Want: "minute, hour, dayofweek, dayofmonth, dayofyear or month"}
		}
		columns = append(columns, of...)
	}
	return columns, nil
}

// columnsOf returns the columns of a feature, or a column itself, or nil.
func columnsOf(name string) []string {
	for _, feature := range calendar {
		endings := []string{"sin", "cos"}
		if feature.days {
			endings = weekdays
		}
		var columns []string
		for _, ending := range endings {
			columns = append(columns, feature.name+"_"+ending)
		}
		switch {
		case name == feature.name:
			return columns
		case slices.Contains(columns, name):
			return []string{name}
		}
	}
	return nil
}

// CalendarFeatures returns the values of columns of [CalendarColumns] at a time, in its
// time zone. The columns _sin and _cos are the sine and the cosine of 2π times the part of
// the cycle that has passed: of the hour for minute, of the day for hour, of the month for
// dayofmonth, of 366 days for dayofyear, and of the year in whole months for month. The
// columns of dayofweek are 1 on that day and 0 on others. A column that is not known is
// NaN.
func CalendarFeatures(columns []string, t time.Time) []float32 {
	values := make([]float32, len(columns))
	for i, column := range columns {
		name, ending, _ := strings.Cut(column, "_")
		values[i] = calendarValue(name, ending, t)
	}
	return values
}

func calendarValue(name, ending string, t time.Time) float32 {
	for _, feature := range calendar {
		switch {
		case feature.name != name:
		case feature.days && slices.Contains(weekdays, ending):
			return isTrue(weekdays[(int(t.Weekday())+6)%7] == ending)
		case !feature.days && ending == "sin":
			return float32(math.Sin(2 * math.Pi * feature.place(t)))
		case !feature.days && ending == "cos":
			return float32(math.Cos(2 * math.Pi * feature.place(t)))
		}
	}
	return float32(math.NaN())
}

// isTrue returns 1 if b, otherwise 0.
func isTrue(b bool) float32 {
	if b {
		return 1
	}
	return 0
}
