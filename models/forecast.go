package models

import (
	"fmt"
	"math"
	"slices"
)

// Forecasting says what the columns of a direct forecaster are, and how its answers are
// to be read. An exported graph applies the scales, the widths and the bounds.
type Forecasting struct {
	Targets    []string         `json:"targets"`              // names of the columns that are forecast
	Past       []string         `json:"past,omitempty"`       // covariates that are known up to the last row
	Future     []string         `json:"future,omitempty"`     // covariates that are known for the horizon too
	Calendar   []string         `json:"calendar,omitempty"`   // the last of Future, which CalendarFeatures computes from the times
	Static     []string         `json:"static,omitempty"`     // numbers of a series
	Categories []CategoryValues `json:"categories,omitempty"` // categories of a series

	Time      string   `json:"time,omitempty"`      // name of the column of times
	Zone      string   `json:"zone,omitempty"`      // time zone of times that are written without one; "" for UTC
	Series    []string `json:"series,omitempty"`    // names of the columns that together tell series apart
	Wide      bool     `json:"wide,omitempty"`      // each column of numbers in the table is a series
	Frequency string   `json:"frequency,omitempty"` // of the rows, as ParseFrequency reads it; "" without times
	Season    int      `json:"season,omitempty"`    // steps after which the series repeats; 0 if it has no season

	// The scales standardize the covariates. Each is nil where there are none.
	PastScale   *Scale `json:"past_scale,omitempty"`
	FutureScale *Scale `json:"future_scale,omitempty"`
	StaticScale *Scale `json:"static_scale,omitempty"`

	// Widths holds the factors by which conformal calibration multiplies the distance of
	// each quantile from the median, [horizon, quantiles]. It is empty without calibration.
	Widths []float32 `json:"widths,omitempty"`

	Min     *float64 `json:"min,omitempty"`     // no answer is less
	Max     *float64 `json:"max,omitempty"`     // no answer is more
	Integer bool     `json:"integer,omitempty"` // answers are rounded to whole numbers

	Missing Missing  `json:"missing,omitempty"` // what is done about missing values of the targets
	Rules   []string `json:"rules,omitempty"`   // what was chosen for the data and why, for people to read
}

// validateTimes returns a *FieldError if the frequency or the calendar cannot be used.
func (f *Forecasting) validateTimes() error {
	frequency, err := ParseFrequency(f.Frequency)
	if err != nil {
		return err
	}
	last := max(0, len(f.Future)-len(f.Calendar))
	switch columns, err := CalendarColumns(f.Calendar...); {
	case err != nil:
		return err
	case !slices.Equal(columns, f.Future[last:]):
		return &FieldError{Field: "Calendar", Value: f.Calendar, Want: fmt.Sprintf("the last columns of Future, %.200q", f.Future)}
	case len(columns) > 0 && frequency == (Frequency{}):
		return &FieldError{Field: "Frequency", Value: f.Frequency, Want: "set where a calendar is read"}
	}
	return nil
}

// CategoryValues names a category of series and its values. The value with index i has
// the number i+1 in the input; the number 0 stands for all others.
type CategoryValues struct {
	Name   string   `json:"name"`
	Values []string `json:"values"`
}

// Missing says what is done about missing values.
type Missing string

// What is done about missing values.
const (
	MissingRefuse      Missing = "refuse"      // they are an error
	MissingInterpolate Missing = "interpolate" // they are interpolated between their neighbours
	MissingMask        Missing = "mask"        // they are told to the model, and leave the loss and the metrics
)

// validate returns a *FieldError for the first field that does not fit d.
func (f *Forecasting) validate(d *Direct) error {
	if err := f.validateLengths(d); err != nil {
		return err
	}
	if err := f.validateTimes(); err != nil {
		return err
	}
	for i, c := range f.Categories {
		if size := d.Categories[i].Size; len(c.Values) >= size {
			return &FieldError{Field: fmt.Sprintf("Categories[%d].Values", i), Value: c.Values, Want: fmt.Sprintf("of length %d or less, since the category has %d numbers and 0 stands for all others", size-1, size)}
		}
	}
	for i, w := range f.Widths {
		if !(w >= 0) || math.IsInf(float64(w), 0) {
			return &FieldError{Field: fmt.Sprintf("Widths[%d]", i), Value: w, Want: "0 or more and finite"}
		}
	}
	for _, s := range []struct {
		field string
		scale *Scale
		size  int
	}{{"PastScale", f.PastScale, d.Past}, {"FutureScale", f.FutureScale, d.Future}, {"StaticScale", f.StaticScale, d.Static}} {
		if err := s.scale.validate(s.field, s.size); err != nil {
			return err
		}
	}
	switch {
	case f.Season < 0:
		return &FieldError{Field: "Season", Value: f.Season, Want: "0 or more"}
	case f.Missing != "" && !slices.Contains([]Missing{MissingRefuse, MissingInterpolate, MissingMask}, f.Missing):
		return &FieldError{Field: "Missing", Value: f.Missing, Want: "refuse, interpolate or mask"}
	}
	return f.validateBounds()
}

func (f *Forecasting) validateLengths(d *Direct) error {
	for _, l := range []struct {
		field      string
		have, want int
	}{
		{"Targets", len(f.Targets), d.Targets}, {"Past", len(f.Past), d.Past}, {"Future", len(f.Future), d.Future},
		{"Static", len(f.Static), d.Static}, {"Categories", len(f.Categories), len(d.Categories)},
	} {
		if l.have != l.want {
			return &FieldError{Field: l.field, Value: Length(l.have), Want: fmt.Sprintf("of length %d, as Spec.Direct says", l.want)}
		}
	}
	if n := d.Horizon * len(d.Quantiles); len(f.Widths) != 0 && len(f.Widths) != n {
		return &FieldError{Field: "Widths", Value: Length(len(f.Widths)), Want: fmt.Sprintf("of length %d, a factor for each quantile of each step", n)}
	}
	return nil
}

func (f *Forecasting) validateBounds() error {
	least, most := math.Inf(-1), math.Inf(1)
	if f.Min != nil {
		if least = *f.Min; math.IsNaN(least) || math.IsInf(least, 0) {
			return &FieldError{Field: "Min", Value: least, Want: "finite"}
		}
	}
	if f.Max != nil {
		if most = *f.Max; math.IsNaN(most) || math.IsInf(most, 0) {
			return &FieldError{Field: "Max", Value: most, Want: "finite"}
		}
	}
	switch {
	case least > most:
		return &FieldError{Field: "Max", Value: most, Want: fmt.Sprintf("%g, the Min, or more", least)}
	case f.Integer && math.Ceil(least) > math.Floor(most):
		return &FieldError{Field: "Max", Value: most, Want: fmt.Sprintf("so much more than %g, the Min, that a whole number lies between them", least)}
	}
	return nil
}
