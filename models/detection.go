package models

import (
	"fmt"
	"math"
	"slices"
)

// Detection has the settings of a detector: its columns, and what is an anomaly in them. The network of a
// detector forecasts the next value of a column in units of the column's own usual change,
// so that one network serves all columns and all series.
type Detection struct {
	Columns []string `json:"columns"` // names of the columns that are watched together

	Time      string   `json:"time,omitempty"`      // name of the column of times
	Zone      string   `json:"zone,omitempty"`      // time zone of times that are written without one; "" for UTC
	Series    []string `json:"series,omitempty"`    // names of the columns that together tell series apart
	Frequency string   `json:"frequency,omitempty"` // from one observation to the next, as ParseFrequency reads it; "" without times
	Query     string   `json:"query,omitempty"`     // of Prometheus, in PromQL, that the series came from; "" for a table
	Season    int      `json:"season,omitempty"`    // observations after which the series repeats; 0 if it has no season

	Direction    Direction `json:"direction,omitempty"`     // on which side of the forecast an anomaly lies; "" for both
	MinDeviation float64   `json:"min_deviation,omitempty"` // what lies nearer to its forecast is no anomaly, in units of the column
	MinRelative  float64   `json:"min_relative,omitempty"`  // likewise, as a share of the absolute value of the forecast
	Consecutive  int       `json:"consecutive,omitempty"`   // observations in a row that must reach the border for an alarm; 0 for 1
	Refractory   int       `json:"refractory,omitempty"`    // observations after an alarm in which there is no other, but for one whose score is half as large again

	// Spreads say how far the values of each column usually lie apart: what a distance is
	// measured by when several columns are scored together. It is empty for a single one.
	Spreads []Spread `json:"spreads,omitempty"`

	// Border is what scores are divided by, so that 1 is the border: a surprisal for one
	// column, and the mean of the columns' scores for several. A share Rate of observations is
	// expected to reach it, as of those that calibrated it.
	Border     float64 `json:"border"`
	Rate       float64 `json:"rate"`                 // false alarms for each observation
	Calibrated int     `json:"calibrated,omitempty"` // observations that calibrated the border

	Rules []string `json:"rules,omitempty"` // what was chosen for the data and why, for people to read
}

// Spread has the deviations of a column in the series that a detector learned from, in the
// column's units. They are 0 for a column that never changed.
type Spread struct {
	Level  float64 `json:"level"`  // standard deviation of the values from the mean of their series
	Change float64 `json:"change"` // root of the mean squared change from one value to the next
	Rows   int     `json:"rows"`   // values of which it is the deviation
}

// Direction says on which side of its forecast an observation is an anomaly.
type Direction string

// The directions. The empty string stands for Both.
const (
	Both  Direction = "both"
	Above Direction = "above"
	Below Direction = "below"
)

// maxSeason limits the memory that a detector keeps for a series: a week of seconds fits.
const maxSeason = 1 << 20

// Validate returns a *FieldError for the first field that cannot be used.
func (d *Detection) Validate() error {
	if err := d.validateColumns(); err != nil {
		return err
	}
	if _, err := ParseFrequency(d.Frequency); err != nil {
		return err
	}
	switch {
	case d.Season < 0 || d.Season > maxSeason:
		return &FieldError{Field: "Season", Value: d.Season, Want: fmt.Sprintf("from 0 to %d", maxSeason)}
	case !slices.Contains([]Direction{"", Both, Above, Below}, d.Direction):
		return &FieldError{Field: "Direction", Value: string(d.Direction), Want: "above, below or both"}
	case !(d.MinDeviation >= 0) || math.IsInf(d.MinDeviation, 0):
		return &FieldError{Field: "MinDeviation", Value: d.MinDeviation, Want: "0 or more and finite"}
	case !(d.MinRelative >= 0) || math.IsInf(d.MinRelative, 0):
		return &FieldError{Field: "MinRelative", Value: d.MinRelative, Want: "0 or more and finite"}
	case d.Consecutive < 0:
		return &FieldError{Field: "Consecutive", Value: d.Consecutive, Want: "0 or more"}
	case d.Refractory < 0:
		return &FieldError{Field: "Refractory", Value: d.Refractory, Want: "0 or more"}
	case !(d.Border > 0) || math.IsInf(d.Border, 0):
		return &FieldError{Field: "Border", Value: d.Border, Want: "more than 0 and finite"}
	case !(d.Rate > 0 && d.Rate < 1):
		return &FieldError{Field: "Rate", Value: d.Rate, Want: "between 0 and 1"}
	case d.Calibrated < 0:
		return &FieldError{Field: "Calibrated", Value: d.Calibrated, Want: "0 or more"}
	}
	return nil
}

// validateColumns checks the names and the spreads of the columns.
func (d *Detection) validateColumns() error {
	if len(d.Columns) == 0 {
		return &FieldError{Field: "Columns", Value: d.Columns, Want: "of length 1 or more"}
	}
	for i, name := range d.Columns {
		if slices.Contains(d.Columns[:i], name) {
			return &FieldError{Field: fmt.Sprintf("Columns[%d]", i), Value: name, Want: "a name that no other column has"}
		}
	}
	if n := len(d.Columns); len(d.Spreads) != n && !(n == 1 && d.Spreads == nil) {
		return &FieldError{Field: "Spreads", Value: d.Spreads, Want: fmt.Sprintf("of length %d, as Columns", n)}
	}
	for i, s := range d.Spreads {
		if !(s.Level >= 0 && s.Change >= 0 && s.Rows >= 0) || math.IsInf(s.Level+s.Change, 0) {
			return &FieldError{Field: fmt.Sprintf("Spreads[%d]", i), Value: s, Want: "0 or more and finite"}
		}
	}
	return nil
}
