package models

import (
	"errors"
	"slices"
	"testing"
)

// mixture returns the metadata of a mixture of two architectures that differ in all that
// may differ.
func mixture() Metadata {
	m := directForecaster()
	other := m.Spec
	d := *other.Direct
	d.Log, d.Linear, d.Segment, d.Center = 0.5, 2, 2, CenterLast
	d.Categories = slices.Clone(d.Categories)
	d.Categories[0].Embedding++
	other.Direct, other.Cell, other.Hidden, other.Layers, other.Dropout = &d, LSTM, 3, 2, 0.5
	other.Outputs = d.Segment * len(d.Quantiles)
	m.Mixture = []Component{{other, 0.25}}
	return m
}

func TestMixture(t *testing.T) {
	m, err := New(mixture(), 1)
	if err != nil {
		t.Fatal(err)
	}
	m.Ensemble = append(m.Ensemble, m.Params)
	groups := m.Groups()
	if len(groups) != 2 || groups[0].Weight != 0.75 || len(groups[0].Members) != 2 || groups[0].Spec.Hidden != m.Spec.Hidden ||
		groups[1].Weight != 0.25 || len(groups[1].Members) != 1 || groups[1].Spec.Hidden != 3 {
		t.Errorf("the groups are %+v", groups)
	}
	plain := directForecaster()
	plain.Spec.Direct.Log = 0
	if m.Spec.Direct.Log = 0; m.LogFloor() != 0.5 || plain.LogFloor() != 0 {
		t.Error("it is not said of which values a model takes logarithms")
	}
}

func TestMixtureValidate(t *testing.T) {
	for _, test := range []struct {
		want   string
		change func(m *Metadata, c *Component)
	}{
		{"", func(*Metadata, *Component) {}},
		{"Mixture[0].Weight", func(_ *Metadata, c *Component) { c.Weight = 0 }},
		{"Mixture[0].Weight", func(_ *Metadata, c *Component) { c.Weight = 1 }},
		{"Mixture", func(m *Metadata, c *Component) { m.Mixture = append(m.Mixture, Component{c.Spec, 0.75}) }},
		{"Mixture[0].Spec.Direct", func(_ *Metadata, c *Component) { c.Spec = Forecaster("y", 6).Spec }},
		{"Mixture[0].Spec.Hidden", func(_ *Metadata, c *Component) { c.Spec.Hidden = 0 }},
		{"Mixture[0].Spec.Direct.Window", func(_ *Metadata, c *Component) { c.Spec.Direct.Window *= 2 }},
		{"Mixture[0].Spec.Direct.Horizon", func(_ *Metadata, c *Component) { c.Spec.Direct.Horizon++ }},
		{"Mixture[0].Spec.Direct.Categories", func(_ *Metadata, c *Component) { c.Spec.Direct.Categories[1].Size++ }},
		{"Mixture[0].Spec.Direct.Quantiles", func(_ *Metadata, c *Component) { c.Spec.Direct.Quantiles = []float64{0.2, 0.5, 0.8} }},
		{"Mixture", func(m *Metadata, _ *Component) {
			c := m.Mixture
			*m = Forecaster("y", 6)
			m.Mixture = c
		}},
	} {
		m := mixture()
		test.change(&m, &m.Mixture[0])
		var field *FieldError
		switch err := m.Validate(); {
		case test.want == "" && err != nil:
			t.Error(err)
		case test.want != "" && (!errors.As(err, &field) || field.Field != test.want):
			t.Errorf("the error is %v, not about %s", err, test.want)
		}
	}
	for want, change := range map[string]func(m *Model){
		"Mixed":            func(m *Model) { m.Mixed = nil },
		"Mixed[0]":         func(m *Model) { m.Mixed[0] = nil },
		"Mixed[0][1].Data": func(m *Model) { m.Mixed[0] = append(m.Mixed[0], m.Params) },
	} {
		m, err := New(mixture(), 1)
		if err != nil {
			t.Fatal(err)
		}
		change(m)
		var field *FieldError
		if err := m.Validate(); !errors.As(err, &field) || field.Field != want {
			t.Errorf("the error is %v, not about %s", err, want)
		}
	}
}
