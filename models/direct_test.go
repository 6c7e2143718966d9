package models

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"
)

// directForecaster returns the metadata of a direct forecaster that has everything.
func directForecaster() Metadata {
	d := &Direct{
		Window: 6, Horizon: 5, Segment: 3, Targets: 2, Past: 1, Future: 2, Static: 2,
		Categories: []Category{{Size: 3, Embedding: 2}, {Size: 4, Embedding: 1}},
		Center:     CenterMean, Log: 0.5, Linear: 1, Quantiles: []float64{0.1, 0.5, 0.9},
	}
	least, most := 0.0, 9.5
	one, two := &Scale{Mean: []float32{1}, Std: []float32{2}}, &Scale{Mean: []float32{0, 1}, Std: []float32{1, 2}}
	return Metadata{
		Format: MetadataFormat, Task: Forecast, Window: 6, Horizon: 5,
		Spec: Spec{Cell: GRU, Features: d.Columns(), Embedding: 4, Hidden: 5, Layers: 1, Readout: ReadAll, Outputs: 9, Direct: d},
		Forecast: &Forecasting{
			Targets: []string{"a", "b"}, Past: []string{"wind"}, Future: []string{"price", "hour_sin"}, Calendar: []string{"hour_sin"},
			Static: []string{"x", "y"}, Categories: []CategoryValues{{"shop", []string{"s", "t"}}, {"region", []string{"north"}}},
			Time: "date", Series: []string{"id"}, Frequency: "1h", Season: 24, PastScale: one, FutureScale: two, StaticScale: two,
			Widths: make([]float32, 15), Min: &least, Max: &most, Integer: true, Missing: MissingMask, Rules: []string{"window 6"},
		},
	}
}

func TestDirectMetadata(t *testing.T) {
	m := directForecaster()
	document, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	read, err := ParseMetadata(string(document))
	if err != nil || !reflect.DeepEqual(*read, m) {
		t.Errorf("JSON gives back %+v, %v", read, err)
	}
	if m.Targets() != 2 || m.Spec.Stepwise() {
		t.Errorf("%d targets; stepwise: %t", m.Targets(), m.Spec.Stepwise())
	}
}

func TestDirectValidate(t *testing.T) {
	nan := math.NaN()
	for _, test := range []struct {
		want   string
		change func(m *Metadata, d *Direct, f *Forecasting)
	}{
		{"Spec.Direct.Window", func(_ *Metadata, d *Direct, _ *Forecasting) { d.Window = 7 }},
		{"Spec.Direct.Window", func(_ *Metadata, d *Direct, _ *Forecasting) { d.Window = math.MaxInt }},
		{"Spec.Direct.Horizon", func(_ *Metadata, d *Direct, _ *Forecasting) { d.Horizon = 0 }},
		{"Spec.Direct.Segment", func(_ *Metadata, d *Direct, _ *Forecasting) { d.Segment = -3 }},
		{"Spec.Direct.Targets", func(_ *Metadata, d *Direct, _ *Forecasting) { d.Targets = 0 }},
		{"Spec.Direct.Static", func(_ *Metadata, d *Direct, _ *Forecasting) { d.Static = -1 }},
		{"Spec.Direct.Categories[1]", func(_ *Metadata, d *Direct, _ *Forecasting) { d.Categories[1].Size = 0 }},
		{"Spec.Direct.Center", func(_ *Metadata, d *Direct, _ *Forecasting) { d.Center = "" }},
		{"Spec.Direct.Log", func(_ *Metadata, d *Direct, _ *Forecasting) { d.Log = -1 }},
		{"Spec.Direct.Log", func(_ *Metadata, d *Direct, _ *Forecasting) { d.Log = 1e-60 }},
		{"Spec.Direct.Quantiles", func(_ *Metadata, d *Direct, _ *Forecasting) { d.Quantiles = []float64{0.1, 0.5} }},
		{"Spec.Direct.Quantiles", func(_ *Metadata, d *Direct, _ *Forecasting) { d.Quantiles[1] = 0.4 }},
		{"Spec.Direct.Quantiles[0]", func(_ *Metadata, d *Direct, _ *Forecasting) { d.Quantiles[0] = nan }},
		{"Spec.Features", func(m *Metadata, _ *Direct, _ *Forecasting) { m.Spec.Features = 1 }},
		{"Spec.Embedding", func(m *Metadata, _ *Direct, _ *Forecasting) { m.Spec.Embedding = 0 }},
		{"Spec.Bidirectional", func(m *Metadata, _ *Direct, _ *Forecasting) { m.Spec.Bidirectional = true }},
		{"Spec.Readout", func(m *Metadata, _ *Direct, _ *Forecasting) { m.Spec.Readout = ReadMean }},
		{"Spec.Readout", func(m *Metadata, _ *Direct, _ *Forecasting) { m.Spec.Readout = ReadLast }}, // with covariates known ahead
		{"Spec.Outputs", func(m *Metadata, _ *Direct, _ *Forecasting) { m.Spec.Outputs = 15 }},
		{"Spec.Hidden", func(m *Metadata, d *Direct, _ *Forecasting) {
			d.Window = 3 << 18
			d.Horizon = 1 << 18
			m.Spec.Outputs = 9
		}},
		{"Task", func(m *Metadata, _ *Direct, _ *Forecasting) { m.Task = Classify }},
		{"Window", func(m *Metadata, _ *Direct, _ *Forecasting) { m.Window = 9 }},
		{"Horizon", func(m *Metadata, _ *Direct, _ *Forecasting) { m.Horizon = 4 }},
		{"Target", func(m *Metadata, _ *Direct, _ *Forecasting) {
			m.Columns, m.Target = []string{"a", "b", "c", "d", "e"}, "a"
		}},
		{"InputScale", func(m *Metadata, _ *Direct, _ *Forecasting) { m.InputScale = &Scale{} }},
		{"OutputScale", func(m *Metadata, _ *Direct, _ *Forecasting) { m.OutputScale = &Scale{} }},
		{"Forecast", func(m *Metadata, _ *Direct, _ *Forecasting) { m.Forecast = nil }},
		{"Forecast.Targets", func(_ *Metadata, _ *Direct, f *Forecasting) { f.Targets = f.Targets[:1] }},
		{"Forecast.Categories", func(_ *Metadata, _ *Direct, f *Forecasting) { f.Categories = nil }},
		{"Forecast.Categories[0].Values", func(_ *Metadata, _ *Direct, f *Forecasting) { f.Categories[0].Values = []string{"s", "t", "u"} }},
		{"Forecast.Widths", func(_ *Metadata, _ *Direct, f *Forecasting) { f.Widths = f.Widths[:3] }},
		{"Forecast.Widths[2]", func(_ *Metadata, _ *Direct, f *Forecasting) { f.Widths[2] = -1 }},
		{"Forecast.PastScale.Mean", func(_ *Metadata, _ *Direct, f *Forecasting) { f.PastScale = f.StaticScale }},
		{"Forecast.StaticScale.Std[0]", func(_ *Metadata, _ *Direct, f *Forecasting) { f.FutureScale, f.StaticScale.Std[0] = nil, 0 }},
		{"Forecast.Season", func(_ *Metadata, _ *Direct, f *Forecasting) { f.Season = -1 }},
		{"Forecast.Missing", func(_ *Metadata, _ *Direct, f *Forecasting) { f.Missing = "guess" }},
		{"Forecast.Min", func(_ *Metadata, _ *Direct, f *Forecasting) { f.Min = &nan }},
		{"Forecast.Max", func(_ *Metadata, _ *Direct, f *Forecasting) { *f.Min = 10 }},
		{"Forecast.Max", func(_ *Metadata, _ *Direct, f *Forecasting) { *f.Min = 9.25 }}, // no whole number up to 9.5
	} {
		m := directForecaster()
		test.change(&m, m.Spec.Direct, m.Forecast)
		var field *FieldError
		if _, err := New(m, 0); !errors.As(err, &field) || field.Field != test.want {
			t.Errorf("the error is %v, not about %s", err, test.want)
		}
	}
}

// TestDirectParams compares the number of parameters with the sum of the shapes that
// torch.nn.Embedding, Linear and GRU document.
func TestDirectParams(t *testing.T) {
	m, err := New(directForecaster(), 1)
	if err != nil {
		t.Fatal(err)
	}
	const (
		tables  = 3*2 + 4*1
		segment = (3*(2+1+2)+2+2+1)*4 + 4 // 3 steps of value, mask and three covariates; static; embedded categories
		path    = 6 * 5
		gru     = 3*5*4 + 3*5*5 + 2*3*5
		head    = 5*9 + 9
	)
	p := m.Params
	if want := tables + segment + path + gru + head; len(p.Data) != want || m.Spec.Size() != float64(want) {
		t.Errorf("%d parameters, counted as %g, not %d", len(p.Data), m.Spec.Size(), want)
	}
	for _, x := range slices.Concat(p.Categories, [][]float32{p.Segment.W, p.Segment.B, p.Layers[0].W, p.Layers[0].R, p.Layers[0].B, p.Head.W, p.Head.B}) {
		if slices.Contains(x, 0) {
			t.Error("a parameter that is not drawn")
		}
		for i := range x {
			x[i] = 0
		}
	}
	if slices.ContainsFunc(p.Data, func(v float32) bool { return v != 0 }) {
		t.Error("the linear path does not begin with zeros, or the views do not cover the data")
	}
	m.Ensemble = []*Params[float32]{NewParams[float32](Forecaster("y", 6).Spec)}
	var field *FieldError
	if err := m.Validate(); !errors.As(err, &field) || field.Field != "Ensemble[0].Data" {
		t.Errorf("members of another Spec: %v", err)
	}
	m.Ensemble = []*Params[float32]{m.Params}
	if err := m.Validate(); err != nil {
		t.Error(err)
	}
}

// TestDirectInit checks the bounds that torch.nn.Linear documents.
func TestDirectInit(t *testing.T) {
	s := directForecaster().Spec
	s.Embedding = 200
	p, err := Init(s, 1)
	if err != nil {
		t.Fatal(err)
	}
	bound := 1 / math.Sqrt(float64(s.Direct.Features()))
	for name, x := range map[string][]float32{"W": p.Segment.W, "B": p.Segment.B} {
		if _, std, largest := moments(x); !(largest <= bound && largest > 0.95*bound && std > 0.5*bound) {
			t.Errorf("segment %s is not uniform in ±%g: deviation %g, largest %g", name, bound, std, largest)
		}
	}
}
