package cli

import (
	"encoding/csv"
	"io"
	"strconv"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/infer"
)

// forecastTable prints forecasts of the series of a panel as CSV, a line for each step of
// a series. A field that has no value is empty.
type forecastTable struct {
	*csv.Writer
	panel  *datasets.Panel
	levels []float64 // of the intervals, the narrowest first
	tested bool      // a line also has the time of the last row before the forecast, and what came
}

// newForecastTable prints the header of a table.
func newForecastTable(out io.Writer, panel *datasets.Panel, levels []float64, tested bool) *forecastTable {
	t := &forecastTable{csv.NewWriter(out), panel, levels, tested}
	header := panel.Roles.Series
	if panel.Wide {
		header = []string{"series"}
	}
	if tested {
		header = append(header[:len(header):len(header)], "origin")
	}
	if panel.Frequency.Count > 0 {
		header = append(header[:len(header):len(header)], t.timeName())
	}
	header = append(header[:len(header):len(header)], "step")
	for _, name := range panel.Targets {
		header = append(header, t.fieldsOf(name)...)
	}
	t.Write(header)
	return t
}

func (t *forecastTable) timeName() string {
	if t.panel.Roles.Time == "" {
		return "time"
	}
	return t.panel.Roles.Time
}

// fieldsOf returns the names of the fields of a target. A single target has no name there.
func (t *forecastTable) fieldsOf(target string) (names []string) {
	forecast, prefix := target, target+"_"
	if len(t.panel.Targets) == 1 {
		forecast, prefix = "forecast", ""
	}
	names = append(names, forecast)
	for _, level := range t.levels {
		percent := percentOf(level)
		names = append(names, prefix+"lo_"+percent, prefix+"hi_"+percent)
	}
	if t.tested {
		names = append(names, prefix+"actual")
	}
	return names
}

// percentOf returns a share such as 0.975 as 97.5.
func percentOf(share float64) string { return strconv.FormatFloat(100*share, 'g', 6, 64) }

// forecastLines are the lines of a table for a series from an origin.
type forecastLines struct {
	series int
	origin int // the first row that is forecast
	*infer.Forecast
	actual [][]float64 // [targets][steps], for a table with what came
}

// print prints the lines of a forecast.
func (t *forecastTable) print(l forecastLines) error {
	s := &t.panel.Series[l.series]
	for step := range l.Median[0] {
		record := append([]string(nil), s.Key...)
		if t.tested {
			record = append(record, t.timeOf(l.series, l.origin-1))
		}
		if t.panel.Frequency.Count > 0 {
			record = append(record, t.timeOf(l.series, l.origin+step))
		}
		record = append(record, strconv.Itoa(step+1))
		for target := range l.Median {
			record = append(record, t.values(l, target, step)...)
		}
		t.Write(record)
	}
	t.Flush()
	return t.Error()
}

// timeOf returns the time of a row, or where there are no times its number from 1.
func (t *forecastTable) timeOf(series, row int) string {
	if t.panel.Frequency.Count == 0 {
		return strconv.Itoa(row + 1)
	}
	return t.panel.FormatTime(t.panel.Time(series, row))
}

// values returns the fields of a target at a step.
func (t *forecastTable) values(l forecastLines, target, step int) []string {
	fields := []string{number(l.Median[target][step])}
	for i := range t.levels {
		fields = append(fields, number(l.Low[i][target][step]), number(l.High[i][target][step]))
	}
	if t.tested {
		fields = append(fields, number(l.actual[target][step]))
	}
	return fields
}

// number returns the shortest text of a value of a model, which are float32. A missing one
// is empty.
func number(v float64) string {
	if v != v {
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, 32)
}
