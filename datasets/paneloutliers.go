package datasets

import (
	"fmt"
	"slices"
)

const (
	mostOutliers   = 3  // of a series
	outlierEvery   = 20 // known values, at most
	outlierAndRest = mostOutliers + 1
)

// noteOutliers adds a note about values of the targets that lie further from all others than
// these lie apart. One of them is often a mistake, or stands for no value.
func (p *Panel) noteOutliers() {
	n, first := 0, ""
	for i, s := range p.Series {
		for k, values := range s.Targets {
			rows, low, high := outliers(values)
			if n == 0 && len(rows) > 0 {
				first = fmt.Sprintf("%.40q is %g %s%s, while all others are %g to %g", p.Targets[k], values[rows[0]], p.place(i, rows[0]), ofSeries(s.Name), low, high)
			}
			n += len(rows)
		}
	}
	switch {
	case n == 1:
		p.Notes = append(p.Notes, first+": if that is a mistake, leave it empty")
	case n > 1:
		p.Notes = append(p.Notes, fmt.Sprintf("%d values lie far from all others: %s; if these are mistakes, leave them empty", n, first))
	}
}

// place says where a row of a series is.
func (p *Panel) place(series, row int) string {
	if p.Roles.Time == "" {
		return fmt.Sprintf("in row %d", row+1)
	}
	return "at " + p.shortTime(p.Time(series, row))
}

// outliers returns the rows of the largest or the smallest values, at most mostOutliers of
// them and one in outlierEvery, that lie further from all others than these lie apart, and
// the range of the others.
func outliers(values []float64) (rows []int, low, high float64) {
	known := 0
	for _, v := range values {
		if v == v {
			known++
		}
	}
	limit := min(mostOutliers, known/outlierEvery)
	if limit == 0 {
		return nil, 0, 0
	}
	top, bottom := extremes(values, 1), extremes(values, -1)
	for n := 1; n <= limit; n++ {
		low, high = values[bottom[0]], values[top[n]]
		if apart := high - low; apart > 0 && values[top[n-1]]-high > apart {
			return top[:n], low, high
		}
		low, high = values[bottom[n]], values[top[0]]
		if apart := high - low; apart > 0 && low-values[bottom[n-1]] > apart {
			return bottom[:n], low, high
		}
	}
	return nil, 0, 0
}

// extremes returns the rows of the values that are the largest when multiplied by sign, the
// largest first. Missing ones are left out.
func extremes(values []float64, sign float64) []int {
	rows := make([]int, 0, outlierAndRest+1)
	for i, v := range values {
		at := len(rows)
		for at > 0 && sign*v > sign*values[rows[at-1]] {
			at--
		}
		if v == v && at < outlierAndRest {
			rows = slices.Insert(rows, at, i)
			rows = rows[:min(len(rows), outlierAndRest)]
		}
	}
	return rows
}
