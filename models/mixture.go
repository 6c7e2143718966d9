package models

import (
	"fmt"
	"reflect"
)

// Component is one of several architectures whose answers a direct forecaster mixes: each
// quantile that it answers is the sum of what its components answer, in raw units, times
// their weights. Those of a mixture read the same columns over the same window and answer
// the same quantiles, and may differ in everything else.
type Component struct {
	Spec   Spec    `json:"spec"`
	Weight float32 `json:"weight"` // the Spec of the Metadata has what these leave of 1
}

// weight returns the weight of the Spec of m in the mixture.
func (m *Metadata) weight() float32 {
	left := float32(1)
	for _, c := range m.Mixture {
		left -= c.Weight
	}
	return left
}

// LogFloor returns the smallest value that a direct forecaster, or a component of it, takes
// a logarithm of. It is 0 if none reads logarithms.
func (m *Metadata) LogFloor() float64 {
	floor := m.Spec.Direct.Log
	for _, c := range m.Mixture {
		floor = max(floor, c.Spec.Direct.Log)
	}
	return floor
}

// validateMixture checks that what is mixed goes together.
func (m *Metadata) validateMixture() error {
	for i, c := range m.Mixture {
		field := fmt.Sprintf("Mixture[%d]", i)
		if err := InField(field+".Spec", c.Spec.Validate()); err != nil {
			return err
		}
		switch {
		case c.Spec.Direct == nil:
			return &FieldError{Field: field + ".Spec.Direct", Value: nil, Want: "set, as that of Spec"}
		case !(c.Weight > 0 && c.Weight < 1):
			return &FieldError{Field: field + ".Weight", Value: c.Weight, Want: "between 0 and 1"}
		}
		if err := InField(field+".Spec.Direct", c.Spec.Direct.goesWith(m.Spec.Direct)); err != nil {
			return err
		}
	}
	if left := m.weight(); !(left > 0) {
		return &FieldError{Field: "Mixture", Value: m.Mixture, Want: "of weights whose sum is less than 1"}
	}
	return nil
}

// goesWith returns a *FieldError unless d reads and answers what other does.
func (d *Direct) goesWith(other *Direct) error {
	for _, f := range []struct {
		field      string
		have, want any
	}{
		{"Window", d.Window, other.Window}, {"Horizon", d.Horizon, other.Horizon}, {"Targets", d.Targets, other.Targets},
		{"Past", d.Past, other.Past}, {"Future", d.Future, other.Future}, {"Static", d.Static, other.Static},
		{"Categories", d.sizes(), other.sizes()}, {"Quantiles", d.Quantiles, other.Quantiles},
	} {
		if !reflect.DeepEqual(f.have, f.want) {
			return &FieldError{Field: f.field, Value: f.have, Want: fmt.Sprintf("%v, as that of what it is mixed with", f.want)}
		}
	}
	return nil
}

// sizes returns those of the categories.
func (d *Direct) sizes() (list []int) {
	for _, c := range d.Categories {
		list = append(list, c.Size)
	}
	return list
}
