package models

import (
	"fmt"
	"math"
	"slices"
)

// Direct is the part of a Spec that makes a model a direct forecaster. Such a model reads
// a window of a series and answers for all steps of its horizon at once.
//
// Each window is normalized by itself: less its Center, divided by its standard
// deviation. A missing value, NaN, counts as the Center and has a mask of 0. Segment
// consecutive steps are one step of the recurrent layers, which read through a dense
// layer with relu, the embedding: Lin et al., "SegRNN: Segment Recurrent Neural Network for
// Long-Term Time Series Forecasting" (2023).
//
// With the readout [ReadLast] the head answers for the whole horizon after the last segment
// of the window. With [ReadAll] the recurrent layers go on over the segments of the
// horizon, whose values are missing and whose covariates are known, and the head answers
// at each of these. Covariates that are known ahead need ReadAll.
//
// With a Linear of 1 a linear map of the normalized window is added: Zeng et al., "Are
// Transformers Effective for Time Series Forecasting?" (2023). With more, as many linear
// maps are mixed, with weights that are the softmax of a linear function, the gate, of the
// output of the last recurrent layer after the last segment of the window: Jacobs et al.,
// "Adaptive Mixtures of Local Experts" (1991). Several targets are forecast one by one,
// with the same parameters.
type Direct struct {
	Window  int `json:"window"`  // steps that the model looks back, a multiple of Segment
	Horizon int `json:"horizon"` // steps ahead that it answers for
	Segment int `json:"segment"` // steps that the recurrent layers read as one

	Targets    int        `json:"targets"`              // columns that are forecast
	Past       int        `json:"past,omitempty"`       // covariates that are known up to the last row
	Future     int        `json:"future,omitempty"`     // covariates that are known for the horizon too
	Static     int        `json:"static,omitempty"`     // numbers that a series has for all times
	Categories []Category `json:"categories,omitempty"` // categories that a series has for all times

	Center Center  `json:"center"`
	Log    float64 `json:"log,omitempty"`    // if not 0, the model reads log(max(x, Log)) and answers its inverse
	Linear int     `json:"linear,omitempty"` // linear maps from the window to the horizon

	// Quantiles are those that the model answers for each step, in ascending order. Their
	// number is odd, and the one in the middle is 0.5, the forecast itself.
	Quantiles []float64 `json:"quantiles"`
}

// Category is a property with a given number of values, from 0 to Size-1, each of which
// has an embedding.
type Category struct {
	Size      int `json:"size"`
	Embedding int `json:"embedding"`
}

// Center is what is subtracted from a window.
type Center string

// The centers.
const (
	CenterLast Center = "last" // the last value that is not missing
	CenterMean Center = "mean" // the mean of all values that are not missing
)

// Features returns the number of values in a segment as the embedding reads it: for each
// of its steps the normalized value, the mask and the covariates, and once the static
// numbers and the embedded categories.
//
// They lie in that order: Segment values, Segment masks, Segment values of the first
// covariate of Past and so on, those of Future, then Static, then the categories.
func (d *Direct) Features() int {
	n := d.Segment*(2+d.Past+d.Future) + d.Static
	for _, c := range d.Categories {
		n += c.Embedding
	}
	return n
}

// WindowSegments returns the number of segments in the window.
func (d *Direct) WindowSegments() int { return d.Window / d.Segment }

// HorizonSegments returns the number of segments that hold the horizon, for a model that
// reads them. The last one may be longer than what is left of the horizon.
func (d *Direct) HorizonSegments() int { return (d.Horizon + d.Segment - 1) / d.Segment }

// Columns returns the number of columns in the input: targets, past covariates, and
// covariates known ahead.
func (d *Direct) Columns() int { return d.Targets + d.Past + d.Future }

// Levels returns the shares of values that the intervals between the quantiles hold, the
// narrowest first.
func (d *Direct) Levels() []float64 {
	middle := len(d.Quantiles) / 2
	levels := make([]float64, middle)
	for i := range levels {
		levels[i] = math.Round((d.Quantiles[middle+1+i]-d.Quantiles[middle-1-i])*1e9) / 1e9
	}
	return levels
}

// maxSteps limits the window and the horizon that a mistyped size can ask for.
const maxSteps = 1 << 20

// validate returns a *FieldError for the first field that does not fit.
func (d *Direct) validate() error {
	for _, f := range []struct {
		name         string
		value, least int
	}{
		{"Window", d.Window, 1}, {"Horizon", d.Horizon, 1}, {"Segment", d.Segment, 1}, {"Targets", d.Targets, 1},
		{"Past", d.Past, 0}, {"Future", d.Future, 0}, {"Static", d.Static, 0}, {"Linear", d.Linear, 0},
	} {
		if f.value < f.least || f.value > maxSteps {
			return &FieldError{Field: f.name, Value: f.value, Want: fmt.Sprintf("from %d to %d", f.least, maxSteps)}
		}
	}
	for i, c := range d.Categories {
		if c.Size < 1 || c.Size > maxSteps || c.Embedding < 1 || c.Embedding > maxSteps {
			return &FieldError{Field: fmt.Sprintf("Categories[%d]", i), Value: c, Want: fmt.Sprintf("of a Size and an Embedding from 1 to %d", maxSteps)}
		}
	}
	switch {
	case d.Window%d.Segment != 0:
		return &FieldError{Field: "Window", Value: d.Window, Want: fmt.Sprintf("a multiple of the Segment, %d", d.Segment)}
	case d.Center != CenterLast && d.Center != CenterMean:
		return &FieldError{Field: "Center", Value: d.Center, Want: "last or mean"}
	case !(d.Log >= 0) || math.IsInf(d.Log, 0) || d.Log > 0 && float32(d.Log) == 0:
		return &FieldError{Field: "Log", Value: d.Log, Want: "0, or the smallest value that a logarithm is taken of"}
	}
	return d.validateQuantiles()
}

func (d *Direct) validateQuantiles() error {
	q := d.Quantiles
	if len(q)%2 == 0 || len(q) > 99 || q[len(q)/2] != 0.5 {
		return &FieldError{Field: "Quantiles", Value: q, Want: "of odd length, at most 99, with 0.5 in the middle"}
	}
	for i, v := range q {
		if !(v > 0 && v < 1) || !slices.IsSorted(q) || i > 0 && q[i-1] == v {
			return &FieldError{Field: fmt.Sprintf("Quantiles[%d]", i), Value: v, Want: "between 0 and 1, and more than the one before"}
		}
	}
	return nil
}
